#include "backend/cuda/cuda.h"

#include <stdlib.h>

/* ---- where values arrive --------------------------------------------------------------------- */

static c3d_status staging_grow(cuda *c, cuda_staging *s, size_t n_bytes)
{
    if (n_bytes <= s->n_bytes) return C3D_OK;
    for (int i = 0; i < 2; i++) {
        c3d_cuda_free(c->backend, s->values[i]);
        s->values[i] = NULL;
    }
    s->n_bytes = 0;
    for (int i = 0; i < 2; i++) C3D_TRY(c3d_cuda_alloc(c->backend, n_bytes, &s->values[i]));
    s->n_bytes = n_bytes;
    return C3D_OK;
}

/* Room for integers of 16 bits, as stores hold them; wider values make more at their first load. */
static c3d_status staging_create(cuda *c, c3d_activation *x)
{
    cuda_staging *s = c3d_calloc(1, sizeof *s);

    if (!s) return C3D_ENOMEM;
    x->staging = s;
    for (int i = 0; i < 2; i++)
        C3D_CUDA(cudaEventCreateWithFlags(&s->read[i], cudaEventDisableTiming));
    return staging_grow(c, s, c3d_shape_count(x->shape) * sizeof(uint16_t));
}

void c3d_cuda_staging_free(cuda *c, cuda_staging *s)
{
    if (!s) return;
    for (int i = 0; i < 2; i++) {
        c3d_cuda_free(c->backend, s->values[i]);
        if (s->read[i]) (void)cudaEventDestroy(s->read[i]);
    }
    free(s);
}

/* Arrays that come with the values, each on a boundary of its own. Of stacked months there are no
 * more: fewer of each channel, and for each month of a row 2 bytes. */
static size_t parcel_bytes(c3d_shape s)
{
    const size_t n = (size_t)s.n, n_channels = (size_t)s.c;

    return (2 + 2 * n) * n_channels * sizeof(float) + n + n * (size_t)s.d * sizeof(int16_t) +
           6 * 64;
}

c3d_status c3d_cuda_input_create(c3d_backend *self, c3d_shape shape, c3d_activation **out)
{
    cuda *c = cuda_of(self);
    c3d_activation *x;

    C3D_TRY(c3d_shape_check(shape));
    C3D_TRY(c3d_cuda_use(c));
    C3D_TRY(c3d_cuda_parcel_grow(c, parcel_bytes(shape)));
    C3D_TRY(c3d_cuda_activation_create(c, shape, c->type, &x));
    const c3d_status st = staging_create(c, x);
    if (st == C3D_OK)
        *out = x;
    else
        c3d_cuda_activation_free(self, x);
    return st;
}

/* ---- load ------------------------------------------------------------------------------------ */

static c3d_cuda_input pack(const cuda *c, cuda_parcel *parcel, const c3d_activation *x,
                           const c3d_input *input)
{
    const c3d_shape s = c3d_input_shape(input, x->shape);
    const size_t n = (size_t)input->n_samples, n_channels = (size_t)s.c;
    const size_t per_row = n * n_channels * sizeof(float);

    return (c3d_cuda_input){
        .dtype = input->dtype,
        .shape = x->shape,
        .n_stacked = input->n_stacked,
        .n_samples = input->n_samples,
        .n_lanes = x->n_lanes,
        .mean = c3d_cuda_parcel_put(c, parcel, input->mean, n_channels * sizeof(float)),
        .scale = c3d_cuda_parcel_put(c, parcel, input->scale, n_channels * sizeof(float)),
        .symmetry = c3d_cuda_parcel_put(c, parcel, input->symmetry, n),
        .gain = c3d_cuda_parcel_put(c, parcel, input->gain, per_row),
        .offset = c3d_cuda_parcel_put(c, parcel, input->offset, per_row),
        .month_from =
            c3d_cuda_parcel_put(c, parcel, input->month_from, n * (size_t)s.d * sizeof(int16_t)),
        .x = x->value,
        .type = x->type,
    };
}

/* Values arrive where those of the last load but one were read. */
c3d_status c3d_cuda_load(c3d_backend *self, c3d_activation *x, const c3d_input *input)
{
    cuda *c = cuda_of(self);
    cuda_staging *s = x->staging;
    cuda_parcel *parcel;

    C3D_TRY(c3d_input_check(input, x->shape));
    if (!s) return C3D_FAIL(C3D_EINVAL, "input: the activation was not made by input_create");
    const size_t n_values = (size_t)input->n_samples * c3d_shape_sample_count(x->shape);
    const size_t n_bytes = n_values * c3d_dtype_size(input->dtype);

    C3D_TRY(c3d_cuda_use(c));
    C3D_TRY(staging_grow(c, s, n_bytes));
    C3D_TRY(c3d_cuda_parcel_begin(c, &parcel));
    c3d_cuda_input load = pack(c, parcel, x, input);
    const int slot = s->next;
    s->next = 1 - slot;
    load.values = s->values[slot];
    C3D_CUDA(cudaStreamWaitEvent(c->uploads, s->read[slot], 0));
    if (n_bytes > 0)
        C3D_CUDA(cudaMemcpyAsync(s->values[slot], input->values, n_bytes, cudaMemcpyHostToDevice,
                                 c->uploads));
    parcel->is_timed = true;
    C3D_TRY(c3d_cuda_parcel_send(c, parcel));
    C3D_CUDA(c3d_cuda_input_load(c->stream, &load));
    c3d_cuda_note("an input");
    C3D_CUDA(cudaEventRecord(s->read[slot], c->stream));
    return c3d_cuda_parcel_done(c, parcel);
}
