/* PNG in memory, by GDAL's driver. */
#include "gdal.h"

#include <cpl_vsi.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static CPLErr put_pixels(GDALDatasetH picture, const uint8_t *pixels, int width, int height,
                         int n_bands)
{
    CPLErr failed = CE_None;

    for (int b = 0; b < n_bands && failed == CE_None; b++) {
        uint8_t *band = (uint8_t *)(uintptr_t)pixels + b; /* GDAL's buffer is not const */
        failed = GDALRasterIO(GDALGetRasterBand(picture, b + 1), GF_Write, 0, 0, width, height,
                              band, width, height, GDT_Byte, n_bands, n_bands * width);
    }
    return failed;
}

c3d_status c3d_png_encode(const uint8_t *pixels, int width, int height, int n_bands,
                          void **bytes_out, size_t *n_out)
{
    static _Atomic unsigned number;
    char name[64];
    vsi_l_offset n = 0;
    c3d_status st = C3D_OK;

    (void)snprintf(name, sizeof name, "/vsimem/c3d-picture-%u.png", number++);
    c3d_gdal_clear();
    GDALDatasetH picture =
        GDALCreate(GDALGetDriverByName("MEM"), "", width, height, n_bands, GDT_Byte, NULL);
    GDALDatasetH file = NULL;
    if (picture != NULL && put_pixels(picture, pixels, width, height, n_bands) == CE_None)
        file = GDALCreateCopy(GDALGetDriverByName("PNG"), name, picture, FALSE, NULL, NULL, NULL);
    if (file != NULL) GDALClose(file);
    if (picture != NULL) GDALClose(picture);
    void *bytes = file != NULL ? VSIGetMemFileBuffer(name, &n, TRUE) : NULL;
    if (bytes == NULL || c3d_gdal_failed())
        st = C3D_FAIL(C3D_EIO, "PNG of %d x %d px: %s", width, height, c3d_gdal_said());
    void *copy = st == C3D_OK ? malloc(n) : NULL;
    if (st == C3D_OK && copy == NULL) st = C3D_FAIL(C3D_ENOMEM, "PNG of %zu bytes", (size_t)n);
    if (st == C3D_OK) {
        *bytes_out = memcpy(copy, bytes, n);
        *n_out = (size_t)n;
    }
    CPLFree(bytes);
    return st;
}
