#include "c3d/train.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define EVALUATION_SCHEMA 1

static const double fixed_thresholds[] = { 0.5, 0.9 };

static c3d_json *counts_json(c3d_counts counts)
{
    c3d_json *json = c3d_json_object();

    c3d_json_set(json, "tp", c3d_json_int(counts.tp));
    c3d_json_set(json, "fp", c3d_json_int(counts.fp));
    c3d_json_set(json, "tn", c3d_json_int(counts.tn));
    c3d_json_set(json, "fn", c3d_json_int(counts.fn));
    return json;
}

static c3d_json *estimate_json(const c3d_estimate *e)
{
    c3d_json *json = c3d_json_object();

    c3d_json_set(json, "value", c3d_json_real(e->value));
    c3d_json_set(json, "low", c3d_json_real(e->low));
    c3d_json_set(json, "high", c3d_json_real(e->high));
    c3d_json_set(json, "method", c3d_json_string(e->method));
    return json;
}

/* {counts, metrics} at one threshold; `auc` does not depend on it. */
static void add_at(c3d_json *json, const c3d_evaluation *ev, double threshold,
                   const c3d_estimate *auc)
{
    c3d_estimate estimates[C3D_N_METRICS];
    const c3d_counts counts = c3d_counts_at(ev->scores, ev->labels, ev->n, threshold);
    c3d_json *metrics = c3d_json_object();

    c3d_metrics_of(counts, estimates);
    for (int i = 0; i < C3D_N_METRICS; i++)
        c3d_json_set(metrics, estimates[i].name, estimate_json(&estimates[i]));
    if (auc) {
        const c3d_estimate loss = { .value = ev->loss, .low = NAN, .high = NAN, .method = "mean" };
        c3d_json_set(metrics, "auc", estimate_json(auc));
        c3d_json_set(metrics, "loss", estimate_json(&loss));
    }
    c3d_json_set(json, "counts", counts_json(counts));
    c3d_json_set(json, "metrics", metrics);
}

/* What a class is scored by against all others. */
static c3d_status class_json(const c3d_evaluation_files *files, const c3d_evaluation *ev, int k,
                             const c3d_counts *counts, c3d_json *out)
{
    const c3d_dataset_info *info = c3d_dataset_get_info(files->dataset);
    c3d_estimate estimates[C3D_N_METRICS], auc;
    c3d_json *metrics = c3d_json_object();
    char name[24];

    c3d_metrics_of(*counts, estimates);
    for (int i = 0; i < C3D_N_METRICS; i++)
        if (i != C3D_METRIC_ACCURACY)
            c3d_json_set(metrics, estimates[i].name, estimate_json(&estimates[i]));
    const c3d_status st = c3d_auc_of_class(ev->scores, ev->labels, ev->n, ev->n_outputs, k, &auc);
    if (st == C3D_OK) c3d_json_set(metrics, "auc", estimate_json(&auc));
    c3d_json_set(out, "class", c3d_json_int(k));
    c3d_json_set(out, "name", c3d_json_string(c3d_dataset_class_name(info, k, name)));
    c3d_json_set(out, "n", c3d_json_int(counts->tp + counts->fn));
    c3d_json_set(out, "predicted", c3d_json_int(counts->tp + counts->fp));
    c3d_json_set(out, "metrics", metrics);
    return st;
}

static c3d_json *confusion_json(const int64_t *confusion, int n_classes)
{
    c3d_json *json = c3d_json_array();

    for (int row = 0; row < n_classes; row++) {
        c3d_json *line = c3d_json_array();
        for (int k = 0; k < n_classes; k++)
            c3d_json_append(line, c3d_json_int(confusion[row * n_classes + k]));
        c3d_json_append(json, line);
    }
    return json;
}

/* {confusion, metrics, classes} of K classes. */
static c3d_status add_classes(c3d_json *json, const c3d_evaluation_files *files,
                              const c3d_evaluation *ev, const c3d_estimate *auc)
{
    const size_t n = (size_t)ev->n_outputs;
    const c3d_estimate loss = { .value = ev->loss, .low = NAN, .high = NAN, .method = "mean" };
    c3d_estimate estimates[C3D_N_METRICS];
    c3d_counts *counts = c3d_calloc(n, sizeof *counts);
    int64_t *confusion = c3d_calloc(n * n, sizeof *confusion);
    c3d_json *metrics = c3d_json_object(), *classes = c3d_json_array();
    c3d_status st = counts && confusion ? C3D_OK : C3D_ENOMEM;

    if (st == C3D_OK) {
        c3d_confusion(ev->scores, ev->labels, ev->n, ev->n_outputs, confusion);
        c3d_counts_of(ev->scores, ev->labels, ev->n, ev->n_outputs, 0, counts);
        c3d_metrics_of_outputs(counts, ev->n_outputs, estimates);
        for (int i = 0; i < C3D_N_METRICS; i++)
            c3d_json_set(metrics, estimates[i].name, estimate_json(&estimates[i]));
        c3d_json_set(json, "confusion", confusion_json(confusion, ev->n_outputs));
    }
    for (int k = 0; st == C3D_OK && k < ev->n_outputs; k++) {
        c3d_json *entry = c3d_json_object();
        st = class_json(files, ev, k, &counts[k], entry);
        c3d_json_append(classes, entry);
    }
    c3d_json_set(metrics, "auc", estimate_json(auc));
    c3d_json_set(metrics, "loss", estimate_json(&loss));
    c3d_json_set(json, "metrics", metrics);
    c3d_json_set(json, "classes", classes);
    free(counts);
    free(confusion);
    return st;
}

/* {threshold, counts, metrics, at} of one output. */
static void add_thresholds(c3d_json *json, const c3d_evaluation_files *files,
                           const c3d_evaluation *ev, const c3d_estimate *auc)
{
    c3d_json *at = c3d_json_object();

    c3d_json_set(json, "threshold", c3d_json_real(files->threshold));
    add_at(json, ev, files->threshold, auc);
    for (size_t i = 0; i < C3D_COUNT(fixed_thresholds); i++) {
        char key[16];
        c3d_json *entry = c3d_json_object();
        (void)snprintf(key, sizeof key, "%g", fixed_thresholds[i]);
        add_at(entry, ev, fixed_thresholds[i], NULL);
        c3d_json_set(at, key, entry);
    }
    c3d_json_set(json, "at", at);
}

static c3d_status write_json(const c3d_evaluation_files *files, const c3d_evaluation *ev,
                             const c3d_estimate *auc)
{
    char path[C3D_PATH_MAX], name[64], hash[20];
    c3d_json *json = c3d_json_object();
    c3d_status st = C3D_OK;

    (void)snprintf(hash, sizeof hash, "%016" PRIx64, files->list->hash);
    (void)snprintf(name, sizeof name, "evaluation-%s.json", files->split);
    c3d_json_set(json, "schema", c3d_json_int(EVALUATION_SCHEMA));
    c3d_json_set(json, "split", c3d_json_string(files->split));
    if (c3d_dataset_get_fold(files->dataset) >= 0)
        c3d_json_set(json, "fold", c3d_json_int(c3d_dataset_get_fold(files->dataset)));
    c3d_json_set(json, "list_hash", c3d_json_string(hash));
    c3d_json_set(json, "n", c3d_json_int((long long)ev->n));
    if (ev->n_outputs == 1)
        add_thresholds(json, files, ev, auc);
    else
        st = add_classes(json, files, ev, auc);
    c3d_json_set(json, "by", c3d_json_object());
    if (st == C3D_OK) st = c3d_path_join(path, files->dir, name);
    if (st == C3D_OK) st = c3d_json_write(path, json);
    c3d_json_free(json);
    return st;
}

static c3d_status write_scores(const c3d_evaluation_files *files, const c3d_evaluation *ev)
{
    const c3d_samples *samples = c3d_dataset_get_samples(files->dataset);
    const float *score = ev->scores;
    char path[C3D_PATH_MAX], name[64], month[12];
    FILE *stream;

    (void)snprintf(name, sizeof name, "scores-%s.csv", files->split);
    C3D_TRY(c3d_path_join(path, files->dir, name));
    C3D_TRY(c3d_file_open_new(path, &stream));
    (void)fprintf(stream, "sample_id,frame_id,first_month,label");
    for (int k = 0; k < ev->n_outputs; k++) {
        if (ev->n_outputs == 1)
            (void)fprintf(stream, ",score");
        else
            (void)fprintf(stream, ",score_%d", k);
    }
    (void)fputc('\n', stream);
    for (size_t i = 0; i < ev->n; i++) {
        const c3d_sample *s = &samples->rows[files->list->index[i]];
        (void)fprintf(stream, "%" PRId64 ",%" PRId64 ",%s,%d", s->sample_id, s->frame_id,
                      c3d_date_text(s->first_month, month), s->label);
        for (int k = 0; k < ev->n_outputs; k++) (void)fprintf(stream, ",%.9g", (double)*score++);
        (void)fputc('\n', stream);
    }
    return c3d_file_commit(path, stream);
}

c3d_status c3d_evaluation_write(const c3d_evaluation_files *files, const c3d_evaluation *evaluation)
{
    c3d_estimate auc;

    C3D_TRY(c3d_auc_of_outputs(evaluation->scores, evaluation->labels, evaluation->n,
                               evaluation->n_outputs, &auc));
    C3D_TRY(write_json(files, evaluation, &auc));
    return write_scores(files, evaluation);
}

void c3d_evaluation_print(const c3d_evaluation *evaluation, double threshold, c3d_text *out)
{
    static const c3d_metric shown[] = { C3D_METRIC_ACCURACY, C3D_METRIC_PRECISION,
                                        C3D_METRIC_RECALL, C3D_METRIC_F1 };
    c3d_estimate e[C3D_N_METRICS];
    const c3d_counts c =
        c3d_counts_at(evaluation->scores, evaluation->labels, evaluation->n, threshold);

    c3d_metrics_of(c, e);
    c3d_text_add(out, "threshold %.2f:", threshold);
    for (size_t i = 0; i < C3D_COUNT(shown); i++)
        c3d_text_add(out, "  %s %.3f (%.3f..%.3f)", e[shown[i]].name, e[shown[i]].value,
                     e[shown[i]].low, e[shown[i]].high);
    c3d_text_add(out, "  tp %" PRId64 " fp %" PRId64 " tn %" PRId64 " fn %" PRId64, c.tp, c.fp,
                 c.tn, c.fn);
}

/* "precision 0.931", or "precision undefined" where it is 0/0. */
static void print_value(c3d_text *out, const c3d_estimate *e)
{
    if (isfinite(e->value))
        c3d_text_add(out, "  %s %.3f", e->name, e->value);
    else
        c3d_text_add(out, "  %s undefined", e->name);
    if (isfinite(e->low)) c3d_text_add(out, " (%.3f..%.3f)", e->low, e->high);
}

#define MOST_COLUMNS 12 /* of the confusion matrix on a line */

static void print_class(const c3d_evaluation *ev, const c3d_dataset_info *info, int k,
                        const c3d_counts *counts, const int64_t *row, c3d_text *out)
{
    c3d_estimate e[C3D_N_METRICS];
    char name[24];

    c3d_metrics_of(*counts, e);
    c3d_text_add(out, "\n%d %s:", k, c3d_dataset_class_name(info, k, name));
    print_value(out, &e[C3D_METRIC_PRECISION]);
    print_value(out, &e[C3D_METRIC_RECALL]);
    print_value(out, &e[C3D_METRIC_F1]);
    if (ev->n_outputs > MOST_COLUMNS) return;
    c3d_text_add(out, "  predicted as 0..%d:", ev->n_outputs - 1);
    for (int i = 0; i < ev->n_outputs; i++) c3d_text_add(out, " %" PRId64, row[i]);
}

c3d_status c3d_evaluation_print_classes(const c3d_evaluation *evaluation,
                                        const c3d_dataset_info *info, c3d_text *out)
{
    const c3d_evaluation *ev = evaluation;
    const size_t n = (size_t)ev->n_outputs;
    c3d_estimate e[C3D_N_METRICS];
    c3d_counts *counts = c3d_calloc(n, sizeof *counts);
    int64_t *confusion = c3d_calloc(n * n, sizeof *confusion);
    const c3d_status st = counts && confusion ? C3D_OK : C3D_ENOMEM;

    if (st == C3D_OK) {
        c3d_counts_of(ev->scores, ev->labels, ev->n, ev->n_outputs, 0, counts);
        c3d_confusion(ev->scores, ev->labels, ev->n, ev->n_outputs, confusion);
        c3d_metrics_of_outputs(counts, ev->n_outputs, e);
        c3d_text_add(out, "largest of %d scores:", ev->n_outputs);
        print_value(out, &e[C3D_METRIC_ACCURACY]);
        c3d_text_add(out, "  means over classes:");
        print_value(out, &e[C3D_METRIC_PRECISION]);
        print_value(out, &e[C3D_METRIC_RECALL]);
        print_value(out, &e[C3D_METRIC_F1]);
        for (size_t k = 0; k < n; k++)
            print_class(ev, info, (int)k, &counts[k], confusion + k * n, out);
    }
    free(counts);
    free(confusion);
    return st;
}
