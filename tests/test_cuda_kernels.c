/* The CUDA kernels for input, dropout, loss and update against ref and the functions that all
 * backends in host memory share; run on the host in different orders of threads, or on a GPU. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

#include "backend/host.h"
#include "support/lanes.h"

#define N_SEEDS 3

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

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != C3D_OK) fail_msg("%s", c3d_error_last()->message);                           \
    } while (0)

/* The same number, or both NaN. */
static bool is_same(float a, float b)
{
    return isnan(a) ? isnan(b) : a == b && !signbit(a) == !signbit(b);
}

/* ---- input ----------------------------------------------------------------------------------- */

typedef struct input_case {
    const char *name;
    c3d_shape shape;
    int n_samples;
    bool symmetry, gain, month_from;
} input_case;

static const input_case input_cases[] = {
    { "plain", { 2, 4, 3, 17, 35 }, 2, false, false, false },
    { "all of it", { 3, 3, 5, 19, 19 }, 2, true, true, true },
    { "one band, one month", { 1, 1, 1, 1, 1 }, 1, true, false, true },
    { "flips of what is no square", { 4, 2, 2, 5, 33 }, 4, true, true, false },
    { "many bands and months", { 2, 20, 45, 4, 4 }, 1, true, true, true },
    { "no samples", { 2, 9, 2, 3, 18 }, 0, false, false, false },
};

static void fill_values(void *values, c3d_dtype dtype, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t bits = c3d_random_u64(5, C3D_STREAM(C3D_PURPOSE_TEST, 1), i);
        const double number = i % 13 == 5 ? (double)NAN : 1e6 * (double)lanes_draw(2, i);
        const float as_float = (float)number;
        const uint64_t seven = 7;

        if (dtype == C3D_F64)
            ((double *)values)[i] = number;
        else if (dtype == C3D_F32)
            ((float *)values)[i] = as_float;
        else /* bytes in memory come lowest first */
            memcpy((char *)values + i * c3d_dtype_size(dtype), i % 9 == 0 ? &seven : &bits,
                   c3d_dtype_size(dtype));
    }
}

typedef struct input_arrays {
    float mean[20], scale[20], gain[4 * 20], offset[4 * 20];
    uint8_t symmetry[4];
    int16_t month_from[4 * 45];
    void *values;
} input_arrays;

static void fill_input(input_arrays *a, const input_case *c, c3d_dtype dtype)
{
    const size_t n = (size_t)c->n_samples * c3d_shape_sample_count(c->shape);

    for (size_t k = 0; k < 20; k++) {
        a->mean[k] = lanes_draw(3, k) * 1000;
        a->scale[k] = lanes_draw(4, k) / 1000;
    }
    a->mean[0] = 7; /* of which there are some: (7 - 7) scale is -0, and 0 with an offset of 0 */
    a->scale[0] = -.5F;
    for (size_t i = 0; i < C3D_COUNT(a->gain); i++) {
        a->gain[i] = 1 + lanes_draw(5, i) / 4;
        a->offset[i] = lanes_draw(6, i) / 4;
    }
    for (size_t r = 0; r < 4; r++) {
        const unsigned any = (unsigned)c3d_random_below(7, 8, r, 8);

        a->symmetry[r] = (uint8_t)(c->shape.h == c->shape.w ? any : any & 3);
    }
    for (size_t i = 0; i < C3D_COUNT(a->month_from); i++)
        a->month_from[i] = (int16_t)c3d_random_below(8, 8, i, (uint64_t)c->shape.d);
    a->values = lanes_garbage(n * c3d_dtype_size(dtype));
    fill_values(a->values, dtype, n);
}

/* As ref loads it; to be freed. */
static float *input_of_ref(const input_case *c, const input_arrays *a, c3d_dtype dtype)
{
    const c3d_input input = { .values = a->values,
                              .dtype = dtype,
                              .n_samples = c->n_samples,
                              .mean = a->mean,
                              .scale = a->scale,
                              .symmetry = c->symmetry ? a->symmetry : NULL,
                              .gain = c->gain ? a->gain : NULL,
                              .offset = c->gain ? a->offset : NULL,
                              .month_from = c->month_from ? a->month_from : NULL };
    float *const out = lanes_garbage(c3d_shape_count(c->shape) * sizeof *out);
    c3d_activation *x;

    OK(ref.ops->input_create(&ref, c->shape, &x));
    OK(ref.ops->input_load(&ref, x, &input));
    OK(ref.ops->activation_read(&ref, x, false, out));
    ref.ops->activation_free(&ref, x);
    return out;
}

/* Of a shape as the case has it, or with its months stacked: in plain order they are the same. */
static void check_input(const input_case *c, const input_arrays *a, c3d_dtype dtype,
                        c3d_cuda_type type, bool is_stacked, const float *expected)
{
    const c3d_shape s = c->shape, stacked = { s.n, s.c * s.d, 1, s.h, s.w };
    const c3d_shape shape = is_stacked ? stacked : s;
    const size_t n_bytes = lanes_count(shape) * lanes_element(type);
    const c3d_cuda_input input = { .values = a->values,
                                   .dtype = dtype,
                                   .shape = shape,
                                   .n_stacked = is_stacked ? s.d : 0,
                                   .n_samples = c->n_samples,
                                   .n_lanes = lanes_rounded(shape.c),
                                   .mean = a->mean,
                                   .scale = a->scale,
                                   .symmetry = c->symmetry ? a->symmetry : NULL,
                                   .gain = c->gain ? a->gain : NULL,
                                   .offset = c->gain ? a->offset : NULL,
                                   .month_from = c->month_from ? a->month_from : NULL,
                                   .x = lanes_garbage(n_bytes),
                                   .type = type };
    LAUNCHED(c3d_cuda_input_load(NULL, &input));
    float *const got = lanes_to(shape, type, input.x);
    for (size_t i = 0; i < c3d_shape_count(shape); i++)
        if (!is_same(got[i], lanes_nearest(type, expected[i])))
            fail_msg("%s, %s to %s: x[%zu] is %.9g, expected %.9g", c->name, c3d_dtype_name(dtype),
                     lanes_type_names[type], i, (double)got[i], (double)expected[i]);
    lanes_free(got);
    lanes_free(input.x);
}

static void input_is_that_of_ref(void **state)
{
    (void)state;
    for (size_t i = 0; i < C3D_COUNT(input_cases); i++)
        for (c3d_dtype dtype = C3D_F32; dtype < C3D_DTYPES; dtype++) {
            input_arrays *const a = lanes_garbage(sizeof *a);

            fill_input(a, &input_cases[i], dtype);
            float *const expected = input_of_ref(&input_cases[i], a, dtype);
            for (c3d_cuda_type type = C3D_CUDA_F32; type <= C3D_CUDA_F16; type++) {
                lanes_order((uint64_t)dtype); /* 0: in order */
                check_input(&input_cases[i], a, dtype, type, false, expected);
                check_input(&input_cases[i], a, dtype, type, true, expected);
            }
            lanes_free(expected);
            lanes_free(a->values);
            lanes_free(a);
        }
}

/* ---- dropout --------------------------------------------------------------------------------- */

static void check_dropout(c3d_shape shape, int n_samples, double rate, c3d_cuda_type type)
{
    static const uint64_t all_keys[4] = { 7, UINT64_C(0x100000007), ~UINT64_C(0), 1 };
    const size_t n = c3d_shape_count(shape), n_row = c3d_shape_sample_count(shape);
    const size_t n_bytes = lanes_count(shape) * lanes_element(type);
    uint64_t *const keys = lanes_garbage(sizeof all_keys);
    const c3d_cuda_dropout dropout = { .shape = shape,
                                       .n_samples = n_samples,
                                       .n_lanes = lanes_rounded(shape.c),
                                       .layer = 3,
                                       .rate = rate,
                                       .seed = UINT64_C(0xfedcba9876543210),
                                       .row_keys = keys,
                                       .type = type };
    float *const x = lanes_garbage(n * sizeof *x), *const mask = lanes_garbage(n * sizeof *mask);
    void *const to = lanes_garbage(n_bytes);

    memcpy(keys, all_keys, sizeof all_keys);
    for (size_t i = 0; i < n; i++)
        x[i] = i % 17 == 4 ? INFINITY : lanes_nearest(type, lanes_draw(9, i));
    for (size_t r = 0; r < (size_t)n_samples; r++)
        c3d_dropout_mask(dropout.seed, 3, rate, keys[r], n_row, mask + r * n_row);
    void *const from = lanes_from(shape, type, x);
    LAUNCHED(c3d_cuda_dropout_apply(NULL, &dropout, from, to));
    float *const y = lanes_to(shape, type, to);
    for (size_t i = 0; i < n; i++) {
        const bool used = i < (size_t)n_samples * n_row;
        const float expected = used ? lanes_nearest(type, x[i] * mask[i]) : 0;

        if (!is_same(y[i], expected))
            fail_msg("dropout of %g, %s: y[%zu] is %g, expected %g", rate, lanes_type_names[type],
                     i, (double)y[i], (double)expected);
    }
    lanes_free(y);
    lanes_free(from);
    lanes_free(to);
    lanes_free(mask);
    lanes_free(x);
    lanes_free(keys);
}

static void dropout_is_the_mask(void **state)
{
    static const struct {
        c3d_shape shape;
        int n_samples;
        double rate;
    } cases[] = { { { 3, 4099, 1, 1, 1 }, 2, .5 }, { { 2, 20, 3, 5, 7 }, 2, .3 },
                  { { 4, 1, 1, 2, 1 }, 3, 0 },     { { 1, 3, 1, 1, 1 }, 1, 1 - 0x1p-40 },
                  { { 2, 9, 2, 1, 2 }, 0, .5 },    { { 1, 1028, 1, 3, 1 }, 1, 0x1p-3 } };

    (void)state;
    for (size_t i = 0; i < C3D_COUNT(cases); i++)
        for (c3d_cuda_type type = C3D_CUDA_F32; type <= C3D_CUDA_F16; type++) {
            lanes_order((uint64_t)type);
            check_dropout(cases[i].shape, cases[i].n_samples, cases[i].rate, type);
        }
}

/* ---- loss ------------------------------------------------------------------------------------ */

/* Functions in double may differ in their last place, so that a float may be the next one. */
static void expect_float(const char *what, size_t i, float got, float expected)
{
    const double bound = 0x1.01p-23 * fabs((double)expected) + 0x1p-149;

    if (isnan(expected)
            ? !isnan(got)
            : !is_same(got, expected) && !(fabs((double)got - (double)expected) <= bound))
        fail_msg("%s[%zu] is %.9g, expected %.9g", what, i, (double)got, (double)expected);
}

static void check_loss(int n, int n_samples, int k, float gamma, bool plain)
{
    const size_t n_logits = (size_t)n * (size_t)k, n_lanes = (size_t)lanes_rounded(k);
    const size_t count = (size_t)n_samples;
    float *const logits = lanes_garbage(n_logits * sizeof(float));
    float *const lanes = lanes_garbage((size_t)n * n_lanes * sizeof(float));
    float *const grad = lanes_garbage(n_logits * sizeof(float));
    float *const lanes_grad = lanes_garbage((size_t)n * n_lanes * sizeof(float));
    float *const results[4] = { lanes_garbage(count * sizeof(float)),
                                lanes_garbage(count * (size_t)k * sizeof(float)),
                                lanes_garbage(count * sizeof(float)),
                                lanes_garbage(count * (size_t)k * sizeof(float)) };
    int32_t *const labels = lanes_garbage(count * sizeof *labels);
    float *const weights = lanes_garbage(count * sizeof *weights);

    for (size_t i = 0; i < n_logits; i++)
        logits[i] = i % 23 == 22 ? NAN : i % 29 == 28 ? 800 : lanes_draw(10, i) * 30;
    for (size_t r = 0; r < (size_t)n; r++)
        memcpy(lanes + r * n_lanes, logits + r * (size_t)k, (size_t)k * sizeof(float));
    for (size_t r = 0; r < count; r++) {
        labels[r] = (int32_t)c3d_random_below(9, 9, r, k == 1 ? 2 : (uint64_t)k);
        weights[r] = 1 + lanes_draw(11, r);
    }
    const c3d_loss loss = { .n_samples = n_samples,
                            .labels = labels,
                            .weights = plain ? NULL : weights,
                            .focal_gamma = gamma,
                            .grad_scale = .125F,
                            .losses = results[0],
                            .scores = results[1],
                            .with_grad = true };
    const c3d_cuda_loss on_device = { n,      n_samples,    k,     (int)n_lanes,
                                      labels, loss.weights, gamma, .125F };
    OK(c3d_host_loss(logits, grad, n, k, &loss));
    LAUNCHED(c3d_cuda_loss_run(NULL, &on_device, lanes, results[2], plain ? NULL : results[3],
                               lanes_grad));
    for (size_t i = 0; i < count; i++) expect_float("loss", i, results[2][i], results[0][i]);
    for (size_t i = 0; !plain && i < count * (size_t)k; i++)
        expect_float("score", i, results[3][i], results[1][i]);
    for (size_t i = 0; i < (size_t)n * n_lanes; i++) {
        const size_t r = i / n_lanes, c = i % n_lanes;

        expect_float("gradient", i, lanes_grad[i], c < (size_t)k ? grad[r * (size_t)k + c] : 0);
    }
    LAUNCHED(c3d_cuda_loss_run(NULL, &on_device, lanes, results[2], results[3], NULL));
    void *const all[] = { logits,  lanes,      grad,       lanes_grad, labels,
                          weights, results[0], results[1], results[2], results[3] };
    for (size_t i = 0; i < C3D_COUNT(all); i++) lanes_free(all[i]);
}

static void loss_is_the_hosts(void **state)
{
    static const int outputs[] = { 1, 2, 9, 20 };

    (void)state;
    for (size_t i = 0; i < C3D_COUNT(outputs); i++)
        for (int mode = 0; mode < 4; mode++) {
            lanes_order((uint64_t)mode);
            check_loss(67, mode == 3 ? 0 : 67 - 5 * mode, outputs[i], mode == 1 ? 2 : 0, mode == 2);
            check_loss(1, 1, outputs[i], .5F, false);
        }
}

/* ---- Adam ------------------------------------------------------------------------------------ */

typedef struct adam_case {
    const char *name;
    size_t n, shift; /* arrays begin so many elements behind what is aligned */
    double clip_norm, squares;
    bool with_squares;
    int low; /* type, or -1 */
} adam_case;

static const adam_case adam_cases[] = {
    { "plain", 4096, 0, 0, 0, false, -1 },
    { "odd number", 4999, 0, 0, 5, true, C3D_CUDA_BF16 },
    { "clipped", 1023, 0, 1, 5e3, true, C3D_CUDA_F16 },
    { "not clipped", 70001, 0, 100, 5, true, C3D_CUDA_BF16 },
    { "not aligned", 1029, 1, 2, 5e2, true, C3D_CUDA_F16 },
    { "not aligned, no copy", 2, 3, 0, 0, false, -1 },
    { "squares not a number", 300, 0, 1, NAN, true, C3D_CUDA_BF16 },
    { "squares infinite", 300, 0, 0, INFINITY, true, -1 },
    { "nothing", 0, 0, 0, 0, false, C3D_CUDA_BF16 },
};

enum { GRAD, M, V, PARAM, ADAM_ARRAYS };

/* Fills arrays of n + shift elements, whose first shift are nobody's. */
static c3d_adam_arrays adam_arrays(const adam_case *c, float *arrays[ADAM_ARRAYS], uint16_t *low)
{
    for (unsigned a = 0; a < ADAM_ARRAYS; a++) {
        arrays[a] = lanes_garbage((c->n + c->shift) * sizeof(float));
        for (size_t i = 0; i < c->n + c->shift; i++) {
            const float x = lanes_draw(12 + a, i);

            arrays[a][i] = a == V ? x * x : a == GRAD && i % 97 == 50 ? 0 : x;
        }
    }
    return (c3d_adam_arrays){ .n = c->n,
                              .grad = arrays[GRAD] + c->shift,
                              .m = arrays[M] + c->shift,
                              .v = arrays[V] + c->shift,
                              .param = arrays[PARAM] + c->shift,
                              .low = low ? low + c->shift : NULL };
}

static void check_adam(const adam_case *c, uint64_t seed)
{
    const size_t n_all = c->n + c->shift;
    uint16_t *const low = c->low >= 0 ? lanes_garbage(n_all * sizeof *low) : NULL;
    float *expected[ADAM_ARRAYS], *got[ADAM_ARRAYS];
    double *const squares = lanes_garbage(sizeof *squares);
    const c3d_adam adam = { .rate = 1e-3,
                            .beta1 = .9,
                            .beta2 = .999,
                            .epsilon = 1e-8,
                            .weight_decay = .01,
                            .t = 7,
                            .grad_scale = .25F,
                            .clip_norm = c->clip_norm,
                            .squares = c->with_squares ? squares : NULL };
    const bool still = c->with_squares && !isfinite(c->squares);
    const c3d_adam_arrays of_ref = adam_arrays(c, expected, NULL), ours = adam_arrays(c, got, low);

    *squares = c->squares;
    lanes_order(seed);
    OK(ref.ops->adam(&ref, &adam, &of_ref));
    LAUNCHED(c3d_cuda_adam(NULL, &adam, &ours, c->low >= 0 ? (c3d_cuda_type)c->low : C3D_CUDA_F32));
    for (int a = 0; a < ADAM_ARRAYS; a++) {
        if (memcmp(expected[a], got[a], n_all * sizeof(float)) != 0)
            fail_msg("adam, %s: array %d is not ref's", c->name, a);
        lanes_free(expected[a]);
    }
    for (size_t i = 0; low && i < n_all; i++) {
        uint16_t rounded;

        lanes_set((c3d_cuda_type)c->low, &rounded, 0, got[PARAM][i]);
        if (still || i < c->shift) rounded = 0xffff;
        if (low[i] != rounded) fail_msg("adam, %s: low[%zu] is %x", c->name, i, low[i]);
    }
    for (int a = 0; a < ADAM_ARRAYS; a++) lanes_free(got[a]);
    lanes_free(low);
    lanes_free(squares);
}

static void adam_is_that_of_ref_to_the_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < C3D_COUNT(adam_cases); i++)
        for (uint64_t seed = 0; seed < N_SEEDS; seed++) check_adam(&adam_cases[i], seed);
}

/* ---- conversions and sums -------------------------------------------------------------------- */

static const size_t sizes[] = { 0, 1, 4, 1023, 4099, 30011 };

static void check_low(size_t n, size_t shift, c3d_cuda_type type)
{
    float *const from = lanes_garbage((n + shift) * sizeof *from);
    float *const back = lanes_garbage((n + shift) * sizeof *back);
    uint16_t *const low = lanes_garbage((n + shift) * sizeof *low);

    for (size_t i = 0; i < n + shift; i++) {
        from[i] = ldexpf(lanes_draw(20, i), (int)(i % 61) - 40);
        if (i % 19 == 7) from[i] = i % 2 ? NAN : 3e38F;
        if (i % 23 == 3) from[i] = 1 + (float)(i % 8) * 0x1p-9F; /* ties */
        back[i] = .5F;
    }
    LAUNCHED(c3d_cuda_to_low(NULL, n, from + shift, low + shift, type));
    for (size_t i = shift; i < n + shift; i++)
        if (!is_same(lanes_get(type, low, i), lanes_nearest(type, from[i])))
            fail_msg("to %s: element %zu, %.9g", lanes_type_names[type], i, (double)from[i]);
    LAUNCHED(c3d_cuda_from_low(NULL, n, low + shift, type, back + shift, false));
    for (size_t i = shift; i < n + shift; i++)
        assert_true(is_same(back[i], lanes_get(type, low, i)));
    LAUNCHED(c3d_cuda_from_low(NULL, n, low + shift, type, back + shift, true));
    LAUNCHED(c3d_cuda_add(NULL, n, from + shift, back + shift));
    for (size_t i = 0; i < n + shift; i++) {
        const float once = lanes_get(type, low, i), expected = once + once + from[i];

        assert_true(is_same(back[i], i < shift ? .5F : expected));
    }
    lanes_free(low);
    lanes_free(back);
    lanes_free(from);
}

static void conversions_round_to_the_nearest(void **state)
{
    (void)state;
    for (size_t i = 0; i < C3D_COUNT(sizes); i++)
        for (size_t shift = 0; shift < 4; shift++) {
            lanes_order(shift);
            check_low(sizes[i], shift, C3D_CUDA_BF16);
            check_low(sizes[i], shift, C3D_CUDA_F16);
        }
    assert_int_equal(c3d_cuda_to_low(NULL, 1, NULL, NULL, C3D_CUDA_F32), cudaErrorInvalidValue);
}

static double squares_of(const float *x, size_t n)
{
    double *const partials = lanes_garbage((C3D_CUDA_SQUARES_DOUBLES + 1) * sizeof *partials);
    double *const out = partials + C3D_CUDA_SQUARES_DOUBLES;

    LAUNCHED(c3d_cuda_sum_squares(NULL, x, n, partials, out));
    const double sum = *out;
    lanes_free(partials);
    return sum;
}

/* A square of a float is exact in double; the sum's roundings are fewer than terms. */
static void check_squares(float *x, size_t n)
{
    long double sum = 0;

    for (size_t i = 0; i < n; i++) sum += (long double)x[i] * (long double)x[i];
    lanes_order(0);
    const double in_order = squares_of(x, n);
    if (!(fabsl((long double)in_order - sum) <= (long double)n * 0x1p-53L * sum))
        fail_msg("squares of %zu: %.17g, expected %.17Lg", n, in_order, sum);
    for (uint64_t seed = 1; seed < N_SEEDS; seed++) {
        lanes_order(seed);
        assert_true(squares_of(x, n) == in_order);
    }
    if (n == 0) return;
    float *const shifted = lanes_garbage((n + 1) * sizeof *shifted);
    memcpy(shifted + 1, x, n * sizeof *x);
    assert_true(squares_of(shifted + 1, n) == in_order); /* by n alone, not by where it lies */
    lanes_free(shifted);
    x[n - 1] = INFINITY;
    assert_true(isinf(squares_of(x, n)));
    x[n / 2] = NAN;
    assert_true(isnan(squares_of(x, n)));
}

static void squares_are_added_in_one_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < C3D_COUNT(sizes); i++) {
        float *const x = lanes_garbage(sizes[i] * sizeof *x);

        for (size_t e = 0; e < sizes[i]; e++) x[e] = ldexpf(lanes_draw(21, e), (int)(e % 30));
        check_squares(x, sizes[i]);
        lanes_free(x);
    }
}

/* More elements than threads take in one turn. */
static void long_arrays_take_several_turns(void **state)
{
    const size_t n = 4300003;
    float *const x = lanes_garbage(n * sizeof *x), *const y = lanes_garbage(n * sizeof *y);
    double sum = 0; /* exact: integers below 2^53 */

    (void)state;
    lanes_order(0);
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(i % 1021);
        y[i] = (float)(i % 7);
        sum += (double)x[i] * (double)x[i];
    }
    assert_true(squares_of(x, n) == sum);
    LAUNCHED(c3d_cuda_add(NULL, n, x, y));
    for (size_t i = 0; i < n; i++) assert_true(y[i] == (float)(i % 1021) + (float)(i % 7));
    lanes_free(x);
    lanes_free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(input_is_that_of_ref),
        cmocka_unit_test(dropout_is_the_mask),
        cmocka_unit_test(loss_is_the_hosts),
        cmocka_unit_test(adam_is_that_of_ref_to_the_bit),
        cmocka_unit_test(conversions_round_to_the_nearest),
        cmocka_unit_test(squares_are_added_in_one_order),
        cmocka_unit_test(long_arrays_take_several_turns),
    };
    lanes_begin();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
