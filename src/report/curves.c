/* Curves by epoch, and the figures behind them. */
#include "report/report.h"

#include <math.h>

static const report_plot plots[] = {
    { "loss", "train_loss", "val_loss", false },
    { "accuracy", "train_accuracy", "val_accuracy", true },
    { "precision", "train_precision", "val_precision", true },
    { "recall", "train_recall", "val_recall", true },
};

static void add_legend(c3d_text *page, const report_run *runs, int n_runs)
{
    c3d_text_add(page, "<ul class=legend>");
    for (int i = 0; i < n_runs; i++) {
        c3d_text_add(page, "<li><span class=dot style=\"background:%s\"></span>", report_color(i));
        c3d_text_add_html(page, runs[i].label);
        c3d_text_add(page, "</li>");
    }
    const char *threshold = report_run_setting(&runs[0], "evaluation.threshold");
    if (threshold) {
        c3d_text_add(page, "<li>shares: score above ");
        c3d_text_add_html(page, threshold);
        c3d_text_add(page, "</li>");
    }
    c3d_text_add(page, "<li>solid: validation</li><li>dashed: training, as it ran (dropout on)</li>"
                       "</ul>\n");
}

static void add_figures(c3d_text *page, const report_run *run, bool is_open)
{
    c3d_text_add(page, "<details%s><summary>figures of ", is_open ? " open" : "");
    c3d_text_add_html(page, run->label);
    c3d_text_add(page, " by epoch</summary><div class=wide><table><thead><tr>");
    for (int c = 0; c < run->metrics.n_columns; c++) {
        c3d_text_add(page, "<th scope=col>");
        c3d_text_add_html(page, run->metrics.header[c]);
        c3d_text_add(page, "</th>");
    }
    c3d_text_add(page, "</tr></thead>\n<tbody>");
    for (size_t row = 0; row < run->metrics.n_rows; row++) {
        c3d_text_add(page, "<tr>");
        for (int c = 0; c < run->metrics.n_columns; c++) {
            const char *field = c3d_csv_field(&run->metrics, row, c);
            double value;
            if (c3d_parse_real(field, &value)) {
                c3d_text_add(page, "<td class=num>%.5g</td>", value);
            } else {
                c3d_text_add(page, "<td class=num>");
                c3d_text_add_html(page, field);
                c3d_text_add(page, "</td>");
            }
        }
        c3d_text_add(page, "</tr>\n");
    }
    c3d_text_add(page, "</tbody></table></div></details>\n");
}

void report_add_curves(c3d_text *page, const report_run *runs, int n_runs)
{
    c3d_text why = { 0 }, graphs = { 0 };
    bool is_drawn = true;

    for (size_t i = 0; i < C3D_COUNT(plots); i++) {
        c3d_text reason = { 0 };
        c3d_text_add(&graphs, "<figure class=plot><figcaption>%s</figcaption>", plots[i].title);
        if (!report_plot_add(&plots[i], (int)i, runs, n_runs, &graphs, &reason)) {
            is_drawn = false;
            if (!why.length) c3d_text_add(&why, "%s", reason.text);
            c3d_text_add(&graphs, "<p class=note>not drawn</p>");
        }
        c3d_text_add(&graphs, "</figure>\n");
        c3d_text_free(&reason);
    }
    c3d_text_add(page, "<section><h2>Training</h2>\n");
    if (!is_drawn) {
        c3d_text_add(page, "<p class=warn>Curves are missing (");
        c3d_text_add_html(page, why.text);
        c3d_text_add(page, "); gnuplot draws them. The figures are below.</p>\n");
    }
    add_legend(page, runs, n_runs);
    c3d_text_add(page, "<div class=plots>\n%s</div>\n", graphs.text);
    for (int i = 0; i < n_runs; i++) {
        if (runs[i].has_metrics) add_figures(page, &runs[i], !is_drawn);
    }
    c3d_text_add(page, "</section>\n");
    c3d_text_free(&why);
    c3d_text_free(&graphs);
}
