/* Row after row of numbers: x [N, F], w [K, F], y [N, K]. The library counts down columns, so to it
 * all of them are transposed: y' [K, N] = w x', dx' [F, N] = w' dy', dw' [F, K] = x' dy. */
#include "backend/cuda/cuda.h"

#include <limits.h>

/* What the library may take of the device for one product, as it recommends for its newest. */
#define WORKSPACE_BYTES ((uint64_t)32 << 20)

/* Of all pointers: arenas keep parameters on boundaries of 16 elements, of 2 bytes at least. */
#define ALIGNMENT 32

/* d [m, n] = a [m, k] b [k, n], columns one after the other; a and b may lie transposed. */
typedef struct product {
    int m, n, k;
    bool a_transposed, b_transposed;
    c3d_cuda_type from, to; /* of a and b, of d */
    bool tf32;              /* allowed */
    cublasLtEpilogue_t epilogue;
} product;

/* ---- one product ----------------------------------------------------------------------------- */

static cudaDataType_t data_type(c3d_cuda_type type)
{
    return type == C3D_CUDA_F32 ? CUDA_R_32F : type == C3D_CUDA_BF16 ? CUDA_R_16BF : CUDA_R_16F;
}

static c3d_status describe_desc(const product *p, cuda_gemm *g)
{
    const cublasComputeType_t type = p->tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
    const cublasOperation_t turned = CUBLAS_OP_T;
    /* the choice of an algorithm looks at the address alone, for the alignment of all to come */
    const void *const any_bias = (const void *)(uintptr_t)ALIGNMENT;

    C3D_CUBLAS(cublasLtMatmulDescCreate(&g->desc, type, CUDA_R_32F));
    if (p->a_transposed)
        C3D_CUBLAS(cublasLtMatmulDescSetAttribute(g->desc, CUBLASLT_MATMUL_DESC_TRANSA, &turned,
                                                  sizeof turned));
    if (p->b_transposed)
        C3D_CUBLAS(cublasLtMatmulDescSetAttribute(g->desc, CUBLASLT_MATMUL_DESC_TRANSB, &turned,
                                                  sizeof turned));
    C3D_CUBLAS(cublasLtMatmulDescSetAttribute(g->desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &p->epilogue,
                                              sizeof p->epilogue));
    if (p->epilogue != CUBLASLT_EPILOGUE_DEFAULT)
        C3D_CUBLAS(cublasLtMatmulDescSetAttribute(g->desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                                  &any_bias, sizeof any_bias));
    return C3D_OK;
}

static c3d_status describe_layout(c3d_cuda_type type, int rows, int columns, bool transposed,
                                  cublasLtMatrixLayout_t *out)
{
    const int down = transposed ? columns : rows, across = transposed ? rows : columns;

    C3D_CUBLAS(
        cublasLtMatrixLayoutCreate(out, data_type(type), (uint64_t)down, (uint64_t)across, down));
    return C3D_OK;
}

/* A sum in parts is one in float32, and repeatable, where the parts are added from the workspace,
 * in order; the other ways round them to the type of the result. */
static c3d_status set_preference(cublasLtMatmulPreference_t preference)
{
    static const cublasLtMatmulPreferenceAttributes_t alignments[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES
    };
    const uint32_t n_aligned = ALIGNMENT, schemes = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    const uint64_t n_workspace = WORKSPACE_BYTES;

    C3D_CUBLAS(cublasLtMatmulPreferenceSetAttribute(
        preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &n_workspace, sizeof n_workspace));
    for (size_t i = 0; i < C3D_COUNT(alignments); i++)
        C3D_CUBLAS(cublasLtMatmulPreferenceSetAttribute(preference, alignments[i], &n_aligned,
                                                        sizeof n_aligned));
    C3D_CUBLAS(cublasLtMatmulPreferenceSetAttribute(
        preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes, sizeof schemes));
    return C3D_OK;
}

/* found_out: false when the library has nothing for this product. */
static c3d_status choose(const cuda *c, cuda_gemm *g, bool *found_out)
{
    cublasLtMatmulPreference_t preference;
    cublasLtMatmulHeuristicResult_t best = { .state = CUBLAS_STATUS_NOT_SUPPORTED };
    cublasStatus_t asked = CUBLAS_STATUS_NOT_SUPPORTED;
    int n = 0;

    C3D_CUBLAS(cublasLtMatmulPreferenceCreate(&preference));
    const c3d_status st = set_preference(preference);
    if (st == C3D_OK)
        asked = cublasLtMatmulAlgoGetHeuristic(c->blas, g->desc, g->a, g->b, g->d, g->d, preference,
                                               1, &best, &n);
    (void)cublasLtMatmulPreferenceDestroy(preference);
    C3D_TRY(st);
    *found_out = asked == CUBLAS_STATUS_SUCCESS && n > 0 && best.state == CUBLAS_STATUS_SUCCESS;
    g->algo = best.algo;
    g->n_workspace = best.workspaceSize;
    return C3D_OK;
}

static void gemm_free(cuda_gemm *g)
{
    if (g->d) (void)cublasLtMatrixLayoutDestroy(g->d);
    if (g->b) (void)cublasLtMatrixLayoutDestroy(g->b);
    if (g->a) (void)cublasLtMatrixLayoutDestroy(g->a);
    if (g->desc) (void)cublasLtMatmulDescDestroy(g->desc);
    *g = (cuda_gemm){ 0 };
}

/* What was made before a failure is freed with the plan. */
static c3d_status gemm_plan(cuda *c, const product *p, cuda_gemm *g, bool *found_out)
{
    C3D_TRY(describe_desc(p, g));
    C3D_TRY(describe_layout(p->from, p->m, p->k, p->a_transposed, &g->a));
    C3D_TRY(describe_layout(p->from, p->k, p->n, p->b_transposed, &g->b));
    C3D_TRY(describe_layout(p->to, p->m, p->n, false, &g->d));
    C3D_TRY(choose(c, g, found_out));
    return *found_out ? c3d_cuda_slot_grow(c, SLOT_LIBRARY, g->n_workspace) : C3D_OK;
}

static c3d_status gemm_plan_or_fail(cuda *c, const product *p, cuda_gemm *g)
{
    bool found = false;

    C3D_TRY(gemm_plan(c, p, g, &found));
    if (found) return C3D_OK;
    return C3D_FAIL(C3D_EUNSUPPORTED, "cuBLASLt: no algorithm for a product of %d x %d x %d", p->m,
                    p->n, p->k);
}

static c3d_status gemm_run(cuda *c, const cuda_gemm *g, const void *a, const void *b, void *d,
                           bool accumulate)
{
    const float one = 1, beta = accumulate ? 1 : 0;

    c3d_cuda_note("a linear layer");
    C3D_CUBLAS(cublasLtMatmul(c->blas, g->desc, &one, a, g->a, b, g->b, &beta, d, g->d, d, g->d,
                              &g->algo, c->slots[SLOT_LIBRARY].data, g->n_workspace, c->stream));
    return C3D_OK;
}

/* ---- planning -------------------------------------------------------------------------------- */

/* Logits are computed in float32 in every precision. */
static bool allows_tf32(const cuda *c, const cuda_plan *plan)
{
    return c->backend->options.precision == C3D_PRECISION_TF32 && plan->base.desc.relu;
}

static int n_inputs(const cuda_plan *plan)
{
    return (int)(plan->base.x->n / (size_t)plan->base.x_shape.n);
}

/* With bias, and ReLU, in the same call; or else by a kernel behind it. */
static c3d_status plan_forward(cuda *c, cuda_plan *plan)
{
    const c3d_plan *p = &plan->base;
    product forward = { .m = p->y->n_lanes,
                        .n = p->x_shape.n,
                        .k = n_inputs(plan),
                        .a_transposed = true,
                        .from = plan->type,
                        .to = plan->type,
                        .tf32 = allows_tf32(c, plan),
                        .epilogue =
                            p->desc.relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS };

    C3D_TRY(gemm_plan(c, &forward, &plan->forward, &plan->adds_bias));
    if (plan->adds_bias) return C3D_OK;
    gemm_free(&plan->forward);
    forward.epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    return gemm_plan_or_fail(c, &forward, &plan->forward);
}

static c3d_status plan_backward(cuda *c, cuda_plan *plan)
{
    const c3d_plan *p = &plan->base;
    const product for_x = { .m = n_inputs(plan),
                            .n = p->x_shape.n,
                            .k = p->y->n_lanes,
                            .from = plan->type,
                            .to = plan->type,
                            .tf32 = allows_tf32(c, plan),
                            .epilogue = CUBLASLT_EPILOGUE_DEFAULT };
    const product for_w = { .m = n_inputs(plan),
                            .n = p->y->n_lanes,
                            .k = p->x_shape.n,
                            .b_transposed = true,
                            .from = plan->type,
                            .to = C3D_CUDA_F32,
                            .tf32 = allows_tf32(c, plan),
                            .epilogue = CUBLASLT_EPILOGUE_DEFAULT };
    const size_t n_floats = c3d_cuda_channel_floats(c3d_cuda_rows(p->y), p->y->n_lanes);

    C3D_TRY(c3d_cuda_slot_grow(c, SLOT_PARTIALS, n_floats * sizeof(float)));
    if (p->desc.needs_x_grad) C3D_TRY(gemm_plan_or_fail(c, &for_x, &plan->backward_x));
    return gemm_plan_or_fail(c, &for_w, &plan->backward_w);
}

/* Losses and scores of what may be logits, and labels and weights of their rows. */
static c3d_status plan_loss(cuda *c, const c3d_plan *p)
{
    const size_t n = (size_t)p->y_shape.n, n_outputs = (size_t)p->y_shape.c;

    C3D_TRY(c3d_cuda_slot_grow(c, SLOT_RESULTS, n * (1 + n_outputs) * sizeof(float)));
    return c3d_cuda_parcel_grow(c, n * (sizeof(int32_t) + sizeof(float)) + 2 * (size_t)64);
}

c3d_status c3d_cuda_linear_plan(cuda *c, cuda_plan *plan)
{
    c3d_plan *p = &plan->base;
    const size_t n = p->x->n / (size_t)p->x_shape.n;

    if (n > INT_MAX) return C3D_FAIL(C3D_EINVAL, "linear: %zu inputs, at most %d", n, INT_MAX);
    if (!p->desc.relu) plan->type = C3D_CUDA_F32;
    C3D_TRY(c3d_cuda_plan_outputs(c, plan, plan->type));
    if (p->desc.no_bias)
        C3D_TRY(c3d_cuda_alloc(c->backend, (size_t)p->y->n_lanes * sizeof(float), &plan->no_bias));
    if (p->x->type != plan->type)
        C3D_TRY(c3d_cuda_slot_grow(c, SLOT_X, p->x->n * c3d_cuda_size(plan->type)));
    if (!p->desc.relu) C3D_TRY(plan_loss(c, p));
    C3D_TRY(plan_forward(c, plan));
    return p->desc.training ? plan_backward(c, plan) : C3D_OK;
}

void c3d_cuda_linear_free(cuda_plan *plan)
{
    gemm_free(&plan->forward);
    gemm_free(&plan->backward_x);
    gemm_free(&plan->backward_w);
}

/* ---- passes ---------------------------------------------------------------------------------- */

/* The input in the type that the layer computes in. */
static c3d_status bring_x(cuda *c, const cuda_plan *plan, const void **out)
{
    const c3d_activation *x = plan->base.x;

    *out = x->type == plan->type ? x->value : c->slots[SLOT_X].data;
    if (x->type == plan->type) return C3D_OK;
    return c3d_cuda_convert(c, x->n, x->value, x->type, c->slots[SLOT_X].data, plan->type);
}

c3d_status c3d_cuda_linear_forward(cuda *c, cuda_plan *plan, const c3d_params *params)
{
    const c3d_plan *p = &plan->base;
    const float *b_f32 = p->desc.no_bias ? plan->no_bias : params->value[1];
    const void *x, *w, *b;

    C3D_TRY(c3d_cuda_weights(plan, params, &w, &b));
    C3D_TRY(bring_x(c, plan, &x));
    if (plan->adds_bias)
        C3D_CUBLAS(cublasLtMatmulDescSetAttribute(plan->forward.desc,
                                                  CUBLASLT_MATMUL_DESC_BIAS_POINTER, &b, sizeof b));
    C3D_TRY(gemm_run(c, &plan->forward, w, x, p->y->value, false));
    if (!plan->adds_bias)
        C3D_CUDA(c3d_cuda_bias_relu(c->stream, c3d_cuda_rows(p->y), p->y->n_lanes, plan->type,
                                    p->y->value, b_f32, p->desc.relu));
    return C3D_OK;
}

static c3d_status backward_x(cuda *c, const cuda_plan *plan, const void *w)
{
    const c3d_plan *p = &plan->base;
    const bool is_converted = p->x->type != plan->type;
    void *dx = is_converted ? c->slots[SLOT_X].data : p->x->grad;

    C3D_TRY(gemm_run(c, &plan->backward_x, w, p->y->grad, dx, false));
    c3d_cuda_set_grad(p->x, false);
    if (!is_converted) return C3D_OK;
    return c3d_cuda_convert(c, p->x->n, dx, plan->type, p->x->grad, p->x->type);
}

c3d_status c3d_cuda_linear_backward(cuda *c, cuda_plan *plan, const c3d_params *params,
                                    float *const *param_grads, bool accumulate)
{
    const c3d_plan *p = &plan->base;
    const void *x, *w, *b;

    C3D_TRY(c3d_cuda_weights(plan, params, &w, &b));
    C3D_TRY(c3d_cuda_relu_bias(c, plan, p->desc.no_bias ? NULL : param_grads[1], accumulate));
    C3D_TRY(bring_x(c, plan, &x));
    C3D_TRY(gemm_run(c, &plan->backward_w, x, p->y->grad, param_grads[0], accumulate));
    return p->desc.needs_x_grad ? backward_x(c, plan, w) : C3D_OK;
}
