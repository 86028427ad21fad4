#include "labels.h"

#include "label_raster.h"
#include "label_vector.h"

#include <stdlib.h>
#include <string.h>

/* One label year: a raster, or shapes. */
typedef struct label_year {
    int year;
    char file[128]; /* the first one's name, for messages */
    label_layer raster;
    c3d_shapes *shapes;
    bool has_grid_before; /* its raster has the pixels of the year before */
} label_year;

struct label_meter {
    const c3d_dataset_desc *desc;
    const c3d_frames *frames;
    label_legend *legend;
    int n_years;
    label_year *years;
    coverage cover;
    c3d_window *windows; /* of a block's frames */
    double *shares;      /* [n, n_classes + 1] of shapes */
    size_t capacity;     /* frames */
};

c3d_status c3d_label_block_make(size_t first, size_t n, int n_years, int n_classes,
                                label_block *out)
{
    const size_t n_rows = n * (size_t)n_years;

    *out = (label_block){ .first = first, .n = n };
    out->shares = c3d_calloc(n_rows * (size_t)n_classes + 1, sizeof(double));
    out->observed = c3d_calloc(n_rows + 1, sizeof(double));
    out->hard = c3d_calloc(n_rows + 1, sizeof(double));
    return out->shares && out->observed && out->hard ? C3D_OK : C3D_ENOMEM;
}

void c3d_label_block_free(label_block *block)
{
    free(block->shares);
    free(block->observed);
    free(block->hard);
    *block = (label_block){ 0 };
}

/* ---- files ----------------------------------------------------------------------------------- */

static c3d_status open_year(label_meter *meter, const c3d_archive_month *month, label_year *year,
                            label_report *report)
{
    const char *path = month->files[0], *slash = strrchr(path, '/');

    year->year = month->date / 10000;
    (void)snprintf(year->file, sizeof year->file, "%s", slash ? slash + 1 : path);
    if (c3d_label_is_vector(path))
        return c3d_label_vector_open(meter->desc, meter->frames, month, &year->shapes);
    C3D_TRY(c3d_label_layer_open(meter->frames, month, meter->legend, &year->raster));
    report->has_palette |= c3d_raster_get_info(year->raster.raster)->has_palette;
    return C3D_OK;
}

static c3d_status open_years(label_meter *meter, const c3d_archive *labels, label_report *report)
{
    meter->years = c3d_calloc((size_t)labels->n_months, sizeof *meter->years);
    if (meter->years == NULL) return C3D_ENOMEM;
    for (int k = 0; k < labels->n_months; k++) {
        label_year *year = &meter->years[meter->n_years++];

        C3D_TRY(open_year(meter, &labels->months[k], year, report));
        year->has_grid_before = k > 0 && year->shapes == NULL && year[-1].shapes == NULL &&
                                c3d_label_layer_is_aligned(&year->raster, &year[-1].raster);
    }
    (void)snprintf(report->file, sizeof report->file, "%s", labels->months[0].files[0]);
    report->product = meter->years[0].raster.product;
    report->is_vector = meter->years[0].shapes != NULL;
    return C3D_OK;
}

c3d_status c3d_label_meter_open(const c3d_dataset_desc *desc, const c3d_frames *frames,
                                const c3d_archive *labels, label_report *report, label_meter **out)
{
    label_meter *meter = c3d_calloc(1, sizeof *meter);
    c3d_status st;

    if (meter == NULL) return C3D_ENOMEM;
    meter->desc = desc;
    meter->frames = frames;
    meter->legend = c3d_calloc(1, sizeof *meter->legend);
    if (report->code_area == NULL)
        report->code_area = c3d_calloc(LABEL_CODES_MAX, sizeof *report->code_area);
    st = meter->legend && report->code_area ? C3D_OK : C3D_ENOMEM;
    if (st == C3D_OK && !c3d_label_is_vector(labels->months[0].files[0]))
        st = c3d_label_legend_make(desc, meter->legend);
    if (st == C3D_OK) st = open_years(meter, labels, report);
    if (st == C3D_OK)
        *out = meter;
    else
        c3d_label_meter_close(meter);
    return st;
}

void c3d_label_meter_close(label_meter *meter)
{
    if (meter == NULL) return;
    for (int k = 0; k < meter->n_years; k++) {
        c3d_label_layer_close(&meter->years[k].raster);
        c3d_shapes_destroy(meter->years[k].shapes);
    }
    c3d_coverage_free(&meter->cover);
    free(meter->years);
    free(meter->legend);
    free(meter->windows);
    free(meter->shares);
    free(meter);
}

static const char *unseen_codes(const label_layer *layer)
{
    if (layer->zero_unseen && layer->old_unseen) return "codes 0 and 27 are";
    if (layer->zero_unseen) return "code 0 is";
    return layer->old_unseen ? "code 27 is" : "no code is";
}

void c3d_label_meter_tell(const label_meter *meter)
{
    for (int first = 0, next; first < meter->n_years; first = next) {
        const label_year *year = &meter->years[first];
        const label_product *product = year->raster.product;
        const int last = first;

        for (next = first + 1; next < meter->n_years; next++)
            if (meter->years[next].raster.product != product) break;
        if (year->shapes != NULL)
            c3d_log_run("labels %d to %d: polygons and points (%s ...); where there are none no "
                        "class is",
                        year->year, meter->years[next - 1].year, year->file);
        else
            c3d_log_run("labels %d to %d: %s (%s ...), %s taken for not observed", year->year,
                        meter->years[next - 1].year,
                        product ? product->name : "no product known by name", year->file,
                        unseen_codes(&year->raster));
        if (next < meter->n_years)
            c3d_log_warn("labels: %d is of another product than %d: a change between them may be "
                         "none on the ground",
                         meter->years[next].year, meter->years[last].year);
    }
}

/* ---- measuring ------------------------------------------------------------------------------- */

/* Twelve decimals: a share that is exactly a threshold must not miss it by a rounding. */
static void round_off(double *values, size_t n)
{
    for (size_t i = 0; i < n; i++) values[i] = c3d_label_rounded(values[i]);
}

static c3d_status measure_rasters(label_meter *meter, label_block *block, label_report *report)
{
    const int n_classes = meter->desc->n_classes, size = meter->frames->size_px;

    for (size_t i = 0; i < block->n; i++) {
        const c3d_frame *frame = &meter->frames->rows[block->first + i];

        for (int k = 0; k < meter->n_years; k++) {
            const size_t row = i * (size_t)meter->n_years + (size_t)k;
            label_year *year = &meter->years[k];
            label_sums sums = { &block->shares[row * (size_t)n_classes], &block->observed[row],
                                &block->hard[row] };

            if (year->shapes != NULL) continue;
            if (!year->has_grid_before)
                C3D_TRY(c3d_cover_frame(&year->raster.grid, frame, size, &meter->cover));
            C3D_TRY(
                c3d_label_layer_add_up(&year->raster, &meter->cover, meter->legend, &sums, report));
        }
    }
    return C3D_OK;
}

static c3d_status reserve_windows(label_meter *meter, size_t n)
{
    if (n <= meter->capacity) return C3D_OK;
    free(meter->windows);
    free(meter->shares);
    meter->capacity = 0;
    meter->windows = c3d_calloc(n, sizeof *meter->windows);
    meter->shares = c3d_calloc(n * ((size_t)meter->desc->n_classes + 1), sizeof *meter->shares);
    if (meter->windows == NULL || meter->shares == NULL) return C3D_ENOMEM;
    meter->capacity = n;
    return C3D_OK;
}

/* The last class of the shapes is that of hard negatives. */
static c3d_status measure_shapes(label_meter *meter, int k, label_block *block)
{
    const size_t n_classes = (size_t)meter->desc->n_classes, n_years = (size_t)meter->n_years;
    const int size = meter->frames->size_px;

    C3D_TRY(reserve_windows(meter, block->n));
    for (size_t i = 0; i < block->n; i++) {
        const c3d_frame *frame = &meter->frames->rows[block->first + i];

        meter->windows[i] = (c3d_window){ frame->x, frame->y, size, size };
    }
    C3D_TRY(c3d_shapes_cover(meter->years[k].shapes, block->n, meter->windows, meter->shares));
    for (size_t i = 0; i < block->n; i++) {
        const size_t row = i * n_years + (size_t)k;
        const double *shares = &meter->shares[i * (n_classes + 1)];

        memcpy(&block->shares[row * n_classes], shares, n_classes * sizeof *shares);
        block->hard[row] = shares[n_classes];
        block->observed[row] = 1;
    }
    return C3D_OK;
}

c3d_status c3d_label_meter_measure(label_meter *meter, label_block *block, label_report *report)
{
    const size_t n_rows = block->n * (size_t)meter->n_years;

    C3D_TRY(measure_rasters(meter, block, report));
    for (int k = 0; k < meter->n_years; k++)
        if (meter->years[k].shapes != NULL) C3D_TRY(measure_shapes(meter, k, block));
    round_off(block->shares, n_rows * (size_t)meter->desc->n_classes);
    round_off(block->hard, n_rows);
    round_off(block->observed, n_rows);
    return C3D_OK;
}
