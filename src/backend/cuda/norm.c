#include "backend/cuda/cuda.h"

c3d_status c3d_cuda_norm_plan(cuda *c, cuda_plan *plan)
{
    const c3d_plan *p = &plan->base;
    double **const arrays[] = { &plan->norm.mean, &plan->norm.variance };

    C3D_TRY(c3d_cuda_plan_outputs(c, plan, p->x->type));
    const size_t n_doubles = c3d_cuda_norm_doubles(c3d_cuda_rows(p->x), p->x->n_lanes);
    C3D_TRY(c3d_cuda_slot_grow(c, SLOT_PARTIALS, n_doubles * sizeof(double)));
    for (size_t i = 0; i < C3D_COUNT(arrays); i++) {
        void *buffer;

        C3D_TRY(c3d_cuda_alloc(c->backend, (size_t)p->x->n_lanes * sizeof(double), &buffer));
        *arrays[i] = buffer;
    }
    return C3D_OK;
}

static c3d_cuda_norm describe(const c3d_plan *p, int n_samples)
{
    return (c3d_cuda_norm){ .n_rows = c3d_norm_count(p, n_samples),
                            .n_all = c3d_cuda_rows(p->x),
                            .n_channels = p->x_shape.c,
                            .n_lanes = p->x->n_lanes,
                            .epsilon = p->desc.epsilon,
                            .type = p->x->type,
                            .relu = p->desc.relu };
}

c3d_status c3d_cuda_norm_forward(cuda *c, cuda_plan *plan, const c3d_params *params,
                                 const c3d_pass *pass)
{
    const c3d_plan *p = &plan->base;
    const c3d_cuda_norm norm = describe(p, pass->n_samples);
    const size_t n = (size_t)p->x_shape.c;
    cuda_norm *own = &plan->norm;

    own->n_samples = pass->n_samples;
    if (pass->training) {
        C3D_CUDA(c3d_cuda_norm_statistics(c->stream, &norm, p->x->value,
                                          c->slots[SLOT_PARTIALS].data, own->mean, own->variance));
    } else {
        C3D_CUDA(c3d_cuda_to_double(c->stream, params->stats[0], n, own->mean));
        C3D_CUDA(c3d_cuda_to_double(c->stream, params->stats[1], n, own->variance));
    }
    const c3d_cuda_norm_params how = { .gamma = params->value[0],
                                       .beta = params->value[1],
                                       .mean = own->mean,
                                       .variance = own->variance };
    C3D_CUDA(c3d_cuda_norm_apply(c->stream, &norm, p->x->value, &how, p->y->value));
    c3d_cuda_note("a norm");
    return C3D_OK;
}

c3d_status c3d_cuda_norm_run_back(cuda *c, cuda_plan *plan, const c3d_params *params,
                                  float *const *param_grads, bool accumulate)
{
    const c3d_plan *p = &plan->base;
    c3d_cuda_norm norm = describe(p, plan->norm.n_samples);
    const bool relu = p->desc.relu && !p->y->grad_is_relu;

    norm.relu = relu;
    c3d_cuda_set_grad(p->y, false);
    const c3d_cuda_norm_grads grads = { .x = p->x->value,
                                        .y = p->y->value,
                                        .dy = p->y->grad,
                                        .gamma = params->value[0],
                                        .mean = plan->norm.mean,
                                        .variance = plan->norm.variance,
                                        .partials = c->slots[SLOT_PARTIALS].data,
                                        .gamma_grad = param_grads[0],
                                        .beta_grad = param_grads[1],
                                        .accumulate = accumulate,
                                        .dx = p->desc.needs_x_grad ? p->x->grad : NULL };
    C3D_CUDA(c3d_cuda_norm_backward(c->stream, &norm, &grads));
    c3d_cuda_note("a norm's backward pass");
    if (p->desc.needs_x_grad) c3d_cuda_set_grad(p->x, false);
    return C3D_OK;
}

/* The device keeps the population's variance. */
c3d_status c3d_cuda_stats_read(c3d_backend *self, const c3d_plan *base, float *mean,
                               float *variance)
{
    cuda *c = cuda_of(self);
    const cuda_norm *own = &((const cuda_plan *)base)->norm;
    const size_t n = (size_t)base->x_shape.c, n_used = c3d_norm_count(base, own->n_samples);

    C3D_TRY(c3d_cuda_use(c));
    C3D_TRY(c3d_cuda_read_doubles(c, mean, own->mean, n, 1));
    return c3d_cuda_read_doubles(c, variance, own->variance, n,
                                 c3d_unbiased_variance((double)n_used, n_used));
}
