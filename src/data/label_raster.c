#include "label_raster.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- codes to classes ------------------------------------------------------------------------ */

static c3d_status check_ranges(const char *key, const c3d_label_class *class)
{
    if (class->n_texts > 0)
        return C3D_FAIL(C3D_ECONFIG, "%s: %s: \"%s\" is no code; a class raster has numbers only",
                        key, class->name, class->texts[0]);
    for (int r = 0; r < class->n_ranges; r++) {
        const int *range = class->ranges[r];

        if (range[0] < 0 || range[1] >= LABEL_CODES_MAX || range[0] > range[1])
            return C3D_FAIL(C3D_ECONFIG, "%s: %s: codes %d to %d, expected 0 to %d", key,
                            class->name, range[0], range[1], LABEL_CODES_MAX - 1);
    }
    return C3D_OK;
}

static c3d_status mark_hard(const c3d_dataset_desc *desc, label_legend *legend)
{
    for (int c = 0; c < desc->n_hard; c++) {
        C3D_TRY(check_ranges("data.hard_negatives", &desc->hard[c]));
        for (int r = 0; r < desc->hard[c].n_ranges; r++)
            for (int code = desc->hard[c].ranges[r][0]; code <= desc->hard[c].ranges[r][1]; code++)
                legend->is_hard[code] = true;
    }
    return C3D_OK;
}

c3d_status c3d_label_legend_make(const c3d_dataset_desc *desc, label_legend *legend)
{
    for (int code = 0; code < LABEL_CODES_MAX; code++) legend->class_of[code] = -1;
    for (int c = 0; c < desc->n_classes; c++) {
        C3D_TRY(check_ranges("data.label_classes", &desc->classes[c]));
        for (int r = 0; r < desc->classes[c].n_ranges; r++) {
            const int *range = desc->classes[c].ranges[r];

            for (int code = range[0]; code <= range[1]; code++) {
                const int other = legend->class_of[code];

                if (other >= 0 && other != c)
                    return C3D_FAIL(C3D_ECONFIG, "data.label_classes: code %d is in %s and in %s",
                                    code, desc->classes[other].name, desc->classes[c].name);
                legend->class_of[code] = (int16_t)c;
            }
        }
    }
    return mark_hard(desc, legend);
}

static int code_of(double value)
{
    return value >= 0 && value < LABEL_CODES_MAX && value == rint(value) ? (int)value : -1;
}

/* ---- a raster -------------------------------------------------------------------------------- */

static bool is_picture(const c3d_raster_info *info)
{
    bool has_red = false, has_blue = false;

    for (int b = 0; b < info->n_bands; b++) {
        has_red |= strcmp(info->band_names[b], "red") == 0;
        has_blue |= strcmp(info->band_names[b], "blue") == 0;
    }
    return info->n_bands >= 3 && has_red && has_blue;
}

static c3d_status check_layer(const c3d_frames *frames, label_layer *layer)
{
    const double all[4] = { 0, 0, frames->width_px, frames->height_px };
    const c3d_raster_info *info = c3d_raster_get_info(layer->raster);
    const char *path = c3d_raster_path(layer->raster);
    const label_grid *grid = &layer->grid;
    double bounds[4];
    char hint[160];

    if (is_picture(info))
        return C3D_FAIL(C3D_EDATA,
                        "%s: a picture of %d bands (red, green, blue), expected one band of class "
                        "codes",
                        path, info->n_bands);
    if (info->n_bands > 1)
        c3d_log_warn("%s: %d bands; the first (%s) is taken for the class codes", path,
                     info->n_bands, info->band_names[0][0] ? info->band_names[0] : "unnamed");
    if (c3d_label_bounds(&layer->grid, all, bounds) != C3D_OK)
        return C3D_FAIL(C3D_EDATA,
                        "%s: the imagery has no place in the label raster's reference system; is "
                        "it of another region?",
                        path);
    if (bounds[2] > 0 && bounds[3] > 0 && bounds[0] < grid->width_px && bounds[1] < grid->height_px)
        return C3D_OK;
    c3d_label_place_hint(frames, layer->raster, hint);
    return C3D_FAIL(C3D_EDATA,
                    "%s: does not overlap the imagery, which would lie in its columns %.0f to %.0f "
                    "(it has %d) and rows %.0f to %.0f (it has %d)%s",
                    path, bounds[0], bounds[2], grid->width_px, bounds[1], bounds[3],
                    grid->height_px, hint);
}

static c3d_status find_product(const c3d_archive_month *year, const label_product **out)
{
    *out = c3d_label_product_find(year->files[0]);
    for (int f = 1; f < year->n_files; f++)
        if (c3d_label_product_find(year->files[f]) != *out)
            return C3D_FAIL(C3D_EDATA,
                            "%s: by its name not of the same product as %s, of the same year",
                            year->files[f], year->files[0]);
    return C3D_OK;
}

c3d_status c3d_label_layer_open(const c3d_frames *frames, const c3d_archive_month *year,
                                const label_legend *legend, label_layer *layer)
{
    const c3d_raster_info *info;
    bool is_marked;

    C3D_TRY(
        c3d_raster_open_mosaic((const char *const *)year->files, year->n_files, &layer->raster));
    info = c3d_raster_get_info(layer->raster);
    C3D_TRY(c3d_label_grid_open(frames, layer->raster, &layer->grid));
    C3D_TRY(check_layer(frames, layer));
    C3D_TRY(find_product(year, &layer->product));
    is_marked = info->has_nodata[0] || info->alpha_band != 0;
    layer->zero_unseen = !is_marked;
    layer->old_unseen = !is_marked && info->dtype == C3D_U8;
    if (layer->product) {
        layer->zero_unseen = !layer->product->zero_is_seen;
        layer->old_unseen = layer->product->has_code_27;
    }
    layer->zero_unseen &= legend->class_of[0] < 0;
    layer->old_unseen &= legend->class_of[27] < 0;
    return C3D_OK;
}

void c3d_label_layer_close(label_layer *layer)
{
    c3d_raster_close(layer->raster);
    c3d_label_grid_close(&layer->grid);
    free(layer->codes);
    free(layer->valid);
}

static c3d_status layer_read(label_layer *layer, c3d_window window)
{
    const size_t n = (size_t)window.width * (size_t)window.height;
    const int band = 1;

    if (n > layer->capacity) {
        free(layer->codes);
        free(layer->valid);
        layer->capacity = 0;
        layer->codes = c3d_calloc(n, sizeof *layer->codes);
        layer->valid = c3d_calloc(n, 1);
        if (layer->codes == NULL || layer->valid == NULL) return C3D_ENOMEM;
        layer->capacity = n;
    }
    C3D_TRY(c3d_raster_read(layer->raster, window, &band, 1, C3D_F64, layer->codes));
    return c3d_raster_read_valid(layer->raster, window, &band, 1, false, layer->valid);
}

static void report_code(label_report *report, double value, int code, double area)
{
    if (code >= 0) {
        report->code_area[code] += area;
    } else {
        report->other_area += area;
        report->example = value;
    }
}

c3d_status c3d_label_layer_add_up(label_layer *layer, const coverage *cover,
                                  const label_legend *legend, label_sums *sums,
                                  label_report *report)
{
    const int n = cover->window.width * cover->window.height;

    if (n == 0) return C3D_OK;
    C3D_TRY(layer_read(layer, cover->window));
    for (int i = 0; i < n; i++) {
        const double area = cover->area[i];
        const int code = code_of(layer->codes[i]);

        if (area <= 0 || !layer->valid[i]) continue;
        report_code(report, layer->codes[i], code, area);
        if (code == 0 && layer->zero_unseen) report->zero_unseen += area;
        if ((code == 0 && layer->zero_unseen) || (code == 27 && layer->old_unseen)) continue;
        *sums->observed += area;
        if (code < 0) continue;
        if (legend->class_of[code] >= 0) sums->shares[legend->class_of[code]] += area;
        if (legend->is_hard[code]) *sums->hard += area;
    }
    return C3D_OK;
}

bool c3d_label_layer_is_aligned(const label_layer *a, const label_layer *b)
{
    bool same = a->grid.width_px == b->grid.width_px && a->grid.height_px == b->grid.height_px;

    for (int i = 0; i < 6; i++) same = same && a->grid.label_t[i] == b->grid.label_t[i];
    return same && strcmp(c3d_raster_get_info(a->raster)->crs_wkt,
                          c3d_raster_get_info(b->raster)->crs_wkt) == 0;
}
