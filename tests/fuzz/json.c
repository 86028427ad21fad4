/* dataset.json */
#include "fuzz/target.h"

#include "c3d/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *dir;
    c3d_dataset_info info;

    (void)fuzz_file("dataset.json", bytes, n, &dir);
    if (c3d_dataset_info_read(dir, &info) == C3D_OK) c3d_dataset_info_free(&info);
    return 0;
}
