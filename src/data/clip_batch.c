#include "clip.h"
#include "scene.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MEMORY_BYTES ((size_t)512 << 20)
#define ROUNDS_WANTED        4 /* batches a rank at least: progress, stops, even shares */

static size_t scene_pixels(const c3d_shard_shape *scene)
{
    return (size_t)scene->size_px * (size_t)scene->size_px;
}

static size_t scene_mask_bytes(const c3d_shard_shape *scene)
{
    return (size_t)scene->n_months * scene_pixels(scene);
}

/* ---- plan ------------------------------------------------------------------------------------ */

static int compare(int a, int b)
{
    return (a > b) - (a < b);
}

static int by_tile(const void *left, const void *right)
{
    const c3d_clip_item *a = left, *b = right;
    int order = compare(a->y / C3D_CLIP_TILE_PX, b->y / C3D_CLIP_TILE_PX);

    if (order == 0) order = compare(a->x / C3D_CLIP_TILE_PX, b->x / C3D_CLIP_TILE_PX);
    if (order == 0) order = compare(a->y, b->y);
    if (order == 0) order = compare(a->x, b->x);
    if (order == 0) order = compare(a->shard, b->shard);
    return order != 0 ? order : compare(a->row, b->row);
}

static size_t window_pixels(const c3d_shard_shape *scene)
{
    const size_t side = C3D_CLIP_TILE_PX + (size_t)scene->size_px;

    return side * side;
}

static size_t batch_size(const c3d_dataset_desc *desc, const c3d_clip_plan *plan, int n_ranks)
{
    const c3d_shard_shape *scene = &plan->scene;
    const size_t memory = desc->memory_bytes ? desc->memory_bytes : DEFAULT_MEMORY_BYTES;
    const size_t window =
        window_pixels(scene) * ((size_t)scene->n_bands * c3d_dtype_size(scene->dtype) + 1);
    const size_t each = c3d_scene_bytes(scene) + scene_mask_bytes(scene);
    const size_t shares = ROUNDS_WANTED * (size_t)n_ranks;
    size_t n = memory > window ? (memory - window) / each : 0;

    if (n > (plan->n + shares - 1) / shares) n = (plan->n + shares - 1) / shares;
    return n > 0 ? n : 1;
}

c3d_status c3d_clip_plan_make(const c3d_dataset_desc *desc, const c3d_frames *frames,
                              const c3d_store *store, int period, int n_ranks, c3d_clip_plan *out)
{
    c3d_clip_plan plan = { .period = period };
    int shard = 0;

    plan.items = c3d_calloc(frames->n + 1, sizeof *plan.items);
    if (!plan.items) return C3D_ENOMEM;
    for (size_t i = 0; i < frames->n; i++) {
        const c3d_frame *frame = &frames->rows[i];
        const c3d_store_row *row = c3d_store_find(store, frame->frame_id, period);
        C3D_ASSERT(row);
        if (c3d_store_status(store, row) != C3D_SCENE_ABSENT) continue;
        plan.items[plan.n++] = (c3d_clip_item){ frame->x, frame->y, row->shard, row->row };
    }
    qsort(plan.items, plan.n, sizeof *plan.items, by_tile);
    while (store->period_of[shard] != period) shard++;
    plan.scene = *c3d_shard_get_shape(store->shards[shard]);
    plan.scene.n_scenes = 1;
    plan.batch = batch_size(desc, &plan, n_ranks);
    *out = plan;
    return C3D_OK;
}

void c3d_clip_plan_free(c3d_clip_plan *plan)
{
    free(plan->items);
    *plan = (c3d_clip_plan){ 0 };
}

c3d_status c3d_clip_buffers_make(const c3d_clip_plan *plan, const c3d_store *store,
                                 c3d_clip_buffers *out)
{
    const c3d_shard_shape *scene = &plan->scene;
    const size_t n_sums = (size_t)scene->n_months * (size_t)scene->n_bands;
    const size_t window = window_pixels(scene);
    const size_t window_bytes = window * (size_t)scene->n_bands * c3d_dtype_size(scene->dtype);
    c3d_clip_buffers made = {
        .values = c3d_aligned(plan->batch * c3d_scene_bytes(scene)),
        .valid = c3d_aligned(plan->batch * scene_mask_bytes(scene)),
        .window_values = c3d_aligned(window_bytes),
        .window_valid = c3d_aligned(window),
        .bits = c3d_calloc(1, c3d_valid_bytes(scene)),
        .missing_share = c3d_calloc((size_t)scene->n_months, sizeof(float)),
        .sum = c3d_calloc(n_sums, 8),
        .sum_squares = c3d_calloc(n_sums, 8),
    };

    if (!made.values || !made.valid || !made.window_values || !made.window_valid || !made.bits ||
        !made.missing_share || !made.sum || !made.sum_squares ||
        (plan->period > 0 && c3d_past_make(store, &made.past) != C3D_OK)) {
        c3d_clip_buffers_free(&made);
        return C3D_FAIL(C3D_ENOMEM, "%zu scenes at once of %zu bytes; set a smaller memory limit",
                        plan->batch, c3d_scene_bytes(scene));
    }
    *out = made;
    return C3D_OK;
}

void c3d_clip_buffers_free(c3d_clip_buffers *buffers)
{
    free(buffers->values);
    free(buffers->valid);
    free(buffers->window_values);
    free(buffers->window_valid);
    free(buffers->bits);
    free(buffers->missing_share);
    free(buffers->sum);
    free(buffers->sum_squares);
    c3d_past_free(&buffers->past);
    *buffers = (c3d_clip_buffers){ 0 };
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Items of a batch that start in one tile, and the window that holds them. */
static size_t group_length(const c3d_clip_item *items, size_t n, int size_px, c3d_window *out)
{
    int x_max = items[0].x, y_max = items[0].y;
    size_t length = 0;

    *out = (c3d_window){ .x = items[0].x, .y = items[0].y };
    for (; length < n; length++) {
        const c3d_clip_item *item = &items[length];
        if (item->x / C3D_CLIP_TILE_PX != items[0].x / C3D_CLIP_TILE_PX ||
            item->y / C3D_CLIP_TILE_PX != items[0].y / C3D_CLIP_TILE_PX)
            break;
        if (item->x < out->x) out->x = item->x;
        if (item->x > x_max) x_max = item->x;
        if (item->y > y_max) y_max = item->y;
    }
    out->width = x_max - out->x + size_px;
    out->height = y_max - out->y + size_px;
    return length;
}

static void cut_rows(const uint8_t *from, size_t from_stride, uint8_t *to, size_t row_bytes,
                     int n_rows)
{
    for (int y = 0; y < n_rows; y++)
        memcpy(to + (size_t)y * row_bytes, from + (size_t)y * from_stride, row_bytes);
}

static void cut_frame(const c3d_clipper *clipper, const c3d_clip_item *item, c3d_window window,
                      int month, size_t slot)
{
    const c3d_shard_shape *scene = &clipper->plan->scene;
    const c3d_clip_buffers *buffers = &clipper->buffers;
    const size_t size = (size_t)scene->size_px, element = c3d_dtype_size(scene->dtype);
    const size_t width = (size_t)window.width, n_window = width * (size_t)window.height;
    const size_t corner = (size_t)(item->y - window.y) * width + (size_t)(item->x - window.x);
    const size_t month_values = (size_t)scene->n_bands * size * size;
    uint8_t *values =
        buffers->values + slot * c3d_scene_bytes(scene) + (size_t)month * month_values * element;
    uint8_t *valid = buffers->valid + slot * scene_mask_bytes(scene) + (size_t)month * size * size;

    for (int band = 0; band < scene->n_bands; band++)
        cut_rows(buffers->window_values + ((size_t)band * n_window + corner) * element,
                 width * element, values + (size_t)band * size * size * element, size * element,
                 scene->size_px);
    cut_rows(buffers->window_valid + corner, width, valid, size, scene->size_px);
}

static c3d_status read_month(c3d_clipper *clipper, size_t first, size_t n, int month)
{
    const c3d_clip_item *items = clipper->plan->items + first;
    const int size_px = clipper->plan->scene.size_px;
    size_t length;

    for (size_t done = 0; done < n; done += length) {
        c3d_window window;
        length = group_length(items + done, n - done, size_px, &window);
        C3D_TRY(c3d_source_read(clipper->source, month, window, clipper->buffers.window_values,
                                clipper->buffers.window_valid));
        for (size_t i = done; i < done + length; i++)
            cut_frame(clipper, &items[i], window, month, i);
    }
    return C3D_OK;
}

/* ---- storing --------------------------------------------------------------------------------- */

typedef struct outcome {
    c3d_scene_status status;
    uint64_t checksum;
} outcome;

/* The share missing is that of all months so far: one cloudy month that arrives later does not
 * drop a frame. */
static bool is_dropped(const c3d_clipper *clipper, size_t n_missing)
{
    const c3d_past *past = &clipper->buffers.past;
    const c3d_shard_shape *scene = &clipper->plan->scene;
    const size_t n = scene_mask_bytes(scene) + (size_t)past->n_months * scene_pixels(scene);

    n_missing += past->n_missing;
    return n_missing == n || (double)n_missing > clipper->desc->max_missing_share * (double)n;
}

/* A pixel without an observation in the first month needs what came before. */
static c3d_status fill_gaps(c3d_clipper *clipper, int64_t frame_id, const uint8_t *valid,
                            uint8_t *values)
{
    const c3d_shard_shape *scene = &clipper->plan->scene;
    const int period = clipper->plan->period;
    c3d_past *past = &clipper->buffers.past;
    const bool needs_past =
        period > 0 && clipper->desc->gaps != C3D_GAPS_ZERO && memchr(valid, 0, scene_pixels(scene));

    if (needs_past) C3D_TRY(c3d_past_read(clipper->store, frame_id, period, past));
    return c3d_scene_fill_gaps(scene, clipper->desc->gaps, valid, needs_past ? past : NULL, values);
}

static c3d_status store_scene(c3d_clipper *clipper, const c3d_clip_item *item, size_t slot,
                              outcome *out)
{
    const c3d_shard_shape *scene = &clipper->plan->scene;
    c3d_clip_buffers *buffers = &clipper->buffers;
    c3d_shard *shard = clipper->store->shards[item->shard];
    const int64_t frame_id = c3d_shard_frame_ids(shard)[item->row];
    const int period = clipper->plan->period;
    uint8_t *values = buffers->values + slot * c3d_scene_bytes(scene);
    uint8_t *valid = buffers->valid + slot * scene_mask_bytes(scene);
    const c3d_scene stored = { values, buffers->bits, buffers->missing_share, buffers->sum,
                               buffers->sum_squares };

    c3d_scene_mask_not_finite(scene, values, valid);
    *out = (outcome){ .status = C3D_SCENE_DROPPED };
    if (period > 0) C3D_TRY(c3d_past_count(clipper->store, frame_id, period, &buffers->past));
    if (is_dropped(clipper, c3d_scene_missing(scene, valid, buffers->missing_share)))
        return c3d_shard_write_missing(shard, item->row, buffers->missing_share);
    if (!c3d_scene_sums(scene, values, valid, buffers->sum, buffers->sum_squares))
        return C3D_FAIL(C3D_EDATA,
                        "%s: frame %lld: the sum of squares of its %s pixels is beyond "
                        "64 bits; scale them or convert them to float32",
                        c3d_shard_path(shard), (long long)frame_id, c3d_dtype_name(scene->dtype));
    C3D_TRY(fill_gaps(clipper, frame_id, valid, values));
    c3d_scene_pack_valid(scene, valid, buffers->bits);
    *out = (outcome){ C3D_SCENE_PRESENT, c3d_scene_checksum(scene, &stored) };
    return c3d_shard_write(shard, item->row, &stored);
}

/* Only what is safe on the disk is marked: a crash of the machine in between costs the batch. */
static c3d_status mark_scenes(c3d_clipper *clipper, const c3d_clip_item *items, size_t n,
                              const outcome *outcomes)
{
    c3d_store *store = clipper->store;

    for (int shard = 0; shard < store->n_shards; shard++) {
        bool is_touched = false;
        for (size_t i = 0; i < n && !is_touched; i++) is_touched = items[i].shard == shard;
        if (is_touched) C3D_TRY(c3d_shard_sync(store->shards[shard]));
    }
    for (size_t i = 0; i < n; i++) {
        C3D_TRY(c3d_shard_mark(store->shards[items[i].shard], items[i].row, outcomes[i].status,
                               outcomes[i].checksum));
        store->status[items[i].shard][items[i].row] = (uint8_t)outcomes[i].status;
    }
    return C3D_OK;
}

c3d_status c3d_clip_batch(c3d_clipper *clipper, size_t index)
{
    const c3d_clip_plan *plan = clipper->plan;
    const size_t first = index * plan->batch;
    c3d_status st = C3D_OK;

    if (first >= plan->n) return C3D_OK;
    const size_t n = plan->n - first < plan->batch ? plan->n - first : plan->batch;
    outcome *outcomes = c3d_calloc(n, sizeof *outcomes);
    if (!outcomes) return C3D_ENOMEM;
    for (int month = 0; st == C3D_OK && month < plan->scene.n_months; month++) {
        st = read_month(clipper, first, n, month);
        c3d_phase_tick();
    }
    for (size_t i = 0; st == C3D_OK && i < n; i++)
        st = store_scene(clipper, &plan->items[first + i], i, &outcomes[i]);
    if (st == C3D_OK) st = mark_scenes(clipper, plan->items + first, n, outcomes);
    free(outcomes);
    return st;
}
