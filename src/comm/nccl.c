/* Device memory over NCCL, on a stream of our own. Before a collective our stream waits for the
 * compute stream, after it the compute stream waits for ours (nccl_wait): always by events, never
 * on the host, which finds out by polling whether everything goes on. */
#include "comm/nccl_state.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* NCCL may hang where it should abort, and this rank has others to end. */
#define ABORT_S 5.0

void c3d_nccl_nap(void)
{
    static const struct timespec length = { .tv_nsec = (long)(C3D_NCCL_NAP_S * 1e9) };

    (void)nanosleep(&length, NULL);
}

/* ---- errors ---------------------------------------------------------------------------------- */

c3d_status c3d_nccl_cuda_failed(cudaError_t code, const char *call, const char *file, int line)
{
    return c3d_error_set(C3D_EBACKEND, file, line, "%s: %s (%s)", call, cudaGetErrorString(code),
                         cudaGetErrorName(code));
}

c3d_status c3d_nccl_failed(ncclResult_t code, const char *call, const char *file, int line)
{
    const char *more = ncclGetLastError(NULL);

    return c3d_error_set(C3D_ECOMM, file, line, "%s: %s%s%s", call, ncclGetErrorString(code),
                         more && more[0] ? ": " : "", more ? more : "");
}

/* ---- giving up ------------------------------------------------------------------------------- */

typedef struct abortion {
    ncclComm_t nccl;
    atomic_bool done;
} abortion;

static void *abort_nccl(void *context)
{
    abortion *job = context;

    (void)ncclCommAbort(job->nccl);
    atomic_store(&job->done, true);
    return NULL;
}

void c3d_nccl_give_up(c3d_nccl *state)
{
    abortion *job = state->nccl ? c3d_calloc(1, sizeof *job) : NULL;
    const c3d_error error = *c3d_error_last(); /* why we are here: to be kept */
    pthread_t thread;

    if (job) {
        job->nccl = state->nccl;
        if (pthread_create(&thread, NULL, abort_nccl, job) == 0) {
            (void)pthread_detach(thread);
            for (double s = 0; s < ABORT_S && !atomic_load(&job->done); s += C3D_NCCL_NAP_S)
                c3d_nccl_nap();
        }
        if (atomic_load(&job->done)) free(job); /* else the thread still has it */
    }
    state->nccl = NULL;
    state->n_flights = 0;
    (void)c3d_error_put(&error);
}

/* The error of this thread becomes that of all later calls. */
static c3d_status fail(c3d_nccl *state)
{
    c3d_nccl_give_up(state);
    state->has_failed = true;
    state->error = *c3d_error_last();
    return state->error.status;
}

c3d_status c3d_nccl_settle(c3d_nccl *state, ncclResult_t *code, const char *call, double limit_s)
{
    double waited_s = 0;

    while (*code == ncclInProgress) {
        if (waited_s > limit_s)
            return C3D_FAIL(C3D_ECOMM, "%s: not done after %g s", call, limit_s);
        c3d_watch_ask(state->comm, C3D_PLANE_DATA);
        c3d_nccl_nap();
        waited_s += C3D_NCCL_NAP_S;
        C3D_NCCL(ncclCommGetAsyncError(state->nccl, code));
    }
    if (*code != ncclSuccess) return c3d_nccl_failed(*code, call, __FILE__, __LINE__);
    return C3D_OK;
}

/* ---- what is enqueued ------------------------------------------------------------------------ */

static c3d_flight *newest(c3d_nccl *state)
{
    return &state->flights[(state->oldest + state->n_flights - 1) % C3D_FLIGHTS];
}

static c3d_status begin(c3d_nccl *state, const char *name)
{
    c3d_watch_begin(state->comm, C3D_PLANE_DATA);
    if (state->n_flights < C3D_FLIGHTS - 1) {
        state->n_flights++;
        newest(state)->name = name;
        newest(state)->is_awaited = false;
    }
    C3D_CUDA(cudaEventRecord(newest(state)->begin, state->compute));
    C3D_CUDA(cudaStreamWaitEvent(state->stream, newest(state)->begin, 0));
    return C3D_OK;
}

/* NCCL connects ranks when they first need it: a missing rank may be found here already. */
static c3d_status end(c3d_comm *self, ncclResult_t code)
{
    c3d_nccl *state = self->state;

    C3D_TRY(c3d_nccl_settle(state, &code, newest(state)->name, HUGE_VAL));
    C3D_CUDA(cudaEventRecord(newest(state)->end, state->stream));
    return C3D_OK;
}

typedef enum collective { SUM, BROADCAST, REDUCE_SCATTER, ALL_GATHER } collective;

static const char *const names[] = { "sum", "broadcast", "reduce-scatter", "all-gather" };

/* n: floats of a sum or of a share of it, else bytes. */
static ncclResult_t call_nccl(const c3d_comm *self, collective kind, char *x, size_t n)
{
    const c3d_nccl *state = self->state;
    const size_t own = (size_t)self->rank * n;

    switch (kind) {
    case SUM: return ncclAllReduce(x, x, n, ncclFloat, ncclSum, state->nccl, state->stream);
    case BROADCAST: return ncclBroadcast(x, x, n, ncclUint8, 0, state->nccl, state->stream);
    case REDUCE_SCATTER:
        return ncclReduceScatter(x, x + own * sizeof(float), n, ncclFloat, ncclSum, state->nccl,
                                 state->stream);
    case ALL_GATHER: return ncclAllGather(x + own, x, n, ncclUint8, state->nccl, state->stream);
    }
    return ncclInvalidArgument;
}

static c3d_status enqueue_one(c3d_comm *self, collective kind, void *x, size_t n)
{
    C3D_TRY(begin(self->state, names[kind]));
    return end(self, call_nccl(self, kind, x, n));
}

static c3d_status enqueue(c3d_comm *self, collective kind, void *x, size_t n)
{
    c3d_nccl *state = self->state;

    if (state->has_failed) return c3d_error_put(&state->error);
    if (n == 0 || enqueue_one(self, kind, x, n) == C3D_OK) return C3D_OK;
    return fail(state);
}

/* A pair that waits for each other: only a group of calls can do that. */
static ncclResult_t call_both(const c3d_nccl *state, int partner, const float *send, float *receive,
                              size_t n)
{
    ncclResult_t code = ncclGroupStart();

    if (code != ncclSuccess) return code;
    code = ncclSend(send, n, ncclFloat, partner, state->nccl, state->stream);
    if (code == ncclSuccess || code == ncclInProgress)
        code = ncclRecv(receive, n, ncclFloat, partner, state->nccl, state->stream);
    const ncclResult_t ended = ncclGroupEnd();
    return code == ncclSuccess || code == ncclInProgress ? ended : code;
}

static c3d_status exchange_once(c3d_comm *self, int partner, const float *send, float *receive,
                                size_t n)
{
    C3D_TRY(begin(self->state, "exchange"));
    return end(self, call_both(self->state, partner, send, receive, n));
}

/* ---- polling --------------------------------------------------------------------------------- */

static c3d_status reached(cudaEvent_t event, bool *out)
{
    const cudaError_t code = cudaEventQuery(event);

    *out = code == cudaSuccess;
    if (code != cudaErrorNotReady) C3D_CUDA(code);
    if (!*out) (void)cudaGetLastError(); /* not ready is no error that others should find */
    return C3D_OK;
}

/* Seconds from one event to another, which are both reached; 0 where they came in the other order.
 */
static c3d_status seconds_between(cudaEvent_t from, cudaEvent_t to, double *out)
{
    float ms = 0;

    C3D_CUDA(cudaEventElapsedTime(&ms, from, to));
    *out = fmax(0, (double)ms / 1e3);
    return C3D_OK;
}

/* Of a flight that is done: it was under way since its numbers were there and the one before was
 * done, and waited for since the compute stream came to need it. */
static c3d_status add_times(c3d_comm *self, const c3d_flight *flight)
{
    const c3d_nccl *state = self->state;
    double busy_s = 0, since_last_s = 0, waited_s = 0;
    bool waits = false;

    C3D_TRY(seconds_between(flight->begin, flight->end, &busy_s));
    if (state->last_end) {
        C3D_TRY(seconds_between(state->last_end, flight->end, &since_last_s));
        busy_s = fmin(busy_s, since_last_s);
    }
    self->times.busy_s += busy_s;
    if (flight->is_awaited) C3D_TRY(reached(flight->wait, &waits));
    if (!waits) return C3D_OK;
    C3D_TRY(seconds_between(flight->wait, flight->end, &waited_s));
    self->times.waited_s += waited_s;
    return C3D_OK;
}

/* Forgets what is done; the rank waits for the oldest of the others once its numbers are there. */
static c3d_status look(c3d_comm *self)
{
    c3d_nccl *state = self->state;
    ncclResult_t async;
    bool begun = true, done = true;

    C3D_NCCL(ncclCommGetAsyncError(state->nccl, &async));
    if (async != ncclSuccess && async != ncclInProgress)
        return c3d_nccl_failed(async, "NCCL", __FILE__, __LINE__);
    for (; state->n_flights > 0; state->n_flights--) {
        const c3d_flight *flight = &state->flights[state->oldest];
        C3D_TRY(reached(flight->begin, &begun));
        if (begun) C3D_TRY(reached(flight->end, &done));
        if (!begun || !done) break;
        C3D_TRY(add_times(self, flight));
        state->last_end = flight->end;
        state->oldest = (state->oldest + 1) % C3D_FLIGHTS;
        c3d_watch_move(self, C3D_PLANE_DATA);
    }
    if (state->n_flights > 0 && begun) c3d_watch_ask(self, C3D_PLANE_DATA);
    return C3D_OK;
}

/* ---- the table ------------------------------------------------------------------------------- */

static c3d_status nccl_poll(c3d_comm *self)
{
    c3d_nccl *state = self->state;

    if (state->has_failed) return c3d_error_put(&state->error);
    return look(self) == C3D_OK ? C3D_OK : fail(state);
}

static c3d_status nccl_wait(c3d_comm *self)
{
    c3d_nccl *state = self->state;

    C3D_TRY(nccl_poll(self));
    if (state->n_flights == 0) return C3D_OK;
    if (!newest(state)->is_awaited) C3D_CUDA(cudaEventRecord(newest(state)->wait, state->compute));
    newest(state)->is_awaited = true;
    C3D_CUDA(cudaStreamWaitEvent(state->compute, newest(state)->end, 0));
    return C3D_OK;
}

static void nccl_abort(c3d_comm *self)
{
    c3d_nccl *state = self->state;

    if (!state || state->has_failed) return;
    c3d_nccl_give_up(state);
    state->has_failed = true;
    state->error = (c3d_error){ .status = C3D_ECOMM, .message = "NCCL: given up" };
}

static c3d_status nccl_sum(c3d_comm *self, float *buffer, size_t n)
{
    return enqueue(self, SUM, buffer, n);
}

static c3d_status nccl_broadcast(c3d_comm *self, void *buffer, size_t n_bytes)
{
    return enqueue(self, BROADCAST, buffer, n_bytes);
}

static c3d_status nccl_reduce_scatter(c3d_comm *self, float *all, size_t n_share)
{
    return enqueue(self, REDUCE_SCATTER, all, n_share);
}

static c3d_status nccl_all_gather(c3d_comm *self, void *all, size_t n_bytes)
{
    return enqueue(self, ALL_GATHER, all, n_bytes);
}

static c3d_status nccl_exchange(c3d_comm *self, int partner, const float *send, float *receive,
                                size_t n)
{
    c3d_nccl *state = self->state;

    if (state->has_failed) return c3d_error_put(&state->error);
    if (n == 0 || exchange_once(self, partner, send, receive, n) == C3D_OK) return C3D_OK;
    return fail(state);
}

const c3d_comm_ops c3d_comm_nccl = {
    .name = "nccl",
    .open = c3d_nccl_open,
    .close = c3d_nccl_close,
    .abort = nccl_abort,
    .sum = nccl_sum,
    .broadcast = nccl_broadcast,
    .reduce_scatter = nccl_reduce_scatter,
    .all_gather = nccl_all_gather,
    .exchange = nccl_exchange,
    .wait = nccl_wait,
    .poll = nccl_poll,
};
