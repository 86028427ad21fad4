// Memory of the device and page-locked memory of the host.
#include "device.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sys/mman.h>
#include <unistd.h>

namespace cuda_host
{

// A block ends as close to its last page's end as 256-byte alignment allows, and pages that cannot
// be touched lie before and behind it. What little is left behind it is looked at when it is freed.
struct block {
    size_t n_bytes, n_mapped;
    char *mapped;
    int device;
};
struct pinned {
    size_t n_bytes;
    bool ours; // by cudaHostAlloc
};

// never destroyed, as the streams that use them
static auto &blocks = *new std::map<uintptr_t, block>;
static auto &pinned_ranges = *new std::map<uintptr_t, pinned>;
static auto &n_used = *new std::map<int, size_t>;

constexpr size_t alignment = 256;
constexpr unsigned char fresh = 0xFF; // NaN in every format
constexpr unsigned char canary = 0xA5;

static size_t page()
{
    static const size_t n = (size_t)sysconf(_SC_PAGESIZE);

    return n;
}

static size_t capacity()
{
    const char *text = setting("C3D_CUDA_HOST_MEMORY");

    return text ? (size_t)strtoull(text, nullptr, 10) : (size_t)16 << 30;
}

template <typename T>
static const std::pair<const uintptr_t, T> *holder(const std::map<uintptr_t, T> &map,
                                                   const void *pointer, size_t n)
{
    const auto address = (uintptr_t)pointer;
    auto next = map.upper_bound(address);

    if (next == map.begin()) return nullptr;
    const auto &found = *--next;
    return address + n <= found.first + found.second.n_bytes ? &found : nullptr;
}

bool is_device(const void *pointer, size_t n_bytes)
{
    return holder(blocks, pointer, n_bytes) != nullptr;
}

bool is_pinned(const void *pointer, size_t n_bytes)
{
    return holder(pinned_ranges, pointer, n_bytes) != nullptr;
}

static bool protects()
{
    static const bool yes = setting("C3D_CUDA_HOST_PROTECT") != nullptr;

    return yes;
}

static void allow(const block &b, bool allowed)
{
    const int how = allowed ? PROT_READ | PROT_WRITE : PROT_NONE;

    if (mprotect(b.mapped + page(), b.n_mapped - 2 * page(), how) != 0) fatal("mprotect failed");
}

void set_access(bool allowed)
{
    if (!protects()) return;
    for (const auto &entry : blocks) allow(entry.second, allowed);
}

static char *tail(uintptr_t address, const block &b, size_t *n)
{
    char *end = (char *)address + b.n_bytes;

    *n = (size_t)(b.mapped + b.n_mapped - page() - end);
    return end;
}

static cudaError_t device_alloc(void **out, size_t n_bytes)
{
    const int device = current_device();
    block b = { n_bytes, 0, nullptr, device };
    size_t n_tail;

    *out = nullptr;
    if (n_bytes == 0) return cudaSuccess;
    if (n_used[device] + n_bytes > capacity()) return cudaErrorMemoryAllocation;
    const size_t n_aligned = (n_bytes + alignment - 1) / alignment * alignment;
    const size_t n_inside = (n_aligned + page() - 1) / page() * page();
    b.n_mapped = n_inside + 2 * page();
    void *map =
        mmap(nullptr, b.n_mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) return cudaErrorMemoryAllocation;
    b.mapped = (char *)map;
    char *address = b.mapped + b.n_mapped - page() - n_aligned;
    allow(b, true);
    memset(b.mapped + page(), canary, n_inside);
    memset(address, fresh, n_bytes);
    (void)tail((uintptr_t)address, b, &n_tail);
    blocks[(uintptr_t)address] = b;
    n_used[device] += n_bytes;
    if (protects()) allow(b, false);
    *out = address;
    return cudaSuccess;
}

static cudaError_t device_free(void *pointer)
{
    if (!pointer) return cudaSuccess;
    const auto found = blocks.find((uintptr_t)pointer);
    if (found == blocks.end()) return cudaErrorInvalidValue;
    const block b = found->second;
    size_t n_tail;
    const char *end = tail(found->first, b, &n_tail);
    allow(b, true);
    for (size_t i = 0; i < n_tail; i++)
        if ((unsigned char)end[i] != canary)
            fatal("a block of %zu bytes was written %zu bytes behind its end", b.n_bytes, i);
    for (const char *before = b.mapped + page(); before < (char *)pointer; before++)
        if ((unsigned char)*before != canary)
            fatal("a block of %zu bytes was written before its begin", b.n_bytes);
    n_used[b.device] -= b.n_bytes;
    blocks.erase(found);
    // the addresses are never used again: who still has the pointer is stopped
    (void)mmap(b.mapped, b.n_mapped, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    return cudaSuccess;
}

// Memory is locked by whole pages, each by one call.
static uintptr_t page_of(uintptr_t address)
{
    return address / 4096;
}

static cudaError_t host_register(void *pointer, size_t n, bool ours)
{
    const auto address = (uintptr_t)pointer;

    if (!pointer || n == 0) return cudaErrorInvalidValue;
    for (const auto &range : pinned_ranges)
        if (page_of(address) <= page_of(range.first + range.second.n_bytes - 1) &&
            page_of(range.first) <= page_of(address + n - 1))
            return cudaErrorHostMemoryAlreadyRegistered;
    pinned_ranges[address] = { n, ours };
    return cudaSuccess;
}

} // namespace cuda_host

using namespace cuda_host;

extern "C" {

cudaError_t cudaMalloc(void **out, size_t n_bytes)
{
    const guard held(lock());

    if (planned_failure("cudaMalloc")) return result(cudaErrorMemoryAllocation);
    if (device_failed() != cudaSuccess) return result(device_failed());
    if (device_count() <= 0) return result(cudaErrorNoDevice);
    return result(device_alloc(out, n_bytes));
}

cudaError_t cudaFree(void *pointer)
{
    const guard held(lock());

    if (planned_failure("cudaFree")) return result(cudaErrorUnknown);
    device_finish(); // as the real one does
    return result(device_free(pointer));
}

cudaError_t cudaHostAlloc(void **out, size_t n_bytes, unsigned int)
{
    const guard held(lock());

    if (planned_failure("cudaHostAlloc")) return result(cudaErrorMemoryAllocation);
    if (posix_memalign(out, 4096, n_bytes / 4096 * 4096 + 4096) != 0)
        return result(cudaErrorMemoryAllocation);
    memset(*out, fresh, n_bytes);
    return result(host_register(*out, n_bytes ? n_bytes : 1, true));
}

cudaError_t cudaMallocHost(void **out, size_t n_bytes)
{
    return cudaHostAlloc(out, n_bytes, 0);
}

cudaError_t cudaFreeHost(void *pointer)
{
    const guard held(lock());
    const auto found = pinned_ranges.find((uintptr_t)pointer);

    if (planned_failure("cudaFreeHost")) return result(cudaErrorUnknown);
    if (!pointer) return cudaSuccess;
    if (found == pinned_ranges.end() || !found->second.ours) return result(cudaErrorInvalidValue);
    device_finish();
    pinned_ranges.erase(found);
    free(pointer);
    return cudaSuccess;
}

cudaError_t cudaHostRegister(void *pointer, size_t n_bytes, unsigned int)
{
    const guard held(lock());

    if (planned_failure("cudaHostRegister")) return result(cudaErrorMemoryAllocation);
    if (device_count() <= 0) return result(cudaErrorNoDevice);
    return result(host_register(pointer, n_bytes, false));
}

cudaError_t cudaHostUnregister(void *pointer)
{
    const guard held(lock());
    const auto found = pinned_ranges.find((uintptr_t)pointer);

    if (planned_failure("cudaHostUnregister")) return result(cudaErrorUnknown);
    if (found == pinned_ranges.end() || found->second.ours)
        return result(cudaErrorHostMemoryNotRegistered);
    pinned_ranges.erase(found);
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *n_free, size_t *n_total)
{
    const guard held(lock());

    if (planned_failure("cudaMemGetInfo")) return result(cudaErrorUnknown);
    if (device_count() <= 0) return result(cudaErrorNoDevice);
    *n_total = capacity();
    *n_free = capacity() - n_used[current_device()];
    return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes *out, const void *pointer)
{
    const guard held(lock());
    const auto *in = holder(blocks, pointer, 1);

    memset(out, 0, sizeof *out);
    out->device = in ? in->second.device : 0;
    out->type = in                      ? cudaMemoryTypeDevice
                : is_pinned(pointer, 1) ? cudaMemoryTypeHost
                                        : cudaMemoryTypeUnregistered;
    return cudaSuccess;
}

} // extern "C"
