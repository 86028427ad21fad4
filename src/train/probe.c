#include "train/probe.h"

#include "train/optimizer.h"
#include "train/ordered.h"
#include "train/run.h"
#include "train/step.h"

#include <stdlib.h>

/* Seconds that a micro-batch, and a block of the evaluation, may take: each is run a few times. */
#define MICRO_S   4.0
#define BLOCK_S   2.0
#define NEED_S    0.5
#define MEASURE_S 1.0
#define TIMES     5

/* Made-up rows for a model: noise, so that no layer computes with zeros alone. */
typedef struct rows {
    uint16_t *values;
    float *mean, *scale, *losses;
    int32_t *labels;
    uint64_t *keys;
} rows;

static void rows_free(rows *r)
{
    free(r->values);
    free(r->mean);
    free(r->scale);
    free(r->losses);
    free(r->labels);
    free(r->keys);
}

static c3d_status rows_make(c3d_shape x, rows *r)
{
    const size_t n = (size_t)x.n, c = (size_t)x.c, n_values = c3d_shape_count(x);

    *r = (rows){ .values = c3d_calloc(n_values, sizeof *r->values),
                 .mean = c3d_calloc(c, sizeof *r->mean),
                 .scale = c3d_calloc(c, sizeof *r->scale),
                 .losses = c3d_calloc(n, sizeof *r->losses),
                 .labels = c3d_calloc(n, sizeof *r->labels),
                 .keys = c3d_calloc(n, sizeof *r->keys) };
    if (!r->values || !r->mean || !r->scale || !r->losses || !r->labels || !r->keys)
        return C3D_ENOMEM;
    for (size_t i = 0; i < n_values; i++) r->values[i] = (uint16_t)(i * 40503U + (i >> 16));
    for (size_t b = 0; b < c; b++) r->mean[b] = 32768, r->scale[b] = 0x1p-14F;
    return C3D_OK;
}

/* Quick to draw, unlike the real initial weights, and of their size. */
static c3d_status fill_params(c3d_model *model)
{
    float noise[4096];
    const size_t n = model->n_arena;

    for (size_t i = 0; i < C3D_COUNT(noise); i++)
        noise[i] = (float)(0.05 * (c3d_random_unit(1, C3D_STREAM(C3D_PURPOSE_INIT, 0), i) - 0.5));
    for (size_t at = 0; at < n; at += C3D_COUNT(noise)) {
        const size_t count = n - at < C3D_COUNT(noise) ? n - at : C3D_COUNT(noise);
        C3D_TRY(model->backend->ops->upload(model->backend, model->param + at, noise,
                                            count * sizeof *noise));
    }
    return c3d_model_to_low(model, 0, n);
}

/* Before each thing that takes time; ranks that go on are told by the next agreement. */
static c3d_status check_stop(void)
{
    return c3d_stop_requested() ? C3D_FAIL(C3D_ESTOPPED, "--plan: stopped on request") : C3D_OK;
}

static c3d_status pass_once(c3d_model *model, const rows *r, bool backward, double *seconds)
{
    const int n = model->table.layers[0].x.n;
    const c3d_input input = {
        .values = r->values, .dtype = C3D_U16, .n_samples = n, .mean = r->mean, .scale = r->scale
    };
    const c3d_pass pass = {
        .training = backward, .n_samples = n, .row_keys = r->keys, .accumulate = true
    };
    const c3d_loss loss = { .n_samples = n,
                            .labels = r->labels,
                            .grad_scale = 1.0F / (float)n,
                            .losses = r->losses,
                            .with_grad = backward };
    const double start_s = c3d_now_s();

    C3D_TRY(check_stop());
    C3D_TRY(c3d_model_load(model, &input));
    C3D_TRY(c3d_model_forward(model, &pass));
    C3D_TRY(c3d_model_loss(model, &loss));
    if (backward) C3D_TRY(c3d_model_backward(model, &pass, NULL));
    C3D_TRY(model->backend->ops->sync(model->backend));
    *seconds = c3d_now_s() - start_s;
    return C3D_OK;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The median of a few times after a first one, which is counted only if it alone is long. */
static c3d_status time_passes(c3d_model *model, bool backward, double *out)
{
    double times[TIMES], all_s = 0, first;
    rows r = { 0 };
    int n = 0;
    c3d_status st;

    C3D_TRY_TO(done, fill_params(model));
    C3D_TRY_TO(done, rows_make(model->table.layers[0].x, &r));
    C3D_TRY_TO(done, pass_once(model, &r, backward, &first));
    while (n < TIMES && (n == 0 || all_s < MEASURE_S) && first < MICRO_S) {
        C3D_TRY_TO(done, pass_once(model, &r, backward, &times[n]));
        all_s += times[n++];
    }
    qsort(times, (size_t)n, sizeof *times, by_size);
    *out = n > 0 ? times[n / 2] : first;
done:
    rows_free(&r);
    return st;
}

/* Seconds of scoring n samples with a number of threads, on a backend of its own. */
static c3d_status time_forward(const c3d_run *run, int n_samples, int n_threads, double *out)
{
    c3d_backend_options options = c3d_run_evaluator_desc(run).options;
    c3d_model_desc desc = run->network.model;
    c3d_backend backend = { 0 };
    c3d_model model = { 0 };

    options.n_threads = n_threads;
    desc.x.n = n_samples;
    desc.training = false;
    C3D_TRY(c3d_backend_open(&backend, c3d_device_name(run->config), &options));
    c3d_status st = c3d_model_create(&model, &backend, &desc);
    if (st == C3D_OK) st = time_passes(&model, false, out);
    c3d_model_destroy(&model);
    c3d_backend_close(&backend);
    return st;
}

/* As many of n samples as fit the time, at least one. */
static int that_fit(int n, double sample_s, double time_s)
{
    const double fitting = time_s / sample_s;

    return fitting >= n ? n : fitting < 1 ? 1 : (int)fitting;
}

static c3d_status time_scoring(const c3d_run *run, double sample_s, c3d_probe *out)
{
    const int batch = run->config->evaluation.batch;
    const int n = that_fit(batch, sample_s, BLOCK_S);

    if (n == 1)
        out->block_s = sample_s;
    else
        C3D_TRY(time_forward(run, n, run->config->evaluation.threads, &out->block_s));
    out->block_s *= (double)batch / n;
    return C3D_OK;
}

static c3d_status time_exchange(c3d_run *run, c3d_probe *out)
{
    const c3d_cut cut = c3d_optimizer_cut(run, run->model.n_arena);

    c3d_ordered_begin(run, run->comm->n_ranks);
    for (int times = 0; times < 2; times++) { /* the first one makes connections */
        C3D_TRY(c3d_comm_barrier(run->comm));
        const double start_s = c3d_now_s();
        for (size_t i = 0; i < cut.n_pieces; i++) {
            const c3d_piece piece = c3d_cut_piece(&cut, i);
            C3D_TRY(c3d_optimizer_reduce(run, &piece));
        }
        C3D_TRY(run->comm->ops->wait(run->comm));
        C3D_TRY(c3d_run_settle(run));
        const double summed_s = c3d_now_s();
        C3D_TRY(c3d_optimizer_step(run, 0, 1));
        C3D_TRY(c3d_run_settle(run));
        out->sum_s = run->comm->n_ranks > 1 ? summed_s - start_s : 0;
        out->update_s = c3d_now_s() - summed_s;
    }
    return C3D_OK;
}

/* Local: ranks may find different sizes, and none waits for another here. */
static c3d_status time_micro_batch(c3d_run *run, double sample_s, c3d_probe *out)
{
    const int micro = run->config->train.micro_batch;
    double seconds;

    out->forward_only = sample_s > MICRO_S;
    out->n_samples = out->forward_only ? 1 : that_fit(micro, 3 * sample_s, MICRO_S);
    run->network.model.x.n = out->n_samples;
    const c3d_status st = c3d_run_build_network(run, false);
    run->network.model.x.n = micro;
    C3D_TRY(st);
    if (out->forward_only)
        seconds = 3 * sample_s;
    else
        C3D_TRY(time_passes(&run->model, true, &seconds));
    out->micro_s = seconds * micro / out->n_samples;
    return C3D_OK;
}

static c3d_status time_computing(c3d_run *run, c3d_probe *out)
{
    double sample_s, scored_s;

    C3D_TRY(time_forward(run, 1, run->n_threads, &sample_s));
    scored_s = sample_s * run->n_threads / run->config->evaluation.threads;
    if (run->config->evaluation.threads != run->n_threads && sample_s < BLOCK_S)
        C3D_TRY(time_forward(run, 1, run->config->evaluation.threads, &scored_s));
    C3D_TRY(time_scoring(run, scored_s, out));
    return time_micro_batch(run, sample_s, out);
}

c3d_status c3d_probe_need(const c3d_run *run, double *bytes_per_s)
{
    const c3d_loader_desc loader = c3d_run_loader_desc(run);
    double seconds;
    int n = 1;

    C3D_TRY(time_forward(run, n, run->n_threads, &seconds));
    n = that_fit(run->config->train.micro_batch, seconds, NEED_S);
    if (n > 1) C3D_TRY(time_forward(run, n, run->n_threads, &seconds));
    *bytes_per_s = n * (double)c3d_loader_sample_bytes(&loader, &run->input) / (3 * seconds);
    return C3D_OK;
}

/* The slowest rank's times. */
static c3d_status over_ranks(const c3d_run *run, c3d_probe *p)
{
    double *const times[] = { &p->micro_s, &p->update_s, &p->sum_s, &p->block_s };

    for (size_t i = 0; i < C3D_COUNT(times); i++) {
        int64_t ns = (int64_t)(*times[i] * 1e9);
        C3D_TRY(c3d_comm_agree_max(run->comm, &ns));
        *times[i] = (double)ns * 1e-9;
    }
    return C3D_OK;
}

static c3d_status measure_reading(c3d_run *run, c3d_feed *feed)
{
    const c3d_loader_desc desc = c3d_run_loader_desc(run);
    double *store = &feed->speed[C3D_CONFIG_STAGE_NONE];

    C3D_TRY(c3d_comm_agree_status(run->comm, c3d_feed_read(run, &desc, store)));
    C3D_TRY(c3d_comm_sum_f64(run->comm, store, 1));
    return c3d_feed_try_copies(run, feed);
}

c3d_status c3d_probe_run(c3d_run *run, c3d_probe *out)
{
    c3d_probe p = { 0 };
    c3d_status st;

    if (run->dataset) C3D_TRY(measure_reading(run, &p.feed));
    st = c3d_comm_agree_status(run->comm, time_computing(run, &p));
    if (st == C3D_OK) st = c3d_run_open_comm(run);
    if (st == C3D_OK) st = c3d_comm_agree_status(run->comm, time_exchange(run, &p));
    if (st == C3D_OK) st = over_ranks(run, &p);
    if (st != C3D_OK) c3d_comm_give_up(run->comm);
    c3d_comm_close(run->comm);
    c3d_run_close_network(run);
    if (st == C3D_OK) *out = p;
    return st;
}
