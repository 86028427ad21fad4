/* nn: networks as tables, and one walk over the table that makes the planned model.
 *
 * Knows backend, tensor, base; not ranks, data or files. */
#ifndef C3D_NN_H
#define C3D_NN_H

#include "c3d/backend.h"

/* ---- networks as data ---------------------------------------------------------------------------
 */

typedef enum c3d_layer_kind { C3D_LAYER_CONV, C3D_LAYER_POOL, C3D_LAYER_LINEAR } c3d_layer_kind;

/* A convolution in two, as Tran et al. 2018 have it ("A closer look at spatiotemporal convolutions
 * for action recognition"): over rows and columns, then over months. Of C channels to K filters
 * with a kernel of t x d x d the first has M = floor(t d^2 C K / (d^2 C + t K)) filters, so that
 * both together have at most as many weights as the whole. */
typedef enum c3d_factor { C3D_FACTOR_WHOLE, C3D_FACTOR_SPACE, C3D_FACTOR_TIME } c3d_factor;

/* Width and fc are multiples of the configured ones, so that one row serves every size. */
typedef struct c3d_layer_desc {
    c3d_layer_kind kind;
    const char *name;  /* "conv3a"; names the tensors of a checkpoint: conv3a.weight, conv3a.bias */
    int width_factor;  /* conv: K = width_factor * width; linear: K = fc (1) or outputs (0) */
    c3d_factor factor; /* conv: which part of one; both parts have the whole's width_factor */
    int pool[3];       /* pool: window = stride, d h w */
    bool pad_space;    /* pool: the published 1 px of space before the last pool (pool5_padding) */
    bool relu, dropout; /* after it */
} c3d_layer_desc;

typedef struct c3d_net {
    const char *name; /* "c3d", "cnn2d", "tcnn", "cnn2d_stack", "c2plus1d" */
    const char *help;
    bool one_slice; /* sees one month */
    bool stacks;    /* sees all months as one slice deep: channel band * months + month */
    int kernel[3];  /* of every convolution; stride 1, padded by kernel / 2 */
    int n_layers;
    const c3d_layer_desc *layers;
} c3d_net;

/* NULL when unknown. */
const c3d_net *c3d_net_find(const char *name);
/* All networks, to list them; NULL past the last. */
const c3d_net *c3d_net_at(size_t index);

typedef struct c3d_model_desc {
    const char *network;
    c3d_shape x; /* as loaded: n = micro-batch, c = bands, d = months (1 for one_slice) */
    int width, fc, outputs;
    double dropout;
    bool pool5_padding;
    bool batch_norm; /* after each convolution, before its ReLU; the convolution has no bias then */
    bool training;   /* false: forward only */
} c3d_model_desc;

/* ---- shape table: needs no backend
 * --------------------------------------------------------------- */

typedef struct c3d_layer_info {
    char name[32]; /* "conv1", "bn1", "pool3", "fc6", "dropout6" */
    c3d_op_desc op;
    c3d_shape x, y;
    uint64_t n_params;
    uint64_t multiply_adds; /* forward, one sample */
    char note[96];          /* empty when as published */
} c3d_layer_info;

#define C3D_MAX_LAYERS 64
typedef struct c3d_shape_table {
    int n_layers;
    c3d_layer_info layers[C3D_MAX_LAYERS];
    uint64_t n_params, multiply_adds;
} c3d_shape_table;

/* Walks the table of the network. An axis shorter than a pool's window is not halved (nor padded)
 * there and the note says so ("time is 1: not halved"); where it fits the published layout stays.
 * A network that stacks begins with the sample's channels and months as channels.
 * Layers marked dropout are followed by one when desc->dropout > 0.
 * Convolutions are followed by a norm with desc->batch_norm (no multiply-adds are counted for it).
 * C3D_ECONFIG with the reason for sizes that make no network. Multiply-adds count every kernel
 * position, padding included, and no biases: the convention of the published figures. */
C3D_CHECKED c3d_status c3d_shape_table_make(const c3d_model_desc *desc, c3d_shape_table *out);
/* The width with which desc's network comes nearest to n_params parameters (of two the smaller). */
C3D_CHECKED c3d_status c3d_width_for(const c3d_model_desc *desc, uint64_t n_params, int *width_out);
/* One line a layer and a total, as printed at start. */
void c3d_shape_table_print(const c3d_shape_table *table, c3d_text *out);

/* ---- model
 * --------------------------------------------------------------------------------------- */

typedef struct c3d_param {
    char name[48];    /* "conv1.weight" */
    int layer, which; /* model->plans[layer]; 0 weight, 1 bias */
    size_t n;         /* canonical elements */
    int rank;         /* of the canonical shape; 2D networks drop the time axis (KCHW) */
    int64_t shape[5];
    size_t offset, n_physical; /* range in the arenas */
    uint64_t fan_in;           /* 1 for a norm */
} c3d_param;

/* Running statistics of a norm: no parameters, but part of what was trained. */
typedef struct c3d_running {
    char name[48];    /* "bn1.running_mean", "bn1.running_var" */
    int layer, which; /* model->plans[layer]; 0 mean, 1 variance */
    size_t n, offset; /* in the arrays of running statistics */
} c3d_running;

typedef struct c3d_model {
    c3d_backend *backend; /* borrowed */
    c3d_shape_table table;
    c3d_activation *input;
    int n_stacked;                   /* months among the input's channels, 0: none; c3d_input */
    c3d_plan *plans[C3D_MAX_LAYERS]; /* one a layer of the table */
    int n_params;
    c3d_param params[2 * C3D_MAX_LAYERS]; /* forward order */
    /* Arenas in backend memory, [n_arena] floats. Parameters lie in reverse order of layers, so
     * that gradients become ready from the front: a bucket is a range. */
    size_t n_arena;
    float *param, *grad; /* grad NULL when not training */
    uint16_t *low;       /* the 16-bit copies of param; NULL with a precision of 32 bits */
    /* Running statistics of all norms, in forward order, [n_stats]; none without a norm. */
    int n_running;
    c3d_running running[2 * C3D_MAX_LAYERS];
    size_t n_stats;
    float *stats; /* backend memory; brought up to date before a pass that reads it */
    bool stats_are_old;
    float *host_stats; /* the same, to be read; changed by stats_set and stats_merge alone */
} c3d_model;

C3D_CHECKED c3d_status c3d_model_create(c3d_model *model, c3d_backend *backend,
                                        const c3d_model_desc *desc);
void c3d_model_destroy(c3d_model *model); /* a zeroed or half-built one is fine */
/* He initialisation (He et al. 2015): normal, variance 2 / fan_in, biases 0; the last linear layer
 * variance 1 / fan_in. Norms begin with weight 1, bias 0, running mean 0 and variance 1. A function
 * of (seed, parameter number, element) only. */
C3D_CHECKED c3d_status c3d_model_init(c3d_model *model, uint64_t seed);
/* Canonical values of parameter p, host memory [params[p].n], to and from an arena (param, grad or
 * a moment arena of the same size). An import to param makes the 16-bit copy too. */
C3D_CHECKED c3d_status c3d_model_import(c3d_model *model, int p, const float *canonical,
                                        float *arena);
C3D_CHECKED c3d_status c3d_model_export(c3d_model *model, int p, const float *arena,
                                        float *canonical);
/* Canonical elements of the largest parameter: room for any of them. */
size_t c3d_model_largest_param(const c3d_model *model);

/* Makes the 16-bit copies of range [begin, begin + n) of param after it was written past import and
 * Adam, as by a broadcast; nothing to do with a precision of 32 bits. */
C3D_CHECKED c3d_status c3d_model_to_low(c3d_model *model, size_t begin, size_t n);

/* Samples as desc->x has them; input->n_stacked is not looked at. */
C3D_CHECKED c3d_status c3d_model_load(c3d_model *model, const c3d_input *input);
/* Runs all layers on the loaded input. */
C3D_CHECKED c3d_status c3d_model_forward(c3d_model *model, const c3d_pass *pass);
/* Loss, scores and, with_grad, the gradient of the logits. */
C3D_CHECKED c3d_status c3d_model_loss(c3d_model *model, const c3d_loss *loss);
/* Called as soon as the gradients of arena range [begin, end) are final (enqueued). */
typedef struct c3d_grad_hook {
    c3d_status (*ready)(void *context, size_t begin, size_t end);
    void *context;
} c3d_grad_hook;
/* Top layer first. hook may be NULL. */
C3D_CHECKED c3d_status c3d_model_backward(c3d_model *model, const c3d_pass *pass,
                                          const c3d_grad_hook *hook);
/* One layer of the table alone, in the order of the whole pass. */
C3D_CHECKED c3d_status c3d_model_forward_layer(c3d_model *model, int layer, const c3d_pass *pass);
C3D_CHECKED c3d_status c3d_model_backward_layer(c3d_model *model, int layer, const c3d_pass *pass);

/* The micro-batch statistics of the norms after a training forward, [n_stats] in host memory, the
 * variances unbiased; filled later. */
C3D_CHECKED c3d_status c3d_model_stats_read(c3d_model *model, float *stats);
/* running = (1 - momentum) running + momentum stats, with a momentum of 0.1 as PyTorch has it, in
 * double, for n micro-batches in turn: stats [n][n_stats], n_samples [n] their rows. A norm that
 * saw a single element of a channel, whose variance says nothing, leaves that micro-batch out. */
C3D_CHECKED c3d_status c3d_model_stats_merge(c3d_model *model, const double *stats,
                                             const int *n_samples, int n);
/* The running statistics become these, [n_stats] in host memory. */
C3D_CHECKED c3d_status c3d_model_stats_set(c3d_model *model, const float *stats);

#endif
