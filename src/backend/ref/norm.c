#include "backend/ref/ref.h"

#include <math.h>
#include <string.h>

/* A channel's elements: n_map neighbours in each row. */
typedef struct channel {
    size_t first, row_step, n_map;
    int n_rows;
} channel;

static channel channel_of(const c3d_plan *p, int c, int n_rows)
{
    const size_t n_row = c3d_shape_sample_count(p->x_shape), n_map = n_row / (size_t)p->x_shape.c;

    return (channel){ (size_t)c * n_map, n_row, n_map, n_rows };
}

/* for each element e of channel ch */
#define EACH_ELEMENT(e, ch)                                                                        \
    for (size_t row = 0; row < (size_t)(ch).n_rows; row++)                                         \
        for (size_t e = (ch).first + row * (ch).row_step,                                          \
                    end = (ch).first + row * (ch).row_step + (ch).n_map;                           \
             e < end; e++)

c3d_status c3d_ref_norm_prepare(c3d_backend *self, ref_plan *plan)
{
    const size_t n = (size_t)plan->base.x_shape.c;
    void *buffer;

    C3D_TRY(c3d_host_alloc(self, 3 * n * sizeof *plan->mean, &buffer));
    plan->mean = buffer;
    plan->squares = plan->mean + n;
    plan->inverse = plan->mean + 2 * n;
    return C3D_OK;
}

static void measure(ref_plan *plan, int c, channel ch)
{
    const float *x = plan->base.x->value;
    double sum = 0, squares = 0;

    EACH_ELEMENT(e, ch) sum += (double)x[e];
    plan->mean[c] = sum / (double)plan->n_norm;
    EACH_ELEMENT(e, ch)
    {
        const double deviation = (double)x[e] - plan->mean[c];

        squares += deviation * deviation;
    }
    plan->squares[c] = squares;
}

void c3d_ref_norm_forward(ref_plan *plan, const c3d_params *params, const c3d_pass *pass)
{
    const c3d_plan *p = &plan->base;
    const float *gamma = params->value[0], *beta = params->value[1];

    plan->n_norm = c3d_norm_count(p, pass->n_samples);
    if (plan->n_norm == 0) {
        memset(plan->mean, 0, 3 * (size_t)p->x_shape.c * sizeof *plan->mean);
        return;
    }
    for (int c = 0; c < p->x_shape.c; c++) {
        const channel ch = channel_of(p, c, pass->n_samples);

        if (pass->training)
            measure(plan, c, ch);
        else
            plan->mean[c] = (double)params->stats[0][c];
        const double variance =
            pass->training ? plan->squares[c] / (double)plan->n_norm : (double)params->stats[1][c];
        plan->inverse[c] = 1 / sqrt(variance + p->desc.epsilon);
        EACH_ELEMENT(e, ch)
        {
            const double normal = ((double)p->x->value[e] - plan->mean[c]) * plan->inverse[c];

            p->y->value[e] = (float)((double)gamma[c] * normal + (double)beta[c]);
        }
    }
}

/* With z the normalised x, mean and variance being functions of x too,
 *     dx = gamma (dy - mean(dy) - z mean(dy z)) / sqrt(variance + epsilon). */
static void backward_x(ref_plan *plan, int c, channel ch, const double sums[2], double gamma)
{
    const c3d_plan *p = &plan->base;
    const double n = (double)plan->n_norm, factor = gamma * plan->inverse[c];

    EACH_ELEMENT(e, ch)
    {
        const double normal = ((double)p->x->value[e] - plan->mean[c]) * plan->inverse[c];
        const double centred = (double)p->y->grad[e] - sums[1] / n - normal * sums[0] / n;

        p->x->grad[e] = (float)(centred * factor);
    }
}

void c3d_ref_norm_backward(ref_plan *plan, const c3d_params *params, float *const *param_grads,
                           const c3d_pass *pass)
{
    const c3d_plan *p = &plan->base;

    for (int c = 0; c < p->x_shape.c; c++) {
        const channel ch = channel_of(p, c, pass->n_samples);
        const double gamma = (double)params->value[0][c];
        double sums[2] = { 0 }; /* of dy z, of dy: the gradients of gamma and beta */

        EACH_ELEMENT(e, ch)
        {
            const double dy = (double)p->y->grad[e];

            sums[0] += dy * ((double)p->x->value[e] - plan->mean[c]) * plan->inverse[c];
            sums[1] += dy;
        }
        for (int i = 0; i < 2; i++) c3d_ref_store(param_grads[i] + c, sums[i], pass->accumulate);
        if (p->desc.needs_x_grad) backward_x(plan, c, ch, sums, gamma);
    }
}

c3d_status c3d_ref_stats_read(c3d_backend *self, const c3d_plan *base, float *mean, float *variance)
{
    const ref_plan *plan = (const ref_plan *)base;

    (void)self;
    for (int c = 0; c < base->x_shape.c; c++) {
        mean[c] = (float)plan->mean[c];
        variance[c] = (float)c3d_unbiased_variance(plan->squares[c], plan->n_norm);
    }
    return C3D_OK;
}
