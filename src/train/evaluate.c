#include "train/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct c3d_evaluator {
    c3d_evaluator_desc desc;
    c3d_backend backend;
    c3d_model model;
    c3d_loader *loader;
    int n_passes;     /* over the list, each of another month: 1, or with C3D_SLICE_EVERY many */
    float *canonical; /* one parameter on its way */
    float *logits;    /* of a block; NULL without log-odds */
};

/* Blocks before the last one that a device may still be reading. */
#define HELD 2

static c3d_loader_desc loader_of(const c3d_evaluator_desc *d)
{
    const c3d_net *net = c3d_net_find(d->network.model.network);

    return (c3d_loader_desc){
        .dataset = d->dataset,
        .list = d->list,
        .one_slice = net && net->one_slice,
        .slice = d->network.slice,
        .months_shuffled = d->network.months_shuffled,
        .seed = d->network.seed,
        .micro_batch = d->batch,
        .global_batch = d->batch * d->comm->n_ranks, /* so that block i is rank i mod n_ranks's */
        .rank = d->comm->rank,
        .n_ranks = d->comm->n_ranks,
        .n_readers = d->n_readers,
        .depth = 6,
        .n_held = HELD,
    };
}

static c3d_status build(c3d_evaluator *e)
{
    const c3d_evaluator_desc *d = &e->desc;
    const c3d_loader_desc loader = loader_of(d);
    c3d_model_desc model = d->network.model;
    c3d_loader_size size;

    C3D_TRY(c3d_loader_size_of(&loader, &size));
    C3D_TRY(c3d_loader_create(&loader, &e->loader));
    e->n_passes = loader.one_slice && loader.slice == C3D_SLICE_EVERY ? size.n_months : 1;
    model.x = c3d_loader_shape(e->loader);
    if (model.x.d != d->network.model.x.d)
        return C3D_FAIL(C3D_EDATA, "the network was trained on %d months, these samples have %d",
                        d->network.model.x.d, model.x.d);
    model.training = false;
    C3D_TRY(c3d_backend_open(&e->backend, d->backend, &d->options));
    C3D_TRY(c3d_model_create(&e->model, &e->backend, &model));
    C3D_TRY(c3d_pin_loader(&e->backend, e->loader));
    e->canonical = c3d_calloc(c3d_model_largest_param(&e->model), sizeof(float));
    if (!e->canonical) return C3D_ENOMEM;
    if (!d->with_log_odds) return C3D_OK;
    e->logits = c3d_calloc((size_t)model.x.n * (size_t)model.outputs, sizeof(float));
    return e->logits ? C3D_OK : C3D_ENOMEM;
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
    c3d_unpin_loader(&evaluator->backend, evaluator->loader);
    c3d_model_destroy(&evaluator->model);
    c3d_backend_close(&evaluator->backend);
    c3d_loader_destroy(evaluator->loader);
    free(evaluator->canonical);
    free(evaluator->logits);
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

/* This rank's losses and scores, block after block. */
typedef struct results {
    float *losses, *scores; /* [n], [n, outputs] */
    float *log_odds;        /* [n] or NULL */
    size_t n;
    double *sums; /* over several passes: [n, outputs + 1], losses first; else NULL */
    double *odds; /* [n, 2] of the same, of log-odds: probabilities of another label than 0, of 0 */
    uint32_t *index; /* [n] rows of samples.csv; likewise */
} results;

static c3d_status results_create(const c3d_evaluator *e, results *out)
{
    const size_t n = e->desc.list->n, n_outputs = (size_t)e->desc.network.model.outputs;

    *out = (results){ .losses = c3d_calloc(n, sizeof(float)),
                      .scores = c3d_calloc(n * n_outputs, sizeof(float)) };
    if (!out->losses || !out->scores) return C3D_ENOMEM;
    if (e->logits) {
        out->log_odds = c3d_calloc(n, sizeof(float));
        if (!out->log_odds) return C3D_ENOMEM;
    }
    if (e->n_passes == 1) return C3D_OK;
    out->sums = c3d_calloc(n * (n_outputs + 1), sizeof(double));
    out->odds = c3d_calloc(2 * n, sizeof(double));
    out->index = c3d_calloc(n, sizeof(uint32_t));
    return out->sums && out->odds && out->index ? C3D_OK : C3D_ENOMEM;
}

static void results_free(results *r)
{
    free(r->losses);
    free(r->scores);
    free(r->log_odds);
    free(r->sums);
    free(r->odds);
    free(r->index);
}

/* That the label of a row is not 0. */
static float log_odds_of(const float *logits, int n_outputs)
{
    double most = -INFINITY, sum = 0;

    if (n_outputs == 1) return logits[0];
    for (int k = 1; k < n_outputs; k++) most = fmax(most, (double)logits[k]);
    for (int k = 1; k < n_outputs; k++) sum += exp((double)logits[k] - most);
    return (float)(most + log(sum) - (double)logits[0]);
}

static c3d_status read_log_odds(c3d_evaluator *e, int n, float *out)
{
    const int n_outputs = e->desc.network.model.outputs;
    c3d_activation *last = e->model.plans[e->model.table.n_layers - 1]->y;

    C3D_TRY(e->backend.ops->activation_read(&e->backend, last, false, e->logits));
    for (int i = 0; i < n; i++)
        out[i] = log_odds_of(e->logits + (size_t)i * (size_t)n_outputs, n_outputs);
    return C3D_OK;
}

/* Enqueues the next block; its results are filled later. */
static c3d_status run_block(c3d_evaluator *e, int64_t step, results *mine)
{
    const int mark = (int)(step % (HELD + 1));
    const size_t n_outputs = (size_t)e->desc.network.model.outputs;
    c3d_batch batch;

    c3d_phase_set(C3D_PHASE_EVALUATING, step * e->desc.comm->n_ranks + e->desc.comm->rank + 1,
                  c3d_loader_next_sample(e->loader));
    C3D_TRY(c3d_loader_next(e->loader, &batch));
    const c3d_input input = {
        .values = batch.values,
        .dtype = c3d_dataset_get_info(e->desc.dataset)->dtype,
        .n_samples = batch.n,
        .mean = e->desc.network.mean,
        .scale = e->desc.network.scale,
        .month_from = batch.month_from,
    };
    const c3d_pass pass = { .n_samples = batch.n, .row_keys = batch.row_keys };
    const c3d_loss loss = { .n_samples = batch.n,
                            .labels = batch.labels,
                            .focal_gamma = e->desc.network.focal_gamma,
                            .losses = mine->losses + mine->n,
                            .scores = mine->scores + mine->n * n_outputs };
    C3D_TRY(c3d_model_load(&e->model, &input));
    C3D_TRY(c3d_model_forward(&e->model, &pass));
    C3D_TRY(c3d_model_loss(&e->model, &loss));
    if (mine->log_odds) C3D_TRY(read_log_odds(e, batch.n, mine->log_odds + mine->n));
    if (mine->index)
        memcpy(mine->index + mine->n, batch.index, (size_t)batch.n * sizeof *batch.index);
    mine->n += (size_t)batch.n;
    return e->backend.ops->mark(&e->backend, mark);
}

/* This rank's blocks, one after the other; a device with a queue is given the next ones while it
 * works. */
static c3d_status run_pass(c3d_evaluator *e, int pass, c3d_progress *progress, results *mine)
{
    const int64_t n_steps = c3d_loader_n_steps(e->loader);
    c3d_status st = c3d_loader_start(e->loader, pass, 0);

    mine->n = 0;
    for (int64_t step = 0; st == C3D_OK && step < n_steps; step++) {
        if (c3d_stop_requested()) {
            st = C3D_FAIL(C3D_ESTOPPED, "%s: stopped on request; run the same command again",
                          progress->label);
            break;
        }
        if (c3d_loader_n_micro(e->loader, step) == 0) continue; /* the last, short step */
        if (step > HELD) st = c3d_backend_await(&e->backend, (int)(step % (HELD + 1)));
        if (st == C3D_OK) st = run_block(e, step, mine);
        const double n_done = pass + (double)(step + 1) / (double)n_steps;
        c3d_progress_update(progress, n_done / e->n_passes * progress->total);
    }
    const c3d_status synced = e->backend.ops->sync(&e->backend);
    return st == C3D_OK ? synced : st;
}

static int n_months_of(const c3d_evaluator *e, uint32_t index)
{
    return c3d_dataset_get_samples(e->desc.dataset)->rows[index].n_months;
}

/* A pass beyond a sample's last month showed one of its months again. */
static void add_pass(const c3d_evaluator *e, int pass, results *mine)
{
    const size_t n_outputs = (size_t)e->desc.network.model.outputs;

    for (size_t i = 0; i < mine->n; i++) {
        double *sums = mine->sums + i * (n_outputs + 1);

        if (pass >= n_months_of(e, mine->index[i])) continue;
        sums[0] += (double)mine->losses[i];
        for (size_t k = 0; k < n_outputs; k++)
            sums[1 + k] += (double)mine->scores[i * n_outputs + k];
        if (!mine->log_odds) continue;
        mine->odds[2 * i] += 1 / (1 + exp(-(double)mine->log_odds[i]));
        mine->odds[2 * i + 1] += 1 / (1 + exp((double)mine->log_odds[i]));
    }
}

static void take_means(const c3d_evaluator *e, results *mine)
{
    const size_t n_outputs = (size_t)e->desc.network.model.outputs;

    for (size_t i = 0; i < mine->n; i++) {
        const double *sums = mine->sums + i * (n_outputs + 1);
        const double n = n_months_of(e, mine->index[i]);

        mine->losses[i] = (float)(sums[0] / n);
        for (size_t k = 0; k < n_outputs; k++)
            mine->scores[i * n_outputs + k] = (float)(sums[1 + k] / n);
        if (mine->log_odds)
            mine->log_odds[i] = (float)(log(mine->odds[2 * i]) - log(mine->odds[2 * i + 1]));
    }
}

static c3d_status run_passes(c3d_evaluator *e, const char *label, results *mine)
{
    c3d_progress progress;
    c3d_status st = C3D_OK;

    c3d_progress_begin(&progress, label, (double)e->desc.list->n, "scenes");
    for (int pass = 0; st == C3D_OK && pass < e->n_passes; pass++) {
        st = run_pass(e, pass, &progress, mine);
        if (st == C3D_OK && mine->sums) add_pass(e, pass, mine);
    }
    c3d_progress_end(&progress);
    if (st == C3D_OK && mine->sums) take_means(e, mine);
    return st;
}

/* Rank 0: blocks back into list order. all: every rank's values of its blocks, rank after rank, of
 * `width` a sample. */
static void put_together(const c3d_evaluator *e, const float *all, size_t width, float *out)
{
    const size_t n = e->desc.list->n, batch = (size_t)e->desc.batch;
    const size_t n_ranks = (size_t)e->desc.comm->n_ranks;

    for (size_t rank = 0; rank < n_ranks; rank++) {
        for (size_t begin = rank * batch; begin < n; begin += batch * n_ranks) {
            const size_t count = n - begin < batch ? n - begin : batch;
            memcpy(out + begin * width, all, count * width * sizeof *out);
            all += count * width;
        }
    }
}

/* Every rank's values to rank 0, in list order there (given); NULL elsewhere. */
static c3d_status collect(const c3d_evaluator *e, const float *mine, size_t n_mine, size_t width,
                          float **out)
{
    c3d_comm *comm = e->desc.comm;
    const size_t n_values = e->desc.list->n * width;
    float *ordered = NULL;
    void *all = NULL;
    size_t n_all = 0;

    C3D_TRY(c3d_comm_gather(comm, mine, n_mine * width * sizeof *mine, &all, &n_all));
    if (comm->rank == 0) {
        C3D_ASSERT(n_all == n_values * sizeof *mine);
        ordered = c3d_calloc(n_values, sizeof *ordered);
        if (ordered) put_together(e, all, width, ordered);
    }
    free(all);
    *out = ordered;
    return c3d_comm_agree_status(comm, comm->rank == 0 && !ordered ? C3D_ENOMEM : C3D_OK);
}

/* Rank 0: what follows from losses and scores. */
static c3d_status complete(const c3d_evaluator *e, c3d_evaluation *out)
{
    const c3d_list *list = e->desc.list;
    const c3d_samples *samples = c3d_dataset_get_samples(e->desc.dataset);
    double sum = 0;

    C3D_ASSERT(out->losses && out->scores);
    out->n = list->n;
    out->n_outputs = e->desc.network.model.outputs;
    out->labels = c3d_calloc(list->n, sizeof *out->labels);
    if (!out->labels) return C3D_ENOMEM;
    for (size_t i = 0; i < list->n; i++) {
        out->labels[i] = samples->rows[list->index[i]].label;
        sum += (double)out->losses[i];
    }
    out->loss = sum / (double)list->n;
    return C3D_OK;
}

c3d_status c3d_evaluator_run(c3d_evaluator *evaluator, const char *label, c3d_evaluation *out)
{
    c3d_comm *comm = evaluator->desc.comm;
    const size_t n_outputs = (size_t)evaluator->desc.network.model.outputs;
    c3d_evaluation result = { 0 };
    results mine;
    c3d_status st = results_create(evaluator, &mine);

    if (st == C3D_OK) st = run_passes(evaluator, label, &mine);

    c3d_phase_set(C3D_PHASE_SCORING, 0, 0);
    /* what one rank cannot read ends all now, not after their last blocks (c3d_comm_abort) */
    if (st == C3D_OK || st == C3D_ESTOPPED) st = c3d_comm_agree_status(comm, st);
    if (st == C3D_OK) st = collect(evaluator, mine.losses, mine.n, 1, &result.losses);
    if (st == C3D_OK) st = collect(evaluator, mine.scores, mine.n, n_outputs, &result.scores);
    if (st == C3D_OK && mine.log_odds)
        st = collect(evaluator, mine.log_odds, mine.n, 1, &result.log_odds);
    if (st == C3D_OK)
        st = c3d_comm_agree_status(comm, comm->rank == 0 ? complete(evaluator, &result) : C3D_OK);
    results_free(&mine);
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
    free(evaluation->log_odds);
    free(evaluation->labels);
    *evaluation = (c3d_evaluation){ 0 };
}
