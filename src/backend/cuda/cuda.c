#include "backend/cuda/cuda.h"

#include <stdlib.h>

static c3d_status open_libraries(cuda *c)
{
    const c3d_backend_options *options = &c->backend->options;
    const c3d_dnn_options dnn = { .stream = c->stream,
                                  .deterministic = options->deterministic,
                                  .autotune = options->autotune && !options->dry_run,
                                  .cache_dir = options->cache_dir };

    C3D_TRY(c3d_dnn_open(&dnn, &c->dnn));
    C3D_CUBLAS(cublasLtCreate(&c->blas));
    return C3D_OK;
}

/* Streams that do not wait for the default stream, nor it for them. What the libraries take of the
 * device for themselves is told by how much less of it is free; the context of the process was made
 * before and is none of n_free. */
static c3d_status open_on_device(cuda *c)
{
    c3d_backend *self = c->backend;
    size_t before, after, total;

    C3D_CUDA(cudaMemGetInfo(&before, &total));
    C3D_CUDA(cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking));
    C3D_CUDA(cudaStreamCreateWithFlags(&c->uploads, cudaStreamNonBlocking));
    C3D_TRY(c3d_cuda_transfer_open(c));
    C3D_TRY(open_libraries(c));
    C3D_CUDA(cudaMemGetInfo(&after, &total));
    self->n_free = before;
    if (after < before) self->n_bytes = before - after;
    self->queue = c->stream;
    return c3d_cuda_slot_grow(c, SLOT_PARTIALS, C3D_CUDA_SQUARES_DOUBLES * sizeof(double));
}

static c3d_status cuda_open(c3d_backend *self)
{
    cuda *c = c3d_calloc(1, sizeof *c);

    if (!c) return C3D_ENOMEM;
    c->backend = self;
    self->state = c;
    c->piece_bytes = ((size_t)1 << 31) - 1;
    c->next_address = (char *)(uintptr_t)0x10000000;
    c3d_cuda_note("nothing");
    C3D_TRY(c3d_cuda_device_open(c));
    return open_on_device(c);
}

static void cuda_close(c3d_backend *self)
{
    cuda *c = cuda_of(self);

    if (!c) return;
    if (c->stream) {
        (void)cudaSetDevice(c->device);
        (void)cudaStreamSynchronize(c->stream);
    }
    if (c->uploads) (void)cudaStreamSynchronize(c->uploads);
    for (int i = 0; i < SLOTS; i++) c3d_cuda_free(self, c->slots[i].data);
    c3d_cuda_transfer_close(c);
    if (c->blas) (void)cublasLtDestroy(c->blas);
    c3d_dnn_close(c->dnn);
    c3d_cuda_memory_close(c);
    if (c->uploads) (void)cudaStreamDestroy(c->uploads);
    if (c->stream) (void)cudaStreamDestroy(c->stream);
    free(c);
    self->state = NULL;
    self->queue = NULL;
}

const c3d_backend_ops c3d_backend_cuda = {
    .name = "cuda",
    .host_memory = false,
    .open = cuda_open,
    .close = cuda_close,
    .sync = c3d_cuda_sync,
    .describe = c3d_cuda_describe,
    .alloc = c3d_cuda_alloc,
    .free = c3d_cuda_free,
    .upload = c3d_cuda_upload,
    .download = c3d_cuda_download,
    .read = c3d_cuda_read,
    .zero = c3d_cuda_zero,
    .pin = c3d_cuda_pin,
    .unpin = c3d_cuda_unpin,
    .mark = c3d_cuda_mark,
    .reached = c3d_cuda_reached,
    .input_create = c3d_cuda_input_create,
    .activation_free = c3d_cuda_activation_free,
    .input_load = c3d_cuda_load,
    .activation_read = c3d_cuda_activation_read,
    .activation_write = c3d_cuda_activation_write,
    .plan = c3d_cuda_plan_create,
    .plan_free = c3d_cuda_plan_free,
    .param_import = c3d_cuda_param_import,
    .param_export = c3d_cuda_param_export,
    .forward = c3d_cuda_forward,
    .backward = c3d_cuda_backward,
    .stats_read = c3d_cuda_stats_read,
    .loss = c3d_cuda_loss_entry,
    .adam = c3d_cuda_adam_entry,
    .to_low = c3d_cuda_to_low_entry,
    .add = c3d_cuda_add_entry,
    .sum_squares = c3d_cuda_sum_squares_entry,
    .sum_doubles = c3d_cuda_sum_doubles_entry,
};
