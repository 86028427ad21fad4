/* checksums.csv: the checksum of every scene of a dataset. */
#include "publish.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const status_names[] = {
    [C3D_SCENE_ABSENT] = "absent", [C3D_SCENE_PRESENT] = "present", [C3D_SCENE_DROPPED] = "dropped"
};

/* The checksums of all shards: [n_shards][n_scenes]. */
static c3d_status read_all(const c3d_store *store, uint64_t ***out)
{
    uint64_t **all = c3d_calloc((size_t)store->n_shards + 1, sizeof *all);
    c3d_status st = all ? C3D_OK : C3D_ENOMEM;

    for (int i = 0; st == C3D_OK && i < store->n_shards; i++) {
        const size_t n = (size_t)c3d_shard_get_shape(store->shards[i])->n_scenes;
        all[i] = c3d_calloc(n, sizeof *all[i]);
        st = all[i] ? c3d_shard_read_checksums(store->shards[i], all[i]) : C3D_ENOMEM;
    }
    *out = all;
    return st;
}

static void free_all(const c3d_store *store, uint64_t **all)
{
    for (int i = 0; all && i < store->n_shards; i++) free(all[i]);
    free(all);
}

/* What a line says after the frame: "2021-09,present,0123456789abcdef". */
static void put_scene(const c3d_store *store, const c3d_store_row *row, uint64_t **all,
                      char out[64])
{
    const c3d_scene_status status = c3d_store_status(store, row);
    char month[12];

    snprintf(out, 64, "%s,%s,%016" PRIx64, c3d_date_text(store->periods[row->period].first, month),
             status_names[status],
             status == C3D_SCENE_PRESENT ? all[row->shard][row->row] : (uint64_t)0);
}

c3d_status c3d_checksums_write(const char *path, const c3d_store *store)
{
    uint64_t **all = NULL;
    FILE *stream = NULL;
    c3d_status st = read_all(store, &all);

    if (st == C3D_OK) st = c3d_file_open_new(path, &stream);
    if (st == C3D_OK) {
        fprintf(stream, "frame_id,first_month,status,checksum\n");
        for (size_t i = 0; i < store->n_rows; i++) {
            char text[64];
            put_scene(store, &store->rows[i], all, text);
            fprintf(stream, "%" PRId64 ",%s\n", store->rows[i].frame_id, text);
        }
        st = c3d_file_commit(path, stream);
    }
    free_all(store, all);
    return st;
}

static int find_period(const c3d_store *store, const char *first_month)
{
    for (int i = 0; i < store->n_periods; i++) {
        char text[12];
        if (strcmp(c3d_date_text(store->periods[i].first, text), first_month) == 0) return i;
    }
    return -1;
}

typedef struct comparing {
    const char *path;
    const c3d_store *store;
    uint64_t **all;
    size_t n_equal, n_other, n_lacking;
    char first[200]; /* that differs, in words */
} comparing;

static c3d_status compare_row(comparing *by, const c3d_csv *csv, size_t i, const int columns[4])
{
    const char *month = c3d_csv_field(csv, i, columns[1]);
    const int period = find_period(by->store, month);
    char published[64], here[64] = "";
    long long id;

    C3D_TRY(c3d_csv_int(csv, i, columns[0], &id));
    const c3d_store_row *row = period < 0 ? NULL : c3d_store_find(by->store, id, period);
    snprintf(published, sizeof published, "%.11s,%.15s,%.16s", month,
             c3d_csv_field(csv, i, columns[2]), c3d_csv_field(csv, i, columns[3]));
    if (row && c3d_store_status(by->store, row) != C3D_SCENE_ABSENT)
        put_scene(by->store, row, by->all, here);
    if (strcmp(published, here) == 0) {
        by->n_equal++;
        return C3D_OK;
    }
    if (by->n_other + by->n_lacking == 0)
        snprintf(by->first, sizeof by->first, "frame %lld: %s, %s is published", id,
                 here[0] ? here : "no scene", published);
    if (here[0])
        by->n_other++;
    else
        by->n_lacking++;
    return C3D_OK;
}

static c3d_status compare_rows(comparing *by, const c3d_csv *csv, c3d_text *out)
{
    static const char *const names[4] = { "frame_id", "first_month", "status", "checksum" };
    int columns[4];

    for (int i = 0; i < 4; i++) {
        columns[i] = c3d_csv_column(csv, names[i]);
        if (columns[i] < 0) return C3D_FAIL(C3D_EDATA, "%s: no column %s", by->path, names[i]);
    }
    for (size_t i = 0; i < csv->n_rows; i++) C3D_TRY(compare_row(by, csv, i, columns));
    c3d_text_add(out, "%zu of %zu scenes equal the published ones\n", by->n_equal, csv->n_rows);
    if (by->n_other + by->n_lacking == 0) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s: %zu scenes are others than published, %zu are not there; %s",
                    by->path, by->n_other, by->n_lacking, by->first);
}

c3d_status c3d_checksums_compare(const char *path, const c3d_store *store, c3d_text *out)
{
    comparing by = { .path = path, .store = store };
    c3d_csv csv = { 0 };
    c3d_status st = c3d_csv_read(path, &csv);

    if (st == C3D_OK) st = read_all(store, &by.all);
    if (st == C3D_OK) st = compare_rows(&by, &csv, out);
    free_all(store, by.all);
    c3d_csv_free(&csv);
    return st;
}
