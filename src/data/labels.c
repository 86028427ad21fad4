#include "frames.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EDGE_POINTS = 16 }; /* of each edge of a frame, to find the label window below it */

/* ---- which label pixels cover a frame, and how much -------------------------------------------
 */

/* A label raster's grid against the frames'. */
typedef struct label_grid {
    c3d_transformer *to_label, *to_frames;
    double label_t[6], label_inverse[6], frames_t[6], frames_inverse[6];
    int width_px, height_px;
    bool is_aligned;           /* same CRS, no rotation between the two */
    double step[2], origin[2]; /* then: frame-grid pixel = origin + step * label pixel */
} label_grid;

/* Areas of the label pixels of a window, in shares of the frame. */
typedef struct coverage {
    c3d_window window; /* of label pixels; width 0: none */
    double *area;      /* [height, width] */
    double *x, *y;     /* corners, [height + 1, width + 1] */
    size_t capacity;   /* corners */
} coverage;

static void apply(const double t[6], double *x, double *y)
{
    const double u = *x, v = *y;

    *x = t[0] + u * t[1] + v * t[2];
    *y = t[3] + u * t[4] + v * t[5];
}

static void grid_close(label_grid *grid)
{
    c3d_transformer_destroy(grid->to_label);
    c3d_transformer_destroy(grid->to_frames);
    *grid = (label_grid){ 0 };
}

static c3d_status grid_open(const c3d_frames *frames, c3d_raster *raster, label_grid *grid)
{
    const c3d_raster_info *info = c3d_raster_get_info(raster);

    memcpy(grid->label_t, info->transform, sizeof grid->label_t);
    memcpy(grid->frames_t, frames->transform, sizeof grid->frames_t);
    grid->width_px = info->width_px;
    grid->height_px = info->height_px;
    if (info->crs_wkt[0] == 0 && frames->crs_wkt[0] != 0)
        return C3D_FAIL(C3D_EDATA, "%s: no coordinate reference system", c3d_raster_path(raster));
    if (!c3d_transform_invert(grid->label_t, grid->label_inverse) ||
        !c3d_transform_invert(grid->frames_t, grid->frames_inverse))
        return C3D_FAIL(C3D_EDATA, "%s: its georeference cannot be inverted",
                        c3d_raster_path(raster));
    C3D_TRY(c3d_transformer_create(frames->crs_wkt, info->crs_wkt, &grid->to_label));
    C3D_TRY(c3d_transformer_create(info->crs_wkt, frames->crs_wkt, &grid->to_frames));
    grid->is_aligned = c3d_transformer_is_identity(grid->to_label) && grid->label_t[2] == 0 &&
                       grid->label_t[4] == 0 && grid->frames_t[2] == 0 && grid->frames_t[4] == 0;
    if (!grid->is_aligned) return C3D_OK;
    grid->origin[0] = (grid->label_t[0] - grid->frames_t[0]) / grid->frames_t[1];
    grid->origin[1] = (grid->label_t[3] - grid->frames_t[3]) / grid->frames_t[5];
    grid->step[0] = grid->label_t[1] / grid->frames_t[1];
    grid->step[1] = grid->label_t[5] / grid->frames_t[5];
    return C3D_OK;
}

/* Bounding box, in label pixels, of a rectangle of the frames' grid: x0, y0, x1, y1. */
static c3d_status label_bounds(label_grid *grid, const double rectangle[4], double out[4])
{
    double x[4 * EDGE_POINTS], y[4 * EDGE_POINTS];
    const double width = rectangle[2] - rectangle[0], height = rectangle[3] - rectangle[1];

    for (int i = 0; i < EDGE_POINTS; i++) {
        const double t = (double)i / EDGE_POINTS;
        const double at[4][2] = { { t, 0 }, { 1, t }, { 1 - t, 1 }, { 0, 1 - t } };

        for (int e = 0; e < 4; e++) {
            x[4 * i + e] = rectangle[0] + at[e][0] * width;
            y[4 * i + e] = rectangle[1] + at[e][1] * height;
            apply(grid->frames_t, &x[4 * i + e], &y[4 * i + e]);
        }
    }
    C3D_TRY(c3d_transformer_apply(grid->to_label, 4 * EDGE_POINTS, x, y));
    out[0] = out[1] = INFINITY;
    out[2] = out[3] = -INFINITY;
    for (int i = 0; i < 4 * EDGE_POINTS; i++) {
        apply(grid->label_inverse, &x[i], &y[i]);
        out[0] = fmin(out[0], x[i]);
        out[1] = fmin(out[1], y[i]);
        out[2] = fmax(out[2], x[i]);
        out[3] = fmax(out[3], y[i]);
    }
    return C3D_OK;
}

/* The label pixels that can touch the frame, those of the raster only. */
static c3d_window window_of(const label_grid *grid, const double bounds[4])
{
    const double left = fmax(floor(bounds[0]) - 1, 0), top = fmax(floor(bounds[1]) - 1, 0);
    const double right = fmin(ceil(bounds[2]) + 1, grid->width_px);
    const double bottom = fmin(ceil(bounds[3]) + 1, grid->height_px);

    if (!(right > left && bottom > top)) return (c3d_window){ 0 };
    return (c3d_window){ (int)left, (int)top, (int)(right - left), (int)(bottom - top) };
}

static c3d_status coverage_reserve(coverage *cover)
{
    const size_t n = ((size_t)cover->window.width + 1) * ((size_t)cover->window.height + 1);

    if (n <= cover->capacity) return C3D_OK;
    free(cover->area);
    free(cover->x);
    free(cover->y);
    cover->capacity = 0;
    cover->area = c3d_calloc(n, sizeof(double));
    cover->x = c3d_calloc(n, sizeof(double));
    cover->y = c3d_calloc(n, sizeof(double));
    if (cover->area == NULL || cover->x == NULL || cover->y == NULL) return C3D_ENOMEM;
    cover->capacity = n;
    return C3D_OK;
}

static void coverage_free(coverage *cover)
{
    free(cover->area);
    free(cover->x);
    free(cover->y);
}

/* Share of [first, first + size] that label pixel i covers along one axis. */
static double length_share(const label_grid *grid, int axis, int i, int first, int size)
{
    const double a = grid->origin[axis] + grid->step[axis] * i - first;
    const double b = grid->origin[axis] + grid->step[axis] * (i + 1) - first;
    const double overlap = fmin(fmax(a, b), size) - fmax(fmin(a, b), 0);

    return overlap > 0 ? overlap / size : 0;
}

static void cover_aligned(const label_grid *grid, const c3d_frame *frame, int size, coverage *cover)
{
    const c3d_window w = cover->window;

    for (int i = 0; i < w.width; i++) cover->x[i] = length_share(grid, 0, w.x + i, frame->x, size);
    for (int j = 0; j < w.height; j++) {
        const double row = length_share(grid, 1, w.y + j, frame->y, size);
        for (int i = 0; i < w.width; i++) cover->area[j * w.width + i] = row * cover->x[i];
    }
}

/* The general case: label pixels as quadrilaterals between their transformed corners. Everything is
 * measured in frames (affine images of the CRS plane), so that area shares are those of the CRS. */
static c3d_status cover_general(label_grid *grid, const c3d_frame *frame, int size, coverage *cover)
{
    const c3d_window w = cover->window;
    const int columns = w.width + 1, n = columns * (w.height + 1);

    for (int k = 0; k < n; k++) {
        const int row = k / columns;

        cover->x[k] = w.x + k % columns;
        cover->y[k] = w.y + row;
        apply(grid->label_t, &cover->x[k], &cover->y[k]);
    }
    C3D_TRY(c3d_transformer_apply(grid->to_frames, n, cover->x, cover->y));
    for (int k = 0; k < n; k++) {
        apply(grid->frames_inverse, &cover->x[k], &cover->y[k]);
        cover->x[k] = (cover->x[k] - frame->x) / size;
        cover->y[k] = (cover->y[k] - frame->y) / size;
    }
    for (int j = 0; j < w.height; j++) {
        for (int i = 0; i < w.width; i++) {
            const int at[4] = { j * columns + i, j * columns + i + 1, (j + 1) * columns + i + 1,
                                (j + 1) * columns + i };
            plane_point corners[4];

            for (int c = 0; c < 4; c++) {
                corners[c].at[0] = cover->x[at[c]];
                corners[c].at[1] = cover->y[at[c]];
            }
            cover->area[j * w.width + i] = c3d_unit_square_area(4, corners);
        }
    }
    return C3D_OK;
}

static c3d_status cover_frame(label_grid *grid, const c3d_frame *frame, int size, coverage *cover)
{
    const double rectangle[4] = { frame->x, frame->y, (double)frame->x + size,
                                  (double)frame->y + size };
    double bounds[4];

    C3D_TRY(label_bounds(grid, rectangle, bounds));
    cover->window = window_of(grid, bounds);
    if (cover->window.width == 0) return C3D_OK;
    C3D_TRY(coverage_reserve(cover));
    if (!grid->is_aligned) return cover_general(grid, frame, size, cover);
    cover_aligned(grid, frame, size, cover);
    return C3D_OK;
}

/* ---- codes to classes ------------------------------------------------------------------------ */

typedef struct label_legend {
    const c3d_dataset_desc *desc;
    int16_t class_of[LABEL_CODES_MAX]; /* -1: none */
} label_legend;

static c3d_status legend_fill(const c3d_dataset_desc *desc, label_legend *legend)
{
    legend->desc = desc;
    for (int code = 0; code < LABEL_CODES_MAX; code++) legend->class_of[code] = -1;
    for (int c = 0; c < desc->n_classes; c++) {
        for (int r = 0; r < desc->classes[c].n_ranges; r++) {
            const int *range = desc->classes[c].ranges[r];

            if (range[0] < 0 || range[1] >= LABEL_CODES_MAX || range[0] > range[1])
                return C3D_FAIL(C3D_ECONFIG,
                                "data.label_classes: %s: codes %d to %d, expected 0 to %d",
                                desc->classes[c].name, range[0], range[1], LABEL_CODES_MAX - 1);
            for (int code = range[0]; code <= range[1]; code++) {
                const int other = legend->class_of[code];

                if (other >= 0 && other != c)
                    return C3D_FAIL(C3D_ECONFIG, "data.label_classes: code %d is in %s and in %s",
                                    code, desc->classes[other].name, desc->classes[c].name);
                legend->class_of[code] = (int16_t)c;
            }
        }
    }
    return C3D_OK;
}

static int code_of(double value)
{
    return value >= 0 && value < LABEL_CODES_MAX && value == rint(value) ? (int)value : -1;
}

/* ---- one raster, all frames ------------------------------------------------------------------ */

typedef struct label_layer {
    c3d_raster *raster;
    label_grid grid;
    bool has_grid_before;         /* the layer before has the same grid */
    bool zero_unseen, old_unseen; /* codes 0 and 27 mean not observed */
    double *codes;                /* window buffers */
    uint8_t *valid;
    size_t capacity;
} label_layer;

static bool is_picture(const c3d_raster_info *info)
{
    bool has_red = false, has_blue = false;

    for (int b = 0; b < info->n_bands; b++) {
        has_red |= strcmp(info->band_names[b], "red") == 0;
        has_blue |= strcmp(info->band_names[b], "blue") == 0;
    }
    return info->n_bands >= 3 && has_red && has_blue;
}

static c3d_status check_layer(const c3d_frames *frames, label_layer *layer)
{
    const double all[4] = { 0, 0, frames->width_px, frames->height_px };
    const c3d_raster_info *info = c3d_raster_get_info(layer->raster);
    const char *path = c3d_raster_path(layer->raster);
    const label_grid *grid = &layer->grid;
    double bounds[4];

    if (is_picture(info))
        return C3D_FAIL(C3D_EDATA,
                        "%s: a picture of %d bands (red, green, blue), expected one band of class "
                        "codes",
                        path, info->n_bands);
    if (label_bounds(&layer->grid, all, bounds) != C3D_OK)
        return C3D_FAIL(C3D_EDATA,
                        "%s: the imagery has no place in the label raster's reference system; is "
                        "it of another region?",
                        path);
    if (bounds[2] <= 0 || bounds[3] <= 0 || bounds[0] >= grid->width_px ||
        bounds[1] >= grid->height_px)
        return C3D_FAIL(C3D_EDATA,
                        "%s: does not overlap the imagery, which would lie in its columns %.0f to "
                        "%.0f (it has %d) and rows %.0f to %.0f (it has %d)",
                        path, bounds[0], bounds[2], grid->width_px, bounds[1], bounds[3],
                        grid->height_px);
    return C3D_OK;
}

static c3d_status layer_open(const c3d_frames *frames, const c3d_archive_month *year,
                             const label_legend *legend, label_layer *layer)
{
    const c3d_raster_info *info;
    bool has_marks;

    C3D_TRY(
        c3d_raster_open_mosaic((const char *const *)year->files, year->n_files, &layer->raster));
    info = c3d_raster_get_info(layer->raster);
    C3D_TRY(grid_open(frames, layer->raster, &layer->grid));
    C3D_TRY(check_layer(frames, layer));
    has_marks = info->has_nodata[0] || info->alpha_band != 0;
    layer->zero_unseen = !has_marks && legend->class_of[0] < 0;
    layer->old_unseen = !has_marks && legend->class_of[27] < 0 && info->dtype == C3D_U8;
    return C3D_OK;
}

static void layer_close(label_layer *layer)
{
    c3d_raster_close(layer->raster);
    grid_close(&layer->grid);
    free(layer->codes);
    free(layer->valid);
}

static c3d_status layer_read(label_layer *layer, c3d_window window)
{
    const size_t n = (size_t)window.width * (size_t)window.height;
    const int band = 1;

    if (n > layer->capacity) {
        free(layer->codes);
        free(layer->valid);
        layer->capacity = 0;
        layer->codes = c3d_calloc(n, sizeof *layer->codes);
        layer->valid = c3d_calloc(n, 1);
        if (layer->codes == NULL || layer->valid == NULL) return C3D_ENOMEM;
        layer->capacity = n;
    }
    C3D_TRY(c3d_raster_read(layer->raster, window, &band, 1, C3D_F64, layer->codes));
    return c3d_raster_read_valid(layer->raster, window, &band, 1, false, layer->valid);
}

static void report_code(label_report *report, double value, int code, double area)
{
    if (code >= 0) {
        report->code_area[code] += area;
    } else {
        report->other_area += area;
        report->example = value;
    }
}

/* Adds up the frame's window: shares [n_classes], returns the observed share. */
static double add_up(const label_layer *layer, const coverage *cover, const label_legend *legend,
                     double *shares, label_report *report)
{
    const int n = cover->window.width * cover->window.height;
    double observed = 0;

    for (int i = 0; i < n; i++) {
        const double area = cover->area[i];
        const int code = code_of(layer->codes[i]);

        if (area <= 0 || !layer->valid[i]) continue;
        report_code(report, layer->codes[i], code, area);
        if (code == 0 && layer->zero_unseen) report->zero_unseen += area;
        if ((code == 0 && layer->zero_unseen) || (code == 27 && layer->old_unseen)) continue;
        observed += area;
        if (code >= 0 && legend->class_of[code] >= 0) shares[legend->class_of[code]] += area;
    }
    return observed;
}

/* Twelve decimals: a share that is exactly a threshold must not miss it by a rounding. */
static double rounded(double share)
{
    return rint(share * 1e12) / 1e12;
}

/* positive: the class looked for, or -1 when every class is a label. */
static c3d_frame_label label_of(const c3d_dataset_desc *desc, const double *shares, int positive,
                                double observed)
{
    const int first = positive < 0 ? 0 : positive;
    double sum = 0;
    int best = first;

    if (rounded(1 - observed) > 0.5) return C3D_FRAME_UNLABELLED;
    for (int c = first; c < (positive < 0 ? desc->n_classes : positive + 1); c++) {
        sum += shares[c];
        if (shares[c] > shares[best]) best = c;
    }
    if (shares[best] >= desc->positive_share) return C3D_FRAME_POSITIVE + best - first;
    return rounded(sum) <= desc->negative_share ? C3D_FRAME_NEGATIVE : C3D_FRAME_UNCERTAIN;
}

static int class_named(const c3d_dataset_desc *desc, const char *name)
{
    for (int c = 0; c < desc->n_classes; c++)
        if (strcmp(desc->classes[c].name, name) == 0) return c;
    return -1;
}

static c3d_status check_names(const c3d_dataset_desc *desc)
{
    static const char *const taken[] = { "negative", "uncertain", "unlabelled" };

    if (desc->n_classes == 0)
        return C3D_FAIL(C3D_ECONFIG, "data.label_classes: no class, so nothing can be labelled");
    if (desc->positive != NULL && class_named(desc, desc->positive) < 0)
        return C3D_FAIL(C3D_ECONFIG,
                        "data.positive: \"%s\" is not one of the %d classes of "
                        "data.label_classes",
                        desc->positive, desc->n_classes);
    for (size_t i = 0; i < C3D_COUNT(taken) && desc->positive == NULL; i++)
        if (class_named(desc, taken[i]) >= 0)
            return C3D_FAIL(C3D_ECONFIG,
                            "data.label_classes: a class cannot be called %s, which is a label of "
                            "its own",
                            taken[i]);
    return C3D_OK;
}

typedef struct measuring {
    const c3d_dataset_desc *desc;
    c3d_frames *frames;
    label_legend legend;
    int n_layers;
    label_layer *layers; /* [n_layers], one a label year */
    coverage cover;
    label_report *report;
} measuring;

static c3d_status measure_frame(measuring *work, size_t f, int positive)
{
    c3d_frames *frames = work->frames;

    for (int k = 0; k < work->n_layers; k++) {
        label_layer *layer = &work->layers[k];
        const size_t row = f * (size_t)frames->n_years + (size_t)k;
        double *shares = &frames->shares[row * (size_t)frames->n_classes];
        double observed = 0;

        if (!layer->has_grid_before)
            C3D_TRY(cover_frame(&layer->grid, &frames->rows[f], frames->size_px, &work->cover));
        if (work->cover.window.width > 0) {
            C3D_TRY(layer_read(layer, work->cover.window));
            observed = add_up(layer, &work->cover, &work->legend, shares, work->report);
        }
        for (int c = 0; c < frames->n_classes; c++)
            shares[c] = observed > 0 ? rounded(shares[c]) : (double)NAN;
        frames->labels[row] = label_of(work->desc, shares, positive, observed);
        work->report->observed += observed;
        work->report->total += 1;
    }
    return C3D_OK;
}

static c3d_status measure_all(measuring *work)
{
    const int positive =
        work->desc->positive != NULL ? class_named(work->desc, work->desc->positive) : -1;
    c3d_progress progress;
    c3d_status st = C3D_OK;

    c3d_progress_begin(&progress, "label shares", (double)work->frames->n, "frames");
    for (size_t f = 0; f < work->frames->n && st == C3D_OK; f++) {
        st = measure_frame(work, f, positive);
        c3d_progress_update(&progress, (double)(f + 1));
        if (c3d_stop_requested())
            st = C3D_FAIL(C3D_ESTOPPED, "stopped while measuring labels; nothing was written");
    }
    c3d_progress_end(&progress);
    return st;
}

static bool is_same_grid(const label_layer *a, const label_layer *b)
{
    bool same = a->grid.width_px == b->grid.width_px && a->grid.height_px == b->grid.height_px;

    for (int i = 0; i < 6; i++) same = same && a->grid.label_t[i] == b->grid.label_t[i];
    return same && strcmp(c3d_raster_get_info(a->raster)->crs_wkt,
                          c3d_raster_get_info(b->raster)->crs_wkt) == 0;
}

static c3d_status open_layers(measuring *work, const c3d_archive *labels)
{
    work->layers = c3d_calloc((size_t)labels->n_months, sizeof *work->layers);
    if (work->layers == NULL) return C3D_ENOMEM;
    for (int k = 0; k < labels->n_months; k++) {
        label_layer *layer = &work->layers[work->n_layers++];

        C3D_TRY(layer_open(work->frames, &labels->months[k], &work->legend, layer));
        layer->has_grid_before = k > 0 && is_same_grid(layer, layer - 1);
        work->report->has_palette |= c3d_raster_get_info(layer->raster)->has_palette;
    }
    (void)snprintf(work->report->file, sizeof work->report->file, "%s", labels->months[0].files[0]);
    return C3D_OK;
}

static c3d_status reserve(c3d_frames *frames, const c3d_dataset_desc *desc,
                          const c3d_archive *labels, label_report *report)
{
    const size_t n_rows = frames->n * (size_t)labels->n_months;

    frames->n_years = labels->n_months;
    frames->n_classes = desc->n_classes;
    frames->by_class = desc->positive == NULL;
    frames->years = c3d_calloc((size_t)labels->n_months, sizeof *frames->years);
    frames->classes = c3d_calloc((size_t)desc->n_classes, sizeof *frames->classes);
    frames->labels = c3d_calloc(n_rows, sizeof *frames->labels);
    frames->shares = c3d_calloc(n_rows * (size_t)desc->n_classes, sizeof *frames->shares);
    report->code_area = c3d_calloc(LABEL_CODES_MAX, sizeof *report->code_area);
    if (frames->years == NULL || frames->classes == NULL || frames->labels == NULL ||
        frames->shares == NULL || report->code_area == NULL)
        return C3D_ENOMEM;
    for (int k = 0; k < labels->n_months; k++) frames->years[k] = labels->months[k].date / 10000;
    for (int c = 0; c < desc->n_classes; c++)
        frames->classes[c] = c3d_strdup(desc->classes[c].name);
    return C3D_OK;
}

c3d_status c3d_frames_measure(const c3d_dataset_desc *desc, const c3d_archive *archive,
                              c3d_frames *frames, label_report *report)
{
    measuring *work = c3d_calloc(1, sizeof *work);
    c3d_archive labels = { 0 };
    c3d_status st;

    if (work == NULL) return C3D_ENOMEM;
    work->desc = desc;
    work->frames = frames;
    work->report = report;
    C3D_TRY_TO(done, check_names(desc));
    C3D_TRY_TO(done, legend_fill(desc, &work->legend));
    C3D_TRY_TO(done, c3d_label_archive(desc, archive, &labels));
    C3D_TRY_TO(done, reserve(frames, desc, &labels, report));
    C3D_TRY_TO(done, open_layers(work, &labels));
    C3D_TRY_TO(done, measure_all(work));
done:
    for (int k = 0; k < work->n_layers; k++) layer_close(&work->layers[k]);
    free(work->layers);
    coverage_free(&work->cover);
    c3d_archive_free(&labels);
    free(work);
    return st;
}

void c3d_label_report_free(label_report *report)
{
    free(report->code_area);
    *report = (label_report){ 0 };
}
