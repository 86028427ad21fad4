/* relabel STORE: three classes out of a store with two. Every second negative sample becomes class
 * 2 and its scene gets half the values in the last band, so that pixels tell the three apart.
 * Scenes, their sums and samples.csv are written anew; dataset.json stays as it is. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/scene_buffers.h"

/* One month of the last band, with the sums of its observed pixels. */
static void halve_month(const c3d_shard_shape *shape, scene_buffers *b, size_t month)
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

static c3d_status halve_row(c3d_shard *shard, int row)
{
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    scene_buffers b = { 0 };
    c3d_status st = scene_buffers_read(shard, row, &b);

    for (int month = 0; st == C3D_OK && month < shape->n_months; month++)
        halve_month(shape, &b, (size_t)month);
    if (st == C3D_OK) st = scene_buffers_write(shard, row, &b);
    scene_buffers_free(&b);
    return st;
}

static c3d_status halve_scene(c3d_shard *shard, int64_t frame_id)
{
    for (int row = 0; row < c3d_shard_get_shape(shard)->n_scenes; row++)
        if (c3d_shard_frame_ids(shard)[row] == frame_id) C3D_TRY(halve_row(shard, row));
    return C3D_OK;
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
