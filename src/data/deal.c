#include "c3d/data.h"

c3d_block c3d_deal_block(int n, int rank, int n_ranks)
{
    c3d_block block = { .n = n };

    for (int bit = n_ranks / 2; bit > 0; bit /= 2) {
        const int first = (block.n + 1) / 2;
        if (rank & bit) block.begin += first;
        block.n = rank & bit ? block.n - first : first;
    }
    return block;
}
