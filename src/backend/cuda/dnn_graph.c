/* A convolution, forward or backward, and what is fused with it as a graph of operations. */
#include "backend/cuda/dnn_graph.h"

#include <stdio.h>
#include <string.h>

typedef cudnnBackendDescriptor_t descriptor;
typedef cudnnBackendAttributeName_t attribute;

c3d_status c3d_dnn_failed(cudnnStatus_t status, const char *call)
{
    const int category = CUDNN_STATUS_CATEGORY((int)status);
    char words[512] = "";

    cudnnGetLastErrorString(words, sizeof words);
    for (char *c = words; *c; c++)
        if (*c == '\n') *c = ' ';
    return C3D_FAIL(category == CUDNN_STATUS_NOT_SUPPORTED ? C3D_EUNSUPPORTED : C3D_EBACKEND,
                    "cuDNN: %s: %s%s%s", call, cudnnGetErrorString(status), *words ? ": " : "",
                    words);
}

/* ---- shapes ---------------------------------------------------------------------------------- */

/* As cuDNN takes them: N, C, then two or three axes of space; of weights K, C and the kernel. */
typedef struct geometry {
    int n_axes;
    int64_t x[5], w[5], y[5];
    int64_t stride[3], before[3], after[3];
} geometry;

/* Nothing happens along an axis: it can be counted as samples or joined to its neighbour. */
static bool is_idle(const c3d_dnn_conv *conv, int axis)
{
    return conv->kernel[axis] == 1 && conv->stride[axis] == 1 && conv->pad_before[axis] == 0 &&
           conv->pad_after[axis] == 0;
}

static void set_tensor(int64_t to[5], c3d_shape s)
{
    to[0] = s.n, to[1] = s.c, to[2] = s.d, to[3] = s.h, to[4] = s.w;
}

static void drop_axis(int64_t *list, int n, int axis)
{
    memmove(list + axis, list + axis + 1, sizeof *list * (size_t)(n - axis - 1));
}

/* [N, C, D, H, W] to [N D, C, H, W] (into: 0), or H and W joined (into: 3). */
static void merge(int64_t tensor[5], int into, int axis)
{
    tensor[into] *= tensor[axis];
    drop_axis(tensor, 5, axis);
}

static geometry geometry_of(const c3d_dnn_conv *conv)
{
    geometry g = { .n_axes = 3 };
    const bool without_d = is_idle(conv, 0);
    const bool without_w = !without_d && is_idle(conv, 1) && is_idle(conv, 2);

    set_tensor(g.x, conv->x);
    set_tensor(g.y, conv->y);
    g.w[0] = conv->y.c, g.w[1] = conv->x.c;
    for (int i = 0; i < 3; i++) {
        g.w[2 + i] = conv->kernel[i];
        g.stride[i] = conv->stride[i];
        g.before[i] = conv->pad_before[i];
        g.after[i] = conv->pad_after[i];
    }
    if (!without_d && !without_w) return g;
    const int axis = without_d ? 0 : 2, into = without_d ? 0 : 3;
    g.n_axes = 2;
    merge(g.x, into, 2 + axis);
    merge(g.y, into, 2 + axis);
    drop_axis(g.w, 5, 2 + axis);
    drop_axis(g.stride, 3, axis);
    drop_axis(g.before, 3, axis);
    drop_axis(g.after, 3, axis);
    return g;
}

static cudnnDataType_t type_of(const c3d_dnn_conv *conv, c3d_dnn_role role)
{
    if (role == C3D_DNN_DW && conv->kind == C3D_DNN_BACKWARD_W) return CUDNN_DATA_FLOAT;
    if (conv->precision == C3D_PRECISION_BF16) return CUDNN_DATA_BFLOAT16;
    return conv->precision == C3D_PRECISION_FP16 ? CUDNN_DATA_HALF : CUDNN_DATA_FLOAT;
}

/* ---- kinds ----------------------------------------------------------------------------------- */

/* The convolution, then what its result goes through; the last of it writes `result`. */
typedef struct step {
    cudnnPointwiseMode_t mode;
    int other; /* second input, a role; -1: none */
} step;

typedef struct recipe {
    const char *name;
    cudnnBackendDescriptorType_t convolution;
    c3d_dnn_role result;
    int n_steps;
    step steps[2];
} recipe;

#define FORWARD_OP    CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR
#define BACKWARD_X_OP CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR
#define BACKWARD_W_OP CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR

static const recipe recipes[C3D_DNN_KINDS] = {
    [C3D_DNN_FORWARD] = { "forward", FORWARD_OP, C3D_DNN_Y, 0, { { 0, 0 } } },
    [C3D_DNN_FORWARD_BIAS] = { "forward_bias",
                               FORWARD_OP,
                               C3D_DNN_Y,
                               1,
                               { { CUDNN_POINTWISE_ADD, C3D_DNN_B } } },
    [C3D_DNN_FORWARD_BIAS_RELU] = { "forward_bias_relu",
                                    FORWARD_OP,
                                    C3D_DNN_Y,
                                    2,
                                    { { CUDNN_POINTWISE_ADD, C3D_DNN_B },
                                      { CUDNN_POINTWISE_RELU_FWD, -1 } } },
    [C3D_DNN_BACKWARD_X] = { "backward_x", BACKWARD_X_OP, C3D_DNN_DX, 0, { { 0, 0 } } },
    [C3D_DNN_BACKWARD_X_RELU] = { "backward_x_relu",
                                  BACKWARD_X_OP,
                                  C3D_DNN_DX,
                                  1,
                                  { { CUDNN_POINTWISE_RELU_BWD, C3D_DNN_X } } },
    /* 16-bit inputs give a float gradient only by way of an operation of its own */
    [C3D_DNN_BACKWARD_W] = { "backward_w",
                             BACKWARD_W_OP,
                             C3D_DNN_DW,
                             1,
                             { { CUDNN_POINTWISE_IDENTITY, -1 } } },
    [C3D_DNN_BACKWARD_W_LOW] = { "backward_w_low", BACKWARD_W_OP, C3D_DNN_DW, 0, { { 0, 0 } } },
};

const char *c3d_dnn_kind_name(c3d_dnn_kind kind)
{
    return (size_t)kind < C3D_COUNT(recipes) ? recipes[kind].name : "?";
}

static int n_steps_of(const c3d_dnn_conv *conv)
{
    const bool is_plain = conv->kind == C3D_DNN_BACKWARD_W &&
                          conv->precision != C3D_PRECISION_BF16 &&
                          conv->precision != C3D_PRECISION_FP16;

    return is_plain ? 0 : recipes[conv->kind].n_steps;
}

static bool uses(const c3d_dnn_conv *conv, c3d_dnn_role role)
{
    const recipe *r = &recipes[conv->kind];

    if (role == r->result) return true;
    for (int i = 0; i < r->n_steps; i++)
        if (r->steps[i].other == (int)role) return true;
    switch (role) {
    case C3D_DNN_X: return r->convolution != BACKWARD_X_OP;
    case C3D_DNN_W: return r->convolution != BACKWARD_W_OP;
    case C3D_DNN_Y: return true;
    case C3D_DNN_B:
    case C3D_DNN_DX:
    case C3D_DNN_DW:
    case C3D_DNN_ROLES: break;
    }
    return false;
}

size_t c3d_dnn_tensor_bytes(const c3d_dnn_conv *conv, c3d_dnn_role role)
{
    const size_t bytes = type_of(conv, role) == CUDNN_DATA_FLOAT ? 4 : 2;
    size_t n = (size_t)conv->y.c;

    if (!uses(conv, role)) return 0;
    if (role == C3D_DNN_X || role == C3D_DNN_DX) n = c3d_shape_count(conv->x);
    if (role == C3D_DNN_Y) n = c3d_shape_count(conv->y);
    if (role == C3D_DNN_W || role == C3D_DNN_DW) {
        n *= (size_t)conv->x.c;
        for (int i = 0; i < 3; i++) n *= (size_t)conv->kernel[i];
    }
    return n * bytes;
}

void c3d_dnn_conv_text(const c3d_dnn_conv *conv, char out[256])
{
    const c3d_shape x = conv->x, y = conv->y;
    const int *k = conv->kernel, *s = conv->stride, *b = conv->pad_before, *a = conv->pad_after;

    (void)snprintf(out, 256,
                   "%s %s x %dx%dx%dx%dx%d y %dx%dx%dx%dx%d kernel %dx%dx%d stride %dx%dx%d "
                   "pads %d-%d %d-%d %d-%d",
                   c3d_dnn_kind_name(conv->kind), c3d_precision_name(conv->precision), x.n, x.c,
                   x.d, x.h, x.w, y.n, y.c, y.d, y.h, y.w, k[0], k[1], k[2], s[0], s[1], s[2], b[0],
                   a[0], b[1], a[1], b[2], a[2]);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static c3d_status add_part(c3d_dnn_graph *g, cudnnBackendDescriptorType_t type, descriptor *out)
{
    C3D_ASSERT(g->n_parts < C3D_DNN_PARTS);
    C3D_CUDNN(cudnnBackendCreateDescriptor(type, out));
    g->parts[g->n_parts++] = *out;
    return C3D_OK;
}

static c3d_status set(descriptor d, attribute name, cudnnBackendAttributeType_t type, int64_t n,
                      const void *values)
{
    C3D_CUDNN(cudnnBackendSetAttribute(d, name, type, n, values));
    return C3D_OK;
}

static c3d_status set_part(descriptor d, attribute name, descriptor part)
{
    return set(d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, (const void *)&part);
}

static c3d_status finalize(descriptor d)
{
    C3D_CUDNN(cudnnBackendFinalize(d));
    return C3D_OK;
}

/* Channels-last; a virtual tensor is a value between two operations, of type float. */
typedef struct tensor_desc {
    int64_t id;
    cudnnDataType_t type;
    bool is_virtual;
    const int64_t *extents;
    int n_extents;
} tensor_desc;

static c3d_status add_tensor(c3d_dnn_graph *g, const tensor_desc *t, descriptor *out)
{
    const int64_t *e = t->extents, alignment = 16;
    const int last = t->n_extents - 1;
    int64_t strides[5];

    strides[1] = 1;
    strides[last] = e[1];
    for (int i = last - 1; i >= 2; i--) strides[i] = strides[i + 1] * e[i + 1];
    strides[0] = strides[2] * e[2];
    C3D_TRY(add_part(g, CUDNN_BACKEND_TENSOR_DESCRIPTOR, out));
    C3D_TRY(set(*out, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &t->type));
    C3D_TRY(set(*out, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, last + 1, e));
    C3D_TRY(set(*out, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, last + 1, strides));
    C3D_TRY(set(*out, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &t->id));
    C3D_TRY(set(*out, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment));
    C3D_TRY(set(*out, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &t->is_virtual));
    return finalize(*out);
}

static const int64_t *extents_of(const geometry *g, c3d_dnn_role role, int64_t bias[5])
{
    switch (role) {
    case C3D_DNN_X:
    case C3D_DNN_DX: return g->x;
    case C3D_DNN_W:
    case C3D_DNN_DW: return g->w;
    case C3D_DNN_B:
        for (int i = 0; i < 5; i++) bias[i] = i == 1 ? g->w[0] : 1;
        return bias;
    case C3D_DNN_Y:
    case C3D_DNN_ROLES: break;
    }
    return g->y;
}

/* The tensor of a role; its number in a run is its role. */
static c3d_status add_role(c3d_dnn_graph *graph, const c3d_dnn_conv *conv, c3d_dnn_role role,
                           descriptor *out)
{
    const geometry g = geometry_of(conv);
    int64_t bias[5];

    return add_tensor(graph,
                      &(tensor_desc){ .id = (int64_t)role,
                                      .type = type_of(conv, role),
                                      .extents = extents_of(&g, role, bias),
                                      .n_extents = 2 + g.n_axes },
                      out);
}

/* A value on its way to the result: of its shape. */
static c3d_status add_between(c3d_dnn_graph *graph, const c3d_dnn_conv *conv, int number,
                              descriptor *out)
{
    const geometry g = geometry_of(conv);
    int64_t bias[5];

    return add_tensor(graph,
                      &(tensor_desc){ .id = C3D_DNN_ROLES + number,
                                      .type = CUDNN_DATA_FLOAT,
                                      .is_virtual = true,
                                      .extents = extents_of(&g, recipes[conv->kind].result, bias),
                                      .n_extents = 2 + g.n_axes },
                      out);
}

static c3d_status add_operation(c3d_dnn_graph *g, cudnnBackendDescriptorType_t type,
                                descriptor *out)
{
    C3D_TRY(add_part(g, type, out));
    g->operations[g->n_operations++] = *out;
    return C3D_OK;
}

static c3d_status add_axes(c3d_dnn_graph *graph, const c3d_dnn_conv *conv, descriptor *out)
{
    static const int64_t ones[3] = { 1, 1, 1 };
    const geometry g = geometry_of(conv);
    const int64_t n = g.n_axes;
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;

    C3D_TRY(add_part(graph, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, out));
    C3D_TRY(set(*out, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type));
    C3D_TRY(set(*out, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode));
    C3D_TRY(set(*out, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &n));
    C3D_TRY(set(*out, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, n, ones));
    C3D_TRY(set(*out, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, n, g.stride));
    C3D_TRY(set(*out, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, n, g.before));
    C3D_TRY(set(*out, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, n, g.after));
    return finalize(*out);
}

/* The three kinds of convolution have the same attributes under different names. */
typedef struct conv_names {
    attribute axes, alpha, beta, inputs[2], output;
    c3d_dnn_role roles[2]; /* of the inputs */
} conv_names;

static conv_names names_of(cudnnBackendDescriptorType_t type)
{
    if (type == FORWARD_OP)
        return (conv_names){ CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
                             { CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W },
                             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                             { C3D_DNN_X, C3D_DNN_W } };
    if (type == BACKWARD_X_OP)
        return (conv_names){ CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
                             { CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                               CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W },
                             CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                             { C3D_DNN_Y, C3D_DNN_W } };
    return (conv_names){ CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
                         { CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                           CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY },
                         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                         { C3D_DNN_X, C3D_DNN_Y } };
}

static c3d_status add_convolution(c3d_dnn_graph *g, const c3d_dnn_conv *conv, descriptor result)
{
    const cudnnBackendDescriptorType_t type = recipes[conv->kind].convolution;
    const conv_names names = names_of(type);
    const float one = 1, zero = 0;
    descriptor axes, operation, input;

    C3D_TRY(add_axes(g, conv, &axes));
    C3D_TRY(add_operation(g, type, &operation));
    for (int i = 0; i < 2; i++) {
        C3D_TRY(add_role(g, conv, names.roles[i], &input));
        C3D_TRY(set_part(operation, names.inputs[i], input));
    }
    C3D_TRY(set_part(operation, names.output, result));
    C3D_TRY(set_part(operation, names.axes, axes));
    C3D_TRY(set(operation, names.alpha, CUDNN_TYPE_FLOAT, 1, &one));
    C3D_TRY(set(operation, names.beta, CUDNN_TYPE_FLOAT, 1, &zero));
    return finalize(operation);
}

/* ReLU backward takes the gradient as "dy" and the value as "x". */
static c3d_status add_pointwise(c3d_dnn_graph *g, const c3d_dnn_conv *conv, const step *s,
                                descriptor from, descriptor to)
{
    const bool is_back = s->mode == CUDNN_POINTWISE_RELU_BWD;
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    descriptor mode, operation, other;

    C3D_TRY(add_part(g, CUDNN_BACKEND_POINTWISE_DESCRIPTOR, &mode));
    C3D_TRY(set(mode, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &s->mode));
    C3D_TRY(set(mode, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &type));
    C3D_TRY(finalize(mode));
    C3D_TRY(add_operation(g, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, &operation));
    C3D_TRY(set_part(operation, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, mode));
    C3D_TRY(set_part(operation,
                     is_back ? CUDNN_ATTR_OPERATION_POINTWISE_DYDESC
                             : CUDNN_ATTR_OPERATION_POINTWISE_XDESC,
                     from));
    if (s->other >= 0) {
        C3D_TRY(add_role(g, conv, (c3d_dnn_role)s->other, &other));
        C3D_TRY(set_part(operation,
                         is_back ? CUDNN_ATTR_OPERATION_POINTWISE_XDESC
                                 : CUDNN_ATTR_OPERATION_POINTWISE_BDESC,
                         other));
    }
    C3D_TRY(set_part(operation,
                     is_back ? CUDNN_ATTR_OPERATION_POINTWISE_DXDESC
                             : CUDNN_ATTR_OPERATION_POINTWISE_YDESC,
                     to));
    return finalize(operation);
}

static c3d_status add_operations(c3d_dnn_graph *g, const c3d_dnn_conv *conv)
{
    const recipe *r = &recipes[conv->kind];
    const int n_steps = n_steps_of(conv);
    descriptor result, from, to;

    C3D_TRY(add_role(g, conv, r->result, &result));
    from = result;
    if (n_steps > 0) C3D_TRY(add_between(g, conv, 0, &from));
    C3D_TRY(add_convolution(g, conv, from));
    for (int i = 0; i < n_steps; i++, from = to) {
        to = result;
        if (i + 1 < n_steps) C3D_TRY(add_between(g, conv, i + 1, &to));
        C3D_TRY(add_pointwise(g, conv, &r->steps[i], from, to));
    }
    return C3D_OK;
}

c3d_status c3d_dnn_graph_make(const c3d_dnn_conv *conv, cudnnHandle_t handle, c3d_dnn_graph *graph)
{
    *graph = (c3d_dnn_graph){ 0 };
    C3D_TRY(add_operations(graph, conv));
    C3D_CUDNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, &graph->whole));
    C3D_TRY(set(graph->whole, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                graph->n_operations, (const void *)graph->operations));
    if (handle)
        C3D_TRY(set(graph->whole, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1,
                    (const void *)&handle));
    return finalize(graph->whole);
}

void c3d_dnn_graph_free(c3d_dnn_graph *graph)
{
    if (graph->whole) (void)cudnnBackendDestroyDescriptor(graph->whole);
    while (graph->n_parts > 0) (void)cudnnBackendDestroyDescriptor(graph->parts[--graph->n_parts]);
    *graph = (c3d_dnn_graph){ 0 };
}
