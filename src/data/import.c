/* c3d_dataset_import: a list to frames.gpkg and import.csv on rank 0, then all ranks cut. */
#include "import.h"
#include "frames.h"
#include "sharing.h"
#include "sources.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char wgs84[] =
    "GEOGCS[\"WGS 84\",DATUM[\"WGS_1984\",SPHEROID[\"WGS 84\",6378137,298.257223563]],"
    "PRIMEM[\"Greenwich\",0],UNIT[\"degree\",0.0174532925199433],AUTHORITY[\"EPSG\",\"4326\"]]";

/* ---- what the frames depend on --------------------------------------------------------------- */

static void add_texts(c3d_text *text, const char *name, int n, const char *const *items)
{
    c3d_text_add(text, "%s", name);
    for (int i = 0; i < n; i++) c3d_text_add(text, " \"%s\"", items[i]);
    c3d_text_add(text, "\n");
}

static void add_columns(c3d_text *text, const c3d_list_desc *list)
{
    const char *const names[] = {
        list->path_column, list->label_column, list->date_column,  list->scene_column,
        list->lon_column,  list->lat_column,   list->split_column, list->fold_column,
        list->folder,      list->group_match,
    };

    for (size_t i = 0; i < C3D_COUNT(names); i++)
        c3d_text_add(text, "\"%s\" ", names[i] ? names[i] : "");
    add_texts(text, "window", list->n_window, list->window);
    add_texts(text, "groups", list->n_groups, list->groups);
    add_texts(text, "dates", list->n_stack_dates, list->stack_dates);
    c3d_text_add(text, "%d %d %d %.17g\n", list->crop, (int)list->stack, (int)list->dates,
                 list->pixel_m);
}

/* The list's own bytes; of a folder, its files' names. */
static c3d_status add_list(c3d_text *text, const c3d_dataset_desc *desc)
{
    import_mistakes none = { .list = desc->list->path };
    import_list list;
    uint64_t hash;

    if (!c3d_path_is_dir(desc->list->path)) {
        C3D_TRY(c3d_hash_file(desc->list->path, &hash, NULL));
        c3d_text_add(text, "%016" PRIx64 "\n", hash);
        return C3D_OK;
    }
    C3D_TRY(c3d_import_list_read(desc->list, &none, &list));
    for (size_t i = 0; i < list.n; i++) c3d_text_add(text, "%s\n", list.rows[i].path);
    c3d_import_list_free(&list);
    return C3D_OK;
}

c3d_status c3d_import_fingerprint(const c3d_dataset_desc *desc, c3d_text *text)
{
    add_columns(text, desc->list);
    add_texts(text, "bands", desc->n_bands, desc->bands);
    return add_list(text, desc);
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* A nominal grid in degrees: a pixel is as large as the files' at the equator, and the grid holds
 * any of the files. */
static c3d_status set_grid(const import_scenes *scenes, c3d_frames *frames)
{
    const double degrees = (scenes->pixel_m > 0 ? scenes->pixel_m : 1) / C3D_DEGREE_M;
    const double transform[6] = { 0, degrees, 0, 0, 0, -degrees };

    memcpy(frames->transform, transform, sizeof transform);
    frames->crs_wkt = c3d_strdup(wgs84);
    frames->width_px = scenes->width_px;
    frames->height_px = scenes->height_px;
    frames->size_px = scenes->size_px;
    frames->n = scenes->n;
    frames->rows = c3d_calloc(scenes->n + 1, sizeof *frames->rows);
    return frames->rows ? C3D_OK : C3D_ENOMEM;
}

static void fill_rows(const import_scenes *scenes, c3d_frames *frames)
{
    for (size_t s = 0; s < scenes->n; s++) {
        const import_piece *piece = &scenes->pieces[scenes->first[s]];

        frames->rows[s] = (c3d_frame){ .frame_id = (int64_t)s,
                                       .x = piece->x,
                                       .y = piece->y,
                                       .split = C3D_SPLIT_NONE,
                                       .source = piece->source,
                                       .lon = scenes->lon[s],
                                       .lat = scenes->lat[s] };
    }
}

static c3d_status make_frames(const c3d_dataset_desc *desc, const import_list *list,
                              const import_scenes *scenes, import_mistakes *mistakes,
                              c3d_frames *frames)
{
    C3D_TRY(set_grid(scenes, frames));
    fill_rows(scenes, frames);
    C3D_TRY(c3d_import_label(desc, list, scenes, mistakes, frames));
    C3D_TRY(c3d_import_deal(desc, list, scenes, mistakes, frames));
    return c3d_import_mistakes_end(mistakes);
}

/* The list of files is to be freed, the paths are borrowed. */
static c3d_status list_sources(const import_scenes *scenes, c3d_archive_month *out)
{
    *out = (c3d_archive_month){ .n_files = scenes->n_sources };
    out->files = c3d_calloc((size_t)scenes->n_sources, sizeof *out->files);
    if (!out->files) return C3D_ENOMEM;
    for (int k = 0; k < scenes->n_sources; k++)
        out->files[k] = (char *)(uintptr_t)scenes->sources[k];
    return C3D_OK;
}

/* frames.gpkg comes last: where it is, import.csv is its own. */
static c3d_status write_files(const c3d_dataset_desc *desc, const char *gpkg,
                              const import_list *list, const import_scenes *scenes,
                              const c3d_frames *frames)
{
    c3d_archive_month month;
    const c3d_archive archive = { 1, &month };
    c3d_status st;

    C3D_TRY(c3d_import_plan_write(desc, list, scenes));
    C3D_TRY(list_sources(scenes, &month));
    st = c3d_frames_write(gpkg, frames, desc, &archive);
    free(month.files);
    return st;
}

static void tell(const import_list *list, const c3d_frames *frames, const import_scenes *scenes)
{
    size_t n[C3D_SPLIT_NONE + 1] = { 0 };

    for (size_t i = 0; i < frames->n; i++) n[frames->rows[i].split]++;
    c3d_log_run("%s: %zu rows are %zu scenes of %d files: %zu train, %zu validation, %zu test, %zu "
                "without split",
                list->path, list->n, frames->n, scenes->n_sources, n[C3D_SPLIT_TRAIN],
                n[C3D_SPLIT_VALIDATION], n[C3D_SPLIT_TEST], n[C3D_SPLIT_NONE]);
}

static c3d_status make_file(const c3d_dataset_desc *desc, const char *gpkg)
{
    import_mistakes mistakes = { .list = desc->list->path };
    import_list list = { 0 };
    import_scenes scenes = { 0 };
    c3d_frames frames = { 0 };
    c3d_status st;

    C3D_TRY_TO(done, c3d_import_list_read(desc->list, &mistakes, &list));
    C3D_TRY_TO(done, c3d_import_scenes_find(desc, &list, &mistakes, &scenes));
    C3D_TRY_TO(done, make_frames(desc, &list, &scenes, &mistakes, &frames));
    C3D_TRY_TO(done, write_files(desc, gpkg, &list, &scenes, &frames));
    tell(&list, &frames, &scenes);
done:
    c3d_frames_free(&frames);
    c3d_import_scenes_free(&scenes);
    c3d_import_list_free(&list);
    return st;
}

/* ---- the directory --------------------------------------------------------------------------- */

/* What is there may only be gone on with from the same files. */
static c3d_status check_sources(const c3d_dataset_desc *desc, const char *gpkg)
{
    c3d_archive_month month = { 0 };
    const c3d_archive archive = { 1, &month };
    import_plan plan;
    c3d_status st;

    C3D_TRY(c3d_import_plan_read(desc->out_dir, &plan));
    st = list_sources(&plan.scenes, &month);
    if (st == C3D_OK) st = c3d_sources_check(gpkg, &archive);
    free(month.files);
    c3d_import_plan_free(&plan);
    return st;
}

static c3d_status prepare(const c3d_dataset_desc *desc)
{
    char gpkg[C3D_PATH_MAX];
    uint64_t fingerprint;
    bool keep;

    C3D_TRY(c3d_make_dirs(desc->out_dir));
    C3D_TRY(c3d_path_join(gpkg, desc->out_dir, "frames.gpkg"));
    C3D_TRY(c3d_frames_fingerprint(desc, NULL, &fingerprint));
    C3D_TRY(c3d_frames_check_existing(gpkg, fingerprint, &keep));
    return keep ? check_sources(desc, gpkg) : make_file(desc, gpkg);
}

static c3d_status read_back(const c3d_dataset_desc *desc, import_plan *plan, c3d_frames *frames)
{
    char gpkg[C3D_PATH_MAX];

    C3D_TRY(c3d_path_join(gpkg, desc->out_dir, "frames.gpkg"));
    C3D_TRY(c3d_frames_read(gpkg, frames));
    if (frames->n == 0) return C3D_FAIL(C3D_EDATA, "%s: no frames", gpkg);
    C3D_TRY(c3d_import_plan_read(desc->out_dir, plan));
    return c3d_import_plan_check(desc, plan);
}

c3d_status c3d_dataset_import(const c3d_dataset_desc *desc, const c3d_sharing *sharing)
{
    import_plan plan = { 0 };
    c3d_frames frames = { 0 };
    c3d_status st = c3d_sharing_rank(sharing) == 0 ? prepare(desc) : C3D_OK;

    st = c3d_sharing_agree(sharing, st);
    if (st == C3D_OK) st = c3d_sharing_agree(sharing, read_back(desc, &plan, &frames));
    if (st == C3D_OK) st = c3d_import_clip(desc, sharing, &frames, &plan.scenes);
    c3d_import_plan_free(&plan);
    c3d_frames_free(&frames);
    return st == C3D_OK ? c3d_dataset_samples(desc, sharing) : st;
}
