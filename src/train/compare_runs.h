/* What the parts of a comparison's reading tell each other. */
#ifndef C3D_TRAIN_COMPARE_RUNS_H
#define C3D_TRAIN_COMPARE_RUNS_H

#include "c3d/train.h"

typedef enum compared_fact {
    FACT_DATASET_HASH,
    FACT_FOLD,
    FACT_SAMPLES_SEEN,
    N_FACTS
} compared_fact;

/* One trained model: a directory with scores-SPLIT.csv. */
typedef struct compared_run {
    char dir[C3D_PATH_MAX];
    int network; /* whose run it is */
    c3d_score_table table;
    float *scores; /* [n, n_outputs] in the order of the first run's table */
    bool has_config;
    c3d_config config;
    char *facts[N_FACTS]; /* NULL: not known */
    c3d_compare_cost cost;
} compared_run;

struct c3d_compared_runs_state {
    int n_runs;
    compared_run **runs; /* [n_runs] network by network */
    char **texts;        /* [n_texts] everything that settings and names point to */
    int n_texts;
    int32_t *labels;      /* [n] */
    int64_t *blocks;      /* [n] */
    const float **scores; /* [n_runs] */
    c3d_compare_network *networks;
};

/* Puts all runs' scores into the order of the first; labels and blocks. C3D_EDATA names file and
 * line of the first row that is not in both lists alike. */
C3D_CHECKED c3d_status c3d_match_lists(struct c3d_compared_runs_state *state, bool *has_blocks);
/* Configuration, facts and cost of a run, of what there is of these. */
C3D_CHECKED c3d_status c3d_read_beside_scores(compared_run *run, const char *split);
/* Settings and data that differ, and costs, into the context. C3D_EDATA when runs of one network
 * differ in more than their seed. */
C3D_CHECKED c3d_status c3d_compare_settings(struct c3d_compared_runs_state *state,
                                            c3d_compare_context *context);
/* Kept until the runs are closed; control characters become '?'. */
const char *c3d_compared_text(struct c3d_compared_runs_state *state, const char *text);

#endif
