/* Adam with its state on rank 0: rank 0 updates a bucket and broadcasts it, bucket after bucket. */
#include "train/optimizer.h"

static bool keeps_state(const c3d_run *run)
{
    return run->comm->rank == 0;
}

c3d_status c3d_optimizer_open(c3d_run *run)
{
    const size_t n_bytes = run->model.n_arena * sizeof(float);

    c3d_loss_scale_begin(run);
    C3D_TRY(run->backend.ops->alloc(&run->backend, sizeof *run->optimizer.squares,
                                    (void **)&run->optimizer.squares));
    if (!keeps_state(run)) return C3D_OK;
    C3D_TRY(run->backend.ops->alloc(&run->backend, n_bytes, (void **)&run->optimizer.m));
    return run->backend.ops->alloc(&run->backend, n_bytes, (void **)&run->optimizer.v);
}

void c3d_optimizer_close(c3d_run *run)
{
    if (run->optimizer.m) run->backend.ops->free(&run->backend, run->optimizer.m);
    if (run->optimizer.v) run->backend.ops->free(&run->backend, run->optimizer.v);
    if (run->optimizer.squares) run->backend.ops->free(&run->backend, run->optimizer.squares);
    run->optimizer = (c3d_optimizer){ 0 };
}

size_t c3d_bucket_floats(const c3d_run *run)
{
    const double floats = run->config->distributed.bucket_mb * 1048576.0 / sizeof(float);

    return floats < 1024 ? 1024 : (size_t)floats;
}

static c3d_status update(c3d_run *run, const c3d_adam *adam, size_t begin, size_t count)
{
    const c3d_adam_arrays arrays = { .n = count,
                                     .grad = run->model.grad + begin,
                                     .m = run->optimizer.m + begin,
                                     .v = run->optimizer.v + begin,
                                     .param = run->model.param + begin,
                                     .low = run->model.low ? run->model.low + begin : NULL };

    return run->backend.ops->adam(&run->backend, adam, &arrays);
}

c3d_status c3d_optimizer_measure(c3d_run *run)
{
    return run->backend.ops->sum_squares(&run->backend, run->model.grad, run->model.n_arena,
                                         run->optimizer.squares);
}

c3d_status c3d_optimizer_step(c3d_run *run, double rate, float grad_scale)
{
    const c3d_config *config = run->config;
    const size_t n = run->model.n_arena, bucket = c3d_bucket_floats(run);
    const c3d_adam adam = {
        .rate = rate,
        .beta1 = config->optimizer.beta1,
        .beta2 = config->optimizer.beta2,
        .epsilon = config->optimizer.epsilon,
        .weight_decay = config->optimizer.weight_decay,
        .t = ++run->optimizer.t,
        .grad_scale = grad_scale,
        .clip_norm = config->optimizer.clip_norm,
        .squares = run->optimizer.squares,
    };

    for (size_t begin = 0; begin < n; begin += bucket) {
        const size_t count = n - begin < bucket ? n - begin : bucket;
        float *param = run->model.param + begin;
        if (keeps_state(run)) C3D_TRY(update(run, &adam, begin, count));
        C3D_TRY(run->comm->ops->broadcast(run->comm, param, count * sizeof(float)));
    }
    C3D_TRY(run->comm->ops->wait(run->comm));
    return keeps_state(run) ? C3D_OK : c3d_model_to_low(&run->model, 0, n);
}

/* ---- loss scaling ---------------------------------------------------------------------------- */

#define FIRST_SCALE 65536.0
#define GOOD_STEPS  2000

static bool is_scaled(const c3d_run *run)
{
    return run->backend.options.precision == C3D_PRECISION_FP16;
}

void c3d_loss_scale_begin(c3d_run *run)
{
    run->optimizer.loss_scale = is_scaled(run) ? FIRST_SCALE : 1;
    run->optimizer.n_good = 0;
}

bool c3d_loss_scale_see(c3d_run *run, bool is_finite)
{
    c3d_optimizer *o = &run->optimizer;

    if (!is_scaled(run)) return false;
    if (!is_finite) {
        if (o->loss_scale <= 1) return false; /* no scale is to blame */
        o->loss_scale /= 2;
        o->n_good = 0;
        return true;
    }
    if (++o->n_good == GOOD_STEPS) {
        o->loss_scale *= 2;
        o->n_good = 0;
    }
    return false;
}
