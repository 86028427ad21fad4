/* The data plane's calls in the order they were given: made by a thread of its own while the one
 * that gives them computes, or at once where there is no such thread. Private to comm. */
#ifndef C3D_COMM_QUEUE_H
#define C3D_COMM_QUEUE_H

#include "c3d/comm.h"

#include <pthread.h>
#include <stdatomic.h>

typedef enum c3d_call_kind {
    C3D_CALL_SUM,
    C3D_CALL_BROADCAST,
    C3D_CALL_REDUCE_SCATTER,
    C3D_CALL_ALL_GATHER,
    C3D_CALL_EXCHANGE
} c3d_call_kind;

/* One of c3d_comm_ops with its arguments. */
typedef struct c3d_call {
    c3d_call_kind kind;
    void *x;
    size_t n;          /* floats or bytes, as the kind has it */
    const float *from; /* exchange: what is sent; x receives */
    int partner;       /* exchange */
} c3d_call;

#define C3D_QUEUE_CALLS 64 /* given and not made; who gives more waits */

typedef struct c3d_queue {
    c3d_comm *comm; /* borrowed; NULL: closed */
    c3d_status (*make)(c3d_comm *comm, const c3d_call *call);
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t given, made;
    c3d_call calls[C3D_QUEUE_CALLS]; /* a ring of those from number n_made on */
    uint64_t n_given, n_made;
    double busy_s; /* of the thread */
    bool is_ending, has_failed;
    c3d_error error;          /* of the first call that failed: no other is made after it */
    atomic_bool is_given_up;  /* a call that waits for other ranks shall return with an error */
    atomic_bool has_returned; /* the thread has left */
} c3d_queue;

/* All calls come from the thread that opened it; `make` is called by the queue's thread if
 * it has one. C3D_ENOMEM when there can be no such thread. */
C3D_CHECKED c3d_status c3d_queue_open(c3d_queue *queue, c3d_comm *comm,
                                      c3d_status (*make)(c3d_comm *comm, const c3d_call *call),
                                      bool with_thread);
/* Makes the calls that are left, unless it was given up. Nothing on a zeroed object. */
void c3d_queue_close(c3d_queue *queue);
/* An earlier call's error may come back here. */
C3D_CHECKED c3d_status c3d_queue_add(c3d_queue *queue, const c3d_call *call);
/* Until all are made; the first error. Brings comm->times up to date. */
C3D_CHECKED c3d_status c3d_queue_wait(c3d_queue *queue);
/* The first error so far, without waiting. */
C3D_CHECKED c3d_status c3d_queue_poll(c3d_queue *queue);
/* Makes no more calls, and is done with the one being made, if that can be left: false when after
 * some seconds its thread still is in a call, and nothing that it uses may be freed. */
C3D_CHECKED bool c3d_queue_give_up(c3d_queue *queue);

#endif
