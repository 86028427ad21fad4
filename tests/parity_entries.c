/* What a backend promises beside its operations' values, each backend named as argument against
 * ref: parity_entries [--precision P] onednn ... input, loss, Adam, sums of squares, special
 * values in a pool, dropout statistics, independence of rows, and parameters that survive the way
 * through the physical layout. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "c3d/backend.h"
#include "support/op_run.h"
#include "support/precision.h"

static int n_failures;
static c3d_backend ref, other;
static c3d_precision precision = C3D_PRECISION_FP32;

static void must(c3d_status st, const char *what)
{
    if (st == C3D_OK) return;
    printf("%s: %s\n", what, c3d_error_last()->message);
    exit(EXIT_FAILURE);
}

static void expect(bool holds, const char *what)
{
    if (holds) return;
    n_failures++;
    printf("%s: %s\n", other.ops->name, what);
}

/* Equal bits, except that any NaN equals any other. */
static void expect_same(const char *what, const float *got, const float *expected, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (isnan(got[i]) && isnan(expected[i])) continue;
        if (memcmp(&got[i], &expected[i], sizeof *got) == 0) continue;
        if (n_failures++ < 20)
            printf("%s: %s[%zu]: %.9g, expected %.9g\n", other.ops->name, what, i, (double)got[i],
                   (double)expected[i]);
    }
}

/* As above; where a device has its own exponential, which may differ in the last bit of a double,
 * the float next to it is right too. */
static void expect_function(const char *what, const float *got, const float *expected, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float limits[2] = { nextafterf(expected[i], -INFINITY),
                                  nextafterf(expected[i], INFINITY) };
        const bool is_next = got[i] == limits[0] || got[i] == limits[1];

        if (!other.ops->host_memory && is_next) continue;
        expect_same(what, &got[i], &expected[i], 1);
    }
}

static float *floats(size_t n)
{
    float *x = calloc(n + 1, sizeof *x);

    if (!x) abort();
    return x;
}

/* Backend memory that holds what `from` does; taken back with the second one. */
static void *given(c3d_backend *b, const void *from, size_t n_bytes)
{
    void *at;

    must(b->ops->alloc(b, n_bytes, &at), "alloc");
    must(b->ops->upload(b, at, from, n_bytes), "upload");
    return at;
}

static void take(c3d_backend *b, void *at, void *to, size_t n_bytes)
{
    must(b->ops->download(b, to, at, n_bytes), "download");
    b->ops->free(b, at);
}

static void fill(float *to, size_t n, unsigned stream)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (float)c3d_random_normal(9, C3D_STREAM(C3D_PURPOSE_TEST, stream), i);
}

/* ---- 16-bit copies ----------------------------------------------------------------------------
 */

static void expect_low(const char *what, const uint16_t *got, const float *from, size_t n)
{
    float *values = floats(n), *expected = floats(n);

    for (size_t i = 0; i < n; i++) {
        values[i] = low_value(precision, got[i]);
        expected[i] = nearest_low(precision, from[i]);
    }
    expect_same(what, values, expected, n);
    free(values);
    free(expected);
}

/* Every upper half with lower halves around the tie: zeros, denormals, infinities and NaN are among
 * them. */
static void check_to_low(void)
{
    static const uint32_t lower[] = { 0, 1, 0x7fff, 0x8000, 0x8001, 0xffff };
    const size_t n_each = C3D_COUNT(lower), n = n_each << 16;
    float *from = floats(n);
    uint16_t *low = calloc(n, sizeof *low);

    if (!low) abort();
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = (uint32_t)(i / n_each) << 16 | lower[i % n_each];

        memcpy(&from[i], &bits, sizeof bits);
    }
    float *const from_there = given(&other, from, n * sizeof *from);
    uint16_t *const low_there = given(&other, low, n * sizeof *low);
    const c3d_status st = other.ops->to_low(&other, n, from_there, low_there);
    take(&other, from_there, from, n * sizeof *from);
    take(&other, low_there, low, n * sizeof *low);
    if (!is_16_bits(precision)) {
        expect(st == C3D_EUNSUPPORTED, "32 bits have 16-bit copies");
    } else {
        must(st, "to_low");
        expect_low("16-bit copy", low, from, n);
    }
    free(from);
    free(low);
}

/* ---- input ----------------------------------------------------------------------------------- */

static void load(c3d_backend *b, c3d_shape s, const c3d_input *input, float *out)
{
    c3d_activation *x;

    must(b->ops->input_create(b, s, &x), "input_create");
    for (size_t i = 0; i < c3d_shape_count(s); i++) out[i] = 7;
    must(b->ops->activation_write(b, x, false, out), "activation_write");
    must(b->ops->input_load(b, x, input), "input_load");
    must(b->ops->sync(b), "sync");
    must(b->ops->activation_read(b, x, false, out), "activation_read");
    b->ops->activation_free(b, x);
}

static void check_input(void)
{
    static const c3d_shape shapes[] = { { 9, 3, 2, 5, 5 }, { 9, 5, 1, 16, 16 } };
    const uint8_t symmetry[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    float gain[8 * 5], offset[8 * 5];
    int16_t month_from[8 * 2];
    const float mean[5] = { 0.1F, 30, -2, 1e4F, 0 }, scale[5] = { 1, 0.01F, -3, 1e-4F, 1 };
    /* Random bytes are integers of every type, but no good floats. */
    static uint64_t values[9 * 5 * 16 * 16];
    static float reals[9 * 5 * 16 * 16];
    static double wide[9 * 5 * 16 * 16];
    float *got = floats(C3D_COUNT(values)), *expected = floats(C3D_COUNT(values));

    for (size_t i = 0; i < C3D_COUNT(values); i++) {
        values[i] = c3d_random_u64(1, C3D_STREAM(C3D_PURPOSE_TEST, 1), i) >> 12; /* below 2^52 */
        wide[i] = c3d_random_normal(1, C3D_STREAM(C3D_PURPOSE_TEST, 2), i);
        reals[i] = (float)wide[i];
    }
    fill(gain, C3D_COUNT(gain), 20);
    fill(offset, C3D_COUNT(offset), 21);
    for (int k = 0; k < 2; k++) {
        const c3d_shape stacked = { 9, shapes[k].c * shapes[k].d, 1, shapes[k].h, shapes[k].w };
        for (int i = 0; i < 8 * shapes[k].d; i++) month_from[i] = (int16_t)(i / 3 % shapes[k].d);
        for (int dtype = 0; dtype < C3D_DTYPES; dtype++) {
            c3d_input input = { .values = values,
                                .dtype = (c3d_dtype)dtype,
                                .n_samples = 8,
                                .mean = mean,
                                .scale = scale,
                                .symmetry = symmetry };

            if (dtype == C3D_F32) input.values = reals;
            if (dtype == C3D_F64) input.values = wide;
            load(&ref, shapes[k], &input, expected);
            load(&other, shapes[k], &input, got);
            round_all(precision, expected, c3d_shape_count(shapes[k]));
            expect_same(c3d_dtype_name((c3d_dtype)dtype), got, expected,
                        c3d_shape_count(shapes[k]));
            input.gain = gain, input.offset = offset, input.month_from = month_from;
            load(&ref, shapes[k], &input, expected);
            load(&other, shapes[k], &input, got);
            round_all(precision, expected, c3d_shape_count(shapes[k]));
            expect_same("augmented input", got, expected, c3d_shape_count(shapes[k]));
            input.n_stacked = shapes[k].d; /* lies in memory as before */
            load(&other, stacked, &input, got);
            expect_same("stacked input", got, expected, c3d_shape_count(shapes[k]));
        }
    }
    free(got);
    free(expected);
}

/* ---- loss ------------------------------------------------------------------------------------ */

static void loss_of(c3d_backend *b, int k, const float *logits, c3d_loss loss, float *grad)
{
    const c3d_op_desc desc = { .op = C3D_OP_LINEAR, .n_filters = k, .training = true };
    c3d_activation *x;
    c3d_plan *plan;

    must(b->ops->input_create(b, (c3d_shape){ 6, 3, 1, 1, 1 }, &x), "input_create");
    must(b->ops->plan(b, &desc, x, &plan), "plan");
    must(b->ops->activation_write(b, plan->y, false, logits), "activation_write");
    must(b->ops->loss(b, plan->y, &loss), "loss");
    must(b->ops->sync(b), "sync");
    must(b->ops->activation_read(b, plan->y, true, grad), "activation_read");
    b->ops->plan_free(b, plan);
    b->ops->activation_free(b, x);
}

/* Far more calls than a backend may keep under way: each has labels and losses of its own. */
static void check_many_calls(void)
{
    enum { CALLS = 150 };
    static int32_t labels[CALLS];
    static float losses[CALLS], logits[CALLS];
    const c3d_op_desc last = { .op = C3D_OP_LINEAR, .n_filters = 1, .training = true };
    c3d_activation *x;
    c3d_plan *plan;

    must(other.ops->input_create(&other, (c3d_shape){ 1, 8, 1, 1, 1 }, &x), "input_create");
    must(other.ops->plan(&other, &last, x, &plan), "plan");
    for (int i = 0; i < CALLS; i++) labels[i] = i % 3 == 0;
    logits[0] = 2;
    must(other.ops->activation_write(&other, plan->y, false, logits), "activation_write");
    for (int i = 0; i < CALLS; i++)
        must(other.ops->loss(
                 &other, plan->y,
                 &(c3d_loss){
                     .n_samples = 1, .labels = &labels[i], .grad_scale = 1, .losses = &losses[i] }),
             "loss");
    must(other.ops->sync(&other), "sync");
    for (int i = 0; i < CALLS; i++)
        expect(fabs((double)losses[i] - log1p(exp(labels[i] ? -2 : 2))) < 1e-6,
               "one of many losses");
    other.ops->plan_free(&other, plan);
    other.ops->activation_free(&other, x);
}

static void check_loss(int k, float gamma)
{
    const int32_t labels[5] = { 0, 1, 1, 0, 1 };
    const float weights[5] = { 1, 0.5F, 2, 0, 1 };
    float logits[6 * 4], losses[2][5], scores[2][5 * 4], grads[2][6 * 4];
    const size_t n = 6 * (size_t)k;

    fill(logits, n, 3);
    logits[0] = 200;
    logits[n / 6] = NAN;
    for (int i = 0; i < 2; i++)
        loss_of(i == 0 ? &ref : &other, k, logits,
                (c3d_loss){ .n_samples = 5,
                            .labels = labels,
                            .weights = weights,
                            .focal_gamma = gamma,
                            .grad_scale = 0.125F,
                            .losses = losses[i],
                            .scores = scores[i],
                            .with_grad = true },
                grads[i]);
    expect_function("losses", losses[1], losses[0], 5);
    expect_function("scores", scores[1], scores[0], 5 * (size_t)k);
    expect_function("gradient of the logits", grads[1], grads[0], n);
}

/* ---- updates --------------------------------------------------------------------------------- */

/* Gradient, m, v, parameter, 16-bit copy of one backend. */
typedef struct adam_memory {
    float *grad, *state[3];
    uint16_t *low;
} adam_memory;

static adam_memory adam_open(c3d_backend *b, const float *param, size_t n)
{
    float *zeros = floats(n);
    adam_memory a = { .grad = given(b, zeros, n * sizeof *zeros) };

    for (int i = 0; i < 3; i++) a.state[i] = given(b, i == 2 ? param : zeros, n * sizeof *zeros);
    if (b == &other && is_16_bits(precision)) a.low = given(b, zeros, n * sizeof *a.low);
    free(zeros);
    return a;
}

static void adam_step(c3d_backend *b, const adam_memory *a, const c3d_adam *adam, const float *grad,
                      size_t n)
{
    const c3d_adam_arrays arrays = { n, a->grad, a->state[0], a->state[1], a->state[2], a->low };

    must(b->ops->upload(b, a->grad, grad, n * sizeof *grad), "upload");
    must(b->ops->adam(b, adam, &arrays), "adam");
}

/* Both compute the same expression of IEEE operations without contraction: equal bits. */
static void check_adam(void)
{
    const size_t n = 10007;
    c3d_adam adam = { .rate = 3e-3,
                      .beta1 = 0.9,
                      .beta2 = 0.999,
                      .epsilon = 1e-8,
                      .weight_decay = 0.1,
                      .grad_scale = 0.3F };
    c3d_backend *const backends[2] = { &ref, &other };
    float *grad = floats(n), *state[2] = { floats(n), floats(n) };
    uint16_t *low = calloc(n, sizeof *low);
    adam_memory memory[2];

    if (!low) abort();
    fill(grad, n, 4);
    for (int i = 0; i < 2; i++) memory[i] = adam_open(backends[i], grad, n);
    for (adam.t = 1; adam.t <= 3; adam.t++) {
        fill(grad, n, 5 + (unsigned)adam.t);
        grad[17] = 0;
        grad[18] = 1e-30F;
        for (int i = 0; i < 2; i++) adam_step(backends[i], &memory[i], &adam, grad, n);
    }
    for (int i = 0; i < 2; i++) take(backends[i], memory[i].grad, grad, n * sizeof *grad);
    for (int s = 0; s < 3; s++) {
        for (int i = 0; i < 2; i++)
            take(backends[i], memory[i].state[s], state[i], n * sizeof *grad);
        expect_same("Adam", state[1], state[0], n);
    }
    if (memory[1].low) {
        take(&other, memory[1].low, low, n * sizeof *low);
        expect_low("Adam's 16-bit copy", low, state[0], n);
    }
    free(low);
    free(grad);
    for (int i = 0; i < 2; i++) free(state[i]);
}

static double squares(c3d_backend *b, const float *x, size_t n)
{
    float *const there = given(b, x, n * sizeof *x);
    double sum = 0;
    double *const at = given(b, &sum, sizeof sum);

    must(b->ops->sum_squares(b, there, n, at), "sum_squares");
    take(b, at, &sum, sizeof sum);
    b->ops->free(b, there);
    return sum;
}

/* One rounding an element, so every backend gives the bits of "ref"; from any place of an arena. */
static void check_add(void)
{
    enum { N = 5003, SHIFT = 3, ROOM = N + SHIFT };
    float *from = floats(ROOM), *to = floats(ROOM), *expected = floats(ROOM);

    fill(from, ROOM, 21);
    fill(to, ROOM, 22);
    from[2] = to[2] = -0.0F; /* whose sum is -0 */
    for (size_t shift = 0; shift <= SHIFT; shift += SHIFT) {
        memcpy(expected, to, ROOM * sizeof *to);
        for (size_t i = shift; i < N + shift; i++) expected[i] = to[i] + from[i];
        float *const from_there = given(&other, from, ROOM * sizeof *from);
        float *const to_there = given(&other, to, ROOM * sizeof *to);
        must(other.ops->add(&other, N, from_there + shift, to_there + shift), "add");
        take(&other, from_there, from, ROOM * sizeof *from);
        take(&other, to_there, to, ROOM * sizeof *to);
        expect(memcmp(to, expected, ROOM * sizeof *to) == 0, "sum of gradients");
    }
    free(from);
    free(to);
    free(expected);
}

static void check_sum_doubles(void)
{
    enum { N = 1000 };
    double x[N + 1], expected = 0;

    for (int i = 0; i < N; i++) {
        x[i] = ldexp(1 + i % 7, i % 40 - 20); /* sums of these are exact */
        expected += x[i];
    }
    for (int n = 0; n <= 1; n++) {
        x[N] = 0;
        double *const at = given(&other, x, sizeof x);
        must(other.ops->sum_doubles(&other, at, n ? N : 0, at + N), "sum_doubles");
        take(&other, at, x, sizeof x);
        expect(x[N] == (n ? expected : 0), "sum of doubles");
    }
}

static void check_sum_squares(const char *name)
{
    static const size_t sizes[] = { 0, 1, 7, 1024, 1025, 100003 };
    float *x = floats(100003);

    fill(x, 100003, 8);
    for (size_t k = 0; k < C3D_COUNT(sizes); k++) {
        const size_t n = sizes[k];
        const double a = squares(&ref, x, n), b = squares(&other, x, n);

        /* Positive terms in double, in another order. */
        expect(fabs(a - b) <= 4 * sqrt((double)n) * 0x1p-53 * a, "sum of squares");
        for (int n_threads = 1; n_threads <= 3; n_threads++) {
            c3d_backend threaded;

            must(c3d_backend_open(
                     &threaded, name,
                     &(c3d_backend_options){ .n_threads = n_threads, .precision = precision }),
                 name);
            expect(squares(&threaded, x, n) == b, "sum of squares depends on threads");
            c3d_backend_close(&threaded);
        }
    }
    x[50001] = INFINITY;
    expect(isinf(squares(&other, x, 100003)), "sum of squares hides an infinity");
    x[50001] = NAN;
    expect(isnan(squares(&other, x, 100003)), "sum of squares hides a NaN");
    free(x);
}

/* ---- pool: ties and values that are not numbers ------------------------------------------------
 */

/* What a pool may give where nothing won: -FLT_MAX, with 16 bits the least finite number or below.
 */
static bool is_least(float y)
{
    if (precision == C3D_PRECISION_FP16) return y <= -65504;
    return precision == C3D_PRECISION_BF16 ? y <= -0x1.fep127F : y == -FLT_MAX;
}

static void check_pool_specials(int channels, int months, int pad)
{
    static const float specials[] = { 0, -0.0F, 1, 1, NAN, INFINITY, -INFINITY, -1 };
    const op_case c = { "pool",
                        { .op = C3D_OP_POOL,
                          .kernel = { months > 1 ? 2 : 1, 2, 2 },
                          .stride = { months > 1 ? 2 : 1, 2, 2 },
                          .pad_before = { 0, pad, pad },
                          .pad_after = { 0, pad, 0 },
                          .training = true,
                          .needs_x_grad = true },
                        { 2, channels, months, 12, 12 },
                        0,
                        false };
    op_arrays got, expected;

    op_arrays_create(&got, &c);
    op_arrays_create(&expected, &c);
    for (size_t i = 0; i < got.n[OP_X]; i++) {
        const uint64_t draw = c3d_random_below(2, C3D_STREAM(C3D_PURPOSE_TEST, 10), i, 8);

        got.data[OP_X][i] = expected.data[OP_X][i] = specials[draw];
    }
    fill(got.data[OP_DY], got.n[OP_DY], 11);
    round_all(precision, got.data[OP_DY], got.n[OP_DY]);
    must(op_run(&ref, &c, &expected), "pool");
    /* Where nothing won, the way of the gradient is not defined. */
    for (size_t i = 0; i < got.n[OP_DY]; i++)
        if (expected.data[OP_Y][i] == -FLT_MAX) got.data[OP_DY][i] = 0;
    memcpy(expected.data[OP_DY], got.data[OP_DY], got.n[OP_DY] * sizeof(float));
    must(op_run(&ref, &c, &expected), "pool");
    must(op_run(&other, &c, &got), "pool");
    for (size_t i = 0; i < got.n[OP_Y]; i++)
        if (expected.data[OP_Y][i] == -FLT_MAX && is_least(got.data[OP_Y][i]))
            expected.data[OP_Y][i] = got.data[OP_Y][i];
    expect_same("pool of special values: y", got.data[OP_Y], expected.data[OP_Y], got.n[OP_Y]);
    expect_same("pool of special values: dx", got.data[OP_DX], expected.data[OP_DX], got.n[OP_DX]);
    op_arrays_free(&got);
    op_arrays_free(&expected);
}

/* ---- dropout --------------------------------------------------------------------------------- */

static void check_dropout_share(double rate)
{
    const op_case c = {
        "dropout",
        { .op = C3D_OP_DROPOUT, .rate = rate, .dropout_layer = 2, .training = true },
        { 4, 4096, 1, 1, 1 },
        0,
        false
    };
    const double n = 4 * 4096, spread = 5 * sqrt(n * rate * (1 - rate));
    float kept = (float)(1 / (1 - rate));
    double n_kept = 0;
    op_arrays a;

    op_arrays_create(&a, &c);
    round_all(precision, &kept, 1);
    for (size_t i = 0; i < a.n[OP_X]; i++) a.data[OP_X][i] = 1;
    must(op_run(&other, &c, &a), "dropout");
    for (size_t i = 0; i < a.n[OP_Y]; i++) {
        expect(a.data[OP_Y][i] == 0 || a.data[OP_Y][i] == kept, "dropout's two values");
        n_kept += a.data[OP_Y][i] != 0;
    }
    expect(fabs(n_kept - n * (1 - rate)) <= spread, "dropout's share");
    expect(memcmp(a.data[OP_Y], a.data[OP_Y] + 4096, 4096 * sizeof(float)) != 0,
           "dropout treats rows alike");
    op_arrays_free(&a);
}

/* ---- rows and plans ----------------------------------------------------------------------------
 */

static const op_case row_cases[] = {
    { "rows of conv",
      { .op = C3D_OP_CONV,
        .n_filters = 32,
        .kernel = { 3, 3, 3 },
        .stride = { 1, 1, 1 },
        .pad_before = { 1, 1, 1 },
        .pad_after = { 1, 1, 1 },
        .relu = true,
        .training = true,
        .needs_x_grad = true },
      { 3, 16, 2, 6, 6 },
      2,
      false },
    { "rows of the first conv",
      { .op = C3D_OP_CONV,
        .n_filters = 16,
        .kernel = { 3, 3, 3 },
        .stride = { 1, 1, 1 },
        .pad_before = { 1, 1, 1 },
        .pad_after = { 1, 1, 1 },
        .relu = true,
        .training = true },
      { 3, 4, 4, 8, 8 },
      2,
      false },
    { "rows of linear, from maps",
      { .op = C3D_OP_LINEAR,
        .n_filters = 64,
        .relu = true,
        .training = true,
        .needs_x_grad = true },
      { 3, 32, 1, 2, 2 },
      2,
      false },
    { "rows of linear",
      { .op = C3D_OP_LINEAR, .n_filters = 100, .training = true, .needs_x_grad = true },
      { 5, 300, 1, 1, 1 },
      2,
      false },
    { "rows of the last linear",
      { .op = C3D_OP_LINEAR, .n_filters = 1, .training = true, .needs_x_grad = true },
      { 7, 256, 1, 1, 1 },
      2,
      false },
};

static void fill_case(op_arrays *a)
{
    for (int i = 0; i < OP_ARRAYS; i++) fill(a->data[i], a->n[i], 20 + (unsigned)i);
}

/* Rows in use give the same bits whatever finite values the unused row holds, forward and in all
 * gradients; so does a plan without training, forward; so does a second run. */
static void check_rows(const op_case *c)
{
    op_case forward_only = *c;
    op_arrays a, b;

    forward_only.op.training = forward_only.op.needs_x_grad = false;
    op_arrays_create(&a, c);
    op_arrays_create(&b, c);
    fill_case(&a);
    fill_case(&b);
    must(op_run(&other, c, &a), c->name);
    fill(b.data[OP_X] + op_used(c, OP_X), b.n[OP_X] - op_used(c, OP_X), 40);
    must(op_run(&other, c, &b), c->name);
    expect_same(c->name, b.data[OP_Y], a.data[OP_Y], op_used(c, OP_Y));
    if (c->op.needs_x_grad) expect_same(c->name, b.data[OP_DX], a.data[OP_DX], op_used(c, OP_DX));
    expect_same(c->name, b.data[OP_DW], a.data[OP_DW], a.n[OP_DW]);
    expect_same(c->name, b.data[OP_DB], a.data[OP_DB], a.n[OP_DB]);
    must(op_run(&other, &forward_only, &b), c->name);
    expect_same(c->name, b.data[OP_Y], a.data[OP_Y], op_used(c, OP_Y));
    op_arrays_free(&a);
    op_arrays_free(&b);
}

/* Import then export gives the same bits, and what only pads is zero. */
static void check_params(const op_case *c)
{
    c3d_activation *x;
    c3d_plan *plan;

    must(other.ops->input_create(&other, c->x, &x), "input_create");
    must(other.ops->plan(&other, &c->op, x, &plan), "plan");
    for (int which = 0; which < 2; which++) {
        const size_t n = plan->param_n[which], n_physical = plan->param_n_physical[which];
        float *canonical = floats(n), *back = floats(n);
        float *held = floats(n_physical);
        size_t n_zero = 0;

        for (size_t i = 0; i < n_physical; i++) held[i] = 3; /* import must clear it */
        float *const physical = given(&other, held, n_physical * sizeof *held);
        for (size_t i = 0; i < n; i++) canonical[i] = (float)(i + 1);
        must(other.ops->param_import(&other, plan, which, canonical, physical), "param_import");
        must(other.ops->param_export(&other, plan, which, physical, back), "param_export");
        expect_same("exported parameter", back, canonical, n);
        take(&other, physical, held, n_physical * sizeof *held);
        for (size_t i = 0; i < n_physical; i++) n_zero += held[i] == 0;
        expect(n_zero == n_physical - n && n_physical % 16 == 0, "padding of a parameter");
        free(held);
        free(canonical);
        free(back);
    }
    other.ops->plan_free(&other, plan);
    other.ops->activation_free(&other, x);
}

static void check_backend(const char *name)
{
    open_or_skip(
        &other, name,
        &(c3d_backend_options){ .n_threads = 2, .precision = precision, .deterministic = true });
    check_to_low();
    check_add();
    check_input();
    check_loss(1, 0);
    check_loss(4, 0);
    check_loss(1, 2);
    check_loss(4, 0.5F);
    check_many_calls();
    check_adam();
    check_sum_squares(name);
    check_sum_doubles();
    for (int k = 0; k < 8; k++) check_pool_specials(k & 1 ? 16 : 3, k & 2 ? 4 : 1, k & 4 ? 1 : 0);
    check_dropout_share(0.5);
    check_dropout_share(0.1);
    for (size_t k = 0; k < C3D_COUNT(row_cases); k++) {
        check_rows(&row_cases[k]);
        check_params(&row_cases[k]);
    }
    c3d_backend_close(&other);
}

int main(int argc, char **argv)
{
    must(c3d_backend_open(&ref, "ref", &(c3d_backend_options){ 0 }), "ref");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--precision") == 0 && i + 1 < argc)
            precision = precision_of(argv[++i]);
        else
            check_backend(argv[i]);
    }
    c3d_backend_close(&ref);
    if (n_failures > 0) printf("%d differences\n", n_failures);
    return n_failures == 0 && argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
