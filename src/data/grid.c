/* The grid all months share, and where on it there are files. */
#include "frames.h"
#include "source.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_window_equal(const c3d_window *a, const c3d_window *b)
{
    return a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height;
}

static c3d_status footprint_add(c3d_footprint *print, c3d_window window)
{
    for (size_t i = 0; i < print->n; i++)
        if (is_window_equal(&print->windows[i], &window)) return C3D_OK;
    if (print->n == print->capacity) {
        const size_t capacity = print->capacity ? 2 * print->capacity : 64;
        c3d_window *windows = realloc(print->windows, capacity * sizeof *windows);

        if (windows == NULL) return C3D_FAIL(C3D_ENOMEM, "%zu files of mosaics", capacity);
        print->windows = windows;
        print->capacity = capacity;
    }
    print->windows[print->n++] = window;
    return C3D_OK;
}

bool c3d_footprint_touches(const c3d_footprint *print, int x, int y, int size)
{
    for (size_t i = 0; i < print->n; i++) {
        const c3d_window *w = &print->windows[i];
        if (x < w->x + w->width && w->x < x + size && y < w->y + w->height && w->y < y + size)
            return true;
    }
    return false;
}

void c3d_footprint_free(c3d_footprint *print)
{
    free(print->windows);
    *print = (c3d_footprint){ 0 };
}

static c3d_status note_files(const c3d_source *source, c3d_footprint *print)
{
    for (int m = 0; m < source->n_months; m++) {
        const c3d_source_month *month = &source->months[m];

        for (int p = 0; p < month->n_parts; p++)
            for (int f = 0; f < c3d_raster_n_files(month->parts[p].raster); f++)
                C3D_TRY(footprint_add(print, c3d_raster_file_window(month->parts[p].raster, f)));
    }
    return C3D_OK;
}

/* Moves the first file's grid so that all places are on it. */
static c3d_status hold_all(const c3d_source *source, c3d_frames *frames, c3d_footprint *print)
{
    double *t = frames->transform;
    long long left = print->windows[0].x, top = print->windows[0].y, right = left, bottom = top;

    for (size_t i = 0; i < print->n; i++) {
        const c3d_window *w = &print->windows[i];

        if (w->x < left) left = w->x;
        if (w->y < top) top = w->y;
        if ((long long)w->x + w->width > right) right = (long long)w->x + w->width;
        if ((long long)w->y + w->height > bottom) bottom = (long long)w->y + w->height;
    }
    if (right - left > INT32_MAX || bottom - top > INT32_MAX)
        return C3D_FAIL(C3D_EDATA,
                        "%s: the archive spans %lld x %lld pixels of this file; are all files of "
                        "one region?",
                        source->first, right - left, bottom - top);
    for (size_t i = 0; i < print->n; i++) {
        print->windows[i].x -= (int)left;
        print->windows[i].y -= (int)top;
    }
    t[0] += (double)left * t[1] + (double)top * t[2];
    t[3] += (double)left * t[4] + (double)top * t[5];
    frames->width_px = (int)(right - left);
    frames->height_px = (int)(bottom - top);
    return C3D_OK;
}

static c3d_status take_first_grid(const char *path, c3d_frames *frames)
{
    c3d_raster *first;

    C3D_TRY(c3d_raster_open(path, &first));
    const c3d_raster_info *info = c3d_raster_get_info(first);
    frames->crs_wkt = c3d_strdup(info->crs_wkt);
    memcpy(frames->transform, info->transform, sizeof frames->transform);
    frames->width_px = info->width_px;
    frames->height_px = info->height_px;
    c3d_raster_close(first);
    return C3D_OK;
}

c3d_status c3d_frames_take_grid(const c3d_dataset_desc *desc, const c3d_archive *archive,
                                c3d_frames *frames, c3d_footprint *print)
{
    c3d_source source = { 0 };
    const char *path;
    c3d_status st;

    C3D_TRY(c3d_source_first_file(desc, archive, &path));
    C3D_TRY(take_first_grid(path, frames));
    C3D_TRY(c3d_source_open(desc, archive, frames, &source));
    st = note_files(&source, print);
    if (st == C3D_OK && print->n == 0)
        st = C3D_FAIL(C3D_EDATA, "%s: no date has all bands", desc->mosaics);
    if (st == C3D_OK) st = hold_all(&source, frames, print);
    c3d_source_close(&source);
    return st;
}
