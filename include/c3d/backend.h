/* backend: one interface to what computes, as a const table of functions chosen by name.
 *
 * "ref" is plain C and the definition of every operation; "onednn" is the CPU's fast twin; "cuda"
 * computes on a GPU; "check" wraps any of them and finds misuse. A network is planned first,
 * operation by operation from the input up: a plan fixes shapes, fuses bias and ReLU, chooses the
 * physical layout and precision of its output and of its parameters, and allocates everything the
 * step needs. After planning nothing is allocated.
 *
 * Activations are opaque to everyone but their backend. Parameters and their gradients, Adam's
 * moments included, live in flat float arenas in backend memory, in the plan's own physical layout
 * (elementwise work such as Adam, sums over ranks and norms does not care); param_import and
 * param_export translate to the one canonical layout, float32:
 *     conv weight [K, C, kd, kh, kw], linear weight [K, C*D*H*W] with the input in C,D,H,W order,
 *     bias [K], norm weight (gamma) and bias (beta) [C].
 * Elements that only pad a physical layout are zero and stay zero.
 *
 * Rows of a micro-batch beyond c3d_pass.n_samples only fill it up: input_load makes them zero and
 * loss gives them zero gradients, so that they add nothing to a parameter's gradient; what the
 * other activations hold there is unspecified. A row's forward result does not depend on the other
 * rows of its micro-batch, but for a norm in training, which takes its statistics from the rows in
 * use.
 *
 * What the operations compute, the sums of "ref" in double and rounded once, of others in float,
 * with 16 bits from rounded activations and weights (denormals may count as zero) and with results
 * rounded once more:
 *   conv     y[n,k,o] = b[k] + sum over c, i of w[k,c,i] x[n,c, o stride + i - pad_before]
 *   linear   y[n,k] = b[k] + sum over c,d,h,w of w[k,c,d,h,w] x[n,c,d,h,w];  y is [N, K, 1, 1, 1]
 *   relu     y = y > 0 ? y : 0, so that a NaN becomes 0; backward: dy counts where y > 0
 *   pool     the largest of the window's elements that are no padding; of equal ones the first in
 *            d, h, w order wins and alone receives the gradient. Only what is greater than -FLT_MAX
 *            can win, a NaN never; without a winner y is -FLT_MAX, rounded up or down with 16 bits,
 *            and its gradient may get lost
 *   dropout  y = x mask, mask 0 or 1 / (1 - rate) in float; 0 times infinity is NaN
 *   norm     y = gamma[c] (x - mean[c]) / sqrt(variance[c] + epsilon) + beta[c]
 *            (batch normalisation, Ioffe and Szegedy 2015). In training mean and variance (the
 *            sum of squared deviations divided by their number) are those of channel c over the
 *            rows in use, and the backward pass goes through them; otherwise they are the running
 *            statistics of c3d_params
 *
 * A backend object is used by one thread. Calls on it are enqueued where the device allows and done
 * in order; sync waits for all, and a mark tells when all before it is done. Host memory that a
 * call is given to read from or to fill later ("borrowed", "valid") is left alone until sync, or
 * until a mark made after the call is reached. On a failure the plans stay valid and may be freed.
 */
#ifndef C3D_BACKEND_H
#define C3D_BACKEND_H

#include "c3d/tensor.h"

typedef struct c3d_backend c3d_backend;
typedef struct c3d_activation c3d_activation; /* a tensor and, when training, its gradient */
typedef struct c3d_plan c3d_plan;             /* one operation of a network on one backend */

typedef enum c3d_op { C3D_OP_CONV, C3D_OP_POOL, C3D_OP_LINEAR, C3D_OP_DROPOUT, C3D_OP_NORM } c3d_op;

/* Axes of kernel, stride and pads: d, h, w. */
typedef struct c3d_op_desc {
    c3d_op op;
    int n_filters;                   /* conv, linear: K */
    int kernel[3], stride[3];        /* conv, pool (max) */
    int pad_before[3], pad_after[3]; /* conv: zeros; pool: never wins */
    bool no_bias;                    /* conv, linear: b is 0 and no parameter */
    bool relu;                       /* conv, linear, norm: y = max(0, .) */
    double epsilon;                  /* norm: added to the variance, above 0 */
    double rate;                     /* dropout: share set to zero, in [0, 1) */
    int dropout_layer;               /* dropout: 0..255, part of the random stream */
    bool training;                   /* false: forward only, no gradients are kept */
    bool needs_x_grad;               /* false for the first layer */
} c3d_op_desc;

/* Checks desc and gives the shape of the output: conv and pool (x + before + after - kernel) /
 * stride + 1 an axis, rounded down. C3D_EINVAL when the kernel does not fit or a number is out of
 * range (a pool's pads must be smaller than its kernel). */
C3D_CHECKED c3d_status c3d_op_output(const c3d_op_desc *desc, c3d_shape x, c3d_shape *y_out);

/* Parameters of one operation, physical, in backend memory; NULL beyond plan->n_params. */
typedef struct c3d_params {
    float *value[2];  /* weight, bias: the float32 masters */
    uint16_t *low[2]; /* their 16-bit copies, same layout; NULL with a precision of 32 bits */
    float *stats[2];  /* norm: running mean, variance, [C]; read by passes that are not training */
} c3d_params;

/* What every backend's plan begins with; the rest is private to it. */
struct c3d_plan {
    c3d_op_desc desc;
    c3d_shape x_shape, y_shape;
    c3d_activation *x;          /* borrowed */
    c3d_activation *y;          /* owned by the plan */
    int n_params;               /* 0; 1: weight; 2: weight, bias */
    size_t param_n[2];          /* canonical elements; 0 beyond n_params */
    size_t param_n_physical[2]; /* elements in an arena, a multiple of 16; not smaller */
};

/* What a forward or backward pass of a micro-batch is told. */
typedef struct c3d_pass {
    bool training;            /* dropout on, values kept for backward */
    bool no_dropout;          /* although training: every rate is 0 */
    int n_samples;            /* rows in use; the plan's n may be larger (last short batch) */
    uint64_t seed;            /* dropout; see c3d_dropout_mask */
    const uint64_t *row_keys; /* dropout: [n_samples], host memory, borrowed */
    bool accumulate;          /* backward: gradients += instead of = */
} c3d_pass;

/* The mask of one row, the same on every backend: element e (C,D,H,W order) is kept (1 / (1 - rate)
 * in float, otherwise 0) when word e % 4 of
 *     c3d_random_4x32(seed, C3D_STREAM(C3D_PURPOSE_DROPOUT, layer << 40 | e / 4), row_key)
 * is at least ceil(rate 2^32). A row key names a sample in a step; all 64 bits count. */
void c3d_dropout_mask(uint64_t seed, int layer, double rate, uint64_t row_key, size_t n,
                      float *mask);

/* Integers as stored, to be turned into the input: x = (value - mean[c]) * scale[c] in float, rows
 * beyond n_samples zero. Values of n_samples rows [C, D, H, W] each, of any dtype. All of it host
 * memory, borrowed; an upload is faster from memory that is pinned. */
typedef struct c3d_input {
    const void *values;
    c3d_dtype dtype;
    int n_samples;
    const float *mean, *scale; /* [C] */
    /* Symmetry of the square applied to each row, the same for all months: bit 0 flips x, then bit
     * 1 flips y, then bit 2 transposes (square rows only: C3D_EINVAL otherwise). NULL: none. */
    const uint8_t *symmetry;
    /* Then x = x gain + offset in float, the same for all months of a row. Both or neither. */
    const float *gain, *offset; /* [n_samples, C] or NULL */
    /* Month d shows the values of month month_from[row, d], in 0..D-1 (C3D_EINVAL otherwise); host
     * memory like the others. */
    const int16_t *month_from; /* [n_samples, D] or NULL: each month its own */
    /* D > 0: the activation is one slice deep and has C D channels, channel c D + d for month d of
     * channel c; all above is as if it were [N, C, D, H, W]. 0: it is that. */
    int n_stacked;
} c3d_input;

/* Loss on the last activation, [N, K, 1, 1, 1]: K = 1 sigmoid and binary cross entropy on labels
 * 0/1, K > 1 softmax and cross entropy on class numbers, from the logits in a form that neither
 * overflows nor cancels, in double. With focal_gamma = g > 0 the focal loss (Lin et al. 2017,
 * without alpha), with p the probability of the label and q = 1 - p:
 *   loss       q^g (-log p)
 *   gradient   (p_i - [i is the label]) q^g (g p (-log p) / q + 1)
 * A label out of range or a negative gamma is C3D_EINVAL. The gradient of a row whose loss is not
 * finite is NaN, so that the sum of squares of the gradients tells and Adam leaves the step out. */
typedef struct c3d_loss {
    int n_samples;
    const int32_t *labels; /* [n_samples]; host, borrowed */
    const float *weights;  /* [n_samples] or NULL (all 1); host, borrowed */
    float focal_gamma;     /* 0: cross entropy */
    float grad_scale;      /* the gradient of row r is times weights[r] * grad_scale */
    float *losses;         /* [n_samples]; host; weighted; filled later */
    float *scores;         /* [n_samples, K] probabilities; host; filled later; or NULL */
    bool with_grad;        /* fill the gradient of the logits (rows in use; others zero) */
} c3d_loss;

/* Adam (Kingma and Ba 2015, algorithm 1) with decoupled weight decay:
 *   m = beta1 m + (1-beta1) g;  v = beta2 v + (1-beta2) g^2   with g = grad * grad_scale
 *   p = p - rate * ( (m / (1-beta1^t)) / (sqrt(v / (1-beta2^t)) + epsilon) + weight_decay * p )
 * computed as p - ((rate / (1-beta1^t)) * m / (sqrt(v) * (1 / sqrt(1-beta2^t)) + epsilon)
 * + (rate weight_decay) * p), in float, the factors of elements in double and rounded once.
 *
 * With squares, the sum of squares of all gradients of the step as sum_squares left it: nothing
 * changes if it is not finite, and with clip_norm > 0 a gradient whose norm = sqrt(squares)
 * grad_scale exceeds clip_norm is scaled down as PyTorch does: g is also multiplied by
 * clip_norm / (norm + 1e-6) when that is below 1 (both factors in double, their product rounded
 * once). */
typedef struct c3d_adam {
    double rate, beta1, beta2, epsilon, weight_decay;
    int64_t t; /* 1 for the first update */
    float grad_scale;
    double clip_norm;      /* 0: none */
    const double *squares; /* backend memory; or NULL: not looked at, not clipped */
} c3d_adam;

/* A range of the arenas, in backend memory. */
typedef struct c3d_adam_arrays {
    size_t n;
    const float *grad;
    float *m, *v, *param;
    uint16_t *low; /* the 16-bit copy of param, written in the same sweep; or NULL */
} c3d_adam_arrays;

/* Of activations and of the copies of weights that convolutions and linear layers take. Sums,
 * masters, gradients of parameters and loss are float32 always, and so is all of a linear layer
 * without ReLU but its input: logits come from such. Biases are float32, or where an operation
 * computes in 16 bits their 16-bit copy. */
typedef enum c3d_precision {
    C3D_PRECISION_FP32,
    C3D_PRECISION_TF32,
    C3D_PRECISION_BF16,
    C3D_PRECISION_FP16
} c3d_precision;
const char *c3d_precision_name(c3d_precision precision); /* "bf16" */

typedef struct c3d_backend_options {
    int device_index; /* beyond the devices there are: from 0 again; open sets which it is */
    int n_threads; /* 0: what the environment gives; never more than its limit (OMP_THREAD_LIMIT) */
    c3d_precision precision;
    bool deterministic;    /* a device that would be faster otherwise repeats its bits */
    bool autotune;         /* a device that can choose between ways to compute times them */
    const char *cache_dir; /* where what was chosen is kept; NULL: nowhere; borrowed until close */
    /* Plans and counts memory (n_bytes), but its buffers have no room: nothing can be run. What a
     * model would need is found so by the code that will make it. */
    bool dry_run;
} c3d_backend_options;

#define C3D_MARKS 8

typedef struct c3d_backend_ops {
    const char *name;
    bool host_memory; /* alloc gives memory the CPU may touch */

    /* self->options are set. C3D_EUNSUPPORTED for what this backend or device cannot do. */
    c3d_status (*open)(c3d_backend *self);
    void (*close)(c3d_backend *self);
    c3d_status (*sync)(c3d_backend *self);
    /* "oneDNN 2.6.3, AVX-512, 2 threads": what results may depend on; returns out. */
    const char *(*describe)(c3d_backend *self, char out[256]);

    /* Zeroed, 64-byte aligned. */
    c3d_status (*alloc)(c3d_backend *self, size_t n_bytes, void **out);
    void (*free)(c3d_backend *self, void *buffer);
    /* Done when they return. */
    c3d_status (*upload)(c3d_backend *self, void *to, const void *from_host, size_t n_bytes);
    c3d_status (*download)(c3d_backend *self, void *to_host, const void *from, size_t n_bytes);
    /* As download, but to_host is filled later. */
    c3d_status (*read)(c3d_backend *self, void *to_host, const void *from, size_t n_bytes);
    c3d_status (*zero)(c3d_backend *self, void *buffer, size_t n_bytes);
    /* Host memory for uploads and reads that shall not hold up the caller (page-locked). Unpinned
     * before it is freed and before close; NULL is fine. */
    c3d_status (*pin)(c3d_backend *self, void *memory, size_t n_bytes);
    void (*unpin)(c3d_backend *self, void *memory);

    /* Remembers what was enqueued so far under a number in 0..C3D_MARKS-1, which forgets what it
     * stood for; reached tells, without waiting, whether all of that is done. */
    c3d_status (*mark)(c3d_backend *self, int mark);
    c3d_status (*reached)(c3d_backend *self, int mark, bool *out);

    /* The network's input, [N, C, D, H, W]; given, freed by activation_free. */
    c3d_status (*input_create)(c3d_backend *self, c3d_shape shape, c3d_activation **out);
    void (*activation_free)(c3d_backend *self, c3d_activation *activation);
    c3d_status (*input_load)(c3d_backend *self, c3d_activation *x, const c3d_input *input);

    /* Canonical float32 [N, C, D, H, W] of an activation or (grad) of its gradient, all rows; for
     * tests and --debug. An activation has a gradient when a training plan made it or needs it
     * (C3D_EINVAL otherwise). */
    c3d_status (*activation_read)(c3d_backend *self, c3d_activation *x, bool grad, float *to_host);
    c3d_status (*activation_write)(c3d_backend *self, c3d_activation *x, bool grad,
                                   const float *from_host);

    /* x is borrowed until plan_free; desc is copied. */
    c3d_status (*plan)(c3d_backend *self, const c3d_op_desc *desc, c3d_activation *x,
                       c3d_plan **out);
    void (*plan_free)(c3d_backend *self, c3d_plan *plan);
    /* which: 0 weight, 1 bias; canonical host memory [param_n], physical backend memory. Export of
     * an import gives the same bits. The same translation serves gradients and moments. */
    c3d_status (*param_import)(c3d_backend *self, const c3d_plan *plan, int which,
                               const float *canonical, float *physical);
    c3d_status (*param_export)(c3d_backend *self, const c3d_plan *plan, int which,
                               const float *physical, float *canonical);

    /* y = op(x). */
    c3d_status (*forward)(c3d_backend *self, c3d_plan *plan, const c3d_params *params,
                          const c3d_pass *pass);
    /* param_grads: [2], NULL beyond n_params. y's gradient is given; x's gradient (if needs_x_grad)
     * and the parameters' gradients are computed. y's gradient may be overwritten; x's may be zero
     * already where x is the output of a ReLU and not positive. A norm wants a pass that is
     * training. Gradients with respect to the parameters are done (enqueued) when it returns. */
    c3d_status (*backward)(c3d_backend *self, c3d_plan *plan, const c3d_params *params,
                           float *const *param_grads, const c3d_pass *pass);
    /* Statistics of a norm's last forward pass, which was training: mean and unbiased variance (the
     * sum of squared deviations divided by their number less 1; 0 for a single one) over the rows
     * in use, [C] each, host memory, filled later. */
    c3d_status (*stats_read)(c3d_backend *self, const c3d_plan *plan, float *mean, float *variance);

    c3d_status (*loss)(c3d_backend *self, c3d_activation *logits, const c3d_loss *loss);
    c3d_status (*adam)(c3d_backend *self, const c3d_adam *adam, const c3d_adam_arrays *arrays);
    /* The 16-bit copy of n elements, rounded to the nearest, ties to even. C3D_EUNSUPPORTED with a
     * precision of 32 bits. */
    c3d_status (*to_low)(c3d_backend *self, size_t n, const float *from, uint16_t *to);
    /* to += from, n elements that do not overlap; one rounding an element. */
    c3d_status (*add)(c3d_backend *self, size_t n, const float *from, float *to);
    /* Sum of squares in double, in an order that depends on n alone (not on threads); infinite or
     * NaN when any element is. out is one double in backend memory. */
    c3d_status (*sum_squares)(c3d_backend *self, const float *x, size_t n, double *out);
    /* Sum of n doubles of backend memory, in an order that depends on n alone; out as above. */
    c3d_status (*sum_doubles)(c3d_backend *self, const double *x, size_t n, double *out);
} c3d_backend_ops;

struct c3d_backend {
    const c3d_backend_ops *ops;
    c3d_backend_options options;
    size_t n_bytes; /* backend memory in use; with dry_run what would be */
    size_t n_free;  /* of a device with memory of its own, set by open; 0 with host_memory */
    /* Floating-point operations a second that the device could do at most with this precision, two
     * a multiply-add, set by open; 0: not known. */
    double peak_flop_per_s;
    /* Seconds that its queue stood still for inputs to come and made them, of loads that are known
     * to be done; with host_memory the caller's to count. */
    double copied_s;
    void *queue; /* cuda: the cudaStream_t that calls are enqueued on; NULL with host_memory */
    void *state; /* owned by open and close */
};

extern const c3d_backend_ops c3d_backend_ref;
extern const c3d_backend_ops c3d_backend_onednn;
/* In a build without CUDA its open says so (C3D_EUNSUPPORTED). */
extern const c3d_backend_ops c3d_backend_cuda;

/* Wraps any backend and refuses (C3D_EINTERNAL) what breaks the rules above: inputs changed,
 * outputs not written or read before they were, writes past the end of a buffer, uses after it was
 * freed, plans whose shapes are not those described. Slow; for tests. Buffers that were freed are
 * kept until the backend is closed, and looked at by every forward, backward and sync. */
C3D_CHECKED c3d_status c3d_backend_check_open(c3d_backend *backend, const c3d_backend_ops *inner,
                                              const c3d_backend_options *options);

/* The object stays where it is until it is closed. name: "cpu" is onednn, "cuda" is refused in a
 * build without it (C3D_EUNSUPPORTED), "auto" is cuda where it is built in and has a device and
 * otherwise onednn; or any backend's own name; "check:NAME" wraps the one of that name. C3D_ECONFIG
 * when there is none such. */
C3D_CHECKED c3d_status c3d_backend_open(c3d_backend *backend, const char *name,
                                        const c3d_backend_options *options);
void c3d_backend_close(c3d_backend *backend); /* a zeroed object is fine */
/* Adds "CUDA 13.0, cuDNN 9.19.0, driver for CUDA 13.0" (or "no driver"), as found at run time;
 * nothing in a build without CUDA. */
void c3d_backend_versions(c3d_text *out);
/* Waits until a mark is reached. */
C3D_CHECKED c3d_status c3d_backend_await(c3d_backend *backend, int mark);

#endif
