/* Scenes as the words of the documentation say, element by element. */
#ifndef C3D_TESTS_NAIVE_SCENE_H
#define C3D_TESTS_NAIVE_SCENE_H

#include <math.h>

#include "c3d/dataset.h"

/* What a filled value must be, looked up afresh for each element. */
static inline double naive_fill(const double *series, const uint8_t *valid, int n, int month,
                                c3d_gaps gaps, bool is_integer)
{
    int before = month, after = month;

    if (valid[month]) return series[month];
    while (before >= 0 && !valid[before]) before--;
    while (after < n && !valid[after]) after++;
    if (gaps == C3D_GAPS_ZERO || (before < 0 && after == n)) return 0;
    if (before < 0) return series[after];
    if (after == n || gaps == C3D_GAPS_PREVIOUS) return series[before];
    const double value = series[before] + (series[after] - series[before]) *
                                              ((month - before) / (double)(after - before));
    return is_integer ? floor(value + .5) : value;
}

static inline uint32_t draw(uint64_t index, uint32_t n)
{
    return (uint32_t)c3d_random_below(7, C3D_STREAM(C3D_PURPOSE_TEST, 1), index, n);
}

#endif
