// One collective operation, a slot full at a time: every rank puts its part into its slot, and when
// all have, takes what it needs. Sums are in rank order and round after each addition.
#include "nccl_ranks.h"
#include "numbers.h"

#include <algorithm>

namespace cuda_host
{

size_t nccl_size(uint32_t type)
{
    switch (type) {
    case ncclInt8:
    case ncclUint8: return 1;
    case ncclFloat16:
    case ncclBfloat16: return 2;
    case ncclInt64:
    case ncclUint64:
    case ncclFloat64: return 8;
    default: return 4;
    }
}

template <typename T> static T combine(uint32_t operation, T a, T b)
{
    switch (operation) {
    case ncclSum:
    case ncclAvg: return (T)(a + b);
    case ncclProd: return (T)(a * b);
    case ncclMax: return std::max(a, b);
    default: return std::min(a, b);
    }
}

template <typename T> static void add(uint32_t operation, const char *from, char *to, size_t n)
{
    const T *b = reinterpret_cast<const T *>(from);
    T *a = reinterpret_cast<T *>(to);

    for (size_t i = 0; i < n; i++) a[i] = combine(operation, a[i], b[i]);
}

static void add_low(number type, uint32_t operation, const char *from, char *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        number_store(type, to, i,
                     combine(operation, number_load(type, to, i), number_load(type, from, i)));
}

static void add_any(const signature &s, const char *from, char *to, size_t n)
{
    switch (s.type) {
    case ncclFloat32: return add<float>(s.operation, from, to, n);
    case ncclFloat64: return add<double>(s.operation, from, to, n);
    case ncclInt32: return add<int32_t>(s.operation, from, to, n);
    case ncclInt64: return add<int64_t>(s.operation, from, to, n);
    case ncclUint64: return add<uint64_t>(s.operation, from, to, n);
    case ncclFloat16: return add_low(number::f16, s.operation, from, to, n);
    case ncclBfloat16: return add_low(number::bf16, s.operation, from, to, n);
    default: fatal("NCCL: sums of type %u are not known here", s.type);
    }
}

// Of all ranks' slots from `begin` on.
static void sum_slots(const ncclComm &comm, const operation &o, size_t begin, char *to, size_t n)
{
    const size_t size = nccl_size(o.what.type);

    memcpy(to, comm.shared->slots[0] + begin, n * size);
    for (int r = 1; r < comm.n_ranks; r++) add_any(o.what, comm.shared->slots[r] + begin, to, n);
    if (o.what.operation != ncclAvg) return;
    if (o.what.type != ncclFloat32) fatal("NCCL: averages of type %u", o.what.type);
    for (size_t i = 0; i < n; i++) reinterpret_cast<float *>(to)[i] /= (float)comm.n_ranks;
}

static size_t piece(const ncclComm &comm, const operation &o)
{
    const bool shares = o.what.kind == call_kind::reduce_scatter;
    const size_t room = slot_bytes / (shares ? (size_t)comm.n_ranks : 1) / 8 * 8;

    return std::min(o.what.count - o.at, room / nccl_size(o.what.type));
}

static void publish(const ncclComm &comm, operation &o)
{
    const size_t size = nccl_size(o.what.type), n = piece(comm, o) * size;
    char *slot = comm.shared->slots[comm.rank];

    if (o.what.kind == call_kind::reduce_scatter) {
        for (int r = 0; r < comm.n_ranks; r++)
            memcpy(slot + (size_t)r * n, o.send + ((size_t)r * o.what.count + o.at) * size, n);
    } else if (o.what.kind != call_kind::broadcast || (int)o.what.root == comm.rank) {
        memcpy(slot, o.send + o.at * size, n);
    }
}

static void take(const ncclComm &comm, operation &o)
{
    const size_t size = nccl_size(o.what.type), n = piece(comm, o);
    char *to = o.receive + o.at * size;

    switch (o.what.kind) {
    case call_kind::all_reduce: sum_slots(comm, o, 0, to, n); break;
    case call_kind::reduce:
        if ((int)o.what.root == comm.rank) sum_slots(comm, o, 0, to, n);
        break;
    case call_kind::broadcast: memcpy(to, comm.shared->slots[o.what.root], n * size); break;
    case call_kind::reduce_scatter: sum_slots(comm, o, (size_t)comm.rank * n * size, to, n); break;
    case call_kind::all_gather:
        for (int r = 0; r < comm.n_ranks; r++)
            memcpy(to + (size_t)r * o.what.count * size, comm.shared->slots[r], n * size);
        break;
    case call_kind::exchange:
        if (comm.shared->seats[o.partner].partner != comm.rank)
            fatal("NCCL: rank %d sends to one that sends to another", comm.rank);
        memcpy(to, comm.shared->slots[o.partner], n * size);
        break;
    }
}

static bool same(const signature &a, const signature &b)
{
    return a.kind == b.kind && a.type == b.type && a.operation == b.operation && a.root == b.root &&
           a.count == b.count;
}

static bool all_reached(const ncclComm &comm, uint64_t round, bool consumed)
{
    for (int r = 0; r < comm.n_ranks; r++) {
        const seat &s = comm.shared->seats[r];
        if ((consumed ? s.consumed : s.published).load() < round) return false;
    }
    return true;
}

bool operation_step(ncclComm &comm, operation &o)
{
    seat &own = comm.shared->seats[comm.rank];

    if (comm.aborted) return true;
    if (o.hangs) return false;
    while (o.at < o.what.count) {
        const uint64_t round = own.published.load();
        if (!o.published) {
            if (!all_reached(comm, round, true)) return false; // slots are still being read
            publish(comm, o);
            own.now = o.what;
            own.partner = o.partner;
            own.published.store(round + 1);
            o.published = true;
            continue;
        }
        if (!all_reached(comm, round, false)) return false;
        for (int r = 0; r < comm.n_ranks; r++)
            if (!same(comm.shared->seats[r].now, o.what))
                fatal("NCCL: rank %d and rank %d do not call the same", comm.rank, r);
        take(comm, o);
        o.at += piece(comm, o);
        o.published = false;
        own.consumed.store(round);
    }
    return true;
}

} // namespace cuda_host
