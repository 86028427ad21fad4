/* Cuts the scenes of a list out of their files: batches of scenes, each file of a batch opened
 * once and read from top to bottom. */
#include "clip.h"
#include "import.h"
#include "scene.h"
#include "sharing.h"
#include "store.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_SCENES_PER_SHARD = 2000, BATCH_MAX = 2000, ROUNDS_WANTED = 4 };
#define DEFAULT_MEMORY_BYTES ((size_t)512 << 20)

/* ---- shards ---------------------------------------------------------------------------------- */

static c3d_shard_shape shape_of(const import_scenes *scenes)
{
    return (c3d_shard_shape){ 1, scenes->n_months, scenes->n_bands, scenes->size_px,
                              scenes->dtype };
}

static c3d_status create_shards(const c3d_dataset_desc *desc, const import_scenes *scenes,
                                const int64_t *ids, size_t n, int number)
{
    const size_t step =
        desc->scenes_per_shard > 0 ? (size_t)desc->scenes_per_shard : DEFAULT_SCENES_PER_SHARD;
    const char *bands[C3D_MAX_BANDS];

    for (int i = 0; i < scenes->n_bands; i++) bands[i] = scenes->bands[i];
    for (size_t first = 0; first < n; first += step, number++) {
        c3d_shard_shape shape = shape_of(scenes);
        char name[64], path[C3D_PATH_MAX];
        shape.n_scenes = (int)(n - first < step ? n - first : step);
        (void)snprintf(name, sizeof name, "scenes-%06d-%05d.h5", scenes->months[0] / 100, number);
        C3D_TRY(c3d_path_join(path, desc->out_dir, name));
        C3D_TRY(c3d_shard_create(path, &shape, ids + first, scenes->months, bands));
    }
    return C3D_OK;
}

/* For the frames that have no place in a shard yet. */
static c3d_status make_shards(const c3d_dataset_desc *desc, const c3d_frames *frames,
                              const import_scenes *scenes)
{
    const c3d_shard_shape scene = shape_of(scenes);
    int64_t *ids = c3d_calloc(frames->n + 1, sizeof *ids);
    c3d_store store = { 0 };
    size_t n = 0;
    c3d_status st = ids ? c3d_store_open(desc->out_dir, false, &store) : C3D_ENOMEM;

    for (size_t i = 0; st == C3D_OK && i < frames->n; i++)
        if (store.n_shards == 0 || !c3d_store_find(&store, frames->rows[i].frame_id, 0))
            ids[n++] = frames->rows[i].frame_id;
    if (st == C3D_OK) st = c3d_clip_check_space(desc->out_dir, &scene, n);
    if (st == C3D_OK) st = create_shards(desc, scenes, ids, n, store.n_shards);
    c3d_store_close(&store);
    free(ids);
    return st;
}

/* ---- plan ------------------------------------------------------------------------------------ */

/* A scene to be cut, by where its first piece lies. */
typedef struct item {
    size_t scene;
    int source, x, y;
    int shard, row;
} item;

typedef struct plan {
    size_t n;
    item *items;
    size_t n_batches;
    size_t *first; /* [n_batches + 1] items */
    size_t largest;
} plan;

static int compare(int a, int b)
{
    return (a > b) - (a < b);
}

static int by_file(const void *a, const void *b)
{
    const item *x = a, *y = b;
    int order = compare(x->source, y->source);

    if (order == 0) order = compare(x->y, y->y);
    if (order == 0) order = compare(x->x, y->x);
    return order != 0 ? order : (x->scene > y->scene) - (x->scene < y->scene);
}

static c3d_status list_absent(const c3d_frames *frames, const import_scenes *scenes,
                              const c3d_store *store, plan *out)
{
    out->items = c3d_calloc(frames->n + 1, sizeof *out->items);
    out->first = c3d_calloc(frames->n + 2, sizeof *out->first);
    if (!out->items || !out->first) return C3D_ENOMEM;
    for (size_t i = 0; i < frames->n; i++) {
        const size_t scene = (size_t)frames->rows[i].frame_id;
        const c3d_store_row *row = c3d_store_find(store, frames->rows[i].frame_id, 0);
        if (frames->rows[i].frame_id < 0 || scene >= scenes->n)
            return C3D_FAIL(C3D_EDATA, "frames.gpkg: frame %lld is not in import.csv",
                            (long long)frames->rows[i].frame_id);
        C3D_ASSERT(row);
        if (c3d_store_status(store, row) != C3D_SCENE_ABSENT) continue;
        const import_piece *piece = &scenes->pieces[scenes->first[scene]];
        out->items[out->n++] =
            (item){ scene, piece->source, piece->x, piece->y, row->shard, row->row };
    }
    qsort(out->items, out->n, sizeof *out->items, by_file);
    return C3D_OK;
}

/* As many scenes as memory holds and shares allow; a batch ends with a file if it can. */
static void cut_batches(const c3d_dataset_desc *desc, const c3d_shard_shape *scene, int n_ranks,
                        plan *out)
{
    const size_t memory = desc->memory_bytes ? desc->memory_bytes : DEFAULT_MEMORY_BYTES;
    const size_t pixels = (size_t)scene->size_px * (size_t)scene->size_px;
    const size_t each = c3d_scene_bytes(scene) + (size_t)scene->n_months * pixels;
    const size_t share = out->n / (ROUNDS_WANTED * (size_t)n_ranks) + 1;
    size_t most = memory / each < BATCH_MAX ? memory / each : BATCH_MAX;

    if (most > share) most = share;
    if (most < 1) most = 1;
    for (size_t begin = 0, end; begin < out->n; begin = end) {
        end = begin + most < out->n ? begin + most : out->n;
        for (size_t cut = end; end < out->n && cut > begin + most / 2; cut--) {
            if (out->items[cut].source == out->items[cut - 1].source) continue;
            end = cut;
            break;
        }
        out->first[++out->n_batches] = end;
        if (end - begin > out->largest) out->largest = end - begin;
    }
}

/* ---- a batch --------------------------------------------------------------------------------- */

typedef struct clipper {
    const c3d_dataset_desc *desc;
    const import_scenes *scenes;
    c3d_store *store;
    plan plan;
    c3d_shard_shape scene;
    uint8_t *values, *valid; /* [plan.largest] scenes; pixels, one byte of validity each */
    uint8_t *bits;
    float *missing_share;
    void *sum, *sum_squares;
} clipper;

static size_t scene_pixels(const clipper *c)
{
    return (size_t)c->scene.size_px * (size_t)c->scene.size_px;
}

static size_t mask_bytes(const clipper *c)
{
    return (size_t)c->scene.n_months * scene_pixels(c);
}

static c3d_status make_buffers(clipper *c)
{
    const size_t n_sums = (size_t)c->scene.n_months * (size_t)c->scene.n_bands;

    c->values = c3d_aligned(c->plan.largest * c3d_scene_bytes(&c->scene) + 1);
    c->valid = c3d_aligned(c->plan.largest * mask_bytes(c) + 1);
    c->bits = c3d_calloc(1, c3d_valid_bytes(&c->scene));
    c->missing_share = c3d_calloc((size_t)c->scene.n_months, sizeof(float));
    c->sum = c3d_calloc(n_sums, 8);
    c->sum_squares = c3d_calloc(n_sums, 8);
    return c->values && c->valid && c->bits && c->missing_share && c->sum && c->sum_squares
               ? C3D_OK
               : C3D_ENOMEM;
}

static void free_buffers(clipper *c)
{
    free(c->values);
    free(c->valid);
    free(c->bits);
    free(c->missing_share);
    free(c->sum);
    free(c->sum_squares);
}

/* A piece to be read, and the scene's place in the batch. */
typedef struct reading {
    const import_piece *piece;
    size_t slot;
} reading;

static int by_place(const void *a, const void *b)
{
    const import_piece *x = ((const reading *)a)->piece, *y = ((const reading *)b)->piece;
    int order = compare(x->source, y->source);

    if (order == 0) order = compare(x->y, y->y);
    if (order == 0) order = compare(x->x, y->x);
    return order != 0 ? order : (x > y) - (x < y);
}

static c3d_status list_readings(const clipper *c, const item *items, size_t n, reading **out,
                                size_t *n_out)
{
    const size_t *first = c->scenes->first;
    reading *readings;
    size_t n_all = 0;

    for (size_t i = 0; i < n; i++) n_all += first[items[i].scene + 1] - first[items[i].scene];
    readings = c3d_calloc(n_all + 1, sizeof *readings);
    if (!readings) return C3D_ENOMEM;
    *n_out = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t p = first[items[i].scene]; p < first[items[i].scene + 1]; p++)
            readings[(*n_out)++] = (reading){ &c->scenes->pieces[p], i };
    qsort(readings, n_all, sizeof *readings, by_place);
    *out = readings;
    return C3D_OK;
}

static c3d_status read_piece(const clipper *c, c3d_raster *raster, const import_bands *bands,
                             const reading *of)
{
    const int size = c->scene.size_px;
    const c3d_window window = { of->piece->x, of->piece->y, size, size };
    const size_t month_bytes =
        (size_t)c->scene.n_bands * scene_pixels(c) * c3d_dtype_size(c->scene.dtype);
    uint8_t *values = c->values + of->slot * c3d_scene_bytes(&c->scene);
    uint8_t *valid = c->valid + of->slot * mask_bytes(c);

    for (int d = 0; d < bands->n_dates; d++) {
        const size_t month = (size_t)(of->piece->month < 0 ? d : of->piece->month);
        const int *numbers = bands->numbers + d * bands->n_bands;
        const c3d_pixels_wanted wanted = { window, numbers, bands->n_bands, c->scene.dtype, true };
        C3D_TRY(c3d_raster_read_both(raster, &wanted, values + month * month_bytes,
                                     valid + month * scene_pixels(c)));
    }
    return C3D_OK;
}

static c3d_status check_file(const clipper *c, const c3d_raster *raster, const import_bands *bands,
                             const reading *of)
{
    const c3d_raster_info *info = c3d_raster_get_info(raster);
    const int n_dates = of->piece->month < 0 ? c->scene.n_months : 1;

    if (bands->n_bands == c->scene.n_bands && bands->n_dates == n_dates &&
        info->dtype == c->scene.dtype && of->piece->x <= info->width_px - c->scene.size_px &&
        of->piece->y <= info->height_px - c->scene.size_px)
        return C3D_OK;
    return C3D_FAIL(C3D_EDATA,
                    "%s: not as it was when the list was read; import into another "
                    "directory",
                    c3d_raster_path(raster));
}

/* The readings of one file. */
static c3d_status read_file(const clipper *c, const reading *readings, size_t n)
{
    c3d_raster *raster = NULL;
    import_bands bands = { 0 };
    c3d_status st;

    C3D_TRY(c3d_raster_open(c->scenes->sources[readings[0].piece->source - 1], &raster));
    st = c3d_import_bands_of(c->desc, c3d_raster_get_info(raster), &bands);
    for (size_t i = 0; st == C3D_OK && i < n; i++) {
        st = check_file(c, raster, &bands, &readings[i]);
        if (st == C3D_OK) st = read_piece(c, raster, &bands, &readings[i]);
        c3d_phase_tick();
    }
    c3d_import_bands_free(&bands);
    c3d_raster_close(raster);
    return st;
}

static c3d_status read_batch(const clipper *c, const item *items, size_t n)
{
    reading *readings;
    size_t n_readings, length;
    c3d_status st = C3D_OK;

    memset(c->values, 0, n * c3d_scene_bytes(&c->scene));
    memset(c->valid, 0, n * mask_bytes(c)); /* months without a file are gaps */
    C3D_TRY(list_readings(c, items, n, &readings, &n_readings));
    for (size_t i = 0; st == C3D_OK && i < n_readings; i += length) {
        for (length = 1; i + length < n_readings; length++)
            if (readings[i + length].piece->source != readings[i].piece->source) break;
        st = read_file(c, readings + i, length);
    }
    free(readings);
    return st;
}

/* ---- storing --------------------------------------------------------------------------------- */

typedef struct outcome {
    c3d_scene_status status;
    uint64_t checksum;
} outcome;

static c3d_status store_scene(clipper *c, const item *of, size_t slot, outcome *out)
{
    c3d_shard *shard = c->store->shards[of->shard];
    uint8_t *values = c->values + slot * c3d_scene_bytes(&c->scene);
    uint8_t *valid = c->valid + slot * mask_bytes(c);
    const c3d_scene stored = { values, c->bits, c->missing_share, c->sum, c->sum_squares };
    size_t n_missing;

    c3d_scene_mask_not_finite(&c->scene, values, valid);
    n_missing = c3d_scene_missing(&c->scene, valid, c->missing_share);
    *out = (outcome){ .status = C3D_SCENE_DROPPED };
    if (n_missing == mask_bytes(c) ||
        (double)n_missing > c->desc->max_missing_share * (double)mask_bytes(c))
        return c3d_shard_write_missing(shard, of->row, c->missing_share);
    if (!c3d_scene_sums(&c->scene, values, valid, c->sum, c->sum_squares))
        return C3D_FAIL(C3D_EDATA,
                        "%s: frame %zu: the sum of squares of its %s pixels is beyond 64 bits; "
                        "scale them or convert them to float32",
                        c3d_shard_path(shard), of->scene, c3d_dtype_name(c->scene.dtype));
    C3D_TRY(c3d_scene_fill_gaps(&c->scene, c->desc->gaps, valid, NULL, values));
    c3d_scene_pack_valid(&c->scene, valid, c->bits);
    *out = (outcome){ C3D_SCENE_PRESENT, c3d_scene_checksum(&c->scene, &stored) };
    return c3d_shard_write(shard, of->row, &stored);
}

/* Only what is safe on the disk is marked. */
static c3d_status mark_scenes(const clipper *c, const item *items, size_t n,
                              const outcome *outcomes)
{
    for (int shard = 0; shard < c->store->n_shards; shard++) {
        bool is_touched = false;
        for (size_t i = 0; i < n && !is_touched; i++) is_touched = items[i].shard == shard;
        if (is_touched) C3D_TRY(c3d_shard_sync(c->store->shards[shard]));
    }
    for (size_t i = 0; i < n; i++)
        C3D_TRY(c3d_shard_mark(c->store->shards[items[i].shard], items[i].row, outcomes[i].status,
                               outcomes[i].checksum));
    return C3D_OK;
}

static c3d_status clip_batch(clipper *c, size_t batch)
{
    outcome *outcomes;
    c3d_status st;

    if (batch >= c->plan.n_batches) return C3D_OK;
    const item *items = c->plan.items + c->plan.first[batch];
    const size_t n = c->plan.first[batch + 1] - c->plan.first[batch];
    outcomes = c3d_calloc(n, sizeof *outcomes);
    if (!outcomes) return C3D_ENOMEM;
    st = read_batch(c, items, n);
    for (size_t i = 0; st == C3D_OK && i < n; i++) st = store_scene(c, &items[i], i, &outcomes[i]);
    if (st == C3D_OK) st = mark_scenes(c, items, n, outcomes);
    free(outcomes);
    return st;
}

/* ---- all ------------------------------------------------------------------------------------- */

/* A round is one batch on every rank; all agree after each. */
static c3d_status clip_rounds(clipper *c, const c3d_sharing *sharing)
{
    const size_t n_ranks = (size_t)c3d_sharing_n_ranks(sharing);
    c3d_progress progress;
    c3d_status st = C3D_OK;

    c3d_progress_begin(&progress, "cutting", (double)c->plan.n, "scenes");
    for (size_t first = 0; st == C3D_OK && first < c->plan.n_batches; first += n_ranks) {
        const size_t end = first + n_ranks;
        const size_t done = c->plan.first[end < c->plan.n_batches ? end : c->plan.n_batches];
        st = clip_batch(c, first + (size_t)c3d_sharing_rank(sharing));
        if (st == C3D_OK && done < c->plan.n && c3d_stop_requested())
            st =
                C3D_FAIL(C3D_ESTOPPED, "%zu of %zu scenes are imported; run the same command again",
                         done, c->plan.n);
        st = c3d_sharing_agree(sharing, st);
        if (st == C3D_OK) c3d_progress_update(&progress, (double)done);
    }
    c3d_progress_end(&progress);
    return st;
}

static c3d_status check_shape(const c3d_store *store, const c3d_shard_shape *scene)
{
    const c3d_shard_shape *is = c3d_shard_get_shape(store->shards[0]);

    if (is->n_months == scene->n_months && is->n_bands == scene->n_bands &&
        is->size_px == scene->size_px && is->dtype == scene->dtype)
        return C3D_OK;
    return C3D_FAIL(C3D_ECONFIG,
                    "%s: has scenes of another list or configuration; import into another "
                    "directory",
                    c3d_shard_path(store->shards[0]));
}

c3d_status c3d_import_clip(const c3d_dataset_desc *desc, const c3d_sharing *sharing,
                           const c3d_frames *frames, const import_scenes *scenes)
{
    clipper c = { .desc = desc, .scenes = scenes, .scene = shape_of(scenes) };
    c3d_store store = { 0 };
    c3d_status st = C3D_OK;

    if (c3d_sharing_rank(sharing) == 0) st = make_shards(desc, frames, scenes);
    C3D_TRY(c3d_sharing_agree(sharing, st));
    c.store = &store;
    st = c3d_store_open(desc->out_dir, true, &store);
    if (st == C3D_OK) st = check_shape(&store, &c.scene);
    if (st == C3D_OK) st = list_absent(frames, scenes, &store, &c.plan);
    if (st == C3D_OK) cut_batches(desc, &c.scene, c3d_sharing_n_ranks(sharing), &c.plan);
    if (st == C3D_OK) st = make_buffers(&c);
    st = c3d_sharing_agree(sharing, st); /* no rank writes before all have read what is absent */
    if (st == C3D_OK) {
        c3d_log_run("import: %zu scenes x %d months x %d bands of %d px; %zu are there, %zu to do",
                    frames->n, scenes->n_months, scenes->n_bands, scenes->size_px,
                    frames->n - c.plan.n, c.plan.n);
        st = clip_rounds(&c, sharing);
    }
    free_buffers(&c);
    free(c.plan.items);
    free(c.plan.first);
    c3d_store_close(&store);
    return st;
}
