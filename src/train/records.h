/* What rank 0 writes while training: steps.jsonl (a line a step), metrics.csv (a row an epoch),
 * with run.tensorboard_every_steps event files in tensorboard/ and, with run.log_samples,
 * samples.jsonl (the samples of each step). All calls are rank 0's. */
#ifndef C3D_TRAIN_RECORDS_H
#define C3D_TRAIN_RECORDS_H

#include "c3d/train.h"

/* Where the time of a step went, on rank 0: the parts are its whole, but that a device with a queue
 * of its own may have computed while the host waited for samples. */
typedef struct c3d_step_times {
    double seconds;    /* since the step before ended */
    double waited_s;   /* for samples to be read */
    double copied_s;   /* inputs made of them, and on their way to the device */
    double computed_s; /* the rest */
    double
        reduced_s; /* sums over ranks, while computing stood still; waiting for slower ranks too */
    c3d_comm_times comm; /* of gradients and parameters: part of it was hidden behind computing */
} c3d_step_times;

typedef struct c3d_step_record {
    int64_t step, epoch; /* the step just done, from 1; its epoch, from 1 */
    double loss;         /* mean over the global batch */
    double learning_rate;
    double grad_norm; /* not finite: the step was left out for a smaller loss scale */
    int64_t n;        /* samples of the global batch */
    c3d_step_times times;
    double flop_per_s; /* nominal, of all ranks */
    double peak_share; /* of what the devices could do at most; NaN: not known */
} c3d_step_record;

/* NaN where there is nothing (no validation samples, 0/0): an empty field. */
typedef struct c3d_epoch_record {
    int64_t epoch, step;
    double train_loss, train_accuracy, train_precision, train_recall;
    double val_loss, val_accuracy, val_precision, val_recall, val_f1, val_auc;
    double learning_rate, scenes_per_s;
} c3d_epoch_record;

typedef struct c3d_records_desc {
    const char *dir;
    c3d_position at; /* where the run goes on */
    bool with_samples;
    int64_t events_every; /* steps; 0: no event files */
} c3d_records_desc;
/* Continues the files of a run, cut back to what was written up to there: whole lines of later
 * steps go, so do a half line that a kill left and the row of an epoch that is not over; those that
 * are not wanted now are cut too. */
C3D_CHECKED c3d_status c3d_records_open(const c3d_records_desc *desc, c3d_records **out);
void c3d_records_close(c3d_records *records); /* NULL is fine */
/* What was written is to be seen in the files within some seconds, if steps go on. */
void c3d_records_step(c3d_records *records, const c3d_step_record *row);
/* ids: [n] sample ids in the order of the global batch. */
void c3d_records_samples(c3d_records *records, int64_t step, const int64_t *ids, size_t n);
void c3d_records_epoch(c3d_records *records, const c3d_epoch_record *row);
/* To be called before a checkpoint is saved; C3D_EIO when something written before was lost. */
C3D_CHECKED c3d_status c3d_records_flush(c3d_records *records);
/* Until what was flushed is on disk; from any thread. */
C3D_CHECKED c3d_status c3d_records_sync(const c3d_records *records);

#endif
