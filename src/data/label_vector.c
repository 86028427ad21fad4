#include "label_vector.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { VALUES_SHOWN = 12 };

bool c3d_label_is_vector(const char *path)
{
    static const char *const ends[] = { ".gpkg", ".geojson", ".json", ".shp", ".fgb", ".kml" };
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; i < C3D_COUNT(ends); i++)
        if (dot != NULL && strcasecmp(dot, ends[i]) == 0) return true;
    return false;
}

/* ---- fields ---------------------------------------------------------------------------------- */

/* name "": -1. */
static c3d_status find_field(const c3d_vector *layer, const char *key, const char *name, int *out)
{
    c3d_text names = { 0 };
    c3d_status st;

    *out = -1;
    if (name == NULL || name[0] == 0) return C3D_OK;
    *out = c3d_vector_field(layer, name);
    if (*out >= 0) return C3D_OK;
    for (int f = 0; f < c3d_vector_n_fields(layer); f++)
        c3d_text_add(&names, "%s%s", f ? ", " : "", c3d_vector_field_name(layer, f));
    st = C3D_FAIL(C3D_EDATA, "%s: no field %s (%s); it has %s", c3d_vector_path(layer), name, key,
                  names.text ? names.text : "none");
    c3d_text_free(&names);
    return st;
}

/* Of "2021", 2021, "2021-05-03", "2021/05/03" and the like; 0: none. */
static int year_of(const c3d_vector *layer, size_t row, int field)
{
    const char *text = c3d_vector_text(layer, row, field);
    int year = 0, n = 0;

    for (; text != NULL && n < 4 && text[n] >= '0' && text[n] <= '9'; n++)
        year = 10 * year + (text[n] - '0');
    return n == 4 && !(text[4] >= '0' && text[4] <= '9') ? year : 0;
}

static int by_number(const void *a, const void *b)
{
    const int left = *(const int *)a, right = *(const int *)b;

    return (left > right) - (left < right);
}

c3d_status c3d_label_vector_years(const c3d_dataset_desc *desc, const char *path, int **years_out,
                                  int *n_out)
{
    c3d_vector *layer;
    int *years = NULL, field, n = 0, n_kept = 0;
    c3d_status st;

    C3D_TRY(c3d_vector_open(path, NULL, &layer));
    C3D_TRY_TO(done, find_field(layer, "data.label_date_field", desc->label_date_field, &field));
    years = c3d_calloc(c3d_vector_n_rows(layer) + 1, sizeof *years);
    if (years == NULL) C3D_TRY_TO(done, C3D_ENOMEM);
    for (size_t row = 0; row < c3d_vector_n_rows(layer); row++) {
        const int year = year_of(layer, row, field);

        if (year > 0) years[n++] = year;
    }
    if (n == 0)
        C3D_TRY_TO(done, C3D_FAIL(C3D_EDATA,
                                  "%s: field %s begins with a year (YYYY) in none of its %zu rows",
                                  path, desc->label_date_field, c3d_vector_n_rows(layer)));
    if ((size_t)n < c3d_vector_n_rows(layer))
        c3d_log_warn("%s: %zu rows have no year in field %s and are left out", path,
                     c3d_vector_n_rows(layer) - (size_t)n, desc->label_date_field);
    qsort(years, (size_t)n, sizeof *years, by_number);
    for (int i = 0; i < n; i++)
        if (i == 0 || years[i] != years[i - 1]) years[n_kept++] = years[i];
    *years_out = years;
    *n_out = n_kept;
done:
    c3d_vector_close(layer);
    if (st != C3D_OK) free(years);
    return st;
}

/* ---- classes --------------------------------------------------------------------------------- */

static bool has_value(const c3d_label_class *class, const char *text, bool is_code, long long code)
{
    for (int r = 0; is_code && r < class->n_ranges; r++)
        if (code >= class->ranges[r][0] && code <= class->ranges[r][1]) return true;
    for (int t = 0; text != NULL && t < class->n_texts; t++)
        if (strcmp(text, class->texts[t]) == 0) return true;
    return false;
}

static bool has_any_value(const c3d_label_class *class)
{
    for (int t = 0; t < class->n_texts; t++)
        if (strcmp(class->texts[t], "*") == 0) return true;
    return false;
}

/* A class of its value goes before one of any value. */
static int class_of(const c3d_label_class *classes, int n, const c3d_vector *layer, size_t row,
                    int field)
{
    const char *text = c3d_vector_text(layer, row, field);
    long long code = 0;
    const bool is_code = c3d_vector_int(layer, row, field, &code);

    for (int c = 0; c < n; c++)
        if (has_value(&classes[c], text, is_code, code)) return c;
    for (int c = 0; c < n; c++)
        if (has_any_value(&classes[c])) return c;
    return -1;
}

/* Values of rows that are of no class, each once. */
typedef struct other_values {
    int n;
    char *texts[VALUES_SHOWN];
    size_t n_rows;
} other_values;

static void note_value(other_values *others, const char *text)
{
    others->n_rows++;
    for (int i = 0; i < others->n; i++)
        if (strcmp(others->texts[i], text) == 0) return;
    if (others->n < VALUES_SHOWN) others->texts[others->n++] = c3d_strdup(text);
}

static c3d_status tell_others(const c3d_vector *layer, const char *field, other_values *others,
                              size_t n_matched)
{
    c3d_text text = { 0 };
    c3d_status st = C3D_OK;

    for (int i = 0; i < others->n; i++) {
        c3d_text_add(&text, "%s%s", i ? ", " : "", others->texts[i]);
        free(others->texts[i]);
    }
    if (n_matched == 0)
        st = C3D_FAIL(C3D_EDATA,
                      "%s: none of its %zu features is of a class of data.label_classes%s%s%s%s",
                      c3d_vector_path(layer), c3d_vector_n_rows(layer), others->n ? "; " : "",
                      others->n ? field : "", others->n ? " has " : "", text.text ? text.text : "");
    else if (others->n_rows > 0)
        c3d_log_warn("%s: %zu features are of no class and left out: %s is %s",
                     c3d_vector_path(layer), others->n_rows, field, text.text ? text.text : "");
    c3d_text_free(&text);
    return st;
}

/* Rows whose date is another year's are of no class. */
static c3d_status keep_year(const c3d_dataset_desc *desc, const c3d_vector *layer, int year,
                            int *class_of_row)
{
    int date;

    C3D_TRY(find_field(layer, "data.label_date_field", desc->label_date_field, &date));
    for (size_t row = 0; row < c3d_vector_n_rows(layer) && date >= 0; row++)
        if (year_of(layer, row, date) != year) class_of_row[row] = -1;
    return C3D_OK;
}

static c3d_status choose_rows(const c3d_dataset_desc *desc, const c3d_vector *layer,
                              int *class_of_row)
{
    other_values others = { 0 };
    size_t n_matched = 0;
    int field;

    C3D_TRY(find_field(layer, "data.label_field", desc->label_field, &field));
    if (field < 0 && (desc->n_classes > 1 || desc->n_hard > 0))
        return C3D_FAIL(C3D_ECONFIG,
                        "data.label_field: not given, so all features of %s are of one class; "
                        "data.label_classes has %d, data.hard_negatives %d",
                        c3d_vector_path(layer), desc->n_classes, desc->n_hard);
    for (size_t row = 0; row < c3d_vector_n_rows(layer); row++) {
        const char *text = c3d_vector_text(layer, row, field);

        class_of_row[row] =
            field < 0 ? 0 : class_of(desc->classes, desc->n_classes, layer, row, field);
        if (class_of_row[row] >= 0)
            n_matched++;
        else if (class_of(desc->hard, desc->n_hard, layer, row, field) < 0)
            note_value(&others, text ? text : "(null)");
    }
    return tell_others(layer, desc->label_field, &others, n_matched);
}

/* Hard negatives are a class after the others; a feature can be both. */
static c3d_status add_hard(const c3d_dataset_desc *desc, const c3d_vector *layer, int year,
                           int *class_of_row, c3d_shapes *shapes)
{
    int field;

    C3D_TRY(find_field(layer, "data.label_field", desc->label_field, &field));
    for (size_t row = 0; row < c3d_vector_n_rows(layer); row++)
        class_of_row[row] =
            class_of(desc->hard, desc->n_hard, layer, row, field) < 0 ? -1 : desc->n_classes;
    C3D_TRY(keep_year(desc, layer, year, class_of_row));
    return c3d_shapes_add(shapes, layer, class_of_row);
}

static c3d_status add_file(const c3d_dataset_desc *desc, const char *path, int year,
                           c3d_shapes *shapes)
{
    c3d_vector *layer;
    int *class_of_row;
    c3d_status st;

    C3D_TRY(c3d_vector_open(path, NULL, &layer));
    class_of_row = c3d_calloc(c3d_vector_n_rows(layer) + 1, sizeof *class_of_row);
    st = class_of_row != NULL ? choose_rows(desc, layer, class_of_row) : C3D_ENOMEM;
    if (st == C3D_OK) st = keep_year(desc, layer, year, class_of_row);
    if (st == C3D_OK) st = c3d_shapes_add(shapes, layer, class_of_row);
    if (st == C3D_OK && desc->n_hard > 0) st = add_hard(desc, layer, year, class_of_row, shapes);
    free(class_of_row);
    c3d_vector_close(layer);
    return st;
}

static c3d_status check_place(const c3d_frames *frames, const char *path, const c3d_shapes *shapes)
{
    double b[4];

    if (!c3d_shapes_bounds(shapes, b))
        return C3D_FAIL(C3D_EDATA, "%s: its features have no geometry", path);
    if (b[2] > 0 && b[3] > 0 && b[0] < frames->width_px && b[1] < frames->height_px) return C3D_OK;
    return C3D_FAIL(C3D_EDATA,
                    "%s: does not overlap the imagery: it would lie in columns %.0f to %.0f (of "
                    "%d) and rows %.0f to %.0f (of %d)",
                    path, b[0], b[2], frames->width_px, b[1], b[3], frames->height_px);
}

c3d_status c3d_label_vector_open(const c3d_dataset_desc *desc, const c3d_frames *frames,
                                 const c3d_archive_month *year, c3d_shapes **out)
{
    c3d_grid grid = { .width_px = frames->width_px,
                      .height_px = frames->height_px,
                      .crs_wkt = frames->crs_wkt };
    c3d_shapes *shapes;
    c3d_status st = C3D_OK;

    memcpy(grid.transform, frames->transform, sizeof grid.transform);
    C3D_TRY(c3d_shapes_create(&grid, desc->n_classes + 1, &shapes));
    for (int f = 0; f < year->n_files && st == C3D_OK; f++)
        st = add_file(desc, year->files[f], year->date / 10000, shapes);
    if (st == C3D_OK) st = check_place(frames, year->files[0], shapes);
    if (st == C3D_OK)
        *out = shapes;
    else
        c3d_shapes_destroy(shapes);
    return st;
}
