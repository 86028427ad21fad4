#include "backend/ref/ref.h"

#include <stdlib.h>
#include <string.h>

static c3d_status ref_open(c3d_backend *self)
{
    return c3d_host_options_check(self);
}

static void ref_close(c3d_backend *self)
{
    (void)self;
}

static const char *ref_describe(c3d_backend *self, char out[256])
{
    (void)self;
    return strcpy(out, "reference (plain C), 1 thread");
}

/* ---- activations ----------------------------------------------------------------------------- */

static void activation_free(c3d_backend *self, c3d_activation *x)
{
    if (!x) return;
    c3d_host_free(self, x->value);
    c3d_host_free(self, x->grad);
    free(x);
}

static c3d_status floats(c3d_backend *self, c3d_shape shape, float **out)
{
    void *buffer;

    C3D_TRY(c3d_host_alloc(self, c3d_shape_count(shape) * sizeof **out, &buffer));
    *out = buffer;
    return C3D_OK;
}

static c3d_status activation_create(c3d_backend *self, c3d_shape shape, c3d_activation **out)
{
    c3d_activation *x = c3d_calloc(1, sizeof *x);

    if (!x) return C3D_ENOMEM;
    x->shape = shape;
    const c3d_status st = floats(self, shape, &x->value);
    if (st == C3D_OK)
        *out = x;
    else
        activation_free(self, x);
    return st;
}

static c3d_status want_grad(c3d_backend *self, c3d_activation *x)
{
    return x->grad ? C3D_OK : floats(self, x->shape, &x->grad);
}

static c3d_status input_create(c3d_backend *self, c3d_shape shape, c3d_activation **out)
{
    C3D_TRY(c3d_shape_check(shape));
    return activation_create(self, shape, out);
}

static c3d_status activation_part(const c3d_activation *x, bool grad, float **out)
{
    *out = grad ? x->grad : x->value;
    return *out ? C3D_OK : C3D_FAIL(C3D_EINVAL, "activation: no gradient is kept");
}

static c3d_status activation_read(c3d_backend *self, c3d_activation *x, bool grad, float *to_host)
{
    float *part;

    (void)self;
    C3D_TRY(activation_part(x, grad, &part));
    memcpy(to_host, part, c3d_shape_count(x->shape) * sizeof *part);
    return C3D_OK;
}

static c3d_status activation_write(c3d_backend *self, c3d_activation *x, bool grad,
                                   const float *from_host)
{
    float *part;

    (void)self;
    C3D_TRY(activation_part(x, grad, &part));
    memcpy(part, from_host, c3d_shape_count(x->shape) * sizeof *part);
    return C3D_OK;
}

/* ---- plans ----------------------------------------------------------------------------------- */

static void plan_free(c3d_backend *self, c3d_plan *base)
{
    ref_plan *plan = (ref_plan *)base;

    if (!plan) return;
    activation_free(self, base->y);
    c3d_host_free(self, plan->sums);
    c3d_host_free(self, plan->winners);
    c3d_host_free(self, plan->mask);
    c3d_host_free(self, plan->mean);
    free(plan);
}

static c3d_status prepare(c3d_backend *self, ref_plan *plan)
{
    switch (plan->base.desc.op) {
    case C3D_OP_CONV: return c3d_ref_conv_prepare(self, plan);
    case C3D_OP_POOL: return c3d_ref_pool_prepare(self, plan);
    case C3D_OP_DROPOUT: return c3d_ref_dropout_prepare(self, plan);
    case C3D_OP_NORM: return c3d_ref_norm_prepare(self, plan);
    case C3D_OP_LINEAR: break;
    }
    return C3D_OK;
}

static c3d_status ref_plan_create(c3d_backend *self, const c3d_op_desc *desc, c3d_activation *x,
                                  c3d_plan **out)
{
    ref_plan *plan = c3d_calloc(1, sizeof *plan);
    c3d_plan *base = &plan->base;
    c3d_status st;

    if (!plan) return C3D_ENOMEM;
    base->x = x;
    C3D_TRY_TO(fail, c3d_plan_describe(base, desc, x->shape));
    C3D_TRY_TO(fail, activation_create(self, base->y_shape, &base->y));
    if (desc->training) C3D_TRY_TO(fail, want_grad(self, base->y));
    if (desc->training && desc->needs_x_grad) C3D_TRY_TO(fail, want_grad(self, x));
    C3D_TRY_TO(fail, prepare(self, plan));
    *out = base;
    return C3D_OK;
fail:
    plan_free(self, base);
    return st;
}

static c3d_status param_import(c3d_backend *self, const c3d_plan *plan, int which,
                               const float *canonical, float *physical)
{
    (void)self;
    memset(physical, 0, plan->param_n_physical[which] * sizeof *physical);
    memcpy(physical, canonical, plan->param_n[which] * sizeof *physical);
    return C3D_OK;
}

static c3d_status param_export(c3d_backend *self, const c3d_plan *plan, int which,
                               const float *physical, float *canonical)
{
    (void)self;
    memcpy(canonical, physical, plan->param_n[which] * sizeof *canonical);
    return C3D_OK;
}

/* ---- passes ---------------------------------------------------------------------------------- */

static c3d_status forward(c3d_backend *self, c3d_plan *base, const c3d_params *params,
                          const c3d_pass *pass)
{
    ref_plan *plan = (ref_plan *)base;
    const int n = pass->n_samples;

    (void)self;
    C3D_TRY(c3d_pass_check(base, pass, false));
    switch (base->desc.op) {
    case C3D_OP_CONV: c3d_ref_conv_forward(plan, params->value[0], params->value[1], n); break;
    case C3D_OP_LINEAR: c3d_ref_linear_forward(plan, params->value[0], params->value[1], n); break;
    case C3D_OP_POOL: c3d_ref_pool_forward(plan, n); break;
    case C3D_OP_DROPOUT: c3d_ref_dropout_forward(plan, pass); break;
    case C3D_OP_NORM: c3d_ref_norm_forward(plan, params, pass); break;
    }
    if (base->desc.relu)
        c3d_ref_relu(base->y->value, (size_t)n * c3d_shape_sample_count(base->y_shape));
    return C3D_OK;
}

static void backward_x(ref_plan *plan, const c3d_params *params, int n_samples)
{
    switch (plan->base.desc.op) {
    case C3D_OP_CONV: c3d_ref_conv_backward_x(plan, params->value[0], n_samples); break;
    case C3D_OP_LINEAR: c3d_ref_linear_backward_x(plan, params->value[0], n_samples); break;
    case C3D_OP_POOL: c3d_ref_pool_backward(plan, n_samples); break;
    case C3D_OP_DROPOUT: c3d_ref_dropout_backward(plan, n_samples); break;
    case C3D_OP_NORM: break; /* goes with its parameters */
    }
}

static c3d_status backward(c3d_backend *self, c3d_plan *base, const c3d_params *params,
                           float *const *param_grads, const c3d_pass *pass)
{
    ref_plan *plan = (ref_plan *)base;

    (void)self;
    C3D_TRY(c3d_pass_check(base, pass, true));
    if (base->desc.relu)
        c3d_ref_relu_backward(base->y->value, base->y->grad,
                              (size_t)pass->n_samples * c3d_shape_sample_count(base->y_shape));
    if (base->desc.needs_x_grad) backward_x(plan, params, pass->n_samples);
    if (base->desc.op == C3D_OP_CONV)
        c3d_ref_conv_backward_w(plan, param_grads[0], param_grads[1], pass);
    if (base->desc.op == C3D_OP_LINEAR)
        c3d_ref_linear_backward_w(plan, param_grads[0], param_grads[1], pass);
    if (base->desc.op == C3D_OP_NORM) c3d_ref_norm_backward(plan, params, param_grads, pass);
    return C3D_OK;
}

static c3d_status ref_loss(c3d_backend *self, c3d_activation *logits, const c3d_loss *loss)
{
    (void)self;
    return c3d_host_loss(logits->value, logits->grad, logits->shape.n,
                         (int)c3d_shape_sample_count(logits->shape), loss);
}

const c3d_backend_ops c3d_backend_ref = {
    .name = "ref",
    .host_memory = true,
    .open = ref_open,
    .close = ref_close,
    .sync = c3d_host_sync,
    .describe = ref_describe,
    .alloc = c3d_host_alloc,
    .free = c3d_host_free,
    .upload = c3d_host_upload,
    .download = c3d_host_download,
    .read = c3d_host_download,
    .zero = c3d_host_zero,
    .pin = c3d_host_pin,
    .unpin = c3d_host_unpin,
    .mark = c3d_host_mark,
    .reached = c3d_host_reached,
    .input_create = input_create,
    .activation_free = activation_free,
    .input_load = c3d_ref_input_load,
    .activation_read = activation_read,
    .activation_write = activation_write,
    .plan = ref_plan_create,
    .plan_free = plan_free,
    .param_import = param_import,
    .param_export = param_export,
    .forward = forward,
    .backward = backward,
    .stats_read = c3d_ref_stats_read,
    .loss = ref_loss,
    .adam = c3d_ref_adam,
    .to_low = c3d_host_to_low,
    .add = c3d_host_add,
    .sum_squares = c3d_ref_sum_squares,
    .sum_doubles = c3d_host_sum_doubles,
};
