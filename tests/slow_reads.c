/* Loaded before a program (LD_PRELOAD): what its threads other than the first read takes
 * C3D_SLOW_READ_MS longer, as from a slow disk. Makes training last without computing. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void wait_a_while(void)
{
    const char *text = getenv("C3D_SLOW_READ_MS");

    if (text && syscall(SYS_gettid) != getpid()) {
        const long ms = strtol(text, NULL, 10);
        struct timespec left = { ms / 1000, ms % 1000 * 1000000 };
        while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
    }
}

ssize_t pread(int fd, void *buffer, size_t n_bytes, off_t offset)
{
    wait_a_while();
    return (ssize_t)syscall(SYS_pread64, fd, buffer, n_bytes, offset);
}

ssize_t preadv(int fd, const struct iovec *places, int n, off_t offset)
{
    wait_a_while();
    return (ssize_t)syscall(SYS_preadv, fd, places, (long)n, offset, 0L);
}
