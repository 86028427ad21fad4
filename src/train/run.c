#include "train/run.h"

#include "train/checkpoint.h"
#include "train/cost.h"
#include "train/directory.h"
#include "train/forecast.h"
#include "train/optimizer.h"
#include "train/ordered.h"
#include "train/records.h"
#include "train/saver.h"
#include "train/stage.h"

#include "c3d/lock.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static c3d_status write_config(const c3d_run *run)
{
    char path[C3D_PATH_MAX];
    c3d_text yaml = { 0 };

    C3D_TRY(c3d_path_join(path, run->dir, "config.yaml"));
    c3d_config_print(run->config, &yaml);
    const c3d_status st = c3d_file_write(path, yaml.text, yaml.length);
    c3d_text_free(&yaml);
    return st;
}

/* Rank 0: the directory with its lock first, so that nobody else changes it meanwhile. */
static c3d_status open_directory(c3d_run *run, c3d_resume resume, const char *resume_path,
                                 char checkpoint_out[C3D_PATH_MAX])
{
    const bool move_old = resume == C3D_RESUME_NEVER && c3d_path_exists(run->dir);
    char path[C3D_PATH_MAX];

    C3D_TRY(c3d_directory_open(run->dir, move_old, &run->lock_fd));
    C3D_TRY(c3d_path_join(path, run->dir, "log.txt"));
    C3D_TRY(c3d_log_set_file(path));
    return c3d_resume_choose(run, resume, resume_path, checkpoint_out);
}

/* Splits that leak, or a list whose splits nobody has measured, need the user's word. */
static c3d_status check_leak(const c3d_run *run, const char *store)
{
    const c3d_dataset_info *info = c3d_dataset_get_info(run->dataset);
    bool unchanged;
    c3d_text what = { 0 };
    c3d_status st;

    C3D_TRY(c3d_dataset_samples_unchanged(store, info, &unchanged));
    st = c3d_dataset_known_leaks(store, info, run->config->data.fold, &what);
    if (!unchanged)
        c3d_text_add(&what,
                     "%ssamples.csv was changed since dataset.json was written, so that its splits "
                     "may leak",
                     what.length ? "; " : "");
    if (st == C3D_OK && what.length > 0) {
        if (run->config->data.allow_leaking_split)
            c3d_log_warn("%s: %s; scores may say little about new places", store, what.text);
        else
            st = C3D_FAIL(C3D_EDATA,
                          "%s: %s (c3d-dataset verify shows more); set data.allow_leaking_split: "
                          "true to train all the same",
                          store, what.text);
    }
    c3d_text_free(&what);
    return st;
}

/* A class without a training sample is never learnt: likely a wrong number of outputs. */
static void warn_of_absent_classes(const c3d_run *run, const char *store)
{
    const c3d_samples *samples = c3d_dataset_get_samples(run->dataset);
    bool is_there[C3D_MAX_CLASSES] = { false };
    char name[24];

    for (size_t i = 0; i < run->train_list.n; i++)
        is_there[samples->rows[run->train_list.index[i]].label] = true;
    const int n_classes = run->config->model.outputs == 1 ? 2 : run->config->model.outputs;
    for (int k = 0; k < n_classes; k++)
        if (!is_there[k])
            c3d_log_warn("%s: no sample of split train has label %d (%s): it cannot be learnt",
                         store, k,
                         c3d_dataset_class_name(c3d_dataset_get_info(run->dataset), k, name));
}

static c3d_status weigh_classes(c3d_run *run)
{
    const c3d_config *config = run->config;
    const int n_classes = config->model.outputs == 1 ? 2 : config->model.outputs;

    if (config->train.class_weights == C3D_CONFIG_CLASS_WEIGHTS_NONE) return C3D_OK;
    if (config->data.sampling == C3D_CONFIG_SAMPLING_BALANCED)
        c3d_log_warn("train.class_weights: balanced, and data.sampling: balanced too: rare classes "
                     "count twice over; one of them is enough");
    run->class_weights = c3d_calloc((size_t)n_classes, sizeof *run->class_weights);
    if (!run->class_weights) return C3D_ENOMEM;
    return c3d_class_weights(run->dataset, &run->train_list, n_classes, run->class_weights);
}

c3d_status c3d_run_open_data(c3d_run *run)
{
    const c3d_config *config = run->config;
    const uint64_t seed = (uint64_t)config->data.seed;
    const int64_t max = config->data.max_per_class;
    char store[C3D_PATH_MAX];

    C3D_TRY(c3d_config_path(config, config->data.store, store));
    C3D_TRY(c3d_dataset_open(store, &run->dataset));
    C3D_TRY(c3d_dataset_choose_fold(run->dataset, config->data.fold, config->data.folds));
    C3D_TRY(c3d_choose_time(config, run->dataset));
    C3D_TRY(check_leak(run, store));
    C3D_TRY(c3d_list_make(run->dataset, C3D_SPLIT_TRAIN, max, seed, &run->train_list));
    C3D_TRY(c3d_list_make(run->dataset, C3D_SPLIT_VALIDATION, 0, seed, &run->validation_list));
    if (run->train_list.n == 0)
        return C3D_FAIL(C3D_EDATA, "%s: no sample is in split train", store);
    C3D_TRY(c3d_check_labels(run->dataset, store, NULL, config->model.outputs));
    warn_of_absent_classes(run, store);
    C3D_TRY(c3d_statistics(run->dataset, &run->train_list, run->mean, run->deviation));
    for (int b = 0; b < c3d_dataset_get_info(run->dataset)->n_bands; b++)
        c3d_network_set_statistics(&run->network, b, run->mean[b], run->deviation[b]);
    C3D_TRY(weigh_classes(run));
    const c3d_loader_desc loader = c3d_run_loader_desc(run);
    C3D_TRY(c3d_loader_size_of(&loader, &run->input));
    C3D_TRY(c3d_network_set_input(config, &run->input, &run->network));
    return c3d_run_measure_stage(run);
}

/* Every rank must get a micro-batch of a full step, or it would only wait for the others. */
c3d_status c3d_run_check_batches(const c3d_run *run)
{
    const int global = run->config->train.global_batch, micro = run->config->train.micro_batch;
    const int n_micro = (global + micro - 1) / micro;

    if (run->comm->n_ranks <= n_micro) return C3D_OK;
    return C3D_FAIL(C3D_ECONFIG,
                    "%d ranks, but a global batch has %d micro-batches (train.global_batch %d, "
                    "train.micro_batch %d): use fewer ranks or a smaller train.micro_batch",
                    run->comm->n_ranks, n_micro, global, micro);
}

c3d_loader_desc c3d_run_loader_desc(const c3d_run *run)
{
    const c3d_config *config = run->config;
    const c3d_net *net = c3d_net_find(run->network.model.network);

    return (c3d_loader_desc){
        .dataset = run->dataset,
        .list = &run->train_list,
        .shuffle = true,
        .balanced = config->data.sampling == C3D_CONFIG_SAMPLING_BALANCED,
        .one_slice = net && net->one_slice,
        .slice = run->network.slice == C3D_SLICE_EVERY ? C3D_SLICE_RANDOM : run->network.slice,
        .augment_symmetry = config->data.augment.symmetry,
        .jitter = config->data.augment.jitter,
        .month_dropout = config->data.augment.month_dropout,
        .months_shuffled = run->network.months_shuffled,
        .class_weights = run->class_weights,
        .seed = (uint64_t)config->data.seed,
        .global_batch = config->train.global_batch,
        .micro_batch = config->train.micro_batch,
        .n_groups = config->data.stage_groups,
        .rank = run->seat.turn,
        .n_ranks = run->comm->n_ranks,
        .deal = c3d_is_ordered(run) ? C3D_DEAL_BLOCKS : C3D_DEAL_IN_TURN,
        .n_readers = config->data.readers,
        .depth = 8,
        .n_held = C3D_TRAIN_HELD,
    };
}

static c3d_status open_loader(c3d_run *run)
{
    const c3d_loader_desc desc = c3d_run_loader_desc(run);

    C3D_TRY(c3d_loader_create(&desc, &run->loader));
    run->sums.counts = c3d_calloc((size_t)run->config->model.outputs, 4 * sizeof(double));
    return run->sums.counts ? C3D_OK : C3D_ENOMEM;
}

/* A norm over one value gives the same output whatever the value was. */
static c3d_status check_norms(const c3d_run *run)
{
    const c3d_shape_table *table = &run->model.table;
    const int micro = run->config->train.micro_batch, global = run->config->train.global_batch;
    const int last = (int)(run->train_list.n % (size_t)global) % micro;

    for (int i = 0; i < table->n_layers; i++) {
        const c3d_layer_info *layer = &table->layers[i];
        if (layer->op.op != C3D_OP_NORM || layer->y.d * layer->y.h * layer->y.w > 1) continue;
        if (micro == 1)
            return C3D_FAIL(C3D_ECONFIG,
                            "model.normalization: batch, but %s has one value a channel in a "
                            "micro-batch of 1: it would give the same for every sample; use a "
                            "larger train.micro_batch",
                            layer->name);
        if (last == 1)
            c3d_log_warn("the last micro-batch of an epoch has one sample, of which %s makes the "
                         "same as of any other; another train.micro_batch would help",
                         layer->name);
        break;
    }
    return C3D_OK;
}

c3d_backend_options c3d_run_backend_options(const c3d_run *run, int n_threads)
{
    const c3d_config *config = run->config;

    return (c3d_backend_options){ .device_index = run->comm->local_rank,
                                  .n_threads = n_threads,
                                  .precision = c3d_precision_from(config->model.precision),
                                  .deterministic = config->run.deterministic || c3d_is_ordered(run),
                                  .autotune = config->model.autotune,
                                  .cache_dir = run->cache_dir[0] ? run->cache_dir : NULL };
}

c3d_status c3d_run_build_network(c3d_run *run, bool dry_run)
{
    c3d_backend_options options = c3d_run_backend_options(run, run->n_threads);
    c3d_model_desc desc = run->network.model;

    options.dry_run = dry_run;
    desc.training = true;
    C3D_TRY(c3d_backend_open(&run->backend, c3d_device_name(run->config), &options));
    C3D_TRY(c3d_model_create(&run->model, &run->backend, &desc));
    C3D_TRY(c3d_optimizer_open(run));
    return c3d_ordered_open(run);
}

c3d_status c3d_run_open_comm(c3d_run *run)
{
    const bool has_device = !run->backend.ops->host_memory;

    run->device = c3d_device_of(&run->backend);
    return c3d_comm_open(run->comm, has_device ? &run->device : NULL,
                         run->config->distributed.timeout_s);
}

void c3d_run_close_network(c3d_run *run)
{
    if (run->backend.ops) c3d_ordered_close(run);
    if (run->backend.ops) c3d_optimizer_close(run);
    c3d_model_destroy(&run->model);
    c3d_backend_close(&run->backend);
}

/* A device's memory is looked at by taking it: what does not fit is the configuration's fault. */
static c3d_status build_network(c3d_run *run)
{
    const c3d_status st = c3d_run_build_network(run, false);
    c3d_text why = { 0 };

    if (st != C3D_ENOMEM || !run->backend.ops || run->backend.ops->host_memory) return st;
    c3d_text_add(&why, "%s", c3d_error_last()->message);
    (void)C3D_FAIL(C3D_ECONFIG,
                   "%s: less of train.micro_batch, model.width, model.fc or "
                   "data.frame_size_px would help; --plan says what is needed",
                   why.text ? why.text : "");
    c3d_text_free(&why);
    return C3D_ECONFIG;
}

static c3d_status open_network(c3d_run *run)
{
    c3d_text table = { 0 };

    C3D_TRY(build_network(run));
    C3D_TRY(check_norms(run));
    c3d_shape_table_print(&run->model.table, &table);
    c3d_network_say_width(run->config, &run->network, run->model.table.n_params, &table);
    if (table.length && table.text[table.length - 1] == '\n') table.text[table.length - 1] = '\0';
    c3d_log_run("%s", table.text);
    c3d_text_free(&table);
    return c3d_model_init(&run->model, (uint64_t)run->config->data.seed);
}

c3d_evaluator_desc c3d_run_evaluator_desc(const c3d_run *run)
{
    c3d_backend_options options = c3d_run_backend_options(run, run->config->evaluation.threads);

    /* scores must not depend on the rank that computed them */
    options.deterministic = true;
    options.autotune = false;
    return (c3d_evaluator_desc){
        .comm = run->comm,
        .dataset = run->dataset,
        .list = &run->validation_list,
        .network = run->network,
        .backend = c3d_device_name(run->config),
        .options = options,
        .batch = run->config->evaluation.batch,
        .n_readers = run->config->data.readers,
    };
}

static c3d_status open_evaluator(c3d_run *run)
{
    const c3d_evaluator_desc desc = c3d_run_evaluator_desc(run);

    if (run->validation_list.n == 0) return C3D_OK;
    return c3d_evaluator_create(&desc, &run->evaluator);
}

/* Sums over ranks run over whole arenas: they must be laid out alike. */
static c3d_status check_ranks_alike(c3d_run *run)
{
    struct {
        uint64_t n_arena;
        char device[256];
    } of_rank_0 = { 0 };
    char mine[256] = "";

    (void)run->backend.ops->describe(&run->backend, mine);
    of_rank_0.n_arena = run->model.n_arena;
    (void)snprintf(of_rank_0.device, sizeof of_rank_0.device, "%s", mine);
    C3D_TRY(c3d_comm_share(run->comm, &of_rank_0, sizeof of_rank_0));
    if (of_rank_0.n_arena == run->model.n_arena && strcmp(of_rank_0.device, mine) == 0)
        return C3D_OK;
    return C3D_FAIL(C3D_EUNSUPPORTED,
                    "%s computes with \"%s\", rank 0 with \"%s\": use hosts alike", run->comm->host,
                    mine, of_rank_0.device);
}

/* A best file of a later step than the one resumed from belongs to a future that did not happen; so
 * does one that cannot be read. */
static c3d_status set_best_aside(const c3d_run *run, const char *path)
{
    char aside[C3D_PATH_MAX + 8];
    c3d_tensor_file *file = NULL;
    c3d_best best = { 0 };

    c3d_status st = c3d_tensor_file_open(path, &file);
    if (st == C3D_OK) st = c3d_checkpoint_read_best(file, &best);
    c3d_tensor_file_close(file);
    if (st != C3D_OK) c3d_log_warn("%s", c3d_error_last()->message);
    if (st == C3D_OK && best.step <= run->position.step) return C3D_OK;
    (void)snprintf(aside, sizeof aside, "%s.aside", path);
    if (rename(path, aside) != 0)
        return C3D_FAIL(C3D_EIO, "%s: cannot be set aside: %s", path, strerror(errno));
    c3d_log_run("%s: not of a step before the one resumed from; set aside as %s", path, aside);
    return C3D_OK;
}

/* Rank 0: the directory as it was at the step resumed from. */
static c3d_status cut_back(c3d_run *run)
{
    char best[C3D_PATH_MAX];
    c3d_text cost = { 0 };

    C3D_TRY(write_config(run));
    C3D_TRY(c3d_checkpoint_remove_parts(run->dir));
    C3D_TRY(c3d_checkpoint_set_aside(run->dir, run->position.step));
    C3D_TRY(c3d_path_join(best, run->dir, "best.safetensors"));
    if (c3d_path_exists(best)) C3D_TRY(set_best_aside(run, best));
    if (!c3d_path_exists(best)) run->best = (c3d_best){ .value = INFINITY };
    const c3d_records_desc records = { .dir = run->dir,
                                       .at = run->position,
                                       .with_samples = run->config->run.log_samples,
                                       .events_every = run->config->run.tensorboard_every_steps };
    C3D_TRY(c3d_records_open(&records, &run->records));
    c3d_cost_print(run, &cost);
    const c3d_status st = c3d_cost_write(run->dir, &cost);
    c3d_text_free(&cost);
    return st;
}

static c3d_status start_or_resume(c3d_run *run, const char *checkpoint)
{
    const bool resumed = checkpoint[0] != '\0', root = run->comm->rank == 0;
    char why[C3D_WHY_MAX];

    run->best.value = run->patience.best = INFINITY;
    C3D_TRY(c3d_comm_agree_status(run->comm,
                                  root && resumed ? c3d_resume_check(run, checkpoint) : C3D_OK));
    if (resumed)
        C3D_TRY(c3d_checkpoint_load(run, checkpoint));
    else
        C3D_TRY(c3d_run_init_from(run));
    run->finished = resumed && c3d_run_is_over(run, why);
    if (root && resumed)
        c3d_log_run("resumed from %s: epoch %lld of %d, step %lld", checkpoint,
                    (long long)run->position.epoch + !run->finished, run->config->train.epochs,
                    (long long)run->position.step);
    if (run->finished) return C3D_OK;
    C3D_TRY(c3d_comm_agree_status(run->comm, root ? cut_back(run) : C3D_OK));
    return c3d_comm_share(run->comm, &run->best, sizeof run->best);
}

static c3d_status open_input(c3d_run *run)
{
    C3D_TRY(c3d_run_open_data(run));
    return c3d_run_check_batches(run);
}

/* Nothing large is there yet: what cannot fit is refused instead of being killed later. */
static c3d_status check_memory(c3d_run *run)
{
    c3d_forecast forecast;

    C3D_TRY(c3d_forecast_make(run, &forecast, NULL));
    if (forecast.is_least) return C3D_OK;
    run->planned_bytes = forecast.host - forecast.bytes[C3D_NEED_STAGE]; /* of no process */
    run->held_bytes = c3d_held_memory_now().now;
    return C3D_OK;
}

static c3d_status open_parts(c3d_run *run)
{
    C3D_TRY(open_loader(run));
    C3D_TRY(c3d_run_check_ending(run));
    C3D_TRY(open_network(run));
    C3D_TRY(c3d_pin_loader(&run->backend, run->loader));
    if (run->comm->rank == 0) C3D_TRY(c3d_saver_create(run, &run->saver));
    return open_evaluator(run);
}

static void print_start(c3d_run *run)
{
    char device[256];
    c3d_text place = { 0 };

    c3d_log_run("%zu training and %zu validation samples; %lld steps of %d an epoch",
                run->train_list.n, run->validation_list.n,
                (long long)c3d_loader_n_steps(run->loader), run->config->train.global_batch);
    c3d_log_run("device: %s; ranks: %d", run->backend.ops->describe(&run->backend, device),
                run->comm->n_ranks);
    c3d_place_describe(&run->place, &place);
    c3d_log_run("threads: %s", place.text ? place.text : "");
    c3d_text_free(&place);
    if (c3d_is_ordered(run))
        c3d_log_run("sums of gradients: in one order on 1, 2, 4, 8, ... ranks of %d thread%s%s",
                    run->n_threads, run->n_threads == 1 ? "" : "s",
                    run->config->distributed.threads > 0
                        ? ""
                        : " (distributed.threads gives more, the same number everywhere)");
}

c3d_status c3d_run_begin(c3d_run *run, c3d_comm *comm, const c3d_config *config)
{
    *run = (c3d_run){ .comm = comm, .config = config, .lock_fd = -1 };
    C3D_TRY(c3d_comm_agree_status(comm, c3d_ordered_check_ranks(run)));
    C3D_TRY(c3d_run_take_place(run));
    C3D_TRY(c3d_run_take_seat(run));
    c3d_network_from_config(config, &run->network);
    c3d_cache_dir(run->cache_dir);
    return C3D_OK;
}

c3d_status c3d_run_open(c3d_run *run, c3d_comm *comm, const c3d_config *config, c3d_resume resume,
                        const char *resume_path)
{
    char checkpoint[C3D_PATH_MAX] = "";
    c3d_status st = C3D_OK;

    c3d_phase_set(C3D_PHASE_OPENING, 0, 0);
    C3D_TRY(c3d_run_begin(run, comm, config));
    C3D_TRY(c3d_path_join(run->dir, NULL, config->run.dir));
    for (size_t n = strlen(run->dir); n > 1 && run->dir[n - 1] == '/'; n--) run->dir[n - 1] = '\0';
    if (comm->rank == 0) st = open_directory(run, resume, resume_path, checkpoint);
    C3D_TRY(c3d_comm_agree_status(comm, st));
    C3D_TRY(c3d_comm_share(comm, checkpoint, sizeof checkpoint));
    C3D_TRY(c3d_comm_agree_status(comm, open_input(run)));
    C3D_TRY(check_memory(run));
    C3D_TRY(c3d_comm_agree_status(comm, open_parts(run)));
    C3D_TRY(c3d_run_open_comm(run));
    C3D_TRY(c3d_comm_agree_status(comm, check_ranks_alike(run)));
    print_start(run);
    C3D_TRY(start_or_resume(run, checkpoint)); /* its ranks agree among themselves */
    return run->finished ? C3D_OK : c3d_run_stage(run);
}

void c3d_run_close(c3d_run *run)
{
    const c3d_error error = *c3d_error_last(); /* why it is closed, if it failed */

    if (!run->comm) return;
    if (run->saver) c3d_phase_set(C3D_PHASE_SAVING, run->position.step, 0); /* it is waited for */
    c3d_saver_destroy(run->saver);
    c3d_records_close(run->records);
    c3d_comm_close(run->comm);
    c3d_evaluator_destroy(run->evaluator);
    c3d_unpin_loader(&run->backend, run->loader);
    c3d_run_close_network(run);
    c3d_loader_destroy(run->loader);
    c3d_list_free(&run->train_list);
    c3d_list_free(&run->validation_list);
    c3d_dataset_close(run->dataset);
    free(run->class_weights);
    free(run->seat.ranks);
    free(run->seat.turns);
    free(run->sums.counts);
    c3d_lock_release(run->lock_fd);
    (void)c3d_error_put(&error);
    *run = (c3d_run){ 0 };
}
