/* The directory of a run: made, moved away, locked. Rank 0's. */
#ifndef C3D_TRAIN_DIRECTORY_H
#define C3D_TRAIN_DIRECTORY_H

#include "c3d/base.h"

/* Makes the directory and takes its lock (c3d/lock.h), to be released with c3d_lock_release;
 * move_old moves an existing one to NAME.1, NAME.2, ... first. */
C3D_CHECKED c3d_status c3d_directory_open(const char *dir, bool move_old, int *lock_fd_out);

#endif
