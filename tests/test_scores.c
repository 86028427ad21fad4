/* Scores: against hand-made counts and published examples of the intervals. */
#include <math.h>

#include "support/cm.h"

#include "c3d/train.h"

static void is_near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance)) fail_msg("%.17g is not %.17g", a, b);
}

static void counts_are_above_the_threshold(void **state)
{
    const float scores[] = { 0.9F, 0.91F, 0.1F, 0.95F, 0.5F, 0.2F };
    const int32_t labels[] = { 1, 1, 1, 0, 0, 0 };
    const c3d_counts c = c3d_counts_at(scores, labels, 6, (double)0.9F);

    (void)state;
    assert_int_equal(c.tp, 1); /* a score of exactly 0.9 is not above it */
    assert_int_equal(c.fp, 1);
    assert_int_equal(c.tn, 2);
    assert_int_equal(c.fn, 2);
}

/* Newcombe (1998), Statistics in Medicine 17, table I: Wilson for 81/263, 15/148, 0/20, 1/29. */
static void wilson_is_newcombes(void **state)
{
    static const struct {
        int64_t k, n;
        double low, high;
    } cases[] = { { 81, 263, 0.2553, 0.3662 },
                  { 15, 148, 0.0624, 0.1605 },
                  { 0, 20, 0.0000, 0.1611 },
                  { 1, 29, 0.0061, 0.1718 } };

    (void)state;
    for (size_t i = 0; i < C3D_COUNT(cases); i++) {
        c3d_estimate e[C3D_N_METRICS];
        const c3d_counts c = { .tp = cases[i].k, .fn = cases[i].n - cases[i].k };
        c3d_metrics_of(c, e);
        is_near(e[C3D_METRIC_RECALL].low, cases[i].low, 5e-5);
        is_near(e[C3D_METRIC_RECALL].high, cases[i].high, 5e-5);
    }
}

static void metrics_follow_from_counts(void **state)
{
    c3d_estimate e[C3D_N_METRICS];
    const c3d_counts c = { .tp = 40, .fp = 10, .tn = 45, .fn = 5 };

    (void)state;
    c3d_metrics_of(c, e);
    is_near(e[C3D_METRIC_ACCURACY].value, 0.85, 1e-15);
    is_near(e[C3D_METRIC_PRECISION].value, 0.8, 1e-15);
    is_near(e[C3D_METRIC_RECALL].value, 40.0 / 45, 1e-15);
    is_near(e[C3D_METRIC_SPECIFICITY].value, 45.0 / 55, 1e-15);
    is_near(e[C3D_METRIC_F1].value, 80.0 / 95, 1e-15);
    assert_true(e[C3D_METRIC_F1].low < e[C3D_METRIC_F1].value);
    assert_true(e[C3D_METRIC_F1].high > e[C3D_METRIC_F1].value);
}

static void nothing_said_positive_has_no_precision(void **state)
{
    c3d_estimate e[C3D_N_METRICS];
    const c3d_counts c = { .tn = 3, .fn = 2 };

    (void)state;
    c3d_metrics_of(c, e);
    assert_true(isnan(e[C3D_METRIC_PRECISION].value));
    assert_true(isnan(e[C3D_METRIC_PRECISION].low));
    is_near(e[C3D_METRIC_RECALL].value, 0, 0);
}

/* The pair-counting definition, ties half. */
static double naive_auc(const float *scores, const int32_t *labels, size_t n)
{
    double sum = 0, pairs = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            if (labels[i] != 1 || labels[j] != 0) continue;
            pairs++;
            sum += scores[i] > scores[j] ? 1 : scores[i] < scores[j] ? 0 : 0.5;
        }
    return sum / pairs;
}

static void auc_counts_pairs(void **state)
{
    enum { N = 200 };
    float scores[N];
    int32_t labels[N];
    c3d_estimate e;

    (void)state;
    for (int i = 0; i < N; i++) {
        labels[i] = c3d_random_unit(3, C3D_STREAM(C3D_PURPOSE_TEST, 0), (uint64_t)i) < 0.3;
        const double u = c3d_random_unit(3, C3D_STREAM(C3D_PURPOSE_TEST, 1), (uint64_t)i);
        scores[i] = (float)floor(10 * (0.7 * u + 0.3 * labels[i])) / 10; /* many ties */
    }
    assert_int_equal(c3d_auc(scores, labels, N, &e), C3D_OK);
    is_near(e.value, naive_auc(scores, labels, N), 1e-14);
    assert_true(e.low < e.value && e.value < e.high && e.high <= 1);
    for (int i = 0; i < N; i++) labels[i] = 1;
    assert_int_equal(c3d_auc(scores, labels, N, &e), C3D_OK);
    assert_true(isnan(e.value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_above_the_threshold),
        cmocka_unit_test(wilson_is_newcombes),
        cmocka_unit_test(metrics_follow_from_counts),
        cmocka_unit_test(nothing_said_positive_has_no_precision),
        cmocka_unit_test(auc_counts_pairs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
