/* The watch over ranks that let the others wait. Private to comm.
 *
 * A thread of every rank tells rank 0, about once a second, what its main thread does and which
 * collective calls it has come to, and hears the same of rank 0 in return; never more than one
 * message each way is under way, so that nothing piles up before a rank that does not read. Rank 0
 * sees all and judges (judge.h); the others judge rank 0. Time is counted in naps of the thread,
 * not read from a clock: a job that is stopped as a whole and continued hours later has not waited.
 */
#ifndef C3D_COMM_WATCH_H
#define C3D_COMM_WATCH_H

#include "comm/judge.h"
#include "comm/mpi_call.h"

typedef struct c3d_watch c3d_watch;

/* Sets comm->watch: NULL for one rank, or where MPI serves only one thread. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_watch_start(c3d_comm *comm);
void c3d_watch_stop(c3d_comm *comm); /* COLLECTIVE; waits for all ranks */

/* Around each collective call of a plane, by the thread that makes its calls; a few stores. */
void c3d_watch_enter(const c3d_comm *comm, c3d_plane plane);
void c3d_watch_leave(const c3d_comm *comm, c3d_plane plane);
/* For calls that are only enqueued: another one is; and whenever the rank asks whether one is over
 * that is not, so that it waits while it asks again and again. */
void c3d_watch_begin(const c3d_comm *comm, c3d_plane plane);
void c3d_watch_ask(const c3d_comm *comm, c3d_plane plane);
/* In the middle of a long one: a piece of it is done. */
void c3d_watch_move(const c3d_comm *comm, c3d_plane plane);

/* A call of MPI that waits for other ranks. */
#define C3D_MEET(comm, call)                                                                       \
    do {                                                                                           \
        c3d_watch_enter((comm), C3D_PLANE_CONTROL);                                                \
        const int c3d_meet_code = (call);                                                          \
        c3d_watch_leave((comm), C3D_PLANE_CONTROL);                                                \
        if (c3d_meet_code != MPI_SUCCESS)                                                          \
            return c3d_mpi_failed(c3d_meet_code, #call, __FILE__, __LINE__);                       \
    } while (0)

#endif
