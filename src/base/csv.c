#include "c3d/base.h"

#include <stdlib.h>
#include <string.h>

typedef struct field_list {
    const char **items;
    size_t n, capacity;
    size_t *lines; /* first line of each row, the header with them */
    size_t n_rows, rows_capacity;
} field_list;

static c3d_status add_field(field_list *list, const char *field)
{
    if (list->n == list->capacity) {
        const size_t capacity = list->capacity ? 2 * list->capacity : 1024;
        const char **grown = realloc(list->items, capacity * sizeof *grown);
        if (!grown) return C3D_FAIL(C3D_ENOMEM, "no memory for %zu fields", capacity);
        list->items = grown;
        list->capacity = capacity;
    }
    list->items[list->n++] = field;
    return C3D_OK;
}

static c3d_status add_row(field_list *list, size_t line)
{
    if (list->n_rows == list->rows_capacity) {
        const size_t capacity = list->rows_capacity ? 2 * list->rows_capacity : 256;
        size_t *grown = realloc(list->lines, capacity * sizeof *grown);
        if (!grown) return C3D_FAIL(C3D_ENOMEM, "no memory for %zu rows", capacity);
        list->lines = grown;
        list->rows_capacity = capacity;
    }
    list->lines[list->n_rows++] = line;
    return C3D_OK;
}

static char separator_of(const char *bytes)
{
    for (const char *p = bytes; *p && *p != '\n'; p++)
        if (*p == ',' || *p == ';' || *p == '\t') return *p;
    return ',';
}

typedef struct cursor {
    char *at;
    char separator;
    size_t line;
    bool end_of_row;
} cursor;

/* Reads one field in place (it only ever shrinks) and NUL-terminates it. */
static c3d_status next_field(cursor *c, const char *path, const char **out)
{
    char *read = c->at, *write = c->at;
    const bool quoted = *read == '"';

    *out = write;
    if (quoted) {
        const size_t first_line = c->line;
        for (read++; !(read[0] == '"' && read[1] != '"'); *write++ = *read++) {
            if (!*read)
                return C3D_FAIL(C3D_EDATA, "%s:%zu: a quote is not closed", path, first_line);
            if (read[0] == '"') read++;
            if (read[0] == '\n') c->line++;
        }
        read++;
    } else {
        while (*read && *read != c->separator && *read != '\n' && *read != '\r') read++;
        write = read;
    }
    if (read[0] == '\r' && read[1] == '\n') read++;
    if (*read && *read != c->separator && *read != '\n')
        return C3D_FAIL(C3D_EDATA, "%s:%zu: text after a closing quote", path, c->line);
    c->end_of_row = *read != c->separator;
    if (*read == '\n') c->line++;
    if (*read) read++;
    *write = '\0';
    c->at = read;
    return C3D_OK;
}

static c3d_status parse(c3d_csv *csv, field_list *fields)
{
    cursor c = { .at = csv->bytes, .separator = separator_of(csv->bytes), .line = 1 };

    if (!strncmp(c.at, "\xef\xbb\xbf", 3)) c.at += 3;
    while (*c.at) {
        const size_t line = c.line, before = fields->n;
        do {
            const char *field;
            C3D_TRY(next_field(&c, csv->path, &field));
            C3D_TRY(add_field(fields, field));
        } while (!c.end_of_row);
        const size_t n = fields->n - before;
        if (n == 1 && !fields->items[before][0]) { /* an empty line */
            fields->n = before;
            continue;
        }
        if (before == 0) csv->n_columns = (int)n;
        if (n != (size_t)csv->n_columns)
            return C3D_FAIL(C3D_EDATA, "%s:%zu: %zu fields, the header has %d", csv->path, line, n,
                            csv->n_columns);
        C3D_TRY(add_row(fields, line));
    }
    if (fields->n == 0) return C3D_FAIL(C3D_EDATA, "%s: empty, expected a header", csv->path);
    csv->header = fields->items;
    csv->fields = fields->items + csv->n_columns;
    csv->lines = fields->lines;
    csv->n_rows = fields->n / (size_t)csv->n_columns - 1;
    return C3D_OK;
}

c3d_status c3d_csv_read(const char *path, c3d_csv *out)
{
    c3d_csv csv = { 0 };
    field_list fields = { 0 };

    C3D_TRY(c3d_file_read(path, &csv.bytes, NULL));
    csv.path = c3d_strdup(path);
    const c3d_status st = parse(&csv, &fields);
    if (st != C3D_OK) {
        free(fields.items);
        free(fields.lines);
        csv.header = NULL;
        csv.lines = NULL;
        c3d_csv_free(&csv);
        return st;
    }
    *out = csv;
    return C3D_OK;
}

void c3d_csv_free(c3d_csv *csv)
{
    free(csv->header);
    free(csv->lines);
    free(csv->bytes);
    free(csv->path);
    *csv = (c3d_csv){ 0 };
}

int c3d_csv_column(const c3d_csv *csv, const char *name)
{
    for (int i = 0; i < csv->n_columns; i++)
        if (!strcmp(csv->header[i], name)) return i;
    return -1;
}

c3d_status c3d_csv_int(const c3d_csv *csv, size_t row, int column, long long *out)
{
    const char *field = c3d_csv_field(csv, row, column);

    if (c3d_parse_int(field, out)) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s:%zu: column %s: expected an integer, got \"%s\"", csv->path,
                    c3d_csv_line(csv, row), csv->header[column], field);
}

c3d_status c3d_csv_real(const c3d_csv *csv, size_t row, int column, double *out)
{
    const char *field = c3d_csv_field(csv, row, column);

    if (c3d_parse_real(field, out)) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s:%zu: column %s: expected a number, got \"%s\"", csv->path,
                    c3d_csv_line(csv, row), csv->header[column], field);
}

void c3d_csv_put(FILE *stream, const char *field)
{
    if (!strpbrk(field, ",;\t\"\r\n")) {
        (void)fputs(field, stream);
        return;
    }
    (void)putc('"', stream);
    for (const char *p = field; *p; p++) {
        if (*p == '"') (void)putc('"', stream);
        (void)putc(*p, stream);
    }
    (void)putc('"', stream);
}
