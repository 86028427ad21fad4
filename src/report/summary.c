/* What came out, in one sentence a network. */
#include "report/report.h"

#include <math.h>

static void add_interval(c3d_text *out, const c3d_json *metrics, const char *name)
{
    const c3d_json *estimate = c3d_json_get(metrics, name);
    double value, low, high;

    if (!c3d_json_get_real(estimate, "value", &value)) {
        c3d_text_add(out, "undefined");
        return;
    }
    c3d_text_add(out, "<b>%.3f</b>", value);
    if (c3d_json_get_real(estimate, "low", &low) && c3d_json_get_real(estimate, "high", &high))
        c3d_text_add(out, ", 95 %% %.3f to %.3f", low, high);
}

static void add_auc(c3d_text *out, const c3d_json *metrics)
{
    if (!c3d_json_get(metrics, "auc")) return;
    c3d_text_add(out, "; area under the ROC curve ");
    add_interval(out, metrics, "auc");
}

static bool get_counts(const c3d_json *counts, long long n[4])
{
    return c3d_json_get_int(counts, "tp", &n[0]) && c3d_json_get_int(counts, "fp", &n[1]) &&
           c3d_json_get_int(counts, "tn", &n[2]) && c3d_json_get_int(counts, "fn", &n[3]);
}

/* Where naming the largest class everywhere would be right as often. */
static void add_largest_class(c3d_text *out, const report_run *run, long long n_right,
                              const long long *n_of_class, size_t n_classes)
{
    const c3d_json *names = c3d_json_get(run->dataset, "classes");
    long long n = 0;
    size_t largest = 0;

    for (size_t k = 0; k < n_classes; k++) {
        n += n_of_class[k];
        if (n_of_class[k] > n_of_class[largest]) largest = k;
    }
    if (n == 0 || n_right > n_of_class[largest]) return;
    const char *name = c3d_json_string_value(c3d_json_at(names, largest));
    c3d_text_add(out, ", %s than calling everything ",
                 n_right == n_of_class[largest] ? "no better" : "worse");
    if (name)
        c3d_text_add_html(out, name);
    else if (n_classes == 2)
        c3d_text_add(out, largest == 1 ? "positive" : "negative");
    else
        c3d_text_add(out, "class %zu", largest);
    c3d_text_add(out, ": %.3f", (double)n_of_class[largest] / (double)n);
}

/* At the threshold of the configuration. */
static void add_one_output(c3d_text *out, const report_run *run, const c3d_json *evaluation)
{
    const c3d_json *metrics = c3d_json_get(evaluation, "metrics");
    const char *name = c3d_json_string_value(c3d_json_at(c3d_json_get(run->dataset, "classes"), 1));
    double threshold = NAN;
    long long n[4];

    if (!get_counts(c3d_json_get(evaluation, "counts"), n)) {
        c3d_text_add(out, ": its counts are not in the file");
        return;
    }
    (void)c3d_json_get_real(evaluation, "threshold", &threshold);
    c3d_text_add(out, " with a score above %.6g counting as ", threshold);
    c3d_text_add_html(out, name ? name : "positive");
    c3d_text_add(out, " it found %lld of %lld positives (recall ", n[0], n[0] + n[3]);
    add_interval(out, metrics, "recall");
    c3d_text_add(out, "), ");
    if (n[0] + n[1] == 0)
        c3d_text_add(out, "raised no alarm (precision ");
    else
        c3d_text_add(out, "%lld of its %lld alarms %s right (precision ", n[0], n[0] + n[1],
                     n[0] == 1 ? "was" : "were");
    add_interval(out, metrics, "precision");
    c3d_text_add(out, ") and %lld of all %lld were right (accuracy ", n[0] + n[2],
                 n[0] + n[1] + n[2] + n[3]);
    add_interval(out, metrics, "accuracy");
    add_largest_class(out, run, n[0] + n[2], (const long long[]){ n[1] + n[2], n[0] + n[3] }, 2);
    c3d_text_add(out, ")");
    add_auc(out, metrics);
}

static void add_classes(c3d_text *out, const report_run *run, const c3d_json *evaluation)
{
    const c3d_json *metrics = c3d_json_get(evaluation, "metrics");
    const c3d_json *confusion = c3d_json_get(evaluation, "confusion");
    const size_t n_classes = c3d_json_length(confusion);
    long long n_of_class[REPORT_CLASSES] = { 0 }, n_right = 0, n;

    c3d_text_add(out, " the share of samples whose class it named was ");
    add_interval(out, metrics, "accuracy");
    for (size_t k = 0; n_classes <= REPORT_CLASSES && k < n_classes; k++)
        for (size_t i = 0; i < n_classes; i++) {
            if (!c3d_json_int_value(c3d_json_at(c3d_json_at(confusion, k), i), &n)) continue;
            n_of_class[k] += n;
            if (i == k) n_right += n;
        }
    if (n_classes <= REPORT_CLASSES) add_largest_class(out, run, n_right, n_of_class, n_classes);
    c3d_text_add(out, "; mean F1 of the classes ");
    add_interval(out, metrics, "f1");
    add_auc(out, metrics);
}

static void add_training(c3d_text *out, const report_run *run)
{
    double best = INFINITY, epoch = 0;

    for (size_t row = 0; run->has_metrics && row < run->metrics.n_rows; row++) {
        const double loss = report_run_metric(run, row, "val_loss");
        if (!isfinite(loss) || loss >= best) continue;
        best = loss;
        epoch = report_run_metric(run, row, "epoch");
    }
    c3d_text_add(out, " not scored yet");
    if (isfinite(best))
        c3d_text_add(out,
                     "; after %zu epochs of training its lowest validation loss was "
                     "<b>%.4g</b>, in epoch %.0f",
                     run->metrics.n_rows, best, epoch);
    else
        c3d_text_add(out, ", and no epoch of its training has ended");
}

static void add_run(c3d_text *out, const report_run *run, int number)
{
    const char *network = report_run_setting(run, "model.network");
    long long n = 0;
    int split = 0;

    while (split < REPORT_SPLITS && !run->evaluations[split]) split++;
    c3d_text_add(out, "<li><span class=dot style=\"background:%s\"></span><b>",
                 report_color(number));
    c3d_text_add_html(out, run->label);
    c3d_text_add(out, "</b>");
    if (network) {
        c3d_text_add(out, " (<code>");
        c3d_text_add_html(out, network);
        c3d_text_add(out, "</code>)");
    }
    c3d_text_add(out, ":");
    if (split == REPORT_SPLITS) {
        add_training(out, run);
    } else {
        const c3d_json *evaluation = run->evaluations[split];
        (void)c3d_json_get_int(evaluation, "n", &n);
        c3d_text_add(out, " on %lld %s samples", n, report_split_names[split]);
        if (c3d_json_get(evaluation, "confusion"))
            add_classes(out, run, evaluation);
        else
            add_one_output(out, run, evaluation);
    }
    c3d_text_add(out, ".</li>\n");
}

static void warn_of_checkpoints(report_page *page)
{
    for (int i = 0; i < page->n_runs; i++)
        for (int split = 0; split < REPORT_SPLITS; split++) {
            c3d_text says = { 0 };
            if (report_tells_checkpoint(&page->runs[i], split, &says))
                report_add_warning(&page->text, says.text);
            c3d_text_free(&says);
        }
}

void report_add_summary(report_page *page)
{
    report_begin_section(page, "outcome", "What came out");
    warn_of_checkpoints(page);
    c3d_text_add(&page->text, "<ul class=said>\n");
    for (int i = 0; i < page->n_runs; i++) add_run(&page->text, &page->runs[i], i);
    c3d_text_add(&page->text, "</ul>\n");
    if (page->n_runs > 1 && !page->comparison)
        c3d_text_add(&page->text,
                     "<p class=note>Whether these networks differ is not decided here: intervals "
                     "that overlap do not say it. <code>c3d-evaluate --compare</code> does, and "
                     "<code>c3d-report ... --comparison DIR</code> shows it.</p>\n");
    report_end_section(page);
}
