#include "backend/check/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every entry of the table has its checked twin below. */
_Static_assert(sizeof(c3d_backend_ops) == sizeof(char *) + sizeof(void *) * 33,
               "an entry came: check must wrap it");

static c3d_status check_open(c3d_backend *self)
{
    return C3D_FAIL(C3D_EINVAL, "backend %s: opened by c3d_backend_check_open", self->ops->name);
}

static void check_close(c3d_backend *self)
{
    check *k = check_of(self);

    if (!k) return;
    if (k->inner.state && c3d_check_memory(k) != C3D_OK)
        c3d_log_warn("%s", c3d_error_last()->message);
    for (size_t i = 0; i < k->n_things; i++)
        if (k->things[i].kind == THING_BUFFER && k->things[i].freed)
            k->inner.ops->free(&k->inner, k->things[i].address);
    if (k->inner.ops) c3d_backend_close(&k->inner);
    free(k->things);
    free(k);
    self->state = NULL;
}

static c3d_status check_sync(c3d_backend *self)
{
    check *k = check_of(self);

    C3D_TRY(k->inner.ops->sync(&k->inner));
    return c3d_check_memory(k);
}

static const char *check_describe(c3d_backend *self, char out[256])
{
    check *k = check_of(self);
    char inner[256];

    (void)snprintf(out, 256, "check around %.200s", k->inner.ops->describe(&k->inner, inner));
    return out;
}

static c3d_status check_upload(c3d_backend *self, void *to, const void *from_host, size_t n_bytes)
{
    check *k = check_of(self);

    C3D_TRY(c3d_check_range(k, to, n_bytes, "the target of an upload"));
    return k->inner.ops->upload(&k->inner, to, from_host, n_bytes);
}

static c3d_status check_download(c3d_backend *self, void *to_host, const void *from, size_t n_bytes)
{
    check *k = check_of(self);

    C3D_TRY(c3d_check_range(k, from, n_bytes, "the source of a download"));
    return k->inner.ops->download(&k->inner, to_host, from, n_bytes);
}

static c3d_status check_read(c3d_backend *self, void *to_host, const void *from, size_t n_bytes)
{
    check *k = check_of(self);

    C3D_TRY(c3d_check_range(k, from, n_bytes, "the source of a read"));
    return k->inner.ops->read(&k->inner, to_host, from, n_bytes);
}

static c3d_status check_zero(c3d_backend *self, void *buffer, size_t n_bytes)
{
    check *k = check_of(self);

    C3D_TRY(c3d_check_range(k, buffer, n_bytes, "a buffer to be zeroed"));
    return k->inner.ops->zero(&k->inner, buffer, n_bytes);
}

static c3d_status check_pin(c3d_backend *self, void *memory, size_t n_bytes)
{
    check *k = check_of(self);

    return k->inner.ops->pin(&k->inner, memory, n_bytes);
}

static void check_unpin(c3d_backend *self, void *memory)
{
    check *k = check_of(self);

    k->inner.ops->unpin(&k->inner, memory);
}

static c3d_status check_mark(c3d_backend *self, int mark)
{
    check *k = check_of(self);

    return k->inner.ops->mark(&k->inner, mark);
}

static c3d_status check_reached(c3d_backend *self, int mark, bool *out)
{
    check *k = check_of(self);

    return k->inner.ops->reached(&k->inner, mark, out);
}

/* ---- activations ----------------------------------------------------------------------------- */

static c3d_status check_input_create(c3d_backend *self, c3d_shape shape, c3d_activation **out)
{
    check *k = check_of(self);

    C3D_TRY(k->inner.ops->input_create(&k->inner, shape, out));
    self->n_bytes = k->inner.n_bytes;
    return c3d_check_add(
        k, &(thing){ .kind = THING_ACTIVATION, .address = (char *)*out, .shape = shape });
}

/* Marks as freed what the inner backend is about to free. */
static void forget(check *k, thing_kind kind, const void *address)
{
    thing *t = c3d_check_find(k, kind, address);

    if (t && !t->freed)
        t->freed = true;
    else
        c3d_log_warn("check: something is freed %s", t ? "twice" : "that was never given");
}

static void check_activation_free(c3d_backend *self, c3d_activation *activation)
{
    check *k = check_of(self);

    if (!activation) return;
    forget(k, THING_ACTIVATION, activation);
    k->inner.ops->activation_free(&k->inner, activation);
    self->n_bytes = k->inner.n_bytes;
}

static c3d_status check_activation_read(c3d_backend *self, c3d_activation *x, bool grad,
                                        float *to_host)
{
    check *k = check_of(self);

    C3D_TRY(c3d_check_live(k, THING_ACTIVATION, x, "an activation"));
    return k->inner.ops->activation_read(&k->inner, x, grad, to_host);
}

static c3d_status check_activation_write(c3d_backend *self, c3d_activation *x, bool grad,
                                         const float *from_host)
{
    check *k = check_of(self);

    C3D_TRY(c3d_check_live(k, THING_ACTIVATION, x, "an activation"));
    return k->inner.ops->activation_write(&k->inner, x, grad, from_host);
}

/* ---- plans ----------------------------------------------------------------------------------- */

/* The plan says what the description asks for. */
static c3d_status check_described(const c3d_plan *plan, const c3d_op_desc *desc,
                                  const c3d_activation *x, c3d_shape x_shape)
{
    c3d_plan expected = { 0 };
    bool is_right;

    C3D_TRY(c3d_plan_describe(&expected, desc, x_shape));
    is_right = plan->x == x && plan->y && c3d_shape_is_equal(plan->x_shape, x_shape) &&
               c3d_shape_is_equal(plan->y_shape, expected.y_shape) &&
               plan->n_params == expected.n_params;
    for (int i = 0; i < expected.n_params; i++)
        is_right = is_right && plan->param_n[i] == expected.param_n[i] &&
                   plan->param_n_physical[i] >= plan->param_n[i] &&
                   plan->param_n_physical[i] % 16 == 0;
    if (is_right) return C3D_OK;
    return C3D_FAIL(C3D_EINTERNAL, "check: a plan's shapes are not those of its description");
}

static c3d_status check_plan(c3d_backend *self, const c3d_op_desc *desc, c3d_activation *x,
                             c3d_plan **out)
{
    check *k = check_of(self);

    C3D_TRY(c3d_check_live(k, THING_ACTIVATION, x, "the input of a new plan"));
    const c3d_shape x_shape = c3d_check_find(k, THING_ACTIVATION, x)->shape;
    C3D_TRY(k->inner.ops->plan(&k->inner, desc, x, out));
    self->n_bytes = k->inner.n_bytes;
    C3D_TRY(c3d_check_add(k, &(thing){ .kind = THING_PLAN, .address = (char *)*out }));
    C3D_TRY(c3d_check_add(k, &(thing){ .kind = THING_ACTIVATION,
                                       .address = (char *)(*out)->y,
                                       .shape = (*out)->y_shape }));
    return check_described(*out, desc, x, x_shape);
}

static void check_plan_free(c3d_backend *self, c3d_plan *plan)
{
    check *k = check_of(self);

    if (!plan) return;
    forget(k, THING_PLAN, plan);
    if (plan->y) forget(k, THING_ACTIVATION, plan->y);
    k->inner.ops->plan_free(&k->inner, plan);
    self->n_bytes = k->inner.n_bytes;
}

static c3d_status check_param_import(c3d_backend *self, const c3d_plan *plan, int which,
                                     const float *canonical, float *physical)
{
    check *k = check_of(self);

    C3D_TRY(c3d_check_live(k, THING_PLAN, plan, "a plan"));
    C3D_TRY(c3d_check_range(k, physical, plan->param_n_physical[which] * sizeof(float),
                            "a parameter to import"));
    return k->inner.ops->param_import(&k->inner, plan, which, canonical, physical);
}

static c3d_status check_param_export(c3d_backend *self, const c3d_plan *plan, int which,
                                     const float *physical, float *canonical)
{
    check *k = check_of(self);

    C3D_TRY(c3d_check_live(k, THING_PLAN, plan, "a plan"));
    C3D_TRY(c3d_check_range(k, physical, plan->param_n_physical[which] * sizeof(float),
                            "a parameter to export"));
    return k->inner.ops->param_export(&k->inner, plan, which, physical, canonical);
}

/* ---- updates --------------------------------------------------------------------------------- */

static c3d_status check_adam(c3d_backend *self, const c3d_adam *adam, const c3d_adam_arrays *a)
{
    check *k = check_of(self);
    const size_t n_bytes = a->n * sizeof(float);

    C3D_TRY(c3d_check_range(k, a->grad, n_bytes, "Adam's gradient"));
    C3D_TRY(c3d_check_range(k, a->m, n_bytes, "Adam's first moment"));
    C3D_TRY(c3d_check_range(k, a->v, n_bytes, "Adam's second moment"));
    C3D_TRY(c3d_check_range(k, a->param, n_bytes, "Adam's parameters"));
    if (adam->squares)
        C3D_TRY(c3d_check_range(k, adam->squares, sizeof *adam->squares, "Adam's sum of squares"));
    if (a->low) C3D_TRY(c3d_check_range(k, a->low, n_bytes / 2, "Adam's 16-bit parameters"));
    return k->inner.ops->adam(&k->inner, adam, a);
}

static c3d_status check_to_low(c3d_backend *self, size_t n, const float *from, uint16_t *to)
{
    check *k = check_of(self);

    C3D_TRY(c3d_check_range(k, from, n * sizeof *from, "parameters to round"));
    C3D_TRY(c3d_check_range(k, to, n * sizeof *to, "16-bit parameters"));
    return k->inner.ops->to_low(&k->inner, n, from, to);
}

static c3d_status check_add(c3d_backend *self, size_t n, const float *from, float *to)
{
    check *k = check_of(self);

    C3D_TRY(c3d_check_range(k, from, n * sizeof *from, "numbers to add"));
    C3D_TRY(c3d_check_range(k, to, n * sizeof *to, "numbers that are added to"));
    return k->inner.ops->add(&k->inner, n, from, to);
}

static c3d_status check_sum_squares(c3d_backend *self, const float *x, size_t n, double *out)
{
    check *k = check_of(self);

    C3D_TRY(c3d_check_range(k, x, n * sizeof *x, "the terms of a sum"));
    C3D_TRY(c3d_check_range(k, out, sizeof *out, "the place of a sum"));
    return k->inner.ops->sum_squares(&k->inner, x, n, out);
}

static c3d_status check_sum_doubles(c3d_backend *self, const double *x, size_t n, double *out)
{
    check *k = check_of(self);

    C3D_TRY(c3d_check_range(k, x, n * sizeof *x, "the terms of a sum"));
    C3D_TRY(c3d_check_range(k, out, sizeof *out, "the place of a sum"));
    return k->inner.ops->sum_doubles(&k->inner, x, n, out);
}

static const c3d_backend_ops table = {
    .name = "check",
    .host_memory = true,
    .open = check_open,
    .close = check_close,
    .sync = check_sync,
    .describe = check_describe,
    .alloc = c3d_check_alloc,
    .free = c3d_check_free,
    .upload = check_upload,
    .download = check_download,
    .read = check_read,
    .zero = check_zero,
    .pin = check_pin,
    .unpin = check_unpin,
    .mark = check_mark,
    .reached = check_reached,
    .input_create = check_input_create,
    .activation_free = check_activation_free,
    .input_load = c3d_check_input_load,
    .activation_read = check_activation_read,
    .activation_write = check_activation_write,
    .plan = check_plan,
    .plan_free = check_plan_free,
    .param_import = check_param_import,
    .param_export = check_param_export,
    .forward = c3d_check_forward,
    .backward = c3d_check_backward,
    .stats_read = c3d_check_stats_read,
    .loss = c3d_check_loss,
    .adam = check_adam,
    .to_low = check_to_low,
    .add = check_add,
    .sum_squares = check_sum_squares,
    .sum_doubles = check_sum_doubles,
};

c3d_status c3d_backend_check_open(c3d_backend *backend, const c3d_backend_ops *inner,
                                  const c3d_backend_options *options)
{
    check *k = c3d_calloc(1, sizeof *k);

    *backend = (c3d_backend){ .ops = &table, .options = *options, .state = k };
    if (!k) return C3D_ENOMEM;
    k->ops = table;
    k->ops.host_memory = inner->host_memory;
    (void)snprintf(k->name, sizeof k->name, "check:%s", inner->name);
    k->ops.name = k->name;
    backend->ops = &k->ops;
    k->inner = (c3d_backend){ .ops = inner, .options = *options };
    k->inner.options.deterministic = true; /* passes are run twice and compared */
    c3d_status st = inner->open(&k->inner);
    backend->options.device_index = k->inner.options.device_index;
    backend->n_bytes = k->inner.n_bytes;
    backend->n_free = k->inner.n_free;
    backend->queue = k->inner.queue;
    if (st != C3D_OK) c3d_backend_close(backend);
    return st;
}
