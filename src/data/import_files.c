/* A look into every file of a list: is it like the first, and are the windows in it? */
#include "frames.h"
#include "import.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct looker {
    const c3d_dataset_desc *desc;
    const import_list *list;
    import_mistakes *mistakes;
    import_scenes *scenes;
    size_t *order; /* [n_pieces] by source */
    c3d_transformer *to_degrees;
    char *crs_wkt; /* that it is from */
} looker;

/* ---- bands, type, dates ---------------------------------------------------------------------- */

static c3d_status take_first(looker *l, const c3d_raster_info *info, const import_bands *bands)
{
    import_scenes *scenes = l->scenes;
    const bool is_stack = l->desc->list->stack != C3D_STACK_NONE;

    scenes->dtype = info->dtype;
    scenes->n_bands = bands->n_bands;
    scenes->bands = c3d_calloc((size_t)bands->n_bands, sizeof *scenes->bands);
    if (!scenes->bands) return C3D_ENOMEM;
    memcpy(scenes->bands, bands->names, (size_t)bands->n_bands * sizeof *scenes->bands);
    if (!is_stack) return C3D_OK;
    scenes->n_months = bands->n_dates;
    scenes->months = c3d_calloc((size_t)bands->n_dates, sizeof *scenes->months);
    if (!scenes->months) return C3D_ENOMEM;
    memcpy(scenes->months, bands->dates, (size_t)bands->n_dates * sizeof *scenes->months);
    return C3D_OK;
}

/* What differs from the first file, in words; false: nothing. */
static bool differs(const looker *l, const c3d_raster_info *info, const import_bands *bands,
                    char why[160])
{
    const import_scenes *scenes = l->scenes;
    bool is_other = false;

    if (info->dtype != scenes->dtype || bands->n_bands != scenes->n_bands) {
        (void)snprintf(why, 160, "%d bands of %s, the first file has %d of %s", bands->n_bands,
                       c3d_dtype_name(info->dtype), scenes->n_bands, c3d_dtype_name(scenes->dtype));
        return true;
    }
    for (int i = 0; i < bands->n_bands; i++) {
        if (strcmp(bands->names[i], scenes->bands[i]) == 0) continue;
        (void)snprintf(why, 160, "band %d is %.40s, in the first file it is %.40s; say data.bands",
                       i + 1, bands->names[i], scenes->bands[i]);
        return true;
    }
    if (l->desc->list->stack == C3D_STACK_NONE) return false;
    is_other = bands->n_dates != scenes->n_months;
    for (int i = 0; !is_other && i < bands->n_dates; i++)
        is_other = bands->dates[i] != scenes->months[i];
    if (is_other) (void)snprintf(why, 160, "other dates than in the first file");
    return is_other;
}

/* ---- windows --------------------------------------------------------------------------------- */

/* A frame's size, when nobody said it, is that of the first scene. */
static int choose_size(const looker *l, const c3d_raster_info *info)
{
    const import_row *row = &l->list->rows[0];
    int width = info->width_px, height = info->height_px;

    if (l->desc->frame_size_px > 0) return l->desc->frame_size_px;
    if (row->has_window && row->window.width > 0) {
        width = row->window.width;
        height = row->window.height;
    }
    return width < height ? width : height;
}

static void place_piece(looker *l, import_piece *piece, const c3d_raster_info *info)
{
    const import_row *row = &l->list->rows[piece->row];
    const int size = l->scenes->size_px;
    c3d_window w = { 0, 0, info->width_px, info->height_px };

    if (row->is_wrong) return;
    if (row->has_window) w = row->window;
    if (w.width == 0) w.width = w.height = size;
    if (w.width > info->width_px - w.x || w.height > info->height_px - w.y) {
        c3d_import_mistake(l->mistakes, row->line,
                           "window %d, %d of %d x %d px is outside the %d x %d px of %.140s", w.x,
                           w.y, w.width, w.height, info->width_px, info->height_px, row->path);
        return;
    }
    const bool fits = w.width == size && w.height == size;
    if (!fits && (!l->desc->list->crop || w.width < size || w.height < size)) {
        c3d_import_mistake(
            l->mistakes, row->line, "%d x %d px, expected %d x %d (data.frame_size_px)%s", w.width,
            w.height, size, size,
            w.width < size || w.height < size ? "" : "; data.list.crop: true cuts the middle out");
        return;
    }
    piece->x = w.x + (w.width - size) / 2;
    piece->y = w.y + (w.height - size) / 2;
}

/* ---- places ---------------------------------------------------------------------------------- */

static c3d_status use_crs(looker *l, const char *wkt)
{
    if (l->to_degrees && strcmp(l->crs_wkt, wkt) == 0) return C3D_OK;
    c3d_transformer_destroy(l->to_degrees);
    l->to_degrees = NULL;
    free(l->crs_wkt);
    l->crs_wkt = c3d_strdup(wkt);
    return c3d_transformer_create(wkt, "EPSG:4326", &l->to_degrees);
}

static double pixel_of(const c3d_raster_info *info)
{
    const double metre = c3d_crs_metre(info->crs_wkt);
    const double *t = info->transform;

    return hypot(t[2], t[5]) * (metre > 0 ? metre : C3D_DEGREE_M);
}

/* The list's word goes before the file's. */
static c3d_status find_place(looker *l, const import_piece *piece, const c3d_raster_info *info)
{
    const import_row *row = &l->list->rows[piece->row];
    const double *t = info->transform, half = l->scenes->size_px / 2.0;
    double u = piece->x + half, v = piece->y + half;
    double *lon = &l->scenes->lon[piece->scene], *lat = &l->scenes->lat[piece->scene];

    if (!isnan(*lon)) return C3D_OK;
    *lon = row->lon;
    *lat = row->lat;
    if (!isnan(*lon) || !info->crs_wkt[0]) return C3D_OK;
    if (l->scenes->pixel_m <= 0) l->scenes->pixel_m = pixel_of(info);
    C3D_TRY(use_crs(l, info->crs_wkt));
    *lon = t[0] + u * t[1] + v * t[2];
    *lat = t[3] + u * t[4] + v * t[5];
    if (c3d_transformer_apply(l->to_degrees, 1, lon, lat) == C3D_OK) return C3D_OK;
    *lon = *lat = (double)NAN;
    return C3D_OK;
}

/* ---- a file ---------------------------------------------------------------------------------- */

static c3d_status look_at(looker *l, const c3d_raster_info *info, const size_t *pieces, size_t n)
{
    import_scenes *scenes = l->scenes;
    const size_t line = l->list->rows[scenes->pieces[pieces[0]].row].line;
    import_bands bands;
    char why[160];
    c3d_status st = c3d_import_bands_of(l->desc, info, &bands);

    if (st == C3D_EDATA) {
        c3d_import_mistake(l->mistakes, line, "%s", c3d_error_last()->message);
        return C3D_OK;
    }
    if (st == C3D_OK && scenes->n_bands == 0) st = take_first(l, info, &bands);
    if (st != C3D_OK) return st;
    const bool is_other = differs(l, info, &bands, why);
    c3d_import_bands_free(&bands);
    if (is_other || info->has_palette || info->dtype == C3D_I64 || info->dtype == C3D_U64) {
        c3d_import_mistake(l->mistakes, line, "%s",
                           is_other            ? why
                           : info->has_palette ? "its pixels are numbers of a palette's colours; "
                                                 "gdal_translate -expand rgb makes colours of them"
                                               : "64-bit integers; convert them to float32");
        return C3D_OK;
    }
    if (scenes->size_px == 0) scenes->size_px = choose_size(l, info);
    if (info->width_px > scenes->width_px) scenes->width_px = info->width_px;
    if (info->height_px > scenes->height_px) scenes->height_px = info->height_px;
    for (size_t i = 0; i < n; i++) place_piece(l, &scenes->pieces[pieces[i]], info);
    for (size_t i = 0; st == C3D_OK && i < n; i++)
        st = find_place(l, &scenes->pieces[pieces[i]], info);
    return st;
}

static c3d_status open_and_look(looker *l, const size_t *pieces, size_t n)
{
    const import_row *row = &l->list->rows[l->scenes->pieces[pieces[0]].row];
    c3d_raster *raster;
    c3d_status st;

    if (!row->path[0]) return C3D_OK; /* told already */
    st = c3d_raster_open(row->path, &raster);
    if (st == C3D_EIO || st == C3D_EDATA) {
        c3d_import_mistake(l->mistakes, row->line, "%s", c3d_error_last()->message);
        return C3D_OK;
    }
    if (st == C3D_OK) {
        st = look_at(l, c3d_raster_get_info(raster), pieces, n);
        c3d_raster_close(raster);
    }
    if (st != C3D_EDATA) return st;
    c3d_import_mistake(l->mistakes, row->line, "%.120s: %s", row->path, c3d_error_last()->message);
    return C3D_OK;
}

/* ---- all files ------------------------------------------------------------------------------- */

static c3d_status order_pieces(looker *l, size_t **first_out)
{
    const import_scenes *scenes = l->scenes;
    const size_t n = (size_t)scenes->n_sources;
    size_t *first = c3d_calloc(n + 2, sizeof *first);

    l->order = c3d_calloc(scenes->n_pieces + 1, sizeof *l->order);
    if (!first || !l->order) {
        free(first);
        return C3D_ENOMEM;
    }
    /* first[s + 1] moves from the begin of source s to its end, which is the begin of the next */
    for (size_t i = 0; i < scenes->n_pieces; i++) first[scenes->pieces[i].source + 1]++;
    for (size_t s = 1; s <= n; s++) first[s + 1] += first[s];
    for (size_t i = 0; i < scenes->n_pieces; i++) l->order[first[scenes->pieces[i].source]++] = i;
    *first_out = first;
    return C3D_OK;
}

static c3d_status look_at_all(looker *l, const size_t *first)
{
    const import_scenes *scenes = l->scenes;
    c3d_progress progress;
    c3d_status st = C3D_OK;

    c3d_progress_begin(&progress, "looking into files", scenes->n_sources, "files");
    for (int s = 0; st == C3D_OK && s < scenes->n_sources; s++) {
        if (c3d_stop_requested()) st = C3D_FAIL(C3D_ESTOPPED, "stopped after %d files", s);
        if (st == C3D_OK) st = open_and_look(l, l->order + first[s], first[s + 1] - first[s]);
        c3d_progress_update(&progress, s + 1);
        c3d_phase_tick();
    }
    c3d_progress_end(&progress);
    return st;
}

c3d_status c3d_import_files_look(const c3d_dataset_desc *desc, const import_list *list,
                                 import_mistakes *mistakes, import_scenes *scenes)
{
    looker l = { .desc = desc, .list = list, .mistakes = mistakes, .scenes = scenes };
    size_t *first = NULL;
    c3d_status st;

    scenes->lon = c3d_calloc(scenes->n + 1, sizeof *scenes->lon);
    scenes->lat = c3d_calloc(scenes->n + 1, sizeof *scenes->lat);
    if (!scenes->lon || !scenes->lat) return C3D_ENOMEM;
    for (size_t s = 0; s < scenes->n; s++) scenes->lon[s] = scenes->lat[s] = (double)NAN;
    if (desc->list->pixel_m > 0) scenes->pixel_m = desc->list->pixel_m;
    st = order_pieces(&l, &first);
    if (st == C3D_OK) st = look_at_all(&l, first);
    c3d_transformer_destroy(l.to_degrees);
    free(l.crs_wkt);
    free(l.order);
    free(first);
    return st;
}
