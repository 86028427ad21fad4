/* Holm's correction and McNemar's test. */
#include "c3d/compare.h"
#include "score/distributions.h"

#include <math.h>

#define MOST_COINS 1000

/* What is NaN comes last: no other is multiplied by less for it. */
static bool comes_before(double p, double other)
{
    return p < other || (isnan(other) && !isnan(p));
}

void c3d_holm(const double *p, int n, double *out)
{
    double highest = 0;

    for (int i = 0; i < n; i++) out[i] = -1; /* not yet taken */
    for (int rank = 0; rank < n; rank++) {
        int next = -1;
        for (int i = 0; i < n; i++)
            if (out[i] < 0 && (next < 0 || comes_before(p[i], p[next]))) next = i;
        if (!isnan(p[next])) highest = fmax(highest, fmin(1, (n - rank) * p[next]));
        out[next] = isnan(p[next]) ? (double)NAN : highest;
    }
}

c3d_mcnemar c3d_mcnemar_of(int64_t reference_only, int64_t network_only)
{
    const int64_t n = reference_only + network_only;
    const int64_t fewer = reference_only < network_only ? reference_only : network_only;
    c3d_mcnemar out = {
        .reference_only = reference_only,
        .network_only = network_only,
        .is_exact = n <= MOST_COINS,
    };

    if (out.is_exact) {
        out.p = c3d_coins_two_sided(fewer, n);
    } else {
        const double apart = fmax(0, (double)(n - 2 * fewer) - 1);
        out.p = erfc(sqrt(apart * apart / (double)n / 2));
    }
    return out;
}
