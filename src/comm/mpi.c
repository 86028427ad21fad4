/* Over MPI; inside a node through shared memory (node.c); device memory piece by piece through host
 * memory. Calls on host memory are made by a thread of their own (queue.c), in a communicator of
 * their own. */
#include "comm/node.h"
#include "comm/queue.h"

#include <limits.h>
#include <stdlib.h>

/* Floats a call of MPI, and of device memory on the host at a time: pieces of the window fit it, so
 * that MPI adds the same numbers in the same calls wherever they lie. */
#define PIECE       (16 * C3D_WINDOW_FLOATS)
#define PIECE_BYTES (PIECE * sizeof(float))

typedef struct mpi_state {
    const c3d_comm *comm;
    MPI_Comm data;
    c3d_node node;
    c3d_queue queue;
    int n_ranks;
    bool has_window; /* the same on every rank */
    float *staging;  /* [PIECE], pinned if it can be; with device memory only */
    bool is_pinned;
} mpi_state;

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t c3d_comm_window_bytes(int n_local_ranks)
{
    return n_local_ranks > 1 ? c3d_window_bytes(n_local_ranks) : 0;
}

/* Some rank without a window: all do without. */
static c3d_status agree_on_window(c3d_comm *self, mpi_state *state, c3d_status opened)
{
    int all_opened = opened == C3D_OK;
    c3d_status st;

    C3D_MEET(self, MPI_Allreduce(MPI_IN_PLACE, &all_opened, 1, MPI_INT, MPI_MIN, state->data));
    state->has_window = all_opened && state->node.n_nodes < self->n_ranks;
    self->has_window = state->has_window;
    if (all_opened) return C3D_OK;
    c3d_window_close(&state->node.window);
    st = c3d_comm_agree_status(self, opened); /* for its words: rank 0 may not be the one */
    self->agreed = false;
    if (st != C3D_OK)
        c3d_log_warn("%s: sums inside a host go through MPI_Allreduce, which is slower and may add "
                     "in another order",
                     c3d_error_last()->message);
    return C3D_OK;
}

static c3d_status open_staging(const c3d_comm_device *device, mpi_state *state)
{
    if (!device) return C3D_OK;
    state->staging = c3d_aligned(PIECE_BYTES);
    if (!state->staging) return C3D_ENOMEM;
    if (!device->pin) return C3D_OK;
    C3D_TRY(device->pin(device->context, state->staging, PIECE_BYTES));
    state->is_pinned = true;
    return C3D_OK;
}

static void unpin(c3d_comm *self)
{
    mpi_state *state = self->state;

    if (state->is_pinned) self->device->unpin(self->device->context, state->staging);
    state->is_pinned = false;
}

/* ---- host memory ----------------------------------------------------------------------------- */

static bool is_one_node(const mpi_state *state)
{
    return state->has_window && state->node.n_nodes == 1;
}

static c3d_status host_sum(mpi_state *state, float *x, size_t n)
{
    if (state->has_window) return c3d_node_sum(&state->node, x, n);
    for (size_t done = 0; done < n; done += PIECE) {
        C3D_MPI(MPI_Allreduce(MPI_IN_PLACE, x + done, (int)min_size(n - done, PIECE), MPI_FLOAT,
                              MPI_SUM, state->data));
        c3d_watch_move(state->comm, C3D_PLANE_DATA);
    }
    return C3D_OK;
}

static c3d_status broadcast_from(mpi_state *state, int root, char *bytes, size_t n_bytes)
{
    for (size_t done = 0; done < n_bytes; done += PIECE_BYTES) {
        C3D_MPI(MPI_Bcast(bytes + done, (int)min_size(n_bytes - done, PIECE_BYTES), MPI_BYTE, root,
                          state->data));
        c3d_watch_move(state->comm, C3D_PLANE_DATA);
    }
    return C3D_OK;
}

static c3d_status host_broadcast(mpi_state *state, void *x, size_t n_bytes)
{
    if (state->has_window) return c3d_node_broadcast(&state->node, x, n_bytes);
    return broadcast_from(state, 0, x, n_bytes);
}

/* Over several nodes all shares are summed by everybody, so that the bits are those of a sum. */
static c3d_status host_reduce_scatter(mpi_state *state, float *all, size_t n_share)
{
    if (is_one_node(state)) return c3d_node_reduce_scatter(&state->node, all, n_share);
    return host_sum(state, all, (size_t)state->n_ranks * n_share);
}

static c3d_status host_all_gather(mpi_state *state, void *all, size_t n_bytes)
{
    if (is_one_node(state)) return c3d_node_all_gather(&state->node, all, n_bytes);
    if (n_bytes <= INT_MAX) {
        C3D_MPI(MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, (int)n_bytes, MPI_BYTE,
                              state->data));
        return C3D_OK;
    }
    for (int r = 0; r < state->n_ranks; r++)
        C3D_TRY(broadcast_from(state, r, (char *)all + (size_t)r * n_bytes, n_bytes));
    return C3D_OK;
}

static c3d_status host_exchange(mpi_state *state, int partner, const float *send, float *receive,
                                size_t n)
{
    for (size_t done = 0; done < n; done += PIECE) {
        const int count = (int)min_size(n - done, PIECE);
        C3D_MPI(MPI_Sendrecv(send + done, count, MPI_FLOAT, partner, 0, receive + done, count,
                             MPI_FLOAT, partner, 0, state->data, MPI_STATUS_IGNORE));
        c3d_watch_move(state->comm, C3D_PLANE_DATA);
    }
    return C3D_OK;
}

/* ---- device memory, by way of the host ------------------------------------------------------- */

static c3d_status staged_sum(c3d_comm *self, float *x, size_t n)
{
    const c3d_comm_device *device = self->device;
    mpi_state *state = self->state;

    for (size_t done = 0; done < n; done += PIECE) {
        const size_t count = min_size(n - done, PIECE);
        const size_t n_bytes = count * sizeof(float);
        C3D_TRY(device->download(device->context, state->staging, x + done, n_bytes));
        C3D_TRY(host_sum(state, state->staging, count));
        C3D_TRY(device->upload(device->context, x + done, state->staging, n_bytes));
    }
    return C3D_OK;
}

static c3d_status staged_broadcast(c3d_comm *self, char *x, size_t n_bytes)
{
    const c3d_comm_device *device = self->device;
    mpi_state *state = self->state;

    for (size_t done = 0; done < n_bytes; done += PIECE_BYTES) {
        const size_t n = min_size(n_bytes - done, PIECE_BYTES);
        if (self->rank == 0)
            C3D_TRY(device->download(device->context, state->staging, x + done, n));
        C3D_TRY(host_broadcast(state, state->staging, n));
        if (self->rank != 0) C3D_TRY(device->upload(device->context, x + done, state->staging, n));
    }
    return C3D_OK;
}

static c3d_status staged_reduce_scatter(c3d_comm *self, float *all, size_t n_share)
{
    const c3d_comm_device *device = self->device;
    mpi_state *state = self->state;
    const size_t step = PIECE / (size_t)self->n_ranks, own = (size_t)self->rank;

    if (!is_one_node(state)) return staged_sum(self, all, (size_t)self->n_ranks * n_share);
    for (size_t done = 0; done < n_share; done += step) {
        const size_t n = min_size(n_share - done, step);
        for (size_t r = 0; r < (size_t)self->n_ranks; r++)
            C3D_TRY(device->download(device->context, state->staging + r * n,
                                     all + r * n_share + done, n * sizeof(float)));
        C3D_TRY(host_reduce_scatter(state, state->staging, n));
        C3D_TRY(device->upload(device->context, all + own * n_share + done,
                               state->staging + own * n, n * sizeof(float)));
    }
    return C3D_OK;
}

static c3d_status staged_all_gather(c3d_comm *self, char *all, size_t n_bytes)
{
    const c3d_comm_device *device = self->device;
    mpi_state *state = self->state;
    const size_t step = PIECE_BYTES / (size_t)self->n_ranks, own = (size_t)self->rank;
    char *staging = (char *)state->staging;

    for (size_t done = 0; done < n_bytes; done += step) {
        const size_t n = min_size(n_bytes - done, step);
        C3D_TRY(
            device->download(device->context, staging + own * n, all + own * n_bytes + done, n));
        C3D_TRY(host_all_gather(state, staging, n));
        for (size_t r = 0; r < (size_t)self->n_ranks; r++)
            if (r != own)
                C3D_TRY(
                    device->upload(device->context, all + r * n_bytes + done, staging + r * n, n));
    }
    return C3D_OK;
}

static c3d_status staged_exchange(c3d_comm *self, int partner, const float *send, float *receive,
                                  size_t n)
{
    const c3d_comm_device *device = self->device;
    mpi_state *state = self->state;
    const size_t half = PIECE / 2;
    float *to = state->staging, *from = state->staging + half;

    for (size_t done = 0; done < n; done += half) {
        const size_t count = min_size(n - done, half);
        C3D_TRY(device->download(device->context, to, send + done, count * sizeof *to));
        C3D_TRY(host_exchange(state, partner, to, from, count));
        C3D_TRY(device->upload(device->context, receive + done, from, count * sizeof *from));
    }
    return C3D_OK;
}

/* ---- the table ------------------------------------------------------------------------------- */

static c3d_status make_on_host(c3d_comm *self, const c3d_call *call)
{
    mpi_state *state = self->state;

    switch (call->kind) {
    case C3D_CALL_SUM: return host_sum(state, call->x, call->n);
    case C3D_CALL_BROADCAST: return host_broadcast(state, call->x, call->n);
    case C3D_CALL_REDUCE_SCATTER: return host_reduce_scatter(state, call->x, call->n);
    case C3D_CALL_ALL_GATHER: return host_all_gather(state, call->x, call->n);
    case C3D_CALL_EXCHANGE:
        return host_exchange(state, call->partner, call->from, call->x, call->n);
    }
    return C3D_FAIL(C3D_EINTERNAL, "a call of the data plane of kind %d", (int)call->kind);
}

static c3d_status make_on_device(c3d_comm *self, const c3d_call *call)
{
    switch (call->kind) {
    case C3D_CALL_SUM: return staged_sum(self, call->x, call->n);
    case C3D_CALL_BROADCAST: return staged_broadcast(self, call->x, call->n);
    case C3D_CALL_REDUCE_SCATTER: return staged_reduce_scatter(self, call->x, call->n);
    case C3D_CALL_ALL_GATHER: return staged_all_gather(self, call->x, call->n);
    case C3D_CALL_EXCHANGE:
        return staged_exchange(self, call->partner, call->from, call->x, call->n);
    }
    return C3D_FAIL(C3D_EINTERNAL, "a call of the data plane of kind %d", (int)call->kind);
}

/* A device's transfers are the main thread's. */
static c3d_status open_queue(c3d_comm *self, mpi_state *state)
{
    const bool on_host = !self->device;

    state->node.window.is_given_up = &state->queue.is_given_up;
    return c3d_queue_open(&state->queue, self, on_host ? make_on_host : make_on_device,
                          on_host && self->has_threads);
}

static c3d_status give(c3d_comm *self, c3d_call call)
{
    mpi_state *state = self->state;

    return c3d_queue_add(&state->queue, &call);
}

static c3d_status mpi_sum(c3d_comm *self, float *buffer, size_t n)
{
    return give(self, (c3d_call){ .kind = C3D_CALL_SUM, .x = buffer, .n = n });
}

static c3d_status mpi_broadcast(c3d_comm *self, void *buffer, size_t n_bytes)
{
    return give(self, (c3d_call){ .kind = C3D_CALL_BROADCAST, .x = buffer, .n = n_bytes });
}

static c3d_status mpi_reduce_scatter(c3d_comm *self, float *all, size_t n_share)
{
    return give(self, (c3d_call){ .kind = C3D_CALL_REDUCE_SCATTER, .x = all, .n = n_share });
}

static c3d_status mpi_all_gather(c3d_comm *self, void *all, size_t n_bytes)
{
    return give(self, (c3d_call){ .kind = C3D_CALL_ALL_GATHER, .x = all, .n = n_bytes });
}

static c3d_status mpi_exchange(c3d_comm *self, int partner, const float *send, float *receive,
                               size_t n)
{
    return give(
        self,
        (c3d_call){
            .kind = C3D_CALL_EXCHANGE, .x = receive, .n = n, .from = send, .partner = partner });
}

static c3d_status mpi_wait(c3d_comm *self)
{
    mpi_state *state = self->state;

    return c3d_queue_wait(&state->queue);
}

static c3d_status mpi_poll(c3d_comm *self)
{
    mpi_state *state = self->state;

    return c3d_queue_poll(&state->queue);
}

static void mpi_abort(c3d_comm *self)
{
    mpi_state *state = self->state;

    self->is_stuck = !c3d_queue_give_up(&state->queue);
    unpin(self);
}

/* ---- opening and closing --------------------------------------------------------------------- */

static c3d_status open_state(c3d_comm *self, mpi_state *state)
{
    C3D_TRY(c3d_comm_agree_status(self, open_staging(self->device, state)));
    C3D_MEET(self, MPI_Comm_dup(MPI_COMM_WORLD, &state->data));
    C3D_TRY(agree_on_window(self, state, c3d_node_open(&state->node, self, state->data)));
    return c3d_comm_agree_status(self, open_queue(self, state));
}

static void mpi_close(c3d_comm *self)
{
    mpi_state *state = self->state;

    if (!state) return;
    c3d_queue_close(&state->queue);
    c3d_node_close(&state->node);
    if (state->data != MPI_COMM_NULL) (void)MPI_Comm_free(&state->data);
    unpin(self);
    free(state->staging);
    free(state);
    self->state = NULL;
}

static c3d_status mpi_open(c3d_comm *self, double timeout_s)
{
    mpi_state *state = c3d_calloc(1, sizeof *state);

    (void)timeout_s; /* the watch's */
    if (!state) return C3D_ENOMEM;
    state->comm = self;
    state->data = state->node.ranks = state->node.leaders = MPI_COMM_NULL;
    state->n_ranks = self->n_ranks;
    self->state = state;
    const c3d_status st = open_state(self, state);
    if (st != C3D_OK) mpi_close(self);
    return st;
}

const c3d_comm_ops c3d_comm_mpi = {
    .name = "mpi",
    .open = mpi_open,
    .close = mpi_close,
    .abort = mpi_abort,
    .sum = mpi_sum,
    .broadcast = mpi_broadcast,
    .reduce_scatter = mpi_reduce_scatter,
    .all_gather = mpi_all_gather,
    .exchange = mpi_exchange,
    .wait = mpi_wait,
    .poll = mpi_poll,
};
