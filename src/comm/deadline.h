/* A limit for what MPI does where nobody watches yet or any more (watch.h): when it begins and when
 * it ends. Private to comm. */
#ifndef C3D_COMM_DEADLINE_H
#define C3D_COMM_DEADLINE_H

#include "c3d/comm.h"

#include <pthread.h>

typedef struct c3d_deadline {
    const c3d_comm *comm;
    double seconds;
    int code; /* of the program that ends */
    const char *what;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool is_over, is_set;
} c3d_deadline;

/* Unless end comes within `seconds` (counted in naps: not while all ranks are stopped) this rank
 * prints "WHAT for N s" and ends all with `code`. Does nothing for one rank. Local. */
void c3d_deadline_begin(c3d_deadline *self, const c3d_comm *comm, double seconds, const char *what,
                        int code);
void c3d_deadline_end(c3d_deadline *self);

#endif
