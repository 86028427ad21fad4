/* compare: several networks on one test list: how much they differ, and how sure that is. Part of
 * module score. Arrays in, numbers, words and files out; the same input gives the same bytes.
 *
 * The question: would one network be better than the other on other places like these, trained
 * again? Both places and trainings vary, crossed: every run scores every frame. A difference d of
 * two networks (each the mean of its runs) has the variance
 *     V = V_blocks + s_A^2 / S_A + s_B^2 / S_B
 * - V_blocks: bootstrap over blocks of the list (frames that lie together are not independent),
 *   drawn with replacement, the same draw for all runs (paired), times B / (B - 1) for B blocks;
 * - s^2: variance of the runs of a network on the whole list, over S runs: what a bootstrap over
 *   seeds tends to, with S - 1 in the place of S, for with two or three runs that is not the same.
 * Resampling both ways is the pigeonhole bootstrap (Owen 2007, Annals of Applied Statistics 1:2),
 * which counts what run and place have in common three times; here it is counted twice, in V_blocks
 * and in s^2: conservative still. Cases and readers of ROC studies are crossed likewise (Gallas
 * 2006, Academic Radiology 13:3).
 * d / sqrt(V) is compared with Student's t of Satterthwaite's degrees of freedom (1946): S - 1 of
 * each s^2, and of V_blocks one less than the number of equal blocks the list is worth (Kish 1965):
 * for each label (sum m)^2 / sum m^2 over the samples m of each block, the smaller of the two.
 * With one run of a network its s^2 is unknown and left out: the result is about that trained model
 * and says nothing about training it again (is_of_models). So it is where runs share a seed: s^2,
 * kept, is then too small. p are corrected after Holm (1979) for
 * the number of networks compared with the reference. */
#ifndef C3D_COMPARE_H
#define C3D_COMPARE_H

#include "c3d/score.h"

/* The first is the primary measure: verdicts are about it. Named as in evaluation-SPLIT.json; of K
 * classes areas and Brier score are those of each class against the others, the areas' mean and the
 * Brier scores' sum. */
typedef enum c3d_compare_metric {
    C3D_COMPARE_AUC,
    C3D_COMPARE_AVERAGE_PRECISION,
    C3D_COMPARE_BRIER,
    C3D_COMPARE_COUNTS, /* and those of c3d_metric, in their order */
    C3D_N_COMPARED = C3D_COMPARE_COUNTS + C3D_N_METRICS
} c3d_compare_metric;
const char *c3d_compare_metric_name(int metric);

/* ---- input ----------------------------------------------------------------------------------- */

typedef struct c3d_compare_network {
    const char *name;
    int n_runs;                 /* trained alike but for the seed; at least 1 */
    int n_seeds;                /* different ones among them; 0: as many as runs */
    const float *const *scores; /* [n_runs][n, n_outputs] */
} c3d_compare_network;

typedef struct c3d_compare_desc {
    size_t n;
    int n_outputs;
    const int32_t *labels;               /* [n] */
    const int64_t *blocks;               /* [n] names of blocks: any integers */
    int n_networks;                      /* at least 2; the first is the reference */
    const c3d_compare_network *networks; /* [n_networks] */
    double threshold;                    /* of one output */
    int n_replicates;                    /* of the bootstrap */
} c3d_compare_desc;

#define C3D_COMPARE_REPLICATES 2000 /* a standard error is then known to 1.6 % */

/* ---- result ---------------------------------------------------------------------------------- */

/* A figure with its 95 % interval, cut to what is possible (0 to 1, a difference -1 to 1; Brier
 * scores of K classes go to 2); low, high, se and df are NaN where they are not known. */
typedef struct c3d_compared_value {
    double value, se, df, low, high;
} c3d_compared_value;

typedef enum c3d_verdict {
    C3D_VERDICT_REFERENCE,
    C3D_VERDICT_SAME,      /* the same scores, bit by bit */
    C3D_VERDICT_NOT_SHOWN, /* p_holm above 0.05 */
    C3D_VERDICT_BETTER,
    C3D_VERDICT_WORSE,
    C3D_VERDICT_TOO_LITTLE /* blocks */
} c3d_verdict;
const char *c3d_verdict_text(c3d_verdict verdict); /* "no difference", "better", ... */

/* Unless c3d_blocks_are_enough nothing is concluded. */
#define C3D_COMPARE_ALPHA 0.05
/* With fewer degrees of freedom runs that differ from each other hide whatever there is. */
#define C3D_COMPARE_DF_MIN 3

/* Of two runs of the same number: those that only one of both has right at the threshold. McNemar
 * (1947): exact, two-sided binomial up to 1000 of them, else chi-squared with Edwards' correction.
 * It takes samples as independent. */
typedef struct c3d_mcnemar {
    int network, run;       /* against that run of the reference */
    int64_t reference_only; /* right by the reference, wrong by the network */
    int64_t network_only;   /* the other way */
    double p;
    bool is_exact;
} c3d_mcnemar;
c3d_mcnemar c3d_mcnemar_of(int64_t reference_only, int64_t network_only);

typedef struct c3d_compared_network {
    const char *name; /* borrowed from the input */
    int n_runs, n_seeds;
    c3d_compared_value values[C3D_N_COMPARED];
    /* Against the reference: this one's minus that one's. */
    c3d_compared_value differences[C3D_N_COMPARED];
    double p[C3D_N_COMPARED], p_holm[C3D_N_COMPARED];
    bool is_of_models; /* one run of it or of the reference, or runs of one seed */
    c3d_verdict verdict;
} c3d_compared_network;

typedef struct c3d_comparison {
    size_t n;
    int n_outputs;
    size_t n_positive; /* of one output */
    size_t n_blocks;
    double effective_blocks;
    double threshold;
    int n_replicates;
    bool is_enough; /* blocks */
    int n_networks;
    c3d_compared_network *networks; /* [n_networks] */
    int n_mcnemar;
    c3d_mcnemar *mcnemar; /* [n_mcnemar] */
} c3d_comparison;

/* C3D_EDATA unless two labels occur and all are below the number of classes; C3D_ENOMEM. Freed by
 * c3d_comparison_free. Says how far it is (c3d_progress). */
C3D_CHECKED c3d_status c3d_compare(const c3d_compare_desc *desc, c3d_comparison *out);
void c3d_comparison_free(c3d_comparison *comparison); /* a zeroed one is fine */

/* Holm (1979), in place of p [n]; NaN stay and count as comparisons. */
void c3d_holm(const double *p, int n, double *out);

/* ---- words and files ------------------------------------------------------------------------- */

/* What the networks are told apart by besides their scores. Texts are borrowed. */
typedef struct c3d_compare_setting {
    const char *key;
    const char **values; /* [n_networks]; NULL: not known */
    bool is_of_scoring;  /* data: of how it was scored, not of what it learned from */
} c3d_compare_setting;

typedef struct c3d_compare_cost {
    /* means over the runs that have a cost.json; NaN where there is none */
    double parameters, multiply_adds, bytes_a_sample, samples_seen, device_hours;
} c3d_compare_cost;

/* Which scores of a run were compared. */
typedef struct c3d_compare_scored {
    int network;
    const char *dir;
    const char *checkpoint, *list_hash, *precision; /* of evaluation-SPLIT.json; NULL: not known */
} c3d_compare_scored;
typedef struct c3d_compare_context {
    const char *split;
    bool has_blocks;      /* it is known which frames lie together; else each is its own block */
    bool are_blocks_lone; /* no block holds two frames of the list */
    int n_networks;
    const char **names, **sources; /* [n_networks] directories, as they were given */
    bool *has_config;              /* [n_networks] */
    const char *
        *trained; /* [n_networks] how, in the words of cost.json; NULL, or of NULL: not said */
    c3d_compare_cost *costs; /* [n_networks] */
    int n_scored;
    c3d_compare_scored *scored; /* [n_scored] the runs, network by network */
    int n_settings, n_data;
    c3d_compare_setting *settings; /* keys of the configuration that differ */
    c3d_compare_setting *data;     /* what differs in the data, and in how it was scored */
    int n_warnings;
    const char **warnings; /* [n_warnings] why the figures may not be what they seem */
} c3d_compare_context;

/* Whether a key says where and how fast something is computed, not what. */
bool c3d_compare_is_beside(const char *key);
/* How configurations and data differ, and the warnings. */
void c3d_compare_print_settings(const c3d_compare_context *context, c3d_text *out);
/* The table; then secondary measures, McNemar's counts, costs. */
void c3d_compare_print_table(const c3d_comparison *comparison, const c3d_compare_context *context,
                             c3d_text *out);
/* One paragraph, without line breaks: what can be concluded and what cannot. Its figures are those
 * of the table, written the same. */
void c3d_compare_print_paragraph(const c3d_comparison *comparison,
                                 const c3d_compare_context *context, c3d_text *out);
/* Table and paragraph, in lines of 100 characters where the table lets it. */
void c3d_compare_print(const c3d_comparison *comparison, const c3d_compare_context *context,
                       c3d_text *out);
/* DIR/comparison.json, comparison.csv and comparison.txt (docs/evaluation.md). */
C3D_CHECKED c3d_status c3d_compare_write(const char *dir, const c3d_comparison *comparison,
                                         const c3d_compare_context *context);

#endif
