#include "backend/cuda/lanes.cuh"

#include <math.h>

namespace
{

/* partials: finished sums of two kinds [2, P], then those of blocks [n_blocks, kinds, P]. */
struct sums_place {
    double *finished, *blocks;
};

sums_place place_of(double *partials, int n_lanes)
{
    return sums_place{ partials, partials + 2 * (size_t)n_lanes };
}

template <int N> __device__ inline void read_lanes(const double *from, unsigned c, double (&to)[N])
{
#pragma unroll
    for (int l = 0; l < N; l++) to[l] = from[c * N + l];
}

/* A block's sums of one kind; sums are those of thread row 0. */
template <int N>
__device__ inline void write_block_sums(double *blocks, int kind, int n_kinds, unsigned n_pieces,
                                        unsigned c, const double (&sums)[N])
{
    double *const to = blocks + (((size_t)blockIdx.x * n_kinds + kind) * n_pieces + c) * N;

#pragma unroll
    for (int l = 0; l < N; l++) to[l] = sums[l];
}

/* Rows that a thread has loads under way for. */
constexpr int in_flight = 4, in_flight_back = 2;

/* of x, or with mean of its squared deviations */
template <typename T>
__global__ void __launch_bounds__(block_threads)
    statistic_sums(size_t n_rows, unsigned n_pieces, const piece *__restrict__ x,
                   const double *__restrict__ mean, double *blocks)
{
    constexpr int n = lanes_of<T>;
    __shared__ double shared[n * block_threads];
    const unsigned c = blockIdx.y * blockDim.x + threadIdx.x;
    const size_t step = (size_t)gridDim.x * blockDim.y;
    double sums[n] = {}, centre[n] = {};

    if (c < n_pieces) {
        if (mean) read_lanes(mean, c, centre);
        for (size_t first = (size_t)blockIdx.x * blockDim.y + threadIdx.y; first < n_rows;
             first += in_flight * step) {
            piece of_x[in_flight];

            load_rows(of_x, x, first, step, n_rows, n_pieces, c);
#pragma unroll
            for (int i = 0; i < in_flight; i++) {
                const lanes<T> v = unpack<T>(of_x[i]);

                if (first + i * step >= n_rows) break;
#pragma unroll
                for (int l = 0; l < n; l++) {
                    const double deviation = (double)v.at[l] - centre[l];

                    sums[l] += mean ? deviation * deviation : deviation;
                }
            }
        }
    }
    sum_rows(sums, shared);
    if (threadIdx.y == 0 && c < n_pieces) write_block_sums(blocks, 0, 1, n_pieces, c, sums);
}

__global__ void __launch_bounds__(finish_width *finish_rows)
    finish_statistic(const double *__restrict__ blocks, unsigned n_blocks, unsigned n_lanes,
                     double n_rows, double *out)
{
    const unsigned lane = blockIdx.x * finish_width + threadIdx.x;
    const double sum = finish_lane(blocks, n_blocks, n_lanes, lane, lane < n_lanes);

    if (threadIdx.y == 0 && lane < n_lanes) out[lane] = n_rows > 0 ? sum / n_rows : 0;
}

/* Of a channel, for float: x - mean in two steps loses nothing to a large mean. */
struct affine {
    float mean_high, mean_low, inverse;
};

__device__ inline affine affine_of(double mean, double variance, double epsilon)
{
    const float high = (float)mean;

    return affine{ high, (float)(mean - (double)high), (float)(1 / sqrt(variance + epsilon)) };
}

__device__ inline float normal_of(const affine &a, float x)
{
    return (x - a.mean_high - a.mean_low) * a.inverse;
}

template <typename T>
__global__ void __launch_bounds__(block_threads)
    norm_apply(const c3d_cuda_norm a, unsigned n_pieces, const piece *__restrict__ x,
               const float *__restrict__ gamma, const float *__restrict__ beta,
               const double *__restrict__ mean, const double *__restrict__ variance,
               piece *__restrict__ y)
{
    constexpr int n = lanes_of<T>;
    const unsigned c = blockIdx.y * blockDim.x + threadIdx.x;
    const size_t step = (size_t)gridDim.x * blockDim.y;
    affine by[n];
    float scale[n], shift[n];

    if (c >= n_pieces) return;
#pragma unroll
    for (int l = 0; l < n; l++) {
        const unsigned lane = c * n + l;
        const bool is_there = lane < (unsigned)a.n_channels;

        by[l] = affine_of(mean[lane], variance[lane], a.epsilon);
        scale[l] = is_there ? gamma[lane] : 0;
        shift[l] = is_there ? beta[lane] : 0;
    }
    for (size_t first = (size_t)blockIdx.x * blockDim.y + threadIdx.y; first < a.n_all;
         first += in_flight * step) {
        piece of_x[in_flight];

        load_rows(of_x, x, first, step, a.n_rows, n_pieces, c);
#pragma unroll
        for (int i = 0; i < in_flight; i++) {
            const size_t row = first + i * step;
            lanes<T> v = {};

            if (row >= a.n_all) break;
            if (row < a.n_rows) {
                v = unpack<T>(of_x[i]);
#pragma unroll
                for (int l = 0; l < n; l++) {
                    const float z = scale[l] * normal_of(by[l], v.at[l]) + shift[l];

                    v.at[l] = !a.relu || z > 0 ? z : 0;
                }
            }
            y[row * n_pieces + c] = pack(v);
        }
    }
}

/* dy of one row, where the ReLU after the norm let something through. */
template <typename T> __device__ inline lanes<T> gradient_of(piece dy, piece y, bool relu)
{
    lanes<T> v = unpack<T>(dy);

    if (!relu) return v;
    const lanes<T> out = unpack<T>(y);
#pragma unroll
    for (int l = 0; l < lanes_of<T>; l++)
        if (!(out.at[l] > 0)) v.at[l] = 0;
    return v;
}

/* of dy (x - mean), and of dy */
template <typename T>
__global__ void __launch_bounds__(block_threads)
    backward_sums(size_t n_rows, unsigned n_pieces, const piece *__restrict__ x,
                  const piece *__restrict__ y, const piece *__restrict__ dy,
                  const double *__restrict__ mean, double *blocks)
{
    constexpr int n = lanes_of<T>;
    __shared__ double shared[n * block_threads];
    const unsigned c = blockIdx.y * blockDim.x + threadIdx.x;
    const size_t step = (size_t)gridDim.x * blockDim.y;
    double products[n] = {}, sums[n] = {}, centre[n] = {};

    if (c < n_pieces) {
        read_lanes(mean, c, centre);
        for (size_t first = (size_t)blockIdx.x * blockDim.y + threadIdx.y; first < n_rows;
             first += in_flight_back * step) {
            piece of_x[in_flight_back], of_dy[in_flight_back], of_y[in_flight_back];

            load_rows(of_x, x, first, step, n_rows, n_pieces, c);
            load_rows(of_dy, dy, first, step, n_rows, n_pieces, c);
            if (y) load_rows(of_y, y, first, step, n_rows, n_pieces, c);
#pragma unroll
            for (int i = 0; i < in_flight_back; i++) {
                if (first + i * step >= n_rows) break;
                const lanes<T> v = unpack<T>(of_x[i]);
                const lanes<T> g = gradient_of<T>(of_dy[i], of_y[i], y != NULL);

#pragma unroll
                for (int l = 0; l < n; l++) {
                    products[l] += (double)g.at[l] * ((double)v.at[l] - centre[l]);
                    sums[l] += (double)g.at[l];
                }
            }
        }
    }
    sum_rows(products, shared);
    __syncthreads(); /* the second sum uses the same memory */
    sum_rows(sums, shared);
    if (threadIdx.y > 0 || c >= n_pieces) return;
    write_block_sums(blocks, 0, 2, n_pieces, c, products);
    write_block_sums(blocks, 1, 2, n_pieces, c, sums);
}

struct param_grads {
    float *of[2]; /* gamma, beta */
    bool accumulate;
};

/* blocks y: the kind of sum; finished: of dy z, of dy */
__global__ void __launch_bounds__(finish_width *finish_rows)
    finish_backward(const double *__restrict__ blocks, unsigned n_blocks, unsigned n_lanes,
                    const double *__restrict__ variance, double epsilon, double *finished,
                    const param_grads grads)
{
    const unsigned lane = blockIdx.x * finish_width + threadIdx.x, kind = blockIdx.y;
    double sum =
        finish_lane(blocks, n_blocks, 2 * (size_t)n_lanes, kind * n_lanes + lane, lane < n_lanes);

    if (threadIdx.y > 0 || lane >= n_lanes) return;
    if (kind == 0) sum *= 1 / sqrt(variance[lane] + epsilon);
    finished[kind * n_lanes + lane] = sum;
    float *const to = grads.of[kind] + lane;
    *to = grads.accumulate ? *to + (float)sum : (float)sum;
}

template <typename T>
__global__ void __launch_bounds__(block_threads)
    backward_x(const c3d_cuda_norm a, unsigned n_pieces, const piece *__restrict__ x,
               const piece *__restrict__ y, const piece *__restrict__ dy,
               const float *__restrict__ gamma, const double *__restrict__ mean,
               const double *__restrict__ variance, const double *__restrict__ finished,
               piece *__restrict__ dx)
{
    constexpr int n = lanes_of<T>;
    const unsigned c = blockIdx.y * blockDim.x + threadIdx.x;
    const size_t step = (size_t)gridDim.x * blockDim.y;
    affine by[n];
    float of_normal[n], of_dy[n], factor[n]; /* the first two: means over rows */

    if (c >= n_pieces) return;
#pragma unroll
    for (int l = 0; l < n; l++) {
        const unsigned lane = c * n + l;

        by[l] = affine_of(mean[lane], variance[lane], a.epsilon);
        of_normal[l] = (float)(finished[lane] / (double)a.n_rows);
        of_dy[l] = (float)(finished[n_pieces * n + lane] / (double)a.n_rows);
        factor[l] = lane < (unsigned)a.n_channels ? gamma[lane] * by[l].inverse : 0;
    }
    for (size_t row = (size_t)blockIdx.x * blockDim.y + threadIdx.y; row < a.n_all; row += step) {
        const size_t i = row * n_pieces + c;
        lanes<T> out = {};

        if (row < a.n_rows) {
            const lanes<T> v = unpack<T>(x[i]), g = gradient_of<T>(dy[i], y ? y[i] : piece{}, y);

#pragma unroll
            for (int l = 0; l < n; l++)
                out.at[l] =
                    factor[l] * (g.at[l] - of_dy[l] - normal_of(by[l], v.at[l]) * of_normal[l]);
        }
        dx[i] = pack(out);
    }
}

template <typename T>
cudaError_t statistic(cudaStream_t stream, const c3d_cuda_norm *a, const void *x,
                      const double *centre, double *partials, double *out)
{
    const tiling t = tiling_of(a->n_lanes, lanes_of<T>);
    const sums_place sums = place_of(partials, a->n_lanes);
    const unsigned n_blocks = sum_blocks_of(a->n_rows, t);
    const cudaLaunchConfig_t config = launch_of(stream, dim3(n_blocks, t.n_tiles, 1), t.block);
    const cudaLaunchConfig_t finish = finish_of(stream, a->n_lanes, 1);
    cudaError_t status = cudaSuccess;

    if (n_blocks > 0)
        status = cudaLaunchKernelEx(&config, statistic_sums<T>, a->n_rows, t.n_pieces,
                                    (const piece *)x, centre, sums.blocks);
    if (status != cudaSuccess) return status;
    return cudaLaunchKernelEx(&finish, finish_statistic, sums.blocks, n_blocks,
                              (unsigned)a->n_lanes, (double)a->n_rows, out);
}

template <typename T>
cudaError_t param_gradients(cudaStream_t stream, const c3d_cuda_norm *a,
                            const c3d_cuda_norm_grads *v)
{
    const tiling t = tiling_of(a->n_lanes, lanes_of<T>);
    const sums_place sums = place_of(v->partials, a->n_lanes);
    const unsigned n_blocks = sum_blocks_of(a->n_rows, t);
    const cudaLaunchConfig_t config = launch_of(stream, dim3(n_blocks, t.n_tiles, 1), t.block);
    const cudaLaunchConfig_t finish = finish_of(stream, a->n_lanes, 2);
    const param_grads grads = { { v->gamma_grad, v->beta_grad }, v->accumulate };
    cudaError_t status = cudaSuccess;

    if (n_blocks > 0)
        status = cudaLaunchKernelEx(&config, backward_sums<T>, a->n_rows, t.n_pieces,
                                    (const piece *)v->x, (const piece *)(a->relu ? v->y : NULL),
                                    (const piece *)v->dy, v->mean, sums.blocks);
    if (status != cudaSuccess) return status;
    return cudaLaunchKernelEx(&finish, finish_backward, sums.blocks, n_blocks, (unsigned)a->n_lanes,
                              v->variance, a->epsilon, sums.finished, grads);
}

template <typename T>
cudaError_t x_gradient(cudaStream_t stream, const c3d_cuda_norm *a, const c3d_cuda_norm_grads *v)
{
    const tiling t = tiling_of(a->n_lanes, lanes_of<T>);
    const cudaLaunchConfig_t config =
        launch_of(stream, dim3(sum_blocks_of(a->n_all, t), t.n_tiles, 1), t.block);

    if (a->n_all == 0) return cudaSuccess;
    return cudaLaunchKernelEx(&config, backward_x<T>, *a, t.n_pieces, (const piece *)v->x,
                              (const piece *)(a->relu ? v->y : NULL), (const piece *)v->dy,
                              v->gamma, v->mean, v->variance,
                              place_of(v->partials, a->n_lanes).finished, (piece *)v->dx);
}

} // namespace

size_t c3d_cuda_norm_doubles(size_t n_rows, int n_lanes)
{
    return 2 * (1 + sum_blocks_bound(n_rows)) * (size_t)n_lanes;
}

cudaError_t c3d_cuda_norm_statistics(cudaStream_t stream, const c3d_cuda_norm *a, const void *x,
                                     double *partials, double *mean, double *variance)
{
    if (a->n_lanes == 0) return cudaSuccess;
    return by_type(a->type, [&](auto element) {
        using T = decltype(element);
        const cudaError_t status = statistic<T>(stream, a, x, NULL, partials, mean);

        if (status != cudaSuccess) return status;
        return statistic<T>(stream, a, x, mean, partials, variance);
    });
}

cudaError_t c3d_cuda_norm_apply(cudaStream_t stream, const c3d_cuda_norm *a, const void *x,
                                const c3d_cuda_norm_params *v, void *y)
{
    if (a->n_lanes == 0 || a->n_all == 0) return cudaSuccess;
    return by_type(a->type, [&](auto element) {
        using T = decltype(element);
        const tiling t = tiling_of(a->n_lanes, lanes_of<T>);
        const cudaLaunchConfig_t config =
            launch_of(stream, dim3(sum_blocks_of(a->n_all, t), t.n_tiles, 1), t.block);

        return cudaLaunchKernelEx(&config, norm_apply<T>, *a, t.n_pieces, (const piece *)x,
                                  v->gamma, v->beta, v->mean, v->variance, (piece *)y);
    });
}

cudaError_t c3d_cuda_norm_backward(cudaStream_t stream, const c3d_cuda_norm *a,
                                   const c3d_cuda_norm_grads *v)
{
    if (a->n_lanes == 0) return cudaSuccess;
    return by_type(a->type, [&](auto element) {
        using T = decltype(element);
        const cudaError_t status = param_gradients<T>(stream, a, v);

        if (status != cudaSuccess || !v->dx) return status;
        return x_gradient<T>(stream, a, v);
    });
}

namespace
{

__global__ void __launch_bounds__(block_threads)
    to_double(const float *__restrict__ from, size_t n, double *__restrict__ to)
{
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;

    if (i < n) to[i] = (double)from[i];
}

} // namespace

cudaError_t c3d_cuda_to_double(cudaStream_t stream, const float *from, size_t n, double *to)
{
    const cudaLaunchConfig_t config =
        launch_of(stream, dim3(ceil_div(n, block_threads), 1, 1), dim3(block_threads, 1, 1));

    if (n == 0) return cudaSuccess;
    return cudaLaunchKernelEx(&config, to_double, from, n, to);
}
