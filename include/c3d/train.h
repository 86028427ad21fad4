/* train: a run: training, evaluation, checkpoints, records. Knows everything below it.
 *
 * Every function that takes a c3d_comm or a c3d_run is COLLECTIVE unless it says "rank 0" or
 * "local". Only rank 0 writes files. The training step is in src/train/train.c. */
#ifndef C3D_TRAIN_H
#define C3D_TRAIN_H

#include "c3d/comm.h"
#include "c3d/compare.h"
#include "c3d/config.h"
#include "c3d/data.h"
#include "c3d/nn.h"
#include "c3d/place.h"
#include "c3d/score.h"

/* ---- labels (local) ---------------------------------------------------------------------------
 */

/* C3D_EDATA, naming line and sample of DIR/samples.csv, unless every label of the list (NULL: of
 * all samples that are in a split) is one a network with n_outputs outputs knows: 0 and 1, or
 * 0..K-1. */
C3D_CHECKED c3d_status c3d_check_labels(const c3d_dataset *dataset, const char *dir,
                                        const c3d_list *list, int n_outputs);

/* ---- evaluation -------------------------------------------------------------------------------
 */

/* What a trained network needs to see: from a run's configuration and a checkpoint. */
typedef struct c3d_network_desc {
    c3d_model_desc model;     /* x.n is set by the user of it */
    uint64_t n_params_wanted; /* model.width was chosen to come nearest to it; 0: it was given */
    c3d_slice slice;          /* C3D_SLICE_EVERY: scored on every month of a sample, and averaged */
    bool months_shuffled;
    uint64_t seed;
    float focal_gamma;         /* of the loss; 0: cross entropy */
    float mean[64], scale[64]; /* [bands]; input = (value - mean) * scale */
} c3d_network_desc;

/* c3d_dataset_choose_time as the configuration has it. Local. */
C3D_CHECKED c3d_status c3d_choose_time(const c3d_config *config, c3d_dataset *dataset);
/* The name c3d_backend_open knows run.device by. */
const char *c3d_device_name(const c3d_config *config);
c3d_precision c3d_precision_from(c3d_config_precision precision);

/* Forward only, on a backend of its own with a fixed number of threads: the list is cut into blocks
 * of `batch`, block i goes to rank i mod n_ranks, so that scores do not depend on the number of
 * ranks. */
typedef struct c3d_evaluator c3d_evaluator;
typedef struct c3d_evaluator_desc {
    c3d_comm *comm;             /* borrowed */
    const c3d_dataset *dataset; /* borrowed */
    const c3d_list *list;       /* borrowed; n > 0 */
    c3d_network_desc network;
    const char *backend; /* a backend's name */
    c3d_backend_options options;
    int batch, n_readers;
    bool with_log_odds; /* of scores; the caller waits for each block then */
} c3d_evaluator_desc;
/* What create would take, of samples of that kind, without a dataset or a list; local. */
typedef struct c3d_evaluator_bytes {
    size_t loader, copy; /* host memory: samples read ahead; one parameter on its way */
    size_t model;        /* backend memory */
} c3d_evaluator_bytes;
C3D_CHECKED c3d_status c3d_evaluator_measure(const c3d_evaluator_desc *desc,
                                             const c3d_loader_size *input,
                                             c3d_evaluator_bytes *out);
C3D_CHECKED c3d_status c3d_evaluator_create(const c3d_evaluator_desc *desc, c3d_evaluator **out);
void c3d_evaluator_destroy(c3d_evaluator *evaluator); /* NULL is fine */
/* The parameters to evaluate, from a training model on any backend (local), or from a file. */
C3D_CHECKED c3d_status c3d_evaluator_copy(c3d_evaluator *evaluator, c3d_model *from);
C3D_CHECKED c3d_status c3d_evaluator_read(c3d_evaluator *evaluator, c3d_tensor_file *file);

/* Scores and losses in list order, on rank 0 only (n = 0 elsewhere). C3D_ESTOPPED on all ranks when
 * one was asked to stop; what was scored until then is dropped. */
typedef struct c3d_evaluation {
    size_t n;
    int n_outputs;
    float *scores; /* [n, n_outputs]; over several months of a sample their mean */
    float *losses; /* [n], of the function that was trained with, not weighted; likewise */
    /* [n] that the label is not 0, from the logits: they go on where scores round to 0 or 1. NULL
     * where they were not asked for. */
    float *log_odds;
    int32_t *labels; /* [n] */
    double loss;     /* mean, summed in list order */
} c3d_evaluation;
C3D_CHECKED c3d_status c3d_evaluator_run(c3d_evaluator *evaluator, const char *label,
                                         c3d_evaluation *out);
void c3d_evaluation_free(c3d_evaluation *evaluation);

/* Strata that the samples of a list were drawn from, with their share of the area. */
typedef struct c3d_evaluation_strata {
    int n; /* 0: not known */
    char (*names)[64];
    double *weights; /* [n] */
    int *of;         /* [list n] */
    bool is_from_file;
    bool is_by_label;
} c3d_evaluation_strata;
/* By label, weighed by facts->population; or as FILE.csv says: columns class, weight (strata are
 * the labels), or frame_id, stratum, weight. C3D_EDATA names file and line, of a stratum without
 * samples the stratum. */
C3D_CHECKED c3d_status c3d_evaluation_strata_find(const c3d_dataset *dataset, const c3d_list *list,
                                                  const c3d_list_facts *facts, const char *path,
                                                  c3d_evaluation_strata *out);
void c3d_evaluation_strata_free(c3d_evaluation_strata *strata); /* a zeroed one is fine */

/* A threshold found on the validation split; NaN: none does. */
typedef struct c3d_chosen {
    c3d_choice choice;
    double threshold;
} c3d_chosen;
#define C3D_CHOSEN_MAX (C3D_THRESHOLDS_MAX - 3)

/* Rank 0: DIR/evaluation-SPLIT.json and DIR/scores-SPLIT.csv (docs/evaluation.md). */
typedef struct c3d_evaluation_files {
    const char *dir;
    const char *split;
    double threshold; /* the one of `counts` and `metrics`; unused for K classes */
    int n_chosen;
    const c3d_chosen *chosen;
    const char *checkpoint, *precision;  /* that scored: its checksum; the arithmetic */
    const c3d_dataset *dataset;          /* borrowed: its samples, and the names of K classes */
    const c3d_list *list;                /* borrowed */
    const c3d_list_facts *facts;         /* borrowed; of the list */
    const c3d_evaluation_strata *strata; /* borrowed; of the list; or NULL */
} c3d_evaluation_files;
/* `said` gets a few lines for a person: a row a threshold with intervals and counts, then what no
 * threshold changes; of K classes means, then a line a class with its row of the confusion matrix.
 */
C3D_CHECKED c3d_status c3d_evaluation_write(const c3d_evaluation_files *files,
                                            const c3d_evaluation *evaluation, c3d_text *said);

/* ---- progress in time ---------------------------------------------------------------------------
 */

/* When a place's scores say that it became positive, and for how long. Months that nothing was seen
 * in (valid share 0) repeat what was seen before: they are passed over, neither counted nor ending
 * a row. Months are indices into the arrays; -1: none. */
typedef struct c3d_detection {
    int first, first_run; /* first month above the threshold, and how many in a row from it */
    /* first month of the first row of n_lasting or more, and how many */
    int lasting, lasting_run;
    bool is_first_seen; /* `first` is the first month seen: it may have begun before */
    bool is_to_end;     /* the lasting row goes on to the last month seen */
    int n_above, n_seen;
} c3d_detection;
typedef struct c3d_detect_input {
    int n;
    const float *scores, *valid_shares; /* [n] in the order of time */
    double threshold;
    int n_lasting;
} c3d_detect_input;
void c3d_detect(const c3d_detect_input *in, c3d_detection *out); /* local */
/* Months from January of a year to a date (negative: before it). */
int c3d_months_since(int year, c3d_date date);

/* `c3d-evaluate --history` (docs/evaluation.md): the frames of a list in all their stored months,
 * and what single months weigh in some of its samples. Files are written by rank 0:
 * DIR/history-SPLIT.csv, detections-SPLIT.csv, history-SPLIT.json (of which checkpoint), and
 * occlusion-SPLIT.csv, removed where none is asked for; the same bytes on any number of ranks. The
 * score is that of label 1, or of K classes that of any but class 0. C3D_ESTOPPED on all ranks when
 * one was asked to stop. */
typedef struct c3d_history_desc {
    const c3d_evaluator_desc *evaluator; /* that the list's samples were scored with */
    c3d_tensor_file *file;               /* its parameters */
    const c3d_evaluation *evaluation;    /* what came out, on rank 0 */
    const char *dir, *split;
    double threshold;
    int n_lasting; /* months */
    /* samples of each kind that single months are taken from: surest hits, misses and false alarms;
     * -1: every sample of the list */
    int n_each;
} c3d_history_desc;
C3D_CHECKED c3d_status c3d_history_run(const c3d_history_desc *desc);

/* ---- comparison (local) ------------------------------------------------------------------------
 */

typedef struct c3d_compared_runs_desc {
    int n_networks;          /* at least 2; the first is the reference */
    const char *const *dirs; /* [n_networks] a run, a directory of runs that differ in their seed,
                                or one with nothing but scores-SPLIT.csv */
    const char *split;
    double threshold; /* NaN: evaluation.threshold of the reference, else 0.5 */
} c3d_compared_runs_desc;

/* Scores of the same test list, ready to be compared, with what is known of where they come
 * from. */
typedef struct c3d_compared_runs {
    c3d_compare_desc desc;
    c3d_compare_context context;
    struct c3d_compared_runs_state *state; /* owns what both point to */
} c3d_compared_runs;

/* C3D_EIO when a directory has no scores; C3D_EDATA when the test lists are not the same, naming
 * file and line of the first difference, or when runs of one network differ in more than their
 * seed or have the same scores bit by bit. Call c3d_compared_runs_close after success only. */
C3D_CHECKED c3d_status c3d_compared_runs_open(const c3d_compared_runs_desc *desc,
                                              c3d_compared_runs *out);
void c3d_compared_runs_close(c3d_compared_runs *runs); /* a zeroed one is fine */

/* ---- the state of a run ------------------------------------------------------------------------
 */

/* Where the training stands: the next step to be done. */
typedef struct c3d_position {
    int64_t step;          /* steps done since the beginning */
    int64_t epoch;         /* from 0 */
    int64_t step_in_epoch; /* steps done in it */
} c3d_position;

/* Sums over the steps of the epoch so far, over all ranks; part of a checkpoint, in this order. */
typedef struct c3d_epoch_sums {
    double loss, n;
    double *counts; /* [model.outputs][tp, fp, tn, fn], c3d_counts_of; owned by the run */
    double seconds;
} c3d_epoch_sums;

typedef struct c3d_best {
    double value; /* as compared: smaller is better; infinite: none yet */
    int64_t step;
} c3d_best;

/* What train.early_stop looks at; not reset with c3d_best when best.safetensors is gone. */
typedef struct c3d_patience {
    double best;      /* as c3d_best.value */
    int64_t n_epochs; /* ended since without a better one */
} c3d_patience;

/* What the parameters took so far, of all processes that made them; part of a checkpoint. */
typedef struct c3d_cost {
    int64_t from_step; /* counted since */
    int64_t n_samples; /* seen in training */
    double seconds;    /* of steps */
    double device_s;   /* of these, times the devices that each had */
} c3d_cost;

typedef struct c3d_optimizer {
    float *m, *v;      /* moments in backend memory, those this rank keeps; NULL without any */
    double *squares;   /* backend memory: of the step's gradients, summed over ranks */
    double *partials;  /* the same of every share, [rank][bucket] and the rest (train/cut.h) */
    int64_t t;         /* updates done */
    double loss_scale; /* 1 but for fp16 */
    int64_t n_good;    /* steps since it changed */
} c3d_optimizer;

/* Where a rank sits among nodes: hosts, or parts of them where comm->ranks_per_node says so. */
typedef struct c3d_seat {
    int n_nodes, node; /* in the order of their first ranks */
    int rank, n_ranks; /* within the node */
    /* Micro-batch i of a step is of the rank whose turn is i mod n_ranks: its number, but with
     * data.stage_groups such that node k has the turns k, k + n_nodes, ..., where nodes are of one
     * size and the order of sums does not follow from who had which micro-batch. */
    int turn;
    int n_in_blocks; /* micro-batches of a step where they are dealt in blocks instead; 0: in turn
                      */
    int *ranks, *turns; /* [n_ranks] of this node; owned by the run */
} c3d_seat;

/* distributed.reduction: ordered (train/ordered.h). */
#define C3D_ORDERED_ARENAS 32
typedef struct c3d_ordered {
    float *held[C3D_ORDERED_ARENAS]; /* [n_arenas] backend memory; the first n_held are sums */
    int n_arenas, n_held;
    float *received; /* backend memory: from another rank */
    int n_micro;     /* micro-batches of the step, of all ranks */
    bool is_timed;   /* the step is, on rank 0 */
    int64_t n_timed; /* steps of the epoch that were, in `seconds` altogether */
    double seconds, started_s;
} c3d_ordered;

typedef struct c3d_records c3d_records; /* metrics.csv, steps.jsonl, samples.jsonl of rank 0 */
typedef struct c3d_saver c3d_saver;     /* writes checkpoints beside training, on rank 0 */

typedef struct c3d_run {
    c3d_comm *comm;           /* borrowed */
    const c3d_config *config; /* borrowed */
    char dir[C3D_PATH_MAX];
    int lock_fd;                        /* rank 0 holds DIR/lock */
    char cache_dir[C3D_PATH_MAX];       /* of what may be kept between runs; empty: nowhere */
    bool finished;                      /* the checkpoint was the end of the run: nothing to do */
    c3d_place place;                    /* its cores */
    int n_threads;                      /* place.n_threads */
    c3d_seat seat;                      /* its node, and its turn */
    uint64_t held_bytes, planned_bytes; /* host memory: before anything large, and what follows */

    c3d_backend backend;
    c3d_comm_device device; /* its memory, as the communicator sees it */
    c3d_dataset *dataset;
    c3d_list train_list, validation_list;
    double mean[64], deviation[64]; /* of the training samples, by band */
    uint64_t stage_bytes;           /* that a copy of what this node reads takes (data.stage) */
    float *class_weights;           /* [classes], train.class_weights; NULL: all 1 */
    c3d_network_desc network;
    c3d_loader_size input; /* what the loader delivers */
    c3d_loader *loader;
    c3d_model model;
    c3d_optimizer optimizer;
    c3d_ordered ordered;
    c3d_evaluator *evaluator; /* NULL without validation samples */

    c3d_position position;
    c3d_epoch_sums sums;
    c3d_best best;
    c3d_patience patience;
    c3d_cost cost;             /* rank 0's counts */
    double saved_s;            /* c3d_now_s() of the last checkpoint, or of the start */
    double step_ended_s;       /* likewise of the last step */
    c3d_comm_times comm_seen;  /* comm->times when it ended */
    double copied_seen_s;      /* backend.copied_s, likewise */
    double agreed_s;           /* since it ended: ranks told each other what came out */
    c3d_comm_times comm_epoch; /* of the epoch's steps done by this process */
    int64_t n_given;           /* micro-batches that the loader gave since it was started */
    c3d_records *records;      /* rank 0 */
    c3d_saver *saver;          /* rank 0 */
} c3d_run;

/* A backend's memory as a communicator is told of it; borrows the backend. Local. */
c3d_comm_device c3d_device_of(c3d_backend *backend);

typedef enum c3d_resume { C3D_RESUME_AUTO, C3D_RESUME_NEVER, C3D_RESUME_PATH } c3d_resume;

/* Opens or resumes a run: directory and lock, data, statistics, network, backend; loads the newest
 * valid checkpoint if resume says so. On failure call c3d_run_close all the same. Fails on all
 * ranks together. C3D_ECONFIG when the configuration does not fit the checkpoint (with a diff), the
 * data or the number of ranks; C3D_EIO when the directory is locked or unwritable. */
C3D_CHECKED c3d_status c3d_run_open(c3d_run *run, c3d_comm *comm, const c3d_config *config,
                                    c3d_resume resume, const char *resume_path);
void c3d_run_close(c3d_run *run); /* a zeroed or half-open one is fine */

/* What a run of this configuration would need, for a person, on `out` (rank 0): layers, memory,
 * reading, and the time of an epoch on 1, 2, 4 ... devices from a short trial on this one. Without
 * data.store a sample is what data.bands, data.months, data.samples and data.frame_size_px say.
 * Writes no file. C3D_ECONFIG when the run cannot fit the memory there is, or its sizes make no
 * network; c3d_run_open refuses the same. */
C3D_CHECKED c3d_status c3d_run_plan(c3d_comm *comm, const c3d_config *config, FILE *out);

/* What a run would find where it runs, for a person, on `out` (rank 0): ranks with their cores and
 * devices, versions, how fast sums over the ranks are and whether they are right, how fast
 * data.store and copies of it are read, against what the devices use up, where run.dir would lie
 * and what is free there; what of it is set up badly, as a warning each. Without data.store or
 * run.dir those are left out. Writes no file that stays. C3D_EUNSUPPORTED or C3D_ECOMM when a run
 * could not run so, C3D_EDATA or C3D_EIO when it could not read or write. */
C3D_CHECKED c3d_status c3d_run_check(c3d_comm *comm, const c3d_config *config, FILE *out);

/* From run->position to the end. C3D_ESTOPPED after a stop request (a checkpoint was saved),
 * C3D_EDIVERGED on a loss or gradient that is not finite (nothing was updated with it). */
C3D_CHECKED c3d_status c3d_run_train(c3d_run *run);

/* ---- debug: what keeps a network from learning (local)
 * ------------------------------------------------------------------------------------------ */

typedef enum c3d_finding_kind {
    C3D_FINDING_WRONG,     /* the backend's result is not the reference's */
    C3D_FINDING_GRADIENT,  /* the gradient is not that of the loss, by finite differences */
    C3D_FINDING_NONFINITE, /* NaN or infinity comes out of finite input */
    C3D_FINDING_EXPLODING,
    C3D_FINDING_VANISHING,
    C3D_FINDING_DEAD,  /* nothing but zeros comes out, or no gradient goes on */
    C3D_FINDING_STUCK, /* the loss of one batch did not go to zero */
} c3d_finding_kind;

typedef struct c3d_finding {
    c3d_finding_kind kind;
    int layer;      /* of the model's table; -1: of the whole network */
    char what[224]; /* a sentence that begins with the layer's name */
} c3d_finding;

#define C3D_MAX_FINDINGS 64
typedef struct c3d_findings {
    int n;
    c3d_finding list[C3D_MAX_FINDINGS];
} c3d_findings;

typedef struct c3d_debug_desc {
    c3d_model *model;      /* planned for training, parameters set; the last stage changes them */
    c3d_input input;       /* n_samples rows of it are looked at */
    const int32_t *labels; /* [n_samples] */
    const uint64_t *row_keys; /* [n_samples] dropout: fixed, so that the loss is a function */
    uint64_t seed;
    float focal_gamma;    /* of the loss; 0: cross entropy */
    double learning_rate; /* of the last stage */
    int max_steps;        /* likewise; 0: the stage is left out */
    double max_seconds;
    /* Called with each finished line; its failure ends the work. */
    c3d_status (*say)(void *context, const char *line);
    void *context;
} c3d_debug_desc;

/* One batch through the network, on its backend: statistics of each layer's output and gradient
 * with times; every layer compared with the reference backend, on the values that it really had;
 * gradients of the parameters against central differences of the loss (float32 only); Adam on the
 * batch until the loss is below a hundredth. A finding is no failure: C3D_OK when all was done. */
C3D_CHECKED c3d_status c3d_debug_model(const c3d_debug_desc *desc, c3d_findings *out);

/* The same for a configuration, alone and without a run directory: a few training samples of all
 * classes (of many classes the first), parameters as a run begins with them or (checkpoint not
 * NULL) from a file. C3D_ESTOPPED when asked to stop. */
C3D_CHECKED c3d_status c3d_run_debug(c3d_comm *comm, const c3d_config *config,
                                     const char *checkpoint,
                                     c3d_status (*say)(void *context, const char *line),
                                     void *context, c3d_findings *out);

/* ---- checkpoints
 * --------------------------------------------------------------------------------- */

/* Rank 0 copies what a checkpoint holds and writes it beside the training that goes on:
 * DIR/checkpoints/step-NNNNNNNN.safetensors, before it with is_best DIR/best.safetensors
 * (parameters and metadata, no moments); then it removes what keep_last and keep_every do not keep.
 * Waits for the save before, and returns its failure. */
C3D_CHECKED c3d_status c3d_checkpoint_save(c3d_run *run, bool is_best);
/* Until what was saved is on disk: C3D_EIO, on all ranks, when it could not be written. */
C3D_CHECKED c3d_status c3d_checkpoint_wait(c3d_run *run);
/* Parameters on all ranks, moments on the rank that keeps them, position, sums, best,
 * patience. */
C3D_CHECKED c3d_status c3d_checkpoint_load(c3d_run *run, const char *path);
/* Rank 0: the newest checkpoint of DIR whose checksum holds, or "" when there is none; older ones
 * are tried when the newest is broken, and it says so. */
C3D_CHECKED c3d_status c3d_checkpoint_find(const char *dir, char path_out[C3D_PATH_MAX]);
/* Rank 0: checkpoints of DIR of a later step get the suffix .aside. */
C3D_CHECKED c3d_status c3d_checkpoint_set_aside(const char *dir, int64_t step);
/* Local: the parameters named PREFIX + name of an open file, into an arena of the model. C3D_EDATA
 * names the file. */
C3D_CHECKED c3d_status c3d_checkpoint_read_params(c3d_tensor_file *file, const char *prefix,
                                                  c3d_model *model, float *arena);
/* Local: the running statistics of an open file into the model's. C3D_EDATA names the file. */
C3D_CHECKED c3d_status c3d_checkpoint_read_running(c3d_tensor_file *file, c3d_model *model);
/* Local: C3D_EDATA unless the dataset has the bands and the frame size the checkpoint was trained
 * on; with same_data also unless its content is the same. */
C3D_CHECKED c3d_status c3d_checkpoint_check_input(c3d_tensor_file *file, const c3d_dataset *dataset,
                                                  bool same_data);
/* Local: the network described by an open checkpoint and the configuration saved in it (given,
 * c3d_config_free). C3D_EDATA when it is no checkpoint of ours. */
C3D_CHECKED c3d_status c3d_checkpoint_network(c3d_tensor_file *file, c3d_config *config_out,
                                              c3d_network_desc *out);

/* Adds a line with the versions of CUDA, cuDNN, NCCL and the GPU's driver that this process found;
 * nothing in a build without CUDA. For --version. */
void c3d_train_versions(c3d_text *out);

#endif
