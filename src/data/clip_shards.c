#include "clip.h"

#include <stdlib.h>
#include <string.h>

#define SETTINGS_NAME            "clip.json"
#define DEFAULT_SCENES_PER_SHARD 2000

/* ---- clip.json ------------------------------------------------------------------------------- */

static c3d_json *mask_to_json(const c3d_dataset_desc *desc)
{
    c3d_text text = { 0 };

    c3d_text_add(&text, "%s", desc->mask_band ? desc->mask_band : "");
    for (int i = 0; i < desc->n_mask_valid; i++)
        c3d_text_add(&text, " %d-%d", desc->mask_valid[i][0], desc->mask_valid[i][1]);
    c3d_json *json = c3d_json_string(text.text);
    c3d_text_free(&text);
    return json;
}

/* Bands, months and type are in the shards themselves; this is what cannot be seen there. */
static c3d_json *settings_to_json(const c3d_dataset_desc *desc, const c3d_frames *frames)
{
    c3d_json *object = c3d_json_object();
    c3d_json *transform = c3d_json_array();

    for (int i = 0; i < 6; i++) c3d_json_append(transform, c3d_json_real(frames->transform[i]));
    c3d_json_set(object, "gaps", c3d_json_string(c3d_gaps_name(desc->gaps)));
    c3d_json_set(object, "max_missing_share", c3d_json_real(desc->max_missing_share));
    c3d_json_set(object, "frame_size_px", c3d_json_int(frames->size_px));
    c3d_json_set(object, "stride_px", c3d_json_int(desc->stride_px));
    c3d_json_set(object, "transform", transform);
    c3d_json_set(object, "width_px", c3d_json_int(frames->width_px));
    c3d_json_set(object, "height_px", c3d_json_int(frames->height_px));
    c3d_json_set(object, "mask", mask_to_json(desc));
    c3d_json_set(object, "resampling", c3d_json_string(c3d_resampling_name(desc->resampling)));
    return object;
}

/* What an older version did not write could not be chosen then. */
static c3d_status compare_settings(const char *path, const c3d_json *old, const c3d_json *now)
{
    for (const char *key = c3d_json_next_key(now, NULL); key; key = c3d_json_next_key(now, key)) {
        const c3d_json *value = c3d_json_get(old, key);
        if (!value) continue;
        char *was = c3d_json_text(value, false);
        char *is = c3d_json_text(c3d_json_get(now, key), false);
        c3d_status st = C3D_OK;
        if (strcmp(was, is) != 0)
            st = C3D_FAIL(C3D_ECONFIG,
                          "%s: scenes were clipped with %s %s, now it is %s; clip into another "
                          "directory, or remove this one's scenes-*.h5 and clip.json",
                          path, key, was, is);
        free(was);
        free(is);
        if (st != C3D_OK) return st;
    }
    return C3D_OK;
}

static c3d_status keep_settings(const c3d_dataset_desc *desc, const c3d_frames *frames,
                                bool has_scenes)
{
    char path[C3D_PATH_MAX];
    c3d_json *old = NULL;
    c3d_status st = C3D_OK;

    C3D_TRY(c3d_path_join(path, desc->out_dir, SETTINGS_NAME));
    c3d_json *now = settings_to_json(desc, frames);
    if (has_scenes && c3d_path_exists(path)) {
        st = c3d_json_read(path, &old);
        if (st == C3D_OK) st = compare_settings(path, old, now);
        c3d_json_free(old);
    } else {
        st = c3d_json_write(path, now);
    }
    c3d_json_free(now);
    return st;
}

/* ---- shards ---------------------------------------------------------------------------------- */

static c3d_status check_bands(const c3d_shard *shard, const c3d_source *source)
{
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    bool is_same = shape->n_bands == source->n_bands && shape->dtype == source->dtype;

    for (int i = 0; is_same && i < shape->n_bands; i++)
        is_same = strcmp(c3d_shard_bands(shard)[i], source->band_names[i]) == 0;
    if (is_same) return C3D_OK;
    return C3D_FAIL(C3D_ECONFIG,
                    "%s: has %d bands of %s (%s, ...), the configuration asks for %d of %s "
                    "(%s, ...); clip into another directory",
                    c3d_shard_path(shard), shape->n_bands, c3d_dtype_name(shape->dtype),
                    c3d_shard_bands(shard)[0], source->n_bands, c3d_dtype_name(source->dtype),
                    source->band_names[0]);
}

static c3d_status check_existing(const c3d_store *store, const c3d_frames *frames,
                                 const c3d_source *source)
{
    if (store->n_shards == 0) return C3D_OK;
    const c3d_shard *shard = store->shards[0]; /* all are alike but for their months */
    C3D_TRY(check_bands(shard, source));
    if (c3d_shard_get_shape(shard)->size_px != frames->size_px)
        return C3D_FAIL(C3D_ECONFIG, "%s: frames of %d px, frames.gpkg has %d px",
                        c3d_shard_path(shard), c3d_shard_get_shape(shard)->size_px,
                        frames->size_px);
    return C3D_OK;
}

/* Ids of the frames no shard of the period has, ascending. */
static c3d_status find_new(const c3d_store *store, const c3d_frames *frames, c3d_date first,
                           int64_t **ids_out, size_t *n_out)
{
    int64_t *ids = c3d_calloc(frames->n + 1, sizeof *ids);
    size_t n = 0;
    int period = 0;

    if (!ids) return C3D_ENOMEM;
    while (period < store->n_periods && store->periods[period].first != first) period++;
    for (size_t i = 0; i < frames->n; i++)
        if (!c3d_store_find(store, frames->rows[i].frame_id, period))
            ids[n++] = frames->rows[i].frame_id;
    *ids_out = ids;
    *n_out = n;
    return C3D_OK;
}

c3d_status c3d_clip_check_space(const char *dir, const c3d_shard_shape *scene, size_t n)
{
    const double each = (double)(c3d_scene_bytes(scene) + c3d_valid_bytes(scene));
    uint64_t n_free;

    C3D_TRY(c3d_free_bytes(dir, &n_free));
    if (each * (double)n <= (double)n_free) return C3D_OK;
    return C3D_FAIL(C3D_EIO, "%s: %.0f bytes are needed for %zu scenes, %.0f are free", dir,
                    each * (double)n, n, (double)n_free);
}

/* Names tell the month in which a period begins: two that begin in one count on. */
static int next_number(const c3d_store *store, c3d_date first)
{
    int last = -1;

    for (int i = 0; i < store->n_shards; i++) {
        int month, number;
        if (sscanf(store->files[i], "scenes-%d-%d.h5", &month, &number) != 2) continue;
        if (month == first / 100 && number > last) last = number;
    }
    return last + 1;
}

static c3d_status create_shards(const c3d_dataset_desc *desc, const c3d_source *source,
                                const c3d_shard_shape *scene, const int64_t *ids, size_t n,
                                int number)
{
    const size_t step =
        desc->scenes_per_shard > 0 ? (size_t)desc->scenes_per_shard : DEFAULT_SCENES_PER_SHARD;
    const char *bands[C3D_MAX_BANDS];
    c3d_date *months = c3d_calloc((size_t)source->n_months, sizeof *months);
    c3d_status st = months ? C3D_OK : C3D_ENOMEM;

    for (int i = 0; i < source->n_bands; i++) bands[i] = source->band_names[i];
    for (int i = 0; st == C3D_OK && i < source->n_months; i++) months[i] = source->months[i].date;
    for (size_t first = 0; st == C3D_OK && first < n; first += step, number++) {
        c3d_shard_shape shape = *scene;
        char name[64], path[C3D_PATH_MAX];
        shape.n_scenes = (int)(n - first < step ? n - first : step);
        snprintf(name, sizeof name, "scenes-%06d-%05d.h5", months[0] / 100, number);
        st = c3d_path_join(path, desc->out_dir, name);
        if (st == C3D_OK) st = c3d_shard_create(path, &shape, ids + first, months, bands);
    }
    free(months);
    return st;
}

c3d_status c3d_clip_check(const c3d_dataset_desc *desc, const c3d_frames *frames,
                          const c3d_source *source)
{
    c3d_store store;
    c3d_status st;

    C3D_TRY(c3d_store_open(desc->out_dir, false, &store));
    st = check_existing(&store, frames, source);
    if (st == C3D_OK) st = keep_settings(desc, frames, store.n_shards > 0);
    c3d_store_close(&store);
    return st;
}

c3d_status c3d_clip_make_shards(const c3d_dataset_desc *desc, const c3d_frames *frames,
                                const c3d_source *source)
{
    const c3d_shard_shape scene = { 1, source->n_months, source->n_bands, frames->size_px,
                                    source->dtype };
    const c3d_date first = source->months[0].date;
    c3d_store store;
    int64_t *ids = NULL;
    size_t n = 0;
    c3d_status st;

    C3D_TRY(c3d_store_open(desc->out_dir, false, &store));
    st = check_existing(&store, frames, source);
    if (st == C3D_OK) st = find_new(&store, frames, first, &ids, &n);
    if (st == C3D_OK) st = c3d_clip_check_space(desc->out_dir, &scene, n);
    if (st == C3D_OK) st = keep_settings(desc, frames, store.n_shards > 0);
    if (st == C3D_OK) st = create_shards(desc, source, &scene, ids, n, next_number(&store, first));
    free(ids);
    c3d_store_close(&store);
    return st;
}
