#include "backend/cuda/cuda.h"

#include <stdlib.h>
#include <string.h>

/* ---- ranges ---------------------------------------------------------------------------------- */

static c3d_status ranges_add(cuda_ranges *r, void *begin, size_t n_bytes)
{
    if (r->n == r->n_room) {
        const size_t n_room = 2 * r->n_room + 64;
        struct cuda_range *const larger = realloc(r->list, n_room * sizeof *larger);

        if (!larger) return C3D_FAIL(C3D_ENOMEM, "backend cuda: memory exhausted");
        r->list = larger;
        r->n_room = n_room;
    }
    r->list[r->n++] = (struct cuda_range){ begin, n_bytes };
    return C3D_OK;
}

/* Removes the range that begins there; false when there is none. */
static bool ranges_take(cuda_ranges *r, const void *begin, size_t *n_bytes_out)
{
    for (size_t i = r->n; i-- > 0;) {
        if (r->list[i].begin != begin) continue;
        *n_bytes_out = r->list[i].n_bytes;
        r->list[i] = r->list[--r->n];
        return true;
    }
    return false;
}

/* ---- buffers --------------------------------------------------------------------------------- */

/* What an allocation takes: the driver hands out parts of 2 MiB blocks to small ones and whole
 * blocks to large ones. */
static size_t taken(size_t n_bytes)
{
    const size_t grain = n_bytes > (size_t)1 << 20 ? (size_t)2 << 20 : 512;

    return (n_bytes + (n_bytes == 0) + grain - 1) / grain * grain;
}

static c3d_status allocate(cuda *c, size_t n_bytes, void **out)
{
    size_t n_free = 0, total = 0;
    const cudaError_t error = cudaMalloc(out, n_bytes);

    if (error != cudaErrorMemoryAllocation) {
        C3D_CUDA_SAID(error, "cudaMalloc");
        return C3D_OK;
    }
    (void)cudaGetLastError();
    (void)cudaMemGetInfo(&n_free, &total);
    return C3D_FAIL(C3D_ENOMEM,
                    "backend cuda: no memory for %zu bytes: %zu of %zu on device %d are free",
                    n_bytes, n_free, total, c->device);
}

/* The host waits, so that another stream finds the zeros too. */
static c3d_status clear(cuda *c, void *buffer, size_t n_bytes)
{
    C3D_CUDA(cudaMemsetAsync(buffer, 0, n_bytes, c->stream));
    C3D_CUDA(cudaStreamSynchronize(c->stream));
    return C3D_OK;
}

c3d_status c3d_cuda_alloc(c3d_backend *self, size_t n_bytes, void **out)
{
    cuda *c = cuda_of(self);
    const bool is_real = !self->options.dry_run;
    void *buffer = c->next_address;

    if (n_bytes > SIZE_MAX / 4)
        return C3D_FAIL(C3D_ENOMEM, "backend cuda: no memory for %zu bytes", n_bytes);
    const size_t n_taken = taken(n_bytes);
    C3D_TRY(c3d_cuda_use(c));
    if (is_real) C3D_TRY(allocate(c, n_taken, &buffer));
    c3d_status st = is_real ? clear(c, buffer, n_taken) : C3D_OK;
    if (st == C3D_OK) st = ranges_add(&c->buffers, buffer, n_taken);
    if (st != C3D_OK) {
        if (is_real) (void)cudaFree(buffer);
        return st;
    }
    if (!is_real) c->next_address += n_taken;
    self->n_bytes += n_taken;
    *out = buffer;
    return C3D_OK;
}

/* Nothing that was enqueued may still need the buffer. */
void c3d_cuda_free(c3d_backend *self, void *buffer)
{
    cuda *c = cuda_of(self);
    size_t n_bytes;

    if (!buffer || !ranges_take(&c->buffers, buffer, &n_bytes)) return;
    self->n_bytes -= n_bytes;
    if (self->options.dry_run) return;
    (void)cudaSetDevice(c->device);
    (void)cudaStreamSynchronize(c->uploads);
    (void)cudaStreamSynchronize(c->stream);
    (void)cudaFree(buffer);
    (void)cudaGetLastError();
}

c3d_status c3d_cuda_slot_grow(cuda *c, cuda_slot_name name, size_t n_bytes)
{
    cuda_slot *s = &c->slots[name];

    if (n_bytes <= s->n_bytes) return C3D_OK;
    c3d_cuda_free(c->backend, s->data); /* first: the two need not fit side by side */
    *s = (cuda_slot){ 0 };
    C3D_TRY(c3d_cuda_alloc(c->backend, n_bytes, &s->data));
    s->n_bytes = n_bytes;
    return C3D_OK;
}

void c3d_cuda_memory_close(cuda *c)
{
    for (size_t i = 0; i < c->pins.n; i++) (void)cudaHostUnregister(c->pins.list[i].begin);
    (void)cudaGetLastError();
    free(c->pins.list);
    free(c->buffers.list);
    c->pins = c->buffers = (cuda_ranges){ 0 };
}

/* ---- copies ---------------------------------------------------------------------------------- */

c3d_status c3d_cuda_upload(c3d_backend *self, void *to, const void *from_host, size_t n_bytes)
{
    cuda *c = cuda_of(self);

    if (n_bytes == 0) return C3D_OK;
    C3D_TRY(c3d_cuda_use(c));
    c3d_cuda_note("an upload");
    C3D_CUDA(cudaMemcpyAsync(to, from_host, n_bytes, cudaMemcpyHostToDevice, c->stream));
    C3D_CUDA(cudaStreamSynchronize(c->stream));
    return C3D_OK;
}

c3d_status c3d_cuda_download(c3d_backend *self, void *to_host, const void *from, size_t n_bytes)
{
    cuda *c = cuda_of(self);

    if (n_bytes == 0) return C3D_OK;
    C3D_TRY(c3d_cuda_use(c));
    C3D_CUDA(cudaMemcpyAsync(to_host, from, n_bytes, cudaMemcpyDeviceToHost, c->stream));
    C3D_CUDA(cudaStreamSynchronize(c->stream));
    return C3D_OK;
}

c3d_status c3d_cuda_zero(c3d_backend *self, void *buffer, size_t n_bytes)
{
    cuda *c = cuda_of(self);

    if (n_bytes == 0) return C3D_OK;
    C3D_TRY(c3d_cuda_use(c));
    C3D_CUDA(cudaMemsetAsync(buffer, 0, n_bytes, c->stream));
    c3d_cuda_note("a zeroing");
    return C3D_OK;
}

/* ---- page-locked host memory ----------------------------------------------------------------- */

/* Only a matter of speed: memory that is refused, or page-locked by somebody else, is left as it
 * is. */
c3d_status c3d_cuda_pin(c3d_backend *self, void *memory, size_t n_bytes)
{
    cuda *c = cuda_of(self);

    if (!memory || n_bytes == 0 || self->options.dry_run) return C3D_OK;
    C3D_TRY(c3d_cuda_use(c));
    if (cudaHostRegister(memory, n_bytes, cudaHostRegisterPortable) != cudaSuccess) {
        (void)cudaGetLastError();
        return C3D_OK;
    }
    const c3d_status st = ranges_add(&c->pins, memory, n_bytes);
    if (st != C3D_OK) (void)cudaHostUnregister(memory);
    return st;
}

void c3d_cuda_unpin(c3d_backend *self, void *memory)
{
    cuda *c = cuda_of(self);
    size_t n_bytes;

    if (!memory || !ranges_take(&c->pins, memory, &n_bytes)) return;
    (void)cudaSetDevice(c->device);
    (void)cudaStreamSynchronize(c->uploads);
    (void)cudaStreamSynchronize(c->stream);
    (void)cudaHostUnregister(memory);
    (void)cudaGetLastError();
}

bool c3d_cuda_is_pinned(const cuda *c, const void *memory, size_t n_bytes)
{
    const char *begin = memory;

    for (size_t i = 0; i < c->pins.n; i++) {
        const struct cuda_range *r = &c->pins.list[i];

        if (begin >= r->begin && begin + n_bytes <= r->begin + r->n_bytes) return true;
    }
    return false;
}
