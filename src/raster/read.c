#include "gdal.h"

#include <stdlib.h>
#include <string.h>

/* ---- one file: windows in the file's own pixels ---------------------------------------------- */

static c3d_status read_file(c3d_raster *raster, raster_file *file, c3d_window window,
                            const int *bands, int n_bands, c3d_dtype dtype, void *to)
{
    GDALDatasetH dataset;
    const GSpacing size = (GSpacing)c3d_dtype_size(dtype);
    int numbers[C3D_MAX_BANDS];

    memcpy(numbers, bands, sizeof *bands * (size_t)n_bands);
    C3D_TRY(c3d_raster_file_use(raster, file, &dataset));
    c3d_gdal_clear();
    if (GDALDatasetRasterIOEx(dataset, GF_Read, window.x, window.y, window.width, window.height, to,
                              window.width, window.height, c3d_gdal_type_of(dtype), n_bands,
                              numbers, size, size * window.width,
                              size * window.width * window.height, NULL) != CE_None)
        return C3D_FAIL(C3D_EDATA, "%s: columns %d to %d, rows %d to %d could not be read: %s",
                        file->path, window.x, window.x + window.width - 1, window.y,
                        window.y + window.height - 1, c3d_gdal_said());
    return C3D_OK;
}

static bool has_marks(const raster_file *file, const int *bands, int n_bands)
{
    for (int b = 0; b < n_bands; b++)
        if (file->has_nodata[bands[b] - 1]) return true;
    return file->alpha_band != 0 || file->has_mask;
}

static c3d_status read_mask(c3d_raster *raster, raster_file *file, c3d_window window, uint8_t *mask)
{
    GDALDatasetH dataset;

    C3D_TRY(c3d_raster_file_use(raster, file, &dataset));
    c3d_gdal_clear();
    if (GDALRasterIO(GDALGetMaskBand(GDALGetRasterBand(dataset, 1)), GF_Read, window.x, window.y,
                     window.width, window.height, mask, window.width, window.height, GDT_Byte, 0,
                     0) != CE_None)
        return C3D_FAIL(C3D_EDATA, "%s: its mask could not be read: %s", file->path,
                        c3d_gdal_said());
    return C3D_OK;
}

/* What the values of the bands say: their tags, NaN, zeros where the file marks nothing. values
 * [band, n] of dtype, or one band at a time, read into scratch. */
typedef struct marking {
    const int *bands;
    int n_bands;
    c3d_dtype dtype;
    const char *values; /* NULL: they are read */
    bool zero_is_invalid;
} marking;

static c3d_status mark_by_values(c3d_raster *raster, raster_file *file, c3d_window window,
                                 const marking *by, uint8_t *valid)
{
    const size_t n = (size_t)window.width * (size_t)window.height;
    const size_t band_bytes = n * c3d_dtype_size(by->dtype);
    const bool look_for_zeros = by->zero_is_invalid && !has_marks(file, by->bands, by->n_bands);
    char *scratch = NULL;
    c3d_status st = C3D_OK;

    memset(valid, look_for_zeros ? 0 : 1, n);
    for (int pass = 0; pass < 2; pass++) { /* zeros of all bands come before tags of any */
        for (int b = 0; b < by->n_bands; b++) {
            const char *values = by->values ? by->values + (size_t)b * band_bytes : scratch;
            if (pass == 0 ? !look_for_zeros
                          : !file->has_nodata[by->bands[b] - 1] && !file->is_float)
                continue;
            if (!values) {
                values = scratch = malloc(band_bytes);
                if (!scratch) return C3D_FAIL(C3D_ENOMEM, "%s: %zu bytes", file->path, band_bytes);
            }
            if (scratch)
                C3D_TRY_TO(done,
                           read_file(raster, file, window, &by->bands[b], 1, by->dtype, scratch));
            if (pass == 0)
                c3d_valid_add_some(values, by->dtype, n, valid);
            else
                c3d_valid_mark_nodata(file, by->bands[b], values, by->dtype, n, valid);
        }
    }
done:
    free(scratch);
    return st;
}

/* Alpha and mask, which are no values of the bands. */
static c3d_status mark_by_mask(c3d_raster *raster, raster_file *file, c3d_window window,
                               uint8_t *valid)
{
    const size_t n = (size_t)window.width * (size_t)window.height;
    const c3d_dtype dtype = raster->info.dtype;
    const size_t element = file->alpha_band != 0 ? c3d_dtype_size(dtype) : 1;
    uint8_t *values = NULL, *some = NULL;
    c3d_status st = C3D_OK;

    if (file->alpha_band == 0 && !file->has_mask) return C3D_OK;
    values = malloc(n * element);
    some = c3d_calloc(n, 1);
    if (!values || !some) {
        st = C3D_FAIL(C3D_ENOMEM, "%s: %zu bytes", file->path, n * element);
        goto done;
    }
    if (file->alpha_band != 0) {
        C3D_TRY_TO(done, read_file(raster, file, window, &file->alpha_band, 1, dtype, values));
        c3d_valid_add_some(values, dtype, n, some);
        for (size_t i = 0; i < n; i++) valid[i] &= some[i];
    }
    if (file->has_mask) {
        C3D_TRY_TO(done, read_mask(raster, file, window, some));
        for (size_t i = 0; i < n; i++) valid[i] &= some[i] != 0;
    }
done:
    free(values);
    free(some);
    return st;
}

/* Validity of one file's window. */
static c3d_status read_file_valid(c3d_raster *raster, raster_file *file, c3d_window window,
                                  const marking *by, uint8_t *valid)
{
    C3D_TRY(mark_by_values(raster, file, window, by, valid));
    return mark_by_mask(raster, file, window, valid);
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

/* What is read of each file: values of bands, validity, or both. */
typedef struct request {
    c3d_window window;
    const int *bands;
    int n_bands;
    c3d_dtype dtype;
    bool zero_is_invalid;
    char *values;   /* NULL: not asked for */
    uint8_t *valid; /* NULL: not asked for */
} request;

/* Values that are read are not read again for their validity. */
static c3d_status fetch(c3d_raster *raster, raster_file *file, const request *want,
                        c3d_window local, char *values, uint8_t *valid)
{
    const c3d_dtype dtype = raster->info.dtype;
    const marking by = { .bands = want->bands,
                         .n_bands = want->n_bands,
                         .dtype = dtype,
                         .values = want->dtype == dtype ? values : NULL,
                         .zero_is_invalid = want->zero_is_invalid };

    if (values)
        C3D_TRY(read_file(raster, file, local, want->bands, want->n_bands, want->dtype, values));
    return valid ? read_file_valid(raster, file, local, &by, valid) : C3D_OK;
}

/* Where files overlap, a pixel is taken from the last file that has data there in all its bands;
 * so which file it is depends on the place alone, not on the bands asked for. */
static c3d_status choose_pixels(c3d_raster *raster, raster_file *file, c3d_window local,
                                uint8_t *choice)
{
    int bands[C3D_MAX_BANDS];
    marking by = { .bands = bands, .dtype = raster->info.dtype, .zero_is_invalid = true };

    for (int b = 1; b <= raster->info.n_bands; b++)
        if (b != file->alpha_band) bands[by.n_bands++] = b;
    return read_file_valid(raster, file, local, &by, choice);
}

/* Copies a part, [n_bands, its window] of elements of that size, to its place in `to`, which is of
 * the request's window; choice NULL: all pixels, else those chosen, and those not painted yet. */
typedef struct painting {
    c3d_window part, whole;
    const uint8_t *choice, *painted; /* of the part's pixels, of the whole's */
} painting;

static void paint(const painting *how, int n_bands, size_t size, const char *part, char *to)
{
    const size_t width = (size_t)how->part.width, height = (size_t)how->part.height;
    const size_t to_width = (size_t)how->whole.width, to_height = (size_t)how->whole.height;
    const size_t x0 = (size_t)(how->part.x - how->whole.x);
    const size_t y0 = (size_t)(how->part.y - how->whole.y);

    for (int b = 0; b < n_bands; b++) {
        for (size_t y = 0; y < height; y++) {
            const char *from = part + ((size_t)b * height + y) * width * size;
            const size_t at = (y0 + y) * to_width + x0;
            char *row = to + ((size_t)b * to_height * to_width + at) * size;

            if (how->choice == NULL) {
                memcpy(row, from, width * size);
                continue;
            }
            for (size_t x = 0; x < width; x++)
                if (how->choice[y * width + x] || !how->painted[at + x])
                    memcpy(row + x * size, from + x * size, size);
        }
    }
}

static void mark_painted(c3d_window part, c3d_window whole, uint8_t *painted)
{
    for (int y = part.y - whole.y; y < part.y - whole.y + part.height; y++)
        memset(painted + (size_t)y * (size_t)whole.width + (size_t)(part.x - whole.x), 1,
               (size_t)part.width);
}

/* A file that covers a part of the window, or lies over others. */
static c3d_status read_part(c3d_raster *raster, raster_file *file, const request *want,
                            c3d_window part_window, uint8_t *painted)
{
    const size_t n = (size_t)part_window.width * (size_t)part_window.height;
    const size_t bytes = c3d_dtype_size(want->dtype);
    const c3d_window local = { part_window.x - file->place.x, part_window.y - file->place.y,
                               part_window.width, part_window.height };
    char *values = want->values ? malloc(n * (size_t)want->n_bands * bytes) : NULL;
    uint8_t *valid = want->valid ? malloc(n) : NULL;
    uint8_t *choice = raster->overlapping ? malloc(n) : NULL;
    const painting how = { part_window, want->window, choice, painted };
    c3d_status st = C3D_OK;

    if ((want->values && !values) || (want->valid && !valid) || (raster->overlapping && !choice)) {
        st = C3D_FAIL(C3D_ENOMEM, "%s: a window of %zu pixels", file->path, n);
        goto done;
    }
    C3D_TRY_TO(done, fetch(raster, file, want, local, values, valid));
    if (choice) C3D_TRY_TO(done, choose_pixels(raster, file, local, choice));
    if (values) paint(&how, want->n_bands, bytes, values, want->values);
    if (valid) paint(&how, 1, 1, (const char *)valid, (char *)want->valid);
    if (painted) mark_painted(part_window, want->window, painted);
done:
    free(values);
    free(valid);
    free(choice);
    return st;
}

static c3d_status check_request(const c3d_raster *raster, const request *want)
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

static bool is_equal(const c3d_window *a, const c3d_window *b)
{
    return a->x == b->x && a->y == b->y && a->width == b->width && a->height == b->height;
}

static void clear(const request *want)
{
    const size_t n = (size_t)want->window.width * (size_t)want->window.height;

    if (want->values)
        memset(want->values, 0, n * c3d_dtype_size(want->dtype) * (size_t)want->n_bands);
    if (want->valid) memset(want->valid, 0, n);
}

static c3d_status read_mosaic(c3d_raster *raster, const request *want)
{
    uint8_t *painted = NULL;
    bool is_cleared = false;
    c3d_status st = C3D_OK;

    if (raster->overlapping) {
        painted = c3d_calloc((size_t)want->window.width * (size_t)want->window.height, 1);
        if (painted == NULL) return C3D_ENOMEM;
    }
    for (int i = 0; i < raster->n_files && st == C3D_OK; i++) {
        raster_file *file = &raster->files[i];
        c3d_window part;

        if (!intersect(&want->window, &file->place, &part)) continue;
        if (is_equal(&part, &want->window) && !raster->overlapping) {
            const c3d_window local = { part.x - file->place.x, part.y - file->place.y, part.width,
                                       part.height };
            return fetch(raster, file, want, local, want->values, want->valid);
        }
        if (!is_cleared) clear(want);
        is_cleared = true;
        st = read_part(raster, file, want, part, painted);
    }
    if (!is_cleared) clear(want);
    free(painted);
    return st;
}

c3d_status c3d_raster_read(c3d_raster *raster, c3d_window window, const int *bands, int n_bands,
                           c3d_dtype dtype, void *to)
{
    const request want = {
        .window = window, .bands = bands, .n_bands = n_bands, .dtype = dtype, .values = to
    };

    C3D_TRY(check_request(raster, &want));
    return read_mosaic(raster, &want);
}

c3d_status c3d_raster_read_valid(c3d_raster *raster, c3d_window window, const int *bands,
                                 int n_bands, bool zero_is_invalid, uint8_t *to)
{
    const request want = { .window = window,
                           .bands = bands,
                           .n_bands = n_bands,
                           .zero_is_invalid = zero_is_invalid,
                           .valid = to };

    C3D_TRY(check_request(raster, &want));
    return read_mosaic(raster, &want);
}

c3d_status c3d_raster_read_both(c3d_raster *raster, const c3d_pixels_wanted *what, void *values,
                                uint8_t *valid)
{
    const request want = { .window = what->window,
                           .bands = what->bands,
                           .n_bands = what->n_bands,
                           .dtype = what->dtype,
                           .zero_is_invalid = what->zero_is_invalid,
                           .values = values,
                           .valid = valid };

    C3D_TRY(check_request(raster, &want));
    return read_mosaic(raster, &want);
}
