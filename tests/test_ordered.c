/* Sums of gradients in one order, on 1, 2, 4 and 8 ranks, against the definition of the tree: the
 * same bits, of numbers whose sum depends on the order. */
#include "train/ordered.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"
#include "train/optimizer.h"

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != C3D_OK) fail_msg("%s: %s", #call, c3d_error_last()->message);                \
    } while (0)

/* Three buckets and a rest, on any number of ranks; at most so many micro-batches. */
enum { N = 2600, MOST = 40 };

static c3d_comm comm;
static c3d_config config;
static float leaves[MOST][N];

static void parse(const char *text)
{
    const c3d_config_source_text source = {
        .text = text, .n_bytes = strlen(text), .name = "test", .use = C3D_CONFIG_FOR_READING
    };
    c3d_text mistakes = { 0 };

    if (c3d_config_parse(&source, &config, &mistakes) != C3D_OK) fail_msg("%s", mistakes.text);
    c3d_text_free(&mistakes);
}

/* Some are -0 in every micro-batch, so that nothing may add a 0 to them.
 */
static void make_leaves(void)
{
    for (int j = 0; j < MOST; j++)
        for (int i = 0; i < N; i++) {
            const uint64_t at = (uint64_t)j * N + (uint64_t)i;
            const uint64_t stream = C3D_STREAM(C3D_PURPOSE_TEST, 1);
            const double size = ldexp(1, (int)c3d_random_below(5, stream, at, 4));
            leaves[j][i] = i % 97 ? (float)(size * c3d_random_normal(6, stream, at)) : -0.0F;
        }
}

/* The definition. */
static float tree(int begin, int n, int i)
{
    const int first = (n + 1) / 2;

    if (n == 1) return leaves[begin][i];
    return tree(begin, first, i) + tree(begin + first, n - first, i);
}

static int set_up(void **state)
{
    (void)state;
    parse("distributed:\n  reduction: ordered\n  bucket_mb: 0.001\n"
          "train:\n  global_batch: 40\n  micro_batch: 1\n");
    make_leaves();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    c3d_config_free(&config);
    return 0;
}

static void open_run(c3d_run *run)
{
    void *grad;

    *run = (c3d_run){ .comm = &comm, .config = &config };
    OK(c3d_backend_open(&run->backend, "check:ref", &(c3d_backend_options){ .n_threads = 1 }));
    OK(run->backend.ops->alloc(&run->backend, N * sizeof(float), &grad));
    run->model.n_arena = N;
    run->model.grad = grad;
    OK(c3d_ordered_open(run));
}

static void close_run(c3d_run *run)
{
    c3d_ordered_close(run);
    run->backend.ops->free(&run->backend, run->model.grad);
    c3d_backend_close(&run->backend);
}

/* As a step does it. */
static void sum_up(c3d_run *run, int n_micro)
{
    const c3d_cut cut = c3d_optimizer_cut(run, N);
    const c3d_block mine = c3d_deal_block(n_micro, comm.rank, comm.n_ranks);

    c3d_ordered_begin(run, n_micro);
    if (mine.n == 0) memset(run->model.grad, 0, N * sizeof(float));
    for (int nth = 0; nth < mine.n; nth++) {
        memcpy(run->model.grad, leaves[mine.begin + nth], N * sizeof(float));
        OK(c3d_ordered_keep(run, nth, mine.n));
    }
    assert_true(cut.n_pieces >= 3 && cut.n_pieces > cut.n_buckets);
    for (size_t i = 0; i < cut.n_pieces; i++) {
        const c3d_piece piece = c3d_cut_piece(&cut, i);
        OK(c3d_optimizer_reduce(run, &piece));
    }
    OK(comm.ops->wait(&comm));
}

static void check_sum(c3d_run *run, int n_micro)
{
    size_t n_other = 0;

    sum_up(run, n_micro);
    for (int i = 0; i < N; i++) {
        const float expected = tree(0, n_micro, i);
        float one_by_one = leaves[0][i];
        for (int j = 1; j < n_micro; j++) one_by_one += leaves[j][i];
        n_other += one_by_one != expected;
        if (memcmp(&run->model.grad[i], &expected, sizeof expected) != 0)
            fail_msg("%d micro-batches on %d ranks: number %d is %.9g, expected %.9g", n_micro,
                     comm.n_ranks, i, (double)run->model.grad[i], (double)expected);
    }
    assert_true(n_micro < 4 || n_other > N / 10); /* or any order would do */
}

static void every_sum_is_the_trees(void **state)
{
    c3d_run run;

    (void)state;
    for (int per_node = 0; per_node < comm.n_ranks && per_node <= 2; per_node++) {
        c3d_comm_close(&comm);
        comm.ranks_per_node = per_node;
        OK(c3d_comm_open(&comm, NULL, 60));
        open_run(&run);
        for (int n = 1; n <= MOST; n += n < 18 ? 1 : 11) check_sum(&run, n);
        close_run(&run);
    }
}

/* The norm does not depend on how the arena is cut, and so not on the ranks. */
static void the_norm_is_of_the_whole(void **state)
{
    double whole, measured;
    c3d_run run;

    (void)state;
    open_run(&run);
    OK(c3d_optimizer_open(&run));
    sum_up(&run, 7);
    OK(run.backend.ops->sum_squares(&run.backend, run.model.grad, N, run.optimizer.squares));
    OK(run.backend.ops->download(&run.backend, &whole, run.optimizer.squares, sizeof whole));
    OK(c3d_optimizer_measure(&run));
    OK(run.backend.ops->download(&run.backend, &measured, run.optimizer.squares, sizeof measured));
    assert_true(whole > 0 && whole == measured); /* NOLINT: exact */
    c3d_optimizer_close(&run);
    close_run(&run);
}

static void few_sums_are_held(void **state)
{
    const c3d_block most = c3d_deal_block(MOST, comm.rank, comm.n_ranks);
    c3d_run run;

    (void)state;
    open_run(&run);
    assert_int_equal(run.ordered.n_arenas, (int)log2(most.n));
    assert_true(c3d_ordered_bytes(&run, N) >= (uint64_t)run.ordered.n_arenas * N * sizeof(float));
    close_run(&run);
    config.distributed.reduction = C3D_CONFIG_REDUCTION_FAST;
    open_run(&run);
    assert_int_equal(run.ordered.n_arenas, 0);
    assert_null(run.ordered.received);
    assert_int_equal(c3d_ordered_bytes(&run, N), 0);
    close_run(&run);
    config.distributed.reduction = C3D_CONFIG_REDUCTION_ORDERED;
}

static void only_powers_of_two(void **state)
{
    c3d_comm some = { 0 };
    c3d_run run = { .comm = &some, .config = &config };

    (void)state;
    for (int n = 1; n <= 32; n++) {
        some.n_ranks = n;
        assert_int_equal(c3d_ordered_check_ranks(&run), (n & (n - 1)) == 0 ? C3D_OK : C3D_ECONFIG);
    }
    some.n_ranks = 6;
    assert_int_equal(c3d_ordered_check_ranks(&run), C3D_ECONFIG);
    assert_non_null(strstr(c3d_error_last()->message, "use 4 or 8"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sum_is_the_trees),
        cmocka_unit_test(the_norm_is_of_the_whole),
        cmocka_unit_test(few_sums_are_held),
        cmocka_unit_test(only_powers_of_two),
    };

    if (c3d_comm_join(&comm, "test_ordered") != C3D_OK ||
        c3d_comm_open(&comm, NULL, 60) != C3D_OK) {
        c3d_log_error(c3d_error_last());
        return 1;
    }
    const int failed = cmocka_run_group_tests(tests, set_up, tear_down);
    c3d_comm_leave(&comm);
    return failed;
}
