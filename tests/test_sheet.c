/* Figures of an evaluation against scikit-learn, statsmodels and sums written out:
 * tests/golden/scores.json, made by tests/support/make_scores_reference.py. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

#include "c3d/score.h"

static c3d_json *reference;

static void is_near(double value, const c3d_json *expected, const char *what)
{
    double wanted;

    if (!c3d_json_real_value(expected, &wanted)) {
        if (!isnan(value)) fail_msg("%s: %.17g, expected to be undefined", what, value);
    } else if (!(fabs(value - wanted) <= 1e-12)) {
        fail_msg("%s: %.17g is not %.17g", what, value, wanted);
    }
}

static void is_interval(double low, double high, const c3d_json *expected, const char *what)
{
    is_near(low, c3d_json_at(expected, 0), what);
    is_near(high, c3d_json_at(expected, 1), what);
}

static double real_of(const c3d_json *json)
{
    const char *text = c3d_json_string_value(json);
    double value;

    assert_true(text ? c3d_parse_real(text, &value) : c3d_json_real_value(json, &value));
    return value;
}

enum { MOST = 512, MOST_CLASSES = 3 };

typedef struct fixture {
    c3d_sheet_desc desc;
    float scores[MOST * MOST_CLASSES], losses[MOST];
    int32_t labels[MOST];
    int64_t blocks[MOST];
} fixture;

static void load(const c3d_json *of, int n_outputs, fixture *out)
{
    const c3d_json *scores = c3d_json_get(of, "scores"), *losses = c3d_json_get(of, "losses");
    const size_t n = c3d_json_length(scores);

    assert_true(n > 0 && n <= MOST);
    for (size_t i = 0; i < n; i++) {
        const c3d_json *row = c3d_json_at(scores, i);
        for (int k = 0; k < n_outputs; k++)
            out->scores[i * (size_t)n_outputs + (size_t)k] =
                (float)real_of(n_outputs > 1 ? c3d_json_at(row, (size_t)k) : row);
        out->labels[i] = (int32_t)real_of(c3d_json_at(c3d_json_get(of, "labels"), i));
        out->blocks[i] = (int64_t)real_of(c3d_json_at(c3d_json_get(of, "blocks"), i));
        if (losses) out->losses[i] = (float)real_of(c3d_json_at(losses, i));
    }
    out->desc = (c3d_sheet_desc){ .scores = out->scores,
                                  .labels = out->labels,
                                  .losses = losses ? out->losses : NULL,
                                  .n = n,
                                  .n_outputs = n_outputs,
                                  .blocks = out->blocks };
}

static void load_binary(fixture *out)
{
    const c3d_json *of = c3d_json_get(reference, "binary");
    const c3d_json *thresholds = c3d_json_get(of, "thresholds");

    load(of, 1, out);
    out->desc.n_thresholds = (int)c3d_json_length(thresholds);
    for (int t = 0; t < out->desc.n_thresholds; t++)
        out->desc.thresholds[t] = real_of(c3d_json_at(thresholds, (size_t)t));
}

static void figure_is(const c3d_figure *f, const c3d_json *value, const c3d_json *interval,
                      const char *what)
{
    is_near(f->value, value, what);
    is_interval(f->low, f->high, interval, what);
    assert_string_equal(f->method, "block-bootstrap");
}

static void binary_figures(void **state)
{
    const c3d_json *of = c3d_json_get(reference, "binary"), *at = c3d_json_get(of, "at");
    const c3d_json *areas = c3d_json_get(of, "areas");
    const c3d_json *intervals = c3d_json_get(of, "area_intervals");
    fixture f;
    c3d_sheet s;

    (void)state;
    load_binary(&f);
    assert_int_equal(c3d_sheet_make(&f.desc, &s), C3D_OK);
    assert_int_equal(s.n_blocks, 23);
    const c3d_figure *four[] = { &s.auc, &s.average_precision, &s.brier, &s.loss };
    for (size_t i = 0; i < 4; i++)
        figure_is(four[i], c3d_json_at(areas, i), c3d_json_at(intervals, i), "area");
    for (int t = 0; t < s.n_thresholds; t++) {
        const c3d_json *here = c3d_json_at(at, (size_t)t), *wilson = c3d_json_get(here, "wilson");
        const int64_t counts[] = { s.counts[t].tp, s.counts[t].fp, s.counts[t].tn, s.counts[t].fn };
        for (size_t i = 0; i < 4; i++)
            is_near((double)counts[i], c3d_json_at(c3d_json_get(here, "counts"), i), "count");
        for (int m = 0; m < C3D_N_METRICS; m++) {
            const char *name = c3d_metric_name((c3d_metric)m);
            const c3d_json *formula = c3d_json_get(wilson, name);
            figure_is(&s.at[t][m], c3d_json_get(c3d_json_get(here, "values"), name),
                      c3d_json_get(c3d_json_get(here, "intervals"), name), name);
            if (formula)
                is_interval(s.at[t][m].formula_low, s.at[t][m].formula_high, formula, name);
        }
    }
    c3d_sheet_free(&s);
}

static int find_x(const c3d_curve *curve, double x)
{
    for (int i = 0; i < curve->n; i++)
        if (fabs(curve->x[i] - x) < 1e-12) return i;
    return -1;
}

/* Where the thinned curves have a place of the reference; many of them. */
static int compare_curve(const c3d_curve *curve, const c3d_json *places, size_t first)
{
    const c3d_json *of = c3d_json_get(c3d_json_get(reference, "binary"), "curve");
    int n_found = 0;

    for (size_t i = 0; i < c3d_json_length(places); i++) {
        int at = find_x(curve, real_of(c3d_json_at(places, i)));
        if (at < 0) continue;
        if (at == 0 && curve->n > 1 && find_x(curve, 0) == 0 && curve->y[0] == 0)
            at = 1; /* NOLINT */
        if (fabs(curve->x[at] - real_of(c3d_json_at(places, i))) > 1e-12) continue;
        n_found++;
        is_near(curve->y[at], c3d_json_at(c3d_json_get(of, "values"), first + i), "curve");
        is_interval(curve->low[at], curve->high[at],
                    c3d_json_at(c3d_json_get(of, "intervals"), first + i), "band");
    }
    return n_found;
}

static void curves(void **state)
{
    const c3d_json *of = c3d_json_get(c3d_json_get(reference, "binary"), "curve");
    const c3d_json *rates = c3d_json_get(of, "rates"), *recalls = c3d_json_get(of, "recalls");
    fixture f;
    c3d_sheet s;

    (void)state;
    load_binary(&f);
    f.desc.with_curves = true;
    assert_int_equal(c3d_sheet_make(&f.desc, &s), C3D_OK);
    assert_true(s.roc.n <= C3D_CURVE_MAX && s.precision_recall.n <= C3D_CURVE_MAX);
    assert_true(s.roc.x[0] == 0 && s.roc.y[0] == 0);
    assert_true(s.roc.x[s.roc.n - 1] == 1 && s.roc.y[s.roc.n - 1] == 1);
    assert_true(s.precision_recall.x[s.precision_recall.n - 1] == 1);
    assert_true(compare_curve(&s.roc, rates, 0) >= 5);
    assert_true(compare_curve(&s.precision_recall, recalls, c3d_json_length(rates)) >= 5);
    c3d_sheet_free(&s);
}

static void class_figures(void **state)
{
    const c3d_json *of = c3d_json_get(reference, "classes"), *v = c3d_json_get(of, "values");
    const c3d_json *in = c3d_json_get(of, "intervals");
    const int k = 3;
    fixture f;
    c3d_sheet s;
    size_t i = 0;

    (void)state;
    load(of, k, &f);
    assert_int_equal(c3d_sheet_make(&f.desc, &s), C3D_OK);
    const c3d_figure *three[] = { &s.auc, &s.average_precision, &s.brier };
    for (size_t a = 0; a < 3; a++, i++)
        figure_is(three[a], c3d_json_at(v, i), c3d_json_at(in, i), "mean area");
    for (int m = 0; m < C3D_N_METRICS; m++, i++)
        figure_is(&s.metrics[m], c3d_json_at(v, i), c3d_json_at(in, i), "mean");
    for (int c = 0; c < k; c++) {
        const c3d_class_figures *class = &s.classes[c];
        for (int m = 0; m < C3D_N_METRICS; m++, i++)
            figure_is(&class->metrics[m], c3d_json_at(v, i), c3d_json_at(in, i), "class");
        figure_is(&class->auc, c3d_json_at(v, i), c3d_json_at(in, i), "class area"), i++;
        figure_is(&class->average_precision, c3d_json_at(v, i), c3d_json_at(in, i), "class area");
        i++;
    }
    for (int c = 0; c < k * k; c++, i++) {
        const c3d_json *row = c3d_json_at(c3d_json_get(of, "confusion"), (size_t)(c / k));
        is_near((double)s.confusion[c], c3d_json_at(row, (size_t)(c % k)), "confusion");
        figure_is(&s.confusion_shares[c], c3d_json_at(v, i), c3d_json_at(in, i), "share");
    }
    assert_int_equal(i, c3d_json_length(v));
    c3d_sheet_free(&s);
}

/* With fewer blocks than ten the formulas stand alone; each sample a block is not fewer. */
static void few_blocks_have_formulas(void **state)
{
    fixture f;
    c3d_sheet s;

    (void)state;
    load_binary(&f);
    for (size_t i = 0; i < f.desc.n; i++) f.blocks[i] %= 9;
    assert_int_equal(c3d_sheet_make(&f.desc, &s), C3D_OK);
    assert_true(s.n_blocks < C3D_BLOCKS_MIN + 8);
    c3d_sheet_free(&s);
    for (size_t i = 0; i < f.desc.n; i++) f.blocks[i] = (int64_t)(i % 9);
    assert_int_equal(c3d_sheet_make(&f.desc, &s), C3D_OK);
    assert_string_equal(s.at[0][C3D_METRIC_RECALL].method, "wilson");
    assert_true(s.at[0][C3D_METRIC_RECALL].low == s.at[0][C3D_METRIC_RECALL].formula_low);
    assert_true(isnan(s.brier.low));
    assert_string_equal(s.auc.method, "hanley-mcneil");
    c3d_sheet_free(&s);
    f.desc.blocks = NULL;
    assert_int_equal(c3d_sheet_make(&f.desc, &s), C3D_OK);
    assert_int_equal(s.n_blocks, f.desc.n);
    assert_string_equal(s.brier.method, "block-bootstrap");
    c3d_sheet_free(&s);
}

/* Samples enough of both labels everywhere, but for `last` blocks that alone have positives. */
static void cluster(fixture *f, size_t n_blocks, size_t last)
{
    f->desc = (c3d_sheet_desc){ .scores = f->scores,
                                .labels = f->labels,
                                .n = 300,
                                .n_outputs = 1,
                                .blocks = f->blocks,
                                .n_thresholds = 1,
                                .thresholds = { 0.5 },
                                .with_curves = true };
    for (size_t i = 0; i < 300; i++) {
        f->blocks[i] = (int64_t)(i % n_blocks);
        f->labels[i] = i % n_blocks >= n_blocks - last && i % 3 > 0;
        f->scores[i] = (float)((double)(i * 37 % 100) / 160 + 0.3 * f->labels[i]);
    }
}

/* 30 blocks, positives in four of them: what counts them has no interval by blocks, and says so. */
static void labels_in_few_blocks_are_said(void **state)
{
    fixture f;
    c3d_sheet s;

    (void)state;
    cluster(&f, 30, 4);
    assert_int_equal(c3d_sheet_make(&f.desc, &s), C3D_OK);
    const c3d_figure *at = s.at[0];
    assert_int_equal(s.n_blocks, 30);
    assert_true(s.positive_blocks < 4.1 && s.negative_blocks > 20);
    assert_int_equal(at[C3D_METRIC_RECALL].fallback, C3D_FALLBACK_POSITIVES);
    assert_string_equal(at[C3D_METRIC_RECALL].method, "wilson");
    assert_int_equal(at[C3D_METRIC_PRECISION].fallback, C3D_FALLBACK_POSITIVES);
    assert_int_equal(s.auc.fallback, C3D_FALLBACK_POSITIVES);
    assert_true(isnan(s.average_precision.low) && isnan(s.roc.low[1]));
    assert_int_equal(at[C3D_METRIC_SPECIFICITY].fallback, C3D_FALLBACK_NONE);
    assert_string_equal(at[C3D_METRIC_SPECIFICITY].method, "block-bootstrap");
    assert_string_equal(at[C3D_METRIC_ACCURACY].method, "block-bootstrap");
    c3d_sheet_free(&s);
    for (size_t i = 0; i < 300; i++) f.labels[i] = !f.labels[i];
    assert_int_equal(c3d_sheet_make(&f.desc, &s), C3D_OK);
    assert_int_equal(s.at[0][C3D_METRIC_SPECIFICITY].fallback, C3D_FALLBACK_NEGATIVES);
    assert_int_equal(s.at[0][C3D_METRIC_RECALL].fallback, C3D_FALLBACK_NONE);
    c3d_sheet_free(&s);
    cluster(&f, 30, 4); /* all but a few samples in one block */
    for (size_t i = 29; i < 300; i++) f.blocks[i] = 29;
    assert_int_equal(c3d_sheet_make(&f.desc, &s), C3D_OK);
    assert_int_equal(s.at[0][C3D_METRIC_ACCURACY].fallback, C3D_FALLBACK_BLOCKS);
    c3d_sheet_free(&s);
}

/* Where all is right in every replicate the formula says how sure that is. */
static void no_spread_is_no_certainty(void **state)
{
    fixture f;
    c3d_sheet s;

    (void)state;
    cluster(&f, 30, 30);
    for (size_t i = 0; i < 300; i++) f.scores[i] = f.labels[i] ? 0.9F : 0.1F;
    assert_int_equal(c3d_sheet_make(&f.desc, &s), C3D_OK);
    for (int m = 0; m < C3D_N_METRICS; m++) {
        const c3d_figure *figure = &s.at[0][m];
        assert_true(figure->value == 1);
        assert_int_equal(figure->fallback, C3D_FALLBACK_SPREAD);
        if (m == C3D_METRIC_F05) continue;
        assert_true(figure->low < 0.995 && figure->high == 1);
        assert_true(strncmp(figure->method, "wilson", 6) == 0);
    }
    assert_true(isnan(s.at[0][C3D_METRIC_F05].low));
    assert_true(s.auc.value == 1 && isnan(s.auc.low) && isnan(s.auc.high));
    assert_string_equal(s.auc.method, "none");
    c3d_sheet_free(&s);
}

/* The third class in two of 30 blocks, so one of eight replicates is without it: a mean over the
 * two others is not the mean of three. */
static void a_mean_is_over_the_same_classes(void **state)
{
    fixture f;
    c3d_sheet s;

    (void)state;
    cluster(&f, 30, 30);
    f.desc.n_outputs = 3;
    f.desc.n_thresholds = 0;
    f.desc.with_curves = false;
    for (size_t i = 0; i < 300; i++) {
        const size_t said = i * 7 % 11 < 3 ? (i + 1) % 2 : i % 2; /* never 2 */
        f.labels[i] = i % 30 < 2 ? 2 : (int32_t)(i % 2);
        for (size_t k = 0; k < 3; k++)
            f.scores[3 * i + k] = k == said ? 0.5F + 0.001F * (float)(i % 13) : 0.2F;
    }
    assert_int_equal(c3d_sheet_make(&f.desc, &s), C3D_OK);
    assert_true(isfinite(s.metrics[C3D_METRIC_RECALL].value));
    assert_true(isnan(s.metrics[C3D_METRIC_RECALL].low) && isnan(s.auc.low));
    assert_int_equal(s.metrics[C3D_METRIC_RECALL].fallback, C3D_FALLBACK_CLASS);
    assert_string_equal(s.metrics[C3D_METRIC_RECALL].method, "none");
    assert_int_equal(s.metrics[C3D_METRIC_ACCURACY].fallback, C3D_FALLBACK_NONE);
    assert_int_equal(s.classes[0].metrics[C3D_METRIC_RECALL].fallback, C3D_FALLBACK_NONE);
    assert_int_equal(s.classes[2].metrics[C3D_METRIC_RECALL].fallback, C3D_FALLBACK_POSITIVES);
    c3d_sheet_free(&s);
    /* Labels everywhere, but the third class said in one block alone: in one of three replicates
     * its precision is undefined. */
    for (size_t i = 0; i < 300; i++) {
        f.labels[i] = (int32_t)(i / 30 % 3);
        if (i % 30 == 0) f.scores[3 * i + 2] = 0.9F;
    }
    assert_int_equal(c3d_sheet_make(&f.desc, &s), C3D_OK);
    assert_int_equal(s.metrics[C3D_METRIC_RECALL].fallback, C3D_FALLBACK_NONE);
    assert_true(isfinite(s.metrics[C3D_METRIC_PRECISION].value));
    assert_int_equal(s.metrics[C3D_METRIC_PRECISION].fallback, C3D_FALLBACK_REPLICATES);
    assert_true(isnan(s.metrics[C3D_METRIC_PRECISION].low));
    c3d_sheet_free(&s);
}

static void calibration(void **state)
{
    const c3d_json *of = c3d_json_get(c3d_json_get(reference, "binary"), "calibration");
    c3d_calibration_bin bins[C3D_CALIBRATION_BINS];
    fixture f;

    (void)state;
    load_binary(&f);
    is_near(c3d_calibration(f.scores, f.labels, f.desc.n, bins), c3d_json_get(of, "error"),
            "error");
    for (size_t b = 0; b < C3D_CALIBRATION_BINS; b++) {
        is_near((double)bins[b].n, c3d_json_at(c3d_json_get(of, "n"), b), "n");
        is_near((double)bins[b].positives, c3d_json_at(c3d_json_get(of, "positives"), b),
                "positives");
        is_near(bins[b].mean_score, c3d_json_at(c3d_json_get(of, "mean_scores"), b), "mean");
    }
}

static void thresholds_are_chosen(void **state)
{
    const c3d_json *of = c3d_json_get(c3d_json_get(reference, "binary"), "choices");
    c3d_choice choice;
    double threshold;
    fixture f;

    (void)state;
    load_binary(&f);
    for (const char *key = c3d_json_next_key(of, NULL); key; key = c3d_json_next_key(of, key)) {
        assert_true(c3d_choice_parse(key, &choice));
        assert_int_equal(c3d_choose_threshold(&choice, f.scores, f.labels, f.desc.n, &threshold),
                         C3D_OK);
        is_near(threshold, c3d_json_get(of, key), key);
    }
    assert_true(c3d_choice_parse("recall=0.9", &choice));
    assert_string_equal(choice.name, "recall>=0.9");
    assert_false(c3d_choice_parse("recall", &choice));
    assert_false(c3d_choice_parse("recall=1.5", &choice));
    assert_false(c3d_choice_parse("f", &choice));
    assert_false(c3d_choice_parse("f0", &choice));
    assert_false(c3d_choice_parse("accuracy=0.5", &choice));
    /* What nothing reaches. */
    for (size_t i = 0; i < f.desc.n; i++) f.scores[i] = 0;
    assert_int_equal(c3d_choose_threshold(&choice, f.scores, f.labels, f.desc.n, &threshold),
                     C3D_OK);
    assert_true(isnan(threshold));
    /* Without a positive every F is 0: none is the largest. */
    load_binary(&f);
    for (size_t i = 0; i < f.desc.n; i++) f.labels[i] = 0;
    assert_true(c3d_choice_parse("f1", &choice));
    assert_int_equal(c3d_choose_threshold(&choice, f.scores, f.labels, f.desc.n, &threshold),
                     C3D_OK);
    assert_true(isnan(threshold));
}

static void weighted_is(const c3d_figure *f, const c3d_json *expected, const char *what)
{
    double half = 0;

    is_near(f->value, c3d_json_at(expected, 0), what);
    assert_true(c3d_json_real_value(c3d_json_at(expected, 1), &half));
    if (f->high < 1) assert_true(fabs(f->high - f->value - half) < 1e-12);
    if (f->low > 0) assert_true(fabs(f->value - f->low - half) < 1e-12);
}

static void weights_of_strata(void **state)
{
    const c3d_json *of = c3d_json_get(reference, "weighted");
    double weights[3];
    int64_t counts[27];
    c3d_weighted w;

    (void)state;
    for (size_t h = 0; h < 3; h++) {
        weights[h] = 1000 * real_of(c3d_json_at(c3d_json_get(of, "weights"), h)); /* sizes do too */
        for (size_t i = 0; i < 9; i++)
            counts[h * 9 + i] = (int64_t)real_of(
                c3d_json_at(c3d_json_at(c3d_json_at(c3d_json_get(of, "counts"), h), i / 3), i % 3));
    }
    const c3d_strata strata = { .n = 3, .n_classes = 3, .weights = weights, .counts = counts };
    assert_int_equal(c3d_weighted_make(&strata, &w), C3D_OK);
    weighted_is(&w.accuracy, c3d_json_get(of, "accuracy"), "accuracy");
    for (size_t c = 0; c < 3; c++) {
        weighted_is(&w.precision[c], c3d_json_at(c3d_json_get(of, "precision"), c), "precision");
        weighted_is(&w.recall[c], c3d_json_at(c3d_json_get(of, "recall"), c), "recall");
        weighted_is(&w.area[c], c3d_json_at(c3d_json_get(of, "area"), c), "area");
    }
    c3d_weighted_free(&w);
}

/* What is in a stratum without samples is not known; one of no area does not matter. */
static void a_stratum_without_samples_says_nothing(void **state)
{
    double weights[3] = { 0.2, 0.3, 0.5 };
    const int64_t counts[12] = { 8, 2, 1, 9, 5, 5, 2, 8 };
    const c3d_strata strata = { .n = 3, .n_classes = 2, .weights = weights, .counts = counts };
    c3d_weighted w;

    (void)state;
    assert_int_equal(c3d_weighted_make(&strata, &w), C3D_OK);
    const c3d_figure *all[] = { &w.accuracy, &w.precision[1], &w.recall[1], &w.area[1] };
    for (size_t i = 0; i < 4; i++) {
        assert_true(isnan(all[i]->value) && isnan(all[i]->low) && isnan(all[i]->high));
        assert_int_equal(all[i]->fallback, C3D_FALLBACK_STRATUM);
    }
    c3d_weighted_free(&w);
    weights[2] = 0;
    assert_int_equal(c3d_weighted_make(&strata, &w), C3D_OK);
    assert_true(fabs(w.accuracy.value - (0.2 * 0.85 + 0.3 * 0.65) / 0.5) < 1e-12);
    assert_true(w.accuracy.low < w.accuracy.value);
    c3d_weighted_free(&w);
    /* All right: no error is seen, which is not that there is none. */
    const int64_t right[8] = { 8, 0, 0, 9, 5, 0, 0, 8 };
    const c3d_strata sure = { .n = 2, .n_classes = 2, .weights = weights, .counts = right };
    assert_int_equal(c3d_weighted_make(&sure, &w), C3D_OK);
    assert_true(w.accuracy.value == 1 && isnan(w.accuracy.low));
    assert_int_equal(w.accuracy.fallback, C3D_FALLBACK_SPREAD);
    c3d_weighted_free(&w);
}

/* The example of Olofsson et al. (2014): deforestation, forest gain, stable forest, stable
 * non-forest, strata being the mapped classes. Values and half intervals (1.96 standard errors) as
 * their equations 4 to 11 give them; deforested are 21,158 +- 6,158 ha of 900,000. */
static void olofssons_example(void **state)
{
    static const double weights[4] = { 200000, 150000, 3200000, 6450000 };
    static const int64_t rows[4][4] = { /* map class by reference class */
                                        { 66, 0, 5, 4 },
                                        { 0, 55, 8, 12 },
                                        { 1, 0, 153, 11 },
                                        { 2, 1, 9, 313 }
    };
    static const double precision[4][2] = { { .88, .07404098 },
                                            { .73333333, .10075701 },
                                            { .92727273, .03974537 },
                                            { .96307692, .0205335 } };
    static const double recall[4][2] = { { .7486614, .21330985 },
                                         { .8471564, .25440836 },
                                         { .93450891, .03432442 },
                                         { .96160899, .01836154 } };
    int64_t counts[64] = { 0 };
    c3d_weighted w;

    (void)state;
    for (int h = 0; h < 4; h++)
        for (int label = 0; label < 4; label++) counts[16 * h + 4 * label + h] = rows[h][label];
    const c3d_strata strata = { .n = 4, .n_classes = 4, .weights = weights, .counts = counts };
    assert_int_equal(c3d_weighted_make(&strata, &w), C3D_OK);
    assert_true(fabs(w.accuracy.value - .94651189) < 1e-8);
    for (int c = 0; c < 4; c++) {
        assert_true(fabs(w.precision[c].value - precision[c][0]) < 1e-8);
        assert_true(fabs(w.precision[c].value - w.precision[c].low - precision[c][1]) < 1e-5);
        assert_true(fabs(w.recall[c].value - recall[c][0]) < 1e-7);
        assert_true(fabs(w.recall[c].value - w.recall[c].low - recall[c][1]) < 1e-5);
    }
    assert_true(fabs(w.area[0].value * 900000 - 21158) < 1);
    assert_true(fabs((w.area[0].high - w.area[0].value) * 900000 - 6158) < 1);
    c3d_weighted_free(&w);
}

static void a_table_is_read(void **state)
{
    static const char *const bad[][2] = {
        { "sample_id,frame_id,first_month,label\n", "no column score" },
        { "sample_id,frame_id,first_month,label,score\n", "no row" },
        { "sample_id,frame_id,first_month,label,score\n1,2,2020-01,2,0.5\n", ":2: column label" },
        { "sample_id,frame_id,first_month,label,score\n1,2,2020-01,1,nan\n", ":2: column score" },
        { "sample_id,frame_id,first_month,label,score\n1,2,2020-01,1,1.5\n", ":2: column score" },
        { "sample_id,frame_id,first_month,label,score_0\n1,2,2020-01,0,1\n", "score_1" },
    };
    const char *good = "sample_id,frame_id,first_month,label,score,block\n"
                       "17,4,2020-09,1,0.25,-3\n18,5,2020-09,0,1,7\n";
    c3d_score_table t;

    (void)state;
    assert_int_equal(c3d_file_write("table.csv", good, strlen(good)), C3D_OK);
    assert_int_equal(c3d_score_table_read("table.csv", &t), C3D_OK);
    assert_int_equal(t.n, 2);
    assert_int_equal(t.n_outputs, 1);
    assert_true(t.has_blocks && t.rows[0].block == -3 && t.rows[0].sample_id == 17);
    assert_true(t.labels[0] == 1 && t.scores[0] == 0.25F && t.rows[1].frame_id == 5);
    assert_string_equal(t.rows[1].first_month, "2020-09");
    c3d_score_table_free(&t);
    for (size_t i = 0; i < C3D_COUNT(bad); i++) {
        assert_int_equal(c3d_file_write("table.csv", bad[i][0], strlen(bad[i][0])), C3D_OK);
        assert_int_equal(c3d_score_table_read("table.csv", &t), C3D_EDATA);
        if (!strstr(c3d_error_last()->message, bad[i][1]))
            fail_msg("%s: %s", bad[i][1], c3d_error_last()->message);
    }
    assert_int_equal(remove("table.csv"), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_figures),
        cmocka_unit_test(curves),
        cmocka_unit_test(class_figures),
        cmocka_unit_test(few_blocks_have_formulas),
        cmocka_unit_test(labels_in_few_blocks_are_said),
        cmocka_unit_test(no_spread_is_no_certainty),
        cmocka_unit_test(a_mean_is_over_the_same_classes),
        cmocka_unit_test(a_stratum_without_samples_says_nothing),
        cmocka_unit_test(calibration),
        cmocka_unit_test(thresholds_are_chosen),
        cmocka_unit_test(weights_of_strata),
        cmocka_unit_test(olofssons_example),
        cmocka_unit_test(a_table_is_read),
    };

    if (argc != 2 || c3d_json_read(argv[1], &reference) != C3D_OK) return 1;
    const int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    c3d_json_free(reference);
    return n_failed;
}
