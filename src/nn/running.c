#include "c3d/nn.h"

#include <string.h>

#define MOMENTUM 0.1

c3d_status c3d_model_stats_read(c3d_model *model, float *stats)
{
    const c3d_backend_ops *ops = model->backend->ops;

    for (int r = 0; r < model->n_running; r += 2) {
        const c3d_running *mean = &model->running[r], *variance = &model->running[r + 1];

        C3D_TRY(ops->stats_read(model->backend, model->plans[mean->layer], stats + mean->offset,
                                stats + variance->offset));
    }
    return C3D_OK;
}

static void merge_one(c3d_model *model, const double *stats, int n_samples)
{
    for (int r = 0; r < model->n_running; r++) {
        const c3d_running *running = &model->running[r];
        const c3d_shape x = model->table.layers[running->layer].x;
        float *to = model->host_stats + running->offset;

        if ((double)n_samples * x.d * x.h * x.w < 2) continue;
        for (size_t i = 0; i < running->n; i++)
            to[i] = (float)((1 - MOMENTUM) * (double)to[i] + MOMENTUM * stats[running->offset + i]);
    }
}

c3d_status c3d_model_stats_merge(c3d_model *model, const double *stats, const int *n_samples, int n)
{
    for (int i = 0; i < n; i++) merge_one(model, stats + (size_t)i * model->n_stats, n_samples[i]);
    model->stats_are_old = true;
    return C3D_OK;
}

c3d_status c3d_model_stats_set(c3d_model *model, const float *stats)
{
    const size_t n_bytes = model->n_stats * sizeof *stats;

    if (n_bytes == 0) return C3D_OK;
    model->stats_are_old = false;
    if (stats != model->host_stats) memcpy(model->host_stats, stats, n_bytes);
    return model->backend->ops->upload(model->backend, model->stats, stats, n_bytes);
}
