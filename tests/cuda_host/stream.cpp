// Streams, events and copies, and the executor that decides what runs when.
#include "device.h"
#include "launch.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <set>
#include <unistd.h>
#include <vector>

using cuda_host::step;

#pragma weak c3d_cuda_host_enqueue

// What an event's record stands for: a place in a stream.
struct mark {
    CUstream_st *stream;
    bool done;
    double at_ms;
};
using mark_pointer = std::shared_ptr<mark>;

struct item {
    step work;            // or
    mark_pointer waits;   // for that, or
    mark_pointer records; // that
};

struct CUstream_st {
    std::deque<item> queue;
    bool waits_for_legacy; // a "blocking" stream in CUDA's words
    int device;
    bool running;
};

struct CUevent_st {
    mark_pointer last;
    bool timed;
};

namespace cuda_host
{

// never destroyed: another thread may run streams while the program ends
static CUstream_st &legacy = *new CUstream_st{ {}, false, 0, false };
static std::set<CUstream_st *> &streams = *new std::set<CUstream_st *>;
static std::set<CUevent_st *> &events = *new std::set<CUevent_st *>;
static cudaError_t failed = cudaSuccess;
static int depth; // of work that is running
static bool in_host_function;

enum class order { lazy, eager, reverse, random };

static uint64_t random_state = 1;

static order mode()
{
    static const order chosen = [] {
        const char *text = setting("C3D_CUDA_HOST");
        if (!text || strcmp(text, "lazy") == 0) return order::lazy;
        if (strcmp(text, "eager") == 0) return order::eager;
        if (strcmp(text, "reverse") == 0) return order::reverse;
        if (strncmp(text, "random:", 7) != 0) fatal("C3D_CUDA_HOST=%s: what is that?", text);
        random_state = (uint64_t)atoll(text + 7) * 2 + 1;
        return order::random;
    }();
    return chosen;
}

static unsigned random_below(unsigned n)
{
    random_state = random_state * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)((random_state >> 33) % n);
}

on_device::on_device()
{
    if (depth++ == 0) set_access(true);
}

on_device::~on_device()
{
    if (--depth == 0) set_access(false);
}

void device_fail(cudaError_t error)
{
    if (failed == cudaSuccess) failed = error;
}

cudaError_t device_failed()
{
    return failed;
}

static double now_ms()
{
    const auto now = std::chrono::steady_clock::now().time_since_epoch();

    return std::chrono::duration<double, std::milli>(now).count();
}

static CUstream_st *known(cudaStream_t stream)
{
    if (!stream || stream == cudaStreamLegacy) return &legacy;
    return streams.count(stream) ? stream : nullptr;
}

bool stream_known(cudaStream_t stream)
{
    return known(stream) != nullptr;
}

enum class moved { yes, nothing_left, blocked };

static moved advance(CUstream_st *stream);

// The next thing that has to run so that a mark is reached.
static moved towards(const mark_pointer &target)
{
    if (target->done) return moved::yes;
    return advance(target->stream);
}

static moved advance(CUstream_st *stream)
{
    if (stream->queue.empty()) return moved::nothing_left;
    if (stream->running) return moved::blocked;
    item &next = stream->queue.front();
    if (next.waits && !next.waits->done) return towards(next.waits);
    if (next.records) {
        next.records->done = true;
        next.records->at_ms = now_ms();
    }
    if (next.work && failed == cudaSuccess) {
        const on_device access;

        stream->running = true;
        const bool done = next.work();
        stream->running = false;
        if (!done) return moved::blocked;
    }
    stream->queue.pop_front();
    return moved::yes;
}

static std::vector<CUstream_st *> all_streams()
{
    std::vector<CUstream_st *> all(streams.begin(), streams.end());

    all.push_back(&legacy);
    return all;
}

static CUstream_st *any_stream()
{
    const auto all = all_streams();

    return all[random_below((unsigned)all.size())];
}

// Others first, as far as they come.
static void others(const CUstream_st *not_this)
{
    for (CUstream_st *stream : all_streams())
        while (stream != not_this && advance(stream) == moved::yes) continue;
}

static void shuffle()
{
    if (mode() != order::random || depth > 0) return;
    for (unsigned n = random_below(4); n > 0; n--) (void)advance(any_stream());
}

// Runs one more thing that `next` needs; false when it is blocked by another rank.
static bool push(const std::function<moved()> &next, const CUstream_st *target)
{
    if (mode() == order::random && random_below(2) == 0) {
        (void)advance(any_stream());
        return true;
    }
    if (next() != moved::blocked) return true;
    others(target);
    return false;
}

static bool try_until(const std::function<bool()> &done, const std::function<moved()> &next,
                      const CUstream_st *target)
{
    if (mode() == order::reverse) others(target);
    while (!done())
        if (!push(next, target)) return done();
    return true;
}

static void run_until(const std::function<bool()> &done, const std::function<moved()> &next,
                      const CUstream_st *target)
{
    while (!try_until(done, next, target)) {
        // another thread may bring the other ranks forward meanwhile
        if (depth == 0) lock().unlock();
        usleep(100);
        if (depth == 0) lock().lock();
    }
}

bool stream_advance(cudaStream_t handle)
{
    CUstream_st *s = known(handle);

    return s && advance(s) == moved::yes;
}

bool stream_try(cudaStream_t handle)
{
    CUstream_st *s = known(handle);

    return try_until([s] { return s->queue.empty(); }, [s] { return advance(s); }, s);
}

static void finish(CUstream_st *s)
{
    run_until([s] { return s->queue.empty(); }, [s] { return advance(s); }, s);
}

void stream_finish(cudaStream_t handle)
{
    finish(known(handle));
}

void device_finish()
{
    for (CUstream_st *stream : all_streams()) finish(stream);
}

static mark_pointer record(CUstream_st *stream)
{
    const auto place = std::make_shared<mark>(mark{ stream, false, 0 });

    stream->queue.push_back({ nullptr, nullptr, place });
    return place;
}

static void put(CUstream_st *stream, const item &what)
{
    // the legacy stream and blocking streams wait for each other
    if (stream == &legacy) {
        for (CUstream_st *other : streams)
            if (other->waits_for_legacy && !other->queue.empty())
                legacy.queue.push_back({ nullptr, record(other), nullptr });
    } else if (stream->waits_for_legacy && !legacy.queue.empty()) {
        stream->queue.push_back({ nullptr, record(&legacy), nullptr });
    }
    stream->queue.push_back(what);
    if (mode() == order::eager && depth == 0)
        for (CUstream_st *each : all_streams())
            while (advance(each) == moved::yes) continue;
    shuffle();
}

void enqueue(cudaStream_t handle, step work)
{
    CUstream_st *stream = known(handle);

    if (!stream) fatal("work for a stream that does not exist");
    put(stream, { std::move(work), nullptr, nullptr });
}

void enqueue(cudaStream_t stream, std::function<void()> work)
{
    enqueue(stream, step([work = std::move(work)] {
                work();
                return true;
            }));
}

// ---- kernels
// -------------------------------------------------------------------------------------

static cudaError_t begin(const char *call);

static cudaError_t launch(cudaStream_t stream, std::function<void()> work)
{
    const guard held(lock());
    const cudaError_t error = begin("cudaLaunchKernelEx");

    if (error != cudaSuccess) return result(error);
    if (!known(stream)) return result(cudaErrorInvalidResourceHandle);
    enqueue(stream, std::move(work));
    return result(failed);
}

// Programs without kernels are linked without launch.cpp.
static const bool takes_launches = [] {
    if (&c3d_cuda_host_enqueue) c3d_cuda_host_enqueue = launch;
    return true;
}();

static cudaError_t begin(const char *call)
{
    if (planned_failure(call)) return cudaErrorLaunchFailure;
    if (in_host_function) return cudaErrorNotPermitted;
    if (device_count() <= 0) return cudaErrorNoDevice;
    return failed;
}

// ---- copies
// --------------------------------------------------------------------------------------

static cudaError_t direction(cudaMemcpyKind kind, const void *to, const void *from, size_t n,
                             cudaMemcpyKind *out)
{
    const bool to_device = is_device(to, n), from_device = is_device(from, n);
    static const cudaMemcpyKind kinds[2][2] = {
        { cudaMemcpyHostToHost, cudaMemcpyHostToDevice },
        { cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice },
    };

    *out = kinds[from_device][to_device];
    if (kind == cudaMemcpyDefault || kind == *out) return cudaSuccess;
    return cudaErrorInvalidValue;
}

static void move_later(cudaStream_t stream, void *to, const void *from, size_t n,
                       cudaMemcpyKind kind)
{
    enqueue(stream, std::function<void()>([=] {
                const bool gone = (kind == cudaMemcpyHostToDevice && !is_pinned(from, n)) ||
                                  (kind == cudaMemcpyDeviceToHost && !is_pinned(to, n));
                if (gone) fatal("a copy of %zu bytes ran after its host memory was unpinned", n);
                memmove(to, from, n);
            }));
}

static cudaError_t copy(void *to, const void *from, size_t n, cudaMemcpyKind kind,
                        cudaStream_t stream)
{
    cudaMemcpyKind real;

    if (!known(stream)) return cudaErrorInvalidResourceHandle;
    if (n == 0) return cudaSuccess;
    const cudaError_t error = direction(kind, to, from, n, &real);
    if (error != cudaSuccess) return error;
    if (real == cudaMemcpyHostToDevice && !is_pinned(from, n)) { // staged
        const auto staged =
            std::make_shared<std::vector<char>>((const char *)from, (const char *)from + n);
        enqueue(stream, std::function<void()>([=] { memcpy(to, staged->data(), n); }));
    } else {
        const bool pageable = real == cudaMemcpyDeviceToHost && !is_pinned(to, n);
        if (pageable || real == cudaMemcpyHostToHost) {
            enqueue(stream, std::function<void()>([=] { memmove(to, from, n); }));
            stream_finish(stream);
        } else {
            move_later(stream, to, from, n, real);
        }
    }
    return failed;
}

} // namespace cuda_host

using namespace cuda_host;

extern "C" {

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n, cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    const guard held(lock());
    const cudaError_t error = begin("cudaMemcpyAsync");

    return result(error != cudaSuccess ? error : copy(to, from, n, kind, stream));
}

// From pageable memory and between places of the device it may return before it is done.
cudaError_t cudaMemcpy(void *to, const void *from, size_t n, cudaMemcpyKind kind)
{
    const guard held(lock());
    cudaError_t error = begin("cudaMemcpy");
    cudaMemcpyKind real = kind;

    if (error == cudaSuccess && n > 0) error = direction(kind, to, from, n, &real);
    if (error == cudaSuccess) error = copy(to, from, n, kind, nullptr);
    const bool returns_early =
        real == cudaMemcpyDeviceToDevice || (real == cudaMemcpyHostToDevice && !is_pinned(from, n));
    if (error == cudaSuccess && !returns_early) stream_finish(nullptr);
    return result(error);
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t n, cudaStream_t stream)
{
    const guard held(lock());
    const cudaError_t error = begin("cudaMemsetAsync");

    if (error != cudaSuccess || n == 0) return result(error);
    if (!known(stream)) return result(cudaErrorInvalidResourceHandle);
    if (!is_device(to, n)) return result(cudaErrorInvalidValue);
    enqueue(stream, std::function<void()>([=] { memset(to, value, n); }));
    return result(failed);
}

cudaError_t cudaMemset(void *to, int value, size_t n)
{
    return cudaMemsetAsync(to, value, n, nullptr);
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *out, unsigned int flags, int)
{
    const guard held(lock());
    const cudaError_t error = begin("cudaStreamCreate");

    if (error != cudaSuccess) return result(error);
    *out = new CUstream_st{ {}, !(flags & cudaStreamNonBlocking), current_device(), false };
    streams.insert(*out);
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned int flags)
{
    return cudaStreamCreateWithPriority(out, flags, 0);
}

cudaError_t cudaStreamCreate(cudaStream_t *out)
{
    return cudaStreamCreateWithPriority(out, cudaStreamDefault, 0);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    const guard held(lock());

    if (planned_failure("cudaStreamDestroy")) return result(cudaErrorUnknown);
    if (!stream || !known(stream)) return result(cudaErrorInvalidResourceHandle);
    finish(stream); // the real one lets it finish by itself
    streams.erase(stream);
    delete stream;
    return result(failed);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    const guard held(lock());
    const cudaError_t error = begin("cudaStreamSynchronize");

    if (error != cudaSuccess) return result(error);
    if (!known(stream)) return result(cudaErrorInvalidResourceHandle);
    stream_finish(stream);
    return result(failed);
}

cudaError_t cudaDeviceSynchronize(void)
{
    const guard held(lock());
    const cudaError_t error = begin("cudaDeviceSynchronize");

    if (error == cudaSuccess) device_finish();
    return result(error != cudaSuccess ? error : failed);
}

// Only every second question brings anything forward: who asks must be ready for "not yet".
static bool moves(const std::function<bool()> &done, const std::function<bool()> &bring)
{
    static bool second;

    if (done()) return true;
    second = !second;
    return second && mode() != order::eager ? false : bring();
}

cudaError_t cudaStreamQuery(cudaStream_t stream)
{
    const guard held(lock());
    const cudaError_t error = begin("cudaStreamQuery");
    CUstream_st *s = known(stream);

    if (error != cudaSuccess) return result(error);
    if (!s) return result(cudaErrorInvalidResourceHandle);
    const bool done =
        moves([s] { return s->queue.empty(); }, [stream] { return stream_try(stream); });
    return result(failed != cudaSuccess ? failed : done ? cudaSuccess : cudaErrorNotReady);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int)
{
    const guard held(lock());
    const cudaError_t error = begin("cudaStreamWaitEvent");

    if (error != cudaSuccess) return result(error);
    if (!known(stream) || !events.count(event)) return result(cudaErrorInvalidResourceHandle);
    if (event->last && !event->last->done) put(known(stream), { nullptr, event->last, nullptr });
    return cudaSuccess;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void *context)
{
    const guard held(lock());
    const cudaError_t error = begin("cudaLaunchHostFunc");

    if (error != cudaSuccess) return result(error);
    if (!known(stream)) return result(cudaErrorInvalidResourceHandle);
    enqueue(stream, std::function<void()>([=] {
                in_host_function = true;
                function(context);
                in_host_function = false;
            }));
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned int flags)
{
    const guard held(lock());
    const cudaError_t error = begin("cudaEventCreate");

    if (error != cudaSuccess) return result(error);
    *out = new CUevent_st{ nullptr, !(flags & cudaEventDisableTiming) };
    events.insert(*out);
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *out)
{
    return cudaEventCreateWithFlags(out, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    const guard held(lock());

    if (planned_failure("cudaEventDestroy")) return result(cudaErrorUnknown);
    if (!events.erase(event)) return result(cudaErrorInvalidResourceHandle);
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    const guard held(lock());
    const cudaError_t error = begin("cudaEventRecord");
    CUstream_st *s = known(stream);

    if (error != cudaSuccess) return result(error);
    if (!s || !events.count(event)) return result(cudaErrorInvalidResourceHandle);
    event->last = std::make_shared<mark>(mark{ s, false, 0 });
    put(s, { nullptr, nullptr, event->last });
    return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    const guard held(lock());
    const cudaError_t error = begin("cudaEventQuery");

    if (error != cudaSuccess) return result(error);
    if (!events.count(event)) return result(cudaErrorInvalidResourceHandle);
    const mark_pointer last = event->last;
    if (!last) return cudaSuccess;
    const auto reached = [last] { return last->done; };
    const bool done = moves(reached, [last, reached] {
        return try_until(
            reached, [last] { return towards(last); }, last->stream);
    });
    return result(failed != cudaSuccess ? failed : done ? cudaSuccess : cudaErrorNotReady);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    const guard held(lock());
    const cudaError_t error = begin("cudaEventSynchronize");

    if (error != cudaSuccess) return result(error);
    if (!events.count(event)) return result(cudaErrorInvalidResourceHandle);
    const mark_pointer last = event->last;
    if (last)
        run_until([last] { return last->done; }, [last] { return towards(last); }, last->stream);
    return result(failed);
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t begin_event, cudaEvent_t end_event)
{
    const guard held(lock());
    const cudaError_t error = begin("cudaEventElapsedTime");

    if (error != cudaSuccess) return result(error);
    if (!events.count(begin_event) || !events.count(end_event) || !begin_event->timed ||
        !end_event->timed || !begin_event->last || !end_event->last)
        return result(cudaErrorInvalidResourceHandle);
    if (!begin_event->last->done || !end_event->last->done) return result(cudaErrorNotReady);
    *ms = (float)(end_event->last->at_ms - begin_event->last->at_ms);
    return cudaSuccess;
}

} // extern "C"
