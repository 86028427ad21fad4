#include "c3d/base.h"

#include <stdlib.h>

void *c3d_calloc(size_t n, size_t size)
{
    void *memory = calloc(n ? n : 1, size ? size : 1);

    if (!memory) (void)C3D_FAIL(C3D_ENOMEM, "no memory for %zu x %zu bytes", n, size);
    return memory;
}

void *c3d_aligned(size_t n_bytes)
{
    const size_t rounded = (n_bytes + 63) / 64 * 64;
    void *memory = rounded >= n_bytes ? aligned_alloc(64, rounded ? rounded : 64) : NULL;

    if (!memory) (void)C3D_FAIL(C3D_ENOMEM, "no memory for %zu bytes", n_bytes);
    return memory;
}
