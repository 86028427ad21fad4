/* ref against values computed by hand and against finite differences, sign kept. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

#include "c3d/backend.h"
#include "support/op_run.h"

static c3d_backend ref;
static const char *backend_name = "ref";

static int open_ref(void **state)
{
    (void)state;
    return c3d_backend_open(&ref, backend_name, &(c3d_backend_options){ 0 }) == C3D_OK ? 0 : -1;
}

static int close_ref(void **state)
{
    (void)state;
    c3d_backend_close(&ref);
    return 0;
}

static void run_case(const op_case *c, op_arrays *a)
{
    assert_int_equal(op_run(&ref, c, a), C3D_OK);
}

static void assert_floats(const float *got, const float *expected, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (got[i] == expected[i]) continue;
        fail_msg("element %zu is %.9g, expected %.9g", i, (double)got[i], (double)expected[i]);
    }
}

/* ---- operations by hand ---------------------------------------------------------------------- */

static void convolution_by_hand(void **state)
{
    const op_case c = { "conv",
                        { .op = C3D_OP_CONV,
                          .n_filters = 2,
                          .kernel = { 1, 2, 2 },
                          .stride = { 1, 1, 2 },
                          .pad_after = { 0, 0, 1 },
                          .training = true,
                          .needs_x_grad = true },
                        { 1, 1, 1, 2, 3 },
                        0,
                        false };
    const float x[6] = { 1, 2, 3, 4, 5, 6 }, w[8] = { 1, 10, 100, 1000, 1, 0, 0, -1 };
    const float b[2] = { 0.5F, -0.5F }, dy[4] = { 1, 2, 10, 20 };
    op_arrays a;

    (void)state;
    op_arrays_create(&a, &c);
    memcpy(a.data[OP_X], x, sizeof x);
    memcpy(a.data[OP_W], w, sizeof w);
    memcpy(a.data[OP_B], b, sizeof b);
    memcpy(a.data[OP_DY], dy, sizeof dy);
    run_case(&c, &a);
    /* Windows: columns 0,1 and columns 2,padding. */
    assert_floats(a.data[OP_Y], (const float[]){ 5421.5F, 603.5F, -4.5F, 2.5F }, 4);
    assert_floats(a.data[OP_DX], (const float[]){ 11, 10, 22, 100, 990, 200 }, 6);
    assert_floats(a.data[OP_DW], (const float[]){ 7, 2, 16, 5, 70, 20, 160, 50 }, 8);
    assert_floats(a.data[OP_DB], (const float[]){ 3, 30 }, 2);
    op_arrays_free(&a);
}

static void gradients_are_added_when_asked(void **state)
{
    const op_case c = { "linear",
                        { .op = C3D_OP_LINEAR, .n_filters = 1, .training = true },
                        { 2, 2, 1, 1, 1 },
                        1,
                        true };
    op_arrays a;

    (void)state;
    op_arrays_create(&a, &c);
    memcpy(a.data[OP_X], (const float[]){ 3, 4, 100, 100 }, 4 * sizeof(float));
    memcpy(a.data[OP_DY], (const float[]){ 2, 7 },
           2 * sizeof(float)); /* the second row is unused */
    memcpy(a.data[OP_DW], (const float[]){ 1000, 2000 }, 2 * sizeof(float));
    a.data[OP_DB][0] = 500;
    run_case(&c, &a);
    assert_floats(a.data[OP_DW], (const float[]){ 1006, 2008 }, 2);
    assert_floats(a.data[OP_DB], (const float[]){ 502 }, 1);
    op_arrays_free(&a);
}

static void pool_case(const float *x, const float *y, const float *dx)
{
    /* Windows of 2 over 4 columns with 1 of padding on both sides: {0}, {1, 2}, {3}. */
    const op_case c = { "pool",
                        { .op = C3D_OP_POOL,
                          .kernel = { 1, 1, 2 },
                          .stride = { 1, 1, 2 },
                          .pad_before = { 0, 0, 1 },
                          .pad_after = { 0, 0, 1 },
                          .training = true,
                          .needs_x_grad = true },
                        { 1, 1, 1, 1, 4 },
                        0,
                        false };
    op_arrays a;

    op_arrays_create(&a, &c);
    memcpy(a.data[OP_X], x, 4 * sizeof(float));
    memcpy(a.data[OP_DY], (const float[]){ 1, 2, 4 }, 3 * sizeof(float));
    run_case(&c, &a);
    assert_floats(a.data[OP_Y], y, 3);
    assert_floats(a.data[OP_DX], dx, 4);
    op_arrays_free(&a);
}

static void pool_by_hand(void **state)
{
    (void)state;
    /* Padding never wins, not even over negative values. */
    pool_case((const float[]){ -1, -3, -2, -4 }, (const float[]){ -1, -2, -4 },
              (const float[]){ 1, 0, 2, 4 });
    /* Of equal elements the first wins. */
    pool_case((const float[]){ 1, 5, 5, 1 }, (const float[]){ 1, 5, 1 },
              (const float[]){ 1, 2, 0, 4 });
    /* A NaN never wins; without a winner there is -FLT_MAX. */
    pool_case((const float[]){ NAN, NAN, 3, -INFINITY },
              (const float[]){ -3.40282347e38F, 3, -3.40282347e38F },
              (const float[]){ 1, 0, 2, 4 });
}

static void relu_makes_nan_zero(void **state)
{
    const op_case c = { "relu",
                        { .op = C3D_OP_LINEAR,
                          .n_filters = 1,
                          .relu = true,
                          .training = true,
                          .needs_x_grad = true },
                        { 3, 1, 1, 1, 1 },
                        0,
                        false };
    op_arrays a;

    (void)state;
    op_arrays_create(&a, &c);
    memcpy(a.data[OP_X], (const float[]){ NAN, 2, -2 }, 3 * sizeof(float));
    memcpy(a.data[OP_DY], (const float[]){ 1, 1, 1 }, 3 * sizeof(float));
    a.data[OP_W][0] = 3;
    run_case(&c, &a);
    assert_floats(a.data[OP_Y], (const float[]){ 0, 6, 0 }, 3);
    assert_floats(a.data[OP_DX], (const float[]){ 0, 3, 0 }, 3);
    op_arrays_free(&a);
}

/* ---- finite differences ------------------------------------------------------------------------
 */

/* Sum of dy * y. Inputs are multiples of 1/4 and the step a power of two, so that every product and
 * sum is exact in float; all operations are linear where no ReLU and no pool changes its mind, and
 * the difference quotient equals the derivative exactly. */
static double weighted_sum(const op_case *c, op_arrays *a)
{
    op_case forward = *c;
    double sum = 0;

    memset(a->data[OP_DW], 0, a->n[OP_DW] * sizeof(float));
    memset(a->data[OP_DB], 0, a->n[OP_DB] * sizeof(float));
    run_case(&forward, a);
    for (size_t i = 0; i < a->n[OP_Y]; i++)
        sum += (double)a->data[OP_DY][i] * (double)a->data[OP_Y][i];
    return sum;
}

static void check_derivatives(const op_case *c, op_array input, op_array gradient, op_arrays *a)
{
    const double h = 0x1p-8;
    float *analytic = calloc(a->n[gradient] + 1, sizeof *analytic);

    assert_non_null(analytic);
    (void)weighted_sum(c, a);
    memcpy(analytic, a->data[gradient], a->n[gradient] * sizeof *analytic);
    for (size_t i = 0; i < a->n[input]; i++) {
        const float kept = a->data[input][i];

        a->data[input][i] = kept + (float)h;
        const double above = weighted_sum(c, a);
        a->data[input][i] = kept - (float)h;
        const double below = weighted_sum(c, a);
        a->data[input][i] = kept;
        if ((above - below) / (2 * h) != (double)analytic[i])
            fail_msg("%s: d/d%s[%zu] is %.9g, differences say %.9g", c->name, op_array_names[input],
                     i, (double)analytic[i], (above - below) / (2 * h));
    }
    free(analytic);
}

static float quarter(unsigned stream, size_t i)
{
    return (float)((int)c3d_random_below(3, C3D_STREAM(C3D_PURPOSE_TEST, stream), i, 17) - 8) / 4;
}

static void finite_differences(void **state)
{
    static const op_case cases[] = {
        { "conv",
          { .op = C3D_OP_CONV,
            .n_filters = 3,
            .kernel = { 2, 3, 2 },
            .stride = { 1, 2, 1 },
            .pad_before = { 1, 1, 0 },
            .pad_after = { 0, 1, 1 },
            .relu = true,
            .training = true,
            .needs_x_grad = true },
          { 2, 2, 2, 3, 4 },
          0,
          false },
        { "linear",
          { .op = C3D_OP_LINEAR,
            .n_filters = 3,
            .relu = true,
            .training = true,
            .needs_x_grad = true },
          { 2, 2, 1, 2, 2 },
          0,
          false },
        { "pool",
          { .op = C3D_OP_POOL,
            .kernel = { 2, 2, 2 },
            .stride = { 1, 2, 2 },
            .pad_before = { 0, 1, 1 },
            .pad_after = { 0, 1, 1 },
            .training = true,
            .needs_x_grad = true },
          { 2, 2, 3, 4, 4 },
          0,
          false },
        { "dropout",
          { .op = C3D_OP_DROPOUT, .rate = 0.5, .training = true, .needs_x_grad = true },
          { 2, 9, 1, 1, 1 },
          0,
          false },
    };

    (void)state;
    for (size_t k = 0; k < C3D_COUNT(cases); k++) {
        const op_case *c = &cases[k];
        op_arrays a;

        op_arrays_create(&a, c);
        for (size_t i = 0; i < a.n[OP_X]; i++) a.data[OP_X][i] = quarter(1, i);
        for (size_t i = 0; i < a.n[OP_W]; i++) a.data[OP_W][i] = quarter(2, i);
        for (size_t i = 0; i < a.n[OP_DY]; i++) a.data[OP_DY][i] = quarter(3, i);
        /* 1/32 keeps outputs of a ReLU further from 0 than a step moves them. */
        for (size_t i = 0; i < a.n[OP_B]; i++) a.data[OP_B][i] = quarter(4, i) + 0x1p-5F;
        /* All elements of a pool differ by more than a step. */
        if (c->op.op == C3D_OP_POOL)
            for (size_t i = 0; i < a.n[OP_X]; i++)
                a.data[OP_X][i] = (float)c3d_random_permute(1, 1, a.n[OP_X], i) / 4;
        check_derivatives(c, OP_X, OP_DX, &a);
        check_derivatives(c, OP_W, OP_DW, &a);
        check_derivatives(c, OP_B, OP_DB, &a);
        op_arrays_free(&a);
    }
}

/* ---- dropout -----------------------------------------------------------------------------------
 */

static void dropout_follows_its_definition(void **state)
{
    const uint64_t key = UINT64_C(0x123456789abcdef0);
    float mask[1001], other[1001];
    size_t n_equal = 0;

    (void)state;
    c3d_dropout_mask(5, 3, 0.25, key, 1001, mask);
    for (size_t e = 0; e < 1001; e++) {
        uint32_t word[4];

        c3d_random_4x32(5, C3D_STREAM(C3D_PURPOSE_DROPOUT, (uint64_t)3 << 40 | e / 4), key, word);
        assert_true(mask[e] == (word[e % 4] >= 0x40000000U ? (float)(1 / 0.75) : 0));
    }
    /* Another high half of the key, another layer: unrelated masks. */
    c3d_dropout_mask(5, 3, 0.25, key ^ (UINT64_C(1) << 63), 1001, other);
    for (size_t e = 0; e < 1001; e++) n_equal += mask[e] == other[e];
    assert_in_range(n_equal, 500, 750); /* expected .625, standard deviation 15 */
    c3d_dropout_mask(5, 2, 0.25, key, 1001, other);
    assert_true(memcmp(mask, other, sizeof mask) != 0);
    c3d_dropout_mask(5, 3, 0, key, 1001, other);
    for (size_t e = 0; e < 1001; e++) assert_true(other[e] == 1);
}

/* ---- loss ------------------------------------------------------------------------------------ */

typedef struct loss_run {
    float losses[4], scores[12], grad[12];
} loss_run;

/* Logits [4, k] enter as the input of no layer: the output of a linear plan that is not run. */
static c3d_status run_loss(const float *logits, int k, c3d_loss loss, loss_run *out)
{
    const c3d_op_desc desc = { .op = C3D_OP_LINEAR, .n_filters = k, .training = true };
    c3d_activation *x;
    c3d_plan *plan;

    *out = (loss_run){ 0 };
    loss.losses = out->losses;
    loss.scores = out->scores;
    loss.with_grad = true;
    assert_int_equal(ref.ops->input_create(&ref, (c3d_shape){ 4, 1, 1, 1, 1 }, &x), C3D_OK);
    assert_int_equal(ref.ops->plan(&ref, &desc, x, &plan), C3D_OK);
    assert_int_equal(ref.ops->activation_write(&ref, plan->y, false, logits), C3D_OK);
    const c3d_status st = ref.ops->loss(&ref, plan->y, &loss);
    assert_int_equal(ref.ops->activation_read(&ref, plan->y, true, out->grad), C3D_OK);
    ref.ops->plan_free(&ref, plan);
    ref.ops->activation_free(&ref, x);
    return st;
}

/* A few roundings of a value of that size. */
static void assert_near(double got, double expected)
{
    const double bound = 4 * 0x1p-24 * fabs(expected);

    if (!(fabs(got - expected) <= bound)) fail_msg("%.9g, expected %.9g", got, expected);
}

static void binary_loss_by_hand(void **state)
{
    const float logits[4] = { 0, 2, -1000, 99 }, weights[3] = { 1, 3, 1 };
    const int32_t labels[3] = { 1, 0, 1 };
    loss_run r;

    (void)state;
    assert_int_equal(
        run_loss(
            logits, 1,
            (c3d_loss){ .n_samples = 3, .labels = labels, .weights = weights, .grad_scale = 0.5F },
            &r),
        C3D_OK);
    assert_near((double)r.losses[0], log(2));
    assert_near((double)r.losses[1], 3 * (2 + log1p(exp(-2))));
    assert_near((double)r.losses[2], 1000);
    assert_near((double)r.scores[1], 1 / (1 + exp(-2)));
    assert_near((double)r.scores[2], 0);
    assert_near((double)r.grad[0], -0.25);
    assert_near((double)r.grad[1], 1.5 / (1 + exp(-2)));
    assert_near((double)r.grad[2], -0.5);
    assert_true(r.grad[3] == 0); /* a row that only fills up */
}

static void class_loss_by_hand(void **state)
{
    const float logits[12] = { 1, 2, 3, 0, 0, 0, 1000, 0, -1000 };
    const int32_t labels[3] = { 2, 0, 1 };
    const double e = exp(1) + exp(2) + exp(3);
    loss_run r;

    (void)state;
    assert_int_equal(
        run_loss(logits, 3, (c3d_loss){ .n_samples = 3, .labels = labels, .grad_scale = 2 }, &r),
        C3D_OK);
    assert_near((double)r.losses[0], log(e) - 3);
    assert_near((double)r.losses[1], log(3));
    assert_near((double)r.losses[2], 1000);
    assert_near((double)r.scores[1], exp(2) / e);
    assert_near((double)r.grad[0], 2 * exp(1) / e);
    assert_near((double)r.grad[2], 2 * (exp(3) / e - 1));
    assert_near((double)r.grad[6], 2);
    assert_near((double)r.grad[7], -2);
    for (int i = 9; i < 12; i++) assert_true(r.grad[i] == 0);
}

/* The focal loss in double, straight from its definition, for logits where that loses nothing. */
static double focal_of(const double *z, int k, int label, double gamma)
{
    double sum = 0;

    if (k == 1) {
        const double p = 1 / (1 + exp(label == 1 ? -z[0] : z[0]));
        return pow(1 - p, gamma) * -log(p);
    }
    for (int i = 0; i < k; i++) sum += exp(z[i]);
    const double p = exp(z[label]) / sum;
    return pow(1 - p, gamma) * -log(p);
}

/* Central differences of step h: their error is of the order of h^2 and of 2^-52 / h. */
static void check_focal(int k, float gamma)
{
    const float logits[12] = { 0.5F, -1, 2, -2.5F, 1, 0, -0.25F, 3, -3, 0.125F, 0.75F, -0.5F };
    const float weights[4] = { 1, 0.5F, 2, 1 };
    const int32_t labels[4] = { 1, 0, k == 1 ? 1 : 2, 0 };
    const double h = 1e-4;
    loss_run r;

    assert_int_equal(run_loss(logits, k,
                              (c3d_loss){ .n_samples = 4,
                                          .labels = labels,
                                          .weights = weights,
                                          .focal_gamma = gamma,
                                          .grad_scale = 0.25F },
                              &r),
                     C3D_OK);
    for (int row = 0; row < 4; row++) {
        double z[3];
        for (int i = 0; i < k; i++) z[i] = (double)logits[row * k + i];
        assert_near((double)r.losses[row],
                    (double)weights[row] * focal_of(z, k, labels[row], (double)gamma));
        for (int i = 0; i < k; i++) {
            const double at = z[i];
            z[i] = at + h;
            const double up = focal_of(z, k, labels[row], (double)gamma);
            z[i] = at - h;
            const double down = focal_of(z, k, labels[row], (double)gamma);
            z[i] = at;
            const double expected = (double)weights[row] * 0.25 * (up - down) / (2 * h);
            const double got = (double)r.grad[row * k + i];
            if (!(fabs(got - expected) <= 1e-7))
                fail_msg("K %d, gamma %g, row %d, logit %d: %.9g, expected %.9g", k, (double)gamma,
                         row, i, got, expected);
        }
    }
}

static void focal_loss_by_differences(void **state)
{
    const float gammas[5] = { 0, 0.5F, 1, 2, 5 };

    (void)state;
    for (int g = 0; g < 5; g++) {
        check_focal(1, gammas[g]);
        check_focal(3, gammas[g]);
    }
}

/* Samples that are right beyond the range of double add nothing, wrong ones all they can. */
static void focal_loss_far_out(void **state)
{
    const float binary[4] = { 1000, -1000, 1000, 100 }, classes[8] = { 1000, -1000, -1000, 1000 };
    const int32_t labels[4] = { 1, 1, 0, 1 };
    c3d_loss loss = { .n_samples = 4, .labels = labels, .focal_gamma = 0.5F, .grad_scale = 1 };
    loss_run r;

    (void)state;
    assert_int_equal(run_loss(binary, 1, loss, &r), C3D_OK);
    assert_floats(r.losses, (const float[]){ 0, 1000, 1000, 0 }, 4); /* e^-150 is no float */
    assert_floats(r.grad, (const float[]){ 0, -1, 1 }, 3);
    loss.n_samples = 2;
    assert_int_equal(run_loss(classes, 2,
                              (c3d_loss){ .n_samples = 2,
                                          .labels = (const int32_t[]){ 0, 0 },
                                          .focal_gamma = 0.5F,
                                          .grad_scale = 1 },
                              &r),
                     C3D_OK);
    assert_floats(r.losses, (const float[]){ 0, 2000 }, 2);
    assert_floats(r.grad, (const float[]){ 0, 0, -1, 1 }, 4);
    loss.focal_gamma = -1;
    assert_int_equal(run_loss(binary, 1, loss, &r), C3D_EINVAL);
    loss.focal_gamma = NAN;
    assert_int_equal(run_loss(binary, 1, loss, &r), C3D_EINVAL);
}

static void loss_refuses_bad_labels_and_shows_nan(void **state)
{
    const float logits[4] = { NAN, 0, 0, 0 };
    const int32_t bad[2] = { 0, 2 }, good[2] = { 1, 0 };
    loss_run r;

    (void)state;
    assert_int_equal(run_loss(logits, 1, (c3d_loss){ .n_samples = 2, .labels = bad }, &r),
                     C3D_EINVAL);
    assert_int_equal(
        run_loss(logits, 1, (c3d_loss){ .n_samples = 2, .labels = good, .grad_scale = 1 }, &r),
        C3D_OK);
    assert_true(isnan(r.losses[0]) && isnan(r.grad[0]) && !isnan(r.losses[1]));
}

/* ---- updates --------------------------------------------------------------------------------- */

/* Algorithm 1 of Kingma and Ba, in double. */
static void adam_by_hand(void **state)
{
    const float grads[3] = { 0.5F, -2, 0.125F };
    c3d_adam adam = { .rate = 1e-3,
                      .beta1 = 0.9,
                      .beta2 = 0.999,
                      .epsilon = 1e-8,
                      .weight_decay = 0.01,
                      .grad_scale = 0.25F };
    float param = 1.5F, m = 0, v = 0;
    double p = 1.5, m_exact = 0, v_exact = 0;

    (void)state;
    for (int t = 1; t <= 3; t++) {
        const double g = (double)grads[t - 1] * 0.25;

        const c3d_adam_arrays one = { 1, &grads[t - 1], &m, &v, &param, NULL };

        adam.t = t;
        assert_int_equal(ref.ops->adam(&ref, &adam, &one), C3D_OK);
        m_exact = 0.9 * m_exact + 0.1 * g;
        v_exact = 0.999 * v_exact + 0.001 * g * g;
        p -= 1e-3 * (m_exact / (1 - pow(0.9, t)) / (sqrt(v_exact / (1 - pow(0.999, t))) + 1e-8) +
                     0.01 * p);
        /* One rounding of p a step, and some of the step's terms. */
        assert_true(fabs((double)param - p) <= t * (0x1p-24 * 1.5 + 8 * 0x1p-24 * 2e-3));
    }
    assert_true(fabs((double)m - m_exact) <= 8 * 0x1p-24 * 0.5);
    assert_true(fabs((double)v - v_exact) <= 8 * 0x1p-24 * v_exact);
}

static void sum_of_squares(void **state)
{
    float x[4] = { 3, -4, 12, 0 };
    double sum;

    (void)state;
    assert_int_equal(ref.ops->sum_squares(&ref, x, 4, &sum), C3D_OK);
    assert_true(sum == 169);
    x[3] = 3e38F; /* its square does not fit a float */
    assert_int_equal(ref.ops->sum_squares(&ref, x, 4, &sum), C3D_OK);
    assert_true(isfinite(sum));
    x[3] = INFINITY;
    assert_int_equal(ref.ops->sum_squares(&ref, x, 4, &sum), C3D_OK);
    assert_true(isinf(sum));
    x[3] = NAN;
    assert_int_equal(ref.ops->sum_squares(&ref, x, 4, &sum), C3D_OK);
    assert_true(isnan(sum));
}

/* ---- input ----------------------------------------------------------------------------------- */

static void load(uint8_t symmetry, float *out)
{
    const uint16_t values[6] = { 1, 2, 3, 4, 65535, 0 };
    const float mean[1] = { 1 }, scale[1] = { 2 };
    c3d_activation *x;

    assert_int_equal(ref.ops->input_create(&ref, (c3d_shape){ 2, 1, 1, 2, 2 }, &x), C3D_OK);
    /* What was there before must not shine through the unused row. */
    assert_int_equal(
        ref.ops->activation_write(&ref, x, false, (const float[]){ 9, 9, 9, 9, 9, 9, 9, 9 }),
        C3D_OK);
    const c3d_input input = { .values = values,
                              .dtype = C3D_U16,
                              .n_samples = 1,
                              .mean = mean,
                              .scale = scale,
                              .symmetry = symmetry ? &symmetry : NULL };
    assert_int_equal(ref.ops->input_load(&ref, x, &input), C3D_OK);
    assert_int_equal(ref.ops->activation_read(&ref, x, false, out), C3D_OK);
    ref.ops->activation_free(&ref, x);
}

static void input_is_normalised_and_turned(void **state)
{
    /* The image 1 2 / 3 4 is normalised to 0 2 / 4 6. */
    static const float expected[8][4] = {
        { 0, 2, 4, 6 }, { 2, 0, 6, 4 }, { 4, 6, 0, 2 }, { 6, 4, 2, 0 }, /* none, x, y, both */
        { 0, 4, 2, 6 }, { 2, 6, 0, 4 }, { 4, 0, 6, 2 }, { 6, 2, 4, 0 }, /* then transposed */
    };
    float out[8];

    (void)state;
    for (int s = 0; s < 8; s++) {
        load((uint8_t)s, out);
        assert_floats(out, expected[s], 4);
        assert_floats(out + 4, (const float[4]){ 0 }, 4);
    }
}

/* Two bands of three months of 2 x 2 pixels, as such and stacked: the same turn, gain and offset
 * for all months of a band, and each month's values from where month_from says. */
static void months_of_a_row_change_together(void **state)
{
    const uint8_t values[24] = { 1,  2,  3,  4,  11, 12, 13, 14, 21, 22, 23, 24,
                                 51, 52, 53, 54, 61, 62, 63, 64, 71, 72, 73, 74 };
    const float mean[2] = { 1, 51 }, scale[2] = { 1, 2 }, gain[2] = { 2, 0.5F };
    const float offset[2] = { 0.25F, -100 };
    const uint8_t symmetry = 1; /* columns change places */
    int16_t month_from[3] = { 1, 1, 0 };
    float out[24];
    c3d_activation *x;
    c3d_input input = { .values = values,
                        .dtype = C3D_U8,
                        .n_samples = 1,
                        .mean = mean,
                        .scale = scale,
                        .symmetry = &symmetry,
                        .gain = gain,
                        .offset = offset,
                        .month_from = month_from };

    (void)state;
    for (int n_stacked = 0; n_stacked <= 3; n_stacked += 3) {
        const c3d_shape shape = { 1, n_stacked ? 6 : 2, n_stacked ? 1 : 3, 2, 2 };
        input.n_stacked = n_stacked;
        assert_int_equal(ref.ops->input_create(&ref, shape, &x), C3D_OK);
        assert_int_equal(ref.ops->input_load(&ref, x, &input), C3D_OK);
        assert_int_equal(ref.ops->activation_read(&ref, x, false, out), C3D_OK);
        if (n_stacked == 0) ref.ops->activation_free(&ref, x);
        assert_floats(out, (const float[]){ 22.25F, 20.25F, 26.25F, 24.25F, 22.25F, 20.25F,
                                            26.25F, 24.25F, 2.25F,  0.25F,  6.25F,  4.25F,
                                            -89,    -90,    -87,    -88,    -89,    -90,
                                            -87,    -88,    -99,    -100,   -97,    -98 },
                      24);
    }
    input.n_stacked = 4; /* which does not divide 6 */
    assert_int_equal(ref.ops->input_load(&ref, x, &input), C3D_EINVAL);
    input.n_stacked = 3;
    month_from[2] = 3;
    assert_int_equal(ref.ops->input_load(&ref, x, &input), C3D_EINVAL);
    month_from[2] = -1;
    assert_int_equal(ref.ops->input_load(&ref, x, &input), C3D_EINVAL);
    month_from[2] = 2;
    input.offset = NULL;
    assert_int_equal(ref.ops->input_load(&ref, x, &input), C3D_EINVAL);
    ref.ops->activation_free(&ref, x);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void bad_operations_are_refused(void **state)
{
    const c3d_shape x = { 1, 2, 2, 4, 4 };
    const c3d_op_desc conv = {
        .op = C3D_OP_CONV, .n_filters = 1, .kernel = { 3, 3, 3 }, .stride = { 1, 1, 1 }
    };
    c3d_op_desc padded = conv, pool = conv, dropout = { .op = C3D_OP_DROPOUT, .rate = 1 };
    c3d_shape y = { 0 };

    (void)state;
    assert_int_equal(c3d_op_output(&conv, x, &y), C3D_EINVAL);
    assert_string_equal(c3d_error_last()->message,
                        "axis d: a kernel of 3 on 2 elements and 0 of padding");
    assert_int_equal(y.n, 0);
    padded.pad_after[0] = 1;
    assert_int_equal(c3d_op_output(&padded, x, &y), C3D_OK);
    assert_true(c3d_shape_is_equal(y, (c3d_shape){ 1, 1, 1, 2, 2 }));
    padded.stride[1] = 0;
    assert_int_equal(c3d_op_output(&padded, x, &y), C3D_EINVAL);
    pool.op = C3D_OP_POOL;
    pool.pad_before[0] = 3;
    assert_int_equal(c3d_op_output(&pool, x, &y), C3D_EINVAL);
    assert_int_equal(c3d_op_output(&dropout, x, &y), C3D_EINVAL);
    dropout.rate = (double)NAN;
    assert_int_equal(c3d_op_output(&dropout, x, &y), C3D_EINVAL);
}

static void backends_are_found_by_name(void **state)
{
    const c3d_backend_options options = { .n_threads = 1 };
    c3d_backend b;

    (void)state;
    assert_int_equal(c3d_backend_open(&b, "cuda", &options), C3D_EUNSUPPORTED);
    assert_int_equal(c3d_backend_open(&b, "fpga", &options), C3D_ECONFIG);
    assert_int_equal(c3d_backend_open(&b, "auto", &options), C3D_OK);
    assert_string_equal(b.ops->name, "onednn");
    c3d_backend_close(&b);
    c3d_backend_close(&b);
}

static void wrong_uses_are_refused(void **state)
{
    const c3d_op_desc desc = { .op = C3D_OP_LINEAR, .n_filters = 1 };
    const uint8_t turned = 4;
    c3d_pass pass = { .n_samples = 2 };
    float buffer[8] = { 0 };
    float *const grads[2] = { buffer, buffer };
    const c3d_params params = { .value = { buffer, buffer } };
    c3d_activation *x;
    c3d_plan *plan;

    (void)state;
    assert_int_equal(ref.ops->input_create(&ref, (c3d_shape){ 1, 1, 1, 1, 2 }, &x), C3D_OK);
    assert_int_equal(ref.ops->plan(&ref, &desc, x, &plan), C3D_OK);
    assert_int_equal(ref.ops->forward(&ref, plan, &params, &pass), C3D_EINVAL);
    pass.n_samples = 1;
    assert_int_equal(ref.ops->backward(&ref, plan, &params, grads, &pass), C3D_EINVAL);
    assert_int_equal(ref.ops->activation_read(&ref, plan->y, true, buffer), C3D_EINVAL);
    const c3d_input input = { .values = buffer,
                              .dtype = C3D_F32,
                              .n_samples = 1,
                              .mean = buffer,
                              .scale = buffer,
                              .symmetry = &turned };
    assert_int_equal(ref.ops->input_load(&ref, x, &input), C3D_EINVAL);
    ref.ops->plan_free(&ref, plan);
    ref.ops->activation_free(&ref, x);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolution_by_hand),
        cmocka_unit_test(gradients_are_added_when_asked),
        cmocka_unit_test(pool_by_hand),
        cmocka_unit_test(relu_makes_nan_zero),
        cmocka_unit_test(finite_differences),
        cmocka_unit_test(dropout_follows_its_definition),
        cmocka_unit_test(binary_loss_by_hand),
        cmocka_unit_test(class_loss_by_hand),
        cmocka_unit_test(focal_loss_by_differences),
        cmocka_unit_test(focal_loss_far_out),
        cmocka_unit_test(loss_refuses_bad_labels_and_shows_nan),
        cmocka_unit_test(adam_by_hand),
        cmocka_unit_test(sum_of_squares),
        cmocka_unit_test(input_is_normalised_and_turned),
        cmocka_unit_test(months_of_a_row_change_together),
        cmocka_unit_test(bad_operations_are_refused),
        cmocka_unit_test(backends_are_found_by_name),
        cmocka_unit_test(wrong_uses_are_refused),
    };

    if (argc > 1) backend_name = argv[1];
    return cmocka_run_group_tests(tests, open_ref, close_ref);
}
