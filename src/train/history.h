/* Between the sources of a history. */
#ifndef C3D_TRAIN_HISTORY_H
#define C3D_TRAIN_HISTORY_H

#include "c3d/train.h"

/* The frames of a list, their stored months, and the windows that are scored. The same on all ranks
 * but for the scores. */
typedef struct c3d_history {
    const c3d_history_desc *desc;
    const c3d_dataset *dataset;
    size_t n_frames;
    int64_t *frame_ids; /* [n_frames] ascending */
    int *labels;        /* [n_frames] the largest of the list's samples of the frame */
    int n_months;       /* stored, of all periods */
    float *shares;      /* [n_frames, n_months] c3d_dataset_valid_shares */
    int n_shown, step;  /* months of a window, and from one to the next */
    size_t n;
    c3d_sample *windows; /* [n] by frame, then time */
    int *last;           /* [n] month that a window ends in */
    size_t *first;       /* [n_frames + 1] window */
    float *scores;       /* [n] on rank 0: that something is there */
    float *all_scores;   /* [n, n_outputs] on rank 0, of K classes; else NULL */
} c3d_history;

/* Months from the first to the last of n, step apart. */
static inline int c3d_history_span(int n, int step)
{
    return (n - 1) * step + 1;
}
/* That something is there: the score of one output; of K classes that of any but class 0. */
static inline float c3d_history_score(const float *scores, int n_outputs)
{
    return n_outputs == 1 ? scores[0] : 1 - scores[0];
}

/* A view's samples, of that many months each, step apart, scored: on rank 0. COLLECTIVE. */
typedef struct c3d_history_view {
    c3d_view_desc view;
    int n_shown, step;
    bool with_log_odds;
    const char *label; /* of the progress */
} c3d_history_view;
C3D_CHECKED c3d_status c3d_history_score_view(const c3d_history_desc *desc,
                                              const c3d_history_view *of, c3d_evaluation *out);

/* Rank 0: the files, and what they say in a few lines; those of an earlier history are gone. */
C3D_CHECKED c3d_status c3d_history_write(const c3d_history *history);
/* The samples that single months are taken from, scored and written. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_history_occlude(const c3d_history *history);

#endif
