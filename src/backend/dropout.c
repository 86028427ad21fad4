#include "c3d/backend.h"

#include <math.h>

void c3d_dropout_mask(uint64_t seed, int layer, double rate, uint64_t row_key, size_t n,
                      float *mask)
{
    const uint64_t threshold = (uint64_t)ceil(rate * 0x1p32);
    const float kept = (float)(1 / (1 - rate));
    const uint64_t first_block = (uint64_t)layer << 40;

    for (size_t e = 0; e < n; e += 4) {
        uint32_t word[4];

        c3d_random_4x32(seed, C3D_STREAM(C3D_PURPOSE_DROPOUT, first_block | e / 4), row_key, word);
        for (size_t i = 0; i < 4 && e + i < n; i++)
            mask[e + i] = word[i] >= threshold ? kept : 0.0F;
    }
}
