/* How well scores part positives from negatives: confusion, ROC and precision-recall curves,
 * calibration. */
#include "report/report.h"

#include "c3d/score.h"

#include <math.h>
#include <string.h>

#define GREY "#7d8590"  /* seen on light and dark */
enum { BANDS_MAX = 3 }; /* intervals of more runs hide each other */

/* ---- confusion ------------------------------------------------------------------------------- */

static void add_confusion_row(c3d_text *out, const char *name, const long long n[2], int right)
{
    const double all = (double)(n[0] + n[1]);

    c3d_text_add(out, "<tr><th scope=row>");
    c3d_text_add_html(out, name);
    c3d_text_add(out, "</th>");
    for (int c = 0; c < 2; c++) {
        const double share = all > 0 ? (double)n[c] / all : 0;
        c3d_text_add(out,
                     "<td class=num style=\"background:color-mix(in srgb,var(--%s) %.0f%%,"
                     "transparent)\"><b>%lld</b> <span class=ci>%.0f %%</span></td>",
                     c == right ? "good" : "bad", 45 * share, n[c], 100 * share);
    }
    c3d_text_add(out, "<td class=num>%lld</td></tr>\n", n[0] + n[1]);
}

static void add_confusion(report_page *page, int i, const c3d_json *evaluation, bool with_threshold)
{
    static const char *const keys[] = { "tp", "fn", "fp", "tn" };
    const report_run *run = &page->runs[i];
    const c3d_json *counts = c3d_json_get(evaluation, "counts");
    const c3d_json *classes = c3d_json_get(run->dataset, "classes");
    const char *positive = c3d_json_string_value(c3d_json_at(classes, 1));
    const char *negative = c3d_json_string_value(c3d_json_at(classes, 0));
    long long n[4];
    c3d_text *out = &page->text;

    for (size_t k = 0; k < 4; k++)
        if (!c3d_json_get_int(counts, keys[k], &n[k])) return;
    c3d_text_add(out, "<div><h4><span class=dot style=\"background:%s\"></span>", report_color(i));
    c3d_text_add_html(out, run->label);
    if (with_threshold) c3d_text_add(out, ", above %.6g", report_threshold(evaluation));
    c3d_text_add(out, "</h4>\n");
    report_begin_table(out, "confusion matrix",
                       "<th scope=col>labelled</th><th scope=col class=num>called positive</th>"
                       "<th scope=col class=num>called negative</th>"
                       "<th scope=col class=num>samples</th>");
    add_confusion_row(out, positive ? positive : "positive", &n[0], 0);
    add_confusion_row(out, negative ? negative : "negative", &n[2], 1);
    report_end_table(out);
    c3d_text_add(out, "</div>\n");
}

static void add_confusions(report_page *page, int split)
{
    double thresholds[C3D_REPORT_MAX_RUNS];
    bool has_title = false;

    report_thresholds(page, split, thresholds);
    const bool is_one = report_are_alike(thresholds, page->n_runs);
    for (int i = 0; i < page->n_runs; i++) {
        if (isnan(thresholds[i])) continue;
        if (!has_title && is_one)
            c3d_text_add(&page->text, "<h3>Confusion, positive when the score is above %.6g</h3>\n",
                         thresholds[i]);
        else if (!has_title)
            c3d_text_add(&page->text, "<h3>Confusion, each run at its own threshold</h3>\n");
        if (!has_title) c3d_text_add(&page->text, "<div class=plots>\n");
        has_title = true;
        add_confusion(page, i, page->runs[i].evaluations[split], !is_one);
    }
    if (has_title) c3d_text_add(&page->text, "</div>\n");
}

/* ---- curves ---------------------------------------------------------------------------------- */

typedef struct curve {
    const char *name, *x, *y; /* members of curves, and of that */
    const char *title, *x_label, *y_label;
    const char *metric, *area; /* of metrics, and its name */
    bool has_diagonal;
} curve;

static const curve curves[] = {
    { "roc", "fpr", "tpr", "ROC curve", "share of negatives called positive", "recall", "auc",
      "area", true },
    { "precision_recall", "recall", "precision", "Precision and recall", "recall", "precision",
      "average_precision", "average precision", false },
};

static double real_at(const c3d_json *array, size_t i)
{
    double value = NAN;

    (void)c3d_json_real_value(c3d_json_at(array, i), &value);
    return value;
}

/* Rows "x y low high"; returns how many. */
static size_t add_block(c3d_text *script, int run, const c3d_json *of, const curve *what)
{
    const c3d_json *x = c3d_json_get(of, what->x), *y = c3d_json_get(of, what->y);
    const c3d_json *low = c3d_json_get(of, "low"), *high = c3d_json_get(of, "high");
    const size_t n = c3d_json_length(x);
    size_t n_points = 0;

    c3d_text_add(script, "$run%d << EOD\n", run);
    for (size_t i = 0; i < n; i++) {
        const double at[4] = { real_at(x, i), real_at(y, i), real_at(low, i), real_at(high, i) };
        if (!isfinite(at[0]) || !isfinite(at[1])) continue;
        c3d_text_add(script, "%.5g %.5g %.5g %.5g\n", at[0], at[1], isfinite(at[2]) ? at[2] : at[1],
                     isfinite(at[3]) ? at[3] : at[1]);
        n_points++;
    }
    c3d_text_add(script, "EOD\n");
    return n_points;
}

static void tell_area(c3d_text *alt, const report_run *run, const c3d_json *metrics,
                      const curve *what)
{
    double value;

    c3d_text_add(alt, "; %s: ", run->label);
    if (c3d_json_get_real(c3d_json_get(metrics, what->metric), "value", &value))
        c3d_text_add(alt, "%s %.3f", what->area, value);
    else
        c3d_text_add(alt, "no %s", what->area);
}

/* Lists of few blocks have none; the point where nothing is called positive needs none. */
static bool has_band(const c3d_json *of)
{
    const c3d_json *low = c3d_json_get(of, "low");

    for (size_t i = 1; i < c3d_json_length(low); i++)
        if (isfinite(real_at(low, i))) return true;
    return false;
}

static void add_curve(report_page *page, int split, const curve *what)
{
    c3d_text blocks = { 0 }, bands = { 0 }, lines = { 0 }, alt = { 0 };
    const bool has_bands = page->n_runs <= BANDS_MAX;

    c3d_text_add(&alt, "%s, %s split", what->title, report_split_names[split]);
    for (int i = 0; i < page->n_runs; i++) {
        const c3d_json *evaluation = page->runs[i].evaluations[split];
        const c3d_json *of = c3d_json_get(c3d_json_get(evaluation, "curves"), what->name);
        if (!of || add_block(&blocks, i, of, what) == 0) continue;
        const char *color = report_color(i);
        tell_area(&alt, &page->runs[i], c3d_json_get(evaluation, "metrics"), what);
        if (has_bands && has_band(of))
            c3d_text_add(&bands, "%s$run%d using 1:3:4 with filledcurves lc rgb '#cc%s' notitle",
                         bands.length ? ", " : "plot ", i, color + 1);
        c3d_text_add(&lines, ", $run%d using 1:2 with lines lw 2 lc rgb '%s' notitle", i, color);
    }
    if (lines.length) {
        c3d_text_add(&blocks,
                     "set xrange [0:1]\nset yrange [0:1]\nset xlabel '%s'\nset ylabel '%s'\n"
                     "set xtics 0.2\nset ytics 0.2\n%s%s",
                     what->x_label, what->y_label, bands.length ? bands.text : "plot ",
                     lines.text + (bands.length ? 0 : 2));
        if (what->has_diagonal)
            c3d_text_add(&blocks, ", x with lines lw 1.2 dt 3 lc rgb '" GREY "'");
    } else {
        blocks.length = 0;
    }
    report_add_figure(
        page, &(report_figure){ .title = what->title, .alt = alt.text, .height = 340 }, &blocks);
    c3d_text_free(&blocks);
    c3d_text_free(&bands);
    c3d_text_free(&lines);
    c3d_text_free(&alt);
}

/* ---- calibration ----------------------------------------------------------------------------- */

static size_t add_bins(c3d_text *script, int run, const c3d_json *bins)
{
    size_t n_points = 0;

    c3d_text_add(script, "$run%d << EOD\n", run);
    for (size_t i = 0; i < c3d_json_length(bins); i++) {
        const c3d_json *bin = c3d_json_at(bins, i);
        long long n, positives;
        double mean;
        if (!c3d_json_get_int(bin, "n", &n) || !c3d_json_get_int(bin, "positives", &positives) ||
            !c3d_json_get_real(bin, "mean_score", &mean) || n == 0)
            continue;
        const c3d_estimate share = c3d_share("", positives, n);
        c3d_text_add(script, "%.5g %.5g %.5g %.5g\n", mean, share.value, share.low, share.high);
        n_points++;
    }
    c3d_text_add(script, "EOD\n");
    return n_points;
}

static void add_calibration(report_page *page, int split)
{
    c3d_text blocks = { 0 }, lines = { 0 }, alt = { 0 };

    c3d_text_add(&alt,
                 "Calibration, %s split: share of positives against the mean score of ten "
                 "groups of samples",
                 report_split_names[split]);
    for (int i = 0; i < page->n_runs; i++) {
        const c3d_json *evaluation = page->runs[i].evaluations[split];
        const c3d_json *of = c3d_json_get(evaluation, "calibration");
        double brier;
        if (add_bins(&blocks, i, c3d_json_get(of, "bins")) == 0) continue;
        if (c3d_json_get_real(of, "brier", &brier))
            c3d_text_add(&alt, "; %s: Brier score %.3f", page->runs[i].label, brier);
        c3d_text_add(&lines,
                     ", $run%d using 1:3:(0):($4-$3) with vectors nohead lw 1 lc rgb '%s' notitle, "
                     "$run%d using 1:2 with linespoints pt 7 ps 0.5 lw 1.5 lc rgb '%s' notitle",
                     i, report_color(i), i, report_color(i));
    }
    if (lines.length)
        c3d_text_add(&blocks,
                     "set xrange [0:1]\nset yrange [0:1]\nset xlabel 'mean score'\n"
                     "set ylabel 'share that is positive'\nset xtics 0.2\nset ytics 0.2\n"
                     "plot x with lines lw 1.2 dt 3 lc rgb '" GREY "' notitle%s",
                     lines.text);
    else
        blocks.length = 0;
    report_add_figure(
        page, &(report_figure){ .title = "Calibration", .alt = alt.text, .height = 340 }, &blocks);
    c3d_text_free(&blocks);
    c3d_text_free(&lines);
    c3d_text_free(&alt);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static bool has_any(const report_page *page, int split, const char *key)
{
    for (int i = 0; i < page->n_runs; i++)
        if (c3d_json_get(page->runs[i].evaluations[split], key)) return true;
    return false;
}

/* As they are drawn: bars of calibration always are. */
static bool has_bands(const report_page *page, int split)
{
    for (int i = 0; i < page->n_runs && page->n_runs <= BANDS_MAX; i++) {
        const c3d_json *of = c3d_json_get(page->runs[i].evaluations[split], "curves");
        for (size_t c = 0; c < C3D_COUNT(curves); c++)
            if (has_band(c3d_json_get(of, curves[c].name))) return true;
    }
    return false;
}

void report_add_quality(report_page *page, int split)
{
    c3d_text *out = &page->text;

    if (!has_any(page, split, "at")) return;
    add_confusions(page, split);
    c3d_text_add(out, "<h3>Curves and calibration</h3>\n");
    if (!has_any(page, split, "curves")) {
        report_add_warning(out, "No curves: these scores were written by an older version; run "
                                "c3d-evaluate again.");
        return;
    }
    c3d_text_add(out, "<ul class=legend>");
    report_add_run_keys(page, out);
    c3d_text_add(out,
                 "%s<li>dotted: what chance gives, and what a calibrated score would</li>"
                 "</ul>\n<div class=plots>\n",
                 has_bands(page, split) ? "<li>bands and bars: 95 % intervals</li>"
                                        : "<li>bars: 95 % intervals</li>");
    for (size_t i = 0; i < C3D_COUNT(curves); i++) add_curve(page, split, &curves[i]);
    add_calibration(page, split);
    c3d_text_add(out, "</div>\n");
}
