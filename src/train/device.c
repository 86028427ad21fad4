#include "c3d/train.h"

static c3d_status to_host(void *context, void *host, const void *from, size_t n_bytes)
{
    c3d_backend *backend = context;

    return backend->ops->download(backend, host, from, n_bytes);
}

static c3d_status to_device(void *context, void *to, const void *host, size_t n_bytes)
{
    c3d_backend *backend = context;

    return backend->ops->upload(backend, to, host, n_bytes);
}

static c3d_status pin(void *context, void *memory, size_t n_bytes)
{
    c3d_backend *backend = context;

    return backend->ops->pin(backend, memory, n_bytes);
}

static void unpin(void *context, void *memory)
{
    c3d_backend *backend = context;

    backend->ops->unpin(backend, memory);
}

c3d_comm_device c3d_device_of(c3d_backend *backend)
{
    return (c3d_comm_device){ .index = backend->options.device_index,
                              .stream = backend->queue,
                              .deterministic = backend->options.deterministic,
                              .context = backend,
                              .download = to_host,
                              .upload = to_device,
                              .pin = pin,
                              .unpin = unpin };
}
