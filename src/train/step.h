/* What is known of one training step, and what to say when it went wrong. */
#ifndef C3D_TRAIN_STEP_H
#define C3D_TRAIN_STEP_H

#include "c3d/train.h"

/* What the ranks tell each other once a step; sums over ranks, so all plain doubles. */
typedef struct c3d_step_sums {
    double loss, n;
    double n_bad;      /* losses that are not finite */
    double stop_votes; /* ranks that were asked to stop */
    double save_votes; /* 1 when rank 0's clock says that train.checkpoint_every_s have passed */
    double counts[];   /* [model.outputs][tp, fp, tn, fn] */
} c3d_step_sums;

typedef struct c3d_step_sample {
    int64_t position; /* in the global batch */
    int64_t sample_id, frame_id;
    bool is_bad;         /* its loss is not finite, or once the step diverged its gradient */
    bool has_bad_pixels; /* known once the step diverged */
} c3d_step_sample;

/* Statistics of the step's micro-batches, for the running statistics of batch normalisation; empty
 * without it. */
typedef struct c3d_running_step {
    double *stats;  /* [micro-batch of the global batch][model.n_stats] */
    size_t n;       /* doubles in it */
    int *n_samples; /* of each micro-batch */
    float *mine;    /* [model.n_stats] */
} c3d_running_step;

typedef struct c3d_step {
    c3d_step_sums *sums;      /* over all ranks once the step is done */
    size_t n_sums;            /* doubles in it */
    c3d_counts *counts;       /* [model.outputs], of a micro-batch */
    double grad_norm;         /* before clipping */
    double rate;              /* the learning rate it was done with */
    c3d_step_sample *samples; /* [global_batch], this rank's */
    size_t n_samples;
    c3d_running_step running;
} c3d_step;

C3D_CHECKED c3d_status c3d_running_open(const c3d_run *run, c3d_running_step *r);
void c3d_running_close(c3d_running_step *r);
void c3d_running_begin(c3d_running_step *r); /* of a step */
/* Local: after the forward pass of this rank's micro-batch number `micro` of the step. */
C3D_CHECKED c3d_status c3d_running_keep(c3d_run *run, c3d_running_step *r, int micro);
/* Merges those of all ranks into the model's running statistics, in the order of the global batch
 * of n_global samples; with a statistic that is not finite it merges none. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_running_merge(c3d_run *run, c3d_running_step *r, int n_global,
                                         bool *is_finite_out);

/* The step's samples of all ranks in the order of the global batch, on rank 0 (given, free()).
 * COLLECTIVE. */
C3D_CHECKED c3d_status c3d_step_gather(c3d_run *run, const c3d_step *s, c3d_step_sample **all_out,
                                       size_t *n_out);
/* C3D_EDIVERGED on all ranks, with the samples whose loss is not finite; if only the gradient (or
 * the statistics of a normalisation) is not, with those whose gradient is not by itself, which are
 * run once more to be found. Says which of them have pixels that are not finite. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_step_diverged(c3d_run *run, c3d_step *s);
/* Forward, loss and backward of the step's micro-batch number `micro` of this rank: the gradients
 * add up over them, each sample's divided by the samples of the whole global batch. Local. */
C3D_CHECKED c3d_status c3d_step_run_micro_batch(c3d_run *run, const c3d_batch *batch, int micro);

#endif
