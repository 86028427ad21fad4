/* Percentile intervals over replicates of blocks. */
#include "c3d/score.h"

#include <stdlib.h>

c3d_status c3d_bootstrap(const c3d_bootstrap_desc *desc, double *low, double *high)
{
    const size_t n = desc->n_replicates, n_figures = desc->n_figures;
    uint32_t *times = c3d_calloc(desc->n_blocks + 1, sizeof *times);
    double *values = c3d_calloc(n_figures + 1, sizeof *values);
    double *all = c3d_calloc(n_figures * n + 1, sizeof *all); /* [n_figures][n] */
    const c3d_status st = times && values && all ? C3D_OK : C3D_ENOMEM;

    for (size_t r = 0; st == C3D_OK && r < n; r++) {
        c3d_blocks_draw(desc->n_blocks, desc->seed, r, times);
        desc->compute(desc->context, times, values);
        for (size_t f = 0; f < n_figures; f++) all[f * n + r] = values[f];
        c3d_phase_tick();
    }
    for (size_t f = 0; st == C3D_OK && f < n_figures; f++)
        c3d_percentiles(all + f * n, n, &low[f], &high[f]);
    free(times);
    free(values);
    free(all);
    return st;
}
