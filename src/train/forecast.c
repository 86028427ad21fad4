#include "train/forecast.h"

#include "train/optimizer.h"
#include "train/ordered.h"
#include "train/run.h"
#include "train/saver.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *keys; /* what makes it smaller */
} needs[C3D_NEEDS] = {
    [C3D_NEED_PARAMETERS] = { "parameters", "model.width, model.fc or data.frame_size_px" },
    [C3D_NEED_GRADIENTS] = { "gradients", "model.width, model.fc or data.frame_size_px" },
    [C3D_NEED_MOMENTS] = { "moments of Adam", "model.width, model.fc or data.frame_size_px" },
    [C3D_NEED_ORDER] = { "gradients to be added in order",
                         "train.global_batch, model.width, model.fc or data.frame_size_px" },
    [C3D_NEED_ACTIVATIONS] = { "activations and work space",
                               "train.micro_batch, model.width or data.frame_size_px" },
    [C3D_NEED_EVALUATION] = { "evaluation",
                              "evaluation.batch, model.width, model.fc or data.frame_size_px" },
    [C3D_NEED_READING] = { "samples read ahead",
                           "train.micro_batch, evaluation.batch, data.readers or "
                           "data.frame_size_px" },
    [C3D_NEED_STAGE] = { "samples staged in memory", "data.stage or data.max_per_class, or more of "
                                                     "data.stage_groups on more nodes" },
    [C3D_NEED_EXCHANGE] = { "exchange between ranks", "(no key)" },
    [C3D_NEED_SNAPSHOT] = { "copy for checkpoints", "model.width, model.fc or data.frame_size_px" },
    [C3D_NEED_COPIES] = { "a parameter on its way", "model.fc, model.width or data.frame_size_px" },
    [C3D_NEED_LIBRARIES] = { "code and libraries", "(no key)" },
};

const char *c3d_need_name(c3d_need need)
{
    return needs[need].name;
}

/* ---- what a rank needs ----------------------------------------------------------------------- */

static c3d_status make_table(const c3d_run *run, c3d_shape_table *out)
{
    c3d_model_desc desc = run->network.model;

    desc.training = true;
    return c3d_shape_table_make(&desc, out);
}

/* Weights with gradients and moments in float, and outputs of layers, which backward needs, at
 * their smallest; a backend that needs less than this does not exist. */
static c3d_status forecast_least(const c3d_run *run, c3d_forecast *out)
{
    const size_t of_output = run->config->model.precision == C3D_CONFIG_PRECISION_FP32 ? 4 : 2;

    *out = (c3d_forecast){ .is_least = true };
    C3D_TRY(make_table(run, &out->table));
    const uint64_t arena = out->table.n_params * sizeof(float);
    out->bytes[C3D_NEED_PARAMETERS] = out->bytes[C3D_NEED_GRADIENTS] = arena;
    out->bytes[C3D_NEED_MOMENTS] =
        2 * sizeof(float) * (uint64_t)c3d_optimizer_moments(run, out->table.n_params);
    if (run->comm->rank == 0) out->bytes[C3D_NEED_SNAPSHOT] = 3 * arena;
    out->bytes[C3D_NEED_ORDER] = c3d_ordered_bytes(run, out->table.n_params);
    for (int i = 0; i < out->table.n_layers; i++) {
        const c3d_layer_info *layer = &out->table.layers[i];
        if (layer->op.op == C3D_OP_CONV || layer->op.op == C3D_OP_LINEAR)
            out->bytes[C3D_NEED_ACTIVATIONS] += c3d_shape_count(layer->y) * of_output;
    }
    return C3D_OK;
}

/* The network of the run on a backend that only counts. */
static c3d_status forecast_network(c3d_run *dry, c3d_forecast *out)
{
    C3D_TRY(c3d_run_build_network(dry, true));
    const uint64_t arena = dry->model.n_arena * sizeof(float);
    out->bytes[C3D_NEED_PARAMETERS] = out->bytes[C3D_NEED_GRADIENTS] = arena;
    out->bytes[C3D_NEED_MOMENTS] =
        2 * sizeof(float) * (uint64_t)c3d_optimizer_moments(dry, dry->model.n_arena);
    out->bytes[C3D_NEED_ORDER] = c3d_ordered_bytes(dry, dry->model.n_arena);
    out->bytes[C3D_NEED_ACTIVATIONS] = dry->backend.n_bytes - 2 * arena -
                                       out->bytes[C3D_NEED_MOMENTS] - out->bytes[C3D_NEED_ORDER];
    return C3D_OK;
}

static c3d_status check_device(const c3d_run *dry, uint64_t need)
{
    const c3d_backend *backend = &dry->backend;

    if (backend->ops->host_memory || need <= backend->n_free) return C3D_OK;
    return C3D_FAIL(C3D_ECONFIG,
                    "device %d of %s: %.2f GiB needed, %.2f GiB free: less of train.micro_batch, "
                    "model.width, model.fc, data.frame_size_px or evaluation.batch would help",
                    backend->options.device_index, dry->comm->host, (double)need / 0x1p30,
                    (double)backend->n_free / 0x1p30);
}

/* Of code that is loaded and made when a run computes for the first time, and of what the allocator
 * keeps: measured by tests/plan_memory.sh. */
#define LIBRARY_BYTES ((uint64_t)8 << 20)

static c3d_status forecast_parts(const c3d_run *run, c3d_run *dry, c3d_forecast *out)
{
    const c3d_loader_desc loader = c3d_run_loader_desc(run);
    const c3d_evaluator_desc evaluator = c3d_run_evaluator_desc(run);
    c3d_evaluator_bytes evaluation = { 0 };
    const bool evaluates = run->validation_list.n > 0 || !run->dataset;
    uint64_t *bytes = out->bytes;

    C3D_TRY(make_table(run, &out->table));
    C3D_TRY(forecast_network(dry, out));
    if (evaluates) C3D_TRY(c3d_evaluator_measure(&evaluator, &run->input, &evaluation));
    bytes[C3D_NEED_EVALUATION] = evaluation.model;
    bytes[C3D_NEED_READING] = c3d_loader_bytes(&loader, &run->input) + evaluation.loader;
    if (run->config->data.stage == C3D_CONFIG_STAGE_MEMORY) /* one copy for all of them */
        bytes[C3D_NEED_STAGE] = run->stage_bytes / (uint64_t)run->seat.n_ranks;
    bytes[C3D_NEED_SNAPSHOT] = c3d_saver_bytes(dry);
    bytes[C3D_NEED_COPIES] = evaluation.copy;
    bytes[C3D_NEED_LIBRARIES] = LIBRARY_BYTES;
    if (run->comm->n_local_ranks > 1) /* one window for all of them */
        bytes[C3D_NEED_EXCHANGE] =
            c3d_comm_window_bytes(run->comm->n_local_ranks) / (size_t)run->comm->n_local_ranks;
    return C3D_OK;
}

bool c3d_need_is_of_backend(c3d_need need)
{
    return need <= C3D_NEED_EVALUATION;
}

static void add_up(c3d_forecast *f, bool host_memory)
{
    for (c3d_need need = 0; need < C3D_NEEDS; need++) {
        if (c3d_need_is_of_backend(need) && !host_memory)
            f->device += f->bytes[need];
        else
            f->host += f->bytes[need];
    }
}

static c3d_status forecast_by_table(const c3d_run *run, c3d_forecast *out)
{
    c3d_backend_options options = c3d_run_backend_options(run, 0);
    c3d_backend backend;

    options.dry_run = true;
    C3D_TRY(forecast_least(run, out));
    C3D_TRY(c3d_backend_open(&backend, c3d_device_name(run->config), &options));
    out->is_of_host = backend.ops->host_memory;
    add_up(out, out->is_of_host);
    c3d_backend_close(&backend);
    return C3D_OK;
}

static c3d_status forecast_by_planning(const c3d_run *run, c3d_forecast *out)
{
    c3d_run dry = *run;

    *out = (c3d_forecast){ 0 };
    dry.backend = (c3d_backend){ 0 };
    dry.model = (c3d_model){ 0 };
    dry.optimizer = (c3d_optimizer){ 0 };
    c3d_status st = forecast_parts(run, &dry, out);
    if (st == C3D_OK) {
        out->is_of_host = dry.backend.ops->host_memory;
        add_up(out, out->is_of_host);
        st = check_device(&dry, out->device);
    }
    c3d_run_close_network(&dry);
    return st;
}

/* ---- what a host has ------------------------------------------------------------------------- */

static c3d_rank_memory rank_memory(const c3d_run *run, const c3d_forecast *f)
{
    c3d_rank_memory mine;

    memset(&mine, 0, sizeof mine);
    memcpy(mine.host, run->comm->host, sizeof mine.host);
    mine.memory = c3d_host_memory_of("");
    mine.need = f->host;
    mine.is_least = f->is_least;
    for (c3d_need need = 0; need < C3D_NEEDS; need++)
        if (f->bytes[need] > f->bytes[mine.largest]) mine.largest = need;
    mine.largest_bytes = f->bytes[mine.largest];
    return mine;
}

static c3d_status compare_host(const c3d_rank_memory *ranks, int n_ranks, const char *host)
{
    const c3d_rank_memory *most = NULL;
    c3d_host_memory there = { .available = UINT64_MAX };
    double need = 0;
    int n = 0;

    for (int r = 0; r < n_ranks; r++) {
        if (strcmp(ranks[r].host, host) != 0) continue;
        if (!most || ranks[r].need > most->need) most = &ranks[r];
        if (ranks[r].memory.available < there.available) there = ranks[r].memory;
        need += (double)ranks[r].need;
        n++;
    }
    if (!most || there.available == UINT64_MAX || need <= (double)there.available) return C3D_OK;
    return C3D_FAIL(C3D_ECONFIG,
                    "%s: %d %s would need %s%.2f GiB of memory, %.2f GiB are left (%s); most of "
                    "it, %.2f GiB, for %s: less of %s would help",
                    host, n, n == 1 ? "rank" : "ranks", most->is_least ? "at least " : "",
                    need / 0x1p30, (double)there.available / 0x1p30,
                    there.is_of_group ? "limit of the control group" : "of the host",
                    (double)most->largest_bytes / 0x1p30, needs[most->largest].name,
                    needs[most->largest].keys);
}

c3d_status c3d_forecast_compare(const c3d_rank_memory *ranks, int n_ranks)
{
    for (int r = 0; r < n_ranks; r++) C3D_TRY(compare_host(ranks, n_ranks, ranks[r].host));
    return C3D_OK;
}

static c3d_status compare_ranks(c3d_run *run, const c3d_forecast *f, c3d_rank_memory **all_out)
{
    const c3d_rank_memory mine = rank_memory(run, f);
    void *all = NULL;
    size_t n_bytes;
    c3d_status st = C3D_OK;

    C3D_TRY(c3d_comm_gather(run->comm, &mine, sizeof mine, &all, &n_bytes));
    if (all) st = c3d_forecast_compare(all, run->comm->n_ranks);
    st = c3d_comm_agree_status(run->comm, st);
    if (st == C3D_OK && all_out) {
        *all_out = all;
        return C3D_OK;
    }
    free(all);
    return st;
}

c3d_status c3d_forecast_make(c3d_run *run, c3d_forecast *out, c3d_rank_memory **all_out)
{
    c3d_forecast f;

    C3D_TRY(c3d_comm_agree_status(run->comm, forecast_by_table(run, &f)));
    C3D_TRY(compare_ranks(run, &f, NULL));
    if (all_out || f.is_of_host) {
        C3D_TRY(c3d_comm_agree_status(run->comm, forecast_by_planning(run, &f)));
        C3D_TRY(compare_ranks(run, &f, all_out));
    }
    *out = f;
    return C3D_OK;
}

void c3d_forecast_say(const c3d_run *run)
{
    const uint64_t most = c3d_held_memory_now().most;

    if (most < run->held_bytes || run->held_bytes == 0) return;
    c3d_log_run("memory: %.3f GiB were planned for, %.3f GiB were taken",
                (double)run->planned_bytes / 0x1p30, (double)(most - run->held_bytes) / 0x1p30);
}
