/* What the periods before one leave to a frame in it. Private to data. */
#ifndef C3D_DATA_PAST_H
#define C3D_DATA_PAST_H

#include "store.h"

typedef struct c3d_past {
    size_t n_missing; /* pixels missing, counted by month, in the n_months before; */
    int n_months;     /* periods in which the frame is absent count for neither */
    int *age;         /* [pixels] months from its last observation to the period's first month, 0:
                         it has none */
    void *values;     /* [bands, pixels] of that observation */
    void *plane;      /* as values: of one month */
    uint8_t *bits;    /* of the longest period */
    float *share;     /* of the longest period */
} c3d_past;

/* Room for frames of the store in any period. C3D_ENOMEM. */
C3D_CHECKED c3d_status c3d_past_make(const c3d_store *store, c3d_past *out);
void c3d_past_free(c3d_past *past); /* a zeroed one is fine */
/* Finds each pixel's last observation before the period, in scenes that are present. Any thread,
 * with a c3d_past of its own. */
C3D_CHECKED c3d_status c3d_past_read(const c3d_store *store, int64_t frame_id, int period,
                                     c3d_past *past);
/* Finds n_missing and n_months. */
C3D_CHECKED c3d_status c3d_past_count(const c3d_store *store, int64_t frame_id, int period,
                                      c3d_past *past);

#endif
