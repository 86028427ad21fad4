#include "gdal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct c3d_vector {
    char *path, *crs_wkt;
    int n_fields;
    char **names; /* [n_fields] */
    size_t n_rows;
    OGRFeatureH *rows; /* [n_rows]; their layer stays open with dataset */
    GDALDatasetH dataset;
};

static c3d_status read_fields(c3d_vector *vector, OGRFeatureDefnH defn)
{
    const int n_fields = OGR_FD_GetFieldCount(defn);

    vector->names = c3d_calloc((size_t)n_fields + 1, sizeof *vector->names);
    if (vector->names == NULL) return C3D_ENOMEM;
    vector->n_fields = n_fields;
    for (int f = 0; f < n_fields; f++)
        vector->names[f] = c3d_strdup(OGR_Fld_GetNameRef(OGR_FD_GetFieldDefn(defn, f)));
    return C3D_OK;
}

static c3d_status read_rows(c3d_vector *vector, OGRLayerH layer)
{
    size_t capacity = 0;
    OGRFeatureH feature;

    c3d_gdal_clear();
    OGR_L_ResetReading(layer);
    while ((feature = OGR_L_GetNextFeature(layer)) != NULL) {
        c3d_phase_tick();
        if (vector->n_rows == capacity) {
            const size_t wanted = capacity ? 2 * capacity : 1024;
            OGRFeatureH *rows = realloc(vector->rows, wanted * sizeof *rows);

            if (rows == NULL) {
                OGR_F_Destroy(feature);
                return C3D_FAIL(C3D_ENOMEM, "%s: %zu rows", vector->path, wanted);
            }
            vector->rows = rows;
            capacity = wanted;
        }
        vector->rows[vector->n_rows++] = feature;
    }
    if (c3d_gdal_failed())
        return C3D_FAIL(C3D_EDATA, "%s: row %zu could not be read: %s", vector->path,
                        vector->n_rows + 1, c3d_gdal_said());
    return C3D_OK;
}

static c3d_status find_layer(const c3d_vector *vector, const char *name, OGRLayerH *out)
{
    const int n = GDALDatasetGetLayerCount(vector->dataset);
    c3d_text names = { 0 };
    c3d_status st;

    *out = name != NULL ? GDALDatasetGetLayerByName(vector->dataset, name)
           : n == 1     ? GDALDatasetGetLayer(vector->dataset, 0)
                        : NULL;
    if (*out != NULL) return C3D_OK;
    if (name != NULL) return C3D_FAIL(C3D_EDATA, "%s: no layer \"%s\"", vector->path, name);
    for (int i = 0; i < n; i++)
        c3d_text_add(&names, "%s%s", i ? ", " : "",
                     OGR_L_GetName(GDALDatasetGetLayer(vector->dataset, i)));
    st = C3D_FAIL(C3D_EDATA, "%s: %d layers, expected one%s%s", vector->path, n, n ? ": " : "",
                  n ? names.text : "");
    c3d_text_free(&names);
    return st;
}

c3d_status c3d_vector_open(const char *path, const char *layer_name, c3d_vector **out)
{
    c3d_vector *vector = c3d_calloc(1, sizeof *vector);
    OGRLayerH layer;
    c3d_status st = C3D_OK;

    if (vector == NULL) return C3D_ENOMEM;
    vector->path = c3d_strdup(path);
    c3d_gdal_clear();
    vector->dataset = GDALOpenEx(path, GDAL_OF_VECTOR | GDAL_OF_READONLY | GDAL_OF_VERBOSE_ERROR,
                                 NULL, NULL, NULL);
    if (vector->dataset == NULL) {
        if (!c3d_path_exists(path)) C3D_TRY_TO(fail, C3D_FAIL(C3D_EIO, "%s: no such file", path));
        C3D_TRY_TO(fail, C3D_FAIL(C3D_EDATA, "%s: not a vector file that can be read: %s", path,
                                  c3d_gdal_said()));
    }
    C3D_TRY_TO(fail, find_layer(vector, layer_name, &layer));
    vector->crs_wkt = c3d_gdal_wkt(OGR_L_GetSpatialRef(layer));
    C3D_TRY_TO(fail, read_fields(vector, OGR_L_GetLayerDefn(layer)));
    C3D_TRY_TO(fail, read_rows(vector, layer));
    *out = vector;
    return C3D_OK;
fail:
    c3d_vector_close(vector);
    return st;
}

void c3d_vector_close(c3d_vector *vector)
{
    if (vector == NULL) return;
    for (size_t i = 0; i < vector->n_rows; i++) OGR_F_Destroy(vector->rows[i]);
    for (int f = 0; f < vector->n_fields; f++) free(vector->names[f]);
    free(vector->rows);
    free(vector->names);
    free(vector->crs_wkt);
    free(vector->path);
    if (vector->dataset != NULL) GDALClose(vector->dataset);
    free(vector);
}

size_t c3d_vector_n_rows(const c3d_vector *vector)
{
    return vector->n_rows;
}

long long c3d_vector_row_id(const c3d_vector *vector, size_t row)
{
    return OGR_F_GetFID(vector->rows[row]);
}

int c3d_vector_n_fields(const c3d_vector *vector)
{
    return vector->n_fields;
}

const char *c3d_vector_field_name(const c3d_vector *vector, int field)
{
    return vector->names[field];
}

int c3d_vector_field(const c3d_vector *vector, const char *name)
{
    for (int f = 0; f < vector->n_fields; f++)
        if (strcmp(vector->names[f], name) == 0) return f;
    return -1;
}

static bool is_set(const c3d_vector *vector, size_t row, int field)
{
    return field >= 0 && field < vector->n_fields && row < vector->n_rows &&
           OGR_F_IsFieldSetAndNotNull(vector->rows[row], field);
}

static OGRFieldType type_of(const c3d_vector *vector, size_t row, int field)
{
    return OGR_Fld_GetType(OGR_F_GetFieldDefnRef(vector->rows[row], field));
}

bool c3d_vector_int(const c3d_vector *vector, size_t row, int field, long long *out)
{
    OGRFieldType type;
    double value;

    if (!is_set(vector, row, field)) return false;
    type = type_of(vector, row, field);
    if (type == OFTInteger || type == OFTInteger64) {
        *out = OGR_F_GetFieldAsInteger64(vector->rows[row], field);
        return true;
    }
    if (type == OFTReal) {
        value = OGR_F_GetFieldAsDouble(vector->rows[row], field);
        if (value != rint(value) || !(fabs(value) < 9e15)) return false;
        *out = (long long)value;
        return true;
    }
    return c3d_parse_int(OGR_F_GetFieldAsString(vector->rows[row], field), out);
}

bool c3d_vector_real(const c3d_vector *vector, size_t row, int field, double *out)
{
    OGRFieldType type;

    if (!is_set(vector, row, field)) return false;
    type = type_of(vector, row, field);
    if (type == OFTInteger || type == OFTInteger64 || type == OFTReal) {
        *out = OGR_F_GetFieldAsDouble(vector->rows[row], field);
        return true;
    }
    return c3d_parse_real(OGR_F_GetFieldAsString(vector->rows[row], field), out);
}

const char *c3d_vector_text(const c3d_vector *vector, size_t row, int field)
{
    if (!is_set(vector, row, field)) return NULL;
    return OGR_F_GetFieldAsString(vector->rows[row], field);
}

bool c3d_vector_bounds(const c3d_vector *vector, size_t row, double out[4])
{
    OGRGeometryH geometry = OGR_F_GetGeometryRef(vector->rows[row]);
    OGREnvelope box;

    if (geometry == NULL || OGR_G_IsEmpty(geometry)) return false;
    OGR_G_GetEnvelope(geometry, &box);
    out[0] = box.MinX;
    out[1] = box.MinY;
    out[2] = box.MaxX;
    out[3] = box.MaxY;
    return true;
}

OGRGeometryH c3d_gdal_row_geometry(const c3d_vector *vector, size_t row)
{
    return OGR_F_GetGeometryRef(vector->rows[row]);
}

const char *c3d_vector_path(const c3d_vector *vector)
{
    return vector->path;
}

double c3d_vector_area(const c3d_vector *vector, size_t row)
{
    OGRGeometryH geometry = OGR_F_GetGeometryRef(vector->rows[row]);

    return geometry == NULL ? 0 : OGR_G_Area(geometry);
}

const char *c3d_vector_crs_wkt(const c3d_vector *vector)
{
    return vector->crs_wkt;
}
