/* An archive as deliveries are: bands in another order, a month and a quad missing, a fifth band,
 * alpha, a file in another CRS. Its cubes against arrays that the test knows, and against what the
 * command line tools of GDAL make of the file in another CRS. */

#include "support/rasters.h"

#include "c3d/dataset.h"
#include "data/archive_table.h"
#include "data/frames.h"
#include "data/source.h"

#include <stdarg.h>

enum { QUAD = 48, W = 2 * QUAD, H = 2 * QUAD, C = 4, T = 7, SIZE = 24 };
enum { SHUFFLED = 1, MISSING = 2, NO_QUAD = 3, FIVE = 4, ALPHA = 5, WARPED = 6 };
static const c3d_date months[T] = { 20210100, 20210200, 20210300, 20210400,
                                    20210500, 20210600, 20210700 };
static const char *const bands[C] = { "blue", "green", "red", "nir" };
static const double pixel = 4.777314267823516, left = -6291722.89, top = -724050.75;

/* What is expected: [month, band, y, x], and where it is valid. */
static uint16_t expected[T][C][H][W];
static uint8_t expected_valid[T][H][W];

static int month_now, quad_now;

static uint16_t value_of(int month, int band, int x, int y)
{
    return (uint16_t)(1 + c3d_random_u64(7, (uint64_t)(month * C + band), (uint64_t)(y * W + x)) %
                              9999);
}

/* Corner of the archive where pixels are 0 in all bands, or alpha is 0. */
static bool is_empty_corner(int x, int y)
{
    return x < 5 && y < 7;
}

static double in_order(int band, int x, int y)
{
    return is_empty_corner(x, y) ? 0 : value_of(month_now, band, x, y);
}

static double shuffled(int band, int x, int y) /* nir, red, blue, green */
{
    static const int of[C] = { 3, 2, 0, 1 };

    return in_order(of[band], x, y);
}

static double with_quality_in_front(int band, int x, int y)
{
    return band == 0 ? 60000 : in_order(band - 1, x, y);
}

static double with_alpha(int band, int x, int y)
{
    return band < C ? value_of(month_now, band, x, y) : is_empty_corner(x, y) ? 0 : 65535;
}

static void run(const char *format, ...)
{
    char command[2048];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(command, sizeof command, format, args);
    va_end(args);
    if (system(command) != 0) fail_msg("%s", command);
}

static void write_quad(const char *path, const char *const *names, int n_bands, pixel_rule rule)
{
    const int x = quad_now % 2 * QUAD, y = quad_now / 2 * QUAD;

    write_test_raster(path, &(test_raster){ .x = x,
                                            .y = y,
                                            .width = QUAD,
                                            .height = QUAD,
                                            .n_bands = n_bands,
                                            .dtype = C3D_U16,
                                            .crs = "EPSG:3857",
                                            .transform = { left + x * pixel, pixel, 0,
                                                           top - y * pixel, 0, -pixel },
                                            .band_names = names,
                                            .rule = rule });
}

/* Roles but no descriptions; near infrared has no role. */
static void write_roles(const char *path)
{
    write_quad("plain.tif", NULL, C, shuffled);
    run("gdal_translate -q -colorinterp undefined,red,blue,green plain.tif %s", path);
}

/* In UTM, drawn by gdalwarp; and what it makes of that on the archive's grid. */
static void write_warped(const char *path)
{
    const int x = quad_now % 2 * QUAD, y = quad_now / 2 * QUAD;

    write_quad("merc.tif", bands, C, in_order);
    run("gdalwarp -q -overwrite -t_srs EPSG:32721 -tr 5.5 5.5 -r near -srcnodata 0 -dstnodata 0 "
        "merc.tif %s",
        path);
    run("gdalwarp -q -overwrite -t_srs EPSG:3857 -te %.12f %.12f %.12f %.12f -ts %d %d -r near "
        "-et 0 -of ENVI -co INTERLEAVE=BSQ -dstnodata 0 %s back.bin",
        left + x * pixel, top - (y + QUAD) * pixel, left + (x + QUAD) * pixel, top - y * pixel,
        QUAD, QUAD, path);
}

static void write_file(const char *path)
{
    static const char *const in_other_order[] = { "NIR", "Red", "blue", "green" };
    static const char *const five[] = { "udm", "Blue", "Green", "Red", "Near_Infrared" };
    static const char *const alpha[] = { "blue", "green", "red", "nir", "alpha" };

    if (month_now == SHUFFLED && quad_now == 0)
        write_quad(path, in_other_order, C, shuffled);
    else if (month_now == SHUFFLED && quad_now == 1)
        write_roles(path);
    else if (month_now == FIVE && quad_now == 0)
        write_quad(path, five, C + 1, with_quality_in_front);
    else if (month_now == ALPHA && quad_now == 0)
        write_quad(path, alpha, C + 1, with_alpha);
    else if (month_now == WARPED && quad_now == 3)
        write_warped(path);
    else
        write_quad(path, bands, C, in_order);
}

static bool has_file(int month, int quad)
{
    return month != MISSING && !(month == NO_QUAD && quad == 2);
}

static void expect_quad(int month, int quad)
{
    for (int y = quad / 2 * QUAD; y < (quad / 2 + 1) * QUAD; y++)
        for (int x = quad % 2 * QUAD; x < (quad % 2 + 1) * QUAD; x++) {
            expected_valid[month][y][x] = has_file(month, quad) && !is_empty_corner(x, y);
            for (int b = 0; b < C; b++)
                expected[month][b][y][x] =
                    expected_valid[month][y][x] ? value_of(month, b, x, y) : 0;
        }
}

/* The quad as gdalwarp has it, over what expect_quad put there. */
static void expect_back(int month, int quad)
{
    static uint16_t pixels[C][QUAD][QUAD];
    FILE *file = fopen("back.bin", "rb");
    int n_valid = 0;

    assert_non_null(file);
    assert_int_equal(fread(pixels, sizeof pixels, 1, file), 1);
    (void)fclose(file);
    for (int y = 0; y < QUAD; y++)
        for (int x = 0; x < QUAD; x++) {
            const int at_x = quad % 2 * QUAD + x, at_y = quad / 2 * QUAD + y;

            expected_valid[month][at_y][at_x] = pixels[0][y][x] != 0;
            n_valid += pixels[0][y][x] != 0;
            for (int b = 0; b < C; b++) expected[month][b][at_y][at_x] = pixels[b][y][x];
        }
    assert_in_range(n_valid, QUAD * QUAD * 9 / 10, QUAD * QUAD);
}

static int make_archive(void **state)
{
    (void)state;
    for (month_now = 0; month_now < T; month_now++)
        for (quad_now = 0; quad_now < 4; quad_now++) {
            char folder[128], path[192];

            expect_quad(month_now, quad_now);
            if (!has_file(month_now, quad_now)) continue;
            (void)snprintf(folder, sizeof folder,
                           "planet/planet_medres_normalized_analytic_%04d-%02d_mosaic",
                           months[month_now] / 10000, months[month_now] / 100 % 100);
            assert_int_equal(c3d_make_dirs(folder), C3D_OK);
            (void)snprintf(path, sizeof path, "%s/%d-%d_quad.tif", folder, 700 + quad_now % 2,
                           900 - quad_now / 2);
            write_file(path);
            if (month_now == WARPED && quad_now == 3) expect_back(month_now, quad_now);
        }
    return 0;
}

static c3d_dataset_desc settings(const char *out_dir)
{
    return (c3d_dataset_desc){ .out_dir = out_dir,
                               .mosaics = "planet", /* Planet's folders as they are */
                               .n_bands = C,
                               .bands = bands,
                               .resampling = C3D_RESAMPLING_NEAREST,
                               .frame_size_px = SIZE,
                               .stride_px = SIZE,
                               .max_missing_share = 1,
                               .gaps = C3D_GAPS_ZERO,
                               .split = C3D_SPLIT_RANDOM,
                               .split_shares = { 1, 0, 0 } };
}

static c3d_status build(const c3d_dataset_desc *desc)
{
    C3D_TRY(c3d_dataset_frames(desc, NULL));
    return c3d_dataset_clip(desc, NULL);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void compare_scene(const c3d_store *store, const c3d_frame *frame, c3d_window window)
{
    static uint16_t values[T][C][SIZE][SIZE];
    static uint8_t bits[T][SIZE][SIZE / 8];
    const c3d_store_row *row = c3d_store_find(store, frame->frame_id, 0);

    assert_non_null(row);
    assert_int_equal(c3d_shard_read_months(store->shards[row->shard], row->row, 0, T, values),
                     C3D_OK);
    assert_int_equal(c3d_shard_read_valid(store->shards[row->shard], row->row, &bits[0][0][0]),
                     C3D_OK);
    for (int t = 0; t < T; t++)
        for (int y = 0; y < SIZE; y++)
            for (int x = 0; x < SIZE; x++) {
                const int at_x = window.x + x, at_y = window.y + y;
                const int is_valid = bits[t][y][x / 8] >> (7 - x % 8) & 1;

                if (is_valid != expected_valid[t][at_y][at_x])
                    fail_msg("month %d, pixel %d,%d: valid %d", t, at_x, at_y, is_valid);
                for (int b = 0; b < C; b++)
                    if (values[t][b][y][x] != expected[t][b][at_y][at_x])
                        fail_msg("month %d, band %d, pixel %d,%d: %d, expected %d", t, b, at_x,
                                 at_y, values[t][b][y][x], expected[t][b][at_y][at_x]);
            }
}

/* The grid may have grown by what the resampled file covers: its edge is not the quad's. */
static void cubes_are_those_of_an_independent_computation(void **state)
{
    const c3d_dataset_desc desc = settings("set");
    c3d_frames frames;
    c3d_store store;
    int n = 0;

    (void)state;
    if (build(&desc) != C3D_OK) fail_msg("%s", c3d_error_last()->message);
    assert_int_equal(c3d_frames_read("set/frames.gpkg", &frames), C3D_OK);
    assert_int_equal(c3d_store_open("set", false, &store), C3D_OK);
    assert_int_equal(c3d_shard_get_shape(store.shards[0])->n_months, T);
    for (size_t i = 0; i < frames.n; i++) {
        const int x0 = (int)lrint((frames.transform[0] - left) / pixel);
        const int y0 = (int)lrint((top - frames.transform[3]) / pixel);
        const c3d_window window = { frames.rows[i].x + x0, frames.rows[i].y + y0, SIZE, SIZE };

        if (window.x < 0 || window.y < 0 || window.x + SIZE > W || window.y + SIZE > H) continue;
        compare_scene(&store, &frames.rows[i], window);
        n++;
    }
    assert_in_range(n, 9, 16);
    c3d_store_close(&store);
    c3d_frames_free(&frames);
}

/* Rows by month, then quad from the north-west, as the quads are numbered here. */
static void the_table_tells_quads_and_months(void **state)
{
    c3d_csv csv;
    c3d_text line = { 0 };

    (void)state;
    assert_int_equal(c3d_csv_read("set/archive.csv", &csv), C3D_OK);
    assert_int_equal(csv.n_rows, 4 * T);
    for (int row = 0; row < 4 * T; row++) {
        const int month = row / 4, quad = row % 4;
        const char *status = c3d_csv_field(&csv, (size_t)row, c3d_csv_column(&csv, "status"));
        const bool is_warped = month == WARPED && quad == 3;
        double empty, expected_empty = 0;

        assert_string_equal(status, !has_file(month, quad) ? "missing"
                                    : is_warped            ? "resampled"
                                                           : "present");
        assert_int_equal(
            c3d_csv_real(&csv, (size_t)row, c3d_csv_column(&csv, "share_empty"), &empty), C3D_OK);
        for (int y = quad / 2 * QUAD; y < (quad / 2 + 1) * QUAD; y++)
            for (int x = quad % 2 * QUAD; x < (quad % 2 + 1) * QUAD; x++)
                expected_empty += !expected_valid[month][y][x] / (double)(QUAD * QUAD);
        assert_near(empty, expected_empty, 1e-5);
    }
    c3d_csv_free(&csv);
    assert_int_equal(c3d_archive_table_describe("set", &line), C3D_OK);
    assert_non_null(strstr(line.text, "4 quads x 7 months: 23 present (1 resampled), 5 missing (1 "
                                      "whole months)"));
    c3d_text_free(&line);
}

static void hash_in(const char *gpkg, const char *path, char out[20])
{
    c3d_vector *layer;

    out[0] = 0;
    assert_int_equal(c3d_vector_open(gpkg, "sources", &layer), C3D_OK);
    for (size_t row = 0; row < c3d_vector_n_rows(layer); row++)
        if (strcmp(c3d_vector_text(layer, row, c3d_vector_field(layer, "path")), path) == 0)
            (void)snprintf(out, 20, "%s",
                           c3d_vector_text(layer, row, c3d_vector_field(layer, "hash")));
    c3d_vector_close(layer);
    assert_int_equal(strlen(out), 16);
}

/* Frames of another stride are made anew; a file is read again only when its time has changed. */
static void files_are_hashed_once(void **state)
{
    const char *path = "planet/planet_medres_normalized_analytic_2021-01_mosaic/700-899_quad.tif";
    c3d_dataset_desc desc = settings("hashed");
    char first[20], now[20];

    (void)state;
    assert_int_equal(c3d_dataset_frames(&desc, NULL), C3D_OK);
    hash_in("hashed/frames.gpkg", path, first);
    run("touch -r %s stamp && printf ABCD | dd of=%s bs=1 seek=$(($(stat -c %%s %s) - 4)) "
        "conv=notrunc status=none && touch -r stamp %s",
        path, path, path, path);
    desc.stride_px = 12;
    assert_int_equal(c3d_dataset_frames(&desc, NULL), C3D_OK);
    hash_in("hashed/frames.gpkg", path, now);
    assert_string_equal(now, first);
    run("touch %s", path);
    desc.stride_px = SIZE;
    assert_int_equal(c3d_dataset_frames(&desc, NULL), C3D_OK);
    hash_in("hashed/frames.gpkg", path, now);
    assert_string_not_equal(now, first);
}

/* A mask of codes beside one file a band, on one of two dates; one file a band has no 0 rule of its
 * own, so a pixel is empty when all bands are 0. */
static double mask_code(int band, int x, int y)
{
    (void)band, (void)y;
    return x < 3 ? 4 : x < 5 ? 2 : 0;
}

static void write_band(const char *name, pixel_rule rule)
{
    char path[64];

    (void)snprintf(path, sizeof path, "bands/%s.tif", name);
    write_quad(path, NULL, 1, rule);
}

static double first_band(int band, int x, int y)
{
    return y == 40 ? 0 : in_order(band, x, y);
}

static double second_band(int band, int x, int y)
{
    return y == 40 && x != 40 ? 0 : in_order(band + 1, x, y);
}

static void bands_and_masks_have_files_of_their_own(void **state)
{
    static const int usable[1][2] = { { 0, 2 } };
    static const char *const wanted[] = { "nir", "red" };
    const c3d_dataset_desc desc = { .mosaics = "bands/{BAND}_{YYYY}-{MM}.tif",
                                    .n_bands = 2,
                                    .bands = wanted,
                                    .mask_band = "mask",
                                    .n_mask_valid = 1,
                                    .mask_valid = usable };
    const c3d_window all = { 0, 0, QUAD, QUAD };
    static uint16_t values[2][QUAD][QUAD];
    static uint8_t valid[QUAD][QUAD];
    c3d_frames frames = { 0 };
    c3d_footprint print = { 0 };
    c3d_archive archive;
    c3d_source source;

    (void)state;
    assert_int_equal(c3d_make_dirs("bands"), C3D_OK);
    month_now = quad_now = 0;
    write_band("red_2021-01", first_band);
    write_band("nir_2021-01", second_band);
    write_band("red_2021-02", first_band);
    write_band("nir_2021-02", second_band);
    write_band("red_2021-04", first_band);
    write_band("mask_2021-02", mask_code);
    assert_int_equal(c3d_archive_find(desc.mosaics, 0, 0, &archive), C3D_OK);
    assert_int_equal(archive.n_months, 4);
    assert_int_equal(c3d_frames_take_grid(&desc, &archive, &frames, &print), C3D_OK);
    assert_int_equal(c3d_source_open(&desc, &archive, &frames, &source), C3D_OK);
    c3d_source_tell(&source);
    assert_string_equal(source.band_names[0], "nir");
    for (int month = 0; month < 4; month++) {
        assert_int_equal(c3d_source_read(&source, month, all, values, &valid[0][0]), C3D_OK);
        for (int y = 0; y < QUAD; y++)
            for (int x = 0; x < QUAD; x++) {
                const bool is_zero = is_empty_corner(x, y) || (y == 40 && x != 40);
                const bool is_masked = month == 1 && x < 3;

                assert_int_equal(valid[y][x], month < 2 && !is_zero && !is_masked);
                if (!valid[y][x]) continue;
                assert_int_equal(values[0][y][x], (int)second_band(0, x, y));
                assert_int_equal(values[1][y][x], (int)first_band(0, x, y));
            }
    }
    c3d_source_close(&source);
    c3d_footprint_free(&print);
    c3d_frames_free(&frames);
    c3d_archive_free(&archive);
}

static void expect_failure(const char *dir, const char *path, const char *words)
{
    const c3d_dataset_desc desc = settings(dir);

    assert_int_equal(build(&desc), C3D_EDATA);
    assert_message(path);
    assert_message(words);
}

/* One quad of January in the way of each fault; put back at the end. */
static void files_that_do_not_fit_are_named(void **state)
{
    static const char *const no_red[] = { "blue", "green", "nir" };
    const char *path = "planet/planet_medres_normalized_analytic_2021-01_mosaic/701-900_quad.tif";

    (void)state;
    month_now = 0;
    quad_now = 1;
    write_quad(path, no_red, 3, in_order);
    expect_failure("no-red", path, "no band red");
    write_quad(path, NULL, C + 1, in_order);
    expect_failure("unnamed", path, "which is which cannot be told");
    write_quad("plain.tif", bands, C, in_order);
    run("rm -f %s; gdal_translate -q -co PROFILE=BASELINE plain.tif %s; rm -f %s.aux.xml", path,
        path, path);
    expect_failure("nowhere", path, "no georeference");
    write_quad(path, bands, C, in_order);
}

/* A smooth surface, resampled by our kernels and by gdalwarp's. */
static double wave(int band, int x, int y)
{
    return 3000 + 1000 * sin(0.13 * x + band) + 800 * cos(0.09 * y - 0.05 * x);
}

static void kernels_agree_with_gdalwarp(void **state)
{
    static const char *const names[] = { "near", "bilinear", "cubic" };
    static uint16_t ours[QUAD][QUAD], theirs[QUAD][QUAD];
    const c3d_band_wanted wanted = { .number = 1 };
    const char *path = "utm.tif";
    const int number = 1, inset = 6;

    (void)state;
    quad_now = 0;
    write_quad("wave.tif", NULL, 1, wave);
    for (int fine = 0; fine < 2; fine++) {
        run("gdalwarp -q -overwrite -t_srs EPSG:32721 -r cubic -tr %s wave.tif utm.tif",
            fine ? "1.9 1.9" : "6 6");
        for (int kind = 0; kind < 3; kind++) {
            const c3d_grid grid = { .transform = { left, pixel, 0, top, 0, -pixel },
                                    .width_px = QUAD,
                                    .height_px = QUAD,
                                    .crs_wkt = "EPSG:3857" };
            const c3d_mosaic_desc desc = {
                1, &path, &grid, 1, &wanted, 1, (c3d_resampling)(C3D_RESAMPLING_NEAREST + kind)
            };
            c3d_raster *raster;
            int worst = 0;

            run("gdalwarp -q -overwrite -t_srs EPSG:3857 -te %.12f %.12f %.12f %.12f -ts %d %d "
                "-r %s -et 0 -ovr NONE -of ENVI utm.tif kernel.bin",
                left, top - QUAD * pixel, left + QUAD * pixel, top, QUAD, QUAD, names[kind]);
            FILE *file = fopen("kernel.bin", "rb");
            assert_non_null(file);
            assert_int_equal(fread(theirs, sizeof theirs, 1, file), 1);
            (void)fclose(file);
            assert_int_equal(c3d_raster_open_alike(&desc, &raster), C3D_OK);
            assert_non_null(c3d_raster_file_warp(raster, 0));
            assert_int_equal(c3d_raster_read(raster, (c3d_window){ 0, 0, QUAD, QUAD }, &number, 1,
                                             C3D_U16, ours),
                             C3D_OK);
            for (int y = inset; y < QUAD - inset; y++)
                for (int x = inset; x < QUAD - inset; x++)
                    if (abs(ours[y][x] - theirs[y][x]) > worst)
                        worst = abs(ours[y][x] - theirs[y][x]);
            print_message("%s from %s pixels: within %d\n", names[kind],
                          fine ? "smaller" : "larger", worst);
            assert_in_range(worst, 0, kind == 0 ? 0 : 1);
            c3d_raster_close(raster);
        }
    }
}

int main(void)
{
    static char folder[] = "archive-cubes-XXXXXX";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cubes_are_those_of_an_independent_computation),
        cmocka_unit_test(the_table_tells_quads_and_months),
        cmocka_unit_test(files_are_hashed_once),
        cmocka_unit_test(bands_and_masks_have_files_of_their_own),
        cmocka_unit_test(files_that_do_not_fit_are_named),
        cmocka_unit_test(kernels_agree_with_gdalwarp),
    };

    c3d_raster_start();
    enter_own_folder(folder);
    return cmocka_run_group_tests(tests, make_archive, NULL);
}
