#include "comm/ending.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "comm/mpi_call.h"

/* What printing and MPI_Abort may take; both wait for others. */
static const struct timespec enough = { .tv_sec = 5 };
#define PRINTING_S 2

static void *leave_late(void *argument)
{
    (void)nanosleep(&enough, NULL);
    _exit((int)(intptr_t)argument);
}

/* Of several ranks of a host that find the same at once, one speaks. The name of a socket that has
 * no file can be taken once, and is free again when its process ends, however that ends. Where a
 * rank cannot tell it speaks. */
static bool is_first_of_host(uint64_t job)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX }; /* its path begins with 0 */
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    const int n = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "c3d-train/%016llx",
                           (unsigned long long)job);
    const socklen_t n_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    return fd < 0 || bind(fd, (const struct sockaddr *)&name, n_bytes) == 0 || errno != EADDRINUSE;
}

/* Other threads may hang in other streams: those are left. */
static void *print(void *error)
{
    c3d_log_last_error(error);
    (void)fflush(stdout);
    return NULL;
}

/* A file system or a terminal that hangs does not keep the others from being ended. */
static void print_or_leave_it(c3d_error *error)
{
    struct timespec until;
    pthread_t thread;

    if (pthread_create(&thread, NULL, print, error) != 0) {
        (void)print(error);
        return;
    }
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PRINTING_S;
    (void)pthread_timedjoin_np(thread, NULL, &until);
}

_Noreturn void c3d_end_all(const c3d_comm *comm, const c3d_error *error)
{
    c3d_end_all_with(comm, error, c3d_exit_code(error->status));
}

_Noreturn void c3d_end_all_with(const c3d_comm *comm, const c3d_error *error, int code)
{
    c3d_error said = *error;
    pthread_t thread;

    if (pthread_create(&thread, NULL, leave_late, (void *)(intptr_t)code) == 0)
        (void)pthread_detach(thread);
    if (comm->job == 0 || is_first_of_host(comm->job)) {
        print_or_leave_it(&said);
        (void)MPI_Abort(MPI_COMM_WORLD, code);
    } else { /* that one ends this one too */
        (void)nanosleep(&enough, NULL);
    }
    _exit(code);
}
