// cuBLASLt's matrix product with epilogues: D = epilogue(alpha op(A) op(B) + beta C).
//
// Products and sums in double, the result rounded to float, the epilogue in float, stored once.
#include "device.h"
#include "numbers.h"

#include <cublasLt.h>
#include <vector>

struct cublasLtContext;

namespace cuda_host
{

struct matmul {
    int32_t compute, scale, pointer_mode, transpose_a, transpose_b, transpose_c, bias_type;
    uint32_t epilogue;
    void *bias, *aux;
    int64_t aux_ld;
    int32_t sm_count;
};

struct layout {
    int32_t type, order;
    uint64_t rows, cols;
    int64_t ld, batch_stride;
    int32_t batch_count;
};

struct preference {
    uint32_t search, schemes;
    uint64_t n_workspace;
    uint32_t alignment[4];
};

struct algorithm {
    uint64_t magic;
    int32_t id;
    uint64_t n_workspace;
    uint32_t alignment[5]; // that it was promised of A, B, C, D and the bias
};

constexpr uint64_t algorithm_magic = 0x616c676f;
static_assert(sizeof(matmul) <= sizeof(cublasLtMatmulDescOpaque_t));
static_assert(sizeof(layout) <= sizeof(cublasLtMatrixLayoutOpaque_t));
static_assert(sizeof(preference) <= sizeof(cublasLtMatmulPreferenceOpaque_t));
static_assert(sizeof(algorithm) <= sizeof(cublasLtMatmulAlgo_t));

template <typename To, typename From> static To &view(From *opaque)
{
    return *reinterpret_cast<To *>(opaque);
}

struct field {
    int name;
    void *at;
    size_t size;
};

static cublasStatus_t set_field(std::initializer_list<field> fields, int name, const void *from,
                                size_t size)
{
    for (const field &f : fields) {
        if (f.name != name) continue;
        if (!from || size != f.size) return CUBLAS_STATUS_INVALID_VALUE;
        memcpy(f.at, from, size);
        return CUBLAS_STATUS_SUCCESS;
    }
    fatal("cuBLASLt: attribute %d is not known here", name);
}

static cublasStatus_t get_field(std::initializer_list<field> fields, int name, void *to,
                                size_t size, size_t *written)
{
    for (const field &f : fields) {
        if (f.name != name) continue;
        if (written) *written = f.size;
        if (size == 0) return written ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
        if (!to || size != f.size) return CUBLAS_STATUS_INVALID_VALUE;
        memcpy(to, f.at, size);
        return CUBLAS_STATUS_SUCCESS;
    }
    fatal("cuBLASLt: attribute %d is not known here", name);
}

#define MATMUL_FIELDS(m)                                                                           \
    {                                                                                              \
        { CUBLASLT_MATMUL_DESC_COMPUTE_TYPE, &(m).compute, 4 },                                    \
            { CUBLASLT_MATMUL_DESC_SCALE_TYPE, &(m).scale, 4 },                                    \
            { CUBLASLT_MATMUL_DESC_POINTER_MODE, &(m).pointer_mode, 4 },                           \
            { CUBLASLT_MATMUL_DESC_TRANSA, &(m).transpose_a, 4 },                                  \
            { CUBLASLT_MATMUL_DESC_TRANSB, &(m).transpose_b, 4 },                                  \
            { CUBLASLT_MATMUL_DESC_TRANSC, &(m).transpose_c, 4 },                                  \
            { CUBLASLT_MATMUL_DESC_EPILOGUE, &(m).epilogue, 4 },                                   \
            { CUBLASLT_MATMUL_DESC_BIAS_POINTER, &(m).bias, 8 },                                   \
            { CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &(m).bias_type, 4 },                            \
            { CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, &(m).aux, 8 },                            \
            { CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, &(m).aux_ld, 8 },                              \
            { CUBLASLT_MATMUL_DESC_SM_COUNT_TARGET, &(m).sm_count, 4 },                            \
    }

#define LAYOUT_FIELDS(l)                                                                           \
    {                                                                                              \
        { CUBLASLT_MATRIX_LAYOUT_TYPE, &(l).type, 4 },                                             \
            { CUBLASLT_MATRIX_LAYOUT_ORDER, &(l).order, 4 },                                       \
            { CUBLASLT_MATRIX_LAYOUT_ROWS, &(l).rows, 8 },                                         \
            { CUBLASLT_MATRIX_LAYOUT_COLS, &(l).cols, 8 },                                         \
            { CUBLASLT_MATRIX_LAYOUT_LD, &(l).ld, 8 },                                             \
            { CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &(l).batch_count, 4 },                           \
            { CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &(l).batch_stride, 8 },                 \
    }

#define PREFERENCE_FIELDS(p)                                                                       \
    {                                                                                              \
        { CUBLASLT_MATMUL_PREF_SEARCH_MODE, &(p).search, 4 },                                      \
            { CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &(p).n_workspace, 8 },                     \
            { CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &(p).schemes, 4 },                       \
            { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &(p).alignment[0], 4 },                  \
            { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &(p).alignment[1], 4 },                  \
            { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &(p).alignment[2], 4 },                  \
            { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &(p).alignment[3], 4 },                  \
    }

static bool number_of(int32_t type, number *out)
{
    *out = type == CUDA_R_16BF ? number::bf16 : type == CUDA_R_16F ? number::f16 : number::f32;
    return type == CUDA_R_16BF || type == CUDA_R_16F || type == CUDA_R_32F;
}

static number type_of(int32_t type)
{
    number out;

    (void)number_of(type, &out);
    return out;
}

// ---- what is refused
// -----------------------------------------------------------------------------

static bool epilogue_has(const matmul &m, uint32_t what)
{
    return (m.epilogue & what) == what;
}

constexpr uint32_t aux_flag = 128, bias_flag = 4, bias_grad_flag = 16, drelu_flag = 8;

static bool wants_bias(const matmul &m)
{
    return epilogue_has(m, bias_flag) || epilogue_has(m, bias_grad_flag) ||
           m.epilogue == CUBLASLT_EPILOGUE_BGRADA || m.epilogue == CUBLASLT_EPILOGUE_BGRADB;
}

static bool known_epilogue(uint32_t e)
{
    switch (e) {
    case CUBLASLT_EPILOGUE_DEFAULT:
    case CUBLASLT_EPILOGUE_RELU:
    case CUBLASLT_EPILOGUE_RELU_AUX:
    case CUBLASLT_EPILOGUE_BIAS:
    case CUBLASLT_EPILOGUE_RELU_BIAS:
    case CUBLASLT_EPILOGUE_RELU_AUX_BIAS:
    case CUBLASLT_EPILOGUE_DRELU:
    case CUBLASLT_EPILOGUE_DRELU_BGRAD:
    case CUBLASLT_EPILOGUE_BGRADA:
    case CUBLASLT_EPILOGUE_BGRADB: return true;
    default: return false;
    }
}

struct problem {
    matmul m;
    layout a, b, c, d;
};

static bool fits(const layout &l)
{
    const uint64_t least = l.order == CUBLASLT_ORDER_ROW ? l.cols : l.rows;
    number unused;

    return number_of(l.type, &unused) && l.batch_count == 1 && l.rows > 0 && l.cols > 0 &&
           (l.order == CUBLASLT_ORDER_ROW || l.order == CUBLASLT_ORDER_COL) &&
           l.ld >= (int64_t)least;
}

static cublasStatus_t check_shapes(const problem &p)
{
    const bool ta = p.m.transpose_a != CUBLAS_OP_N, tb = p.m.transpose_b != CUBLAS_OP_N;
    const uint64_t m = ta ? p.a.cols : p.a.rows, k = ta ? p.a.rows : p.a.cols;
    const uint64_t k2 = tb ? p.b.cols : p.b.rows, n = tb ? p.b.rows : p.b.cols;

    if (!fits(p.a) || !fits(p.b) || !fits(p.c) || !fits(p.d)) return CUBLAS_STATUS_INVALID_VALUE;
    if (k != k2 || p.d.rows != m || p.d.cols != n) return CUBLAS_STATUS_INVALID_VALUE;
    if (p.c.rows != m || p.c.cols != n) return CUBLAS_STATUS_INVALID_VALUE;
    return p.m.transpose_c == CUBLAS_OP_N ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

static cublasStatus_t check_epilogue(const problem &p)
{
    const bool col = p.d.order == CUBLASLT_ORDER_COL;
    const size_t row_bytes = (size_t)p.d.ld * number_size(type_of(p.d.type));

    if (!known_epilogue(p.m.epilogue)) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (p.m.epilogue == CUBLASLT_EPILOGUE_DEFAULT) return CUBLAS_STATUS_SUCCESS;
    if (!col || row_bytes % 16 != 0) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (wants_bias(p.m)) {
        if ((uintptr_t)p.m.bias % 16 != 0) return CUBLAS_STATUS_NOT_SUPPORTED;
        if (p.m.bias_type != -1 && p.m.bias_type != p.d.type) return CUBLAS_STATUS_NOT_SUPPORTED;
    }
    if (epilogue_has(p.m, aux_flag)) {
        if (p.m.aux_ld < (int64_t)p.d.rows || p.m.aux_ld % 128 != 0)
            return CUBLAS_STATUS_INVALID_VALUE;
        if ((uintptr_t)p.m.aux % 16 != 0) return CUBLAS_STATUS_NOT_SUPPORTED;
    }
    return CUBLAS_STATUS_SUCCESS;
}

// Types as the table of cublasLtMatmul has them: A and B alike, C and D alike and of the same type
// or float32.
static cublasStatus_t check(const problem &p)
{
    const bool fast = p.m.compute == CUBLAS_COMPUTE_32F_FAST_TF32;

    if (p.m.compute != CUBLAS_COMPUTE_32F && p.m.compute != CUBLAS_COMPUTE_32F_PEDANTIC && !fast)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if (p.m.scale != CUDA_R_32F || p.a.type != p.b.type || p.c.type != p.d.type)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if (p.d.type != p.a.type && p.d.type != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (fast && p.a.type != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    const cublasStatus_t status = check_shapes(p);
    return status != CUBLAS_STATUS_SUCCESS ? status : check_epilogue(p);
}

// ---- what is computed
// ----------------------------------------------------------------------------

struct operands {
    float alpha, beta;
    const void *a, *b, *c;
    void *d;
};

static size_t place(const layout &l, uint64_t row, uint64_t col)
{
    return l.order == CUBLASLT_ORDER_ROW ? row * (uint64_t)l.ld + col : col * (uint64_t)l.ld + row;
}

static void need(const char *what, const layout &l, const void *at)
{
    const size_t n = (place(l, l.rows - 1, l.cols - 1) + 1) * number_size(type_of(l.type));

    if (!is_device(at, n))
        fatal("cuBLASLt: matrix %s of %zu bytes is not within one block of the device", what, n);
}

// op(X) as [rows of op(X)][columns] or turned, in double.
static std::vector<double> matrix(const layout &l, const void *from, bool transpose, bool turned,
                                  bool tf32)
{
    const uint64_t rows = transpose ? l.cols : l.rows, cols = transpose ? l.rows : l.cols;
    std::vector<double> out(rows * cols);

    for (uint64_t r = 0; r < rows; r++)
        for (uint64_t c = 0; c < cols; c++) {
            const size_t i = transpose ? place(l, c, r) : place(l, r, c);
            float value = number_load(type_of(l.type), from, i);
            if (tf32) value = number_tf32(value);
            out[turned ? c * rows + r : r * cols + c] = (double)value;
        }
    return out;
}

static bool mask_bit(const matmul &m, uint64_t row, uint64_t col)
{
    const uint64_t bit = col * (uint64_t)m.aux_ld + row;

    return (static_cast<const uint8_t *>(m.aux)[bit / 8] >> bit % 8 & 1) != 0;
}

static void set_mask_bit(const matmul &m, uint64_t row, uint64_t col, bool on)
{
    const uint64_t bit = col * (uint64_t)m.aux_ld + row;
    uint8_t *byte = static_cast<uint8_t *>(m.aux) + bit / 8;
    const auto flag = (uint8_t)(1 << bit % 8);

    *byte = (uint8_t)(on ? *byte | flag : *byte & ~flag);
}

static float finish(const problem &p, float value, uint64_t row, uint64_t col)
{
    const matmul &m = p.m;

    if (epilogue_has(m, bias_flag)) value += number_load(type_of(p.d.type), m.bias, row);
    if (epilogue_has(m, CUBLASLT_EPILOGUE_RELU) && m.epilogue < CUBLASLT_EPILOGUE_BGRADA) {
        const bool on = value > 0;
        if (epilogue_has(m, aux_flag)) set_mask_bit(m, row, col, on);
        if (!on) value = 0;
    }
    if (epilogue_has(m, drelu_flag) && !mask_bit(m, row, col)) value = 0;
    return value;
}

static void store_bias_gradient(const problem &p, const std::vector<double> &sums)
{
    for (size_t i = 0; i < sums.size(); i++)
        number_store(type_of(p.d.type), p.m.bias, i, (float)sums[i]);
}

static void bias_gradient_of_operand(const problem &p, const std::vector<double> &a,
                                     const std::vector<double> &b, uint64_t k)
{
    const uint64_t m = p.d.rows, n = p.d.cols;
    const bool of_a = p.m.epilogue == CUBLASLT_EPILOGUE_BGRADA;
    std::vector<double> sums(of_a ? m : n);

    for (uint64_t i = 0; i < k; i++)
        for (uint64_t j = 0; j < sums.size(); j++) sums[j] += of_a ? a[i * m + j] : b[j * k + i];
    store_bias_gradient(p, sums);
}

static void run(const problem &p, const operands &o)
{
    const bool tf32 = p.m.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    const uint64_t m = p.d.rows, n = p.d.cols;
    const uint64_t k = p.m.transpose_a != CUBLAS_OP_N ? p.a.rows : p.a.cols;
    const number type = type_of(p.d.type);

    need("A", p.a, o.a);
    need("B", p.b, o.b);
    need("D", p.d, o.d);
    if (o.beta != 0) need("C", p.c, o.c);
    // a as [k][m], b as [n][k]
    const auto a = matrix(p.a, o.a, p.m.transpose_a != CUBLAS_OP_N, true, tf32);
    const auto b = matrix(p.b, o.b, p.m.transpose_b != CUBLAS_OP_N, true, tf32);
    std::vector<double> sums(m), row_sums(m);
    for (uint64_t col = 0; col < n; col++) {
        std::fill(sums.begin(), sums.end(), 0);
        for (uint64_t i = 0; i < k; i++) {
            const double factor = b[col * k + i];
            for (uint64_t row = 0; row < m; row++) sums[row] += factor * a[i * m + row];
        }
        for (uint64_t row = 0; row < m; row++) {
            double value = (double)o.alpha * sums[row];
            if (o.beta != 0)
                value += (double)o.beta * (double)number_load(type, o.c, place(p.c, row, col));
            const float result = finish(p, (float)value, row, col);
            row_sums[row] += (double)result;
            number_store(type, o.d, place(p.d, row, col), result);
        }
    }
    if (epilogue_has(p.m, bias_grad_flag)) store_bias_gradient(p, row_sums);
    if (p.m.epilogue >= CUBLASLT_EPILOGUE_BGRADA) bias_gradient_of_operand(p, a, b, k);
}

static void need_epilogue(const problem &p)
{
    const size_t size = number_size(type_of(p.d.type));
    const bool of_columns = p.m.epilogue == CUBLASLT_EPILOGUE_BGRADB;

    if (wants_bias(p.m) && !is_device(p.m.bias, (of_columns ? p.d.cols : p.d.rows) * size))
        fatal("cuBLASLt: the epilogue's vector is not within one block of the device");
    if (epilogue_has(p.m, aux_flag) && !is_device(p.m.aux, (size_t)p.m.aux_ld / 8 * p.d.cols))
        fatal("cuBLASLt: the epilogue's mask is not within one block of the device");
}

// The largest power of two, up to what cudaMalloc gives, that divides an address.
static uint32_t alignment_of(const void *at)
{
    uint32_t n = 256;

    while ((uintptr_t)at % n != 0) n /= 2;
    return n;
}

static bool keeps_promises(const algorithm &algo, const problem &p, const operands &o)
{
    const void *const at[5] = { o.a, o.b, o.c, o.d, wants_bias(p.m) ? p.m.bias : nullptr };

    for (int i = 0; i < 5; i++)
        if (alignment_of(at[i]) < algo.alignment[i]) return false;
    return true;
}

static bool sets_workspace(const algorithm &algo, size_t n_workspace)
{
    return algo.magic == algorithm_magic && algo.n_workspace <= n_workspace;
}

} // namespace cuda_host

using namespace cuda_host;

extern "C" {

size_t cublasLtGetVersion(void)
{
    return CUBLAS_VERSION;
}

size_t cublasLtGetCudartVersion(void)
{
    return CUDART_VERSION;
}

const char *cublasLtGetStatusName(cublasStatus_t status)
{
    switch (status) {
    case CUBLAS_STATUS_SUCCESS: return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED: return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
    case CUBLAS_STATUS_EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
    default: return "CUBLAS_STATUS_INTERNAL_ERROR";
    }
}

const char *cublasLtGetStatusString(cublasStatus_t status)
{
    return cublasLtGetStatusName(status);
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t *out)
{
    *out = nullptr;
    if (planned_failure("cublasLtCreate") || device_count() <= 0)
        return CUBLAS_STATUS_NOT_INITIALIZED;
    *out = reinterpret_cast<cublasLtHandle_t>(new int(0));
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    delete reinterpret_cast<int *>(handle);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescInit_internal(cublasLtMatmulDesc_t desc, size_t size,
                                               cublasComputeType_t compute, cudaDataType_t scale)
{
    if (size < sizeof(matmul)) return CUBLAS_STATUS_ALLOC_FAILED;
    view<matmul>(desc) = { compute, scale, CUBLASLT_POINTER_MODE_HOST, 0,       0,
                           0,       -1,    CUBLASLT_EPILOGUE_DEFAULT,  nullptr, nullptr,
                           0,       0 };
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *out, cublasComputeType_t compute,
                                        cudaDataType_t scale)
{
    *out = nullptr;
    if (planned_failure("cublasLtMatmulDescCreate")) return CUBLAS_STATUS_ALLOC_FAILED;
    *out = new cublasLtMatmulDescOpaque_t();
    return cublasLtMatmulDescInit_internal(*out, sizeof **out, compute, scale);
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t desc)
{
    delete desc;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t desc,
                                              cublasLtMatmulDescAttributes_t name, const void *from,
                                              size_t size)
{
    matmul &m = view<matmul>(desc);

    return set_field(MATMUL_FIELDS(m), name, from, size);
}

cublasStatus_t cublasLtMatmulDescGetAttribute(cublasLtMatmulDesc_t desc,
                                              cublasLtMatmulDescAttributes_t name, void *to,
                                              size_t size, size_t *written)
{
    matmul &m = view<matmul>(desc);

    return get_field(MATMUL_FIELDS(m), name, to, size, written);
}

cublasStatus_t cublasLtMatrixLayoutInit_internal(cublasLtMatrixLayout_t l, size_t size,
                                                 cudaDataType type, uint64_t rows, uint64_t cols,
                                                 int64_t ld)
{
    if (size < sizeof(layout)) return CUBLAS_STATUS_ALLOC_FAILED;
    view<layout>(l) = { type, CUBLASLT_ORDER_COL, rows, cols, ld, 0, 1 };
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *out, cudaDataType type,
                                          uint64_t rows, uint64_t cols, int64_t ld)
{
    *out = nullptr;
    if (planned_failure("cublasLtMatrixLayoutCreate")) return CUBLAS_STATUS_ALLOC_FAILED;
    *out = new cublasLtMatrixLayoutOpaque_t();
    return cublasLtMatrixLayoutInit_internal(*out, sizeof **out, type, rows, cols, ld);
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t l)
{
    delete l;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t l,
                                                cublasLtMatrixLayoutAttribute_t name,
                                                const void *from, size_t size)
{
    layout &to = view<layout>(l);

    return set_field(LAYOUT_FIELDS(to), name, from, size);
}

cublasStatus_t cublasLtMatrixLayoutGetAttribute(cublasLtMatrixLayout_t l,
                                                cublasLtMatrixLayoutAttribute_t name, void *to,
                                                size_t size, size_t *written)
{
    layout &from = view<layout>(l);

    return get_field(LAYOUT_FIELDS(from), name, to, size, written);
}

cublasStatus_t cublasLtMatmulPreferenceInit_internal(cublasLtMatmulPreference_t p, size_t size)
{
    if (size < sizeof(preference)) return CUBLAS_STATUS_ALLOC_FAILED;
    view<preference>(p) = { 0, 7, 0, { 256, 256, 256, 256 } };
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *out)
{
    *out = nullptr;
    if (planned_failure("cublasLtMatmulPreferenceCreate")) return CUBLAS_STATUS_ALLOC_FAILED;
    *out = new cublasLtMatmulPreferenceOpaque_t();
    return cublasLtMatmulPreferenceInit_internal(*out, sizeof **out);
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p)
{
    delete p;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t p,
                                                    cublasLtMatmulPreferenceAttributes_t name,
                                                    const void *from, size_t size)
{
    preference &to = view<preference>(p);

    return set_field(PREFERENCE_FIELDS(to), name, from, size);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t desc,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t pref, int n_wanted,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int *n_found)
{
    const guard held(lock());
    const problem p = { view<matmul>(desc), view<layout>(a), view<layout>(b), view<layout>(c),
                        view<layout>(d) };
    const uint64_t room = view<preference>(pref).n_workspace;

    *n_found = 0;
    if (planned_failure("cublasLtMatmulAlgoGetHeuristic")) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (n_wanted < 1) return CUBLAS_STATUS_INVALID_VALUE;
    const cublasStatus_t status = check(p);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    for (int id = 1; id >= 0 && *n_found < n_wanted; id--) {
        const uint64_t n_workspace = id == 1 ? 65536 : 0;
        if (n_workspace > room) continue;
        cublasLtMatmulHeuristicResult_t &r = results[(*n_found)++];
        memset(&r, 0, sizeof r);
        const preference &wish = view<preference>(pref);
        view<algorithm>(&r.algo) = { algorithm_magic,
                                     id,
                                     n_workspace,
                                     { wish.alignment[0], wish.alignment[1], wish.alignment[2],
                                       wish.alignment[3], alignment_of(p.m.bias) } };
        r.workspaceSize = n_workspace;
        r.state = CUBLAS_STATUS_SUCCESS;
        r.wavesCount = 1;
    }
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha,
                              const void *a, cublasLtMatrixLayout_t la, const void *b,
                              cublasLtMatrixLayout_t lb, const void *beta, const void *c,
                              cublasLtMatrixLayout_t lc, void *d, cublasLtMatrixLayout_t ld,
                              const cublasLtMatmulAlgo_t *algo, void *workspace, size_t n_workspace,
                              cudaStream_t stream)
{
    const guard held(lock());
    const problem p = { view<matmul>(desc), view<layout>(la), view<layout>(lb), view<layout>(lc),
                        view<layout>(ld) };
    operands o = { 0, 0, a, b, c, d };

    if (planned_failure("cublasLtMatmul")) return CUBLAS_STATUS_EXECUTION_FAILED;
    if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (!stream_known(stream)) return CUBLAS_STATUS_INVALID_VALUE;
    if (p.m.pointer_mode != CUBLASLT_POINTER_MODE_HOST) return CUBLAS_STATUS_NOT_SUPPORTED;
    const cublasStatus_t status = check(p);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    if (algo && !sets_workspace(view<const algorithm>(algo), n_workspace))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (algo && !keeps_promises(view<const algorithm>(algo), p, o))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if ((wants_bias(p.m) && !p.m.bias) || (epilogue_has(p.m, aux_flag) && !p.m.aux))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (n_workspace > 0 && (!workspace || (uintptr_t)workspace % 16 != 0))
        return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(&o.alpha, alpha, sizeof o.alpha);
    memcpy(&o.beta, beta, sizeof o.beta);
    const size_t n_used = algo ? view<const algorithm>(algo).n_workspace : n_workspace;
    enqueue(stream, std::function<void()>([=] {
                if (n_used > 0 && !is_device(workspace, n_used))
                    fatal("cuBLASLt: the workspace has not %zu bytes", n_used);
                if (n_used > 0) memset(workspace, 0xA5, n_used);
                need_epilogue(p);
                run(p, o);
                if (n_used > 0) memset(workspace, 0xA5, n_used);
            }));
    return CUBLAS_STATUS_SUCCESS;
}

} // extern "C"
