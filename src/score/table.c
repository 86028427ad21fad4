/* scores-SPLIT.csv. */
#include "c3d/score.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OUTPUTS_MAX = 1000 };

typedef struct reading {
    const c3d_csv *csv;
    int sample_id, frame_id, first_month, label, block;
    int first_score; /* column of the first of n_outputs, which stand side by side */
    c3d_score_table *out;
} reading;

static c3d_status find_column(const c3d_csv *csv, const char *name, int *out)
{
    *out = c3d_csv_column(csv, name);
    if (*out >= 0) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s:%zu: no column %s; expected a file as c3d-evaluate writes it",
                    csv->path, csv->lines[0], name);
}

static c3d_status find_scores(reading *in)
{
    char name[24];

    in->out->n_outputs = 1;
    in->first_score = c3d_csv_column(in->csv, "score");
    if (in->first_score >= 0) return C3D_OK;
    C3D_TRY(find_column(in->csv, "score_0", &in->first_score));
    for (int k = 1; k < OUTPUTS_MAX; k++) {
        (void)snprintf(name, sizeof name, "score_%d", k);
        const int column = c3d_csv_column(in->csv, name);
        if (column < 0) break;
        if (column != in->first_score + k)
            return C3D_FAIL(C3D_EDATA, "%s:%zu: column %s does not stand beside score_%d",
                            in->csv->path, in->csv->lines[0], name, k - 1);
        in->out->n_outputs = k + 1;
    }
    if (in->out->n_outputs > 1) return C3D_OK;
    return C3D_FAIL(C3D_EDATA,
                    "%s:%zu: no column score_1 beside score_0; one output is column score",
                    in->csv->path, in->csv->lines[0]);
}

static c3d_status find_columns(reading *in)
{
    C3D_TRY(find_column(in->csv, "sample_id", &in->sample_id));
    C3D_TRY(find_column(in->csv, "frame_id", &in->frame_id));
    C3D_TRY(find_column(in->csv, "first_month", &in->first_month));
    C3D_TRY(find_column(in->csv, "label", &in->label));
    in->block = c3d_csv_column(in->csv, "block");
    in->out->has_blocks = in->block >= 0;
    return find_scores(in);
}

static c3d_status read_label(const reading *in, size_t row, int32_t *out)
{
    const int n = in->out->n_outputs == 1 ? 2 : in->out->n_outputs;
    long long label;

    C3D_TRY(c3d_csv_int(in->csv, row, in->label, &label));
    if (label < 0 || label >= n)
        return C3D_FAIL(C3D_EDATA, "%s:%zu: column label: expected 0 to %d, got %lld",
                        in->csv->path, c3d_csv_line(in->csv, row), n - 1, label);
    *out = (int32_t)label;
    return C3D_OK;
}

static c3d_status read_score(const reading *in, size_t row, int column, float *out)
{
    double score;

    C3D_TRY(c3d_csv_real(in->csv, row, column, &score));
    if (!(score >= 0 && score <= 1))
        return C3D_FAIL(C3D_EDATA, "%s:%zu: column %s: expected a probability, 0 to 1, got \"%s\"",
                        in->csv->path, c3d_csv_line(in->csv, row), in->csv->header[column],
                        c3d_csv_field(in->csv, row, column));
    *out = (float)score;
    return C3D_OK;
}

static c3d_status read_row(const reading *in, size_t row)
{
    c3d_score_table *t = in->out;
    c3d_score_row *to = &t->rows[row];
    const char *month = c3d_csv_field(in->csv, row, in->first_month);
    long long sample, frame, block;

    C3D_TRY(c3d_csv_int(in->csv, row, in->sample_id, &sample));
    C3D_TRY(c3d_csv_int(in->csv, row, in->frame_id, &frame));
    block = frame;
    if (t->has_blocks) C3D_TRY(c3d_csv_int(in->csv, row, in->block, &block));
    C3D_TRY(read_label(in, row, &to->label));
    if (strlen(month) >= sizeof to->first_month)
        return C3D_FAIL(C3D_EDATA, "%s:%zu: column first_month: expected a date, got \"%.40s\"",
                        in->csv->path, c3d_csv_line(in->csv, row), month);
    (void)snprintf(to->first_month, sizeof to->first_month, "%s", month);
    to->sample_id = sample;
    to->frame_id = frame;
    to->block = block;
    t->labels[row] = to->label;
    for (int k = 0; k < t->n_outputs; k++)
        C3D_TRY(read_score(in, row, in->first_score + k,
                           &t->scores[row * (size_t)t->n_outputs + (size_t)k]));
    return C3D_OK;
}

static c3d_status read_rows(reading *in)
{
    const size_t n = in->csv->n_rows;
    c3d_score_table *t = in->out;

    C3D_TRY(find_columns(in));
    if (n == 0) return C3D_FAIL(C3D_EDATA, "%s: no row", in->csv->path);
    t->rows = c3d_calloc(n, sizeof *t->rows);
    t->labels = c3d_calloc(n, sizeof *t->labels);
    t->scores = c3d_calloc(n * (size_t)t->n_outputs, sizeof *t->scores);
    if (!t->rows || !t->labels || !t->scores) return C3D_ENOMEM;
    for (size_t row = 0; row < n; row++) C3D_TRY(read_row(in, row));
    t->n = n;
    return C3D_OK;
}

c3d_status c3d_score_table_read(const char *path, c3d_score_table *out)
{
    c3d_csv csv;
    c3d_score_table table = { 0 };
    reading in = { .csv = &csv, .out = &table };

    C3D_TRY(c3d_csv_read(path, &csv));
    (void)snprintf(table.path, sizeof table.path, "%s", path);
    const c3d_status st = read_rows(&in);
    c3d_csv_free(&csv);
    if (st == C3D_OK)
        *out = table;
    else
        c3d_score_table_free(&table);
    return st;
}

void c3d_score_table_free(c3d_score_table *table)
{
    free(table->rows);
    free(table->scores);
    free(table->labels);
    *table = (c3d_score_table){ 0 };
}

c3d_status c3d_scores_hash(const char *path, char out[C3D_SCORES_HASH_SIZE])
{
    uint64_t hash;

    C3D_TRY(c3d_hash_file(path, &hash, NULL));
    (void)snprintf(out, C3D_SCORES_HASH_SIZE, "%016" PRIx64, hash);
    return C3D_OK;
}

bool c3d_scores_belong(const c3d_score_table *table, const c3d_json *evaluation)
{
    char hash[C3D_SCORES_HASH_SIZE];
    const char *told;
    long long n;

    if (c3d_json_get_string(evaluation, "scores_hash", &told))
        return c3d_scores_hash(table->path, hash) == C3D_OK && strcmp(hash, told) == 0;
    return !c3d_json_get_int(evaluation, "n", &n) || (size_t)n == table->n;
}
