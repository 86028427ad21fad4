/* The runs that are to be compared: where they are, and their scores. */
#include "train/compare_runs.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct c3d_compared_runs_state runs_state;

const char *c3d_compared_text(runs_state *state, const char *text)
{
    char **grown = realloc(state->texts, (size_t)(state->n_texts + 1) * sizeof *grown);

    C3D_ASSERT(grown != NULL);
    state->texts = grown;
    char *kept = grown[state->n_texts++] = c3d_strdup(text);
    for (char *p = kept; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 127) *p = '?';
    return kept;
}

/* ---- which directories ----------------------------------------------------------------------- */

static c3d_status scores_path(char out[C3D_PATH_MAX], const char *dir, const char *split)
{
    char name[64];

    (void)snprintf(name, sizeof name, "scores-%s.csv", split);
    return c3d_path_join(out, dir, name);
}

/* A run that is two networks' would be compared with itself, one that is there twice counted so. */
static c3d_status check_new(const runs_state *state, int network, const char *dir)
{
    struct stat a, b;

    if (stat(dir, &a) != 0) return C3D_OK; /* reading it will say so */
    for (int r = 0; r < state->n_runs; r++)
        if (stat(state->runs[r]->dir, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
            return C3D_FAIL(C3D_ECONFIG, "%s and %s are one run, which would be %s",
                            state->runs[r]->dir, dir,
                            state->runs[r]->network == network
                                ? "counted twice; take the link away"
                                : "compared with itself; give each network once");
    return C3D_OK;
}

static c3d_status add_run(runs_state *state, int network, const char *dir, const char *split)
{
    compared_run **grown = realloc(state->runs, (size_t)(state->n_runs + 1) * sizeof(*grown));
    char path[C3D_PATH_MAX];

    if (!grown) return C3D_FAIL(C3D_ENOMEM, "no memory for %d runs", state->n_runs + 1);
    state->runs = grown;
    C3D_TRY(check_new(state, network, dir));
    compared_run *run = c3d_calloc(1, sizeof *run);
    if (!run) return C3D_ENOMEM;
    state->runs[state->n_runs++] = run;
    run->network = network;
    C3D_TRY(c3d_path_join(run->dir, NULL, dir));
    C3D_TRY(scores_path(path, dir, split));
    C3D_TRY(c3d_score_table_read(path, &run->table));
    return c3d_read_beside_scores(run, split);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in a directory, sorted; given. */
static c3d_status list_names(const char *dir, const char *split, char ***names, int *n)
{
    DIR *stream = opendir(dir);
    const struct dirent *entry;

    *names = NULL;
    *n = 0;
    if (!stream)
        return C3D_FAIL(C3D_EIO,
                        "%s: %s; give a run, a directory of runs, or one with scores-%s.csv, which "
                        "c3d-evaluate RUN --split %s writes",
                        dir, strerror(errno), split, split);
    while ((entry = readdir(stream)) != NULL) {
        char **grown = realloc(*names, (size_t)(*n + 1) * sizeof *grown);
        C3D_ASSERT(grown != NULL);
        *names = grown;
        grown[(*n)++] = c3d_strdup(entry->d_name);
    }
    (void)closedir(stream);
    if (*n > 0) qsort(*names, (size_t)*n, sizeof **names, by_name);
    return C3D_OK;
}

/* A run in `dir`/`name`, if it is one; a run that was not scored is not left out in silence. */
static c3d_status add_subdirectory(runs_state *state, int network, const char *dir,
                                   const char *name, const char *split)
{
    char sub[C3D_PATH_MAX], path[C3D_PATH_MAX];

    if (name[0] == '.') return C3D_OK;
    C3D_TRY(c3d_path_join(sub, dir, name));
    if (!c3d_path_is_dir(sub)) return C3D_OK;
    C3D_TRY(scores_path(path, sub, split));
    if (c3d_path_exists(path)) return add_run(state, network, sub, split);
    C3D_TRY(c3d_path_join(path, sub, "config.yaml"));
    if (!c3d_path_exists(path)) return C3D_OK;
    return C3D_FAIL(C3D_EIO,
                    "%s: a run without scores-%s.csv; c3d-evaluate %s --split %s writes it", sub,
                    split, sub, split);
}

static c3d_status add_network(runs_state *state, int network, const char *dir, const char *split)
{
    char path[C3D_PATH_MAX];
    char **names;
    int n;
    const int before = state->n_runs;

    C3D_TRY(scores_path(path, dir, split));
    if (c3d_path_exists(path)) return add_run(state, network, dir, split);
    C3D_TRY(list_names(dir, split, &names, &n));
    c3d_status st = C3D_OK;
    for (int i = 0; i < n; i++) {
        if (st == C3D_OK) st = add_subdirectory(state, network, dir, names[i], split);
        free(names[i]);
    }
    free(names);
    if (st != C3D_OK || state->n_runs > before) return st;
    return C3D_FAIL(C3D_EIO,
                    "%s: no scores-%s.csv, neither in it nor in directories in it; c3d-evaluate "
                    "RUN --split %s writes it",
                    dir, split, split);
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The path without slashes at its end, or its last part. */
static void name_of(const char *dir, bool is_whole, char out[C3D_PATH_MAX])
{
    size_t end = strlen(dir);

    while (end > 1 && dir[end - 1] == '/') end--;
    size_t start = is_whole ? 0 : end;
    while (start > 0 && dir[start - 1] != '/') start--;
    (void)snprintf(out, C3D_PATH_MAX, "%.*s", (int)(end - start), dir + start);
}

/* Last parts tell the networks apart, or else paths. */
static void name_networks(runs_state *state, const c3d_compared_runs_desc *desc,
                          c3d_compare_context *context)
{
    char name[C3D_PATH_MAX], other[C3D_PATH_MAX];

    for (int k = 0; k < desc->n_networks; k++) {
        int n_alike = 0;
        name_of(desc->dirs[k], false, name);
        for (int j = 0; j < desc->n_networks; j++) {
            name_of(desc->dirs[j], false, other);
            n_alike += strcmp(name, other) == 0;
        }
        name_of(desc->dirs[k], n_alike > 1, name);
        context->names[k] = c3d_compared_text(state, name);
        context->sources[k] = c3d_compared_text(state, desc->dirs[k]);
    }
}

/* ---- all of it ------------------------------------------------------------------------------- */

static double threshold_of(const c3d_compared_runs_desc *desc, const compared_run *reference)
{
    if (!isnan(desc->threshold)) return desc->threshold;
    return reference->has_config ? reference->config.evaluation.threshold : 0.5;
}

static c3d_status describe(const c3d_compared_runs_desc *desc, runs_state *state,
                           c3d_compared_runs *out)
{
    const c3d_score_table *table = &state->runs[0]->table;

    state->scores = c3d_calloc((size_t)state->n_runs, sizeof(*state->scores));
    state->networks = c3d_calloc((size_t)desc->n_networks, sizeof *state->networks);
    if (!state->scores || !state->networks) return C3D_ENOMEM;
    for (int r = 0; r < state->n_runs; r++) {
        c3d_compare_network *network = &state->networks[state->runs[r]->network];
        state->scores[r] = state->runs[r]->scores;
        if (network->n_runs++ == 0) network->scores = &state->scores[r];
        network->name = out->context.names[state->runs[r]->network];
    }
    for (int k = 0; k < desc->n_networks; k++)
        state->networks[k].n_seeds = c3d_compared_n_seeds(state, k);
    out->desc = (c3d_compare_desc){
        .n = table->n,
        .n_outputs = table->n_outputs,
        .labels = state->labels,
        .blocks = state->blocks,
        .n_networks = desc->n_networks,
        .networks = state->networks,
        .threshold = threshold_of(desc, state->runs[0]),
        .n_replicates = C3D_COMPARE_REPLICATES,
    };
    return C3D_OK;
}

static c3d_status tell_scored(runs_state *state, c3d_compare_context *context)
{
    context->scored = c3d_calloc((size_t)state->n_runs, sizeof *context->scored);
    if (!context->scored) return C3D_ENOMEM;
    context->n_scored = state->n_runs;
    for (int r = 0; r < state->n_runs; r++) {
        const compared_run *run = state->runs[r];
        context->scored[r] = (c3d_compare_scored){ .network = run->network,
                                                   .dir = c3d_compared_text(state, run->dir),
                                                   .checkpoint = run->checkpoint,
                                                   .list_hash = run->list_hash,
                                                   .precision = run->facts[FACT_PRECISION] };
    }
    return C3D_OK;
}

static c3d_status open_runs(const c3d_compared_runs_desc *desc, c3d_compared_runs *out)
{
    const size_t n = (size_t)desc->n_networks;
    c3d_compare_context *context = &out->context;

    context->split = desc->split;
    context->n_networks = desc->n_networks;
    context->names = c3d_calloc(n, sizeof(*context->names));
    context->sources = c3d_calloc(n, sizeof(*context->sources));
    context->has_config = c3d_calloc(n, sizeof *context->has_config);
    context->trained = c3d_calloc(n, sizeof(*context->trained));
    context->costs = c3d_calloc(n, sizeof *context->costs);
    if (!context->names || !context->sources || !context->has_config || !context->trained ||
        !context->costs)
        return C3D_ENOMEM;
    name_networks(out->state, desc, context);
    for (int k = 0; k < desc->n_networks; k++)
        C3D_TRY(add_network(out->state, k, desc->dirs[k], desc->split));
    C3D_TRY(c3d_match_lists(out->state, context));
    C3D_TRY(c3d_compared_check(out->state, context));
    C3D_TRY(c3d_compare_settings(out->state, context));
    C3D_TRY(tell_scored(out->state, context));
    return describe(desc, out->state, out);
}

c3d_status c3d_compared_runs_open(const c3d_compared_runs_desc *desc, c3d_compared_runs *out)
{
    c3d_compared_runs runs = { .state = c3d_calloc(1, sizeof *runs.state) };

    C3D_ASSERT(desc->n_networks >= 2);
    const c3d_status st = runs.state ? open_runs(desc, &runs) : C3D_ENOMEM;
    if (st == C3D_OK)
        *out = runs;
    else
        c3d_compared_runs_close(&runs);
    return st;
}

static void close_run(compared_run *run)
{
    c3d_score_table_free(&run->table);
    c3d_config_free(&run->config);
    for (int f = 0; f < N_FACTS; f++) free(run->facts[f]);
    free(run->trained);
    free(run->checkpoint);
    free(run->list_hash);
    free(run->scores);
    free(run);
}

static void close_state(runs_state *state)
{
    for (int r = 0; r < state->n_runs; r++) close_run(state->runs[r]);
    for (int i = 0; i < state->n_texts; i++) free(state->texts[i]);
    free(state->runs);
    free(state->texts);
    free(state->labels);
    free(state->blocks);
    free(state->scores);
    free(state->networks);
    free(state);
}

void c3d_compared_runs_close(c3d_compared_runs *runs)
{
    c3d_compare_context *context = &runs->context;

    for (int i = 0; i < context->n_settings; i++) free(context->settings[i].values);
    for (int i = 0; i < context->n_data; i++) free(context->data[i].values);
    free(context->settings);
    free(context->data);
    free(context->warnings);
    free(context->names);
    free(context->sources);
    free(context->has_config);
    free(context->trained);
    free(context->costs);
    free(context->scored);
    if (runs->state) close_state(runs->state);
    *runs = (c3d_compared_runs){ 0 };
}
