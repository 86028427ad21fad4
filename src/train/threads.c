#include "train/run.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* Identifies a set of cores of a host: ranks bound to cores of their own differ, unbound ones do
 * not. */
static uint64_t cores_of(const c3d_comm *comm, int *n_cores)
{
    cpu_set_t set;
    struct {
        cpu_set_t set;
        char host[sizeof comm->host];
    } key;

    memset(&key, 0, sizeof key);
    *n_cores = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        *n_cores = CPU_COUNT(&set);
        key.set = set;
    }
    memcpy(key.host, comm->host, sizeof key.host);
    return c3d_hash(&key, sizeof key);
}

c3d_status c3d_run_threads(const c3d_config *config, c3d_comm *comm, int *out)
{
    const size_t n_bytes = (size_t)comm->n_ranks * sizeof(uint64_t);
    int n_cores, n_others = 0;
    const uint64_t mine = cores_of(comm, &n_cores);
    void *gathered = NULL;
    size_t n_gathered;

    C3D_TRY(c3d_comm_gather(comm, &mine, sizeof mine, &gathered, &n_gathered));
    uint64_t *all = gathered ? gathered : c3d_calloc(1, n_bytes);
    c3d_status st = all ? c3d_comm_share(comm, all, n_bytes) : C3D_ENOMEM;
    for (int r = 0; st == C3D_OK && r < comm->n_ranks; r++)
        n_others += r != comm->rank && all[r] == mine;
    free(all);
    C3D_TRY(st);
    const int share = n_cores / (1 + n_others);
    *out = config->distributed.threads > 0 ? config->distributed.threads : share > 1 ? share : 1;
    return C3D_OK;
}
