#include "source.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { OPEN_FILES_MAX = 96 }; /* of all months; those of other months are closed above it */

/* ---- what is looked for in the files --------------------------------------------------------- */

/* Bands of a month's files: by name in each file, or one file a band. */
typedef struct band_plan {
    bool by_file; /* {BAND} in data.mosaics */
    int n;
    c3d_band_wanted wanted[C3D_MAX_BANDS], mask;
    char names[C3D_MAX_BANDS][64]; /* by_file */
    int n_file_bands;
} band_plan;

static bool has_mask(const c3d_dataset_desc *desc)
{
    return desc->mask_band != NULL && desc->mask_band[0] != 0;
}

static bool is_mask(const c3d_dataset_desc *desc, const char *band)
{
    return has_mask(desc) && strcasecmp(desc->mask_band, band) == 0;
}

static const c3d_archive_month *first_month(const c3d_archive *archive)
{
    for (int m = 0; m < archive->n_months; m++)
        if (archive->months[m].n_files > 0) return &archive->months[m];
    return NULL;
}

c3d_status c3d_source_first_file(const c3d_dataset_desc *desc, const c3d_archive *archive,
                                 const char **out)
{
    for (int m = 0; m < archive->n_months; m++) {
        const c3d_archive_month *month = &archive->months[m];

        for (int f = 0; f < month->n_files; f++) {
            if (month->bands != NULL && is_mask(desc, month->bands[f])) continue;
            *out = month->files[f];
            return C3D_OK;
        }
    }
    return C3D_FAIL(C3D_EDATA, "%s: no month has a file", desc->mosaics);
}

static int find_name(char names[][64], int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcasecmp(names[i], name) == 0) return i;
    return -1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool month_has(const c3d_archive_month *month, const char *band)
{
    for (int f = 0; f < month->n_files; f++)
        if (strcasecmp(month->bands[f], band) == 0) return true;
    return false;
}

/* All bands that there are files of; each must be on every date, or it would be a guess which of
 * them are meant. */
static c3d_status plan_all_files(const c3d_dataset_desc *desc, const c3d_archive *archive,
                                 band_plan *plan)
{
    int n_dates = 0;

    for (int m = 0; m < archive->n_months; m++) {
        const c3d_archive_month *month = &archive->months[m];

        n_dates += month->n_files > 0;
        for (int f = 0; f < month->n_files; f++) {
            const char *band = month->bands[f];

            if (is_mask(desc, band) || find_name(plan->names, plan->n, band) >= 0) continue;
            if (plan->n == C3D_MAX_BANDS)
                return C3D_FAIL(C3D_EDATA, "%s: more than %d bands", desc->mosaics, C3D_MAX_BANDS);
            (void)snprintf(plan->names[plan->n++], 64, "%s", band);
        }
    }
    qsort(plan->names, (size_t)plan->n, sizeof plan->names[0], by_name);
    for (int i = 0; i < plan->n; i++) {
        int n = 0;

        for (int m = 0; m < archive->n_months; m++)
            n += month_has(&archive->months[m], plan->names[i]);
        if (n < n_dates)
            return C3D_FAIL(C3D_EDATA,
                            "%s: band %s has files on %d of %d dates; name the bands to use with "
                            "data.bands, or the mask among them with data.mask_band",
                            desc->mosaics, plan->names[i], n, n_dates);
    }
    return C3D_OK;
}

static c3d_status plan_files(const c3d_dataset_desc *desc, const c3d_archive *archive,
                             band_plan *plan)
{
    plan->by_file = true;
    plan->n_file_bands = 1;
    plan->mask = (c3d_band_wanted){ .number = 1 };
    if (desc->n_bands == 0) return plan_all_files(desc, archive, plan);
    if (desc->n_bands > C3D_MAX_BANDS)
        return C3D_FAIL(C3D_ECONFIG, "data.bands: %d bands, at most %d", desc->n_bands,
                        C3D_MAX_BANDS);
    for (int i = 0; i < desc->n_bands; i++) {
        bool is_there = false;

        for (int m = 0; m < archive->n_months && !is_there; m++)
            is_there = month_has(&archive->months[m], desc->bands[i]);
        if (!is_there)
            return C3D_FAIL(C3D_EDATA, "%s: no file of band %s", desc->mosaics, desc->bands[i]);
        (void)snprintf(plan->names[plan->n++], 64, "%s", desc->bands[i]);
    }
    return C3D_OK;
}

static void drop_mask(band_plan *plan)
{
    int n = 0;

    for (int i = 0; i < plan->n; i++)
        if (plan->wanted[i].number != plan->mask.number) plan->wanted[n++] = plan->wanted[i];
    plan->n = n;
}

static c3d_status plan_names(const c3d_dataset_desc *desc, const c3d_raster *first, band_plan *plan)
{
    int one;

    plan->n_file_bands = c3d_raster_n_data_bands(c3d_raster_get_info(first));
    C3D_TRY(c3d_bands_want(first, desc->n_bands, desc->bands, plan->wanted, &plan->n));
    if (!has_mask(desc)) return C3D_OK;
    C3D_TRY(c3d_bands_want(first, 1, &desc->mask_band, &plan->mask, &one));
    if (desc->n_bands == 0) drop_mask(plan);
    return C3D_OK;
}

static bool is_name_taken(const c3d_source *source, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(source->band_names[i], name) == 0) return true;
    return false;
}

/* As the first file calls them, else as they were asked for, else by number. */
static void name_bands(c3d_source *source, const band_plan *plan, const c3d_raster_info *first)
{
    source->n_bands = plan->n;
    for (int i = 0; i < plan->n; i++) {
        const c3d_band_wanted *wanted = &plan->wanted[i];
        char *to = source->band_names[i];

        if (plan->by_file) {
            memcpy(to, plan->names[i], sizeof source->band_names[i]);
            continue;
        }
        const char *name = first->band_names[wanted->number - 1];
        if (name[0] == 0) {
            name = wanted->name;
            source->names_by_order = source->names_by_order || name[0] != 0;
        }
        if (name[0] && !is_name_taken(source, i, name))
            memcpy(to, name, sizeof source->band_names[i]);
        else
            (void)snprintf(to, sizeof source->band_names[i], "band%d", wanted->number);
    }
}

static c3d_status plan_bands(const c3d_dataset_desc *desc, const c3d_archive *archive,
                             band_plan *plan, c3d_source *source)
{
    const c3d_archive_month *month = first_month(archive);
    const char *path;
    c3d_raster *first;
    c3d_status st;

    C3D_TRY(c3d_source_first_file(desc, archive, &path));
    if (month->date == 0)
        return C3D_FAIL(C3D_ECONFIG, "data.mosaics: %s: no {YYYY}, so the images have no date",
                        desc->mosaics);
    (void)snprintf(source->first, sizeof source->first, "%s", path);
    C3D_TRY(c3d_raster_open(path, &first));
    if (month->bands != NULL)
        st = plan_files(desc, archive, plan);
    else
        st = plan_names(desc, first, plan);
    if (st == C3D_OK) name_bands(source, plan, c3d_raster_get_info(first));
    c3d_raster_close(first);
    return st;
}

/* ---- open ------------------------------------------------------------------------------------ */

/* The month's files of one band; all of them without {BAND}. */
static int take_files(const c3d_archive_month *from, const char *band, const char **out)
{
    int n = 0;

    for (int f = 0; f < from->n_files; f++)
        if (band == NULL || strcasecmp(from->bands[f], band) == 0) out[n++] = from->files[f];
    return n;
}

typedef struct opening {
    const band_plan *plan;
    const c3d_grid *grid;
    const c3d_archive_month *from;
    const char **paths; /* [from->n_files] to work in */
} opening;

/* *out stays NULL when there is no file. */
static c3d_status open_part(const c3d_source *source, const opening *work, const char *band,
                            c3d_mosaic_desc *desc, c3d_raster **out)
{
    desc->n_files = take_files(work->from, band, work->paths);
    if (desc->n_files == 0) return C3D_OK;
    desc->paths = work->paths;
    desc->grid = work->grid;
    desc->n_file_bands = work->plan->n_file_bands;
    if (source->desc->resampling == C3D_RESAMPLING_REFUSED)
        desc->resampling = C3D_RESAMPLING_REFUSED;
    C3D_TRY(c3d_raster_open_alike(desc, out));
    c3d_raster_release(*out);
    return C3D_OK;
}

static c3d_status open_band_files(const c3d_source *source, const opening *work,
                                  c3d_source_month *month)
{
    const c3d_band_wanted only = { .number = 1 };

    for (int i = 0; i < work->plan->n; i++) {
        c3d_mosaic_desc desc = { .n_bands = 1,
                                 .wanted = &only,
                                 .resampling = source->desc->resampling };
        c3d_source_part *part = &month->parts[month->n_parts];

        part->first_band = i;
        part->n_bands = 1;
        C3D_TRY(open_part(source, work, work->plan->names[i], &desc, &part->raster));
        if (part->raster != NULL)
            month->n_parts++;
        else if (month->lacking < 0)
            month->lacking = i;
    }
    return C3D_OK;
}

static c3d_status open_parts(const c3d_source *source, const opening *work, c3d_source_month *month)
{
    c3d_mosaic_desc desc = { .n_bands = work->plan->n,
                             .wanted = work->plan->wanted,
                             .resampling = source->desc->resampling };

    month->parts = c3d_calloc((size_t)work->plan->n, sizeof *month->parts);
    if (month->parts == NULL) return C3D_ENOMEM;
    if (work->plan->by_file) return open_band_files(source, work, month);
    C3D_TRY(open_part(source, work, NULL, &desc, &month->parts[0].raster));
    month->parts[0].n_bands = work->plan->n;
    month->n_parts = 1;
    return C3D_OK;
}

/* Codes are never averaged. */
static c3d_status open_mask(const c3d_source *source, const opening *work, c3d_source_month *month)
{
    c3d_mosaic_desc desc = { .n_bands = 1,
                             .wanted = &work->plan->mask,
                             .resampling = C3D_RESAMPLING_NEAREST };

    if (!has_mask(source->desc)) return C3D_OK;
    return open_part(source, work, work->plan->by_file ? source->desc->mask_band : NULL, &desc,
                     &month->mask);
}

static c3d_status check_parts(c3d_source *source, c3d_source_month *month)
{
    month->finds_zeros = month->n_parts > 1;
    for (int p = 0; p < month->n_parts; p++) {
        const c3d_raster_info *info = c3d_raster_get_info(month->parts[p].raster);
        const char *path = c3d_raster_path(month->parts[p].raster);

        if (info->dtype == C3D_I64 || info->dtype == C3D_U64)
            return C3D_FAIL(C3D_EDATA, "%s: %s pixels; convert it to at most 32 bits or to float",
                            path, c3d_dtype_name(info->dtype));
        if (source->dtype == C3D_DTYPES) source->dtype = info->dtype;
        if (info->dtype != source->dtype)
            return C3D_FAIL(C3D_EDATA, "%s: %s pixels, but %s has %s", path,
                            c3d_dtype_name(info->dtype), source->first,
                            c3d_dtype_name(source->dtype));
        if (c3d_raster_has_marks(month->parts[p].raster)) month->finds_zeros = false;
    }
    return C3D_OK;
}

static c3d_status open_month(c3d_source *source, const opening *work, c3d_source_month *month)
{
    c3d_status st;

    month->lacking = -1;
    month->date = work->from->date;
    if (work->from->n_files == 0) return C3D_OK;
    st = open_parts(source, work, month);
    if (st == C3D_OK) st = check_parts(source, month);
    if (st == C3D_OK) st = open_mask(source, work, month);
    if (st == C3D_OK && month->n_parts > 0 && month->lacking < 0)
        month->raster = month->parts[0].raster;
    if (month->n_parts == 0) month->lacking = -1; /* the mask alone */
    return st;
}

c3d_status c3d_source_open_on(const c3d_dataset_desc *desc, const c3d_archive *archive,
                              const c3d_grid *grid, c3d_source *out)
{
    c3d_source source = { .desc = desc, .n_months = archive->n_months, .dtype = C3D_DTYPES };
    band_plan *plan = c3d_calloc(1, sizeof *plan);
    c3d_grid named = *grid;
    int n_files_max = 1;
    c3d_status st = C3D_OK;

    for (int i = 0; i < archive->n_months; i++)
        if (archive->months[i].n_files > n_files_max) n_files_max = archive->months[i].n_files;
    const char **paths = c3d_calloc((size_t)n_files_max, sizeof *paths);
    source.months = c3d_calloc((size_t)archive->n_months, sizeof *source.months);
    if (!source.months || !plan || !paths) C3D_TRY_TO(done, C3D_ENOMEM);
    for (int i = 0; i < C3D_MAX_BANDS; i++) source.numbers[i] = i + 1;
    C3D_TRY_TO(done, plan_bands(desc, archive, plan, &source));
    named.name = source.first;
    for (int i = 0; i < archive->n_months; i++) {
        const opening work = { plan, &named, &archive->months[i], paths };
        C3D_TRY_TO(done, open_month(&source, &work, &source.months[i]));
    }
    *out = source;
done:
    free(plan);
    free(paths);
    if (st != C3D_OK) c3d_source_close(&source);
    return st;
}

c3d_status c3d_source_open(const c3d_dataset_desc *desc, const c3d_archive *archive,
                           const c3d_frames *frames, c3d_source *out)
{
    c3d_grid grid = { .width_px = frames->width_px,
                      .height_px = frames->height_px,
                      .crs_wkt = frames->crs_wkt };

    memcpy(grid.transform, frames->transform, sizeof grid.transform);
    return c3d_source_open_on(desc, archive, &grid, out);
}

void c3d_source_close(c3d_source *source)
{
    for (int i = 0; source->months && i < source->n_months; i++) {
        c3d_source_month *month = &source->months[i];

        for (int p = 0; month->parts && p < source->n_bands; p++)
            c3d_raster_close(month->parts[p].raster);
        free(month->parts);
        c3d_raster_close(month->mask);
    }
    free(source->months);
    *source = (c3d_source){ 0 };
}

/* ---- what the user is told ------------------------------------------------------------------- */

const char *c3d_resampling_name(c3d_resampling resampling)
{
    static const char *const names[] = { "refused", "nearest", "bilinear", "cubic" };

    return names[resampling];
}

static void tell_warped(const c3d_source *source)
{
    enum { NAMED = 4 };
    c3d_text list = { 0 };
    int n = 0, n_months = 0;

    for (int m = 0; m < source->n_months; m++) {
        const int before = n;

        for (int p = 0; p < source->months[m].n_parts; p++) {
            const c3d_raster *raster = source->months[m].parts[p].raster;

            for (int f = 0; f < c3d_raster_n_files(raster); f++) {
                const char *what = c3d_raster_file_warp(raster, f);

                if (what == NULL || n++ >= NAMED) continue;
                c3d_text_add(&list, "%s%s (%s)", n > 1 ? ", " : "", c3d_raster_file_path(raster, f),
                             what);
            }
        }
        n_months += n > before;
    }
    if (n > 0)
        c3d_log_run("%d files of %d months are not on the grid of the archive's first file and are "
                    "resampled to it (%s): %s%s",
                    n, n_months, c3d_resampling_name(source->desc->resampling), list.text,
                    n > NAMED ? ", ..." : "");
    c3d_text_free(&list);
}

void c3d_source_tell(const c3d_source *source)
{
    char text[12];

    tell_warped(source);
    for (int m = 0; m < source->n_months; m++)
        if (source->months[m].lacking >= 0)
            c3d_log_warn("%s: no file of band %s, so nothing of this date is used",
                         c3d_date_text(source->months[m].date, text),
                         source->band_names[source->months[m].lacking]);
    if (source->names_by_order)
        c3d_log_warn("%s: does not name its bands; they are taken in the order of data.bands",
                     source->first);
}

/* ---- read ------------------------------------------------------------------------------------ */

static int count_open(const c3d_source_month *month)
{
    int n = month->mask ? c3d_raster_n_open(month->mask) : 0;

    for (int p = 0; p < month->n_parts; p++) n += c3d_raster_n_open(month->parts[p].raster);
    return n;
}

static bool is_usable(const c3d_dataset_desc *desc, int32_t code)
{
    if (desc->n_mask_valid == 0) return code != 0;
    for (int i = 0; i < desc->n_mask_valid; i++)
        if (code >= desc->mask_valid[i][0] && code <= desc->mask_valid[i][1]) return true;
    return false;
}

static c3d_status apply_mask(const c3d_source *source, c3d_raster *mask, c3d_window window,
                             uint8_t *valid)
{
    const size_t n = (size_t)window.width * (size_t)window.height;
    const int band = 1;
    const c3d_pixels_wanted want = {
        .window = window, .bands = &band, .n_bands = 1, .dtype = C3D_I32
    };
    int32_t *codes = malloc(n * sizeof *codes);
    uint8_t *seen = malloc(n);
    c3d_status st = codes && seen ? C3D_OK : C3D_FAIL(C3D_ENOMEM, "%zu pixels of a mask", n);

    if (st == C3D_OK) st = c3d_raster_read_both(mask, &want, codes, seen);
    for (size_t i = 0; st == C3D_OK && i < n; i++)
        if (!seen[i] || !is_usable(source->desc, codes[i])) valid[i] = 0;
    free(codes);
    free(seen);
    return st;
}

static c3d_pixels_wanted request_of(const c3d_source *source, const c3d_source_part *part,
                                    c3d_window window)
{
    return (c3d_pixels_wanted){
        .window = window, .bands = source->numbers, .n_bands = part->n_bands, .dtype = source->dtype
    };
}

/* A pixel is valid where it is in all parts; one whose bands are all 0 is not, when no file says
 * by itself what is missing. */
static c3d_status read_parts(const c3d_source *source, const c3d_source_month *month,
                             c3d_window window, char *values, uint8_t *valid)
{
    const size_t n = (size_t)window.width * (size_t)window.height;
    const size_t plane = n * c3d_dtype_size(source->dtype);
    uint8_t *part_valid = malloc(n), *nonzero = c3d_calloc(n, 1);
    c3d_status st = part_valid && nonzero ? C3D_OK : C3D_FAIL(C3D_ENOMEM, "%zu pixels", n);

    memset(valid, 1, n);
    for (int p = 0; st == C3D_OK && p < month->n_parts; p++) {
        const c3d_source_part *part = &month->parts[p];
        const c3d_pixels_wanted want = request_of(source, part, window);
        char *to = values + (size_t)part->first_band * plane;

        st = c3d_raster_read_both(part->raster, &want, to, part_valid);
        for (size_t i = 0; st == C3D_OK && i < n; i++) {
            valid[i] &= part_valid[i];
            nonzero[i] = nonzero[i] || c3d_dtype_get(to, source->dtype, i) != 0;
        }
    }
    for (size_t i = 0; st == C3D_OK && month->finds_zeros && i < n; i++) valid[i] &= nonzero[i];
    free(part_valid);
    free(nonzero);
    return st;
}

c3d_status c3d_source_read_beside(const c3d_source *source, int month_index, c3d_window window,
                                  void *values, uint8_t *valid)
{
    const c3d_source_month *month = &source->months[month_index];
    const size_t n_pixels = (size_t)window.width * (size_t)window.height;

    if (!month->raster) {
        memset(values, 0, n_pixels * (size_t)source->n_bands * c3d_dtype_size(source->dtype));
        memset(valid, 0, n_pixels);
        return C3D_OK;
    }
    if (month->n_parts > 1) {
        C3D_TRY(read_parts(source, month, window, values, valid));
    } else {
        c3d_pixels_wanted want = request_of(source, &month->parts[0], window);

        want.zero_is_invalid = true;
        C3D_TRY(c3d_raster_read_both(month->raster, &want, values, valid));
    }
    return month->mask ? apply_mask(source, month->mask, window, valid) : C3D_OK;
}

static void release_month(const c3d_source_month *month)
{
    for (int p = 0; p < month->n_parts; p++) c3d_raster_release(month->parts[p].raster);
    if (month->mask) c3d_raster_release(month->mask);
}

void c3d_source_leave(const c3d_source *source, int month_index)
{
    const c3d_source_month *month = &source->months[month_index];

    if (count_open(month) > OPEN_FILES_MAX / source->n_months) release_month(month);
}

static void release_others(c3d_source *source, int month_index)
{
    int n = 0;

    if (month_index == source->last_month) return;
    source->last_month = month_index;
    for (int m = 0; m < source->n_months; m++) n += count_open(&source->months[m]);
    if (n <= OPEN_FILES_MAX) return;
    for (int m = 0; m < source->n_months; m++)
        if (m != month_index) release_month(&source->months[m]);
}

c3d_status c3d_source_read(c3d_source *source, int month_index, c3d_window window, void *values,
                           uint8_t *valid)
{
    if (source->months[month_index].raster) release_others(source, month_index);
    return c3d_source_read_beside(source, month_index, window, values, valid);
}
