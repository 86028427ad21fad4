#include "gdal.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct c3d_vector_writer {
    char path[C3D_PATH_MAX];
    char part[C3D_PATH_MAX + 16]; /* SQLite's driver wants a name that ends in .gpkg */
    GDALDatasetH dataset;
    OGRLayerH layer;   /* the last one */
    int n_fields;      /* of it that rows are given for */
    OGRLayerH styles;  /* table layer_styles, NULL before the first style */
    char styled[64];   /* layer of the last style */
    bool has_geometry; /* of the last layer */
};

#define NEARLY_FULL ((uint64_t)1 << 20) /* bytes free, the part of the file still being there */

/* What SQLite says first on a full disk may be a table that it could not make. */
static c3d_status fail_write(const c3d_vector_writer *writer)
{
    const char *said = c3d_gdal_said();
    uint64_t n_free = 0;
    const bool is_known = c3d_free_bytes(writer->path, &n_free) == C3D_OK;

    if ((is_known && n_free < NEARLY_FULL) || strstr(said, "disk is full"))
        return C3D_FAIL(C3D_EIO,
                        "%s: could not be written: the disk is (nearly) full, %llu bytes free (%s)",
                        writer->path, (unsigned long long)n_free, said);
    return C3D_FAIL(C3D_EIO, "%s: could not be written, with %llu bytes free: %s", writer->path,
                    (unsigned long long)n_free, said);
}

/* ---- replacing a file that another program may have open ------------------------------------- */

static bool is_left(const char *path, const char *suffix)
{
    char name[C3D_PATH_MAX + 16];
    struct stat found;

    (void)snprintf(name, sizeof name, "%s%s", path, suffix);
    return stat(name, &found) == 0 && found.st_size > 0;
}

/* SQLite leaves write-ahead mode only for the last one who has the file open. False: refused. */
static bool leave_wal(const char *path)
{
    GDALDatasetH file = GDALOpenEx(path, GDAL_OF_VECTOR | GDAL_OF_UPDATE, NULL, NULL, NULL);

    c3d_gdal_clear();
    if (file == NULL) return true; /* not a database, or read-only: what lies beside it tells */
    OGRLayerH result = GDALDatasetExecuteSQL(file, "PRAGMA journal_mode=DELETE", NULL, NULL);
    OGRFeatureH mode = result != NULL ? OGR_L_GetNextFeature(result) : NULL;
    const bool left = mode != NULL && strcmp(OGR_F_GetFieldAsString(mode, 0), "delete") == 0;
    OGR_F_Destroy(mode);
    if (result != NULL) GDALDatasetReleaseResultSet(file, result);
    GDALClose(file);
    return left;
}

/* A journal that stays beside the path would be applied to the new file, and destroy it. */
c3d_status c3d_vector_replaceable(const char *path)
{
    bool is_open;

    if (!c3d_path_exists(path)) return C3D_OK;
    is_open = !leave_wal(path) || is_left(path, "-wal") || is_left(path, "-journal");
    c3d_gdal_clear();
    if (is_open)
        return C3D_FAIL(C3D_EIO,
                        "%s: another program has it open; close it there (QGIS: remove the layer "
                        "or end editing) and run the same command again",
                        path);
    return C3D_OK;
}

/* ---- a new file ------------------------------------------------------------------------------ */

static c3d_status new_writer(const char *path, c3d_vector_writer **out)
{
    c3d_vector_writer *writer;

    if (strlen(path) >= C3D_PATH_MAX) return C3D_FAIL(C3D_EINVAL, "%.80s...: path too long", path);
    C3D_TRY(c3d_vector_replaceable(path));
    writer = c3d_calloc(1, sizeof *writer);
    if (writer == NULL) return C3D_ENOMEM;
    (void)snprintf(writer->path, sizeof writer->path, "%s", path);
    (void)snprintf(writer->part, sizeof writer->part, "%s.part.gpkg", path);
    (void)unlink(writer->part);
    c3d_gdal_clear();
    *out = writer;
    return C3D_OK;
}

c3d_status c3d_vector_writer_create(const char *path, c3d_vector_writer **out)
{
    c3d_vector_writer *writer;
    c3d_status st;

    C3D_TRY(new_writer(path, &writer));
    writer->dataset =
        GDALCreate(GDALGetDriverByName("GPKG"), writer->part, 0, 0, 0, GDT_Unknown, NULL);
    if (writer->dataset == NULL ||
        GDALDatasetStartTransaction(writer->dataset, FALSE) != OGRERR_NONE) {
        st = fail_write(writer);
        c3d_vector_writer_discard(writer);
        return st;
    }
    *out = writer;
    return C3D_OK;
}

static const OGRFieldType field_types[] = {
    [C3D_FIELD_INT] = OFTInteger64, [C3D_FIELD_REAL] = OFTReal, [C3D_FIELD_TEXT] = OFTString
};

static c3d_status add_field(c3d_vector_writer *writer, OGRLayerH layer, const char *name,
                            OGRFieldType type)
{
    OGRFieldDefnH field = OGR_Fld_Create(name, type);
    const OGRErr failed = OGR_L_CreateField(layer, field, TRUE);

    OGR_Fld_Destroy(field);
    return failed == OGRERR_NONE ? C3D_OK : fail_write(writer);
}

static OGRLayerH create_layer(c3d_vector_writer *writer, const char *name, const char *crs_wkt,
                              const char *id_column)
{
    OGRSpatialReferenceH srs = crs_wkt != NULL && crs_wkt[0] != 0 ? c3d_gdal_srs(crs_wkt) : NULL;
    char **options = CSLSetNameValue(NULL, "FID", id_column);
    OGRLayerH layer = GDALDatasetCreateLayer(writer->dataset, name, srs,
                                             crs_wkt != NULL ? wkbPolygon : wkbNone, options);

    CSLDestroy(options);
    OSRDestroySpatialReference(srs);
    return layer;
}

c3d_status c3d_vector_writer_layer(c3d_vector_writer *writer, const char *name, const char *crs_wkt,
                                   const c3d_field_desc *fields, int n_fields)
{
    c3d_gdal_clear();
    writer->layer = create_layer(writer, name, crs_wkt, "fid");
    writer->has_geometry = crs_wkt != NULL;
    writer->n_fields = 0;
    if (writer->layer == NULL) return fail_write(writer);
    return c3d_vector_writer_fields(writer, fields, n_fields);
}

c3d_status c3d_vector_writer_fields(c3d_vector_writer *writer, const c3d_field_desc *fields,
                                    int n_fields)
{
    c3d_gdal_clear();
    for (int f = 0; f < n_fields; f++)
        C3D_TRY(add_field(writer, writer->layer, fields[f].name, field_types[fields[f].type]));
    writer->n_fields += n_fields;
    return C3D_OK;
}

static OGRGeometryH polygon_of(const double *points, int n_points)
{
    OGRGeometryH polygon = OGR_G_CreateGeometry(wkbPolygon);
    OGRGeometryH ring = OGR_G_CreateGeometry(wkbLinearRing);

    for (int i = 0; i < n_points; i++) OGR_G_AddPoint_2D(ring, points[2 * i], points[2 * i + 1]);
    OGR_G_AddGeometryDirectly(polygon, ring);
    return polygon;
}

static void set_field(OGRFeatureH feature, int field, const c3d_field_value *value)
{
    const OGRFieldType type = OGR_Fld_GetType(OGR_F_GetFieldDefnRef(feature, field));

    if (type == OFTInteger64)
        OGR_F_SetFieldInteger64(feature, field, value->i);
    else if (type == OFTReal && !isnan(value->r))
        OGR_F_SetFieldDouble(feature, field, value->r);
    else if (type == OFTString && value->t != NULL)
        OGR_F_SetFieldString(feature, field, value->t);
    else
        OGR_F_SetFieldNull(feature, field);
}

c3d_status c3d_vector_writer_add(c3d_vector_writer *writer, const double *ring, int n_points,
                                 const c3d_field_value *values)
{
    OGRFeatureH feature = OGR_F_Create(OGR_L_GetLayerDefn(writer->layer));
    OGRErr failed = OGRERR_NONE;

    c3d_gdal_clear();
    if (feature == NULL) return fail_write(writer);
    for (int f = 0; f < writer->n_fields; f++) set_field(feature, f, &values[f]);
    if (ring != NULL && writer->has_geometry)
        failed = OGR_F_SetGeometryDirectly(feature, polygon_of(ring, n_points));
    if (failed == OGRERR_NONE) failed = OGR_L_CreateFeature(writer->layer, feature);
    OGR_F_Destroy(feature);
    return failed == OGRERR_NONE ? C3D_OK : fail_write(writer);
}

/* ---- changing a file ------------------------------------------------------------------------- */

/* SQLite's own copy takes what another program has written but not yet put into the file. */
static c3d_status copy_file(c3d_vector_writer *writer)
{
    GDALDatasetH from =
        GDALOpenEx(writer->path, GDAL_OF_VECTOR | GDAL_OF_READONLY, NULL, NULL, NULL);
    char *name = NULL, sql[C3D_PATH_MAX + 64];

    if (from == NULL)
        return C3D_FAIL(c3d_path_exists(writer->path) ? C3D_EDATA : C3D_EIO,
                        "%s: cannot be opened: %s", writer->path, c3d_gdal_said());
    name = CPLEscapeString(writer->part, -1, CPLES_SQL);
    (void)snprintf(sql, sizeof sql, "VACUUM INTO '%s'", name);
    CPLFree(name);
    OGRLayerH result = GDALDatasetExecuteSQL(from, sql, NULL, NULL);
    if (result != NULL) GDALDatasetReleaseResultSet(from, result);
    GDALClose(from);
    return c3d_gdal_failed() ? fail_write(writer) : C3D_OK;
}

c3d_status c3d_vector_writer_open(const char *path, c3d_vector_writer **out)
{
    c3d_vector_writer *writer;
    c3d_status st;

    C3D_TRY(new_writer(path, &writer));
    C3D_TRY_TO(fail, copy_file(writer));
    writer->dataset = GDALOpenEx(writer->part, GDAL_OF_VECTOR | GDAL_OF_UPDATE, NULL, NULL, NULL);
    if (writer->dataset == NULL ||
        GDALDatasetStartTransaction(writer->dataset, FALSE) != OGRERR_NONE)
        C3D_TRY_TO(fail, fail_write(writer));
    *out = writer;
    return C3D_OK;
fail:
    c3d_vector_writer_discard(writer);
    return st;
}

c3d_status c3d_vector_writer_select(c3d_vector_writer *writer, const char *name, int n_fields)
{
    writer->layer = GDALDatasetGetLayerByName(writer->dataset, name);
    if (writer->layer == NULL)
        return C3D_FAIL(C3D_EDATA, "%s: no layer \"%s\"", writer->path, name);
    if (OGR_FD_GetFieldCount(OGR_L_GetLayerDefn(writer->layer)) < n_fields)
        return C3D_FAIL(C3D_EDATA, "%s: layer %s: %d fields, at least %d expected", writer->path,
                        name, OGR_FD_GetFieldCount(OGR_L_GetLayerDefn(writer->layer)), n_fields);
    writer->n_fields = n_fields;
    writer->has_geometry = OGR_L_GetGeomType(writer->layer) != wkbNone;
    return C3D_OK;
}

c3d_status c3d_vector_writer_change(c3d_vector_writer *writer, long long row_id,
                                    const c3d_field_desc *fields, int n_fields,
                                    const c3d_field_value *values)
{
    OGRFeatureH feature;
    c3d_status st = C3D_OK;

    c3d_gdal_clear();
    feature = OGR_L_GetFeature(writer->layer, row_id);
    if (feature == NULL) return fail_write(writer);
    for (int f = 0; f < n_fields && st == C3D_OK; f++) {
        const int field = OGR_F_GetFieldIndex(feature, fields[f].name);
        if (field < 0)
            st = C3D_FAIL(C3D_EDATA, "%s: no field \"%s\"", writer->path, fields[f].name);
        else
            set_field(feature, field, &values[f]);
    }
    if (st == C3D_OK && OGR_L_SetFeature(writer->layer, feature) != OGRERR_NONE)
        st = fail_write(writer);
    OGR_F_Destroy(feature);
    return st;
}

/* ---- style ----------------------------------------------------------------------------------- */

/* The table as QGIS makes it itself. */
static c3d_status create_styles(c3d_vector_writer *writer)
{
    static const struct {
        const char *name;
        OGRFieldType type;
    } columns[] = { { "f_table_catalog", OFTString },
                    { "f_table_schema", OFTString },
                    { "f_table_name", OFTString },
                    { "f_geometry_column", OFTString },
                    { "styleName", OFTString },
                    { "styleQML", OFTString },
                    { "styleSLD", OFTString },
                    { "useAsDefault", OFTInteger },
                    { "description", OFTString },
                    { "owner", OFTString },
                    { "ui", OFTString },
                    { "update_time", OFTDateTime } };

    writer->styles = create_layer(writer, "layer_styles", NULL, "id");
    if (writer->styles == NULL) return fail_write(writer);
    for (size_t c = 0; c < C3D_COUNT(columns); c++)
        C3D_TRY(add_field(writer, writer->styles, columns[c].name, columns[c].type));
    return C3D_OK;
}

c3d_status c3d_vector_writer_style(c3d_vector_writer *writer, const char *layer, const char *name,
                                   const char *qml)
{
    OGRFeatureH feature;
    OGRErr failed;

    c3d_gdal_clear();
    if (writer->styles == NULL) C3D_TRY(create_styles(writer));
    feature = OGR_F_Create(OGR_L_GetLayerDefn(writer->styles));
    if (feature == NULL) return fail_write(writer);
    OGR_F_SetFieldString(feature, 0, "");
    OGR_F_SetFieldString(feature, 1, "");
    OGR_F_SetFieldString(feature, 2, layer);
    OGR_F_SetFieldString(feature, 3, "geom");
    OGR_F_SetFieldString(feature, 4, name);
    OGR_F_SetFieldString(feature, 5, qml);
    OGR_F_SetFieldInteger(feature, 7, strcmp(writer->styled, layer) != 0);
    (void)snprintf(writer->styled, sizeof writer->styled, "%s", layer);
    OGR_F_SetFieldString(feature, 8, "");
    OGR_F_SetFieldString(feature, 9, "");
    OGR_F_SetFieldString(feature, 11, "2000-01-01T00:00:00Z");
    failed = OGR_L_CreateFeature(writer->styles, feature);
    OGR_F_Destroy(feature);
    return failed == OGRERR_NONE ? C3D_OK : fail_write(writer);
}

static c3d_status sync_file(const char *path)
{
    const int fd = open(path, O_RDONLY);
    const int failed = fd < 0 || fsync(fd) != 0 ? errno : 0;

    if (fd >= 0) (void)close(fd);
    return failed ? C3D_FAIL(C3D_EIO, "%s: %s", path, strerror(failed)) : C3D_OK;
}

c3d_status c3d_vector_writer_commit(c3d_vector_writer *writer)
{
    c3d_status st = C3D_OK;

    c3d_gdal_clear();
    if (GDALDatasetCommitTransaction(writer->dataset) != OGRERR_NONE) st = fail_write(writer);
    GDALClose(writer->dataset);
    writer->dataset = NULL;
    if (st == C3D_OK && c3d_gdal_failed()) st = fail_write(writer);
    if (st == C3D_OK) st = sync_file(writer->part);
    if (st == C3D_OK) st = c3d_vector_replaceable(writer->path);
    if (st == C3D_OK && rename(writer->part, writer->path) != 0)
        st = C3D_FAIL(C3D_EIO, "%s: could not be put in place: %s", writer->path, strerror(errno));
    c3d_vector_writer_discard(writer);
    return st;
}

void c3d_vector_writer_discard(c3d_vector_writer *writer)
{
    if (writer == NULL) return;
    if (writer->dataset != NULL) {
        (void)GDALDatasetRollbackTransaction(writer->dataset);
        GDALClose(writer->dataset);
    }
    (void)unlink(writer->part);
    free(writer);
}
