/* A loss or gradient that is not finite: which samples it came from. */
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

#define NAMED_SAMPLES 8

c3d_status c3d_step_diverged(c3d_run *run, const c3d_step *s)
{
    c3d_step_sample *all = NULL;
    size_t n = 0;
    int named = 0;
    c3d_text ids = { 0 };
    c3d_status st = C3D_OK;

    C3D_TRY(c3d_step_gather(run, s, &all, &n));
    if (run->comm->rank == 0) {
        for (size_t i = 0; i < n; i++) {
            if (s->sums->n_bad > 0 && isfinite(all[i].loss)) continue;
            if (named++ < NAMED_SAMPLES)
                c3d_text_add(&ids, "%s%" PRId64, ids.length ? ", " : "", all[i].sample_id);
        }
        st = C3D_FAIL(C3D_EDIVERGED,
                      "step %" PRId64 ": the %s not finite, sample%s %s%s; parameters were left as "
                      "they were; a smaller optimizer.learning_rate may help",
                      run->position.step + 1, s->sums->n_bad > 0 ? "loss is" : "gradient is",
                      named == 1 ? "" : "s", ids.text ? ids.text : "?",
                      named > NAMED_SAMPLES ? ", ..." : "");
    }
    c3d_text_free(&ids);
    free(all);
    return c3d_comm_agree_status(run->comm, st);
}
