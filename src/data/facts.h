/* The steps of c3d_list_facts_find. Private to data. */
#ifndef C3D_DATA_FACTS_H
#define C3D_DATA_FACTS_H

#include "dataset_open.h"
#include "frames.h"

typedef struct fact_finder {
    const c3d_dataset *dataset;
    const c3d_list *list;
    const c3d_frames *frames;
    const char *gpkg;
    size_t *frame; /* [list.n] rows of frames; (size_t)-1: it is not there */
    c3d_list_facts *facts;
} fact_finder;

/* blocks_out: [n] by row of frames, the lowest frame_id of its block; km_out: side of the squares,
 * 0: there are none. gpkg: the frames' file, for the log. */
C3D_CHECKED c3d_status c3d_facts_frame_blocks(const c3d_frames *frames, const char *gpkg,
                                              int64_t *blocks_out, double *km_out);
C3D_CHECKED c3d_status c3d_facts_blocks(const fact_finder *in);
C3D_CHECKED c3d_status c3d_facts_regions(const fact_finder *in, const c3d_regions_desc *regions);
C3D_CHECKED c3d_status c3d_facts_hectares(const fact_finder *in);
C3D_CHECKED c3d_status c3d_facts_population(const fact_finder *in);

#endif
