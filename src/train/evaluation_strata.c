/* Strata of a sample, and what it says of the area they were drawn from. */
#include "train/evaluation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- strata ---------------------------------------------------------------------------------- */

static const c3d_sample *sample_of(const c3d_dataset *dataset, const c3d_list *list, size_t i)
{
    return &c3d_dataset_get_samples(dataset)->rows[list->index[i]];
}

static c3d_status make_room(size_t n_strata, size_t n_samples, c3d_evaluation_strata *out)
{
    out->names = c3d_calloc(n_strata + 1, sizeof *out->names);
    out->weights = c3d_calloc(n_strata + 1, sizeof *out->weights);
    out->of = c3d_calloc(n_samples + 1, sizeof *out->of);
    return out->names && out->weights && out->of ? C3D_OK : C3D_ENOMEM;
}

/* Strata are the labels; not known where a label of the list is not among the frames. */
static c3d_status by_label(const c3d_dataset *dataset, const c3d_list *list,
                           const c3d_list_facts *facts, c3d_evaluation_strata *out)
{
    C3D_TRY(make_room((size_t)facts->n_labels, list->n, out));
    for (size_t i = 0; i < list->n; i++) {
        const int label = sample_of(dataset, list, i)->label;
        if (label >= facts->n_labels || facts->population[label] == 0) return C3D_OK;
        out->of[i] = label;
    }
    for (int k = 0; k < facts->n_labels; k++) {
        char name[24];
        (void)snprintf(out->names[k], sizeof out->names[k], "%s",
                       c3d_dataset_class_name(c3d_dataset_get_info(dataset), k, name));
        out->weights[k] = (double)facts->population[k];
    }
    out->n = facts->n_labels;
    out->is_by_label = true;
    return C3D_OK;
}

static c3d_status read_weight(const c3d_csv *csv, size_t row, int column, double *out)
{
    C3D_TRY(c3d_csv_real(csv, row, column, out));
    if (*out > 0 && isfinite(*out)) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s:%zu: column weight: expected a number above 0, got \"%s\"",
                    csv->path, c3d_csv_line(csv, row), c3d_csv_field(csv, row, column));
}

/* The stratum of that name, added if it is new; its weight must stay the same. */
static c3d_status find_stratum(const c3d_csv *csv, size_t row, const char *name, double weight,
                               c3d_evaluation_strata *out, int *index)
{
    if (!name[0] || strlen(name) >= sizeof *out->names)
        return C3D_FAIL(C3D_EDATA, "%s:%zu: \"%.80s\": a stratum needs a name of at most %zu bytes",
                        csv->path, c3d_csv_line(csv, row), name, sizeof *out->names - 1);
    for (*index = 0; *index < out->n; ++*index)
        if (strcmp(out->names[*index], name) == 0) break;
    if (*index == out->n) {
        (void)snprintf(out->names[out->n], sizeof *out->names, "%s", name);
        out->weights[out->n++] = weight;
    }
    if (fabs(out->weights[*index] - weight) <= 1e-9 * weight) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s:%zu: stratum %s has weight %.9g here and %.9g before", csv->path,
                    c3d_csv_line(csv, row), name, weight, out->weights[*index]);
}

static c3d_status read_classes(const c3d_csv *csv, int name_column, int weight_column,
                               const c3d_dataset *dataset, const c3d_list *list,
                               c3d_evaluation_strata *out)
{
    const c3d_dataset_info *info = c3d_dataset_get_info(dataset);

    for (size_t row = 0; row < csv->n_rows; row++) {
        double weight;
        int index;
        C3D_TRY(read_weight(csv, row, weight_column, &weight));
        C3D_TRY(find_stratum(csv, row, c3d_csv_field(csv, row, name_column), weight, out, &index));
    }
    out->is_by_label = true;
    for (size_t i = 0; i < list->n; i++) {
        char text[24];
        const char *name = c3d_dataset_class_name(info, sample_of(dataset, list, i)->label, text);
        int k = 0;
        while (k < out->n && strcmp(out->names[k], name) != 0) k++;
        if (k == out->n)
            return C3D_FAIL(C3D_EDATA, "%s: no row of class %s, which samples have", csv->path,
                            name);
        out->of[i] = k;
    }
    return C3D_OK;
}

typedef struct frame_stratum {
    int64_t frame_id;
    size_t row;
    int stratum;
} frame_stratum;

static int by_frame(const void *a, const void *b)
{
    const frame_stratum *x = a, *y = b;

    return (x->frame_id > y->frame_id) - (x->frame_id < y->frame_id);
}

static int by_frame_and_row(const void *a, const void *b)
{
    const frame_stratum *x = a, *y = b;
    const int order = by_frame(a, b);

    return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

/* In order: a frame more than once is of one stratum. */
static c3d_status check_frames(const c3d_csv *csv, const frame_stratum *rows,
                               const c3d_evaluation_strata *strata)
{
    for (size_t i = 1; i < csv->n_rows; i++) {
        const frame_stratum *a = &rows[i - 1], *b = &rows[i];
        if (a->frame_id != b->frame_id || a->stratum == b->stratum) continue;
        return C3D_FAIL(C3D_EDATA, "%s:%zu: frame %lld is in stratum %s here and in %s in line %zu",
                        csv->path, c3d_csv_line(csv, b->row), (long long)b->frame_id,
                        strata->names[b->stratum], strata->names[a->stratum],
                        c3d_csv_line(csv, a->row));
    }
    return C3D_OK;
}

/* What a stratum without samples is like is not known. */
static c3d_status check_samples(const char *path, const c3d_evaluation_strata *strata,
                                size_t n_samples)
{
    for (int h = 0; h < strata->n; h++) {
        size_t n = 0;
        for (size_t i = 0; i < n_samples; i++) n += strata->of[i] == h;
        if (n == 0)
            return C3D_FAIL(C3D_EDATA,
                            "%s: stratum %s has the weight %.9g, but no sample is scored", path,
                            strata->names[h], strata->weights[h]);
    }
    return C3D_OK;
}

static c3d_status match_frames(const c3d_csv *csv, const frame_stratum *rows,
                               const c3d_dataset *dataset, const c3d_list *list,
                               c3d_evaluation_strata *out)
{
    for (size_t i = 0; i < list->n; i++) {
        const frame_stratum key = { .frame_id = sample_of(dataset, list, i)->frame_id };
        const frame_stratum *found = bsearch(&key, rows, csv->n_rows, sizeof key, by_frame);
        if (!found)
            return C3D_FAIL(C3D_EDATA, "%s: no row of frame %lld, which is scored", csv->path,
                            (long long)key.frame_id);
        out->of[i] = found->stratum;
    }
    return C3D_OK;
}

static c3d_status read_frames(const c3d_csv *csv, int weight_column, const c3d_dataset *dataset,
                              const c3d_list *list, c3d_evaluation_strata *out)
{
    const int frame = c3d_csv_column(csv, "frame_id"), name = c3d_csv_column(csv, "stratum");
    frame_stratum *rows = c3d_calloc(csv->n_rows + 1, sizeof *rows);
    c3d_status st = rows ? C3D_OK : C3D_ENOMEM;

    for (size_t row = 0; st == C3D_OK && row < csv->n_rows; row++) {
        long long id = 0;
        double weight;
        st = c3d_csv_int(csv, row, frame, &id);
        rows[row].frame_id = id;
        rows[row].row = row;
        if (st == C3D_OK) st = read_weight(csv, row, weight_column, &weight);
        if (st == C3D_OK)
            st = find_stratum(csv, row, c3d_csv_field(csv, row, name), weight, out,
                              &rows[row].stratum);
    }
    if (st == C3D_OK) {
        qsort(rows, csv->n_rows, sizeof *rows, by_frame_and_row);
        st = check_frames(csv, rows, out);
    }
    if (st == C3D_OK) st = match_frames(csv, rows, dataset, list, out);
    free(rows);
    return st;
}

static c3d_status read_file(const char *path, const c3d_dataset *dataset, const c3d_list *list,
                            c3d_evaluation_strata *out)
{
    c3d_csv csv;
    c3d_status st;

    C3D_TRY(c3d_csv_read(path, &csv));
    const int class = c3d_csv_column(&csv, "class"), weight = c3d_csv_column(&csv, "weight");
    const bool has_frames =
        c3d_csv_column(&csv, "frame_id") >= 0 && c3d_csv_column(&csv, "stratum") >= 0;
    st = make_room(csv.n_rows, list->n, out);
    out->is_from_file = true;
    if (st == C3D_OK && (weight < 0 || (class < 0 && !has_frames)))
        st = C3D_FAIL(C3D_EDATA,
                      "%s:%zu: expected columns class, weight or frame_id, stratum, weight", path,
                      csv.lines[0]);
    else if (st == C3D_OK && has_frames)
        st = read_frames(&csv, weight, dataset, list, out);
    else if (st == C3D_OK)
        st = read_classes(&csv, class, weight, dataset, list, out);
    if (st == C3D_OK) st = check_samples(path, out, list->n);
    c3d_csv_free(&csv);
    return st;
}

c3d_status c3d_evaluation_strata_find(const c3d_dataset *dataset, const c3d_list *list,
                                      const c3d_list_facts *facts, const char *path,
                                      c3d_evaluation_strata *out)
{
    c3d_evaluation_strata strata = { 0 };
    const c3d_status st =
        path ? read_file(path, dataset, list, &strata) : by_label(dataset, list, facts, &strata);

    if (st == C3D_OK)
        *out = strata;
    else
        c3d_evaluation_strata_free(&strata);
    return st;
}

void c3d_evaluation_strata_free(c3d_evaluation_strata *strata)
{
    free(strata->names);
    free(strata->weights);
    free(strata->of);
    *strata = (c3d_evaluation_strata){ 0 };
}

/* ---- figures --------------------------------------------------------------------------------- */

static int predicted(const c3d_evaluation *ev, double threshold, size_t i)
{
    const size_t k = (size_t)ev->n_outputs;

    if (k > 1) return c3d_class_predicted(ev->scores + i * k, ev->n_outputs);
    return (double)ev->scores[i] > threshold;
}

static c3d_json *strata_json(const c3d_evaluation_strata *strata, size_t n_samples)
{
    c3d_json *json = c3d_json_array();
    double sum = 0;

    for (int h = 0; h < strata->n; h++) sum += strata->weights[h];
    for (int h = 0; h < strata->n; h++) {
        c3d_json *row = c3d_json_object();
        long long n = 0;
        for (size_t i = 0; i < n_samples; i++) n += strata->of[i] == h;
        c3d_json_set(row, "name", c3d_json_string(strata->names[h]));
        c3d_json_set(row, "weight", c3d_json_real(strata->weights[h] / sum));
        c3d_json_set(row, "n", c3d_json_int(n));
        c3d_json_append(json, row);
    }
    return json;
}

static void add_classes(const c3d_evaluation_files *files, const c3d_weighted *w, int n_outputs,
                        c3d_json *to)
{
    const c3d_dataset_info *info = c3d_dataset_get_info(files->dataset);
    const int n = n_outputs > 1 ? n_outputs : 2;

    for (int k = n_outputs > 1 ? 0 : 1; k < n; k++) {
        const struct {
            const char *name;
            const c3d_figure *figure;
        } figures[] = { { "precision", &w->precision[k] },
                        { "recall", &w->recall[k] },
                        { "area_share", &w->area[k] } };
        /* Of strata that are the labels the last one repeats the weights. */
        const size_t n_figures = C3D_COUNT(figures) - (files->strata->is_by_label ? 1 : 0);
        for (size_t i = 0; i < n_figures; i++) {
            char name[24];
            c3d_text key = { 0 };
            c3d_text_add(&key, "%s", figures[i].name);
            if (n_outputs > 1) c3d_text_add(&key, " %s", c3d_dataset_class_name(info, k, name));
            c3d_json_set(to, key.text, c3d_figure_json(figures[i].figure));
            c3d_text_free(&key);
        }
    }
}

c3d_status c3d_weighted_to_json(const c3d_evaluation_files *files, const c3d_evaluation *ev,
                                c3d_json *to)
{
    const c3d_evaluation_strata *in = files->strata;
    const int k = ev->n_outputs > 1 ? ev->n_outputs : 2;
    c3d_weighted weighted = { 0 };

    if (!in || in->n == 0) return C3D_OK;
    int64_t *counts = c3d_calloc((size_t)in->n * (size_t)(k * k), sizeof *counts);
    if (!counts) return C3D_ENOMEM;
    for (size_t i = 0; i < ev->n; i++)
        counts[(in->of[i] * k + ev->labels[i]) * k + predicted(ev, files->threshold, i)]++;
    const c3d_strata strata = {
        .n = in->n, .n_classes = k, .weights = in->weights, .counts = counts
    };
    const c3d_status st = c3d_weighted_make(&strata, &weighted);
    if (st == C3D_OK) {
        c3d_json *json = c3d_json_object();
        if (ev->n_outputs == 1) c3d_json_set(json, "threshold", c3d_json_real(files->threshold));
        c3d_json_set(json, "weights_from", c3d_json_string(in->is_from_file ? "file" : "frames"));
        c3d_json_set(json, "strata", strata_json(in, ev->n));
        c3d_json_set(json, "accuracy", c3d_figure_json(&weighted.accuracy));
        add_classes(files, &weighted, ev->n_outputs, json);
        c3d_json_set(to, "area_weighted", json);
    }
    c3d_weighted_free(&weighted);
    free(counts);
    return st;
}
