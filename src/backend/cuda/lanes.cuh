/* What the kernels share: 16 bytes of a tensor at a time, fast divisions, the shape of a launch
 * over rows and channels, and sums of a block. Private to src/backend/cuda. */
#ifndef C3D_CUDA_LANES_CUH
#define C3D_CUDA_LANES_CUH

#include "backend/cuda/kernels.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <string.h>

namespace
{

/* ---- a piece: 16 bytes, elements of neighbouring channels --------------------------------------
 */

typedef uint4 piece;
template <typename T> constexpr int lanes_of = (int)(sizeof(piece) / sizeof(T));

template <typename To, typename From> __host__ __device__ inline To bits_as(From from)
{
    To to;

    static_assert(sizeof to == sizeof from, "the bits of one are those of the other");
    memcpy((void *)&to, &from, sizeof to);
    return to;
}

struct words {
    unsigned at[4];
};

__device__ inline words words_of(piece p)
{
    return words{ { p.x, p.y, p.z, p.w } };
}
__device__ inline piece piece_of(words w)
{
    return piece{ w.at[0], w.at[1], w.at[2], w.at[3] };
}

template <typename T> struct lanes {
    float at[lanes_of<T>];
};

template <typename T> __device__ inline lanes<T> unpack(piece p);
template <> __device__ inline lanes<float> unpack<float>(piece p)
{
    return bits_as<lanes<float>>(p);
}
template <> __device__ inline lanes<__nv_bfloat16> unpack<__nv_bfloat16>(piece p)
{
    const words w = words_of(p);
    lanes<__nv_bfloat16> out;

#pragma unroll
    for (int i = 0; i < 4; i++) {
        out.at[2 * i] = bits_as<float>(w.at[i] << 16);
        out.at[2 * i + 1] = bits_as<float>(w.at[i] & 0xffff0000);
    }
    return out;
}
template <> __device__ inline lanes<__half> unpack<__half>(piece p)
{
    const words w = words_of(p);
    lanes<__half> out;

#pragma unroll
    for (int i = 0; i < 4; i++) {
        const float2 two = __half22float2(bits_as<__half2>(w.at[i]));

        out.at[2 * i] = two.x;
        out.at[2 * i + 1] = two.y;
    }
    return out;
}

/* To the nearest, ties to even. */
__device__ inline piece pack(const lanes<float> &v)
{
    return bits_as<piece>(v);
}
__device__ inline piece pack(const lanes<__nv_bfloat16> &v)
{
    words w;

#pragma unroll
    for (int i = 0; i < 4; i++)
        w.at[i] = bits_as<unsigned>(__floats2bfloat162_rn(v.at[2 * i], v.at[2 * i + 1]));
    return piece_of(w);
}
__device__ inline piece pack(const lanes<__half> &v)
{
    words w;

#pragma unroll
    for (int i = 0; i < 4; i++)
        w.at[i] = bits_as<unsigned>(__floats2half2_rn(v.at[2 * i], v.at[2 * i + 1]));
    return piece_of(w);
}

/* ---- division by a number that the host knows --------------------------------------------------
 */

/* Granlund and Montgomery 1994, for n below 2^31. */
struct divider {
    unsigned by, factor, shift;
};

inline divider divider_of(unsigned by)
{
    divider d = { by, 0, 0 };

    while ((1ull << d.shift) < by) d.shift++;
    d.factor = (unsigned)(((1ull << 32) * ((1ull << d.shift) - by)) / by + 1);
    return d;
}

__device__ inline unsigned quotient(unsigned n, divider d)
{
    return (__umulhi(n, d.factor) + n) >> d.shift;
}

/* n becomes the quotient, the remainder is returned. */
__device__ inline int split(unsigned &n, divider d)
{
    const unsigned q = quotient(n, d), rest = n - q * d.by;

    n = q;
    return (int)rest;
}

/* ---- launches ----------------------------------------------------------------------------------
 */

constexpr int block_threads = 256;

inline unsigned ceil_div(size_t n, size_t by)
{
    return (unsigned)((n + by - 1) / by);
}

inline cudaLaunchConfig_t launch_of(cudaStream_t stream, dim3 grid, dim3 block)
{
    cudaLaunchConfig_t config = {};

    config.gridDim = grid;
    config.blockDim = block;
    config.stream = stream;
    return config;
}

/* Threads x of a block take pieces of channels, threads y rows; blocks y take further pieces. */
struct tiling {
    unsigned n_pieces;
    dim3 block;
    unsigned n_tiles; /* blocks y */
};

inline tiling tiling_of(int n_lanes, int lanes)
{
    const unsigned n_pieces = (unsigned)(n_lanes / lanes), n_tiles = ceil_div(n_pieces, 64);
    const unsigned width = ceil_div(n_pieces, n_tiles);

    return tiling{ n_pieces, dim3(width, block_threads / width, 1), n_tiles };
}

/* Blocks x of a launch whose threads take row after row and leave one sum a block: each thread
 * enough rows to be worth it, more blocks than run at once, and a number that depends on the sizes
 * alone. */
constexpr unsigned sum_blocks = 4096;
inline unsigned sum_blocks_of(size_t n_rows, const tiling &t)
{
    const unsigned n = ceil_div(n_rows, 8 * (size_t)t.block.y);

    return n < sum_blocks ? n : sum_blocks;
}

/* At least that of every tiling. */
inline size_t sum_blocks_bound(size_t n_rows)
{
    const size_t n = (n_rows + 7) / 8;

    return n < sum_blocks ? n : sum_blocks;
}

/* The c-th pieces of rows first, first + step and so on, below n_rows. All loads are under way
 * before the first is looked at, which a loop that may end after each of them would not allow. */
template <int N>
__device__ inline void load_rows(piece (&to)[N], const piece *from, size_t first, size_t step,
                                 size_t n_rows, size_t n_pieces, unsigned c)
{
#pragma unroll
    for (int i = 0; i < N; i++)
        if (first + i * step < n_rows) to[i] = from[(first + i * step) * n_pieces + c];
}

/* f(T()) for the type's T. */
template <typename F> cudaError_t by_type(c3d_cuda_type type, F f)
{
    switch (type) {
    case C3D_CUDA_F32: return f(float());
    case C3D_CUDA_BF16: return f(__nv_bfloat16());
    case C3D_CUDA_F16: return f(__half());
    }
    return cudaErrorInvalidValue;
}

/* ---- sums --------------------------------------------------------------------------------------
 */

/* Sums over the rows of a block, of N elements a thread; the threads of row 0 hold them. All
 * threads of the block call it. */
template <int N, typename S> __device__ inline void sum_rows(S (&sums)[N], S *shared)
{
    const unsigned width = blockDim.x * blockDim.y, own = threadIdx.y * blockDim.x + threadIdx.x;

#pragma unroll
    for (int l = 0; l < N; l++) shared[(unsigned)l * width + own] = sums[l];
    for (unsigned rows = blockDim.y; rows > 1;) {
        const unsigned half = (rows + 1) / 2;

        __syncthreads();
        if (threadIdx.y + half < rows) {
#pragma unroll
            for (int l = 0; l < N; l++)
                shared[(unsigned)l * width + own] +=
                    shared[(unsigned)l * width + own + half * blockDim.x];
        }
        rows = half;
    }
#pragma unroll
    for (int l = 0; l < N; l++) sums[l] = shared[(unsigned)l * width + own];
}

/* The second half of a sum, over what the blocks of the first left. Few blocks run and wait for
 * memory, so that each thread has many loads under way; eight lanes are a sector of memory. */
constexpr int finish_width = 8, finish_rows = 32, finish_loads = 16;

inline cudaLaunchConfig_t finish_of(cudaStream_t stream, int n_lanes, unsigned n_kinds)
{
    return launch_of(stream, dim3(ceil_div((size_t)n_lanes, finish_width), n_kinds, 1),
                     dim3(finish_width, finish_rows, 1));
}

/* Of one lane, by the threads of its column; those of row 0 have it. */
template <typename S>
__device__ inline double finish_lane(const S *__restrict__ partials, unsigned n_blocks,
                                     size_t stride, unsigned lane, bool is_there)
{
    __shared__ double shared[finish_width * finish_rows];
    double sum[1] = { 0 };

    if (is_there) {
        for (unsigned first = threadIdx.y; first < n_blocks; first += finish_loads * finish_rows) {
            S values[finish_loads];

#pragma unroll
            for (unsigned i = 0; i < finish_loads; i++) {
                const unsigned b = first + i * finish_rows;

                values[i] = b < n_blocks ? partials[b * stride + lane] : S(0);
            }
#pragma unroll
            for (unsigned i = 0; i < finish_loads; i++) sum[0] += (double)values[i];
        }
    }
    sum_rows(sum, shared);
    return sum[0];
}

} // namespace

#endif
