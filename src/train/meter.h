/* What a line of progress says of training. Local. */
#ifndef C3D_TRAIN_METER_H
#define C3D_TRAIN_METER_H

#include "train/records.h"

typedef struct c3d_meter {
    const c3d_run *run;    /* borrowed */
    double begun_s;        /* this process's first step, */
    int64_t first_step;    /* and its number less 1 */
    c3d_step_record since; /* sums over the steps since the last line; loss: times n */
    int64_t n_steps;       /* of these */
    c3d_step_record newest;
} c3d_meter;

void c3d_meter_begin(c3d_meter *meter, const c3d_run *run);
void c3d_meter_add(c3d_meter *meter, const c3d_step_record *row); /* a step that ended; rank 0 */
/* c3d_progress.look, context a c3d_meter: means over the steps since the last line. */
void c3d_meter_look(void *context, c3d_json *json, c3d_text *text);

#endif
