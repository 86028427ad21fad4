/* All figures of one evaluation: computed once for the samples as they are, and again for each
 * replicate of blocks, by the same code. */
#include "score/curves.h"

#include <math.h>
#include <stdlib.h>

enum { AUC, AVERAGE_PRECISION, BRIER, LOSS, N_AREAS }; /* the first values of a replicate */
enum { CLASS_VALUES = C3D_N_METRICS + 2 };             /* of a class; the last two are areas */

typedef struct sheet_work {
    const c3d_sheet_desc *desc;
    c3d_sheet *sheet;
    c3d_blocks blocks;
    int n_rankings; /* 1, or the classes, or 0 for many */
    c3d_ranking *rankings;
    int n_bins;           /* predictions that are told apart: between thresholds, or classes */
    uint32_t *cell;       /* [n] label times n_bins plus bin */
    int64_t *cells;       /* [labels, n_bins] of the replicate */
    double *brier, *loss; /* [blocks.n] sums */
    bool has_shares;
    size_t n_values;
} sheet_work;

/* ---- preparing ------------------------------------------------------------------------------- */

static bool has_classes(const sheet_work *w)
{
    return w->desc->n_outputs > 1;
}

static int n_labels(const sheet_work *w)
{
    return has_classes(w) ? w->desc->n_outputs : 2;
}

/* Thresholds that the score is above; any order of thresholds: bit t for threshold t. */
static uint32_t bin_of(const sheet_work *w, size_t i)
{
    uint32_t bits = 0;

    if (has_classes(w)) {
        const size_t k = (size_t)w->desc->n_outputs;
        return (uint32_t)c3d_class_predicted(w->desc->scores + i * k, w->desc->n_outputs);
    }
    for (int t = 0; t < w->desc->n_thresholds; t++)
        if ((double)w->desc->scores[i] > w->desc->thresholds[t]) bits |= 1U << t;
    return bits;
}

static double squares_of(const sheet_work *w, size_t i)
{
    const int k = w->desc->n_outputs;
    const float *scores = w->desc->scores + i * (size_t)k;
    double sum = 0;

    for (int c = 0; c < k; c++) {
        const double truth = has_classes(w) ? w->desc->labels[i] == c : w->desc->labels[i] == 1;
        sum += ((double)scores[c] - truth) * ((double)scores[c] - truth);
    }
    return sum;
}

static c3d_status make_blocks(sheet_work *w)
{
    const size_t n = w->desc->n;
    int64_t *own = NULL;

    if (w->desc->blocks) return c3d_blocks_make(w->desc->blocks, n, &w->blocks);
    own = c3d_calloc(n + 1, sizeof *own);
    if (!own) return C3D_ENOMEM;
    for (size_t i = 0; i < n; i++) own[i] = (int64_t)i;
    const c3d_status st = c3d_blocks_make(own, n, &w->blocks);
    free(own);
    return st;
}

static c3d_status make_rankings(sheet_work *w)
{
    const c3d_sheet_desc *d = w->desc;
    const int n = d->n_outputs <= C3D_SHEET_CLASSES_MAX ? d->n_outputs : 0;

    w->rankings = c3d_calloc((size_t)n + 1, sizeof *w->rankings);
    if (!w->rankings) return C3D_ENOMEM;
    for (; w->n_rankings < n; w->n_rankings++) {
        const c3d_ranking_desc ranking = {
            d->scores, d->labels, d->n, d->n_outputs, w->n_rankings, n == 1 ? 1 : w->n_rankings,
        };
        C3D_TRY(c3d_ranking_make(&ranking, &w->rankings[w->n_rankings]));
    }
    return C3D_OK;
}

static c3d_status prepare(sheet_work *w)
{
    const c3d_sheet_desc *d = w->desc;

    C3D_ASSERT(d->n_thresholds <= C3D_THRESHOLDS_MAX);
    C3D_TRY(make_blocks(w));
    C3D_TRY(make_rankings(w));
    w->n_bins = has_classes(w) ? d->n_outputs : 1 << d->n_thresholds;
    w->cell = c3d_calloc(d->n + 1, sizeof *w->cell);
    w->cells = c3d_calloc((size_t)(n_labels(w) * w->n_bins), sizeof *w->cells);
    w->brier = c3d_calloc(w->blocks.n + 1, sizeof *w->brier);
    w->loss = c3d_calloc(w->blocks.n + 1, sizeof *w->loss);
    if (!w->cell || !w->cells || !w->brier || !w->loss) return C3D_ENOMEM;
    for (size_t i = 0; i < d->n; i++) {
        const uint32_t block = w->blocks.of[i];
        w->cell[i] = (uint32_t)d->labels[i] * (uint32_t)w->n_bins + bin_of(w, i);
        w->brier[block] += squares_of(w, i);
        w->loss[block] += d->losses ? (double)d->losses[i] : (double)NAN;
    }
    if (d->with_curves && d->n_outputs == 1)
        c3d_curve_places(&w->rankings[0], &w->sheet->roc, &w->sheet->precision_recall);
    w->has_shares = has_classes(w) && w->n_rankings > 0;
    const size_t k = (size_t)d->n_outputs;
    w->n_values = N_AREAS;
    if (has_classes(w))
        w->n_values += C3D_N_METRICS + k * CLASS_VALUES + (w->has_shares ? k * k : 0);
    else
        w->n_values += (size_t)(d->n_thresholds * C3D_N_METRICS + w->sheet->roc.n +
                                w->sheet->precision_recall.n);
    return C3D_OK;
}

static void free_work(sheet_work *w)
{
    for (int k = 0; k < w->n_rankings; k++) c3d_ranking_free(&w->rankings[k]);
    free(w->rankings);
    c3d_blocks_free(&w->blocks);
    free(w->cell);
    free(w->cells);
    free(w->brier);
    free(w->loss);
}

/* ---- one replicate --------------------------------------------------------------------------- */

static void fill_cells(sheet_work *w, const uint32_t *times)
{
    const size_t n_cells = (size_t)(n_labels(w) * w->n_bins);

    for (size_t c = 0; c < n_cells; c++) w->cells[c] = 0;
    for (size_t i = 0; i < w->desc->n; i++)
        w->cells[w->cell[i]] += times ? times[w->blocks.of[i]] : 1;
}

static c3d_counts counts_at(const sheet_work *w, int threshold)
{
    c3d_counts c = { 0 };

    for (int bin = 0; bin < w->n_bins; bin++) {
        const int64_t negatives = w->cells[bin], positives = w->cells[w->n_bins + bin];
        const bool said = (uint32_t)bin >> threshold & 1U;
        *(said ? &c.fp : &c.tn) += negatives;
        *(said ? &c.tp : &c.fn) += positives;
    }
    return c;
}

static c3d_counts counts_of_class(const sheet_work *w, int class)
{
    const int k = w->n_bins;
    c3d_counts c = { .tp = w->cells[class * k + class] };

    for (int i = 0; i < k; i++) {
        c.fn += i != class ? w->cells[class * k + i] : 0;
        c.fp += i != class ? w->cells[i * k + class] : 0;
    }
    for (int i = 0; i < k * k; i++) c.tn += w->cells[i];
    c.tn -= c.tp + c.fn + c.fp;
    return c;
}

static void mean_losses(const sheet_work *w, const uint32_t *times, double *values)
{
    double n = 0;

    values[BRIER] = values[LOSS] = 0;
    for (size_t b = 0; b < w->blocks.n; b++) {
        const double count = times ? times[b] : 1;
        n += count * w->blocks.n_within[b];
        values[BRIER] += count * w->brier[b];
        values[LOSS] += count * w->loss[b];
    }
    values[BRIER] /= n;
    values[LOSS] /= n;
}

static void compute_binary(sheet_work *w, const uint32_t *times, double *values)
{
    const c3d_sheet *sheet = w->sheet;
    const c3d_ranking *ranking = &w->rankings[0];

    values[AUC] = c3d_ranking_auc(ranking, w->blocks.of, times);
    values[AVERAGE_PRECISION] = c3d_ranking_average_precision(ranking, w->blocks.of, times);
    values += N_AREAS;
    for (int t = 0; t < w->desc->n_thresholds; t++) {
        const c3d_counts counts = counts_at(w, t);
        for (int m = 0; m < C3D_N_METRICS; m++) *values++ = c3d_metric_of(counts, (c3d_metric)m);
    }
    if (w->desc->with_curves)
        c3d_curve_read(ranking, w->blocks.of, times, &sheet->roc, &sheet->precision_recall, values);
}

static double mean_defined(const double *values, int n, int step)
{
    double sum = 0;
    int n_defined = 0;

    for (int i = 0; i < n; i++) {
        if (isnan(values[i * step])) continue;
        sum += values[i * step];
        n_defined++;
    }
    return n_defined > 0 ? sum / n_defined : (double)NAN;
}

static double total_accuracy(const sheet_work *w)
{
    double right = 0, all = 0;

    for (int i = 0; i < w->n_bins * w->n_bins; i++) {
        all += (double)w->cells[i];
        right += i % (w->n_bins + 1) == 0 ? (double)w->cells[i] : 0;
    }
    return right / all;
}

static void compute_classes(sheet_work *w, const uint32_t *times, double *values)
{
    const int k = w->desc->n_outputs;
    double *means = values + N_AREAS, *of_class = means + C3D_N_METRICS;
    double *shares = of_class + k * CLASS_VALUES;

    for (int c = 0; c < k; c++) {
        const c3d_counts counts = counts_of_class(w, c);
        double *to = of_class + c * CLASS_VALUES;
        for (int m = 0; m < C3D_N_METRICS; m++) to[m] = c3d_metric_of(counts, (c3d_metric)m);
        to[C3D_N_METRICS] = to[C3D_N_METRICS + 1] = (double)NAN;
        for (int i = 0; w->has_shares && i < k; i++)
            *shares++ = (double)w->cells[c * k + i] / (double)(counts.tp + counts.fn);
        if (c >= w->n_rankings) continue;
        to[C3D_N_METRICS] = c3d_ranking_auc(&w->rankings[c], w->blocks.of, times);
        to[C3D_N_METRICS + 1] = c3d_ranking_average_precision(&w->rankings[c], w->blocks.of, times);
    }
    for (int m = 0; m < C3D_N_METRICS; m++) means[m] = mean_defined(of_class + m, k, CLASS_VALUES);
    means[C3D_METRIC_ACCURACY] = total_accuracy(w);
    means[C3D_METRIC_BALANCED_ACCURACY] = means[C3D_METRIC_RECALL];
    values[AUC] = mean_defined(of_class + C3D_N_METRICS, k, CLASS_VALUES);
    values[AVERAGE_PRECISION] = mean_defined(of_class + C3D_N_METRICS + 1, k, CLASS_VALUES);
}

static void compute(void *context, const uint32_t *times, double *values)
{
    sheet_work *w = context;

    fill_cells(w, times);
    mean_losses(w, times, values);
    if (has_classes(w))
        compute_classes(w, times, values);
    else
        compute_binary(w, times, values);
}

/* ---- the sheet ------------------------------------------------------------------------------- */

/* Values with their intervals, taken one after the other. */
typedef struct taking {
    const double *value, *low, *high;
    bool has_intervals;
} taking;

/* formula: NULL for none. */
static c3d_figure take(taking *from, const c3d_estimate *formula)
{
    c3d_figure f = { .value = *from->value++,
                     .formula_low = formula ? formula->low : (double)NAN,
                     .formula_high = formula ? formula->high : (double)NAN,
                     .formula = formula ? formula->method : "none" };
    const double low = *from->low++, high = *from->high++;
    const bool has_interval = from->has_intervals && isfinite(low) && isfinite(high);

    f.low = has_interval ? low : f.formula_low;
    f.high = has_interval ? high : f.formula_high;
    f.method = has_interval ? "block-bootstrap" : f.formula;
    return f;
}

static void take_metrics(taking *from, c3d_counts counts, c3d_figure out[C3D_N_METRICS])
{
    c3d_estimate formulas[C3D_N_METRICS];

    c3d_metrics_of(counts, formulas);
    for (int m = 0; m < C3D_N_METRICS; m++) out[m] = take(from, &formulas[m]);
}

static void take_curve(taking *from, c3d_curve *curve)
{
    for (int i = 0; i < curve->n; i++) {
        const c3d_figure f = take(from, NULL);
        curve->y[i] = f.value;
        curve->low[i] = f.low;
        curve->high[i] = f.high;
    }
}

/* Before everything: the threshold that nothing is above. */
static void add_origin(c3d_curve *roc)
{
    if (roc->n == 0) return;
    for (int i = roc->n++; i > 0; i--) {
        roc->x[i] = roc->x[i - 1];
        roc->y[i] = roc->y[i - 1];
        roc->low[i] = roc->low[i - 1];
        roc->high[i] = roc->high[i - 1];
    }
    roc->x[0] = roc->y[0] = roc->low[0] = roc->high[0] = 0;
}

static c3d_status take_binary(sheet_work *w, taking *from)
{
    const c3d_sheet_desc *d = w->desc;
    c3d_sheet *sheet = w->sheet;

    sheet->n_thresholds = d->n_thresholds;
    for (int t = 0; t < d->n_thresholds; t++) {
        sheet->thresholds[t] = d->thresholds[t];
        sheet->counts[t] = counts_at(w, t);
        take_metrics(from, sheet->counts[t], sheet->at[t]);
    }
    take_curve(from, &sheet->roc);
    take_curve(from, &sheet->precision_recall);
    add_origin(&sheet->roc);
    return C3D_OK;
}

static c3d_status take_classes(sheet_work *w, taking *from)
{
    const c3d_sheet_desc *d = w->desc;
    c3d_sheet *sheet = w->sheet;
    const size_t k = (size_t)d->n_outputs;
    c3d_estimate formula;
    int64_t n_right = 0;

    sheet->n_classes = d->n_outputs;
    sheet->classes = c3d_calloc(k, sizeof *sheet->classes);
    sheet->confusion = c3d_calloc(k * k, sizeof *sheet->confusion);
    if (w->has_shares) sheet->confusion_shares = c3d_calloc(k * k, sizeof(c3d_figure));
    if (!sheet->classes || !sheet->confusion || (w->has_shares && !sheet->confusion_shares))
        return C3D_ENOMEM;
    for (size_t i = 0; i < k * k; i++) sheet->confusion[i] = w->cells[i];
    for (size_t c = 0; c < k; c++) n_right += w->cells[c * k + c];
    formula = c3d_share("accuracy", n_right, (int64_t)d->n);
    for (int m = 0; m < C3D_N_METRICS; m++)
        sheet->metrics[m] = take(from, m == C3D_METRIC_ACCURACY ? &formula : NULL);
    for (size_t c = 0; c < k; c++) {
        c3d_class_figures *of = &sheet->classes[c];
        of->counts = counts_of_class(w, (int)c);
        take_metrics(from, of->counts, of->metrics);
        C3D_TRY(c3d_auc_of_class(d->scores, d->labels, d->n, d->n_outputs, (int)c, &formula));
        of->auc = take(from, &formula);
        if (isnan(of->auc.value)) of->auc.value = formula.value; /* of many classes */
        of->average_precision = take(from, NULL);
    }
    for (size_t i = 0; w->has_shares && i < k * k; i++) {
        const c3d_counts *row = &sheet->classes[i / k].counts;
        formula = c3d_share("share", w->cells[i], row->tp + row->fn);
        sheet->confusion_shares[i] = take(from, &formula);
    }
    return C3D_OK;
}

static c3d_status take_all(sheet_work *w, taking *from)
{
    const c3d_sheet_desc *d = w->desc;
    c3d_sheet *sheet = w->sheet;
    c3d_estimate auc;

    C3D_TRY(c3d_auc_of_outputs(d->scores, d->labels, d->n, d->n_outputs, &auc));
    sheet->n = d->n;
    sheet->n_blocks = w->blocks.n;
    sheet->auc = take(from, &auc);
    sheet->auc.value = auc.value;
    sheet->average_precision = take(from, NULL);
    sheet->brier = take(from, NULL);
    sheet->loss = take(from, NULL);
    return has_classes(w) ? take_classes(w, from) : take_binary(w, from);
}

static c3d_status make(sheet_work *w)
{
    double *values = c3d_calloc(3 * w->n_values + 1, sizeof *values);
    double *low = values + w->n_values, *high = low + w->n_values;
    const c3d_bootstrap_desc bootstrap = { .n_blocks = w->blocks.n,
                                           .n_figures = w->n_values,
                                           .n_replicates = C3D_REPLICATES,
                                           .seed = C3D_BOOTSTRAP_SEED,
                                           .compute = compute,
                                           .context = w };
    taking from = { values, low, high, w->blocks.n >= C3D_BLOCKS_MIN };
    c3d_status st = values ? C3D_OK : C3D_ENOMEM;

    if (st == C3D_OK && from.has_intervals) st = c3d_bootstrap(&bootstrap, low, high);
    if (st == C3D_OK) {
        compute(w, NULL, values); /* the counts stay in w->cells */
        st = take_all(w, &from);
    }
    free(values);
    return st;
}

c3d_status c3d_sheet_make(const c3d_sheet_desc *desc, c3d_sheet *out)
{
    c3d_sheet sheet = { 0 };
    sheet_work work = { .desc = desc, .sheet = &sheet };
    c3d_status st = prepare(&work);

    if (st == C3D_OK) st = make(&work);
    free_work(&work);
    if (st == C3D_OK)
        *out = sheet;
    else
        c3d_sheet_free(&sheet);
    return st;
}

void c3d_sheet_free(c3d_sheet *sheet)
{
    free(sheet->classes);
    free(sheet->confusion);
    free(sheet->confusion_shares);
    *sheet = (c3d_sheet){ 0 };
}
