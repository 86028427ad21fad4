/* The directory of a run: made, moved away, locked. Rank 0's. */
#ifndef C3D_TRAIN_DIRECTORY_H
#define C3D_TRAIN_DIRECTORY_H

#include "c3d/base.h"

/* Makes the directory and takes its lock, DIR/lock, which says which process, host and job has it;
 * move_old moves an existing one to NAME.1, NAME.2, ... first. C3D_EIO names who has it.
 *
 * The lock goes when the process ends, however it ends. A job that SLURM queued again waits up to
 * two minutes for the lock of its earlier start, which a file server may remember. Where the file
 * system has no locks, what is written in the file decides: it is stale when its process has ended
 * on this host, or was of this job; that of another host must be removed by hand. */
C3D_CHECKED c3d_status c3d_directory_open(const char *dir, bool move_old, int *lock_fd_out);
void c3d_directory_close(int lock_fd);

#endif
