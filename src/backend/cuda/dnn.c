#include "backend/cuda/dnn_graph.h"

#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKSPACE_MAX ((size_t)4 << 30)

struct c3d_dnn {
    c3d_dnn_options options;
    cudnnHandle_t handle;                 /* NULL without a device */
    cudnnBackendDescriptor_t device_prop; /* without one */
    char device[320];                     /* in the cache's keys */
    void *nvrtc;
};

struct c3d_dnn_plan {
    c3d_dnn_conv conv;
    c3d_dnn_graph graph;
    c3d_dnn_candidate chosen;
    char text[96];
};

/* cuDNN compiles fused engines with NVRTC, which it loads by name. Where the name is not found it
 * has fewer engines and does not say why; a library that is loaded already is always found. */
static void load_nvrtc(c3d_dnn *dnn)
{
    static bool is_said;
    char name[32];

    (void)snprintf(name, sizeof name, "libnvrtc.so.%d", CUDART_VERSION / 1000);
    dnn->nvrtc = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!dnn->nvrtc && !is_said)
        c3d_log_warn("%s is not on the library path: cuDNN has fewer ways to compute a convolution",
                     name);
    is_said = is_said || !dnn->nvrtc;
}

static c3d_status open_device(c3d_dnn *dnn)
{
    struct cudaDeviceProp properties;
    int device;
    const size_t version = cudnnGetVersion();

    if (version / 10000 != CUDNN_MAJOR)
        return C3D_FAIL(C3D_EUNSUPPORTED, "cuDNN %zu.%zu: this program was built for %d.%d",
                        version / 10000, version / 100 % 100, CUDNN_MAJOR, CUDNN_MINOR);
    if (cudaGetDevice(&device) != cudaSuccess ||
        cudaGetDeviceProperties(&properties, device) != cudaSuccess)
        return C3D_FAIL(C3D_EBACKEND, "cuDNN: no device: %s",
                        cudaGetErrorString(cudaGetLastError()));
    (void)snprintf(dnn->device, sizeof dnn->device, "cuDNN %zu, %s, sm %d.%d, %d", version,
                   properties.name, properties.major, properties.minor,
                   properties.multiProcessorCount);
    load_nvrtc(dnn);
    C3D_CUDNN(cudnnCreate(&dnn->handle));
    C3D_CUDNN(cudnnSetStream(dnn->handle, dnn->options.stream));
    return C3D_OK;
}

static c3d_status open_without_device(c3d_dnn *dnn)
{
    const char *json = dnn->options.device_json;

    dnn->options.autotune = false;
    C3D_CUDNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &dnn->device_prop));
    C3D_CUDNN(cudnnBackendSetAttribute(dnn->device_prop, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                       CUDNN_TYPE_CHAR, (int64_t)strlen(json), json));
    C3D_CUDNN(cudnnBackendFinalize(dnn->device_prop));
    return C3D_OK;
}

c3d_status c3d_dnn_open(const c3d_dnn_options *options, c3d_dnn **out)
{
    c3d_dnn *dnn = c3d_calloc(1, sizeof *dnn);

    if (!dnn) return C3D_ENOMEM;
    dnn->options = *options;
    if (dnn->options.workspace_max == 0) dnn->options.workspace_max = WORKSPACE_MAX;
    if (options->deterministic) dnn->options.autotune = false;
    const c3d_status st = options->device_json ? open_without_device(dnn) : open_device(dnn);
    if (st != C3D_OK) {
        c3d_dnn_close(dnn);
        return st;
    }
    *out = dnn;
    return C3D_OK;
}

void c3d_dnn_close(c3d_dnn *dnn)
{
    if (!dnn) return;
    if (dnn->device_prop) (void)cudnnBackendDestroyDescriptor(dnn->device_prop);
    if (dnn->handle) (void)cudnnDestroy(dnn->handle);
    if (dnn->nvrtc) (void)dlclose(dnn->nvrtc);
    free(dnn);
}

static void key_of(const c3d_dnn *dnn, const c3d_dnn_conv *conv, char out[640])
{
    char graph[256];

    c3d_dnn_conv_text(conv, graph);
    (void)snprintf(out, 640, "%s: %s, workspace to %zu", dnn->device, graph,
                   dnn->options.workspace_max);
}

static bool recall(const c3d_dnn *dnn, const c3d_dnn_search *search, c3d_dnn_plan *plan)
{
    c3d_dnn_choice choice;
    char key[640];

    if (!dnn->options.autotune || !dnn->options.cache_dir) return false;
    key_of(dnn, &plan->conv, key);
    if (!c3d_dnn_cache_read(dnn->options.cache_dir, key, &choice)) return false;
    if (c3d_dnn_engine_ready(search, &plan->graph, &choice, &plan->chosen) != C3D_OK) {
        c3d_log_rank("%s: a choice made earlier does not do: %s", dnn->options.cache_dir,
                     c3d_error_last()->message);
        return false;
    }
    (void)snprintf(plan->text, sizeof plan->text, "engine %lld, remembered",
                   (long long)choice.engine);
    return true;
}

static void choose(const c3d_dnn *dnn, c3d_dnn_plan *plan, c3d_dnn_candidates *found)
{
    const bool times = dnn->options.autotune && found->n > 1;
    const int best =
        times ? c3d_dnn_fastest(dnn->handle, dnn->options.stream, &plan->conv, found) : 0;
    const c3d_dnn_candidate *c = &found->list[best];
    const char *compiled = c->is_compiled ? " (compiled)" : "";
    char key[640];

    if (c->ms > 0)
        (void)snprintf(plan->text, sizeof plan->text, "engine %lld%s, %.3f ms, fastest of %d",
                       (long long)c->choice.engine, compiled, (double)c->ms, found->n);
    else
        (void)snprintf(plan->text, sizeof plan->text, "engine %lld%s, first of %d proposed",
                       (long long)c->choice.engine, compiled, found->n_proposed);
    if (c->ms > 0 && dnn->options.cache_dir) {
        key_of(dnn, &plan->conv, key);
        c3d_dnn_cache_write(dnn->options.cache_dir, key, &c->choice);
    }
    plan->chosen = *c;
    found->list[best] = (c3d_dnn_candidate){ 0 };
}

static c3d_status find(const c3d_dnn *dnn, const c3d_dnn_search *search, c3d_dnn_plan *plan)
{
    c3d_dnn_candidates found;
    char graph[256];
    c3d_status st = c3d_dnn_engines_find(search, &plan->graph, &found);

    if (st == C3D_OK && found.n == 0) {
        const c3d_error last = *c3d_error_last();
        c3d_dnn_conv_text(&plan->conv, graph);
        st = C3D_FAIL(C3D_EUNSUPPORTED, "cuDNN: no engine for %s: %.400s", graph, last.message);
    }
    if (st == C3D_OK) choose(dnn, plan, &found);
    c3d_dnn_candidates_free(&found);
    return st;
}

c3d_status c3d_dnn_plan_create(c3d_dnn *dnn, const c3d_dnn_conv *conv, c3d_dnn_plan **out)
{
    const c3d_dnn_search search = {
        .handle = dnn->handle,
        .device_prop = dnn->device_prop,
        .precision = conv->precision,
        .deterministic = dnn->options.deterministic,
        .workspace_max = dnn->options.workspace_max,
        .n_wanted = dnn->options.autotune ? C3D_DNN_CANDIDATES : 1,
    };
    c3d_dnn_plan *plan = c3d_calloc(1, sizeof *plan);

    if (!plan) return C3D_ENOMEM;
    plan->conv = *conv;
    c3d_status st = c3d_dnn_graph_make(conv, dnn->handle, &plan->graph);
    if (st == C3D_OK && !recall(dnn, &search, plan)) st = find(dnn, &search, plan);
    if (st != C3D_OK) {
        c3d_dnn_plan_free(plan);
        return st;
    }
    *out = plan;
    return C3D_OK;
}

void c3d_dnn_plan_free(c3d_dnn_plan *plan)
{
    if (!plan) return;
    c3d_dnn_candidate_free(&plan->chosen);
    c3d_dnn_graph_free(&plan->graph);
    free(plan);
}

size_t c3d_dnn_plan_workspace(const c3d_dnn_plan *plan)
{
    return plan->chosen.workspace;
}

const char *c3d_dnn_plan_text(const c3d_dnn_plan *plan, char out[96])
{
    (void)snprintf(out, 96, "%s", plan->text);
    return out;
}

c3d_status c3d_dnn_run(c3d_dnn *dnn, c3d_dnn_plan *plan, void *const *tensors, void *workspace)
{
    return c3d_dnn_execute(dnn->handle, &plan->conv, &plan->chosen, tensors, workspace);
}
