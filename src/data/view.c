/* Other samples over the scenes of an open dataset. */
#include "hidden.h"
#include "places.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int c3d_dataset_n_months(const c3d_dataset_info *info)
{
    int n = 0;

    for (int p = 0; p < info->n_periods; p++) n += info->periods[p].n_months;
    return n;
}

c3d_date c3d_dataset_month(const c3d_dataset_info *info, int month)
{
    int p = 0;

    for (; month >= info->periods[p].n_months; p++) month -= info->periods[p].n_months;
    return info->periods[p].months[month];
}

void c3d_dataset_shown_months(const c3d_dataset *dataset, uint32_t index, c3d_date *out)
{
    for (size_t s = dataset->first_segment[index]; s < dataset->first_segment[index + 1]; s++) {
        const c3d_segment *part = &dataset->segments[s];
        const c3d_date *months = c3d_shard_months(dataset->shards[part->shard]);
        for (int m = 0; m < part->n; m++) *out++ = months[part->first + m];
    }
}

/* A copy of n > 0 elements; NULL when memory is exhausted. */
static void *copy_of(const void *from, size_t n, size_t size)
{
    void *copy = c3d_calloc(n, size);

    if (copy) memcpy(copy, from, n * size);
    return copy;
}

static c3d_status fill_view(const c3d_view_desc *desc, const c3d_places *places, c3d_dataset *view)
{
    view->samples.n = desc->n;
    view->samples.rows = copy_of(desc->samples, desc->n, sizeof *desc->samples);
    if (!view->samples.rows) return C3D_ENOMEM;
    if (desc->drawn_as) {
        view->drawn_as = copy_of(desc->drawn_as, desc->n, sizeof *desc->drawn_as);
        if (!view->drawn_as) return C3D_ENOMEM;
    }
    C3D_TRY(c3d_places_find_samples(places, view));
    return desc->hidden ? c3d_hidden_make(view, places, desc->hidden, &view->hidden) : C3D_OK;
}

c3d_status c3d_dataset_view(const c3d_view_desc *desc, c3d_dataset **out)
{
    c3d_places places;
    c3d_dataset *view;

    if (desc->n == 0 || desc->of->of) return C3D_FAIL(C3D_EINVAL, "a view of nothing, or a view");
    view = c3d_calloc(1, sizeof *view);
    if (!view) return C3D_ENOMEM;
    *view = (c3d_dataset){ .dir = desc->of->dir,
                           .info = desc->of->info,
                           .shards = desc->of->shards,
                           .of = desc->of,
                           .fold = desc->of->fold,
                           .month_step = 1 };
    c3d_status st = c3d_places_list(view, &places);
    if (st == C3D_OK) {
        st = fill_view(desc, &places, view);
        c3d_places_free(&places);
    }
    if (st == C3D_OK)
        *out = view;
    else
        c3d_dataset_close(view);
    return st;
}

/* ---- what was observed ----------------------------------------------------------------------- */

static c3d_status read_shares(const c3d_dataset *dataset, const c3d_places *places,
                              int64_t frame_id, float *out)
{
    for (int p = 0; p < dataset->info.n_periods; p++) {
        const int n_months = dataset->info.periods[p].n_months;
        const c3d_scene_place *place = c3d_places_at(places, frame_id, p);
        for (int m = 0; m < n_months; m++) out[m] = NAN;
        if (place && place->status == C3D_SCENE_PRESENT) {
            C3D_TRY(
                c3d_shard_read_sums(dataset->shards[place->shard], place->row, NULL, NULL, out));
            for (int m = 0; m < n_months; m++) out[m] = 1 - out[m];
        }
        out += n_months;
    }
    return C3D_OK;
}

c3d_status c3d_dataset_valid_shares(const c3d_dataset *dataset, const int64_t *frame_ids,
                                    size_t n_frames, float *out)
{
    const size_t n_months = (size_t)c3d_dataset_n_months(&dataset->info);
    c3d_places places;
    c3d_status st = C3D_OK;

    C3D_TRY(c3d_places_list(dataset, &places));
    for (size_t i = 0; i < n_frames && st == C3D_OK; i++)
        st = read_shares(dataset, &places, frame_ids[i], out + i * n_months);
    c3d_places_free(&places);
    return st;
}
