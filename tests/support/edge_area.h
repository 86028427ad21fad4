/* Areas within the unit square without clipping: the sum of this over the edges of a ring, up to
 * its sign, is the area of the ring within it. */
#ifndef TESTS_EDGE_AREA_H
#define TESTS_EDGE_AREA_H

#include <math.h>

/* Integral of y clamped to [0, 1] along the part of an edge that is within 0 <= x <= 1. */
static inline long double below_edge(long double x0, long double y0, long double x1, long double y1)
{
    long double cuts[6] = { 0, 1, 0, 0, 0, 0 }, sum = 0;
    int n = 2;

    if (x0 == x1) return 0;
    for (int bound = 0; bound < 2; bound++) {
        const long double at_x = ((long double)bound - x0) / (x1 - x0);
        const long double at_y = y0 == y1 ? -1 : ((long double)bound - y0) / (y1 - y0);

        if (at_x > 0 && at_x < 1) cuts[n++] = at_x;
        if (at_y > 0 && at_y < 1) cuts[n++] = at_y;
    }
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && cuts[j] < cuts[j - 1]; j--) {
            const long double larger = cuts[j - 1];
            cuts[j - 1] = cuts[j];
            cuts[j] = larger;
        }
    /* between two cuts x is inside or outside, and y is linear or constant once clamped */
    for (int i = 0; i + 1 < n; i++) {
        const long double middle = (cuts[i] + cuts[i + 1]) / 2;
        const long double x = x0 + middle * (x1 - x0), y = y0 + middle * (y1 - y0);

        if (x < 0 || x > 1) continue;
        sum += fminl(fmaxl(y, 0), 1) * (cuts[i + 1] - cuts[i]) * (x1 - x0);
    }
    return sum;
}

#endif
