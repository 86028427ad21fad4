/* The scores of one run, made ready to be measured again and again with other weights of blocks. */
#ifndef C3D_SCORE_COMPARE_RUN_H
#define C3D_SCORE_COMPARE_RUN_H

#include "c3d/compare.h"
#include "c3d/score.h"

typedef struct c3d_compare_run {
    int n_outputs;
    c3d_ranking *rankings; /* [n_outputs] each class against the others; of one output class 1 */
    c3d_counts *counts;    /* [blocks][n_outputs] as c3d_counts_of */
    double *squares;       /* [blocks] what the Brier score is the mean of */
    c3d_counts *sums;      /* [n_outputs] work space */
    int n_defined[C3D_N_COMPARED]; /* outputs for which a figure is defined on the whole list */
} c3d_compare_run;

C3D_CHECKED c3d_status c3d_compare_run_make(const c3d_compare_desc *desc, const float *scores,
                                            const c3d_blocks *blocks, c3d_compare_run *out);
void c3d_compare_run_free(c3d_compare_run *run); /* a zeroed one is fine */
/* With block b counted times[b] times; NaN where undefined, or, of a mean over classes, defined for
 * other ones than on the whole list. */
void c3d_compare_run_measure(const c3d_compare_run *run, const c3d_blocks *blocks,
                             const uint32_t *times, double out[C3D_N_COMPARED]);
/* Whether the sample's label is the one said: at the threshold, or of the largest score. */
bool c3d_compare_is_right(const c3d_compare_desc *desc, const float *scores, size_t sample);

#endif
