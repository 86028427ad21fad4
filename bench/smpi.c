/* Our sums and the three placements of Adam's state on ranks that SimGrid plays (SMPI), one a host:
 * the communicator's own sources and the cut of the arena, on true buffers a thousandth in size,
 * over links a thousandth as fast, so that seconds are those of the whole size. Built and run by
 * smpi.sh; arguments: FLOATS BUCKET_FLOATS COMPUTE_S UPDATE_S. */
#include "c3d/comm.h"
#include "train/cut.h"

#include <mpi.h>
#include <smpi/smpi.h>
#include <stdlib.h>
#include <string.h>

enum { FLOPS_PER_S = 1000000000 };

typedef enum placement { RANK0, REPLICATED, SHARDED, N_PLACEMENTS } placement;

typedef struct plan {
    c3d_cut cut;
    double compute_s, update_s; /* of a step; of an update of the whole arena */
    float *grad, *param;
} plan;

static void work(double seconds)
{
    if (seconds > 0) smpi_execute_flops(seconds * FLOPS_PER_S);
}

/* As in src/train/optimizer.c over MPI. */
static c3d_status reduce(c3d_comm *comm, const plan *p, placement where)
{
    for (size_t i = 0; i < p->cut.n_pieces; i++) {
        const c3d_piece piece = c3d_cut_piece(&p->cut, i);
        float *grad = p->grad + piece.begin;
        if (where == SHARDED && piece.n_share > 0)
            C3D_TRY(comm->ops->reduce_scatter(comm, grad, piece.n_share));
        else
            C3D_TRY(comm->ops->sum(comm, grad, piece.n));
    }
    return comm->ops->wait(comm);
}

/* Parameters become the summed gradients, each rank what it is to update, then travel. */
static c3d_status update(c3d_comm *comm, const plan *p, placement where)
{
    for (size_t i = 0; i < p->cut.n_pieces; i++) {
        const c3d_piece piece = c3d_cut_piece(&p->cut, i);
        const bool shares = where == SHARDED && piece.n_share > 0;
        const c3d_range own =
            shares ? c3d_cut_share(&p->cut, i, comm->rank) : (c3d_range){ piece.begin, piece.n, 0 };
        float *param = p->param + piece.begin;
        if (where != RANK0 || comm->rank == 0) {
            work(p->update_s * (double)own.n / (double)p->cut.n);
            memcpy(p->param + own.begin, p->grad + own.begin, own.n * sizeof *param);
        }
        if (where == RANK0) C3D_TRY(comm->ops->broadcast(comm, param, piece.n * sizeof *param));
        if (shares) C3D_TRY(comm->ops->all_gather(comm, param, piece.n_share * sizeof *param));
    }
    return comm->ops->wait(comm);
}

/* Small whole numbers: every order of adding gives the same. */
static void fill(const c3d_comm *comm, const plan *p)
{
    for (size_t i = 0; i < p->cut.n; i++) {
        p->grad[i] = (float)(i % 7 + (size_t)comm->rank);
        p->param[i] = -1;
    }
}

static c3d_status check(const c3d_comm *comm, const plan *p)
{
    const size_t n = (size_t)comm->n_ranks;

    for (size_t i = 0; i < p->cut.n; i++) {
        const float right = (float)(n * (i % 7) + n * (n - 1) / 2);
        if (!(p->param[i] == right)) /* NOLINT: exact */
            return C3D_FAIL(C3D_EINTERNAL, "rank %d, parameter %zu: %g instead of %g", comm->rank,
                            i, (double)p->param[i], (double)right);
    }
    return C3D_OK;
}

/* Simulated seconds of a step: always the same ones. */
static c3d_status time_step(c3d_comm *comm, const plan *p, placement where, double *out)
{
    fill(comm, p);
    C3D_TRY(c3d_comm_barrier(comm));
    const double start_s = MPI_Wtime();
    work(p->compute_s);
    C3D_TRY(reduce(comm, p, where));
    C3D_TRY(update(comm, p, where));
    C3D_TRY(c3d_comm_barrier(comm));
    *out = MPI_Wtime() - start_s;
    return check(comm, p);
}

static c3d_status run(c3d_comm *comm, char **arguments)
{
    const size_t n = (size_t)atoll(arguments[1]), bucket = (size_t)atoll(arguments[2]);
    plan p = { .cut = c3d_cut_make(n, bucket, comm->n_ranks),
               .compute_s = atof(arguments[3]),
               .update_s = atof(arguments[4]) };
    double seconds[N_PLACEMENTS] = { 0 };
    c3d_status st = C3D_OK;

    p.grad = c3d_calloc(n, sizeof *p.grad);
    p.param = c3d_calloc(n, sizeof *p.param);
    if (!p.grad || !p.param) st = C3D_ENOMEM;
    for (int where = 0; where < N_PLACEMENTS && st == C3D_OK; where++)
        st = time_step(comm, &p, (placement)where, &seconds[where]);
    free(p.grad);
    free(p.param);
    if (st == C3D_OK && comm->rank == 0)
        (void)printf("%d %.4f %.4f %.4f\n", comm->n_ranks, seconds[RANK0], seconds[REPLICATED],
                     seconds[SHARDED]);
    return st;
}

/* c3d_comm_join without threads, which SMPI does not offer. */
static void join(c3d_comm *comm)
{
    (void)MPI_Init(NULL, NULL);
    *comm = (c3d_comm){ .ops = &c3d_comm_self, .n_local_ranks = 1 };
    (void)MPI_Comm_rank(MPI_COMM_WORLD, &comm->rank);
    (void)MPI_Comm_size(MPI_COMM_WORLD, &comm->n_ranks);
    comm->first_local_rank = comm->rank;
    c3d_log_set("bench_smpi", comm->rank, comm->n_ranks);
}

int main(int argc, char **argv)
{
    c3d_comm comm;
    c3d_status st = C3D_OK;

    join(&comm);
    if (argc != 5) st = C3D_FAIL(C3D_EINVAL, "four arguments are needed");
    if (st == C3D_OK) st = c3d_comm_open(&comm, NULL, 600);
    if (st == C3D_OK) st = run(&comm, argv);
    if (st != C3D_OK) c3d_comm_abort(&comm, c3d_error_last());
    c3d_comm_leave(&comm);
    return 0;
}
