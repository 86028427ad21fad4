/* The folder: which files there are, where they lie on Planet's grid, how far the work has come. */
#include "c3d/demo.h"
#include "c3d/raster.h"
#include "demo/scene.h"

#include <stdlib.h>
#include <string.h>

#define PLANET_PIXELS 8388608 /* around the equator: 256 x 2^15 */
#define PLANET_HALF_M 20037508.342789244
#define ORIGIN_X      2877440 /* near 56.5 W, 6.5 S, where the Tapajos is; multiples of 1024 */
#define ORIGIN_Y      4345856
#define N_MONTHS      45
#define SCHEMA        1

static const char *const kind_names[C3D_DEMO_KINDS] = { "landscape", "time_only", "one_frame" };
static const char *const size_names[C3D_DEMO_SIZES] = { "small", "medium", "large", "tiny" };

typedef struct layout {
    int quad_px, n_side; /* quads in a row and in a column */
} layout;
static const layout landscape_layouts[C3D_DEMO_SIZES] = {
    { 256, 3 }, { 512, 3 }, { 512, 9 }, { 128, 2 }
};
static const layout pattern_layouts[C3D_DEMO_SIZES] = {
    { 256, 2 }, { 512, 2 }, { 1024, 2 }, { 128, 2 }
};

const char *c3d_demo_kind_name(c3d_demo_kind kind)
{
    return kind_names[kind];
}
const char *c3d_demo_size_name(c3d_demo_size size)
{
    return size_names[size];
}

static int name_index(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0) return i;
    return -1;
}

bool c3d_demo_kind_parse(const char *name, c3d_demo_kind *out)
{
    const int i = name_index(kind_names, C3D_DEMO_KINDS, name);
    if (i >= 0) *out = (c3d_demo_kind)i;
    return i >= 0;
}

bool c3d_demo_size_parse(const char *name, c3d_demo_size *out)
{
    const int i = name_index(size_names, C3D_DEMO_SIZES, name);
    if (i >= 0) *out = (c3d_demo_size)i;
    return i >= 0;
}

/* ---- the work -------------------------------------------------------------------------------- */

typedef struct archive {
    const c3d_demo_desc *desc;
    layout layout;
    int n_months;
    int rank, n_ranks;
    bool is_complete;
    demo_scene scene; /* empty for test sets */
    float *ground;    /* [band, y, x] of one quad */
    uint16_t *values;
} archive;

static bool is_landscape(const archive *a)
{
    return a->desc->kind == C3D_DEMO_LANDSCAPE;
}
static int n_quads(const archive *a)
{
    return a->layout.n_side * a->layout.n_side;
}
static int extent_px(const archive *a)
{
    return a->layout.n_side * a->layout.quad_px;
}

/* Two months of the rainy season are missing from a landscape, as one does with clouds. */
static bool month_is_missing(const archive *a, int month)
{
    if (!is_landscape(a)) return false;
    const int first = (int)demo_draw(a->desc->seed, DEMO_GAP, 0, 0, 3);
    const int second = (int)demo_draw(a->desc->seed, DEMO_GAP, 1, 0, 3);
    return month == 5 + first || month == 29 + second;
}

static bool quad_is_missing(const archive *a, int quad, int month)
{
    const uint64_t stream = demo_stream_of(DEMO_QUAD, month);
    if (!is_landscape(a)) return false;
    return c3d_random_unit(a->desc->seed, stream, (uint64_t)quad) < 0.012;
}

static c3d_status quad_path(const archive *a, int quad, int month, char out[C3D_PATH_MAX])
{
    const int size = a->layout.quad_px, n_side = a->layout.n_side;
    const int column = ORIGIN_X / size + quad % n_side;
    const int row = (PLANET_PIXELS - ORIGIN_Y) / size - 1 - quad / n_side; /* from the south */
    char name[128];
    snprintf(name, sizeof(name), "planet_medres_normalized_analytic_%d-%02d_mosaic/%d-%d_quad.tif",
             demo_year(month), demo_month_of_year(month) + 1, column, row);
    return c3d_path_join(out, a->desc->directory, name);
}

static c3d_status quad_write(const archive *a, const char *path, demo_window window)
{
    static const char *const names[DEMO_BANDS] = { "blue", "green", "red", "nir" };
    const double pixel = C3D_DEMO_PIXEL_M;
    const c3d_raster_new raster = {
        .width_px = window.width,
        .height_px = window.height,
        .n_bands = DEMO_BANDS,
        .dtype = C3D_U16,
        .transform = { -PLANET_HALF_M + (ORIGIN_X + window.x) * pixel, pixel, 0.0,
                       PLANET_HALF_M - (ORIGIN_Y + window.y) * pixel, 0.0, -pixel },
        .crs = "EPSG:3857",
        .band_names = names,
        .has_nodata = true,
        .nodata = 0.0,
        .block_px = 256,
    };
    char folder[C3D_PATH_MAX];
    memcpy(folder, path, strlen(path) + 1);
    *strrchr(folder, '/') = '\0';
    C3D_TRY(c3d_make_dirs(folder));
    return c3d_raster_write(path, &raster, a->values);
}

static demo_window quad_window(const archive *a, int quad)
{
    const int size = a->layout.quad_px;
    return (demo_window){ quad % a->layout.n_side * size, quad / a->layout.n_side * size, size,
                          size };
}

/* The layers of a quad are made when the first of its months is missing. */
static c3d_status quad_month(const archive *a, demo_layers *layers, int quad, int month)
{
    const demo_window window = quad_window(a, quad);
    const uint64_t seed = a->desc->seed;
    char path[C3D_PATH_MAX];
    if (month_is_missing(a, month) || quad_is_missing(a, quad, month)) return C3D_OK;
    C3D_TRY(quad_path(a, quad, month, path));
    if (c3d_path_exists(path)) return C3D_OK; /* files come into place whole */
    if (is_landscape(a)) {
        if (layers->bed == NULL) C3D_TRY(demo_layers_open(layers, &a->scene, window));
        demo_render(&a->scene, layers, month, a->ground);
        C3D_TRY(demo_observe(seed, month, window, a->ground, a->values));
    } else {
        const bool time_only = a->desc->kind == C3D_DEMO_TIME_ONLY;
        C3D_TRY(demo_pattern_render(seed, time_only, month, window, a->ground));
        demo_sense(seed, month, window, a->ground, a->values);
    }
    return quad_write(a, path, window);
}

/* n_before: quads that all ranks together have done. */
static c3d_status quad_make(archive *a, int quad, int n_before, c3d_progress *progress)
{
    const double total = (double)n_quads(a) * a->n_months;
    demo_layers layers = { 0 };
    c3d_status st = C3D_OK;
    for (int month = 0; month < a->n_months && st == C3D_OK; month++) {
        const double done =
            (double)n_before * a->n_months + (double)(month + 1) * (double)a->n_ranks;
        if (c3d_stop_requested())
            st = C3D_FAIL(C3D_ESTOPPED, "%s: %d of %d quads done", a->desc->directory, n_before,
                          n_quads(a));
        else
            st = quad_month(a, &layers, quad, month);
        c3d_progress_update(progress, done < total ? done : total);
    }
    demo_layers_close(&layers);
    return st;
}

/* ---- labels ---------------------------------------------------------------------------------- */

static c3d_status tile_classify(const archive *a, demo_map *map, demo_window window, uint8_t *codes)
{
    demo_layers layers = { 0 };
    if (is_landscape(a)) C3D_TRY(demo_layers_open(&layers, &a->scene, window));
    for (int k = 0; k < DEMO_LABEL_YEARS; k++) {
        const int year = DEMO_FIRST_LABEL_YEAR + k;
        if (is_landscape(a))
            demo_classify(&a->scene, &layers, year, codes);
        else
            for (size_t i = 0; i < demo_window_pixels(window); i++) {
                const int x = window.x + (int)(i % (size_t)window.width);
                const int y = window.y + (int)(i / (size_t)window.width);
                codes[i] = demo_pattern_is_positive(a->desc->seed, x, y) ? DEMO_CODE_MINING
                                                                         : DEMO_CODE_FOREST;
            }
        demo_map_add(map, window, year, codes);
    }
    demo_layers_close(&layers);
    return C3D_OK;
}

static c3d_status labels_make(const archive *a)
{
    const int margin = DEMO_LABEL_MARGIN_PX, size = a->layout.quad_px;
    const int end = extent_px(a) + margin;
    char folder[C3D_PATH_MAX];
    c3d_status st;
    demo_map map = { 0 };
    uint8_t *codes = c3d_calloc((size_t)size * (size_t)size, 1);
    if (codes == NULL) return c3d_error_last()->status;
    C3D_TRY_TO(end, demo_map_open(&map, (demo_grid){ ORIGIN_X, ORIGIN_Y }, extent_px(a)));
    for (int y = -margin; y < end; y += size) {
        for (int x = -margin; x < end; x += size) {
            const demo_window window = { x, y, end - x < size ? end - x : size,
                                         end - y < size ? end - y : size };
            C3D_TRY_TO(end, tile_classify(a, &map, window, codes));
        }
    }
    C3D_TRY_TO(end, c3d_path_join(folder, a->desc->directory, "mapbiomas"));
    C3D_TRY_TO(end, c3d_make_dirs(folder));
    C3D_TRY_TO(end, demo_map_write(&map, folder));
end:
    demo_map_close(&map);
    free(codes);
    return st;
}

/* ---- demo.json ------------------------------------------------------------------------------- */

static c3d_status state_write(const archive *a)
{
    char path[C3D_PATH_MAX], seed[32];
    C3D_TRY(c3d_path_join(path, a->desc->directory, "demo.json"));
    snprintf(seed, sizeof(seed), "%llu", (unsigned long long)a->desc->seed);
    c3d_json *json = c3d_json_object();
    c3d_json_set(json, "schema", c3d_json_int(SCHEMA));
    c3d_json_set(json, "kind", c3d_json_string(c3d_demo_kind_name(a->desc->kind)));
    c3d_json_set(json, "size", c3d_json_string(c3d_demo_size_name(a->desc->size)));
    c3d_json_set(json, "seed", c3d_json_string(seed)); /* 64 bits are more than JSON's integers */
    c3d_json_set(json, "quads", c3d_json_int(n_quads(a)));
    c3d_json_set(json, "complete", c3d_json_bool(a->is_complete));
    c3d_json_set(json, "about",
                 c3d_json_string("Drawn by c3d-dataset demo: not imagery of any place, and not by "
                                 "Planet or MapBiomas. Public domain (CC0 1.0)."));
    const c3d_status st = c3d_json_write(path, json);
    c3d_json_free(json);
    return st;
}

/* Refuses a folder with another archive; else takes over how far this one has come. */
static c3d_status state_check(archive *a, const char *path, const c3d_json *json)
{
    const char *kind = "?", *size = "?", *seed = "?";
    char asked[32];
    long long schema = 0, n_found = 0;
    (void)(c3d_json_get_string(json, "kind", &kind) && c3d_json_get_string(json, "size", &size) &&
           c3d_json_get_string(json, "seed", &seed));
    snprintf(asked, sizeof(asked), "%llu", (unsigned long long)a->desc->seed);
    if (!c3d_json_get_int(json, "schema", &schema) || schema != SCHEMA ||
        strcmp(kind, c3d_demo_kind_name(a->desc->kind)) != 0 ||
        strcmp(size, c3d_demo_size_name(a->desc->size)) != 0 || strcmp(seed, asked) != 0)
        return C3D_FAIL(C3D_EDATA,
                        "%s: an archive of kind %s, size %s, seed %s, asked for %s, %s, %s; give "
                        "another directory or remove this one",
                        path, kind, size, seed, c3d_demo_kind_name(a->desc->kind),
                        c3d_demo_size_name(a->desc->size), asked);
    if (!c3d_json_get_int(json, "quads", &n_found) ||
        !c3d_json_get_bool(json, "complete", &a->is_complete))
        return C3D_FAIL(C3D_EDATA, "%s: quads or complete is missing", path);
    if (n_found != n_quads(a)) /* size large was another one in earlier versions */
        return C3D_FAIL(C3D_EDATA,
                        "%s: an archive of %lld quads, of another version, this one draws %d; give "
                        "another directory or remove it",
                        path, n_found, n_quads(a));
    return C3D_OK;
}

static c3d_status state_read(archive *a)
{
    char path[C3D_PATH_MAX];
    c3d_json *json;
    C3D_TRY(c3d_path_join(path, a->desc->directory, "demo.json"));
    if (!c3d_path_exists(path)) return C3D_OK;
    C3D_TRY(c3d_json_read(path, &json));
    const c3d_status st = state_check(a, path, json);
    c3d_json_free(json);
    return st;
}

/* ---- ranks ----------------------------------------------------------------------------------- */

static c3d_status agree(const archive *a, c3d_status status)
{
    const c3d_sharing *sharing = a->desc->sharing;
    return sharing != NULL && sharing->agree != NULL ? sharing->agree(sharing->context, status)
                                                     : status;
}

/* In rounds of one quad a rank, so that a rank that stops or fails takes the others along soon. */
static c3d_status quads_make(archive *a)
{
    c3d_status st = C3D_OK;
    c3d_progress progress;
    c3d_progress_begin(&progress, "drawing the archive", (double)n_quads(a) * a->n_months, "files");
    for (int first = 0; first < n_quads(a) && st == C3D_OK; first += a->n_ranks) {
        const int quad = first + a->rank;
        if (quad < n_quads(a)) st = quad_make(a, quad, first, &progress);
        st = agree(a, st);
    }
    c3d_progress_end(&progress);
    return st;
}

static c3d_status draw(archive *a)
{
    const size_t n = (size_t)a->layout.quad_px * (size_t)a->layout.quad_px * DEMO_BANDS;
    c3d_status st = C3D_OK;
    a->ground = c3d_calloc(n, sizeof(*a->ground));
    a->values = c3d_calloc(n, sizeof(*a->values));
    if (a->ground == NULL || a->values == NULL) st = C3D_ENOMEM;
    if (st == C3D_OK && is_landscape(a))
        st = demo_scene_open(&a->scene, a->desc->seed, extent_px(a), a->n_months);
    C3D_TRY(agree(a, st));
    C3D_TRY(quads_make(a));
    return agree(a, a->rank == 0 ? labels_make(a) : C3D_OK);
}

/* The directory and demo.json, by rank 0, before the others look at it. */
static c3d_status prepare(archive *a)
{
    C3D_TRY(c3d_make_dirs(a->desc->directory));
    C3D_TRY(state_read(a));
    return a->is_complete ? C3D_OK : state_write(a);
}

static c3d_status finish(archive *a)
{
    a->is_complete = true;
    return state_write(a);
}

c3d_status c3d_demo_make(const c3d_demo_desc *desc)
{
    archive a = { .desc = desc, .n_ranks = 1 };
    c3d_status st;
    if (desc->sharing != NULL && desc->sharing->n_ranks > 0) {
        a.rank = desc->sharing->rank;
        a.n_ranks = desc->sharing->n_ranks;
    }
    a.layout = is_landscape(&a) ? landscape_layouts[desc->size] : pattern_layouts[desc->size];
    a.n_months = is_landscape(&a) ? N_MONTHS : DEMO_TURN_MONTHS;
    C3D_TRY(agree(&a, a.rank == 0 ? prepare(&a) : C3D_OK));
    C3D_TRY(agree(&a, a.rank == 0 ? C3D_OK : state_read(&a)));
    if (a.is_complete) {
        c3d_log_run("%s: complete already", desc->directory);
        return C3D_OK;
    }
    st = draw(&a);
    demo_scene_close(&a.scene);
    free(a.ground);
    free(a.values);
    C3D_TRY(st);
    return agree(&a, a.rank == 0 ? finish(&a) : C3D_OK);
}
