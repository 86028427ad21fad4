/* A loss or gradient that is not finite: which samples it came from. */
#include "train/optimizer.h"
#include "train/step.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

static int by_position(const void *a, const void *b)
{
    const c3d_step_sample *x = a, *y = b;

    return (x->position > y->position) - (x->position < y->position);
}

c3d_status c3d_step_gather(c3d_run *run, const c3d_step *s, c3d_step_sample **all_out,
                           size_t *n_out)
{
    void *all = NULL;
    size_t n_bytes = 0;

    C3D_TRY(
        c3d_comm_gather(run->comm, s->samples, s->n_samples * sizeof *s->samples, &all, &n_bytes));
    *all_out = all;
    *n_out = n_bytes / sizeof **all_out;
    if (all) qsort(all, *n_out, sizeof **all_out, by_position);
    return C3D_OK;
}

static bool are_pixels_finite(const c3d_run *run, const void *values)
{
    const c3d_dtype dtype = c3d_dataset_get_info(run->dataset)->dtype;
    const size_t n = c3d_shape_sample_count(c3d_loader_shape(run->loader));

    for (size_t i = 0; c3d_dtype_is_float(dtype) && i < n; i++)
        if (!isfinite(c3d_dtype_get(values, dtype, i))) return false;
    return true;
}

static c3d_status try_sample(c3d_run *run, const c3d_batch *one, const c3d_step *s,
                             c3d_step_sample *sample)
{
    double squares;

    sample->has_bad_pixels = !are_pixels_finite(run, one->values);
    if (s->sums->n_bad > 0) return C3D_OK; /* the losses have told */
    C3D_TRY(c3d_step_run_micro_batch(run, one,
                                     &(c3d_micro){ .losses = s->losses, .scores = s->scores }));
    C3D_TRY(c3d_optimizer_measure_rank(run));
    C3D_TRY(run->backend.ops->download(&run->backend, &squares, run->optimizer.squares,
                                       sizeof squares));
    sample->is_bad = !isfinite(squares);
    return C3D_OK;
}

/* The step once more, each sample by itself. */
static c3d_status try_samples(c3d_run *run, c3d_step *s)
{
    const int n_micro = c3d_loader_n_micro(run->loader, run->position.step_in_epoch);
    c3d_batch batch;
    size_t at = 0;

    C3D_TRY(c3d_loader_start(run->loader, run->position.epoch, run->position.step_in_epoch));
    for (int micro = 0; micro < n_micro; micro++) {
        C3D_TRY(c3d_loader_next(run->loader, &batch));
        for (int i = 0; i < batch.n; i++) {
            const c3d_batch one = c3d_batch_row(run->loader, &batch, i);
            C3D_TRY(try_sample(run, &one, s, &s->samples[at++]));
        }
    }
    return C3D_OK;
}

#define NAMED_SAMPLES 8

/* "3 (frame 17), 8 (frame 20)": the bad ones, or all when none is bad by itself. */
static void name_samples(const c3d_step_sample *all, size_t n, c3d_text *out)
{
    size_t n_bad = 0, named = 0;

    for (size_t i = 0; i < n; i++) n_bad += all[i].is_bad;
    for (size_t i = 0; i < n; i++) {
        if ((n_bad > 0 && !all[i].is_bad) || named++ >= NAMED_SAMPLES) continue;
        c3d_text_add(out, "%s%" PRId64 " (frame %" PRId64 "%s)", out->length ? ", " : "",
                     all[i].sample_id, all[i].frame_id,
                     all[i].has_bad_pixels ? ", has pixels that are not finite" : "");
    }
    if (named > NAMED_SAMPLES) c3d_text_add(out, " and %zu more", named - NAMED_SAMPLES);
}

static c3d_status fail_with(const c3d_run *run, const c3d_step *s, const c3d_step_sample *all,
                            size_t n)
{
    c3d_text ids = { 0 };
    bool pixels = false;
    const char *what = s->sums->n_bad > 0        ? "loss"
                       : !isfinite(s->grad_norm) ? "gradient"
                                                 : "mean or variance of a normalisation";

    for (size_t i = 0; i < n; i++) pixels = pixels || all[i].has_bad_pixels;
    name_samples(all, n, &ids);
    const c3d_status st = C3D_FAIL(
        C3D_EDIVERGED,
        "step %" PRId64 ": the %s is not finite, of sample %s; nothing was "
        "updated with it%s",
        run->position.step + 1, what, ids.text ? ids.text : "?",
        pixels ? "" : "; a smaller optimizer.learning_rate or optimizer.clip_norm may help");
    c3d_text_free(&ids);
    return st;
}

c3d_status c3d_step_diverged(c3d_run *run, c3d_step *s)
{
    c3d_step_sample *all = NULL;
    size_t n = 0;
    c3d_status st = c3d_run_settle(run);

    if (st == C3D_OK) st = try_samples(run, s);
    C3D_TRY(c3d_comm_agree_status(run->comm, st));
    C3D_TRY(c3d_step_gather(run, s, &all, &n));
    if (run->comm->rank == 0) st = fail_with(run, s, all, n);
    free(all);
    return c3d_comm_agree_status(run->comm, st);
}
