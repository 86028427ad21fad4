/* The optimiser's part of a run; all COLLECTIVE. */
#ifndef C3D_TRAIN_OPTIMIZER_H
#define C3D_TRAIN_OPTIMIZER_H

#include "c3d/train.h"

C3D_CHECKED c3d_status c3d_optimizer_open(c3d_run *run);
void c3d_optimizer_close(c3d_run *run);
/* Floats of a bucket (distributed.bucket_mb): what is summed, updated and sent at a time. */
size_t c3d_bucket_floats(const c3d_run *run);
/* run->optimizer.squares becomes the sum of squares of run->model.grad (enqueued). Local. */
C3D_CHECKED c3d_status c3d_optimizer_measure(c3d_run *run);
/* One update of all parameters from run->model.grad * grad_scale, clipped to optimizer.clip_norm,
 * on all ranks the same; none where run->optimizer.squares is not finite. Enqueued. */
C3D_CHECKED c3d_status c3d_optimizer_step(c3d_run *run, double rate, float grad_scale);

/* Loss scaling, for fp16 alone, whose small gradients would become 0: the loss is multiplied by a
 * power of two, which is halved when a gradient is not finite and doubled after 2000 steps without
 * (Micikevicius et al. 2018, with the numbers of PyTorch's GradScaler). Other precisions have 1. */
void c3d_loss_scale_begin(c3d_run *run);
/* What a step's gradients were. True: they overflowed at this scale, and the step is to be left
 * out. The same on all ranks. Local. */
bool c3d_loss_scale_see(c3d_run *run, bool is_finite);

#endif
