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

/* One row of K = 1: returns the loss, -log p of the label; writes score and d loss / dz. */
static double binary_row(const float *logits, int label, float *score, double *dz)
{
    const double z = (double)logits[0], p = sigmoid(z);

    if (score) *score = (float)p;
    *dz = label == 1 ? -sigmoid(-z) : p;
    return softplus(label == 1 ? -z : z);
}

/* Log of the sum of exponentials, shifted by the largest so that nothing overflows. */
static double log_sum_exp(const float *z, int k)
{
    double largest = (double)z[0], sum = 0;

    for (int i = 1; i < k; i++)
        if ((double)z[i] > largest) largest = (double)z[i];
    for (int i = 0; i < k; i++) sum += exp((double)z[i] - largest);
    return largest + log(sum);
}

static c3d_status check_labels(const c3d_loss *loss, int n, int k)
{
    const int n_classes = k == 1 ? 2 : k;

    if (loss->n_samples < 0 || loss->n_samples > n)
        return C3D_FAIL(C3D_EINVAL, "loss: %d samples, planned for %d", loss->n_samples, n);
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

static void binary_loss(const float *logits, float *d_logits, const c3d_loss *loss)
{
    for (int r = 0; r < loss->n_samples; r++) {
        const double weight = weight_of(loss, r);
        double dz;

        loss->losses[r] = (float)(weight * binary_row(logits + r, loss->labels[r],
                                                      loss->scores ? loss->scores + r : NULL, &dz));
        if (loss->with_grad) d_logits[r] = (float)(weight * (double)loss->grad_scale * dz);
    }
}

static void class_loss(const float *logits, float *d_logits, int k, const c3d_loss *loss)
{
    for (int r = 0; r < loss->n_samples; r++) {
        const size_t first = (size_t)r * (size_t)k;
        const float *z = logits + first;
        const double weight = weight_of(loss, r), total = log_sum_exp(z, k);

        loss->losses[r] = (float)(weight * (total - (double)z[loss->labels[r]]));
        for (int i = 0; i < k; i++) {
            const double p = exp((double)z[i] - total);
            const double dz = i == loss->labels[r] ? p - 1 : p;

            if (loss->scores) loss->scores[first + (size_t)i] = (float)p;
            if (loss->with_grad)
                d_logits[first + (size_t)i] = (float)(weight * (double)loss->grad_scale * dz);
        }
    }
}

c3d_status c3d_host_loss(const float *logits, float *d_logits, int n, int k, const c3d_loss *loss)
{
    C3D_TRY(check_labels(loss, n, k));
    if (loss->with_grad && !d_logits)
        return C3D_FAIL(C3D_EINVAL, "loss: the logits were planned without a gradient");
    if (loss->with_grad) memset(d_logits, 0, (size_t)n * (size_t)k * sizeof *d_logits);
    if (k == 1)
        binary_loss(logits, d_logits, loss);
    else
        class_loss(logits, d_logits, k, loss);
    return C3D_OK;
}
