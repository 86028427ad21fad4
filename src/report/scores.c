/* Tables of scores: runs at thresholds, with counts and intervals. */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

static const char *const metric_names[] = { "accuracy", "precision", "recall", "f1" };

void report_add_estimate(c3d_text *page, const c3d_json *estimate)
{
    double value, low, high;

    if (!c3d_json_get_real(estimate, "value", &value)) {
        c3d_text_add(page, "<td class=num>undefined</td>");
        return;
    }
    c3d_text_add(page, "<td class=num><b>%.3f</b>", value);
    if (c3d_json_get_real(estimate, "low", &low) && c3d_json_get_real(estimate, "high", &high)) {
        c3d_text_add(page, " <span class=ci>%.3f&#8211;%.3f</span>", low, high);
    }
    c3d_text_add(page, "</td>");
}

void report_add_run_cell(c3d_text *page, const report_run *run, int number)
{
    c3d_text_add(page, "<tr><th scope=row><span class=dot style=\"background:%s\"></span>",
                 report_color(number));
    c3d_text_add_html(page, run->label);
    c3d_text_add(page, "</th>");
}

static void add_row(c3d_text *page, const report_run *run, int color, const c3d_json *at)
{
    static const char *const counts[] = { "tp", "fp", "tn", "fn" };
    const c3d_json *metrics = c3d_json_get(at, "metrics");

    report_add_run_cell(page, run, color);
    for (size_t i = 0; i < C3D_COUNT(metric_names); i++) {
        report_add_estimate(page, c3d_json_get(metrics, metric_names[i]));
    }
    for (size_t i = 0; i < C3D_COUNT(counts); i++) {
        long long n;
        if (c3d_json_get_int(c3d_json_get(at, "counts"), counts[i], &n)) {
            c3d_text_add(page, "<td class=num>%lld</td>", n);
        } else {
            c3d_text_add(page, "<td class=num>?</td>");
        }
    }
    c3d_text_add(page, "</tr>\n");
}

/* Some run has one output, so that a threshold decides. */
static bool has_thresholds(const report_run *runs, int n_runs, int split)
{
    for (int i = 0; i < n_runs; i++)
        if (c3d_json_get(runs[i].evaluations[split], "at")) return true;
    return false;
}

static void add_table(c3d_text *page, const report_run *runs, int n_runs, int split,
                      const char *threshold)
{
    c3d_text_add(
        page,
        "<h3>Positive when the score is above %s</h3>\n<div class=wide><table>"
        "<thead><tr><th scope=col>run</th><th scope=col>accuracy</th>"
        "<th scope=col>precision</th><th scope=col>recall</th><th scope=col>F1</th>"
        "<th scope=col><abbr title=\"true positives\">tp</abbr></th>"
        "<th scope=col><abbr title=\"false positives\">fp</abbr></th>"
        "<th scope=col><abbr title=\"true negatives\">tn</abbr></th>"
        "<th scope=col><abbr title=\"false negatives\">fn</abbr></th></tr></thead>\n<tbody>",
        threshold);
    for (int i = 0; i < n_runs; i++) {
        const c3d_json *at =
            c3d_json_get(c3d_json_get(runs[i].evaluations[split], "at"), threshold);
        if (at) add_row(page, &runs[i], i, at);
    }
    c3d_text_add(page, "</tbody></table></div>\n");
}

/* Area under the curve and loss, which no threshold changes. */
static void add_independent(c3d_text *page, const report_run *runs, int n_runs, int split)
{
    c3d_text_add(page, "<div class=wide><table><thead><tr><th scope=col>run</th>"
                       "<th scope=col>area under the ROC curve</th><th scope=col>mean loss</th>"
                       "</tr></thead>\n<tbody>");
    for (int i = 0; i < n_runs; i++) {
        const c3d_json *metrics = c3d_json_get(runs[i].evaluations[split], "metrics");
        if (!metrics) continue;
        report_add_run_cell(page, &runs[i], i);
        report_add_estimate(page, c3d_json_get(metrics, "auc"));
        report_add_estimate(page, c3d_json_get(metrics, "loss"));
        c3d_text_add(page, "</tr>\n");
    }
    c3d_text_add(page, "</tbody></table></div>\n");
}

static const char *list_hash(const report_run *run, int split)
{
    const char *hash = "";

    (void)c3d_json_get_string(run->evaluations[split], "list_hash", &hash);
    return hash;
}

static void add_list_note(c3d_text *page, const report_run *runs, int n_runs, int split)
{
    const report_run *first = NULL;
    bool is_same = true;
    long long n = 0;
    int n_evaluated = 0;

    for (int i = 0; i < n_runs; i++) {
        if (!runs[i].evaluations[split]) continue;
        if (!first) first = &runs[i];
        n_evaluated++;
        is_same = is_same && strcmp(list_hash(first, split), list_hash(&runs[i], split)) == 0;
    }
    (void)c3d_json_get_int(first->evaluations[split], "n", &n);
    if (!is_same) {
        c3d_text_add(page, "<p class=warn>These runs were scored on different lists of samples: "
                           "their figures must not be compared.</p>\n");
    } else if (n_evaluated > 1) {
        c3d_text_add(page, "<p>All on the same list of %lld samples (<code>", n);
        c3d_text_add_html(page, list_hash(first, split));
        c3d_text_add(page, "</code>).</p>\n");
    } else {
        c3d_text_add(page, "<p>%lld samples.</p>\n", n);
    }
}

void report_add_scores(c3d_text *page, const report_run *runs, int n_runs)
{
    int n_splits = 0;

    c3d_text_add(page, "<section><h2>Scores</h2>\n");
    for (int split = 0; split < REPORT_SPLITS; split++) {
        bool is_there = false;
        for (int i = 0; i < n_runs; i++) is_there = is_there || runs[i].evaluations[split];
        if (!is_there) continue;
        n_splits++;
        c3d_text_add(page, "<h3 class=split>Split: %s</h3>\n", report_split_names[split]);
        add_list_note(page, runs, n_runs, split);
        if (has_thresholds(runs, n_runs, split)) {
            add_table(page, runs, n_runs, split, "0.9");
            add_table(page, runs, n_runs, split, "0.5");
        }
        report_add_classes(page, runs, n_runs, split);
        add_independent(page, runs, n_runs, split);
    }
    for (int i = 0; i < n_runs; i++) {
        if (runs[i].evaluations[0]) continue;
        c3d_text_add(page, "<p class=warn>");
        c3d_text_add_html(page, runs[i].label);
        c3d_text_add(page, " has not been scored on the test split: <code>c3d-evaluate ");
        c3d_text_add_html(page, runs[i].path);
        c3d_text_add(page, "</code></p>\n");
    }
    if (n_splits) {
        c3d_text_add(page, "<p class=note>Ranges are 95 %% intervals (Wilson's for shares). They "
                           "stand for the sampling of the test list alone, not for another region "
                           "or another training run.</p>\n");
    }
    c3d_text_add(page, "</section>\n");
}

/* ---- the same for a terminal ----------------------------------------------------------------- */

static void add_text_row(c3d_text *table, const report_run *run, const c3d_json *at)
{
    const c3d_json *counts = c3d_json_get(at, "counts"), *metrics = c3d_json_get(at, "metrics");
    static const char *const names[] = { "tp", "fp", "tn", "fn" };

    c3d_text_add(table, "  %-16s", run->label);
    for (size_t i = 0; i < C3D_COUNT(metric_names); i++) {
        const c3d_json *estimate = c3d_json_get(metrics, metric_names[i]);
        double value, low, high;
        if (c3d_json_get_real(estimate, "value", &value) &&
            c3d_json_get_real(estimate, "low", &low) &&
            c3d_json_get_real(estimate, "high", &high)) {
            c3d_text_add(table, "  %.3f (%.3f-%.3f)", value, low, high);
        } else {
            c3d_text_add(table, "  %-19s", "undefined");
        }
    }
    for (size_t i = 0; i < C3D_COUNT(names); i++) {
        long long n = 0;
        (void)c3d_json_get_int(counts, names[i], &n);
        c3d_text_add(table, " %6lld", n);
    }
    c3d_text_add(table, "\n");
}

void report_add_scores_text(c3d_text *table, const report_run *runs, int n_runs)
{
    static const char *const thresholds[] = { "0.9", "0.5" };

    for (size_t t = 0; t < C3D_COUNT(thresholds); t++) {
        bool has_title = false;
        for (int i = 0; i < n_runs; i++) {
            const c3d_json *at =
                c3d_json_get(c3d_json_get(runs[i].evaluations[0], "at"), thresholds[t]);
            if (!at) continue;
            if (!has_title) {
                c3d_text_add(table,
                             "test split, positive when the score is above %s\n  %-16s"
                             "  %-19s  %-19s  %-19s  %-19s %6s %6s %6s %6s\n",
                             thresholds[t], "run", "accuracy (95 %)", "precision", "recall", "F1",
                             "tp", "fp", "tn", "fn");
                has_title = true;
            }
            add_text_row(table, &runs[i], at);
        }
    }
    report_add_classes_text(table, runs, n_runs);
}
