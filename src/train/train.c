/* The training itself: epochs and the steps in flight; a step is in step.c. */
#include "train/forecast.h"
#include "train/meter.h"
#include "train/run.h"
#include "train/step.h"

#include <inttypes.h>

/* Steps that were begun and have not ended. With a depth of 1 a step ends before the next begins;
 * with 2 a device with a queue of its own has its next work before the host looks at the last. */
typedef struct flight {
    c3d_step steps[2]; /* step number n of the run is in n % 2 */
    int depth, n;
    bool is_stop_asked, is_save_asked; /* by the steps that ended since the last checkpoint */
    c3d_meter meter;
} flight;

static c3d_status open_flight(const c3d_run *run, flight *f)
{
    const bool has_queue = !run->backend.ops->host_memory;

    /* with loss scaling the host decides about every update */
    f->depth = has_queue && run->backend.options.precision != C3D_PRECISION_FP16 ? 2 : 1;
    for (int i = 0; i < 2; i++) C3D_TRY(c3d_step_open(run, C3D_TRAIN_HELD + 1 + i, &f->steps[i]));
    return C3D_OK;
}

static void close_flight(flight *f)
{
    for (int i = 0; i < 2; i++) c3d_step_close(&f->steps[i]);
}

/* A checkpoint asked for by its number of steps holds exactly those. */
static bool is_save_step(const c3d_run *run, int64_t step)
{
    const int64_t every = run->config->train.checkpoint_every_steps;

    return every > 0 && step % every == 0;
}

static bool may_begin(const c3d_run *run, const flight *f)
{
    const int64_t step = run->position.step + f->n, max = run->config->train.max_steps;

    if (f->n == f->depth || (max > 0 && step >= max)) return false;
    if (run->position.step_in_epoch + f->n >= c3d_loader_n_steps(run->loader)) return false;
    return f->n == 0 || !is_save_step(run, step);
}

static c3d_status begin_step(c3d_run *run, flight *f)
{
    c3d_position at = run->position;

    at.step += f->n;
    at.step_in_epoch += f->n;
    C3D_TRY(c3d_step_begin(run, &f->steps[at.step % 2], at, f->depth > 1));
    f->n++;
    return C3D_OK;
}

static c3d_status end_step(c3d_run *run, flight *f)
{
    c3d_step *s = &f->steps[run->position.step % 2];

    C3D_TRY(c3d_step_finish(run, s));
    f->n--;
    if (run->comm->rank == 0) c3d_meter_add(&f->meter, &s->row);
    f->is_stop_asked = f->is_stop_asked || s->sums->stop_votes > 0;
    f->is_save_asked = f->is_save_asked || s->sums->save_votes > 0;
    return C3D_OK;
}

static c3d_status end_all(c3d_run *run, flight *f)
{
    while (f->n > 0) C3D_TRY(end_step(run, f));
    return C3D_OK;
}

static c3d_status save(c3d_run *run, flight *f)
{
    f->is_save_asked = false;
    C3D_TRY(c3d_run_save(run, false));
    c3d_step_start_clock(run);
    return C3D_OK;
}

/* The rest of the epoch's steps, or as many as there are until the run is over or asked to stop. */
static c3d_status run_steps(c3d_run *run, flight *f, c3d_progress *progress)
{
    const int64_t n_steps = c3d_loader_n_steps(run->loader); /* the same on every rank */
    const double before = run->sums.n; /* scenes of the epoch seen before a resume */
    char why[C3D_WHY_MAX];

    while (run->position.step_in_epoch < n_steps) {
        while (may_begin(run, f)) C3D_TRY(begin_step(run, f));
        C3D_TRY(end_step(run, f));
        if (f->is_stop_asked || f->is_save_asked) C3D_TRY(end_all(run, f));
        c3d_progress_update(progress, run->sums.n - before);
        if (run->position.step_in_epoch == n_steps || f->is_stop_asked || c3d_run_is_over(run, why))
            break;
        if (f->is_save_asked || is_save_step(run, run->position.step)) C3D_TRY(save(run, f));
    }
    return C3D_OK;
}

static c3d_status train_epoch(c3d_run *run, flight *f)
{
    char label[64], why[C3D_WHY_MAX];
    c3d_progress progress;

    (void)snprintf(label, sizeof label, "epoch %" PRId64 "/%d", run->position.epoch + 1,
                   run->config->train.epochs);
    c3d_progress_begin(&progress, label, (double)run->train_list.n - run->sums.n, "scenes");
    progress.end_is_said = true; /* by the epoch's line */
    progress.look = c3d_meter_look;
    progress.context = &f->meter;
    C3D_TRY(c3d_loader_start(run->loader, run->position.epoch, run->position.step_in_epoch));
    run->n_given = 0;
    c3d_step_start_clock(run);
    C3D_TRY(run_steps(run, f, &progress));
    c3d_progress_end(&progress);
    if (run->position.step_in_epoch == c3d_loader_n_steps(run->loader))
        C3D_TRY(c3d_run_finish_epoch(run));
    else
        C3D_TRY(c3d_run_save(run, false));
    return f->is_stop_asked && !c3d_run_is_over(run, why) ? c3d_run_stopped(run) : C3D_OK;
}

c3d_status c3d_run_train(c3d_run *run)
{
    flight f = { 0 };
    c3d_status st = C3D_OK;
    char why[C3D_WHY_MAX];

    if (run->finished) {
        (void)c3d_run_is_over(run, why);
        c3d_log_run("%s: this run is finished (epoch %" PRId64 ", step %" PRId64
                    "): %s; nothing to do",
                    run->dir, run->position.epoch, run->position.step, why);
        return C3D_OK;
    }
    st = open_flight(run, &f);
    run->saved_s = c3d_now_s();
    c3d_meter_begin(&f.meter, run);
    while (st == C3D_OK && !c3d_run_is_over(run, why)) st = train_epoch(run, &f);
    if (st == C3D_OK) st = c3d_checkpoint_wait(run);
    close_flight(&f);
    c3d_forecast_say(run);
    if (st == C3D_OK && run->position.epoch < run->config->train.epochs)
        c3d_log_run("%s: ended after step %" PRId64 ": %s", run->dir, run->position.step, why);
    return st;
}
