/* The backend on one NVIDIA GPU: convolutions by cuDNN (dnn.h), linear layers by cuBLASLt, the rest
 * by own kernels (kernels.h, which says how activations and parameters lie).
 *
 * Everything is enqueued on one stream in the order of calls; what is uploaded comes on a second
 * one, a call or two ahead. Events order the two, and the host waits only where it is asked to, or
 * where it has run so far ahead that the page-locked memory for what it hands over is used up.
 *
 * A convolution and a linear layer with ReLU compute in the backend's type, a linear layer without
 * ReLU in float32: logits come from such. */
#ifndef C3D_BACKEND_CUDA_H
#define C3D_BACKEND_CUDA_H

#include "backend/cuda/dnn.h"
#include "backend/cuda/kernels.h"
#include "backend/host.h"

#include <cublasLt.h>

/* In the header so that an analyser sees that they never return C3D_OK. */
static inline c3d_status c3d_cuda_status(cudaError_t error)
{
    return error == cudaErrorMemoryAllocation ? C3D_ENOMEM : C3D_EBACKEND;
}
/* What was enqueued last on this thread is part of a message: an error in a kernel shows in a later
 * call. */
void c3d_cuda_note(const char *what); /* static storage */
const char *c3d_cuda_noted(void);
/* Returns from the calling function when CUDA refuses: the call as written, its words. */
#define C3D_CUDA(call) C3D_CUDA_SAID((call), #call)
#define C3D_CUDA_SAID(error, what)                                                                 \
    do {                                                                                           \
        const cudaError_t c3d_cuda_error = (error);                                                \
        if (c3d_cuda_error != cudaSuccess) {                                                       \
            (void)cudaGetLastError();                                                              \
            return C3D_FAIL(c3d_cuda_status(c3d_cuda_error), "CUDA: %s: %s; last enqueued: %s",    \
                            what, cudaGetErrorString(c3d_cuda_error), c3d_cuda_noted());           \
        }                                                                                          \
    } while (0)
#define C3D_CUBLAS(call)                                                                           \
    do {                                                                                           \
        const cublasStatus_t c3d_cublas_status = (call);                                           \
        if (c3d_cublas_status != CUBLAS_STATUS_SUCCESS)                                            \
            return C3D_FAIL(C3D_EBACKEND, "cuBLASLt: %s: %s", #call,                               \
                            cublasLtGetStatusString(c3d_cublas_status));                           \
    } while (0)

/* Addresses with their sizes. */
typedef struct cuda_ranges {
    struct cuda_range {
        char *begin;
        size_t n_bytes;
    } * list;
    size_t n, n_room;
} cuda_ranges;

/* Device memory shared by all plans of a backend, as large as the largest need: operations run one
 * after the other, and nothing in it outlives a call. */
typedef enum cuda_slot_name {
    SLOT_LIBRARY,  /* workspace of cuDNN and cuBLASLt */
    SLOT_TERM,     /* a weight gradient that will be added to what is there */
    SLOT_PARTIALS, /* sums of blocks of threads */
    SLOT_X,        /* a linear layer's x or dx in the type that it computes in */
    SLOT_RESULTS,  /* losses and scores on their way to the host */
    SLOTS
} cuda_slot_name;

typedef struct cuda_slot {
    void *data;
    size_t n_bytes;
} cuda_slot;

/* Small arrays of a call, packed, on their way to the device. */
#define PARCELS 32
typedef struct cuda_parcel {
    char *host, *device; /* host: page-locked */
    size_t n_used;
    cudaEvent_t arrived, read; /* by the kernel they are for */
    cudaEvent_t asked;         /* for, by the stream: it had nothing to do before they arrived */
    bool is_timed;             /* from asked to read, as backend->copied_s */
} cuda_parcel;

/* Small arrays on their way to the host, in a ring of page-locked memory; delivered by reached and
 * sync. */
#define LETTERS      512
#define LETTER_BYTES ((size_t)1 << 20)
typedef struct cuda_letter {
    uint64_t number;
    void *to;
    size_t at, n_bytes; /* in the ring */
    bool is_double;     /* becomes float, times factor; a factor of 0 gives 0 */
    double factor;
} cuda_letter;

typedef struct cuda_outbox {
    char *host;
    cuda_letter letters[LETTERS];
    size_t first, n;  /* of letters in use */
    size_t at;        /* where the next one's bytes may begin */
    uint64_t n_given; /* letters so far */
} cuda_outbox;

typedef struct cuda {
    c3d_backend *backend; /* whose state this is; counts its buffers */
    int device, n_devices;
    int sm; /* 90: compute capability 9.0 */
    char device_name[96];
    c3d_cuda_type type;
    size_t piece_bytes; /* no convolution is given larger tensors: it runs in pieces of the batch */
    cudaStream_t stream, uploads;
    c3d_dnn *dnn;
    cublasLtHandle_t blas;
    cuda_ranges buffers, pins;
    char *next_address; /* dry_run: of buffers that are none */
    cuda_slot slots[SLOTS];
    cuda_parcel parcels[PARCELS];
    size_t parcel_bytes;
    int next_parcel;
    cuda_outbox outbox;
    cudaEvent_t marks[C3D_MARKS];
    uint64_t marked[C3D_MARKS]; /* letters given when the mark was made */
} cuda;

/* Where an input's values arrive, two of it: one is filled while the other is read. */
typedef struct cuda_staging {
    void *values[2];
    size_t n_bytes; /* of each */
    cudaEvent_t read[2];
    int next;
} cuda_staging;

struct c3d_activation {
    c3d_shape shape;
    int n_lanes;
    c3d_cuda_type type;
    size_t n, n_bytes; /* physical */
    void *value;
    void *grad; /* NULL: none is kept */
    /* The value went through ReLU; so did the gradient already, where it was computed. */
    bool is_relu, grad_is_relu;
    /* [lanes], of an output that a pool takes: the sum of the gradient over rows, while it is that
     * of grad; otherwise has_sums is false. */
    void *grad_sums;
    bool has_sums;
    cuda_staging *staging; /* of an input; otherwise NULL */
};

/* Plans of a convolution of n rows; NULL where there is none. */
typedef struct cuda_conv_piece {
    int n;
    c3d_dnn_plan *plans[C3D_DNN_KINDS];
} cuda_conv_piece;

typedef struct cuda_gemm {
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t a, b, d;
    cublasLtMatmulAlgo_t algo;
    size_t n_workspace;
} cuda_gemm;

typedef struct cuda_norm {
    double *mean, *variance; /* [lanes] */
    int n_samples;           /* of the last forward pass */
} cuda_norm;

typedef struct cuda_plan {
    c3d_plan base;
    c3d_cuda_type type; /* that it computes in */
    int n_pieces;       /* convolution: all of pieces[0], but the last of pieces[1] */
    cuda_conv_piece pieces[2];
    bool fuses_relu; /* its data gradient goes through the ReLU of the layer below */
    void *no_bias;   /* zeros, where a library wants a bias */
    cuda_gemm forward, backward_x, backward_w;
    bool adds_bias; /* linear: the forward pass does, and ReLU */
    uint8_t *winner;
    cuda_norm norm;
} cuda_plan;

static inline cuda *cuda_of(const c3d_backend *self)
{
    return self->state;
}

static inline size_t c3d_cuda_size(c3d_cuda_type type)
{
    return type == C3D_CUDA_F32 ? 4 : 2;
}

static inline int c3d_cuda_lanes(int n_channels)
{
    return (n_channels + C3D_CUDA_LANES - 1) / C3D_CUDA_LANES * C3D_CUDA_LANES;
}

/* N D H W: what kernels that work by channel call rows. */
static inline size_t c3d_cuda_rows(const c3d_activation *x)
{
    return x->n / (size_t)x->n_lanes;
}

/* ---- device.c ---- */

/* Makes the backend's device the calling thread's: every entry that calls CUDA begins with it. */
C3D_CHECKED c3d_status c3d_cuda_use(const cuda *c);
/* Finds the device and refuses what cannot be: no device, a precision it does not have. */
C3D_CHECKED c3d_status c3d_cuda_device_open(cuda *c);
const char *c3d_cuda_describe(c3d_backend *self, char out[256]);

/* ---- memory.c ---- */

c3d_status c3d_cuda_alloc(c3d_backend *self, size_t n_bytes, void **out);
void c3d_cuda_free(c3d_backend *self, void *buffer);
/* The slot holds at least n_bytes from now on. */
C3D_CHECKED c3d_status c3d_cuda_slot_grow(cuda *c, cuda_slot_name name, size_t n_bytes);
c3d_status c3d_cuda_upload(c3d_backend *self, void *to, const void *from_host, size_t n_bytes);
c3d_status c3d_cuda_download(c3d_backend *self, void *to_host, const void *from, size_t n_bytes);
c3d_status c3d_cuda_zero(c3d_backend *self, void *buffer, size_t n_bytes);
c3d_status c3d_cuda_pin(c3d_backend *self, void *memory, size_t n_bytes);
void c3d_cuda_unpin(c3d_backend *self, void *memory);
bool c3d_cuda_is_pinned(const cuda *c, const void *memory, size_t n_bytes);
void c3d_cuda_memory_close(cuda *c);

/* ---- transfer.c ---- */

C3D_CHECKED c3d_status c3d_cuda_transfer_open(cuda *c);
void c3d_cuda_transfer_close(cuda *c);
/* Parcels of n_bytes will be sent. */
C3D_CHECKED c3d_status c3d_cuda_parcel_grow(cuda *c, size_t n_bytes);
/* An empty parcel; put copies an array into it and gives its address on the device (NULL gives
 * NULL); send enqueues the upload and lets the stream wait for it; done is called when what reads
 * it was enqueued. */
C3D_CHECKED c3d_status c3d_cuda_parcel_begin(cuda *c, cuda_parcel **out);
const void *c3d_cuda_parcel_put(const cuda *c, cuda_parcel *parcel, const void *from,
                                size_t n_bytes);
C3D_CHECKED c3d_status c3d_cuda_parcel_send(cuda *c, cuda_parcel *parcel);
C3D_CHECKED c3d_status c3d_cuda_parcel_done(cuda *c, cuda_parcel *parcel);
/* read, and the same of doubles that become floats times factor. */
c3d_status c3d_cuda_read(c3d_backend *self, void *to_host, const void *from, size_t n_bytes);
C3D_CHECKED c3d_status c3d_cuda_read_doubles(cuda *c, float *to_host, const double *from, size_t n,
                                             double factor);
c3d_status c3d_cuda_mark(c3d_backend *self, int mark);
c3d_status c3d_cuda_reached(c3d_backend *self, int mark, bool *out);
c3d_status c3d_cuda_sync(c3d_backend *self);

/* ---- activation.c, input.c ---- */

C3D_CHECKED c3d_status c3d_cuda_activation_create(cuda *c, c3d_shape shape, c3d_cuda_type type,
                                                  c3d_activation **out);
C3D_CHECKED c3d_status c3d_cuda_want_grad(cuda *c, c3d_activation *x);
/* n elements from one type to another; the same type: a copy. */
C3D_CHECKED c3d_status c3d_cuda_convert(cuda *c, size_t n, const void *from,
                                        c3d_cuda_type from_type, void *to, c3d_cuda_type to_type);
void c3d_cuda_activation_free(c3d_backend *self, c3d_activation *x);
c3d_status c3d_cuda_activation_read(c3d_backend *self, c3d_activation *x, bool grad,
                                    float *to_host);
c3d_status c3d_cuda_activation_write(c3d_backend *self, c3d_activation *x, bool grad,
                                     const float *from_host);
c3d_status c3d_cuda_input_create(c3d_backend *self, c3d_shape shape, c3d_activation **out);
void c3d_cuda_staging_free(cuda *c, cuda_staging *staging); /* NULL is fine */
c3d_status c3d_cuda_load(c3d_backend *self, c3d_activation *x, const c3d_input *input);

/* ---- plan.c: entries of the table ---- */

c3d_status c3d_cuda_plan_create(c3d_backend *self, const c3d_op_desc *desc, c3d_activation *x,
                                c3d_plan **out);
void c3d_cuda_plan_free(c3d_backend *self, c3d_plan *plan);
c3d_status c3d_cuda_forward(c3d_backend *self, c3d_plan *plan, const c3d_params *params,
                            const c3d_pass *pass);
c3d_status c3d_cuda_backward(c3d_backend *self, c3d_plan *plan, const c3d_params *params,
                             float *const *param_grads, const c3d_pass *pass);
/* For plans: y, and the gradients that a training plan keeps. */
C3D_CHECKED c3d_status c3d_cuda_plan_outputs(cuda *c, cuda_plan *plan, c3d_cuda_type y_type);
/* Weights as the plan's operation takes them, and its bias: of the plan's type. */
C3D_CHECKED c3d_status c3d_cuda_weights(const cuda_plan *plan, const c3d_params *params,
                                        const void **w_out, const void **b_out);
/* x's gradient is about to be written; it will have been through the ReLU before it, or not. */
void c3d_cuda_set_grad(c3d_activation *x, bool is_relu);
/* y's gradient through the ReLU of the plan, unless it went through it already, and the gradient of
 * the bias. */
C3D_CHECKED c3d_status c3d_cuda_relu_bias(cuda *c, const cuda_plan *plan, float *bias_grad,
                                          bool accumulate);

/* ---- params.c ---- */

c3d_status c3d_cuda_param_import(c3d_backend *self, const c3d_plan *plan, int which,
                                 const float *canonical, float *physical);
c3d_status c3d_cuda_param_export(c3d_backend *self, const c3d_plan *plan, int which,
                                 const float *physical, float *canonical);
/* Sets plan->base.param_n_physical. */
void c3d_cuda_param_sizes(cuda_plan *plan);

/* ---- operations: each plans its own, enqueues its passes, and frees what it planned ---- */

C3D_CHECKED c3d_status c3d_cuda_conv_plan(cuda *c, cuda_plan *plan);
void c3d_cuda_conv_free(cuda_plan *plan);
C3D_CHECKED c3d_status c3d_cuda_conv_forward(cuda *c, cuda_plan *plan, const c3d_params *params);
C3D_CHECKED c3d_status c3d_cuda_conv_backward(cuda *c, cuda_plan *plan, const c3d_params *params,
                                              float *const *param_grads, bool accumulate);

C3D_CHECKED c3d_status c3d_cuda_linear_plan(cuda *c, cuda_plan *plan);
void c3d_cuda_linear_free(cuda_plan *plan);
C3D_CHECKED c3d_status c3d_cuda_linear_forward(cuda *c, cuda_plan *plan, const c3d_params *params);
C3D_CHECKED c3d_status c3d_cuda_linear_backward(cuda *c, cuda_plan *plan, const c3d_params *params,
                                                float *const *param_grads, bool accumulate);

C3D_CHECKED c3d_status c3d_cuda_pool_plan(cuda *c, cuda_plan *plan);
C3D_CHECKED c3d_status c3d_cuda_pool_run(cuda *c, cuda_plan *plan);
C3D_CHECKED c3d_status c3d_cuda_pool_run_back(cuda *c, cuda_plan *plan);

C3D_CHECKED c3d_status c3d_cuda_dropout_plan(cuda *c, cuda_plan *plan);
C3D_CHECKED c3d_status c3d_cuda_dropout_forward(cuda *c, const cuda_plan *plan,
                                                const c3d_pass *pass);
C3D_CHECKED c3d_status c3d_cuda_dropout_backward(cuda *c, const cuda_plan *plan,
                                                 const c3d_pass *pass);

C3D_CHECKED c3d_status c3d_cuda_norm_plan(cuda *c, cuda_plan *plan);
C3D_CHECKED c3d_status c3d_cuda_norm_forward(cuda *c, cuda_plan *plan, const c3d_params *params,
                                             const c3d_pass *pass);
C3D_CHECKED c3d_status c3d_cuda_norm_run_back(cuda *c, cuda_plan *plan, const c3d_params *params,
                                              float *const *param_grads, bool accumulate);
c3d_status c3d_cuda_stats_read(c3d_backend *self, const c3d_plan *plan, float *mean,
                               float *variance);

/* ---- update.c ---- */

c3d_status c3d_cuda_loss_entry(c3d_backend *self, c3d_activation *logits, const c3d_loss *loss);
c3d_status c3d_cuda_adam_entry(c3d_backend *self, const c3d_adam *adam,
                               const c3d_adam_arrays *arrays);
c3d_status c3d_cuda_to_low_entry(c3d_backend *self, size_t n, const float *from, uint16_t *to);
c3d_status c3d_cuda_add_entry(c3d_backend *self, size_t n, const float *from, float *to);
c3d_status c3d_cuda_sum_squares_entry(c3d_backend *self, const float *x, size_t n, double *out);
c3d_status c3d_cuda_sum_doubles_entry(c3d_backend *self, const double *x, size_t n, double *out);

#endif
