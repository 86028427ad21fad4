/* Files that are not on a raster's grid: where they lie on it, and their pixels resampled to it. */
#include "gdal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CELL = 64, /* positions are interpolated within cells of the grid of this side */
    NODES = 4, /* from exact ones, per axis */
    NODE_STEP = 21,
    PIECE = 256, /* side of what is resampled at once */
    EDGE_STEPS = 32,
};
#define POSITION_PX   1e-5 /* error of an interpolated position above which all are exact */
#define TIE_PX        1e-6 /* a centre this near to the next pixel is in it, whatever rounding does */
#define SOURCE_PX_MAX ((size_t)1 << 24) /* of a file in memory at once */
#define SCALE_MAX     60                /* kernels grow no wider */

static void apply(const double t[6], double *x, double *y)
{
    const double u = *x, v = *y;

    *x = t[0] + u * t[1] + v * t[2];
    *y = t[3] + u * t[4] + v * t[5];
}

/* ---- where a file lies on the grid ----------------------------------------------------------- */

/* The edge of the file and a lattice inside it, in its pixels. */
static int outline(const raster_file *file, double *x, double *y)
{
    int n = 0;

    for (int i = 0; i <= EDGE_STEPS; i++)
        for (int k = 0; k <= EDGE_STEPS; k++) {
            const bool is_edge = i == 0 || k == 0 || i == EDGE_STEPS || k == EDGE_STEPS;

            if (!is_edge && (i % 4 != 0 || k % 4 != 0)) continue;
            x[n] = (double)file->width_px * k / EDGE_STEPS;
            y[n++] = (double)file->height_px * i / EDGE_STEPS;
        }
    return n;
}

static c3d_status find_place(const c3d_grid *grid, const char *grid_name,
                             const c3d_raster_info *info, c3d_transformer *to_grid,
                             raster_file *file)
{
    double x[(EDGE_STEPS + 1) * (EDGE_STEPS + 1)], y[(EDGE_STEPS + 1) * (EDGE_STEPS + 1)];
    double low[2] = { INFINITY, INFINITY }, high[2] = { -INFINITY, -INFINITY }, inverse[6];
    const int n = outline(file, x, y);

    if (!c3d_transform_invert(grid->transform, inverse))
        return C3D_FAIL(C3D_EDATA, "%s: its georeference cannot be inverted", grid_name);
    for (int i = 0; i < n; i++) apply(info->transform, &x[i], &y[i]);
    c3d_transformer_try(to_grid, n, x, y);
    for (int i = 0; i < n; i++) {
        if (isnan(x[i])) continue;
        apply(inverse, &x[i], &y[i]);
        low[0] = fmin(low[0], x[i]);
        low[1] = fmin(low[1], y[i]);
        high[0] = fmax(high[0], x[i]);
        high[1] = fmax(high[1], y[i]);
    }
    if (!(low[0] > -1e9 && low[1] > -1e9 && high[0] < 1e9 && high[1] < 1e9))
        return C3D_FAIL(C3D_EDATA, "%s: cannot be placed on the grid of %s", file->path, grid_name);
    /* within rounding the outer edge is that of a pixel */
    file->place.x = (int)floor(low[0] + TIE_PX);
    file->place.y = (int)floor(low[1] + TIE_PX);
    file->place.width = (int)ceil(high[0] - TIE_PX) - file->place.x;
    file->place.height = (int)ceil(high[1] - TIE_PX) - file->place.y;
    if (file->place.width < 1) file->place.width = 1;
    if (file->place.height < 1) file->place.height = 1;
    file->warp->scale[0] = fmin(SCALE_MAX, fmax(1, file->width_px / (high[0] - low[0])));
    file->warp->scale[1] = fmin(SCALE_MAX, fmax(1, file->height_px / (high[1] - low[1])));
    return C3D_OK;
}

static void describe(const c3d_raster_info *info, raster_warp *warp)
{
    OGRSpatialReferenceH srs = c3d_gdal_srs(info->crs_wkt);
    const char *authority = srs != NULL ? OSRGetAuthorityName(srs, NULL) : NULL;
    const char *code = srs != NULL ? OSRGetAuthorityCode(srs, NULL) : NULL;
    const char *name = srs != NULL ? OSRGetName(srs) : NULL;
    char crs[80] = "no CRS";

    if (authority != NULL && code != NULL)
        (void)snprintf(crs, sizeof crs, "%s:%s", authority, code);
    else if (name != NULL)
        (void)snprintf(crs, sizeof crs, "%s", name);
    (void)snprintf(warp->what, sizeof warp->what, "%s, pixels of %.6g x %.6g", crs,
                   hypot(info->transform[1], info->transform[4]),
                   hypot(info->transform[2], info->transform[5]));
    OSRDestroySpatialReference(srs);
}

c3d_status c3d_raster_file_place(const c3d_grid *grid, const char *grid_name,
                                 const c3d_raster_info *info, c3d_resampling resampling,
                                 raster_file *file)
{
    const char *grid_wkt = grid->crs_wkt != NULL ? grid->crs_wkt : info->crs_wkt;
    c3d_transformer *to_grid = NULL;
    c3d_status st = C3D_OK;

    file->warp = c3d_calloc(1, sizeof *file->warp);
    if (file->warp == NULL) return C3D_ENOMEM;
    file->warp->resampling = resampling;
    describe(info, file->warp);
    if (!c3d_transform_invert(info->transform, file->warp->inverse))
        return C3D_FAIL(C3D_EDATA, "%s: its georeference cannot be inverted", file->path);
    st = c3d_transformer_create(grid_wkt, info->crs_wkt, &file->warp->to_file);
    if (st == C3D_OK) st = c3d_transformer_create(info->crs_wkt, grid_wkt, &to_grid);
    if (st != C3D_OK) return c3d_error_while("placing %s", file->path);
    st = find_place(grid, grid_name, info, to_grid, file);
    c3d_transformer_destroy(to_grid);
    return st;
}

void c3d_raster_warp_free(raster_warp *warp)
{
    if (warp == NULL) return;
    c3d_transformer_destroy(warp->to_file);
    free(warp);
}

/* ---- positions ------------------------------------------------------------------------------- */

/* From pixels of the grid to pixels of the file; NaN where there is none. */
static void locate_exactly(const c3d_raster *raster, const raster_file *file, int n, double *x,
                           double *y)
{
    for (int i = 0; i < n; i++) apply(raster->info.transform, &x[i], &y[i]);
    c3d_transformer_try(file->warp->to_file, n, x, y);
    for (int i = 0; i < n; i++) apply(file->warp->inverse, &x[i], &y[i]);
}

/* Lagrange's weights of the nodes (centres of pixels 0, 21, 42, 63) at the centre of pixel i. */
static void node_weights(double i, double out[NODES])
{
    for (int k = 0; k < NODES; k++) {
        out[k] = 1;
        for (int j = 0; j < NODES; j++)
            if (j != k) out[k] *= (i - j * NODE_STEP) / ((k - j) * (double)NODE_STEP);
    }
}

typedef struct cell_nodes {
    double at[2][NODES][NODES]; /* [x or y, row, column] */
} cell_nodes;

static double interpolate(double at[NODES][NODES], const double wx[NODES], const double wy[NODES])
{
    double sum = 0;

    for (int row = 0; row < NODES; row++)
        for (int column = 0; column < NODES; column++)
            sum += wy[row] * wx[column] * at[row][column];
    return sum;
}

/* False when positions in the cell cannot be interpolated well. */
static bool find_nodes(const c3d_raster *raster, const raster_file *file, int cell_x, int cell_y,
                       cell_nodes *out)
{
    enum { N = NODES * NODES };
    const double middle = 1.5 * NODE_STEP;
    double x[N + 1], y[N + 1], w[NODES];

    for (int i = 0; i < N; i++) {
        x[i] = cell_x + 0.5 + i % NODES * NODE_STEP;
        y[i] = cell_y + 0.5 + i / NODES * NODE_STEP;
    }
    x[N] = cell_x + 0.5 + middle;
    y[N] = cell_y + 0.5 + middle;
    locate_exactly(raster, file, N + 1, x, y);
    memcpy(out->at[0], x, sizeof out->at[0]);
    memcpy(out->at[1], y, sizeof out->at[1]);
    node_weights(middle, w);
    return fabs(interpolate(out->at[0], w, w) - x[N]) <= POSITION_PX &&
           fabs(interpolate(out->at[1], w, w) - y[N]) <= POSITION_PX;
}

/* Centres of the pixels of a window (on the grid) in the file's pixels: x, y [height, width]. */
typedef struct positions {
    c3d_window window;
    double *x, *y;
    double weights[CELL][NODES]; /* of a cell's nodes at its pixels, along either axis */
} positions;

static void locate_row(const positions *of, const cell_nodes *nodes, c3d_window part, int row)
{
    const size_t at =
        (size_t)(row - of->window.y) * (size_t)of->window.width + (size_t)(part.x - of->window.x);
    const double *wy = of->weights[(row % CELL + CELL) % CELL];
    const int first = (part.x % CELL + CELL) % CELL;
    double column[2][NODES];

    for (int axis = 0; axis < 2; axis++)
        for (int c = 0; c < NODES; c++) {
            column[axis][c] = 0;
            for (int r = 0; r < NODES; r++) column[axis][c] += wy[r] * nodes->at[axis][r][c];
        }
    for (int i = 0; i < part.width; i++) {
        const double *w = of->weights[first + i];

        of->x[at + (size_t)i] =
            w[0] * column[0][0] + w[1] * column[0][1] + w[2] * column[0][2] + w[3] * column[0][3];
        of->y[at + (size_t)i] =
            w[0] * column[1][0] + w[1] * column[1][1] + w[2] * column[1][2] + w[3] * column[1][3];
    }
}

static void locate_cell(const c3d_raster *raster, const raster_file *file, const positions *of,
                        c3d_window part, int cell_x, int cell_y)
{
    cell_nodes nodes;
    const bool is_smooth = find_nodes(raster, file, cell_x, cell_y, &nodes);

    for (int y = part.y; y < part.y + part.height; y++) {
        const size_t at =
            (size_t)(y - of->window.y) * (size_t)of->window.width + (size_t)(part.x - of->window.x);

        if (is_smooth) {
            locate_row(of, &nodes, part, y);
            continue;
        }
        for (int i = 0; i < part.width; i++) {
            of->x[at + (size_t)i] = part.x + i + 0.5;
            of->y[at + (size_t)i] = y + 0.5;
        }
        locate_exactly(raster, file, part.width, of->x + at, of->y + at);
    }
}

static int floor_to_cell(int x)
{
    return x - (x % CELL + CELL) % CELL;
}

static void locate(const c3d_raster *raster, const raster_file *file, positions *of)
{
    const c3d_window w = of->window;

    for (int i = 0; i < CELL; i++) node_weights(i, of->weights[i]);
    for (int cy = floor_to_cell(w.y); cy < w.y + w.height; cy += CELL)
        for (int cx = floor_to_cell(w.x); cx < w.x + w.width; cx += CELL) {
            const int left = cx > w.x ? cx : w.x, top = cy > w.y ? cy : w.y;
            const int right = cx + CELL < w.x + w.width ? cx + CELL : w.x + w.width;
            const int bottom = cy + CELL < w.y + w.height ? cy + CELL : w.y + w.height;

            locate_cell(raster, file, of, (c3d_window){ left, top, right - left, bottom - top }, cx,
                        cy);
        }
}

/* ---- kernels --------------------------------------------------------------------------------- */

/* Pixels of a file: values [band, y, x], valid [y, x]. */
typedef struct patch {
    c3d_window window; /* in the file; width 0: nothing of it */
    c3d_dtype dtype;
    int n_bands;
    char *values;
    uint8_t *valid;
} patch;

enum { TAPS_MAX = 256 };

/* Weights of the file's pixels first .. first + n - 1 along one axis, for a kernel at `at`. */
typedef struct taps {
    int first, n;
    double weight[TAPS_MAX];
} taps;

static double kernel(c3d_resampling kind, double t)
{
    t = fabs(t);
    if (kind == C3D_RESAMPLING_BILINEAR) return t < 1 ? 1 - t : 0;
    if (t < 1) return (1.5 * t - 2.5) * t * t + 1;
    return t < 2 ? ((-0.5 * t + 2.5) * t - 4) * t + 2 : 0;
}

static void make_taps(c3d_resampling kind, double at, double scale, int low, int high, taps *out)
{
    const double radius = (kind == C3D_RESAMPLING_BILINEAR ? 1 : 2) * scale;
    int first = (int)ceil(at - 0.5 - radius), last = (int)floor(at - 0.5 + radius);

    if (first < low) first = low;
    if (last > high - 1) last = high - 1;
    if (last > first + TAPS_MAX - 1) last = first + TAPS_MAX - 1;
    out->first = first;
    out->n = last >= first ? last - first + 1 : 0;
    for (int i = 0; i < out->n; i++) out->weight[i] = kernel(kind, (first + i + 0.5 - at) / scale);
}

static bool all_valid(const patch *from, const taps *x, const taps *y)
{
    for (int r = 0; r < y->n; r++) {
        const uint8_t *row = from->valid +
                             (size_t)(y->first + r - from->window.y) * (size_t)from->window.width +
                             (size_t)(x->first - from->window.x);

        for (int c = 0; c < x->n; c++)
            if (!row[c] && x->weight[c] != 0 && y->weight[r] != 0) return false;
    }
    return true;
}

/* out: weighted means of the valid pixels, [band]. */
static bool weigh(const patch *from, const taps *x, const taps *y, double *out)
{
    const size_t n = (size_t)from->window.width * (size_t)from->window.height;
    double sum = 0;

    for (int b = 0; b < from->n_bands; b++) out[b] = 0;
    for (int r = 0; r < y->n; r++) {
        const size_t row = (size_t)(y->first + r - from->window.y) * (size_t)from->window.width +
                           (size_t)(x->first - from->window.x);

        for (int c = 0; c < x->n; c++) {
            const double w = y->weight[r] * x->weight[c];

            if (w == 0 || !from->valid[row + (size_t)c]) continue;
            sum += w;
            for (int b = 0; b < from->n_bands; b++)
                out[b] +=
                    w * c3d_dtype_get(from->values, from->dtype, (size_t)b * n + row + (size_t)c);
        }
    }
    for (int b = 0; b < from->n_bands; b++) out[b] /= sum;
    return sum > 1e-6;
}

static bool resample_point(const patch *from, const raster_file *file, double x, double y,
                           double *out)
{
    const raster_warp *warp = file->warp;
    taps across, down;

    make_taps(warp->resampling, x, warp->scale[0], 0, file->width_px, &across);
    make_taps(warp->resampling, y, warp->scale[1], 0, file->height_px, &down);
    if (warp->resampling == C3D_RESAMPLING_CUBIC && !all_valid(from, &across, &down)) {
        make_taps(C3D_RESAMPLING_BILINEAR, x, warp->scale[0], 0, file->width_px, &across);
        make_taps(C3D_RESAMPLING_BILINEAR, y, warp->scale[1], 0, file->height_px, &down);
    }
    return weigh(from, &across, &down, out);
}

/* ---- pieces ---------------------------------------------------------------------------------- */

/* A window of a request and where its pixels go: values [band, y, x] of dtype and valid [y, x],
 * rows of `stride` pixels, bands of `plane`. */
typedef struct target {
    const file_request *want;
    c3d_window window;
    char *values;
    uint8_t *valid; /* NULL: not asked for */
    size_t stride, plane;
} target;

static bool is_in_file(const raster_file *file, double x, double y)
{
    return x >= -TIE_PX && y >= -TIE_PX && x < file->width_px - TIE_PX &&
           y < file->height_px - TIE_PX;
}

/* The file's pixels that the kernels touch. */
static c3d_window source_window(const raster_file *file, const positions *of)
{
    const raster_warp *warp = file->warp;
    const double taps_px = warp->resampling == C3D_RESAMPLING_NEAREST    ? 0
                           : warp->resampling == C3D_RESAMPLING_BILINEAR ? 1
                                                                         : 2;
    const size_t n = (size_t)of->window.width * (size_t)of->window.height;
    double low[2] = { INFINITY, INFINITY }, high[2] = { -INFINITY, -INFINITY };
    c3d_window out = { 0 };

    for (size_t i = 0; i < n; i++) {
        if (!is_in_file(file, of->x[i], of->y[i])) continue;
        low[0] = fmin(low[0], of->x[i]);
        low[1] = fmin(low[1], of->y[i]);
        high[0] = fmax(high[0], of->x[i]);
        high[1] = fmax(high[1], of->y[i]);
    }
    if (low[0] > high[0]) return out;
    out.x = (int)fmax(0, floor(low[0] - taps_px * warp->scale[0] - 1));
    out.y = (int)fmax(0, floor(low[1] - taps_px * warp->scale[1] - 1));
    out.width = (int)fmin(file->width_px, ceil(high[0] + taps_px * warp->scale[0] + 1)) - out.x;
    out.height = (int)fmin(file->height_px, ceil(high[1] + taps_px * warp->scale[1] + 1)) - out.y;
    return out;
}

static void put_value(const target *to, int band, size_t at, c3d_dtype dtype, const void *value)
{
    const c3d_dtype out = to->want->dtype;
    char *where = to->values + ((size_t)band * to->plane + at) * c3d_dtype_size(out);

    if (to->values == NULL) return;
    if (dtype == out)
        memcpy(where, value, c3d_dtype_size(out));
    else
        GDALCopyWords(value, c3d_gdal_type_of(dtype), 0, where, c3d_gdal_type_of(out), 0, 1);
}

/* Rounded and clamped to the type. */
static void put_mean(const target *to, int band, size_t at, c3d_dtype dtype, double mean)
{
    uint64_t room = 0; /* of any type */

    GDALCopyWords(&mean, GDT_Float64, 0, &room, c3d_gdal_type_of(dtype), 0, 1);
    put_value(to, band, at, dtype, &room);
}

static void fill_pixel(const raster_file *file, const patch *from, const target *to, size_t at,
                       const double position[2])
{
    const int column = (int)floor(position[0] + TIE_PX), row = (int)floor(position[1] + TIE_PX);
    const size_t n = (size_t)from->window.width * (size_t)from->window.height;
    const size_t i = (size_t)(row - from->window.y) * (size_t)from->window.width +
                     (size_t)(column - from->window.x);
    double means[C3D_MAX_BANDS];

    if (to->valid != NULL) to->valid[at] = from->valid[i];
    if (file->warp->resampling == C3D_RESAMPLING_NEAREST || !from->valid[i] ||
        !resample_point(from, file, position[0], position[1], means)) {
        const size_t size = c3d_dtype_size(from->dtype);

        for (int b = 0; b < from->n_bands; b++)
            put_value(to, b, at, from->dtype, from->values + ((size_t)b * n + i) * size);
        return;
    }
    for (int b = 0; b < from->n_bands; b++) put_mean(to, b, at, from->dtype, means[b]);
}

static c3d_status read_patch(c3d_raster *raster, raster_file *file, const target *to, patch *from)
{
    const size_t n = (size_t)from->window.width * (size_t)from->window.height;
    file_request want = *to->want;

    want.dtype = from->dtype;
    from->values = malloc(n * (size_t)from->n_bands * c3d_dtype_size(from->dtype));
    from->valid = malloc(n);
    if (from->values == NULL || from->valid == NULL)
        return C3D_FAIL(C3D_ENOMEM, "%s: %zu pixels", file->path, n);
    return c3d_raster_file_read(raster, file, from->window, &want, from->values, from->valid);
}

static c3d_status resample_piece(c3d_raster *raster, raster_file *file, const target *to);

static c3d_status resample_halves(c3d_raster *raster, raster_file *file, const target *to)
{
    const bool is_wide = to->window.width >= to->window.height;
    target half = *to;
    const int first = (is_wide ? to->window.width : to->window.height) / 2;
    const size_t step = is_wide ? (size_t)first : (size_t)first * to->stride;

    *(is_wide ? &half.window.width : &half.window.height) = first;
    C3D_TRY(resample_piece(raster, file, &half));
    half.window = to->window;
    *(is_wide ? &half.window.x : &half.window.y) += first;
    *(is_wide ? &half.window.width : &half.window.height) -= first;
    if (half.values != NULL) half.values += step * c3d_dtype_size(to->want->dtype);
    if (half.valid != NULL) half.valid += step;
    return resample_piece(raster, file, &half);
}

static c3d_status fill_piece(c3d_raster *raster, raster_file *file, const target *to,
                             const positions *of, patch *from)
{
    if (from->window.width > 0) C3D_TRY(read_patch(raster, file, to, from));
    for (int y = 0; y < to->window.height; y++)
        for (int x = 0; x < to->window.width; x++) {
            const size_t i = (size_t)y * (size_t)to->window.width + (size_t)x;
            const size_t at = (size_t)y * to->stride + (size_t)x;

            if (is_in_file(file, of->x[i], of->y[i])) {
                fill_pixel(file, from, to, at, (const double[]){ of->x[i], of->y[i] });
                continue;
            }
            for (int b = 0; b < from->n_bands; b++)
                put_value(to, b, at, from->dtype, &(uint64_t){ 0 });
            if (to->valid != NULL) to->valid[at] = 0;
        }
    return C3D_OK;
}

static c3d_status resample_piece(c3d_raster *raster, raster_file *file, const target *to)
{
    const size_t n = (size_t)to->window.width * (size_t)to->window.height;
    positions of = { .window = to->window };
    patch from = { .dtype = file->dtype, .n_bands = to->want->n_bands };
    c3d_status st = C3D_OK;

    if (to->window.width > PIECE || to->window.height > PIECE)
        return resample_halves(raster, file, to);
    of.x = malloc(n * sizeof *of.x);
    of.y = malloc(n * sizeof *of.y);
    if (of.x == NULL || of.y == NULL) {
        st = C3D_FAIL(C3D_ENOMEM, "%s: %zu positions", file->path, n);
    } else {
        locate(raster, file, &of);
        from.window = source_window(file, &of);
        if ((size_t)from.window.width * (size_t)from.window.height > SOURCE_PX_MAX && n > 1)
            st = resample_halves(raster, file, to);
        else
            st = fill_piece(raster, file, to, &of, &from);
    }
    free(of.x);
    free(of.y);
    free(from.values);
    free(from.valid);
    return st;
}

c3d_status c3d_raster_file_resample(c3d_raster *raster, raster_file *file, c3d_window window,
                                    const file_request *want, void *values, uint8_t *valid)
{
    const target to = { .want = want,
                        .window = window,
                        .values = values,
                        .valid = valid,
                        .stride = (size_t)window.width,
                        .plane = (size_t)window.width * (size_t)window.height };

    return resample_piece(raster, file, &to);
}
