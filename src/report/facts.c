/* What was configured and what the data are. */
#include "report/report.h"

#include <string.h>

static void add_value(c3d_text *page, const char *value)
{
    c3d_text_add(page, "<td><code>");
    c3d_text_add_html(page, value ? value : "not given");
    c3d_text_add(page, "</code></td>");
}

static bool differs(const report_run *runs, int n_runs, const char *key)
{
    const char *first = report_run_setting(&runs[0], key);

    for (int i = 1; i < n_runs; i++) {
        const char *other = report_run_setting(&runs[i], key);
        if (!first || !other ? first != other : strcmp(first, other) != 0) return true;
    }
    return false;
}

static void add_settings(c3d_text *page, const report_run *runs, int n_runs, bool all)
{
    c3d_text_add(page, "<div class=wide><table><thead><tr><th scope=col>key</th>");
    for (int i = 0; i < n_runs; i++) {
        c3d_text_add(page, "<th scope=col>");
        c3d_text_add_html(page, runs[i].label);
        c3d_text_add(page, "</th>");
    }
    c3d_text_add(page, "</tr></thead>\n<tbody>");
    for (int k = 0; k < runs[0].n_settings; k++) {
        const char *key = runs[0].settings[k].key;
        if (!all && !differs(runs, n_runs, key)) continue;
        c3d_text_add(page, "<tr><th scope=row><code>");
        c3d_text_add_html(page, key);
        c3d_text_add(page, "</code></th>");
        for (int i = 0; i < n_runs; i++) add_value(page, report_run_setting(&runs[i], key));
        c3d_text_add(page, "</tr>\n");
    }
    c3d_text_add(page, "</tbody></table></div>\n");
}

void report_add_configuration(c3d_text *page, const report_run *runs, int n_runs)
{
    c3d_text_add(page, "<section><h2>Configuration</h2>\n");
    if (runs[0].n_settings == 0) {
        c3d_text_add(page, "<p class=warn>No config.yaml in the first run.</p></section>\n");
        return;
    }
    if (n_runs > 1) {
        c3d_text_add(page, "<h3>What differs</h3>\n");
        add_settings(page, runs, n_runs, false);
    }
    c3d_text_add(page, "<details><summary>all keys</summary>\n");
    add_settings(page, runs, n_runs, true);
    c3d_text_add(page, "</details></section>\n");
}

/* ---- data ------------------------------------------------------------------------------------ */

static void add_names(c3d_text *page, const c3d_json *names)
{
    for (size_t i = 0; i < c3d_json_length(names); i++) {
        const char *name = c3d_json_string_value(c3d_json_at(names, i));
        c3d_text_add(page, "%s", i ? ", " : "");
        c3d_text_add_html(page, name ? name : "?");
    }
}

static void add_periods(c3d_text *page, const c3d_json *periods)
{
    for (size_t i = 0; i < c3d_json_length(periods); i++) {
        const c3d_json *months = c3d_json_get(c3d_json_at(periods, i), "months");
        const size_t n = c3d_json_length(months);
        const char *first = n ? c3d_json_string_value(c3d_json_at(months, 0)) : NULL;
        const char *last = n ? c3d_json_string_value(c3d_json_at(months, n - 1)) : NULL;
        c3d_text_add(page, "%s%zu dates, ", i ? "; " : "", n);
        c3d_text_add_html(page, first ? first : "?");
        c3d_text_add(page, " to ");
        c3d_text_add_html(page, last ? last : "?");
    }
}

static void add_splits(c3d_text *page, const report_run *run)
{
    const c3d_json *classes = c3d_json_get(run->dataset, "classes");
    int n_classes = 0;
    bool has_more = false;

    for (int i = 0; i < run->n_splits; i++) {
        has_more = has_more || run->splits[i].n_more > 0;
        if (run->splits[i].n_classes > n_classes) n_classes = run->splits[i].n_classes;
    }
    c3d_text_add(page, "<div class=wide><table><thead><tr><th scope=col>samples</th>");
    for (int c = 0; c < n_classes; c++) {
        const char *name = c3d_json_string_value(c3d_json_at(classes, (size_t)c));
        c3d_text_add(page, "<th scope=col>");
        if (name)
            c3d_text_add_html(page, name);
        else
            c3d_text_add(page, "class %d", c);
        c3d_text_add(page, "</th>");
    }
    c3d_text_add(page, "%s</tr></thead>\n<tbody>", has_more ? "<th scope=col>others</th>" : "");
    for (int i = 0; i < run->n_splits; i++) {
        c3d_text_add(page, "<tr><th scope=row>");
        c3d_text_add_html(page, run->splits[i].name);
        c3d_text_add(page, "</th>");
        for (int c = 0; c < n_classes; c++) {
            c3d_text_add(page, "<td class=num>%lld</td>", run->splits[i].n[c]);
        }
        if (has_more) c3d_text_add(page, "<td class=num>%lld</td>", run->splits[i].n_more);
        c3d_text_add(page, "</tr>\n");
    }
    c3d_text_add(page, "</tbody></table></div>\n");
}

static void add_dataset(c3d_text *page, const report_run *run)
{
    long long size = 0;
    const char *hash = "", *dtype = "";

    c3d_text_add(page, "<h3><code>");
    c3d_text_add_html(page, run->store[0] ? run->store : "data.store is not given");
    c3d_text_add(page, "</code></h3>\n");
    if (!run->dataset) {
        c3d_text_add(page, "<p class=warn>The dataset is not there now.</p>\n");
        return;
    }
    (void)c3d_json_get_int(run->dataset, "frame_size_px", &size);
    (void)c3d_json_get_string(run->dataset, "hash", &hash);
    (void)c3d_json_get_string(run->dataset, "dtype", &dtype);
    c3d_text_add(page, "<dl><dt>frames</dt><dd>%lld &#215; %lld px, ", size, size);
    c3d_text_add_html(page, dtype);
    c3d_text_add(page, "</dd><dt>bands</dt><dd>");
    add_names(page, c3d_json_get(run->dataset, "bands"));
    c3d_text_add(page, "</dd><dt>time</dt><dd>");
    add_periods(page, c3d_json_get(run->dataset, "periods"));
    c3d_text_add(page, "</dd><dt>hash</dt><dd><code>");
    c3d_text_add_html(page, hash);
    c3d_text_add(page, "</code></dd>");
    if (c3d_json_length(c3d_json_get(run->dataset, "licences"))) {
        c3d_text_add(page, "<dt>licences</dt><dd>");
        add_names(page, c3d_json_get(run->dataset, "licences"));
        c3d_text_add(page, "</dd>");
    }
    c3d_text_add(page, "</dl>\n");
    if (run->n_splits) add_splits(page, run);
}

void report_add_datasets(c3d_text *page, const report_run *runs, int n_runs)
{
    c3d_text_add(page, "<section><h2>Data</h2>\n");
    for (int i = 0; i < n_runs; i++) {
        bool is_shown = false;
        for (int j = 0; j < i; j++) is_shown = is_shown || !strcmp(runs[j].store, runs[i].store);
        if (!is_shown) add_dataset(page, &runs[i]);
    }
    c3d_text_add(page, "</section>\n");
}
