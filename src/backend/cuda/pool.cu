#include "backend/cuda/channels.cuh"
#include "backend/cuda/lanes.cuh"

#include <float.h>
#include <limits.h>

namespace
{

/* Positions that threads take: n, and d, h, w below the extents. */
struct geometry {
    int x[3], y[3], kernel[3], stride[3], before[3];
    unsigned n_positions, n_pieces;
    divider by_d, by_h, by_w;
    bool x_is_relu;
};

struct place {
    int n, at[3];
};

__device__ inline place place_of(const geometry &g, unsigned position)
{
    place p;

    p.at[2] = split(position, g.by_w);
    p.at[1] = split(position, g.by_h);
    p.at[0] = split(position, g.by_d);
    p.n = (int)position;
    return p;
}

/* The number of a position in a tensor of these extents; it may lie in the padding. */
__device__ inline long long index_of(int n, int d, int h, int w, const int extents[3])
{
    return (((long long)n * extents[0] + d) * extents[1] + h) * extents[2] + w;
}

__device__ inline bool is_inside(int i, int extent)
{
    return (unsigned)i < (unsigned)extent;
}

/* The numbers of the elements that won, a byte each. */
template <int N> struct alignas(N) winners {
    unsigned at[N / 4];
};

template <typename T> struct best {
    lanes<T> value;
    int number[lanes_of<T>];
};

template <typename T> __device__ inline void begin(best<T> &b)
{
#pragma unroll
    for (int l = 0; l < lanes_of<T>; l++) {
        b.value.at[l] = -FLT_MAX;
        b.number[l] = C3D_CUDA_NO_WINNER;
    }
}

template <typename T> __device__ inline void challenge(best<T> &b, piece p, int number)
{
    const lanes<T> v = unpack<T>(p);

#pragma unroll
    for (int l = 0; l < lanes_of<T>; l++)
        if (v.at[l] > b.value.at[l]) {
            b.value.at[l] = v.at[l];
            b.number[l] = number;
        }
}

template <typename T>
__device__ inline winners<lanes_of<T>> winners_of(const best<T> &b, bool x_is_relu)
{
    winners<lanes_of<T>> out = {};

#pragma unroll
    for (int l = 0; l < lanes_of<T>; l++) {
        const bool counts = !x_is_relu || b.value.at[l] > 0;
        const unsigned number = counts ? (unsigned)b.number[l] : C3D_CUDA_NO_WINNER;

        out.at[l / 4] |= number << l % 4 * 8;
    }
    return out;
}

/* A window of a size that is known: all its loads are under way before the first is looked at.
 * Padding is a NaN of every type, which never wins. */
template <typename T, int KD, int KH, int KW>
__device__ inline void fixed_window(best<T> &b, const geometry &g, const piece *__restrict__ x,
                                    unsigned c, const place &o)
{
    const int d = o.at[0] * g.stride[0] - g.before[0], h = o.at[1] * g.stride[1] - g.before[1],
              w = o.at[2] * g.stride[2] - g.before[2];
    const long long corner = index_of(o.n, d, h, w, g.x);
    piece values[KD * KH * KW];

#pragma unroll
    for (int k = 0; k < KD * KH * KW; k++) {
        const int kd = k / (KH * KW), kh = k / KW % KH, kw = k % KW;
        const long long i = corner + ((long long)kd * g.x[1] + kh) * g.x[2] + kw;

        values[k] = piece{ ~0u, ~0u, ~0u, ~0u };
        if (is_inside(d + kd, g.x[0]) && is_inside(h + kh, g.x[1]) && is_inside(w + kw, g.x[2]))
            values[k] = x[i * g.n_pieces + c];
    }
#pragma unroll
    for (int k = 0; k < KD * KH * KW; k++) challenge(b, values[k], k);
}

template <typename T>
__device__ inline void any_window(best<T> &b, const geometry &g, const piece *__restrict__ x,
                                  unsigned c, const place &o)
{
    const int d0 = o.at[0] * g.stride[0] - g.before[0], h0 = o.at[1] * g.stride[1] - g.before[1],
              w0 = o.at[2] * g.stride[2] - g.before[2];
    int k = 0;

    for (int d = d0; d < d0 + g.kernel[0]; d++)
        for (int h = h0; h < h0 + g.kernel[1]; h++)
            for (int w = w0; w < w0 + g.kernel[2]; w++, k++) {
                if (is_inside(d, g.x[0]) && is_inside(h, g.x[1]) && is_inside(w, g.x[2]))
                    challenge(b, x[index_of(o.n, d, h, w, g.x) * g.n_pieces + c], k);
            }
}

/* KD 0: any window. */
template <typename T, int KD, int KH, int KW>
__global__ void __launch_bounds__(block_threads)
    pool_forward(const geometry g, const piece *__restrict__ x, piece *__restrict__ y,
                 winners<lanes_of<T>> *__restrict__ winner)
{
    const unsigned c = blockIdx.y * blockDim.x + threadIdx.x;
    const unsigned position = blockIdx.x * blockDim.y + threadIdx.y;
    best<T> b;

    if (c >= g.n_pieces || position >= g.n_positions) return;
    const size_t to = (size_t)position * g.n_pieces + c;
    begin(b);
    if constexpr (KD > 0)
        fixed_window<T, KD, KH, KW>(b, g, x, c, place_of(g, position));
    else
        any_window<T>(b, g, x, c, place_of(g, position));
    y[to] = pack(b.value);
    if (winner) winner[to] = winners_of<T>(b, g.x_is_relu);
}

/* ---- backward of windows that do not overlap and leave nothing out: each thread writes whole
 * windows, those too that the output has no room for and those in part beyond the edge ---- */

/* Bits of the lanes, each where it lies in its word. */
template <typename T> __device__ inline unsigned lane_bits(const words &w, int l)
{
    if (sizeof(T) == 4) return w.at[l];
    return w.at[l / 2] & (l % 2 == 0 ? 0xffffu : 0xffff0000u);
}

template <int N> __device__ inline unsigned number_of(const winners<N> &w, int l)
{
    return w.at[l / 4] >> l % 4 * 8 & 0xff;
}

template <typename T>
__device__ inline piece share_of(const words &dy, const winners<lanes_of<T>> &won, unsigned number)
{
    constexpr int per_word = lanes_of<T> / 4;
    words out = {};

#pragma unroll
    for (int l = 0; l < lanes_of<T>; l++)
        if (number_of(won, l) == number) out.at[l / per_word] |= lane_bits<T>(dy, l);
    return piece_of(out);
}

template <typename T, int KD, int KH, int KW>
__device__ inline void spread(const geometry &g, const words &dy, const winners<lanes_of<T>> &won,
                              unsigned c, const place &o, piece *__restrict__ dx)
{
    const int kernel[3] = { KD ? KD : g.kernel[0], KD ? KH : g.kernel[1], KD ? KW : g.kernel[2] };
    const int d0 = o.at[0] * kernel[0] - g.before[0], h0 = o.at[1] * kernel[1] - g.before[1],
              w0 = o.at[2] * kernel[2] - g.before[2];
    const long long corner = index_of(o.n, d0, h0, w0, g.x);
    unsigned number = 0;

#pragma unroll
    for (int kd = 0; kd < kernel[0]; kd++)
#pragma unroll
        for (int kh = 0; kh < kernel[1]; kh++)
#pragma unroll
            for (int kw = 0; kw < kernel[2]; kw++, number++) {
                const long long i = corner + ((long long)kd * g.x[1] + kh) * g.x[2] + kw;

                if (is_inside(d0 + kd, g.x[0]) && is_inside(h0 + kh, g.x[1]) &&
                    is_inside(w0 + kw, g.x[2]))
                    dx[i * g.n_pieces + c] = share_of<T>(dy, won, number);
            }
}

template <typename T, int KD, int KH, int KW, bool with_sum>
__global__ void __launch_bounds__(block_threads)
    pool_backward(const geometry g, const piece *__restrict__ dy,
                  const winners<lanes_of<T>> *__restrict__ winner, piece *__restrict__ dx,
                  float *partials)
{
    constexpr int n = lanes_of<T>;
    const unsigned c = blockIdx.y * blockDim.x + threadIdx.x;
    const unsigned step = gridDim.x * blockDim.y;
    float sums[n] = {};

    if (c < g.n_pieces) {
        for (unsigned position = blockIdx.x * blockDim.y + threadIdx.y; position < g.n_positions;
             position += step) {
            const place o = place_of(g, position);
            piece p = {};
            winners<n> won;

#pragma unroll
            for (int i = 0; i < n / 4; i++) won.at[i] = ~0u;
            if (o.at[0] < g.y[0] && o.at[1] < g.y[1] && o.at[2] < g.y[2]) {
                const size_t from =
                    (size_t)index_of(o.n, o.at[0], o.at[1], o.at[2], g.y) * g.n_pieces + c;

                p = dy[from];
                won = winner[from];
            }
            spread<T, KD, KH, KW>(g, words_of(p), won, c, o, dx);
            if (with_sum) {
                const lanes<T> v = unpack<T>(p);

#pragma unroll
                for (int l = 0; l < n; l++)
                    sums[l] += number_of(won, l) != C3D_CUDA_NO_WINNER ? v.at[l] : 0;
            }
        }
    }
    if (!with_sum) return;
    __shared__ float shared[n * block_threads];
    sum_rows(sums, shared);
    if (threadIdx.y > 0 || c >= g.n_pieces) return;
    float *const to = partials + ((size_t)blockIdx.x * g.n_pieces + c) * n;
#pragma unroll
    for (int l = 0; l < n; l++) to[l] = sums[l];
}

/* ---- backward of any windows: each thread gathers for one element of x ---- */

/* Outputs first..last whose windows contain i. */
struct span {
    int first, last;
};

__device__ inline span span_of(const geometry &g, int axis, int i)
{
    const int shifted = i + g.before[axis], beyond = shifted - g.kernel[axis];
    const int last = shifted / g.stride[axis];

    return span{ beyond < 0 ? 0 : beyond / g.stride[axis] + 1,
                 last < g.y[axis] ? last : g.y[axis] - 1 };
}

template <typename T>
__device__ inline void gather(lanes<T> &sum, piece p, const winners<lanes_of<T>> &won,
                              unsigned number)
{
    const lanes<T> v = unpack<T>(p);

#pragma unroll
    for (int l = 0; l < lanes_of<T>; l++)
        if (number_of(won, l) == number) sum.at[l] += v.at[l];
}

template <typename T>
__global__ void __launch_bounds__(block_threads)
    pool_backward_any(const geometry g, const piece *__restrict__ dy,
                      const winners<lanes_of<T>> *__restrict__ winner, piece *__restrict__ dx)
{
    const unsigned c = blockIdx.y * blockDim.x + threadIdx.x;
    const unsigned position = blockIdx.x * blockDim.y + threadIdx.y;
    lanes<T> sum = {};

    if (c >= g.n_pieces || position >= g.n_positions) return;
    const place i = place_of(g, position);
    const span d = span_of(g, 0, i.at[0]), h = span_of(g, 1, i.at[1]), w = span_of(g, 2, i.at[2]);
    for (int od = d.first; od <= d.last; od++)
        for (int oh = h.first; oh <= h.last; oh++)
            for (int ow = w.first; ow <= w.last; ow++) {
                const size_t from = (size_t)index_of(i.n, od, oh, ow, g.y) * g.n_pieces + c;
                const int kd = i.at[0] + g.before[0] - od * g.stride[0],
                          kh = i.at[1] + g.before[1] - oh * g.stride[1],
                          kw = i.at[2] + g.before[2] - ow * g.stride[2];

                gather<T>(sum, dy[from], winner[from],
                          (unsigned)((kd * g.kernel[1] + kh) * g.kernel[2] + kw));
            }
    dx[(size_t)position * g.n_pieces + c] = pack(sum);
}

/* ---- launchers ---- */

/* Over n and these extents; n_positions 0: too many. */
geometry geometry_of(const c3d_cuda_pool *a, const int extents[3])
{
    const size_t count =
        (size_t)a->n * (size_t)extents[0] * (size_t)extents[1] * (size_t)extents[2];
    geometry g = {};

    for (int i = 0; i < 3; i++) {
        g.x[i] = a->x[i];
        g.y[i] = a->y[i];
        g.kernel[i] = a->kernel[i];
        g.stride[i] = a->stride[i];
        g.before[i] = a->before[i];
    }
    g.n_positions = count <= INT_MAX ? (unsigned)count : 0;
    g.by_d = divider_of((unsigned)extents[0]);
    g.by_h = divider_of((unsigned)extents[1]);
    g.by_w = divider_of((unsigned)extents[2]);
    g.x_is_relu = a->x_is_relu;
    return g;
}

bool is_empty(const c3d_cuda_pool *a)
{
    bool empty = a->n <= 0 || a->n_lanes <= 0;

    for (int i = 0; i < 3; i++) empty = empty || a->x[i] <= 0 || a->y[i] <= 0;
    return empty;
}

bool has_kernel(const c3d_cuda_pool *a, int d, int h, int w)
{
    return a->kernel[0] == d && a->kernel[1] == h && a->kernel[2] == w;
}

bool is_valid(const c3d_cuda_pool *a)
{
    return (long long)a->kernel[0] * a->kernel[1] * a->kernel[2] <= C3D_CUDA_POOL_MAX_WINDOW;
}

bool tiles_x(const c3d_cuda_pool *a)
{
    return a->kernel[0] == a->stride[0] && a->kernel[1] == a->stride[1] &&
           a->kernel[2] == a->stride[2];
}

/* Extents in windows that cover all of x, where windows tile it. */
struct extents {
    int at[3];
};

extents windows_of(const c3d_cuda_pool *a)
{
    extents e;

    for (int i = 0; i < 3; i++) e.at[i] = (a->x[i] - 1 + a->before[i]) / a->kernel[i] + 1;
    return e;
}

template <typename T>
cudaError_t backward_tiles(cudaStream_t stream, const c3d_cuda_pool *a,
                           const c3d_cuda_pool_grads *v)
{
    const tiling t = tiling_of(a->n_lanes, lanes_of<T>);
    geometry g = geometry_of(a, windows_of(a).at);
    const unsigned n_blocks =
        v->bias_grad ? sum_blocks_of(g.n_positions, t) : ceil_div(g.n_positions, t.block.y);
    const cudaLaunchConfig_t config = launch_of(stream, dim3(n_blocks, t.n_tiles, 1), t.block);
    auto *kernel =
        v->bias_grad ? pool_backward<T, 0, 0, 0, true> : pool_backward<T, 0, 0, 0, false>;

    if (g.n_positions == 0) return cudaErrorInvalidValue;
    g.n_pieces = t.n_pieces;
    if (has_kernel(a, 1, 2, 2))
        kernel = v->bias_grad ? pool_backward<T, 1, 2, 2, true> : pool_backward<T, 1, 2, 2, false>;
    else if (has_kernel(a, 2, 2, 2))
        kernel = v->bias_grad ? pool_backward<T, 2, 2, 2, true> : pool_backward<T, 2, 2, 2, false>;
    const cudaError_t status =
        cudaLaunchKernelEx(&config, kernel, g, (const piece *)v->dy,
                           (const winners<lanes_of<T>> *)v->winner, (piece *)v->dx, v->partials);
    if (status != cudaSuccess || !v->bias_grad) return status;
    return c3d_cuda_finish_sums(stream, v->partials, n_blocks, a->n_lanes, v->bias_grad,
                                v->accumulate);
}

template <typename T>
cudaError_t backward_any(cudaStream_t stream, const c3d_cuda_pool *a, const c3d_cuda_pool_grads *v)
{
    const tiling t = tiling_of(a->n_lanes, lanes_of<T>);
    geometry g = geometry_of(a, a->x);
    const cudaLaunchConfig_t config =
        launch_of(stream, dim3(ceil_div(g.n_positions, t.block.y), t.n_tiles, 1), t.block);

    if (g.n_positions == 0) return cudaErrorInvalidValue;
    g.n_pieces = t.n_pieces;
    const cudaError_t status =
        cudaLaunchKernelEx(&config, pool_backward_any<T>, g, (const piece *)v->dy,
                           (const winners<lanes_of<T>> *)v->winner, (piece *)v->dx);
    if (status != cudaSuccess || !v->bias_grad) return status;
    return c3d_cuda_relu_bias_backward(stream, g.n_positions, a->n_lanes, a->type, v->dx, NULL,
                                       v->partials, v->bias_grad, v->accumulate);
}

} // namespace

cudaError_t c3d_cuda_pool_forward(cudaStream_t stream, const c3d_cuda_pool *a, const void *x,
                                  void *y, uint8_t *winner)
{
    if (is_empty(a)) return cudaSuccess;
    if (!is_valid(a)) return cudaErrorInvalidValue;
    return by_type(a->type, [&](auto element) {
        using T = decltype(element);
        const tiling t = tiling_of(a->n_lanes, lanes_of<T>);
        geometry g = geometry_of(a, a->y);
        const cudaLaunchConfig_t config =
            launch_of(stream, dim3(ceil_div(g.n_positions, t.block.y), t.n_tiles, 1), t.block);
        auto *const kernel = has_kernel(a, 1, 2, 2)   ? pool_forward<T, 1, 2, 2>
                             : has_kernel(a, 2, 2, 2) ? pool_forward<T, 2, 2, 2>
                                                      : pool_forward<T, 0, 0, 0>;

        if (g.n_positions == 0) return cudaErrorInvalidValue;
        g.n_pieces = t.n_pieces;
        return cudaLaunchKernelEx(&config, kernel, g, (const piece *)x, (piece *)y,
                                  (winners<lanes_of<T>> *)winner);
    });
}

size_t c3d_cuda_pool_floats(const c3d_cuda_pool *a)
{
    size_t n_rows = (size_t)a->n; /* elements of x are never fewer than windows over it */

    for (int i = 0; i < 3; i++) n_rows *= (size_t)(a->x[i] + a->before[i]);
    return c3d_cuda_channel_floats(n_rows, a->n_lanes);
}

cudaError_t c3d_cuda_pool_backward(cudaStream_t stream, const c3d_cuda_pool *a,
                                   const c3d_cuda_pool_grads *v)
{
    if (is_empty(a)) return cudaSuccess;
    if (!is_valid(a)) return cudaErrorInvalidValue;
    return by_type(a->type, [&](auto element) {
        using T = decltype(element);

        return tiles_x(a) ? backward_tiles<T>(stream, a, v) : backward_any<T>(stream, a, v);
    });
}
