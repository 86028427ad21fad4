#include "report/report.h"

#include "c3d/dataset.h"

#include <stdlib.h>
#include <string.h>

/* ---- pieces ---------------------------------------------------------------------------------- */

void report_begin_section(report_page *page, const char *id, const char *title)
{
    c3d_text_add(&page->text, "<section id=%s><h2>%s</h2>\n", id, title);
}

void report_end_section(report_page *page)
{
    c3d_text_add(&page->text, "</section>\n");
}

void report_begin_table(c3d_text *page, const char *label, const char *head)
{
    c3d_text_add(page, "<div class=wide role=region tabindex=0 aria-label=\"");
    c3d_text_add_html(page, label);
    c3d_text_add(page, "\"><table><thead><tr>%s</tr></thead>\n<tbody>", head);
}

void report_end_table(c3d_text *page)
{
    c3d_text_add(page, "</tbody></table></div>\n");
}

void report_add_warning(c3d_text *page, const char *text)
{
    c3d_text_add(page, "<p class=warn>");
    c3d_text_add_html(page, text);
    c3d_text_add(page, "</p>\n");
}

void report_add_warnings(c3d_text *page, const char *lines)
{
    for (const char *end; lines && (end = strchr(lines, '\n')); lines = end + 1) {
        c3d_text line = { 0 };
        c3d_text_add_bytes(&line, lines, (size_t)(end - lines));
        report_add_warning(page, line.text);
        c3d_text_free(&line);
    }
}

void report_add_run_keys(const report_page *page, c3d_text *out)
{
    for (int i = 0; i < page->n_runs; i++) {
        c3d_text_add(out, "<li><span class=dot style=\"background:%s\"></span>", report_color(i));
        c3d_text_add_html(out, page->runs[i].label);
        c3d_text_add(out, "</li>");
    }
}

/* ---- the page -------------------------------------------------------------------------------- */

static void add_title(c3d_text *out, const c3d_report_desc *desc, const report_run *runs)
{
    if (desc->title) {
        c3d_text_add_html(out, desc->title);
        return;
    }
    for (int i = 0; i < desc->n_runs; i++) {
        c3d_text_add(out, "%s", i ? ", " : "");
        c3d_text_add_html(out, runs[i].label);
    }
}

static void add_body(report_page *page)
{
    report_add_summary(page);
    report_add_comparison(page);
    report_add_scores(page);
    report_add_curves(page);
    report_add_gallery(page);
    report_add_history(page);
    report_add_datasets(page);
    report_add_cost(page);
    report_add_configuration(page);
}

/* A link to every section, by its heading. */
static void add_links(c3d_text *out, const char *body)
{
    static const char begins[] = "<section id=", parts[] = "><h2>";

    c3d_text_add(out, "<nav aria-label=\"sections\">");
    for (const char *at = body; (at = strstr(at, begins)) != NULL;) {
        const char *id = at + strlen(begins), *title = strstr(id, parts), *end;
        at = id;
        if (!title || !(end = strstr(title, "</h2>"))) continue;
        c3d_text_add(out, "<a href=\"#%.*s\">", (int)(title - id), id);
        title += strlen(parts);
        c3d_text_add_bytes(out, title, (size_t)(end - title));
        c3d_text_add(out, "</a> ");
    }
    c3d_text_add(out, "</nav>\n");
}

static void add_page(const c3d_report_desc *desc, const report_page *page, c3d_text *out)
{
    c3d_text_add(out, "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
                      "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
                      "<meta name=color-scheme content=\"light dark\">\n"
                      "<link rel=icon href=\"data:,\">\n<title>");
    add_title(out, desc, page->runs);
    c3d_text_add(out, "</title>\n<style>\n%s%s%s</style>\n</head>\n<body>\n<main>\n<header><h1>",
                 report_table_style, report_style, c3d_pictures_style);
    add_title(out, desc, page->runs);
    c3d_text_add(out, "</h1>\n");
    add_links(out, page->text.text);
    c3d_text_add(out, "</header>\n");
    if (page->not_drawn.length) {
        c3d_text_add(out, "<p class=warn>Figures are missing (");
        c3d_text_add_html(out, page->not_drawn.text);
        c3d_text_add(out, "); gnuplot draws them. What they show is told in their places.</p>\n");
    }
    c3d_text_add_bytes(out, page->text.text, page->text.length);
    c3d_text_add(out, "<footer>");
    c3d_text_add_html(out, desc->made_by);
    c3d_text_add(out, "; needs no network.</footer>\n</main>\n</body>\n</html>\n");
}

static c3d_status read_files(const c3d_report_desc *desc, report_run *runs, report_page *page)
{
    char path[C3D_PATH_MAX];

    C3D_TRY(report_check_runs(desc));
    for (int i = 0; i < desc->n_runs; i++) C3D_TRY(report_run_read(desc->runs[i], &runs[i]));
    if (!desc->comparison) return C3D_OK;
    C3D_TRY(c3d_path_join(path, desc->comparison, "comparison.json"));
    if (!c3d_path_exists(path))
        return C3D_FAIL(C3D_EIO, "%s: no comparison.json; c3d-evaluate --compare writes it",
                        desc->comparison);
    return c3d_json_read(path, &page->comparison);
}

static void add_text(const report_page *page, c3d_text *table)
{
    c3d_text says = { 0 };

    report_add_scores_text(table, page->runs, page->n_runs);
    report_tell_comparison(page, &says);
    for (const char *line = says.text, *end; line && (end = strchr(line, '\n')); line = end + 1)
        c3d_text_add(table, "warning: %.*s\n", (int)(end - line), line);
    c3d_text_free(&says);
}

c3d_status c3d_report_write(const c3d_report_desc *desc, const char *path, c3d_text *table)
{
    report_run runs[C3D_REPORT_MAX_RUNS] = { 0 };
    report_page page = { .runs = runs, .n_runs = desc->n_runs, .comparison_dir = desc->comparison };
    c3d_text text = { 0 };
    c3d_status st;

    if (desc->n_runs < 1 || desc->n_runs > C3D_REPORT_MAX_RUNS) {
        return C3D_FAIL(C3D_EINVAL, "%d runs, at most %d fit a report", desc->n_runs,
                        C3D_REPORT_MAX_RUNS);
    }
    st = read_files(desc, runs, &page);
    if (st == C3D_OK) {
        report_label_runs(runs, desc->n_runs, page.comparison);
        add_body(&page);
        add_page(desc, &page, &text);
        if (table) add_text(&page, table);
        st = c3d_file_write(path, text.text, text.length);
    }
    for (int i = 0; i < desc->n_runs; i++) report_run_free(&runs[i]);
    c3d_json_free(page.comparison);
    c3d_text_free(&page.text);
    c3d_text_free(&page.not_drawn);
    c3d_text_free(&text);
    return st;
}
