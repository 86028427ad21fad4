#include "train/run.h"

c3d_status c3d_pin_loader(c3d_backend *backend, const c3d_loader *loader)
{
    size_t n_bytes;

    for (int i = 0;; i++) {
        void *buffer = c3d_loader_buffer(loader, i, &n_bytes);
        if (!buffer) return C3D_OK;
        C3D_TRY(backend->ops->pin(backend, buffer, n_bytes));
    }
}

void c3d_unpin_loader(c3d_backend *backend, const c3d_loader *loader)
{
    size_t n_bytes;
    void *buffer;

    if (!backend->ops || !loader) return;
    for (int i = 0; (buffer = c3d_loader_buffer(loader, i, &n_bytes)); i++)
        backend->ops->unpin(backend, buffer);
}
