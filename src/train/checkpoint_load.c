#include "train/checkpoint.h"

#include "train/cost.h"
#include "train/optimizer.h"
#include "train/run.h"
#include "train/step.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static c3d_status need(c3d_tensor_file *file, const char *key, const char **out)
{
    *out = c3d_tensor_file_metadata(file, key);
    if (*out) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s: its metadata has no \"%s\"", c3d_tensor_file_path(file), key);
}

static c3d_status need_json(c3d_tensor_file *file, const char *key, c3d_json **out)
{
    const char *text;

    C3D_TRY(need(file, key, &text));
    return c3d_json_parse(text, strlen(text), key, out);
}

static c3d_status need_int(const c3d_json *json, const char *key, int64_t *out)
{
    long long value;

    if (!c3d_json_get_int(json, key, &value))
        return C3D_FAIL(C3D_EDATA, "the checkpoint's metadata has no integer \"%s\"", key);
    *out = value;
    return C3D_OK;
}

c3d_status c3d_checkpoint_read_config(c3d_tensor_file *file, const char *path, c3d_config *out)
{
    const char *format = c3d_tensor_file_metadata(file, "format"), *text, *schema;
    long long version;
    c3d_text mistakes = { 0 };

    if (!format || strcmp(format, C3D_CHECKPOINT_FORMAT) != 0)
        return C3D_FAIL(C3D_EDATA, "%s: a safetensors file, but no checkpoint of c3d-train", path);
    C3D_TRY(need(file, "schema", &schema));
    if (!c3d_parse_int(schema, &version) || version > C3D_CHECKPOINT_SCHEMA)
        return C3D_FAIL(C3D_EDATA,
                        "%s: written by a newer c3d-train (schema %s, this one reads %d)", path,
                        schema, C3D_CHECKPOINT_SCHEMA);
    C3D_TRY(need(file, "config", &text));
    const c3d_config_source_text source = {
        .text = text, .n_bytes = strlen(text), .name = path, .use = C3D_CONFIG_FOR_READING
    };
    const c3d_status st = c3d_config_parse(&source, out, &mistakes);
    if (st != C3D_OK) {
        c3d_config_free(out);
        (void)C3D_FAIL(C3D_EDATA, "%s: the configuration saved in it is not valid: %s", path,
                       mistakes.text ? mistakes.text : "");
    }
    c3d_text_free(&mistakes);
    return st == C3D_OK ? C3D_OK : C3D_EDATA;
}

c3d_status c3d_checkpoint_read_conditions(c3d_tensor_file *file, c3d_conditions *out)
{
    const char *ranks, *threads, *device;
    const char *n_steps = c3d_tensor_file_metadata(file, "n_steps");
    const char *software = c3d_tensor_file_metadata(file, "software");
    const char *adder = c3d_tensor_file_metadata(file, "adder");
    const char *n_local_ranks = c3d_tensor_file_metadata(file, "ranks_of_host");
    long long n_ranks, n_threads;

    C3D_TRY(need(file, "ranks", &ranks));
    C3D_TRY(need(file, "threads", &threads));
    C3D_TRY(need(file, "device", &device));
    if (!c3d_parse_int(ranks, &n_ranks) || !c3d_parse_int(threads, &n_threads))
        return C3D_FAIL(C3D_EDATA, "%s: its ranks or threads are no numbers",
                        c3d_tensor_file_path(file));
    if (!n_steps || !c3d_parse_int(n_steps, &out->n_steps)) out->n_steps = 0;
    if (!n_local_ranks || !c3d_parse_int(n_local_ranks, &out->n_local_ranks))
        out->n_local_ranks = 0;
    out->n_ranks = (int)n_ranks;
    out->n_threads = (int)n_threads;
    (void)snprintf(out->device, sizeof out->device, "%s", device);
    (void)snprintf(out->software, sizeof out->software, "%s", software ? software : "");
    (void)snprintf(out->adder, sizeof out->adder, "%s", adder ? adder : "");
    return C3D_OK;
}

static c3d_status read_position(const c3d_json *json, c3d_run *run)
{
    C3D_TRY(need_int(json, "step", &run->position.step));
    C3D_TRY(need_int(json, "epoch", &run->position.epoch));
    C3D_TRY(need_int(json, "step_in_epoch", &run->position.step_in_epoch));
    if (run->backend.options.precision == C3D_PRECISION_FP16) {
        C3D_TRY(need_int(json, "steps_at_loss_scale", &run->optimizer.n_good));
        if (!c3d_json_get_real(json, "loss_scale", &run->optimizer.loss_scale) ||
            !(run->optimizer.loss_scale > 0))
            return C3D_FAIL(C3D_EDATA, "the checkpoint's loss scale is no number above 0");
    }
    return need_int(json, "updates", &run->optimizer.t);
}

c3d_status c3d_checkpoint_read_best(c3d_tensor_file *file, c3d_best *out)
{
    c3d_json *json;

    C3D_TRY(need_json(file, "best", &json));
    const c3d_status st = need_int(json, "step", &out->step);
    if (!c3d_json_get_real(json, "value", &out->value)) out->value = INFINITY; /* none yet */
    c3d_json_free(json);
    return st;
}

static c3d_status read_sums(c3d_tensor_file *file, const c3d_tensor_entry *entry, c3d_run *run)
{
    const size_t n = c3d_epoch_sums_n(run);
    double *sums = c3d_calloc(n, sizeof *sums);

    if (!sums) return C3D_ENOMEM;
    const c3d_status st = c3d_tensor_file_read(file, entry, sums, n * sizeof *sums);
    if (st == C3D_OK) c3d_epoch_sums_unpack(run, sums);
    free(sums);
    return st;
}

/* Files of versions without early stop have none. */
static c3d_status read_patience(c3d_tensor_file *file, const c3d_best *best, c3d_patience *out)
{
    c3d_json *json;

    *out = (c3d_patience){ .best = best->value };
    if (!c3d_tensor_file_metadata(file, "early_stop")) return C3D_OK;
    C3D_TRY(need_json(file, "early_stop", &json));
    const c3d_status st = need_int(json, "epochs", &out->n_epochs);
    if (!c3d_json_get_real(json, "value", &out->best)) out->best = INFINITY;
    c3d_json_free(json);
    return st;
}

/* Files of older versions have none. */
static c3d_status read_cost(c3d_tensor_file *file, c3d_run *run)
{
    c3d_json *json = NULL;

    if (c3d_tensor_file_metadata(file, "cost")) C3D_TRY(need_json(file, "cost", &json));
    const c3d_status st = c3d_cost_from_state(json, run);
    c3d_json_free(json);
    return st;
}

c3d_status c3d_checkpoint_read_state(c3d_tensor_file *file, c3d_run *run)
{
    c3d_json *position;
    const c3d_tensor_entry *sums = c3d_tensor_file_find(file, "epoch.sums");

    C3D_TRY(need_json(file, "position", &position));
    const c3d_status st = read_position(position, run);
    c3d_json_free(position);
    C3D_TRY(st);
    C3D_TRY(c3d_checkpoint_read_best(file, &run->best));
    C3D_TRY(read_patience(file, &run->best, &run->patience));
    C3D_TRY(read_cost(file, run));
    if (!sums)
        return C3D_FAIL(C3D_EDATA, "a file without the optimiser's state: not to resume from");
    return read_sums(file, sums, run);
}

static c3d_status check_hash(c3d_tensor_file *file, const char *key, uint64_t now, const char *what)
{
    const char *saved;
    char text[20];

    C3D_TRY(need(file, key, &saved));
    (void)snprintf(text, sizeof text, "%016" PRIx64, now);
    if (strcmp(saved, text) == 0) return C3D_OK;
    return C3D_FAIL(
        C3D_ECONFIG,
        "%s changed since the checkpoint was saved (%s, was %s): a resumed run would be "
        "another run; --resume never starts anew",
        what, text, saved);
}

c3d_status c3d_checkpoint_check_data(c3d_tensor_file *file, const c3d_run *run)
{
    C3D_TRY(check_hash(file, "train_list_hash", run->train_list.hash, "the list of samples"));
    return check_hash(file, "dataset_hash", c3d_dataset_get_info(run->dataset)->hash,
                      "the dataset");
}

c3d_status c3d_checkpoint_read_param(c3d_tensor_file *file, const char *name, c3d_model *model,
                                     int p, float *arena)
{
    const size_t n_bytes = model->params[p].n * sizeof(float);
    const c3d_tensor_entry *entry = c3d_tensor_file_find(file, name);

    if (!entry)
        return C3D_FAIL(C3D_EDATA, "%s: has no tensor %s", c3d_tensor_file_path(file), name);
    float *canonical = c3d_calloc(n_bytes, 1);
    c3d_status st = canonical ? C3D_OK : C3D_ENOMEM;
    if (st == C3D_OK) st = c3d_tensor_file_read(file, entry, canonical, n_bytes);
    if (st == C3D_OK) st = c3d_model_import(model, p, canonical, arena);
    free(canonical);
    return st;
}

c3d_status c3d_checkpoint_read_params(c3d_tensor_file *file, const char *prefix, c3d_model *model,
                                      float *arena)
{
    char name[80];

    for (int p = 0; p < model->n_params; p++) {
        (void)snprintf(name, sizeof name, "%s%s", prefix, model->params[p].name);
        C3D_TRY(c3d_checkpoint_read_param(file, name, model, p, arena));
    }
    return C3D_OK;
}

c3d_status c3d_checkpoint_read_running(c3d_tensor_file *file, c3d_model *model)
{
    float *stats = c3d_calloc(model->n_stats + 1, sizeof *stats);
    c3d_status st = stats ? C3D_OK : C3D_ENOMEM;

    for (int r = 0; r < model->n_running && st == C3D_OK; r++) {
        const c3d_running *running = &model->running[r];
        const c3d_tensor_entry *entry = c3d_tensor_file_find(file, running->name);

        st = entry ? c3d_tensor_file_read(file, entry, stats + running->offset,
                                          running->n * sizeof *stats)
                   : C3D_FAIL(C3D_EDATA, "%s: has no tensor %s", c3d_tensor_file_path(file),
                              running->name);
    }
    if (st == C3D_OK) st = c3d_model_stats_set(model, stats);
    free(stats);
    return st;
}

static c3d_status load_on_rank_0(c3d_run *run, const char *path, c3d_tensor_file **file)
{
    C3D_TRY(c3d_tensor_file_open(path, file));
    C3D_TRY(c3d_checkpoint_read_state(*file, run));
    C3D_TRY(c3d_checkpoint_read_params(*file, "", &run->model, run->model.param));
    return c3d_checkpoint_read_running(*file, &run->model);
}

static c3d_status load_moments(c3d_run *run, const char *path, c3d_tensor_file *file)
{
    static const char *const prefixes[] = { "adam.m/", "adam.v/" };

    for (c3d_moment moment = C3D_MOMENT_M; moment <= C3D_MOMENT_V; moment++) {
        c3d_status st = C3D_OK;
        if (file)
            st = c3d_checkpoint_read_params(file, prefixes[moment], &run->model,
                                            c3d_optimizer_whole(run, moment));
        if (st != C3D_OK) st = c3d_error_while("loading %s", path);
        C3D_TRY(c3d_comm_agree_status(run->comm, st));
        C3D_TRY(c3d_optimizer_spread(run, moment));
    }
    return C3D_OK;
}

/* On rank 0 from the file, which is given even on failure; on the others from rank 0. */
static c3d_status load(c3d_run *run, const char *path, c3d_tensor_file **file)
{
    c3d_status st = run->comm->rank == 0 ? load_on_rank_0(run, path, file) : C3D_OK;

    if (st != C3D_OK) st = c3d_error_while("loading %s", path);
    C3D_TRY(c3d_comm_agree_status(run->comm, st));
    return load_moments(run, path, *file);
}

static c3d_status share_sums(c3d_run *run)
{
    const size_t n = c3d_epoch_sums_n(run);
    double *sums = c3d_calloc(n, sizeof *sums);
    c3d_status st = c3d_comm_agree_status(run->comm, sums ? C3D_OK : C3D_ENOMEM);

    if (st == C3D_OK) {
        c3d_epoch_sums_pack(run, sums);
        st = c3d_comm_share(run->comm, sums, n * sizeof *sums);
        c3d_epoch_sums_unpack(run, sums);
    }
    free(sums);
    return st;
}

c3d_status c3d_run_share_params(c3d_run *run)
{
    const size_t n_bytes = run->model.n_arena * sizeof(float);

    C3D_TRY(run->comm->ops->broadcast(run->comm, run->model.param, n_bytes));
    C3D_TRY(run->comm->ops->wait(run->comm));
    C3D_TRY(c3d_model_to_low(&run->model, 0, run->model.n_arena));
    C3D_TRY(c3d_run_settle(run));
    if (run->model.n_stats == 0) return C3D_OK;
    C3D_TRY(c3d_comm_share(run->comm, run->model.host_stats, run->model.n_stats * sizeof(float)));
    return c3d_model_stats_set(&run->model, run->model.host_stats);
}

c3d_status c3d_checkpoint_load(c3d_run *run, const char *path)
{
    c3d_tensor_file *file = NULL;
    const c3d_status st = load(run, path, &file);
    struct {
        c3d_position position;
        c3d_best best;
        c3d_patience patience;
        int64_t updates, n_good;
        double loss_scale;
    } state = { run->position,         run->best,
                run->patience,         run->optimizer.t,
                run->optimizer.n_good, run->optimizer.loss_scale };

    c3d_tensor_file_close(file);
    C3D_TRY(st);
    C3D_TRY(c3d_comm_share(run->comm, &state, sizeof state));
    C3D_TRY(share_sums(run));
    run->position = state.position;
    run->best = state.best;
    run->patience = state.patience;
    run->optimizer.t = state.updates;
    run->optimizer.n_good = state.n_good;
    run->optimizer.loss_scale = state.loss_scale;
    return c3d_run_share_params(run);
}

static c3d_status read_statistics(c3d_tensor_file *file, c3d_network_desc *out)
{
    c3d_json *json;

    C3D_TRY(need_json(file, "statistics", &json));
    const c3d_json *mean = c3d_json_get(json, "mean"), *deviation = c3d_json_get(json, "deviation");
    const size_t n = c3d_json_length(mean);
    c3d_status st = C3D_OK;
    if (n < 1 || n > C3D_COUNT(out->mean) || c3d_json_length(deviation) != n)
        st = C3D_FAIL(C3D_EDATA, "the checkpoint's statistics are not those of 1 to %zu bands",
                      C3D_COUNT(out->mean));
    for (size_t b = 0; b < n && st == C3D_OK; b++) {
        double m, d;
        if (!c3d_json_real_value(c3d_json_at(mean, b), &m) ||
            !c3d_json_real_value(c3d_json_at(deviation, b), &d) || d <= 0)
            st = C3D_FAIL(C3D_EDATA, "the checkpoint's statistics of band %zu are no numbers", b);
        else
            c3d_network_set_statistics(out, (int)b, m, d);
    }
    c3d_json_free(json);
    return st;
}

static c3d_status read_input(c3d_tensor_file *file, c3d_shape *out)
{
    c3d_json *json;
    int64_t bands = 0, months = 0, height = 0, width = 0;

    C3D_TRY(need_json(file, "input", &json));
    c3d_status st = need_int(json, "bands", &bands);
    if (st == C3D_OK) st = need_int(json, "months", &months);
    if (st == C3D_OK) st = need_int(json, "height", &height);
    if (st == C3D_OK) st = need_int(json, "width", &width);
    c3d_json_free(json);
    *out =
        (c3d_shape){ .n = 1, .c = (int)bands, .d = (int)months, .h = (int)height, .w = (int)width };
    return st;
}

/* Of files of versions that could only be given one, the configuration's. */
static c3d_status read_width(c3d_tensor_file *file, const c3d_config *config, int *out)
{
    const char *text;
    long long width;

    if (config->model.match_parameters == C3D_CONFIG_MATCH_NONE) return C3D_OK;
    C3D_TRY(need(file, "width", &text));
    if (!c3d_parse_int(text, &width) || width < 1 || width > INT32_MAX)
        return C3D_FAIL(C3D_EDATA, "%s: its width is no number of filters",
                        c3d_tensor_file_path(file));
    *out = (int)width;
    return C3D_OK;
}

c3d_status c3d_checkpoint_network(c3d_tensor_file *file, c3d_config *config_out,
                                  c3d_network_desc *out)
{
    C3D_TRY(c3d_checkpoint_read_config(file, c3d_tensor_file_path(file), config_out));
    c3d_network_from_config(config_out, out);
    c3d_status st = read_input(file, &out->model.x);
    if (st == C3D_OK) st = read_statistics(file, out);
    if (st == C3D_OK) st = read_width(file, config_out, &out->model.width);
    if (st != C3D_OK) c3d_config_free(config_out);
    return st;
}

static c3d_status check_bands(const c3d_json *bands, const char *path, const c3d_dataset_info *info)
{
    bool same = c3d_json_length(bands) == (size_t)info->n_bands;
    c3d_text wanted = { 0 };

    for (size_t b = 0; b < c3d_json_length(bands); b++) {
        const char *name = c3d_json_string_value(c3d_json_at(bands, b));
        c3d_text_add(&wanted, "%s%s", b ? ", " : "", name ? name : "?");
        same = same && name && !strcmp(name, info->bands[b]);
    }
    const c3d_status st =
        same ? C3D_OK
             : C3D_FAIL(C3D_EDATA,
                        "%s was trained on the bands %s, in this order; the dataset has %d "
                        "bands, the first %s",
                        path, wanted.text ? wanted.text : "", info->n_bands, info->bands[0]);
    c3d_text_free(&wanted);
    return st;
}

/* Labels mean what they meant in training only if the classes have the same names. */
static c3d_status compare_classes(c3d_tensor_file *file, const c3d_dataset_info *info)
{
    c3d_json *classes;
    char name[24];

    C3D_TRY(need_json(file, "classes", &classes));
    for (int k = 0; k < (int)c3d_json_length(classes); k++) {
        const char *saved = c3d_json_string_value(c3d_json_at(classes, (size_t)k));
        const char *now = c3d_dataset_class_name(info, k, name);
        if (saved && strcmp(saved, now) != 0)
            c3d_log_warn("%s was trained on classes of other names: label %d was %s, in the "
                         "dataset it is %s",
                         c3d_tensor_file_path(file), k, saved, now);
    }
    c3d_json_free(classes);
    return C3D_OK;
}

c3d_status c3d_checkpoint_check_input(c3d_tensor_file *file, const c3d_dataset *dataset,
                                      bool same_data)
{
    const c3d_dataset_info *info = c3d_dataset_get_info(dataset);
    const char *path = c3d_tensor_file_path(file), *hash;
    char text[20];
    c3d_json *json;
    c3d_shape input;

    C3D_TRY(need_json(file, "statistics", &json));
    const c3d_status st = check_bands(c3d_json_get(json, "bands"), path, info);
    c3d_json_free(json);
    C3D_TRY(st);
    C3D_TRY(read_input(file, &input));
    if (input.h != info->frame_size_px)
        return C3D_FAIL(C3D_EDATA, "%s was trained on frames of %d px, the dataset has %d px", path,
                        input.h, info->frame_size_px);
    C3D_TRY(compare_classes(file, info));
    C3D_TRY(need(file, "dataset_hash", &hash));
    (void)snprintf(text, sizeof text, "%016" PRIx64, info->hash);
    if (same_data && strcmp(hash, text) != 0)
        return C3D_FAIL(C3D_EDATA,
                        "%s was trained on dataset %s, which is now %s: its test samples may have "
                        "been trained on; name it with --data to score it all the same",
                        path, hash, text);
    return C3D_OK;
}
