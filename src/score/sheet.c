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
    const double *whole; /* [n_values] on the list itself; NULL: not known yet */
    /* How many equal blocks samples are worth: all of them; [labels][2] those of a label, and all
     * others; and of the label for which it is the smallest. */
    double worth, (*worth_of)[2], least_worth;
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

static c3d_status weigh_blocks(sheet_work *w)
{
    const size_t n = w->desc->n;
    bool *is = c3d_calloc(n + 1, sizeof *is);
    c3d_status st = is ? c3d_blocks_worth(&w->blocks, NULL, &w->worth) : C3D_ENOMEM;

    w->worth_of = c3d_calloc((size_t)n_labels(w), sizeof *w->worth_of);
    if (!w->worth_of) st = C3D_ENOMEM;
    w->least_worth = w->worth;
    for (int label = 0; st == C3D_OK && label < n_labels(w); label++) {
        double *worth = w->worth_of[label];
        for (int others = 0; st == C3D_OK && others < 2; others++) {
            for (size_t i = 0; i < n; i++) is[i] = (w->desc->labels[i] == label) != others;
            st = c3d_blocks_worth(&w->blocks, is, &worth[others]);
        }
        if (worth[0] > 0) w->least_worth = fmin(w->least_worth, worth[0]);
    }
    free(is);
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
    C3D_TRY(weigh_blocks(w));
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
    free(w->worth_of);
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

/* NaN unless the figure is defined for the same classes as on the whole list (NULL: it is this
 * one): a mean over fewer classes is another figure. */
static double mean_of_classes(const double *of_class, const double *whole, int k, int figure)
{
    double sum = 0;
    int n_defined = 0;

    for (int c = 0; c < k; c++) {
        const int at = c * CLASS_VALUES + figure;
        if (whole && isnan(of_class[at]) != isnan(whole[at])) return (double)NAN;
        if (isnan(of_class[at])) continue;
        sum += of_class[at];
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
    const double *whole = w->whole ? w->whole + N_AREAS + C3D_N_METRICS : NULL;
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
    for (int m = 0; m < C3D_N_METRICS; m++) means[m] = mean_of_classes(of_class, whole, k, m);
    means[C3D_METRIC_ACCURACY] = total_accuracy(w);
    means[C3D_METRIC_BALANCED_ACCURACY] = means[C3D_METRIC_RECALL];
    values[AUC] = mean_of_classes(of_class, whole, k, C3D_N_METRICS);
    values[AVERAGE_PRECISION] = mean_of_classes(of_class, whole, k, C3D_N_METRICS + 1);
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

const char *c3d_fallback_text(c3d_fallback fallback)
{
    static const char *const texts[C3D_N_FALLBACKS] = {
        [C3D_FALLBACK_BLOCKS] = "too few blocks",
        [C3D_FALLBACK_POSITIVES] = "positives in too few blocks",
        [C3D_FALLBACK_NEGATIVES] = "negatives in too few blocks",
        [C3D_FALLBACK_CLASS] = "a class in too few blocks",
        [C3D_FALLBACK_REPLICATES] = "undefined in too many replicates",
        [C3D_FALLBACK_SPREAD] = "no spread",
        [C3D_FALLBACK_STRATUM] = "a stratum without samples",
    };

    return texts[fallback];
}

const char *c3d_fallback_mark(c3d_fallback fallback)
{
    static const char *const marks[C3D_N_FALLBACKS] = {
        [C3D_FALLBACK_NONE] = "",        [C3D_FALLBACK_BLOCKS] = "",
        [C3D_FALLBACK_POSITIVES] = "*p", [C3D_FALLBACK_NEGATIVES] = "*n",
        [C3D_FALLBACK_CLASS] = "*c",     [C3D_FALLBACK_REPLICATES] = "*u",
        [C3D_FALLBACK_SPREAD] = "*s",    [C3D_FALLBACK_STRATUM] = "",
    };

    return marks[fallback];
}

/* Labels that a figure takes apart: their blocks must be enough too. */
enum { NEITHER, POSITIVES, NEGATIVES, BOTH };

static bool is_too_few(const sheet_work *w, double worth)
{
    return worth > 0 && !c3d_blocks_are_enough(w->blocks.n, worth);
}

/* What keeps a figure of class `label` against the others from an interval by blocks. */
static c3d_fallback lacks(const sheet_work *w, int label, int labels)
{
    if (is_too_few(w, w->worth)) return C3D_FALLBACK_BLOCKS;
    if (labels & POSITIVES && is_too_few(w, w->worth_of[label][0])) return C3D_FALLBACK_POSITIVES;
    if (labels & NEGATIVES && is_too_few(w, w->worth_of[label][1])) return C3D_FALLBACK_NEGATIVES;
    return C3D_FALLBACK_NONE;
}

/* The same of a mean over classes. */
static c3d_fallback mean_lacks(const sheet_work *w)
{
    const c3d_fallback lack = lacks(w, 0, NEITHER);

    if (lack != C3D_FALLBACK_NONE || !is_too_few(w, w->least_worth)) return lack;
    return C3D_FALLBACK_CLASS;
}

static c3d_fallback metric_lacks(const sheet_work *w, int label, int metric)
{
    switch (metric) {
    case C3D_METRIC_ACCURACY: return lacks(w, label, NEITHER);
    case C3D_METRIC_RECALL: return lacks(w, label, POSITIVES);
    case C3D_METRIC_SPECIFICITY: return lacks(w, label, NEGATIVES);
    default: return lacks(w, label, BOTH);
    }
}

/* Values with their percentiles, taken one after the other. */
typedef struct taking {
    const double *value, *low, *high;
} taking;

/* formula: NULL for none. An interval without a width says that the samples show no spread, not
 * that there is none: it is never told. */
static c3d_figure take(taking *from, const c3d_estimate *formula, c3d_fallback lack)
{
    const bool has_formula = formula && !(formula->low >= formula->high);
    c3d_figure f = { .value = *from->value++,
                     .formula_low = has_formula ? formula->low : (double)NAN,
                     .formula_high = has_formula ? formula->high : (double)NAN,
                     .formula = has_formula ? formula->method : "none" };
    const double low = *from->low++, high = *from->high++;

    if (lack == C3D_FALLBACK_NONE && !(isfinite(low) && isfinite(high)))
        lack = C3D_FALLBACK_REPLICATES;
    else if (lack == C3D_FALLBACK_NONE && low >= high)
        lack = C3D_FALLBACK_SPREAD;
    const bool has_interval = lack == C3D_FALLBACK_NONE;
    f.low = has_interval ? low : f.formula_low;
    f.high = has_interval ? high : f.formula_high;
    f.method = has_interval ? "block-bootstrap" : f.formula;
    f.fallback = isnan(f.value) ? C3D_FALLBACK_NONE : lack;
    return f;
}

static void take_metrics(const sheet_work *w, taking *from, int label, c3d_counts counts,
                         c3d_figure out[C3D_N_METRICS])
{
    c3d_estimate formulas[C3D_N_METRICS];

    c3d_metrics_of(counts, formulas);
    for (int m = 0; m < C3D_N_METRICS; m++)
        out[m] = take(from, &formulas[m], metric_lacks(w, label, m));
}

static void take_curve(taking *from, bool has_band, c3d_curve *curve)
{
    for (int i = 0; i < curve->n; i++) {
        const double low = *from->low++, high = *from->high++;
        curve->y[i] = *from->value++;
        curve->low[i] = has_band ? low : (double)NAN;
        curve->high[i] = has_band ? high : (double)NAN;
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
    const bool has_bands = lacks(w, 1, BOTH) == C3D_FALLBACK_NONE;

    sheet->positive_blocks = w->worth_of[1][0];
    sheet->negative_blocks = w->worth_of[1][1];
    sheet->n_thresholds = d->n_thresholds;
    for (int t = 0; t < d->n_thresholds; t++) {
        sheet->thresholds[t] = d->thresholds[t];
        sheet->counts[t] = counts_at(w, t);
        take_metrics(w, from, 1, sheet->counts[t], sheet->at[t]);
    }
    take_curve(from, has_bands, &sheet->roc);
    take_curve(from, has_bands, &sheet->precision_recall);
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
        sheet->metrics[m] = m == C3D_METRIC_ACCURACY ? take(from, &formula, lacks(w, 0, NEITHER))
                                                     : take(from, NULL, mean_lacks(w));
    for (size_t c = 0; c < k; c++) {
        c3d_class_figures *of = &sheet->classes[c];
        of->counts = counts_of_class(w, (int)c);
        of->effective_blocks = w->worth_of[c][0];
        take_metrics(w, from, (int)c, of->counts, of->metrics);
        C3D_TRY(c3d_auc_of_class(d->scores, d->labels, d->n, d->n_outputs, (int)c, &formula));
        of->auc = take(from, &formula, lacks(w, (int)c, BOTH));
        if (isnan(of->auc.value)) of->auc.value = formula.value; /* of many classes */
        of->average_precision = take(from, NULL, lacks(w, (int)c, BOTH));
    }
    for (size_t i = 0; w->has_shares && i < k * k; i++) {
        const c3d_counts *row = &sheet->classes[i / k].counts;
        formula = c3d_share("share", w->cells[i], row->tp + row->fn);
        sheet->confusion_shares[i] = take(from, &formula, lacks(w, (int)(i / k), POSITIVES));
    }
    return C3D_OK;
}

static c3d_status take_all(sheet_work *w, taking *from)
{
    const c3d_sheet_desc *d = w->desc;
    c3d_sheet *sheet = w->sheet;
    const c3d_fallback areas = has_classes(w) ? mean_lacks(w) : lacks(w, 1, BOTH);
    c3d_estimate auc;

    C3D_TRY(c3d_auc_of_outputs(d->scores, d->labels, d->n, d->n_outputs, &auc));
    sheet->n = d->n;
    sheet->n_blocks = w->blocks.n;
    sheet->effective_blocks = w->worth;
    sheet->auc = take(from, &auc, areas);
    sheet->auc.value = auc.value;
    sheet->average_precision = take(from, NULL, areas);
    sheet->brier = take(from, NULL, lacks(w, 0, NEITHER));
    sheet->loss = take(from, NULL, lacks(w, 0, NEITHER));
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
    taking from = { values, low, high };

    if (!values) return C3D_ENOMEM;
    compute(w, NULL, values);
    w->whole = values;
    c3d_status st = C3D_OK;
    if (lacks(w, 0, NEITHER) == C3D_FALLBACK_NONE) st = c3d_bootstrap(&bootstrap, low, high);
    if (st == C3D_OK) {
        fill_cells(w, NULL);
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
