#include "gdal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct c3d_transformer {
    OGRCoordinateTransformationH handle; /* NULL: both are the same */
};

static c3d_status srs_of(const char *text, OGRSpatialReferenceH *out)
{
    *out = c3d_gdal_srs(text);
    if (*out == NULL)
        return C3D_FAIL(C3D_EDATA, "%.80s: not a coordinate reference system",
                        text[0] ? text : "(none)");
    return C3D_OK;
}

c3d_status c3d_transformer_create(const char *from_wkt, const char *to_wkt, c3d_transformer **out)
{
    OGRSpatialReferenceH from = NULL, to = NULL;
    c3d_transformer *transformer = c3d_calloc(1, sizeof *transformer);
    c3d_status st = C3D_OK;

    if (transformer == NULL) return C3D_ENOMEM;
    if (strcmp(from_wkt, to_wkt) == 0 || c3d_crs_is_same(from_wkt, to_wkt)) {
        *out = transformer;
        return C3D_OK;
    }
    c3d_gdal_clear();
    C3D_TRY_TO(done, srs_of(from_wkt, &from));
    C3D_TRY_TO(done, srs_of(to_wkt, &to));
    transformer->handle = OCTNewCoordinateTransformation(from, to);
    if (transformer->handle == NULL)
        st = C3D_FAIL(C3D_EDATA, "no way from \"%s\" to \"%s\": %s", OSRGetName(from),
                      OSRGetName(to), c3d_gdal_said());
done:
    OSRDestroySpatialReference(from);
    OSRDestroySpatialReference(to);
    if (st != C3D_OK) {
        c3d_transformer_destroy(transformer);
        return st;
    }
    *out = transformer;
    return C3D_OK;
}

void c3d_transformer_destroy(c3d_transformer *transformer)
{
    if (transformer == NULL) return;
    if (transformer->handle != NULL) OCTDestroyCoordinateTransformation(transformer->handle);
    free(transformer);
}

c3d_status c3d_transformer_apply(c3d_transformer *transformer, int n, double *x, double *y)
{
    if (transformer->handle == NULL || n == 0) return C3D_OK;
    c3d_gdal_clear();
    /* One failed point fails the call; points without an image become infinite. */
    if (!OCTTransform(transformer->handle, n, x, y, NULL))
        return C3D_FAIL(C3D_EDATA, "coordinates could not be transformed: %s", c3d_gdal_said());
    for (int i = 0; i < n; i++)
        if (!isfinite(x[i]) || !isfinite(y[i]))
            return C3D_FAIL(C3D_EDATA, "a point has no place in the other reference system");
    return C3D_OK;
}

void c3d_transformer_try(c3d_transformer *transformer, int n, double *x, double *y)
{
    if (transformer->handle == NULL) return;
    c3d_gdal_clear();
    (void)OCTTransform(transformer->handle, n, x, y, NULL);
    for (int i = 0; i < n; i++)
        if (!isfinite(x[i]) || !isfinite(y[i])) x[i] = y[i] = (double)NAN;
    c3d_gdal_clear();
}

bool c3d_transformer_is_identity(const c3d_transformer *transformer)
{
    return transformer->handle == NULL;
}

bool c3d_crs_is_same(const char *a_wkt, const char *b_wkt)
{
    const char *const options[] = { "IGNORE_DATA_AXIS_TO_SRS_AXIS_MAPPING=YES", NULL };
    OGRSpatialReferenceH a = c3d_gdal_srs(a_wkt), b = c3d_gdal_srs(b_wkt);
    bool is_same;

    if (a == NULL || b == NULL)
        is_same = a == NULL && b == NULL && strcmp(a_wkt, b_wkt) == 0;
    else
        is_same = OSRIsSameEx(a, b, options);
    OSRDestroySpatialReference(a);
    OSRDestroySpatialReference(b);
    return is_same;
}

double c3d_crs_metre(const char *wkt)
{
    OGRSpatialReferenceH srs = c3d_gdal_srs(wkt);
    double metre = 1; /* without a reference system, units are taken for metres */

    if (srs == NULL) return metre;
    metre = OSRIsGeographic(srs) ? 0 : OSRGetLinearUnits(srs, NULL);
    OSRDestroySpatialReference(srs);
    return metre;
}

bool c3d_transform_invert(const double t[6], double out[6])
{
    double copy[6];

    memcpy(copy, t, sizeof copy);
    return GDALInvGeoTransform(copy, out);
}
