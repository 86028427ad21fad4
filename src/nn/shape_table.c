#include "c3d/nn.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#define WIDEST (1 << 20) /* keeps every product below in 64 bits */

static int *axis_of(c3d_shape *shape, int axis)
{
    return axis == 0 ? &shape->d : axis == 1 ? &shape->h : &shape->w;
}

static c3d_status check_numbers(const c3d_net *net, const c3d_model_desc *desc)
{
    const c3d_shape x = desc->x;
    const int widest = WIDEST;

    if (x.n < 1 || x.c < 1 || x.d < 1 || x.h < 1 || x.w < 1 || x.c > widest || x.d > widest ||
        x.h > widest || x.w > widest) {
        char text[64];
        return C3D_FAIL(C3D_ECONFIG, "model.network %s: input %s is not a stack of images",
                        net->name, c3d_shape_text(x, text));
    }
    if (net->one_slice && x.d != 1)
        return C3D_FAIL(C3D_ECONFIG, "model.network %s: sees one month, was given %d", net->name,
                        x.d);
    if (net->stacks && (int64_t)x.c * x.d > widest)
        return C3D_FAIL(C3D_ECONFIG,
                        "model.network %s: %d bands of %d months are too many channels", net->name,
                        x.c, x.d);
    if (net->kernel[1] == 1 && x.d < 2)
        return C3D_FAIL(C3D_ECONFIG, "model.network %s: looks along time alone, was given 1 month",
                        net->name);
    if (net->kernel[1] > 1 && (x.h < 2 || x.w < 2))
        return C3D_FAIL(C3D_ECONFIG,
                        "model.network %s: frames of %d x %d px have no neighbourhood to look at",
                        net->name, x.h, x.w);
    if (desc->width < 1 || desc->width > widest)
        return C3D_FAIL(C3D_ECONFIG, "model.width: %d is outside [1, %d]", desc->width, widest);
    if (desc->fc < 1 || desc->fc > widest)
        return C3D_FAIL(C3D_ECONFIG, "model.fc: %d is outside [1, %d]", desc->fc, widest);
    if (desc->outputs < 1 || desc->outputs > widest)
        return C3D_FAIL(C3D_ECONFIG, "model.outputs: %d is outside [1, %d]", desc->outputs, widest);
    if (!(desc->dropout >= 0 && desc->dropout < 1))
        return C3D_FAIL(C3D_ECONFIG, "model.dropout: %g is outside [0, 1)", desc->dropout);
    return C3D_OK;
}

/* Between the parts of a convolution from n_channels to n_filters; see c3d_factor. */
static int n_between(const c3d_net *net, int n_channels, int n_filters)
{
    const int64_t in_time = net->kernel[0], in_space = (int64_t)net->kernel[1] * net->kernel[2];

    return (int)(in_time * in_space * n_channels * n_filters /
                 (in_space * n_channels + in_time * n_filters));
}

static void conv_op(const c3d_net *net, const c3d_layer_desc *layer, const c3d_model_desc *desc,
                    c3d_layer_info *info)
{
    c3d_op_desc *op = &info->op;

    op->op = C3D_OP_CONV;
    op->n_filters = layer->width_factor * desc->width;
    if (layer->factor == C3D_FACTOR_SPACE) op->n_filters = n_between(net, info->x.c, op->n_filters);
    op->no_bias = desc->batch_norm; /* beta takes its place */
    op->relu = layer->relu && !desc->batch_norm;
    for (int axis = 0; axis < 3; axis++) {
        const bool is_other = layer->factor == (axis == 0 ? C3D_FACTOR_SPACE : C3D_FACTOR_TIME);
        op->kernel[axis] = is_other ? 1 : net->kernel[axis];
        op->stride[axis] = 1;
        op->pad_before[axis] = op->pad_after[axis] = op->kernel[axis] / 2;
    }
}

/* An axis shorter than the window keeps its length; the note names it. */
static void pool_op(const c3d_layer_desc *layer, bool padded, c3d_layer_info *info)
{
    static const char *const axes[3] = { "time", "height", "width" };
    c3d_op_desc *op = &info->op;
    size_t used = 0;

    op->op = C3D_OP_POOL;
    for (int axis = 0; axis < 3; axis++) {
        const int window = layer->pool[axis], length = *axis_of(&info->x, axis);
        op->kernel[axis] = op->stride[axis] = 1;
        if (length < window) {
            used += (size_t)snprintf(info->note + used, sizeof info->note - used, "%s%s is %d",
                                     used > 0 ? ", " : "", axes[axis], length);
            continue;
        }
        op->kernel[axis] = op->stride[axis] = window;
        if (padded && layer->pad_space && axis > 0) op->pad_before[axis] = op->pad_after[axis] = 1;
    }
    if (used > 0) (void)snprintf(info->note + used, sizeof info->note - used, ": not halved");
}

static void linear_op(const c3d_layer_desc *layer, const c3d_model_desc *desc, c3d_op_desc *op)
{
    op->op = C3D_OP_LINEAR;
    op->n_filters = layer->width_factor > 0 ? layer->width_factor * desc->fc : desc->outputs;
    op->relu = layer->relu;
}

/* Weights of one filter: the terms of one output's sum. */
static uint64_t fan_in(const c3d_layer_info *info)
{
    const c3d_op_desc *op = &info->op;

    if (op->op == C3D_OP_LINEAR) return c3d_shape_sample_count(info->x);
    return (uint64_t)info->x.c * (uint64_t)op->kernel[0] * (uint64_t)op->kernel[1] *
           (uint64_t)op->kernel[2];
}

static c3d_status count(c3d_layer_info *info)
{
    const bool has_filters = info->op.op == C3D_OP_CONV || info->op.op == C3D_OP_LINEAR;
    uint64_t n_weights;

    if (info->op.op == C3D_OP_NORM) info->n_params = 2 * (uint64_t)info->x.c;
    if (!has_filters) return C3D_OK;
    if (__builtin_mul_overflow(fan_in(info), (uint64_t)info->op.n_filters, &n_weights) ||
        n_weights > INT64_MAX / 64 ||
        __builtin_mul_overflow(fan_in(info), (uint64_t)c3d_shape_sample_count(info->y),
                               &info->multiply_adds) ||
        info->multiply_adds > INT64_MAX / C3D_MAX_LAYERS)
        return C3D_FAIL(C3D_ECONFIG, "layer %s: its number of weights or multiply-adds is absurd",
                        info->name);
    info->n_params = n_weights + (info->op.no_bias ? 0 : (uint64_t)info->op.n_filters);
    return C3D_OK;
}

static c3d_status append(c3d_shape_table *table, const c3d_layer_info *info, c3d_shape *x)
{
    c3d_layer_info *last = &table->layers[table->n_layers];
    double n_activations;

    if (table->n_layers == C3D_MAX_LAYERS)
        return C3D_FAIL(C3D_EINTERNAL, "layer %s: more than %d layers", info->name, C3D_MAX_LAYERS);
    *last = *info;
    C3D_TRY(c3d_op_output(&last->op, last->x, &last->y));
    n_activations = (double)last->y.n * last->y.c * last->y.d * last->y.h * last->y.w;
    if (!(n_activations < (double)(INT64_MAX / 64)))
        return C3D_FAIL(C3D_ECONFIG, "layer %s: %g activations a micro-batch", last->name,
                        n_activations);
    C3D_TRY(count(last));
    table->n_layers++;
    table->n_params += last->n_params;
    table->multiply_adds += last->multiply_adds;
    *x = last->y;
    return C3D_OK;
}

static c3d_status append_dropout(c3d_shape_table *table, const c3d_layer_desc *layer, double rate,
                                 c3d_shape *x)
{
    c3d_layer_info info = { .x = *x };
    int n_before = 0;

    for (int i = 0; i < table->n_layers; i++) n_before += table->layers[i].op.op == C3D_OP_DROPOUT;
    info.op = (c3d_op_desc){ .op = C3D_OP_DROPOUT,
                             .rate = rate,
                             .dropout_layer = n_before,
                             .training = table->layers[0].op.training,
                             .needs_x_grad = true };
    (void)snprintf(info.name, sizeof info.name, "dropout%s",
                   layer->name + strcspn(layer->name, "0123456789"));
    return append(table, &info, x);
}

static c3d_status append_norm(c3d_shape_table *table, const c3d_layer_desc *layer, c3d_shape *x)
{
    c3d_layer_info info = { .x = *x,
                            .op = { .op = C3D_OP_NORM,
                                    .relu = layer->relu,
                                    .epsilon = 1e-5,
                                    .training = table->layers[0].op.training,
                                    .needs_x_grad = true } };

    (void)snprintf(info.name, sizeof info.name, "bn%s",
                   layer->name + strcspn(layer->name, "0123456789"));
    return append(table, &info, x);
}

c3d_status c3d_shape_table_make(const c3d_model_desc *desc, c3d_shape_table *out)
{
    const c3d_net *net = c3d_net_find(desc->network);
    c3d_shape x = desc->x;

    if (!net) return C3D_FAIL(C3D_ECONFIG, "model.network: no network \"%s\"", desc->network);
    C3D_TRY(check_numbers(net, desc));
    if (net->stacks) x.c *= x.d, x.d = 1;
    *out = (c3d_shape_table){ 0 };
    for (int i = 0; i < net->n_layers; i++) {
        const c3d_layer_desc *layer = &net->layers[i];
        c3d_layer_info info = { .x = x };
        info.op.training = desc->training;
        info.op.needs_x_grad = i > 0;
        (void)snprintf(info.name, sizeof info.name, "%s", layer->name);
        switch (layer->kind) {
        case C3D_LAYER_CONV: conv_op(net, layer, desc, &info); break;
        case C3D_LAYER_POOL: pool_op(layer, desc->pool5_padding, &info); break;
        case C3D_LAYER_LINEAR: linear_op(layer, desc, &info.op); break;
        }
        C3D_TRY(append(out, &info, &x));
        if (layer->kind == C3D_LAYER_CONV && desc->batch_norm) C3D_TRY(append_norm(out, layer, &x));
        if (layer->dropout && desc->dropout > 0)
            C3D_TRY(append_dropout(out, layer, desc->dropout, &x));
    }
    return C3D_OK;
}

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* More filters make more parameters, so that a search by halves finds the last width that does not
 * exceed n_params; a width that makes no network any more does. */
c3d_status c3d_width_for(const c3d_model_desc *desc, uint64_t n_params, int *width_out)
{
    c3d_model_desc tried = *desc;
    c3d_shape_table table;
    int low = 1, high = WIDEST + 1;

    tried.width = low;
    C3D_TRY(c3d_shape_table_make(&tried, &table));
    uint64_t n_low = table.n_params, n_high = UINT64_MAX;
    while (high - low > 1) {
        tried.width = low + (high - low) / 2;
        const bool fits = c3d_shape_table_make(&tried, &table) == C3D_OK;
        if (fits && table.n_params <= n_params)
            low = tried.width, n_low = table.n_params;
        else
            high = tried.width, n_high = fits ? table.n_params : UINT64_MAX;
    }
    *width_out = distance(n_high, n_params) < distance(n_low, n_params) ? high : low;
    return C3D_OK;
}

/* [64, 16, 112, 112]: channels, months, rows, columns of one sample. */
static const char *sample_text(c3d_shape shape, char out[64])
{
    (void)snprintf(out, 64, "[%d, %d, %d, %d]", shape.c, shape.d, shape.h, shape.w);
    return out;
}

void c3d_shape_table_print(const c3d_shape_table *table, c3d_text *out)
{
    char text[64];

    c3d_text_add(out, "%-10s %-22s %13s %17s\n", "layer", "output [C, T, H, W]", "parameters",
                 "multiply-adds");
    if (table->n_layers > 0)
        c3d_text_add(out, "%-10s %-22s\n", "input", sample_text(table->layers[0].x, text));
    for (int i = 0; i < table->n_layers; i++) {
        const c3d_layer_info *layer = &table->layers[i];
        c3d_text_add(out, "%-10s %-22s %13" PRIu64 " %17" PRIu64 "%s%s\n", layer->name,
                     sample_text(layer->y, text), layer->n_params, layer->multiply_adds,
                     layer->note[0] ? "  " : "", layer->note);
    }
    c3d_text_add(out, "%-10s %-22s %13" PRIu64 " %17" PRIu64 "  a sample, forward\n", "total", "",
                 table->n_params, table->multiply_adds);
}
