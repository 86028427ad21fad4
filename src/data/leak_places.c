/* How near do frames of different splits come, and do they share pixels? A k-d tree of the pieces
 * of each split's frames: neither a sparse grid nor a region far away makes it slow. */
#include "leak.h"

#include "frames.h"

#include <math.h>
#include <stdlib.h>

enum { LEAF = 8 };

typedef struct point {
    double at[2]; /* first corner, metres or pixels */
    int source;
    uint32_t piece;
} point;

/* Points first .. first + n - 1, and what they span. Children follow: the left one next, the right
 * one at `right`; 0 for a leaf. */
typedef struct node {
    double low[2], high[2];
    int low_source, high_source;
    uint32_t first, n, right;
} node;

typedef struct tree {
    point *points;
    node *nodes;
    size_t n, n_nodes;
} tree;

typedef struct places {
    const leak_view *view;
    double scale[2], size[2]; /* of a pixel, and of a frame */
    bool has_metres;
    tree trees[C3D_N_SPLITS];
    bool *is_leaking; /* [frames.n] */
} places;

/* ---- pieces ---------------------------------------------------------------------------------- */

static size_t count_pieces(const leak_view *view)
{
    return view->pieces.rows ? view->pieces.n : view->frames->n;
}

static leak_piece piece_at(const leak_view *view, size_t i)
{
    if (view->pieces.rows) return view->pieces.rows[i];
    const c3d_frame *frame = &view->frames->rows[i];
    return (leak_piece){ (uint32_t)i, frame->source, frame->x, frame->y, -1 };
}

/* ---- trees ----------------------------------------------------------------------------------- */

static void span(const point *points, node *out)
{
    *out = (node){ .low = { points[0].at[0], points[0].at[1] },
                   .high = { points[0].at[0], points[0].at[1] },
                   .low_source = points[0].source,
                   .high_source = points[0].source,
                   .first = out->first,
                   .n = out->n };
    for (uint32_t i = 1; i < out->n; i++) {
        for (int axis = 0; axis < 2; axis++) {
            out->low[axis] = fmin(out->low[axis], points[i].at[axis]);
            out->high[axis] = fmax(out->high[axis], points[i].at[axis]);
        }
        if (points[i].source < out->low_source) out->low_source = points[i].source;
        if (points[i].source > out->high_source) out->high_source = points[i].source;
    }
}

static double key_of(const point *of, int axis)
{
    return axis < 2 ? of->at[axis] : of->source;
}

/* Brings the point of rank k along the axis to place k, smaller ones before it (Hoare's select). */
static void select_point(point *points, size_t n, size_t k, int axis)
{
    size_t left = 0, right = n - 1;

    while (left < right) {
        const double pivot = key_of(&points[left + (right - left) / 2], axis);
        size_t i = left, j = right;
        while (i <= j) {
            while (key_of(&points[i], axis) < pivot) i++;
            while (key_of(&points[j], axis) > pivot) j--;
            if (i > j) break;
            const point swapped = points[i];
            points[i++] = points[j];
            points[j] = swapped;
            if (j == 0) break;
            j--;
        }
        if (k <= j)
            right = j;
        else if (k >= i)
            left = i;
        else
            return;
    }
}

static void build(tree *of, uint32_t first, uint32_t n)
{
    node *at = &of->nodes[of->n_nodes++];
    int axis = 0;

    at->first = first;
    at->n = n;
    span(of->points + first, at);
    if (n <= LEAF) return;
    if (at->high[1] - at->low[1] > at->high[0] - at->low[0]) axis = 1;
    if (at->high_source > at->low_source) axis = 2;
    select_point(of->points + first, n, n / 2, axis);
    build(of, first, n / 2);
    at->right = (uint32_t)of->n_nodes;
    build(of, first + n / 2, n - n / 2);
}

static c3d_status make_tree(places *in, int split)
{
    const size_t n = count_pieces(in->view);
    tree *of = &in->trees[split];

    for (size_t i = 0; i < n; i++)
        of->n += c3d_leak_is_in(in->view, piece_at(in->view, i).frame, split);
    if (of->n == 0) return C3D_OK;
    of->points = c3d_calloc(of->n, sizeof *of->points);
    of->nodes = c3d_calloc(of->n, sizeof *of->nodes); /* halves of more than LEAF: fewer than n */
    if (!of->points || !of->nodes) return C3D_ENOMEM;
    of->n = 0;
    for (size_t i = 0; i < n; i++) {
        const leak_piece piece = piece_at(in->view, i);
        if (!c3d_leak_is_in(in->view, piece.frame, split)) continue;
        of->points[of->n++] = (point){ { piece.x * in->scale[0], piece.y * in->scale[1] },
                                       piece.source,
                                       (uint32_t)i };
    }
    build(of, 0, (uint32_t)of->n);
    return C3D_OK;
}

/* ---- nearest --------------------------------------------------------------------------------- */

typedef struct nearest {
    double distance; /* HUGE_VAL: none so far */
    uint32_t pieces[2];
} nearest;

static double gap(double distance, double size)
{
    return distance > size ? distance - size : 0;
}

/* No frame of the node is nearer to the point's than this. */
static double bound(const places *in, const node *at, const point *from)
{
    double gaps[2];

    if (from->source < at->low_source || from->source > at->high_source) return HUGE_VAL;
    for (int axis = 0; axis < 2; axis++)
        gaps[axis] = gap(fmax(at->low[axis] - from->at[axis], from->at[axis] - at->high[axis]),
                         in->size[axis]);
    return hypot(gaps[0], gaps[1]);
}

static void search_leaf(const places *in, const tree *of, const node *at, const point *from,
                        nearest *best)
{
    for (uint32_t i = at->first; i < at->first + at->n; i++) {
        const point *to = &of->points[i];
        const double distance = hypot(gap(fabs(to->at[0] - from->at[0]), in->size[0]),
                                      gap(fabs(to->at[1] - from->at[1]), in->size[1]));
        if (to->source != from->source || distance >= best->distance) continue;
        *best = (nearest){ distance, { from->piece, to->piece } };
    }
}

static void search_nearest(const places *in, const tree *of, size_t index, const point *from,
                           nearest *best)
{
    const node *at = &of->nodes[index];

    if (bound(in, at, from) >= best->distance) return;
    if (at->right == 0) {
        search_leaf(in, of, at, from, best);
        return;
    }
    const bool is_right_nearer =
        bound(in, &of->nodes[at->right], from) < bound(in, &of->nodes[index + 1], from);
    search_nearest(in, of, is_right_nearer ? at->right : index + 1, from, best);
    search_nearest(in, of, is_right_nearer ? index + 1 : at->right, from, best);
}

static void find_gap(const places *in, int a, int b, leak_gap *out)
{
    const leak_view *view = in->view;
    const bool is_swapped = in->trees[b].n < in->trees[a].n;
    const tree *few = &in->trees[is_swapped ? b : a], *many = &in->trees[is_swapped ? a : b];
    nearest best = { .distance = HUGE_VAL };

    for (size_t i = 0; i < few->n && many->n > 0; i++) {
        search_nearest(in, many, 0, &few->points[i], &best);
        if (i % 1024 == 0) c3d_phase_tick();
    }
    if (!(best.distance < HUGE_VAL)) return;
    const leak_piece from = piece_at(view, best.pieces[is_swapped]);
    const leak_piece to = piece_at(view, best.pieces[!is_swapped]);
    const double size = view->frames->size_px;
    *out = (leak_gap){ .is_known = true,
                       .frames = { view->frames->rows[from.frame].frame_id,
                                   view->frames->rows[to.frame].frame_id },
                       .px = hypot(gap(abs(from.x - to.x), size), gap(abs(from.y - to.y), size)),
                       .m = in->has_metres && from.source == 0 ? best.distance : (double)NAN };
}

/* ---- shared pixels --------------------------------------------------------------------------- */

/* A file may be in different months of two frames, and fill gaps in other months of each. */
static bool is_shared(const leak_view *view, size_t i, size_t j, const c3d_split splits[2])
{
    const leak_piece a = piece_at(view, i), b = piece_at(view, j);
    const int size = view->frames->size_px;

    if (a.source != b.source || abs(a.x - b.x) >= size || abs(a.y - b.y) >= size) return false;
    if (c3d_leak_meet(view, a.frame, splits[0], b.frame, splits[1])) return true;
    return a.month >= 0 && b.month >= 0 &&
           c3d_leak_is_in_month(view, a.frame, splits[0], a.month) &&
           c3d_leak_is_in_month(view, b.frame, splits[1], b.month);
}

static size_t first_piece(const leak_view *view, size_t i)
{
    if (!view->pieces.rows) return i;
    while (i > 0 && view->pieces.rows[i - 1].frame == view->pieces.rows[i].frame) i--;
    return i;
}

/* Two frames are one pair, however many files they share. */
static bool is_counted(const leak_view *view, size_t i, size_t j, const c3d_split splits[2])
{
    const size_t first = first_piece(view, j), frame = piece_at(view, j).frame;

    for (size_t a = first_piece(view, i); a <= i; a++)
        for (size_t b = first; b < count_pieces(view) && piece_at(view, b).frame == frame; b++) {
            if (a == i && b == j) return false;
            if (is_shared(view, a, b, splits)) return true;
        }
    return false;
}

static void search_overlaps(places *in, const tree *of, size_t index, const point *from,
                            const c3d_split splits[2], c3d_leak *leak)
{
    const node *at = &of->nodes[index];

    if (from->source < at->low_source || from->source > at->high_source) return;
    for (int axis = 0; axis < 2; axis++)
        if (at->low[axis] - from->at[axis] >= in->size[axis] ||
            from->at[axis] - at->high[axis] >= in->size[axis])
            return;
    if (at->right != 0) {
        search_overlaps(in, of, index + 1, from, splits, leak);
        search_overlaps(in, of, at->right, from, splits, leak);
        return;
    }
    for (uint32_t i = at->first; i < at->first + at->n; i++) {
        const uint32_t to = of->points[i].piece;
        if (!is_shared(in->view, from->piece, to, splits) ||
            is_counted(in->view, from->piece, to, splits))
            continue;
        const size_t pair[2] = { piece_at(in->view, from->piece).frame,
                                 piece_at(in->view, to).frame };
        leak->n_pairs++;
        in->is_leaking[pair[0]] = in->is_leaking[pair[1]] = true;
        c3d_leak_note(&leak->pixels, in->view, pair, splits);
    }
}

static void find_overlaps(places *in, int a, int b, c3d_leak *leak)
{
    const c3d_split splits[2] = { (c3d_split)a, (c3d_split)b };
    const tree *from = &in->trees[a], *to = &in->trees[b];

    for (size_t i = 0; i < from->n && to->n > 0; i++) {
        search_overlaps(in, to, 0, &from->points[i], splits, leak);
        if (i % 1024 == 0) c3d_phase_tick();
    }
}

/* ---- all pairs of splits --------------------------------------------------------------------- */

static c3d_status search(places *in, c3d_leak *leak)
{
    static const int pairs[N_GAPS][2] = { { C3D_SPLIT_TRAIN, C3D_SPLIT_VALIDATION },
                                          { C3D_SPLIT_TRAIN, C3D_SPLIT_TEST },
                                          { C3D_SPLIT_VALIDATION, C3D_SPLIT_TEST } };
    const c3d_frames *frames = in->view->frames;

    in->is_leaking = c3d_calloc(frames->n + 1, sizeof *in->is_leaking);
    if (!in->is_leaking) return C3D_ENOMEM;
    for (int s = 0; s < C3D_N_SPLITS; s++) C3D_TRY(make_tree(in, s));
    for (int p = 0; p < N_GAPS; p++) {
        find_gap(in, pairs[p][0], pairs[p][1], &leak->gaps[p]);
        find_overlaps(in, pairs[p][0], pairs[p][1], leak);
    }
    for (size_t i = 0; i < frames->n; i++) leak->n_frames += in->is_leaking[i];
    return C3D_OK;
}

c3d_status c3d_leak_places(const leak_view *view, c3d_leak *leak)
{
    const c3d_frames *frames = view->frames;
    places in = { .view = view, .scale = { 1, 1 } };
    c3d_status st;

    if (frames->crs_wkt && frames->crs_wkt[0]) {
        double pixel_m[2];
        c3d_frames_pixel_m(frames, pixel_m);
        in.has_metres = pixel_m[0] > 0 && pixel_m[1] > 0;
        for (int axis = 0; axis < 2 && in.has_metres; axis++) in.scale[axis] = pixel_m[axis];
    }
    for (int axis = 0; axis < 2; axis++) in.size[axis] = frames->size_px * in.scale[axis];
    st = search(&in, leak);
    for (int s = 0; s < C3D_N_SPLITS; s++) {
        free(in.trees[s].points);
        free(in.trees[s].nodes);
    }
    free(in.is_leaking);
    return st;
}
