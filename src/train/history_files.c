/* history-SPLIT.csv and detections-SPLIT.csv, and what they say in a few lines. */
#include "train/history.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static c3d_status name_file(const c3d_history *h, const char *what, const char *ending,
                            char path[C3D_PATH_MAX])
{
    char name[64];

    (void)snprintf(name, sizeof name, "%s-%s.%s", what, h->desc->split, ending);
    return c3d_path_join(path, h->desc->dir, name);
}

static c3d_status open_file(const c3d_history *h, const char *what, char path[C3D_PATH_MAX],
                            FILE **out)
{
    C3D_TRY(name_file(h, what, "csv", path));
    return c3d_file_open_new(path, out);
}

/* Of an earlier history: what is not written again would stand for another network. */
static c3d_status remove_file(const c3d_history *h, const char *what, const char *ending)
{
    char path[C3D_PATH_MAX];

    C3D_TRY(name_file(h, what, ending, path));
    if (remove(path) == 0 || errno == ENOENT) return C3D_OK;
    return C3D_FAIL(C3D_EIO, "%s: cannot be removed: %s", path, strerror(errno));
}

/* history-SPLIT.json says whose the tables are; it comes last. */
static c3d_status write_origin(const c3d_history *h)
{
    const char *checkpoint = c3d_tensor_file_metadata(h->desc->file, "checksum");
    char path[C3D_PATH_MAX];

    C3D_TRY(name_file(h, "history", "json", path));
    c3d_json *json = c3d_json_object();
    c3d_json_set(json, "schema", c3d_json_int(1));
    c3d_json_set(json, "split", c3d_json_string(h->desc->split));
    c3d_json_set(json, "checkpoint", c3d_json_string(checkpoint));
    c3d_json_set(json, "threshold", c3d_json_real(h->desc->threshold));
    c3d_json_set(json, "lasting", c3d_json_int(h->desc->n_lasting));
    c3d_json_set(json, "window_months", c3d_json_int(h->n_shown));
    const c3d_status st = c3d_json_write(path, json);
    c3d_json_free(json);
    return st;
}

static double window_share(const c3d_history *h, const float *shares, int last)
{
    double sum = 0;

    for (int k = 0; k < h->n_shown; k++) sum += (double)shares[last - k * h->step];
    return sum / h->n_shown;
}

static c3d_status write_scores(const c3d_history *h)
{
    const c3d_dataset_info *info = c3d_dataset_get_info(h->dataset);
    const int n_outputs = h->desc->evaluator->network.model.outputs;
    char path[C3D_PATH_MAX], month[12];
    FILE *file;

    C3D_TRY(open_file(h, "history", path, &file));
    (void)fprintf(file, "frame_id,month,score,valid_share,window_valid_share");
    for (int k = 0; n_outputs > 1 && k < n_outputs; k++) (void)fprintf(file, ",score_%d", k);
    (void)fputc('\n', file);
    for (size_t f = 0; f < h->n_frames; f++) {
        const float *shares = h->shares + f * (size_t)h->n_months;
        for (size_t i = h->first[f]; i < h->first[f + 1]; i++) {
            (void)fprintf(file, "%" PRId64 ",%s,%.9g,%.6g,%.6g", h->frame_ids[f],
                          c3d_date_text(c3d_dataset_month(info, h->last[i]), month),
                          (double)h->scores[i], (double)shares[h->last[i]],
                          window_share(h, shares, h->last[i]));
            for (int k = 0; n_outputs > 1 && k < n_outputs; k++)
                (void)fprintf(file, ",%.9g",
                              (double)h->all_scores[i * (size_t)n_outputs + (size_t)k]);
            (void)fputc('\n', file);
        }
    }
    return c3d_file_commit(path, file);
}

/* ---- detections ------------------------------------------------------------------------------ */

/* Archives whose dates are not known call their months 0001-01 and so on. */
enum { FIRST_YEAR = 1900 };

typedef struct place {
    c3d_detection found;
    c3d_date first, lasting; /* 0: none */
    int label_year;          /* first positive one; 0: none */
} place;

typedef struct places {
    place *rows; /* [n_frames] */
    bool has_years;
} places;

static c3d_status detect(const c3d_history *h, places *out)
{
    const c3d_dataset_info *info = c3d_dataset_get_info(h->dataset);
    int *years = c3d_calloc(h->n_frames, sizeof *years);
    float *shares = c3d_calloc((size_t)h->n_months, sizeof *shares);

    out->rows = c3d_calloc(h->n_frames, sizeof *out->rows);
    c3d_status st = years && shares && out->rows ? C3D_OK : C3D_ENOMEM;
    if (st == C3D_OK)
        st = c3d_dataset_first_label_years(h->dataset, h->frame_ids, h->n_frames, years,
                                           &out->has_years);
    for (size_t f = 0; st == C3D_OK && f < h->n_frames; f++) {
        const size_t begin = h->first[f], n = h->first[f + 1] - begin;
        place *row = &out->rows[f];
        for (size_t i = 0; i < n; i++)
            shares[i] = h->shares[f * (size_t)h->n_months + (size_t)h->last[begin + i]];
        c3d_detect(&(c3d_detect_input){ (int)n, h->scores + begin, shares, h->desc->threshold,
                                        h->desc->n_lasting },
                   &row->found);
        row->label_year = years[f];
        if (row->found.first >= 0)
            row->first = c3d_dataset_month(info, h->last[begin + (size_t)row->found.first]);
        if (row->found.lasting >= 0)
            row->lasting = c3d_dataset_month(info, h->last[begin + (size_t)row->found.lasting]);
    }
    free(years);
    free(shares);
    return st;
}

static bool has_lag(const place *row, c3d_date month)
{
    return row->label_year >= FIRST_YEAR && month / 10000 >= FIRST_YEAR;
}

static void put_month(FILE *file, c3d_date month, int n)
{
    char text[12];

    if (month == 0)
        (void)fputs(",,", file);
    else
        (void)fprintf(file, ",%s,%d", c3d_date_text(month, text), n);
}

static void put_lag(FILE *file, const place *row, c3d_date month)
{
    if (has_lag(row, month))
        (void)fprintf(file, ",%d", c3d_months_since(row->label_year, month));
    else
        (void)fputc(',', file);
}

static c3d_status write_places(const c3d_history *h, const places *all)
{
    char path[C3D_PATH_MAX];
    FILE *file;

    C3D_TRY(open_file(h, "detections", path, &file));
    (void)fputs("frame_id,label,first_month,first_run,lasting_month,lasting_run,lasting_to_end,"
                "from_start,n_above,n_months,first_label_year,first_lag,lasting_lag\n",
                file);
    for (size_t f = 0; f < h->n_frames; f++) {
        const place *row = &all->rows[f];
        (void)fprintf(file, "%" PRId64 ",%d", h->frame_ids[f], h->labels[f]);
        put_month(file, row->first, row->found.first_run);
        put_month(file, row->lasting, row->found.lasting_run);
        (void)fprintf(file, ",%d,%d,%d,%d,", row->found.is_to_end, row->found.is_first_seen,
                      row->found.n_above, row->found.n_seen);
        if (row->label_year > 0) (void)fprintf(file, "%d", row->label_year);
        put_lag(file, row, row->first);
        put_lag(file, row, row->lasting);
        (void)fputc('\n', file);
    }
    return c3d_file_commit(path, file);
}

/* ---- in a few lines -------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Positive from the first month scored on: when it began is not known. */
static bool is_from_start(const place *row)
{
    return row->found.lasting >= 0 && row->found.lasting == row->found.first &&
           row->found.is_first_seen;
}

static c3d_status say_lags(const c3d_history *h, const places *all, c3d_text *out)
{
    int *lags = c3d_calloc(h->n_frames + 1, sizeof *lags);
    size_t n_labelled = 0, n_from_start = 0, n = 0;

    if (!lags) return C3D_ENOMEM;
    for (size_t f = 0; f < h->n_frames; f++) {
        const place *row = &all->rows[f];
        n_labelled += row->label_year > 0;
        if (!has_lag(row, row->lasting)) continue;
        if (is_from_start(row))
            n_from_start++;
        else
            lags[n++] = c3d_months_since(row->label_year, row->lasting);
    }
    qsort(lags, n, sizeof *lags, by_value);
    c3d_text_add(out,
                 "\nplaces with a positive label year: %zu, a lasting detection in %zu of them",
                 n_labelled, n + n_from_start);
    if (n > 0)
        c3d_text_add(out,
                     "; months from January of the first such year to it: median %d, %d to %d, of "
                     "%zu place%s whose beginning is in the series",
                     lags[(n - 1) / 2], lags[0], lags[n - 1], n, n == 1 ? "" : "s");
    if (n > 0 && n_from_start > 0)
        c3d_text_add(
            out, "; %zu more %s so from the first scored month on, so they began then or before",
            n_from_start, n_from_start == 1 ? "was" : "were");
    free(lags);
    return C3D_OK;
}

static c3d_status say(const c3d_history *h, const places *all)
{
    size_t n_lasting[2] = { 0 }, n_brief[2] = { 0 }, n_from_start = 0, n[2] = { 0 };
    c3d_text text = { 0 };
    c3d_status st = C3D_OK;

    for (size_t f = 0; f < h->n_frames; f++) {
        const c3d_detection *found = &all->rows[f].found;
        /* a negative sample of one year is no sign that there never was a positive one */
        const int positive = h->labels[f] > 0 || all->rows[f].label_year > 0;
        n[positive]++;
        n_lasting[positive] += found->lasting >= 0;
        n_brief[positive] += found->lasting < 0 && found->first >= 0;
        n_from_start += is_from_start(&all->rows[f]);
    }
    c3d_text_add(
        &text,
        "history, %s: %zu places, %zu scores of %d month%s each, above %g for %d months in "
        "a row or more: %zu of %zu places with a positive label, %zu of %zu others (%zu of "
        "all from the first month on); for less: %zu and %zu",
        h->desc->split, h->n_frames, h->n, h->n_shown, h->n_shown == 1 ? "" : "s",
        h->desc->threshold, h->desc->n_lasting, n_lasting[1], n[1], n_lasting[0], n[0],
        n_from_start, n_brief[1], n_brief[0]);
    if (all->has_years) st = say_lags(h, all, &text);
    if (st == C3D_OK) c3d_log_run("%s", text.text);
    if (st == C3D_OK && h->n == h->n_frames)
        c3d_log_warn("history: the network sees all %d months at once, so that a place has one "
                     "score; one trained with data.time: window has one a month",
                     h->n_shown);
    c3d_text_free(&text);
    return st;
}

c3d_status c3d_history_write(const c3d_history *history)
{
    places all = { 0 };
    c3d_status st = remove_file(history, "history", "json");

    if (st == C3D_OK) st = remove_file(history, "occlusion", "csv");
    if (st == C3D_OK) st = write_scores(history);
    if (st == C3D_OK) st = detect(history, &all);
    if (st == C3D_OK) st = write_places(history, &all);
    if (st == C3D_OK) st = write_origin(history);
    if (st == C3D_OK) st = say(history, &all);
    free(all.rows);
    return st;
}
