#include "score/distributions.h"

#include <math.h>

#define TINY        1e-300
#define MAX_TERMS   100000
#define ALMOST_NONE 1e-16

/* The continued fraction of I_x(a, b), DLMF 8.17.22, by Lentz's method; converges quickly for x
 * below (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    double c = 1, d = 1 - (a + b) * x / (a + 1);

    d = 1 / (fabs(d) < TINY ? TINY : d);
    double value = d;
    for (int m = 1; m <= MAX_TERMS; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        for (int i = 0; i < 2; i++) {
            const double term = i == 0 ? even : odd;
            d = 1 + term * d;
            c = 1 + term / c;
            d = 1 / (fabs(d) < TINY ? TINY : d);
            c = fabs(c) < TINY ? TINY : c;
            value *= c * d;
        }
        if (fabs(c * d - 1) < ALMOST_NONE) break;
    }
    return value;
}

double c3d_beta_share(double a, double b, double x)
{
    if (!(x > 0)) return x <= 0 ? 0 : x; /* NaN stays */
    if (x >= 1) return 1;
    const double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double c3d_t_two_sided(double t, double df)
{
    if (isinf(df)) return erfc(fabs(t) * 0.70710678118654752440);
    if (isinf(t)) return 0;
    return c3d_beta_share(df / 2, 0.5, df / (df + t * t));
}

double c3d_t_quantile(double alpha, double df)
{
    double low = 0, high = 1;

    if (!(df > 0)) return NAN;
    while (c3d_t_two_sided(high, df) > alpha && high < 1e12) high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-14 * high; i++) {
        const double middle = (low + high) / 2;
        if (c3d_t_two_sided(middle, df) > alpha)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

double c3d_coins_two_sided(int64_t k, int64_t n)
{
    if (2 * k >= n) return 1;
    const double tail = c3d_beta_share((double)(n - k), (double)k + 1, 0.5);

    return fmin(1, 2 * tail);
}
