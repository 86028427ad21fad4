#include "train/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* flock is released by the kernel at any kind of end, and reaches other hosts on NFS. The text in
 * the file only tells people who holds it. */
static c3d_status take_lock(const char *dir, int *fd_out)
{
    char path[C3D_PATH_MAX], holder[256] = "", host[64] = "";
    const char *job = getenv("SLURM_JOB_ID");

    C3D_TRY(c3d_path_join(path, dir, "lock"));
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return C3D_FAIL(C3D_EIO, "%s: cannot be written: %s", dir, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const int reason = errno;
        const ssize_t n = read(fd, holder, sizeof holder - 1);
        (void)close(fd);
        if (n > 0) holder[strcspn(holder, "\n")] = '\0';
        if (reason != EWOULDBLOCK)
            return C3D_FAIL(C3D_EIO, "%s: cannot be locked: %s", path, strerror(reason));
        return C3D_FAIL(C3D_EIO, "%s: another run is using this directory (%s)", dir,
                        n > 0 ? holder : "it did not say which");
    }
    (void)gethostname(host, sizeof host - 1);
    const int n = snprintf(holder, sizeof holder, "process %ld on %s%s%s\n", (long)getpid(), host,
                           job ? ", SLURM job " : "", job ? job : "");
    if (ftruncate(fd, 0) != 0 || pwrite(fd, holder, (size_t)n, 0) != n) {
        const int reason = errno;
        (void)close(fd);
        return C3D_FAIL(C3D_EIO, "%s: cannot be written: %s", path, strerror(reason));
    }
    *fd_out = fd;
    return C3D_OK;
}

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
    C3D_TRY(take_lock(dir, &fd)); /* nobody else is in the old one */
    if (move_old) {
        const c3d_status st = move_away(dir);
        (void)close(fd);
        C3D_TRY(st);
        C3D_TRY(c3d_make_dirs(dir));
        C3D_TRY(take_lock(dir, &fd));
    }
    *lock_fd_out = fd;
    return C3D_OK;
}

void c3d_directory_close(int lock_fd)
{
    if (lock_fd >= 0) (void)close(lock_fd);
}
