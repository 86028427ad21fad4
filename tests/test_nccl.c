/* The communicator "nccl" against NCCL and CUDA on the host (tests/cuda_host): 1 to 4 ranks, each
 * with a GPU of its own. What the compute stream does before and after a collective is enqueued and
 * never waited for, so that a missing dependency shows as a wrong number. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cm.h"

#include "c3d/comm.h"

#include <cuda_runtime_api.h>

#define CUDA(call) assert_int_equal(call, cudaSuccess)

enum { N_MOST = 196613 };

static c3d_comm comm;
static c3d_comm_device device;
static cudaStream_t compute;
static float *host, *x; /* [N_MOST] of page-locked host memory and of the device */

/* ---- a device -------------------------------------------------------------------------------- */

static c3d_status download(void *context, void *to_host, const void *from, size_t n_bytes)
{
    (void)context;
    CUDA(cudaMemcpyAsync(to_host, from, n_bytes, cudaMemcpyDeviceToHost, compute));
    CUDA(cudaStreamSynchronize(compute));
    return C3D_OK;
}

static c3d_status upload(void *context, void *to, const void *from_host, size_t n_bytes)
{
    (void)context;
    CUDA(cudaMemcpyAsync(to, from_host, n_bytes, cudaMemcpyHostToDevice, compute));
    CUDA(cudaStreamSynchronize(compute));
    return C3D_OK;
}

static void open_with(const c3d_comm_device *with, double timeout_s, const char *expected)
{
    c3d_comm_close(&comm);
    comm.agreed = false;
    assert_int_equal(c3d_comm_open(&comm, with, timeout_s), C3D_OK);
    assert_string_equal(comm.ops->name, comm.n_ranks > 1 ? expected : "self");
}

static void reopen(double timeout_s)
{
    open_with(&device, timeout_s, "nccl");
}

static int set_up(void **state)
{
    (void)state;
    CUDA(cudaSetDevice(comm.local_rank));
    CUDA(cudaStreamCreateWithFlags(&compute, cudaStreamNonBlocking));
    CUDA(cudaMalloc((void **)&x, N_MOST * sizeof *x));
    CUDA(cudaMallocHost((void **)&host, N_MOST * sizeof *x));
    device = (c3d_comm_device){
        .index = comm.local_rank,
        .stream = compute,
        .download = download,
        .upload = upload,
    };
    reopen(60);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    c3d_comm_close(&comm);
    CUDA(cudaFree(x));
    CUDA(cudaFreeHost(host));
    CUDA(cudaStreamDestroy(compute));
    return 0;
}

/* As the training waits for a step: polling both. */
static c3d_status wait_and_poll(void)
{
    cudaEvent_t mark;
    c3d_status st = C3D_OK;

    CUDA(cudaEventCreateWithFlags(&mark, cudaEventDisableTiming));
    CUDA(cudaEventRecord(mark, compute));
    while (st == C3D_OK && cudaEventQuery(mark) == cudaErrorNotReady) {
        (void)usleep(100);
        st = comm.ops->poll(&comm);
    }
    CUDA(cudaEventDestroy(mark));
    return st;
}

static float value_of(int rank, size_t i)
{
    return (float)((i * 7 + (size_t)rank * 3) % 1009);
}

static float sum_of(size_t i)
{
    float sum = 0;

    for (int r = 0; r < comm.n_ranks; r++) sum += value_of(r, i); /* exact */
    return sum;
}

/* ---- numbers --------------------------------------------------------------------------------- */

typedef enum exchange { SUM, BROADCAST, SCATTER, GATHER, N_EXCHANGES } exchange;

static c3d_status call(exchange what, float *at, size_t n_share)
{
    const size_t n = n_share * (size_t)comm.n_ranks;

    if (what == SUM) return comm.ops->sum(&comm, at, n);
    if (what == BROADCAST) return comm.ops->broadcast(&comm, at, n * sizeof *at);
    if (what == SCATTER) return comm.ops->reduce_scatter(&comm, at, n_share);
    return comm.ops->all_gather(&comm, at, n_share * sizeof *at);
}

static float expected(exchange what, size_t i, size_t n_share)
{
    if (what == BROADCAST) return value_of(0, i);
    if (what == GATHER) return value_of((int)(i / n_share), i);
    return sum_of(i);
}

static void check_exchange(exchange what, size_t n_share)
{
    const size_t n = n_share * (size_t)comm.n_ranks, own = (size_t)comm.rank * n_share;
    const size_t begin = what == SCATTER ? own : 0, end = what == SCATTER ? own + n_share : n;
    const size_t n_bytes = n * sizeof *x;
    size_t n_wrong = 0;

    for (size_t i = 0; i < n; i++) host[i] = value_of(comm.rank, i);
    if (n) CUDA(cudaMemcpyAsync(x, host, n_bytes, cudaMemcpyHostToDevice, compute));
    assert_int_equal(call(what, x, n_share), C3D_OK);
    assert_int_equal(comm.ops->wait(&comm), C3D_OK);
    if (n) CUDA(cudaMemcpyAsync(host, x, n_bytes, cudaMemcpyDeviceToHost, compute));
    if (n) CUDA(cudaMemsetAsync(x, 0xFF, n_bytes, compute)); /* too early if nobody waited */
    assert_int_equal(wait_and_poll(), C3D_OK);
    for (size_t i = begin; i < end; i++) n_wrong += host[i] != expected(what, i, n_share);
    assert_int_equal(n_wrong, 0);
}

static void all_exchanges_are_right(void **state)
{
    const size_t shares[] = { 0, 1, 3, 17, 4097, 49153 };

    (void)state;
    for (exchange what = 0; what < N_EXCHANGES; what++)
        for (size_t s = 0; s < C3D_COUNT(shares); s++) check_exchange(what, shares[s]);
}

/* Numbers that the compute stream has just made, in pairs; of 3 ranks one would be alone. */
static void pairs_exchange(void **state)
{
    const size_t sizes[] = { 0, 1, 17, 4097, 90001 };
    float *received = x + N_MOST / 2;

    (void)state;
    for (int bit = 1; bit < comm.n_ranks && (comm.n_ranks & (comm.n_ranks - 1)) == 0; bit *= 2) {
        const int partner = comm.rank ^ bit;
        for (size_t s = 0; s < C3D_COUNT(sizes); s++) {
            const size_t n = sizes[s], n_bytes = n * sizeof *x;
            size_t n_wrong = 0;
            for (size_t i = 0; i < n; i++) host[i] = value_of(comm.rank, i + s);
            if (n) CUDA(cudaMemcpyAsync(x, host, n_bytes, cudaMemcpyHostToDevice, compute));
            assert_int_equal(comm.ops->exchange(&comm, partner, x, received, n), C3D_OK);
            assert_int_equal(comm.ops->wait(&comm), C3D_OK);
            if (n) CUDA(cudaMemcpyAsync(host, received, n_bytes, cudaMemcpyDeviceToHost, compute));
            if (n) CUDA(cudaMemsetAsync(received, 0xFF, n_bytes, compute));
            assert_int_equal(wait_and_poll(), C3D_OK);
            for (size_t i = 0; i < n; i++) n_wrong += host[i] != value_of(partner, i + s);
            assert_int_equal(n_wrong, 0);
        }
    }
}

/* More in flight than are counted one by one, each on the result of the one before. */
static void many_follow_each_other(void **state)
{
    enum { N = 64, N_CALLS = 70 };
    const float factor = (float)comm.n_ranks;
    float value = 1;

    (void)state;
    for (int i = 0; i < N; i++) host[i] = 1;
    CUDA(cudaMemcpyAsync(x, host, N * sizeof *x, cudaMemcpyHostToDevice, compute));
    for (int c = 0; c < N_CALLS; c++) {
        assert_int_equal(comm.ops->sum(&comm, x, N), C3D_OK);
        value *= factor;
        if (value < 1e30F) continue;
        assert_int_equal(comm.ops->wait(&comm), C3D_OK); /* and between them the compute stream */
        CUDA(cudaMemcpyAsync(x, host, N * sizeof *x, cudaMemcpyHostToDevice, compute));
        value = 1;
    }
    assert_int_equal(comm.ops->wait(&comm), C3D_OK);
    CUDA(cudaMemcpyAsync(host + N, x, N * sizeof *x, cudaMemcpyDeviceToHost, compute));
    assert_int_equal(wait_and_poll(), C3D_OK);
    for (int i = 0; i < N; i++) assert_true(host[N + i] == value); /* NOLINT: exact */
}

/* Two buckets, of which the second is still being computed while the first is summed. */
static void a_bucket_does_not_wait_for_the_next(void **state)
{
    enum { N = 5000 };

    (void)state;
    for (size_t i = 0; i < (size_t)2 * N; i++) host[i] = value_of(comm.rank, i);
    for (size_t b = 0; b < 2; b++) {
        float *bucket = x + b * N;
        CUDA(cudaMemcpyAsync(bucket, host + b * N, N * sizeof *x, cudaMemcpyHostToDevice, compute));
        assert_int_equal(comm.ops->sum(&comm, bucket, N), C3D_OK);
    }
    assert_int_equal(comm.ops->wait(&comm), C3D_OK);
    CUDA(cudaMemcpyAsync(host, x, 2 * N * sizeof *x, cudaMemcpyDeviceToHost, compute));
    assert_int_equal(wait_and_poll(), C3D_OK);
    for (size_t i = 0; i < (size_t)2 * N; i++) assert_true(host[i] == sum_of(i)); /* NOLINT */
}

static void closing_finishes_what_is_enqueued(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_MOST; i++) host[i] = value_of(comm.rank, i);
    CUDA(cudaMemcpyAsync(x, host, N_MOST * sizeof *x, cudaMemcpyHostToDevice, compute));
    assert_int_equal(comm.ops->sum(&comm, x, N_MOST), C3D_OK);
    reopen(60);
    CUDA(cudaMemcpy(host, x, N_MOST * sizeof *x, cudaMemcpyDeviceToHost));
    for (size_t i = 0; i < N_MOST && comm.n_ranks > 1; i++)
        assert_true(host[i] == sum_of(i)); /* NOLINT */
}

/* ---- failures -------------------------------------------------------------------------------- */

static void assert_said(const char *what)
{
    const char *said = c3d_error_last()->message;

    if (!strstr(said, what)) fail_msg("\"%s\" is not in \"%s\"", what, said);
}

static void assert_stays_failed(void)
{
    assert_int_equal(comm.ops->poll(&comm), C3D_ECOMM);
    assert_int_equal(comm.ops->sum(&comm, x, 5), C3D_ECOMM);
    assert_int_equal(comm.ops->wait(&comm), C3D_ECOMM);
}

static void what_nccl_finds_is_an_error(void **state)
{
    (void)state;
    if (comm.n_ranks == 1) return;
    assert_int_equal(setenv("C3D_CUDA_HOST_NCCL_ERROR", "0:1", 1), 0);
    reopen(1);
    if (comm.rank == 0) {
        assert_int_equal(comm.ops->sum(&comm, x, 5), C3D_OK);
        assert_int_equal(comm.ops->poll(&comm), C3D_ECOMM);
        assert_said("the network is gone");
        assert_said("remote process exited");
        assert_stays_failed();
    }
    comm.ops->abort(&comm);
    assert_int_equal(comm.ops->sum(&comm, x, 5), C3D_ECOMM);
    assert_int_equal(unsetenv("C3D_CUDA_HOST_NCCL_ERROR"), 0);
    assert_int_equal(c3d_comm_barrier(&comm), C3D_OK);
    reopen(60);
    check_exchange(SUM, 1000);
}

/* A rank on its way out after an error of its own has something enqueued that the others never
 * will: its device can be closed nevertheless. */
static void who_gives_up_can_close_the_device(void **state)
{
    (void)state;
    if (comm.rank == 0) assert_int_equal(comm.ops->sum(&comm, x, 5), C3D_OK);
    assert_int_equal(comm.ops->wait(&comm), C3D_OK);
    c3d_comm_give_up(&comm);
    c3d_comm_close(&comm);
    CUDA(cudaDeviceSynchronize());
    assert_int_equal(c3d_comm_barrier(&comm), C3D_OK);
    comm.given_up = false; /* no program goes on */
    reopen(60);
    check_exchange(SUM, 1000);
}

/* ---- choices --------------------------------------------------------------------------------- */

/* The last rank's second initialisation fails (main). */
static void a_failed_initialisation_leads_by_way_of_the_host(void **state)
{
    (void)state;
    open_with(&device, 60, "mpi");
    check_exchange(SUM, 1000);
    reopen(60);
}

static void a_gpu_that_is_not_there_leads_by_way_of_the_host(void **state)
{
    c3d_comm_device other = device;

    (void)state;
    if (comm.rank == comm.n_ranks - 1) other.index = 99;
    open_with(&other, 60, "mpi");
    for (exchange what = 0; what < N_EXCHANGES; what++) check_exchange(what, 1000);
    reopen(60);
}

static void a_shared_gpu_needs_to_be_allowed(void **state)
{
    c3d_comm_device same = device;

    (void)state;
    same.index = 0;
    open_with(&same, 60, "mpi");
    assert_int_equal(setenv("C3D_NCCL_SHARED_GPU", "1", 1), 0);
    open_with(&same, 60, "nccl");
    assert_int_equal(comm.shares_gpu, comm.n_ranks > 1);
    assert_int_equal(unsetenv("C3D_NCCL_SHARED_GPU"), 0);
    check_exchange(SUM, 1000);
    CUDA(cudaSetDevice(device.index));
    reopen(60);
}

static void deterministic_fixes_what_nccl_would_choose(void **state)
{
    c3d_comm_device repeatable = device;

    (void)state;
    if (comm.n_ranks == 1) return;
    assert_null(getenv("NCCL_ALGO"));
    assert_int_equal(setenv("NCCL_PROTO", "LL", 1), 0); /* the user's */
    repeatable.deterministic = true;
    open_with(&repeatable, 60, "nccl");
    assert_string_equal(getenv("NCCL_ALGO"), "Ring");
    assert_string_equal(getenv("NCCL_PROTO"), "LL");
    assert_string_equal(getenv("NCCL_NVLS_ENABLE"), "0");
    reopen(60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_initialisation_leads_by_way_of_the_host), /* the first: main */
        cmocka_unit_test(all_exchanges_are_right),
        cmocka_unit_test(pairs_exchange),
        cmocka_unit_test(many_follow_each_other),
        cmocka_unit_test(a_bucket_does_not_wait_for_the_next),
        cmocka_unit_test(closing_finishes_what_is_enqueued),
        cmocka_unit_test(what_nccl_finds_is_an_error),
        cmocka_unit_test(who_gives_up_can_close_the_device),
        cmocka_unit_test(a_gpu_that_is_not_there_leads_by_way_of_the_host),
        cmocka_unit_test(deterministic_fixes_what_nccl_would_choose),
        cmocka_unit_test(a_shared_gpu_needs_to_be_allowed),
    };

    (void)setenv("C3D_CUDA_HOST_DEVICES", "8", 1);
    if (c3d_comm_join(&comm, "test_nccl") != C3D_OK) {
        c3d_log_error(c3d_error_last());
        return 1;
    }
    if (comm.rank == comm.n_ranks - 1)
        (void)setenv("C3D_CUDA_HOST_FAIL", "ncclCommInitRankConfig:2", 1);
    const int failed = cmocka_run_group_tests(tests, set_up, tear_down);
    c3d_comm_leave(&comm);
    return failed;
}
