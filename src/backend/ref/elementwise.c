#include "backend/ref/ref.h"

#include <math.h>
#include <string.h>

void c3d_ref_relu(float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = y[i] > 0 ? y[i] : 0;
}

void c3d_ref_relu_backward(const float *y, float *dy, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(y[i] > 0)) dy[i] = 0;
}

c3d_status c3d_ref_dropout_prepare(c3d_backend *self, ref_plan *plan)
{
    void *mask;

    C3D_TRY(c3d_host_alloc(self, c3d_shape_count(plan->base.x_shape) * sizeof *plan->mask, &mask));
    plan->mask = mask;
    return C3D_OK;
}

void c3d_ref_dropout_forward(ref_plan *plan, const c3d_pass *pass)
{
    const c3d_plan *p = &plan->base;
    const size_t n = c3d_shape_sample_count(p->x_shape);

    for (size_t r = 0; r < (size_t)pass->n_samples; r++) {
        const float *x = p->x->value + r * n;
        float *mask = plan->mask + r * n, *y = p->y->value + r * n;

        if (!pass->training) {
            memcpy(y, x, n * sizeof *y);
            continue;
        }
        c3d_dropout_mask(pass->seed, p->desc.dropout_layer, c3d_pass_rate(p, pass),
                         pass->row_keys[r], n, mask);
        for (size_t i = 0; i < n; i++) y[i] = x[i] * mask[i];
    }
}

void c3d_ref_dropout_backward(ref_plan *plan, int n_samples)
{
    const c3d_plan *p = &plan->base;
    const size_t n = (size_t)n_samples * c3d_shape_sample_count(p->x_shape);

    for (size_t i = 0; i < n; i++) p->x->grad[i] = p->y->grad[i] * plan->mask[i];
}

/* Where element (y, x) of a row's output comes from: the transposition is undone first. */
static size_t source_of(uint8_t symmetry, c3d_shape s, int y, int x)
{
    const int row = symmetry & 4 ? x : y, column = symmetry & 4 ? y : x;
    const int from_y = symmetry & 2 ? s.h - 1 - row : row;
    const int from_x = symmetry & 1 ? s.w - 1 - column : column;

    return (size_t)from_y * (size_t)s.w + (size_t)from_x;
}

c3d_status c3d_ref_input_load(c3d_backend *self, c3d_activation *x, const c3d_input *input)
{
    const c3d_shape s = c3d_input_shape(input, x->shape);
    const size_t n_image = (size_t)s.h * (size_t)s.w, n_images = (size_t)s.c * (size_t)s.d;

    (void)self;
    C3D_TRY(c3d_input_check(input, x->shape));
    memset(x->value, 0, c3d_shape_count(s) * sizeof *x->value);
    for (size_t m = 0; m < (size_t)input->n_samples * n_images; m++) { /* m: row, channel, month */
        const size_t n = m / n_images, c = m % n_images / (size_t)s.d, d = m % (size_t)s.d;
        const uint8_t symmetry = input->symmetry ? input->symmetry[n] : 0;
        const float gain = input->gain ? input->gain[n * (size_t)s.c + c] : 1;
        const float offset = input->offset ? input->offset[n * (size_t)s.c + c] : 0;
        const size_t shown = input->month_from ? (size_t)input->month_from[n * (size_t)s.d + d] : d;
        float *to = x->value + m * n_image;

        for (int row = 0; row < s.h; row++)
            for (int column = 0; column < s.w; column++) {
                const size_t from = (m - d + shown) * n_image + source_of(symmetry, s, row, column);
                const float value = (float)c3d_dtype_get(input->values, input->dtype, from);

                *to++ = (value - input->mean[c]) * input->scale[c] * gain + offset;
            }
    }
    return C3D_OK;
}

c3d_status c3d_ref_adam(c3d_backend *self, const c3d_adam *adam, const c3d_adam_arrays *arrays)
{
    const float *grad = arrays->grad;
    float *m = arrays->m, *v = arrays->v, *param = arrays->param;

    (void)self;
    if (adam->squares && !isfinite(*adam->squares)) return C3D_OK;
    const c3d_adam_factors f = c3d_adam_factors_of(adam);
    for (size_t i = 0; i < arrays->n; i++) {
        const float g = grad[i] * f.grad_scale;

        m[i] = f.beta1 * m[i] + f.one_minus_beta1 * g;
        v[i] = f.beta2 * v[i] + f.one_minus_beta2 * (g * g);
        param[i] -= f.rate * m[i] / (sqrtf(v[i]) * f.v_root + f.epsilon) + f.decay * param[i];
    }
    return C3D_OK;
}

c3d_status c3d_ref_sum_squares(c3d_backend *self, const float *x, size_t n, double *out)
{
    double sum = 0;

    (void)self;
    for (size_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
    *out = sum;
    return C3D_OK;
}
