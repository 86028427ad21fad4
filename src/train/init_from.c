/* model.init_from: the parameters that a new run starts from. */
#include "train/checkpoint.h"
#include "train/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *shape_text(int rank, const int64_t *shape, char out[128])
{
    size_t at = 0;

    for (int i = 0; i < rank && at < 100; i++)
        at += (size_t)snprintf(out + at, 128 - at, "%s%lld", i ? ", " : "", (long long)shape[i]);
    return out;
}

static bool is_last_layer(const c3d_model *model, const c3d_param *param)
{
    return param->layer == model->params[model->n_params - 1].layer;
}

static bool is_same_shape(const c3d_tensor_entry *entry, const c3d_param *param, int first)
{
    if (entry->dtype != C3D_F32 || entry->rank != param->rank) return false;
    for (int i = first; i < param->rank; i++)
        if (entry->shape[i] != param->shape[i]) return false;
    return true;
}

/* One tensor of the network: to be read, or (*is_new_out) of a last layer with other outputs. */
static c3d_status check_param(const c3d_tensor_file *file, const c3d_model *model, int p,
                              bool *is_new_out)
{
    const c3d_param *param = &model->params[p];
    const c3d_tensor_entry *entry = c3d_tensor_file_find(file, param->name);
    char theirs[128] = "", ours[128] = "";

    *is_new_out = false;
    if (entry && is_same_shape(entry, param, 0)) return C3D_OK;
    *is_new_out = entry && is_last_layer(model, param) && is_same_shape(entry, param, 1);
    if (*is_new_out) return C3D_OK;
    if (!entry)
        return C3D_FAIL(C3D_ECONFIG, "model.init_from: %s: has no tensor %s",
                        c3d_tensor_file_path(file), param->name);
    return C3D_FAIL(C3D_ECONFIG, "model.init_from: %s: %s is %s [%s], this network's is %s [%s]",
                    c3d_tensor_file_path(file), param->name, c3d_dtype_name(entry->dtype),
                    shape_text(entry->rank, entry->shape, theirs), c3d_dtype_name(C3D_F32),
                    shape_text(param->rank, param->shape, ours));
}

static bool ends_with(const char *name, const char *end)
{
    const size_t n = strlen(name), n_end = strlen(end);

    return n >= n_end && strcmp(name + n - n_end, end) == 0;
}

/* Weights that this network has no place for: the file is of another one. */
static c3d_status check_rest(const c3d_tensor_file *file, const c3d_model *model)
{
    for (size_t i = 0; i < c3d_tensor_file_count(file); i++) {
        const char *name = c3d_tensor_file_entry(file, i)->name;
        bool found = strchr(name, '/') != NULL; /* moments */
        if (!ends_with(name, ".weight") && !ends_with(name, ".bias")) continue;
        for (int p = 0; p < model->n_params && !found; p++)
            found = strcmp(name, model->params[p].name) == 0;
        if (!found)
            return C3D_FAIL(C3D_ECONFIG, "model.init_from: %s: has a tensor %s, this network none",
                            c3d_tensor_file_path(file), name);
    }
    return C3D_OK;
}

static c3d_status check_finite(c3d_tensor_file *file, const c3d_param *param)
{
    float *values = c3d_calloc(param->n, sizeof *values);
    size_t n_bad = 0;

    if (!values) return C3D_ENOMEM;
    const c3d_status st = c3d_tensor_file_read(file, c3d_tensor_file_find(file, param->name),
                                               values, param->n * sizeof *values);
    for (size_t i = 0; i < param->n; i++) n_bad += !isfinite(values[i]);
    free(values);
    C3D_TRY(st);
    if (n_bad == 0) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "model.init_from: %s: %zu of the %zu numbers of %s are not finite",
                    c3d_tensor_file_path(file), n_bad, param->n, param->name);
}

/* The same shapes on other bands are legal, and seldom meant. */
static c3d_status compare_bands(const c3d_tensor_file *file, const c3d_dataset_info *info)
{
    const char *text = c3d_tensor_file_metadata(file, "statistics");
    c3d_json *json;
    c3d_text theirs = { 0 };
    bool same = true;

    if (!text) return C3D_OK;
    C3D_TRY(c3d_json_parse(text, strlen(text), c3d_tensor_file_path(file), &json));
    const c3d_json *bands = c3d_json_get(json, "bands");
    for (size_t b = 0; b < c3d_json_length(bands); b++) {
        const char *name = c3d_json_string_value(c3d_json_at(bands, b));
        c3d_text_add(&theirs, "%s%s", b ? ", " : "", name ? name : "?");
        same = same && name && b < (size_t)info->n_bands && strcmp(name, info->bands[b]) == 0;
    }
    if (!same)
        c3d_log_warn("%s: was trained on the bands %s, in this order; the dataset's first is %s",
                     c3d_tensor_file_path(file), theirs.text, info->bands[0]);
    c3d_text_free(&theirs);
    c3d_json_free(json);
    return C3D_OK;
}

static c3d_status read_file(c3d_run *run, c3d_tensor_file *file)
{
    c3d_model *model = &run->model;
    bool is_new;
    const char *anew = NULL;

    if (c3d_tensor_file_metadata(file, "checksum")) C3D_TRY(c3d_tensor_file_verify(file));
    C3D_TRY(check_rest(file, model));
    C3D_TRY(compare_bands(file, c3d_dataset_get_info(run->dataset)));
    for (int p = 0; p < model->n_params; p++) {
        C3D_TRY(check_param(file, model, p, &is_new));
        if (is_new) {
            anew = model->table.layers[model->params[p].layer].name;
        } else {
            C3D_TRY(check_finite(file, &model->params[p]));
            C3D_TRY(c3d_checkpoint_read_param(file, model->params[p].name, model, p, model->param));
        }
    }
    C3D_TRY(c3d_checkpoint_read_running(file, model));
    c3d_log_run("parameters from %s%s%s%s", c3d_tensor_file_path(file), anew ? "; " : "",
                anew ? anew : "", anew ? " has another number of outputs there: drawn anew" : "");
    return C3D_OK;
}

static c3d_status read_on_rank_0(c3d_run *run)
{
    char path[C3D_PATH_MAX], best[C3D_PATH_MAX];
    c3d_tensor_file *file;

    C3D_TRY(c3d_path_join(path, NULL, run->config->model.init_from));
    C3D_TRY(c3d_path_join(best, path, "best.safetensors"));
    if (c3d_tensor_file_open(c3d_path_exists(best) ? best : path, &file) != C3D_OK)
        return c3d_error_while("opening model.init_from, a checkpoint or a run's directory with "
                               "best.safetensors");
    const c3d_status st = read_file(run, file);
    c3d_tensor_file_close(file);
    return st;
}

c3d_status c3d_run_init_from(c3d_run *run)
{
    if (!run->config->model.init_from[0]) return C3D_OK;
    const c3d_status st = run->comm->rank == 0 ? read_on_rank_0(run) : C3D_OK;
    C3D_TRY(c3d_comm_agree_status(run->comm, st));
    return c3d_run_share_params(run);
}
