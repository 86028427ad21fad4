/* c3d-dataset: from an archive of rasters to a dataset that c3d-train reads. */
#include "cli/program.h"

#include "c3d/dataset.h"
#include "c3d/demo.h"
#include "c3d/lock.h"
#include "c3d/place.h"

#include <stdlib.h>
#include <string.h>

/* ---- command line ------------------------------------------------------------------------------
 */

#define OUT_ROW                                                                                    \
    {                                                                                              \
        .name = "--out", .type = C3D_OPTION_TEXT, .value = "DIR",                                  \
        .help = "directory of the dataset; made when absent"                                       \
    }

static const c3d_option out_options[] = { OUT_ROW };
static const c3d_option clip_options[] = {
    OUT_ROW,
    { .name = "--memory-mb",
      .type = C3D_OPTION_INT,
      .value = "MB",
      .standard = "512",
      .min = 1,
      .max = 1e6,
      .help = "memory of a rank for scenes that are being clipped" },
    { .name = "--threads",
      .type = C3D_OPTION_INT,
      .value = "N",
      .standard = "0",
      .min = 0,
      .max = 1024,
      .help = "threads of a rank that clip; 0: the cores it may use, shared with other ranks" },
    { .name = "--scenes-per-shard",
      .type = C3D_OPTION_INT,
      .value = "N",
      .standard = "2000",
      .min = 1,
      .max = 100000,
      .help = "frames a scenes-*.h5" },
};
static const c3d_option demo_options[] = {
    { .name = "--size",
      .type = C3D_OPTION_CHOICE,
      .value = "small|medium|large|tiny",
      .standard = "small",
      .help = "how large an area is drawn: 130 MB, 520 MB, 5 GB, 16 MB" },
    { .name = "--seed",
      .type = C3D_OPTION_INT,
      .value = "N",
      .standard = "1",
      .min = 0,
      .max = 9007199254740992.0,
      .help = "the same seed draws the same archive" },
    { .name = "--kind",
      .type = C3D_OPTION_CHOICE,
      .value = "landscape|time_only|one_frame",
      .standard = "landscape",
      .help = "a landscape with mines, or a test set whose classes differ only in time, or in "
              "every single month" },
};

static const c3d_option preview_options[] = {
    { .name = "--out",
      .type = C3D_OPTION_TEXT,
      .value = "FILE.html",
      .help = "the page; without it preview.html in the dataset's directory" },
    { .name = "--n",
      .type = C3D_OPTION_INT,
      .value = "N",
      .standard = "4",
      .min = 1,
      .max = 1000,
      .help = "scenes of each label in each split, and of each kind that is worth a look" },
    { .name = "--bands",
      .type = C3D_OPTION_TEXT,
      .value = "R,G,B",
      .help = "names or numbers of the bands to show, three or one; without it red, green, blue" },
    { .name = "--max-mb",
      .type = C3D_OPTION_INT,
      .value = "MB",
      .standard = "20",
      .min = 1,
      .max = 2000,
      .help = "size of the page: pictures are made smaller, then scenes left out, to keep to it" },
    { .name = "--seed",
      .type = C3D_OPTION_INT,
      .value = "N",
      .standard = "1",
      .min = 0,
      .max = 9007199254740992.0,
      .help = "another seed draws other scenes" },
};

typedef enum command_number {
    BUILD,
    FRAMES,
    CLIP,
    SAMPLES,
    INFO,
    VERIFY,
    DEMO,
    UPDATE,
    IMPORT,
    PREVIEW
} command_number;

#define CONFIG_COMMAND(name_, options_, summary_)                                                  \
    {                                                                                              \
        .name = (name_), .summary = (summary_), .operands = "CONFIG", .n_operands_min = 1,         \
        .n_operands_max = 1, .options = (options_), .n_options = C3D_COUNT(options_),              \
        .has_config = true                                                                         \
    }
#define DIR_COMMAND(name_, summary_)                                                               \
    {                                                                                              \
        .name = (name_), .summary = (summary_), .operands = "DIR", .n_operands_min = 1,            \
        .n_operands_max = 1                                                                        \
    }

static const c3d_command commands[] = {
    [BUILD] = CONFIG_COMMAND("build", clip_options,
                             "frames, clip and samples; goes on with what is not finished"),
    [FRAMES] = CONFIG_COMMAND("frames", out_options,
                              "choose and label frames: frames.gpkg, to look at and edit in QGIS"),
    [CLIP] = CONFIG_COMMAND("clip", clip_options, "cut the frames' pixels out of the archive"),
    [SAMPLES] = CONFIG_COMMAND("samples", out_options,
                               "samples.csv and dataset.json, anew after labels were edited"),
    [INFO] = DIR_COMMAND("info", "what is in a dataset"),
    [VERIFY] =
        DIR_COMMAND("verify", "compare every checksum, and measure how far splits are apart"),
    [DEMO] = { .name = "demo",
               .summary = "write an artificial archive to try everything on",
               .operands = "DIR",
               .n_operands_min = 1,
               .n_operands_max = 1,
               .options = demo_options,
               .n_options = C3D_COUNT(demo_options) },
    [UPDATE] = CONFIG_COMMAND("update", clip_options,
                              "add newly arrived months; frames, splits and samples stay"),
    [IMPORT] = { .name = "import",
                 .summary = "scenes from a list (comes later)",
                 .operands = "LIST.csv",
                 .n_operands_min = 1,
                 .n_operands_max = 1,
                 .options = out_options,
                 .n_options = C3D_COUNT(out_options) },
    [PREVIEW] = { .name = "preview",
                  .summary = "a page of scenes with the labels drawn over them, to look at before "
                             "training",
                  .operands = "DIR",
                  .n_operands_min = 1,
                  .n_operands_max = 1,
                  .options = preview_options,
                  .n_options = C3D_COUNT(preview_options) },
};
static const c3d_program program = {
    .name = "c3d-dataset",
    .summary = "Make, inspect and check datasets of satellite time series.",
    .commands = commands,
    .n_commands = C3D_COUNT(commands),
    .libraries = C3D_LIBRARIES,
};

/* ---- what the configuration asks for -----------------------------------------------------------
 */

_Static_assert(C3D_CONFIG_RESAMPLING_CUBIC + C3D_RESAMPLING_NEAREST == C3D_RESAMPLING_CUBIC &&
                   (int)C3D_CONFIG_GAPS_ZERO == C3D_GAPS_ZERO &&
                   (int)C3D_CONFIG_GAPS_LINEAR == C3D_GAPS_LINEAR &&
                   (int)C3D_CONFIG_SAMPLES_YEARLY == C3D_SAMPLES_YEARLY &&
                   (int)C3D_CONFIG_SAMPLES_MONTHLY == C3D_SAMPLES_MONTHLY &&
                   (int)C3D_CONFIG_SERIES_LABEL_LAST == C3D_SERIES_LAST &&
                   (int)C3D_CONFIG_SERIES_LABEL_ALL == C3D_SERIES_ALL &&
                   (int)C3D_CONFIG_LABEL_YEAR_PREVIOUS == C3D_YEAR_PREVIOUS &&
                   (int)C3D_CONFIG_LABEL_YEAR_BOTH_AGREE == C3D_YEAR_BOTH_AGREE &&
                   (int)C3D_CONFIG_SPLIT_POLYGONS == C3D_SPLIT_POLYGONS &&
                   (int)C3D_CONFIG_SPLIT_YEARS == C3D_SPLIT_YEARS &&
                   (int)C3D_CONFIG_SPLIT_RANDOM == C3D_SPLIT_RANDOM,
               "choices of the configuration are those of the dataset");

/* The description and what it points to. */
typedef struct request {
    c3d_dataset_desc desc;
    char mosaics[C3D_PATH_MAX], labels[C3D_PATH_MAX], split_file[C3D_PATH_MAX];
    c3d_label_class *classes, *hard;
    c3d_date *periods;
    int (*mask_valid)[2];
    c3d_year_range split_years[C3D_N_SPLITS * C3D_CONFIG_MAX_RANGES];
} request;

static c3d_status take_classes(const c3d_config_classes *from, c3d_label_class **out)
{
    _Static_assert(sizeof(*out)[0].texts == sizeof from->items[0].texts, "the same texts");

    *out = c3d_calloc((size_t)from->n + 1, sizeof **out);
    if (!*out) return C3D_ENOMEM;
    for (int i = 0; i < from->n; i++) {
        const c3d_config_class *item = &from->items[i];
        c3d_label_class *to = &(*out)[i];
        memcpy(to->name, item->name, sizeof to->name);
        to->n_ranges = item->n_ranges;
        memcpy(to->ranges, item->ranges, sizeof to->ranges);
        to->n_texts = item->n_texts;
        memcpy(to->texts, item->texts, sizeof to->texts);
    }
    return C3D_OK;
}

static c3d_status take_periods(const c3d_config_texts *from, request *out)
{
    out->periods = c3d_calloc((size_t)from->n + 1, sizeof *out->periods);
    if (!out->periods) return C3D_ENOMEM;
    for (int i = 0; i < from->n; i++)
        if (!c3d_date_parse(from->items[i], &out->periods[i]))
            return C3D_FAIL(C3D_ECONFIG, "data.periods: %s: expected a month such as 2024-06",
                            from->items[i]);
    out->desc.n_periods = from->n;
    out->desc.periods = out->periods;
    return C3D_OK;
}

/* "7", "0-3", "-1" */
static bool parse_codes(const char *text, int out[2])
{
    const char *dash = text[0] ? strchr(text + 1, '-') : NULL;
    char low[16];
    long long from, to;

    if (dash == NULL) dash = text + strlen(text);
    if ((size_t)(dash - text) >= sizeof low) return false;
    (void)snprintf(low, sizeof low, "%.*s", (int)(dash - text), text);
    if (!c3d_parse_int(low, &from)) return false;
    to = from;
    if (*dash != 0 && !c3d_parse_int(dash + 1, &to)) return false;
    if (from < INT32_MIN || to > INT32_MAX || from > to) return false;
    out[0] = (int)from;
    out[1] = (int)to;
    return true;
}

static c3d_status take_mask(const c3d_config *config, request *out)
{
    const c3d_config_texts *from = &config->data.mask_valid;

    if (!config->data.mask_band[0]) return C3D_OK;
    out->desc.mask_band = config->data.mask_band;
    out->mask_valid = c3d_calloc((size_t)from->n + 1, sizeof *out->mask_valid);
    if (!out->mask_valid) return C3D_ENOMEM;
    for (int i = 0; i < from->n; i++)
        if (!parse_codes(from->items[i], out->mask_valid[i]))
            return C3D_FAIL(
                C3D_ECONFIG,
                "data.mask_valid: %s: expected a code such as 4, or a range such as 0-3",
                from->items[i]);
    out->desc.n_mask_valid = from->n;
    out->desc.mask_valid = (const int(*)[2])out->mask_valid;
    return C3D_OK;
}

static c3d_status take_labels(const c3d_config *config, request *out)
{
    c3d_dataset_desc *desc = &out->desc;

    if (config->data.labels[0]) {
        C3D_TRY(c3d_config_path(config, config->data.labels, out->labels));
        desc->labels = out->labels;
    }
    desc->label_field = config->data.label_field;
    desc->label_date_field = config->data.label_date_field;
    desc->label_first = config->data.label_period.first;
    desc->label_last = config->data.label_period.last;
    desc->positive = config->data.positive[0] ? config->data.positive : NULL;
    desc->hard_share = config->data.hard_negative_share;
    desc->negative_distance_m = config->data.negative_distance_m;
    desc->n_hard = config->data.hard_negatives.n;
    desc->n_classes = config->data.label_classes.n;
    C3D_TRY(take_classes(&config->data.hard_negatives, &out->hard));
    C3D_TRY(take_classes(&config->data.label_classes, &out->classes));
    desc->hard = out->hard;
    desc->classes = out->classes;
    return C3D_OK;
}

static void take_split_years(const c3d_config_classes *from, request *out)
{
    int n = 0;

    for (int i = 0; i < from->n && i < C3D_N_SPLITS; i++)
        for (int r = 0; r < from->items[i].n_ranges; r++) {
            c3d_year_range *to = &out->split_years[n++];
            to->first = from->items[i].ranges[r][0];
            to->last = from->items[i].ranges[r][1];
            C3D_ASSERT(c3d_split_parse(from->items[i].name, &to->split)); /* a rule of its key */
        }
    out->desc.n_split_years = n;
    out->desc.split_years = out->split_years;
}

static void take_numbers(const c3d_config *config, c3d_dataset_desc *desc)
{
    for (int i = 0; i < config->data.aoi.n && i < 4; i++) desc->aoi[i] = config->data.aoi.items[i];
    for (int i = 0; i < config->data.split_shares.n && i < C3D_N_SPLITS; i++)
        desc->split_shares[i] = config->data.split_shares.items[i];
    desc->frame_size_px = config->data.frame_size_px;
    desc->stride_px =
        config->data.stride_px > 0 ? config->data.stride_px : config->data.frame_size_px;
    desc->positive_share = config->data.positive_share;
    desc->negative_share = config->data.negative_share;
    desc->label_year = (c3d_label_year_rule)config->data.label_year;
    desc->samples = (c3d_samples_mode)config->data.samples;
    desc->series_label = (c3d_series_label)config->data.series_label;
    desc->gaps = (c3d_gaps)config->data.gaps;
    desc->resampling = (c3d_resampling)(config->data.resampling + C3D_RESAMPLING_NEAREST);
    desc->max_missing_share = config->data.max_missing_share;
    desc->split = (c3d_split_mode)config->data.split;
    desc->block_km = config->data.block_km;
    desc->buffer_m = config->data.buffer_m;
    desc->folds = config->data.folds;
    desc->max_per_class = config->data.max_per_class;
    desc->seed = (uint64_t)config->data.seed;
}

static bool has_option(const c3d_args *args, const char *name)
{
    for (int i = 0; i < args->command->n_options; i++)
        if (strcmp(args->command->options[i].name, name) == 0) return true;
    return false;
}

static c3d_status take_request(const c3d_args *args, const c3d_config *config, request *out)
{
    c3d_dataset_desc *desc = &out->desc;

    desc->out_dir = c3d_args_text(args, "--out");
    if (!desc->out_dir || !desc->out_dir[0])
        return C3D_FAIL(C3D_ECONFIG, "--out: expected the directory of the dataset");
    C3D_TRY(c3d_config_path(config, config->data.mosaics, out->mosaics));
    desc->mosaics = out->mosaics;
    desc->month_first = config->data.months.first;
    desc->month_last = config->data.months.last;
    desc->n_bands = config->data.bands.n;
    desc->bands = (const char *const *)config->data.bands.items;
    take_numbers(config, desc);
    C3D_TRY(take_periods(&config->data.periods, out));
    C3D_TRY(take_mask(config, out));
    take_split_years(&config->data.split_years, out);
    if (config->data.split_file[0]) {
        C3D_TRY(c3d_config_path(config, config->data.split_file, out->split_file));
        desc->split_file = out->split_file;
    }
    if (has_option(args, "--memory-mb")) {
        desc->memory_bytes = (size_t)c3d_args_int(args, "--memory-mb") << 20;
        desc->n_threads = (int)c3d_args_int(args, "--threads");
        desc->scenes_per_shard = (int)c3d_args_int(args, "--scenes-per-shard");
    }
    return take_labels(config, out);
}

/* ---- commands ----------------------------------------------------------------------------------
 */

static c3d_status agree(void *context, c3d_status status)
{
    return c3d_comm_agree_status(context, status);
}

static c3d_sharing share(c3d_comm *comm)
{
    return (c3d_sharing){
        .rank = comm->rank, .n_ranks = comm->n_ranks, .agree = agree, .context = comm
    };
}

static c3d_status print_info(const c3d_comm *comm, const char *dir)
{
    c3d_text text = { 0 };
    c3d_status st = C3D_OK;

    if (comm->rank == 0) {
        st = c3d_dataset_describe(dir, &text);
        if (st == C3D_OK) st = c3d_program_print(comm, text.text);
    }
    c3d_text_free(&text);
    return st;
}

/* More threads of one rank than that wait for each other in GDAL. */
#define THREADS_MAX 16

/* Threads are those of the cores this rank may use. */
static c3d_status take_place(c3d_comm *comm, c3d_dataset_desc *desc)
{
    c3d_place place;

    C3D_TRY(c3d_place_take(comm, desc->n_threads, NULL, &place));
    if (desc->n_threads == 0)
        desc->n_threads = place.n_threads < THREADS_MAX ? place.n_threads : THREADS_MAX;
    return C3D_OK;
}

static c3d_status run_stages(c3d_comm *comm, command_number command, const request *of)
{
    const c3d_sharing sharing = share(comm);

    c3d_phase_set(C3D_PHASE_FRAMES, 0, 0);
    if (command == BUILD || command == FRAMES) C3D_TRY(c3d_dataset_frames(&of->desc, &sharing));
    c3d_phase_set(C3D_PHASE_CLIPPING, 0, 0);
    if (command == BUILD || command == CLIP) C3D_TRY(c3d_dataset_clip(&of->desc, &sharing));
    c3d_phase_set(C3D_PHASE_SAMPLES, 0, 0);
    if (command == BUILD || command == SAMPLES) C3D_TRY(c3d_dataset_samples(&of->desc, &sharing));
    return c3d_comm_agree_status(comm, print_info(comm, of->desc.out_dir));
}

static c3d_status update(c3d_comm *comm, const request *of)
{
    const c3d_sharing sharing = share(comm);

    c3d_phase_set(C3D_PHASE_CLIPPING, 0, 0);
    C3D_TRY(c3d_dataset_update(&of->desc, &sharing));
    return c3d_comm_agree_status(comm, print_info(comm, of->desc.out_dir));
}

/* Two programs would write into each other's files: rank 0 locks the directory for all. */
static c3d_status run_locked(c3d_comm *comm, command_number command, const request *of)
{
    const char *dir = of->desc.out_dir;
    int lock = -1;
    c3d_status st = C3D_OK;

    c3d_raster_start();
    if (comm->rank == 0 && command != UPDATE) st = c3d_make_dirs(dir);
    if (comm->rank == 0 && st == C3D_OK && c3d_path_is_dir(dir)) st = c3d_lock_take(dir, &lock);
    st = c3d_comm_agree_status(comm, st);
    if (st == C3D_OK) st = command == UPDATE ? update(comm, of) : run_stages(comm, command, of);
    c3d_lock_release(lock);
    return st;
}

static c3d_status run_with_config(c3d_comm *comm, const c3d_args *args, command_number command)
{
    c3d_config config = { 0 };
    request *of = c3d_calloc(1, sizeof *of);
    c3d_text yaml = { 0 };
    c3d_status st = of ? C3D_OK : C3D_ENOMEM;

    if (st == C3D_OK) st = c3d_program_config(comm, args, C3D_CONFIG_FOR_DATASET, &config);
    if (st == C3D_OK && args->print_config) {
        c3d_config_print(&config, &yaml);
        st = c3d_program_print(comm, yaml.text);
    } else if (st == C3D_OK) {
        st = c3d_comm_agree_status(comm, take_request(args, &config, of));
        if (st == C3D_OK) st = take_place(comm, &of->desc);
        if (st == C3D_OK) st = run_locked(comm, command, of);
    }
    c3d_text_free(&yaml);
    c3d_config_free(&config);
    if (of) {
        free(of->classes);
        free(of->hard);
        free(of->periods);
        free(of->mask_valid);
    }
    free(of);
    return st;
}

static c3d_status verify(c3d_comm *comm, const char *dir)
{
    const c3d_sharing sharing = share(comm);
    c3d_text text = { 0 };

    c3d_raster_start();
    c3d_phase_set(C3D_PHASE_VERIFYING, 0, 0);
    c3d_status st = c3d_dataset_verify(dir, &sharing, &text);
    /* What was found so far is worth saying also when something is wrong. */
    if (text.length > 0) {
        const c3d_error error = *c3d_error_last();
        const c3d_status printed = c3d_program_print(comm, text.text);
        st = st == C3D_OK ? printed : c3d_error_put(&error);
    }
    c3d_text_free(&text);
    return st;
}

static c3d_status demo(c3d_comm *comm, const c3d_args *args)
{
    const c3d_sharing sharing = share(comm);
    c3d_demo_desc desc = { .directory = args->operands[0],
                           .seed = (uint64_t)c3d_args_int(args, "--seed"),
                           .sharing = &sharing };

    if (!c3d_demo_size_parse(c3d_args_text(args, "--size"), &desc.size) ||
        !c3d_demo_kind_parse(c3d_args_text(args, "--kind"), &desc.kind))
        return C3D_FAIL(C3D_ECONFIG, "--size or --kind: unknown");
    c3d_raster_start();
    return c3d_demo_make(&desc);
}

static c3d_status preview(c3d_comm *comm, const c3d_args *args)
{
    char made_by[64];
    const c3d_preview_desc desc = { .dir = args->operands[0],
                                    .path = c3d_args_text(args, "--out"),
                                    .bands = c3d_args_text(args, "--bands"),
                                    .made_by = made_by,
                                    .n = (int)c3d_args_int(args, "--n"),
                                    .max_mb = (int)c3d_args_int(args, "--max-mb"),
                                    .seed = (uint64_t)c3d_args_int(args, "--seed") };
    c3d_text text = { 0 };
    c3d_status st = C3D_OK;

    (void)snprintf(made_by, sizeof made_by, "c3d-dataset %s", c3d_version());
    c3d_raster_start();
    if (comm->rank == 0) {
        st = c3d_dataset_preview(&desc, &text);
        if (st == C3D_OK) st = c3d_program_print(comm, text.text);
    }
    c3d_text_free(&text);
    return c3d_comm_agree_status(comm, st);
}

static c3d_status run(c3d_comm *comm, const c3d_args *args)
{
    const command_number command = (command_number)(args->command - commands);

    c3d_progress_set_mode(args->progress, 10);
    switch (command) {
    case BUILD:
    case FRAMES:
    case CLIP:
    case SAMPLES:
    case UPDATE: return run_with_config(comm, args, command);
    case INFO:
        c3d_raster_start();
        return c3d_comm_agree_status(comm, print_info(comm, args->operands[0]));
    case VERIFY: return verify(comm, args->operands[0]);
    case DEMO: return demo(comm, args);
    case PREVIEW: return preview(comm, args);
    case IMPORT: break;
    }
    return c3d_comm_agree_status(
        comm, C3D_FAIL(C3D_ECONFIG, "%s: comes later, with another version", args->command->name));
}

int main(int argc, char **argv)
{
    c3d_comm comm;
    c3d_args args;
    c3d_status st = c3d_program_start(&program, argc, argv, &comm, &args);

    if (st == C3D_OK) st = args.answer ? c3d_program_print(&comm, args.answer) : run(&comm, &args);
    return c3d_program_end(&comm, &args, st);
}
