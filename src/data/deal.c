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

int c3d_deal_place(int n, int n_groups, int place)
{
    const int n_each = n / n_groups, n_larger = n % n_groups;
    const int in_larger = n_larger * (n_each + 1);

    if (place < in_larger) return place / (n_each + 1) + place % (n_each + 1) * n_groups;
    place -= in_larger;
    return n_larger + place / n_each + place % n_each * n_groups;
}
