/* Negatives that look like mines: counted, and given a share of the training negatives. Private to
 * data. */
#ifndef C3D_DATA_HARD_NEGATIVES_H
#define C3D_DATA_HARD_NEGATIVES_H

#include "c3d/dataset.h"

/* Whether a sample is a negative whose frame holds what data.hard_negatives names: in its label
 * year, or, of a series, in any. */
bool c3d_sample_is_hard(const c3d_frames *frames, const c3d_sample *sample);
/* Other negatives get split none, drawn by seed, until hard ones are data.hard_negative_share of
 * the negatives of the training split (of all splits where there are folds: each trains). */
C3D_CHECKED c3d_status c3d_samples_thin(const c3d_dataset_desc *desc, const c3d_frames *frames,
                                        c3d_samples *samples);

#endif
