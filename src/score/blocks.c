/* Blocks of samples, drawn again and again (Efron 1979, of blocks after Künsch 1989). */
#include "c3d/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct named {
    int64_t name;
    uint32_t sample;
} named;

static int by_name(const void *a, const void *b)
{
    const named *x = a, *y = b;

    if (x->name != y->name) return x->name < y->name ? -1 : 1;
    return (x->sample > y->sample) - (x->sample < y->sample);
}

c3d_status c3d_blocks_make(const int64_t *names, size_t n_samples, c3d_blocks *out)
{
    named *order = c3d_calloc(n_samples + 1, sizeof *order);
    c3d_blocks blocks = { .n_samples = n_samples,
                          .of = c3d_calloc(n_samples + 1, sizeof *blocks.of),
                          .n_within = c3d_calloc(n_samples + 1, sizeof *blocks.n_within) };

    C3D_ASSERT(n_samples <= UINT32_MAX);
    if (!order || !blocks.of || !blocks.n_within) {
        free(order);
        c3d_blocks_free(&blocks);
        return C3D_ENOMEM;
    }
    for (size_t i = 0; i < n_samples; i++) order[i] = (named){ names[i], (uint32_t)i };
    qsort(order, n_samples, sizeof *order, by_name);
    for (size_t i = 0; i < n_samples; i++) {
        if (i == 0 || order[i].name != order[i - 1].name) blocks.n++;
        blocks.of[order[i].sample] = (uint32_t)(blocks.n - 1);
        blocks.n_within[blocks.n - 1]++;
    }
    free(order);
    *out = blocks;
    return C3D_OK;
}

void c3d_blocks_free(c3d_blocks *blocks)
{
    free(blocks->of);
    free(blocks->n_within);
    *blocks = (c3d_blocks){ 0 };
}

c3d_status c3d_blocks_worth(const c3d_blocks *blocks, const bool *is, double *out)
{
    uint32_t *within = c3d_calloc(blocks->n + 1, sizeof *within);
    double n = 0, squares = 0;

    if (!within) return C3D_ENOMEM;
    for (size_t i = 0; i < blocks->n_samples; i++) within[blocks->of[i]] += !is || is[i];
    for (size_t b = 0; b < blocks->n; b++) {
        n += within[b];
        squares += (double)within[b] * within[b];
    }
    free(within);
    *out = n > 0 ? n * n / squares : 0;
    return C3D_OK;
}

bool c3d_blocks_are_enough(size_t n_blocks, double worth)
{
    return n_blocks >= C3D_BLOCKS_MIN && worth >= C3D_BLOCKS_MIN_EFFECTIVE;
}

void c3d_blocks_draw(size_t n, uint64_t seed, uint64_t replicate, uint32_t *times)
{
    uint32_t words[4] = { 0 };

    memset(times, 0, n * sizeof *times);
    for (size_t i = 0; i < n; i++) {
        if (i % 4 == 0)
            c3d_random_4x32(seed, C3D_STREAM(C3D_PURPOSE_BOOTSTRAP, replicate), i / 4, words);
        times[(uint64_t)words[i % 4] * n >> 32]++;
    }
}

double c3d_quantile(const double *sorted, size_t n, double q)
{
    if (n == 0) return (double)NAN;
    const double at = q * (double)(n - 1), below = floor(at);
    const size_t i = (size_t)below;

    if (i + 1 >= n) return sorted[n - 1];
    return sorted[i] + (at - below) * (sorted[i + 1] - sorted[i]);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    return (x > y) - (x < y);
}

void c3d_percentiles(double *values, size_t n, double *low, double *high)
{
    size_t n_defined = 0;

    qsort(values, n, sizeof *values, by_value);
    while (n_defined < n && !isnan(values[n_defined])) n_defined++;
    const bool is_enough = n > 0 && 10 * n_defined >= 9 * n;
    *low = is_enough ? c3d_quantile(values, n_defined, 0.025) : (double)NAN;
    *high = is_enough ? c3d_quantile(values, n_defined, 0.975) : (double)NAN;
}
