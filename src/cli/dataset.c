/* c3d-dataset: from an archive of rasters to a dataset that c3d-train reads. */
#include "cli/dataset_config.h"
#include "cli/program.h"
#include "cli/request.h"

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
        .help = "directory of what is made; made when absent"                                      \
    }

#define MEMORY_ROW                                                                                 \
    {                                                                                              \
        .name = "--memory-mb", .type = C3D_OPTION_INT, .value = "MB", .standard = "512", .min = 1, \
        .max = 1e6, .help = "memory of a rank for scenes that are being clipped"                   \
    }
#define THREADS_ROW                                                                                \
    {                                                                                              \
        .name = "--threads", .type = C3D_OPTION_INT, .value = "N", .standard = "0", .min = 0,      \
        .max = 1024,                                                                               \
        .help = "threads of a rank that clip; 0: the cores it may use, shared with other ranks"    \
    }
#define SHARD_ROW                                                                                  \
    {                                                                                              \
        .name = "--scenes-per-shard", .type = C3D_OPTION_INT, .value = "N", .standard = "2000",    \
        .min = 1, .max = 100000, .help = "frames a scenes-*.h5"                                    \
    }

static const c3d_option out_options[] = { OUT_ROW };
static const c3d_option clip_options[] = { OUT_ROW, MEMORY_ROW, THREADS_ROW, SHARD_ROW };
static const c3d_option build_options[] = {
    OUT_ROW,
    MEMORY_ROW,
    THREADS_ROW,
    SHARD_ROW,
    { .name = "--from",
      .type = C3D_OPTION_TEXT,
      .value = "PACKAGE",
      .help = "frames and samples of a published dataset, whose config.yaml is CONFIG; only the "
              "pixels are clipped, and compared with its checksums" },
};
static const c3d_option import_options[] = {
    OUT_ROW,
    { .name = "--config",
      .type = C3D_OPTION_TEXT,
      .value = "CONFIG",
      .alone = true,
      .help =
          "keys such as data.list.*, data.positive, data.folds; with data.list.file no list need "
          "be named" },
    MEMORY_ROW,
    SHARD_ROW,
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
    PREVIEW,
    PUBLISH
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
    [BUILD] = CONFIG_COMMAND("build", build_options,
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
                 .summary =
                     "a dataset of the scenes of a list, or of a folder with a folder a class",
                 .operands = "LIST.csv",
                 .n_operands_min = 1,
                 .n_operands_max = 1,
                 .options = import_options,
                 .n_options = C3D_COUNT(import_options),
                 .has_config = true },
    [PUBLISH] = { .name = "publish",
                  .summary = "a dataset without its pixels, from which others with the images "
                             "build the same scenes",
                  .operands = "DIR",
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

/* ---- commands ----------------------------------------------------------------------------------
 */

static c3d_status agree(void *context, c3d_status status)
{
    return c3d_comm_agree_status(context, status);
}

static c3d_status gather(void *context, const void *bytes, size_t n_bytes, void **all_out,
                         size_t *n_all_out)
{
    return c3d_comm_gather(context, bytes, n_bytes, all_out, n_all_out);
}

static c3d_sharing share(c3d_comm *comm)
{
    return (c3d_sharing){ .rank = comm->rank,
                          .n_ranks = comm->n_ranks,
                          .agree = agree,
                          .gather = gather,
                          .context = comm };
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

static c3d_status run_stages(const c3d_sharing *sharing, command_number command,
                             const c3d_dataset_desc *desc)
{
    c3d_phase_set(C3D_PHASE_FRAMES, 0, 0);
    if (command == BUILD || command == FRAMES) C3D_TRY(c3d_dataset_frames(desc, sharing));
    c3d_phase_set(C3D_PHASE_CLIPPING, 0, 0);
    if (command == BUILD || command == CLIP) C3D_TRY(c3d_dataset_clip(desc, sharing));
    c3d_phase_set(C3D_PHASE_SAMPLES, 0, 0);
    if (command == BUILD || command == SAMPLES) C3D_TRY(c3d_dataset_samples(desc, sharing));
    return C3D_OK;
}

static c3d_status run_build(c3d_comm *comm, const c3d_args *args, const c3d_config *config,
                            const c3d_request *of)
{
    const command_number command = (command_number)(args->command - commands);
    const c3d_sharing sharing = share(comm);
    const char *package = command == BUILD ? c3d_args_text(args, "--from") : NULL;
    const char *dir = of->desc.out_dir;
    c3d_status st;

    if (package && package[0])
        C3D_TRY(c3d_dataset_rebuild(package, &of->desc, &sharing));
    else
        C3D_TRY(run_stages(&sharing, command, &of->desc));
    st = comm->rank == 0 ? c3d_dataset_config_keep(config, dir) : C3D_OK;
    if (st == C3D_OK) st = print_info(comm, dir);
    return c3d_comm_agree_status(comm, st);
}

static c3d_status update(c3d_comm *comm, const c3d_request *of)
{
    const c3d_sharing sharing = share(comm);

    c3d_phase_set(C3D_PHASE_CLIPPING, 0, 0);
    C3D_TRY(c3d_dataset_update(&of->desc, &sharing));
    return c3d_comm_agree_status(comm, print_info(comm, of->desc.out_dir));
}

/* Two programs would write into each other's files: rank 0 locks the directory for all. */
static c3d_status run_locked(c3d_comm *comm, const c3d_args *args, const c3d_config *config,
                             const c3d_request *of)
{
    const command_number command = (command_number)(args->command - commands);
    const char *dir = of->desc.out_dir;
    int lock = -1;
    c3d_status st = C3D_OK;

    if (of->desc.list && command != SAMPLES)
        return c3d_comm_agree_status(
            comm, C3D_FAIL(C3D_ECONFIG,
                           "data.list.file: scenes of a list are made by c3d-dataset import"));

    c3d_raster_start();
    if (comm->rank == 0 && command != UPDATE) st = c3d_make_dirs(dir);
    if (comm->rank == 0 && st == C3D_OK && c3d_path_is_dir(dir)) st = c3d_lock_take(dir, &lock);
    st = c3d_comm_agree_status(comm, st);
    if (st == C3D_OK) st = command == UPDATE ? update(comm, of) : run_build(comm, args, config, of);
    c3d_lock_release(lock);
    return st;
}

static c3d_status run_with_config(c3d_comm *comm, const c3d_args *args)
{
    c3d_config config = { 0 };
    c3d_request *of = c3d_calloc(1, sizeof *of);
    c3d_text yaml = { 0 };
    c3d_status st = of ? C3D_OK : C3D_ENOMEM;

    if (st == C3D_OK) st = c3d_program_config(comm, args, C3D_CONFIG_FOR_DATASET, &config);
    if (st == C3D_OK && args->print_config) {
        c3d_config_print(&config, &yaml);
        st = c3d_program_print(comm, yaml.text);
    } else if (st == C3D_OK) {
        st = c3d_comm_agree_status(comm, c3d_request_take(args, &config, of));
        if (st == C3D_OK) st = take_place(comm, &of->desc);
        if (st == C3D_OK) st = run_locked(comm, args, &config, of);
    }
    c3d_text_free(&yaml);
    c3d_config_free(&config);
    if (of) c3d_request_free(of);
    free(of);
    return st;
}

/* The configuration, so that `samples` needs no other. */
static c3d_status keep_config(const char *dir, c3d_config *config)
{
    c3d_dataset_info info;
    c3d_text yaml = { 0 };
    char path[C3D_PATH_MAX];

    C3D_TRY(c3d_dataset_info_read(dir, &info));
    config->data.frame_size_px = info.frame_size_px;
    c3d_dataset_info_free(&info);
    C3D_TRY(c3d_path_join(path, dir, "import.yaml"));
    c3d_config_print(config, &yaml);
    const c3d_status st = c3d_file_write(path, yaml.text, yaml.length);
    c3d_text_free(&yaml);
    return st;
}

static c3d_status run_import(c3d_comm *comm, c3d_config *config, const c3d_request *of)
{
    const c3d_sharing sharing = share(comm);
    const char *dir = of->desc.out_dir;

    c3d_phase_set(C3D_PHASE_CLIPPING, 0, 0);
    C3D_TRY(c3d_dataset_import(&of->desc, &sharing));
    C3D_TRY(c3d_comm_agree_status(comm, comm->rank == 0 ? keep_config(dir, config) : C3D_OK));
    return c3d_comm_agree_status(comm, print_info(comm, dir));
}

static c3d_status import_locked(c3d_comm *comm, const c3d_args *args, c3d_config *config,
                                c3d_request *of)
{
    int lock = -1;
    c3d_status st = C3D_OK;

    C3D_TRY(c3d_comm_agree_status(comm, c3d_request_take(args, config, of)));
    c3d_raster_start();
    if (comm->rank == 0) st = c3d_make_dirs(of->desc.out_dir);
    if (comm->rank == 0 && st == C3D_OK) st = c3d_lock_take(of->desc.out_dir, &lock);
    st = c3d_comm_agree_status(comm, st);
    if (st == C3D_OK) st = run_import(comm, config, of);
    c3d_lock_release(lock);
    return st;
}

/* The list that was named is a key as any other: before the others, so that --set may not clash. */
static c3d_status set_list(const char *list, c3d_args *args, char set[C3D_PATH_MAX + 32])
{
    char *path = realpath(list, NULL);
    const char **sets = c3d_calloc((size_t)args->n_sets + 1, sizeof *sets);

    if (!path || !sets) {
        free(path);
        free(sets);
        return C3D_FAIL(C3D_EIO, "%s: no such file or folder", list);
    }
    (void)snprintf(set, C3D_PATH_MAX + 32, "data.list.file=%s", path);
    free(path);
    sets[0] = set;
    for (int i = 0; i < args->n_sets; i++) sets[i + 1] = args->sets[i];
    free(args->sets);
    args->sets = sets;
    args->n_sets++;
    return C3D_OK;
}

static c3d_status import(c3d_comm *comm, c3d_args *args)
{
    c3d_config config = { 0 };
    c3d_request *of = c3d_calloc(1, sizeof *of);
    c3d_text yaml = { 0 };
    char set[C3D_PATH_MAX + 32];
    c3d_status st = of ? C3D_OK : C3D_ENOMEM;

    if (st == C3D_OK && args->n_operands > 0) st = set_list(args->operands[0], args, set);
    st = c3d_comm_agree_status(comm, st);
    C3D_ASSERT(st != C3D_OK || of != NULL);
    if (st == C3D_OK)
        st = c3d_program_config_from(comm, args, c3d_args_text(args, "--config"),
                                     C3D_CONFIG_FOR_DATASET, &config);
    if (st == C3D_OK && !config.data.list.file[0])
        st = C3D_FAIL(C3D_ECONFIG, "import: no list, and no data.list.file in the configuration");
    if (st == C3D_OK && args->print_config) {
        c3d_config_print(&config, &yaml);
        st = c3d_program_print(comm, yaml.text);
    } else if (st == C3D_OK) {
        st = import_locked(comm, args, &config, of);
    }
    c3d_text_free(&yaml);
    c3d_config_free(&config);
    if (of) c3d_request_free(of);
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

static c3d_status publish(c3d_comm *comm, const c3d_args *args)
{
    const char *out = c3d_args_text(args, "--out");

    c3d_raster_start();
    return c3d_comm_agree_status(
        comm, comm->rank == 0 ? c3d_dataset_config_publish(args->operands[0], out) : C3D_OK);
}

static c3d_status run(c3d_comm *comm, c3d_args *args)
{
    const command_number command = (command_number)(args->command - commands);

    switch (command) {
    case BUILD:
    case FRAMES:
    case CLIP:
    case SAMPLES:
    case UPDATE: return run_with_config(comm, args);
    case INFO:
        c3d_raster_start();
        return c3d_comm_agree_status(comm, print_info(comm, args->operands[0]));
    case VERIFY: return verify(comm, args->operands[0]);
    case DEMO: return demo(comm, args);
    case PREVIEW: return preview(comm, args);
    case PUBLISH: return publish(comm, args);
    case IMPORT: return import(comm, args);
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
