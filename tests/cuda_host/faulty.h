/* Kernels that are wrong, one way each, to see that running them on the host tells. */
#ifndef C3D_CUDA_HOST_FAULTY_H
#define C3D_CUDA_HOST_FAULTY_H

#include <cuda_runtime_api.h>

typedef enum faulty_kernel {
    FAULTY_NONE,
    FAULTY_EARLY_LEAVER, /* a thread ends before a barrier that others wait at */
    FAULTY_PARTED_WAYS,  /* two barriers that each wait for all */
    FAULTY_NO_BARRIER,   /* a result that depends on the order of threads */
    FAULTY_STALE_MEMORY, /* shared memory read before it is written */
    FAULTY_TOO_LARGE     /* a block of more threads than there can be */
} faulty_kernel;

#ifdef __cplusplus
extern "C"
#endif
    cudaError_t
    faulty_run(faulty_kernel which, float out[64]);

#endif
