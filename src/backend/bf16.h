/* bf16: the upper half of a float. Private to src/backend. */
#ifndef C3D_BACKEND_BF16_H
#define C3D_BACKEND_BF16_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The nearest, ties to the even one; what is above the largest becomes infinite, NaN stays NaN. */
static inline uint16_t c3d_bf16_of(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    const uint32_t upper = bits >> 16;
    const uint32_t rounded = (bits + 0x7fff + (upper & 1)) >> 16;
    return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? upper | 0x40 : rounded);
}

static inline float c3d_bf16_value(uint16_t x)
{
    const uint32_t bits = (uint32_t)x << 16;
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* x > 0, so a NaN is not. */
static inline bool c3d_bf16_is_positive(uint16_t x)
{
    return (uint16_t)(x - 1) < 0x7f80;
}

/* Elementwise, on the threads that are set. */
void c3d_bf16_round(const float *from, size_t n, uint16_t *to);

#endif
