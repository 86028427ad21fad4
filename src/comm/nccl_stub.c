/* The communicator "nccl" of a build without NCCL: it says so. */
#include "comm/choose.h"

static const char advice[] = "NCCL: not in this build (it was not found when this was configured)";

c3d_status c3d_nccl_find_gpu(const c3d_comm_device *device, char bus_id[32])
{
    (void)device, (void)bus_id;
    return C3D_FAIL(C3D_EUNSUPPORTED, "%s", advice);
}

void c3d_comm_versions(c3d_text *out)
{
    (void)out;
}

static c3d_status refuse(c3d_comm *self, double timeout_s)
{
    (void)self, (void)timeout_s;
    return C3D_FAIL(C3D_EUNSUPPORTED, "%s", advice);
}

static void do_nothing(c3d_comm *self)
{
    (void)self;
}

/* Nothing else is called where open has failed. */
const c3d_comm_ops c3d_comm_nccl = {
    .name = "nccl",
    .open = refuse,
    .close = do_nothing,
    .abort = do_nothing,
};
