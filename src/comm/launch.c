/* What is to be seen of how this process was started. */
#include "comm/cores.h"

#include <ctype.h>
#include <mpi.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

bool c3d_launch_maps_nodes(const char *policy)
{
    const char *end = strchr(policy, ':');
    size_t n = end ? (size_t)(end - policy) : strlen(policy);

    if (strcasestr(policy, "pe=")) return false;
    if (n == 3 && strncasecmp(policy, "ppr", 3) == 0) { /* ppr:N:OBJECT */
        const char *object = end ? strchr(end + 1, ':') : NULL;
        return object && strncasecmp(object, ":node", 5) == 0;
    }
    return n == 0 ||
           (n == 4 && (strncasecmp(policy, "node", 4) == 0 || strncasecmp(policy, "slot", 4) == 0));
}

/* Of the command line, the environment or a file of parameters: Open MPI knows. */
static bool has_binding_policy(void)
{
    static char value[8192];
    MPI_T_cvar_handle handle;
    int provided, index, n;
    bool has = false;

    if (MPI_T_init_thread(MPI_THREAD_SINGLE, &provided) != MPI_SUCCESS) return false;
    if (MPI_T_cvar_get_index("hwloc_base_binding_policy", &index) == MPI_SUCCESS &&
        MPI_T_cvar_handle_alloc(index, NULL, &handle, &n) == MPI_SUCCESS) {
        if (n < (int)sizeof value && MPI_T_cvar_read(handle, value) == MPI_SUCCESS)
            has = value[0] != '\0';
        (void)MPI_T_cvar_handle_free(&handle);
    }
    (void)MPI_T_finalize();
    return has;
}

static double number_of(const char *variable, double otherwise)
{
    const char *text = getenv(variable);
    double value;

    return text && c3d_parse_real(text, &value) ? value : otherwise;
}

double c3d_launch_keepalive_s(void)
{
    if (!getenv("OMPI_COMM_WORLD_SIZE")) return 0;
    return number_of("OMPI_MCA_oob_tcp_keepalive_time", 300) +
           number_of("OMPI_MCA_oob_tcp_keepalive_intvl", 20) *
               number_of("OMPI_MCA_oob_tcp_keepalive_probes", 9);
}

bool c3d_launch_binds_unasked(void)
{
    static const char *const choices[] = {
        "OMPI_MCA_hwloc_base_cpu_set",
        "OMPI_MCA_hwloc_base_cpu_list",
        "OMPI_MCA_orte_rankfile",
        "OMPI_MCA_rmaps_rank_file_path",
        "OMPI_MCA_rmaps_ppr_n_persocket",
        "OMPI_MCA_rmaps_base_cpus_per_proc",
        "OMPI_MCA_hwloc_base_bind_to_core",
        "OMPI_MCA_hwloc_base_bind_to_socket",
        "OMPI_MCA_rmaps_base_bycore",
        "OMP_PROC_BIND",
        "OMP_PLACES",
        "GOMP_CPU_AFFINITY",
        "KMP_AFFINITY",
    };
    const char *bound = getenv("OMPI_MCA_orte_bound_at_launch");
    const char *mapping = getenv("OMPI_MCA_rmaps_base_mapping_policy");

    if (!bound || strcmp(bound, "1") != 0) return false;
    for (size_t i = 0; i < C3D_COUNT(choices); i++)
        if (getenv(choices[i])) return false;
    return (!mapping || c3d_launch_maps_nodes(mapping)) && !has_binding_policy();
}

/* Name and parent of a process. */
static bool look_at(pid_t pid, char name[32], pid_t *parent)
{
    char path[64], *text = NULL;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!c3d_path_exists(path) || c3d_file_read(path, &text, NULL) != C3D_OK) return false;
    char *open = strchr(text, '('), *close = strrchr(text, ')');
    const bool good = open && close && close > open && sscanf(close + 1, " %*c %d", parent) == 1;
    if (good) (void)snprintf(name, 32, "%.*s", (int)(close - open - 1), open + 1);
    free(text);
    return good;
}

bool c3d_launch_cpus(cpu_set_t *out)
{
    static const char *const launchers[] = { "mpirun", "mpiexec", "orterun", "orted" };
    pid_t pid = getppid(), parent;
    char name[32];

    for (int depth = 0; depth < 16 && pid > 0; depth++, pid = parent) {
        if (!look_at(pid, name, &parent)) return false;
        for (size_t i = 0; i < C3D_COUNT(launchers); i++)
            if (strcmp(name, launchers[i]) == 0)
                return sched_getaffinity(pid, sizeof *out, out) == 0;
    }
    return false;
}

int c3d_gpu_numa(const char *root, const char *bus_id)
{
    char path[C3D_PATH_MAX], small[32], *text = NULL;
    long long node = -1;
    size_t n = 0;

    while (n + 1 < sizeof small && bus_id[n]) {
        small[n] = (char)tolower((unsigned char)bus_id[n]);
        n++;
    }
    small[n] = '\0';
    (void)snprintf(path, sizeof path, "%s/sys/bus/pci/devices/%s/numa_node", root, small);
    if (!c3d_path_exists(path) || c3d_file_read(path, &text, NULL) != C3D_OK) return -1;
    text[strcspn(text, "\n")] = '\0';
    if (!c3d_parse_int(text, &node) || node < 0) node = -1;
    free(text);
    return (int)node;
}
