/* The artificial archive: names and places, sameness, labels, and that time tells what a month does
 * not. All archives are tiny and lie in a folder of their own. */
#include "support/cm.h"

#include "c3d/demo.h"
#include "c3d/raster.h"
#include "demo/scene.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HALF_M   20037508.342789244
#define CELL_PX  16
#define EXTENT   256
#define N_CELLS  (EXTENT / CELL_PX)
#define N_MONTHS 16

/* ---- files ----------------------------------------------------------------------------------- */

static c3d_status make(const char *directory, c3d_demo_kind kind, uint64_t seed)
{
    const c3d_demo_desc desc = {
        .directory = directory, .kind = kind, .size = C3D_DEMO_TINY, .seed = seed
    };
    return c3d_demo_make(&desc);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

typedef void (*file_visit)(const char *path, void *context);

/* Every file below a folder, by name; returns their number. */
static int walk(const char *directory, file_visit visit, void *context)
{
    struct dirent **entries;
    const int n = scandir(directory, &entries, is_visible, alphasort);
    int n_files = 0;
    assert_true(n >= 0);
    for (int i = 0; i < n; i++) {
        char path[C3D_PATH_MAX];
        assert_int_equal(c3d_path_join(path, directory, entries[i]->d_name), C3D_OK);
        if (c3d_path_is_dir(path)) {
            n_files += walk(path, visit, context);
        } else {
            if (visit != NULL) visit(path, context);
            n_files++;
        }
        free(entries[i]);
    }
    free(entries);
    return n_files;
}

static void add_hash(const char *path, void *context)
{
    uint64_t hash, n_bytes;
    assert_int_equal(c3d_hash_file(path, &hash, &n_bytes), C3D_OK);
    const char *name = strchr(path, '/'); /* without the archive's own folder */
    c3d_hasher_add(context, name, strlen(name));
    c3d_hasher_add(context, &hash, sizeof(hash));
}

static uint64_t hash_of(const char *directory)
{
    c3d_hasher *hasher = c3d_hasher_create();
    assert_non_null(hasher);
    walk(directory, add_hash, hasher);
    const uint64_t hash = c3d_hasher_value(hasher);
    c3d_hasher_destroy(hasher);
    return hash;
}

static void the_same_seed_gives_the_same_bytes(void **state)
{
    (void)state;
    assert_int_equal(make("again", C3D_DEMO_LANDSCAPE, 7), C3D_OK);
    const uint64_t hash = hash_of("a");
    assert_true(hash_of("again") == hash);
    assert_int_equal(make("a", C3D_DEMO_LANDSCAPE, 7), C3D_OK); /* complete: nothing happens */
    assert_true(hash_of("a") == hash);
    assert_int_equal(make("other", C3D_DEMO_ONE_FRAME, 8), C3D_OK);
    assert_true(hash_of("other") != hash_of("frame"));
}

static uint64_t landscape_hash(uint64_t seed, int month)
{
    const demo_window window = { 96, 96, 64, 64 };
    static float ground[DEMO_BANDS * 64 * 64];
    demo_scene scene;
    demo_layers layers;
    assert_int_equal(demo_scene_open(&scene, seed, EXTENT, 45), C3D_OK);
    assert_int_equal(demo_layers_open(&layers, &scene, window), C3D_OK);
    demo_render(&scene, &layers, month, ground);
    demo_layers_close(&layers);
    demo_scene_close(&scene);
    return c3d_hash(ground, sizeof(ground));
}

static void another_seed_or_month_gives_another_landscape(void **state)
{
    (void)state;
    assert_true(landscape_hash(7, 3) == landscape_hash(7, 3));
    assert_true(landscape_hash(7, 3) != landscape_hash(8, 3));
    assert_true(landscape_hash(7, 3) != landscape_hash(7, 4));
}

static void another_archive_is_not_written_over(void **state)
{
    (void)state;
    assert_int_equal(make("a", C3D_DEMO_LANDSCAPE, 8), C3D_EDATA);
    assert_non_null(strstr(c3d_error_last()->message, "seed 7"));
    assert_int_equal(make("a", C3D_DEMO_TIME_ONLY, 7), C3D_EDATA);
}

static void remove_second_half(const char *path, void *context)
{
    int column, row;
    const char *name = strrchr(path, '/') + 1;
    const int *first_row = context;
    if (strstr(path, "mapbiomas") != NULL ||
        (sscanf(name, "%d-%d_quad.tif", &column, &row) == 2 && row < *first_row))
        assert_int_equal(unlink(path), 0);
}

static void lowest_row(const char *path, void *context)
{
    int column, row, *highest = context;
    if (sscanf(strrchr(path, '/') + 1, "%d-%d_quad.tif", &column, &row) == 2 && row > *highest)
        *highest = row;
}

/* Half of the quads are there, as after a kill between two of them. */
static void an_unfinished_archive_is_continued(void **state)
{
    c3d_json *json;
    int first_row = 0;
    (void)state;
    const uint64_t hash = hash_of("again");
    walk("again", lowest_row, &first_row);
    walk("again", remove_second_half, &first_row);
    assert_int_equal(c3d_json_read("again/demo.json", &json), C3D_OK);
    c3d_json_set(json, "complete", c3d_json_bool(false));
    assert_int_equal(c3d_json_write("again/demo.json", json), C3D_OK);
    c3d_json_free(json);
    assert_true(hash_of("again") != hash);
    assert_int_equal(make("again", C3D_DEMO_LANDSCAPE, 7), C3D_OK);
    assert_true(hash_of("again") == hash);
}

static void a_stop_ends_it_and_it_goes_on_later(void **state)
{
    int how;
    (void)state;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        c3d_stop_request();
        _exit(make("stopped", C3D_DEMO_ONE_FRAME, 7) == C3D_ESTOPPED ? 75 : 1);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 75);
    assert_int_equal(make("stopped", C3D_DEMO_ONE_FRAME, 7), C3D_OK);
    assert_true(hash_of("stopped") == hash_of("frame"));
}

/* ---- names and places ------------------------------------------------------------------------ */

typedef struct census {
    int n_quads, n_others;
    bool months[N_MONTHS * 4]; /* from September 2020 */
} census;

static void check_quad(const char *path, void *context)
{
    census *seen = context;
    int year, month, column, row;
    c3d_raster *raster;
    const char *folder = strchr(path, '/') + 1;
    const int n_read =
        sscanf(folder, "planet_medres_normalized_analytic_%4d-%2d_mosaic/%d-%d_quad.tif", &year,
               &month, &column, &row);
    if (n_read != 4) {
        seen->n_others++;
        return;
    }
    seen->n_quads++;
    assert_in_range((year - 2020) * 12 + month - 9, 0, 44);
    seen->months[(year - 2020) * 12 + month - 9] = true;

    assert_int_equal(c3d_raster_open(path, &raster), C3D_OK);
    const c3d_raster_info *info = c3d_raster_get_info(raster);
    static const char *const names[] = { "blue", "green", "red", "nir" };
    assert_int_equal(info->n_bands, 4);
    for (int b = 0; b < 4; b++) assert_string_equal(info->band_names[b], names[b]);
    assert_int_equal(info->dtype, C3D_U16);
    assert_true(info->has_nodata[0] && fabs(info->nodata[0]) < 0.5);
    assert_true(c3d_crs_metre(info->crs_wkt) > 0.0);
    /* the name says the place, on the grid of 2^23 pixels around the equator */
    assert_true(fabs(info->transform[1] - C3D_DEMO_PIXEL_M) < 1e-12);
    const double x = (info->transform[0] + HALF_M) / C3D_DEMO_PIXEL_M;
    const double south = (info->transform[3] + HALF_M) / C3D_DEMO_PIXEL_M - info->height_px;
    assert_true(fabs(x - (double)column * info->width_px) < 1e-3);
    assert_true(fabs(south - (double)row * info->height_px) < 1e-3);
    c3d_raster_close(raster);
}

static void quads_are_named_and_placed_as_planets(void **state)
{
    census seen = { 0 };
    int n_months = 0;
    (void)state;
    walk("a", check_quad, &seen);
    for (int m = 0; m < 45; m++) n_months += seen.months[m];
    assert_int_equal(n_months, 43); /* of 45, two are missing, neither at an end */
    assert_true(seen.months[0] && seen.months[44]);
    assert_true(seen.n_quads <= 4 * 43 && seen.n_quads > 4 * 43 * 9 / 10);
    assert_int_equal(seen.n_others, 5); /* four label rasters and demo.json */
}

/* ---- labels ---------------------------------------------------------------------------------- */

static size_t mine_pixels(const char *directory, int year, double bounds[4])
{
    static const uint8_t known[] = { 3, 15, 23, 24, 30, 31, 33, 39, 41 };
    const int band = 1;
    char path[C3D_PATH_MAX];
    c3d_raster *raster;
    size_t n_mine = 0;
    (void)snprintf(path, sizeof(path), "%s/mapbiomas/brasil_coverage_%d.tif", directory, year);
    assert_int_equal(c3d_raster_open(path, &raster), C3D_OK);
    const c3d_raster_info *info = c3d_raster_get_info(raster);
    const c3d_window all = { 0, 0, info->width_px, info->height_px };
    const size_t n = (size_t)all.width * (size_t)all.height;
    uint8_t *codes = malloc(n);
    assert_non_null(codes);
    assert_int_equal(info->n_bands, 1);
    assert_int_equal(info->dtype, C3D_U8);
    assert_false(info->has_nodata[0]);
    assert_true(fabs(info->transform[1] - C3D_DEMO_LABEL_DEGREES) < 1e-15);
    assert_int_equal(c3d_raster_read(raster, all, &band, 1, C3D_U8, codes), C3D_OK);
    for (size_t i = 0; i < n; i++) {
        assert_non_null(memchr(known, codes[i], sizeof(known)));
        n_mine += codes[i] == 30;
    }
    bounds[0] = info->transform[0];
    bounds[1] = info->transform[3] + all.height * info->transform[5];
    bounds[2] = info->transform[0] + all.width * info->transform[1];
    bounds[3] = info->transform[3];
    free(codes);
    c3d_raster_close(raster);
    return n_mine;
}

static void the_labels_cover_the_images_and_have_mines(void **state)
{
    double bounds[4];
    size_t n_mine[4];
    (void)state;
    for (int k = 0; k < 4; k++) n_mine[k] = mine_pixels("a", 2020 + k, bounds);
    /* the extent's corners, from its quads' names: column and row of 128 px, rows from the south */
    const double west = demo_longitude(2877440), east = demo_longitude(2877440 + EXTENT);
    const double north = demo_latitude(4345856), south = demo_latitude(4345856 + EXTENT);
    assert_true(bounds[0] < west && bounds[1] < south && bounds[2] > east && bounds[3] > north);
    assert_true(west > -57 && east < -56 && south > -7 && north < -6);
    assert_true(n_mine[2] + n_mine[3] >= 100);
    char path[] = "a/mapbiomas/brasil_coverage_2024.tif";
    assert_false(c3d_path_exists(path)); /* not yet published in May 2024 */
}

static size_t count_code(const uint8_t *codes, size_t n, uint8_t code)
{
    size_t n_found = 0;
    for (size_t i = 0; i < n; i++) n_found += codes[i] == code;
    return n_found;
}

/* Of a mine of 20 px (about 10 label pixels) and one of 40 px (about 40), the map keeps one. */
static void mines_below_a_hectare_are_not_mapped(void **state)
{
    const demo_window all = { 0, 0, EXTENT, EXTENT };
    uint8_t *codes = malloc(EXTENT * EXTENT), *mapped;
    demo_map map;
    (void)state;
    assert_non_null(codes);
    for (int side = 20; side <= 40; side += 20) {
        memset(codes, DEMO_CODE_FOREST, EXTENT * EXTENT);
        for (int p = 0; p < side * side; p++)
            codes[(100 + p / side) * EXTENT + 100 + p % side] = DEMO_CODE_MINING;
        assert_int_equal(demo_map_open(&map, (demo_grid){ 2877440, 4345856 }, EXTENT), C3D_OK);
        const size_t n = (size_t)map.width * (size_t)map.height;
        mapped = malloc(n);
        assert_non_null(mapped);
        demo_map_add(&map, all, 2021, codes);
        assert_int_equal(demo_map_resolve(&map, 2021, mapped), C3D_OK);
        if (side == 20)
            assert_int_equal(count_code(mapped, n, DEMO_CODE_MINING), 0);
        else
            assert_in_range(count_code(mapped, n, DEMO_CODE_MINING), 30, 50);
        assert_int_equal(demo_map_resolve(&map, 2022, mapped), C3D_OK); /* another year's votes */
        assert_int_equal(count_code(mapped, n, DEMO_CODE_MINING), 0);
        demo_map_close(&map);
        free(mapped);
    }
    free(codes);
}

/* Frames of 32 px with a fifth of mine in the last year, and the squares of 128 px they lie in. */
static void the_small_landscape_has_mines_everywhere(void **state)
{
    const int extent = 768;
    const demo_window all = { 0, 0, extent, extent };
    uint8_t *codes = malloc((size_t)extent * (size_t)extent);
    demo_scene scene;
    demo_layers layers;
    (void)state;
    assert_non_null(codes);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        int n_frames = 0, n_squares = 0;
        bool has[36] = { 0 };
        assert_int_equal(demo_scene_open(&scene, seed, extent, 45), C3D_OK);
        assert_int_equal(demo_layers_open(&layers, &scene, all), C3D_OK);
        demo_classify(&scene, &layers, 2023, codes);
        for (int f = 0; f < 24 * 24; f++) {
            int n = 0;
            for (int p = 0; p < 32 * 32; p++)
                n += codes[(f / 24 * 32 + p / 32) * extent + f % 24 * 32 + p % 32] == 30;
            n_frames += n >= 205;
            has[f / 24 / 4 * 6 + f % 24 / 4] |= n >= 205;
        }
        for (int s = 0; s < 36; s++) n_squares += has[s];
        assert_true(n_frames >= 50);
        assert_true(n_squares >= 15);
        demo_layers_close(&layers);
        demo_scene_close(&scene);
    }
    free(codes);
}

/* ---- pixels ---------------------------------------------------------------------------------- */

/* A pixel does not depend on the window it is drawn in. */
static void windows_fit_together(void **state)
{
    const demo_window left = { 64, 64, 96, 64 }, right = { 128, 32, 96, 96 };
    static float ground[2][DEMO_BANDS * 96 * 96];
    static uint16_t values[2][DEMO_BANDS * 96 * 96];
    demo_scene scene;
    demo_layers layers;
    (void)state;
    assert_int_equal(demo_scene_open(&scene, 3, EXTENT, 45), C3D_OK);
    for (int k = 0; k < 2; k++) {
        const demo_window window = k == 0 ? left : right;
        assert_int_equal(demo_layers_open(&layers, &scene, window), C3D_OK);
        demo_render(&scene, &layers, 17, ground[k]);
        assert_int_equal(demo_observe(3, 17, window, ground[k], values[k]), C3D_OK);
        demo_layers_close(&layers);
    }
    for (int b = 0; b < DEMO_BANDS; b++) {
        for (int y = 64; y < 128; y++) {
            for (int x = 128; x < 160; x++) {
                const int i = (b * 64 + y - 64) * 96 + x - 64, j = (b * 96 + y - 32) * 96 + x - 128;
                assert_int_equal(values[0][i], values[1][j]);
            }
        }
    }
    demo_scene_close(&scene);
}

static float greenness(const demo_scene *scene, const demo_pit *pit, int month)
{
    const demo_window window = { (int)pit->x - 3, (int)pit->y - 3, 7, 7 };
    float ground[DEMO_BANDS * 49], sum = 0.0f;
    demo_layers layers;
    assert_int_equal(demo_layers_open(&layers, scene, window), C3D_OK);
    demo_render(scene, &layers, month, ground);
    demo_layers_close(&layers);
    for (int i = 0; i < 49; i++)
        sum +=
            (ground[3 * 49 + i] - ground[2 * 49 + i]) / (ground[3 * 49 + i] + ground[2 * 49 + i]);
    return sum / 49.0f;
}

/* A mine stays bare through the year, its double is bare and green within one. */
static void mines_and_plots_differ_over_the_year(void **state)
{
    demo_scene scene;
    int n_mines = 0, n_plots = 0;
    (void)state;
    assert_int_equal(demo_scene_open(&scene, 1, 768, 45), C3D_OK);
    for (int k = 0; k < scene.n_sites; k++) {
        const demo_site *site = &scene.sites[k];
        const demo_pit *pit = &site->pits[site->n_pits - 1]; /* nothing is dug over it */
        const int first = site->is_mine ? (int)ceilf(pit->start) + 1 : 12;
        float low = 1.0f, high = -1.0f;
        if (first < 0 || first > 32) continue;
        for (int m = first; m < first + 12; m++) {
            const float green = greenness(&scene, pit, m);
            low = fminf(low, green);
            high = fmaxf(high, green);
        }
        assert_true(low < 0.3f);
        if (site->is_mine)
            assert_true(high < 0.45f);
        else
            assert_true(high > 0.6f);
        n_mines += site->is_mine;
        n_plots += !site->is_mine;
    }
    assert_true(n_mines >= 5 && n_plots >= 3);
    demo_scene_close(&scene);
}

/* ---- test sets ------------------------------------------------------------------------------- */

/* Near infrared of a whole test set as the files have it, [month, y, x]. */
static float *read_nir(const char *directory)
{
    float *nir = malloc(sizeof(*nir) * N_MONTHS * EXTENT * EXTENT);
    const int band = 4;
    assert_non_null(nir);
    for (int m = 0; m < N_MONTHS; m++) {
        for (int q = 0; q < 4; q++) {
            char path[C3D_PATH_MAX];
            c3d_raster *raster;
            float part[128 * 128];
            (void)snprintf(path, sizeof(path),
                           "%s/planet_medres_normalized_analytic_%d-%02d_mosaic/%d-%d_quad.tif",
                           directory, demo_year(m), demo_month_of_year(m) + 1, 22480 + q % 2,
                           31583 - q / 2);
            assert_int_equal(c3d_raster_open(path, &raster), C3D_OK);
            assert_int_equal(
                c3d_raster_read(raster, (c3d_window){ 0, 0, 128, 128 }, &band, 1, C3D_F32, part),
                C3D_OK);
            c3d_raster_close(raster);
            for (int y = 0; y < 128; y++)
                memcpy(&nir[(m * EXTENT + q / 2 * 128 + y) * EXTENT + q % 2 * 128], &part[y * 128],
                       128 * sizeof(float));
        }
    }
    return nir;
}

typedef struct cell {
    bool is_positive;
    double mean, deviation, change; /* of month 5; mean absolute step from 5 to 6 */
    double all, spread;             /* of all months: mean, deviation in time */
} cell;

static void measure(const float *nir, uint64_t seed, cell cells[N_CELLS * N_CELLS])
{
    for (int c = 0; c < N_CELLS * N_CELLS; c++) {
        const int x0 = c % N_CELLS * CELL_PX, y0 = c / N_CELLS * CELL_PX;
        double sum = 0, squares = 0, change = 0, all = 0, spread = 0;
        for (int p = 0; p < CELL_PX * CELL_PX; p++) {
            const int i = (y0 + p / CELL_PX) * EXTENT + x0 + p % CELL_PX;
            const double now = (double)nir[5 * EXTENT * EXTENT + i];
            sum += now;
            squares += now * now;
            change += fabs((double)nir[6 * EXTENT * EXTENT + i] - now);
            double in_time = 0, squares_in_time = 0;
            for (int m = 0; m < N_MONTHS; m++) {
                const double then = (double)nir[m * EXTENT * EXTENT + i];
                in_time += then / N_MONTHS;
                squares_in_time += then * then / N_MONTHS;
            }
            all += in_time;
            spread += sqrt(squares_in_time - in_time * in_time);
        }
        const double n = CELL_PX * CELL_PX, mean = sum / n;
        cells[c] = (cell){ demo_pattern_is_positive(seed, x0, y0),
                           mean,
                           sqrt(squares / n - mean * mean),
                           change / n,
                           all / n,
                           spread / n };
    }
}

static double value_of(const cell *c, int what)
{
    const double values[] = { c->mean, c->deviation, c->change, c->all, c->spread };
    return values[what];
}

/* Area under the ROC curve of one measure: the share of pairs in which the positive is larger. */
static double auc(const cell *cells, int what)
{
    double n_pairs = 0, n_larger = 0;
    for (int i = 0; i < N_CELLS * N_CELLS; i++) {
        for (int j = 0; j < N_CELLS * N_CELLS; j++) {
            if (!cells[i].is_positive || cells[j].is_positive) continue;
            n_pairs++;
            n_larger += value_of(&cells[i], what) > value_of(&cells[j], what) ? 1 : 0;
        }
    }
    assert_true(n_pairs > 0);
    return n_larger / n_pairs;
}

/* Every square shows every phase once; each month of either class shows any of them. */
static void phases_of_both_classes_are_the_same(void **state)
{
    int n_squares[2] = { 0, 0 }, n_seen[2][16] = { { 0 } };
    (void)state;
    for (int square = 0; square < 64 * 64; square++) {
        const int x = square % 64 * 64, y = square / 64 * 64;
        const bool is_positive = demo_pattern_is_positive(7, x, y);
        unsigned seen = 0;
        for (int m = 0; m < N_MONTHS; m++) {
            const int now = demo_pattern_phase(7, x, y, m),
                      step = demo_pattern_phase(7, x, y, m + 1);
            seen |= 1U << now;
            if (is_positive)
                assert_int_equal((step - now + 16) % 16, 1);
            else
                assert_in_range((step - now + 16) % 16, 5, 11);
        }
        assert_int_equal(seen, 0xffff);
        n_squares[is_positive]++;
        n_seen[is_positive][demo_pattern_phase(7, x + 63, y + 63, 11)]++;
    }
    assert_int_equal(n_squares[0], n_squares[1]);
    for (int phase = 0; phase < 16; phase++) { /* 128 each, deviation 11 */
        assert_in_range(n_seen[0][phase], 70, 190);
        assert_in_range(n_seen[1][phase], 70, 190);
    }
}

static void time_only_shows_in_time_only(void **state)
{
    cell cells[N_CELLS * N_CELLS];
    (void)state;
    float *nir = read_nir("time");
    measure(nir, 7, cells);
    free(nir);
    assert_true(fabs(auc(cells, 0) - 0.5) < 0.1);
    assert_true(fabs(auc(cells, 1) - 0.5) < 0.1);
    assert_true(auc(cells, 2) < 0.01);            /* positives change little by little */
    assert_true(fabs(auc(cells, 3) - 0.5) < 0.1); /* whatever their order */
    assert_true(fabs(auc(cells, 4) - 0.5) < 0.1);
}

static void one_frame_suffices_in_the_other(void **state)
{
    cell cells[N_CELLS * N_CELLS];
    (void)state;
    float *nir = read_nir("frame");
    measure(nir, 7, cells);
    free(nir);
    assert_true(auc(cells, 0) < 0.01); /* soil and water are darker than forest and grass */
}

static void names_are_read_back(void **state)
{
    c3d_demo_kind kind;
    c3d_demo_size size;
    (void)state;
    for (int k = 0; k < C3D_DEMO_KINDS; k++) {
        assert_true(c3d_demo_kind_parse(c3d_demo_kind_name((c3d_demo_kind)k), &kind));
        assert_int_equal(kind, k);
    }
    for (int k = 0; k < C3D_DEMO_SIZES; k++) {
        assert_true(c3d_demo_size_parse(c3d_demo_size_name((c3d_demo_size)k), &size));
        assert_int_equal(size, k);
    }
    assert_false(c3d_demo_kind_parse("landscapes", &kind));
    assert_false(c3d_demo_size_parse("", &size));
}

static int archives_open(void **state)
{
    static char folder[] = "demo-XXXXXX";
    *state = folder;
    c3d_raster_start();
    c3d_progress_set_mode(C3D_PROGRESS_NEVER, 10);
    if (mkdtemp(folder) == NULL || chdir(folder) != 0) return -1;
    return make("a", C3D_DEMO_LANDSCAPE, 7) == C3D_OK &&
                   make("time", C3D_DEMO_TIME_ONLY, 7) == C3D_OK &&
                   make("frame", C3D_DEMO_ONE_FRAME, 7) == C3D_OK
               ? 0
               : -1;
}

static void file_remove(const char *path, void *context)
{
    (void)context;
    (void)unlink(path);
}

static void folders_remove(const char *directory)
{
    struct dirent **entries;
    const int n = scandir(directory, &entries, is_visible, alphasort);
    for (int i = 0; i < n; i++) {
        char path[C3D_PATH_MAX];
        if (c3d_path_join(path, directory, entries[i]->d_name) == C3D_OK) folders_remove(path);
        free(entries[i]);
    }
    if (n >= 0) free(entries);
    (void)rmdir(directory);
}

static int archives_close(void **state)
{
    const char *folder = *state;
    if (chdir("..") != 0) return -1;
    walk(folder, file_remove, NULL);
    folders_remove(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read_back),
        cmocka_unit_test(quads_are_named_and_placed_as_planets),
        cmocka_unit_test(the_labels_cover_the_images_and_have_mines),
        cmocka_unit_test(mines_below_a_hectare_are_not_mapped),
        cmocka_unit_test(the_small_landscape_has_mines_everywhere),
        cmocka_unit_test(windows_fit_together),
        cmocka_unit_test(mines_and_plots_differ_over_the_year),
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
        cmocka_unit_test(another_seed_or_month_gives_another_landscape),
        cmocka_unit_test(another_archive_is_not_written_over),
        cmocka_unit_test(an_unfinished_archive_is_continued),
        cmocka_unit_test(a_stop_ends_it_and_it_goes_on_later),
        cmocka_unit_test(phases_of_both_classes_are_the_same),
        cmocka_unit_test(time_only_shows_in_time_only),
        cmocka_unit_test(one_frame_suffices_in_the_other),
    };
    return cmocka_run_group_tests(tests, archives_open, archives_close);
}
