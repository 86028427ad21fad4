/* What was trained on what: a card for each dataset, and what each run took of it. */
#include "report/report.h"

#include "c3d/data.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* ---- samples --------------------------------------------------------------------------------- */

static void add_class_head(c3d_text *head, const c3d_json *classes, int c)
{
    const char *name = c3d_json_string_value(c3d_json_at(classes, (size_t)c));

    c3d_text_add(head, "<th scope=col class=num>");
    if (name)
        c3d_text_add_html(head, name);
    else
        c3d_text_add(head, "class %d", c);
    c3d_text_add(head, "</th>");
}

static bool has_more_classes(const report_run *run)
{
    for (int i = 0; i <= REPORT_SPLITS; i++)
        if (run->splits[i].n_more > 0) return true;
    return false;
}

static void add_split_row(c3d_text *out, const report_run *run, int i, int n_classes)
{
    const split_count *split = &run->splits[i];
    long long n = split->n_more;

    c3d_text_add(out, "<tr><th scope=row>%s</th>", c3d_split_name((c3d_split)i));
    for (int c = 0; c < n_classes; c++) {
        c3d_text_add(out, "<td class=num>%lld</td>", split->n[c]);
        n += split->n[c];
    }
    if (has_more_classes(run)) c3d_text_add(out, "<td class=num>%lld</td>", split->n_more);
    c3d_text_add(out, "<td class=num>%lld</td></tr>\n", n);
}

static void add_splits(c3d_text *out, const report_run *run)
{
    const c3d_json *classes = c3d_json_get(run->dataset, "classes");
    c3d_text head = { 0 };
    int n_classes = 0;

    for (int i = 0; i <= REPORT_SPLITS; i++) {
        if (run->splits[i].n_classes > n_classes) n_classes = run->splits[i].n_classes;
    }
    c3d_text_add(&head, "<th scope=col>samples</th>");
    for (int c = 0; c < n_classes; c++) add_class_head(&head, classes, c);
    c3d_text_add(&head, "%s<th scope=col class=num>all</th>",
                 has_more_classes(run) ? "<th scope=col class=num>others</th>" : "");
    report_begin_table(out, "samples by split and class", head.text);
    for (int i = 0; i <= REPORT_SPLITS; i++)
        if (run->splits[i].is_there) add_split_row(out, run, i, n_classes);
    report_end_table(out);
    c3d_text_free(&head);
}

/* ---- frames and leaks ------------------------------------------------------------------------ */

static void add_fates(c3d_text *out, const c3d_json *counts)
{
    static const struct {
        const char *key, *text;
    } fates[] = {
        { "used", "used" },
        { "no_split", "in no split (too near to another)" },
        { "uncertain", "with an uncertain label" },
        { "unlabelled", "without a label" },
        { "no_sample", "without a sample" },
        { "dropped_empty", "dropped, nothing observed" },
        { "dropped_missing", "dropped, too much missing" },
        { "absent", "not clipped" },
    };
    const c3d_json *frames = c3d_json_get(counts, "frames");
    long long n_all, n;
    int n_told = 0;

    if (!c3d_json_get_int(counts, "n_frames", &n_all)) return;
    c3d_text_add(out, "<dt>number</dt><dd>%lld frames", n_all);
    for (size_t i = 0; i < C3D_COUNT(fates); i++)
        if (c3d_json_get_int(frames, fates[i].key, &n) && n > 0)
            c3d_text_add(out, "%s%lld %s", n_told++ ? ", " : ": ", n, fates[i].text);
    c3d_text_add(out, "</dd>");
}

static void add_leak(c3d_text *out, const c3d_json *leak)
{
    const char *rule = NULL;
    long long n;
    double distance;

    if (!leak) return;
    c3d_text_add(out, "<dt>splits</dt><dd>");
    if (c3d_json_get_string(leak, "split", &rule)) {
        c3d_text_add(out, "by ");
        c3d_text_add_html(out, rule);
        c3d_text_add(out, "; ");
    }
    if (c3d_json_get_int(leak, "overlapping_frames", &n))
        c3d_text_add(out, "%lld frames overlap one of another split", n);
    if (c3d_json_get_real(leak, "smallest_distance_m", &distance))
        c3d_text_add(out, "; the nearest two are %.4g m apart", distance);
    c3d_text_add(out, "</dd>");
}

static void add_missing(c3d_text *out, const c3d_json *shares)
{
    double sum = 0, value;
    size_t n_empty = 0;
    const size_t n = c3d_json_length(shares);

    if (n == 0) return;
    for (size_t i = 0; i < n; i++) {
        if (!c3d_json_real_value(c3d_json_at(shares, i), &value)) return;
        sum += value;
        n_empty += value >= 1;
    }
    c3d_text_add(out, "<dt>missing</dt><dd>%.1f %% of all pixels", 100 * sum / (double)n);
    if (n_empty) c3d_text_add(out, "; %zu of %zu dates have none and are filled in", n_empty, n);
    c3d_text_add(out, "</dd>");
}

/* ---- the card -------------------------------------------------------------------------------- */

static void add_licences(c3d_text *out, const c3d_json *licences)
{
    const size_t n = c3d_json_length(licences);

    c3d_text_add(out, "<dt>licences</dt><dd>");
    for (size_t i = 0; i < n; i++) {
        const char *line = c3d_json_string_value(c3d_json_at(licences, i));
        c3d_text_add(out, "%s", i ? "<br>" : "");
        c3d_text_add_html(out, line ? line : "?");
    }
    c3d_text_add(out, "%s</dd>", n ? "" : "none is written in dataset.json");
}

static void add_facts(c3d_text *out, const c3d_json *dataset)
{
    long long size = 0;
    double pixel_m;
    const char *hash = "", *dtype = "";

    (void)c3d_json_get_int(dataset, "frame_size_px", &size);
    (void)c3d_json_get_string(dataset, "hash", &hash);
    (void)c3d_json_get_string(dataset, "dtype", &dtype);
    c3d_text_add(out, "<dl><dt>frames</dt><dd>%lld &#215; %lld px", size, size);
    if (c3d_json_real_value(c3d_json_at(c3d_json_get(dataset, "pixel_m"), 0), &pixel_m) &&
        pixel_m > 0)
        c3d_text_add(out, " of %.4g m", pixel_m);
    c3d_text_add(out, ", ");
    c3d_text_add_html(out, dtype);
    c3d_text_add(out, "</dd>");
    add_fates(out, c3d_json_get(dataset, "counts"));
    c3d_text_add(out, "<dt>bands</dt><dd>");
    add_names(out, c3d_json_get(dataset, "bands"));
    c3d_text_add(out, "</dd><dt>time</dt><dd>");
    add_periods(out, c3d_json_get(dataset, "periods"));
    c3d_text_add(out, "</dd>");
    add_missing(out, c3d_json_get(dataset, "missing_share"));
    add_leak(out, c3d_json_get(dataset, "leak"));
    c3d_text_add(out, "<dt>hash</dt><dd><code>");
    c3d_text_add_html(out, hash);
    c3d_text_add(out, "</code></dd>");
    add_licences(out, c3d_json_get(dataset, "licences"));
    c3d_text_add(out, "</dl>\n");
}

static void warn_of_absence(c3d_text *out, const report_run *run)
{
    c3d_text says = { 0 };
    char *here = run->store[0] && run->store[0] != '/' ? getcwd(NULL, 0) : NULL;

    c3d_text_add(&says, "The dataset is not there now.");
    if (here)
        c3d_text_add(&says,
                     " Its path is a relative one and was looked for from %s; it is one from where "
                     "c3d-train was started.",
                     here);
    report_add_warning(out, says.text);
    c3d_text_free(&says);
    free(here);
}

static void add_dataset(report_page *page, const report_run *run)
{
    c3d_text *out = &page->text;

    c3d_text_add(out, "<h3><code>");
    c3d_text_add_html(out, run->store[0] ? run->store : "data.store is not given");
    c3d_text_add(out, "</code></h3>\n");
    if (!run->dataset) {
        warn_of_absence(out, run);
        return;
    }
    add_facts(out, run->dataset);
    add_splits(out, run);
    report_add_map(page, run);
}

/* What each run took of it. */
static void add_uses(report_page *page)
{
    static const struct {
        const char *key, *title, *none, *means;
    } keys[] = {
        { "model.network", "network", NULL, NULL },
        { "data.store", "dataset", NULL, NULL },
        { "data.fold", "fold", "-1", "none" },
        { "data.max_per_class", "most a class", "0", "all" },
        { "data.sampling", "sampling", NULL, NULL },
        { "data.time", "months", NULL, NULL },
        { "data.slice", "slice (2D)", NULL, NULL },
        { "train.epochs", "epochs", NULL, NULL },
        { "train.global_batch", "samples a step", NULL, NULL },
        { "data.seed", "seed", NULL, NULL },
    };
    c3d_text head = { 0 }, *out = &page->text;

    c3d_text_add(&head, "<th scope=col>run</th>");
    for (size_t k = 0; k < C3D_COUNT(keys); k++)
        c3d_text_add(&head, "<th scope=col>%s</th>", keys[k].title);
    report_begin_table(out, "what each run took", head.text);
    for (int i = 0; i < page->n_runs; i++) {
        report_add_run_cell(out, &page->runs[i], i);
        for (size_t k = 0; k < C3D_COUNT(keys); k++) {
            const char *value = report_run_setting(&page->runs[i], keys[k].key);
            if (value && keys[k].none && strcmp(value, keys[k].none) == 0) value = keys[k].means;
            c3d_text_add(out, "<td>");
            c3d_text_add_html(out, value ? value : "?");
            c3d_text_add(out, "</td>");
        }
        c3d_text_add(out, "</tr>\n");
    }
    report_end_table(out);
    c3d_text_free(&head);
}

void report_add_datasets(report_page *page)
{
    report_begin_section(page, "data", "Data");
    add_uses(page);
    for (int i = 0; i < page->n_runs; i++)
        if (report_run_is_first_on_store(page->runs, i)) add_dataset(page, &page->runs[i]);
    report_end_section(page);
}
