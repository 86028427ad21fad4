/* The CPU backend on oneDNN, float32 or bf16. Activations and parameters keep the blocked layouts
 * that the library chooses; what lies in another layout than an operation takes is reordered on the
 * way.
 *
 * In bf16 activations, their gradients and the copies of weights are bf16; masters, which lie as
 * these copies do, gradients of parameters and biases are float32. So is all of a linear layer
 * without ReLU: it gives the logits, and costs nothing.
 *
 * A plan is lists of jobs (a primitive and where its arguments lie), made once. An argument is told
 * by the address of a pointer, read at each run: parameters are given per call, and buffers that
 * all plans share may move while planning goes on. */
#ifndef C3D_BACKEND_ONEDNN_H
#define C3D_BACKEND_ONEDNN_H

#include "backend/bf16.h"
#include "backend/host.h"
#include "backend/onednn/compat.h"

/* In the header so that an analyser sees that it never returns C3D_OK. */
static inline c3d_status c3d_onednn_status(dnnl_status_t status)
{
    return status == dnnl_out_of_memory ? C3D_ENOMEM : C3D_EBACKEND;
}
/* Returns from the calling function when the library refuses: the call as written, its words. */
#define C3D_DNNL(call)                                                                             \
    do {                                                                                           \
        const dnnl_status_t c3d_dnnl_status = (call);                                              \
        if (c3d_dnnl_status != dnnl_success)                                                       \
            return C3D_FAIL(c3d_onednn_status(c3d_dnnl_status), "oneDNN: %s: %s", #call,           \
                            dnnl_status2str(c3d_dnnl_status));                                     \
    } while (0)

/* Buffers shared by all plans of a backend, as large as the largest need: plans run one at a time,
 * and nothing in them outlives a forward or backward call. */
typedef enum slot_name {
    SLOT_LIBRARY, /* the library's scratchpad */
    SLOT_X,       /* x or dx, y or dy, w or dw, in the layout that a primitive takes */
    SLOT_Y,
    SLOT_W,
    SLOT_B,
    SLOT_W_TERM, /* gradients that will be added to what is there */
    SLOT_B_TERM,
    SLOT_INPUT, /* the input in float32, before it is rounded */
    SLOTS
} slot_name;

typedef struct slot {
    void *data;
    size_t n_bytes;
} slot;

typedef struct onednn {
    c3d_backend *backend; /* whose state this is; counts its buffers */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    int n_threads;
    dnnl_data_type_t type; /* of activations and of weights as operations take them */
    slot slots[SLOTS];
} onednn;

struct c3d_activation {
    c3d_shape shape;
    layout layout; /* of value and gradient; owned */
    dnnl_data_type_t type;
    size_t n, n_bytes; /* physical */
    void *value;
    void *grad; /* NULL: none is kept */
    /* The value went through ReLU; so did the gradient already, in the pool that computed it. */
    bool is_relu, grad_is_relu;
};

/* Where an array lies, and how. */
typedef struct place {
    const_layout layout;
    void *const *at;
} place;

#define MAX_ARGS 6
typedef struct job {
    dnnl_primitive_t primitive;
    int n_args;
    dnnl_exec_arg_t args[MAX_ARGS]; /* memories owned */
    void *const *at[MAX_ARGS];
} job;

#define MAX_JOBS 5
typedef struct jobs {
    int n;
    job list[MAX_JOBS];
} jobs;

typedef struct onednn_plan {
    c3d_plan base;
    jobs forward, backward_x, backward_w;
    jobs import[2], export[2];
    size_t param_n_layout[2]; /* physical elements that the layout uses */
    /* What the jobs' places point to; set before they run. */
    void *param[2], *grad[2];
    dnnl_data_type_t type; /* that the operation takes */
    void *weight;          /* param[0] or its 16-bit copy */
    void *canonical;
    void *workspace;     /* pool: which elements won */
    void *mask;          /* dropout: float, plain [N, C, D, H, W] */
    void *physical_mask; /* the same in x's layout */
    struct onednn_norm *norm;
} onednn_plan;

static inline onednn *onednn_of(const c3d_backend *self)
{
    return self->state;
}

/* ---- job.c ---- */

/* The slot holds at least n_bytes from now on. */
C3D_CHECKED c3d_status c3d_onednn_slot_grow(onednn *o, slot_name name, size_t n_bytes);
/* Adds a job for a planned primitive; it takes its scratchpad from SLOT_LIBRARY. */
C3D_CHECKED c3d_status c3d_onednn_job_add(onednn *o, jobs *list, const_dnnl_primitive_desc_t desc,
                                          job **out);
C3D_CHECKED c3d_status c3d_onednn_job_arg(onednn *o, job *j, int arg, place p);
C3D_CHECKED c3d_status c3d_onednn_job_reorder(onednn *o, jobs *list, place from, place to);
/* Brings `have` into layout `want`: adds a reorder into the slot if they differ. */
C3D_CHECKED c3d_status c3d_onednn_bring(onednn *o, jobs *list, place have, const_layout want,
                                        slot_name name, place *out);
/* Where a primitive that writes layout `made` shall write so that carry() afterwards brings it to
 * `want`: want itself, or the slot. */
C3D_CHECKED c3d_status c3d_onednn_landing(onednn *o, place want, const_layout made, slot_name name,
                                          place *out);
C3D_CHECKED c3d_status c3d_onednn_carry(onednn *o, jobs *list, place landed, place want);
C3D_CHECKED c3d_status c3d_onednn_run(onednn *o, jobs *list);
void c3d_onednn_jobs_free(jobs *list);
/* Attributes of every primitive: its scratchpad is ours; relu: y = max(0, y) at the end. */
C3D_CHECKED c3d_status c3d_onednn_attr_create(bool relu, dnnl_primitive_attr_t *out);

/* ---- activation.c ---- */

/* N, C and as many of D, H, W as n_axes asks for (5: all, 4: no D, 2: none). */
void c3d_onednn_extents(c3d_shape s, int n_axes, dnnl_dims_t out);
C3D_CHECKED c3d_status c3d_onednn_plain(c3d_shape s, int n_axes, dnnl_data_type_t type,
                                        layout *out);
/* Copies the layout. */
C3D_CHECKED c3d_status c3d_onednn_activation_create(onednn *o, c3d_shape s, const_layout l,
                                                    c3d_activation **out);
C3D_CHECKED c3d_status c3d_onednn_want_grad(onednn *o, c3d_activation *x);
/* The activation's layout seen with n_axes; owned by the caller. */
C3D_CHECKED c3d_status c3d_onednn_view(const c3d_activation *x, int n_axes, layout *out);

c3d_status c3d_onednn_input_create(c3d_backend *self, c3d_shape shape, c3d_activation **out);
void c3d_onednn_activation_free(c3d_backend *self, c3d_activation *x);
c3d_status c3d_onednn_input_load(c3d_backend *self, c3d_activation *x, const c3d_input *input);
c3d_status c3d_onednn_activation_read(c3d_backend *self, c3d_activation *x, bool grad,
                                      float *to_host);
c3d_status c3d_onednn_activation_write(c3d_backend *self, c3d_activation *x, bool grad,
                                       const float *from_host);

/* ---- plans: each makes base.y and the lists of jobs ---- */

C3D_CHECKED c3d_status c3d_onednn_plan_weighted(onednn *o, onednn_plan *plan);
C3D_CHECKED c3d_status c3d_onednn_plan_pool(onednn *o, onednn_plan *plan);
C3D_CHECKED c3d_status c3d_onednn_plan_dropout(onednn *o, onednn_plan *plan);
C3D_CHECKED c3d_status c3d_onednn_dropout_forward(onednn *o, onednn_plan *plan,
                                                  const c3d_pass *pass);
void c3d_onednn_dropout_backward(onednn_plan *plan);
C3D_CHECKED c3d_status c3d_onednn_plan_norm(onednn *o, onednn_plan *plan);
C3D_CHECKED c3d_status c3d_onednn_norm_forward(onednn_plan *plan, const c3d_params *params,
                                               const c3d_pass *pass);
/* The ReLU after it included. */
C3D_CHECKED c3d_status c3d_onednn_norm_backward(onednn_plan *plan, const c3d_params *params,
                                                float *const *param_grads, const c3d_pass *pass);
c3d_status c3d_onednn_stats_read(c3d_backend *self, const c3d_plan *plan, float *mean,
                                 float *variance);
void c3d_onednn_norm_free(c3d_backend *self, struct onednn_norm *norm); /* NULL is fine */
/* The window of conv and pool over the last n_axes - 2 axes. */
op_window c3d_onednn_window(const c3d_op_desc *desc, int n_axes);
/* 4 when time has one element before, after and in the kernel, otherwise 5. */
int c3d_onednn_n_axes(const c3d_plan *plan);

/* ---- plan.c: entries of the table ---- */

c3d_status c3d_onednn_plan(c3d_backend *self, const c3d_op_desc *desc, c3d_activation *x,
                           c3d_plan **out);
void c3d_onednn_plan_free(c3d_backend *self, c3d_plan *plan);
c3d_status c3d_onednn_param_import(c3d_backend *self, const c3d_plan *plan, int which,
                                   const float *canonical, float *physical);
c3d_status c3d_onednn_param_export(c3d_backend *self, const c3d_plan *plan, int which,
                                   const float *physical, float *canonical);
c3d_status c3d_onednn_forward(c3d_backend *self, c3d_plan *plan, const c3d_params *params,
                              const c3d_pass *pass);
c3d_status c3d_onednn_backward(c3d_backend *self, c3d_plan *plan, const c3d_params *params,
                               float *const *param_grads, const c3d_pass *pass);
/* OpenMP's setting belongs to a thread and a plan is made for one number of threads: every entry
 * that computes sets it. */
void c3d_onednn_use_threads(const onednn *o);

#endif
