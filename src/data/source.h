/* The archive's months as rasters on the frames' grid. Private to data. */
#ifndef C3D_DATA_SOURCE_H
#define C3D_DATA_SOURCE_H

#include "c3d/dataset.h"

/* Some bands of a month: all of them, or one where each band has files of its own. */
typedef struct c3d_source_part {
    c3d_raster *raster; /* its bands 1 .. n_bands */
    int first_band, n_bands;
} c3d_source_part;

typedef struct c3d_source_month {
    c3d_date date;
    c3d_raster *raster; /* of the first part; NULL: nothing of this month can be used */
    int n_parts;
    c3d_source_part *parts;
    bool finds_zeros; /* parts: no file marks its gaps, so a pixel of zeros is one */
    c3d_raster *mask; /* data.mask_band; NULL: none on this date */
    int lacking;      /* band without a file of a month that has others; -1: none */
} c3d_source_month;

typedef struct c3d_source {
    const c3d_dataset_desc *desc;
    int n_months, n_bands;
    c3d_source_month *months;
    char band_names[C3D_MAX_BANDS][64];
    c3d_dtype dtype;
    char first[C3D_PATH_MAX];   /* the file whose grid it is */
    bool names_by_order;        /* it names none of its bands: data.bands does */
    int last_month;             /* read last */
    int numbers[C3D_MAX_BANDS]; /* 1, 2, ...: what is read of a month are its first bands */
} c3d_source;

const char *c3d_resampling_name(c3d_resampling resampling);
/* The first file of the archive; the grid of all is its own, grown. */
C3D_CHECKED c3d_status c3d_source_first_file(const c3d_dataset_desc *desc,
                                             const c3d_archive *archive, const char **out);
/* Opens all months. Each file's bands are found by name; files on another grid or in another CRS
 * are resampled as data.resampling says. C3D_EDATA, naming the file, when a file lacks a band, has
 * another pixel type, or cannot be placed. */
C3D_CHECKED c3d_status c3d_source_open(const c3d_dataset_desc *desc, const c3d_archive *archive,
                                       const c3d_frames *frames, c3d_source *out);
C3D_CHECKED c3d_status c3d_source_open_on(const c3d_dataset_desc *desc, const c3d_archive *archive,
                                          const c3d_grid *grid, c3d_source *out);
void c3d_source_close(c3d_source *source); /* a zeroed one is fine */
/* Says in the log which files are resampled and which dates lack a band. */
void c3d_source_tell(const c3d_source *source);
/* A window of the frames' grid: values [band, y, x] and valid [y, x]. Pixels that no file of
 * the month covers are 0 and not valid. */
C3D_CHECKED c3d_status c3d_source_read(c3d_source *source, int month, c3d_window window,
                                       void *values, uint8_t *valid);
/* The same from several threads at once, each with a month of its own, which it leaves when it has
 * read what it wants: of many files few stay open. */
C3D_CHECKED c3d_status c3d_source_read_beside(const c3d_source *source, int month,
                                              c3d_window window, void *values, uint8_t *valid);
void c3d_source_leave(const c3d_source *source, int month);

#endif
