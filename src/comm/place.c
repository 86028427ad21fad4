#include "comm/cores.h"

#include <stdlib.h>
#include <string.h>

/* What a rank tells the others. */
typedef struct facts {
    int first_local_rank;
    int numa;          /* of its GPU, -1: none */
    bool may_widen;    /* mpirun bound it, and nobody had said how */
    cpu_set_t cores;   /* that it may use now */
    cpu_set_t allowed; /* cores that mpirun may use here */
} facts;

/* Those of this host only, in rank order. */
typedef struct host {
    facts *list;
    cpu_set_t *sets; /* list[].cores */
    int n, mine;
} host;

static void look(const c3d_comm *comm, const c3d_cores *cores, const char *gpu_bus_id, facts *out)
{
    cpu_set_t cpus, allowed;

    memset(out, 0, sizeof *out);
    out->first_local_rank = comm->first_local_rank;
    out->numa = gpu_bus_id ? c3d_gpu_numa("", gpu_bus_id) : -1;
    if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) CPU_ZERO(&cpus);
    out->cores = c3d_cores_of(cores, &cpus);
    if (!cores->is_known || !c3d_launch_binds_unasked() || !c3d_launch_cpus(&allowed)) return;
    out->allowed = c3d_cores_of(cores, &allowed);
    out->may_widen = c3d_cores_are_default(cores, &cpus, &allowed, comm->n_ranks);
}

static c3d_status gather(c3d_comm *comm, const facts *mine, host *out)
{
    const size_t n_bytes = (size_t)comm->n_ranks * sizeof *mine;
    void *gathered = NULL;
    size_t n_gathered;

    C3D_TRY(c3d_comm_gather(comm, mine, sizeof *mine, &gathered, &n_gathered));
    facts *all = gathered ? gathered : c3d_calloc(1, n_bytes);
    *out = (host){ .list = all, .sets = c3d_calloc((size_t)comm->n_ranks, sizeof *out->sets) };
    C3D_TRY(c3d_comm_agree_status(comm, all && out->sets ? C3D_OK : C3D_ENOMEM));
    C3D_TRY(c3d_comm_share(comm, all, n_bytes));
    for (int r = 0; r < comm->n_ranks; r++) {
        if (all[r].first_local_rank != comm->first_local_rank) continue;
        if (r == comm->rank) out->mine = out->n;
        out->sets[out->n] = all[r].cores;
        all[out->n++] = all[r];
    }
    return C3D_OK;
}

/* All ranks of a host or none. mpirun's own cores are all different: the same one twice is somebody
 * else's doing. */
static bool can_widen(const host *h, int n_ranks)
{
    for (int i = 0; i < h->n; i++) {
        if (!h->list[i].may_widen) return false;
        for (int k = 0; k < i && n_ranks <= 2; k++)
            if (CPU_EQUAL(&h->sets[i], &h->sets[k])) return false;
    }
    return CPU_COUNT(&h->list[h->mine].allowed) >= h->n;
}

static c3d_status widen(const c3d_cores *cores, const host *h, bool *done)
{
    int *numa = c3d_calloc((size_t)h->n, sizeof *numa);
    cpu_set_t *parts = c3d_calloc((size_t)h->n, sizeof *parts);
    const bool have = numa && parts;

    for (int i = 0; have && i < h->n; i++) numa[i] = h->list[i].numa;
    if (have) {
        c3d_cores_deal(cores, &h->list[h->mine].allowed, numa, h->n, parts);
        const cpu_set_t cpus = c3d_cores_cpus(cores, &parts[h->mine]);
        *done = sched_setaffinity(0, sizeof cpus, &cpus) == 0;
    }
    free(numa);
    free(parts);
    return have ? C3D_OK : C3D_ENOMEM;
}

static int count_job_cores(const host *h, bool widened)
{
    cpu_set_t all;

    CPU_ZERO(&all);
    for (int i = 0; i < h->n; i++) CPU_OR(&all, &all, widened ? &h->list[i].allowed : &h->sets[i]);
    return CPU_COUNT(&all);
}

static c3d_status place(c3d_comm *comm, const c3d_cores *cores, const host *h, c3d_place *out)
{
    c3d_status st = C3D_OK;
    int64_t least;

    if (can_widen(h, comm->n_ranks)) st = widen(cores, h, &out->is_dealt);
    C3D_TRY(c3d_comm_agree_status(comm, st));
    if (sched_getaffinity(0, sizeof out->cpus, &out->cpus) != 0) CPU_ZERO(&out->cpus);
    out->cores = c3d_cores_of(cores, &out->cpus);
    out->n_cores = CPU_COUNT(&out->cores);
    out->n_host_cores = cores->n;
    out->n_job_cores = count_job_cores(h, out->is_dealt);
    const int share = out->is_dealt ? out->n_cores : c3d_cores_share(h->sets, h->n, h->mine);
    least = -(int64_t)(share > 1 ? share : 1); /* the smallest of all by the largest of negatives */
    C3D_TRY(c3d_comm_agree_max(comm, &least));
    out->is_least = -least < share && out->n_threads == 0;
    if (out->n_threads == 0) out->n_threads = (int)-least;
    return C3D_OK;
}

c3d_status c3d_place_take(c3d_comm *comm, int n_threads, const char *gpu_bus_id, c3d_place *out)
{
    c3d_cores cores;
    host h = { 0 };
    facts mine;

    memset(out, 0, sizeof *out);
    out->n_threads = n_threads;
    C3D_TRY(c3d_comm_agree_status(comm, c3d_cores_find(NULL, &cores)));
    look(comm, &cores, gpu_bus_id, &mine);
    c3d_status st = gather(comm, &mine, &h);
    if (st == C3D_OK) st = place(comm, &cores, &h, out);
    free(h.list);
    free(h.sets);
    c3d_cores_free(&cores);
    return st;
}
