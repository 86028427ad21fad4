/* Ways to compute a graph, timed on the device with tensors of their own. */
#include "backend/cuda/dnn_graph.h"

#include <cuda_runtime_api.h>

/* Of each candidate that is not far behind: the fastest of so many runs counts. */
#define RUNS 4
/* What needs so many times the fastest so far is not run again. */
#define FAR_BEHIND 1.5F

typedef struct bench {
    cudnnHandle_t handle;
    cudaStream_t stream;
    const c3d_dnn_conv *conv;
    void *tensors[C3D_DNN_ROLES], *workspace;
    cudaEvent_t begin, end;
} bench;

/* Bytes that are small numbers in every type, near 1 or 0.01: what is timed shall switch as many
 * transistors as real numbers do, and meet no denormals. */
#define ORDINARY 0x3c

static bool make_room(bench *b, size_t workspace)
{
    for (int role = 0; role < C3D_DNN_ROLES; role++) {
        const size_t n_bytes = c3d_dnn_tensor_bytes(b->conv, (c3d_dnn_role)role);
        if (n_bytes == 0) continue;
        if (cudaMalloc(&b->tensors[role], n_bytes) != cudaSuccess) return false;
        if (cudaMemsetAsync(b->tensors[role], ORDINARY, n_bytes, b->stream) != cudaSuccess)
            return false;
    }
    return (workspace == 0 || cudaMalloc(&b->workspace, workspace) == cudaSuccess) &&
           cudaEventCreate(&b->begin) == cudaSuccess && cudaEventCreate(&b->end) == cudaSuccess;
}

static void clear(bench *b)
{
    (void)cudaStreamSynchronize(b->stream);
    for (int role = 0; role < C3D_DNN_ROLES; role++) (void)cudaFree(b->tensors[role]);
    (void)cudaFree(b->workspace);
    if (b->begin) (void)cudaEventDestroy(b->begin);
    if (b->end) (void)cudaEventDestroy(b->end);
    (void)cudaGetLastError(); /* memory that was not there is no error of a later call */
}

/* Milliseconds of one run; negative when it failed. */
static float time_once(const bench *b, const c3d_dnn_candidate *c)
{
    float ms = -1;

    if (cudaEventRecord(b->begin, b->stream) != cudaSuccess ||
        c3d_dnn_execute(b->handle, b->conv, c, b->tensors, b->workspace) != C3D_OK ||
        cudaEventRecord(b->end, b->stream) != cudaSuccess ||
        cudaEventSynchronize(b->end) != cudaSuccess ||
        cudaEventElapsedTime(&ms, b->begin, b->end) != cudaSuccess)
        return -1;
    return ms;
}

/* The first run only warms up; so does one that is far behind. */
static float time_one(const bench *b, const c3d_dnn_candidate *c, float best)
{
    float least = time_once(b, c);

    for (int i = 0; i < RUNS && least >= 0; i++) {
        const float ms = time_once(b, c);
        if (ms < 0) return -1;
        if (i == 0 || ms < least) least = ms;
        if (best > 0 && least > FAR_BEHIND * best) break;
    }
    return least;
}

int c3d_dnn_fastest(cudnnHandle_t handle, void *stream, const c3d_dnn_conv *conv,
                    c3d_dnn_candidates *candidates)
{
    bench b = { .handle = handle, .stream = stream, .conv = conv };
    size_t workspace = 0;
    int fastest = 0;
    float best = 0;

    for (int i = 0; i < candidates->n; i++)
        if (candidates->list[i].workspace > workspace) workspace = candidates->list[i].workspace;
    if (make_room(&b, workspace)) {
        for (int i = 0; i < candidates->n; i++) {
            const float ms = time_one(&b, &candidates->list[i], best);
            if (ms <= 0) continue;
            candidates->list[i].ms = ms;
            if (best > 0 && ms >= best) continue;
            best = ms;
            fastest = i;
        }
    } else {
        c3d_log_warn("cuDNN: %s: no memory to time engines; the first that was proposed stays",
                     c3d_dnn_kind_name(conv->kind));
    }
    clear(&b);
    return fastest;
}
