/* Whether the runs of a network are what they are taken for: trainings of one network, each with
 * another seed, with the scores of the checkpoint that the run has. */
#include "train/checkpoint.h"
#include "train/compare_runs.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SEED_KEY "data.seed"

static void warn(struct c3d_compared_runs_state *state, c3d_compare_context *context,
                 const c3d_text *text)
{
    const size_t n = (size_t)context->n_warnings + 1;
    const char **grown = realloc(context->warnings, n * sizeof(*grown));

    C3D_ASSERT(grown != NULL);
    context->warnings = grown;
    grown[context->n_warnings++] = c3d_compared_text(state, text->text);
}

/* ---- which checkpoint was scored ------------------------------------------------------------- */

static c3d_status read_checksum(const char *path, char **out)
{
    c3d_tensor_file *file;

    *out = NULL;
    C3D_TRY(c3d_tensor_file_open(path, &file));
    const char *checksum = c3d_tensor_file_metadata(file, "checksum");
    if (checksum) *out = c3d_strdup(checksum);
    c3d_tensor_file_close(file);
    return C3D_OK;
}

c3d_status c3d_compared_find_checkpoint(compared_run *run, const char *checksum)
{
    static const char *const facts[] = { [SCORED_BY_BEST] = "best",
                                         [SCORED_BY_NEWEST] = "newest",
                                         [SCORED_BY_EARLIER] = "an earlier one",
                                         [SCORED_BY_GONE] = "none that is there" };
    char path[C3D_PATH_MAX];
    char *best = NULL;

    C3D_TRY(c3d_path_join(path, run->dir, "best.safetensors"));
    const bool has_best = c3d_path_exists(path);
    if (has_best) C3D_TRY(read_checksum(path, &best));
    const bool is_best = best && strcmp(best, checksum) == 0;
    const bool is_best_known = best || !has_best;
    free(best);
    C3D_TRY(c3d_checkpoint_find_checksum(run->dir, checksum, &run->scored_step, &run->newest_step));
    if (is_best)
        run->scored_by = SCORED_BY_BEST;
    else if (run->scored_step >= 0)
        run->scored_by =
            run->scored_step == run->newest_step ? SCORED_BY_NEWEST : SCORED_BY_EARLIER;
    else if (is_best_known && (has_best || run->newest_step >= 0))
        run->scored_by = SCORED_BY_GONE;
    if (run->scored_by != SCORED_BY_UNKNOWN)
        run->facts[FACT_CHECKPOINT] = c3d_strdup(facts[run->scored_by]);
    return C3D_OK;
}

static void warn_of_checkpoint(struct c3d_compared_runs_state *state, const compared_run *run,
                               c3d_compare_context *context)
{
    c3d_text text = { 0 };

    if (run->scored_by == SCORED_BY_EARLIER)
        c3d_text_add(&text,
                     "%s: its scores are of step %" PRId64 ", the run has gone on to step %" PRId64,
                     run->dir, run->scored_step, run->newest_step);
    else if (run->scored_by == SCORED_BY_GONE)
        c3d_text_add(&text,
                     "%s: its scores are of another checkpoint than its best.safetensors and those "
                     "it has in checkpoints/",
                     run->dir);
    if (text.length > 0) {
        c3d_text_add(&text,
                     "; cost and settings may not belong to them: c3d-evaluate %s --split %s",
                     run->dir, context->split);
        warn(state, context, &text);
    }
    c3d_text_free(&text);
}

/* ---- runs of one network --------------------------------------------------------------------- */

static c3d_status check_alike(const compared_run *a, const compared_run *b)
{
    c3d_config_changes changes = { 0 };
    c3d_status st = C3D_OK;

    c3d_config_diff(&a->config, &b->config, &changes);
    for (int i = 0; st == C3D_OK && i < changes.n; i++) {
        const c3d_config_change *change = &changes.items[i];
        if (strcmp(change->key, SEED_KEY) != 0 && !c3d_compare_is_beside(change->key))
            st = C3D_FAIL(C3D_EDATA,
                          "%s and %s: %s is %s and %s; runs of one network may differ in "
                          "%s alone",
                          a->dir, b->dir, change->key, change->from, change->to, SEED_KEY);
    }
    c3d_config_changes_free(&changes);
    return st;
}

static bool have_same_seed(const compared_run *a, const compared_run *b)
{
    return a->has_config && b->has_config && a->config.data.seed == b->config.data.seed;
}

/* The first run of the same network before run r with its seed, or NULL. */
static const compared_run *find_twin(const struct c3d_compared_runs_state *state, int r)
{
    for (int s = 0; s < r; s++)
        if (state->runs[s]->network == state->runs[r]->network &&
            have_same_seed(state->runs[s], state->runs[r]))
            return state->runs[s];
    return NULL;
}

int c3d_compared_n_seeds(const struct c3d_compared_runs_state *state, int network)
{
    int n = 0;

    for (int r = 0; r < state->n_runs; r++)
        n += state->runs[r]->network == network && !find_twin(state, r);
    return n;
}

static c3d_status check_pair(const struct c3d_compared_runs_state *state, const compared_run *a,
                             const compared_run *b)
{
    const c3d_score_table *table = &state->runs[0]->table;
    const size_t n_bytes = table->n * (size_t)table->n_outputs * sizeof *a->scores;

    if (a->network != b->network) return C3D_OK;
    if (a->has_config && b->has_config) C3D_TRY(check_alike(a, b));
    if (memcmp(a->scores, b->scores, n_bytes) != 0) return C3D_OK;
    return C3D_FAIL(C3D_EDATA,
                    "%s and %s: runs of one network with the same scores, bit by bit: a copy, or "
                    "the same training twice; take one of them away",
                    a->dir, b->dir);
}

static void warn_of_seed(struct c3d_compared_runs_state *state, int r, c3d_compare_context *context)
{
    const compared_run *run = state->runs[r], *twin = find_twin(state, r);
    c3d_text text = { 0 };

    if (!twin) return;
    c3d_text_add(&text,
                 "%s and %s: both have %s %" PRId64 ", so they are not independent trainings",
                 twin->dir, run->dir, SEED_KEY, run->config.data.seed);
    warn(state, context, &text);
    c3d_text_free(&text);
}

c3d_status c3d_compared_check(struct c3d_compared_runs_state *state, c3d_compare_context *context)
{
    for (int r = 0; r < state->n_runs; r++)
        for (int s = 0; s < r; s++) C3D_TRY(check_pair(state, state->runs[s], state->runs[r]));
    for (int r = 0; r < state->n_runs; r++) {
        warn_of_checkpoint(state, state->runs[r], context);
        warn_of_seed(state, r, context);
    }
    return C3D_OK;
}
