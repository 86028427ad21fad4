/* relabel STORE: three classes out of a store with two. Every second negative sample becomes class
 * 2 and its scene gets half the values in the last band, so that pixels tell the three apart.
 * Scenes, their sums and samples.csv are written anew; dataset.json stays as it is. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "c3d/data.h"

typedef struct buffers {
    uint16_t *values;
    uint8_t *valid;
    float *missing_share;
    int64_t *sum, *sum_squares;
} buffers;

static c3d_status allocate(const c3d_shard_shape *shape, buffers *b)
{
    const size_t n_months = (size_t)shape->n_months, n_sums = n_months * (size_t)shape->n_bands;

    b->values = c3d_calloc(c3d_scene_bytes(shape), 1);
    b->valid = c3d_calloc(c3d_valid_bytes(shape), 1);
    b->missing_share = c3d_calloc(n_months, sizeof(float));
    b->sum = c3d_calloc(n_sums, sizeof(int64_t));
    b->sum_squares = c3d_calloc(n_sums, sizeof(int64_t));
    return b->values && b->valid && b->missing_share && b->sum && b->sum_squares ? C3D_OK
                                                                                 : C3D_ENOMEM;
}

/* One month of the last band, with the sums of its observed pixels. */
static void halve_month(const c3d_shard_shape *shape, buffers *b, size_t month)
{
    const size_t size = (size_t)shape->size_px, n_bytes = (size + 7) / 8;
    const size_t band = (month + 1) * (size_t)shape->n_bands - 1;

    b->sum[band] = b->sum_squares[band] = 0;
    for (size_t y = 0; y < size; y++) {
        for (size_t x = 0; x < size; x++) {
            uint16_t *value = &b->values[(band * size + y) * size + x];
            const uint8_t bits = b->valid[(month * size + y) * n_bytes + x / 8];
            *value /= 2;
            if (!(bits >> (7 - x % 8) & 1)) continue;
            b->sum[band] += *value;
            b->sum_squares[band] += (int64_t)*value * *value;
        }
    }
}

static c3d_status halve_row(c3d_shard *shard, int row, buffers *b)
{
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    c3d_scene scene = { b->values, b->valid, b->missing_share, b->sum, b->sum_squares };

    C3D_TRY(c3d_shard_read_scene(shard, row, &scene));
    for (int month = 0; month < shape->n_months; month++) halve_month(shape, b, (size_t)month);
    C3D_TRY(c3d_shard_write(shard, row, &scene));
    return c3d_shard_mark(shard, row, C3D_SCENE_PRESENT, c3d_scene_checksum(shape, &scene));
}

static c3d_status halve_scene(c3d_shard *shard, int64_t frame_id)
{
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    buffers b = { 0 };
    c3d_status st = shape->dtype == C3D_U16 ? allocate(shape, &b) : C3D_EDATA;

    for (int row = 0; st == C3D_OK && row < shape->n_scenes; row++)
        if (c3d_shard_frame_ids(shard)[row] == frame_id) st = halve_row(shard, row, &b);
    free(b.values);
    free(b.valid);
    free(b.missing_share);
    free(b.sum);
    free(b.sum_squares);
    return st;
}

static c3d_status relabel(c3d_shard *shard, c3d_samples *samples)
{
    int n = 0;

    for (size_t i = 0; i < samples->n; i++) {
        c3d_sample *sample = &samples->rows[i];
        if (sample->label != 0 || n++ % 2 == 0) continue;
        sample->label = 2;
        C3D_TRY(halve_scene(shard, sample->frame_id));
    }
    return C3D_OK;
}

int main(int argc, char **argv)
{
    char samples_path[C3D_PATH_MAX], shard_path[C3D_PATH_MAX];
    c3d_dataset_info info = { 0 };
    c3d_samples samples = { 0 };
    c3d_shard *shard = NULL;
    c3d_status st;

    if (argc != 2) return EXIT_FAILURE;
    C3D_TRY_TO(done, c3d_dataset_info_read(argv[1], &info));
    C3D_ASSERT(info.n_shards == 1);
    C3D_TRY_TO(done, c3d_path_join(samples_path, argv[1], "samples.csv"));
    C3D_TRY_TO(done, c3d_path_join(shard_path, argv[1], info.shards[0].file));
    C3D_TRY_TO(done, c3d_samples_read(samples_path, &samples));
    C3D_TRY_TO(done, c3d_shard_open(shard_path, true, &shard));
    C3D_TRY_TO(done, relabel(shard, &samples));
    C3D_TRY_TO(done, c3d_samples_write(samples_path, &samples));
done:
    if (st != C3D_OK) printf("%s\n", c3d_error_last()->message);
    c3d_shard_close(shard);
    c3d_samples_free(&samples);
    c3d_dataset_info_free(&info);
    return st == C3D_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
