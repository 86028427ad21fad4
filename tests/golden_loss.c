/* Losses and gradients of logits against PyTorch's autograd (tests/golden/make_loss.py says what
 * the fixtures hold), on every backend named: golden_loss FOLDER BACKEND... */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "c3d/backend.h"

enum { MOST_ROWS = 64, MOST_CLASSES = 4 };

static int n_failures;

static void must(c3d_status st, const char *what)
{
    if (st == C3D_OK) return;
    printf("%s: %s\n", what, c3d_error_last()->message);
    exit(EXIT_FAILURE);
}

/* Both sides round a double to float, and one over the number of rows was rounded: three half
 * units, or a unit of the smallest floats. */
static void check(const char *what, size_t i, float got, float expected)
{
    const double bound = 3 * 0x1p-24 * fabs((double)expected) + 0x1p-149;

    if (fabs((double)got - (double)expected) <= bound) return;
    if (n_failures++ < 20)
        printf("%s[%zu]: %.9g, PyTorch says %.9g\n", what, i, (double)got, (double)expected);
}

typedef struct fixture {
    int n_rows, n_classes, n_gammas;
    float logits[MOST_ROWS * MOST_CLASSES], weights[MOST_ROWS], gammas[8];
    int32_t labels[MOST_ROWS];
    float losses[8][MOST_ROWS], grads[8][MOST_ROWS * MOST_CLASSES];
} fixture;

static size_t read_tensor(c3d_tensor_file *file, const char *name, void *to, size_t n_bytes_most)
{
    const c3d_tensor_entry *entry = c3d_tensor_file_find(file, name);
    size_t n = 1;

    C3D_ASSERT(entry);
    for (int i = 0; i < entry->rank; i++) n *= (size_t)entry->shape[i];
    C3D_ASSERT(n * 4 <= n_bytes_most);
    must(c3d_tensor_file_read(file, entry, to, n * 4), name);
    return n;
}

static void read_fixture(const char *folder, int n_classes, fixture *f)
{
    static float losses[8 * MOST_ROWS], grads[8 * MOST_ROWS * MOST_CLASSES];
    char name[32], path[C3D_PATH_MAX];
    c3d_tensor_file *file;

    snprintf(name, sizeof name, "loss-%d.safetensors", n_classes);
    must(c3d_path_join(path, folder, name), name);
    must(c3d_tensor_file_open(path, &file), path);
    f->n_classes = n_classes;
    f->n_rows = (int)read_tensor(file, "labels", f->labels, sizeof f->labels);
    f->n_gammas = (int)read_tensor(file, "gammas", f->gammas, sizeof f->gammas);
    read_tensor(file, "weights", f->weights, sizeof f->weights);
    read_tensor(file, "logits", f->logits, sizeof f->logits);
    const size_t n_losses = read_tensor(file, "losses", losses, sizeof losses);
    const size_t n_grads = read_tensor(file, "grads", grads, sizeof grads);
    const size_t n_rows = (size_t)f->n_rows, n_row = n_rows * (size_t)n_classes;
    C3D_ASSERT(n_losses == (size_t)f->n_gammas * n_rows && n_grads == (size_t)f->n_gammas * n_row);
    for (size_t g = 0; g < (size_t)f->n_gammas; g++) {
        memcpy(f->losses[g], losses + g * n_rows, n_rows * sizeof(float));
        memcpy(f->grads[g], grads + g * n_row, n_row * sizeof(float));
    }
    c3d_tensor_file_close(file);
}

static void check_backend(c3d_backend *b, const fixture *f)
{
    const c3d_op_desc desc = { .op = C3D_OP_LINEAR, .n_filters = f->n_classes, .training = true };
    const size_t n = (size_t)f->n_rows * (size_t)f->n_classes;
    float losses[MOST_ROWS], grads[MOST_ROWS * MOST_CLASSES];
    c3d_activation *x;
    c3d_plan *plan;
    char what[64];

    must(b->ops->input_create(b, (c3d_shape){ f->n_rows, 1, 1, 1, 1 }, &x), "input_create");
    must(b->ops->plan(b, &desc, x, &plan), "plan");
    must(b->ops->activation_write(b, plan->y, false, f->logits), "activation_write");
    for (int g = 0; g < f->n_gammas; g++) {
        const c3d_loss loss = { .n_samples = f->n_rows,
                                .labels = f->labels,
                                .weights = f->weights,
                                .focal_gamma = f->gammas[g],
                                .grad_scale = 1.0F / (float)f->n_rows,
                                .losses = losses,
                                .with_grad = true };
        must(b->ops->loss(b, plan->y, &loss), "loss");
        must(b->ops->sync(b), "sync");
        must(b->ops->activation_read(b, plan->y, true, grads), "activation_read");
        snprintf(what, sizeof what, "%s, K %d, gamma %g: loss", b->ops->name, f->n_classes,
                 (double)f->gammas[g]);
        for (size_t i = 0; i < (size_t)f->n_rows; i++) check(what, i, losses[i], f->losses[g][i]);
        snprintf(what, sizeof what, "%s, K %d, gamma %g: gradient", b->ops->name, f->n_classes,
                 (double)f->gammas[g]);
        for (size_t i = 0; i < n; i++) check(what, i, grads[i], f->grads[g][i]);
    }
    b->ops->plan_free(b, plan);
    b->ops->activation_free(b, x);
}

int main(int argc, char **argv)
{
    static fixture fixtures[2];

    C3D_ASSERT(argc > 2);
    read_fixture(argv[1], 1, &fixtures[0]);
    read_fixture(argv[1], 4, &fixtures[1]);
    for (int i = 2; i < argc; i++) {
        c3d_backend b = { 0 };
        must(c3d_backend_open(&b, argv[i], &(c3d_backend_options){ .n_threads = 1 }), argv[i]);
        for (int k = 0; k < 2; k++) check_backend(&b, &fixtures[k]);
        c3d_backend_close(&b);
    }
    if (n_failures > 0) printf("%d values differ\n", n_failures);
    return n_failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
