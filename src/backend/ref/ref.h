/* The reference backend: plain C, written to be read; the definition of every operation. Sums are
 * taken in double and rounded once. Activations are plain float [N, C, D, H, W]. */
#ifndef C3D_BACKEND_REF_H
#define C3D_BACKEND_REF_H

#include "backend/host.h"

struct c3d_activation {
    c3d_shape shape;
    float *value;
    float *grad; /* NULL: none is kept */
};

typedef struct ref_plan {
    c3d_plan base;
    double *sums;    /* of one sample's y or x, or of the weights: the largest of these */
    size_t *winners; /* pool: element of x that won, for each element of y */
    float *mask;     /* dropout: [N, C, D, H, W] */
    /* norm, of the last forward pass, [C] each: mean, sum of squared deviations, and
     * 1 / sqrt(variance + epsilon) */
    double *mean, *squares, *inverse;
    size_t n_norm; /* rows in use times positions */
} ref_plan;

C3D_CHECKED c3d_status c3d_ref_conv_prepare(c3d_backend *self, ref_plan *plan);
/* Without a bias b and db are NULL, here and below. */
void c3d_ref_conv_forward(ref_plan *plan, const float *w, const float *b, int n_samples);
void c3d_ref_conv_backward_x(ref_plan *plan, const float *w, int n_samples);
void c3d_ref_conv_backward_w(ref_plan *plan, float *dw, float *db, const c3d_pass *pass);

void c3d_ref_linear_forward(ref_plan *plan, const float *w, const float *b, int n_samples);
void c3d_ref_linear_backward_x(ref_plan *plan, const float *w, int n_samples);
void c3d_ref_linear_backward_w(ref_plan *plan, float *dw, float *db, const c3d_pass *pass);

C3D_CHECKED c3d_status c3d_ref_pool_prepare(c3d_backend *self, ref_plan *plan);
void c3d_ref_pool_forward(ref_plan *plan, int n_samples);
void c3d_ref_pool_backward(ref_plan *plan, int n_samples);

C3D_CHECKED c3d_status c3d_ref_dropout_prepare(c3d_backend *self, ref_plan *plan);
void c3d_ref_dropout_forward(ref_plan *plan, const c3d_pass *pass);
void c3d_ref_dropout_backward(ref_plan *plan, int n_samples);

C3D_CHECKED c3d_status c3d_ref_norm_prepare(c3d_backend *self, ref_plan *plan);
void c3d_ref_norm_forward(ref_plan *plan, const c3d_params *params, const c3d_pass *pass);
/* x's gradient if needs_x_grad, and the parameters'. */
void c3d_ref_norm_backward(ref_plan *plan, const c3d_params *params, float *const *param_grads,
                           const c3d_pass *pass);
c3d_status c3d_ref_stats_read(c3d_backend *self, const c3d_plan *plan, float *mean,
                              float *variance);

/* y = max(0, y), and dy = 0 where the output y is not above 0. */
void c3d_ref_relu(float *y, size_t n);
void c3d_ref_relu_backward(const float *y, float *dy, size_t n);

/* Writes a sum, or adds it to what is there. */
static inline void c3d_ref_store(float *to, double sum, bool accumulate)
{
    *to = accumulate ? *to + (float)sum : (float)sum;
}

c3d_status c3d_ref_input_load(c3d_backend *self, c3d_activation *x, const c3d_input *input);
c3d_status c3d_ref_adam(c3d_backend *self, const c3d_adam *adam, const c3d_adam_arrays *arrays);
c3d_status c3d_ref_sum_squares(c3d_backend *self, const float *x, size_t n, double *out);

#endif
