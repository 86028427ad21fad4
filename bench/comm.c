/* Seconds of a step's gradient sum and of its broadcast of parameters: ours beside MPI_Allreduce
 * and MPI_Bcast on the same ranks, in turns. Run by comm.sh. */
#include "c3d/comm.h"

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
    if (comm.rank == 0) say(comm.n_ranks, s);
    free(x);
    c3d_comm_leave(&comm);
    return 0;
}
