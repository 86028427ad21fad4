// NCCL's calls: communicators, groups, and the thread that runs what other ranks wait for.
#include "nccl_ranks.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace cuda_host
{

using comm_pointer = std::shared_ptr<ncclComm>;

static auto &comms = *new std::map<ncclComm_t, comm_pointer>;
static auto &to_unlink = *new std::vector<std::string>;
static bool thread_runs;
static int group_depth;
static ncclResult_t group_result = ncclSuccess;
static std::string last_words;

static ncclResult_t fail(ncclResult_t status, const std::string &words)
{
    last_words = words;
    return status;
}

static comm_pointer known(ncclComm_t handle)
{
    const auto found = comms.find(handle);

    if (found == comms.end()) fatal("NCCL: a communicator that was not made or is destroyed");
    return found->second;
}

// "R:K" of the environment: whether it means this rank's K-th call, from 1.
static bool planned(const char *name, const ncclComm &comm)
{
    const char *plan = setting(name);
    const char *colon = plan ? strchr(plan, ':') : nullptr;

    return colon && atoi(plan) == comm.rank && (uint64_t)atoll(colon + 1) == comm.n_calls;
}

// ---- joining
// -------------------------------------------------------------------------------------

static uint64_t host_hash()
{
    char name[256] = "";
    const char *told = setting("NCCL_HOSTID");
    uint64_t hash = 5381;

    (void)gethostname(name, sizeof name - 1);
    for (const char *c = told ? told : name; *c; c++) hash = hash * 33 + (unsigned char)*c;
    return hash;
}

static bool map_table(ncclComm &comm)
{
    const size_t n = sizeof(table) + (size_t)comm.n_ranks * slot_bytes;
    const int file = shm_open(comm.name.c_str(), O_RDWR | O_CREAT, 0600);

    if (file < 0) return false;
    void *map = ftruncate(file, (off_t)n) == 0
                    ? mmap(nullptr, n, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
                    : MAP_FAILED;
    close(file);
    if (map != MAP_FAILED) comm.shared = static_cast<table *>(map);
    return map != MAP_FAILED;
}

static void join(ncclComm &comm)
{
    seat &own = comm.shared->seats[comm.rank];

    own.bus = (uint32_t)comm.device;
    own.host = host_hash();
    own.joined.store(1);
    comm.shared->n_joined++;
}

static ncclResult_t duplicate(ncclComm &comm)
{
    const seat *seats = comm.shared->seats;

    for (int a = 0; a < comm.n_ranks; a++)
        for (int b = a + 1; b < comm.n_ranks; b++)
            if (seats[a].bus == seats[b].bus && seats[a].host == seats[b].host)
                return fail(ncclInvalidUsage, "Duplicate GPU detected : rank " + std::to_string(a) +
                                                  " and rank " + std::to_string(b) +
                                                  " both on CUDA device " +
                                                  std::to_string(seats[a].bus) + "000");
    return ncclSuccess;
}

static void all_are_there(ncclComm &comm)
{
    if (comm.rank == 0) shm_unlink(comm.name.c_str());
    comm.failure = duplicate(comm);
    comm.ready = true;
}

// ---- the thread
// ----------------------------------------------------------------------------------

static bool others_wait(const ncclComm &comm)
{
    const uint64_t own = comm.shared->seats[comm.rank].consumed.load();

    for (int r = 0; r < comm.n_ranks; r++)
        if (comm.shared->seats[r].published.load() > own) return true;
    return false;
}

// A GPU goes on while its host waits for another rank in some other library.
static void serve()
{
    for (;;) {
        usleep(200);
        const guard held(lock());
        for (const auto &entry : comms) {
            ncclComm &comm = *entry.second;
            if (!comm.ready || comm.aborted || comm.failure != ncclSuccess) continue;
            while (!comm.enqueued.empty() && others_wait(comm) &&
                   stream_advance(comm.enqueued.front()->stream))
                continue;
        }
    }
}

static void start_thread()
{
    if (thread_runs) return;
    thread_runs = true;
    std::thread(serve).detach();
}

// ---- operations
// ----------------------------------------------------------------------------------

static void put(const comm_pointer &comm, const operation_pointer &o)
{
    comm->enqueued.push_back(o);
    enqueue(o->stream, step([comm, o] {
                if (!operation_step(*comm, *o)) return false;
                for (auto at = comm->enqueued.begin(); at != comm->enqueued.end(); ++at)
                    if (*at == o) {
                        comm->enqueued.erase(at);
                        break;
                    }
                return true;
            }));
}

static void put_late(const comm_pointer &comm)
{
    while (!comm->late.empty()) {
        const operation_pointer o = comm->late.front();
        comm->late.pop_front();
        put(comm, o);
    }
}

static size_t bytes(const signature &s, int n_ranks, bool whole)
{
    return s.count * nccl_size(s.type) * (whole ? (size_t)n_ranks : 1);
}

static bool in_memory(const ncclComm &comm, const operation &o)
{
    const bool scatter = o.what.kind == call_kind::reduce_scatter;
    const bool gather = o.what.kind == call_kind::all_gather;
    const bool no_send = o.what.kind == call_kind::broadcast && (int)o.what.root != comm.rank;
    const bool no_receive = o.what.kind == call_kind::reduce && (int)o.what.root != comm.rank;

    if (o.what.count == 0) return true;
    return (no_send || is_device(o.send, bytes(o.what, comm.n_ranks, scatter))) &&
           (no_receive || is_device(o.receive, bytes(o.what, comm.n_ranks, gather)));
}

static ncclResult_t begin(const comm_pointer &comm, const operation &o)
{
    if (!comm->ready)
        return fail(ncclInvalidUsage, "the communicator's initialisation is in progress");
    if (comm->failure != ncclSuccess) return comm->failure;
    if (comm->aborted) return fail(ncclInvalidUsage, "the communicator was aborted");
    if (!comm->late.empty() && group_depth == 0)
        return fail(ncclInvalidArgument, "the call before is in progress");
    if (!stream_known(o.stream)) return fail(ncclInvalidArgument, "no such stream");
    if (!in_memory(*comm, o))
        return fail(ncclInvalidArgument, "a buffer is not within one block of the device");
    return ncclSuccess;
}

// Of a communicator that does not block every third call is late: it reaches its stream only when
// ncclCommGetAsyncError has been asked.
static ncclResult_t call(const char *name, ncclComm_t handle, const operation &what)
{
    const guard held(lock());
    const comm_pointer comm = known(handle);
    const auto o = std::make_shared<operation>(what);

    if (planned_failure(name)) return fail(ncclUnhandledCudaError, "planned");
    const ncclResult_t status = begin(comm, what);
    if (status != ncclSuccess) return status;
    comm->n_calls++;
    if (planned("C3D_CUDA_HOST_NCCL_HANG", *comm)) o->hangs = true;
    if (planned("C3D_CUDA_HOST_NCCL_ERROR", *comm)) {
        o->hangs = true;
        comm->failure = fail(ncclRemoteError, "planned: the network is gone");
    }
    if (!comm->blocking && comm->n_calls % 3 == 0) {
        comm->late.push_back(o);
        comm->n_polls = 0;
        if (group_depth == 0) return ncclInProgress;
        group_result = ncclInProgress;
        return ncclSuccess;
    }
    put_late(comm);
    put(comm, o);
    return ncclSuccess;
}

static operation make(call_kind kind, const void *send, void *receive, size_t count,
                      ncclDataType_t type, uint32_t how, int root, cudaStream_t stream)
{
    operation o;

    o.what = { kind, (uint32_t)type, how, (uint32_t)root, count };
    o.send = static_cast<const char *>(send);
    o.receive = static_cast<char *>(receive);
    o.stream = stream;
    return o;
}

static void wait_a_little()
{
    lock().unlock();
    usleep(200);
    lock().lock();
}

static void finish(const comm_pointer &comm)
{
    put_late(comm);
    while (!comm->enqueued.empty() && !comm->aborted)
        if (!stream_advance(comm->enqueued.front()->stream)) wait_a_little();
}

static void unlink_all()
{
    for (const std::string &name : to_unlink) shm_unlink(name.c_str());
}

// A send waits for the receive of its group. All ranks must do this at once, in pairs: what the
// product's exchange is, and less than NCCL can.
static operation half_of_exchange;

} // namespace cuda_host

using namespace cuda_host;

extern "C" {

ncclResult_t ncclGetVersion(int *version)
{
    *version = NCCL_VERSION_CODE;
    return ncclSuccess;
}

const char *ncclGetErrorString(ncclResult_t result)
{
    switch (result) {
    case ncclSuccess: return "no error";
    case ncclUnhandledCudaError: return "unhandled cuda error";
    case ncclSystemError: return "unhandled system error";
    case ncclInternalError: return "internal error";
    case ncclInvalidArgument: return "invalid argument";
    case ncclInvalidUsage: return "invalid usage";
    case ncclRemoteError: return "remote process exited or there was a network error";
    case ncclInProgress: return "NCCL operation in progress";
    default: return "unknown result code";
    }
}

const char *ncclGetLastError(ncclComm_t)
{
    static std::string kept;
    const guard held(lock());

    kept = last_words;
    return kept.c_str();
}

ncclResult_t ncclGetUniqueId(ncclUniqueId *id)
{
    const guard held(lock());
    static int n_made;
    char name[64];

    if (planned_failure("ncclGetUniqueId")) return fail(ncclSystemError, "planned");
    snprintf(name, sizeof name, "/c3d_cuda_host.%ld.%d", (long)getpid(), n_made++);
    shm_unlink(name);
    if (to_unlink.empty()) (void)atexit(unlink_all);
    to_unlink.push_back(name);
    memset(id, 0, sizeof *id);
    memcpy(id, name, strlen(name) + 1);
    return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t *out, int n_ranks, ncclUniqueId id, int rank,
                                    ncclConfig_t *config)
{
    const guard held(lock());
    const auto comm = std::make_shared<ncclComm>();
    const ncclConfig_t plain = NCCL_CONFIG_INITIALIZER;

    *out = nullptr;
    if (planned_failure("ncclCommInitRankConfig")) return fail(ncclSystemError, "planned");
    if (n_ranks < 1 || n_ranks > max_ranks || rank < 0 || rank >= n_ranks)
        return fail(ncclInvalidArgument, "rank or number of ranks");
    if (config && (config->size != plain.size || config->magic != plain.magic))
        return fail(ncclInvalidArgument, "the configuration was not initialised");
    comm->rank = rank;
    comm->n_ranks = n_ranks;
    comm->device = current_device() + 1;
    comm->blocking = !config || config->blocking == NCCL_CONFIG_UNDEF_INT || config->blocking != 0;
    comm->name = id.internal;
    if (!map_table(*comm)) return fail(ncclSystemError, "shared memory");
    join(*comm);
    start_thread();
    comms[comm.get()] = comm;
    *out = comm.get();
    if (!comm->blocking) return ncclInProgress;
    while (comm->shared->n_joined.load() < (uint32_t)n_ranks) wait_a_little();
    all_are_there(*comm);
    return comm->failure;
}

ncclResult_t ncclCommInitRank(ncclComm_t *out, int n_ranks, ncclUniqueId id, int rank)
{
    return ncclCommInitRankConfig(out, n_ranks, id, rank, nullptr);
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t handle, ncclResult_t *state)
{
    const guard held(lock());
    const comm_pointer comm = known(handle);

    if (planned_failure("ncclCommGetAsyncError")) return fail(ncclSystemError, "planned");
    *state = ncclInProgress;
    if (!comm->ready &&
        (comm->n_polls++ < 3 || comm->shared->n_joined.load() < (uint32_t)comm->n_ranks))
        return ncclSuccess;
    if (!comm->ready) all_are_there(*comm);
    if (comm->failure == ncclSuccess && !comm->late.empty()) {
        if (comm->n_polls++ < 2) return ncclSuccess;
        put_late(comm);
    }
    *state = comm->failure;
    return ncclSuccess;
}

ncclResult_t ncclCommFinalize(ncclComm_t handle)
{
    const guard held(lock());
    const comm_pointer comm = known(handle);

    if (planned_failure("ncclCommFinalize")) return fail(ncclSystemError, "planned");
    if (!comm->ready) return fail(ncclInvalidUsage, "initialisation is in progress");
    if (!comm->late.empty()) return fail(ncclInvalidArgument, "the call before is in progress");
    if (comm->failure == ncclSuccess) finish(comm);
    return comm->failure == ncclSuccess && !comm->blocking ? ncclInProgress : comm->failure;
}

ncclResult_t ncclCommDestroy(ncclComm_t handle)
{
    const guard held(lock());
    const comm_pointer comm = known(handle);

    if (comm->failure == ncclSuccess && comm->ready) finish(comm);
    comm->aborted = true;
    comms.erase(handle);
    return comm->blocking ? ncclSuccess : ncclInProgress;
}

ncclResult_t ncclCommAbort(ncclComm_t handle)
{
    const guard held(lock());
    const comm_pointer comm = known(handle);

    comm->aborted = true;
    comm->late.clear();
    comms.erase(handle);
    return ncclSuccess;
}

ncclResult_t ncclCommCount(const ncclComm_t handle, int *count)
{
    *count = handle->n_ranks;
    return ncclSuccess;
}

ncclResult_t ncclCommUserRank(const ncclComm_t handle, int *rank)
{
    *rank = handle->rank;
    return ncclSuccess;
}

ncclResult_t ncclGroupStart()
{
    const guard held(lock());

    if (group_depth++ == 0) group_result = ncclSuccess;
    return ncclSuccess;
}

ncclResult_t ncclGroupEnd()
{
    const guard held(lock());

    if (group_depth == 0) return fail(ncclInvalidUsage, "no group was started");
    return --group_depth == 0 ? group_result : ncclSuccess;
}

ncclResult_t ncclAllReduce(const void *send, void *receive, size_t count, ncclDataType_t type,
                           ncclRedOp_t how, ncclComm_t comm, cudaStream_t stream)
{
    return call("ncclAllReduce", comm,
                make(call_kind::all_reduce, send, receive, count, type, how, 0, stream));
}

ncclResult_t ncclReduce(const void *send, void *receive, size_t count, ncclDataType_t type,
                        ncclRedOp_t how, int root, ncclComm_t comm, cudaStream_t stream)
{
    return call("ncclReduce", comm,
                make(call_kind::reduce, send, receive, count, type, how, root, stream));
}

ncclResult_t ncclBroadcast(const void *send, void *receive, size_t count, ncclDataType_t type,
                           int root, ncclComm_t comm, cudaStream_t stream)
{
    return call("ncclBroadcast", comm,
                make(call_kind::broadcast, send, receive, count, type, ncclSum, root, stream));
}

ncclResult_t ncclBcast(void *buffer, size_t count, ncclDataType_t type, int root, ncclComm_t comm,
                       cudaStream_t stream)
{
    return ncclBroadcast(buffer, buffer, count, type, root, comm, stream);
}

ncclResult_t ncclReduceScatter(const void *send, void *receive, size_t count, ncclDataType_t type,
                               ncclRedOp_t how, ncclComm_t comm, cudaStream_t stream)
{
    return call("ncclReduceScatter", comm,
                make(call_kind::reduce_scatter, send, receive, count, type, how, 0, stream));
}

ncclResult_t ncclSend(const void *send, size_t count, ncclDataType_t type, int peer, ncclComm_t,
                      cudaStream_t stream)
{
    const guard held(lock());

    if (group_depth == 0) return fail(ncclInvalidUsage, "a send without a group");
    half_of_exchange = make(call_kind::exchange, send, nullptr, count, type, ncclSum, 0, stream);
    half_of_exchange.partner = peer;
    return ncclSuccess;
}

ncclResult_t ncclRecv(void *receive, size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                      cudaStream_t stream)
{
    operation both = half_of_exchange;

    if (!both.send || both.partner != peer || both.what.count != count ||
        both.what.type != (uint32_t)type || both.stream != stream || peer == comm->rank)
        return fail(ncclInvalidUsage, "a receive without its send");
    half_of_exchange.send = nullptr;
    both.receive = static_cast<char *>(receive);
    return call("ncclRecv", comm, both);
}

ncclResult_t ncclAllGather(const void *send, void *receive, size_t count, ncclDataType_t type,
                           ncclComm_t comm, cudaStream_t stream)
{
    return call("ncclAllGather", comm,
                make(call_kind::all_gather, send, receive, count, type, ncclSum, 0, stream));
}

} // extern "C"
