/* Which pixels of a file count: nodata tags, NaN, alpha, the file's mask, zeros. */
#include "valid.h"
#include "gdal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Tags are written as text and floats stored as float32: those are compared in the narrower type,
 * and the neighbourhood of a huge tag is taken for the tag. */
static bool is_float_tag(double value, double tag)
{
    if (value == tag) return true;
    if (fabs(tag) > 1e30) return fabs(value - tag) <= 1e-5 * fabs(tag);
    return fabs(value) < 1e30 && (float)value == (float)tag;
}

/* A tag is a value of the type (is_representable), but doubles round those of 64 bits. */
#define MARK_INTEGERS(name, type, tag_type)                                                        \
    static void name(const void *values, size_t n, double tag, uint8_t *valid)                     \
    {                                                                                              \
        const type *v = values;                                                                    \
        const tag_type nodata = (tag_type)tag;                                                     \
        for (size_t i = 0; i < n; i++)                                                             \
            valid[i] = (uint8_t)(valid[i] & ((tag_type)v[i] != nodata));                           \
    }                                                                                              \
    static void name##_not_zero(const void *values, size_t n, uint8_t *valid)                      \
    {                                                                                              \
        const type *v = values;                                                                    \
        for (size_t i = 0; i < n; i++) valid[i] = (uint8_t)(valid[i] | (v[i] != 0));               \
    }
#define MARK_FLOATS(name, type)                                                                    \
    static void name(const void *values, size_t n, double tag, uint8_t *valid)                     \
    {                                                                                              \
        const type *v = values;                                                                    \
        for (size_t i = 0; i < n; i++)                                                             \
            if (is_float_tag((double)v[i], tag)) valid[i] = 0;                                     \
    }                                                                                              \
    static void name##_not_zero(const void *values, size_t n, uint8_t *valid)                      \
    {                                                                                              \
        const type *v = values;                                                                    \
        for (size_t i = 0; i < n; i++) valid[i] = (uint8_t)(valid[i] | (v[i] != 0));               \
    }                                                                                              \
    static void name##_not_nan(const void *values, size_t n, uint8_t *valid)                       \
    {                                                                                              \
        const type *v = values;                                                                    \
        for (size_t i = 0; i < n; i++) valid[i] = (uint8_t)(valid[i] & !isnan(v[i]));              \
    }
MARK_INTEGERS(mark_u8, uint8_t, uint8_t)
MARK_INTEGERS(mark_u16, uint16_t, uint16_t)
MARK_INTEGERS(mark_i16, int16_t, int16_t)
MARK_INTEGERS(mark_u32, uint32_t, uint32_t)
MARK_INTEGERS(mark_i32, int32_t, int32_t)
MARK_INTEGERS(mark_u64, uint64_t, double)
MARK_INTEGERS(mark_i64, int64_t, double)
MARK_FLOATS(mark_f32, float)
MARK_FLOATS(mark_f64, double)

static const struct {
    void (*nodata)(const void *values, size_t n, double tag, uint8_t *valid);
    void (*not_zero)(const void *values, size_t n, uint8_t *valid);
    void (*not_nan)(const void *values, size_t n, uint8_t *valid);
} marks[C3D_DTYPES] = {
    [C3D_U8] = { mark_u8, mark_u8_not_zero, NULL },
    [C3D_U16] = { mark_u16, mark_u16_not_zero, NULL },
    [C3D_I16] = { mark_i16, mark_i16_not_zero, NULL },
    [C3D_U32] = { mark_u32, mark_u32_not_zero, NULL },
    [C3D_I32] = { mark_i32, mark_i32_not_zero, NULL },
    [C3D_U64] = { mark_u64, mark_u64_not_zero, NULL },
    [C3D_I64] = { mark_i64, mark_i64_not_zero, NULL },
    [C3D_F32] = { mark_f32, mark_f32_not_zero, mark_f32_not_nan },
    [C3D_F64] = { mark_f64, mark_f64_not_zero, mark_f64_not_nan },
};

static bool has_tags(const raster_file *file, const file_request *want)
{
    for (int b = 0; b < want->n_bands; b++)
        if (file->has_nodata[want->bands[b] - 1]) return true;
    return false;
}

static bool looks_for_zeros(const raster_file *file, const file_request *want)
{
    return want->zero_is_invalid && !has_tags(file, want) && file->alpha_band == 0 &&
           !file->has_mask;
}

bool c3d_valid_needs_values(const raster_file *file, const file_request *want)
{
    return c3d_dtype_is_float(file->dtype) || has_tags(file, want) || looks_for_zeros(file, want);
}

void c3d_valid_from_values(const raster_file *file, const file_request *want, const void *values,
                           size_t n, uint8_t *valid)
{
    const bool zeros = looks_for_zeros(file, want);
    const size_t plane = n * c3d_dtype_size(file->dtype);

    memset(valid, zeros ? 0 : 1, n);
    if (values == NULL) return;
    for (int b = 0; zeros && b < want->n_bands; b++)
        marks[file->dtype].not_zero((const char *)values + (size_t)b * plane, n, valid);
    for (int b = 0; b < want->n_bands; b++) {
        const char *band = (const char *)values + (size_t)b * plane;
        const int i = want->bands[b] - 1;

        if (marks[file->dtype].not_nan != NULL) marks[file->dtype].not_nan(band, n, valid);
        if (file->has_nodata[i]) marks[file->dtype].nodata(band, n, file->nodata[i], valid);
    }
}

static c3d_status fail_mask(const raster_file *file)
{
    return C3D_FAIL(C3D_EDATA, "%s: its mask could not be read: %s", file->path, c3d_gdal_said());
}

c3d_status c3d_valid_from_masks(GDALDatasetH dataset, const raster_file *file, c3d_window window,
                                uint8_t *valid)
{
    const GDALRasterBandH bands[2] = {
        file->alpha_band != 0 ? GDALGetRasterBand(dataset, file->alpha_band) : NULL,
        file->has_mask ? GDALGetMaskBand(GDALGetRasterBand(dataset, 1)) : NULL
    };
    const size_t n = (size_t)window.width * (size_t)window.height;
    c3d_status st = C3D_OK;
    float *mask;

    if (bands[0] == NULL && bands[1] == NULL) return C3D_OK;
    mask = malloc(n * sizeof *mask);
    if (mask == NULL) return C3D_FAIL(C3D_ENOMEM, "%s: %zu pixels", file->path, n);
    c3d_gdal_clear();
    for (int k = 0; k < 2 && st == C3D_OK; k++) {
        if (bands[k] == NULL) continue;
        if (GDALRasterIO(bands[k], GF_Read, window.x, window.y, window.width, window.height, mask,
                         window.width, window.height, GDT_Float32, 0, 0) != CE_None)
            st = fail_mask(file);
        for (size_t i = 0; st == C3D_OK && i < n; i++) valid[i] &= mask[i] != 0;
    }
    free(mask);
    return st;
}
