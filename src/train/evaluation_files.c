#include "c3d/train.h"

#include <inttypes.h>
#include <math.h>

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

static c3d_status write_json(const c3d_evaluation_files *files, const c3d_evaluation *ev,
                             const c3d_estimate *auc)
{
    char path[C3D_PATH_MAX], name[64], hash[20];
    c3d_json *json = c3d_json_object(), *at = c3d_json_object();

    (void)snprintf(hash, sizeof hash, "%016" PRIx64, files->list->hash);
    (void)snprintf(name, sizeof name, "evaluation-%s.json", files->split);
    c3d_json_set(json, "schema", c3d_json_int(EVALUATION_SCHEMA));
    c3d_json_set(json, "split", c3d_json_string(files->split));
    c3d_json_set(json, "list_hash", c3d_json_string(hash));
    c3d_json_set(json, "n", c3d_json_int((long long)ev->n));
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
    c3d_json_set(json, "by", c3d_json_object());
    c3d_status st = c3d_path_join(path, files->dir, name);
    if (st == C3D_OK) st = c3d_json_write(path, json);
    c3d_json_free(json);
    return st;
}

static c3d_status write_scores(const c3d_evaluation_files *files, const c3d_evaluation *ev)
{
    char path[C3D_PATH_MAX], name[64], month[12];
    FILE *stream;

    (void)snprintf(name, sizeof name, "scores-%s.csv", files->split);
    C3D_TRY(c3d_path_join(path, files->dir, name));
    C3D_TRY(c3d_file_open_new(path, &stream));
    (void)fprintf(stream, "sample_id,frame_id,first_month,label,score\n");
    for (size_t i = 0; i < ev->n; i++) {
        const c3d_sample *s = &files->samples->rows[files->list->index[i]];
        (void)fprintf(stream, "%" PRId64 ",%" PRId64 ",%s,%d,%.9g\n", s->sample_id, s->frame_id,
                      c3d_date_text(s->first_month, month), s->label, (double)ev->scores[i]);
    }
    return c3d_file_commit(path, stream);
}

c3d_status c3d_evaluation_write(const c3d_evaluation_files *files, const c3d_evaluation *evaluation)
{
    c3d_estimate auc;

    C3D_TRY(c3d_auc(evaluation->scores, evaluation->labels, evaluation->n, &auc));
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
