/* Updates against PyTorch's AdamW with its clipping and schedulers (tests/golden/make_optimizer.py
 * says what the fixture holds), on the backend named; and what the fixture does not reach. */
#include "train/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"
#include "train/schedule.h"

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != C3D_OK) fail_msg("%s: %s", #call, c3d_error_last()->message);                \
    } while (0)

#define N        80
#define N_STEPS  12
#define HALF_ULP 0x1p-24

static const char *fixture_path, *backend_name;

static void parse(const char *text, c3d_config *config)
{
    const c3d_config_source_text source = {
        .text = text, .n_bytes = strlen(text), .name = "test", .use = C3D_CONFIG_FOR_READING
    };
    c3d_text mistakes = { 0 };

    if (c3d_config_parse(&source, config, &mistakes) != C3D_OK) fail_msg("%s", mistakes.text);
    c3d_text_free(&mistakes);
}

static void configure(const c3d_tensor_file *file, const char *course, c3d_config *config)
{
    static const char *const keys[] = { "warmup_steps", "learning_rate", "beta1",    "beta2",
                                        "epsilon",      "weight_decay",  "clip_norm" };
    c3d_text yaml = { 0 };

    c3d_text_add(&yaml, "optimizer:\n  schedule: %s\n", course);
    for (size_t i = 0; i < C3D_COUNT(keys); i++)
        c3d_text_add(&yaml, "  %s: %s\n", keys[i], c3d_tensor_file_metadata(file, keys[i]));
    parse(yaml.text, config);
    c3d_text_free(&yaml);
}

static void tensor(c3d_tensor_file *file, const char *group, const char *course, float *to,
                   size_t n)
{
    char name[64];

    (void)snprintf(name, sizeof name, "%s%s%s", group, course[0] ? "." : "", course);
    const c3d_tensor_entry *entry = c3d_tensor_file_find(file, name);
    if (!entry) fail_msg("%s: not in the fixture", name);
    OK(c3d_tensor_file_read(file, entry, to, n * sizeof *to));
}

static void is_near(const char *what, int step, float got, float expected, double bound)
{
    if (!(fabs((double)got - (double)expected) <= bound))
        fail_msg("%s of step %d: %.9g, PyTorch says %.9g +- %.2g", what, step, (double)got,
                 (double)expected, bound);
}

typedef struct fixture {
    float start[N], gradients[N_STEPS][N];
    float rates[N_STEPS], norms[N_STEPS], params[N_STEPS][N];
} fixture;

static void open_run(c3d_run *run, c3d_comm *comm, const c3d_config *config, const float *start)
{
    const c3d_backend_options options = { .n_threads = 1 };
    void *param, *grad;

    *run = (c3d_run){ .comm = comm, .config = config };
    OK(c3d_backend_open(&run->backend, backend_name, &options));
    OK(run->backend.ops->alloc(&run->backend, N * sizeof(float), &param));
    OK(run->backend.ops->alloc(&run->backend, N * sizeof(float), &grad));
    run->model.n_arena = N;
    run->model.param = param;
    run->model.grad = grad;
    OK(run->backend.ops->upload(&run->backend, param, start, N * sizeof(float)));
    OK(c3d_optimizer_open(run));
}

static void close_run(c3d_run *run)
{
    c3d_optimizer_close(run);
    run->backend.ops->free(&run->backend, run->model.param);
    run->backend.ops->free(&run->backend, run->model.grad);
    c3d_backend_close(&run->backend);
}

static void check_step(c3d_run *run, const fixture *f, int t)
{
    const c3d_backend_ops *ops = run->backend.ops;
    const double rate = c3d_schedule_rate(run->config, N_STEPS, t);
    float got[N];
    double squares;

    OK(ops->upload(&run->backend, run->model.grad, f->gradients[t], sizeof f->gradients[t]));
    OK(c3d_optimizer_measure(run));
    OK(ops->download(&run->backend, &squares, run->optimizer.squares, sizeof squares));
    is_near("norm", t, (float)sqrt(squares), f->norms[t], 2 * HALF_ULP * (double)f->norms[t]);
    is_near("rate", t, (float)rate, f->rates[t], 2 * HALF_ULP * (double)f->rates[t]);
    OK(c3d_optimizer_step(run, rate, 1));
    OK(ops->download(&run->backend, got, run->model.param, sizeof got));
    /* A step rounds the parameter (below 4) a few times, and moves it by at most 4 rates, of which
     * some ten roundings of moments and quotient are wrong. */
    for (int i = 0; i < N; i++)
        is_near("parameter", t, got[i], f->params[t][i],
                (t + 1) * HALF_ULP * (3 * (fabs((double)f->params[t][i]) + 0.01) + 10 * 4 * 0.01));
}

static void updates_are_pytorchs(void **state)
{
    static const char *const courses[] = { "constant", "linear", "cosine" };
    static fixture f;
    c3d_comm comm = { .ops = &c3d_comm_self, .n_ranks = 1 };
    c3d_tensor_file *file;

    (void)state;
    OK(c3d_tensor_file_open(fixture_path, &file));
    tensor(file, "start", "", f.start, N);
    tensor(file, "gradients", "", f.gradients[0], (size_t)N_STEPS * N);
    for (size_t c = 0; c < C3D_COUNT(courses); c++) {
        c3d_config config;
        c3d_run run;

        tensor(file, "rates", courses[c], f.rates, N_STEPS);
        tensor(file, "norms", courses[c], f.norms, N_STEPS);
        tensor(file, "params", courses[c], f.params[0], (size_t)N_STEPS * N);
        configure(file, courses[c], &config);
        open_run(&run, &comm, &config, f.start);
        for (int t = 0; t < N_STEPS; t++) check_step(&run, &f, t);
        close_run(&run);
        c3d_config_free(&config);
    }
    c3d_tensor_file_close(file);
}

static void rates_need_no_warmup_and_end_at_zero(void **state)
{
    c3d_config config;

    (void)state;
    parse("optimizer: {schedule: linear, learning_rate: 8}\n", &config);
    for (int step = 0; step <= 4; step++)
        assert_true(c3d_schedule_rate(&config, 4, step) == 8 - 2 * step);
    assert_true(c3d_schedule_rate(&config, 4, 5) == 0);
    config.optimizer.schedule = C3D_CONFIG_SCHEDULE_COSINE;
    assert_true(c3d_schedule_rate(&config, 4, 0) == 8);
    assert_true(fabs(c3d_schedule_rate(&config, 4, 2) - 4) < 1e-14);
    assert_true(c3d_schedule_rate(&config, 4, 9) == 0);
    config.optimizer.schedule = C3D_CONFIG_SCHEDULE_CONSTANT;
    assert_true(c3d_schedule_rate(&config, 4, 9) == 8);
    c3d_config_free(&config);
}

static void a_warmup_ends_before_the_run(void **state)
{
    c3d_config config;

    (void)state;
    parse("optimizer: {warmup_steps: 4}\n", &config);
    assert_int_equal(c3d_schedule_check(&config, 4), C3D_ECONFIG);
    assert_non_null(strstr(c3d_error_last()->message, "optimizer.warmup_steps: 4"));
    OK(c3d_schedule_check(&config, 5));
    c3d_config_free(&config);
}

/* clip_norm / (norm + 1e-6) where that is below 1, and nothing at all without a finite norm. */
static void only_long_gradients_are_clipped(void **state)
{
    static const struct {
        double norm, clip;
        bool is_clipped;
    } cases[] = { { 0, 2, false }, { 1.9, 2, false }, { 8, 2, true }, { 8, 0, false } };
    c3d_backend backend;
    void *buffers[5]; /* grad, m, v, param, the sum of squares */

    (void)state;
    OK(c3d_backend_open(&backend, backend_name, &(c3d_backend_options){ .n_threads = 1 }));
    for (int i = 0; i < 5; i++) OK(backend.ops->alloc(&backend, sizeof(double), &buffers[i]));
    const c3d_adam_arrays arrays = { 1, buffers[0], buffers[1], buffers[2], buffers[3], NULL };
    for (size_t i = 0; i < C3D_COUNT(cases); i++) {
        const float expected = (float)(2 / (8 + 1e-6)), g = 3;
        const double square = cases[i].norm * cases[i].norm;
        const c3d_adam adam = { .rate = 1,
                                .beta1 = 0,
                                .epsilon = 1,
                                .t = 1,
                                .grad_scale = 1,
                                .clip_norm = cases[i].clip,
                                .squares = buffers[4] };
        float m;

        OK(backend.ops->upload(&backend, buffers[0], &g, sizeof g));
        OK(backend.ops->upload(&backend, buffers[4], &square, sizeof square));
        OK(backend.ops->adam(&backend, &adam, &arrays));
        OK(backend.ops->download(&backend, &m, buffers[1], sizeof m));
        assert_true(m == (cases[i].is_clipped ? g * expected : g));
    }
    for (int i = 0; i < 5; i++) backend.ops->free(&backend, buffers[i]);
    c3d_backend_close(&backend);
}

static void a_step_without_a_finite_norm_changes_nothing(void **state)
{
    const double bad[] = { (double)NAN, (double)INFINITY };
    c3d_backend backend;

    (void)state;
    OK(c3d_backend_open(&backend, backend_name, &(c3d_backend_options){ .n_threads = 1 }));
    for (size_t i = 0; i < C3D_COUNT(bad); i++) {
        float grad = 1, m = 2, v = 3, param = 4;
        const c3d_adam adam = {
            .rate = 1, .epsilon = 1, .t = 1, .grad_scale = 1, .squares = &bad[i]
        };
        const c3d_adam_arrays arrays = { 1, &grad, &m, &v, &param, NULL };

        OK(backend.ops->adam(&backend, &adam, &arrays));
        assert_true(grad == 1 && m == 2 && v == 3 && param == 4);
    }
    c3d_backend_close(&backend);
}

/* Halved by what overflows, doubled after 2000 steps without; not below 1, and 1 but for fp16. */
static void loss_scales_follow_overflows(void **state)
{
    c3d_run run = { 0 };

    (void)state;
    c3d_loss_scale_begin(&run);
    assert_true(run.optimizer.loss_scale == 1);
    assert_false(c3d_loss_scale_see(&run, false));
    assert_true(run.optimizer.loss_scale == 1);
    run.backend.options.precision = C3D_PRECISION_FP16;
    c3d_loss_scale_begin(&run);
    assert_true(run.optimizer.loss_scale == 65536);
    for (int i = 0; i < 1999; i++) assert_false(c3d_loss_scale_see(&run, true));
    assert_true(c3d_loss_scale_see(&run, false));
    assert_true(run.optimizer.loss_scale == 32768);
    for (int i = 0; i < 2000; i++) {
        assert_true(run.optimizer.loss_scale == 32768);
        assert_false(c3d_loss_scale_see(&run, true));
    }
    assert_true(run.optimizer.loss_scale == 65536);
    for (int i = 0; i < 16; i++) assert_true(c3d_loss_scale_see(&run, false));
    assert_true(run.optimizer.loss_scale == 1);
    assert_false(c3d_loss_scale_see(&run, false)); /* no scale is to blame */
}

/* test_optimizer FIXTURE BACKEND */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(updates_are_pytorchs),
        cmocka_unit_test(rates_need_no_warmup_and_end_at_zero),
        cmocka_unit_test(a_warmup_ends_before_the_run),
        cmocka_unit_test(only_long_gradients_are_clipped),
        cmocka_unit_test(a_step_without_a_finite_norm_changes_nothing),
        cmocka_unit_test(loss_scales_follow_overflows),
    };

    if (argc != 3) return EXIT_FAILURE;
    fixture_path = argv[1];
    backend_name = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
