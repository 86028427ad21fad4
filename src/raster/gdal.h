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

/* One file of a raster and where it lies on the raster's grid. */
typedef struct raster_file {
    char *path;
    GDALDatasetH dataset; /* NULL while closed */
    c3d_window place;     /* may reach over the edges of a given grid */
    uint64_t used;        /* when last, for closing the longest unused */
    bool has_nodata[C3D_MAX_BANDS];
    double nodata[C3D_MAX_BANDS];
    int alpha_band;
    bool has_mask; /* a mask of the whole file besides alpha */
    bool is_float;
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

/* Clears valid [n] where a value of the band is the file's tag for nodata, or NaN. */
void c3d_valid_mark_nodata(const raster_file *file, int band, const void *values, c3d_dtype dtype,
                           size_t n, uint8_t *valid);
/* Sets some [n] to 1 where a value is not 0. */
void c3d_valid_add_some(const void *values, c3d_dtype dtype, size_t n, uint8_t *some);

/* Opens the file, fills file and, for its own grid, info (crs_wkt owned). */
C3D_CHECKED c3d_status c3d_raster_file_open(const char *path, raster_file *file,
                                            c3d_raster_info *info);
/* The open dataset of a file, opened again when it was closed to save handles. */
C3D_CHECKED c3d_status c3d_raster_file_use(c3d_raster *raster, raster_file *file,
                                           GDALDatasetH *out);

#endif
