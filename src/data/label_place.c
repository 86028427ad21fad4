/* Why a label raster may not lie over the imagery: a hint for the message. */
#include "cover.h"

#include <math.h>
#include <string.h>

#define HEMISPHERE_M 1e7 /* false northing of UTM south of the equator */

typedef struct guess {
    const char *crs; /* the raster's coordinates taken for this */
    bool is_swapped;
    double north; /* added to them */
} guess;

/* Whether the middle of the imagery would lie in the raster. */
static bool is_inside(const c3d_frames *frames, const c3d_raster_info *info, const guess *of)
{
    const double *t = frames->transform;
    const double u = frames->width_px / 2.0, v = frames->height_px / 2.0;
    double x = t[0] + u * t[1] + v * t[2], y = t[3] + u * t[4] + v * t[5];
    double inverse[6], column, row;
    c3d_transformer *transformer;
    bool has_place;

    if (!c3d_transform_invert(info->transform, inverse)) return false;
    if (c3d_transformer_create(frames->crs_wkt, of->crs, &transformer) != C3D_OK) return false;
    has_place = c3d_transformer_apply(transformer, 1, &x, &y) == C3D_OK;
    c3d_transformer_destroy(transformer);
    if (!has_place) return false;
    y -= of->north;
    column =
        inverse[0] + (of->is_swapped ? y : x) * inverse[1] + (of->is_swapped ? x : y) * inverse[2];
    row =
        inverse[3] + (of->is_swapped ? y : x) * inverse[4] + (of->is_swapped ? x : y) * inverse[5];
    return column >= 0 && row >= 0 && column < info->width_px && row < info->height_px;
}

void c3d_label_place_hint(const c3d_frames *frames, const c3d_raster *raster, char out[160])
{
    const c3d_raster_info *info = c3d_raster_get_info(raster);
    const struct {
        guess of;
        const char *words;
    } guesses[] = {
        { { info->crs_wkt, true, 0 }, "its coordinates were swapped (latitude first)" },
        { { info->crs_wkt, false, HEMISPHERE_M }, "it were of the other hemisphere's UTM zone" },
        { { info->crs_wkt, false, -HEMISPHERE_M }, "it were of the other hemisphere's UTM zone" },
        { { "EPSG:4326", false, 0 }, "its coordinates were degrees (EPSG:4326)" },
        { { "EPSG:4326", true, 0 }, "its coordinates were degrees, latitude first" },
        { { frames->crs_wkt, false, 0 }, "its coordinates were of the imagery's CRS" },
        { { "EPSG:3857", false, 0 }, "its coordinates were web Mercator's (EPSG:3857)" },
    };

    out[0] = 0;
    for (size_t i = 0; i < C3D_COUNT(guesses); i++) {
        if (!is_inside(frames, info, &guesses[i].of)) continue;
        (void)snprintf(out, 160, "; it would if %s: is its reference system right?",
                       guesses[i].words);
        return;
    }
}
