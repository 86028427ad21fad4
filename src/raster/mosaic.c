#include "gdal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Files belong to one grid when their corners fall on its pixel corners to within this. */
#define SNAP_PX 0.01

static void apply(const double t[6], double x, double y, double out[2])
{
    out[0] = t[0] + x * t[1] + y * t[2];
    out[1] = t[3] + x * t[4] + y * t[5];
}

/* Where a raster of the given transform and size lies on a grid; false when its corners do not fall
 * on pixel corners. */
static bool place_on(const double grid[6], const double transform[6], int width, int height,
                     c3d_window *out)
{
    const double corners[4][2] = { { 0, 0 }, { width, 0 }, { 0, height }, { width, height } };
    double inverse[6], point[2], at[2], first[2] = { 0, 0 };

    if (!c3d_transform_invert(grid, inverse)) return false;
    for (int i = 0; i < 4; i++) {
        apply(transform, corners[i][0], corners[i][1], point);
        apply(inverse, point[0], point[1], at);
        if (i == 0) {
            first[0] = round(at[0]);
            first[1] = round(at[1]);
        }
        if (!(fabs(at[0] - first[0] - corners[i][0]) <= SNAP_PX)) return false;
        if (!(fabs(at[1] - first[1] - corners[i][1]) <= SNAP_PX)) return false;
    }
    if (!(fabs(first[0]) < 1e9 && fabs(first[1]) < 1e9)) return false;
    *out = (c3d_window){ (int)first[0], (int)first[1], width, height };
    return true;
}

static bool is_same_crs(const char *a, const char *b)
{
    return strcmp(a, b) == 0 || c3d_crs_is_same(a, b);
}

static c3d_status fail_crs(const char *path, const char *other)
{
    return C3D_FAIL(C3D_EDATA, "%s: its coordinate reference system differs from that of %s", path,
                    other);
}

static c3d_status fail_grid(const char *path, const char *other)
{
    return C3D_FAIL(C3D_EDATA,
                    "%s: its pixels do not lie on the grid of %s (another pixel size or origin)",
                    path, other);
}

/* ---- files ----------------------------------------------------------------------------------- */

static c3d_status check_type(const char *path, c3d_dtype dtype, const char *other,
                             c3d_dtype other_dtype)
{
    if (dtype == other_dtype) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s: pixels of type %s, but %s has %s", path, c3d_dtype_name(dtype),
                    other, c3d_dtype_name(other_dtype));
}

/* The raster's bands and type are those of its first file. */
static c3d_status take_bands(const c3d_mosaic_desc *desc, c3d_raster *raster, raster_file *file,
                             const c3d_raster_info *info)
{
    const bool is_first = raster->n_files == 1;
    c3d_raster_info *to = &raster->info;

    if (desc->wanted == NULL) {
        if (is_first) return C3D_OK;
        if (info->n_bands != to->n_bands)
            return C3D_FAIL(C3D_EDATA, "%s: %d bands, but %s has %d", file->path, info->n_bands,
                            raster->files[0].path, to->n_bands);
        return check_type(file->path, info->dtype, raster->files[0].path, to->dtype);
    }
    C3D_TRY(c3d_raster_file_bands(desc, info, file));
    if (!is_first) return check_type(file->path, file->dtype, raster->files[0].path, to->dtype);
    to->n_bands = desc->n_bands;
    to->dtype = file->dtype;
    to->alpha_band = 0;
    for (int i = 0; i < desc->n_bands; i++) {
        const int from = file->bands[i] - 1;

        memcpy(to->band_names[i], desc->wanted[i].name, sizeof to->band_names[i]);
        memcpy(to->band_roles[i], info->band_roles[from], sizeof to->band_roles[i]);
        to->has_nodata[i] = file->has_nodata[from];
        to->nodata[i] = file->nodata[from];
    }
    return C3D_OK;
}

/* Neither the one nor the other can be guessed. */
static c3d_status check_georeference(const c3d_grid *grid, const char *grid_name,
                                     const c3d_raster_info *info, const raster_file *file)
{
    static const double none[6] = { 0, 1, 0, 0, 0, 1 };
    const bool grid_has_crs = grid->crs_wkt[0] != 0;
    bool grid_has_place = grid_has_crs;

    for (int i = 0; i < 6; i++) grid_has_place |= grid->transform[i] != none[i];

    if (!file->has_place && grid_has_place)
        return C3D_FAIL(C3D_EDATA,
                        "%s: no georeference, so it has no place on the grid of %s; give it one "
                        "(gdal_edit.py -a_ullr, or gdalwarp if it has control points)",
                        file->path, grid_name);
    if (file->has_place && !grid_has_place)
        return C3D_FAIL(C3D_EDATA,
                        "%s: has a georeference, but %s has none, so they cannot be "
                        "laid over each other",
                        file->path, grid_name);
    if ((info->crs_wkt[0] != 0) != grid_has_crs)
        return C3D_FAIL(C3D_EDATA,
                        "%s: %s coordinate reference system, but %s has %s; give it one "
                        "(gdal_edit.py -a_srs)",
                        grid_has_crs ? file->path : grid_name, "no",
                        grid_has_crs ? grid_name : file->path, "one");
    return C3D_OK;
}

static c3d_status place_file(const c3d_mosaic_desc *desc, const c3d_grid *grid,
                             const char *grid_name, const c3d_raster_info *info, raster_file *file)
{
    const bool is_other_crs = grid->crs_wkt != NULL && !is_same_crs(info->crs_wkt, grid->crs_wkt);

    if (desc->resampling == C3D_RESAMPLING_REFUSED) {
        if (is_other_crs) return fail_crs(file->path, grid_name);
        if (!place_on(grid->transform, info->transform, info->width_px, info->height_px,
                      &file->place))
            return fail_grid(file->path, grid_name);
        return C3D_OK;
    }
    if (grid->crs_wkt != NULL) C3D_TRY(check_georeference(grid, grid_name, info, file));
    if (!is_other_crs &&
        place_on(grid->transform, info->transform, info->width_px, info->height_px, &file->place))
        return C3D_OK;
    return c3d_raster_file_place(grid, grid_name, info, desc->resampling, file);
}

/* Opens file i on the grid, which is the first file's own when none is given. Only a few stay
 * open. */
static c3d_status add_file(const c3d_mosaic_desc *desc, c3d_raster *raster, c3d_grid *grid,
                           const char *path)
{
    raster_file *file = &raster->files[raster->n_files];
    c3d_raster_info info = { 0 };
    const char *grid_name = desc->grid == NULL         ? raster->files[0].path
                            : desc->grid->name != NULL ? desc->grid->name
                                                       : "the other months";
    c3d_status st = c3d_raster_file_open(path, file, &info);

    if (st != C3D_OK) goto done;
    raster->n_files++;
    if (raster->n_files == 1) {
        raster->info = info;
        info.crs_wkt = c3d_strdup(info.crs_wkt);
        raster->n_open = 1;
        if (desc->grid == NULL) {
            memcpy(grid->transform, info.transform, sizeof grid->transform);
            grid->crs_wkt = raster->info.crs_wkt;
        }
    } else {
        GDALClose(file->dataset);
        file->dataset = NULL;
    }
    C3D_TRY_TO(done, take_bands(desc, raster, file, &info));
    if (desc->grid != NULL || raster->n_files > 1)
        C3D_TRY_TO(done, place_file(desc, grid, grid_name, &info, file));
done:
    free(info.crs_wkt);
    return st;
}

/* ---- the grid -------------------------------------------------------------------------------- */

static bool windows_touch(const c3d_window *a, const c3d_window *b)
{
    return a->x < b->x + b->width && b->x < a->x + a->width && a->y < b->y + b->height &&
           b->y < a->y + a->height;
}

static bool has_overlap(const c3d_raster *raster)
{
    for (int i = 0; i < raster->n_files; i++)
        for (int k = 0; k < i; k++)
            if (windows_touch(&raster->files[i].place, &raster->files[k].place)) return true;
    return false;
}

/* The smallest window that contains both; false when it is larger than a raster may be. */
static bool unite(c3d_window *window, const c3d_window *other)
{
    const long long left = window->x < other->x ? window->x : other->x;
    const long long top = window->y < other->y ? window->y : other->y;
    const long long right = (long long)window->x + window->width,
                    bottom = (long long)window->y + window->height,
                    right_other = (long long)other->x + other->width,
                    bottom_other = (long long)other->y + other->height;
    const long long width = (right > right_other ? right : right_other) - left;
    const long long height = (bottom > bottom_other ? bottom : bottom_other) - top;

    if (width > INT32_MAX || height > INT32_MAX) return false;
    *window = (c3d_window){ (int)left, (int)top, (int)width, (int)height };
    return true;
}

static void move_origin(double t[6], int x, int y)
{
    double origin[2];

    apply(t, x, y, origin);
    t[0] = origin[0];
    t[3] = origin[1];
}

/* The grid of the first file, grown to hold all of them. */
static c3d_status take_union(c3d_raster *raster)
{
    c3d_window all = raster->files[0].place;

    for (int i = 1; i < raster->n_files; i++)
        if (!unite(&all, &raster->files[i].place))
            return C3D_FAIL(C3D_EDATA, "%s: too far from %s for one mosaic", raster->files[i].path,
                            raster->files[0].path);
    for (int i = 0; i < raster->n_files; i++) {
        raster->files[i].place.x -= all.x;
        raster->files[i].place.y -= all.y;
    }
    move_origin(raster->info.transform, all.x, all.y);
    raster->info.width_px = all.width;
    raster->info.height_px = all.height;
    return C3D_OK;
}

/* Two rasters without a georeference have the same corner, which says nothing. */
static c3d_status check_places(const c3d_raster *raster)
{
    if (raster->n_files < 2 || raster->files[0].has_place) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s and %s: no georeference, so where they lie is not known",
                    raster->files[0].path, raster->files[1].path);
}

static c3d_status open_files(const c3d_mosaic_desc *desc, c3d_raster *raster)
{
    c3d_grid grid = { 0 };

    if (desc->grid != NULL) grid = *desc->grid;
    raster->files = c3d_calloc((size_t)desc->n_files, sizeof *raster->files);
    if (raster->files == NULL) return C3D_ENOMEM;
    for (int i = 0; i < desc->n_files; i++) C3D_TRY(add_file(desc, raster, &grid, desc->paths[i]));
    if (desc->resampling != C3D_RESAMPLING_REFUSED) C3D_TRY(check_places(raster));
    if (desc->grid == NULL) return take_union(raster);
    memcpy(raster->info.transform, grid.transform, sizeof raster->info.transform);
    raster->info.width_px = grid.width_px;
    raster->info.height_px = grid.height_px;
    if (grid.crs_wkt == NULL) return C3D_OK;
    free(raster->info.crs_wkt);
    raster->info.crs_wkt = c3d_strdup(grid.crs_wkt);
    return C3D_OK;
}

c3d_status c3d_raster_open_alike(const c3d_mosaic_desc *desc, c3d_raster **out)
{
    c3d_raster *raster;
    c3d_status st;

    if (desc->n_files < 1) return C3D_FAIL(C3D_EINVAL, "a mosaic of %d files", desc->n_files);
    raster = c3d_calloc(1, sizeof *raster);
    if (raster == NULL) return C3D_ENOMEM;
    st = open_files(desc, raster);
    if (st != C3D_OK) {
        c3d_raster_close(raster);
        return st;
    }
    raster->overlapping = has_overlap(raster);
    *out = raster;
    return C3D_OK;
}

c3d_status c3d_raster_open_on_grid(const char *const *paths, int n, const c3d_grid *grid,
                                   c3d_raster **out)
{
    return c3d_raster_open_alike(&(c3d_mosaic_desc){ .n_files = n, .paths = paths, .grid = grid },
                                 out);
}

c3d_status c3d_raster_open_mosaic(const char *const *paths, int n, c3d_raster **out)
{
    return c3d_raster_open_on_grid(paths, n, NULL, out);
}
