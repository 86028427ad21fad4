// cuDNN's graphs, computed: operands to float channels-last, sums in double, each real tensor
// rounded once when it is stored.
#include "dnn.h"

#include <cmath>

namespace cuda_host
{

// [n, d, h, w, c] of a tensor.
struct dense {
    std::vector<float> values;
    int64_t dims[5]; // n, c, d, h, w
    size_t at(int64_t n, int64_t d, int64_t h, int64_t w) const
    {
        return (size_t)((((n * dims[2] + d) * dims[3] + h) * dims[4] + w) * dims[1]);
    }
};

// The tensors of one run: those in memory and, by number, those that are virtual.
struct memory {
    const std::map<int64_t, void *> &real;
    std::map<int64_t, dense> made;
    bool luck;
};

template <typename Visit> static void each_place(const int64_t dims[5], Visit visit)
{
    for (int64_t n = 0; n < dims[0]; n++)
        for (int64_t d = 0; d < dims[2]; d++)
            for (int64_t h = 0; h < dims[3]; h++)
                for (int64_t w = 0; w < dims[4]; w++) visit(n, d, h, w);
}

static void *address(const memory &m, const tensor &t)
{
    const auto found = m.real.find(t.uid);

    if (found == m.real.end()) fatal("cuDNN: tensor %lld was given no pointer", (long long)t.uid);
    if (!is_device(found->second, t.n_bytes()))
        fatal("cuDNN: tensor %lld of %zu bytes is not within one block of the device",
              (long long)t.uid, t.n_bytes());
    if ((uintptr_t)found->second % (uintptr_t)t.alignment != 0)
        fatal("cuDNN: tensor %lld is not aligned to %lld", (long long)t.uid,
              (long long)t.alignment);
    return found->second;
}

static size_t offset(const tensor &t, int64_t n, int64_t d, int64_t h, int64_t w)
{
    return (size_t)(n * t.strides[0] + d * t.strides[2] + h * t.strides[3] + w * t.strides[4]);
}

static dense empty(const tensor &t)
{
    dense v;

    std::copy(t.dims, t.dims + 5, v.dims);
    v.values.assign(t.count(), 0);
    return v;
}

static dense load(memory &m, const tensor &t)
{
    const auto made = m.made.find(t.uid);

    if (made != m.made.end()) return made->second;
    if (t.is_virtual) fatal("cuDNN: virtual tensor %lld was not computed", (long long)t.uid);
    dense v = empty(t);
    const void *from = address(m, t);
    each_place(t.dims, [&](int64_t n, int64_t d, int64_t h, int64_t w) {
        float *to = &v.values[v.at(n, d, h, w)];
        const size_t place = offset(t, n, d, h, w);

        for (int64_t c = 0; c < t.dims[1]; c++)
            to[c] = number_load(t.type, from, place + (size_t)(c * t.strides[1]));
    });
    return v;
}

static void store(memory &m, const tensor &t, dense v)
{
    if (!t.is_virtual) {
        void *to = address(m, t);

        each_place(t.dims, [&](int64_t n, int64_t d, int64_t h, int64_t w) {
            float *from = &v.values[v.at(n, d, h, w)];
            const size_t place = offset(t, n, d, h, w);

            for (int64_t c = 0; c < t.dims[1]; c++) {
                const size_t i = place + (size_t)(c * t.strides[1]);
                number_store(t.type, to, i, from[c]);
                from[c] = number_load(t.type, to, i);
            }
        });
    }
    m.made[t.uid] = std::move(v);
}

// ---- convolutions
// --------------------------------------------------------------------------------

// acc += a b, of doubles that hold the products of floats exactly. Without what adds nothing,
// unless some b is no number.
static void add_scaled(double *__restrict acc, const double *__restrict b, double a, int64_t n,
                       bool finite)
{
    if (a == 0 && finite) return;
    for (int64_t i = 0; i < n; i++) acc[i] += a * b[i];
}

static bool all_finite(const std::vector<double> &values)
{
    for (const double value : values)
        if (!std::isfinite(value)) return false;
    return true;
}

struct geometry {
    int64_t stride[3], before[3];
};

static geometry geometry_of(const descriptor &conv)
{
    const auto stride = conv.integers(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES);
    const auto before = conv.integers(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
    geometry g = { { 1, 1, 1 }, { 0, 0, 0 } };

    for (size_t i = 0; i < stride.size(); i++) {
        g.stride[3 - stride.size() + i] = stride[i];
        g.before[3 - stride.size() + i] = before[i];
    }
    return g;
}

// Every pair of an output place and a filter tap whose input place is inside: visit(offset of x,
// tap, offset of y).
template <typename Visit>
static void each_product(const geometry &g, const dense &x, const int64_t w[5], const dense &y,
                         Visit visit)
{
    each_place(y.dims, [&](int64_t n, int64_t d, int64_t h, int64_t o) {
        const int64_t at[3] = { d * g.stride[0] - g.before[0], h * g.stride[1] - g.before[1],
                                o * g.stride[2] - g.before[2] };
        int64_t tap = 0;

        for (int64_t i = 0; i < w[2]; i++)
            for (int64_t j = 0; j < w[3]; j++)
                for (int64_t k = 0; k < w[4]; k++, tap++) {
                    const int64_t from[3] = { at[0] + i, at[1] + j, at[2] + k };
                    bool inside = true;
                    for (int a = 0; a < 3; a++) inside &= from[a] >= 0 && from[a] < x.dims[a + 2];
                    if (inside) visit(x.at(n, from[0], from[1], from[2]), tap, y.at(n, d, h, o));
                }
    });
}

// [tap][outer][inner] from [k][tap][c]; outer c and inner k, or the other way round.
static std::vector<double> turned(const dense &w, bool inner_is_k)
{
    const int64_t n_taps = w.dims[2] * w.dims[3] * w.dims[4], n_k = w.dims[0], n_c = w.dims[1];
    std::vector<double> out(w.values.size());

    for (int64_t k = 0; k < n_k; k++)
        for (int64_t tap = 0; tap < n_taps; tap++)
            for (int64_t c = 0; c < n_c; c++) {
                const int64_t to =
                    inner_is_k ? (tap * n_c + c) * n_k + k : (tap * n_k + k) * n_c + c;
                out[(size_t)to] = (double)w.values[(size_t)((k * n_taps + tap) * n_c + c)];
            }
    return out;
}

static std::vector<double> wide(const dense &v)
{
    return std::vector<double>(v.values.begin(), v.values.end());
}

static float chance(bool up)
{
    return up ? INFINITY : -INFINITY;
}

// Rounded to float; with luck to one of the two neighbours.
static void narrow(const std::vector<double> &from, double scale, bool luck, dense &to)
{
    static unsigned n_runs;
    unsigned draw = luck ? ++n_runs * 2654435761U : 0;

    for (size_t i = 0; i < from.size(); i++) {
        const double exact = from[i] * scale;
        float value = (float)exact;

        draw = draw * 1664525U + 1013904223U;
        if (luck && (double)value != exact && std::isfinite(value) && (draw >> 31) != 0)
            value = nextafterf(value, chance((double)value < exact));
        to.values[i] = value;
    }
}

static void round_tf32(dense &v)
{
    for (float &value : v.values) value = number_tf32(value);
}

static void blend(memory &m, const tensor &t, double beta, dense &out)
{
    if (beta == 0) return;
    const dense old = load(m, t);
    for (size_t i = 0; i < out.values.size(); i++)
        out.values[i] = (float)((double)out.values[i] + beta * (double)old.values[i]);
}

static void forward(memory &m, const descriptor &op, bool tf32)
{
    const tensor ty = tensor_of(*op.inner(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y));
    dense x = load(m, tensor_of(*op.inner(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X)));
    dense w = load(m, tensor_of(*op.inner(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W)));
    dense y = empty(ty);
    std::vector<double> sums(y.values.size());
    const int64_t n_c = x.dims[1], n_k = y.dims[1];

    if (tf32) round_tf32(x), round_tf32(w);
    const auto filters = turned(w, true);
    const bool finite = all_finite(filters);
    each_product(geometry_of(*op.inner(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC)), x,
                 w.dims, y, [&](size_t from, int64_t tap, size_t to) {
                     for (int64_t c = 0; c < n_c; c++)
                         add_scaled(&sums[to], &filters[(size_t)((tap * n_c + c) * n_k)],
                                    (double)x.values[from + (size_t)c], n_k, finite);
                 });
    narrow(sums, op.real(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, 1), m.luck, y);
    blend(m, ty, op.real(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, 0), y);
    store(m, ty, std::move(y));
}

static void backward_x(memory &m, const descriptor &op, bool tf32)
{
    const tensor tx = tensor_of(*op.inner(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX));
    dense dy = load(m, tensor_of(*op.inner(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY)));
    dense w = load(m, tensor_of(*op.inner(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W)));
    dense dx = empty(tx);
    std::vector<double> sums(dx.values.size());
    const int64_t n_c = dx.dims[1], n_k = dy.dims[1];

    if (tf32) round_tf32(dy), round_tf32(w);
    const auto filters = turned(w, false);
    const bool finite = all_finite(filters);
    each_product(geometry_of(*op.inner(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC)), dx,
                 w.dims, dy, [&](size_t to, int64_t tap, size_t from) {
                     for (int64_t k = 0; k < n_k; k++)
                         add_scaled(&sums[to], &filters[(size_t)((tap * n_k + k) * n_c)],
                                    (double)dy.values[from + (size_t)k], n_c, finite);
                 });
    narrow(sums, op.real(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, 1), m.luck, dx);
    blend(m, tx, op.real(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, 0), dx);
    store(m, tx, std::move(dx));
}

static void backward_w(memory &m, const descriptor &op, bool tf32)
{
    const tensor tw = tensor_of(*op.inner(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW));
    dense dy = load(m, tensor_of(*op.inner(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY)));
    dense x = load(m, tensor_of(*op.inner(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X)));
    dense dw = empty(tw);
    const int64_t n_c = x.dims[1], n_k = dy.dims[1], n_taps = tw.dims[2] * tw.dims[3] * tw.dims[4];
    std::vector<double> sums(dw.values.size());

    if (tf32) round_tf32(dy), round_tf32(x);
    const auto input = wide(x);
    const bool finite = all_finite(input);
    each_product(geometry_of(*op.inner(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC)), x,
                 tw.dims, dy, [&](size_t from, int64_t tap, size_t by) {
                     for (int64_t k = 0; k < n_k; k++)
                         add_scaled(&sums[(size_t)((k * n_taps + tap) * n_c)], &input[from],
                                    (double)dy.values[by + (size_t)k], n_c, finite);
                 });
    narrow(sums, op.real(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, 1), m.luck, dw);
    blend(m, tw, op.real(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, 0), dw);
    store(m, tw, std::move(dw));
}

// ---- elementwise
// ---------------------------------------------------------------------------------

static void relu_backward(memory &m, const descriptor &op)
{
    const tensor out = tensor_of(*op.inner(CUDNN_ATTR_OPERATION_POINTWISE_DXDESC));
    const dense x = load(m, tensor_of(*op.inner(CUDNN_ATTR_OPERATION_POINTWISE_XDESC)));
    dense d = load(m, tensor_of(*op.inner(CUDNN_ATTR_OPERATION_POINTWISE_DYDESC)));

    for (size_t i = 0; i < d.values.size(); i++)
        if (!(x.values[i] > 0)) d.values[i] = 0;
    store(m, out, std::move(d));
}

static void pointwise(memory &m, const descriptor &op)
{
    const auto mode =
        op.inner(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR)->integer(CUDNN_ATTR_POINTWISE_MODE);
    if (mode == CUDNN_POINTWISE_RELU_BWD) return relu_backward(m, op);
    const bool two = mode == CUDNN_POINTWISE_ADD || mode == CUDNN_POINTWISE_MUL;
    dense x = load(m, tensor_of(*op.inner(CUDNN_ATTR_OPERATION_POINTWISE_XDESC)));
    const dense b =
        two ? load(m, tensor_of(*op.inner(CUDNN_ATTR_OPERATION_POINTWISE_BDESC))) : dense();

    each_place(x.dims, [&](int64_t n, int64_t d, int64_t h, int64_t w) {
        float *value = &x.values[x.at(n, d, h, w)];
        const size_t other = !two ? 0
                                  : b.at(b.dims[0] == 1 ? 0 : n, b.dims[2] == 1 ? 0 : d,
                                         b.dims[3] == 1 ? 0 : h, b.dims[4] == 1 ? 0 : w);
        for (int64_t c = 0; c < x.dims[1]; c++) {
            const float operand = two ? b.values[other + (size_t)(b.dims[1] == 1 ? 0 : c)] : 0;
            if (mode == CUDNN_POINTWISE_ADD) value[c] += operand;
            if (mode == CUDNN_POINTWISE_MUL) value[c] *= operand;
            if (mode == CUDNN_POINTWISE_RELU_FWD && !(value[c] > 0)) value[c] = 0;
        }
    });
    store(m, tensor_of(*op.inner(CUDNN_ATTR_OPERATION_POINTWISE_YDESC)), std::move(x));
}

static void reduction(memory &m, const descriptor &op)
{
    const tensor out = tensor_of(*op.inner(CUDNN_ATTR_OPERATION_REDUCTION_YDESC));
    const dense x = load(m, tensor_of(*op.inner(CUDNN_ATTR_OPERATION_REDUCTION_XDESC)));
    dense y = empty(out);
    std::vector<double> sums(y.values.size());

    each_place(x.dims, [&](int64_t n, int64_t d, int64_t h, int64_t w) {
        const float *from = &x.values[x.at(n, d, h, w)];
        const size_t to = y.at(y.dims[0] == 1 ? 0 : n, y.dims[2] == 1 ? 0 : d,
                               y.dims[3] == 1 ? 0 : h, y.dims[4] == 1 ? 0 : w);
        for (int64_t c = 0; c < x.dims[1]; c++)
            sums[to + (size_t)(y.dims[1] == 1 ? 0 : c)] += (double)from[c];
    });
    narrow(sums, 1, m.luck, y);
    store(m, out, std::move(y));
}

void graph_run(const descriptor &graph, const std::map<int64_t, void *> &tensors, bool tf32,
               bool luck)
{
    memory m = { tensors, {}, luck };

    for (const auto &op : graph.attributes.at(CUDNN_ATTR_OPERATIONGRAPH_OPS).inside) {
        switch (op->type) {
        case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR: forward(m, *op, tf32); break;
        case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
            backward_x(m, *op, tf32);
            break;
        case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
            backward_w(m, *op, tf32);
            break;
        case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR: pointwise(m, *op); break;
        default: reduction(m, *op); break;
        }
    }
}

} // namespace cuda_host
