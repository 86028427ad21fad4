#include "backend/cuda/cuda.h"

c3d_status c3d_cuda_dropout_plan(cuda *c, cuda_plan *plan)
{
    const c3d_plan *p = &plan->base;

    C3D_TRY(c3d_cuda_plan_outputs(c, plan, p->x->type));
    return c3d_cuda_parcel_grow(c, (size_t)p->x_shape.n * sizeof(uint64_t));
}

static c3d_status apply(cuda *c, const c3d_plan *p, const c3d_pass *pass, const void *from,
                        void *to)
{
    const size_t n_bytes = (size_t)pass->n_samples * sizeof *pass->row_keys;
    cuda_parcel *parcel;

    if (!pass->training) return c3d_cuda_convert(c, p->x->n, from, p->x->type, to, p->x->type);
    C3D_TRY(c3d_cuda_parcel_begin(c, &parcel));
    const c3d_cuda_dropout dropout = { .shape = p->x_shape,
                                       .n_samples = pass->n_samples,
                                       .n_lanes = p->x->n_lanes,
                                       .layer = p->desc.dropout_layer,
                                       .rate = c3d_pass_rate(p, pass),
                                       .seed = pass->seed,
                                       .row_keys =
                                           c3d_cuda_parcel_put(c, parcel, pass->row_keys, n_bytes),
                                       .type = p->x->type };
    C3D_TRY(c3d_cuda_parcel_send(c, parcel));
    C3D_CUDA(c3d_cuda_dropout_apply(c->stream, &dropout, from, to));
    c3d_cuda_note("a dropout");
    return c3d_cuda_parcel_done(c, parcel);
}

c3d_status c3d_cuda_dropout_forward(cuda *c, const cuda_plan *plan, const c3d_pass *pass)
{
    const c3d_plan *p = &plan->base;

    return apply(c, p, pass, p->x->value, p->y->value);
}

c3d_status c3d_cuda_dropout_backward(cuda *c, const cuda_plan *plan, const c3d_pass *pass)
{
    const c3d_plan *p = &plan->base;

    c3d_cuda_set_grad(p->y, false);
    if (!p->desc.needs_x_grad) return C3D_OK;
    c3d_cuda_set_grad(p->x, false);
    return apply(c, p, pass, p->y->grad, p->x->grad);
}
