/* When a place became positive, from scores month by month. */
#include "c3d/train.h"

#include "support/cm.h"

/* scores: a digit is that many tenths; '?': nothing was seen in the month. */
static c3d_detection detect(const char *months, int n_lasting)
{
    float scores[64], shares[64];
    c3d_detection out;
    int n = 0;

    for (; months[n]; n++) {
        scores[n] = months[n] == '?' ? 1 : (float)(months[n] - '0') / 10;
        shares[n] = months[n] == '?' ? 0 : 0.5F;
    }
    c3d_detect(&(c3d_detect_input){ n, scores, shares, 0.75, n_lasting }, &out);
    return out;
}

static void check(const char *months, int n_lasting, c3d_detection want)
{
    const c3d_detection got = detect(months, n_lasting);

    if (got.first != want.first || got.first_run != want.first_run || got.lasting != want.lasting ||
        got.lasting_run != want.lasting_run || got.is_first_seen != want.is_first_seen ||
        got.is_to_end != want.is_to_end || got.n_above != want.n_above || got.n_seen != want.n_seen)
        fail_msg("%s, %d: first %d (%d) lasting %d (%d) first seen %d to end %d, %d of %d", months,
                 n_lasting, got.first, got.first_run, got.lasting, got.lasting_run,
                 got.is_first_seen, got.is_to_end, got.n_above, got.n_seen);
}

static void rows_of_months(void **state)
{
    (void)state;
    check("1111", 3, (c3d_detection){ -1, 0, -1, 0, false, false, 0, 4 });
    check("1191999911", 3, (c3d_detection){ 2, 1, 4, 4, false, false, 5, 10 });
    check("119199", 3, (c3d_detection){ 2, 1, -1, 0, false, false, 3, 6 });
    check("119199", 2, (c3d_detection){ 2, 1, 4, 2, false, true, 3, 6 });
    check("9991999", 3, (c3d_detection){ 0, 3, 0, 3, true, false, 6, 7 });
    check("1999", 1, (c3d_detection){ 1, 3, 1, 3, false, true, 3, 4 });
    check("", 1, (c3d_detection){ -1, 0, -1, 0, false, false, 0, 0 });
}

/* Months in which nothing was seen neither count nor end a row nor begin one. */
static void unseen_months_are_passed_over(void **state)
{
    (void)state;
    check("1?9?9?91", 3, (c3d_detection){ 2, 3, 2, 3, false, false, 3, 5 });
    check("??999", 3, (c3d_detection){ 2, 3, 2, 3, true, true, 3, 3 });
    check("199?", 3, (c3d_detection){ 1, 2, -1, 0, false, false, 2, 3 });
    check("1999??", 3, (c3d_detection){ 1, 3, 1, 3, false, true, 3, 4 });
    check("????", 1, (c3d_detection){ -1, 0, -1, 0, false, false, 0, 0 });
}

static void months_since_january(void **state)
{
    (void)state;
    assert_int_equal(c3d_months_since(2021, 20210100), 0);
    assert_int_equal(c3d_months_since(2021, 20201200), -1);
    assert_int_equal(c3d_months_since(2021, 20220315), 14);
    assert_int_equal(c3d_months_since(2021, 20230000), 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_months),
        cmocka_unit_test(unseen_months_are_passed_over),
        cmocka_unit_test(months_since_january),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
