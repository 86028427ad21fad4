/* Running statistics of batch normalisation: every rank tells all others those of its
 * micro-batches, and all merge them in the order of the global batch, so that they do not depend on
 * who had which micro-batch. */
#include "train/step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int micro_batches(const c3d_run *run, int n_samples)
{
    const int micro_batch = run->config->train.micro_batch;

    return (n_samples + micro_batch - 1) / micro_batch;
}

c3d_status c3d_running_open(const c3d_run *run, c3d_running_step *r)
{
    const size_t n_stats = run->model.n_stats;
    const size_t n_micro = (size_t)micro_batches(run, run->config->train.global_batch);

    if (n_stats == 0) return C3D_OK;
    r->stats = c3d_calloc(n_micro * n_stats, sizeof *r->stats);
    r->n_samples = c3d_calloc(n_micro, sizeof *r->n_samples);
    r->mine = c3d_calloc(n_micro * n_stats, sizeof *r->mine);
    r->n = n_micro * n_stats;
    return r->stats && r->n_samples && r->mine ? C3D_OK : C3D_ENOMEM;
}

void c3d_running_close(c3d_running_step *r)
{
    free(r->stats);
    free(r->n_samples);
    free(r->mine);
}

void c3d_running_begin(c3d_running_step *r)
{
    r->n_mine = 0;
}

c3d_status c3d_running_keep(c3d_run *run, c3d_running_step *r)
{
    const size_t n_stats = run->model.n_stats;

    if (n_stats == 0) return C3D_OK;
    return c3d_model_stats_read(&run->model, r->mine + (size_t)r->n_mine++ * n_stats);
}

/* This rank's places among those of the global batch; the others' are zero. */
static void put_mine(const c3d_run *run, c3d_running_step *r)
{
    const size_t n_stats = run->model.n_stats;

    memset(r->stats, 0, r->n * sizeof *r->stats);
    for (int m = 0; m < r->n_mine; m++) {
        const float *from = r->mine + (size_t)m * n_stats;
        const int place = c3d_loader_micro(run->loader, run->position.step_in_epoch, m);
        double *to = r->stats + (size_t)place * n_stats;

        for (size_t i = 0; i < n_stats; i++) to[i] = (double)from[i];
    }
}

/* Each place was filled by one rank and is zero on the others, so that the sum is exact. */
c3d_status c3d_running_merge(c3d_run *run, c3d_running_step *r, int n_global, bool *is_finite_out)
{
    const int n_micro = micro_batches(run, n_global), micro_batch = run->config->train.micro_batch;
    const size_t n = (size_t)n_micro * run->model.n_stats;

    *is_finite_out = true;
    if (n == 0) return C3D_OK;
    put_mine(run, r);
    C3D_TRY(c3d_comm_sum_f64(run->comm, r->stats, n));
    for (size_t i = 0; i < n; i++) *is_finite_out = *is_finite_out && isfinite(r->stats[i]);
    if (!*is_finite_out) return C3D_OK;
    for (int m = 0; m < n_micro; m++) {
        const int left = n_global - m * micro_batch;

        r->n_samples[m] = left < micro_batch ? left : micro_batch;
    }
    return c3d_model_stats_merge(&run->model, r->stats, r->n_samples, n_micro);
}
