/* Private to data: the steps of c3d_frames_make. */
#ifndef C3D_DATA_FRAMES_H
#define C3D_DATA_FRAMES_H

#include "c3d/dataset.h"

/* ---- grid ------------------------------------------------------------------------------------ */

/* Where there are files in any month: rectangles of the grid, each once. */
typedef struct c3d_footprint {
    c3d_window *windows;
    size_t n, capacity;
} c3d_footprint;
bool c3d_footprint_touches(const c3d_footprint *print, int x, int y, int size);
void c3d_footprint_free(c3d_footprint *print);
/* Fills the frames' grid: that of the archive's first file, grown to hold all. Says in the log what
 * is resampled to it. */
C3D_CHECKED c3d_status c3d_frames_take_grid(const c3d_dataset_desc *desc,
                                            const c3d_archive *archive, c3d_frames *frames,
                                            c3d_footprint *print);

/* ---- positions ------------------------------------------------------------------------------- */

/* Split blocks as rectangles of pixels, counted from the grid's first pixel; a block is a whole
 * number of strides. n_x = n_y = 1 and the size of the grid without blocks. */
typedef struct block_grid {
    int width_px, height_px, n_x, n_y;
} block_grid;
/* Metres of a degree of a great circle on a sphere of the earth's mean radius. */
#define C3D_DEGREE_M (6371008.8 * 3.14159265358979323846 / 180)
/* Metres of a pixel along x and y; geographic grids are measured at the latitude of their middle.
 */
void c3d_frames_pixel_m(const c3d_frames *frames, double out[2]);
/* Sides of squares of data.block_km, at least a frame's. */
void c3d_frames_block_px(const c3d_dataset_desc *desc, const c3d_frames *frames, int out[2]);
C3D_CHECKED c3d_status c3d_frames_blocks(const c3d_dataset_desc *desc, const c3d_frames *frames,
                                         block_grid *out);

/* ---- label shares ---------------------------------------------------------------------------- */

enum { LABEL_CODES_MAX = 65536 };

/* What the label rasters hold under the frames: areas in frames (frames that overlap count each).
 */
typedef struct label_report {
    double *code_area;  /* [LABEL_CODES_MAX] by integer code, observed or not */
    double other_area;  /* codes that are not integers of that range */
    double example;     /* one of those */
    double zero_unseen; /* area of code 0 that was taken as not observed */
    double observed;
    double total;
    bool has_palette;
    bool is_vector;                      /* then there are no codes */
    const struct label_product *product; /* of the first year; or NULL */
    char file[256];                      /* a label file, for messages */
} label_report;
void c3d_label_report_free(label_report *report);

/* Finds the label rasters, decides the label years, and fills years, classes, labels and shares of
 * the frames. Refuses what is no class raster of this place (part of the label gate). */
C3D_CHECKED c3d_status c3d_frames_measure(const c3d_dataset_desc *desc, const c3d_archive *archive,
                                          c3d_frames *frames, label_report *report);
/* The label files used, ascending by year. */
C3D_CHECKED c3d_status c3d_label_archive(const c3d_dataset_desc *desc, const c3d_archive *archive,
                                         c3d_archive *out);

typedef struct plane_point {
    double at[2];
} plane_point;
/* Area of the part of a convex polygon ([n] points, 3 to 8) inside the unit square. */
double c3d_unit_square_area(int n, const plane_point *points);

/* Grid and places of the frames, as c3d_frames_make begins. */
C3D_CHECKED c3d_status c3d_frames_place(const c3d_dataset_desc *desc, const c3d_archive *archive,
                                        c3d_frames *out);

/* ---- splits, gate, file ---------------------------------------------------------------------- */

C3D_CHECKED c3d_status c3d_frames_split(const c3d_dataset_desc *desc, const block_grid *blocks,
                                        c3d_frames *frames);
/* The split of frames that lie wholly in a polygon of desc->split_file, and of the others. */
C3D_CHECKED c3d_status c3d_frames_split_by_polygons(const c3d_dataset_desc *desc,
                                                    c3d_frames *frames);
/* Frames of other splits and folds nearer than buffer_m: the smaller splits keep theirs. */
C3D_CHECKED c3d_status c3d_frames_keep_buffer(const c3d_dataset_desc *desc, c3d_frames *frames);
/* The split of a frame's samples of a label year. */
c3d_split c3d_split_of_year(const c3d_dataset_desc *desc, c3d_split of_frame, int year);
/* Whether this split must have frames, by the settings alone: of polygons their file decides. */
bool c3d_split_is_wanted(const c3d_dataset_desc *desc, c3d_split split);
/* The rest of the label gate: codes and positives. */
C3D_CHECKED c3d_status c3d_label_gate(const c3d_dataset_desc *desc, const c3d_frames *frames,
                                      const label_report *report);
/* A number that changes when a setting does that shapes frames.gpkg. */
C3D_CHECKED c3d_status c3d_frames_fingerprint(const c3d_dataset_desc *desc,
                                              const c3d_archive *archive, uint64_t *out);
/* The same without the label files. */
uint64_t c3d_frames_settings(const c3d_dataset_desc *desc);
/* Layer frames, with the rows' marks made anew. */
C3D_CHECKED c3d_status c3d_frames_write_layer(c3d_vector_writer *writer, const c3d_frames *frames);
/* QGIS styles, one a label year; the last year's is the one a layer opens with. */
C3D_CHECKED c3d_status c3d_frames_write_styles(c3d_vector_writer *writer, const c3d_frames *frames);
/* Corners of a frame in the frames' CRS as a closed ring; false when it has no place. */
bool c3d_frames_ring(const c3d_frames *frames, const c3d_frame *frame, double ring[10]);
/* Whether a geometry of these bounds and area is the frame's, to a hundredth of a pixel. */
bool c3d_frames_has_shape(const c3d_frames *frames, const c3d_frame *frame, const double bounds[4],
                          double area);
/* Column made of row i; out has room for c3d_frames_made_max. */
void c3d_frames_made(const c3d_frames *frames, size_t i, char *out);
size_t c3d_frames_made_max(const c3d_frames *frames);
/* Row i against its column made: notes edits. C3D_EDATA for what may not be edited. */
C3D_CHECKED c3d_status c3d_frames_compare(const char *path, c3d_frames *frames, size_t i,
                                          const char *made);
/* Whether the frames.gpkg that is there stays; C3D_ECONFIG when it may not be replaced. */
C3D_CHECKED c3d_status c3d_frames_check_existing(const char *path, uint64_t fingerprint,
                                                 bool *keep);
/* What frames.gpkg says of its making. */
typedef struct frames_origin {
    uint64_t fingerprint;
    bool has_settings; /* not in older files */
    uint64_t settings; /* c3d_frames_settings */
} frames_origin;
C3D_CHECKED c3d_status c3d_frames_read_origin(const char *path, frames_origin *out);
/* Row of a frame, or (size_t)-1. */
size_t c3d_frames_find(const c3d_frames *frames, int64_t frame_id);

/* ---- layer sources --------------------------------------------------------------------------- */

/* The files a frames.gpkg lists. */
typedef struct known_sources {
    size_t n;
    char **keys; /* [n] sorted */
} known_sources;
C3D_CHECKED c3d_status c3d_known_sources_read(const char *path, known_sources *out);
void c3d_known_sources_free(known_sources *known);
/* kind: "mosaic" or "label". By date and name: the archive may have moved. */
bool c3d_known_sources_has(const known_sources *known, const char *kind, c3d_date date,
                           const char *path);

/* ---- columns of a label year ----------------------------------------------------------------- */

/* label_YYYY, share_CLASS_YYYY, change_YYYY (not of the first year) and hard_YYYY (with
 * data.hard_negatives): room for c3d_year_columns_max; both return how many they are. Names are the
 * caller's to free. */
int c3d_year_columns_max(const c3d_frames *frames);
int c3d_year_columns(const c3d_frames *frames, int k, c3d_field_desc *out);
int c3d_year_values(const c3d_frames *frames, size_t i, int k, c3d_field_value *out);

/* ---- additions ------------------------------------------------------------------------------- */

typedef struct frames_addition {
    const c3d_archive *mosaics, *labels; /* new files */
    int first_year;                      /* of the frames' years, the first that is new */
    uint64_t fingerprint;                /* from then on */
} frames_addition;
/* Adds to frames.gpkg in one transaction and leaves the rest as it is. frames: of that file, with
 * the new years behind the others. */
C3D_CHECKED c3d_status c3d_frames_add(const char *path, const c3d_frames *frames,
                                      const frames_addition *add);

#endif
