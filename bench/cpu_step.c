/* One contestant of bench/run.sh cpu-step: plans a network, then runs training steps as it is told.
 *
 *   bench_cpu_step NETWORK NxCxDxHxW WIDTH PRECISION THREADS
 *
 * Prints "ready GFLOP DESCRIPTION" when planned: GFLOP of a step, two a multiply-add, forward and
 * both backward passes, without the first layer's gradient with respect to the input. Then reads a
 * number of steps a line and answers with a line of "seconds:seconds" for each: forward, loss and
 * backward; the update by Adam. Loading the input is not in it. */
#include "c3d/nn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bench {
    c3d_backend backend;
    c3d_model model;
    float *m, *v;
    uint64_t *row_keys;
    int32_t *labels;
    float *losses;
    int64_t t;
} bench;

static c3d_status load(bench *b, c3d_shape x)
{
    const size_t n = c3d_shape_count(x);
    float *values = c3d_calloc(n, sizeof *values);
    float mean[16], scale[16];
    c3d_status st;

    if (!values) return C3D_ENOMEM;
    for (size_t i = 0; i < n; i++) values[i] = (float)c3d_random_normal(1, 2, i);
    for (int c = 0; c < 16; c++) mean[c] = 0, scale[c] = 1;
    st = c3d_model_load(
        &b->model,
        &(c3d_input){
            .values = values, .dtype = C3D_F32, .n_samples = x.n, .mean = mean, .scale = scale });
    free(values);
    return st;
}

static c3d_status set_up(bench *b, const c3d_model_desc *desc, const c3d_backend_options *options)
{
    const size_t n = (size_t)desc->x.n;

    C3D_TRY(c3d_backend_open(&b->backend, "cpu", options));
    C3D_TRY(c3d_model_create(&b->model, &b->backend, desc));
    C3D_TRY(c3d_model_init(&b->model, 1));
    const size_t n_bytes = b->model.n_arena * sizeof(float);
    C3D_TRY(b->backend.ops->alloc(&b->backend, n_bytes, (void **)&b->m));
    C3D_TRY(b->backend.ops->alloc(&b->backend, n_bytes, (void **)&b->v));
    b->row_keys = c3d_calloc(n, sizeof *b->row_keys);
    b->labels = c3d_calloc(n, sizeof *b->labels);
    b->losses = c3d_calloc(n, sizeof *b->losses);
    if (!b->row_keys || !b->labels || !b->losses) return C3D_ENOMEM;
    for (size_t i = 0; i < n; i++) b->labels[i] = i % 2 == 0;
    return load(b, desc->x);
}

static c3d_status run_step(bench *b, double *step_s, double *adam_s)
{
    const int n = b->model.input ? b->model.plans[0]->x_shape.n : 0;
    const c3d_pass pass = { .training = true, .n_samples = n, .seed = 1, .row_keys = b->row_keys };
    const c3d_loss loss = { .n_samples = n,
                            .labels = b->labels,
                            .grad_scale = 1.0F / (float)n,
                            .losses = b->losses,
                            .with_grad = true };
    /* So slow that the loss stays where it is: gradients that vanish would be another load. */
    const c3d_adam adam = {
        .rate = 1e-6, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .t = ++b->t, .grad_scale = 1
    };
    const c3d_adam_arrays arrays = { .n = b->model.n_arena,
                                     .grad = b->model.grad,
                                     .m = b->m,
                                     .v = b->v,
                                     .param = b->model.param,
                                     .low = b->model.low };
    const double start = c3d_now_s();

    for (int i = 0; i < n; i++) b->row_keys[i] = (uint64_t)(b->t * n + i);
    C3D_TRY(c3d_model_forward(&b->model, &pass));
    C3D_TRY(c3d_model_loss(&b->model, &loss));
    C3D_TRY(c3d_model_backward(&b->model, &pass, NULL));
    C3D_TRY(b->backend.ops->sync(&b->backend));
    const double middle = c3d_now_s();
    C3D_TRY(b->backend.ops->adam(&b->backend, &adam, &arrays));
    C3D_TRY(b->backend.ops->sync(&b->backend));
    *step_s = middle - start;
    *adam_s = c3d_now_s() - middle;
    return C3D_OK;
}

static double gflop_of(const c3d_model *model)
{
    const c3d_shape_table *table = &model->table;
    const double all = (double)table->multiply_adds, first = (double)table->layers[0].multiply_adds;

    return 2e-9 * table->layers[0].x.n * (3 * all - first);
}

static c3d_status serve(bench *b)
{
    char line[64], what[256];

    printf("ready %.3f %s\n", gflop_of(&b->model), b->backend.ops->describe(&b->backend, what));
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

static int usage(void)
{
    (void)fprintf(stderr, "usage: bench_cpu_step NETWORK NxCxDxHxW WIDTH PRECISION THREADS\n");
    return 2;
}

int main(int argc, char **argv)
{
    bench b = { 0 };
    c3d_model_desc desc = { .outputs = 1, .dropout = 0.5, .pool5_padding = true, .training = true };
    c3d_shape *x = &desc.x;

    if (argc != 6 || sscanf(argv[2], "%dx%dx%dx%dx%d", &x->n, &x->c, &x->d, &x->h, &x->w) != 5)
        return usage();
    c3d_backend_options options = { .n_threads = atoi(argv[5]) };
    while (strcmp(argv[4], c3d_precision_name(options.precision)) != 0)
        if (options.precision++ == C3D_PRECISION_FP16) return usage();
    desc.network = argv[1];
    desc.width = atoi(argv[3]);
    desc.fc = 64 * desc.width;
    c3d_status st = set_up(&b, &desc, &options);
    if (st == C3D_OK) st = serve(&b);
    if (st != C3D_OK) (void)fprintf(stderr, "bench_cpu_step: %s\n", c3d_error_last()->message);
    if (b.m) b.backend.ops->free(&b.backend, b.m);
    if (b.v) b.backend.ops->free(&b.backend, b.v);
    free(b.row_keys);
    free(b.labels);
    free(b.losses);
    c3d_model_destroy(&b.model);
    c3d_backend_close(&b.backend);
    return st == C3D_OK ? 0 : 1;
}
