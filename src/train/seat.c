/* Which node a rank sits on, and which micro-batches are its own. */
#include "train/ordered.h"
#include "train/stage.h"

#include <stdlib.h>

/* The same for ranks of one node only. */
static int64_t node_key(const c3d_comm *comm)
{
    const int of_host = comm->ranks_per_node > 0 ? comm->local_rank / comm->ranks_per_node : 0;

    return (int64_t)comm->first_local_rank << 32 | of_host;
}

typedef struct places {
    int *node, *local; /* [n_ranks] of each rank: its node, and its number there */
    int n_nodes;
    bool are_equal; /* nodes in size */
} places;

static void number(const int64_t *keys, int n_ranks, places *out)
{
    out->n_nodes = 0;
    for (int r = 0; r < n_ranks; r++) {
        int q = r - 1; /* the rank before on the same node */
        while (q >= 0 && keys[q] != keys[r]) q--;
        out->node[r] = q < 0 ? out->n_nodes++ : out->node[q];
        out->local[r] = q < 0 ? 0 : out->local[q] + 1;
    }
    C3D_ASSERT(out->n_nodes > 0);
    out->are_equal = n_ranks % out->n_nodes == 0;
    for (int r = 0; r < n_ranks; r++)
        out->are_equal = out->are_equal && out->local[r] < n_ranks / out->n_nodes;
}

static c3d_status sit_down(c3d_run *run, const places *all)
{
    const c3d_config *config = run->config;
    const c3d_comm *comm = run->comm;
    const bool by_node = config->data.stage_groups > 1 && all->are_equal && !c3d_is_ordered(run);
    const int n_micro = (config->train.global_batch - 1) / config->train.micro_batch + 1;
    c3d_seat *seat = &run->seat;

    *seat = (c3d_seat){ .n_nodes = all->n_nodes,
                        .node = all->node[comm->rank],
                        .rank = all->local[comm->rank],
                        .n_in_blocks = c3d_is_ordered(run) ? n_micro : 0,
                        .ranks = c3d_calloc((size_t)comm->n_ranks, sizeof(int)),
                        .turns = c3d_calloc((size_t)comm->n_ranks, sizeof(int)) };
    if (!seat->ranks || !seat->turns) return C3D_ENOMEM;
    for (int r = 0; r < comm->n_ranks; r++) {
        if (all->node[r] != seat->node) continue;
        seat->ranks[seat->n_ranks] = r;
        seat->turns[seat->n_ranks++] = by_node ? all->local[r] * all->n_nodes + all->node[r] : r;
    }
    seat->turn = seat->turns[seat->rank];
    return C3D_OK;
}

c3d_status c3d_run_take_seat(c3d_run *run)
{
    const size_t n = (size_t)run->comm->n_ranks;
    places all = { .node = c3d_calloc(n, sizeof(int)), .local = c3d_calloc(n, sizeof(int)) };
    int64_t *keys = c3d_calloc(n, sizeof *keys);
    c3d_status st = keys && all.node && all.local ? C3D_OK : C3D_ENOMEM;

    st = c3d_comm_agree_status(run->comm, st);
    if (st == C3D_OK) {
        C3D_ASSERT(keys);
        keys[run->comm->rank] = node_key(run->comm);
        st = c3d_comm_sum_i64(run->comm, keys, n);
    }
    if (st == C3D_OK) {
        number(keys, run->comm->n_ranks, &all);
        st = c3d_comm_agree_status(run->comm, sit_down(run, &all));
    }
    free(keys);
    free(all.node);
    free(all.local);
    return st;
}
