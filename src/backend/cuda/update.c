#include "backend/cuda/cuda.h"

/* ---- loss ------------------------------------------------------------------------------------ */

static c3d_status check(const cuda *c, const c3d_activation *logits, const c3d_loss *loss)
{
    const c3d_shape s = logits->shape;
    const size_t n_results = (size_t)s.n * (1 + (size_t)s.c) * sizeof(float);

    if (logits->type != C3D_CUDA_F32 || logits->is_relu || s.d != 1 || s.h != 1 || s.w != 1 ||
        c->slots[SLOT_RESULTS].n_bytes < n_results)
        return C3D_FAIL(C3D_EINVAL, "loss: the logits are not the output of a linear layer");
    C3D_TRY(c3d_loss_check(loss, s.n, s.c));
    if (loss->with_grad && !logits->grad)
        return C3D_FAIL(C3D_EINVAL, "loss: the logits were planned without a gradient");
    return C3D_OK;
}

/* Losses and scores lie side by side on their way to the host. */
static c3d_status read_results(cuda *c, const c3d_loss *loss, int n_outputs, const float *losses,
                               const float *scores)
{
    const size_t n_bytes = (size_t)loss->n_samples * sizeof(float);

    C3D_TRY(c3d_cuda_read(c->backend, loss->losses, losses, n_bytes));
    if (!loss->scores) return C3D_OK;
    return c3d_cuda_read(c->backend, loss->scores, scores, n_bytes * (size_t)n_outputs);
}

c3d_status c3d_cuda_loss_entry(c3d_backend *self, c3d_activation *logits, const c3d_loss *loss)
{
    cuda *c = cuda_of(self);
    const size_t n = (size_t)loss->n_samples;
    cuda_parcel *parcel;

    C3D_TRY(check(c, logits, loss));
    C3D_TRY(c3d_cuda_use(c));
    C3D_TRY(c3d_cuda_parcel_begin(c, &parcel));
    const c3d_cuda_loss run = {
        .n = logits->shape.n,
        .n_samples = loss->n_samples,
        .n_outputs = logits->shape.c,
        .n_lanes = logits->n_lanes,
        .labels = c3d_cuda_parcel_put(c, parcel, loss->labels, n * sizeof(int32_t)),
        .weights = c3d_cuda_parcel_put(c, parcel, loss->weights, n * sizeof(float)),
        .focal_gamma = loss->focal_gamma,
        .grad_scale = loss->grad_scale,
    };
    float *const losses = c->slots[SLOT_RESULTS].data, *const scores = losses + logits->shape.n;
    C3D_TRY(c3d_cuda_parcel_send(c, parcel));
    C3D_CUDA(c3d_cuda_loss_run(c->stream, &run, logits->value, losses, scores,
                               loss->with_grad ? logits->grad : NULL));
    c3d_cuda_note("a loss");
    if (loss->with_grad) c3d_cuda_set_grad(logits, false);
    C3D_TRY(c3d_cuda_parcel_done(c, parcel));
    return read_results(c, loss, logits->shape.c, losses, scores);
}

/* ---- updates --------------------------------------------------------------------------------- */

c3d_status c3d_cuda_adam_entry(c3d_backend *self, const c3d_adam *adam,
                               const c3d_adam_arrays *arrays)
{
    cuda *c = cuda_of(self);

    C3D_TRY(c3d_cuda_use(c));
    C3D_CUDA(c3d_cuda_adam(c->stream, adam, arrays, c->type));
    c3d_cuda_note("Adam");
    return C3D_OK;
}

c3d_status c3d_cuda_to_low_entry(c3d_backend *self, size_t n, const float *from, uint16_t *to)
{
    cuda *c = cuda_of(self);

    if (c->type == C3D_CUDA_F32)
        return C3D_FAIL(C3D_EUNSUPPORTED, "backend cuda, %s: has no 16-bit copies",
                        c3d_precision_name(self->options.precision));
    C3D_TRY(c3d_cuda_use(c));
    C3D_CUDA(c3d_cuda_to_low(c->stream, n, from, to, c->type));
    c3d_cuda_note("16-bit copies");
    return C3D_OK;
}

c3d_status c3d_cuda_add_entry(c3d_backend *self, size_t n, const float *from, float *to)
{
    cuda *c = cuda_of(self);

    C3D_TRY(c3d_cuda_use(c));
    C3D_CUDA(c3d_cuda_add(c->stream, n, from, to));
    c3d_cuda_note("a sum of gradients");
    return C3D_OK;
}

c3d_status c3d_cuda_sum_squares_entry(c3d_backend *self, const float *x, size_t n, double *out)
{
    cuda *c = cuda_of(self);

    C3D_TRY(c3d_cuda_use(c));
    C3D_CUDA(c3d_cuda_sum_squares(c->stream, x, n, c->slots[SLOT_PARTIALS].data, out));
    c3d_cuda_note("a sum of squares");
    return C3D_OK;
}

c3d_status c3d_cuda_sum_doubles_entry(c3d_backend *self, const double *x, size_t n, double *out)
{
    cuda *c = cuda_of(self);

    C3D_TRY(c3d_cuda_use(c));
    C3D_CUDA(c3d_cuda_sum_doubles(c->stream, x, (unsigned)n, out));
    c3d_cuda_note("a sum");
    return C3D_OK;
}
