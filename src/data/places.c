#include "places.h"

#include <inttypes.h>
#include <stdlib.h>

static int compare_places(const void *a, const void *b)
{
    const c3d_scene_place *x = a, *y = b;

    if (x->frame_id != y->frame_id) return x->frame_id < y->frame_id ? -1 : 1;
    return (x->period > y->period) - (x->period < y->period);
}

static c3d_status list_shard(const c3d_dataset *dataset, int index, c3d_places *all)
{
    c3d_shard *shard = dataset->shards[index];
    const int n = c3d_shard_get_shape(shard)->n_scenes;
    uint8_t *status = c3d_calloc((size_t)n, 1);
    c3d_status st;

    if (!status) return C3D_ENOMEM;
    st = c3d_shard_read_status(shard, status);
    for (int row = 0; row < n && st == C3D_OK; row++)
        all->rows[all->n++] = (c3d_scene_place){ .frame_id = c3d_shard_frame_ids(shard)[row],
                                                 .period = dataset->info.shards[index].period,
                                                 .shard = index,
                                                 .row = row,
                                                 .status = status[row] };
    free(status);
    return st;
}

static c3d_status list_all(const c3d_dataset *dataset, c3d_places *all)
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

c3d_status c3d_places_list(const c3d_dataset *dataset, c3d_places *out)
{
    c3d_places all = { 0 };
    const c3d_status st = list_all(dataset, &all);

    if (st != C3D_OK)
        c3d_places_free(&all);
    else
        *out = all;
    return st;
}

void c3d_places_free(c3d_places *places)
{
    free(places->rows);
    *places = (c3d_places){ 0 };
}

const c3d_scene_place *c3d_places_at(const c3d_places *all, int64_t frame_id, int period)
{
    const c3d_scene_place key = { .frame_id = frame_id, .period = period };

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

static c3d_status find_sample(c3d_dataset *dataset, const c3d_places *all, const c3d_sample *sample,
                              size_t *n_segments)
{
    int period, at, n_left = sample->n_months;

    if (sample->n_months < 1 || !find_month(&dataset->info, sample->first_month, &period, &at))
        return no_sample(dataset, sample, "its first month is in no period");
    for (; n_left > 0; period++, at = 0) {
        const c3d_scene_place *found;
        int n;
        if (period == dataset->info.n_periods)
            return no_sample(dataset, sample, "its months reach beyond the last period");
        found = c3d_places_at(all, sample->frame_id, period);
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

c3d_status c3d_places_find_samples(const c3d_places *all, c3d_dataset *dataset)
{
    const c3d_samples *samples = &dataset->samples;
    const size_t n_most = samples->n * (size_t)dataset->info.n_periods;
    size_t n = 0;

    if (samples->n > UINT32_MAX)
        return C3D_FAIL(C3D_EUNSUPPORTED, "%s/samples.csv: %zu samples", dataset->dir, samples->n);
    dataset->first_segment = c3d_calloc(samples->n + 1, sizeof *dataset->first_segment);
    dataset->segments = c3d_calloc(n_most + 1, sizeof *dataset->segments);
    if (!dataset->first_segment || !dataset->segments) return C3D_ENOMEM;
    for (size_t i = 0; i < samples->n; i++) {
        C3D_TRY(find_sample(dataset, all, &samples->rows[i], &n));
        dataset->first_segment[i + 1] = n;
    }
    return C3D_OK;
}
