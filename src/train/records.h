/* What rank 0 writes while training: steps.jsonl (a line a step), metrics.csv (a row an epoch) and,
 * with run.log_samples, samples.jsonl (the samples of each step). All calls are rank 0's. */
#ifndef C3D_TRAIN_RECORDS_H
#define C3D_TRAIN_RECORDS_H

#include "c3d/train.h"

typedef struct c3d_step_record {
    int64_t step, epoch; /* the step just done, from 1; its epoch, from 1 */
    double loss;         /* mean over the global batch */
    double learning_rate;
    double grad_norm;         /* not finite: the step was left out for a smaller loss scale */
    double seconds, waited_s; /* since the step before; of rank 0 for samples to be read */
    c3d_comm_times comm;      /* of these, of rank 0 */
    int64_t n;                /* samples of the global batch */
} c3d_step_record;

/* NaN where there is nothing (no validation samples, 0/0): an empty field. */
typedef struct c3d_epoch_record {
    int64_t epoch, step;
    double train_loss, train_accuracy, train_precision, train_recall;
    double val_loss, val_accuracy, val_precision, val_recall, val_f1, val_auc;
    double learning_rate, scenes_per_s;
} c3d_epoch_record;

/* Continues the files of DIR, cut back to what was written up to `step`: whole lines of later steps
 * go, and so does a half line that a kill left; samples.jsonl is cut with or without with_samples.
 */
C3D_CHECKED c3d_status c3d_records_open(const char *dir, int64_t step, bool with_samples,
                                        c3d_records **out);
void c3d_records_close(c3d_records *records); /* NULL is fine */
void c3d_records_step(c3d_records *records, const c3d_step_record *row);
/* ids: [n] sample ids in the order of the global batch. */
void c3d_records_samples(c3d_records *records, int64_t step, const int64_t *ids, size_t n);
void c3d_records_epoch(c3d_records *records, const c3d_epoch_record *row);
/* To be called before a checkpoint is saved; C3D_EIO when something written before was lost. */
C3D_CHECKED c3d_status c3d_records_flush(c3d_records *records);
/* Until what was flushed is on disk; from any thread. */
C3D_CHECKED c3d_status c3d_records_sync(const c3d_records *records);

#endif
