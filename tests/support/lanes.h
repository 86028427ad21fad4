/* Activations as the CUDA kernels lay them: [N, D, H, W, P] of float, bf16 or fp16. */
#ifndef C3D_TESTS_LANES_H
#define C3D_TESTS_LANES_H

#include "backend/cuda/kernels.h"

extern const char *const lanes_type_names[3];

int lanes_rounded(int n_channels); /* P */
size_t lanes_element(c3d_cuda_type type);
size_t lanes_count(c3d_shape shape); /* elements, padding included */

float lanes_nearest(c3d_cuda_type type, float x); /* ties to even */
float lanes_get(c3d_cuda_type type, const void *array, size_t i);
void lanes_set(c3d_cuda_type type, void *array, size_t i, float x); /* rounded */
/* Half a unit in the last place of a number near 1. */
double lanes_rounding(c3d_cuda_type type);

/* Canonical [N, C, D, H, W] to lanes (rounded, padding 0) and back; to be
 * freed by lanes_free. The way back fails
 * the test where padding is not 0. Memory is of the very size, so that a sanitizer sees its end. */
void *lanes_from(c3d_shape shape, c3d_cuda_type type, const float *canonical);
float *lanes_to(c3d_shape shape, c3d_cuda_type type, const void *lanes);

/* Where the kernels run: on the host (lanes_host.c) or, the same tests, on a GPU (lanes_device.c).
 * begin ends the program as skipped where there is none; alloc gives memory that both sides may
 * touch, wait waits for what was launched; order: of threads, where it can be chosen. */
void lanes_begin(void);
void *lanes_alloc(size_t n_bytes);
void lanes_free(void *memory); /* NULL is fine */
cudaError_t lanes_wait(void);
void lanes_order(uint64_t seed);

/* A launch that must succeed, and be done. */
#define LAUNCHED(call)                                                                             \
    do {                                                                                           \
        assert_int_equal((call), cudaSuccess);                                                     \
        assert_int_equal(lanes_wait(), cudaSuccess);                                               \
    } while (0)

/* Allocated, and NaN in every type, so that what is read before it is written shows. */
void *lanes_garbage(size_t n_bytes);

/* Fails the test unless what a run with another order of threads left is what the first left:
 * *first is made from bytes when it is NULL. */
void lanes_same(void **first, const void *bytes, size_t n_bytes, const char *what);

/* In [-1, 1), of a stream. */
float lanes_draw(unsigned stream, size_t i);

#endif
