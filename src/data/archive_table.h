/* archive.csv: which quad is there in which month, and how much of it is empty. Private to data. */
#ifndef C3D_DATA_ARCHIVE_TABLE_H
#define C3D_DATA_ARCHIVE_TABLE_H

#include "store.h"

#include "c3d/dataset.h"

#define C3D_ARCHIVE_TABLE_NAME "archive.csv"

/* Writes DIR/archive.csv and says its sum in the log. A quad is a rectangle of the grid that some
 * month has as a file. A row for each quad and month: month, quad (number from the north-west), x,
 * y, width, height (pixels of the frames' grid), status (present; resampled: a file on another grid
 * lies there; missing), files, scenes, share_empty (mean of /missing_share of the scenes whose
 * middle is in the quad, dropped ones too; empty without such scenes). One rank's work. */
C3D_CHECKED c3d_status c3d_archive_table_write(const c3d_dataset_desc *desc,
                                               const c3d_archive *archive, const c3d_frames *frames,
                                               const c3d_store *store);
/* A line for a person; nothing without the file. */
C3D_CHECKED c3d_status c3d_archive_table_describe(const char *dir, c3d_text *out);

#endif
