/* The parts of a preview: which scenes, their pictures, the label areas over them, the page.
 * Private to data. */
#ifndef C3D_DATA_PREVIEW_H
#define C3D_DATA_PREVIEW_H

#include "c3d/dataset.h"
#include "store.h"

/* ---- which scenes ---------------------------------------------------------------------------- */

/* Why a scene was chosen; several can be true. */
typedef enum preview_reason {
    PREVIEW_DRAWN,
    PREVIEW_CHANGED,
    PREVIEW_UNCERTAIN,
    PREVIEW_HARD,
    PREVIEW_EDITED,
    PREVIEW_MISSING,
    N_PREVIEW_REASONS
} preview_reason;
typedef struct preview_scene {
    size_t frame;          /* row of frames */
    unsigned reasons;      /* bits */
    double missing;        /* mean share over its months */
    c3d_frame_label label; /* of the last year that has one */
} preview_scene;
typedef struct preview_choice {
    size_t n;
    preview_scene *scenes;             /* by split, label (positive first), frame_id */
    size_t n_found[N_PREVIEW_REASONS]; /* in the whole dataset */
} preview_choice;
C3D_CHECKED c3d_status c3d_preview_choose(const c3d_frames *frames, const c3d_store *store, int n,
                                          uint64_t seed, preview_choice *out);
void c3d_preview_choice_free(preview_choice *choice);

/* ---- pictures -------------------------------------------------------------------------------- */

/* Brightness = ((value - low) / (high - low)) ^ PREVIEW_GAMMA: forest is dark beside bare soil. */
#define PREVIEW_GAMMA 0.8
/* How values become colours, the same for all scenes of a page. */
typedef struct preview_stretch {
    int n_channels, bands[3];  /* 1 grey, 3 red, green, blue; band indices */
    bool is_natural, is_asked; /* found by name; named by the caller */
    double low[3], high[3];    /* black and full */
} preview_stretch;
/* Scenes of a page. */
typedef struct preview_list {
    size_t n;
    const int64_t *frame_ids; /* [n] */
} preview_list;
/* Reads the scenes; low and high are the 1st and 99th percentile of their pixels, each
 * pixel by the median of its observations; in natural colours high is the highest of the three. */
C3D_CHECKED c3d_status c3d_preview_stretch(const c3d_store *store, const preview_list *scenes,
                                           const char *bands, preview_stretch *out);
/* Appends what the colours are, sentences. */
void c3d_preview_key(const c3d_store *store, const preview_stretch *stretch, int factor,
                     c3d_text *out);
/* How many pixels, along each side, make one of a picture: the smallest number at which all months
 * of n scenes are likely to fit. */
int c3d_preview_factor(const c3d_store *store, size_t n, double max_bytes);
/* A frame's months, of all periods; in one that lacks the frame nothing is valid. */
typedef struct preview_pixels {
    c3d_shard_shape shape; /* with the months of all periods */
    void *values;          /* as c3d_scene */
    uint8_t *valid;
    float *missing_share;
} preview_pixels;
C3D_CHECKED c3d_status c3d_preview_read(const c3d_store *store, int64_t frame_id,
                                        preview_pixels *out);
void c3d_preview_pixels_free(preview_pixels *pixels);
/* A month of a scene in a page. */
typedef struct preview_month {
    const preview_pixels *pixels;
    int month;
    const preview_stretch *stretch;
    int factor;
    const char *style;   /* of the figure; "" */
    const char *areas;   /* id of a <g> with label areas; "": none */
    const char *caption; /* its date; "" */
} preview_month;
/* Appends a <figure>: the picture, the label areas over it, below it the date and the share that is
 * missing. One pixel of the picture is the mean of the observed ones among factor x factor; where
 * more than half are not observed it is transparent. A month without a pixel has no picture. */
C3D_CHECKED c3d_status c3d_preview_month(const preview_month *month, c3d_text *out);

/* ---- label areas ----------------------------------------------------------------------------- */

typedef struct c3d_outlines c3d_outlines; /* the label files of all years, opened when needed */
/* notes gets a line for what cannot be drawn, such as files that are gone. */
C3D_CHECKED c3d_status c3d_outlines_open(const char *gpkg, const c3d_frames *frames,
                                         c3d_outlines **out, c3d_text *notes);
void c3d_outlines_close(c3d_outlines *outlines);
bool c3d_outlines_has_year(const c3d_outlines *outlines, int year_index);
/* Appends the border of a class's area in a frame as an SVG path: x right and y down, in pixels of
 * the frame from its first corner. Nothing where the class has no pixel. */
C3D_CHECKED c3d_status c3d_outlines_draw(c3d_outlines *outlines, const c3d_frame *frame,
                                         int year_index, int class_index, c3d_text *out);
/* Appends <g id=ID> with the borders of all classes, of class cN halo and cN line. */
C3D_CHECKED c3d_status c3d_outlines_draw_all(c3d_outlines *outlines, const c3d_frames *frames,
                                             const c3d_frame *frame, int year_index, const char *id,
                                             c3d_text *out);
/* Of a class among those of the frames; the positive one (-1: none is) has the first. */
const char *c3d_outline_colour(int class_index, int positive);
/* Index of the class that is the positive one; -1: none is. */
C3D_CHECKED c3d_status c3d_outlines_positive(const char *gpkg, const c3d_frames *frames, int *out);

#endif
