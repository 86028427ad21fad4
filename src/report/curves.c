/* Curves by epoch, and the figures behind them. */
#include "report/report.h"

#include <math.h>

typedef struct quantity {
    const char *name;       /* "loss" */
    const char *columns[2]; /* of training and validation; NULL: not drawn */
    bool is_share;          /* values in 0..1 */
} quantity;

static const quantity loss = { .name = "loss (error)", .columns = { "train_loss", "val_loss" } };
static const quantity precision = { .name = "precision",
                                    .columns = { "train_precision", "val_precision" },
                                    .is_share = true };
static const quantity throughput = { .name = "samples a second",
                                     .columns = { NULL, "scenes_per_s" } };
/* Of all networks in one figure, on the validation samples. */
static const quantity compared[] = {
    { .name = "loss", .columns = { NULL, "val_loss" } },
    { .name = "accuracy", .columns = { NULL, "val_accuracy" }, .is_share = true },
    { .name = "precision", .columns = { NULL, "val_precision" }, .is_share = true },
    { .name = "recall", .columns = { NULL, "val_recall" }, .is_share = true },
    { .name = "F1", .columns = { NULL, "val_f1" }, .is_share = true },
    { .name = "area under the ROC curve", .columns = { NULL, "val_auc" }, .is_share = true },
};

static size_t n_rows(const report_run *run)
{
    return run->has_metrics ? run->metrics.n_rows : 0;
}

/* Points of a column. A blank line parts those that have an epoch without a value between them:
 * gnuplot draws no line there, and a larger point where no line would lead to it. Returns how many
 * points there are. */
static int add_points(c3d_text *script, const report_run *run, const char *column, double size)
{
    double last = NAN;
    int n = 0;

    for (size_t row = 0; row < n_rows(run); row++) {
        const double epoch = report_run_metric(run, row, "epoch");
        const double value = report_run_metric(run, row, column);
        if (!isfinite(epoch) || !isfinite(value)) continue;
        if (n > 0 && epoch > last + 1) c3d_text_add(script, "\n");
        const bool is_last =
            row + 1 == n_rows(run) || !isfinite(report_run_metric(run, row + 1, column));
        const bool is_alone = is_last && (n == 0 || epoch > last + 1);
        c3d_text_add(script, "%.9g %.9g %g\n", epoch, value, is_alone ? 0.9 : size);
        last = epoch;
        n++;
    }
    return n;
}

static double largest(const report_page *page, const quantity *what)
{
    double found = 0;

    for (int i = 0; i < page->n_runs; i++)
        for (int c = 0; c < 2; c++)
            for (size_t row = 0; what->columns[c] && row < n_rows(&page->runs[i]); row++)
                found = fmax(found, report_run_metric(&page->runs[i], row, what->columns[c]));
    return found;
}

/* "training from 0.69 to 0.31": the first and the last value. */
static void tell(c3d_text *alt, const report_run *run, const char *what, const char *column)
{
    double first = NAN, last = NAN;

    for (size_t row = 0; row < n_rows(run); row++) {
        const double value = report_run_metric(run, row, column);
        if (!isfinite(value)) continue;
        if (!isfinite(first)) first = value;
        last = value;
    }
    if (isfinite(first))
        c3d_text_add(alt, "; %s from %.3g to %.3g", what, first, last);
    else
        c3d_text_add(alt, "; %s without a value", what);
}

static double last_epoch(const report_page *page)
{
    double last = 0;

    for (int i = 0; i < page->n_runs; i++)
        for (size_t row = 0; row < n_rows(&page->runs[i]); row++)
            last = fmax(last, report_run_metric(&page->runs[i], row, "epoch"));
    return last;
}

/* Points and lines of one run: training thin and dashed, validation solid. */
static void add_lines(c3d_text *blocks, c3d_text *lines, const report_page *page, int i,
                      const quantity *what)
{
    for (int c = 0; c < 2; c++) {
        if (!what->columns[c]) continue;
        c3d_text_add(blocks, "$run%d_%d << EOD\n", i, c);
        const int n = add_points(blocks, &page->runs[i], what->columns[c], c ? 0.4 : 0.25);
        c3d_text_add(blocks, "EOD\n");
        if (n == 0) continue; /* gnuplot takes it for an error */
        c3d_text_add(lines,
                     "%s $run%d_%d using 1:2:3 with linespoints pt 7 ps variable lw %s dt %d "
                     "lc rgb '%s' notitle",
                     lines->length ? "," : "plot", i, c, c ? "2" : "1.2", c ? 1 : 2,
                     report_color(i));
    }
}

/* One figure of runs first to end - 1. */
static void add_curve(report_page *page, const quantity *what, int first, int end)
{
    static const char *const sides[] = { "training", "validation" };
    c3d_text script = { 0 }, lines = { 0 }, title = { 0 }, alt = { 0 };
    const double top = what->is_share ? 1 : 1.05 * largest(page, what), last = last_epoch(page);

    if (end == first + 1 && page->n_runs > 1) c3d_text_add(&title, "%s: ", page->runs[first].label);
    c3d_text_add(&title, "%s", what->name);
    c3d_text_add(&alt, "%s by epoch", title.text);
    for (int i = first; i < end; i++) {
        const report_run *run = &page->runs[i];
        for (int c = 0; c < 2; c++)
            if (what->columns[c])
                tell(&alt, run, end > first + 1 ? run->label : sides[c], what->columns[c]);
        add_lines(&script, &lines, page, i, what);
    }
    if (lines.length)
        c3d_text_add(&script, "set xlabel 'epoch'\n%sset xrange [%g:%g]\nset yrange [0:%.6g]\n%s\n",
                     last <= 10 ? "set xtics 1\n" : "", last > 1 ? 1 : 0.5, last > 1 ? last : 1.5,
                     top > 0 ? top : 1, lines.text);
    else
        script.length = 0;
    report_add_figure(page, &(report_figure){ .title = title.text, .alt = alt.text }, &script);
    c3d_text_free(&script);
    c3d_text_free(&lines);
    c3d_text_free(&title);
    c3d_text_free(&alt);
}

/* Each network's error and precision through training, as the study drew them; all on the same
 * axes. */
static void add_by_network(report_page *page, const quantity *what)
{
    c3d_text_add(&page->text, "<div class=plots>\n");
    for (int i = 0; i < page->n_runs; i++) add_curve(page, what, i, i + 1);
    c3d_text_add(&page->text, "</div>\n");
}

static void add_legend(report_page *page)
{
    c3d_text *out = &page->text;
    double thresholds[C3D_REPORT_MAX_RUNS];
    c3d_text text = { 0 };

    for (int i = 0; i < page->n_runs; i++) {
        const char *value = report_run_setting(&page->runs[i], "evaluation.threshold");
        if (!value || !c3d_parse_real(value, &thresholds[i]) ||
            report_run_int(&page->runs[i], "model.outputs", 1) > 1)
            thresholds[i] = NAN;
    }
    c3d_text_add(out, "<ul class=legend>");
    report_add_run_keys(page, out);
    if (report_add_by_run(page, thresholds, &text))
        c3d_text_add(out, "<li>shares: score above %s</li>", text.text);
    c3d_text_free(&text);
    c3d_text_add(out, "<li>solid: validation</li><li>dashed: training, as it ran (dropout on)</li>"
                      "<li>no line where an epoch has no value</li></ul>\n");
}

static void add_figures(c3d_text *page, const report_run *run, bool is_open)
{
    c3d_text head = { 0 };

    c3d_text_add(page, "<details%s><summary>figures of ", is_open ? " open" : "");
    c3d_text_add_html(page, run->label);
    c3d_text_add(page, " by epoch</summary>");
    for (int c = 0; c < run->metrics.n_columns; c++) {
        c3d_text_add(&head, "<th scope=col>");
        c3d_text_add_html(&head, run->metrics.header[c]);
        c3d_text_add(&head, "</th>");
    }
    report_begin_table(page, "figures by epoch", head.text);
    for (size_t row = 0; row < run->metrics.n_rows; row++) {
        c3d_text_add(page, "<tr>");
        for (int c = 0; c < run->metrics.n_columns; c++) {
            const char *field = c3d_csv_field(&run->metrics, row, c);
            double value;
            c3d_text_add(page, "<td class=num>");
            if (c3d_parse_real(field, &value))
                c3d_text_add(page, "%.5g", value);
            else
                c3d_text_add_html(page, field);
            c3d_text_add(page, "</td>");
        }
        c3d_text_add(page, "</tr>\n");
    }
    report_end_table(page);
    c3d_text_add(page, "</details>\n");
    c3d_text_free(&head);
}

void report_add_curves(report_page *page)
{
    c3d_text *out = &page->text;

    report_begin_section(page, "training", "Training");
    add_legend(page);
    c3d_text_add(out, "<h3>Error and precision through training%s</h3>\n",
                 page->n_runs > 1 ? ", network by network" : "");
    add_by_network(page, &loss);
    add_by_network(page, &precision);
    c3d_text_add(out, "<h3>Validation%s</h3>\n<div class=plots>\n",
                 page->n_runs > 1 ? ", all networks" : "");
    for (size_t i = 0; i < C3D_COUNT(compared); i++) add_curve(page, &compared[i], 0, page->n_runs);
    c3d_text_add(out, "</div>\n");
    for (int i = 0; i < page->n_runs; i++) {
        const report_run *run = &page->runs[i];
        c3d_text says = { 0 };
        if (run->has_metrics) {
            add_figures(out, run, page->not_drawn.length > 0);
            continue;
        }
        c3d_text_add(&says, "%s has no metrics.csv: it was not trained here.", run->label);
        report_add_warning(out, says.text);
        c3d_text_free(&says);
    }
    report_end_section(page);
}

void report_add_throughput(report_page *page)
{
    add_curve(page, &throughput, 0, page->n_runs);
}
