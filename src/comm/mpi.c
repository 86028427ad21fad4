/* Host memory over MPI. The calls block, so that wait has nothing to wait for. A communicator of
 * its own keeps sums apart from the control plane's messages. */
#include "comm/mpi_call.h"

#include <stdlib.h>

/* Elements a call: well under INT_MAX, and the same pieces on every rank. */
#define PIECE ((size_t)1 << 28)

typedef struct mpi_state {
    MPI_Comm data;
} mpi_state;

static c3d_status mpi_open(c3d_comm *self, double timeout_s)
{
    mpi_state *state = c3d_calloc(1, sizeof *state);

    (void)timeout_s;
    if (!state) return C3D_ENOMEM;
    const int code = MPI_Comm_dup(MPI_COMM_WORLD, &state->data);
    if (code != MPI_SUCCESS) {
        free(state);
        return c3d_mpi_failed(code, "MPI_Comm_dup", __FILE__, __LINE__);
    }
    self->state = state;
    return C3D_OK;
}

static void mpi_close(c3d_comm *self)
{
    mpi_state *state = self->state;

    if (!state) return;
    (void)MPI_Comm_free(&state->data);
    free(state);
    self->state = NULL;
}

static c3d_status mpi_sum(c3d_comm *self, float *buffer, size_t n)
{
    const mpi_state *state = self->state;

    for (size_t done = 0; done < n; done += PIECE) {
        const int count = (int)(n - done < PIECE ? n - done : PIECE);
        C3D_MPI(MPI_Allreduce(MPI_IN_PLACE, buffer + done, count, MPI_FLOAT, MPI_SUM, state->data));
    }
    return C3D_OK;
}

static c3d_status mpi_broadcast(c3d_comm *self, void *buffer, size_t n_bytes)
{
    const mpi_state *state = self->state;
    char *bytes = buffer;

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
};
