#include "backend/cuda/cuda.h"

#include <string.h>

/* ---- planning -------------------------------------------------------------------------------- */

/* As many rows at a time as keep both tensors within piece_bytes, in pieces of one size but the
 * last. */
static void cut(const cuda *c, cuda_plan *plan)
{
    const c3d_plan *p = &plan->base;
    const size_t n = (size_t)p->x_shape.n, x_row = p->x->n_bytes / n, y_row = p->y->n_bytes / n;
    const size_t fit = c->piece_bytes / (x_row > y_row ? x_row : y_row);
    const size_t n_pieces = fit > 0 ? (n + fit - 1) / fit : n, size = (n + n_pieces - 1) / n_pieces;

    plan->n_pieces = (int)((n + size - 1) / size);
    plan->pieces[0].n = (int)size;
    plan->pieces[1].n = (int)(n - (size_t)(plan->n_pieces - 1) * size);
}

static bool are_pieces_equal(const cuda_plan *plan)
{
    return plan->pieces[0].n == plan->pieces[1].n;
}

static c3d_status add_plan(cuda *c, cuda_plan *plan, cuda_conv_piece *piece, c3d_dnn_kind kind)
{
    const c3d_plan *p = &plan->base;
    c3d_dnn_conv conv = {
        .kind = kind, .precision = c->backend->options.precision, .x = p->x_shape, .y = p->y_shape
    };

    conv.x.n = conv.y.n = piece->n;
    conv.x.c = p->x->n_lanes;
    conv.y.c = p->y->n_lanes;
    memcpy(conv.kernel, p->desc.kernel, sizeof conv.kernel);
    memcpy(conv.stride, p->desc.stride, sizeof conv.stride);
    memcpy(conv.pad_before, p->desc.pad_before, sizeof conv.pad_before);
    memcpy(conv.pad_after, p->desc.pad_after, sizeof conv.pad_after);
    C3D_TRY(c3d_dnn_plan_create(c->dnn, &conv, &piece->plans[kind]));
    return c3d_cuda_slot_grow(c, SLOT_LIBRARY, c3d_dnn_plan_workspace(piece->plans[kind]));
}

/* The first of two kinds, or the second where no engine takes the first. */
static c3d_status add_either(cuda *c, cuda_plan *plan, cuda_conv_piece *piece, c3d_dnn_kind first,
                             c3d_dnn_kind second)
{
    const c3d_status st = add_plan(c, plan, piece, first);

    return st == C3D_EUNSUPPORTED && first != second ? add_plan(c, plan, piece, second) : st;
}

/* In float32 a gradient of the precision's type is float32 itself. */
static c3d_status make_piece(cuda *c, cuda_plan *plan, cuda_conv_piece *piece)
{
    const c3d_op_desc *desc = &plan->base.desc;
    const bool is_low = plan->type != C3D_CUDA_F32;
    const c3d_dnn_kind plain = desc->no_bias ? C3D_DNN_FORWARD : C3D_DNN_FORWARD_BIAS;

    C3D_TRY(add_either(c, plan, piece, desc->relu ? C3D_DNN_FORWARD_BIAS_RELU : plain,
                       C3D_DNN_FORWARD));
    if (!desc->training) return C3D_OK;
    if (desc->needs_x_grad)
        C3D_TRY(add_either(c, plan, piece,
                           plan->fuses_relu ? C3D_DNN_BACKWARD_X_RELU : C3D_DNN_BACKWARD_X,
                           C3D_DNN_BACKWARD_X));
    if (plan->fuses_relu && !piece->plans[C3D_DNN_BACKWARD_X_RELU]) plan->fuses_relu = false;
    return add_either(c, plan, piece, C3D_DNN_BACKWARD_W,
                      is_low ? C3D_DNN_BACKWARD_W_LOW : C3D_DNN_BACKWARD_W);
}

static c3d_status make_slots(cuda *c, const cuda_plan *plan)
{
    const c3d_plan *p = &plan->base;
    const size_t n_floats = c3d_cuda_channel_floats(c3d_cuda_rows(p->y), p->y->n_lanes);

    C3D_TRY(c3d_cuda_slot_grow(c, SLOT_PARTIALS, n_floats * sizeof(float)));
    return c3d_cuda_slot_grow(c, SLOT_TERM, p->param_n_physical[0] * sizeof(float));
}

/* With two sizes of pieces either all go through the ReLU of the layer below or none. */
static c3d_status make_pieces(cuda *c, cuda_plan *plan)
{
    C3D_TRY(make_piece(c, plan, &plan->pieces[0]));
    if (are_pieces_equal(plan)) return C3D_OK;
    C3D_TRY(make_piece(c, plan, &plan->pieces[1]));
    if (plan->fuses_relu || !plan->pieces[0].plans[C3D_DNN_BACKWARD_X_RELU]) return C3D_OK;
    return add_plan(c, plan, &plan->pieces[0], C3D_DNN_BACKWARD_X);
}

c3d_status c3d_cuda_conv_plan(cuda *c, cuda_plan *plan)
{
    const c3d_plan *p = &plan->base;

    if (p->x->type != plan->type)
        return C3D_FAIL(C3D_EUNSUPPORTED,
                        "backend cuda: a convolution of the output of a linear layer");
    C3D_TRY(c3d_cuda_plan_outputs(c, plan, plan->type));
    if (p->desc.no_bias)
        C3D_TRY(c3d_cuda_alloc(c->backend, (size_t)p->y->n_lanes * sizeof(float), &plan->no_bias));
    cut(c, plan);
    plan->fuses_relu = p->x->is_relu;
    C3D_TRY(make_pieces(c, plan));
    return p->desc.training ? make_slots(c, plan) : C3D_OK;
}

void c3d_cuda_conv_free(cuda_plan *plan)
{
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < C3D_DNN_KINDS; k++) c3d_dnn_plan_free(plan->pieces[i].plans[k]);
}

/* ---- passes ---------------------------------------------------------------------------------- */

/* One run of one piece. */
typedef struct run {
    const cuda_conv_piece *piece;
    char *x, *y, *dx; /* y: or its gradient */
    size_t n_rows;    /* of y */
    bool is_first;
} run;

static char *offset(void *array, size_t n_bytes, int rows, int n)
{
    return array ? (char *)array + n_bytes / (size_t)n * (size_t)rows : NULL;
}

static run run_of(const cuda_plan *plan, int i, bool backward)
{
    const c3d_plan *p = &plan->base;
    const int n = p->x_shape.n, rows = i * plan->pieces[0].n;
    const bool is_odd = i == plan->n_pieces - 1 && !are_pieces_equal(plan);
    const cuda_conv_piece *piece = &plan->pieces[is_odd];

    return (run){ .piece = piece,
                  .x = offset(p->x->value, p->x->n_bytes, rows, n),
                  .y = offset(backward ? p->y->grad : p->y->value, p->y->n_bytes, rows, n),
                  .dx = offset(p->x->grad, p->x->n_bytes, rows, n),
                  .n_rows = c3d_cuda_rows(p->y) / (size_t)n * (size_t)piece->n,
                  .is_first = i == 0 };
}

static c3d_status enqueue(cuda *c, const run *r, c3d_dnn_kind kind, void *const *tensors)
{
    c3d_cuda_note("a convolution");
    return c3d_dnn_run(c->dnn, r->piece->plans[kind], tensors, c->slots[SLOT_LIBRARY].data);
}

static c3d_status forward_piece(cuda *c, const cuda_plan *plan, const run *r, const void *w,
                                const void *b, const float *b_f32)
{
    const c3d_op_desc *desc = &plan->base.desc;
    void *const tensors[C3D_DNN_ROLES] = { [C3D_DNN_X] = r->x,
                                           [C3D_DNN_W] = (void *)(uintptr_t)w,
                                           [C3D_DNN_B] = (void *)(uintptr_t)b,
                                           [C3D_DNN_Y] = r->y };

    if (r->piece->plans[C3D_DNN_FORWARD_BIAS_RELU])
        return enqueue(c, r, C3D_DNN_FORWARD_BIAS_RELU, tensors);
    if (r->piece->plans[C3D_DNN_FORWARD_BIAS]) return enqueue(c, r, C3D_DNN_FORWARD_BIAS, tensors);
    C3D_TRY(enqueue(c, r, C3D_DNN_FORWARD, tensors));
    if (desc->no_bias && !desc->relu) return C3D_OK;
    C3D_CUDA(c3d_cuda_bias_relu(c->stream, r->n_rows, plan->base.y->n_lanes, plan->type, r->y,
                                b_f32, desc->relu));
    return C3D_OK;
}

c3d_status c3d_cuda_conv_forward(cuda *c, cuda_plan *plan, const c3d_params *params)
{
    const float *b_f32 = plan->base.desc.no_bias ? plan->no_bias : params->value[1];
    const void *w, *b;

    C3D_TRY(c3d_cuda_weights(plan, params, &w, &b));
    for (int i = 0; i < plan->n_pieces; i++) {
        const run r = run_of(plan, i, false);

        C3D_TRY(forward_piece(c, plan, &r, w, b, b_f32));
    }
    return C3D_OK;
}

static c3d_status backward_x(cuda *c, const cuda_plan *plan, const run *r, const void *w)
{
    const c3d_dnn_kind kind = plan->fuses_relu ? C3D_DNN_BACKWARD_X_RELU : C3D_DNN_BACKWARD_X;
    void *const tensors[C3D_DNN_ROLES] = { [C3D_DNN_X] = plan->fuses_relu ? r->x : NULL,
                                           [C3D_DNN_W] = (void *)(uintptr_t)w,
                                           [C3D_DNN_Y] = r->y,
                                           [C3D_DNN_DX] = r->dx };

    return enqueue(c, r, kind, tensors);
}

/* Straight to where it belongs, unless something is there to be added to, or no engine gives
 * float32. */
static c3d_status backward_w(cuda *c, const cuda_plan *plan, const run *r, float *grad, bool add)
{
    const size_t n = plan->base.param_n_physical[0];
    const bool is_low = !r->piece->plans[C3D_DNN_BACKWARD_W];
    const c3d_dnn_kind kind = is_low ? C3D_DNN_BACKWARD_W_LOW : C3D_DNN_BACKWARD_W;
    void *term = c->slots[SLOT_TERM].data;
    void *const tensors[C3D_DNN_ROLES] = {
        [C3D_DNN_X] = r->x, [C3D_DNN_Y] = r->y, [C3D_DNN_DW] = is_low || add ? term : grad
    };

    C3D_TRY(enqueue(c, r, kind, tensors));
    if (is_low)
        C3D_CUDA(c3d_cuda_from_low(c->stream, n, term, plan->type, grad, add));
    else if (add)
        C3D_CUDA(c3d_cuda_add(c->stream, n, term, grad));
    return C3D_OK;
}

c3d_status c3d_cuda_conv_backward(cuda *c, cuda_plan *plan, const c3d_params *params,
                                  float *const *param_grads, bool accumulate)
{
    const c3d_plan *p = &plan->base;
    const void *w, *b;

    C3D_TRY(c3d_cuda_weights(plan, params, &w, &b));
    C3D_TRY(c3d_cuda_relu_bias(c, plan, p->desc.no_bias ? NULL : param_grads[1], accumulate));
    for (int i = 0; i < plan->n_pieces; i++) {
        const run r = run_of(plan, i, true);

        C3D_TRY(backward_w(c, plan, &r, param_grads[0], accumulate || !r.is_first));
        if (p->desc.needs_x_grad) C3D_TRY(backward_x(c, plan, &r, w));
    }
    if (p->desc.needs_x_grad) c3d_cuda_set_grad(p->x, plan->fuses_relu);
    return C3D_OK;
}
