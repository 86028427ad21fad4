#include "train/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How long a rank looks for the file: a network file system may show it late. */
#define LOOKS   20
#define LOOK_NS 50000000L

/* Rank 0's file, as all are told. */
typedef struct trace {
    char path[C3D_PATH_MAX];
    int error; /* errno of writing it */
} trace;

/* Rank 0: beside nothing that is there already. */
static c3d_status leave_trace(const char *dir, trace *out)
{
    char existing[C3D_PATH_MAX], name[64];
    struct {
        double now_s;
        pid_t pid;
        char time[24];
    } seed;

    memset(&seed, 0, sizeof seed);
    seed.now_s = c3d_now_s();
    seed.pid = getpid();
    c3d_now_text(seed.time);
    C3D_TRY(c3d_path_existing(existing, dir));
    (void)snprintf(name, sizeof name, ".c3d-check-%016llx",
                   (unsigned long long)c3d_hash(&seed, sizeof seed));
    C3D_TRY(c3d_path_join(out->path, existing, name));
    const int fd = open(out->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        out->error = errno;
        return C3D_OK;
    }
    if (write(fd, "c3d\n", 4) != 4 || fsync(fd) != 0) out->error = errno ? errno : EIO;
    (void)close(fd);
    return C3D_OK;
}

static bool is_seen(const char *path)
{
    const struct timespec pause = { .tv_nsec = LOOK_NS };

    for (int i = 0; i < LOOKS; i++) {
        if (c3d_path_exists(path)) return true;
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

static void judge(const c3d_comm *comm, const char *dir, const bool *seen, c3d_site_findings *out)
{
    int n_blind = 0, blind = -1;

    for (int r = comm->n_ranks - 1; r >= 0; r--)
        if (!seen[r]) n_blind++, blind = r;
    if (n_blind == 0) return;
    c3d_site_warn(out,
                  "run.dir %s: what rank 0 (%s) writes there is not seen by %d of %d ranks, such "
                  "as rank %d (%s): a run that starts again on another host would not find its "
                  "checkpoints; choose a directory that all hosts share",
                  dir, comm->host, n_blind, comm->n_ranks, blind,
                  comm->hosts + (size_t)blind * sizeof comm->host);
}

c3d_status c3d_site_check_directory(c3d_comm *comm, const char *dir, c3d_site_findings *out)
{
    const bool root = comm->rank == 0;
    trace left = { 0 };
    void *seen = NULL;
    size_t n;

    C3D_TRY(c3d_comm_agree_status(comm, root ? leave_trace(dir, &left) : C3D_OK));
    c3d_status st = c3d_comm_share(comm, &left, sizeof left);
    if (st == C3D_OK && left.error == 0) {
        const bool mine = is_seen(left.path);
        st = c3d_comm_gather(comm, &mine, sizeof mine, &seen, &n);
    }
    if (root) (void)unlink(left.path);
    if (root && st == C3D_OK && left.error != 0)
        c3d_site_stop(out, C3D_EIO,
                      "run.dir %s: %s cannot be written on %s (%s): choose a directory that you "
                      "may write",
                      dir, left.path, comm->host, strerror(left.error));
    if (root && seen) judge(comm, dir, seen, out);
    free(seen);
    return st;
}
