#include "hidden.h"
#include "places.h"

#include <stdlib.h>

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

/* ---- the whole ------------------------------------------------------------------------------- */

static c3d_status find_samples(c3d_dataset *dataset)
{
    c3d_places all;

    C3D_TRY(c3d_places_list(dataset, &all));
    const c3d_status st = c3d_places_find_samples(&all, dataset);
    c3d_places_free(&all);
    return st;
}

c3d_status c3d_dataset_open(const char *dir, c3d_dataset **out)
{
    char path[C3D_PATH_MAX];
    c3d_dataset *dataset = c3d_calloc(1, sizeof *dataset);
    c3d_status st;

    if (!dataset) return C3D_ENOMEM;
    dataset->fold = -1;
    dataset->month_step = 1;
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
    c3d_hidden_free(dataset->hidden);
    free(dataset->drawn_as);
    free(dataset->segments);
    free(dataset->first_segment);
    c3d_samples_free(&dataset->samples);
    if (!dataset->of) {
        for (int i = 0; dataset->shards && i < dataset->info.n_shards; i++)
            c3d_shard_close(dataset->shards[i]);
        free(dataset->shards);
        c3d_dataset_info_free(&dataset->info);
        free(dataset->dir);
    }
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
