/* The strip between splits, and between folds. */
#include "frames.h"

#include <math.h>
#include <stdlib.h>

/* How many frames of the wanted parts stand in each row of the grid left of each column. */
typedef struct frame_map {
    int left, top, columns, rows; /* the part of the grid that has frames */
    int size, stride;
    double pixel_m[2], buffer_m;
    int32_t *before; /* [rows, columns + 1] */
} frame_map;

static int column_of(const frame_map *map, const c3d_frame *frame)
{
    return frame->x / map->stride - map->left;
}

static int row_of(const frame_map *map, const c3d_frame *frame)
{
    return frame->y / map->stride - map->top;
}

static int32_t *row_counts(const frame_map *map, int row)
{
    return map->before + (size_t)row * ((size_t)map->columns + 1);
}

static c3d_status make_map(const c3d_dataset_desc *desc, const c3d_frames *frames, frame_map *map)
{
    int right = 0, bottom = 0;

    *map = (frame_map){ .left = INT32_MAX,
                        .top = INT32_MAX,
                        .size = desc->frame_size_px,
                        .stride = desc->stride_px,
                        .buffer_m = desc->buffer_m };
    c3d_frames_pixel_m(frames, map->pixel_m);
    for (size_t i = 0; i < frames->n; i++) {
        const int column = frames->rows[i].x / map->stride, row = frames->rows[i].y / map->stride;
        if (column < map->left) map->left = column;
        if (row < map->top) map->top = row;
        if (column > right) right = column;
        if (row > bottom) bottom = row;
    }
    map->columns = right - map->left + 1;
    map->rows = bottom - map->top + 1;
    map->before = c3d_calloc((size_t)map->rows * ((size_t)map->columns + 1), sizeof *map->before);
    return map->before ? C3D_OK : C3D_ENOMEM;
}

static void fill_map(frame_map *map, const c3d_frames *frames, const bool *is_counted)
{
    for (size_t i = 0; i < (size_t)map->rows * ((size_t)map->columns + 1); i++) map->before[i] = 0;
    for (size_t i = 0; i < frames->n; i++)
        if (is_counted[i])
            row_counts(map, row_of(map, &frames->rows[i]))[column_of(map, &frames->rows[i]) + 1]++;
    for (int row = 0; row < map->rows; row++)
        for (int column = 0; column < map->columns; column++)
            row_counts(map, row)[column + 1] += row_counts(map, row)[column];
}

/* The largest number of strides between two frames whose gap along an axis is below gap_m. */
static int reach(const frame_map *map, double gap_m, double pixel_m)
{
    const double strides = (gap_m / pixel_m + map->size) / map->stride;
    const int n = strides < 1e9 ? (int)ceil(strides) - 1 : 1000000000;

    return n > 0 ? n : 0;
}

/* Whether a counted frame is nearer than the buffer, edge to edge. Row by row of the grid: there it
 * is a question of an interval of columns. */
static bool has_near(const frame_map *map, const c3d_frame *frame)
{
    const int column = column_of(map, frame), row = row_of(map, frame);
    const int n_rows = reach(map, map->buffer_m, map->pixel_m[1]);
    const int top = row - n_rows > 0 ? row - n_rows : 0;
    const int bottom = row + n_rows < map->rows - 1 ? row + n_rows : map->rows - 1;

    for (int r = top; r <= bottom; r++) {
        const double apart = ((double)abs(r - row) * map->stride - map->size) * map->pixel_m[1];
        const double along = apart > 0
                                 ? sqrt(fmax(map->buffer_m * map->buffer_m - apart * apart, 0))
                                 : map->buffer_m;
        const int n = reach(map, along, map->pixel_m[0]);
        const int first = column - n > 0 ? column - n : 0;
        const int last = column + n < map->columns - 1 ? column + n : map->columns - 1;
        const int32_t *counts = row_counts(map, r);
        if (counts[last + 1] > counts[first]) return true;
    }
    return false;
}

/* The smaller splits keep their frames; the later ones in this order give way. */
static void keep_splits_apart(frame_map *map, c3d_frames *frames, bool *is_counted)
{
    static const c3d_split order[] = { C3D_SPLIT_TEST, C3D_SPLIT_VALIDATION, C3D_SPLIT_TRAIN };

    for (int turn = 1; turn < C3D_N_SPLITS; turn++) {
        for (size_t i = 0; i < frames->n; i++) {
            is_counted[i] = false;
            for (int k = 0; k < turn; k++) is_counted[i] |= frames->rows[i].split == order[k];
        }
        fill_map(map, frames, is_counted);
        for (size_t i = 0; i < frames->n; i++)
            if (frames->rows[i].split == order[turn] && has_near(map, &frames->rows[i]))
                frames->rows[i].split = C3D_SPLIT_NONE;
    }
}

/* Of two folds f < g the one that gives way is f where f + g is even: each gives way to half of the
 * others, so that none is left much smaller. */
static bool gives_way(int fold, int to)
{
    return fold != to && (fold < to) == ((fold + to) % 2 == 0);
}

static c3d_status keep_folds_apart(frame_map *map, int n_folds, c3d_frames *frames,
                                   bool *is_counted)
{
    bool *is_near = c3d_calloc(frames->n + 1, sizeof *is_near);

    if (!is_near) return C3D_ENOMEM;
    for (int fold = 0; fold < n_folds; fold++) {
        for (size_t i = 0; i < frames->n; i++)
            is_counted[i] =
                frames->rows[i].split != C3D_SPLIT_NONE && gives_way(fold, frames->rows[i].fold);
        fill_map(map, frames, is_counted);
        for (size_t i = 0; i < frames->n; i++)
            if (frames->rows[i].fold == fold) is_near[i] = has_near(map, &frames->rows[i]);
    }
    for (size_t i = 0; i < frames->n; i++)
        if (is_near[i]) frames->rows[i].fold = -1;
    free(is_near);
    return C3D_OK;
}

c3d_status c3d_frames_keep_buffer(const c3d_dataset_desc *desc, c3d_frames *frames)
{
    frame_map map;
    bool *is_counted;
    c3d_status st;

    if (!(desc->buffer_m > 0) || frames->n == 0) return C3D_OK;
    is_counted = c3d_calloc(frames->n, sizeof *is_counted);
    st = is_counted ? make_map(desc, frames, &map) : C3D_ENOMEM;
    if (st != C3D_OK) {
        free(is_counted);
        return st;
    }
    keep_splits_apart(&map, frames, is_counted);
    if (desc->folds > 1) st = keep_folds_apart(&map, desc->folds, frames, is_counted);
    free(map.before);
    free(is_counted);
    return st;
}
