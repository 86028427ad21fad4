#include "support/lanes.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/cm.h"

void lanes_begin(void)
{
    int n = 0;

    if (cudaGetDeviceCount(&n) == cudaSuccess && n > 0) return;
    printf("skipped: no GPU\n");
    exit(77);
}

void *lanes_alloc(size_t n_bytes)
{
    void *memory = NULL;

    assert_int_equal(cudaMallocManaged(&memory, n_bytes > 0 ? n_bytes : 1, cudaMemAttachGlobal),
                     cudaSuccess);
    return memory;
}

void lanes_free(void *memory)
{
    assert_int_equal(cudaFree(memory), cudaSuccess);
}

cudaError_t lanes_wait(void)
{
    return cudaDeviceSynchronize();
}

void lanes_order(uint64_t seed)
{
    (void)seed;
}
