/* The optimiser's part of a run: Adam, and where its moments are (optimizer.state).
 *
 *   rank0       rank 0 has them all, updates piece after piece and broadcasts it
 *   replicated  every rank has them all and updates everything; nothing is sent
 *   sharded     a rank has those of its shares (train/cut.h): gradients are summed by
 *               reduce_scatter, a rank updates its shares, all_gather brings the others'
 *
 * No parameter changes before the norm of the whole gradient is known; from then on a piece travels
 * while the next one is updated.
 *
 * All three give the same parameters, bit for bit: over MPI shares are summed as whole buffers are;
 * over NCCL with run.deterministic whole buffers are summed as shares are, and gathered. */
#ifndef C3D_TRAIN_OPTIMIZER_H
#define C3D_TRAIN_OPTIMIZER_H

#include "c3d/train.h"
#include "train/cut.h"

C3D_CHECKED c3d_status c3d_optimizer_open(c3d_run *run); /* local */
void c3d_optimizer_close(c3d_run *run);
/* The cut of an arena of n floats by distributed.bucket_mb: a piece is what is summed, updated and
 * sent at a time. Local. */
c3d_cut c3d_optimizer_cut(const c3d_run *run, size_t n);
/* Floats of m, or of v, that this rank keeps of an arena of n floats. Local. */
size_t c3d_optimizer_moments(const c3d_run *run, size_t n);
/* Sums a piece of run->model.grad over ranks, what this rank needs of it; the rest of it is left
 * undefined. Enqueued. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_optimizer_reduce(c3d_run *run, const c3d_piece *piece);
/* run->optimizer.squares becomes the sum of squares of the summed gradient, the same bits on all
 * ranks (enqueued). COLLECTIVE. */
C3D_CHECKED c3d_status c3d_optimizer_measure(c3d_run *run);
/* The same of this rank's run->model.grad as it is. Local. */
C3D_CHECKED c3d_status c3d_optimizer_measure_rank(c3d_run *run);
/* One update of all parameters from the summed gradient times grad_scale, clipped to
 * optimizer.clip_norm, on all ranks the same; none where run->optimizer.squares is not finite.
 * Enqueued. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_optimizer_step(c3d_run *run, double rate, float grad_scale);

typedef enum c3d_moment { C3D_MOMENT_M, C3D_MOMENT_V } c3d_moment;
/* Between steps, for checkpoints: where a whole moment is on rank 0 after gather and before spread,
 * an arena like model.param. Where each rank has a part it is the arena of the gradients, which the
 * next step fills anew, so that no more memory is needed. Local. */
float *c3d_optimizer_whole(const c3d_run *run, c3d_moment moment);
C3D_CHECKED c3d_status c3d_optimizer_gather(c3d_run *run, c3d_moment moment); /* COLLECTIVE */
C3D_CHECKED c3d_status c3d_optimizer_spread(c3d_run *run, c3d_moment moment); /* COLLECTIVE */

/* Loss scaling, for fp16 alone, whose small gradients would become 0: the loss is multiplied by a
 * power of two, which is halved when a gradient is not finite and doubled after 2000 steps without
 * (Micikevicius et al. 2018, with the numbers of PyTorch's GradScaler). Other precisions have 1. */
void c3d_loss_scale_begin(c3d_run *run);
/* What a step's gradients were. True: they overflowed at this scale, and the step is to be left
 * out. The same on all ranks. Local. */
bool c3d_loss_scale_see(c3d_run *run, bool is_finite);

#endif
