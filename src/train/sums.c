/* The sums of an epoch as a checkpoint keeps them. */
#include "train/run.h"

#include <string.h>

static size_t n_counts(const c3d_run *run)
{
    return 4 * (size_t)run->config->model.outputs;
}

void c3d_run_reset_sums(c3d_run *run)
{
    run->sums = (c3d_epoch_sums){ .counts = run->sums.counts };
    memset(run->sums.counts, 0, n_counts(run) * sizeof(double));
    run->comm_epoch = (c3d_comm_times){ 0 };
}

size_t c3d_epoch_sums_n(const c3d_run *run)
{
    return 3 + n_counts(run);
}

void c3d_epoch_sums_pack(const c3d_run *run, double *out)
{
    const size_t n = n_counts(run);

    out[0] = run->sums.loss;
    out[1] = run->sums.n;
    memcpy(out + 2, run->sums.counts, n * sizeof(double));
    out[2 + n] = run->sums.seconds;
}

void c3d_epoch_sums_unpack(c3d_run *run, const double *from)
{
    const size_t n = n_counts(run);

    run->sums.loss = from[0];
    run->sums.n = from[1];
    memcpy(run->sums.counts, from + 2, n * sizeof(double));
    run->sums.seconds = from[2 + n];
}
