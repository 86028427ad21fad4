/* frames.gpkg, as clip and samples read it. */
#include "fuzz/target.h"

#include "c3d/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *path = fuzz_file("frames.gpkg", bytes, n, NULL);
    c3d_frames frames = { 0 };
    c3d_vector *sources = NULL;

    if (c3d_frames_read(path, &frames) == C3D_OK) c3d_frames_free(&frames);
    if (c3d_vector_open(path, "sources", &sources) == C3D_OK) c3d_vector_close(sources);
    return 0;
}
