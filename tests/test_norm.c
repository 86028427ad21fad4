/* Batch normalisation on the backend named as argument, in another precision if asked so, against
 * its formulas in double.
 *
 * A norm lies behind a convolution that copies its input (one tap of one, the rest zero: exact in
 * any order), so that it meets the layouts that the backend chooses, and once on the plain input.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

#include "c3d/backend.h"
#include "support/precision.h"

#define EPSILON 1e-5
#define U       0x1p-24 /* half a unit in the last place of a float near 1 */

static const char *backend_name = "ref";
static c3d_precision precision = C3D_PRECISION_FP32;
static c3d_backend backend;

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != C3D_OK) fail_msg("%s", c3d_error_last()->message);                           \
    } while (0)

static int set_up(void **state)
{
    (void)state;
    open_or_skip(&backend, backend_name,
                 &(c3d_backend_options){ .n_threads = 2, .precision = precision });
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    c3d_backend_close(&backend);
    return 0;
}

typedef struct norm_case {
    const char *name;
    c3d_shape x;
    int n_samples; /* in use */
    int kernel[3]; /* of the convolution before; 0: none */
    bool relu, accumulate, large_mean;
} norm_case;

typedef enum array { X, GAMMA, BETA, DY, DGAMMA, DBETA, Y, DX, MEAN, VARIANCE, ARRAYS } array;

/* Host arrays of a case; DGAMMA and DBETA hold what gradients are added to before a run. */
typedef struct arrays {
    size_t n[ARRAYS];
    float *data[ARRAYS];
} arrays;

static void fill(float *to, size_t n, unsigned stream, double shift)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (float)(shift + c3d_random_normal(3, C3D_STREAM(C3D_PURPOSE_TEST, stream), i));
}

static void arrays_create(arrays *a, const norm_case *c)
{
    const size_t n = c3d_shape_count(c->x), n_c = (size_t)c->x.c;
    const size_t used = (size_t)c->n_samples * c3d_shape_sample_count(c->x);
    const size_t sizes[ARRAYS] = {
        [X] = n,       [GAMMA] = n_c, [BETA] = n_c, [DY] = n,     [DGAMMA] = n_c,
        [DBETA] = n_c, [Y] = n,       [DX] = n,     [MEAN] = n_c, [VARIANCE] = n_c
    };

    for (unsigned i = 0; i < ARRAYS; i++) {
        a->n[i] = sizes[i];
        a->data[i] = calloc(sizes[i], sizeof(float));
        assert_non_null(a->data[i]);
        fill(a->data[i], sizes[i], i, i == X && c->large_mean ? 300 : i == GAMMA ? 1 : 0);
    }
    /* rows that are not in use must not count, whatever they hold; their dy is zero */
    for (size_t i = used; i < n; i++) a->data[X][i] = 1e6F, a->data[DY][i] = 0;
    /* what lies in activations, and what passes through unchanged */
    const array rounded[] = { X, DY, BETA };
    for (size_t i = 0; i < C3D_COUNT(rounded); i++)
        round_factors(precision, a->data[rounded[i]], a->n[rounded[i]]);
    for (size_t i = 0; i < n_c; i++) a->data[VARIANCE][i] = fabsf(a->data[VARIANCE][i]);
}

static void arrays_free(arrays *a)
{
    for (int i = 0; i < ARRAYS; i++) free(a->data[i]);
}

/* ---- running a case ---------------------------------------------------------------------------
 */

typedef struct session {
    c3d_activation *input, *x; /* x: what the norm sees */
    c3d_plan *copy, *norm;
    float *buffers[9];
    int n_buffers;
} session;

static float *buffer(session *s, size_t n)
{
    void *data;

    OK(backend.ops->alloc(&backend, n * sizeof(float), &data));
    return s->buffers[s->n_buffers++] = data;
}

static float *imported(session *s, const c3d_plan *plan, int which, const float *values)
{
    float *physical = buffer(s, plan->param_n_physical[which]);

    OK(backend.ops->param_import(&backend, plan, which, values, physical));
    return physical;
}

static void plan_copy(session *s, const norm_case *c, const c3d_pass *pass)
{
    c3d_op_desc desc = {
        .op = C3D_OP_CONV, .n_filters = c->x.c, .no_bias = true, .training = true
    };
    const size_t n_channels = (size_t)c->x.c;
    size_t taps = 1;
    c3d_params params = { 0 };

    for (int a = 0; a < 3; a++) {
        desc.kernel[a] = c->kernel[a];
        desc.stride[a] = 1;
        desc.pad_before[a] = desc.pad_after[a] = c->kernel[a] / 2;
        taps *= (size_t)c->kernel[a];
    }
    OK(backend.ops->plan(&backend, &desc, s->input, &s->copy));
    assert_int_equal(s->copy->n_params, 1);
    float *w = calloc(n_channels * n_channels * taps, sizeof *w);
    assert_non_null(w);
    for (size_t k = 0; k < n_channels; k++) w[(k * n_channels + k) * taps + taps / 2] = 1;
    params.value[0] = imported(s, s->copy, 0, w);
    if (is_16_bits(precision)) {
        const size_t n = s->copy->param_n_physical[0];

        params.low[0] = (uint16_t *)buffer(s, n);
        OK(backend.ops->to_low(&backend, n, params.value[0], params.low[0]));
    }
    free(w);
    OK(backend.ops->forward(&backend, s->copy, &params, pass));
    s->x = s->copy->y;
}

static void open_session(session *s, const norm_case *c, const arrays *a, const c3d_pass *pass)
{
    const c3d_op_desc desc = { .op = C3D_OP_NORM,
                               .relu = c->relu,
                               .epsilon = EPSILON,
                               .training = true,
                               .needs_x_grad = true };

    *s = (session){ 0 };
    OK(backend.ops->input_create(&backend, c->x, &s->input));
    OK(backend.ops->activation_write(&backend, s->input, false, a->data[X]));
    s->x = s->input;
    c3d_pass all_rows = *pass;
    all_rows.n_samples = c->x.n;
    if (c->kernel[0] > 0) plan_copy(s, c, &all_rows);
    OK(backend.ops->plan(&backend, &desc, s->x, &s->norm));
    assert_int_equal(s->norm->n_params, 2);
    assert_int_equal(s->norm->param_n[0], c->x.c);
}

static void close_session(session *s)
{
    for (int i = 0; i < s->n_buffers; i++) backend.ops->free(&backend, s->buffers[i]);
    backend.ops->plan_free(&backend, s->norm);
    backend.ops->plan_free(&backend, s->copy);
    backend.ops->activation_free(&backend, s->input);
}

static void run_backward(session *s, const c3d_params *params, const c3d_pass *pass, arrays *a)
{
    float *grads[2];

    for (int i = 0; i < 2; i++) grads[i] = imported(s, s->norm, i, a->data[DGAMMA + i]);
    OK(backend.ops->stats_read(&backend, s->norm, a->data[MEAN], a->data[VARIANCE]));
    OK(backend.ops->activation_write(&backend, s->norm->y, true, a->data[DY]));
    OK(backend.ops->backward(&backend, s->norm, params, grads, pass));
    OK(backend.ops->sync(&backend));
    OK(backend.ops->activation_read(&backend, s->x, true, a->data[DX]));
    for (int i = 0; i < 2; i++)
        OK(backend.ops->param_export(&backend, s->norm, i, grads[i], a->data[DGAMMA + i]));
}

/* Not training: MEAN and VARIANCE are the running statistics, and there is no backward pass. */
static void run(const norm_case *c, bool training, arrays *a)
{
    const c3d_pass pass = { .training = training,
                            .n_samples = c->n_samples,
                            .accumulate = c->accumulate };
    c3d_params params = { 0 };
    session s;

    open_session(&s, c, a, &pass);
    for (int i = 0; i < 2; i++) {
        params.value[i] = imported(&s, s.norm, i, a->data[GAMMA + i]);
        params.stats[i] = buffer(&s, a->n[MEAN]);
        OK(backend.ops->upload(&backend, params.stats[i], a->data[MEAN + i],
                               a->n[MEAN] * sizeof(float)));
    }
    OK(backend.ops->forward(&backend, s.norm, &params, &pass));
    OK(backend.ops->sync(&backend));
    OK(backend.ops->activation_read(&backend, s.norm->y, false, a->data[Y]));
    if (training) run_backward(&s, &params, &pass, a);
    close_session(&s);
}

/* ---- the formulas -----------------------------------------------------------------------------
 */

/* A channel: element i of n is element at[i] of the arrays. */
typedef struct channel {
    size_t n, *at;
    double mean, variance, inverse, gamma, beta;
} channel;

static channel channel_of(const norm_case *c, const arrays *a, int which)
{
    const size_t n_row = c3d_shape_sample_count(c->x), n_map = n_row / (size_t)c->x.c;
    channel ch = { .gamma = (double)a->data[GAMMA][which], .beta = (double)a->data[BETA][which] };

    ch.at = calloc(n_row * (size_t)c->n_samples, sizeof *ch.at);
    assert_non_null(ch.at);
    for (size_t r = 0; r < (size_t)c->n_samples; r++)
        for (size_t i = 0; i < n_map; i++) ch.at[ch.n++] = r * n_row + (size_t)which * n_map + i;
    for (size_t i = 0; i < ch.n; i++) ch.mean += (double)a->data[X][ch.at[i]] / (double)ch.n;
    for (size_t i = 0; i < ch.n; i++)
        ch.variance += pow((double)a->data[X][ch.at[i]] - ch.mean, 2) / (double)ch.n;
    return ch;
}

static void expect(const norm_case *c, array which, size_t i, float got, double expected,
                   double bound)
{
    static const char *const names[ARRAYS] = { [DGAMMA] = "gradient of gamma",
                                               [DBETA] = "gradient of beta",
                                               [Y] = "y",
                                               [DX] = "gradient of x",
                                               [MEAN] = "mean",
                                               [VARIANCE] = "variance" };

    /* every figure is a double computation rounded to float at least once, activations to 16 bits
     */
    if (is_16_bits(precision) && (which == Y || which == DX))
        bound += low_error(precision, bound + fabs(expected));
    if (fabs((double)got - expected) <= bound + 1.001 * U * fabs(expected)) return;
    fail_msg("%s, %s: %s[%zu] is %.9g, expected %.9g +- %.2g", backend_name, c->name, names[which],
             i, (double)got, expected, bound);
}

/* What rounding may do where factors are floats: those of ref are doubles. Sums are in double
 * everywhere, and what they lose is far below. */
static double units(void)
{
    return strcmp(backend_name, "ref") == 0 ? 1e-6 * U : U;
}

/* y = (x - mean) (gamma inverse) + beta: mean, difference, inverse, factor and product are rounded
 * once each; the sum twice as good as once, since |y| is at most the sum of its terms. */
static void check_y(const norm_case *c, const arrays *a, const channel *ch)
{
    for (size_t i = 0; i < ch->n; i++) {
        const double x = (double)a->data[X][ch->at[i]] - ch->mean;
        const double slope = ch->gamma * ch->inverse, y = slope * x + ch->beta;
        const double bound =
            units() * (fabs(slope) * (fabs(ch->mean) + 6 * fabs(x)) + 2 * fabs(ch->beta));

        expect(c, Y, ch->at[i], a->data[Y][ch->at[i]], c->relu && !(y > 0) ? 0 : y, bound);
    }
}

/* Gradients behind the ReLU as the backend saw it. */
static double dy_at(const norm_case *c, const arrays *a, size_t at)
{
    return c->relu && !(a->data[Y][at] > 0) ? 0 : (double)a->data[DY][at];
}

static void check_gradients(const norm_case *c, const arrays *a, const arrays *before,
                            const channel *ch, size_t which)
{
    double sums[2] = { 0 };

    for (size_t i = 0; i < ch->n; i++) {
        const double dy = dy_at(c, a, ch->at[i]);

        sums[0] += dy * ((double)a->data[X][ch->at[i]] - ch->mean) * ch->inverse;
        sums[1] += dy;
    }
    /* a rounded mean moves the first sum by that times the second */
    const double moved = units() * fabs(ch->mean * sums[1]) * ch->inverse;
    for (int i = 0; i < 2; i++) {
        const double old = c->accumulate ? (double)before->data[DGAMMA + i][which] : 0;

        expect(c, DGAMMA + i, which, a->data[DGAMMA + i][which], old + sums[i],
               (i == 0 ? moved : 0) + (units() + U * c->accumulate) * 2 * fabs(sums[i]));
    }
    for (size_t i = 0; i < ch->n; i++) {
        const double slope = ch->gamma * ch->inverse, n = (double)ch->n;
        const double z = ((double)a->data[X][ch->at[i]] - ch->mean) * ch->inverse;
        const double terms[3] = { slope * dy_at(c, a, ch->at[i]), slope * sums[1] / n,
                                  slope * z * sums[0] / n };
        const double size = fabs(terms[0]) + fabs(terms[1]) + fabs(terms[2]);
        const double of_mean = fabs(slope * sums[0] / n * ch->inverse * ch->mean);
        const double bound = units() * (8 * size + of_mean) + fabs(slope * z / n) * moved;

        expect(c, DX, ch->at[i], a->data[DX][ch->at[i]], terms[0] - terms[1] - terms[2], bound);
    }
}

static void check_case(const norm_case *c)
{
    arrays a, before;

    arrays_create(&a, c);
    arrays_create(&before, c);
    run(c, true, &a);
    for (int k = 0; k < c->x.c; k++) {
        channel ch = channel_of(c, &a, k);
        const double n = (double)ch.n, unbiased = ch.n > 1 ? ch.variance * n / (n - 1) : 0;

        ch.inverse = 1 / sqrt(ch.variance + EPSILON);
        expect(c, MEAN, (size_t)k, a.data[MEAN][k], ch.mean, 1e-12);
        expect(c, VARIANCE, (size_t)k, a.data[VARIANCE][k], unbiased, 1e-10 * unbiased);
        check_y(c, &a, &ch);
        check_gradients(c, &a, &before, &ch, (size_t)k);
        free(ch.at);
    }
    memcpy(a.data[MEAN], before.data[MEAN], a.n[MEAN] * sizeof(float));
    memcpy(a.data[VARIANCE], before.data[VARIANCE], a.n[MEAN] * sizeof(float));
    run(c, false, &a);
    for (int k = 0; k < c->x.c; k++) {
        channel ch = channel_of(c, &a, k);

        ch.mean = (double)a.data[MEAN][k];
        ch.inverse = 1 / sqrt((double)a.data[VARIANCE][k] + EPSILON);
        check_y(c, &a, &ch);
        free(ch.at);
    }
    arrays_free(&a);
    arrays_free(&before);
}

/* ---- tests ------------------------------------------------------------------------------------
 */

#define K3                                                                                         \
    {                                                                                              \
        3, 3, 3                                                                                    \
    }
#define K2                                                                                         \
    {                                                                                              \
        1, 3, 3                                                                                    \
    }

static void test_formulas(void **state)
{
    static const norm_case cases[] = {
        { "16 channels", { 2, 16, 3, 5, 7 }, 2, K3, .relu = true },
        { "32 channels, short", { 4, 32, 2, 4, 6 }, 3, K3, .relu = true, .accumulate = true },
        { "many positions", { 2, 8, 5, 17, 19 }, 1, K3, .relu = true },
        { "a mean of 300", { 2, 16, 3, 4, 5 }, 2, K3, .large_mean = true },
        { "17 channels", { 3, 17, 3, 3, 3 }, 2, K3, .relu = true },
        { "1 channel", { 2, 1, 3, 5, 4 }, 2, K3, .accumulate = true },
        { "5 channels, T = 1", { 2, 5, 1, 3, 3 }, 2, K3, .relu = false },
        { "2D", { 3, 16, 1, 7, 5 }, 2, K2, .relu = true },
        { "2D, 3 channels", { 2, 3, 1, 6, 6 }, 2, K2, .relu = true, .accumulate = true },
        { "in time", { 2, 24, 5, 2, 3 }, 2, { 3, 1, 1 }, .relu = true },
        { "two elements", { 2, 16, 1, 1, 1 }, 2, K3, .relu = false },
        { "plain", { 3, 19, 2, 3, 5 }, 2, { 0 }, .relu = true },
        { "plain, 2000 positions", { 1, 2, 5, 20, 20 }, 1, { 0 }, .large_mean = true },
    };

    (void)state;
    for (size_t i = 0; i < C3D_COUNT(cases); i++) check_case(&cases[i]);
}

/* A single element is its own mean: y = beta, no gradient passes, and its variance is 0. */
static void test_one_element(void **state)
{
    const norm_case c = { "one element", { 2, 16, 1, 1, 1 }, 1, K3, .relu = false };
    arrays a;

    (void)state;
    arrays_create(&a, &c);
    run(&c, true, &a);
    for (size_t k = 0; k < 16; k++) {
        assert_true(a.data[Y][k] == a.data[BETA][k]);
        assert_true(a.data[MEAN][k] == a.data[X][k]);
        assert_true(a.data[VARIANCE][k] == 0);
        assert_true(a.data[DX][k] == 0);
        assert_true(a.data[DGAMMA][k] == 0);
        assert_true(a.data[DBETA][k] == a.data[DY][k]);
    }
    arrays_free(&a);
}

/* Sum of dy y. */
static double loss(const norm_case *c, arrays *a, double *magnitude)
{
    const size_t used = (size_t)c->n_samples * c3d_shape_sample_count(c->x);
    double sum = 0;

    *magnitude = 0;
    run(c, true, a);
    for (size_t i = 0; i < used; i++) {
        const double term = (double)a->data[DY][i] * (double)a->data[Y][i];

        sum += term;
        *magnitude += fabs(term);
    }
    return sum;
}

static double slope(const norm_case *c, arrays *a, float *at, float h, double *magnitude)
{
    const float kept = *at;

    *at = kept + h;
    const double above = loss(c, a, magnitude), width_up = (double)*at;
    *at = kept - h;
    const double below = loss(c, a, magnitude), width = width_up - (double)*at;
    *at = kept;
    return (above - below) / width;
}

/* Against finite differences: what the difference quotient of half the width changes bounds its
 * error, and floats in y add their rounding. */
static void test_differences(void **state)
{
    const norm_case c = { "differences", { 3, 3, 2, 2, 2 }, 2, { 0 }, .relu = false };
    const array inputs[3] = { X, GAMMA, BETA }, outputs[3] = { DX, DGAMMA, DBETA };
    const size_t used = 2 * c3d_shape_sample_count(c.x);
    const float h = 0x1p-5F;
    size_t n_sharp = 0, n_all = 0;
    double magnitude;
    arrays a, analytic;

    (void)state;
    if (is_16_bits(precision)) return; /* coarser than the differences */
    arrays_create(&a, &c);
    arrays_create(&analytic, &c);
    run(&c, true, &analytic);
    for (int k = 0; k < 3; k++) {
        const size_t n = inputs[k] == X ? used : a.n[inputs[k]];

        for (size_t i = 0; i < n; i++) {
            const double wide = slope(&c, &a, &a.data[inputs[k]][i], h, &magnitude);
            const double narrow = slope(&c, &a, &a.data[inputs[k]][i], h / 2, &magnitude);
            const double tolerance = fabs(wide - narrow) + 4 * U * magnitude / (double)h;
            const double got = (double)analytic.data[outputs[k]][i];

            if (!(fabs(got - narrow) <= tolerance))
                fail_msg("%s: gradient %zu of input %d is %g, differences say %g +- %g",
                         backend_name, i, k, got, narrow, tolerance);
            n_sharp += tolerance < 0.1 * fabs(got);
            n_all++;
        }
    }
    assert_true(n_sharp * 4 > n_all * 3); /* the sign is seen */
    arrays_free(&a);
    arrays_free(&analytic);
}

static void test_refusals(void **state)
{
    const c3d_shape x = { 1, 2, 1, 1, 1 };
    const c3d_op_desc desc = { .op = C3D_OP_NORM, .training = true };
    const norm_case c = { "refusal", x, 1, { 0 }, .relu = false };
    const c3d_pass pass = { .n_samples = 1 };
    float *grads[2] = { 0 };
    c3d_shape y;
    session s;
    arrays a;

    (void)state;
    assert_int_equal(c3d_op_output(&desc, x, &y), C3D_EINVAL); /* an epsilon of 0 */
    arrays_create(&a, &c);
    open_session(&s, &c, &a, &pass);
    assert_int_equal(backend.ops->backward(&backend, s.norm, &(c3d_params){ 0 }, grads, &pass),
                     C3D_EINVAL);
    close_session(&s);
    arrays_free(&a);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formulas),
        cmocka_unit_test(test_one_element),
        cmocka_unit_test(test_differences),
        cmocka_unit_test(test_refusals),
    };

    if (argc > 1) backend_name = argv[1];
    if (argc > 2) precision = precision_of(argv[2]);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
