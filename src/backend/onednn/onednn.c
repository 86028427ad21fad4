#include "backend/onednn/onednn.h"

#include <omp.h>
#include <stdio.h>

void c3d_onednn_use_threads(const onednn *o)
{
    omp_set_dynamic(0);
    omp_set_num_threads(o->n_threads);
}

/* As the library sees the processor: its environment variables can narrow that. */
static bool has_bf16(void)
{
    const unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();

    return (isa & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
}

static c3d_status check_precision(c3d_precision precision)
{
    if (precision != C3D_PRECISION_FP32 && precision != C3D_PRECISION_BF16)
        return C3D_FAIL(C3D_EUNSUPPORTED, "model.precision %s: not on the CPU; use fp32 or bf16",
                        c3d_precision_name(precision));
    if (precision == C3D_PRECISION_BF16 && !has_bf16())
        return C3D_FAIL(C3D_EUNSUPPORTED, "model.precision bf16: this processor has neither "
                                          "avx512_bf16 nor amx; use fp32");
    return C3D_OK;
}

static c3d_status onednn_open(c3d_backend *self)
{
    const dnnl_version_t *library = dnnl_version();
    const int n_threads = self->options.n_threads;
    onednn *o;

    C3D_TRY(check_precision(self->options.precision));
    o = c3d_calloc(1, sizeof *o);
    if (!o) return C3D_ENOMEM;
    o->backend = self;
    self->state = o;
    if (library->major != DNNL_VERSION_MAJOR)
        return C3D_FAIL(C3D_EUNSUPPORTED, "oneDNN %d.%d.%d: this program was built for %d.%d",
                        library->major, library->minor, library->patch, DNNL_VERSION_MAJOR,
                        DNNL_VERSION_MINOR);
    o->type = self->options.precision == C3D_PRECISION_BF16 ? dnnl_bf16 : dnnl_f32;
    o->n_threads = n_threads > 0 ? n_threads : omp_get_max_threads();
    /* The library waits for as many threads as it was planned for: promise no more than will come.
     */
    if (o->n_threads > omp_get_thread_limit()) o->n_threads = omp_get_thread_limit();
    c3d_onednn_use_threads(o);
    C3D_DNNL(dnnl_engine_create(&o->engine, dnnl_cpu, 0));
    C3D_DNNL(dnnl_stream_create(&o->stream, o->engine, dnnl_stream_default_flags));
    return C3D_OK;
}

static void onednn_close(c3d_backend *self)
{
    onednn *o = onednn_of(self);

    if (!o) return;
    if (o->stream) dnnl_stream_destroy(o->stream);
    if (o->engine) dnnl_engine_destroy(o->engine);
    for (int i = 0; i < SLOTS; i++) c3d_host_free(self, o->slots[i].data);
    free(o);
    self->state = NULL;
}

static c3d_status onednn_sync(c3d_backend *self)
{
    C3D_DNNL(dnnl_stream_wait(onednn_of(self)->stream));
    return C3D_OK;
}

static const char *onednn_describe(c3d_backend *self, char out[256])
{
    const dnnl_version_t *v = dnnl_version();
    const int n = onednn_of(self)->n_threads;
    const char *precision = onednn_of(self)->type == dnnl_bf16 ? "bf16, " : "";

    snprintf(out, 256, "oneDNN %d.%d.%d, %s, %s%d %s", v->major, v->minor, v->patch,
             dnnl_cpu_isa2str(dnnl_get_effective_cpu_isa()), precision, n,
             n == 1 ? "thread" : "threads");
    return out;
}

/* Linear outputs are plain, so logits are read as they lie. */
static c3d_status onednn_loss(c3d_backend *self, c3d_activation *logits, const c3d_loss *loss)
{
    const c3d_shape s = logits->shape;

    C3D_TRY(onednn_sync(self));
    if (logits->n != c3d_shape_count(s) || logits->type != dnnl_f32)
        return C3D_FAIL(C3D_EINVAL, "loss: the logits are not the output of a linear layer");
    return c3d_host_loss(logits->value, logits->grad, s.n, (int)c3d_shape_sample_count(s), loss);
}

static c3d_status onednn_adam(c3d_backend *self, const c3d_adam *adam,
                              const c3d_adam_arrays *arrays)
{
    c3d_onednn_use_threads(onednn_of(self));
    return c3d_host_adam(self, adam, arrays);
}

static c3d_status onednn_to_low(c3d_backend *self, size_t n, const float *from, uint16_t *to)
{
    c3d_onednn_use_threads(onednn_of(self));
    return c3d_host_to_low(self, n, from, to);
}

static c3d_status onednn_add(c3d_backend *self, size_t n, const float *from, float *to)
{
    c3d_onednn_use_threads(onednn_of(self));
    return c3d_host_add(self, n, from, to);
}

static c3d_status onednn_sum_squares(c3d_backend *self, const float *x, size_t n, double *out)
{
    c3d_onednn_use_threads(onednn_of(self));
    return c3d_host_sum_squares(self, x, n, out);
}

const c3d_backend_ops c3d_backend_onednn = {
    .name = "onednn",
    .host_memory = true,
    .open = onednn_open,
    .close = onednn_close,
    .sync = onednn_sync,
    .describe = onednn_describe,
    .alloc = c3d_host_alloc,
    .free = c3d_host_free,
    .upload = c3d_host_upload,
    .download = c3d_host_download,
    .read = c3d_host_download,
    .zero = c3d_host_zero,
    .pin = c3d_host_pin,
    .unpin = c3d_host_unpin,
    .mark = c3d_host_mark,
    .reached = c3d_host_reached,
    .input_create = c3d_onednn_input_create,
    .activation_free = c3d_onednn_activation_free,
    .input_load = c3d_onednn_input_load,
    .activation_read = c3d_onednn_activation_read,
    .activation_write = c3d_onednn_activation_write,
    .plan = c3d_onednn_plan,
    .plan_free = c3d_onednn_plan_free,
    .param_import = c3d_onednn_param_import,
    .param_export = c3d_onednn_param_export,
    .forward = c3d_onednn_forward,
    .backward = c3d_onednn_backward,
    .stats_read = c3d_onednn_stats_read,
    .loss = onednn_loss,
    .adam = onednn_adam,
    .to_low = onednn_to_low,
    .add = onednn_add,
    .sum_squares = onednn_sum_squares,
    .sum_doubles = c3d_host_sum_doubles,
};
