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
    c3d_text_add(out, ", in %zu block%s (worth %s equal ones).", c->n_blocks,
                 c->n_blocks == 1 ? "" : "s", blocks);
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

/* So few runs that neither can be shown. */
static bool has_few_runs(const c3d_compared_network *network)
{
    return network->differences[METRIC].df < C3D_COMPARE_DF_MIN;
}

static void say_not_shown(const c3d_comparison *c, const c3d_compared_network *network,
                          c3d_text *out)
{
    const c3d_compared_network *reference = &c->networks[0];
    const bool is_alone_small = network->p[METRIC] <= C3D_COMPARE_ALPHA;

    c3d_text_add(out, " no difference shown");
    if (isnan(network->p[METRIC]))
        c3d_text_add(out, ".");
    else if (has_few_runs(network))
        c3d_text_add(
            out,
            ", for so few runs (%d of it, %d of %s) that differ from each other as these do show "
            "nothing, neither that there is a difference nor that there is none. Train "
            "more seeds.",
            network->n_runs, reference->n_runs, reference->name);
    else
        c3d_text_add(out, "%s.", is_alone_small ? " once all comparisons are counted" : "");
}

static void say_what_is_left(const c3d_comparison *c, c3d_text *out)
{
    for (int k = 1; k < c->n_networks; k++) {
        const c3d_compared_network *network = &c->networks[k];
        if (network->verdict != C3D_VERDICT_NOT_SHOWN || isnan(network->p[METRIC]) ||
            has_few_runs(network))
            continue;
        c3d_text_add(out, " That no difference is shown does not make two networks equal: any "
                          "difference in that interval agrees with these data.");
        return;
    }
}

static void say_network(const c3d_comparison *c, int k, c3d_text *out)
{
    const c3d_compared_network *network = &c->networks[k];

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
    else
        say_not_shown(c, network, out);
}

/* The terms of the sentences before, for who does not know them. */
static void say_terms(const c3d_comparison *c, c3d_text *out)
{
    const bool is_corrected = c->n_networks > 2;

    c3d_text_add(out,
                 " How to read this: the area is the chance that a sample %s gets a higher score "
                 "than one %s; 0.5 is guessing, 1 is perfect.",
                 c->n_outputs > 1 ? "of a class" : "with label 1",
                 c->n_outputs > 1 ? "of another, by the score of that class" : "with label 0");
    c3d_text_add(out, " Frames that lie together tell less than as many far apart, so a block of "
                      "them counts as one piece of evidence.");
    c3d_text_add(out,
                 " The 95 %% interval spans the differences that agree with these data. p is how "
                 "often chance alone would bring a difference as large or larger, if there were "
                 "none.%s A difference counts as shown when p%s is at most 0.05.",
                 is_corrected ? " Of several comparisons one may stand out by chance; Holm's "
                                "correction raises p for that."
                              : "",
                 is_corrected ? ", so corrected," : "");
}

bool c3d_compare_is_beside(const char *key)
{
    static const char *const prefixes[] = {
        "run.",
        "distributed.",
        "data.readers",
        "data.stage",
        "data.root",
        "data.store",
        "train.checkpoint",
        "train.keep",
        "train.micro_b",
        "model.autotune",
        "optimizer.state",
        "evaluation.batch",
        "evaluation.threads",
        "evaluation.regions",
        "evaluation.region_field",
        "evaluation.threshold",
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

typedef enum kind {
    NOT_KNOWN, /* but for the scores */
    DESCRIBED, /* in words, without a configuration */
    TRAINED_ONCE,
    OF_ONE_SEED, /* some of several runs */
} kind;

static bool is_of_kind(const c3d_comparison *c, const c3d_compare_context *context, int k, kind of)
{
    const c3d_compared_network *network = &c->networks[k];

    const bool is_described = context->trained && context->trained[k];

    if (of == NOT_KNOWN) return !context->has_config[k] && !is_described;
    if (of == DESCRIBED) return !context->has_config[k] && is_described;
    if (of == TRAINED_ONCE) return network->n_runs == 1;
    return network->n_seeds < network->n_runs;
}

static int list_networks(const c3d_comparison *c, const c3d_compare_context *context, kind of,
                         c3d_text *out)
{
    int n_said = 0;

    for (int k = 0; k < c->n_networks; k++)
        if (is_of_kind(c, context, k, of))
            c3d_text_add(out, "%s%s%s%s%s", n_said++ > 0 ? ", " : "", c->networks[k].name,
                         of == DESCRIBED ? " (" : "", of == DESCRIBED ? context->trained[k] : "",
                         of == DESCRIBED ? ")" : "");
    return n_said;
}

static void say_data(const c3d_compare_context *context, bool is_of_scoring, c3d_text *out)
{
    c3d_text keys = { 0 };

    for (int i = 0; i < context->n_data; i++)
        if (context->data[i].is_of_scoring == is_of_scoring)
            c3d_text_add(&keys, "%s%s", keys.length > 0 ? ", " : "", context->data[i].key);
    if (keys.length > 0)
        c3d_text_add(out,
                     " The networks %s (differs: %s), and a difference may come from that alone.",
                     is_of_scoring ? "were not scored alike" : "did not learn from the same data",
                     keys.text);
    c3d_text_free(&keys);
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
                     " Not only the model differs from %s: %s. A difference may come from any of "
                     "these settings.",
                     c->networks[0].name, keys.text);
    c3d_text_free(&keys);
    if (list_networks(c, context, NOT_KNOWN, &keys) > 0)
        c3d_text_add(out, " Not known here is how these were trained: %s.", keys.text);
    c3d_text_free(&keys);
    if (list_networks(c, context, DESCRIBED, &keys) > 0)
        c3d_text_add(out, " Trained by another program, as it says itself: %s.", keys.text);
    c3d_text_free(&keys);
    say_data(context, false, out);
    say_data(context, true, out);
}

static void say_trainings(const c3d_comparison *c, const c3d_compare_context *context,
                          c3d_text *out)
{
    c3d_text networks = { 0 };

    if (list_networks(c, context, TRAINED_ONCE, &networks) > 0)
        c3d_text_add(
            out,
            " Trained once: %s. How much luck there is in a training is then not known and "
            "in no interval; another training may move the difference by more.",
            networks.text);
    c3d_text_free(&networks);
    if (list_networks(c, context, OF_ONE_SEED, &networks) > 0)
        c3d_text_add(out,
                     " Runs that share a seed: %s. They are not trainings independent of each "
                     "other, so nothing is said about training anew.",
                     networks.text);
    c3d_text_free(&networks);
}

static void say_blocks(const c3d_compare_context *context, c3d_text *out)
{
    if (!context->has_blocks)
        c3d_text_add(out, " No blocks are known and every frame counts as one: where frames lie "
                          "together the intervals are too narrow and every p too small.");
    else if (context->are_blocks_lone)
        c3d_text_add(out, " Each block holds one frame of this list, so that all its frames count "
                          "as independent: right if blocks are larger than the distance over "
                          "which places are alike.");
}

static void say_limits(const c3d_comparison *c, const c3d_compare_context *context, c3d_text *out)
{
    char blocks[C3D_FIGURE_MAX];

    c3d_figure_blocks(c->effective_blocks, blocks);
    say_trainings(c, context, out);
    if (c->n_blocks < C3D_BLOCKS_MIN)
        c3d_text_add(out, " From %zu block%s, fewer than %d, nothing is concluded.", c->n_blocks,
                     c->n_blocks == 1 ? "" : "s", C3D_BLOCKS_MIN);
    else if (!c->is_enough)
        c3d_text_add(out,
                     " One class lies in so few of the blocks that they are worth %s equal ones, "
                     "fewer than %d: nothing is concluded.",
                     blocks, C3D_BLOCKS_MIN_EFFECTIVE);
    say_blocks(context, out);
    c3d_text_add(out,
                 " All of this is about places like those of this list and networks trained on "
                 "data like these. It says nothing about another region, another year or labels "
                 "made otherwise. McNemar's test, given beside, decides nothing: it takes "
                 "neighbouring frames as independent, which they are not.");
}

void c3d_compare_print_paragraph(const c3d_comparison *comparison,
                                 const c3d_compare_context *context, c3d_text *out)
{
    if (context->n_warnings > 0)
        c3d_text_add(out, "There are warnings, given beside: settle them before you rely on what "
                          "follows. ");
    say_measure(comparison, context, out);
    for (int k = 1; k < comparison->n_networks; k++) say_network(comparison, k, out);
    say_what_is_left(comparison, out);
    say_terms(comparison, out);
    say_settings(comparison, context, out);
    say_limits(comparison, context, out);
}
