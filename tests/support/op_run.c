#include "support/op_run.h"

#include <stdlib.h>
#include <string.h>

#include "support/precision.h"

const char *const op_array_names[OP_ARRAYS] = { "x", "w", "b", "dy", "y", "dx", "dw", "db" };

#define SEED 11

/* One parameter in its backend's memory. */
typedef struct session {
    c3d_backend *backend;
    c3d_activation *x;
    c3d_plan *plan;
    c3d_params params;
    float *grad[2];
} session;

int op_n_samples(const op_case *c)
{
    return c->n_samples > 0 ? c->n_samples : c->x.n;
}

static c3d_shape output_of(const op_case *c)
{
    c3d_shape y;

    if (c3d_op_output(&c->op, c->x, &y) != C3D_OK) {
        fprintf(stderr, "%s: %s\n", c->name, c3d_error_last()->message);
        abort();
    }
    return y;
}

size_t op_used(const op_case *c, op_array which)
{
    const bool is_x = which == OP_X || which == OP_DX;

    return (size_t)op_n_samples(c) * c3d_shape_sample_count(is_x ? c->x : output_of(c));
}

void op_arrays_create(op_arrays *arrays, const op_case *c)
{
    const size_t n_x = c3d_shape_count(c->x), n_y = c3d_shape_count(output_of(c));
    const int *kernel = c->op.kernel;
    size_t n_w = 0, n_b = 0;

    if (c->op.op == C3D_OP_CONV || c->op.op == C3D_OP_LINEAR) n_b = (size_t)c->op.n_filters;
    if (c->op.op == C3D_OP_LINEAR) n_w = n_b * c3d_shape_sample_count(c->x);
    if (c->op.op == C3D_OP_CONV)
        n_w = n_b * (size_t)c->x.c * (size_t)(kernel[0] * kernel[1] * kernel[2]);
    const size_t n[OP_ARRAYS] = { n_x, n_w, n_b, n_y, n_y, n_x, n_w, n_b };
    for (int i = 0; i < OP_ARRAYS; i++) {
        arrays->n[i] = n[i];
        arrays->data[i] = calloc(n[i] + 1, sizeof(float));
        if (!arrays->data[i]) abort();
    }
}

void op_arrays_free(op_arrays *arrays)
{
    for (int i = 0; i < OP_ARRAYS; i++) free(arrays->data[i]);
}

static c3d_status make_low(session *s, int which)
{
    const size_t n = s->plan->param_n_physical[which];
    void *low;

    if (!is_16_bits(s->backend->options.precision)) return C3D_OK;
    C3D_TRY(s->backend->ops->alloc(s->backend, n * sizeof(uint16_t), &low));
    s->params.low[which] = low;
    return s->backend->ops->to_low(s->backend, n, s->params.value[which], low);
}

static c3d_status open_session(session *s, const op_case *c, const op_arrays *a)
{
    const c3d_backend_ops *ops = s->backend->ops;

    C3D_TRY(ops->input_create(s->backend, c->x, &s->x));
    C3D_TRY(ops->plan(s->backend, &c->op, s->x, &s->plan));
    for (int i = 0; i < s->plan->n_params; i++) {
        const size_t n_bytes = s->plan->param_n_physical[i] * sizeof(float);
        void *param, *grad;

        C3D_ASSERT(s->plan->param_n[i] == a->n[OP_W + i]);
        C3D_TRY(ops->alloc(s->backend, n_bytes, &param));
        s->params.value[i] = param;
        C3D_TRY(ops->alloc(s->backend, n_bytes, &grad));
        s->grad[i] = grad;
        C3D_TRY(ops->param_import(s->backend, s->plan, i, a->data[OP_W + i], s->params.value[i]));
        C3D_TRY(ops->param_import(s->backend, s->plan, i, a->data[OP_DW + i], s->grad[i]));
        C3D_TRY(make_low(s, i));
    }
    return C3D_OK;
}

static void close_session(session *s)
{
    const c3d_backend_ops *ops = s->backend->ops;

    for (int i = 0; i < 2; i++) {
        ops->free(s->backend, s->params.value[i]);
        ops->free(s->backend, s->grad[i]);
        ops->free(s->backend, s->params.low[i]);
    }
    ops->plan_free(s->backend, s->plan);
    ops->activation_free(s->backend, s->x);
}

static c3d_status run_backward(session *s, const op_case *c, const c3d_pass *pass, op_arrays *a)
{
    const c3d_backend_ops *ops = s->backend->ops;
    const size_t used = op_used(c, OP_DY);

    memset(a->data[OP_DY] + used, 0, (a->n[OP_DY] - used) * sizeof(float));
    C3D_TRY(ops->activation_write(s->backend, s->plan->y, true, a->data[OP_DY]));
    C3D_TRY(ops->backward(s->backend, s->plan, &s->params, s->grad, pass));
    C3D_TRY(ops->sync(s->backend));
    if (c->op.needs_x_grad) C3D_TRY(ops->activation_read(s->backend, s->x, true, a->data[OP_DX]));
    for (int i = 0; i < s->plan->n_params; i++)
        C3D_TRY(ops->param_export(s->backend, s->plan, i, s->grad[i], a->data[OP_DW + i]));
    return C3D_OK;
}

static c3d_status run_session(session *s, const op_case *c, op_arrays *a)
{
    const c3d_backend_ops *ops = s->backend->ops;
    uint64_t keys[64];

    C3D_ASSERT(c->x.n <= 64);
    for (int r = 0; r < c->x.n; r++) keys[r] = UINT64_C(0x100000000) * (uint64_t)r + 7;
    const c3d_pass pass = { .training = c->op.training,
                            .n_samples = op_n_samples(c),
                            .seed = SEED,
                            .row_keys = keys,
                            .accumulate = c->accumulate };
    C3D_TRY(ops->activation_write(s->backend, s->x, false, a->data[OP_X]));
    C3D_TRY(ops->forward(s->backend, s->plan, &s->params, &pass));
    C3D_TRY(ops->sync(s->backend));
    C3D_TRY(ops->activation_read(s->backend, s->plan->y, false, a->data[OP_Y]));
    return c->op.training ? run_backward(s, c, &pass, a) : C3D_OK;
}

c3d_status op_run(c3d_backend *backend, const op_case *c, op_arrays *arrays)
{
    session s = { .backend = backend };
    c3d_status st = open_session(&s, c, arrays);

    if (st == C3D_OK) st = run_session(&s, c, arrays);
    close_session(&s);
    return st;
}
