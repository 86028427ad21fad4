// NCCL on the host: ranks are processes of one machine that share a file in memory.
#ifndef C3D_CUDA_HOST_NCCL_RANKS_H
#define C3D_CUDA_HOST_NCCL_RANKS_H

#include "device.h"

#include <atomic>
#include <deque>
#include <nccl.h>
#include <string>

namespace cuda_host
{

constexpr int max_ranks = 16;
constexpr size_t slot_bytes = 1 << 18;

enum class call_kind : uint32_t {
    all_reduce,
    broadcast,
    reduce,
    reduce_scatter,
    all_gather,
    exchange
};

// What every rank must say alike in one round.
struct signature {
    call_kind kind;
    uint32_t type, operation, root;
    uint64_t count;
};

struct seat {
    std::atomic<uint32_t> joined;
    uint32_t bus;
    uint64_t host;
    signature now;
    int partner;                               // of an exchange
    std::atomic<uint64_t> published, consumed; // rounds
};

struct table {
    std::atomic<uint32_t> n_joined;
    seat seats[max_ranks];
    char slots[][slot_bytes];
};

struct operation {
    signature what;
    const char *send;
    char *receive;
    cudaStream_t stream;
    int partner = -1; // of an exchange
    size_t at = 0;    // elements of a share that are done
    bool published = false;
    bool hangs = false;
};
using operation_pointer = std::shared_ptr<operation>;

} // namespace cuda_host

struct ncclComm {
    int rank, n_ranks, device;
    bool blocking, ready = false, aborted = false;
    int n_polls = 0; // of something that is in progress
    ncclResult_t failure = ncclSuccess;
    std::string name, words;
    cuda_host::table *shared = nullptr;
    std::deque<cuda_host::operation_pointer> late;     // not yet in their streams
    std::deque<cuda_host::operation_pointer> enqueued; // not yet done
    uint64_t n_calls = 0;
};

namespace cuda_host
{

// Brings an operation forward; true when it is done.
bool operation_step(ncclComm &comm, operation &o);
size_t nccl_size(uint32_t type);

} // namespace cuda_host

#endif
