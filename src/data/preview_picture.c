/* A scene's months as PNG pictures in natural colours. */
#include "preview.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { SAMPLES_MAX = 40000 }; /* pixels looked at to find the stretch */
/* What a picture's pixel takes in the page: three bytes that hardly compress, in base64. */
#define BYTES_A_PIXEL 3.6

/* ---- bands ----------------------------------------------------------------------------------- */

static int find_band(const c3d_shard *shard, const char *name)
{
    const int n_bands = c3d_shard_get_shape(shard)->n_bands;
    long long number;

    for (int b = 0; b < n_bands; b++)
        if (strcasecmp(c3d_shard_bands(shard)[b], name) == 0) return b;
    if (c3d_parse_int(name, &number) && number >= 1 && number <= n_bands) return (int)number - 1;
    return -1;
}

static c3d_status take_bands(const c3d_shard *shard, const char *list, preview_stretch *out)
{
    char copy[256], *rest = copy;

    (void)snprintf(copy, sizeof copy, "%s", list);
    for (char *name = strtok_r(copy, ", ", &rest); name; name = strtok_r(NULL, ", ", &rest)) {
        const int band = find_band(shard, name);
        if (band < 0)
            return C3D_FAIL(C3D_ECONFIG, "--bands: no band \"%s\" among the %d of %s", name,
                            c3d_shard_get_shape(shard)->n_bands, c3d_shard_path(shard));
        if (out->n_channels == 3) {
            out->n_channels = 4;
            break;
        }
        out->bands[out->n_channels++] = band;
    }
    if (out->n_channels == 1 || out->n_channels == 3) return C3D_OK;
    return C3D_FAIL(C3D_ECONFIG, "--bands: expected three bands or one, got \"%s\"", list);
}

static void find_natural(const c3d_shard *shard, preview_stretch *out)
{
    static const char *const names[3] = { "red", "green", "blue" };
    const int n_bands = c3d_shard_get_shape(shard)->n_bands;

    out->is_natural = true;
    for (int c = 0; c < 3; c++) {
        out->bands[c] = find_band(shard, names[c]);
        out->is_natural &= out->bands[c] >= 0;
    }
    out->n_channels = out->is_natural || n_bands >= 3 ? 3 : 1;
    for (int c = 0; !out->is_natural && c < 3; c++) out->bands[c] = c;
}

/* ---- pixels ---------------------------------------------------------------------------------- */

static bool is_valid(const preview_pixels *pixels, int month, int y, int x)
{
    const size_t size = (size_t)pixels->shape.size_px, row_bytes = (size + 7) / 8;
    const uint8_t *row = pixels->valid + ((size_t)month * size + (size_t)y) * row_bytes;

    return row[x / 8] >> (7 - x % 8) & 1;
}

static double value_of(const preview_pixels *pixels, int month, int band, int y, int x)
{
    const c3d_shard_shape *shape = &pixels->shape;
    const size_t size = (size_t)shape->size_px;
    const size_t plane = (size_t)month * (size_t)shape->n_bands + (size_t)band;

    return c3d_dtype_get(pixels->values, shape->dtype,
                         (plane * size + (size_t)y) * size + (size_t)x);
}

static c3d_status read_periods(const c3d_store *store, int64_t frame_id, preview_pixels *out)
{
    const size_t month_valid = c3d_valid_bytes(&out->shape) / (size_t)out->shape.n_months;
    const size_t month_bytes = c3d_scene_bytes(&out->shape) / (size_t)out->shape.n_months;
    size_t first = 0;

    for (int p = 0; p < store->n_periods; p++) {
        const int n_months = store->periods[p].n_months;
        const c3d_store_row *row = c3d_store_find(store, frame_id, p);
        if (row && c3d_store_status(store, row) == C3D_SCENE_PRESENT) {
            c3d_shard *shard = store->shards[row->shard];
            C3D_TRY(c3d_shard_read_months(shard, row->row, 0, n_months,
                                          (char *)out->values + first * month_bytes));
            C3D_TRY(c3d_shard_read_valid(shard, row->row, out->valid + first * month_valid));
        }
        first += (size_t)n_months;
    }
    return c3d_store_read_missing(store, frame_id, out->missing_share);
}

c3d_status c3d_preview_read(const c3d_store *store, int64_t frame_id, preview_pixels *out)
{
    c3d_status st = C3D_ENOMEM;

    *out = (preview_pixels){ .shape = *c3d_shard_get_shape(store->shards[0]) };
    out->shape.n_months = store->n_months;
    out->values = c3d_calloc(1, c3d_scene_bytes(&out->shape));
    out->valid = c3d_calloc(1, c3d_valid_bytes(&out->shape));
    out->missing_share = c3d_calloc((size_t)store->n_months, sizeof(float));
    if (out->values && out->valid && out->missing_share) st = read_periods(store, frame_id, out);
    if (st != C3D_OK) c3d_preview_pixels_free(out);
    return st;
}

void c3d_preview_pixels_free(preview_pixels *pixels)
{
    free(pixels->values);
    free(pixels->valid);
    free(pixels->missing_share);
    *pixels = (preview_pixels){ 0 };
}

/* ---- stretch --------------------------------------------------------------------------------- */

/* Medians over the dates: what clouds and haze do to single ones does not matter. */
typedef struct sampler {
    size_t n, step, count; /* every step-th pixel; pixels seen */
    double *values[3];     /* [SAMPLES_MAX] */
    double *series;        /* [n_months] */
} sampler;

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* False when the pixel was never observed. */
static bool series_median(const preview_pixels *pixels, int band, const int at[2], double *series,
                          double *out)
{
    size_t n = 0;

    for (int m = 0; m < pixels->shape.n_months; m++)
        if (is_valid(pixels, m, at[1], at[0]))
            series[n++] = value_of(pixels, m, band, at[1], at[0]);
    if (n == 0) return false;
    qsort(series, n, sizeof *series, by_value);
    *out = series[n / 2];
    return true;
}

static void take_samples(const preview_pixels *pixels, const preview_stretch *stretch,
                         sampler *sample)
{
    const int size = pixels->shape.size_px;

    for (int i = 0; i < size * size && sample->n < SAMPLES_MAX; i++) {
        const int at[2] = { i % size, i / size };
        bool is_seen = sample->count++ % sample->step == 0;

        for (int c = 0; is_seen && c < 3 && c < stretch->n_channels; c++)
            is_seen = series_median(pixels, stretch->bands[c], at, sample->series,
                                    &sample->values[c][sample->n]);
        sample->n += is_seen;
    }
}

/* In natural colours full is the same for all three, or bare soil would be white. */
static void find_limits(const sampler *sample, preview_stretch *out)
{
    double brightest = -INFINITY;

    for (int c = 0; c < out->n_channels; c++) {
        out->low[c] = 0;
        out->high[c] = 1;
        if (sample->n > 0) {
            qsort(sample->values[c], sample->n, sizeof(double), by_value);
            out->low[c] = sample->values[c][(size_t)(0.01 * (double)(sample->n - 1))];
            out->high[c] = sample->values[c][(size_t)(0.99 * (double)(sample->n - 1))];
        }
        brightest = fmax(brightest, out->high[c]);
    }
    for (int c = 0; c < out->n_channels; c++) {
        if (out->is_natural) out->high[c] = brightest;
        if (!(out->high[c] > out->low[c])) out->high[c] = out->low[c] + 1;
    }
}

c3d_status c3d_preview_stretch(const c3d_store *store, const preview_list *scenes,
                               const char *bands, preview_stretch *out)
{
    const c3d_shard *shard = store->shards[0];
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    const size_t size = (size_t)shape->size_px;
    sampler sample = { 0 };
    c3d_status st = C3D_OK;

    *out = (preview_stretch){ 0 };
    out->is_asked = bands != NULL;
    if (bands)
        C3D_TRY(take_bands(shard, bands, out));
    else
        find_natural(shard, out);
    sample.step = 1 + scenes->n * size * size / SAMPLES_MAX;
    sample.series = c3d_calloc((size_t)store->n_months, sizeof(double));
    if (!sample.series) st = C3D_ENOMEM;
    for (int c = 0; c < 3; c++) {
        sample.values[c] = c3d_calloc(SAMPLES_MAX, sizeof(double));
        if (!sample.values[c]) st = C3D_ENOMEM;
    }
    for (size_t i = 0; st == C3D_OK && i < scenes->n; i++) {
        preview_pixels pixels;
        st = c3d_preview_read(store, scenes->frame_ids[i], &pixels);
        if (st != C3D_OK) break;
        take_samples(&pixels, out, &sample);
        c3d_preview_pixels_free(&pixels);
    }
    if (st == C3D_OK) find_limits(&sample, out);
    for (int c = 0; c < 3; c++) free(sample.values[c]);
    free(sample.series);
    return st;
}

/* ---- pictures -------------------------------------------------------------------------------- */

/* Mean of the observed pixels of a block; false when most are not observed. */
static bool block_mean(const preview_pixels *pixels, int month, int factor, const int at[2],
                       const preview_stretch *stretch, double mean[3])
{
    const int size = pixels->shape.size_px;
    int n = 0, n_all = 0;

    for (int c = 0; c < 3; c++) mean[c] = 0;
    for (int y = at[1]; y < at[1] + factor && y < size; y++) {
        for (int x = at[0]; x < at[0] + factor && x < size; x++) {
            n_all++;
            if (!is_valid(pixels, month, y, x)) continue;
            n++;
            for (int c = 0; c < 3 && c < stretch->n_channels; c++)
                mean[c] += value_of(pixels, month, stretch->bands[c], y, x);
        }
    }
    for (int c = 0; n > 0 && c < 3 && c < stretch->n_channels; c++) mean[c] /= n;
    return 2 * n >= n_all;
}

static uint8_t shade(const preview_stretch *stretch, int channel, double value)
{
    const double share =
        (value - stretch->low[channel]) / (stretch->high[channel] - stretch->low[channel]);

    return (uint8_t)lrint(255 * pow(fmin(fmax(share, 0), 1), PREVIEW_GAMMA));
}

/* RGBA pixels; returns how many are transparent. */
static size_t paint(const preview_pixels *pixels, int month, const preview_stretch *stretch,
                    int factor, uint8_t *to)
{
    const int size = pixels->shape.size_px, n_colours = stretch->n_channels;
    size_t n_missing = 0;

    for (int y = 0; y < size; y += factor) {
        for (int x = 0; x < size; x += factor, to += 4) {
            double mean[3];
            if (!block_mean(pixels, month, factor, (const int[]){ x, y }, stretch, mean)) {
                n_missing++;
                continue;
            }
            for (int c = 0; c < 3; c++) to[c] = shade(stretch, c % n_colours, mean[c % n_colours]);
            to[3] = 255;
        }
    }
    return n_missing;
}

/* As a data: URI. */
static c3d_status add_picture(const preview_month *of, c3d_text *out)
{
    const int size = of->pixels->shape.size_px, side = (size + of->factor - 1) / of->factor;
    const size_t n = (size_t)side * (size_t)side;
    uint8_t *picture = c3d_calloc(n, 4);
    int n_bands = 4;
    void *png = NULL;
    size_t n_bytes;

    if (!picture) return C3D_ENOMEM;
    if (paint(of->pixels, of->month, of->stretch, of->factor, picture) == 0) {
        n_bands = 3;
        for (size_t i = 0; i < n; i++) memmove(picture + 3 * i, picture + 4 * i, 3);
    }
    const c3d_status st = c3d_png_encode(picture, side, side, n_bands, &png, &n_bytes);
    if (st == C3D_OK) {
        c3d_text_add(out, "data:image/png;base64,");
        c3d_text_add_base64(out, png, n_bytes);
    }
    free(png);
    free(picture);
    return st;
}

c3d_status c3d_preview_month(const preview_month *of, c3d_text *out)
{
    const int size = of->pixels->shape.size_px, side = (size + of->factor - 1) / of->factor;
    const double missing = 100 * (double)of->pixels->missing_share[of->month];

    c3d_text_add(out, "<figure");
    if (of->style[0]) c3d_text_add(out, " style=\"%s\"", of->style);
    c3d_text_add(out, "><div class=pic>");
    if (missing < 100) {
        c3d_text_add(out, "<img alt=\"%s\" style=\"width:%.4g%%\" src=\"", of->caption,
                     100.0 * side * of->factor / size);
        C3D_TRY(add_picture(of, out));
        c3d_text_add(out, "\">");
    }
    if (of->areas[0])
        c3d_text_add(out, "<svg viewBox=\"0 0 %d %d\"><use href=\"#%s\"/></svg>", size, size,
                     of->areas);
    c3d_text_add(out, "</div><figcaption>%s", of->caption);
    if (missing > 0 && missing < 100)
        c3d_text_add(out, ", %.*f&nbsp;%%", missing < 10 ? 1 : 0, missing);
    c3d_text_add(out, "</figcaption></figure>\n");
    return C3D_OK;
}

int c3d_preview_factor(const c3d_store *store, size_t n, double max_bytes)
{
    const int size = c3d_shard_get_shape(store->shards[0])->size_px;
    const double n_pictures = (double)n * store->n_months;
    int factor = 1;

    while (factor < size) {
        const double side = ceil((double)size / factor);
        if (n_pictures * (side * side * BYTES_A_PIXEL + 600) <= max_bytes) break;
        factor++;
    }
    return factor;
}

void c3d_preview_key(const c3d_store *store, const preview_stretch *stretch, int factor,
                     c3d_text *out)
{
    static const char *const roles[] = { "red", "green", "blue" };

    c3d_text_add(out, "Colours: ");
    if (!stretch->is_natural)
        c3d_text_add(out, stretch->is_asked ? "bands as asked for: "
                                            : "no bands named red, green and blue, so these: ");
    for (int c = 0; c < 3 && c < stretch->n_channels; c++) {
        c3d_text_add(out, "%s%s ", c ? ", " : "", stretch->n_channels == 1 ? "grey" : roles[c]);
        if (!stretch->is_natural) {
            c3d_text_add(out, "from ");
            c3d_text_add_html(out, c3d_shard_bands(store->shards[0])[stretch->bands[c]]);
            c3d_text_add(out, " ");
        }
        c3d_text_add(out, "%.6g to %.6g", stretch->low[c], stretch->high[c]);
    }
    c3d_text_add(out,
                 " (1st and 99th percentile of these scenes, each pixel by its median over the "
                 "dates; in between, brightness is the share to the power of %g), the same for all "
                 "pictures. ",
                 PREVIEW_GAMMA);
    if (factor > 1)
        c3d_text_add(out, "One pixel of a picture is the mean of %d x %d. ", factor, factor);
    c3d_text_add(out, "<span class=gap></span> not observed: training sees filled-in values "
                      "there.");
}
