/* A configuration's network and a few of its samples for c3d_debug_model. */
#include "train/checkpoint.h"
#include "train/debug.h"
#include "train/run.h"

#include <stdlib.h>

#define N_SAMPLES   4
#define N_MOST      16 /* of many classes: all of them at once may not fit the memory */
#define MAX_STEPS   400
#define MAX_SECONDS 60

static int by_index(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static bool is_chosen(const c3d_list *list, uint32_t index)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->index[i] == index) return true;
    return false;
}

/* The next sample of a class that is not chosen yet. */
static bool next_of(const c3d_run *run, int label, const c3d_list *chosen, uint32_t *out)
{
    const c3d_samples *samples = c3d_dataset_get_samples(run->dataset);

    for (size_t i = 0; i < run->train_list.n; i++) {
        *out = run->train_list.index[i];
        if (samples->rows[*out].label == label && !is_chosen(chosen, *out)) return true;
    }
    return false;
}

/* Classes in turn, the first of them where they are many. */
static c3d_status choose(const c3d_run *run, c3d_list *out)
{
    const int n_classes = run->config->model.outputs == 1 ? 2 : run->config->model.outputs;
    const int at_most = n_classes < N_MOST ? n_classes : N_MOST;
    const size_t n = at_most > N_SAMPLES ? (size_t)at_most : N_SAMPLES;
    size_t before;

    *out = (c3d_list){ .index = c3d_calloc(n, sizeof *out->index) };
    if (!out->index) return C3D_ENOMEM;
    do {
        before = out->n;
        for (int label = 0; label < n_classes && out->n < n; label++)
            if (next_of(run, label, out, &out->index[out->n])) out->n++;
    } while (out->n < n && out->n > before);
    qsort(out->index, out->n, sizeof *out->index, by_index);
    return C3D_OK;
}

static c3d_status set_params(c3d_run *run, const char *checkpoint)
{
    c3d_tensor_file *file = NULL;
    c3d_status st;

    if (!checkpoint) {
        C3D_TRY(c3d_model_init(&run->model, (uint64_t)run->config->data.seed));
        return c3d_run_init_from(run);
    }
    C3D_TRY_TO(done, c3d_tensor_file_open(checkpoint, &file));
    if (c3d_tensor_file_metadata(file, "checksum")) C3D_TRY_TO(done, c3d_tensor_file_verify(file));
    C3D_TRY_TO(done, c3d_checkpoint_check_input(file, run->dataset, false));
    C3D_TRY_TO(done, c3d_checkpoint_read_params(file, "", &run->model, run->model.param));
done:
    c3d_tensor_file_close(file);
    return st;
}

static c3d_status say_start(c3d_run *run, const c3d_batch *batch, const char *checkpoint,
                            const c3d_debug_desc *desc)
{
    const c3d_samples *samples = c3d_dataset_get_samples(run->dataset);
    const char *from = checkpoint ? checkpoint : run->config->model.init_from;
    c3d_text text = { 0 };
    char device[256];

    c3d_network_say_width(run->config, &run->network, run->model.table.n_params, &text);
    c3d_text_add(&text, "%s on %s; parameters %s%s; samples (label):", run->network.model.network,
                 run->backend.ops->describe(&run->backend, device),
                 from[0] ? "of " : "as initialised", from);
    for (int i = 0; i < batch->n; i++)
        c3d_text_add(&text, " %lld (%d)", (long long)samples->rows[batch->index[i]].sample_id,
                     batch->labels[i]);
    const c3d_status st = desc->say(desc->context, text.text);
    c3d_text_free(&text);
    return st;
}

static c3d_status debug_batch(c3d_run *run, const char *checkpoint, c3d_debug_desc *desc,
                              c3d_findings *out)
{
    c3d_batch batch;

    C3D_TRY(c3d_loader_start(run->loader, 0, 0));
    C3D_TRY(c3d_loader_next(run->loader, &batch));
    C3D_TRY(say_start(run, &batch, checkpoint, desc));
    desc->model = &run->model;
    desc->input = (c3d_input){ .values = batch.values,
                               .dtype = c3d_dataset_get_info(run->dataset)->dtype,
                               .n_samples = batch.n,
                               .mean = run->network.mean,
                               .scale = run->network.scale,
                               .month_from = batch.month_from };
    desc->labels = batch.labels;
    desc->row_keys = batch.row_keys;
    desc->seed = (uint64_t)run->config->data.seed;
    desc->focal_gamma = run->network.focal_gamma;
    desc->learning_rate = run->config->optimizer.learning_rate;
    desc->max_steps = MAX_STEPS;
    desc->max_seconds = MAX_SECONDS;
    return c3d_debug_model(desc, out);
}

/* Network and loader for exactly the chosen samples. */
static c3d_status open_parts(c3d_run *run, const c3d_list *list, const char *checkpoint)
{
    c3d_loader_desc loader = c3d_run_loader_desc(run);

    loader.list = list;
    loader.shuffle = false;
    loader.balanced = loader.augment_symmetry = false;
    loader.jitter = loader.month_dropout = 0;
    loader.class_weights = NULL;
    loader.global_batch = loader.micro_batch = (int)list->n;
    C3D_TRY(c3d_loader_create(&loader, &run->loader));
    run->network.model.x = c3d_loader_shape(run->loader);
    C3D_TRY(c3d_run_build_network(run, false));
    return set_params(run, checkpoint);
}

c3d_status c3d_run_debug(c3d_comm *comm, const c3d_config *config, const char *checkpoint,
                         c3d_status (*say)(void *context, const char *line), void *context,
                         c3d_findings *out)
{
    c3d_debug_desc desc = { .say = say, .context = context };
    c3d_list list = { 0 };
    c3d_run run = { 0 };
    c3d_status st;

    *out = (c3d_findings){ 0 };
    if (comm->n_ranks > 1)
        return C3D_FAIL(C3D_ECONFIG, "--debug looks at one device: run it without mpirun");
    C3D_TRY_TO(done, c3d_run_begin(&run, comm, config));
    C3D_TRY_TO(done, c3d_run_open_data(&run));
    C3D_TRY_TO(done, choose(&run, &list));
    C3D_TRY_TO(done, open_parts(&run, &list, checkpoint));
    C3D_TRY_TO(done, debug_batch(&run, checkpoint, &desc, out));
done:
    c3d_run_close(&run);
    c3d_list_free(&list);
    return st;
}
