/* What became of every frame. Private to data. */
#ifndef C3D_DATA_CENSUS_H
#define C3D_DATA_CENSUS_H

#include "frames.h"
#include "store.h"

/* Each frame is in exactly one group. It is present when it is so in at least one period. */
typedef enum c3d_frame_fate {
    C3D_FATE_USED,       /* at least one sample */
    C3D_FATE_LEFT_OUT,   /* its samples have split none: data.hard_negative_share */
    C3D_FATE_NO_SPLIT,   /* present, split none: buffer strips, or taken out by hand */
    C3D_FATE_UNCERTAIN,  /* present, label between the thresholds, or years that disagree */
    C3D_FATE_UNLABELLED, /* present, no label raster says anything */
    C3D_FATE_NO_SAMPLE,  /* present and labelled, but no months fit a sample */
    C3D_FATE_EMPTY,      /* dropped: no valid pixel in any month */
    C3D_FATE_MISSING,    /* dropped: more missing than data.max_missing_share */
    C3D_FATE_ABSENT,     /* in no sample, and not clipped yet in some period */
    C3D_N_FATES
} c3d_frame_fate;
const char *c3d_fate_key(c3d_frame_fate fate);  /* "used", ... in dataset.json */
const char *c3d_fate_text(c3d_frame_fate fate); /* for people */

typedef struct c3d_census {
    size_t n_frames, fates[C3D_N_FATES];
    int n_classes;                 /* of samples, the negative one (0) with them */
    size_t *samples[C3D_N_SPLITS]; /* [n_classes] by label */
    bool knows_hard;               /* data.hard_negatives was asked for */
    size_t hard[C3D_N_SPLITS];     /* negatives among them that hold what it names */
    size_t n_changed;              /* frames whose label differs from that of the year before */
    int n_months;                  /* of all periods */
    double *missing_share;         /* [n_months] mean over present scenes */
    int n_periods;
    size_t (*scenes)[3]; /* [n_periods] by c3d_scene_status */
} c3d_census;
C3D_CHECKED c3d_status c3d_census_take(const c3d_frames *frames, const c3d_store *store,
                                       const c3d_samples *samples, c3d_census *out);
void c3d_census_free(c3d_census *census);

#endif
