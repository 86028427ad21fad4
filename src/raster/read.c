#include "gdal.h"
#include "valid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- one file: windows in the file's own pixels ---------------------------------------------- */

static c3d_status read_values(GDALDatasetH dataset, const raster_file *file, c3d_window window,
                              const file_request *want, void *to)
{
    const GSpacing size = (GSpacing)c3d_dtype_size(want->dtype);
    int numbers[C3D_MAX_BANDS];

    memcpy(numbers, want->bands, sizeof *numbers * (size_t)want->n_bands);
    c3d_gdal_clear();
    if (GDALDatasetRasterIOEx(dataset, GF_Read, window.x, window.y, window.width, window.height, to,
                              window.width, window.height, c3d_gdal_type_of(want->dtype),
                              want->n_bands, numbers, size, size * window.width,
                              size * window.width * window.height, NULL) != CE_None)
        return C3D_FAIL(C3D_EDATA, "%s: columns %d to %d, rows %d to %d could not be read: %s",
                        file->path, window.x, window.x + window.width - 1, window.y,
                        window.y + window.height - 1, c3d_gdal_said());
    return C3D_OK;
}

/* Tags are compared in the file's own type, so values of another are read once more. */
static c3d_status read_valid(GDALDatasetH dataset, const raster_file *file, c3d_window window,
                             const file_request *want, const void *values, uint8_t *valid)
{
    const size_t n = (size_t)window.width * (size_t)window.height;
    file_request own = *want;
    void *native = NULL;
    c3d_status st = C3D_OK;

    if (!c3d_valid_needs_values(file, want)) {
        values = NULL;
    } else if (values == NULL || want->dtype != file->dtype) {
        own.dtype = file->dtype;
        native = malloc(n * (size_t)want->n_bands * c3d_dtype_size(file->dtype));
        if (native == NULL) return C3D_FAIL(C3D_ENOMEM, "%s: %zu pixels", file->path, n);
        st = read_values(dataset, file, window, &own, native);
        values = native;
    }
    if (st == C3D_OK) {
        c3d_valid_from_values(file, want, values, n, valid);
        st = c3d_valid_from_masks(dataset, file, window, valid);
    }
    free(native);
    return st;
}

c3d_status c3d_raster_file_read(c3d_raster *raster, raster_file *file, c3d_window window,
                                const file_request *want, void *values, uint8_t *valid)
{
    GDALDatasetH dataset;

    C3D_TRY(c3d_raster_file_use(raster, file, &dataset));
    if (values != NULL) C3D_TRY(read_values(dataset, file, window, want, values));
    if (valid == NULL) return C3D_OK;
    return read_valid(dataset, file, window, want, values, valid);
}

/* ---- the mosaic ------------------------------------------------------------------------------ */

static bool intersect(const c3d_window *a, const c3d_window *b, c3d_window *out)
{
    const int left = a->x > b->x ? a->x : b->x, top = a->y > b->y ? a->y : b->y;
    const int right = a->x + a->width < b->x + b->width ? a->x + a->width : b->x + b->width;
    const int bottom = a->y + a->height < b->y + b->height ? a->y + a->height : b->y + b->height;

    if (right <= left || bottom <= top) return false;
    *out = (c3d_window){ left, top, right - left, bottom - top };
    return true;
}

/* What is read, and to where: values [band, y, x] and valid [y, x]; either may be NULL. */
typedef struct request {
    c3d_pixels_wanted of;
    char *values;
    uint8_t *valid;
} request;

static file_request in_file(const raster_file *file, const request *want, int bands[C3D_MAX_BANDS])
{
    for (int b = 0; b < want->of.n_bands; b++) bands[b] = file->bands[want->of.bands[b] - 1];
    return (file_request){ bands, want->of.n_bands, want->of.dtype, want->of.zero_is_invalid };
}

static c3d_window in_pixels_of(const raster_file *file, c3d_window window)
{
    return (c3d_window){ window.x - file->place.x, window.y - file->place.y, window.width,
                         window.height };
}

/* A window of the grid, within the file's place. */
static c3d_status fetch(c3d_raster *raster, raster_file *file, const request *want,
                        c3d_window window, void *values, uint8_t *valid)
{
    int bands[C3D_MAX_BANDS];
    const file_request of = in_file(file, want, bands);

    if (file->warp != NULL)
        return c3d_raster_file_resample(raster, file, window, &of, values, valid);
    return c3d_raster_file_read(raster, file, in_pixels_of(file, window), &of, values, valid);
}

/* Where files overlap, a pixel is taken from the last file that has data there in all its bands;
 * so which file it is depends on the place alone, not on the bands asked for. */
static c3d_status choose_pixels(c3d_raster *raster, raster_file *file, c3d_window window,
                                uint8_t *choice)
{
    int bands[C3D_MAX_BANDS], n_bands = 0;
    request want = { .of = { .bands = bands, .zero_is_invalid = true } };

    for (int b = 1; b <= raster->info.n_bands; b++)
        if (file->bands[b - 1] != file->alpha_band) bands[n_bands++] = b;
    want.of.n_bands = n_bands;
    want.of.dtype = raster->info.dtype;
    return fetch(raster, file, &want, window, NULL, choice);
}

/* Whether validity as asked for is the choice: all bands are. */
static bool is_choice(const c3d_raster *raster, const request *want)
{
    if (want->valid == NULL || !want->of.zero_is_invalid) return false;
    if (want->of.n_bands != raster->info.n_bands || raster->info.alpha_band != 0) return false;
    for (int b = 0; b < want->of.n_bands; b++)
        if (want->of.bands[b] != b + 1) return false;
    return true;
}

/* Copies part (of size bytes a pixel) to its place in a plane of the request; choice NULL: all
 * pixels. */
static void paint(const request *want, c3d_window part_window, const char *part, size_t size,
                  char *to, const uint8_t *choice, const uint8_t *painted)
{
    const size_t width = (size_t)part_window.width, to_width = (size_t)want->of.window.width;
    const size_t x0 = (size_t)(part_window.x - want->of.window.x);
    const size_t y0 = (size_t)(part_window.y - want->of.window.y);

    for (size_t y = 0; y < (size_t)part_window.height; y++) {
        const char *from = part + y * width * size;
        const size_t at = (y0 + y) * to_width + x0;

        if (choice == NULL) {
            memcpy(to + at * size, from, width * size);
            continue;
        }
        for (size_t x = 0; x < width; x++)
            if (choice[y * width + x] || !painted[at + x])
                memcpy(to + (at + x) * size, from + x * size, size);
    }
}

/* A file's part of a request, in memory. */
typedef struct file_part {
    c3d_window window;
    char *values;
    uint8_t *valid, *choice;
} file_part;

static void paint_part(const request *want, const file_part *part, uint8_t *painted)
{
    const size_t size = c3d_dtype_size(want->of.dtype);
    const size_t n_part = (size_t)part->window.width * (size_t)part->window.height;
    const size_t n_to = (size_t)want->of.window.width * (size_t)want->of.window.height;

    for (int b = 0; want->values != NULL && b < want->of.n_bands; b++)
        paint(want, part->window, part->values + (size_t)b * n_part * size, size,
              want->values + (size_t)b * n_to * size, part->choice, painted);
    if (want->valid != NULL)
        paint(want, part->window, (const char *)part->valid, 1, (char *)want->valid, part->choice,
              painted);
    if (part->choice == NULL) return;
    for (size_t y = 0; y < (size_t)part->window.height; y++)
        memset(painted +
                   ((size_t)(part->window.y - want->of.window.y) + y) *
                       (size_t)want->of.window.width +
                   (size_t)(part->window.x - want->of.window.x),
               1, (size_t)part->window.width);
}

static c3d_status read_part(c3d_raster *raster, raster_file *file, const request *want,
                            c3d_window window, uint8_t *painted)
{
    const size_t n = (size_t)window.width * (size_t)window.height;
    const size_t bytes = c3d_dtype_size(want->of.dtype) * (size_t)want->of.n_bands;
    file_part part = { .window = window };
    c3d_status st = C3D_OK;

    if (want->values != NULL) part.values = malloc(n * bytes);
    if (want->valid != NULL) part.valid = malloc(n);
    if (raster->overlapping) part.choice = malloc(n);
    if ((want->values != NULL && part.values == NULL) ||
        (want->valid != NULL && part.valid == NULL) || (raster->overlapping && part.choice == NULL))
        C3D_TRY_TO(done, C3D_FAIL(C3D_ENOMEM, "%s: %zu pixels", file->path, n));
    C3D_TRY_TO(done, fetch(raster, file, want, window, part.values, part.valid));
    if (raster->overlapping && is_choice(raster, want))
        for (size_t i = 0; part.valid && part.choice && i < n; i++) part.choice[i] = part.valid[i];
    else if (raster->overlapping)
        C3D_TRY_TO(done, choose_pixels(raster, file, window, part.choice));
    paint_part(want, &part, painted);
done:
    free(part.values);
    free(part.valid);
    free(part.choice);
    return st;
}

static c3d_status check_request(const c3d_raster *raster, const c3d_pixels_wanted *want)
{
    const c3d_window w = want->window;
    const c3d_raster_info *info = &raster->info;

    if (w.x < 0 || w.y < 0 || w.width < 1 || w.height < 1 || w.width > info->width_px - w.x ||
        w.height > info->height_px - w.y)
        return C3D_FAIL(C3D_EINVAL, "%s: window %d,%d of %d x %d px is outside its %d x %d px",
                        c3d_raster_path(raster), w.x, w.y, w.width, w.height, info->width_px,
                        info->height_px);
    if (want->n_bands < 1 || want->n_bands > C3D_MAX_BANDS)
        return C3D_FAIL(C3D_EINVAL, "%s: %d bands asked for", c3d_raster_path(raster),
                        want->n_bands);
    for (int b = 0; b < want->n_bands; b++)
        if (want->bands[b] < 1 || want->bands[b] > info->n_bands)
            return C3D_FAIL(C3D_EDATA, "%s: no band %d, it has %d", c3d_raster_path(raster),
                            want->bands[b], info->n_bands);
    return C3D_OK;
}

static bool covers(const c3d_window *place, const c3d_window *window)
{
    return place->x <= window->x && place->y <= window->y &&
           place->x + place->width >= window->x + window->width &&
           place->y + place->height >= window->y + window->height;
}

static c3d_status read_mosaic(c3d_raster *raster, const request *want)
{
    const c3d_window *window = &want->of.window;
    const size_t n = (size_t)window->width * (size_t)window->height;
    const size_t size = c3d_dtype_size(want->of.dtype) * (size_t)want->of.n_bands;
    uint8_t *painted = NULL;
    c3d_status st = C3D_OK;

    if (!raster->overlapping)
        for (int i = 0; i < raster->n_files; i++)
            if (covers(&raster->files[i].place, window))
                return fetch(raster, &raster->files[i], want, *window, want->values, want->valid);
    if (want->values != NULL) memset(want->values, 0, n * size);
    if (want->valid != NULL) memset(want->valid, 0, n);
    if (raster->overlapping) {
        painted = c3d_calloc(n, 1);
        if (painted == NULL) return C3D_ENOMEM;
    }
    for (int i = 0; i < raster->n_files && st == C3D_OK; i++) {
        c3d_window part;

        if (intersect(window, &raster->files[i].place, &part))
            st = read_part(raster, &raster->files[i], want, part, painted);
    }
    free(painted);
    return st;
}

c3d_status c3d_raster_read_both(c3d_raster *raster, const c3d_pixels_wanted *want, void *values,
                                uint8_t *valid)
{
    const request all = { *want, values, valid };

    C3D_TRY(check_request(raster, want));
    return read_mosaic(raster, &all);
}

c3d_status c3d_raster_read(c3d_raster *raster, c3d_window window, const int *bands, int n_bands,
                           c3d_dtype dtype, void *to)
{
    const c3d_pixels_wanted want = {
        .window = window, .bands = bands, .n_bands = n_bands, .dtype = dtype
    };

    return c3d_raster_read_both(raster, &want, to, NULL);
}

c3d_status c3d_raster_read_valid(c3d_raster *raster, c3d_window window, const int *bands,
                                 int n_bands, bool zero_is_invalid, uint8_t *to)
{
    const c3d_pixels_wanted want = { .window = window,
                                     .bands = bands,
                                     .n_bands = n_bands,
                                     .dtype = raster->info.dtype,
                                     .zero_is_invalid = zero_is_invalid };

    return c3d_raster_read_both(raster, &want, NULL, to);
}
