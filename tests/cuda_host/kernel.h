/* What nvcc knows without being told, for g++; included before a .cu file (-include). */
#ifndef C3D_CUDA_HOST_KERNEL_H
#define C3D_CUDA_HOST_KERNEL_H

#include "launch.h"

#include <cmath>
#include <cstring>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <tuple>
#include <utility>

/* Of all kernels' shared variables, so that they can be filled before each block. */
#undef __shared__
#define __shared__      static __attribute__((section("c3d_shared")))
#define __syncthreads() c3d_cuda_host::barrier(__FILE__, __LINE__)
#define __launch_bounds__(...)

/* The text of the call names the kernel. */
#define cudaLaunchKernelEx(...) c3d_cuda_host::launch(#__VA_ARGS__, __VA_ARGS__)

extern __thread uint3 threadIdx, blockIdx, blockDim, gridDim;

namespace c3d_cuda_host
{

void barrier(const char *file, int line);
cudaError_t launch_grid(const char *name, const cudaLaunchConfig_t *config,
                        std::function<void()> thread);

template <typename... Parameters, typename... Arguments>
cudaError_t launch(const char *name, const cudaLaunchConfig_t *config,
                   void (*kernel)(Parameters...), Arguments &&...arguments)
{
    const std::tuple<Parameters...> copies(std::forward<Arguments>(arguments)...);

    return launch_grid(name, config, [=] { std::apply(kernel, copies); });
}

} // namespace c3d_cuda_host

static inline float __fadd_rn(float a, float b)
{
    return a + b;
}
static inline float __fsub_rn(float a, float b)
{
    return a - b;
}
static inline float __fmul_rn(float a, float b)
{
    return a * b;
}
static inline float __fdiv_rn(float a, float b)
{
    return a / b;
}
static inline float __fsqrt_rn(float a)
{
    return std::sqrt(a);
}
static inline double __dadd_rn(double a, double b)
{
    return a + b;
}
static inline double __dmul_rn(double a, double b)
{
    return a * b;
}

static inline unsigned __umulhi(unsigned a, unsigned b)
{
    return (unsigned)((unsigned long long)a * b >> 32);
}

#endif
