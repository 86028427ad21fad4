/* Scores: against hand-made counts and published examples of the intervals. */
#include <math.h>

#include "support/cm.h"

#include "c3d/score.h"

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

/* Newcombe (1998) puts the distances to the limits of two shares together by squares. */
static void further_metrics_follow_from_counts(void **state)
{
    c3d_estimate e[C3D_N_METRICS];
    const c3d_counts c = { .tp = 40, .fp = 10, .tn = 45, .fn = 5 };

    (void)state;
    c3d_metrics_of(c, e);
    for (int m = 0; m < C3D_N_METRICS; m++) {
        is_near(e[m].value, c3d_metric_of(c, (c3d_metric)m), 1e-15);
        assert_string_equal(e[m].name, c3d_metric_name((c3d_metric)m));
    }
    is_near(e[C3D_METRIC_BALANCED_ACCURACY].value, (40.0 / 45 + 45.0 / 55) / 2, 1e-15);
    is_near(e[C3D_METRIC_F05].value, 1.25 * 40 / (1.25 * 40 + 0.25 * 5 + 10), 1e-15);
    is_near(c3d_f_beta(c, 2), 5.0 * 40 / (5.0 * 40 + 4.0 * 5 + 10), 1e-15);
    is_near(e[C3D_METRIC_BALANCED_ACCURACY].value - e[C3D_METRIC_BALANCED_ACCURACY].low,
            hypot(e[C3D_METRIC_RECALL].value - e[C3D_METRIC_RECALL].low,
                  e[C3D_METRIC_SPECIFICITY].value - e[C3D_METRIC_SPECIFICITY].low) /
                2,
            1e-15);
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

/* Nine samples of three classes. Predicted: 0 1 0 | 1 1 | 2 0 2 1 (labels 0 0 0 | 1 1 | 2 2 2 2).
 */
static const float class_scores[] = {
    0.6F, 0.3F, 0.1F, /* right */
    0.2F, 0.5F, 0.3F, /* */
    0.4F, 0.4F, 0.2F, /* a tie is the lower class's */
    0.1F, 0.8F, 0.1F, /* */
    0.2F, 0.4F, 0.4F, /* */
    0.1F, 0.2F, 0.7F, /* */
    0.5F, 0.1F, 0.4F, /* */
    0.0F, 0.0F, 1.0F, /* */
    0.2F, 0.5F, 0.3F,
};
static const int32_t class_labels[] = { 0, 0, 0, 1, 1, 2, 2, 2, 2 };

static void classes_go_to_the_largest_score(void **state)
{
    static const int64_t expected[9] = { 2, 1, 0, 0, 2, 0, 1, 1, 2 };
    int64_t confusion[9];
    c3d_counts counts[3];

    (void)state;
    c3d_confusion(class_scores, class_labels, 9, 3, confusion);
    for (int i = 0; i < 9; i++) assert_int_equal(confusion[i], expected[i]);
    c3d_counts_of(class_scores, class_labels, 9, 3, 0.9, counts);
    for (int k = 0; k < 3; k++) {
        int64_t row = 0, column = 0;
        for (int i = 0; i < 3; i++) row += expected[3 * k + i], column += expected[3 * i + k];
        assert_int_equal(counts[k].tp, expected[4 * k]);
        assert_int_equal(counts[k].fn, row - expected[4 * k]);
        assert_int_equal(counts[k].fp, column - expected[4 * k]);
        assert_int_equal(counts[k].tn, 9 - row - column + expected[4 * k]);
    }
}

static void means_over_classes(void **state)
{
    c3d_counts counts[3];
    c3d_estimate e[C3D_N_METRICS], accuracy = c3d_share("accuracy", 6, 9);

    (void)state;
    c3d_counts_of(class_scores, class_labels, 9, 3, 0.9, counts);
    c3d_metrics_of_outputs(counts, 3, e);
    is_near(e[C3D_METRIC_ACCURACY].value, 6.0 / 9, 1e-15);
    is_near(e[C3D_METRIC_ACCURACY].low, accuracy.low, 0);
    is_near(e[C3D_METRIC_PRECISION].value, (2.0 / 3 + 2.0 / 4 + 2.0 / 2) / 3, 1e-15);
    is_near(e[C3D_METRIC_RECALL].value, (2.0 / 3 + 2.0 / 2 + 2.0 / 4) / 3, 1e-15);
    is_near(e[C3D_METRIC_F1].value, (4.0 / 6 + 4.0 / 6 + 4.0 / 6) / 3, 1e-15);
    is_near(e[C3D_METRIC_SPECIFICITY].value, (5.0 / 6 + 5.0 / 7 + 5.0 / 5) / 3, 1e-15);
    assert_string_equal(e[C3D_METRIC_F1].method, "macro-mean");
    assert_true(isnan(e[C3D_METRIC_F1].low));
    /* A class that nobody has and nobody predicts has no part in the means. */
    const c3d_counts with_empty[4] = { counts[0], counts[1], counts[2], { .tn = 9 } };
    c3d_estimate same[C3D_N_METRICS];
    c3d_metrics_of_outputs(with_empty, 4, same);
    is_near(same[C3D_METRIC_PRECISION].value, e[C3D_METRIC_PRECISION].value, 1e-15);
    is_near(same[C3D_METRIC_RECALL].value, e[C3D_METRIC_RECALL].value, 1e-15);
}

static void auc_of_classes_is_one_against_the_rest(void **state)
{
    c3d_estimate e, of_class;
    double sum = 0;

    (void)state;
    for (int k = 0; k < 3; k++) {
        float score[9];
        int32_t is_k[9];
        for (int i = 0; i < 9; i++)
            score[i] = class_scores[3 * i + k], is_k[i] = class_labels[i] == k;
        assert_int_equal(c3d_auc_of_class(class_scores, class_labels, 9, 3, k, &of_class), C3D_OK);
        is_near(of_class.value, naive_auc(score, is_k, 9), 1e-14);
        sum += of_class.value;
    }
    assert_int_equal(c3d_auc_of_outputs(class_scores, class_labels, 9, 3, &e), C3D_OK);
    is_near(e.value, sum / 3, 1e-14);
    assert_true(isnan(e.low));
    assert_string_equal(e.method, "mean-one-vs-rest");
    /* Without samples of class 2: the mean of the other two. */
    assert_int_equal(c3d_auc_of_outputs(class_scores, class_labels, 5, 3, &e), C3D_OK);
    assert_true(e.value > 0 && e.value <= 1);
}

/* One output: the threshold decides as it always did. */
static void one_output_is_binary(void **state)
{
    const float scores[] = { 0.95F, 0.91F, 0.1F, 0.3F };
    const int32_t labels[] = { 1, 0, 1, 0 };
    const c3d_counts expected = c3d_counts_at(scores, labels, 4, 0.9);
    c3d_counts c;
    c3d_estimate a[C3D_N_METRICS], b[C3D_N_METRICS];

    (void)state;
    c3d_counts_of(scores, labels, 4, 1, 0.9, &c);
    assert_memory_equal(&c, &expected, sizeof c);
    c3d_metrics_of(expected, a);
    c3d_metrics_of_outputs(&c, 1, b);
    for (int i = 0; i < C3D_N_METRICS; i++)
        if (!isnan(a[i].high) || !isnan(b[i].high)) is_near(b[i].high, a[i].high, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_above_the_threshold),
        cmocka_unit_test(wilson_is_newcombes),
        cmocka_unit_test(metrics_follow_from_counts),
        cmocka_unit_test(further_metrics_follow_from_counts),
        cmocka_unit_test(nothing_said_positive_has_no_precision),
        cmocka_unit_test(auc_counts_pairs),
        cmocka_unit_test(classes_go_to_the_largest_score),
        cmocka_unit_test(means_over_classes),
        cmocka_unit_test(auc_of_classes_is_one_against_the_rest),
        cmocka_unit_test(one_output_is_binary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
