#include "backend/cuda/channels.cuh"
#include "backend/cuda/lanes.cuh"

namespace
{

constexpr int in_flight = 4; /* rows a thread has loads under way for */

/* dy of one row: nothing where y is not positive. */
template <typename T> __device__ inline lanes<T> masked(lanes<T> dy, const lanes<T> &y)
{
#pragma unroll
    for (int l = 0; l < lanes_of<T>; l++)
        if (!(y.at[l] > 0)) dy.at[l] = 0;
    return dy;
}

template <typename T, bool with_relu, bool with_sum>
__global__ void __launch_bounds__(block_threads)
    relu_bias_backward(size_t n_rows, unsigned n_pieces, piece *dy, const piece *__restrict__ y,
                       float *partials)
{
    constexpr int n = lanes_of<T>;
    const unsigned c = blockIdx.y * blockDim.x + threadIdx.x;
    const size_t step = (size_t)gridDim.x * blockDim.y;
    float sums[n] = {};

    if (c < n_pieces) {
        for (size_t first = (size_t)blockIdx.x * blockDim.y + threadIdx.y; first < n_rows;
             first += in_flight * step) {
            piece of_dy[in_flight], of_y[in_flight];

            load_rows(of_dy, dy, first, step, n_rows, n_pieces, c);
            if (with_relu) load_rows(of_y, y, first, step, n_rows, n_pieces, c);
#pragma unroll
            for (int i = 0; i < in_flight; i++) {
                const size_t row = first + i * step;

                if (row >= n_rows) continue;
                lanes<T> v = unpack<T>(of_dy[i]);
                if (with_relu) {
                    v = masked<T>(v, unpack<T>(of_y[i]));
                    dy[row * n_pieces + c] = pack(v);
                }
#pragma unroll
                for (int l = 0; l < n; l++) sums[l] += v.at[l];
            }
        }
    }
    if (!with_sum) return;
    __shared__ float shared[n * block_threads];
    sum_rows(sums, shared);
    if (threadIdx.y > 0 || c >= n_pieces) return;
    float *const to = partials + ((size_t)blockIdx.x * n_pieces + c) * n;
#pragma unroll
    for (int l = 0; l < n; l++) to[l] = sums[l];
}

template <typename T>
__global__ void __launch_bounds__(block_threads)
    bias_relu(size_t n_rows, unsigned n_pieces, piece *y, const float *__restrict__ bias, bool relu)
{
    constexpr int n = lanes_of<T>;
    const unsigned c = blockIdx.y * blockDim.x + threadIdx.x;
    const size_t step = (size_t)gridDim.x * blockDim.y;
    float b[n];

    if (c >= n_pieces) return;
#pragma unroll
    for (int l = 0; l < n; l++) b[l] = bias[c * n + l];
    for (size_t first = (size_t)blockIdx.x * blockDim.y + threadIdx.y; first < n_rows;
         first += in_flight * step) {
        piece of_y[in_flight];

        load_rows(of_y, y, first, step, n_rows, n_pieces, c);
#pragma unroll
        for (int i = 0; i < in_flight; i++) {
            const size_t row = first + i * step;
            lanes<T> v = unpack<T>(of_y[i]);

            if (row >= n_rows) break;
#pragma unroll
            for (int l = 0; l < n; l++) {
                const float sum = v.at[l] + b[l];

                v.at[l] = !relu || sum > 0 ? sum : 0;
            }
            y[row * n_pieces + c] = pack(v);
        }
    }
}

__global__ void __launch_bounds__(finish_width *finish_rows)
    finish_sums(const float *__restrict__ partials, unsigned n_blocks, unsigned n_lanes, float *out,
                bool accumulate)
{
    const unsigned lane = blockIdx.x * finish_width + threadIdx.x;
    const float sum = (float)finish_lane(partials, n_blocks, n_lanes, lane, lane < n_lanes);

    if (threadIdx.y > 0 || lane >= n_lanes) return;
    out[lane] = accumulate ? out[lane] + sum : sum;
}

} // namespace

cudaError_t c3d_cuda_finish_sums(cudaStream_t stream, const float *partials, unsigned n_blocks,
                                 int n_lanes, float *out, bool accumulate)
{
    const cudaLaunchConfig_t config = finish_of(stream, n_lanes, 1);

    return cudaLaunchKernelEx(&config, finish_sums, partials, n_blocks, (unsigned)n_lanes, out,
                              accumulate);
}

size_t c3d_cuda_channel_floats(size_t n_rows, int n_lanes)
{
    return sum_blocks_bound(n_rows) * (size_t)n_lanes;
}

cudaError_t c3d_cuda_relu_bias_backward(cudaStream_t stream, size_t n_rows, int n_lanes,
                                        c3d_cuda_type type, void *dy, const void *y,
                                        float *partials, float *bias_grad, bool accumulate)
{
    if (n_lanes == 0 || (!y && !bias_grad) || (n_rows == 0 && (!bias_grad || accumulate)))
        return cudaSuccess;
    return by_type(type, [&](auto element) {
        using T = decltype(element);
        const tiling t = tiling_of(n_lanes, lanes_of<T>);
        const unsigned n_blocks = sum_blocks_of(n_rows, t);
        const cudaLaunchConfig_t config = launch_of(stream, dim3(n_blocks, t.n_tiles, 1), t.block);
        cudaError_t status = cudaSuccess;

        if (n_blocks > 0) {
            auto *const kernel = !bias_grad ? relu_bias_backward<T, true, false>
                                 : y        ? relu_bias_backward<T, true, true>
                                            : relu_bias_backward<T, false, true>;

            status = cudaLaunchKernelEx(&config, kernel, n_rows, t.n_pieces, (piece *)dy,
                                        (const piece *)y, partials);
        }
        if (status != cudaSuccess || !bias_grad) return status;
        return c3d_cuda_finish_sums(stream, partials, n_blocks, n_lanes, bias_grad, accumulate);
    });
}

cudaError_t c3d_cuda_bias_relu(cudaStream_t stream, size_t n_rows, int n_lanes, c3d_cuda_type type,
                               void *y, const float *bias, bool relu)
{
    if (n_lanes == 0 || n_rows == 0) return cudaSuccess;
    return by_type(type, [&](auto element) {
        using T = decltype(element);
        const tiling t = tiling_of(n_lanes, lanes_of<T>);
        const cudaLaunchConfig_t config =
            launch_of(stream, dim3(sum_blocks_of(n_rows, t), t.n_tiles, 1), t.block);

        return cudaLaunchKernelEx(&config, bias_relu<T>, n_rows, t.n_pieces, (piece *)y, bias,
                                  relu);
    });
}
