/* Private to raster: GDAL's headers, its error lines, and the open raster. */
#ifndef C3D_RASTER_GDAL_H
#define C3D_RASTER_GDAL_H

#include "c3d/raster.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <gdal.h>
#include <ogr_api.h>
#include <ogr_srs_api.h>

/* Forgets what GDAL said so far in this thread; before a call whose failure is reported. */
void c3d_gdal_clear(void);
/* The first failure GDAL reported since (one line), or "no reason given by GDAL". */
const char *c3d_gdal_said(void);
/* True when GDAL reported a failure since: some calls (close, flush) return nothing. */
bool c3d_gdal_failed(void);

bool c3d_gdal_type(GDALDataType type, c3d_dtype *out); /* false: complex or unknown */
GDALDataType c3d_gdal_type_of(c3d_dtype dtype);
/* An owned spatial reference with x = easting or longitude; NULL when the text is not known. */
OGRSpatialReferenceH c3d_gdal_srs(const char *text);
/* An owned WKT text of a reference; "" for NULL. */
char *c3d_gdal_wkt(OGRSpatialReferenceH srs);

/* Points from one CRS to the other; those without an image become NaN. */
void c3d_transformer_try(c3d_transformer *transformer, int n, double *x, double *y);

/* How a file that is not on the raster's grid is found from it. */
typedef struct raster_warp {
    c3d_transformer *to_file; /* from the grid's CRS */
    double inverse[6];        /* CRS to pixels of the file */
    double scale[2];          /* file pixels a grid pixel, at least 1: the kernels' width */
    c3d_resampling resampling;
    char what[160]; /* CRS and pixels of the file, for messages */
} raster_warp;

/* One file of a raster and where it lies on the raster's grid. */
typedef struct raster_file {
    char *path;
    GDALDatasetH dataset; /* NULL while closed */
    int width_px, height_px;
    c3d_window place;               /* on the grid; may reach over the edges of a given one */
    raster_warp *warp;              /* NULL: its pixels are the grid's */
    uint64_t used;                  /* when last, for closing the longest unused */
    int bands[C3D_MAX_BANDS];       /* the file's number of the raster's band i + 1 */
    c3d_dtype dtype;                /* of those */
    bool has_nodata[C3D_MAX_BANDS]; /* by the file's band */
    double nodata[C3D_MAX_BANDS];
    GDALDataType types[C3D_MAX_BANDS];
    int alpha_band;
    bool has_mask;  /* a mask of the whole file besides alpha */
    bool has_place; /* it has a georeference */
} raster_file;

struct c3d_raster {
    c3d_raster_info info;
    int n_files;
    raster_file *files;
    bool overlapping; /* some files lie over each other */
    int n_open;
    uint64_t clock;
};

/* Opens the file, fills file (its bands as they are) and, for its own grid, info (crs_wkt owned).
 */
C3D_CHECKED c3d_status c3d_raster_file_open(const char *path, raster_file *file,
                                            c3d_raster_info *info);
/* The open dataset of a file, opened again when it was closed to save handles. */
C3D_CHECKED c3d_status c3d_raster_file_use(c3d_raster *raster, raster_file *file,
                                           GDALDatasetH *out);
/* A row's geometry, or NULL; borrowed. */
OGRGeometryH c3d_gdal_row_geometry(const c3d_vector *vector, size_t row);

/* Finds the wanted bands in a file and fills file->bands and dtype. */
C3D_CHECKED c3d_status c3d_raster_file_bands(const c3d_mosaic_desc *desc,
                                             const c3d_raster_info *info, raster_file *file);
/* Type of the file's bands that the raster has; C3D_EDATA when there is none for it. */
C3D_CHECKED c3d_status c3d_raster_file_dtype(raster_file *file, int n_bands);

/* Fills file->warp and place: the file lies somewhere on the grid, but not on its pixels. */
C3D_CHECKED c3d_status c3d_raster_file_place(const c3d_grid *grid, const char *grid_name,
                                             const c3d_raster_info *info, c3d_resampling resampling,
                                             raster_file *file);
void c3d_raster_warp_free(raster_warp *warp);

/* What is read of one file: bands of the raster, in values and validity (either may be NULL). */
typedef struct file_request {
    const int *bands; /* the file's numbers */
    int n_bands;
    c3d_dtype dtype;
    bool zero_is_invalid;
} file_request;
/* window in the file's pixels */
C3D_CHECKED c3d_status c3d_raster_file_read(c3d_raster *raster, raster_file *file,
                                            c3d_window window, const file_request *want,
                                            void *values, uint8_t *valid);
/* window on the grid, within file->place */
C3D_CHECKED c3d_status c3d_raster_file_resample(c3d_raster *raster, raster_file *file,
                                                c3d_window window, const file_request *want,
                                                void *values, uint8_t *valid);

#endif
