#include "c3d/nn.h"

#include <math.h>
#include <stdlib.h>

/* Element i is number i of the parameter's stream, whoever draws it. */
static void draw(uint64_t seed, uint64_t stream, double deviation, size_t n, float *out)
{
    const float scale = (float)deviation;

#pragma omp parallel for schedule(static)
    for (size_t block = 0; block < (n + 3) / 4; block++) {
        const size_t first = 4 * block, count = n - first < 4 ? n - first : 4;
        float z[4];

        c3d_random_4_normals(seed, stream, block, z);
        for (size_t i = 0; i < count; i++) out[first + i] = scale * z[i];
    }
}

/* A ReLU, behind a normalisation or not, halves the variance that it passes on; the last layer has
 * none. */
static void draw_param(const c3d_model *model, int p, uint64_t seed, float *out)
{
    const c3d_param *param = &model->params[p];
    const c3d_op_desc *op = &model->table.layers[param->layer].op;
    const double variance = op->op == C3D_OP_LINEAR && !op->relu ? 1.0 : 2.0;

    if (param->which == 0 && op->op != C3D_OP_NORM) {
        draw(seed, C3D_STREAM(C3D_PURPOSE_INIT, p), sqrt(variance / (double)param->fan_in),
             param->n, out);
        return;
    }
    for (size_t i = 0; i < param->n; i++) out[i] = param->which == 1 ? 0 : 1;
}

/* Means 0, variances 1. */
static c3d_status start_statistics(c3d_model *model)
{
    float *start = c3d_calloc(model->n_stats + 1, sizeof *start);

    if (!start) return C3D_ENOMEM;
    for (int r = 0; r < model->n_running; r++)
        for (size_t i = 0; i < model->running[r].n; i++)
            start[model->running[r].offset + i] = model->running[r].which == 0 ? 0 : 1;
    const c3d_status st = c3d_model_stats_set(model, start);
    free(start);
    return st;
}

c3d_status c3d_model_init(c3d_model *model, uint64_t seed)
{
    float *values = c3d_aligned(c3d_model_largest_param(model) * sizeof *values);
    c3d_status st = C3D_OK;

    if (!values) return C3D_ENOMEM;
    for (int p = 0; p < model->n_params && st == C3D_OK; p++) {
        draw_param(model, p, seed, values);
        st = c3d_model_import(model, p, values, model->param);
        c3d_phase_tick();
    }
    free(values);
    return st == C3D_OK ? start_statistics(model) : st;
}
