/* The check backend: runs another one and refuses what breaks the rules of c3d/backend.h. What can
 * be repeated runs twice, with two different fillings of everything it has to write: a result that
 * keeps the filling was not written, one that changes with it was read before it was written. */
#ifndef C3D_BACKEND_CHECK_H
#define C3D_BACKEND_CHECK_H

#include "backend/host.h"

typedef enum thing_kind { THING_BUFFER, THING_ACTIVATION, THING_PLAN } thing_kind;

/* Something the inner backend gave. Freed buffers are kept, poisoned, so that no new one takes
 * their place and a late write shows. */
typedef struct thing {
    thing_kind kind;
    char *address;
    size_t n_bytes;  /* buffer: as asked for; a guard follows */
    c3d_shape shape; /* activation */
    bool freed;
} thing;

typedef struct check {
    c3d_backend inner;
    c3d_backend_ops ops; /* this instance's table: memory and names are the inner one's */
    char name[64];
    thing *things;
    size_t n_things, n_room;
} check;

static inline check *check_of(const c3d_backend *self)
{
    return self->state;
}

/* ---- things.c ---- */

C3D_CHECKED c3d_status c3d_check_add(check *k, const thing *given);
/* The thing that begins at `address`; NULL when none is known. */
thing *c3d_check_find(const check *k, thing_kind kind, const void *address);
/* Refuses what was freed or was never given. `what` names it in the message. */
C3D_CHECKED c3d_status c3d_check_live(const check *k, thing_kind kind, const void *address,
                                      const char *what);
/* Refuses a range that touches a freed buffer or runs out of its own; memory that is not ours is
 * left to host backends. */
C3D_CHECKED c3d_status c3d_check_range(const check *k, const void *begin, size_t n_bytes,
                                       const char *what);

c3d_status c3d_check_alloc(c3d_backend *self, size_t n_bytes, void **out);
void c3d_check_free(c3d_backend *self, void *buffer);
/* Refuses when a guard was overwritten or a freed buffer was written to. */
C3D_CHECKED c3d_status c3d_check_memory(check *k);

/* ---- passes.c: entries that compute ---- */

c3d_status c3d_check_input_load(c3d_backend *self, c3d_activation *x, const c3d_input *input);
c3d_status c3d_check_forward(c3d_backend *self, c3d_plan *plan, const c3d_params *params,
                             const c3d_pass *pass);
c3d_status c3d_check_backward(c3d_backend *self, c3d_plan *plan, const c3d_params *params,
                              float *const *param_grads, const c3d_pass *pass);
c3d_status c3d_check_stats_read(c3d_backend *self, const c3d_plan *plan, float *mean,
                                float *variance);
c3d_status c3d_check_loss(c3d_backend *self, c3d_activation *logits, const c3d_loss *loss);

#endif
