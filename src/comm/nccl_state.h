/* What the sources of the communicator "nccl" share. */
#ifndef C3D_COMM_NCCL_STATE_H
#define C3D_COMM_NCCL_STATE_H

#include "comm/watch.h"

#include <cuda_runtime_api.h>
#include <nccl.h>

/* ---- how a status of CUDA and of NCCL becomes ours ------------------------------------------- */

c3d_status c3d_nccl_cuda_failed(cudaError_t code, const char *call, const char *file, int line);
/* With what NCCL itself has to say about its last error. */
c3d_status c3d_nccl_failed(ncclResult_t code, const char *call, const char *file, int line);

#define C3D_CUDA(call)                                                                             \
    do {                                                                                           \
        const cudaError_t c3d_cuda_code = (call);                                                  \
        if (c3d_cuda_code != cudaSuccess)                                                          \
            return c3d_nccl_cuda_failed(c3d_cuda_code, #call, __FILE__, __LINE__);                 \
    } while (0)

/* Of calls that are done when they return; of those that may go on, with c3d_nccl_settle. */
#define C3D_NCCL(call)                                                                             \
    do {                                                                                           \
        const ncclResult_t c3d_nccl_code = (call);                                                 \
        if (c3d_nccl_code != ncclSuccess)                                                          \
            return c3d_nccl_failed(c3d_nccl_code, #call, __FILE__, __LINE__);                      \
    } while (0)

/* ---- state ----------------------------------------------------------------------------------- */

/* Something enqueued. */
typedef struct c3d_flight {
    cudaEvent_t begin, end; /* on the compute stream, when its numbers are there; on ours */
    cudaEvent_t wait;       /* on the compute stream, where it comes to wait for the end */
    bool is_awaited;
    const char *name; /* "sum" */
} c3d_flight;

/* One less are told apart, more are counted as one with the last of them: the event last_end is
 * that of a flight which is no longer in use. */
#define C3D_FLIGHTS 32

typedef struct c3d_nccl {
    const c3d_comm *comm;
    ncclComm_t nccl; /* NULL: not made yet, or given up */
    cudaStream_t compute, stream;
    c3d_flight
        flights[C3D_FLIGHTS]; /* a ring: n_flights from `oldest` on are not known to be done */
    int oldest, n_flights;
    cudaEvent_t last_end; /* of the flight before the oldest; NULL: there was none */
    bool has_failed;
    c3d_error error; /* if so */
} c3d_nccl;

#define C3D_NCCL_NAP_S 0.0001
void c3d_nccl_nap(void); /* the host's, between two looks */
/* Until a call that may go on behind our back (blocking = 0) is through, or limit_s have passed;
 * *code: what it returned, still ncclInProgress afterwards if it took longer. */
C3D_CHECKED c3d_status c3d_nccl_settle(c3d_nccl *state, ncclResult_t *code, const char *call,
                                       double limit_s);
/* Aborts the communicator, if there is one; returns in time, even where NCCL does not. */
void c3d_nccl_give_up(c3d_nccl *state);

/* nccl_open.c. Failed on all ranks alike: C3D_EUNSUPPORTED when NCCL does not work here. */
C3D_CHECKED c3d_status c3d_nccl_open(c3d_comm *self, double timeout_s);
void c3d_nccl_close(c3d_comm *self);

#endif
