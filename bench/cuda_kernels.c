/* The own CUDA kernels at the shapes of the published network (16 months of 112 x 112 pixels): the
 * bytes that each must move, over the time that it takes, against a copy within the device.
 *
 *     bench_cuda_kernels [BATCH]       64
 *
 * A time is that of many launches in a row by the device's clock, divided by their number. Tensors
 * that fit into the second-level cache (about 50 MB) may come out faster than the copy. */
#include "backend/cuda/kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST(call)                                                                                 \
    do {                                                                                           \
        const cudaError_t must_status = (call);                                                    \
        if (must_status != cudaSuccess) {                                                          \
            fprintf(stderr, "bench_cuda_kernels: %s: %s\n", #call,                                 \
                    cudaGetErrorString(must_status));                                              \
            exit(EXIT_FAILURE);                                                                    \
        }                                                                                          \
    } while (0)

#define BF16     C3D_CUDA_BF16
#define N_PARAMS ((size_t)78409536) /* of the published network, roughly */

enum { A, B, C, D, E, BUFFERS };

/* Buffers serve every case in turn; small: tables, partial sums. */
typedef struct bench {
    int batch;
    cudaStream_t stream;
    cudaEvent_t begin, end;
    void *buffer[BUFFERS];
    size_t n_bytes[BUFFERS];
    float *partials, *small;
    double copy; /* bytes a second */
} bench;

/* What a case runs on. */
typedef struct layer {
    int channels, x[3], y[3], kernel[3], before[3];
} layer;

static const layer layers[] = {
    { 64, { 16, 112, 112 }, { 16, 56, 56 }, { 1, 2, 2 }, { 0 } },
    { 128, { 16, 56, 56 }, { 8, 28, 28 }, { 2, 2, 2 }, { 0 } },
    { 256, { 8, 28, 28 }, { 4, 14, 14 }, { 2, 2, 2 }, { 0 } },
    { 512, { 4, 14, 14 }, { 2, 7, 7 }, { 2, 2, 2 }, { 0 } },
    { 512, { 2, 7, 7 }, { 1, 4, 4 }, { 2, 2, 2 }, { 0, 1, 1 } },
};

typedef cudaError_t run_function(bench *b, const layer *l);

static size_t rows(const bench *b, const int extents[3])
{
    return (size_t)b->batch * (size_t)extents[0] * (size_t)extents[1] * (size_t)extents[2];
}

/* Memory of at least that size, not zero, so that nothing is spared. */
static void *room(bench *b, int which, size_t n_bytes)
{
    if (n_bytes <= b->n_bytes[which]) return b->buffer[which];
    MUST(cudaStreamSynchronize(b->stream));
    MUST(cudaFree(b->buffer[which]));
    MUST(cudaMalloc(&b->buffer[which], n_bytes));
    MUST(cudaMemsetAsync(b->buffer[which], 0x3c, n_bytes, b->stream));
    b->n_bytes[which] = n_bytes;
    return b->buffer[which];
}

/* Seconds a launch: twice, so that the first finds how many make 50 ms. */
static double time_of(bench *b, run_function *run, const layer *l)
{
    int n = 3;
    float ms = 0;

    MUST(run(b, l));
    for (int round = 0; round < 2; round++) {
        MUST(cudaEventRecord(b->begin, b->stream));
        for (int i = 0; i < n; i++) MUST(run(b, l));
        MUST(cudaEventRecord(b->end, b->stream));
        MUST(cudaEventSynchronize(b->end));
        MUST(cudaEventElapsedTime(&ms, b->begin, b->end));
        if (round == 0) n = (int)fmin(2000, fmax(3, ceil(50.0 * n / fmax(1e-3, (double)ms))));
    }
    return (double)ms / 1e3 / n;
}

static void report(bench *b, const char *name, const layer *l, size_t n_bytes, run_function *run)
{
    const double seconds = time_of(b, run, l), rate = (double)n_bytes / seconds;
    char at[48] = "";

    if (l) (void)snprintf(at, sizeof at, " %dx%dx%dx%d", l->x[0], l->x[1], l->x[2], l->channels);
    if (b->copy == 0) b->copy = rate;
    printf("%-24s%-18s %9.1f us %9.1f MB %7.0f GB/s %5.0f %%\n", name, at, seconds * 1e6,
           (double)n_bytes / 1e6, rate / 1e9, 100 * rate / b->copy);
    (void)fflush(stdout);
}

/* ---- cases ----------------------------------------------------------------------------------- */

#define COPY_BYTES ((size_t)2 << 30)

static cudaError_t run_copy(bench *b, const layer *l)
{
    (void)l;
    return cudaMemcpyAsync(room(b, B, COPY_BYTES), room(b, A, COPY_BYTES), COPY_BYTES,
                           cudaMemcpyDeviceToDevice, b->stream);
}

static c3d_cuda_pool pool_of(const bench *b, const layer *l)
{
    c3d_cuda_pool p = { .n = b->batch, .n_lanes = l->channels, .type = BF16, .x_is_relu = true };

    for (int i = 0; i < 3; i++) {
        p.x[i] = l->x[i];
        p.y[i] = l->y[i];
        p.kernel[i] = p.stride[i] = l->kernel[i];
        p.before[i] = l->before[i];
    }
    return p;
}

static size_t bytes_x(const bench *b, const layer *l)
{
    return 2 * rows(b, l->x) * (size_t)l->channels;
}

static size_t bytes_y(const bench *b, const layer *l)
{
    return 2 * rows(b, l->y) * (size_t)l->channels;
}

static cudaError_t run_pool(bench *b, const layer *l)
{
    const c3d_cuda_pool p = pool_of(b, l);

    return c3d_cuda_pool_forward(b->stream, &p, room(b, A, bytes_x(b, l)),
                                 room(b, C, bytes_y(b, l)), room(b, D, bytes_y(b, l) / 2));
}

static cudaError_t run_pool_back(bench *b, const layer *l, float *bias_grad)
{
    const c3d_cuda_pool p = pool_of(b, l);
    const c3d_cuda_pool_grads grads = { .dy = room(b, C, bytes_y(b, l)),
                                        .winner = room(b, D, bytes_y(b, l) / 2),
                                        .dx = room(b, B, bytes_x(b, l)),
                                        .partials = room(b, E, c3d_cuda_pool_floats(&p) * 4),
                                        .bias_grad = bias_grad };
    return c3d_cuda_pool_backward(b->stream, &p, &grads);
}

static cudaError_t run_pool_backward(bench *b, const layer *l)
{
    return run_pool_back(b, l, NULL);
}

static cudaError_t run_pool_bias(bench *b, const layer *l)
{
    return run_pool_back(b, l, b->small);
}

static cudaError_t run_relu_bias(bench *b, const layer *l)
{
    const size_t n = rows(b, l->x), n_floats = c3d_cuda_channel_floats(n, l->channels);

    return c3d_cuda_relu_bias_backward(b->stream, n, l->channels, BF16, room(b, A, bytes_x(b, l)),
                                       room(b, B, bytes_x(b, l)), room(b, E, n_floats * 4),
                                       b->small, false);
}

static cudaError_t run_bias_sum(bench *b, const layer *l)
{
    const size_t n = rows(b, l->x), n_floats = c3d_cuda_channel_floats(n, l->channels);

    return c3d_cuda_relu_bias_backward(b->stream, n, l->channels, BF16, room(b, A, bytes_x(b, l)),
                                       NULL, room(b, E, n_floats * 4), b->small, false);
}

static cudaError_t run_bias_relu(bench *b, const layer *l)
{
    return c3d_cuda_bias_relu(b->stream, rows(b, l->x), l->channels, BF16,
                              room(b, A, bytes_x(b, l)), b->small, true);
}

static c3d_cuda_norm norm_of(const bench *b, const layer *l)
{
    return (c3d_cuda_norm){ .n_rows = rows(b, l->x),
                            .n_all = rows(b, l->x),
                            .n_channels = l->channels,
                            .n_lanes = l->channels,
                            .epsilon = 1e-5,
                            .type = BF16,
                            .relu = true };
}

static double *norm_partials(bench *b, const layer *l)
{
    return room(b, E, c3d_cuda_norm_doubles(rows(b, l->x), l->channels) * sizeof(double));
}

static double *statistics(const bench *b, int which)
{
    return (double *)(void *)(b->small + 2048) + (size_t)which * 1024;
}

static cudaError_t run_norm_statistics(bench *b, const layer *l)
{
    const c3d_cuda_norm norm = norm_of(b, l);

    return c3d_cuda_norm_statistics(b->stream, &norm, room(b, A, bytes_x(b, l)),
                                    norm_partials(b, l), statistics(b, 0), statistics(b, 1));
}

static cudaError_t run_norm_apply(bench *b, const layer *l)
{
    const c3d_cuda_norm norm = norm_of(b, l);
    const c3d_cuda_norm_params params = { b->small, b->small + 1024, statistics(b, 0),
                                          statistics(b, 1) };
    return c3d_cuda_norm_apply(b->stream, &norm, room(b, A, bytes_x(b, l)), &params,
                               room(b, B, bytes_x(b, l)));
}

static cudaError_t run_norm_backward(bench *b, const layer *l)
{
    const c3d_cuda_norm norm = norm_of(b, l);
    const c3d_cuda_norm_grads grads = { .x = room(b, A, bytes_x(b, l)),
                                        .y = room(b, B, bytes_x(b, l)),
                                        .dy = room(b, C, bytes_x(b, l)),
                                        .gamma = b->small,
                                        .mean = statistics(b, 0),
                                        .variance = statistics(b, 1),
                                        .partials = norm_partials(b, l),
                                        .gamma_grad = b->small,
                                        .beta_grad = b->small + 1024,
                                        .dx = room(b, D, bytes_x(b, l)) };
    return c3d_cuda_norm_backward(b->stream, &norm, &grads);
}

/* Rows all transposed, or none. */
static cudaError_t run_input_as(bench *b, int symmetry)
{
    const c3d_shape shape = { b->batch, 4, 16, 112, 112 };
    const size_t n_pixels = rows(b, layers[0].x);
    uint8_t *const symmetries = room(b, C, (size_t)b->batch);
    const c3d_cuda_input input = { .values = room(b, A, n_pixels * 8),
                                   .dtype = C3D_U16,
                                   .shape = shape,
                                   .n_samples = b->batch,
                                   .n_lanes = 8,
                                   .mean = b->small,
                                   .scale = b->small,
                                   .symmetry = symmetries,
                                   .x = room(b, B, n_pixels * 16),
                                   .type = BF16 };

    MUST(cudaMemsetAsync(symmetries, symmetry, (size_t)b->batch, b->stream));
    return c3d_cuda_input_load(b->stream, &input);
}

static cudaError_t run_input(bench *b, const layer *l)
{
    (void)l;
    return run_input_as(b, 0);
}

static cudaError_t run_input_transposed(bench *b, const layer *l)
{
    (void)l;
    return run_input_as(b, 4);
}

static cudaError_t run_dropout(bench *b, const layer *l)
{
    const c3d_shape shape = { b->batch, 4096, 1, 1, 1 };
    const size_t n_bytes = (size_t)b->batch * 4096 * 2;
    const c3d_cuda_dropout dropout = { .shape = shape,
                                       .n_samples = b->batch,
                                       .n_lanes = 4096,
                                       .rate = .5,
                                       .row_keys = room(b, C, (size_t)b->batch * 8),
                                       .type = BF16 };
    (void)l;
    return c3d_cuda_dropout_apply(b->stream, &dropout, room(b, A, n_bytes), room(b, B, n_bytes));
}

static cudaError_t run_loss(bench *b, const layer *l)
{
    int32_t *const labels = room(b, C, (size_t)b->batch * 4);
    float *const logits = room(b, A, (size_t)b->batch * 32), *const grad = room(b, B, 1 << 20);
    const c3d_cuda_loss loss = { .n = b->batch,
                                 .n_samples = b->batch,
                                 .n_outputs = 8,
                                 .n_lanes = 8,
                                 .labels = labels,
                                 .grad_scale = 1 };
    (void)l;
    MUST(cudaMemsetAsync(labels, 0, (size_t)b->batch * 4, b->stream));
    return c3d_cuda_loss_run(b->stream, &loss, logits, b->small, b->partials, grad);
}

static float *params_at(bench *b, int which)
{
    return room(b, which, N_PARAMS * 4);
}

static cudaError_t run_adam(bench *b, const layer *l)
{
    const c3d_adam adam = { .rate = 1e-3,
                            .beta1 = .9,
                            .beta2 = .999,
                            .epsilon = 1e-8,
                            .t = 3,
                            .grad_scale = 1,
                            .clip_norm = 1,
                            .squares = statistics(b, 0) };
    const c3d_adam_arrays arrays = { .n = N_PARAMS,
                                     .grad = params_at(b, A),
                                     .m = params_at(b, B),
                                     .v = params_at(b, C),
                                     .param = params_at(b, D),
                                     .low = room(b, E, N_PARAMS * 2) };
    (void)l;
    return c3d_cuda_adam(b->stream, &adam, &arrays, BF16);
}

static cudaError_t run_squares(bench *b, const layer *l)
{
    (void)l;
    return c3d_cuda_sum_squares(b->stream, params_at(b, A), N_PARAMS, (double *)(void *)b->partials,
                                statistics(b, 0));
}

static cudaError_t run_to_low(bench *b, const layer *l)
{
    (void)l;
    return c3d_cuda_to_low(b->stream, N_PARAMS, params_at(b, A), room(b, E, N_PARAMS * 2), BF16);
}

static cudaError_t run_add(bench *b, const layer *l)
{
    (void)l;
    return c3d_cuda_add(b->stream, N_PARAMS, params_at(b, A), params_at(b, B));
}

static void run_layers(bench *b)
{
    for (size_t i = 0; i < C3D_COUNT(layers); i++) {
        const layer *l = &layers[i];
        const size_t x = bytes_x(b, l), y = bytes_y(b, l);

        report(b, "pool", l, x + y + y / 2, run_pool);
        report(b, "pool back", l, x + y + y / 2, run_pool_backward);
        report(b, "pool back, bias gradient", l, x + y + y / 2, run_pool_bias);
        report(b, "ReLU back, bias gradient", l, 3 * x, run_relu_bias);
        report(b, "bias gradient", l, x, run_bias_sum);
    }
    const layer *l = &layers[1];
    const size_t x = bytes_x(b, l);

    report(b, "bias, ReLU", l, 2 * x, run_bias_relu);
    report(b, "norm's statistics", l, 2 * x, run_norm_statistics);
    report(b, "norm", l, 2 * x, run_norm_apply);
    report(b, "norm back", l, 7 * x, run_norm_backward);
}

static void open_bench(bench *b, int batch)
{
    int device;
    struct cudaDeviceProp prop;

    *b = (bench){ .batch = batch };
    MUST(cudaGetDevice(&device));
    MUST(cudaGetDeviceProperties(&prop, device));
    MUST(cudaStreamCreate(&b->stream));
    MUST(cudaEventCreate(&b->begin));
    MUST(cudaEventCreate(&b->end));
    MUST(cudaMalloc((void **)&b->partials, 1 << 20));
    MUST(cudaMalloc((void **)&b->small, 1 << 16));
    MUST(cudaMemset(b->small, 0, 1 << 16));
    printf("%s, %d SMs, batch %d, bf16\n", prop.name, prop.multiProcessorCount, batch);
}

int main(int argc, char **argv)
{
    bench b;
    const int batch = argc > 1 ? atoi(argv[1]) : 64;

    if (batch < 1) {
        fprintf(stderr, "bench_cuda_kernels: %s: expected a batch\n", argv[1]);
        return 2;
    }
    open_bench(&b, batch);
    report(&b, "copy", NULL, 2 * COPY_BYTES, run_copy);
    report(&b, "input, uint16 x 4", NULL, rows(&b, layers[0].x) * 24, run_input);
    report(&b, "input, transposed", NULL, rows(&b, layers[0].x) * 24, run_input_transposed);
    run_layers(&b);
    report(&b, "dropout of 4096", NULL, (size_t)batch * 4096 * 4, run_dropout);
    report(&b, "loss of 8", NULL, (size_t)batch * 8 * 12, run_loss);
    report(&b, "sum of squares", NULL, N_PARAMS * 4, run_squares);
    report(&b, "Adam, bf16 copy", NULL, N_PARAMS * 30, run_adam);
    report(&b, "float to bf16", NULL, N_PARAMS * 6, run_to_low);
    report(&b, "add", NULL, N_PARAMS * 12, run_add);
    for (int i = 0; i < BUFFERS; i++) MUST(cudaFree(b.buffer[i]));
    MUST(cudaFree(b.partials));
    MUST(cudaFree(b.small));
    MUST(cudaEventDestroy(b.begin));
    MUST(cudaEventDestroy(b.end));
    MUST(cudaStreamDestroy(b.stream));
    return 0;
}
