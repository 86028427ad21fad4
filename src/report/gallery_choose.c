#include "report/gallery.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const size_t wanted[N_GALLERY_KINDS] = { 5, 5, 3 };

/* ---- what the networks said ------------------------------------------------------------------ */

static const float *scores_of(const gallery *of, int r, size_t row)
{
    return of->tables[r].scores + row * (size_t)of->tables[r].n_outputs;
}

int report_gallery_called(const gallery *of, int r, size_t row)
{
    const float *scores = scores_of(of, r, row);

    if (of->tables[r].n_outputs == 1) return (double)scores[0] > of->thresholds[r];
    return c3d_class_predicted(scores, of->tables[r].n_outputs);
}

double report_gallery_score(const gallery *of, int r, size_t row)
{
    const float *scores = scores_of(of, r, row);

    if (of->tables[r].n_outputs == 1) return (double)scores[0];
    return (double)scores[report_gallery_called(of, r, row)];
}

/* How sure the network is that the label is wrong: the larger, the worse. */
static double wrongness(const gallery *of, int r, size_t row)
{
    const float *scores = scores_of(of, r, row);
    const int label = of->tables[r].labels[row], n = of->tables[r].n_outputs;

    if (n == 1) return label ? 1 - (double)scores[0] : (double)scores[0];
    return label < n ? 1 - (double)scores[label] : 1;
}

static gallery_kind kind_for(const gallery *of, int r, size_t row)
{
    const int label = of->tables[r].labels[row], called = report_gallery_called(of, r, row);

    if (label == 0) return called > 0 ? GALLERY_ALARM : N_GALLERY_KINDS;
    return called == label ? GALLERY_HIT : GALLERY_MISS;
}

static gallery_kind kind_of(const gallery *of, size_t row)
{
    gallery_kind kind = kind_for(of, 0, row);

    for (int r = 1; r < of->n_runs; r++) {
        const gallery_kind other = kind_for(of, r, row);
        if (other == GALLERY_MISS || other == GALLERY_ALARM) kind = other;
    }
    return kind;
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool is_same_list(const c3d_score_table *a, const c3d_score_table *b)
{
    if (a->n != b->n) return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->rows[i].sample_id != b->rows[i].sample_id || a->labels[i] != b->labels[i])
            return false;
    return true;
}

static double threshold_of(const report_run *run, int split)
{
    const char *text = report_run_setting(run, "evaluation.threshold");
    double threshold;

    if (c3d_json_get_real(run->evaluations[split], "threshold", &threshold)) return threshold;
    return text && c3d_parse_real(text, &threshold) ? threshold : 0.9;
}

/* A table that was cut at the end of a line reads as a whole one. */
static bool is_of_evaluation(const report_run *run, const c3d_score_table *table, gallery *of)
{
    const char *split = report_split_names[of->split];

    if (c3d_scores_belong(table, run->evaluations[of->split])) return true;
    c3d_text_add(&of->unlike,
                 "%s: scores-%s.csv is not what evaluation-%s.json was made with; no pictures of "
                 "it are shown; c3d-evaluate %s --split %s writes both again.\n",
                 run->label, split, split, run->path, split);
    return false;
}

static c3d_status add_run(const report_page *page, int i, gallery *of)
{
    const report_run *run = &page->runs[i];
    char path[C3D_PATH_MAX], name[64];
    c3d_score_table *table = &of->tables[of->n_runs];

    (void)snprintf(name, sizeof name, "scores-%s.csv", report_split_names[of->split]);
    C3D_TRY(c3d_path_join(path, run->path, name));
    if (!c3d_path_exists(path)) return C3D_OK;
    C3D_TRY(c3d_score_table_read(path, table));
    if (!is_of_evaluation(run, table, of)) {
        c3d_score_table_free(table);
        *table = (c3d_score_table){ 0 };
        return C3D_OK;
    }
    if (of->n_runs > 0 && !is_same_list(&of->tables[0], table)) {
        c3d_text_add(&of->left_out, "%s%s", of->left_out.length ? ", " : "", run->label);
        c3d_score_table_free(table);
        *table = (c3d_score_table){ 0 };
        return C3D_OK;
    }
    of->thresholds[of->n_runs] = threshold_of(run, of->split);
    of->runs[of->n_runs++] = i;
    return C3D_OK;
}

static c3d_status read_runs(const report_page *page, int first, gallery *of)
{
    char path[C3D_PATH_MAX];

    for (of->split = 0; of->split < 2; of->split++) {
        for (int i = first; i < page->n_runs; i++)
            if (strcmp(page->runs[i].store, page->runs[first].store) == 0)
                C3D_TRY(add_run(page, i, of));
        if (of->n_runs > 0) break;
    }
    if (of->n_runs == 0) return C3D_OK;
    C3D_TRY(c3d_path_join(path, page->runs[first].store, "samples.csv"));
    return c3d_samples_read(path, &of->samples);
}

/* ---- choosing -------------------------------------------------------------------------------- */

typedef struct chooser {
    gallery *of;
    gallery_kind *kinds; /* [n rows] */
} chooser;

static bool is_taken(const gallery *of, size_t row)
{
    const c3d_score_row *rows = of->tables[0].rows;

    for (size_t i = 0; i < of->n; i++)
        if (rows[of->rows[i]].frame_id == rows[row].frame_id) return true;
    return false;
}

/* Of the rows of a kind that are one for run r the best to show; false: none is left. */
static bool take_next(chooser *by, gallery_kind kind, int r)
{
    gallery *of = by->of;
    double best = -INFINITY;
    size_t chosen = 0;

    for (size_t row = 0; row < of->tables[0].n; row++) {
        if (by->kinds[row] != kind || kind_for(of, r, row) != kind) continue;
        const uint64_t id = (uint64_t)of->tables[0].rows[row].sample_id;
        const double rank = kind == GALLERY_HIT
                                ? c3d_random_unit(1, C3D_STREAM(C3D_PURPOSE_SUBSET, 2000), id)
                                : wrongness(of, r, row);
        if (rank <= best || is_taken(of, row)) continue;
        best = rank;
        chosen = row;
    }
    if (!isfinite(best)) return false;
    of->rows[of->n] = (uint32_t)chosen;
    of->kinds[of->n++] = kind;
    return true;
}

static void take_kind(chooser *by, gallery_kind kind)
{
    const size_t end = by->of->n + wanted[kind];
    bool is_left = true;

    while (is_left && by->of->n < end) {
        is_left = false;
        for (int r = 0; r < by->of->n_runs && by->of->n < end; r++)
            is_left = take_next(by, kind, r) || is_left;
    }
}

static c3d_status choose(gallery *of)
{
    const size_t n = of->tables[0].n, n_most = wanted[0] + wanted[1] + wanted[2];
    chooser by = { of, c3d_calloc(n, sizeof *by.kinds) };

    of->rows = c3d_calloc(n_most, sizeof *of->rows);
    of->kinds = c3d_calloc(n_most, sizeof *of->kinds);
    if (by.kinds && of->rows && of->kinds) {
        for (size_t row = 0; row < n; row++) {
            by.kinds[row] = kind_of(of, row);
            if (by.kinds[row] < N_GALLERY_KINDS) of->n_of[by.kinds[row]]++;
        }
        for (int kind = 0; kind < N_GALLERY_KINDS; kind++) take_kind(&by, (gallery_kind)kind);
    }
    free(by.kinds);
    return of->rows && of->kinds ? C3D_OK : C3D_ENOMEM;
}

c3d_status report_gallery_choose(const report_page *page, int first, gallery *out)
{
    *out = (gallery){ 0 };
    C3D_TRY(read_runs(page, first, out));
    return out->n_runs > 0 ? choose(out) : C3D_OK;
}

void report_gallery_free(gallery *of)
{
    for (int r = 0; r < C3D_REPORT_MAX_RUNS; r++) c3d_score_table_free(&of->tables[r]);
    c3d_samples_free(&of->samples);
    c3d_text_free(&of->left_out);
    c3d_text_free(&of->unlike);
    free(of->rows);
    free(of->kinds);
    *of = (gallery){ 0 };
}
