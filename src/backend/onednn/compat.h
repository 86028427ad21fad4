/* One source for oneDNN 2.6 and 3.x: the few places where their C interfaces differ.
 *
 * A layout is a memory descriptor behind a pointer: 3.x has only such, 2.6 has a public struct that
 * we keep on the heap. Operations are planned with the same calls here: 2.6
 * makes an operation descriptor first, 3.x has none and takes dilations always. */
#ifndef C3D_ONEDNN_COMPAT_H
#define C3D_ONEDNN_COMPAT_H

#include <oneapi/dnnl/dnnl.h>
#include <oneapi/dnnl/dnnl_debug.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t layout;
typedef const_dnnl_memory_desc_t const_layout;
#else
typedef dnnl_memory_desc_t *layout;
typedef const dnnl_memory_desc_t *const_layout;
#endif

/* Layouts of an operation's input, weights, bias and output, or of their gradients. */
typedef struct op_layouts {
    const_layout x, w, b, y;
} op_layouts;

/* A window over the axes of space and time: 2 or 3 numbers each. */
typedef struct op_window {
    dnnl_dims_t kernel, stride, before, after;
} op_window;

static const dnnl_dims_t no_dilation = { 0 };

/* How elements lie: along axis a, steps[a] of them from one to the next; channels (axis 1) in
 * blocks of `block` neighbours, with steps[1] from block to block. */
typedef struct layout_steps {
    int n_axes, block;
    dnnl_dims_t extents, steps;
} layout_steps;

/* 3.2 computes wrong gradients of weights in bf16 where the input has two elements in time and
 * the kernel has three. */
static inline bool has_wrong_bf16_gradients(int extent, int kernel)
{
    return DNNL_VERSION_MAJOR >= 3 && extent > 1 && extent < kernel;
}

#if DNNL_VERSION_MAJOR >= 3

static inline dnnl_status_t layout_create(layout *out, int n_axes, const dnnl_dims_t extents,
                                          dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(out, n_axes, extents, type, tag);
}

static inline dnnl_status_t layout_copy(layout *out, const_layout from)
{
    return dnnl_memory_desc_clone(out, from);
}

static inline dnnl_data_type_t layout_type(const_layout l)
{
    dnnl_data_type_t type = dnnl_data_type_undef;

    return dnnl_memory_desc_query(l, dnnl_query_data_type, &type) == dnnl_success
               ? type
               : dnnl_data_type_undef;
}

/* The layout of another type: 3.x lets nobody make a blocked layout but by name, so all names are
 * tried. dnnl_unimplemented when it has none. */
static inline dnnl_status_t layout_retype(layout *out, const_layout from, dnnl_data_type_t type)
{
    const dnnl_data_type_t from_type = layout_type(from);
    const dnnl_dims_t *extents = NULL;
    int n_axes = 0;

    if (type == from_type) return layout_copy(out, from);
    dnnl_status_t status = dnnl_memory_desc_query(from, dnnl_query_ndims_s32, &n_axes);
    if (status == dnnl_success) status = dnnl_memory_desc_query(from, dnnl_query_dims, &extents);
    if (status != dnnl_success) return status;
    for (int tag = dnnl_format_tag_any + 1; tag < dnnl_format_tag_last; tag++) {
        layout named;

        if (layout_create(&named, n_axes, *extents, from_type, (dnnl_format_tag_t)tag) !=
            dnnl_success)
            continue;
        const int is_same = dnnl_memory_desc_equal(named, from);
        dnnl_memory_desc_destroy(named);
        if (is_same) return layout_create(out, n_axes, *extents, type, (dnnl_format_tag_t)tag);
    }
    return dnnl_unimplemented;
}

static inline dnnl_status_t layout_reshape(layout *out, const_layout from, int n_axes,
                                           const dnnl_dims_t extents)
{
    return dnnl_memory_desc_reshape(out, from, n_axes, extents);
}

static inline void layout_destroy(layout l)
{
    if (l) dnnl_memory_desc_destroy(l);
}

/* False for a layout that is not of this kind. */
static inline bool layout_steps_of(const_layout l, layout_steps *out)
{
    dnnl_format_kind_t kind;
    const dnnl_dims_t *extents, *steps, *blocks, *axes;
    int n_blocks;

    if (dnnl_memory_desc_query(l, dnnl_query_format_kind, &kind) != dnnl_success ||
        kind != dnnl_blocked ||
        dnnl_memory_desc_query(l, dnnl_query_ndims_s32, &out->n_axes) != dnnl_success ||
        dnnl_memory_desc_query(l, dnnl_query_dims, &extents) != dnnl_success ||
        dnnl_memory_desc_query(l, dnnl_query_strides, &steps) != dnnl_success ||
        dnnl_memory_desc_query(l, dnnl_query_inner_nblks_s32, &n_blocks) != dnnl_success ||
        dnnl_memory_desc_query(l, dnnl_query_inner_blks, &blocks) != dnnl_success ||
        dnnl_memory_desc_query(l, dnnl_query_inner_idxs, &axes) != dnnl_success)
        return false;
    memcpy(out->extents, *extents, sizeof out->extents);
    memcpy(out->steps, *steps, sizeof out->steps);
    out->block = n_blocks == 1 ? (int)(*blocks)[0] : 1;
    return n_blocks == 0 || (n_blocks == 1 && (*axes)[0] == 1);
}

static inline dnnl_status_t post_ops_add_relu(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_relu, 0, 0);
}

static inline dnnl_status_t conv_forward_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                              const op_layouts *l, const op_window *w,
                                              const_dnnl_primitive_desc_t hint,
                                              const_dnnl_primitive_attr_t attr)
{
    (void)hint;
    return dnnl_convolution_forward_primitive_desc_create(
        out, engine, dnnl_forward_training, dnnl_convolution_direct, l->x, l->w, l->b, l->y,
        w->stride, no_dilation, w->before, w->after, attr);
}

static inline dnnl_status_t conv_backward_x_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                 const op_layouts *l, const op_window *w,
                                                 const_dnnl_primitive_desc_t hint,
                                                 const_dnnl_primitive_attr_t attr)
{
    return dnnl_convolution_backward_data_primitive_desc_create(
        out, engine, dnnl_convolution_direct, l->x, l->w, l->y, w->stride, no_dilation, w->before,
        w->after, hint, attr);
}

static inline dnnl_status_t conv_backward_w_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                 const op_layouts *l, const op_window *w,
                                                 const_dnnl_primitive_desc_t hint,
                                                 const_dnnl_primitive_attr_t attr)
{
    return dnnl_convolution_backward_weights_primitive_desc_create(
        out, engine, dnnl_convolution_direct, l->x, l->w, l->b, l->y, w->stride, no_dilation,
        w->before, w->after, hint, attr);
}

static inline dnnl_status_t linear_forward_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                const op_layouts *l, const op_window *w,
                                                const_dnnl_primitive_desc_t hint,
                                                const_dnnl_primitive_attr_t attr)
{
    (void)w, (void)hint;
    return dnnl_inner_product_forward_primitive_desc_create(out, engine, dnnl_forward_training,
                                                            l->x, l->w, l->b, l->y, attr);
}

static inline dnnl_status_t linear_backward_x_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                   const op_layouts *l, const op_window *w,
                                                   const_dnnl_primitive_desc_t hint,
                                                   const_dnnl_primitive_attr_t attr)
{
    (void)w;
    return dnnl_inner_product_backward_data_primitive_desc_create(out, engine, l->x, l->w, l->y,
                                                                  hint, attr);
}

static inline dnnl_status_t linear_backward_w_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                   const op_layouts *l, const op_window *w,
                                                   const_dnnl_primitive_desc_t hint,
                                                   const_dnnl_primitive_attr_t attr)
{
    (void)w;
    return dnnl_inner_product_backward_weights_primitive_desc_create(out, engine, l->x, l->w, l->b,
                                                                     l->y, hint, attr);
}

static inline dnnl_status_t pool_forward_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                              dnnl_prop_kind_t prop, const op_layouts *l,
                                              const op_window *w, const_dnnl_primitive_attr_t attr)
{
    return dnnl_pooling_forward_primitive_desc_create(out, engine, prop, dnnl_pooling_max, l->x,
                                                      l->y, w->stride, w->kernel, no_dilation,
                                                      w->before, w->after, attr);
}

static inline dnnl_status_t pool_backward_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                               const op_layouts *l, const op_window *w,
                                               const_dnnl_primitive_desc_t hint,
                                               const_dnnl_primitive_attr_t attr)
{
    return dnnl_pooling_backward_primitive_desc_create(out, engine, dnnl_pooling_max, l->x, l->y,
                                                       w->stride, w->kernel, no_dilation, w->before,
                                                       w->after, hint, attr);
}

#else

/* The layout that `init` writes through `made` becomes *out, or nothing is left behind. */
#define C3D_LAYOUT_MAKE(init)                                                                      \
    dnnl_memory_desc_t *made = malloc(sizeof *made);                                               \
    if (!made) return dnnl_out_of_memory;                                                          \
    const dnnl_status_t status = (init);                                                           \
    if (status == dnnl_success)                                                                    \
        *out = made;                                                                               \
    else                                                                                           \
        free(made);                                                                                \
    return status

static inline dnnl_status_t layout_create(layout *out, int n_axes, const dnnl_dims_t extents,
                                          dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    C3D_LAYOUT_MAKE(dnnl_memory_desc_init_by_tag(made, n_axes, extents, type, tag));
}

static inline dnnl_data_type_t layout_type(const_layout l)
{
    return l->data_type;
}

static inline dnnl_status_t layout_retype(layout *out, const_layout from, dnnl_data_type_t type)
{
    C3D_LAYOUT_MAKE((*made = *from, made->data_type = type, dnnl_success));
}

static inline dnnl_status_t layout_reshape(layout *out, const_layout from, int n_axes,
                                           const dnnl_dims_t extents)
{
    C3D_LAYOUT_MAKE(dnnl_memory_desc_reshape(made, from, n_axes, extents));
}

static inline dnnl_status_t layout_copy(layout *out, const_layout from)
{
    C3D_LAYOUT_MAKE((*made = *from, dnnl_success));
}

static inline void layout_destroy(layout l)
{
    free(l);
}

/* False for a layout that is not of this kind. */
static inline bool layout_steps_of(const_layout l, layout_steps *out)
{
    const dnnl_blocking_desc_t *b = &l->format_desc.blocking;

    if (l->format_kind != dnnl_blocked) return false;
    out->n_axes = l->ndims;
    memcpy(out->extents, l->dims, sizeof out->extents);
    memcpy(out->steps, b->strides, sizeof out->steps);
    out->block = b->inner_nblks == 1 ? (int)b->inner_blks[0] : 1;
    return b->inner_nblks == 0 || (b->inner_nblks == 1 && b->inner_idxs[0] == 1);
}

static inline dnnl_status_t post_ops_add_relu(dnnl_post_ops_t ops)
{
    return dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0);
}

/* Describes the operation by `init` into `op`, then plans it. */
#define C3D_OP_DESC(type, init, hint_or_null)                                                      \
    type op;                                                                                       \
    const dnnl_status_t status = (init);                                                           \
    if (status != dnnl_success) return status;                                                     \
    return dnnl_primitive_desc_create(out, &op, attr, engine, hint_or_null)

static inline dnnl_status_t conv_forward_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                              const op_layouts *l, const op_window *w,
                                              const_dnnl_primitive_desc_t hint,
                                              const_dnnl_primitive_attr_t attr)
{
    C3D_OP_DESC(dnnl_convolution_desc_t,
                dnnl_convolution_forward_desc_init(&op, dnnl_forward_training,
                                                   dnnl_convolution_direct, l->x, l->w, l->b, l->y,
                                                   w->stride, w->before, w->after),
                hint);
}

static inline dnnl_status_t conv_backward_x_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                 const op_layouts *l, const op_window *w,
                                                 const_dnnl_primitive_desc_t hint,
                                                 const_dnnl_primitive_attr_t attr)
{
    C3D_OP_DESC(dnnl_convolution_desc_t,
                dnnl_convolution_backward_data_desc_init(&op, dnnl_convolution_direct, l->x, l->w,
                                                         l->y, w->stride, w->before, w->after),
                hint);
}

static inline dnnl_status_t conv_backward_w_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                 const op_layouts *l, const op_window *w,
                                                 const_dnnl_primitive_desc_t hint,
                                                 const_dnnl_primitive_attr_t attr)
{
    C3D_OP_DESC(dnnl_convolution_desc_t,
                dnnl_convolution_backward_weights_desc_init(&op, dnnl_convolution_direct, l->x,
                                                            l->w, l->b, l->y, w->stride, w->before,
                                                            w->after),
                hint);
}

static inline dnnl_status_t linear_forward_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                const op_layouts *l, const op_window *w,
                                                const_dnnl_primitive_desc_t hint,
                                                const_dnnl_primitive_attr_t attr)
{
    (void)w;
    C3D_OP_DESC(
        dnnl_inner_product_desc_t,
        dnnl_inner_product_forward_desc_init(&op, dnnl_forward_training, l->x, l->w, l->b, l->y),
        hint);
}

static inline dnnl_status_t linear_backward_x_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                   const op_layouts *l, const op_window *w,
                                                   const_dnnl_primitive_desc_t hint,
                                                   const_dnnl_primitive_attr_t attr)
{
    (void)w;
    C3D_OP_DESC(dnnl_inner_product_desc_t,
                dnnl_inner_product_backward_data_desc_init(&op, l->x, l->w, l->y), hint);
}

static inline dnnl_status_t linear_backward_w_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                                   const op_layouts *l, const op_window *w,
                                                   const_dnnl_primitive_desc_t hint,
                                                   const_dnnl_primitive_attr_t attr)
{
    (void)w;
    C3D_OP_DESC(dnnl_inner_product_desc_t,
                dnnl_inner_product_backward_weights_desc_init(&op, l->x, l->w, l->b, l->y), hint);
}

static inline dnnl_status_t pool_forward_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                              dnnl_prop_kind_t prop, const op_layouts *l,
                                              const op_window *w, const_dnnl_primitive_attr_t attr)
{
    C3D_OP_DESC(dnnl_pooling_desc_t,
                dnnl_pooling_forward_desc_init(&op, prop, dnnl_pooling_max, l->x, l->y, w->stride,
                                               w->kernel, w->before, w->after),
                NULL);
}

static inline dnnl_status_t pool_backward_desc(dnnl_primitive_desc_t *out, dnnl_engine_t engine,
                                               const op_layouts *l, const op_window *w,
                                               const_dnnl_primitive_desc_t hint,
                                               const_dnnl_primitive_attr_t attr)
{
    C3D_OP_DESC(dnnl_pooling_desc_t,
                dnnl_pooling_backward_desc_init(&op, dnnl_pooling_max, l->x, l->y, w->stride,
                                                w->kernel, w->before, w->after),
                hint);
}

#endif
#endif
