/* raster: the only module that includes GDAL. Rasters and vectors as plain C: sizes, windows,
 * transforms, layers of points and polygons with named fields.
 *
 * Pixel coordinates: column x to the right, row y down, (0, 0) the outer corner of the first pixel.
 * A transform is GDAL's: X = t[0] + x t[1] + y t[2], Y = t[3] + x t[4] + y t[5]. */
#ifndef C3D_RASTER_H
#define C3D_RASTER_H

#include "c3d/tensor.h"

#define C3D_MAX_BANDS 256

typedef struct c3d_raster c3d_raster; /* an open raster: a file, or several as one mosaic */

typedef struct c3d_raster_info {
    int width_px, height_px, n_bands;
    c3d_dtype dtype;
    double transform[6];
    char *crs_wkt;                      /* owned by the raster; "" when it has none */
    char band_names[C3D_MAX_BANDS][64]; /* description, else colour role ("red"), else "" */
    char band_roles[C3D_MAX_BANDS][16]; /* colour role ("red"), else "" */
    bool has_nodata[C3D_MAX_BANDS];     /* of the first file; a tag the type cannot hold is none */
    double nodata[C3D_MAX_BANDS];
    int alpha_band;   /* 1-based; 0: none */
    bool has_palette; /* a picture of classes rather than classes */
} c3d_raster_info;

/* GDAL's own error lines are caught and become part of our message; nothing is printed. */
void c3d_raster_start(void); /* registers drivers; once, before anything else here */

/* Memory of this process for decoded blocks of all rasters, at least 16 MiB. */
void c3d_raster_set_cache(size_t n_bytes);

/* C3D_EIO/C3D_EDATA name the file and say what GDAL said. */
C3D_CHECKED c3d_status c3d_raster_open(const char *path, c3d_raster **out);
/* Several files as one virtual mosaic on the pixel grid of the first, grown to hold all of them;
 * places that no file covers are gaps (invalid pixels). All need the same CRS, pixel grid, number
 * of bands and type: C3D_EDATA names the two files that differ. Where files overlap, a pixel is
 * taken from the last file that has data there. Files are opened when needed; a few stay open. n
 * >= 1. */
C3D_CHECKED c3d_status c3d_raster_open_mosaic(const char *const *paths, int n, c3d_raster **out);

/* A grid of pixels that several rasters share, such as all months of an archive. */
typedef struct c3d_grid {
    double transform[6];
    int width_px, height_px;
    const char *crs_wkt; /* borrowed; NULL: not compared */
    const char *name;    /* of a file that has it, for messages; NULL: "the other months" */
} c3d_grid;
/* The same on a given grid: window (x, y) is the same place in every raster opened on it. What lies
 * outside the grid is not seen. */
C3D_CHECKED c3d_status c3d_raster_open_on_grid(const char *const *paths, int n,
                                               const c3d_grid *grid, c3d_raster **out);

/* A band that is looked for in every file. */
typedef struct c3d_band_wanted {
    char name[64];  /* description or colour role; "": known by its number alone */
    int number;     /* where the first file has it, 1-based; 0: nowhere yet */
    bool by_number; /* the number was asked for: right in any file that has as many bands */
} c3d_band_wanted;
/* What `texts` (names, or numbers from 1) mean in a first file; n 0: all its bands but alpha. A
 * name is compared without case and separators with descriptions, then with colour roles. Names
 * that are left over are given in order to as many bands that have neither. A number stands for the
 * name of that band, where it has one. out: [C3D_MAX_BANDS]. C3D_EDATA names the file and what it
 * has. */
C3D_CHECKED c3d_status c3d_bands_want(const c3d_raster *first, int n, const char *const *texts,
                                      c3d_band_wanted *out, int *n_out);

/* What is done with files on another grid or in another CRS. */
typedef enum c3d_resampling {
    C3D_RESAMPLING_REFUSED, /* C3D_EDATA names the file */
    C3D_RESAMPLING_NEAREST, /* the pixel in which the centre falls: digital numbers stay */
    C3D_RESAMPLING_BILINEAR,
    C3D_RESAMPLING_CUBIC, /* Catmull-Rom; bilinear where a neighbour is not valid */
} c3d_resampling;
/* Files that need not be alike. Each file's bands are found by name; by position only in a file
 * that names none and has n_file_bands (alpha aside). Band i of the raster is wanted[i]; other
 * bands (a fifth, another mask) may have any type. Resampled files: both kernels leave out pixels
 * that are not valid, and widen where the file's pixels are the smaller ones; a pixel is valid when
 * the one its centre falls in is. A resampled pixel is a function of its place on the grid alone,
 * whatever window is read. Positions are exact to 1e-5 px. */
typedef struct c3d_mosaic_desc {
    int n_files;
    const char *const *paths;
    const c3d_grid *grid; /* NULL: the first file's, grown to hold all */
    int n_bands;
    const c3d_band_wanted *wanted;
    int n_file_bands; /* of the first file, alpha aside */
    c3d_resampling resampling;
} c3d_mosaic_desc;
C3D_CHECKED c3d_status c3d_raster_open_alike(const c3d_mosaic_desc *desc, c3d_raster **out);
/* Bands that are not alpha. */
int c3d_raster_n_data_bands(const c3d_raster_info *info);
/* True when a file has a nodata tag, alpha or a mask: then zeros mean nothing. */
bool c3d_raster_has_marks(const c3d_raster *raster);
/* How a file is not on the raster's grid ("EPSG:32722, pixels of 10 x 10"); NULL: it is. */
const char *c3d_raster_file_warp(const c3d_raster *raster, int file);
const char *c3d_raster_file_path(const c3d_raster *raster, int file);
void c3d_raster_close(c3d_raster *raster); /* NULL is fine */
const c3d_raster_info *c3d_raster_get_info(const c3d_raster *raster);
const char *c3d_raster_path(const c3d_raster *raster); /* of the first file; borrowed */

typedef struct c3d_window {
    int x, y, width, height;
} c3d_window;
/* Closes the files; reading opens them again. To save handles of rasters not in use. */
void c3d_raster_release(c3d_raster *raster);
int c3d_raster_n_open(const c3d_raster *raster); /* files open now, at most 64 */
/* The files of a mosaic and where each lies on its grid (a file may reach over the edge of a given
 * grid; of a resampled one, the smallest rectangle). */
int c3d_raster_n_files(const c3d_raster *raster);
c3d_window c3d_raster_file_window(const c3d_raster *raster, int file);

/* Pixels of the bands (1-based numbers) into `to`, [band, y, x] of dtype (converted and clamped as
 * GDAL does when it differs from the file's; 0 in gaps). The window must lie inside. C3D_EDATA
 * names the file and the rows that could not be read. */
C3D_CHECKED c3d_status c3d_raster_read(c3d_raster *raster, c3d_window window, const int *bands,
                                       int n_bands, c3d_dtype dtype, void *to);
/* Validity of the same window, [y, x], 1 valid: nodata of any of the bands, NaN, alpha 0, the
 * file's own mask, or a gap of the mosaic make a pixel invalid; if the file has none of tag, alpha
 * and mask, `zero_is_invalid` makes pixels invalid whose bands are all 0. */
C3D_CHECKED c3d_status c3d_raster_read_valid(c3d_raster *raster, c3d_window window,
                                             const int *bands, int n_bands, bool zero_is_invalid,
                                             uint8_t *to);

/* The two at once, which reads the pixels once where their values say what is valid. */
typedef struct c3d_pixels_wanted {
    c3d_window window;
    const int *bands; /* [n_bands] */
    int n_bands;
    c3d_dtype dtype;
    bool zero_is_invalid;
} c3d_pixels_wanted;
C3D_CHECKED c3d_status c3d_raster_read_both(c3d_raster *raster, const c3d_pixels_wanted *what,
                                            void *values, uint8_t *valid);

/* Writing: a GeoTIFF (tiled, compressed) all at once; used by the demo archive. pixels: [band, y,
 * x].
 */
typedef struct c3d_raster_new {
    int width_px, height_px, n_bands;
    c3d_dtype dtype;
    double transform[6];
    const char *crs;               /* "EPSG:3857" or WKT */
    const char *const *band_names; /* [n_bands] or NULL; blue, green, red also set colour roles */
    bool has_nodata;
    double nodata;
    int block_px;            /* tile size, 256 */
    const char *compression; /* GDAL's name, "LZW"; NULL: DEFLATE */
} c3d_raster_new;
C3D_CHECKED c3d_status c3d_raster_write(const char *path, const c3d_raster_new *desc,
                                        const void *pixels);

/* A PNG file in memory, given (free()): pixels [y, x, band], 1 grey, 3 red, green, blue, 4 with
 * alpha. */
C3D_CHECKED c3d_status c3d_png_encode(const uint8_t *pixels, int width, int height, int n_bands,
                                      void **bytes_out, size_t *n_out);

/* ---- coordinates
 * ---------------------------------------------------------------------------------- */

typedef struct c3d_transformer c3d_transformer; /* from one CRS to another, x = easting/longitude */
C3D_CHECKED c3d_status c3d_transformer_create(const char *from_wkt, const char *to_wkt,
                                              c3d_transformer **out);
void c3d_transformer_destroy(c3d_transformer *transformer);
/* In place; C3D_EDATA when a point has no image. */
C3D_CHECKED c3d_status c3d_transformer_apply(c3d_transformer *transformer, int n, double *x,
                                             double *y);
/* True when both are the same CRS and nothing is computed. */
bool c3d_transformer_is_identity(const c3d_transformer *transformer);
/* True when both describe the same CRS (axis order aside). */
bool c3d_crs_is_same(const char *a_wkt, const char *b_wkt);
/* Metres of one unit of a projected CRS; 0 for geographic ones. */
double c3d_crs_metre(const char *wkt);
bool c3d_transform_invert(const double t[6], double out[6]);

/* ---- vector layers (GeoPackage)
 * -------------------------------------------------------------------- */

typedef enum c3d_field_type { C3D_FIELD_INT, C3D_FIELD_REAL, C3D_FIELD_TEXT } c3d_field_type;
typedef struct c3d_field_desc {
    const char *name;
    c3d_field_type type;
} c3d_field_desc;
typedef union c3d_field_value {
    long long i;
    double r;
    const char *t; /* NULL: null */
} c3d_field_value;

/* C3D_EIO when another program has the GeoPackage at `path` open so that replacing the file would
 * lose its edits; takes it out of write-ahead mode otherwise. A writer looks at its start and when
 * it commits; for a caller whose work until then is long. C3D_OK where no file is. */
C3D_CHECKED c3d_status c3d_vector_replaceable(const char *path);

typedef struct c3d_vector_writer c3d_vector_writer;
/* A new GeoPackage, written beside `path` in one transaction; an old one is replaced at commit. */
C3D_CHECKED c3d_status c3d_vector_writer_create(const char *path, c3d_vector_writer **out);
/* Starts a layer of polygons (crs != NULL) or a table without geometry (crs == NULL). */
C3D_CHECKED c3d_status c3d_vector_writer_layer(c3d_vector_writer *writer, const char *name,
                                               const char *crs_wkt, const c3d_field_desc *fields,
                                               int n_fields);
/* One row; ring: n_points closed ring x0 y0 x1 y1 ..., or NULL. A real NaN and text NULL are null.
 */
C3D_CHECKED c3d_status c3d_vector_writer_add(c3d_vector_writer *writer, const double *ring,
                                             int n_points, const c3d_field_value *values);
/* A QGIS style (QML text) by a name, in table layer_styles; QGIS loads a layer with its first. */
C3D_CHECKED c3d_status c3d_vector_writer_style(c3d_vector_writer *writer, const char *layer,
                                               const char *name, const char *qml);
/* A consistent copy of the GeoPackage at `path`, without what was deleted in it; commit puts it in
 * its place. */
C3D_CHECKED c3d_status c3d_vector_writer_open(const char *path, c3d_vector_writer **out);
/* An existing layer for add, whose values are of the layer's first n_fields fields. C3D_EDATA when
 * it is absent or has fewer. */
C3D_CHECKED c3d_status c3d_vector_writer_select(c3d_vector_writer *writer, const char *name,
                                                int n_fields);
/* More fields of the layer, after the others. */
C3D_CHECKED c3d_status c3d_vector_writer_fields(c3d_vector_writer *writer,
                                                const c3d_field_desc *fields, int n_fields);
/* Other values in a row of the layer (c3d_vector_row_id), of fields by name. */
C3D_CHECKED c3d_status c3d_vector_writer_change(c3d_vector_writer *writer, long long row_id,
                                                const c3d_field_desc *fields, int n_fields,
                                                const c3d_field_value *values);
C3D_CHECKED c3d_status c3d_vector_writer_commit(c3d_vector_writer *writer); /* ends the writer */
void c3d_vector_writer_discard(c3d_vector_writer *writer);

typedef struct c3d_vector c3d_vector; /* an open layer, all rows in memory */
/* layer NULL: the only one. */
C3D_CHECKED c3d_status c3d_vector_open(const char *path, const char *layer, c3d_vector **out);
const char *c3d_vector_path(const c3d_vector *vector); /* borrowed */
void c3d_vector_close(c3d_vector *vector);
size_t c3d_vector_n_rows(const c3d_vector *vector);
int c3d_vector_n_fields(const c3d_vector *vector);
const char *c3d_vector_field_name(const c3d_vector *vector, int field);
int c3d_vector_field(const c3d_vector *vector, const char *name);  /* -1 when absent */
long long c3d_vector_row_id(const c3d_vector *vector, size_t row); /* in its file */
/* False when null or not convertible. Text is borrowed. */
bool c3d_vector_int(const c3d_vector *vector, size_t row, int field, long long *out);
bool c3d_vector_real(const c3d_vector *vector, size_t row, int field, double *out);
const char *c3d_vector_text(const c3d_vector *vector, size_t row, int field);
/* Bounding box of the row's geometry: x_min, y_min, x_max, y_max; false without geometry. */
bool c3d_vector_bounds(const c3d_vector *vector, size_t row, double out[4]);
/* In the layer's units squared; 0 without geometry. */
double c3d_vector_area(const c3d_vector *vector, size_t row);
const char *c3d_vector_crs_wkt(const c3d_vector *vector);

/* ---- what polygons and points cover
 * ------------------------------------------------------------------------ */

/* Polygons and points of classes in the pixel plane of a grid. Vertices are moved there one by one
 * and edges are straight there; polygons that cross themselves are mended first (GEOS). */
typedef struct c3d_shapes c3d_shapes;
C3D_CHECKED c3d_status c3d_shapes_create(const c3d_grid *grid, int n_classes, c3d_shapes **out);
void c3d_shapes_destroy(c3d_shapes *shapes); /* NULL is fine */
/* Rows of a layer; class_of_row [n_rows], -1: left out. C3D_EDATA names the row of a line, or of a
 * vertex without a place in the grid's CRS. */
C3D_CHECKED c3d_status c3d_shapes_add(c3d_shapes *shapes, const c3d_vector *layer,
                                      const int *class_of_row);
/* x_min, y_min, x_max, y_max in pixels; false when there is nothing. */
bool c3d_shapes_bounds(const c3d_shapes *shapes, double out[4]);
/* shares [n, n_classes]: of each window's area what polygons of the class cover, overlaps counted
 * once; 1 where the window holds a point of it (one on the right or lower edge is the next
 * window's). */
C3D_CHECKED c3d_status c3d_shapes_cover(const c3d_shapes *shapes, size_t n,
                                        const c3d_window *windows, double *shares);

/* Appends the borders of a class in a window as an SVG path in pixels from the window's corner;
 * points as crosses. */
C3D_CHECKED c3d_status c3d_shapes_draw(const c3d_shapes *shapes, int class_index, c3d_window window,
                                       c3d_text *out);

/* Polygons with a word each, such as regions of a split. */
enum { C3D_AREA_WORD_SIZE = 256 };
typedef struct c3d_area {
    char word[C3D_AREA_WORD_SIZE]; /* of its field, else its layer's name */
    char place[128];               /* "layer NAME, feature N", for messages */
    size_t first_ring, n_rings;
} c3d_area;
typedef struct c3d_areas {
    size_t n;
    c3d_area *rows;
    size_t n_rings;
    size_t *ring; /* [n_rings + 1]: ring r has points ring[r] .. ring[r + 1] - 1 */
    double *xy;   /* [ring[n_rings]][2], each ring closed */
} c3d_areas;
/* All polygons of all layers of a vector file, transformed to a CRS (long edges are cut up first).
 * A layer without the field gives its name. Inside is what an odd number of an area's rings
 * surround. C3D_EDATA names file, layer and feature: no polygon, not a valid one, no CRS, a CRS
 * without a way to this one, a word that does not fit, or two of different words that overlap. */
C3D_CHECKED c3d_status c3d_areas_read(const char *path, const char *field, const char *crs_wkt,
                                      c3d_areas *out);
void c3d_areas_free(c3d_areas *areas);

#endif
