#include "backend/onednn/onednn.h"

c3d_status c3d_onednn_slot_grow(onednn *o, slot_name name, size_t n_bytes)
{
    slot *s = &o->slots[name];

    if (n_bytes <= s->n_bytes) return C3D_OK;
    c3d_host_free(o->backend, s->data); /* first: the two need not fit side by side */
    *s = (slot){ 0 };
    C3D_TRY(c3d_host_alloc(o->backend, n_bytes, &s->data));
    s->n_bytes = n_bytes;
    return C3D_OK;
}

c3d_status c3d_onednn_job_arg(onednn *o, job *j, int arg, place p)
{
    dnnl_memory_t memory;

    C3D_ASSERT(j && j->n_args < MAX_ARGS);
    C3D_DNNL(dnnl_memory_create(&memory, p.layout, o->engine, DNNL_MEMORY_NONE));
    j->args[j->n_args] = (dnnl_exec_arg_t){ arg, memory };
    j->at[j->n_args++] = p.at;
    return C3D_OK;
}

c3d_status c3d_onednn_job_add(onednn *o, jobs *list, const_dnnl_primitive_desc_t desc, job **out)
{
    C3D_ASSERT(list->n < MAX_JOBS);
    job *const j = &list->list[list->n++];
    const_layout scratch;
    size_t n_bytes;

    *out = j;
    C3D_DNNL(dnnl_primitive_create(&j->primitive, desc));
    scratch = dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    n_bytes = scratch ? dnnl_memory_desc_get_size(scratch) : 0;
    if (n_bytes > 0) {
        C3D_TRY(c3d_onednn_slot_grow(o, SLOT_LIBRARY, n_bytes));
        C3D_TRY(c3d_onednn_job_arg(o, j, DNNL_ARG_SCRATCHPAD,
                                   (place){ scratch, &o->slots[SLOT_LIBRARY].data }));
    }
    return C3D_OK;
}

static c3d_status reorder_add(onednn *o, jobs *list, const_dnnl_primitive_desc_t desc, place from,
                              place to)
{
    job *j = NULL;

    C3D_TRY(c3d_onednn_job_add(o, list, desc, &j));
    C3D_TRY(c3d_onednn_job_arg(o, j, DNNL_ARG_FROM, from));
    return c3d_onednn_job_arg(o, j, DNNL_ARG_TO, to);
}

c3d_status c3d_onednn_job_reorder(onednn *o, jobs *list, place from, place to)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;

    C3D_TRY(c3d_onednn_attr_create(false, &attr));
    const dnnl_status_t made = dnnl_reorder_primitive_desc_create(&desc, from.layout, o->engine,
                                                                  to.layout, o->engine, attr);
    dnnl_primitive_attr_destroy(attr);
    C3D_DNNL(made);
    const c3d_status st = reorder_add(o, list, desc, from, to);
    dnnl_primitive_desc_destroy(desc);
    return st;
}

c3d_status c3d_onednn_bring(onednn *o, jobs *list, place have, const_layout want, slot_name name,
                            place *out)
{
    C3D_TRY(c3d_onednn_landing(o, have, want, name, out));
    return c3d_onednn_carry(o, list, have, *out);
}

c3d_status c3d_onednn_landing(onednn *o, place want, const_layout made, slot_name name, place *out)
{
    if (dnnl_memory_desc_equal(want.layout, made)) {
        *out = want;
        return C3D_OK;
    }
    C3D_TRY(c3d_onednn_slot_grow(o, name, dnnl_memory_desc_get_size(made)));
    *out = (place){ made, &o->slots[name].data };
    return C3D_OK;
}

c3d_status c3d_onednn_carry(onednn *o, jobs *list, place landed, place want)
{
    if (landed.at == want.at) return C3D_OK;
    return c3d_onednn_job_reorder(o, list, landed, want);
}

static c3d_status run_one(const onednn *o, job *j)
{
    for (int i = 0; i < j->n_args; i++) {
        void *bound;

        C3D_DNNL(dnnl_memory_get_data_handle(j->args[i].memory, &bound));
        if (bound != *j->at[i]) C3D_DNNL(dnnl_memory_set_data_handle(j->args[i].memory, *j->at[i]));
    }
    C3D_DNNL(dnnl_primitive_execute(j->primitive, o->stream, j->n_args, j->args));
    return C3D_OK;
}

c3d_status c3d_onednn_run(onednn *o, jobs *list)
{
    for (int i = 0; i < list->n; i++) C3D_TRY(run_one(o, &list->list[i]));
    return C3D_OK;
}

void c3d_onednn_jobs_free(jobs *list)
{
    for (int i = 0; i < list->n; i++) {
        job *j = &list->list[i];

        if (j->primitive) dnnl_primitive_destroy(j->primitive);
        for (int a = 0; a < j->n_args; a++) dnnl_memory_destroy(j->args[a].memory);
    }
    *list = (jobs){ 0 };
}

static c3d_status attr_set(dnnl_primitive_attr_t attr, bool relu)
{
    dnnl_post_ops_t ops;

    C3D_DNNL(dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    if (!relu) return C3D_OK;
    C3D_DNNL(dnnl_post_ops_create(&ops));
    dnnl_status_t status = post_ops_add_relu(ops);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(attr, ops);
    dnnl_post_ops_destroy(ops);
    C3D_DNNL(status);
    return C3D_OK;
}

c3d_status c3d_onednn_attr_create(bool relu, dnnl_primitive_attr_t *out)
{
    dnnl_primitive_attr_t attr = NULL;

    C3D_DNNL(dnnl_primitive_attr_create(&attr));
    const c3d_status st = attr_set(attr, relu);
    if (st == C3D_OK)
        *out = attr;
    else
        dnnl_primitive_attr_destroy(attr);
    return st;
}
