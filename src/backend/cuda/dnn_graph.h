/* Between the parts of dnn: graphs, the engines that can compute them, and the plan of one. */
#ifndef C3D_CUDA_DNN_GRAPH_H
#define C3D_CUDA_DNN_GRAPH_H

#include "backend/cuda/dnn.h"

#include <cudnn.h>

/* Sets the error of a call that cuDNN refused: C3D_EUNSUPPORTED for what it does not have,
 * C3D_EBACKEND otherwise. Never C3D_OK. */
C3D_CHECKED c3d_status c3d_dnn_failed(cudnnStatus_t status, const char *call);

/* Returns from the calling function when cuDNN refuses: the call as written, its own words. */
#define C3D_CUDNN(call)                                                                            \
    do {                                                                                           \
        const cudnnStatus_t c3d_cudnn_status = (call);                                             \
        if (c3d_cudnn_status != CUDNN_STATUS_SUCCESS)                                              \
            return c3d_dnn_failed(c3d_cudnn_status, #call);                                        \
    } while (0)

/* ---- dnn_graph.c ---- */

/* The operations of a c3d_dnn_conv and what they are made of; freed together, after its plans. */
#define C3D_DNN_PARTS 16
typedef struct c3d_dnn_graph {
    cudnnBackendDescriptor_t parts[C3D_DNN_PARTS], whole;
    int n_parts;
    cudnnBackendDescriptor_t operations[3];
    int n_operations;
} c3d_dnn_graph;

/* handle: NULL without a device. The graph is to be freed also after a failure. */
C3D_CHECKED c3d_status c3d_dnn_graph_make(const c3d_dnn_conv *conv, cudnnHandle_t handle,
                                          c3d_dnn_graph *graph);
void c3d_dnn_graph_free(c3d_dnn_graph *graph);
/* Bytes of a tensor; 0 when the kind does not use it. */
size_t c3d_dnn_tensor_bytes(const c3d_dnn_conv *conv, c3d_dnn_role role);
/* What tells one graph from another, on a line. */
void c3d_dnn_conv_text(const c3d_dnn_conv *conv, char out[256]);

/* ---- dnn_engine.c ---- */

/* An engine's number and its knobs: what tells one way to compute from another. */
#define C3D_DNN_KNOBS CUDNN_KNOB_TYPE_COUNTS
typedef struct c3d_dnn_choice {
    int64_t engine;
    int n_knobs;
    struct c3d_dnn_knob {
        int type;
        int64_t value;
    } knobs[C3D_DNN_KNOBS];
} c3d_dnn_choice;

/* A choice made ready. */
typedef struct c3d_dnn_candidate {
    c3d_dnn_choice choice;
    cudnnBackendDescriptor_t config, plan;
    size_t workspace;
    bool is_compiled; /* at run time, by NVRTC */
    float ms;         /* as timed; 0: not */
} c3d_dnn_candidate;

#define C3D_DNN_CANDIDATES 16
typedef struct c3d_dnn_candidates {
    c3d_dnn_candidate list[C3D_DNN_CANDIDATES];
    int n, n_proposed; /* proposed: by the heuristics, without what was left out by its notes */
} c3d_dnn_candidates;

typedef struct c3d_dnn_search {
    cudnnHandle_t handle;                 /* or NULL */
    cudnnBackendDescriptor_t device_prop; /* without a device; or NULL */
    c3d_precision precision;
    bool deterministic;
    size_t workspace_max;
    int n_wanted;
} c3d_dnn_search;

/* Up to n_wanted ways to compute the graph, in the order of the heuristics; none is no failure, but
 * the error set last says why. To be freed by c3d_dnn_candidates_free also after a failure. */
C3D_CHECKED c3d_status c3d_dnn_engines_find(const c3d_dnn_search *search,
                                            const c3d_dnn_graph *graph, c3d_dnn_candidates *out);
/* A choice made earlier; fails when this library or device does not take it. */
C3D_CHECKED c3d_status c3d_dnn_engine_ready(const c3d_dnn_search *search,
                                            const c3d_dnn_graph *graph,
                                            const c3d_dnn_choice *choice, c3d_dnn_candidate *out);
void c3d_dnn_candidate_free(c3d_dnn_candidate *candidate); /* zeroes it; a zeroed one is fine */
void c3d_dnn_candidates_free(c3d_dnn_candidates *candidates);
/* tensors [C3D_DNN_ROLES], those that the kind uses. */
C3D_CHECKED c3d_status c3d_dnn_execute(cudnnHandle_t handle, const c3d_dnn_conv *conv,
                                       const c3d_dnn_candidate *candidate, void *const *tensors,
                                       void *workspace);

/* ---- dnn_tune.c ---- */

/* Index of the fastest, the first of equals; 0 when nothing could be timed. Waits for the stream.
 */
int c3d_dnn_fastest(cudnnHandle_t handle, void *stream, const c3d_dnn_conv *conv,
                    c3d_dnn_candidates *candidates);

/* ---- dnn_cache.c ---- */

/* key: one line. False when nothing usable is there, which is logged unless there is nothing. */
bool c3d_dnn_cache_read(const char *dir, const char *key, c3d_dnn_choice *out);
/* Logs when it cannot be kept. */
void c3d_dnn_cache_write(const char *dir, const char *key, const c3d_dnn_choice *choice);

#endif
