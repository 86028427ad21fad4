/* From the scenes of a batch to the shards: data, sync, then status. */
#include "clip.h"
#include "scene.h"

#include <stdlib.h>
#include <string.h>

static size_t scene_pixels(const c3d_shard_shape *scene)
{
    return (size_t)scene->size_px * (size_t)scene->size_px;
}

/* ---- a scene --------------------------------------------------------------------------------- */

/* The share missing is that of all months so far: one cloudy month that arrives later does not
 * drop a frame. */
static bool is_dropped(const c3d_clipper *clipper, const c3d_past *past, size_t n_missing)
{
    const c3d_shard_shape *scene = &clipper->plan->scene;
    const size_t n_months = (size_t)scene->n_months + (size_t)past->n_months;
    const size_t n = n_months * scene_pixels(scene);

    n_missing += past->n_missing;
    return n_missing == n || (double)n_missing > clipper->desc->max_missing_share * (double)n;
}

/* A pixel without an observation in the first month needs what came before. */
static c3d_status fill_gaps(c3d_clipper *clipper, c3d_clip_worker *worker, int64_t frame_id,
                            const uint8_t *bits, uint8_t *values)
{
    const c3d_shard_shape *scene = &clipper->plan->scene;
    const int period = clipper->plan->period;
    const uint8_t *valid = worker->valid;

    c3d_scene_unpack_valid(scene, bits, worker->valid);
    const bool needs_past =
        period > 0 && clipper->desc->gaps != C3D_GAPS_ZERO && memchr(valid, 0, scene_pixels(scene));
    if (needs_past) C3D_TRY(c3d_past_read(clipper->store, frame_id, period, &worker->past));
    return c3d_scene_fill_gaps(scene, clipper->desc->gaps, valid, needs_past ? &worker->past : NULL,
                               values);
}

static c3d_scene scene_of(const c3d_clipper *clipper, size_t slot)
{
    const c3d_clip_buffers *in = &clipper->buffers;
    const c3d_shard_shape *scene = &clipper->plan->scene;
    const size_t first = slot * (size_t)scene->n_months;
    const size_t sums = first * (size_t)scene->n_bands * 8;

    return (c3d_scene){ in->values + slot * c3d_scene_bytes(scene),
                        in->bits + slot * c3d_valid_bytes(scene), in->missing_share + first,
                        in->sum + sums, in->sum_squares + sums };
}

static c3d_status check_sums(const c3d_clipper *clipper, const c3d_shard *shard, int64_t frame_id,
                             const bool *overflow)
{
    const c3d_shard_shape *scene = &clipper->plan->scene;

    for (int month = 0; month < scene->n_months; month++)
        if (overflow[month])
            return C3D_FAIL(C3D_EDATA,
                            "%s: frame %lld: the sum of squares of its %s pixels is beyond "
                            "64 bits; scale them or convert them to float32",
                            c3d_shard_path(shard), (long long)frame_id,
                            c3d_dtype_name(scene->dtype));
    return C3D_OK;
}

c3d_status c3d_clip_write_scene(c3d_clipper *clipper, int number, size_t slot)
{
    const c3d_clip_plan *plan = clipper->plan;
    const c3d_clip_item *item = &plan->items[clipper->first + slot];
    const size_t first = slot * (size_t)plan->scene.n_months;
    c3d_shard *shard = clipper->store->shards[item->shard];
    const int64_t frame_id = c3d_shard_frame_ids(shard)[item->row];
    c3d_clip_worker *worker = &clipper->workers[number];
    const c3d_scene scene = scene_of(clipper, slot);
    size_t n_missing = 0;

    for (int i = 0; i < plan->scene.n_months; i++)
        n_missing += clipper->buffers.n_missing[first + (size_t)i];
    clipper->outcomes[slot] = (c3d_clip_outcome){ .status = C3D_SCENE_DROPPED };
    if (plan->period > 0)
        C3D_TRY(c3d_past_count(clipper->store, frame_id, plan->period, &worker->past));
    if (is_dropped(clipper, &worker->past, n_missing))
        return c3d_shard_write_missing(shard, item->row, scene.missing_share);
    C3D_TRY(check_sums(clipper, shard, frame_id, clipper->buffers.overflow + first));
    if (n_missing > 0) C3D_TRY(fill_gaps(clipper, worker, frame_id, scene.valid, scene.values));
    clipper->outcomes[slot] =
        (c3d_clip_outcome){ C3D_SCENE_PRESENT, c3d_scene_checksum(&plan->scene, &scene) };
    return c3d_shard_write(shard, item->row, &scene);
}

/* ---- marks ----------------------------------------------------------------------------------- */

/* Of one batch, while the next one uses the buffers. */
typedef struct c3d_clip_marks {
    c3d_store *store;
    size_t n;
    const c3d_clip_item *items;
    c3d_clip_outcome outcomes[];
} c3d_clip_marks;

static int by_number(const void *left, const void *right)
{
    const int a = *(const int *)left, b = *(const int *)right;

    return (a > b) - (a < b);
}

static c3d_status sync_shards(const c3d_clip_marks *marks)
{
    int *shards = c3d_calloc(marks->n, sizeof *shards);
    c3d_status st = C3D_OK;

    if (!shards) return C3D_ENOMEM;
    for (size_t i = 0; i < marks->n; i++) shards[i] = marks->items[i].shard;
    qsort(shards, marks->n, sizeof *shards, by_number);
    for (size_t i = 0; st == C3D_OK && i < marks->n; i++) {
        if (i > 0 && shards[i] == shards[i - 1]) continue;
        st = c3d_shard_sync(marks->store->shards[shards[i]]);
        c3d_phase_tick();
    }
    free(shards);
    return st;
}

/* Only what is safe on the disk is marked: a crash of the machine in between costs the batch. */
static c3d_status sync_and_mark(void *context)
{
    c3d_clip_marks *marks = context;

    C3D_TRY(sync_shards(marks));
    for (size_t i = 0; i < marks->n; i++) {
        const c3d_clip_item *item = &marks->items[i];
        const c3d_clip_outcome *of = &marks->outcomes[i];
        C3D_TRY(
            c3d_shard_mark(marks->store->shards[item->shard], item->row, of->status, of->checksum));
        marks->store->status[item->shard][item->row] = (uint8_t)of->status;
    }
    return C3D_OK;
}

c3d_status c3d_clip_settle(c3d_clipper *clipper)
{
    const c3d_status st = clipper->marking ? c3d_background_wait(clipper->marking) : C3D_OK;

    free(clipper->marks);
    clipper->marks = NULL;
    return st;
}

c3d_status c3d_clip_mark(c3d_clipper *clipper)
{
    const size_t bytes = clipper->n * sizeof *clipper->outcomes;

    C3D_TRY(c3d_clip_settle(clipper));
    clipper->marks = c3d_calloc(1, sizeof *clipper->marks + bytes);
    if (!clipper->marks) return C3D_ENOMEM;
    clipper->marks->store = clipper->store;
    clipper->marks->n = clipper->n;
    clipper->marks->items = clipper->plan->items + clipper->first;
    memcpy(clipper->marks->outcomes, clipper->outcomes, bytes);
    return c3d_background_start(clipper->marking, sync_and_mark, clipper->marks);
}
