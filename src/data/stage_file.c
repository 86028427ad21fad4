/* The file of a copy: it has a name only until all ranks of the node have opened it, and is locked
 * as long, so that what a killed program left can be told from what another one is making. */
#include "stage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "c3d-stage-"

static c3d_status name_file(const c3d_stage_desc *desc, c3d_stage_file *out)
{
    char name[C3D_PATH_MAX];

    (void)snprintf(name, sizeof name, PREFIX "%s", desc->key);
    *out = (c3d_stage_file){ .fd = -1 };
    return c3d_path_join(out->path, desc->dir, name);
}

static c3d_status cannot(const c3d_stage_file *file, const char *what)
{
    return C3D_FAIL(C3D_EIO, "%s: cannot be %s: %s", file->path, what, strerror(errno));
}

/* Somebody who cleans up may have found the file before it was locked: then it has no name. */
static bool is_lost(const c3d_stage_file *file)
{
    struct stat facts;

    if (flock(file->fd, LOCK_EX) != 0) return false; /* no locks here, so nobody cleans up either */
    return fstat(file->fd, &facts) == 0 && facts.st_nlink == 0;
}

c3d_status c3d_stage_file_create(const c3d_stage_desc *desc, uint64_t n_bytes, c3d_stage_file *out)
{
    C3D_TRY(name_file(desc, out));
    out->fd = open(out->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    while (out->fd >= 0 && is_lost(out)) {
        (void)close(out->fd);
        out->fd = open(out->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    }
    if (out->fd < 0) return cannot(out, "made");
    out->is_named = true;
    return ftruncate(out->fd, (off_t)n_bytes) == 0 ? C3D_OK : cannot(out, "made");
}

c3d_status c3d_stage_file_open(const c3d_stage_desc *desc, c3d_stage_file *out)
{
    C3D_TRY(name_file(desc, out));
    out->fd = open(out->path, O_RDWR | O_CLOEXEC);
    if (out->fd >= 0) return C3D_OK;
    return C3D_FAIL(C3D_EIO, "%s: made by another rank of this node, but cannot be opened: %s",
                    out->path, strerror(errno));
}

void c3d_stage_file_unname(c3d_stage_file *file)
{
    if (file->is_named && unlink(file->path) != 0)
        c3d_log_rank("%s: cannot be removed: %s", file->path, strerror(errno));
    file->is_named = false;
}

void c3d_stage_file_close(c3d_stage_file *file)
{
    if (file->fd < 0) return;
    c3d_stage_file_unname(file);
    (void)close(file->fd);
    file->fd = -1;
}

/* ---- what others left ------------------------------------------------------------------------ */

static bool is_left_over(int fd)
{
    struct stat facts;

    return fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_uid == geteuid() &&
           flock(fd, LOCK_EX | LOCK_NB) == 0;
}

void c3d_stage_clean(const char *dir)
{
    DIR *const entries = opendir(dir);
    const struct dirent *entry;

    if (!entries) return;
    while ((entry = readdir(entries)) != NULL) {
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0) continue;
        const int fd = openat(dirfd(entries), entry->d_name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) continue;
        if (is_left_over(fd) && unlinkat(dirfd(entries), entry->d_name, 0) == 0)
            c3d_log_rank("%s/%s: left by a program that was killed; removed", dir, entry->d_name);
        (void)close(fd);
    }
    (void)closedir(entries);
}
