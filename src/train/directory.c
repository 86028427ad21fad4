#include "train/directory.h"

#include "c3d/lock.h"

#include <errno.h>
#include <string.h>

static c3d_status move_away(const char *dir)
{
    char target[C3D_PATH_MAX];

    for (int i = 1; i < 10000; i++) {
        if ((size_t)snprintf(target, sizeof target, "%s.%d", dir, i) >= sizeof target) break;
        if (c3d_path_exists(target)) continue;
        if (rename(dir, target) != 0)
            return C3D_FAIL(C3D_EIO, "%s: cannot be moved to %s: %s", dir, target, strerror(errno));
        c3d_log_run("%s: moved to %s", dir, target);
        return C3D_OK;
    }
    return C3D_FAIL(C3D_EIO, "%s: no free name to move it to", dir);
}

c3d_status c3d_directory_open(const char *dir, bool move_old, int *lock_fd_out)
{
    int fd;

    C3D_TRY(c3d_make_dirs(dir));
    C3D_TRY(c3d_lock_take(dir, &fd)); /* nobody else is in the old one */
    if (move_old) {
        const c3d_status st = move_away(dir);
        c3d_lock_release(fd);
        C3D_TRY(st);
        C3D_TRY(c3d_make_dirs(dir));
        C3D_TRY(c3d_lock_take(dir, &fd));
    }
    *lock_fd_out = fd;
    return C3D_OK;
}
