/* The CUDA kernels for pools, sums per channel and norms against ref and sums in long double, in
 * every type; run on the host in different orders of threads, or on a GPU. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

#include "support/lanes.h"
#include "support/op_run.h"

#define U       0x1p-24
#define N_SEEDS 2

static c3d_backend ref;

static int set_up(void **state)
{
    (void)state;
    return c3d_backend_open(&ref, "ref", &(c3d_backend_options){ 0 }) == C3D_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    lanes_order(0);
    c3d_backend_close(&ref);
    return 0;
}

static void expect_near(const char *name, const char *what, size_t i, double got, double expected,
                        double bound)
{
    if (!(fabs(got - expected) <= bound))
        fail_msg("%s: %s[%zu] is %.9g, expected %.9g +- %.2g", name, what, i, got, expected, bound);
}

/* ---- pools ----------------------------------------------------------------------------------- */

typedef struct pool_case {
    const char *name;
    c3d_shape x;
    int kernel[3], stride[3], before[3], after[3];
    bool x_is_relu, accumulate, overlap;
} pool_case;

static const pool_case pool_cases[] = {
    { "first of c3d",
      { 2, 20, 3, 6, 10 },
      { 1, 2, 2 },
      { 1, 2, 2 },
      { 0 },
      { 0 },
      true,
      false,
      false },
    { "leaves a rest",
      { 2, 3, 45, 5, 7 },
      { 2, 2, 2 },
      { 2, 2, 2 },
      { 0 },
      { 0 },
      true,
      true,
      false },
    { "last of c3d",
      { 3, 24, 2, 7, 7 },
      { 2, 2, 2 },
      { 2, 2, 2 },
      { 0, 1, 1 },
      { 0, 1, 1 },
      false,
      false,
      false },
    { "padded flat",
      { 1, 8, 1, 9, 9 },
      { 1, 2, 2 },
      { 1, 2, 2 },
      { 0, 1, 0 },
      { 0, 1, 1 },
      false,
      true,
      false },
    { "odd tiles",
      { 1, 1, 7, 6, 5 },
      { 3, 1, 2 },
      { 3, 1, 2 },
      { 1, 0, 1 },
      { 2, 0, 0 },
      true,
      false,
      false },
    { "overlapping",
      { 2, 5, 5, 9, 8 },
      { 3, 3, 3 },
      { 2, 2, 2 },
      { 1, 1, 1 },
      { 1, 1, 1 },
      true,
      false,
      true },
    { "overlapping much",
      { 1, 3, 1, 12, 11 },
      { 1, 3, 3 },
      { 1, 1, 1 },
      { 0, 1, 1 },
      { 0, 1, 1 },
      false,
      true,
      true },
    { "skipping", { 1, 9, 5, 8, 7 }, { 1, 2, 2 }, { 3, 3, 2 }, { 0 }, { 0 }, false, false, true },
    { "global", { 2, 8, 3, 5, 5 }, { 3, 5, 5 }, { 3, 5, 5 }, { 0 }, { 0 }, true, false, false },
    { "many channels",
      { 1, 1040, 1, 4, 2 },
      { 1, 2, 2 },
      { 1, 2, 2 },
      { 0 },
      { 0 },
      true,
      false,
      false },
    { "one element",
      { 1, 1, 1, 1, 1 },
      { 1, 1, 1 },
      { 1, 1, 1 },
      { 0 },
      { 0 },
      false,
      false,
      false },
};

/* Few different values, so that many are equal; some NaN, and some stretches without a number that
 * can win. */
static void fill_pool_x(const pool_case *c, float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float value = floorf(lanes_draw(1, i) * 4) / 2;

        x[i] = lanes_draw(2, i) > .95F ? NAN : i / 40 % 5 == 3 ? -INFINITY : value;
        if (c->x_is_relu) x[i] = value > 0 ? value : 0;
    }
}

typedef struct pool_run {
    c3d_cuda_type type;
    c3d_cuda_pool pool;
    op_case op;
    op_arrays a; /* as ref has it */
    void *x, *dy, *first[5];
    int n_lanes;
} pool_run;

/* ref's results; a gradient whose window nobody won may get lost, so that there is none. */
static void open_pool(pool_run *r, const pool_case *c, c3d_cuda_type type)
{
    c3d_shape y;

    *r = (pool_run){ .type = type, .n_lanes = lanes_rounded(c->x.c) };
    r->op = (op_case){ .name = c->name, .x = c->x };
    r->op.op = (c3d_op_desc){ .op = C3D_OP_POOL, .training = true, .needs_x_grad = true };
    for (int i = 0; i < 3; i++) {
        r->pool.kernel[i] = r->op.op.kernel[i] = c->kernel[i];
        r->pool.stride[i] = r->op.op.stride[i] = c->stride[i];
        r->pool.before[i] = r->op.op.pad_before[i] = c->before[i];
        r->op.op.pad_after[i] = c->after[i];
    }
    assert_int_equal(c3d_op_output(&r->op.op, c->x, &y), C3D_OK);
    const int extents[2][3] = { { c->x.d, c->x.h, c->x.w }, { y.d, y.h, y.w } };
    memcpy(r->pool.x, extents[0], sizeof extents[0]);
    memcpy(r->pool.y, extents[1], sizeof extents[1]);
    r->pool.n = c->x.n;
    r->pool.n_lanes = r->n_lanes;
    r->pool.type = type;
    r->pool.x_is_relu = c->x_is_relu;

    op_arrays_create(&r->a, &r->op);
    fill_pool_x(c, r->a.data[OP_X], r->a.n[OP_X]);
    assert_int_equal(op_run(&ref, &r->op, &r->a), C3D_OK);
    for (size_t i = 0; i < r->a.n[OP_DY]; i++)
        r->a.data[OP_DY][i] =
            r->a.data[OP_Y][i] > -FLT_MAX ? lanes_nearest(type, lanes_draw(3, i)) : 0;
    assert_int_equal(op_run(&ref, &r->op, &r->a), C3D_OK);
    for (size_t i = 0; c->x_is_relu && i < r->a.n[OP_X]; i++)
        if (!(r->a.data[OP_X][i] > 0)) r->a.data[OP_DX][i] = 0;
    r->x = lanes_from(c->x, type, r->a.data[OP_X]);
    r->dy = lanes_from(y, type, r->a.data[OP_DY]);
}

static void close_pool(pool_run *r)
{
    op_arrays_free(&r->a);
    lanes_free(r->x);
    lanes_free(r->dy);
    for (size_t i = 0; i < C3D_COUNT(r->first); i++) lanes_free(r->first[i]);
}

static c3d_shape y_shape(const pool_run *r)
{
    return (c3d_shape){ r->op.x.n, r->op.x.c, r->pool.y[0], r->pool.y[1], r->pool.y[2] };
}

static void check_pool_y(pool_run *r, const void *lanes, const char *name)
{
    float *const y = lanes_to(y_shape(r), r->type, lanes);

    for (size_t i = 0; i < r->a.n[OP_Y]; i++) {
        const float expected = r->a.data[OP_Y][i]; /* of 16 bits infinite where nobody won */

        if (y[i] != lanes_nearest(r->type, expected))
            fail_msg("%s, %s: y[%zu] is %g, expected %g", name, lanes_type_names[r->type], i,
                     (double)y[i], (double)expected);
    }
    lanes_free(y);
}

/* Where windows overlap as many terms as windows are added in float. */
static void check_pool_dx(pool_run *r, const pool_case *c, const void *lanes)
{
    const double n_windows = c->overlap ? 27 : 0;
    float *const dx = lanes_to(c->x, r->type, lanes);

    for (size_t i = 0; i < r->a.n[OP_DX]; i++) {
        const double expected = (double)r->a.data[OP_DX][i];
        const double bound = n_windows * n_windows * U +
                             (c->overlap ? 1.001 * lanes_rounding(r->type) * fabs(expected) : 0);

        expect_near(c->name, "dx", i, (double)dx[i], expected, bound);
    }
    lanes_free(dx);
}

/* A thread adds 8 terms or more, a block its threads' sums in at most 8 steps; the rest is in
 * double. Terms are below 1. */
static void check_pool_bias(const pool_run *r, const pool_case *c, const float *bias, float before)
{
    const size_t n_map = c3d_shape_sample_count(c->x) / (size_t)c->x.c;

    for (int k = 0; k < r->n_lanes; k++) {
        long double sum = 0, size = 0;

        for (size_t i = 0; k < c->x.c && i < r->a.n[OP_DX]; i++)
            if (i / n_map % (size_t)c->x.c == (size_t)k) {
                sum += (long double)r->a.data[OP_DX][i];
                size += fabsl((long double)r->a.data[OP_DX][i]);
            }
        /* of overlapping windows rounded values are added */
        const double unit = c->overlap ? lanes_rounding(r->type) + 18 * U : 18 * U;

        expect_near(c->name, "bias", (size_t)k, (double)bias[k],
                    (double)(sum + (long double)before), unit * (double)size + 2 * U);
    }
}

static void run_pool_forward(pool_run *r, const pool_case *c, uint8_t **winner_out)
{
    const size_t n_y = lanes_count(y_shape(r)), n_bytes = n_y * lanes_element(r->type);
    void *const y = lanes_garbage(n_bytes);

    LAUNCHED(c3d_cuda_pool_forward(NULL, &r->pool, r->x, y, NULL));
    check_pool_y(r, y, c->name);
    lanes_same(&r->first[0], y, n_bytes, c->name);
    memset(y, 0xff, n_bytes);
    *winner_out = lanes_garbage(n_y);
    LAUNCHED(c3d_cuda_pool_forward(NULL, &r->pool, r->x, y, *winner_out));
    lanes_same(&r->first[0], y, n_bytes, c->name);
    lanes_same(&r->first[1], *winner_out, n_y, c->name);
    lanes_free(y);
}

static void run_pool_backward(pool_run *r, const pool_case *c, const uint8_t *winner)
{
    const size_t n_bytes = lanes_count(c->x) * lanes_element(r->type);
    const size_t n_partials = c3d_cuda_pool_floats(&r->pool);
    const size_t n_bias = (size_t)r->n_lanes * sizeof(float);
    void *const dx = lanes_garbage(n_bytes);
    float *const bias = lanes_garbage(n_bias);
    c3d_cuda_pool_grads grads = { .dy = r->dy, .winner = winner, .dx = dx };

    LAUNCHED(c3d_cuda_pool_backward(NULL, &r->pool, &grads));
    check_pool_dx(r, c, dx);
    lanes_same(&r->first[2], dx, n_bytes, c->name);
    memset(dx, 0xff, n_bytes);
    grads.partials = lanes_garbage(n_partials * sizeof(float));
    grads.bias_grad = bias;
    grads.accumulate = c->accumulate;
    for (int k = 0; c->accumulate && k < r->n_lanes; k++) bias[k] = .5F;
    LAUNCHED(c3d_cuda_pool_backward(NULL, &r->pool, &grads));
    lanes_same(&r->first[2], dx, n_bytes, c->name);
    lanes_same(&r->first[3], bias, n_bias, c->name);
    check_pool_bias(r, c, bias, c->accumulate ? .5F : 0);
    lanes_free(grads.partials);
    lanes_free(bias);
    lanes_free(dx);
}

static void pools_are_those_of_ref(void **state)
{
    (void)state;
    for (size_t i = 0; i < C3D_COUNT(pool_cases); i++)
        for (c3d_cuda_type type = C3D_CUDA_F32; type <= C3D_CUDA_F16; type++) {
            pool_run r;

            open_pool(&r, &pool_cases[i], type);
            for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
                uint8_t *winner;

                lanes_order(seed);
                run_pool_forward(&r, &pool_cases[i], &winner);
                run_pool_backward(&r, &pool_cases[i], winner);
                lanes_free(winner);
            }
            close_pool(&r);
        }
}

static void pools_refuse_windows_without_a_number(void **state)
{
    const c3d_cuda_pool pool = { .n = 1,
                                 .n_lanes = 8,
                                 .x = { 4, 8, 8 },
                                 .y = { 1, 1, 1 },
                                 .kernel = { 4, 8, 8 },
                                 .stride = { 4, 8, 8 } };
    const c3d_cuda_pool none = { .n = 0, .n_lanes = 8, .kernel = { 1, 1, 1 } };

    (void)state;
    assert_int_equal(c3d_cuda_pool_forward(NULL, &pool, NULL, NULL, NULL), cudaErrorInvalidValue);
    LAUNCHED(c3d_cuda_pool_forward(NULL, &none, NULL, NULL, NULL));
}

/* ---- sums per channel ------------------------------------------------------------------------ */

typedef struct channel_case {
    size_t n_rows;
    int n_channels;
    bool relu, sum, accumulate;
} channel_case;

static const channel_case channel_cases[] = {
    { 1, 1, true, true, false },       { 7, 3, true, true, true },
    { 1000, 20, true, true, false },   { 2111, 8, true, false, false },
    { 4999, 8, false, true, true },    { 37, 1040, true, true, false },
    { 129, 520, false, true, false },  { 9001, 24, true, true, true },
    { 1100, 512, false, true, false }, /* more blocks than threads that add up */
};

static void check_channels(const channel_case *c, c3d_cuda_type type, const float *dy,
                           const float *y, const float *bias)
{
    for (int k = 0; c->sum && k < c->n_channels; k++) {
        long double sum = c->accumulate ? .25L : 0, size = 0;

        for (size_t row = 0; row < c->n_rows; row++) {
            const size_t i = (size_t)k * c->n_rows + row; /* canonical, of one sample */

            if (c->relu && !(y[i] > 0)) continue;
            sum += (long double)lanes_nearest(type, dy[i]);
            size += fabsl((long double)dy[i]);
        }
        expect_near("relu and bias", "sum", (size_t)k, (double)bias[k], (double)sum,
                    18 * U * (double)size + 2 * U);
    }
}

static void run_channels(const channel_case *c, c3d_cuda_type type, const float *dy, const float *y)
{
    const c3d_shape shape = { 1, c->n_channels, 1, 1, (int)c->n_rows };
    const int n_lanes = lanes_rounded(c->n_channels);
    const size_t n_bytes = lanes_count(shape) * lanes_element(type);
    void *const lanes_y = lanes_from(shape, type, y), *first[2] = { NULL };

    for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
        const size_t n_partials = c3d_cuda_channel_floats(c->n_rows, n_lanes);
        void *const lanes_dy = lanes_from(shape, type, dy);
        float *const partials = lanes_garbage(n_partials * sizeof(float));
        float *const bias = lanes_garbage((size_t)n_lanes * sizeof(float));

        for (int k = 0; k < n_lanes; k++) bias[k] = .25F;
        lanes_order(seed);
        LAUNCHED(c3d_cuda_relu_bias_backward(NULL, c->n_rows, n_lanes, type, lanes_dy,
                                             c->relu ? lanes_y : NULL, partials,
                                             c->sum ? bias : NULL, c->accumulate));
        check_channels(c, type, dy, y, bias);
        float *const after = lanes_to(shape, type, lanes_dy);
        for (size_t i = 0; i < c3d_shape_count(shape); i++)
            assert_true(after[i] == (c->relu && !(y[i] > 0) ? 0 : lanes_nearest(type, dy[i])));
        lanes_same(&first[0], lanes_dy, n_bytes, "masked gradient");
        lanes_same(&first[1], bias, (size_t)n_lanes * sizeof(float), "bias gradient");
        lanes_free(after);
        lanes_free(bias);
        lanes_free(partials);
        lanes_free(lanes_dy);
    }
    lanes_free(first[0]);
    lanes_free(first[1]);
    lanes_free(lanes_y);
}

static void gradients_are_masked_and_added(void **state)
{
    (void)state;
    for (size_t i = 0; i < C3D_COUNT(channel_cases); i++) {
        const channel_case *c = &channel_cases[i];
        const size_t n = c->n_rows * (size_t)c->n_channels;
        float *const dy = lanes_garbage(n * sizeof *dy), *const y = lanes_garbage(n * sizeof *y);

        for (size_t e = 0; e < n; e++) {
            dy[e] = lanes_draw(4, e);
            y[e] = e % 11 == 3 ? NAN : fmaxf(0, lanes_draw(5, e));
        }
        for (c3d_cuda_type type = C3D_CUDA_F32; type <= C3D_CUDA_F16; type++)
            run_channels(c, type, dy, y);
        lanes_free(dy);
        lanes_free(y);
    }
}

/* Sums of no rows are 0 and are written. */
static void sums_of_nothing_are_zero(void **state)
{
    float *const bias = lanes_garbage(8 * sizeof *bias);

    (void)state;
    LAUNCHED(c3d_cuda_relu_bias_backward(NULL, 0, 8, C3D_CUDA_BF16, NULL, NULL, NULL, bias, false));
    for (int k = 0; k < 8; k++) assert_true(bias[k] == 0);
    lanes_free(bias);
}

static void bias_is_added_before_relu(void **state)
{
    const c3d_shape shape = { 3, 21, 2, 5, 7 };
    const size_t n = c3d_shape_count(shape), n_map = n / 3 / 21;
    float x[3 * 21 * 2 * 5 * 7], *const bias = lanes_garbage(24 * sizeof *bias);

    (void)state;
    for (int k = 0; k < 24; k++) bias[k] = k < 21 ? lanes_draw(6, (size_t)k) : 0;
    for (size_t i = 0; i < n; i++) x[i] = i % 31 == 4 ? NAN : lanes_draw(7, i);
    for (int mode = 0; mode < 6; mode++) {
        const c3d_cuda_type type = (c3d_cuda_type)(mode % 3);
        void *const lanes = lanes_from(shape, type, x);

        LAUNCHED(c3d_cuda_bias_relu(NULL, 3 * n_map, 24, type, lanes, bias, mode >= 3));
        float *const y = lanes_to(shape, type, lanes);
        for (size_t i = 0; i < n; i++) {
            const float sum = lanes_nearest(type, x[i]) + bias[i / n_map % 21];
            const float expected = mode >= 3 && !(sum > 0) ? 0 : lanes_nearest(type, sum);

            assert_true(isnan(expected) ? isnan(y[i]) : y[i] == expected);
        }
        lanes_free(y);
        lanes_free(lanes);
    }
    lanes_free(bias);
}

/* ---- norms ----------------------------------------------------------------------------------- */

typedef struct norm_case {
    const char *name;
    c3d_shape x;
    int n_samples;
    float mean;
    bool relu, accumulate;
} norm_case;

static const norm_case norm_cases[] = {
    { "plain", { 3, 20, 2, 5, 7 }, 3, 0, false, false },
    { "short batch, relu", { 4, 3, 3, 9, 4 }, 2, 1, true, true },
    { "far from zero", { 2, 8, 1, 16, 33 }, 2, 1000, false, false },
    { "one element", { 1, 1, 1, 1, 1 }, 1, 2, false, false },
    { "no samples", { 2, 9, 1, 2, 2 }, 0, 1, true, false },
    { "many channels", { 2, 1040, 1, 2, 3 }, 1, 0, true, false },
};

/* What a case computes with; canonical where it says x. */
typedef struct norm_run {
    const norm_case *c;
    c3d_cuda_norm norm;
    float *x, *dy, *gamma, *beta, *got_y, *got_dx; /* x, dy: as rounded */
    float *gamma_grad, *beta_grad;
    double *mean, *variance, *partials;
    void *lanes_x, *lanes_dy, *y, *dx, *first[6];
    size_t n, n_map;
} norm_run;

static void open_norm(norm_run *r, const norm_case *c, c3d_cuda_type type)
{
    const size_t n = c3d_shape_count(c->x), n_lanes = (size_t)lanes_rounded(c->x.c);

    *r = (norm_run){ .c = c, .n = n, .n_map = n / (size_t)(c->x.n * c->x.c) };
    r->norm = (c3d_cuda_norm){ .n_rows = (size_t)c->n_samples * r->n_map,
                               .n_all = (size_t)c->x.n * r->n_map,
                               .n_channels = c->x.c,
                               .n_lanes = (int)n_lanes,
                               .epsilon = 1e-5,
                               .type = type,
                               .relu = c->relu };
    float **const arrays[] = { &r->x, &r->dy };
    for (size_t i = 0; i < C3D_COUNT(arrays); i++) *arrays[i] = lanes_garbage(n * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        r->x[i] = lanes_nearest(type, c->mean + lanes_draw(8, i));
        r->dy[i] = lanes_nearest(type, lanes_draw(9, i));
    }
    float **const params[] = { &r->gamma, &r->beta, &r->gamma_grad, &r->beta_grad };
    for (size_t i = 0; i < C3D_COUNT(params); i++)
        *params[i] = lanes_garbage(n_lanes * sizeof(float));
    for (size_t k = 0; k < n_lanes; k++) {
        r->gamma[k] = 1 + lanes_draw(10, k) / 2;
        r->beta[k] = lanes_draw(11, k);
    }
    r->mean = lanes_garbage(n_lanes * sizeof(double));
    r->variance = lanes_garbage(n_lanes * sizeof(double));
    r->partials =
        lanes_garbage(c3d_cuda_norm_doubles(r->norm.n_rows, (int)n_lanes) * sizeof(double));
    r->lanes_x = lanes_from(c->x, type, r->x);
    r->lanes_dy = lanes_from(c->x, type, r->dy);
    r->y = lanes_garbage(lanes_count(c->x) * lanes_element(type));
    r->dx = lanes_garbage(lanes_count(c->x) * lanes_element(type));
}

static void close_norm(norm_run *r)
{
    void *const all[] = { r->x,         r->dy,      r->gamma,    r->beta,  r->gamma_grad,
                          r->beta_grad, r->mean,    r->variance, r->y,     r->dx,
                          r->partials,  r->lanes_x, r->lanes_dy, r->got_y, r->got_dx };

    for (size_t i = 0; i < C3D_COUNT(all); i++) lanes_free(all[i]);
    for (size_t i = 0; i < C3D_COUNT(r->first); i++) lanes_free(r->first[i]);
}

static void run_norm(norm_run *r)
{
    const norm_case *c = r->c;
    const size_t n_lanes = (size_t)r->norm.n_lanes, n_params = n_lanes * sizeof(float);
    const size_t n_bytes = lanes_count(c->x) * lanes_element(r->norm.type);
    const c3d_cuda_norm_params params = { r->gamma, r->beta, r->mean, r->variance };
    const c3d_cuda_norm_grads grads = { .x = r->lanes_x,
                                        .y = r->y,
                                        .dy = r->lanes_dy,
                                        .gamma = r->gamma,
                                        .mean = r->mean,
                                        .variance = r->variance,
                                        .partials = r->partials,
                                        .gamma_grad = r->gamma_grad,
                                        .beta_grad = r->beta_grad,
                                        .accumulate = c->accumulate,
                                        .dx = r->dx };
    for (size_t k = 0; k < n_lanes; k++) r->gamma_grad[k] = r->beta_grad[k] = .5F;
    LAUNCHED(
        c3d_cuda_norm_statistics(NULL, &r->norm, r->lanes_x, r->partials, r->mean, r->variance));
    LAUNCHED(c3d_cuda_norm_apply(NULL, &r->norm, r->lanes_x, &params, r->y));
    LAUNCHED(c3d_cuda_norm_backward(NULL, &r->norm, &grads));
    const void *const results[] = {
        r->mean, r->variance, r->y, r->gamma_grad, r->beta_grad, r->dx
    };
    const size_t sizes[] = {
        n_lanes * sizeof(double), n_lanes * sizeof(double), n_bytes, n_params, n_params, n_bytes
    };
    for (size_t i = 0; i < C3D_COUNT(results); i++)
        lanes_same(&r->first[i], results[i], sizes[i], c->name);
}

/* Numbers of a channel from its rows in use, in long double. */
typedef struct norm_truth {
    long double mean, variance, inverse, of_normal, of_dy, size_normal, size_dy;
} norm_truth;

static bool is_used(const norm_run *r, size_t i, int k)
{
    const size_t map = i / r->n_map;

    return map % (size_t)r->c->x.c == (size_t)k &&
           map / (size_t)r->c->x.c < (size_t)r->c->n_samples;
}

static double dy_of(const norm_run *r, size_t i)
{
    return r->c->relu && !(r->got_y[i] > 0) ? 0 : (double)r->dy[i];
}

static norm_truth truth_of(const norm_run *r, int k)
{
    const long double n = (long double)r->norm.n_rows;
    norm_truth t = { 0 };

    for (size_t i = 0; i < r->n; i++)
        if (is_used(r, i, k)) t.mean += (long double)r->x[i] / n;
    for (size_t i = 0; i < r->n; i++)
        if (is_used(r, i, k)) t.variance += powl((long double)r->x[i] - t.mean, 2) / n;
    t.inverse = 1 / sqrtl(t.variance + (long double)r->norm.epsilon);
    for (size_t i = 0; i < r->n; i++) {
        if (!is_used(r, i, k)) continue;
        const long double dy = (long double)dy_of(r, i);
        const long double normal = ((long double)r->x[i] - t.mean) * t.inverse;

        t.of_normal += dy * normal;
        t.of_dy += dy;
        t.size_normal += fabsl(dy * normal);
        t.size_dy += fabsl(dy);
    }
    return t;
}

/* Statistics and sums are in double; elements in float, with at most eight roundings on the way of
 * any term to the result, and one to the type. */
static void check_norm_elements(const norm_run *r, const norm_truth *t, int k)
{
    const double rounding = 1.01 * lanes_rounding(r->norm.type), n = (double)r->norm.n_rows;
    const double least = r->norm.type == C3D_CUDA_F16 ? 0x1p-24 : 0; /* a unit of denormals */
    const double gamma = (double)r->gamma[k], beta = (double)r->beta[k];
    const double inverse = (double)t->inverse;

    for (size_t i = 0; i < r->n; i++) {
        if (!is_used(r, i, k)) continue;
        const double normal = ((double)r->x[i] - (double)t->mean) * inverse;
        const double y = gamma * normal + beta, y_size = fabs(gamma * normal) + fabs(beta);
        const double of_dy = (double)t->of_dy / n, of_normal = normal * (double)t->of_normal / n;
        const double dx = gamma * inverse * (dy_of(r, i) - of_dy - of_normal);
        const double dx_size =
            fabs(gamma * inverse) * (fabs(dy_of(r, i)) + fabs(of_dy) + fabs(of_normal));

        expect_near(r->c->name, "y", i, (double)r->got_y[i], r->c->relu && y < 0 ? 0 : y,
                    8 * U * y_size + rounding * fabs(y) + least);
        expect_near(r->c->name, "dx", i, (double)r->got_dx[i], dx,
                    8 * U * dx_size + rounding * fabs(dx) + least);
    }
}

static void check_norm(norm_run *r)
{
    const double old = r->c->accumulate ? .5 : 0;

    r->got_y = lanes_to(r->c->x, r->norm.type, r->y);
    r->got_dx = lanes_to(r->c->x, r->norm.type, r->dx);
    for (int k = 0; k < r->c->x.c; k++) {
        const norm_truth t = truth_of(r, k);
        const size_t i = (size_t)k;

        expect_near(r->c->name, "mean", i, r->mean[k], (double)t.mean,
                    1e-14 * (1 + (double)fabsl(t.mean)));
        expect_near(r->c->name, "variance", i, r->variance[k], (double)t.variance, 1e-11);
        expect_near(r->c->name, "gamma's gradient", i, (double)r->gamma_grad[k],
                    old + (double)t.of_normal, 2 * U * (1 + (double)t.size_normal));
        expect_near(r->c->name, "beta's gradient", i, (double)r->beta_grad[k],
                    old + (double)t.of_dy, 2 * U * (1 + (double)t.size_dy));
        check_norm_elements(r, &t, k);
    }
    const size_t used = (size_t)r->c->n_samples * (size_t)r->c->x.c * r->n_map;
    for (size_t i = used; i < r->n; i++) assert_true(r->got_y[i] == 0 && r->got_dx[i] == 0);
}

static void norms_are_their_formulas(void **state)
{
    (void)state;
    for (size_t i = 0; i < C3D_COUNT(norm_cases); i++)
        for (c3d_cuda_type type = C3D_CUDA_F32; type <= C3D_CUDA_F16; type++) {
            norm_run r;

            open_norm(&r, &norm_cases[i], type);
            for (uint64_t seed = 0; seed < N_SEEDS; seed++) {
                lanes_order(seed);
                run_norm(&r);
            }
            check_norm(&r);
            close_norm(&r);
        }
}

static void floats_become_doubles(void **state)
{
    float *const from = lanes_garbage(300 * sizeof *from);
    double *const to = lanes_garbage(300 * sizeof *to);

    (void)state;
    for (size_t i = 0; i < 300; i++) from[i] = lanes_draw(12, i);
    LAUNCHED(c3d_cuda_to_double(NULL, from, 300, to));
    for (size_t i = 0; i < 300; i++) assert_true(to[i] == (double)from[i]);
    lanes_free(from);
    lanes_free(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pools_are_those_of_ref),
        cmocka_unit_test(pools_refuse_windows_without_a_number),
        cmocka_unit_test(gradients_are_masked_and_added),
        cmocka_unit_test(sums_of_nothing_are_zero),
        cmocka_unit_test(bias_is_added_before_relu),
        cmocka_unit_test(norms_are_their_formulas),
        cmocka_unit_test(floats_become_doubles),
    };
    lanes_begin();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
