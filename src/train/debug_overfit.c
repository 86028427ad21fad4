/* Can the network learn one batch by heart? Without dropout, by whose masks samples could be told
 * apart. */
#include "train/debug.h"

#include <math.h>

#define ENOUGH 0.01 /* mean loss of a batch that is known: each sample is right for 99 % */

typedef struct moments {
    float *m, *v;
} moments;

static c3d_status one_step(c3d_debug *d, const moments *s, int64_t t, double *loss)
{
    c3d_model *model = d->model;
    const c3d_adam adam = { .rate = d->desc->learning_rate,
                            .beta1 = 0.9,
                            .beta2 = 0.999,
                            .epsilon = 1e-8,
                            .t = t,
                            .grad_scale = 1 };
    const c3d_adam_arrays arrays = { .n = model->n_arena,
                                     .grad = model->grad,
                                     .m = s->m,
                                     .v = s->v,
                                     .param = model->param,
                                     .low = model->low };

    C3D_TRY(c3d_model_load(model, &d->desc->input));
    C3D_TRY(c3d_model_forward(model, &d->pass));
    C3D_TRY(c3d_debug_loss(d, true, loss));
    C3D_TRY(c3d_model_backward(model, &d->pass, NULL));
    return model->backend->ops->adam(model->backend, &adam, &arrays);
}

/* Adam's first steps change each weight by about the learning rate. */
static c3d_status judge_rate(c3d_debug *d)
{
    int n = 0, n_smaller = 0;

    for (int p = 0; p < d->model->n_params; p++) {
        const c3d_param *param = &d->model->params[p];
        double rms;
        if (d->model->table.layers[param->layer].op.op == C3D_OP_NORM || param->which == 1)
            continue;
        C3D_TRY(c3d_debug_param_rms(d, p, &rms));
        n++;
        n_smaller += rms < d->desc->learning_rate;
    }
    if (2 * n_smaller > n)
        c3d_debug_find(d, C3D_FINDING_STUCK, -1,
                       "optimizer.learning_rate %g: the first steps change the weights of %d of %d "
                       "layers by more than their size",
                       d->desc->learning_rate, n_smaller, n);
    return C3D_OK;
}

static c3d_status say_result(c3d_debug *d, double first, double loss, int step)
{
    C3D_TRY(c3d_debug_say(d, "one batch by heart: the loss went from %.4g to %.2g in %d step%s%s",
                          first, loss, step, step == 1 ? "" : "s",
                          loss < ENOUGH ? ": the network can learn" : ""));
    if (loss < ENOUGH) return C3D_OK;
    if (loss < fmin(first, 1) / 2) /* on its way, the time was short */
        return c3d_debug_say(d, "it is going down: more steps would be needed to see zero");
    c3d_debug_find(d, C3D_FINDING_STUCK, -1,
                   "the loss of one batch does not go to zero (%.4g, then %.4g after %d steps at a "
                   "learning rate of %g): %stry another optimizer.learning_rate",
                   first, loss, step, d->desc->learning_rate,
                   d->findings->n > 0 ? "mend what is named above, or " : "");
    return C3D_OK;
}

static c3d_status train(c3d_debug *d, const moments *s)
{
    const double start_s = c3d_now_s();
    double first = NAN, loss = NAN;
    int step = 0;

    while (step < d->desc->max_steps && c3d_now_s() - start_s < d->desc->max_seconds) {
        C3D_TRY(one_step(d, s, step + 1, &loss));
        if (step++ == 0) first = loss;
        if (!isfinite(loss) || loss < ENOUGH) break;
    }
    return say_result(d, first, loss, step);
}

c3d_status c3d_debug_overfit(c3d_debug *d)
{
    c3d_backend *backend = d->model->backend;
    const size_t n_bytes = d->model->n_arena * sizeof(float);
    void *m = NULL, *v = NULL;
    c3d_status st = C3D_OK;

    C3D_TRY(judge_rate(d));
    d->pass.no_dropout = true;
    C3D_TRY_TO(done, backend->ops->alloc(backend, n_bytes, &m));
    C3D_TRY_TO(done, backend->ops->alloc(backend, n_bytes, &v));
    C3D_TRY_TO(done, train(d, &(moments){ m, v }));
done:
    if (v) backend->ops->free(backend, v);
    if (m) backend->ops->free(backend, m);
    return st;
}
