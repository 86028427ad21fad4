#include "train/checkpoint.h"
#include "train/cost.h"
#include "train/optimizer.h"
#include "train/run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef c3d_tensor_writer writer;

static c3d_status put_json(writer *w, const char *key, c3d_json *json)
{
    char *text = c3d_json_text(json, false);
    const c3d_status st = c3d_tensor_writer_metadata(w, key, text);

    free(text);
    c3d_json_free(json);
    return st;
}

static c3d_status put_int(writer *w, const char *key, long long value)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%lld", value);
    return c3d_tensor_writer_metadata(w, key, text);
}

static c3d_status put_hash(writer *w, const char *key, uint64_t value)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%016" PRIx64, value);
    return c3d_tensor_writer_metadata(w, key, text);
}

static c3d_json *reals(const double *values, int n)
{
    c3d_json *array = c3d_json_array();

    for (int i = 0; i < n; i++) c3d_json_append(array, c3d_json_real(values[i]));
    return array;
}

static c3d_json *statistics_json(const c3d_run *run, const c3d_dataset_info *info)
{
    c3d_json *json = c3d_json_object(), *bands = c3d_json_array();

    for (int b = 0; b < info->n_bands; b++) c3d_json_append(bands, c3d_json_string(info->bands[b]));
    c3d_json_set(json, "bands", bands);
    c3d_json_set(json, "mean", reals(run->mean, info->n_bands));
    c3d_json_set(json, "deviation", reals(run->deviation, info->n_bands));
    return json;
}

static c3d_json *input_json(const c3d_run *run)
{
    const c3d_shape x = run->network.model.x;
    c3d_json *json = c3d_json_object();

    c3d_json_set(json, "bands", c3d_json_int(x.c));
    c3d_json_set(json, "months", c3d_json_int(x.d));
    c3d_json_set(json, "height", c3d_json_int(x.h));
    c3d_json_set(json, "width", c3d_json_int(x.w));
    return json;
}

static c3d_json *position_json(const c3d_run *run)
{
    c3d_json *json = c3d_json_object();

    c3d_json_set(json, "step", c3d_json_int(run->position.step));
    c3d_json_set(json, "epoch", c3d_json_int(run->position.epoch));
    c3d_json_set(json, "step_in_epoch", c3d_json_int(run->position.step_in_epoch));
    c3d_json_set(json, "updates", c3d_json_int(run->optimizer.t));
    if (run->backend.options.precision == C3D_PRECISION_FP16) {
        c3d_json_set(json, "loss_scale", c3d_json_real(run->optimizer.loss_scale));
        c3d_json_set(json, "steps_at_loss_scale", c3d_json_int(run->optimizer.n_good));
    }
    return json;
}

static c3d_json *best_json(const c3d_best *best)
{
    c3d_json *json = c3d_json_object();

    c3d_json_set(json, "value", c3d_json_real(best->value)); /* null: none yet */
    c3d_json_set(json, "step", c3d_json_int(best->step));
    return json;
}

/* Of K outputs, K names. */
static c3d_json *classes_json(const c3d_run *run, const c3d_dataset_info *info)
{
    const int n_outputs = run->config->model.outputs;
    c3d_json *json = c3d_json_array();
    char name[24];

    for (int k = 0; k < (n_outputs > 1 ? n_outputs : info->n_classes); k++)
        c3d_json_append(json, c3d_json_string(c3d_dataset_class_name(info, k, name)));
    return json;
}

static c3d_json *early_stop_json(const c3d_patience *patience)
{
    c3d_json *json = c3d_json_object();

    c3d_json_set(json, "value", c3d_json_real(patience->best)); /* null: none yet */
    c3d_json_set(json, "epochs", c3d_json_int(patience->n_epochs));
    return json;
}

void c3d_checkpoint_adder(const c3d_run *run, char out[256])
{
    c3d_text text = { 0 };

    if (run->comm->ops == &c3d_comm_nccl)
        c3d_comm_versions(&text);
    else if (run->comm->n_ranks > 1)
        c3d_comm_mpi_version(&text);
    (void)snprintf(out, 256, "%s", text.text ? text.text : "");
    c3d_text_free(&text);
}

static c3d_status put_metadata(c3d_run *run, writer *w, const char *kind)
{
    const c3d_dataset_info *info = c3d_dataset_get_info(run->dataset);
    char device[256], adder[256], now[24];
    c3d_text config = { 0 };
    c3d_config_print(run->config, &config);
    c3d_now_text(now);
    c3d_status st = c3d_tensor_writer_metadata(w, "config", config.text);
    c3d_text_free(&config);
    if (st == C3D_OK) st = put_json(w, "classes", classes_json(run, info));
    C3D_TRY(st);
    C3D_TRY(c3d_tensor_writer_metadata(w, "format", C3D_CHECKPOINT_FORMAT));
    C3D_TRY(put_int(w, "schema", C3D_CHECKPOINT_SCHEMA));
    C3D_TRY(c3d_tensor_writer_metadata(w, "kind", kind));
    C3D_TRY(c3d_tensor_writer_metadata(w, "software", C3D_CHECKPOINT_SOFTWARE));
    c3d_checkpoint_adder(run, adder);
    C3D_TRY(c3d_tensor_writer_metadata(w, "adder", adder));
    C3D_TRY(c3d_tensor_writer_metadata(w, "saved", now));
    C3D_TRY(
        c3d_tensor_writer_metadata(w, "device", run->backend.ops->describe(&run->backend, device)));
    C3D_TRY(put_int(w, "ranks", run->comm->n_ranks));
    C3D_TRY(put_int(w, "ranks_of_host", run->comm->n_local_ranks));
    C3D_TRY(put_int(w, "threads", run->n_threads));
    C3D_TRY(put_hash(w, "dataset_hash", info->hash));
    C3D_TRY(put_hash(w, "train_list_hash", run->train_list.hash));
    C3D_TRY(put_json(w, "statistics", statistics_json(run, info)));
    C3D_TRY(put_json(w, "input", input_json(run)));
    C3D_TRY(put_int(w, "width", run->network.model.width));
    C3D_TRY(put_json(w, "position", position_json(run)));
    C3D_TRY(put_json(w, "cost", c3d_cost_state(run)));
    C3D_TRY(put_int(w, "n_steps", c3d_run_n_steps(run)));
    C3D_TRY(put_json(w, "early_stop", early_stop_json(&run->patience)));
    return put_json(w, "best", best_json(&run->best));
}

/* Parameters and, with moments, Adam's two arenas: three tensors a parameter; running statistics.
 */
static c3d_status declare(const c3d_run *run, writer *w, bool moments)
{
    static const char *const prefixes[] = { "", "adam.m/", "adam.v/" };

    for (int kind = 0; kind < (moments ? 3 : 1); kind++) {
        for (int p = 0; p < run->model.n_params; p++) {
            const c3d_param *param = &run->model.params[p];
            char name[80];
            (void)snprintf(name, sizeof name, "%s%s", prefixes[kind], param->name);
            C3D_TRY(c3d_tensor_writer_declare(w, name, C3D_F32, param->rank, param->shape));
        }
    }
    for (int r = 0; r < run->model.n_running; r++) {
        const c3d_running *running = &run->model.running[r];
        const int64_t n[] = { (int64_t)running->n };
        C3D_TRY(c3d_tensor_writer_declare(w, running->name, C3D_F32, 1, n));
    }
    const int64_t n_sums[] = { (int64_t)c3d_epoch_sums_n(run) };
    return moments ? c3d_tensor_writer_declare(w, "epoch.sums", C3D_F64, 1, n_sums) : C3D_OK;
}

c3d_status c3d_checkpoint_begin(c3d_run *run, const char *path, bool moments,
                                c3d_tensor_writer **out)
{
    writer *w;

    C3D_TRY(c3d_tensor_writer_create(path, &w));
    c3d_status st = put_metadata(run, w, moments ? "checkpoint" : "best");
    if (st == C3D_OK) st = declare(run, w, moments);
    if (st == C3D_OK)
        *out = w;
    else
        c3d_tensor_writer_discard(w);
    return st;
}
