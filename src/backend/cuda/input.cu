#include "backend/cuda/lanes.cuh"

#include <limits.h>

namespace
{

/* A block takes a square of pixels: read along rows or, transposed, along columns, its lines fill
 * the 32 bytes that memory gives at once with 16 bits a value. */
constexpr int side = 16;

struct grid_shape {
    divider by_w, by_h, by_d; /* squares a row and a column, months */
};

/* Once to double where float would round another way than the host does. */
template <typename From> __device__ inline float value_of(From v)
{
    return sizeof v == 8 ? (float)(double)v : (float)v;
}

/* The order of operations, each rounded, is that of c3d_input. */
__device__ inline float normalised(const c3d_cuda_input &a, int n, int c, float value)
{
    const int n_stacked = a.n_stacked > 0 ? a.n_stacked : 1, band = c / n_stacked;
    const float x = __fmul_rn(__fsub_rn(value, a.mean[band]), a.scale[band]);
    const size_t i = (size_t)n * (a.shape.c / n_stacked) + band;

    if (!a.gain) return __fadd_rn(x, 0);
    return __fadd_rn(__fmul_rn(x, a.gain[i]), a.offset[i]);
}

/* Which pixel is shown at (y, x). */
__device__ inline int source_of(const c3d_cuda_input &a, int n, int y, int x)
{
    const int symmetry = a.symmetry ? a.symmetry[n] : 0;
    const int row = symmetry & 4 ? x : y, column = symmetry & 4 ? y : x;

    return (symmetry & 2 ? a.shape.h - 1 - row : row) * a.shape.w +
           (symmetry & 1 ? a.shape.w - 1 - column : column);
}

/* The plane of values that channel c of x shows; months that are stacked may change places. */
__device__ inline size_t plane_of(const c3d_cuda_input &a, int n, int c)
{
    if (a.n_stacked == 0 || !a.month_from) return (size_t)c;
    const int month = c % a.n_stacked;

    return (size_t)(c - month + a.month_from[(size_t)n * a.n_stacked + month]);
}

/* Channels first.. of a pixel; from: of channel 0, channels are step apart. */
template <typename From, typename T>
__device__ inline piece pixel_piece(const c3d_cuda_input &a, int n, int first,
                                    const From *__restrict__ from, size_t step)
{
    constexpr int count = lanes_of<T>;
    From values[count];
    lanes<T> out;

#pragma unroll
    for (int l = 0; l < count; l++)
        values[l] = first + l < a.shape.c ? from[plane_of(a, n, first + l) * step] : From(0);
#pragma unroll
    for (int l = 0; l < count; l++)
        out.at[l] = first + l < a.shape.c ? normalised(a, n, first + l, value_of(values[l])) : 0;
    return pack(out);
}

template <typename From, typename T>
__global__ void __launch_bounds__(side *side)
    load_input(const c3d_cuda_input a, const grid_shape g, piece *__restrict__ to)
{
    const c3d_shape s = a.shape;
    const size_t n_image = (size_t)s.h * s.w;
    const int n_pieces = a.n_lanes / lanes_of<T>;
    unsigned rest = blockIdx.x;
    const int x = split(rest, g.by_w) * side + (int)threadIdx.x;
    const int y = split(rest, g.by_h) * side + (int)threadIdx.y;
    const int month = split(rest, g.by_d), n = (int)rest;

    if (x >= s.w || y >= s.h) return;
    to += (((size_t)n * s.d + month) * n_image + (size_t)y * s.w + x) * n_pieces;
    if (n >= a.n_samples) {
        for (int p = 0; p < n_pieces; p++) to[p] = piece{};
        return;
    }
    const bool is_moved = a.month_from && a.n_stacked == 0;
    const int shown = is_moved ? a.month_from[(size_t)n * s.d + month] : month;
    const From *const from =
        (const From *)a.values + ((size_t)n * s.c * s.d + shown) * n_image + source_of(a, n, y, x);

    for (int p = 0; p < n_pieces; p++)
        to[p] = pixel_piece<From, T>(a, n, p * lanes_of<T>, from, s.d * n_image);
}

template <typename From> cudaError_t load(cudaStream_t stream, const c3d_cuda_input *a)
{
    const unsigned n_w = ceil_div((size_t)a->shape.w, side),
                   n_h = ceil_div((size_t)a->shape.h, side);
    const size_t n_blocks = (size_t)n_w * n_h * (size_t)a->shape.d * (size_t)a->shape.n;
    const grid_shape g = { divider_of(n_w), divider_of(n_h), divider_of((unsigned)a->shape.d) };

    if (n_blocks == 0) return cudaSuccess;
    if (n_blocks > INT_MAX) return cudaErrorInvalidValue;
    return by_type(a->type, [&](auto element) {
        using T = decltype(element);
        const cudaLaunchConfig_t config =
            launch_of(stream, dim3((unsigned)n_blocks, 1, 1), dim3(side, side, 1));

        return cudaLaunchKernelEx(&config, load_input<From, T>, *a, g, (piece *)a->x);
    });
}

} // namespace

cudaError_t c3d_cuda_input_load(cudaStream_t stream, const c3d_cuda_input *a)
{
    switch (a->dtype) {
    case C3D_F32: return load<float>(stream, a);
    case C3D_F64: return load<double>(stream, a);
    case C3D_U8: return load<uint8_t>(stream, a);
    case C3D_I16: return load<int16_t>(stream, a);
    case C3D_U16: return load<uint16_t>(stream, a);
    case C3D_I32: return load<int32_t>(stream, a);
    case C3D_U32: return load<uint32_t>(stream, a);
    case C3D_I64: return load<int64_t>(stream, a);
    case C3D_U64: return load<uint64_t>(stream, a);
    case C3D_DTYPES: break;
    }
    return cudaErrorInvalidValue;
}
