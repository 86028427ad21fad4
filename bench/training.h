/* A planned network with an input that lies ready and an Adam of its own: what bench_cpu_step and
 * bench_gpu time. Calls are enqueued where the backend allows. */
#ifndef C3D_BENCH_TRAINING_H
#define C3D_BENCH_TRAINING_H

#include "c3d/nn.h"

#define BENCH_SLOTS 2 /* steps whose host memory the device may still read */

typedef struct bench_training {
    c3d_backend backend;
    c3d_model model;
    float *m, *v;
    double *squares;
    int n; /* samples a step */
    uint64_t *row_keys[BENCH_SLOTS];
    int32_t *labels;
    float *losses;
    int64_t t; /* steps begun */
} bench_training;

/* False when the words are none: NETWORK NxCxDxHxW WIDTH PRECISION. */
bool bench_training_parse(char **words, c3d_model_desc *desc, c3d_backend_options *options);
/* fc is 64 times the width, as published. */
C3D_CHECKED c3d_status bench_training_open(bench_training *b, const char *backend,
                                           const c3d_model_desc *desc,
                                           const c3d_backend_options *options);
void bench_training_close(bench_training *b); /* a zeroed or half-built one is fine */
/* Forward, loss and backward: all gradients. Begins a step. */
C3D_CHECKED c3d_status bench_training_gradients(bench_training *b);
/* How the pass of the step begun is told, for layers by themselves. */
c3d_pass bench_training_pass(bench_training *b);
C3D_CHECKED c3d_status bench_training_loss(bench_training *b);
/* with_norm: the sum of squares of all gradients first, which Adam looks at, as c3d-train does. */
C3D_CHECKED c3d_status bench_training_update(bench_training *b, bool with_norm);
/* Of a step, two a multiply-add: forward and both backward passes, without the first layer's
 * gradient with respect to the input. */
double bench_training_gflop(const bench_training *b);

#endif
