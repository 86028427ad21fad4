#include "train/cost.h"

#include "train/run.h"

#include <stdlib.h>

#define SCHEMA 1

int c3d_cost_devices(const c3d_run *run)
{
    return run->backend.ops->host_memory ? run->seat.n_nodes : run->comm->n_ranks;
}

void c3d_cost_add(c3d_run *run, double n_samples, double seconds)
{
    run->cost.n_samples += (int64_t)n_samples;
    run->cost.seconds += seconds;
    run->cost.device_s += seconds * c3d_cost_devices(run);
}

c3d_json *c3d_cost_state(const c3d_run *run)
{
    c3d_json *json = c3d_json_object();

    c3d_json_set(json, "from_step", c3d_json_int(run->cost.from_step));
    c3d_json_set(json, "samples_seen", c3d_json_int(run->cost.n_samples));
    c3d_json_set(json, "seconds", c3d_json_real(run->cost.seconds));
    c3d_json_set(json, "device_s", c3d_json_real(run->cost.device_s));
    return json;
}

c3d_status c3d_cost_from_state(const c3d_json *state, c3d_run *run)
{
    long long from_step, n_samples;
    c3d_cost cost = { .from_step = run->position.step };

    if (state) {
        if (!c3d_json_get_int(state, "from_step", &from_step) ||
            !c3d_json_get_int(state, "samples_seen", &n_samples) ||
            !c3d_json_get_real(state, "seconds", &cost.seconds) ||
            !c3d_json_get_real(state, "device_s", &cost.device_s))
            return C3D_FAIL(C3D_EDATA, "the checkpoint's cost is no row of numbers");
        cost.from_step = from_step;
        cost.n_samples = n_samples;
    }
    run->cost = cost;
    return C3D_OK;
}

void c3d_cost_print(c3d_run *run, c3d_text *out)
{
    const c3d_loader_desc loader = c3d_run_loader_desc(run);
    const c3d_shape_table *table = &run->model.table;
    const size_t n_bytes = c3d_loader_sample_bytes(&loader, &run->input);
    c3d_json *json = c3d_json_object();
    char device[256];

    c3d_json_set(json, "schema", c3d_json_int(SCHEMA));
    c3d_json_set(json, "network", c3d_json_string(run->network.model.network));
    c3d_json_set(json, "parameters", c3d_json_int((long long)table->n_params));
    c3d_json_set(json, "multiply_adds", c3d_json_int((long long)table->multiply_adds));
    c3d_json_set(json, "bytes_a_sample", c3d_json_int((long long)n_bytes));
    c3d_json_set(json, "from_step", c3d_json_int(run->cost.from_step));
    c3d_json_set(json, "step", c3d_json_int(run->position.step));
    c3d_json_set(json, "samples_seen", c3d_json_int(run->cost.n_samples));
    c3d_json_set(json, "device",
                 c3d_json_string(run->backend.ops->describe(&run->backend, device)));
    c3d_json_set(json, "device_is",
                 c3d_json_string(run->backend.ops->host_memory ? "host" : "gpu"));
    c3d_json_set(json, "n_devices", c3d_json_int(c3d_cost_devices(run)));
    c3d_json_set(json, "n_ranks", c3d_json_int(run->comm->n_ranks));
    c3d_json_set(json, "threads_a_rank", c3d_json_int(run->n_threads));
    c3d_json_set(json, "seconds", c3d_json_real(run->cost.seconds));
    c3d_json_set(json, "device_hours", c3d_json_real(run->cost.device_s / 3600));
    char *text = c3d_json_text(json, true);
    c3d_json_free(json);
    c3d_text_add(out, "%s\n", text);
    free(text);
}

c3d_status c3d_cost_write(const char *dir, const c3d_text *text)
{
    char path[C3D_PATH_MAX];

    C3D_TRY(c3d_path_join(path, dir, "cost.json"));
    return c3d_file_write(path, text->text, text->length);
}
