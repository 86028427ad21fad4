#include "report/report.h"

#include <stdlib.h>
#include <string.h>

/* Short names where they tell the runs apart. */
static void label_runs(report_run *runs, int n_runs)
{
    bool is_unique = true;

    for (int i = 0; i < n_runs; i++) {
        const char *slash = strrchr(runs[i].path, '/');
        if (slash && slash[1]) runs[i].label = slash + 1;
        for (int j = 0; j < i; j++) {
            if (strcmp(runs[i].label, runs[j].label) == 0) is_unique = false;
        }
    }
    for (int i = 0; i < n_runs && !is_unique; i++) runs[i].label = runs[i].path;
}

static void add_title(c3d_text *page, const c3d_report_desc *desc, const report_run *runs)
{
    if (desc->title) {
        c3d_text_add_html(page, desc->title);
        return;
    }
    for (int i = 0; i < desc->n_runs; i++) {
        c3d_text_add(page, "%s", i ? ", " : "");
        c3d_text_add_html(page, runs[i].label);
    }
}

static void add_page(c3d_text *page, const c3d_report_desc *desc, const report_run *runs)
{
    c3d_text_add(page, "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
                       "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
                       "<meta name=color-scheme content=\"light dark\">\n<title>");
    add_title(page, desc, runs);
    c3d_text_add(page, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n<header><h1>",
                 report_style);
    add_title(page, desc, runs);
    c3d_text_add(page, "</h1></header>\n");
    report_add_scores(page, runs, desc->n_runs);
    report_add_curves(page, runs, desc->n_runs);
    report_add_datasets(page, runs, desc->n_runs);
    report_add_configuration(page, runs, desc->n_runs);
    c3d_text_add(page, "<footer>");
    c3d_text_add_html(page, desc->made_by);
    c3d_text_add(page, "</footer>\n</main>\n</body>\n</html>\n");
}

c3d_status c3d_report_write(const c3d_report_desc *desc, const char *path, c3d_text *table)
{
    report_run runs[C3D_REPORT_MAX_RUNS] = { 0 };
    c3d_text page = { 0 };
    c3d_status st = C3D_OK;

    if (desc->n_runs < 1 || desc->n_runs > C3D_REPORT_MAX_RUNS) {
        return C3D_FAIL(C3D_EINVAL, "%d runs, at most %d fit a report", desc->n_runs,
                        C3D_REPORT_MAX_RUNS);
    }
    for (int i = 0; i < desc->n_runs; i++) {
        C3D_TRY_TO(done, report_run_read(desc->runs[i], &runs[i]));
    }
    label_runs(runs, desc->n_runs);
    add_page(&page, desc, runs);
    if (table) report_add_scores_text(table, runs, desc->n_runs);
    st = c3d_file_write(path, page.text, page.length);
done:
    for (int i = 0; i < desc->n_runs; i++) report_run_free(&runs[i]);
    c3d_text_free(&page);
    return st;
}
