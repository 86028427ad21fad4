#include "archive_table.h"
#include "label_team.h"
#include "sources.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void c3d_frames_free(c3d_frames *frames)
{
    for (int c = 0; c < frames->n_classes && frames->classes != NULL; c++) free(frames->classes[c]);
    free(frames->classes);
    free(frames->years);
    free(frames->labels);
    free(frames->hard);
    free(frames->shares);
    free(frames->crs_wkt);
    free(frames->rows);
    free(frames->edits);
    *frames = (c3d_frames){ 0 };
}

/* ---- positions ------------------------------------------------------------------------------- */

void c3d_frames_pixel_m(const c3d_frames *frames, double out[2])
{
    const double *t = frames->transform;
    const double metre = c3d_crs_metre(frames->crs_wkt);
    const double middle = t[3] + t[4] * frames->width_px / 2 + t[5] * frames->height_px / 2;

    if (metre > 0) {
        out[0] = hypot(t[1], t[4]) * metre;
        out[1] = hypot(t[2], t[5]) * metre;
    } else {
        const double east = C3D_DEGREE_M * cos(middle * 3.14159265358979323846 / 180);

        out[0] = hypot(t[1] * east, t[4] * C3D_DEGREE_M);
        out[1] = hypot(t[2] * east, t[5] * C3D_DEGREE_M);
    }
}

static bool is_inside(const double aoi[4], const c3d_frames *frames, int x, int y)
{
    const double *t = frames->transform;
    const double slack = 1e-6 * (fabs(t[1]) + fabs(t[2]));

    if (aoi[0] == 0 && aoi[1] == 0 && aoi[2] == 0 && aoi[3] == 0) return true;
    for (int corner = 0; corner < 4; corner++) {
        const double u = corner % 2 == 0 ? x : (double)x + frames->size_px;
        const double v = corner < 2 ? y : (double)y + frames->size_px;
        const double east = t[0] + u * t[1] + v * t[2], north = t[3] + u * t[4] + v * t[5];

        if (east < aoi[0] - slack || east > aoi[2] + slack) return false;
        if (north < aoi[1] - slack || north > aoi[3] + slack) return false;
    }
    return true;
}

typedef struct placing {
    const c3d_dataset_desc *desc;
    const c3d_footprint *print;
    const block_grid *blocks;
    c3d_frames *frames;
} placing;

static bool is_in_one_block(const block_grid *blocks, int x, int y, int size)
{
    return x / blocks->width_px == (x + size - 1) / blocks->width_px &&
           y / blocks->height_px == (y + size - 1) / blocks->height_px;
}

/* Counts the frames, and writes them when rows is given. */
static size_t place_frames(const placing *work, c3d_frame *rows)
{
    const int size = work->desc->frame_size_px, stride = work->desc->stride_px;
    const int64_t columns = (work->frames->width_px - size) / stride + 1;
    size_t n = 0;

    for (int y = 0, row = 0; y <= work->frames->height_px - size; y += stride, row++) {
        for (int x = 0, column = 0; x <= work->frames->width_px - size; x += stride, column++) {
            if (!is_in_one_block(work->blocks, x, y, size)) continue;
            if (!is_inside(work->desc->aoi, work->frames, x, y)) continue;
            if (!c3d_footprint_touches(work->print, x, y, size)) continue;
            if (rows != NULL)
                rows[n] = (c3d_frame){
                    .frame_id = row * columns + column, .x = x, .y = y, .split = C3D_SPLIT_NONE
                };
            n++;
        }
    }
    return n;
}

static c3d_status fill_frames(const c3d_dataset_desc *desc, const c3d_footprint *print,
                              const block_grid *blocks, c3d_frames *frames)
{
    const placing work = { desc, print, blocks, frames };
    const double *t = frames->transform;

    if (frames->width_px >= desc->frame_size_px && frames->height_px >= desc->frame_size_px)
        frames->n = place_frames(&work, NULL);
    if (frames->n == 0)
        return C3D_FAIL(C3D_EDATA,
                        "no frame of %d px fits: the imagery has %d x %d px from (%.10g, %.10g) to "
                        "(%.10g, %.10g), data.aoi and the split blocks of %d x %d px cut it",
                        desc->frame_size_px, frames->width_px, frames->height_px, t[0], t[3],
                        t[0] + frames->width_px * t[1] + frames->height_px * t[2],
                        t[3] + frames->width_px * t[4] + frames->height_px * t[5], blocks->width_px,
                        blocks->height_px);
    frames->rows = c3d_calloc(frames->n, sizeof *frames->rows);
    if (frames->rows == NULL) return C3D_ENOMEM;
    (void)place_frames(&work, frames->rows);
    return C3D_OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static c3d_status check_settings(const c3d_dataset_desc *desc)
{
    double sum = 0;

    if (desc->split == C3D_SPLIT_YEARS && desc->n_split_years == 0)
        return C3D_FAIL(C3D_ECONFIG, "data.split: years needs data.split_years");
    if (desc->split == C3D_SPLIT_POLYGONS && desc->split_file == NULL)
        return C3D_FAIL(C3D_ECONFIG, "data.split: polygons needs data.split_file");
    if (desc->n_split_years > 0 && desc->samples == C3D_SAMPLES_SERIES)
        return C3D_FAIL(C3D_ECONFIG,
                        "data.split_years: data.samples: series has one sample of all years");
    if (desc->frame_size_px < 1 || desc->stride_px < 1)
        return C3D_FAIL(C3D_ECONFIG,
                        "data.frame_size_px %d, data.stride_px %d: both must be at "
                        "least 1",
                        desc->frame_size_px, desc->stride_px);
    for (int s = 0; s < C3D_N_SPLITS; s++) {
        if (!(desc->split_shares[s] >= 0))
            return C3D_FAIL(C3D_ECONFIG, "data.split_shares: %g for %s", desc->split_shares[s],
                            c3d_split_name((c3d_split)s));
        sum += desc->split_shares[s];
    }
    if (!(fabs(sum - 1) <= 1e-6))
        return C3D_FAIL(C3D_ECONFIG, "data.split_shares: their sum is %g, expected 1", sum);
    if (desc->labels != NULL && !(desc->negative_share < desc->positive_share))
        return C3D_FAIL(C3D_ECONFIG, "data.negative_share %g must be below data.positive_share %g",
                        desc->negative_share, desc->positive_share);
    return C3D_OK;
}

c3d_status c3d_frames_place(const c3d_dataset_desc *desc, const c3d_archive *archive,
                            c3d_frames *out)
{
    c3d_frames frames = { .size_px = desc->frame_size_px };
    c3d_footprint print = { 0 };
    block_grid blocks;
    c3d_status st = check_settings(desc);

    if (st == C3D_OK) st = c3d_frames_take_grid(desc, archive, &frames, &print);
    if (st == C3D_OK) st = c3d_frames_blocks(desc, &frames, &blocks);
    if (st == C3D_OK) st = fill_frames(desc, &print, &blocks, &frames);
    c3d_footprint_free(&print);
    if (st == C3D_OK)
        *out = frames;
    else
        c3d_frames_free(&frames);
    return st;
}

c3d_status c3d_frames_make(const c3d_dataset_desc *desc, const c3d_archive *archive,
                           c3d_frames *out)
{
    c3d_frames frames = { 0 };
    label_report report = { 0 };
    block_grid blocks;
    c3d_status st;

    C3D_TRY_TO(done, c3d_frames_place(desc, archive, &frames));
    C3D_TRY_TO(done, c3d_frames_blocks(desc, &frames, &blocks));
    if (desc->labels != NULL) C3D_TRY_TO(done, c3d_frames_measure(desc, archive, &frames, &report));
    C3D_TRY_TO(done, c3d_frames_split(desc, &blocks, &frames));
    if (desc->labels != NULL) C3D_TRY_TO(done, c3d_label_gate(desc, &frames, &report));
    *out = frames;
done:
    c3d_label_report_free(&report);
    if (st != C3D_OK) c3d_frames_free(&frames);
    return st;
}

/* ---- frames.gpkg of a dataset ---------------------------------------------------------------- */

static size_t count_edited(const c3d_frames *frames)
{
    size_t n = 0;

    for (size_t i = 0; i < frames->n; i++) n += frames->rows[i].edited;
    return n;
}

c3d_status c3d_frames_check_existing(const char *path, uint64_t fingerprint, bool *keep)
{
    frames_origin origin;
    c3d_frames frames = { 0 };
    size_t n_edited, n_deleted;

    *keep = false;
    if (!c3d_path_exists(path)) return C3D_OK;
    C3D_TRY(c3d_frames_read_origin(path, &origin));
    C3D_TRY(c3d_frames_read(path, &frames));
    n_edited = count_edited(&frames);
    n_deleted = frames.n_deleted;
    c3d_frames_free(&frames);
    if (origin.fingerprint == fingerprint) {
        c3d_log_run("%s: made before with these settings, kept (%zu frames edited, %zu deleted)",
                    path, n_edited, n_deleted);
        *keep = true;
        return C3D_OK;
    }
    if (n_edited + n_deleted > 0)
        return C3D_FAIL(C3D_ECONFIG,
                        "%s: made with other settings, and edited since (%zu frames changed, %zu "
                        "deleted); move it away to make it again",
                        path, n_edited, n_deleted);
    c3d_log_run("%s: made with other settings, and is made again", path);
    return C3D_OK;
}

static void log_frames(const char *path, const c3d_frames *frames)
{
    size_t n[C3D_SPLIT_NONE + 1] = { 0 };

    for (size_t i = 0; i < frames->n; i++) n[frames->rows[i].split]++;
    c3d_log_run("%s: %zu frames: %zu train, %zu validation, %zu test, %zu without split", path,
                frames->n, n[C3D_SPLIT_TRAIN], n[C3D_SPLIT_VALIDATION], n[C3D_SPLIT_TEST],
                n[C3D_SPLIT_NONE]);
}

static c3d_status has_scenes(const char *dir, bool *out)
{
    c3d_store store;

    *out = false;
    C3D_TRY(c3d_store_open(dir, false, &store));
    for (int i = 0; i < store.n_shards; i++) {
        const int n = c3d_shard_get_shape(store.shards[i])->n_scenes;
        for (int row = 0; row < n; row++) *out |= store.status[i][row] != C3D_SCENE_ABSENT;
    }
    c3d_store_close(&store);
    return C3D_OK;
}

/* A file of the imagery that was replaced, a broken one mended, say: while no scene is cut and
 * nobody has edited the frames, they are made again. Later clip refuses it. */
static c3d_status look_for_replaced(const char *path, const c3d_dataset_desc *desc,
                                    const c3d_archive *archive, bool *keep)
{
    c3d_frames frames = { 0 };
    bool is_cut;

    C3D_TRY(has_scenes(desc->out_dir, &is_cut));
    if (is_cut) return C3D_OK;
    C3D_TRY(c3d_frames_read(path, &frames));
    const bool is_edited = count_edited(&frames) + frames.n_deleted > 0;
    c3d_frames_free(&frames);
    if (is_edited) return C3D_OK;
    const c3d_status st = c3d_sources_check(path, archive);
    if (st != C3D_EDATA) return st;
    c3d_log_run("%s: made again, for no scene is cut yet: %s", path, c3d_error_last()->message);
    *keep = false;
    return C3D_OK;
}

static c3d_status make_file(const c3d_dataset_desc *desc)
{
    char path[C3D_PATH_MAX];
    c3d_archive archive = { 0 };
    c3d_frames frames = { 0 };
    const c3d_store none = { 0 };
    uint64_t fingerprint;
    bool keep;
    c3d_status st;

    C3D_TRY(c3d_make_dirs(desc->out_dir));
    C3D_TRY(c3d_path_join(path, desc->out_dir, "frames.gpkg"));
    C3D_TRY_TO(done,
               c3d_archive_find(desc->mosaics, desc->month_first, desc->month_last, &archive));
    C3D_TRY_TO(done, c3d_frames_fingerprint(desc, &archive, &fingerprint));
    C3D_TRY_TO(done, c3d_frames_check_existing(path, fingerprint, &keep));
    if (keep) C3D_TRY_TO(done, look_for_replaced(path, desc, &archive, &keep));
    if (keep) goto done;
    C3D_TRY_TO(done, c3d_vector_replaceable(path)); /* before the labels are measured */
    C3D_TRY_TO(done, c3d_frames_make(desc, &archive, &frames));
    C3D_TRY_TO(done, c3d_frames_write(path, &frames, desc, &archive));
    log_frames(path, &frames);
    C3D_TRY_TO(done, c3d_archive_table_write(desc, &archive, &frames, &none));
done:
    c3d_archive_free(&archive);
    c3d_frames_free(&frames);
    return st;
}

c3d_status c3d_dataset_frames(const c3d_dataset_desc *desc, const c3d_sharing *sharing)
{
    label_team team = { .sharing = sharing };
    c3d_dataset_desc with_team = *desc;

    if (c3d_sharing_rank(sharing) != 0) {
        const c3d_status st = c3d_label_team_help(desc, sharing);

        return c3d_sharing_agree(sharing, st);
    }
    with_team.team = &team;
    const c3d_status st = make_file(&with_team);
    return c3d_sharing_agree(sharing, c3d_label_team_end(&team, desc->out_dir, st));
}
