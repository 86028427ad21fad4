#include "scene.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Months are counted from the first of the scene: those of the past are below 0. */
typedef struct cube {
    const c3d_shard_shape *shape;
    size_t n_pixels, element;
    const uint8_t *valid;
    const c3d_past *past;
    uint8_t *values;
} cube;

const char *c3d_gaps_name(c3d_gaps gaps)
{
    static const char *const names[] = { "previous", "linear", "zero" };

    return names[gaps];
}

enum { NEVER = INT_MIN };

static size_t index_of(const cube *in, int month, int band, size_t pixel)
{
    return ((size_t)month * (size_t)in->shape->n_bands + (size_t)band) * in->n_pixels + pixel;
}

/* Where a month's values are, and their index there. */
static const uint8_t *find_values(const cube *in, int month, int band, size_t pixel, size_t *index)
{
    *index = index_of(in, month < 0 ? 0 : month, band, pixel);
    if (month >= 0) return in->values;
    C3D_ASSERT(in->past); /* months before the period are in there */
    return in->past->values;
}

static void copy_pixel(const cube *in, int from_month, int to_month, size_t pixel)
{
    for (int band = 0; band < in->shape->n_bands; band++) {
        size_t index;
        const uint8_t *from = find_values(in, from_month, band, pixel, &index);
        memcpy(in->values + index_of(in, to_month, band, pixel) * in->element,
               from + index * in->element, in->element);
    }
}

static void zero_pixel(const cube *in, int month, size_t pixel)
{
    for (int band = 0; band < in->shape->n_bands; band++)
        memset(in->values + index_of(in, month, band, pixel) * in->element, 0, in->element);
}

static void put(void *values, c3d_dtype dtype, size_t i, double value)
{
    const double rounded = floor(value + .5);

    switch (dtype) {
    case C3D_F32: ((float *)values)[i] = (float)value; break;
    case C3D_F64: ((double *)values)[i] = value; break;
    case C3D_U8: ((uint8_t *)values)[i] = (uint8_t)rounded; break;
    case C3D_I16: ((int16_t *)values)[i] = (int16_t)rounded; break;
    case C3D_U16: ((uint16_t *)values)[i] = (uint16_t)rounded; break;
    case C3D_I32: ((int32_t *)values)[i] = (int32_t)rounded; break;
    case C3D_U32: ((uint32_t *)values)[i] = (uint32_t)rounded; break;
    case C3D_I64:
    case C3D_U64:
    case C3D_DTYPES: C3D_ASSERT(!"a type that clip refuses");
    }
}

static void interpolate_pixel(const cube *in, int from, int to, int month, size_t pixel)
{
    const c3d_dtype dtype = in->shape->dtype;
    const double share = (double)(month - from) / (to - from);

    for (int band = 0; band < in->shape->n_bands; band++) {
        size_t index;
        const uint8_t *values = find_values(in, from, band, pixel, &index);
        const double a = c3d_dtype_get(values, dtype, index);
        const double b = c3d_dtype_get(in->values, dtype, index_of(in, to, band, pixel));
        put(in->values, dtype, index_of(in, month, band, pixel), a + (b - a) * share);
    }
}

static void fill_month(const cube *in, c3d_gaps gaps, int month, const int *last, const int *next)
{
    for (size_t pixel = 0; pixel < in->n_pixels; pixel++) {
        if (in->valid[(size_t)month * in->n_pixels + pixel]) continue;
        const int before = last[pixel], after = next[pixel];
        if (gaps == C3D_GAPS_ZERO || (before == NEVER && after < 0))
            zero_pixel(in, month, pixel);
        else if (gaps == C3D_GAPS_LINEAR && before != NEVER && after >= 0)
            interpolate_pixel(in, before, after, month, pixel);
        else
            copy_pixel(in, before != NEVER ? before : after, month, pixel);
    }
}

/* next[month][pixel]: the month of the next observation at or after it, -1: none. */
static void find_next(const cube *in, int *next)
{
    for (int month = in->shape->n_months - 1; month >= 0; month--) {
        int *row = next + (size_t)month * in->n_pixels;
        for (size_t pixel = 0; pixel < in->n_pixels; pixel++) {
            if (in->valid[(size_t)month * in->n_pixels + pixel])
                row[pixel] = month;
            else
                row[pixel] = month + 1 < in->shape->n_months ? row[in->n_pixels + pixel] : -1;
        }
    }
}

c3d_status c3d_scene_fill_gaps(const c3d_shard_shape *shape, c3d_gaps gaps, const uint8_t *valid,
                               const c3d_past *past, void *values)
{
    const size_t n_pixels = (size_t)shape->size_px * (size_t)shape->size_px;
    const size_t n_months = (size_t)shape->n_months;
    const cube in = { shape, n_pixels, c3d_dtype_size(shape->dtype), valid, past, values };

    if (!memchr(valid, 0, n_pixels * n_months)) return C3D_OK;
    int *next = c3d_calloc(n_pixels * (n_months + 1), sizeof *next);
    if (!next) return C3D_ENOMEM;
    int *last = next + n_pixels * n_months;
    find_next(&in, next);
    for (size_t pixel = 0; pixel < n_pixels; pixel++)
        last[pixel] = past && past->age[pixel] > 0 ? -past->age[pixel] : NEVER;
    for (int month = 0; month < shape->n_months; month++) {
        fill_month(&in, gaps, month, last, next + (size_t)month * n_pixels);
        for (size_t pixel = 0; pixel < n_pixels; pixel++)
            if (valid[(size_t)month * n_pixels + pixel]) last[pixel] = month;
    }
    free(next);
    return C3D_OK;
}
