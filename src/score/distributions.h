/* Distributions that tests are read from. */
#ifndef C3D_SCORE_DISTRIBUTIONS_H
#define C3D_SCORE_DISTRIBUTIONS_H

#include <stdint.h>

/* Regularised incomplete beta function I_x(a, b); a, b > 0, x in [0, 1]. */
double c3d_beta_share(double a, double b, double x);
/* P(|T| > |t|) of Student's t with df > 0 degrees of freedom (infinity: normal). */
double c3d_t_two_sided(double t, double df);
/* The t of which that is alpha. */
double c3d_t_quantile(double alpha, double df);
/* Two-sided P of k or fewer, or n - k or more, of n fair coins; k <= n / 2. */
double c3d_coins_two_sided(int64_t k, int64_t n);

#endif
