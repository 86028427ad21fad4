/* One contestant of bench/run.sh cpu-step: plans a network, then runs training steps as it is told.
 *
 *   bench_cpu_step NETWORK NxCxDxHxW WIDTH PRECISION THREADS
 *
 * Prints "ready GFLOP DESCRIPTION" when planned. Then reads a number of steps a line and answers
 * with a line of "seconds:seconds" for each: forward, loss and backward; the update by Adam.
 * Loading the input is not in it. */
#include "bench/training.h"

#include <stdio.h>
#include <stdlib.h>

static c3d_status run_step(bench_training *b, double *step_s, double *adam_s)
{
    const double start = c3d_now_s();

    C3D_TRY(bench_training_gradients(b));
    C3D_TRY(b->backend.ops->sync(&b->backend));
    const double middle = c3d_now_s();
    C3D_TRY(bench_training_update(b, false));
    C3D_TRY(b->backend.ops->sync(&b->backend));
    *step_s = middle - start;
    *adam_s = c3d_now_s() - middle;
    return C3D_OK;
}

static c3d_status serve(bench_training *b)
{
    char line[64], what[256];

    printf("ready %.3f %s\n", bench_training_gflop(b), b->backend.ops->describe(&b->backend, what));
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        for (long i = strtol(line, NULL, 10); i > 0; i--) {
            double step_s, adam_s;
            C3D_TRY(run_step(b, &step_s, &adam_s));
            printf("%.6f:%.6f%c", step_s, adam_s, i == 1 ? '\n' : ' ');
        }
        fflush(stdout);
    }
    return C3D_OK;
}

int main(int argc, char **argv)
{
    bench_training b = { 0 };
    c3d_model_desc desc;
    c3d_backend_options options = { 0 };

    if (argc != 6 || !bench_training_parse(argv + 1, &desc, &options)) {
        (void)fprintf(stderr, "usage: bench_cpu_step NETWORK NxCxDxHxW WIDTH PRECISION THREADS\n");
        return 2;
    }
    options.n_threads = atoi(argv[5]);
    c3d_status st = bench_training_open(&b, "cpu", &desc, &options);
    if (st == C3D_OK) st = serve(&b);
    if (st != C3D_OK) (void)fprintf(stderr, "bench_cpu_step: %s\n", c3d_error_last()->message);
    bench_training_close(&b);
    return st == C3D_OK ? 0 : 1;
}
