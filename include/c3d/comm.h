/* comm: what ranks say to each other. The only module that includes mpi.h and nccl.h.
 *
 * Control plane: who am I, agree, broadcast a few bytes, gather: MPI on host memory, in comm.c.
 * Data plane: sums and broadcasts of large float buffers in the backend's memory, through a table:
 * "self" (one rank, no library), "mpi" (host memory, or device memory by way of the host), "nccl"
 * (device memory).
 *
 * How "mpi" adds: inside a node (the ranks of a host) through shared memory, ((r0 + r1) + r2) + ...
 * in rank order, each number once, by one rank; then over nodes by MPI_Allreduce of their first
 * ranks, in MPI's order. Every rank gets the same bits (a node's sum is made once and copied, and
 * MPI requires it of MPI_Allreduce), and a run on the same nodes gets them again. Without shared
 * memory, and with one rank a host, MPI_Allreduce adds over all ranks in its own order. A broadcast
 * goes from rank 0 to the first ranks of nodes, and on through shared memory. reduce_scatter and
 * then all_gather give the bits of sum, always (over several nodes reduce_scatter is a sum, and
 * costs what that costs); so does device memory the bits of host memory. Calls on host memory are
 * made in their order by a thread of their own, while the one that gave them goes on; without
 * MPI_THREAD_MULTIPLE, and on device memory, they are done when they return.
 *
 * How "nccl" adds: on a stream of its own beside the backend's, in NCCL's order: every rank gets
 * the same bits, and with `deterministic` a run on the same machines gets them again.
 * reduce_scatter and all_gather may give other bits than sum. */
#ifndef C3D_COMM_H
#define C3D_COMM_H

#include "c3d/base.h"

typedef struct c3d_comm c3d_comm;

typedef struct c3d_comm_ops {
    const char *name;                                     /* "self", "mpi", "nccl" */
    c3d_status (*open)(c3d_comm *self, double timeout_s); /* COLLECTIVE */
    void (*close)(c3d_comm *self);                        /* COLLECTIVE */
    /* Gives up what is enqueued and lets go of the device; afterwards only close. Local. */
    void (*abort)(c3d_comm *self);
    c3d_status (*sum)(c3d_comm *self, float *buffer, size_t n);            /* COLLECTIVE; in place,
                                                                              enqueued */
    c3d_status (*broadcast)(c3d_comm *self, void *buffer, size_t n_bytes); /* COLLECTIVE; from rank
                                                                              0, enqueued */
    /* COLLECTIVE; share r of `all` (n_ranks shares of n_share floats) becomes its sum on rank r, in
     * place; the other shares are left undefined; enqueued. */
    c3d_status (*reduce_scatter)(c3d_comm *self, float *all, size_t n_share);
    /* COLLECTIVE; every rank's share (n_bytes at rank * n_bytes) to all ranks, in place; enqueued.
     */
    c3d_status (*all_gather)(c3d_comm *self, void *all, size_t n_bytes);
    /* n floats to another rank and n from it, which do not overlap; the partner calls it too.
     * COLLECTIVE: all ranks in pairs, with the same n; enqueued. */
    c3d_status (*exchange)(c3d_comm *self, int partner, const float *send, float *receive,
                           size_t n);
    /* What the backend is given from now on sees the results of all that was enqueued; the host
     * waits only where the memory is the host's. C3D_ECOMM. */
    c3d_status (*wait)(c3d_comm *self);
    /* Whether the others are still there, without waiting: C3D_ECOMM when the library has found an
     * error since. While the host waits for the device it calls this again and again, which tells
     * the watch (c3d_comm_set_timeout) that it waits. Local. */
    c3d_status (*poll)(c3d_comm *self);
} c3d_comm_ops;

extern const c3d_comm_ops c3d_comm_self;
extern const c3d_comm_ops c3d_comm_mpi;
extern const c3d_comm_ops c3d_comm_nccl; /* in a build without NCCL its open says so */

/* The memory that the data plane works on, where it is not the host's: borrowed by open until
 * close. A call on it comes after what `stream` was given before it, and what the stream is given
 * after wait comes after the call. The two transfers see what the stream was given before, and are
 * done when they return. pin and unpin (both NULL where there is no such thing) make host memory
 * quick to transfer.
 */
typedef struct c3d_comm_device {
    int index;          /* of the GPU */
    bool deterministic; /* sums of the same numbers on the same machines have the same bits */
    void *stream;       /* cudaStream_t */
    void *context;
    c3d_status (*download)(void *context, void *to_host, const void *from, size_t n_bytes);
    c3d_status (*upload)(void *context, void *to, const void *from_host, size_t n_bytes);
    c3d_status (*pin)(void *context, void *memory, size_t n_bytes);
    void (*unpin)(void *context, void *memory);
} c3d_comm_device;

/* Of the data plane since it was opened: as of the last wait, or with "nccl" of what poll has found
 * done. */
typedef struct c3d_comm_times {
    double busy_s;   /* exchanging numbers, or waiting for other ranks to do so */
    double waited_s; /* of these, while this rank's computing (the stream's) stood still */
} c3d_comm_times;

#define C3D_HOST_MAX  64
#define C3D_TIMEOUT_S 600.0 /* of programs that are not told distributed.timeout_s */

struct c3d_comm {
    const c3d_comm_ops *ops;
    int rank, n_ranks;
    int local_rank, n_local_ranks; /* among the ranks of this host */
    int first_local_rank;          /* the smallest rank of this host */
    char host[C3D_HOST_MAX];
    char *hosts; /* [n_ranks][C3D_HOST_MAX], on rank 0; owned until leave */
    /* Of a node; 0: all of a host. For tests, between join and open; join takes it from the
     * environment's C3D_RANKS_PER_NODE. */
    int ranks_per_node;
    const c3d_comm_device *device; /* NULL: host memory */
    bool shares_gpu;               /* some GPU serves several ranks; for nccl */
    bool has_window;               /* mpi adds inside hosts through shared memory; set by open */
    bool has_threads;              /* MPI serves several threads of a rank at once; set by join */
    c3d_comm_times times;
    bool agreed;      /* set by agree_status on failure: every rank fails with the same error */
    bool given_up;    /* c3d_comm_give_up */
    bool is_stuck;    /* set by abort: a call goes on, and what it works on may not be freed */
    uint64_t job;     /* which this is of those that share its hosts; 0: not known */
    double timeout_s; /* c3d_comm_set_timeout */
    struct c3d_watch *watch; /* over ranks that let the others wait; owned until leave */
    void *state;             /* owned by open and close */
};

/* Joins the other ranks: MPI_Init (MPI_THREAD_MULTIPLE where the library has it), ranks, host, log
 * prefix. The first thing main() does after c3d_stop_install. Alone (no mpirun) it is one rank.
 * C3D_ECOMM, before MPI_Init, for tasks of srun that were offered no PMI. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_comm_join(c3d_comm *comm, const char *program);
/* How long a rank may let the others wait, from now on, in any collective call: C3D_TIMEOUT_S after
 * join. A rank that gives no sign of life for that long, or stays where it is while the others wait
 * (no c3d_phase_set, no c3d_phase_tick), is named with host and phase, and all ranks end with the
 * exit code of C3D_ECOMM; the same where all wait and nothing goes on. A rank that works on is
 * warned of, not ended. Without MPI_THREAD_MULTIPLE nobody watches. Local. */
void c3d_comm_set_timeout(c3d_comm *comm, double timeout_s);
/* Opens the data plane: c3d_comm_self for one rank; for more c3d_comm_mpi, or with a device
 * c3d_comm_nccl where every rank has NCCL and a GPU of its own. (Ranks that share a GPU use MPI,
 * unless the environment has C3D_NCCL_SHARED_GPU=1: slow, for tests.) Where NCCL cannot be
 * initialised all ranks use MPI. Rank 0 says what was taken for a device, and where a host refuses
 * the shared memory, so that sums go through MPI alone. device: NULL for host memory. Calls of the
 * table come from the thread that called this.
 * timeout_s: as c3d_comm_set_timeout; NCCL's initialisation ends with C3D_ECOMM when it takes
 * longer. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_comm_open(c3d_comm *comm, const c3d_comm_device *device,
                                     double timeout_s);
/* Bytes of shared memory that c3d_comm_open takes on a host, once for all its ranks, whatever the
 * size of what is summed: 0 for one rank, about 0.8 MiB and 0.5 MiB a rank for more. */
size_t c3d_comm_window_bytes(int n_local_ranks);
/* Adds "NCCL 2.28.9", as found at run time; nothing in a build without NCCL. */
void c3d_comm_versions(c3d_text *out);
/* Adds "Open MPI v4.1.4", as found at run time. */
void c3d_comm_mpi_version(c3d_text *out);
/* Which GPU of the host this is, whatever its index: "0000:3B:00.0". C3D_EUNSUPPORTED in a build
 * without NCCL. Local. */
C3D_CHECKED c3d_status c3d_nccl_find_gpu(const c3d_comm_device *device, char bus_id[32]);
/* Closes the data plane; before the device is closed. COLLECTIVE, but after c3d_comm_give_up. Does
 * nothing where it is closed. */
void c3d_comm_close(c3d_comm *comm);
/* On the way out of a failure, this rank's or everybody's: what is enqueued is waited for no
 * longer, and the memory it works on may be freed and the device closed. Afterwards only close,
 * leave and abort. Where a call of MPI does not return it ends all ranks, as abort does. Local. */
void c3d_comm_give_up(c3d_comm *comm);
/* Ends well: closes the data plane if it is open, and MPI_Finalize. COLLECTIVE. Does nothing on a
 * zeroed object. */
void c3d_comm_leave(c3d_comm *comm);
/* Ends the program with c3d_exit_code(error->status). Where all ranks agreed on the error, rank 0
 * prints it and they leave in good order; otherwise this rank prints it and ends all of them. */
_Noreturn void c3d_comm_abort(c3d_comm *comm, const c3d_error *error);

/* Control plane, all COLLECTIVE and blocking, host memory. */
C3D_CHECKED c3d_status c3d_comm_barrier(c3d_comm *comm);
C3D_CHECKED c3d_status c3d_comm_agree_max(c3d_comm *comm, int64_t *value);          /* in place */
C3D_CHECKED c3d_status c3d_comm_sum_i64(c3d_comm *comm, int64_t *values, size_t n); /* in place */
C3D_CHECKED c3d_status c3d_comm_sum_f64(c3d_comm *comm, double *values, size_t n);  /* in place */
C3D_CHECKED c3d_status c3d_comm_share(c3d_comm *comm, void *bytes, size_t n); /* from rank 0 */
/* A text of rank 0 to all: *text is given on the other ranks (free()). */
C3D_CHECKED c3d_status c3d_comm_share_text(c3d_comm *comm, char **text);
/* Concatenates every rank's n_bytes in rank order on rank 0, given there (free()); NULL elsewhere.
 */
C3D_CHECKED c3d_status c3d_comm_gather(c3d_comm *comm, const void *bytes, size_t n_bytes,
                                       void **all_out, size_t *n_all_out);
/* If any rank's status is not C3D_OK, every rank returns an error: the failing rank its own, the
 * others that rank's message. So that ranks fail together. */
C3D_CHECKED c3d_status c3d_comm_agree_status(c3d_comm *comm, c3d_status status);

#endif
