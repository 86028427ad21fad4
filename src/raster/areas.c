#include "gdal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct reading {
    const char *path, *field;
    OGRSpatialReferenceH to;
    c3d_areas areas;
    OGRGeometryH *shapes; /* [areas.n], in the CRS asked for */
    size_t capacity, n_points;
} reading;

/* ---- one polygon ----------------------------------------------------------------------------- */

static c3d_status refuse(const reading *in, const c3d_area *area, const char *what)
{
    return C3D_FAIL(C3D_EDATA, "%s: %s: %s", in->path, area->place, what);
}

/* Validity and overlap are GEOS' work; a GDAL without it takes polygons as they are. */
static bool has_geos(void)
{
    return OGRGetGEOSVersion(NULL, NULL, NULL);
}

static c3d_status transform(const reading *in, const c3d_area *area, OGRGeometryH shape,
                            OGRSpatialReferenceH from)
{
    OGREnvelope box;
    OGRErr failed = OGRERR_NONE;

    if (OSRIsSame(from, in->to)) return C3D_OK;
    OGR_G_GetEnvelope(shape, &box);
    OGR_G_Segmentize(shape, hypot(box.MaxX - box.MinX, box.MaxY - box.MinY) / 256);
    OGR_G_AssignSpatialReference(shape, from);
    c3d_gdal_clear();
    failed = OGR_G_TransformTo(shape, in->to);
    return failed == OGRERR_NONE ? C3D_OK : refuse(in, area, c3d_gdal_said());
}

static bool is_polygon(OGRGeometryH shape)
{
    const OGRwkbGeometryType type = wkbFlatten(OGR_G_GetGeometryType(shape));

    return type == wkbPolygon || type == wkbMultiPolygon || type == wkbCurvePolygon ||
           type == wkbMultiSurface;
}

static c3d_status grow(reading *in)
{
    if (in->areas.n < in->capacity) return C3D_OK;
    const size_t capacity = in->capacity ? 2 * in->capacity : 64;
    c3d_area *rows = realloc(in->areas.rows, capacity * sizeof *rows);
    if (rows) in->areas.rows = rows;
    OGRGeometryH *shapes = rows ? realloc(in->shapes, capacity * sizeof *shapes) : NULL;
    if (shapes) in->shapes = shapes;
    if (!shapes) return C3D_FAIL(C3D_ENOMEM, "%s: %zu polygons", in->path, capacity);
    in->capacity = capacity;
    return C3D_OK;
}

static c3d_status take_word(const reading *in, c3d_area *area, const char *word)
{
    const size_t n = strlen(word);

    if (n >= sizeof area->word)
        return C3D_FAIL(C3D_EDATA, "%s: %s: its name has %zu bytes, at most %zu can be held: %.60s",
                        in->path, area->place, n, sizeof area->word - 1, word);
    memcpy(area->word, word, n + 1);
    return C3D_OK;
}

static c3d_status take_feature(reading *in, OGRLayerH layer, OGRFeatureH feature, int field)
{
    OGRSpatialReferenceH from = OGR_L_GetSpatialRef(layer);
    OGRGeometryH shape = OGR_F_GetGeometryRef(feature);
    const char *word = field >= 0 ? OGR_F_GetFieldAsString(feature, field) : OGR_L_GetName(layer);
    c3d_area area;
    c3d_status st;

    C3D_TRY(grow(in));
    (void)snprintf(area.place, sizeof area.place, "layer %.60s, feature %lld", OGR_L_GetName(layer),
                   (long long)OGR_F_GetFID(feature));
    C3D_TRY(take_word(in, &area, word));
    if (!shape || OGR_G_IsEmpty(shape)) return refuse(in, &area, "it has no geometry");
    if (!is_polygon(shape)) return refuse(in, &area, "it is no polygon");
    if (!from) return refuse(in, &area, "its layer has no coordinate reference system");
    c3d_gdal_clear();
    if (has_geos() && !OGR_G_IsValid(shape))
        return C3D_FAIL(C3D_EDATA, "%s: %s: not a valid polygon: %s", in->path, area.place,
                        c3d_gdal_said());
    shape = OGR_G_ForceTo(OGR_G_Clone(shape), wkbMultiPolygon, NULL);
    OSRSetAxisMappingStrategy(from, OAMS_TRADITIONAL_GIS_ORDER);
    OGR_G_FlattenTo2D(shape);
    st = transform(in, &area, shape, from);
    if (st != C3D_OK) {
        OGR_G_DestroyGeometry(shape);
        return st;
    }
    in->shapes[in->areas.n] = shape;
    in->areas.rows[in->areas.n++] = area;
    return C3D_OK;
}

static c3d_status read_layer(reading *in, OGRLayerH layer)
{
    const int field = OGR_FD_GetFieldIndex(OGR_L_GetLayerDefn(layer), in->field);
    OGRFeatureH feature;
    c3d_status st = C3D_OK;

    if (OGR_L_GetGeomType(layer) == wkbNone) return C3D_OK;
    c3d_gdal_clear();
    OGR_L_ResetReading(layer);
    while (st == C3D_OK && (feature = OGR_L_GetNextFeature(layer)) != NULL) {
        st = take_feature(in, layer, feature, field);
        c3d_phase_tick();
        OGR_F_Destroy(feature);
    }
    return st;
}

/* ---- rings ----------------------------------------------------------------------------------- */

static void count_ring(reading *in, OGRGeometryH ring)
{
    in->areas.n_rings++;
    in->n_points += (size_t)OGR_G_GetPointCount(ring);
}

static void take_ring(reading *in, OGRGeometryH ring)
{
    c3d_areas *areas = &in->areas;
    const int n = OGR_G_GetPointCount(ring);

    for (int i = 0; i < n; i++) {
        double *at = areas->xy + 2 * (in->n_points + (size_t)i);
        at[0] = OGR_G_GetX(ring, i);
        at[1] = OGR_G_GetY(ring, i);
    }
    in->n_points += (size_t)n;
    areas->ring[++areas->n_rings] = in->n_points;
}

static void visit_rings(reading *in, size_t i, void (*visit)(reading *, OGRGeometryH))
{
    for (int p = 0; p < OGR_G_GetGeometryCount(in->shapes[i]); p++) {
        OGRGeometryH polygon = OGR_G_GetGeometryRef(in->shapes[i], p);
        for (int r = 0; r < OGR_G_GetGeometryCount(polygon); r++)
            visit(in, OGR_G_GetGeometryRef(polygon, r));
    }
}

static c3d_status take_rings(reading *in)
{
    c3d_areas *areas = &in->areas;

    for (size_t i = 0; i < areas->n; i++) visit_rings(in, i, count_ring);
    areas->ring = c3d_calloc(areas->n_rings + 1, sizeof *areas->ring);
    areas->xy = c3d_calloc(in->n_points + 1, 2 * sizeof *areas->xy);
    if (!areas->ring || !areas->xy) return C3D_ENOMEM;
    areas->n_rings = in->n_points = 0;
    for (size_t i = 0; i < areas->n; i++) {
        areas->rows[i].first_ring = areas->n_rings;
        visit_rings(in, i, take_ring);
        areas->rows[i].n_rings = areas->n_rings - areas->rows[i].first_ring;
    }
    return C3D_OK;
}

/* ---- overlap --------------------------------------------------------------------------------- */

static bool do_boxes_meet(const OGREnvelope *a, const OGREnvelope *b)
{
    return a->MinX < b->MaxX && b->MinX < a->MaxX && a->MinY < b->MaxY && b->MinY < a->MaxY;
}

/* Borders drawn twice never agree to the last bit: a sliver is no overlap. */
static bool do_overlap(OGRGeometryH a, OGRGeometryH b)
{
    OGRGeometryH both = OGR_G_Intersection(a, b);
    const double shared = both ? OGR_G_Area(both) : 0;

    OGR_G_DestroyGeometry(both);
    return shared > 1e-6 * fmin(OGR_G_Area(a), OGR_G_Area(b));
}

static c3d_status check_overlaps(const reading *in)
{
    const size_t n = in->areas.n;
    OGREnvelope *boxes = c3d_calloc(n + 1, sizeof *boxes);
    c3d_status st = C3D_OK;

    if (!boxes) return C3D_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const c3d_area *area = &in->areas.rows[i];
        OGR_G_GetEnvelope(in->shapes[i], &boxes[i]);
        c3d_phase_tick();
        for (size_t j = 0; j < i && st == C3D_OK && has_geos(); j++) {
            const c3d_area *other = &in->areas.rows[j];
            if (!do_boxes_meet(&boxes[i], &boxes[j]) || strcmp(area->word, other->word) == 0)
                continue;
            if (do_overlap(in->shapes[i], in->shapes[j]))
                st = C3D_FAIL(C3D_EDATA, "%s: %s (%s) overlaps %s (%s)", in->path, area->place,
                              area->word, other->place, other->word);
        }
    }
    free(boxes);
    return st;
}

/* ---- the file -------------------------------------------------------------------------------- */

static c3d_status read_layers(reading *in, GDALDatasetH dataset)
{
    for (int i = 0; i < GDALDatasetGetLayerCount(dataset); i++)
        C3D_TRY(read_layer(in, GDALDatasetGetLayer(dataset, i)));
    if (c3d_gdal_failed())
        return C3D_FAIL(C3D_EDATA, "%s: cannot be read to its end: %s", in->path, c3d_gdal_said());
    if (in->areas.n == 0) return C3D_FAIL(C3D_EDATA, "%s: no polygon in it", in->path);
    C3D_TRY(check_overlaps(in));
    return take_rings(in);
}

c3d_status c3d_areas_read(const char *path, const char *field, const char *crs_wkt, c3d_areas *out)
{
    reading in = { .path = path, .field = field, .to = c3d_gdal_srs(crs_wkt) };
    GDALDatasetH dataset = NULL;
    c3d_status st = C3D_OK;

    if (!in.to) return C3D_FAIL(C3D_EDATA, "%.80s: not a coordinate reference system", crs_wkt);
    c3d_gdal_clear();
    if (!c3d_path_exists(path))
        st = C3D_FAIL(C3D_EIO, "%s: no such file", path);
    else
        dataset = GDALOpenEx(path, GDAL_OF_VECTOR | GDAL_OF_READONLY | GDAL_OF_VERBOSE_ERROR, NULL,
                             NULL, NULL);
    if (dataset)
        st = read_layers(&in, dataset);
    else if (st == C3D_OK)
        st = C3D_FAIL(C3D_EDATA, "%s: not a vector file that can be read: %s", path,
                      c3d_gdal_said());
    for (size_t i = 0; i < in.areas.n; i++) OGR_G_DestroyGeometry(in.shapes[i]);
    free(in.shapes);
    if (dataset) GDALClose(dataset);
    OSRDestroySpatialReference(in.to);
    if (st == C3D_OK)
        *out = in.areas;
    else
        c3d_areas_free(&in.areas);
    return st;
}

void c3d_areas_free(c3d_areas *areas)
{
    free(areas->rows);
    free(areas->ring);
    free(areas->xy);
    *areas = (c3d_areas){ 0 };
}
