/* Rank 0's part of saving: a copy of what a checkpoint holds (the snapshot), made between two steps
 * into memory that is taken once, and a thread that writes it to disk while training goes on. The
 * thread calls neither MPI nor the log. All calls here are rank 0's and local; with NULL, as on the
 * other ranks, they do nothing. The COLLECTIVE ones are c3d_checkpoint_save and _wait. */
#ifndef C3D_TRAIN_SAVER_H
#define C3D_TRAIN_SAVER_H

#include "c3d/train.h"

/* Bytes of host memory of the snapshot: 0 on other ranks than 0. */
uint64_t c3d_saver_bytes(const c3d_run *run);

/* For run->model; reads the environment's C3D_SIGNAL_LEAD_S: how many seconds before its end a job
 * is told to stop. */
C3D_CHECKED c3d_status c3d_saver_create(const c3d_run *run, c3d_saver **out);
/* Waits for what is being written; a failure that nobody has asked for is a warning. */
void c3d_saver_destroy(c3d_saver *saver);

/* Whether what is being written has failed, without waiting: c3d_checkpoint_wait has the error. */
bool c3d_saver_has_failed(const c3d_saver *saver);
/* After each step, which took that long: says what was written meanwhile and how long it took, at
 * most every run.log_every_s, and warns once when a signal that comes C3D_SIGNAL_LEAD_S before the
 * end may come too late. */
void c3d_saver_look(c3d_saver *saver, double step_s);

#endif
