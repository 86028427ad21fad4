#include "backend/cuda/cuda.h"

#include <cudnn.h>
#include <stdio.h>
#include <string.h>

/* cuDNN's and CUDA 13's oldest. */
#define SM_OLDEST 75

static _Thread_local const char *noted = "nothing";

void c3d_cuda_note(const char *what)
{
    noted = what;
}

const char *c3d_cuda_noted(void)
{
    return noted;
}

static cudaError_t count_devices(int *out)
{
    const cudaError_t error = cudaGetDeviceCount(out);

    if (error != cudaSuccess) *out = 0;
    (void)cudaGetLastError();
    return error;
}

static c3d_status sm_of(int device, int *out)
{
    int major, minor;

    C3D_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
    C3D_CUDA(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device));
    *out = 10 * major + minor;
    return C3D_OK;
}

bool c3d_cuda_is_there(void)
{
    int n_devices, sm;

    if (count_devices(&n_devices) != cudaSuccess || n_devices < 1) return false;
    return sm_of(0, &sm) == C3D_OK && sm >= SM_OLDEST;
}

c3d_status c3d_cuda_use(const cuda *c)
{
    C3D_CUDA(cudaSetDevice(c->device));
    return C3D_OK;
}

static c3d_status check_precision(const cuda *c)
{
    const c3d_precision precision = c->backend->options.precision;
    const bool needs_80 = precision == C3D_PRECISION_BF16 || precision == C3D_PRECISION_TF32;

    if (c->sm < SM_OLDEST)
        return C3D_FAIL(C3D_EUNSUPPORTED,
                        "run.device cuda: %s is sm_%d, sm_%d or later is needed; use cpu",
                        c->device_name, c->sm, SM_OLDEST);
    if (needs_80 && c->sm < 80)
        return C3D_FAIL(C3D_EUNSUPPORTED, "model.precision %s: %s (sm_%d) does not have it; use %s",
                        c3d_precision_name(precision), c->device_name, c->sm,
                        precision == C3D_PRECISION_BF16 ? "fp16" : "fp32");
    return C3D_OK;
}

/* Operations a clock of one multiprocessor, two a multiply-add that is summed in float32: NVIDIA's
 * table of throughputs (CUDA C++ Programming Guide) for plain float32, the architectures' white
 * papers for tensor cores. 0 where chips of one compute capability are sold with different rates.
 */
static double flop_a_clock(int sm, c3d_precision precision)
{
    static const struct {
        int sm;
        double plain, tf32, half;
    } rates[] = {
        { 75, 128, 0, 1024 },    { 80, 128, 1024, 2048 },  { 86, 256, 0, 0 },  { 89, 256, 0, 0 },
        { 90, 256, 2048, 4096 }, { 100, 256, 4096, 8192 }, { 120, 256, 0, 0 },
    };

    for (size_t i = 0; i < C3D_COUNT(rates); i++) {
        if (rates[i].sm != sm) continue;
        if (precision == C3D_PRECISION_FP32) return rates[i].plain;
        return precision == C3D_PRECISION_TF32 ? rates[i].tf32 : rates[i].half;
    }
    return 0;
}

/* At the highest clock that the device names. */
static c3d_status find_peak(const cuda *c)
{
    int n, khz;

    C3D_CUDA(cudaDeviceGetAttribute(&n, cudaDevAttrMultiProcessorCount, c->device));
    C3D_CUDA(cudaDeviceGetAttribute(&khz, cudaDevAttrClockRate, c->device));
    c->backend->peak_flop_per_s =
        1e3 * khz * n * flop_a_clock(c->sm, c->backend->options.precision);
    return C3D_OK;
}

c3d_status c3d_cuda_device_open(cuda *c)
{
    const c3d_backend_options *options = &c->backend->options;
    const cudaError_t error = count_devices(&c->n_devices);
    struct cudaDeviceProp properties;

    if (error != cudaSuccess || c->n_devices < 1)
        return C3D_FAIL(C3D_EUNSUPPORTED,
                        "run.device cuda: no GPU is seen by the driver (%s); use cpu",
                        cudaGetErrorString(error == cudaSuccess ? cudaErrorNoDevice : error));
    if (options->device_index < 0)
        return C3D_FAIL(C3D_EINVAL, "run.device cuda: device %d", options->device_index);
    c->device = options->device_index % c->n_devices;
    c->backend->options.device_index = c->device;
    C3D_TRY(c3d_cuda_use(c));
    C3D_CUDA(cudaGetDeviceProperties(&properties, c->device));
    (void)snprintf(c->device_name, sizeof c->device_name, "%.90s", properties.name);
    C3D_TRY(sm_of(c->device, &c->sm));
    c->type = options->precision == C3D_PRECISION_BF16   ? C3D_CUDA_BF16
              : options->precision == C3D_PRECISION_FP16 ? C3D_CUDA_F16
                                                         : C3D_CUDA_F32;
    C3D_TRY(find_peak(c));
    return check_precision(c);
}

static void put_version(char out[24], int version)
{
    (void)snprintf(out, 24, "%d.%d", version / 1000, version % 1000 / 10);
}

const char *c3d_cuda_describe(c3d_backend *self, char out[256])
{
    const cuda *c = cuda_of(self);
    const size_t blas = cublasLtGetVersion(), dnn = cudnnGetVersion();
    char driver[24], runtime[24];
    int version = 0;

    (void)cudaDriverGetVersion(&version);
    put_version(driver, version);
    (void)cudaRuntimeGetVersion(&version);
    put_version(runtime, version);
    (void)snprintf(
        out, 256,
        "%s (sm_%d), driver for CUDA %s, CUDA %s, cuDNN %zu.%zu.%zu, cuBLASLt %zu.%zu.%zu, %s",
        c->device_name, c->sm, driver, runtime, dnn / 10000, dnn / 100 % 100, dnn % 100,
        blas / 10000, blas / 100 % 100, blas % 100, c3d_precision_name(self->options.precision));
    return out;
}
