/* What was configured. */
#include "report/report.h"

#include <string.h>

static void add_value(c3d_text *page, const char *value)
{
    c3d_text_add(page, "<td><code>");
    c3d_text_add_html(page, value ? value : "not given");
    c3d_text_add(page, "</code></td>");
}

static bool differs(const report_page *page, const char *key)
{
    const char *first = report_run_setting(&page->runs[0], key);

    for (int i = 1; i < page->n_runs; i++) {
        const char *other = report_run_setting(&page->runs[i], key);
        if (!first || !other ? first != other : strcmp(first, other) != 0) return true;
    }
    return false;
}

/* Keys of run `from` that no run before it has. */
static void add_keys(report_page *page, int from, bool all)
{
    c3d_text *out = &page->text;

    for (int k = 0; k < page->runs[from].n_settings; k++) {
        const char *key = page->runs[from].settings[k].key;
        bool is_new = true;
        for (int i = 0; i < from; i++) is_new = is_new && !report_run_setting(&page->runs[i], key);
        if (!is_new || (!all && !differs(page, key))) continue;
        c3d_text_add(out, "<tr><th scope=row><code>");
        c3d_text_add_html(out, key);
        c3d_text_add(out, "</code></th>");
        for (int i = 0; i < page->n_runs; i++)
            add_value(out, report_run_setting(&page->runs[i], key));
        c3d_text_add(out, "</tr>\n");
    }
}

static void add_settings(report_page *page, bool all)
{
    c3d_text head = { 0 };

    c3d_text_add(&head, "<th scope=col>key</th>");
    for (int i = 0; i < page->n_runs; i++) {
        c3d_text_add(&head, "<th scope=col>");
        c3d_text_add_html(&head, page->runs[i].label);
        c3d_text_add(&head, "</th>");
    }
    report_begin_table(&page->text, "configuration", head.text);
    for (int i = 0; i < page->n_runs; i++) add_keys(page, i, all);
    report_end_table(&page->text);
    c3d_text_free(&head);
}

void report_add_configuration(report_page *page)
{
    c3d_text says = { 0 };

    report_begin_section(page, "configuration", "Configuration");
    for (int i = 0; i < page->n_runs; i++)
        if (page->runs[i].n_settings == 0)
            c3d_text_add(&says, "%s%s", says.length ? ", " : "No config.yaml in ",
                         page->runs[i].label);
    if (says.length) report_add_warning(&page->text, says.text);
    if (page->n_runs > 1) {
        c3d_text_add(&page->text, "<h3>What differs</h3>\n");
        add_settings(page, false);
    }
    c3d_text_add(&page->text, "<details><summary>all keys</summary>\n");
    add_settings(page, true);
    c3d_text_add(&page->text, "</details>\n");
    report_end_section(page);
    c3d_text_free(&says);
}
