#include "train/step.h"

#include "train/cost.h"
#include "train/optimizer.h"
#include "train/ordered.h"
#include "train/records.h"
#include "train/run.h"
#include "train/saver.h"
#include "train/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

c3d_status c3d_step_open(const c3d_run *run, int mark, c3d_step *s)
{
    const size_t n = (size_t)run->config->train.global_batch;
    const size_t n_outputs = (size_t)run->config->model.outputs;

    *s = (c3d_step){ .mark = mark };
    s->n_sums = sizeof(c3d_step_sums) / sizeof(double) + 4 * n_outputs;
    if (c3d_is_ordered(run)) s->n_sums += n; /* losses */
    s->sums = c3d_calloc(s->n_sums, sizeof(double));
    s->counts = c3d_calloc(n_outputs, sizeof *s->counts);
    s->samples = c3d_calloc(n, sizeof *s->samples);
    s->labels = c3d_calloc(n, sizeof *s->labels);
    s->losses = c3d_calloc(n, sizeof *s->losses);
    s->scores = c3d_calloc(n * n_outputs, sizeof *s->scores);
    if (!s->sums || !s->counts || !s->samples || !s->labels || !s->losses || !s->scores)
        return C3D_ENOMEM;
    return c3d_running_open(run, &s->running);
}

void c3d_step_close(c3d_step *s)
{
    free(s->sums);
    free(s->counts);
    free(s->samples);
    free(s->labels);
    free(s->losses);
    free(s->scores);
    c3d_running_close(&s->running);
}

c3d_status c3d_run_await(c3d_run *run, int mark)
{
    static const struct timespec nap = { .tv_nsec = 20000 };
    bool done = false;

    C3D_TRY(run->backend.ops->reached(&run->backend, mark, &done));
    while (!done) {
        C3D_TRY(run->comm->ops->poll(run->comm));
        (void)nanosleep(&nap, NULL);
        C3D_TRY(run->backend.ops->reached(&run->backend, mark, &done));
    }
    return C3D_OK;
}

c3d_status c3d_run_settle(c3d_run *run)
{
    const int mark = C3D_MARKS - 1;

    C3D_TRY(run->backend.ops->mark(&run->backend, mark));
    return c3d_run_await(run, mark);
}

/* ---- the beginning: work for the device ------------------------------------------------------ */

/* A device with a queue tells its own time. */
static c3d_status load(c3d_run *run, const c3d_input *input)
{
    const double begun_s = c3d_now_s();

    C3D_TRY(c3d_model_load(&run->model, input));
    if (run->backend.ops->host_memory) run->backend.copied_s += c3d_now_s() - begun_s;
    return C3D_OK;
}

c3d_status c3d_step_run_micro_batch(c3d_run *run, const c3d_batch *batch, const c3d_micro *micro)
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
        .accumulate = micro->accumulate,
    };
    const c3d_loss loss = {
        .n_samples = batch->n,
        .labels = batch->labels,
        .weights = batch->weights,
        .focal_gamma = run->network.focal_gamma,
        .grad_scale = (float)(run->optimizer.loss_scale / batch->n_global),
        .losses = micro->losses,
        .scores = micro->scores,
        .with_grad = true,
    };

    C3D_TRY(load(run, &input));
    C3D_TRY(c3d_model_forward(&run->model, &pass));
    C3D_TRY(c3d_model_loss(&run->model, &loss));
    return c3d_model_backward(&run->model, &pass, micro->hook);
}

/* Sums of gradients over ranks, a bucket as soon as its last gradient is ready. */
typedef struct buckets {
    c3d_run *run;
    c3d_cut cut;
    size_t n_sent; /* pieces of it */
    int64_t step;  /* from 1 */
} buckets;

static c3d_status send_ready(void *context, size_t begin, size_t end)
{
    buckets *b = context;

    (void)begin; /* the arena lies in the order in which backward comes to it */
    for (; b->n_sent < b->cut.n_pieces; b->n_sent++) {
        const c3d_piece piece = c3d_cut_piece(&b->cut, b->n_sent);
        if (piece.begin + piece.n > end) break;
        c3d_phase_set(C3D_PHASE_SUMMING, (int64_t)b->n_sent + 1, b->step);
        C3D_TRY(c3d_optimizer_reduce(b->run, &piece));
    }
    return C3D_OK;
}

/* What the end of the step will want to know of the batch, which is gone by then. */
static void remember(const c3d_run *run, const c3d_batch *batch, int micro, c3d_step *s)
{
    const c3d_samples *rows = c3d_dataset_get_samples(run->dataset);
    const int64_t first = (int64_t)c3d_loader_micro(run->loader, s->at.step_in_epoch, micro) *
                          run->config->train.micro_batch;

    for (int i = 0; i < batch->n; i++, s->n_samples++) {
        const c3d_sample *row = &rows->rows[batch->index[i]];

        s->labels[s->n_samples] = batch->labels[i];
        s->samples[s->n_samples] = (c3d_step_sample){ .position = first + i,
                                                      .sample_id = row->sample_id,
                                                      .frame_id = row->frame_id };
    }
}

/* The next batch takes the place of one that the device may still be reading. */
static c3d_status next_batch(c3d_run *run, const c3d_step *s, c3d_batch *batch, int *mark_out)
{
    c3d_phase_set(C3D_PHASE_READING, c3d_loader_next_sample(run->loader), s->at.step + 1);
    *mark_out = (int)(run->n_given++ % (C3D_TRAIN_HELD + 1));
    if (run->n_given > C3D_TRAIN_HELD + 1) C3D_TRY(c3d_run_await(run, *mark_out));
    return c3d_loader_next(run->loader, batch);
}

static c3d_status run_micro_batches(c3d_run *run, c3d_step *s)
{
    const int n_micro = c3d_loader_n_micro(run->loader, s->at.step_in_epoch);
    const bool adds_up = !c3d_is_ordered(run);
    const size_t n_outputs = (size_t)run->config->model.outputs;
    const double waited_s = c3d_loader_waited_s(run->loader);
    buckets sent = { .run = run,
                     .cut = c3d_optimizer_cut(run, run->model.n_arena),
                     .step = s->at.step + 1 };
    const c3d_grad_hook hook = { send_ready, &sent };
    c3d_batch batch;
    int mark;

    c3d_ordered_begin(run, c3d_loader_n_micro_global(run->loader, s->at.step_in_epoch));
    for (int micro = 0; micro < n_micro; micro++) {
        C3D_TRY(next_batch(run, s, &batch, &mark));
        c3d_phase_set(C3D_PHASE_COMPUTING, micro + 1, s->at.step + 1);
        const c3d_micro to = { .accumulate = adds_up && micro > 0,
                               .losses = s->losses + s->n_samples,
                               .scores = s->scores + s->n_samples * n_outputs,
                               .hook = micro == n_micro - 1 ? &hook : NULL };
        C3D_TRY(c3d_step_run_micro_batch(run, &batch, &to));
        C3D_TRY(c3d_ordered_keep(run, micro, n_micro));
        C3D_TRY(c3d_running_keep(run, &s->running));
        C3D_TRY(run->backend.ops->mark(&run->backend, mark));
        remember(run, &batch, micro, s);
    }
    s->waited_s = c3d_loader_waited_s(run->loader) - waited_s;
    if (n_micro > 0) return C3D_OK;
    /* a rank without a micro-batch in the last, short step adds nothing */
    const size_t n = run->model.n_arena;
    C3D_TRY(run->backend.ops->zero(&run->backend, run->model.grad, n * sizeof(float)));
    return send_ready(&sent, 0, n);
}

c3d_status c3d_step_begin(c3d_run *run, c3d_step *s, c3d_position at, bool in_flight)
{
    s->at = at;
    s->n_samples = 0;
    s->is_updated = in_flight;
    s->loss_scale = run->optimizer.loss_scale;
    c3d_running_begin(&s->running);
    C3D_TRY(run_micro_batches(run, s));
    C3D_TRY(run->comm->ops->wait(run->comm));
    C3D_TRY(c3d_optimizer_measure(run));
    C3D_TRY(run->backend.ops->read(&run->backend, &s->squares, run->optimizer.squares,
                                   sizeof s->squares));
    s->rate = c3d_schedule_rate(run->config, c3d_run_n_steps(run), at.step);
    if (in_flight) C3D_TRY(c3d_optimizer_step(run, s->rate, (float)(1 / s->loss_scale)));
    return run->backend.ops->mark(&run->backend, s->mark);
}

/* ---- the end: what came out ------------------------------------------------------------------ */

/* Counts as doubles, to be summed over ranks and steps. */
static void put_counts(const c3d_counts *counts, int n_outputs, double *sums)
{
    for (int k = 0; k < n_outputs; k++, sums += 4) {
        sums[0] = (double)counts[k].tp;
        sums[1] = (double)counts[k].fp;
        sums[2] = (double)counts[k].tn;
        sums[3] = (double)counts[k].fn;
    }
}

/* A save that failed meanwhile is one to be looked at, too. */
static bool is_save_time(const c3d_run *run)
{
    const double every_s = run->config->train.checkpoint_every_s;

    if (c3d_saver_has_failed(run->saver)) return true;
    return run->comm->rank == 0 && every_s > 0 && c3d_now_s() - run->saved_s >= every_s;
}

/* Room for the loss of every sample of the global batch, or NULL. */
static double *losses_of(const c3d_run *run, const c3d_step *s)
{
    return c3d_is_ordered(run) ? s->sums->counts + 4 * run->config->model.outputs : NULL;
}

/* Each loss was put into its place by one rank. */
static void add_losses_in_order(const c3d_run *run, c3d_step *s)
{
    const double *losses = losses_of(run, s);

    if (!losses) return;
    s->sums->loss = 0;
    for (int i = 0; i < run->config->train.global_batch; i++) s->sums->loss += losses[i];
}

static void sum_up(const c3d_run *run, c3d_step *s)
{
    const int n_outputs = run->config->model.outputs;
    double *losses = losses_of(run, s);

    memset(s->sums, 0, s->n_sums * sizeof(double));
    for (size_t i = 0; i < s->n_samples; i++) {
        s->samples[i].is_bad = !isfinite(s->losses[i]);
        s->sums->loss += (double)s->losses[i];
        if (losses) losses[s->samples[i].position] = (double)s->losses[i];
        s->sums->n_bad += s->samples[i].is_bad;
    }
    s->sums->n = (double)s->n_samples;
    s->sums->stop_votes = c3d_stop_requested();
    s->sums->save_votes = is_save_time(run);
    c3d_counts_of(s->scores, s->labels, s->n_samples, n_outputs, run->config->evaluation.threshold,
                  s->counts);
    put_counts(s->counts, n_outputs, s->sums->counts);
}

void c3d_step_start_clock(c3d_run *run)
{
    run->step_ended_s = c3d_now_s();
    run->comm_seen = run->comm->times;
    run->copied_seen_s = run->backend.copied_s;
    run->agreed_s = 0;
}

/* What a step took since the one before ended; the two may have overlapped. */
static c3d_step_times times_of(c3d_run *run, const c3d_step *s)
{
    const double ended_s = run->step_ended_s, copied_s = run->copied_seen_s;
    const double agreed_s = run->agreed_s;
    const c3d_comm_times before = run->comm_seen;

    c3d_step_start_clock(run);
    c3d_step_times t = { .seconds = run->step_ended_s - ended_s,
                         .waited_s = s->waited_s,
                         .copied_s = run->copied_seen_s - copied_s,
                         .comm = { .busy_s = run->comm_seen.busy_s - before.busy_s,
                                   .waited_s = run->comm_seen.waited_s - before.waited_s } };
    t.reduced_s = t.comm.waited_s + agreed_s;
    t.computed_s = fmax(0, t.seconds - t.waited_s - t.copied_s - t.reduced_s);
    return t;
}

static void add_to_epoch(c3d_run *run, const c3d_step *s, const c3d_step_times *took)
{
    run->sums.loss += s->sums->loss;
    run->sums.n += s->sums->n;
    for (int i = 0; i < 4 * run->config->model.outputs; i++)
        run->sums.counts[i] += s->sums->counts[i];
    run->sums.seconds += took->seconds;
    run->comm_epoch.busy_s += took->comm.busy_s;
    run->comm_epoch.waited_s += took->comm.waited_s;
    c3d_cost_add(run, s->sums->n, took->seconds);
}

/* Two a multiply-add, forward and both ways back, but for the first layer's to the input. */
static double flop_a_sample(const c3d_shape_table *table)
{
    return 6.0 * (double)table->multiply_adds - 2.0 * (double)table->layers[0].multiply_adds;
}

static c3d_step_record row_of(const c3d_run *run, const c3d_step *s, const c3d_step_times *took)
{
    const double flop_per_s = s->sums->n * flop_a_sample(&run->model.table) / took->seconds;
    const double peak = run->backend.peak_flop_per_s * run->comm->n_ranks;

    return (c3d_step_record){
        .step = run->position.step,
        .epoch = run->position.epoch + 1,
        .loss = s->sums->loss / s->sums->n,
        .learning_rate = s->rate,
        .grad_norm = s->grad_norm,
        .n = (int64_t)s->sums->n,
        .times = *took,
        .flop_per_s = flop_per_s,
        .peak_share = peak > 0 && !run->comm->shares_gpu ? flop_per_s / peak : (double)NAN,
    };
}

static c3d_status record(c3d_run *run, c3d_step *s, const c3d_step_times *took)
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
    s->row = row_of(run, s, took);
    c3d_records_step(run->records, &s->row);
    c3d_saver_look(run->saver, took->seconds);
    return C3D_OK;
}

/* What the ranks tell each other of the step; who waits here waits for a slower one. */
static c3d_status agree(c3d_run *run, c3d_step *s)
{
    const double begun_s = c3d_now_s();

    C3D_TRY(c3d_comm_sum_f64(run->comm, (double *)s->sums, s->n_sums));
    /* on a device with a queue it goes on computing meanwhile */
    if (run->backend.ops->host_memory) run->agreed_s += c3d_now_s() - begun_s;
    return C3D_OK;
}

c3d_status c3d_step_finish(c3d_run *run, c3d_step *s)
{
    bool is_finite;

    c3d_phase_set(C3D_PHASE_ENDING_STEP, s->at.step + 1, 0);
    C3D_TRY(c3d_run_await(run, s->mark));
    sum_up(run, s);
    C3D_TRY(agree(run, s));
    add_losses_in_order(run, s);
    s->grad_norm = sqrt(s->squares) / s->loss_scale;
    if (s->sums->n_bad > 0) return c3d_step_diverged(run, s);
    const bool is_left_out = c3d_loss_scale_see(run, isfinite(s->grad_norm));
    if (is_left_out && run->comm->rank == 0)
        c3d_log_warn("step %lld: a gradient is not finite at a loss scale of %g; the step is left "
                     "out and the scale halved (fp16)",
                     (long long)run->position.step + 1, s->loss_scale);
    if (!isfinite(s->grad_norm) && !is_left_out) return c3d_step_diverged(run, s);
    C3D_TRY(c3d_running_merge(run, &s->running, (int)s->sums->n, &is_finite));
    if (!is_finite) return c3d_step_diverged(run, s);
    if (!s->is_updated && !is_left_out)
        C3D_TRY(c3d_optimizer_step(run, s->rate, (float)(1 / s->loss_scale)));

    run->position.step++;
    run->position.step_in_epoch++;
    const c3d_step_times took = times_of(run, s);
    add_to_epoch(run, s, &took);
    return record(run, s, &took);
}
