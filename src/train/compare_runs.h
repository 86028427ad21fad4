/* What the parts of a comparison's reading tell each other. */
#ifndef C3D_TRAIN_COMPARE_RUNS_H
#define C3D_TRAIN_COMPARE_RUNS_H

#include "c3d/train.h"

typedef enum compared_fact {
    FACT_DATASET_HASH,
    FACT_FOLD,
    FACT_SAMPLES_SEEN,
    FACT_PRECISION,
    FACT_CHECKPOINT,
    N_FACTS
} compared_fact;

/* What made the scores, of what the run's directory has now. */
typedef enum scored_by {
    SCORED_BY_UNKNOWN,
    SCORED_BY_BEST,
    SCORED_BY_NEWEST,  /* of its checkpoints */
    SCORED_BY_EARLIER, /* than that */
    SCORED_BY_GONE     /* nothing that is there */
} scored_by;

/* One trained model: a directory with scores-SPLIT.csv. */
typedef struct compared_run {
    char dir[C3D_PATH_MAX];
    int network; /* whose run it is */
    c3d_score_table table;
    float *scores; /* [n, n_outputs] in the order of the first run's table */
    bool has_config;
    c3d_config config;
    char *facts[N_FACTS];         /* NULL: not known */
    char *checkpoint, *list_hash; /* likewise: what was scored */
    c3d_compare_cost cost;
    char *trained;     /* NULL: not said */
    bool has_block_km; /* the blocks are squares of a known side */
    scored_by scored_by;
    int64_t scored_step, newest_step; /* of checkpoints; -1: none */
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

/* Puts all runs' scores into the order of the first; labels, blocks
 * and what is known of these. C3D_EDATA names file and
 * line of the first row that is not in both lists alike. */
C3D_CHECKED c3d_status c3d_match_lists(struct c3d_compared_runs_state *state,
                                       c3d_compare_context *context);
/* Configuration, facts and cost of a run, of what there is of these. */
C3D_CHECKED c3d_status c3d_read_beside_scores(compared_run *run, const char *split);
/* Which checkpoint made the scores, by its checksum: run->scored_by and the fact of it. */
C3D_CHECKED c3d_status c3d_compared_find_checkpoint(compared_run *run, const char *checksum);
/* C3D_EDATA when runs of one network differ in more than their seed, or have the same scores bit by
 * bit. Warnings into the context: scores that are not of the run's checkpoint, runs of one seed. */
C3D_CHECKED c3d_status c3d_compared_check(struct c3d_compared_runs_state *state,
                                          c3d_compare_context *context);
/* Different seeds of the network's runs; one that is not known counts as different. */
int c3d_compared_n_seeds(const struct c3d_compared_runs_state *state, int network);
/* Settings and data that differ, and costs, into the context. */
C3D_CHECKED c3d_status c3d_compare_settings(struct c3d_compared_runs_state *state,
                                            c3d_compare_context *context);
/* Kept until the runs are closed; control characters become '?'. */
const char *c3d_compared_text(struct c3d_compared_runs_state *state, const char *text);

#endif
