/* Kernels with the mistakes that the emulation shall find. */
#include "faulty.h"

namespace
{

__global__ void early_leaver(float *out)
{
    if (threadIdx.x == 3) return;
    __syncthreads();
    out[threadIdx.x] = 1;
}

__global__ void parted_ways(float *out)
{
    if (threadIdx.x < 16)
        __syncthreads();
    else
        __syncthreads();
    out[threadIdx.x] = 1;
}

/* Each thread reads what its neighbour writes, without waiting for it. */
__global__ void no_barrier(float *out)
{
    __shared__ float values[32];

    values[threadIdx.x] = (float)threadIdx.x;
    out[threadIdx.x] = values[(threadIdx.x + 1) % 32];
}

__global__ void with_barrier(float *out)
{
    __shared__ float values[32];

    values[threadIdx.x] = (float)threadIdx.x;
    __syncthreads();
    out[32 * blockIdx.x + threadIdx.x] = values[(threadIdx.x + 1) % 32];
}

/* Relies on what another block left in shared memory. */
__global__ void stale_memory(float *out)
{
    __shared__ float value;

    if (blockIdx.x == 0 && threadIdx.x == 0) value = 1;
    __syncthreads();
    out[blockIdx.x] = value;
}

cudaLaunchConfig_t config_of(unsigned n_blocks, unsigned n_threads)
{
    cudaLaunchConfig_t config = {};

    config.gridDim = dim3(n_blocks, 1, 1);
    config.blockDim = dim3(n_threads, 1, 1);
    return config;
}

} // namespace

cudaError_t faulty_run(faulty_kernel which, float out[64])
{
    const cudaLaunchConfig_t one = config_of(1, 32), two = config_of(2, 32),
                             large = config_of(1, 1025);

    switch (which) {
    case FAULTY_EARLY_LEAVER: return cudaLaunchKernelEx(&one, early_leaver, out);
    case FAULTY_PARTED_WAYS: return cudaLaunchKernelEx(&one, parted_ways, out);
    case FAULTY_NO_BARRIER: return cudaLaunchKernelEx(&one, no_barrier, out);
    case FAULTY_STALE_MEMORY: return cudaLaunchKernelEx(&two, stale_memory, out);
    case FAULTY_TOO_LARGE: return cudaLaunchKernelEx(&large, with_barrier, out);
    case FAULTY_NONE: break;
    }
    return cudaLaunchKernelEx(&two, with_barrier, out);
}
