#include "gdal.h"

#include <string.h>

#define CACHE_BYTES ((GIntBig)256 << 20)

static _Thread_local char first_failure[512];

static void keep_first_failure(CPLErr class, CPLErrorNum number, const char *message)
{
    static const char mark[] = ") failed: "; /* after a whole SQL statement */
    const char *reason = strstr(message, mark);

    (void)number;
    if (class < CE_Failure || first_failure[0] != 0) return;
    if (reason != NULL && strncmp(message, "sqlite3_", 8) == 0) message = reason + strlen(mark);
    (void)snprintf(first_failure, sizeof first_failure, "%s", message[0] ? message : "failure");
    for (char *c = first_failure; *c != 0; c++)
        if (*c == '\n' || *c == '\r') *c = ' ';
}

void c3d_raster_start(void)
{
    CPLSetErrorHandler(keep_first_failure);
    GDALAllRegister();
    /* Blocks are read in order, so few suffice; GDAL would take a twentieth of the host's memory on
     * each rank. */
    if (CPLGetConfigOption("GDAL_CACHEMAX", NULL) == NULL) GDALSetCacheMax64(CACHE_BYTES);
}

void c3d_raster_set_cache(size_t n_bytes)
{
    const size_t least = (size_t)16 << 20;

    if (CPLGetConfigOption("GDAL_CACHEMAX", NULL) != NULL) return; /* somebody chose it */
    GDALSetCacheMax64((GIntBig)(n_bytes > least ? n_bytes : least));
}

void c3d_gdal_clear(void)
{
    CPLErrorReset();
    first_failure[0] = 0;
}

bool c3d_gdal_failed(void)
{
    return first_failure[0] != 0;
}

const char *c3d_gdal_said(void)
{
    return first_failure[0] ? first_failure : "no reason given by GDAL";
}

static const struct {
    c3d_dtype dtype;
    GDALDataType type;
} types[] = {
    { C3D_U8, GDT_Byte },    { C3D_U16, GDT_UInt16 },  { C3D_I16, GDT_Int16 },
    { C3D_U32, GDT_UInt32 }, { C3D_I32, GDT_Int32 },   { C3D_U64, GDT_UInt64 },
    { C3D_I64, GDT_Int64 },  { C3D_F32, GDT_Float32 }, { C3D_F64, GDT_Float64 },
};

bool c3d_gdal_type(GDALDataType type, c3d_dtype *out)
{
    for (size_t i = 0; i < C3D_COUNT(types); i++) {
        if (types[i].type != type) continue;
        *out = types[i].dtype;
        return true;
    }
    return false;
}

GDALDataType c3d_gdal_type_of(c3d_dtype dtype)
{
    for (size_t i = 0; i < C3D_COUNT(types); i++)
        if (types[i].dtype == dtype) return types[i].type;
    return GDT_Unknown;
}

OGRSpatialReferenceH c3d_gdal_srs(const char *text)
{
    OGRSpatialReferenceH srs = OSRNewSpatialReference(NULL);

    if (srs == NULL) return NULL;
    OSRSetAxisMappingStrategy(srs, OAMS_TRADITIONAL_GIS_ORDER);
    if (text[0] != 0 && OSRSetFromUserInput(srs, text) == OGRERR_NONE) return srs;
    OSRDestroySpatialReference(srs);
    return NULL;
}

char *c3d_gdal_wkt(OGRSpatialReferenceH srs)
{
    const char *const options[] = { "FORMAT=WKT2_2019", NULL };
    char *wkt = NULL, *copy;

    if (srs == NULL || OSRExportToWktEx(srs, &wkt, options) != OGRERR_NONE) {
        CPLFree(wkt);
        return c3d_strdup("");
    }
    copy = c3d_strdup(wkt);
    CPLFree(wkt);
    return copy;
}
