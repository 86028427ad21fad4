/* Clipping: which months, which shards, and rounds of batches that all ranks take together. */
#include "clip.h"
#include "archive_table.h"
#include "sharing.h"

#include <stdlib.h>
#include <string.h>

static void tell_missing_months(const c3d_source *source)
{
    c3d_text list = { 0 };
    int n = 0;

    for (int i = 0; i < source->n_months; i++) {
        char text[12];
        if (source->months[i].raster) continue;
        if (n++ < 24) c3d_text_add(&list, " %s", c3d_date_text(source->months[i].date, text));
    }
    if (n > 0)
        c3d_log_warn("%d of %d months have no file and are filled as gaps:%s%s", n,
                     source->n_months, list.text, n > 24 ? " ..." : "");
    c3d_text_free(&list);
}

static c3d_status check_stop(size_t done, size_t total)
{
    if (!c3d_stop_requested()) return C3D_OK;
    return C3D_FAIL(C3D_ESTOPPED, "%zu of %zu scenes are clipped; run the same command again", done,
                    total);
}

/* What was written is marked also when something else went wrong. */
static c3d_status settle(c3d_clipper *clipper, const c3d_sharing *sharing, c3d_status st)
{
    const c3d_error error = *c3d_error_last();
    const c3d_status settled = c3d_clip_settle(clipper);

    if (st != C3D_OK) return c3d_error_put(&error);
    return c3d_sharing_agree(sharing, settled);
}

typedef struct progress {
    c3d_progress bar;
    size_t done, next; /* scenes of all ranks before it and after it */
} progress;

static void tell_share(void *context, double share)
{
    progress *at = context;

    c3d_progress_update(&at->bar, (double)at->done + share * (double)(at->next - at->done));
}

/* A round is one batch on every rank. All agree after each, so that an error or a request to stop
 * on one ends all soon. */
static c3d_status clip_rounds(c3d_clipper *clipper, const c3d_sharing *sharing)
{
    const c3d_clip_plan *plan = clipper->plan;
    const size_t n_batches = (plan->n + plan->batch - 1) / plan->batch;
    const size_t n_ranks = (size_t)c3d_sharing_n_ranks(sharing);
    progress at = { .done = 0 };
    c3d_status st = C3D_OK;

    clipper->tell = tell_share;
    clipper->context = &at;
    c3d_progress_begin(&at.bar, "clipping", (double)plan->n, "scenes");
    for (size_t first = 0; st == C3D_OK && first < n_batches; first += n_ranks) {
        const size_t end = (first + n_ranks) * plan->batch;
        at.next = end < plan->n ? end : plan->n;
        st = c3d_clip_batch(clipper, first + (size_t)c3d_sharing_rank(sharing));
        if (st == C3D_OK && at.next < plan->n) st = check_stop(at.next, plan->n);
        st = c3d_sharing_agree(sharing, st);
        at.done = at.next;
        if (st == C3D_OK) c3d_progress_update(&at.bar, (double)at.done);
    }
    c3d_progress_end(&at.bar);
    return settle(clipper, sharing, st);
}

static int find_period(const c3d_store *store, c3d_date first)
{
    int period = 0;

    while (store->periods[period].first != first) period++;
    return period;
}

static c3d_status clip_absent(const c3d_dataset_desc *desc, const c3d_sharing *sharing,
                              const c3d_frames *frames, c3d_source *source, c3d_store *store)
{
    const int period = find_period(store, source->months[0].date);
    c3d_clip_plan plan = { 0 };
    c3d_clipper clipper = { .desc = desc, .source = source, .store = store, .plan = &plan };
    c3d_status st;

    st = c3d_clip_plan_make(desc, frames, store, period, c3d_sharing_n_ranks(sharing), &plan);
    C3D_TRY(c3d_sharing_agree(sharing, st));
    c3d_log_run("clip: %zu frames x %d months x %d bands of %d px; %zu are there, %zu to do",
                frames->n, plan.scene.n_months, plan.scene.n_bands, plan.scene.size_px,
                frames->n - plan.n, plan.n);
    st = c3d_sharing_rank(sharing) == 0 ? c3d_clip_check_space(desc->out_dir, &plan.scene, plan.n)
                                        : C3D_OK;
    if (st == C3D_OK) st = c3d_clipper_open(&clipper);
    /* No rank writes before all have read what is absent. */
    st = c3d_sharing_agree(sharing, st);
    if (st == C3D_OK) st = clip_rounds(&clipper, sharing);
    c3d_clipper_close(&clipper);
    c3d_clip_plan_free(&plan);
    return st;
}

static c3d_status clip_source(const c3d_dataset_desc *desc, const c3d_sharing *sharing,
                              const c3d_frames *frames, c3d_source *source)
{
    c3d_store store = { 0 };
    c3d_status st = C3D_OK;

    if (c3d_sharing_rank(sharing) == 0) {
        tell_missing_months(source);
        c3d_source_tell(source);
        st = c3d_clip_make_shards(desc, frames, source);
    }
    C3D_TRY(c3d_sharing_agree(sharing, st));
    C3D_TRY(c3d_sharing_agree(sharing, c3d_store_open(desc->out_dir, true, &store)));
    st = clip_absent(desc, sharing, frames, source, &store);
    c3d_store_close(&store);
    return st;
}

c3d_status c3d_clip_period(const c3d_dataset_desc *desc, const c3d_sharing *sharing,
                           const c3d_frames *frames, const c3d_archive *months)
{
    c3d_source source = { 0 };
    c3d_status st = c3d_sharing_agree(sharing, c3d_source_open(desc, months, frames, &source));

    if (st == C3D_OK) st = clip_source(desc, sharing, frames, &source);
    c3d_source_close(&source);
    return st;
}

static c3d_status open_inputs(const c3d_dataset_desc *desc, c3d_frames *frames,
                              c3d_archive *archive, c3d_clip_periods *periods)
{
    char path[C3D_PATH_MAX];

    C3D_TRY(c3d_path_join(path, desc->out_dir, "frames.gpkg"));
    if (!c3d_path_exists(path))
        return C3D_FAIL(C3D_EIO, "%s: absent; run c3d-dataset frames first", path);
    C3D_TRY(c3d_frames_read(path, frames));
    if (frames->n == 0) return C3D_FAIL(C3D_EDATA, "%s: no frames", path);
    C3D_TRY(c3d_archive_find(desc->mosaics, desc->month_first, desc->month_last, archive));
    return c3d_clip_periods_find(desc, archive, periods);
}

static c3d_status write_table(const c3d_dataset_desc *desc, const c3d_sharing *sharing,
                              const c3d_frames *frames, const c3d_archive *archive)
{
    c3d_store store = { 0 };
    c3d_status st = C3D_OK;

    if (c3d_sharing_rank(sharing) == 0) {
        st = c3d_store_open(desc->out_dir, false, &store);
        if (st == C3D_OK) st = c3d_archive_table_write(desc, archive, frames, &store);
        c3d_store_close(&store);
    }
    return c3d_sharing_agree(sharing, st);
}

c3d_status c3d_dataset_clip(const c3d_dataset_desc *desc, const c3d_sharing *sharing)
{
    c3d_frames frames = { 0 };
    c3d_archive archive = { 0 };
    c3d_clip_periods periods = { 0 };
    c3d_status st;

    st = c3d_sharing_agree(sharing, open_inputs(desc, &frames, &archive, &periods));
    if (st == C3D_OK && c3d_sharing_rank(sharing) == 0)
        st = c3d_clip_forget_replaced(desc, &frames, &archive);
    st = c3d_sharing_agree(sharing, st);
    for (int i = 0; st == C3D_OK && i < periods.n; i++)
        st = c3d_clip_period(desc, sharing, &frames, &periods.months[i]);
    if (st == C3D_OK) st = write_table(desc, sharing, &frames, &archive);
    c3d_clip_periods_free(&periods);
    c3d_archive_free(&archive);
    c3d_frames_free(&frames);
    return st;
}
