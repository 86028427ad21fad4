#include "comm/choose.h"

#include <stdlib.h>
#include <string.h>

/* What each rank tells rank 0. */
typedef struct offer {
    int rank, first_local_rank;
    char bus_id[32]; /* "" when it has none to offer */
    char why_not[200];
} offer;

static bool same_gpu(const offer *a, const offer *b)
{
    return a->first_local_rank == b->first_local_rank && strcmp(a->bus_id, b->bus_id) == 0;
}

static c3d_choice choose(const offer *offers, int n)
{
    const char *wish = getenv("C3D_NCCL_SHARED_GPU");
    const bool may_share = wish && strcmp(wish, "1") == 0;
    c3d_choice choice = { .nccl = true };

    for (int i = 0; i < n && choice.nccl; i++) {
        if (offers[i].bus_id[0]) continue;
        choice.nccl = false;
        (void)snprintf(choice.why_not, sizeof choice.why_not, "rank %d: %s", i, offers[i].why_not);
    }
    for (int i = 0; i < n && choice.nccl; i++) {
        for (int j = i + 1; j < n && !choice.shares_gpu; j++) {
            if (!same_gpu(&offers[i], &offers[j])) continue;
            choice.shares_gpu = true;
            choice.nccl = may_share;
            (void)snprintf(choice.why_not, sizeof choice.why_not,
                           "ranks %d and %d share one GPU (%s)", i, j, offers[i].bus_id);
        }
    }
    return choice;
}

c3d_status c3d_choose(c3d_comm *comm, const c3d_comm_device *device, c3d_choice *out)
{
    offer mine = { .rank = comm->rank, .first_local_rank = comm->first_local_rank };
    void *all;
    size_t n_all;

    if (c3d_nccl_find_gpu(device, mine.bus_id) != C3D_OK) {
        mine.bus_id[0] = '\0';
        (void)snprintf(mine.why_not, sizeof mine.why_not, "%.190s", c3d_error_last()->message);
    }
    C3D_TRY(c3d_comm_gather(comm, &mine, sizeof mine, &all, &n_all));
    memset(out, 0, sizeof *out);
    if (comm->rank == 0) *out = choose(all, comm->n_ranks);
    free(all);
    return c3d_comm_share(comm, out, sizeof *out);
}
