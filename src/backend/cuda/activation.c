#include "backend/cuda/cuda.h"

#include <stdlib.h>
#include <string.h>

c3d_status c3d_cuda_activation_create(cuda *c, c3d_shape shape, c3d_cuda_type type,
                                      c3d_activation **out)
{
    c3d_activation *x = c3d_calloc(1, sizeof *x);

    if (!x) return C3D_ENOMEM;
    x->shape = shape;
    x->n_lanes = c3d_cuda_lanes(shape.c);
    x->type = type;
    x->n = c3d_shape_count(shape) / (size_t)shape.c * (size_t)x->n_lanes;
    x->n_bytes = x->n * c3d_cuda_size(type);
    const c3d_status st = c3d_cuda_alloc(c->backend, x->n_bytes, &x->value);
    if (st == C3D_OK)
        *out = x;
    else
        free(x);
    return st;
}

c3d_status c3d_cuda_want_grad(cuda *c, c3d_activation *x)
{
    return x->grad ? C3D_OK : c3d_cuda_alloc(c->backend, x->n_bytes, &x->grad);
}

void c3d_cuda_set_grad(c3d_activation *x, bool is_relu)
{
    x->grad_is_relu = is_relu;
    x->has_sums = false;
}

void c3d_cuda_activation_free(c3d_backend *self, c3d_activation *x)
{
    if (!x) return;
    c3d_cuda_staging_free(cuda_of(self), x->staging);
    c3d_cuda_free(self, x->value);
    c3d_cuda_free(self, x->grad);
    c3d_cuda_free(self, x->grad_sums);
    free(x);
}

c3d_status c3d_cuda_convert(cuda *c, size_t n, const void *from, c3d_cuda_type from_type, void *to,
                            c3d_cuda_type to_type)
{
    if (n == 0) return C3D_OK;
    if (from_type == to_type)
        C3D_CUDA(cudaMemcpyAsync(to, from, n * c3d_cuda_size(to_type), cudaMemcpyDeviceToDevice,
                                 c->stream));
    else if (to_type == C3D_CUDA_F32)
        C3D_CUDA(c3d_cuda_from_low(c->stream, n, from, from_type, to, false));
    else
        C3D_CUDA(c3d_cuda_to_low(c->stream, n, from, to, to_type));
    c3d_cuda_note("a conversion");
    return C3D_OK;
}

/* ---- reading and writing, sample by sample --------------------------------------------------- */

/* A sample as it lies, in float32, on both sides. */
typedef struct sample {
    size_t n_channels, n_lanes, n_positions, n; /* n: elements as it lies */
    float *host;
    void *device;
} sample;

static c3d_status sample_create(cuda *c, const c3d_activation *x, sample *s)
{
    *s = (sample){ .n_channels = (size_t)x->shape.c,
                   .n_lanes = (size_t)x->n_lanes,
                   .n_positions = c3d_cuda_rows(x) / (size_t)x->shape.n };
    s->n = s->n_positions * s->n_lanes;
    s->host = c3d_calloc(s->n, sizeof *s->host);
    if (!s->host) return C3D_ENOMEM;
    return c3d_cuda_alloc(c->backend, s->n * sizeof *s->host, &s->device);
}

static void sample_free(cuda *c, sample *s)
{
    c3d_cuda_free(c->backend, s->device);
    free(s->host);
}

static void spread(const sample *s, const float *canonical)
{
    for (size_t p = 0; p < s->n_positions; p++)
        for (size_t l = 0; l < s->n_channels; l++)
            s->host[p * s->n_lanes + l] = canonical[l * s->n_positions + p];
}

static void collect(const sample *s, float *canonical)
{
    for (size_t p = 0; p < s->n_positions; p++)
        for (size_t l = 0; l < s->n_channels; l++)
            canonical[l * s->n_positions + p] = s->host[p * s->n_lanes + l];
}

static c3d_status part_of(const c3d_activation *x, bool grad, char **out)
{
    *out = grad ? x->grad : x->value;
    return *out ? C3D_OK : C3D_FAIL(C3D_EINVAL, "activation: no gradient is kept");
}

static c3d_status read_all(cuda *c, const c3d_activation *x, const sample *s, const char *part,
                           float *to_host)
{
    for (int r = 0; r < x->shape.n; r++) {
        const char *from = part + (size_t)r * s->n * c3d_cuda_size(x->type);

        C3D_TRY(c3d_cuda_convert(c, s->n, from, x->type, s->device, C3D_CUDA_F32));
        C3D_TRY(c3d_cuda_download(c->backend, s->host, s->device, s->n * sizeof(float)));
        collect(s, to_host + (size_t)r * s->n_channels * s->n_positions);
    }
    return C3D_OK;
}

static c3d_status write_all(cuda *c, const c3d_activation *x, const sample *s, char *part,
                            const float *from_host)
{
    for (int r = 0; r < x->shape.n; r++) {
        char *to = part + (size_t)r * s->n * c3d_cuda_size(x->type);

        spread(s, from_host + (size_t)r * s->n_channels * s->n_positions);
        C3D_TRY(c3d_cuda_upload(c->backend, s->device, s->host, s->n * sizeof(float)));
        C3D_TRY(c3d_cuda_convert(c, s->n, s->device, C3D_CUDA_F32, to, x->type));
    }
    return C3D_OK;
}

c3d_status c3d_cuda_activation_read(c3d_backend *self, c3d_activation *x, bool grad, float *to_host)
{
    cuda *c = cuda_of(self);
    char *part;
    sample s;

    C3D_TRY(part_of(x, grad, &part));
    c3d_status st = sample_create(c, x, &s);
    if (st == C3D_OK) st = read_all(c, x, &s, part, to_host);
    sample_free(c, &s);
    return st;
}

c3d_status c3d_cuda_activation_write(c3d_backend *self, c3d_activation *x, bool grad,
                                     const float *from_host)
{
    cuda *c = cuda_of(self);
    char *part;
    sample s;

    C3D_TRY(part_of(x, grad, &part));
    if (grad) c3d_cuda_set_grad(x, false);
    c3d_status st = sample_create(c, x, &s);
    if (st == C3D_OK) st = write_all(c, x, &s, part, from_host);
    sample_free(c, &s);
    return st;
}
