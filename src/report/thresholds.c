/* At which threshold each run's figures are: runs may have been scored with different ones. */
#include "report/report.h"

#include <math.h>

double report_threshold(const c3d_json *evaluation)
{
    double threshold;

    return c3d_json_get(evaluation, "counts") &&
                   c3d_json_get_real(evaluation, "threshold", &threshold)
               ? threshold
               : (double)NAN;
}

bool report_are_alike(const double *values, int n)
{
    double first = NAN;

    for (int i = 0; i < n; i++) {
        if (isnan(values[i])) continue;
        if (isnan(first)) first = values[i];
        if (values[i] < first || values[i] > first) return false;
    }
    return true;
}

bool report_add_by_run(const report_page *page, const double *values, c3d_text *out)
{
    const bool is_one = report_are_alike(values, page->n_runs);
    bool is_begun = false;

    for (int i = 0; i < page->n_runs && !(is_one && is_begun); i++) {
        if (isnan(values[i])) continue;
        c3d_text_add(out, "%s%.6g", is_begun ? ", " : "", values[i]);
        is_begun = true;
        if (is_one) continue;
        c3d_text_add(out, " (");
        c3d_text_add_html(out, page->runs[i].label);
        c3d_text_add(out, ")");
    }
    return is_begun;
}

void report_thresholds(const report_page *page, int split, double out[C3D_REPORT_MAX_RUNS])
{
    for (int i = 0; i < page->n_runs; i++)
        out[i] = report_threshold(page->runs[i].evaluations[split]);
}

void report_add_thresholds(report_page *page, int split, const char *what)
{
    double thresholds[C3D_REPORT_MAX_RUNS];
    c3d_text text = { 0 };

    report_thresholds(page, split, thresholds);
    if (report_add_by_run(page, thresholds, &text))
        c3d_text_add(&page->text, "<p class=note>%s: positive when the score is above %s.</p>\n",
                     what, text.text);
    c3d_text_free(&text);
}
