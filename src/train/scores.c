#include "c3d/train.h"

#include <math.h>
#include <stdlib.h>

#define Z_95 1.959963984540054 /* 97.5 % quantile of the normal distribution */

c3d_counts c3d_counts_at(const float *scores, const int32_t *labels, size_t n, double threshold)
{
    c3d_counts counts = { 0 };

    for (size_t i = 0; i < n; i++) {
        const bool said = (double)scores[i] > threshold, is = labels[i] == 1;
        counts.tp += said && is;
        counts.fp += said && !is;
        counts.tn += !said && !is;
        counts.fn += !said && is;
    }
    return counts;
}

c3d_estimate c3d_share(const char *name, int64_t k, int64_t n)
{
    c3d_estimate e = { .name = name, .value = NAN, .low = NAN, .high = NAN, .method = "wilson" };

    if (n == 0) return e;
    const double count = (double)n, p = (double)k / count, z2 = Z_95 * Z_95;
    const double centre = (p + z2 / (2 * count)) / (1 + z2 / count);
    const double half =
        Z_95 / (1 + z2 / count) * sqrt(p * (1 - p) / count + z2 / (4 * count * count));
    e.value = p;
    e.low = k == 0 ? 0 : centre - half;
    e.high = k == n ? 1 : centre + half;
    return e;
}

static double f1_of_jaccard(double j)
{
    return 2 * j / (1 + j);
}

void c3d_metrics_of(c3d_counts c, c3d_estimate out[C3D_N_METRICS])
{
    out[C3D_METRIC_ACCURACY] = c3d_share("accuracy", c.tp + c.tn, c.tp + c.fp + c.tn + c.fn);
    out[C3D_METRIC_PRECISION] = c3d_share("precision", c.tp, c.tp + c.fp);
    out[C3D_METRIC_RECALL] = c3d_share("recall", c.tp, c.tp + c.fn);
    out[C3D_METRIC_SPECIFICITY] = c3d_share("specificity", c.tn, c.tn + c.fp);
    c3d_estimate *f1 = &out[C3D_METRIC_F1];
    *f1 = c3d_share("f1", c.tp, c.tp + c.fp + c.fn);
    f1->value = f1_of_jaccard(f1->value);
    f1->low = f1_of_jaccard(f1->low);
    f1->high = f1_of_jaccard(f1->high);
    f1->method = "wilson-jaccard";
}

typedef struct scored {
    float score;
    int32_t label;
} scored;

static int by_score(const void *a, const void *b)
{
    const float x = ((const scored *)a)->score, y = ((const scored *)b)->score;

    return (x > y) - (x < y);
}

/* Twice the number of (positive, negative) pairs in the right order, a tie counting one. */
static uint64_t ordered_pairs_twice(const scored *rows, size_t n)
{
    uint64_t twice = 0, negatives_below = 0;

    for (size_t i = 0; i < n;) {
        uint64_t positives = 0, negatives = 0;
        size_t j = i;
        for (; j < n && by_score(&rows[j], &rows[i]) == 0; j++) {
            positives += rows[j].label == 1;
            negatives += rows[j].label != 1;
        }
        twice += positives * (2 * negatives_below + negatives);
        negatives_below += negatives;
        i = j;
    }
    return twice;
}

c3d_status c3d_auc(const float *scores, const int32_t *labels, size_t n, c3d_estimate *out)
{
    c3d_estimate e = {
        .name = "auc", .value = NAN, .low = NAN, .high = NAN, .method = "hanley-mcneil"
    };
    double positives = 0;
    scored *rows = c3d_calloc(n, sizeof *rows);

    if (!rows) return C3D_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        rows[i] = (scored){ .score = scores[i], .label = labels[i] };
        positives += labels[i] == 1;
    }
    const double negatives = (double)n - positives;
    if (positives > 0 && negatives > 0) {
        qsort(rows, n, sizeof *rows, by_score);
        const double a = (double)ordered_pairs_twice(rows, n) / (2 * positives * negatives);
        const double q1 = a / (2 - a), q2 = 2 * a * a / (1 + a);
        const double variance =
            (a * (1 - a) + (positives - 1) * (q1 - a * a) + (negatives - 1) * (q2 - a * a)) /
            (positives * negatives);
        const double half = Z_95 * sqrt(fmax(0, variance));
        e.value = a;
        e.low = fmax(0, a - half);
        e.high = fmin(1, a + half);
    }
    free(rows);
    *out = e;
    return C3D_OK;
}
