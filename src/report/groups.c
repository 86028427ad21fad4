/* Scores of parts of a split, and by area. */
#include "report/report.h"

#include <string.h>

enum { GROUPS_MAX = 40 }; /* rows of a table */

static const struct {
    const char *key, *title;
} names[] = {
    { "region", "By region" },
    { "year", "By year" },
    { "mine_size", "By size of the mine" },
    { "missing", "By share of missing pixels" },
};

static const char *title_of(const char *key)
{
    for (size_t i = 0; i < C3D_COUNT(names); i++)
        if (strcmp(names[i].key, key) == 0) return names[i].title;
    return key;
}

static const c3d_json *part(const report_run *run, int split, const char *kind)
{
    return c3d_json_get(c3d_json_get(run->evaluations[split], "by"), kind);
}

static void add_row(report_page *page, int i, const char *name, const c3d_json *group)
{
    static const char *const shown[] = { "accuracy", "precision", "recall", "f1" };
    const c3d_json *metrics = c3d_json_get(group, "metrics"), *counts;
    long long tp, fn;
    c3d_text *out = &page->text;

    counts = c3d_json_get(group, "counts");
    c3d_text_add(out, "<tr><th scope=row>");
    c3d_text_add_html(out, name);
    c3d_text_add(out, "</th><td class=name><span class=dot style=\"background:%s\"></span>",
                 report_color(i));
    c3d_text_add_html(out, page->runs[i].label);
    c3d_text_add(out, "</td>");
    report_add_count(out, group, "n");
    if (c3d_json_get_int(counts, "tp", &tp) && c3d_json_get_int(counts, "fn", &fn))
        c3d_text_add(out, "<td class=num>%lld</td>", tp + fn);
    else
        c3d_text_add(out, "<td class=num>&#8211;</td>");
    for (size_t m = 0; m < C3D_COUNT(shown); m++)
        report_add_estimate(out, c3d_json_get(metrics, shown[m]));
    c3d_text_add(out, "</tr>\n");
}

/* All runs' rows of a group stand together. */
static void add_kind(report_page *page, int split, int first, const char *kind)
{
    const c3d_json *groups = part(&page->runs[first], split, kind);
    const char *name = NULL;
    int n = 0;

    c3d_text_add(&page->text, "<h4>");
    c3d_text_add_html(&page->text, title_of(kind));
    c3d_text_add(&page->text, "</h4>\n");
    report_begin_table(&page->text, title_of(kind),
                       "<th scope=col>group</th><th scope=col>run</th>"
                       "<th scope=col class=num>samples</th><th scope=col class=num>positive</th>"
                       "<th scope=col class=num>accuracy</th><th scope=col class=num>precision</th>"
                       "<th scope=col class=num>recall</th><th scope=col class=num>F1</th>");
    while ((name = c3d_json_next_key(groups, name)) && ++n <= GROUPS_MAX)
        for (int i = first; i < page->n_runs; i++) {
            const c3d_json *group = c3d_json_get(part(&page->runs[i], split, kind), name);
            if (group) add_row(page, i, name, group);
        }
    report_end_table(&page->text);
    while (name && (name = c3d_json_next_key(groups, name))) n++;
    if (n > GROUPS_MAX)
        c3d_text_add(&page->text,
                     "<p class=note>%d of %d groups; all are in evaluation-%s.json.</p>\n",
                     GROUPS_MAX, n, report_split_names[split]);
}

static bool has_kind_before(const report_page *page, int split, int run, const char *kind)
{
    for (int i = 0; i < run; i++)
        if (part(&page->runs[i], split, kind)) return true;
    return false;
}

static void add_parts(report_page *page, int split)
{
    bool has_title = false;

    for (int i = 0; i < page->n_runs; i++) {
        const c3d_json *by = c3d_json_get(page->runs[i].evaluations[split], "by");
        const char *kind = NULL;
        while ((kind = c3d_json_next_key(by, kind))) {
            if (has_kind_before(page, split, i, kind) ||
                !c3d_json_next_key(c3d_json_get(by, kind), NULL))
                continue;
            if (!has_title) {
                c3d_text_add(&page->text, "<h3>Parts of the split</h3>\n");
                report_add_thresholds(page, split, "Each part");
            }
            has_title = true;
            add_kind(page, split, i, kind);
        }
    }
}

/* What the weights are: strata and their shares of the area. */
static void add_strata(c3d_text *out, const c3d_json *area)
{
    const c3d_json *strata = c3d_json_get(area, "strata");

    if (c3d_json_length(strata) == 0) return;
    c3d_text_add(out, "<p class=note>Strata, and their shares of the area: ");
    for (size_t h = 0; h < c3d_json_length(strata); h++) {
        const c3d_json *stratum = c3d_json_at(strata, h);
        const char *name = "?";
        double weight = 0;
        (void)c3d_json_get_string(stratum, "name", &name);
        (void)c3d_json_get_real(stratum, "weight", &weight);
        c3d_text_add(out, "%s", h ? ", " : "");
        c3d_text_add_html(out, name);
        c3d_text_add(out, " %.3g", weight);
    }
    c3d_text_add(out, ". Intervals after Olofsson et al. (2014).</p>\n");
}

static const c3d_json *area_of(const report_page *page, int run, int split)
{
    return c3d_json_get(page->runs[run].evaluations[split], "area_weighted");
}

static void add_area_weighted(report_page *page, int split)
{
    bool has_title = false;

    for (int i = 0; i < page->n_runs; i++) {
        const c3d_json *area = area_of(page, i, split);
        const char *name = NULL;
        while ((name = c3d_json_next_key(area, name))) {
            const c3d_json *estimate = c3d_json_get(area, name);
            double value;
            if (!c3d_json_get_real(estimate, "value", &value)) continue;
            if (!has_title) {
                c3d_text_add(&page->text, "<h3>Weighted by area</h3>\n");
                report_add_thresholds(page, split, "These figures");
                report_begin_table(&page->text, "scores weighted by area",
                                   "<th scope=col>run</th><th scope=col>measure</th>"
                                   "<th scope=col class=num>value</th>");
            }
            has_title = true;
            report_add_run_cell(&page->text, &page->runs[i], i);
            c3d_text_add(&page->text, "<td>");
            c3d_text_add_html(&page->text, strcmp(name, "area_share") == 0
                                               ? "share of the area that is positive"
                                               : name);
            c3d_text_add(&page->text, "</td>");
            report_add_estimate(&page->text, estimate);
            c3d_text_add(&page->text, "</tr>\n");
        }
    }
    if (!has_title) return;
    report_end_table(&page->text);
    for (int i = 0; i < page->n_runs; i++) {
        if (!area_of(page, i, split)) continue;
        add_strata(&page->text, area_of(page, i, split));
        break;
    }
}

void report_add_groups(report_page *page, int split)
{
    add_parts(page, split);
    add_area_weighted(page, split);
}
