/* The list as a table: which column is what, and a row of it. */
#include "import.h"

#include <ctype.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TOLD_MAX = 20 };

/* ---- mistakes -------------------------------------------------------------------------------- */

void c3d_import_mistake(import_mistakes *mistakes, size_t line, const char *format, ...)
{
    import_mistake *to;
    va_list list;

    if (mistakes->n++ >= IMPORT_MISTAKES_MAX) return;
    to = &mistakes->items[mistakes->n - 1];
    to->line = line;
    to->number = mistakes->n;
    va_start(list, format);
    (void)vsnprintf(to->text, sizeof to->text, format, list);
    va_end(list);
}

static int by_line(const void *a, const void *b)
{
    const import_mistake *x = a, *y = b;

    if (x->line != y->line) return x->line < y->line ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

c3d_status c3d_import_mistakes_end(import_mistakes *mistakes)
{
    const size_t n_kept = mistakes->n < IMPORT_MISTAKES_MAX ? mistakes->n : IMPORT_MISTAKES_MAX;
    const size_t n_told = n_kept < TOLD_MAX ? n_kept : TOLD_MAX;

    if (mistakes->n == 0) return C3D_OK;
    qsort(mistakes->items, n_kept, sizeof *mistakes->items, by_line);
    for (size_t i = 0; i < n_told; i++) {
        const import_mistake *of = &mistakes->items[i];
        if (of->line > 0)
            c3d_log_run("%s:%zu: %s", mistakes->list, of->line, of->text);
        else
            c3d_log_run("%s: %s", mistakes->list, of->text);
    }
    return C3D_FAIL(C3D_EDATA, "%s: %zu mistake%s%s", mistakes->list, mistakes->n,
                    mistakes->n > 1 ? "s" : "", mistakes->n > n_told ? "; 20 are told" : "");
}

/* ---- columns --------------------------------------------------------------------------------- */

typedef struct columns {
    int path, label, date, scene, lon, lat, split, fold; /* -1: none */
    int n_window, window[4];
    int groups[IMPORT_GROUPS_MAX];
} columns;

typedef struct reader {
    const c3d_list_desc *desc;
    import_mistakes *mistakes;
    import_list *list;
    columns at;
    const char *folder;
    regex_t match;
} reader;

static int find(const c3d_csv *csv, const char *name)
{
    for (int i = 0; i < csv->n_columns; i++)
        if (strcasecmp(csv->header[i], name) == 0) return i;
    return -1;
}

static c3d_status no_column(const c3d_csv *csv, const char *name)
{
    const char *near = c3d_nearest(name, csv->header, (size_t)csv->n_columns);
    c3d_text names = { 0 };

    for (int i = 0; i < csv->n_columns; i++)
        c3d_text_add(&names, "%s%s", i ? ", " : "", csv->header[i]);
    const c3d_status st =
        C3D_FAIL(C3D_EDATA, "%s: no column %s%s%s%s; it has %.400s", csv->path, name,
                 near ? "; did you mean " : "", near ? near : "", near ? "?" : "", names.text);
    c3d_text_free(&names);
    return st;
}

/* A name that was given must be there. */
static c3d_status choose(const c3d_csv *csv, const char *given, const char *standard, int *out)
{
    const bool is_given = given != NULL && given[0] != '\0';

    *out = find(csv, is_given ? given : standard);
    return is_given && *out < 0 ? no_column(csv, given) : C3D_OK;
}

static c3d_status choose_window(const c3d_csv *csv, const c3d_list_desc *desc, columns *at)
{
    static const char *const standard[] = { "x_off", "y_off", "x_size", "y_size" };

    at->n_window = desc->n_window;
    for (int i = 0; i < desc->n_window; i++) {
        at->window[i] = find(csv, desc->window[i]);
        if (at->window[i] < 0) return no_column(csv, desc->window[i]);
    }
    if (desc->n_window > 0 || find(csv, "x_off") < 0) return C3D_OK;
    at->n_window = find(csv, "x_size") < 0 ? 2 : 4;
    for (int i = 0; i < at->n_window; i++) {
        at->window[i] = find(csv, standard[i]);
        if (at->window[i] < 0) return no_column(csv, standard[i]);
    }
    return C3D_OK;
}

static c3d_status choose_groups(const c3d_list_desc *desc, import_list *list, columns *at)
{
    if (desc->n_groups > IMPORT_GROUPS_MAX)
        return C3D_FAIL(C3D_ECONFIG, "data.list.group: %d columns, at most %d", desc->n_groups,
                        IMPORT_GROUPS_MAX);
    list->n_groups = desc->n_groups;
    for (int i = 0; i < desc->n_groups; i++) {
        at->groups[i] = find(&list->csv, desc->groups[i]);
        if (at->groups[i] < 0) return no_column(&list->csv, desc->groups[i]);
    }
    if (desc->n_groups > 0) return C3D_OK;
    at->groups[0] = find(&list->csv, "group");
    list->n_groups = at->groups[0] >= 0;
    return C3D_OK;
}

static c3d_status choose_columns(reader *r)
{
    const c3d_csv *csv = &r->list->csv;
    const c3d_list_desc *desc = r->desc;
    columns *at = &r->at;

    C3D_TRY(choose(csv, desc->path_column, "path", &at->path));
    if (at->path < 0) return no_column(csv, "path");
    C3D_TRY(choose(csv, desc->label_column, "label", &at->label));
    C3D_TRY(choose(csv, desc->date_column, "date", &at->date));
    C3D_TRY(choose(csv, desc->scene_column, "scene", &at->scene));
    C3D_TRY(choose(csv, desc->lon_column, "lon", &at->lon));
    C3D_TRY(choose(csv, desc->lat_column, "lat", &at->lat));
    C3D_TRY(choose(csv, desc->split_column, "split", &at->split));
    C3D_TRY(choose(csv, desc->fold_column, "fold", &at->fold));
    C3D_TRY(choose_window(csv, desc, at));
    r->list->has_split = at->split >= 0;
    r->list->has_fold = at->fold >= 0;
    return choose_groups(desc, r->list, at);
}

/* ---- fields ---------------------------------------------------------------------------------- */

/* Without blanks around it; "" for a column that is not there. The text is the table's own. */
static const char *field(const reader *r, size_t row, int column)
{
    char *text, *end;

    if (column < 0) return "";
    text = (char *)(uintptr_t)c3d_csv_field(&r->list->csv, row, column);
    while (isspace((unsigned char)*text)) text++;
    for (end = text + strlen(text); end > text && isspace((unsigned char)end[-1]);) *--end = '\0';
    return text;
}

static void mistake_in(reader *r, size_t row, int column, const char *expected)
{
    r->list->rows[row].is_wrong = true;
    c3d_import_mistake(r->mistakes, c3d_csv_line(&r->list->csv, row),
                       "%s: expected %s, got \"%.100s\"", r->list->csv.header[column], expected,
                       field(r, row, column));
}

bool c3d_import_date(const char *text, c3d_date *out)
{
    char digits[9] = "", iso[12];
    int n = 0;

    for (; n < 8 && *text; text++) {
        if (isdigit((unsigned char)*text))
            digits[n++] = *text;
        else if ((n != 4 && n != 6) || !strchr("-/_", *text))
            break;
    }
    if (n == 8 && *text && *text != 'T' && *text != ' ') return false;
    if (n == 6 && *text) return false;
    if (n != 6 && n != 8) return false;
    (void)snprintf(iso, sizeof iso, n == 8 ? "%.4s-%.2s-%.2s" : "%.4s-%.2s", digits, digits + 4,
                   digits + 6);
    return c3d_date_parse(iso, out);
}

static void read_window(reader *r, size_t i, import_row *row)
{
    long long v[4] = { 0 };
    const int n = r->at.n_window;
    int n_given = 0;

    for (int k = 0; k < n; k++) n_given += field(r, i, r->at.window[k])[0] != '\0';
    if (n_given == 0) return;
    for (int k = 0; k < n; k++) {
        const char *text = field(r, i, r->at.window[k]);
        const bool is_size = n == 3 ? k == 2 : k >= 2;
        if (c3d_parse_int(text, &v[k]) && v[k] >= is_size && v[k] <= 100000000) continue;
        mistake_in(r, i, r->at.window[k],
                   is_size ? "a whole number from 1 on" : "a whole number from 0 on");
        return;
    }
    row->has_window = true;
    row->window = (c3d_window){ (int)v[0], (int)v[1], (int)v[2], (int)v[3] };
    if (n != 3) return;
    if (v[0] * v[2] > INT32_MAX || v[1] * v[2] > INT32_MAX) {
        mistake_in(r, i, r->at.window[0], "a row of cells of a file");
        return;
    }
    row->window = (c3d_window){ (int)(v[1] * v[2]), (int)(v[0] * v[2]), (int)v[2], (int)v[2] };
}

static bool parse_split(const char *text, c3d_split *out)
{
    static const struct {
        const char *name;
        c3d_split split;
    } names[] = { { "train", C3D_SPLIT_TRAIN },
                  { "training", C3D_SPLIT_TRAIN },
                  { "validation", C3D_SPLIT_VALIDATION },
                  { "val", C3D_SPLIT_VALIDATION },
                  { "valid", C3D_SPLIT_VALIDATION },
                  { "dev", C3D_SPLIT_VALIDATION },
                  { "test", C3D_SPLIT_TEST },
                  { "testing", C3D_SPLIT_TEST },
                  { "none", C3D_SPLIT_NONE } };

    for (size_t i = 0; i < C3D_COUNT(names); i++) {
        if (strcasecmp(text, names[i].name) != 0) continue;
        *out = names[i].split;
        return true;
    }
    return false;
}

static void read_place(reader *r, size_t i, import_row *row)
{
    const char *lon = field(r, i, r->at.lon), *lat = field(r, i, r->at.lat);

    row->lon = row->lat = (double)NAN;
    if (!lon[0] && !lat[0]) return;
    if (!c3d_parse_real(lon, &row->lon) || !(fabs(row->lon) <= 360))
        mistake_in(r, i, r->at.lon >= 0 ? r->at.lon : r->at.lat, "degrees of longitude");
    else if (!c3d_parse_real(lat, &row->lat) || !(fabs(row->lat) <= 90))
        mistake_in(r, i, r->at.lat >= 0 ? r->at.lat : r->at.lon, "degrees of latitude");
}

static void read_split(reader *r, size_t i, import_row *row)
{
    const char *split = field(r, i, r->at.split), *fold = field(r, i, r->at.fold);
    long long number = -1;

    row->split = C3D_SPLIT_NONE;
    row->fold = -1;
    row->has_split = split[0] != '\0';
    if (split[0] && !parse_split(split, &row->split))
        mistake_in(r, i, r->at.split, "train, validation, test or none");
    if (fold[0] && (!c3d_parse_int(fold, &number) || number < 0 || number > 99))
        mistake_in(r, i, r->at.fold, "a fold's number from 0 to 99");
    else if (fold[0])
        row->fold = (int)number;
}

/* The part of a value that names the group. */
static const char *matched(reader *r, const char *value)
{
    regmatch_t found[2];
    char *part;

    if (regexec(&r->match, value, 2, found, 0) != 0) return value;
    const regmatch_t *of = r->match.re_nsub > 0 && found[1].rm_so >= 0 ? &found[1] : &found[0];
    const size_t n = (size_t)(of->rm_eo - of->rm_so);
    part = c3d_calloc(n + 1, 1);
    if (part != NULL) memcpy(part, value + of->rm_so, n);
    return c3d_import_keep(r->list, part);
}

static bool has_match(const reader *r)
{
    return r->desc->group_match != NULL && r->desc->group_match[0] != '\0';
}

static c3d_status read_groups(reader *r, size_t i, import_row *row)
{
    for (int g = 0; g < r->list->n_groups; g++) row->groups[g] = field(r, i, r->at.groups[g]);
    if (!has_match(r) || r->list->n_groups == 0 || !row->groups[0][0]) return C3D_OK;
    row->groups[0] = matched(r, row->groups[0]);
    return row->groups[0] != NULL ? C3D_OK : C3D_ENOMEM;
}

/* What names no file of the folder but has a colon is left to GDAL: NETCDF:..., /vsizip/... */
static c3d_status resolve(reader *r, const char *name, const char **out)
{
    char path[C3D_PATH_MAX];

    if (strcmp(r->folder, ".") == 0)
        (void)snprintf(path, sizeof path, "%s", name);
    else if (c3d_path_join(path, r->folder, name) != C3D_OK)
        return C3D_EDATA;
    *out = c3d_import_keep(r->list,
                           c3d_strdup(strchr(name, ':') && !c3d_path_exists(path) ? name : path));
    return *out != NULL ? C3D_OK : C3D_ENOMEM;
}

static c3d_status read_row(reader *r, size_t i, import_row *row)
{
    const char *path = field(r, i, r->at.path), *date = field(r, i, r->at.date);

    row->line = c3d_csv_line(&r->list->csv, i);
    row->path = row->label = row->scene = "";
    if (!path[0])
        mistake_in(r, i, r->at.path, "a file");
    else if (resolve(r, path, &row->path) == C3D_ENOMEM)
        return C3D_ENOMEM;
    row->label = field(r, i, r->at.label);
    row->scene = field(r, i, r->at.scene);
    if (date[0] && !c3d_import_date(date, &row->date))
        mistake_in(r, i, r->at.date, "a date such as 2020-09 or 2020-09-14");
    read_window(r, i, row);
    read_place(r, i, row);
    read_split(r, i, row);
    return read_groups(r, i, row);
}

/* ---- the list -------------------------------------------------------------------------------- */

const char *c3d_import_keep(import_list *list, char *taken)
{
    if (taken == NULL) return NULL;
    if ((list->n_texts & (list->n_texts - 1)) == 0) { /* full at powers of two */
        char **grown =
            realloc(list->texts, (list->n_texts ? 2 * list->n_texts : 1) * sizeof *grown);
        if (grown == NULL) {
            free(taken);
            (void)C3D_FAIL(C3D_ENOMEM, "no memory for %zu texts", list->n_texts);
            return NULL;
        }
        list->texts = grown;
    }
    list->texts[list->n_texts++] = taken;
    return taken;
}

static c3d_status open_match(reader *r)
{
    char why[128];
    const int failed = regcomp(&r->match, r->desc->group_match, REG_EXTENDED);

    if (failed == 0) return C3D_OK;
    (void)regerror(failed, &r->match, why, sizeof why);
    return C3D_FAIL(C3D_ECONFIG, "data.list.group_match: %s: %s", r->desc->group_match, why);
}

static c3d_status find_folder(const c3d_list_desc *desc, char out[C3D_PATH_MAX])
{
    const bool has_folder = desc->folder != NULL && desc->folder[0] != '\0';
    char own[C3D_PATH_MAX];
    char *slash;

    (void)snprintf(own, sizeof own, "%s", desc->path);
    slash = strrchr(own, '/');
    if (slash != NULL) slash[slash == own] = '\0';
    if (slash != NULL && has_folder) return c3d_path_join(out, own, desc->folder);
    (void)snprintf(out, C3D_PATH_MAX, "%s", has_folder ? desc->folder : slash != NULL ? own : ".");
    return C3D_OK;
}

static c3d_status read_rows(reader *r)
{
    import_list *list = r->list;

    for (int i = 0; i < list->csv.n_columns; i++) {
        char *name = (char *)(uintptr_t)list->csv.header[i];
        while (isspace((unsigned char)*name)) list->csv.header[i] = ++name;
        for (char *end = name + strlen(name); end > name && isspace((unsigned char)end[-1]);)
            *--end = '\0';
    }
    C3D_TRY(choose_columns(r));
    list->n = list->csv.n_rows;
    list->rows = c3d_calloc(list->n + 1, sizeof *list->rows);
    if (list->rows == NULL) return C3D_ENOMEM;
    for (size_t i = 0; i < list->n; i++) C3D_TRY(read_row(r, i, &list->rows[i]));
    return C3D_OK;
}

/* A folder has no columns: groups are in the paths, or nowhere. */
static c3d_status read_folder(reader *r)
{
    C3D_TRY(c3d_import_folder_read(r->desc->path, r->list));
    if (!has_match(r)) return C3D_OK;
    r->list->n_groups = 1;
    for (size_t i = 0; i < r->list->n; i++) {
        r->list->rows[i].groups[0] = matched(r, r->list->rows[i].path);
        if (r->list->rows[i].groups[0] == NULL) return C3D_ENOMEM;
    }
    return C3D_OK;
}

c3d_status c3d_import_list_read(const c3d_list_desc *desc, import_mistakes *mistakes,
                                import_list *out)
{
    import_list list = { .path = c3d_strdup(desc->path) };
    char folder[C3D_PATH_MAX];
    reader r = { .desc = desc, .mistakes = mistakes, .list = &list, .folder = folder };
    c3d_status st;

    if (has_match(&r)) C3D_TRY_TO(fail, open_match(&r));
    if (c3d_path_is_dir(desc->path)) {
        C3D_TRY_TO(done, read_folder(&r));
    } else {
        C3D_TRY_TO(done, find_folder(desc, folder));
        C3D_TRY_TO(done, c3d_csv_read(desc->path, &list.csv));
        C3D_TRY_TO(done, read_rows(&r));
    }
done:
    if (has_match(&r)) regfree(&r.match);
    if (st != C3D_OK) goto fail;
    if (list.n == 0) C3D_TRY_TO(fail, C3D_FAIL(C3D_EDATA, "%s: no rows", desc->path));
    *out = list;
    return C3D_OK;
fail:
    c3d_import_list_free(&list);
    return st;
}

void c3d_import_list_free(import_list *list)
{
    for (size_t i = 0; i < list->n_texts; i++) free(list->texts[i]);
    free(list->texts);
    free(list->rows);
    free(list->path);
    c3d_csv_free(&list->csv);
    *list = (import_list){ 0 };
}
