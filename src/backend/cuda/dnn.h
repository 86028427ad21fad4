/* Convolutions as graphs of cuDNN's backend interface. Private to src/backend/cuda.
 *
 * Tensors lie channels-last, as kernels.h says; channel counts given here are the rounded ones. A
 * plan is one graph with the engine that was chosen for it: the first that cuDNN's heuristics name,
 * or (autotune) the fastest of the first on the device, remembered in cache_dir under cuDNN's
 * version, the device and the graph. Plans can be made without a device from a JSON of its
 * properties, to know that they exist.
 *
 * Left out are engines that sum in 16 bits, or by Winograd's or Fourier's transform; with fp32
 * those that use tensor cores or convert their inputs down; with deterministic those that cuDNN
 * notes as nondeterministic. Deterministic also means that nothing is timed: the clock would choose
 * differently from run to run. */
#ifndef C3D_CUDA_DNN_H
#define C3D_CUDA_DNN_H

#include "c3d/backend.h"

typedef struct c3d_dnn c3d_dnn;
typedef struct c3d_dnn_plan c3d_dnn_plan;

typedef enum c3d_dnn_kind {
    C3D_DNN_FORWARD,           /* y = conv(x, w) */
    C3D_DNN_FORWARD_BIAS,      /* y = conv(x, w) + b; b of the precision's type */
    C3D_DNN_FORWARD_BIAS_RELU, /* y = max(0, conv(x, w) + b); likewise */
    C3D_DNN_BACKWARD_X,        /* dx = conv^T(dy, w) */
    C3D_DNN_BACKWARD_X_RELU,   /* dx = x > 0 ? conv^T(dy, w) : 0 */
    C3D_DNN_BACKWARD_W,        /* dw = conv^W(x, dy), float32 */
    C3D_DNN_BACKWARD_W_LOW,    /* the same in the precision's type */
    C3D_DNN_KINDS
} c3d_dnn_kind;
const char *c3d_dnn_kind_name(c3d_dnn_kind kind); /* "forward_bias_relu" */

/* b is [K]. A convolution that is one of two dimensions (kernel 1 in d, or in h and w) is given to
 * cuDNN as such: it has more engines for these. */
typedef struct c3d_dnn_conv {
    c3d_dnn_kind kind;
    c3d_precision precision; /* fp32: no tensor cores, no down-conversion; tf32: allowed */
    c3d_shape x, y;          /* with rounded channels; y as c3d_op_output says */
    int kernel[3], stride[3], pad_before[3], pad_after[3];
} c3d_dnn_conv;

/* Which tensor an argument of a run is; what a kind does not use is NULL. */
typedef enum c3d_dnn_role {
    C3D_DNN_X,
    C3D_DNN_W,
    C3D_DNN_B,
    C3D_DNN_Y,
    C3D_DNN_DX,
    C3D_DNN_DW,
    C3D_DNN_ROLES
} c3d_dnn_role; /* Y: y, or its gradient */

typedef struct c3d_dnn_options {
    void *stream;            /* cudaStream_t; with device_json unused */
    const char *device_json; /* plan for this device without having one; NULL: the current device */
    bool deterministic, autotune;
    const char *cache_dir; /* or NULL; made when it is not there; borrowed until close */
    /* Bytes of workspace; plans that want more are taken only where there is no other, and then the
     * one that wants least. 0: 4 GiB. */
    size_t workspace_max;
} c3d_dnn_options;

C3D_CHECKED c3d_status c3d_dnn_open(const c3d_dnn_options *options, c3d_dnn **out);
void c3d_dnn_close(c3d_dnn *dnn); /* NULL is fine */
/* C3D_EUNSUPPORTED when no engine takes the graph, with the library's words. Timing takes device
 * memory for the tensors and frees it; where there is too little the heuristics' choice stays. */
C3D_CHECKED c3d_status c3d_dnn_plan_create(c3d_dnn *dnn, const c3d_dnn_conv *conv,
                                           c3d_dnn_plan **out);
void c3d_dnn_plan_free(c3d_dnn_plan *plan); /* NULL is fine */
size_t c3d_dnn_plan_workspace(const c3d_dnn_plan *plan);
/* "engine 62, first of 3 proposed", for logs and --debug; returns out. */
const char *c3d_dnn_plan_text(const c3d_dnn_plan *plan, char out[96]);
/* Enqueued. tensors [C3D_DNN_ROLES] and workspace: device memory, 16-byte aligned. */
C3D_CHECKED c3d_status c3d_dnn_run(c3d_dnn *dnn, c3d_dnn_plan *plan, void *const *tensors,
                                   void *workspace);

#endif
