/* An open dataset: where each sample's months lie. Private to data. */
#ifndef C3D_DATA_DATASET_OPEN_H
#define C3D_DATA_DATASET_OPEN_H

#include "c3d/data.h"

/* Months first .. first + n - 1 of a row of a shard. A sample whose months cross the end of a
 * period has several, in the order of time. */
typedef struct c3d_segment {
    int shard, row, first, n;
} c3d_segment;

typedef struct c3d_stage c3d_stage;   /* stage.h */
typedef struct c3d_hidden c3d_hidden; /* hidden.h */

struct c3d_dataset {
    char *dir;
    c3d_dataset_info info;
    c3d_samples samples;
    int fold;              /* that was chosen; -1: none */
    c3d_shard **shards;    /* [info.n_shards] */
    c3d_segment *segments; /* of all samples, one after the other */
    size_t *first_segment; /* [samples.n + 1] */
    int month_step;        /* months from one that a sample shows to the next */
    c3d_stage *stage;      /* NULL: everything is read from the store */
    /* of a view (c3d_dataset_view) */
    const c3d_dataset *of; /* owns dir, info and shards; NULL: no view */
    uint32_t *drawn_as;    /* [samples.n] row whose random draws a sample gets; NULL: its own */
    c3d_hidden *hidden;    /* months that samples show as if they were missing; NULL: none */
};

#endif
