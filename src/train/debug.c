/* c3d-train --debug: the stages and what they share. */
#include "train/debug.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

c3d_status c3d_debug_say(const c3d_debug *d, const char *format, ...)
{
    char line[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    return d->desc->say(d->desc->context, line);
}

void c3d_debug_find(c3d_debug *d, c3d_finding_kind kind, int layer, const char *format, ...)
{
    c3d_finding *f;
    va_list args;

    if (d->findings->n == C3D_MAX_FINDINGS) return;
    f = &d->findings->list[d->findings->n++];
    f->kind = kind;
    f->layer = layer;
    va_start(args, format);
    (void)vsnprintf(f->what, sizeof f->what, format, args);
    va_end(args);
}

static bool is_dead_channel(const float *values, c3d_shape shape, int n_rows, int channel)
{
    const size_t per_channel = c3d_shape_sample_count(shape) / (size_t)shape.c;

    for (int r = 0; r < n_rows; r++) {
        const float *from = values + ((size_t)r * (size_t)shape.c + (size_t)channel) * per_channel;
        for (size_t i = 0; i < per_channel; i++)
            if (from[i] != 0) return false;
    }
    return true;
}

c3d_array_stats c3d_array_stats_of(const float *values, c3d_shape shape, int n_rows)
{
    const size_t n = (size_t)n_rows * c3d_shape_sample_count(shape);
    c3d_array_stats s = {
        .min = INFINITY, .max = -INFINITY, .has_values = true, .is_finite = true
    };
    double sum = 0, squares = 0;
    size_t n_zeros = 0;

    for (size_t i = 0; i < n; i++) {
        const double v = (double)values[i];
        s.min = fmin(s.min, v);
        s.max = fmax(s.max, v);
        s.is_finite = s.is_finite && isfinite(v);
        n_zeros += v == 0;
        sum += v;
        squares += v * v;
    }
    s.mean = sum / (double)n;
    s.rms = sqrt(squares / (double)n);
    s.zeros = (double)n_zeros / (double)n;
    for (int c = 0; c < shape.c; c++) s.n_dead += is_dead_channel(values, shape, n_rows, c);
    return s;
}

c3d_status c3d_debug_loss(c3d_debug *d, bool with_grad, double *out)
{
    const int n = d->pass.n_samples;

    if (c3d_stop_requested()) return C3D_FAIL(C3D_ESTOPPED, "--debug: stopped on request");
    float *losses = c3d_calloc((size_t)n, sizeof *losses);
    const c3d_loss loss = { .n_samples = n,
                            .labels = d->desc->labels,
                            .grad_scale = 1 / (float)n,
                            .losses = losses,
                            .focal_gamma = d->desc->focal_gamma,
                            .with_grad = with_grad };
    c3d_status st = losses ? c3d_model_loss(d->model, &loss) : C3D_ENOMEM;

    if (st == C3D_OK) st = d->model->backend->ops->sync(d->model->backend);
    *out = 0;
    for (int i = 0; st == C3D_OK && i < n; i++) *out += (double)losses[i] / n;
    free(losses);
    return st;
}

c3d_status c3d_debug_param_rms(const c3d_debug *d, int p, double *out)
{
    const size_t n = d->model->params[p].n;
    float *values = c3d_calloc(n, sizeof *values);
    double squares = 0;

    if (!values) return C3D_ENOMEM;
    const c3d_status st = c3d_model_export(d->model, p, d->model->param, values);
    for (size_t i = 0; i < n; i++) squares += (double)values[i] * (double)values[i];
    free(values);
    *out = sqrt(squares / (double)n);
    return st;
}

static c3d_status say_findings(const c3d_debug *d)
{
    if (d->findings->n == 0) return c3d_debug_say(d, "nothing wrong was found");
    C3D_TRY(c3d_debug_say(d, "found:"));
    for (int i = 0; i < d->findings->n; i++)
        C3D_TRY(c3d_debug_say(d, "  %s", d->findings->list[i].what));
    return C3D_OK;
}

c3d_status c3d_debug_model(const c3d_debug_desc *desc, c3d_findings *out)
{
    c3d_debug *d = c3d_calloc(1, sizeof *d);
    c3d_status st = C3D_OK;

    *out = (c3d_findings){ 0 };
    if (!d) return C3D_ENOMEM;
    d->desc = desc;
    d->model = desc->model;
    d->findings = out;
    d->pass = (c3d_pass){ .training = true,
                          .n_samples = desc->input.n_samples,
                          .seed = desc->seed,
                          .row_keys = desc->row_keys };
    C3D_TRY_TO(done, c3d_debug_layers(d));
    C3D_TRY_TO(done, c3d_debug_differences(d));
    if (desc->max_steps > 0) C3D_TRY_TO(done, c3d_debug_overfit(d));
    C3D_TRY_TO(done, say_findings(d));
done:
    free(d);
    return st;
}
