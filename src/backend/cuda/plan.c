#include "backend/cuda/cuda.h"

#include <stdlib.h>

/* ---- planning -------------------------------------------------------------------------------- */

c3d_status c3d_cuda_plan_outputs(cuda *c, cuda_plan *plan, c3d_cuda_type y_type)
{
    c3d_plan *p = &plan->base;

    C3D_TRY(c3d_cuda_activation_create(c, p->y_shape, y_type, &p->y));
    if (p->desc.training) C3D_TRY(c3d_cuda_want_grad(c, p->y));
    if (p->desc.training && p->desc.needs_x_grad) C3D_TRY(c3d_cuda_want_grad(c, p->x));
    return C3D_OK;
}

static c3d_status make(cuda *c, cuda_plan *plan)
{
    switch (plan->base.desc.op) {
    case C3D_OP_CONV: return c3d_cuda_conv_plan(c, plan);
    case C3D_OP_LINEAR: return c3d_cuda_linear_plan(c, plan);
    case C3D_OP_POOL: return c3d_cuda_pool_plan(c, plan);
    case C3D_OP_DROPOUT: return c3d_cuda_dropout_plan(c, plan);
    case C3D_OP_NORM: return c3d_cuda_norm_plan(c, plan);
    }
    return C3D_FAIL(C3D_EINVAL, "operation %d: unknown", (int)plan->base.desc.op);
}

c3d_status c3d_cuda_plan_create(c3d_backend *self, const c3d_op_desc *desc, c3d_activation *x,
                                c3d_plan **out)
{
    cuda *c = cuda_of(self);
    cuda_plan *plan = c3d_calloc(1, sizeof *plan);
    c3d_status st;

    if (!plan) return C3D_ENOMEM;
    plan->base.x = x;
    plan->type = c->type;
    C3D_TRY_TO(fail, c3d_cuda_use(c));
    C3D_TRY_TO(fail, c3d_plan_describe(&plan->base, desc, x->shape));
    c3d_cuda_param_sizes(plan);
    C3D_TRY_TO(fail, make(c, plan));
    plan->base.y->is_relu = desc->relu;
    *out = &plan->base;
    return C3D_OK;
fail:
    c3d_cuda_plan_free(self, &plan->base);
    return st;
}

void c3d_cuda_plan_free(c3d_backend *self, c3d_plan *base)
{
    cuda_plan *plan = (cuda_plan *)base;

    if (!plan) return;
    c3d_cuda_conv_free(plan);
    c3d_cuda_linear_free(plan);
    c3d_cuda_activation_free(self, base->y);
    c3d_cuda_free(self, plan->no_bias);
    c3d_cuda_free(self, plan->winner);
    c3d_cuda_free(self, plan->norm.mean);
    c3d_cuda_free(self, plan->norm.variance);
    free(plan);
}

/* ---- passes ---------------------------------------------------------------------------------- */

c3d_status c3d_cuda_weights(const cuda_plan *plan, const c3d_params *params, const void **w_out,
                            const void **b_out)
{
    const bool is_low = plan->type != C3D_CUDA_F32;

    for (int i = 0; is_low && i < plan->base.n_params; i++)
        if (!params->low[i])
            return C3D_FAIL(C3D_EINVAL, "pass: no 16-bit copy of a weight or bias");
    *w_out = is_low ? (const void *)params->low[0] : params->value[0];
    *b_out = is_low ? (const void *)params->low[1] : params->value[1];
    if (plan->base.desc.no_bias) *b_out = plan->no_bias;
    return C3D_OK;
}

static c3d_status take_sums(cuda *c, const c3d_activation *y, float *bias_grad, bool accumulate)
{
    const size_t n = (size_t)y->n_lanes;

    if (accumulate)
        C3D_CUDA(c3d_cuda_add(c->stream, n, y->grad_sums, bias_grad));
    else
        C3D_TRY(c3d_cuda_convert(c, n, y->grad_sums, C3D_CUDA_F32, bias_grad, C3D_CUDA_F32));
    return C3D_OK;
}

c3d_status c3d_cuda_relu_bias(cuda *c, const cuda_plan *plan, float *bias_grad, bool accumulate)
{
    c3d_activation *y = plan->base.y;
    const bool relu = y->is_relu && !y->grad_is_relu, has_sums = y->has_sums;

    c3d_cuda_set_grad(y, false);
    if (!relu && !bias_grad) return C3D_OK;
    if (!relu && has_sums) return take_sums(c, y, bias_grad, accumulate);
    C3D_CUDA(c3d_cuda_relu_bias_backward(c->stream, c3d_cuda_rows(y), y->n_lanes, y->type, y->grad,
                                         relu ? y->value : NULL, c->slots[SLOT_PARTIALS].data,
                                         bias_grad, accumulate));
    c3d_cuda_note("a ReLU's or bias's backward pass");
    return C3D_OK;
}

c3d_status c3d_cuda_forward(c3d_backend *self, c3d_plan *base, const c3d_params *params,
                            const c3d_pass *pass)
{
    cuda *c = cuda_of(self);
    cuda_plan *plan = (cuda_plan *)base;

    C3D_TRY(c3d_pass_check(base, pass, false));
    C3D_TRY(c3d_cuda_use(c));
    switch (base->desc.op) {
    case C3D_OP_CONV: return c3d_cuda_conv_forward(c, plan, params);
    case C3D_OP_LINEAR: return c3d_cuda_linear_forward(c, plan, params);
    case C3D_OP_POOL: return c3d_cuda_pool_run(c, plan);
    case C3D_OP_DROPOUT: return c3d_cuda_dropout_forward(c, plan, pass);
    case C3D_OP_NORM: return c3d_cuda_norm_forward(c, plan, params, pass);
    }
    return C3D_OK;
}

c3d_status c3d_cuda_backward(c3d_backend *self, c3d_plan *base, const c3d_params *params,
                             float *const *param_grads, const c3d_pass *pass)
{
    cuda *c = cuda_of(self);
    cuda_plan *plan = (cuda_plan *)base;

    C3D_TRY(c3d_pass_check(base, pass, true));
    C3D_TRY(c3d_cuda_use(c));
    switch (base->desc.op) {
    case C3D_OP_CONV: return c3d_cuda_conv_backward(c, plan, params, param_grads, pass->accumulate);
    case C3D_OP_LINEAR:
        return c3d_cuda_linear_backward(c, plan, params, param_grads, pass->accumulate);
    case C3D_OP_POOL: return c3d_cuda_pool_run_back(c, plan);
    case C3D_OP_DROPOUT: return c3d_cuda_dropout_backward(c, plan, pass);
    case C3D_OP_NORM: return c3d_cuda_norm_run_back(c, plan, params, param_grads, pass->accumulate);
    }
    return C3D_OK;
}
