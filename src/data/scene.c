#include "scene.h"

#include <math.h>
#include <string.h>

static size_t count_pixels(const c3d_shard_shape *shape)
{
    return (size_t)shape->size_px * (size_t)shape->size_px;
}

void c3d_scene_mask_not_finite(const c3d_shard_shape *shape, const void *values, uint8_t *valid)
{
    const size_t n_pixels = count_pixels(shape);
    size_t i = 0;

    if (!c3d_dtype_is_float(shape->dtype)) return;
    for (int month = 0; month < shape->n_months; month++)
        for (int band = 0; band < shape->n_bands; band++)
            for (size_t pixel = 0; pixel < n_pixels; pixel++, i++)
                if (!isfinite(c3d_dtype_get(values, shape->dtype, i)))
                    valid[(size_t)month * n_pixels + pixel] = 0;
}

size_t c3d_scene_missing(const c3d_shard_shape *shape, const uint8_t *valid, float *share_out)
{
    const size_t n_pixels = count_pixels(shape);
    size_t total = 0;

    for (int month = 0; month < shape->n_months; month++) {
        size_t n_missing = 0;
        for (size_t pixel = 0; pixel < n_pixels; pixel++)
            n_missing += !valid[(size_t)month * n_pixels + pixel];
        share_out[month] = (float)((double)n_missing / (double)n_pixels);
        total += n_missing;
    }
    return total;
}

/* Eight values 0 or 1 as bits, the first one highest: the factor moves each to its place in the
 * highest byte. */
static uint8_t pack_eight(const uint8_t *valid)
{
    uint64_t eight = 0;

    for (int i = 0; i < 8; i++) eight |= (uint64_t)valid[i] << (8 * i);
    return (uint8_t)((eight * UINT64_C(0x8040201008040201)) >> 56);
}

void c3d_scene_pack_valid(const c3d_shard_shape *shape, const uint8_t *valid, uint8_t *bits_out)
{
    const size_t size = (size_t)shape->size_px, n_whole = size / 8;
    const size_t n_rows = (size_t)shape->n_months * size;

    for (size_t row = 0; row < n_rows; row++, valid += size) {
        for (size_t i = 0; i < n_whole; i++) *bits_out++ = pack_eight(valid + 8 * i);
        if (size % 8 == 0) continue;
        uint8_t last[8] = { 0 };
        memcpy(last, valid + 8 * n_whole, size % 8);
        *bits_out++ = pack_eight(last);
    }
}

void c3d_scene_unpack_valid(const c3d_shard_shape *shape, const uint8_t *bits, uint8_t *valid_out)
{
    const size_t size = (size_t)shape->size_px, row_bytes = (size + 7) / 8;
    const size_t n_rows = (size_t)shape->n_months * size;

    for (size_t row = 0; row < n_rows; row++)
        for (size_t x = 0; x < size; x++)
            valid_out[row * size + x] = bits[row * row_bytes + x / 8] >> (7 - x % 8) & 1;
}

/* Values up to 16 bits: 32 bits hold what a run of SUM_RUN of them adds up to, of squares the lower
 * and the upper halves apart, and are twice as many a vector as 64; 2^32 a square times fewer than
 * 2^31 pixels always fits the whole. */
#define SUM_RUN ((size_t)4096)
#define SUM_SMALL(name, type)                                                                      \
    static bool name(const void *values, const uint8_t *valid, size_t n, int64_t out[2])           \
    {                                                                                              \
        const type *v = values;                                                                    \
        out[0] = out[1] = 0;                                                                       \
        for (size_t begin = 0; begin < n; begin += SUM_RUN) {                                      \
            const size_t end = n - begin < SUM_RUN ? n : begin + SUM_RUN;                          \
            uint32_t low = 0, high = 0;                                                            \
            int32_t sum = 0;                                                                       \
            for (size_t i = begin; i < end; i++) {                                                 \
                const type x = (type)(v[i] * (valid[i] != 0));                                     \
                const uint32_t square = (uint32_t)x * (uint32_t)x;                                 \
                sum += x;                                                                          \
                low += square & 0xffff;                                                            \
                high += square >> 16;                                                              \
            }                                                                                      \
            out[0] += sum;                                                                         \
            out[1] += (int64_t)(((uint64_t)high << 16) + low);                                     \
        }                                                                                          \
        return true;                                                                               \
    }
#define SUM_LARGE(name, type)                                                                      \
    static bool name(const void *values, const uint8_t *valid, size_t n, int64_t out[2])           \
    {                                                                                              \
        const type *v = values;                                                                    \
        int64_t square;                                                                            \
        out[0] = out[1] = 0;                                                                       \
        for (size_t i = 0; i < n; i++) {                                                           \
            const int64_t x = valid[i] ? v[i] : 0;                                                 \
            if (__builtin_mul_overflow(x, x, &square)) return false;                               \
            if (__builtin_add_overflow(out[1], square, &out[1])) return false;                     \
            if (__builtin_add_overflow(out[0], x, &out[0])) return false;                          \
        }                                                                                          \
        return true;                                                                               \
    }
SUM_SMALL(sum_u8, uint8_t)
SUM_SMALL(sum_i16, int16_t)
SUM_SMALL(sum_u16, uint16_t)
SUM_LARGE(sum_i32, int32_t)
SUM_LARGE(sum_u32, uint32_t)

/* Neumaier's compensated sum: the part that was lost is added in the end. */
static void add_compensated(double value, double sum[2])
{
    const double next = sum[0] + value;

    if (fabs(sum[0]) >= fabs(value))
        sum[1] += (sum[0] - next) + value;
    else
        sum[1] += (value - next) + sum[0];
    sum[0] = next;
}

static void sum_floats(c3d_dtype dtype, const void *values, size_t first, const uint8_t *valid,
                       size_t n, double out[2])
{
    double sum[2] = { 0 }, squares[2] = { 0 };

    for (size_t i = 0; i < n; i++) {
        if (!valid[i]) continue;
        const double x = c3d_dtype_get(values, dtype, first + i);
        add_compensated(x, sum);
        add_compensated(x * x, squares);
    }
    out[0] = sum[0] + sum[1];
    out[1] = squares[0] + squares[1];
}

static bool sum_integers(c3d_dtype dtype, const void *values, const uint8_t *valid, size_t n,
                         int64_t out[2])
{
    switch (dtype) {
    case C3D_U8: return sum_u8(values, valid, n, out);
    case C3D_I16: return sum_i16(values, valid, n, out);
    case C3D_U16: return sum_u16(values, valid, n, out);
    case C3D_I32: return sum_i32(values, valid, n, out);
    case C3D_U32: return sum_u32(values, valid, n, out);
    case C3D_F32:
    case C3D_F64:
    case C3D_I64:
    case C3D_U64:
    case C3D_DTYPES: break;
    }
    C3D_ASSERT(!"a type that clip refuses");
    return false;
}

bool c3d_scene_sums(const c3d_shard_shape *shape, const void *values, const uint8_t *valid,
                    void *sum, void *sum_squares)
{
    const size_t n_pixels = count_pixels(shape), element = c3d_dtype_size(shape->dtype);
    const size_t n_bands = (size_t)shape->n_bands, n = (size_t)shape->n_months * n_bands;

    for (size_t i = 0; i < n; i++) {
        const uint8_t *mask = valid + i / n_bands * n_pixels;
        if (c3d_dtype_is_float(shape->dtype)) {
            double out[2];
            sum_floats(shape->dtype, values, i * n_pixels, mask, n_pixels, out);
            ((double *)sum)[i] = out[0];
            ((double *)sum_squares)[i] = out[1];
        } else {
            const uint8_t *from = (const uint8_t *)values + i * n_pixels * element;
            int64_t out[2];
            if (!sum_integers(shape->dtype, from, mask, n_pixels, out)) return false;
            ((int64_t *)sum)[i] = out[0];
            ((int64_t *)sum_squares)[i] = out[1];
        }
    }
    return true;
}
