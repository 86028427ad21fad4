#include "source.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- bands ----------------------------------------------------------------------------------- */

static int find_band(const c3d_raster_info *info, const char *wanted)
{
    long long number;

    for (int i = 0; i < info->n_bands; i++)
        if (strcasecmp(info->band_names[i], wanted) == 0) return i + 1;
    if (c3d_parse_int(wanted, &number) && number >= 1 && number <= info->n_bands)
        return (int)number;
    return 0;
}

static c3d_status no_such_band(const c3d_raster *raster, const char *wanted)
{
    const c3d_raster_info *info = c3d_raster_get_info(raster);
    c3d_text names = { 0 };

    for (int i = 0; i < info->n_bands; i++)
        c3d_text_add(&names, "%s%s", i ? ", " : "",
                     info->band_names[i][0] ? info->band_names[i] : "unnamed");
    const c3d_status st = C3D_FAIL(C3D_EDATA, "%s: no band %s: it has %d (%s)",
                                   c3d_raster_path(raster), wanted, info->n_bands, names.text);
    c3d_text_free(&names);
    return st;
}

/* All bands but alpha. */
static int take_all_bands(const c3d_raster_info *info, int bands[C3D_MAX_BANDS])
{
    int n = 0;

    for (int i = 1; i <= info->n_bands && n < C3D_MAX_BANDS; i++)
        if (i != info->alpha_band) bands[n++] = i;
    return n;
}

static c3d_status resolve_bands(const c3d_dataset_desc *desc, c3d_source_month *month, int *n_out)
{
    const c3d_raster_info *info = c3d_raster_get_info(month->raster);

    if (desc->n_bands == 0) {
        *n_out = take_all_bands(info, month->bands);
        return C3D_OK;
    }
    if (desc->n_bands > C3D_MAX_BANDS)
        return C3D_FAIL(C3D_ECONFIG, "data.bands: %d bands, at most %d", desc->n_bands,
                        C3D_MAX_BANDS);
    for (int i = 0; i < desc->n_bands; i++) {
        month->bands[i] = find_band(info, desc->bands[i]);
        if (month->bands[i] == 0) return no_such_band(month->raster, desc->bands[i]);
    }
    *n_out = desc->n_bands;
    return C3D_OK;
}

static bool is_name_taken(const c3d_source *source, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(source->band_names[i], name) == 0) return true;
    return false;
}

static void name_bands(c3d_source *source, const c3d_source_month *from)
{
    const c3d_raster_info *info = c3d_raster_get_info(from->raster);

    for (int i = 0; i < source->n_bands; i++) {
        const char *name = info->band_names[from->bands[i] - 1];
        char *to = source->band_names[i];
        if (name[0] && !is_name_taken(source, i, name))
            memcpy(to, name, sizeof source->band_names[i]);
        else
            snprintf(to, sizeof source->band_names[i], "band%d", from->bands[i]);
    }
}

/* ---- open ------------------------------------------------------------------------------------ */

static c3d_status open_month(const c3d_archive_month *from, const c3d_grid *grid,
                             c3d_source_month *month)
{
    month->date = from->date;
    if (from->n_files == 0) return C3D_OK;
    return c3d_raster_open_on_grid((const char *const *)from->files, from->n_files, grid,
                                   &month->raster);
}

static c3d_status fit_month(const c3d_dataset_desc *desc, c3d_source_month *month,
                            c3d_source *source)
{
    const c3d_raster_info *info = c3d_raster_get_info(month->raster);
    const char *path = c3d_raster_path(month->raster);
    int n_bands = 0;

    C3D_TRY(resolve_bands(desc, month, &n_bands));
    if (source->n_bands == 0) {
        if (info->dtype == C3D_I64 || info->dtype == C3D_U64)
            return C3D_FAIL(C3D_EDATA, "%s: %s pixels; convert it to at most 32 bits or to float",
                            path, c3d_dtype_name(info->dtype));
        source->n_bands = n_bands;
        source->dtype = info->dtype;
        name_bands(source, month);
    }
    if (n_bands != source->n_bands)
        return C3D_FAIL(C3D_EDATA, "%s: %d bands, earlier months have %d", path, n_bands,
                        source->n_bands);
    if (info->dtype != source->dtype)
        return C3D_FAIL(C3D_EDATA, "%s: %s pixels, earlier months have %s", path,
                        c3d_dtype_name(info->dtype), c3d_dtype_name(source->dtype));
    return C3D_OK;
}

c3d_status c3d_source_open(const c3d_dataset_desc *desc, const c3d_archive *archive,
                           const c3d_frames *frames, c3d_source *out)
{
    c3d_source source = { .n_months = archive->n_months };
    c3d_grid grid = { .width_px = frames->width_px,
                      .height_px = frames->height_px,
                      .crs_wkt = frames->crs_wkt };
    c3d_status st;

    memcpy(grid.transform, frames->transform, sizeof grid.transform);

    source.months = c3d_calloc((size_t)archive->n_months, sizeof *source.months);
    if (!source.months) return C3D_ENOMEM;
    for (int i = 0; i < archive->n_months; i++) {
        C3D_TRY_TO(fail, open_month(&archive->months[i], &grid, &source.months[i]));
        if (!source.months[i].raster) continue;
        C3D_TRY_TO(fail, fit_month(desc, &source.months[i], &source));
    }
    if (source.n_bands == 0) {
        st = C3D_FAIL(C3D_EDATA, "%s: no month has a file", desc->mosaics);
        goto fail;
    }
    *out = source;
    return C3D_OK;
fail:
    c3d_source_close(&source);
    return st;
}

void c3d_source_close(c3d_source *source)
{
    for (int i = 0; source->months && i < source->n_months; i++)
        c3d_raster_close(source->months[i].raster);
    free(source->months);
    *source = (c3d_source){ 0 };
}

/* ---- read ------------------------------------------------------------------------------------ */

c3d_status c3d_source_read(c3d_source *source, int month_index, c3d_window window, void *values,
                           uint8_t *valid)
{
    const c3d_source_month *month = &source->months[month_index];
    const size_t n_pixels = (size_t)window.width * (size_t)window.height;

    if (!month->raster) {
        memset(values, 0, n_pixels * (size_t)source->n_bands * c3d_dtype_size(source->dtype));
        memset(valid, 0, n_pixels);
        return C3D_OK;
    }
    const c3d_pixels_wanted want = { .window = window,
                                     .bands = month->bands,
                                     .n_bands = source->n_bands,
                                     .dtype = source->dtype,
                                     .zero_is_invalid = true };
    return c3d_raster_read_both(month->raster, &want, values, valid);
}
