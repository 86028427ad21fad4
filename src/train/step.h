/* What is known of one training step, and what to say when it went wrong. */
#ifndef C3D_TRAIN_STEP_H
#define C3D_TRAIN_STEP_H

#include "train/records.h"

/* What the ranks tell each other once a step; sums over ranks, so all plain doubles. */
typedef struct c3d_step_sums {
    double loss, n;
    double n_bad;      /* losses that are not finite */
    double stop_votes; /* ranks that were asked to stop */
    double save_votes; /* 1 when rank 0's clock says that train.checkpoint_every_s have passed, or
                          the last save has failed */
    double counts[];   /* [model.outputs][tp, fp, tn, fn], with sums in order then each loss */
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
    float *mine;    /* [micro-batch of this rank][model.n_stats], filled later */
    int n_mine;     /* micro-batches in it */
} c3d_running_step;

/* A step between its beginning, which gives the device its work, and its end, which looks at what
 * came out. On a device with a queue the next step begins before this one ends. */
typedef struct c3d_step {
    c3d_position at;          /* of the run when it begins */
    int mark;                 /* of the backend: reached when all of it is done */
    bool is_updated;          /* the update was given to the device with the rest */
    double waited_s;          /* for samples to be read */
    c3d_step_sums *sums;      /* over all ranks once the step is done */
    size_t n_sums;            /* doubles in it */
    c3d_counts *counts;       /* [model.outputs] */
    double loss_scale;        /* that the gradients were made with */
    double squares;           /* of them; filled later */
    double grad_norm;         /* before clipping */
    double rate;              /* the learning rate it was done with */
    size_t n_samples;         /* this rank's; the arrays below have room for the global batch */
    c3d_step_sample *samples; /* [n_samples] */
    int32_t *labels;          /* [n_samples] */
    float *losses, *scores;   /* [n_samples], [n_samples, outputs]; filled later */
    c3d_running_step running;
    c3d_step_record row; /* rank 0: once it has ended */
} c3d_step;

/* The next step is timed from here. Local. */
void c3d_step_start_clock(c3d_run *run);
C3D_CHECKED c3d_status c3d_step_open(const c3d_run *run, int mark, c3d_step *s);
void c3d_step_close(c3d_step *s);
/* Local but for the sums: this rank's micro-batches, the gradients' sums over ranks as they become
 * ready, and with `in_flight` the update, all enqueued where the device allows. */
C3D_CHECKED c3d_status c3d_step_begin(c3d_run *run, c3d_step *s, c3d_position at, bool in_flight);
/* Waits for it, tells the ranks of each other, updates if begin did not; the run's position moves
 * past it. C3D_EDIVERGED on a loss or gradient that is not finite. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_step_finish(c3d_run *run, c3d_step *s);

C3D_CHECKED c3d_status c3d_running_open(const c3d_run *run, c3d_running_step *r);
void c3d_running_close(c3d_running_step *r);
void c3d_running_begin(c3d_running_step *r); /* of a step */
/* Local: after the forward pass of this rank's next micro-batch of the step. */
C3D_CHECKED c3d_status c3d_running_keep(c3d_run *run, c3d_running_step *r);
/* Merges those of all ranks into the model's running statistics, in the order of the global batch
 * of n_global samples; with a statistic that is not finite it merges none. What was kept has
 * arrived. COLLECTIVE. */
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

/* Where a micro-batch's results go. */
typedef struct c3d_micro {
    bool accumulate;           /* onto the gradients there are */
    float *losses, *scores;    /* filled later */
    const c3d_grad_hook *hook; /* or NULL */
} c3d_micro;
/* Forward, loss and backward: each sample's gradient is divided by the samples of the whole global
 * batch. Enqueued; local. */
C3D_CHECKED c3d_status c3d_step_run_micro_batch(c3d_run *run, const c3d_batch *batch,
                                                const c3d_micro *micro);
/* Waits until a mark of the run's backend is reached, or fails when another rank is gone. Local. */
C3D_CHECKED c3d_status c3d_run_await(c3d_run *run, int mark);
/* The same for all that was enqueued: before anything that waits for the device without watching
 * the other ranks, as downloads do. Local. */
C3D_CHECKED c3d_status c3d_run_settle(c3d_run *run);

#endif
