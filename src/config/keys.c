/* One row a key. Nothing about a key is written down anywhere else. */
#include "config/table.h"

#include <string.h>

/* The last argument is the help; WARN adds .warning, what a change means to a run that goes on. */
#define KEY(member, key_type_, ...)                                                                \
    {                                                                                              \
        .key = #member, .type = (key_type_), .offset = offsetof(c3d_config, member), __VA_ARGS__   \
    }
#define INT(member, def, lo, hi, unit_, policy_, ...)                                              \
    KEY(member, KEY_INT, .standard = (def), .min = (lo), .max = (hi), .unit = (unit_),             \
        .policy = C3D_CONFIG_##policy_, .help = __VA_ARGS__)
#define LONG(member, def, lo, hi, unit_, policy_, ...)                                             \
    KEY(member, KEY_LONG, .standard = (def), .min = (lo), .max = (hi), .unit = (unit_),            \
        .policy = C3D_CONFIG_##policy_, .help = __VA_ARGS__)
#define REAL(member, def, lo, hi, unit_, policy_, ...)                                             \
    KEY(member, KEY_REAL, .standard = (def), .min = (lo), .max = (hi), .unit = (unit_),            \
        .policy = C3D_CONFIG_##policy_, .help = __VA_ARGS__)
#define BOOL(member, def, policy_, ...)                                                            \
    KEY(member, KEY_BOOL, .standard = (def), .unit = "", .policy = C3D_CONFIG_##policy_,           \
        .help = __VA_ARGS__)
#define CHOICE(member, def, words, policy_, ...)                                                   \
    KEY(member, KEY_CHOICE, .standard = (def), .choices = (words), .unit = "",                     \
        .policy = C3D_CONFIG_##policy_, .help = __VA_ARGS__)
#define OTHER(member, kind, def, count, policy_, ...)                                              \
    KEY(member, kind, .standard = (def), .min = (count), .unit = "",                               \
        .policy = C3D_CONFIG_##policy_, .help = __VA_ARGS__)
#define TEXT(member, policy_, ...) OTHER(member, KEY_TEXT, "", 0, policy_, __VA_ARGS__)

#define MANY   2147483647.0
#define COUNTS 9007199254740992.0 /* 2^53: exact in every reader of JSON */

/* clang-format off */
const key_row c3d_config_keys[] = {
    TEXT(data.root, FREE, "prefix for relative paths in data"),
    TEXT(data.store, FREE, "the dataset directory that c3d-dataset build made"),
    TEXT(data.mosaics, FREE, "pattern of the images' paths with {YYYY}, {MM}, {DD}, {BAND} for one file a band, {YYYY2}, {MM2} for the last month of several, and * for anything within one part of the path; all files of one date make one mosaic. Or a folder with Planet's mosaics as delivered"),
    TEXT(data.list.file, FREE, "instead of data.mosaics, for c3d-dataset import: a table of scenes (CSV, TSV) or a folder with a folder a class"),
    TEXT(data.list.folder, FREE, "where relative paths in the list begin, itself relative to the list's folder; empty: there"),
    TEXT(data.list.path, FREE, "column with the file; empty: path"),
    OTHER(data.list.window, KEY_TEXTS, "[]", 0, FREE, "columns with the window in the file: [x, y], [x, y, width, height], or [row, column, size] of cells; empty: x_off, y_off, x_size, y_size where there are such"),
    TEXT(data.list.label, FREE, "column with the label, a name or number; empty: label"),
    TEXT(data.list.date, FREE, "column with the date; empty: date"),
    TEXT(data.list.scene, FREE, "column with a scene's name: rows of one name are its dates; empty: scene"),
    TEXT(data.list.lon, FREE, "column with the longitude of a scene's middle; empty: lon"),
    TEXT(data.list.lat, FREE, "column with the latitude; empty: lat"),
    TEXT(data.list.split, FREE, "column with train, validation, test or none; empty: split"),
    TEXT(data.list.fold, FREE, "column with the number of a fold; empty: fold"),
    OTHER(data.list.group, KEY_TEXTS, "[]", 0, FREE, "columns with what belongs together: scenes equal in the first are dealt to one split and fold; of scenes equal in another that came apart, those in one split stay in; empty: group"),
    TEXT(data.list.group_match, FREE, "regular expression: the part of the first group's value that counts, its first parenthesis if it has one; in a folder, part of the path"),
    BOOL(data.list.crop, "false", FREE, "cut the middle out of scenes larger than data.frame_size_px"),
    REAL(data.list.pixel_m, "0", 0, 100000, "m", FREE, "size of a pixel where the files do not know it"),
    CHOICE(data.list.stack, "none", "none|by_date|by_band|by_name", FREE, "whether a file's bands are dates: all bands of the first date and so on, all dates of the first band and so on, or as the bands are named"),
    OTHER(data.list.stack_dates, KEY_TEXTS, "[]", 0, FREE, "the dates of by_date and by_band; empty: numbered"),
    CHOICE(data.list.dates, "auto", "auto|common|own", FREE, "whether month i is the same date in all scenes (what a scene lacks is a gap) or each scene's i-th date; auto: own only where scenes of one date differ in it"),
    TEXT(data.labels, FREE, "path of the class raster, with {YYYY} where there is one a year; a directory with files of one MapBiomas product under their own names; or a vector file (GPKG, GeoJSON, Shapefile) of polygons or points"),
    OTHER(data.label_period, KEY_SPAN, "", 0, FREE, "the time a single class raster stands for, START/END"),
    TEXT(data.label_field, FREE, "field that names a feature's class where data.labels is a vector file of polygons or points; empty: all are of the one class"),
    TEXT(data.label_date_field, FREE, "field with the year or date that a feature of the vector file stands for; empty: by {YYYY} or data.label_period"),
    OTHER(data.label_classes, KEY_CLASSES, "{}", 0, FREE, "names for codes of the class raster, a code, a range or a list of them each; for values of data.label_field also texts, '*' for any"),
    TEXT(data.positive, FREE, "the class that is looked for, a name of data.label_classes; empty: every class is a label of its own, numbered from 1, and model.outputs is their number plus 1"),
    OTHER(data.bands, KEY_TEXTS, "[]", 0, FREE, "bands by name or number from 1; empty: all"),
    OTHER(data.months, KEY_SPAN, "", 0, FREE, "use only images of this time, START/END"),
    OTHER(data.periods, KEY_TEXTS, "[]", 0, FREE, "months with which a new set of files begins, such as [2024-06]; what c3d-dataset update adds is a period of its own without being named here"),
    OTHER(data.aoi, KEY_REALS, "[]", 4, FREE, "use only this area: x_min, y_min, x_max, y_max in the images' coordinates"),
    INT(data.frame_size_px, "112", 1, 4096, "px", FREE, "side of a square frame"),
    INT(data.stride_px, "0", 0, 65536, "px", FREE, "distance of neighbouring frames; 0: data.frame_size_px, no overlap"),
    REAL(data.positive_share, "0.1", 0, 1, "", FREE, "a frame is positive from this share of its area in the positive class; of several the largest share counts"),
    REAL(data.negative_share, "0.01", 0, 1, "", FREE, "a frame is negative up to this share, of all labelled classes together; between the two it is uncertain and not used"),
    OTHER(data.hard_negatives, KEY_CLASSES, "{}", 0, FREE, "codes (or values of data.label_field) that mines are mistaken for, such as {sand: 23, water: 33}; a negative with data.positive_share of its area in them is a hard one"),
    REAL(data.hard_negative_share, "0", 0, 1, "", FREE, "share of hard ones among the training negatives: other negatives are left out, drawn by seed, until it is reached; 0: as it comes"),
    REAL(data.negative_distance_m, "0", 0, 1e6, "m", FREE, "a negative nearer than this to a frame that holds a class is uncertain, and not used"),
    CHOICE(data.label_year, "same", "same|previous|both_agree", FREE, "which year's labels name a month"),
    CHOICE(data.samples, "series", "series|yearly|monthly", FREE, "what a sample is: all months of a frame, a frame and label year, or a frame and month"),
    CHOICE(data.series_label, "any", "any|last|all", FREE, "when a series is positive: in any label year (of several classes the last year's counts), in the last, or in all"),
    CHOICE(data.gaps, "previous", "previous|linear|zero", FREE, "how pixels without an observation are filled"),
    REAL(data.max_missing_share, "0.5", 0, 1, "", FREE, "frames with a larger share of missing pixels are dropped, with the reason"),
    TEXT(data.mask_band, FREE, "band of codes that says which pixels to use (a name, a number, or what {BAND} stands for); dates without a file of it are used as they are"),
    OTHER(data.mask_valid, KEY_TEXTS, "[]", 0, FREE, "codes of data.mask_band whose pixels are used, such as [4, 5, 11] or [0-3]; empty: all but 0"),
    CHOICE(data.resampling, "nearest", "nearest|bilinear|cubic", FREE, "how images on another grid or in another coordinate system are brought to the first one's; nearest keeps the digital numbers"),
    CHOICE(data.split, "blocks", "blocks|polygons|years|random", FREE, "how frames are dealt to training, validation and test"),
    REAL(data.block_km, "10", 0.001, 10000, "km", FREE, "side of the squares that are dealt as a whole"),
    REAL(data.buffer_m, "0", 0, 1e6, "m", FREE, "frames nearer than this to another split's block are not used"),
    OTHER(data.split_shares, KEY_REALS, "[0.7, 0.15, 0.15]", 3, FREE, "shares of training, validation and test"),
    TEXT(data.split_file, FREE, "for data.split: polygons: a vector file whose field split, or names of layers, are train, validation, test or none; frames wholly inside a polygon are of that split, frames that a border crosses of none, those outside all are for training unless a polygon is"),
    OTHER(data.split_years, KEY_CLASSES, "{}", 0, FREE, "label years of validation, test and train, such as {validation: 2021, test: [2022, 2023]}; years not listed are for training unless some year is. With a data.split other than years, samples whose frame and year are of different splits are not used"),
    INT(data.folds, "0", 0, 100, "", FREE, "number of folds for cross-validation; 0: none, and in training as many as samples.csv has"),
    INT(data.fold, "-1", -1, 99, "", REFUSE, "samples of this fold are the test split, those of the next one validation, all others train; -1: the splits of samples.csv"),
    LONG(data.max_per_class, "0", 0, COUNTS, "samples", REFUSE, "train on at most this many of each class, drawn by seed; 0: all"),
    BOOL(data.allow_leaking_split, "false", WARN, "train although frames of two splits overlap or touch", .warning = "scores may say little about new places"),
    CHOICE(data.sampling, "natural", "natural|balanced", REFUSE, "natural: each sample once an epoch; balanced: as many steps, every class equally often"),
    CHOICE(data.time, "all", "all|window|stride", REFUSE, "which months of a sample count, for the network and its normalisation: window its last data.time_months, stride as many evenly spaced ones, the last included; cnn2d sees data.slice of them"),
    INT(data.time_months, "0", 0, 32767, "months", REFUSE, "how many months these are; 0 with data.time: all only"),
    CHOICE(data.slice, "middle", "first|middle|last|random|median|every", REFUSE, "which month of a sample cnn2d sees; every: in training one drawn as by random, and its score is the mean of the scores of all months"),
    CHOICE(data.month_order, "natural", "natural|shuffled", REFUSE, "shuffled: the months of a shown sample change places, drawn by seed, epoch and sample in training and by seed and sample in scoring: a control for what their order adds"),
    BOOL(data.augment.symmetry, "false", REFUSE, "flips and quarter turns, the same for all months of a sample"),
    REAL(data.augment.jitter, "0", 0, 1, "", REFUSE, "j: each band of a shown sample times 1 +- j, plus +- j of its deviation, the same for all months"),
    REAL(data.augment.month_dropout, "0", 0, 1, "", REFUSE, "share of months that are dropped from a shown sample; the last one kept before shows instead, as data.gaps: previous would fill"),
    INT(data.readers, "2", 1, 256, "threads", FREE, "threads that read samples ahead, a rank"),
    CHOICE(data.stage, "none", "none|node|memory", FREE, "copy what a node's ranks will read to its own disk or memory first, checked; no other order of samples"),
    TEXT(data.stage_dir, FREE, "where that copy goes; empty: for node $SLURM_TMPDIR, $TMPDIR or /tmp, for memory /dev/shm"),
    INT(data.stage_groups, "1", 1, 65535, "groups", REFUSE, "cut the training samples into this many groups, so that N nodes need to copy only 1/N each where N divides it; micro-batch i of an epoch is of group i mod groups"),
    LONG(data.seed, "1", 0, COUNTS, "", REFUSE, "all that is drawn is a function of it"),

    CHOICE(model.network, "c3d", "c3d|cnn2d|tcnn|cnn2d_stack|c2plus1d", REFUSE, "3x3x3 kernels; its 2D twin on one slice; pixel by pixel in time; the 2D twin on all months at once, as channels; or 1x3x3 kernels with 3x1x1 kernels after each, (2+1)D"),
    INT(model.width, "64", 1, 1024, "filters", REFUSE, "filters of the first convolution; the others are multiples of it"),
    INT(model.fc, "4096", 1, 65536, "units", REFUSE, "units of the two hidden fully connected layers"),
    CHOICE(model.match_parameters, "none", "none|c3d|cnn2d|tcnn|cnn2d_stack|c2plus1d", REFUSE, "take the width that comes nearest to the number of parameters that this network has at model.width, with the same samples"),
    REAL(model.dropout, "0.5", 0, 0.99, "", REFUSE, "share of those units left out in a training step"),
    CHOICE(model.normalization, "none", "none|batch", REFUSE, "normalisation after each convolution"),
    INT(model.outputs, "1", 1, 1000, "", REFUSE, "1: one score by sigmoid, labels 0 and 1; K: that many classes by softmax, labels 0 to K - 1"),
    BOOL(model.pool5_padding, "true", REFUSE, "1 px of space before the last pool, as published"),
    TEXT(model.init_from, REFUSE, "checkpoint, or directory of a run (its best), whose parameters a new run starts from; a last layer with another number of outputs is drawn anew"),
    CHOICE(model.precision, "fp32", "fp32|tf32|bf16|fp16", REFUSE, "of activations and products; weights, their gradients and sums stay fp32. On a CPU bf16 where it has avx512_bf16 or amx"),
    BOOL(model.autotune, "false", WARN, "try several algorithms before the first step and keep the fastest", .warning = "other algorithms may be taken, so bits may differ from an undisturbed run"),

    INT(train.epochs, "10", 1, 1e6, "", FREE, "times all samples are seen"),
    LONG(train.max_steps, "0", 0, COUNTS, "steps", FREE, "end after this many steps; 0: after train.epochs"),
    INT(train.global_batch, "16", 1, 1e6, "samples", REFUSE, "samples of a step, over all ranks"),
    INT(train.micro_batch, "8", 1, 65536, "samples", REFUSE, "samples of one forward and backward pass on one rank"),
    CHOICE(train.loss, "cross_entropy", "cross_entropy|focal", REFUSE, "what is minimised, and what evaluation reports as loss; focal: (1 - p)^gamma times the cross entropy, p the probability of the label"),
    REAL(train.focal_gamma, "2", 0, 100, "", REFUSE, "how far the focal loss turns away from samples it gets right; 0: the cross entropy"),
    CHOICE(train.class_weights, "none", "none|balanced", REFUSE, "weight of a class in the training loss; balanced: n / (K n_c) with n_c of n training samples in it and K classes"),
    INT(train.early_stop, "0", 0, 1e6, "epochs", WARN, "end after this many epochs in a row without a better one by evaluation.best_by; 0: never", .warning = "the run may end after another number of epochs"),
    LONG(train.checkpoint_every_steps, "0", 0, COUNTS, "steps", FREE, "save this often; 0: at the end of each epoch only"),
    REAL(train.checkpoint_every_s, "0", 0, 1e9, "s", FREE, "save this often; 0: not by the clock"),
    INT(train.keep_last, "2", 1, 1e6, "", FREE, "checkpoints kept besides the best"),
    INT(train.keep_every, "0", 0, 1e6, "epochs", FREE, "also keep the checkpoint of every so many epochs; 0: none"),

    REAL(optimizer.learning_rate, "0.001", 0, 1000, "", REFUSE, "step size of Adam"),
    REAL(optimizer.beta1, "0.9", 0, 0.999999, "", REFUSE, "decay of the mean of gradients"),
    REAL(optimizer.beta2, "0.999", 0, 0.9999999, "", REFUSE, "decay of the mean of squared gradients"),
    REAL(optimizer.epsilon, "1e-08", 1e-16, 1, "", REFUSE, "added to the root of the mean square"),
    REAL(optimizer.weight_decay, "0", 0, 1, "", REFUSE, "share of each parameter taken off a step, times the learning rate (decoupled, as in AdamW)"),
    CHOICE(optimizer.schedule, "constant", "constant|cosine|linear", REFUSE, "course of the learning rate after the warm-up, down to 0 at the end of the run unless constant"),
    LONG(optimizer.warmup_steps, "0", 0, COUNTS, "steps", REFUSE, "the learning rate rises evenly over this many steps"),
    REAL(optimizer.clip_norm, "0", 0, 1e6, "", REFUSE, "gradients with a larger norm over all parameters are scaled down to it; 0: never"),
    CHOICE(optimizer.state, "rank0", "rank0|replicated|sharded", FREE, "where the moments of Adam live: all on rank 0, all on every rank, or a share on each"),

    REAL(distributed.bucket_mb, "25", 0.001, 65536, "MB", WARN, "gradients are summed over ranks in pieces of this size", .warning = "over several ranks sums and norms are made of other pieces, so bits may differ from an undisturbed run"),
    CHOICE(distributed.reduction, "fast", "fast|ordered", WARN, "ordered: the same bits on 1, 2, 4, 8, ... ranks; slower, and memory for the gradients once more each time a rank's micro-batches double", .warning = "gradients are added in another order, so bits differ from an undisturbed run"),
    REAL(distributed.timeout_s, "600", 1, 86400, "s", FREE, "a rank that lets the others wait longer and is silent or at rest (while saving: ten times as long) ends the run"),
    INT(distributed.threads, "0", 0, 4096, "threads", FREE, "threads a rank; 0: the host's cores shared by its ranks, 1 with distributed.reduction: ordered"),

    REAL(evaluation.threshold, "0.9", 0, 1, "", WARN, "a score above it counts as positive; of K classes the largest score decides", .warning = "figures of epochs before and after are at different thresholds"),
    CHOICE(evaluation.best_by, "val_loss", "val_loss|val_accuracy|val_f1|val_auc", REFUSE, "what makes a checkpoint the best; of K classes F1 and AUC are means over the classes"),
    INT(evaluation.batch, "8", 1, 65536, "samples", WARN, "samples of one forward pass when scoring", .warning = "scores may differ in their last bits"),
    INT(evaluation.threads, "1", 1, 4096, "threads", WARN, "threads a rank when scoring; a fixed number, so that scores do not depend on the number of ranks", .warning = "scores may differ in their last bits"),
    TEXT(evaluation.regions, FREE, "vector file of polygons, such as states or river basins: scores are also told by the one that a frame's centre lies in"),
    OTHER(evaluation.region_field, KEY_TEXT, "name", 0, FREE, "field with the names of evaluation.regions; a layer without it gives its own name"),

    TEXT(run.dir, FREE, "directory of the run: curves, checkpoints, log"),
    CHOICE(run.device, "auto", "auto|cpu|cuda", FREE, "what computes; auto says what it took"),
    BOOL(run.deterministic, "false", WARN, "the same bits each time on a GPU, slower", .warning = "on a GPU bits may differ from an undisturbed run"),
    BOOL(run.log_samples, "false", FREE, "write the samples of each step to samples.jsonl"),
    REAL(run.log_every_s, "10", 0.1, 86400, "s", FREE, "a line of progress this often"),
    LONG(run.tensorboard_every_steps, "10", 0, COUNTS, "steps", FREE, "TensorBoard's event files get the figures of a step this often, and those of each epoch; 0: no such files"),
};
/* clang-format on */
const int c3d_config_n_keys = C3D_COUNT(c3d_config_keys);
_Static_assert(C3D_COUNT(c3d_config_keys) <= C3D_CONFIG_MAX_KEYS, "raise C3D_CONFIG_MAX_KEYS");

int c3d_config_find(const char *key)
{
    for (int i = 0; i < c3d_config_n_keys; i++) {
        if (strcmp(c3d_config_keys[i].key, key) == 0) return i;
    }
    return -1;
}

bool c3d_config_is_given(const c3d_config *config, const char *key)
{
    const int row = c3d_config_find(key);

    C3D_ASSERT(row >= 0);
    return config->origins[row].source != C3D_CONFIG_FROM_DEFAULT;
}

int c3d_config_choice(const char *choices, const char *word)
{
    const size_t length = strlen(word);

    for (int i = 0; *choices; i++) {
        const size_t n = strcspn(choices, "|");
        if (n == length && memcmp(choices, word, n) == 0) return i;
        choices += n + (choices[n] == '|');
    }
    return -1;
}
