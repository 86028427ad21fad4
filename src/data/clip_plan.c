/* Which scenes are absent, in which order they are read, and how many at once. */
#include "clip.h"
#include "scene.h"

#include <limits.h>
#include <stdlib.h>

#define DEFAULT_MEMORY_BYTES ((size_t)512 << 20)
#define CACHE_SHARE          8 /* of the memory, for source blocks: 1 in */
#define ROUNDS_WANTED        4 /* batches a rank at least: progress, stops, even shares */

/* ---- order ----------------------------------------------------------------------------------- */

static int compare(int a, int b)
{
    return (a > b) - (a < b);
}

static int by_place(const c3d_clip_item *a, const c3d_clip_item *b)
{
    int order = compare(a->y, b->y);

    if (order == 0) order = compare(a->x, b->x);
    if (order == 0) order = compare(a->shard, b->shard);
    return order != 0 ? order : compare(a->row, b->row);
}

static int by_tile(const void *left, const void *right)
{
    const c3d_clip_item *a = left, *b = right;
    int order = compare(a->y / C3D_CLIP_TILE_PX, b->y / C3D_CLIP_TILE_PX);

    if (order == 0) order = compare(a->x / C3D_CLIP_TILE_PX, b->x / C3D_CLIP_TILE_PX);
    return order != 0 ? order : by_place(a, b);
}

static int by_x(const void *left, const void *right)
{
    const c3d_clip_item *a = left, *b = right;
    const int order = compare(a->x, b->x);

    return order != 0 ? order : by_place(a, b);
}

static int by_y(const void *left, const void *right)
{
    return by_place(left, right);
}

static bool is_wide(const c3d_clip_item *items, size_t n)
{
    int x_min = INT_MAX, x_max = INT_MIN, y_min = INT_MAX, y_max = INT_MIN;

    for (size_t i = 0; i < n; i++) {
        if (items[i].x < x_min) x_min = items[i].x;
        if (items[i].x > x_max) x_max = items[i].x;
        if (items[i].y < y_min) y_min = items[i].y;
        if (items[i].y > y_max) y_max = items[i].y;
    }
    return x_max - x_min > y_max - y_min;
}

/* Halves the longer side until a batch is left: batches are compact, so few blocks of the source
 * lie in two of them. */
static void order_items(c3d_clip_item *items, size_t n, size_t batch)
{
    const size_t n_batches = (n + batch - 1) / batch;
    const size_t n_first = n_batches / 2 * batch;

    if (n_batches <= 1) {
        qsort(items, n, sizeof *items, by_tile);
        return;
    }
    qsort(items, n, sizeof *items, is_wide(items, n) ? by_x : by_y);
    order_items(items, n_first, batch);
    order_items(items + n_first, n - n_first, batch);
}

/* ---- memory ---------------------------------------------------------------------------------- */

size_t c3d_clip_window_pixels(const c3d_shard_shape *scene)
{
    const size_t side = C3D_CLIP_TILE_PX + (size_t)scene->size_px;

    return side * side;
}

static size_t worker_bytes(const c3d_shard_shape *scene)
{
    const size_t pixel = (size_t)scene->n_bands * c3d_dtype_size(scene->dtype) + 1;
    const size_t n_pixels = (size_t)scene->size_px * (size_t)scene->size_px;

    /* a window, a scene's mask, and what filling its gaps takes */
    return c3d_clip_window_pixels(scene) * pixel +
           n_pixels * (size_t)scene->n_months * (1 + sizeof(int));
}

static size_t scene_bytes(const c3d_shard_shape *scene)
{
    const size_t n_months = (size_t)scene->n_months;

    return c3d_scene_bytes(scene) + c3d_valid_bytes(scene) +
           n_months * (sizeof(float) + sizeof(uint32_t) + 1 + (size_t)scene->n_bands * 16);
}

static size_t batch_size(size_t memory, const c3d_clip_plan *plan, int n_ranks)
{
    const size_t other = plan->cache_bytes + (size_t)plan->n_workers * worker_bytes(&plan->scene);
    const size_t shares = ROUNDS_WANTED * (size_t)n_ranks;
    size_t n = memory > other ? (memory - other) / scene_bytes(&plan->scene) : 0;

    if (n > (plan->n + shares - 1) / shares) n = (plan->n + shares - 1) / shares;
    return n > 0 ? n : 1;
}

/* ---- plan ------------------------------------------------------------------------------------ */

c3d_status c3d_clip_plan_make(const c3d_dataset_desc *desc, const c3d_frames *frames,
                              const c3d_store *store, int period, int n_ranks, c3d_clip_plan *out)
{
    const size_t memory = desc->memory_bytes ? desc->memory_bytes : DEFAULT_MEMORY_BYTES;
    c3d_clip_plan plan = { .period = period,
                           .n_workers = desc->n_threads > 0 ? desc->n_threads : 1,
                           .cache_bytes = memory / CACHE_SHARE };
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
    while (store->period_of[shard] != period) shard++;
    plan.scene = *c3d_shard_get_shape(store->shards[shard]);
    plan.scene.n_scenes = 1;
    plan.batch = batch_size(memory, &plan, n_ranks);
    order_items(plan.items, plan.n, plan.batch);
    *out = plan;
    return C3D_OK;
}

void c3d_clip_plan_free(c3d_clip_plan *plan)
{
    free(plan->items);
    *plan = (c3d_clip_plan){ 0 };
}
