/* Statistics of every layer's output and gradient, and what they say. */
#include "train/debug.h"

#include <math.h>
#include <stdlib.h>

/* With He's initialisation the root mean square stays about the same from layer to layer; a trained
 * network moves by small factors. */
#define STEP_UP     100.0  /* of one layer's output against its input */
#define TOTAL_UP    1000.0 /* of a layer's output against the network's input */
#define STEP_DOWN   1e-3
#define GRADIENT_UP 1000.0 /* of an output's gradient against that of the logits */

static const c3d_backend_ops *ops_of(const c3d_debug *d)
{
    return d->model->backend->ops;
}

static c3d_plan *plan_of(const c3d_debug *d, int layer)
{
    return d->model->plans[layer];
}

/* Values (or gradients) of an activation; given, free(). */
static c3d_status read_activation(const c3d_debug *d, c3d_activation *x, c3d_shape shape, bool grad,
                                  float **out)
{
    float *values = c3d_calloc(c3d_shape_count(shape), sizeof *values);

    if (!values) return C3D_ENOMEM;
    const c3d_status st = ops_of(d)->activation_read(d->model->backend, x, grad, values);
    if (st == C3D_OK)
        *out = values;
    else
        free(values);
    return st;
}

static c3d_status stats_of(const c3d_debug *d, c3d_activation *x, c3d_shape shape, bool grad,
                           c3d_array_stats *out)
{
    float *values = NULL;

    C3D_TRY(read_activation(d, x, shape, grad, &values));
    *out = c3d_array_stats_of(values, shape, d->pass.n_samples);
    free(values);
    return C3D_OK;
}

/* ---- forward --------------------------------------------------------------------------------- */

static c3d_status forward(c3d_debug *d)
{
    c3d_model *model = d->model;

    C3D_TRY(c3d_model_load(model, &d->desc->input));
    C3D_TRY(stats_of(d, model->input, model->table.layers[0].x, false, &d->input));
    for (int i = 0; i < model->table.n_layers; i++) {
        const double start_s = c3d_now_s();
        C3D_TRY(c3d_model_forward_layer(model, i, &d->pass));
        C3D_TRY(ops_of(d)->sync(model->backend));
        d->layers[i].forward_s = c3d_now_s() - start_s;
        C3D_TRY(stats_of(d, plan_of(d, i)->y, plan_of(d, i)->y_shape, false, &d->layers[i].output));
    }
    return C3D_OK;
}

/* A norm's output has the scale of its weights, whatever that of its input is. */
static void judge_output(c3d_debug *d, int i)
{
    const c3d_layer_info *layer = &d->model->table.layers[i];
    const bool keeps_scale = layer->op.op != C3D_OP_NORM;
    const c3d_array_stats *x = i == 0 ? &d->input : &d->layers[i - 1].output;
    const c3d_array_stats *y = &d->layers[i].output;

    if (!x->is_finite || x->rms == 0) return; /* the cause lies further up */
    if (!y->is_finite)
        c3d_debug_find(d, C3D_FINDING_NONFINITE, i, "%s: its output is not finite, its input is",
                       layer->name);
    else if (y->zeros == 1 && layer->op.op == C3D_OP_DROPOUT)
        c3d_debug_find(d, C3D_FINDING_DEAD, i,
                       "%s: dead: model.dropout %g leaves nothing of %d units (model.fc)",
                       layer->name, layer->op.rate, layer->y.c);
    else if (y->zeros == 1)
        c3d_debug_find(d, C3D_FINDING_DEAD, i,
                       "%s: dead: every output is zero, whatever the sample; its biases are too "
                       "negative or its weights zero",
                       layer->name);
    else if (keeps_scale && y->rms > STEP_UP * x->rms)
        c3d_debug_find(d, C3D_FINDING_EXPLODING, i,
                       "%s: exploding: its output is %.3g times as large as its input (root mean "
                       "square %.3g and %.3g)",
                       layer->name, y->rms / x->rms, y->rms, x->rms);
    else if (y->rms > TOTAL_UP * d->input.rms && x->rms <= TOTAL_UP * d->input.rms)
        c3d_debug_find(d, C3D_FINDING_EXPLODING, i,
                       "%s: exploding: up to here values grew %.3g times", layer->name,
                       y->rms / d->input.rms);
    else if (keeps_scale && y->rms < STEP_DOWN * x->rms)
        c3d_debug_find(d, C3D_FINDING_VANISHING, i,
                       "%s: vanishing: its output is %.3g times as large as its input", layer->name,
                       y->rms / x->rms);
}

/* ---- backward -------------------------------------------------------------------------------- */

/* Gradient of a layer's weights, all of them as one channel. */
static c3d_status weight_stats(c3d_debug *d, int layer)
{
    for (int p = 0; p < d->model->n_params; p++) {
        const c3d_param *param = &d->model->params[p];
        if (param->layer != layer || param->which != 0) continue;
        float *values = c3d_calloc(param->n, sizeof *values);
        if (!values) return C3D_ENOMEM;
        const c3d_status st = c3d_model_export(d->model, p, d->model->grad, values);
        if (st == C3D_OK)
            d->layers[layer].weight_change =
                c3d_array_stats_of(values, (c3d_shape){ 1, 1, 1, 1, (int)param->n }, 1);
        free(values);
        return st;
    }
    return C3D_OK;
}

static c3d_status backward_layer(c3d_debug *d, int i)
{
    const c3d_plan *plan = plan_of(d, i);
    float *dy = NULL;
    c3d_status st = C3D_OK;

    C3D_TRY(read_activation(d, plan->y, plan->y_shape, true, &dy));
    d->layers[i].gradient = c3d_array_stats_of(dy, plan->y_shape, d->pass.n_samples);
    const double start_s = c3d_now_s();
    C3D_TRY_TO(done, c3d_model_backward_layer(d->model, i, &d->pass));
    C3D_TRY_TO(done, ops_of(d)->sync(d->model->backend));
    d->layers[i].backward_s = c3d_now_s() - start_s;
    C3D_TRY_TO(done, weight_stats(d, i));
    if (d->layers[i].output.is_finite && d->layers[i].gradient.is_finite)
        C3D_TRY_TO(done, c3d_debug_compare(d, i, dy));
done:
    free(dy);
    return st;
}

/* Layers above are judged before: the first to fail is the cause. */
static void judge_gradient(c3d_debug *d, int i)
{
    const c3d_layer_info *layer = &d->model->table.layers[i];
    const int last = d->model->table.n_layers - 1;
    const c3d_array_stats *dy = &d->layers[i].gradient;
    const c3d_array_stats *dx = i > 0 ? &d->layers[i - 1].gradient : NULL;
    const double logits = d->layers[last].gradient.rms;

    if (!dx || !dy->is_finite || dy->rms == 0 || d->layers[i].output.zeros == 1) return;
    if (!dx->is_finite)
        c3d_debug_find(d, C3D_FINDING_NONFINITE, i, "%s: the gradient it passes on is not finite",
                       layer->name);
    else if (dx->rms == 0)
        c3d_debug_find(d, C3D_FINDING_DEAD, i,
                       "%s: dead: it passes no gradient on, so that nothing below it learns",
                       layer->name);
    else if (dx->rms > GRADIENT_UP * logits && dy->rms <= GRADIENT_UP * logits)
        c3d_debug_find(d, C3D_FINDING_EXPLODING, i,
                       "%s: exploding gradient: below it gradients are %.3g times those of the "
                       "logits",
                       layer->name, dx->rms / logits);
}

/* A ReLU makes zeros of the NaNs that these would give. */
static c3d_status judge_params(c3d_debug *d)
{
    for (int p = 0; p < d->model->n_params; p++) {
        const c3d_param *param = &d->model->params[p];
        float *values = c3d_calloc(param->n, sizeof *values);
        if (!values) return C3D_ENOMEM;
        const c3d_status st = c3d_model_export(d->model, p, d->model->param, values);
        size_t n_bad = 0;
        for (size_t i = 0; i < param->n; i++) n_bad += !isfinite(values[i]);
        free(values);
        C3D_TRY(st);
        if (n_bad > 0)
            c3d_debug_find(d, C3D_FINDING_NONFINITE, param->layer,
                           "%s: %zu of the %zu numbers of %s are not finite",
                           c3d_debug_name(d, param->layer), n_bad, param->n, param->name);
    }
    return C3D_OK;
}

/* ---- the table ------------------------------------------------------------------------------- */

static c3d_status say_layer(const c3d_debug *d, int i)
{
    const c3d_layer_info *layer = &d->model->table.layers[i];
    const c3d_layer_stats *s = &d->layers[i];
    char shape[64], dead[24] = "", change[16] = "";
    c3d_shape y = layer->y;

    y.n = d->pass.n_samples;
    if (layer->op.relu) (void)snprintf(dead, sizeof dead, "%d/%d", s->output.n_dead, y.c);
    if (s->weight_change.has_values)
        (void)snprintf(change, sizeof change, "%.2e", s->weight_change.rms);
    return c3d_debug_say(d, "%-10s %-22s %8.2f %8.2f  %9.2e %9.2e %9.2e %6.1f %9s  %9.2e %6.1f %9s",
                         layer->name, c3d_shape_text(y, shape), s->forward_s * 1e3,
                         s->backward_s * 1e3, s->output.min, s->output.mean, s->output.max,
                         100 * s->output.zeros, dead, s->gradient.rms, 100 * s->gradient.zeros,
                         change);
}

static c3d_status say_table(const c3d_debug *d)
{
    C3D_TRY(c3d_debug_say(d, "%-10s %-22s %8s %8s  %9s %9s %9s %6s %9s  %9s %6s %9s", "layer",
                          "output", "ms", "ms back", "min", "mean", "max", "zero %", "dead", "grad",
                          "zero %", "grad W"));
    for (int i = 0; i < d->model->table.n_layers; i++) C3D_TRY(say_layer(d, i));
    return c3d_debug_say(d, "(dead: channels that are zero everywhere; grad, grad W: root mean "
                            "square of the output's and of the weights' gradient)");
}

c3d_status c3d_debug_layers(c3d_debug *d)
{
    const int n_before = d->findings->n;
    double loss;

    C3D_TRY(forward(d));
    C3D_TRY(c3d_debug_loss(d, true, &loss));
    for (int i = d->model->table.n_layers - 1; i >= 0; i--) C3D_TRY(backward_layer(d, i));
    C3D_TRY(say_table(d));
    C3D_TRY(c3d_debug_say(d, "loss %.6g", loss));
    C3D_TRY(c3d_debug_say(d, "each layer against the reference: %s",
                          d->findings->n == n_before ? "equal to rounding" : "differs, see below"));
    C3D_TRY(judge_params(d));
    for (int i = 0; i < d->model->table.n_layers; i++) judge_output(d, i);
    for (int i = d->model->table.n_layers - 1; i >= 0; i--) judge_gradient(d, i);
    return C3D_OK;
}
