/* How the arenas are cut for what ranks exchange.
 *
 * An arena of n floats is buckets of one size and then the rest. Each bucket (the last one may be
 * smaller) is a share of each rank, one after the other, all of the same whole number of
 * C3D_CUT_FLOATS: so one can travel as soon as its gradients are there, whichever rank will update
 * what. The rest, fewer than C3D_CUT_FLOATS a rank, has no shares and is updated by all who keep
 * moments; nothing is padded. */
#ifndef C3D_TRAIN_CUT_H
#define C3D_TRAIN_CUT_H

#include "c3d/base.h"

#define C3D_CUT_FLOATS 16

typedef struct c3d_cut {
    size_t n, n_ranks;
    size_t bucket;    /* floats */
    size_t n_shared;  /* floats in buckets */
    size_t n_buckets; /* 0 for an arena without shares */
    size_t n_pieces;  /* buckets, and the rest if there is one */
} c3d_cut;

/* Buckets of about `bucket` floats. */
c3d_cut c3d_cut_make(size_t n, size_t bucket, int n_ranks);
/* Floats that a rank keeps which has its shares and the rest. */
size_t c3d_cut_kept(const c3d_cut *cut);

typedef struct c3d_piece {
    size_t begin, n; /* in the arena */
    size_t n_share;  /* n / n_ranks, or 0 for the rest */
} c3d_piece;
c3d_piece c3d_cut_piece(const c3d_cut *cut, size_t i);

typedef struct c3d_range {
    size_t begin, n; /* in the arena */
    size_t kept;     /* where it lies among what the rank keeps */
} c3d_range;
/* A rank's share of piece i, or the rest. */
c3d_range c3d_cut_share(const c3d_cut *cut, size_t i, int rank);

#endif
