#include "gdal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    GDALColorInterp role;
} roles[] = { { "blue", GCI_BlueBand },
              { "green", GCI_GreenBand },
              { "red", GCI_RedBand },
              { "alpha", GCI_AlphaBand } };

static c3d_status fail_write(const char *path)
{
    return C3D_FAIL(C3D_EIO, "%s: could not be written: %s", path, c3d_gdal_said());
}

static c3d_status describe(GDALDatasetH dataset, const char *path, const c3d_raster_new *desc)
{
    OGRSpatialReferenceH srs;
    double transform[6];
    CPLErr failed = CE_None;

    memcpy(transform, desc->transform, sizeof transform);
    if (GDALSetGeoTransform(dataset, transform) != CE_None) return fail_write(path);
    if (desc->crs != NULL && desc->crs[0] != 0) {
        srs = c3d_gdal_srs(desc->crs);
        if (srs == NULL)
            return C3D_FAIL(C3D_EINVAL, "%s: unknown coordinate reference system \"%s\"", path,
                            desc->crs);
        failed = GDALSetSpatialRef(dataset, srs);
        OSRDestroySpatialReference(srs);
        if (failed != CE_None) return fail_write(path);
    }
    for (int b = 0; b < desc->n_bands; b++) {
        const GDALRasterBandH band = GDALGetRasterBand(dataset, b + 1);

        if (desc->has_nodata && GDALSetRasterNoDataValue(band, desc->nodata) != CE_None)
            return fail_write(path);
        if (desc->band_names == NULL) continue;
        GDALSetDescription(band, desc->band_names[b]);
        for (size_t r = 0; r < C3D_COUNT(roles); r++)
            if (strcmp(roles[r].name, desc->band_names[b]) == 0 &&
                GDALSetRasterColorInterpretation(band, roles[r].role) != CE_None)
                return fail_write(path);
    }
    return C3D_OK;
}

static GDALDatasetH create(const char *path, const c3d_raster_new *desc)
{
    const int block = desc->block_px > 0 ? desc->block_px : 256;
    char **options = NULL;
    GDALDatasetH dataset;

    options = CSLSetNameValue(options, "TILED", "YES");
    options = CSLSetNameValue(options, "BLOCKXSIZE", CPLSPrintf("%d", block));
    options = CSLSetNameValue(options, "BLOCKYSIZE", CPLSPrintf("%d", block));
    options = CSLSetNameValue(options, "COMPRESS",
                              desc->compression != NULL ? desc->compression : "DEFLATE");
    if (desc->compression == NULL) options = CSLSetNameValue(options, "ZLEVEL", "1");
    options = CSLSetNameValue(options, "PREDICTOR", c3d_dtype_is_float(desc->dtype) ? "3" : "2");
    options = CSLSetNameValue(options, "PHOTOMETRIC", "MINISBLACK");
    options = CSLSetNameValue(options, "BIGTIFF", "IF_SAFER");
    dataset = GDALCreate(GDALGetDriverByName("GTiff"), path, desc->width_px, desc->height_px,
                         desc->n_bands, c3d_gdal_type_of(desc->dtype), options);
    CSLDestroy(options);
    return dataset;
}

static c3d_status write_pixels(GDALDatasetH dataset, const char *path, const c3d_raster_new *desc,
                               const void *pixels)
{
    const size_t band_bytes =
        (size_t)desc->width_px * (size_t)desc->height_px * c3d_dtype_size(desc->dtype);
    char *band_copy = malloc(band_bytes); /* GDAL's buffer is not const */
    c3d_status st = C3D_OK;

    if (band_copy == NULL) return C3D_FAIL(C3D_ENOMEM, "%s: %zu bytes", path, band_bytes);
    for (int b = 0; b < desc->n_bands && st == C3D_OK; b++) {
        memcpy(band_copy, (const char *)pixels + (size_t)b * band_bytes, band_bytes);
        if (GDALRasterIO(GDALGetRasterBand(dataset, b + 1), GF_Write, 0, 0, desc->width_px,
                         desc->height_px, band_copy, desc->width_px, desc->height_px,
                         c3d_gdal_type_of(desc->dtype), 0, 0) != CE_None)
            st = fail_write(path);
    }
    free(band_copy);
    return st;
}

c3d_status c3d_raster_write(const char *path, const c3d_raster_new *desc, const void *pixels)
{
    char part[C3D_PATH_MAX + 8];
    GDALDatasetH dataset;
    c3d_status st;

    (void)snprintf(part, sizeof part, "%s.part", path);
    (void)unlink(part); /* of a killed run: GDAL looks at what it replaces */
    c3d_gdal_clear();
    dataset = create(part, desc);
    if (dataset == NULL) return fail_write(path);
    st = describe(dataset, path, desc);
    if (st == C3D_OK) st = write_pixels(dataset, path, desc, pixels);
    GDALClose(dataset); /* writes what is still in memory; says so only by its error */
    if (st == C3D_OK && c3d_gdal_failed()) st = fail_write(path);
    if (st == C3D_OK && rename(part, path) != 0)
        st = C3D_FAIL(C3D_EIO, "%s: could not be put in place: %s", path, strerror(errno));
    if (st != C3D_OK) (void)unlink(part);
    return st;
}
