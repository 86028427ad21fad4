/* config: one YAML file, one struct. The path of a member is the key (config.train.epochs is
 * "train.epochs"); src/config/keys.c has one row a key, and the reader, --set, --print-config,
 * --help, --describe and docs/configuration.md all come from it.
 *
 * Nothing is clamped and nothing is silently taken: every mistake is listed, up to 20 of them, as
 *     FILE:LINE:COLUMN: KEY: what is wrong        or        --set: KEY: what is wrong
 * This module knows no other but base: choices are the enums below, and programs map them to what
 * their modules call them. Under MPI rank 0 reads the text, and every rank parses the same bytes.
 */
#ifndef C3D_CONFIG_H
#define C3D_CONFIG_H

#include "c3d/base.h"

/* ---- choices, in the order of the words in the table ---------------------------------------- */

typedef enum c3d_config_stack {
    C3D_CONFIG_STACK_NONE,
    C3D_CONFIG_STACK_BY_DATE,
    C3D_CONFIG_STACK_BY_BAND,
    C3D_CONFIG_STACK_BY_NAME
} c3d_config_stack;
typedef enum c3d_config_list_dates {
    C3D_CONFIG_LIST_DATES_AUTO,
    C3D_CONFIG_LIST_DATES_COMMON,
    C3D_CONFIG_LIST_DATES_OWN
} c3d_config_list_dates;
typedef enum c3d_config_label_year {
    C3D_CONFIG_LABEL_YEAR_SAME,
    C3D_CONFIG_LABEL_YEAR_PREVIOUS,
    C3D_CONFIG_LABEL_YEAR_BOTH_AGREE
} c3d_config_label_year;
typedef enum c3d_config_samples {
    C3D_CONFIG_SAMPLES_SERIES,
    C3D_CONFIG_SAMPLES_YEARLY,
    C3D_CONFIG_SAMPLES_MONTHLY
} c3d_config_samples;
typedef enum c3d_config_series_label {
    C3D_CONFIG_SERIES_LABEL_ANY,
    C3D_CONFIG_SERIES_LABEL_LAST,
    C3D_CONFIG_SERIES_LABEL_ALL
} c3d_config_series_label;
typedef enum c3d_config_resampling {
    C3D_CONFIG_RESAMPLING_NEAREST,
    C3D_CONFIG_RESAMPLING_BILINEAR,
    C3D_CONFIG_RESAMPLING_CUBIC
} c3d_config_resampling;
typedef enum c3d_config_gaps {
    C3D_CONFIG_GAPS_PREVIOUS,
    C3D_CONFIG_GAPS_LINEAR,
    C3D_CONFIG_GAPS_ZERO
} c3d_config_gaps;
typedef enum c3d_config_split {
    C3D_CONFIG_SPLIT_BLOCKS,
    C3D_CONFIG_SPLIT_POLYGONS,
    C3D_CONFIG_SPLIT_YEARS,
    C3D_CONFIG_SPLIT_RANDOM
} c3d_config_split;
typedef enum c3d_config_sampling {
    C3D_CONFIG_SAMPLING_NATURAL,
    C3D_CONFIG_SAMPLING_BALANCED
} c3d_config_sampling;
typedef enum c3d_config_time {
    C3D_CONFIG_TIME_ALL,
    C3D_CONFIG_TIME_WINDOW,
    C3D_CONFIG_TIME_STRIDE
} c3d_config_time;
typedef enum c3d_config_slice {
    C3D_CONFIG_SLICE_FIRST,
    C3D_CONFIG_SLICE_MIDDLE,
    C3D_CONFIG_SLICE_LAST,
    C3D_CONFIG_SLICE_RANDOM,
    C3D_CONFIG_SLICE_MEDIAN,
    C3D_CONFIG_SLICE_EVERY
} c3d_config_slice;
typedef enum c3d_config_month_order {
    C3D_CONFIG_MONTH_ORDER_NATURAL,
    C3D_CONFIG_MONTH_ORDER_SHUFFLED
} c3d_config_month_order;
typedef enum c3d_config_stage {
    C3D_CONFIG_STAGE_NONE,
    C3D_CONFIG_STAGE_NODE,
    C3D_CONFIG_STAGE_MEMORY
} c3d_config_stage;
typedef enum c3d_config_network {
    C3D_CONFIG_NETWORK_C3D,
    C3D_CONFIG_NETWORK_CNN2D,
    C3D_CONFIG_NETWORK_TCNN,
    C3D_CONFIG_NETWORK_CNN2D_STACK,
    C3D_CONFIG_NETWORK_C2PLUS1D
} c3d_config_network;
/* None, or 1 + one of c3d_config_network. */
typedef enum c3d_config_match { C3D_CONFIG_MATCH_NONE } c3d_config_match;
typedef enum c3d_config_normalization {
    C3D_CONFIG_NORMALIZATION_NONE,
    C3D_CONFIG_NORMALIZATION_BATCH
} c3d_config_normalization;
typedef enum c3d_config_precision {
    C3D_CONFIG_PRECISION_FP32,
    C3D_CONFIG_PRECISION_TF32,
    C3D_CONFIG_PRECISION_BF16,
    C3D_CONFIG_PRECISION_FP16
} c3d_config_precision;
typedef enum c3d_config_loss {
    C3D_CONFIG_LOSS_CROSS_ENTROPY,
    C3D_CONFIG_LOSS_FOCAL
} c3d_config_loss;
typedef enum c3d_config_class_weights {
    C3D_CONFIG_CLASS_WEIGHTS_NONE,
    C3D_CONFIG_CLASS_WEIGHTS_BALANCED
} c3d_config_class_weights;
typedef enum c3d_config_schedule {
    C3D_CONFIG_SCHEDULE_CONSTANT,
    C3D_CONFIG_SCHEDULE_COSINE,
    C3D_CONFIG_SCHEDULE_LINEAR
} c3d_config_schedule;
typedef enum c3d_config_state {
    C3D_CONFIG_STATE_RANK0,
    C3D_CONFIG_STATE_REPLICATED,
    C3D_CONFIG_STATE_SHARDED
} c3d_config_state;
typedef enum c3d_config_reduction {
    C3D_CONFIG_REDUCTION_FAST,
    C3D_CONFIG_REDUCTION_ORDERED
} c3d_config_reduction;
typedef enum c3d_config_best_by {
    C3D_CONFIG_BEST_BY_VAL_LOSS,
    C3D_CONFIG_BEST_BY_VAL_ACCURACY,
    C3D_CONFIG_BEST_BY_VAL_F1,
    C3D_CONFIG_BEST_BY_VAL_AUC
} c3d_config_best_by;
typedef enum c3d_config_device {
    C3D_CONFIG_DEVICE_AUTO,
    C3D_CONFIG_DEVICE_CPU,
    C3D_CONFIG_DEVICE_CUDA
} c3d_config_device;

/* ---- the struct ------------------------------------------------------------------------------ */

typedef struct c3d_config_texts {
    int n;
    char **items; /* [n], owned */
} c3d_config_texts;
typedef struct c3d_config_reals {
    int n; /* 0: not given, else the number the key needs */
    double items[4];
} c3d_config_reals;
/* "2020-09/2024-05" or with days; dates as YYYYMMDD with DD = 0 where only a month was given; both
 * 0: not given. */
typedef struct c3d_config_span {
    int32_t first, last;
} c3d_config_span;
#define C3D_CONFIG_MAX_RANGES 32
#define C3D_CONFIG_MAX_TEXTS  16
typedef struct c3d_config_class {
    char name[32];
    int n_ranges;
    int ranges[C3D_CONFIG_MAX_RANGES][2]; /* codes from..to, inclusive */
    int n_texts;
    char texts[C3D_CONFIG_MAX_TEXTS][48]; /* what is no code */
} c3d_config_class;
typedef struct c3d_config_classes {
    int n;
    c3d_config_class *items; /* [n], owned */
} c3d_config_classes;

typedef enum c3d_config_source {
    C3D_CONFIG_FROM_DEFAULT,
    C3D_CONFIG_FROM_FILE,
    C3D_CONFIG_FROM_SET
} c3d_config_source;
typedef struct c3d_config_origin {
    c3d_config_source source;
    int line, column; /* of the value, from 1; 0 unless FROM_FILE */
} c3d_config_origin;
#define C3D_CONFIG_MAX_KEYS 192

/* Texts are owned and never NULL; "" is "not given". Units and meaning are in the table's rows. */
typedef struct c3d_config {
    struct {
        char *root, *store;
        char *mosaics, *labels;
        struct {
            char *file, *folder, *path, *label, *date, *scene, *lon, *lat, *split, *fold;
            c3d_config_texts window, group;
            char *group_match;
            bool crop;
            double pixel_m;
            c3d_config_stack stack;
            c3d_config_texts stack_dates;
            c3d_config_list_dates dates;
        } list;
        c3d_config_span label_period;
        char *label_field, *label_date_field;
        c3d_config_classes label_classes, hard_negatives;
        double hard_negative_share, negative_distance_m;
        char *positive;
        c3d_config_texts bands; /* n = 0: all */
        c3d_config_span months;
        c3d_config_texts periods; /* ascending months */
        c3d_config_reals aoi;     /* x_min, y_min, x_max, y_max */
        int frame_size_px;
        int stride_px; /* 0: frame_size_px */
        double positive_share, negative_share;
        c3d_config_label_year label_year;
        c3d_config_samples samples;
        c3d_config_series_label series_label;
        c3d_config_gaps gaps;
        double max_missing_share;
        char *mask_band;
        c3d_config_texts mask_valid; /* codes and ranges of codes */
        c3d_config_resampling resampling;
        c3d_config_split split;
        double block_km, buffer_m;
        c3d_config_reals split_shares; /* train, validation, test */
        char *split_file;
        c3d_config_classes split_years; /* names: splits; ranges: years */
        int folds;
        int fold; /* -1: none */
        int64_t max_per_class;
        bool allow_leaking_split;
        c3d_config_sampling sampling;
        c3d_config_time time;
        int time_months; /* 0: all */
        c3d_config_slice slice;
        c3d_config_month_order month_order;
        struct {
            bool symmetry;
            double jitter, month_dropout;
        } augment;
        int readers;
        c3d_config_stage stage;
        char *stage_dir;
        int stage_groups;
        int64_t seed;
    } data;
    struct {
        c3d_config_network network;
        int width, fc;
        c3d_config_match match_parameters;
        double dropout;
        c3d_config_normalization normalization;
        int outputs;
        bool pool5_padding;
        char *init_from;
        c3d_config_precision precision;
        bool autotune;
    } model;
    struct {
        int epochs;
        int64_t max_steps;
        int global_batch, micro_batch;
        c3d_config_loss loss;
        double focal_gamma;
        c3d_config_class_weights class_weights;
        int early_stop;
        int64_t checkpoint_every_steps;
        double checkpoint_every_s;
        int keep_last, keep_every;
    } train;
    struct {
        double learning_rate, beta1, beta2, epsilon, weight_decay;
        c3d_config_schedule schedule;
        int64_t warmup_steps;
        double clip_norm;
        c3d_config_state state;
    } optimizer;
    struct {
        double bucket_mb;
        c3d_config_reduction reduction;
        double timeout_s;
        int threads;
    } distributed;
    struct {
        double threshold;
        c3d_config_best_by best_by;
        int batch, threads;
        char *regions, *region_field;
    } evaluation;
    struct {
        char *dir;
        c3d_config_device device;
        bool deterministic, log_samples;
        double log_every_s;
        int64_t tensorboard_every_steps;
    } run;
    /* where each value came from, by row of the table; and the name of the file */
    c3d_config_origin origins[C3D_CONFIG_MAX_KEYS];
    char *name;
} c3d_config;

/* ---- reading --------------------------------------------------------------------------------- */

/* What the file is read for: which keys are required, and which of the keys set to something else
 * than their default would be silently ignored and are therefore refused. */
typedef enum c3d_config_use {
    C3D_CONFIG_FOR_DATASET, /* needs data.mosaics or data.list.file */
    C3D_CONFIG_FOR_TRAIN,   /* needs data.store and run.dir */
    C3D_CONFIG_FOR_DEBUG,   /* needs data.store */
    C3D_CONFIG_FOR_PLAN,    /* needs data.store, or data.bands and data.months */
    C3D_CONFIG_FOR_READING  /* the config.yaml of a run: nothing is required */
} c3d_config_use;

typedef struct c3d_config_source_text {
    const char *text; /* [n_bytes] */
    size_t n_bytes;
    const char *name; /* for messages, such as the path */
    c3d_config_use use;
    int n_sets;
    const char *const *sets; /* [n_sets] "key=value": scalars as they are, lists as YAML */
} c3d_config_source_text;

/* Fills config (freed by c3d_config_free, also after a failure). On C3D_ECONFIG `mistakes` (zeroed
 * or in use) has got one line a mistake, and the error says "NAME: 5 mistakes". Deterministic: the
 * same bytes give the same result on every rank. */
C3D_CHECKED c3d_status c3d_config_parse(const c3d_config_source_text *source, c3d_config *config,
                                        c3d_text *mistakes);
void c3d_config_free(c3d_config *config); /* a zeroed one is fine */

/* Reads a file and parses it; `sets` as above. Not collective. */
C3D_CHECKED c3d_status c3d_config_load(const char *path, c3d_config_use use,
                                       const char *const *sets, int n_sets, c3d_config *config,
                                       c3d_text *mistakes);

/* The effective configuration, every key, as YAML: parsing it again gives the same text. */
void c3d_config_print(const c3d_config *config, c3d_text *out);

/* Whether somebody wrote the key: its value may still be the default's. */
bool c3d_config_is_given(const c3d_config *config, const char *key);

/* A path of a data.* key: relative ones begin at data.root, if that is given. */
C3D_CHECKED c3d_status c3d_config_path(const c3d_config *config, const char *path,
                                       char out[C3D_PATH_MAX]);

/* ---- comparing: what --resume asks ----------------------------------------------------------- */

typedef enum c3d_config_policy {
    C3D_CONFIG_FREE,  /* may change */
    C3D_CONFIG_WARN,  /* may change; the user is told what it means */
    C3D_CONFIG_REFUSE /* a run that goes on would be another run */
} c3d_config_policy;
typedef struct c3d_config_change {
    const char *key; /* static storage */
    c3d_config_policy policy;
    const char *warning; /* of C3D_CONFIG_WARN: what it means; static storage */
    char *from, *to;     /* as printed; owned */
} c3d_config_change;
typedef struct c3d_config_changes {
    int n;
    c3d_config_change items[C3D_CONFIG_MAX_KEYS];
} c3d_config_changes;
void c3d_config_diff(const c3d_config *from, const c3d_config *to, c3d_config_changes *out);
void c3d_config_changes_free(c3d_config_changes *changes);

/* ---- the table, for help, front ends and documentation --------------------------------------- */

void c3d_config_help(c3d_text *out);     /* plain text, one key a paragraph */
void c3d_config_markdown(c3d_text *out); /* docs/configuration.md */
c3d_json *c3d_config_describe(void);     /* array of keys; given */

#endif
