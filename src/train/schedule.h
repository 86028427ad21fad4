/* The course of the learning rate. */
#ifndef C3D_TRAIN_SCHEDULE_H
#define C3D_TRAIN_SCHEDULE_H

#include "c3d/config.h"

/* The rate of step s = 0, 1, ... (s updates were done before it) of a run of T = n_steps steps;
 * with r = optimizer.learning_rate and W = optimizer.warmup_steps: s < W       r (s + 1) / W
 *   constant    r
 *   linear      r (T - s) / (T - W)
 *   cosine      r (1 + cos(pi (s - W) / (T - W))) / 2
 * which is PyTorch's LinearLR(1 / W, 1, W - 1) followed by LinearLR(1, 0, T - W) or
 * CosineAnnealingLR(T - W). Both end at 0, in step T, which is not run: no step is without effect.
 * A function of its arguments alone, so that a resumed run goes on with the same rates. */
double c3d_schedule_rate(const c3d_config *config, int64_t n_steps, int64_t step);
/* C3D_ECONFIG when the warm-up would not end before the run does. */
C3D_CHECKED c3d_status c3d_schedule_check(const c3d_config *config, int64_t n_steps);

#endif
