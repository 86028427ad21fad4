/* The precision a test of a backend runs in, and bf16 rounding written independently of the
 * project's own. */
#ifndef C3D_TESTS_PRECISION_H
#define C3D_TESTS_PRECISION_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c3d/backend.h"

/* The nearest of 8 significant bits and a float's range of exponents; ties to even. */
static inline float nearest_bf16(float x)
{
    int exponent;

    if (!isfinite(x) || x == 0) return x;
    (void)frexp((double)x, &exponent);
    const double quantum = ldexp(1, exponent - 8 > -133 ? exponent - 8 : -133);
    const double rounded = nearbyint((double)x / quantum) * quantum;
    return fabs(rounded) >= 0x1p128 ? copysignf(INFINITY, x) : (float)rounded;
}

static inline void round_all(c3d_precision precision, float *x, size_t n)
{
    for (size_t i = 0; i < n && precision == C3D_PRECISION_BF16; i++) x[i] = nearest_bf16(x[i]);
}

/* "fp32" or "bf16"; anything else ends the test. */
static inline c3d_precision precision_of(const char *name)
{
    if (strcmp(name, "bf16") == 0) return C3D_PRECISION_BF16;
    if (strcmp(name, "fp32") == 0) return C3D_PRECISION_FP32;
    printf("%s: no precision\n", name);
    exit(EXIT_FAILURE);
}

/* Ends the test as skipped (77) on a processor without bf16, as failed on any other failure. */
static inline void open_or_skip(c3d_backend *backend, const char *name,
                                const c3d_backend_options *options)
{
    const c3d_status st = c3d_backend_open(backend, name, options);

    if (st == C3D_OK) return;
    printf("%s: %s\n", name, c3d_error_last()->message);
    const bool is_lacking = st == C3D_EUNSUPPORTED && options->precision == C3D_PRECISION_BF16;
    exit(is_lacking ? 77 : EXIT_FAILURE);
}

#endif
