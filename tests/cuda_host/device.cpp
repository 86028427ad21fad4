// Devices, errors, planned failures.
#include "device.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <unistd.h>

namespace cuda_host
{

static thread_local cudaError_t last_error = cudaSuccess;
static thread_local int device_now = 0;

std::recursive_mutex &lock()
{
    static std::recursive_mutex the_lock;

    return the_lock;
}

void fatal(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("cuda_host: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    fflush(stderr);
    _exit(99); // a program that ends well by mistake must not look like one
}

const char *setting(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : nullptr;
}

static void note(const char *call)
{
    static const char *const path = setting("C3D_CUDA_HOST_LOG");
    static FILE *const file = path ? fopen(path, "a") : nullptr;

    if (file) fprintf(file, "%s\n", call), fflush(file);
}

bool planned_failure(const char *call)
{
    static const char *const plan = setting("C3D_CUDA_HOST_FAIL");
    static long n_calls = 0;

    note(call);
    if (!plan) return false;
    const char *colon = strchr(plan, ':');
    if (!colon || strncmp(plan, call, (size_t)(colon - plan)) || call[colon - plan]) return false;
    return ++n_calls == atol(colon + 1);
}

cudaError_t result(cudaError_t error)
{
    if (error != cudaSuccess) last_error = error;
    return error;
}

int device_count()
{
    const char *text = setting("C3D_CUDA_HOST_DEVICES");

    return text ? (strcmp(text, "none") == 0 ? -1 : atoi(text)) : 2;
}

int current_device()
{
    return device_now;
}

static cudaError_t present()
{
    const int n = device_count();

    return n < 0 ? cudaErrorInsufficientDriver : n == 0 ? cudaErrorNoDevice : cudaSuccess;
}

} // namespace cuda_host

using namespace cuda_host;

extern "C" {

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = device_count() < 0 ? 0 : device_count();
    return result(planned_failure("cudaGetDeviceCount") ? cudaErrorInitializationError : present());
}

cudaError_t cudaSetDevice(int device)
{
    if (planned_failure("cudaSetDevice")) return result(cudaErrorDevicesUnavailable);
    if (present() != cudaSuccess) return result(present());
    if (device < 0 || device >= device_count()) return result(cudaErrorInvalidDevice);
    device_now = device;
    return result(device_failed());
}

cudaError_t cudaInitDevice(int device, unsigned int, unsigned int)
{
    return cudaSetDevice(device);
}

cudaError_t cudaGetDevice(int *device)
{
    *device = device_now;
    return result(present());
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int device)
{
    size_t n_free = 0, n_total = 0;

    if (planned_failure("cudaGetDeviceProperties")) return result(cudaErrorUnknown);
    if (present() != cudaSuccess) return result(present());
    if (device < 0 || device >= device_count()) return result(cudaErrorInvalidDevice);
    if (cudaMemGetInfo(&n_free, &n_total) != cudaSuccess) return result(cudaErrorUnknown);
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "host emulation of a GPU");
    p->uuid.bytes[0] = (char)(device + 1);
    p->totalGlobalMem = n_total;
    p->major = 9;
    p->minor = 0;
    p->multiProcessorCount = 4;
    p->warpSize = 32;
    p->maxThreadsPerBlock = 1024;
    p->maxThreadsPerMultiProcessor = 2048;
    p->sharedMemPerBlock = 49152;
    p->sharedMemPerBlockOptin = 232448;
    p->sharedMemPerMultiprocessor = 233472;
    p->regsPerBlock = 65536;
    p->maxGridSize[0] = 2147483647;
    p->maxGridSize[1] = p->maxGridSize[2] = 65535;
    p->maxThreadsDim[0] = p->maxThreadsDim[1] = 1024;
    p->maxThreadsDim[2] = 64;
    p->l2CacheSize = 52428800;
    p->memoryBusWidth = 5120;
    p->asyncEngineCount = 3;
    p->concurrentKernels = 1;
    p->canMapHostMemory = 1;
    p->unifiedAddressing = 1;
    p->pciBusID = device + 1;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device)
{
    cudaDeviceProp p;

    if (planned_failure("cudaDeviceGetAttribute")) return result(cudaErrorUnknown);
    const cudaError_t error = cudaGetDeviceProperties(&p, device);
    if (error != cudaSuccess) return error;
    const std::map<cudaDeviceAttr, int> values = {
        { cudaDevAttrComputeCapabilityMajor, p.major },
        { cudaDevAttrComputeCapabilityMinor, p.minor },
        { cudaDevAttrMultiProcessorCount, p.multiProcessorCount },
        { cudaDevAttrClockRate, 1000000 },
        { cudaDevAttrWarpSize, p.warpSize },
        { cudaDevAttrMaxThreadsPerBlock, p.maxThreadsPerBlock },
        { cudaDevAttrMaxThreadsPerMultiProcessor, p.maxThreadsPerMultiProcessor },
        { cudaDevAttrMaxSharedMemoryPerBlock, (int)p.sharedMemPerBlock },
        { cudaDevAttrMaxSharedMemoryPerBlockOptin, (int)p.sharedMemPerBlockOptin },
        { cudaDevAttrMaxGridDimX, p.maxGridSize[0] },
        { cudaDevAttrMaxGridDimY, p.maxGridSize[1] },
        { cudaDevAttrMaxGridDimZ, p.maxGridSize[2] },
        { cudaDevAttrL2CacheSize, p.l2CacheSize },
        { cudaDevAttrPciBusId, p.pciBusID },
        { cudaDevAttrPciDeviceId, 0 },
        { cudaDevAttrPciDomainId, 0 },
        { cudaDevAttrHostRegisterSupported, 1 },
        { cudaDevAttrMemoryPoolsSupported, 0 },
        { cudaDevAttrAsyncEngineCount, p.asyncEngineCount },
    };
    const auto found = values.find(attribute);
    if (found == values.end()) fatal("cudaDeviceGetAttribute: %d is not known here", attribute);
    *value = found->second;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char *text, int size, int device)
{
    if (device < 0 || device >= device_count()) return result(cudaErrorInvalidDevice);
    snprintf(text, (size_t)size, "0000:%02x:00.0", device + 1);
    return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest)
{
    if (least) *least = 0;
    if (greatest) *greatest = -5;
    return result(present());
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = device_count() < 0 ? 0 : CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
    const cudaError_t error = last_error;

    last_error = device_failed(); // a failed kernel's error stays
    return error;
}

cudaError_t cudaPeekAtLastError(void)
{
    return last_error;
}

struct error_text {
    cudaError_t error;
    const char *name, *text;
};

static const error_text error_texts[] = {
    { cudaSuccess, "cudaSuccess", "no error" },
    { cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument" },
    { cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory" },
    { cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error" },
    { cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration",
      "invalid configuration argument" },
    { cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection",
      "invalid copy direction for memcpy" },
    { cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
      "CUDA driver version is insufficient for CUDA runtime version" },
    { cudaErrorDevicesUnavailable, "cudaErrorDevicesUnavailable",
      "CUDA-capable device(s) is/are busy or unavailable" },
    { cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected" },
    { cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal" },
    { cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle" },
    { cudaErrorNotReady, "cudaErrorNotReady", "device not ready" },
    { cudaErrorIllegalAddress, "cudaErrorIllegalAddress",
      "an illegal memory access was encountered" },
    { cudaErrorHostMemoryAlreadyRegistered, "cudaErrorHostMemoryAlreadyRegistered",
      "part or all of the requested memory range is already mapped" },
    { cudaErrorHostMemoryNotRegistered, "cudaErrorHostMemoryNotRegistered",
      "pointer does not correspond to a registered memory region" },
    { cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure" },
    { cudaErrorNotPermitted, "cudaErrorNotPermitted", "operation not permitted" },
    { cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported" },
    { cudaErrorUnknown, "cudaErrorUnknown", "unknown error" },
};

const char *cudaGetErrorName(cudaError_t error)
{
    for (const error_text &t : error_texts)
        if (t.error == error) return t.name;
    return "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error)
{
    for (const error_text &t : error_texts)
        if (t.error == error) return t.text;
    return "unrecognized error code";
}

} // extern "C"
