/* Curves over all thresholds, read off at fixed places. Private to score. */
#ifndef C3D_SCORE_CURVES_H
#define C3D_SCORE_CURVES_H

#include "c3d/score.h"

/* Places of at most C3D_CURVE_MAX - 1 points of the ROC curve (x from the rate 0 on) and the
 * precision-recall curve, evenly along them. */
void c3d_curve_places(const c3d_ranking *ranking, c3d_curve *roc, c3d_curve *precision_recall);
/* What the curves of samples counted times[group[i]] times have there: recall [roc->n] and
 * precision [precision_recall->n]; NaN unless both labels occur. */
void c3d_curve_read(const c3d_ranking *ranking, const uint32_t *group, const uint32_t *times,
                    const c3d_curve *roc, const c3d_curve *precision_recall, double *out);

#endif
