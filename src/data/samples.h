/* The rule that makes samples of frames. Private to data. */
#ifndef C3D_DATA_SAMPLES_H
#define C3D_DATA_SAMPLES_H

#include "c3d/dataset.h"
#include "store.h"

/* Samples of all present frames that are in a split and whose label is decided, ascending. Ids are
 * a function of frame, label year and month, so that they stay the same when labels or splits are
 * edited. Negatives left out for data.hard_negative_share have split none. */
C3D_CHECKED c3d_status c3d_samples_make(const c3d_dataset_desc *desc, const c3d_frames *frames,
                                        const c3d_store *store, c3d_samples *out);

/* Writes dataset.json anew for what the directory holds now, leaving what it says of samples.csv:
 * that list, its settings and its splits stay. */
C3D_CHECKED c3d_status c3d_dataset_refresh(const c3d_dataset_desc *desc);
/* What data.split_years says of the samples' splits and, with data.split: years, folds; samples of
 * no split are taken out. */
C3D_CHECKED c3d_status c3d_samples_split_by_years(const c3d_dataset_desc *desc,
                                                  c3d_samples *samples);
/* Writes dataset.json for the directory from that of a published dataset. */
C3D_CHECKED c3d_status c3d_dataset_adopt(const c3d_dataset_desc *desc, const char *package);

#endif
