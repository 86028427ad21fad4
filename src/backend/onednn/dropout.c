#include "backend/onednn/onednn.h"

#include <string.h>

/* As x lies, in float32. */
static c3d_status mask_layout(const c3d_activation *x, layout *out)
{
    layout view = NULL;

    C3D_TRY(c3d_onednn_view(x, 5, &view));
    const dnnl_status_t status = layout_retype(out, view, dnnl_f32);
    layout_destroy(view);
    C3D_DNNL(status);
    return C3D_OK;
}

/* The mask is drawn in plain order and multiplied in the layout of x. */
c3d_status c3d_onednn_plan_dropout(onednn *o, onednn_plan *plan)
{
    c3d_plan *p = &plan->base;
    const size_t n = c3d_shape_count(p->x_shape);
    layout x = NULL, plain = NULL;
    c3d_status st;

    C3D_TRY(c3d_onednn_activation_create(o, p->y_shape, p->x->layout, &p->y));
    if (p->desc.training) C3D_TRY(c3d_onednn_want_grad(o, p->y));
    if (p->desc.training && p->desc.needs_x_grad) C3D_TRY(c3d_onednn_want_grad(o, p->x));
    C3D_TRY(c3d_host_alloc(o->backend, n * sizeof(float), &plan->mask));
    C3D_TRY(c3d_host_alloc(o->backend, p->x->n * sizeof(float), &plan->physical_mask));
    plan->canonical = plan->mask;

    C3D_TRY_TO(done, mask_layout(p->x, &x));
    C3D_TRY_TO(done, c3d_onednn_plain(p->x_shape, 5, dnnl_f32, &plain));
    C3D_TRY_TO(done, c3d_onednn_job_reorder(o, &plan->forward, (place){ plain, &plan->canonical },
                                            (place){ x, &plan->physical_mask }));
done:
    layout_destroy(x);
    layout_destroy(plain);
    return st;
}

static void multiply_f32(const float *a, const float *b, size_t n, float *out)
{
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) out[i] = a[i] * b[i];
}

static void multiply_bf16(const uint16_t *a, const float *b, size_t n, uint16_t *out)
{
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) out[i] = c3d_bf16_of(c3d_bf16_value(a[i]) * b[i]);
}

/* Values or gradients of x, or of y, which lies as x does. */
static void multiply(const c3d_activation *x, const void *a, const float *mask, void *out)
{
    if (x->type == dnnl_f32)
        multiply_f32(a, mask, x->n, out);
    else
        multiply_bf16(a, mask, x->n, out);
}

c3d_status c3d_onednn_dropout_forward(onednn *o, onednn_plan *plan, const c3d_pass *pass)
{
    const c3d_plan *p = &plan->base;
    const size_t n = c3d_shape_sample_count(p->x_shape);
    float *const mask = plan->mask;

    if (!pass->training) {
        memcpy(p->y->value, p->x->value, p->x->n_bytes);
        return C3D_OK;
    }
    memset(mask, 0, c3d_shape_count(p->x_shape) * sizeof *mask);
#pragma omp parallel for schedule(static)
    for (int r = 0; r < pass->n_samples; r++)
        c3d_dropout_mask(pass->seed, p->desc.dropout_layer, c3d_pass_rate(p, pass),
                         pass->row_keys[r], n, mask + (size_t)r * n);
    C3D_TRY(c3d_onednn_run(o, &plan->forward));
    multiply(p->x, p->x->value, plan->physical_mask, p->y->value);
    return C3D_OK;
}

void c3d_onednn_dropout_backward(onednn_plan *plan)
{
    const c3d_plan *p = &plan->base;

    multiply(p->x, p->y->grad, plan->physical_mask, p->x->grad);
}
