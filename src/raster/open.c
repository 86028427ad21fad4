#include "gdal.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OPEN_FILES_MAX = 64 }; /* handles a raster keeps open */

/* A nodata tag that the type cannot hold (-9999 in a byte file) marks nothing. */
static bool is_representable(double value, GDALDataType type)
{
    int is_clamped = 0, is_rounded = 0;

    if (GDALDataTypeIsFloating(type)) return true;
    if (isnan(value)) return false;
    (void)GDALAdjustValueToDataType(type, value, &is_clamped, &is_rounded);
    return !is_clamped && !is_rounded;
}

static double nodata_tag(GDALRasterBandH band, int *has_nodata)
{
    switch ((int)GDALGetRasterDataType(band)) {
    case GDT_Int64: return (double)GDALGetRasterNoDataValueAsInt64(band, has_nodata);
    case GDT_UInt64: return (double)GDALGetRasterNoDataValueAsUInt64(band, has_nodata);
    default: return GDALGetRasterNoDataValue(band, has_nodata);
    }
}

static void name_band(GDALRasterBandH band, char out[64])
{
    const char *description = GDALGetDescription(band);
    const GDALColorInterp role = GDALGetRasterColorInterpretation(band);

    out[0] = 0;
    if (description != NULL && description[0] != 0) {
        (void)snprintf(out, 64, "%s", description);
    } else if (role != GCI_Undefined && role != GCI_GrayIndex && role != GCI_PaletteIndex) {
        (void)snprintf(out, 64, "%s", GDALGetColorInterpretationName(role));
        for (char *c = out; *c != 0; c++) *c = (char)tolower((unsigned char)*c);
    }
}

static void read_band_info(GDALRasterBandH band, int i, raster_file *file, c3d_raster_info *info)
{
    int has_nodata = 0;
    const double nodata = nodata_tag(band, &has_nodata);
    const GDALColorInterp role = GDALGetRasterColorInterpretation(band);

    name_band(band, info->band_names[i]);
    file->has_nodata[i] = has_nodata && is_representable(nodata, GDALGetRasterDataType(band));
    file->nodata[i] = file->has_nodata[i] ? nodata : 0;
    info->has_nodata[i] = file->has_nodata[i];
    info->nodata[i] = file->nodata[i];
    if (role == GCI_AlphaBand && file->alpha_band == 0) file->alpha_band = i + 1;
    if (role == GCI_PaletteIndex || GDALGetRasterColorTable(band) != NULL) info->has_palette = true;
}

static c3d_status read_info(const char *path, GDALDatasetH dataset, raster_file *file,
                            c3d_raster_info *info)
{
    GDALDataType type = GDT_Unknown;
    int mask_flags;

    info->width_px = GDALGetRasterXSize(dataset);
    info->height_px = GDALGetRasterYSize(dataset);
    info->n_bands = GDALGetRasterCount(dataset);
    if (info->n_bands < 1 || info->n_bands > C3D_MAX_BANDS)
        return C3D_FAIL(C3D_EDATA, "%s: %d bands, expected 1 to %d", path, info->n_bands,
                        C3D_MAX_BANDS);
    for (int i = 0; i < info->n_bands; i++) {
        const GDALRasterBandH band = GDALGetRasterBand(dataset, i + 1);

        read_band_info(band, i, file, info);
        if (i + 1 != file->alpha_band || type == GDT_Unknown)
            type = type == GDT_Unknown ? GDALGetRasterDataType(band)
                                       : GDALDataTypeUnion(type, GDALGetRasterDataType(band));
    }
    if (!c3d_gdal_type(type, &info->dtype))
        return C3D_FAIL(C3D_EDATA, "%s: pixels of type %s, expected integers or real numbers", path,
                        GDALGetDataTypeName(type));
    mask_flags = GDALGetMaskFlags(GDALGetRasterBand(dataset, 1));
    file->has_mask = (mask_flags & GMF_PER_DATASET) && !(mask_flags & GMF_ALPHA);
    file->is_float = c3d_dtype_is_float(info->dtype);
    info->alpha_band = file->alpha_band;
    file->has_place = GDALGetGeoTransform(dataset, info->transform) == CE_None;
    if (!file->has_place) {
        const double none[6] = { 0, 1, 0, 0, 0, 1 };
        memcpy(info->transform, none, sizeof none);
    }
    info->crs_wkt = c3d_gdal_wkt(GDALGetSpatialRef(dataset));
    return C3D_OK;
}

static c3d_status dataset_open(const char *path, GDALDatasetH *out)
{
    c3d_gdal_clear();
    *out = GDALOpenEx(path, GDAL_OF_RASTER | GDAL_OF_READONLY | GDAL_OF_VERBOSE_ERROR, NULL, NULL,
                      NULL);
    if (*out != NULL) return C3D_OK;
    if (!c3d_path_exists(path)) return C3D_FAIL(C3D_EIO, "%s: no such file", path);
    return C3D_FAIL(C3D_EDATA, "%s: not a raster that can be read: %s", path, c3d_gdal_said());
}

c3d_status c3d_raster_file_open(const char *path, raster_file *file, c3d_raster_info *info)
{
    GDALDatasetH dataset;
    c3d_status st;

    C3D_TRY(dataset_open(path, &dataset));
    st = read_info(path, dataset, file, info);
    if (st != C3D_OK) {
        GDALClose(dataset);
        return st;
    }
    file->path = c3d_strdup(path);
    file->dataset = dataset;
    file->place = (c3d_window){ 0, 0, info->width_px, info->height_px };
    return C3D_OK;
}

static void close_longest_unused(c3d_raster *raster)
{
    raster_file *oldest = NULL;

    for (int i = 0; i < raster->n_files; i++) {
        raster_file *file = &raster->files[i];
        if (file->dataset != NULL && (oldest == NULL || file->used < oldest->used)) oldest = file;
    }
    if (oldest == NULL) return;
    GDALClose(oldest->dataset);
    oldest->dataset = NULL;
    raster->n_open--;
}

c3d_status c3d_raster_file_use(c3d_raster *raster, raster_file *file, GDALDatasetH *out)
{
    if (file->dataset == NULL) {
        if (raster->n_open >= OPEN_FILES_MAX) close_longest_unused(raster);
        C3D_TRY(dataset_open(file->path, &file->dataset));
        raster->n_open++;
    }
    file->used = ++raster->clock;
    *out = file->dataset;
    return C3D_OK;
}

c3d_status c3d_raster_open(const char *path, c3d_raster **out)
{
    return c3d_raster_open_mosaic(&path, 1, out);
}

void c3d_raster_close(c3d_raster *raster)
{
    if (raster == NULL) return;
    for (int i = 0; i < raster->n_files; i++) {
        if (raster->files[i].dataset != NULL) GDALClose(raster->files[i].dataset);
        free(raster->files[i].path);
    }
    free(raster->files);
    free(raster->info.crs_wkt);
    free(raster);
}

const c3d_raster_info *c3d_raster_get_info(const c3d_raster *raster)
{
    return &raster->info;
}

const char *c3d_raster_path(const c3d_raster *raster)
{
    return raster->files[0].path;
}

int c3d_raster_n_files(const c3d_raster *raster)
{
    return raster->n_files;
}

c3d_window c3d_raster_file_window(const c3d_raster *raster, int file)
{
    return raster->files[file].place;
}
