/* Planet's mosaics as delivered: a folder a mosaic, quads in it. Private to data. */
#ifndef C3D_DATA_PLANET_H
#define C3D_DATA_PLANET_H

#include "c3d/dataset.h"

/* Patterns of one series of mosaics, which make one archive together. */
typedef struct c3d_planet_patterns {
    int n;
    const char *patterns[2]; /* into text */
    char text[2][C3D_PATH_MAX];
} c3d_planet_patterns;
/* Looks at the names of the folders in `folder`. C3D_EDATA when none is Planet's; C3D_ECONFIG, with
 * the patterns to choose from, when there is more than one series (analytic and visual). */
C3D_CHECKED c3d_status c3d_planet_find(const char *folder, c3d_planet_patterns *out);

#endif
