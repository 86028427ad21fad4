#include "train/optimizer.h"

#include "train/ordered.h"
#include "train/step.h"

#include <stdlib.h>

/* ---- who keeps what -------------------------------------------------------------------------- */

static bool is_at(const c3d_run *run, c3d_config_state state)
{
    return run->config->optimizer.state == state;
}

static bool keeps_moments(const c3d_run *run)
{
    return !is_at(run, C3D_CONFIG_STATE_RANK0) || run->comm->rank == 0;
}

/* Each rank has a part. */
static bool is_spread(const c3d_run *run)
{
    return is_at(run, C3D_CONFIG_STATE_SHARDED) && run->comm->n_ranks > 1;
}

c3d_cut c3d_optimizer_cut(const c3d_run *run, size_t n)
{
    const double floats = run->config->distributed.bucket_mb * 1048576.0 / sizeof(float);

    return c3d_cut_make(n, floats < 1024 ? 1024 : (size_t)floats, run->comm->n_ranks);
}

size_t c3d_optimizer_moments(const c3d_run *run, size_t n)
{
    const c3d_cut cut = c3d_optimizer_cut(run, n);

    if (!keeps_moments(run)) return 0;
    return is_spread(run) ? c3d_cut_kept(&cut) : n;
}

/* What this rank updates of a piece. */
static c3d_range own_range(const c3d_run *run, const c3d_cut *cut, size_t i)
{
    if (is_spread(run)) return c3d_cut_share(cut, i, run->comm->rank);
    const c3d_piece piece = c3d_cut_piece(cut, i);

    return (c3d_range){ piece.begin, piece.n, piece.begin };
}

c3d_status c3d_optimizer_open(c3d_run *run)
{
    const c3d_cut cut = c3d_optimizer_cut(run, run->model.n_arena);
    const size_t n_bytes = c3d_optimizer_moments(run, cut.n) * sizeof(float);
    const size_t n_partials = cut.n_ranks * cut.n_buckets + 1;
    const c3d_backend_ops *ops = run->backend.ops;

    c3d_loss_scale_begin(run);
    C3D_TRY(ops->alloc(&run->backend, sizeof *run->optimizer.squares,
                       (void **)&run->optimizer.squares));
    C3D_TRY(ops->alloc(&run->backend, n_partials * sizeof *run->optimizer.partials,
                       (void **)&run->optimizer.partials));
    if (!keeps_moments(run)) return C3D_OK;
    C3D_TRY(ops->alloc(&run->backend, n_bytes, (void **)&run->optimizer.m));
    return ops->alloc(&run->backend, n_bytes, (void **)&run->optimizer.v);
}

void c3d_optimizer_close(c3d_run *run)
{
    void *const buffers[] = { run->optimizer.m, run->optimizer.v, run->optimizer.squares,
                              run->optimizer.partials };

    for (size_t i = 0; i < C3D_COUNT(buffers); i++)
        if (buffers[i]) run->backend.ops->free(&run->backend, buffers[i]);
    run->optimizer = (c3d_optimizer){ 0 };
}

/* ---- a step ---------------------------------------------------------------------------------- */

/* NCCL adds shares in another order than whole buffers. */
static bool sums_by_shares(const c3d_run *run)
{
    return run->comm->ops == &c3d_comm_nccl && run->comm->device->deterministic;
}

c3d_status c3d_optimizer_reduce(c3d_run *run, const c3d_piece *piece)
{
    const c3d_comm_ops *ops = run->comm->ops;
    float *grad = run->model.grad + piece->begin;
    const bool gathers = !is_spread(run);

    if (c3d_is_ordered(run)) return c3d_ordered_reduce(run, piece);
    if (piece->n_share == 0 || (gathers && !sums_by_shares(run)))
        return ops->sum(run->comm, grad, piece->n);
    C3D_TRY(ops->reduce_scatter(run->comm, grad, piece->n_share));
    if (!gathers) return C3D_OK;
    return ops->all_gather(run->comm, grad, piece->n_share * sizeof *grad);
}

c3d_status c3d_optimizer_measure_rank(c3d_run *run)
{
    return run->backend.ops->sum_squares(&run->backend, run->model.grad, run->model.n_arena,
                                         run->optimizer.squares);
}

/* Of one share, or of the rest. */
static c3d_status measure_share(c3d_run *run, const c3d_cut *cut, size_t i, int rank)
{
    const c3d_range range = c3d_cut_share(cut, i, rank);
    const size_t at =
        i < cut->n_buckets ? (size_t)rank * cut->n_buckets + i : cut->n_ranks * cut->n_buckets;

    return run->backend.ops->sum_squares(&run->backend, run->model.grad + range.begin, range.n,
                                         run->optimizer.partials + at);
}

/* Shares are measured one by one wherever they are, so that every placement finds one number; with
 * sums in order everybody has all of it, and the number depends on nothing else. */
c3d_status c3d_optimizer_measure(c3d_run *run)
{
    const c3d_cut cut = c3d_optimizer_cut(run, run->model.n_arena);
    const size_t n_rest = cut.n_pieces - cut.n_buckets, own = (size_t)run->comm->rank;
    double *partials = run->optimizer.partials;

    if (cut.n_ranks == 1 || c3d_is_ordered(run)) return c3d_optimizer_measure_rank(run);
    for (size_t i = 0; i < cut.n_buckets; i++)
        for (size_t r = 0; r < cut.n_ranks; r++)
            if (!is_spread(run) || r == own) C3D_TRY(measure_share(run, &cut, i, (int)r));
    if (n_rest > 0) C3D_TRY(measure_share(run, &cut, cut.n_buckets, run->comm->rank));
    if (is_spread(run) && cut.n_buckets > 0) {
        C3D_TRY(run->comm->ops->all_gather(run->comm, partials, cut.n_buckets * sizeof *partials));
        C3D_TRY(run->comm->ops->wait(run->comm));
    }
    return run->backend.ops->sum_doubles(
        &run->backend, partials, cut.n_ranks * cut.n_buckets + n_rest, run->optimizer.squares);
}

/* What other ranks have updated came without its 16-bit copies. */
static bool lacks_low(const c3d_run *run)
{
    return is_spread(run) || !keeps_moments(run);
}

static c3d_status update(c3d_run *run, const c3d_adam *adam, const c3d_range *range)
{
    const bool with_low = run->model.low && !lacks_low(run);
    const c3d_adam_arrays arrays = { .n = range->n,
                                     .grad = run->model.grad + range->begin,
                                     .m = run->optimizer.m + range->kept,
                                     .v = run->optimizer.v + range->kept,
                                     .param = run->model.param + range->begin,
                                     .low = with_low ? run->model.low + range->begin : NULL };

    return run->backend.ops->adam(&run->backend, adam, &arrays);
}

static c3d_status send(c3d_run *run, const c3d_piece *piece)
{
    const c3d_comm_ops *ops = run->comm->ops;
    float *param = run->model.param + piece->begin;

    if (is_at(run, C3D_CONFIG_STATE_RANK0))
        return ops->broadcast(run->comm, param, piece->n * sizeof *param);
    if (!is_spread(run) || piece->n_share == 0) return C3D_OK;
    return ops->all_gather(run->comm, param, piece->n_share * sizeof *param);
}

c3d_status c3d_optimizer_step(c3d_run *run, double rate, float grad_scale)
{
    const c3d_config *config = run->config;
    const c3d_cut cut = c3d_optimizer_cut(run, run->model.n_arena);
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

    c3d_phase_set(C3D_PHASE_UPDATING, adam.t, 0);
    for (size_t i = 0; i < cut.n_pieces; i++) {
        const c3d_piece piece = c3d_cut_piece(&cut, i);
        const c3d_range range = own_range(run, &cut, i);
        if (keeps_moments(run)) C3D_TRY(update(run, &adam, &range));
        C3D_TRY(send(run, &piece));
    }
    C3D_TRY(run->comm->ops->wait(run->comm));
    return lacks_low(run) ? c3d_model_to_low(&run->model, 0, cut.n) : C3D_OK;
}

/* ---- moments in one place, for checkpoints --------------------------------------------------- */

/* Backend memory to backend memory. */
static c3d_status copy(c3d_run *run, float *to, const float *from, size_t n)
{
    const c3d_backend_ops *ops = run->backend.ops;
    const size_t n_buffer = n < 65536 ? n : 65536;
    c3d_status st = C3D_OK;

    if (ops->host_memory) return ops->upload(&run->backend, to, from, n * sizeof *to);
    float *buffer = c3d_calloc(n_buffer + 1, sizeof *buffer);
    if (!buffer) return C3D_ENOMEM;
    for (size_t at = 0; at < n && st == C3D_OK; at += n_buffer) {
        const size_t n_bytes = (n - at < n_buffer ? n - at : n_buffer) * sizeof *buffer;
        st = ops->download(&run->backend, buffer, from + at, n_bytes);
        if (st == C3D_OK) st = ops->upload(&run->backend, to + at, buffer, n_bytes);
    }
    free(buffer);
    return st;
}

static float *moment_of(const c3d_run *run, c3d_moment moment)
{
    return moment == C3D_MOMENT_M ? run->optimizer.m : run->optimizer.v;
}

float *c3d_optimizer_whole(const c3d_run *run, c3d_moment moment)
{
    return is_spread(run) ? run->model.grad : moment_of(run, moment);
}

c3d_status c3d_optimizer_gather(c3d_run *run, c3d_moment moment)
{
    const c3d_cut cut = c3d_optimizer_cut(run, run->model.n_arena);
    const float *kept = moment_of(run, moment);
    float *whole = c3d_optimizer_whole(run, moment);

    if (!is_spread(run)) return C3D_OK;
    for (size_t i = 0; i < cut.n_pieces; i++) {
        const c3d_piece piece = c3d_cut_piece(&cut, i);
        const c3d_range range = own_range(run, &cut, i);
        C3D_TRY(copy(run, whole + range.begin, kept + range.kept, range.n));
        if (piece.n_share > 0)
            C3D_TRY(run->comm->ops->all_gather(run->comm, whole + piece.begin,
                                               piece.n_share * sizeof *whole));
    }
    C3D_TRY(run->comm->ops->wait(run->comm));
    return c3d_run_settle(run);
}

c3d_status c3d_optimizer_spread(c3d_run *run, c3d_moment moment)
{
    const c3d_cut cut = c3d_optimizer_cut(run, run->model.n_arena);
    float *kept = moment_of(run, moment), *whole = c3d_optimizer_whole(run, moment);

    if (is_at(run, C3D_CONFIG_STATE_RANK0)) return C3D_OK;
    C3D_TRY(run->comm->ops->broadcast(run->comm, whole, cut.n * sizeof *whole));
    C3D_TRY(run->comm->ops->wait(run->comm));
    C3D_TRY(c3d_run_settle(run));
    for (size_t i = 0; is_spread(run) && i < cut.n_pieces; i++) {
        const c3d_range range = own_range(run, &cut, i);
        C3D_TRY(copy(run, kept + range.kept, whole + range.begin, range.n));
    }
    return C3D_OK;
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
