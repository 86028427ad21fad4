#include "backend/host.h"

#include <math.h>
#include <string.h>

/* log(1 + exp(z)); a NaN stays one. */
static double softplus(double z)
{
    const double positive_part = z > 0 ? z : 0;

    return positive_part + log1p(exp(-fabs(z)));
}

static double sigmoid(double z)
{
    const double e = exp(-fabs(z));

    return z >= 0 ? 1 / (1 + e) : e / (1 + e);
}

/* The probability p of a row's label, q = 1 - p and -log p, none of them by a difference of numbers
 * close to each other. */
typedef struct target {
    double p, q, entropy;
} target;

/* K = 1. */
static target binary_target(double z, int label)
{
    const double toward = label == 1 ? z : -z;

    return (target){ .p = sigmoid(toward), .q = sigmoid(-toward), .entropy = softplus(-toward) };
}

/* K > 1: exponentials are shifted by the largest logit, so that nothing overflows. */
static double largest_of(const float *z, int k)
{
    double largest = (double)z[0];

    for (int i = 1; i < k; i++)
        if ((double)z[i] > largest) largest = (double)z[i];
    return largest;
}

/* total_out: the sum of exp(z - largest). */
static target class_target(const float *z, int k, int label, double largest, double *total_out)
{
    const double below = largest - (double)z[label], own = exp(-below);
    double others = 0;

    for (int i = 0; i < k; i++)
        if (i != label) others += exp((double)z[i] - largest);
    *total_out = own + others;
    return (target){ .p = own / *total_out,
                     .q = others / *total_out,
                     .entropy = below > 0 ? below + log(*total_out) : log1p(others) };
}

static double loss_of(const c3d_loss *loss, target t)
{
    const double gamma = (double)loss->focal_gamma;

    return gamma > 0 ? pow(t.q, gamma) * t.entropy : t.entropy;
}

/* What the gradient of the cross entropy, p_i - [i is the label], is multiplied by in the gradient
 * of q^gamma (-log p); -log p / q tends to 1 with q to 0. */
static double slope_of(const c3d_loss *loss, target t)
{
    const double gamma = (double)loss->focal_gamma;

    if (!(gamma > 0)) return 1;
    return pow(t.q, gamma) * (gamma * t.p * (t.q > 0 ? t.entropy / t.q : 1) + 1);
}

c3d_status c3d_loss_check(const c3d_loss *loss, int n, int k)
{
    const int n_classes = k == 1 ? 2 : k;

    if (loss->n_samples < 0 || loss->n_samples > n)
        return C3D_FAIL(C3D_EINVAL, "loss: %d samples, planned for %d", loss->n_samples, n);
    if (!(loss->focal_gamma >= 0))
        return C3D_FAIL(C3D_EINVAL, "loss: gamma %g, expected 0 or more",
                        (double)loss->focal_gamma);
    for (int r = 0; r < loss->n_samples; r++)
        if (loss->labels[r] < 0 || loss->labels[r] >= n_classes)
            return C3D_FAIL(C3D_EINVAL, "loss: row %d: label %d of %d classes", r,
                            (int)loss->labels[r], n_classes);
    return C3D_OK;
}

static double weight_of(const c3d_loss *loss, int r)
{
    return loss->weights ? (double)loss->weights[r] : 1.0;
}

/* What a row's gradient is multiplied by; a loss that is not finite shows in it. */
static double scale_of(const c3d_loss *loss, int r)
{
    return isfinite(loss->losses[r]) ? weight_of(loss, r) * (double)loss->grad_scale : (double)NAN;
}

static void binary_loss(const float *logits, float *d_logits, const c3d_loss *loss)
{
    for (int r = 0; r < loss->n_samples; r++) {
        const int label = loss->labels[r];
        const target t = binary_target((double)logits[r], label);
        const double dz = (label == 1 ? -t.q : t.q) * slope_of(loss, t);

        loss->losses[r] = (float)(weight_of(loss, r) * loss_of(loss, t));
        if (loss->scores) loss->scores[r] = (float)(label == 1 ? t.p : t.q);
        if (loss->with_grad) d_logits[r] = (float)(scale_of(loss, r) * dz);
    }
}

static void class_loss(const float *logits, float *d_logits, int k, const c3d_loss *loss)
{
    for (int r = 0; r < loss->n_samples; r++) {
        const size_t first = (size_t)r * (size_t)k;
        const float *z = logits + first;
        const double largest = largest_of(z, k);
        double total;
        const target t = class_target(z, k, loss->labels[r], largest, &total);

        loss->losses[r] = (float)(weight_of(loss, r) * loss_of(loss, t));
        const double factor = scale_of(loss, r) * slope_of(loss, t);
        for (int i = 0; i < k; i++) {
            const double p = exp((double)z[i] - largest) / total;

            if (loss->scores) loss->scores[first + (size_t)i] = (float)p;
            if (loss->with_grad)
                d_logits[first + (size_t)i] = (float)(factor * (i == loss->labels[r] ? -t.q : p));
        }
    }
}

c3d_status c3d_host_loss(const float *logits, float *d_logits, int n, int k, const c3d_loss *loss)
{
    C3D_TRY(c3d_loss_check(loss, n, k));
    if (loss->with_grad && !d_logits)
        return C3D_FAIL(C3D_EINVAL, "loss: the logits were planned without a gradient");
    if (loss->with_grad) memset(d_logits, 0, (size_t)n * (size_t)k * sizeof *d_logits);
    if (k == 1)
        binary_loss(logits, d_logits, loss);
    else
        class_loss(logits, d_logits, k, loss);
    return C3D_OK;
}
