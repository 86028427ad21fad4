#include "samples.h"

#include "hard_negatives.h"

#include <stdlib.h>
#include <string.h>

/* A run of months that one label is for. */
typedef struct span {
    int year; /* of the images */
    int label_year;
    int first, n; /* of the months of all periods */
} span;

typedef struct maker {
    const c3d_dataset_desc *desc;
    const c3d_frames *frames;
    const c3d_store *store;
    int n_months, n_spans;
    c3d_date *months;     /* of all periods */
    span *spans;          /* [n_months] room */
    float *missing_share; /* [n_months] of the frame in hand */
    bool *is_present;     /* [n_months] of the frame in hand: whether the month's period has it */
    c3d_samples made;
    size_t capacity;
} maker;

/* ---- labels: 0 negative, from 1 on a class, -1 not decided -------------------------------------
 */

static int decide_index(const maker *by, size_t frame, int year_index)
{
    const c3d_frames *frames = by->frames;
    const c3d_frame_label label =
        frames->labels[frame * (size_t)frames->n_years + (size_t)year_index];

    return label >= C3D_FRAME_NEGATIVE ? label : -1;
}

static int decide_year(const maker *by, size_t frame, int year)
{
    for (int i = 0; i < by->frames->n_years; i++)
        if (by->frames->years[i] == year) return decide_index(by, frame, i);
    return -1;
}

static bool has_label_period(const maker *by)
{
    return by->desc->label_first != 0;
}

/* Scenes of a list with one label each: of no year, for all months. */
static bool is_of_no_year(const maker *by)
{
    return by->frames->n_years == 1 && by->frames->years[0] == 0;
}

static int decide_span(const maker *by, size_t frame, const span *of)
{
    if (is_of_no_year(by)) return decide_index(by, frame, 0);
    if (has_label_period(by)) return by->frames->n_years > 0 ? decide_index(by, frame, 0) : -1;
    const int label = decide_year(by, frame, of->label_year);
    if (by->desc->label_year != C3D_YEAR_BOTH_AGREE) return label;
    return decide_year(by, frame, of->year - 1) == label ? label : -1;
}

/* Over all label years. any: the class of the last year that has one. all: the class of every year.
 * An undecided year matters only where it could change the answer to "negative or not"; years of
 * different classes are undecided under `all`. */
static int decide_series(const maker *by, size_t frame)
{
    const int n = by->frames->n_years;
    bool has_negative = false, is_open = false;
    int class = 0;

    if (n == 0) return -1;
    if (by->desc->series_label == C3D_SERIES_LAST) return decide_index(by, frame, n - 1);
    for (int i = 0; i < n; i++) {
        const int label = decide_index(by, frame, i);

        if (by->desc->series_label == C3D_SERIES_ALL && label > 0 && class > 0 && label != class)
            is_open = true;
        is_open |= label < 0;
        has_negative |= label == 0;
        if (label > 0) class = label;
    }
    if (by->desc->series_label == C3D_SERIES_ANY) return class > 0 ? class : is_open ? -1 : 0;
    if (has_negative) return 0;
    return is_open ? -1 : class;
}

/* ---- spans ------------------------------------------------------------------------------------
 */

/* Months without a day are compared as the first of the month. */
static int comparable(c3d_date date)
{
    return date % 100 == 0 ? date + 1 : date;
}

static void add_month(maker *by, int month, int year)
{
    span *last = by->n_spans > 0 ? &by->spans[by->n_spans - 1] : NULL;

    if (last && last->year == year) {
        last->n++;
        return;
    }
    const int label_year = by->desc->label_year == C3D_YEAR_PREVIOUS ? year - 1 : year;
    by->spans[by->n_spans++] = (span){ year, label_year, month, 1 };
}

static void find_period_span(maker *by)
{
    const int first = comparable(by->desc->label_first);
    const int last =
        by->desc->label_last % 100 == 0 ? by->desc->label_last + 31 : by->desc->label_last;

    for (int i = 0; i < by->n_months; i++) {
        const int date = comparable(by->months[i]);
        if (date >= first && date <= last)
            add_month(by, i, by->frames->n_years > 0 ? by->frames->years[0] : 0);
    }
    if (by->n_spans > 0) by->spans[0].label_year = by->spans[0].year;
}

static bool is_year_labelled(const maker *by, const span *of)
{
    bool has_label = is_of_no_year(by) || (has_label_period(by) && by->frames->n_years > 0);

    for (int i = 0; i < by->frames->n_years; i++)
        has_label |= by->frames->years[i] == of->label_year;
    return has_label;
}

/* A network is trained on samples of one length: years with fewer months than the longest are left
 * out, and said. */
static void keep_whole_years(maker *by)
{
    int longest = 0, n_kept = 0;

    for (int i = 0; i < by->n_spans; i++)
        if (by->spans[i].n > longest) longest = by->spans[i].n;
    for (int i = 0; i < by->n_spans; i++) {
        const span *of = &by->spans[i];
        if (of->n == longest)
            by->spans[n_kept++] = *of;
        else if (is_year_labelled(by, of))
            c3d_log_warn("samples: %d has %d of %d months and is left out", of->year, of->n,
                         longest);
    }
    by->n_spans = n_kept;
}

static void find_spans(maker *by)
{
    if (has_label_period(by))
        find_period_span(by);
    else
        for (int i = 0; i < by->n_months; i++) add_month(by, i, by->months[i] / 10000);
    if (by->desc->samples == C3D_SAMPLES_YEARLY) keep_whole_years(by);
}

/* ---- samples ----------------------------------------------------------------------------------
 */

static c3d_status add(maker *by, const c3d_sample *sample)
{
    if (by->made.n == by->capacity) {
        const size_t capacity = by->capacity ? 2 * by->capacity : 1024;
        c3d_sample *rows = c3d_calloc(capacity, sizeof *rows);
        if (!rows) return C3D_ENOMEM;
        if (by->made.n > 0) memcpy(rows, by->made.rows, by->made.n * sizeof *rows);
        free(by->made.rows);
        by->made.rows = rows;
        by->capacity = capacity;
    }
    by->made.rows[by->made.n++] = *sample;
    return C3D_OK;
}

/* A sample needs the frame in all periods that its months touch. */
static bool is_span_present(const maker *by, int first, int n)
{
    for (int month = first; month < first + n; month++)
        if (!by->is_present[month]) return false;
    return true;
}

static c3d_status make_series(maker *by, size_t frame, c3d_sample sample)
{
    sample.label = is_span_present(by, 0, by->n_months) ? decide_series(by, frame) : -1;
    if (sample.label < 0) return C3D_OK;
    sample.sample_id = sample.frame_id;
    sample.first_month = by->months[0];
    sample.n_months = by->n_months;
    sample.label_year = by->frames->years[by->frames->n_years - 1];
    return add(by, &sample);
}

static c3d_status make_yearly(maker *by, size_t frame, c3d_sample sample)
{
    for (int i = 0; i < by->n_spans; i++) {
        const span *of = &by->spans[i];
        sample.label = decide_span(by, frame, of);
        if (sample.label < 0 || !is_span_present(by, of->first, of->n)) continue;
        sample.sample_id = sample.frame_id * 10000 + of->label_year;
        sample.first_month = by->months[of->first];
        sample.n_months = of->n;
        sample.label_year = of->label_year;
        C3D_TRY(add(by, &sample));
    }
    return C3D_OK;
}

/* A month that is missing by more than the limit is a picture of its neighbours: no sample. */
static c3d_status make_monthly(maker *by, size_t frame, c3d_sample sample)
{
    for (int i = 0; i < by->n_spans; i++) {
        const span *of = &by->spans[i];
        sample.label = decide_span(by, frame, of);
        sample.label_year = of->label_year;
        sample.n_months = 1;
        for (int month = of->first; sample.label >= 0 && month < of->first + of->n; month++) {
            const double missing = (double)by->missing_share[month];
            if (!by->is_present[month]) continue;
            if (missing >= 1 || missing > by->desc->max_missing_share) continue;
            sample.sample_id = sample.frame_id * 100000000 + by->months[month];
            sample.first_month = by->months[month];
            C3D_TRY(add(by, &sample));
        }
    }
    return C3D_OK;
}

static bool find_present(maker *by, int64_t frame_id)
{
    bool is_present_once = false;
    int month = 0;

    for (int period = 0; period < by->store->n_periods; period++) {
        const bool is_present =
            c3d_store_scene_status(by->store, frame_id, period) == C3D_SCENE_PRESENT;
        const int end = month + by->store->periods[period].n_months;
        for (; month < end; month++) by->is_present[month] = is_present;
        is_present_once = is_present_once || is_present;
    }
    return is_present_once;
}

static c3d_status make_frame(maker *by, size_t i)
{
    const c3d_frame *frame = &by->frames->rows[i];
    const c3d_sample sample = { .frame_id = frame->frame_id,
                                .split = frame->split,
                                .fold = frame->fold };

    if (frame->split == C3D_SPLIT_NONE || !find_present(by, frame->frame_id)) return C3D_OK;
    if (frame->frame_id < 0 || frame->frame_id > INT64_MAX / 200000000)
        return C3D_FAIL(C3D_EDATA, "frames.gpkg: frame_id %lld is out of range",
                        (long long)frame->frame_id);
    if (by->desc->samples == C3D_SAMPLES_MONTHLY)
        C3D_TRY(c3d_store_read_missing(by->store, frame->frame_id, by->missing_share));
    switch (by->desc->samples) {
    case C3D_SAMPLES_SERIES: return make_series(by, i, sample);
    case C3D_SAMPLES_YEARLY: return make_yearly(by, i, sample);
    case C3D_SAMPLES_MONTHLY: break;
    }
    return make_monthly(by, i, sample);
}

c3d_status c3d_samples_make(const c3d_dataset_desc *desc, const c3d_frames *frames,
                            const c3d_store *store, c3d_samples *out)
{
    const size_t n_months = (size_t)store->n_months;
    maker by = { .desc = desc, .frames = frames, .store = store, .n_months = store->n_months };
    c3d_status st = C3D_OK;

    by.months = c3d_calloc(n_months, sizeof *by.months);
    by.spans = c3d_calloc(n_months, sizeof *by.spans);
    by.missing_share = c3d_calloc(n_months, sizeof *by.missing_share);
    by.is_present = c3d_calloc(n_months, sizeof *by.is_present);
    if (!by.months || !by.spans || !by.missing_share || !by.is_present) st = C3D_ENOMEM;
    if (st == C3D_OK) {
        c3d_store_months(store, by.months);
        find_spans(&by);
    }
    for (size_t i = 0; st == C3D_OK && i < frames->n; i++) st = make_frame(&by, i);
    free(by.months);
    free(by.spans);
    free(by.missing_share);
    free(by.is_present);
    if (st == C3D_OK) st = c3d_samples_split_by_years(desc, &by.made);
    if (st == C3D_OK) st = c3d_samples_thin(desc, frames, &by.made);
    if (st == C3D_OK)
        *out = by.made;
    else
        c3d_samples_free(&by.made);
    return st;
}
