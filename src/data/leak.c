/* Do frames of different splits share pixels, and how near do they come? Frames are squares of one
 * size; they are hashed into cells of at least that size, so that whatever overlaps a frame is in
 * the nine cells around it. */
#include "census.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

typedef struct square {
    int x, y;
    int source; /* only frames of one have places that can be compared */
    c3d_split split;
    bool is_leaking;
} square;

typedef struct cells {
    int size_px, cell_px, n_columns, n_rows;
    size_t n;
    square *squares;
    size_t *first, *next; /* [cells], [n]: chains, n ends one */
} cells;

/* ---- squares --------------------------------------------------------------------------------- */

static c3d_status collect(const c3d_frames *frames, const c3d_samples *samples, cells *in)
{
    uint8_t *is_seen = c3d_calloc(frames->n + 1, 1);

    in->squares = c3d_calloc(frames->n + 1, sizeof *in->squares);
    if (!is_seen || !in->squares) {
        free(is_seen);
        return C3D_ENOMEM;
    }
    for (size_t i = 0; i < samples->n; i++) {
        const size_t frame = c3d_frames_find(frames, samples->rows[i].frame_id);
        if (frame == (size_t)-1 || is_seen[frame] || samples->rows[i].split >= C3D_N_SPLITS)
            continue;
        is_seen[frame] = 1;
        in->squares[in->n++] =
            (square){ frames->rows[frame].x, frames->rows[frame].y, frames->rows[frame].source,
                      samples->rows[i].split, false };
    }
    free(is_seen);
    return C3D_OK;
}

static size_t cell_of(const cells *in, int column, int row)
{
    return (size_t)row * (size_t)in->n_columns + (size_t)column;
}

/* About as many cells as squares: a sparse grid must not cost memory or time by its extent. */
static void choose_cells(const c3d_frames *frames, cells *in)
{
    const size_t enough = 4 * in->n + 1024;

    for (int cell = in->size_px;; cell *= 2) {
        in->cell_px = cell;
        in->n_columns = frames->width_px / cell + 1;
        in->n_rows = frames->height_px / cell + 1;
        if (cell_of(in, 0, in->n_rows) <= enough || cell > INT_MAX / 2) return;
    }
}

static c3d_status hash_squares(const c3d_frames *frames, cells *in)
{
    in->size_px = frames->size_px;
    choose_cells(frames, in);
    const size_t n_cells = cell_of(in, 0, in->n_rows);
    in->first = c3d_calloc(n_cells, sizeof *in->first);
    in->next = c3d_calloc(in->n + 1, sizeof *in->next);
    if (!in->first || !in->next) return C3D_ENOMEM;
    for (size_t i = 0; i < n_cells; i++) in->first[i] = in->n;
    for (size_t i = 0; i < in->n; i++) {
        const int column = in->squares[i].x / in->cell_px, row = in->squares[i].y / in->cell_px;
        if (column < 0 || column >= in->n_columns || row < 0 || row >= in->n_rows)
            return C3D_FAIL(C3D_EDATA,
                            "frames.gpkg: a frame at %d, %d is outside the grid of "
                            "%d x %d pixels",
                            in->squares[i].x, in->squares[i].y, frames->width_px,
                            frames->height_px);
        in->next[i] = in->first[cell_of(in, column, row)];
        in->first[cell_of(in, column, row)] = i;
    }
    return C3D_OK;
}

/* ---- pairs ----------------------------------------------------------------------------------- */

static void compare(const cells *in, size_t i, size_t cell, c3d_leak *leak)
{
    square *a = &in->squares[i];

    for (size_t j = in->first[cell]; j < in->n; j = in->next[j]) {
        square *b = &in->squares[j];
        if (a->split == b->split || a->source != b->source) continue;
        const int dx = abs(a->x - b->x) - in->size_px, dy = abs(a->y - b->y) - in->size_px;
        const double distance = hypot(dx > 0 ? dx : 0, dy > 0 ? dy : 0);
        if (leak->distance_px < 0 || distance < leak->distance_px) leak->distance_px = distance;
        if (dx >= 0 || dy >= 0) continue;
        leak->n_pairs += i < j;
        a->is_leaking = b->is_leaking = true;
    }
}

/* The cells at Chebyshev distance `ring` from the square's own. */
static void compare_ring(const cells *in, size_t i, int ring, c3d_leak *leak)
{
    const int column = in->squares[i].x / in->cell_px, row = in->squares[i].y / in->cell_px;

    for (int y = row - ring; y <= row + ring; y++) {
        if (y < 0 || y >= in->n_rows) continue;
        const int step = y == row - ring || y == row + ring || ring == 0 ? 1 : 2 * ring;
        for (int x = column - ring; x <= column + ring; x += step)
            if (x >= 0 && x < in->n_columns) compare(in, i, cell_of(in, x, y), leak);
    }
}

/* Squares `ring` cells apart are at least ring - 2 cells' width from edge to edge. */
static void find_nearest(const cells *in, c3d_leak *leak)
{
    const int ring_max = in->n_columns > in->n_rows ? in->n_columns : in->n_rows;

    for (size_t i = 0; i < in->n; i++)
        for (int ring = 0; ring <= ring_max; ring++) {
            if (ring > 1 && leak->distance_px >= 0 &&
                (double)(ring - 2) * in->cell_px >= leak->distance_px)
                break;
            compare_ring(in, i, ring, leak);
            c3d_phase_tick();
        }
}

static bool has_two_splits(const cells *in)
{
    for (size_t i = 1; i < in->n; i++)
        if (in->squares[i].split != in->squares[0].split) return true;
    return false;
}

c3d_status c3d_leak_find(const c3d_frames *frames, const c3d_samples *samples, c3d_leak *out)
{
    cells in = { 0 };
    c3d_leak leak = { .distance_px = -1 };
    c3d_status st = collect(frames, samples, &in);

    if (st == C3D_OK && has_two_splits(&in)) {
        st = hash_squares(frames, &in);
        if (st == C3D_OK) find_nearest(&in, &leak);
        for (size_t i = 0; i < in.n; i++) leak.n_frames += in.squares[i].is_leaking;
    }
    free(in.squares);
    free(in.first);
    free(in.next);
    if (st == C3D_OK) *out = leak;
    return st;
}
