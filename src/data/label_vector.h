/* Polygons and points as labels. Private to data. */
#ifndef C3D_DATA_LABEL_VECTOR_H
#define C3D_DATA_LABEL_VECTOR_H

#include "frames.h"

/* By the end of its name: GeoPackage, GeoJSON, Shapefile, FlatGeobuf, KML. */
bool c3d_label_is_vector(const char *path);
/* The years in data.label_date_field, ascending; given. C3D_EDATA when there is none. */
C3D_CHECKED c3d_status c3d_label_vector_years(const c3d_dataset_desc *desc, const char *path,
                                              int **years_out, int *n_out);
/* The features of all classes of one year's files, in the pixels of the frames' grid. Refuses files
 * of another place, and those none of whose features is of a class. */
C3D_CHECKED c3d_status c3d_label_vector_open(const c3d_dataset_desc *desc, const c3d_frames *frames,
                                             const c3d_archive_month *year, c3d_shapes **out);

#endif
