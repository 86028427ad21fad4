#include "c3d/data.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum column {
    SAMPLE_ID,
    FRAME_ID,
    FIRST_MONTH,
    N_MONTHS,
    LABEL_YEAR,
    LABEL,
    SPLIT,
    FOLD,
    N_COLUMNS
};

static const char *const column_names[N_COLUMNS] = {
    "sample_id", "frame_id", "first_month", "n_months", "label_year", "label", "split", "fold",
};

static c3d_status read_int(const c3d_csv *csv, size_t row, int column, long long range[2],
                           long long *out)
{
    C3D_TRY(c3d_csv_int(csv, row, column, out));
    if (*out >= range[0] && *out <= range[1]) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s:%zu: column %s: %lld is outside [%lld, %lld]", csv->path,
                    row + 2, csv->header[column], *out, range[0], range[1]);
}

static c3d_status bad_field(const c3d_csv *csv, size_t row, int column, const char *expected)
{
    return C3D_FAIL(C3D_EDATA, "%s:%zu: column %s: expected %s, got \"%s\"", csv->path, row + 2,
                    csv->header[column], expected, c3d_csv_field(csv, row, column));
}

static c3d_status read_row(const c3d_csv *csv, size_t row, const int columns[N_COLUMNS],
                           c3d_sample *out)
{
    long long any[2] = { INT64_MIN, INT64_MAX }, positive[2] = { 1, INT_MAX };
    long long natural[2] = { 0, INT_MAX }, classes[2] = { 0, C3D_MAX_CLASSES - 1 };
    long long folds[2] = { -1, INT_MAX };
    long long sample_id, frame_id, n_months, label_year, label, fold;

    C3D_TRY(read_int(csv, row, columns[SAMPLE_ID], any, &sample_id));
    C3D_TRY(read_int(csv, row, columns[FRAME_ID], any, &frame_id));
    C3D_TRY(read_int(csv, row, columns[N_MONTHS], positive, &n_months));
    C3D_TRY(read_int(csv, row, columns[LABEL_YEAR], natural, &label_year));
    C3D_TRY(read_int(csv, row, columns[LABEL], classes, &label));
    C3D_TRY(read_int(csv, row, columns[FOLD], folds, &fold));
    *out = (c3d_sample){ .sample_id = sample_id,
                         .frame_id = frame_id,
                         .n_months = (int)n_months,
                         .label_year = (int)label_year,
                         .label = (int)label,
                         .fold = (int)fold };
    if (!c3d_date_parse(c3d_csv_field(csv, row, columns[FIRST_MONTH]), &out->first_month))
        return bad_field(csv, row, columns[FIRST_MONTH], "YYYY-MM or YYYY-MM-DD");
    if (!c3d_split_parse(c3d_csv_field(csv, row, columns[SPLIT]), &out->split))
        return bad_field(csv, row, columns[SPLIT], "train, validation, test or none");
    return C3D_OK;
}

static c3d_status read_rows(const c3d_csv *csv, c3d_samples *out)
{
    int columns[N_COLUMNS];

    for (int i = 0; i < N_COLUMNS; i++) {
        columns[i] = c3d_csv_column(csv, column_names[i]);
        if (columns[i] < 0)
            return C3D_FAIL(C3D_EDATA, "%s: no column %s", csv->path, column_names[i]);
    }
    for (size_t row = 0; row < csv->n_rows; row++) {
        C3D_TRY(read_row(csv, row, columns, &out->rows[row]));
        if (row > 0 && out->rows[row].sample_id <= out->rows[row - 1].sample_id)
            return C3D_FAIL(C3D_EDATA, "%s:%zu: sample_id %lld after %lld: not ascending",
                            csv->path, row + 2, (long long)out->rows[row].sample_id,
                            (long long)out->rows[row - 1].sample_id);
    }
    out->n = csv->n_rows;
    return C3D_OK;
}

c3d_status c3d_samples_read(const char *path, c3d_samples *out)
{
    c3d_csv csv;
    c3d_samples samples = { 0 };
    c3d_status st;

    C3D_TRY(c3d_csv_read(path, &csv));
    samples.rows = c3d_calloc(csv.n_rows ? csv.n_rows : 1, sizeof *samples.rows);
    st = samples.rows ? read_rows(&csv, &samples) : C3D_ENOMEM;
    c3d_csv_free(&csv);
    if (st == C3D_OK)
        *out = samples;
    else
        c3d_samples_free(&samples);
    return st;
}

c3d_status c3d_samples_write(const char *path, const c3d_samples *samples)
{
    FILE *stream;
    char month[12];

    C3D_TRY(c3d_file_open_new(path, &stream));
    for (int i = 0; i < N_COLUMNS; i++) fprintf(stream, "%s%s", i ? "," : "", column_names[i]);
    fputc('\n', stream);
    for (size_t i = 0; i < samples->n; i++) {
        const c3d_sample *row = &samples->rows[i];
        fprintf(stream, "%lld,%lld,%s,%d,%d,%d,%s,%d\n", (long long)row->sample_id,
                (long long)row->frame_id, c3d_date_text(row->first_month, month), row->n_months,
                row->label_year, row->label, c3d_split_name(row->split), row->fold);
    }
    return c3d_file_commit(path, stream);
}

void c3d_samples_free(c3d_samples *samples)
{
    free(samples->rows);
    *samples = (c3d_samples){ 0 };
}
