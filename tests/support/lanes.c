#include "support/lanes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"
#include "support/precision.h"

__extension__ typedef _Float16 half;

const char *const lanes_type_names[3] = { "float", "bf16", "fp16" };

int lanes_rounded(int n_channels)
{
    return (n_channels + C3D_CUDA_LANES - 1) / C3D_CUDA_LANES * C3D_CUDA_LANES;
}

size_t lanes_element(c3d_cuda_type type)
{
    return type == C3D_CUDA_F32 ? sizeof(float) : sizeof(uint16_t);
}

size_t lanes_count(c3d_shape s)
{
    return (size_t)s.n * (size_t)s.d * (size_t)s.h * (size_t)s.w * (size_t)lanes_rounded(s.c);
}

float lanes_nearest(c3d_cuda_type type, float x)
{
    if (type == C3D_CUDA_BF16) return nearest_low(C3D_PRECISION_BF16, x);
    return type == C3D_CUDA_F16 ? nearest_low(C3D_PRECISION_FP16, x) : x;
}

float lanes_get(c3d_cuda_type type, const void *array, size_t i)
{
    if (type == C3D_CUDA_F32) return ((const float *)array)[i];
    const uint16_t bits = ((const uint16_t *)array)[i];
    const uint32_t wide = (uint32_t)bits << 16;
    float as_bf16;
    half as_half;

    memcpy(&as_bf16, &wide, sizeof as_bf16);
    memcpy(&as_half, &bits, sizeof as_half);
    return type == C3D_CUDA_BF16 ? as_bf16 : (float)as_half;
}

void lanes_set(c3d_cuda_type type, void *array, size_t i, float x)
{
    const float bf16 = lanes_nearest(C3D_CUDA_BF16, x);
    const half f16 = (half)x;

    if (type == C3D_CUDA_F32) ((float *)array)[i] = x;
    if (type == C3D_CUDA_BF16) memcpy((uint16_t *)array + i, (const char *)&bf16 + 2, 2);
    if (type == C3D_CUDA_F16) memcpy((uint16_t *)array + i, &f16, 2);
}

double lanes_rounding(c3d_cuda_type type)
{
    static const double roundings[3] = { 0x1p-24, 0x1p-8, 0x1p-11 };

    return roundings[type];
}

void *lanes_garbage(size_t n_bytes)
{
    void *const bytes = lanes_alloc(n_bytes);

    memset(bytes, 0xff, n_bytes);
    return bytes;
}

/* Where element (c, at) of row n lies, at counting positions. */
static size_t lane_index(c3d_shape s, size_t row, size_t c, size_t at)
{
    const size_t n_map = (size_t)s.d * (size_t)s.h * (size_t)s.w;

    return (row * n_map + at) * (size_t)lanes_rounded(s.c) + c;
}

void *lanes_from(c3d_shape s, c3d_cuda_type type, const float *canonical)
{
    const size_t n_map = (size_t)s.d * (size_t)s.h * (size_t)s.w, n = lanes_count(s);
    void *const to = lanes_garbage(n * lanes_element(type));

    memset(to, 0, n * lanes_element(type));
    for (size_t row = 0; row < (size_t)s.n; row++)
        for (size_t c = 0; c < (size_t)s.c; c++)
            for (size_t at = 0; at < n_map; at++)
                lanes_set(type, to, lane_index(s, row, c, at), *canonical++);
    return to;
}

float *lanes_to(c3d_shape s, c3d_cuda_type type, const void *lanes)
{
    const size_t n_map = (size_t)s.d * (size_t)s.h * (size_t)s.w;
    float *const canonical = lanes_garbage(c3d_shape_count(s) * sizeof(float)), *to = canonical;

    for (size_t row = 0; row < (size_t)s.n; row++)
        for (size_t c = 0; c < (size_t)lanes_rounded(s.c); c++)
            for (size_t at = 0; at < n_map; at++) {
                const float x = lanes_get(type, lanes, lane_index(s, row, c, at));

                if (c < (size_t)s.c)
                    *to++ = x;
                else if (!(x == 0))
                    fail_msg("row %zu, padding channel %zu, position %zu: %g", row, c, at,
                             (double)x);
            }
    return canonical;
}

void lanes_same(void **first, const void *bytes, size_t n_bytes, const char *what)
{
    if (*first) {
        if (memcmp(*first, bytes, n_bytes) != 0) fail_msg("%s: depends on the order", what);
        return;
    }
    *first = lanes_garbage(n_bytes);
    memcpy(*first, bytes, n_bytes);
}

float lanes_draw(unsigned stream, size_t i)
{
    return (float)(2 * c3d_random_unit(3, C3D_STREAM(C3D_PURPOSE_TEST, stream), i) - 1);
}
