/* Between the sources of --debug. */
#ifndef C3D_TRAIN_DEBUG_H
#define C3D_TRAIN_DEBUG_H

#include "c3d/train.h"

/* Of the rows in use of an array. */
typedef struct c3d_array_stats {
    double min, mean, max, rms;
    double zeros;    /* share of elements */
    int n_dead;      /* channels that are zero everywhere */
    bool has_values; /* false: no such array */
    bool is_finite;
} c3d_array_stats;

typedef struct c3d_layer_stats {
    c3d_array_stats output;        /* after ReLU */
    c3d_array_stats gradient;      /* of the output */
    c3d_array_stats weight_change; /* gradient of the weights */
    double forward_s, backward_s;
} c3d_layer_stats;

typedef struct c3d_debug {
    const c3d_debug_desc *desc;
    c3d_model *model;
    c3d_pass pass;
    c3d_findings *findings;
    c3d_array_stats input;
    c3d_layer_stats layers[C3D_MAX_LAYERS];
} c3d_debug;

C3D_CHECKED c3d_status c3d_debug_say(const c3d_debug *d, const char *format, ...) C3D_PRINTF(2, 3);
/* Notes a finding; beyond C3D_MAX_FINDINGS they are dropped. */
void c3d_debug_find(c3d_debug *d, c3d_finding_kind kind, int layer, const char *format, ...)
    C3D_PRINTF(4, 5);
static inline const char *c3d_debug_name(const c3d_debug *d, int layer)
{
    return d->model->table.layers[layer].name;
}

c3d_array_stats c3d_array_stats_of(const float *values, c3d_shape shape, int n_rows);
/* Root mean square of a parameter. */
C3D_CHECKED c3d_status c3d_debug_param_rms(const c3d_debug *d, int p, double *out);
/* Mean loss of the batch as loaded; with_grad: and the gradient of the logits. C3D_ESTOPPED when
 * asked to stop. */
C3D_CHECKED c3d_status c3d_debug_loss(c3d_debug *d, bool with_grad, double *out);

/* ---- stages, in this order ---- */

/* Forward and backward with statistics and times; every layer against the reference on the way. */
C3D_CHECKED c3d_status c3d_debug_layers(c3d_debug *d);
/* One layer, whose backward pass has just run: dy is the gradient of its output before it. */
C3D_CHECKED c3d_status c3d_debug_compare(c3d_debug *d, int layer, const float *dy);
C3D_CHECKED c3d_status c3d_debug_differences(c3d_debug *d);
C3D_CHECKED c3d_status c3d_debug_overfit(c3d_debug *d);

#endif
