/* The communicator "nccl" of a build without NCCL: it says so. */
#include "c3d/comm.h"

static c3d_status refuse(c3d_comm *self, double timeout_s)
{
    (void)self, (void)timeout_s;
    return C3D_FAIL(C3D_EUNSUPPORTED, "NCCL: not in this build (it was not found when this was "
                                      "configured)");
}

static void do_nothing(c3d_comm *self)
{
    (void)self;
}

const c3d_comm_ops c3d_comm_nccl = { .name = "nccl", .open = refuse, .close = do_nothing };
