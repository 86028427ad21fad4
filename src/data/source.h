/* The archive's months as rasters on the frames' grid. Private to data. */
#ifndef C3D_DATA_SOURCE_H
#define C3D_DATA_SOURCE_H

#include "c3d/dataset.h"

typedef struct c3d_source_month {
    c3d_date date;
    c3d_raster *raster;       /* NULL: no file of this month */
    int bands[C3D_MAX_BANDS]; /* numbers in this raster of the bands asked for */
} c3d_source_month;

typedef struct c3d_source {
    int n_months, n_bands;
    c3d_source_month *months;
    char band_names[C3D_MAX_BANDS][64];
    c3d_dtype dtype;
} c3d_source;

/* Opens all months. C3D_EDATA, naming the file, when a month has another CRS, grid, pixel type or
 * lacks a band. */
C3D_CHECKED c3d_status c3d_source_open(const c3d_dataset_desc *desc, const c3d_archive *archive,
                                       const c3d_frames *frames, c3d_source *out);
void c3d_source_close(c3d_source *source); /* a zeroed one is fine */
/* A window of the frames' grid: values [band, y, x] and valid [y, x]. Pixels that no file of
 * the month covers are 0 and not valid. */
C3D_CHECKED c3d_status c3d_source_read(c3d_source *source, int month, c3d_window window,
                                       void *values, uint8_t *valid);

#endif
