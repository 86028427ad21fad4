#include "labels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double c3d_label_rounded(double share)
{
    return rint(share * 1e12) / 1e12;
}

int c3d_label_class_index(const c3d_dataset_desc *desc, const char *name)
{
    for (int c = 0; c < desc->n_classes; c++)
        if (strcmp(desc->classes[c].name, name) == 0) return c;
    return -1;
}

/* positive: the class looked for, or -1 when every class is a label. */
static c3d_frame_label label_of(const c3d_dataset_desc *desc, const double *shares, int positive,
                                double observed)
{
    const int first = positive < 0 ? 0 : positive;
    double sum = 0;
    int best = first;

    if (c3d_label_rounded(1 - observed) > 0.5) return C3D_FRAME_UNLABELLED;
    for (int c = first; c < (positive < 0 ? desc->n_classes : positive + 1); c++) {
        sum += shares[c];
        if (shares[c] > shares[best]) best = c;
    }
    if (shares[best] >= desc->positive_share) return C3D_FRAME_POSITIVE + best - first;
    return c3d_label_rounded(sum) <= desc->negative_share ? C3D_FRAME_NEGATIVE
                                                          : C3D_FRAME_UNCERTAIN;
}

void c3d_labels_decide(const c3d_dataset_desc *desc, const label_block *block, c3d_frames *frames)
{
    const int positive = desc->positive != NULL ? c3d_label_class_index(desc, desc->positive) : -1;
    const size_t n_years = (size_t)frames->n_years, n_classes = (size_t)frames->n_classes;

    for (size_t i = 0; i < block->n * n_years; i++) {
        const size_t row = block->first * n_years + i;
        double *shares = &frames->shares[row * n_classes];

        memcpy(shares, &block->shares[i * n_classes], n_classes * sizeof *shares);
        frames->labels[row] = label_of(desc, shares, positive, block->observed[i]);
        for (size_t c = 0; c < n_classes && !(block->observed[i] > 0); c++) shares[c] = (double)NAN;
        if (frames->hard != NULL) frames->hard[row] = block->hard[i] >= desc->positive_share;
    }
}

bool c3d_label_changes(const c3d_frames *frames, size_t frame, int k)
{
    const c3d_frame_label *labels = &frames->labels[frame * (size_t)frames->n_years];
    int before = k - 1;

    while (before >= 0 && labels[before] < 0) before--;
    return before >= 0 && labels[k] >= 0 && labels[k] != labels[before];
}

/* ---- distance -------------------------------------------------------------------------------- */

/* The frames by their place on multiples of the stride; -1: none. */
typedef struct place_map {
    int columns, rows;
    int64_t *frame;
} place_map;

static c3d_status map_places(const c3d_dataset_desc *desc, const c3d_frames *frames, place_map *out)
{
    *out = (place_map){ .columns = frames->width_px / desc->stride_px + 1,
                        .rows = frames->height_px / desc->stride_px + 1 };
    const size_t n = (size_t)out->columns * (size_t)out->rows;

    out->frame = c3d_calloc(n, sizeof *out->frame);
    if (out->frame == NULL) return C3D_ENOMEM;
    for (size_t i = 0; i < n; i++) out->frame[i] = -1;
    for (size_t i = 0; i < frames->n; i++) {
        const size_t column = (size_t)(frames->rows[i].x / desc->stride_px);
        const size_t row = (size_t)(frames->rows[i].y / desc->stride_px);

        out->frame[row * (size_t)out->columns + column] = (int64_t)i;
    }
    return C3D_OK;
}

static double gap_m(int a, int b, int size, double pixel_m)
{
    const int distance = abs(a - b) - size;

    return distance > 0 ? distance * pixel_m : 0;
}

/* Negatives about frame i in year k become uncertain; how many. */
static size_t clear_around(const c3d_dataset_desc *desc, c3d_frames *frames, const place_map *map,
                           size_t i, int k)
{
    const int size = frames->size_px, stride = desc->stride_px;
    const c3d_frame *mine = &frames->rows[i];
    double pixel_m[2];
    size_t n = 0;

    c3d_frames_pixel_m(frames, pixel_m);
    const double reach_x = (desc->negative_distance_m / pixel_m[0] + size) / stride + 1;
    const double reach_y = (desc->negative_distance_m / pixel_m[1] + size) / stride + 1;
    const int left = (int)fmax(mine->x / stride - reach_x, 0);
    const int top = (int)fmax(mine->y / stride - reach_y, 0);
    const int right = (int)fmin(mine->x / stride + reach_x, map->columns - 1);
    const int bottom = (int)fmin(mine->y / stride + reach_y, map->rows - 1);

    for (int r = top; r <= bottom; r++) {
        for (int c = left; c <= right; c++) {
            const int64_t other = map->frame[(size_t)r * (size_t)map->columns + (size_t)c];
            c3d_frame_label *label;

            if (other < 0) continue;
            label = &frames->labels[(size_t)other * (size_t)frames->n_years + (size_t)k];
            if (*label != C3D_FRAME_NEGATIVE) continue;
            if (hypot(gap_m(frames->rows[other].x, mine->x, size, pixel_m[0]),
                      gap_m(frames->rows[other].y, mine->y, size, pixel_m[1])) >=
                desc->negative_distance_m)
                continue;
            *label = C3D_FRAME_UNCERTAIN;
            n++;
        }
    }
    return n;
}

c3d_status c3d_labels_keep_distance(const c3d_dataset_desc *desc, c3d_frames *frames)
{
    const size_t n_years = (size_t)frames->n_years;
    uint8_t *holds;
    place_map map = { 0 };
    size_t n = 0;

    if (!(desc->negative_distance_m > 0)) return C3D_OK;
    holds = c3d_calloc(frames->n * n_years + 1, 1); /* as measured, before any was cleared */
    if (holds == NULL || map_places(desc, frames, &map) != C3D_OK) {
        free(holds);
        return C3D_ENOMEM;
    }
    for (size_t row = 0; row < frames->n * n_years; row++)
        holds[row] =
            frames->labels[row] >= C3D_FRAME_POSITIVE || frames->labels[row] == C3D_FRAME_UNCERTAIN;
    for (size_t i = 0; i < frames->n; i++)
        for (size_t k = 0; k < n_years; k++)
            if (holds[i * n_years + k]) n += clear_around(desc, frames, &map, i, (int)k);
    c3d_log_run("labels: %zu negatives nearer than %g m to a class are uncertain now", n,
                desc->negative_distance_m);
    free(map.frame);
    free(holds);
    return C3D_OK;
}
