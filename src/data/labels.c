#include "cover.h"
#include "label_product.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    const label_product *product; /* or NULL */
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
    char hint[160];

    if (is_picture(info))
        return C3D_FAIL(C3D_EDATA,
                        "%s: a picture of %d bands (red, green, blue), expected one band of class "
                        "codes",
                        path, info->n_bands);
    if (c3d_label_bounds(&layer->grid, all, bounds) != C3D_OK)
        return C3D_FAIL(C3D_EDATA,
                        "%s: the imagery has no place in the label raster's reference system; is "
                        "it of another region?",
                        path);
    if (bounds[2] > 0 && bounds[3] > 0 && bounds[0] < grid->width_px && bounds[1] < grid->height_px)
        return C3D_OK;
    c3d_label_place_hint(frames, layer->raster, hint);
    return C3D_FAIL(C3D_EDATA,
                    "%s: does not overlap the imagery, which would lie in its columns %.0f to %.0f "
                    "(it has %d) and rows %.0f to %.0f (it has %d)%s",
                    path, bounds[0], bounds[2], grid->width_px, bounds[1], bounds[3],
                    grid->height_px, hint);
}

static c3d_status find_product(const c3d_archive_month *year, const label_product **out)
{
    *out = c3d_label_product_find(year->files[0]);
    for (int f = 1; f < year->n_files; f++)
        if (c3d_label_product_find(year->files[f]) != *out)
            return C3D_FAIL(C3D_EDATA,
                            "%s: by its name not of the same product as %s, of the same year",
                            year->files[f], year->files[0]);
    return C3D_OK;
}

static c3d_status layer_open(const c3d_frames *frames, const c3d_archive_month *year,
                             const label_legend *legend, label_layer *layer)
{
    const c3d_raster_info *info;
    bool is_marked;

    C3D_TRY(
        c3d_raster_open_mosaic((const char *const *)year->files, year->n_files, &layer->raster));
    info = c3d_raster_get_info(layer->raster);
    C3D_TRY(c3d_label_grid_open(frames, layer->raster, &layer->grid));
    C3D_TRY(check_layer(frames, layer));
    C3D_TRY(find_product(year, &layer->product));
    is_marked = info->has_nodata[0] || info->alpha_band != 0;
    layer->zero_unseen = !is_marked;
    layer->old_unseen = !is_marked && info->dtype == C3D_U8;
    if (layer->product) {
        layer->zero_unseen = !layer->product->zero_is_seen;
        layer->old_unseen = layer->product->has_code_27;
    }
    layer->zero_unseen &= legend->class_of[0] < 0;
    layer->old_unseen &= legend->class_of[27] < 0;
    return C3D_OK;
}

static void layer_close(label_layer *layer)
{
    c3d_raster_close(layer->raster);
    c3d_label_grid_close(&layer->grid);
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
            C3D_TRY(c3d_cover_frame(&layer->grid, &frames->rows[f], frames->size_px, &work->cover));
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

/* One line for each run of years of one product. */
static void tell_products(const measuring *work, const c3d_archive *labels)
{
    for (int first = 0, next; first < work->n_layers; first = next) {
        const label_layer *layer = &work->layers[first];
        const char *codes = layer->zero_unseen && layer->old_unseen ? "codes 0 and 27 are"
                            : layer->zero_unseen                    ? "code 0 is"
                            : layer->old_unseen                     ? "code 27 is"
                                                                    : "no code is";

        for (next = first + 1; next < work->n_layers; next++)
            if (work->layers[next].product != layer->product) break;
        c3d_log_run("labels %d to %d: %s (%s ...), %s taken for not observed",
                    labels->months[first].date / 10000, labels->months[next - 1].date / 10000,
                    layer->product ? layer->product->name : "no product known by name",
                    strrchr(labels->months[first].files[0], '/')
                        ? strrchr(labels->months[first].files[0], '/') + 1
                        : labels->months[first].files[0],
                    codes);
        if (next < work->n_layers)
            c3d_log_warn("labels: %d is of another product than %d: a change between them may be "
                         "none on the ground",
                         labels->months[next].date / 10000, labels->months[next - 1].date / 10000);
    }
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
    work->report->product = work->layers[0].product;
    tell_products(work, labels);
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
    c3d_coverage_free(&work->cover);
    c3d_archive_free(&labels);
    free(work);
    return st;
}

void c3d_label_report_free(label_report *report)
{
    free(report->code_area);
    *report = (label_report){ 0 };
}
