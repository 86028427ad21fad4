#include "support/lanes.h"

#include <stdlib.h>

#include "support/cm.h"

#include "cuda_host/launch.h"

void lanes_begin(void) {}

void *lanes_alloc(size_t n_bytes)
{
    void *const memory = malloc(n_bytes > 0 ? n_bytes : 1);

    assert_non_null(memory);
    return memory;
}

void lanes_free(void *memory)
{
    free(memory);
}

cudaError_t lanes_wait(void)
{
    return cudaSuccess;
}

void lanes_order(uint64_t seed)
{
    c3d_cuda_host_shuffle(seed);
}
