#include "backend/host.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const c3d_backend_ops *find(const char *name)
{
    static const c3d_backend_ops *const backends[] = { &c3d_backend_ref, &c3d_backend_onednn,
                                                       &c3d_backend_cuda };

    if (strcmp(name, "cpu") == 0) return &c3d_backend_onednn;
    if (strcmp(name, "auto") == 0)
        return c3d_cuda_is_there() ? &c3d_backend_cuda : &c3d_backend_onednn;
    for (size_t i = 0; i < C3D_COUNT(backends); i++)
        if (strcmp(name, backends[i]->name) == 0) return backends[i];
    return NULL;
}

c3d_status c3d_backend_open(c3d_backend *backend, const char *name,
                            const c3d_backend_options *options)
{
    const bool checked = strncmp(name, "check:", 6) == 0;
    const c3d_backend_ops *ops = find(checked ? name + 6 : name);
    *backend = (c3d_backend){ .ops = ops, .options = *options };
    if (!ops)
        return C3D_FAIL(C3D_ECONFIG, "device %s: unknown, expected auto, cpu, cuda, ref or onednn",
                        name);
    if (options->n_threads < 0)
        return C3D_FAIL(C3D_EINVAL, "backend %s: %d threads", ops->name, options->n_threads);
    if (checked) return c3d_backend_check_open(backend, ops, options);

    const c3d_status st = ops->open(backend);
    if (st != C3D_OK) c3d_backend_close(backend);
    return st;
}

void c3d_backend_close(c3d_backend *backend)
{
    if (backend->ops) backend->ops->close(backend);
    *backend = (c3d_backend){ 0 };
}

c3d_status c3d_backend_await(c3d_backend *backend, int mark)
{
    static const struct timespec nap = { .tv_nsec = 20000 };
    bool done = false;

    C3D_TRY(backend->ops->reached(backend, mark, &done));
    while (!done) {
        (void)nanosleep(&nap, NULL);
        C3D_TRY(backend->ops->reached(backend, mark, &done));
    }
    return C3D_OK;
}

bool c3d_op_has_filters(c3d_op op)
{
    return op == C3D_OP_CONV || op == C3D_OP_LINEAR;
}

/* ---- shapes ---------------------------------------------------------------------------------- */

c3d_status c3d_shape_check(c3d_shape x)
{
    char text[64];

    if (x.n < 1 || x.c < 1 || x.d < 1 || x.h < 1 || x.w < 1)
        return C3D_FAIL(C3D_EINVAL, "input %s: an axis is empty", c3d_shape_text(x, text));
    return C3D_OK;
}

static c3d_status check_window(const c3d_op_desc *desc)
{
    for (int a = 0; a < 3; a++) {
        const int kernel = desc->kernel[a], before = desc->pad_before[a],
                  after = desc->pad_after[a];

        if (kernel < 1 || desc->stride[a] < 1 || before < 0 || after < 0)
            return C3D_FAIL(C3D_EINVAL, "axis %c: kernel %d, stride %d, pads %d and %d", "dhw"[a],
                            kernel, desc -> stride[a], before, after);
        if (desc->op == C3D_OP_POOL && (before >= kernel || after >= kernel))
            return C3D_FAIL(C3D_EINVAL, "axis %c: pads %d and %d of a pool of %d", "dhw"[a], before,
                            after, kernel);
    }
    return C3D_OK;
}

static c3d_status window_output(const c3d_op_desc *desc, const int x[3], int y[3])
{
    C3D_TRY(check_window(desc));
    for (int a = 0; a < 3; a++) {
        const long long room = (long long)x[a] + desc->pad_before[a] + desc->pad_after[a];

        if (room < desc->kernel[a] || room > INT_MAX)
            return C3D_FAIL(C3D_EINVAL, "axis %c: a kernel of %d on %d elements and %d of padding",
                            "dhw"[a], desc -> kernel[a], x[a],
                            desc -> pad_before[a] + desc -> pad_after[a]);
        y[a] = ((int)room - desc->kernel[a]) / desc->stride[a] + 1;
    }
    return C3D_OK;
}

c3d_status c3d_op_output(const c3d_op_desc *desc, c3d_shape x, c3d_shape *y_out)
{
    c3d_shape y = x;

    C3D_TRY(c3d_shape_check(x));
    if (c3d_op_has_filters(desc->op)) {
        if (desc->n_filters < 1) return C3D_FAIL(C3D_EINVAL, "%d filters", desc->n_filters);
        y.c = desc->n_filters;
    }
    if (desc->op == C3D_OP_CONV || desc->op == C3D_OP_POOL) {
        int extents[3];

        C3D_TRY(window_output(desc, (const int[3]){ x.d, x.h, x.w }, extents));
        y.d = extents[0], y.h = extents[1], y.w = extents[2];
    }
    if (desc->op == C3D_OP_LINEAR) y.d = y.h = y.w = 1;
    if (desc->op == C3D_OP_DROPOUT) {
        if (!(desc->rate >= 0 && desc->rate < 1))
            return C3D_FAIL(C3D_EINVAL, "dropout of %g, expected a share in [0, 1)", desc->rate);
        if (desc->dropout_layer < 0 || desc->dropout_layer > 255)
            return C3D_FAIL(C3D_EINVAL, "dropout layer %d, expected 0..255", desc->dropout_layer);
    }
    if (desc->op == C3D_OP_NORM && !(desc->epsilon > 0))
        return C3D_FAIL(C3D_EINVAL, "norm: epsilon %g, expected above 0", desc->epsilon);
    *y_out = y;
    return C3D_OK;
}

size_t c3d_norm_count(const c3d_plan *plan, int n_samples)
{
    const c3d_shape x = plan->x_shape;

    return (size_t)n_samples * (size_t)x.d * (size_t)x.h * (size_t)x.w;
}

double c3d_unbiased_variance(double squares, size_t n)
{
    return n > 1 ? squares / (double)(n - 1) : 0;
}

static size_t multiple_of_16(size_t n)
{
    return (n + 15) / 16 * 16;
}

static size_t weights_of_filter(const c3d_op_desc *desc, c3d_shape x)
{
    if (desc->op == C3D_OP_LINEAR) return c3d_shape_sample_count(x);
    return (size_t)x.c * (size_t)desc->kernel[0] * (size_t)desc->kernel[1] *
           (size_t)desc->kernel[2];
}

c3d_status c3d_plan_describe(c3d_plan *plan, const c3d_op_desc *desc, c3d_shape x)
{
    C3D_TRY(c3d_op_output(desc, x, &plan->y_shape));
    plan->desc = *desc;
    plan->x_shape = x;
    if (desc->op == C3D_OP_NORM) {
        plan->n_params = 2;
        plan->param_n[0] = plan->param_n[1] = (size_t)x.c;
    } else if (c3d_op_has_filters(desc->op)) {
        plan->n_params = desc->no_bias ? 1 : 2;
        plan->param_n[0] = (size_t)desc->n_filters * weights_of_filter(desc, x);
        if (!desc->no_bias) plan->param_n[1] = (size_t)desc->n_filters;
    }
    for (int i = 0; i < plan->n_params; i++)
        plan->param_n_physical[i] = multiple_of_16(plan->param_n[i]);
    return C3D_OK;
}

c3d_status c3d_pass_check(const c3d_plan *plan, const c3d_pass *pass, bool backward)
{
    if (pass->n_samples < 0 || pass->n_samples > plan->x_shape.n)
        return C3D_FAIL(C3D_EINVAL, "pass: %d samples, planned for %d", pass->n_samples,
                        plan->x_shape.n);
    if (backward && !plan->desc.training)
        return C3D_FAIL(C3D_EINVAL, "pass: backward of a plan that is forward only");
    if (plan->desc.op == C3D_OP_DROPOUT && pass->training && !pass->row_keys)
        return C3D_FAIL(C3D_EINVAL, "pass: dropout without row keys");
    if (plan->desc.op == C3D_OP_NORM && backward && !pass->training)
        return C3D_FAIL(C3D_EINVAL, "pass: backward of a norm on running statistics");
    return C3D_OK;
}

c3d_shape c3d_input_shape(const c3d_input *input, c3d_shape shape)
{
    if (input->n_stacked > 0) {
        shape.d = input->n_stacked;
        shape.c /= shape.d;
    }
    return shape;
}

c3d_status c3d_input_check(const c3d_input *input, c3d_shape shape)
{
    if (input->n_stacked < 0 ||
        (input->n_stacked > 0 && (shape.d != 1 || shape.c % input->n_stacked != 0)))
        return C3D_FAIL(C3D_EINVAL, "input: %d months stacked in %d channels of %d slices",
                        input->n_stacked, shape.c, shape.d);
    shape = c3d_input_shape(input, shape);
    if (input->n_samples < 0 || input->n_samples > shape.n)
        return C3D_FAIL(C3D_EINVAL, "input: %d samples, planned for %d", input->n_samples, shape.n);
    if (!input->gain != !input->offset)
        return C3D_FAIL(C3D_EINVAL, "input: gain and offset go together");
    for (int i = 0; input->month_from && i < input->n_samples * shape.d; i++)
        if (input->month_from[i] < 0 || input->month_from[i] >= shape.d)
            return C3D_FAIL(C3D_EINVAL, "input: row %d: month %d of %d", i / shape.d,
                            input->month_from[i], shape.d);
    if (!input->symmetry || shape.h == shape.w) return C3D_OK;
    for (int r = 0; r < input->n_samples; r++)
        if (input->symmetry[r] & 4)
            return C3D_FAIL(C3D_EINVAL, "input: row %d is transposed but %d x %d", r, shape.h,
                            shape.w);
    return C3D_OK;
}

c3d_status c3d_host_options_check(const c3d_backend *backend)
{
    if (backend->options.precision != C3D_PRECISION_FP32)
        return C3D_FAIL(C3D_EUNSUPPORTED, "model.precision %s: backend %s knows fp32 only",
                        c3d_precision_name(backend->options.precision), backend->ops->name);
    return C3D_OK;
}

const char *c3d_precision_name(c3d_precision precision)
{
    static const char *const names[] = { "fp32", "tf32", "bf16", "fp16" };

    return (size_t)precision < C3D_COUNT(names) ? names[precision] : "?";
}

/* ---- entries in host memory ------------------------------------------------------------------ */

c3d_status c3d_host_sync(c3d_backend *self)
{
    (void)self;
    return C3D_OK;
}

c3d_status c3d_host_mark(c3d_backend *self, int mark)
{
    (void)self;
    C3D_ASSERT(mark >= 0 && mark < C3D_MARKS);
    return C3D_OK;
}

c3d_status c3d_host_reached(c3d_backend *self, int mark, bool *out)
{
    C3D_TRY(c3d_host_mark(self, mark));
    *out = true; /* calls return when they are done */
    return C3D_OK;
}

c3d_status c3d_host_pin(c3d_backend *self, void *memory, size_t n_bytes)
{
    (void)self;
    (void)memory;
    (void)n_bytes;
    return C3D_OK;
}

void c3d_host_unpin(c3d_backend *self, void *memory)
{
    (void)self;
    (void)memory;
}

c3d_status c3d_host_zero(c3d_backend *self, void *buffer, size_t n_bytes)
{
    (void)self;
    memset(buffer, 0, n_bytes);
    return C3D_OK;
}

/* What lies before a buffer; a multiple of the alignment. */
typedef union buffer_head {
    size_t n_bytes;
    char room[64];
} buffer_head;

c3d_status c3d_host_alloc(c3d_backend *self, size_t n_bytes, void **out)
{
    const size_t n_here = self->options.dry_run ? 0 : n_bytes;

    if (n_bytes > SIZE_MAX / 2 || self->n_bytes > SIZE_MAX / 2 - n_bytes)
        return C3D_FAIL(C3D_ENOMEM, "backend %s: no memory for %zu bytes", self->ops->name,
                        n_bytes);
    buffer_head *const head = c3d_aligned(sizeof *head + n_here);
    if (!head) return C3D_ENOMEM;
    head->n_bytes = n_bytes;
    memset(head + 1, 0, n_here);
    self->n_bytes += n_bytes;
    *out = head + 1;
    return C3D_OK;
}

void c3d_host_free(c3d_backend *self, void *buffer)
{
    if (!buffer) return;
    buffer_head *const head = (buffer_head *)buffer - 1;
    self->n_bytes -= head->n_bytes;
    free(head);
}

c3d_status c3d_host_upload(c3d_backend *self, void *to, const void *from_host, size_t n_bytes)
{
    (void)self;
    memcpy(to, from_host, n_bytes);
    return C3D_OK;
}

c3d_status c3d_host_download(c3d_backend *self, void *to_host, const void *from, size_t n_bytes)
{
    (void)self;
    memcpy(to_host, from, n_bytes);
    return C3D_OK;
}

c3d_adam_factors c3d_adam_factors_of(const c3d_adam *adam)
{
    const double t = (double)adam->t;
    double scale = (double)adam->grad_scale;

    if (adam->squares && adam->clip_norm > 0) {
        const double norm = sqrt(*adam->squares) * scale;
        const double clip = adam->clip_norm / (norm + 1e-6);
        if (clip < 1) scale *= clip;
    }
    return (c3d_adam_factors){
        .beta1 = (float)adam->beta1,
        .beta2 = (float)adam->beta2,
        .one_minus_beta1 = (float)(1 - adam->beta1),
        .one_minus_beta2 = (float)(1 - adam->beta2),
        .rate = (float)(adam->rate / (1 - pow(adam->beta1, t))),
        .v_root = (float)(1 / sqrt(1 - pow(adam->beta2, t))),
        .decay = (float)(adam->rate * adam->weight_decay),
        .epsilon = (float)adam->epsilon,
        .grad_scale = (float)scale,
    };
}
