#include "c3d/base.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct c3d_background {
    c3d_status (*job)(void *context);
    void *context;
    pthread_t thread;
    bool is_started;
    c3d_status status; /* of the job, and its error: the thread's until it is joined */
    c3d_error error;
    atomic_bool is_done, has_failed;
};

c3d_status c3d_background_create(c3d_background **out)
{
    c3d_background *self = c3d_calloc(1, sizeof *self);

    if (!self) return C3D_ENOMEM;
    atomic_init(&self->is_done, false);
    atomic_init(&self->has_failed, false);
    *out = self;
    return C3D_OK;
}

static void *run_job(void *argument)
{
    c3d_background *self = argument;

    self->status = self->job(self->context);
    if (self->status != C3D_OK) {
        c3d_error_take(&self->error);
        atomic_store(&self->has_failed, true);
    }
    atomic_store(&self->is_done, true);
    return NULL;
}

/* Signals are the main thread's business. */
c3d_status c3d_background_start(c3d_background *self, c3d_status (*job)(void *context),
                                void *context)
{
    sigset_t all, before;

    C3D_ASSERT(!self->is_started);
    self->job = job;
    self->context = context;
    atomic_store(&self->is_done, false);
    atomic_store(&self->has_failed, false);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int reason = pthread_create(&self->thread, NULL, run_job, self);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (reason != 0) return C3D_FAIL(C3D_ENOMEM, "no thread to write with: %s", strerror(reason));
    self->is_started = true;
    return C3D_OK;
}

bool c3d_background_is_done(const c3d_background *self)
{
    return self->is_started && atomic_load(&self->is_done);
}

bool c3d_background_has_failed(const c3d_background *self)
{
    return self->is_started && atomic_load(&self->has_failed);
}

c3d_status c3d_background_wait(c3d_background *self)
{
    if (!self->is_started) return C3D_OK;
    (void)pthread_join(self->thread, NULL);
    self->is_started = false;
    return self->status == C3D_OK ? C3D_OK : c3d_error_put(&self->error);
}

void c3d_background_destroy(c3d_background *self)
{
    if (!self) return;
    if (self->is_started) (void)pthread_join(self->thread, NULL);
    free(self);
}
