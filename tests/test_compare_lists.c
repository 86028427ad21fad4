/* Comparing networks on 200 simulated, spatially correlated test lists: how often a difference is
 * claimed where there is none, and how often a planted one is found.
 *
 * What rate to expect is taken from the lists' true distribution: the places of some of them get
 * other scores again and again, which gives the true standard deviation there; a test that knew it
 * would find the share of those differences that lies beyond t of them. */
#include <math.h>
#include <stdlib.h>

#include "support/cm.h"

#include "score/distributions.h"
#include "support/lists.h"

#define N_LISTS      200
#define N_REPLICATES 150
#define N_PLACES     60
#define N_DRAWS      40
#define SEED         20240501

/* Each network has faults of its own in some places; trained once. */
static const list_kind once = { .block_side = 5,
                                .reach = 2,
                                .n_runs = 1,
                                .skill = 2,
                                .common = 0.7,
                                .network = 0.7,
                                .white = 0.5 };
/* Trained twice: runs have faults of their own in some places, and luck. */
static const list_kind twice = { .block_side = 5,
                                 .reach = 2,
                                 .n_runs = 2,
                                 .skill = 2,
                                 .common = 0.7,
                                 .network = 0.5,
                                 .run = 0.3,
                                 .seed = 0.15,
                                 .white = 0.5 };

/* P(k or more of n) for chance p, and P(k or fewer). */
static double at_least(int k, int n, double p)
{
    return k <= 0 ? 1 : c3d_beta_share(k, n - k + 1, p);
}

static double at_most(int k, int n, double p)
{
    return k >= n ? 1 : 1 - at_least(k + 1, n, p);
}

/* Of N_LISTS. */
typedef struct tried {
    int n_claimed, n_by_frames, n_mcnemar; /* p of at most 0.05 */
    int n_covered;                         /* the interval holds the expected difference */
    double df[N_LISTS], variance[N_LISTS];
} tried;

static double expected_difference(const list_kind *kind)
{
    return list_expected_auc(kind, kind->skill + kind->more) - list_expected_auc(kind, kind->skill);
}

static tried try_lists(const list_kind *kind, bool by_frames)
{
    static list l;
    tried out = { 0 };

    for (uint64_t i = 0; i < N_LISTS; i++) {
        c3d_comparison c;
        list_draw(kind, SEED, i, 0, &l);
        assert_int_equal(list_compare(kind, &l, false, N_REPLICATES, &c), C3D_OK);
        const c3d_compared_value *d = &c.networks[1].differences[C3D_COMPARE_AUC];
        assert_true(c.is_enough);
        out.n_claimed += c.networks[1].verdict == C3D_VERDICT_BETTER ||
                         c.networks[1].verdict == C3D_VERDICT_WORSE;
        out.n_mcnemar += c.mcnemar[0].p <= C3D_COMPARE_ALPHA;
        out.n_covered +=
            d->low <= expected_difference(kind) && expected_difference(kind) <= d->high;
        out.df[i] = d->df;
        out.variance[i] = d->se * d->se;
        c3d_comparison_free(&c);
        if (!by_frames) continue;
        assert_int_equal(list_compare(kind, &l, true, 50, &c), C3D_OK);
        out.n_by_frames += c.networks[1].p[C3D_COMPARE_AUC] <= C3D_COMPARE_ALPHA;
        c3d_comparison_free(&c);
    }
    return out;
}

/* Of the difference at the places of one list. */
typedef struct truth {
    double mean, variance, found; /* share that is beyond t standard deviations */
} truth;

static truth draw_again(const list_kind *kind, uint64_t number, double t)
{
    static list l;
    double differences[N_DRAWS];
    truth out = { 0 };

    for (uint64_t i = 0; i < N_DRAWS; i++) {
        list_draw(kind, SEED, number, i + 1, &l);
        differences[i] = list_difference(kind, &l);
        out.mean += differences[i] / N_DRAWS;
    }
    for (int i = 0; i < N_DRAWS; i++)
        out.variance += (differences[i] - out.mean) * (differences[i] - out.mean) / (N_DRAWS - 1);
    for (int i = 0; i < N_DRAWS; i++)
        out.found += (fabs(differences[i]) > t * sqrt(out.variance)) / (double)N_DRAWS;
    return out;
}

/* At the nominal 5 % 200 lists have 18 false alarms or fewer with a chance of 99 %. */
static void is_no_alarm_too_many(const char *what, const tried *t)
{
    print_message("%s: %d of %d false alarms (frames as blocks: %d, McNemar: %d)\n", what,
                  t->n_claimed, N_LISTS, t->n_by_frames, t->n_mcnemar);
    if (at_least(t->n_claimed, N_LISTS, C3D_COMPARE_ALPHA) < 0.01)
        fail_msg("%d of %d lists without a difference show one", t->n_claimed, N_LISTS);
}

static void few_false_alarms(void **state)
{
    const tried t = try_lists(&once, true), two = try_lists(&twice, false);

    (void)state;
    is_no_alarm_too_many("trained once", &t);
    is_no_alarm_too_many("trained twice", &two);
    /* and the bound is one that methods which take neighbours as independent break */
    assert_true(at_least(t.n_by_frames, N_LISTS, C3D_COMPARE_ALPHA) < 1e-6);
    assert_true(at_least(t.n_mcnemar, N_LISTS, C3D_COMPARE_ALPHA) < 1e-6);
}

static void planted_difference_is_found(void **state)
{
    list_kind kind = once;
    truth all = { 0 };
    double variance = 0;

    (void)state;
    kind.more = 0.5;
    const tried t = try_lists(&kind, false);
    for (int i = 0; i < N_PLACES; i++) {
        const truth one =
            draw_again(&kind, (uint64_t)i, c3d_t_quantile(C3D_COMPARE_ALPHA, t.df[i]));
        all.mean += one.mean / N_PLACES;
        all.variance += one.variance / N_PLACES;
        all.found += one.found / N_PLACES;
        variance += t.variance[i] / N_PLACES;
    }
    print_message("planted %.4f (%.4f in the mean): found in %d of %d, expected rate %.3f; "
                  "variance %.3f of the true one; interval holds it in %d\n",
                  expected_difference(&kind), all.mean, t.n_claimed, N_LISTS, all.found,
                  variance / all.variance, t.n_covered);
    assert_true(fabs(all.mean - expected_difference(&kind)) < 0.004);
    assert_true(all.found > 0.3 && all.found < 0.9); /* no matter of course */
    assert_true(at_least(t.n_claimed, N_LISTS, all.found) > 0.005);
    assert_true(at_most(t.n_claimed, N_LISTS, all.found) > 0.005);
    assert_true(at_most(t.n_covered, N_LISTS, 0.95) > 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_false_alarms),
        cmocka_unit_test(planted_difference_is_found),
    };
    return cmocka_run_group_tests_name("compare_lists", tests, NULL, NULL);
}
