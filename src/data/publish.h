/* A dataset without its pixels: what publish writes and a rebuild reads. Private to data. */
#ifndef C3D_DATA_PUBLISH_H
#define C3D_DATA_PUBLISH_H

#include "census.h"

#define C3D_CHECKSUMS_NAME "checksums.csv"

/* A path as it is published: without the roots, and nothing of it but the name where it is
 * absolute all the same. Borrowed from path. */
const char *c3d_published_path(const c3d_publish_desc *desc, const char *path);
/* frames.gpkg as it is used, written anew so that nothing else comes along. */
C3D_CHECKED c3d_status c3d_frames_publish(const char *from, const char *to,
                                          const c3d_publish_desc *desc);
/* README.md of a package, about the dataset. */
C3D_CHECKED c3d_status c3d_publish_card(const c3d_publish_desc *desc, const c3d_frames *frames,
                                        const c3d_dataset_info *info, c3d_text *out);

/* checksums.csv: frame_id, first_month of the period, status, checksum. */
C3D_CHECKED c3d_status c3d_checksums_write(const char *path, const c3d_store *store);
/* Compares a store's with a published list, without reading scenes; `out` gets a line. C3D_EDATA,
 * naming the first that differs or is not in one of the two. */
C3D_CHECKED c3d_status c3d_checksums_compare(const char *path, const c3d_store *store,
                                             c3d_text *out);

/* Copies a file in one step. */
C3D_CHECKED c3d_status c3d_publish_copy(const char *from, const char *to);

#endif
