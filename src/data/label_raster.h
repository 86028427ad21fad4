/* One raster of class codes under frames. Private to data. */
#ifndef C3D_DATA_LABEL_RASTER_H
#define C3D_DATA_LABEL_RASTER_H

#include "cover.h"
#include "label_product.h"

/* What codes stand for. */
typedef struct label_legend {
    int16_t class_of[LABEL_CODES_MAX]; /* -1: none */
    bool is_hard[LABEL_CODES_MAX];     /* of data.hard_negatives */
} label_legend;
/* C3D_ECONFIG for a code in two classes, or a text, which a raster cannot have. */
C3D_CHECKED c3d_status c3d_label_legend_make(const c3d_dataset_desc *desc, label_legend *legend);

typedef struct label_layer {
    c3d_raster *raster;
    const label_product *product; /* or NULL */
    label_grid grid;
    bool zero_unseen, old_unseen; /* codes 0 and 27 mean not observed */
    double *codes;                /* window buffers */
    uint8_t *valid;
    size_t capacity;
} label_layer;
/* Refuses what is no class raster of this place (part of the label gate). */
C3D_CHECKED c3d_status c3d_label_layer_open(const c3d_frames *frames, const c3d_archive_month *year,
                                            const label_legend *legend, label_layer *layer);
void c3d_label_layer_close(label_layer *layer);
/* True when both have the same pixels, so that one coverage is both's. */
bool c3d_label_layer_is_aligned(const label_layer *a, const label_layer *b);

/* Shares of one frame's area in one year. */
typedef struct label_sums {
    double *shares; /* [n_classes] */
    double *observed, *hard;
} label_sums;
/* Adds the pixels of the frame that cover is of. */
C3D_CHECKED c3d_status c3d_label_layer_add_up(label_layer *layer, const coverage *cover,
                                              const label_legend *legend, label_sums *sums,
                                              label_report *report);

#endif
