/* samples.csv and dataset.json: what turns clipped scenes into a dataset. */
#include "census.h"
#include "frames.h"
#include "leak.h"
#include "samples.h"
#include "sharing.h"
#include "sources.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct dataset {
    const c3d_dataset_desc *desc;
    c3d_frames frames;
    c3d_store store;
    c3d_samples samples;
    c3d_census census;
    c3d_leaks leaks;
} dataset;

/* ---- parts of dataset.json --------------------------------------------------------------------
 */

static c3d_json *counts_to_json(const c3d_census *census)
{
    c3d_json *counts = c3d_json_object(), *frames = c3d_json_object();
    c3d_json *samples = c3d_json_object();

    for (int fate = 0; fate < C3D_N_FATES; fate++)
        c3d_json_set(frames, c3d_fate_key((c3d_frame_fate)fate),
                     c3d_json_int((long long)census->fates[fate]));
    for (int split = 0; split < C3D_N_SPLITS; split++) {
        c3d_json *classes = c3d_json_array();
        for (int i = 0; i < census->n_classes; i++)
            c3d_json_append(classes, c3d_json_int((long long)census->samples[split][i]));
        c3d_json_set(samples, c3d_split_name((c3d_split)split), classes);
    }
    c3d_json_set(counts, "n_frames", c3d_json_int((long long)census->n_frames));
    c3d_json_set(counts, "frames", frames);
    c3d_json_set(counts, "samples_by_class", samples);
    return counts;
}

static c3d_json *leak_to_json(const dataset *from)
{
    static const char *const rules[] = { "blocks", "polygons", "years", "random" };
    c3d_json *leak = c3d_leaks_to_json(&from->leaks);

    c3d_json_set(leak, "split", c3d_json_string(rules[from->desc->split]));
    return leak;
}

static c3d_json *settings_to_json(const c3d_dataset_desc *desc)
{
    static const char *const modes[] = { "series", "yearly", "monthly" };
    static const char *const series[] = { "any", "last", "all" };
    static const char *const years[] = { "same", "previous", "both_agree" };
    c3d_json *settings = c3d_json_object();

    c3d_json_set(settings, "samples", c3d_json_string(modes[desc->samples]));
    c3d_json_set(settings, "series_label", c3d_json_string(series[desc->series_label]));
    c3d_json_set(settings, "label_year", c3d_json_string(years[desc->label_year]));
    c3d_json_set(settings, "gaps", c3d_json_string(c3d_gaps_name(desc->gaps)));
    c3d_json_set(settings, "max_missing_share", c3d_json_real(desc->max_missing_share));
    c3d_json_set(settings, "positive_share", c3d_json_real(desc->positive_share));
    c3d_json_set(settings, "negative_share", c3d_json_real(desc->negative_share));
    c3d_json_set(settings, "negative_distance_m", c3d_json_real(desc->negative_distance_m));
    c3d_json_set(settings, "hard_negative_share", c3d_json_real(desc->hard_share));
    c3d_json_set(settings, "seed", c3d_json_int((long long)desc->seed));
    return settings;
}

static c3d_json *missing_to_json(const c3d_census *census)
{
    c3d_json *missing = c3d_json_array();

    for (int i = 0; i < census->n_months; i++)
        c3d_json_append(missing, c3d_json_real(census->missing_share[i]));
    return missing;
}

/* ---- dataset.json ------------------------------------------------------------------------------
 */

/* Which periods the samples show months of: [n_periods], given. */
static bool *find_shown(const dataset *from)
{
    const c3d_store *store = &from->store;
    bool *is_shown = c3d_calloc((size_t)store->n_periods + 1, sizeof *is_shown);

    for (size_t i = 0; is_shown && i < from->samples.n; i++) {
        const c3d_sample *sample = &from->samples.rows[i];
        int period = 0, n_left = sample->n_months, at = 0;
        while (period + 1 < store->n_periods &&
               store->periods[period + 1].first <= sample->first_month)
            period++;
        while (at < store->periods[period].n_months &&
               store->periods[period].months[at] < sample->first_month)
            at++;
        for (; n_left > 0 && period < store->n_periods; period++, at = 0) {
            is_shown[period] = true;
            n_left -= store->periods[period].n_months - at;
        }
    }
    return is_shown;
}

/* Of the list and of the scenes in the periods it shows: months that are added later, which no
 * sample shows, leave the hash as it is. */
static c3d_status hash_content(const dataset *from, const char *samples_path, uint64_t *out)
{
    c3d_hasher *hasher = c3d_hasher_create();
    bool *is_shown = find_shown(from);
    char *bytes = NULL;
    size_t n_bytes = 0;
    c3d_status st = hasher && is_shown ? c3d_file_read(samples_path, &bytes, &n_bytes) : C3D_ENOMEM;

    if (st == C3D_OK) c3d_hasher_add(hasher, bytes, n_bytes);
    for (int i = 0; st == C3D_OK && i < from->store.n_shards; i++) {
        c3d_shard *shard = from->store.shards[i];
        const size_t n = (size_t)c3d_shard_get_shape(shard)->n_scenes;
        if (!is_shown[from->store.period_of[i]]) continue;
        uint64_t *checksums = c3d_calloc(n, sizeof *checksums);
        st = checksums ? c3d_shard_read_checksums(shard, checksums) : C3D_ENOMEM;
        if (st == C3D_OK) {
            c3d_hasher_add(hasher, c3d_shard_frame_ids(shard), n * sizeof(int64_t));
            c3d_hasher_add(hasher, from->store.status[i], n);
            c3d_hasher_add(hasher, checksums, n * sizeof *checksums);
        }
        free(checksums);
    }
    if (st == C3D_OK) *out = c3d_hasher_value(hasher);
    free(bytes);
    free(is_shown);
    c3d_hasher_destroy(hasher);
    return st;
}

static const char *class_name(const dataset *from, int label)
{
    const c3d_frames *frames = &from->frames;
    const char *positive = from->desc->positive;

    return label == 0 || frames->by_class || !positive ? c3d_frame_label_name(frames, label)
                                                       : positive;
}

/* Of the frames' labels: "other" (of a class of that name: "negative"), then the classes. */
static c3d_status name_classes(const dataset *from, c3d_dataset_info *info)
{
    const c3d_frames *frames = &from->frames;
    const int n = c3d_frames_n_labels(frames) + 1;
    const char *first = "other";

    info->classes = c3d_calloc((size_t)n, sizeof *info->classes);
    if (!info->classes) return C3D_ENOMEM;
    info->n_classes = n;
    for (int i = 1; i < n; i++) {
        info->classes[i] = c3d_strdup(class_name(from, i));
        if (strcmp(info->classes[i], first) == 0) first = "negative";
    }
    info->classes[0] = c3d_strdup(first);
    return C3D_OK;
}

static void free_info(c3d_dataset_info *info)
{
    for (int i = 0; info->bands && i < info->n_bands; i++) free(info->bands[i]);
    for (int i = 0; i < info->n_classes; i++) free(info->classes[i]);
    free(info->classes);
    free(info->bands);
    free(info->shards);
}

static c3d_status fill_info(const dataset *from, c3d_dataset_info *out)
{
    const c3d_store *store = &from->store;
    const c3d_shard *shard = store->shards[0];
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);

    out->frame_size_px = shape->size_px;
    out->n_bands = shape->n_bands;
    out->dtype = shape->dtype;
    out->n_periods = store->n_periods;
    out->periods = store->periods;
    out->n_shards = store->n_shards;
    out->crs_wkt = from->frames.crs_wkt;
    c3d_frames_pixel_m(&from->frames, out->pixel_m);
    out->shards = c3d_calloc((size_t)out->n_shards, sizeof *out->shards);
    out->bands = c3d_calloc((size_t)out->n_bands, sizeof *out->bands);
    if (!out->shards || !out->bands) return C3D_ENOMEM;
    for (int i = 0; i < out->n_bands; i++) out->bands[i] = c3d_strdup(c3d_shard_bands(shard)[i]);
    for (int i = 0; i < out->n_shards; i++) {
        snprintf(out->shards[i].file, sizeof out->shards[i].file, "%s", store->files[i]);
        out->shards[i].period = store->period_of[i];
        out->shards[i].n_scenes = c3d_shard_get_shape(store->shards[i])->n_scenes;
    }
    return name_classes(from, out);
}

/* The whole of dataset.json, given. */
static c3d_status describe(const dataset *from, const char *gpkg, const char *samples_path,
                           c3d_json **out)
{
    c3d_dataset_info info = { 0 };
    char samples_hash[20];
    uint64_t of_samples;
    c3d_status st = hash_content(from, samples_path, &info.hash);

    if (st == C3D_OK) st = c3d_hash_file(samples_path, &of_samples, NULL);
    if (st == C3D_OK) st = fill_info(from, &info);
    if (st == C3D_OK) {
        c3d_json *root = c3d_dataset_info_to_json(&info);
        snprintf(samples_hash, sizeof samples_hash, "%016" PRIx64, of_samples);
        c3d_json_set(root, "samples_hash", c3d_json_string(samples_hash));
        c3d_json_set(root, "settings", settings_to_json(from->desc));
        c3d_json_set(root, "counts", counts_to_json(&from->census));
        c3d_json_set(root, "missing_share", missing_to_json(&from->census));
        st = c3d_sources_to_json(gpkg, root);
        if (st == C3D_OK)
            *out = root;
        else
            c3d_json_free(root);
    }
    free_info(&info);
    return st;
}

static c3d_status write_info(const dataset *from, const char *gpkg, const char *samples_path,
                             const char *path)
{
    c3d_json *root;

    C3D_TRY(describe(from, gpkg, samples_path, &root));
    c3d_json_set(root, "leak", leak_to_json(from));
    const c3d_status st = c3d_json_write(path, root);
    c3d_json_free(root);
    return st;
}

/* ---- samples -----------------------------------------------------------------------------------
 */

static c3d_status check_clipped(const dataset *from)
{
    size_t n_absent = 0;

    for (size_t i = 0; i < from->frames.n; i++) {
        const int64_t id = from->frames.rows[i].frame_id;
        bool is_absent = from->store.n_periods == 0;
        for (int period = 0; !is_absent && period < from->store.n_periods; period++)
            is_absent = c3d_store_scene_status(&from->store, id, period) == C3D_SCENE_ABSENT;
        n_absent += is_absent;
    }
    if (n_absent == 0 && from->store.n_shards > 0) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s: %zu of %zu frames are not clipped; run c3d-dataset clip",
                    from->desc->out_dir, n_absent, from->frames.n);
}

static void tell_split(const dataset *made, int split)
{
    const c3d_census *census = &made->census;
    c3d_text text = { 0 };
    bool has_all = true;

    for (int i = 0; i < census->n_classes; i++) {
        const char *name = i == 0 ? "other" : class_name(made, i);
        c3d_text_add(&text, "%s%6zu %s", i ? ", " : "", census->samples[split][i], name);
        has_all = has_all && census->samples[split][i] > 0;
    }
    c3d_log_run("samples: %-10s %s", c3d_split_name((c3d_split)split), text.text ? text.text : "");
    if (made->samples.n > 0 && !has_all)
        c3d_log_warn("samples: %s does not have %s classes", c3d_split_name((c3d_split)split),
                     census->n_classes > 2 ? "all" : "both");
    c3d_text_free(&text);
}

static void tell_leaks(const c3d_leaks *leaks)
{
    c3d_text text = { 0 };
    int n = 0;

    for (int i = 0; i < leaks->n; i++)
        if (c3d_leak_is(&leaks->rows[i]) && n++ == 0) c3d_leak_findings(&leaks->rows[i], &text);
    if (n > 0)
        c3d_log_warn("%sscores on this split%s are too good, and c3d-train refuses it unless "
                     "data.allow_leaking_split is true",
                     text.text, leaks->n > 1 ? " or fold" : "");
    c3d_text_free(&text);
}

/* A delivered file may be empty, or clouded over by data.mask_band. */
static void tell_empty_months(const dataset *made)
{
    const c3d_store *store = &made->store;
    c3d_text list = { 0 };
    int n = 0;

    for (int p = 0, at = 0; p < store->n_periods; p++)
        for (int i = 0; i < store->periods[p].n_months; i++, at++) {
            char text[12];
            if (made->census.missing_share[at] < 1 || n++ >= 24) continue;
            c3d_text_add(&list, " %s", c3d_date_text(store->periods[p].months[i], text));
        }
    if (n > 0)
        c3d_log_warn("samples: in %d of %d months nothing is observed in any scene, and all is "
                     "filled:%s%s",
                     n, store->n_months, list.text, n > 24 ? " ..." : "");
    c3d_text_free(&list);
}

static void tell(const dataset *made)
{
    c3d_log_run("samples: %zu of %zu frames", made->samples.n, made->census.fates[C3D_FATE_USED]);
    for (int split = 0; split < C3D_N_SPLITS; split++) tell_split(made, split);
    tell_empty_months(made);
    tell_leaks(&made->leaks);
}

static c3d_status find_leaks(dataset *made)
{
    leak_input in = { .frames = &made->frames, .samples = &made->samples, .store = &made->store };
    c3d_status st;

    C3D_TRY(c3d_leak_pieces_read(made->desc->out_dir, in.frames, in.store, &in.pieces));
    st = c3d_leak_find(&in, &made->leaks);
    free(in.pieces.rows);
    return st;
}

/* The old dataset.json goes first: it speaks of the old samples. */
static c3d_status make(dataset *made)
{
    const char *dir = made->desc->out_dir;
    char gpkg[C3D_PATH_MAX], samples_path[C3D_PATH_MAX], info_path[C3D_PATH_MAX];

    C3D_TRY(c3d_path_join(gpkg, dir, "frames.gpkg"));
    C3D_TRY(c3d_path_join(samples_path, dir, "samples.csv"));
    C3D_TRY(c3d_path_join(info_path, dir, "dataset.json"));
    if (!c3d_path_exists(gpkg))
        return C3D_FAIL(C3D_EIO, "%s: absent; run c3d-dataset frames first", gpkg);
    C3D_TRY(c3d_frames_read(gpkg, &made->frames));
    C3D_TRY(c3d_store_open(dir, false, &made->store));
    C3D_TRY(check_clipped(made));
    C3D_TRY(c3d_samples_make(made->desc, &made->frames, &made->store, &made->samples));
    C3D_TRY(c3d_census_take(&made->frames, &made->store, &made->samples, &made->census));
    C3D_TRY(find_leaks(made));
    if (c3d_path_exists(info_path) && remove(info_path) != 0)
        return C3D_FAIL(C3D_EIO, "%s: cannot be removed", info_path);
    C3D_TRY(c3d_samples_write(samples_path, &made->samples));
    C3D_TRY(write_info(made, gpkg, samples_path, info_path));
    tell(made);
    return C3D_OK;
}

static void free_dataset(dataset *made)
{
    c3d_leaks_free(&made->leaks);
    c3d_census_free(&made->census);
    c3d_samples_free(&made->samples);
    c3d_store_close(&made->store);
    c3d_frames_free(&made->frames);
}

/* ---- after an update ------------------------------------------------------------------------- */

/* dataset.json of `dir`: what `root` says, but for `changed`, which is looked up. */
static c3d_status rewrite(dataset *from, const char *dir, c3d_json *root,
                          const char *const *changed)
{
    char gpkg[C3D_PATH_MAX], samples_path[C3D_PATH_MAX], info_path[C3D_PATH_MAX];
    c3d_json *now = NULL;
    c3d_status st;

    C3D_TRY(c3d_path_join(gpkg, dir, "frames.gpkg"));
    C3D_TRY(c3d_path_join(samples_path, dir, "samples.csv"));
    C3D_TRY(c3d_path_join(info_path, dir, "dataset.json"));
    C3D_TRY(c3d_frames_read(gpkg, &from->frames));
    C3D_TRY(c3d_store_open(dir, false, &from->store));
    C3D_TRY(c3d_samples_read(samples_path, &from->samples));
    C3D_TRY(c3d_census_take(&from->frames, &from->store, &from->samples, &from->census));
    st = describe(from, gpkg, samples_path, &now);
    if (st != C3D_OK) return st;
    for (; *changed; changed++)
        c3d_json_set(root, *changed, c3d_json_copy(c3d_json_get(now, *changed)));
    c3d_json_free(now);
    return c3d_json_write(info_path, root);
}

static c3d_status rewrite_from(const c3d_dataset_desc *desc, const char *source,
                               const char *const *changed)
{
    dataset from = { .desc = desc };
    char path[C3D_PATH_MAX];
    c3d_json *root = NULL;
    c3d_status st = c3d_path_join(path, source, "dataset.json");

    if (st == C3D_OK) st = c3d_json_read(path, &root);
    if (st == C3D_OK) st = rewrite(&from, desc->out_dir, root, changed);
    c3d_json_free(root);
    free_dataset(&from);
    return st;
}

c3d_status c3d_dataset_refresh(const c3d_dataset_desc *desc)
{
    static const char *const changed[] = { "periods", "shards",   "counts", "missing_share",
                                           "sources", "licences", NULL };

    return rewrite_from(desc, desc->out_dir, changed);
}

c3d_status c3d_dataset_adopt(const c3d_dataset_desc *desc, const char *package)
{
    static const char *const changed[] = { "hash",   "periods",       "shards",
                                           "counts", "missing_share", NULL };

    return rewrite_from(desc, package, changed);
}

c3d_status c3d_dataset_samples(const c3d_dataset_desc *desc, const c3d_sharing *sharing)
{
    dataset made = { .desc = desc };
    c3d_status st = C3D_OK;

    if (c3d_sharing_rank(sharing) == 0) {
        st = make(&made);
        free_dataset(&made);
    }
    return c3d_sharing_agree(sharing, st);
}
