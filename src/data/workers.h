/* Work that is cut into numbered jobs, done by a few threads at once. Private to data. */
#ifndef C3D_DATA_WORKERS_H
#define C3D_DATA_WORKERS_H

#include "c3d/base.h"

typedef struct c3d_jobs {
    size_t n;
    /* Does job number `job` on worker number `worker` (0 is the caller); any order. */
    c3d_status (*run)(void *context, int worker, size_t job);
    void *context;
} c3d_jobs;
/* Until all jobs are done, or one has failed and those begun have ended: its status and error,
 * which are then the caller's. The threads get no signals. Fewer workers than asked for where no
 * threads can be had. */
C3D_CHECKED c3d_status c3d_workers_run(int n_workers, const c3d_jobs *jobs);

#endif
