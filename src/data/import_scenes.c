/* Rows to scenes and months. */
#include "import.h"

#include <stdlib.h>
#include <string.h>

/* ---- numbers of texts ------------------------------------------------------------------------ */

typedef struct named {
    const char *text;
    size_t row;
} named;

static int by_text(const void *a, const void *b)
{
    const named *x = a, *y = b;
    const int order = strcmp(x->text, y->text);

    return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

c3d_status c3d_import_number(const char *const *texts, size_t n, size_t *numbers_out, size_t *n_out)
{
    named *order = c3d_calloc(n + 1, sizeof *order);
    size_t *first = c3d_calloc(n + 1, sizeof *first); /* row that has the text first */
    size_t n_numbers = 0;

    if (!order || !first) {
        free(order);
        free(first);
        return C3D_ENOMEM;
    }
    for (size_t i = 0; i < n; i++) order[i] = (named){ texts[i], i };
    qsort(order, n, sizeof *order, by_text);
    for (size_t i = 0; i < n; i++) {
        const bool is_same =
            i > 0 && order[i].text[0] && strcmp(order[i].text, order[i - 1].text) == 0;
        first[order[i].row] = is_same ? first[order[i - 1].row] : order[i].row;
    }
    for (size_t i = 0; i < n; i++)
        numbers_out[i] = first[i] == i ? n_numbers++ : numbers_out[first[i]];
    free(order);
    free(first);
    *n_out = n_numbers;
    return C3D_OK;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

/* Numbers of files under whatever names, from those of their n names; absent ones are told later.
 */
static c3d_status unite_names(const import_scenes *scenes, size_t n, size_t *numbers, size_t *n_out)
{
    const char **real = c3d_calloc(n + 1, sizeof *real);
    c3d_status st = real ? C3D_OK : C3D_ENOMEM;

    for (size_t i = 0; real && i < n; i++) {
        real[i] = realpath(scenes->sources[i], NULL);
        if (!real[i]) real[i] = c3d_strdup(scenes->sources[i]);
    }
    if (st == C3D_OK) st = c3d_import_number(real, n, numbers, n_out);
    for (size_t i = 0; real && i < n; i++) free((void *)(uintptr_t)real[i]);
    free(real);
    return st;
}

static c3d_status number_rows(const import_list *list, bool of_path, size_t *numbers, size_t *n_out)
{
    const char **texts = c3d_calloc(list->n + 1, sizeof *texts);
    c3d_status st;

    if (!texts) return C3D_ENOMEM;
    for (size_t i = 0; i < list->n; i++)
        texts[i] = of_path ? list->rows[i].path : list->rows[i].scene;
    st = c3d_import_number(texts, list->n, numbers, n_out);
    free(texts);
    return st;
}

static c3d_status name_sources(const import_list *list, const size_t *numbers, size_t n,
                               import_scenes *out)
{
    if (n > INT32_MAX) return C3D_FAIL(C3D_EDATA, "%s: %zu files", list->path, n);
    out->sources = c3d_calloc(n + 1, sizeof *out->sources);
    if (!out->sources) return C3D_ENOMEM;
    out->n_sources = (int)n;
    for (size_t i = list->n; i-- > 0;) out->sources[numbers[i]] = list->rows[i].path;
    return C3D_OK;
}

static c3d_status number_files(const import_list *list, size_t *source_of, import_scenes *out)
{
    size_t n_names = 0, n_files = 0;
    size_t *file_of = NULL;
    c3d_status st;

    C3D_TRY(number_rows(list, true, source_of, &n_names));
    C3D_TRY(name_sources(list, source_of, n_names, out));
    file_of = c3d_calloc(n_names + 1, sizeof *file_of);
    st = file_of ? unite_names(out, n_names, file_of, &n_files) : C3D_ENOMEM;
    for (size_t i = 0; st == C3D_OK && i < list->n; i++) source_of[i] = file_of[source_of[i]];
    free(file_of);
    free(out->sources);
    out->sources = NULL;
    return st == C3D_OK ? name_sources(list, source_of, n_files, out) : st;
}

static c3d_status make_pieces(const import_list *list, const size_t *scene_of,
                              const size_t *source_of, import_scenes *out)
{
    size_t *next;

    out->first = c3d_calloc(out->n + 1, sizeof *out->first);
    out->pieces = c3d_calloc(list->n + 1, sizeof *out->pieces);
    next = c3d_calloc(out->n + 1, sizeof *next);
    if (!out->first || !out->pieces || !next) {
        free(next);
        return C3D_ENOMEM;
    }
    for (size_t i = 0; i < list->n; i++) out->first[scene_of[i] + 1]++;
    for (size_t s = 0; s < out->n; s++) out->first[s + 1] += out->first[s];
    memcpy(next, out->first, out->n * sizeof *next);
    for (size_t i = 0; i < list->n; i++)
        out->pieces[next[scene_of[i]]++] =
            (import_piece){ .scene = scene_of[i], .row = i, .source = 1 + (int)source_of[i] };
    out->n_pieces = list->n;
    free(next);
    return C3D_OK;
}

static c3d_status group_rows(const import_list *list, import_scenes *out)
{
    size_t *scene_of = c3d_calloc(list->n + 1, sizeof *scene_of);
    size_t *source_of = c3d_calloc(list->n + 1, sizeof *source_of);
    c3d_status st = scene_of && source_of ? C3D_OK : C3D_ENOMEM;

    if (st == C3D_OK) st = number_rows(list, false, scene_of, &out->n);
    if (st == C3D_OK) st = number_files(list, source_of, out);
    if (st == C3D_OK) st = make_pieces(list, scene_of, source_of, out);
    free(scene_of);
    free(source_of);
    return st;
}

/* ---- months ---------------------------------------------------------------------------------- */

typedef struct dated {
    c3d_date date;
    import_piece piece;
} dated;

static int by_date(const void *a, const void *b)
{
    const dated *x = a, *y = b;

    if (x->date != y->date) return x->date < y->date ? -1 : 1;
    return (x->piece.row > y->piece.row) - (x->piece.row < y->piece.row);
}

/* A scene's pieces in the order of their dates, each date once. */
static c3d_status sort_scene(const import_list *list, import_piece *pieces, size_t n,
                             import_mistakes *mistakes)
{
    dated *order = c3d_calloc(n, sizeof *order);

    if (!order) return C3D_ENOMEM;
    for (size_t i = 0; i < n; i++) order[i] = (dated){ list->rows[pieces[i].row].date, pieces[i] };
    qsort(order, n, sizeof *order, by_date);
    for (size_t i = 0; i < n; i++) {
        const import_row *row = &list->rows[order[i].piece.row];
        char text[12];

        pieces[i] = order[i].piece;
        if (row->date == 0)
            c3d_import_mistake(mistakes, row->line,
                               "no date, but scene %.100s has %zu rows: a scene has one row a date",
                               row->scene, n);
        else if (i > 0 && order[i].date == order[i - 1].date)
            c3d_import_mistake(mistakes, row->line, "scene %.100s has %s already, in line %zu",
                               row->scene, c3d_date_text(row->date, text),
                               list->rows[order[i - 1].piece.row].line);
    }
    free(order);
    return C3D_OK;
}

static int compare_dates(const void *a, const void *b)
{
    const c3d_date x = *(const c3d_date *)a, y = *(const c3d_date *)b;

    return (x > y) - (x < y);
}

/* All dates of the list, ascending. */
static c3d_status common_months(const import_list *list, import_scenes *scenes)
{
    c3d_date *dates = c3d_calloc(list->n + 1, sizeof *dates);
    size_t n = 0;

    if (!dates) return C3D_ENOMEM;
    for (size_t i = 0; i < list->n; i++) dates[i] = list->rows[i].date;
    qsort(dates, list->n, sizeof *dates, compare_dates);
    for (size_t i = 0; i < list->n; i++)
        if (n == 0 || dates[i] != dates[n - 1]) dates[n++] = dates[i];
    scenes->months = dates;
    scenes->n_months = (int)n;
    for (size_t i = 0; i < scenes->n_pieces; i++) {
        const c3d_date *found = bsearch(&list->rows[scenes->pieces[i].row].date, dates, n,
                                        sizeof *dates, compare_dates);
        scenes->pieces[i].month = (int)(found - dates);
    }
    return C3D_OK;
}

/* A number as a date, for scenes whose i-th dates differ: months of the year 1, 2, ... */
static c3d_date numbered(int i)
{
    return (1 + i / 12) * 10000 + (1 + i % 12) * 100;
}

static c3d_status own_months(import_scenes *scenes)
{
    size_t longest = 1;

    for (size_t s = 0; s < scenes->n; s++) {
        const size_t n = scenes->first[s + 1] - scenes->first[s];
        if (n > longest) longest = n;
        for (size_t i = 0; i < n; i++) scenes->pieces[scenes->first[s] + i].month = (int)i;
    }
    scenes->months = c3d_calloc(longest, sizeof *scenes->months);
    if (!scenes->months) return C3D_ENOMEM;
    scenes->n_months = (int)longest;
    for (int i = 0; i < scenes->n_months; i++) scenes->months[i] = numbered(i);
    return C3D_OK;
}

static bool are_own(c3d_list_dates wanted, const import_list *list, const import_scenes *scenes)
{
    bool has_none = false, is_one = true;

    for (size_t i = 0; i < list->n; i++) {
        has_none |= list->rows[i].date == 0;
        is_one &= list->rows[i].date == list->rows[0].date;
    }
    if (has_none || wanted == C3D_LIST_DATES_OWN) return true;
    return wanted == C3D_LIST_DATES_AUTO && scenes->n == list->n && !is_one;
}

static c3d_status find_months(const c3d_dataset_desc *desc, const import_list *list,
                              import_mistakes *mistakes, import_scenes *scenes)
{
    for (size_t s = 0; s < scenes->n; s++) {
        const size_t n = scenes->first[s + 1] - scenes->first[s];
        if (n < 2) continue;
        C3D_TRY(sort_scene(list, scenes->pieces + scenes->first[s], n, mistakes));
    }
    if (desc->list->dates == C3D_LIST_DATES_COMMON)
        for (size_t i = 0; i < list->n; i++)
            if (list->rows[i].date == 0)
                c3d_import_mistake(mistakes, list->rows[i].line,
                                   "no date, but data.list.dates is common");
    return are_own(desc->list->dates, list, scenes) ? own_months(scenes)
                                                    : common_months(list, scenes);
}

/* Of files that hold all dates: one row a scene, and the months are the files'. */
static void check_stacks(const import_list *list, import_scenes *scenes, import_mistakes *mistakes)
{
    for (size_t s = 0; s < scenes->n; s++)
        if (scenes->first[s + 1] - scenes->first[s] > 1)
            c3d_import_mistake(mistakes, list->rows[scenes->pieces[scenes->first[s] + 1].row].line,
                               "a second row of scene %.100s, but data.list.stack says that a file "
                               "holds all its dates",
                               list->rows[scenes->pieces[scenes->first[s]].row].scene);
    for (size_t i = 0; i < scenes->n_pieces; i++) scenes->pieces[i].month = -1;
    for (int i = 0; i < scenes->n_months; i++)
        if (scenes->months[i] == 0) scenes->months[i] = numbered(i);
}

c3d_status c3d_import_scenes_find(const c3d_dataset_desc *desc, const import_list *list,
                                  import_mistakes *mistakes, import_scenes *out)
{
    import_scenes scenes = { 0 };
    c3d_status st;

    C3D_TRY_TO(done, group_rows(list, &scenes));
    if (desc->list->stack == C3D_STACK_NONE)
        C3D_TRY_TO(done, find_months(desc, list, mistakes, &scenes));
    C3D_TRY_TO(done, c3d_import_files_look(desc, list, mistakes, &scenes));
    if (desc->list->stack != C3D_STACK_NONE) check_stacks(list, &scenes, mistakes);
    *out = scenes;
done:
    if (st != C3D_OK) c3d_import_scenes_free(&scenes);
    return st;
}

void c3d_import_scenes_free(import_scenes *scenes)
{
    free(scenes->first);
    free(scenes->pieces);
    free(scenes->sources);
    free(scenes->months);
    free(scenes->bands);
    free(scenes->lon);
    free(scenes->lat);
    *scenes = (import_scenes){ 0 };
}
