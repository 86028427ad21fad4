/* What is done to a scene before it is stored: gaps, sums, bits. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

#include "c3d/dataset.h"
#include "data/scene.h"
#include "support/naive_scene.h"

enum { GAP_T = 9, GAP_C = 2, GAP_S = 5, GAP_P = GAP_S * GAP_S };

static void check_gaps(c3d_dtype dtype, c3d_gaps gaps)
{
    const c3d_shard_shape shape = { 1, GAP_T, GAP_C, GAP_S, dtype };
    uint8_t valid[GAP_T * GAP_P];
    uint8_t values[GAP_T * GAP_C * GAP_P * 8], filled[sizeof values];

    for (int i = 0; i < GAP_T * GAP_P; i++) valid[i] = draw((uint64_t)i, 3) == 0;
    for (int t = 0; t < GAP_T; t++) valid[t * GAP_P] = 0;     /* never observed */
    for (int t = 0; t < GAP_T; t++) valid[t * GAP_P + 1] = 1; /* always */
    for (int i = 0; i < GAP_T * GAP_C * GAP_P; i++) {
        const uint32_t x = draw(1000 + (uint64_t)i, 200);
        if (dtype == C3D_I16) ((int16_t *)(void *)values)[i] = (int16_t)((int)x - 100);
        if (dtype == C3D_U8) values[i] = (uint8_t)x;
        if (dtype == C3D_U32) ((uint32_t *)(void *)values)[i] = x * 20000000U;
        if (dtype == C3D_F32) ((float *)(void *)values)[i] = (float)x / 7;
        if (dtype == C3D_F64) ((double *)(void *)values)[i] = (double)x / 7;
    }
    memcpy(filled, values, sizeof values);
    assert_int_equal(c3d_scene_fill_gaps(&shape, gaps, valid, NULL, filled), C3D_OK);
    for (int p = 0; p < GAP_P; p++)
        for (int c = 0; c < GAP_C; c++) {
            double series[GAP_T];
            uint8_t mask[GAP_T];
            for (int t = 0; t < GAP_T; t++) {
                series[t] = c3d_dtype_get(values, dtype, (size_t)((t * GAP_C + c) * GAP_P + p));
                mask[t] = valid[t * GAP_P + p];
            }
            for (int t = 0; t < GAP_T; t++) {
                const double got =
                    c3d_dtype_get(filled, dtype, (size_t)((t * GAP_C + c) * GAP_P + p));
                double want = naive_fill(series, mask, GAP_T, t, gaps, !c3d_dtype_is_float(dtype));
                if (dtype == C3D_F32) want = (double)(float)want;
                if (got != want) fail_msg("pixel %d band %d month %d: %g, %g", p, c, t, got, want);
            }
        }
}

static void gaps_are_filled_as_documented(void **state)
{
    static const c3d_dtype dtypes[] = { C3D_U8, C3D_I16, C3D_U32, C3D_F32, C3D_F64 };

    (void)state;
    for (size_t i = 0; i < C3D_COUNT(dtypes); i++)
        for (int gaps = 0; gaps <= C3D_GAPS_ZERO; gaps++) check_gaps(dtypes[i], (c3d_gaps)gaps);
}

static void sums_are_exact(void **state)
{
    enum { S = 16, P = S * S };
    const c3d_shard_shape shape = { 1, 1, 1, S, C3D_U16 };
    const c3d_shard_shape wide = { 1, 1, 1, S, C3D_U32 };
    uint16_t values[P];
    uint32_t large[P];
    uint8_t valid[P];
    int64_t sum, squares;

    (void)state;
    for (int i = 0; i < P; i++) {
        values[i] = 65535;
        valid[i] = i % 3 != 0;
        large[i] = 4000000000U;
    }
    const int64_t n = P - (P + 2) / 3;
    assert_true(c3d_scene_sums(&shape, values, valid, &sum, &squares));
    assert_true(sum == n * 65535);
    assert_true(squares == n * 65535 * 65535);
    /* One square of 4e9 does not fit 63 bits. */
    assert_false(c3d_scene_sums(&wide, large, valid, &sum, &squares));
    for (int i = 0; i < P; i++) large[i] = 100000000;
    assert_true(c3d_scene_sums(&wide, large, valid, &sum, &squares));
    assert_true(squares == n * 100000000 * 100000000);
}

/* Against a plain loop, over more pixels than 32 bits could hold the sums of. */
static void small_integers_are_summed_whole(void **state)
{
    static const c3d_dtype dtypes[] = { C3D_U8, C3D_I16, C3D_U16 };
    enum { S = 300, P = S * S };
    uint16_t *values = c3d_calloc(P, sizeof *values);
    uint8_t *valid = c3d_calloc(P, 1);

    (void)state;
    assert_true(values && valid);
    for (int i = 0; i < P; i++) {
        values[i] = (uint16_t)(i % 5 != 0 ? 0xffff : 0x8000 + i * 7919);
        valid[i] = i % 7 != 3;
    }
    for (size_t k = 0; k < C3D_COUNT(dtypes); k++) {
        const c3d_shard_shape shape = { 1, 1, 1, S, dtypes[k] };
        int64_t sum, squares, plain = 0, plain_squares = 0;
        for (size_t i = 0; i < P; i++) {
            const int64_t x = valid[i] ? (int64_t)c3d_dtype_get(values, dtypes[k], i) : 0;
            plain += x;
            plain_squares += x * x;
        }
        assert_true(c3d_scene_sums(&shape, values, valid, &sum, &squares));
        assert_true(sum == plain);
        assert_true(squares == plain_squares);
    }
    free(values);
    free(valid);
}

static void float_sums_are_compensated(void **state)
{
    enum { S = 64, P = S * S };
    const c3d_shard_shape shape = { 1, 1, 1, S, C3D_F64 };
    double *values = c3d_calloc(P, sizeof *values), sum, squares;
    uint8_t valid[P];

    (void)state;
    memset(valid, 1, sizeof valid);
    values[0] = 1e17; /* swallows each 1 of a plain sum */
    for (int i = 1; i < P - 1; i++) values[i] = 1;
    values[P - 1] = -1e17;
    assert_true(c3d_scene_sums(&shape, values, valid, &sum, &squares));
    assert_true(sum == P - 2);
    free(values);
}

static void values_that_are_not_finite_are_not_observed(void **state)
{
    const c3d_shard_shape shape = { 1, 2, 2, 2, C3D_F32 };
    float values[16] = { 0 };
    uint8_t valid[8];
    float missing[2];

    (void)state;
    memset(valid, 1, sizeof valid);
    values[2] = NAN;          /* month 0, band 0, pixel 2 */
    values[8 + 4] = INFINITY; /* month 1, band 1, pixel 0 */
    c3d_scene_mask_not_finite(&shape, values, valid);
    assert_memory_equal(valid, ((uint8_t[8]){ 1, 1, 0, 1, 0, 1, 1, 1 }), 8);
    assert_int_equal(c3d_scene_missing(&shape, valid, missing), 2);
    assert_true(missing[0] == .25F && missing[1] == .25F);
}

static void bits_begin_at_the_most_significant(void **state)
{
    const c3d_shard_shape shape = { 1, 1, 1, 9, C3D_U8 };
    uint8_t valid[81] = { 0 }, bits[18];

    (void)state;
    valid[0] = valid[8] = 1;
    valid[9 + 3] = 1;
    c3d_scene_pack_valid(&shape, valid, bits);
    assert_int_equal(bits[0], 0x80);
    assert_int_equal(bits[1], 0x80);
    assert_int_equal(bits[2], 0x10);
    assert_int_equal(bits[3], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaps_are_filled_as_documented),
        cmocka_unit_test(sums_are_exact),
        cmocka_unit_test(small_integers_are_summed_whole),
        cmocka_unit_test(float_sums_are_compensated),
        cmocka_unit_test(values_that_are_not_finite_are_not_observed),
        cmocka_unit_test(bits_begin_at_the_most_significant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
