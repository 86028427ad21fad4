/* demo: the artificial archive: 45 months of drawn imagery with labels in the folder and file names
 * of Planet's monthly mosaics and MapBiomas' yearly maps, so that everything runs without private
 * data. It is drawn: a result on it says that the program works, not that it finds real mines.
 *
 * DIR/planet_medres_normalized_analytic_YYYY-MM_mosaic/COLUMN-ROW_quad.tif
 *     uint16 blue, green, red, nir; reflectance x 10000, 0 = missing; EPSG:3857 on Planet's pixel
 *     grid (level 15, 4.777314267823516 m); quads are smaller than Planet's 4096 px and numbered as
 *     Planet does: columns from 180 degrees west, rows from the south.
 * DIR/mapbiomas/brasil_coverage_YYYY.tif
 *     uint8 class codes; EPSG:4326, 0.0002694945852358564 degrees, no nodata tag; 2020 to 2023.
 * DIR/demo.json
 *     what was asked for, whether all of it is there, and the licence line. */
#ifndef C3D_DEMO_H
#define C3D_DEMO_H

#include "c3d/base.h"

#define C3D_DEMO_PIXEL_M       4.777314267823516
#define C3D_DEMO_LABEL_DEGREES 0.0002694945852358564

/* What is drawn. The last two are test sets of 16 months in which positive (30) and negative (3)
 * squares of 64 px alternate; two of each in every aligned square of 128 px (611.5 m, a good split
 * block). Meant for frames of 16 or 32 px. */
typedef enum c3d_demo_kind {
    C3D_DEMO_LANDSCAPE,
    /* Two random patterns and 14 steps between them, once round in 16 months. Positive: in this
     * order. Negative: in leaps of 5 or 7 steps. Where it begins is drawn, so that a single month
     * says nothing of the class, and neither does the set of all months: only their order does. */
    C3D_DEMO_TIME_ONLY,
    /* Positive: bare soil and turbid water. Negative: forest and grass. Every month tells. */
    C3D_DEMO_ONE_FRAME,
    C3D_DEMO_KINDS
} c3d_demo_kind;

/* Extent (square), frames of 32 px in it, and what a landscape takes on one core and on disk:
 *   tiny    256 px    64 frames       2 s     16 MB, for tests
 *   small   768 px    576 frames      10 s    130 MB
 *   medium  1536 px   2304 frames     40 s    520 MB
 *   large   4608 px   20736 frames    6 min   5 GB; of 16 px every 8 px more than 264,000
 * Test sets: tiny 256 px, small 512 px, medium 1024 px, large 2048 px. */
typedef enum c3d_demo_size {
    C3D_DEMO_SMALL,
    C3D_DEMO_MEDIUM,
    C3D_DEMO_LARGE,
    C3D_DEMO_TINY,
    C3D_DEMO_SIZES
} c3d_demo_size;

const char *c3d_demo_kind_name(c3d_demo_kind kind); /* "landscape", "time_only", "one_frame" */
bool c3d_demo_kind_parse(const char *name, c3d_demo_kind *out);
const char *c3d_demo_size_name(c3d_demo_size size); /* "small", "medium", "large", "tiny" */
bool c3d_demo_size_parse(const char *name, c3d_demo_size *out);

typedef struct c3d_demo_desc {
    const char *directory;      /* made when absent */
    c3d_demo_kind kind;         /* zero: landscape */
    c3d_demo_size size;         /* zero: small */
    uint64_t seed;              /* every byte of the archive is a function of kind, size and seed */
    const c3d_sharing *sharing; /* ranks that draw it together; NULL: one; borrowed */
} c3d_demo_desc;

/* Draws the archive, quad by quad and file by file, with progress; needs c3d_raster_start(). Files
 * that are there already are kept: a directory that holds this archive is left as it is, an
 * unfinished one is continued on any number of ranks; one of another kind, size or seed is refused
 * (C3D_EDATA). Memory: one quad, and on rank 0 the label rasters; 100 MB for large. C3D_ESTOPPED
 * when a stop was requested of any rank: call again. COLLECTIVE over the ranks of sharing. */
C3D_CHECKED c3d_status c3d_demo_make(const c3d_demo_desc *desc);

#endif
