/* The precision a test of a backend runs in, and rounding to 16 bits written independently of the
 * project's own. */
#ifndef C3D_TESTS_PRECISION_H
#define C3D_TESTS_PRECISION_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c3d/backend.h"

/* The nearest number of so many significant bits, a multiple of 2^least and below 2^above; ties to
 * even. */
static inline float nearest(float x, int n_bits, int least, int above)
{
    int exponent;

    if (!isfinite(x) || x == 0) return x;
    (void)frexp((double)x, &exponent);
    const double quantum = ldexp(1, exponent - n_bits > least ? exponent - n_bits : least);
    const double rounded = nearbyint((double)x / quantum) * quantum;
    return fabs(rounded) >= ldexp(1, above) ? copysignf(INFINITY, x) : (float)rounded;
}

/* Activations and weights of 16 bits. */
static inline bool is_16_bits(c3d_precision precision)
{
    return precision == C3D_PRECISION_BF16 || precision == C3D_PRECISION_FP16;
}

static inline float nearest_low(c3d_precision precision, float x)
{
    return precision == C3D_PRECISION_BF16 ? nearest(x, 8, -133, 128) : nearest(x, 11, -24, 16);
}

/* The largest relative error of rounding to 16 bits, or of tf32's rounding of factors, which may
 * cut off. */
static inline double low_unit(c3d_precision precision)
{
    return precision == C3D_PRECISION_BF16   ? 0x1p-8
           : precision == C3D_PRECISION_FP16 ? 0x1p-11
                                             : 0x1p-10;
}

/* What rounding to 16 bits adds to a bound: below the smallest normal number it is no share. */
static inline double low_error(c3d_precision precision, double magnitude)
{
    return low_unit(precision) * magnitude + (precision == C3D_PRECISION_FP16 ? 0x1p-24 : 0);
}

static inline float low_value(c3d_precision precision, uint16_t bits)
{
    const uint32_t upper = (uint32_t)bits << 16;
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    float value;

    memcpy(&value, &upper, sizeof upper);
    if (precision == C3D_PRECISION_BF16) return value;
    if (exponent == 31)
        value = fraction ? NAN : INFINITY;
    else
        value =
            ldexpf((float)(exponent ? fraction + 1024 : fraction), exponent ? exponent - 25 : -24);
    return bits >> 15 ? -value : value;
}

static inline void round_all(c3d_precision precision, float *x, size_t n)
{
    for (size_t i = 0; i < n && is_16_bits(precision); i++) x[i] = nearest_low(precision, x[i]);
}

/* The same, and with tf32 what a product of it would lose. */
static inline void round_factors(c3d_precision precision, float *x, size_t n)
{
    round_all(precision, x, n);
    for (size_t i = 0; i < n && precision == C3D_PRECISION_TF32; i++)
        x[i] = nearest(x[i], 11, -136, 128);
}

/* "fp32", "tf32", "bf16" or "fp16"; anything else ends the test. */
static inline c3d_precision precision_of(const char *name)
{
    for (c3d_precision p = C3D_PRECISION_FP32; p <= C3D_PRECISION_FP16; p++)
        if (strcmp(name, c3d_precision_name(p)) == 0) return p;
    printf("%s: no precision\n", name);
    exit(EXIT_FAILURE);
}

/* Ends the test as skipped (77) where a precision or a device is lacking, as failed on any other
 * failure. */
static inline void open_or_skip(c3d_backend *backend, const char *name,
                                const c3d_backend_options *options)
{
    const c3d_status st = c3d_backend_open(backend, name, options);

    if (st == C3D_OK) return;
    printf("%s: %s\n", name, c3d_error_last()->message);
    const bool has_choice = options->precision != C3D_PRECISION_FP32 || strstr(name, "cuda");
    exit(st == C3D_EUNSUPPORTED && has_choice ? 77 : EXIT_FAILURE);
}

#endif
