#include "workers.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

typedef struct team {
    const c3d_jobs *jobs;
    atomic_size_t next;
    atomic_bool has_failed;
    pthread_mutex_t lock; /* of error */
    c3d_error error;      /* the first one */
} team;

typedef struct member {
    team *of;
    int number;
    pthread_t thread;
} member;

static void keep_error(team *of)
{
    pthread_mutex_lock(&of->lock);
    if (!atomic_exchange(&of->has_failed, true)) c3d_error_take(&of->error);
    pthread_mutex_unlock(&of->lock);
}

static void *work(void *argument)
{
    const member *self = argument;
    team *of = self->of;

    while (!atomic_load(&of->has_failed)) {
        const size_t job = atomic_fetch_add(&of->next, 1);
        if (job >= of->jobs->n) break;
        if (of->jobs->run(of->jobs->context, self->number, job) != C3D_OK) keep_error(of);
    }
    return NULL;
}

static int start(member *members, int n)
{
    sigset_t all, before;
    int n_started = 1; /* the caller */

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    while (n_started < n &&
           pthread_create(&members[n_started].thread, NULL, work, &members[n_started]) == 0)
        n_started++;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return n_started;
}

c3d_status c3d_workers_run(int n_workers, const c3d_jobs *jobs)
{
    const int n = n_workers > 1 ? n_workers : 1;
    team of = { .jobs = jobs, .lock = PTHREAD_MUTEX_INITIALIZER };
    member *members = c3d_calloc((size_t)n, sizeof *members);

    if (!members) return C3D_ENOMEM;
    atomic_init(&of.next, 0);
    atomic_init(&of.has_failed, false);
    for (int i = 0; i < n; i++) members[i] = (member){ .of = &of, .number = i };
    const int n_started = start(members, (size_t)n < jobs->n ? n : (int)jobs->n);
    (void)work(&members[0]);
    for (int i = 1; i < n_started; i++) (void)pthread_join(members[i].thread, NULL);
    free(members);
    (void)pthread_mutex_destroy(&of.lock);
    return atomic_load(&of.has_failed) ? c3d_error_put(&of.error) : C3D_OK;
}
