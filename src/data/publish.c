/* A dataset without its pixels: frames, labels, splits, samples, checksums, sources by name and
 * hash, licence lines, a card. No path of this machine is in it. */
#include "publish.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- paths ----------------------------------------------------------------------------------- */

const char *c3d_published_path(const c3d_publish_desc *desc, const char *path)
{
    for (size_t i = 0; i < C3D_COUNT(desc->roots); i++) {
        const char *root = desc->roots[i];
        const size_t n = root ? strlen(root) : 0;
        if (n > 0 && strncmp(path, root, n) == 0 && path[n] == '/')
            return path + n + strspn(path + n, "/");
    }
    if (path[0] == '/') return strrchr(path, '/') + 1;
    while (strncmp(path, "./", 2) == 0 || strncmp(path, "../", 3) == 0)
        path = strchr(path, '/') + 1;
    return path;
}

/* Every text of the document that is a path. */
static c3d_json *reduce(const c3d_publish_desc *desc, const c3d_json *from)
{
    const char *text = c3d_json_string_value(from);

    if (text) {
        bool is_path = text[0] == '/' || text[0] == '.';
        for (size_t i = 0; i < C3D_COUNT(desc->roots); i++)
            is_path = is_path || (desc->roots[i] && desc->roots[i][0] &&
                                  strncmp(text, desc->roots[i], strlen(desc->roots[i])) == 0);
        return c3d_json_string(is_path ? c3d_published_path(desc, text) : text);
    }
    if (c3d_json_next_key(from, NULL)) {
        c3d_json *object = c3d_json_object();
        for (const char *key = c3d_json_next_key(from, NULL); key;
             key = c3d_json_next_key(from, key))
            c3d_json_set(object, key, reduce(desc, c3d_json_get(from, key)));
        return object;
    }
    if (c3d_json_length(from) > 0) {
        c3d_json *array = c3d_json_array();
        for (size_t i = 0; i < c3d_json_length(from); i++)
            c3d_json_append(array, reduce(desc, c3d_json_at(from, i)));
        return array;
    }
    return c3d_json_copy(from);
}

/* ---- files ----------------------------------------------------------------------------------- */

c3d_status c3d_publish_copy(const char *from, const char *to)
{
    char *bytes = NULL;
    size_t n = 0;
    c3d_status st = c3d_file_read(from, &bytes, &n);

    if (st == C3D_OK) st = c3d_file_write(to, bytes, n);
    free(bytes);
    return st;
}

static c3d_status write_files(const c3d_publish_desc *desc, const c3d_frames *frames,
                              const c3d_store *store, const c3d_dataset_info *info)
{
    char from[C3D_PATH_MAX], to[C3D_PATH_MAX];
    c3d_text card = { 0 };
    c3d_status st;

    C3D_TRY(c3d_path_join(from, desc->dir, "frames.gpkg"));
    C3D_TRY(c3d_path_join(to, desc->out, "frames.gpkg"));
    C3D_TRY(c3d_frames_publish(from, to, desc));
    C3D_TRY(c3d_path_join(from, desc->dir, "samples.csv"));
    C3D_TRY(c3d_path_join(to, desc->out, "samples.csv"));
    C3D_TRY(c3d_publish_copy(from, to));
    C3D_TRY(c3d_path_join(to, desc->out, C3D_CHECKSUMS_NAME));
    C3D_TRY(c3d_checksums_write(to, store));
    C3D_TRY(c3d_path_join(to, desc->out, "config.yaml"));
    C3D_TRY(c3d_file_write(to, desc->config, strlen(desc->config)));
    C3D_TRY(c3d_path_join(to, desc->out, "README.md"));
    st = c3d_publish_card(desc, frames, info, &card);
    if (st == C3D_OK) st = c3d_file_write(to, card.text, card.length);
    c3d_text_free(&card);
    return st;
}

/* dataset.json, last: with the hashes of the other files. */
static c3d_status write_info(const c3d_publish_desc *desc, const c3d_dataset_info *info)
{
    static const char *const names[] = { "frames.gpkg", "samples.csv", C3D_CHECKSUMS_NAME,
                                         "config.yaml" };
    c3d_json *root = reduce(desc, info->json), *files = c3d_json_object();
    char path[C3D_PATH_MAX], text[20];
    c3d_status st = C3D_OK;

    for (size_t i = 0; st == C3D_OK && i < C3D_COUNT(names); i++) {
        uint64_t hash;
        st = c3d_path_join(path, desc->out, names[i]);
        if (st == C3D_OK) st = c3d_hash_file(path, &hash, NULL);
        if (st != C3D_OK) break;
        snprintf(text, sizeof text, "%016" PRIx64, hash);
        c3d_json_set(files, names[i], c3d_json_string(text));
    }
    c3d_json_set(root, "published_by", c3d_json_string(desc->made_by));
    c3d_json_set(root, "published_files", files);
    if (st == C3D_OK) st = c3d_path_join(path, desc->out, "dataset.json");
    if (st == C3D_OK) st = c3d_json_write(path, root);
    c3d_json_free(root);
    return st;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static c3d_status check_finished(const char *dir, const c3d_store *store,
                                 const c3d_dataset_info *info)
{
    bool is_unchanged = true;

    if (store->n_shards != info->n_shards || store->n_periods != info->n_periods)
        return C3D_FAIL(C3D_EDATA,
                        "%s: %d shards, dataset.json lists %d: finish the update or the build "
                        "before",
                        dir, store->n_shards, info->n_shards);
    for (int i = 0; i < store->n_shards; i++)
        for (int row = 0; row < c3d_shard_get_shape(store->shards[i])->n_scenes; row++)
            if (store->status[i][row] == C3D_SCENE_ABSENT)
                return C3D_FAIL(C3D_EDATA, "%s: a scene is not clipped; run c3d-dataset clip",
                                c3d_shard_path(store->shards[i]));
    C3D_TRY(c3d_dataset_samples_unchanged(dir, info, &is_unchanged));
    if (is_unchanged) return C3D_OK;
    return C3D_FAIL(C3D_EDATA,
                    "%s: samples.csv is not the one dataset.json was written for; c3d-dataset "
                    "samples makes both anew",
                    dir);
}

static c3d_status check_target(const char *out)
{
    c3d_store store;
    char path[C3D_PATH_MAX];

    C3D_TRY(c3d_path_join(path, out, "dataset.json"));
    if (!c3d_path_is_dir(out)) return c3d_make_dirs(out);
    C3D_TRY(c3d_store_open(out, false, &store));
    const bool has_scenes = store.n_shards > 0;
    c3d_store_close(&store);
    if (has_scenes) return C3D_FAIL(C3D_ECONFIG, "%s: holds scenes; publish elsewhere", out);
    /* The old one goes first: it speaks of the old files. */
    if (c3d_path_exists(path) && remove(path) != 0)
        return C3D_FAIL(C3D_EIO, "%s: cannot be removed", path);
    return C3D_OK;
}

c3d_status c3d_dataset_publish(const c3d_publish_desc *desc)
{
    c3d_dataset_info info = { 0 };
    c3d_frames frames = { 0 };
    c3d_store store = { 0 };
    char path[C3D_PATH_MAX];
    c3d_status st;

    C3D_TRY(c3d_dataset_info_read(desc->dir, &info));
    C3D_TRY_TO(done, c3d_path_join(path, desc->dir, "frames.gpkg"));
    C3D_TRY_TO(done, c3d_frames_read(path, &frames));
    C3D_TRY_TO(done, c3d_store_open(desc->dir, false, &store));
    for (size_t i = 0; i < frames.n; i++)
        if (frames.rows[i].source > 0)
            C3D_TRY_TO(done, C3D_FAIL(C3D_ECONFIG,
                                      "%s: its scenes come from a list: publish that, with the "
                                      "files it names",
                                      desc->dir));
    C3D_TRY_TO(done, check_finished(desc->dir, &store, &info));
    C3D_TRY_TO(done, check_target(desc->out));
    C3D_TRY_TO(done, write_files(desc, &frames, &store, &info));
    C3D_TRY_TO(done, write_info(desc, &info));
    c3d_log_run("%s: %zu frames, %zu scenes and their checksums, without pixels", desc->out,
                frames.n, store.n_rows);
done:
    c3d_store_close(&store);
    c3d_frames_free(&frames);
    c3d_dataset_info_free(&info);
    return st;
}
