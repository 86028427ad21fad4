/* What stands beside the scores of a run, and how that differs between networks. */
#include "train/compare_runs.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *const fact_names[N_FACTS] = {
    [FACT_DATASET_HASH] = "dataset hash",
    [FACT_FOLD] = "fold",
    [FACT_SAMPLES_SEEN] = "samples seen in training",
    [FACT_PRECISION] = "precision of scoring",
    [FACT_CHECKPOINT] = "checkpoint scored",
};

/* ---- reading --------------------------------------------------------------------------------- */

static c3d_status read_config(compared_run *run)
{
    char path[C3D_PATH_MAX];
    c3d_text mistakes = { 0 };

    C3D_TRY(c3d_path_join(path, run->dir, "config.yaml"));
    if (!c3d_path_exists(path)) return C3D_OK;
    const c3d_status st =
        c3d_config_load(path, C3D_CONFIG_FOR_READING, NULL, 0, &run->config, &mistakes);
    c3d_text_free(&mistakes);
    run->has_config = st == C3D_OK;
    if (st == C3D_ECONFIG)
        c3d_log_warn("%s: no configuration of c3d-train; what it says is not compared", path);
    return st == C3D_ECONFIG ? C3D_OK : st;
}

static c3d_status read_dataset_hash(compared_run *run)
{
    char path[C3D_PATH_MAX];
    c3d_tensor_file *file;

    C3D_TRY(c3d_path_join(path, run->dir, "best.safetensors"));
    if (!c3d_path_exists(path)) return C3D_OK;
    C3D_TRY(c3d_tensor_file_open(path, &file));
    const char *hash = c3d_tensor_file_metadata(file, "dataset_hash");
    if (hash) {
        free(run->facts[FACT_DATASET_HASH]);
        run->facts[FACT_DATASET_HASH] = c3d_strdup(hash);
    }
    c3d_tensor_file_close(file);
    return C3D_OK;
}

static c3d_status read_evaluation(compared_run *run, const char *split)
{
    char path[C3D_PATH_MAX], name[64], number[24];
    const char *precision, *checkpoint, *list_hash;
    long long fold;
    double block_km;
    c3d_json *json;
    c3d_status st = C3D_OK;

    (void)snprintf(name, sizeof name, "evaluation-%s.json", split);
    C3D_TRY(c3d_path_join(path, run->dir, name));
    if (!c3d_path_exists(path)) return C3D_OK;
    C3D_TRY(c3d_json_read(path, &json));
    if (!c3d_scores_belong(&run->table, json))
        st = C3D_FAIL(C3D_EDATA,
                      "%s: not the scores that %s beside it was made with; c3d-evaluate %s --split "
                      "%s writes both again",
                      run->table.path, name, run->dir, split);
    if (c3d_json_get_int(json, "fold", &fold)) {
        (void)snprintf(number, sizeof number, "%lld", fold);
        run->facts[FACT_FOLD] = c3d_strdup(number);
    }
    if (c3d_json_get_string(json, "precision", &precision))
        run->facts[FACT_PRECISION] = c3d_strdup(precision);
    run->has_block_km = c3d_json_get_real(json, "block_km", &block_km) && block_km > 0;
    if (c3d_json_get_string(json, "list_hash", &list_hash)) run->list_hash = c3d_strdup(list_hash);
    if (st == C3D_OK && c3d_json_get_string(json, "checkpoint", &checkpoint)) {
        run->checkpoint = c3d_strdup(checkpoint);
        st = c3d_compared_find_checkpoint(run, checkpoint);
    }
    c3d_json_free(json);
    return st;
}

/* What a model that was made elsewhere says of itself. */
static void read_words(compared_run *run, const c3d_json *json)
{
    const char *trained, *hash;

    if (c3d_json_get_string(json, "trained", &trained)) run->trained = c3d_strdup(trained);
    if (c3d_json_get_string(json, "dataset_hash", &hash))
        run->facts[FACT_DATASET_HASH] = c3d_strdup(hash);
}

static c3d_status read_cost(compared_run *run)
{
    char path[C3D_PATH_MAX], number[32];
    c3d_json *json;
    c3d_compare_cost *cost = &run->cost;
    const struct {
        const char *key;
        double *to;
    } members[] = { { "parameters", &cost->parameters },
                    { "multiply_adds", &cost->multiply_adds },
                    { "bytes_a_sample", &cost->bytes_a_sample },
                    { "samples_seen", &cost->samples_seen },
                    { "device_hours", &cost->device_hours } };

    for (size_t i = 0; i < C3D_COUNT(members); i++) *members[i].to = (double)NAN;
    C3D_TRY(c3d_path_join(path, run->dir, "cost.json"));
    if (!c3d_path_exists(path)) return C3D_OK;
    C3D_TRY(c3d_json_read(path, &json));
    for (size_t i = 0; i < C3D_COUNT(members); i++)
        (void)c3d_json_get_real(json, members[i].key, members[i].to); /* absent: not known */
    read_words(run, json);
    c3d_json_free(json);
    if (isnan(cost->samples_seen)) return C3D_OK;
    (void)snprintf(number, sizeof number, "%.0f", cost->samples_seen);
    run->facts[FACT_SAMPLES_SEEN] = c3d_strdup(number);
    return C3D_OK;
}

c3d_status c3d_read_beside_scores(compared_run *run, const char *split)
{
    C3D_TRY(read_cost(run));
    C3D_TRY(read_config(run));
    C3D_TRY(read_dataset_hash(run));
    return read_evaluation(run, split);
}

/* ---- comparing ------------------------------------------------------------------------------- */

/* A value of each run; NULL: not known. */
typedef struct row {
    const char *key;
    const char **values; /* [n_runs] */
    bool is_of_scoring;
} row;

/* The different values of a network's runs, "1, 2, 3", in the order of the runs. */
static const char *join(struct c3d_compared_runs_state *state, const char **values, int network)
{
    c3d_text text = { 0 };

    for (int r = 0; r < state->n_runs; r++) {
        bool is_new = state->runs[r]->network == network && values[r];
        for (int s = 0; s < r && is_new; s++)
            is_new = state->runs[s]->network != network || !values[s] ||
                     strcmp(values[s], values[r]) != 0;
        if (is_new) c3d_text_add(&text, "%s%s", text.length ? ", " : "", values[r]);
    }
    const char *kept = text.text ? c3d_compared_text(state, text.text) : NULL;
    c3d_text_free(&text);
    return kept;
}

/* Adds the row unless it is the same for all networks of which it is known. */
static c3d_status add_row(struct c3d_compared_runs_state *state, const row *from, int n_networks,
                          c3d_compare_setting **rows, int *n_rows)
{
    const char **values = c3d_calloc((size_t)n_networks, sizeof *values), *first = NULL;
    c3d_compare_setting *grown = realloc(*rows, (size_t)(*n_rows + 1) * sizeof *grown);
    bool differs = false;

    if (grown) *rows = grown;
    if (!values || !grown) {
        free(values);
        return C3D_FAIL(C3D_ENOMEM, "no memory for %d settings", *n_rows + 1);
    }
    for (int k = 0; k < n_networks; k++) {
        values[k] = join(state, from->values, k);
        if (values[k] && !first) first = values[k];
        differs = differs || (values[k] && strcmp(values[k], first) != 0);
    }
    if (differs)
        grown[(*n_rows)++] = (c3d_compare_setting){ .key = from->key,
                                                    .values = values,
                                                    .is_of_scoring = from->is_of_scoring };
    else
        free(values);
    return C3D_OK;
}

/* Rows of the keys in which any run's configuration differs from the first one's. */
typedef struct differing {
    row rows[C3D_CONFIG_MAX_KEYS];
    int n;
    const char **values; /* [C3D_CONFIG_MAX_KEYS][n_runs] */
} differing;

static row *row_of(struct c3d_compared_runs_state *state, differing *all, const char *key,
                   const char *base_value)
{
    for (int i = 0; i < all->n; i++)
        if (strcmp(all->rows[i].key, key) == 0) return &all->rows[i];
    row *new = &all->rows[all->n];
    new->key = key;
    new->values = all->values + all->n++ *(size_t)state->n_runs;
    for (int r = 0; r < state->n_runs; r++)
        if (state->runs[r]->has_config) new->values[r] = c3d_compared_text(state, base_value);
    return new;
}

static void collect_settings(struct c3d_compared_runs_state *state, differing *all)
{
    const compared_run *base = NULL;
    c3d_config_changes changes = { 0 };

    for (int r = 0; r < state->n_runs; r++) {
        if (!state->runs[r]->has_config) continue;
        if (!base) base = state->runs[r];
        c3d_config_diff(&base->config, &state->runs[r]->config, &changes);
        for (int i = 0; i < changes.n; i++) {
            row *to = row_of(state, all, changes.items[i].key, changes.items[i].from);
            to->values[r] = c3d_compared_text(state, changes.items[i].to);
        }
        c3d_config_changes_free(&changes);
    }
}

/* Where a run lies tells nothing. */
static bool is_of_place(const char *key)
{
    return strcmp(key, "run.dir") == 0;
}

static c3d_status add_settings(struct c3d_compared_runs_state *state, c3d_compare_context *context)
{
    differing all = { .values = c3d_calloc(C3D_CONFIG_MAX_KEYS * (size_t)state->n_runs,
                                           sizeof *all.values) };
    c3d_status st = all.values ? C3D_OK : C3D_ENOMEM;

    if (st == C3D_OK) collect_settings(state, &all);
    for (int i = 0; st == C3D_OK && i < all.n; i++)
        if (!is_of_place(all.rows[i].key))
            st = add_row(state, &all.rows[i], context->n_networks, &context->settings,
                         &context->n_settings);
    free(all.values);
    return st;
}

static c3d_status add_data(struct c3d_compared_runs_state *state, c3d_compare_context *context)
{
    row facts = { .values = c3d_calloc((size_t)state->n_runs, sizeof *facts.values) };
    c3d_status st = facts.values ? C3D_OK : C3D_ENOMEM;

    for (int f = 0; st == C3D_OK && f < N_FACTS; f++) {
        for (int r = 0; r < state->n_runs; r++) facts.values[r] = state->runs[r]->facts[f];
        facts.key = fact_names[f];
        facts.is_of_scoring = f == FACT_PRECISION || f == FACT_CHECKPOINT;
        st = add_row(state, &facts, context->n_networks, &context->data, &context->n_data);
    }
    free(facts.values);
    return st;
}

static double mean_of(const struct c3d_compared_runs_state *state, int network, size_t member)
{
    double sum = 0;
    int n = 0;

    for (int r = 0; r < state->n_runs; r++) {
        const char *cost = (const char *)&state->runs[r]->cost;
        double value;
        memcpy(&value, cost + member, sizeof value);
        if (state->runs[r]->network != network || isnan(value)) continue;
        sum += value;
        n++;
    }
    return n > 0 ? sum / n : (double)NAN;
}

static c3d_status add_words(struct c3d_compared_runs_state *state, c3d_compare_context *context)
{
    const char **values = c3d_calloc((size_t)state->n_runs, sizeof(*values));

    if (!values) return C3D_ENOMEM;
    for (int r = 0; r < state->n_runs; r++) values[r] = state->runs[r]->trained;
    for (int k = 0; k < context->n_networks; k++) context->trained[k] = join(state, values, k);
    free(values);
    return C3D_OK;
}

static void add_costs(const struct c3d_compared_runs_state *state, c3d_compare_context *context)
{
    for (int k = 0; k < context->n_networks; k++)
        context->costs[k] = (c3d_compare_cost){
            .parameters = mean_of(state, k, offsetof(c3d_compare_cost, parameters)),
            .multiply_adds = mean_of(state, k, offsetof(c3d_compare_cost, multiply_adds)),
            .bytes_a_sample = mean_of(state, k, offsetof(c3d_compare_cost, bytes_a_sample)),
            .samples_seen = mean_of(state, k, offsetof(c3d_compare_cost, samples_seen)),
            .device_hours = mean_of(state, k, offsetof(c3d_compare_cost, device_hours)),
        };
}

c3d_status c3d_compare_settings(struct c3d_compared_runs_state *state, c3d_compare_context *context)
{
    for (int r = 0; r < state->n_runs; r++)
        if (state->runs[r]->has_config) context->has_config[state->runs[r]->network] = true;
    C3D_TRY(add_settings(state, context));
    C3D_TRY(add_data(state, context));
    C3D_TRY(add_words(state, context));
    add_costs(state, context);
    return C3D_OK;
}
