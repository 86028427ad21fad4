/* Each operation of the backends named as arguments against ref, in one process:
 *     parity_backend [--threads N] [--precision P] onednn ...
 * Every case runs twice. With exact inputs (small multiples of 1/4, whose sums float holds) any
 * order of summation gives the same bits, and equality is demanded. With real inputs the difference
 * must stay below a bound that follows from the number of terms and their magnitude. With 16
 * bits ref is given the inputs rounded, and rounding of the outputs that are of 16 bits is added;
 * tf32 rounds the factors of each product of a convolution and of a linear layer with ReLU. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "c3d/backend.h"
#include "support/op_run.h"
#include "support/precision.h"

static int n_failures;
static c3d_precision precision = C3D_PRECISION_FP32;

static void report(const char *backend, const char *what, const char *where, size_t i, double got,
                   double expected)
{
    if (n_failures++ < 20)
        printf("%s: %s: %s[%zu]: %.9g, ref says %.9g\n", backend, what, where, i, got, expected);
}

/* ---- convolution, linear layer, pool: forward and backward ------------------------------------
 */

#define CONV(k, kd, kh, kw) .op = C3D_OP_CONV, .n_filters = (k), .kernel = { kd, kh, kw }
#define ONE                 .stride = { 1, 1, 1 }
#define SAME                .pad_before = { 1, 1, 1 }, .pad_after = { 1, 1, 1 }
#define TRAIN               .training = true, .needs_x_grad = true
#define POOL(d, h, w)       .op = C3D_OP_POOL, .kernel = { d, h, w }, .stride = { d, h, w }

static const op_case cases[] = {
    { "conv 3x3x3, 3 bands", { CONV(16, 3, 3, 3), ONE, SAME, TRAIN }, { 2, 3, 4, 6, 6 }, 0, false },
    { "conv, 4 bands, relu",
      { CONV(16, 3, 3, 3), ONE, SAME, TRAIN, .relu = true },
      { 3, 4, 5, 7, 9 },
      2,
      false },
    { "conv, 5 bands, sums", { CONV(8, 3, 3, 3), ONE, SAME, TRAIN }, { 2, 5, 3, 5, 5 }, 0, true },
    { "conv, 1 band, 1 filter",
      { CONV(1, 3, 3, 3), ONE, SAME, TRAIN },
      { 1, 1, 3, 4, 5 },
      0,
      false },
    { "conv, 16 to 32, relu",
      { CONV(32, 3, 3, 3), ONE, SAME, TRAIN, .relu = true },
      { 2, 16, 4, 8, 8 },
      0,
      true },
    { "conv, 32 to 48, 1 row",
      { CONV(48, 3, 3, 3), ONE, SAME, TRAIN },
      { 1, 32, 2, 4, 4 },
      0,
      false },
    { "conv, 17 to 19", { CONV(19, 3, 3, 3), ONE, SAME, TRAIN }, { 2, 17, 3, 5, 4 }, 1, true },
    { "conv, time of 1", { CONV(16, 3, 3, 3), ONE, SAME, TRAIN }, { 2, 16, 1, 6, 6 }, 0, false },
    { "conv, first layer",
      { CONV(16, 3, 3, 3), ONE, SAME, .training = true, .relu = true },
      { 2, 4, 4, 8, 8 },
      0,
      false },
    { "conv, forward only",
      { CONV(16, 3, 3, 3), ONE, SAME, .relu = true },
      { 2, 4, 4, 8, 8 },
      0,
      false },
    { "conv without bias, sums",
      { CONV(16, 3, 3, 3), ONE, SAME, TRAIN, .no_bias = true },
      { 3, 5, 3, 5, 4 },
      2,
      true },
    { "conv without bias, first layer",
      { CONV(16, 3, 3, 3), ONE, SAME, .training = true, .no_bias = true, .relu = true },
      { 2, 4, 4, 6, 6 },
      0,
      false },
    { "linear without bias, relu",
      { .op = C3D_OP_LINEAR, .n_filters = 7, .no_bias = true, .relu = true, TRAIN },
      { 3, 16, 1, 2, 3 },
      2,
      true },
    { "conv 1x3x3, 2D",
      { CONV(16, 1, 3, 3), ONE, .pad_before = { 0, 1, 1 }, .pad_after = { 0, 1, 1 }, TRAIN },
      { 3, 4, 1, 9, 9 },
      0,
      false },
    { "conv 1x3x3, 2D, 16 to 32",
      { CONV(32, 1, 3, 3), ONE, .pad_before = { 0, 1, 1 }, .pad_after = { 0, 1, 1 }, TRAIN },
      { 2, 16, 1, 8, 8 },
      0,
      true },
    { "conv 1x3x3 over months",
      { CONV(16, 1, 3, 3), ONE, .pad_before = { 0, 1, 1 }, .pad_after = { 0, 1, 1 }, TRAIN },
      { 2, 4, 3, 6, 6 },
      0,
      false },
    { "conv 3x1x1",
      { CONV(16, 3, 1, 1), ONE, .pad_before = { 1, 0, 0 }, .pad_after = { 1, 0, 0 }, TRAIN },
      { 2, 4, 6, 5, 5 },
      0,
      false },
    { "conv, strides and pads differ",
      { CONV(7, 2, 3, 4), .stride = { 1, 2, 3 }, .pad_before = { 1, 0, 2 },
        .pad_after = { 0, 1, 1 }, TRAIN },
      { 2, 3, 4, 7, 9 },
      0,
      false },
    { "conv, stride above kernel",
      { CONV(4, 1, 1, 1), .stride = { 2, 2, 2 }, TRAIN },
      { 2, 3, 4, 5, 7 },
      0,
      false },
    { "conv, kernel as large as the input",
      { CONV(5, 2, 3, 4), ONE, TRAIN },
      { 2, 3, 2, 3, 4 },
      0,
      false },
    { "linear, from maps",
      { .op = C3D_OP_LINEAR, .n_filters = 33, .relu = true, TRAIN },
      { 3, 16, 2, 3, 3 },
      2,
      false },
    { "linear, from odd maps",
      { .op = C3D_OP_LINEAR, .n_filters = 8, TRAIN },
      { 2, 5, 3, 1, 2 },
      0,
      true },
    { "linear, from 2D maps",
      { .op = C3D_OP_LINEAR, .n_filters = 16, TRAIN },
      { 2, 16, 1, 2, 2 },
      0,
      false },
    { "linear, relu",
      { .op = C3D_OP_LINEAR, .n_filters = 64, .relu = true, TRAIN },
      { 4, 64, 1, 1, 1 },
      3,
      true },
    { "linear, 1 output",
      { .op = C3D_OP_LINEAR, .n_filters = 1, TRAIN },
      { 4, 64, 1, 1, 1 },
      0,
      false },
    { "linear, 1 row, 1 input",
      { .op = C3D_OP_LINEAR, .n_filters = 3, TRAIN },
      { 1, 1, 1, 1, 1 },
      0,
      false },
    { "linear, forward only",
      { .op = C3D_OP_LINEAR, .n_filters = 7, .relu = true },
      { 4, 30, 1, 1, 1 },
      0,
      false },
    { "pool 1x2x2", { POOL(1, 2, 2), TRAIN }, { 2, 16, 3, 8, 8 }, 0, false },
    { "pool 2x2x2, 3 channels", { POOL(2, 2, 2), TRAIN }, { 3, 3, 4, 6, 6 }, 2, false },
    { "pool 2x2x2, odd sizes", { POOL(2, 2, 2), TRAIN }, { 2, 17, 5, 7, 9 }, 0, false },
    { "pool, 2D", { POOL(1, 2, 2), TRAIN }, { 2, 16, 1, 6, 6 }, 0, false },
    { "pool, 2D, 1 channel, 1 row", { POOL(1, 2, 2), TRAIN }, { 1, 1, 1, 5, 4 }, 0, false },
    { "pool, 1 of padding after",
      { POOL(2, 2, 2), .pad_after = { 0, 1, 1 }, TRAIN },
      { 2, 16, 2, 7, 7 },
      0,
      false },
    { "pool, 1 of padding before and after",
      { POOL(2, 2, 2), .pad_before = { 0, 1, 1 }, .pad_after = { 0, 1, 1 }, TRAIN },
      { 2, 16, 2, 4, 4 },
      0,
      false },
    { "pool, padded, 5 channels",
      { POOL(1, 2, 2), .pad_before = { 0, 1, 0 }, .pad_after = { 0, 0, 1 }, TRAIN },
      { 2, 5, 3, 5, 5 },
      0,
      false },
    { "pool, windows overlap",
      { .op = C3D_OP_POOL, .kernel = { 3, 3, 3 }, .stride = { 1, 2, 2 }, SAME, TRAIN },
      { 2, 16, 3, 7, 7 },
      0,
      false },
    { "pool, forward only", { POOL(2, 2, 2) }, { 2, 16, 4, 6, 6 }, 0, false },
    { "dropout",
      { .op = C3D_OP_DROPOUT, .rate = 0.5, .dropout_layer = 1, TRAIN },
      { 3, 37, 1, 1, 1 },
      2,
      false },
    { "dropout of maps",
      { .op = C3D_OP_DROPOUT, .rate = 0.3, TRAIN },
      { 2, 18, 2, 3, 3 },
      0,
      false },
};

static void fill(float *to, size_t n, bool exact, uint64_t stream)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t draw = c3d_random_u64(5, stream, i);

        to[i] = exact ? (float)((int)(draw % 17) - 8) / 4 : (float)((double)draw * 0x1p-63 - 1);
    }
}

static void fill_all(op_arrays *a, bool exact)
{
    static const op_array inputs[] = { OP_X, OP_W, OP_B, OP_DY, OP_DW, OP_DB };

    for (size_t i = 0; i < C3D_COUNT(inputs); i++)
        fill(a->data[inputs[i]], a->n[inputs[i]], exact,
             C3D_STREAM(C3D_PURPOSE_TEST, (unsigned)inputs[i]));
}

/* A pool keeps its x, and with it who wins. */
static void make_absolute(op_arrays *a, bool pool)
{
    for (int i = pool ? OP_W : OP_X; i < OP_ARRAYS; i++)
        for (size_t e = 0; e < a->n[i]; e++) a->data[i][e] = fabsf(a->data[i][e]);
}

/* Products that go into one element of an output array. */
static double n_terms(const op_case *c, op_array which, c3d_shape y)
{
    const double taps = (double)c->op.kernel[0] * c->op.kernel[1] * c->op.kernel[2];

    if (c->op.op == C3D_OP_POOL || c->op.op == C3D_OP_DROPOUT) return 8;
    if (which == OP_DW || which == OP_DB) return (double)y.n * y.d * y.h * y.w + 1;
    if (c->op.op == C3D_OP_LINEAR)
        return which == OP_DX ? y.c : (double)c3d_shape_sample_count(c->x) + 1;
    return which == OP_DX ? y.c * taps : c->x.c * taps + 1;
}

static size_t n_compared(const op_case *c, const op_arrays *a, op_array which)
{
    return which == OP_Y || which == OP_DX ? op_used(c, which) : a->n[which];
}

/* Operations that give logits compute in float32. */
static bool has_logits(const op_case *c)
{
    return c->op.op == C3D_OP_LINEAR && !c->op.relu;
}

static bool has_products(const op_case *c)
{
    return c->op.op == C3D_OP_CONV || (c->op.op == C3D_OP_LINEAR && !has_logits(c));
}

/* With 16 bits x and dx are, and w, y and dy but of logits. */
static bool is_low(const op_case *c, op_array which)
{
    if (!is_16_bits(precision) || which >= OP_DW || which == OP_B) return false;
    return which == OP_X || which == OP_DX || !has_logits(c);
}

/* What ref is given: activations and weights as the other backend rounds them, and where it takes
 * biases of 16 bits these. */
static void round_inputs(const c3d_backend *other, const op_case *c, op_arrays *a)
{
    const bool has_low_bias = !other->ops->host_memory && is_16_bits(precision) && !has_logits(c);

    for (int i = 0; i < OP_ARRAYS; i++)
        if (is_low(c, (op_array)i) || (i == OP_B && has_low_bias))
            round_all(precision, a->data[i], a->n[i]);
}

/* n terms summed in another order, each rounded to u = 2^-24: the errors are as good as
 * independent, so their sum stays below a few times u sqrt(n) times the sum of the terms'
 * magnitudes (Higham and Mary 2019), which ref gives from the absolute inputs; two more u for
 * rounding the result. Rounding to 16 bits adds its unit of the result, or none where it is exact.
 * tf32 may cut off both factors of every product; with exact inputs there is nothing to cut. */
static void compare(const char *backend, const op_case *c, const op_arrays *got,
                    const op_arrays *expected, const op_arrays *magnitude)
{
    static const op_array outputs[] = { OP_Y, OP_DX, OP_DW, OP_DB };
    c3d_shape y;

    if (c3d_op_output(&c->op, c->x, &y) != C3D_OK) abort();
    for (size_t o = 0; o < C3D_COUNT(outputs); o++) {
        const op_array which = outputs[o];
        const bool is_cut = precision == C3D_PRECISION_TF32 && has_products(c) && which != OP_DB;
        const double factor =
            0x1p-24 * (4 * sqrt(n_terms(c, which, y)) + 2) + (is_cut ? 2 * low_unit(precision) : 0);

        for (size_t i = 0; i < n_compared(c, got, which); i++) {
            const double a = (double)got->data[which][i];
            double b = (double)expected->data[which][i], bound = 0;

            if (magnitude) bound = factor * fabs((double)magnitude->data[which][i]);
            if (magnitude && is_low(c, which)) bound += low_error(precision, fabs(b) + bound);
            if (!magnitude && is_low(c, which)) b = (double)nearest_low(precision, (float)b);
            if (fabs(a - b) <= bound) continue;
            report(backend, c->name, op_array_names[which], i, a, b);
        }
    }
}

static void must(c3d_status st, const char *what)
{
    if (st == C3D_OK) return;
    printf("%s: %s\n", what, c3d_error_last()->message);
    exit(EXIT_FAILURE);
}

/* Biases that no sum of a linear layer brings down to 0: inputs and weights are within 1. */
static void lift(const op_case *c, op_arrays *a)
{
    for (size_t i = 0; i < a->n[OP_B]; i++)
        a->data[OP_B][i] += (float)c3d_shape_sample_count(c->x) + 2;
}

static void check_case(c3d_backend *ref, c3d_backend *other, const op_case *c, bool exact)
{
    const char *name = other->ops->name;
    op_case real = *c;
    op_arrays got, expected, magnitude;

    /* Where the output is near 0 rounding decides what relu does, so real inputs run without; or
     * far above 0, where it takes relu to make a linear layer compute in less than float32. */
    const bool lifted =
        !exact && precision != C3D_PRECISION_FP32 && c->op.op == C3D_OP_LINEAR && !has_logits(c);
    if (!exact && !lifted) real.op.relu = false;
    op_arrays_create(&got, c);
    op_arrays_create(&expected, c);
    op_arrays_create(&magnitude, c);
    op_arrays *const all[] = { &got, &expected, &magnitude };
    for (size_t i = 0; i < C3D_COUNT(all); i++) {
        fill_all(all[i], exact);
        if (lifted) lift(c, all[i]);
    }
    round_inputs(other, &real, &expected);
    round_inputs(other, &real, &magnitude);
    make_absolute(&magnitude, c->op.op == C3D_OP_POOL);
    must(op_run(ref, &real, &expected), c->name);
    must(op_run(other, &real, &got), c->name);
    if (!exact) must(op_run(ref, &real, &magnitude), c->name);
    compare(name, &real, &got, &expected, exact ? NULL : &magnitude);
    op_arrays_free(&got);
    op_arrays_free(&expected);
    op_arrays_free(&magnitude);
}

int main(int argc, char **argv)
{
    c3d_backend ref;
    int n_threads = 2, n_backends = 0;

    must(c3d_backend_open(&ref, "ref", &(c3d_backend_options){ 0 }), "ref");
    for (int i = 1; i < argc; i++) {
        c3d_backend other;
        char text[256];

        if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
            n_threads = atoi(argv[++i]);
            continue;
        }
        if (strcmp(argv[i], "--precision") == 0 && i + 1 < argc) {
            precision = precision_of(argv[++i]);
            continue;
        }
        open_or_skip(&other, argv[i],
                     &(c3d_backend_options){ .n_threads = n_threads, .precision = precision });
        printf("%s: %s\n", argv[i], other.ops->describe(&other, text));
        for (size_t c = 0; c < C3D_COUNT(cases); c++) {
            check_case(&ref, &other, &cases[c], true);
            check_case(&ref, &other, &cases[c], false);
        }
        c3d_backend_close(&other);
        n_backends++;
    }
    c3d_backend_close(&ref);
    if (n_failures > 0) printf("%d values differ\n", n_failures);
    return n_failures == 0 && n_backends > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
