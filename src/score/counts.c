#include "c3d/score.h"

#include <math.h>

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

const char *c3d_metric_name(c3d_metric metric)
{
    static const char *const names[C3D_N_METRICS] = {
        [C3D_METRIC_ACCURACY] = "accuracy",
        [C3D_METRIC_PRECISION] = "precision",
        [C3D_METRIC_RECALL] = "recall",
        [C3D_METRIC_SPECIFICITY] = "specificity",
        [C3D_METRIC_F1] = "f1",
        [C3D_METRIC_BALANCED_ACCURACY] = "balanced_accuracy",
        [C3D_METRIC_F05] = "f0.5",
    };

    return names[metric];
}

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : (double)NAN;
}

double c3d_f_beta(c3d_counts c, double beta)
{
    const double square = beta * beta, found = (1 + square) * (double)c.tp;

    return ratio(found, found + square * (double)c.fn + (double)c.fp);
}

double c3d_metric_of(c3d_counts c, c3d_metric metric)
{
    const double tp = (double)c.tp, fp = (double)c.fp, tn = (double)c.tn, fn = (double)c.fn;

    switch (metric) {
    case C3D_METRIC_ACCURACY: return ratio(tp + tn, tp + fp + tn + fn);
    case C3D_METRIC_PRECISION: return ratio(tp, tp + fp);
    case C3D_METRIC_RECALL: return ratio(tp, tp + fn);
    case C3D_METRIC_SPECIFICITY: return ratio(tn, tn + fp);
    case C3D_METRIC_F1: return c3d_f_beta(c, 1);
    case C3D_METRIC_BALANCED_ACCURACY: return (ratio(tp, tp + fn) + ratio(tn, tn + fp)) / 2;
    case C3D_METRIC_F05: return c3d_f_beta(c, 0.5);
    case C3D_N_METRICS: break;
    }
    return (double)NAN;
}

static double f1_of_jaccard(double j)
{
    return 2 * j / (1 + j);
}

static c3d_estimate f1_of(c3d_counts c)
{
    c3d_estimate f1 = c3d_share("f1", c.tp, c.tp + c.fp + c.fn);

    f1.value = c3d_f_beta(c, 1);
    f1.low = f1_of_jaccard(f1.low);
    f1.high = f1_of_jaccard(f1.high);
    f1.method = "wilson-jaccard";
    return f1;
}

/* Of the mean of two independent shares: distances to the limits add up by squares. */
static c3d_estimate mean_of_two(const char *name, const c3d_estimate *a, const c3d_estimate *b)
{
    const double value = (a->value + b->value) / 2;

    return (c3d_estimate){ .name = name,
                           .value = value,
                           .low = value - hypot(a->value - a->low, b->value - b->low) / 2,
                           .high = value + hypot(a->high - a->value, b->high - b->value) / 2,
                           .method = "wilson-squares" };
}

void c3d_metrics_of(c3d_counts c, c3d_estimate out[C3D_N_METRICS])
{
    out[C3D_METRIC_ACCURACY] = c3d_share("accuracy", c.tp + c.tn, c.tp + c.fp + c.tn + c.fn);
    out[C3D_METRIC_PRECISION] = c3d_share("precision", c.tp, c.tp + c.fp);
    out[C3D_METRIC_RECALL] = c3d_share("recall", c.tp, c.tp + c.fn);
    out[C3D_METRIC_SPECIFICITY] = c3d_share("specificity", c.tn, c.tn + c.fp);
    out[C3D_METRIC_F1] = f1_of(c);
    out[C3D_METRIC_BALANCED_ACCURACY] =
        mean_of_two("balanced_accuracy", &out[C3D_METRIC_RECALL], &out[C3D_METRIC_SPECIFICITY]);
    out[C3D_METRIC_F05] = (c3d_estimate){ .name = "f0.5",
                                          .value = c3d_f_beta(c, 0.5),
                                          .low = (double)NAN,
                                          .high = (double)NAN,
                                          .method = "none" };
}
