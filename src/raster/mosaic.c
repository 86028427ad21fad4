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

static c3d_status check_crs(const char *path, const char *wkt, const char *other,
                            const char *other_wkt)
{
    if (strcmp(wkt, other_wkt) == 0 || c3d_crs_is_same(wkt, other_wkt)) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s: its coordinate reference system differs from that of %s", path,
                    other);
}

static c3d_status check_alike(const char *path, const c3d_raster_info *info, const char *other,
                              const c3d_raster_info *other_info)
{
    if (info->n_bands != other_info->n_bands)
        return C3D_FAIL(C3D_EDATA, "%s: %d bands, but %s has %d", path, info->n_bands, other,
                        other_info->n_bands);
    if (info->dtype != other_info->dtype)
        return C3D_FAIL(C3D_EDATA, "%s: pixels of type %s, but %s has %s", path,
                        c3d_dtype_name(info->dtype), other, c3d_dtype_name(other_info->dtype));
    return check_crs(path, info->crs_wkt, other, other_info->crs_wkt);
}

static c3d_status fail_grid(const char *path, const char *other)
{
    return C3D_FAIL(C3D_EDATA,
                    "%s: its pixels do not lie on the grid of %s (another pixel size or origin)",
                    path, other);
}

/* Opens file i; all but the first must be like the first. Only a few stay open. */
static c3d_status add_file(c3d_raster *raster, const char *path)
{
    raster_file *file = &raster->files[raster->n_files];
    c3d_raster_info info = { 0 };
    c3d_status st = c3d_raster_file_open(path, file, &info);

    if (st != C3D_OK) goto done;
    raster->n_files++;
    if (raster->n_files == 1) {
        raster->info = info;
        raster->n_open = 1;
        return C3D_OK;
    }
    GDALClose(file->dataset);
    file->dataset = NULL;
    st = check_alike(path, &info, raster->files[0].path, &raster->info);
    if (st == C3D_OK && !place_on(raster->info.transform, info.transform, info.width_px,
                                  info.height_px, &file->place))
        st = fail_grid(path, raster->files[0].path);
done:
    free(info.crs_wkt);
    return st;
}

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

static c3d_status take_grid(c3d_raster *raster, const c3d_grid *grid)
{
    c3d_window first;

    if (grid->crs_wkt != NULL)
        C3D_TRY(check_crs(raster->files[0].path, raster->info.crs_wkt, "the other months",
                          grid->crs_wkt));
    if (!place_on(grid->transform, raster->info.transform, raster->files[0].place.width,
                  raster->files[0].place.height, &first))
        return fail_grid(raster->files[0].path, "the other months");
    for (int i = 0; i < raster->n_files; i++) {
        raster->files[i].place.x += first.x;
        raster->files[i].place.y += first.y;
    }
    memcpy(raster->info.transform, grid->transform, sizeof raster->info.transform);
    raster->info.width_px = grid->width_px;
    raster->info.height_px = grid->height_px;
    return C3D_OK;
}

c3d_status c3d_raster_open_on_grid(const char *const *paths, int n, const c3d_grid *grid,
                                   c3d_raster **out)
{
    c3d_raster *raster;
    c3d_status st = C3D_OK;

    if (n < 1) return C3D_FAIL(C3D_EINVAL, "a mosaic of %d files", n);
    raster = c3d_calloc(1, sizeof *raster);
    if (raster == NULL) return C3D_ENOMEM;
    raster->files = c3d_calloc((size_t)n, sizeof *raster->files);
    if (raster->files == NULL) st = C3D_ENOMEM;
    for (int i = 0; i < n && st == C3D_OK; i++) st = add_file(raster, paths[i]);
    if (st == C3D_OK) st = grid != NULL ? take_grid(raster, grid) : take_union(raster);
    if (st != C3D_OK) {
        c3d_raster_close(raster);
        return st;
    }
    raster->overlapping = has_overlap(raster);
    *out = raster;
    return C3D_OK;
}

c3d_status c3d_raster_open_mosaic(const char *const *paths, int n, c3d_raster **out)
{
    return c3d_raster_open_on_grid(paths, n, NULL, out);
}

c3d_status c3d_grid_extend(c3d_grid *grid, const char *grid_name, const c3d_raster *raster)
{
    const c3d_raster_info *info = &raster->info;
    c3d_window all = { 0, 0, grid->width_px, grid->height_px }, place;

    C3D_TRY(check_crs(c3d_raster_path(raster), info->crs_wkt, grid_name, grid->crs_wkt));
    if (!place_on(grid->transform, info->transform, info->width_px, info->height_px, &place) ||
        !unite(&all, &place))
        return fail_grid(c3d_raster_path(raster), grid_name);
    move_origin(grid->transform, all.x, all.y);
    grid->width_px = all.width;
    grid->height_px = all.height;
    return C3D_OK;
}
