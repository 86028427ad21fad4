#include "c3d/data.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "dataset.json"

/* ---- writing --------------------------------------------------------------------------------- */

static c3d_json *names_to_json(char *const *names, int n)
{
    c3d_json *array = c3d_json_array();

    for (int i = 0; i < n; i++) c3d_json_append(array, c3d_json_string(names[i]));
    return array;
}

static c3d_json *period_to_json(const c3d_period *period)
{
    c3d_json *object = c3d_json_object();
    c3d_json *months = c3d_json_array();
    char text[12];

    for (int i = 0; i < period->n_months; i++)
        c3d_json_append(months, c3d_json_string(c3d_date_text(period->months[i], text)));
    c3d_json_set(object, "first", c3d_json_string(c3d_date_text(period->first, text)));
    c3d_json_set(object, "months", months);
    return object;
}

static c3d_json *shard_to_json(const c3d_shard_info *shard)
{
    c3d_json *object = c3d_json_object();

    c3d_json_set(object, "file", c3d_json_string(shard->file));
    c3d_json_set(object, "period", c3d_json_int(shard->period));
    c3d_json_set(object, "n_scenes", c3d_json_int(shard->n_scenes));
    return object;
}

c3d_json *c3d_dataset_info_to_json(const c3d_dataset_info *info)
{
    c3d_json *root = c3d_json_object();
    c3d_json *periods = c3d_json_array(), *shards = c3d_json_array(), *pixel = c3d_json_array();
    char hash[17];

    for (int i = 0; i < info->n_periods; i++)
        c3d_json_append(periods, period_to_json(&info->periods[i]));
    for (int i = 0; i < info->n_shards; i++)
        c3d_json_append(shards, shard_to_json(&info->shards[i]));
    for (int i = 0; i < 2; i++) c3d_json_append(pixel, c3d_json_real(info->pixel_m[i]));
    snprintf(hash, sizeof hash, "%016" PRIx64, info->hash);
    c3d_json_set(root, "format", c3d_json_string("c3d-dataset"));
    c3d_json_set(root, "schema", c3d_json_int(C3D_DATASET_SCHEMA));
    c3d_json_set(root, "hash", c3d_json_string(hash));
    c3d_json_set(root, "frame_size_px", c3d_json_int(info->frame_size_px));
    c3d_json_set(root, "dtype", c3d_json_string(c3d_dtype_name(info->dtype)));
    c3d_json_set(root, "bands", names_to_json(info->bands, info->n_bands));
    c3d_json_set(root, "classes", names_to_json(info->classes, info->n_classes));
    c3d_json_set(root, "pixel_m", pixel);
    c3d_json_set(root, "crs_wkt", c3d_json_string(info->crs_wkt ? info->crs_wkt : ""));
    c3d_json_set(root, "periods", periods);
    c3d_json_set(root, "shards", shards);
    return root;
}

c3d_status c3d_dataset_info_write(const char *dir, const c3d_dataset_info *info)
{
    char path[C3D_PATH_MAX];

    C3D_TRY(c3d_path_join(path, dir, FILE_NAME));
    c3d_json *root = c3d_dataset_info_to_json(info);
    const c3d_status st = c3d_json_write(path, root);
    c3d_json_free(root);
    return st;
}

/* ---- reading --------------------------------------------------------------------------------- */

typedef struct reader {
    const char *path;
    const c3d_json *root;
} reader;

static c3d_status bad_key(const reader *from, const char *key, const char *expected)
{
    return C3D_FAIL(C3D_EDATA, "%s: %s: expected %s", from->path, key, expected);
}

static c3d_status get_count(const reader *from, const c3d_json *object, const char *key, int *out)
{
    long long value;

    if (!c3d_json_get_int(object, key, &value) || value < 0 || value > INT_MAX)
        return bad_key(from, key, "a count");
    *out = (int)value;
    return C3D_OK;
}

static c3d_status get_names(const reader *from, const char *key, char ***names_out, int *n_out)
{
    const c3d_json *array = c3d_json_get(from->root, key);
    const size_t n = c3d_json_length(array);
    char **names = c3d_calloc(n ? n : 1, sizeof *names);

    if (!names) return C3D_ENOMEM;
    *names_out = names;
    for (size_t i = 0; i < n; i++) {
        const char *name = c3d_json_string_value(c3d_json_at(array, i));
        if (!name) return bad_key(from, key, "a list of names");
        names[i] = c3d_strdup(name);
        *n_out = (int)i + 1;
    }
    return n > 0 ? C3D_OK : bad_key(from, key, "a list of names");
}

static c3d_status get_period(const reader *from, const c3d_json *object, c3d_period *out)
{
    const c3d_json *months = c3d_json_get(object, "months");
    const size_t n = c3d_json_length(months);
    const char *first;

    if (n == 0) return bad_key(from, "periods", "a list of months");
    out->months = c3d_calloc(n, sizeof *out->months);
    if (!out->months) return C3D_ENOMEM;
    if (!c3d_json_get_string(object, "first", &first) || !c3d_date_parse(first, &out->first))
        return bad_key(from, "periods.first", "YYYY-MM or YYYY-MM-DD");
    out->n_months = (int)n;
    for (size_t i = 0; i < n; i++) {
        const char *text = c3d_json_string_value(c3d_json_at(months, i));
        if (!text || !c3d_date_parse(text, &out->months[i]))
            return bad_key(from, "periods.months", "YYYY-MM or YYYY-MM-DD");
        if (i > 0 && out->months[i] <= out->months[i - 1])
            return bad_key(from, "periods.months", "ascending months");
    }
    return C3D_OK;
}

static c3d_status get_periods(const reader *from, c3d_dataset_info *info)
{
    const c3d_json *array = c3d_json_get(from->root, "periods");
    const size_t n = c3d_json_length(array);

    if (n == 0) return bad_key(from, "periods", "a list of periods");
    info->periods = c3d_calloc(n, sizeof *info->periods);
    if (!info->periods) return C3D_ENOMEM;
    info->n_periods = (int)n;
    for (size_t i = 0; i < n; i++)
        C3D_TRY(get_period(from, c3d_json_at(array, i), &info->periods[i]));
    return C3D_OK;
}

static c3d_status get_shard(const reader *from, const c3d_json *object, int n_periods,
                            c3d_shard_info *out)
{
    const char *file;

    if (!c3d_json_get_string(object, "file", &file) || strlen(file) >= sizeof out->file ||
        strchr(file, '/') || file[0] == '\0')
        return bad_key(from, "shards.file", "a file name in the directory");
    snprintf(out->file, sizeof out->file, "%s", file);
    C3D_TRY(get_count(from, object, "period", &out->period));
    C3D_TRY(get_count(from, object, "n_scenes", &out->n_scenes));
    if (out->period >= n_periods) return bad_key(from, "shards.period", "one of the periods");
    return C3D_OK;
}

static c3d_status get_shards(const reader *from, c3d_dataset_info *info)
{
    const c3d_json *array = c3d_json_get(from->root, "shards");
    const size_t n = c3d_json_length(array);

    if (n == 0) return bad_key(from, "shards", "a list of shards");
    info->shards = c3d_calloc(n, sizeof *info->shards);
    if (!info->shards) return C3D_ENOMEM;
    info->n_shards = (int)n;
    for (size_t i = 0; i < n; i++)
        C3D_TRY(get_shard(from, c3d_json_at(array, i), info->n_periods, &info->shards[i]));
    return C3D_OK;
}

static c3d_status get_hash(const reader *from, uint64_t *out)
{
    const char *text;
    char *end;

    if (!c3d_json_get_string(from->root, "hash", &text) || strlen(text) != 16 ||
        strspn(text, "0123456789abcdef") != 16)
        return bad_key(from, "hash", "16 hexadecimal digits");
    *out = strtoull(text, &end, 16);
    return C3D_OK;
}

static c3d_status get_all(const reader *from, c3d_dataset_info *info)
{
    const c3d_json *pixel = c3d_json_get(from->root, "pixel_m");
    const char *dtype, *crs;

    C3D_TRY(get_count(from, from->root, "schema", &info->schema));
    if (info->schema < 1 || info->schema > C3D_DATASET_SCHEMA)
        return C3D_FAIL(C3D_EDATA, "%s: schema %d, this program knows 1 to %d", from->path,
                        info->schema, C3D_DATASET_SCHEMA);
    C3D_TRY(get_hash(from, &info->hash));
    C3D_TRY(get_count(from, from->root, "frame_size_px", &info->frame_size_px));
    if (!c3d_json_get_string(from->root, "dtype", &dtype) ||
        !c3d_dtype_from_name(dtype, &info->dtype))
        return bad_key(from, "dtype", "a type such as uint16");
    C3D_TRY(get_names(from, "bands", &info->bands, &info->n_bands));
    C3D_TRY(get_names(from, "classes", &info->classes, &info->n_classes));
    for (size_t i = 0; i < 2; i++)
        if (!c3d_json_real_value(c3d_json_at(pixel, i), &info->pixel_m[i]))
            return bad_key(from, "pixel_m", "two numbers");
    if (!c3d_json_get_string(from->root, "crs_wkt", &crs)) return bad_key(from, "crs_wkt", "text");
    info->crs_wkt = c3d_strdup(crs);
    C3D_TRY(get_periods(from, info));
    return get_shards(from, info);
}

c3d_status c3d_dataset_info_read(const char *dir, c3d_dataset_info *out)
{
    char path[C3D_PATH_MAX];
    c3d_dataset_info info = { 0 };

    C3D_TRY(c3d_path_join(path, dir, FILE_NAME));
    if (!c3d_path_exists(path))
        return C3D_FAIL(C3D_EIO, "%s: no " FILE_NAME "; was c3d-dataset build finished?", dir);
    C3D_TRY(c3d_json_read(path, &info.json));
    const reader from = { path, info.json };
    const c3d_status st = get_all(&from, &info);
    if (st == C3D_OK)
        *out = info;
    else
        c3d_dataset_info_free(&info);
    return st;
}

const char *c3d_dataset_class_name(const c3d_dataset_info *info, int label, char out[24])
{
    if (label < info->n_classes) return info->classes[label];
    (void)snprintf(out, 24, "class %d", label);
    return out;
}

void c3d_dataset_info_free(c3d_dataset_info *info)
{
    for (int i = 0; i < info->n_bands; i++) free(info->bands[i]);
    for (int i = 0; i < info->n_classes; i++) free(info->classes[i]);
    for (int i = 0; info->periods && i < info->n_periods; i++) free(info->periods[i].months);
    free(info->bands);
    free(info->classes);
    free(info->periods);
    free(info->shards);
    free(info->crs_wkt);
    c3d_json_free(info->json);
    *info = (c3d_dataset_info){ 0 };
}

c3d_status c3d_dataset_samples_unchanged(const char *dir, const c3d_dataset_info *info, bool *out)
{
    char path[C3D_PATH_MAX], now[20];
    const char *written;
    uint64_t hash;

    C3D_TRY(c3d_path_join(path, dir, "samples.csv"));
    C3D_TRY(c3d_hash_file(path, &hash, NULL));
    snprintf(now, sizeof now, "%016" PRIx64, hash);
    *out = !c3d_json_get_string(info->json, "samples_hash", &written) || !strcmp(written, now);
    return C3D_OK;
}
