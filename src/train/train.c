/* The training itself: epochs, steps, micro-batches. */
#include "train/forecast.h"
#include "train/optimizer.h"
#include "train/records.h"
#include "train/run.h"
#include "train/schedule.h"
#include "train/step.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Counts as doubles, to be summed over ranks and steps. */
static void add_counts(const c3d_counts *counts, int n_outputs, double *sums)
{
    for (int k = 0; k < n_outputs; k++, sums += 4) {
        sums[0] += (double)counts[k].tp;
        sums[1] += (double)counts[k].fp;
        sums[2] += (double)counts[k].tn;
        sums[3] += (double)counts[k].fn;
    }
}

static void count_batch(const c3d_run *run, const c3d_batch *batch, int micro, c3d_step *s)
{
    const c3d_samples *rows = c3d_dataset_get_samples(run->dataset);
    const int stride = run->config->train.micro_batch * run->comm->n_ranks;
    const int64_t first =
        (int64_t)micro * stride + (int64_t)run->comm->rank * run->config->train.micro_batch;
    const int n_outputs = run->config->model.outputs;

    for (int i = 0; i < batch->n; i++) {
        s->sums->loss += (double)run->losses[i];
        s->sums->n_bad += !isfinite(run->losses[i]);
        s->samples[s->n_samples++] = (c3d_step_sample){
            .position = first + i,
            .sample_id = rows->rows[batch->index[i]].sample_id,
            .frame_id = rows->rows[batch->index[i]].frame_id,
            .is_bad = !isfinite(run->losses[i]),
        };
    }
    s->sums->n += batch->n;
    c3d_counts_of(run->scores, batch->labels, (size_t)batch->n, n_outputs,
                  run->config->evaluation.threshold, s->counts);
    add_counts(s->counts, n_outputs, s->sums->counts);
}

c3d_status c3d_step_run_micro_batch(c3d_run *run, const c3d_batch *batch, int micro)
{
    const c3d_input input = {
        .values = batch->values,
        .dtype = c3d_dataset_get_info(run->dataset)->dtype,
        .n_samples = batch->n,
        .mean = run->network.mean,
        .scale = run->network.scale,
        .symmetry = batch->symmetry,
        .gain = batch->gain,
        .offset = batch->offset,
        .month_from = batch->month_from,
    };
    const c3d_pass pass = {
        .training = true,
        .n_samples = batch->n,
        .seed = (uint64_t)run->config->data.seed,
        .row_keys = batch->row_keys,
        .accumulate = micro > 0,
    };
    const c3d_loss loss = {
        .n_samples = batch->n,
        .labels = batch->labels,
        .weights = batch->weights,
        .focal_gamma = run->network.focal_gamma,
        .grad_scale = 1.0F / (float)batch->n_global,
        .losses = run->losses,
        .scores = run->scores,
        .with_grad = true,
    };

    C3D_TRY(c3d_model_load(&run->model, &input));
    C3D_TRY(c3d_model_forward(&run->model, &pass));
    C3D_TRY(c3d_model_loss(&run->model, &loss));
    C3D_TRY(c3d_model_backward(&run->model, &pass, NULL));
    return run->backend.ops->sync(&run->backend);
}

/* A rank without a micro-batch in the last, short step adds nothing. */
static c3d_status zero_gradients(c3d_run *run)
{
    static const float zeros[4096];
    const size_t n = run->model.n_arena;

    for (size_t at = 0; at < n; at += C3D_COUNT(zeros)) {
        const size_t count = n - at < C3D_COUNT(zeros) ? n - at : C3D_COUNT(zeros);
        C3D_TRY(run->backend.ops->upload(&run->backend, run->model.grad + at, zeros,
                                         count * sizeof(float)));
    }
    return C3D_OK;
}

static c3d_status run_micro_batches(c3d_run *run, c3d_step *s)
{
    const int n_micro = c3d_loader_n_micro(run->loader, run->position.step_in_epoch);
    c3d_batch batch;

    memset(s->sums, 0, s->n_sums * sizeof(double));
    s->n_samples = 0;
    c3d_running_begin(&s->running);
    for (int micro = 0; micro < n_micro; micro++) {
        C3D_TRY(c3d_loader_next(run->loader, &batch));
        C3D_TRY(c3d_step_run_micro_batch(run, &batch, micro));
        C3D_TRY(c3d_running_keep(run, &s->running, micro));
        count_batch(run, &batch, micro, s);
    }
    return n_micro == 0 ? zero_gradients(run) : C3D_OK;
}

/* The gradients become sums over all ranks, bucket by bucket. */
static c3d_status reduce_gradients(c3d_run *run, c3d_step *s)
{
    const size_t n = run->model.n_arena, bucket = c3d_bucket_floats(run);
    double squares;

    for (size_t begin = 0; begin < n; begin += bucket) {
        const size_t count = n - begin < bucket ? n - begin : bucket;
        C3D_TRY(run->comm->ops->sum(run->comm, run->model.grad + begin, count));
    }
    C3D_TRY(run->comm->ops->wait(run->comm));
    C3D_TRY(c3d_optimizer_measure(run));
    C3D_TRY(run->backend.ops->download(&run->backend, &squares, run->optimizer.squares,
                                       sizeof squares));
    s->grad_norm = sqrt(squares);
    return C3D_OK;
}

static void add_to_epoch(c3d_run *run, const c3d_step *s, double seconds)
{
    run->sums.loss += s->sums->loss;
    run->sums.n += s->sums->n;
    for (int i = 0; i < 4 * run->config->model.outputs; i++)
        run->sums.counts[i] += s->sums->counts[i];
    run->sums.seconds += seconds;
}

static c3d_status record_step(c3d_run *run, const c3d_step *s, double seconds)
{
    if (run->config->run.log_samples) {
        c3d_step_sample *all = NULL;
        size_t n = 0;
        C3D_TRY(c3d_step_gather(run, s, &all, &n));
        int64_t *ids = all ? c3d_calloc(n, sizeof *ids) : NULL;
        for (size_t i = 0; ids && i < n; i++) ids[i] = all[i].sample_id;
        if (ids) c3d_records_samples(run->records, run->position.step, ids, n);
        free(ids);
        free(all);
    }
    if (run->comm->rank != 0) return C3D_OK;
    const c3d_step_record row = {
        .step = run->position.step,
        .epoch = run->position.epoch + 1,
        .loss = s->sums->loss / s->sums->n,
        .learning_rate = s->rate,
        .grad_norm = s->grad_norm,
        .seconds = seconds,
        .n = (int64_t)s->sums->n,
    };
    c3d_records_step(run->records, &row);
    return C3D_OK;
}

static bool is_save_time(const c3d_run *run)
{
    const double every_s = run->config->train.checkpoint_every_s;

    return run->comm->rank == 0 && every_s > 0 && c3d_now_s() - run->saved_s >= every_s;
}

/* One step: the ranks' micro-batches, the sum of their gradients, one update. */
static c3d_status train_step(c3d_run *run, c3d_step *s)
{
    const double start_s = c3d_now_s();
    bool is_finite;

    C3D_TRY(run_micro_batches(run, s));
    s->sums->stop_votes = c3d_stop_requested();
    s->sums->save_votes = is_save_time(run);
    C3D_TRY(c3d_comm_sum_f64(run->comm, (double *)s->sums, s->n_sums));
    if (s->sums->n_bad > 0) return c3d_step_diverged(run, s);
    C3D_TRY(reduce_gradients(run, s));
    if (!isfinite(s->grad_norm)) return c3d_step_diverged(run, s);
    C3D_TRY(c3d_running_merge(run, &s->running, (int)s->sums->n, &is_finite));
    if (!is_finite) return c3d_step_diverged(run, s);
    s->rate = c3d_schedule_rate(run->config, c3d_run_n_steps(run), run->position.step);
    C3D_TRY(c3d_optimizer_step(run, s->rate));

    run->position.step++;
    run->position.step_in_epoch++;
    add_to_epoch(run, s, c3d_now_s() - start_s);
    return record_step(run, s, c3d_now_s() - start_s);
}

/* After a step, where the epoch goes on. */
static bool is_checkpoint_due(const c3d_run *run, const c3d_step *s)
{
    const int64_t every = run->config->train.checkpoint_every_steps;

    return s->sums->save_votes > 0 || (every > 0 && run->position.step % every == 0);
}

static c3d_status train_epoch(c3d_run *run, c3d_step *s)
{
    const c3d_config *config = run->config;
    const int64_t n_steps = c3d_loader_n_steps(run->loader); /* the same on every rank */
    const double before = run->sums.n; /* scenes of the epoch seen before a resume */
    char label[64];
    c3d_progress progress;
    char why[C3D_WHY_MAX];

    (void)snprintf(label, sizeof label, "epoch %" PRId64 "/%d", run->position.epoch + 1,
                   config->train.epochs);
    c3d_progress_begin(&progress, label, (double)run->train_list.n - before, "scenes");
    progress.end_is_said = true; /* by the epoch's line */
    C3D_TRY(c3d_loader_start(run->loader, run->position.epoch, run->position.step_in_epoch));
    while (run->position.step_in_epoch < n_steps) {
        C3D_TRY(train_step(run, s));
        c3d_progress_update(&progress, run->sums.n - before);
        if (run->position.step_in_epoch == n_steps || s->sums->stop_votes > 0 ||
            c3d_run_is_over(run, why))
            break;
        if (is_checkpoint_due(run, s)) C3D_TRY(c3d_run_save(run));
    }
    c3d_progress_end(&progress);
    if (run->position.step_in_epoch == n_steps)
        C3D_TRY(c3d_run_finish_epoch(run));
    else
        C3D_TRY(c3d_run_save(run));
    return s->sums->stop_votes > 0 && !c3d_run_is_over(run, why) ? c3d_run_stopped(run) : C3D_OK;
}

static c3d_status open_step(const c3d_run *run, c3d_step *s)
{
    const size_t n_outputs = (size_t)run->config->model.outputs;

    s->n_sums = sizeof(c3d_step_sums) / sizeof(double) + 4 * n_outputs;
    s->sums = c3d_calloc(s->n_sums, sizeof(double));
    s->counts = c3d_calloc(n_outputs, sizeof *s->counts);
    s->samples = c3d_calloc((size_t)run->config->train.global_batch, sizeof *s->samples);
    if (!s->sums || !s->counts || !s->samples) return C3D_ENOMEM;
    return c3d_running_open(run, &s->running);
}

static void close_step(c3d_step *s)
{
    free(s->sums);
    free(s->counts);
    free(s->samples);
    c3d_running_close(&s->running);
}

c3d_status c3d_run_train(c3d_run *run)
{
    c3d_step s = { 0 };
    c3d_status st = C3D_OK;
    char why[C3D_WHY_MAX];

    if (run->finished) {
        (void)c3d_run_is_over(run, why);
        c3d_log_run("%s: this run is finished (epoch %" PRId64 ", step %" PRId64
                    "): %s; nothing to do",
                    run->dir, run->position.epoch, run->position.step, why);
        return C3D_OK;
    }
    st = open_step(run, &s);
    run->saved_s = c3d_now_s();
    while (st == C3D_OK && !c3d_run_is_over(run, why)) st = train_epoch(run, &s);
    close_step(&s);
    c3d_forecast_say(run);
    if (st == C3D_OK && run->position.epoch < run->config->train.epochs)
        c3d_log_run("%s: ended after step %" PRId64 ": %s", run->dir, run->position.step, why);
    return st;
}
