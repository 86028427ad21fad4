/* Tables of scores: runs at thresholds, with counts and intervals. */
#include "report/report.h"

#include "c3d/score.h"

#include <stdlib.h>
#include <string.h>

static const char *const metric_names[] = { "accuracy", "precision", "recall", "f1" };
static const char *const count_names[] = { "tp", "fp", "tn", "fn" };

#define SCORE_COLUMNS                                                                              \
    "<th scope=col class=num>accuracy</th><th scope=col class=num>precision</th><th scope=col "    \
    "class=num>recall</th>"                                                                        \
    "<th scope=col class=num>F1</th><th scope=col class=num><abbr title=\"true "                   \
    "positives\">tp</abbr></th>"                                                                   \
    "<th scope=col class=num><abbr title=\"false positives\">fp</abbr></th>"                       \
    "<th scope=col class=num><abbr title=\"true negatives\">tn</abbr></th>"                        \
    "<th scope=col class=num><abbr title=\"false negatives\">fn</abbr></th>"

/* C3D_FALLBACK_NONE for words that are none of ours. */
static c3d_fallback fallback_of(const c3d_json *estimate)
{
    const char *text;

    if (!c3d_json_get_string(estimate, "fallback", &text)) return C3D_FALLBACK_NONE;
    for (int r = C3D_FALLBACK_NONE + 1; r < C3D_N_FALLBACKS; r++)
        if (strcmp(text, c3d_fallback_text((c3d_fallback)r)) == 0) return (c3d_fallback)r;
    return C3D_FALLBACK_NONE;
}

/* How a figure is marked on the page, and what add_reasons looks for. */
static void add_mark(c3d_text *out, c3d_fallback fallback)
{
    const char *mark = c3d_fallback_mark(fallback);

    if (mark[0])
        c3d_text_add(out, "<abbr class=ci title=\"not by blocks: %s\">%s</abbr>",
                     c3d_fallback_text(fallback), mark);
}

void report_add_estimate(c3d_text *page, const c3d_json *estimate)
{
    double value, low, high;

    if (!c3d_json_get_real(estimate, "value", &value)) {
        c3d_text_add(page, "<td class=num>%s</td>", estimate ? "undefined" : "&#8211;");
        return;
    }
    c3d_text_add(page, "<td class=num><b>%.3f</b>", value);
    if (c3d_json_get_real(estimate, "low", &low) && c3d_json_get_real(estimate, "high", &high)) {
        c3d_text_add(page, " <span class=ci>%.3f&#8211;%.3f</span>", low, high);
    }
    add_mark(page, fallback_of(estimate));
    c3d_text_add(page, "</td>");
}

void report_add_run_cell(c3d_text *page, const report_run *run, int number)
{
    c3d_text_add(page, "<tr><th scope=row><span class=dot style=\"background:%s\"></span>",
                 report_color(number));
    c3d_text_add_html(page, run->label);
    c3d_text_add(page, "</th>");
}

void report_add_count(c3d_text *page, const c3d_json *object, const char *key)
{
    long long n;

    if (c3d_json_get_int(object, key, &n))
        c3d_text_add(page, "<td class=num>%lld</td>", n);
    else
        c3d_text_add(page, "<td class=num>?</td>");
}

/* Shares and counts of {metrics, counts}. */
static void add_scores(c3d_text *page, const c3d_json *at)
{
    const c3d_json *metrics = c3d_json_get(at, "metrics"), *counts = c3d_json_get(at, "counts");

    for (size_t i = 0; i < C3D_COUNT(metric_names); i++)
        report_add_estimate(page, c3d_json_get(metrics, metric_names[i]));
    for (size_t i = 0; i < C3D_COUNT(count_names); i++)
        report_add_count(page, counts, count_names[i]);
    c3d_text_add(page, "</tr>\n");
}

/* Some run has one output, so that a threshold decides. */
static bool has_thresholds(const report_page *page, int split)
{
    for (int i = 0; i < page->n_runs; i++)
        if (c3d_json_get(page->runs[i].evaluations[split], "at")) return true;
    return false;
}

static void add_at(report_page *page, int split, const char *threshold)
{
    c3d_text *out = &page->text;

    c3d_text_add(out, "<h3>Positive when the score is above %s</h3>\n", threshold);
    report_begin_table(out, "scores at a threshold", "<th scope=col>run</th>" SCORE_COLUMNS);
    for (int i = 0; i < page->n_runs; i++) {
        const c3d_json *at =
            c3d_json_get(c3d_json_get(page->runs[i].evaluations[split], "at"), threshold);
        if (!at) continue;
        report_add_run_cell(out, &page->runs[i], i);
        add_scores(out, at);
    }
    report_end_table(out);
}

/* ---- thresholds chosen on the validation split ----------------------------------------------- */

static void add_rule(c3d_text *out, const char *rule)
{
    if (strcmp(rule, "f1") == 0) {
        c3d_text_add(out, "largest F1");
        return;
    }
    c3d_text_add(out, "<code>");
    c3d_text_add_html(out, rule);
    c3d_text_add(out, "</code>");
}

static const c3d_json *chosen_of(const report_page *page, int run, int split)
{
    return c3d_json_get(page->runs[run].evaluations[split], "chosen");
}

static void add_chosen_row(report_page *page, int split, int i, const char *rule)
{
    const c3d_json *at = c3d_json_get(chosen_of(page, i, split), rule);
    double threshold;

    if (!at) return;
    report_add_run_cell(&page->text, &page->runs[i], i);
    if (c3d_json_get_real(at, "threshold", &threshold))
        c3d_text_add(&page->text, "<td class=num>%.4g</td>", threshold);
    else
        c3d_text_add(&page->text, "<td class=num>none</td>");
    add_scores(&page->text, at);
}

static bool is_first_with(const report_page *page, int split, int run, const char *rule)
{
    for (int i = 0; i < run; i++)
        if (c3d_json_get(chosen_of(page, i, split), rule)) return false;
    return true;
}

static void add_chosen(report_page *page, int split)
{
    c3d_text *out = &page->text;
    bool is_there = false;

    for (int i = 0; i < page->n_runs; i++) {
        const char *rule = NULL;
        while ((rule = c3d_json_next_key(chosen_of(page, i, split), rule))) {
            is_there = true;
            if (!is_first_with(page, split, i, rule)) continue;
            c3d_text_add(out, "<h3>Threshold chosen on the validation split: ");
            add_rule(out, rule);
            c3d_text_add(out, "</h3>\n");
            report_begin_table(
                out, "scores at a chosen threshold",
                "<th scope=col>run</th><th scope=col class=num>above</th>" SCORE_COLUMNS);
            for (int j = i; j < page->n_runs; j++) add_chosen_row(page, split, j, rule);
            report_end_table(out);
        }
    }
    if (!is_there)
        c3d_text_add(out, "<p class=note>No threshold was chosen on the validation split.</p>\n");
}

/* ---- other measures -------------------------------------------------------------------------- */

static void add_others(report_page *page, int split)
{
    static const struct {
        const char *key, *name;
    } shown[] = {
        { "auc", "area under the<br>ROC curve" },
        { "average_precision", "average<br>precision" },
        { "balanced_accuracy", "balanced<br>accuracy" },
        { "specificity", "specificity" },
        { "f0.5", "F0.5" },
        { "brier", "Brier<br>score" },
        { "loss", "mean<br>loss" },
    };
    c3d_text head = { 0 }, *out = &page->text;

    c3d_text_add(&head, "<th scope=col>run</th>");
    for (size_t m = 0; m < C3D_COUNT(shown); m++)
        c3d_text_add(&head, "<th scope=col class=num>%s</th>", shown[m].name);
    c3d_text_add(out, "<h3>Other measures</h3>\n");
    report_add_thresholds(page, split, "Balanced accuracy, specificity and F0.5");
    report_begin_table(out, "other measures", head.text);
    for (int i = 0; i < page->n_runs; i++) {
        const c3d_json *metrics = c3d_json_get(page->runs[i].evaluations[split], "metrics");
        if (!metrics) continue;
        report_add_run_cell(out, &page->runs[i], i);
        for (size_t m = 0; m < C3D_COUNT(shown); m++)
            report_add_estimate(out, c3d_json_get(metrics, shown[m].key));
        c3d_text_add(out, "</tr>\n");
    }
    report_end_table(out);
    c3d_text_free(&head);
}

/* ---- a split --------------------------------------------------------------------------------- */

static const char *list_hash(const report_run *run, int split)
{
    const char *hash = "";

    (void)c3d_json_get_string(run->evaluations[split], "list_hash", &hash);
    return hash;
}

/* What is drawn again for the intervals. */
static void add_blocks(c3d_text *out, const c3d_json *evaluation)
{
    const c3d_json *km = c3d_json_get(evaluation, "block_km");
    long long n;
    double side;

    if (!c3d_json_get_int(evaluation, "n_blocks", &n)) return;
    if (c3d_json_real_value(km, &side))
        c3d_text_add(out, " in %lld spatial block%s of %.3g km", n, n == 1 ? "" : "s", side);
    else if (km)
        c3d_text_add(out, " in %lld group%s or frame%s, taken as independent", n, n == 1 ? "" : "s",
                     n == 1 ? "" : "s");
    else /* of a version that did not write it */
        c3d_text_add(out, " in %lld block%s", n, n == 1 ? "" : "s");
}

static void warn_of_blocks(c3d_text *out, const c3d_json *evaluation)
{
    const c3d_json *km = c3d_json_get(evaluation, "block_km");
    double side;

    if (!km || c3d_json_real_value(km, &side)) return;
    report_add_warning(out,
                       "These samples were not drawn again by squares of the map (data.block_km): "
                       "their places were not known, or they came in groups. Where groups or "
                       "frames have neighbours like them, the intervals are too narrow.");
}

static void add_list_note(report_page *page, int split)
{
    const report_run *first = NULL;
    bool is_same = true;
    long long n = 0, n_blocks = 0;
    int n_evaluated = 0;

    for (int i = 0; i < page->n_runs; i++) {
        const report_run *run = &page->runs[i];
        if (!run->evaluations[split]) continue;
        if (!first) first = run;
        n_evaluated++;
        is_same = is_same && strcmp(list_hash(first, split), list_hash(run, split)) == 0;
    }
    if (!first) return;
    (void)c3d_json_get_int(first->evaluations[split], "n", &n);
    if (!is_same) {
        report_add_warning(&page->text, "These runs were scored on different lists of samples: "
                                        "their figures must not be compared.");
        return;
    }
    c3d_text_add(&page->text, "<p>%s%lld samples",
                 n_evaluated > 1 ? "All on the same list of " : "", n);
    (void)c3d_json_get_int(first->evaluations[split], "n_blocks", &n_blocks);
    add_blocks(&page->text, first->evaluations[split]);
    if (n_evaluated > 1) {
        c3d_text_add(&page->text, " (<code>");
        c3d_text_add_html(&page->text, list_hash(first, split));
        c3d_text_add(&page->text, "</code>)");
    }
    c3d_text_add(&page->text, ".");
    if (n_blocks > 0 && n_blocks < C3D_BLOCKS_MIN)
        c3d_text_add(&page->text,
                     " Fewer than %d blocks: intervals take samples for independent, which "
                     "neighbours are not.",
                     C3D_BLOCKS_MIN);
    c3d_text_add(&page->text, "</p>\n");
    warn_of_blocks(&page->text, first->evaluations[split]);
}

static void add_split(report_page *page, int split)
{
    add_list_note(page, split);
    if (has_thresholds(page, split)) {
        add_at(page, split, "0.9");
        add_at(page, split, "0.5");
        add_chosen(page, split);
    }
    report_add_classes(page, split);
    add_others(page, split);
    report_add_quality(page, split);
    report_add_groups(page, split);
}

static bool is_evaluated(const report_page *page, int split)
{
    for (int i = 0; i < page->n_runs; i++)
        if (page->runs[i].evaluations[split]) return true;
    return false;
}

/* A figure of {metrics} here or in one of the objects within has an interval of that method. */
static bool has_method(const c3d_json *of, const char *metric, const char *method)
{
    const c3d_json *estimate = c3d_json_get(c3d_json_get(of, "metrics"), metric);
    const char *is;
    double low;

    return c3d_json_get_string(estimate, "method", &is) && strcmp(is, method) == 0 &&
           c3d_json_get_real(estimate, "low", &low);
}

static bool is_used(const report_page *page, const char *metric, const char *method)
{
    static const char *const kept[] = { "at", "chosen" };

    for (int i = 0; i < page->n_runs * REPORT_SPLITS; i++) {
        const c3d_json *of = page->runs[i / REPORT_SPLITS].evaluations[i % REPORT_SPLITS];
        if (has_method(of, metric, method)) return true;
        for (size_t k = 0; k < C3D_COUNT(kept); k++) {
            const c3d_json *within = c3d_json_get(of, kept[k]);
            for (const char *key = NULL; (key = c3d_json_next_key(within, key));)
                if (has_method(c3d_json_get(within, key), metric, method)) return true;
        }
    }
    return false;
}

/* What the marks on the page so far say. */
static void add_reasons(const report_page *page, c3d_text *out)
{
    bool is_begun = false;

    for (int r = C3D_FALLBACK_NONE + 1; r < C3D_N_FALLBACKS; r++) {
        c3d_text mark = { 0 };
        add_mark(&mark, (c3d_fallback)r);
        if (mark.length > 0 && strstr(page->text.text, mark.text)) {
            c3d_text_add(out, "%s %s %s",
                         is_begun ? ";" : ". Not by blocks:", c3d_fallback_mark((c3d_fallback)r),
                         c3d_fallback_text((c3d_fallback)r));
            is_begun = true;
        }
        c3d_text_free(&mark);
    }
}

/* Which figures have which interval, as the files say. */
static void add_interval_note(const report_page *page, c3d_text *out)
{
    static const struct {
        const char *method, *says;
    } methods[] = {
        { "block-bootstrap", "of a bootstrap that draws whole blocks" },
        { "wilson", "Wilson's, which takes neighbours for independent" },
        { "wilson-jaccard", "from Wilson's for tp of tp + fp + fn" },
        { "wilson-squares", "from Wilson's of recall and specificity" },
        { "hanley-mcneil", "Hanley and McNeil's, which takes neighbours for independent" },
    };
    static const struct {
        const char *key, *name;
    } metrics[] = { { "accuracy", "accuracy" },
                    { "precision", "precision" },
                    { "recall", "recall" },
                    { "specificity", "specificity" },
                    { "f1", "F1" },
                    { "f0.5", "F0.5" },
                    { "balanced_accuracy", "balanced accuracy" },
                    { "auc", "area under the ROC curve" },
                    { "average_precision", "average precision" },
                    { "brier", "Brier score" },
                    { "loss", "mean loss" } };
    bool is_begun = false;

    c3d_text_add(out, "<p class=note>Ranges are 95 %% intervals");
    for (size_t m = 0; m < C3D_COUNT(methods); m++) {
        bool is_said = false;
        for (size_t k = 0; k < C3D_COUNT(metrics); k++) {
            if (!is_used(page, metrics[k].key, methods[m].method)) continue;
            if (!is_said) c3d_text_add(out, "%s %s (", is_begun ? ";" : ":", methods[m].says);
            c3d_text_add(out, "%s%s", is_said ? ", " : "", metrics[k].name);
            is_said = is_begun = true;
        }
        if (is_said) c3d_text_add(out, ")");
    }
    add_reasons(page, out);
    c3d_text_add(out, ". They stand for the sampling of the list alone, not for another region or "
                      "another training run.</p>\n");
}

void report_add_scores(report_page *page)
{
    c3d_text *out = &page->text;
    int n_splits = 0;

    report_begin_section(page, "scores", "Scores");
    for (int split = 0; split < REPORT_SPLITS; split++) {
        if (!is_evaluated(page, split)) continue;
        /* the first is what counts; the others are there to look at */
        c3d_text_add(out,
                     n_splits ? "<details><summary>Split: %s</summary>\n"
                              : "<h3 class=split>Split: %s</h3>\n",
                     report_split_names[split]);
        add_split(page, split);
        if (n_splits) c3d_text_add(out, "</details>\n");
        n_splits++;
    }
    for (int i = 0; i < page->n_runs; i++) {
        if (page->runs[i].evaluations[0]) continue;
        c3d_text_add(out, "<p class=warn>");
        c3d_text_add_html(out, page->runs[i].label);
        c3d_text_add(out, " has not been scored on the test split: <code>c3d-evaluate ");
        c3d_text_add_html(out, page->runs[i].path);
        c3d_text_add(out, "</code></p>\n");
    }
    if (n_splits) add_interval_note(page, out);
    report_end_section(page);
}

/* ---- the same for a terminal ----------------------------------------------------------------- */

/* A column of 19: "0.931 (0.910-0.950)", without the interval where there is none. */
static void add_text_estimate(c3d_text *table, const c3d_json *estimate)
{
    double value, low, high;
    char cell[64] = "undefined";

    if (c3d_json_get_real(estimate, "value", &value)) {
        (void)snprintf(cell, sizeof cell, "%.3f", value);
        if (c3d_json_get_real(estimate, "low", &low) && c3d_json_get_real(estimate, "high", &high))
            (void)snprintf(cell, sizeof cell, "%.3f (%.3f-%.3f)", value, low, high);
    }
    c3d_text_add(table, "  %-19s", cell);
}

static void add_text_row(c3d_text *table, const report_run *run, const c3d_json *at)
{
    const c3d_json *counts = c3d_json_get(at, "counts"), *metrics = c3d_json_get(at, "metrics");
    static const char *const names[] = { "tp", "fp", "tn", "fn" };

    c3d_text_add(table, "  %-16s", run->label);
    for (size_t i = 0; i < C3D_COUNT(metric_names); i++)
        add_text_estimate(table, c3d_json_get(metrics, metric_names[i]));
    for (size_t i = 0; i < C3D_COUNT(names); i++) {
        long long n = 0;
        (void)c3d_json_get_int(counts, names[i], &n);
        c3d_text_add(table, " %6lld", n);
    }
    c3d_text_add(table, "\n");
}

/* Where the files have one; no threshold enters it. */
static void add_text_auc(c3d_text *table, const report_run *runs, int n_runs)
{
    bool has_title = false;

    for (int i = 0; i < n_runs; i++) {
        const c3d_json *auc = c3d_json_get(c3d_json_get(runs[i].evaluations[0], "metrics"), "auc");
        if (!auc) continue;
        if (!has_title) c3d_text_add(table, "test split, area under the ROC curve (95 %%)\n");
        has_title = true;
        c3d_text_add(table, "  %-16s", runs[i].label);
        add_text_estimate(table, auc);
        while (table->length && table->text[table->length - 1] == ' ')
            table->text[--table->length] = '\0';
        c3d_text_add(table, "\n");
    }
}

static void add_text_missing(c3d_text *table, const report_run *runs, int n_runs)
{
    for (int i = 0; i < n_runs; i++)
        if (!runs[i].evaluations[0])
            c3d_text_add(table,
                         "warning: %s has not been scored on the test split: c3d-evaluate "
                         "%s\n",
                         runs[i].label, runs[i].path);
}

static void add_text_checkpoints(c3d_text *table, const report_run *runs, int n_runs)
{
    for (int i = 0; i < n_runs; i++)
        for (int split = 0; split < REPORT_SPLITS; split++) {
            c3d_text says = { 0 };
            if (report_tells_checkpoint(&runs[i], split, &says))
                c3d_text_add(table, "warning: %s\n", says.text);
            c3d_text_free(&says);
        }
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
    add_text_auc(table, runs, n_runs);
    add_text_missing(table, runs, n_runs);
    add_text_checkpoints(table, runs, n_runs);
}
