#include "c3d/nn.h"

#include <math.h>
#include <stdlib.h>

static void draw(const c3d_model *model, int p, uint64_t seed, float *out)
{
    const c3d_param *param = &model->params[p];
    const uint64_t stream = C3D_STREAM(C3D_PURPOSE_INIT, p);
    /* A ReLU halves the variance that it passes on; the last layer has none. */
    const double variance = model->table.layers[param->layer].op.relu ? 2.0 : 1.0;
    const double deviation = sqrt(variance / (double)param->fan_in);

    for (size_t i = 0; i < param->n; i++)
        out[i] = param->which == 1 ? 0.0F : (float)(deviation * c3d_random_normal(seed, stream, i));
}

c3d_status c3d_model_init(c3d_model *model, uint64_t seed)
{
    size_t n_largest = 0;
    float *values;
    c3d_status st = C3D_OK;

    for (int p = 0; p < model->n_params; p++)
        if (model->params[p].n > n_largest) n_largest = model->params[p].n;
    values = c3d_aligned(n_largest * sizeof *values);
    if (!values) return C3D_ENOMEM;
    for (int p = 0; p < model->n_params && st == C3D_OK; p++) {
        draw(model, p, seed, values);
        st = c3d_model_import(model, p, values, model->param);
    }
    free(values);
    return st;
}
