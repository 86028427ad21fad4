#include "c3d/base.h"

#include <math.h>
#include <Random123/philox.h>

void c3d_random_4x32(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4])
{
    const philox4x32_key_t key = { { (uint32_t)seed, (uint32_t)(seed >> 32) } };
    const philox4x32_ctr_t counter = { { (uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream,
                                         (uint32_t)(stream >> 32) } };
    const philox4x32_ctr_t r = philox4x32(counter, key);

    for (int i = 0; i < 4; i++) out[i] = r.v[i];
}

uint64_t c3d_random_u64(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t r[4];

    c3d_random_4x32(seed, stream, index, r);
    return (uint64_t)r[1] << 32 | r[0];
}

static double unit_of(uint32_t high, uint32_t low)
{
    return (double)(((uint64_t)high << 32 | low) >> 11) * 0x1p-53;
}

double c3d_random_unit(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t r[4];

    c3d_random_4x32(seed, stream, index, r);
    return unit_of(r[1], r[0]);
}

/* Box and Muller (1958). */
double c3d_random_normal(uint64_t seed, uint64_t stream, uint64_t index)
{
    uint32_t r[4];

    c3d_random_4x32(seed, stream, index, r);
    const double u = 1.0 - unit_of(r[1], r[0]); /* (0, 1] */
    const double angle = 6.283185307179586476925 * unit_of(r[3], r[2]);
    return sqrt(-2.0 * log(u)) * cos(angle);
}

/* Both coordinates of each point, of 32 bits a uniform number. */
void c3d_random_4_normals(uint64_t seed, uint64_t stream, uint64_t index, float out[4])
{
    uint32_t r[4];

    c3d_random_4x32(seed, stream, index, r);
    for (int i = 0; i < 4; i += 2) {
        const float u = ((float)r[i] + 0.5F) * 0x1p-32F; /* (0, 1] */
        const float angle = (float)(int32_t)r[i + 1] * (6.2831853F * 0x1p-32F);
        const float radius = sqrtf(-2 * logf(u));

        out[i] = radius * cosf(angle);
        out[i + 1] = radius * sinf(angle);
    }
}

/* The bias of one multiplication of 64 random bits is below n / 2^64. */
uint64_t c3d_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n)
{
    __extension__ typedef unsigned __int128 wide;

    return (uint64_t)((wide)c3d_random_u64(seed, stream, index) * n >> 64);
}

/* A balanced Feistel network over 2 * half_bits bits is a permutation of 0..2^(2 half_bits)-1;
 * walking its cycle until the value is below n restricts it to 0..n-1 (Black and Rogaway 2002).
 * Fewer than 4 steps on average. */
#define FEISTEL_ROUNDS 6

uint64_t c3d_random_permute(uint64_t seed, uint64_t stream, uint64_t n, uint64_t i)
{
    unsigned half_bits = 1;

    C3D_ASSERT(i < n);
    while (half_bits < 31 && (UINT64_C(1) << (2 * half_bits)) < n) half_bits++;
    const uint64_t mask = (UINT64_C(1) << half_bits) - 1;
    do {
        uint64_t left = i >> half_bits, right = i & mask;
        for (uint64_t round = 0; round < FEISTEL_ROUNDS; round++) {
            const uint64_t mixed = c3d_random_u64(seed, stream, round << 48 | right) & mask;
            const uint64_t swapped = left ^ mixed;
            left = right;
            right = swapped;
        }
        i = left << half_bits | right;
    } while (i >= n);
    return i;
}
