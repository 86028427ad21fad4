/* Kernels on the host: the .cu files of src/backend/cuda compiled as C++ with kernel.h included
 * before them, and run here. Pointers of kernels are then host memory.
 *
 * A launch is checked when it is made (CUDA's limits: cudaErrorInvalidConfiguration) and its blocks
 * run one after another, the threads of a block as fibers that change at barriers only. A barrier
 * that some threads do not reach, or that they reach at different places of the source, ends the
 * program with the kernel's name. Shared memory holds NaN when a block begins. */
#ifndef C3D_CUDA_HOST_LAUNCH_H
#define C3D_CUDA_HOST_LAUNCH_H

#include <stdint.h>

/* 0 (the default): threads and blocks run in the order of their numbers; otherwise in an order
 * drawn from the seed, of threads again after every barrier, so that races show as results that
 * depend on it. */
#ifdef __cplusplus
extern "C" void c3d_cuda_host_shuffle(uint64_t seed);
extern "C" uint64_t c3d_cuda_host_launches(void); /* so far */
#else
void c3d_cuda_host_shuffle(uint64_t seed);
uint64_t c3d_cuda_host_launches(void);
#endif

#ifdef __cplusplus
#include <cuda_runtime_api.h>
#include <functional>

/* Every launch that is in order goes through this, work being the whole grid; arguments of the
 * kernel are copied into it. As set at first it runs at once; a stand-in for the runtime with
 * streams puts its own here. Work may run on any thread; a lock keeps grids apart. */
extern cudaError_t (*c3d_cuda_host_enqueue)(cudaStream_t stream, std::function<void()> work);
#endif

#endif
