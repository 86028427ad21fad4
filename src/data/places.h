/* Where the scenes of a dataset's frames are. Private to data. */
#ifndef C3D_DATA_PLACES_H
#define C3D_DATA_PLACES_H

#include "dataset_open.h"

/* Where a frame's scene of one period is. */
typedef struct c3d_scene_place {
    int64_t frame_id;
    int period, shard, row;
    uint8_t status; /* c3d_scene_status */
} c3d_scene_place;

typedef struct c3d_places {
    size_t n;
    c3d_scene_place *rows; /* ascending frame_id, then period */
} c3d_places;

/* Of all shards of the dataset. C3D_EDATA when a frame is twice in a period. */
C3D_CHECKED c3d_status c3d_places_list(const c3d_dataset *dataset, c3d_places *out);
void c3d_places_free(c3d_places *places);
/* NULL: the period has no row of the frame. */
const c3d_scene_place *c3d_places_at(const c3d_places *all, int64_t frame_id, int period);
/* The segments of all samples of the dataset. C3D_EDATA names one whose months are not there. */
C3D_CHECKED c3d_status c3d_places_find_samples(const c3d_places *all, c3d_dataset *dataset);

#endif
