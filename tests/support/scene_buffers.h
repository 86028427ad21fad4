/* Memory for a scene of uint16, to be changed and written back by programs that plant something. */
#ifndef C3D_TESTS_SCENE_BUFFERS_H
#define C3D_TESTS_SCENE_BUFFERS_H

#include <stdlib.h>

#include "c3d/data.h"

typedef struct scene_buffers {
    uint16_t *values;
    uint8_t *valid;
    float *missing_share;
    int64_t *sum, *sum_squares;
} scene_buffers;

static inline c3d_scene scene_of_buffers(const scene_buffers *b)
{
    return (c3d_scene){ b->values, b->valid, b->missing_share, b->sum, b->sum_squares };
}

static inline void scene_buffers_free(scene_buffers *b)
{
    free(b->values);
    free(b->valid);
    free(b->missing_share);
    free(b->sum);
    free(b->sum_squares);
    *b = (scene_buffers){ 0 };
}

/* Of a zeroed one; to be freed whatever comes of it. */
static inline c3d_status scene_buffers_read(c3d_shard *shard, int row, scene_buffers *out)
{
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    const size_t n_months = (size_t)shape->n_months, n_sums = n_months * (size_t)shape->n_bands;

    C3D_ASSERT(shape->dtype == C3D_U16);
    out->values = c3d_calloc(c3d_scene_bytes(shape), 1);
    out->valid = c3d_calloc(c3d_valid_bytes(shape), 1);
    out->missing_share = c3d_calloc(n_months, sizeof(float));
    out->sum = c3d_calloc(n_sums, sizeof(int64_t));
    out->sum_squares = c3d_calloc(n_sums, sizeof(int64_t));
    if (!out->values || !out->valid || !out->missing_share || !out->sum || !out->sum_squares)
        return C3D_ENOMEM;
    c3d_scene scene = scene_of_buffers(out);
    return c3d_shard_read_scene(shard, row, &scene);
}

static inline c3d_status scene_buffers_write(c3d_shard *shard, int row, const scene_buffers *b)
{
    const c3d_scene scene = scene_of_buffers(b);

    C3D_TRY(c3d_shard_write(shard, row, &scene));
    return c3d_shard_mark(shard, row, C3D_SCENE_PRESENT,
                          c3d_scene_checksum(c3d_shard_get_shape(shard), &scene));
}

#endif
