/* What is done to a scene between reading its pixels and storing it. Private to data.
 * values are [months, bands, pixels] of the shape's type, valid [months, pixels], 1 = observed. */
#ifndef C3D_DATA_SCENE_H
#define C3D_DATA_SCENE_H

#include "c3d/dataset.h"
#include "past.h"

/* Pixels with a value that is not finite in any band are not observations. */
void c3d_scene_mask_not_finite(const c3d_shard_shape *shape, const void *values, uint8_t *valid);
/* Gives pixels that were not observed a value:
 *   previous  that of the last month before it with an observation, else of the next one after it
 *   linear    on the line between these two by number of months, halves rounded up in integer
 *             types; before the first and after the last observation the nearest one
 *   zero      0
 * past: observations before the first month, which count as such; NULL: there are none. A pixel
 * never observed becomes 0 in all months. C3D_ENOMEM. */
C3D_CHECKED c3d_status c3d_scene_fill_gaps(const c3d_shard_shape *shape, c3d_gaps gaps,
                                           const uint8_t *valid, const c3d_past *past,
                                           void *values);
/* Share of unobserved pixels of each month; returns their number over all months. */
size_t c3d_scene_missing(const c3d_shard_shape *shape, const uint8_t *valid, float *share_out);
/* valid are 0 or 1. */
void c3d_scene_pack_valid(const c3d_shard_shape *shape, const uint8_t *valid, uint8_t *bits_out);
void c3d_scene_unpack_valid(const c3d_shard_shape *shape, const uint8_t *bits, uint8_t *valid_out);
/* Sums and sums of squares over observed pixels, [months, bands], of int64 or, for float types,
 * double. False when one does not fit int64 (32-bit pixels only). */
C3D_CHECKED bool c3d_scene_sums(const c3d_shard_shape *shape, const void *values,
                                const uint8_t *valid, void *sum, void *sum_squares);

#endif
