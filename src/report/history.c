/* What a network says of a place month by month: history-SPLIT.csv and its companions. */
#include "report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES_MAX = 40, OTHERS_MAX = 15, SAMPLES_MAX = 24, TABLE_MAX = 200 };

/* Of one run and split. */
typedef struct history {
    const report_run *run;
    const char *split;
    c3d_csv scores, places, months; /* months: occlusion-SPLIT.csv */
    bool has_months;
    enum { OF_THIS, OF_ANOTHER, OF_UNKNOWN } origin; /* the checkpoint, by the evaluation's */
    size_t *first; /* [places.n_rows + 1] of a place's rows in scores */
} history;

static const char *text_of(const c3d_csv *csv, size_t row, const char *column)
{
    const int index = c3d_csv_column(csv, column);

    return index < 0 ? "" : c3d_csv_field(csv, row, index);
}

static double real_of(const c3d_csv *csv, size_t row, const char *column)
{
    double value;

    return c3d_parse_real(text_of(csv, row, column), &value) ? value : (double)NAN;
}

/* ---- reading --------------------------------------------------------------------------------- */

static c3d_status need_columns(const c3d_csv *csv, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c3d_csv_column(csv, names[i]) < 0)
            return C3D_FAIL(C3D_EDATA, "%s: no column %s", csv->path, names[i]);
    return C3D_OK;
}

/* A place's months stand together, places in the order of detections-SPLIT.csv. */
static c3d_status join(history *h)
{
    size_t row = 0;

    h->first = c3d_calloc(h->places.n_rows + 1, sizeof *h->first);
    if (!h->first) return C3D_ENOMEM;
    for (size_t i = 0; i < h->places.n_rows; i++) {
        const char *frame = text_of(&h->places, i, "frame_id");
        while (row < h->scores.n_rows && strcmp(text_of(&h->scores, row, "frame_id"), frame) == 0)
            row++;
        h->first[i + 1] = row;
    }
    if (row == h->scores.n_rows) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s: its places are not those of %s", h->scores.path,
                    h->places.path);
}

static c3d_status read_csv(const history *h, const char *what, c3d_csv *out, bool *is_there)
{
    char path[C3D_PATH_MAX], name[64];

    (void)snprintf(name, sizeof name, "%s-%s.csv", what, h->split);
    C3D_TRY(c3d_path_join(path, h->run->path, name));
    *is_there = c3d_path_exists(path);
    return *is_there ? c3d_csv_read(path, out) : C3D_OK;
}

/* Without an evaluation there is nothing it could be taken for. */
static c3d_status find_origin(history *h, const c3d_json *evaluation)
{
    char path[C3D_PATH_MAX], name[64];
    const char *of = NULL, *evaluated = NULL;
    c3d_json *json = NULL;

    (void)c3d_json_get_string(evaluation, "checkpoint", &evaluated);
    if (!evaluated) return C3D_OK;
    (void)snprintf(name, sizeof name, "history-%s.json", h->split);
    C3D_TRY(c3d_path_join(path, h->run->path, name));
    if (c3d_path_exists(path)) C3D_TRY(c3d_json_read(path, &json));
    (void)c3d_json_get_string(json, "checkpoint", &of);
    h->origin = !of ? OF_UNKNOWN : strcmp(of, evaluated) == 0 ? OF_THIS : OF_ANOTHER;
    c3d_json_free(json);
    return C3D_OK;
}

static c3d_status read_history(history *h, bool *is_there)
{
    static const char *const of_scores[] = { "frame_id", "month", "score", "valid_share" };
    static const char *const of_places[] = { "frame_id", "label", "first_month", "lasting_month" };
    static const char *const of_months[] = { "sample_id", "frame_id", "month",
                                             "change",    "score",    "kind" };
    bool has_places;

    C3D_TRY(read_csv(h, "history", &h->scores, is_there));
    if (!*is_there) return C3D_OK;
    C3D_TRY(read_csv(h, "detections", &h->places, &has_places));
    if (!has_places)
        return C3D_FAIL(C3D_EDATA, "%s: without its detections-%s.csv", h->scores.path, h->split);
    C3D_TRY(read_csv(h, "occlusion", &h->months, &h->has_months));
    C3D_TRY(need_columns(&h->scores, of_scores, C3D_COUNT(of_scores)));
    C3D_TRY(need_columns(&h->places, of_places, C3D_COUNT(of_places)));
    if (h->has_months) C3D_TRY(need_columns(&h->months, of_months, C3D_COUNT(of_months)));
    return join(h);
}

static void free_history(history *h)
{
    c3d_csv_free(&h->scores);
    c3d_csv_free(&h->places);
    c3d_csv_free(&h->months);
    free(h->first);
}

/* ---- a grid of months ------------------------------------------------------------------------ */

typedef struct grid_row {
    char label[40];
    int framed; /* a cell with a frame; -1: none */
    int line;   /* a column with a line before it; -1: none */
} grid_row;
typedef struct grid {
    size_t n_columns, n_rows;
    const char **columns; /* [n_columns] months, ascending */
    grid_row *rows;       /* [n_rows] */
    double *values;       /* [n_rows, n_columns] -1..1; NaN: none */
    bool *is_unseen;      /* likewise: nothing was observed in the month */
} grid;

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool make_grid(const c3d_csv *csv, size_t n_rows, grid *out)
{
    grid g = { .columns = c3d_calloc(csv->n_rows + 1, sizeof *g.columns) };

    for (size_t i = 0; g.columns && i < csv->n_rows; i++) g.columns[i] = text_of(csv, i, "month");
    if (g.columns) qsort(g.columns, csv->n_rows, sizeof *g.columns, by_text);
    for (size_t i = 0; g.columns && i < csv->n_rows; i++)
        if (i == 0 || strcmp(g.columns[i], g.columns[g.n_columns - 1]) != 0)
            g.columns[g.n_columns++] = g.columns[i];
    g.rows = c3d_calloc(n_rows + 1, sizeof *g.rows);
    g.values = c3d_calloc(n_rows * g.n_columns + 1, sizeof *g.values);
    g.is_unseen = c3d_calloc(n_rows * g.n_columns + 1, sizeof *g.is_unseen);
    for (size_t i = 0; g.values && i < n_rows * g.n_columns; i++) g.values[i] = NAN;
    *out = g;
    return g.columns && g.rows && g.values && g.is_unseen;
}

static void free_grid(grid *g)
{
    free(g->columns);
    free(g->rows);
    free(g->values);
    free(g->is_unseen);
}

static int column_of(const grid *g, const char *month)
{
    for (size_t c = 0; c < g->n_columns; c++)
        if (strcmp(g->columns[c], month) == 0) return (int)c;
    return -1;
}

static void put_value(grid *g, const char *month, double value, double valid_share)
{
    const size_t at = (g->n_rows - 1) * g->n_columns + (size_t)column_of(g, month);

    g->values[at] = value;
    g->is_unseen[at] = valid_share <= 0;
}

enum { CELL = 12, SIDE = 11, LABEL = 108, LEVELS = 10 };

static int level_of(double value)
{
    return isfinite(value) ? (int)ceil(fmin(fabs(value), 1) * LEVELS - 1e-9) : 0;
}

/* Cells of one colour and depth as one path. */
static void add_cells(const grid *g, bool is_negative, int level, c3d_text *out)
{
    bool is_begun = false;

    for (size_t r = 0; r < g->n_rows; r++)
        for (size_t c = 0; c < g->n_columns; c++) {
            const double value = g->values[r * g->n_columns + c];
            if (level_of(value) != level || (level > 0 && (value < 0) != is_negative)) continue;
            if (level == 0 && !isfinite(value)) continue;
            if (!is_begun && level > 0)
                c3d_text_add(out, "<path fill=\"%s\" fill-opacity=\"%.2f\" d=\"",
                             report_color(is_negative ? 0 : 1), 0.2 + 0.8 * level / LEVELS);
            if (!is_begun && level == 0)
                c3d_text_add(out, "<path style=\"fill:var(--line)\" fill-opacity=\".45\" d=\"");
            is_begun = true;
            c3d_text_add(out, "M%d %dh%dv%dh-%dz", LABEL + (int)c * CELL, (int)r * CELL, SIDE, SIDE,
                         SIDE);
        }
    if (is_begun) c3d_text_add(out, "\"/>\n");
}

static void add_signs(const grid *g, c3d_text *out)
{
    for (size_t r = 0; r < g->n_rows; r++) {
        const grid_row *row = &g->rows[r];
        const int y = (int)r * CELL;
        for (size_t c = 0; c < g->n_columns; c++)
            if (g->is_unseen[r * g->n_columns + c])
                c3d_text_add(out, "<path style=\"stroke:var(--soft)\" d=\"M%d %dh5\"/>",
                             LABEL + (int)c * CELL + 3, y + 6);
        if (row->framed >= 0)
            c3d_text_add(
                out, "<path fill=none style=\"stroke:var(--ink)\" d=\"M%d.5 %d.5h%dv%dh-%dz\"/>",
                LABEL + row->framed * CELL, y, SIDE - 1, SIDE - 1, SIDE - 1);
        if (row->line >= 0)
            c3d_text_add(out,
                         "<path style=\"stroke:var(--ink)\" stroke-width=2 d=\"M%d.5 %dv%d\"/>",
                         LABEL + row->line * CELL - 1, y - 1, CELL);
        c3d_text_add(out, "<text fill=black font-size=10 x=%d y=%d text-anchor=end>", LABEL - 5,
                     y + 10);
        c3d_text_add_html(out, row->label);
        c3d_text_add(out, "</text>\n");
    }
}

/* Years under their first months, where the next one leaves room. */
static void add_years(const grid *g, c3d_text *out)
{
    const int y = (int)g->n_rows * CELL + 12;

    for (size_t c = 0; c < g->n_columns; c++) {
        size_t end = c + 1;
        if (c > 0 && strncmp(g->columns[c], g->columns[c - 1], 4) == 0) continue;
        while (end < g->n_columns && strncmp(g->columns[c], g->columns[end], 4) == 0) end++;
        if (end == g->n_columns || end - c > 2)
            c3d_text_add(out, "<text fill=black font-size=10 x=%d y=%d>%.4s</text>",
                         LABEL + (int)c * CELL, y, g->columns[c]);
    }
}

static void add_grid(const grid *g, const char *title, const char *alt, c3d_text *out)
{
    const int columns = g->n_columns > 3 ? (int)g->n_columns : 3; /* room for a year */
    const int width = LABEL + columns * CELL, height = (int)g->n_rows * CELL + 16;

    c3d_text_add(out, "<figure class=plot style=\"max-width:none\"><figcaption>");
    c3d_text_add_html(out, title);
    c3d_text_add(
        out,
        "</figcaption><div class=wide><svg role=img viewBox=\"0 -2 %d %d\" style=\"width:%dpx\" "
        "aria-label=\"",
        width, height + 2, width * 9 / 8);
    c3d_text_add_html(out, alt);
    c3d_text_add(out, "\">\n");
    for (int level = 0; level <= LEVELS; level++) {
        add_cells(g, false, level, out);
        if (level > 0) add_cells(g, true, level, out);
    }
    add_signs(g, out);
    add_years(g, out);
    c3d_text_add(out, "</svg></div></figure>\n");
}

/* ---- scores of places ------------------------------------------------------------------------ */

/* A place of detections-SPLIT.csv, in the order that it is drawn in. */
typedef struct order {
    size_t row;
    bool is_positive;
    const char *since; /* the month that its lasting detection began, or else the first; "" */
    double highest;
} order;

static int by_since(const void *a, const void *b)
{
    const order *x = a, *y = b;

    if (x->is_positive != y->is_positive) return x->is_positive ? -1 : 1;
    if (!*x->since != !*y->since) return *x->since ? -1 : 1;
    const int difference = strcmp(x->since, y->since);
    if (difference != 0) return difference;
    if (x->highest < y->highest || x->highest > y->highest) return x->highest > y->highest ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* By the list's samples, or by any label year. */
static bool is_positive(const history *h, size_t place)
{
    return real_of(&h->places, place, "label") > 0 ||
           *text_of(&h->places, place, "first_label_year") != '\0';
}

/* Positive places by the month they were found in, then the others; how many are drawn. */
static size_t choose_places(const history *h, order *all)
{
    size_t n_positive = 0, n_others = 0, n = 0;

    for (size_t i = 0; i < h->places.n_rows; i++) {
        const char *lasting = text_of(&h->places, i, "lasting_month");
        all[i] = (order){ i, is_positive(h, i),
                          *lasting ? lasting : text_of(&h->places, i, "first_month"), 0 };
        for (size_t r = h->first[i]; r < h->first[i + 1]; r++)
            all[i].highest = fmax(all[i].highest, real_of(&h->scores, r, "score"));
    }
    qsort(all, h->places.n_rows, sizeof *all, by_since);
    for (size_t i = 0; i < h->places.n_rows; i++) {
        size_t *count = all[i].is_positive ? &n_positive : &n_others;
        if (++*count <= (all[i].is_positive ? (size_t)PLACES_MAX : (size_t)OTHERS_MAX))
            all[n++] = all[i];
    }
    return n;
}

static void fill_place(const history *h, const order *of, grid *g)
{
    const char *year = text_of(&h->places, of->row, "first_label_year");
    char january[16];
    grid_row *row = &g->rows[g->n_rows++];

    (void)snprintf(row->label, sizeof row->label, "%s frame %.20s", of->is_positive ? "+" : "-",
                   text_of(&h->places, of->row, "frame_id"));
    row->framed = column_of(g, text_of(&h->places, of->row, "lasting_month"));
    (void)snprintf(january, sizeof january, "%.8s-01", year);
    row->line = *year ? column_of(g, january) : -1;
    for (size_t r = h->first[of->row]; r < h->first[of->row + 1]; r++)
        put_value(g, text_of(&h->scores, r, "month"), real_of(&h->scores, r, "score"),
                  real_of(&h->scores, r, "valid_share"));
}

static void add_places(const history *h, c3d_text *out)
{
    order *all = c3d_calloc(h->places.n_rows + 1, sizeof *all);
    const size_t n = all ? choose_places(h, all) : 0;
    grid g = { 0 };

    if (all && make_grid(&h->scores, n, &g)) {
        for (size_t i = 0; i < n; i++) fill_place(h, &all[i], &g);
        add_grid(
            &g, "Score of each place by month",
            "Heat map: a row a place, a column a month, deeper colour a higher score; the same "
            "figures are in history and detections, the files it is drawn from.",
            out);
        c3d_text_add(out,
                     "<p class=note>%zu of %zu places: those with a positive label (+) first, by "
                     "the month they were found in. Deeper colour: higher score (full at 1). A "
                     "frame: the first month of a lasting detection. A bar: January of the first "
                     "positive label year. A dash: nothing was observed in that month.</p>\n",
                     n, h->places.n_rows);
    }
    free_grid(&g);
    free(all);
}

/* ---- months that decided --------------------------------------------------------------------- */

static size_t end_of_sample(const c3d_csv *months, size_t row)
{
    size_t end = row + 1;

    while (end < months->n_rows &&
           strcmp(text_of(months, end, "sample_id"), text_of(months, row, "sample_id")) == 0)
        end++;
    return end;
}

/* Rows that no month changes by more stay pale. */
#define SCALE_LEAST 0.1

/* Files of before have no log-odds. */
static const char *change_of(const c3d_csv *months)
{
    return c3d_csv_column(months, "change_logit") < 0 ? "change" : "change_logit";
}

static double scale_of(const c3d_csv *months, size_t begin, size_t end)
{
    double largest = SCALE_LEAST;

    for (size_t i = begin; i < end; i++)
        largest = fmax(largest, fabs(real_of(months, i, change_of(months))));
    return largest;
}

/* The change of full colour, given, is the sample's own: some scores are far surer than others. */
static double fill_sample(const c3d_csv *months, size_t begin, grid *g)
{
    const size_t end = end_of_sample(months, begin);
    const double scale = scale_of(months, begin, end);
    grid_row *row = &g->rows[g->n_rows++];
    const char *kind = text_of(months, begin, "kind");
    double lowest = 0;

    (void)snprintf(row->label, sizeof row->label, "%.5s%s %.12s: %.2f", kind,
                   strlen(kind) > 5 ? "." : "", text_of(months, begin, "frame_id"),
                   real_of(months, begin, "score"));
    row->framed = row->line = -1;
    for (size_t i = begin; i < end; i++) {
        const double change = real_of(months, i, change_of(months));
        const char *month = text_of(months, i, "month");
        /* what speaks for the class is drawn in the colour of high scores */
        put_value(g, month, -change / scale, real_of(months, i, "valid_share"));
        if (change >= lowest) continue;
        lowest = change;
        row->framed = column_of(g, month);
    }
    return scale;
}

static void add_months(const history *h, c3d_text *out)
{
    const bool has_logits = strcmp(change_of(&h->months), "change_logit") == 0;
    double least = INFINITY, most = 0;
    size_t n_samples = 0;
    grid g = { 0 };

    if (make_grid(&h->months, SAMPLES_MAX, &g)) {
        for (size_t i = 0; i < h->months.n_rows; i = end_of_sample(&h->months, i), n_samples++) {
            if (n_samples >= SAMPLES_MAX) continue;
            const double scale = fill_sample(&h->months, i, &g);
            least = fmin(least, scale);
            most = fmax(most, scale);
        }
        add_grid(&g, "Months that decided",
                 "Strips: a row a sample, a column a month, coloured by how its score changes "
                 "without the month; the same figures are in the occlusion file.",
                 out);
        c3d_text_add(out,
                     "<p class=note>%zu of %zu samples, each scored again without one month after "
                     "the other, as if it had not been observed (kind, frame: score with all "
                     "months). Colours are of the change of the %s. <span "
                     "style=\"color:%s\">\u25a0</span> it falls without the month, which spoke for "
                     "the class; <span style=\"color:%s\">\u25a0</span> it rises. Each row has its "
                     "own scale: full colour is its largest change, or %g where all are smaller "
                     "(from %.3g to %.3g in these rows). A frame: the month whose loss costs "
                     "most.</p>\n",
                     g.n_rows, n_samples,
                     has_logits ? "log-odds, log(score / (1 - score)), which goes on where scores "
                                  "round to 0 or 1"
                                : "score, as the file has none of the log-odds",
                     report_color(1), report_color(0), SCALE_LEAST, least, most);
    }
    free_grid(&g);
}

/* ---- figures --------------------------------------------------------------------------------- */

static void add_table(const history *h, c3d_text *out)
{
    const c3d_csv *csv = &h->places;
    c3d_text head = { 0 };

    for (int c = 0; c < csv->n_columns; c++) {
        c3d_text_add(&head, "<th scope=col>");
        c3d_text_add_html(&head, csv->header[c]);
        c3d_text_add(&head, "</th>");
    }
    c3d_text_add(out, "<details><summary>detections of ");
    c3d_text_add_html(out, h->run->label);
    c3d_text_add(out, " by place</summary>");
    report_begin_table(out, "detections", head.text);
    for (size_t row = 0; row < csv->n_rows && row < TABLE_MAX; row++) {
        c3d_text_add(out, "<tr>");
        for (int c = 0; c < csv->n_columns; c++) {
            c3d_text_add(out, "<td class=num>");
            c3d_text_add_html(out, c3d_csv_field(csv, row, c));
            c3d_text_add(out, "</td>");
        }
        c3d_text_add(out, "</tr>\n");
    }
    report_end_table(out);
    if (csv->n_rows > TABLE_MAX)
        c3d_text_add(out, "<p class=note>The first %d of %zu places; all are in the file.</p>",
                     TABLE_MAX, csv->n_rows);
    c3d_text_add(out, "</details>\n");
    c3d_text_free(&head);
}

static int by_real(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* How long after January of their first positive year lasting detections began. One that was there
 * in the first month scored may have begun before: it has no such figure. */
static void add_lags(const history *h, double *lags, c3d_text *out)
{
    size_t n_from_start = 0, n = 0;

    for (size_t i = 0; i < h->places.n_rows; i++) {
        const double lag = real_of(&h->places, i, "lasting_lag");
        if (!isfinite(lag)) continue;
        if (real_of(&h->places, i, "from_start") > 0 &&
            strcmp(text_of(&h->places, i, "first_month"),
                   text_of(&h->places, i, "lasting_month")) == 0)
            n_from_start++;
        else
            lags[n++] = lag;
    }
    if (n == 0) return;
    qsort(lags, n, sizeof *lags, by_real);
    c3d_text_add(out,
                 " Where the labels say since which year, it began a median of %g months after "
                 "January of that year (%g to %g), of %zu place%s whose beginning is in the series",
                 lags[(n - 1) / 2], lags[0], lags[n - 1], n, n == 1 ? "" : "s");
    if (n_from_start > 0)
        c3d_text_add(
            out, "; %zu more %s so from the first scored month on, so they began then or before",
            n_from_start, n_from_start == 1 ? "was" : "were");
    c3d_text_add(out, ".");
}

/* How many were found, and how long before or after the labels. */
static void add_counts(const history *h, c3d_text *out)
{
    size_t n[2] = { 0 }, n_found[2] = { 0 };
    double *lags = c3d_calloc(h->places.n_rows + 1, sizeof *lags);

    if (!lags) return;
    for (size_t i = 0; i < h->places.n_rows; i++) {
        const int positive = is_positive(h, i);
        n[positive]++;
        n_found[positive] += *text_of(&h->places, i, "lasting_month") != '\0';
    }
    c3d_text_add(out,
                 "<p>A lasting detection in %zu of %zu places with a positive label and in %zu of "
                 "%zu others.",
                 n_found[1], n[1], n_found[0], n[0]);
    add_lags(h, lags, out);
    c3d_text_add(out, "</p>\n");
    free(lags);
}

static void warn_of_origin(report_page *page, const history *h, const char *what)
{
    c3d_text text = { 0 };

    c3d_text_add(&text, "%s: history-%s.csv %s; c3d-evaluate --history writes it again.",
                 h->run->label, h->split, what);
    report_add_warning(&page->text, text.text);
    c3d_text_free(&text);
}

static void add_history(report_page *page, const history *h)
{
    c3d_text_add(&page->text, "<h3 class=split>");
    c3d_text_add_html(&page->text, h->run->label);
    c3d_text_add(&page->text, ", %s</h3>\n", h->split);
    if (h->origin == OF_UNKNOWN)
        warn_of_origin(page, h,
                       "does not say of which checkpoint it is: the scores above may be "
                       "of another one");
    add_counts(h, &page->text);
    c3d_text_add(&page->text, "<div class=beside><div>\n");
    add_places(h, &page->text);
    c3d_text_add(&page->text, "</div><div>\n");
    if (h->has_months && h->months.n_rows > 0) add_months(h, &page->text);
    c3d_text_add(&page->text, "</div></div>\n");
    add_table(h, &page->text);
}

/* The first split that has a history. */
static void add_run(report_page *page, const report_run *run, bool *is_begun)
{
    for (int s = 0; s < REPORT_SPLITS; s++) {
        history h = { .run = run, .split = report_split_names[s] };
        bool is_there = false;
        c3d_status st = read_history(&h, &is_there);
        if (is_there && st == C3D_OK) st = find_origin(&h, run->evaluations[s]);
        if (is_there && !*is_begun) report_begin_section(page, "history", "Progress in time");
        *is_begun |= is_there;
        if (is_there && st == C3D_OK && h.origin == OF_ANOTHER)
            warn_of_origin(page, &h,
                           "is of another checkpoint than the scores above and is not "
                           "shown");
        else if (is_there && st == C3D_OK)
            add_history(page, &h);
        else if (is_there)
            report_add_warning(&page->text, c3d_error_last()->message);
        free_history(&h);
        if (is_there) return;
    }
}

void report_add_history(report_page *page)
{
    bool is_begun = false;

    for (int i = 0; i < page->n_runs; i++) add_run(page, &page->runs[i], &is_begun);
    if (is_begun) report_end_section(page);
}
