/* Which pixels of a file are observations, from the values themselves. */
#include "gdal.h"

#include <math.h>
#include <string.h>

/* Tags are written as text and floats stored as float32: those are compared in the narrower type,
 * and the neighbourhood of a huge tag is taken for the tag. */
static bool is_nodata(double value, double nodata)
{
    if (value == nodata) return true;
    if (fabs(nodata) > 1e30) return fabs(value - nodata) <= 1e-5 * fabs(nodata);
    return fabs(value) < 1e30 && (float)value == (float)nodata;
}

static void mark_real(const void *values, c3d_dtype dtype, const double *nodata, size_t n,
                      uint8_t *valid)
{
    for (size_t i = 0; i < n; i++) {
        const double value = c3d_dtype_get(values, dtype, i);
        if (isnan(value) || (nodata && is_nodata(value, *nodata))) valid[i] = 0;
    }
}

/* A loop of its own for each type, which compilers turn into vector instructions. A tag is a value
 * of the type (is_representable), but that doubles round those of 64 bits. */
#define MARK(name, type, tag_type)                                                                 \
    static void name##_tag(const void *values, double nodata, size_t n, uint8_t *valid)            \
    {                                                                                              \
        const type *v = values;                                                                    \
        const tag_type tag = (tag_type)nodata;                                                     \
        for (size_t i = 0; i < n; i++) valid[i] &= (tag_type)v[i] != tag;                          \
    }                                                                                              \
    static void name##_some(const void *values, size_t n, uint8_t *some)                           \
    {                                                                                              \
        const type *v = values;                                                                    \
        for (size_t i = 0; i < n; i++) some[i] |= v[i] != 0;                                       \
    }
MARK(u8, uint8_t, uint8_t)
MARK(u16, uint16_t, uint16_t)
MARK(i16, int16_t, int16_t)
MARK(u32, uint32_t, uint32_t)
MARK(i32, int32_t, int32_t)
MARK(u64, uint64_t, double)
MARK(i64, int64_t, double)
MARK(f32, float, double)
MARK(f64, double, double)

static const struct {
    void (*tag)(const void *values, double nodata, size_t n, uint8_t *valid);
    void (*some)(const void *values, size_t n, uint8_t *some);
} marks[C3D_DTYPES] = {
    [C3D_U8] = { u8_tag, u8_some },    [C3D_U16] = { u16_tag, u16_some },
    [C3D_I16] = { i16_tag, i16_some }, [C3D_U32] = { u32_tag, u32_some },
    [C3D_I32] = { i32_tag, i32_some }, [C3D_U64] = { u64_tag, u64_some },
    [C3D_I64] = { i64_tag, i64_some }, [C3D_F32] = { f32_tag, f32_some },
    [C3D_F64] = { f64_tag, f64_some },
};

void c3d_valid_mark_nodata(const raster_file *file, int band, const void *values, c3d_dtype dtype,
                           size_t n, uint8_t *valid)
{
    const double *nodata = file->has_nodata[band - 1] ? &file->nodata[band - 1] : NULL;

    if (c3d_dtype_is_float(dtype))
        mark_real(values, dtype, nodata, n, valid);
    else if (nodata)
        marks[dtype].tag(values, *nodata, n, valid);
}

void c3d_valid_add_some(const void *values, c3d_dtype dtype, size_t n, uint8_t *some)
{
    marks[dtype].some(values, n, some);
}
