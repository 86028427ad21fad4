#include "census.h"

#include "hard_negatives.h"
#include "labels.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *key, *text;
} fates[C3D_N_FATES] = {
    [C3D_FATE_USED] = { "used", "in samples" },
    [C3D_FATE_LEFT_OUT] = { "left_out", "negatives left out for data.hard_negative_share" },
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

/* Adds a frame's scenes to the census; n_out: by c3d_scene_status. */
static void take_scenes(const c3d_store *store, int64_t frame_id, const float *missing_share,
                        c3d_census *census, int n_out[3])
{
    int month = 0;

    memset(n_out, 0, 3 * sizeof *n_out);
    for (int period = 0; period < store->n_periods; period++) {
        const c3d_scene_status status = c3d_store_scene_status(store, frame_id, period);
        const int end = month + store->periods[period].n_months;
        census->scenes[period][status]++;
        n_out[status]++;
        for (; month < end; month++)
            if (status == C3D_SCENE_PRESENT)
                census->missing_share[month] += (double)missing_share[month];
    }
}

static c3d_status take_frame(const c3d_frames *frames, size_t i, const c3d_store *store,
                             float *missing_share, c3d_census *census, c3d_frame_fate *out)
{
    int n[3];

    C3D_TRY(c3d_store_read_missing(store, frames->rows[i].frame_id, missing_share));
    take_scenes(store, frames->rows[i].frame_id, missing_share, census, n);
    if (n[C3D_SCENE_ABSENT] > 0 || store->n_periods == 0)
        *out = C3D_FATE_ABSENT;
    else if (n[C3D_SCENE_PRESENT] == 0)
        *out = dropped_fate(missing_share, store->n_months);
    else
        *out = frames->rows[i].split == C3D_SPLIT_NONE ? C3D_FATE_NO_SPLIT : label_fate(frames, i);
    return C3D_OK;
}

static void count_changes(const c3d_frames *frames, c3d_census *census)
{
    for (size_t i = 0; i < frames->n; i++) {
        bool is_changed = false;

        for (int k = 1; k < frames->n_years; k++) is_changed |= c3d_label_changes(frames, i, k);
        census->n_changed += is_changed;
    }
}

/* A frame with samples in a split is used, whatever else it is. */
static void take_samples(const c3d_frames *frames, const c3d_samples *samples, c3d_census *census,
                         c3d_frame_fate *fates_of)
{
    census->knows_hard = frames->hard != NULL;
    for (size_t i = 0; i < samples->n; i++) {
        const c3d_sample *sample = &samples->rows[i];
        const size_t frame = c3d_frames_find(frames, sample->frame_id);
        const bool is_in = sample->split < C3D_N_SPLITS;
        if (is_in) census->samples[sample->split][sample->label]++;
        if (is_in) census->hard[sample->split] += c3d_sample_is_hard(frames, sample);
        if (frame != (size_t)-1 && fates_of[frame] != C3D_FATE_USED)
            fates_of[frame] = is_in ? C3D_FATE_USED : C3D_FATE_LEFT_OUT;
    }
}

static c3d_status take_frames(const c3d_frames *frames, const c3d_store *store, c3d_census *census,
                              c3d_frame_fate *fates_of)
{
    float *missing_share = c3d_calloc((size_t)store->n_months + 1, sizeof *missing_share);
    c3d_status st = missing_share ? C3D_OK : C3D_ENOMEM;
    int month = 0;

    for (size_t i = 0; st == C3D_OK && i < frames->n; i++) {
        st = take_frame(frames, i, store, missing_share, census, &fates_of[i]);
        c3d_phase_tick();
    }
    free(missing_share);
    for (int period = 0; period < store->n_periods; period++) {
        const size_t n_present = census->scenes[period][C3D_SCENE_PRESENT];
        const int end = month + store->periods[period].n_months;
        for (; month < end; month++)
            if (n_present > 0) census->missing_share[month] /= (double)n_present;
    }
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
    c3d_census census = { .n_frames = frames->n,
                          .n_months = store->n_months,
                          .n_periods = store->n_periods };
    c3d_frame_fate *fates_of = c3d_calloc(frames->n + 1, sizeof *fates_of);

    census.missing_share = c3d_calloc((size_t)census.n_months + 1, sizeof *census.missing_share);
    census.scenes = c3d_calloc((size_t)census.n_periods + 1, sizeof *census.scenes);
    c3d_status st = fates_of && census.missing_share && census.scenes ? C3D_OK : C3D_ENOMEM;
    if (st == C3D_OK) st = reserve_classes(frames, samples, &census);
    if (st == C3D_OK) st = take_frames(frames, store, &census, fates_of);
    if (st == C3D_OK) {
        count_changes(frames, &census);
        take_samples(frames, samples, &census, fates_of);
        for (size_t i = 0; i < frames->n; i++) census.fates[fates_of[i]]++;
        *out = census;
    } else {
        c3d_census_free(&census);
    }
    free(fates_of);
    return st;
}

void c3d_census_free(c3d_census *census)
{
    free(census->missing_share);
    for (int split = 0; split < C3D_N_SPLITS; split++) free(census->samples[split]);
    free(census->scenes);
    *census = (c3d_census){ 0 };
}
