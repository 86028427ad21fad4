/* Memory that the ranks of one node share, and how they meet in it. Private to comm. */
#ifndef C3D_COMM_WINDOW_H
#define C3D_COMM_WINDOW_H

#include "comm/watch.h"

#include <stdatomic.h>

/* What is exchanged goes through the window in pieces of this many floats: 256 KiB, so that what a
 * rank has just written is still in a cache when the others read it. */
#define C3D_WINDOW_FLOATS ((size_t)64 * 1024)
/* Pieces in flight (node.c says why so many): each rank's contributions, and results. */
#define C3D_WINDOW_SLOTS   2
#define C3D_WINDOW_RESULTS 3

typedef struct c3d_window_head c3d_window_head; /* the first bytes of the shared memory */

typedef struct c3d_window {
    const c3d_comm *comm; /* whose watch is told that meetings go on; borrowed */
    MPI_Comm ranks;       /* of the node; borrowed */
    int rank, n_ranks;
    const atomic_bool *is_given_up; /* once true nobody waits any longer; borrowed, or NULL */
    c3d_window_head *head;          /* NULL when closed */
    float *slots, *results;
    size_t n_bytes;
} c3d_window;

/* Bytes shared by n_ranks. */
size_t c3d_window_bytes(int n_ranks);
/* Makes and maps the window of these ranks. COLLECTIVE, but fails on each rank by itself (no shared
 * memory, not enough of it): agree before using it. Closing a zeroed or failed one does nothing. */
C3D_CHECKED c3d_status c3d_window_open(c3d_window *window, const c3d_comm *comm, MPI_Comm ranks);
void c3d_window_close(c3d_window *window); /* when no rank uses it any longer */

/* Rank's contribution to, and the result of, piece number `turn`: C3D_WINDOW_FLOATS floats each. */
float *c3d_window_slot(const c3d_window *window, int rank, uint64_t turn);
float *c3d_window_result(const c3d_window *window, uint64_t turn);

/* COLLECTIVE: returns when all ranks of the window have called it; what a rank wrote before, all
 * see afterwards. C3D_ECOMM when it was given up. */
C3D_CHECKED c3d_status c3d_window_meet(c3d_window *window);

#endif
