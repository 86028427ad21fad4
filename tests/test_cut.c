/* The cut of an arena: every float is in one piece, in order; shares of ranks are all of a bucket,
 * and what a rank keeps has no holes. */
#include "train/cut.h"

#include "support/cm.h"

static void check_rank(const c3d_cut *cut, int rank, size_t n_kept)
{
    size_t kept = 0;

    for (size_t i = 0; i < cut->n_pieces; i++) {
        const c3d_piece piece = c3d_cut_piece(cut, i);
        const c3d_range range = c3d_cut_share(cut, i, rank);

        assert_int_equal(range.kept, kept);
        kept += range.n;
        if (i == cut->n_buckets) {
            assert_true(range.begin == piece.begin && range.n == piece.n && piece.n_share == 0);
        } else {
            assert_int_equal(range.n, piece.n_share);
            assert_int_equal(range.n * cut->n_ranks, piece.n);
            assert_int_equal(range.n % C3D_CUT_FLOATS, 0);
            assert_int_equal(range.begin, piece.begin + (size_t)rank * range.n);
        }
    }
    assert_int_equal(kept, n_kept);
}

static void every_float_has_its_place(void **state)
{
    static const size_t sizes[] = { 16, 32, 48, 80, 4096, 4112, 100000 },
                        buckets[] = { 1, 100, 4096 };

    (void)state;
    for (size_t s = 0; s < C3D_COUNT(sizes); s++) {
        for (size_t b = 0; b < C3D_COUNT(buckets); b++) {
            for (int n_ranks = 1; n_ranks <= 7; n_ranks++) {
                const c3d_cut cut = c3d_cut_make(sizes[s], buckets[b], n_ranks);
                size_t end = 0;

                for (size_t i = 0; i < cut.n_pieces; i++) {
                    const c3d_piece piece = c3d_cut_piece(&cut, i);
                    assert_int_equal(piece.begin, end);
                    assert_true(piece.n > 0);
                    end += piece.n;
                }
                assert_int_equal(end, sizes[s]);
                assert_true(cut.n - cut.n_shared < C3D_CUT_FLOATS * (size_t)n_ranks);
                for (int r = 0; r < n_ranks; r++) check_rank(&cut, r, c3d_cut_kept(&cut));
            }
        }
    }
}

static void shares_are_small(void **state)
{
    const c3d_cut cut = c3d_cut_make(1000000, 65536, 4);

    (void)state;
    assert_int_equal(c3d_cut_kept(&cut), 250000);
    assert_int_equal(cut.n_buckets, 16);
    assert_int_equal(c3d_cut_share(&cut, 1, 3).begin, 65536 + 3 * 16384);
    assert_int_equal(c3d_cut_share(&cut, 1, 3).kept, 16384);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_float_has_its_place),
        cmocka_unit_test(shares_are_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
