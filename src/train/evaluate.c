#include "c3d/train.h"

#include <stdlib.h>
#include <string.h>

struct c3d_evaluator {
    c3d_evaluator_desc desc;
    c3d_backend backend;
    c3d_model model;
    c3d_loader *loader;
    float *canonical; /* one parameter on its way */
};

/* What a block leaves of one sample: its loss and its scores. */
static size_t n_left(const c3d_evaluator *e)
{
    return 1 + (size_t)e->desc.network.model.outputs;
}

static c3d_loader_desc loader_of(const c3d_evaluator_desc *d)
{
    const c3d_net *net = c3d_net_find(d->network.model.network);

    return (c3d_loader_desc){
        .dataset = d->dataset,
        .list = d->list,
        .one_slice = net && net->one_slice,
        .slice = d->network.slice,
        .seed = d->network.seed,
        .micro_batch = d->batch,
        .global_batch = d->batch * d->comm->n_ranks, /* so that block i is rank i mod n_ranks's */
        .rank = d->comm->rank,
        .n_ranks = d->comm->n_ranks,
        .n_readers = d->n_readers,
        .depth = 4,
    };
}

static c3d_status build(c3d_evaluator *e)
{
    const c3d_evaluator_desc *d = &e->desc;
    const c3d_loader_desc loader = loader_of(d);
    c3d_model_desc model = d->network.model;

    C3D_TRY(c3d_loader_create(&loader, &e->loader));
    model.x = c3d_loader_shape(e->loader);
    if (model.x.d != d->network.model.x.d)
        return C3D_FAIL(C3D_EDATA, "the network was trained on %d months, these samples have %d",
                        d->network.model.x.d, model.x.d);
    model.training = false;
    C3D_TRY(c3d_backend_open(&e->backend, d->backend, &d->options));
    C3D_TRY(c3d_model_create(&e->model, &e->backend, &model));
    e->canonical = c3d_calloc(c3d_model_largest_param(&e->model), sizeof(float));
    return e->canonical ? C3D_OK : C3D_ENOMEM;
}

c3d_status c3d_evaluator_measure(const c3d_evaluator_desc *desc, const c3d_loader_size *input,
                                 c3d_evaluator_bytes *out)
{
    const c3d_loader_desc loader = loader_of(desc);
    c3d_backend_options options = desc->options;
    c3d_model_desc model_desc = desc->network.model;
    c3d_backend backend = { 0 };
    c3d_model model = { 0 };

    options.dry_run = true;
    model_desc.x = input->shape;
    model_desc.x.n = desc->batch;
    model_desc.training = false;
    C3D_TRY(c3d_backend_open(&backend, desc->backend, &options));
    const c3d_status st = c3d_model_create(&model, &backend, &model_desc);
    if (st == C3D_OK)
        *out = (c3d_evaluator_bytes){ .loader = c3d_loader_bytes(&loader, input),
                                      .model = backend.n_bytes,
                                      .copy = c3d_model_largest_param(&model) * sizeof(float) };
    c3d_model_destroy(&model);
    c3d_backend_close(&backend);
    return st;
}

c3d_status c3d_evaluator_create(const c3d_evaluator_desc *desc, c3d_evaluator **out)
{
    c3d_evaluator *e = c3d_calloc(1, sizeof *e);

    if (!e) return C3D_ENOMEM;
    e->desc = *desc;
    const c3d_status st = build(e);
    if (st != C3D_OK) {
        c3d_evaluator_destroy(e);
        return st;
    }
    *out = e;
    return C3D_OK;
}

void c3d_evaluator_destroy(c3d_evaluator *evaluator)
{
    if (!evaluator) return;
    c3d_loader_destroy(evaluator->loader);
    c3d_model_destroy(&evaluator->model);
    c3d_backend_close(&evaluator->backend);
    free(evaluator->canonical);
    free(evaluator);
}

c3d_status c3d_evaluator_copy(c3d_evaluator *evaluator, c3d_model *from)
{
    c3d_model *to = &evaluator->model;

    C3D_ASSERT(from->n_params == to->n_params);
    for (int p = 0; p < to->n_params; p++) {
        C3D_ASSERT(from->params[p].n == to->params[p].n);
        C3D_TRY(c3d_model_export(from, p, from->param, evaluator->canonical));
        C3D_TRY(c3d_model_import(to, p, evaluator->canonical, to->param));
    }
    return c3d_model_stats_set(to, from->host_stats);
}

c3d_status c3d_evaluator_read(c3d_evaluator *evaluator, c3d_tensor_file *file)
{
    C3D_TRY(c3d_checkpoint_read_params(file, "", &evaluator->model, evaluator->model.param));
    return c3d_checkpoint_read_running(file, &evaluator->model);
}

static c3d_status run_block(c3d_evaluator *e, float *losses, float *scores, float *out, int *n)
{
    const size_t n_outputs = (size_t)e->desc.network.model.outputs;
    c3d_batch batch;

    C3D_TRY(c3d_loader_next(e->loader, &batch));
    const c3d_input input = {
        .values = batch.values,
        .dtype = c3d_dataset_get_info(e->desc.dataset)->dtype,
        .n_samples = batch.n,
        .mean = e->desc.network.mean,
        .scale = e->desc.network.scale,
    };
    const c3d_pass pass = { .n_samples = batch.n, .row_keys = batch.row_keys };
    const c3d_loss loss = { .n_samples = batch.n,
                            .labels = batch.labels,
                            .focal_gamma = e->desc.network.focal_gamma,
                            .losses = losses,
                            .scores = scores };
    C3D_TRY(c3d_model_load(&e->model, &input));
    C3D_TRY(c3d_model_forward(&e->model, &pass));
    C3D_TRY(c3d_model_loss(&e->model, &loss));
    C3D_TRY(e->backend.ops->sync(&e->backend));
    for (size_t i = 0; i < (size_t)batch.n; i++, out += n_left(e)) {
        out[0] = losses[i];
        memcpy(out + 1, scores + i * n_outputs, n_outputs * sizeof *scores);
    }
    *n = batch.n;
    return C3D_OK;
}

/* This rank's blocks, one after the other. */
static c3d_status run_blocks(c3d_evaluator *e, const char *label, float *mine, size_t *n_mine)
{
    const int64_t n_steps = c3d_loader_n_steps(e->loader);
    const int batch = e->desc.batch;
    float *losses = c3d_calloc((size_t)batch, sizeof *losses);
    float *scores = c3d_calloc((size_t)(batch * e->desc.network.model.outputs), sizeof *scores);
    c3d_progress progress;
    c3d_status st = losses && scores ? C3D_OK : C3D_ENOMEM;

    c3d_progress_begin(&progress, label, (double)e->desc.list->n, "scenes");
    if (st == C3D_OK) st = c3d_loader_start(e->loader, 0, 0);
    for (int64_t step = 0; st == C3D_OK && step < n_steps; step++) {
        int n = 0;
        if (c3d_stop_requested()) {
            st =
                C3D_FAIL(C3D_ESTOPPED, "%s: stopped on request; run the same command again", label);
            break;
        }
        if (c3d_loader_n_micro(e->loader, step) == 0) continue; /* the last, short step */
        st = run_block(e, losses, scores, mine + *n_mine * n_left(e), &n);
        *n_mine += (size_t)n;
        c3d_progress_update(&progress, (double)(step + 1) / (double)n_steps * progress.total);
    }
    c3d_progress_end(&progress);
    free(losses);
    free(scores);
    return st;
}

/* Rank 0: blocks back into list order. all: what every rank's blocks left, rank after rank. */
static c3d_status put_together(const c3d_evaluator *e, const float *all, c3d_evaluation *out)
{
    const c3d_evaluator_desc *d = &e->desc;
    const size_t n = d->list->n, batch = (size_t)d->batch, n_ranks = (size_t)d->comm->n_ranks;
    const c3d_samples *samples = c3d_dataset_get_samples(d->dataset);
    const size_t n_outputs = (size_t)d->network.model.outputs;
    const float *from = all;

    out->n_outputs = d->network.model.outputs;
    out->scores = c3d_calloc(n * n_outputs, sizeof(float));
    out->losses = c3d_calloc(n, sizeof(float));
    out->labels = c3d_calloc(n, sizeof(int32_t));
    if (!out->scores || !out->losses || !out->labels) return C3D_ENOMEM;
    out->n = n;
    for (size_t rank = 0; rank < n_ranks; rank++) {
        for (size_t begin = rank * batch; begin < n; begin += batch * n_ranks) {
            for (size_t i = begin; i < n && i < begin + batch; i++, from += n_left(e)) {
                out->losses[i] = from[0];
                memcpy(out->scores + i * n_outputs, from + 1, n_outputs * sizeof *from);
            }
        }
    }
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        out->labels[i] = samples->rows[d->list->index[i]].label;
        sum += (double)out->losses[i];
    }
    out->loss = sum / (double)n;
    return C3D_OK;
}

c3d_status c3d_evaluator_run(c3d_evaluator *evaluator, const char *label, c3d_evaluation *out)
{
    c3d_comm *comm = evaluator->desc.comm;
    c3d_evaluation result = { 0 };
    const size_t n_bytes = n_left(evaluator) * sizeof(float); /* of a sample */
    float *mine = c3d_calloc(evaluator->desc.list->n, n_bytes);
    void *all = NULL;
    size_t n_mine = 0, n_all = 0;
    c3d_status st = mine ? run_blocks(evaluator, label, mine, &n_mine) : C3D_ENOMEM;

    st = c3d_comm_agree_status(comm, st);
    if (st == C3D_OK) st = c3d_comm_gather(comm, mine, n_mine * n_bytes, &all, &n_all);
    if (st == C3D_OK && comm->rank == 0) {
        C3D_ASSERT(n_all == evaluator->desc.list->n * n_bytes);
        st = put_together(evaluator, all, &result);
    }
    free(all);
    free(mine);
    if (st != C3D_OK) {
        c3d_evaluation_free(&result);
        return st;
    }
    *out = result;
    return C3D_OK;
}

void c3d_evaluation_free(c3d_evaluation *evaluation)
{
    free(evaluation->scores);
    free(evaluation->losses);
    free(evaluation->labels);
    *evaluation = (c3d_evaluation){ 0 };
}
