#include "train/check.h"

#include "train/run.h"
#include "train/step.h"

#include <stdlib.h>

#define TIMES   9
#define TOTAL_S 0.2 /* of one size */

static const struct {
    const char *name;
    size_t n; /* floats */
} sizes[] = { { "64 B", 16 }, { "64 KiB", 1 << 14 }, { "1 MiB", 1 << 18 }, { "16 MiB", 1 << 22 } };
#define LARGEST (1 << 22)

static c3d_status sum(c3d_run *run, float *buffer, size_t n)
{
    C3D_TRY(run->comm->ops->sum(run->comm, buffer, n));
    C3D_TRY(run->comm->ops->wait(run->comm));
    return c3d_run_settle(run);
}

/* Whole numbers, so that no order of adding rounds. */
static c3d_status check_sum(c3d_run *run, float *buffer)
{
    const c3d_backend *backend = &run->backend;
    const int n = run->comm->n_ranks;
    const float wanted = (float)n * (float)(n + 1) / 2;
    float values[1000];

    for (size_t i = 0; i < C3D_COUNT(values); i++) values[i] = (float)(run->comm->rank + 1);
    C3D_TRY(backend->ops->upload(&run->backend, buffer, values, sizeof values));
    C3D_TRY(sum(run, buffer, C3D_COUNT(values)));
    C3D_TRY(backend->ops->download(&run->backend, values, buffer, sizeof values));
    C3D_TRY(backend->ops->zero(&run->backend, buffer, sizeof values));
    for (size_t i = 0; i < C3D_COUNT(values); i++)
        if (!(values[i] == wanted))
            return C3D_FAIL(C3D_ECOMM, "%s: a sum over %d ranks gave %g instead of %g",
                            run->comm->ops->name, n, (double)values[i], (double)wanted);
    return C3D_OK;
}

static int by_size(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* The median of a few; the first, which makes connections, is not counted. */
static c3d_status time_size(c3d_run *run, float *buffer, size_t n, double *seconds)
{
    int64_t times[TIMES], total = 0;
    int done = 0;

    C3D_TRY(sum(run, buffer, n));
    while (done < TIMES && (double)total < TOTAL_S * 1e9) {
        C3D_TRY(c3d_comm_barrier(run->comm));
        const double start_s = c3d_now_s();
        C3D_TRY(sum(run, buffer, n));
        times[done] = (int64_t)((c3d_now_s() - start_s) * 1e9);
        C3D_TRY(c3d_comm_agree_max(run->comm, &times[done])); /* so all go on, or none */
        total += times[done++];
    }
    qsort(times, (size_t)done, sizeof *times, by_size);
    *seconds = (double)times[done / 2] * 1e-9;
    return C3D_OK;
}

static void name_it(const c3d_run *run, c3d_text *out)
{
    const bool is_device = !run->backend.ops->host_memory;
    const c3d_comm *comm = run->comm;

    c3d_text_add(out, "communicator: %s", comm->ops->name);
    if (comm->ops == &c3d_comm_mpi) {
        c3d_text_add(out, "%s", is_device ? ", by way of the hosts' memory" : "");
        c3d_text_add(out, "%s",
                     comm->has_window ? ", inside a host through shared memory"
                                      : ", by MPI_Allreduce");
    }
    c3d_text_add(out, "; a sum over %d ranks was right\n%8s %12s %12s\n", comm->n_ranks, "a sum of",
                 "takes [us]", "GB/s");
}

static c3d_status time_sizes(c3d_run *run, float *buffer, c3d_text *out)
{
    C3D_TRY(c3d_comm_agree_status(run->comm, check_sum(run, buffer)));
    name_it(run, out);
    for (size_t i = 0; i < C3D_COUNT(sizes); i++) {
        double seconds;
        C3D_TRY(time_size(run, buffer, sizes[i].n, &seconds));
        c3d_text_add(out, "%8s %12.1f %12.3f\n", sizes[i].name, seconds * 1e6,
                     (double)(sizes[i].n * sizeof(float)) / seconds * 1e-9);
    }
    return C3D_OK;
}

c3d_status c3d_site_time_sums(c3d_run *run, c3d_text *out)
{
    c3d_backend *backend = &run->backend;
    void *buffer = NULL;

    if (run->comm->n_ranks == 1) {
        c3d_text_add(out, "communicator: none is needed by one rank\n");
        return C3D_OK;
    }
    C3D_TRY(c3d_run_open_comm(run));
    c3d_status st = backend->ops->alloc(backend, LARGEST * sizeof(float), &buffer);
    st = c3d_comm_agree_status(run->comm, st);
    if (st == C3D_OK) st = time_sizes(run, buffer, out);
    if (st != C3D_OK) c3d_comm_give_up(run->comm); /* lets go of the buffer */
    c3d_comm_close(run->comm);
    if (buffer) backend->ops->free(backend, buffer);
    return st;
}
