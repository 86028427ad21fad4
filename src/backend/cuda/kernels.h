/* Launchers of the own CUDA kernels: plain C to their callers. Private to src/backend/cuda.
 *
 * Activations lie [N, D, H, W, P] in device memory: P channels, the C of the network rounded up to
 * a multiple of C3D_CUDA_LANES, the last P - C of them zero. Weights lie [K rounded up, kd, kh, kw,
 * P], of linear layers [K rounded up, D, H, W, P].
 *
 * All pointers are device memory unless it says host; those to activations are 16-byte aligned and
 * no two of a call overlap unless it says in place. Launchers only enqueue on the stream, allocate
 * nothing, use no atomics (results depend on arguments alone, not on timing or the device) and
 * return what the launch said: cudaErrorInvalidValue for what they do not take. Sizes may be 0:
 * nothing is launched then. Structs and what they hold besides pointers are read before they
 * return. */
#ifndef C3D_CUDA_KERNELS_H
#define C3D_CUDA_KERNELS_H

#include "c3d/backend.h"

#include <cuda_runtime_api.h>

#ifdef __cplusplus
extern "C" {
#endif

#define C3D_CUDA_LANES 8

/* Element of an activation or of a 16-bit copy of a weight. */
typedef enum c3d_cuda_type { C3D_CUDA_F32, C3D_CUDA_BF16, C3D_CUDA_F16 } c3d_cuda_type;

/* ---- input.cu: c3d_input to x, all rows and padding channels written ---- */
typedef struct c3d_cuda_input {
    const void *values; /* [n_samples, C, D, H, W] */
    c3d_dtype dtype;
    c3d_shape shape; /* of x, N included */
    int n_stacked;   /* as c3d_input's: C and D below are of what it is loaded from */
    int n_samples, n_lanes;
    const float *mean, *scale;  /* [C] */
    const uint8_t *symmetry;    /* [n_samples] or NULL */
    const float *gain, *offset; /* [n_samples, C] or NULL */
    const int16_t *month_from;  /* [n_samples, D] or NULL */
    void *x;
    c3d_cuda_type type;
} c3d_cuda_input;
cudaError_t c3d_cuda_input_load(cudaStream_t stream, const c3d_cuda_input *a);

/* ---- pool.cu ---- */
#define C3D_CUDA_NO_WINNER       255
#define C3D_CUDA_POOL_MAX_WINDOW 255 /* elements of a window */
typedef struct c3d_cuda_pool {
    int n, n_lanes; /* rows N, channels P */
    int x[3], y[3]; /* extents d, h, w */
    int kernel[3], stride[3], before[3];
    c3d_cuda_type type; /* of x, y and their gradients */
    bool x_is_relu; /* x is the output of a ReLU: a winner that is not positive gets no gradient */
} c3d_cuda_pool;
/* winner: [N, d, h, w, P], the number of the window's element (d, h, w order) that won, or
 * C3D_CUDA_NO_WINNER where the gradient goes nowhere; NULL when nobody will ask. */
cudaError_t c3d_cuda_pool_forward(cudaStream_t stream, const c3d_cuda_pool *a, const void *x,
                                  void *y, uint8_t *winner);
/* dx is written whole, each element by the windows it lies in, in d, h, w order. With bias_grad [P]
 * it becomes (accumulate: grows by) the sum of dx over rows before dx is rounded: with x_is_relu
 * the gradient of the bias below, for which relu_bias_backward need not read dx again. */
typedef struct c3d_cuda_pool_grads {
    const void *dy;
    const uint8_t *winner;
    void *dx;
    float *partials;  /* c3d_cuda_pool_floats of them; NULL without bias_grad */
    float *bias_grad; /* or NULL */
    bool accumulate;
} c3d_cuda_pool_grads;
size_t c3d_cuda_pool_floats(const c3d_cuda_pool *a);
cudaError_t c3d_cuda_pool_backward(cudaStream_t stream, const c3d_cuda_pool *a,
                                   const c3d_cuda_pool_grads *grads);

/* ---- channels.cu: per channel over n_rows = N D H W ---- */
/* Where y (a ReLU's output, or NULL) is not positive dy becomes 0, in place; bias_grad [P] becomes
 * (accumulate: grows by) the sum of dy over rows, unless NULL. partials: float, at least
 * c3d_cuda_channel_floats. */
size_t c3d_cuda_channel_floats(size_t n_rows, int n_lanes);
cudaError_t c3d_cuda_relu_bias_backward(cudaStream_t stream, size_t n_rows, int n_lanes,
                                        c3d_cuda_type type, void *dy, const void *y,
                                        float *partials, float *bias_grad, bool accumulate);
/* y = y + bias, then ReLU if asked; bias [P] float. For what no library call fuses. */
cudaError_t c3d_cuda_bias_relu(cudaStream_t stream, size_t n_rows, int n_lanes, c3d_cuda_type type,
                               void *y, const float *bias, bool relu);

/* ---- norm.cu: batch normalisation, statistics over the first n_rows rows ---- */
typedef struct c3d_cuda_norm {
    size_t n_rows; /* in use: n_samples D H W */
    size_t n_all;  /* of the whole activation; rows beyond n_rows: y and dx become zero */
    int n_channels, n_lanes;
    double epsilon;
    c3d_cuda_type type;
    bool relu;
} c3d_cuda_norm;
size_t c3d_cuda_norm_doubles(size_t n_rows, int n_lanes); /* of partials */
/* mean, variance (population), [P] double: by two passes, the second over deviations. */
cudaError_t c3d_cuda_norm_statistics(cudaStream_t stream, const c3d_cuda_norm *a, const void *x,
                                     double *partials, double *mean, double *variance);
/* mean and variance double [P], here and below; gamma and beta float [C]. */
typedef struct c3d_cuda_norm_params {
    const float *gamma, *beta;
    const double *mean, *variance;
} c3d_cuda_norm_params;
/* y = gamma (x - mean) / sqrt(variance + epsilon) + beta; then ReLU. */
cudaError_t c3d_cuda_norm_apply(cudaStream_t stream, const c3d_cuda_norm *a, const void *x,
                                const c3d_cuda_norm_params *params, void *y);
typedef struct c3d_cuda_norm_grads {
    const void *x, *y, *dy; /* y: the forward result, looked at for ReLU only */
    const float *gamma;
    const double *mean, *variance;
    double *partials;              /* c3d_cuda_norm_doubles */
    float *gamma_grad, *beta_grad; /* [P] */
    bool accumulate;
    void *dx; /* or NULL */
} c3d_cuda_norm_grads;
cudaError_t c3d_cuda_norm_backward(cudaStream_t stream, const c3d_cuda_norm *a,
                                   const c3d_cuda_norm_grads *grads);
/* Running statistics are float. */
cudaError_t c3d_cuda_to_double(cudaStream_t stream, const float *from, size_t n, double *to);

/* ---- dropout.cu: c3d_dropout_mask of each row in use, applied from x to y (or dy to dx); rows
 * beyond n_samples become zero ---- */
typedef struct c3d_cuda_dropout {
    c3d_shape shape;
    int n_samples, n_lanes, layer;
    double rate;
    uint64_t seed;
    const uint64_t *row_keys; /* [n_samples] device */
    c3d_cuda_type type;
} c3d_cuda_dropout;
cudaError_t c3d_cuda_dropout_apply(cudaStream_t stream, const c3d_cuda_dropout *a, const void *from,
                                   void *to);

/* ---- loss.cu: logits [N, P] float, of which K count ---- */
typedef struct c3d_cuda_loss {
    int n, n_samples, n_outputs, n_lanes;
    const int32_t *labels; /* [n_samples] */
    const float *weights;  /* or NULL */
    float focal_gamma, grad_scale;
} c3d_cuda_loss;
/* losses [n_samples], scores [n_samples, K]; d_logits [N, P], all of it written, or NULL. */
cudaError_t c3d_cuda_loss_run(cudaStream_t stream, const c3d_cuda_loss *a, const float *logits,
                              float *losses, float *scores, float *d_logits);

/* ---- update.cu ---- */
/* low is of `type` (BF16 or F16) or NULL. The factors are c3d_adam's, clipping apart: the kernel
 * reads adam->squares itself. */
cudaError_t c3d_cuda_adam(cudaStream_t stream, const c3d_adam *adam, const c3d_adam_arrays *arrays,
                          c3d_cuda_type type);
cudaError_t c3d_cuda_to_low(cudaStream_t stream, size_t n, const float *from, uint16_t *to,
                            c3d_cuda_type type);
cudaError_t c3d_cuda_from_low(cudaStream_t stream, size_t n, const uint16_t *from,
                              c3d_cuda_type type, float *to, bool accumulate); /* float (+)= */
cudaError_t c3d_cuda_add(cudaStream_t stream, size_t n, const float *from, float *to); /* to += */
/* partials: C3D_CUDA_SQUARES_DOUBLES doubles. */
#define C3D_CUDA_SQUARES_DOUBLES 1024
cudaError_t c3d_cuda_sum_squares(cudaStream_t stream, const float *x, size_t n, double *partials,
                                 double *out);
cudaError_t c3d_cuda_sum_doubles(cudaStream_t stream, const double *x, unsigned n, double *out);

#ifdef __cplusplus
}
#endif
#endif
