/* The shards of a dataset directory taken together: which frame is where. Private to data. */
#ifndef C3D_DATA_STORE_H
#define C3D_DATA_STORE_H

#include "c3d/data.h"

typedef struct c3d_store_row {
    int64_t frame_id;
    int period, shard, row;
} c3d_store_row;

typedef struct c3d_store {
    int n_shards;
    c3d_shard **shards; /* in the order of their names */
    char (*files)[64];  /* [n_shards] names in the directory */
    uint8_t **status;   /* [n_shards][n_scenes], as read when the store was opened */
    int *period_of;     /* [n_shards] */
    int n_periods;
    c3d_period *periods; /* ascending, as the shards say */
    int n_months;        /* of all periods */
    size_t n_rows;
    c3d_store_row *rows; /* ascending frame_id, then period */
} c3d_store;

/* Opens every scenes-*.h5 of the directory. All must have the same bands, type and frame size,
 * those of one period the same months, no two periods a month in common, and no frame may be in a
 * period twice (C3D_EDATA). A directory without shards gives an empty store. */
C3D_CHECKED c3d_status c3d_store_open(const char *dir, bool writable, c3d_store *out);
void c3d_store_close(c3d_store *store); /* a zeroed one is fine */
/* NULL when no shard of the period has the frame. */
const c3d_store_row *c3d_store_find(const c3d_store *store, int64_t frame_id, int period);
/* Whether the frame's scene is absent, present or dropped in a period; absent without a row. */
c3d_scene_status c3d_store_scene_status(const c3d_store *store, int64_t frame_id, int period);
/* The months of all periods, one after the other: [n_months]. */
void c3d_store_months(const c3d_store *store, c3d_date *out);
/* /missing_share of a frame, [n_months]; 1 in periods where it is absent. */
C3D_CHECKED c3d_status c3d_store_read_missing(const c3d_store *store, int64_t frame_id, float *out);
static inline c3d_scene_status c3d_store_status(const c3d_store *store, const c3d_store_row *row)
{
    return (c3d_scene_status)store->status[row->shard][row->row];
}

#endif
