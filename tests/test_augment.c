/* What augments a sample: ranges, shares and rules, counted. */
#include "data/augment.h"

#include <math.h>
#include <string.h>

#include "support/cm.h"

enum { N_BANDS = 3, N_MONTHS = 12, N_SHOWN = 4000 };

static c3d_showing showing(uint64_t i)
{
    return (c3d_showing){ .seed = 7, .key = i };
}

static void all_symmetries_alike(void **state)
{
    int n_seen[8] = { 0 };

    (void)state;
    for (uint64_t i = 0; i < N_SHOWN; i++) {
        const c3d_showing s = showing(i);
        n_seen[c3d_augment_symmetry(&s)]++;
    }
    for (int k = 0; k < 8; k++) assert_in_range(n_seen[k], 380, 620); /* 500, deviation 21 */
}

/* Tenths of the range of gain and offset: 400 of each band in each, standard deviation 19; and no
 * band goes with another, nor gain with offset. */
static void jitter_is_uniform(void **state)
{
    const double j = 0.25;
    int n_seen[2 * N_BANDS][10] = { { 0 } }, n_both_high[2 * N_BANDS] = { 0 };

    (void)state;
    for (uint64_t i = 0; i < N_SHOWN; i++) {
        const c3d_showing s = showing(i);
        float gain[N_BANDS], offset[N_BANDS];
        double share[2 * N_BANDS]; /* of the range */
        c3d_augment_jitter(&s, j, N_BANDS, gain, offset);
        for (int band = 0; band < N_BANDS; band++) {
            share[band] = ((double)gain[band] - 1 + j) / (2 * j);
            share[N_BANDS + band] = ((double)offset[band] + j) / (2 * j);
        }
        for (int k = 0; k < 2 * N_BANDS; k++) {
            assert_true(share[k] >= 0 && share[k] <= 1);
            n_seen[k][share[k] >= 1 ? 9 : (int)(share[k] * 10)]++;
            n_both_high[k] += share[k] > 0.5 && share[(k + 1) % (2 * N_BANDS)] > 0.5;
        }
    }
    for (int k = 0; k < 2 * N_BANDS; k++) {
        for (int tenth = 0; tenth < 10; tenth++) assert_in_range(n_seen[k][tenth], 300, 500);
        assert_in_range(n_both_high[k], 850, 1150); /* 1000, deviation 27 */
    }
}

static int check_months(const int16_t *from, int n_months)
{
    int n_kept = 0, first = -1, last = -1;

    for (int m = n_months - 1; m >= 0; m--)
        if (from[m] == m) first = m;
    assert_true(first >= 0);
    for (int m = 0; m < n_months; m++) {
        if (from[m] == m) {
            n_kept++;
            last = m;
        } else {
            assert_int_equal(from[m], last < 0 ? first : last);
        }
    }
    return n_kept;
}

static void dropped_months_show_the_last_kept(void **state)
{
    int n_kept = 0, n_kept_of[N_MONTHS] = { 0 };

    (void)state;
    for (uint64_t i = 0; i < N_SHOWN; i++) {
        const c3d_showing s = showing(i);
        int16_t from[N_MONTHS];
        c3d_augment_months(&s, 0.25, N_MONTHS, from);
        n_kept += check_months(from, N_MONTHS);
        for (int m = 0; m < N_MONTHS; m++) n_kept_of[m] += from[m] == m;
    }
    assert_in_range(n_kept, 35500, 36500); /* 36,000, deviation 95 */
    for (int m = 0; m < N_MONTHS; m++) assert_in_range(n_kept_of[m], 2850, 3150);
}

/* Of two months dropped half the time one stays: 1/4 both, 3/8 each alone. */
static void one_month_always_stays(void **state)
{
    int n_seen[N_MONTHS] = { 0 }, n_both = 0, n_first = 0;

    (void)state;
    for (uint64_t i = 0; i < N_SHOWN; i++) {
        const c3d_showing s = showing(i);
        int16_t from[N_MONTHS];
        c3d_augment_months(&s, 1, N_MONTHS, from);
        assert_int_equal(check_months(from, N_MONTHS), 1);
        n_seen[from[0]]++;
        c3d_augment_months(&s, 0.5, 2, from);
        n_both += check_months(from, 2) == 2;
        n_first += from[0] == 0 && from[1] == 0;
        c3d_augment_months(&s, 0.99, 1, from);
        assert_int_equal(from[0], 0);
    }
    for (int m = 0; m < N_MONTHS; m++) assert_in_range(n_seen[m], 240, 430); /* 333, dev. 17 */
    assert_in_range(n_both, 850, 1150);
    assert_in_range(n_first, 1330, 1670);
}

/* Each month in each place alike often: 333 of 4000, deviation 17; and the first two places by all
 * 132 pairs. */
static void all_orders_alike(void **state)
{
    int n_seen[N_MONTHS][N_MONTHS] = { { 0 } }, n_pairs[N_MONTHS][N_MONTHS] = { { 0 } };

    (void)state;
    for (uint64_t i = 0; i < N_SHOWN; i++) {
        const c3d_showing s = showing(i);
        int16_t from[N_MONTHS];
        unsigned seen = 0;
        for (int16_t m = 0; m < N_MONTHS; m++) from[m] = m;
        c3d_augment_order(&s, N_MONTHS, from);
        for (int m = 0; m < N_MONTHS; m++) {
            seen |= 1U << from[m];
            n_seen[m][from[m]]++;
        }
        assert_int_equal(seen, (1U << N_MONTHS) - 1);
        n_pairs[from[0]][from[1]]++;
        from[0] = 5;
        c3d_augment_order(&s, 1, from);
        assert_int_equal(from[0], 5);
    }
    for (int a = 0; a < N_MONTHS; a++)
        for (int b = 0; b < N_MONTHS; b++) {
            assert_in_range(n_seen[a][b], 240, 430);
            if (a != b) assert_in_range(n_pairs[a][b], 8, 60); /* 30, deviation 5.5 */
        }
}

/* The same for the same showing; another for another seed, sample, epoch or time in the epoch. */
static void a_function_of_the_showing(void **state)
{
    const c3d_showing base = { .seed = 7, .key = UINT64_C(5) << 32 | 9, .turn = 1 };
    const c3d_showing others[4] = { { 8, base.key, 1 },
                                    { 7, base.key + 1, 1 },
                                    { 7, base.key + (UINT64_C(1) << 32), 1 },
                                    { 7, base.key, 2 } };
    float gain[2][N_BANDS], offset[2][N_BANDS];
    int16_t from[2][64], order[2][64];

    (void)state;
    for (int16_t m = 0; m < 64; m++) order[0][m] = order[1][m] = m;
    c3d_augment_order(&base, 64, order[0]);
    c3d_augment_order(&base, 64, order[1]);
    assert_memory_equal(order[0], order[1], sizeof order[0]);
    c3d_augment_jitter(&base, 0.5, N_BANDS, gain[0], offset[0]);
    c3d_augment_months(&base, 0.5, 64, from[0]);
    c3d_augment_jitter(&base, 0.5, N_BANDS, gain[1], offset[1]);
    c3d_augment_months(&base, 0.5, 64, from[1]);
    assert_memory_equal(gain[0], gain[1], sizeof gain[0]);
    assert_memory_equal(offset[0], offset[1], sizeof offset[0]);
    assert_memory_equal(from[0], from[1], sizeof from[0]);
    for (int k = 0; k < 4; k++) {
        c3d_augment_jitter(&others[k], 0.5, N_BANDS, gain[1], offset[1]);
        c3d_augment_months(&others[k], 0.5, 64, from[1]);
        for (int band = 0; band < N_BANDS; band++) {
            assert_true(gain[0][band] != gain[1][band]);
            assert_true(offset[0][band] != offset[1][band]);
        }
        assert_memory_not_equal(from[0], from[1], sizeof from[0]);
        for (int16_t m = 0; m < 64; m++) order[1][m] = m;
        c3d_augment_order(&others[k], 64, order[1]);
        assert_memory_not_equal(order[0], order[1], sizeof order[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_symmetries_alike),
        cmocka_unit_test(jitter_is_uniform),
        cmocka_unit_test(dropped_months_show_the_last_kept),
        cmocka_unit_test(one_month_always_stays),
        cmocka_unit_test(all_orders_alike),
        cmocka_unit_test(a_function_of_the_showing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
