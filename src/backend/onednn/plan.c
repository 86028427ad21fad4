#include "backend/onednn/onednn.h"

op_window c3d_onednn_window(const c3d_op_desc *desc, int n_axes)
{
    op_window w = { 0 };

    for (int a = 0; a < n_axes - 2; a++) {
        const int from = 5 - n_axes + a;

        w.kernel[a] = desc->kernel[from];
        w.stride[a] = desc->stride[from];
        w.before[a] = desc->pad_before[from];
        w.after[a] = desc->pad_after[from];
    }
    return w;
}

int c3d_onednn_n_axes(const c3d_plan *plan)
{
    return plan->x_shape.d == 1 && plan->y_shape.d == 1 && plan->desc.kernel[0] == 1 ? 4 : 5;
}

static c3d_status make(onednn *o, onednn_plan *plan)
{
    switch (plan->base.desc.op) {
    case C3D_OP_CONV:
    case C3D_OP_LINEAR: return c3d_onednn_plan_weighted(o, plan);
    case C3D_OP_POOL: return c3d_onednn_plan_pool(o, plan);
    case C3D_OP_DROPOUT: return c3d_onednn_plan_dropout(o, plan);
    case C3D_OP_NORM: return c3d_onednn_plan_norm(o, plan);
    }
    return C3D_FAIL(C3D_EINVAL, "operation %d: unknown", (int)plan->base.desc.op);
}

c3d_status c3d_onednn_plan(c3d_backend *self, const c3d_op_desc *desc, c3d_activation *x,
                           c3d_plan **out)
{
    onednn_plan *plan = c3d_calloc(1, sizeof *plan);
    c3d_status st;

    if (!plan) return C3D_ENOMEM;
    c3d_onednn_use_threads(onednn_of(self));
    plan->base.x = x;
    plan->type = dnnl_f32;
    C3D_TRY_TO(fail, c3d_plan_describe(&plan->base, desc, x->shape));
    C3D_TRY_TO(fail, make(onednn_of(self), plan));
    plan->base.y->is_relu = desc->relu;
    *out = &plan->base;
    return C3D_OK;
fail:
    c3d_onednn_plan_free(self, &plan->base);
    return st;
}

void c3d_onednn_plan_free(c3d_backend *self, c3d_plan *base)
{
    onednn_plan *plan = (onednn_plan *)base;

    if (!plan) return;
    c3d_onednn_jobs_free(&plan->forward);
    c3d_onednn_jobs_free(&plan->backward_x);
    c3d_onednn_jobs_free(&plan->backward_w);
    for (int i = 0; i < 2; i++) {
        c3d_onednn_jobs_free(&plan->import[i]);
        c3d_onednn_jobs_free(&plan->export[i]);
    }
    c3d_onednn_activation_free(self, base->y);
    c3d_host_free(self, plan->workspace);
    c3d_host_free(self, plan->mask);
    c3d_host_free(self, plan->physical_mask);
    c3d_onednn_norm_free(self, plan->norm);
    free(plan);
}

/* ---- parameters ------------------------------------------------------------------------------ */

/* Runs one translation of a parameter; the plan's places are set for the call only. */
static c3d_status translate(c3d_backend *self, const c3d_plan *base, int which,
                            const float *canonical, const float *physical, bool import)
{
    onednn_plan *plan = (onednn_plan *)(uintptr_t)base;

    c3d_onednn_use_threads(onednn_of(self));
    plan->canonical = (void *)(uintptr_t)canonical;
    plan->param[which] = (void *)(uintptr_t)physical;
    return c3d_onednn_run(onednn_of(self), import ? &plan->import[which] : &plan->export[which]);
}

c3d_status c3d_onednn_param_import(c3d_backend *self, const c3d_plan *base, int which,
                                   const float *canonical, float *physical)
{
    const onednn_plan *plan = (const onednn_plan *)base;

    for (size_t i = plan->param_n_layout[which]; i < base->param_n_physical[which]; i++)
        physical[i] = 0;
    return translate(self, base, which, canonical, physical, true);
}

c3d_status c3d_onednn_param_export(c3d_backend *self, const c3d_plan *base, int which,
                                   const float *physical, float *canonical)
{
    return translate(self, base, which, canonical, physical, false);
}

/* ---- passes ---------------------------------------------------------------------------------- */

static c3d_status set_params(onednn_plan *plan, const c3d_params *params)
{
    if (plan->base.n_params == 0) return C3D_OK;
    if (plan->type != dnnl_f32 && !params->low[0])
        return C3D_FAIL(C3D_EINVAL, "pass: no 16-bit copy of the weights");
    for (int i = 0; i < plan->base.n_params; i++) plan->param[i] = params->value[i];
    plan->weight = plan->type == dnnl_f32 ? (void *)params->value[0] : params->low[0];
    return C3D_OK;
}

c3d_status c3d_onednn_forward(c3d_backend *self, c3d_plan *base, const c3d_params *params,
                              const c3d_pass *pass)
{
    onednn *o = onednn_of(self);
    onednn_plan *plan = (onednn_plan *)base;

    C3D_TRY(c3d_pass_check(base, pass, false));
    c3d_onednn_use_threads(o);
    if (base->desc.op == C3D_OP_DROPOUT) return c3d_onednn_dropout_forward(o, plan, pass);
    if (base->desc.op == C3D_OP_NORM) return c3d_onednn_norm_forward(plan, params, pass);
    C3D_TRY(set_params(plan, params));
    return c3d_onednn_run(o, &plan->forward);
}

static void relu_backward_f32(const float *value, size_t n, float *grad)
{
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) grad[i] = value[i] > 0 ? grad[i] : 0;
}

static void relu_backward_bf16(const uint16_t *value, size_t n, uint16_t *grad)
{
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) grad[i] = c3d_bf16_is_positive(value[i]) ? grad[i] : 0;
}

static void relu_backward(const c3d_activation *y)
{
    if (y->type == dnnl_f32)
        relu_backward_f32(y->value, y->n, y->grad);
    else
        relu_backward_bf16(y->value, y->n, y->grad);
}

static void add(const float *terms, size_t n, float *sums)
{
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) sums[i] += terms[i];
}

static c3d_status backward_w(onednn *o, onednn_plan *plan, float *const *param_grads,
                             bool accumulate)
{
    static const slot_name term[2] = { SLOT_W_TERM, SLOT_B_TERM };

    for (int i = 0; i < 2 && i < plan->base.n_params; i++)
        plan->grad[i] = accumulate ? o->slots[term[i]].data : param_grads[i];
    C3D_TRY(c3d_onednn_run(o, &plan->backward_w));
    if (!accumulate) return C3D_OK;
    for (int i = 0; i < 2 && i < plan->base.n_params; i++)
        add(plan->grad[i], plan->param_n_layout[i], param_grads[i]);
    return C3D_OK;
}

/* A pool's largest value is positive where its winner is, so what ReLU before the pool would stop
 * is stopped behind it, among far fewer elements. */
static void apply_relu(const c3d_plan *p)
{
    const bool before_pool = p->desc.op == C3D_OP_POOL && p->x->is_relu;

    if (before_pool || (p->y->is_relu && !p->y->grad_is_relu)) relu_backward(p->y);
    p->y->grad_is_relu = false;
    if (before_pool) p->x->grad_is_relu = true;
}

c3d_status c3d_onednn_backward(c3d_backend *self, c3d_plan *base, const c3d_params *params,
                               float *const *param_grads, const c3d_pass *pass)
{
    onednn *o = onednn_of(self);
    onednn_plan *plan = (onednn_plan *)base;

    C3D_TRY(c3d_pass_check(base, pass, true));
    c3d_onednn_use_threads(o);
    if (base->desc.op == C3D_OP_NORM)
        return c3d_onednn_norm_backward(plan, params, param_grads, pass);
    C3D_TRY(set_params(plan, params));
    apply_relu(base);
    if (base->desc.op == C3D_OP_DROPOUT && base->desc.needs_x_grad)
        c3d_onednn_dropout_backward(plan);
    else
        C3D_TRY(c3d_onednn_run(o, &plan->backward_x));
    return base->n_params > 0 ? backward_w(o, plan, param_grads, pass->accumulate) : C3D_OK;
}
