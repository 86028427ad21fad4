#include "c3d/backend.h"

#include <cuda_runtime_api.h>
#include <cudnn.h>

void c3d_backend_versions(c3d_text *out)
{
    const size_t cudnn = cudnnGetVersion();
    int runtime = 0, driver = 0;

    (void)cudaRuntimeGetVersion(&runtime);
    (void)cudaDriverGetVersion(&driver);
    (void)cudaGetLastError();
    c3d_text_add(out, "CUDA %d.%d, cuDNN %zu.%zu.%zu, ", runtime / 1000, runtime % 1000 / 10,
                 cudnn / 10000, cudnn / 100 % 100, cudnn % 100);
    if (driver == 0)
        c3d_text_add(out, "no driver");
    else
        c3d_text_add(out, "driver for CUDA %d.%d", driver / 1000, driver % 1000 / 10);
}
