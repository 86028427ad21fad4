/* From the source's months to the scenes of a batch. */
#include "clip.h"
#include "scene.h"

#include <string.h>

#define STOP_GRACE_S 5.0 /* a batch is ended when that takes no longer */

static c3d_shard_shape one_month(const c3d_shard_shape *scene)
{
    c3d_shard_shape month = *scene;

    month.n_months = 1;
    return month;
}

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
        if (item->y < out->y) out->y = item->y;
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

/* What is known of a month of a scene as soon as it is cut, while it is in the processor's cache.
 */
static void describe_month(c3d_clipper *clipper, const c3d_shard_shape *shape, uint8_t *valid,
                           size_t slot, int month)
{
    const c3d_shard_shape *scene = &clipper->plan->scene;
    const size_t n_sums = (size_t)scene->n_bands, at = slot * (size_t)scene->n_months;
    const size_t index = at + (size_t)month;
    c3d_clip_buffers *to = &clipper->buffers;
    uint8_t *values =
        to->values + slot * c3d_scene_bytes(scene) + (size_t)month * c3d_scene_bytes(shape);

    c3d_scene_mask_not_finite(shape, values, valid);
    to->n_missing[index] = (uint32_t)c3d_scene_missing(shape, valid, &to->missing_share[index]);
    to->overflow[index] = !c3d_scene_sums(shape, values, valid, to->sum + index * n_sums * 8,
                                          to->sum_squares + index * n_sums * 8);
    c3d_scene_pack_valid(shape, valid,
                         to->bits + slot * c3d_valid_bytes(scene) +
                             (size_t)month * c3d_valid_bytes(shape));
}

static void cut_frame(c3d_clipper *clipper, c3d_clip_worker *worker, c3d_window window, int month,
                      size_t slot)
{
    const c3d_shard_shape *scene = &clipper->plan->scene;
    const c3d_shard_shape shape = one_month(scene);
    const c3d_clip_item *item = &clipper->plan->items[clipper->first + slot];
    const size_t size = (size_t)scene->size_px, element = c3d_dtype_size(scene->dtype);
    const size_t width = (size_t)window.width, n_window = width * (size_t)window.height;
    const size_t corner = (size_t)(item->y - window.y) * width + (size_t)(item->x - window.x);
    uint8_t *values = clipper->buffers.values + slot * c3d_scene_bytes(scene) +
                      (size_t)month * c3d_scene_bytes(&shape);

    for (int band = 0; band < scene->n_bands; band++)
        cut_rows(worker->window_values + ((size_t)band * n_window + corner) * element,
                 width * element, values + (size_t)band * size * size * element, size * element,
                 scene->size_px);
    cut_rows(worker->window_valid + corner, width, worker->valid, size, scene->size_px);
    describe_month(clipper, &shape, worker->valid, slot, month);
}

static c3d_status check_stop(c3d_clipper *clipper, int worker)
{
    if (!c3d_stop_requested()) return C3D_OK;
    if (worker == 0 && clipper->stop_s == 0) clipper->stop_s = c3d_now_s();
    if (worker > 0 || c3d_now_s() - clipper->stop_s < STOP_GRACE_S) return C3D_OK;
    return C3D_FAIL(C3D_ESTOPPED,
                    "%s: %zu scenes at hand are left for the next time; run the same "
                    "command again",
                    clipper->desc->out_dir, clipper->n);
}

c3d_status c3d_clip_read_month(c3d_clipper *clipper, int number, int month)
{
    const c3d_clip_item *items = clipper->plan->items + clipper->first;
    const int size_px = clipper->plan->scene.size_px;
    c3d_clip_worker *worker = &clipper->workers[number];
    size_t length;

    for (size_t done = 0; done < clipper->n; done += length) {
        c3d_window window;
        length = group_length(items + done, clipper->n - done, size_px, &window);
        C3D_TRY(check_stop(clipper, number));
        C3D_TRY(c3d_source_read_beside(clipper->source, month, window, worker->window_values,
                                       worker->window_valid));
        for (size_t i = done; i < done + length; i++) cut_frame(clipper, worker, window, month, i);
        c3d_phase_tick();
    }
    c3d_source_leave(clipper->source, month);
    return C3D_OK;
}
