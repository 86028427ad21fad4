/* watched_ranks KIND: ranks of which the last behaves badly, for tests/watch.sh. */
#include "c3d/comm.h"

#include <string.h>
#include <unistd.h>

#define TIMEOUT_S 3.0

/* As long as three time-outs, with a sign of work every 50 ms. */
static void work_long(void)
{
    for (int i = 0; i < 180; i++) {
        c3d_phase_tick();
        (void)usleep(50000);
    }
}

static c3d_status behave(c3d_comm *comm, const char *kind)
{
    const bool is_last = comm->rank == comm->n_ranks - 1;
    float x[3] = { 1, 2, 3 };

    C3D_TRY(c3d_comm_open(comm, NULL, TIMEOUT_S));
    if (!strcmp(kind, "works") && is_last) work_long();
    if (!strcmp(kind, "rests") && is_last) {
        c3d_phase_set(C3D_PHASE_READING, 1234, 56);
        (void)pause();
    }
    if (!strcmp(kind, "apart") && is_last) return c3d_comm_barrier(comm);
    if (!strcmp(kind, "leaves") && is_last) return C3D_OK; /* while the others sum */
    C3D_TRY(comm->ops->sum(comm, x, 3));
    C3D_TRY(comm->ops->wait(comm));
    return c3d_comm_barrier(comm);
}

int main(int argc, char **argv)
{
    c3d_comm comm;

    c3d_stop_install();
    if (argc != 2 || c3d_comm_join(&comm, "watched_ranks") != C3D_OK) return 2;
    const c3d_status st = behave(&comm, argv[1]);
    const c3d_error error = *c3d_error_last();
    if (st != C3D_OK) c3d_comm_abort(&comm, &error);
    c3d_log_run("done");
    c3d_comm_leave(&comm);
    return 0;
}
