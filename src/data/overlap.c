#include "frames.h"

#include <math.h>

enum { POINTS_MAX = 16 };

/* Keeps the part of the polygon where sign * (p[axis] - bound) <= 0 (Sutherland and Hodgman 1974).
 */
static int cut(int n, const plane_point *in, int axis, double bound, double sign, plane_point *out)
{
    int m = 0;

    for (int i = 0; i < n; i++) {
        const double *a = in[i].at, *b = in[(i + 1) % n].at;
        const double da = sign * (a[axis] - bound), db = sign * (b[axis] - bound);

        if (da <= 0) {
            out[m].at[0] = a[0];
            out[m++].at[1] = a[1];
        }
        if ((da < 0 && db > 0) || (da > 0 && db < 0)) {
            const double t = da / (da - db);

            out[m].at[0] = a[0] + t * (b[0] - a[0]);
            out[m].at[1] = a[1] + t * (b[1] - a[1]);
            out[m++].at[axis] = bound;
        }
    }
    return m;
}

static double polygon_area(int n, const plane_point *p)
{
    double twice = 0;

    for (int i = 1; i + 1 < n; i++)
        twice += (p[i].at[0] - p[0].at[0]) * (p[i + 1].at[1] - p[0].at[1]) -
                 (p[i + 1].at[0] - p[0].at[0]) * (p[i].at[1] - p[0].at[1]);
    return fabs(twice) / 2;
}

double c3d_unit_square_area(int n, const plane_point *points)
{
    plane_point a[POINTS_MAX], b[POINTS_MAX];
    double low[2] = { points[0].at[0], points[0].at[1] },
           high[2] = { points[0].at[0], points[0].at[1] };

    C3D_ASSERT(n >= 3 && n <= 8);
    for (int i = 1; i < n; i++) {
        for (int axis = 0; axis < 2; axis++) {
            low[axis] = fmin(low[axis], points[i].at[axis]);
            high[axis] = fmax(high[axis], points[i].at[axis]);
        }
    }
    if (high[0] <= 0 || high[1] <= 0 || low[0] >= 1 || low[1] >= 1) return 0;
    if (low[0] >= 0 && low[1] >= 0 && high[0] <= 1 && high[1] <= 1) return polygon_area(n, points);
    n = cut(n, points, 0, 0, -1, a);
    n = cut(n, a, 0, 1, 1, b);
    n = cut(n, b, 1, 0, -1, a);
    n = cut(n, a, 1, 1, 1, b);
    return n < 3 ? 0 : polygon_area(n, b);
}
