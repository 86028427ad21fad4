#include "backend/ref/ref.h"

#include <float.h>

/* The part of a window that is no padding: first..last-1 of an axis. */
typedef struct range {
    int first, last;
} range;

static range window(const c3d_op_desc *desc, int axis, int output, int x_extent)
{
    const int start = output * desc->stride[axis] - desc->pad_before[axis];
    const int end = start + desc->kernel[axis];

    return (range){ start > 0 ? start : 0, end < x_extent ? end : x_extent };
}

/* What wins output (od, oh, ow) of a map (one sample's channel), and its value. */
typedef struct winner {
    size_t element;
    float value;
} winner;

static winner winner_of(const c3d_plan *p, const float *map, const int o[3])
{
    const c3d_shape x = p->x_shape;
    const range d = window(&p->desc, 0, o[0], x.d);
    const range h = window(&p->desc, 1, o[1], x.h);
    const range w = window(&p->desc, 2, o[2], x.w);
    winner best = {
        ((size_t)d.first * (size_t)x.h + (size_t)h.first) * (size_t)x.w + (size_t)w.first, -FLT_MAX
    };

    for (int id = d.first; id < d.last; id++)
        for (int ih = h.first; ih < h.last; ih++)
            for (int iw = w.first; iw < w.last; iw++) {
                const size_t i = ((size_t)id * (size_t)x.h + (size_t)ih) * (size_t)x.w + (size_t)iw;

                if (map[i] > best.value) best = (winner){ i, map[i] };
            }
    return best;
}

c3d_status c3d_ref_pool_prepare(c3d_backend *self, ref_plan *plan)
{
    const c3d_plan *p = &plan->base;
    void *buffer;

    C3D_TRY(c3d_host_alloc(self, c3d_shape_count(p->y_shape) * sizeof *plan->winners, &buffer));
    plan->winners = buffer;
    C3D_TRY(c3d_host_alloc(self, c3d_shape_sample_count(p->x_shape) * sizeof *plan->sums, &buffer));
    plan->sums = buffer;
    return C3D_OK;
}

void c3d_ref_pool_forward(ref_plan *plan, int n_samples)
{
    const c3d_plan *p = &plan->base;
    const c3d_shape x = p->x_shape, y = p->y_shape;
    const size_t n_map = (size_t)x.d * (size_t)x.h * (size_t)x.w;
    size_t out = 0;

    for (size_t m = 0; m < (size_t)n_samples * (size_t)x.c; m++)
        for (int od = 0; od < y.d; od++)
            for (int oh = 0; oh < y.h; oh++)
                for (int ow = 0; ow < y.w; ow++) {
                    const winner best =
                        winner_of(p, p->x->value + m * n_map, (const int[3]){ od, oh, ow });

                    plan->winners[out] = m * n_map + best.element;
                    p->y->value[out++] = best.value;
                }
}

void c3d_ref_pool_backward(ref_plan *plan, int n_samples)
{
    const c3d_plan *p = &plan->base;
    const size_t n_x = c3d_shape_sample_count(p->x_shape);
    const size_t n_y = c3d_shape_sample_count(p->y_shape);

    for (size_t r = 0; r < (size_t)n_samples; r++) {
        for (size_t i = 0; i < n_x; i++) plan->sums[i] = 0;
        for (size_t i = r * n_y; i < (r + 1) * n_y; i++)
            plan->sums[plan->winners[i] - r * n_x] += (double)p->y->grad[i];
        for (size_t i = 0; i < n_x; i++) p->x->grad[r * n_x + i] = (float)plan->sums[i];
    }
}
