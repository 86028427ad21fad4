/* data: the scene store as training sees it: samples, shards, statistics, and the loader.
 * Building a store is in dataset.h.
 *
 * A frame is a square footprint; a scene a frame's pixels over a period; a sample what a network is
 * shown: a frame, a first month, a number of months, a label, a split. A "month" is one time step
 * of the archive, whatever its real spacing.
 *
 * This module is told rank and n_ranks as integers; it does not know MPI. HDF5 is included here and
 * nowhere else. */
#ifndef C3D_DATA_H
#define C3D_DATA_H

#include "c3d/tensor.h"

/* ---- dates -------------------------------------------------------------------------------------
 */

/* A date as the integer YYYYMMDD, DD = 0 where the archive gives only months, MM too where it gives
 * only years. */
typedef int32_t c3d_date;
/* "2020-09", "2013-09-14" or "1985"; returns out. */
const char *c3d_date_text(c3d_date date, char out[12]);
bool c3d_date_parse(const char *text, c3d_date *out); /* the same forms */

/* ---- splits and labels
 * ---------------------------------------------------------------------------- */

typedef enum c3d_split {
    C3D_SPLIT_TRAIN,
    C3D_SPLIT_VALIDATION,
    C3D_SPLIT_TEST,
    C3D_SPLIT_NONE
} c3d_split;
#define C3D_N_SPLITS 3
/* "train", "validation", "test", "none" */
const char *c3d_split_name(c3d_split split);
bool c3d_split_parse(const char *name, c3d_split *out);

/* ---- dataset.json
 * -------------------------------------------------------------------------------- */

#define C3D_DATASET_SCHEMA 1
typedef struct c3d_period {
    c3d_date first; /* of its first month; names the shards */
    int n_months;
    c3d_date *months; /* [n_months] ascending */
} c3d_period;
typedef struct c3d_shard_info {
    char file[64]; /* "scenes-202009-00000.h5", relative to the directory */
    int period;
    int n_scenes; /* rows, present or not */
} c3d_shard_info;
typedef struct c3d_dataset_info {
    int schema;
    int frame_size_px, n_bands;
    char **bands;    /* [n_bands] names */
    c3d_dtype dtype; /* of /scenes */
    int n_periods;
    c3d_period *periods;
    int n_shards;
    c3d_shard_info *shards;
    int n_classes; /* names of classes; [0] is the negative one ("other") */
    char **classes;
    char *crs_wkt;
    double pixel_m[2];
    uint64_t hash;  /* of samples.csv and the checksums in the periods that it shows: the content
                       that is trained on, whatever months were added later */
    c3d_json *json; /* the whole document, owned */
} c3d_dataset_info;
/* C3D_EIO when absent ("DIR: no dataset.json; was c3d-dataset build finished?"), C3D_EDATA. */
C3D_CHECKED c3d_status c3d_dataset_info_read(const char *dir, c3d_dataset_info *out);
void c3d_dataset_info_free(c3d_dataset_info *info);
/* The name of a class; "class 2" (in out) where dataset.json has none. */
const char *c3d_dataset_class_name(const c3d_dataset_info *info, int label, char out[24]);
/* False when samples.csv is no longer what dataset.json was written for (its hash in the document):
 * edited by hand, say, so that the leak facts there are of another list. */
C3D_CHECKED c3d_status c3d_dataset_samples_unchanged(const char *dir, const c3d_dataset_info *info,
                                                     bool *out);
/* What dataset.json, and the leak-proof.json of the same samples where verify wrote one, know to
 * leak between the splits, or between those of a fold (fold >= 0); adds nothing to out when that is
 * nothing. */
C3D_CHECKED c3d_status c3d_dataset_known_leaks(const char *dir, const c3d_dataset_info *info,
                                               int fold, c3d_text *out);
/* The document of info (info->json is not looked at), given: the caller adds what else it knows. */
c3d_json *c3d_dataset_info_to_json(const c3d_dataset_info *info);
/* DIR/dataset.json with that document alone. */
C3D_CHECKED c3d_status c3d_dataset_info_write(const char *dir, const c3d_dataset_info *info);

/* ---- samples.csv
 * ---------------------------------------------------------------------------------- */

#define C3D_MAX_CLASSES 1000
typedef struct c3d_sample {
    int64_t sample_id, frame_id;
    c3d_date first_month;
    int n_months;   /* from it on; of an open dataset that it shows (c3d_dataset_choose_time) */
    int label_year; /* 0: none */
    int label;      /* class number, below C3D_MAX_CLASSES */
    c3d_split split;
    int fold; /* -1: in none of them */
} c3d_sample;
typedef struct c3d_samples {
    size_t n;
    c3d_sample *rows; /* in file order: ascending sample_id */
} c3d_samples;
C3D_CHECKED c3d_status c3d_samples_read(const char *path, c3d_samples *out);
C3D_CHECKED c3d_status c3d_samples_write(const char *path, const c3d_samples *samples);
void c3d_samples_free(c3d_samples *samples);

/* ---- shards
 * ---------------------------------------------------------------------------------------- */

typedef enum c3d_scene_status {
    C3D_SCENE_ABSENT,
    C3D_SCENE_PRESENT,
    C3D_SCENE_DROPPED
} c3d_scene_status;

/* Shape of a shard: /scenes [n, months, bands, size, size] of dtype, /valid [n, months, size,
 * (size + 7) / 8] packed bits (most significant first, 1 = observed), /frame_id int64, /status
 * uint8, /checksum uint64 (XXH3 of the scene's bytes then its bits; 0 is written as 1),
 * /missing_share float32 [n, months], /sum and /sum_squares [n, months, bands] over valid pixels,
 * int64 for integer types and float64 for float types. All contiguous and uncompressed. */
typedef struct c3d_shard_shape {
    int n_scenes, n_months, n_bands, size_px;
    c3d_dtype dtype;
} c3d_shard_shape;
size_t c3d_scene_bytes(const c3d_shard_shape *shape);
size_t c3d_valid_bytes(const c3d_shard_shape *shape);

/* Creates the file with all datasets allocated and /frame_id, the months (attribute "months" of
 * /scenes, YYYYMMDD int32) and bands written, statuses 0; syncs and renames. */
C3D_CHECKED c3d_status c3d_shard_create(const char *path, const c3d_shard_shape *shape,
                                        const int64_t *frame_ids, const c3d_date *months,
                                        const char *const *bands);

/* An open shard: offsets of its datasets in the file, then plain pread and pwrite. Reading is
 * thread-safe. */
typedef struct c3d_shard c3d_shard;
C3D_CHECKED c3d_status c3d_shard_open(const char *path, bool writable, c3d_shard **out);
void c3d_shard_close(c3d_shard *shard);
const c3d_shard_shape *c3d_shard_get_shape(const c3d_shard *shard);
const int64_t *c3d_shard_frame_ids(const c3d_shard *shard); /* [n_scenes], borrowed */
const c3d_date *c3d_shard_months(const c3d_shard *shard);   /* [n_months], borrowed */
const char *const *c3d_shard_bands(const c3d_shard *shard); /* [n_bands], borrowed */
const char *c3d_shard_path(const c3d_shard *shard);         /* borrowed */
/* One whole scene with its bits and sums. Data are written and only then status and checksum
 * (the caller syncs in between at intervals: c3d_shard_sync). */
typedef struct c3d_scene {
    void *values;            /* [months, bands, size, size] */
    uint8_t *valid;          /* [months, size, (size + 7) / 8] */
    float *missing_share;    /* [months] */
    void *sum, *sum_squares; /* [months, bands] */
} c3d_scene;
C3D_CHECKED c3d_status c3d_shard_write(c3d_shard *shard, int row, const c3d_scene *scene);
/* Of a dropped scene only /missing_share is kept: it says why. */
C3D_CHECKED c3d_status c3d_shard_write_missing(c3d_shard *shard, int row,
                                               const float *missing_share);
/* Marks the row present with its checksum, or dropped. */
C3D_CHECKED c3d_status c3d_shard_mark(c3d_shard *shard, int row, c3d_scene_status status,
                                      uint64_t checksum);
uint64_t c3d_scene_checksum(const c3d_shard_shape *shape, const c3d_scene *scene);
C3D_CHECKED c3d_status c3d_shard_sync(c3d_shard *shard);
C3D_CHECKED c3d_status c3d_shard_read_status(c3d_shard *shard,
                                             uint8_t *status_out);                /* [n_scenes] */
C3D_CHECKED c3d_status c3d_shard_read_checksums(c3d_shard *shard, uint64_t *out); /* [n_scenes] */
C3D_CHECKED c3d_status c3d_shard_read_scene(c3d_shard *shard, int row, c3d_scene *scene);
/* A contiguous run of months of one scene's values, [n_months, bands, size, size]. */
C3D_CHECKED c3d_status c3d_shard_read_months(c3d_shard *shard, int row, int first, int n_months,
                                             void *to);
C3D_CHECKED c3d_status c3d_shard_read_valid(c3d_shard *shard, int row, uint8_t *bits_out);
/* Any of the three may be NULL. */
C3D_CHECKED c3d_status c3d_shard_read_sums(c3d_shard *shard, int row, void *sum, void *sum_squares,
                                           float *missing_share);
typedef struct c3d_rows {
    int first, n;
} c3d_rows;
/* Of several rows, one after the other. */
C3D_CHECKED c3d_status c3d_shard_read_sums_of(c3d_shard *shard, c3d_rows rows, void *sum,
                                              void *sum_squares, float *missing_share);

/* ---- a dataset open for training
 * ------------------------------------------------------------------- */

typedef struct c3d_dataset c3d_dataset;
/* Opens dataset.json, samples.csv and all shards, and finds each sample's shard, row and month.
 * C3D_EDATA when a sample names a frame that is absent or dropped. */
C3D_CHECKED c3d_status c3d_dataset_open(const char *dir, c3d_dataset **out);
void c3d_dataset_close(c3d_dataset *dataset);
const c3d_dataset_info *c3d_dataset_get_info(const c3d_dataset *dataset);
const c3d_samples *c3d_dataset_get_samples(const c3d_dataset *dataset);

/* Cross-validation: samples of fold `fold` become split test, those of fold (fold + 1) mod n_folds
 * validation, the others train; split none stays none, and fold -1 becomes it. n_folds 0: one more
 * than the largest fold. fold < 0 changes nothing. C3D_EDATA when there are fewer than 3 folds, or
 * a split stays empty. */
C3D_CHECKED c3d_status c3d_samples_choose_fold(c3d_samples *samples, int fold, int n_folds);
/* The same for an open dataset: from then on its samples have these splits. Before any list is made
 * of it, and once. */
C3D_CHECKED c3d_status c3d_dataset_choose_fold(c3d_dataset *dataset, int fold, int n_folds);
int c3d_dataset_get_fold(const c3d_dataset *dataset); /* -1: the splits of samples.csv */

typedef enum c3d_time_mode { C3D_TIME_ALL, C3D_TIME_WINDOW, C3D_TIME_STRIDE } c3d_time_mode;
/* Which of its months each sample in a split shows from then on, to whoever reads it, counts its
 * pixels (c3d_statistics) or copies it: its last n_months (window), or n_months evenly spaced ones,
 * the last included and as far apart as they fit (stride). Its n_months becomes that number,
 * first_month stays what samples.csv says. After choose_fold, before anything looks at samples, and
 * once. C3D_EDATA names a sample with fewer months, or one of another length than the others
 * (stride). mode all: nothing. */
C3D_CHECKED c3d_status c3d_dataset_choose_time(c3d_dataset *dataset, c3d_time_mode mode,
                                               int n_months);
/* Months from one that a sample shows to the next: 1, or that of stride. */
int c3d_dataset_get_month_step(const c3d_dataset *dataset);

/* ---- other samples of the same scenes
 * --------------------------------------------------------------------------------------------- */

/* Months of all periods, in the order of time. */
int c3d_dataset_n_months(const c3d_dataset_info *info);
c3d_date c3d_dataset_month(const c3d_dataset_info *info, int month);

/* Samples that samples.csv does not have, such as windows that end in each month, over the scenes
 * of an open dataset. */
typedef struct c3d_view_desc {
    const c3d_dataset *of; /* borrowed until the view is closed; itself no view */
    size_t n;
    const c3d_sample *samples; /* [n]; those of split none are not changed by choose_time */
    /* [n] row of `of` whose draws each gets (data.slice: random, ...); NULL: by its own number */
    const uint32_t *drawn_as;
    /* [n] a month that is shown as if it had not been observed, its gap and those filled from it
     * filled by data.gaps of the dataset, as when the store was built; 0: none. NULL: of all. */
    const c3d_date *hidden;
} c3d_view_desc;
/* A dataset to read, with a list of all its samples. C3D_EDATA when a sample's months are not
 * there. Close it as any other. */
C3D_CHECKED c3d_status c3d_dataset_view(const c3d_view_desc *desc, c3d_dataset **out);

/* The months that a sample shows: out [n_months of it], ascending. */
void c3d_dataset_shown_months(const c3d_dataset *dataset, uint32_t index, c3d_date *out);

/* out [n_frames]: the first year of which frames.gpkg says that a frame holds a class; 0: none, or
 * no years. has_years_out: whether there is a frames.gpkg that says so of years. C3D_EDATA when it
 * cannot be understood. Needs c3d_raster_start(). */
C3D_CHECKED c3d_status c3d_dataset_first_label_years(const c3d_dataset *dataset,
                                                     const int64_t *frame_ids, size_t n_frames,
                                                     int *out, bool *has_years_out);

/* out [n_frames, c3d_dataset_n_months]: share of a frame's pixels observed in each month; NaN where
 * it has no scene. */
C3D_CHECKED c3d_status c3d_dataset_valid_shares(const c3d_dataset *dataset,
                                                const int64_t *frame_ids, size_t n_frames,
                                                float *out);

/* A list of samples: indices into the samples' rows, ascending. */
typedef struct c3d_list {
    size_t n;
    uint32_t *index;
    uint64_t hash; /* of sample ids and labels: two lists are the same if it is */
} c3d_list;
/* All samples of a split, none if it has none; max_per_class > 0 keeps at most that many of each
 * class, drawn by (seed, sample id). C3D_EDATA when the split has none. */
C3D_CHECKED c3d_status c3d_list_make(const c3d_dataset *dataset, c3d_split split,
                                     int64_t max_per_class, uint64_t seed, c3d_list *out);
void c3d_list_free(c3d_list *list);
/* out [n_classes]: n / (K n_c) for a class with n_c > 0 of the list's n samples, K such classes;
 * the list's mean weight is 1. 0 for the others. Labels must be below n_classes. C3D_ENOMEM. */
C3D_CHECKED c3d_status c3d_class_weights(const c3d_dataset *dataset, const c3d_list *list,
                                         int n_classes, float *out);

/* Mean and (population) standard deviation of each band over the valid pixels of the samples'
 * scenes (each frame and month counted once), from the stored sums, in 128-bit integers
 * (compensated doubles for float data): the same for any number of ranks and any order. C3D_EDATA
 * when a band has no valid pixel; a constant band gets deviation 1. mean_out, deviation_out:
 * [n_bands]. */
C3D_CHECKED c3d_status c3d_statistics(const c3d_dataset *dataset, const c3d_list *list,
                                      double *mean_out, double *deviation_out);

/* ---- what samples are of, for scores -----------------------------------------------------------
 */

typedef struct c3d_sample_facts {
    int64_t block;   /* samples of one are not independent: the lowest frame_id in it */
    int region;      /* index of c3d_list_facts.regions; -1: in none */
    int year;        /* of the label, or of the last month; 0: not known */
    double missing;  /* share of the pixels of its months that were not observed */
    double class_ha; /* hectares that its label's class covers in the frame; NaN: not known */
} c3d_sample_facts;
enum { C3D_REGION_NAME_SIZE = 256 }; /* as long as an area's word may be */
typedef struct c3d_list_facts {
    size_t n;
    c3d_sample_facts *rows; /* [n] in list order */
    double block_km;        /* side of the blocks' squares; 0: groups, files or single frames */
    bool has_frames;        /* else there is no frames.gpkg, and only block, year, missing */
    int n_regions;
    char (*regions)[C3D_REGION_NAME_SIZE]; /* [n_regions] sorted */
    /* How many units a list could have been drawn from, by label: frames of the list's splits that
     * have a label, times the label years that the list has (series: frames). */
    int n_labels;
    int64_t *population; /* [n_labels]; all 0 without frames */
} c3d_list_facts;
typedef struct c3d_regions_desc {
    const char *path;  /* vector file of polygons; NULL: no regions */
    const char *field; /* that names them; a layer without it gives its name */
} c3d_regions_desc;
/* Blocks are what frames.gpkg says, whatever the split rule was: of a grid of frames the square of
 * data.block_km (of 10 km in files that do not tell) that holds the frame's centre; of an imported
 * list the frame's group, else the square of its lon, lat, else its file. Without frames.gpkg each
 * frame is one, and the log says so. A sample is in the region that its frame's centre is in.
 * C3D_EDATA for a frames.gpkg or regions that cannot be understood. After c3d_raster_start. */
C3D_CHECKED c3d_status c3d_list_facts_find(const c3d_dataset *dataset, const c3d_list *list,
                                           const c3d_regions_desc *regions, c3d_list_facts *out);
void c3d_list_facts_free(c3d_list_facts *facts); /* a zeroed one is fine */

/* ---- loader
 * ------------------------------------------------------------------------------------------ */

typedef enum c3d_slice {
    C3D_SLICE_FIRST,
    C3D_SLICE_MIDDLE, /* month n / 2 */
    C3D_SLICE_LAST,
    C3D_SLICE_RANDOM, /* drawn by (seed, epoch, sample) */
    C3D_SLICE_EVERY,  /* in epoch e month e, of a shorter sample e mod its months */
    C3D_SLICE_MEDIAN  /* of each pixel and band over the months, gap-filled values too; of an even
                         number the lower of the two in the middle */
} c3d_slice;

/* Which micro-batches of a global batch a rank reads. */
typedef enum c3d_deal {
    C3D_DEAL_IN_TURN, /* micro-batch j belongs to rank j mod n_ranks */
    C3D_DEAL_BLOCKS   /* neighbours belong together: c3d_deal_block */
} c3d_deal;

typedef struct c3d_block {
    int begin, n;
} c3d_block;
/* n micro-batches are halved, the first half the larger if they differ, and the halves halved until
 * there is a block for each of n_ranks, a power of two; rank r gets block r, which may be empty. So
 * the blocks of twice as many ranks are the halves of these. */
c3d_block c3d_deal_block(int n, int rank, int n_ranks);
/* Of n micro-batches in the order in which neighbours are together: group by group, i being of
 * group i mod n_groups, and in a group by number. Which one stands at a place < n. */
int c3d_deal_place(int n, int n_groups, int place);

/* An epoch has as many positions as the list has samples, n, and its order is a pure function of
 * (seed, epoch), the same on any number of ranks and from wherever it is started.
 *   as listed  neither shuffle nor balanced
 *   shuffle    a keyed permutation of the list: each sample once
 *   n_groups   G > 1: the list, in the order of the store, is cut into G groups, each shuffled by
 *              itself, so that who reads few groups needs few of the files. Micro-batch i of an
 *              epoch holds samples of group i mod G: groups are as large as that makes them, equal
 *              to within a micro-batch, and each sample is shown once
 *   balanced   K classes occur in the list, class k with n_k samples. Position i of epoch e belongs
 *              to round r = i / K; a round shows each class once, in an order drawn by (seed, e, r)
 *              (the last round may be cut short). Class k is drawn without replacement until it is
 *              used up, then anew: round r of epoch e is draw d = e ceil(n / K) + r of every class
 *              and takes element d mod n_k of permutation d / n_k of the class, drawn by (seed,
 *              label, d / n_k). Counting goes on over epochs, so that a large class is shown
 *              evenly although no epoch has room for all of it; a small one repeats within one. */
typedef struct c3d_loader_desc {
    const c3d_dataset *dataset; /* borrowed until destroy */
    const c3d_list *list;       /* borrowed until destroy */
    bool shuffle;               /* order of the list by (seed, epoch), else as it is */
    bool balanced;              /* every class equally often; needs shuffle, one group */
    int n_groups;   /* 0 and 1: one; more need shuffle, and n_groups * micro_batch must divide
                       global_batch */
    bool one_slice; /* one month, chosen by slice, else all of the sample's months */
    c3d_slice slice;
    bool augment_symmetry; /* flips and quarter turns, drawn by (seed, epoch, sample) */
    double jitter;         /* c3d_input.gain in 1 +- jitter, offset in +- jitter, of each band */
    double month_dropout;  /* each month with this probability; see c3d_batch.month_from */
    bool months_shuffled;  /* months change places, drawn by (seed, epoch, sample); likewise */
    const float *class_weights; /* by label, of all labels in the list; or NULL; borrowed */
    uint64_t seed;
    int global_batch, micro_batch;
    int rank, n_ranks;
    c3d_deal deal;
    int n_readers, depth; /* threads (0: 2), micro-batches in memory (0: 8) */
    int n_held;           /* batches before the last one given that stay valid too; part of depth */
} c3d_loader_desc;

/* One micro-batch. What augments it is drawn by (seed, epoch, sample) and, where `balanced` shows
 * a sample several times, by which time it is. values: [n][band, month, y, x], the canonical C, D,
 * H, W order, in the store's dtype. Valid until n_held + 1 more were asked for. */
typedef struct c3d_batch {
    int n;             /* samples; the last of an epoch may be short, never 0 */
    int64_t step;      /* global batch it belongs to, within the epoch */
    int n_global;      /* samples in that whole global batch, over all ranks */
    bool last_of_step; /* this rank's last micro-batch of the step */
    const void *values;
    const int32_t *labels;    /* [n] */
    const uint32_t *index;    /* [n] rows of samples.csv */
    const uint64_t *row_keys; /* [n] XXH3 of the word (epoch << 32 | index): names a sample in an
                                 epoch, for dropout (c3d_pass.row_keys); where `balanced` shows a
                                 sample several times in an epoch, each time has its own */
    const float *weights;     /* [n] c3d_loss.weights; NULL without class_weights */
    const uint8_t *symmetry;  /* [n] 0..7, c3d_input.symmetry; NULL without augment_symmetry */
    /* [n, bands] c3d_input.gain and offset, uniform; NULL without jitter. */
    const float *gain, *offset;
    /* [n, months] c3d_input.month_from: of a dropped month the last kept one before it, or the
     * first kept one; one month, drawn, stays if all are dropped. Then their places are drawn with
     * months_shuffled. NULL without both. */
    const int16_t *month_from;
} c3d_batch;

typedef struct c3d_loader c3d_loader;

/* What a loader delivers and takes; n_months is of the longest sample, of which a network that sees
 * one slice is shown one. */
typedef struct c3d_loader_size {
    c3d_shape shape; /* of a micro-batch, as c3d_loader_shape */
    c3d_dtype dtype;
    int n_months;
} c3d_loader_size;
/* Of the loader that create would make; fails as create does, and allocates nothing. */
C3D_CHECKED c3d_status c3d_loader_size_of(const c3d_loader_desc *desc, c3d_loader_size *out);
/* Bytes of its ring and its readers, and bytes it reads from files for one sample. They look at
 * size, readers, depth and slice only: desc needs no dataset. */
size_t c3d_loader_bytes(const c3d_loader_desc *desc, const c3d_loader_size *size);
size_t c3d_loader_sample_bytes(const c3d_loader_desc *desc, const c3d_loader_size *size);

/* Allocates all there will be and starts the readers' threads (signals blocked in them). C3D_EDATA
 * when samples differ in length and all months are asked for. */
C3D_CHECKED c3d_status c3d_loader_create(const c3d_loader_desc *desc, c3d_loader **out);
void c3d_loader_destroy(c3d_loader *loader); /* NULL is fine; joins the readers */
/* Shape of a micro-batch: n = micro_batch, c = bands, d = months (1 with one_slice), h = w = frame
 * size. */
c3d_shape c3d_loader_shape(const c3d_loader *loader);
/* Steps an epoch: ceil(n / global_batch); the same on every rank. */
int64_t c3d_loader_n_steps(const c3d_loader *loader);
/* Micro-batches of this rank in step `step` (0 possible in the last, short one, and always when
 * there are more ranks than micro-batches in a global batch). */
int c3d_loader_n_micro(const c3d_loader *loader, int64_t step);
/* The same of all ranks. */
int c3d_loader_n_micro_global(const c3d_loader *loader, int64_t step);
/* Which micro-batch of the global batch this rank's nth in that step is. */
int c3d_loader_micro(const c3d_loader *loader, int64_t step, int nth);
/* Begins an epoch (0..2^31-1) at a step; readers start to read ahead. May be called at any time;
 * what was read ahead before is forgotten, an error too. */
C3D_CHECKED c3d_status c3d_loader_start(c3d_loader *loader, int64_t epoch, int64_t first_step);
/* The next micro-batch of this rank in order. A reader's error comes out here, with the sample, and
 * in every later call; C3D_EINVAL after the epoch's last. */
C3D_CHECKED c3d_status c3d_loader_next(c3d_loader *loader, c3d_batch *out);
/* The sample_id of the first sample that next will deliver, to tell what is being waited for; -1
 * after the last. */
int64_t c3d_loader_next_sample(const c3d_loader *loader);
/* A micro-batch of one row of another, valid as long as that. */
c3d_batch c3d_batch_row(const c3d_loader *loader, const c3d_batch *batch, int row);
/* The memory of the values of buffer i, to be pinned; NULL past the last. Until destroy. */
void *c3d_loader_buffer(const c3d_loader *loader, int i, size_t *n_bytes_out);
/* Seconds next() has waited since start. */
double c3d_loader_waited_s(const c3d_loader *loader);
/* Position i of the epoch's order -> row of samples.csv. */
uint32_t c3d_loader_order(const c3d_loader *loader, int64_t epoch, uint64_t i);
/* The samples of desc's list that are in one of the groups g with is_wanted[g] (n_groups of them).
 * Given: c3d_list_free; its hash is 0. Looks at what orders an epoch only. */
C3D_CHECKED c3d_status c3d_list_of_groups(const c3d_loader_desc *desc, const bool *is_wanted,
                                          c3d_list *out);

/* ---- staging -----------------------------------------------------------------------------------
 */

/* A copy, near the ranks of a node, of what they will read of a dataset: one file on the node's own
 * disk, or in its memory (a file in /dev/shm). The scenes' months lie in it in the order of the
 * store, one scene after the other. The file loses its name as soon as all ranks have opened it, so
 * that its space is free again however the program ends. */
typedef struct c3d_stage_desc {
    const c3d_list *list; /* whose samples will be read; borrowed for the call */
    bool one_slice;       /* as the loader's: only the months that it can ask for are copied */
    c3d_slice slice;
    const char *dir; /* an existing directory; one for all ranks of a node */
    const char *key; /* told to all ranks of a node, and to no other node that shares dir */
} c3d_stage_desc;
/* Bytes that the copy would take; dir and key are not looked at. */
C3D_CHECKED c3d_status c3d_stage_bytes(const c3d_dataset *dataset, const c3d_stage_desc *desc,
                                       uint64_t *out);
/* Removes what killed programs of this user left in dir; what cannot be removed is left. */
void c3d_stage_clean(const char *dir);
/* Copies, each rank of the node (sharing's rank and n_ranks) its part, and compares each scene with
 * its checksum: C3D_EDATA names file and scene. From then on the dataset reads from the copy what
 * is in it, the rest from the store. Not while a loader of the dataset reads; C3D_EINVAL when it is
 * staged already. C3D_ESTOPPED when a rank was asked to stop. COLLECTIVE over all that agree waits
 * for, which may be more than the node. */
C3D_CHECKED c3d_status c3d_dataset_stage(c3d_dataset *dataset, const c3d_stage_desc *desc,
                                         const c3d_sharing *sharing);
/* Frees the copy; not while a loader reads. Closing the dataset does the same. */
void c3d_dataset_unstage(c3d_dataset *dataset);
/* So that the next reads come from the disk: for measuring. Best effort. */
void c3d_stage_drop_cache(c3d_dataset *dataset);

#endif
