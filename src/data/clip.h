/* The parts of c3d_dataset_clip. Private to data. */
#ifndef C3D_DATA_CLIP_H
#define C3D_DATA_CLIP_H

#include "past.h"
#include "source.h"
#include "store.h"

/* Frames are taken tile by tile, so that a batch is compact and a block of the source is read once
 * a batch. */
#define C3D_CLIP_TILE_PX 1024

typedef struct c3d_clip_item {
    int x, y; /* of the frame in the grid */
    int shard, row;
} c3d_clip_item;

typedef struct c3d_clip_plan {
    size_t n; /* scenes that are absent */
    c3d_clip_item *items;
    size_t batch;          /* scenes a batch; the last has fewer */
    int period;            /* of the store */
    c3d_shard_shape scene; /* of one */
} c3d_clip_plan;

/* Makes the period's shards that are not there yet, for the frames that have none, and clip.json,
 * which remembers what all scenes of the directory were made with. source: the period's months.
 * C3D_ECONFIG when that is not what is asked for now. One rank's work. */
C3D_CHECKED c3d_status c3d_clip_make_shards(const c3d_dataset_desc *desc, const c3d_frames *frames,
                                            const c3d_source *source);
/* C3D_ECONFIG when the source's bands, type or settings are not those of the directory's scenes. */
C3D_CHECKED c3d_status c3d_clip_check(const c3d_dataset_desc *desc, const c3d_frames *frames,
                                      const c3d_source *source);
/* C3D_EIO, with the bytes, when the directory has no room for n scenes. */
C3D_CHECKED c3d_status c3d_clip_check_space(const char *dir, const c3d_shard_shape *scene,
                                            size_t n);
/* What is absent of a period, in the order it is read; the same on every rank. */
C3D_CHECKED c3d_status c3d_clip_plan_make(const c3d_dataset_desc *desc, const c3d_frames *frames,
                                          const c3d_store *store, int period, int n_ranks,
                                          c3d_clip_plan *out);
void c3d_clip_plan_free(c3d_clip_plan *plan);

/* Memory of one batch; made once. */
typedef struct c3d_clip_buffers {
    uint8_t *values, *valid;               /* [batch] scenes; pixels, one byte of validity each */
    uint8_t *window_values, *window_valid; /* of the part of a month that is being cut */
    uint8_t *bits;                         /* of one scene */
    float *missing_share;
    void *sum, *sum_squares;
    c3d_past past;
} c3d_clip_buffers;
C3D_CHECKED c3d_status c3d_clip_buffers_make(const c3d_clip_plan *plan, const c3d_store *store,
                                             c3d_clip_buffers *out);
void c3d_clip_buffers_free(c3d_clip_buffers *buffers);

typedef struct c3d_clipper {
    const c3d_dataset_desc *desc;
    c3d_source *source; /* the period's months */
    c3d_store *store;
    const c3d_clip_plan *plan;
    c3d_clip_buffers buffers;
} c3d_clipper;
/* Reads batch number `index` month by month and stores its scenes: data, sync, then status. */
C3D_CHECKED c3d_status c3d_clip_batch(c3d_clipper *clipper, size_t index);

/* ---- periods --------------------------------------------------------------------------------- */

/* Clips one period of the frames; earlier ones must be complete. months: the archive's of that
 * period. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_clip_period(const c3d_dataset_desc *desc, const c3d_sharing *sharing,
                                       const c3d_frames *frames, const c3d_archive *months);

typedef struct c3d_clip_periods {
    int n;
    c3d_archive *months; /* [n]; borrow the archive's */
} c3d_clip_periods;
/* Cuts the archive into the periods that desc asks for and those that the directory has after
 * them. C3D_ECONFIG when the directory has other months. */
C3D_CHECKED c3d_status c3d_clip_periods_find(const c3d_dataset_desc *desc,
                                             const c3d_archive *archive, c3d_clip_periods *out);
void c3d_clip_periods_free(c3d_clip_periods *periods);

#endif
