/* comm on 1, 2 and 3 ranks, with inputs whose sums are exact: any difference is an error. */
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

#include "c3d/comm.h"

static c3d_comm comm;

static void sums_are_exact(void **state)
{
    enum { N = 100003 };
    float *x = malloc(N * sizeof *x);
    const int n = comm.n_ranks;

    (void)state;
    for (int i = 0; i < N; i++) x[i] = (float)(i % 1000 + comm.rank);
    assert_int_equal(comm.ops->sum(&comm, x, N), C3D_OK);
    assert_int_equal(comm.ops->wait(&comm), C3D_OK);
    for (int i = 0; i < N; i++)
        assert_true(x[i] == (float)(n * (i % 1000) + n * (n - 1) / 2)); /* NOLINT: exact */
    free(x);
}

static void broadcast_comes_from_rank_0(void **state)
{
    char bytes[777];

    (void)state;
    memset(bytes, comm.rank + 1, sizeof bytes);
    assert_int_equal(comm.ops->broadcast(&comm, bytes, sizeof bytes), C3D_OK);
    for (size_t i = 0; i < sizeof bytes; i++) assert_int_equal(bytes[i], 1);
}

static void text_is_shared(void **state)
{
    char *text = comm.rank == 0 ? c3d_strdup("data:\n  seed: 1\n") : NULL;

    (void)state;
    assert_int_equal(c3d_comm_share_text(&comm, &text), C3D_OK);
    assert_string_equal(text, "data:\n  seed: 1\n");
    free(text);
}

static void bytes_are_gathered_in_rank_order(void **state)
{
    char mine[8];
    void *all = NULL;
    size_t n_all = 0;

    (void)state;
    memset(mine, 'a' + comm.rank, sizeof mine);
    assert_int_equal(c3d_comm_gather(&comm, mine, (size_t)comm.rank + 1, &all, &n_all), C3D_OK);
    if (comm.rank == 0) {
        assert_int_equal(n_all, comm.n_ranks * (comm.n_ranks + 1) / 2);
        size_t at = 0;
        for (int r = 0; r < comm.n_ranks; r++)
            for (int i = 0; i <= r; i++) assert_int_equal(((char *)all)[at++], 'a' + r);
    }
    free(all);
}

static void one_failure_is_everybodys(void **state)
{
    const int last = comm.n_ranks - 1;
    c3d_status st = C3D_OK;

    (void)state;
    assert_int_equal(c3d_comm_agree_status(&comm, C3D_OK), C3D_OK);
    if (comm.rank == last) st = C3D_FAIL(C3D_EDATA, "x.tif: 9 bands");
    assert_int_equal(c3d_comm_agree_status(&comm, st), C3D_EDATA);
    assert_non_null(strstr(c3d_error_last()->message, "x.tif: 9 bands"));
    comm.agreed = false;
}

static void the_largest_wins(void **state)
{
    int64_t value = comm.rank * 7, sums[2] = { comm.rank, 1 };

    (void)state;
    assert_int_equal(c3d_comm_agree_max(&comm, &value), C3D_OK);
    assert_int_equal(value, (comm.n_ranks - 1) * 7);
    assert_int_equal(c3d_comm_sum_i64(&comm, sums, 2), C3D_OK);
    assert_int_equal(sums[1], comm.n_ranks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_exact),
        cmocka_unit_test(broadcast_comes_from_rank_0),
        cmocka_unit_test(text_is_shared),
        cmocka_unit_test(bytes_are_gathered_in_rank_order),
        cmocka_unit_test(one_failure_is_everybodys),
        cmocka_unit_test(the_largest_wins),
    };

    if (c3d_comm_join(&comm, "test_comm") != C3D_OK || c3d_comm_open(&comm, 60) != C3D_OK) {
        c3d_log_error(c3d_error_last());
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    c3d_comm_leave(&comm);
    return failed;
}
