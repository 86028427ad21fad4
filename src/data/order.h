/* Which sample stands where in an epoch. Private to data. */
#ifndef C3D_DATA_ORDER_H
#define C3D_DATA_ORDER_H

#include "c3d/data.h"

/* The orders that c3d_loader_desc describes (shuffle, balanced, n_groups). */
typedef struct c3d_order c3d_order;

typedef struct c3d_place {
    uint32_t index; /* row of samples.csv */
    uint32_t turn;  /* tells apart the times a sample is shown in one epoch; 0 if that is once */
} c3d_place;

/* Of desc's list, dataset, shuffle, balanced, n_groups, micro_batch and seed; all of it borrowed
 * until destroy. */
C3D_CHECKED c3d_status c3d_order_create(const c3d_loader_desc *desc, c3d_order **out);
/* What create takes that grows with the list. */
size_t c3d_order_bytes(const c3d_loader_desc *desc);
void c3d_order_destroy(c3d_order *order); /* NULL is fine */
/* Position i < list->n of an epoch. A pure function; any thread. */
c3d_place c3d_order_at(const c3d_order *order, int64_t epoch, uint64_t i);

#endif
