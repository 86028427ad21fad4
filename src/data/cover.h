/* Which pixels of a label raster cover a frame, and how much of it. Private to data. */
#ifndef C3D_DATA_COVER_H
#define C3D_DATA_COVER_H

#include "frames.h"

/* A label raster's grid against the frames'. */
typedef struct label_grid {
    c3d_transformer *to_label, *to_frames;
    double label_t[6], label_inverse[6], frames_t[6], frames_inverse[6];
    int width_px, height_px;
    bool is_aligned;           /* same CRS, no rotation between the two */
    double step[2], origin[2]; /* then: frame-grid pixel = origin + step * label pixel */
} label_grid;
C3D_CHECKED c3d_status c3d_label_grid_open(const c3d_frames *frames, c3d_raster *raster,
                                           label_grid *grid);
void c3d_label_grid_close(label_grid *grid);
/* Bounding box, in label pixels, of a rectangle of the frames' grid: x0, y0, x1, y1. */
C3D_CHECKED c3d_status c3d_label_bounds(label_grid *grid, const double rectangle[4], double out[4]);

/* Areas of the label pixels of a window, in shares of the frame. */
typedef struct coverage {
    c3d_window window; /* of label pixels; width 0: none */
    double *area;      /* [height, width] */
    double *x, *y;     /* corners, [height + 1, width + 1] */
    size_t capacity;   /* corners */
} coverage;
void c3d_coverage_free(coverage *cover);
C3D_CHECKED c3d_status c3d_cover_frame(label_grid *grid, const c3d_frame *frame, int size,
                                       coverage *cover);

/* Into out: what would make the raster lie over the imagery, or nothing. */
void c3d_label_place_hint(const c3d_frames *frames, const c3d_raster *raster, char out[160]);

#endif
