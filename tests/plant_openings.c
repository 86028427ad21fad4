/* plant_openings open SHARD SAMPLES: the positive frames of a series get a month that they become
 * positive in: before it they show the months of a negative frame. Prints "frame_id month" of each.
 * plant_openings hide SHARD FRAME MONTH: the month was not observed in the frame, whose gaps are
 * filled as data.gaps: previous says, pixel by pixel. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "support/scene_buffers.h"

static int row_of(const c3d_shard *shard, int64_t frame_id)
{
    const int n = c3d_shard_get_shape(shard)->n_scenes;
    int row = 0;

    while (row < n && c3d_shard_frame_ids(shard)[row] != frame_id) row++;
    return row < n ? row : -1;
}

/* ---- open ------------------------------------------------------------------------------------ */

static void copy_months(const c3d_shard_shape *shape, const scene_buffers *from, int n,
                        scene_buffers *to)
{
    const size_t k = (size_t)n, n_bands = (size_t)shape->n_bands,
                 n_months = (size_t)shape->n_months;

    memcpy(to->values, from->values, c3d_scene_bytes(shape) / n_months * k);
    memcpy(to->valid, from->valid, c3d_valid_bytes(shape) / n_months * k);
    memcpy(to->missing_share, from->missing_share, k * sizeof(float));
    memcpy(to->sum, from->sum, k * n_bands * sizeof(int64_t));
    memcpy(to->sum_squares, from->sum_squares, k * n_bands * sizeof(int64_t));
}

static c3d_status open_frame(c3d_shard *shard, int64_t frame_id, int64_t negative_id)
{
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    const int row = row_of(shard, frame_id), month = 4 + (int)(frame_id % 8);
    scene_buffers own = { 0 }, other = { 0 };
    char text[12];
    c3d_status st = scene_buffers_read(shard, row, &own);

    if (st == C3D_OK) st = scene_buffers_read(shard, row_of(shard, negative_id), &other);
    if (st == C3D_OK) {
        copy_months(shape, &other, month, &own);
        st = scene_buffers_write(shard, row, &own);
        printf("%" PRId64 " %s\n", frame_id, c3d_date_text(c3d_shard_months(shard)[month], text));
    }
    scene_buffers_free(&own);
    scene_buffers_free(&other);
    return st;
}

static c3d_status open_all(c3d_shard *shard, const char *path)
{
    c3d_samples samples;
    c3d_status st = C3D_OK;
    int64_t negative_id = -1;

    C3D_TRY(c3d_samples_read(path, &samples));
    for (size_t i = 0; i < samples.n && negative_id < 0; i++)
        if (samples.rows[i].label == 0) negative_id = samples.rows[i].frame_id;
    for (size_t i = 0; i < samples.n && st == C3D_OK; i++)
        if (samples.rows[i].label > 0)
            st = open_frame(shard, samples.rows[i].frame_id, negative_id);
    c3d_samples_free(&samples);
    return st;
}

/* ---- hide ------------------------------------------------------------------------------------ */

static bool is_valid(const c3d_shard_shape *shape, const scene_buffers *b, int month, int pixel)
{
    const int size = shape->size_px, y = pixel / size, x = pixel % size;
    const int at = (month * size + y) * ((size + 7) / 8) + x / 8;

    return b->valid[at] >> (7 - x % 8) & 1;
}

/* The month whose value a pixel shows in `month`: the last observed one, or else the next. */
static int shown_month(const c3d_shard_shape *shape, const scene_buffers *b, int month, int pixel)
{
    int m = month;

    while (m >= 0 && !is_valid(shape, b, m, pixel)) m--;
    if (m >= 0) return m;
    for (m = month; m < shape->n_months && !is_valid(shape, b, m, pixel);) m++;
    return m;
}

static c3d_status hide(c3d_shard *shard, int64_t frame_id, const char *text)
{
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    const int n_pixels = shape->size_px * shape->size_px, row = row_of(shard, frame_id);
    const size_t n_bits = c3d_valid_bytes(shape) / (size_t)shape->n_months;
    scene_buffers old = { 0 }, b = { 0 };
    c3d_date date;
    int month = 0;

    if (row < 0 || !c3d_date_parse(text, &date))
        return C3D_FAIL(C3D_EINVAL, "frame %" PRId64 ", month %s", frame_id, text);
    while (c3d_shard_months(shard)[month] != date) month++;
    c3d_status st = scene_buffers_read(shard, row, &old);
    if (st == C3D_OK) st = scene_buffers_read(shard, row, &b);
    if (st == C3D_OK) memset(b.valid + (size_t)month * n_bits, 0, n_bits);
    for (int m = 0; st == C3D_OK && m < shape->n_months; m++)
        for (int i = 0; i < n_pixels; i++)
            for (int band = 0; band < shape->n_bands; band++) {
                const int from = shown_month(shape, &b, m, i);
                b.values[(m * shape->n_bands + band) * n_pixels + i] =
                    from == shape->n_months
                        ? 0
                        : old.values[(from * shape->n_bands + band) * n_pixels + i];
            }
    if (st == C3D_OK) st = scene_buffers_write(shard, row, &b);
    scene_buffers_free(&old);
    scene_buffers_free(&b);
    return st;
}

int main(int argc, char **argv)
{
    const bool opens = argc == 4 && strcmp(argv[1], "open") == 0;
    const bool hides = argc == 5 && strcmp(argv[1], "hide") == 0;
    c3d_shard *shard = NULL;

    if (!opens && !hides) return 2;
    c3d_status st = c3d_shard_open(argv[2], true, &shard);
    if (st == C3D_OK && opens) st = open_all(shard, argv[3]);
    if (st == C3D_OK && hides) st = hide(shard, strtoll(argv[3], NULL, 10), argv[4]);
    c3d_shard_close(shard);
    if (st == C3D_OK) return 0;
    fprintf(stderr, "plant_openings: %s\n", c3d_error_last()->message);
    return 1;
}
