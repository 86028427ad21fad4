#include "train/saver.h"

#include "train/checkpoint.h"
#include "train/cost.h"
#include "train/optimizer.h"
#include "train/plan.h"
#include "train/records.h"
#include "train/run.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* Of the thread while it writes, of the main thread else. */
typedef struct written {
    const char *dir; /* of the run */
    int keep_last;
    int64_t keep_every;                   /* steps; 0: none */
    c3d_tensor_writer *best, *checkpoint; /* best: NULL for none */
    c3d_text cost;                        /* cost.json */
    double seconds;                       /* it took */
} written;

/* What c3d_saver_look says; reset by it. */
typedef struct unsaid {
    int n;
    int64_t step; /* of the last one */
    double copy_s, write_s, wait_s;
} unsaid;

struct c3d_saver {
    const c3d_run *run;
    c3d_background *thread;
    float *values; /* parameters, m, v, each in canonical order; running statistics */
    double *sums;
    size_t n_params, n_running, n_sums;
    written job;
    bool is_counted; /* what the thread wrote is among the unsaid */
    unsaid unsaid;
    int64_t step;          /* of what is being written */
    double copy_s, wait_s; /* likewise */
    double said_s;
    double lead_s; /* 0: not known, or its warning was said */
    double save_s; /* longest time to copy and write */
    double step_s; /* longest step */
};

static size_t count_params(const c3d_model *model)
{
    size_t n = 0;

    for (int p = 0; p < model->n_params; p++) n += model->params[p].n;
    return n;
}

uint64_t c3d_saver_bytes(const c3d_run *run)
{
    if (run->comm->rank != 0) return 0;
    return (3 * count_params(&run->model) + run->model.n_stats) * sizeof(float);
}

static double lead_from_environment(void)
{
    const char *text = getenv("C3D_SIGNAL_LEAD_S");
    double seconds;

    if (!text || !text[0]) return 0;
    if (c3d_parse_real(text, &seconds) && seconds >= 0 && isfinite(seconds)) return seconds;
    c3d_log_warn("C3D_SIGNAL_LEAD_S is \"%s\", no number of seconds: it is not looked at", text);
    return 0;
}

c3d_status c3d_saver_create(const c3d_run *run, c3d_saver **out)
{
    c3d_saver *self = c3d_calloc(1, sizeof *self);

    if (!self) return C3D_ENOMEM;
    self->run = run;
    self->n_params = count_params(&run->model);
    self->n_running = run->model.n_stats;
    self->n_sums = c3d_epoch_sums_n(run);
    self->said_s = -INFINITY;
    self->lead_s = lead_from_environment();
    self->values = c3d_aligned((size_t)c3d_saver_bytes(run));
    self->sums = c3d_calloc(self->n_sums, sizeof *self->sums);
    c3d_status st = self->values && self->sums ? C3D_OK : C3D_ENOMEM;
    if (st == C3D_OK) st = c3d_background_create(&self->thread);
    if (st == C3D_OK)
        *out = self;
    else
        c3d_saver_destroy(self);
    return st;
}

static void forget_job(c3d_saver *self)
{
    c3d_tensor_writer_discard(self->job.best);
    c3d_tensor_writer_discard(self->job.checkpoint);
    c3d_text_free(&self->job.cost);
    self->job = (written){ 0 };
}

/* ---- the copy -------------------------------------------------------------------------------- */

static c3d_status copy_arena(c3d_run *run, const float *arena, float *to)
{
    for (int p = 0; p < run->model.n_params; p++) {
        C3D_TRY(c3d_model_export(&run->model, p, arena, to));
        to += run->model.params[p].n;
    }
    return C3D_OK;
}

static c3d_status begin_files(c3d_run *run, bool is_best, written *job)
{
    char dir[C3D_PATH_MAX], path[C3D_PATH_MAX], name[64];

    *job =
        (written){ .dir = run->dir,
                   .keep_last = run->config->train.keep_last,
                   .keep_every = run->config->train.keep_every * c3d_loader_n_steps(run->loader) };
    C3D_TRY(c3d_path_join(dir, run->dir, "checkpoints"));
    C3D_TRY(c3d_make_dirs(dir));
    (void)snprintf(name, sizeof name, "step-%08" PRId64 ".safetensors", run->position.step);
    C3D_TRY(c3d_path_join(path, dir, name));
    C3D_TRY(c3d_checkpoint_begin(run, path, true, &job->checkpoint));
    if (!is_best) return C3D_OK;
    C3D_TRY(c3d_path_join(path, run->dir, "best.safetensors"));
    return c3d_checkpoint_begin(run, path, false, &job->best);
}

/* All but the moments. */
static c3d_status begin_copy(c3d_run *run, bool is_best)
{
    c3d_saver *self = run->saver;

    self->step = run->position.step;
    C3D_TRY(begin_files(run, is_best, &self->job));
    c3d_cost_print(run, &self->job.cost);
    C3D_TRY(copy_arena(run, run->model.param, self->values));
    for (int r = 0; r < run->model.n_running; r++) {
        const c3d_running *running = &run->model.running[r];
        for (size_t i = 0; i < running->n; i++)
            self->values[3 * self->n_params + running->offset + i] =
                run->model.host_stats[running->offset + i];
    }
    c3d_epoch_sums_pack(run, self->sums);
    return C3D_OK;
}

/* ---- the thread's part ----------------------------------------------------------------------- */

static c3d_status put_params(const c3d_saver *self, c3d_tensor_writer *w, int arena)
{
    const c3d_model *model = &self->run->model;
    const float *from = self->values + (size_t)arena * self->n_params;

    for (int p = 0; p < model->n_params; p++) {
        C3D_TRY(c3d_tensor_writer_put(w, from, model->params[p].n * sizeof *from));
        from += model->params[p].n;
    }
    return C3D_OK;
}

static c3d_status put_running(const c3d_saver *self, c3d_tensor_writer *w)
{
    const c3d_model *model = &self->run->model;

    for (int r = 0; r < model->n_running; r++)
        C3D_TRY(c3d_tensor_writer_put(w,
                                      self->values + 3 * self->n_params + model->running[r].offset,
                                      model->running[r].n * sizeof *self->values));
    return C3D_OK;
}

static c3d_status commit(c3d_tensor_writer **w)
{
    c3d_tensor_writer *ended = *w;

    *w = NULL;
    return c3d_tensor_writer_commit(ended);
}

static c3d_status write_best(c3d_saver *self)
{
    C3D_TRY(put_params(self, self->job.best, 0));
    C3D_TRY(put_running(self, self->job.best));
    return commit(&self->job.best);
}

static c3d_status write_files(c3d_saver *self)
{
    written *job = &self->job;

    if (job->best) C3D_TRY(write_best(self));
    for (int arena = 0; arena < 3; arena++) C3D_TRY(put_params(self, job->checkpoint, arena));
    C3D_TRY(put_running(self, job->checkpoint));
    C3D_TRY(c3d_tensor_writer_put(job->checkpoint, self->sums, self->n_sums * sizeof *self->sums));
    if (self->run->records) C3D_TRY(c3d_records_sync(self->run->records)); /* they reach its step */
    C3D_TRY(commit(&job->checkpoint));
    C3D_TRY(c3d_cost_write(job->dir, &job->cost));
    return c3d_checkpoint_prune(job->dir, job->keep_last, job->keep_every);
}

static c3d_status write_job(void *context)
{
    c3d_saver *self = context;
    const double began_s = c3d_now_s();
    const c3d_status st = write_files(self);

    self->job.seconds = c3d_now_s() - began_s;
    return st;
}

/* ---- what is said ---------------------------------------------------------------------------- */

bool c3d_saver_has_failed(const c3d_saver *self)
{
    return self && c3d_background_has_failed(self->thread);
}

static void count(c3d_saver *self)
{
    unsaid *u = &self->unsaid;

    if (self->is_counted) return;
    self->is_counted = true;
    u->n++;
    u->step = self->step;
    u->copy_s = fmax(u->copy_s, self->copy_s);
    u->write_s = fmax(u->write_s, self->job.seconds);
    u->wait_s += self->wait_s;
    self->save_s = fmax(self->save_s, self->copy_s + self->job.seconds);
}

static void say(c3d_saver *self)
{
    const unsaid *u = &self->unsaid;
    c3d_text line = { 0 };
    char size[32];

    if (u->n == 0) return;
    (void)c3d_plan_bytes((double)c3d_saver_bytes(self->run), size);
    if (u->n == 1)
        c3d_text_add(&line,
                     "checkpoint of step %" PRId64 ": %s, copied in %.2f s, written in %.2f s",
                     u->step, size, u->copy_s, u->write_s);
    else
        c3d_text_add(&line,
                     "%d checkpoints up to step %" PRId64
                     ": %s each, copied in %.2f s at most, written in %.2f s",
                     u->n, u->step, size, u->copy_s, u->write_s);
    if (u->wait_s >= 0.01) c3d_text_add(&line, "; waited for %.2f s", u->wait_s);
    c3d_log_run("%s", line.text);
    c3d_text_free(&line);
    self->unsaid = (unsaid){ 0 };
    self->said_s = c3d_now_s();
}

static void say_if_due(c3d_saver *self)
{
    if (c3d_now_s() - self->said_s >= self->run->config->run.log_every_s) say(self);
}

/* The signal may come just after a save began: that one ends, and then the run is saved again. */
static void compare_lead(c3d_saver *self)
{
    const double needed_s = 2 * self->save_s + self->step_s;

    if (self->lead_s <= 0 || self->save_s <= 0 || self->lead_s >= needed_s) return;
    c3d_log_warn("the job is told to stop %.3g s before its end (C3D_SIGNAL_LEAD_S), but a "
                 "checkpoint took %.2f s and a step %.2f s: it may be killed before it has saved; "
                 "ask for %.0f s or more (--signal)",
                 self->lead_s, self->save_s, self->step_s, ceil(needed_s));
    self->lead_s = 0;
}

void c3d_saver_look(c3d_saver *self, double step_s)
{
    if (!self) return;
    self->step_s = fmax(self->step_s, step_s);
    if (!c3d_background_is_done(self->thread) || c3d_background_has_failed(self->thread)) return;
    count(self);
    say_if_due(self);
    compare_lead(self);
}

/* The watch gives who saves more time than others. */
static c3d_status wait_for_thread(c3d_saver *self)
{
    if (self->job.dir) c3d_phase_set(C3D_PHASE_SAVING, self->step, 0);
    return c3d_background_wait(self->thread);
}

void c3d_saver_destroy(c3d_saver *self)
{
    if (!self) return;
    if (self->thread && wait_for_thread(self) != C3D_OK)
        c3d_log_warn("%s; checkpoints saved before are whole", c3d_error_last()->message);
    if (self->thread) say(self);
    c3d_background_destroy(self->thread);
    forget_job(self);
    free(self->values);
    free(self->sums);
    free(self);
}

/* ---- saving ---------------------------------------------------------------------------------- */

static c3d_status agree(c3d_run *run, c3d_status st)
{
    if (st != C3D_OK) st = c3d_error_while("saving a checkpoint; those saved before are whole");
    return c3d_comm_agree_status(run->comm, st);
}

static c3d_status wait_for(c3d_saver *self)
{
    const double began_s = c3d_now_s();
    const c3d_status st = wait_for_thread(self);

    self->wait_s = c3d_now_s() - began_s;
    if (st == C3D_OK && self->job.dir) {
        count(self);
        say_if_due(self);
        compare_lead(self);
    }
    forget_job(self);
    return st;
}

c3d_status c3d_checkpoint_wait(c3d_run *run)
{
    return agree(run, run->saver ? wait_for(run->saver) : C3D_OK);
}

static c3d_status start(c3d_saver *self, double began_s)
{
    self->copy_s = c3d_now_s() - began_s;
    self->is_counted = false;
    return c3d_background_start(self->thread, write_job, self);
}

c3d_status c3d_checkpoint_save(c3d_run *run, bool is_best)
{
    c3d_saver *self = run->saver;

    C3D_TRY(c3d_checkpoint_wait(run));
    const double began_s = c3d_now_s();
    c3d_status st = self ? begin_copy(run, is_best) : C3D_OK;
    for (c3d_moment moment = C3D_MOMENT_M; moment <= C3D_MOMENT_V; moment++) {
        C3D_TRY(c3d_optimizer_gather(run, moment));
        if (self && st == C3D_OK)
            st = copy_arena(run, c3d_optimizer_whole(run, moment),
                            self->values + (1 + (size_t)moment) * self->n_params);
    }
    if (self && st == C3D_OK) st = start(self, began_s);
    if (self && st != C3D_OK) forget_job(self);
    return agree(run, st);
}
