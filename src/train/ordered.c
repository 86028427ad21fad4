#include "train/ordered.h"

#include "train/optimizer.h"
#include "train/step.h"

#include <inttypes.h>

bool c3d_is_ordered(const c3d_run *run)
{
    return run->config->distributed.reduction == C3D_CONFIG_REDUCTION_ORDERED;
}

c3d_status c3d_ordered_check_ranks(const c3d_run *run)
{
    const int n_ranks = run->comm->n_ranks;
    int below = 1;

    while (2 * below <= n_ranks) below *= 2;
    if (!c3d_is_ordered(run) || below == n_ranks) return C3D_OK;
    return C3D_FAIL(C3D_ECONFIG,
                    "%d ranks, but distributed.reduction: ordered adds in pairs, on 1, 2, 4, 8, "
                    "... ranks: use %d or %d, or distributed.reduction: fast",
                    n_ranks, below, 2 * below);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* Sums held while this rank's leaves come: right turns on the way to a leaf, at most. */
static int n_held(const c3d_run *run)
{
    const int global = run->config->train.global_batch, micro = run->config->train.micro_batch;
    const int n_micro = (global - 1) / micro + 1;
    int n = 0;

    for (int left = c3d_deal_block(n_micro, run->comm->rank, run->comm->n_ranks).n; left > 1;
         left /= 2)
        n++;
    return n;
}

/* Room for the half of a bucket's shares that comes from a partner, or for all of a rest. */
static size_t n_received(const c3d_run *run, size_t n)
{
    const c3d_cut cut = c3d_optimizer_cut(run, n);
    const size_t bucket = cut.bucket < cut.n_shared ? cut.bucket : cut.n_shared;
    const size_t n_rest = C3D_CUT_FLOATS * cut.n_ranks;

    if (cut.n_ranks == 1) return 0;
    return bucket / 2 > n_rest ? bucket / 2 : n_rest;
}

uint64_t c3d_ordered_bytes(const c3d_run *run, size_t n)
{
    if (!c3d_is_ordered(run)) return 0;
    return ((uint64_t)n_held(run) * n + n_received(run, n)) * sizeof(float);
}

static c3d_status take(c3d_run *run, size_t n, float **out)
{
    void *buffer = NULL;

    C3D_TRY(run->backend.ops->alloc(&run->backend, n * sizeof(float), &buffer));
    *out = buffer;
    return C3D_OK;
}

c3d_status c3d_ordered_open(c3d_run *run)
{
    const size_t n = run->model.n_arena, n_from_partner = n_received(run, n);
    c3d_ordered *o = &run->ordered;

    *o = (c3d_ordered){ 0 };
    if (!c3d_is_ordered(run)) return C3D_OK;
    for (int i = n_held(run); i > 0; i--) {
        C3D_ASSERT(o->n_arenas < C3D_ORDERED_ARENAS);
        C3D_TRY(take(run, n, &o->held[o->n_arenas]));
        o->n_arenas++;
    }
    return n_from_partner > 0 ? take(run, n_from_partner, &o->received) : C3D_OK;
}

void c3d_ordered_close(c3d_run *run)
{
    c3d_ordered *o = &run->ordered;

    for (int i = 0; i < o->n_arenas; i++) run->backend.ops->free(&run->backend, o->held[i]);
    if (o->received) run->backend.ops->free(&run->backend, o->received);
    *o = (c3d_ordered){ 0 };
}

/* ---- the price ------------------------------------------------------------------------------- */

static c3d_status start_clock(c3d_run *run)
{
    if (!run->ordered.is_timed) return C3D_OK;
    if (!run->backend.ops->host_memory) C3D_TRY(c3d_run_settle(run));
    run->ordered.started_s = c3d_now_s();
    return C3D_OK;
}

static c3d_status stop_clock(c3d_run *run)
{
    if (!run->ordered.is_timed) return C3D_OK;
    if (!run->backend.ops->host_memory) C3D_TRY(c3d_run_settle(run));
    run->ordered.seconds += c3d_now_s() - run->ordered.started_s;
    return C3D_OK;
}

void c3d_ordered_say(c3d_run *run)
{
    c3d_ordered *o = &run->ordered;
    const double step_s = run->sums.seconds / (double)run->position.step_in_epoch;

    if (!c3d_is_ordered(run) || o->n_timed == 0) return;
    const double ordered_s = o->seconds / (double)o->n_timed;
    c3d_log_run("epoch %" PRId64 ": gradients added in order in %.4f s a step, %.0f %% of it",
                run->position.epoch + 1, ordered_s, 100 * ordered_s / step_s);
    o->seconds = 0;
    o->n_timed = 0;
}

/* ---- on one rank ----------------------------------------------------------------------------- */

/* Every turn to the right since the last one to the left ends at the leaf. */
int c3d_ordered_folds(int n, int leaf)
{
    int folds = 0;

    while (n > 1) {
        const int first = (n + 1) / 2;
        const bool is_right = leaf >= first;
        folds = is_right ? folds + 1 : 0;
        leaf -= is_right ? first : 0;
        n = is_right ? n - first : first;
    }
    return folds;
}

void c3d_ordered_begin(c3d_run *run, int n_micro)
{
    c3d_ordered *o = &run->ordered;

    o->n_micro = n_micro;
    o->n_held = 0;
    o->is_timed = run->comm->rank == 0 && (run->backend.ops->host_memory || o->n_timed == 0);
    o->n_timed += o->is_timed;
}

static c3d_status add(c3d_run *run, size_t n, const float *from, float *to)
{
    return run->backend.ops->add(&run->backend, n, from, to);
}

c3d_status c3d_ordered_keep(c3d_run *run, int nth, int n)
{
    c3d_ordered *o = &run->ordered;
    float *sum = run->model.grad;

    if (!c3d_is_ordered(run) || nth == n - 1) return C3D_OK;
    C3D_TRY(start_clock(run));
    for (int folds = c3d_ordered_folds(n, nth); folds > 0; folds--)
        C3D_TRY(add(run, run->model.n_arena, o->held[--o->n_held], sum));
    C3D_ASSERT(o->n_held < o->n_arenas);
    run->model.grad = o->held[o->n_held];
    o->held[o->n_held++] = sum;
    return stop_clock(run);
}

/* The last leaf is the last one of all nodes that wait. */
static c3d_status fold(c3d_run *run, const c3d_piece *piece)
{
    const c3d_ordered *o = &run->ordered;
    float *sum = run->model.grad + piece->begin;

    for (int i = o->n_held - 1; i >= 0; i--)
        C3D_TRY(add(run, piece->n, o->held[i] + piece->begin, sum));
    return C3D_OK;
}

/* ---- between ranks --------------------------------------------------------------------------- */

/* A pair that has the two halves of a node; ranks come together in groups of `bit` at first. */
typedef struct pair {
    int bit, partner;
    bool mine, theirs; /* whether there are leaves below */
} pair;

static pair pair_of(const c3d_run *run, int bit)
{
    const int n_micro = run->ordered.n_micro, n_groups = run->comm->n_ranks / bit;
    const int rank = run->comm->rank, partner = rank ^ bit;

    return (pair){ .bit = bit,
                   .partner = partner,
                   .mine = c3d_deal_block(n_micro, rank / bit, n_groups).n > 0,
                   .theirs = c3d_deal_block(n_micro, partner / bit, n_groups).n > 0 };
}

/* Of the shares that both still sum, each takes on those whose number has its own bit, so that
 * share r is left to rank r. */
static c3d_status halve(c3d_run *run, const c3d_piece *piece, const pair *p)
{
    const c3d_comm_ops *ops = run->comm->ops;
    const size_t n = piece->n_share, step = 2 * (size_t)p->bit;
    const size_t first = (size_t)run->comm->rank % step;
    float *const shares = run->model.grad + piece->begin, *received = run->ordered.received;

    for (size_t s = first, i = 0; s * n < piece->n; s += step, i++) {
        const float *theirs = shares + (s ^ (size_t)p->bit) * n;
        float *to = p->mine ? received + i * n : shares + s * n;
        C3D_TRY(ops->exchange(run->comm, p->partner, theirs, to, n));
    }
    C3D_TRY(ops->wait(run->comm));
    for (size_t s = first, i = 0; p->mine && p->theirs && s * n < piece->n; s += step, i++)
        C3D_TRY(add(run, n, received + i * n, shares + s * n));
    return C3D_OK;
}

/* Too small for shares: both add it. */
static c3d_status add_rest(c3d_run *run, const c3d_piece *piece, const pair *p)
{
    const c3d_comm_ops *ops = run->comm->ops;
    float *const rest = run->model.grad + piece->begin, *received = run->ordered.received;
    float *to = p->mine ? received : rest;

    C3D_TRY(ops->exchange(run->comm, p->partner, p->mine ? rest : received, to, piece->n));
    C3D_TRY(ops->wait(run->comm));
    return p->mine && p->theirs ? add(run, piece->n, received, rest) : C3D_OK;
}

/* The clock is for what only this reduction does: a sum is gathered in others too. */
c3d_status c3d_ordered_reduce(c3d_run *run, const c3d_piece *piece)
{
    float *grad = run->model.grad + piece->begin;

    C3D_TRY(start_clock(run));
    C3D_TRY(fold(run, piece));
    for (int bit = 1; bit < run->comm->n_ranks; bit *= 2) {
        const pair p = pair_of(run, bit);
        C3D_TRY(piece->n_share > 0 ? halve(run, piece, &p) : add_rest(run, piece, &p));
    }
    if (run->comm->n_ranks > 1 && piece->n_share > 0)
        C3D_TRY(run->comm->ops->all_gather(run->comm, grad, piece->n_share * sizeof *grad));
    return stop_clock(run);
}
