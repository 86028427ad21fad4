/* A small network of each kind against PyTorch, cnn2d also with three classes, c3d also with batch
 * normalisation: outputs, all gradients, parameters after three Adam steps, running statistics and
 * what they give in evaluation (tests/golden/make.py says what the fixtures hold), on every backend
 * in this build.
 *
 * A fixture's "deviation" is the largest difference between PyTorch in float32 and in float64: what
 * rounding does to that array. Of small arrays it is a small sample, so the noise of a network is
 * the largest over all arrays, relative to each array's largest element; another float32 evaluation
 * differs by another draw of the same kind, and at most ALLOWED times the noise is demanded.
 *
 * With less than float32 arrays are compared as a whole (norm of the difference against the norm).
 * On the way to the logits each layer rounds weights and output, independent errors of at most the
 * precision's unit. In the gradients rounding also turns some ReLUs and exchanges some winners of
 * pools, and a share s of switched ways moves a gradient by sqrt(2 s); wrong ones are off by 1 and
 * more, so 1/2 is demanded. The gradients of biases in the other small networks are sums
 * that nearly cancel, of which no such bound holds: they run in float32 alone.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "c3d/nn.h"
#include "support/precision.h"

#define ALLOWED          4.0
#define N_STEPS          3
#define RATE             1e-3
#define HALF_ULP         0x1p-24
#define MAX_VALUES       100000
#define MAX_LOGITS       16
#define N_WHOLE_FIXTURES 4 /* the first ones */

static int n_failures;
static c3d_precision precision = C3D_PRECISION_FP32;
static double v_roots[N_STEPS][MAX_VALUES]; /* sqrt of the bias-corrected v, all parameters */

static void must(c3d_status st, const char *what)
{
    if (st == C3D_OK) return;
    printf("%s: %s\n", what, c3d_error_last()->message);
    exit(EXIT_FAILURE);
}

static void check(const char *what, const char *name, size_t i, double got, double expected,
                  double bound)
{
    if (fabs(got - expected) <= bound) return;
    if (n_failures++ < 20)
        printf("%s %s[%zu]: %.9g, PyTorch says %.9g +- %.2g\n", what, name, i, got, expected,
               bound);
}

/* A tensor "GROUP.NAME" of the fixture, of n elements; given. */
static void *tensor(c3d_tensor_file *file, const char *group, const char *name, size_t n)
{
    char full[96];
    const c3d_tensor_entry *entry;

    snprintf(full, sizeof full, "%s%s", group, name);
    entry = c3d_tensor_file_find(file, full);
    if (!entry) {
        printf("%s: not in the fixture\n", full);
        exit(EXIT_FAILURE);
    }
    const size_t n_bytes = n * c3d_dtype_size(entry->dtype);
    void *const data = malloc(n_bytes);
    if (!data) abort();
    must(c3d_tensor_file_read(file, entry, data, n_bytes), full);
    return data;
}

typedef struct golden {
    c3d_tensor_file *file;
    const char *backend_name;
    c3d_backend backend;
    c3d_model model;
    uint16_t *x;
    float *mean, *scale;
    int32_t *labels;
    float *m, *v;
    double noise[N_STEPS]; /* relative */
} golden;

static int text_number(const c3d_tensor_file *file, const char *key)
{
    long long value;

    if (!c3d_parse_int(c3d_tensor_file_metadata(file, key), &value)) exit(EXIT_FAILURE);
    return (int)value;
}

static double largest(const float *x, size_t n)
{
    double result = 0;

    for (size_t i = 0; i < n; i++) result = fmax(result, fabs((double)x[i]));
    return result;
}

static void measure_noise(golden *g)
{
    for (int p = 0; p < g->model.n_params; p++) {
        const c3d_param *param = &g->model.params[p];
        float *grad = tensor(g->file, "grad.", param->name, param->n);
        float *deviation = tensor(g->file, "deviation.", param->name, N_STEPS);

        C3D_ASSERT(largest(grad, param->n) > 0);
        for (int t = 0; t < N_STEPS; t++)
            g->noise[t] = fmax(g->noise[t], (double)deviation[t] / largest(grad, param->n));
        free(grad);
        free(deviation);
    }
}

static void golden_open(golden *g, const char *path, const char *backend_name)
{
    const c3d_tensor_entry *x;
    void *m, *v;

    *g = (golden){ .backend_name = backend_name };
    must(c3d_tensor_file_open(path, &g->file), path);
    const char *normalization = c3d_tensor_file_metadata(g->file, "normalization");
    open_or_skip(&g->backend, backend_name,
                 &(c3d_backend_options){ .n_threads = 2, .precision = precision });
    x = c3d_tensor_file_find(g->file, "x");
    const c3d_model_desc desc = {
        .network = c3d_tensor_file_metadata(g->file, "network"),
        .x = { (int)x->shape[0], (int)x->shape[1], (int)x->shape[2], (int)x->shape[3],
               (int)x->shape[4] },
        .width = text_number(g->file, "width"),
        .fc = text_number(g->file, "fc"),
        .outputs = (int)c3d_tensor_file_find(g->file, "logits")->shape[1],
        .pool5_padding = true,
        .batch_norm = normalization && strcmp(normalization, "batch") == 0,
        .training = true,
    };
    must(c3d_model_create(&g->model, &g->backend, &desc), path);
    g->x = tensor(g->file, "x", "", c3d_shape_count(desc.x));
    g->mean = tensor(g->file, "mean", "", (size_t)desc.x.c);
    g->scale = tensor(g->file, "scale", "", (size_t)desc.x.c);
    g->labels = tensor(g->file, "labels", "", (size_t)desc.x.n);
    must(g->backend.ops->alloc(&g->backend, g->model.n_arena * sizeof(float), &m), "m");
    must(g->backend.ops->alloc(&g->backend, g->model.n_arena * sizeof(float), &v), "v");
    g->m = m;
    g->v = v;
    measure_noise(g);
}

static void golden_close(golden *g)
{
    g->backend.ops->free(&g->backend, g->m);
    g->backend.ops->free(&g->backend, g->v);
    c3d_model_destroy(&g->model);
    c3d_backend_close(&g->backend);
    c3d_tensor_file_close(g->file);
    free(g->x);
    free(g->mean);
    free(g->scale);
    free(g->labels);
}

static void import_start(golden *g)
{
    for (int p = 0; p < g->model.n_params; p++) {
        const c3d_param *param = &g->model.params[p];
        float *start = tensor(g->file, "param.", param->name, param->n);

        must(c3d_model_import(&g->model, p, start, g->model.param), param->name);
        free(start);
    }
    float *stats = calloc(g->model.n_stats + 1, sizeof *stats);
    if (!stats) abort();
    for (int r = 1; r < g->model.n_running; r += 2)
        for (size_t i = 0; i < g->model.running[r].n; i++)
            stats[g->model.running[r].offset + i] = 1;
    must(c3d_model_stats_set(&g->model, stats), "running statistics");
    free(stats);
}

static void merge_statistics(golden *g)
{
    const size_t n = g->model.n_stats;
    float *stats = calloc(n + 1, sizeof *stats);
    double *wide = calloc(n + 1, sizeof *wide);

    if (!stats || !wide) abort();
    must(c3d_model_stats_read(&g->model, stats), "statistics");
    must(g->backend.ops->sync(&g->backend), "sync");
    for (size_t i = 0; i < n; i++) wide[i] = (double)stats[i];
    must(c3d_model_stats_merge(&g->model, wide, &g->model.table.layers[0].x.n, 1), "merge");
    free(stats);
    free(wide);
}

static void run(golden *g, float *losses, float *scores)
{
    const int n = g->model.input ? (int)g->model.table.layers[0].x.n : 0;
    uint64_t keys[8] = { 0 };
    const c3d_pass pass = { .training = true, .n_samples = n, .row_keys = keys };
    const c3d_input input = {
        .values = g->x, .dtype = C3D_U16, .n_samples = n, .mean = g->mean, .scale = g->scale
    };
    const c3d_loss loss = { .n_samples = n,
                            .labels = g->labels,
                            .grad_scale = 1.0F / (float)n,
                            .losses = losses,
                            .scores = scores,
                            .with_grad = true };

    must(c3d_model_load(&g->model, &input), "load");
    must(c3d_model_forward(&g->model, &pass), "forward");
    must(c3d_model_loss(&g->model, &loss), "loss");
    must(c3d_model_backward(&g->model, &pass, NULL), "backward");
    must(g->backend.ops->sync(&g->backend), "sync");
}

/* The norm of got - expected, relative to that of expected. */
static double distance(const float *got, const float *expected, size_t n)
{
    double off = 0, all = 0;

    for (size_t i = 0; i < n; i++) {
        const double d = (double)got[i] - (double)expected[i];

        off += d * d;
        all += (double)expected[i] * (double)expected[i];
    }
    return sqrt(off / all);
}

static void compare_whole(golden *g, const char *group, const char *name, const float *got,
                          size_t n)
{
    float *expected = tensor(g->file, group, name, n);
    /* Weight and output of each layer, evenly spread. */
    const double forward = ALLOWED * low_unit(precision) * sqrt(g->model.n_params / 3.0);

    check(g->backend_name, name, n, distance(got, expected, n), 0, group[0] ? 0.5 : forward);
    free(expected);
}

static void compare(golden *g, const char *group, const char *name, const float *got, size_t n)
{
    if (precision != C3D_PRECISION_FP32) {
        compare_whole(g, group, name, got, n);
        return;
    }
    float *expected = tensor(g->file, group, name, n);
    const double bound = ALLOWED * g->noise[0] * largest(expected, n);

    for (size_t i = 0; i < n; i++)
        check(g->backend_name, name, i, (double)got[i], (double)expected[i],
              bound + HALF_ULP * fabs((double)expected[i]));
    free(expected);
}

static void check_outputs(golden *g, const float *losses, const float *scores)
{
    const c3d_plan *last = g->model.plans[g->model.table.n_layers - 1];
    const size_t n = c3d_shape_count(last->y_shape);
    float logits[MAX_LOGITS];

    C3D_ASSERT(n <= C3D_COUNT(logits));
    must(g->backend.ops->activation_read(&g->backend, last->y, false, logits), "logits");
    compare(g, "", "logits", logits, n);
    compare(g, "", "losses", losses, (size_t)last->y_shape.n);
    if (last->y_shape.c > 1) compare(g, "", "scores", scores, n);
}

static void check_gradients(golden *g)
{
    for (int p = 0; p < g->model.n_params; p++) {
        const c3d_param *param = &g->model.params[p];
        float *got = malloc(param->n * sizeof *got);

        if (!got) abort();
        must(c3d_model_export(&g->model, p, g->model.grad, got), param->name);
        compare(g, "grad.", param->name, got, param->n);
        free(got);
    }
}

static void keep_v_roots(golden *g, int step)
{
    const double correction = 1 - pow(0.999, step + 1);
    size_t at = 0;

    for (int p = 0; p < g->model.n_params; p++) {
        const c3d_param *param = &g->model.params[p];
        float *v = malloc(param->n * sizeof *v);

        C3D_ASSERT(at + param->n <= MAX_VALUES);
        if (!v) abort();
        must(c3d_model_export(&g->model, p, g->v, v), param->name);
        for (size_t i = 0; i < param->n; i++) v_roots[step][at++] = sqrt((double)v[i] / correction);
        free(v);
    }
}

/* How far an error of `delta` in every gradient so far can move one Adam step: with u = m' / (sqrt
 * v'
 * + epsilon), |u| below 1.2 in three steps, m' moves by at most delta and sqrt v' too (it is a
 * weighted quadratic mean), so u moves by at most (1 + |u|) delta / (sqrt v' + epsilon); and never
 * by more than from one end to the other. A gradient that was always 0 moves nothing. */
static double step_bound(double delta, double v_root)
{
    const double slope = v_root > 0 ? 2.2 * delta / (v_root + 1e-8) : 0;

    return RATE * (slope < 2.4 ? slope : 2.4);
}

static void check_final(golden *g)
{
    size_t at = 0, n_sharp = 0, n_all = 0;

    for (int p = 0; p < g->model.n_params; p++) {
        const c3d_param *param = &g->model.params[p];
        float *expected = tensor(g->file, "final.", param->name, param->n);
        float *grad = tensor(g->file, "grad.", param->name, param->n);
        float *got = malloc(param->n * sizeof *got);
        const double scale = largest(grad, param->n);

        if (!got) abort();
        must(c3d_model_export(&g->model, p, g->model.param, got), param->name);
        for (size_t i = 0; i < param->n; i++, at++) {
            double delta = 0, bound = (N_STEPS + 1) * HALF_ULP * (fabs((double)expected[i]) + RATE);

            for (int t = 0; t < N_STEPS; t++) {
                delta = fmax(delta, ALLOWED * g->noise[t] * scale);
                bound += step_bound(delta, v_roots[t][at]);
            }
            check(g->backend_name, param->name, i, (double)got[i], (double)expected[i], bound);
            n_sharp += bound < RATE / 20;
            n_all++;
        }
        free(expected);
        free(grad);
        free(got);
    }
    /* The test must be able to fail: nearly all bounds are far below one step. */
    if (n_sharp * 10 < n_all * 9) {
        printf("%s: only %zu of %zu bounds are sharp\n", g->backend_name, n_sharp, n_all);
        n_failures++;
    }
}

/* Running statistics, and logits on them; the noise is the largest of these arrays. */
static void check_running(golden *g)
{
    const c3d_plan *last = g->model.plans[g->model.table.n_layers - 1];
    const c3d_pass pass = { .n_samples = last->x_shape.n };
    const size_t n_logits = c3d_shape_count(last->y_shape);
    float logits[MAX_LOGITS];

    if (g->model.n_running == 0) return;
    g->noise[0] = 0;
    for (int r = 0; r <= g->model.n_running; r++) {
        const bool is_stats = r < g->model.n_running;
        const char *name = is_stats ? g->model.running[r].name : "eval_logits";
        const size_t n = is_stats ? g->model.running[r].n : n_logits;
        float *expected = tensor(g->file, "", name, n);
        float *deviation = tensor(g->file, "deviation.", name, 1);

        g->noise[0] = fmax(g->noise[0], (double)deviation[0] / largest(expected, n));
        free(expected);
        free(deviation);
    }
    for (int r = 0; r < g->model.n_running; r++)
        compare(g, "", g->model.running[r].name, g->model.host_stats + g->model.running[r].offset,
                g->model.running[r].n);
    must(c3d_model_forward(&g->model, &pass), "evaluation");
    must(g->backend.ops->activation_read(&g->backend, last->y, false, logits), "logits");
    compare(g, "", "eval_logits", logits, n_logits);
    if (precision == C3D_PRECISION_FP32 && !(g->noise[0] < 1e-4)) {
        printf("%s: a noise of %g would let anything pass\n", g->backend_name, g->noise[0]);
        n_failures++;
    }
}

static void check_fixture(const char *path, const char *backend_name)
{
    c3d_adam adam = {
        .rate = RATE, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .grad_scale = 1
    };
    float losses[8], scores[MAX_LOGITS];
    golden g;

    golden_open(&g, path, backend_name);
    import_start(&g);
    for (int step = 0; step < N_STEPS; step++) {
        run(&g, losses, scores);
        if (step == 0) {
            check_outputs(&g, losses, scores);
            check_gradients(&g);
        }
        if (g.model.n_running > 0) merge_statistics(&g);
        adam.t = step + 1;
        must(g.backend.ops->adam(&g.backend, &adam,
                                 &(c3d_adam_arrays){ .n = g.model.n_arena,
                                                     .grad = g.model.grad,
                                                     .m = g.m,
                                                     .v = g.v,
                                                     .param = g.model.param,
                                                     .low = g.model.low }),
             "adam");
        keep_v_roots(&g, step);
    }
    if (precision == C3D_PRECISION_FP32) check_final(&g);
    check_running(&g);
    golden_close(&g);
}

/* golden_test DIR [--precision P] BACKEND... */
int main(int argc, char **argv)
{
    static const char *const fixtures[] = { "c3d.safetensors",      "cnn2d.safetensors",
                                            "classes.safetensors",  "stack.safetensors",
                                            "c2plus1d.safetensors", "tcnn.safetensors",
                                            "norm.safetensors" };
    char path[C3D_PATH_MAX];

    if (argc < 3) return EXIT_FAILURE;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--precision") == 0 && i + 1 < argc) {
            precision = precision_of(argv[++i]);
            continue;
        }
        const size_t n_fixtures =
            precision == C3D_PRECISION_FP32 ? C3D_COUNT(fixtures) : N_WHOLE_FIXTURES;
        for (size_t f = 0; f < n_fixtures; f++) {
            must(c3d_path_join(path, argv[1], fixtures[f]), fixtures[f]);
            check_fixture(path, argv[i]);
        }
    }
    if (n_failures > 0) printf("%d values differ\n", n_failures);
    return n_failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
