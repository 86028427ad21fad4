#include "train/run.h"

#include <sched.h>
#include <unistd.h>

int c3d_run_threads(const c3d_config *config, const c3d_comm *comm)
{
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t set;
    long allowed = online;

    if (config->distributed.threads > 0) return config->distributed.threads;
    if (sched_getaffinity(0, sizeof set, &set) == 0) allowed = CPU_COUNT(&set);
    /* Bound by the launcher: the cores are this rank's own. Not bound: they are shared. */
    const long mine = allowed < online ? allowed : online / comm->n_local_ranks;
    return mine < 1 ? 1 : (int)mine;
}
