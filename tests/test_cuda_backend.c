/* What the cuda backend promises besides the values of its operations: test_cuda_backend
 * [PRECISION]. Convolutions in pieces of the batch, results that arrive when a mark is reached,
 * many steps under way at once, counted memory, two backends in one thread, refusals. */
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

#include "backend/cuda/cuda.h"
#include "support/op_run.h"
#include "support/precision.h"

static c3d_precision precision = C3D_PRECISION_FP32;
static c3d_backend backend;

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != C3D_OK) fail_msg("%s", c3d_error_last()->message);                           \
    } while (0)

static c3d_backend_options options(void)
{
    return (c3d_backend_options){ .precision = precision, .deterministic = true };
}

static int set_up(void **state)
{
    const c3d_backend_options wanted = options();

    (void)state;
    open_or_skip(&backend, "cuda", &wanted);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    c3d_backend_close(&backend);
    return 0;
}

/* Small multiples of 1/4: their sums of products are exact in any order. */
static void fill(float *to, size_t n, unsigned stream)
{
    for (size_t i = 0; i < n; i++)
        to[i] =
            (float)((int)(c3d_random_u64(8, C3D_STREAM(C3D_PURPOSE_TEST, stream), i) % 9) - 4) / 4;
}

static float *filled(size_t n, unsigned stream)
{
    float *x = calloc(n + 1, sizeof *x);

    assert_non_null(x);
    fill(x, n, stream);
    return x;
}

static void expect_equal(const char *what, const float *got, const float *expected, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (got[i] != expected[i])
            fail_msg("%s[%zu]: %.9g, expected %.9g", what, i, (double)got[i], (double)expected[i]);
}

/* ---- a chain: two convolutions and a pool. The second one's data gradient goes through the first
 * one's ReLU, and the pool gives the second one's bias its gradient --------------------------- */

#define CONV(k)                                                                                    \
    {                                                                                              \
        .op = C3D_OP_CONV, .n_filters = (k), .kernel = { 3, 3, 3 }, .stride = { 1, 1, 1 },         \
        .pad_before = { 1, 1, 1 }, .pad_after = { 1, 1, 1 }, .relu = true, .training = true        \
    }
#define POOL                                                                                       \
    {                                                                                              \
        .op = C3D_OP_POOL, .kernel = { 2, 2, 2 }, .stride = { 2, 2, 2 }, .training = true,         \
        .needs_x_grad = true                                                                       \
    }

#define N_PLANS  3
#define N_PARAMS 4
typedef struct chain {
    c3d_activation *x;
    c3d_plan *plans[N_PLANS];
    c3d_params params[N_PLANS];
    float *grads[N_PLANS][2];
    float *y, *dx, *dw[N_PARAMS]; /* results; dx: of the first one's output */
    size_t n_y, n_dx, n_dw[N_PARAMS];
} chain;

/* What gradients hold before the first pass must not matter. */
static void give_param(chain *c, int layer, int which)
{
    const c3d_plan *plan = c->plans[layer];
    const size_t n = plan->param_n_physical[which];
    float *values = filled(plan->param_n[which], (unsigned)(10 + 2 * layer + which));
    void *at;

    OK(backend.ops->alloc(&backend, n * sizeof(float), &at));
    c->params[layer].value[which] = at;
    OK(backend.ops->param_import(&backend, plan, which, values, at));
    OK(backend.ops->alloc(&backend, n * sizeof(float), &at));
    c->grads[layer][which] = at;
    for (size_t i = 0; i < plan->param_n[which]; i++) values[i] = NAN;
    OK(backend.ops->param_import(&backend, plan, which, values, at));
    free(values);
    if (!is_16_bits(backend.options.precision)) return;
    OK(backend.ops->alloc(&backend, n * sizeof(uint16_t), &at));
    c->params[layer].low[which] = at;
    OK(backend.ops->to_low(&backend, n, c->params[layer].value[which], at));
}

static void chain_open(chain *c, int n)
{
    const c3d_op_desc pool = POOL;
    c3d_op_desc conv = CONV(10);

    *c = (chain){ 0 };
    OK(backend.ops->input_create(&backend, (c3d_shape){ n, 3, 2, 5, 6 }, &c->x));
    OK(backend.ops->plan(&backend, &conv, c->x, &c->plans[0]));
    conv.needs_x_grad = true;
    OK(backend.ops->plan(&backend, &conv, c->plans[0]->y, &c->plans[1]));
    OK(backend.ops->plan(&backend, &pool, c->plans[1]->y, &c->plans[2]));
    for (int i = 0; i < N_PARAMS; i++) give_param(c, i / 2, i % 2);
    c->n_y = c3d_shape_count(c->plans[2]->y_shape);
    c->n_dx = c3d_shape_count(c->plans[0]->y_shape);
    c->y = filled(c->n_y, 0);
    c->dx = filled(c->n_dx, 0);
    for (int i = 0; i < N_PARAMS; i++) {
        c->n_dw[i] = c->plans[i / 2]->param_n[i % 2];
        c->dw[i] = filled(c->n_dw[i], 0);
    }
}

static void chain_close(chain *c)
{
    for (int i = 0; i < N_PARAMS; i++) {
        backend.ops->free(&backend, c->params[i / 2].value[i % 2]);
        backend.ops->free(&backend, c->params[i / 2].low[i % 2]);
        backend.ops->free(&backend, c->grads[i / 2][i % 2]);
    }
    for (int i = N_PLANS - 1; i >= 0; i--) backend.ops->plan_free(&backend, c->plans[i]);
    backend.ops->activation_free(&backend, c->x);
}

static void chain_free(chain *c)
{
    for (int i = 0; i < N_PARAMS; i++) free(c->dw[i]);
    free(c->y);
    free(c->dx);
}

static void chain_run(chain *c)
{
    float *x = filled(c3d_shape_count(c->plans[0]->x_shape), 1), *dy = filled(c->n_y, 2);
    c3d_pass pass = { .training = true, .n_samples = c->plans[0]->x_shape.n };

    OK(backend.ops->activation_write(&backend, c->x, false, x));
    for (int i = 0; i < N_PLANS; i++)
        OK(backend.ops->forward(&backend, c->plans[i], &c->params[i], &pass));
    OK(backend.ops->activation_read(&backend, c->plans[2]->y, false, c->y));
    for (int k = 0; k < 2; k++) { /* the second time on top of the first */
        pass.accumulate = k == 1;
        OK(backend.ops->activation_write(&backend, c->plans[2]->y, true, dy));
        for (int i = N_PLANS - 1; i >= 0; i--)
            OK(backend.ops->backward(&backend, c->plans[i], &c->params[i], c->grads[i], &pass));
    }
    OK(backend.ops->activation_read(&backend, c->plans[0]->y, true, c->dx));
    for (int i = 0; i < N_PARAMS; i++)
        OK(backend.ops->param_export(&backend, c->plans[i / 2], i % 2, c->grads[i / 2][i % 2],
                                     c->dw[i]));
    free(x);
    free(dy);
}

/* Where no engine gives float32 a weight gradient is rounded to 16 bits in each piece; golden_test
 * knows what it may be. */
static bool has_rounded_pieces(const c3d_plan *base)
{
    const cuda_plan *plan = (const cuda_plan *)base;

    return plan->n_pieces > 1 && plan->pieces[0].plans[C3D_DNN_BACKWARD_W_LOW];
}

static void chain_compare(const chain *got, const chain *expected)
{
    expect_equal("y", got->y, expected->y, got->n_y);
    expect_equal("dx", got->dx, expected->dx, got->n_dx);
    for (int i = 0; i < N_PARAMS; i++) {
        const bool is_rounded = i % 2 == 0 && has_rounded_pieces(got->plans[i / 2]);

        for (size_t e = 0; e < got->n_dw[i]; e++) assert_true(isfinite(got->dw[i][e]));
        if (!is_rounded) expect_equal("dw", got->dw[i], expected->dw[i], got->n_dw[i]);
    }
}

/* Whole, row by row, and in pieces of two rows with one left over; float32, in which all sums are
 * exact, as ref too, whose dx is the one behind the ReLU once backward has gone on. */
static void test_chain(void **state)
{
    cuda *c = backend.state;
    const size_t whole = c->piece_bytes;
    chain expected, got;

    (void)state;
    if (precision == C3D_PRECISION_FP32) {
        const c3d_backend kept = backend;

        OK(c3d_backend_open(&backend, "ref", &(c3d_backend_options){ 0 }));
        chain_open(&expected, 5);
        chain_run(&expected);
        chain_close(&expected);
        c3d_backend_close(&backend);
        backend = kept;
    } else {
        chain_open(&expected, 5);
        chain_run(&expected);
        chain_close(&expected);
    }
    const size_t row = (size_t)2 * 5 * 6 * 16 * c3d_cuda_size(c->type);
    const size_t limits[] = { whole, 1, 2 * row + 1 };
    const int n_pieces[] = { 1, 5, 3 };
    for (size_t k = 0; k < C3D_COUNT(limits); k++) {
        c->piece_bytes = limits[k];
        chain_open(&got, 5);
        assert_int_equal(((const cuda_plan *)got.plans[1])->n_pieces, n_pieces[k]);
        chain_run(&got);
        chain_compare(&got, &expected);
        chain_close(&got);
        chain_free(&got);
    }
    c->piece_bytes = whole;
    chain_free(&expected);
}

/* ---- reads and marks --------------------------------------------------------------------------
 */

#define N_SOURCE 60000
static float *give_source(void)
{
    float *host = calloc(N_SOURCE, sizeof *host);
    void *at;

    assert_non_null(host);
    for (int i = 0; i < N_SOURCE; i++) host[i] = (float)i;
    OK(backend.ops->alloc(&backend, N_SOURCE * sizeof *host, &at));
    OK(backend.ops->upload(&backend, at, host, N_SOURCE * sizeof *host));
    free(host);
    return at;
}

/* Reads of up to `largest` elements, a mark every few, of which the last but one is waited for. */
static void read_much(const float *source, size_t n_reads, size_t largest, size_t a_mark)
{
    float **to = calloc(n_reads, sizeof *to);
    size_t *n = calloc(n_reads, sizeof *n);

    assert_non_null(to);
    assert_non_null(n);
    for (size_t i = 0; i < n_reads; i++) {
        n[i] = 1 + c3d_random_below(4, C3D_STREAM(C3D_PURPOSE_TEST, 5), i, largest);
        to[i] = calloc(n[i], sizeof **to);
        assert_non_null(to[i]);
        OK(backend.ops->read(&backend, to[i], source + i % 7, n[i] * sizeof **to));
        if (i % a_mark != 0) continue;
        OK(backend.ops->mark(&backend, (int)(i / a_mark % 2)));
        if (i > 0) OK(c3d_backend_await(&backend, (int)(i / a_mark + 1) % 2));
    }
    OK(backend.ops->sync(&backend));
    for (size_t i = 0; i < n_reads; i++) {
        for (size_t e = 0; e < n[i]; e++)
            if (to[i][e] != (float)(e + i % 7)) fail_msg("read %zu: element %zu", i, e);
        free(to[i]);
    }
    free(to);
    free(n);
}

/* More of them, or more bytes, than are kept under way, with and without marks in time. */
static void test_many_reads(void **state)
{
    float *source = give_source();

    (void)state;
    read_much(source, (size_t)3 * LETTERS, 3, (size_t)4 * LETTERS);
    read_much(source, (size_t)3 * LETTERS, 3, 150);
    read_much(source, 100, N_SOURCE - 8, 1000);
    for (size_t a_mark = 1; a_mark < 6; a_mark++) read_much(source, 100, N_SOURCE - 8, a_mark);
    backend.ops->free(&backend, source);
}

static void test_marks(void **state)
{
    float *source = give_source(), first = -1, second = -1;
    float *wide = calloc(N_SOURCE * 10, sizeof *wide);
    bool done = false;
    void *large;

    (void)state;
    assert_non_null(wide);
    OK(backend.ops->read(&backend, &first, source + 7, sizeof first));
    OK(backend.ops->mark(&backend, 3));
    OK(backend.ops->read(&backend, &second, source + 8, sizeof second));
    assert_true(first == -1 && second == -1);
    OK(c3d_backend_await(&backend, 3));
    assert_true(first == 7 && second == -1);
    OK(backend.ops->mark(&backend, 3));
    OK(c3d_backend_await(&backend, 3));
    assert_true(second == 8);
    OK(backend.ops->reached(&backend, 5, &done)); /* never made: nothing is before it */
    assert_true(done);
    /* too large for the ring, pinned or not */
    OK(backend.ops->alloc(&backend, N_SOURCE * 10 * sizeof *wide, &large));
    OK(backend.ops->read(&backend, wide, large, N_SOURCE * 10 * sizeof *wide));
    OK(backend.ops->pin(&backend, wide, N_SOURCE * 10 * sizeof *wide));
    OK(backend.ops->pin(&backend, wide, N_SOURCE * 10 * sizeof *wide));
    wide[N_SOURCE] = 1;
    OK(backend.ops->read(&backend, wide, large, N_SOURCE * 10 * sizeof *wide));
    OK(backend.ops->sync(&backend));
    assert_true(wide[N_SOURCE] == 0);
    backend.ops->unpin(&backend, wide);
    backend.ops->unpin(&backend, wide);
    backend.ops->unpin(&backend, NULL);
    backend.ops->free(&backend, large);
    backend.ops->free(&backend, source);
    free(wide);
}

/* ---- many micro-batches under way -------------------------------------------------------------
 */

#define N_BATCHES 3 * PARCELS
#define N_ROWS    4
#define N_VALUES  2 * 3 * 4 * 4
#define N_BUFFERS 3

typedef struct pipeline {
    c3d_activation *x;
    c3d_plan *dropout, *linear;
    c3d_params params;
    uint16_t values[N_BUFFERS][N_ROWS * N_VALUES];
    float losses[N_BATCHES][N_ROWS];
} pipeline;

static void pipeline_open(pipeline *p)
{
    const c3d_op_desc dropout = { .op = C3D_OP_DROPOUT, .rate = 0.5 };
    const c3d_op_desc linear = { .op = C3D_OP_LINEAR, .n_filters = 1 };
    const c3d_shape shape = { N_ROWS, 2, 3, 4, 4 };

    OK(backend.ops->input_create(&backend, shape, &p->x));
    OK(backend.ops->plan(&backend, &dropout, p->x, &p->dropout));
    OK(backend.ops->plan(&backend, &linear, p->dropout->y, &p->linear));
    for (int i = 0; i < 2; i++) {
        float *values = filled(p->linear->param_n[i], 30 + (unsigned)i);
        void *at;

        OK(backend.ops->alloc(&backend, p->linear->param_n_physical[i] * sizeof *values, &at));
        p->params.value[i] = at;
        OK(backend.ops->param_import(&backend, p->linear, i, values, at));
        free(values);
    }
    for (int i = 0; i < N_BUFFERS; i++)
        OK(backend.ops->pin(&backend, p->values[i], sizeof p->values[i]));
}

static void pipeline_close(pipeline *p)
{
    for (int i = 0; i < N_BUFFERS; i++) backend.ops->unpin(&backend, p->values[i]);
    for (int i = 0; i < 2; i++) backend.ops->free(&backend, p->params.value[i]);
    backend.ops->plan_free(&backend, p->linear);
    backend.ops->plan_free(&backend, p->dropout);
    backend.ops->activation_free(&backend, p->x);
    free(p);
}

/* Values are left alone until the mark behind them is reached; the arrays on the stack, which the
 * contract would let the backend read later too, are gone at once and nobody may miss them. */
static void batch(pipeline *p, int b)
{
    uint16_t *const values = p->values[b % N_BUFFERS];
    const float mean[2] = { (float)b, 1 }, scale[2] = { 0.25F, 0.5F };
    int32_t labels[N_ROWS];
    uint64_t keys[N_ROWS];
    const c3d_pass pass = { .training = true, .n_samples = N_ROWS, .seed = 3, .row_keys = keys };
    const c3d_input input = {
        .values = values, .dtype = C3D_U16, .n_samples = N_ROWS, .mean = mean, .scale = scale
    };
    const c3d_loss loss = {
        .n_samples = N_ROWS, .labels = labels, .grad_scale = 1, .losses = p->losses[b]
    };

    for (int i = 0; i < N_ROWS * N_VALUES; i++) values[i] = (uint16_t)((i * 7 + b * 13) % 11);
    for (int r = 0; r < N_ROWS; r++) labels[r] = (b + r) % 2, keys[r] = (uint64_t)(100 * b + r);
    OK(backend.ops->input_load(&backend, p->x, &input));
    OK(backend.ops->forward(&backend, p->dropout, &(c3d_params){ 0 }, &pass));
    OK(backend.ops->forward(&backend, p->linear, &p->params, &pass));
    OK(backend.ops->loss(&backend, p->linear->y, &loss));
    memset(labels, 0x55, sizeof labels);
    memset(keys, 0x55, sizeof keys);
    OK(backend.ops->mark(&backend, b % N_BUFFERS));
}

static pipeline *pipeline_run(bool step_by_step)
{
    pipeline *p = calloc(1, sizeof *p);

    assert_non_null(p);
    pipeline_open(p);
    for (int b = 0; b < N_BATCHES; b++) {
        if (b >= N_BUFFERS) OK(c3d_backend_await(&backend, b % N_BUFFERS));
        batch(p, b);
        if (step_by_step) OK(backend.ops->sync(&backend));
    }
    OK(backend.ops->sync(&backend));
    return p;
}

static void test_pipeline(void **state)
{
    pipeline *expected = pipeline_run(true), *got = pipeline_run(false);

    (void)state;
    for (int b = 0; b < N_BATCHES; b++)
        expect_equal("loss", got->losses[b], expected->losses[b], N_ROWS);
    assert_true(expected->losses[0][0] != expected->losses[1][0]);
    pipeline_close(expected);
    pipeline_close(got);
}

/* Many more calls than there are parcels, and nobody waits. */
static void test_far_ahead(void **state)
{
    const c3d_op_desc linear = { .op = C3D_OP_LINEAR, .n_filters = 1 };
    const float logits[2] = { 1, -2 };
    float losses[2], (*got)[2] = calloc(N_BATCHES, sizeof *got);
    c3d_activation *x;
    c3d_plan *plan;

    (void)state;
    assert_non_null(got);
    OK(backend.ops->input_create(&backend, (c3d_shape){ 2, 3, 1, 1, 1 }, &x));
    OK(backend.ops->plan(&backend, &linear, x, &plan));
    OK(backend.ops->activation_write(&backend, plan->y, false, logits));
    for (int b = 0; b < N_BATCHES; b++) {
        const int32_t labels[2] = { b % 5 % 2, b % 7 % 2 };

        OK(backend.ops->loss(&backend, plan->y,
                             &(c3d_loss){ .n_samples = 2, .labels = labels, .losses = got[b] }));
    }
    OK(backend.ops->sync(&backend));
    for (int r = 0; r < 2; r++) losses[r] = log1pf(expf(logits[r])); /* of label 0 */
    for (int b = 0; b < N_BATCHES; b++)
        for (int r = 0; r < 2; r++) {
            const int label = r == 0 ? b % 5 % 2 : b % 7 % 2;
            const float expected = label == 0 ? losses[r] : losses[r] - logits[r];

            if (!(fabsf(got[b][r] - expected) < 1e-5F)) fail_msg("call %d, row %d", b, r);
        }
    backend.ops->plan_free(&backend, plan);
    backend.ops->activation_free(&backend, x);
    free(got);
}

/* ---- memory -----------------------------------------------------------------------------------
 */

/* What planning takes, the libraries' own part aside. */
static size_t planned_bytes(bool dry_run)
{
    const c3d_backend kept = backend;
    c3d_backend_options wanted = options();
    c3d_activation *x;
    c3d_plan *plans[3];
    const c3d_op_desc descs[3] = {
        CONV(64),
        POOL,
        { .op = C3D_OP_LINEAR, .n_filters = 30, .training = true, .needs_x_grad = true },
    };

    wanted.dry_run = dry_run;
    OK(c3d_backend_open(&backend, "cuda", &wanted));
    const size_t before = backend.n_bytes;
    OK(backend.ops->input_create(&backend, (c3d_shape){ 8, 4, 4, 16, 16 }, &x));
    for (int i = 0; i < 3; i++)
        OK(backend.ops->plan(&backend, &descs[i], i == 0 ? x : plans[i - 1]->y, &plans[i]));
    const size_t planned = backend.n_bytes - before;
    assert_true(backend.n_free > 0 && backend.queue);
    for (int i = 2; i >= 0; i--) backend.ops->plan_free(&backend, plans[i]);
    backend.ops->activation_free(&backend, x);
    assert_true(backend.n_bytes < before + planned / 2);
    c3d_backend_close(&backend);
    backend = kept;
    return planned;
}

static void test_dry_run(void **state)
{
    const size_t planned = planned_bytes(false);

    (void)state;
    assert_int_equal(planned_bytes(true), planned);
    assert_true(planned > 8 * 64 * 4 * 16 * 16 * c3d_cuda_size(cuda_of(&backend)->type));
}

static void test_no_memory(void **state)
{
    const size_t n_bytes = backend.n_bytes;
    void *buffer = NULL;

    (void)state;
    assert_int_equal(backend.ops->alloc(&backend, (size_t)1 << 46, &buffer), C3D_ENOMEM);
    assert_non_null(strstr(c3d_error_last()->message, "no memory for 70368744177664 bytes"));
    assert_non_null(strstr(c3d_error_last()->message, "are free"));
    assert_null(buffer);
    assert_int_equal(backend.n_bytes, n_bytes);
    OK(backend.ops->alloc(&backend, 5, &buffer)); /* nothing of it is left */
    assert_int_equal(backend.n_bytes, n_bytes + 512);
    backend.ops->free(&backend, buffer);
    assert_int_equal(backend.n_bytes, n_bytes);
}

/* ---- the rest ---------------------------------------------------------------------------------
 */

/* As the evaluator beside a training. */
static void test_two_backends(void **state)
{
    const c3d_backend_options wanted = options();
    const c3d_backend first = backend;
    chain training, evaluation;

    (void)state;
    chain_open(&training, 2);
    OK(c3d_backend_open(&backend, "cuda", &wanted));
    const c3d_backend second = backend;
    chain_open(&evaluation, 2);
    backend = first;
    chain_run(&training);
    backend = second;
    chain_run(&evaluation);
    chain_compare(&evaluation, &training);
    chain_close(&evaluation);
    c3d_backend_close(&backend);
    backend = first;
    chain_run(&training); /* once more, alone */
    chain_compare(&training, &evaluation);
    chain_close(&training);
    chain_free(&training);
    chain_free(&evaluation);
}

static void test_refusals(void **state)
{
    const c3d_op_desc pool = { .op = C3D_OP_POOL, .kernel = { 4, 8, 8 }, .stride = { 1, 1, 1 } };
    const c3d_op_desc relu = { .op = C3D_OP_LINEAR, .n_filters = 2, .relu = true };
    const c3d_loss loss = { .n_samples = 0 };
    c3d_backend_options wanted = options();
    c3d_activation *x;
    c3d_backend other;
    c3d_plan *plan;
    char text[256];

    (void)state;
    wanted.device_index = -1;
    assert_int_equal(c3d_backend_open(&other, "cuda", &wanted), C3D_EINVAL);
    wanted.device_index = 1000; /* ranks share devices */
    OK(c3d_backend_open(&other, "cuda", &wanted));
    assert_int_equal(other.options.device_index, 1000 % cuda_of(&other)->n_devices);
    c3d_backend_close(&other);
    (void)backend.ops->describe(&backend, text);
    assert_non_null(strstr(text, c3d_precision_name(precision)));

    OK(backend.ops->input_create(&backend, (c3d_shape){ 1, 1, 4, 8, 8 }, &x));
    assert_int_equal(backend.ops->plan(&backend, &pool, x, &plan), C3D_EUNSUPPORTED);
    OK(backend.ops->plan(&backend, &relu, x, &plan));
    assert_int_equal(backend.ops->loss(&backend, plan->y, &loss), C3D_EINVAL);
    assert_int_equal(backend.ops->input_load(&backend, plan->y, &(c3d_input){ 0 }), C3D_EINVAL);
    backend.ops->plan_free(&backend, plan);
    backend.ops->activation_free(&backend, x);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),     cmocka_unit_test(test_many_reads),
        cmocka_unit_test(test_marks),     cmocka_unit_test(test_pipeline),
        cmocka_unit_test(test_far_ahead), cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_no_memory), cmocka_unit_test(test_two_backends),
        cmocka_unit_test(test_refusals),
    };

    if (argc > 1) precision = precision_of(argv[1]);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
