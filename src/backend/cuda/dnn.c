#include "backend/cuda/dnn.h"

#include <cudnn.h>
#include <stdlib.h>

struct c3d_dnn {
    cudnnHandle_t handle;
};

void c3d_dnn_close(c3d_dnn *dnn)
{
    if (!dnn) return;
    if (dnn->handle) (void)cudnnDestroy(dnn->handle);
    free(dnn);
}
