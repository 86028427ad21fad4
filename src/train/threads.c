#include "train/check.h"
#include "train/ordered.h"
#include "train/run.h"

/* Bits that do not depend on the number of ranks may not depend on the cores left to each. */
static int threads_wanted(const c3d_run *run)
{
    const int given = run->config->distributed.threads;

    return given == 0 && c3d_is_ordered(run) ? 1 : given;
}

c3d_status c3d_run_take_place(c3d_run *run)
{
    const c3d_comm_device device = { .index = run->comm->local_rank };
    const bool may_use_gpu = run->config->run.device != C3D_CONFIG_DEVICE_CPU;
    char bus_id[32];
    const bool known = may_use_gpu && c3d_nccl_find_gpu(&device, bus_id) == C3D_OK;

    C3D_TRY(c3d_place_take(run->comm, threads_wanted(run), known ? bus_id : NULL, &run->place));
    run->n_threads = run->place.n_threads;
    return C3D_OK;
}

void c3d_place_describe(const c3d_place *place, c3d_text *out)
{
    char cores[64], numa[32];

    c3d_site_numa("", &place->cpus, numa);
    c3d_text_add(out, "%d of %d cores a rank (core%s %s, NUMA %s", place->n_threads,
                 place->n_job_cores, place->n_cores == 1 ? "" : "s",
                 c3d_place_list(&place->cores, cores), numa);
    if (place->is_least) c3d_text_add(out, "; as many as on the rank with the fewest cores");
    if (place->is_dealt) c3d_text_add(out, "; instead of mpirun's default binding");
    c3d_text_add(out, ")");
}
