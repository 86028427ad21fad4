/* A shard of scenes: opened, and all that it says it has is read. */
#include "fuzz/target.h"

#include <stdlib.h>

#include "c3d/data.h"

/* More than the largest seed has: what a file claims beyond its own size is refused on opening. */
enum { SCENE_BYTES_MAX = 1 << 24 };

static void read_all(c3d_shard *shard)
{
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    const size_t n = (size_t)shape->n_scenes, n_months = (size_t)shape->n_months;
    const size_t n_sums = n_months * (size_t)shape->n_bands;
    uint8_t *status = c3d_calloc(n + 1, 1);
    uint64_t *checksums = c3d_calloc(n + 1, 8);

    if (c3d_scene_bytes(shape) > SCENE_BYTES_MAX) abort();
    c3d_scene scene = { .values = c3d_calloc(1, c3d_scene_bytes(shape) + 1),
                        .valid = c3d_calloc(1, c3d_valid_bytes(shape) + 1),
                        .missing_share = c3d_calloc(n_months + 1, sizeof(float)),
                        .sum = c3d_calloc(n_sums + 1, 8),
                        .sum_squares = c3d_calloc(n_sums + 1, 8) };
    c3d_status st = c3d_shard_read_status(shard, status);
    if (st == C3D_OK) st = c3d_shard_read_checksums(shard, checksums);
    for (int row = 0; st == C3D_OK && row < shape->n_scenes; row++)
        st = c3d_shard_read_scene(shard, row, &scene);
    free(scene.values);
    free(scene.valid);
    free(scene.missing_share);
    free(scene.sum);
    free(scene.sum_squares);
    free(status);
    free(checksums);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *path = fuzz_file("scenes-202009-00000.h5", bytes, n, NULL);
    c3d_shard *shard = NULL;

    if (c3d_shard_open(path, false, &shard) != C3D_OK) return 0;
    read_all(shard);
    c3d_shard_close(shard);
    return 0;
}
