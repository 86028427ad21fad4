#include "backend/check/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Two fillings: an operation that reads what it should write shows by a difference, even through a
 * ReLU, which turns the NaN into a zero. */
#define N_FILLS 2
static float filling(int which)
{
    return which == 0 ? NAN : 0x1p100F;
}

static float *filled(size_t n, float value)
{
    float *array = c3d_calloc(n, sizeof *array);

    for (size_t i = 0; array && i < n; i++) array[i] = value;
    return array;
}

/* Hashes of everything an operation may only read. */
typedef struct inputs {
    uint64_t x, y, value[2], low[2], stats[2];
} inputs;

/* A forward or backward pass of an operation. */
typedef struct call {
    check *k;
    c3d_plan *plan;
    const c3d_params *params;
    float *const *param_grads;
    const c3d_pass *pass;
    bool backward;
    inputs before;
} call;

/* ---- what must not change -------------------------------------------------------------------- */

static c3d_status hash_activation(check *k, c3d_activation *x, c3d_shape shape, uint64_t *out)
{
    const size_t n = c3d_shape_count(shape);
    float *values = c3d_calloc(n, sizeof *values);

    if (!values) return C3D_ENOMEM;
    const c3d_status st = k->inner.ops->activation_read(&k->inner, x, false, values);
    *out = c3d_hash(values, n * sizeof *values);
    free(values);
    return st;
}

static c3d_status hash_buffer(check *k, const void *buffer, size_t n_bytes, uint64_t *out)
{
    void *copy = c3d_aligned(n_bytes);

    if (!copy) return C3D_ENOMEM;
    const c3d_status st = k->inner.ops->download(&k->inner, copy, buffer, n_bytes);
    *out = st == C3D_OK ? c3d_hash(copy, n_bytes) : 0;
    free(copy);
    return st;
}

static c3d_status hash_inputs(const call *c, inputs *out)
{
    check *k = c->k;
    const c3d_plan *plan = c->plan;

    *out = (inputs){ 0 };
    C3D_TRY(hash_activation(k, plan->x, plan->x_shape, &out->x));
    if (c->backward) C3D_TRY(hash_activation(k, plan->y, plan->y_shape, &out->y));
    for (int i = 0; i < plan->n_params; i++) {
        const size_t n = plan->param_n_physical[i];
        C3D_TRY(hash_buffer(k, c->params->value[i], n * sizeof(float), &out->value[i]));
        if (c->params->low[i])
            C3D_TRY(hash_buffer(k, c->params->low[i], n * sizeof(uint16_t), &out->low[i]));
    }
    for (int i = 0; i < 2; i++)
        if (c->params->stats[i])
            C3D_TRY(hash_buffer(k, c->params->stats[i], (size_t)plan->x_shape.c * sizeof(float),
                                &out->stats[i]));
    return C3D_OK;
}

static const char *op_name(const c3d_plan *plan)
{
    static const char *const names[] = { [C3D_OP_CONV] = "convolution",
                                         [C3D_OP_POOL] = "pool",
                                         [C3D_OP_LINEAR] = "linear layer",
                                         [C3D_OP_DROPOUT] = "dropout",
                                         [C3D_OP_NORM] = "norm" };
    const size_t op = (size_t)plan->desc.op;

    return op < C3D_COUNT(names) && names[op] ? names[op] : "operation";
}

/* Asked after each run: what the first changed, the second would read. */
static c3d_status compare_inputs(const call *c)
{
    const inputs *before = &c->before;
    const char *changed = NULL;
    inputs after;

    C3D_TRY(hash_inputs(c, &after));
    for (int i = 0; i < c->plan->n_params; i++)
        if (before->value[i] != after.value[i] || before->low[i] != after.low[i])
            changed = i == 0 ? "its weights" : "its biases";
    for (int i = 0; i < 2; i++)
        if (before->stats[i] != after.stats[i]) changed = "its running statistics";
    if (before->y != after.y) changed = "the values of its output";
    if (before->x != after.x) changed = "its input";
    if (!changed) return C3D_OK;
    return C3D_FAIL(C3D_EINTERNAL, "check: %s of a %s changed %s",
                    c->backward ? "backward" : "forward", op_name(c->plan), changed);
}

/* ---- what must be written -------------------------------------------------------------------- */

static uint32_t bits_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The results of two runs, bit by bit; rows: elements that count. */
static c3d_status compare(const float *a, const float *b, size_t n, const c3d_plan *plan,
                          const char *what)
{
    for (size_t i = 0; i < n; i++) {
        if (bits_of(a[i]) == bits_of(b[i])) continue;
        return C3D_FAIL(C3D_EINTERNAL,
                        "check: %s of a %s: element %zu is not written, or depends on what was "
                        "there before (%g and %g)",
                        what, op_name(plan), i, (double)a[i], (double)b[i]);
    }
    return C3D_OK;
}

static c3d_status fill_activation(check *k, c3d_activation *x, c3d_shape shape, bool grad, int fill)
{
    float *values = filled(c3d_shape_count(shape), filling(fill));

    if (!values) return C3D_ENOMEM;
    const c3d_status st = k->inner.ops->activation_write(&k->inner, x, grad, values);
    free(values);
    return st;
}

/* ---- forward --------------------------------------------------------------------------------- */

static c3d_status check_call(const call *c)
{
    check *k = c->k;
    const c3d_plan *plan = c->plan;

    C3D_TRY(c3d_check_live(k, THING_PLAN, plan, "a plan"));
    C3D_TRY(c3d_check_live(k, THING_ACTIVATION, plan->x, "the input of a plan"));
    C3D_TRY(c3d_pass_check(plan, c->pass, c->backward));
    for (int i = 0; i < plan->n_params; i++) {
        const size_t n = plan->param_n_physical[i];
        C3D_TRY(c3d_check_range(k, c->params->value[i], n * sizeof(float), "a parameter"));
        if (c->params->low[i])
            C3D_TRY(
                c3d_check_range(k, c->params->low[i], n * sizeof(uint16_t), "a 16-bit parameter"));
        if (c->backward)
            C3D_TRY(c3d_check_range(k, c->param_grads[i], n * sizeof(float),
                                    "the gradient of a parameter"));
    }
    for (int i = 0; i < 2; i++)
        if (c->params->stats[i])
            C3D_TRY(c3d_check_range(k, c->params->stats[i], (size_t)plan->x_shape.c * sizeof(float),
                                    "running statistics"));
    return c3d_check_memory(k);
}

static c3d_status forward_once(const call *c, int f, float *y)
{
    c3d_backend *inner = &c->k->inner;

    C3D_TRY(fill_activation(c->k, c->plan->y, c->plan->y_shape, false, f));
    C3D_TRY(inner->ops->forward(inner, c->plan, c->params, c->pass));
    C3D_TRY(inner->ops->sync(inner));
    C3D_TRY(compare_inputs(c));
    return inner->ops->activation_read(inner, c->plan->y, false, y);
}

static c3d_status forward_twice(const call *c)
{
    const size_t n = c3d_shape_count(c->plan->y_shape);
    float *y[N_FILLS] = { filled(n, 0), filled(n, 0) };
    c3d_status st = y[0] && y[1] ? C3D_OK : C3D_ENOMEM;

    for (int f = 0; st == C3D_OK && f < N_FILLS; f++) st = forward_once(c, f, y[f]);
    if (st == C3D_OK)
        st = compare(y[0], y[1],
                     (size_t)c->pass->n_samples * c3d_shape_sample_count(c->plan->y_shape), c->plan,
                     "the output");
    for (int f = 0; f < N_FILLS; f++) free(y[f]);
    return st;
}

c3d_status c3d_check_forward(c3d_backend *self, c3d_plan *plan, const c3d_params *params,
                             const c3d_pass *pass)
{
    call c = { .k = check_of(self), .plan = plan, .params = params, .pass = pass };

    C3D_TRY(check_call(&c));
    C3D_TRY(hash_inputs(&c, &c.before));
    return forward_twice(&c);
}

c3d_status c3d_check_stats_read(c3d_backend *self, const c3d_plan *plan, float *mean,
                                float *variance)
{
    check *k = check_of(self);
    const size_t n = (size_t)plan->x_shape.c;
    uint64_t written[N_FILLS];

    C3D_TRY(c3d_check_live(k, THING_PLAN, plan, "a plan"));
    if (plan->desc.op != C3D_OP_NORM)
        return C3D_FAIL(C3D_EINTERNAL, "check: statistics are asked of a %s", op_name(plan));
    for (int f = 0; f < N_FILLS; f++) {
        for (size_t c = 0; c < n; c++) mean[c] = variance[c] = filling(f);
        C3D_TRY(k->inner.ops->stats_read(&k->inner, plan, mean, variance));
        C3D_TRY(k->inner.ops->sync(&k->inner));
        const uint64_t parts[] = { c3d_hash(mean, n * sizeof *mean),
                                   c3d_hash(variance, n * sizeof *variance) };
        written[f] = c3d_hash(parts, sizeof parts);
    }
    if (written[0] == written[1]) return C3D_OK;
    return C3D_FAIL(C3D_EINTERNAL, "check: not all statistics of a norm are written");
}

/* ---- backward -------------------------------------------------------------------------------- */
/* Canonical arrays of a backward pass. */
typedef struct gradients {
    float *dy, *dx[N_FILLS], *before[2], *dw[2][N_FILLS];
} gradients;

static c3d_status gradients_create(const c3d_plan *plan, gradients *g)
{
    bool whole = true;

    *g = (gradients){ 0 };
    g->dy = filled(c3d_shape_count(plan->y_shape), 0);
    for (int f = 0; f < N_FILLS; f++) {
        g->dx[f] = filled(c3d_shape_count(plan->x_shape), 0);
        whole = whole && g->dx[f];
    }
    for (int i = 0; i < plan->n_params; i++) {
        g->before[i] = filled(plan->param_n[i], 0);
        whole = whole && g->before[i];
        for (int f = 0; f < N_FILLS; f++) {
            g->dw[i][f] = filled(plan->param_n[i], 0);
            whole = whole && g->dw[i][f];
        }
    }
    return g->dy && whole ? C3D_OK : C3D_ENOMEM;
}

static void gradients_free(gradients *g)
{
    free(g->dy);
    for (int f = 0; f < N_FILLS; f++) free(g->dx[f]);
    for (int i = 0; i < 2; i++) {
        free(g->before[i]);
        for (int f = 0; f < N_FILLS; f++) free(g->dw[i][f]);
    }
}

/* Everything as it was before the call, but for what the pass has to write. */
static c3d_status prepare(const call *c, gradients *g, int f)
{
    c3d_backend *inner = &c->k->inner;
    const c3d_plan *plan = c->plan;
    const bool accumulate = c->pass->accumulate;

    C3D_TRY(inner->ops->activation_write(inner, plan->y, true, g->dy));
    if (plan->desc.needs_x_grad) C3D_TRY(fill_activation(c->k, plan->x, plan->x_shape, true, f));
    for (int i = 0; i < plan->n_params; i++) {
        float *dw = g->dw[i][f];
        const float *before = g->before[i];
        C3D_ASSERT(dw && before);
        for (size_t e = 0; e < plan->param_n[i]; e++) dw[e] = accumulate ? before[e] : filling(f);
        C3D_TRY(inner->ops->param_import(inner, plan, i, dw, c->param_grads[i]));
    }
    return C3D_OK;
}

static c3d_status backward_once(const call *c, gradients *g, int f)
{
    c3d_backend *inner = &c->k->inner;
    c3d_plan *plan = c->plan;

    C3D_TRY(prepare(c, g, f));
    C3D_TRY(inner->ops->backward(inner, plan, c->params, c->param_grads, c->pass));
    C3D_TRY(inner->ops->sync(inner));
    C3D_TRY(compare_inputs(c));
    if (plan->desc.needs_x_grad)
        C3D_TRY(inner->ops->activation_read(inner, plan->x, true, g->dx[f]));
    for (int i = 0; i < plan->n_params; i++)
        C3D_TRY(inner->ops->param_export(inner, plan, i, c->param_grads[i], g->dw[i][f]));
    return C3D_OK;
}

static c3d_status backward_twice(const call *c, gradients *g)
{
    c3d_backend *inner = &c->k->inner;
    c3d_plan *plan = c->plan;
    const size_t used = (size_t)c->pass->n_samples * c3d_shape_sample_count(plan->x_shape);

    C3D_TRY(inner->ops->activation_read(inner, plan->y, true, g->dy));
    for (int i = 0; i < plan->n_params; i++)
        C3D_TRY(inner->ops->param_export(inner, plan, i, c->param_grads[i], g->before[i]));
    for (int f = 0; f < N_FILLS; f++) C3D_TRY(backward_once(c, g, f));
    if (plan->desc.needs_x_grad)
        C3D_TRY(compare(g->dx[0], g->dx[1], used, plan, "the gradient of the input"));
    for (int i = 0; i < plan->n_params; i++)
        C3D_TRY(compare(g->dw[i][0], g->dw[i][1], plan->param_n[i], plan,
                        i == 0 ? "the gradient of the weights" : "the gradient of the biases"));
    return C3D_OK;
}

/* What only pads a physical layout is zero: the gradients equal the import of their export. */
static c3d_status check_padding(const call *c, const gradients *g)
{
    c3d_backend *inner = &c->k->inner;

    for (int i = 0; i < c->plan->n_params; i++) {
        const size_t n_bytes = c->plan->param_n_physical[i] * sizeof(float);
        uint64_t is, expected;
        void *copy;

        C3D_TRY(hash_buffer(c->k, c->param_grads[i], n_bytes, &is));
        C3D_TRY(inner->ops->alloc(inner, n_bytes, &copy));
        c3d_status st = inner->ops->param_import(inner, c->plan, i, g->dw[i][0], copy);
        if (st == C3D_OK) st = hash_buffer(c->k, copy, n_bytes, &expected);
        inner->ops->free(inner, copy);
        C3D_TRY(st);
        if (is != expected)
            return C3D_FAIL(C3D_EINTERNAL,
                            "check: backward of a %s wrote into the padding of a gradient",
                            op_name(c->plan));
    }
    return C3D_OK;
}

c3d_status c3d_check_backward(c3d_backend *self, c3d_plan *plan, const c3d_params *params,
                              float *const *param_grads, const c3d_pass *pass)
{
    call c = { .k = check_of(self),
               .plan = plan,
               .params = params,
               .param_grads = param_grads,
               .pass = pass,
               .backward = true };
    gradients g;

    C3D_TRY(check_call(&c));
    C3D_TRY(hash_inputs(&c, &c.before));
    c3d_status st = gradients_create(plan, &g);
    if (st == C3D_OK) st = backward_twice(&c, &g);
    if (st == C3D_OK) st = check_padding(&c, &g);
    gradients_free(&g);
    return st;
}

/* ---- input and loss -------------------------------------------------------------------------- */

c3d_status c3d_check_input_load(c3d_backend *self, c3d_activation *x, const c3d_input *input)
{
    check *k = check_of(self);
    uint64_t hashes[N_FILLS];

    C3D_TRY(c3d_check_live(k, THING_ACTIVATION, x, "the input"));
    const c3d_shape shape = c3d_check_find(k, THING_ACTIVATION, x)->shape;
    for (int f = 0; f < N_FILLS; f++) {
        C3D_TRY(fill_activation(k, x, shape, false, f));
        C3D_TRY(k->inner.ops->input_load(&k->inner, x, input));
        C3D_TRY(k->inner.ops->sync(&k->inner));
        C3D_TRY(hash_activation(k, x, shape, &hashes[f]));
    }
    if (hashes[0] != hashes[1])
        return C3D_FAIL(C3D_EINTERNAL, "check: the input is not written whole");
    return C3D_OK;
}

/* Hash of everything the loss writes. */
static c3d_status hash_loss(check *k, c3d_activation *logits, c3d_shape shape, const c3d_loss *loss,
                            uint64_t *out)
{
    const size_t n = (size_t)loss->n_samples, n_all = c3d_shape_count(shape);
    float *grad = filled(n_all, 0);
    c3d_status st = grad ? C3D_OK : C3D_ENOMEM;

    if (st == C3D_OK && loss->with_grad)
        st = k->inner.ops->activation_read(&k->inner, logits, true, grad);
    const uint64_t parts[3] = {
        grad ? c3d_hash(grad, n_all * sizeof *grad) : 0, c3d_hash(loss->losses, n * sizeof(float)),
        loss->scores ? c3d_hash(loss->scores, n * c3d_shape_sample_count(shape) * sizeof(float)) : 0
    };
    *out = c3d_hash(parts, sizeof parts);
    free(grad);
    return st;
}

static c3d_status loss_once(check *k, c3d_activation *logits, c3d_shape shape, const c3d_loss *loss,
                            int f)
{
    const size_t n = (size_t)loss->n_samples, n_scores = n * c3d_shape_sample_count(shape);

    for (size_t i = 0; i < n; i++) loss->losses[i] = filling(f);
    for (size_t i = 0; loss->scores && i < n_scores; i++) loss->scores[i] = filling(f);
    if (loss->with_grad) C3D_TRY(fill_activation(k, logits, shape, true, f));
    C3D_TRY(k->inner.ops->loss(&k->inner, logits, loss));
    return k->inner.ops->sync(&k->inner);
}

c3d_status c3d_check_loss(c3d_backend *self, c3d_activation *logits, const c3d_loss *loss)
{
    check *k = check_of(self);
    uint64_t before, after, written[N_FILLS];

    C3D_TRY(c3d_check_live(k, THING_ACTIVATION, logits, "the logits"));
    const c3d_shape shape = c3d_check_find(k, THING_ACTIVATION, logits)->shape;
    if (loss->n_samples < 0 || loss->n_samples > shape.n)
        return C3D_FAIL(C3D_EINVAL, "loss: %d samples, planned for %d", loss->n_samples, shape.n);
    C3D_TRY(hash_activation(k, logits, shape, &before));
    for (int f = 0; f < N_FILLS; f++) {
        C3D_TRY(loss_once(k, logits, shape, loss, f));
        C3D_TRY(hash_loss(k, logits, shape, loss, &written[f]));
    }
    C3D_TRY(hash_activation(k, logits, shape, &after));
    if (before != after) return C3D_FAIL(C3D_EINTERNAL, "check: the loss changed the logits");
    if (written[0] != written[1])
        return C3D_FAIL(C3D_EINTERNAL, "check: the loss does not write all its results");
    return C3D_OK;
}
