/* Our contestant of bench/run.sh gpu: plans a network, then does as it is told.
 *
 *   bench_gpu BACKEND NETWORK NxCxDxHxW WIDTH PRECISION [CACHE_DIR]
 *
 * Prints "ready GFLOP BYTES DESCRIPTION" when planned, BYTES of the backend's memory. Answers each
 * line of standard input by a line:
 *   run N      seconds of N whole steps, the host a step ahead of the device
 *   layers N   NAME:FORWARD:BACKWARD ..., milliseconds, each layer by itself, means of N passes
 * A step is forward, loss, backward, the norm of the gradient and Adam; the input lies ready. */
#include "bench/training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static c3d_status run_steps(bench_training *b, long n, double *seconds)
{
    c3d_backend *backend = &b->backend;
    const double start = c3d_now_s();

    for (long i = 0; i < n; i++) {
        const int slot = (int)(i % BENCH_SLOTS);
        if (i >= BENCH_SLOTS) C3D_TRY(c3d_backend_await(backend, slot));
        C3D_TRY(bench_training_gradients(b));
        C3D_TRY(bench_training_update(b, true));
        C3D_TRY(backend->ops->mark(backend, slot));
    }
    C3D_TRY(backend->ops->sync(backend));
    *seconds = c3d_now_s() - start;
    return C3D_OK;
}

typedef c3d_status (*layer_pass)(c3d_model *model, int layer, const c3d_pass *pass);

/* Adds to ms what one pass of the layer takes, from an idle device until it is idle again. */
static c3d_status time_layer(bench_training *b, layer_pass run, int layer, double *ms)
{
    const c3d_pass pass = bench_training_pass(b);
    const double start = c3d_now_s();

    C3D_TRY(run(&b->model, layer, &pass));
    C3D_TRY(b->backend.ops->sync(&b->backend));
    *ms += 1e3 * (c3d_now_s() - start);
    return C3D_OK;
}

static c3d_status time_layers(bench_training *b, long n)
{
    double forward[C3D_MAX_LAYERS] = { 0 }, backward[C3D_MAX_LAYERS] = { 0 };
    const c3d_shape_table *table = &b->model.table;

    C3D_TRY(b->backend.ops->sync(&b->backend));
    for (long i = 0; i < n; i++) {
        b->t++;
        for (int layer = 0; layer < table->n_layers; layer++)
            C3D_TRY(time_layer(b, c3d_model_forward_layer, layer, &forward[layer]));
        C3D_TRY(bench_training_loss(b));
        C3D_TRY(b->backend.ops->sync(&b->backend));
        for (int layer = table->n_layers; layer-- > 0;)
            C3D_TRY(time_layer(b, c3d_model_backward_layer, layer, &backward[layer]));
    }
    for (int layer = 0; layer < table->n_layers; layer++)
        printf("%s%s:%.4f:%.4f", layer ? " " : "", table->layers[layer].name,
               forward[layer] / (double)n, backward[layer] / (double)n);
    printf("\n");
    return C3D_OK;
}

static c3d_status serve(bench_training *b)
{
    char line[64], what[256];

    printf("ready %.3f %zu %s\n", bench_training_gflop(b), b->backend.n_bytes,
           b->backend.ops->describe(&b->backend, what));
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        const char *number = strchr(line, ' ');
        const long n = number ? strtol(number, NULL, 10) : 0;
        double seconds;

        if (n < 1) return C3D_FAIL(C3D_EINVAL, "expected a command and a number: %s", line);
        if (!strncmp(line, "layers", 6)) {
            C3D_TRY(time_layers(b, n));
        } else {
            C3D_TRY(run_steps(b, n, &seconds));
            printf("%.6f\n", seconds);
        }
        fflush(stdout);
    }
    return C3D_OK;
}

int main(int argc, char **argv)
{
    bench_training b = { 0 };
    c3d_model_desc desc;
    c3d_backend_options options = { .autotune = true };

    if ((argc != 6 && argc != 7) || !bench_training_parse(argv + 2, &desc, &options)) {
        (void)fprintf(stderr,
                      "usage: bench_gpu BACKEND NETWORK NxCxDxHxW WIDTH PRECISION [CACHE_DIR]\n");
        return 2;
    }
    options.cache_dir = argv[6];
    c3d_status st = bench_training_open(&b, argv[1], &desc, &options);
    if (st == C3D_OK) st = serve(&b);
    if (st != C3D_OK) printf("failed %s\n", c3d_error_last()->message);
    bench_training_close(&b);
    return st == C3D_OK ? 0 : 1;
}
