/* The check backend finds planted faults, and names them. */
#include "support/cm.h"

#include <stdlib.h>
#include <string.h>

#include "c3d/backend.h"

/* A copy of ref's table with one entry replaced by a faulty one. */
static c3d_backend_ops faulty;
static c3d_backend backend;

#define N 4 /* elements of x and of y */
typedef struct net {
    c3d_activation *x;
    c3d_plan *plan;
    float *param[2], *grad[2];
} net;
static net layer;

static const c3d_op_desc linear = {
    .op = C3D_OP_LINEAR, .n_filters = N, .relu = true, .training = true, .needs_x_grad = true
};

static float *buffer(size_t n)
{
    void *out = NULL;

    assert_int_equal(backend.ops->alloc(&backend, n * sizeof(float), &out), C3D_OK);
    return out;
}

static void set_up(void)
{
    static const float weights[N * N] = { 1, 2, 3, 4, 1, 0, 1, 0, 2, 2, 2, 2, 0, 0, 0, 1 };
    static const float biases[N] = { 0.5F, 0.5F, 0.5F, 0.5F };
    const c3d_backend_ops *ops;

    assert_int_equal(
        c3d_backend_check_open(&backend, &faulty, &(c3d_backend_options){ .n_threads = 1 }),
        C3D_OK);
    ops = backend.ops;
    assert_int_equal(ops->input_create(&backend, (c3d_shape){ 2, N, 1, 1, 1 }, &layer.x), C3D_OK);
    assert_int_equal(ops->plan(&backend, &linear, layer.x, &layer.plan), C3D_OK);
    for (int i = 0; i < 2; i++) {
        layer.param[i] = buffer(layer.plan->param_n_physical[i]);
        layer.grad[i] = buffer(layer.plan->param_n_physical[i]);
        assert_int_equal(
            ops->param_import(&backend, layer.plan, i, i == 0 ? weights : biases, layer.param[i]),
            C3D_OK);
    }
}

static void tear_down(void)
{
    for (int i = 0; i < 2; i++) {
        backend.ops->free(&backend, layer.param[i]);
        backend.ops->free(&backend, layer.grad[i]);
    }
    if (layer.plan) backend.ops->plan_free(&backend, layer.plan);
    if (layer.x) backend.ops->activation_free(&backend, layer.x);
    c3d_backend_close(&backend);
    layer = (net){ 0 };
}

static c3d_status forward(void)
{
    const c3d_params params = { .value = { layer.param[0], layer.param[1] } };
    const c3d_pass pass = { .training = true, .n_samples = 2 };
    static const float x[2 * N] = { 1, 2, 3, 4, 0, 1, 0, 1 };

    C3D_TRY(backend.ops->activation_write(&backend, layer.x, false, x));
    return backend.ops->forward(&backend, layer.plan, &params, &pass);
}

static c3d_status backward(bool accumulate)
{
    const c3d_params params = { .value = { layer.param[0], layer.param[1] } };
    const c3d_pass pass = { .training = true, .n_samples = 2, .accumulate = accumulate };
    static const float dy[2 * N] = { 1, 1, 1, 1, 2, 2, 2, 2 };

    C3D_TRY(backend.ops->activation_write(&backend, layer.plan->y, true, dy));
    return backend.ops->backward(&backend, layer.plan, &params, layer.grad, &pass);
}

static void expect_refused(c3d_status st, const char *words)
{
    assert_int_equal(st, C3D_EINTERNAL);
    if (!strstr(c3d_error_last()->message, words))
        fail_msg("'%s' does not say '%s'", c3d_error_last()->message, words);
}

/* ---- no fault -------------------------------------------------------------------------------- */

static void right_backends_pass(void **state)
{
    float first[N * N], twice[N * N];

    (void)state;
    faulty = c3d_backend_ref;
    set_up();
    assert_int_equal(forward(), C3D_OK);
    assert_int_equal(backward(false), C3D_OK);
    assert_int_equal(backend.ops->param_export(&backend, layer.plan, 0, layer.grad[0], first),
                     C3D_OK);
    assert_int_equal(backward(true), C3D_OK);
    assert_int_equal(backend.ops->param_export(&backend, layer.plan, 0, layer.grad[0], twice),
                     C3D_OK);
    /* 1 of the first sample and 2 of the second for the first filter's first input: x is 1 and 0 */
    assert_true(first[0] == 1 && twice[0] == 2);
    tear_down();
}

/* ---- planted faults -------------------------------------------------------------------------- */

static c3d_status changes_its_input(c3d_backend *self, c3d_plan *plan, const c3d_params *params,
                                    const c3d_pass *pass)
{
    float x[2 * N];

    C3D_TRY(c3d_backend_ref.forward(self, plan, params, pass));
    C3D_TRY(c3d_backend_ref.activation_read(self, plan->x, false, x));
    x[5] += 1;
    return c3d_backend_ref.activation_write(self, plan->x, false, x);
}

static c3d_status changes_its_weights(c3d_backend *self, c3d_plan *plan, const c3d_params *params,
                                      const c3d_pass *pass)
{
    C3D_TRY(c3d_backend_ref.forward(self, plan, params, pass));
    params->value[0][3] += 1;
    return C3D_OK;
}

static void a_write_to_an_input_is_found(void **state)
{
    (void)state;
    faulty = c3d_backend_ref;
    faulty.forward = changes_its_input;
    set_up();
    expect_refused(forward(), "forward of a linear layer changed its input");
    tear_down();
    faulty.forward = changes_its_weights;
    set_up();
    expect_refused(forward(), "forward of a linear layer changed its weights");
    tear_down();
}

/* Adds to what lies in y: right only when it was zero by chance. The ReLU hides a NaN. */
static c3d_status reads_unwritten_output(c3d_backend *self, c3d_plan *plan,
                                         const c3d_params *params, const c3d_pass *pass)
{
    float before[2 * N], y[2 * N];

    C3D_TRY(c3d_backend_ref.activation_read(self, plan->y, false, before));
    C3D_TRY(c3d_backend_ref.forward(self, plan, params, pass));
    C3D_TRY(c3d_backend_ref.activation_read(self, plan->y, false, y));
    for (int i = 0; i < 2 * N; i++) y[i] = y[i] + before[i] > 0 ? y[i] + before[i] : 0;
    return c3d_backend_ref.activation_write(self, plan->y, false, y);
}

/* Leaves one element of y as it was. */
static c3d_status forgets_an_output(c3d_backend *self, c3d_plan *plan, const c3d_params *params,
                                    const c3d_pass *pass)
{
    float before[2 * N], y[2 * N];

    C3D_TRY(c3d_backend_ref.activation_read(self, plan->y, false, before));
    C3D_TRY(c3d_backend_ref.forward(self, plan, params, pass));
    C3D_TRY(c3d_backend_ref.activation_read(self, plan->y, false, y));
    y[6] = before[6];
    return c3d_backend_ref.activation_write(self, plan->y, false, y);
}

static c3d_status always_adds(c3d_backend *self, c3d_plan *plan, const c3d_params *params,
                              float *const *param_grads, const c3d_pass *pass)
{
    c3d_pass adding = *pass;

    adding.accumulate = true;
    return c3d_backend_ref.backward(self, plan, params, param_grads, &adding);
}

static void a_read_of_unwritten_output_is_found(void **state)
{
    (void)state;
    faulty = c3d_backend_ref;
    faulty.forward = reads_unwritten_output;
    set_up();
    expect_refused(forward(), "the output of a linear layer: element 0 is not written, or depends");
    tear_down();
    faulty.forward = forgets_an_output;
    set_up();
    expect_refused(forward(), "the output of a linear layer: element 6");
    tear_down();
    faulty = c3d_backend_ref;
    faulty.backward = always_adds;
    set_up();
    assert_int_equal(forward(), C3D_OK);
    expect_refused(backward(false), "the gradient of the weights of a linear layer");
    tear_down();
}

static void a_use_after_free_is_found(void **state)
{
    (void)state;
    faulty = c3d_backend_ref;
    set_up();
    backend.ops->free(&backend, layer.param[1]);
    expect_refused(forward(), "a parameter is used after it was freed");
    layer.param[1] = buffer(layer.plan->param_n_physical[1]);
    assert_int_equal(forward(), C3D_OK);

    float *const gone = buffer(8);
    backend.ops->free(&backend, gone);
    gone[3] = 1; /* the memory is kept, so that this is seen */
    expect_refused(backend.ops->sync(&backend), "written to after it was freed");
    memset(gone, 0xFF, 8 * sizeof *gone);
    assert_int_equal(backend.ops->sync(&backend), C3D_OK);
    tear_down();
}

static void plans_and_activations_are_watched_too(void **state)
{
    c3d_plan *second;

    (void)state;
    faulty = c3d_backend_ref;
    set_up();
    assert_int_equal(backend.ops->plan(&backend, &linear, layer.plan->y, &second), C3D_OK);
    backend.ops->plan_free(&backend, second);
    c3d_backend_ops const *ops = backend.ops;
    backend.ops->activation_free(&backend, layer.x);
    layer.x = NULL;
    expect_refused(ops->forward(&backend, layer.plan,
                                &(c3d_params){ .value = { layer.param[0], layer.param[1] } },
                                &(c3d_pass){ .n_samples = 2 }),
                   "the input of a plan is used after it was freed");
    tear_down();
}

static void an_overrun_is_found(void **state)
{
    (void)state;
    faulty = c3d_backend_ref;
    set_up();
    float *const small = buffer(5);
    float last = small[4];
    memcpy(small + 4, &(float[2]){ last, 3 }, 2 * sizeof *small);
    expect_refused(backend.ops->sync(&backend), "written past the end of a buffer of 20 bytes");
    memset(small + 5, 0xFF, sizeof *small);
    expect_refused(backend.ops->upload(&backend, small + 4, &(float[2]){ 0 }, 2 * sizeof *small),
                   "run out of a buffer");
    backend.ops->free(&backend, small);
    tear_down();
}

static c3d_status plans_the_wrong_shape(c3d_backend *self, const c3d_op_desc *desc,
                                        c3d_activation *x, c3d_plan **out)
{
    C3D_TRY(c3d_backend_ref.plan(self, desc, x, out));
    (*out)->param_n[0]++;
    return C3D_OK;
}

static void a_wrong_plan_is_found(void **state)
{
    (void)state;
    faulty = c3d_backend_ref;
    faulty.plan = plans_the_wrong_shape;
    assert_int_equal(
        c3d_backend_check_open(&backend, &faulty, &(c3d_backend_options){ .n_threads = 1 }),
        C3D_OK);
    assert_int_equal(backend.ops->input_create(&backend, (c3d_shape){ 2, N, 1, 1, 1 }, &layer.x),
                     C3D_OK);
    expect_refused(backend.ops->plan(&backend, &linear, layer.x, &layer.plan),
                   "a plan's shapes are not those of its description");
    backend.ops->plan_free(&backend, layer.plan);
    layer.plan = NULL;
    tear_down();
}

static c3d_status forgets_a_loss(c3d_backend *self, c3d_activation *logits, const c3d_loss *loss)
{
    const float kept = loss->losses[1];
    const c3d_status st = c3d_backend_ref.loss(self, logits, loss);

    loss->losses[1] = kept;
    return st;
}

static void an_unwritten_loss_is_found(void **state)
{
    const int32_t labels[2] = { 0, 3 };
    float losses[2];
    const c3d_loss loss = {
        .n_samples = 2, .labels = labels, .grad_scale = 1, .losses = losses, .with_grad = true
    };

    (void)state;
    faulty = c3d_backend_ref;
    set_up();
    assert_int_equal(forward(), C3D_OK);
    assert_int_equal(backend.ops->loss(&backend, layer.plan->y, &loss), C3D_OK);
    tear_down();
    faulty.loss = forgets_a_loss;
    set_up();
    assert_int_equal(forward(), C3D_OK);
    expect_refused(backend.ops->loss(&backend, layer.plan->y, &loss), "does not write all");
    tear_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_backends_pass),
        cmocka_unit_test(a_write_to_an_input_is_found),
        cmocka_unit_test(a_read_of_unwritten_output_is_found),
        cmocka_unit_test(a_use_after_free_is_found),
        cmocka_unit_test(plans_and_activations_are_watched_too),
        cmocka_unit_test(an_overrun_is_found),
        cmocka_unit_test(a_wrong_plan_is_found),
        cmocka_unit_test(an_unwritten_loss_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
