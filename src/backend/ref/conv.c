#include "backend/ref/ref.h"

/* A convolution visits every product once, and its three passes differ only in which of the three
 * arrays is summed:
 *     y += x w (forward),   dx += dy w (backward to x),   dw += x dy (backward to w).
 * One loop nest visits a sample's products line by line: along a line the weight stays the same
 * while output columns run. */
typedef struct line {
    size_t x, w, y; /* first element: in the sample's x, in the weights, in the sample's y */
    size_t n;       /* columns of y */
    size_t x_step;  /* elements of x from one column of y to the next */
} line;

typedef struct arrays {
    const float *x, *w, *dy;
    double *sums;
} arrays;

typedef void visit(const arrays *a, const line *l);

static void add_to_y(const arrays *a, const line *l)
{
    const double w = (double)a->w[l->w];

    for (size_t i = 0; i < l->n; i++) a->sums[l->y + i] += w * (double)a->x[l->x + i * l->x_step];
}

static void add_to_x(const arrays *a, const line *l)
{
    const double w = (double)a->w[l->w];

    for (size_t i = 0; i < l->n; i++) a->sums[l->x + i * l->x_step] += w * (double)a->dy[l->y + i];
}

static void add_to_w(const arrays *a, const line *l)
{
    double sum = 0;

    for (size_t i = 0; i < l->n; i++)
        sum += (double)a->x[l->x + i * l->x_step] * (double)a->dy[l->y + i];
    a->sums[l->w] += sum;
}

/* Outputs first..last-1 of an axis whose element `o * stride + tap - pad` lies inside x. */
typedef struct range {
    int first, last;
} range;

static range outputs_inside(int tap, int pad, int stride, int x_extent, int y_extent)
{
    const int offset = tap - pad;
    range r = { 0, 0 };

    if (offset < 0) r.first = (-offset + stride - 1) / stride;
    if (x_extent - offset > 0) r.last = (x_extent - offset - 1) / stride + 1;
    if (r.last > y_extent) r.last = y_extent;
    return r;
}

static range inside(const c3d_plan *p, int axis, int tap)
{
    const int x[3] = { p->x_shape.d, p->x_shape.h, p->x_shape.w };
    const int y[3] = { p->y_shape.d, p->y_shape.h, p->y_shape.w };

    return outputs_inside(tap, p->desc.pad_before[axis], p->desc.stride[axis], x[axis], y[axis]);
}

static size_t element(c3d_shape s, int c, int d, int h, int w)
{
    return (((size_t)c * (size_t)s.d + (size_t)d) * (size_t)s.h + (size_t)h) * (size_t)s.w +
           (size_t)w;
}

/* All lines of filter k, channel c and one tap of the kernel. */
static void visit_tap(const c3d_plan *p, int k, int c, const int tap[3], line l, const arrays *a,
                      visit *add)
{
    const c3d_op_desc *desc = &p->desc;
    const range d = inside(p, 0, tap[0]), h = inside(p, 1, tap[1]), w = inside(p, 2, tap[2]);

    if (w.first >= w.last) return;
    l.n = (size_t)(w.last - w.first);
    l.x_step = (size_t)desc->stride[2];
    for (int od = d.first; od < d.last; od++) {
        for (int oh = h.first; oh < h.last; oh++) {
            l.x = element(p->x_shape, c, od * desc->stride[0] + tap[0] - desc->pad_before[0],
                          oh * desc->stride[1] + tap[1] - desc->pad_before[1],
                          w.first * desc->stride[2] + tap[2] - desc->pad_before[2]);
            l.y = element(p->y_shape, k, od, oh, w.first);
            add(a, &l);
        }
    }
}

static void visit_sample(const c3d_plan *p, const arrays *a, visit *add)
{
    const int *kernel = p->desc.kernel;
    line l = { 0 };

    for (int k = 0; k < p->desc.n_filters; k++)
        for (int c = 0; c < p->x_shape.c; c++)
            for (int kd = 0; kd < kernel[0]; kd++)
                for (int kh = 0; kh < kernel[1]; kh++)
                    for (int kw = 0; kw < kernel[2]; kw++) {
                        visit_tap(p, k, c, (const int[3]){ kd, kh, kw }, l, a, add);
                        l.w++;
                    }
}

static void clear(double *sums, size_t n)
{
    for (size_t i = 0; i < n; i++) sums[i] = 0;
}

c3d_status c3d_ref_conv_prepare(c3d_backend *self, ref_plan *plan)
{
    void *sums;
    size_t n = c3d_shape_sample_count(plan->base.y_shape);

    if (n < c3d_shape_sample_count(plan->base.x_shape))
        n = c3d_shape_sample_count(plan->base.x_shape);
    if (n < plan->base.param_n[0]) n = plan->base.param_n[0];
    C3D_TRY(c3d_host_alloc(self, n * sizeof *plan->sums, &sums));
    plan->sums = sums;
    return C3D_OK;
}

void c3d_ref_conv_forward(ref_plan *plan, const float *w, const float *b, int n_samples)
{
    const c3d_plan *p = &plan->base;
    const size_t n_x = c3d_shape_sample_count(p->x_shape);
    const size_t n_y = c3d_shape_sample_count(p->y_shape), n_map = n_y / (size_t)p->y_shape.c;

    for (int r = 0; r < n_samples; r++) {
        const arrays a = { .x = p->x->value + (size_t)r * n_x, .w = w, .sums = plan->sums };
        float *const y = p->y->value + (size_t)r * n_y;

        for (size_t i = 0; i < n_y; i++) plan->sums[i] = b ? (double)b[i / n_map] : 0;
        visit_sample(p, &a, add_to_y);
        for (size_t i = 0; i < n_y; i++) y[i] = (float)plan->sums[i];
    }
}

void c3d_ref_conv_backward_x(ref_plan *plan, const float *w, int n_samples)
{
    const c3d_plan *p = &plan->base;
    const size_t n_x = c3d_shape_sample_count(p->x_shape);
    const size_t n_y = c3d_shape_sample_count(p->y_shape);

    for (int r = 0; r < n_samples; r++) {
        const arrays a = { .w = w, .dy = p->y->grad + (size_t)r * n_y, .sums = plan->sums };
        float *const dx = p->x->grad + (size_t)r * n_x;

        clear(plan->sums, n_x);
        visit_sample(p, &a, add_to_x);
        for (size_t i = 0; i < n_x; i++) dx[i] = (float)plan->sums[i];
    }
}

static void bias_gradient(const c3d_plan *p, float *db, const c3d_pass *pass)
{
    const size_t n_y = c3d_shape_sample_count(p->y_shape), n_map = n_y / (size_t)p->y_shape.c;

    for (size_t k = 0; k < (size_t)p->y_shape.c; k++) {
        double sum = 0;

        for (int r = 0; r < pass->n_samples; r++)
            for (size_t i = 0; i < n_map; i++)
                sum += (double)p->y->grad[(size_t)r * n_y + k * n_map + i];
        c3d_ref_store(db + k, sum, pass->accumulate);
    }
}

void c3d_ref_conv_backward_w(ref_plan *plan, float *dw, float *db, const c3d_pass *pass)
{
    const c3d_plan *p = &plan->base;
    const size_t n_x = c3d_shape_sample_count(p->x_shape);
    const size_t n_y = c3d_shape_sample_count(p->y_shape);

    clear(plan->sums, p->param_n[0]);
    for (int r = 0; r < pass->n_samples; r++) {
        const arrays a = { .x = p->x->value + (size_t)r * n_x,
                           .dy = p->y->grad + (size_t)r * n_y,
                           .sums = plan->sums };

        visit_sample(p, &a, add_to_w);
    }
    for (size_t i = 0; i < p->param_n[0]; i++)
        c3d_ref_store(dw + i, plan->sums[i], pass->accumulate);
    if (db) bias_gradient(p, db, pass);
}
