/* Loaded before the C library: below C3D_FULL_DIR only so many bytes more can be written, as on a
 * disk that is nearly full (what the C library writes for stdio does not come by here).
 *   C3D_FULL_AFTER   bytes of this process until nothing can be written
 *   C3D_FULL_QUOTA   set: EDQUOT instead of ENOSPC
 *   C3D_FULL_SYNC    set: writes are taken, and told at the next sync, as file servers do
 *   C3D_FULL_COUNT   file that is told at the end how many bytes were written */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_llong n_written;

static int is_watched(int fd)
{
    const char *dir = getenv("C3D_FULL_DIR");
    char link[64], path[4096];

    if (!dir) return 0;
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = '\0';
    return strncmp(path, dir, strlen(dir)) == 0;
}

static int is_full(void)
{
    const char *after = getenv("C3D_FULL_AFTER");

    return after && atomic_load(&n_written) >= atoll(after);
}

static int refuse(void)
{
    errno = getenv("C3D_FULL_QUOTA") ? EDQUOT : ENOSPC;
    return -1;
}

/* How many of n bytes there is room for. */
static size_t room(int fd, size_t n)
{
    const char *after = getenv("C3D_FULL_AFTER");

    if (!is_watched(fd)) return n;
    const long long before = atomic_fetch_add(&n_written, (long long)n);
    const long long left = after ? atoll(after) - before : (long long)n;
    if (getenv("C3D_FULL_SYNC") || left >= (long long)n) return n;
    return left > 0 ? (size_t)left : 0;
}

ssize_t write(int fd, const void *from, size_t n)
{
    const size_t fits = room(fd, n);

    if (n > 0 && fits == 0) return refuse();
    return (ssize_t)syscall(SYS_write, fd, from, fits);
}

ssize_t pwrite(int fd, const void *from, size_t n, off_t at)
{
    const size_t fits = room(fd, n);

    if (n > 0 && fits == 0) return refuse();
    return (ssize_t)syscall(SYS_pwrite64, fd, from, fits, at);
}

ssize_t pwrite64(int fd, const void *from, size_t n, off_t at);
ssize_t pwrite64(int fd, const void *from, size_t n, off_t at)
{
    return pwrite(fd, from, n, at);
}

static int synced(int fd, long number)
{
    if (getenv("C3D_FULL_SYNC") && is_watched(fd) && is_full()) return refuse();
    return (int)syscall(number, fd);
}

int fsync(int fd)
{
    return synced(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return synced(fd, SYS_fdatasync);
}

__attribute__((destructor)) static void tell_count(void)
{
    const char *path = getenv("C3D_FULL_COUNT");
    FILE *stream = path && atomic_load(&n_written) > 0 ? fopen(path, "w") : NULL;

    if (!stream) return;
    (void)fprintf(stream, "%lld\n", (long long)atomic_load(&n_written));
    (void)fclose(stream);
}
