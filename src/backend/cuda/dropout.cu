#include "backend/cuda/lanes.cuh"

#include <limits.h>
#include <math.h>
#include <Random123/philox.h>

namespace
{

struct rule {
    uint64_t seed, stream, threshold; /* stream of block 0 */
    float kept;
};

/* Words 4 block to 4 block + 3 of a row's stream. */
__device__ inline philox4x32_ctr_t words_of(const rule &r, uint64_t row_key, uint64_t block)
{
    const uint64_t stream = r.stream | block;
    const philox4x32_key_t key = { { (uint32_t)r.seed, (uint32_t)(r.seed >> 32) } };
    const philox4x32_ctr_t counter = { { (uint32_t)row_key, (uint32_t)(row_key >> 32),
                                         (uint32_t)stream, (uint32_t)(stream >> 32) } };

    return philox4x32(counter, key);
}

__device__ inline float mask_of(const rule &r, uint32_t word)
{
    return word >= r.threshold ? r.kept : 0;
}

/* Masks of channels first.. at a place: elements channel * n_places + at of the row. Without places
 * four neighbours share a call of the generator. */
template <typename T>
__device__ inline lanes<T> masks_of(const rule &r, uint64_t row_key, unsigned first,
                                    unsigned n_places, unsigned at)
{
    lanes<T> out;

    if (n_places == 1) {
#pragma unroll
        for (int l = 0; l < lanes_of<T>; l += 4) {
            const philox4x32_ctr_t words = words_of(r, row_key, (first + l) / 4);

#pragma unroll
            for (int i = 0; i < 4; i++) out.at[l + i] = mask_of(r, words.v[i]);
        }
        return out;
    }
#pragma unroll
    for (int l = 0; l < lanes_of<T>; l++) {
        const uint64_t e = (uint64_t)(first + l) * n_places + at;
        const philox4x32_ctr_t words = words_of(r, row_key, e / 4);
        const uint32_t low = e & 1 ? words.v[1] : words.v[0];
        const uint32_t high = e & 1 ? words.v[3] : words.v[2];

        out.at[l] = mask_of(r, e & 2 ? high : low);
    }
    return out;
}

template <typename T>
__global__ void __launch_bounds__(block_threads)
    apply_dropout(const c3d_cuda_dropout a, const rule r, divider by_place, unsigned n_positions,
                  unsigned n_pieces, const piece *__restrict__ from, piece *__restrict__ to)
{
    const unsigned c = blockIdx.y * blockDim.x + threadIdx.x;
    const unsigned position = blockIdx.x * blockDim.y + threadIdx.y;
    const unsigned first = c * lanes_of<T>;

    if (c >= n_pieces || position >= n_positions) return;
    const size_t i = (size_t)position * n_pieces + c;
    unsigned row = position;
    const unsigned at = (unsigned)split(row, by_place);
    lanes<T> v = {};

    if ((int)row < a.n_samples) {
        const lanes<T> mask = masks_of<T>(r, a.row_keys[row], first, by_place.by, at);

        v = unpack<T>(from[i]);
#pragma unroll
        for (int l = 0; l < lanes_of<T>; l++)
            v.at[l] = first + l < (unsigned)a.shape.c ? v.at[l] * mask.at[l] : 0;
    }
    to[i] = pack(v);
}

} // namespace

cudaError_t c3d_cuda_dropout_apply(cudaStream_t stream, const c3d_cuda_dropout *a, const void *from,
                                   void *to)
{
    const size_t n_places = (size_t)a->shape.d * (size_t)a->shape.h * (size_t)a->shape.w;
    const size_t n_positions = (size_t)a->shape.n * n_places;
    const rule r = { a->seed, C3D_STREAM(C3D_PURPOSE_DROPOUT, (uint64_t)a->layer << 40),
                     (uint64_t)ceil(a->rate * 4294967296.0), (float)(1 / (1 - a->rate)) };

    if (n_positions == 0 || a->n_lanes == 0) return cudaSuccess;
    if (n_positions > INT_MAX) return cudaErrorInvalidValue;
    return by_type(a->type, [&](auto element) {
        using T = decltype(element);
        const tiling t = tiling_of(a->n_lanes, lanes_of<T>);
        const cudaLaunchConfig_t config =
            launch_of(stream, dim3(ceil_div(n_positions, t.block.y), t.n_tiles, 1), t.block);

        return cudaLaunchKernelEx(&config, apply_dropout<T>, *a, r, divider_of((unsigned)n_places),
                                  (unsigned)n_positions, t.n_pieces, (const piece *)from,
                                  (piece *)to);
    });
}
