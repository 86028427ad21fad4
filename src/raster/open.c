#include "gdal.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Handles a raster keeps open. Each has a block of all bands in memory, and many months may be open
 * at once. */
enum { OPEN_FILES_MAX = 12 };
#define BLOCK_BYTES_MAX ((size_t)1 << 30)

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

static void name_band(GDALRasterBandH band, int i, c3d_raster_info *info)
{
    const char *description = GDALGetDescription(band);
    const GDALColorInterp role = GDALGetRasterColorInterpretation(band);
    char *name = info->band_names[i], *role_name = info->band_roles[i];

    name[0] = role_name[0] = 0;
    if (role != GCI_Undefined && role != GCI_GrayIndex && role != GCI_PaletteIndex) {
        (void)snprintf(role_name, sizeof info->band_roles[i], "%s",
                       GDALGetColorInterpretationName(role));
        for (char *c = role_name; *c != 0; c++) *c = (char)tolower((unsigned char)*c);
    }
    (void)snprintf(name, sizeof info->band_names[i], "%s",
                   description != NULL && description[0] != 0 ? description : role_name);
}

static void read_band_info(GDALRasterBandH band, int i, raster_file *file, c3d_raster_info *info)
{
    int has_nodata = 0;
    const double nodata = nodata_tag(band, &has_nodata);
    const GDALColorInterp role = GDALGetRasterColorInterpretation(band);

    name_band(band, i, info);
    file->bands[i] = i + 1;
    file->types[i] = GDALGetRasterDataType(band);
    file->has_nodata[i] = has_nodata && is_representable(nodata, file->types[i]);
    file->nodata[i] = file->has_nodata[i] ? nodata : 0;
    info->has_nodata[i] = file->has_nodata[i];
    info->nodata[i] = file->nodata[i];
    if (file->alpha_band == 0 &&
        (role == GCI_AlphaBand || strcasecmp(info->band_names[i], "alpha") == 0))
        file->alpha_band = i + 1;
    if (role == GCI_PaletteIndex || GDALGetRasterColorTable(band) != NULL) info->has_palette = true;
}

c3d_status c3d_raster_file_dtype(raster_file *file, int n_bands)
{
    GDALDataType type = GDT_Unknown;

    for (int i = 0; i < n_bands; i++) {
        const int band = file->bands[i];

        if (band == file->alpha_band && n_bands > 1) continue;
        type = type == GDT_Unknown ? file->types[band - 1]
                                   : GDALDataTypeUnion(type, file->types[band - 1]);
    }
    if (c3d_gdal_type(type, &file->dtype)) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s: pixels of type %s, expected integers or real numbers",
                    file->path, GDALGetDataTypeName(type));
}

/* GDAL holds whole blocks, however few of their pixels are asked for. */
static c3d_status check_block(GDALDatasetH dataset, const raster_file *file)
{
    const GDALRasterBandH band = GDALGetRasterBand(dataset, 1);
    int width = 0, height = 0;

    GDALGetBlockSize(band, &width, &height);
    const double n_bytes =
        (double)width * height * GDALGetDataTypeSizeBytes(GDALGetRasterDataType(band));
    if (n_bytes <= (double)BLOCK_BYTES_MAX) return C3D_OK;
    return C3D_FAIL(C3D_EDATA,
                    "%s: stored in blocks of %d x %d pixels, %.1f GiB each, at most 1 is read; "
                    "tile it (gdal_translate -co TILED=YES)",
                    file->path, width, height, n_bytes / (double)((size_t)1 << 30));
}

static c3d_status read_info(GDALDatasetH dataset, raster_file *file, c3d_raster_info *info)
{
    int mask_flags;

    info->width_px = GDALGetRasterXSize(dataset);
    info->height_px = GDALGetRasterYSize(dataset);
    info->n_bands = GDALGetRasterCount(dataset);
    if (info->n_bands < 1 || info->n_bands > C3D_MAX_BANDS)
        return C3D_FAIL(C3D_EDATA, "%s: %d bands, expected 1 to %d", file->path, info->n_bands,
                        C3D_MAX_BANDS);
    for (int i = 0; i < info->n_bands; i++)
        read_band_info(GDALGetRasterBand(dataset, i + 1), i, file, info);
    C3D_TRY(c3d_raster_file_dtype(file, info->n_bands));
    C3D_TRY(check_block(dataset, file));
    info->dtype = file->dtype;
    mask_flags = GDALGetMaskFlags(GDALGetRasterBand(dataset, 1));
    file->has_mask = (mask_flags & GMF_PER_DATASET) && !(mask_flags & GMF_ALPHA);
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
    file->path = c3d_strdup(path);
    st = read_info(dataset, file, info);
    if (st != C3D_OK) {
        GDALClose(dataset);
        free(file->path);
        *file = (raster_file){ 0 };
        return st;
    }
    file->dataset = dataset;
    file->width_px = info->width_px;
    file->height_px = info->height_px;
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

void c3d_raster_release(c3d_raster *raster)
{
    for (int i = 0; i < raster->n_files; i++) {
        if (raster->files[i].dataset != NULL) GDALClose(raster->files[i].dataset);
        raster->files[i].dataset = NULL;
    }
    raster->n_open = 0;
}

int c3d_raster_n_open(const c3d_raster *raster)
{
    return raster->n_open;
}

void c3d_raster_close(c3d_raster *raster)
{
    if (raster == NULL) return;
    c3d_raster_release(raster);
    for (int i = 0; i < raster->n_files; i++) {
        c3d_raster_warp_free(raster->files[i].warp);
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

const char *c3d_raster_file_path(const c3d_raster *raster, int file)
{
    return raster->files[file].path;
}

const char *c3d_raster_file_warp(const c3d_raster *raster, int file)
{
    return raster->files[file].warp != NULL ? raster->files[file].warp->what : NULL;
}

bool c3d_raster_has_marks(const c3d_raster *raster)
{
    for (int f = 0; f < raster->n_files; f++) {
        const raster_file *file = &raster->files[f];

        if (file->alpha_band != 0 || file->has_mask) return true;
        for (int b = 0; b < raster->info.n_bands; b++)
            if (file->has_nodata[file->bands[b] - 1]) return true;
    }
    return false;
}
