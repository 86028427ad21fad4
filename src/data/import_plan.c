/* import.csv and import.json: which piece of which file is which month of which frame. */
#include "import.h"
#include "store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CSV_NAME    "import.csv"
#define JSON_NAME   "import.json"
#define PLAN_SCHEMA 1

/* ---- writing --------------------------------------------------------------------------------- */

static void put_row(FILE *stream, const import_list *list, const import_scenes *scenes,
                    const import_piece *piece)
{
    const import_row *row = &list->rows[piece->row];
    char date[12] = "";

    if (row->date > 0) (void)c3d_date_text(row->date, date);
    (void)fprintf(stream, "%zu,%d,%d,%d,%d,%zu,%s,", piece->scene, piece->source, piece->x,
                  piece->y, piece->month, row->line, date);
    c3d_csv_put(stream, row->label);
    (void)putc(',', stream);
    c3d_csv_put(stream, scenes->sources[piece->source - 1]);
    (void)putc('\n', stream);
}

static c3d_status write_csv(const char *path, const import_list *list, const import_scenes *scenes)
{
    FILE *stream;

    C3D_TRY(c3d_file_open_new(path, &stream));
    (void)fputs("frame_id,source,x,y,month,line,date,label,path\n", stream);
    for (size_t i = 0; i < scenes->n_pieces; i++) put_row(stream, list, scenes, &scenes->pieces[i]);
    return c3d_file_commit(path, stream);
}

/* What the pixels of the scenes depend on. */
static uint64_t hash_places(const import_scenes *scenes)
{
    c3d_text text = { 0 };
    uint64_t hash;

    for (int k = 0; k < scenes->n_sources; k++) {
        struct stat file;
        const bool is_there = stat(scenes->sources[k], &file) == 0;
        c3d_text_add(&text, "%s %lld\n", scenes->sources[k],
                     is_there ? (long long)file.st_size : -1LL);
    }
    for (size_t i = 0; i < scenes->n_pieces; i++) {
        const import_piece *p = &scenes->pieces[i];
        c3d_text_add(&text, "%zu %d %d %d %d\n", p->scene, p->source, p->x, p->y, p->month);
    }
    hash = c3d_hash(text.text, text.length);
    c3d_text_free(&text);
    return hash;
}

static c3d_json *to_json(const c3d_dataset_desc *desc, const import_scenes *scenes)
{
    c3d_json *root = c3d_json_object(), *months = c3d_json_array(), *bands = c3d_json_array();
    char hash[20];

    for (int i = 0; i < scenes->n_months; i++)
        c3d_json_append(months, c3d_json_int(scenes->months[i]));
    for (int i = 0; i < scenes->n_bands; i++)
        c3d_json_append(bands, c3d_json_string(scenes->bands[i]));
    (void)snprintf(hash, sizeof hash, "%016" PRIx64, hash_places(scenes));
    c3d_json_set(root, "schema", c3d_json_int(PLAN_SCHEMA));
    c3d_json_set(root, "n_frames", c3d_json_int((long long)scenes->n));
    c3d_json_set(root, "n_sources", c3d_json_int(scenes->n_sources));
    c3d_json_set(root, "frame_size_px", c3d_json_int(scenes->size_px));
    c3d_json_set(root, "dtype", c3d_json_string(c3d_dtype_name(scenes->dtype)));
    c3d_json_set(root, "months", months);
    c3d_json_set(root, "bands", bands);
    c3d_json_set(root, "places", c3d_json_string(hash));
    c3d_json_set(root, "gaps", c3d_json_string(c3d_gaps_name(desc->gaps)));
    c3d_json_set(root, "max_missing_share", c3d_json_real(desc->max_missing_share));
    return root;
}

/* Scenes that are there may only be gone on with from the same places in the same way. */
static c3d_status compare_json(const char *path, const c3d_json *old, const c3d_json *now)
{
    for (const char *key = c3d_json_next_key(now, NULL); key; key = c3d_json_next_key(now, key)) {
        const c3d_json *value = c3d_json_get(old, key);
        char *was = value ? c3d_json_text(value, false) : c3d_strdup("nothing");
        char *is = c3d_json_text(c3d_json_get(now, key), false);
        c3d_status st = C3D_OK;
        if (strcmp(was, is) != 0)
            st = C3D_FAIL(C3D_ECONFIG,
                          "%s: scenes were imported with %s %.100s, now it is %.100s; import into "
                          "another directory",
                          path, key, was, is);
        free(was);
        free(is);
        if (st != C3D_OK) return st;
    }
    return C3D_OK;
}

static c3d_status keep_json(const char *dir, const c3d_json *now)
{
    char path[C3D_PATH_MAX];
    c3d_store store = { 0 };
    c3d_json *old = NULL;
    c3d_status st;

    C3D_TRY(c3d_path_join(path, dir, JSON_NAME));
    C3D_TRY(c3d_store_open(dir, false, &store));
    const bool has_scenes = store.n_shards > 0;
    c3d_store_close(&store);
    if (!has_scenes) return c3d_json_write(path, now);
    st = c3d_json_read(path, &old);
    if (st == C3D_OK) st = compare_json(path, old, now);
    c3d_json_free(old);
    return st;
}

c3d_status c3d_import_plan_write(const c3d_dataset_desc *desc, const import_list *list,
                                 const import_scenes *scenes)
{
    char path[C3D_PATH_MAX];
    c3d_json *root = to_json(desc, scenes);
    c3d_status st = keep_json(desc->out_dir, root);

    c3d_json_free(root);
    if (st == C3D_OK) st = c3d_path_join(path, desc->out_dir, CSV_NAME);
    return st == C3D_OK ? write_csv(path, list, scenes) : st;
}

c3d_status c3d_import_plan_check(const c3d_dataset_desc *desc, const import_plan *plan)
{
    c3d_json *now = to_json(desc, &plan->scenes);
    char path[C3D_PATH_MAX];
    c3d_status st = c3d_path_join(path, desc->out_dir, JSON_NAME);

    if (st == C3D_OK) st = compare_json(path, plan->json, now);
    c3d_json_free(now);
    return st;
}

/* ---- reading --------------------------------------------------------------------------------- */

static c3d_status wrong(const char *path)
{
    return C3D_FAIL(C3D_EDATA,
                    "%s: not as c3d-dataset import wrote it; import into another "
                    "directory",
                    path);
}

static c3d_status from_json(const char *path, const c3d_json *root, import_scenes *out)
{
    const c3d_json *months = c3d_json_get(root, "months"), *bands = c3d_json_get(root, "bands");
    long long n_frames, n_sources, size_px, number;
    const char *dtype;

    if (!c3d_json_get_int(root, "n_frames", &n_frames) || n_frames < 1 ||
        !c3d_json_get_int(root, "n_sources", &n_sources) || n_sources < 1 ||
        n_sources > INT32_MAX || !c3d_json_get_int(root, "frame_size_px", &size_px) ||
        size_px < 1 || size_px > 65536 || !c3d_json_get_string(root, "dtype", &dtype) ||
        !c3d_dtype_from_name(dtype, &out->dtype) || c3d_json_length(months) < 1 ||
        c3d_json_length(bands) < 1 || c3d_json_length(bands) > C3D_MAX_BANDS)
        return wrong(path);
    out->n = (size_t)n_frames;
    out->n_sources = (int)n_sources;
    out->size_px = (int)size_px;
    out->n_months = (int)c3d_json_length(months);
    out->n_bands = (int)c3d_json_length(bands);
    out->months = c3d_calloc((size_t)out->n_months, sizeof *out->months);
    out->bands = c3d_calloc((size_t)out->n_bands, sizeof *out->bands);
    out->sources = c3d_calloc((size_t)n_sources, sizeof *out->sources);
    if (!out->months || !out->bands || !out->sources) return C3D_ENOMEM;
    for (int i = 0; i < out->n_months; i++) {
        if (!c3d_json_int_value(c3d_json_at(months, (size_t)i), &number)) return wrong(path);
        out->months[i] = (c3d_date)number;
    }
    for (int i = 0; i < out->n_bands; i++) {
        const char *name = c3d_json_string_value(c3d_json_at(bands, (size_t)i));
        if (!name) return wrong(path);
        (void)snprintf(out->bands[i], sizeof out->bands[i], "%s", name);
    }
    return C3D_OK;
}

static c3d_status read_piece(const c3d_csv *csv, size_t i, import_scenes *scenes)
{
    long long v[5];

    for (int c = 0; c < 5; c++) C3D_TRY(c3d_csv_int(csv, i, c, &v[c]));
    if (v[0] < 0 || (size_t)v[0] >= scenes->n || v[1] < 1 || v[1] > scenes->n_sources || v[2] < 0 ||
        v[2] > INT32_MAX || v[3] < 0 || v[3] > INT32_MAX || v[4] < -1 || v[4] >= scenes->n_months)
        return wrong(csv->path);
    scenes->pieces[i] = (import_piece){
        .scene = (size_t)v[0],
        .row = i,
        .source = (int)v[1],
        .x = (int)v[2],
        .y = (int)v[3],
        .month = (int)v[4],
    };
    scenes->first[v[0] + 1]++;
    if (i > 0 && scenes->pieces[i].scene < scenes->pieces[i - 1].scene) return wrong(csv->path);
    scenes->sources[v[1] - 1] = c3d_csv_field(csv, i, 8);
    return C3D_OK;
}

static c3d_status read_csv(const char *path, import_plan *plan)
{
    import_scenes *scenes = &plan->scenes;

    C3D_TRY(c3d_csv_read(path, &plan->csv));
    if (plan->csv.n_columns != 9) return wrong(path);
    scenes->n_pieces = plan->csv.n_rows;
    scenes->pieces = c3d_calloc(scenes->n_pieces + 1, sizeof *scenes->pieces);
    scenes->first = c3d_calloc(scenes->n + 1, sizeof *scenes->first);
    if (!scenes->pieces || !scenes->first) return C3D_ENOMEM;
    for (size_t i = 0; i < scenes->n_pieces; i++) C3D_TRY(read_piece(&plan->csv, i, scenes));
    for (size_t s = 0; s < scenes->n; s++) scenes->first[s + 1] += scenes->first[s];
    for (int k = 0; k < scenes->n_sources; k++)
        if (scenes->sources[k] == NULL) return wrong(path);
    return C3D_OK;
}

c3d_status c3d_import_plan_read(const char *dir, import_plan *out)
{
    import_plan plan = { 0 };
    char path[C3D_PATH_MAX];
    c3d_status st;

    C3D_TRY(c3d_path_join(path, dir, JSON_NAME));
    C3D_TRY(c3d_json_read(path, &plan.json));
    st = from_json(path, plan.json, &plan.scenes);
    if (st == C3D_OK) st = c3d_path_join(path, dir, CSV_NAME);
    if (st == C3D_OK) st = read_csv(path, &plan);
    if (st == C3D_OK)
        *out = plan;
    else
        c3d_import_plan_free(&plan);
    return st;
}

void c3d_import_plan_free(import_plan *plan)
{
    c3d_import_scenes_free(&plan->scenes);
    c3d_csv_free(&plan->csv);
    c3d_json_free(plan->json);
    plan->json = NULL;
}
