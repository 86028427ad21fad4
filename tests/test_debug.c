/* What --debug says of a sound network and of ones with a planted fault. */
#include "support/cm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "c3d/train.h"

#define N 4 /* samples */
static c3d_backend_ops faulty;
static c3d_backend backend;
static c3d_model model;
static int fault_filters; /* the layer with this many filters has the fault */
static bool is_constant;  /* every sample the same */
static c3d_findings found;
static char said[16384];

static c3d_status say(void *context, const char *line)
{
    const size_t used = strlen(said);

    (void)context;
    (void)snprintf(said + used, sizeof said - used, "%s\n", line);
    return C3D_OK;
}

static c3d_model_desc sound = {
    .network = "c3d",
    .x = { .n = N, .c = 2, .d = 8, .h = 16, .w = 16 },
    .width = 4, /* conv1 4, conv2 8, conv3 16, conv4 and 5 32 filters */
    .fc = 24,
    .outputs = 1,
    .dropout = 0.3,
    .pool5_padding = true,
    .training = true,
};

static void open_model(void)
{
    backend = (c3d_backend){ .ops = &faulty, .options = { .n_threads = 1 } };
    assert_int_equal(faulty.open(&backend), C3D_OK);
    assert_int_equal(c3d_model_create(&model, &backend, &sound), C3D_OK);
    assert_int_equal(c3d_model_init(&model, 5), C3D_OK);
}

static void close_model(void)
{
    c3d_model_destroy(&model);
    c3d_backend_close(&backend);
}

static c3d_status run_debug(double learning_rate)
{
    static const float mean[2] = { 0, 0 }, scale[2] = { 1, 1 };
    static const int32_t labels[N] = { 0, 1, 1, 0 };
    static const uint64_t keys[N] = { 11, 22, 33, 44 };
    const size_t n = c3d_shape_count(sound.x);
    float *values = c3d_calloc(n, sizeof *values);

    assert_non_null(values);
    for (size_t i = 0; i < n; i++)
        values[i] = (float)c3d_random_normal(3, C3D_STREAM(C3D_PURPOSE_TEST, 1),
                                             is_constant ? i % (n / N) : i);
    const c3d_debug_desc desc = {
        .model = &model,
        .input = { .values = values,
                   .dtype = C3D_F32,
                   .n_samples = N,
                   .mean = mean,
                   .scale = scale },
        .labels = labels,
        .row_keys = keys,
        .seed = 9,
        .learning_rate = learning_rate,
        .max_steps = 200,
        .max_seconds = 300,
        .say = say,
    };
    said[0] = '\0';
    const c3d_status st = c3d_debug_model(&desc, &found);
    free(values);
    return st;
}

static void look(double learning_rate)
{
    assert_int_equal(run_debug(learning_rate), C3D_OK);
}

/* True when a finding of this kind names the layer. */
static bool named(c3d_finding_kind kind, const char *layer)
{
    for (int i = 0; i < found.n; i++)
        if (found.list[i].kind == kind && found.list[i].layer >= 0 &&
            strcmp(model.table.layers[found.list[i].layer].name, layer) == 0)
            return strncmp(found.list[i].what, layer, strlen(layer)) == 0;
    return false;
}

static int count(c3d_finding_kind kind)
{
    int n = 0;

    for (int i = 0; i < found.n; i++) n += found.list[i].kind == kind;
    return n;
}

static void expect(bool holds, const char *what)
{
    if (holds) return;
    (void)fputs(said, stdout);
    fail_msg("expected: %s", what);
}

static void sound_networks_are_left_alone(void **state)
{
    static const c3d_backend_ops *const tables[] = { &c3d_backend_ref, &c3d_backend_onednn };

    (void)state;
    for (size_t i = 0; i < C3D_COUNT(tables); i++) {
        faulty = *tables[i];
        open_model();
        look(1e-3);
        expect(found.n == 0, "no finding");
        expect(strstr(said, "nothing wrong was found") != NULL, "the verdict");
        expect(strstr(said, "the network can learn") != NULL, "the batch learnt by heart");
        expect(strstr(said, "conv5b ") && strstr(said, "dropout7 "), "a line a layer");
        close_model();
    }
}

/* ---- wrong results --------------------------------------------------------------------------- */

static c3d_status scales_weight_gradients(c3d_backend *self, c3d_plan *plan,
                                          const c3d_params *params, float *const *grads,
                                          const c3d_pass *pass)
{
    C3D_TRY(c3d_backend_onednn.backward(self, plan, params, grads, pass));
    for (size_t i = 0; plan->desc.n_filters == fault_filters && i < plan->param_n_physical[0]; i++)
        grads[0][i] *= 1.3F;
    return C3D_OK;
}

static c3d_status turns_bias_gradients(c3d_backend *self, c3d_plan *plan, const c3d_params *params,
                                       float *const *grads, const c3d_pass *pass)
{
    C3D_TRY(c3d_backend_onednn.backward(self, plan, params, grads, pass));
    for (size_t i = 0; plan->desc.n_filters == fault_filters && i < plan->param_n_physical[1]; i++)
        grads[1][i] = -grads[1][i];
    return C3D_OK;
}

static c3d_status forgets_a_filter(c3d_backend *self, c3d_plan *plan, const c3d_params *params,
                                   const c3d_pass *pass)
{
    const size_t n = c3d_shape_count(plan->y_shape), size = c3d_shape_sample_count(plan->y_shape);

    C3D_TRY(c3d_backend_onednn.forward(self, plan, params, pass));
    if (plan->desc.n_filters != fault_filters) return C3D_OK;
    float *y = c3d_calloc(n, sizeof *y);
    if (!y) return C3D_ENOMEM;
    c3d_status st = self->ops->activation_read(self, plan->y, false, y);
    memset(y, 0, size / (size_t)plan->y_shape.c * sizeof *y);
    if (st == C3D_OK) st = self->ops->activation_write(self, plan->y, false, y);
    free(y);
    return st;
}

static void wrong_results_are_named(void **state)
{
    (void)state;
    faulty = c3d_backend_onednn;
    faulty.backward = scales_weight_gradients;
    fault_filters = 8;
    open_model();
    look(1e-3);
    expect(named(C3D_FINDING_WRONG, "conv2"), "conv2 differs from the reference");
    expect(named(C3D_FINDING_GRADIENT, "conv2"), "conv2's gradient is not the loss's");
    expect(count(C3D_FINDING_WRONG) == 1, "nothing else differs");
    expect(strstr(said, "the gradient of the weights") != NULL, "what is wrong");
    close_model();

    faulty.backward = turns_bias_gradients;
    fault_filters = 4;
    open_model();
    look(1e-3);
    expect(named(C3D_FINDING_WRONG, "conv1"), "conv1 differs from the reference");
    expect(named(C3D_FINDING_GRADIENT, "conv1"), "conv1's gradient has the wrong sign");
    close_model();

    faulty = c3d_backend_onednn;
    faulty.forward = forgets_a_filter;
    fault_filters = 16;
    open_model();
    look(1e-3);
    expect(named(C3D_FINDING_WRONG, "conv3a") && named(C3D_FINDING_WRONG, "conv3b"),
           "conv3a and conv3b differ from the reference");
    expect(!named(C3D_FINDING_WRONG, "conv4a"), "what comes after is right");
    close_model();
}

/* ---- networks that cannot learn -------------------------------------------------------------- */

/* Every element of a tensor becomes value * factor + offset. */
static void change(const char *name, float factor, float offset)
{
    for (int p = 0; p < model.n_params; p++) {
        if (strcmp(model.params[p].name, name) != 0) continue;
        float *values = c3d_calloc(model.params[p].n, sizeof *values);
        assert_non_null(values);
        assert_int_equal(c3d_model_export(&model, p, model.param, values), C3D_OK);
        for (size_t i = 0; i < model.params[p].n; i++) values[i] = values[i] * factor + offset;
        assert_int_equal(c3d_model_import(&model, p, values, model.param), C3D_OK);
        free(values);
        return;
    }
    fail_msg("no tensor %s", name);
}

static void sick_layers_are_named(void **state)
{
    (void)state;
    faulty = c3d_backend_onednn;
    open_model();
    change("conv3b.bias", 1, -1e4F);
    look(1e-3);
    expect(named(C3D_FINDING_DEAD, "conv3b"), "conv3b is dead");
    expect(count(C3D_FINDING_DEAD) == 1, "those after it are not blamed");
    expect(count(C3D_FINDING_WRONG) == 0, "but right");
    expect(count(C3D_FINDING_GRADIENT) == 0, "and its gradient too, small as it is");
    expect(count(C3D_FINDING_STUCK) == 1, "nothing can be learnt");
    close_model();

    open_model();
    change("fc8.weight", 0, 0);
    look(0);
    expect(named(C3D_FINDING_DEAD, "fc8"), "fc8 passes no gradient on");
    close_model();

    open_model();
    change("conv2.weight", 1e4F, 0);
    look(1e-3);
    expect(named(C3D_FINDING_EXPLODING, "conv2"), "conv2 explodes");
    expect(!named(C3D_FINDING_EXPLODING, "conv3a"), "conv3a does not");
    close_model();

    open_model();
    change("conv4a.weight", 1e-5F, 0);
    look(1e-3);
    expect(named(C3D_FINDING_VANISHING, "conv4a"), "conv4a vanishes");
    close_model();

    open_model();
    change("fc7.weight", NAN, 0);
    look(1e-3);
    expect(named(C3D_FINDING_NONFINITE, "fc7"), "the weights of fc7 are not finite");
    close_model();
}

/* Behind a norm the scale of weights does not matter. */
static void a_norm_sets_its_own_scale(void **state)
{
    (void)state;
    faulty = c3d_backend_onednn;
    sound.batch_norm = true;
    open_model();
    change("conv4a.weight", 4e-3F, 0);
    look(1e-3);
    expect(found.n == 0, "no finding");
    close_model();
    open_model();
    change("bn4a.weight", 4e4F, 0);
    look(1e-3);
    expect(named(C3D_FINDING_EXPLODING, "bn4a"), "bn4a explodes");
    close_model();
    sound.batch_norm = false;
}

static void a_loss_that_stands_still_is_named(void **state)
{
    (void)state;
    faulty = c3d_backend_onednn;
    open_model();
    look(0);
    expect(count(C3D_FINDING_STUCK) == 1 && found.n == 1, "a rate of 0 learns nothing");
    expect(!strstr(said, "named above"), "and nothing is named above");
    close_model();

    open_model();
    look(1);
    expect(
        strstr(said, "optimizer.learning_rate 1: the first steps change the weights of 11 of 11"),
        "a rate of 1 throws the weights away");
    close_model();

    open_model(); /* dropout would tell them apart by their masks */
    is_constant = true;
    look(1e-3);
    is_constant = false;
    expect(count(C3D_FINDING_STUCK) == 1, "equal samples of two classes cannot be learnt");
    close_model();
}

/* The last: a request to stop stays. */
static void a_request_to_stop_is_no_finding(void **state)
{
    (void)state;
    faulty = c3d_backend_onednn;
    open_model();
    c3d_stop_request();
    assert_int_equal(run_debug(0), C3D_ESTOPPED);
    assert_int_equal(found.n, 0);
    close_model();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_networks_are_left_alone),
        cmocka_unit_test(wrong_results_are_named),
        cmocka_unit_test(sick_layers_are_named),
        cmocka_unit_test(a_norm_sets_its_own_scale),
        cmocka_unit_test(a_loss_that_stands_still_is_named),
        cmocka_unit_test(a_request_to_stop_is_no_finding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
