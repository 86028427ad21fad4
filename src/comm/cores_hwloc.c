/* The cores of a host as hwloc finds them. The only file that includes hwloc.h. */
#include "comm/cores.h"

#include <errno.h>
#include <hwloc.h>
#include <string.h>

#define C3D_HWLOC(call)                                                                            \
    do {                                                                                           \
        if ((call) != 0) return C3D_FAIL(C3D_EINTERNAL, "hwloc: %s: %s", #call, strerror(errno));  \
    } while (0)

static void read_core(hwloc_topology_t topology, hwloc_obj_t obj, c3d_core *out)
{
    const hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_PACKAGE, obj);

    CPU_ZERO(&out->cpus);
    for (int cpu = hwloc_bitmap_first(obj->cpuset); cpu >= 0 && cpu < CPU_SETSIZE;
         cpu = hwloc_bitmap_next(obj->cpuset, cpu))
        CPU_SET((size_t)cpu, &out->cpus);
    out->numa = obj->nodeset ? hwloc_bitmap_first(obj->nodeset) : -1;
    out->package = package ? (int)package->logical_index : 0;
}

/* Some hosts (virtual ones) know of processors only. */
static c3d_status read_cores(hwloc_topology_t topology, c3d_cores *out)
{
    hwloc_obj_type_t type = HWLOC_OBJ_CORE;

    if (hwloc_get_nbobjs_by_type(topology, type) <= 0) type = HWLOC_OBJ_PU;
    out->n = hwloc_get_nbobjs_by_type(topology, type);
    if (out->n <= 0) return C3D_FAIL(C3D_EINTERNAL, "hwloc: no cores were found");
    if (out->n > CPU_SETSIZE) out->n = CPU_SETSIZE;
    out->is_known = true;
    out->list = c3d_calloc((size_t)out->n, sizeof *out->list);
    if (!out->list) return C3D_ENOMEM;
    for (int c = 0; c < out->n; c++)
        read_core(topology, hwloc_get_obj_by_type(topology, type, (unsigned)c), &out->list[c]);
    return C3D_OK;
}

/* Those too that this process may not use: numbers must not depend on who asks. */
static c3d_status load(hwloc_topology_t topology, const char *synthetic)
{
    if (synthetic) C3D_HWLOC(hwloc_topology_set_synthetic(topology, synthetic));
    C3D_HWLOC(hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED));
    C3D_HWLOC(hwloc_topology_load(topology));
    return C3D_OK;
}

c3d_status c3d_cores_find(const char *synthetic, c3d_cores *out)
{
    hwloc_topology_t topology;

    *out = (c3d_cores){ 0 };
    C3D_HWLOC(hwloc_topology_init(&topology));
    c3d_status st = load(topology, synthetic);
    if (st == C3D_OK) st = read_cores(topology, out);
    hwloc_topology_destroy(topology);
    return st;
}
