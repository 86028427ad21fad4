/* prefetch: items are made by several threads ahead of their use and handed out in order.
 *
 * A run has items 0 .. n_items-1. Item s is made in slot s mod depth once item s - depth has been
 * given back, and a slot is known by the number of the item it holds, never by a mere "full" flag:
 * two readers cannot take one slot, and order does not depend on who is faster. */
#ifndef C3D_DATA_PREFETCH_H
#define C3D_DATA_PREFETCH_H

#include "c3d/base.h"

typedef struct c3d_prefetch c3d_prefetch;
typedef struct c3d_prefetch_desc {
    int n_readers;
    int depth;  /* at least n_held + 2: the caller holds slots while others are filled */
    int n_held; /* slots that the caller holds besides the last one handed out */
    /* Makes item `item` in slot `slot`. Called by reader thread `reader`, by several at once with
     * different readers and slots. */
    c3d_status (*fill)(void *context, int reader, int slot, int64_t item);
    void *context; /* borrowed until destroy */
} c3d_prefetch_desc;

C3D_CHECKED c3d_status c3d_prefetch_create(const c3d_prefetch_desc *desc, c3d_prefetch **out);
void c3d_prefetch_destroy(c3d_prefetch *self); /* NULL is fine; joins the threads */
/* Afterwards no fill is running, and none starts before c3d_prefetch_start. */
void c3d_prefetch_stop(c3d_prefetch *self);
void c3d_prefetch_start(c3d_prefetch *self,
                        int64_t n_items); /* after c3d_prefetch_stop or create */
/* The slot and number of the next item; the slot handed out n_held + 1
 * times before is given back. C3D_EINVAL after
 * the last; a fill's error comes out at its item, and again in every later call. */
C3D_CHECKED c3d_status c3d_prefetch_next(c3d_prefetch *self, int *slot_out, int64_t *item_out);
double c3d_prefetch_waited_s(const c3d_prefetch *self); /* in next, since start */

#endif
