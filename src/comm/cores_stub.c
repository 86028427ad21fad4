/* The cores of a host in a build without hwloc: every processor is taken for one. */
#include "comm/cores.h"

#include <unistd.h>

c3d_status c3d_cores_find(const char *synthetic, c3d_cores *out)
{
    const long n = sysconf(_SC_NPROCESSORS_CONF);

    *out = (c3d_cores){ 0 };
    if (synthetic)
        return C3D_FAIL(C3D_EUNSUPPORTED,
                        "hwloc: not in this build (it was not found when this was configured)");
    out->n = n < 1 ? 1 : n > CPU_SETSIZE ? CPU_SETSIZE : (int)n;
    out->list = c3d_calloc((size_t)out->n, sizeof *out->list);
    if (!out->list) return C3D_ENOMEM;
    for (int c = 0; c < out->n; c++) {
        CPU_SET((size_t)c, &out->list[c].cpus);
        out->list[c].numa = -1;
    }
    return C3D_OK;
}
