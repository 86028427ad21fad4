#include "c3d/compare.h"
#include "score/compare_run.h"
#include "score/distributions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A figure of which less than this share of the bootstrap's lists has a value is given none. */
#define MIN_DEFINED 0.95

/* Welford (1962): mean and sum of squares about it, of the values that are finite. */
typedef struct spread {
    int n;
    double mean, squares;
} spread;

static void spread_add(spread *s, double value)
{
    if (!isfinite(value)) return;
    const double off = value - s->mean;
    s->n++;
    s->mean += off / s->n;
    s->squares += off * (value - s->mean);
}

static double spread_variance(const spread *s, int n_wanted)
{
    return s->n >= 2 && s->n >= MIN_DEFINED * n_wanted ? s->squares / (s->n - 1) : (double)NAN;
}

/* Of one network over the bootstrap's lists. */
typedef struct spreads {
    spread value[C3D_N_COMPARED], difference[C3D_N_COMPARED];
} spreads;

typedef struct work {
    const c3d_compare_desc *desc;
    c3d_comparison *out;
    c3d_blocks blocks;
    uint32_t *times;       /* [blocks.n] */
    int n_runs;            /* of all networks */
    c3d_compare_run *runs; /* [n_runs], network by network */
    double *whole;         /* [n_runs][C3D_N_COMPARED] on the list itself */
    double *values;        /* the same on one of the bootstrap's */
    spreads *spreads;      /* [n_networks] */
} work;

/* ---- blocks ---------------------------------------------------------------------------------- */

/* The smallest worth of a label that occurs. is: [n] work space. */
static c3d_status look_at_labels(work *w, bool *is)
{
    const int n_labels = w->desc->n_outputs > 1 ? w->desc->n_outputs : 2;
    size_t n_known = 0;

    w->out->effective_blocks = (double)w->blocks.n;
    for (int32_t label = 0; label < n_labels; label++) {
        size_t n = 0;
        double blocks;
        for (size_t i = 0; i < w->desc->n; i++) n += is[i] = w->desc->labels[i] == label;
        C3D_TRY(c3d_blocks_worth(&w->blocks, is, &blocks));
        if (n == w->desc->n)
            return C3D_FAIL(C3D_EDATA, "test list: all %zu labels are %d, nothing to tell apart", n,
                            label);
        if (n > 0) w->out->effective_blocks = fmin(w->out->effective_blocks, blocks);
        if (label == 1) w->out->n_positive = n;
        n_known += n;
    }
    if (n_known == w->desc->n) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "test list: %zu labels are none of 0 to %d", w->desc->n - n_known,
                    n_labels - 1);
}

static c3d_status look_at_blocks(work *w)
{
    c3d_comparison *out = w->out;

    C3D_TRY(c3d_blocks_make(w->desc->blocks, w->desc->n, &w->blocks));
    w->times = c3d_calloc(w->blocks.n, sizeof *w->times);
    bool *is = c3d_calloc(w->desc->n + 1, sizeof *is);
    const c3d_status st = w->times && is ? look_at_labels(w, is) : C3D_ENOMEM;
    free(is);
    out->n_blocks = w->blocks.n;
    out->is_enough = c3d_blocks_are_enough(out->n_blocks, out->effective_blocks);
    return st;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static c3d_status rank_runs(work *w)
{
    const c3d_compare_desc *desc = w->desc;
    int at = 0;

    for (int k = 0; k < desc->n_networks; k++) w->n_runs += desc->networks[k].n_runs;
    w->runs = c3d_calloc((size_t)w->n_runs, sizeof *w->runs);
    w->whole = c3d_calloc((size_t)w->n_runs * C3D_N_COMPARED, sizeof *w->whole);
    w->values = c3d_calloc((size_t)w->n_runs * C3D_N_COMPARED, sizeof *w->values);
    w->spreads = c3d_calloc((size_t)desc->n_networks, sizeof *w->spreads);
    if (!w->runs || !w->whole || !w->values || !w->spreads) return C3D_ENOMEM;
    for (int k = 0; k < desc->n_networks; k++)
        for (int r = 0; r < desc->networks[k].n_runs; r++)
            C3D_TRY(c3d_compare_run_make(desc, desc->networks[k].scores[r], &w->blocks,
                                         &w->runs[at++]));
    return C3D_OK;
}

static void measure_runs(const work *w, double *values)
{
    for (int r = 0; r < w->n_runs; r++)
        c3d_compare_run_measure(&w->runs[r], &w->blocks, w->times,
                                values + (size_t)r * C3D_N_COMPARED);
}

/* Runs [n_runs] of a network: their mean, and the variance of that mean over other seeds. */
typedef struct seeds {
    double mean, variance, df;
} seeds;

static seeds seeds_of(const double *values, int n_runs, int metric)
{
    spread s = { 0 };

    for (int r = 0; r < n_runs; r++) {
        const double value = values[r * C3D_N_COMPARED + metric];
        if (!isfinite(value)) return (seeds){ .mean = NAN, .variance = NAN };
        spread_add(&s, value);
    }
    return (seeds){
        .mean = s.mean,
        .variance = n_runs > 1 ? s.squares / (n_runs - 1) / n_runs : 0,
        .df = n_runs - 1,
    };
}

/* ---- the bootstrap --------------------------------------------------------------------------- */

static void collect(const work *w)
{
    const double *of_network = w->values;
    double reference[C3D_N_COMPARED] = { 0 };

    for (int k = 0; k < w->desc->n_networks; k++) {
        const int n_runs = w->desc->networks[k].n_runs;
        for (int m = 0; m < C3D_N_COMPARED; m++) {
            const double mean = seeds_of(of_network, n_runs, m).mean;
            if (k == 0) reference[m] = mean;
            spread_add(&w->spreads[k].value[m], mean);
            spread_add(&w->spreads[k].difference[m], mean - reference[m]);
        }
        of_network += (size_t)n_runs * C3D_N_COMPARED;
    }
}

static void bootstrap(work *w)
{
    c3d_progress progress;

    c3d_progress_begin(&progress, "comparing", w->desc->n_replicates, "lists");
    for (int r = 0; r < w->desc->n_replicates; r++) {
        c3d_blocks_draw(w->blocks.n, C3D_BOOTSTRAP_SEED, (uint64_t)r, w->times);
        measure_runs(w, w->values);
        collect(w);
        c3d_progress_update(&progress, r + 1);
    }
    c3d_progress_end(&progress);
}

/* ---- intervals and verdicts ------------------------------------------------------------------ */

/* The variance of blocks with that of one or two networks' seeds; Satterthwaite (1946). */
static c3d_compared_value interval_of(const work *w, double value, const spread *blocks,
                                      const seeds *a, const seeds *b)
{
    const double n = (double)w->blocks.n, share = n > 1 ? n / (n - 1) : (double)NAN;
    const double v = spread_variance(blocks, w->desc->n_replicates) * share;
    const double total = v + a->variance + (b ? b->variance : 0);
    const double blocks_df = w->out->effective_blocks - 1;
    double uncertain = v * v / blocks_df;
    c3d_compared_value out = { .value = value, .se = NAN, .df = NAN, .low = NAN, .high = NAN };

    if (a->variance > 0) uncertain += a->variance * a->variance / a->df;
    if (b && b->variance > 0) uncertain += b->variance * b->variance / b->df;
    if (!(total > 0) || !(blocks_df > 0)) return out;
    out.se = sqrt(total);
    out.df = total * total / uncertain;
    const double half = c3d_t_quantile(C3D_COMPARE_ALPHA, out.df) * out.se;
    out.low = value - half;
    out.high = value + half;
    return out;
}

static bool are_the_same(const c3d_compare_desc *desc, int k)
{
    const c3d_compare_network *a = &desc->networks[0], *b = &desc->networks[k];
    const size_t n = desc->n * (size_t)desc->n_outputs;

    if (a->n_runs != b->n_runs) return false;
    for (int r = 0; r < a->n_runs; r++)
        if (memcmp(a->scores[r], b->scores[r], n * sizeof(float)) != 0) return false;
    return true;
}

static int n_seeds(const c3d_compare_network *network)
{
    return network->n_seeds > 0 ? network->n_seeds : network->n_runs;
}

/* Several times, and each time with another seed. */
static bool is_trained_anew(const c3d_compare_network *network)
{
    return network->n_runs > 1 && n_seeds(network) == network->n_runs;
}

/* The largest value a figure can have; the smallest is 0. */
static double largest(const c3d_compare_desc *desc, int metric)
{
    return metric == C3D_COMPARE_BRIER && desc->n_outputs > 1 ? 2 : 1;
}

/* Student's t knows nothing of what is possible. */
static void cut(c3d_compared_value *v, double least, double most)
{
    if (isnan(v->se)) return;
    v->low = fmax(v->low, least);
    v->high = fmin(v->high, most);
}

static void compare_with_reference(const work *w, int k, const double *values)
{
    const c3d_compare_network *networks = w->desc->networks;
    const bool is_same = are_the_same(w->desc, k);
    c3d_compared_network *to = &w->out->networks[k];

    for (int m = 0; m < C3D_N_COMPARED; m++) {
        const seeds here = seeds_of(values, networks[k].n_runs, m);
        const seeds there = seeds_of(w->whole, networks[0].n_runs, m);
        c3d_compared_value *d = &to->differences[m];

        to->values[m] = interval_of(w, here.mean, &w->spreads[k].value[m], &here, NULL);
        cut(&to->values[m], 0, largest(w->desc, m));
        if (is_same && isfinite(here.mean)) {
            *d = (c3d_compared_value){ .df = INFINITY };
            to->p[m] = 1;
        } else {
            *d =
                interval_of(w, here.mean - there.mean, &w->spreads[k].difference[m], &here, &there);
            to->p[m] = c3d_t_two_sided(d->value / d->se, d->df);
            cut(d, -largest(w->desc, m), largest(w->desc, m));
        }
    }
    to->is_of_models = !is_trained_anew(&networks[0]) || !is_trained_anew(&networks[k]);
    to->verdict = k == 0    ? C3D_VERDICT_REFERENCE
                  : is_same ? C3D_VERDICT_SAME
                            : C3D_VERDICT_NOT_SHOWN;
}

static void decide(const c3d_comparison *c, c3d_compared_network *network)
{
    const double d = network->differences[C3D_COMPARE_AUC].value;
    const double p = network->p_holm[C3D_COMPARE_AUC];

    if (network->verdict != C3D_VERDICT_NOT_SHOWN) return;
    if (!c->is_enough || (isnan(p) && d != 0)) /* NOLINT: exactly none */
        network->verdict = C3D_VERDICT_TOO_LITTLE;
    else if (p <= C3D_COMPARE_ALPHA)
        network->verdict = d > 0 ? C3D_VERDICT_BETTER : C3D_VERDICT_WORSE;
}

static c3d_status correct(c3d_comparison *c)
{
    const int n = c->n_networks - 1;
    double *p = c3d_calloc((size_t)n, sizeof *p), *holm = c3d_calloc((size_t)n, sizeof *holm);

    for (int m = 0; p && holm && m < C3D_N_COMPARED; m++) {
        for (int k = 0; k < n; k++) p[k] = c->networks[k + 1].p[m];
        c3d_holm(p, n, holm);
        for (int k = 0; k < n; k++) c->networks[k + 1].p_holm[m] = holm[k];
    }
    const c3d_status st = p && holm ? C3D_OK : C3D_ENOMEM;
    free(p);
    free(holm);
    for (int k = 1; st == C3D_OK && k <= n; k++) decide(c, &c->networks[k]);
    return st;
}

static c3d_status judge(work *w)
{
    const double *values = w->whole;

    for (int k = 0; k < w->desc->n_networks; k++) {
        w->out->networks[k].name = w->desc->networks[k].name;
        w->out->networks[k].n_runs = w->desc->networks[k].n_runs;
        w->out->networks[k].n_seeds = n_seeds(&w->desc->networks[k]);
        compare_with_reference(w, k, values);
        values += (size_t)w->desc->networks[k].n_runs * C3D_N_COMPARED;
    }
    return correct(w->out);
}

/* ---- McNemar --------------------------------------------------------------------------------- */

static c3d_mcnemar discordant(const c3d_compare_desc *desc, const float *reference,
                              const float *other)
{
    int64_t reference_only = 0, network_only = 0;

    for (size_t i = 0; i < desc->n; i++) {
        const bool first = c3d_compare_is_right(desc, reference, i);
        const bool second = c3d_compare_is_right(desc, other, i);
        reference_only += first && !second;
        network_only += !first && second;
    }
    return c3d_mcnemar_of(reference_only, network_only);
}

static c3d_status test_pairs(const work *w)
{
    const c3d_compare_network *networks = w->desc->networks;
    c3d_comparison *c = w->out;
    int n = 0;

    for (int k = 1; k < c->n_networks; k++)
        n += networks[k].n_runs < networks[0].n_runs ? networks[k].n_runs : networks[0].n_runs;
    c->mcnemar = c3d_calloc((size_t)n, sizeof *c->mcnemar);
    if (!c->mcnemar) return C3D_ENOMEM;
    for (int k = 1; k < c->n_networks; k++)
        for (int r = 0; r < networks[k].n_runs && r < networks[0].n_runs; r++) {
            c3d_mcnemar *to = &c->mcnemar[c->n_mcnemar++];
            *to = discordant(w->desc, networks[0].scores[r], networks[k].scores[r]);
            to->network = k;
            to->run = r;
        }
    return C3D_OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static c3d_status compare(work *w)
{
    C3D_TRY(look_at_blocks(w));
    C3D_TRY(rank_runs(w));
    for (size_t b = 0; b < w->blocks.n; b++) w->times[b] = 1;
    measure_runs(w, w->whole);
    bootstrap(w);
    C3D_TRY(judge(w));
    return test_pairs(w);
}

c3d_status c3d_compare(const c3d_compare_desc *desc, c3d_comparison *out)
{
    c3d_comparison comparison = {
        .n = desc->n,
        .n_outputs = desc->n_outputs,
        .threshold = desc->threshold,
        .n_replicates = desc->n_replicates,
        .n_networks = desc->n_networks,
        .networks = c3d_calloc((size_t)desc->n_networks, sizeof *comparison.networks),
    };
    work w = { .desc = desc, .out = &comparison };

    C3D_ASSERT(desc->n_networks >= 2 && desc->n_replicates >= 2);
    const c3d_status st = comparison.networks ? compare(&w) : C3D_ENOMEM;
    for (int r = 0; w.runs && r < w.n_runs; r++) c3d_compare_run_free(&w.runs[r]);
    free(w.runs);
    c3d_blocks_free(&w.blocks);
    free(w.times);
    free(w.whole);
    free(w.values);
    free(w.spreads);
    if (st == C3D_OK)
        *out = comparison;
    else
        c3d_comparison_free(&comparison);
    return st;
}

void c3d_comparison_free(c3d_comparison *comparison)
{
    free(comparison->networks);
    free(comparison->mcnemar);
    *comparison = (c3d_comparison){ 0 };
}
