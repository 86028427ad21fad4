/* comparison.json, comparison.csv, comparison.txt. */
#include "score/columns.h"
#include "score/compare_figures.h"

#include <math.h>

#define COMPARISON_SCHEMA 1
#define LINE_WIDTH        100

/* ---- JSON ------------------------------------------------------------------------------------ */

static c3d_json *text_json(const char *text)
{
    return text ? c3d_json_string(text) : c3d_json_real((double)NAN);
}

static c3d_json *settings_json(const c3d_comparison *c, const c3d_compare_setting *rows, int n)
{
    c3d_json *json = c3d_json_array();

    for (int i = 0; i < n; i++) {
        c3d_json *entry = c3d_json_object(), *values = c3d_json_array();
        for (int k = 0; k < c->n_networks; k++)
            c3d_json_append(values, text_json(rows[i].values[k]));
        c3d_json_set(entry, "key", c3d_json_string(rows[i].key));
        c3d_json_set(entry, "values", values);
        c3d_json_append(json, entry);
    }
    return json;
}

static c3d_json *cost_json(const c3d_compare_cost *cost)
{
    c3d_json *json = c3d_json_object();

    c3d_json_set(json, "parameters", c3d_json_real(cost->parameters));
    c3d_json_set(json, "multiply_adds", c3d_json_real(cost->multiply_adds));
    c3d_json_set(json, "bytes_a_sample", c3d_json_real(cost->bytes_a_sample));
    c3d_json_set(json, "samples_seen", c3d_json_real(cost->samples_seen));
    c3d_json_set(json, "device_hours", c3d_json_real(cost->device_hours));
    return json;
}

/* By what a reader of the file can tell whether a run has been scored again since. */
static c3d_json *scored_json(const c3d_compare_context *context, int network)
{
    c3d_json *json = c3d_json_array();

    for (int i = 0; i < context->n_scored; i++) {
        const c3d_compare_scored *scored = &context->scored[i];
        if (scored->network != network) continue;
        c3d_json *entry = c3d_json_object();
        c3d_json_set(entry, "dir", c3d_json_string(scored->dir));
        c3d_json_set(entry, "checkpoint", text_json(scored->checkpoint));
        c3d_json_set(entry, "list_hash", text_json(scored->list_hash));
        c3d_json_set(entry, "precision", text_json(scored->precision));
        c3d_json_append(json, entry);
    }
    return json;
}

static c3d_json *networks_json(const c3d_comparison *c, const c3d_compare_context *context)
{
    c3d_json *json = c3d_json_array();

    for (int k = 0; k < c->n_networks; k++) {
        const c3d_compared_network *network = &c->networks[k];
        c3d_json *entry = c3d_json_object(), *metrics = c3d_json_object();
        for (int m = 0; m < C3D_N_COMPARED; m++) {
            c3d_json *value = c3d_json_object();
            c3d_json_set(value, "value", c3d_json_real(network->values[m].value));
            c3d_json_set(value, "low", c3d_json_real(network->values[m].low));
            c3d_json_set(value, "high", c3d_json_real(network->values[m].high));
            c3d_json_set(value, "method", c3d_json_string("block-bootstrap-and-seeds"));
            c3d_json_set(metrics, c3d_compare_metric_name(m), value);
        }
        c3d_json_set(entry, "name", c3d_json_string(network->name));
        c3d_json_set(entry, "source", c3d_json_string(context->sources[k]));
        c3d_json_set(entry, "runs", c3d_json_int(network->n_runs));
        c3d_json_set(entry, "scored", scored_json(context, k));
        c3d_json_set(entry, "n_seeds", c3d_json_int(network->n_seeds));
        if (context->trained && context->trained[k])
            c3d_json_set(entry, "trained", c3d_json_string(context->trained[k]));
        c3d_json_set(entry, "metrics", metrics);
        c3d_json_set(entry, "cost", cost_json(&context->costs[k]));
        c3d_json_append(json, entry);
    }
    return json;
}

static c3d_json *difference_json(const c3d_compared_network *network, int metric)
{
    const c3d_compared_value *d = &network->differences[metric];
    const bool is_primary = metric == C3D_COMPARE_AUC;
    c3d_json *json = c3d_json_object();

    c3d_json_set(json, "name", c3d_json_string(network->name));
    c3d_json_set(json, "metric", c3d_json_string(c3d_compare_metric_name(metric)));
    c3d_json_set(json, "primary", c3d_json_bool(is_primary));
    c3d_json_set(json, "difference", c3d_json_real(d->value));
    c3d_json_set(json, "low", c3d_json_real(d->low));
    c3d_json_set(json, "high", c3d_json_real(d->high));
    c3d_json_set(json, "standard_error", c3d_json_real(d->se));
    c3d_json_set(json, "degrees_of_freedom", c3d_json_real(d->df));
    c3d_json_set(json, "p", c3d_json_real(network->p[metric]));
    c3d_json_set(json, "p_holm", c3d_json_real(network->p_holm[metric]));
    c3d_json_set(json, "verdict",
                 text_json(is_primary ? c3d_verdict_text(network->verdict) : NULL));
    if (is_primary)
        c3d_json_set(json, "about",
                     c3d_json_string(network->is_of_models ? "trained models" : "networks"));
    return json;
}

static c3d_json *differences_json(const c3d_comparison *c)
{
    c3d_json *json = c3d_json_array();

    for (int m = 0; m < C3D_N_COMPARED; m++)
        for (int k = 1; k < c->n_networks; k++)
            c3d_json_append(json, difference_json(&c->networks[k], m));
    return json;
}

static c3d_json *mcnemar_json(const c3d_comparison *c)
{
    c3d_json *json = c3d_json_array();

    for (int i = 0; i < c->n_mcnemar; i++) {
        const c3d_mcnemar *m = &c->mcnemar[i];
        c3d_json *entry = c3d_json_object();
        c3d_json_set(entry, "name", c3d_json_string(c->networks[m->network].name));
        c3d_json_set(entry, "run", c3d_json_int(m->run + 1));
        c3d_json_set(entry, "reference_only", c3d_json_int(m->reference_only));
        c3d_json_set(entry, "network_only", c3d_json_int(m->network_only));
        c3d_json_set(entry, "p", c3d_json_real(m->p));
        c3d_json_set(entry, "method",
                     c3d_json_string(m->is_exact ? "exact-binomial" : "chi-squared-corrected"));
        c3d_json_append(json, entry);
    }
    return json;
}

static c3d_status write_json(const char *path, const c3d_comparison *c,
                             const c3d_compare_context *context, const char *paragraph)
{
    c3d_json *json = c3d_json_object(), *warnings = c3d_json_array();

    for (int i = 0; i < context->n_warnings; i++)
        c3d_json_append(warnings, c3d_json_string(context->warnings[i]));
    c3d_json_set(json, "schema", c3d_json_int(COMPARISON_SCHEMA));
    c3d_json_set(json, "split", c3d_json_string(context->split));
    c3d_json_set(json, "n", c3d_json_int((long long)c->n));
    if (c->n_outputs == 1) c3d_json_set(json, "n_positive", c3d_json_int((long long)c->n_positive));
    c3d_json_set(json, "n_blocks", c3d_json_int((long long)c->n_blocks));
    c3d_json_set(json, "effective_blocks", c3d_json_real(c->effective_blocks));
    c3d_json_set(json, "has_blocks", c3d_json_bool(context->has_blocks));
    c3d_json_set(json, "one_frame_a_block", c3d_json_bool(context->are_blocks_lone));
    c3d_json_set(json, "is_enough", c3d_json_bool(c->is_enough));
    c3d_json_set(json, "reference", c3d_json_string(c->networks[0].name));
    c3d_json_set(json, "primary", c3d_json_string(c3d_compare_metric_name(C3D_COMPARE_AUC)));
    if (c->n_outputs == 1) c3d_json_set(json, "threshold", c3d_json_real(c->threshold));
    c3d_json_set(json, "replicates", c3d_json_int(c->n_replicates));
    c3d_json_set(json, "warnings", warnings);
    c3d_json_set(json, "settings", settings_json(c, context->settings, context->n_settings));
    c3d_json_set(json, "data", settings_json(c, context->data, context->n_data));
    c3d_json_set(json, "networks", networks_json(c, context));
    c3d_json_set(json, "differences", differences_json(c));
    c3d_json_set(json, "mcnemar", mcnemar_json(c));
    c3d_json_set(json, "paragraph", c3d_json_string(paragraph));
    const c3d_status st = c3d_json_write(path, json);
    c3d_json_free(json);
    return st;
}

/* ---- CSV ------------------------------------------------------------------------------------- */

static void put_real(FILE *stream, double value)
{
    (void)fputc(',', stream);
    if (isfinite(value)) (void)fprintf(stream, "%.9g", value);
}

static void put_row(FILE *stream, const c3d_compared_network *network, const c3d_compare_cost *cost)
{
    const bool is_reference = network->verdict == C3D_VERDICT_REFERENCE;
    const c3d_compared_value *value = &network->values[C3D_COMPARE_AUC];
    const c3d_compared_value *difference = &network->differences[C3D_COMPARE_AUC];
    const double none = (double)NAN;

    c3d_csv_put(stream, network->name);
    (void)fprintf(stream, ",%d", network->n_runs);
    put_real(stream, value->value);
    put_real(stream, value->low);
    put_real(stream, value->high);
    put_real(stream, is_reference ? none : difference->value);
    put_real(stream, is_reference ? none : difference->low);
    put_real(stream, is_reference ? none : difference->high);
    put_real(stream, is_reference ? none : network->p[C3D_COMPARE_AUC]);
    put_real(stream, is_reference ? none : network->p_holm[C3D_COMPARE_AUC]);
    (void)fprintf(stream, ",%s", c3d_verdict_text(network->verdict));
    for (int m = C3D_COMPARE_AUC + 1; m < C3D_N_COMPARED; m++)
        put_real(stream, network->values[m].value);
    put_real(stream, cost->parameters);
    put_real(stream, cost->multiply_adds);
    put_real(stream, cost->bytes_a_sample);
    put_real(stream, cost->samples_seen);
    put_real(stream, cost->device_hours);
    (void)fputc('\n', stream);
}

static c3d_status write_csv(const char *path, const c3d_comparison *c,
                            const c3d_compare_context *context)
{
    FILE *stream;

    C3D_TRY(c3d_file_open_new(path, &stream));
    (void)fprintf(stream, "network,runs,auc,auc_low,auc_high,difference,difference_low,"
                          "difference_high,p,p_holm,verdict");
    for (int m = C3D_COMPARE_AUC + 1; m < C3D_N_COMPARED; m++)
        (void)fprintf(stream, ",%s", c3d_compare_metric_name(m));
    (void)fprintf(stream, ",parameters,multiply_adds,bytes_a_sample,samples_seen,device_hours\n");
    for (int k = 0; k < c->n_networks; k++) put_row(stream, &c->networks[k], &context->costs[k]);
    return c3d_file_commit(path, stream);
}

/* ---- text ------------------------------------------------------------------------------------ */

void c3d_compare_print(const c3d_comparison *comparison, const c3d_compare_context *context,
                       c3d_text *out)
{
    c3d_text paragraph = { 0 };

    c3d_compare_print_table(comparison, context, out);
    c3d_compare_print_paragraph(comparison, context, &paragraph);
    c3d_text_add(out, "\n");
    c3d_paragraph_wrap(paragraph.text, LINE_WIDTH, out);
    c3d_text_free(&paragraph);
}

static c3d_status write_text(const char *path, const c3d_comparison *c,
                             const c3d_compare_context *context)
{
    c3d_text text = { 0 };

    c3d_compare_print_settings(context, &text);
    c3d_text_add(&text, "\n");
    c3d_compare_print(c, context, &text);
    const c3d_status st = c3d_file_write(path, text.text, text.length);
    c3d_text_free(&text);
    return st;
}

c3d_status c3d_compare_write(const char *dir, const c3d_comparison *comparison,
                             const c3d_compare_context *context)
{
    char path[C3D_PATH_MAX];
    c3d_text paragraph = { 0 };

    c3d_compare_print_paragraph(comparison, context, &paragraph);
    c3d_status st = c3d_path_join(path, dir, "comparison.json");
    if (st == C3D_OK) st = write_json(path, comparison, context, paragraph.text);
    c3d_text_free(&paragraph);
    if (st == C3D_OK) st = c3d_path_join(path, dir, "comparison.csv");
    if (st == C3D_OK) st = write_csv(path, comparison, context);
    if (st == C3D_OK) st = c3d_path_join(path, dir, "comparison.txt");
    return st == C3D_OK ? write_text(path, comparison, context) : st;
}
