#include "backend/cuda/lanes.cuh"

extern "C" {
#include "backend/host.h"
}

#include <math.h>

namespace
{

/* ---- arrays four elements at a time, by 16 bytes where they lie so ---- */

struct four {
    float at[4];
};

/* Elements i.. of n; 0 beyond. */
template <bool aligned> __device__ inline four load(const float *from, size_t i, size_t n)
{
    four v = {};

    if (aligned && i + 4 <= n) return bits_as<four>(*(const float4 *)(from + i));
#pragma unroll
    for (int l = 0; l < 4; l++)
        if (i + l < n) v.at[l] = from[i + l];
    return v;
}

template <bool aligned> __device__ inline void store(float *to, size_t i, size_t n, four v)
{
    if (aligned && i + 4 <= n) {
        *(float4 *)(to + i) = bits_as<float4>(v);
        return;
    }
#pragma unroll
    for (int l = 0; l < 4; l++)
        if (i + l < n) to[i + l] = v.at[l];
}

struct four_low {
    uint16_t at[4];
};

template <typename Low> __device__ inline four_low rounded(four v);
template <> __device__ inline four_low rounded<__nv_bfloat16>(four v)
{
    four_low out;

#pragma unroll
    for (int l = 0; l < 4; l++) out.at[l] = bits_as<uint16_t>(__float2bfloat16_rn(v.at[l]));
    return out;
}
template <> __device__ inline four_low rounded<__half>(four v)
{
    four_low out;

#pragma unroll
    for (int l = 0; l < 4; l++) out.at[l] = bits_as<uint16_t>(__float2half_rn(v.at[l]));
    return out;
}

template <bool aligned> __device__ inline void store(uint16_t *to, size_t i, size_t n, four_low v)
{
    if (aligned && i + 4 <= n) {
        *(uint2 *)(to + i) = bits_as<uint2>(v);
        return;
    }
#pragma unroll
    for (int l = 0; l < 4; l++)
        if (i + l < n) to[i + l] = v.at[l];
}

__device__ inline float value_of(uint16_t bits, __nv_bfloat16)
{
    return bits_as<float>((unsigned)bits << 16);
}
__device__ inline float value_of(uint16_t bits, __half)
{
    return __half2float(bits_as<__half>(bits));
}

bool is_aligned(const void *p, size_t n_bytes)
{
    return (size_t)p % n_bytes == 0;
}

constexpr unsigned sweep_blocks = 4096;

/* Threads that take four elements after another of n. */
cudaLaunchConfig_t sweep_of(cudaStream_t stream, size_t n)
{
    const size_t n_blocks = (n + 4 * block_threads - 1) / (4 * block_threads);

    return launch_of(stream,
                     dim3(n_blocks < sweep_blocks ? (unsigned)n_blocks : sweep_blocks, 1, 1),
                     dim3(block_threads, 1, 1));
}

/* for each first element i that is this thread's */
#define EACH_FOUR(i, n)                                                                            \
    for (size_t i = 4 * ((size_t)blockIdx.x * blockDim.x + threadIdx.x),                           \
                step = 4 * (size_t)gridDim.x * blockDim.x;                                         \
         i < (n); i += step)

/* ---- Adam ---- */

struct clipping {
    double grad_scale, clip_norm;
    const double *squares;
};

/* The gradient's factor, as c3d_adam_factors_of computes it where it can read squares. */
__device__ inline float grad_factor(const clipping &c, double squares)
{
    double scale = c.grad_scale;

    if (c.clip_norm > 0) {
        const double norm = __dmul_rn(sqrt(squares), scale);
        const double clip = c.clip_norm / __dadd_rn(norm, 1e-6);

        if (clip < 1) scale *= clip;
    }
    return (float)scale;
}

/* One element; every operation is rounded, so that results are those of the host. */
__device__ inline void update(const c3d_adam_factors &f, float grad, float &m, float &v, float &p)
{
    const float g = __fmul_rn(grad, f.grad_scale);

    m = __fadd_rn(__fmul_rn(f.beta1, m), __fmul_rn(f.one_minus_beta1, g));
    v = __fadd_rn(__fmul_rn(f.beta2, v), __fmul_rn(f.one_minus_beta2, __fmul_rn(g, g)));
    const float root = __fadd_rn(__fmul_rn(__fsqrt_rn(v), f.v_root), f.epsilon);
    const float step = __fdiv_rn(__fmul_rn(f.rate, m), root);

    p = __fsub_rn(p, __fadd_rn(step, __fmul_rn(f.decay, p)));
}

/* Low float: no copy. */
template <typename Low, bool aligned>
__global__ void __launch_bounds__(block_threads)
    adam_sweep(c3d_adam_factors f, const clipping c, const c3d_adam_arrays a)
{
    if (c.squares) {
        const double squares = *c.squares;

        if (!isfinite(squares)) return;
        f.grad_scale = grad_factor(c, squares);
    }
    EACH_FOUR(i, a.n)
    {
        const four g = load<aligned>(a.grad, i, a.n);
        four m = load<aligned>(a.m, i, a.n), v = load<aligned>(a.v, i, a.n);
        four p = load<aligned>(a.param, i, a.n);

#pragma unroll
        for (int l = 0; l < 4; l++) update(f, g.at[l], m.at[l], v.at[l], p.at[l]);
        store<aligned>(a.m, i, a.n, m);
        store<aligned>(a.v, i, a.n, v);
        store<aligned>(a.param, i, a.n, p);
        if constexpr (sizeof(Low) == 2) store<aligned>(a.low, i, a.n, rounded<Low>(p));
    }
}

/* ---- conversions and sums ---- */

template <typename Low, bool aligned>
__global__ void __launch_bounds__(block_threads)
    to_low(size_t n, const float *__restrict__ from, uint16_t *__restrict__ to)
{
    EACH_FOUR(i, n) store<aligned>(to, i, n, rounded<Low>(load<aligned>(from, i, n)));
}

template <typename Low, bool aligned>
__global__ void __launch_bounds__(block_threads)
    from_low(size_t n, const uint16_t *__restrict__ from, float *to, bool accumulate)
{
    EACH_FOUR(i, n)
    {
        four v = {};
        four_low bits = {};

        if (accumulate) v = load<aligned>(to, i, n);
        if (aligned && i + 4 <= n) {
            bits = bits_as<four_low>(*(const uint2 *)(from + i));
        } else {
#pragma unroll
            for (int l = 0; l < 4; l++)
                if (i + l < n) bits.at[l] = from[i + l];
        }
#pragma unroll
        for (int l = 0; l < 4; l++) {
            const float value = value_of(bits.at[l], Low());

            v.at[l] = accumulate ? v.at[l] + value : value;
        }
        store<aligned>(to, i, n, v);
    }
}

template <bool aligned>
__global__ void __launch_bounds__(block_threads)
    add(size_t n, const float *__restrict__ from, float *to)
{
    EACH_FOUR(i, n)
    {
        const four more = load<aligned>(from, i, n);
        four v = load<aligned>(to, i, n);

#pragma unroll
        for (int l = 0; l < 4; l++) v.at[l] += more.at[l];
        store<aligned>(to, i, n, v);
    }
}

template <bool aligned>
__global__ void __launch_bounds__(block_threads)
    sum_squares(const float *__restrict__ x, size_t n, double *partials)
{
    __shared__ double shared[block_threads];
    const size_t step = 4 * (size_t)gridDim.x * block_threads;
    double lanes_sum[4] = {};

    for (size_t first = 4 * ((size_t)blockIdx.x * block_threads + threadIdx.y); first < n;
         first += 4 * step) {
        four v[4]; /* all under way before the first is looked at */

#pragma unroll
        for (int i = 0; i < 4; i++) v[i] = load<aligned>(x, first + i * step, n);
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
            for (int l = 0; l < 4; l++) lanes_sum[l] += (double)v[i].at[l] * (double)v[i].at[l];
    }
    double sum[1] = { lanes_sum[0] + lanes_sum[1] + (lanes_sum[2] + lanes_sum[3]) };

    sum_rows(sum, shared);
    if (threadIdx.y == 0) partials[blockIdx.x] = sum[0];
}

__global__ void __launch_bounds__(block_threads)
    sum_doubles(const double *__restrict__ x, unsigned n, double *out)
{
    __shared__ double shared[block_threads];
    double sum[1] = { 0 };

    for (unsigned i = threadIdx.y; i < n; i += block_threads) sum[0] += x[i];
    sum_rows(sum, shared);
    if (threadIdx.y == 0) *out = sum[0];
}

/* f(Low()) for a type of 16 bits. */
template <typename F> cudaError_t by_low(c3d_cuda_type type, F f)
{
    switch (type) {
    case C3D_CUDA_BF16: return f(__nv_bfloat16());
    case C3D_CUDA_F16: return f(__half());
    case C3D_CUDA_F32: break;
    }
    return cudaErrorInvalidValue;
}

} // namespace

cudaError_t c3d_cuda_adam(cudaStream_t stream, const c3d_adam *adam, const c3d_adam_arrays *arrays,
                          c3d_cuda_type type)
{
    const c3d_adam_arrays a = *arrays;
    const bool aligned = is_aligned(a.grad, 16) && is_aligned(a.m, 16) && is_aligned(a.v, 16) &&
                         is_aligned(a.param, 16) && is_aligned(a.low, 8);
    const clipping c = { (double)adam->grad_scale, adam->clip_norm, adam->squares };
    c3d_adam without = *adam;
    const cudaLaunchConfig_t config = sweep_of(stream, a.n);

    if (a.n == 0) return cudaSuccess;
    without.squares = NULL; /* not for the host to read */
    const c3d_adam_factors f = c3d_adam_factors_of(&without);
    const auto launch = [&](auto low) {
        using Low = decltype(low);

        return cudaLaunchKernelEx(&config, aligned ? adam_sweep<Low, true> : adam_sweep<Low, false>,
                                  f, c, a);
    };
    return a.low ? by_low(type, launch) : launch(float());
}

cudaError_t c3d_cuda_to_low(cudaStream_t stream, size_t n, const float *from, uint16_t *to,
                            c3d_cuda_type type)
{
    const bool aligned = is_aligned(from, 16) && is_aligned(to, 8);
    const cudaLaunchConfig_t config = sweep_of(stream, n);

    if (n == 0) return cudaSuccess;
    return by_low(type, [&](auto low) {
        using Low = decltype(low);

        return cudaLaunchKernelEx(&config, aligned ? to_low<Low, true> : to_low<Low, false>, n,
                                  from, to);
    });
}

cudaError_t c3d_cuda_from_low(cudaStream_t stream, size_t n, const uint16_t *from,
                              c3d_cuda_type type, float *to, bool accumulate)
{
    const bool aligned = is_aligned(from, 8) && is_aligned(to, 16);
    const cudaLaunchConfig_t config = sweep_of(stream, n);

    if (n == 0) return cudaSuccess;
    return by_low(type, [&](auto low) {
        using Low = decltype(low);

        return cudaLaunchKernelEx(&config, aligned ? from_low<Low, true> : from_low<Low, false>, n,
                                  from, to, accumulate);
    });
}

cudaError_t c3d_cuda_add(cudaStream_t stream, size_t n, const float *from, float *to)
{
    const bool aligned = is_aligned(from, 16) && is_aligned(to, 16);
    const cudaLaunchConfig_t config = sweep_of(stream, n);

    if (n == 0) return cudaSuccess;
    return cudaLaunchKernelEx(&config, aligned ? add<true> : add<false>, n, from, to);
}

/* Elements to threads, and so the order, by n alone: alignment only changes how they are read. */
cudaError_t c3d_cuda_sum_squares(cudaStream_t stream, const float *x, size_t n, double *partials,
                                 double *out)
{
    const size_t wanted = (n + 16 * block_threads - 1) / (16 * block_threads);
    const unsigned n_blocks =
        wanted < C3D_CUDA_SQUARES_DOUBLES ? (unsigned)wanted : C3D_CUDA_SQUARES_DOUBLES;
    const dim3 block(1, block_threads, 1);
    const cudaLaunchConfig_t config = launch_of(stream, dim3(n_blocks, 1, 1), block);
    cudaError_t status = cudaSuccess;

    if (n > 0)
        status = cudaLaunchKernelEx(
            &config, is_aligned(x, 16) ? sum_squares<true> : sum_squares<false>, x, n, partials);
    if (status != cudaSuccess) return status;
    return c3d_cuda_sum_doubles(stream, partials, n_blocks, out);
}

cudaError_t c3d_cuda_sum_doubles(cudaStream_t stream, const double *x, unsigned n, double *out)
{
    const cudaLaunchConfig_t config = launch_of(stream, dim3(1, 1, 1), dim3(1, block_threads, 1));

    return cudaLaunchKernelEx(&config, sum_doubles, x, n, out);
}
