/* What a run has cost: DIR/cost.json, and the same in its checkpoints, from which a resumed run
 * goes on counting. Steps that a kill took back are not in it, nor is what lies between steps:
 * opening, validation, saving. */
#ifndef C3D_TRAIN_COST_H
#define C3D_TRAIN_COST_H

#include "c3d/train.h"

/* GPUs, or without any the hosts. Local. */
int c3d_cost_devices(const c3d_run *run);
/* A step of n samples that took so long. Local. */
void c3d_cost_add(c3d_run *run, double n_samples, double seconds);
/* The run's cost as a checkpoint keeps it (given), and back: counting begins with the run's step
 * where there is none. C3D_EDATA when it is something else. */
c3d_json *c3d_cost_state(const c3d_run *run);
C3D_CHECKED c3d_status c3d_cost_from_state(const c3d_json *state, c3d_run *run);
/* The text of cost.json; rank 0. */
void c3d_cost_print(c3d_run *run, c3d_text *out);
C3D_CHECKED c3d_status c3d_cost_write(const char *dir, const c3d_text *text);

#endif
