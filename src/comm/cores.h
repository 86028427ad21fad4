/* Between the sources that place ranks: a host's cores, and how they are dealt out. */
#ifndef C3D_COMM_CORES_H
#define C3D_COMM_CORES_H

#include "c3d/place.h"

typedef struct c3d_core {
    cpu_set_t cpus; /* its hardware threads */
    int numa;       /* node, as the kernel numbers it; -1: not known */
    int package;
} c3d_core;

typedef struct c3d_cores {
    c3d_core *list; /* owned; neighbours lie side by side */
    int n;
    bool is_known; /* by hwloc; otherwise each processor is taken for a core */
} c3d_cores;

/* synthetic: NULL for this host, or "package:2 core:8 pu:2" as hwloc describes a host that is not
 * there (for tests; C3D_EUNSUPPORTED in a build without hwloc). Freed by c3d_cores_free. Local. */
C3D_CHECKED c3d_status c3d_cores_find(const char *synthetic, c3d_cores *out);
void c3d_cores_free(c3d_cores *cores);

/* The cores that have one of these processors, and the processors of some cores. */
cpu_set_t c3d_cores_of(const c3d_cores *cores, const cpu_set_t *cpus);
cpu_set_t c3d_cores_cpus(const c3d_cores *cores, const cpu_set_t *which);

/* Whether processors are what mpirun gives a rank when nobody says anything: of up to two ranks one
 * core, of more a package, as far as the job may use it. */
bool c3d_cores_are_default(const c3d_cores *cores, const cpu_set_t *cpus, const cpu_set_t *allowed,
                           int n_ranks);
/* Cores for `which` of n ranks that may use these: those of its own, and its part of shared ones.
 */
int c3d_cores_share(const cpu_set_t *sets, int n, int which);
/* Deals the allowed cores (not fewer than n) out to n ranks, as many to each; parts [n].
 * numa[n]: the node that a rank would like; -1: any. */
void c3d_cores_deal(const c3d_cores *cores, const cpu_set_t *allowed, const int *numa, int n,
                    cpu_set_t *parts);

/* Whether this rank was bound by mpirun, which nobody told how. Local, after MPI_Init. */
bool c3d_launch_binds_unasked(void);
/* Seconds after which mpirun finds out that a host is lost (Open MPI's oob_tcp_keepalive_*); 0
 * where mpirun is not what started the ranks. */
double c3d_launch_keepalive_s(void);
/* Whether mapping ranks so (the value of --map-by) says nothing of the cores of a host. */
bool c3d_launch_maps_nodes(const char *policy);
/* The processors of mpirun or its daemon on this host; false: it is not among the parents. */
bool c3d_launch_cpus(cpu_set_t *out);
/* NUMA node of a GPU as ROOT/sys tells it, -1: not known. root: "" but for tests. */
int c3d_gpu_numa(const char *root, const char *bus_id);

#endif
