/* Shares of an area from a stratified sample. Every figure is a ratio R = Y / X of totals over the
 * strata of indicators y and x of each sample (x = 1 for accuracy and area), with
 *   R = sum W_h mean_h(y) / sum W_h mean_h(x)
 *   V(R) = sum W_h^2 / n_h (s_yh^2 + R^2 s_xh^2 - 2 R s_xyh) / (sum W_h mean_h(x))^2
 * (Stehman 2014, equations 3, 27 and 28, without the correction for finite populations). */
#include "c3d/score.h"

#include <math.h>
#include <stdlib.h>

#define Z_95 1.959963984540054

typedef enum ratio_kind { OVERALL, OF_PREDICTED, OF_LABEL, AREA } ratio_kind;

/* Whether a sample counts in the numerator (y) and the denominator (x). */
static void indicators(ratio_kind kind, int class, int label, int predicted, bool *y, bool *x)
{
    *y = label == predicted && (kind == OVERALL || label == class);
    *x = true;
    if (kind == OF_PREDICTED) *x = predicted == class;
    if (kind == OF_LABEL) *x = label == class;
    if (kind == AREA) *y = label == class;
}

typedef struct stratum_sums {
    double n, y, x, xy;
} stratum_sums;

static stratum_sums sum_stratum(const c3d_strata *in, int h, ratio_kind kind, int class)
{
    const int64_t *counts = in->counts + (size_t)h * (size_t)(in->n_classes * in->n_classes);
    stratum_sums sums = { 0 };

    for (int label = 0; label < in->n_classes; label++)
        for (int predicted = 0; predicted < in->n_classes; predicted++) {
            const double n = (double)counts[label * in->n_classes + predicted];
            bool y, x;
            indicators(kind, class, label, predicted, &y, &x);
            sums.n += n;
            sums.y += y ? n : 0;
            sums.x += x ? n : 0;
            sums.xy += x && y ? n : 0;
        }
    return sums;
}

static c3d_figure figure_of(double value, double half, c3d_fallback fallback)
{
    const bool has_interval = half > 0 && isfinite(half);

    if (fallback == C3D_FALLBACK_NONE && half <= 0) fallback = C3D_FALLBACK_SPREAD;
    return (c3d_figure){ .value = value,
                         .low = has_interval ? fmax(0, value - half) : (double)NAN,
                         .high = has_interval ? fmin(1, value + half) : (double)NAN,
                         .method = has_interval ? "stratified" : "none",
                         .fallback = fallback,
                         .formula_low = (double)NAN,
                         .formula_high = (double)NAN,
                         .formula = "none" };
}

static c3d_figure ratio_of(const c3d_strata *in, ratio_kind kind, int class)
{
    double total_y = 0, total_x = 0, variance = 0;

    for (int h = 0; h < in->n; h++) {
        const stratum_sums s = sum_stratum(in, h, kind, class);
        if (!(in->weights[h] > 0)) continue;
        if (!(s.n > 0)) return figure_of((double)NAN, (double)NAN, C3D_FALLBACK_STRATUM);
        total_y += in->weights[h] * s.y / s.n;
        total_x += in->weights[h] * s.x / s.n;
    }
    const double r = total_x > 0 ? total_y / total_x : (double)NAN;
    for (int h = 0; h < in->n; h++) {
        const stratum_sums s = sum_stratum(in, h, kind, class);
        if (!(in->weights[h] > 0)) continue;
        const double my = s.y / s.n, mx = s.x / s.n,
                     factor = s.n > 1 ? s.n / (s.n - 1) : (double)NAN;
        const double vy = my * (1 - my) * factor, vx = mx * (1 - mx) * factor;
        const double covariance = (s.xy / s.n - mx * my) * factor;
        variance +=
            in->weights[h] * in->weights[h] / s.n * fmax(0, vy + r * r * vx - 2 * r * covariance);
        if (isnan(factor)) variance = (double)NAN;
    }
    return figure_of(r, Z_95 * sqrt(variance) / total_x, C3D_FALLBACK_NONE);
}

c3d_status c3d_weighted_make(const c3d_strata *strata, c3d_weighted *out)
{
    const size_t k = (size_t)strata->n_classes;
    c3d_weighted made = { .precision = c3d_calloc(k, sizeof *made.precision),
                          .recall = c3d_calloc(k, sizeof *made.recall),
                          .area = c3d_calloc(k, sizeof *made.area) };

    if (!made.precision || !made.recall || !made.area) {
        c3d_weighted_free(&made);
        return C3D_ENOMEM;
    }
    made.accuracy = ratio_of(strata, OVERALL, 0);
    for (int c = 0; c < strata->n_classes; c++) {
        made.precision[c] = ratio_of(strata, OF_PREDICTED, c);
        made.recall[c] = ratio_of(strata, OF_LABEL, c);
        made.area[c] = ratio_of(strata, AREA, c);
    }
    *out = made;
    return C3D_OK;
}

void c3d_weighted_free(c3d_weighted *weighted)
{
    free(weighted->precision);
    free(weighted->recall);
    free(weighted->area);
    *weighted = (c3d_weighted){ 0 };
}
