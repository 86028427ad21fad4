#include "augment.h"

enum { SYMMETRY, GAIN, OFFSET, DROP, KEEP, ORDER };

/* Bits 0..3 the kind, 4..19 band or month, from 20 the turn. */
static uint64_t stream_of(const c3d_showing *showing, int kind, int item)
{
    return C3D_STREAM(C3D_PURPOSE_AUGMENT,
                      (uint64_t)showing->turn << 20 | (uint64_t)item << 4 | (uint64_t)kind);
}

static double unit(const c3d_showing *showing, int kind, int item)
{
    return c3d_random_unit(showing->seed, stream_of(showing, kind, item), showing->key);
}

static uint64_t below(const c3d_showing *showing, int kind, int item, uint64_t n)
{
    return c3d_random_below(showing->seed, stream_of(showing, kind, item), showing->key, n);
}

uint8_t c3d_augment_symmetry(const c3d_showing *showing)
{
    return (uint8_t)below(showing, SYMMETRY, 0, 8);
}

void c3d_augment_jitter(const c3d_showing *showing, double j, int n_bands, float *gain,
                        float *offset)
{
    for (int band = 0; band < n_bands; band++) {
        gain[band] = (float)(1 + j * (2 * unit(showing, GAIN, band) - 1));
        offset[band] = (float)(j * (2 * unit(showing, OFFSET, band) - 1));
    }
}

void c3d_augment_months(const c3d_showing *showing, double probability, int n_months, int16_t *from)
{
    const int spared = (int)below(showing, KEEP, 0, (uint64_t)n_months);
    int first = -1;

    for (int month = 0; month < n_months; month++) {
        const bool kept = unit(showing, DROP, month) >= probability;
        from[month] = (int16_t)(kept ? month : month > 0 ? from[month - 1] : -1);
        if (kept && first < 0) first = month;
    }
    for (int month = 0; month < n_months && from[month] < 0; month++)
        from[month] = (int16_t)(first < 0 ? spared : first);
}

void c3d_augment_order(const c3d_showing *showing, int n_months, int16_t *from)
{
    for (int last = n_months - 1; last > 0; last--) {
        const int chosen = (int)below(showing, ORDER, last, (uint64_t)last + 1);
        const int16_t moved = from[chosen];

        from[chosen] = from[last];
        from[last] = moved;
    }
}
