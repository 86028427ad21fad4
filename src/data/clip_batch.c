/* A batch: its months are read, its scenes written, by a few workers. */
#include "clip.h"
#include "workers.h"

#include <stdlib.h>

static bool make_buffers(const c3d_clip_plan *plan, c3d_clip_buffers *out)
{
    const c3d_shard_shape *scene = &plan->scene;
    const size_t n_months = plan->batch * (size_t)scene->n_months;
    const size_t sum_bytes = n_months * (size_t)scene->n_bands * 8;

    *out = (c3d_clip_buffers){
        .values = c3d_aligned(plan->batch * c3d_scene_bytes(scene)),
        .bits = c3d_aligned(plan->batch * c3d_valid_bytes(scene)),
        .n_missing = c3d_calloc(n_months, sizeof(uint32_t)),
        .overflow = c3d_calloc(n_months, sizeof(bool)),
        .sum = c3d_calloc(sum_bytes, 1),
        .sum_squares = c3d_calloc(sum_bytes, 1),
        .missing_share = c3d_calloc(n_months, sizeof(float)),
    };
    return out->values && out->bits && out->n_missing && out->overflow && out->sum &&
           out->sum_squares && out->missing_share;
}

static void free_buffers(c3d_clip_buffers *buffers)
{
    free(buffers->values);
    free(buffers->bits);
    free(buffers->n_missing);
    free(buffers->overflow);
    free(buffers->sum);
    free(buffers->sum_squares);
    free(buffers->missing_share);
}

static bool make_worker(const c3d_clip_plan *plan, const c3d_store *store, c3d_clip_worker *out)
{
    const c3d_shard_shape *scene = &plan->scene;
    const size_t window = c3d_clip_window_pixels(scene);
    const size_t n_pixels = (size_t)scene->size_px * (size_t)scene->size_px;

    out->window_values =
        c3d_aligned(window * (size_t)scene->n_bands * c3d_dtype_size(scene->dtype));
    out->window_valid = c3d_aligned(window);
    out->valid = c3d_aligned((size_t)scene->n_months * n_pixels);
    return out->window_values && out->window_valid && out->valid &&
           (plan->period == 0 || c3d_past_make(store, &out->past) == C3D_OK);
}

static void free_worker(c3d_clip_worker *worker)
{
    free(worker->window_values);
    free(worker->window_valid);
    free(worker->valid);
    c3d_past_free(&worker->past);
}

c3d_status c3d_clipper_open(c3d_clipper *clipper)
{
    const c3d_clip_plan *plan = clipper->plan;

    c3d_raster_set_cache(plan->cache_bytes);
    C3D_TRY(c3d_background_create(&clipper->marking));
    clipper->workers = c3d_calloc((size_t)plan->n_workers, sizeof *clipper->workers);
    clipper->outcomes = c3d_calloc(plan->batch, sizeof *clipper->outcomes);
    bool is_made = clipper->workers && clipper->outcomes && make_buffers(plan, &clipper->buffers);
    for (int i = 0; is_made && i < plan->n_workers; i++)
        is_made = make_worker(plan, clipper->store, &clipper->workers[i]);
    if (is_made) return C3D_OK;
    return C3D_FAIL(C3D_ENOMEM, "%zu scenes at once of %zu bytes; set a smaller memory limit",
                    plan->batch, c3d_scene_bytes(&plan->scene));
}

void c3d_clipper_close(c3d_clipper *clipper)
{
    c3d_background_destroy(clipper->marking);
    for (int i = 0; clipper->workers && i < clipper->plan->n_workers; i++)
        free_worker(&clipper->workers[i]);
    free(clipper->workers);
    free(clipper->outcomes);
    free(clipper->marks);
    free_buffers(&clipper->buffers);
}

static c3d_status read_month(void *context, int worker, size_t job)
{
    c3d_clipper *clipper = context;
    const int n_months = clipper->plan->scene.n_months;

    C3D_TRY(c3d_clip_read_month(clipper, worker, (int)job));
    if (worker == 0 && clipper->tell) clipper->tell(clipper->context, (double)(job + 1) / n_months);
    return C3D_OK;
}

static c3d_status write_scene(void *context, int worker, size_t job)
{
    return c3d_clip_write_scene(context, worker, job);
}

c3d_status c3d_clip_batch(c3d_clipper *clipper, size_t index)
{
    const c3d_clip_plan *plan = clipper->plan;
    const c3d_jobs months = { (size_t)plan->scene.n_months, read_month, clipper };

    clipper->first = index * plan->batch;
    if (clipper->first >= plan->n) return C3D_OK;
    clipper->n = plan->n - clipper->first < plan->batch ? plan->n - clipper->first : plan->batch;
    C3D_TRY(c3d_workers_run(plan->n_workers, &months));
    const c3d_jobs scenes = { clipper->n, write_scene, clipper };
    C3D_TRY(c3d_workers_run(plan->n_workers, &scenes));
    return c3d_clip_mark(clipper);
}
