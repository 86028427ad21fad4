#include "cover.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EDGE_POINTS = 16 }; /* of each edge of a frame, to find the label window below it */

static void apply(const double t[6], double *x, double *y)
{
    const double u = *x, v = *y;

    *x = t[0] + u * t[1] + v * t[2];
    *y = t[3] + u * t[4] + v * t[5];
}

void c3d_label_grid_close(label_grid *grid)
{
    c3d_transformer_destroy(grid->to_label);
    c3d_transformer_destroy(grid->to_frames);
    *grid = (label_grid){ 0 };
}

c3d_status c3d_label_grid_open(const c3d_frames *frames, c3d_raster *raster, label_grid *grid)
{
    const c3d_raster_info *info = c3d_raster_get_info(raster);

    memcpy(grid->label_t, info->transform, sizeof grid->label_t);
    memcpy(grid->frames_t, frames->transform, sizeof grid->frames_t);
    grid->width_px = info->width_px;
    grid->height_px = info->height_px;
    if (info->crs_wkt[0] == 0 && frames->crs_wkt[0] != 0)
        return C3D_FAIL(C3D_EDATA, "%s: no coordinate reference system", c3d_raster_path(raster));
    if (!c3d_transform_invert(grid->label_t, grid->label_inverse) ||
        !c3d_transform_invert(grid->frames_t, grid->frames_inverse))
        return C3D_FAIL(C3D_EDATA, "%s: its georeference cannot be inverted",
                        c3d_raster_path(raster));
    C3D_TRY(c3d_transformer_create(frames->crs_wkt, info->crs_wkt, &grid->to_label));
    C3D_TRY(c3d_transformer_create(info->crs_wkt, frames->crs_wkt, &grid->to_frames));
    grid->is_aligned = c3d_transformer_is_identity(grid->to_label) && grid->label_t[2] == 0 &&
                       grid->label_t[4] == 0 && grid->frames_t[2] == 0 && grid->frames_t[4] == 0;
    if (!grid->is_aligned) return C3D_OK;
    grid->origin[0] = (grid->label_t[0] - grid->frames_t[0]) / grid->frames_t[1];
    grid->origin[1] = (grid->label_t[3] - grid->frames_t[3]) / grid->frames_t[5];
    grid->step[0] = grid->label_t[1] / grid->frames_t[1];
    grid->step[1] = grid->label_t[5] / grid->frames_t[5];
    return C3D_OK;
}

c3d_status c3d_label_bounds(label_grid *grid, const double rectangle[4], double out[4])
{
    double x[4 * EDGE_POINTS], y[4 * EDGE_POINTS];
    const double width = rectangle[2] - rectangle[0], height = rectangle[3] - rectangle[1];

    for (int i = 0; i < EDGE_POINTS; i++) {
        const double t = (double)i / EDGE_POINTS;
        const double at[4][2] = { { t, 0 }, { 1, t }, { 1 - t, 1 }, { 0, 1 - t } };

        for (int e = 0; e < 4; e++) {
            x[4 * i + e] = rectangle[0] + at[e][0] * width;
            y[4 * i + e] = rectangle[1] + at[e][1] * height;
            apply(grid->frames_t, &x[4 * i + e], &y[4 * i + e]);
        }
    }
    C3D_TRY(c3d_transformer_apply(grid->to_label, 4 * EDGE_POINTS, x, y));
    out[0] = out[1] = INFINITY;
    out[2] = out[3] = -INFINITY;
    for (int i = 0; i < 4 * EDGE_POINTS; i++) {
        apply(grid->label_inverse, &x[i], &y[i]);
        out[0] = fmin(out[0], x[i]);
        out[1] = fmin(out[1], y[i]);
        out[2] = fmax(out[2], x[i]);
        out[3] = fmax(out[3], y[i]);
    }
    return C3D_OK;
}

/* The label pixels that can touch the frame, those of the raster only. */
static c3d_window window_of(const label_grid *grid, const double bounds[4])
{
    const double left = fmax(floor(bounds[0]) - 1, 0), top = fmax(floor(bounds[1]) - 1, 0);
    const double right = fmin(ceil(bounds[2]) + 1, grid->width_px);
    const double bottom = fmin(ceil(bounds[3]) + 1, grid->height_px);

    if (!(right > left && bottom > top)) return (c3d_window){ 0 };
    return (c3d_window){ (int)left, (int)top, (int)(right - left), (int)(bottom - top) };
}

static c3d_status coverage_reserve(coverage *cover)
{
    const size_t n = ((size_t)cover->window.width + 1) * ((size_t)cover->window.height + 1);

    if (n <= cover->capacity) return C3D_OK;
    free(cover->area);
    free(cover->x);
    free(cover->y);
    cover->capacity = 0;
    cover->area = c3d_calloc(n, sizeof(double));
    cover->x = c3d_calloc(n, sizeof(double));
    cover->y = c3d_calloc(n, sizeof(double));
    if (cover->area == NULL || cover->x == NULL || cover->y == NULL) return C3D_ENOMEM;
    cover->capacity = n;
    return C3D_OK;
}

void c3d_coverage_free(coverage *cover)
{
    free(cover->area);
    free(cover->x);
    free(cover->y);
}

/* Share of [first, first + size] that label pixel i covers along one axis. */
static double length_share(const label_grid *grid, int axis, int i, int first, int size)
{
    const double a = grid->origin[axis] + grid->step[axis] * i - first;
    const double b = grid->origin[axis] + grid->step[axis] * (i + 1) - first;
    const double overlap = fmin(fmax(a, b), size) - fmax(fmin(a, b), 0);

    return overlap > 0 ? overlap / size : 0;
}

static void cover_aligned(const label_grid *grid, const c3d_frame *frame, int size, coverage *cover)
{
    const c3d_window w = cover->window;

    for (int i = 0; i < w.width; i++) cover->x[i] = length_share(grid, 0, w.x + i, frame->x, size);
    for (int j = 0; j < w.height; j++) {
        const double row = length_share(grid, 1, w.y + j, frame->y, size);
        for (int i = 0; i < w.width; i++) cover->area[j * w.width + i] = row * cover->x[i];
    }
}

/* The general case: label pixels as quadrilaterals between their transformed corners. Everything is
 * measured in frames (affine images of the CRS plane), so that area shares are those of the CRS. */
static c3d_status cover_general(label_grid *grid, const c3d_frame *frame, int size, coverage *cover)
{
    const c3d_window w = cover->window;
    const int columns = w.width + 1, n = columns * (w.height + 1);

    for (int k = 0; k < n; k++) {
        const int row = k / columns;

        cover->x[k] = w.x + k % columns;
        cover->y[k] = w.y + row;
        apply(grid->label_t, &cover->x[k], &cover->y[k]);
    }
    C3D_TRY(c3d_transformer_apply(grid->to_frames, n, cover->x, cover->y));
    for (int k = 0; k < n; k++) {
        apply(grid->frames_inverse, &cover->x[k], &cover->y[k]);
        cover->x[k] = (cover->x[k] - frame->x) / size;
        cover->y[k] = (cover->y[k] - frame->y) / size;
    }
    for (int j = 0; j < w.height; j++) {
        for (int i = 0; i < w.width; i++) {
            const int at[4] = { j * columns + i, j * columns + i + 1, (j + 1) * columns + i + 1,
                                (j + 1) * columns + i };
            plane_point corners[4];

            for (int c = 0; c < 4; c++) {
                corners[c].at[0] = cover->x[at[c]];
                corners[c].at[1] = cover->y[at[c]];
            }
            cover->area[j * w.width + i] = c3d_unit_square_area(4, corners);
        }
    }
    return C3D_OK;
}

c3d_status c3d_cover_frame(label_grid *grid, const c3d_frame *frame, int size, coverage *cover)
{
    const double rectangle[4] = { frame->x, frame->y, (double)frame->x + size,
                                  (double)frame->y + size };
    double bounds[4];

    C3D_TRY(c3d_label_bounds(grid, rectangle, bounds));
    cover->window = window_of(grid, bounds);
    if (cover->window.width == 0) return C3D_OK;
    C3D_TRY(coverage_reserve(cover));
    if (!grid->is_aligned) return cover_general(grid, frame, size, cover);
    cover_aligned(grid, frame, size, cover);
    return C3D_OK;
}
