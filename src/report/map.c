/* Where the frames of each split lie, by label. */
#include "report/report.h"

#include "c3d/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 600, CELLS = 150, FRAMES_MAX = 6000, POINT = 4, N_KINDS = 3, N_PLACES = 4 };
enum { KIND_POSITIVE, KIND_NEGATIVE, KIND_OTHER };

/* A place of the map in its units, y down. */
typedef struct spot {
    double x, y, size;
    int split, kind;
} spot;

typedef struct map {
    c3d_frames frames;
    spot *spots;
    size_t n;         /* of spots */
    size_t n_placed;  /* frames with a place */
    bool has_degrees; /* x and y are longitude and latitude, not a grid's pixels */
    double width, height;
    double unit_m; /* metres of a unit; 0: not known */
    size_t counts[N_PLACES][N_KINDS];
} map;

static const char *const kind_names[N_KINDS] = { "positive", "negative",
                                                 "uncertain or unlabelled" };

/* Positive in any label year; negative in any, if in none uncertain. */
static int kind_of(const c3d_frames *frames, size_t i)
{
    bool is_negative = false, is_other = false;

    for (int k = 0; k < frames->n_years; k++) {
        const c3d_frame_label label = frames->labels[i * (size_t)frames->n_years + (size_t)k];
        if (label > 0) return KIND_POSITIVE;
        is_negative = is_negative || label == C3D_FRAME_NEGATIVE;
        is_other = is_other || label == C3D_FRAME_UNCERTAIN;
    }
    return is_negative && !is_other ? KIND_NEGATIVE : KIND_OTHER;
}

/* As the run saw it: of fold k test, of the next one validation. */
static int split_of(const c3d_frame *frame, int fold, int n_folds)
{
    if (fold < 0 || n_folds < 3) return (int)frame->split;
    if (frame->split == C3D_SPLIT_NONE || frame->fold < 0) return C3D_SPLIT_NONE;
    if (frame->fold == fold) return C3D_SPLIT_TEST;
    return frame->fold == (fold + 1) % n_folds ? C3D_SPLIT_VALIDATION : C3D_SPLIT_TRAIN;
}

/* ---- places ---------------------------------------------------------------------------------- */

static bool has_place(const map *of, const c3d_frame *frame)
{
    return !of->has_degrees || (isfinite(frame->lon) && isfinite(frame->lat));
}

static void find_spots(map *of, const report_run *run)
{
    const int fold = (int)report_run_int(run, "data.fold", -1);
    const int n_folds = (int)report_run_int(run, "data.folds", 0);
    double lat = 0;

    of->has_degrees = of->frames.n > 0 && of->frames.rows[0].source > 0;
    for (size_t i = 0; i < of->frames.n; i++) {
        const c3d_frame *frame = &of->frames.rows[i];
        if (!has_place(of, frame)) continue;
        spot *at = &of->spots[of->n++];
        *at = (spot){ .x = of->has_degrees ? frame->lon : frame->x,
                      .y = of->has_degrees ? -frame->lat : frame->y,
                      .size = of->has_degrees ? 0 : of->frames.size_px,
                      .split = split_of(frame, fold, n_folds),
                      .kind = kind_of(&of->frames, i) };
        of->counts[at->split][at->kind]++;
        lat += frame->lat;
    }
    /* degrees of longitude are shorter than those of latitude */
    for (size_t i = 0; of->has_degrees && i < of->n; i++)
        of->spots[i].x *= cos(lat / (double)of->n * 3.14159265358979 / 180);
}

/* To 0..width and 0..height, the longer SIDE. */
static void scale(map *of)
{
    double low[2] = { INFINITY, INFINITY }, high[2] = { -INFINITY, -INFINITY };

    for (size_t i = 0; i < of->n; i++) {
        const spot *at = &of->spots[i];
        low[0] = fmin(low[0], at->x);
        low[1] = fmin(low[1], at->y);
        high[0] = fmax(high[0], at->x + at->size);
        high[1] = fmax(high[1], at->y + at->size);
    }
    const double extent = fmax(high[0] - low[0], high[1] - low[1]);
    const double by = extent > 0 ? (SIDE - (of->has_degrees ? POINT : 0)) / extent : 1;
    for (size_t i = 0; i < of->n; i++) {
        spot *at = &of->spots[i];
        at->x = (at->x - low[0]) * by;
        at->y = (at->y - low[1]) * by;
        at->size = of->has_degrees ? POINT : at->size * by;
        of->width = fmax(of->width, at->x + at->size);
        of->height = fmax(of->height, at->y + at->size);
    }
    of->unit_m = of->has_degrees ? 111195 / by : of->unit_m / by;
}

static int by_place(const void *a, const void *b)
{
    const spot *p = a, *q = b;

    if (p->y != q->y) return p->y < q->y ? -1 : 1;
    return (p->x > q->x) - (p->x < q->x);
}

/* More frames than can be told apart: of each cell the commonest split, positive when any of its
 * frames is. */
static c3d_status thin(map *of)
{
    const double cell = (double)SIDE / CELLS;
    const size_t n_kinds = (size_t)N_PLACES * N_KINDS, n_cells = (size_t)CELLS * CELLS;
    uint32_t *counts = c3d_calloc(n_cells * n_kinds, sizeof *counts);

    if (!counts) return C3D_ENOMEM;
    for (size_t i = 0; i < of->n; i++) {
        const spot *at = &of->spots[i];
        const size_t x = (size_t)fmin((at->x + at->size / 2) / cell, CELLS - 1);
        const size_t y = (size_t)fmin((at->y + at->size / 2) / cell, CELLS - 1);
        counts[(y * CELLS + x) * n_kinds + (size_t)(at->split * N_KINDS + at->kind)]++;
    }
    of->n = 0;
    for (size_t c = 0; c < n_cells; c++) {
        const uint32_t *in = counts + c * n_kinds;
        uint32_t most = 0;
        spot *at = &of->spots[of->n];
        for (int s = 0; s < N_PLACES; s++) {
            const uint32_t *of_split = in + s * N_KINDS,
                           n = of_split[0] + of_split[1] + of_split[2];
            if (n <= most) continue;
            most = n;
            at->split = s;
            at->kind = of_split[0] ? KIND_POSITIVE : of_split[1] ? KIND_NEGATIVE : KIND_OTHER;
        }
        if (most == 0) continue;
        at->x = (double)(c % CELLS) * cell;
        at->y = (double)(c / CELLS) * cell;
        at->size = cell;
        of->n++;
    }
    free(counts);
    return C3D_OK;
}

/* ---- drawing --------------------------------------------------------------------------------- */

/* Squares of a kind as one path. */
static void add_path(const map *of, int split, int kind, c3d_text *out)
{
    bool is_begun = false;

    for (size_t i = 0; i < of->n; i++) {
        const spot *at = &of->spots[i];
        if (at->split != split || at->kind != kind) continue;
        if (!is_begun)
            c3d_text_add(out, "<path class=\"at-%s is-%d\" d=\"", c3d_split_name((c3d_split)split),
                         kind);
        is_begun = true;
        /* a hair of space between neighbours */
        const double side = at->size * 0.94;
        c3d_text_add(out, "M%.1f %.1fh%.1fv%.1fh-%.1fz", at->x, at->y, side, side, side);
    }
    if (is_begun) c3d_text_add(out, "\"/>\n");
}

static void add_scale(const map *of, c3d_text *out)
{
    double metres = 1;

    if (!(of->unit_m > 0)) return;
    while (metres * 10 < of->unit_m * of->width / 2) metres *= 10;
    if (metres * 5 < of->unit_m * of->width / 2) metres *= 5;
    const double length = metres / of->unit_m, y = of->height + 14;
    c3d_text_add(out,
                 "<path class=scale d=\"M0 %.1fv6h%.1fv-6\"/><text x=\"%.1f\" y=\"%.1f\">%g "
                 "%s</text>\n",
                 y, length, length + 8, y + 8, metres >= 1000 ? metres / 1000 : metres,
                 metres >= 1000 ? "km" : "m");
}

static void add_drawing(const map *of, c3d_text *out)
{
    c3d_text_add(
        out,
        "<figure class=\"plot map\"><figcaption>Map of the splits</figcaption>"
        "<svg role=img viewBox=\"-4 -4 %.0f %.0f\" aria-label=\"Map: where %zu frames lie, "
        "by split and label; their numbers are in the table beside it.\">\n",
        of->width + 8, of->height + 40, of->n_placed);
    for (int s = N_PLACES - 1; s >= 0; s--)
        for (int k = N_KINDS - 1; k >= 0; k--) add_path(of, s, k, out);
    add_scale(of, out);
    c3d_text_add(out, "</svg></figure>\n");
}

static void add_counts(const map *of, c3d_text *out)
{
    c3d_text head = { 0 };

    c3d_text_add(&head, "<th scope=col>frames</th>");
    for (int k = 0; k < N_KINDS; k++)
        c3d_text_add(&head, "<th scope=col class=num>%s</th>", kind_names[k]);
    report_begin_table(out, "frames by split and label", head.text);
    for (int s = 0; s < N_PLACES; s++) {
        const char *name = c3d_split_name((c3d_split)s);
        c3d_text_add(out, "<tr><th scope=row>%s</th>", s == C3D_SPLIT_NONE ? "in no split" : name);
        for (int k = 0; k < N_KINDS; k++)
            c3d_text_add(out,
                         "<td class=num>%zu <svg class=key viewBox=\"0 0 10 10\" aria-hidden=true>"
                         "<path class=\"at-%s is-%d\" d=\"M0 0h10v10h-10z\"/></svg></td>",
                         of->counts[s][k], name, k);
        c3d_text_add(out, "</tr>\n");
    }
    report_end_table(out);
    c3d_text_free(&head);
}

static void add_notes(const map *of, bool is_thin, c3d_text *out)
{
    c3d_text_add(out, "<p class=note>Positive: in any label year. %s. ",
                 of->has_degrees ? "North is up; places as the list gives them"
                                 : "As in the images; north is up where theirs is");
    if (is_thin)
        c3d_text_add(out,
                     "%zu frames are more than can be told apart: a square stands for all that lie "
                     "there, with their commonest split, positive when one of them is. ",
                     of->n_placed);
    if (of->n_placed < of->frames.n)
        c3d_text_add(out, "%zu frames have no place. ", of->frames.n - of->n_placed);
    c3d_text_add(out, "<code>frames.gpkg</code> opens in QGIS.</p>\n");
}

/* ---- all of it ------------------------------------------------------------------------------- */

static c3d_status make(map *of, const report_run *run, c3d_text *out)
{
    char path[C3D_PATH_MAX];
    double pixel_m;

    C3D_TRY(c3d_path_join(path, run->store, "frames.gpkg"));
    if (!c3d_path_exists(path)) return C3D_FAIL(C3D_EIO, "%s is not there", path);
    C3D_TRY(c3d_frames_read(path, &of->frames));
    of->spots = c3d_calloc(of->frames.n + 1, sizeof *of->spots);
    if (!of->spots) return C3D_ENOMEM;
    if (c3d_json_real_value(c3d_json_at(c3d_json_get(run->dataset, "pixel_m"), 0), &pixel_m))
        of->unit_m = pixel_m;
    find_spots(of, run);
    of->n_placed = of->n;
    if (of->n == 0) return C3D_FAIL(C3D_EDATA, "%s: no frame has a place", path);
    scale(of);
    const bool is_thin = of->n > FRAMES_MAX;
    if (is_thin)
        C3D_TRY(thin(of));
    else
        qsort(of->spots, of->n, sizeof *of->spots, by_place);
    c3d_text_add(out, "<div class=beside>\n");
    add_drawing(of, out);
    c3d_text_add(out, "<div>\n");
    add_counts(of, out);
    add_notes(of, is_thin, out);
    c3d_text_add(out, "</div></div>\n");
    return C3D_OK;
}

void report_add_map(report_page *page, const report_run *run)
{
    map of = { 0 };
    c3d_text says = { 0 };

    if (make(&of, run, &page->text) != C3D_OK) {
        c3d_text_add(&says, "No map: %s.", c3d_error_last()->message);
        report_add_warning(&page->text, says.text);
    }
    free(of.spots);
    c3d_frames_free(&of.frames);
    c3d_text_free(&says);
}
