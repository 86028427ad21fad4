/* What a comparison says, in a paragraph made from the figures of the table. */
#include "score/compare_figures.h"

#include <math.h>
#include <string.h>

#define METRIC C3D_COMPARE_AUC

static const char *const verdict_texts[] = {
    [C3D_VERDICT_REFERENCE] = "reference",
    [C3D_VERDICT_SAME] = "no difference",
    [C3D_VERDICT_NOT_SHOWN] = "no difference shown",
    [C3D_VERDICT_BETTER] = "better",
    [C3D_VERDICT_WORSE] = "worse",
    [C3D_VERDICT_TOO_LITTLE] = "too little evidence",
};

const char *c3d_verdict_text(c3d_verdict verdict)
{
    return verdict_texts[verdict];
}

const char *c3d_compare_metric_name(int metric)
{
    static const char *const names[] = { "auc", "average_precision", "brier" };

    if (metric < C3D_COMPARE_COUNTS) return names[metric];
    return c3d_metric_name((c3d_metric)(metric - C3D_COMPARE_COUNTS));
}

static const char *runs(int n)
{
    return n == 1 ? "run" : "runs";
}

static void say_measure(const c3d_comparison *c, const c3d_compare_context *context, c3d_text *out)
{
    char blocks[C3D_FIGURE_MAX];

    c3d_figure_blocks(c->effective_blocks, blocks);
    c3d_text_add(out,
                 "Compared by the %sarea under the ROC curve (%s), fixed beforehand, on %zu "
                 "samples of split %s",
                 c->n_outputs > 1 ? "classes' mean " : "", c3d_compare_metric_name(METRIC), c->n,
                 context->split);
    if (c->n_outputs == 1) c3d_text_add(out, ", %zu of them positive", c->n_positive);
    c3d_text_add(out, ", in %zu blocks that are worth %s equal ones.", c->n_blocks, blocks);
}

/* "cnn2d (0.9119) differs from c3d (0.9531) by -0.0412, 95 % interval -0.0701 to -0.0123, p 0.0081,
 * after Holm's correction 0.0162:" */
static void say_difference(const c3d_comparison *c, const c3d_compared_network *network,
                           c3d_text *out)
{
    const c3d_compared_value *d = &network->differences[METRIC];
    char value[C3D_FIGURE_MAX], other[C3D_FIGURE_MAX], p[C3D_FIGURE_MAX], holm[C3D_FIGURE_MAX];
    char difference[C3D_FIGURE_MAX], low[C3D_FIGURE_MAX], high[C3D_FIGURE_MAX];

    c3d_figure_value(network->values[METRIC].value, value);
    c3d_figure_value(c->networks[0].values[METRIC].value, other);
    c3d_figure_difference(d->value, difference);
    c3d_figure_difference(d->low, low);
    c3d_figure_difference(d->high, high);
    c3d_figure_p(network->p[METRIC], p);
    c3d_figure_p(network->p_holm[METRIC], holm);
    c3d_text_add(out, " %s (%s) differs from %s (%s) by %s", network->name, value,
                 c->networks[0].name, other, difference);
    if (isnan(d->low))
        c3d_text_add(out, ", for which resampling gives no interval");
    else
        c3d_text_add(out, ", 95 %% interval %s to %s, p %s", low, high, p);
    if (c->n_networks > 2 && !isnan(d->low))
        c3d_text_add(out, ", after Holm's correction %s", holm);
    c3d_text_add(out, ":");
}

/* How far a difference that was found reaches. */
static void say_found(const c3d_comparison *c, const c3d_compared_network *network, c3d_text *out)
{
    const c3d_compared_network *reference = &c->networks[0];
    const char *verdict = c3d_verdict_text(network->verdict);

    if (network->is_of_models)
        c3d_text_add(out, " as trained here (%d %s of it, %d of %s) it is %s on places like these.",
                     network->n_runs, runs(network->n_runs), reference->n_runs, reference->name,
                     verdict);
    else
        c3d_text_add(out,
                     " it is %s on places like these, also when trained anew (%d and %d runs).",
                     verdict, network->n_runs, reference->n_runs);
}

static void say_network(const c3d_comparison *c, int k, c3d_text *out)
{
    const c3d_compared_network *network = &c->networks[k];
    const bool is_alone_small = network->p[METRIC] <= C3D_COMPARE_ALPHA;

    if (network->verdict == C3D_VERDICT_SAME) {
        c3d_text_add(out, " %s gives the very scores of %s: no difference.", network->name,
                     c->networks[0].name);
        return;
    }
    say_difference(c, network, out);
    if (network->verdict == C3D_VERDICT_TOO_LITTLE)
        c3d_text_add(out, " too little evidence to decide either way.");
    else if (network->verdict != C3D_VERDICT_NOT_SHOWN)
        say_found(c, network, out);
    else if (isnan(network->p[METRIC]))
        c3d_text_add(out, " no difference shown.");
    else
        c3d_text_add(out,
                     " no difference shown%s, which does not make them equal: any difference in "
                     "that interval agrees with these data.",
                     is_alone_small ? " once all comparisons are counted" : "");
}

bool c3d_compare_is_beside(const char *key)
{
    static const char *const prefixes[] = {
        "run.",       "distributed.",   "evaluation.",   "data.readers",
        "data.stage", "data.root",      "data.store",    "train.checkpoint",
        "train.keep", "model.autotune", "train.micro_b", "optimizer.state",
    };

    for (size_t i = 0; i < C3D_COUNT(prefixes); i++)
        if (strncmp(key, prefixes[i], strlen(prefixes[i])) == 0) return true;
    return false;
}

/* The keys in which network k is known to differ from the reference, but for those of the model. */
static int list_keys(const c3d_compare_context *context, int k, c3d_text *out)
{
    int n_said = 0;

    for (int i = 0; i < context->n_settings; i++) {
        const c3d_compare_setting *row = &context->settings[i];
        if (!row->values[0] || !row->values[k] || !strcmp(row->values[0], row->values[k])) continue;
        if (!strncmp(row->key, "model.", 6) || !strcmp(row->key, "data.seed") ||
            c3d_compare_is_beside(row->key))
            continue;
        c3d_text_add(out, "%s%s", n_said++ > 0 ? ", " : "", row->key);
    }
    return n_said;
}

/* Those of which nothing but the scores is known, or those that were trained once. */
static int list_networks(const c3d_comparison *c, const c3d_compare_context *context,
                         bool trained_once, c3d_text *out)
{
    int n_said = 0;

    for (int k = 0; k < c->n_networks; k++) {
        if (trained_once ? c->networks[k].n_runs > 1 : context->has_config[k]) continue;
        c3d_text_add(out, "%s%s", n_said++ > 0 ? ", " : "", c->networks[k].name);
    }
    return n_said;
}

static void say_settings(const c3d_comparison *c, const c3d_compare_context *context, c3d_text *out)
{
    c3d_text keys = { 0 };

    for (int k = 1; k < c->n_networks; k++) {
        c3d_text of_network = { 0 };
        if (list_keys(context, k, &of_network) > 0)
            c3d_text_add(&keys, "%s%s in %s", keys.length > 0 ? "; " : "", c->networks[k].name,
                         of_network.text);
        c3d_text_free(&of_network);
    }
    if (keys.length > 0)
        c3d_text_add(out,
                     " Not only the model differs from %s: %s. A difference is that of all such "
                     "keys together.",
                     c->networks[0].name, keys.text);
    c3d_text_free(&keys);
    if (list_networks(c, context, false, &keys) > 0)
        c3d_text_add(out, " Not known here is how these were trained: %s.", keys.text);
    c3d_text_free(&keys);
    for (int i = 0; i < context->n_data; i++)
        c3d_text_add(&keys, "%s%s", i > 0 ? ", " : "", context->data[i].key);
    if (keys.length > 0)
        c3d_text_add(out,
                     " They did not learn from the same (differs: %s), and a difference may come "
                     "from that alone.",
                     keys.text);
    c3d_text_free(&keys);
}

static void say_limits(const c3d_comparison *c, const c3d_compare_context *context, c3d_text *out)
{
    char blocks[C3D_FIGURE_MAX];
    c3d_text once = { 0 };

    c3d_figure_blocks(c->effective_blocks, blocks);
    if (list_networks(c, context, true, &once) > 0)
        c3d_text_add(out,
                     " Trained once, so that intervals leave out the luck of training: %s; another "
                     "training may move the difference by more.",
                     once.text);
    c3d_text_free(&once);
    if (c->n_blocks < C3D_BLOCKS_MIN)
        c3d_text_add(out, " From %zu blocks, fewer than %d, nothing is concluded.", c->n_blocks,
                     C3D_BLOCKS_MIN);
    else if (!c->is_enough)
        c3d_text_add(out,
                     " One class lies in so few of the blocks that they are worth %s equal ones, "
                     "fewer than %d: nothing is concluded.",
                     blocks, C3D_COMPARE_MIN_EFFECTIVE);
    if (!context->has_blocks)
        c3d_text_add(out, " No blocks are known and every frame counts as one: where frames lie "
                          "together the intervals are too narrow and every p too small.");
    c3d_text_add(out,
                 " All of this is about places like those of this list and networks trained on "
                 "data like these; another region, year or way to label is not covered. "
                 "McNemar's test, given beside, decides nothing: it takes neighbouring frames "
                 "as independent.");
}

void c3d_compare_print_paragraph(const c3d_comparison *comparison,
                                 const c3d_compare_context *context, c3d_text *out)
{
    say_measure(comparison, context, out);
    for (int k = 1; k < comparison->n_networks; k++) say_network(comparison, k, out);
    say_settings(comparison, context, out);
    say_limits(comparison, context, out);
}
