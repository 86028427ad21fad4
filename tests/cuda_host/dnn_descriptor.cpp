// cuDNN's descriptors: attributes in, attributes out; handles; errors.
#include "dnn.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace cuda_host
{

static auto &descriptors = *new std::map<void *, descriptor_pointer>;
static auto &handles = *new std::map<cudnnHandle_t, std::unique_ptr<cudnnContext>>;
static thread_local std::string last_words;

cudnnStatus_t dnn_fail(cudnnStatus_t status, const char *format, ...)
{
    char words[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    last_words = words;
    return status;
}

bool descriptor::has(int name) const
{
    return attributes.count(name) != 0;
}

int64_t descriptor::integer(int name, int64_t otherwise) const
{
    const auto values = integers(name);

    return values.empty() ? otherwise : values[0];
}

static size_t type_size(cudnnBackendAttributeType_t type)
{
    switch (type) {
    case CUDNN_TYPE_BOOLEAN:
    case CUDNN_TYPE_CHAR: return 1;
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_DOUBLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR: return 8;
    default: return 4;
    }
}

std::vector<int64_t> descriptor::integers(int name) const
{
    std::vector<int64_t> values;
    const auto found = attributes.find(name);

    if (found == attributes.end()) return values;
    const attribute &a = found->second;
    const size_t size = type_size(a.type);
    for (int64_t i = 0; i < a.count; i++) {
        const char *at = a.bytes.data() + (size_t)i * size;
        int64_t wide = 0;
        int32_t narrow = 0;

        memcpy(size == 4 ? (void *)&narrow : (void *)&wide, at, size);
        values.push_back(size == 4 ? narrow : wide);
    }
    return values;
}

double descriptor::real(int name, double otherwise) const
{
    const auto found = attributes.find(name);
    float single = 0;
    double value = 0;

    if (found == attributes.end() || found->second.count < 1) return otherwise;
    if (found->second.type == CUDNN_TYPE_DOUBLE)
        memcpy(&value, found->second.bytes.data(), sizeof value);
    else
        memcpy(&single, found->second.bytes.data(), sizeof single);
    return found->second.type == CUDNN_TYPE_DOUBLE ? value : (double)single;
}

std::vector<void *> descriptor::pointers(int name) const
{
    std::vector<void *> values;

    for (const int64_t value : integers(name)) values.push_back(reinterpret_cast<void *>(value));
    return values;
}

descriptor_pointer descriptor::inner(int name) const
{
    const auto found = attributes.find(name);

    if (found == attributes.end() || found->second.inside.empty()) return nullptr;
    return found->second.inside[0];
}

static descriptor_pointer known(cudnnBackendDescriptor_t handle)
{
    const auto found = descriptors.find(handle);

    if (found == descriptors.end()) fatal("cuDNN: a descriptor that was not made or is destroyed");
    return found->second;
}

// ---- which attributes there are -----------------------------------------------------------------

struct kind {
    cudnnBackendAttributeType_t type;
    int64_t most; // elements
};

static const std::map<int, kind> kinds = {
    { CUDNN_ATTR_POINTWISE_MODE, { CUDNN_TYPE_POINTWISE_MODE, 1 } },
    { CUDNN_ATTR_POINTWISE_MATH_PREC, { CUDNN_TYPE_DATA_TYPE, 1 } },
    { CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP, { CUDNN_TYPE_DOUBLE, 1 } },
    { CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, { CUDNN_TYPE_DOUBLE, 1 } },
    { CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP_SLOPE, { CUDNN_TYPE_DOUBLE, 1 } },
    { CUDNN_ATTR_CONVOLUTION_COMP_TYPE, { CUDNN_TYPE_DATA_TYPE, 1 } },
    { CUDNN_ATTR_CONVOLUTION_CONV_MODE, { CUDNN_TYPE_CONVOLUTION_MODE, 1 } },
    { CUDNN_ATTR_CONVOLUTION_DILATIONS, { CUDNN_TYPE_INT64, 6 } },
    { CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, { CUDNN_TYPE_INT64, 6 } },
    { CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, { CUDNN_TYPE_INT64, 6 } },
    { CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, { CUDNN_TYPE_INT64, 6 } },
    { CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, { CUDNN_TYPE_INT64, 1 } },
    { CUDNN_ATTR_ENGINEHEUR_MODE, { CUDNN_TYPE_HEUR_MODE, 1 } },
    { CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_ENGINEHEUR_SM_COUNT_TARGET, { CUDNN_TYPE_INT32, 1 } },
    { CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_ENGINECFG_ENGINE, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 64 } },
    { CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, { CUDNN_TYPE_KNOB_TYPE, 1 } },
    { CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, { CUDNN_TYPE_INT64, 1 } },
    { CUDNN_ATTR_EXECUTION_PLAN_HANDLE, { CUDNN_TYPE_HANDLE, 1 } },
    { CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, { CUDNN_TYPE_FLOAT, 1 } },
    { CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, { CUDNN_TYPE_FLOAT, 1 } },
    { CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, { CUDNN_TYPE_FLOAT, 1 } },
    { CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, { CUDNN_TYPE_FLOAT, 1 } },
    { CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, { CUDNN_TYPE_FLOAT, 1 } },
    { CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, { CUDNN_TYPE_FLOAT, 1 } },
    { CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_POINTWISE_XDESC, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_POINTWISE_BDESC, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_POINTWISE_YDESC, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_POINTWISE_DXDESC, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_POINTWISE_DYDESC, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_POINTWISE_ALPHA1, { CUDNN_TYPE_FLOAT, 1 } },
    { CUDNN_ATTR_OPERATION_POINTWISE_ALPHA2, { CUDNN_TYPE_FLOAT, 1 } },
    { CUDNN_ATTR_OPERATIONGRAPH_HANDLE, { CUDNN_TYPE_HANDLE, 1 } },
    { CUDNN_ATTR_OPERATIONGRAPH_OPS, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 50 } },
    { CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, { CUDNN_TYPE_INT64, 1 } },
    { CUDNN_ATTR_TENSOR_DATA_TYPE, { CUDNN_TYPE_DATA_TYPE, 1 } },
    { CUDNN_ATTR_TENSOR_DIMENSIONS, { CUDNN_TYPE_INT64, CUDNN_DIM_MAX } },
    { CUDNN_ATTR_TENSOR_STRIDES, { CUDNN_TYPE_INT64, CUDNN_DIM_MAX } },
    { CUDNN_ATTR_TENSOR_UNIQUE_ID, { CUDNN_TYPE_INT64, 1 } },
    { CUDNN_ATTR_TENSOR_IS_VIRTUAL, { CUDNN_TYPE_BOOLEAN, 1 } },
    { CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, { CUDNN_TYPE_INT64, 64 } },
    { CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, { CUDNN_TYPE_VOID_PTR, 64 } },
    { CUDNN_ATTR_VARIANT_PACK_WORKSPACE, { CUDNN_TYPE_VOID_PTR, 1 } },
    { CUDNN_ATTR_ENGINE_OPERATION_GRAPH, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_ENGINE_GLOBAL_INDEX, { CUDNN_TYPE_INT64, 1 } },
    { CUDNN_ATTR_ENGINE_SM_COUNT_TARGET, { CUDNN_TYPE_INT32, 1 } },
    { CUDNN_ATTR_ENGINE_DEVICEPROP, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_REDUCTION_OPERATOR, { CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, 1 } },
    { CUDNN_ATTR_REDUCTION_COMP_TYPE, { CUDNN_TYPE_DATA_TYPE, 1 } },
    { CUDNN_ATTR_REDUCTION_IS_DETERMINISTIC, { CUDNN_TYPE_BOOLEAN, 1 } },
    { CUDNN_ATTR_OPERATION_REDUCTION_XDESC, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_REDUCTION_YDESC, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_OPERATION_REDUCTION_DESC, { CUDNN_TYPE_BACKEND_DESCRIPTOR, 1 } },
    { CUDNN_ATTR_DEVICEPROP_DEVICE_ID, { CUDNN_TYPE_INT32, 1 } },
    { CUDNN_ATTR_DEVICEPROP_HANDLE, { CUDNN_TYPE_HANDLE, 1 } },
    { CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, { CUDNN_TYPE_CHAR, 1 << 20 } },
};

static cudnnStatus_t set(descriptor &d, int name, cudnnBackendAttributeType_t type, int64_t count,
                         const void *values)
{
    const auto found = kinds.find(name);

    if (d.finalized)
        return dnn_fail(CUDNN_STATUS_NOT_INITIALIZED, "attribute %d set after finalize", name);
    if (found == kinds.end())
        return dnn_fail(CUDNN_STATUS_BAD_PARAM, "attribute %d is not known here", name);
    if (found->second.type != type)
        return dnn_fail(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "attribute %d of type %d, not %d",
                        name, found->second.type, type);
    if (count < 1 || count > found->second.most || !values)
        return dnn_fail(CUDNN_STATUS_BAD_PARAM, "attribute %d of %lld elements", name,
                        (long long)count);
    attribute a = { type, count, {}, {} };
    if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
        for (int64_t i = 0; i < count; i++) {
            a.inside.push_back(known(static_cast<const cudnnBackendDescriptor_t *>(values)[i]));
            if (!a.inside.back()->finalized)
                return dnn_fail(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED,
                                "attribute %d: a descriptor that is not finalised", name);
        }
    } else {
        const char *from = static_cast<const char *>(values);
        a.bytes.assign(from, from + (size_t)count * type_size(type));
    }
    d.attributes[name] = a;
    return CUDNN_STATUS_SUCCESS;
}

// ---- what cuDNN answers -------------------------------------------------------------------------

static engine engine_of(const descriptor &d)
{
    const int64_t index = d.integer(CUDNN_ATTR_ENGINE_GLOBAL_INDEX);

    for (const engine &e : graph_engines(*d.inner(CUDNN_ATTR_ENGINE_OPERATION_GRAPH)))
        if (e.index == index) return e;
    fatal("cuDNN: engine %lld is none of this graph", (long long)index);
}

template <typename T> static attribute values(cudnnBackendAttributeType_t type, std::vector<T> list)
{
    const char *from = reinterpret_cast<const char *>(list.data());

    return {
        type, (int64_t)list.size(), std::vector<char>(from, from + list.size() * sizeof(T)), {}
    };
}

static descriptor_pointer make(cudnnBackendDescriptorType_t type)
{
    const auto made = std::make_shared<descriptor>();

    made->type = type;
    return made;
}

static attribute holding(std::vector<descriptor_pointer> inside)
{
    return { CUDNN_TYPE_BACKEND_DESCRIPTOR, (int64_t)inside.size(), {}, std::move(inside) };
}

static descriptor_pointer knob(cudnnBackendKnobType_t type, int64_t value)
{
    const auto d = make(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);

    d->attributes[CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE] =
        values(CUDNN_TYPE_KNOB_TYPE, std::vector<cudnnBackendKnobType_t>{ type });
    d->attributes[CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE] =
        values(CUDNN_TYPE_INT64, std::vector<int64_t>{ value });
    d->finalized = true;
    return d;
}

static attribute heuristics(const descriptor &d)
{
    const auto graph = d.inner(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
    const auto mode = (cudnnBackendHeurMode_t)d.integer(CUDNN_ATTR_ENGINEHEUR_MODE);
    std::vector<descriptor_pointer> found;

    for (const int64_t index : graph_heuristics(*graph, mode)) {
        const auto one = make(CUDNN_BACKEND_ENGINE_DESCRIPTOR);
        const auto configuration = make(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
        one->attributes[CUDNN_ATTR_ENGINE_OPERATION_GRAPH] = holding({ graph });
        one->attributes[CUDNN_ATTR_ENGINE_GLOBAL_INDEX] =
            values(CUDNN_TYPE_INT64, std::vector<int64_t>{ index });
        configuration->attributes[CUDNN_ATTR_ENGINECFG_ENGINE] = holding({ one });
        if (index == 1) // of two knobs
            configuration->attributes[CUDNN_ATTR_ENGINECFG_KNOB_CHOICES] =
                holding({ knob(CUDNN_KNOB_TYPE_TILE_SIZE, 3), knob(CUDNN_KNOB_TYPE_STAGES, 2) });
        one->finalized = configuration->finalized = true;
        found.push_back(configuration);
    }
    return holding(found);
}

static engine plan_engine(const descriptor &plan)
{
    return engine_of(
        *plan.inner(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)->inner(CUDNN_ATTR_ENGINECFG_ENGINE));
}

static attribute chars(const std::string &text)
{
    std::vector<char> with_end(text.c_str(), text.c_str() + text.size() + 1);

    return { CUDNN_TYPE_CHAR, (int64_t)with_end.size(), with_end, {} };
}

static bool answer(const descriptor &d, int name, attribute *out)
{
    switch (name) {
    case CUDNN_ATTR_ENGINEHEUR_RESULTS: *out = heuristics(d); return true;
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
        *out = values(CUDNN_TYPE_NUMERICAL_NOTE, engine_of(d).notes);
        return true;
    case CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE:
        *out = values(CUDNN_TYPE_BEHAVIOR_NOTE, engine_of(d).behavior);
        return true;
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
        *out = values(CUDNN_TYPE_INT64, std::vector<int64_t>{ plan_engine(d).n_workspace });
        return true;
    case CUDNN_ATTR_ENGINECFG_KNOB_CHOICES:
        *out = d.has(name) ? d.attributes.at(name)
                           : attribute{ CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, {}, {} };
        return true;
    case CUDNN_ATTR_OPERATIONGRAPH_ENGINE_GLOBAL_COUNT:
        *out = values(CUDNN_TYPE_INT64, std::vector<int64_t>{ (int64_t)graph_engines(d).size() });
        return true;
    case CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION:
        *out = chars("{\"deviceVer\":900,\"host\":true}");
        return true;
    default: return false;
    }
}

// Descriptors are given back by filling those that the caller has made.
static cudnnStatus_t give(const attribute &a, int64_t wanted, int64_t *count, void *to)
{
    const int64_t n = wanted < a.count ? wanted : a.count;

    if (count) *count = a.count;
    if (n == 0) return CUDNN_STATUS_SUCCESS;
    if (!to) return dnn_fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "nowhere to write");
    if (a.type != CUDNN_TYPE_BACKEND_DESCRIPTOR) {
        memcpy(to, a.bytes.data(), (size_t)n * type_size(a.type));
    } else {
        for (int64_t i = 0; i < n; i++) {
            const auto slot = known(static_cast<cudnnBackendDescriptor_t *>(to)[i]);
            if (slot->type != a.inside[(size_t)i]->type)
                return dnn_fail(CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE,
                                "descriptor %d cannot become one of type %d", slot->type,
                                a.inside[(size_t)i]->type);
            *slot = *a.inside[(size_t)i];
        }
    }
    if (count && a.type == CUDNN_TYPE_BACKEND_DESCRIPTOR) *count = n;
    return CUDNN_STATUS_SUCCESS;
}

// ---- execution
// -----------------------------------------------------------------------------------

static void scribble(void *workspace, int64_t n)
{
    if (n > 0) memset(workspace, 0xA5, (size_t)n);
}

static cudnnStatus_t execute(cudnnHandle_t handle, const descriptor &plan, const descriptor &pack)
{
    const engine chosen = plan_engine(plan);
    const auto graph = plan.inner(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)
                           ->inner(CUDNN_ATTR_ENGINECFG_ENGINE)
                           ->inner(CUDNN_ATTR_ENGINE_OPERATION_GRAPH);
    const auto uids = pack.integers(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
    const auto pointers = pack.pointers(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
    const auto workspaces = pack.pointers(CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
    void *const workspace = workspaces.empty() ? nullptr : workspaces[0];
    std::map<int64_t, void *> tensors;
    bool tf32 = false, luck = false;

    for (size_t i = 0; i < uids.size(); i++) tensors[uids[i]] = pointers[i];
    for (const auto note : chosen.notes) {
        tf32 |= note == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS;
        luck |= note == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
    }
    const int64_t n = chosen.n_workspace;
    if (n > 0 && !workspace)
        return dnn_fail(CUDNN_STATUS_BAD_PARAM_NULL_POINTER, "no workspace, %lld bytes wanted",
                        (long long)n);
    if ((uintptr_t)workspace % 16 != 0)
        return dnn_fail(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER, "workspace");
    enqueue(handle->stream, std::function<void()>([=] {
                if (n > 0 && !is_device(workspace, (size_t)n))
                    fatal("cuDNN: the workspace has not the plan's %lld bytes", (long long)n);
                scribble(workspace, n);
                graph_run(*graph, tensors, tf32, luck);
                scribble(workspace, n);
            }));
    return CUDNN_STATUS_SUCCESS;
}

} // namespace cuda_host

using namespace cuda_host;

extern "C" {

size_t cudnnGetVersion(void)
{
    return CUDNN_VERSION;
}

size_t cudnnGetMaxDeviceVersion(void)
{
    return 1200;
}

size_t cudnnGetCudartVersion(void)
{
    return CUDART_VERSION;
}

cudnnStatus_t cudnnGraphVersionCheck(void)
{
    return CUDNN_STATUS_SUCCESS;
}

const char *cudnnGetErrorString(cudnnStatus_t status)
{
    switch (CUDNN_STATUS_CATEGORY(status)) {
    case 0: return "CUDNN_STATUS_SUCCESS";
    case 1000: return "CUDNN_STATUS_NOT_INITIALIZED";
    case CUDNN_STATUS_BAD_PARAM: return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_NOT_SUPPORTED: return "CUDNN_STATUS_NOT_SUPPORTED";
    case CUDNN_STATUS_INTERNAL_ERROR: return "CUDNN_STATUS_INTERNAL_ERROR";
    default: return "CUDNN_STATUS_EXECUTION_FAILED";
    }
}

void cudnnGetLastErrorString(char *message, size_t max_size)
{
    snprintf(message, max_size, "%s", last_words.c_str());
    last_words.clear();
}

cudnnStatus_t cudnnCreate(cudnnHandle_t *out)
{
    const guard held(lock());

    *out = nullptr;
    if (planned_failure("cudnnCreate") || device_count() <= 0)
        return dnn_fail(CUDNN_STATUS_NOT_INITIALIZED, "no device");
    auto made = std::make_unique<cudnnContext>();
    made->stream = nullptr;
    *out = made.get();
    handles[*out] = std::move(made);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle)
{
    const guard held(lock());

    if (!handles.erase(handle)) fatal("cudnnDestroy: no such handle");
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    const guard held(lock());

    if (planned_failure("cudnnSetStream")) return dnn_fail(CUDNN_STATUS_BAD_PARAM, "planned");
    if (!handles.count(handle)) fatal("cudnnSetStream: no such handle");
    if (!stream_known(stream)) return dnn_fail(CUDNN_STATUS_BAD_PARAM, "no such stream");
    handle->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetStream(cudnnHandle_t handle, cudaStream_t *stream)
{
    *stream = handle->stream;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type,
                                           cudnnBackendDescriptor_t *out)
{
    const guard held(lock());

    *out = nullptr;
    if (planned_failure("cudnnBackendCreateDescriptor"))
        return dnn_fail(CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED, "planned");
    const auto made = make(type);
    *out = made.get();
    descriptors[*out] = made;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t handle)
{
    const guard held(lock());

    (void)known(handle);
    descriptors.erase(handle);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t handle)
{
    const guard held(lock());
    const auto d = known(handle);

    if (planned_failure("cudnnBackendFinalize"))
        return dnn_fail(CUDNN_STATUS_NOT_SUPPORTED, "planned");
    const cudnnStatus_t status = dnn_check(*d);
    d->finalized = status == CUDNN_STATUS_SUCCESS;
    return status;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t handle,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count,
                                       const void *elements)
{
    const guard held(lock());

    if (planned_failure("cudnnBackendSetAttribute"))
        return dnn_fail(CUDNN_STATUS_BAD_PARAM, "planned");
    return set(*known(handle), name, type, count, elements);
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t const handle,
                                       cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t wanted,
                                       int64_t *count, void *elements)
{
    const guard held(lock());
    const auto d = known(handle);
    attribute found;

    if (planned_failure("cudnnBackendGetAttribute"))
        return dnn_fail(CUDNN_STATUS_BAD_PARAM, "planned");
    if (!d->finalized)
        return dnn_fail(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "attribute %d of a descriptor", name);
    if (!answer(*d, name, &found)) {
        if (!d->has(name)) return dnn_fail(CUDNN_STATUS_BAD_PARAM, "no attribute %d here", name);
        found = d->attributes[name];
    }
    if (found.type != type)
        return dnn_fail(CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE, "attribute %d has type %d", name,
                        found.type);
    return give(found, wanted, count, elements);
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan_handle,
                                  cudnnBackendDescriptor_t pack_handle)
{
    const guard held(lock());
    const auto plan = known(plan_handle), pack = known(pack_handle);

    if (planned_failure("cudnnBackendExecute"))
        return dnn_fail(CUDNN_STATUS_EXECUTION_FAILED, "planned");
    if (!handles.count(handle)) fatal("cudnnBackendExecute: no such handle");
    if (!plan->finalized || !pack->finalized)
        return dnn_fail(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "plan or variant pack");
    return execute(handle, *plan, *pack);
}

} // extern "C"
