/* place: which cores a rank computes on, and with how many threads. Part of comm: it takes all
 * ranks of a host to deal its cores out.
 *
 * A core is one with all its hardware threads; cores are numbered as hwloc does (from 0 over the
 * host, package by package). A build without hwloc takes every processor of the kernel for a core,
 * and leaves ranks where they were put. */
#ifndef C3D_PLACE_H
#define C3D_PLACE_H

#include "c3d/comm.h"

#include <sched.h>

typedef struct c3d_place {
    int n_threads;    /* to compute with */
    cpu_set_t cpus;   /* that this rank may use, as the kernel numbers them */
    cpu_set_t cores;  /* the same as cores */
    int n_cores;      /* how many of them */
    int n_job_cores;  /* that the ranks of this host may use together */
    int n_host_cores; /* that there are */
    bool is_dealt;    /* a share of what the job may use, instead of mpirun's binding */
    bool is_least;    /* n_threads is the share of some rank that has fewer cores than this one */
} c3d_place;

/* Where nobody said how ranks are to be bound, mpirun (Open MPI 4) binds each of two to one core
 * and more of them to a socket, so that cores lie idle. Such a binding is given up: each rank takes
 * an equal share of the cores that mpirun may use on its host, all within one NUMA node (or else
 * one package) where they fit, on the node of its GPU if there is room, and what it starts from
 * then on runs there. Any other
 * binding (mpirun --bind-to, --map-by OBJECT, a cpu set or a rank file; SLURM's; OMP_PROC_BIND)
 * stays.
 *
 * Without such a share, a core that several ranks may use counts as divided among them. A rank then
 * takes a thread for each core it has, all ranks as many as the one with the fewest.
 *   n_threads     distributed.threads; 0: as above
 *   gpu_bus_id    "0000:3B:00.0"; NULL: no GPU, or not known
 * For the calling thread: before others are started. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_place_take(c3d_comm *comm, int n_threads, const char *gpu_bus_id,
                                      c3d_place *out);

/* "0-3,8"; ends with "..." where it does not fit. */
const char *c3d_place_list(const cpu_set_t *numbers, char out[64]);

#endif
