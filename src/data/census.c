#include "census.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *key, *text;
} fates[C3D_N_FATES] = {
    [C3D_FATE_USED] = { "used", "in samples" },
    [C3D_FATE_NO_SPLIT] = { "no_split", "in no split" },
    [C3D_FATE_UNCERTAIN] = { "uncertain", "label uncertain" },
    [C3D_FATE_UNLABELLED] = { "unlabelled", "not labelled" },
    [C3D_FATE_NO_SAMPLE] = { "no_sample", "labelled, but without complete months" },
    [C3D_FATE_EMPTY] = { "dropped_empty", "dropped: no valid pixel" },
    [C3D_FATE_MISSING] = { "dropped_missing", "dropped: too much missing" },
    [C3D_FATE_ABSENT] = { "absent", "not clipped yet" },
};

const char *c3d_fate_key(c3d_frame_fate fate)
{
    return fates[fate].key;
}

const char *c3d_fate_text(c3d_frame_fate fate)
{
    return fates[fate].text;
}

static int by_frame_id(const void *a, const void *b)
{
    const int64_t x = ((const c3d_frame *)a)->frame_id, y = ((const c3d_frame *)b)->frame_id;

    return (x > y) - (x < y);
}

size_t c3d_frames_find(const c3d_frames *frames, int64_t frame_id)
{
    const c3d_frame key = { .frame_id = frame_id };
    const c3d_frame *found = bsearch(&key, frames->rows, frames->n, sizeof key, by_frame_id);

    return found ? (size_t)(found - frames->rows) : (size_t)-1;
}

static c3d_frame_fate label_fate(const c3d_frames *frames, size_t frame)
{
    bool is_labelled = false;

    for (int year = 0; year < frames->n_years; year++) {
        const c3d_frame_label label =
            frames->labels[frame * (size_t)frames->n_years + (size_t)year];
        if (label == C3D_FRAME_UNCERTAIN) return C3D_FATE_UNCERTAIN;
        if (label != C3D_FRAME_UNLABELLED) is_labelled = true;
    }
    return is_labelled ? C3D_FATE_NO_SAMPLE : C3D_FATE_UNLABELLED;
}

static c3d_frame_fate dropped_fate(const float *missing_share, int n_months)
{
    for (int i = 0; i < n_months; i++)
        if (missing_share[i] < 1) return C3D_FATE_MISSING;
    return C3D_FATE_EMPTY;
}

static c3d_status take_frame(const c3d_frames *frames, size_t i, const c3d_store *store,
                             float *missing_share, c3d_census *census)
{
    const c3d_store_row *row = c3d_store_find(store, frames->rows[i].frame_id);
    const c3d_scene_status status = row ? c3d_store_status(store, row) : C3D_SCENE_ABSENT;
    c3d_frame_fate fate = C3D_FATE_ABSENT;

    if (status != C3D_SCENE_ABSENT)
        C3D_TRY(
            c3d_shard_read_sums(store->shards[row->shard], row->row, NULL, NULL, missing_share));
    if (status == C3D_SCENE_DROPPED) {
        fate = dropped_fate(missing_share, census->n_months);
    } else if (status == C3D_SCENE_PRESENT) {
        fate = frames->rows[i].split == C3D_SPLIT_NONE ? C3D_FATE_NO_SPLIT : label_fate(frames, i);
        for (int month = 0; month < census->n_months; month++)
            census->missing_share[month] += (double)missing_share[month];
    }
    census->fates[fate]++;
    return C3D_OK;
}

/* A frame with samples was counted as something else so far. */
static c3d_status take_samples(const c3d_frames *frames, const c3d_samples *samples,
                               c3d_census *census)
{
    uint8_t *is_used = c3d_calloc(frames->n + 1, 1);

    if (!is_used) return C3D_ENOMEM;
    for (size_t i = 0; i < samples->n; i++) {
        const c3d_sample *sample = &samples->rows[i];
        const size_t frame = c3d_frames_find(frames, sample->frame_id);
        if (sample->split < C3D_N_SPLITS) census->samples[sample->split][sample->label]++;
        if (frame == (size_t)-1 || is_used[frame]) continue;
        is_used[frame] = 1;
        census->fates[frames->rows[frame].split == C3D_SPLIT_NONE ? C3D_FATE_NO_SPLIT
                                                                  : label_fate(frames, frame)]--;
        census->fates[C3D_FATE_USED]++;
    }
    free(is_used);
    return C3D_OK;
}

static c3d_status take_frames(const c3d_frames *frames, const c3d_store *store, c3d_census *census)
{
    const size_t n_months = census->n_months > 0 ? (size_t)census->n_months : 1;
    float *missing_share = c3d_calloc(n_months, sizeof *missing_share);
    c3d_status st = C3D_OK;

    if (!missing_share) return C3D_ENOMEM;
    for (size_t i = 0; st == C3D_OK && i < frames->n; i++) {
        st = take_frame(frames, i, store, missing_share, census);
        c3d_phase_tick();
    }
    free(missing_share);
    const size_t n_present = frames->n - census->fates[C3D_FATE_ABSENT] -
                             census->fates[C3D_FATE_EMPTY] - census->fates[C3D_FATE_MISSING];
    for (int month = 0; month < census->n_months; month++)
        if (n_present > 0) census->missing_share[month] /= (double)n_present;
    return st;
}

/* An edited samples.csv may hold labels that the frames do not know. */
static c3d_status reserve_classes(const c3d_frames *frames, const c3d_samples *samples,
                                  c3d_census *census)
{
    bool is_made = true;

    census->n_classes = c3d_frames_n_labels(frames) + 1;
    for (size_t i = 0; i < samples->n; i++)
        if (samples->rows[i].label >= census->n_classes)
            census->n_classes = samples->rows[i].label + 1;
    for (int split = 0; split < C3D_N_SPLITS; split++) {
        census->samples[split] = c3d_calloc((size_t)census->n_classes, sizeof(size_t));
        is_made = is_made && census->samples[split];
    }
    return is_made ? C3D_OK : C3D_ENOMEM;
}

c3d_status c3d_census_take(const c3d_frames *frames, const c3d_store *store,
                           const c3d_samples *samples, c3d_census *out)
{
    c3d_census census = { .n_frames = frames->n };

    if (store->n_shards > 0) census.n_months = c3d_shard_get_shape(store->shards[0])->n_months;
    census.missing_share = c3d_calloc((size_t)census.n_months + 1, sizeof *census.missing_share);
    if (!census.missing_share) return C3D_ENOMEM;
    c3d_status st = reserve_classes(frames, samples, &census);
    if (st == C3D_OK) st = take_frames(frames, store, &census);
    if (st == C3D_OK) st = take_samples(frames, samples, &census);
    if (st == C3D_OK)
        *out = census;
    else
        c3d_census_free(&census);
    return st;
}

void c3d_census_free(c3d_census *census)
{
    free(census->missing_share);
    for (int split = 0; split < C3D_N_SPLITS; split++) free(census->samples[split]);
    *census = (c3d_census){ 0 };
}
