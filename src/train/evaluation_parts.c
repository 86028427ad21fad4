/* Scores of parts of a list: regions, years, sizes of mines, shares of missing pixels. */
#include "train/evaluation.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Parts that samples are sorted into. */
typedef struct partition {
    const c3d_evaluation_files *files;
    const c3d_evaluation *ev;
    int *part; /* [n] -1: in none */
    bool positives_only;
} partition;

/* ---- one part -------------------------------------------------------------------------------- */

/* The samples of a part as arrays of their own. */
typedef struct part_samples {
    float *scores;
    int32_t *labels;
    int64_t *blocks;
    size_t n;
} part_samples;

static void free_samples(part_samples *samples)
{
    free(samples->scores);
    free(samples->labels);
    free(samples->blocks);
}

static c3d_status collect(const partition *in, int part, part_samples *out)
{
    const size_t k = (size_t)in->ev->n_outputs;

    for (size_t i = 0; i < in->ev->n; i++) out->n += in->part[i] == part;
    out->scores = c3d_calloc(out->n * k + 1, sizeof *out->scores);
    out->labels = c3d_calloc(out->n + 1, sizeof *out->labels);
    out->blocks = c3d_calloc(out->n + 1, sizeof *out->blocks);
    if (!out->scores || !out->labels || !out->blocks) return C3D_ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < in->ev->n; i++) {
        if (in->part[i] != part) continue;
        memcpy(out->scores + n * k, in->ev->scores + i * k, k * sizeof *out->scores);
        out->labels[n] = in->ev->labels[i];
        out->blocks[n++] = in->files->facts->rows[i].block;
    }
    return C3D_OK;
}

static void add_figures(const partition *in, const c3d_sheet *sheet, c3d_json *to)
{
    const bool is_binary = sheet->n_classes == 0;
    c3d_json *metrics = c3d_json_object();

    if (in->positives_only) {
        c3d_json_set(metrics, is_binary ? "recall" : "accuracy",
                     c3d_figure_json(is_binary ? &sheet->at[0][C3D_METRIC_RECALL]
                                               : &sheet->metrics[C3D_METRIC_ACCURACY]));
    } else {
        c3d_json_free(metrics);
        metrics = c3d_metrics_json(is_binary ? sheet->at[0] : sheet->metrics);
        c3d_json_set(metrics, "auc", c3d_figure_json(&sheet->auc));
    }
    c3d_json_set(to, "n", c3d_json_int((long long)sheet->n));
    c3d_json_set(to, "n_blocks", c3d_json_int((long long)sheet->n_blocks));
    if (is_binary) c3d_json_set(to, "counts", c3d_counts_json(sheet->counts[0]));
    c3d_json_set(to, "metrics", metrics);
}

/* Nothing for a part without samples. */
static c3d_status add_part(const partition *in, int part, const char *name, c3d_json *to)
{
    part_samples samples = { 0 };
    c3d_status st = collect(in, part, &samples);

    if (st == C3D_OK && samples.n > 0) {
        const c3d_sheet_desc desc = { .scores = samples.scores,
                                      .labels = samples.labels,
                                      .n = samples.n,
                                      .n_outputs = in->ev->n_outputs,
                                      .blocks = samples.blocks,
                                      .n_thresholds = in->ev->n_outputs == 1,
                                      .thresholds = { in->files->threshold } };
        c3d_sheet sheet;
        st = c3d_sheet_make(&desc, &sheet);
        if (st == C3D_OK) {
            c3d_json *json = c3d_json_object();
            add_figures(in, &sheet, json);
            c3d_json_set(to, name, json);
            c3d_sheet_free(&sheet);
        }
    }
    free_samples(&samples);
    return st;
}

/* ---- kinds of parts -------------------------------------------------------------------------- */

static c3d_status add_regions(partition *in, c3d_json *by)
{
    const c3d_list_facts *facts = in->files->facts;
    c3d_json *json;
    c3d_status st = C3D_OK;

    if (facts->n_regions == 0) return C3D_OK;
    json = c3d_json_object();
    for (size_t i = 0; i < in->ev->n; i++)
        in->part[i] = facts->rows[i].region < 0 ? facts->n_regions : facts->rows[i].region;
    for (int r = 0; st == C3D_OK && r <= facts->n_regions; r++)
        st = add_part(in, r, r < facts->n_regions ? facts->regions[r] : "(in none)", json);
    c3d_json_set(by, "region", json);
    return st;
}

static c3d_status add_years(partition *in, c3d_json *by)
{
    const c3d_list_facts *facts = in->files->facts;
    c3d_json *json = c3d_json_object();
    int year = 0;
    c3d_status st = C3D_OK;

    for (size_t i = 0; i < in->ev->n; i++)
        in->part[i] = facts->rows[i].year > 0 ? facts->rows[i].year : -1;
    while (st == C3D_OK) {
        int next = 0;
        char name[16];
        for (size_t i = 0; i < in->ev->n; i++)
            if (in->part[i] > year && (next == 0 || in->part[i] < next)) next = in->part[i];
        if (next == 0) break;
        year = next;
        (void)snprintf(name, sizeof name, "%d", year);
        st = add_part(in, year, name, json);
    }
    if (year > 0)
        c3d_json_set(by, "year", json);
    else
        c3d_json_free(json);
    return st;
}

typedef struct bin {
    double below; /* the bin's end */
    const char *name;
} bin;

static int bin_of(const bin *bins, int n, double value)
{
    for (int b = 0; b < n; b++)
        if (value < bins[b].below) return b;
    return -1;
}

static c3d_status add_bins(partition *in, const char *kind, const bin *bins, int n, c3d_json *by)
{
    c3d_json *json = c3d_json_object();
    c3d_status st = C3D_OK;

    for (int b = 0; st == C3D_OK && b < n; b++) st = add_part(in, b, bins[b].name, json);
    if (c3d_json_next_key(json, NULL))
        c3d_json_set(by, kind, json);
    else
        c3d_json_free(json);
    return st;
}

static c3d_status add_sizes(partition *in, c3d_json *by)
{
    static const bin bins[] = { { 1, "below 1 ha" },
                                { 5, "1 to 5 ha" },
                                { 25, "5 to 25 ha" },
                                { 100, "25 to 100 ha" },
                                { HUGE_VAL, "100 ha and more" } };
    const int n = C3D_COUNT(bins);

    for (size_t i = 0; i < in->ev->n; i++) {
        const double hectares = in->files->facts->rows[i].class_ha;
        const bool has_size = in->ev->labels[i] > 0 && isfinite(hectares);
        in->part[i] = has_size ? bin_of(bins, n, hectares) : -1;
    }
    in->positives_only = true;
    const c3d_status st = add_bins(in, "mine_size", bins, n, by);
    in->positives_only = false;
    return st;
}

static c3d_status add_missing(partition *in, c3d_json *by)
{
    static const bin bins[] = { { 1e-9, "none" },
                                { 0.1, "below 10 %" },
                                { 0.25, "10 to 25 %" },
                                { 0.5, "25 to 50 %" },
                                { HUGE_VAL, "50 % and more" } };
    const int n = C3D_COUNT(bins);

    for (size_t i = 0; i < in->ev->n; i++)
        in->part[i] = bin_of(bins, n, in->files->facts->rows[i].missing);
    return add_bins(in, "missing", bins, n, by);
}

c3d_status c3d_parts_json(const c3d_evaluation_files *files, const c3d_evaluation *ev,
                          c3d_json **out)
{
    partition in = { .files = files, .ev = ev, .part = c3d_calloc(ev->n + 1, sizeof *in.part) };
    c3d_json *by = c3d_json_object();
    c3d_status st = in.part ? C3D_OK : C3D_ENOMEM;

    if (st == C3D_OK) st = add_regions(&in, by);
    if (st == C3D_OK) st = add_years(&in, by);
    if (st == C3D_OK) st = add_sizes(&in, by);
    if (st == C3D_OK) st = add_missing(&in, by);
    free(in.part);
    if (st == C3D_OK)
        *out = by;
    else
        c3d_json_free(by);
    return st;
}
