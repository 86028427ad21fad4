#include "backend/cuda/cuda.h"

static c3d_cuda_pool describe(const c3d_plan *p)
{
    const int *kernel = p->desc.kernel, *stride = p->desc.stride, *before = p->desc.pad_before;

    return (c3d_cuda_pool){ .n = p->x_shape.n,
                            .n_lanes = p->x->n_lanes,
                            .x = { p->x_shape.d, p->x_shape.h, p->x_shape.w },
                            .y = { p->y_shape.d, p->y_shape.h, p->y_shape.w },
                            .kernel = { kernel[0], kernel[1], kernel[2] },
                            .stride = { stride[0], stride[1], stride[2] },
                            .before = { before[0], before[1], before[2] },
                            .type = p->x->type,
                            .x_is_relu = p->x->is_relu };
}

/* Of a ReLU's output the sums of its gradient, that of the bias before it, come along. */
static c3d_status plan_backward(cuda *c, cuda_plan *plan)
{
    const c3d_plan *p = &plan->base;
    const c3d_cuda_pool pool = describe(p);
    void *winner;

    C3D_TRY(c3d_cuda_alloc(c->backend, p->y->n, &winner));
    plan->winner = winner;
    if (!p->x->is_relu || p->x->grad_sums) return C3D_OK;
    C3D_TRY(c3d_cuda_alloc(c->backend, (size_t)p->x->n_lanes * sizeof(float), &p->x->grad_sums));
    return c3d_cuda_slot_grow(c, SLOT_PARTIALS, c3d_cuda_pool_floats(&pool) * sizeof(float));
}

c3d_status c3d_cuda_pool_plan(cuda *c, cuda_plan *plan)
{
    const c3d_plan *p = &plan->base;
    const int *kernel = p->desc.kernel;
    const long long window = (long long)kernel[0] * kernel[1] * kernel[2];

    if (window > C3D_CUDA_POOL_MAX_WINDOW)
        return C3D_FAIL(C3D_EUNSUPPORTED, "backend cuda: a pool over %lld elements, at most %d",
                        window, C3D_CUDA_POOL_MAX_WINDOW);
    C3D_TRY(c3d_cuda_plan_outputs(c, plan, p->x->type));
    return p->desc.training && p->desc.needs_x_grad ? plan_backward(c, plan) : C3D_OK;
}

c3d_status c3d_cuda_pool_run(cuda *c, cuda_plan *plan)
{
    const c3d_plan *p = &plan->base;
    const c3d_cuda_pool pool = describe(p);

    C3D_CUDA(c3d_cuda_pool_forward(c->stream, &pool, p->x->value, p->y->value, plan->winner));
    c3d_cuda_note("a pool");
    return C3D_OK;
}

/* Where the winner is not positive, the gradient stops here instead of in the ReLU before. */
c3d_status c3d_cuda_pool_run_back(cuda *c, cuda_plan *plan)
{
    const c3d_plan *p = &plan->base;
    const c3d_cuda_pool pool = describe(p);

    c3d_cuda_set_grad(p->y, false);
    if (!plan->winner) return C3D_OK;
    const c3d_cuda_pool_grads grads = { .dy = p->y->grad,
                                        .winner = plan->winner,
                                        .dx = p->x->grad,
                                        .partials = c->slots[SLOT_PARTIALS].data,
                                        .bias_grad = p->x->grad_sums };
    C3D_CUDA(c3d_cuda_pool_backward(c->stream, &pool, &grads));
    c3d_cuda_note("a pool's backward pass");
    c3d_cuda_set_grad(p->x, p->x->is_relu);
    p->x->has_sums = p->x->grad_sums != NULL;
    return C3D_OK;
}
