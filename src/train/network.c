#include "train/checkpoint.h"

static const char *const network_names[] = {
    [C3D_CONFIG_NETWORK_C3D] = "c3d",
    [C3D_CONFIG_NETWORK_CNN2D] = "cnn2d",
    [C3D_CONFIG_NETWORK_TCNN] = "tcnn",
};
static const c3d_slice slices[] = {
    [C3D_CONFIG_SLICE_FIRST] = C3D_SLICE_FIRST,   [C3D_CONFIG_SLICE_MIDDLE] = C3D_SLICE_MIDDLE,
    [C3D_CONFIG_SLICE_LAST] = C3D_SLICE_LAST,     [C3D_CONFIG_SLICE_RANDOM] = C3D_SLICE_RANDOM,
    [C3D_CONFIG_SLICE_MEDIAN] = C3D_SLICE_MEDIAN,
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
        .seed = (uint64_t)config->data.seed,
        .focal_gamma =
            config->train.loss == C3D_CONFIG_LOSS_FOCAL ? (float)config->train.focal_gamma : 0,
    };
}

c3d_status c3d_choose_time(const c3d_config *config, c3d_dataset *dataset)
{
    return c3d_dataset_choose_time(dataset, times[config->data.time], config->data.time_months);
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
