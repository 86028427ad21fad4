/* comm on 1 to 4 ranks, with inputs whose sums are exact or whose order is known: any difference is
 * an error. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/cm.h"

#include "c3d/comm.h"

static c3d_comm comm;

/* ---- memory of a device ---------------------------------------------------------------------- */

/* Memory mapped twice: where the device is said to have it nobody may touch it, and only its two
 * transfers know where it can be. */
static struct {
    char *device, *host;
    size_t n_bytes;
    size_t n_pinned; /* of host memory */
} fake;

static c3d_status fake_download(void *context, void *to_host, const void *from, size_t n_bytes)
{
    const size_t at = (size_t)((const char *)from - fake.device);

    assert_ptr_equal(context, &fake);
    assert_true(at <= fake.n_bytes && n_bytes <= fake.n_bytes - at);
    memcpy(to_host, fake.host + at, n_bytes);
    return C3D_OK;
}

static c3d_status fake_upload(void *context, void *to, const void *from_host, size_t n_bytes)
{
    const size_t at = (size_t)((char *)to - fake.device);

    assert_ptr_equal(context, &fake);
    assert_true(at <= fake.n_bytes && n_bytes <= fake.n_bytes - at);
    memcpy(fake.host + at, from_host, n_bytes);
    return C3D_OK;
}

static c3d_status fake_pin(void *context, void *memory, size_t n_bytes)
{
    assert_ptr_equal(context, &fake);
    assert_non_null(memory);
    fake.n_pinned += n_bytes;
    return C3D_OK;
}

static void fake_unpin(void *context, void *memory)
{
    assert_ptr_equal(context, &fake);
    assert_non_null(memory);
    fake.n_pinned = 0;
}

static const c3d_comm_device device = {
    .context = &fake,
    .download = fake_download,
    .upload = fake_upload,
    .pin = fake_pin,
    .unpin = fake_unpin,
};

/* n_bytes, given by all tests that follow: host memory or, with comm.device, the fake device's. */
static void *take_memory(size_t n_bytes)
{
    const int fd = memfd_create("test_comm", 0);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)n_bytes), 0);
    fake.n_bytes = n_bytes;
    fake.host = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    fake.device = mmap(NULL, n_bytes, PROT_NONE, MAP_SHARED, fd, 0);
    assert_true(fake.host != MAP_FAILED && fake.device != MAP_FAILED);
    assert_int_equal(close(fd), 0);
    return fake.host;
}

static void give_back_memory(void)
{
    assert_int_equal(munmap(fake.host, fake.n_bytes), 0);
    assert_int_equal(munmap(fake.device, fake.n_bytes), 0);
}

/* What the communicator is given for memory of the test. */
static void *where(void *host)
{
    return comm.device ? fake.device + ((char *)host - fake.host) : host;
}

/* ---- sums and broadcasts --------------------------------------------------------------------- */

/* Sizes around those of the pieces a sum is cut into, whatever they are, and odd ones. */
static const size_t sizes[] = { 0, 1, 2, 15, 17, 4097, 65535, 65536, 65537, 196613, 131072 };

enum { N_MOST = 196613 };

static void sums_are_exact(void **state)
{
    float *x = take_memory(N_MOST * sizeof *x);
    const int n = comm.n_ranks;

    (void)state;
    for (size_t s = 0; s < C3D_COUNT(sizes); s++) {
        for (size_t i = 0; i < sizes[s]; i++) x[i] = (float)((int)(i % 1000) + comm.rank);
        assert_int_equal(comm.ops->sum(&comm, where(x), sizes[s]), C3D_OK);
        assert_int_equal(comm.ops->wait(&comm), C3D_OK);
        for (size_t i = 0; i < sizes[s]; i++)
            assert_true(x[i] == (float)(n * (int)(i % 1000) + n * (n - 1) / 2)); /* NOLINT */
    }
    give_back_memory();
}

/* A number whose sums depend on their order. */
static float value_of(int rank, size_t i)
{
    return (float)c3d_random_unit(7, (uint64_t)rank, i % 1021) + (float)(i % 17);
}

static int n_nodes(void)
{
    return comm.ranks_per_node ? (comm.n_ranks - 1) / comm.ranks_per_node + 1 : 1;
}

/* Ranks in order inside a node, then nodes: a node is `ranks_per_node` neighbours. */
static float sum_in_order(size_t i)
{
    const int per_node = comm.ranks_per_node ? comm.ranks_per_node : comm.n_ranks;
    float all = 0;

    for (int first = 0; first < comm.n_ranks; first += per_node) {
        float of_node = value_of(first, i);
        for (int r = first + 1; r < first + per_node && r < comm.n_ranks; r++)
            of_node += value_of(r, i);
        all = first == 0 ? of_node : all + of_node;
    }
    return all;
}

static void assert_same_on_all(const void *bytes, size_t n)
{
    uint64_t hash = c3d_hash(bytes, n), of_rank_0 = hash;

    assert_int_equal(c3d_comm_share(&comm, &of_rank_0, sizeof of_rank_0), C3D_OK);
    assert_int_equal(hash, of_rank_0);
}

static void sums_are_in_rank_order(void **state)
{
    const size_t n = 150001;
    float *x = take_memory(n * sizeof *x);

    (void)state;
    for (size_t i = 0; i < n; i++) x[i] = value_of(comm.rank, i);
    assert_int_equal(comm.ops->sum(&comm, where(x), n), C3D_OK);
    assert_int_equal(comm.ops->wait(&comm), C3D_OK);
    assert_same_on_all(x, n * sizeof *x);
    if (n_nodes() <= 2) /* the order of more is MPI's */
        for (size_t i = 0; i < n; i++) assert_true(x[i] == sum_in_order(i)); /* NOLINT: exact */
    give_back_memory();
}

static void broadcast_comes_from_rank_0(void **state)
{
    char *bytes = take_memory(4 * N_MOST + 3);

    (void)state;
    for (size_t s = 0; s < C3D_COUNT(sizes); s++) {
        const size_t n = 4 * sizes[s] + s % 4;
        for (size_t i = 0; i < n; i++) bytes[i] = (char)((i + s) % 113 + (size_t)comm.rank);
        assert_int_equal(comm.ops->broadcast(&comm, where(bytes), n), C3D_OK);
        assert_int_equal(comm.ops->wait(&comm), C3D_OK);
        size_t n_wrong = 0;
        for (size_t i = 0; i < n; i++) n_wrong += bytes[i] != (char)((i + s) % 113);
        assert_int_equal(n_wrong, 0);
    }
    give_back_memory();
}

/* Of a rank's share in a reduce_scatter. */
static const size_t shares[] = { 0, 1, 2, 15, 17, 4097, 65537, 21846, 32768 };

/* Together more than the piece of staging, for two ranks and for four. */
enum { N_MOST_SHARED = 1100003 };

/* Bit for bit, at any number of nodes, and on a device too. */
static void scattered_and_gathered_is_the_sum(void **state)
{
    const size_t n_ranks = (size_t)comm.n_ranks, own = (size_t)comm.rank;
    float *x = take_memory(2 * N_MOST_SHARED * sizeof *x), *expected = x + N_MOST_SHARED;

    (void)state;
    for (size_t s = 0; s <= C3D_COUNT(shares); s++) {
        const size_t n = s < C3D_COUNT(shares) ? shares[s] : N_MOST_SHARED / n_ranks;
        const size_t n_all = n * n_ranks;
        for (size_t i = 0; i < n_all; i++) x[i] = expected[i] = value_of(comm.rank, i + s);
        assert_int_equal(comm.ops->sum(&comm, where(expected), n_all), C3D_OK);
        assert_int_equal(comm.ops->reduce_scatter(&comm, where(x), n), C3D_OK);
        assert_int_equal(comm.ops->wait(&comm), C3D_OK);
        assert_memory_equal(x + own * n, expected + own * n, n * sizeof *x);
        for (size_t i = 0; i < n_all; i++)
            if (i / n != own) x[i] = -1; /* as undefined as the contract lets them be */
        assert_int_equal(comm.ops->all_gather(&comm, where(x), n * sizeof *x), C3D_OK);
        assert_int_equal(comm.ops->wait(&comm), C3D_OK);
        assert_memory_equal(x, expected, n_all * sizeof *x);
    }
    give_back_memory();
}

static void all_gather_takes_any_bytes(void **state)
{
    const size_t odd[] = { 0, 1, 3, 1021, 262145, 4200003 / (size_t)comm.n_ranks };
    const size_t n_ranks = (size_t)comm.n_ranks, own = (size_t)comm.rank;
    char *all = take_memory(4200003);

    (void)state;
    for (size_t s = 0; s < C3D_COUNT(odd); s++) {
        const size_t n = odd[s];
        memset(all, -1, n * n_ranks);
        for (size_t i = 0; i < n; i++) all[own * n + i] = (char)((i + s) % 89 + own);
        assert_int_equal(comm.ops->all_gather(&comm, where(all), n), C3D_OK);
        assert_int_equal(comm.ops->wait(&comm), C3D_OK);
        size_t n_wrong = 0;
        for (size_t r = 0; r < n_ranks; r++)
            for (size_t i = 0; i < n; i++) n_wrong += all[r * n + i] != (char)((i + s) % 89 + r);
        assert_int_equal(n_wrong, 0);
    }
    give_back_memory();
}

/* With every partner that leaves nobody alone: a bit of the rank's number is the other's inverse.
 */
static void pairs_exchange(void **state)
{
    float *send = take_memory(2 * N_MOST * sizeof *send);
    float *received = send + N_MOST;

    (void)state;
    for (int bit = 1; bit < comm.n_ranks && (comm.n_ranks & (comm.n_ranks - 1)) == 0; bit *= 2) {
        const int partner = comm.rank ^ bit;
        for (size_t s = 0; s < C3D_COUNT(sizes); s++) {
            const size_t n = sizes[s];
            for (size_t i = 0; i < n; i++) send[i] = value_of(comm.rank, i + s);
            memset(received, 0xFF, N_MOST * sizeof *received);
            assert_int_equal(comm.ops->exchange(&comm, partner, where(send), where(received), n),
                             C3D_OK);
            assert_int_equal(comm.ops->wait(&comm), C3D_OK);
            size_t n_wrong = 0;
            for (size_t i = 0; i < n; i++) n_wrong += received[i] != value_of(partner, i + s);
            assert_int_equal(n_wrong, 0);
        }
    }
    give_back_memory();
}

enum { SUM, BROADCAST, SCATTER, GATHER, N_KINDS };

static c3d_status exchange(int kind, float *x, size_t n_share)
{
    const size_t n = n_share * (size_t)comm.n_ranks;

    if (kind == SUM) return comm.ops->sum(&comm, where(x), n);
    if (kind == BROADCAST) return comm.ops->broadcast(&comm, where(x), n * sizeof *x);
    if (kind == SCATTER) return comm.ops->reduce_scatter(&comm, where(x), n_share);
    return comm.ops->all_gather(&comm, where(x), n_share * sizeof *x);
}

/* Everything in a mixed order, with ranks that are late in turn, and nothing between two calls that
 * would keep a fast rank from running into what a slow one still reads. */
static void hurried_ranks_do_no_harm(void **state)
{
    enum { N_ROUNDS = 60 };
    const uint64_t stream = C3D_STREAM(C3D_PURPOSE_TEST, 1);
    const int n = comm.n_ranks;
    float *x = take_memory(N_MOST * sizeof *x);

    (void)state;
    for (uint64_t round = 0; round < N_ROUNDS; round++) {
        const int kind = (int)c3d_random_below(3, stream, 2 * round, N_KINDS);
        const size_t n_share =
            c3d_random_below(3, stream, 2 * round + 1, N_MOST / (uint64_t)n) + (uint64_t)1;
        const size_t begin = kind == SCATTER ? (size_t)comm.rank * n_share : 0;
        const size_t end = kind == SCATTER ? begin + n_share : (size_t)n * n_share;
        for (size_t i = 0; i < (size_t)n * n_share; i++)
            x[i] = (float)((i + round) % 999) + (float)comm.rank;
        if ((int)(round % 7) == comm.rank) (void)usleep(3000);
        assert_int_equal(exchange(kind, x, n_share), C3D_OK);
        assert_int_equal(comm.ops->wait(&comm), C3D_OK);
        size_t n_wrong = 0;
        for (size_t i = begin; i < end; i++) {
            const float of_0 = (float)((i + round) % 999);
            const float sum = of_0 * (float)n + (float)(n * (n - 1) / 2);
            const float gathered = of_0 + (float)(i / n_share);
            n_wrong += x[i] != (kind == BROADCAST ? of_0 : kind == GATHER ? gathered : sum);
        }
        assert_int_equal(n_wrong, 0);
    }
    give_back_memory();
}

static void reopen(const c3d_comm_device *memory, int ranks_per_node, double timeout_s)
{
    c3d_comm_close(&comm);
    comm.ranks_per_node = ranks_per_node;
    assert_int_equal(c3d_comm_open(&comm, memory, timeout_s), C3D_OK);
}

static rlim_t first_free_file(void)
{
    const int fd = dup(0);

    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    return (rlim_t)fd;
}

/* A host that refuses shared memory to one rank: all go on without it, and rank 0 says so. */
static void without_shared_memory_mpi_adds(void **state)
{
    const char *log = "test_comm.log";
    const int refused[] = { 0, comm.n_ranks - 1 };
    char *said = NULL;
    size_t n_said;

    (void)state;
    (void)unlink(comm.rank == 0 ? log : "");
    for (size_t i = 0; i < C3D_COUNT(refused) && comm.n_ranks > 1; i++) {
        struct rlimit files, none;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
        none = (struct rlimit){ first_free_file(), files.rlim_max };
        assert_int_equal(c3d_log_set_file(comm.rank == 0 ? log : NULL), C3D_OK);
        if (comm.rank == refused[i]) assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        reopen(NULL, 0, 60);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
        assert_int_equal(c3d_log_set_file(NULL), C3D_OK);
        sums_are_exact(NULL);
        broadcast_comes_from_rank_0(NULL);
        if (comm.rank != 0) continue;
        assert_int_equal(c3d_file_read(log, &said, &n_said), C3D_OK);
        assert_non_null(strstr(said, "Too many open files"));
        assert_non_null(strstr(said, "MPI_Allreduce"));
        assert_int_equal(unlink(log), 0);
        free(said);
    }
    reopen(NULL, 0, 60);
}

/* Many more than the queue holds, of which every three are only right one after the other, given
 * while numbers of the next ones are still being written; the ranks come to them in turn. */
static void calls_are_made_in_their_order(void **state)
{
    enum { N_CHUNKS = 100, N_SHARE = 700 };
    const int n = comm.n_ranks;
    const size_t n_chunk = N_SHARE * (size_t)n, own = (size_t)comm.rank * N_SHARE;
    float *all = take_memory(N_CHUNKS * n_chunk * sizeof *all);

    (void)state;
    for (size_t c = 0; c < N_CHUNKS; c++) {
        float *x = all + c * n_chunk;
        for (size_t i = 0; i < n_chunk; i++) x[i] = (float)(c + i) + (float)comm.rank;
        if (c % 20 == (size_t)(5 * comm.rank)) (void)usleep(2000);
        assert_int_equal(comm.ops->reduce_scatter(&comm, where(x), N_SHARE), C3D_OK);
        assert_int_equal(comm.ops->all_gather(&comm, where(x), N_SHARE * sizeof *x), C3D_OK);
        assert_int_equal(comm.ops->sum(&comm, where(x), n_chunk), C3D_OK);
    }
    assert_int_equal(comm.ops->wait(&comm), C3D_OK);
    for (size_t c = 0; c < N_CHUNKS; c++)
        for (size_t i = own; i < own + N_SHARE; i++) {
            const float sum = (float)(n * (int)(c + i)) + (float)(n * (n - 1) / 2);
            assert_true(all[c * n_chunk + i] == (n > 1 ? (float)n : 1) * sum); /* NOLINT: exact */
        }
    give_back_memory();
}

/* Rank 0 tells the others to come after it has given a sum that needs them. */
static void a_rank_goes_on_while_its_sum_waits(void **state)
{
    float x[5] = { 1, 1, 1, 1, 1 };
    char come = 0;

    (void)state;
    if (!comm.has_threads) return;
    if (comm.rank != 0) assert_int_equal(c3d_comm_share(&comm, &come, sizeof come), C3D_OK);
    assert_int_equal(comm.ops->sum(&comm, x, 5), C3D_OK);
    if (comm.rank == 0) assert_int_equal(c3d_comm_share(&comm, &come, sizeof come), C3D_OK);
    assert_int_equal(comm.ops->wait(&comm), C3D_OK);
    assert_true(x[4] == (float)comm.n_ranks); /* NOLINT: exact */
}

/* A rank that leaves does not wait for the others in what it has given. */
static void what_was_given_can_be_given_up(void **state)
{
    float x[1000] = { 0 };

    (void)state;
    reopen(NULL, 0, 1e9);
    for (int i = 0; i < 5 && comm.rank != comm.n_ranks - 1; i++)
        (void)comm.ops->sum(&comm, x, comm.n_ranks > 1 && comm.has_threads ? 1000 : 0);
    c3d_comm_give_up(&comm);
    assert_false(comm.is_stuck);
    comm.given_up = false;
    reopen(NULL, 0, 60);
}

static void everything_is_right(void)
{
    sums_are_exact(NULL);
    sums_are_in_rank_order(NULL);
    broadcast_comes_from_rank_0(NULL);
    scattered_and_gathered_is_the_sum(NULL);
    all_gather_takes_any_bytes(NULL);
    pairs_exchange(NULL);
    hurried_ranks_do_no_harm(NULL);
    calls_are_made_in_their_order(NULL);
    assert_int_equal(comm.ops->poll(&comm), C3D_OK);
}

static void one_node(void **state)
{
    (void)state;
    everything_is_right();
}

static void several_nodes_on_one_host(void **state)
{
    (void)state;
    for (int ranks_per_node = 1; ranks_per_node < comm.n_ranks; ranks_per_node++) {
        reopen(NULL, ranks_per_node, 60);
        everything_is_right();
    }
    reopen(NULL, 0, 60);
}

/* A device that no GPU library can reach, so that "mpi" carries its numbers: over one node, and
 * over as many as there are ranks. */
static void a_device_by_way_of_the_host(void **state)
{
    (void)state;
    for (int ranks_per_node = 0; ranks_per_node < 2; ranks_per_node++) {
        reopen(&device, ranks_per_node, 60);
        assert_string_equal(comm.ops->name, comm.n_ranks > 1 ? "mpi" : "self");
        assert_int_equal(fake.n_pinned > 0, comm.n_ranks > 1);
        sums_are_exact(NULL);
        broadcast_comes_from_rank_0(NULL);
        scattered_and_gathered_is_the_sum(NULL);
        all_gather_takes_any_bytes(NULL);
        pairs_exchange(NULL);
        calls_are_made_in_their_order(NULL);
    }
    reopen(NULL, 0, 60);
    assert_int_equal(fake.n_pinned, 0);
}

/* The planner counts with it: nothing alone, and no more than was said. */
static void the_window_is_small(void **state)
{
    (void)state;
    assert_int_equal(c3d_comm_window_bytes(1), 0);
    assert_true(c3d_comm_window_bytes(2) > 0);
    assert_in_range(c3d_comm_window_bytes(64), 1, 40 << 20);
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

/* A rank that leaves while MPI_Allreduce waits for one that does not come: nothing may be freed
 * under it, so the program ends with the error it has. */
static int leave_a_call_of_mpi(void)
{
    float x[5] = { 0 };

    c3d_comm_close(&comm);
    comm.ranks_per_node = 1;
    if (c3d_comm_open(&comm, NULL, 60) != C3D_OK) return 1;
    if (comm.rank != 0) (void)pause();
    if (comm.ops->sum(&comm, x, 5) != C3D_OK) return 1;
    (void)usleep(100000); /* for the call to have begun; if not, rank 0 leaves with 1 */
    (void)C3D_FAIL(C3D_EDATA, "a sample that rank 0 cannot read");
    c3d_comm_give_up(&comm);
    return 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_node),
        cmocka_unit_test(several_nodes_on_one_host),
        cmocka_unit_test(a_device_by_way_of_the_host),
        cmocka_unit_test(without_shared_memory_mpi_adds),
        cmocka_unit_test(a_rank_goes_on_while_its_sum_waits),
        cmocka_unit_test(what_was_given_can_be_given_up),
        cmocka_unit_test(the_window_is_small),
        cmocka_unit_test(text_is_shared),
        cmocka_unit_test(bytes_are_gathered_in_rank_order),
        cmocka_unit_test(one_failure_is_everybodys),
        cmocka_unit_test(the_largest_wins),
    };

    if (c3d_comm_join(&comm, "test_comm") != C3D_OK || c3d_comm_open(&comm, NULL, 60) != C3D_OK) {
        c3d_log_error(c3d_error_last());
        return 1;
    }
    if (argc > 1 && strcmp(argv[1], "leave") == 0) return leave_a_call_of_mpi();
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    c3d_comm_leave(&comm);
    return failed;
}
