#include "c3d/nn.h"

#include <string.h>

#define CONV(label, factor)                                                                        \
    {                                                                                              \
        .kind = C3D_LAYER_CONV, .name = (label), .width_factor = (factor), .relu = true            \
    }
#define CONV_PART(label, factor_, part)                                                            \
    {                                                                                              \
        .kind = C3D_LAYER_CONV, .name = (label), .width_factor = (factor_), .factor = (part),      \
        .relu = true                                                                               \
    }
#define CONV_PARTS(label, factor_)                                                                 \
    CONV_PART(label "_s", factor_, C3D_FACTOR_SPACE),                                              \
        CONV_PART(label "_t", factor_, C3D_FACTOR_TIME)
#define POOL(label, d, h, w)                                                                       \
    {                                                                                              \
        .kind = C3D_LAYER_POOL, .name = (label), .pool = {(d), (h), (w) }                          \
    }
#define POOL_PADDED(label, d, h, w)                                                                \
    {                                                                                              \
        .kind = C3D_LAYER_POOL, .name = (label), .pool = { (d), (h), (w) }, .pad_space = true      \
    }
#define HIDDEN(label)                                                                              \
    {                                                                                              \
        .kind = C3D_LAYER_LINEAR, .name = (label), .width_factor = 1, .relu = true,                \
        .dropout = true                                                                            \
    }
#define LOGITS(label)                                                                              \
    {                                                                                              \
        .kind = C3D_LAYER_LINEAR, .name = (label)                                                  \
    }

/* Tran et al. 2015, "Learning spatiotemporal features with 3D convolutional networks", figure 3:
 * 64 | 128 | 256, 256 | 512, 512 | 512, 512 | 4096, 4096, outputs for a width of 64. */
static const c3d_layer_desc c3d_layers[] = {
    CONV("conv1", 1),
    POOL("pool1", 1, 2, 2), /* the first pool keeps time */
    CONV("conv2", 2),
    POOL("pool2", 2, 2, 2),
    CONV("conv3a", 4),
    CONV("conv3b", 4),
    POOL("pool3", 2, 2, 2),
    CONV("conv4a", 8),
    CONV("conv4b", 8),
    POOL("pool4", 2, 2, 2),
    CONV("conv5a", 8),
    CONV("conv5b", 8),
    POOL_PADDED("pool5", 2, 2, 2),
    HIDDEN("fc6"),
    HIDDEN("fc7"),
    LOGITS("fc8"),
};

/* Its twin without time. */
static const c3d_layer_desc cnn2d_layers[] = {
    CONV("conv1", 1),
    POOL("pool1", 1, 2, 2),
    CONV("conv2", 2),
    POOL("pool2", 1, 2, 2),
    CONV("conv3a", 4),
    CONV("conv3b", 4),
    POOL("pool3", 1, 2, 2),
    CONV("conv4a", 8),
    CONV("conv4b", 8),
    POOL("pool4", 1, 2, 2),
    CONV("conv5a", 8),
    CONV("conv5b", 8),
    POOL_PADDED("pool5", 1, 2, 2),
    HIDDEN("fc6"),
    HIDDEN("fc7"),
    LOGITS("fc8"),
};

/* Each convolution of c3d in two, with a ReLU between them too. */
static const c3d_layer_desc c2plus1d_layers[] = {
    CONV_PARTS("conv1", 1),
    POOL("pool1", 1, 2, 2),
    CONV_PARTS("conv2", 2),
    POOL("pool2", 2, 2, 2),
    CONV_PARTS("conv3a", 4),
    CONV_PARTS("conv3b", 4),
    POOL("pool3", 2, 2, 2),
    CONV_PARTS("conv4a", 8),
    CONV_PARTS("conv4b", 8),
    POOL("pool4", 2, 2, 2),
    CONV_PARTS("conv5a", 8),
    CONV_PARTS("conv5b", 8),
    POOL_PADDED("pool5", 2, 2, 2),
    HIDDEN("fc6"),
    HIDDEN("fc7"),
    LOGITS("fc8"),
};

static const c3d_net nets[] = {
    { .name = "c3d",
      .help = "3x3x3 convolutions over months, rows and columns",
      .one_slice = false,
      .kernel = { 3, 3, 3 },
      .n_layers = (int)C3D_COUNT(c3d_layers),
      .layers = c3d_layers },
    { .name = "cnn2d",
      .help = "the same network on one month, with 3x3 convolutions",
      .one_slice = true,
      .kernel = { 1, 3, 3 },
      .n_layers = (int)C3D_COUNT(cnn2d_layers),
      .layers = cnn2d_layers },
    /* The layers of c3d with kernels along time alone: space is pooled and flattened as there, so
     * that what differs is what the convolutions see. */
    { .name = "tcnn",
      .help = "the same network pixel by pixel, with convolutions over 3 months",
      .one_slice = false,
      .kernel = { 3, 1, 1 },
      .n_layers = (int)C3D_COUNT(c3d_layers),
      .layers = c3d_layers },
    { .name = "cnn2d_stack",
      .help = "the 2D network on all months at once, each band of each month a channel",
      .stacks = true,
      .kernel = { 1, 3, 3 },
      .n_layers = (int)C3D_COUNT(cnn2d_layers),
      .layers = cnn2d_layers },
    { .name = "c2plus1d",
      .help = "c3d with each convolution in two, 1x3x3 and then 3x1x1, of as many weights",
      .kernel = { 3, 3, 3 },
      .n_layers = (int)C3D_COUNT(c2plus1d_layers),
      .layers = c2plus1d_layers },
};

const c3d_net *c3d_net_find(const char *name)
{
    for (size_t i = 0; i < C3D_COUNT(nets); i++)
        if (strcmp(nets[i].name, name) == 0) return &nets[i];
    return NULL;
}

const c3d_net *c3d_net_at(size_t index)
{
    return index < C3D_COUNT(nets) ? &nets[index] : NULL;
}
