/* What manuals leave open, asked of the GPU that is here (tests/gpu/run.sh questions).
 *   gpu_questions device       its properties as cuDNN sees them, JSON; also into device.json
 *   gpu_questions plans        every engine for c3d's convolutions in bf16, timed
 *   gpu_questions gradients    gradients of weights in bf16 against float32: time, difference
 *   gpu_questions bias         bias and ReLU fused (bf16 bias) against float32 bias: difference
 *   gpu_questions tf32         tf32 against fp32, all directions: difference
 * A second argument "tiny" takes a network for the stand-ins of tests/cuda_host.
 * gradients, bias and tf32 end with 1 when a difference is larger than rounding explains. */
#include "backend/cuda/dnn_graph.h"
#include "c3d/nn.h"

#include <cuda_runtime_api.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUDA(call)                                                                                 \
    do {                                                                                           \
        const cudaError_t e = (call);                                                              \
        if (e != cudaSuccess)                                                                      \
            return C3D_FAIL(C3D_EBACKEND, "%s: %s", #call, cudaGetErrorString(e));                 \
    } while (0)

/* ---- c3d as trained: its different convolutions -----------------------------------------------
 */

static int rounded(int channels)
{
    return (channels + 7) / 8 * 8;
}

typedef c3d_status (*visit)(const char *name, const c3d_dnn_conv *forward, void *context);

static bool is_tiny;

static c3d_status each_conv(int n, c3d_precision precision, visit f, void *context)
{
    const c3d_model_desc desc = { .network = "c3d",
                                  .x = { .n = is_tiny ? 2 : n,
                                         .c = 4,
                                         .d = is_tiny ? 4 : 16,
                                         .h = is_tiny ? 16 : 112,
                                         .w = is_tiny ? 16 : 112 },
                                  .width = is_tiny ? 8 : 64,
                                  .fc = 4096,
                                  .outputs = 1,
                                  .pool5_padding = true,
                                  .training = true };
    c3d_shape_table table;
    c3d_shape before = { 0 };

    C3D_TRY(c3d_shape_table_make(&desc, &table));
    for (int i = 0; i < table.n_layers; i++) {
        const c3d_layer_info *layer = &table.layers[i];
        if (layer->op.op != C3D_OP_CONV) continue;
        if (!memcmp(&before, &layer->x, sizeof before)) continue; /* 5b is 5a once more */
        before = layer->x;
        c3d_dnn_conv conv = { .precision = precision, .x = layer->x, .y = layer->y };
        conv.x.c = rounded(conv.x.c);
        conv.y.c = rounded(conv.y.c);
        memcpy(conv.kernel, layer->op.kernel, sizeof conv.kernel);
        memcpy(conv.stride, layer->op.stride, sizeof conv.stride);
        memcpy(conv.pad_before, layer->op.pad_before, sizeof conv.pad_before);
        memcpy(conv.pad_after, layer->op.pad_after, sizeof conv.pad_after);
        C3D_TRY(f(layer->name, &conv, context));
    }
    return C3D_OK;
}

/* ---- device and plans -------------------------------------------------------------------------
 */

static c3d_status write_device(cudnnBackendDescriptor_t device)
{
    static char json[65536];
    const int32_t number = 0;
    int64_t n = 0;

    C3D_CUDNN(cudnnBackendSetAttribute(device, CUDNN_ATTR_DEVICEPROP_DEVICE_ID, CUDNN_TYPE_INT32, 1,
                                       &number));
    C3D_CUDNN(cudnnBackendFinalize(device));
    C3D_CUDNN(cudnnBackendGetAttribute(device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                       CUDNN_TYPE_CHAR, (int64_t)sizeof json - 1, &n, json));
    printf("%s\n", json);
    FILE *file = fopen("device.json", "w");
    if (!file) return C3D_FAIL(C3D_EIO, "device.json: cannot be written");
    const bool ok = fputs(json, file) >= 0;
    return fclose(file) == 0 && ok ? C3D_OK : C3D_FAIL(C3D_EIO, "device.json: cannot be written");
}

static c3d_status ask_device(void)
{
    cudnnBackendDescriptor_t device;

    C3D_CUDNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &device));
    const c3d_status st = write_device(device);
    (void)cudnnBackendDestroyDescriptor(device);
    return st;
}

typedef struct asking {
    cudnnHandle_t handle;
    cudaStream_t stream;
} asking;

static double gflop(const c3d_dnn_conv *c)
{
    const double taps = (double)c->kernel[0] * c->kernel[1] * c->kernel[2] * c->x.c;

    return 2e-9 * taps * (double)c3d_shape_count(c->y);
}

static c3d_status list_engines(const asking *a, const char *name, const c3d_dnn_conv *conv)
{
    const c3d_dnn_search search = { .handle = a->handle,
                                    .precision = conv->precision,
                                    .workspace_max = (size_t)4 << 30,
                                    .n_wanted = C3D_DNN_CANDIDATES };
    c3d_dnn_graph graph = { 0 };
    c3d_dnn_candidates found = { 0 };
    const double start = c3d_now_s();

    c3d_status st = c3d_dnn_graph_make(conv, a->handle, &graph);
    if (st == C3D_OK) st = c3d_dnn_engines_find(&search, &graph, &found);
    const double seconds = c3d_now_s() - start;
    if (st == C3D_OK && found.n > 0) (void)c3d_dnn_fastest(a->handle, a->stream, conv, &found);
    printf("%-7s %-18s %2d plans, %.2f s:", name, c3d_dnn_kind_name(conv->kind), found.n, seconds);
    for (int i = 0; i < found.n; i++) {
        const c3d_dnn_candidate *c = &found.list[i];
        printf(" %lld%s %.3f ms %.0f TFLOP/s %zu MiB;", (long long)c->choice.engine,
               c->is_compiled ? "c" : "", (double)c->ms,
               c->ms > 0 ? gflop(conv) / (double)c->ms : 0.0, c->workspace >> 20);
    }
    printf("%s\n", found.n == 0 ? c3d_error_last()->message : "");
    (void)fflush(stdout);
    c3d_dnn_candidates_free(&found);
    c3d_dnn_graph_free(&graph);
    return st == C3D_EUNSUPPORTED ? C3D_OK : st;
}

static c3d_status list_conv(const char *name, const c3d_dnn_conv *forward, void *context)
{
    for (int kind = 0; kind < C3D_DNN_KINDS; kind++) {
        c3d_dnn_conv conv = *forward;
        conv.kind = (c3d_dnn_kind)kind;
        C3D_TRY(list_engines(context, name, &conv));
    }
    return C3D_OK;
}

static c3d_status ask_plans(void)
{
    asking a = { 0 };

    CUDA(cudaStreamCreate(&a.stream));
    C3D_CUDNN(cudnnCreate(&a.handle));
    C3D_CUDNN(cudnnSetStream(a.handle, a.stream));
    const c3d_status st = each_conv(64, C3D_PRECISION_BF16, list_conv, &a);
    (void)cudnnDestroy(a.handle);
    (void)cudaStreamDestroy(a.stream);
    return st;
}

/* ---- one convolution in two ways --------------------------------------------------------------
 */

typedef struct tensors {
    float *host[C3D_DNN_ROLES]; /* what is put in, rounded to bf16 so that every precision has it */
    void *device[C3D_DNN_ROLES];
    void *workspace;
} tensors;

static bool is_low(const c3d_dnn_conv *conv, c3d_dnn_role role)
{
    return conv->precision == C3D_PRECISION_BF16 &&
           !(conv->kind == C3D_DNN_BACKWARD_W && role == C3D_DNN_DW);
}

static float rounded_bf16(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000U;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static size_t count_of(const c3d_dnn_conv *conv, c3d_dnn_role role)
{
    return c3d_dnn_tensor_bytes(conv, role) / (is_low(conv, role) ? 2 : 4);
}

static c3d_status put(const c3d_dnn_conv *conv, c3d_dnn_role role, tensors *t)
{
    const size_t n = count_of(conv, role), n_bytes = c3d_dnn_tensor_bytes(conv, role);
    const double scale = role == C3D_DNN_W ? 0.02 : 1; /* so that sums are of the size of biases */
    float *x = c3d_calloc(n, sizeof *x);
    uint16_t *low = c3d_calloc(n, sizeof *low);
    c3d_status st = x && low ? C3D_OK : C3D_ENOMEM;

    for (size_t i = 0; st == C3D_OK && i < n; i++) {
        x[i] = rounded_bf16((float)(scale * c3d_random_normal(7, (uint64_t)role, i)));
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        low[i] = (uint16_t)(bits >> 16);
    }
    t->host[role] = x;
    if (st == C3D_OK && (cudaMalloc(&t->device[role], n_bytes) != cudaSuccess ||
                         cudaMemcpy(t->device[role], is_low(conv, role) ? (void *)low : (void *)x,
                                    n_bytes, cudaMemcpyHostToDevice) != cudaSuccess))
        st = C3D_FAIL(C3D_ENOMEM, "%zu bytes on the device", n_bytes);
    free(low);
    return st;
}

static c3d_status get(const c3d_dnn_conv *conv, c3d_dnn_role role, const tensors *t, float *out)
{
    const size_t n = count_of(conv, role);

    CUDA(
        cudaMemcpy(out, t->device[role], c3d_dnn_tensor_bytes(conv, role), cudaMemcpyDeviceToHost));
    if (is_low(conv, role)) { /* from the back: the shorter elements lie in front */
        const uint16_t *low = (const uint16_t *)(void *)out;
        for (size_t i = n; i-- > 0;) {
            const uint32_t bits = (uint32_t)low[i] << 16;
            float x;
            memcpy(&x, &bits, sizeof x);
            out[i] = x;
        }
    }
    return C3D_OK;
}

static void clear(tensors *t)
{
    for (int role = 0; role < C3D_DNN_ROLES; role++) {
        free(t->host[role]);
        (void)cudaFree(t->device[role]);
    }
    (void)cudaFree(t->workspace);
}

static c3d_dnn_role result_of(c3d_dnn_kind kind)
{
    if (kind == C3D_DNN_BACKWARD_W || kind == C3D_DNN_BACKWARD_W_LOW) return C3D_DNN_DW;
    return kind == C3D_DNN_BACKWARD_X || kind == C3D_DNN_BACKWARD_X_RELU ? C3D_DNN_DX : C3D_DNN_Y;
}

static c3d_status time_runs(c3d_dnn *dnn, c3d_dnn_plan *plan, tensors *t, double *ms)
{
    if (c3d_dnn_plan_workspace(plan) > 0)
        CUDA(cudaMalloc(&t->workspace, c3d_dnn_plan_workspace(plan)));
    C3D_TRY(c3d_dnn_run(dnn, plan, t->device, t->workspace));
    CUDA(cudaDeviceSynchronize());
    const double start = c3d_now_s();
    for (int i = 0; i < 5; i++) C3D_TRY(c3d_dnn_run(dnn, plan, t->device, t->workspace));
    CUDA(cudaDeviceSynchronize());
    *ms = 1e3 * (c3d_now_s() - start) / 5;
    return C3D_OK;
}

/* The result of a convolution of numbers that are the same in every precision; given, free(). Its
 * bias, if it has one, into *bias. */
static c3d_status compute(c3d_dnn *dnn, const c3d_dnn_conv *conv, float **out, float **bias,
                          double *ms)
{
    c3d_dnn_plan *plan = NULL;
    tensors t = { 0 };
    const c3d_dnn_role result = result_of(conv->kind);
    c3d_status st = c3d_dnn_plan_create(dnn, conv, &plan);

    for (int role = 0; st == C3D_OK && role < C3D_DNN_ROLES; role++)
        if (c3d_dnn_tensor_bytes(conv, (c3d_dnn_role)role) > 0)
            st = put(conv, (c3d_dnn_role)role, &t);
    if (st == C3D_OK) st = time_runs(dnn, plan, &t, ms);
    *out = st == C3D_OK ? c3d_calloc(count_of(conv, result), sizeof(float)) : NULL;
    if (st == C3D_OK) st = *out ? get(conv, result, &t, *out) : C3D_ENOMEM;
    if (bias) {
        *bias = t.host[C3D_DNN_B];
        t.host[C3D_DNN_B] = NULL;
    }
    clear(&t);
    c3d_dnn_plan_free(plan);
    return st;
}

/* |a - b| over |b|, both as vectors. */
static double difference(const float *a, const float *b, size_t n)
{
    double d = 0, norm = 0;

    for (size_t i = 0; i < n; i++) {
        const double x = (double)a[i], y = (double)b[i];
        d += (x - y) * (x - y);
        norm += y * y;
    }
    return sqrt(d / norm);
}

typedef struct comparison {
    c3d_dnn *dnn;
    c3d_dnn_kind kind, other_kind;
    c3d_precision other_precision;
    double bound;  /* of the difference */
    bool add_bias; /* the other way has none: added here in float32, then ReLU */
    int n_bad;
} comparison;

static void bias_relu(float *y, const float *bias, size_t n, int channels)
{
    for (size_t i = 0; i < n; i++) {
        const float sum = y[i] + bias[i % (size_t)channels];
        y[i] = sum > 0 ? sum : 0;
    }
}

static c3d_status compare_conv(const char *name, const c3d_dnn_conv *forward, void *context)
{
    comparison *c = context;
    c3d_dnn_conv one = *forward, other = *forward;
    float *a = NULL, *b = NULL, *bias = NULL;
    double a_ms = 0, b_ms = 0;

    one.kind = c->kind;
    other.kind = c->other_kind;
    other.precision = c->other_precision;
    c3d_status st = compute(c->dnn, &one, &a, &bias, &a_ms);
    if (st == C3D_OK) st = compute(c->dnn, &other, &b, NULL, &b_ms);
    if (st == C3D_OK) {
        const size_t n = count_of(&one, result_of(one.kind));
        if (c->add_bias) bias_relu(b, bias, n, one.y.c);
        const double d = difference(a, b, n);
        const bool bad = !(d <= c->bound);
        printf("%-7s %s %s %.3f ms, %s %s %.3f ms, difference %.2e%s\n", name,
               c3d_dnn_kind_name(one.kind), c3d_precision_name(one.precision), a_ms,
               c3d_dnn_kind_name(other.kind), c3d_precision_name(other.precision), b_ms, d,
               bad ? " TOO LARGE" : "");
        c->n_bad += bad;
    } else if (st == C3D_EUNSUPPORTED) {
        printf("%-7s %s: %s\n", name, c3d_dnn_kind_name(c->kind), c3d_error_last()->message);
        st = C3D_OK;
    }
    (void)fflush(stdout);
    free(a);
    free(b);
    free(bias);
    return st;
}

static c3d_status compare(c3d_precision precision, int n, comparison *c, int *n_bad)
{
    C3D_TRY(c3d_dnn_open(&(c3d_dnn_options){ 0 }, &c->dnn));
    const c3d_status st = each_conv(n, precision, compare_conv, c);
    c3d_dnn_close(c->dnn);
    *n_bad += c->n_bad;
    return st;
}

/* Differences: of two bf16 results rounded once, at most one rounding each, 2^-9 of an element in
 * root mean square or less; of tf32, inputs that bf16 has exactly are exact in tf32 too, so that
 * only the order of the float32 sums differs. */
static c3d_status ask_gradients(int *n_bad)
{
    comparison c = { .kind = C3D_DNN_BACKWARD_W_LOW,
                     .other_kind = C3D_DNN_BACKWARD_W,
                     .other_precision = C3D_PRECISION_BF16,
                     .bound = 0x1p-8 };
    return compare(C3D_PRECISION_BF16, 4, &c, n_bad);
}

static c3d_status ask_bias(int *n_bad)
{
    comparison c = { .kind = C3D_DNN_FORWARD_BIAS_RELU,
                     .other_kind = C3D_DNN_FORWARD,
                     .other_precision = C3D_PRECISION_BF16,
                     .add_bias = true,
                     .bound = 0x1p-7 };
    return compare(C3D_PRECISION_BF16, 4, &c, n_bad);
}

static c3d_status ask_tf32(int *n_bad)
{
    static const c3d_dnn_kind kinds[] = { C3D_DNN_FORWARD, C3D_DNN_BACKWARD_X, C3D_DNN_BACKWARD_W };

    for (size_t i = 0; i < C3D_COUNT(kinds); i++) {
        comparison c = { .kind = kinds[i],
                         .other_kind = kinds[i],
                         .other_precision = C3D_PRECISION_FP32,
                         .bound = 1e-3 };
        C3D_TRY(compare(C3D_PRECISION_TF32, 4, &c, n_bad));
    }
    return C3D_OK;
}

int main(int argc, char **argv)
{
    const char *question = argc > 1 ? argv[1] : "";
    int n_devices = 0, n_bad = 0;
    c3d_status st;

    is_tiny = argc > 2 && !strcmp(argv[2], "tiny");
    if (cudaGetDeviceCount(&n_devices) != cudaSuccess || n_devices == 0) {
        printf("skipped: no GPU\n");
        return 77;
    }
    if (!strcmp(question, "device"))
        st = ask_device();
    else if (!strcmp(question, "plans"))
        st = ask_plans();
    else if (!strcmp(question, "gradients"))
        st = ask_gradients(&n_bad);
    else if (!strcmp(question, "bias"))
        st = ask_bias(&n_bad);
    else if (!strcmp(question, "tf32"))
        st = ask_tf32(&n_bad);
    else
        st = C3D_FAIL(C3D_ECONFIG, "usage: gpu_questions device|plans|gradients|bias|tf32");
    if (st != C3D_OK) (void)fprintf(stderr, "gpu_questions: %s\n", c3d_error_last()->message);
    return st == C3D_OK && n_bad == 0 ? 0 : 1;
}
