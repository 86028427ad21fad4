#include "gdal.h"

#include <math.h>
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

/* Tags are written as text and floats stored as float32: those are compared in the narrower type,
 * and the neighbourhood of a huge tag is taken for the tag. */
static bool is_nodata(double value, double nodata, bool is_float)
{
    if (value == nodata) return true;
    if (!is_float) return false;
    if (fabs(nodata) > 1e30) return fabs(value - nodata) <= 1e-5 * fabs(nodata);
    return fabs(value) < 1e30 && (float)value == (float)nodata;
}

static void mark_nodata(const raster_file *file, int band, const double *values, size_t n,
                        uint8_t *valid)
{
    const bool has_nodata = file->has_nodata[band - 1];
    const double nodata = file->nodata[band - 1];

    for (size_t i = 0; i < n; i++)
        if (isnan(values[i]) || (has_nodata && is_nodata(values[i], nodata, file->is_float)))
            valid[i] = 0;
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

/* Validity of one file's window by its own tags, alpha, mask, and zeros where it has none. */
static c3d_status read_file_valid(c3d_raster *raster, raster_file *file, c3d_window window,
                                  const int *bands, int n_bands, bool zero_is_invalid,
                                  uint8_t *valid)
{
    const size_t n = (size_t)window.width * (size_t)window.height;
    const bool marked = has_marks(file, bands, n_bands);
    const bool look_for_zeros = zero_is_invalid && !marked;
    double *values = NULL;
    uint8_t *other = NULL;
    c3d_status st = C3D_OK;

    memset(valid, look_for_zeros ? 0 : 1, n);
    if (!marked && !look_for_zeros && !file->is_float) return C3D_OK;
    values = c3d_calloc(n, sizeof *values);
    other = c3d_calloc(n, 1);
    if (values == NULL || other == NULL) C3D_TRY_TO(done, C3D_ENOMEM);
    if (look_for_zeros) {
        for (int b = 0; b < n_bands; b++) {
            C3D_TRY_TO(done, read_file(raster, file, window, &bands[b], 1, C3D_F64, values));
            for (size_t i = 0; i < n; i++) valid[i] |= values[i] != 0;
        }
    }
    for (int b = 0; b < n_bands; b++) {
        if (!file->has_nodata[bands[b] - 1] && !file->is_float) continue;
        C3D_TRY_TO(done, read_file(raster, file, window, &bands[b], 1, C3D_F64, values));
        mark_nodata(file, bands[b], values, n, valid);
    }
    if (file->alpha_band != 0) {
        C3D_TRY_TO(done, read_file(raster, file, window, &file->alpha_band, 1, C3D_F64, values));
        for (size_t i = 0; i < n; i++) valid[i] &= values[i] != 0;
    }
    if (file->has_mask) {
        C3D_TRY_TO(done, read_mask(raster, file, window, other));
        for (size_t i = 0; i < n; i++) valid[i] &= other[i] != 0;
    }
done:
    free(values);
    free(other);
    return st;
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

/* What is read of each file: values of bands, or validity. */
typedef struct request {
    c3d_window window;
    const int *bands;
    int n_bands;
    c3d_dtype dtype;
    bool is_validity, zero_is_invalid;
    char *to;
} request;

static c3d_status fetch(c3d_raster *raster, raster_file *file, const request *want,
                        c3d_window local, void *to)
{
    if (want->is_validity)
        return read_file_valid(raster, file, local, want->bands, want->n_bands,
                               want->zero_is_invalid, to);
    return read_file(raster, file, local, want->bands, want->n_bands, want->dtype, to);
}

/* Where files overlap, a pixel is taken from the last file that has data there in all its bands;
 * so which file it is depends on the place alone, not on the bands asked for. */
static c3d_status choose_pixels(c3d_raster *raster, raster_file *file, c3d_window local,
                                uint8_t *choice)
{
    int bands[C3D_MAX_BANDS], n_bands = 0;

    for (int b = 1; b <= raster->info.n_bands; b++)
        if (b != file->alpha_band) bands[n_bands++] = b;
    return read_file_valid(raster, file, local, bands, n_bands, true, choice);
}

/* Copies part (a file's pixels) to its place in the request; choice NULL: all pixels. */
static void paint(const request *want, c3d_window part_window, const char *part,
                  const uint8_t *choice, uint8_t *painted)
{
    const size_t size = want->is_validity ? 1 : c3d_dtype_size(want->dtype);
    const int n_bands = want->is_validity ? 1 : want->n_bands;
    const size_t width = (size_t)part_window.width, height = (size_t)part_window.height;
    const size_t to_width = (size_t)want->window.width, to_height = (size_t)want->window.height;
    const size_t x0 = (size_t)(part_window.x - want->window.x);
    const size_t y0 = (size_t)(part_window.y - want->window.y);

    C3D_ASSERT(choice == NULL || painted != NULL);
    for (int b = 0; b < n_bands; b++) {
        for (size_t y = 0; y < height; y++) {
            const char *from = part + ((size_t)b * height + y) * width * size;
            const size_t at = (y0 + y) * to_width + x0;
            char *to = want->to + ((size_t)b * to_height * to_width + at) * size;

            if (choice == NULL) {
                memcpy(to, from, width * size);
                continue;
            }
            for (size_t x = 0; x < width; x++)
                if (choice[y * width + x] || !painted[at + x])
                    memcpy(to + x * size, from + x * size, size);
        }
    }
    for (size_t y = 0; y < height && choice != NULL; y++)
        memset(painted + (y0 + y) * to_width + x0, 1, width);
}

static c3d_status read_part(c3d_raster *raster, raster_file *file, const request *want,
                            c3d_window part_window, uint8_t *painted)
{
    const size_t n = (size_t)part_window.width * (size_t)part_window.height;
    const size_t bytes = want->is_validity ? 1 : c3d_dtype_size(want->dtype);
    const c3d_window local = { part_window.x - file->place.x, part_window.y - file->place.y,
                               part_window.width, part_window.height };
    char *part = c3d_calloc(n * (size_t)(want->is_validity ? 1 : want->n_bands), bytes);
    uint8_t *choice = NULL;
    c3d_status st = C3D_OK;

    if (part == NULL) C3D_TRY_TO(done, C3D_ENOMEM);
    C3D_TRY_TO(done, fetch(raster, file, want, local, part));
    if (raster->overlapping) {
        choice = c3d_calloc(n, 1);
        if (choice == NULL) C3D_TRY_TO(done, C3D_ENOMEM);
        C3D_TRY_TO(done, choose_pixels(raster, file, local, choice));
    }
    paint(want, part_window, part, choice, painted);
done:
    free(part);
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

static c3d_status read_mosaic(c3d_raster *raster, const request *want)
{
    const size_t n = (size_t)want->window.width * (size_t)want->window.height;
    const size_t size = want->is_validity ? 1 : c3d_dtype_size(want->dtype) * (size_t)want->n_bands;
    uint8_t *painted = NULL;
    c3d_status st = C3D_OK;

    memset(want->to, 0, n * size);
    if (raster->overlapping) {
        painted = c3d_calloc(n, 1);
        if (painted == NULL) return C3D_ENOMEM;
    }
    for (int i = 0; i < raster->n_files && st == C3D_OK; i++) {
        raster_file *file = &raster->files[i];
        c3d_window part;

        if (!intersect(&want->window, &file->place, &part)) continue;
        if (part.width == want->window.width && part.height == want->window.height &&
            !raster->overlapping) {
            const c3d_window local = { part.x - file->place.x, part.y - file->place.y, part.width,
                                       part.height };
            st = fetch(raster, file, want, local, want->to);
        } else {
            st = read_part(raster, file, want, part, painted);
        }
    }
    free(painted);
    return st;
}

c3d_status c3d_raster_read(c3d_raster *raster, c3d_window window, const int *bands, int n_bands,
                           c3d_dtype dtype, void *to)
{
    const request want = {
        .window = window, .bands = bands, .n_bands = n_bands, .dtype = dtype, .to = to
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
                           .is_validity = true,
                           .zero_is_invalid = zero_is_invalid,
                           .to = (char *)to };

    C3D_TRY(check_request(raster, &want));
    return read_mosaic(raster, &want);
}
