/* Which scenes a preview shows: some of every kind, drawn so that the same dataset gives the same.
 */
#include "labels.h"
#include "preview.h"

#include <stdlib.h>

typedef struct candidate {
    double order; /* the smallest are taken */
    size_t frame;
} candidate;

typedef struct chooser {
    const c3d_frames *frames;
    const c3d_store *store;
    size_t n; /* of each kind */
    uint64_t seed;
    preview_scene *all; /* [frames->n]; reasons are bits of what is chosen */
    bool *is_present;
    candidate *candidates;
    size_t n_candidates;
} chooser;

static c3d_frame_label label_of(const c3d_frames *frames, size_t frame, int year)
{
    return frames->labels[frame * (size_t)frames->n_years + (size_t)year];
}

static c3d_frame_label last_label(const c3d_frames *frames, size_t frame)
{
    for (int k = frames->n_years - 1; k >= 0; k--)
        if (label_of(frames, frame, k) != C3D_FRAME_UNLABELLED) return label_of(frames, frame, k);
    return C3D_FRAME_UNLABELLED;
}

/* ---- facts ----------------------------------------------------------------------------------- */

static c3d_status find_missing(chooser *by)
{
    const int n_months = by->store->n_months;
    float *shares = c3d_calloc((size_t)n_months, sizeof *shares);
    c3d_status st = shares ? C3D_OK : C3D_ENOMEM;

    for (size_t i = 0; st == C3D_OK && i < by->frames->n; i++) {
        const int64_t frame_id = by->frames->rows[i].frame_id;
        double sum = 0;
        by->all[i].frame = i;
        by->all[i].label = last_label(by->frames, i);
        for (int p = 0; p < by->store->n_periods; p++)
            if (c3d_store_scene_status(by->store, frame_id, p) == C3D_SCENE_PRESENT)
                by->is_present[i] = true;
        if (!by->is_present[i]) continue;
        st = c3d_store_read_missing(by->store, frame_id, shares);
        for (int m = 0; m < n_months; m++) sum += (double)shares[m];
        by->all[i].missing = sum / n_months;
    }
    free(shares);
    return st;
}

static bool fits(const chooser *by, size_t frame, preview_reason reason)
{
    const c3d_frames *frames = by->frames;
    bool is_uncertain = false, has_changed = false, is_hard = false;

    if (!by->is_present[frame]) return false;
    for (int k = 0; k < frames->n_years; k++) {
        if (label_of(frames, frame, k) == C3D_FRAME_UNCERTAIN) is_uncertain = true;
        if (frames->hard && frames->hard[frame * (size_t)frames->n_years + (size_t)k])
            is_hard = true;
        if (c3d_label_changes(frames, frame, k)) has_changed = true;
    }
    switch (reason) {
    case PREVIEW_CHANGED: return has_changed;
    case PREVIEW_UNCERTAIN: return is_uncertain;
    case PREVIEW_HARD: return is_hard;
    case PREVIEW_EDITED: return frames->rows[frame].edited;
    case PREVIEW_MISSING: return by->all[frame].missing > 0;
    case PREVIEW_DRAWN:
    case N_PREVIEW_REASONS: break;
    }
    return true;
}

/* ---- drawing --------------------------------------------------------------------------------- */

static int by_order(const void *a, const void *b)
{
    const candidate *left = a, *right = b;

    if (left->order != right->order) return left->order < right->order ? -1 : 1;
    return (left->frame > right->frame) - (left->frame < right->frame);
}

static void add_candidate(chooser *by, size_t frame, preview_reason reason)
{
    const double order =
        reason == PREVIEW_MISSING
            ? -by->all[frame].missing
            : c3d_random_unit(by->seed, C3D_STREAM(C3D_PURPOSE_SUBSET, 1000 + (int)reason),
                              (uint64_t)by->frames->rows[frame].frame_id);

    by->candidates[by->n_candidates++] = (candidate){ order, frame };
}

static void take_candidates(chooser *by, preview_reason reason)
{
    qsort(by->candidates, by->n_candidates, sizeof *by->candidates, by_order);
    for (size_t i = 0; i < by->n_candidates && i < by->n; i++)
        by->all[by->candidates[i].frame].reasons |= 1U << reason;
    by->n_candidates = 0;
}

/* Every label in every split. */
static void draw(chooser *by)
{
    const c3d_frames *frames = by->frames;

    for (int split = 0; split <= (int)C3D_SPLIT_NONE; split++) {
        for (int label = C3D_FRAME_UNLABELLED; label <= c3d_frames_n_labels(frames); label++) {
            for (size_t i = 0; i < frames->n; i++)
                if (by->is_present[i] && (int)frames->rows[i].split == split &&
                    by->all[i].label == label)
                    add_candidate(by, i, PREVIEW_DRAWN);
            take_candidates(by, PREVIEW_DRAWN);
        }
    }
}

static void take_special(chooser *by, size_t n_found[N_PREVIEW_REASONS])
{
    for (int reason = PREVIEW_CHANGED; reason < (int)N_PREVIEW_REASONS; reason++) {
        for (size_t i = 0; i < by->frames->n; i++)
            if (fits(by, i, (preview_reason)reason)) add_candidate(by, i, (preview_reason)reason);
        n_found[reason] = by->n_candidates;
        take_candidates(by, (preview_reason)reason);
    }
}

/* ---- the choice ------------------------------------------------------------------------------ */

static _Thread_local const c3d_frames *sorted_frames;

static int by_split_and_label(const void *a, const void *b)
{
    const preview_scene *x = a, *y = b;
    const c3d_frame *p = &sorted_frames->rows[x->frame], *q = &sorted_frames->rows[y->frame];

    if (p->split != q->split) return (int)p->split - (int)q->split;
    if (x->label != y->label) return y->label - x->label;
    return (x->frame > y->frame) - (x->frame < y->frame);
}

static c3d_status collect(const chooser *by, preview_choice *out)
{
    for (size_t i = 0; i < by->frames->n; i++) out->n += by->all[i].reasons != 0;
    out->scenes = c3d_calloc(out->n + 1, sizeof *out->scenes);
    if (!out->scenes) return C3D_ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < by->frames->n; i++)
        if (by->all[i].reasons != 0) out->scenes[n++] = by->all[i];
    sorted_frames = by->frames;
    qsort(out->scenes, n, sizeof *out->scenes, by_split_and_label);
    return C3D_OK;
}

c3d_status c3d_preview_choose(const c3d_frames *frames, const c3d_store *store, int n,
                              uint64_t seed, preview_choice *out)
{
    chooser by = { .frames = frames, .store = store, .n = (size_t)n, .seed = seed };
    preview_choice choice = { 0 };
    c3d_status st = C3D_ENOMEM;

    by.all = c3d_calloc(frames->n + 1, sizeof *by.all);
    by.is_present = c3d_calloc(frames->n + 1, sizeof *by.is_present);
    by.candidates = c3d_calloc(frames->n + 1, sizeof *by.candidates);
    if (by.all && by.is_present && by.candidates) st = find_missing(&by);
    if (st == C3D_OK) {
        draw(&by);
        take_special(&by, choice.n_found);
        st = collect(&by, &choice);
    }
    free(by.all);
    free(by.is_present);
    free(by.candidates);
    if (st == C3D_OK) *out = choice;
    return st;
}

void c3d_preview_choice_free(preview_choice *choice)
{
    free(choice->scenes);
    *choice = (preview_choice){ 0 };
}
