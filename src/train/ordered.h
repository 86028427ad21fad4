/* Sums of gradients in one order on any number of ranks (distributed.reduction: ordered).
 *
 * The n micro-batches of a global batch are the leaves of a tree: T(1) is a micro-batch's gradient,
 *     T(n) = T of the first ceil(n / 2) + T of the other floor(n / 2)
 * and of 2^k ranks each has the leaves below one node at depth k (c3d_deal_block), or none. The
 * tree depends on n alone. Every addition is a node of it, done once or on two ranks alike (a + b
 * is b + a, bit for bit): at depth k and below on one rank, nearer to the root between ranks r and
 * r ^ 2^i, which have the two halves of a node. Nothing is added for leaves that a short step
 * lacks, not even 0, which would change -0. So the bits are the same for every k.
 *
 * A rank's leaves come in the order of the tree, so that it holds at most floor(log2 n_local) sums
 * besides the gradient being made, an arena each. */
#ifndef C3D_TRAIN_ORDERED_H
#define C3D_TRAIN_ORDERED_H

#include "c3d/train.h"
#include "train/cut.h"

bool c3d_is_ordered(const c3d_run *run);
/* C3D_ECONFIG, naming numbers that work, for a number of ranks that is no power of two. Local. */
C3D_CHECKED c3d_status c3d_ordered_check_ranks(const c3d_run *run);
/* Backend memory that open takes for an arena of n floats; 0 with another reduction. Local. */
uint64_t c3d_ordered_bytes(const c3d_run *run, size_t n);
/* Does nothing with another reduction, like all that follow but reduce. Local. */
C3D_CHECKED c3d_status c3d_ordered_open(c3d_run *run);
void c3d_ordered_close(c3d_run *run);

/* Nodes of the tree over n leaves of which `leaf` is the last one. */
int c3d_ordered_folds(int n, int leaf);
/* A step of n_micro micro-batches over all ranks begins. Local. */
void c3d_ordered_begin(c3d_run *run, int n_micro);
/* The gradient of this rank's micro-batch nth of n is in run->model.grad, which points to another
 * arena afterwards; not after the last, whose gradient goes to reduce. Enqueued. Local. */
C3D_CHECKED c3d_status c3d_ordered_keep(c3d_run *run, int nth, int n);
/* A piece of run->model.grad, of this rank's last micro-batch, becomes the sum over all of them on
 * all ranks. Enqueued. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_ordered_reduce(c3d_run *run, const c3d_piece *piece);

/* Rank 0, at the end of an epoch: logs what the order cost. On a device, where it is waited for to
 * be timed, of one step. */
void c3d_ordered_say(c3d_run *run);

#endif
