#include "comm/deadline.h"

#include "comm/ending.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

static void *expire(void *argument)
{
    c3d_deadline *self = argument;

    (void)pthread_mutex_lock(&self->lock);
    for (double waited_s = 0; !self->is_over && waited_s < self->seconds;) {
        struct timespec at;
        (void)clock_gettime(CLOCK_REALTIME, &at);
        at.tv_sec++;
        if (pthread_cond_timedwait(&self->ended, &self->lock, &at) == ETIMEDOUT) waited_s += 1;
    }
    const bool is_over = self->is_over;
    (void)pthread_mutex_unlock(&self->lock);
    if (is_over) return NULL;
    (void)C3D_FAIL(C3D_ECOMM, "%s for %g s", self->what, self->seconds);
    c3d_end_all_with(self->comm, c3d_error_last(), self->code);
}

void c3d_deadline_begin(c3d_deadline *self, const c3d_comm *comm, double seconds, const char *what,
                        int code)
{
    sigset_t all, before;

    *self = (c3d_deadline){ .comm = comm,
                            .seconds = seconds,
                            .what = what,
                            .code = code,
                            .lock = PTHREAD_MUTEX_INITIALIZER,
                            .ended = PTHREAD_COND_INITIALIZER };
    if (comm->n_ranks == 1) return;
    (void)sigfillset(&all); /* signals are the main thread's business */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    self->is_set = pthread_create(&self->thread, NULL, expire, self) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void c3d_deadline_end(c3d_deadline *self)
{
    if (!self->is_set) return;
    (void)pthread_mutex_lock(&self->lock);
    self->is_over = true;
    (void)pthread_cond_signal(&self->ended);
    (void)pthread_mutex_unlock(&self->lock);
    (void)pthread_join(self->thread, NULL);
    self->is_set = false;
}
