/* Batch normalisation as loops over the layout that the convolution before it chose. The library's
 * own takes its statistics from all rows it was planned for; a short micro-batch would need a
 * primitive for each number of rows. The work is bound by memory, not by arithmetic. */
#include "backend/onednn/onednn.h"

#include <math.h>
#include <string.h>

#define LANES 16   /* most neighbouring channels in a block */
#define CHUNK 1024 /* positions that are summed in one go */

/* Elements are visited in pieces: of one row, a block of neighbouring channels over some positions.
 * Pieces and the order in which their sums are added depend on the shape alone, so that no number
 * of threads changes a result. */
typedef struct piece {
    size_t first;     /* element */
    size_t channel;   /* the block's first */
    size_t n_lanes;   /* channels; what pads a layout included, so that it stays zero */
    size_t positions; /* in it */
} piece;

typedef struct onednn_norm {
    size_t n_rows, n_blocks, n_chunks, n_positions; /* as planned */
    size_t row_step, block_step, position_step;     /* elements */
    size_t block, last_block;                       /* channels of a block, of the last one */
    size_t n_used;            /* of the last forward pass: see c3d_norm_count */
    double (*sums)[2][LANES]; /* of each piece */
    double (*totals)[2];      /* of each channel */
    double *squares;          /* of deviations from the mean */
    /* By channel: what x is compared with while it is summed, mean, 1 / sqrt(variance + epsilon),
     * and the factors of a sweep; [n_blocks * block] each */
    float *shift, *mean, *inverse, *factors[3];
} onednn_norm;

/* ---- planning -------------------------------------------------------------------------------- */

/* Positions follow each other at one step; without neighbouring channels they are their own block,
 * but where channels come last the blocks are cut from them. */
static bool describe(onednn_norm *n, const layout_steps *l)
{
    const size_t n_channels = (size_t)l->extents[1];
    const int last = l->n_axes - 1;
    bool is_dense = true;

    n->n_rows = (size_t)l->extents[0];
    n->row_step = (size_t)l->steps[0];
    n->block = (size_t)l->block;
    n->block_step = (size_t)l->steps[1];
    n->position_step = last > 1 ? (size_t)l->steps[last] : 1;
    n->n_positions = 1;
    for (int axis = last; axis > 1; axis--) {
        if (l->extents[axis] > 1)
            is_dense = is_dense && (size_t)l->steps[axis] == n->n_positions * n->position_step;
        n->n_positions *= (size_t)l->extents[axis];
    }
    const bool channels_last = n->block == 1 && n->block_step == 1 && n_channels > 1;
    if (channels_last) n->block = n->block_step = LANES;
    n->n_blocks = (n_channels + n->block - 1) / n->block;
    n->last_block = channels_last ? n_channels - (n->n_blocks - 1) * n->block : n->block;
    n->n_chunks = (n->n_positions + CHUNK - 1) / CHUNK;
    return is_dense && n->block <= LANES;
}

static c3d_status allocate(onednn *o, onednn_norm *n)
{
    const size_t n_channels = n->n_blocks * n->block;
    const size_t n_pieces = n->n_rows * n->n_blocks * n->n_chunks;
    float **const arrays[] = { &n->shift,      &n->mean,       &n->inverse,
                               &n->factors[0], &n->factors[1], &n->factors[2] };
    void *buffer;

    C3D_TRY(c3d_host_alloc(o->backend, n_pieces * sizeof *n->sums, &buffer));
    n->sums = buffer;
    C3D_TRY(c3d_host_alloc(o->backend, n_channels * sizeof *n->totals, &buffer));
    n->totals = buffer;
    C3D_TRY(c3d_host_alloc(o->backend, n_channels * sizeof *n->squares, &buffer));
    n->squares = buffer;
    for (size_t i = 0; i < C3D_COUNT(arrays); i++) {
        C3D_TRY(c3d_host_alloc(o->backend, n_channels * sizeof(float), &buffer));
        *arrays[i] = buffer;
    }
    return C3D_OK;
}

void c3d_onednn_norm_free(c3d_backend *self, onednn_norm *norm)
{
    if (!norm) return;
    c3d_host_free(self, norm->sums);
    c3d_host_free(self, norm->totals);
    c3d_host_free(self, norm->squares);
    c3d_host_free(self, norm->shift);
    c3d_host_free(self, norm->mean);
    c3d_host_free(self, norm->inverse);
    for (int i = 0; i < 3; i++) c3d_host_free(self, norm->factors[i]);
    free(norm);
}

static c3d_status make_params(onednn *o, onednn_plan *plan)
{
    const dnnl_dims_t n_channels = { plan->base.x_shape.c };
    layout vector = NULL;
    c3d_status st = C3D_OK;

    C3D_DNNL(layout_create(&vector, 1, n_channels, dnnl_f32, dnnl_a));
    const place canonical = { vector, &plan->canonical };
    for (int i = 0; i < 2 && st == C3D_OK; i++) {
        const place physical = { vector, &plan->param[i] };

        plan->param_n_layout[i] = plan->base.param_n[i];
        st = c3d_onednn_job_reorder(o, &plan->import[i], canonical, physical);
        if (st == C3D_OK) st = c3d_onednn_job_reorder(o, &plan->export[i], physical, canonical);
    }
    layout_destroy(vector);
    return st;
}

c3d_status c3d_onednn_plan_norm(onednn *o, onednn_plan *plan)
{
    c3d_plan *p = &plan->base;
    layout_steps steps;

    C3D_TRY(c3d_onednn_activation_create(o, p->y_shape, p->x->layout, &p->y));
    if (p->desc.training) C3D_TRY(c3d_onednn_want_grad(o, p->y));
    if (p->desc.training && p->desc.needs_x_grad) C3D_TRY(c3d_onednn_want_grad(o, p->x));
    plan->norm = c3d_calloc(1, sizeof *plan->norm);
    if (!plan->norm) return C3D_ENOMEM;
    if (!layout_steps_of(p->x->layout, &steps) || !describe(plan->norm, &steps))
        return C3D_FAIL(C3D_EUNSUPPORTED, "norm: a memory layout that it does not know");
    C3D_TRY(allocate(o, plan->norm));
    return make_params(o, plan);
}

/* ---- sweeps over pieces ---------------------------------------------------------------------- */

static piece piece_at(const onednn_norm *n, size_t index)
{
    const size_t chunk = index % n->n_chunks, block = index / n->n_chunks % n->n_blocks;
    const size_t row = index / n->n_chunks / n->n_blocks, left = n->n_positions - chunk * CHUNK;

    return (piece){ .first = row * n->row_step + block * n->block_step +
                             chunk * CHUNK * n->position_step,
                    .channel = block * n->block,
                    .n_lanes = block + 1 == n->n_blocks ? n->last_block : n->block,
                    .positions = left < CHUNK ? left : CHUNK };
}

/* What a sweep reads and writes. */
typedef struct sweep {
    const onednn_norm *norm;
    const void *x, *y, *dy;
    void *to;
    bool relu, is_bf16;
} sweep;

static inline float get(const void *from, size_t at, bool is_bf16)
{
    return is_bf16 ? c3d_bf16_value(((const uint16_t *)from)[at]) : ((const float *)from)[at];
}

static inline void put(void *to, size_t at, bool is_bf16, float value)
{
    if (is_bf16)
        ((uint16_t *)to)[at] = c3d_bf16_of(value);
    else
        ((float *)to)[at] = value;
}

/* Blocks of 16 and 8 channels are compiled for their width, and each type by itself. */
#define VISIT_PIECE(function)                                                                      \
    static void function(const sweep *s, const piece *p, double(*sums)[LANES])                     \
    {                                                                                              \
        if (p->n_lanes == 16 && s->is_bf16)                                                        \
            function##_lanes(s, p, 16, true, sums);                                                \
        else if (p->n_lanes == 16)                                                                 \
            function##_lanes(s, p, 16, false, sums);                                               \
        else if (p->n_lanes == 8)                                                                  \
            function##_lanes(s, p, 8, s->is_bf16, sums);                                           \
        else                                                                                       \
            function##_lanes(s, p, p->n_lanes, s->is_bf16, sums);                                  \
    }

/* Sums of x - shift and of its square: in double, and from values near 0, nothing cancels. */
static inline __attribute__((always_inline)) void
measure_lanes(const sweep *s, const piece *p, size_t n_lanes, bool is_bf16, double (*sums)[LANES])
{
    const float *shift = s->norm->shift + p->channel;

    for (size_t i = 0; i < p->positions; i++) {
        const size_t at = p->first + i * s->norm->position_step;

        for (size_t l = 0; l < n_lanes; l++) {
            const double deviation = (double)get(s->x, at + l, is_bf16) - (double)shift[l];

            sums[0][l] += deviation;
            sums[1][l] += deviation * deviation;
        }
    }
}
VISIT_PIECE(measure)

/* y = (x - mean) factor + beta */
static inline __attribute__((always_inline)) void
normalise_lanes(const sweep *s, const piece *p, size_t n_lanes, bool is_bf16, double (*sums)[LANES])
{
    const float *mean = s->norm->mean + p->channel, *factor = s->norm->factors[0] + p->channel;
    const float *beta = s->norm->factors[1] + p->channel;

    (void)sums;
    for (size_t i = 0; i < p->positions; i++) {
        const size_t at = p->first + i * s->norm->position_step;

        for (size_t l = 0; l < n_lanes; l++) {
            const float y = (get(s->x, at + l, is_bf16) - mean[l]) * factor[l] + beta[l];

            put(s->to, at + l, is_bf16, !s->relu || y > 0 ? y : 0);
        }
    }
}
VISIT_PIECE(normalise)

static inline float gradient_at(const sweep *s, size_t at, bool is_bf16)
{
    return !s->relu || get(s->y, at, is_bf16) > 0 ? get(s->dy, at, is_bf16) : 0;
}

/* Sums of dy (x - mean) and of dy. */
static inline __attribute__((always_inline)) void sum_gradients_lanes(const sweep *s,
                                                                      const piece *p,
                                                                      size_t n_lanes, bool is_bf16,
                                                                      double (*sums)[LANES])
{
    const float *mean = s->norm->mean + p->channel;

    for (size_t i = 0; i < p->positions; i++) {
        const size_t at = p->first + i * s->norm->position_step;

        for (size_t l = 0; l < n_lanes; l++) {
            const double dy = (double)gradient_at(s, at + l, is_bf16);

            sums[0][l] += dy * ((double)get(s->x, at + l, is_bf16) - (double)mean[l]);
            sums[1][l] += dy;
        }
    }
}
VISIT_PIECE(sum_gradients)

/* dx = a (dy - b - c (x - mean)) */
static inline __attribute__((always_inline)) void
propagate_lanes(const sweep *s, const piece *p, size_t n_lanes, bool is_bf16, double (*sums)[LANES])
{
    const float *mean = s->norm->mean + p->channel, *a = s->norm->factors[0] + p->channel;
    const float *b = s->norm->factors[1] + p->channel, *c = s->norm->factors[2] + p->channel;

    (void)sums;
    for (size_t i = 0; i < p->positions; i++) {
        const size_t at = p->first + i * s->norm->position_step;

        for (size_t l = 0; l < n_lanes; l++) {
            const float deviation = get(s->x, at + l, is_bf16) - mean[l];

            put(s->to, at + l, is_bf16,
                a[l] * (gradient_at(s, at + l, is_bf16) - b[l] - c[l] * deviation));
        }
    }
}
VISIT_PIECE(propagate)

typedef void visit_piece(const sweep *s, const piece *p, double (*sums)[LANES]);

static void run(const sweep *s, visit_piece *function, int n_samples)
{
    const onednn_norm *n = s->norm;
    const size_t n_pieces = (size_t)n_samples * n->n_blocks * n->n_chunks;

#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n_pieces; i++) {
        const piece p = piece_at(n, i);

        memset(n->sums[i], 0, sizeof n->sums[i]);
        function(s, &p, n->sums[i]);
    }
}

/* The sums of all pieces by channel. */
static void run_and_sum(const sweep *s, visit_piece *function, int n_samples)
{
    const onednn_norm *n = s->norm;
    const size_t n_pieces = (size_t)n_samples * n->n_blocks * n->n_chunks;

    run(s, function, n_samples);
    memset(n->totals, 0, n->n_blocks * n->block * sizeof *n->totals);
    for (size_t i = 0; i < n_pieces; i++) {
        const piece p = piece_at(n, i);

        for (int k = 0; k < 2; k++)
            for (size_t l = 0; l < p.n_lanes; l++) n->totals[p.channel + l][k] += n->sums[i][k][l];
    }
}

/* ---- passes ---------------------------------------------------------------------------------- */

/* Rows that only fill up the micro-batch must not hold what an earlier one left there. */
static void clear_rest(const onednn_norm *n, const c3d_activation *like, void *to, int n_samples)
{
    const size_t used = (size_t)n_samples * n->row_step * (like->n_bytes / like->n);

    if ((size_t)n_samples < n->n_rows) memset((char *)to + used, 0, like->n_bytes - used);
}

static void take_statistics(onednn_norm *n, const sweep *s, const c3d_plan *p, int n_samples)
{
    for (size_t c = 0; c < (size_t)p->x_shape.c; c++)
        n->shift[c] = get(s->x, c / n->block * n->block_step + c % n->block, s->is_bf16);
    run_and_sum(s, measure, n_samples);
    for (size_t c = 0; c < (size_t)p->x_shape.c; c++) {
        const double mean = n->totals[c][0] / (double)n->n_used;
        const double squares = n->totals[c][1] - mean * n->totals[c][0];

        n->mean[c] = (float)((double)n->shift[c] + mean);
        n->squares[c] = squares < 0 ? 0 : squares; /* a NaN stays one */
        n->inverse[c] = (float)(1 / sqrt(n->squares[c] / (double)n->n_used + p->desc.epsilon));
    }
}

c3d_status c3d_onednn_norm_forward(onednn_plan *plan, const c3d_params *params,
                                   const c3d_pass *pass)
{
    const c3d_plan *p = &plan->base;
    onednn_norm *n = plan->norm;
    const sweep s = { .norm = n,
                      .x = p->x->value,
                      .to = p->y->value,
                      .relu = p->desc.relu,
                      .is_bf16 = p->x->type == dnnl_bf16 };
    const size_t n_channels = (size_t)p->x_shape.c;

    n->n_used = c3d_norm_count(p, pass->n_samples);
    if (pass->training && n->n_used > 0) take_statistics(n, &s, p, pass->n_samples);
    for (size_t c = 0; c < n_channels; c++) {
        if (!pass->training) {
            n->mean[c] = params->stats[0][c];
            n->inverse[c] = (float)(1 / sqrt((double)params->stats[1][c] + p->desc.epsilon));
        }
        n->factors[0][c] = params->value[0][c] * n->inverse[c];
        n->factors[1][c] = params->value[1][c];
    }
    run(&s, normalise, pass->n_samples);
    clear_rest(n, p->y, p->y->value, pass->n_samples);
    return C3D_OK;
}

/* See the reference: dx = gamma inverse (dy - mean(dy) - z mean(dy z)), z the normalised x. */
c3d_status c3d_onednn_norm_backward(onednn_plan *plan, const c3d_params *params,
                                    float *const *param_grads, const c3d_pass *pass)
{
    const c3d_plan *p = &plan->base;
    onednn_norm *n = plan->norm;
    const sweep s = { .norm = n,
                      .x = p->x->value,
                      .y = p->y->value,
                      .dy = p->y->grad,
                      .to = p->x->grad,
                      .relu = p->desc.relu && !p->y->grad_is_relu,
                      .is_bf16 = p->x->type == dnnl_bf16 };

    p->y->grad_is_relu = false;
    run_and_sum(&s, sum_gradients, pass->n_samples);
    for (size_t c = 0; c < (size_t)p->x_shape.c; c++) {
        const double inverse = (double)n->inverse[c], gamma = (double)params->value[0][c];
        const double grads[2] = { n->totals[c][0] * inverse, n->totals[c][1] };
        const double share = n->n_used > 0 ? 1 / (double)n->n_used : 0;

        for (int i = 0; i < 2; i++)
            param_grads[i][c] = (float)grads[i] + (pass->accumulate ? param_grads[i][c] : 0);
        n->factors[0][c] = (float)(gamma * inverse);
        n->factors[1][c] = (float)(share * grads[1]);
        n->factors[2][c] = (float)(share * grads[0] * inverse);
    }
    if (!p->desc.needs_x_grad) return C3D_OK;
    run(&s, propagate, pass->n_samples);
    clear_rest(n, p->x, p->x->grad, pass->n_samples);
    return C3D_OK;
}

c3d_status c3d_onednn_stats_read(c3d_backend *self, const c3d_plan *base, float *mean,
                                 float *variance)
{
    const onednn_norm *n = ((const onednn_plan *)base)->norm;

    (void)self;
    for (size_t c = 0; c < (size_t)base->x_shape.c; c++) {
        mean[c] = n->mean[c];
        variance[c] = (float)c3d_unbiased_variance(n->squares[c], n->n_used);
    }
    return C3D_OK;
}
