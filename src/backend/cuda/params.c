/* Filters lie [K, taps, C] on the device, K and C rounded up, where the canonical order is [K, C,
 * taps]; a tap is an element of a convolution's kernel, or a position of the map before a linear
 * layer. What is one number a channel is one filter of one tap. */
#include "backend/cuda/cuda.h"

#include <stdlib.h>
#include <string.h>

typedef struct order {
    size_t n_filters, n_channels, n_taps; /* canonical */
    size_t n_filters_physical, n_lanes;
} order;

static order order_of(const c3d_plan *p, int which)
{
    const c3d_op_desc *desc = &p->desc;
    const c3d_shape x = p->x_shape;
    const int *kernel = desc->kernel;
    const bool conv = desc->op == C3D_OP_CONV;

    if (which == 1 || desc->op == C3D_OP_NORM)
        return (order){ .n_filters = 1,
                        .n_channels = (size_t)p->y_shape.c,
                        .n_taps = 1,
                        .n_filters_physical = 1,
                        .n_lanes = (size_t)c3d_cuda_lanes(p->y_shape.c) };
    return (order){ .n_filters = (size_t)desc->n_filters,
                    .n_channels = (size_t)x.c,
                    .n_taps = conv ? (size_t)kernel[0] * (size_t)kernel[1] * (size_t)kernel[2]
                                   : (size_t)x.d * (size_t)x.h * (size_t)x.w,
                    .n_filters_physical = (size_t)c3d_cuda_lanes(desc->n_filters),
                    .n_lanes = (size_t)c3d_cuda_lanes(x.c) };
}

void c3d_cuda_param_sizes(cuda_plan *plan)
{
    c3d_plan *p = &plan->base;

    for (int i = 0; i < p->n_params; i++) {
        const order o = order_of(p, i);

        p->param_n_physical[i] = (o.n_filters_physical * o.n_taps * o.n_lanes + 15) / 16 * 16;
    }
}

/* ---- one piece of filters, in host memory ---------------------------------------------------- */

#define PIECE_BYTES ((size_t)32 << 20)

static size_t filters_of_piece(const order *o)
{
    const size_t n = PIECE_BYTES / (o->n_taps * o->n_lanes * sizeof(float));

    return n < 1 ? 1 : n < o->n_filters ? n : o->n_filters;
}

/* A few channels at a time, so that both sides go through the cache. */
#define BLOCK 16

static void translate(const order *o, float *canonical, float *physical, bool import)
{
    for (size_t first = 0; first < o->n_channels; first += BLOCK) {
        const size_t end = first + BLOCK < o->n_channels ? first + BLOCK : o->n_channels;

        for (size_t t = 0; t < o->n_taps; t++)
            for (size_t c = first; c < end; c++) {
                float *const here = &canonical[c * o->n_taps + t];
                float *const there = &physical[t * o->n_lanes + c];

                if (import)
                    *there = *here;
                else
                    *here = *there;
            }
    }
}

static void translate_all(const order *o, size_t n, float *canonical, float *physical, bool import)
{
#pragma omp parallel for schedule(static) if (n * o->n_taps * o->n_lanes > 100000)
    for (size_t k = 0; k < n; k++)
        translate(o, canonical + k * o->n_channels * o->n_taps,
                  physical + k * o->n_taps * o->n_lanes, import);
}

/* ---- entries --------------------------------------------------------------------------------- */

/* The piece's padding is zero from the start and no translation touches it. */
static c3d_status import_pieces(c3d_backend *self, const order *o, float *piece,
                                const float *canonical, float *physical)
{
    const size_t n_each = filters_of_piece(o), n_physical = o->n_taps * o->n_lanes;

    for (size_t k = 0; k < o->n_filters; k += n_each) {
        const size_t n = k + n_each < o->n_filters ? n_each : o->n_filters - k;
        const float *from = canonical + k * o->n_channels * o->n_taps;

        translate_all(o, n, (float *)(uintptr_t)from, piece, true);
        C3D_TRY(c3d_cuda_upload(self, physical + k * n_physical, piece,
                                n * n_physical * sizeof *piece));
    }
    return C3D_OK;
}

static c3d_status export_pieces(c3d_backend *self, const order *o, float *piece,
                                const float *physical, float *canonical)
{
    const size_t n_each = filters_of_piece(o), n_physical = o->n_taps * o->n_lanes;

    for (size_t k = 0; k < o->n_filters; k += n_each) {
        const size_t n = k + n_each < o->n_filters ? n_each : o->n_filters - k;

        C3D_TRY(c3d_cuda_download(self, piece, physical + k * n_physical,
                                  n * n_physical * sizeof *piece));
        translate_all(o, n, canonical + k * o->n_channels * o->n_taps, piece, false);
    }
    return C3D_OK;
}

static float *piece_create(const order *o)
{
    return c3d_calloc(filters_of_piece(o) * o->n_taps * o->n_lanes, sizeof(float));
}

c3d_status c3d_cuda_param_import(c3d_backend *self, const c3d_plan *plan, int which,
                                 const float *canonical, float *physical)
{
    const order o = order_of(plan, which);
    const size_t n = o.n_filters * o.n_taps * o.n_lanes;
    float *const piece = piece_create(&o);

    if (!piece) return C3D_ENOMEM;
    c3d_status st = import_pieces(self, &o, piece, canonical, physical);
    if (st == C3D_OK) /* filters that only pad, and what follows them */
        st = c3d_cuda_zero(self, physical + n,
                           (plan->param_n_physical[which] - n) * sizeof *physical);
    free(piece);
    return st;
}

c3d_status c3d_cuda_param_export(c3d_backend *self, const c3d_plan *plan, int which,
                                 const float *physical, float *canonical)
{
    const order o = order_of(plan, which);
    float *const piece = piece_create(&o);

    if (!piece) return C3D_ENOMEM;
    const c3d_status st = export_pieces(self, &o, piece, physical, canonical);
    free(piece);
    return st;
}
