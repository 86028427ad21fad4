#include "backend/onednn/onednn.h"

/* While a plan is made. */
typedef struct making {
    onednn *o;
    onednn_plan *plan;
    op_window window;
    layout x, y_any;
    dnnl_primitive_desc_t hint; /* the forward pass as planned */
} making;

static c3d_status make_forward_desc(making *m)
{
    const c3d_plan *p = &m->plan->base;
    const int n_axes = c3d_onednn_n_axes(p);
    const dnnl_prop_kind_t prop = p->desc.training ? dnnl_forward_training : dnnl_forward_inference;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_dims_t extents;

    C3D_TRY(c3d_onednn_view(p->x, n_axes, &m->x));
    c3d_onednn_extents(p->y_shape, n_axes, extents);
    C3D_DNNL(layout_create(&m->y_any, n_axes, extents, p->x->type, dnnl_format_tag_any));
    m->window = c3d_onednn_window(&p->desc, n_axes);

    const op_layouts l = { .x = m->x, .y = m->y_any };
    C3D_TRY(c3d_onednn_attr_create(false, &attr));
    const dnnl_status_t made =
        pool_forward_desc(&m->hint, m->o->engine, prop, &l, &m->window, attr);
    dnnl_primitive_attr_destroy(attr);
    C3D_DNNL(made);
    return C3D_OK;
}

static place workspace_of(making *m)
{
    return (place){ dnnl_primitive_desc_query_md(m->hint, dnnl_query_workspace_md, 0),
                    &m->plan->workspace };
}

static c3d_status make_forward(making *m)
{
    onednn_plan *plan = m->plan;
    c3d_plan *p = &plan->base;
    job *j;

    C3D_TRY(make_forward_desc(m));
    C3D_TRY(c3d_onednn_activation_create(
        m->o, p->y_shape, dnnl_primitive_desc_query_md(m->hint, dnnl_query_dst_md, 0), &p->y));
    C3D_TRY(c3d_onednn_job_add(m->o, &plan->forward, m->hint, &j));
    C3D_TRY(c3d_onednn_job_arg(m->o, j, DNNL_ARG_SRC, (place){ m->x, &p->x->value }));
    C3D_TRY(c3d_onednn_job_arg(m->o, j, DNNL_ARG_DST, (place){ p->y->layout, &p->y->value }));
    if (!p->desc.training) return C3D_OK;

    const place workspace = workspace_of(m);
    C3D_TRY(c3d_host_alloc(m->o->backend, dnnl_memory_desc_get_size(workspace.layout),
                           &plan->workspace));
    return c3d_onednn_job_arg(m->o, j, DNNL_ARG_WORKSPACE, workspace);
}

static c3d_status add_backward(making *m, const_dnnl_primitive_desc_t desc)
{
    const c3d_plan *p = &m->plan->base;
    job *j;

    C3D_TRY(c3d_onednn_job_add(m->o, &m->plan->backward_x, desc, &j));
    C3D_TRY(c3d_onednn_job_arg(m->o, j, DNNL_ARG_DIFF_DST, (place){ p->y->layout, &p->y->grad }));
    C3D_TRY(c3d_onednn_job_arg(m->o, j, DNNL_ARG_DIFF_SRC, (place){ m->x, &p->x->grad }));
    return c3d_onednn_job_arg(m->o, j, DNNL_ARG_WORKSPACE, workspace_of(m));
}

static c3d_status make_backward(making *m)
{
    const c3d_plan *p = &m->plan->base;
    const op_layouts l = { .x = m->x, .y = p->y->layout };
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;

    C3D_TRY(c3d_onednn_want_grad(m->o, p->y));
    if (!p->desc.needs_x_grad) return C3D_OK;
    C3D_TRY(c3d_onednn_want_grad(m->o, p->x));
    C3D_TRY(c3d_onednn_attr_create(false, &attr));
    const dnnl_status_t made =
        pool_backward_desc(&desc, m->o->engine, &l, &m->window, m->hint, attr);
    dnnl_primitive_attr_destroy(attr);
    C3D_DNNL(made);
    const c3d_status st = add_backward(m, desc);
    dnnl_primitive_desc_destroy(desc);
    return st;
}

c3d_status c3d_onednn_plan_pool(onednn *o, onednn_plan *plan)
{
    making m = { .o = o, .plan = plan };
    c3d_status st = make_forward(&m);

    if (st == C3D_OK && plan->base.desc.training) st = make_backward(&m);
    layout_destroy(m.x);
    layout_destroy(m.y_any);
    if (m.hint) dnnl_primitive_desc_destroy(m.hint);
    return st;
}
