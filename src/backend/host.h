/* What backends share, most of it those in host memory; private to src/backend. */
#ifndef C3D_BACKEND_HOST_H
#define C3D_BACKEND_HOST_H

#include "c3d/backend.h"

/* Checks desc against x and fills the public part of a plan, x and y aside. */
C3D_CHECKED c3d_status c3d_plan_describe(c3d_plan *plan, const c3d_op_desc *desc, c3d_shape x);
/* Refuses a pass that does not fit the plan: too many samples, dropout without keys, backward of a
 * plan that keeps no gradients. */
C3D_CHECKED c3d_status c3d_pass_check(const c3d_plan *plan, const c3d_pass *pass, bool backward);
/* The share that a dropout leaves out in this pass. */
static inline double c3d_pass_rate(const c3d_plan *plan, const c3d_pass *pass)
{
    return pass->no_dropout ? 0 : plan->desc.rate;
}
/* True for a convolution or linear layer. */
bool c3d_op_has_filters(c3d_op op);

/* Rows in use times positions: what a norm's statistics of a channel are taken over. */
size_t c3d_norm_count(const c3d_plan *plan, int n_samples);
/* From the sum of squared deviations of n elements. */
double c3d_unbiased_variance(double squares, size_t n);

/* Refuses all precisions but fp32. */
C3D_CHECKED c3d_status c3d_host_options_check(const c3d_backend *backend);

/* Refuses an input shape with an empty axis, and an input that does not fit the shape. */
C3D_CHECKED c3d_status c3d_shape_check(c3d_shape shape);
C3D_CHECKED c3d_status c3d_input_check(const c3d_input *input, c3d_shape shape);
/* [N, C, D, H, W] of values that are loaded into an activation of that shape. */
c3d_shape c3d_input_shape(const c3d_input *input, c3d_shape shape);

/* Whether the cuda backend is in this build and has a device: what "auto" asks. */
bool c3d_cuda_is_there(void);

/* Refuses a loss that does not fit logits of n rows and k outputs. */
C3D_CHECKED c3d_status c3d_loss_check(const c3d_loss *loss, int n, int k);
/* Loss, scores and gradient of plain logits [N, K]; d_logits may be NULL without with_grad. Values
 * of all rows in double, written as float. */
C3D_CHECKED c3d_status c3d_host_loss(const float *logits, float *d_logits, int n, int k,
                                     const c3d_loss *loss);

/* The input in plain [N, C, D, H, W]. */
C3D_CHECKED c3d_status c3d_host_input(float *x, c3d_shape shape, const c3d_input *input);

/* Entries that are the same on every backend in host memory. */
c3d_status c3d_host_sync(c3d_backend *self);
/* Every buffer of a backend in host memory comes from here, so that self->n_bytes counts them. */
C3D_CHECKED c3d_status c3d_host_alloc(c3d_backend *self, size_t n_bytes, void **out);
void c3d_host_free(c3d_backend *self, void *buffer); /* NULL is fine */
c3d_status c3d_host_upload(c3d_backend *self, void *to, const void *from_host, size_t n_bytes);
c3d_status c3d_host_download(c3d_backend *self, void *to_host, const void *from, size_t n_bytes);
c3d_status c3d_host_zero(c3d_backend *self, void *buffer, size_t n_bytes);
c3d_status c3d_host_mark(c3d_backend *self, int mark);
c3d_status c3d_host_reached(c3d_backend *self, int mark, bool *out);
c3d_status c3d_host_pin(c3d_backend *self, void *memory, size_t n_bytes);
void c3d_host_unpin(c3d_backend *self, void *memory);
c3d_status c3d_host_adam(c3d_backend *self, const c3d_adam *adam, const c3d_adam_arrays *arrays);
/* bf16, or C3D_EUNSUPPORTED. */
c3d_status c3d_host_to_low(c3d_backend *self, size_t n, const float *from, uint16_t *to);
c3d_status c3d_host_add(c3d_backend *self, size_t n, const float *from, float *to);
c3d_status c3d_host_sum_squares(c3d_backend *self, const float *x, size_t n, double *out);
c3d_status c3d_host_sum_doubles(c3d_backend *self, const double *x, size_t n, double *out);

/* Adam's factors, computed once a call; with squares of host memory those of clipping too. */
typedef struct c3d_adam_factors {
    float beta1, beta2, one_minus_beta1, one_minus_beta2;
    float rate;   /* rate / (1 - beta1^t) */
    float v_root; /* 1 / sqrt(1 - beta2^t) */
    float decay;  /* rate weight_decay */
    float epsilon, grad_scale;
} c3d_adam_factors;
c3d_adam_factors c3d_adam_factors_of(const c3d_adam *adam);

#endif
