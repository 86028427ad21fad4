/* What an update adds to frames.gpkg, in place: rows, geometry, splits, edits and whatever else a
 * person put into the file stay. */
#include "labels.h"
#include "sources.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- sources that are there ------------------------------------------------------------------ */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The archive may have moved: a file is known by its kind, date and name. */
static char *source_key(const char *kind, const char *date, const char *path)
{
    const char *slash = strrchr(path, '/');
    c3d_text key = { 0 };

    c3d_text_add(&key, "%s %s %s", kind, date, slash ? slash + 1 : path);
    return key.text;
}

c3d_status c3d_known_sources_read(const char *path, known_sources *out)
{
    known_sources known = { 0 };
    c3d_vector *layer;

    C3D_TRY(c3d_vector_open(path, "sources", &layer));
    const int fields[3] = { c3d_vector_field(layer, "kind"), c3d_vector_field(layer, "date"),
                            c3d_vector_field(layer, "path") };
    const size_t n = c3d_vector_n_rows(layer);
    known.keys = c3d_calloc(n + 1, sizeof *known.keys);
    for (size_t row = 0; known.keys && row < n; row++) {
        const char *text[3] = { "", "", "" };
        for (int i = 0; i < 3; i++) {
            const char *value = fields[i] < 0 ? NULL : c3d_vector_text(layer, row, fields[i]);
            if (value) text[i] = value;
        }
        known.keys[known.n++] = source_key(text[0], text[1], text[2]);
    }
    c3d_vector_close(layer);
    if (!known.keys) return C3D_ENOMEM;
    qsort(known.keys, known.n, sizeof *known.keys, by_text);
    *out = known;
    return C3D_OK;
}

void c3d_known_sources_free(known_sources *known)
{
    for (size_t i = 0; i < known->n; i++) free(known->keys[i]);
    free(known->keys);
    *known = (known_sources){ 0 };
}

bool c3d_known_sources_has(const known_sources *known, const char *kind, c3d_date date,
                           const char *path)
{
    char text[12];
    char *key = source_key(kind, c3d_date_text(date, text), path);
    const bool has = bsearch(&key, known->keys, known->n, sizeof key, by_text) != NULL;

    free(key);
    return has;
}

/* ---- label years ----------------------------------------------------------------------------- */

/* Columns of the new years, and the mark of the row. */
typedef struct new_columns {
    int n;
    c3d_field_desc *fields; /* [n]; names own their text; the last is made */
    c3d_field_value *values;
} new_columns;

static void columns_free(new_columns *columns)
{
    for (int c = 0; c < columns->n; c++) free((void *)(uintptr_t)columns->fields[c].name);
    free(columns->fields);
    free(columns->values);
}

static c3d_status columns_make(const c3d_frames *frames, int first_year, new_columns *out)
{
    const size_t n =
        (size_t)(frames->n_years - first_year) * (size_t)c3d_year_columns_max(frames) + 1;

    out->fields = c3d_calloc(n, sizeof *out->fields);
    out->values = c3d_calloc(n, sizeof *out->values);
    if (!out->fields || !out->values) return C3D_ENOMEM;
    for (int k = first_year; k < frames->n_years; k++)
        out->n += c3d_year_columns(frames, k, &out->fields[out->n]);
    out->fields[out->n++] = (c3d_field_desc){ c3d_strdup("made"), C3D_FIELD_TEXT };
    return C3D_OK;
}

static void fill_values(const c3d_frames *frames, size_t i, int first_year, new_columns *columns)
{
    int v = 0;

    for (int k = first_year; k < frames->n_years; k++)
        v += c3d_year_values(frames, i, k, &columns->values[v]);
}

/* What was made is what was made before, and the labels of the new years. */
static c3d_status fill_rows(c3d_vector_writer *writer, const c3d_vector *layer,
                            const c3d_frames *frames, int first_year, new_columns *columns)
{
    const int id_field = c3d_vector_field(layer, "frame_id");
    const int made_field = c3d_vector_field(layer, "made");
    c3d_status st = C3D_OK;
    long long id = 0;

    for (size_t row = 0; st == C3D_OK && row < c3d_vector_n_rows(layer); row++) {
        const size_t i =
            c3d_vector_int(layer, row, id_field, &id) ? c3d_frames_find(frames, id) : (size_t)-1;
        const char *before = c3d_vector_text(layer, row, made_field);
        c3d_text made = { 0 };
        if (i == (size_t)-1 || !before)
            return C3D_FAIL(C3D_EDATA, "row %zu of layer frames is new", row + 1);
        fill_values(frames, i, first_year, columns);
        c3d_text_add(&made, "%s", before);
        for (int k = first_year; k < frames->n_years; k++)
            c3d_text_add(&made, " %d", frames->labels[i * (size_t)frames->n_years + (size_t)k]);
        columns->values[columns->n - 1].t = made.text;
        st = c3d_vector_writer_change(writer, c3d_vector_row_id(layer, row), columns->fields,
                                      columns->n, columns->values);
        c3d_text_free(&made);
    }
    return st;
}

static c3d_status add_years(c3d_vector_writer *writer, const char *path, const c3d_frames *frames,
                            int first_year)
{
    new_columns columns = { 0 };
    c3d_vector *layer = NULL;
    c3d_status st;

    C3D_TRY_TO(done, c3d_vector_open(path, "frames", &layer));
    C3D_TRY_TO(done, columns_make(frames, first_year, &columns));
    C3D_TRY_TO(done, c3d_vector_writer_select(writer, "frames", 0));
    C3D_TRY_TO(done, c3d_vector_writer_fields(writer, columns.fields, columns.n - 1));
    C3D_TRY_TO(done, fill_rows(writer, layer, frames, first_year, &columns));
done:
    c3d_vector_close(layer);
    columns_free(&columns);
    return st;
}

static c3d_status change_setting(c3d_vector_writer *writer, const char *path, const char *key,
                                 const char *value)
{
    c3d_vector *settings;
    c3d_status st = C3D_OK;

    C3D_TRY(c3d_vector_open(path, "settings", &settings));
    for (size_t row = 0; st == C3D_OK && row < c3d_vector_n_rows(settings); row++) {
        const char *name = c3d_vector_text(settings, row, c3d_vector_field(settings, "key"));
        if (!name || strcmp(name, key) != 0) continue;
        st = c3d_vector_writer_change(
            writer, c3d_vector_row_id(settings, row),
            &(const c3d_field_desc){ .name = "value", .type = C3D_FIELD_TEXT }, 1,
            &(const c3d_field_value){ .t = value });
    }
    c3d_vector_close(settings);
    return st;
}

static c3d_status tell_years(c3d_vector_writer *writer, const char *path, const c3d_frames *frames,
                             const frames_addition *add)
{
    char value[20];

    C3D_TRY(c3d_vector_writer_select(writer, "settings", 2));
    for (int k = add->first_year; k < frames->n_years; k++) {
        (void)snprintf(value, sizeof value, "%d", frames->years[k]);
        C3D_TRY(c3d_vector_writer_add(
            writer, NULL, 0, (const c3d_field_value[]){ { .t = "label_year" }, { .t = value } }));
    }
    (void)snprintf(value, sizeof value, "%016" PRIx64, add->fingerprint);
    return change_setting(writer, path, "fingerprint", value);
}

/* ---- the file -------------------------------------------------------------------------------- */

c3d_status c3d_frames_add(const char *path, const c3d_frames *frames, const frames_addition *add)
{
    c3d_vector_writer *writer = NULL;
    c3d_status st;

    C3D_TRY(c3d_vector_writer_open(path, &writer));
    C3D_TRY_TO(fail, c3d_sources_add(writer, add->mosaics, add->labels));
    if (add->first_year < frames->n_years) {
        C3D_TRY_TO(fail, add_years(writer, path, frames, add->first_year));
        C3D_TRY_TO(fail, tell_years(writer, path, frames, add));
    }
    return c3d_vector_writer_commit(writer);
fail:
    c3d_vector_writer_discard(writer);
    return st;
}
