/* One layer of the backend against the reference, on the input, parameters and output gradient that
 * it really had. Of a convolution or linear layer too large for the reference some filters are
 * compared (output, gradients of parameters) and some input channels (gradient of the input).
 *
 * How far two right results may lie apart follows from the sum of the absolute values of the terms,
 * which the reference computes too: u (4 + 8 sqrt(n)) of it for n terms added in float32, and the
 * rounding of the terms themselves in 16 bits. */
#include "train/debug.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BUDGET 5e7 /* multiply-adds that the reference may take for a pass of a part */

/* A layer as the reference runs it. Canonical arrays; NULL: not there. */
typedef struct part {
    c3d_op_desc op;
    c3d_shape x_shape, y_shape;
    float *x, *w, *b, *dy;   /* given */
    float *y, *dx, *dw, *db; /* made */
    size_t n_w, n_b;
} part;

static void part_free(part *p)
{
    float *const all[] = { p->x, p->w, p->b, p->dy, p->y, p->dx, p->dw, p->db };

    for (size_t i = 0; i < C3D_COUNT(all); i++) free(all[i]);
}

static c3d_status part_create(part *p)
{
    const size_t n_x = c3d_shape_count(p->x_shape), n_y = c3d_shape_count(p->y_shape);
    float **const arrays[] = { &p->x, &p->dx, &p->dy, &p->y, &p->w, &p->dw, &p->b, &p->db };
    const size_t n[] = { n_x, n_x, n_y, n_y, p->n_w, p->n_w, p->n_b, p->n_b };

    for (size_t i = 0; i < C3D_COUNT(arrays); i++) {
        *arrays[i] = c3d_calloc(n[i] + 1, sizeof(float)); /* a pool has no weights */
        if (!*arrays[i]) return C3D_ENOMEM;
    }
    return C3D_OK;
}

/* ---- running the reference ------------------------------------------------------------------- */

typedef struct session {
    c3d_backend backend;
    c3d_activation *x;
    c3d_plan *plan;
    void *param[2], *grad[2];
} session;

static void session_close(session *s)
{
    if (!s->backend.ops) return;
    for (int i = 0; i < 2; i++) {
        if (s->param[i]) s->backend.ops->free(&s->backend, s->param[i]);
        if (s->grad[i]) s->backend.ops->free(&s->backend, s->grad[i]);
    }
    if (s->plan) s->backend.ops->plan_free(&s->backend, s->plan);
    if (s->x) s->backend.ops->activation_free(&s->backend, s->x);
    c3d_backend_close(&s->backend);
}

static c3d_status session_open(session *s, const part *p)
{
    const float *const params[2] = { p->w, p->b };
    const c3d_backend_ops *ops;

    C3D_TRY(c3d_backend_open(&s->backend, "ref", &(c3d_backend_options){ .n_threads = 1 }));
    ops = s->backend.ops;
    C3D_TRY(ops->input_create(&s->backend, p->x_shape, &s->x));
    C3D_TRY(ops->plan(&s->backend, &p->op, s->x, &s->plan));
    for (int i = 0; i < 2 && i < s->plan->n_params; i++) {
        const size_t n_bytes = s->plan->param_n_physical[i] * sizeof(float);
        C3D_TRY(ops->alloc(&s->backend, n_bytes, &s->param[i]));
        C3D_TRY(ops->alloc(&s->backend, n_bytes, &s->grad[i]));
        C3D_TRY(ops->param_import(&s->backend, s->plan, i, params[i], s->param[i]));
    }
    return C3D_OK;
}

static c3d_status session_run(session *s, const c3d_pass *pass, part *p)
{
    const c3d_backend_ops *ops = s->backend.ops;
    const c3d_params params = { .value = { s->param[0], s->param[1] } };
    float *const grads[2] = { s->grad[0], s->grad[1] };
    float *const made[2] = { p->dw, p->db };

    C3D_TRY(ops->activation_write(&s->backend, s->x, false, p->x));
    C3D_TRY(ops->forward(&s->backend, s->plan, &params, pass));
    C3D_TRY(ops->activation_read(&s->backend, s->plan->y, false, p->y));
    C3D_TRY(ops->activation_write(&s->backend, s->plan->y, true, p->dy));
    C3D_TRY(ops->backward(&s->backend, s->plan, &params, grads, pass));
    if (p->op.needs_x_grad) C3D_TRY(ops->activation_read(&s->backend, s->x, true, p->dx));
    for (int i = 0; i < 2 && i < s->plan->n_params; i++)
        C3D_TRY(ops->param_export(&s->backend, s->plan, i, s->grad[i], made[i]));
    return C3D_OK;
}

static c3d_status run_reference(const c3d_debug *d, part *p)
{
    session s = { 0 };
    c3d_status st = session_open(&s, p);

    if (st == C3D_OK) st = session_run(&s, &d->pass, p);
    session_close(&s);
    return st;
}

/* ---- what the backend had and made ----------------------------------------------------------- */

static bool is_weighted(const c3d_op_desc *op)
{
    return op->op == C3D_OP_CONV || op->op == C3D_OP_LINEAR;
}

/* Rows in use of an activation, into an array that holds them. */
static c3d_status read_rows(const c3d_debug *d, c3d_activation *x, c3d_shape planned, bool grad,
                            float *rows)
{
    c3d_backend *backend = d->model->backend;
    float *all = c3d_calloc(c3d_shape_count(planned), sizeof *all);

    if (!all) return C3D_ENOMEM;
    const c3d_status st = backend->ops->activation_read(backend, x, grad, all);
    memcpy(rows, all, (size_t)d->pass.n_samples * c3d_shape_sample_count(planned) * sizeof *rows);
    free(all);
    return st;
}

static c3d_status read_params(const c3d_debug *d, int layer, part *p)
{
    float *const value[2] = { p->w, p->b }, *const grad[2] = { p->dw, p->db };

    for (int i = 0; i < d->model->n_params; i++) {
        const c3d_param *param = &d->model->params[i];
        if (param->layer != layer) continue;
        C3D_TRY(c3d_model_export(d->model, i, d->model->param, value[param->which]));
        C3D_TRY(c3d_model_export(d->model, i, d->model->grad, grad[param->which]));
    }
    return C3D_OK;
}

/* The ReLU is taken out: its backward is done here by the backend's own output, since next to zero
 * two right outputs may differ in sign. */
static c3d_status read_layer(const c3d_debug *d, int layer, const float *dy, part *p)
{
    const c3d_plan *plan = d->model->plans[layer];

    *p = (part){ .op = plan->desc, .x_shape = plan->x_shape, .y_shape = plan->y_shape };
    p->x_shape.n = p->y_shape.n = d->pass.n_samples;
    p->op.relu = false;
    p->n_w = plan->n_params > 0 ? plan->param_n[0] : 0;
    p->n_b = plan->n_params > 1 ? plan->param_n[1] : 0;
    C3D_TRY(part_create(p));
    C3D_TRY(read_rows(d, plan->x, plan->x_shape, false, p->x));
    C3D_TRY(read_rows(d, plan->y, plan->y_shape, false, p->y));
    if (p->op.needs_x_grad) C3D_TRY(read_rows(d, plan->x, plan->x_shape, true, p->dx));
    for (size_t i = 0; i < c3d_shape_count(p->y_shape); i++)
        p->dy[i] = plan->desc.relu && p->y[i] == 0 ? 0 : dy[i];
    return read_params(d, layer, p);
}

/* ---- parts of a weighted layer --------------------------------------------------------------- */

/* n of `of` numbers, evenly spread. */
static int pick(int i, int n, int of)
{
    return (int)((long long)i * of / n);
}

static int affordable(const part *whole, uint64_t multiply_adds, int of)
{
    const double each = (double)multiply_adds * whole->x_shape.n / of;
    const double n = BUDGET / each;

    return n < 1 ? 1 : n > of ? of : (int)n;
}

/* Copies channels first, second ... of each row between an array of n channels and one of `of`. */
static void take_channels(const float *from, c3d_shape s, int n, float *to)
{
    const size_t size = c3d_shape_sample_count(s) / (size_t)s.c;

    for (int r = 0; r < s.n; r++)
        for (int i = 0; i < n; i++)
            memcpy(to + ((size_t)r * (size_t)n + (size_t)i) * size,
                   from + ((size_t)r * (size_t)s.c + (size_t)pick(i, n, s.c)) * size,
                   size * sizeof *to);
}

/* All input channels, n of the filters; no gradient of the input. `made`: what the backend made of
 * them, in the same shape. */
static c3d_status take_filters(const part *whole, int n, part *out)
{
    const size_t row = whole->n_w / (size_t)whole->y_shape.c;

    *out = (part){ .op = whole->op, .x_shape = whole->x_shape, .y_shape = whole->y_shape };
    out->op.n_filters = out->y_shape.c = n;
    out->op.needs_x_grad = false;
    out->n_w = row * (size_t)n;
    out->n_b = whole->n_b ? (size_t)n : 0;
    C3D_TRY(part_create(out));
    memcpy(out->x, whole->x, c3d_shape_count(whole->x_shape) * sizeof *out->x);
    take_channels(whole->dy, whole->y_shape, n, out->dy);
    take_channels(whole->y, whole->y_shape, n, out->y);
    for (int i = 0; i < n; i++) {
        const size_t k = (size_t)pick(i, n, whole->y_shape.c);
        memcpy(out->w + (size_t)i * row, whole->w + k * row, row * sizeof *out->w);
        memcpy(out->dw + (size_t)i * row, whole->dw + k * row, row * sizeof *out->dw);
        if (!whole->n_b) continue;
        out->b[i] = whole->b[k];
        out->db[i] = whole->db[k];
    }
    return C3D_OK;
}

/* All filters, n of the input channels; only the gradient of the input means something. */
static c3d_status take_inputs(const part *whole, int n, part *out)
{
    const int n_channels = whole->x_shape.c, n_filters = whole->y_shape.c;
    const size_t size = whole->n_w / (size_t)n_filters / (size_t)n_channels;

    *out = (part){ .op = whole->op, .x_shape = whole->x_shape, .y_shape = whole->y_shape };
    out->x_shape.c = n;
    out->n_w = whole->n_w / (size_t)n_channels * (size_t)n;
    out->n_b = whole->n_b;
    C3D_TRY(part_create(out));
    memcpy(out->dy, whole->dy, c3d_shape_count(whole->y_shape) * sizeof *out->dy);
    take_channels(whole->x, whole->x_shape, n, out->x);
    take_channels(whole->dx, whole->x_shape, n, out->dx);
    for (int k = 0; k < n_filters; k++)
        for (int i = 0; i < n; i++)
            memcpy(out->w + ((size_t)k * (size_t)n + (size_t)i) * size,
                   whole->w +
                       ((size_t)k * (size_t)n_channels + (size_t)pick(i, n, n_channels)) * size,
                   size * sizeof *out->w);
    return C3D_OK;
}

/* ---- comparing ------------------------------------------------------------------------------- */

/* Relative rounding of one stored term. */
static double unit_of(c3d_precision precision)
{
    switch (precision) {
    case C3D_PRECISION_BF16: return 0x1p-8;
    case C3D_PRECISION_FP16:
    case C3D_PRECISION_TF32: return 0x1p-10;
    case C3D_PRECISION_FP32: break;
    }
    return 0x1p-24;
}

typedef struct question {
    int layer;
    const char *what;
    const float *is, *expected, *size; /* [n] size: sum of absolute terms */
    size_t n;
    double n_terms;
    bool relu;
    const float *gate; /* NULL, or [n]: elements where it is not positive do not count */
} question;

/* The element that is furthest out of its bound, if any is. */
static void ask(c3d_debug *d, const question *q)
{
    const double u = unit_of(d->model->backend->options.precision);
    const double factor = 2 * u + 0x1p-24 * (4 + 8 * sqrt(q->n_terms));
    double worst = 1;
    size_t at = 0;

    for (size_t i = 0; i < q->n; i++) {
        if (q->gate && !(q->gate[i] > 0)) continue;
        const double expected = q->relu && q->expected[i] < 0 ? 0 : (double)q->expected[i];
        const double bound = factor * (double)q->size[i] + 1e-35;
        const double ratio = fabs((double)q->is[i] - expected) / bound;
        if (!(ratio <= worst)) worst = ratio, at = i;
    }
    if (!(worst > 1)) return;
    c3d_debug_find(d, C3D_FINDING_WRONG, q->layer,
                   "%s: wrong: %s is %.6g where the reference says %.6g (element %zu of those "
                   "compared, %.3g times what rounding explains)",
                   c3d_debug_name(d, q->layer), q->what, (double)q->is[at], (double)q->expected[at],
                   at, worst);
}

static void make_absolute(float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) values[i] = fabsf(values[i]);
}

/* `expected` as made by the reference from p's inputs, `size` from their absolute values. */
static c3d_status run_twice(const c3d_debug *d, const part *p, part *expected, part *size)
{
    part *const both[2] = { expected, size };

    for (int i = 0; i < 2; i++) {
        part *q = both[i];
        *q = (part){
            .op = p->op, .x_shape = p->x_shape, .y_shape = p->y_shape, .n_w = p->n_w, .n_b = p->n_b
        };
        C3D_TRY(part_create(q));
        memcpy(q->x, p->x, c3d_shape_count(p->x_shape) * sizeof *q->x);
        memcpy(q->dy, p->dy, c3d_shape_count(p->y_shape) * sizeof *q->dy);
        memcpy(q->w, p->w, p->n_w * sizeof *q->w);
        memcpy(q->b, p->b, p->n_b * sizeof *q->b);
    }
    make_absolute(size->x, c3d_shape_count(p->x_shape));
    make_absolute(size->dy, c3d_shape_count(p->y_shape));
    make_absolute(size->w, p->n_w);
    make_absolute(size->b, p->n_b);
    C3D_TRY(run_reference(d, expected));
    return run_reference(d, size);
}

static void ask_filters(c3d_debug *d, int layer, const part *is, const part *expected,
                        const part *size)
{
    const bool relu = d->model->table.layers[layer].op.relu;
    const double n_dw = (double)c3d_shape_count(is->y_shape) / is->y_shape.c;
    const double n_y = (double)is->n_w / is->y_shape.c + 1;

    ask(d, &(question){ layer, "the output", is->y, expected->y, size->y,
                        c3d_shape_count(is->y_shape), n_y, relu, NULL });
    ask(d, &(question){ layer, "the gradient of the weights", is->dw, expected->dw, size->dw,
                        is->n_w, n_dw, false, NULL });
    ask(d, &(question){ layer, "the gradient of the biases", is->db, expected->db, size->db,
                        is->n_b, n_dw, false, NULL });
}

/* Where a ReLU below gave zero, the gradient may have been through it already. */
static void ask_inputs(c3d_debug *d, int layer, const part *is, const part *expected,
                       const part *size)
{
    const bool after_relu = layer > 0 && d->model->table.layers[layer - 1].op.relu;
    const double n_terms = is->n_w > 0 ? (double)is->n_w / is->x_shape.c + 1
                                       : (double)c3d_shape_count(is->x_shape) / is->x_shape.c;

    ask(d, &(question){ .layer = layer,
                        .what = "the gradient of the input",
                        .is = is->dx,
                        .expected = expected->dx,
                        .size = size->dx,
                        .n = c3d_shape_count(is->x_shape),
                        .n_terms = n_terms,
                        .gate = after_relu ? is->x : NULL });
}

static c3d_status compare_part(c3d_debug *d, int layer, const part *is, bool inputs)
{
    part expected = { 0 }, size = { 0 };
    const c3d_status st = run_twice(d, is, &expected, &size);

    if (st == C3D_OK && inputs)
        ask_inputs(d, layer, is, &expected, &size);
    else if (st == C3D_OK)
        ask_filters(d, layer, is, &expected, &size);
    part_free(&expected);
    part_free(&size);
    return st;
}

static c3d_status compare_weighted(c3d_debug *d, int layer, const part *whole)
{
    const uint64_t cost = d->model->table.layers[layer].multiply_adds;
    part some = { 0 };
    c3d_status st = take_filters(whole, affordable(whole, cost, whole->y_shape.c), &some);

    if (st == C3D_OK) st = compare_part(d, layer, &some, false);
    part_free(&some);
    if (st != C3D_OK || !whole->op.needs_x_grad) return st;
    some = (part){ 0 };
    st = take_inputs(whole, affordable(whole, cost, whole->x_shape.c), &some);
    if (st == C3D_OK) st = compare_part(d, layer, &some, true);
    part_free(&some);
    return st;
}

/* Largest absolute value everywhere: sums of a pool or dropout have one term. */
static void fill_largest(const float *values, size_t n, float *size)
{
    float largest = 0;

    for (size_t i = 0; i < n; i++) largest = fmaxf(largest, fabsf(values[i]));
    for (size_t i = 0; i < n; i++) size[i] = largest;
}

/* What a channel of a norm is made of. */
typedef struct channel {
    double largest_x, mean, deviation, largest_dy, sum_dy; /* of absolute dy */
} channel;

static channel channel_of(const part *p, int c)
{
    const size_t size = c3d_shape_sample_count(p->x_shape) / (size_t)p->x_shape.c;
    const double n = (double)size * p->x_shape.n;
    channel s = { 0 };
    double squares = 0;

    for (int pass = 0; pass < 2; pass++) /* the deviations need the mean */
        for (int r = 0; r < p->x_shape.n; r++) {
            const size_t first = ((size_t)r * (size_t)p->x_shape.c + (size_t)c) * size;
            for (size_t i = first; i < first + size; i++) {
                const double x = (double)p->x[i], dy = fabs((double)p->dy[i]);
                squares += pass == 1 ? (x - s.mean) * (x - s.mean) : 0;
                if (pass == 1) continue;
                s.mean += x / n;
                s.largest_x = fmax(s.largest_x, fabs(x));
                s.largest_dy = fmax(s.largest_dy, dy);
                s.sum_dy += dy;
            }
        }
    s.deviation = sqrt(squares / n + p->op.epsilon);
    return s;
}

/* A norm's sums cancel within a channel; these are the sizes of their terms at most. */
static void fill_norm(const part *p, part *size)
{
    const size_t per_channel = c3d_shape_sample_count(p->x_shape) / (size_t)p->x_shape.c;

    for (int c = 0; c < p->x_shape.c; c++) {
        const channel s = channel_of(p, c);
        const double slope = fabs((double)p->w[c]) / s.deviation;
        const double furthest = 2 * s.largest_x / s.deviation;
        const double y = slope * 2 * s.largest_x + fabs((double)p->b[c]);
        const double dx = slope * s.largest_dy * (2 + furthest * furthest);
        for (int r = 0; r < p->x_shape.n; r++) {
            const size_t first = ((size_t)r * (size_t)p->x_shape.c + (size_t)c) * per_channel;
            for (size_t i = first; i < first + per_channel; i++) {
                size->y[i] = (float)y;
                size->dx[i] = (float)dx;
            }
        }
        size->dw[c] = (float)(s.sum_dy * furthest);
        size->db[c] = (float)s.sum_dy;
    }
}

static void fill_sizes(const part *p, const part *expected, part *size)
{
    if (p->op.op == C3D_OP_NORM) {
        fill_norm(p, size);
    } else {
        fill_largest(expected->y, c3d_shape_count(p->y_shape), size->y);
        fill_largest(expected->dx, c3d_shape_count(p->x_shape), size->dx);
    }
}

static c3d_status compare_other(c3d_debug *d, int layer, const part *is)
{
    part expected = { 0 }, size = { 0 };
    c3d_status st = run_twice(d, is, &expected, &size);

    if (st == C3D_OK) {
        fill_sizes(is, &expected, &size);
        ask_filters(d, layer, is, &expected, &size);
        if (is->op.needs_x_grad) ask_inputs(d, layer, is, &expected, &size);
    }
    part_free(&expected);
    part_free(&size);
    return st;
}

c3d_status c3d_debug_compare(c3d_debug *d, int layer, const float *dy)
{
    part whole = { 0 };
    c3d_status st = read_layer(d, layer, dy, &whole);

    if (st == C3D_OK)
        st = is_weighted(&whole.op) ? compare_weighted(d, layer, &whole)
                                    : compare_other(d, layer, &whole);
    part_free(&whole);
    return st;
}
