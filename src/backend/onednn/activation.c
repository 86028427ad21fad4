#include "backend/onednn/onednn.h"

void c3d_onednn_extents(c3d_shape s, int n_axes, dnnl_dims_t out)
{
    const int tail[3] = { s.d, s.h, s.w };

    out[0] = s.n;
    out[1] = s.c;
    for (int a = 2; a < n_axes; a++) out[a] = tail[5 - n_axes + a - 2];
}

c3d_status c3d_onednn_plain(c3d_shape s, int n_axes, dnnl_data_type_t type, layout *out)
{
    const dnnl_format_tag_t tag = n_axes == 5 ? dnnl_abcde : n_axes == 4 ? dnnl_abcd : dnnl_ab;
    dnnl_dims_t extents;

    c3d_onednn_extents(s, n_axes, extents);
    C3D_DNNL(layout_create(out, n_axes, extents, type, tag));
    return C3D_OK;
}

static c3d_status activation_build(onednn *o, c3d_activation *x, const_layout l)
{
    C3D_DNNL(layout_copy(&x->layout, l));
    x->type = layout_type(l);
    x->n_bytes = dnnl_memory_desc_get_size(l);
    x->n = x->n_bytes / dnnl_data_type_size(x->type);
    return c3d_host_alloc(o->backend, x->n_bytes, &x->value);
}

c3d_status c3d_onednn_activation_create(onednn *o, c3d_shape s, const_layout l,
                                        c3d_activation **out)
{
    c3d_activation *x = c3d_calloc(1, sizeof *x);

    if (!x) return C3D_ENOMEM;
    x->shape = s;
    const c3d_status st = activation_build(o, x, l);
    if (st == C3D_OK)
        *out = x;
    else
        c3d_onednn_activation_free(o->backend, x);
    return st;
}

c3d_status c3d_onednn_want_grad(onednn *o, c3d_activation *x)
{
    return x->grad ? C3D_OK : c3d_host_alloc(o->backend, x->n_bytes, &x->grad);
}

c3d_status c3d_onednn_view(const c3d_activation *x, int n_axes, layout *out)
{
    dnnl_dims_t extents;

    c3d_onednn_extents(x->shape, n_axes, extents);
    C3D_DNNL(layout_reshape(out, x->layout, n_axes, extents));
    return C3D_OK;
}

c3d_status c3d_onednn_input_create(c3d_backend *self, c3d_shape shape, c3d_activation **out)
{
    onednn *o = onednn_of(self);
    layout plain = NULL;

    C3D_TRY(c3d_shape_check(shape));
    if (o->type != dnnl_f32)
        C3D_TRY(c3d_onednn_slot_grow(o, SLOT_INPUT, c3d_shape_count(shape) * sizeof(float)));
    C3D_TRY(c3d_onednn_plain(shape, 5, o->type, &plain));
    const c3d_status st = c3d_onednn_activation_create(o, shape, plain, out);
    layout_destroy(plain);
    return st;
}

void c3d_onednn_activation_free(c3d_backend *self, c3d_activation *x)
{
    if (!x) return;
    layout_destroy(x->layout);
    c3d_host_free(self, x->value);
    c3d_host_free(self, x->grad);
    free(x);
}

c3d_status c3d_onednn_input_load(c3d_backend *self, c3d_activation *x, const c3d_input *input)
{
    onednn *o = onednn_of(self);

    c3d_onednn_use_threads(o);
    if (x->type == dnnl_f32) return c3d_host_input(x->value, x->shape, input);
    C3D_TRY(c3d_host_input(o->slots[SLOT_INPUT].data, x->shape, input));
    c3d_bf16_round(o->slots[SLOT_INPUT].data, x->n, x->value);
    return C3D_OK;
}

/* ---- reading and writing in plain layout ----------------------------------------------------- */

static c3d_status reorder_now(onednn *o, place from, place to)
{
    jobs list = { 0 };
    c3d_status st = c3d_onednn_job_reorder(o, &list, from, to);

    if (st == C3D_OK) st = c3d_onednn_run(o, &list);
    c3d_onednn_jobs_free(&list);
    return st;
}

static c3d_status translate(c3d_backend *self, c3d_activation *x, bool grad, void *host, bool read)
{
    onednn *o = onednn_of(self);
    layout view = NULL, plain = NULL;
    c3d_status st;

    if (grad && !x->grad) return C3D_FAIL(C3D_EINVAL, "activation: no gradient is kept");
    c3d_onednn_use_threads(o);
    C3D_TRY_TO(done, c3d_onednn_view(x, 5, &view));
    C3D_TRY_TO(done, c3d_onednn_plain(x->shape, 5, dnnl_f32, &plain));
    const place physical = { view, grad ? &x->grad : &x->value }, canonical = { plain, &host };
    if (read)
        C3D_TRY_TO(done, reorder_now(o, physical, canonical));
    else
        C3D_TRY_TO(done, reorder_now(o, canonical, physical));
done:
    layout_destroy(view);
    layout_destroy(plain);
    return st;
}

c3d_status c3d_onednn_activation_read(c3d_backend *self, c3d_activation *x, bool grad,
                                      float *to_host)
{
    return translate(self, x, grad, to_host, true);
}

c3d_status c3d_onednn_activation_write(c3d_backend *self, c3d_activation *x, bool grad,
                                       const float *from_host)
{
    if (grad) x->grad_is_relu = false;
    return translate(self, x, grad, (void *)(uintptr_t)from_host, false);
}
