/* Parts of c3d_dataset_describe. Private to data. */
#ifndef C3D_DATA_DESCRIBE_H
#define C3D_DATA_DESCRIBE_H

#include "store.h"

#include "c3d/dataset.h"

/* Appends how many frames were edited by hand, by kind; nothing when none was. */
C3D_CHECKED c3d_status c3d_describe_edits(const c3d_frames *frames, const c3d_store *store,
                                          c3d_text *out);

#endif
