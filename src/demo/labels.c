/* What the yearly map says: classes of pixels, votes of label pixels, and the map's own limits (a
 * mine's first year, about one hectare at least). */
#include "demo/scene.h"

#include "c3d/demo.h"
#include "c3d/raster.h"

#include <stdlib.h>
#include <string.h>

#define N_CODES         9
#define MINE_PIXELS_MIN 11 /* about one hectare */

static const uint8_t code_of[N_CODES] = { DEMO_CODE_FOREST,     DEMO_CODE_PASTURE,
                                          DEMO_CODE_SAND,       DEMO_CODE_URBAN,
                                          DEMO_CODE_MINING,     DEMO_CODE_AQUACULTURE,
                                          DEMO_CODE_WATER,      DEMO_CODE_SOY,
                                          DEMO_CODE_OTHER_CROPS };

/* ---- pixels ---------------------------------------------------------------------------------- */

/* Months of the year in which the river covers each height of bed. */
static float flooded_share(uint64_t seed, int year, float bed)
{
    int n = 0;
    const int january = (year - 2020) * 12 - 8;
    for (int m = january; m < january + 12; m++) n += demo_river_level(seed, m) > bed;
    return (float)n / 12.0f;
}

static uint8_t land_code(const demo_layers *layers, size_t i, int year, int n_months)
{
    const uint32_t word = layers->word[i];
    switch ((demo_use)layers->use[i]) {
    case DEMO_PASTURE:
    case DEMO_ROAD_BED: return DEMO_CODE_PASTURE;
    case DEMO_FIELD: return demo_parcel_n_bare(word) > 3 ? DEMO_CODE_SOY : DEMO_CODE_OTHER_CROPS;
    case DEMO_CLEARING:
        return demo_clearing_month(word, n_months) < (year - 2020) * 12 - 2 ? DEMO_CODE_PASTURE
                                                                            : DEMO_CODE_FOREST;
    case DEMO_FISH_POND: return DEMO_CODE_AQUACULTURE;
    case DEMO_TOWN_LOT:
    case DEMO_STREET: return DEMO_CODE_URBAN;
    case DEMO_FOREST: break;
    }
    return DEMO_CODE_FOREST;
}

void demo_classify(const demo_scene *scene, const demo_layers *layers, int year, uint8_t *codes)
{
    float share[32]; /* by height of the bed, in steps of 1/31 */
    for (int k = 0; k < 32; k++) share[k] = flooded_share(scene->seed, year, (float)k / 31.0f);
    for (size_t i = 0; i < demo_window_pixels(layers->window); i++) {
        codes[i] = land_code(layers, i, year, scene->n_months);
        if (layers->bed[i] < 1.05f) {
            const int k = (int)(demo_clamp(layers->bed[i], 0.0f, 1.0f) * 31.0f);
            const bool is_sand = share[k] < 0.5f && layers->sand[i] > 0.5f;
            codes[i] = is_sand ? DEMO_CODE_SAND : DEMO_CODE_WATER;
        }
    }
    for (int k = 0; k < scene->n_sites; k++)
        demo_site_classify(&scene->sites[k], layers, year, codes);
}

/* ---- the grid of the map --------------------------------------------------------------------- */

#define PLANET_PIXELS 8388608.0 /* around the equator: 256 x 2^15 */

double demo_longitude(double pixel_x)
{
    return pixel_x / PLANET_PIXELS * 360.0 - 180.0;
}

double demo_latitude(double pixel_y)
{
    return atan(sinh(DEMO_PI * (1.0 - 2.0 * pixel_y / PLANET_PIXELS))) * 180.0 / DEMO_PI;
}

static int64_t label_column(double pixel_x)
{
    return (int64_t)floor((demo_longitude(pixel_x) + 180.0) / C3D_DEMO_LABEL_DEGREES);
}

static int64_t label_row(double pixel_y)
{
    return (int64_t)floor((90.0 - demo_latitude(pixel_y)) / C3D_DEMO_LABEL_DEGREES);
}

c3d_status demo_map_open(demo_map *map, demo_grid grid, int extent_px)
{
    const double from = -DEMO_LABEL_MARGIN_PX, to = extent_px + DEMO_LABEL_MARGIN_PX;
    *map = (demo_map){ .grid = grid };
    map->column = label_column((double)grid.x + from) + 1;
    map->row = label_row((double)grid.y + from) + 1;
    map->width = (int)(label_column((double)grid.x + to) - map->column);
    map->height = (int)(label_row((double)grid.y + to) - map->row);
    map->votes = c3d_calloc((size_t)map->width * (size_t)map->height, DEMO_LABEL_YEARS * N_CODES);
    return map->votes == NULL ? c3d_error_last()->status : C3D_OK;
}

void demo_map_close(demo_map *map)
{
    free(map->votes);
    *map = (demo_map){ 0 };
}

static size_t code_index(uint8_t code)
{
    size_t k = 0;
    while (k < N_CODES && code_of[k] != code) k++;
    C3D_ASSERT(k < N_CODES);
    return k;
}

void demo_map_add(demo_map *map, demo_window window, int year, const uint8_t *codes)
{
    const size_t plane = (size_t)map->width * (size_t)map->height * N_CODES;
    uint8_t *votes = map->votes + (size_t)(year - DEMO_FIRST_LABEL_YEAR) * plane;
    for (int y = 0; y < window.height; y++) {
        const int64_t row = label_row((double)(map->grid.y + window.y + y) + 0.5) - map->row;
        if (row < 0 || row >= map->height) continue;
        for (int x = 0; x < window.width; x++) {
            const int64_t column =
                label_column((double)(map->grid.x + window.x + x) + 0.5) - map->column;
            if (column < 0 || column >= map->width) continue;
            const uint8_t code = codes[(size_t)y * (size_t)window.width + (size_t)x];
            const size_t at = (size_t)row * (size_t)map->width + (size_t)column;
            votes[at * N_CODES + code_index(code)]++;
        }
    }
}

/* Pixels of the connected mine that holds `at`, taken out of `codes` into `stack`. */
static size_t mine_take(uint8_t *codes, int width, int height, size_t at, size_t *stack)
{
    size_t n = 0;
    stack[n++] = at;
    codes[at] = 0;
    for (size_t k = 0; k < n; k++) {
        const int x = (int)(stack[k] % (size_t)width), y = (int)(stack[k] / (size_t)width);
        for (int side = 0; side < 4; side++) {
            const int nx = x + (side == 0) - (side == 1), ny = y + (side == 2) - (side == 3);
            if (nx < 0 || ny < 0 || nx >= width || ny >= height) continue;
            const size_t next = (size_t)ny * (size_t)width + (size_t)nx;
            if (codes[next] != DEMO_CODE_MINING) continue;
            codes[next] = 0;
            stack[n++] = next;
        }
    }
    return n;
}

/* stack: room for every pixel. Zeros mark what has been looked at. */
static void small_mines_remove(uint8_t *codes, int width, int height, size_t *stack)
{
    const size_t n_pixels = (size_t)width * (size_t)height;
    uint8_t *kept = (uint8_t *)(stack + n_pixels);
    memset(kept, 0, n_pixels);
    for (size_t i = 0; i < n_pixels; i++) {
        if (codes[i] != DEMO_CODE_MINING) continue;
        const size_t n = mine_take(codes, width, height, i, stack);
        for (size_t k = 0; k < n; k++) kept[stack[k]] = n >= MINE_PIXELS_MIN ? 1 : 0;
    }
    for (size_t i = 0; i < n_pixels; i++)
        if (codes[i] == 0) codes[i] = kept[i] ? DEMO_CODE_MINING : DEMO_CODE_FOREST;
}

c3d_status demo_map_resolve(const demo_map *map, int year, uint8_t *codes)
{
    const size_t n_pixels = (size_t)map->width * (size_t)map->height;
    const uint8_t *votes = map->votes + (size_t)(year - DEMO_FIRST_LABEL_YEAR) * n_pixels * N_CODES;
    size_t *stack = c3d_calloc(n_pixels, sizeof(*stack) + 1);
    if (stack == NULL) return c3d_error_last()->status;
    for (size_t i = 0; i < n_pixels; i++) {
        size_t best = 0;
        for (size_t k = 1; k < N_CODES; k++)
            if (votes[i * N_CODES + k] > votes[i * N_CODES + best]) best = k;
        codes[i] = code_of[best];
    }
    small_mines_remove(codes, map->width, map->height, stack);
    free(stack);
    return C3D_OK;
}

static c3d_status year_write(const demo_map *map, int year, const char *directory, uint8_t *codes)
{
    const double pixel = C3D_DEMO_LABEL_DEGREES;
    const c3d_raster_new raster = {
        .width_px = map->width,
        .height_px = map->height,
        .n_bands = 1,
        .dtype = C3D_U8,
        .transform = { -180.0 + (double)map->column * pixel, pixel, 0.0,
                       90.0 - (double)map->row * pixel, 0.0, -pixel },
        .crs = "EPSG:4326",
        .block_px = 256,
        .compression = "LZW",
    };
    char name[64], path[C3D_PATH_MAX];
    snprintf(name, sizeof(name), "brasil_coverage_%d.tif", year);
    C3D_TRY(c3d_path_join(path, directory, name));
    C3D_TRY(demo_map_resolve(map, year, codes));
    return c3d_raster_write(path, &raster, codes);
}

c3d_status demo_map_write(const demo_map *map, const char *directory)
{
    c3d_status st = C3D_OK;
    uint8_t *codes = c3d_calloc((size_t)map->width * (size_t)map->height, 1);
    if (codes == NULL) return c3d_error_last()->status;
    for (int k = 0; k < DEMO_LABEL_YEARS && st == C3D_OK; k++)
        st = year_write(map, DEMO_FIRST_LABEL_YEAR + k, directory, codes);
    free(codes);
    return st;
}
