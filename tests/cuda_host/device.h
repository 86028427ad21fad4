// A made-up GPU on the host: what the stand-ins for CUDA's libraries share.
//
// Programs that were written for a GPU link these stand-ins in place of cudart, cuDNN, cuBLASLt and
// NCCL and run on any machine, unchanged. Device memory is host memory with guard pages, streams
// are queues of closures, and the order in which queues are run is the worst that CUDA allows, so
// that a dependency nobody stated shows as a wrong number. What a real GPU would refuse is refused;
// what it would silently do wrong (memory freed while in use, a copy from a buffer that is gone)
// ends the program with a line that begins with "cuda_host:".
//
// Told by the environment:
//   C3D_CUDA_HOST=MODE          lazy (default): a stream runs when something waits for it, and then
//                               no further than needed; eager: at once; random:SEED: streams run
//                               in turns that a generator chooses; reverse: as lazy, but before the
//                               stream that is waited for all others run as far as they can
//   C3D_CUDA_HOST_DEVICES=N     2; 0: cudaErrorNoDevice; none: no driver
//   C3D_CUDA_HOST_MEMORY=BYTES  of each device; 16 GiB
//   C3D_CUDA_HOST_FAIL=CALL:K   the K-th call (from 1) of that function fails
//   C3D_CUDA_HOST_PROTECT=1     device memory cannot be touched by the host: SIGSEGV where it is
//   C3D_CUDA_HOST_NCCL_HANG=R:K, C3D_CUDA_HOST_NCCL_ERROR=R:K  rank R's K-th collective (from 1)
//                               never comes to an end, or fails
//   C3D_CUDA_HOST_CUDNN_REFUSES=forward-epilogue,backward-x-epilogue,backward-w-float
//                               any of these graphs has no engine
//   C3D_CUDA_HOST_LOG=FILE      the name of every call that enqueues or waits, one a line
#ifndef C3D_CUDA_HOST_DEVICE_H
#define C3D_CUDA_HOST_DEVICE_H

#include <cstddef>
#include <cstdint>
#include <cuda_runtime_api.h>
#include <functional>
#include <memory>
#include <mutex>

namespace cuda_host
{

// Everything below is called with the lock held, but for code of closures, which has it already.
std::recursive_mutex &lock();
using guard = std::lock_guard<std::recursive_mutex>;

[[noreturn]] void fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *setting(const char *name); // the environment's value or NULL
// Notes the call; true when the environment wants it to fail.
bool planned_failure(const char *call);
cudaError_t result(cudaError_t error); // remembers it for cudaGetLastError

// Work of a stream. True: done. False: not yet, ask again (it waits for another rank).
using step = std::function<bool()>;
void enqueue(cudaStream_t stream, step work);
void enqueue(cudaStream_t stream, std::function<void()> work);
bool stream_known(cudaStream_t stream);
bool stream_advance(cudaStream_t stream); // by one thing that it needs; false when it cannot
// Runs what is needed of a stream; true when nothing of it is left. Never waits for other ranks.
bool stream_try(cudaStream_t stream);
void stream_finish(cudaStream_t stream); // waits
void device_finish();
// The error of a kernel that failed; every later call returns it.
void device_fail(cudaError_t error);
cudaError_t device_failed();

// While one lives the host may touch device memory (C3D_CUDA_HOST_PROTECT).
struct on_device {
    on_device();
    ~on_device();
    on_device(const on_device &) = delete;
    on_device &operator=(const on_device &) = delete;
};

bool is_device(const void *pointer, size_t n_bytes); // all of it within one block in use
bool is_pinned(const void *pointer, size_t n_bytes);
void set_access(bool allowed); // of all device memory
int current_device();
int device_count();

} // namespace cuda_host

#endif
