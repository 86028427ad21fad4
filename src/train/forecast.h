/* What a run will need in memory, before it is taken. */
#ifndef C3D_TRAIN_FORECAST_H
#define C3D_TRAIN_FORECAST_H

#include "c3d/train.h"
#include "train/host_memory.h"

typedef enum c3d_need {
    C3D_NEED_PARAMETERS,
    C3D_NEED_GRADIENTS,
    C3D_NEED_MOMENTS,
    C3D_NEED_ORDER,
    C3D_NEED_ACTIVATIONS,
    C3D_NEED_EVALUATION,
    C3D_NEED_READING,
    C3D_NEED_STAGE,
    C3D_NEED_EXCHANGE,
    C3D_NEED_SNAPSHOT,
    C3D_NEED_COPIES,
    C3D_NEED_LIBRARIES,
    C3D_NEEDS
} c3d_need;
const char *c3d_need_name(c3d_need need);
bool c3d_need_is_of_backend(c3d_need need); /* on the device, where that has memory of its own */

/* Bytes that this rank will take beyond what it holds now. */
typedef struct c3d_forecast {
    bool is_least;   /* only what can be said without planning; the rest is 0 */
    bool is_of_host; /* the backend computes in host memory */
    uint64_t bytes[C3D_NEEDS];
    uint64_t host, device; /* sums of these, by where they lie */
    c3d_shape_table table;
} c3d_forecast;

/* What is known of a rank's memory, to be compared with that of the others of its host. */
typedef struct c3d_rank_memory {
    char host[64];
    c3d_host_memory memory;
    uint64_t need;
    c3d_need largest;
    uint64_t largest_bytes;
    bool is_least;
} c3d_rank_memory;

/* C3D_ECONFIG when the ranks of a host need more than it has, with the largest part and the keys
 * that make it smaller. */
C3D_CHECKED c3d_status c3d_forecast_compare(const c3d_rank_memory *ranks, int n_ranks);

/* For a run with its input known (run->input): first from the table of shapes alone, then by
 * planning it without memory; C3D_ECONFIG as soon as it does not fit, on all ranks. Without all_out
 * a network on a device is not planned: that takes time there, and its own allocations say what was
 * asked for. all_out: every
 * rank's, given on rank 0 (free()), NULL elsewhere; or NULL. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_forecast_make(c3d_run *run, c3d_forecast *out,
                                         c3d_rank_memory **all_out);
/* Logs what was planned and what this rank has taken since. */
void c3d_forecast_say(const c3d_run *run);

#endif
