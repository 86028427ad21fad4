#include "backend/bf16.h"
#include "backend/host.h"

#include <math.h>

void c3d_bf16_round(const float *from, size_t n, uint16_t *to)
{
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) to[i] = c3d_bf16_of(from[i]);
}

static inline void update(const c3d_adam_factors *f, const c3d_adam_arrays *a, size_t i)
{
    const float g = a->grad[i] * f->grad_scale;
    const float m = f->beta1 * a->m[i] + f->one_minus_beta1 * g;
    const float v = f->beta2 * a->v[i] + f->one_minus_beta2 * (g * g);

    a->m[i] = m;
    a->v[i] = v;
    a->param[i] -= f->rate * m / (sqrtf(v) * f->v_root + f->epsilon) + f->decay * a->param[i];
}

c3d_status c3d_host_adam(c3d_backend *self, const c3d_adam *adam, const c3d_adam_arrays *arrays)
{
    (void)self;
    if (adam->squares && !isfinite(*adam->squares)) return C3D_OK;
    const c3d_adam_factors f = c3d_adam_factors_of(adam);

    if (!arrays->low) {
#pragma omp parallel for simd schedule(static)
        for (size_t i = 0; i < arrays->n; i++) update(&f, arrays, i);
        return C3D_OK;
    }
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < arrays->n; i++) {
        update(&f, arrays, i);
        arrays->low[i] = c3d_bf16_of(arrays->param[i]);
    }
    return C3D_OK;
}

c3d_status c3d_host_to_low(c3d_backend *self, size_t n, const float *from, uint16_t *to)
{
    if (self->options.precision != C3D_PRECISION_BF16)
        return C3D_FAIL(C3D_EUNSUPPORTED, "backend %s, %s: has no 16-bit copies", self->ops->name,
                        c3d_precision_name(self->options.precision));
    c3d_bf16_round(from, n, to);
    return C3D_OK;
}

c3d_status c3d_host_add(c3d_backend *self, size_t n, const float *from, float *to)
{
    (void)self;
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) to[i] += from[i];
    return C3D_OK;
}

/* Lanes let the compiler add several elements at once in an order that we fix. */
#define LANES  8
#define CHUNKS 1024

static double chunk_squares(const float *x, size_t n)
{
    double lanes[LANES] = { 0 }, sum = 0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        for (size_t l = 0; l < LANES; l++) lanes[l] += (double)x[i + l] * (double)x[i + l];
    for (; i < n; i++) sum += (double)x[i] * (double)x[i];
    for (size_t l = 0; l < LANES; l++) sum += lanes[l];
    return sum;
}

/* Chunks depend on n alone and are added in order: no thread count changes the result. */
c3d_status c3d_host_sum_squares(c3d_backend *self, const float *x, size_t n, double *out)
{
    const size_t length = (n + CHUNKS - 1) / CHUNKS;
    double chunks[CHUNKS], sum = 0;

    (void)self;
#pragma omp parallel for schedule(static)
    for (size_t c = 0; c < CHUNKS; c++) {
        const size_t begin = c * length < n ? c * length : n;
        const size_t end = begin + length < n ? begin + length : n;

        chunks[c] = chunk_squares(x + begin, end - begin);
    }
    for (size_t c = 0; c < CHUNKS; c++) sum += chunks[c];
    *out = sum;
    return C3D_OK;
}

c3d_status c3d_host_sum_doubles(c3d_backend *self, const double *x, size_t n, double *out)
{
    double sum = 0;

    (void)self;
    for (size_t i = 0; i < n; i++) sum += x[i];
    *out = sum;
    return C3D_OK;
}
