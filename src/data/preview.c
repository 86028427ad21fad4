#include "preview_page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void close_preview(preview *of)
{
    c3d_preview_choice_free(&of->choice);
    c3d_outlines_close(of->outlines);
    c3d_transformer_destroy(of->to_degrees);
    if (of->has_info) c3d_dataset_info_free(&of->info);
    c3d_samples_free(&of->samples);
    c3d_store_close(&of->store);
    c3d_frames_free(&of->frames);
    c3d_text_free(&of->notes);
    free(of->years);
    free(of->months);
}

/* ---- years ----------------------------------------------------------------------------------- */

static int label_of_year(const preview *of, int year)
{
    const c3d_json *settings = of->has_info ? c3d_json_get(of->info.json, "settings") : NULL;
    const char *rule;

    if (of->frames.n_years == 1) return 0;
    if (settings && c3d_json_get_string(settings, "label_year", &rule) &&
        strcmp(rule, "previous") == 0)
        year--;
    for (int k = 0; k < of->frames.n_years; k++)
        if (of->frames.years[k] == year) return k;
    return -1;
}

static c3d_status find_years(preview *of)
{
    const int n_months = of->store.n_months;

    of->years = c3d_calloc((size_t)n_months, sizeof *of->years);
    of->months = c3d_calloc((size_t)n_months, sizeof *of->months);
    if (!of->years || !of->months) return C3D_ENOMEM;
    c3d_store_months(&of->store, of->months);
    of->is_monthly = true;
    for (int m = 0; m < n_months; m++) {
        const int year = of->months[m] / 10000, month = of->months[m] / 100;
        if (m == 0 || of->months[m - 1] / 10000 != year)
            of->years[of->n_years++] = (preview_year){ year, m, 0, label_of_year(of, year) };
        if (month % 100 == 0 || (m > 0 && of->months[m - 1] / 100 == month)) of->is_monthly = false;
        of->years[of->n_years - 1].n++;
    }
    return C3D_OK;
}

/* ---- what there is --------------------------------------------------------------------------- */

static c3d_status open_files(const char *dir, preview *of)
{
    char path[C3D_PATH_MAX];

    C3D_TRY(c3d_path_join(path, dir, "frames.gpkg"));
    if (!c3d_path_exists(path))
        return C3D_FAIL(C3D_EIO, "%s: no frames.gpkg; not a dataset of c3d-dataset", dir);
    C3D_TRY(c3d_frames_read(path, &of->frames));
    C3D_TRY(c3d_store_open(dir, false, &of->store));
    if (of->store.n_shards == 0)
        return C3D_FAIL(C3D_EDATA, "%s: no scenes to show yet; run c3d-dataset clip", dir);
    C3D_TRY(c3d_outlines_open(path, &of->frames, &of->outlines, &of->notes));
    C3D_TRY(c3d_outlines_positive(path, &of->frames, &of->positive));
    if (of->frames.crs_wkt[0])
        C3D_TRY(c3d_transformer_create(of->frames.crs_wkt, "EPSG:4326", &of->to_degrees));
    C3D_TRY(c3d_path_join(path, dir, "samples.csv"));
    if (c3d_path_exists(path)) C3D_TRY(c3d_samples_read(path, &of->samples));
    C3D_TRY(c3d_path_join(path, dir, "dataset.json"));
    if (!c3d_path_exists(path)) return C3D_OK;
    C3D_TRY(c3d_dataset_info_read(dir, &of->info));
    of->has_info = true;
    return C3D_OK;
}

static c3d_status find_stretch(preview *of)
{
    int64_t *frame_ids = c3d_calloc(of->choice.n, sizeof *frame_ids);

    if (!frame_ids) return C3D_ENOMEM;
    for (size_t i = 0; i < of->choice.n; i++)
        frame_ids[i] = of->frames.rows[of->choice.scenes[i].frame].frame_id;
    const preview_list scenes = { of->choice.n, frame_ids };
    const c3d_status st = c3d_preview_stretch(&of->store, &scenes, of->desc->bands, &of->stretch);
    free(frame_ids);
    return st;
}

static c3d_status prepare(preview *of)
{
    const c3d_preview_desc *desc = of->desc;

    C3D_TRY(open_files(desc->dir, of));
    C3D_TRY(find_years(of));
    C3D_TRY(c3d_preview_choose(&of->frames, &of->store, desc->n, desc->seed, &of->choice));
    if (of->choice.n == 0)
        return C3D_FAIL(C3D_EDATA, "%s: none of the %zu frames is clipped; run c3d-dataset clip",
                        desc->dir, of->frames.n);
    C3D_TRY(find_stretch(of));
    of->factor = c3d_preview_factor(&of->store, of->choice.n, 1e6 * desc->max_mb);
    return C3D_OK;
}

/* ---- the page -------------------------------------------------------------------------------- */

static c3d_status put(const char *path, FILE *stream, c3d_text *text, size_t *n_bytes)
{
    const bool is_put = c3d_file_put(stream, text->text, text->length);
    const int reason = errno;

    *n_bytes += text->length;
    text->length = 0;
    if (is_put) return C3D_OK;
    return C3D_FAIL(C3D_EIO, "%s: could not write its first %zu bytes: %s", path, *n_bytes,
                    strerror(reason));
}

static c3d_status write_page(preview *of, const char *path, FILE *stream, size_t *n_bytes)
{
    const double limit = 1e6 * of->desc->max_mb;
    c3d_progress progress;
    c3d_text text = { 0 };
    c3d_status st;

    c3d_preview_page_begin(of, &text);
    st = put(path, stream, &text, n_bytes);
    c3d_progress_begin(&progress, "preview", (double)of->choice.n, "scenes");
    for (size_t i = 0; st == C3D_OK && i < of->choice.n; i++) {
        st = c3d_preview_page_scene(of, i, &text);
        if (st == C3D_OK && i > 0 && (double)(*n_bytes + text.length) > limit) {
            of->n_left_out = of->choice.n - i;
            text.length = 0;
            break;
        }
        if (st == C3D_OK) st = put(path, stream, &text, n_bytes);
        c3d_progress_update(&progress, (double)(i + 1));
    }
    c3d_progress_end(&progress);
    if (st == C3D_OK) {
        c3d_preview_page_end(of, &text);
        st = put(path, stream, &text, n_bytes);
    }
    c3d_text_free(&text);
    return st;
}

static void say(const preview *of, const char *path, size_t n_bytes, c3d_text *out)
{
    c3d_text_add(out, "%s: %zu of %zu frames, %.1f MB\n", path, of->choice.n - of->n_left_out,
                 of->frames.n, (double)n_bytes / 1e6);
    if (of->n_left_out > 0)
        c3d_text_add(out, "%zu more scenes did not fit into %d MB; raise --max-mb or lower --n\n",
                     of->n_left_out, of->desc->max_mb);
    if (of->notes.text) c3d_text_add(out, "%s", of->notes.text);
}

c3d_status c3d_dataset_preview(const c3d_preview_desc *desc, c3d_text *said)
{
    preview of = { .desc = desc };
    char path[C3D_PATH_MAX];
    size_t n_bytes = 0;
    FILE *stream = NULL;
    c3d_status st;

    C3D_TRY(
        c3d_path_join(path, desc->path ? "" : desc->dir, desc->path ? desc->path : "preview.html"));
    st = prepare(&of);
    if (st == C3D_OK) st = c3d_file_open_new(path, &stream);
    if (st == C3D_OK) {
        st = write_page(&of, path, stream, &n_bytes);
        if (st == C3D_OK)
            st = c3d_file_commit(path, stream);
        else
            c3d_file_discard(path, stream);
    }
    if (st == C3D_OK) say(&of, path, n_bytes, said);
    close_preview(&of);
    return st;
}
