/* The tables of a comparison, for a terminal. */
#include "score/columns.h"
#include "score/compare_figures.h"

#include <inttypes.h>
#include <math.h>

static void add_differing(const c3d_compare_context *context, const c3d_compare_setting *rows,
                          int n_rows, c3d_text *out)
{
    c3d_text cells = { 0 };

    for (int k = 0; k < context->n_networks; k++) c3d_text_add(&cells, "\t%s", context->names[k]);
    c3d_text_add(&cells, "\n");
    for (int i = 0; i < n_rows; i++) {
        c3d_text_add(&cells, "%s", rows[i].key);
        for (int k = 0; k < context->n_networks; k++)
            c3d_text_add(&cells, "\t%s", rows[i].values[k] ? rows[i].values[k] : "?");
        c3d_text_add(&cells, "\n");
    }
    c3d_columns_print(cells.text, 2, out);
    c3d_text_free(&cells);
}

void c3d_compare_print_settings(const c3d_compare_context *context, c3d_text *out)
{
    bool is_all_known = true;

    for (int k = 0; k < context->n_networks; k++) is_all_known &= context->has_config[k];
    if (context->n_settings > 0) {
        c3d_text_add(out, "Configurations differ in\n");
        add_differing(context, context->settings, context->n_settings, out);
    } else if (is_all_known) {
        c3d_text_add(out, "Configurations are the same but for the place of the run.\n");
    }
    for (int k = 0; k < context->n_networks; k++)
        if (!context->has_config[k] && context->trained && context->trained[k])
            c3d_text_add(out, "%s: no config.yaml; %s\n", context->names[k], context->trained[k]);
        else if (!context->has_config[k])
            c3d_text_add(out, "%s: configuration not known, no config.yaml\n", context->names[k]);
    if (context->n_data > 0) {
        c3d_text_add(out, "Data differ in\n");
        add_differing(context, context->data, context->n_data, out);
    } else {
        c3d_text_add(out, "Data: nothing known that differs; the test lists are the same.\n");
    }
    for (int i = 0; i < context->n_warnings; i++)
        c3d_text_add(out, "Warning: %s\n", context->warnings[i]);
}

/* 0.9531 (0.9210..0.9853) */
static void add_interval(const c3d_compared_value *v, void (*figure)(double, char *), c3d_text *out)
{
    char value[C3D_FIGURE_MAX], low[C3D_FIGURE_MAX], high[C3D_FIGURE_MAX];

    figure(v->value, value);
    figure(v->low, low);
    figure(v->high, high);
    if (isnan(v->low))
        c3d_text_add(out, "%s", value);
    else
        c3d_text_add(out, "%s (%s..%s)", value, low, high);
}

static void add_network(const c3d_compared_network *network, int metric, c3d_text *cells)
{
    char p[C3D_FIGURE_MAX], holm[C3D_FIGURE_MAX];

    c3d_text_add(cells, "%s\t%d\t", network->name, network->n_runs);
    add_interval(&network->values[metric], c3d_figure_value, cells);
    if (network->verdict == C3D_VERDICT_REFERENCE) {
        c3d_text_add(cells, "\t\t\t\t%s\n", c3d_verdict_text(network->verdict));
        return;
    }
    c3d_figure_p(network->p[metric], p);
    c3d_figure_p(network->p_holm[metric], holm);
    c3d_text_add(cells, "\t");
    add_interval(&network->differences[metric], c3d_figure_difference, cells);
    c3d_text_add(cells, "\t%s\t%s\t%s\n", p, holm, c3d_verdict_text(network->verdict));
}

static void add_primary(const c3d_comparison *c, c3d_text *out)
{
    const int metric = C3D_COMPARE_AUC;
    c3d_text cells = { 0 };

    c3d_text_add(&cells, "network\truns\t%s\tdifference from %s\tp\tp (Holm)\tverdict\n",
                 c3d_compare_metric_name(metric), c->networks[0].name);
    for (int k = 0; k < c->n_networks; k++) add_network(&c->networks[k], metric, &cells);
    c3d_columns_print(cells.text, 0, out);
    c3d_text_free(&cells);
}

static void add_secondary(const c3d_comparison *c, c3d_text *out)
{
    c3d_text cells = { 0 };

    c3d_text_add(&cells, "network");
    for (int m = C3D_COMPARE_AUC + 1; m < C3D_N_COMPARED; m++)
        c3d_text_add(&cells, "\t%s", c3d_compare_metric_name(m));
    c3d_text_add(&cells, "\n");
    for (int k = 0; k < c->n_networks; k++) {
        c3d_text_add(&cells, "%s", c->networks[k].name);
        for (int m = C3D_COMPARE_AUC + 1; m < C3D_N_COMPARED; m++) {
            char value[C3D_FIGURE_MAX];
            c3d_figure_value(c->networks[k].values[m].value, value);
            c3d_text_add(&cells, "\t%s", value);
        }
        c3d_text_add(&cells, "\n");
    }
    c3d_columns_print(cells.text, 0, out);
    c3d_text_free(&cells);
}

static void add_mcnemar(const c3d_comparison *c, c3d_text *out)
{
    c3d_text cells = { 0 };

    c3d_text_add(&cells, "network\trun\tonly %s right\tonly it right\tp\tmethod\n",
                 c->networks[0].name);
    for (int i = 0; i < c->n_mcnemar; i++) {
        const c3d_mcnemar *m = &c->mcnemar[i];
        char p[C3D_FIGURE_MAX];
        c3d_figure_p(m->p, p);
        c3d_text_add(&cells, "%s\t%d\t%" PRId64 "\t%" PRId64 "\t%s\t%s\n",
                     c->networks[m->network].name, m->run + 1, m->reference_only, m->network_only,
                     p, m->is_exact ? "exact" : "chi-squared");
    }
    c3d_columns_print(cells.text, 0, out);
    c3d_text_free(&cells);
}

static void add_amount(double amount, c3d_text *cells)
{
    if (isnan(amount))
        c3d_text_add(cells, "\t-");
    else
        c3d_text_add(cells, "\t%.6g", amount);
}

static void add_costs(const c3d_comparison *c, const c3d_compare_cost *costs, c3d_text *out)
{
    c3d_text cells = { 0 };

    c3d_text_add(&cells, "network\tparameters\tmultiply-adds\tbytes a sample\tsamples seen\t"
                         "device hours\n");
    for (int k = 0; k < c->n_networks; k++) {
        c3d_text_add(&cells, "%s", c->networks[k].name);
        add_amount(costs[k].parameters, &cells);
        add_amount(costs[k].multiply_adds, &cells);
        add_amount(costs[k].bytes_a_sample, &cells);
        add_amount(costs[k].samples_seen, &cells);
        add_amount(costs[k].device_hours, &cells);
        c3d_text_add(&cells, "\n");
    }
    c3d_columns_print(cells.text, 0, out);
    c3d_text_free(&cells);
}

void c3d_compare_print_table(const c3d_comparison *comparison, const c3d_compare_context *context,
                             c3d_text *out)
{
    const c3d_comparison *c = comparison;
    char blocks[C3D_FIGURE_MAX], threshold[C3D_FIGURE_MAX];

    c3d_figure_blocks(c->effective_blocks, blocks);
    c3d_figure_value(c->threshold, threshold);
    c3d_text_add(out, "Split %s: %zu samples", context->split, c->n);
    if (c->n_outputs == 1)
        c3d_text_add(out, ", %zu positive", c->n_positive);
    else
        c3d_text_add(out, " of %d classes", c->n_outputs);
    c3d_text_add(out, ", in %zu blocks, worth %s equal ones\n", c->n_blocks, blocks);
    add_primary(c, out);
    c3d_text_add(out, "\nOther measures, secondary; ");
    if (c->n_outputs == 1)
        c3d_text_add(out, "threshold %s", threshold);
    else
        c3d_text_add(out, "the class of the largest score");
    c3d_text_add(out, " (differences with intervals: comparison.json)\n");
    add_secondary(c, out);
    c3d_text_add(out, "\nMcNemar's test on these decisions; it takes neighbouring frames as "
                      "independent, which they are not: p is too small\n");
    add_mcnemar(c, out);
    c3d_text_add(out, "\nCost of a run\n");
    add_costs(c, context->costs, out);
}
