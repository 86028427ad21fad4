#include "score/compare_run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int predicted(const c3d_compare_desc *desc, const float *scores, size_t sample)
{
    const float *row = scores + sample * (size_t)desc->n_outputs;

    if (desc->n_outputs > 1) return c3d_class_predicted(row, desc->n_outputs);
    return (double)*row > desc->threshold;
}

bool c3d_compare_is_right(const c3d_compare_desc *desc, const float *scores, size_t sample)
{
    return predicted(desc, scores, sample) == desc->labels[sample];
}

static void count(const c3d_compare_desc *desc, const float *scores, const c3d_blocks *blocks,
                  c3d_compare_run *out)
{
    const int n_outputs = desc->n_outputs;

    for (size_t i = 0; i < desc->n; i++) {
        const int said_class = predicted(desc, scores, i), is_class = desc->labels[i];
        c3d_counts *counts = out->counts + blocks->of[i] * (size_t)n_outputs;
        for (int k = 0; k < n_outputs; k++) {
            const int asked = n_outputs > 1 ? k : 1;
            const bool said = said_class == asked, is = is_class == asked;
            const double off = (double)scores[i * (size_t)n_outputs + (size_t)k] - is;
            counts[k].tp += said && is;
            counts[k].fp += said && !is;
            counts[k].tn += !said && !is;
            counts[k].fn += !said && is;
            out->squares[blocks->of[i]] += off * off;
        }
    }
}

/* Means over the outputs of which they are defined, and how many those are. */
typedef struct means {
    double sum[C3D_N_COMPARED];
    int n[C3D_N_COMPARED];
} means;

static void means_add(means *to, int metric, double value)
{
    if (isnan(value)) return;
    to->sum[metric] += value;
    to->n[metric]++;
}

/* Of the counts in run->sums; without the Brier score, and accuracy of one output only. */
static means measure_outputs(const c3d_compare_run *run, const c3d_blocks *blocks,
                             const uint32_t *times)
{
    means of = { 0 };

    for (int k = 0; k < run->n_outputs; k++) {
        const c3d_ranking *ranking = &run->rankings[k];
        for (int m = 0; m < C3D_N_METRICS; m++)
            means_add(&of, C3D_COMPARE_COUNTS + m, c3d_metric_of(run->sums[k], (c3d_metric)m));
        means_add(&of, C3D_COMPARE_AUC, c3d_ranking_auc(ranking, blocks->of, times));
        means_add(&of, C3D_COMPARE_AVERAGE_PRECISION,
                  c3d_ranking_average_precision(ranking, blocks->of, times));
    }
    return of;
}

static double total_accuracy(const c3d_compare_run *run)
{
    const c3d_counts *c = run->sums;
    double right = 0;

    if (run->n_outputs == 1) return c3d_metric_of(*c, C3D_METRIC_ACCURACY);
    for (int k = 0; k < run->n_outputs; k++) right += (double)c[k].tp;
    return right / (double)(c->tp + c->fp + c->tn + c->fn);
}

/* Into run->sums; returns the Brier score. */
static double add_up(const c3d_compare_run *run, const c3d_blocks *blocks, const uint32_t *times)
{
    const size_t n_outputs = (size_t)run->n_outputs;
    double squares = 0, n = 0;

    memset(run->sums, 0, n_outputs * sizeof *run->sums);
    for (size_t b = 0; b < blocks->n; b++) {
        const int64_t weight = times[b];
        if (weight == 0) continue;
        for (size_t k = 0; k < n_outputs; k++) {
            const c3d_counts *c = &run->counts[b * n_outputs + k];
            run->sums[k].tp += weight * c->tp;
            run->sums[k].fp += weight * c->fp;
            run->sums[k].tn += weight * c->tn;
            run->sums[k].fn += weight * c->fn;
        }
        squares += (double)weight * run->squares[b];
        n += (double)weight * blocks->n_within[b];
    }
    return squares / n;
}

static c3d_status find_defined(c3d_compare_run *run, const c3d_blocks *blocks)
{
    uint32_t *once = c3d_calloc(blocks->n + 1, sizeof *once);

    if (!once) return C3D_ENOMEM;
    for (size_t b = 0; b < blocks->n; b++) once[b] = 1;
    (void)add_up(run, blocks, once);
    const means of = measure_outputs(run, blocks, once);
    memcpy(run->n_defined, of.n, sizeof of.n);
    free(once);
    return C3D_OK;
}

void c3d_compare_run_measure(const c3d_compare_run *run, const c3d_blocks *blocks,
                             const uint32_t *times, double out[C3D_N_COMPARED])
{
    const double brier = add_up(run, blocks, times);
    const means of = measure_outputs(run, blocks, times);
    for (int m = 0; m < C3D_N_COMPARED; m++) {
        const bool is_whole = of.n[m] > 0 && of.n[m] == run->n_defined[m];
        out[m] = is_whole ? of.sum[m] / of.n[m] : (double)NAN;
    }
    out[C3D_COMPARE_BRIER] = brier;
    out[C3D_COMPARE_COUNTS + C3D_METRIC_ACCURACY] = total_accuracy(run);
    if (run->n_outputs > 1)
        out[C3D_COMPARE_COUNTS + C3D_METRIC_BALANCED_ACCURACY] =
            out[C3D_COMPARE_COUNTS + C3D_METRIC_RECALL];
}

c3d_status c3d_compare_run_make(const c3d_compare_desc *desc, const float *scores,
                                const c3d_blocks *blocks, c3d_compare_run *out)
{
    const size_t n_outputs = (size_t)desc->n_outputs;
    c3d_compare_run run = {
        .n_outputs = desc->n_outputs,
        .rankings = c3d_calloc(n_outputs, sizeof *run.rankings),
        .counts = c3d_calloc(blocks->n * n_outputs, sizeof *run.counts),
        .squares = c3d_calloc(blocks->n, sizeof *run.squares),
        .sums = c3d_calloc(n_outputs, sizeof *run.sums),
    };
    c3d_status st = run.rankings && run.counts && run.squares && run.sums ? C3D_OK : C3D_ENOMEM;

    for (int k = 0; st == C3D_OK && k < desc->n_outputs; k++)
        st = c3d_ranking_make(&(c3d_ranking_desc){ .scores = scores,
                                                   .labels = desc->labels,
                                                   .n = desc->n,
                                                   .n_outputs = desc->n_outputs,
                                                   .column = k,
                                                   .label = desc->n_outputs > 1 ? k : 1 },
                              &run.rankings[k]);
    if (st != C3D_OK) {
        c3d_compare_run_free(&run);
        return st;
    }
    count(desc, scores, blocks, &run);
    st = find_defined(&run, blocks);
    if (st != C3D_OK) {
        c3d_compare_run_free(&run);
        return st;
    }
    *out = run;
    return C3D_OK;
}

void c3d_compare_run_free(c3d_compare_run *run)
{
    for (int k = 0; run->rankings && k < run->n_outputs; k++) c3d_ranking_free(&run->rankings[k]);
    free(run->rankings);
    free(run->counts);
    free(run->squares);
    free(run->sums);
    *run = (c3d_compare_run){ 0 };
}
