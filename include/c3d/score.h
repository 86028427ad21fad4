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

/* Fewer blocks, or of a label worth fewer equal ones, give no bootstrap interval. */
#define C3D_BLOCKS_MIN           10
#define C3D_BLOCKS_MIN_EFFECTIVE 5
typedef struct c3d_blocks {
    size_t n; /* blocks */
    size_t n_samples;
    uint32_t *of;       /* [n_samples] 0..n-1, by ascending name */
    uint32_t *n_within; /* [n] samples */
} c3d_blocks;
/* names [n_samples]: any integers. C3D_ENOMEM. */
C3D_CHECKED c3d_status c3d_blocks_make(const int64_t *names, size_t n_samples, c3d_blocks *out);
void c3d_blocks_free(c3d_blocks *blocks); /* a zeroed one is fine */
/* How many equal blocks hold as much as these do of the samples with is[i] set: (sum m)^2 / sum m^2
 * over the samples m of each block (Kish 1965); 0 without any. is [n_samples], NULL: all.
 * C3D_ENOMEM.
 */
C3D_CHECKED c3d_status c3d_blocks_worth(const c3d_blocks *blocks, const bool *is, double *out);
/* Whether intervals may be had from blocks worth that many of each label. */
bool c3d_blocks_are_enough(size_t n_blocks, double worth);
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

/* ---- the figures of one evaluation -------------------------------------------------------------
 */

/* A figure with the interval to be told, and beside it the one of a formula that takes samples as
 * independent (NaN: none). method: "block-bootstrap" (percentiles of C3D_REPLICATES replicates),
 * else the formula's, and fallback says why. */
typedef enum c3d_fallback {
    C3D_FALLBACK_NONE,       /* by blocks; or a figure that never is; or an undefined one */
    C3D_FALLBACK_BLOCKS,     /* fewer than C3D_BLOCKS_MIN, or all samples worth too few */
    C3D_FALLBACK_POSITIVES,  /* worth fewer than C3D_BLOCKS_MIN_EFFECTIVE equal ones */
    C3D_FALLBACK_NEGATIVES,  /* the same; of a class: of the others */
    C3D_FALLBACK_CLASS,      /* the same of one of the classes that a mean is over */
    C3D_FALLBACK_REPLICATES, /* undefined, or a mean over fewer classes, in too many replicates */
    C3D_FALLBACK_SPREAD,     /* all percentiles are one number, which is no certainty */
    C3D_FALLBACK_STRATUM,    /* a stratum with a weight has no sample: no value either */
    C3D_N_FALLBACKS
} c3d_fallback;
/* "positives in too few blocks", ...; NULL of C3D_FALLBACK_NONE. */
const char *c3d_fallback_text(c3d_fallback fallback);
/* "*p", ...: beside figures whose interval is not by blocks although there are enough; else "". */
const char *c3d_fallback_mark(c3d_fallback fallback);
typedef struct c3d_figure {
    double value, low, high;
    const char *method; /* static storage */
    c3d_fallback fallback;
    double formula_low, formula_high;
    const char *formula; /* "wilson", ..., "none" */
} c3d_figure;

#define C3D_CURVE_MAX 200
/* Points of a curve with y's interval at each x (pointwise). */
typedef struct c3d_curve {
    int n;
    double x[C3D_CURVE_MAX], y[C3D_CURVE_MAX], low[C3D_CURVE_MAX], high[C3D_CURVE_MAX];
} c3d_curve;

typedef struct c3d_class_figures {
    c3d_counts counts;       /* against all others */
    double effective_blocks; /* that its samples are worth */
    c3d_figure metrics[C3D_N_METRICS], auc, average_precision;
} c3d_class_figures;

#define C3D_THRESHOLDS_MAX    8
#define C3D_SHEET_CLASSES_MAX 20 /* more: no intervals by blocks but of the means by counts */
typedef struct c3d_sheet_desc {
    const float *scores;   /* [n, n_outputs] */
    const int32_t *labels; /* [n] */
    const float *losses;   /* [n], or NULL */
    size_t n;
    int n_outputs;
    const int64_t *blocks; /* [n] names; or NULL: every sample is one */
    int n_thresholds;      /* of one output */
    double thresholds[C3D_THRESHOLDS_MAX];
    bool with_curves; /* of one output */
} c3d_sheet_desc;
typedef struct c3d_sheet {
    size_t n, n_blocks;
    double effective_blocks, positive_blocks, negative_blocks; /* worth; the last two: one output */
    /* Brier (1950): mean of (p - y)^2; of K classes of their sum. loss: mean, NaN without losses.
     * Of K classes auc and average_precision are means over the classes against the rest. */
    c3d_figure auc, average_precision, brier, loss;
    /* one output: at each threshold */
    int n_thresholds;
    double thresholds[C3D_THRESHOLDS_MAX];
    c3d_counts counts[C3D_THRESHOLDS_MAX];
    c3d_figure at[C3D_THRESHOLDS_MAX][C3D_N_METRICS];
    /* x false positive rate, y recall (the highest at that rate), from (0, 0) on; x recall, y
     * precision (the highest at that recall). Points of the curves of all distinct scores. Bands
     * are bare percentiles: at an end of the range they may have no width. */
    c3d_curve roc, precision_recall;
    /* K classes */
    int n_classes;
    /* Accuracy, and means over classes. A replicate in which a figure is defined for other classes
     * than on the whole list has no mean. */
    c3d_figure metrics[C3D_N_METRICS];
    c3d_class_figures *classes;   /* [n_classes] */
    int64_t *confusion;           /* [n_classes, n_classes] */
    c3d_figure *confusion_shares; /* the same: shares of the row; NULL for many classes */
} c3d_sheet;
/* C3D_ENOMEM. Time: C3D_REPLICATES times a few passes over the samples. */
C3D_CHECKED c3d_status c3d_sheet_make(const c3d_sheet_desc *desc, c3d_sheet *out);
void c3d_sheet_free(c3d_sheet *sheet); /* a zeroed one is fine */

/* Percentile intervals of any figures: compute fills values [n_figures] for blocks counted times
 * [n_blocks]; NULL: each once. low, high [n_figures]. Same draws for the same seed and number of
 * blocks. C3D_ENOMEM. */
typedef struct c3d_bootstrap_desc {
    size_t n_blocks, n_figures, n_replicates;
    uint64_t seed;
    void (*compute)(void *context, const uint32_t *times, double *values);
    void *context;
} c3d_bootstrap_desc;
C3D_CHECKED c3d_status c3d_bootstrap(const c3d_bootstrap_desc *desc, double *low, double *high);

/* ---- calibration -------------------------------------------------------------------------------
 */

#define C3D_CALIBRATION_BINS 10
typedef struct c3d_calibration_bin {
    double from, to; /* scores in (from, to], the first one's from 0 on */
    int64_t n, positives;
    double mean_score; /* NaN without samples */
} c3d_calibration_bin;
/* Bins of equal width; returns the expected calibration error: the mean over samples of
 * |share of positives - mean score| of their bin (Naeini et al. 2015). NaN for n = 0. */
double c3d_calibration(const float *scores, const int32_t *labels, size_t n,
                       c3d_calibration_bin out[C3D_CALIBRATION_BINS]);

/* ---- choosing a threshold ----------------------------------------------------------------------
 */

typedef enum c3d_choose_by { C3D_CHOOSE_F, C3D_CHOOSE_RECALL, C3D_CHOOSE_PRECISION } c3d_choose_by;
typedef struct c3d_choice {
    c3d_choose_by by;
    double value;  /* beta; or the recall or precision that is wanted at least */
    char name[32]; /* "f1", "f0.5", "recall>=0.9" */
} c3d_choice;
/* "f1", "f0.5", "f2", "recall=0.9", "precision=0.95"; false for anything else. */
bool c3d_choice_parse(const char *text, c3d_choice *out);
/* Largest F-beta; or largest precision with at least that recall; or largest recall with at least
 * that precision. Of equals the highest threshold. Thresholds are tried half way between
 * neighbouring distinct scores, and half the lowest. NaN where no threshold gives what is wanted,
 * or finds a positive. C3D_ENOMEM. */
C3D_CHECKED c3d_status c3d_choose_threshold(const c3d_choice *choice, const float *scores,
                                            const int32_t *labels, size_t n, double *out);

/* ---- area-weighted figures of a stratified sample ----------------------------------------------
 * Estimators of Olofsson et al. (2014, Remote Sensing of Environment 148), in the form of Stehman
 * (2014, International Journal of Remote Sensing 35) for strata that need not be the predicted
 * classes. Samples of a stratum are taken as drawn at random and independent. */

typedef struct c3d_strata {
    int n;                 /* strata */
    int n_classes;         /* 2 for one output */
    const double *weights; /* [n] shares of the area, or sizes; 0 is left out */
    const int64_t
        *counts; /* [n, n_classes, n_classes] samples by label (row) and predicted class */
} c3d_strata;
typedef struct c3d_weighted {
    c3d_figure accuracy;
    c3d_figure *precision, *recall; /* [n_classes] user's and producer's accuracy */
    c3d_figure *area;               /* [n_classes] share of the area that has the label */
} c3d_weighted;
/* 95 %: +-1.96 standard errors, cut to 0..1; method "stratified"; no interval ("none") where a
 * stratum has fewer than 2 samples or there is no spread (C3D_FALLBACK_SPREAD). Where a stratum
 * with a weight has no sample all is NaN (C3D_FALLBACK_STRATUM): it is not known what is there.
 * C3D_ENOMEM. */
C3D_CHECKED c3d_status c3d_weighted_make(const c3d_strata *strata, c3d_weighted *out);
void c3d_weighted_free(c3d_weighted *weighted); /* a zeroed one is fine */

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

/* What evaluation-SPLIT.json tells of the scores it was made with (scores_hash): XXH3-64 of the
 * file's bytes. */
enum { C3D_SCORES_HASH_SIZE = 20 };
C3D_CHECKED c3d_status c3d_scores_hash(const char *path, char out[C3D_SCORES_HASH_SIZE]);
/* Whether the table's file is the one that the evaluation was made with: by scores_hash, in one of
 * a version without it by `n`; one that tells neither is taken at its word. */
bool c3d_scores_belong(const c3d_score_table *table, const c3d_json *evaluation);

#endif
