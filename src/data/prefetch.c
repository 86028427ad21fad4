#include "prefetch.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

typedef struct slot_state {
    int64_t item; /* the finished item it holds; -1: none */
    c3d_status status;
    c3d_error error; /* when status says so */
} slot_state;

typedef struct reader {
    c3d_prefetch *owner;
    int number;
    pthread_t thread;
} reader;

struct c3d_prefetch {
    c3d_prefetch_desc desc;
    pthread_mutex_t lock;
    pthread_cond_t may_fill; /* readers wait: room, a new run, the end */
    pthread_cond_t finished; /* next and stop wait: an item is done */
    bool is_running, is_ending;
    int n_busy;                                     /* fills under way */
    int64_t n_items, n_taken, n_handed, n_returned; /* of the run */
    double waited_s;
    slot_state *slots; /* [depth] */
    int n_threads;     /* started */
    reader *readers;   /* [n_readers] */
};

static bool has_room_locked(const c3d_prefetch *self)
{
    return self->is_running && self->n_taken < self->n_items &&
           self->n_taken < self->n_returned + self->desc.depth;
}

static void fill_next_locked(c3d_prefetch *self, int number)
{
    const int64_t item = self->n_taken++;
    slot_state *slot = &self->slots[item % self->desc.depth];
    c3d_status st;

    slot->item = -1;
    self->n_busy++;
    pthread_mutex_unlock(&self->lock);
    st = self->desc.fill(self->desc.context, number, (int)(item % self->desc.depth), item);
    pthread_mutex_lock(&self->lock);
    self->n_busy--;
    slot->item = item;
    slot->status = st;
    if (st != C3D_OK) {
        c3d_error_take(&slot->error);
        self->is_running = false; /* items before this one were taken before and will be there */
    }
    pthread_cond_broadcast(&self->finished);
}

static void *read_ahead(void *argument)
{
    const reader *me = argument;
    c3d_prefetch *self = me->owner;

    pthread_mutex_lock(&self->lock);
    while (!self->is_ending) {
        if (has_room_locked(self))
            fill_next_locked(self, me->number);
        else
            pthread_cond_wait(&self->may_fill, &self->lock);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* Signals are the main thread's business: readers are started with all of them blocked. */
static c3d_status start_threads(c3d_prefetch *self)
{
    sigset_t all, before;
    int reason = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int i = 0; i < self->desc.n_readers && reason == 0; i++) {
        self->readers[i] = (reader){ .owner = self, .number = i };
        reason = pthread_create(&self->readers[i].thread, NULL, read_ahead, &self->readers[i]);
        if (reason == 0) self->n_threads++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (reason != 0)
        return C3D_FAIL(C3D_ENOMEM, "reader thread %d of %d: %s", self->n_threads + 1,
                        self->desc.n_readers, strerror(reason));
    return C3D_OK;
}

c3d_status c3d_prefetch_create(const c3d_prefetch_desc *desc, c3d_prefetch **out)
{
    c3d_prefetch *self = c3d_calloc(1, sizeof *self);
    c3d_status st;

    if (!self) return C3D_ENOMEM;
    self->desc = *desc;
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->may_fill, NULL);
    pthread_cond_init(&self->finished, NULL);
    self->slots = c3d_calloc((size_t)desc->depth, sizeof *self->slots);
    self->readers = c3d_calloc((size_t)desc->n_readers, sizeof *self->readers);
    st = self->slots && self->readers ? start_threads(self) : C3D_ENOMEM;
    if (st != C3D_OK) {
        c3d_prefetch_destroy(self);
        return st;
    }
    *out = self;
    return C3D_OK;
}

void c3d_prefetch_destroy(c3d_prefetch *self)
{
    if (!self) return;
    pthread_mutex_lock(&self->lock);
    self->is_ending = true;
    pthread_cond_broadcast(&self->may_fill);
    pthread_mutex_unlock(&self->lock);
    for (int i = 0; i < self->n_threads; i++) pthread_join(self->readers[i].thread, NULL);
    pthread_cond_destroy(&self->finished);
    pthread_cond_destroy(&self->may_fill);
    pthread_mutex_destroy(&self->lock);
    free(self->readers);
    free(self->slots);
    free(self);
}

void c3d_prefetch_stop(c3d_prefetch *self)
{
    pthread_mutex_lock(&self->lock);
    self->is_running = false;
    while (self->n_busy > 0) pthread_cond_wait(&self->finished, &self->lock);
    pthread_mutex_unlock(&self->lock);
}

void c3d_prefetch_start(c3d_prefetch *self, int64_t n_items)
{
    pthread_mutex_lock(&self->lock);
    C3D_ASSERT(self->n_busy == 0);
    for (int i = 0; i < self->desc.depth; i++) self->slots[i].item = -1;
    self->n_items = n_items;
    self->n_taken = self->n_handed = self->n_returned = 0;
    self->waited_s = 0;
    self->is_running = true;
    pthread_cond_broadcast(&self->may_fill);
    pthread_mutex_unlock(&self->lock);
}

static c3d_status wait_for_locked(c3d_prefetch *self, int64_t item)
{
    slot_state *slot = &self->slots[item % self->desc.depth];

    if (slot->item != item) {
        const double since_s = c3d_now_s();
        while (slot->item != item) pthread_cond_wait(&self->finished, &self->lock);
        self->waited_s += c3d_now_s() - since_s;
    }
    return slot->status == C3D_OK ? C3D_OK : c3d_error_put(&slot->error);
}

c3d_status c3d_prefetch_next(c3d_prefetch *self, int *slot_out, int64_t *item_out)
{
    c3d_status st;

    pthread_mutex_lock(&self->lock);
    const int64_t item = self->n_handed;
    if (self->n_returned < item - self->desc.n_held) {
        self->n_returned = item - self->desc.n_held;
        pthread_cond_broadcast(&self->may_fill);
    }
    if (item >= self->n_items || (!self->is_running && item >= self->n_taken))
        st = C3D_FAIL(C3D_EINVAL, "loader: item %lld of %lld asked for", (long long)item,
                      (long long)self->n_items);
    else
        st = wait_for_locked(self, item);
    if (st == C3D_OK) {
        self->n_handed++;
        *slot_out = (int)(item % self->desc.depth);
        *item_out = item;
    }
    pthread_mutex_unlock(&self->lock);
    return st;
}

double c3d_prefetch_waited_s(const c3d_prefetch *self)
{
    return self->waited_s;
}
