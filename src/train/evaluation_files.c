#include "train/evaluation.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#define EVALUATION_SCHEMA 2

static const double fixed_thresholds[] = { 0.5, 0.9 };
enum { FIRST_FIXED = 1, FIRST_CHOSEN = 3 }; /* of the sheet's thresholds */

/* ---- figures --------------------------------------------------------------------------------- */

/* At the threshold asked for, the fixed ones, and those chosen that there are. */
static void fill_thresholds(const c3d_evaluation_files *files, c3d_sheet_desc *desc)
{
    desc->thresholds[desc->n_thresholds++] = files->threshold;
    for (size_t i = 0; i < C3D_COUNT(fixed_thresholds); i++)
        desc->thresholds[desc->n_thresholds++] = fixed_thresholds[i];
    C3D_ASSERT(files->n_chosen <= C3D_CHOSEN_MAX);
    for (int i = 0; i < files->n_chosen; i++)
        if (isfinite(files->chosen[i].threshold))
            desc->thresholds[desc->n_thresholds++] = files->chosen[i].threshold;
}

static c3d_status make_sheet(const c3d_evaluation_files *files, const c3d_evaluation *ev,
                             c3d_sheet *out)
{
    int64_t *blocks = c3d_calloc(ev->n + 1, sizeof *blocks);
    c3d_sheet_desc desc = { .scores = ev->scores,
                            .labels = ev->labels,
                            .losses = ev->losses,
                            .n = ev->n,
                            .n_outputs = ev->n_outputs,
                            .blocks = blocks,
                            .with_curves = ev->n_outputs == 1 };

    if (!blocks) return C3D_ENOMEM;
    C3D_ASSERT(files->facts->n == ev->n);
    for (size_t i = 0; i < ev->n; i++) blocks[i] = files->facts->rows[i].block;
    if (ev->n_outputs == 1) fill_thresholds(files, &desc);
    const c3d_status st = c3d_sheet_make(&desc, out);
    free(blocks);
    return st;
}

/* ---- evaluation-SPLIT.json ------------------------------------------------------------------- */

static void set_at(c3d_json *to, const c3d_sheet *sheet, int t)
{
    c3d_json_set(to, "counts", c3d_counts_json(sheet->counts[t]));
    c3d_json_set(to, "metrics", c3d_metrics_json(sheet->at[t]));
}

/* What no threshold changes. */
static void add_areas(const c3d_sheet *sheet, double loss, c3d_json *metrics)
{
    c3d_figure mean_loss = sheet->loss;

    mean_loss.value = loss; /* summed in list order */
    c3d_json_set(metrics, "auc", c3d_figure_json(&sheet->auc));
    c3d_json_set(metrics, "average_precision", c3d_figure_json(&sheet->average_precision));
    c3d_json_set(metrics, "brier", c3d_figure_json(&sheet->brier));
    c3d_json_set(metrics, "loss", c3d_figure_json(&mean_loss));
}

static c3d_json *chosen_json(const c3d_evaluation_files *files, const c3d_sheet *sheet)
{
    c3d_json *json = c3d_json_object();
    int t = FIRST_CHOSEN;

    for (int i = 0; i < files->n_chosen; i++) {
        const c3d_chosen *chosen = &files->chosen[i];
        c3d_json *entry = c3d_json_object();
        c3d_json_set(entry, "threshold", c3d_json_real(chosen->threshold));
        c3d_json_set(entry, "split", c3d_json_string("validation"));
        if (isfinite(chosen->threshold)) set_at(entry, sheet, t++);
        c3d_json_set(json, chosen->choice.name, entry);
    }
    return json;
}

/* Everything of one output. */
static void add_thresholds(const c3d_evaluation_files *files, const c3d_evaluation *ev,
                           const c3d_sheet *sheet, c3d_json *json)
{
    c3d_json *at = c3d_json_object(), *metrics = c3d_metrics_json(sheet->at[0]);

    add_areas(sheet, ev->loss, metrics);
    c3d_json_set(json, "positive_blocks", c3d_json_real(sheet->positive_blocks));
    c3d_json_set(json, "negative_blocks", c3d_json_real(sheet->negative_blocks));
    c3d_json_set(json, "threshold", c3d_json_real(files->threshold));
    c3d_json_set(json, "counts", c3d_counts_json(sheet->counts[0]));
    c3d_json_set(json, "metrics", metrics);
    for (int i = 0; i < (int)C3D_COUNT(fixed_thresholds); i++) {
        char key[16];
        c3d_json *entry = c3d_json_object();
        (void)snprintf(key, sizeof key, "%g", fixed_thresholds[i]);
        set_at(entry, sheet, FIRST_FIXED + i);
        c3d_json_set(at, key, entry);
    }
    c3d_json_set(json, "at", at);
    c3d_json_set(json, "chosen", chosen_json(files, sheet));
    c3d_json_set(json, "curves", c3d_curves_json(sheet));
    c3d_json_set(json, "calibration", c3d_calibration_json(ev, sheet));
}

static c3d_status fill_json(const c3d_evaluation_files *files, const c3d_evaluation *ev,
                            const c3d_sheet *sheet, c3d_json *json)
{
    c3d_json *by = NULL;
    char hash[20];

    (void)snprintf(hash, sizeof hash, "%016" PRIx64, files->list->hash);
    c3d_json_set(json, "schema", c3d_json_int(EVALUATION_SCHEMA));
    c3d_json_set(json, "split", c3d_json_string(files->split));
    if (c3d_dataset_get_fold(files->dataset) >= 0)
        c3d_json_set(json, "fold", c3d_json_int(c3d_dataset_get_fold(files->dataset)));
    if (files->checkpoint) c3d_json_set(json, "checkpoint", c3d_json_string(files->checkpoint));
    if (files->precision) c3d_json_set(json, "precision", c3d_json_string(files->precision));
    c3d_json_set(json, "list_hash", c3d_json_string(hash));
    c3d_json_set(json, "n", c3d_json_int((long long)ev->n));
    c3d_json_set(json, "n_blocks", c3d_json_int((long long)sheet->n_blocks));
    c3d_json_set(json, "effective_blocks", c3d_json_real(sheet->effective_blocks));
    c3d_json_set(json, "block_km",
                 files->facts->block_km > 0 ? c3d_json_real(files->facts->block_km)
                                            : c3d_json_real((double)NAN));
    if (ev->n_outputs == 1) {
        add_thresholds(files, ev, sheet, json);
    } else {
        c3d_json *metrics = c3d_metrics_json(sheet->metrics);
        add_areas(sheet, ev->loss, metrics);
        c3d_json_set(json, "metrics", metrics);
        c3d_classes_to_json(sheet, c3d_dataset_get_info(files->dataset), json);
    }
    C3D_TRY(c3d_parts_json(files, ev, &by));
    c3d_json_set(json, "by", by);
    return c3d_weighted_to_json(files, ev, json);
}

static c3d_status write_json(const c3d_evaluation_files *files, const c3d_evaluation *ev,
                             const c3d_sheet *sheet, const char *scores_hash)
{
    char path[C3D_PATH_MAX], name[64];
    c3d_json *json = c3d_json_object();
    c3d_status st = fill_json(files, ev, sheet, json);

    c3d_json_set(json, "scores_hash", c3d_json_string(scores_hash));
    (void)snprintf(name, sizeof name, "evaluation-%s.json", files->split);
    if (st == C3D_OK) st = c3d_path_join(path, files->dir, name);
    if (st == C3D_OK) st = c3d_json_write(path, json);
    c3d_json_free(json);
    return st;
}

/* ---- scores-SPLIT.csv ------------------------------------------------------------------------ */

static c3d_status write_scores(const c3d_evaluation_files *files, const c3d_evaluation *ev,
                               char hash_out[C3D_SCORES_HASH_SIZE])
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
    (void)fputs(",block\n", stream);
    for (size_t i = 0; i < ev->n; i++) {
        const c3d_sample *s = &samples->rows[files->list->index[i]];
        (void)fprintf(stream, "%" PRId64 ",%" PRId64 ",%s,%d", s->sample_id, s->frame_id,
                      c3d_date_text(s->first_month, month), s->label);
        for (int k = 0; k < ev->n_outputs; k++) (void)fprintf(stream, ",%.9g", (double)*score++);
        (void)fprintf(stream, ",%" PRId64 "\n", files->facts->rows[i].block);
    }
    C3D_TRY(c3d_file_commit(path, stream));
    return c3d_scores_hash(path, hash_out);
}

/* The scores come first, and the JSON tells their hash: a disk that fills up in between leaves
 * new scores beside an old JSON. */
c3d_status c3d_evaluation_write(const c3d_evaluation_files *files, const c3d_evaluation *evaluation,
                                c3d_text *said)
{
    char hash[C3D_SCORES_HASH_SIZE];
    c3d_sheet sheet;

    C3D_TRY(make_sheet(files, evaluation, &sheet));
    c3d_status st = write_scores(files, evaluation, hash);
    if (st == C3D_OK) st = write_json(files, evaluation, &sheet, hash);
    if (st == C3D_OK) c3d_sheet_print(files, &sheet, said);
    c3d_sheet_free(&sheet);
    return st;
}
