/* The input path by itself, for bench/run.sh gpu: from the store to the network's input on the
 * device, without a network.
 *
 *   bench_gpu_input make DIR MONTHS SIZE_PX N     a store of N scenes of random uint16, four bands
 *   bench_gpu_input run DIR BACKEND PRECISION MICRO READERS SECONDS
 *
 * run reads epochs in shuffled order until SECONDS have passed, each micro-batch augmented,
 * uploaded and turned into the input, and prints "SCENES SECONDS WAITED BYTES": scenes on the
 * device, for how long the loader was waited for, bytes of a scene in the store. */
#include "c3d/data.h"
#include "c3d/nn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_BANDS      4
#define SHARD_SCENES 512

/* ---- make -------------------------------------------------------------------------------------
 */

typedef struct writer {
    const char *dir;
    c3d_shard_shape shape; /* of a full shard */
    int n;                 /* scenes */
    c3d_date *months;
    c3d_scene scene;
} writer;

static const char *const bands[N_BANDS] = { "blue", "green", "red", "nir" };

static c3d_status allocate(writer *w)
{
    const size_t n_months = (size_t)w->shape.n_months;

    w->months = c3d_calloc(n_months, sizeof *w->months);
    w->scene.values = c3d_calloc(c3d_scene_bytes(&w->shape), 1);
    w->scene.valid = c3d_calloc(c3d_valid_bytes(&w->shape), 1);
    w->scene.missing_share = c3d_calloc(n_months, sizeof(float));
    w->scene.sum = c3d_calloc(n_months * N_BANDS, sizeof(int64_t));
    w->scene.sum_squares = c3d_calloc(n_months * N_BANDS, sizeof(int64_t));
    if (!w->months || !w->scene.values || !w->scene.valid || !w->scene.missing_share ||
        !w->scene.sum || !w->scene.sum_squares)
        return C3D_ENOMEM;
    memset(w->scene.valid, 0xFF, c3d_valid_bytes(&w->shape));
    for (int i = 0; i < w->shape.n_months; i++)
        w->months[i] = (2000 + i / 12) * 10000 + (1 + i % 12) * 100;
    return C3D_OK;
}

static void release(writer *w)
{
    free(w->months);
    free(w->scene.values);
    free(w->scene.valid);
    free(w->scene.missing_share);
    free(w->scene.sum);
    free(w->scene.sum_squares);
}

/* Values of a scene, and their sums by month and band. */
static void draw(writer *w, int number)
{
    const size_t n = (size_t)w->shape.size_px * (size_t)w->shape.size_px;
    uint16_t *values = w->scene.values;
    int64_t *sum = w->scene.sum, *sum_squares = w->scene.sum_squares;
    uint64_t state = (uint64_t)number * 2654435769U + 1;

    for (int plane = 0; plane < w->shape.n_months * N_BANDS; plane++) {
        int64_t s = 0, squares = 0;
        for (size_t i = 0; i < n; i++) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            const uint16_t value = (uint16_t)(state >> 52); /* 0..4095 */
            values[(size_t)plane * n + i] = value;
            s += value;
            squares += (int64_t)value * value;
        }
        sum[plane] = s;
        sum_squares[plane] = squares;
    }
}

static c3d_status write_shard(writer *w, int first, int n, const char *path)
{
    int64_t ids[SHARD_SCENES];
    c3d_shard_shape shape = w->shape;
    c3d_shard *shard;
    c3d_status st = C3D_OK;

    shape.n_scenes = n;
    for (int i = 0; i < n; i++) ids[i] = first + i;
    C3D_TRY(c3d_shard_create(path, &shape, ids, w->months, bands));
    C3D_TRY(c3d_shard_open(path, true, &shard));
    for (int i = 0; st == C3D_OK && i < n; i++) {
        draw(w, first + i);
        st = c3d_shard_write(shard, i, &w->scene);
        if (st == C3D_OK)
            st = c3d_shard_mark(shard, i, C3D_SCENE_PRESENT, c3d_scene_checksum(&shape, &w->scene));
    }
    c3d_shard_close(shard);
    return st;
}

static c3d_status write_samples(const writer *w)
{
    char path[C3D_PATH_MAX];
    c3d_samples samples = { .n = (size_t)w->n,
                            .rows = c3d_calloc((size_t)w->n, sizeof(c3d_sample)) };

    if (!samples.rows) return C3D_ENOMEM;
    for (int i = 0; i < w->n; i++)
        samples.rows[i] =
            (c3d_sample){ .sample_id = i,
                          .frame_id = i,
                          .first_month = w->months[0],
                          .n_months = w->shape.n_months,
                          .label = i % 2,
                          .split = i % 16 == 7 ? C3D_SPLIT_VALIDATION : C3D_SPLIT_TRAIN };
    c3d_status st = c3d_path_join(path, w->dir, "samples.csv");
    if (st == C3D_OK) st = c3d_samples_write(path, &samples);
    c3d_samples_free(&samples);
    return st;
}

static c3d_status write_info(const writer *w, c3d_shard_info *shards, int n_shards)
{
    char *names[N_BANDS] = { "blue", "green", "red", "nir" }, *classes[2] = { "other", "mining" };
    c3d_period period = { .first = w->months[0],
                          .n_months = w->shape.n_months,
                          .months = w->months };
    const c3d_dataset_info info = { .schema = C3D_DATASET_SCHEMA,
                                    .frame_size_px = w->shape.size_px,
                                    .n_bands = N_BANDS,
                                    .bands = names,
                                    .dtype = C3D_U16,
                                    .n_periods = 1,
                                    .periods = &period,
                                    .n_shards = n_shards,
                                    .shards = shards,
                                    .n_classes = 2,
                                    .classes = classes,
                                    .crs_wkt = "",
                                    .pixel_m = { 4.8, 4.8 },
                                    .hash = 1 };

    return c3d_dataset_info_write(w->dir, &info);
}

static c3d_status write_store(writer *w)
{
    const int n_shards = (w->n + SHARD_SCENES - 1) / SHARD_SCENES;
    c3d_shard_info *shards = c3d_calloc((size_t)n_shards, sizeof *shards);
    c3d_status st = shards ? C3D_OK : C3D_ENOMEM;

    for (int i = 0; st == C3D_OK && i < n_shards; i++) {
        const int first = i * SHARD_SCENES, left = w->n - first;
        char path[C3D_PATH_MAX];

        shards[i].n_scenes = left < SHARD_SCENES ? left : SHARD_SCENES;
        (void)snprintf(shards[i].file, sizeof shards[i].file, "scenes-200001-%05d.h5", i);
        st = c3d_path_join(path, w->dir, shards[i].file);
        if (st == C3D_OK) st = write_shard(w, first, shards[i].n_scenes, path);
    }
    if (st == C3D_OK) st = write_samples(w);
    if (st == C3D_OK) st = write_info(w, shards, n_shards);
    free(shards);
    return st;
}

static c3d_status make(char **words)
{
    writer w = { .dir = words[0], .n = atoi(words[3]) };

    w.shape = (c3d_shard_shape){
        .n_months = atoi(words[1]), .n_bands = N_BANDS, .size_px = atoi(words[2]), .dtype = C3D_U16
    };
    if (w.n < 2 || w.shape.n_months < 1 || w.shape.size_px < 1)
        return C3D_FAIL(C3D_EINVAL, "%s months, %s px, %s scenes", words[1], words[2], words[3]);
    C3D_TRY(c3d_make_dirs(w.dir));
    c3d_status st = allocate(&w);
    if (st == C3D_OK) st = write_store(&w);
    release(&w);
    return st;
}

/* ---- run --------------------------------------------------------------------------------------
 */

typedef struct reading {
    c3d_backend backend;
    c3d_dataset *dataset;
    c3d_list list;
    c3d_loader *loader;
    c3d_activation *input;
    int n_pinned;
    int64_t n_scenes;
    double waited_s;
} reading;

#define N_HELD 2 /* batches that the device may still read */

static c3d_status set_up(reading *r, char **words, c3d_precision precision)
{
    C3D_TRY(
        c3d_backend_open(&r->backend, words[1], &(c3d_backend_options){ .precision = precision }));
    C3D_TRY(c3d_dataset_open(words[0], &r->dataset));
    C3D_TRY(c3d_list_make(r->dataset, C3D_SPLIT_TRAIN, 0, 1, &r->list));
    const int micro = atoi(words[3]);
    C3D_TRY(c3d_loader_create(&(c3d_loader_desc){ .dataset = r->dataset,
                                                  .list = &r->list,
                                                  .shuffle = true,
                                                  .augment_symmetry = true,
                                                  .seed = 1,
                                                  .global_batch = micro,
                                                  .micro_batch = micro,
                                                  .n_ranks = 1,
                                                  .n_readers = atoi(words[4]),
                                                  .n_held = N_HELD },
                              &r->loader));
    size_t n_bytes;
    for (void *buffer; (buffer = c3d_loader_buffer(r->loader, r->n_pinned, &n_bytes));
         r->n_pinned++)
        C3D_TRY(r->backend.ops->pin(&r->backend, buffer, n_bytes));
    return r->backend.ops->input_create(&r->backend, c3d_loader_shape(r->loader), &r->input);
}

static void tear_down(reading *r)
{
    size_t n_bytes;

    if (r->input) r->backend.ops->activation_free(&r->backend, r->input);
    for (int i = 0; i < r->n_pinned; i++)
        r->backend.ops->unpin(&r->backend, c3d_loader_buffer(r->loader, i, &n_bytes));
    c3d_loader_destroy(r->loader);
    c3d_list_free(&r->list);
    if (r->dataset) c3d_dataset_close(r->dataset);
    c3d_backend_close(&r->backend);
}

/* An epoch, or as much of it as there is time for. */
static c3d_status read_epoch(reading *r, int epoch, double until_s)
{
    static const float mean[N_BANDS], scale[N_BANDS] = { 1e-3F, 1e-3F, 1e-3F, 1e-3F };
    const int64_t n_steps = c3d_loader_n_steps(r->loader);
    c3d_batch batch;

    C3D_TRY(c3d_loader_start(r->loader, epoch, 0));
    for (int64_t step = 0; step < n_steps && c3d_now_s() < until_s; step++) {
        const int slot = (int)(step % N_HELD);
        /* what the next batch overwrites has been read when the one N_HELD before is through */
        if (step >= N_HELD) C3D_TRY(c3d_backend_await(&r->backend, slot));
        C3D_TRY(c3d_loader_next(r->loader, &batch));
        C3D_TRY(r->backend.ops->input_load(&r->backend, r->input,
                                           &(c3d_input){ .values = batch.values,
                                                         .dtype = C3D_U16,
                                                         .n_samples = batch.n,
                                                         .mean = mean,
                                                         .scale = scale,
                                                         .symmetry = batch.symmetry }));
        C3D_TRY(r->backend.ops->mark(&r->backend, slot));
        r->n_scenes += batch.n;
    }
    r->waited_s += c3d_loader_waited_s(r->loader);
    return r->backend.ops->sync(&r->backend);
}

static c3d_status run_for(reading *r, double seconds)
{
    const c3d_shape x = c3d_loader_shape(r->loader);
    double start_s = c3d_now_s();

    C3D_TRY(read_epoch(r, 0, start_s + 0.2 * seconds)); /* files into memory, buffers touched */
    r->n_scenes = 0;
    r->waited_s = 0;
    start_s = c3d_now_s();
    for (int epoch = 1; c3d_now_s() < start_s + seconds; epoch++)
        C3D_TRY(read_epoch(r, epoch, start_s + seconds));
    printf("%lld %.4f %.4f %zu\n", (long long)r->n_scenes, c3d_now_s() - start_s, r->waited_s,
           c3d_shape_count(x) / (size_t)x.n * sizeof(uint16_t));
    return C3D_OK;
}

static c3d_status run(char **words)
{
    reading r = { 0 };
    c3d_precision precision = C3D_PRECISION_FP32;

    while (strcmp(words[2], c3d_precision_name(precision)) != 0)
        if (precision++ == C3D_PRECISION_FP16)
            return C3D_FAIL(C3D_EINVAL, "%s: expected fp32|tf32|bf16|fp16", words[2]);
    c3d_status st = set_up(&r, words, precision);
    if (st == C3D_OK) st = run_for(&r, strtod(words[5], NULL));
    tear_down(&r);
    return st;
}

int main(int argc, char **argv)
{
    c3d_status st = C3D_EINVAL;

    if (argc == 6 && !strcmp(argv[1], "make")) {
        st = make(argv + 2);
    } else if (argc == 8 && !strcmp(argv[1], "run")) {
        st = run(argv + 2);
    } else {
        (void)fprintf(stderr, "usage: bench_gpu_input make DIR MONTHS SIZE_PX N\n"
                              "       bench_gpu_input run DIR BACKEND PRECISION MICRO READERS "
                              "SECONDS\n");
        return 2;
    }
    if (st != C3D_OK) (void)fprintf(stderr, "bench_gpu_input: %s\n", c3d_error_last()->message);
    return st == C3D_OK ? 0 : 1;
}
