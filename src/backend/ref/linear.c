#include "backend/ref/ref.h"

void c3d_ref_linear_forward(ref_plan *plan, const float *w, const float *b, int n_samples)
{
    const c3d_plan *p = &plan->base;
    const size_t n_in = c3d_shape_sample_count(p->x_shape), n_out = (size_t)p->desc.n_filters;

    for (size_t r = 0; r < (size_t)n_samples; r++) {
        for (size_t k = 0; k < n_out; k++) {
            double sum = b ? (double)b[k] : 0;

            for (size_t i = 0; i < n_in; i++)
                sum += (double)w[k * n_in + i] * (double)p->x->value[r * n_in + i];
            p->y->value[r * n_out + k] = (float)sum;
        }
    }
}

void c3d_ref_linear_backward_x(ref_plan *plan, const float *w, int n_samples)
{
    const c3d_plan *p = &plan->base;
    const size_t n_in = c3d_shape_sample_count(p->x_shape), n_out = (size_t)p->desc.n_filters;

    for (size_t r = 0; r < (size_t)n_samples; r++) {
        for (size_t i = 0; i < n_in; i++) {
            double sum = 0;

            for (size_t k = 0; k < n_out; k++)
                sum += (double)w[k * n_in + i] * (double)p->y->grad[r * n_out + k];
            p->x->grad[r * n_in + i] = (float)sum;
        }
    }
}

void c3d_ref_linear_backward_w(ref_plan *plan, float *dw, float *db, const c3d_pass *pass)
{
    const c3d_plan *p = &plan->base;
    const size_t n_in = c3d_shape_sample_count(p->x_shape), n_out = (size_t)p->desc.n_filters;

    for (size_t k = 0; k < n_out; k++) {
        double bias_sum = 0;

        for (size_t i = 0; i < n_in; i++) {
            double sum = 0;

            for (size_t r = 0; r < (size_t)pass->n_samples; r++)
                sum += (double)p->y->grad[r * n_out + k] * (double)p->x->value[r * n_in + i];
            c3d_ref_store(dw + k * n_in + i, sum, pass->accumulate);
        }
        if (!db) continue;
        for (size_t r = 0; r < (size_t)pass->n_samples; r++)
            bias_sum += (double)p->y->grad[r * n_out + k];
        c3d_ref_store(db + k, bias_sum, pass->accumulate);
    }
}
