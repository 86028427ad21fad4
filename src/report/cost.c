/* Throughput and cost: cost.json, and the steps as steps.jsonl has them. */
#include "report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- cost.json ------------------------------------------------------------------------------- */

/* 78.0 M: a number with three digits. */
static void add_scaled(c3d_text *out, double value)
{
    static const char *const units[] = { "", " k", " M", " G", " T", " P" };
    size_t unit = 0;

    while (fabs(value) >= 1000 && unit + 1 < C3D_COUNT(units)) {
        value /= 1000;
        unit++;
    }
    c3d_text_add(out, "%.*f%s",
                 unit == 0 || fabs(value) >= 100 ? 0
                 : fabs(value) >= 10             ? 1
                                                 : 2,
                 value, units[unit]);
}

static void add_number(c3d_text *out, const c3d_json *cost, const char *key)
{
    double value;

    c3d_text_add(out, "<td class=num>");
    if (c3d_json_get_real(cost, key, &value) && isfinite(value))
        add_scaled(out, value);
    else
        c3d_text_add(out, "?");
    c3d_text_add(out, "</td>");
}

static void add_device(c3d_text *out, const c3d_json *cost)
{
    const char *device = "?";
    long long n = 1;

    (void)c3d_json_get_string(cost, "device", &device);
    (void)c3d_json_get_int(cost, "n_devices", &n);
    c3d_text_add(out, "<td>%lld &#215; ", n);
    c3d_text_add_html(out, device);
    c3d_text_add(out, "</td>");
}

static void add_rate(c3d_text *out, const c3d_json *cost)
{
    double seen, seconds, hours;

    if (c3d_json_get_real(cost, "device_hours", &hours))
        c3d_text_add(out, "<td class=num>%.3g</td>", hours);
    else
        c3d_text_add(out, "<td class=num>?</td>");
    if (c3d_json_get_real(cost, "samples_seen", &seen) &&
        c3d_json_get_real(cost, "seconds", &seconds) && seconds > 0)
        c3d_text_add(out, "<td class=num>%.4g</td>", seen / seconds);
    else
        c3d_text_add(out, "<td class=num>?</td>");
}

/* Of runs whose first steps were not counted. */
static void add_beginnings(report_page *page)
{
    for (int i = 0; i < page->n_runs; i++) {
        long long from;
        if (!c3d_json_get_int(page->runs[i].cost, "from_step", &from) || from <= 0) continue;
        c3d_text_add(&page->text, "<p class=note>Of ");
        c3d_text_add_html(&page->text, page->runs[i].label);
        c3d_text_add(&page->text, " time and samples are counted from step %lld on.</p>\n", from);
    }
}

static void add_costs(report_page *page)
{
    c3d_text *out = &page->text, without = { 0 };
    bool has_table = false;

    for (int i = 0; i < page->n_runs; i++) {
        const c3d_json *cost = page->runs[i].cost;
        if (!cost) {
            c3d_text_add(&without, "%s%s", without.length ? ", " : "No cost.json in ",
                         page->runs[i].label);
            continue;
        }
        if (!has_table)
            report_begin_table(out, "cost of training",
                               "<th scope=col>run</th><th scope=col class=num>parameters</th>"
                               "<th scope=col class=num>multiply-adds a sample</th>"
                               "<th scope=col class=num>bytes a sample</th>"
                               "<th scope=col class=num>samples seen</th><th scope=col>devices</th>"
                               "<th scope=col class=num>device hours</th>"
                               "<th scope=col class=num>samples a second</th>");
        has_table = true;
        report_add_run_cell(out, &page->runs[i], i);
        add_number(out, cost, "parameters");
        add_number(out, cost, "multiply_adds");
        add_number(out, cost, "bytes_a_sample");
        add_number(out, cost, "samples_seen");
        add_device(out, cost);
        add_rate(out, cost);
        c3d_text_add(out, "</tr>\n");
    }
    if (has_table) report_end_table(out);
    add_beginnings(page);
    if (without.length) c3d_text_add(out, "<p class=note>%s.</p>\n", without.text);
    c3d_text_free(&without);
}

/* ---- steps.jsonl ----------------------------------------------------------------------------- */

enum { N_PARTS = 6 };
static const struct {
    const char *key, *title;
    double scale;
} parts[N_PARTS] = {
    { "seconds", "ms a step", 1000 },  { "waited_s", "waiting", 1000 },
    { "copied_s", "copying", 1000 },   { "computed_s", "computing", 1000 },
    { "reduced_s", "reducing", 1000 }, { "peak_share", "% of the peak", 100 },
};

typedef struct steps {
    size_t n, capacity;
    double *values[N_PARTS]; /* [n]; NaN: not in the line */
} steps;

static bool add_step(steps *of, const c3d_json *line)
{
    if (of->n == of->capacity) {
        const size_t capacity = 2 * of->capacity + 1024;
        for (int p = 0; p < N_PARTS; p++) {
            double *grown = realloc(of->values[p], capacity * sizeof *grown);
            if (!grown) return false;
            of->values[p] = grown;
        }
        of->capacity = capacity;
    }
    for (int p = 0; p < N_PARTS; p++)
        if (!c3d_json_get_real(line, parts[p].key, &of->values[p][of->n]))
            of->values[p][of->n] = NAN;
    of->n++;
    return true;
}

/* Lines that cannot be read are left out: a killed run may end in the middle of one. */
static c3d_status read_steps(const report_run *run, steps *out)
{
    char path[C3D_PATH_MAX], *text, *rest;
    c3d_status st = C3D_OK;

    C3D_TRY(c3d_path_join(path, run->path, "steps.jsonl"));
    if (!c3d_path_exists(path)) return C3D_OK;
    C3D_TRY(c3d_file_read(path, &text, NULL));
    for (char *line = strtok_r(text, "\n", &rest); line && st == C3D_OK;
         line = strtok_r(NULL, "\n", &rest)) {
        c3d_json *json;
        if (c3d_json_parse(line, strlen(line), path, &json) != C3D_OK) continue;
        if (!add_step(out, json)) st = C3D_FAIL(C3D_ENOMEM, "%s: memory exhausted", path);
        c3d_json_free(json);
    }
    free(text);
    return st;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    size_t n_known = 0;

    for (size_t i = 0; i < n; i++)
        if (isfinite(values[i])) values[n_known++] = values[i];
    if (n_known == 0) return NAN;
    qsort(values, n_known, sizeof *values, by_value);
    return values[n_known / 2];
}

static void add_step_row(report_page *page, int i, const steps *of)
{
    c3d_text *out = &page->text;

    report_add_run_cell(out, &page->runs[i], i);
    c3d_text_add(out, "<td class=num>%zu</td>", of->n);
    for (int p = 0; p < N_PARTS; p++) {
        const double value = parts[p].scale * median(of->values[p], of->n);
        if (isfinite(value))
            c3d_text_add(out, "<td class=num>%.3g</td>", value);
        else
            c3d_text_add(out, "<td class=num>?</td>");
    }
    c3d_text_add(out, "</tr>\n");
}

static void begin_steps(c3d_text *out)
{
    c3d_text head = { 0 };

    c3d_text_add(&head, "<th scope=col>run</th><th scope=col class=num>steps</th>");
    for (int p = 0; p < N_PARTS; p++)
        c3d_text_add(&head, "<th scope=col class=num>%s</th>", parts[p].title);
    c3d_text_add(out, "<h3>A step: medians, of rank 0</h3>\n");
    report_begin_table(out, "time of a step", head.text);
    c3d_text_free(&head);
}

static void add_steps(report_page *page)
{
    c3d_text *out = &page->text;
    bool has_table = false;

    for (int i = 0; i < page->n_runs; i++) {
        steps of = { 0 };
        if (read_steps(&page->runs[i], &of) == C3D_OK && of.n > 0) {
            if (!has_table) begin_steps(out);
            has_table = true;
            add_step_row(page, i, &of);
        }
        for (int p = 0; p < N_PARTS; p++) free(of.values[p]);
    }
    if (has_table)
        report_end_table(out);
    else
        c3d_text_add(out, "<p class=note>No steps.jsonl: what a step took is not known.</p>\n");
}

void report_add_cost(report_page *page)
{
    report_begin_section(page, "cost", "Throughput and cost");
    add_costs(page);
    add_steps(page);
    c3d_text_add(&page->text, "<div class=plots>\n");
    report_add_throughput(page);
    c3d_text_add(&page->text, "</div>\n");
    report_end_section(page);
}
