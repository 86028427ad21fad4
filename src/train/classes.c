/* Scores of K classes: every class against all others, and their unweighted means. */
#include "c3d/train.h"

#include <math.h>
#include <stdlib.h>

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
}

c3d_status c3d_auc_of_class(const float *scores, const int32_t *labels, size_t n, int n_classes,
                            int k, c3d_estimate *out)
{
    float *score = c3d_calloc(n ? n : 1, sizeof *score);
    int32_t *is_k = c3d_calloc(n ? n : 1, sizeof *is_k);
    c3d_status st = score && is_k ? C3D_OK : C3D_ENOMEM;

    for (size_t i = 0; st == C3D_OK && i < n; i++) {
        score[i] = scores[i * (size_t)n_classes + (size_t)k];
        is_k[i] = labels[i] == k;
    }
    if (st == C3D_OK) st = c3d_auc(score, is_k, n, out);
    free(score);
    free(is_k);
    return st;
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

static c3d_status check_label(const c3d_samples *samples, const char *dir, size_t row,
                              int n_outputs)
{
    const c3d_sample *s = &samples->rows[row];
    const int n_classes = n_outputs == 1 ? 2 : n_outputs;

    if (s->label >= 0 && s->label < n_classes) return C3D_OK;
    return C3D_FAIL(C3D_EDATA,
                    "%s/samples.csv:%zu: sample %lld has label %d; model.outputs %d knows 0..%d",
                    dir, row + 2, (long long)s->sample_id, s->label, n_outputs, n_classes - 1);
}

c3d_status c3d_check_labels(const c3d_dataset *dataset, const char *dir, const c3d_list *list,
                            int n_outputs)
{
    const c3d_samples *samples = c3d_dataset_get_samples(dataset);

    for (size_t i = 0; list && i < list->n; i++)
        C3D_TRY(check_label(samples, dir, list->index[i], n_outputs));
    for (size_t i = 0; !list && i < samples->n; i++)
        if (samples->rows[i].split != C3D_SPLIT_NONE)
            C3D_TRY(check_label(samples, dir, i, n_outputs));
    return C3D_OK;
}
