#include "verify.h"
#include "publish.h"
#include "scene.h"
#include "sharing.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TOLD_MAX 10 /* broken scenes named by a rank */

typedef struct checker {
    int period; /* whose scenes are described: the one with most months */
    size_t n_described;
    alike_scene *described;
    c3d_scene scene, again; /* as stored; sums and shares computed anew */
    uint8_t *mask;          /* [months, pixels] */
    size_t n_checked, n_broken, n_dropped, n_absent;
    char first[256]; /* broken one, in words */
} checker;

static const c3d_shard_shape *longest_shape(const c3d_store *store)
{
    const c3d_shard_shape *longest = c3d_shard_get_shape(store->shards[0]);

    for (int i = 1; i < store->n_shards; i++) {
        const c3d_shard_shape *shape = c3d_shard_get_shape(store->shards[i]);
        if (shape->n_months > longest->n_months) longest = shape;
    }
    return longest;
}

static c3d_status make_sums(const c3d_shard_shape *shape, c3d_scene *out)
{
    const size_t n_months = (size_t)shape->n_months;
    const size_t n_sums = n_months * (size_t)shape->n_bands;

    out->missing_share = c3d_calloc(n_months, sizeof(float));
    out->sum = c3d_calloc(n_sums, 8);
    out->sum_squares = c3d_calloc(n_sums, 8);
    return out->missing_share && out->sum && out->sum_squares ? C3D_OK : C3D_ENOMEM;
}

static void free_scene(c3d_scene *scene)
{
    free(scene->values);
    free(scene->valid);
    free(scene->missing_share);
    free(scene->sum);
    free(scene->sum_squares);
}

static c3d_status make_checker(const c3d_shard_shape *shape, checker *out)
{
    out->scene.values = c3d_aligned(c3d_scene_bytes(shape));
    out->scene.valid = c3d_aligned(c3d_valid_bytes(shape));
    out->mask =
        c3d_calloc((size_t)shape->n_months, (size_t)shape->size_px * (size_t)shape->size_px);
    if (!out->scene.values || !out->scene.valid || !out->mask) return C3D_ENOMEM;
    C3D_TRY(make_sums(shape, &out->scene));
    return make_sums(shape, &out->again);
}

static void free_checker(checker *of)
{
    free(of->described);
    free(of->mask);
    free_scene(&of->scene);
    free_scene(&of->again);
}

static void describe(checker *by, const c3d_shard *shard, int row, uint64_t checksum)
{
    alike_scene *to = &by->described[by->n_described];

    to->frame_id = c3d_shard_frame_ids(shard)[row];
    to->checksum = checksum;
    by->n_described += c3d_alike_describe(c3d_shard_get_shape(shard), by->scene.values, to);
}

static void note_broken(checker *by, const char *text)
{
    if (by->n_broken++ == 0) (void)snprintf(by->first, sizeof by->first, "%s", text);
    if (by->n_broken <= TOLD_MAX) c3d_log_rank("%s", text);
}

/* Statistics of training come from these, and no checksum holds them. */
static bool has_right_sums(checker *by, const c3d_shard_shape *shape)
{
    const size_t n_months = (size_t)shape->n_months;
    const size_t n_sums = n_months * (size_t)shape->n_bands;

    c3d_scene_unpack_valid(shape, by->scene.valid, by->mask);
    (void)c3d_scene_missing(shape, by->mask, by->again.missing_share);
    return c3d_scene_sums(shape, by->scene.values, by->mask, by->again.sum,
                          by->again.sum_squares) &&
           memcmp(by->scene.missing_share, by->again.missing_share, n_months * sizeof(float)) ==
               0 &&
           memcmp(by->scene.sum, by->again.sum, n_sums * 8) == 0 &&
           memcmp(by->scene.sum_squares, by->again.sum_squares, n_sums * 8) == 0;
}

static c3d_status check_scene(checker *by, c3d_shard *shard, int period, int row, uint64_t expected)
{
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    const long long frame_id = (long long)c3d_shard_frame_ids(shard)[row];
    char text[256];

    C3D_TRY(c3d_shard_read_scene(shard, row, &by->scene));
    const uint64_t found = c3d_scene_checksum(shape, &by->scene);
    by->n_checked++;
    if (found != expected) {
        (void)snprintf(text, sizeof text,
                       "%.150s: scene %d (frame %lld): checksum %016" PRIx64 ", %016" PRIx64
                       " expected",
                       c3d_shard_path(shard), row, frame_id, found, expected);
        note_broken(by, text);
    } else if (!has_right_sums(by, shape)) {
        (void)snprintf(text, sizeof text,
                       "%.150s: scene %d (frame %lld): its sums or missing shares are not those of "
                       "its pixels",
                       c3d_shard_path(shard), row, frame_id);
        note_broken(by, text);
    } else if (period == by->period) {
        describe(by, shard, row, found);
    }
    return C3D_OK;
}

static c3d_status check_shard(checker *by, const c3d_store *store, int index,
                              const c3d_sharing *sharing)
{
    c3d_shard *shard = store->shards[index];
    const int n = c3d_shard_get_shape(shard)->n_scenes;
    uint64_t *checksums = c3d_calloc((size_t)n, sizeof *checksums);
    c3d_status st = checksums ? c3d_shard_read_checksums(shard, checksums) : C3D_ENOMEM;

    for (int row = 0; st == C3D_OK && row < n; row++) {
        const uint8_t status = store->status[index][row];
        by->n_dropped += status == C3D_SCENE_DROPPED;
        by->n_absent += status == C3D_SCENE_ABSENT;
        if (status != C3D_SCENE_PRESENT) continue;
        if (row % c3d_sharing_n_ranks(sharing) != c3d_sharing_rank(sharing)) continue;
        st = check_scene(by, shard, store->period_of[index], row, checksums[row]);
    }
    free(checksums);
    return st;
}

/* Room for the scenes of one period that this rank reads: the period that shows most. */
static c3d_status make_descriptions(checker *by, const c3d_store *store, const c3d_sharing *sharing)
{
    size_t n = 0;

    for (int p = 1; p < store->n_periods; p++)
        if (store->periods[p].n_months > store->periods[by->period].n_months) by->period = p;
    for (int i = 0; i < store->n_shards; i++)
        if (store->period_of[i] == by->period)
            n += (size_t)(c3d_shard_get_shape(store->shards[i])->n_scenes /
                              c3d_sharing_n_ranks(sharing) +
                          1);
    by->described = c3d_calloc(n + 1, sizeof *by->described);
    return by->described ? C3D_OK : C3D_ENOMEM;
}

static c3d_status check_store(checker *by, const c3d_store *store, const c3d_sharing *sharing)
{
    c3d_progress progress;
    c3d_status st = C3D_OK;

    if (store->n_shards == 0) return C3D_OK;
    C3D_TRY(make_checker(longest_shape(store), by));
    C3D_TRY(make_descriptions(by, store, sharing));
    c3d_progress_begin(&progress, "verifying", store->n_shards, "files");
    for (int i = 0; st == C3D_OK && i < store->n_shards; i++) {
        if (c3d_stop_requested()) st = C3D_FAIL(C3D_ESTOPPED, "stopped after %d files", i);
        if (st == C3D_OK) st = check_shard(by, store, i, sharing);
        c3d_progress_update(&progress, i + 1);
    }
    c3d_progress_end(&progress);
    if (st == C3D_OK && by->n_broken > 0)
        st = C3D_FAIL(C3D_EDATA, "%s; %zu of the %zu scenes that this rank read are broken",
                      by->first, by->n_broken, by->n_checked);
    return st;
}

/* dataset.json must be about these files, and the splits are measured anew. */
static c3d_status check_facts(const char *dir, const c3d_store *store, c3d_text *out)
{
    c3d_dataset_info info;
    bool unchanged = true;
    c3d_status st;

    C3D_TRY(c3d_dataset_info_read(dir, &info));
    st = info.n_shards == store->n_shards
             ? C3D_OK
             : C3D_FAIL(C3D_EDATA, "%s: %d shards, dataset.json lists %d", dir, store->n_shards,
                        info.n_shards);
    for (int i = 0; st == C3D_OK && i < store->n_shards; i++)
        if (strcmp(info.shards[i].file, store->files[i]) != 0 ||
            info.shards[i].n_scenes != c3d_shard_get_shape(store->shards[i])->n_scenes)
            st =
                C3D_FAIL(C3D_EDATA, "%s: %s is not as dataset.json lists it", dir, store->files[i]);
    if (st == C3D_OK) st = c3d_dataset_samples_unchanged(dir, &info, &unchanged);
    if (st == C3D_OK && !unchanged)
        st = C3D_FAIL(C3D_EDATA,
                      "%s: samples.csv is not the one dataset.json was written for; c3d-dataset "
                      "samples makes both anew",
                      dir);
    if (st == C3D_OK)
        c3d_text_add(out, "dataset.json lists the same %d files; content %016" PRIx64 "\n",
                     info.n_shards, info.hash);
    c3d_dataset_info_free(&info);
    return st;
}

/* Every rank has described the scenes that it read. */
static c3d_status gather_described(checker *by, const c3d_sharing *sharing)
{
    void *all;
    size_t n_bytes;

    if (c3d_sharing_n_ranks(sharing) == 1 || !sharing->gather) return C3D_OK;
    C3D_TRY(sharing->gather(sharing->context, by->described,
                            by->n_described * sizeof *by->described, &all, &n_bytes));
    if (!all) return C3D_OK;
    free(by->described);
    by->described = all;
    by->n_described = n_bytes / sizeof *by->described;
    return C3D_OK;
}

/* A rebuilt dataset has the published checksums beside it. */
static c3d_status check_published(const char *dir, const c3d_store *store, c3d_text *out)
{
    char path[C3D_PATH_MAX];

    C3D_TRY(c3d_path_join(path, dir, C3D_CHECKSUMS_NAME));
    return c3d_path_exists(path) ? c3d_checksums_compare(path, store, out) : C3D_OK;
}

c3d_status c3d_dataset_verify(const char *dir, const c3d_sharing *sharing, c3d_text *out)
{
    c3d_store store = { 0 };
    checker by = { 0 };
    c3d_status st;

    st = c3d_sharing_agree(sharing, c3d_store_open(dir, false, &store));
    if (st == C3D_OK) st = c3d_sharing_agree(sharing, check_store(&by, &store, sharing));
    if (st == C3D_OK) st = c3d_sharing_agree(sharing, gather_described(&by, sharing));
    if (st == C3D_OK) {
        c3d_text_add(out, "%zu scenes: %zu checksums agree, %zu dropped, %zu not clipped yet\n",
                     store.n_rows, store.n_rows - by.n_dropped - by.n_absent, by.n_dropped,
                     by.n_absent);
        if (c3d_sharing_rank(sharing) == 0) {
            st = check_facts(dir, &store, out);
            if (st == C3D_OK) st = check_published(dir, &store, out);
            if (st == C3D_OK)
                st = c3d_verify_splits(dir, &store, by.n_described, by.described, out);
        }
        st = c3d_sharing_agree(sharing, st);
    }
    free_checker(&by);
    c3d_store_close(&store);
    return st;
}
