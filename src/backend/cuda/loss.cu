#include "backend/cuda/lanes.cuh"

#include <math.h>

/* Step by step what c3d_host_loss does, whose formulas are not explained again; a thread a row. */
namespace
{

constexpr int loss_threads = 64;

struct target {
    double p, q, entropy;
};

__device__ inline double softplus(double z)
{
    return (z > 0 ? z : 0) + log1p(exp(-fabs(z)));
}

__device__ inline double sigmoid(double z)
{
    const double e = exp(-fabs(z));

    return z >= 0 ? 1 / (1 + e) : e / (1 + e);
}

__device__ inline target binary_target(double z, int label)
{
    const double toward = label == 1 ? z : -z;

    return target{ sigmoid(toward), sigmoid(-toward), softplus(-toward) };
}

__device__ inline double largest_of(const float *z, int k)
{
    double largest = (double)z[0];

    for (int i = 1; i < k; i++)
        if ((double)z[i] > largest) largest = (double)z[i];
    return largest;
}

__device__ inline target class_target(const float *z, int k, int label, double largest,
                                      double *total_out)
{
    const double below = largest - (double)z[label], own = exp(-below);
    double others = 0;

    for (int i = 0; i < k; i++)
        if (i != label) others += exp((double)z[i] - largest);
    *total_out = own + others;
    return target{ own / *total_out, others / *total_out,
                   below > 0 ? below + log(*total_out) : log1p(others) };
}

__device__ inline double loss_of(double gamma, const target &t)
{
    return gamma > 0 ? pow(t.q, gamma) * t.entropy : t.entropy;
}

__device__ inline double slope_of(double gamma, const target &t)
{
    if (!(gamma > 0)) return 1;
    return pow(t.q, gamma) * (gamma * t.p * (t.q > 0 ? t.entropy / t.q : 1) + 1);
}

__device__ inline void binary_row(const c3d_cuda_loss &a, int r, double weight, const float *z,
                                  float *loss, float *score, float *dz)
{
    const int label = a.labels[r];
    const double gamma = (double)a.focal_gamma;
    const target t = binary_target((double)z[0], label);
    const double slope = (label == 1 ? -t.q : t.q) * slope_of(gamma, t);

    *loss = (float)(weight * loss_of(gamma, t));
    if (score) *score = (float)(label == 1 ? t.p : t.q);
    if (dz) *dz = (float)(weight * (double)a.grad_scale * slope);
}

__device__ inline void class_row(const c3d_cuda_loss &a, int r, double weight, const float *z,
                                 float *loss, float *score, float *dz)
{
    const int label = a.labels[r], k = a.n_outputs;
    const double gamma = (double)a.focal_gamma, largest = largest_of(z, k);
    double total;
    const target t = class_target(z, k, label, largest, &total);
    const double factor = weight * (double)a.grad_scale * slope_of(gamma, t);

    *loss = (float)(weight * loss_of(gamma, t));
    for (int i = 0; i < k; i++) {
        const double p = exp((double)z[i] - largest) / total;

        if (score) score[i] = (float)p;
        if (dz) dz[i] = (float)(factor * (i == label ? -t.q : p));
    }
}

__global__ void __launch_bounds__(loss_threads)
    run_loss(const c3d_cuda_loss a, const float *__restrict__ logits, float *__restrict__ losses,
             float *__restrict__ scores, float *__restrict__ d_logits)
{
    const int r = (int)(blockIdx.x * blockDim.x + threadIdx.x);

    if (r >= a.n) return;
    float *const dz = d_logits ? d_logits + (size_t)r * a.n_lanes : NULL;
    if (dz)
        for (int i = 0; i < a.n_lanes; i++) dz[i] = 0;
    if (r >= a.n_samples) return;
    const double weight = a.weights ? (double)a.weights[r] : 1;
    const float *const z = logits + (size_t)r * a.n_lanes;
    float *const score = scores ? scores + (size_t)r * a.n_outputs : NULL;
    if (a.n_outputs == 1)
        binary_row(a, r, weight, z, losses + r, score, dz);
    else
        class_row(a, r, weight, z, losses + r, score, dz);
}

} // namespace

cudaError_t c3d_cuda_loss_run(cudaStream_t stream, const c3d_cuda_loss *a, const float *logits,
                              float *losses, float *scores, float *d_logits)
{
    const cudaLaunchConfig_t config = launch_of(
        stream, dim3(ceil_div((size_t)a->n, loss_threads), 1, 1), dim3(loss_threads, 1, 1));

    if (a->n == 0) return cudaSuccess;
    return cudaLaunchKernelEx(&config, run_loss, *a, logits, losses, scores, d_logits);
}
