#include "store.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

static int is_shard_name(const struct dirent *entry)
{
    return fnmatch("scenes-[0-9]*-[0-9]*.h5", entry->d_name, 0) == 0 &&
           strlen(entry->d_name) < sizeof((c3d_shard_info *)NULL)->file;
}

static c3d_status list_shards(const char *dir, c3d_store *store)
{
    struct dirent **entries = NULL;
    const int n = scandir(dir, &entries, is_shard_name, alphasort);
    c3d_status st = C3D_OK;

    if (n < 0) return C3D_FAIL(C3D_EIO, "%s: %s", dir, strerror(errno));
    store->files = c3d_calloc((size_t)n + 1, sizeof *store->files);
    store->shards = c3d_calloc((size_t)n + 1, sizeof(c3d_shard *));
    store->status = c3d_calloc((size_t)n + 1, sizeof(uint8_t *));
    if (!store->files || !store->shards || !store->status) st = C3D_ENOMEM;
    for (int i = 0; i < n; i++) {
        if (st == C3D_OK)
            memcpy(store->files[i], entries[i]->d_name, strlen(entries[i]->d_name) + 1);
        free(entries[i]);
    }
    free(entries);
    if (st == C3D_OK) store->n_shards = n;
    return st;
}

static bool has_same_months(const c3d_shard *a, const c3d_shard *b)
{
    const int n = c3d_shard_get_shape(a)->n_months;

    return n == c3d_shard_get_shape(b)->n_months &&
           memcmp(c3d_shard_months(a), c3d_shard_months(b), (size_t)n * sizeof(c3d_date)) == 0;
}

static c3d_status check_alike(const c3d_shard *first, const c3d_shard *shard)
{
    const c3d_shard_shape *a = c3d_shard_get_shape(first), *b = c3d_shard_get_shape(shard);
    bool is_alike = a->n_bands == b->n_bands && a->size_px == b->size_px && a->dtype == b->dtype;

    for (int i = 0; is_alike && i < a->n_bands; i++)
        is_alike = strcmp(c3d_shard_bands(first)[i], c3d_shard_bands(shard)[i]) == 0;
    if (is_alike) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s: other bands, type or frame size than %s", c3d_shard_path(shard),
                    c3d_shard_path(first));
}

static c3d_status open_shard(const char *dir, bool writable, int i, c3d_store *store)
{
    char path[C3D_PATH_MAX];

    C3D_TRY(c3d_path_join(path, dir, store->files[i]));
    C3D_TRY(c3d_shard_open(path, writable, &store->shards[i]));
    C3D_TRY(check_alike(store->shards[0], store->shards[i]));
    const size_t n = (size_t)c3d_shard_get_shape(store->shards[i])->n_scenes;
    store->status[i] = c3d_calloc(n, 1);
    if (!store->status[i]) return C3D_ENOMEM;
    store->n_rows += n;
    return c3d_shard_read_status(store->shards[i], store->status[i]);
}

/* ---- periods --------------------------------------------------------------------------------- */

static int by_first_month(const void *a, const void *b)
{
    const c3d_period *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

static c3d_status add_period(c3d_store *store, const c3d_shard *shard)
{
    const c3d_date *months = c3d_shard_months(shard);
    const int n = c3d_shard_get_shape(shard)->n_months;
    c3d_period *period = &store->periods[store->n_periods];

    period->months = c3d_calloc((size_t)n, sizeof *period->months);
    if (!period->months) return C3D_ENOMEM;
    memcpy(period->months, months, (size_t)n * sizeof *months);
    period->first = months[0];
    period->n_months = n;
    store->n_periods++;
    store->n_months += n;
    return C3D_OK;
}

/* The period that begins with the month, or -1. */
static int find_period(const c3d_store *store, c3d_date first)
{
    for (int i = 0; i < store->n_periods; i++)
        if (store->periods[i].first == first) return i;
    return -1;
}

static c3d_status check_period(const c3d_store *store, int index)
{
    const c3d_shard *shard = store->shards[index];

    for (int i = 0; i < index; i++) {
        if (store->period_of[i] != store->period_of[index]) continue;
        if (has_same_months(store->shards[i], shard)) return C3D_OK;
        return C3D_FAIL(C3D_EDATA, "%s: other months than %s", c3d_shard_path(shard),
                        c3d_shard_path(store->shards[i]));
    }
    const int period = store->period_of[index];
    const c3d_period *before = period > 0 ? &store->periods[period - 1] : NULL;
    if (!before || before->months[before->n_months - 1] < store->periods[period].first)
        return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s: its months overlap those of another period",
                    c3d_shard_path(shard));
}

static c3d_status find_periods(c3d_store *store)
{
    store->periods = c3d_calloc((size_t)store->n_shards + 1, sizeof *store->periods);
    store->period_of = c3d_calloc((size_t)store->n_shards + 1, sizeof *store->period_of);
    if (!store->periods || !store->period_of) return C3D_ENOMEM;
    for (int i = 0; i < store->n_shards; i++)
        if (find_period(store, c3d_shard_months(store->shards[i])[0]) < 0)
            C3D_TRY(add_period(store, store->shards[i]));
    qsort(store->periods, (size_t)store->n_periods, sizeof *store->periods, by_first_month);
    for (int i = 0; i < store->n_shards; i++) {
        store->period_of[i] = find_period(store, c3d_shard_months(store->shards[i])[0]);
        C3D_TRY(check_period(store, i));
    }
    return C3D_OK;
}

void c3d_store_months(const c3d_store *store, c3d_date *out)
{
    for (int i = 0; i < store->n_periods; i++)
        for (int month = 0; month < store->periods[i].n_months; month++)
            *out++ = store->periods[i].months[month];
}

/* ---- rows ------------------------------------------------------------------------------------ */

static int by_frame_and_period(const void *a, const void *b)
{
    const c3d_store_row *x = a, *y = b;

    if (x->frame_id != y->frame_id) return x->frame_id < y->frame_id ? -1 : 1;
    return (x->period > y->period) - (x->period < y->period);
}

static c3d_status index_rows(c3d_store *store)
{
    size_t n = 0;

    store->rows = c3d_calloc(store->n_rows + 1, sizeof *store->rows);
    if (!store->rows) return C3D_ENOMEM;
    for (int i = 0; i < store->n_shards; i++) {
        const int64_t *ids = c3d_shard_frame_ids(store->shards[i]);
        const int n_scenes = c3d_shard_get_shape(store->shards[i])->n_scenes;
        for (int row = 0; row < n_scenes; row++)
            store->rows[n++] = (c3d_store_row){ ids[row], store->period_of[i], i, row };
    }
    qsort(store->rows, n, sizeof *store->rows, by_frame_and_period);
    for (size_t i = 1; i < n; i++)
        if (by_frame_and_period(&store->rows[i], &store->rows[i - 1]) == 0)
            return C3D_FAIL(C3D_EDATA, "%s: frame %lld is also in %s",
                            c3d_shard_path(store->shards[store->rows[i].shard]),
                            (long long)store->rows[i].frame_id,
                            c3d_shard_path(store->shards[store->rows[i - 1].shard]));
    return C3D_OK;
}

c3d_status c3d_store_open(const char *dir, bool writable, c3d_store *out)
{
    c3d_store store = { 0 };
    c3d_status st;

    C3D_TRY_TO(fail, list_shards(dir, &store));
    for (int i = 0; i < store.n_shards; i++) C3D_TRY_TO(fail, open_shard(dir, writable, i, &store));
    C3D_TRY_TO(fail, find_periods(&store));
    C3D_TRY_TO(fail, index_rows(&store));
    *out = store;
    return C3D_OK;
fail:
    c3d_store_close(&store);
    return st;
}

void c3d_store_close(c3d_store *store)
{
    for (int i = 0; i < store->n_shards; i++) {
        c3d_shard_close(store->shards[i]);
        free(store->status[i]);
    }
    free(store->shards);
    free(store->status);
    free(store->files);
    for (int i = 0; store->periods && i < store->n_periods; i++) free(store->periods[i].months);
    free(store->periods);
    free(store->period_of);
    free(store->rows);
    *store = (c3d_store){ 0 };
}

const c3d_store_row *c3d_store_find(const c3d_store *store, int64_t frame_id, int period)
{
    const c3d_store_row key = { .frame_id = frame_id, .period = period };

    return bsearch(&key, store->rows, store->n_rows, sizeof key, by_frame_and_period);
}

c3d_scene_status c3d_store_scene_status(const c3d_store *store, int64_t frame_id, int period)
{
    const c3d_store_row *row = c3d_store_find(store, frame_id, period);

    return row ? c3d_store_status(store, row) : C3D_SCENE_ABSENT;
}

c3d_status c3d_store_read_missing(const c3d_store *store, int64_t frame_id, float *out)
{
    for (int period = 0; period < store->n_periods; period++) {
        const int n = store->periods[period].n_months;
        const c3d_store_row *row = c3d_store_find(store, frame_id, period);
        if (row && c3d_store_status(store, row) != C3D_SCENE_ABSENT)
            C3D_TRY(c3d_shard_read_sums(store->shards[row->shard], row->row, NULL, NULL, out));
        else
            for (int month = 0; month < n; month++) out[month] = 1;
        out += n;
    }
    return C3D_OK;
}
