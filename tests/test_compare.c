/* Comparing networks: distributions and tests against scipy and statsmodels, the bootstrap against
 * a computation by definition, and what is concluded from hand-made lists. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

#include "c3d/compare.h"
#include "score/distributions.h"

static void is_near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance)) fail_msg("%.17g is not %.17g", a, b);
}

/* ---- distributions and tests ----------------------------------------------------------------- */

/* 2 * scipy.stats.t.sf(t, df), scipy.stats.t.ppf(0.975, df), scipy.stats.binomtest(k, n).pvalue */
static void distributions_are_scipys(void **state)
{
    static const double t[][3] = {
        { 2, 3, 0.13932596855884305 },       { 0.5, 1, 0.7048327646991335 },
        { 4.3, 2.37, 0.036694029371745346 }, { 1.96, 35.2, 0.05795002384467212 },
        { 12.7, 1, 0.050024327689344165 },   { 6.5, 400, 2.394971867882394e-10 },
        { 0.001, 7.5, 0.9992281986746556 }
    };
    static const double quantile[][2] = { { 1, 12.706204736174694 },
                                          { 1.5, 6.016663104427929 },
                                          { 2, 4.302652729749462 },
                                          { 5.7, 2.4784713087006094 },
                                          { 21.3, 2.0778318044927544 } };
    static const double coins[][3] = { { 0, 1, 1 },
                                       { 1, 9, 0.0390625 },
                                       { 5, 17, 0.143463134765625 },
                                       { 12, 40, 0.01658900337497471 },
                                       { 480, 1000, 0.2174482932041415 },
                                       { 4, 8, 1 } };

    (void)state;
    for (size_t i = 0; i < C3D_COUNT(t); i++)
        is_near(c3d_t_two_sided(-t[i][0], t[i][1]) / t[i][2], 1, 1e-11);
    for (size_t i = 0; i < C3D_COUNT(quantile); i++)
        is_near(c3d_t_quantile(0.05, quantile[i][0]) / quantile[i][1], 1, 1e-11);
    for (size_t i = 0; i < C3D_COUNT(coins); i++)
        is_near(c3d_coins_two_sided((int64_t)coins[i][0], (int64_t)coins[i][1]) / coins[i][2], 1,
                1e-11);
    is_near(c3d_t_two_sided(1.959963984540054, (double)INFINITY), 0.05, 1e-15);
}

/* statsmodels: mcnemar(table, exact=b + c <= 1000, correction=True), multipletests(p, "holm") */
static void tests_are_statsmodels(void **state)
{
    static const double mcnemar[][3] = { { 5, 12, 0.143463134765625 },
                                         { 600, 520, 0.018246554351008498 },
                                         { 0, 0, 1 },
                                         { 501, 500, 1 },
                                         { 400, 700, 1.965309225766758e-19 } };
    static const double p[] = { 0.01, 0.04, 0.03, 0.005, 0.5 };
    static const double wanted[] = { 0.04, 0.09, 0.09, 0.025, 0.5 };
    const double with_none[] = { 0.02, (double)NAN, 0.01 };
    double holm[5];

    (void)state;
    for (size_t i = 0; i < C3D_COUNT(mcnemar); i++) {
        const c3d_mcnemar m = c3d_mcnemar_of((int64_t)mcnemar[i][0], (int64_t)mcnemar[i][1]);
        is_near(m.p / mcnemar[i][2], 1, 1e-10);
        assert_int_equal(m.is_exact, mcnemar[i][0] + mcnemar[i][1] <= 1000);
    }
    c3d_holm(p, 5, holm);
    for (int i = 0; i < 5; i++) is_near(holm[i], wanted[i], 1e-15);
    c3d_holm(with_none, 3, holm);
    is_near(holm[0], 0.04, 1e-15); /* what is unknown counts as a comparison */
    assert_true(isnan(holm[1]));
    is_near(holm[2], 0.03, 1e-15);
}

/* ---- a list by hand -------------------------------------------------------------------------- */

#define N_RUNS 3
typedef struct hand {
    size_t n;
    int n_outputs, n_blocks, n_networks, n_runs[3];
    int32_t labels[400];
    int64_t blocks[400];
    float scores[3][N_RUNS][1200];
    const float *runs[3][N_RUNS];
    c3d_compare_network networks[3];
    c3d_compare_desc desc;
} hand;

static double normal(uint64_t stream, size_t i)
{
    return c3d_random_normal(7, C3D_STREAM(C3D_PURPOSE_TEST, stream), i);
}

/* Network k tells the classes apart with skills[k]; every third sample is positive, scores have
 * ties. */
static void make_list(hand *h, size_t n, int n_blocks, const double *skills)
{
    static const char *const names[] = { "one", "two", "three" };

    h->n = n;
    h->n_outputs = 1;
    for (size_t i = 0; i < n; i++) {
        h->labels[i] = i % 3 == 0;
        h->blocks[i] = (int64_t)(i * (size_t)n_blocks / n) * 10 - 7;
        for (int k = 0; k < h->n_networks; k++)
            for (int r = 0; r < h->n_runs[k]; r++) {
                const double noise = normal((uint64_t)(k * N_RUNS + r), i);
                const double z = skills[k] * h->labels[i] + noise;
                h->scores[k][r][i] = (float)(round(20 / (1 + exp(-z))) / 20);
            }
    }
    for (int k = 0; k < h->n_networks; k++) {
        for (int r = 0; r < h->n_runs[k]; r++) h->runs[k][r] = h->scores[k][r];
        h->networks[k] =
            (c3d_compare_network){ .name = names[k], .n_runs = h->n_runs[k], .scores = h->runs[k] };
    }
    h->desc = (c3d_compare_desc){ .n = n,
                                  .n_outputs = 1,
                                  .labels = h->labels,
                                  .blocks = h->blocks,
                                  .n_networks = h->n_networks,
                                  .networks = h->networks,
                                  .threshold = 0.5,
                                  .n_replicates = 200 };
}

static c3d_compared_network compared(const hand *h, int k)
{
    c3d_comparison c;

    assert_int_equal(c3d_compare(&h->desc, &c), C3D_OK);
    const c3d_compared_network network = c.networks[k];
    c3d_comparison_free(&c);
    return network;
}

/* ---- by definition --------------------------------------------------------------------------- */

/* Pairs in the right order, each sample as often as its block was drawn. */
static double area_by_pairs(const hand *h, const float *scores, const c3d_blocks *blocks,
                            const uint32_t *times)
{
    double right = 0, all = 0;

    for (size_t i = 0; i < h->n; i++)
        for (size_t j = 0; j < h->n; j++) {
            if (h->labels[i] != 1 || h->labels[j] != 0) continue;
            const double weight = (double)times[blocks->of[i]] * times[blocks->of[j]];
            all += weight;
            right += weight * (scores[i] > scores[j] ? 1 : scores[i] < scores[j] ? 0 : 0.5);
        }
    return right / all;
}

static double mean_difference(const hand *h, const c3d_blocks *blocks, const uint32_t *times)
{
    double mean[2] = { 0 };

    for (int k = 0; k < 2; k++)
        for (int r = 0; r < h->n_runs[k]; r++)
            mean[k] += area_by_pairs(h, h->scores[k][r], blocks, times) / h->n_runs[k];
    return mean[1] - mean[0];
}

static double variance(const double *values, int n)
{
    double mean = 0, sum = 0;

    for (int i = 0; i < n; i++) mean += values[i] / n;
    for (int i = 0; i < n; i++) sum += (values[i] - mean) * (values[i] - mean);
    return sum / (n - 1);
}

static void interval_is_as_defined(void **state)
{
    static hand h = { .n_networks = 2, .n_runs = { 3, 2 } };
    const double skills[] = { 1.2, 0.9 };
    uint32_t times[12];
    double replicates[60], areas[3], of_seeds[2];
    c3d_blocks blocks;

    (void)state;
    make_list(&h, 108, 12, skills); /* equal blocks: worth 12 */
    h.desc.n_replicates = 60;
    assert_int_equal(c3d_blocks_make(h.blocks, h.n, &blocks), C3D_OK);
    for (uint64_t i = 0; i < 60; i++) {
        c3d_blocks_draw(12, C3D_BOOTSTRAP_SEED, i, times);
        replicates[i] = mean_difference(&h, &blocks, times);
    }
    for (int b = 0; b < 12; b++) times[b] = 1;
    for (int k = 0; k < 2; k++) {
        for (int r = 0; r < h.n_runs[k]; r++)
            areas[r] = area_by_pairs(&h, h.scores[k][r], &blocks, times);
        of_seeds[k] = variance(areas, h.n_runs[k]) / h.n_runs[k];
    }
    const double of_blocks = variance(replicates, 60) * 12 / 11;
    const double total = of_blocks + of_seeds[0] + of_seeds[1];
    const double df = total * total /
                      (of_blocks * of_blocks / 11 + of_seeds[0] * of_seeds[0] / 2 +
                       of_seeds[1] * of_seeds[1] / 1);
    const double d = mean_difference(&h, &blocks, times);
    const c3d_compared_network got = compared(&h, 1);
    const c3d_compared_value *value = &got.differences[C3D_COMPARE_AUC];
    is_near(value->value, d, 1e-14);
    is_near(value->se / sqrt(total), 1, 1e-12);
    is_near(value->df / df, 1, 1e-12);
    is_near(value->high, d + c3d_t_quantile(0.05, df) * sqrt(total), 1e-12);
    is_near(value->low, d - c3d_t_quantile(0.05, df) * sqrt(total), 1e-12);
    is_near(got.p[C3D_COMPARE_AUC], c3d_t_two_sided(d / sqrt(total), df), 1e-12);
    c3d_blocks_free(&blocks);
}

/* ---- what is concluded ----------------------------------------------------------------------- */

static void copies_do_not_differ(void **state)
{
    static hand h = { .n_networks = 3, .n_runs = { 2, 2, 1 } };
    const double skills[] = { 1, 1, 1 };

    (void)state;
    make_list(&h, 300, 30, skills);
    memcpy(h.scores[1], h.scores[0], sizeof h.scores[1]);
    memcpy(h.scores[2], h.scores[0], sizeof h.scores[2]);
    const c3d_compared_network same = compared(&h, 1), one_of_them = compared(&h, 2);
    assert_int_equal(same.verdict, C3D_VERDICT_SAME);
    assert_string_equal(c3d_verdict_text(same.verdict), "no difference");
    for (int m = 0; m < C3D_N_COMPARED; m++) {
        is_near(same.differences[m].low, 0, 0);
        is_near(same.differences[m].high, 0, 0);
        is_near(same.p_holm[m], 1, 0);
    }
    assert_int_equal(one_of_them.verdict, C3D_VERDICT_NOT_SHOWN);
}

static void a_large_difference_is_found(void **state)
{
    static hand h = { .n_networks = 3, .n_runs = { 3, 3, 1 } };
    const double skills[] = { 1, 3, 0.2 };

    (void)state;
    make_list(&h, 300, 30, skills);
    const c3d_compared_network better = compared(&h, 1), worse = compared(&h, 2);
    assert_int_equal(better.verdict, C3D_VERDICT_BETTER);
    assert_false(better.is_of_models);
    assert_true(better.differences[C3D_COMPARE_AUC].low > 0);
    assert_int_equal(worse.verdict, C3D_VERDICT_WORSE);
    assert_true(worse.is_of_models); /* trained once */
    assert_true(better.p_holm[C3D_COMPARE_AUC] >= better.p[C3D_COMPARE_AUC]);
}

static void few_blocks_decide_nothing(void **state)
{
    static hand h = { .n_networks = 2, .n_runs = { 1, 1 } };
    const double skills[] = { 0.5, 5 };

    (void)state;
    make_list(&h, 300, 9, skills);
    assert_int_equal(compared(&h, 1).verdict, C3D_VERDICT_TOO_LITTLE);
    make_list(&h, 300, 10, skills);
    assert_int_equal(compared(&h, 1).verdict, C3D_VERDICT_BETTER);
    /* 30 blocks, but all positives in four of them */
    make_list(&h, 300, 30, skills);
    for (size_t i = 40; i < 300; i++) h.labels[i] = 0;
    assert_int_equal(compared(&h, 1).verdict, C3D_VERDICT_TOO_LITTLE);
}

/* Resampling shows no spread where all is right, or all scores are one. */
static void no_spread_is_no_certainty(void **state)
{
    static hand h = { .n_networks = 3, .n_runs = { 1, 1, 1 } };
    const double skills[] = { 1, 1, 1 };

    (void)state;
    make_list(&h, 300, 30, skills);
    for (size_t i = 0; i < 300; i++) {
        h.scores[0][0][i] = (float)(0.2 + 0.6 * h.labels[i]);
        h.scores[1][0][i] = (float)(0.1 + 0.8 * h.labels[i]);
        h.scores[2][0][i] = 0.5F;
    }
    const c3d_compared_network perfect = compared(&h, 1), constant = compared(&h, 2);
    assert_int_equal(perfect.verdict, C3D_VERDICT_NOT_SHOWN);
    assert_true(isnan(perfect.differences[C3D_COMPARE_AUC].low));
    assert_int_equal(constant.verdict, C3D_VERDICT_TOO_LITTLE);
    assert_true(isnan(constant.p[C3D_COMPARE_AUC]));
    is_near(constant.differences[C3D_COMPARE_AUC].value, -0.5, 0);
}

/* Two runs that have little in common: Student's t of one degree of freedom reaches everywhere. */
static void intervals_are_possible(void **state)
{
    static hand h = { .n_networks = 2, .n_runs = { 2, 2 } };
    const double skills[] = { 1, 1 };

    (void)state;
    make_list(&h, 300, 30, skills);
    for (size_t i = 0; i < 300; i++) h.scores[1][1][i] = 1 - h.scores[1][0][i];
    const c3d_compared_network got = compared(&h, 1);
    assert_true(got.differences[C3D_COMPARE_AUC].df < C3D_COMPARE_DF_MIN);
    assert_int_equal(got.verdict, C3D_VERDICT_NOT_SHOWN);
    is_near(got.differences[C3D_COMPARE_AUC].low, -1, 0);
    is_near(got.differences[C3D_COMPARE_AUC].high, 1, 0);
    is_near(got.values[C3D_COMPARE_AUC].low, 0, 0);
    is_near(got.values[C3D_COMPARE_AUC].high, 1, 0);
}

static void classes_are_compared(void **state)
{
    static hand h = { .n_networks = 2, .n_runs = { 1, 1 } };
    const double skills[] = { 1, 1 };
    c3d_estimate auc;
    int64_t n_right = 0;

    (void)state;
    make_list(&h, 300, 30, skills);
    h.desc.n_outputs = 3;
    for (size_t i = 0; i < 300; i++) {
        h.labels[i] = (int32_t)(i * 7 % 3);
        for (int k = 0; k < 2; k++) {
            double e[3], sum = 0;
            for (int c = 0; c < 3; c++)
                sum += e[c] = exp(3 * k * (h.labels[i] == c) + normal((uint64_t)(20 + c), i));
            for (int c = 0; c < 3; c++) h.scores[k][0][3 * i + (size_t)c] = (float)(e[c] / sum);
        }
        n_right += c3d_class_predicted(h.scores[1][0] + 3 * i, 3) == h.labels[i];
    }
    const c3d_compared_network got = compared(&h, 1);
    assert_int_equal(c3d_auc_of_outputs(h.scores[1][0], h.labels, 300, 3, &auc), C3D_OK);
    is_near(got.values[C3D_COMPARE_AUC].value, auc.value, 1e-15);
    is_near(got.values[C3D_COMPARE_COUNTS + C3D_METRIC_ACCURACY].value, (double)n_right / 300, 0);
    assert_int_equal(got.verdict, C3D_VERDICT_BETTER);
    h.labels[5] = 3;
    c3d_comparison c;
    assert_int_equal(c3d_compare(&h.desc, &c), C3D_EDATA);
}

/* The third class in two of 30 blocks: one of eight replicates is without it. */
static void a_mean_is_over_the_same_classes(void **state)
{
    static hand h = { .n_networks = 2, .n_runs = { 1, 1 } };
    const double skills[] = { 1, 1 };

    (void)state;
    make_list(&h, 300, 30, skills);
    h.desc.n_outputs = 3;
    for (size_t i = 0; i < 300; i++) {
        h.labels[i] = i < 20 ? 2 : (int32_t)(i % 2);
        for (int k = 0; k < 2; k++)
            for (int c = 0; c < 3; c++)
                h.scores[k][0][3 * i + (size_t)c] = (float)(0.3 + 0.2 * (h.labels[i] == c) +
                                                            0.1 * normal((uint64_t)(3 * k + c), i));
    }
    const c3d_compared_network got = compared(&h, 1);
    const int means[] = { C3D_COMPARE_AUC, C3D_COMPARE_AVERAGE_PRECISION,
                          C3D_COMPARE_COUNTS + C3D_METRIC_RECALL,
                          C3D_COMPARE_COUNTS + C3D_METRIC_BALANCED_ACCURACY };
    for (size_t m = 0; m < C3D_COUNT(means); m++) {
        assert_true(isfinite(got.values[means[m]].value) && isnan(got.values[means[m]].low));
        assert_true(isnan(got.differences[means[m]].low));
    }
    assert_true(isfinite(got.values[C3D_COMPARE_COUNTS + C3D_METRIC_ACCURACY].low));
}

static void one_label_is_refused(void **state)
{
    static hand h = { .n_networks = 2, .n_runs = { 1, 1 } };
    const double skills[] = { 1, 1 };
    c3d_comparison c;

    (void)state;
    make_list(&h, 300, 30, skills);
    for (size_t i = 0; i < 300; i++) h.labels[i] = 0;
    assert_int_equal(c3d_compare(&h.desc, &c), C3D_EDATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distributions_are_scipys),
        cmocka_unit_test(tests_are_statsmodels),
        cmocka_unit_test(interval_is_as_defined),
        cmocka_unit_test(copies_do_not_differ),
        cmocka_unit_test(a_large_difference_is_found),
        cmocka_unit_test(few_blocks_decide_nothing),
        cmocka_unit_test(no_spread_is_no_certainty),
        cmocka_unit_test(intervals_are_possible),
        cmocka_unit_test(classes_are_compared),
        cmocka_unit_test(a_mean_is_over_the_same_classes),
        cmocka_unit_test(one_label_is_refused),
    };
    return cmocka_run_group_tests_name("compare", tests, NULL, NULL);
}
