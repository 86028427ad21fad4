#include "backend/onednn/onednn.h"

#include <limits.h>

/* Convolution and linear layer are planned alike; the library's calls differ. */
typedef dnnl_status_t describe(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                               const op_layouts *l, const op_window *w,
                               const_dnnl_primitive_desc_t hint, const_dnnl_primitive_attr_t attr);

/* While a plan is made. */
typedef struct making {
    onednn *o;
    onednn_plan *plan;
    describe *forward, *backward_x, *backward_w;
    c3d_shape x_seen; /* the input's shape to the library: a linear layer sees rows */
    int n_axes;       /* of it */
    op_window window;
    layout x;                   /* the input as it lies */
    layout x_plain;             /* linear of more than one pixel: in C, D, H, W order */
    layout x_any, w_any, y_any; /* the library's choice */
    layout x_dw, dw, y_dw;      /* the same for the gradient of the weights */
    layout y_wanted, b;         /* of the forward output, of the bias (NULL: none) */
    layout w_plain;             /* the canonical weights */
    layout w_master, w;         /* weights in the arenas, and as operations take them */
    dnnl_primitive_desc_t hint; /* the forward pass as planned */
    dnnl_primitive_desc_t backward_x_desc, backward_w_desc; /* NULL: there is no such pass */
} making;

static void making_end(making *m)
{
    const layout all[] = { m->x,    m->x_plain,  m->x_any, m->w_any,   m->y_any,    m->x_dw, m->dw,
                           m->y_dw, m->y_wanted, m->b,     m->w_plain, m->w_master, m->w };

    for (size_t i = 0; i < C3D_COUNT(all); i++) layout_destroy(all[i]);
    if (m->hint) dnnl_primitive_desc_destroy(m->hint);
    if (m->backward_x_desc) dnnl_primitive_desc_destroy(m->backward_x_desc);
    if (m->backward_w_desc) dnnl_primitive_desc_destroy(m->backward_w_desc);
}

static c3d_status make_layouts(making *m)
{
    const c3d_plan *p = &m->plan->base;
    const bool conv = p->desc.op == C3D_OP_CONV;
    const int *kernel = p->desc.kernel;
    const c3d_shape w = { p->desc.n_filters, m->x_seen.c, kernel[0], kernel[1], kernel[2] };
    const dnnl_format_tag_t x_tag = m->x_plain ? dnnl_ab : dnnl_format_tag_any;
    const dnnl_format_tag_t y_tag = conv ? dnnl_format_tag_any : dnnl_ab;
    const int y_axes = conv ? m->n_axes : 2;
    const dnnl_data_type_t type = m->plan->type;
    const bool is_wrong = conv && has_wrong_bf16_gradients(p->x_shape.d, kernel[0]);
    const dnnl_data_type_t dw_type = is_wrong ? dnnl_f32 : type;
    dnnl_dims_t extents;

    c3d_onednn_extents(m->x_seen, m->n_axes, extents);
    C3D_DNNL(layout_create(&m->x_any, m->n_axes, extents, type, x_tag));
    C3D_DNNL(layout_create(&m->x_dw, m->n_axes, extents, dw_type, x_tag));
    c3d_onednn_extents(w, m->n_axes, extents);
    C3D_DNNL(layout_create(&m->w_any, m->n_axes, extents, type, dnnl_format_tag_any));
    C3D_DNNL(layout_create(&m->dw, m->n_axes, extents, dnnl_f32, dnnl_format_tag_any));
    C3D_TRY(c3d_onednn_plain(w, m->n_axes, dnnl_f32, &m->w_plain));
    c3d_onednn_extents(p->y_shape, y_axes, extents);
    C3D_DNNL(layout_create(&m->y_any, y_axes, extents, type, dnnl_format_tag_any));
    C3D_DNNL(layout_create(&m->y_dw, y_axes, extents, dw_type, dnnl_format_tag_any));
    /* Logits are read by the loss and dropped out as they lie, so linear outputs stay plain. */
    C3D_DNNL(layout_create(&m->y_wanted, y_axes, extents, type, y_tag));
    extents[0] = p->desc.n_filters;
    if (!p->desc.no_bias) C3D_DNNL(layout_create(&m->b, 1, extents, dnnl_f32, dnnl_a));
    return C3D_OK;
}

static const_layout layout_of(const_dnnl_primitive_desc_t desc, dnnl_query_t what)
{
    return dnnl_primitive_desc_query_md(desc, what, 0);
}

static c3d_status make_forward_desc(making *m)
{
    const op_layouts l = { m->x_any, m->w_any, m->b, m->y_wanted };
    dnnl_primitive_attr_t attr = NULL;

    C3D_TRY(c3d_onednn_attr_create(m->plan->base.desc.relu, &attr));
    const dnnl_status_t made = m->forward(&m->hint, m->o->engine, &l, &m->window, NULL, attr);
    dnnl_primitive_attr_destroy(attr);
    C3D_DNNL(made);
    return C3D_OK;
}

static c3d_status make_backward_desc(making *m, describe *describe_pass, const op_layouts *l,
                                     dnnl_primitive_desc_t *out)
{
    dnnl_primitive_attr_t attr = NULL;

    C3D_TRY(c3d_onednn_attr_create(false, &attr));
    const dnnl_status_t made = describe_pass(out, m->o->engine, l, &m->window, m->hint, attr);
    dnnl_primitive_attr_destroy(attr);
    C3D_DNNL(made);
    return C3D_OK;
}

static c3d_status make_backward_descs(making *m)
{
    const op_layouts for_x = { m->x_any, m->w_any, m->b, m->y_any };
    const op_layouts for_w = { m->x_dw, m->dw, m->b, m->y_dw };

    if (m->plan->base.desc.needs_x_grad)
        C3D_TRY(make_backward_desc(m, m->backward_x, &for_x, &m->backward_x_desc));
    return make_backward_desc(m, m->backward_w, &for_w, &m->backward_w_desc);
}

/* The input as a pass takes it; rows of a linear layer are in C, D, H, W order. */
static c3d_status bring_x(making *m, jobs *list, const_layout want, place *out)
{
    const place x = { m->x, &m->plan->base.x->value };

    if (!m->x_plain) return c3d_onednn_bring(m->o, list, x, want, SLOT_X, out);
    C3D_TRY(c3d_onednn_bring(m->o, list, x, m->x_plain, SLOT_X, out));
    out->layout = want;
    return C3D_OK;
}

/* In float32 weights lie as the forward pass takes them. In bf16 they lie as their gradient, for
 * each pass takes another layout and bf16 is reordered in a third of the time of float32. Where 3.x
 * has no name for a layout in the other precision they are plain. */
static c3d_status make_stored(making *m)
{
    const bool is_f32 = m->plan->type == dnnl_f32 || !m->backward_w_desc;
    const const_layout l = is_f32 ? layout_of(m->hint, dnnl_query_weights_md)
                                  : layout_of(m->backward_w_desc, dnnl_query_diff_weights_md);
    dnnl_status_t status = layout_retype(&m->w_master, l, dnnl_f32);

    if (status == dnnl_success) status = layout_retype(&m->w, l, m->plan->type);
    if (status != dnnl_unimplemented) {
        C3D_DNNL(status);
        return C3D_OK;
    }
    layout_destroy(m->w_master);
    m->w_master = NULL;
    C3D_DNNL(layout_copy(&m->w_master, m->w_plain));
    C3D_DNNL(layout_retype(&m->w, m->w_plain, m->plan->type));
    return C3D_OK;
}

static c3d_status make_forward(making *m)
{
    onednn_plan *plan = m->plan;
    c3d_plan *p = &plan->base;
    place x_here, w_here;
    job *j;

    C3D_TRY(c3d_onednn_activation_create(m->o, p->y_shape, layout_of(m->hint, dnnl_query_dst_md),
                                         &p->y));
    C3D_TRY(bring_x(m, &plan->forward, layout_of(m->hint, dnnl_query_src_md), &x_here));
    C3D_TRY(c3d_onednn_bring(m->o, &plan->forward, (place){ m->w, &plan->weight },
                             layout_of(m->hint, dnnl_query_weights_md), SLOT_W, &w_here));
    C3D_TRY(c3d_onednn_job_add(m->o, &plan->forward, m->hint, &j));
    C3D_TRY(c3d_onednn_job_arg(m->o, j, DNNL_ARG_SRC, x_here));
    C3D_TRY(c3d_onednn_job_arg(m->o, j, DNNL_ARG_WEIGHTS, w_here));
    if (m->b) C3D_TRY(c3d_onednn_job_arg(m->o, j, DNNL_ARG_BIAS, (place){ m->b, &plan->param[1] }));
    return c3d_onednn_job_arg(m->o, j, DNNL_ARG_DST, (place){ p->y->layout, &p->y->value });
}

static c3d_status make_params(making *m)
{
    onednn_plan *plan = m->plan;
    const place physical[2] = { { m->w_master, &plan->param[0] }, { m->b, &plan->param[1] } };
    const place canonical[2] = { { m->w_plain, &plan->canonical }, { m->b, &plan->canonical } };

    for (int i = 0; i < plan->base.n_params && i < 2; i++) {
        const size_t n = dnnl_memory_desc_get_size(physical[i].layout) / sizeof(float);

        plan->param_n_layout[i] = n;
        plan->base.param_n_physical[i] = (n + 15) / 16 * 16;
        C3D_TRY(c3d_onednn_job_reorder(m->o, &plan->import[i], canonical[i], physical[i]));
        C3D_TRY(c3d_onednn_job_reorder(m->o, &plan->export[i], physical[i], canonical[i]));
    }
    return C3D_OK;
}

static c3d_status add_backward_x(making *m, const_dnnl_primitive_desc_t desc)
{
    onednn_plan *plan = m->plan;
    const c3d_plan *p = &plan->base;
    const place dx = { m->x, &p->x->grad }, dy = { p->y->layout, &p->y->grad };
    const place w = { m->w, &plan->weight };
    const const_layout made = layout_of(desc, dnnl_query_diff_src_md);
    jobs *list = &plan->backward_x;
    place dy_here, w_here, dx_here;
    job *j;

    C3D_TRY(c3d_onednn_bring(m->o, list, dy, layout_of(desc, dnnl_query_diff_dst_md), SLOT_Y,
                             &dy_here));
    C3D_TRY(
        c3d_onednn_bring(m->o, list, w, layout_of(desc, dnnl_query_weights_md), SLOT_W, &w_here));
    C3D_TRY(c3d_onednn_landing(m->o, dx, m->x_plain ? m->x_plain : made, SLOT_X, &dx_here));
    C3D_TRY(c3d_onednn_job_add(m->o, list, desc, &j));
    C3D_TRY(c3d_onednn_job_arg(m->o, j, DNNL_ARG_DIFF_DST, dy_here));
    C3D_TRY(c3d_onednn_job_arg(m->o, j, DNNL_ARG_WEIGHTS, w_here));
    C3D_TRY(c3d_onednn_job_arg(m->o, j, DNNL_ARG_DIFF_SRC, (place){ made, dx_here.at }));
    return c3d_onednn_carry(m->o, list, dx_here, dx);
}

static c3d_status add_backward_w(making *m, const_dnnl_primitive_desc_t desc)
{
    onednn_plan *plan = m->plan;
    const c3d_plan *p = &plan->base;
    const place dy = { p->y->layout, &p->y->grad };
    const place dw = { m->w_master, &plan->grad[0] };
    jobs *list = &plan->backward_w;
    place x_here, dy_here, dw_here;
    job *j;

    C3D_TRY(bring_x(m, list, layout_of(desc, dnnl_query_src_md), &x_here));
    C3D_TRY(c3d_onednn_bring(m->o, list, dy, layout_of(desc, dnnl_query_diff_dst_md), SLOT_Y,
                             &dy_here));
    C3D_TRY(c3d_onednn_landing(m->o, dw, layout_of(desc, dnnl_query_diff_weights_md), SLOT_W,
                               &dw_here));
    C3D_TRY(c3d_onednn_job_add(m->o, list, desc, &j));
    C3D_TRY(c3d_onednn_job_arg(m->o, j, DNNL_ARG_SRC, x_here));
    C3D_TRY(c3d_onednn_job_arg(m->o, j, DNNL_ARG_DIFF_DST, dy_here));
    C3D_TRY(c3d_onednn_job_arg(m->o, j, DNNL_ARG_DIFF_WEIGHTS, dw_here));
    if (m->b)
        C3D_TRY(c3d_onednn_job_arg(m->o, j, DNNL_ARG_DIFF_BIAS, (place){ m->b, &plan->grad[1] }));
    return c3d_onednn_carry(m->o, list, dw_here, dw);
}

static c3d_status make_training(making *m)
{
    const c3d_plan *p = &m->plan->base;

    C3D_TRY(c3d_onednn_want_grad(m->o, p->y));
    if (p->desc.needs_x_grad) {
        C3D_TRY(c3d_onednn_want_grad(m->o, p->x));
        C3D_TRY(add_backward_x(m, m->backward_x_desc));
    }
    C3D_TRY(add_backward_w(m, m->backward_w_desc));
    for (int i = 0; i < p->n_params; i++)
        C3D_TRY(c3d_onednn_slot_grow(m->o, i == 0 ? SLOT_W_TERM : SLOT_B_TERM,
                                     p->param_n_physical[i] * sizeof(float)));
    return C3D_OK;
}

static c3d_status make(making *m)
{
    C3D_TRY(make_layouts(m));
    C3D_TRY(make_forward_desc(m));
    if (m->plan->base.desc.training) C3D_TRY(make_backward_descs(m));
    C3D_TRY(make_stored(m));
    C3D_TRY(make_forward(m));
    C3D_TRY(make_params(m));
    if (m->plan->base.desc.training) C3D_TRY(make_training(m));
    return C3D_OK;
}

static c3d_status conv_making(making *m)
{
    m->forward = conv_forward_desc;
    m->backward_x = conv_backward_x_desc;
    m->backward_w = conv_backward_w_desc;
    m->x_seen = m->plan->base.x_shape;
    m->n_axes = c3d_onednn_n_axes(&m->plan->base);
    m->window = c3d_onednn_window(&m->plan->base.desc, m->n_axes);
    return c3d_onednn_view(m->plan->base.x, m->n_axes, &m->x);
}

/* Over rows of numbers the library keeps one layout of the weights for all passes; with axes of
 * space it would turn them around before every backward pass. */
static c3d_status linear_making(making *m)
{
    const c3d_plan *p = &m->plan->base;
    const size_t n = c3d_shape_sample_count(p->x_shape);

    if (n > INT_MAX) return C3D_FAIL(C3D_EINVAL, "linear: %zu inputs, at most %d", n, INT_MAX);
    m->forward = linear_forward_desc;
    m->backward_x = linear_backward_x_desc;
    m->backward_w = linear_backward_w_desc;
    m->x_seen = (c3d_shape){ p->x_shape.n, (int)n, 1, 1, 1 };
    m->n_axes = 2;
    if (m->x_seen.c == p->x_shape.c) return c3d_onednn_view(p->x, 2, &m->x);
    C3D_TRY(c3d_onednn_plain(p->x_shape, 5, m->plan->type, &m->x_plain));
    return c3d_onednn_view(p->x, 5, &m->x);
}

c3d_status c3d_onednn_plan_weighted(onednn *o, onednn_plan *plan)
{
    const c3d_op_desc *desc = &plan->base.desc;
    making m = { .o = o, .plan = plan };

    plan->type = desc->op == C3D_OP_CONV || desc->relu ? o->type : dnnl_f32;
    c3d_status st = desc->op == C3D_OP_CONV ? conv_making(&m) : linear_making(&m);

    if (st == C3D_OK) st = make(&m);
    making_end(&m);
    return st;
}
