/* That cuDNN has a plan for every convolution that the backend for GPUs will ask for, of every
 * network, in every precision, on GPUs that are not here: cuDNN plans for a device from a JSON of
 * its properties (tests/cuda/NAME.json). Without a driver its engines that are compiled at run time
 * are missing; what only they can do the backend does in two steps, and both of these must be there
 * (src/backend/cuda/conv.c).
 *   test_cuda_plans DIR            the test, DIR with the JSON files
 *   test_cuda_plans DIR --table    what was found, as docs/gpu-plans.md shows it */
#include "backend/cuda/dnn.h"
#include "c3d/nn.h"

#include <cudnn.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES ((size_t)1 << 31) /* no convolution is given larger tensors */

typedef struct device {
    const char *name, *file;
    bool has_bf16; /* and tf32 */
} device;

static const device devices[] = {
    { "H200 (sm_90)", "h200.json", true },
    { "A100 (sm_80)", "a100.json", true },
    { "T4 (sm_75)", "t4.json", false },
};

typedef struct network {
    const char *what;
    c3d_model_desc desc;
    bool every_precision; /* otherwise bf16 and fp32 (fp16 and fp32 where there is no bf16) */
} network;

#define NET(label, net, rows, months, px, filters, every)                                          \
    {                                                                                              \
        .what = (label), .every_precision = (every), .desc = {                                     \
            .network = (net),                                                                      \
            .x = { .n = (rows), .c = 4, .d = (months), .h = (px), .w = (px) },                     \
            .width = (filters),                                                                    \
            .fc = 64,                                                                              \
            .outputs = 1,                                                                          \
            .pool5_padding = true,                                                                 \
            .training = true                                                                       \
        }                                                                                          \
    }
static const network networks[] = {
    NET("c3d, 16 months, 112 px, batch 64", "c3d", 64, 16, 112, 64, true),
    NET("c3d, 45 months, 112 px, batch 64", "c3d", 64, 45, 112, 64, false),
    NET("cnn2d, 112 px, batch 64", "cnn2d", 64, 1, 112, 64, false),
    NET("tcnn, 16 months, 112 px, batch 64", "tcnn", 64, 16, 112, 64, false),
    NET("c3d of the demo, 12 months, 32 px, batch 8", "c3d", 8, 12, 32, 8, false),
    NET("c3d, width 5, 7 months, 33 px, batch 3", "c3d", 3, 7, 33, 5, false),
};

#define N_TABLES ((size_t)4) /* the first of them */

static int n_asked, n_missing;

static int rounded(int channels)
{
    return (channels + 7) / 8 * 8;
}

/* The largest piece of the batch that the backend would take. */
static int rows_of(const c3d_layer_info *layer, c3d_precision precision)
{
    const size_t bytes = precision == C3D_PRECISION_FP32 || precision == C3D_PRECISION_TF32 ? 4 : 2;
    c3d_shape x = layer->x, y = layer->y;

    x.c = rounded(x.c), y.c = rounded(y.c);
    const size_t x_row = c3d_shape_sample_count(x), y_row = c3d_shape_sample_count(y);
    const size_t fit = PIECE_BYTES / ((x_row > y_row ? x_row : y_row) * bytes);
    return fit < (size_t)layer->x.n ? (int)fit : layer->x.n;
}

static c3d_dnn_conv conv_of(const c3d_layer_info *layer, c3d_dnn_kind kind, c3d_precision precision)
{
    c3d_dnn_conv conv = { .kind = kind, .precision = precision, .x = layer->x, .y = layer->y };

    conv.x.n = conv.y.n = rows_of(layer, precision);
    conv.x.c = rounded(conv.x.c);
    conv.y.c = rounded(conv.y.c);
    memcpy(conv.kernel, layer->op.kernel, sizeof conv.kernel);
    memcpy(conv.stride, layer->op.stride, sizeof conv.stride);
    memcpy(conv.pad_before, layer->op.pad_before, sizeof conv.pad_before);
    memcpy(conv.pad_after, layer->op.pad_after, sizeof conv.pad_after);
    return conv;
}

/* A plan's engine and workspace. */
static bool ask(c3d_dnn *dnn, const c3d_dnn_conv *conv, int *engine, size_t *workspace)
{
    c3d_dnn_plan *plan = NULL;
    char text[96];
    const c3d_status st = c3d_dnn_plan_create(dnn, conv, &plan);

    n_asked++;
    if (st == C3D_OK) {
        if (sscanf(c3d_dnn_plan_text(plan, text), "engine %d", engine) != 1) *engine = -1;
        *workspace = c3d_dnn_plan_workspace(plan);
        c3d_dnn_plan_free(plan);
        return true;
    }
    if (st != C3D_EUNSUPPORTED) { /* the backend would not go on to its second way */
        printf("%s\n", c3d_error_last()->message);
        n_missing++;
    }
    return false;
}

/* What the backend takes without run-time compilation. */
static const c3d_dnn_kind demanded[] = { C3D_DNN_FORWARD, C3D_DNN_FORWARD_BIAS_RELU,
                                         C3D_DNN_BACKWARD_X, C3D_DNN_BACKWARD_W_LOW };

static bool is_needed(const c3d_layer_info *layer, c3d_dnn_kind kind)
{
    return kind != C3D_DNN_BACKWARD_X || layer->op.needs_x_grad;
}

static void check_layer(c3d_dnn *dnn, const device *d, const c3d_layer_info *layer,
                        c3d_precision precision)
{
    int engine;
    size_t workspace;

    for (size_t k = 0; k < C3D_COUNT(demanded); k++) {
        const c3d_dnn_conv conv = conv_of(layer, demanded[k], precision);
        if (!is_needed(layer, demanded[k]) || ask(dnn, &conv, &engine, &workspace)) continue;
        printf("%s: %s: %s\n", d->name, layer->name, c3d_error_last()->message);
        n_missing++;
    }
}

static bool is_wanted(const device *d, const network *net, c3d_precision precision)
{
    const bool needs_80 = precision == C3D_PRECISION_BF16 || precision == C3D_PRECISION_TF32;

    if (needs_80 && !d->has_bf16) return false;
    return net->every_precision || precision == C3D_PRECISION_FP32 ||
           precision == (d->has_bf16 ? C3D_PRECISION_BF16 : C3D_PRECISION_FP16);
}

/* conv5b is conv5a once more. */
static bool is_repeated(const c3d_shape_table *table, int i)
{
    for (int j = 0; j < i; j++)
        if (table->layers[j].op.op == C3D_OP_CONV &&
            memcmp(&table->layers[j].x, &table->layers[i].x, sizeof(c3d_shape)) == 0 &&
            memcmp(&table->layers[j].y, &table->layers[i].y, sizeof(c3d_shape)) == 0)
            return true;
    return false;
}

static void print_intro(void)
{
    const size_t version = cudnnGetVersion();

    printf(
        "# cuDNN's plans for GPUs that are not here\n\n"
        "Made by `test_cuda_plans tests/cuda --table` with cuDNN %zu.%zu.%zu, which plans from "
        "the\n"
        "properties of a device (`tests/cuda/*.json`; those of A100 and T4 are put together from\n"
        "published figures). Nothing ran: these are the engines that its heuristics name first, "
        "with\n"
        "`run.deterministic` off and at most 4 GiB of workspace; `model.autotune` may take others. "
        "Each\n"
        "cell has an engine a precision, in the order named above the table, `-` for none; then "
        "the\n"
        "most workspace of a layer. The first layer needs no gradient of its input.\n\n"
        "Only run-time compiled engines, which need a driver to be made ready, take "
        "`backward_x_relu`\n"
        "and, with 16 bits, `backward_w` (float32 out). Without them the backend takes "
        "`backward_x`\n"
        "and `backward_w_low` and finishes with kernels of its own.\n\n"
        "Convolutions that are idle along months (cnn2d) or along rows and columns (tcnn) are "
        "planned in\n"
        "two dimensions. In three, cuDNN proposes a generic engine (0) for some of their weight\n"
        "gradients in float32, which in two it does not.\n",
        version / 10000, version / 100 % 100, version % 100);
}

static void table_head(const device *d, const network *net)
{
    printf("\n%s, %s. Engines of", d->name, net->what);
    for (int p = C3D_PRECISION_FP32; p <= C3D_PRECISION_FP16; p++)
        if (is_wanted(d, net, (c3d_precision)p))
            printf(" %s", c3d_precision_name((c3d_precision)p));
    printf(":\n\n| layer |");
    for (size_t k = 0; k < C3D_COUNT(demanded); k++)
        printf(" %s |", c3d_dnn_kind_name(demanded[k]));
    printf(" most workspace, MiB |\n| --- | --- | --- | --- | --- | --- |\n");
}

static void table_row(c3d_dnn *dnn, const device *d, const network *net,
                      const c3d_layer_info *layer)
{
    size_t most[C3D_PRECISION_FP16 + 1] = { 0 };

    printf("| %s |", layer->name);
    for (size_t k = 0; k < C3D_COUNT(demanded); k++) {
        for (int p = C3D_PRECISION_FP32; p <= C3D_PRECISION_FP16; p++) {
            const c3d_dnn_conv conv = conv_of(layer, demanded[k], (c3d_precision)p);
            int engine;
            size_t workspace = 0;

            if (!is_wanted(d, net, (c3d_precision)p) || !is_needed(layer, demanded[k])) continue;
            if (ask(dnn, &conv, &engine, &workspace))
                printf(" %d", engine);
            else
                printf(" -");
            if (workspace > most[p]) most[p] = workspace;
        }
        printf(" |");
    }
    for (int p = C3D_PRECISION_FP32; p <= C3D_PRECISION_FP16; p++)
        if (is_wanted(d, net, (c3d_precision)p)) printf(" %zu", most[p] >> 20);
    printf(" |\n");
    (void)fflush(stdout);
}

static void walk(c3d_dnn *dnn, const device *d, const network *net, bool as_table)
{
    c3d_shape_table table;

    if (c3d_shape_table_make(&net->desc, &table) != C3D_OK) {
        printf("%s: %s\n", net->what, c3d_error_last()->message);
        n_missing++;
        return;
    }
    if (as_table) table_head(d, net);
    for (int i = 0; i < table.n_layers; i++) {
        if (table.layers[i].op.op != C3D_OP_CONV || is_repeated(&table, i)) continue;
        if (as_table) table_row(dnn, d, net, &table.layers[i]);
        for (int p = C3D_PRECISION_FP32; p <= C3D_PRECISION_FP16 && !as_table; p++)
            if (is_wanted(d, net, (c3d_precision)p))
                check_layer(dnn, d, &table.layers[i], (c3d_precision)p);
    }
}

/* cuDNN 9.28 wants a driver's library to be there even where it plans without a device. */
static void skip_without_driver(void)
{
    if (!strstr(c3d_error_last()->message, "SUBLIBRARY_LOADING_FAILED")) return;
    printf("skipped: this cuDNN does not plan without libcuda.so.1: %s\n",
           c3d_error_last()->message);
    exit(77);
}

static void try_device(const char *dir, const device *d, bool as_table)
{
    char path[C3D_PATH_MAX], *json = NULL;
    c3d_dnn *dnn = NULL;
    c3d_status st = c3d_path_join(path, dir, d->file);

    if (st == C3D_OK) st = c3d_file_read(path, &json, NULL);
    if (st == C3D_OK) st = c3d_dnn_open(&(c3d_dnn_options){ .device_json = json }, &dnn);
    if (st == C3D_OK) {
        for (size_t i = 0; i < (as_table ? N_TABLES : C3D_COUNT(networks)); i++)
            walk(dnn, d, &networks[i], as_table);
    } else {
        skip_without_driver();
        printf("%s: %s\n", d->name, c3d_error_last()->message);
        n_missing++;
    }
    c3d_dnn_close(dnn);
    free(json);
}

int main(int argc, char **argv)
{
    const bool as_table = argc == 3 && strcmp(argv[2], "--table") == 0;

    if (argc != 2 && !as_table) return 2;
    if (as_table) print_intro();
    for (size_t i = 0; i < C3D_COUNT(devices); i++) try_device(argv[1], &devices[i], as_table);
    if (!as_table) printf("%d plans asked for, %d missing\n", n_asked, n_missing);
    return n_missing > 0;
}
