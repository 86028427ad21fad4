#include "dataset_open.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Where a frame's scene of one period is. */
typedef struct place {
    int64_t frame_id;
    int period, shard, row;
    uint8_t status;
} place;

typedef struct places {
    size_t n;
    place *rows; /* ascending frame_id, then period */
} places;

/* ---- shards ---------------------------------------------------------------------------------- */

static c3d_status check_shard(const c3d_dataset *dataset, int index)
{
    const c3d_dataset_info *info = &dataset->info;
    const c3d_shard *shard = dataset->shards[index];
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    const c3d_period *period = &info->periods[info->shards[index].period];

    if (shape->n_scenes != info->shards[index].n_scenes || shape->n_bands != info->n_bands ||
        shape->size_px != info->frame_size_px || shape->dtype != info->dtype ||
        shape->n_months != period->n_months)
        return C3D_FAIL(C3D_EDATA,
                        "%s: %d scenes x %d months x %d bands x %d px of %s, dataset.json says "
                        "%d x %d x %d x %d px of %s",
                        c3d_shard_path(shard), shape->n_scenes, shape->n_months, shape->n_bands,
                        shape->size_px, c3d_dtype_name(shape->dtype), info->shards[index].n_scenes,
                        period->n_months, info->n_bands, info->frame_size_px,
                        c3d_dtype_name(info->dtype));
    for (int i = 0; i < period->n_months; i++) {
        char found[12], expected[12];
        if (c3d_shard_months(shard)[i] == period->months[i]) continue;
        return C3D_FAIL(C3D_EDATA, "%s: month %d is %s, dataset.json says %s",
                        c3d_shard_path(shard), i + 1,
                        c3d_date_text(c3d_shard_months(shard)[i], found),
                        c3d_date_text(period->months[i], expected));
    }
    return C3D_OK;
}

static c3d_status check_periods(const c3d_dataset *dataset)
{
    for (int i = 1; i < dataset->info.n_periods; i++) {
        const c3d_period *before = &dataset->info.periods[i - 1];
        if (before->months[before->n_months - 1] >= dataset->info.periods[i].months[0])
            return C3D_FAIL(C3D_EDATA, "%s/dataset.json: periods are not in the order of time",
                            dataset->dir);
    }
    return C3D_OK;
}

static c3d_status open_shards(c3d_dataset *dataset)
{
    const int n = dataset->info.n_shards;

    dataset->shards = c3d_calloc((size_t)n, sizeof(void *));
    if (!dataset->shards) return C3D_ENOMEM;
    for (int i = 0; i < n; i++) {
        char path[C3D_PATH_MAX];
        C3D_TRY(c3d_path_join(path, dataset->dir, dataset->info.shards[i].file));
        C3D_TRY(c3d_shard_open(path, false, &dataset->shards[i]));
        C3D_TRY(check_shard(dataset, i));
    }
    return C3D_OK;
}

/* ---- frames to rows -------------------------------------------------------------------------- */

static int compare_places(const void *a, const void *b)
{
    const place *x = a, *y = b;

    if (x->frame_id != y->frame_id) return x->frame_id < y->frame_id ? -1 : 1;
    return (x->period > y->period) - (x->period < y->period);
}

static c3d_status list_shard(const c3d_dataset *dataset, int index, places *all)
{
    c3d_shard *shard = dataset->shards[index];
    const int n = c3d_shard_get_shape(shard)->n_scenes;
    uint8_t *status = c3d_calloc((size_t)n, 1);
    c3d_status st;

    if (!status) return C3D_ENOMEM;
    st = c3d_shard_read_status(shard, status);
    for (int row = 0; row < n && st == C3D_OK; row++)
        all->rows[all->n++] = (place){ .frame_id = c3d_shard_frame_ids(shard)[row],
                                       .period = dataset->info.shards[index].period,
                                       .shard = index,
                                       .row = row,
                                       .status = status[row] };
    free(status);
    return st;
}

static c3d_status list_places(const c3d_dataset *dataset, places *all)
{
    size_t n = 0;

    for (int i = 0; i < dataset->info.n_shards; i++) n += (size_t)dataset->info.shards[i].n_scenes;
    all->rows = c3d_calloc(n + 1, sizeof *all->rows);
    if (!all->rows) return C3D_ENOMEM;
    for (int i = 0; i < dataset->info.n_shards; i++) C3D_TRY(list_shard(dataset, i, all));
    qsort(all->rows, all->n, sizeof *all->rows, compare_places);
    for (size_t i = 1; i < all->n; i++)
        if (compare_places(&all->rows[i - 1], &all->rows[i]) == 0)
            return C3D_FAIL(C3D_EDATA, "%s: frame %" PRId64 " is in the period a second time",
                            c3d_shard_path(dataset->shards[all->rows[i].shard]),
                            all->rows[i].frame_id);
    return C3D_OK;
}

static const place *find_place(const places *all, int64_t frame_id, int period)
{
    const place key = { .frame_id = frame_id, .period = period };

    return bsearch(&key, all->rows, all->n, sizeof key, compare_places);
}

/* ---- samples --------------------------------------------------------------------------------- */

static c3d_status no_sample(const c3d_dataset *dataset, const c3d_sample *sample, const char *why)
{
    return C3D_FAIL(C3D_EDATA, "%s/samples.csv: sample %" PRId64 " (frame %" PRId64 "): %s",
                    dataset->dir, sample->sample_id, sample->frame_id, why);
}

/* The period that holds the month, and its number there. */
static bool find_month(const c3d_dataset_info *info, c3d_date month, int *period_out, int *at_out)
{
    for (int p = 0; p < info->n_periods; p++)
        for (int i = 0; i < info->periods[p].n_months; i++) {
            if (info->periods[p].months[i] != month) continue;
            *period_out = p;
            *at_out = i;
            return true;
        }
    return false;
}

static c3d_status find_sample(c3d_dataset *dataset, const places *all, const c3d_sample *sample,
                              size_t *n_segments)
{
    int period, at, n_left = sample->n_months;

    if (sample->n_months < 1 || !find_month(&dataset->info, sample->first_month, &period, &at))
        return no_sample(dataset, sample, "its first month is in no period");
    for (; n_left > 0; period++, at = 0) {
        const place *found;
        int n;
        if (period == dataset->info.n_periods)
            return no_sample(dataset, sample, "its months reach beyond the last period");
        found = find_place(all, sample->frame_id, period);
        if (!found || found->status == C3D_SCENE_ABSENT)
            return no_sample(dataset, sample, "its scene is absent; was the build finished?");
        if (found->status == C3D_SCENE_DROPPED)
            return no_sample(dataset, sample, "its scene was dropped; make samples.csv again");
        n = dataset->info.periods[period].n_months - at;
        if (n > n_left) n = n_left;
        dataset->segments[(*n_segments)++] = (c3d_segment){ found->shard, found->row, at, n };
        n_left -= n;
    }
    return C3D_OK;
}

static c3d_status find_samples(c3d_dataset *dataset)
{
    const c3d_samples *samples = &dataset->samples;
    const size_t n_most = samples->n * (size_t)dataset->info.n_periods;
    places all = { 0 };
    size_t n = 0;
    c3d_status st;

    if (samples->n > UINT32_MAX)
        return C3D_FAIL(C3D_EUNSUPPORTED, "%s/samples.csv: %zu samples", dataset->dir, samples->n);
    dataset->first_segment = c3d_calloc(samples->n + 1, sizeof *dataset->first_segment);
    dataset->segments = c3d_calloc(n_most + 1, sizeof *dataset->segments);
    if (!dataset->first_segment || !dataset->segments) return C3D_ENOMEM;
    C3D_TRY_TO(done, list_places(dataset, &all));
    for (size_t i = 0; i < samples->n; i++) {
        C3D_TRY_TO(done, find_sample(dataset, &all, &samples->rows[i], &n));
        dataset->first_segment[i + 1] = n;
    }
done:
    free(all.rows);
    return st;
}

c3d_status c3d_dataset_open(const char *dir, c3d_dataset **out)
{
    char path[C3D_PATH_MAX];
    c3d_dataset *dataset = c3d_calloc(1, sizeof *dataset);
    c3d_status st;

    if (!dataset) return C3D_ENOMEM;
    dataset->fold = -1;
    dataset->dir = c3d_strdup(dir);
    C3D_TRY_TO(fail, c3d_dataset_info_read(dir, &dataset->info));
    C3D_TRY_TO(fail, check_periods(dataset));
    C3D_TRY_TO(fail, c3d_path_join(path, dir, "samples.csv"));
    C3D_TRY_TO(fail, c3d_samples_read(path, &dataset->samples));
    C3D_TRY_TO(fail, open_shards(dataset));
    C3D_TRY_TO(fail, find_samples(dataset));
    *out = dataset;
    return C3D_OK;
fail:
    c3d_dataset_close(dataset);
    return st;
}

void c3d_dataset_close(c3d_dataset *dataset)
{
    if (!dataset) return;
    c3d_dataset_unstage(dataset);
    for (int i = 0; dataset->shards && i < dataset->info.n_shards; i++)
        c3d_shard_close(dataset->shards[i]);
    free(dataset->shards);
    free(dataset->segments);
    free(dataset->first_segment);
    c3d_samples_free(&dataset->samples);
    c3d_dataset_info_free(&dataset->info);
    free(dataset->dir);
    free(dataset);
}

const c3d_dataset_info *c3d_dataset_get_info(const c3d_dataset *dataset)
{
    return &dataset->info;
}

const c3d_samples *c3d_dataset_get_samples(const c3d_dataset *dataset)
{
    return &dataset->samples;
}
