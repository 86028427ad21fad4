#include "train/cut.h"

c3d_cut c3d_cut_make(size_t n, size_t bucket, int n_ranks)
{
    const size_t unit = C3D_CUT_FLOATS * (size_t)n_ranks;
    c3d_cut cut = { .n = n,
                    .n_ranks = (size_t)n_ranks,
                    .bucket = (bucket + unit - 1) / unit * unit,
                    .n_shared = n / unit * unit };

    if (cut.bucket == 0) cut.bucket = unit;
    cut.n_buckets = (cut.n_shared + cut.bucket - 1) / cut.bucket;
    cut.n_pieces = cut.n_buckets + (cut.n > cut.n_shared);
    return cut;
}

size_t c3d_cut_kept(const c3d_cut *cut)
{
    return cut->n_shared / cut->n_ranks + (cut->n - cut->n_shared);
}

c3d_piece c3d_cut_piece(const c3d_cut *cut, size_t i)
{
    if (i == cut->n_buckets) return (c3d_piece){ cut->n_shared, cut->n - cut->n_shared, 0 };
    const size_t begin = i * cut->bucket, left = cut->n_shared - begin;
    const size_t n = left < cut->bucket ? left : cut->bucket;

    return (c3d_piece){ begin, n, n / cut->n_ranks };
}

c3d_range c3d_cut_share(const c3d_cut *cut, size_t i, int rank)
{
    const c3d_piece piece = c3d_cut_piece(cut, i);
    const size_t kept = piece.begin / cut->n_ranks;

    if (piece.n_share == 0) return (c3d_range){ piece.begin, piece.n, kept };
    return (c3d_range){ piece.begin + (size_t)rank * piece.n_share, piece.n_share, kept };
}
