/* Labels of rows to labels of frames. */
#include "import.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct words {
    const c3d_dataset_desc *desc;
    const import_list *list;
    const char **of_row; /* [n] the class's name; "" not labelled */
    size_t n_names;
    const char **names; /* [n_names] distinct, sorted */
} words;

static bool is_number(const char *text, long long *out)
{
    return c3d_parse_int(text, out);
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool holds(const c3d_label_class *class, const char *text)
{
    long long code;

    for (int i = 0; i < class->n_texts; i++)
        if (strcmp(class->texts[i], text) == 0 || strcmp(class->texts[i], "*") == 0) return true;
    for (int r = 0; is_number(text, &code) && r < class->n_ranges; r++)
        if (code >= class->ranges[r][0] && code <= class->ranges[r][1]) return true;
    return false;
}

/* The name that data.label_classes has for a label; the label itself without such names. */
static const char *named(const c3d_dataset_desc *desc, const char *text)
{
    if (desc->n_classes == 0) return text;
    for (int c = 0; c < desc->n_classes; c++)
        if (holds(&desc->classes[c], text)) return desc->classes[c].name;
    return "other";
}

/* Numbers by value, before words by letter. */
static int by_name(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    long long i, j;
    const bool is_x = is_number(x, &i), is_y = is_number(y, &j);

    if (is_x && is_y) return (i > j) - (i < j);
    return is_x != is_y ? is_y - is_x : strcmp(x, y);
}

static c3d_status find_names(words *w)
{
    const size_t n = w->list->n;

    w->of_row = c3d_calloc(n + 1, sizeof *w->of_row);
    w->names = c3d_calloc(n + 1, sizeof *w->names);
    if (!w->of_row || !w->names) return C3D_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        w->of_row[i] = w->list->rows[i].label;
        if (!w->of_row[i][0]) continue;
        w->of_row[i] = named(w->desc, w->of_row[i]);
        w->names[w->n_names++] = w->of_row[i];
    }
    qsort(w->names, w->n_names, sizeof *w->names, by_name);
    size_t n_kept = 0;
    for (size_t i = 0; i < w->n_names; i++)
        if (i == 0 || strcmp(w->names[i], w->names[n_kept - 1]) != 0)
            w->names[n_kept++] = w->names[i];
    w->n_names = n_kept;
    return C3D_OK;
}

/* ---- classes --------------------------------------------------------------------------------- */

static bool is_negative(const char *name)
{
    static const char *const names[] = { "0",  "other",      "negative", "none",
                                         "no", "background", "false" };

    for (size_t i = 0; i < C3D_COUNT(names); i++)
        if (strcasecmp(name, names[i]) == 0) return true;
    return false;
}

static bool is_same(const char *a, const char *b)
{
    long long i, j;

    return strcmp(a, b) == 0 || (is_number(a, &i) && is_number(b, &j) && i == j);
}

static c3d_status list_names(const words *w, c3d_text *out)
{
    for (size_t i = 0; i < w->n_names && i < 12; i++)
        c3d_text_add(out, "%s%.40s", i ? ", " : "", w->names[i]);
    if (w->n_names > 12) c3d_text_add(out, ", ... (%zu)", w->n_names);
    return C3D_OK;
}

static c3d_status no_positive(const words *w, const char *why)
{
    c3d_text names = { 0 };
    c3d_status st = list_names(w, &names);

    if (st == C3D_OK)
        st = C3D_FAIL(C3D_ECONFIG, "%s: %s; labels are: %s", w->list->path, why, names.text);
    c3d_text_free(&names);
    return st;
}

/* Which names are labels of their own; the rest is negative. */
static c3d_status choose_classes(const words *w, c3d_frames *frames)
{
    const char *positive = w->desc->positive;
    bool has_positive = false;

    for (size_t i = 0; i < w->n_names; i++)
        has_positive |= positive && is_same(w->names[i], positive);
    if (positive && !has_positive && w->n_names > 0)
        return no_positive(w, "data.positive is no label of the list");
    if (positive) return C3D_OK;
    if (w->n_names == 2 && !is_negative(w->names[0]) && !is_negative(w->names[1]))
        return no_positive(w, "two labels, and data.positive does not say which is looked for");
    if (w->n_names <= 2) return C3D_OK;
    if (w->n_names > C3D_MAX_CLASSES - 1)
        return no_positive(w, "more labels than classes can be told apart");
    frames->by_class = true;
    frames->classes = c3d_calloc(w->n_names, sizeof *frames->classes);
    if (!frames->classes) return C3D_ENOMEM;
    for (size_t i = 0; i < w->n_names; i++)
        if (!is_negative(w->names[i]))
            frames->classes[frames->n_classes++] = c3d_strdup(w->names[i]);
    return C3D_OK;
}

static c3d_frame_label label_of(const words *w, const c3d_frames *frames, size_t row)
{
    const char *name = w->of_row[row];

    if (!name[0]) return C3D_FRAME_UNLABELLED;
    if (w->desc->positive)
        return is_same(name, w->desc->positive) ? C3D_FRAME_POSITIVE : C3D_FRAME_NEGATIVE;
    for (int c = 0; c < frames->n_classes; c++)
        if (strcmp(frames->classes[c], name) == 0) return c + 1;
    return frames->by_class || is_negative(name) ? C3D_FRAME_NEGATIVE : C3D_FRAME_POSITIVE;
}

/* ---- frames ---------------------------------------------------------------------------------- */

static int year_of(const import_list *list, const import_piece *piece)
{
    return list->rows[piece->row].date / 10000;
}

/* Whether a scene's label changes with its date: then labels are by year, else of the whole
 * scene. */
static bool are_yearly(const words *w, const import_scenes *scenes)
{
    for (size_t s = 0; s < scenes->n; s++)
        for (size_t i = scenes->first[s] + 1; i < scenes->first[s + 1]; i++)
            if (strcmp(w->of_row[scenes->pieces[i].row], w->of_row[scenes->pieces[i - 1].row]) != 0)
                return true;
    return false;
}

static c3d_status choose_years(const words *w, const import_scenes *scenes, c3d_frames *frames)
{
    frames->years = c3d_calloc((size_t)scenes->n_months + 1, sizeof *frames->years);
    if (!frames->years) return C3D_ENOMEM;
    if (w->n_names == 0) return C3D_OK;
    if (!are_yearly(w, scenes)) {
        frames->n_years = 1;
        return C3D_OK;
    }
    for (int i = 0; i < scenes->n_months; i++) {
        const int year = scenes->months[i] / 10000;
        if (frames->n_years == 0 || frames->years[frames->n_years - 1] != year)
            frames->years[frames->n_years++] = year;
    }
    return C3D_OK;
}

static int year_index(const c3d_frames *frames, int year)
{
    int k = 0;

    while (k < frames->n_years - 1 && frames->years[k] != year) k++;
    return k;
}

static void label_scene(const words *w, const import_scenes *scenes, size_t s,
                        import_mistakes *mistakes, c3d_frames *frames)
{
    c3d_frame_label *labels = &frames->labels[s * (size_t)frames->n_years];

    for (int k = 0; k < frames->n_years; k++) labels[k] = C3D_FRAME_UNLABELLED;
    for (size_t i = scenes->first[s]; i < scenes->first[s + 1]; i++) {
        const import_piece *piece = &scenes->pieces[i];
        const import_row *row = &w->list->rows[piece->row];
        const c3d_frame_label label = label_of(w, frames, piece->row);
        c3d_frame_label *to = &labels[year_index(frames, year_of(w->list, piece))];

        if (*to != C3D_FRAME_UNLABELLED && label != C3D_FRAME_UNLABELLED && *to != label)
            c3d_import_mistake(mistakes, row->line,
                               "label %.60s, but scene %.100s has another one in the same year",
                               row->label, row->scene);
        if (label != C3D_FRAME_UNLABELLED) *to = label;
    }
}

c3d_status c3d_import_label(const c3d_dataset_desc *desc, const import_list *list,
                            const import_scenes *scenes, import_mistakes *mistakes,
                            c3d_frames *frames)
{
    words w = { .desc = desc, .list = list };
    c3d_status st = find_names(&w);

    if (st == C3D_OK) st = choose_classes(&w, frames);
    if (st == C3D_OK) st = choose_years(&w, scenes, frames);
    if (st == C3D_OK) {
        frames->labels =
            c3d_calloc(scenes->n * (size_t)frames->n_years + 1, sizeof *frames->labels);
        if (!frames->labels) st = C3D_ENOMEM;
    }
    for (size_t s = 0; st == C3D_OK && frames->n_years > 0 && s < scenes->n; s++)
        label_scene(&w, scenes, s, mistakes, frames);
    free(w.of_row);
    free(w.names);
    return st;
}
