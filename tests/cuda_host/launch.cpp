#include "kernel.h"
#include "switch.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#define START_SWITCH(fake, to)    __sanitizer_start_switch_fiber(fake, (to).base, (to).size)
#define FINISH_SWITCH(fake, from) __sanitizer_finish_switch_fiber(fake, &(from).base, &(from).size)
#else
#define START_SWITCH(fake, to)    (void)0
#define FINISH_SWITCH(fake, from) (void)0
#endif

extern "C" {
extern unsigned char __start_c3d_shared[] __attribute__((weak));
extern unsigned char __stop_c3d_shared[] __attribute__((weak));
}

__thread uint3 threadIdx, blockIdx, blockDim, gridDim;

namespace c3d_cuda_host
{

namespace
{

constexpr size_t stack_bytes = 256 * 1024;

struct stack_range {
    const void *base;
    size_t size;
};

struct fiber {
    stack_place place;
    std::unique_ptr<char[]> stack;
    stack_range range;
    void *fake = nullptr;
    unsigned thread;  /* whose kernel it is in */
    const char *file; /* of the barrier it waits at; NULL: free */
    int line;
};

/* One grid on one thread of the host. */
struct grid {
    const char *name;
    const std::function<void()> *thread;
    uint64_t seed;
    std::vector<unsigned> order; /* of the block's threads */
    size_t n_begun;
};

/* Of one thread of the host, kept from grid to grid. */
struct pool {
    std::vector<std::unique_ptr<fiber>> all;
    std::vector<fiber *> free, waiting;
    fiber *running = nullptr;
    stack_place scheduler;
    stack_range scheduler_range;
    void *scheduler_fake = nullptr;
    grid *work = nullptr;
};

thread_local pool fibers;
uint64_t shuffle_seed, n_launches;
std::mutex one_grid; /* shared variables are static */

[[noreturn]] void fail(const grid &g, const char *what, const fiber &f)
{
    fprintf(stderr, "launch of %s: block (%u, %u, %u), thread %u: %s, at the barrier of %s:%d\n",
            g.name, blockIdx.x, blockIdx.y, blockIdx.z, f.thread, what, f.file, f.line);
    abort();
}

void stand_on(unsigned thread)
{
    const uint3 n = blockDim;

    threadIdx = uint3{ thread % n.x, thread / n.x % n.y, thread / (n.x * n.y) };
}

void leave(fiber *f)
{
    pool &p = fibers;

    (void)f;
    START_SWITCH(&f->fake, p.scheduler_range);
    stack_change(&f->place, &p.scheduler);
    FINISH_SWITCH(f->fake, p.scheduler_range);
}

/* Takes one thread of the block after another; a barrier binds the fiber to the one it is in. */
void live()
{
    pool &p = fibers;
    fiber *const self = p.running;

    FINISH_SWITCH(nullptr, p.scheduler_range);
    for (;;) {
        while (p.work->n_begun < p.work->order.size()) {
            self->thread = p.work->order[p.work->n_begun++];
            stand_on(self->thread);
            (*p.work->thread)();
        }
        self->file = nullptr;
        leave(self);
    }
}

void enter(fiber *f)
{
    pool &p = fibers;

    p.running = f;
    START_SWITCH(&p.scheduler_fake, f->range);
    stack_change(&p.scheduler, &f->place);
    FINISH_SWITCH(p.scheduler_fake, f->range);
    (f->file ? p.waiting : p.free).push_back(f);
}

fiber *free_fiber()
{
    pool &p = fibers;

    if (p.free.empty()) {
        auto f = std::make_unique<fiber>();

        f->stack.reset(new char[stack_bytes]);
        f->range = stack_range{ f->stack.get(), stack_bytes };
        stack_prepare(&f->place, f->stack.get(), stack_bytes, live);
        p.free.push_back(f.get());
        p.all.push_back(std::move(f));
    }
    fiber *const f = p.free.back();
    p.free.pop_back();
    return f;
}

uint64_t draw(uint64_t &state) /* splitmix64 (Steele, Lea and Flood 2014) */
{
    uint64_t z = state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

template <typename T> void mix(std::vector<T> &order, uint64_t &seed)
{
    if (seed == 0) return;
    for (size_t i = order.size(); i > 1; i--) std::swap(order[i - 1], order[draw(seed) % i]);
}

/* All threads of the block must wait at the same place. */
void check_barrier(const grid &g)
{
    const std::vector<fiber *> &waiting = fibers.waiting;

    for (const fiber *f : waiting) {
        if (waiting.size() != g.order.size()) fail(g, "others of the block have ended", *f);
        if (f->line != waiting[0]->line || strcmp(f->file, waiting[0]->file) != 0)
            fail(g, "others wait elsewhere", *f);
    }
}

void fill_shared()
{
    unsigned char *const begin = __start_c3d_shared, *const end = __stop_c3d_shared;

    if (begin) memset(begin, 0xff, (size_t)(end - begin));
}

void run_block(grid &g)
{
    pool &p = fibers;

    fill_shared();
    mix(g.order, g.seed);
    g.n_begun = 0;
    while (g.n_begun < g.order.size()) enter(free_fiber());
    while (!p.waiting.empty()) {
        check_barrier(g);
        std::vector<fiber *> phase;

        phase.swap(p.waiting);
        mix(phase, g.seed);
        for (fiber *f : phase) enter(f);
    }
}

void run_grid(const char *name, dim3 grid_extent, dim3 block_extent,
              const std::function<void()> &thread, uint64_t seed)
{
    const std::lock_guard<std::mutex> lock(one_grid);
    const size_t n_threads = (size_t)block_extent.x * block_extent.y * block_extent.z;
    const size_t n_blocks = (size_t)grid_extent.x * grid_extent.y * grid_extent.z;
    grid g = { name, &thread, seed, std::vector<unsigned>(n_threads), 0 };
    std::vector<size_t> blocks(n_blocks);

    for (size_t i = 0; i < n_threads; i++) g.order[i] = (unsigned)i;
    for (size_t i = 0; i < n_blocks; i++) blocks[i] = i;
    mix(blocks, g.seed);
    fibers.work = &g;
    blockDim = uint3{ block_extent.x, block_extent.y, block_extent.z };
    gridDim = uint3{ grid_extent.x, grid_extent.y, grid_extent.z };
    for (const size_t b : blocks) {
        const size_t plane = b / grid_extent.x;

        blockIdx = uint3{ (unsigned)(b % grid_extent.x), (unsigned)(plane % grid_extent.y),
                          (unsigned)(plane / grid_extent.y) };
        run_block(g);
    }
}

cudaError_t run_at_once(cudaStream_t, std::function<void()> work)
{
    work();
    return cudaSuccess;
}

bool is_within_limits(const cudaLaunchConfig_t &c)
{
    const dim3 g = c.gridDim, b = c.blockDim;

    return g.x >= 1 && g.y >= 1 && g.z >= 1 && g.x <= 0x7fffffff && g.y <= 65535 && g.z <= 65535 &&
           b.x >= 1 && b.y >= 1 && b.z >= 1 && b.x <= 1024 && b.y <= 1024 && b.z <= 64 &&
           (size_t)b.x * b.y * b.z <= 1024 && c.dynamicSmemBytes == 0;
}

} // namespace

void barrier(const char *file, int line)
{
    fiber *const self = fibers.running;

    self->file = file;
    self->line = line;
    leave(self);
    stand_on(self->thread);
}

cudaError_t launch_grid(const char *name, const cudaLaunchConfig_t *config,
                        std::function<void()> thread)
{
    const dim3 grid_extent = config->gridDim, block_extent = config->blockDim;
    const uint64_t seed = shuffle_seed;

    if (!is_within_limits(*config)) return cudaErrorInvalidConfiguration;
    n_launches++;
    return c3d_cuda_host_enqueue(config->stream,
                                 [=] { run_grid(name, grid_extent, block_extent, thread, seed); });
}

} // namespace c3d_cuda_host

cudaError_t (*c3d_cuda_host_enqueue)(cudaStream_t stream,
                                     std::function<void()> work) = c3d_cuda_host::run_at_once;

void c3d_cuda_host_shuffle(uint64_t seed)
{
    c3d_cuda_host::shuffle_seed = seed;
}

uint64_t c3d_cuda_host_launches(void)
{
    return c3d_cuda_host::n_launches;
}
