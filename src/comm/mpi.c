/* Host memory over MPI; inside a node through shared memory (node.c). The calls block, so that wait
 * has nothing to wait for. A communicator of its own keeps sums apart from the control plane's
 * messages. */
#include "comm/node.h"

#include <stdlib.h>

/* Elements a call: well under INT_MAX, and the same pieces on every rank. */
#define PIECE ((size_t)1 << 28)

typedef struct mpi_state {
    MPI_Comm data;
    c3d_node node;
    bool has_window; /* the same on every rank */
} mpi_state;

size_t c3d_comm_window_bytes(int n_local_ranks)
{
    return n_local_ranks > 1 ? c3d_window_bytes(n_local_ranks) : 0;
}

/* Some rank without a window: all do without. */
static c3d_status agree_on_window(c3d_comm *self, mpi_state *state, c3d_status opened)
{
    int all_opened = opened == C3D_OK;
    c3d_status st;

    C3D_MPI(MPI_Allreduce(MPI_IN_PLACE, &all_opened, 1, MPI_INT, MPI_MIN, state->data));
    state->has_window = all_opened && state->node.n_nodes < self->n_ranks;
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

static c3d_status open_state(c3d_comm *self, mpi_state *state, double timeout_s)
{
    C3D_MPI(MPI_Comm_dup(MPI_COMM_WORLD, &state->data));
    return agree_on_window(
        self, state, c3d_node_open(&state->node, state->data, self->ranks_per_node, timeout_s));
}

static void mpi_close(c3d_comm *self)
{
    mpi_state *state = self->state;

    if (!state) return;
    c3d_node_close(&state->node);
    if (state->data != MPI_COMM_NULL) (void)MPI_Comm_free(&state->data);
    free(state);
    self->state = NULL;
}

static c3d_status mpi_open(c3d_comm *self, double timeout_s)
{
    mpi_state *state = c3d_calloc(1, sizeof *state);

    if (!state) return C3D_ENOMEM;
    state->data = state->node.ranks = state->node.leaders = MPI_COMM_NULL;
    self->state = state;
    const c3d_status st = open_state(self, state, timeout_s);
    if (st != C3D_OK) mpi_close(self);
    return st;
}

static c3d_status mpi_sum(c3d_comm *self, float *buffer, size_t n)
{
    mpi_state *state = self->state;

    if (state->has_window) return c3d_node_sum(&state->node, buffer, n);
    for (size_t done = 0; done < n; done += PIECE) {
        const int count = (int)(n - done < PIECE ? n - done : PIECE);
        C3D_MPI(MPI_Allreduce(MPI_IN_PLACE, buffer + done, count, MPI_FLOAT, MPI_SUM, state->data));
    }
    return C3D_OK;
}

static c3d_status mpi_broadcast(c3d_comm *self, void *buffer, size_t n_bytes)
{
    mpi_state *state = self->state;
    char *bytes = buffer;

    if (state->has_window) return c3d_node_broadcast(&state->node, buffer, n_bytes);
    for (size_t done = 0; done < n_bytes; done += PIECE) {
        const int count = (int)(n_bytes - done < PIECE ? n_bytes - done : PIECE);
        C3D_MPI(MPI_Bcast(bytes + done, count, MPI_BYTE, 0, state->data));
    }
    return C3D_OK;
}

static c3d_status mpi_wait(c3d_comm *self)
{
    (void)self;
    return C3D_OK;
}

const c3d_comm_ops c3d_comm_mpi = {
    .name = "mpi",
    .open = mpi_open,
    .close = mpi_close,
    .sum = mpi_sum,
    .broadcast = mpi_broadcast,
    .wait = mpi_wait,
    .poll = mpi_wait,
};
