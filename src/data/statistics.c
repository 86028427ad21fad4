#include "dataset_open.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef __int128 int128;

#define READ_BYTES ((size_t)2 << 20) /* of one of the sums at a time */

/* The sums of one band: integers exactly; floats with the rounding error carried along (Neumaier
 * 1974), in the order of the store whatever the order of the list. */
typedef struct band_sums {
    int128 n, sum, sum_squares;
    double real[2], lost[2]; /* sum, sum of squares */
} band_sums;

static void add_real(band_sums *band, int which, double x)
{
    const double before = band->real[which], after = before + x;

    if (fabs(before) >= fabs(x))
        band->lost[which] += (before - after) + x;
    else
        band->lost[which] += (x - after) + before;
    band->real[which] = after;
}

/* marks[shard][row * n_months + month]: wanted. */
static c3d_status mark_months(const c3d_dataset *dataset, const c3d_list *list, uint8_t **marks)
{
    for (int i = 0; i < dataset->info.n_shards; i++) {
        const c3d_shard_shape *shape = c3d_shard_get_shape(dataset->shards[i]);
        marks[i] = c3d_calloc((size_t)shape->n_scenes * (size_t)shape->n_months, 1);
        if (!marks[i]) return C3D_ENOMEM;
    }
    for (size_t i = 0; i < list->n; i++) {
        const uint32_t index = list->index[i];
        for (size_t s = dataset->first_segment[index]; s < dataset->first_segment[index + 1]; s++) {
            const c3d_segment *part = &dataset->segments[s];
            const int n_months = c3d_shard_get_shape(dataset->shards[part->shard])->n_months;
            memset(marks[part->shard] + (size_t)part->row * (size_t)n_months + (size_t)part->first,
                   1, (size_t)part->n);
        }
    }
    return C3D_OK;
}

/* Sums of scenes as read from a shard; of one scene, pointers into those. */
typedef struct scene_sums {
    void *sum, *sum_squares; /* [rows, months, bands], 8 bytes each */
    float *missing_share;    /* [rows, months] */
} scene_sums;

static void add_scene(const c3d_shard_shape *shape, const scene_sums *scene, const uint8_t *marks,
                      band_sums *bands)
{
    const double n_pixels = (double)shape->size_px * shape->size_px;
    const bool is_real = c3d_dtype_is_float(shape->dtype);
    const int64_t *sum = scene->sum, *sum_squares = scene->sum_squares;
    const double *real_sum = scene->sum, *real_squares = scene->sum_squares;

    for (int month = 0; month < shape->n_months; month++) {
        if (!marks[month]) continue;
        /* The share is a count over n_pixels, rounded to float: with fewer than 2^24 pixels the
         * count comes back exactly. */
        const int64_t n_valid =
            (int64_t)n_pixels - llround((double)scene->missing_share[month] * n_pixels);
        for (int b = 0; b < shape->n_bands; b++) {
            const int at = month * shape->n_bands + b;
            bands[b].n += n_valid;
            if (is_real) {
                add_real(&bands[b], 0, real_sum[at]);
                add_real(&bands[b], 1, real_squares[at]);
            } else {
                bands[b].sum += sum[at];
                bands[b].sum_squares += sum_squares[at];
            }
        }
    }
}

/* marks: of the first of the rows on. */
static void add_rows(const c3d_shard_shape *shape, const scene_sums *scenes, int n_rows,
                     const uint8_t *marks, band_sums *bands)
{
    const size_t n_months = (size_t)shape->n_months, n = n_months * (size_t)shape->n_bands;

    for (size_t row = 0; row < (size_t)n_rows; row++) {
        const scene_sums scene = { (char *)scenes->sum + row * n * 8,
                                   (char *)scenes->sum_squares + row * n * 8,
                                   scenes->missing_share + row * n_months };
        if (memchr(marks + row * n_months, 1, n_months))
            add_scene(shape, &scene, marks + row * n_months, bands);
    }
}

/* Some megabytes of rows at a time: one by one they would be hundreds of thousands of reads. */
static c3d_status add_shard(c3d_shard *shard, const uint8_t *marks, band_sums *bands)
{
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    const size_t n_months = (size_t)shape->n_months, n = n_months * (size_t)shape->n_bands;
    const size_t n_most = n * 8 < READ_BYTES ? READ_BYTES / (n * 8) : 1;
    const int n_at_once = n_most < (size_t)shape->n_scenes ? (int)n_most : shape->n_scenes;
    const size_t room = (size_t)n_at_once;
    scene_sums scenes = { c3d_calloc(room * n, 8), c3d_calloc(room * n, 8),
                          c3d_calloc(room * n_months, sizeof(float)) };
    c3d_status st = C3D_OK;

    if (!scenes.sum || !scenes.sum_squares || !scenes.missing_share) st = C3D_ENOMEM;
    for (int row = 0; row < shape->n_scenes && st == C3D_OK; row += n_at_once) {
        const int left = shape->n_scenes - row;
        const c3d_rows rows = { row, left < n_at_once ? left : n_at_once };
        const uint8_t *row_marks = marks + (size_t)row * n_months;
        if (!memchr(row_marks, 1, (size_t)rows.n * n_months)) continue;
        st = c3d_shard_read_sums_of(shard, rows, scenes.sum, scenes.sum_squares,
                                    scenes.missing_share);
        if (st == C3D_OK) add_rows(shape, &scenes, rows.n, row_marks, bands);
    }
    free(scenes.sum);
    free(scenes.sum_squares);
    free(scenes.missing_share);
    return st;
}

/* Variance = (n sum(x^2) - sum(x)^2) / n^2, whose numerator is exact for integers. */
static bool finish_integer(const band_sums *band, double *mean, double *variance)
{
    int128 n_squares, square;

    if (__builtin_mul_overflow(band->n, band->sum_squares, &n_squares) ||
        __builtin_mul_overflow(band->sum, band->sum, &square))
        return false;
    *mean = (double)band->sum / (double)band->n;
    *variance = (double)(n_squares - square) / ((double)band->n * (double)band->n);
    return true;
}

static bool finish_real(const band_sums *band, double *mean, double *variance)
{
    const long double n = (long double)band->n;
    const long double sum = (long double)band->real[0] + (long double)band->lost[0];
    const long double squares = (long double)band->real[1] + (long double)band->lost[1];

    *mean = (double)(sum / n);
    *variance = (double)((squares - sum * sum / n) / n);
    return isfinite(*mean) && isfinite(*variance);
}

static c3d_status finish(const c3d_dataset *dataset, const band_sums *bands, double *mean_out,
                         double *deviation_out)
{
    for (int b = 0; b < dataset->info.n_bands; b++) {
        double mean = 0, variance = 0;
        const bool is_real = c3d_dtype_is_float(dataset->info.dtype);
        if (bands[b].n <= 0)
            return C3D_FAIL(C3D_EDATA, "%s: band %s has no valid pixel in the samples asked for",
                            dataset->dir, dataset->info.bands[b]);
        if (!(is_real ? finish_real(&bands[b], &mean, &variance)
                      : finish_integer(&bands[b], &mean, &variance)))
            return C3D_FAIL(C3D_EDATA, "%s: band %s: the sums of its values are out of range",
                            dataset->dir, dataset->info.bands[b]);
        mean_out[b] = mean;
        deviation_out[b] = variance > 0 ? sqrt(variance) : 1;
    }
    return C3D_OK;
}

c3d_status c3d_statistics(const c3d_dataset *dataset, const c3d_list *list, double *mean_out,
                          double *deviation_out)
{
    const int n_shards = dataset->info.n_shards;
    uint8_t **marks = c3d_calloc((size_t)n_shards, sizeof *marks);
    band_sums *bands = c3d_calloc((size_t)dataset->info.n_bands, sizeof *bands);
    c3d_status st = marks && bands ? C3D_OK : C3D_ENOMEM;

    if (st == C3D_OK && dataset->info.frame_size_px >= 4096)
        st = C3D_FAIL(C3D_EUNSUPPORTED, "%s: statistics of frames of %d px; below 4096 is possible",
                      dataset->dir, dataset->info.frame_size_px);
    if (st == C3D_OK) st = mark_months(dataset, list, marks);
    for (int i = 0; i < n_shards && st == C3D_OK; i++)
        st = add_shard(dataset->shards[i], marks[i], bands);
    if (st == C3D_OK) st = finish(dataset, bands, mean_out, deviation_out);
    for (int i = 0; marks && i < n_shards; i++) free(marks[i]);
    free(marks);
    free(bands);
    return st;
}
