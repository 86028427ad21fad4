// What cuDNN checks when descriptors are finalised, which engines take a graph.
#include "dnn.h"

#include <algorithm>
#include <cstring>
#include <set>

namespace cuda_host
{

// ---- tensors
// -------------------------------------------------------------------------------------

static bool known_type(int64_t type, number *out)
{
    static const std::map<int64_t, number> types = {
        { CUDNN_DATA_FLOAT, number::f32 },
        { CUDNN_DATA_BFLOAT16, number::bf16 },
        { CUDNN_DATA_HALF, number::f16 },
    };
    const auto found = types.find(type);

    if (found != types.end()) *out = found->second;
    return found != types.end();
}

size_t tensor::count() const
{
    return (size_t)(dims[0] * dims[1] * dims[2] * dims[3] * dims[4]);
}

size_t tensor::n_bytes() const
{
    int64_t last = 0;

    for (int i = 0; i < 5; i++) last += (dims[i] - 1) * strides[i];
    return (size_t)(last + 1) * number_size(type);
}

tensor tensor_of(const descriptor &d)
{
    const auto dims = d.integers(CUDNN_ATTR_TENSOR_DIMENSIONS);
    const auto strides = d.integers(CUDNN_ATTR_TENSOR_STRIDES);
    tensor t = {};

    (void)known_type(d.integer(CUDNN_ATTR_TENSOR_DATA_TYPE), &t.type);
    t.uid = d.integer(CUDNN_ATTR_TENSOR_UNIQUE_ID);
    t.is_virtual = d.integer(CUDNN_ATTR_TENSOR_IS_VIRTUAL) != 0;
    t.alignment = d.integer(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 1);
    for (size_t i = 0; i < 5; i++) {
        const bool four = dims.size() == 4;
        t.dims[i] = four && i == 2 ? 1 : dims[four && i > 2 ? i - 1 : i];
        t.strides[i] = four && i == 2 ? 0 : strides[four && i > 2 ? i - 1 : i];
    }
    return t;
}

static cudnnStatus_t missing(const descriptor &d, std::initializer_list<int> names)
{
    for (const int name : names)
        if (!d.has(name))
            return dnn_fail(CUDNN_STATUS_BAD_PARAM, "descriptor %d: attribute %d is not set",
                            d.type, name);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t check_tensor(const descriptor &d)
{
    const auto dims = d.integers(CUDNN_ATTR_TENSOR_DIMENSIONS);
    const auto strides = d.integers(CUDNN_ATTR_TENSOR_STRIDES);
    const int64_t alignment = d.integer(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
    number type;

    if (dims.size() != strides.size() || dims.size() < 4 || dims.size() > 5)
        return dnn_fail(CUDNN_STATUS_NOT_SUPPORTED_SHAPE, "a tensor of %zu axes here", dims.size());
    for (size_t i = 0; i < dims.size(); i++)
        if (dims[i] < 1 || strides[i] < 1)
            return dnn_fail(CUDNN_STATUS_BAD_PARAM, "axis %zu: extent %lld, stride %lld", i,
                            (long long)dims[i], (long long)strides[i]);
    if (alignment < 1 || (alignment & (alignment - 1)) != 0)
        return dnn_fail(CUDNN_STATUS_BAD_PARAM, "alignment %lld", (long long)alignment);
    if (!known_type(d.integer(CUDNN_ATTR_TENSOR_DATA_TYPE), &type))
        return dnn_fail(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE, "data type %lld here",
                        (long long)d.integer(CUDNN_ATTR_TENSOR_DATA_TYPE));
    return CUDNN_STATUS_SUCCESS;
}

// ---- operations
// ----------------------------------------------------------------------------------

static cudnnStatus_t check_convolution(const descriptor &d)
{
    const size_t n = (size_t)d.integer(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS);
    static const int arrays[] = { CUDNN_ATTR_CONVOLUTION_DILATIONS,
                                  CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES,
                                  CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS,
                                  CUDNN_ATTR_CONVOLUTION_POST_PADDINGS };

    for (const int name : arrays)
        if (d.integers(name).size() != n)
            return dnn_fail(CUDNN_STATUS_BAD_PARAM, "attribute %d has not %zu elements", name, n);
    for (const int64_t dilation : d.integers(CUDNN_ATTR_CONVOLUTION_DILATIONS))
        if (dilation != 1) return dnn_fail(CUDNN_STATUS_NOT_SUPPORTED, "dilation here");
    if (d.integer(CUDNN_ATTR_CONVOLUTION_CONV_MODE) != CUDNN_CROSS_CORRELATION)
        return dnn_fail(CUDNN_STATUS_NOT_SUPPORTED, "a convolution that flips, here");
    if (d.integer(CUDNN_ATTR_CONVOLUTION_COMP_TYPE) != CUDNN_DATA_FLOAT)
        return dnn_fail(CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE, "only float is computed in");
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t check_shapes(const descriptor &op, int conv_name, int x_name, int w_name,
                                  int y_name)
{
    const auto conv = op.inner(conv_name);
    const tensor x = tensor_of(*op.inner(x_name)), w = tensor_of(*op.inner(w_name)),
                 y = tensor_of(*op.inner(y_name));
    const auto stride = conv->integers(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES);
    const auto before = conv->integers(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
    const auto after = conv->integers(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS);
    const size_t n_axes = op.inner(x_name)->integers(CUDNN_ATTR_TENSOR_DIMENSIONS).size();

    if (stride.size() + 2 != n_axes)
        return dnn_fail(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "%zu spatial axes for %zu",
                        stride.size(), n_axes);
    if (x.dims[0] != y.dims[0] || x.dims[1] != w.dims[1] || w.dims[0] != y.dims[1])
        return dnn_fail(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "batch or channels differ");
    for (size_t i = 0; i < stride.size(); i++) {
        const size_t axis = 5 - stride.size() + i;
        const int64_t room = x.dims[axis] + before[i] + after[i] - w.dims[axis];
        if (room < 0 || room / stride[i] + 1 != y.dims[axis])
            return dnn_fail(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH,
                            "axis %zu: %lld gives %lld, not %lld", axis, (long long)x.dims[axis],
                            (long long)(room / stride[i] + 1), (long long)y.dims[axis]);
    }
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t check_pointwise(const descriptor &op)
{
    const auto mode =
        op.inner(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR)->integer(CUDNN_ATTR_POINTWISE_MODE);
    static const std::set<int64_t> two = { CUDNN_POINTWISE_ADD, CUDNN_POINTWISE_MUL };
    static const std::set<int64_t> one = { CUDNN_POINTWISE_RELU_FWD, CUDNN_POINTWISE_IDENTITY };

    if (mode == CUDNN_POINTWISE_RELU_BWD)
        return missing(op, { CUDNN_ATTR_OPERATION_POINTWISE_XDESC,
                             CUDNN_ATTR_OPERATION_POINTWISE_DYDESC,
                             CUDNN_ATTR_OPERATION_POINTWISE_DXDESC });
    if (!two.count(mode) && !one.count(mode))
        return dnn_fail(CUDNN_STATUS_NOT_SUPPORTED, "pointwise mode %lld here", (long long)mode);
    const cudnnStatus_t status =
        missing(op, { CUDNN_ATTR_OPERATION_POINTWISE_XDESC, CUDNN_ATTR_OPERATION_POINTWISE_YDESC });
    if (status != CUDNN_STATUS_SUCCESS || one.count(mode)) return status;
    if (missing(op, { CUDNN_ATTR_OPERATION_POINTWISE_BDESC }) != CUDNN_STATUS_SUCCESS)
        return CUDNN_STATUS_BAD_PARAM;
    const tensor x = tensor_of(*op.inner(CUDNN_ATTR_OPERATION_POINTWISE_XDESC)),
                 b = tensor_of(*op.inner(CUDNN_ATTR_OPERATION_POINTWISE_BDESC));
    for (int i = 0; i < 5; i++)
        if (b.dims[i] != x.dims[i] && b.dims[i] != 1)
            return dnn_fail(CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH, "axis %d is not broadcast", i);
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t check_plan(const descriptor &d)
{
    const auto one =
        d.inner(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)->inner(CUDNN_ATTR_ENGINECFG_ENGINE);
    const auto graph = one->inner(CUDNN_ATTR_ENGINE_OPERATION_GRAPH);
    pattern unused;
    const cudnnStatus_t status = graph_check(*graph, &unused);

    if (status != CUDNN_STATUS_SUCCESS) return status;
    if (!d.has(CUDNN_ATTR_EXECUTION_PLAN_HANDLE) && !d.has(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP))
        return dnn_fail(CUDNN_STATUS_BAD_PARAM, "a plan without a handle");
    for (const engine &e : graph_engines(*graph))
        if (e.index == one->integer(CUDNN_ATTR_ENGINE_GLOBAL_INDEX) && e.finalizes)
            return CUDNN_STATUS_SUCCESS;
    return dnn_fail(CUDNN_STATUS_NOT_SUPPORTED, "engine %lld does not take this graph",
                    (long long)one->integer(CUDNN_ATTR_ENGINE_GLOBAL_INDEX));
}

static cudnnStatus_t check_engine(const descriptor &d)
{
    const int64_t index = d.integer(CUDNN_ATTR_ENGINE_GLOBAL_INDEX);

    for (const engine &e : graph_engines(*d.inner(CUDNN_ATTR_ENGINE_OPERATION_GRAPH)))
        if (e.index == index) return CUDNN_STATUS_SUCCESS;
    return dnn_fail(CUDNN_STATUS_NOT_SUPPORTED, "no engine %lld", (long long)index);
}

static cudnnStatus_t check_pack(const descriptor &d)
{
    const auto uids = d.integers(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);

    if (uids.size() != d.integers(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS).size())
        return dnn_fail(CUDNN_STATUS_BAD_PARAM, "as many pointers as numbers are wanted");
    if (std::set<int64_t>(uids.begin(), uids.end()).size() != uids.size())
        return dnn_fail(CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES, "unique numbers");
    return CUDNN_STATUS_SUCCESS;
}

using names = std::vector<int>;

// What must be set; for convolutions conv, x, w, y in this order.
static names required(cudnnBackendDescriptorType_t type)
{
    switch (type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
        return { CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_ATTR_TENSOR_DIMENSIONS,
                 CUDNN_ATTR_TENSOR_STRIDES, CUDNN_ATTR_TENSOR_UNIQUE_ID,
                 CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT };
    case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR:
        return { CUDNN_ATTR_CONVOLUTION_COMP_TYPE,      CUDNN_ATTR_CONVOLUTION_CONV_MODE,
                 CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS,   CUDNN_ATTR_CONVOLUTION_DILATIONS,
                 CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS,
                 CUDNN_ATTR_CONVOLUTION_POST_PADDINGS };
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
        return { CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y };
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
        return { CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY };
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
        return { CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                 CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY };
    case CUDNN_BACKEND_POINTWISE_DESCRIPTOR:
        return { CUDNN_ATTR_POINTWISE_MODE, CUDNN_ATTR_POINTWISE_MATH_PREC };
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
        return { CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR };
    case CUDNN_BACKEND_REDUCTION_DESCRIPTOR:
        return { CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_ATTR_REDUCTION_COMP_TYPE };
    case CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR:
        return { CUDNN_ATTR_OPERATION_REDUCTION_DESC, CUDNN_ATTR_OPERATION_REDUCTION_XDESC,
                 CUDNN_ATTR_OPERATION_REDUCTION_YDESC };
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR: return { CUDNN_ATTR_OPERATIONGRAPH_OPS };
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
        return { CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_ATTR_ENGINEHEUR_MODE };
    case CUDNN_BACKEND_ENGINE_DESCRIPTOR:
        return { CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_ATTR_ENGINE_GLOBAL_INDEX };
    case CUDNN_BACKEND_ENGINECFG_DESCRIPTOR: return { CUDNN_ATTR_ENGINECFG_ENGINE };
    case CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR:
        return { CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE };
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
        return { CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG };
    case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR:
        return { CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS };
    default: return {};
    }
}

cudnnStatus_t dnn_check(descriptor &d)
{
    const names must = required(d.type);

    for (const int name : must) {
        const cudnnStatus_t status = missing(d, { name });
        if (status != CUDNN_STATUS_SUCCESS) return status;
    }
    switch (d.type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR: return check_tensor(d);
    case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR: return check_convolution(d);
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
        return check_shapes(d, must[0], must[1], must[2], must[3]);
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR: return check_pointwise(d);
    case CUDNN_BACKEND_REDUCTION_DESCRIPTOR:
        if (d.integer(CUDNN_ATTR_REDUCTION_OPERATOR) == CUDNN_REDUCE_TENSOR_ADD)
            return CUDNN_STATUS_SUCCESS;
        return dnn_fail(CUDNN_STATUS_NOT_SUPPORTED, "only sums here");
    case CUDNN_BACKEND_ENGINE_DESCRIPTOR: return check_engine(d);
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR: return check_plan(d);
    case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR: return check_pack(d);
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR: {
        pattern unused;
        return graph_check(*d.inner(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH), &unused);
    }
    default: return CUDNN_STATUS_SUCCESS;
    }
}

// ---- graphs and engines -------------------------------------------------------------------------

static std::vector<descriptor_pointer> operations(const descriptor &graph)
{
    return graph.attributes.at(CUDNN_ATTR_OPERATIONGRAPH_OPS).inside;
}

static std::vector<tensor> tensors_of(const descriptor &op)
{
    std::vector<tensor> all;

    for (const auto &entry : op.attributes)
        for (const auto &inner : entry.second.inside)
            if (inner->type == CUDNN_BACKEND_TENSOR_DESCRIPTOR) all.push_back(tensor_of(*inner));
    return all;
}

static bool is_low(number type)
{
    return type == number::bf16 || type == number::f16;
}

// Refused patterns, told by C3D_CUDA_HOST_CUDNN_REFUSES: names with commas between.
static bool refused(const char *what)
{
    static const char *const list = setting("C3D_CUDA_HOST_CUDNN_REFUSES");

    return list && strstr(list, what);
}

static cudnnStatus_t unsupported(const char *why)
{
    return dnn_fail(CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN, "no engine: %s", why);
}

static cudnnStatus_t check_low(const descriptor &graph)
{
    for (const auto &op : operations(graph))
        for (const tensor &t : tensors_of(*op)) {
            if (t.n_bytes() > (size_t)1 << 31) return unsupported("a tensor beyond 2^31 bytes");
            if (is_low(t.type) && t.dims[1] % 8 != 0 && t.count() > 1)
                return unsupported("16 bits and channels that are no multiple of 8");
        }
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t check_epilogue(const descriptor &graph, pattern kind)
{
    const auto ops = operations(graph);
    const size_t n = ops.size();

    if (kind == pattern::forward && n > 1 && refused("forward-epilogue"))
        return unsupported("forward with an epilogue");
    if (kind == pattern::backward_x && n > 1 && refused("backward-x-epilogue"))
        return unsupported("data gradient with an epilogue");
    if (kind != pattern::backward_w) return CUDNN_STATUS_SUCCESS;
    const tensor dw = tensor_of(*ops[0]->inner(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW));
    const tensor x = tensor_of(*ops[0]->inner(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X));
    if (is_low(x.type) && !dw.is_virtual && dw.type == number::f32)
        return unsupported("float32 weight gradient of 16 bits without an epilogue");
    if (is_low(x.type) && n > 1 && refused("backward-w-float"))
        return unsupported("float32 weight gradient of 16 bits");
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t graph_check(const descriptor &graph, pattern *out)
{
    const auto ops = operations(graph);
    static const std::map<int, pattern> first = {
        { CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, pattern::forward },
        { CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, pattern::backward_x },
        { CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, pattern::backward_w },
        { CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, pattern::pointwise },
        { CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR, pattern::pointwise },
    };
    const auto found = first.find(ops[0]->type);

    *out = pattern::none;
    if (found == first.end()) return unsupported("the first operation");
    for (size_t i = 1; i < ops.size(); i++) {
        const auto at = first.find(ops[i]->type);
        if (at == first.end() || at->second != pattern::pointwise)
            return unsupported("a convolution behind another operation");
    }
    *out = found->second;
    const cudnnStatus_t status = check_low(graph);
    return status != CUDNN_STATUS_SUCCESS ? status : check_epilogue(graph, *out);
}

static bool takes_low(const descriptor &graph)
{
    for (const tensor &t : tensors_of(*operations(graph)[0]))
        if (is_low(t.type)) return true;
    return false;
}

std::vector<engine> graph_engines(const descriptor &graph)
{
    const bool low = takes_low(graph);
    const std::vector<cudnnBackendNumericalNote_t> cores =
        low ? std::vector<cudnnBackendNumericalNote_t>{ CUDNN_NUMERICAL_NOTE_TENSOR_CORE }
            : std::vector<cudnnBackendNumericalNote_t>{ CUDNN_NUMERICAL_NOTE_TENSOR_CORE,
                                                        CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS };
    auto loose = low ? cores : std::vector<cudnnBackendNumericalNote_t>();
    const auto plain = loose;

    loose.push_back(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC);
    return { { 0, plain, {}, 512, true },
             { 1, cores, {}, 4096, true },
             { 2, loose, { CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION }, 65536, true },
             { 7, plain, {}, 0, false } };
}

std::vector<int64_t> graph_heuristics(const descriptor &graph, cudnnBackendHeurMode_t mode)
{
    pattern kind;

    if (graph_check(graph, &kind) != CUDNN_STATUS_SUCCESS) return {};
    const bool sums = kind == pattern::backward_x || kind == pattern::backward_w;
    if (mode == CUDNN_HEUR_MODE_FALLBACK) return { 0 };
    if (mode == CUDNN_HEUR_MODE_B) return { 1, 7, 0 };
    return sums ? std::vector<int64_t>{ 7, 2, 1, 0 } : std::vector<int64_t>{ 7, 1, 0 };
}

} // namespace cuda_host
