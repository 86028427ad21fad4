#include "leak.h"

#include "frames.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- views ------------------------------------------------------------------------------------
 */

static const uint64_t *when_of(const leak_view *view, size_t frame, int split)
{
    return view->when + (frame * C3D_N_SPLITS + (size_t)split) * (size_t)view->n_words;
}

bool c3d_leak_is_in(const leak_view *view, size_t frame, int split)
{
    const uint64_t *when = when_of(view, frame, split);
    bool is_in = false;

    for (int w = 0; w < view->n_words; w++) is_in |= when[w] != 0;
    return is_in;
}

bool c3d_leak_is_in_month(const leak_view *view, size_t frame, int split, int month)
{
    return month < 64 * view->n_words &&
           (when_of(view, frame, split)[month / 64] >> (month % 64) & 1) != 0;
}

static bool do_share(const uint64_t *a, const uint64_t *b, int n_words)
{
    for (int w = 0; w < n_words; w++)
        if (a[w] & b[w]) return true;
    return false;
}

bool c3d_leak_meet(const leak_view *view, size_t a, int s, size_t b, int t)
{
    return do_share(when_of(view, a, s), when_of(view, b, t), view->n_words);
}

bool c3d_leak_conflict(const leak_view *view, size_t a, size_t b, c3d_split splits[2])
{
    for (int s = 0; s < C3D_N_SPLITS; s++)
        for (int t = 0; t < C3D_N_SPLITS; t++) {
            if (s == t || !c3d_leak_meet(view, a, s, b, t)) continue;
            splits[0] = (c3d_split)s;
            splits[1] = (c3d_split)t;
            return true;
        }
    return false;
}

void c3d_leak_note(leak_pairs *pairs, const leak_view *view, const size_t frames[2],
                   const c3d_split splits[2])
{
    if (pairs->n == LEAK_EXAMPLES) return;
    leak_pair *pair = &pairs->rows[pairs->n++];
    for (int i = 0; i < 2; i++) {
        pair->frames[i] = view->frames->rows[frames[i]].frame_id;
        pair->splits[i] = splits[i];
    }
    pair->difference = (double)NAN;
}

/* The months of the store; none without one. */
typedef struct calendar {
    int n;
    c3d_date *months;
} calendar;

static void mark(const leak_input *in, const calendar *known, const c3d_sample *sample,
                 leak_view *view)
{
    const size_t frame = c3d_frames_find(in->frames, sample->frame_id);
    int first = 0, n = sample->n_months;

    if (frame == (size_t)-1 || sample->split >= C3D_N_SPLITS) return;
    uint64_t *when = view->when + (frame * C3D_N_SPLITS + sample->split) * (size_t)view->n_words;
    while (first < known->n && known->months[first] != sample->first_month) first++;
    if (first == known->n) { /* unknown months: it meets all */
        first = 0;
        n = 64 * view->n_words;
    }
    for (int m = first; m < first + n && m < 64 * view->n_words; m++)
        when[m / 64] |= (uint64_t)1 << (m % 64);
}

/* Fold f as c3d_samples_choose_fold has it, but whatever remains. */
static c3d_split split_in_fold(const c3d_sample *sample, int fold, int n_folds)
{
    if (sample->split == C3D_SPLIT_NONE || sample->fold < 0) return C3D_SPLIT_NONE;
    if (sample->fold == fold) return C3D_SPLIT_TEST;
    return sample->fold == (fold + 1) % n_folds ? C3D_SPLIT_VALIDATION : C3D_SPLIT_TRAIN;
}

static void fill_view(const leak_input *in, const calendar *known, int fold, int n_folds,
                      leak_view *view)
{
    const size_t n = in->frames->n * C3D_N_SPLITS * (size_t)view->n_words;

    memset(view->when, 0, n * sizeof *view->when);
    for (size_t i = 0; i < in->samples->n; i++) {
        c3d_sample sample = in->samples->rows[i];
        if (fold >= 0) sample.split = split_in_fold(&sample, fold, n_folds);
        mark(in, known, &sample, view);
    }
}

/* ---- groups -----------------------------------------------------------------------------------
 */

typedef struct member {
    int64_t group;
    size_t frame;
} member;

static int compare_members(const void *a, const void *b)
{
    const member *x = a, *y = b;

    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    return (x->frame > y->frame) - (x->frame < y->frame);
}

static void judge_group(const leak_view *view, const member *members, size_t n, c3d_leak *leak)
{
    size_t frames[2];
    c3d_split splits[2] = { C3D_SPLIT_NONE, C3D_SPLIT_NONE };

    for (size_t i = 0; i < n; i++)
        for (int s = 0; s < C3D_N_SPLITS; s++) {
            if (!c3d_leak_is_in(view, members[i].frame, s)) continue;
            const int which = splits[0] == C3D_SPLIT_NONE ? 0 : 1;
            if (which == 1 && splits[0] == (c3d_split)s) continue;
            frames[which] = members[i].frame;
            splits[which] = (c3d_split)s;
            if (which == 0) continue;
            leak->n_groups++;
            c3d_leak_note(&leak->groups, view, frames, splits);
            return;
        }
}

static c3d_status find_groups(const leak_view *view, c3d_leak *leak)
{
    const c3d_frames *frames = view->frames;
    member *members = c3d_calloc(frames->n + 1, sizeof *members);
    size_t n = 0;

    if (!members) return C3D_ENOMEM;
    for (size_t i = 0; i < frames->n; i++)
        if (frames->rows[i].group != 0) members[n++] = (member){ frames->rows[i].group, i };
    qsort(members, n, sizeof *members, compare_members);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && members[end].group == members[i].group;) end++;
        judge_group(view, members + i, end - i, leak);
    }
    free(members);
    return C3D_OK;
}

/* ---- equal scenes -----------------------------------------------------------------------------
 */

typedef struct scene {
    int period;
    uint64_t checksum;
    size_t frame;
    uint32_t shard, row;
} scene;

/* Runs of equal scenes of different frames, none constant. */
typedef struct scenes {
    size_t n, n_runs;
    scene *rows;
    size_t *begin; /* [n_runs][2] first and end */
} scenes;

static int compare_scenes(const void *a, const void *b)
{
    const scene *x = a, *y = b;

    if (x->period != y->period) return x->period < y->period ? -1 : 1;
    if (x->checksum != y->checksum) return x->checksum < y->checksum ? -1 : 1;
    return (x->frame > y->frame) - (x->frame < y->frame);
}

static c3d_status list_scenes(const leak_input *in, scenes *out)
{
    const c3d_store *store = in->store;

    out->rows = c3d_calloc(store->n_rows + 1, sizeof *out->rows);
    if (!out->rows) return C3D_ENOMEM;
    for (int s = 0; s < store->n_shards; s++) {
        c3d_shard *shard = store->shards[s];
        const int n = c3d_shard_get_shape(shard)->n_scenes;
        uint64_t *checksums = c3d_calloc((size_t)n + 1, sizeof *checksums);
        const c3d_status st = checksums ? c3d_shard_read_checksums(shard, checksums) : C3D_ENOMEM;

        for (int row = 0; st == C3D_OK && row < n; row++) {
            const size_t frame = c3d_frames_find(in->frames, c3d_shard_frame_ids(shard)[row]);
            if (store->status[s][row] != C3D_SCENE_PRESENT || frame == (size_t)-1) continue;
            out->rows[out->n++] =
                (scene){ store->period_of[s], checksums[row], frame, (uint32_t)s, (uint32_t)row };
        }
        free(checksums);
        C3D_TRY(st);
    }
    qsort(out->rows, out->n, sizeof *out->rows, compare_scenes);
    return C3D_OK;
}

/* Variance is 0 to rounding where n times the sum of squares is the square of the sum. */
static bool does_vary(const c3d_shard_shape *shape, const void *sum, const void *sum_squares,
                      const float *missing)
{
    const bool is_real = shape->dtype == C3D_F32 || shape->dtype == C3D_F64;

    for (int m = 0; m < shape->n_months; m++) {
        const double n = rint((1 - (double)missing[m]) * shape->size_px * shape->size_px);
        for (int b = 0; b < shape->n_bands; b++) {
            const int i = m * shape->n_bands + b;
            const double s = is_real ? ((const double *)sum)[i] : (double)((const int64_t *)sum)[i];
            const double q = is_real ? ((const double *)sum_squares)[i]
                                     : (double)((const int64_t *)sum_squares)[i];
            if (n * q - s * s > 1e-12 * s * s) return true;
        }
    }
    return false;
}

static c3d_status does_scene_vary(const c3d_store *store, const scene *of, bool *out)
{
    c3d_shard *shard = store->shards[of->shard];
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    const size_t n = (size_t)shape->n_months * (size_t)shape->n_bands;
    void *sum = c3d_calloc(n, 8), *sum_squares = c3d_calloc(n, 8);
    float *missing = c3d_calloc((size_t)shape->n_months, sizeof *missing);
    c3d_status st = sum && sum_squares && missing ? C3D_OK : C3D_ENOMEM;

    if (st == C3D_OK) st = c3d_shard_read_sums(shard, (int)of->row, sum, sum_squares, missing);
    if (st == C3D_OK) *out = does_vary(shape, sum, sum_squares, missing);
    free(sum);
    free(sum_squares);
    free(missing);
    return st;
}

static c3d_status find_runs(const leak_input *in, scenes *of)
{
    of->begin = c3d_calloc(of->n + 1, 2 * sizeof *of->begin);
    if (!of->begin) return C3D_ENOMEM;
    for (size_t i = 0, end; i < of->n; i = end) {
        bool varies = false;
        for (end = i + 1; end < of->n && of->rows[end].period == of->rows[i].period &&
                          of->rows[end].checksum == of->rows[i].checksum;)
            end++;
        if (end - i > 1) C3D_TRY(does_scene_vary(in->store, &of->rows[i], &varies));
        if (!varies) continue;
        of->begin[2 * of->n_runs] = i;
        of->begin[2 * of->n_runs++ + 1] = end;
    }
    return C3D_OK;
}

/* When any frame of the run is in each split, and the first one that is: with that, a run costs no
 * more than its length. */
typedef struct united {
    uint64_t *when; /* [C3D_N_SPLITS][n_words] */
    size_t *first;  /* [C3D_N_SPLITS][n_words][64] frames, where the bit of when is set */
} united;

static void unite(const leak_view *view, const scene *run, size_t n, united *out)
{
    const size_t n_words = C3D_N_SPLITS * (size_t)view->n_words;

    memset(out->when, 0, n_words * sizeof *out->when);
    for (size_t i = 0; i < n; i++)
        for (size_t w = 0; w < n_words; w++) {
            uint64_t added = when_of(view, run[i].frame, 0)[w] & ~out->when[w];
            out->when[w] |= added;
            for (; added; added &= added - 1)
                out->first[64 * w + (size_t)__builtin_ctzll(added)] = run[i].frame;
        }
}

/* Whether the frame has a month in one split that any of the run, or itself, has in another; of
 * the others, one that does, if any. */
static bool is_also_elsewhere(const leak_view *view, size_t frame, const united *all, size_t *other)
{
    const size_t n_words = (size_t)view->n_words;
    bool is_elsewhere = false;

    for (int s = 0; s < C3D_N_SPLITS; s++)
        for (size_t w = 0; w < C3D_N_SPLITS * n_words; w++) {
            if (w / n_words == (size_t)s) continue;
            const uint64_t both = when_of(view, frame, s)[w % n_words] & all->when[w];
            if (!both) continue;
            is_elsewhere = true;
            *other = all->first[64 * w + (size_t)__builtin_ctzll(both)];
            if (*other != frame) return true;
        }
    return is_elsewhere;
}

static void note_duplicate(const leak_view *view, size_t a, size_t b, leak_pairs *pairs)
{
    const size_t pair[2] = { a < b ? a : b, a < b ? b : a };
    c3d_split splits[2];

    for (int i = 0; i < pairs->n; i++)
        if (pairs->rows[i].frames[0] == view->frames->rows[pair[0]].frame_id &&
            pairs->rows[i].frames[1] == view->frames->rows[pair[1]].frame_id)
            return;
    if (a != b && c3d_leak_conflict(view, pair[0], pair[1], splits))
        c3d_leak_note(pairs, view, pair, splits);
}

static void judge_run(const leak_view *view, const scene *run, size_t n, bool *is_leaking,
                      c3d_leak *leak, united *all)
{
    unite(view, run, n, all);
    for (size_t i = 0; i < n; i++) {
        size_t other;
        if (!is_also_elsewhere(view, run[i].frame, all, &other)) continue;
        is_leaking[run[i].frame] = true;
        if (leak->duplicates.n < LEAK_EXAMPLES)
            note_duplicate(view, run[i].frame, other, &leak->duplicates);
    }
}

static c3d_status find_duplicates(const leak_view *view, const scenes *of, c3d_leak *leak)
{
    const size_t n_words = C3D_N_SPLITS * (size_t)view->n_words;
    bool *is_leaking = c3d_calloc(view->frames->n + 1, sizeof *is_leaking);
    united all = { c3d_calloc(n_words, sizeof *all.when),
                   c3d_calloc(64 * n_words, sizeof *all.first) };
    const c3d_status st = is_leaking && all.when && all.first ? C3D_OK : C3D_ENOMEM;

    for (size_t r = 0; st == C3D_OK && r < of->n_runs; r++) {
        const size_t first = of->begin[2 * r], end = of->begin[2 * r + 1];
        judge_run(view, of->rows + first, end - first, is_leaking, leak, &all);
    }
    for (size_t i = 0; st == C3D_OK && i < view->frames->n; i++)
        leak->n_duplicates += is_leaking[i];
    free(is_leaking);
    free(all.when);
    free(all.first);
    return st;
}

static void find_alike(const leak_view *view, const alike_pairs *pairs, c3d_leak *leak)
{
    for (size_t i = 0; i < pairs->n; i++) {
        const size_t frames[2] = { pairs->rows[i].frames[0], pairs->rows[i].frames[1] };
        c3d_split splits[2];
        if (!c3d_leak_conflict(view, frames[0], frames[1], splits)) continue;
        leak->n_alike++;
        if (leak->alike.n == LEAK_EXAMPLES) continue;
        c3d_leak_note(&leak->alike, view, frames, splits);
        leak->alike.rows[leak->alike.n - 1].difference = (double)pairs->rows[i].difference;
    }
}

/* ---- all views --------------------------------------------------------------------------------
 */

static int count_folds(const c3d_samples *samples)
{
    int n = 0;

    for (size_t i = 0; i < samples->n; i++)
        if (samples->rows[i].fold >= n) n = samples->rows[i].fold + 1;
    return n > 2 ? n : 0;
}

static c3d_status judge(const leak_input *in, const leak_view *view, const scenes *equal,
                        c3d_leak *leak)
{
    C3D_TRY(c3d_leak_places(view, leak));
    C3D_TRY(find_groups(view, leak));
    C3D_TRY(find_duplicates(view, equal, leak));
    if (in->alike) find_alike(view, in->alike, leak);
    return C3D_OK;
}

static c3d_status prepare(const leak_input *in, calendar *known, scenes *equal, leak_view *view)
{
    *view = (leak_view){ .frames = in->frames, .pieces = in->pieces, .n_words = 1 };
    if (in->store) {
        known->months = c3d_calloc((size_t)in->store->n_months + 1, sizeof *known->months);
        if (!known->months) return C3D_ENOMEM;
        c3d_store_months(in->store, known->months);
        known->n = in->store->n_months;
        view->n_words = (known->n + 63) / 64 > 0 ? (known->n + 63) / 64 : 1;
        C3D_TRY(list_scenes(in, equal));
        C3D_TRY(find_runs(in, equal));
    }
    view->when = c3d_calloc(in->frames->n * C3D_N_SPLITS * (size_t)view->n_words + 1, 8);
    return view->when ? C3D_OK : C3D_ENOMEM;
}

c3d_status c3d_leak_find(const leak_input *in, c3d_leaks *out)
{
    const int n_folds = count_folds(in->samples);
    c3d_leaks leaks = { .n = 1 + n_folds,
                        .has_alike = in->alike != NULL,
                        .is_cut = in->alike && in->alike->is_cut };
    calendar known = { 0 };
    scenes equal = { 0 };
    leak_view view;
    c3d_status st = prepare(in, &known, &equal, &view);

    leaks.rows = c3d_calloc((size_t)leaks.n, sizeof *leaks.rows);
    if (!leaks.rows) st = C3D_ENOMEM;
    for (int i = 0; st == C3D_OK && i < leaks.n; i++) {
        leaks.rows[i].fold = i - 1;
        fill_view(in, &known, i - 1, n_folds, &view);
        st = judge(in, &view, &equal, &leaks.rows[i]);
    }
    free(view.when);
    free(known.months);
    free(equal.rows);
    free(equal.begin);
    if (st == C3D_OK)
        *out = leaks;
    else
        free(leaks.rows);
    return st;
}

void c3d_leaks_free(c3d_leaks *leaks)
{
    free(leaks->rows);
    *leaks = (c3d_leaks){ 0 };
}
