/* Tables of scores of K classes: means over classes, each class, the confusion matrix. */
#include "report/report.h"

static const char *const metric_names[] = { "accuracy", "precision", "recall", "f1" };

static const char *class_name(const c3d_json *entry)
{
    const char *name = "?";

    (void)c3d_json_get_string(entry, "name", &name);
    return name;
}

static void add_count(c3d_text *page, const c3d_json *number)
{
    long long n;

    if (c3d_json_int_value(number, &n))
        c3d_text_add(page, "<td class=num>%lld</td>", n);
    else
        c3d_text_add(page, "<td class=num>?</td>");
}

/* A class a row; how its samples were predicted in the last columns. */
static void add_run(c3d_text *page, const report_run *run, const c3d_json *evaluation)
{
    const c3d_json *classes = c3d_json_get(evaluation, "classes");
    const c3d_json *confusion = c3d_json_get(evaluation, "confusion");
    const size_t n = c3d_json_length(classes);
    const bool has_matrix = n <= REPORT_CLASSES;
    c3d_text head = { 0 };

    c3d_text_add(page, "<h3>");
    c3d_text_add_html(page, run->label);
    c3d_text_add(page, ": each class against the others%s</h3>\n",
                 has_matrix ? ", and what its samples were predicted as" : "");
    c3d_text_add(&head, "<th scope=col>class</th><th scope=col>samples</th><th scope=col>precision"
                        "</th><th scope=col class=num>recall</th><th scope=col class=num>F1</th>");
    for (size_t k = 0; has_matrix && k < n; k++) {
        c3d_text_add(&head, "<th scope=col>as ");
        c3d_text_add_html(&head, class_name(c3d_json_at(classes, k)));
        c3d_text_add(&head, "</th>");
    }
    report_begin_table(page, "confusion matrix", head.text);
    c3d_text_free(&head);
    for (size_t row = 0; row < n; row++) {
        const c3d_json *entry = c3d_json_at(classes, row);
        const c3d_json *metrics = c3d_json_get(entry, "metrics");
        c3d_text_add(page, "<tr><th scope=row>");
        c3d_text_add_html(page, class_name(entry));
        c3d_text_add(page, "</th>");
        add_count(page, c3d_json_get(entry, "n"));
        for (size_t i = 1; i < C3D_COUNT(metric_names); i++)
            report_add_estimate(page, c3d_json_get(metrics, metric_names[i]));
        for (size_t k = 0; has_matrix && k < n; k++)
            add_count(page, c3d_json_at(c3d_json_at(confusion, row), k));
        c3d_text_add(page, "</tr>\n");
    }
    report_end_table(page);
}

void report_add_classes(report_page *page, int split)
{
    c3d_text *out = &page->text;
    bool has_title = false;

    for (int i = 0; i < page->n_runs; i++) {
        const c3d_json *evaluation = page->runs[i].evaluations[split];
        const c3d_json *metrics = c3d_json_get(evaluation, "metrics");
        if (!c3d_json_get(evaluation, "confusion")) continue;
        if (!has_title) {
            c3d_text_add(out, "<h3>The class of the largest score; means over classes</h3>\n");
            report_begin_table(out, "means over classes",
                               "<th scope=col>run</th><th scope=col class=num>accuracy</th>"
                               "<th scope=col class=num>mean precision</th><th scope=col "
                               "class=num>mean recall</th>"
                               "<th scope=col class=num>mean F1</th>");
        }
        has_title = true;
        report_add_run_cell(out, &page->runs[i], i);
        for (size_t m = 0; m < C3D_COUNT(metric_names); m++)
            report_add_estimate(out, c3d_json_get(metrics, metric_names[m]));
        c3d_text_add(out, "</tr>\n");
    }
    if (!has_title) return;
    report_end_table(out);
    for (int i = 0; i < page->n_runs; i++)
        if (c3d_json_get(page->runs[i].evaluations[split], "confusion"))
            add_run(out, &page->runs[i], page->runs[i].evaluations[split]);
}

void report_add_classes_text(c3d_text *table, const report_run *runs, int n_runs)
{
    bool has_title = false;

    for (int i = 0; i < n_runs; i++) {
        const c3d_json *evaluation = runs[i].evaluations[0];
        const c3d_json *metrics = c3d_json_get(evaluation, "metrics");
        if (!c3d_json_get(evaluation, "confusion")) continue;
        if (!has_title)
            c3d_text_add(table,
                         "test split, the class of the largest score; means over classes\n"
                         "  %-16s  %-19s  %-9s  %-9s  %-9s\n",
                         "run", "accuracy (95 %)", "precision", "recall", "F1");
        has_title = true;
        c3d_text_add(table, "  %-16s", runs[i].label);
        for (size_t m = 0; m < C3D_COUNT(metric_names); m++) {
            const c3d_json *estimate = c3d_json_get(metrics, metric_names[m]);
            double value, low, high;
            if (!c3d_json_get_real(estimate, "value", &value))
                c3d_text_add(table, "  %-9s", "undefined");
            else if (c3d_json_get_real(estimate, "low", &low) &&
                     c3d_json_get_real(estimate, "high", &high))
                c3d_text_add(table, "  %.3f (%.3f-%.3f)", value, low, high);
            else
                c3d_text_add(table, "  %-9.3f", value);
        }
        c3d_text_add(table, "\n");
    }
}
