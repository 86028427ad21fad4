#include "c3d/nn.h"

#include <stdlib.h>
#include <string.h>

static const c3d_backend_ops *ops_of(const c3d_model *model)
{
    return model->backend->ops;
}

/* Plans follow each other: the output of one is the input of the next. */
static c3d_status plan_layers(c3d_model *model)
{
    c3d_activation *x = model->input;

    for (int i = 0; i < model->table.n_layers; i++) {
        const c3d_layer_info *layer = &model->table.layers[i];
        c3d_plan *plan = NULL;
        const c3d_status st = ops_of(model)->plan(model->backend, &layer->op, x, &plan);
        if (st != C3D_OK) return c3d_error_while("planning layer %s", layer->name);
        model->plans[i] = plan;
        if (!c3d_shape_is_equal(plan->y_shape, layer->y))
            return C3D_FAIL(C3D_EINTERNAL, "layer %s: the plan's shape is not the table's",
                            layer->name);
        x = plan->y;
    }
    return C3D_OK;
}

/* conv [K, C, kd, kh, kw], without kd in a network that never looks along time; linear [K, inputs];
 * bias [K], norm [C]. */
static void set_shape(c3d_param *param, const c3d_layer_info *layer, bool has_time)
{
    const c3d_op_desc *op = &layer->op;

    param->shape[0] = layer->y.c; /* filters, or a norm's channels */
    param->rank = 1;
    if (param->which == 1 || op->op == C3D_OP_NORM) return;
    if (op->op == C3D_OP_LINEAR) {
        param->shape[param->rank++] = (int64_t)c3d_shape_sample_count(layer->x);
        return;
    }
    param->shape[param->rank++] = layer->x.c;
    for (int axis = has_time ? 0 : 1; axis < 3; axis++)
        param->shape[param->rank++] = op->kernel[axis];
}

static void list_params(c3d_model *model, bool has_time)
{
    for (int i = 0; i < model->table.n_layers; i++) {
        const c3d_layer_info *layer = &model->table.layers[i];
        const c3d_plan *plan = model->plans[i];
        for (int which = 0; which < plan->n_params; which++) {
            c3d_param *param = &model->params[model->n_params++];
            param->layer = i;
            param->which = which;
            param->n = plan->param_n[which];
            param->n_physical = plan->param_n_physical[which];
            param->fan_in = plan->param_n[0] / (uint64_t)layer->y.c;
            const char *kind = which == 0 ? "weight" : "bias";
            char name[sizeof param->name] = { 0 };
            (void)snprintf(name, sizeof name, "%s.%s", layer->name, kind);
            memcpy(param->name, name, sizeof name);
            set_shape(param, layer, has_time);
        }
    }
}

static void list_running(c3d_model *model)
{
    static const char *const kinds[2] = { "mean", "var" };

    for (int i = 0; i < model->table.n_layers; i++) {
        const c3d_layer_info *layer = &model->table.layers[i];

        for (int which = 0; layer->op.op == C3D_OP_NORM && which < 2; which++) {
            c3d_running *r = &model->running[model->n_running++];
            char name[sizeof r->name] = { 0 };

            *r = (c3d_running){
                .layer = i, .which = which, .n = (size_t)layer->x.c, .offset = model->n_stats
            };
            (void)snprintf(name, sizeof name, "%s.running_%s", layer->name, kinds[which]);
            memcpy(r->name, name, sizeof name);
            model->n_stats += r->n;
        }
    }
}

/* Weight and bias of a layer side by side, the last layer first. */
static void lay_out_arena(c3d_model *model)
{
    for (int i = model->table.n_layers - 1; i >= 0; i--)
        for (int p = 0; p < model->n_params; p++) {
            if (model->params[p].layer != i) continue;
            model->params[p].offset = model->n_arena;
            model->n_arena += model->params[p].n_physical;
        }
}

static bool is_low(c3d_precision precision)
{
    return precision == C3D_PRECISION_BF16 || precision == C3D_PRECISION_FP16;
}

static c3d_status allocate(c3d_model *model, size_t n, float **out)
{
    void *arena = NULL;

    C3D_TRY(ops_of(model)->alloc(model->backend, n * sizeof(float), &arena));
    *out = arena;
    return C3D_OK;
}

static c3d_status allocate_all(c3d_model *model, bool training)
{
    void *low = NULL;

    C3D_TRY(allocate(model, model->n_arena, &model->param));
    if (is_low(model->backend->options.precision))
        C3D_TRY(ops_of(model)->alloc(model->backend, model->n_arena * sizeof *model->low, &low));
    model->low = low;
    if (training) C3D_TRY(allocate(model, model->n_arena, &model->grad));
    if (model->n_stats == 0) return C3D_OK;
    C3D_TRY(allocate(model, model->n_stats, &model->stats));
    model->host_stats = c3d_calloc(model->n_stats, sizeof(float));
    return model->host_stats ? C3D_OK : C3D_ENOMEM;
}

c3d_status c3d_model_create(c3d_model *model, c3d_backend *backend, const c3d_model_desc *desc)
{
    c3d_status st;

    *model = (c3d_model){ .backend = backend };
    C3D_TRY_TO(fail, c3d_shape_table_make(desc, &model->table));
    C3D_TRY_TO(fail, backend->ops->input_create(backend, model->table.layers[0].x, &model->input));
    C3D_TRY_TO(fail, plan_layers(model));
    list_params(model, c3d_net_find(desc->network)->kernel[0] > 1);
    if (c3d_net_find(desc->network)->stacks) model->n_stacked = desc->x.d;
    lay_out_arena(model);
    list_running(model);
    C3D_TRY_TO(fail, allocate_all(model, desc->training));
    return C3D_OK;
fail:
    c3d_model_destroy(model);
    return st;
}

void c3d_model_destroy(c3d_model *model)
{
    if (!model || !model->backend) return;
    if (model->stats) ops_of(model)->free(model->backend, model->stats);
    free(model->host_stats);
    if (model->grad) ops_of(model)->free(model->backend, model->grad);
    if (model->low) ops_of(model)->free(model->backend, model->low);
    if (model->param) ops_of(model)->free(model->backend, model->param);
    for (int i = C3D_MAX_LAYERS - 1; i >= 0; i--)
        if (model->plans[i]) ops_of(model)->plan_free(model->backend, model->plans[i]);
    if (model->input) ops_of(model)->activation_free(model->backend, model->input);
    *model = (c3d_model){ 0 };
}

size_t c3d_model_largest_param(const c3d_model *model)
{
    size_t n = 1;

    for (int p = 0; p < model->n_params; p++)
        if (model->params[p].n > n) n = model->params[p].n;
    return n;
}

c3d_status c3d_model_import(c3d_model *model, int p, const float *canonical, float *arena)
{
    const c3d_param *param = &model->params[p];

    C3D_TRY(ops_of(model)->param_import(model->backend, model->plans[param->layer], param->which,
                                        canonical, arena + param->offset));
    return arena == model->param ? c3d_model_to_low(model, param->offset, param->n_physical)
                                 : C3D_OK;
}

c3d_status c3d_model_to_low(c3d_model *model, size_t begin, size_t n)
{
    if (!model->low) return C3D_OK;
    return ops_of(model)->to_low(model->backend, n, model->param + begin, model->low + begin);
}

c3d_status c3d_model_export(c3d_model *model, int p, const float *arena, float *canonical)
{
    const c3d_param *param = &model->params[p];

    return ops_of(model)->param_export(model->backend, model->plans[param->layer], param->which,
                                       arena + param->offset, canonical);
}

c3d_status c3d_model_load(c3d_model *model, const c3d_input *input)
{
    c3d_input stacked = *input;

    stacked.n_stacked = model->n_stacked;
    return ops_of(model)->input_load(model->backend, model->input, &stacked);
}

/* A layer's range of an arena and pointers to its weight and bias there; empty without any. */
typedef struct layer_range {
    size_t begin, end;
    c3d_params params;
    float *grads[2];
} layer_range;

static layer_range range_of(const c3d_model *model, int layer)
{
    layer_range range = { 0 };
    bool first = true;

    for (int p = 0; p < model->n_params; p++) {
        const c3d_param *param = &model->params[p];
        if (param->layer != layer) continue;
        if (first) range.begin = param->offset;
        first = false;
        range.end = param->offset + param->n_physical;
        range.params.value[param->which] = model->param + param->offset;
        if (model->low) range.params.low[param->which] = model->low + param->offset;
        if (model->grad) range.grads[param->which] = model->grad + param->offset;
    }
    for (int r = 0; r < model->n_running; r++)
        if (model->running[r].layer == layer)
            range.params.stats[model->running[r].which] = model->stats + model->running[r].offset;
    return range;
}

c3d_status c3d_model_forward_layer(c3d_model *model, int layer, const c3d_pass *pass)
{
    const layer_range range = range_of(model, layer);

    c3d_phase_tick();
    if (model->stats_are_old && !pass->training)
        C3D_TRY(c3d_model_stats_set(model, model->host_stats));
    if (ops_of(model)->forward(model->backend, model->plans[layer], &range.params, pass) == C3D_OK)
        return C3D_OK;
    return c3d_error_while("running layer %s forward", model->table.layers[layer].name);
}

c3d_status c3d_model_forward(c3d_model *model, const c3d_pass *pass)
{
    for (int i = 0; i < model->table.n_layers; i++)
        C3D_TRY(c3d_model_forward_layer(model, i, pass));
    return C3D_OK;
}

c3d_status c3d_model_loss(c3d_model *model, const c3d_loss *loss)
{
    return ops_of(model)->loss(model->backend, model->plans[model->table.n_layers - 1]->y, loss);
}

c3d_status c3d_model_backward_layer(c3d_model *model, int layer, const c3d_pass *pass)
{
    const layer_range range = range_of(model, layer);

    c3d_phase_tick();
    if (ops_of(model)->backward(model->backend, model->plans[layer], &range.params, range.grads,
                                pass) == C3D_OK)
        return C3D_OK;
    return c3d_error_while("running layer %s backward", model->table.layers[layer].name);
}

c3d_status c3d_model_backward(c3d_model *model, const c3d_pass *pass, const c3d_grad_hook *hook)
{
    for (int i = model->table.n_layers - 1; i >= 0; i--) {
        const layer_range range = range_of(model, i);
        C3D_TRY(c3d_model_backward_layer(model, i, pass));
        if (hook && range.end > range.begin)
            C3D_TRY(hook->ready(hook->context, range.begin, range.end));
    }
    return C3D_OK;
}
