/* Seconds of a step's gradient sum and of its broadcast of parameters: ours beside MPI_Allreduce
 * and MPI_Bcast on the same ranks, in turns; and where there are GPUs, one a rank, the sum in their
 * memory over NCCL and by way of the hosts. Run by comm.sh. */
#include "c3d/train.h"

#include <mpi.h>
#include <stdlib.h>

enum { N = 78000000, BUCKET = 25 * 1024 * 1024 / sizeof(float), N_ROUNDS = 7 };

typedef c3d_status (*pass)(c3d_comm *comm, float *x, size_t n);

static c3d_status sum_ours(c3d_comm *comm, float *x, size_t n)
{
    return comm->ops->sum(comm, x, n);
}

static c3d_status sum_mpi(c3d_comm *comm, float *x, size_t n)
{
    (void)comm;
    (void)MPI_Allreduce(MPI_IN_PLACE, x, (int)n, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
    return C3D_OK;
}

static c3d_status broadcast_ours(c3d_comm *comm, float *x, size_t n)
{
    return comm->ops->broadcast(comm, x, n * sizeof(float));
}

static c3d_status broadcast_mpi(c3d_comm *comm, float *x, size_t n)
{
    (void)comm;
    (void)MPI_Bcast(x, (int)n, MPI_FLOAT, 0, MPI_COMM_WORLD);
    return C3D_OK;
}

/* All buckets; seconds until the last rank is done. */
static double seconds_of(pass run, c3d_comm *comm, float *x)
{
    (void)MPI_Barrier(MPI_COMM_WORLD);
    const double start_s = c3d_now_s();
    for (size_t begin = 0; begin < N; begin += BUCKET) {
        const size_t n = N - begin < BUCKET ? N - begin : BUCKET;
        if (run(comm, x + begin, n) != C3D_OK) c3d_comm_abort(comm, c3d_error_last());
    }
    if (comm->ops->wait(comm) != C3D_OK) c3d_comm_abort(comm, c3d_error_last());
    (void)MPI_Barrier(MPI_COMM_WORLD);
    return c3d_now_s() - start_s;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median_of(double values[N_ROUNDS])
{
    qsort(values, N_ROUNDS, sizeof *values, compare);
    return values[N_ROUNDS / 2];
}

static const struct {
    const char *name;
    pass run;
} cases[] = {
    { "sum, ours", sum_ours },
    { "sum, MPI_Allreduce", sum_mpi },
    { "broadcast, ours", broadcast_ours },
    { "broadcast, MPI_Bcast", broadcast_mpi },
};

static void say(int n_ranks, double s[C3D_COUNT(cases)][N_ROUNDS])
{
    double ratios[N_ROUNDS];

    (void)printf("%d ranks, %d MB in buckets of %d MB, %d rounds in turns\n", n_ranks,
                 (int)(N * sizeof(float) / 1000000), (int)(BUCKET * sizeof(float) >> 20), N_ROUNDS);
    for (int i = 0; i < N_ROUNDS; i++) ratios[i] = s[0][i] / s[1][i];
    for (size_t c = 0; c < C3D_COUNT(cases); c++) {
        const double median = median_of(s[c]);
        (void)printf("%-22s median %5.0f ms  fastest %5.0f  slowest %5.0f\n", cases[c].name,
                     median * 1e3, s[c][0] * 1e3, s[c][N_ROUNDS - 1] * 1e3);
    }
    (void)printf("comm ratio=%.2f\n", median_of(ratios));
}

/* ---- in the memory of GPUs ------------------------------------------------------------------- */

static c3d_status sum_on_device(c3d_comm *comm, c3d_backend *gpu, float *x)
{
    bool done = false;

    for (size_t begin = 0; begin < N; begin += BUCKET)
        C3D_TRY(comm->ops->sum(comm, x + begin, N - begin < BUCKET ? N - begin : BUCKET));
    C3D_TRY(comm->ops->wait(comm));
    C3D_TRY(gpu->ops->mark(gpu, 0));
    while (!done) {
        C3D_TRY(comm->ops->poll(comm));
        C3D_TRY(gpu->ops->reached(gpu, 0, &done));
    }
    return C3D_OK;
}

/* Bus bandwidth: what each GPU has to send at least, 2 (ranks - 1) / ranks of the bytes, a second;
 * the figure of nccl-tests. */
static c3d_status time_on_device(c3d_comm *comm, c3d_backend *gpu, float *x)
{
    double s[N_ROUNDS];

    C3D_TRY(sum_on_device(comm, gpu, x));
    for (int i = 0; i < N_ROUNDS; i++) {
        C3D_TRY(c3d_comm_barrier(comm));
        const double start_s = c3d_now_s();
        C3D_TRY(sum_on_device(comm, gpu, x));
        C3D_TRY(c3d_comm_barrier(comm));
        s[i] = c3d_now_s() - start_s;
    }
    if (comm->rank != 0) return C3D_OK;
    const double median = median_of(s), n_bytes = (double)N * sizeof(float);
    const double share = 2.0 * (comm->n_ranks - 1) / comm->n_ranks;
    (void)printf("sum on GPUs, %-10s median %7.2f ms  %6.1f GB/s, bus %6.1f GB/s\n",
                 comm->ops->name, median * 1e3, n_bytes / median / 1e9,
                 share * n_bytes / median / 1e9);
    return C3D_OK;
}

static c3d_status compare_on_device(c3d_comm *comm, c3d_backend *gpu)
{
    const c3d_comm_device device = c3d_device_of(gpu);
    void *x;

    C3D_TRY(gpu->ops->alloc(gpu, (size_t)N * sizeof(float), &x));
    C3D_TRY(c3d_comm_open(comm, &device, 600));
    C3D_TRY(time_on_device(comm, gpu, x));
    if (comm->ops == &c3d_comm_nccl) { /* and by way of the hosts */
        comm->ops->close(comm);
        comm->ops = &c3d_comm_mpi;
        C3D_TRY(comm->ops->open(comm, 600));
        C3D_TRY(time_on_device(comm, gpu, x));
    }
    c3d_comm_close(comm);
    gpu->ops->free(gpu, x);
    return C3D_OK;
}

static c3d_status run_on_gpus(c3d_comm *comm)
{
    const c3d_backend_options options = { .device_index = comm->local_rank,
                                          .precision = C3D_PRECISION_FP32 };
    c3d_backend gpu = { 0 };
    const c3d_status opened = c3d_backend_open(&gpu, "cuda", &options);

    if (c3d_comm_agree_status(comm, opened) != C3D_OK) {
        comm->agreed = false;
        if (comm->rank == 0) (void)printf("no sums on GPUs: %s\n", c3d_error_last()->message);
        c3d_backend_close(&gpu);
        return C3D_OK;
    }
    const c3d_status st = compare_on_device(comm, &gpu);
    c3d_backend_close(&gpu);
    return st;
}

int main(void)
{
    double s[C3D_COUNT(cases)][N_ROUNDS];
    c3d_comm comm;
    float *x = NULL;

    if (c3d_comm_join(&comm, "bench_comm") != C3D_OK || c3d_comm_open(&comm, NULL, 600) != C3D_OK)
        c3d_comm_abort(&comm, c3d_error_last());
    x = c3d_calloc(N, sizeof *x);
    if (!x) c3d_comm_abort(&comm, c3d_error_last());
    for (size_t c = 0; c < C3D_COUNT(cases); c++) (void)seconds_of(cases[c].run, &comm, x);
    for (int i = 0; i < N_ROUNDS; i++)
        for (size_t c = 0; c < C3D_COUNT(cases); c++) s[c][i] = seconds_of(cases[c].run, &comm, x);
    free(x);
    c3d_comm_close(&comm);
    if (run_on_gpus(&comm) != C3D_OK) c3d_comm_abort(&comm, c3d_error_last());
    if (comm.rank == 0) say(comm.n_ranks, s);
    c3d_comm_leave(&comm);
    return 0;
}
