#include "score/compare_figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DECIMALS 4

static void put(double value, int decimals, char out[C3D_FIGURE_MAX])
{
    if (isnan(value))
        (void)snprintf(out, C3D_FIGURE_MAX, "-");
    else
        (void)snprintf(out, C3D_FIGURE_MAX, "%.*f", decimals, value);
}

void c3d_figure_value(double value, char out[C3D_FIGURE_MAX])
{
    put(value, DECIMALS, out);
}

void c3d_figure_difference(double value, char out[C3D_FIGURE_MAX])
{
    char plain[C3D_FIGURE_MAX];

    put(fabs(value), DECIMALS, plain);
    const bool is_none = isnan(value) || !(strtod(plain, NULL) > 0);
    (void)snprintf(out, C3D_FIGURE_MAX, "%s%.30s", is_none ? "" : value < 0 ? "-" : "+", plain);
}

void c3d_figure_p(double p, char out[C3D_FIGURE_MAX])
{
    put(p, DECIMALS, out);
    if (p < 0.00005) (void)snprintf(out, C3D_FIGURE_MAX, "<0.0001");
    for (int n = DECIMALS + 1; p > C3D_COMPARE_ALPHA && n <= 17; n++) {
        if (strtod(out, NULL) > C3D_COMPARE_ALPHA) break;
        put(p, n, out);
    }
}

void c3d_figure_blocks(double blocks, char out[C3D_FIGURE_MAX])
{
    put(blocks, 1, out);
}
