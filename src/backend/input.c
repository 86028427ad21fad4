#include "backend/host.h"

#include <string.h>

/* Source pixel (row, column) of an image goes to to[base + column * step]. */
typedef struct target {
    float *to;
    ptrdiff_t base, step;
} target;

static target target_of(uint8_t symmetry, c3d_shape s, int from_row, float *image)
{
    const ptrdiff_t row = symmetry & 2 ? s.h - 1 - from_row : from_row;
    const ptrdiff_t column = symmetry & 1 ? s.w - 1 : 0, direction = symmetry & 1 ? -1 : 1;

    if (symmetry & 4)
        return (target){ .to = image, .base = column * s.w + row, .step = direction * s.w };
    return (target){ .to = image, .base = row * s.w + column, .step = direction };
}

/* What becomes of a value: (value - mean) scale gain + offset. */
typedef struct change {
    float mean, scale, gain, offset;
} change;

#define NORMALISE(tag, type)                                                                       \
    case tag:                                                                                      \
        for (int i = 0; i < n; i++)                                                                \
            t.to[t.base + i * t.step] =                                                            \
                ((float)((const type *)input->values)[from + (size_t)i] - by.mean) * by.scale *    \
                    by.gain +                                                                      \
                by.offset;                                                                         \
        break

static void load_row(const c3d_input *input, size_t from, int n, change by, target t)
{
    switch (input->dtype) {
        NORMALISE(C3D_F32, float);
        NORMALISE(C3D_F64, double);
        NORMALISE(C3D_U8, uint8_t);
        NORMALISE(C3D_I16, int16_t);
        NORMALISE(C3D_U16, uint16_t);
        NORMALISE(C3D_I32, int32_t);
        NORMALISE(C3D_U32, uint32_t);
        NORMALISE(C3D_I64, int64_t);
        NORMALISE(C3D_U64, uint64_t);
    case C3D_DTYPES: break;
    }
}

static change change_of(const c3d_input *input, c3d_shape s, size_t row, size_t channel)
{
    const size_t i = row * (size_t)s.c + channel;

    return (change){ .mean = input->mean[channel],
                     .scale = input->scale[channel],
                     .gain = input->gain ? input->gain[i] : 1,
                     .offset = input->offset ? input->offset[i] : 0 };
}

c3d_status c3d_host_input(float *x, c3d_shape s, const c3d_input *input)
{
    const size_t n_image = (size_t)s.h * (size_t)s.w, n_images = (size_t)s.c * (size_t)s.d;
    const size_t used = (size_t)input->n_samples * n_images;

    C3D_TRY(c3d_input_check(input, s));
    s = c3d_input_shape(input, s);
    memset(x + used * n_image, 0, (c3d_shape_count(s) - used * n_image) * sizeof *x);
#pragma omp parallel for schedule(static)
    for (size_t m = 0; m < used; m++) { /* m: row, channel, month */
        const size_t n = m / n_images, month = m % (size_t)s.d;
        const uint8_t symmetry = input->symmetry ? input->symmetry[n] : 0;
        const change by = change_of(input, s, n, m % n_images / (size_t)s.d);
        const size_t shown =
            input->month_from ? (size_t)input->month_from[n * (size_t)s.d + month] : month;
        const size_t from = (m - month + shown) * n_image;

        for (int row = 0; row < s.h; row++)
            load_row(input, from + (size_t)row * (size_t)s.w, s.w, by,
                     target_of(symmetry, s, row, x + m * n_image));
    }
    return C3D_OK;
}
