#include "c3d/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* ---- who has the lock ------------------------------------------------------------------------ */

/* What the file says for people, and for systems without locks. */
typedef struct holder {
    char text[256]; /* "": nobody */
    long process;
    char host[64], job[64]; /* job "": not of SLURM */
} holder;

static void read_holder(int fd, holder *out)
{
    const ssize_t n = pread(fd, out->text, sizeof out->text - 1, 0);

    out->text[n > 0 ? n : 0] = '\0';
    out->text[strcspn(out->text, "\n")] = '\0';
    out->process = 0;
    out->host[0] = out->job[0] = '\0';
    (void)sscanf(out->text, "process %ld on %63[^,], SLURM job %63s", &out->process, out->host,
                 out->job);
}

static holder myself(void)
{
    const char *job = getenv("SLURM_JOB_ID");
    holder me = { .process = (long)getpid() };

    (void)gethostname(me.host, sizeof me.host - 1);
    (void)snprintf(me.job, sizeof me.job, "%s", job ? job : "");
    (void)snprintf(me.text, sizeof me.text, "process %ld on %s%s%s", me.process, me.host,
                   me.job[0] ? ", SLURM job " : "", me.job);
    return me;
}

static c3d_status write_holder(int fd, const char *path, const char *text)
{
    const size_t n = strlen(text);

    if (ftruncate(fd, 0) == 0 && pwrite(fd, text, n, 0) == (ssize_t)n) return C3D_OK;
    return C3D_FAIL(C3D_EIO, "%s: its %zu bytes cannot be written: %s", path, n, strerror(errno));
}

/* A job that was queued again is the only one of its number. */
static bool is_of_my_job(const holder *there, const holder *me)
{
    return me->job[0] && strcmp(there->job, me->job) == 0;
}

/* ---- taking it ------------------------------------------------------------------------------- */

#define NAPS 240 /* of half a second: longer than file servers remember a host that is gone */

/* The kernel releases flock at any kind of end, and it reaches other hosts on NFS. There a server
 * may hold it for a while after a host has died: the same job, queued again, waits for that. */
static c3d_status wait_for_lock(int fd, const char *path, const holder *me)
{
    static const struct timespec nap = { .tv_nsec = 500000000 };
    holder there;

    for (int i = 0; i <= NAPS; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) return C3D_OK;
        if (errno != EWOULDBLOCK && errno != EINTR) return C3D_EUNSUPPORTED;
        read_holder(fd, &there);
        if (!is_of_my_job(&there, me) || c3d_stop_requested()) break;
        if (i == 0)
            c3d_log_run("%s: an earlier start of this job has it (%s); waiting for its end", path,
                        there.text);
        c3d_phase_tick(); /* the others wait for us, and this ends */
        (void)nanosleep(&nap, NULL);
    }
    return C3D_FAIL(C3D_EIO, "%s: another run is using this directory (%s)", path,
                    there.text[0] ? there.text : "it did not say which");
}

/* Some cluster file systems have no locks: what the file says must do. */
static c3d_status judge_by_text(int fd, const char *path, const holder *me, int reason)
{
    holder there;
    bool is_over;

    read_holder(fd, &there);
    if (strcmp(there.host, me->host) == 0)
        is_over = there.process > 0 && kill((pid_t)there.process, 0) != 0 && errno == ESRCH;
    else
        is_over = is_of_my_job(&there, me);
    if (there.text[0] && !is_over)
        return C3D_FAIL(C3D_EIO,
                        "%s: another run is using this directory (%s), or ended without a chance "
                        "to say so: this file system has no locks (%s); remove the file if it is "
                        "over",
                        path, there.text, strerror(reason));
    c3d_log_warn("%s: this file system has no locks (%s): a second run that starts at the same "
                 "moment would not be noticed",
                 path, strerror(reason));
    if (there.text[0]) c3d_log_run("%s: that run is over (%s)", path, there.text);
    return C3D_OK;
}

static c3d_status take_open_lock(int fd, const char *path)
{
    const holder me = myself();
    const c3d_status st = wait_for_lock(fd, path, &me);

    if (st == C3D_EUNSUPPORTED)
        C3D_TRY(judge_by_text(fd, path, &me, errno));
    else
        C3D_TRY(st);
    return write_holder(fd, path, me.text);
}

c3d_status c3d_lock_take(const char *dir, int *fd_out)
{
    char path[C3D_PATH_MAX];

    C3D_TRY(c3d_path_join(path, dir, "lock"));
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return C3D_FAIL(C3D_EIO, "%s: cannot be written: %s", dir, strerror(errno));
    const c3d_status st = take_open_lock(fd, path);
    if (st != C3D_OK)
        (void)close(fd);
    else
        *fd_out = fd;
    return st;
}

void c3d_lock_release(int lock_fd)
{
    if (lock_fd < 0) return;
    (void)!ftruncate(lock_fd, 0); /* nobody has it; who cannot read that is told by flock */
    (void)close(lock_fd);
}
