/* samples.csv; what is read must be written as a file that is read as the same. */
#include "fuzz/target.h"

#include <stdlib.h>
#include <string.h>

#include "c3d/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *path = fuzz_file("samples.csv", bytes, n, NULL);
    c3d_samples samples = { 0 }, again = { 0 };

    if (c3d_samples_read(path, &samples) != C3D_OK) return 0;
    if (c3d_samples_write(path, &samples) != C3D_OK || c3d_samples_read(path, &again) != C3D_OK)
        abort();
    if (samples.n != again.n) abort();
    for (size_t i = 0; i < samples.n; i++)
        if (samples.rows[i].sample_id != again.rows[i].sample_id ||
            samples.rows[i].label != again.rows[i].label ||
            samples.rows[i].first_month != again.rows[i].first_month)
            abort();
    c3d_samples_free(&samples);
    c3d_samples_free(&again);
    return 0;
}
