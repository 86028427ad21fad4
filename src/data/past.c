#include "past.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

c3d_status c3d_past_make(const c3d_store *store, c3d_past *out)
{
    c3d_shard_shape month = *c3d_shard_get_shape(store->shards[0]);
    const size_t n_pixels = (size_t)month.size_px * (size_t)month.size_px;
    size_t n_bits = 0, n_months = 0;

    for (int i = 0; i < store->n_shards; i++) {
        const c3d_shard_shape *shape = c3d_shard_get_shape(store->shards[i]);
        if ((size_t)shape->n_months <= n_months) continue;
        n_months = (size_t)shape->n_months;
        n_bits = c3d_valid_bytes(shape);
    }
    month.n_months = 1;
    c3d_past made = { .age = c3d_calloc(n_pixels, sizeof(int)),
                      .values = c3d_aligned(c3d_scene_bytes(&month)),
                      .plane = c3d_aligned(c3d_scene_bytes(&month)),
                      .bits = c3d_calloc(n_bits, 1),
                      .share = c3d_calloc(n_months, sizeof(float)) };
    if (!made.age || !made.values || !made.plane || !made.bits || !made.share) {
        c3d_past_free(&made);
        return C3D_ENOMEM;
    }
    *out = made;
    return C3D_OK;
}

void c3d_past_free(c3d_past *past)
{
    free(past->age);
    free(past->values);
    free(past->plane);
    free(past->bits);
    free(past->share);
    *past = (c3d_past){ 0 };
}

static bool is_observed(const c3d_shard_shape *shape, const uint8_t *bits, int month, size_t pixel)
{
    const size_t size = (size_t)shape->size_px, row_bytes = (size + 7) / 8;
    const size_t row = (size_t)month * size + pixel / size, x = pixel % size;

    return bits[row * row_bytes + x / 8] & (0x80U >> (x % 8));
}

/* Of a pixel observed in a scene the last month holds the last observation, whatever month that is
 * of: gaps at the end are filled with it, unless with zeros, when nobody asks for the past. */
static size_t take_scene(const c3d_shard_shape *shape, int n_later, c3d_past *past)
{
    const size_t n_pixels = (size_t)shape->size_px * (size_t)shape->size_px;
    const size_t element = c3d_dtype_size(shape->dtype);
    size_t n_open = 0;

    for (size_t pixel = 0; pixel < n_pixels; pixel++) {
        int month = shape->n_months;
        if (past->age[pixel] > 0) continue;
        while (month > 0 && !is_observed(shape, past->bits, month - 1, pixel)) month--;
        if (month == 0) {
            n_open++;
            continue;
        }
        past->age[pixel] = n_later + shape->n_months - month + 1;
        for (int band = 0; band < shape->n_bands; band++) {
            const size_t at = ((size_t)band * n_pixels + pixel) * element;
            memcpy((char *)past->values + at, (const char *)past->plane + at, element);
        }
    }
    return n_open;
}

c3d_status c3d_past_read(const c3d_store *store, int64_t frame_id, int period, c3d_past *past)
{
    const c3d_shard_shape *any = c3d_shard_get_shape(store->shards[0]);
    size_t n_open = (size_t)any->size_px * (size_t)any->size_px;
    int n_later = 0;

    memset(past->age, 0, n_open * sizeof *past->age);
    for (int p = period - 1; p >= 0 && n_open > 0; p--) {
        const c3d_store_row *row = c3d_store_find(store, frame_id, p);
        if (row && c3d_store_status(store, row) == C3D_SCENE_PRESENT) {
            c3d_shard *shard = store->shards[row->shard];
            const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
            C3D_TRY(c3d_shard_read_valid(shard, row->row, past->bits));
            C3D_TRY(c3d_shard_read_months(shard, row->row, shape->n_months - 1, 1, past->plane));
            n_open = take_scene(shape, n_later, past);
        }
        n_later += store->periods[p].n_months;
    }
    return C3D_OK;
}

c3d_status c3d_past_count(const c3d_store *store, int64_t frame_id, int period, c3d_past *past)
{
    past->n_missing = 0;
    past->n_months = 0;
    for (int p = 0; p < period; p++) {
        const c3d_store_row *row = c3d_store_find(store, frame_id, p);
        if (!row || c3d_store_status(store, row) == C3D_SCENE_ABSENT) continue;
        c3d_shard *shard = store->shards[row->shard];
        const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
        const double n_pixels = (double)shape->size_px * shape->size_px;
        C3D_TRY(c3d_shard_read_sums(shard, row->row, NULL, NULL, past->share));
        for (int month = 0; month < shape->n_months; month++)
            past->n_missing += (size_t)llround((double)past->share[month] * n_pixels);
        past->n_months += shape->n_months;
    }
    return C3D_OK;
}
