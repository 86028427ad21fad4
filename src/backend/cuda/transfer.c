#include "backend/cuda/cuda.h"

#include <string.h>

/* ---- open and close -------------------------------------------------------------------------- */

static c3d_status event_create(cudaEvent_t *out)
{
    C3D_CUDA(cudaEventCreateWithFlags(out, cudaEventDisableTiming));
    return C3D_OK;
}

c3d_status c3d_cuda_transfer_open(cuda *c)
{
    void *host;

    for (int i = 0; i < PARCELS; i++) {
        C3D_TRY(event_create(&c->parcels[i].arrived));
        C3D_CUDA(cudaEventCreate(&c->parcels[i].read));
        C3D_CUDA(cudaEventCreate(&c->parcels[i].asked));
    }
    for (int i = 0; i < C3D_MARKS; i++) C3D_TRY(event_create(&c->marks[i]));
    if (c->backend->options.dry_run) return C3D_OK;
    C3D_CUDA(cudaHostAlloc(&host, LETTER_BYTES, cudaHostAllocDefault));
    c->outbox.host = host;
    return C3D_OK;
}

static void parcels_free(cuda *c)
{
    c3d_cuda_free(c->backend, c->parcels[0].device);
    if (c->parcels[0].host) (void)cudaFreeHost(c->parcels[0].host);
    for (int i = 0; i < PARCELS; i++) c->parcels[i].host = c->parcels[i].device = NULL;
    c->parcel_bytes = 0;
}

void c3d_cuda_transfer_close(cuda *c)
{
    parcels_free(c);
    for (int i = 0; i < PARCELS; i++) {
        if (c->parcels[i].arrived) (void)cudaEventDestroy(c->parcels[i].arrived);
        if (c->parcels[i].read) (void)cudaEventDestroy(c->parcels[i].read);
        if (c->parcels[i].asked) (void)cudaEventDestroy(c->parcels[i].asked);
    }
    for (int i = 0; i < C3D_MARKS; i++)
        if (c->marks[i]) (void)cudaEventDestroy(c->marks[i]);
    if (c->outbox.host) (void)cudaFreeHost(c->outbox.host);
}

/* ---- parcels: to the device ------------------------------------------------------------------ */

#define PARCEL_ALIGNMENT 64

static size_t aligned(size_t n_bytes)
{
    return (n_bytes + PARCEL_ALIGNMENT - 1) / PARCEL_ALIGNMENT * PARCEL_ALIGNMENT;
}

/* Buffers of all parcels side by side; freeing the old ones waits until nobody needs them. */
c3d_status c3d_cuda_parcel_grow(cuda *c, size_t n_bytes)
{
    const size_t n_each = aligned(n_bytes);
    void *device, *host = NULL;

    if (n_each <= c->parcel_bytes) return C3D_OK;
    parcels_free(c);
    C3D_TRY(c3d_cuda_alloc(c->backend, PARCELS * n_each, &device));
    c->parcels[0].device = device;
    if (!c->backend->options.dry_run)
        C3D_CUDA(cudaHostAlloc(&host, PARCELS * n_each, cudaHostAllocDefault));
    for (size_t i = 0; i < PARCELS; i++) {
        c->parcels[i].device = (char *)device + i * n_each;
        c->parcels[i].host = host ? (char *)host + i * n_each : NULL;
    }
    c->parcel_bytes = n_each;
    return C3D_OK;
}

static c3d_status add_time(const cuda *c, cuda_parcel *parcel)
{
    float ms;

    C3D_CUDA(cudaEventElapsedTime(&ms, parcel->asked, parcel->read));
    c->backend->copied_s += (double)ms / 1e3;
    parcel->is_timed = false;
    return C3D_OK;
}

c3d_status c3d_cuda_parcel_begin(cuda *c, cuda_parcel **out)
{
    cuda_parcel *parcel = &c->parcels[c->next_parcel];

    C3D_CUDA(cudaEventSynchronize(parcel->read)); /* the host is that far ahead: it waits */
    if (parcel->is_timed) C3D_TRY(add_time(c, parcel));
    c->next_parcel = (c->next_parcel + 1) % PARCELS;
    parcel->n_used = 0;
    *out = parcel;
    return C3D_OK;
}

const void *c3d_cuda_parcel_put(const cuda *c, cuda_parcel *parcel, const void *from,
                                size_t n_bytes)
{
    if (!from) return NULL;
    const size_t at = parcel->n_used;
    C3D_ASSERT(at + n_bytes <= c->parcel_bytes);
    memcpy(parcel->host + at, from, n_bytes);
    parcel->n_used = aligned(at + n_bytes);
    return parcel->device + at;
}

c3d_status c3d_cuda_parcel_send(cuda *c, cuda_parcel *parcel)
{
    if (parcel->n_used > 0)
        C3D_CUDA(cudaMemcpyAsync(parcel->device, parcel->host, parcel->n_used,
                                 cudaMemcpyHostToDevice, c->uploads));
    C3D_CUDA(cudaEventRecord(parcel->arrived, c->uploads));
    if (parcel->is_timed) C3D_CUDA(cudaEventRecord(parcel->asked, c->stream));
    C3D_CUDA(cudaStreamWaitEvent(c->stream, parcel->arrived, 0));
    return C3D_OK;
}

c3d_status c3d_cuda_parcel_done(cuda *c, cuda_parcel *parcel)
{
    C3D_CUDA(cudaEventRecord(parcel->read, c->stream));
    return C3D_OK;
}

/* ---- letters: to the host -------------------------------------------------------------------- */

static cuda_letter *letter_at(cuda_outbox *o, size_t i)
{
    return &o->letters[(o->first + i) % LETTERS];
}

static void hand_over(const cuda_outbox *o, const cuda_letter *letter)
{
    const char *bytes = o->host + letter->at;

    if (!letter->is_double) {
        memcpy(letter->to, bytes, letter->n_bytes);
        return;
    }
    for (size_t i = 0; i < letter->n_bytes / sizeof(double); i++) {
        double value;

        memcpy(&value, bytes + i * sizeof value, sizeof value);
        ((float *)letter->to)[i] = (float)(letter->factor == 0 ? 0 : value * letter->factor);
    }
}

/* All letters up to this number have arrived. */
static void deliver(cuda_outbox *o, uint64_t number)
{
    while (o->n > 0 && letter_at(o, 0)->number <= number) {
        hand_over(o, letter_at(o, 0));
        o->first = (o->first + 1) % LETTERS;
        o->n--;
    }
}

/* Room for n_bytes in the ring, behind the newest letter or at the beginning; false when there is
 * none before an older letter. */
static bool find_room(cuda_outbox *o, size_t n_bytes)
{
    const size_t oldest = letter_at(o, 0)->at;

    if (o->n == LETTERS) return false;
    if (o->n == 0) o->at = 0;
    if (o->n == 0) return true;
    if (o->at <= oldest) return o->at + n_bytes <= oldest;
    if (o->at + n_bytes <= LETTER_BYTES) return true;
    if (n_bytes > oldest) return false;
    o->at = 0;
    return true;
}

static c3d_status post(cuda *c, cuda_letter letter, const void *from)
{
    cuda_outbox *o = &c->outbox;
    const size_t n_room = aligned(letter.n_bytes);

    C3D_ASSERT(n_room <= LETTER_BYTES);
    if (!find_room(o, n_room)) {
        C3D_TRY(c3d_cuda_sync(c->backend));
        C3D_ASSERT(find_room(o, n_room));
    }
    letter.at = o->at;
    C3D_CUDA(cudaMemcpyAsync(o->host + letter.at, from, letter.n_bytes, cudaMemcpyDeviceToHost,
                             c->stream));
    letter.number = ++o->n_given;
    o->at += n_room;
    o->n++;
    *letter_at(o, o->n - 1) = letter;
    return C3D_OK;
}

c3d_status c3d_cuda_read(c3d_backend *self, void *to_host, const void *from, size_t n_bytes)
{
    cuda *c = cuda_of(self);

    if (n_bytes == 0) return C3D_OK;
    C3D_TRY(c3d_cuda_use(c));
    if (n_bytes <= LETTER_BYTES / 4)
        return post(c, (cuda_letter){ .to = to_host, .n_bytes = n_bytes }, from);
    if (!c3d_cuda_is_pinned(c, to_host, n_bytes))
        return c3d_cuda_download(self, to_host, from, n_bytes);
    C3D_CUDA(cudaMemcpyAsync(to_host, from, n_bytes, cudaMemcpyDeviceToHost, c->stream));
    return C3D_OK;
}

c3d_status c3d_cuda_read_doubles(cuda *c, float *to_host, const double *from, size_t n,
                                 double factor)
{
    return post(
        c,
        (cuda_letter){
            .to = to_host, .n_bytes = n * sizeof *from, .is_double = true, .factor = factor },
        from);
}

/* ---- marks ----------------------------------------------------------------------------------- */

c3d_status c3d_cuda_mark(c3d_backend *self, int mark)
{
    cuda *c = cuda_of(self);

    C3D_ASSERT(mark >= 0 && mark < C3D_MARKS);
    C3D_TRY(c3d_cuda_use(c));
    C3D_CUDA(cudaEventRecord(c->marks[mark], c->stream));
    c->marked[mark] = c->outbox.n_given;
    return C3D_OK;
}

c3d_status c3d_cuda_reached(c3d_backend *self, int mark, bool *out)
{
    cuda *c = cuda_of(self);

    C3D_ASSERT(mark >= 0 && mark < C3D_MARKS);
    C3D_TRY(c3d_cuda_use(c));
    const cudaError_t error = cudaEventQuery(c->marks[mark]);
    if (error == cudaErrorNotReady) {
        (void)cudaGetLastError();
        *out = false;
        return C3D_OK;
    }
    C3D_CUDA_SAID(error, "cudaEventQuery");
    deliver(&c->outbox, c->marked[mark]);
    *out = true;
    return C3D_OK;
}

c3d_status c3d_cuda_sync(c3d_backend *self)
{
    cuda *c = cuda_of(self);

    C3D_TRY(c3d_cuda_use(c));
    C3D_CUDA(cudaStreamSynchronize(c->uploads));
    C3D_CUDA(cudaStreamSynchronize(c->stream));
    deliver(&c->outbox, c->outbox.n_given);
    return C3D_OK;
}
