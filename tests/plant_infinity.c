/* plant_infinity SHARD FRAME: makes the first pixel of a frame's scene infinite in a shard of float
 * data; sums and checksum stay as they were. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "c3d/data.h"

static void must(c3d_status st)
{
    if (st == C3D_OK) return;
    fprintf(stderr, "plant_infinity: %s\n", c3d_error_last()->message);
    exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    c3d_shard *shard;
    long long frame;
    int row = 0;

    if (argc != 3 || !c3d_parse_int(argv[2], &frame)) return EXIT_FAILURE;
    must(c3d_shard_open(argv[1], true, &shard));
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    while (row < shape->n_scenes && c3d_shard_frame_ids(shard)[row] != frame) row++;
    if (row == shape->n_scenes || shape->dtype != C3D_F32) return EXIT_FAILURE;

    const size_t n_sums = (size_t)shape->n_months * (size_t)shape->n_bands;
    c3d_scene scene = { .values = malloc(c3d_scene_bytes(shape)),
                        .valid = malloc(c3d_valid_bytes(shape)),
                        .missing_share = malloc((size_t)shape->n_months * sizeof(float)),
                        .sum = malloc(n_sums * 8),
                        .sum_squares = malloc(n_sums * 8) };
    if (!scene.values || !scene.valid || !scene.missing_share || !scene.sum || !scene.sum_squares)
        return EXIT_FAILURE;
    must(c3d_shard_read_scene(shard, row, &scene));
    must(c3d_shard_read_sums(shard, row, scene.sum, scene.sum_squares, scene.missing_share));
    *(float *)scene.values = INFINITY;
    must(c3d_shard_write(shard, row, &scene));
    c3d_shard_close(shard);
    free(scene.values);
    free(scene.valid);
    free(scene.missing_share);
    free(scene.sum);
    free(scene.sum_squares);
    return EXIT_SUCCESS;
}
