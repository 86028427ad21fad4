/* How many frames (and label years) each label has where a list was drawn from. */
#include "facts.h"

#include <stdlib.h>
#include <string.h>

typedef struct universe {
    bool splits[C3D_SPLIT_NONE + 1]; /* of frames that samples of the list are of */
    bool folds[100];
    bool *years; /* [frames.n_years] that samples of the list have */
    bool is_series, both_agree;
    const char *series_label;
} universe;

static void read_settings(const fact_finder *in, universe *of)
{
    const c3d_json *settings = c3d_json_get(in->dataset->info.json, "settings");
    const char *text;

    of->series_label = "any";
    (void)c3d_json_get_string(settings, "series_label", &of->series_label);
    of->is_series = c3d_json_get_string(settings, "samples", &text) && strcmp(text, "series") == 0;
    of->both_agree =
        c3d_json_get_string(settings, "label_year", &text) && strcmp(text, "both_agree") == 0;
}

static void find_universe(const fact_finder *in, universe *of)
{
    const c3d_frames *frames = in->frames;

    read_settings(in, of);
    for (size_t i = 0; i < in->list->n; i++) {
        const c3d_sample *sample = &in->dataset->samples.rows[in->list->index[i]];
        if (in->frame[i] == (size_t)-1) continue;
        of->splits[frames->rows[in->frame[i]].split] = true;
        if (sample->fold >= 0 && sample->fold < (int)C3D_COUNT(of->folds))
            of->folds[sample->fold] = true;
        for (int k = 0; k < frames->n_years; k++)
            if (frames->years[k] == sample->label_year || frames->n_years == 1) of->years[k] = true;
    }
}

static bool is_of(const fact_finder *in, const universe *of, const c3d_frame *frame)
{
    if (c3d_dataset_get_fold(in->dataset) < 0) return of->splits[frame->split];
    return frame->split != C3D_SPLIT_NONE && frame->fold >= 0 &&
           frame->fold < (int)C3D_COUNT(of->folds) && of->folds[frame->fold];
}

/* As a series' label is made of its years' (data.series_label), -1 where that is open. */
static int series_label(const universe *of, const c3d_frame_label *labels, int n_years)
{
    const bool is_all = strcmp(of->series_label, "all") == 0;
    bool is_open = false, has_negative = false;
    int class = 0;

    if (strcmp(of->series_label, "last") == 0) return labels[n_years - 1];
    for (int k = 0; k < n_years; k++) {
        if (is_all && labels[k] > 0 && class > 0 && labels[k] != class) is_open = true;
        is_open = is_open || labels[k] < 0;
        has_negative = has_negative || labels[k] == 0;
        if (labels[k] > 0) class = labels[k];
    }
    if (!is_all) return class > 0 ? class : is_open ? -1 : 0;
    return has_negative ? 0 : is_open ? -1 : class;
}

static void count(const fact_finder *in, int label)
{
    if (label >= 0 && label < in->facts->n_labels) in->facts->population[label]++;
}

static void count_frame(const fact_finder *in, const universe *of, size_t row)
{
    const int n_years = in->frames->n_years;
    const c3d_frame_label *labels = in->frames->labels + row * (size_t)n_years;

    if (of->is_series) {
        count(in, series_label(of, labels, n_years));
        return;
    }
    for (int k = 0; k < n_years; k++) {
        const bool has_before = k > 0 && in->frames->years[k - 1] == in->frames->years[k] - 1;
        if (!of->years[k]) continue;
        if (of->both_agree && n_years > 1 && (!has_before || labels[k - 1] != labels[k])) continue;
        count(in, labels[k]);
    }
}

c3d_status c3d_facts_population(const fact_finder *in)
{
    universe of = { .years = c3d_calloc((size_t)in->frames->n_years + 1, sizeof(bool)) };

    if (!of.years) return C3D_ENOMEM;
    find_universe(in, &of);
    for (size_t i = 0; i < in->frames->n && in->frames->n_years > 0; i++)
        if (is_of(in, &of, &in->frames->rows[i])) count_frame(in, &of, i);
    free(of.years);
    return C3D_OK;
}
