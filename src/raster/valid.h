/* Validity of a file's pixels. Private to raster. */
#ifndef C3D_RASTER_VALID_H
#define C3D_RASTER_VALID_H

#include "gdal.h"

/* False when validity of these bands does not depend on their values. */
bool c3d_valid_needs_values(const raster_file *file, const file_request *want);
/* By nodata, NaN and zeros; values [band, n] of the file's type, or NULL when they do not matter.
 */
void c3d_valid_from_values(const raster_file *file, const file_request *want, const void *values,
                           size_t n, uint8_t *valid);
/* Alpha 0 and the file's own mask make pixels of the window invalid as well. */
C3D_CHECKED c3d_status c3d_valid_from_masks(GDALDatasetH dataset, const raster_file *file,
                                            c3d_window window, uint8_t *valid);

#endif
