#include "comm/queue.h"

#include "comm/watch.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#define NAP_S 0.001
/* A call of MPI cannot be left, but may be through soon: other ranks end too. */
#define GIVE_UP_S 5.0

/* ---- the thread ------------------------------------------------------------------------------ */

static void fail_locked(c3d_queue *queue)
{
    queue->has_failed = true;
    queue->error = *c3d_error_last();
}

static c3d_status make_watched(const c3d_queue *queue, const c3d_call *call)
{
    c3d_watch_enter(queue->comm, C3D_PLANE_DATA);
    const c3d_status st = queue->make(queue->comm, call);
    c3d_watch_leave(queue->comm, C3D_PLANE_DATA);
    return st;
}

/* Makes call number n_made, without the lock while it lasts. */
static void make_locked(c3d_queue *queue)
{
    const c3d_call call = queue->calls[queue->n_made % C3D_QUEUE_CALLS];

    (void)pthread_mutex_unlock(&queue->lock);
    const double begun_s = c3d_now_s();
    const c3d_status st = make_watched(queue, &call);
    const double passed_s = c3d_now_s() - begun_s;
    (void)pthread_mutex_lock(&queue->lock);
    queue->busy_s += passed_s;
    queue->n_made++;
    if (st != C3D_OK) fail_locked(queue);
    (void)pthread_cond_signal(&queue->made);
}

static bool has_work_locked(const c3d_queue *queue)
{
    return queue->n_made < queue->n_given && !queue->has_failed && !queue->is_given_up;
}

static void *make_calls(void *context)
{
    c3d_queue *queue = context;

    (void)pthread_mutex_lock(&queue->lock);
    for (;;) {
        if (has_work_locked(queue))
            make_locked(queue);
        else if (queue->is_ending)
            break;
        else
            (void)pthread_cond_wait(&queue->given, &queue->lock);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    atomic_store(&queue->has_returned, true);
    return NULL;
}

/* Signals are the main thread's business. */
static c3d_status start_thread(c3d_queue *queue)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int reason = pthread_create(&queue->thread, NULL, make_calls, queue);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (reason != 0)
        return C3D_FAIL(C3D_ENOMEM, "the thread for communication: %s", strerror(reason));
    queue->has_thread = true;
    return C3D_OK;
}

/* ---- opening and closing --------------------------------------------------------------------- */

c3d_status c3d_queue_open(c3d_queue *queue, c3d_comm *comm,
                          c3d_status (*make)(c3d_comm *comm, const c3d_call *call),
                          bool with_thread)
{
    *queue = (c3d_queue){ .comm = comm, .make = make };
    (void)pthread_mutex_init(&queue->lock, NULL);
    (void)pthread_cond_init(&queue->given, NULL);
    (void)pthread_cond_init(&queue->made, NULL);
    return with_thread ? start_thread(queue) : C3D_OK;
}

static void end(c3d_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    queue->is_ending = true;
    (void)pthread_cond_signal(&queue->given);
    (void)pthread_mutex_unlock(&queue->lock);
}

static void join(c3d_queue *queue)
{
    (void)pthread_join(queue->thread, NULL);
    queue->has_thread = false;
}

bool c3d_queue_give_up(c3d_queue *queue)
{
    static const struct timespec length = { .tv_nsec = (long)(NAP_S * 1e9) };

    atomic_store(&queue->is_given_up, true);
    if (!queue->has_thread) return true;
    end(queue);
    for (double s = 0; s < GIVE_UP_S && !atomic_load(&queue->has_returned); s += NAP_S)
        (void)nanosleep(&length, NULL);
    if (!atomic_load(&queue->has_returned)) return false;
    join(queue);
    return true;
}

void c3d_queue_close(c3d_queue *queue)
{
    if (!queue->comm) return;
    if (queue->has_thread) {
        end(queue);
        join(queue);
    }
    (void)pthread_cond_destroy(&queue->made);
    (void)pthread_cond_destroy(&queue->given);
    (void)pthread_mutex_destroy(&queue->lock);
    queue->comm = NULL;
}

/* ---- giving calls, and waiting for them ------------------------------------------------------ */

static c3d_status status_locked(const c3d_queue *queue)
{
    return queue->has_failed ? c3d_error_put(&queue->error) : C3D_OK;
}

/* Until at most n calls are left to be made, or one has failed. */
static void wait_locked(c3d_queue *queue, uint64_t n)
{
    if (queue->n_given - queue->n_made <= n) return;
    const double begun_s = c3d_now_s();
    while (queue->n_given - queue->n_made > n && !queue->has_failed)
        (void)pthread_cond_wait(&queue->made, &queue->lock);
    queue->comm->times.waited_s += c3d_now_s() - begun_s;
}

static c3d_status make_now(c3d_queue *queue, const c3d_call *call)
{
    const double begun_s = c3d_now_s();

    C3D_TRY(status_locked(queue)); /* nobody else is there to have the lock */
    const c3d_status st = make_watched(queue, call);
    const double passed_s = c3d_now_s() - begun_s;
    if (st != C3D_OK) fail_locked(queue);
    queue->comm->times.waited_s += passed_s;
    queue->comm->times.busy_s += passed_s;
    return st;
}

c3d_status c3d_queue_add(c3d_queue *queue, const c3d_call *call)
{
    if (!queue->has_thread) return make_now(queue, call);
    (void)pthread_mutex_lock(&queue->lock);
    wait_locked(queue, C3D_QUEUE_CALLS - 1);
    const c3d_status st = status_locked(queue);
    if (st == C3D_OK) {
        queue->calls[queue->n_given++ % C3D_QUEUE_CALLS] = *call;
        (void)pthread_cond_signal(&queue->given);
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return st;
}

c3d_status c3d_queue_wait(c3d_queue *queue)
{
    if (!queue->has_thread) return status_locked(queue);
    (void)pthread_mutex_lock(&queue->lock);
    wait_locked(queue, 0);
    queue->comm->times.busy_s = queue->busy_s;
    const c3d_status st = status_locked(queue);
    (void)pthread_mutex_unlock(&queue->lock);
    return st;
}

c3d_status c3d_queue_poll(c3d_queue *queue)
{
    if (!queue->has_thread) return status_locked(queue);
    (void)pthread_mutex_lock(&queue->lock);
    const c3d_status st = status_locked(queue);
    (void)pthread_mutex_unlock(&queue->lock);
    return st;
}
