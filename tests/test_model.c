/* The planned model on the backend named (ref), in bf16 if asked so: gradients against finite
 * differences, accumulation, short batches, ranges given to the hook, initialisation. */
#include "c3d/nn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"
#include "support/precision.h"
#include "support/resident.h"

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != C3D_OK) fail_msg("%s: %s", #call, c3d_error_last()->message);                \
    } while (0)

#define N_MAX 4

static const uint64_t row_keys[N_MAX] = { 11, 12, 13, 14 };
static const char *backend_name = "ref";
static c3d_precision precision = C3D_PRECISION_FP32;
static c3d_backend backend;

static int set_up(void **state)
{
    (void)state;
    open_or_skip(&backend, backend_name,
                 &(c3d_backend_options){ .n_threads = 1, .precision = precision });
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    c3d_backend_close(&backend);
    return 0;
}

static c3d_model_desc tiny(const char *network, int n, int outputs)
{
    const bool flat = strcmp(network, "cnn2d") == 0;

    return (c3d_model_desc){
        .network = network,
        .x = { .n = n, .c = 2, .d = flat ? 1 : 4, .h = 16, .w = 16 },
        .width = 2,
        .fc = 8,
        .outputs = outputs,
        .dropout = 0.25,
        .pool5_padding = true,
        .training = true,
    };
}

static c3d_model_desc tiny_norm(int n)
{
    c3d_model_desc desc = tiny("c3d", n, 1);

    desc.batch_norm = true;
    return desc;
}

/* Rows first, first + 1, ... of an endless made-up data set. */
static void load(c3d_model *model, int first, int n)
{
    static const float mean[2] = { 0.25F, 0 }, scale[2] = { 1, 0.5F };
    const c3d_shape shape = model->table.layers[0].x;
    const size_t row = c3d_shape_sample_count(shape);
    float *values = c3d_calloc((size_t)n * row, sizeof *values);

    assert_non_null(values);
    for (size_t i = 0; i < (size_t)n * row; i++)
        values[i] =
            (float)c3d_random_normal(5, C3D_STREAM(C3D_PURPOSE_TEST, 0), (uint64_t)first * row + i);
    OK(c3d_model_load(
        model,
        &(c3d_input){
            .values = values, .dtype = C3D_F32, .n_samples = n, .mean = mean, .scale = scale }));
    OK(backend.ops->sync(&backend));
    free(values);
}

typedef struct result {
    float losses[N_MAX], scores[3 * N_MAX];
    double sum;
} result;

/* Forward and loss of rows first .. first + n - 1, and backward if asked. */
static result run(c3d_model *model, int first, int n, bool backward, bool accumulate)
{
    static const int32_t labels[N_MAX] = { 1, 0, 0, 1 };
    const c3d_pass pass = { .training = true,
                            .n_samples = n,
                            .seed = 3,
                            .row_keys = row_keys + first,
                            .accumulate = accumulate };
    result r = { .sum = 0 };

    load(model, first, n);
    OK(c3d_model_forward(model, &pass));
    OK(c3d_model_loss(model, &(c3d_loss){ .n_samples = n,
                                          .labels = labels + first,
                                          .grad_scale = 1,
                                          .losses = r.losses,
                                          .scores = r.scores,
                                          .with_grad = backward }));
    if (backward) OK(c3d_model_backward(model, &pass, NULL));
    OK(backend.ops->sync(&backend));
    for (int i = 0; i < n; i++) r.sum += (double)r.losses[i];
    return r;
}

static float *exported(c3d_model *model, int p, const float *arena)
{
    float *values = c3d_calloc(model->params[p].n, sizeof *values);

    assert_non_null(values);
    OK(c3d_model_export(model, p, arena, values));
    return values;
}

static double loss_at(c3d_model *model, int p, float *values, size_t i, float value)
{
    const float kept = values[i];
    double sum;

    values[i] = value;
    OK(c3d_model_import(model, p, values, model->param));
    sum = run(model, 0, 3, false, false).sum;
    values[i] = kept;
    OK(c3d_model_import(model, p, values, model->param));
    return sum;
}

/* Central difference of the loss, middle its value in between; false where the slopes to the left
 * and to the right disagree, because a ReLU or a maximum switches there. Float activations carry a
 * noise of some units of 2^-24 of the loss, which the width divides. */
static bool slope(c3d_model *model, int p, float *values, size_t i, double middle, double *out,
                  double *tolerance)
{
    const float at = values[i], h = 0x1p-9F;
    const double right =
        (loss_at(model, p, values, i, at + h) - middle) / ((double)(at + h) - (double)at);
    const double left =
        (middle - loss_at(model, p, values, i, at - h)) / ((double)at - (double)(at - h));

    *out = (left + right) / 2;
    *tolerance = 16 * 0x1p-24 / (double)h + 0.01 * fabs(*out);
    return fabs(right - left) <= *tolerance;
}

/* Of n_each elements of each parameter. */
static void check_gradients(c3d_model_desc desc, size_t n_each)
{
    int n_compared = 0, n_skipped = 0, n_large = 0;
    c3d_model model;

    OK(c3d_model_create(&model, &backend, &desc));
    OK(c3d_model_init(&model, 1));
    const double middle = run(&model, 0, 3, true, false).sum;
    for (int p = 0; p < model.n_params; p++) {
        float *values = exported(&model, p, model.param), *grads = exported(&model, p, model.grad);
        const size_t n = model.params[p].n;
        for (size_t k = 0; k < n_each && k < n; k++) {
            const size_t i =
                n <= n_each ? k
                            : (size_t)c3d_random_below(2, C3D_STREAM(C3D_PURPOSE_TEST, p), k, n);
            double expected, tolerance;
            if (!slope(&model, p, values, i, middle, &expected, &tolerance)) {
                n_skipped++;
                continue;
            }
            n_compared++;
            n_large += fabs(expected) > 4 * tolerance;
            if (fabs((double)grads[i] - expected) <= tolerance) continue;
            fail_msg("%s %s[%zu]: gradient %g, finite difference %g +- %g", desc.network,
                     model.params[p].name, i, (double)grads[i], expected, tolerance);
        }
        free(values);
        free(grads);
    }
    assert_true(n_compared >= 4 * n_skipped);
    assert_true(n_large >= 20); /* well above the tolerance: the sign is seen */
    c3d_model_destroy(&model);
}

static void test_gradients(void **state)
{
    (void)state;
    check_gradients(tiny("c3d", 3, 1), 6);
    check_gradients(tiny("c3d", 3, 3), 6);
    check_gradients(tiny("cnn2d", 3, 1), 6);
    check_gradients(tiny("tcnn", 3, 1), 6);
    check_gradients(tiny("c2plus1d", 3, 1), 2);
    check_gradients(tiny("cnn2d_stack", 3, 1), 2);
}

/* What float sums of up to 4 rows x 4 x 16 x 16 products may differ by in another order, their
 * largest taken as that of the gradient; none on ref, which sums in double. */
static double order_tolerance(const float *grad, size_t n)
{
    double largest = 0;

    if (strstr(backend_name, "ref")) return 0;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs((double)grad[i]));
    return 8 * 0x1p-24 * sqrt(4 * 4 * 16 * 16) * largest;
}

/* Two micro-batches of two against one of four: the same terms, one rounding more. */
static void test_accumulate(void **state)
{
    const c3d_model_desc desc_4 = tiny("c3d", 4, 1), desc_2 = tiny("c3d", 2, 1);
    c3d_model whole, half;

    (void)state;
    OK(c3d_model_create(&whole, &backend, &desc_4));
    OK(c3d_model_create(&half, &backend, &desc_2));
    OK(c3d_model_init(&whole, 1));
    OK(c3d_model_init(&half, 1));
    run(&whole, 0, 4, true, false);
    for (int p = 0; p < whole.n_params; p++) {
        float *expected = exported(&whole, p, whole.grad), *first, *found;
        size_t n_differ = 0;
        run(&half, 0, 2, true, false);
        first = exported(&half, p, half.grad);
        run(&half, 2, 2, true, true);
        found = exported(&half, p, half.grad);
        const double order = order_tolerance(first, whole.params[p].n);
        for (size_t i = 0; i < whole.params[p].n; i++) {
            const double off = fabs((double)expected[i] - (double)found[i]);
            const double terms = fabs((double)first[i]) + fabs((double)found[i] - (double)first[i]);
            if (!(off <= 2 * 0x1p-24 * terms + order)) fail_msg("%s[%zu]", whole.params[p].name, i);
            n_differ += found[i] != first[i];
        }
        assert_true(n_differ > 0); /* the second half was added */
        free(expected);
        free(first);
        free(found);
    }
    c3d_model_destroy(&whole);
    c3d_model_destroy(&half);
}

/* Three rows in a model of four: what a model of three computes, also after other rows have been
 * there; scores to the bit, gradients up to the order of their sums. What a norm takes away again
 * has a gradient of zero, which is rounding of larger ones: `growth` is for its way through norms.
 */
static void check_short_batch(c3d_model_desc desc_4, c3d_model_desc desc_3, double growth)
{
    c3d_model large, exact;
    result found, expected;

    OK(c3d_model_create(&large, &backend, &desc_4));
    OK(c3d_model_create(&exact, &backend, &desc_3));
    OK(c3d_model_init(&large, 1));
    OK(c3d_model_init(&exact, 1));
    run(&large, 0, 4, true, false);
    found = run(&large, 0, 3, true, false);
    expected = run(&exact, 0, 3, true, false);
    assert_memory_equal(found.losses, expected.losses, 3 * sizeof(float));
    assert_memory_equal(found.scores, expected.scores, 3 * sizeof(float));
    const double order = growth * order_tolerance(exact.grad, exact.n_arena);
    for (int p = 0; p < large.n_params; p++) {
        float *a = exported(&large, p, large.grad), *b = exported(&exact, p, exact.grad);
        for (size_t i = 0; i < large.params[p].n; i++)
            if (!(fabs((double)a[i] - (double)b[i]) <= order))
                fail_msg("%s[%zu]", large.params[p].name, i);
        free(a);
        free(b);
    }
    c3d_model_destroy(&large);
    c3d_model_destroy(&exact);
}

static void test_short_batch(void **state)
{
    (void)state;
    check_short_batch(tiny("c3d", 4, 1), tiny("c3d", 3, 1), 1);
    check_short_batch(tiny_norm(4), tiny_norm(3), 100);
}

/* Running statistics begin with 0 and 1, take a tenth of each micro-batch in the order given, and
 * are what a pass that is not training sees. */
static void test_running(void **state)
{
    const c3d_model_desc desc = tiny_norm(2);
    const int n_samples[3] = { 2, 2, 1 };
    c3d_model model;

    (void)state;
    OK(c3d_model_create(&model, &backend, &desc));
    OK(c3d_model_init(&model, 1));
    assert_int_equal(model.n_running, 16);
    assert_string_equal(model.running[0].name, "bn1.running_mean");
    assert_string_equal(model.running[15].name, "bn5b.running_var");
    const size_t n = model.n_stats, last = model.running[14].offset;
    assert_int_equal(n, 2 * 2 * (1 + 2 + 4 + 4 + 8 * 4));
    float *seen = c3d_calloc(n, sizeof *seen);
    double *stats = c3d_calloc(3 * n, sizeof *stats);
    assert_true(seen && stats);

    run(&model, 0, 2, false, false);
    OK(c3d_model_stats_read(&model, seen));
    OK(backend.ops->sync(&backend));
    for (size_t i = 0; i < n; i++) {
        stats[i] = (double)seen[i];
        stats[n + i] = 100 + (double)i;
        stats[2 * n + i] = 7;
    }
    for (int r = 0; r < model.n_running; r++)
        for (size_t i = 0; i < model.running[r].n; i++)
            assert_true(model.host_stats[model.running[r].offset + i] ==
                        (float)model.running[r].which);
    OK(c3d_model_stats_merge(&model, stats, n_samples, 3));
    for (size_t i = 0; i < n; i++) {
        const size_t channels = model.running[0].n;
        double expected = i >= last ? i >= last + model.running[14].n : 0;
        if (i >= channels && i < 2 * channels) expected = 1;
        if (i >= 2 * channels && i < last) continue;
        for (int k = 0; k < 3; k++) {
            /* of one row conv5 has one element: 16 px are 1 px there, 4 months are 1 */
            if (k == 2 && i >= last) continue;
            expected = 0.9 * expected + 0.1 * stats[(size_t)k * n + i];
        }
        assert_true(fabs((double)model.host_stats[i] - expected) <= 3 * 0x1p-24 * fabs(expected));
    }
    free(seen);
    free(stats);
    c3d_model_destroy(&model);
}

static void test_running_is_used(void **state)
{
    const c3d_model_desc desc = tiny_norm(2);
    const c3d_pass pass = { .n_samples = 2 };
    float losses[3][2];
    c3d_model model;

    (void)state;
    OK(c3d_model_create(&model, &backend, &desc));
    OK(c3d_model_init(&model, 1));
    float *stats = c3d_calloc(model.n_stats, sizeof *stats);
    assert_non_null(stats);
    for (int k = 0; k < 3; k++) {
        if (k == 1) run(&model, 2, 2, false, false); /* batch statistics leave no trace */
        for (size_t i = 0; i < model.n_stats; i++)
            stats[i] = k == 2 && i == model.running[0].offset ? 0.5F : 0;
        for (int r = 1; r < model.n_running; r += 2)
            for (size_t i = 0; i < model.running[r].n; i++) stats[model.running[r].offset + i] = 1;
        OK(c3d_model_stats_set(&model, stats));
        load(&model, 0, 2);
        OK(c3d_model_forward(&model, &pass));
        OK(c3d_model_loss(&model, &(c3d_loss){ .n_samples = 2,
                                               .labels = (const int32_t[]){ 0, 1 },
                                               .losses = losses[k] }));
        OK(backend.ops->sync(&backend));
    }
    assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
    assert_memory_not_equal(losses[0], losses[2], sizeof losses[0]);
    free(stats);
    c3d_model_destroy(&model);
}

typedef struct seen {
    const c3d_model *model;
    size_t end;
    int n_calls;
    float *grad; /* [n_arena] as it was when the hook was called */
} seen;

static c3d_status note_range(void *context, size_t begin, size_t end)
{
    seen *s = context;

    assert_int_equal(begin, s->end);
    assert_true(end > begin && end <= s->model->n_arena);
    OK(backend.ops->download(&backend, s->grad + begin, s->model->grad + begin,
                             (end - begin) * sizeof(float)));
    s->end = end;
    s->n_calls++;
    return C3D_OK;
}

static c3d_status fail_at_third(void *context, size_t begin, size_t end)
{
    int *n_calls = context;

    (void)begin, (void)end;
    return ++*n_calls == 3 ? C3D_FAIL(C3D_ECOMM, "peer gone") : C3D_OK;
}

static void test_hook(void **state)
{
    const c3d_model_desc desc = tiny("c3d", 2, 1);
    const c3d_pass pass = { .training = true, .n_samples = 2, .seed = 3, .row_keys = row_keys };
    int n_calls = 0;
    c3d_model model;
    seen s = { .model = &model };

    (void)state;
    OK(c3d_model_create(&model, &backend, &desc));
    OK(c3d_model_init(&model, 1));
    s.grad = c3d_calloc(model.n_arena, sizeof(float));
    float *last = c3d_calloc(model.n_arena, sizeof(float));
    assert_true(s.grad && last);
    run(&model, 0, 2, true, false);
    OK(c3d_model_backward(&model, &pass, &(c3d_grad_hook){ note_range, &s }));
    assert_int_equal(s.end, model.n_arena);
    assert_int_equal(s.n_calls, 11); /* layers with parameters */
    OK(backend.ops->download(&backend, last, model.grad, model.n_arena * sizeof(float)));
    assert_memory_equal(s.grad, last, model.n_arena * sizeof(float));
    assert_int_equal(c3d_model_backward(&model, &pass, &(c3d_grad_hook){ fail_at_third, &n_calls }),
                     C3D_ECOMM);
    assert_int_equal(n_calls, 3);
    free(s.grad);
    free(last);
    c3d_model_destroy(&model);
}

static void test_init(void **state)
{
    const c3d_model_desc desc_1 = tiny("c3d", 1, 1), desc_2 = tiny("c3d", 4, 1);
    c3d_model a, b, other;

    (void)state;
    OK(c3d_model_create(&a, &backend, &desc_1));
    OK(c3d_model_create(&b, &backend, &desc_2));
    OK(c3d_model_create(&other, &backend, &desc_1));
    OK(c3d_model_init(&b, 8));
    OK(c3d_model_init(&b, 7)); /* what was there before does not matter */
    OK(c3d_model_init(&a, 7));
    OK(c3d_model_init(&other, 8));
    for (int p = 0; p < a.n_params; p++) {
        const size_t n = a.params[p].n;
        float *x = exported(&a, p, a.param), *y = exported(&b, p, b.param);
        float *z = exported(&other, p, other.param);
        double sum = 0, sum_squares = 0;
        assert_memory_equal(x, y, n * sizeof *x);
        for (size_t i = 0; i < n; i++) {
            sum += (double)x[i];
            sum_squares += (double)x[i] * (double)x[i];
            assert_true(a.params[p].which == 1 ? x[i] == 0 : x[i] != z[i]);
        }
        if (a.params[p].which == 0) { /* within 5 standard errors of mean 0 and of the variance */
            const bool is_last = strcmp(a.params[p].name, "fc8.weight") == 0;
            const double variance = (is_last ? 1.0 : 2.0) / (double)a.params[p].fan_in;
            assert_true(fabs(sum) <= 5 * sqrt(variance * (double)n));
            assert_true(fabs(sum_squares / (double)n - variance) <=
                        5 * variance * sqrt(2 / (double)n));
        }
        free(x);
        free(y);
        free(z);
    }
    c3d_model_destroy(&a);
    c3d_model_destroy(&b);
    c3d_model_destroy(&other);
}

/* Every weight has the same bits however many threads draw. */
static void test_init_threads(void **state)
{
    const c3d_model_desc desc = tiny("c3d", 1, 1);
    float *drawn[2] = { NULL, NULL };
    size_t n = 0;

    (void)state;
    for (int i = 0; i < 2; i++) {
        const c3d_backend_options options = { .n_threads = i == 0 ? 1 : 3 };
        c3d_backend own = { 0 };
        c3d_model model;

        OK(c3d_backend_open(&own, backend_name, &options));
        OK(c3d_model_create(&model, &own, &desc));
        OK(c3d_model_init(&model, 7));
        n = model.n_arena;
        drawn[i] = c3d_calloc(n, sizeof(float));
        assert_non_null(drawn[i]);
        OK(own.ops->download(&own, drawn[i], model.param, n * sizeof(float)));
        c3d_model_destroy(&model);
        c3d_backend_close(&own);
    }
    assert_memory_equal(drawn[0], drawn[1], n * sizeof(float));
    free(drawn[0]);
    free(drawn[1]);
}

static void test_params(void **state)
{
    const c3d_model_desc desc = tiny("c3d", 1, 1), flat = tiny("cnn2d", 1, 1);
    const int64_t conv2[5] = { 4, 2, 3, 3, 3 }, conv2_flat[4] = { 4, 2, 3, 3 };
    const int64_t fc6[2] = { 8, 16 };
    uint64_t n = 0;
    c3d_model model;

    (void)state;
    OK(c3d_model_create(&model, &backend, &desc));
    assert_int_equal(model.n_params, 22);
    assert_string_equal(model.params[0].name, "conv1.weight");
    assert_string_equal(model.params[21].name, "fc8.bias");
    assert_string_equal(model.params[2].name, "conv2.weight");
    assert_int_equal(model.params[2].rank, 5);
    assert_memory_equal(model.params[2].shape, conv2, sizeof conv2);
    assert_int_equal(model.params[2].fan_in, 2 * 27);
    assert_string_equal(model.params[16].name, "fc6.weight");
    assert_int_equal(model.params[16].rank, 2);
    assert_memory_equal(model.params[16].shape, fc6, sizeof fc6);
    assert_int_equal(model.params[20].offset, 0); /* the last layer comes first */
    assert_int_equal(model.params[1].offset + model.params[1].n_physical, model.n_arena);
    for (int p = 0; p < model.n_params; p++) {
        float *values = exported(&model, p, model.param), *back;
        uint64_t product = 1;
        for (int axis = 0; axis < model.params[p].rank; axis++)
            product *= (uint64_t)model.params[p].shape[axis];
        assert_int_equal(product, model.params[p].n);
        n += product;
        for (size_t i = 0; i < model.params[p].n; i++) values[i] = (float)i + 0.5F;
        OK(c3d_model_import(&model, p, values, model.param));
        back = exported(&model, p, model.param);
        assert_memory_equal(values, back, model.params[p].n * sizeof *values);
        free(values);
        free(back);
    }
    assert_int_equal(n, model.table.n_params);
    c3d_model_destroy(&model);
    OK(c3d_model_create(&model, &backend, &flat));
    assert_int_equal(model.params[2].rank, 4);
    assert_memory_equal(model.params[2].shape, conv2_flat, sizeof conv2_flat);
    c3d_model_destroy(&model);
    c3d_model_destroy(&model); /* twice is fine */
}

/* Parts of a convolution have a time axis each, a network that stacks has none. */
static void test_params_of_others(void **state)
{
    const c3d_model_desc parts = tiny("c2plus1d", 1, 1), stack = tiny("cnn2d_stack", 1, 1);
    const int64_t in_space[5] = { 9 * 2 * 4 / (3 * 2 + 4), 2, 1, 3, 3 };
    const int64_t in_time[5] = { 4, in_space[0], 3, 1, 1 }, conv1[4] = { 2, 2 * 4, 3, 3 };
    c3d_model model;

    (void)state;
    OK(c3d_model_create(&model, &backend, &parts));
    assert_string_equal(model.params[4].name, "conv2_s.weight");
    assert_string_equal(model.params[7].name, "conv2_t.bias");
    assert_int_equal(model.params[4].rank, 5);
    assert_memory_equal(model.params[4].shape, in_space, sizeof in_space);
    assert_memory_equal(model.params[6].shape, in_time, sizeof in_time);
    assert_int_equal(model.params[6].fan_in, 3 * in_space[0]);
    c3d_model_destroy(&model);
    OK(c3d_model_create(&model, &backend, &stack));
    assert_int_equal(model.params[0].rank, 4);
    assert_memory_equal(model.params[0].shape, conv1, sizeof conv1);
    c3d_model_destroy(&model);
}

static result run_stacked(const c3d_model_desc *desc, const c3d_input *input)
{
    const c3d_pass pass = { .training = true, .n_samples = 2, .seed = 3, .row_keys = row_keys };
    result r = { .sum = 0 };
    c3d_model model;

    OK(c3d_model_create(&model, &backend, desc));
    OK(c3d_model_init(&model, 1));
    OK(c3d_model_load(&model, input));
    OK(c3d_model_forward(&model, &pass));
    OK(c3d_model_loss(&model, &(c3d_loss){ .n_samples = 2,
                                           .labels = (const int32_t[]){ 0, 1 },
                                           .losses = r.losses,
                                           .scores = r.scores }));
    OK(backend.ops->sync(&backend));
    c3d_model_destroy(&model);
    return r;
}

/* More than 64 channels: months stacked are what cnn2d makes of one month with as many bands, with
 * each band's normalisation and changes repeated for its months, and months where they show. */
static void test_stack(void **state)
{
    enum { BANDS = 3, MONTHS = 23, CHANNELS = BANDS * MONTHS, PX = 4 * 4 };
    c3d_model_desc stack = tiny("cnn2d_stack", 2, 1), flat = tiny("cnn2d", 2, 1);
    static uint16_t values[2][CHANNELS][PX], shown[2][CHANNELS][PX];
    float mean[CHANNELS], scale[CHANNELS], gain[2][CHANNELS], offset[2][CHANNELS];
    float gain_of_band[2][BANDS], offset_of_band[2][BANDS];
    const float means[BANDS] = { 10, 30000, 2 }, scales[BANDS] = { 1e-4F, 2e-4F, 5e-5F };
    int16_t month_from[2][MONTHS];

    (void)state;
    for (int n = 0; n < 2; n++) {
        for (int m = 0; m < MONTHS; m++) month_from[n][m] = (int16_t)((m * 7 + n) % MONTHS);
        for (int c = 0; c < CHANNELS; c++) {
            const int band = c / MONTHS, from = band * MONTHS + month_from[n][c % MONTHS];
            for (int p = 0; p < PX; p++) {
                values[n][c][p] = (uint16_t)(2654435761U * (unsigned)((n * 97 + c) * PX + p) >> 16);
                shown[n][c][p] =
                    (uint16_t)(2654435761U * (unsigned)((n * 97 + from) * PX + p) >> 16);
            }
            mean[c] = means[band], scale[c] = scales[band];
            gain[n][c] = gain_of_band[n][band] = 1 + 0.1F * (float)(n + band);
            offset[n][c] = offset_of_band[n][band] = 0.1F * (float)(n - band);
        }
    }
    stack.x = (c3d_shape){ 2, BANDS, MONTHS, 4, 4 };
    flat.x = (c3d_shape){ 2, CHANNELS, 1, 4, 4 };
    c3d_input input = { .values = values,
                        .dtype = C3D_U16,
                        .n_samples = 2,
                        .mean = means,
                        .scale = scales,
                        .gain = gain_of_band[0],
                        .offset = offset_of_band[0],
                        .month_from = month_from[0] };
    const result found = run_stacked(&stack, &input);
    input.mean = mean, input.scale = scale, input.gain = gain[0], input.offset = offset[0];
    input.values = shown, input.month_from = NULL;
    const result expected = run_stacked(&flat, &input);
    assert_memory_equal(found.losses, expected.losses, 2 * sizeof(float));
    input.values = values;
    const result unmoved = run_stacked(&flat, &input);
    assert_memory_not_equal(found.losses, unmoved.losses, 2 * sizeof(float));
}

static void test_forward_only(void **state)
{
    c3d_model_desc desc = tiny("c3d", 2, 1);
    const c3d_pass pass = { .n_samples = 2 };
    float losses[2][2];
    c3d_model model;

    (void)state;
    for (int training = 0; training < 2; training++) { /* dropout is off in both */
        desc.training = training == 1;
        OK(c3d_model_create(&model, &backend, &desc));
        assert_true((model.grad != NULL) == desc.training);
        OK(c3d_model_init(&model, 1));
        load(&model, 0, 2);
        OK(c3d_model_forward(&model, &pass));
        OK(c3d_model_loss(&model, &(c3d_loss){ .n_samples = 2,
                                               .labels = (const int32_t[]){ 0, 1 },
                                               .losses = losses[training] }));
        OK(backend.ops->sync(&backend));
        c3d_model_destroy(&model);
    }
    assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
    desc.x.h = 1;
    assert_int_equal(c3d_model_create(&model, &backend, &desc), C3D_ECONFIG);
}

static size_t model_bytes(const c3d_model_desc *desc, bool dry_run)
{
    const c3d_backend_options options = { .n_threads = 1,
                                          .precision = precision,
                                          .dry_run = dry_run };
    c3d_backend other;
    c3d_model model;

    OK(c3d_backend_open(&other, backend_name, &options));
    assert_true(other.n_bytes < (size_t)1 << 20); /* a backend's own */
    OK(c3d_model_create(&model, &other, desc));
    const size_t n_bytes = other.n_bytes;
    c3d_model_destroy(&model);
    const size_t n_shared = other.n_bytes; /* between plans: kept until the backend is closed */
    assert_true(n_shared < n_bytes);
    c3d_backend_close(&other);
    return n_bytes;
}

/* A dry run counts what the model takes, to the byte, and takes nothing. */
static void test_dry_run(void **state)
{
    c3d_model_desc desc = tiny("c3d", 3, 2), flat = tiny("cnn2d", 2, 1), published = desc;

    (void)state;
    assert_int_equal(model_bytes(&desc, true), model_bytes(&desc, false));
    assert_int_equal(model_bytes(&flat, true), model_bytes(&flat, false));
    desc.training = false;
    assert_int_equal(model_bytes(&desc, true), model_bytes(&desc, false));

    published.x = (c3d_shape){ .n = 64, .c = 3, .d = 16, .h = 112, .w = 112 };
    published.width = 64, published.fc = 4096, published.outputs = 101;
    const size_t before = resident_bytes(), n_bytes = model_bytes(&published, true);
    assert_true(n_bytes > (size_t)(precision < C3D_PRECISION_BF16 ? 8 : 4) << 30);
    assert_true(before > 0 && resident_bytes() < before + ((size_t)256 << 20));
}

/* Whether low holds param's range [begin, begin + n), rounded. */
static bool is_rounded(const c3d_model *model, size_t begin, size_t n)
{
    float *param = c3d_calloc(n, sizeof *param);
    uint16_t *low = c3d_calloc(n, sizeof *low);
    bool same = param && low;

    OK(backend.ops->download(&backend, param, model->param + begin, n * sizeof *param));
    OK(backend.ops->download(&backend, low, model->low + begin, n * sizeof *low));
    for (size_t i = 0; same && i < n; i++) {
        const uint32_t bits = (uint32_t)low[i] << 16;
        const float expected = nearest_low(precision, param[i]);
        same = memcmp(&bits, &expected, sizeof bits) == 0;
    }
    free(param);
    free(low);
    return same;
}

static void test_low(void **state)
{
    const c3d_model_desc desc = tiny("c3d", 1, 1);
    c3d_model model;

    (void)state;
    OK(c3d_model_create(&model, &backend, &desc));
    OK(c3d_model_init(&model, 1));
    if (precision == C3D_PRECISION_FP32 || precision == C3D_PRECISION_TF32) {
        assert_null(model.low);
        OK(c3d_model_to_low(&model, 0, model.n_arena));
        c3d_model_destroy(&model);
        return;
    }
    const size_t n = model.n_arena, half = n / 32 * 16;
    assert_true(is_rounded(&model, 0, n));
    float *thirds = c3d_calloc(n, sizeof *thirds);
    assert_non_null(thirds);
    for (size_t i = 0; i < n; i++) thirds[i] = (float)(i + 1) / 3;
    OK(backend.ops->upload(&backend, model.param, thirds, n * sizeof *thirds));
    free(thirds);
    OK(c3d_model_to_low(&model, 0, half));
    assert_true(is_rounded(&model, 0, half));
    assert_false(is_rounded(&model, half, 1));
    OK(c3d_model_to_low(&model, half, n - half));
    assert_true(is_rounded(&model, half, n - half));
    c3d_model_destroy(&model);
}

/* test_model [BACKEND [PRECISION]]; finite differences see nothing through bf16's noise. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_low),         cmocka_unit_test(test_accumulate),
        cmocka_unit_test(test_short_batch), cmocka_unit_test(test_hook),
        cmocka_unit_test(test_init),        cmocka_unit_test(test_init_threads),
        cmocka_unit_test(test_params),      cmocka_unit_test(test_forward_only),
        cmocka_unit_test(test_running),     cmocka_unit_test(test_running_is_used),
        cmocka_unit_test(test_dry_run),     cmocka_unit_test(test_params_of_others),
        cmocka_unit_test(test_stack),
    };
    const struct CMUnitTest differences[] = { cmocka_unit_test(test_gradients) };
    int n_failed = 0;

    if (argc > 1) backend_name = argv[1];
    if (argc > 2) precision = precision_of(argv[2]);
    if (precision == C3D_PRECISION_FP32)
        n_failed = cmocka_run_group_tests(differences, set_up, tear_down);
    return n_failed + cmocka_run_group_tests(tests, set_up, tear_down);
}
