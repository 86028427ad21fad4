/* What c3d-evaluate --compare found: its words, its table, what lies behind them. */
#include "report/report.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <string.h>

static const char *text_of(const c3d_json *object, const char *key, const char *standard)
{
    const char *text;

    return c3d_json_get_string(object, key, &text) ? text : standard;
}

static double real_of(const c3d_json *object, const char *key)
{
    double value = NAN;

    (void)c3d_json_get_real(object, key, &value);
    return value;
}

/* The entry of an array of a network, and of a measure when there is one; NULL: none. */
static const c3d_json *find(const c3d_json *array, const char *name, const char *metric)
{
    for (size_t i = 0; i < c3d_json_length(array); i++) {
        const c3d_json *entry = c3d_json_at(array, i);
        if (strcmp(text_of(entry, "name", ""), name) == 0 &&
            strcmp(text_of(entry, "metric", ""), metric) == 0)
            return entry;
    }
    return NULL;
}

static const char *measure_name(const char *metric)
{
    if (strcmp(metric, "auc") == 0) return "area under the ROC curve";
    if (strcmp(metric, "average_precision") == 0) return "average precision";
    if (strcmp(metric, "balanced_accuracy") == 0) return "balanced accuracy";
    if (strcmp(metric, "brier") == 0) return "Brier score";
    return metric;
}

/* ---- cells ----------------------------------------------------------------------------------- */

static void add_real(c3d_text *out, double value)
{
    if (isfinite(value))
        c3d_text_add(out, "<td class=num>%.3g</td>", value);
    else
        c3d_text_add(out, "<td class=num>&#8211;</td>");
}

static void add_p(c3d_text *out, double p)
{
    if (!isfinite(p))
        c3d_text_add(out, "<td class=num>&#8211;</td>");
    else if (p < 1e-4)
        c3d_text_add(out, "<td class=num>&lt; 0.0001</td>");
    else
        c3d_text_add(out, "<td class=num>%.4f</td>", p);
}

static void add_whole(c3d_text *out, double value)
{
    if (isfinite(value))
        c3d_text_add(out, "<td class=num>%.0f</td>", value);
    else
        c3d_text_add(out, "<td class=num>&#8211;</td>");
}

static void add_difference(c3d_text *out, const c3d_json *difference)
{
    const double low = real_of(difference, "low"), high = real_of(difference, "high");
    const double value = real_of(difference, "difference");

    if (!isfinite(value)) {
        c3d_text_add(out, "<td class=num>&#8211;</td>");
        return;
    }
    c3d_text_add(out, "<td class=num><b>%+.4f</b>", value);
    if (isfinite(low) && isfinite(high))
        c3d_text_add(out, " <span class=ci>%+.4f to %+.4f</span>", low, high);
    c3d_text_add(out, "</td>");
}

static void add_name(c3d_text *out, const char *name)
{
    c3d_text_add(out, "<tr><th scope=row>");
    c3d_text_add_html(out, name);
    c3d_text_add(out, "</th>");
}

static void add_text_cell(c3d_text *out, const char *text)
{
    c3d_text_add(out, "<td class=name>");
    c3d_text_add_html(out, text);
    c3d_text_add(out, "</td>");
}

/* ---- the table ------------------------------------------------------------------------------- */

static void add_network(const c3d_json *comparison, const char *primary, const c3d_json *network,
                        c3d_text *out)
{
    const char *name = text_of(network, "name", "?");
    const bool is_reference = strcmp(name, text_of(comparison, "reference", "")) == 0;
    const c3d_json *difference = find(c3d_json_get(comparison, "differences"), name, primary);

    add_name(out, name);
    report_add_count(out, network, "n_seeds");
    report_add_estimate(out, c3d_json_get(c3d_json_get(network, "metrics"), primary));
    add_difference(out, difference);
    add_p(out, real_of(difference, "p"));
    add_p(out, real_of(difference, "p_holm"));
    add_text_cell(out, is_reference ? "reference" : text_of(difference, "verdict", "not decided"));
    c3d_text_add(out, "</tr>\n");
}

static void add_table(const c3d_json *comparison, const char *primary, c3d_text *out)
{
    const c3d_json *networks = c3d_json_get(comparison, "networks");
    c3d_text head = { 0 };

    c3d_text_add(&head,
                 "<th scope=col>network</th><th scope=col class=num>seeds</th>"
                 "<th scope=col class=num>%s</th><th scope=col class=num>difference</th>"
                 "<th scope=col class=num>p</th><th scope=col class=num>p, Holm</th>"
                 "<th scope=col>verdict</th>",
                 measure_name(primary));
    c3d_text_add(out, "<div class=stack style=\"--measure:'");
    for (const char *c = measure_name(primary); *c; c++)
        if (isalnum((unsigned char)*c) || *c == ' ') c3d_text_add_bytes(out, c, 1);
    c3d_text_add(out, "'\">\n");
    report_begin_table(out, "comparison", head.text);
    for (size_t i = 0; i < c3d_json_length(networks); i++)
        add_network(comparison, primary, c3d_json_at(networks, i), out);
    report_end_table(out);
    c3d_text_add(out, "</div>\n");
    c3d_text_free(&head);
}

/* What each cost: a mean of its seeds. */
static void add_costs(const c3d_json *comparison, c3d_text *out)
{
    const c3d_json *networks = c3d_json_get(comparison, "networks");

    report_begin_table(out, "cost of each network",
                       "<th scope=col>cost</th><th scope=col class=num>parameters, M</th>"
                       "<th scope=col class=num>multiply-adds a sample, G</th>"
                       "<th scope=col class=num>MB a sample</th>"
                       "<th scope=col class=num>samples seen</th>"
                       "<th scope=col class=num>device hours</th>");
    for (size_t i = 0; i < c3d_json_length(networks); i++) {
        const c3d_json *network = c3d_json_at(networks, i), *cost = c3d_json_get(network, "cost");
        add_name(out, text_of(network, "name", "?"));
        add_real(out, real_of(cost, "parameters") / 1e6);
        add_real(out, real_of(cost, "multiply_adds") / 1e9);
        add_real(out, real_of(cost, "bytes_a_sample") / 1e6);
        add_whole(out, real_of(cost, "samples_seen"));
        add_real(out, real_of(cost, "device_hours"));
        c3d_text_add(out, "</tr>\n");
    }
    report_end_table(out);
}

/* ---- the figure ------------------------------------------------------------------------------ */

/* In gnuplot's single quotes. */
static void add_quoted(c3d_text *out, const char *text)
{
    c3d_text_add(out, "'");
    for (; *text; text++) {
        if (*text == '\'') c3d_text_add(out, "'");
        if (*text != '\n') c3d_text_add_bytes(out, text, 1);
    }
    c3d_text_add(out, "'");
}

typedef struct forest {
    c3d_text tics, rows, alt;
    double low, high; /* what the axis shows: 0 too */
    int n;
} forest;

/* A row a network, from the top down. */
static void add_row(forest *of, const char *name, const c3d_json *difference)
{
    const double value = real_of(difference, "difference");
    double low = real_of(difference, "low"), high = real_of(difference, "high");
    const bool has_interval = isfinite(low) && isfinite(high);

    if (!isfinite(value)) return;
    c3d_text_add(&of->alt, "; %s %+.4f", name, value);
    if (has_interval) c3d_text_add(&of->alt, " (%+.4f to %+.4f)", low, high);
    if (!has_interval) low = high = value;
    c3d_text_add(&of->tics, "%s", of->n ? ", " : "");
    add_quoted(&of->tics, name);
    c3d_text_add(&of->tics, " %d", -of->n);
    c3d_text_add(&of->rows, "%.6g %d %.6g %.6g\n", value, -of->n, low, high);
    of->low = fmin(of->low, low);
    of->high = fmax(of->high, high);
    of->n++;
}

/* Between labels of an axis, so that at most five or six stand beside each other: 1, 2 or 5 times a
 * power of ten. */
static double step_of(double range)
{
    static const double steps[] = { 1, 2, 5, 10 };
    const double least = range / 5, power = pow(10, floor(log10(least)));
    int i = 0;

    while (i < 3 && steps[i] * power < least) i++;
    return steps[i] * power;
}

static void add_figure(report_page *page, const char *primary)
{
    const char *reference = text_of(page->comparison, "reference", "the first");
    const c3d_json *networks = c3d_json_get(page->comparison, "networks");
    const c3d_json *differences = c3d_json_get(page->comparison, "differences");
    c3d_text script = { 0 }, title = { 0 };
    forest of = { 0 };

    c3d_text_add(&title, "%s: difference from %s", measure_name(primary), reference);
    c3d_text_add(&of.alt, "%s, with 95 %% intervals", title.text);
    for (size_t i = 0; i < c3d_json_length(networks); i++) {
        const char *name = text_of(c3d_json_at(networks, i), "name", "?");
        add_row(&of, name, find(differences, name, primary));
    }
    const double margin = fmax(0.05 * (of.high - of.low), 0.005);
    if (of.n > 0)
        c3d_text_add(&script,
                     "$rows << EOD\n%sEOD\nset border 1\nset ytics scale 0 (%s)\n"
                     "set yrange [%.1f:0.5]\nset xrange [%.4f:%.4f]\nset format x '%%+.3g'\n"
                     "set xtics %.6g\nset xtics add ('0' 0)\n"
                     "set arrow from 0, graph 0 to 0, graph 1 nohead lw 1.2 dt 3 lc rgb '#7d8590'\n"
                     "plot $rows using 1:2:3:4 with xerrorbars pt 7 ps 0.7 lw 1.5 "
                     "lc rgb '%s' notitle",
                     of.rows.text, of.tics.text, 0.5 - of.n, of.low - margin, of.high + margin,
                     step_of(of.high - of.low + 2 * margin), report_color(0));
    c3d_text_add(&page->text, "<div class=plots>\n");
    report_add_figure(
        page,
        &(report_figure){ .title = title.text, .alt = of.alt.text, .height = 100 + 28 * of.n },
        &script);
    c3d_text_add(&page->text, "</div>\n");
    c3d_text_free(&of.tics);
    c3d_text_free(&of.rows);
    c3d_text_free(&of.alt);
    c3d_text_free(&script);
    c3d_text_free(&title);
}

/* ---- what lies behind ------------------------------------------------------------------------ */

static void add_secondary(const c3d_json *comparison, const char *primary, c3d_text *out)
{
    const c3d_json *differences = c3d_json_get(comparison, "differences");

    c3d_text_add(out, "<details><summary>other measures, which decide nothing</summary>\n");
    report_begin_table(out, "differences in other measures",
                       "<th scope=col>network</th><th scope=col>measure</th>"
                       "<th scope=col class=num>difference</th><th scope=col class=num>p</th>"
                       "<th scope=col class=num>p, Holm</th>");
    for (size_t i = 0; i < c3d_json_length(differences); i++) {
        const c3d_json *difference = c3d_json_at(differences, i);
        const char *metric = text_of(difference, "metric", "?");
        if (strcmp(metric, primary) == 0) continue;
        add_name(out, text_of(difference, "name", "?"));
        add_text_cell(out, measure_name(metric));
        add_difference(out, difference);
        add_p(out, real_of(difference, "p"));
        add_p(out, real_of(difference, "p_holm"));
        c3d_text_add(out, "</tr>\n");
    }
    report_end_table(out);
    c3d_text_add(out, "</details>\n");
}

static void add_mcnemar(const c3d_json *comparison, c3d_text *out)
{
    const c3d_json *rows = c3d_json_get(comparison, "mcnemar");

    if (c3d_json_length(rows) == 0) return;
    c3d_text_add(out, "<details><summary>McNemar's test, which takes neighbouring scenes for "
                      "independent</summary>\n");
    report_begin_table(out, "McNemar's test",
                       "<th scope=col>network</th><th scope=col class=num>run</th>"
                       "<th scope=col class=num>right by the reference alone</th>"
                       "<th scope=col class=num>right by it alone</th>"
                       "<th scope=col class=num>p</th>");
    for (size_t i = 0; i < c3d_json_length(rows); i++) {
        const c3d_json *row = c3d_json_at(rows, i);
        add_name(out, text_of(row, "name", "?"));
        report_add_count(out, row, "run");
        report_add_count(out, row, "reference_only");
        report_add_count(out, row, "network_only");
        add_p(out, real_of(row, "p"));
        c3d_text_add(out, "</tr>\n");
    }
    report_end_table(out);
    c3d_text_add(out, "</details>\n");
}

static void add_settings(const c3d_json *comparison, const char *kind, const char *title,
                         c3d_text *out)
{
    const c3d_json *rows = c3d_json_get(comparison, kind);
    const c3d_json *networks = c3d_json_get(comparison, "networks");
    c3d_text head = { 0 };

    if (c3d_json_length(rows) == 0) {
        c3d_text_add(out, "<p class=note>%s: nothing.</p>\n", title);
        return;
    }
    c3d_text_add(&head, "<th scope=col>key</th>");
    for (size_t i = 0; i < c3d_json_length(networks); i++) {
        c3d_text_add(&head, "<th scope=col>");
        c3d_text_add_html(&head, text_of(c3d_json_at(networks, i), "name", "?"));
        c3d_text_add(&head, "</th>");
    }
    c3d_text_add(out, "<details><summary>%s: %zu</summary>\n", title, c3d_json_length(rows));
    report_begin_table(out, title, head.text);
    for (size_t i = 0; i < c3d_json_length(rows); i++) {
        const c3d_json *row = c3d_json_at(rows, i), *values = c3d_json_get(row, "values");
        add_name(out, text_of(row, "key", "?"));
        for (size_t k = 0; k < c3d_json_length(values); k++) {
            const char *value = c3d_json_string_value(c3d_json_at(values, k));
            add_text_cell(out, value ? value : "not known");
        }
        c3d_text_add(out, "</tr>\n");
    }
    report_end_table(out);
    c3d_text_add(out, "</details>\n");
    c3d_text_free(&head);
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Why these figures are not those of the scores further down. */
static void add_seeds(const c3d_json *comparison, c3d_text *out)
{
    const c3d_json *networks = c3d_json_get(comparison, "networks");
    long long least = 0, most = 0, n;

    for (size_t i = 0; i < c3d_json_length(networks); i++) {
        if (!c3d_json_get_int(c3d_json_at(networks, i), "n_seeds", &n)) continue;
        if (most == 0 || n < least) least = n;
        if (n > most) most = n;
    }
    if (most < 2) return;
    c3d_text_add(out, " Figures of a network are means over its ");
    if (least < most) c3d_text_add(out, "%lld to ", least);
    c3d_text_add(out,
                 "%lld seeds and their intervals count seeds too; under Scores each run "
                 "stands alone.",
                 most);
}

static void add_facts(const c3d_json *comparison, c3d_text *out)
{
    long long n, n_blocks;

    c3d_text_add(out, "<p class=note>");
    if (c3d_json_get_int(comparison, "n", &n))
        c3d_text_add(out, "%lld samples of the %s split", n, text_of(comparison, "split", "?"));
    if (c3d_json_get_int(comparison, "n_blocks", &n_blocks))
        c3d_text_add(out, " in %lld blocks", n_blocks);
    c3d_text_add(out, ". The differences are from ");
    c3d_text_add_html(out, text_of(comparison, "reference", "the first"));
    c3d_text_add(out, "; p after Holm counts all comparisons.");
    add_seeds(comparison, out);
    c3d_text_add(out, "</p>\n");
}

/* What came out, and, lighter, how to read it. */
static void add_words(const char *paragraph, c3d_text *out)
{
    const char *terms = strstr(paragraph, "How to read this:");
    c3d_text first = { 0 };

    c3d_text_add(&first, "%.*s", terms ? (int)(terms - paragraph) : INT_MAX, paragraph);
    c3d_text_add(out, "<p>");
    c3d_text_add_html(out, first.text);
    c3d_text_add(out, "</p>\n");
    c3d_text_free(&first);
    if (!terms) return;
    c3d_text_add(out, "<p class=note>");
    c3d_text_add_html(out, terms);
    c3d_text_add(out, "</p>\n");
}

static void warn_of_runs(report_page *page)
{
    c3d_text says = { 0 };

    report_tell_comparison(page, &says);
    report_add_warnings(&page->text, says.text);
    c3d_text_free(&says);
}

void report_add_comparison(report_page *page)
{
    const c3d_json *comparison = page->comparison, *warnings;
    const char *primary = text_of(comparison, "primary", "auc");
    c3d_text *out = &page->text;

    if (!comparison) return;
    report_begin_section(page, "comparison", "Comparison");
    warn_of_runs(page);
    warnings = c3d_json_get(comparison, "warnings");
    for (size_t i = 0; i < c3d_json_length(warnings); i++) {
        const char *warning = c3d_json_string_value(c3d_json_at(warnings, i));
        if (warning) report_add_warning(out, warning);
    }
    add_words(text_of(comparison, "paragraph", "comparison.json has no paragraph."), out);
    add_facts(comparison, out);
    add_table(comparison, primary, out);
    add_figure(page, primary);
    add_costs(comparison, out);
    add_secondary(comparison, primary, out);
    add_mcnemar(comparison, out);
    add_settings(comparison, "settings", "Settings that differ", out);
    add_settings(comparison, "data", "Data that differ", out);
    report_end_section(page);
}
