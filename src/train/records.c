#include "train/records.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS "steps.jsonl"

struct c3d_records {
    char dir[C3D_PATH_MAX];
    FILE *steps, *metrics, *samples;
};

static const char metrics_header[] =
    "epoch,step,train_loss,train_accuracy,train_precision,train_recall,val_loss,val_accuracy,"
    "val_precision,val_recall,val_f1,val_auc,learning_rate,scenes_per_s\n";

/* The step a line belongs to; false: the header, which stays. */
static bool step_of_json(const char *line, int64_t *step)
{
    return sscanf(line, "{\"step\": %" SCNd64, step) == 1;
}

static bool step_of_csv(const char *line, int64_t *step)
{
    return sscanf(line, "%*d,%" SCNd64, step) == 1;
}

/* Keeps whole lines up to the step; a last line without its end was cut by a kill. The newest step
 * that is left, last_step where there is no file. */
static c3d_status cut_back(const char *path, int64_t last_step,
                           bool (*step_of)(const char *, int64_t *), int64_t *newest)
{
    char *text;
    c3d_text kept = { 0 };

    *newest = last_step;
    if (!c3d_path_exists(path)) return C3D_OK;
    *newest = 0;
    C3D_TRY(c3d_file_read(path, &text, NULL));
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        int64_t step = 0;
        *end = '\0';
        if (step_of(line, &step) && step > last_step) continue;
        c3d_text_add(&kept, "%s\n", line);
        *newest = step > *newest ? step : *newest;
    }
    const c3d_status st = c3d_file_write(path, kept.text ? kept.text : "", kept.length);
    free(text);
    c3d_text_free(&kept);
    return st;
}

static c3d_status continue_file(c3d_records *r, const char *name, int64_t step,
                                bool (*step_of)(const char *, int64_t *), FILE **out)
{
    char path[C3D_PATH_MAX];
    int64_t newest;

    C3D_TRY(c3d_path_join(path, r->dir, name));
    C3D_TRY(cut_back(path, step, step_of, &newest));
    if (!strcmp(name, STEPS) && newest < step)
        c3d_log_warn("%s: has no steps %" PRId64 " to %" PRId64
                     ": those of the checkpoint were recorded elsewhere",
                     path, newest + 1, step);
    if (!out) return C3D_OK;
    *out = fopen(path, "a");
    if (!*out) return C3D_FAIL(C3D_EIO, "%s: %s", path, strerror(errno));
    return C3D_OK;
}

static c3d_status open_files(c3d_records *r, int64_t step, bool with_samples)
{
    C3D_TRY(continue_file(r, STEPS, step, step_of_json, &r->steps));
    C3D_TRY(continue_file(r, "metrics.csv", step, step_of_csv, &r->metrics));
    C3D_TRY(
        continue_file(r, "samples.jsonl", step, step_of_json, with_samples ? &r->samples : NULL));
    if (fseeko(r->metrics, 0, SEEK_END) == 0 && ftello(r->metrics) == 0)
        (void)fputs(metrics_header, r->metrics);
    return c3d_records_flush(r);
}

c3d_status c3d_records_open(const char *dir, int64_t step, bool with_samples, c3d_records **out)
{
    c3d_records *r = c3d_calloc(1, sizeof *r);

    if (!r) return C3D_ENOMEM;
    (void)snprintf(r->dir, sizeof r->dir, "%s", dir);
    const c3d_status st = open_files(r, step, with_samples);
    if (st != C3D_OK) {
        c3d_records_close(r);
        return st;
    }
    *out = r;
    return C3D_OK;
}

void c3d_records_close(c3d_records *records)
{
    if (!records) return;
    FILE *const files[] = { records->steps, records->metrics, records->samples };
    for (size_t i = 0; i < C3D_COUNT(files); i++)
        if (files[i]) (void)fclose(files[i]);
    free(records);
}

void c3d_records_step(c3d_records *records, const c3d_step_record *row)
{
    char norm[32] = "null";

    if (isfinite(row->grad_norm)) (void)snprintf(norm, sizeof norm, "%.9g", row->grad_norm);
    (void)fprintf(records->steps,
                  "{\"step\": %" PRId64 ", \"epoch\": %" PRId64
                  ", \"loss\": %.9g, \"learning_rate\": %.9g, \"grad_norm\": %s, \"n\": %" PRId64
                  ", \"seconds\": %.4f, \"waited_s\": %.4f, \"comm_s\": %.4f, "
                  "\"comm_waited_s\": %.4f}\n",
                  row->step, row->epoch, row->loss, row->learning_rate, norm, row->n, row->seconds,
                  row->waited_s, row->comm.busy_s, row->comm.waited_s);
}

void c3d_records_samples(c3d_records *records, int64_t step, const int64_t *ids, size_t n)
{
    if (!records->samples) return;
    (void)fprintf(records->samples, "{\"step\": %" PRId64 ", \"samples\": [", step);
    for (size_t i = 0; i < n; i++)
        (void)fprintf(records->samples, "%s%" PRId64, i ? ", " : "", ids[i]);
    (void)fputs("]}\n", records->samples);
}

static void put_real(FILE *stream, double value, char end)
{
    if (isfinite(value)) (void)fprintf(stream, "%.9g", value);
    (void)putc(end, stream);
}

void c3d_records_epoch(c3d_records *records, const c3d_epoch_record *row)
{
    const double fields[] = { row->train_loss,    row->train_accuracy, row->train_precision,
                              row->train_recall,  row->val_loss,       row->val_accuracy,
                              row->val_precision, row->val_recall,     row->val_f1,
                              row->val_auc,       row->learning_rate,  row->scenes_per_s };

    (void)fprintf(records->metrics, "%" PRId64 ",%" PRId64 ",", row->epoch, row->step);
    for (size_t i = 0; i < C3D_COUNT(fields); i++)
        put_real(records->metrics, fields[i], i + 1 < C3D_COUNT(fields) ? ',' : '\n');
}

c3d_status c3d_records_flush(c3d_records *records)
{
    FILE *const files[] = { records->steps, records->metrics, records->samples };

    for (size_t i = 0; i < C3D_COUNT(files); i++)
        if (files[i] && (fflush(files[i]) != 0 || ferror(files[i])))
            return C3D_FAIL(C3D_EIO, "%s: its records could not be written: %s", records->dir,
                            strerror(errno ? errno : EIO));
    return C3D_OK;
}

c3d_status c3d_records_sync(const c3d_records *records)
{
    FILE *const files[] = { records->steps, records->metrics, records->samples };

    for (size_t i = 0; i < C3D_COUNT(files); i++)
        if (files[i] && fsync(fileno(files[i])) != 0 && errno != EINVAL && errno != ENOSYS)
            return C3D_FAIL(C3D_EIO, "%s: its records could not be written: %s", records->dir,
                            strerror(errno));
    return C3D_OK;
}
