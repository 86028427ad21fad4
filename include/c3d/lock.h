/* lock: one program at a time in a directory. Part of base. */
#ifndef C3D_LOCK_H
#define C3D_LOCK_H

#include "c3d/base.h"

/* Takes the directory's lock, DIR/lock, which says which process, host and job has it. C3D_EIO
 * names who has it.
 *
 * The lock goes when the process ends, however it ends. A job that SLURM queued again waits up to
 * two minutes for the lock of its earlier start, which a file server may remember. Where the file
 * system has no locks, what is written in the file decides: it is stale when its process has ended
 * on this host, or was of this job; that of another host must be removed by hand. */
C3D_CHECKED c3d_status c3d_lock_take(const char *dir, int *fd_out);
void c3d_lock_release(int fd); /* below 0: nothing is done */

#endif
