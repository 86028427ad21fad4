/* The cuda backend of a build without CUDA: it says so. */
#include "backend/host.h"

static c3d_status refuse(c3d_backend *self)
{
    (void)self;
    return C3D_FAIL(C3D_EUNSUPPORTED,
                    "run.device cuda: this build has no CUDA (cuDNN and NCCL were "
                    "not found when it was configured); use cpu");
}

static void do_nothing(c3d_backend *self)
{
    (void)self;
}

void c3d_backend_versions(c3d_text *out)
{
    (void)out;
}

bool c3d_cuda_is_there(void)
{
    return false;
}

const c3d_backend_ops c3d_backend_cuda = { .name = "cuda", .open = refuse, .close = do_nothing };
