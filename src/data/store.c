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

static c3d_status check_alike(const c3d_shard *first, const c3d_shard *shard)
{
    const c3d_shard_shape *a = c3d_shard_get_shape(first), *b = c3d_shard_get_shape(shard);
    bool is_alike = a->n_months == b->n_months && a->n_bands == b->n_bands &&
                    a->size_px == b->size_px && a->dtype == b->dtype &&
                    memcmp(c3d_shard_months(first), c3d_shard_months(shard),
                           (size_t)a->n_months * sizeof(c3d_date)) == 0;

    for (int i = 0; is_alike && i < a->n_bands; i++)
        is_alike = strcmp(c3d_shard_bands(first)[i], c3d_shard_bands(shard)[i]) == 0;
    if (is_alike) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s: other months, bands, type or frame size than %s",
                    c3d_shard_path(shard), c3d_shard_path(first));
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

static int by_frame_id(const void *a, const void *b)
{
    const int64_t x = ((const c3d_store_row *)a)->frame_id;
    const int64_t y = ((const c3d_store_row *)b)->frame_id;

    return (x > y) - (x < y);
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
            store->rows[n++] = (c3d_store_row){ ids[row], i, row };
    }
    qsort(store->rows, n, sizeof *store->rows, by_frame_id);
    for (size_t i = 1; i < n; i++)
        if (store->rows[i].frame_id == store->rows[i - 1].frame_id)
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
    free(store->rows);
    *store = (c3d_store){ 0 };
}

const c3d_store_row *c3d_store_find(const c3d_store *store, int64_t frame_id)
{
    const c3d_store_row key = { .frame_id = frame_id };

    return bsearch(&key, store->rows, store->n_rows, sizeof key, by_frame_id);
}
