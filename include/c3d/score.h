/* score: figures of how well scores tell labels apart, with intervals, and the files that hold
 * scores. Plain arrays in, numbers out; knows nothing of data, training or ranks.
 *
 * Everything is local and, with the same arguments, the same to the last bit everywhere: counts are
 * integers, sums are made in the order of the samples, random numbers are base's.
 *
 * Of one output (n_outputs 1) a label is 0 or 1 and a score the probability of 1; a score ABOVE a
 * threshold says positive. Of K > 1 outputs scores are [n, K], the probabilities of K classes, a
 * label is 0..K-1 and the prediction the class of the largest score. */
#ifndef C3D_SCORE_H
#define C3D_SCORE_H

#include "c3d/base.h"

/* ---- counts and shares -------------------------------------------------------------------------
 */

typedef struct c3d_counts {
    int64_t tp, fp, tn, fn;
} c3d_counts;
/* A score above the threshold counts as positive (label 1). Arrays of n. */
c3d_counts c3d_counts_at(const float *scores, const int32_t *labels, size_t n, double threshold);

/* A figure with its interval; all NaN where undefined (0/0). */
typedef struct c3d_estimate {
    const char *name;
    double value, low, high;
    const char *method; /* "wilson", ... ; static storage */
} c3d_estimate;
typedef enum c3d_metric {
    C3D_METRIC_ACCURACY,          /* (tp + tn) / n */
    C3D_METRIC_PRECISION,         /* tp / (tp + fp) */
    C3D_METRIC_RECALL,            /* tp / (tp + fn) */
    C3D_METRIC_SPECIFICITY,       /* tn / (tn + fp) */
    C3D_METRIC_F1,                /* 2 tp / (2 tp + fp + fn) */
    C3D_METRIC_BALANCED_ACCURACY, /* (recall + specificity) / 2; of K classes the mean recall */
    C3D_METRIC_F05,               /* F-beta, beta = 0.5 */
    C3D_N_METRICS
} c3d_metric;
const char *c3d_metric_name(c3d_metric metric); /* "balanced_accuracy", "f0.5" */
/* NaN where it is 0/0. */
double c3d_metric_of(c3d_counts counts, c3d_metric metric);
/* (1 + b^2) tp / ((1 + b^2) tp + b^2 fn + fp), van Rijsbergen (1979). */
double c3d_f_beta(c3d_counts counts, double beta);
/* Wilson's 95 % interval of k of n; method "wilson". */
c3d_estimate c3d_share(const char *name, int64_t k, int64_t n);
/* 95 % intervals: Wilson (1927) for shares; for F1 = 2j / (1 + j) the Wilson interval of
 * j = tp / (tp + fp + fn), carried over; for the balanced accuracy those of recall and specificity
 * put together by squares (Newcombe 1998); none for F0.5. They take scenes as independent, which
 * neighbours are not. */
void c3d_metrics_of(c3d_counts counts, c3d_estimate out[C3D_N_METRICS]);
/* Area under the ROC curve, ties counted half (Mann and Whitney 1947), interval after Hanley and
 * McNeil (1982). NaN unless both labels occur. C3D_ENOMEM. */
C3D_CHECKED c3d_status c3d_auc(const float *scores, const int32_t *labels, size_t n,
                               c3d_estimate *out);

/* ---- K classes ---------------------------------------------------------------------------------
 */

/* The lowest class among those of the largest score; scores [n_classes]. */
int c3d_class_predicted(const float *scores, int n_classes);
/* out [n_classes, n_classes]: samples by label (row) and predicted class (column). */
void c3d_confusion(const float *scores, const int32_t *labels, size_t n, int n_classes,
                   int64_t *out);
/* out [n_outputs]: of one output class 1 at the threshold, of K every class against all others (the
 * threshold is unused). */
void c3d_counts_of(const float *scores, const int32_t *labels, size_t n, int n_outputs,
                   double threshold, c3d_counts *out);
/* Of K classes: accuracy is the share of right predictions; the others are unweighted means of the
 * classes' figures ("macro-mean"), of those that are defined, without an interval (NaN). counts
 * [n_outputs]. */
void c3d_metrics_of_outputs(const c3d_counts *counts, int n_outputs,
                            c3d_estimate out[C3D_N_METRICS]);
/* Area under the ROC curve of class k's score against all others. C3D_ENOMEM. */
C3D_CHECKED c3d_status c3d_auc_of_class(const float *scores, const int32_t *labels, size_t n,
                                        int n_classes, int k, c3d_estimate *out);
/* Of K classes the unweighted mean of those that are defined ("mean-one-vs-rest"), no interval. */
C3D_CHECKED c3d_status c3d_auc_of_outputs(const float *scores, const int32_t *labels, size_t n,
                                          int n_outputs, c3d_estimate *out);

/* ---- samples in the order of their scores ------------------------------------------------------
 */

/* For figures that are computed many times from the same scores: sorted once. */
typedef struct c3d_ranking {
    size_t n;
    uint32_t *sample;  /* [n] ascending score, equal ones by number */
    uint8_t *positive; /* [n] whether that sample's label is the one asked for */
    uint8_t *last;     /* [n] whether the next one's score is larger */
} c3d_ranking;
/* Of column `column` of scores [n, n_outputs] against label `label`. C3D_ENOMEM. */
typedef struct c3d_ranking_desc {
    const float *scores;
    const int32_t *labels;
    size_t n;
    int n_outputs, column, label;
} c3d_ranking_desc;
C3D_CHECKED c3d_status c3d_ranking_make(const c3d_ranking_desc *desc, c3d_ranking *out);
void c3d_ranking_free(c3d_ranking *ranking); /* a zeroed one is fine */
/* Areas with sample i counted times[group[i]] times; group NULL: times[i]; times NULL: each once.
 * NaN unless both labels occur. In 64-bit integers: exact while the samples counted are fewer than
 * 2^31. */
double c3d_ranking_auc(const c3d_ranking *ranking, const uint32_t *group, const uint32_t *times);
/* Average precision: sum of (R_k - R_{k-1}) P_k over the distinct scores, largest first. */
double c3d_ranking_average_precision(const c3d_ranking *ranking, const uint32_t *group,
                                     const uint32_t *times);

/* ---- blocks ------------------------------------------------------------------------------------
 * Samples of one block are not independent of each other; blocks are taken as such. */

#define C3D_BLOCKS_MIN 10 /* fewer give no bootstrap interval */
typedef struct c3d_blocks {
    size_t n; /* blocks */
    size_t n_samples;
    uint32_t *of;       /* [n_samples] 0..n-1, by ascending name */
    uint32_t *n_within; /* [n] samples */
} c3d_blocks;
/* names [n_samples]: any integers. C3D_ENOMEM. */
C3D_CHECKED c3d_status c3d_blocks_make(const int64_t *names, size_t n_samples, c3d_blocks *out);
void c3d_blocks_free(c3d_blocks *blocks); /* a zeroed one is fine */
/* n of n blocks drawn with replacement: times [n] how often each is in the replicate. A function of
 * (seed, replicate) and n. */
void c3d_blocks_draw(size_t n, uint64_t seed, uint64_t replicate, uint32_t *times);
/* The q-quantile of n values in ascending order, between neighbours on a straight line (type 7 of
 * Hyndman and Fan 1996). NaN for n = 0. */
double c3d_quantile(const double *sorted, size_t n, double q);
/* 2.5 and 97.5 % of the values that are not NaN, which are sorted in place, NaN last; both NaN when
 * fewer than nine tenths are defined. */
void c3d_percentiles(double *values, size_t n, double *low, double *high);
#define C3D_REPLICATES     1000
#define C3D_BOOTSTRAP_SEED 1

/* ---- scores-SPLIT.csv --------------------------------------------------------------------------
 */

typedef struct c3d_score_row {
    int64_t sample_id, frame_id, block;
    char first_month[12]; /* as in the file */
    int32_t label;
} c3d_score_row;
typedef struct c3d_score_table {
    size_t n;
    int n_outputs;
    bool has_blocks; /* else rows[].block is the frame */
    c3d_score_row *rows;
    float *scores;   /* [n, n_outputs] */
    int32_t *labels; /* [n] */
    char path[C3D_PATH_MAX];
} c3d_score_table;
/* C3D_EDATA names path, line and column: a column that is absent, a value that is no number, a
 * score that is not in [0, 1], no row. Row i stands in line i + 2. */
C3D_CHECKED c3d_status c3d_score_table_read(const char *path, c3d_score_table *out);
void c3d_score_table_free(c3d_score_table *table); /* a zeroed one is fine */

#endif
