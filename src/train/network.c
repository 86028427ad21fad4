#include "train/checkpoint.h"

#include <inttypes.h>

static const char *const network_names[] = {
    [C3D_CONFIG_NETWORK_C3D] = "c3d",           [C3D_CONFIG_NETWORK_CNN2D] = "cnn2d",
    [C3D_CONFIG_NETWORK_TCNN] = "tcnn",         [C3D_CONFIG_NETWORK_CNN2D_STACK] = "cnn2d_stack",
    [C3D_CONFIG_NETWORK_C2PLUS1D] = "c2plus1d",
};
static const c3d_slice slices[] = {
    [C3D_CONFIG_SLICE_FIRST] = C3D_SLICE_FIRST,   [C3D_CONFIG_SLICE_MIDDLE] = C3D_SLICE_MIDDLE,
    [C3D_CONFIG_SLICE_LAST] = C3D_SLICE_LAST,     [C3D_CONFIG_SLICE_RANDOM] = C3D_SLICE_RANDOM,
    [C3D_CONFIG_SLICE_MEDIAN] = C3D_SLICE_MEDIAN, [C3D_CONFIG_SLICE_EVERY] = C3D_SLICE_EVERY,
};
static const c3d_time_mode times[] = {
    [C3D_CONFIG_TIME_ALL] = C3D_TIME_ALL,
    [C3D_CONFIG_TIME_WINDOW] = C3D_TIME_WINDOW,
    [C3D_CONFIG_TIME_STRIDE] = C3D_TIME_STRIDE,
};
static const char *const backend_names[] = {
    [C3D_CONFIG_DEVICE_AUTO] = "auto",
    [C3D_CONFIG_DEVICE_CPU] = "cpu",
    [C3D_CONFIG_DEVICE_CUDA] = "cuda",
};

void c3d_network_from_config(const c3d_config *config, c3d_network_desc *out)
{
    *out = (c3d_network_desc){
        .model = {
            .network = network_names[config->model.network],
            .width = config->model.width,
            .fc = config->model.fc,
            .outputs = config->model.outputs,
            .dropout = config->model.dropout,
            .pool5_padding = config->model.pool5_padding,
            .batch_norm = config->model.normalization == C3D_CONFIG_NORMALIZATION_BATCH,
        },
        .slice = slices[config->data.slice],
        .months_shuffled = config->data.month_order == C3D_CONFIG_MONTH_ORDER_SHUFFLED,
        .seed = (uint64_t)config->data.seed,
        .focal_gamma =
            config->train.loss == C3D_CONFIG_LOSS_FOCAL ? (float)config->train.focal_gamma : 0,
    };
}

c3d_status c3d_choose_time(const c3d_config *config, c3d_dataset *dataset)
{
    return c3d_dataset_choose_time(dataset, times[config->data.time], config->data.time_months);
}

c3d_status c3d_network_set_input(const c3d_config *config, const c3d_loader_size *input,
                                 c3d_network_desc *network)
{
    const c3d_config_match match = config->model.match_parameters;
    c3d_model_desc like = network->model;
    c3d_shape_table table;

    network->model.x = input->shape;
    if (match == C3D_CONFIG_MATCH_NONE) return C3D_OK;
    like.network = network_names[match - 1];
    like.width = config->model.width;
    like.x = input->shape;
    like.x.d = c3d_net_find(like.network)->one_slice ? 1 : input->n_months;
    C3D_TRY(c3d_shape_table_make(&like, &table));
    network->n_params_wanted = table.n_params;
    return c3d_width_for(&network->model, table.n_params, &network->model.width);
}

void c3d_network_say_width(const c3d_config *config, const c3d_network_desc *network,
                           uint64_t n_params, c3d_text *out)
{
    if (network->n_params_wanted == 0) return;
    c3d_text_add(out,
                 "model.match_parameters: %s has %" PRIu64 " parameters at model.width %d; %s has "
                 "%" PRIu64 " (%+.2f %%) at width %d, which is taken\n",
                 network_names[config->model.match_parameters - 1], network->n_params_wanted,
                 config->model.width, network->model.network, n_params,
                 100 * ((double)n_params / (double)network->n_params_wanted - 1),
                 network->model.width);
}

void c3d_network_set_statistics(c3d_network_desc *network, int band, double mean, double deviation)
{
    network->mean[band] = (float)mean;
    network->scale[band] = (float)(1 / deviation);
}

c3d_precision c3d_precision_from(c3d_config_precision precision)
{
    static const c3d_precision precisions[] = {
        [C3D_CONFIG_PRECISION_FP32] = C3D_PRECISION_FP32,
        [C3D_CONFIG_PRECISION_TF32] = C3D_PRECISION_TF32,
        [C3D_CONFIG_PRECISION_BF16] = C3D_PRECISION_BF16,
        [C3D_CONFIG_PRECISION_FP16] = C3D_PRECISION_FP16,
    };

    return precisions[precision];
}

const char *c3d_device_name(const c3d_config *config)
{
    return backend_names[config->run.device];
}
