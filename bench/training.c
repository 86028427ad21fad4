#include "bench/training.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool bench_training_parse(char **words, c3d_model_desc *desc, c3d_backend_options *options)
{
    c3d_shape *x = &desc->x;

    *desc = (c3d_model_desc){ .network = words[0],
                              .width = atoi(words[2]),
                              .outputs = 1,
                              .dropout = 0.5,
                              .pool5_padding = true,
                              .training = true };
    desc->fc = 64 * desc->width;
    if (sscanf(words[1], "%dx%dx%dx%dx%d", &x->n, &x->c, &x->d, &x->h, &x->w) != 5) return false;
    options->precision = C3D_PRECISION_FP32;
    while (strcmp(words[3], c3d_precision_name(options->precision)) != 0)
        if (options->precision++ == C3D_PRECISION_FP16) return false;
    return true;
}

static c3d_status load(bench_training *b, c3d_shape x)
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
    if (st == C3D_OK) st = b->backend.ops->sync(&b->backend);
    free(values);
    return st;
}

c3d_status bench_training_open(bench_training *b, const char *backend, const c3d_model_desc *desc,
                               const c3d_backend_options *options)
{
    const size_t n = (size_t)desc->x.n;

    C3D_TRY(c3d_backend_open(&b->backend, backend, options));
    C3D_TRY(c3d_model_create(&b->model, &b->backend, desc));
    C3D_TRY(c3d_model_init(&b->model, 1));
    const c3d_backend_ops *ops = b->backend.ops;
    const size_t n_bytes = b->model.n_arena * sizeof(float);
    C3D_TRY(ops->alloc(&b->backend, n_bytes, (void **)&b->m));
    C3D_TRY(ops->alloc(&b->backend, n_bytes, (void **)&b->v));
    C3D_TRY(ops->alloc(&b->backend, sizeof *b->squares, (void **)&b->squares));
    b->n = desc->x.n;
    b->labels = c3d_calloc(n, sizeof *b->labels);
    b->losses = c3d_calloc(n, sizeof *b->losses);
    if (!b->labels || !b->losses) return C3D_ENOMEM;
    for (int slot = 0; slot < BENCH_SLOTS; slot++)
        if (!(b->row_keys[slot] = c3d_calloc(n, sizeof *b->row_keys[slot]))) return C3D_ENOMEM;
    for (size_t i = 0; i < n; i++) b->labels[i] = i % 2 == 0;
    return load(b, desc->x);
}

void bench_training_close(bench_training *b)
{
    if (b->m) b->backend.ops->free(&b->backend, b->m);
    if (b->v) b->backend.ops->free(&b->backend, b->v);
    if (b->squares) b->backend.ops->free(&b->backend, b->squares);
    for (int slot = 0; slot < BENCH_SLOTS; slot++) free(b->row_keys[slot]);
    free(b->labels);
    free(b->losses);
    c3d_model_destroy(&b->model);
    c3d_backend_close(&b->backend);
}

c3d_pass bench_training_pass(bench_training *b)
{
    uint64_t *keys = b->row_keys[b->t % BENCH_SLOTS];

    for (int i = 0; i < b->n; i++) keys[i] = (uint64_t)(b->t * b->n + i);
    return (c3d_pass){ .training = true, .n_samples = b->n, .seed = 1, .row_keys = keys };
}

c3d_status bench_training_loss(bench_training *b)
{
    return c3d_model_loss(&b->model, &(c3d_loss){ .n_samples = b->n,
                                                  .labels = b->labels,
                                                  .grad_scale = 1.0F / (float)b->n,
                                                  .losses = b->losses,
                                                  .with_grad = true });
}

c3d_status bench_training_gradients(bench_training *b)
{
    b->t++;
    const c3d_pass pass = bench_training_pass(b);

    C3D_TRY(c3d_model_forward(&b->model, &pass));
    C3D_TRY(bench_training_loss(b));
    return c3d_model_backward(&b->model, &pass, NULL);
}

c3d_status bench_training_update(bench_training *b, bool with_norm)
{
    c3d_backend *backend = &b->backend;
    /* So slow that the loss stays where it is: gradients that vanish would be another load. */
    const c3d_adam adam = { .rate = 1e-6,
                            .beta1 = 0.9,
                            .beta2 = 0.999,
                            .epsilon = 1e-8,
                            .t = b->t,
                            .grad_scale = 1,
                            .squares = with_norm ? b->squares : NULL };
    const c3d_adam_arrays arrays = { .n = b->model.n_arena,
                                     .grad = b->model.grad,
                                     .m = b->m,
                                     .v = b->v,
                                     .param = b->model.param,
                                     .low = b->model.low };

    if (with_norm)
        C3D_TRY(backend->ops->sum_squares(backend, b->model.grad, b->model.n_arena, b->squares));
    return backend->ops->adam(backend, &adam, &arrays);
}

double bench_training_gflop(const bench_training *b)
{
    const c3d_shape_table *table = &b->model.table;
    const double all = (double)table->multiply_adds, first = (double)table->layers[0].multiply_adds;

    return 2e-9 * table->layers[0].x.n * (3 * all - first);
}
