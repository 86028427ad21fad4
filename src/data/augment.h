/* What is drawn to change a sample when it is shown. Private to data. */
#ifndef C3D_DATA_AUGMENT_H
#define C3D_DATA_AUGMENT_H

#include "c3d/base.h"

/* One showing of a sample: everything drawn is a pure function of it. */
typedef struct c3d_showing {
    uint64_t seed;
    uint64_t key;  /* epoch << 32 | row of samples.csv */
    uint32_t turn; /* c3d_place.turn, below 2^28 */
} c3d_showing;

/* 0..7, c3d_input.symmetry. */
uint8_t c3d_augment_symmetry(const c3d_showing *showing);
/* gain in [1 - j, 1 + j), offset in [-j, j), uniform; both [n_bands]. */
void c3d_augment_jitter(const c3d_showing *showing, double j, int n_bands, float *gain,
                        float *offset);
/* Each month is dropped with the probability given; if all are, one of them, drawn, is kept. from
 * [n_months]: the month itself where it is kept, else the last kept one before it, else the first
 * kept. */
void c3d_augment_months(const c3d_showing *showing, double probability, int n_months,
                        int16_t *from);
/* from [n_months] in another order, all of which are alike likely. */
void c3d_augment_order(const c3d_showing *showing, int n_months, int16_t *from);

#endif
