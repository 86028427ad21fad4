#include "c3d/score.h"

#include <math.h>

double c3d_calibration(const float *scores, const int32_t *labels, size_t n,
                       c3d_calibration_bin out[C3D_CALIBRATION_BINS])
{
    double sums[C3D_CALIBRATION_BINS] = { 0 }, error = 0;

    for (int b = 0; b < C3D_CALIBRATION_BINS; b++)
        out[b] = (c3d_calibration_bin){ .from = (double)b / C3D_CALIBRATION_BINS,
                                        .to = (double)(b + 1) / C3D_CALIBRATION_BINS };
    for (size_t i = 0; i < n; i++) {
        int b = 0;
        while (b + 1 < C3D_CALIBRATION_BINS && (double)scores[i] > out[b].to) b++;
        out[b].n++;
        out[b].positives += labels[i] == 1;
        sums[b] += (double)scores[i];
    }
    for (int b = 0; b < C3D_CALIBRATION_BINS; b++) {
        const double n_in = (double)out[b].n;
        out[b].mean_score = out[b].n > 0 ? sums[b] / n_in : (double)NAN;
        if (out[b].n > 0) error += fabs((double)out[b].positives - sums[b]);
    }
    return n > 0 ? error / (double)n : (double)NAN;
}
