#include "train/records.h"

#include "train/events.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS        "steps.jsonl"
#define SEEN_AFTER_S 2.0

struct c3d_records {
    char dir[C3D_PATH_MAX];
    FILE *steps, *metrics, *samples;
    c3d_events *events;
    int64_t events_every;
    double flushed_s;
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

static c3d_status continue_events(c3d_records *r, const c3d_records_desc *desc, bool in_epoch)
{
    char dir[C3D_PATH_MAX];

    C3D_TRY(c3d_path_join(dir, r->dir, "tensorboard"));
    C3D_TRY(c3d_events_cut(dir, desc->at.step, in_epoch));
    if (desc->events_every == 0) return C3D_OK;
    return c3d_events_open(dir, desc->at.step, &r->events);
}

static c3d_status open_files(c3d_records *r, const c3d_records_desc *desc)
{
    const int64_t step = desc->at.step;
    const bool in_epoch = desc->at.step_in_epoch > 0; /* one that ended with the step is not over */

    C3D_TRY(continue_file(r, STEPS, step, step_of_json, &r->steps));
    C3D_TRY(continue_file(r, "metrics.csv", step - in_epoch, step_of_csv, &r->metrics));
    C3D_TRY(continue_file(r, "samples.jsonl", step, step_of_json,
                          desc->with_samples ? &r->samples : NULL));
    C3D_TRY(continue_events(r, desc, in_epoch));
    if (fseeko(r->metrics, 0, SEEK_END) == 0 && ftello(r->metrics) == 0)
        (void)fputs(metrics_header, r->metrics);
    return c3d_records_flush(r);
}

c3d_status c3d_records_open(const c3d_records_desc *desc, c3d_records **out)
{
    c3d_records *r = c3d_calloc(1, sizeof *r);

    if (!r) return C3D_ENOMEM;
    (void)snprintf(r->dir, sizeof r->dir, "%s", desc->dir);
    r->events_every = desc->events_every;
    const c3d_status st = open_files(r, desc);
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
    c3d_events_close(records->events);
    free(records);
}

/* A number or null, as JSON wants it. */
static const char *number(double value, char out[32])
{
    if (!isfinite(value)) return "null";
    (void)snprintf(out, 32, "%.9g", value);
    return out;
}

static void put_step(FILE *stream, const c3d_step_record *row)
{
    const c3d_step_times *t = &row->times;
    char norm[32], flop[32], share[32];

    (void)fprintf(stream,
                  "{\"step\": %" PRId64 ", \"epoch\": %" PRId64
                  ", \"loss\": %.9g, \"learning_rate\": %.9g, \"grad_norm\": %s, \"n\": %" PRId64
                  ", \"seconds\": %.6f, \"waited_s\": %.6f, \"copied_s\": %.6f, "
                  "\"computed_s\": %.6f, \"reduced_s\": %.6f, \"comm_s\": %.6f, "
                  "\"comm_waited_s\": %.6f, \"flop_per_s\": %s, \"peak_share\": %s}\n",
                  row->step, row->epoch, row->loss, row->learning_rate,
                  number(row->grad_norm, norm), row->n, t->seconds, t->waited_s, t->copied_s,
                  t->computed_s, t->reduced_s, t->comm.busy_s, t->comm.waited_s,
                  number(row->flop_per_s, flop), number(row->peak_share, share));
}

static void put_step_event(c3d_events *events, const c3d_step_record *row)
{
    const c3d_step_times *t = &row->times;
    const c3d_scalar scalars[] = {
        { "step/loss", row->loss },
        { "step/learning_rate", row->learning_rate },
        { "step/grad_norm", row->grad_norm },
        { "step/scenes_per_s", (double)row->n / t->seconds },
        { "step/waiting_ms", 1e3 * t->waited_s },
        { "step/copying_ms", 1e3 * t->copied_s },
        { "step/computing_ms", 1e3 * t->computed_s },
        { "step/reducing_ms", 1e3 * t->reduced_s },
        { "step/peak_share", row->peak_share },
    };

    c3d_events_scalars(events, row->step, scalars, C3D_COUNT(scalars));
}

/* For those that look on; a save tells of failures. */
static void show_at_times(c3d_records *records)
{
    const double now_s = c3d_now_s();

    if (now_s - records->flushed_s < SEEN_AFTER_S) return;
    records->flushed_s = now_s;
    (void)fflush(records->steps);
    if (records->events && c3d_events_flush(records->events) != C3D_OK) return;
}

void c3d_records_step(c3d_records *records, const c3d_step_record *row)
{
    put_step(records->steps, row);
    if (records->events && row->step % records->events_every == 0)
        put_step_event(records->events, row);
    show_at_times(records);
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

static void put_epoch_event(c3d_events *events, const c3d_epoch_record *row)
{
    const c3d_scalar scalars[] = {
        { C3D_EVENTS_EPOCH "train_loss", row->train_loss },
        { C3D_EVENTS_EPOCH "train_accuracy", row->train_accuracy },
        { C3D_EVENTS_EPOCH "train_precision", row->train_precision },
        { C3D_EVENTS_EPOCH "train_recall", row->train_recall },
        { C3D_EVENTS_EPOCH "val_loss", row->val_loss },
        { C3D_EVENTS_EPOCH "val_accuracy", row->val_accuracy },
        { C3D_EVENTS_EPOCH "val_precision", row->val_precision },
        { C3D_EVENTS_EPOCH "val_recall", row->val_recall },
        { C3D_EVENTS_EPOCH "val_f1", row->val_f1 },
        { C3D_EVENTS_EPOCH "val_auc", row->val_auc },
        { C3D_EVENTS_EPOCH "learning_rate", row->learning_rate },
        { C3D_EVENTS_EPOCH "scenes_per_s", row->scenes_per_s },
    };

    c3d_events_scalars(events, row->step, scalars, C3D_COUNT(scalars));
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
    if (records->events) put_epoch_event(records->events, row);
}

c3d_status c3d_records_flush(c3d_records *records)
{
    FILE *const files[] = { records->steps, records->metrics, records->samples };

    for (size_t i = 0; i < C3D_COUNT(files); i++)
        if (files[i] && (fflush(files[i]) != 0 || ferror(files[i])))
            return C3D_FAIL(C3D_EIO, "%s: its records could not be written: %s", records->dir,
                            strerror(errno ? errno : EIO));
    records->flushed_s = c3d_now_s();
    return records->events ? c3d_events_flush(records->events) : C3D_OK;
}

c3d_status c3d_records_sync(const c3d_records *records)
{
    FILE *const files[] = { records->steps, records->metrics, records->samples };

    for (size_t i = 0; i < C3D_COUNT(files); i++)
        if (files[i] && fsync(fileno(files[i])) != 0 && errno != EINVAL && errno != ENOSYS)
            return C3D_FAIL(C3D_EIO, "%s: its records could not be written: %s", records->dir,
                            strerror(errno));
    return records->events ? c3d_events_sync(records->events) : C3D_OK;
}
