/* The parts of c3d_dataset_clip. Private to data. */
#ifndef C3D_DATA_CLIP_H
#define C3D_DATA_CLIP_H

#include "past.h"
#include "source.h"
#include "store.h"

/* What is read of a month at once: the frames that begin in one tile of the grid. */
#define C3D_CLIP_TILE_PX 512

typedef struct c3d_clip_item {
    int x, y; /* of the frame in the grid */
    int shard, row;
} c3d_clip_item;

typedef struct c3d_clip_plan {
    size_t n; /* scenes that are absent */
    c3d_clip_item *items;
    size_t batch;          /* scenes a batch, which lie near each other; the last has fewer */
    int period;            /* of the store */
    c3d_shard_shape scene; /* of one */
    int n_workers;
    size_t cache_bytes; /* for blocks of the source */
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
/* Scenes that lie under files of the archive which are no longer those of frames.gpkg become
 * absent, in the file's period and those after it, and frames.gpkg knows the new files;
 * dataset.json and archive.csv, which speak of the old ones, are removed. Where it is not known
 * from archive.csv that the old file lay in the same place, all scenes of the period. C3D_EDATA for
 * a file that is in the archive or in frames.gpkg only. One rank's work. */
C3D_CHECKED c3d_status c3d_clip_forget_replaced(const c3d_dataset_desc *desc,
                                                const c3d_frames *frames,
                                                const c3d_archive *archive);
/* What is absent of a period, in the order it is read; the same on every rank. */
C3D_CHECKED c3d_status c3d_clip_plan_make(const c3d_dataset_desc *desc, const c3d_frames *frames,
                                          const c3d_store *store, int period, int n_ranks,
                                          c3d_clip_plan *out);
void c3d_clip_plan_free(c3d_clip_plan *plan);

/* Pixels that a worker reads at once. */
size_t c3d_clip_window_pixels(const c3d_shard_shape *scene);

/* Memory of one batch, [batch] scenes; made once. */
typedef struct c3d_clip_buffers {
    uint8_t *values, *bits; /* as in a shard */
    uint32_t *n_missing;    /* [batch, months] pixels */
    bool *overflow;         /* [batch, months]: no sums */
    uint8_t *sum, *sum_squares;
    float *missing_share;
} c3d_clip_buffers;
/* What a worker has for itself. */
typedef struct c3d_clip_worker {
    uint8_t *window_values, *window_valid;
    uint8_t *valid; /* [months, pixels] of a scene */
    c3d_past past;
} c3d_clip_worker;

typedef struct c3d_clip_outcome {
    c3d_scene_status status;
    uint64_t checksum;
} c3d_clip_outcome;

/* Batches of one rank. Workers share the months of a batch, then its scenes; what is written is
 * synced and marked beside the next batch. */
typedef struct c3d_clipper {
    const c3d_dataset_desc *desc;
    c3d_source *source; /* the period's months */
    c3d_store *store;
    const c3d_clip_plan *plan;
    c3d_clip_buffers buffers;
    c3d_clip_worker *workers; /* [plan->n_workers] */
    size_t first, n;          /* items of the batch at hand */
    c3d_clip_outcome *outcomes;
    void (*tell)(void *context, double share); /* how much of the batch is read; NULL */
    void *context;
    double stop_s; /* when a request to stop was first seen, 0: not yet */
    c3d_background *marking;
    struct c3d_clip_marks *marks; /* of the batch before */
} c3d_clipper;
/* Fills buffers, workers and what follows them. C3D_ENOMEM. */
C3D_CHECKED c3d_status c3d_clipper_open(c3d_clipper *clipper);
void c3d_clipper_close(c3d_clipper *clipper); /* waits; a half-opened one is fine */
/* Reads batch number `index` month by month and writes its scenes; C3D_OK behind the last.
 * C3D_ESTOPPED when it would take too long to end it after a request to stop: its scenes stay
 * absent. */
C3D_CHECKED c3d_status c3d_clip_batch(c3d_clipper *clipper, size_t index);
/* Until all that was written is safe and marked. */
C3D_CHECKED c3d_status c3d_clip_settle(c3d_clipper *clipper);

/* ---- its parts ------------------------------------------------------------------------------- */

/* One month of the batch at hand: pixels, bits, counts and sums of each scene. Any worker, months
 * that differ. */
C3D_CHECKED c3d_status c3d_clip_read_month(c3d_clipper *clipper, int worker, int month);
/* Scene number `slot` of the batch: whole, or dropped, and written. Any worker. */
C3D_CHECKED c3d_status c3d_clip_write_scene(c3d_clipper *clipper, int worker, size_t slot);
/* Begins to sync the batch's shards and to mark its scenes, beside the caller. */
C3D_CHECKED c3d_status c3d_clip_mark(c3d_clipper *clipper);

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
