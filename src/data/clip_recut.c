/* Imagery that was replaced after scenes were cut from it: the scenes under it become absent, so
 * that clipping cuts them again. */
#include "archive_table.h"
#include "clip.h"
#include "sources.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOLD_MAX = 10 }; /* files that are named */

typedef struct recutter {
    const c3d_frames *frames;
    const c3d_archive *archive;
    c3d_store store;
    c3d_source source;
    c3d_csv table;    /* archive.csv of before */
    bool *is_touched; /* [n_shards] */
    size_t n;         /* scenes made absent for the file at hand */
} recutter;

/* ---- where a file lies ----------------------------------------------------------------------- */

static bool find_in(const c3d_raster *raster, const char *path, c3d_window *out)
{
    for (int f = 0; raster != NULL && f < c3d_raster_n_files(raster); f++) {
        if (strcmp(c3d_raster_file_path(raster, f), path) != 0) continue;
        *out = c3d_raster_file_window(raster, f);
        return true;
    }
    return false;
}

/* False when nothing of the file is used, such as a band that is not among data.bands. */
static bool find_window(const recutter *by, int month, const char *path, c3d_window *out)
{
    const c3d_source_month *in = &by->source.months[month];
    bool is_found = find_in(in->mask, path, out);

    for (int p = 0; !is_found && p < in->n_parts; p++)
        is_found = find_in(in->parts[p].raster, path, out);
    return is_found;
}

static bool is_number(const c3d_csv *csv, size_t row, const char *column, int wanted)
{
    const int at = c3d_csv_column(csv, column);
    long long value;

    return at >= 0 && c3d_parse_int(c3d_csv_field(csv, row, at), &value) && value == wanted;
}

/* Whether the month had a file just there before: only then is it known which scenes it was in. */
static bool was_there(const recutter *by, c3d_date date, const c3d_window *window)
{
    const c3d_csv *csv = &by->table;
    const int month = csv->header ? c3d_csv_column(csv, "month") : -1;
    const int status = csv->header ? c3d_csv_column(csv, "status") : -1;
    char text[12];

    (void)c3d_date_text(date, text);
    for (size_t row = 0; month >= 0 && status >= 0 && row < csv->n_rows; row++)
        if (strcmp(c3d_csv_field(csv, row, month), text) == 0 &&
            strcmp(c3d_csv_field(csv, row, status), "present") == 0 &&
            is_number(csv, row, "x", window->x) && is_number(csv, row, "y", window->y) &&
            is_number(csv, row, "width", window->width) &&
            is_number(csv, row, "height", window->height))
            return true;
    return false;
}

/* ---- scenes ---------------------------------------------------------------------------------- */

static int period_of(const c3d_store *store, c3d_date date)
{
    for (int p = 0; p < store->n_periods; p++)
        for (int i = 0; i < store->periods[p].n_months; i++)
            if (store->periods[p].months[i] == date) return p;
    return store->n_periods;
}

static bool touches(const c3d_window *window, const c3d_frame *frame, int size)
{
    return frame->x < window->x + window->width && frame->x + size > window->x &&
           frame->y < window->y + window->height && frame->y + size > window->y;
}

/* Later periods too: what fills their gaps, and the share that drops a frame, come from all months
 * before. */
static c3d_status forget_frame(recutter *by, int64_t frame_id, int first_period)
{
    for (int p = first_period; p < by->store.n_periods; p++) {
        const c3d_store_row *row = c3d_store_find(&by->store, frame_id, p);

        if (row == NULL || c3d_store_status(&by->store, row) == C3D_SCENE_ABSENT) continue;
        C3D_TRY(c3d_shard_mark(by->store.shards[row->shard], row->row, C3D_SCENE_ABSENT, 0));
        by->store.status[row->shard][row->row] = C3D_SCENE_ABSENT;
        by->is_touched[row->shard] = true;
        by->n++;
    }
    return C3D_OK;
}

static c3d_status forget_under(recutter *by, const c3d_replaced *file, size_t number)
{
    const c3d_archive_month *month = &by->archive->months[file->month];
    const char *path = month->files[file->file];
    const int period = period_of(&by->store, month->date);
    c3d_window window = { 0 };
    bool is_known = true;

    by->n = 0;
    if (find_window(by, file->month, path, &window)) {
        is_known = was_there(by, month->date, &window);
        for (size_t i = 0; i < by->frames->n; i++)
            if (!is_known || touches(&window, &by->frames->rows[i], by->frames->size_px))
                C3D_TRY(forget_frame(by, by->frames->rows[i].frame_id, period));
    }
    if (number <= TOLD_MAX)
        c3d_log_warn("%s: was replaced since the scenes were cut: %zu scenes %s are cut again",
                     path, by->n,
                     is_known ? "under it" : "of its period, for it lay elsewhere before,");
    return C3D_OK;
}

static c3d_status sync_touched(const recutter *by)
{
    for (int i = 0; i < by->store.n_shards; i++)
        if (by->is_touched[i]) C3D_TRY(c3d_shard_sync(by->store.shards[i]));
    return C3D_OK;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* What speaks of the scenes as they were goes first; samples, and clip, write it anew. */
static c3d_status remove_file(const char *dir, const char *name)
{
    char path[C3D_PATH_MAX];

    C3D_TRY(c3d_path_join(path, dir, name));
    if (c3d_path_exists(path) && remove(path) != 0)
        return C3D_FAIL(C3D_EIO, "%s: cannot be removed", path);
    return C3D_OK;
}

static c3d_status open_all(const c3d_dataset_desc *desc, recutter *by)
{
    char path[C3D_PATH_MAX];

    C3D_TRY(c3d_source_open(desc, by->archive, by->frames, &by->source));
    C3D_TRY(c3d_clip_check(desc, by->frames, &by->source));
    C3D_TRY(c3d_store_open(desc->out_dir, true, &by->store));
    by->is_touched = c3d_calloc((size_t)by->store.n_shards + 1, sizeof *by->is_touched);
    if (by->is_touched == NULL) return C3D_ENOMEM;
    C3D_TRY(c3d_path_join(path, desc->out_dir, C3D_ARCHIVE_TABLE_NAME));
    return c3d_path_exists(path) ? c3d_csv_read(path, &by->table) : C3D_OK;
}

static void close_all(recutter *by)
{
    c3d_source_close(&by->source);
    c3d_store_close(&by->store);
    c3d_csv_free(&by->table);
    free(by->is_touched);
}

static c3d_status forget(const c3d_dataset_desc *desc, recutter *by, const char *gpkg,
                         const c3d_replaced_files *replaced)
{
    C3D_TRY(c3d_vector_replaceable(gpkg));
    C3D_TRY(open_all(desc, by));
    C3D_TRY(remove_file(desc->out_dir, "dataset.json"));
    for (size_t i = 0; i < replaced->n; i++) C3D_TRY(forget_under(by, &replaced->files[i], i + 1));
    if (replaced->n > TOLD_MAX)
        c3d_log_warn("%s: %zu files more were replaced; the scenes under them are cut again",
                     desc->out_dir, replaced->n - TOLD_MAX);
    C3D_TRY(sync_touched(by));
    C3D_TRY(remove_file(desc->out_dir, C3D_ARCHIVE_TABLE_NAME));
    return c3d_sources_renew(gpkg, by->archive, replaced);
}

/* Ended in the middle it begins anew: frames.gpkg, which tells that files were replaced, is the
 * last to change. */
c3d_status c3d_clip_forget_replaced(const c3d_dataset_desc *desc, const c3d_frames *frames,
                                    const c3d_archive *archive)
{
    recutter by = { .frames = frames, .archive = archive };
    c3d_replaced_files replaced = { 0 };
    char gpkg[C3D_PATH_MAX];
    c3d_status st;

    C3D_TRY(c3d_path_join(gpkg, desc->out_dir, "frames.gpkg"));
    C3D_TRY(c3d_sources_compare(gpkg, archive, &replaced));
    st = replaced.n > 0 ? forget(desc, &by, gpkg, &replaced) : C3D_OK;
    close_all(&by);
    c3d_replaced_files_free(&replaced);
    return st;
}
