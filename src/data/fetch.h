/* fetch: one sample's values, as a network is shown them. Private to data. */
#ifndef C3D_DATA_FETCH_H
#define C3D_DATA_FETCH_H

#include "dataset_open.h"

/* to [band, month, y, x] (one_slice: [band, y, x]) of sample `index`. chosen is the month of
 * SLICE_RANDOM and SLICE_EVERY, within the sample. scratch holds the sample as stored,
 * c3d_fetch_scratch_bytes. */
typedef struct c3d_fetch_desc {
    const c3d_dataset *dataset;
    bool one_slice;
    c3d_slice slice;
} c3d_fetch_desc;
size_t c3d_fetch_scratch_bytes(size_t month_bytes, int n_months_most);
C3D_CHECKED c3d_status c3d_fetch_sample(const c3d_fetch_desc *desc, uint32_t index, int chosen,
                                        void *scratch, void *to);
/* The months that a sample of n_months may be asked for. */
void c3d_fetch_range(const c3d_fetch_desc *desc, int n_months, int *first_out, int *n_out);

#endif
