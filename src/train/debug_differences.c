/* Gradients of the parameters against central differences of the loss, sign kept: of each tensor
 * along its gradient as a whole, and of the weight with the largest gradient among some drawn. */
#include "train/debug.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N_DRAWN   256
#define CHANGE    2e-3 /* of the loss, as a share of it, by the first and longest step */
#define NOISE     2e-7 /* of the logits, as a share of them: float32 on the way through the layers */
#define PRECISE   0.05 /* noise against change in the last and shortest step */
#define NUDGE     0.05 /* of the layer's output that a step may change, by root mean square */
#define SETTLED   0.2  /* change of the slope by the last shortening, as a share of what is wrong */
#define SLOW_S    90.0 /* expected of all directions */
#define TOLERANCE 0.15 /* of the slope */

/* One tensor and a direction to move it in; all canonical, [n]. */
typedef struct line {
    int param;
    size_t n;
    float *start, *direction, *moved, *gradient;
} line;

static void line_free(line *l)
{
    free(l->start);
    free(l->direction);
    free(l->moved);
    free(l->gradient);
}

static c3d_status line_create(c3d_debug *d, int p, line *l)
{
    *l = (line){ .param = p, .n = d->model->params[p].n };
    l->start = c3d_calloc(l->n, sizeof(float));
    l->direction = c3d_calloc(l->n, sizeof(float));
    l->moved = c3d_calloc(l->n, sizeof(float));
    l->gradient = c3d_calloc(l->n, sizeof(float));
    if (!l->start || !l->direction || !l->moved || !l->gradient) return C3D_ENOMEM;
    C3D_TRY(c3d_model_export(d->model, p, d->model->param, l->start));
    return c3d_model_export(d->model, p, d->model->grad, l->gradient);
}

static c3d_status loss_at(c3d_debug *d, const line *l, double t, double *out)
{
    for (size_t i = 0; i < l->n; i++)
        l->moved[i] = (float)((double)l->start[i] + t * (double)l->direction[i]);
    C3D_TRY(c3d_model_import(d->model, l->param, l->moved, d->model->param));
    C3D_TRY(c3d_model_forward(d->model, &d->pass));
    return c3d_debug_loss(d, false, out);
}

/* Of the loss, as a share of it: that of a sure network changes as much as its logits. */
static double noise_of(const c3d_debug *d)
{
    const c3d_array_stats *logits = &d->layers[d->model->table.n_layers - 1].output;

    return NOISE * (1 + fmax(fabs(logits->min), fabs(logits->max)));
}

/* The longest step: further, it would leave the neighbourhood that the gradient speaks of. */
static double longest_step(const c3d_debug *d, const line *l)
{
    const c3d_param *param = &d->model->params[l->param];
    const int i = param->layer;
    const double x = i == 0 ? d->input.rms : d->layers[i - 1].output.rms;
    double squares = 0;

    for (size_t e = 0; e < l->n; e++) squares += (double)l->direction[e] * (double)l->direction[e];
    return NUDGE * d->layers[i].output.rms / (sqrt(squares) * (param->which == 0 ? x : 1));
}

static c3d_status slope_at(c3d_debug *d, const line *l, double t, double *out)
{
    double up, down;

    C3D_TRY(loss_at(d, l, t, &up));
    C3D_TRY(loss_at(d, l, -t, &down));
    *out = (up - down) / (2 * t);
    return c3d_model_import(d->model, l->param, l->start, d->model->param);
}

/* Moves along l->direction and compares the slope of the loss with the one the gradient promises.
 * ReLUs and pools have kinks: a slope that does not fit is measured again over a shorter way, until
 * rounding would drown it; only one that never fits, and has settled, is wrong. *seen_out: it could
 * be measured. */
static c3d_status check_line(c3d_debug *d, const line *l, double loss, const char *what,
                             bool *seen_out)
{
    const c3d_param *param = &d->model->params[l->param];
    double promised = 0, slope = NAN, before = NAN;

    for (size_t i = 0; i < l->n; i++) promised += (double)l->gradient[i] * (double)l->direction[i];
    *seen_out = false;
    if (promised == 0) return C3D_OK;
    double t = fmin(CHANGE * loss / fabs(promised), longest_step(d, l));
    for (; t > 0 && t * fabs(promised) * PRECISE >= noise_of(d) * loss; t /= 4) {
        before = slope;
        C3D_TRY(slope_at(d, l, t, &slope));
        *seen_out = fabs(slope - promised) <= TOLERANCE * fabs(promised);
        if (*seen_out) return C3D_OK;
    }
    /* A wrong gradient differs from slopes that agree; next to a kink they still move. */
    *seen_out = fabs(slope - before) <= SETTLED * fabs(slope - promised);
    if (*seen_out)
        c3d_debug_find(d, C3D_FINDING_GRADIENT, param->layer,
                       "%s: wrong gradient: %s of %s the loss changes by %.4g per unit, the "
                       "gradient says %.4g",
                       c3d_debug_name(d, param->layer), what, param->name, slope, promised);
    return C3D_OK;
}

static size_t steepest_drawn(const c3d_debug *d, const line *l)
{
    const uint64_t stream = C3D_STREAM(C3D_PURPOSE_TEST, l->param);
    size_t best = 0;

    for (uint64_t i = 0; i < N_DRAWN; i++) {
        const size_t e = (size_t)c3d_random_below(d->desc->seed, stream, i, l->n);
        if (fabsf(l->gradient[e]) > fabsf(l->gradient[best])) best = e;
    }
    return best;
}

static double forward_s(const c3d_debug *d)
{
    double seconds = 0;

    for (int i = 0; i < d->model->table.n_layers; i++) seconds += d->layers[i].forward_s;
    return seconds;
}

/* A large network is moved as whole tensors only. */
static c3d_status check_param(c3d_debug *d, int p, double loss, int *n_seen)
{
    const bool quick = forward_s(d) * 12 * d->model->n_params > SLOW_S;
    bool seen = false;
    line l;
    c3d_status st = line_create(d, p, &l);

    if (st != C3D_OK) goto done;
    memcpy(l.direction, l.gradient, l.n * sizeof *l.direction);
    C3D_TRY_TO(done, check_line(d, &l, loss, "along the gradient", &seen));
    *n_seen += seen;
    if (quick) goto done;
    memset(l.direction, 0, l.n * sizeof *l.direction);
    l.direction[steepest_drawn(d, &l)] = 1;
    C3D_TRY_TO(done, check_line(d, &l, loss, "along one weight", &seen));
    *n_seen += seen;
done:
    line_free(&l);
    return st;
}

c3d_status c3d_debug_differences(c3d_debug *d)
{
    const c3d_precision precision = d->model->backend->options.precision;
    const int n_before = d->findings->n;
    int n_seen = 0;
    double loss;

    if (precision != C3D_PRECISION_FP32)
        return c3d_debug_say(d, "gradients by finite differences: left out, they need "
                                "model.precision: fp32");
    C3D_TRY(c3d_model_load(d->model, &d->desc->input));
    C3D_TRY(c3d_model_forward(d->model, &d->pass));
    C3D_TRY(c3d_debug_loss(d, false, &loss));
    if (!isfinite(loss))
        return c3d_debug_say(d, "gradients by finite differences: left out, the loss is not "
                                "finite");
    for (int p = 0; p < d->model->n_params; p++) C3D_TRY(check_param(d, p, loss, &n_seen));
    return c3d_debug_say(d,
                         "gradients by finite differences: %d directions could be measured in %d "
                         "tensors, %d wrong",
                         n_seen, d->model->n_params, d->findings->n - n_before);
}
