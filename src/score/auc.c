/* Areas under ROC curves with an interval that takes samples as independent. */
#include "c3d/score.h"

#include <math.h>

#define Z_95 1.959963984540054 /* 97.5 % quantile of the normal distribution */

/* Interval after Hanley and McNeil. */
static c3d_status auc_of(const c3d_ranking_desc *desc, c3d_estimate *out)
{
    c3d_estimate e = {
        .name = "auc", .low = (double)NAN, .high = (double)NAN, .method = "hanley-mcneil"
    };
    c3d_ranking ranking;
    double positives = 0;

    C3D_TRY(c3d_ranking_make(desc, &ranking));
    e.value = c3d_ranking_auc(&ranking, NULL, NULL);
    c3d_ranking_free(&ranking);
    for (size_t i = 0; i < desc->n; i++) positives += desc->labels[i] == desc->label;
    const double a = e.value, negatives = (double)desc->n - positives;
    if (isfinite(a)) {
        const double q1 = a / (2 - a), q2 = 2 * a * a / (1 + a);
        const double variance =
            (a * (1 - a) + (positives - 1) * (q1 - a * a) + (negatives - 1) * (q2 - a * a)) /
            (positives * negatives);
        const double half = Z_95 * sqrt(fmax(0, variance));
        e.low = fmax(0, a - half);
        e.high = fmin(1, a + half);
    }
    *out = e;
    return C3D_OK;
}

c3d_status c3d_auc(const float *scores, const int32_t *labels, size_t n, c3d_estimate *out)
{
    return auc_of(&(c3d_ranking_desc){ scores, labels, n, 1, 0, 1 }, out);
}

c3d_status c3d_auc_of_class(const float *scores, const int32_t *labels, size_t n, int n_classes,
                            int k, c3d_estimate *out)
{
    return auc_of(&(c3d_ranking_desc){ scores, labels, n, n_classes, k, k }, out);
}
