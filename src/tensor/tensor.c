#include "c3d/tensor.h"

#include <string.h>

static const struct {
    const char *name;
    size_t size;
    bool is_float;
} dtypes[C3D_DTYPES] = {
    [C3D_F32] = { "float32", 4, true }, [C3D_F64] = { "float64", 8, true },
    [C3D_U8] = { "uint8", 1, false },   [C3D_I16] = { "int16", 2, false },
    [C3D_U16] = { "uint16", 2, false }, [C3D_I32] = { "int32", 4, false },
    [C3D_U32] = { "uint32", 4, false }, [C3D_I64] = { "int64", 8, false },
    [C3D_U64] = { "uint64", 8, false },
};

size_t c3d_dtype_size(c3d_dtype dtype)
{
    return dtypes[dtype].size;
}

const char *c3d_dtype_name(c3d_dtype dtype)
{
    return dtypes[dtype].name;
}

bool c3d_dtype_from_name(const char *name, c3d_dtype *out)
{
    for (int i = 0; i < C3D_DTYPES; i++) {
        if (strcmp(dtypes[i].name, name) != 0) continue;
        *out = (c3d_dtype)i;
        return true;
    }
    return false;
}

bool c3d_dtype_is_float(c3d_dtype dtype)
{
    return dtypes[dtype].is_float;
}

/* memcpy: elements of a file's buffer need not be aligned. */
#define GET(type)                                                                                  \
    do {                                                                                           \
        type value;                                                                                \
        memcpy(&value, (const char *)array + i * sizeof value, sizeof value);                      \
        return (double)value;                                                                      \
    } while (0)

double c3d_dtype_get(const void *array, c3d_dtype dtype, size_t i)
{
    switch (dtype) {
    case C3D_F32: GET(float);
    case C3D_F64: GET(double);
    case C3D_U8: GET(uint8_t);
    case C3D_I16: GET(int16_t);
    case C3D_U16: GET(uint16_t);
    case C3D_I32: GET(int32_t);
    case C3D_U32: GET(uint32_t);
    case C3D_I64: GET(int64_t);
    case C3D_U64: GET(uint64_t);
    case C3D_DTYPES: break;
    }
    c3d_assert_failed("a known dtype", __FILE__, __LINE__);
}

size_t c3d_shape_count(c3d_shape shape)
{
    return (size_t)shape.n * c3d_shape_sample_count(shape);
}

size_t c3d_shape_sample_count(c3d_shape shape)
{
    return (size_t)shape.c * (size_t)shape.d * (size_t)shape.h * (size_t)shape.w;
}

bool c3d_shape_is_equal(c3d_shape a, c3d_shape b)
{
    return a.n == b.n && a.c == b.c && a.d == b.d && a.h == b.h && a.w == b.w;
}

const char *c3d_shape_text(c3d_shape shape, char out[64])
{
    snprintf(out, 64, "[%d, %d, %d, %d, %d]", shape.n, shape.c, shape.d, shape.h, shape.w);
    return out;
}
