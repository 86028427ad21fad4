/* hidden: a sample with one of its months taken away. Private to data. */
#ifndef C3D_DATA_HIDDEN_H
#define C3D_DATA_HIDDEN_H

#include "dataset_open.h"
#include "places.h"

/* months [n of dataset's samples], 0: none. What a hidden month changes is found by filling the
 * gaps of the frame's scenes again, period by period as they were built. C3D_EDATA when a month is
 * none of the frame's. */
C3D_CHECKED c3d_status c3d_hidden_make(const c3d_dataset *dataset, const c3d_places *places,
                                       const c3d_date *months, c3d_hidden **out);
void c3d_hidden_free(c3d_hidden *hidden); /* NULL is fine */
/* Whether sample `index` has a month to be hidden. */
bool c3d_hidden_has(const c3d_hidden *hidden, uint32_t index);
/* All the months that sample `index` shows, [n_months, bands, y, x], given: free(). */
C3D_CHECKED c3d_status c3d_hidden_read(const c3d_dataset *dataset, uint32_t index, char **out);

#endif
