/* Scores of K classes: every class against all others, and their unweighted means. */
#include "c3d/score.h"

#include <math.h>

int c3d_class_predicted(const float *scores, int n_classes)
{
    int best = 0;

    for (int k = 1; k < n_classes; k++)
        if (scores[k] > scores[best]) best = k;
    return best;
}

void c3d_confusion(const float *scores, const int32_t *labels, size_t n, int n_classes,
                   int64_t *out)
{
    const size_t k = (size_t)n_classes;

    for (size_t i = 0; i < k * k; i++) out[i] = 0;
    for (size_t i = 0; i < n; i++)
        out[(size_t)labels[i] * k + (size_t)c3d_class_predicted(scores + i * k, n_classes)]++;
}

void c3d_counts_of(const float *scores, const int32_t *labels, size_t n, int n_outputs,
                   double threshold, c3d_counts *out)
{
    if (n_outputs == 1) {
        *out = c3d_counts_at(scores, labels, n, threshold);
        return;
    }
    for (int k = 0; k < n_outputs; k++) out[k] = (c3d_counts){ .tn = (int64_t)n };
    for (size_t i = 0; i < n; i++) {
        const int said = c3d_class_predicted(scores + i * (size_t)n_outputs, n_outputs);
        const int is = labels[i];
        out[is].tn--;
        if (said == is) {
            out[is].tp++;
        } else {
            out[is].fn++;
            out[said].fp++;
            out[said].tn--;
        }
    }
}

/* Means over the classes for which a figure is defined. */
typedef struct mean_of {
    double sum;
    int n;
} mean_of;

static void add(mean_of *mean, double value)
{
    if (isnan(value)) return;
    mean->sum += value;
    mean->n++;
}

static c3d_estimate mean_value(const char *name, const char *method, const mean_of *mean)
{
    return (c3d_estimate){ .name = name,
                           .value = mean->n > 0 ? mean->sum / mean->n : (double)NAN,
                           .low = (double)NAN,
                           .high = (double)NAN,
                           .method = method };
}

void c3d_metrics_of_outputs(const c3d_counts *counts, int n_outputs,
                            c3d_estimate out[C3D_N_METRICS])
{
    mean_of means[C3D_N_METRICS] = { 0 };
    const int64_t n = counts[0].tp + counts[0].fp + counts[0].tn + counts[0].fn;
    int64_t n_right = 0;

    if (n_outputs == 1) {
        c3d_metrics_of(counts[0], out);
        return;
    }
    for (int k = 0; k < n_outputs; k++) {
        c3d_metrics_of(counts[k], out);
        for (int m = 0; m < C3D_N_METRICS; m++) add(&means[m], out[m].value);
        n_right += counts[k].tp;
    }
    for (int m = 0; m < C3D_N_METRICS; m++)
        out[m] = mean_value(out[m].name, "macro-mean", &means[m]);
    out[C3D_METRIC_ACCURACY] = c3d_share("accuracy", n_right, n);
    out[C3D_METRIC_BALANCED_ACCURACY].value = out[C3D_METRIC_RECALL].value;
}

c3d_status c3d_auc_of_outputs(const float *scores, const int32_t *labels, size_t n, int n_outputs,
                              c3d_estimate *out)
{
    mean_of mean = { 0 };

    if (n_outputs == 1) return c3d_auc(scores, labels, n, out);
    for (int k = 0; k < n_outputs; k++) {
        c3d_estimate auc;
        C3D_TRY(c3d_auc_of_class(scores, labels, n, n_outputs, k, &auc));
        add(&mean, auc.value);
    }
    *out = mean_value("auc", "mean-one-vs-rest", &mean);
    return C3D_OK;
}
