/* Rasters, mosaics, validity, coordinates and vector layers, on files made here. */

#include "support/rasters.h"

#include <sys/stat.h>

static double position(int band, int x, int y)
{
    return 10000 * band + 100 * y + x;
}

static double mostly_seven(int band, int x, int y)
{
    (void)band;
    return (x == 3 && y == 2) ? -3.4e38 : 7;
}

static double zero_in_a_corner(int band, int x, int y)
{
    (void)band;
    return x < 2 && y < 2 ? 0 : 5;
}

static double alpha_in_band_2(int band, int x, int y)
{
    (void)y;
    return band == 1 && x == 4 ? 0 : 255;
}

static double always_9(int band, int x, int y)
{
    (void)band, (void)x, (void)y;
    return 9;
}

static double nothing_right_of_12(int band, int x, int y)
{
    (void)band, (void)y;
    return x > 12 ? 0 : 4;
}

static void a_file_reads_as_written(void **state)
{
    static const char *const names[] = { "red", "ndvi" };
    const test_raster want = { .width = 40,
                               .height = 30,
                               .n_bands = 2,
                               .dtype = C3D_U16,
                               .band_names = names,
                               .rule = position };
    const int bands[] = { 2, 1 };
    uint16_t pixels[2 * 3 * 4];
    c3d_raster *raster;
    const c3d_raster_info *info;

    (void)state;
    write_test_raster("plain.tif", &want);
    assert_int_equal(c3d_raster_open("plain.tif", &raster), C3D_OK);
    info = c3d_raster_get_info(raster);
    assert_int_equal(info->width_px, 40);
    assert_int_equal(info->height_px, 30);
    assert_int_equal(info->n_bands, 2);
    assert_int_equal(info->dtype, C3D_U16);
    assert_string_equal(info->band_names[0], "red");
    assert_string_equal(info->band_names[1], "ndvi");
    assert_true(info->transform[0] == 500000 && info->transform[5] == -10);
    assert_true(c3d_crs_is_same(info->crs_wkt, "EPSG:32721"));
    assert_int_equal(info->alpha_band, 0);
    assert_int_equal(
        c3d_raster_read(raster, (c3d_window){ 37, 10, 3, 4 }, bands, 2, C3D_U16, pixels), C3D_OK);
    for (int b = 0; b < 2; b++)
        for (int y = 0; y < 4; y++)
            for (int x = 0; x < 3; x++)
                assert_int_equal(pixels[(b * 4 + y) * 3 + x],
                                 (int)position(bands[b] - 1, 37 + x, 10 + y));
    c3d_raster_close(raster);
}

static void windows_and_bands_outside_are_refused(void **state)
{
    const int good = 1, bad = 3;
    uint16_t pixel[4];
    c3d_raster *raster;

    (void)state;
    assert_int_equal(c3d_raster_open("plain.tif", &raster), C3D_OK);
    assert_int_equal(c3d_raster_read(raster, (c3d_window){ 39, 0, 2, 1 }, &good, 1, C3D_U16, pixel),
                     C3D_EINVAL);
    assert_int_equal(c3d_raster_read(raster, (c3d_window){ -1, 0, 1, 1 }, &good, 1, C3D_U16, pixel),
                     C3D_EINVAL);
    assert_int_equal(c3d_raster_read(raster, (c3d_window){ 0, 0, 1, 1 }, &bad, 1, C3D_U16, pixel),
                     C3D_EDATA);
    assert_message("no band 3");
    c3d_raster_close(raster);
}

/* Four quads of 20 x 20 px around a point, one missing; rows of files in any order. */
static void quads_become_one_mosaic_with_a_gap(void **state)
{
    static const char *const files[] = { "q-se.tif", "q-nw.tif", "q-sw.tif" };
    static const int place[3][2] = { { 20, 20 }, { 0, 0 }, { 0, 20 } };
    const int band = 1;
    uint16_t pixels[40 * 40];
    uint8_t valid[40 * 40];
    c3d_raster *raster;

    (void)state;
    for (int i = 0; i < 3; i++)
        write_test_raster(files[i], &(test_raster){ .x = place[i][0],
                                                    .y = place[i][1],
                                                    .width = 20,
                                                    .height = 20,
                                                    .n_bands = 1,
                                                    .dtype = C3D_U16,
                                                    .rule = position });
    assert_int_equal(c3d_raster_open_mosaic(files, 3, &raster), C3D_OK);
    assert_int_equal(c3d_raster_get_info(raster)->width_px, 40);
    assert_int_equal(c3d_raster_get_info(raster)->height_px, 40);
    assert_true(c3d_raster_get_info(raster)->transform[0] == 500000);
    assert_true(c3d_raster_get_info(raster)->transform[3] == 9000000);
    assert_int_equal(c3d_raster_n_files(raster), 3);
    assert_int_equal(c3d_raster_file_window(raster, 0).x, 20);
    assert_int_equal(c3d_raster_file_window(raster, 1).y, 0);
    assert_int_equal(
        c3d_raster_read(raster, (c3d_window){ 0, 0, 40, 40 }, &band, 1, C3D_U16, pixels), C3D_OK);
    assert_int_equal(
        c3d_raster_read_valid(raster, (c3d_window){ 0, 0, 40, 40 }, &band, 1, false, valid),
        C3D_OK);
    for (int y = 0; y < 40; y++) {
        for (int x = 0; x < 40; x++) {
            const bool gap = x >= 20 && y < 20;
            assert_int_equal(valid[y * 40 + x], !gap);
            assert_int_equal(pixels[y * 40 + x], gap ? 0 : (int)position(0, x, y));
        }
    }
    c3d_raster_close(raster);
}

static void months_share_a_given_grid(void **state)
{
    static const char *const second[] = { "q-se.tif" };
    const int band = 1;
    c3d_raster *b;
    c3d_grid grid = { .transform = { 500000, 10, 0, 9000000, 0, -10 },
                      .width_px = 40,
                      .height_px = 40,
                      .crs_wkt = "EPSG:32721" };
    uint16_t pixel;
    uint8_t valid[4];

    (void)state;
    assert_int_equal(c3d_raster_open_on_grid(second, 1, &grid, &b), C3D_OK);
    assert_int_equal(c3d_raster_read(b, (c3d_window){ 25, 31, 1, 1 }, &band, 1, C3D_U16, &pixel),
                     C3D_OK);
    assert_int_equal(pixel, (int)position(0, 25, 31));
    assert_int_equal(c3d_raster_read_valid(b, (c3d_window){ 19, 19, 2, 2 }, &band, 1, false, valid),
                     C3D_OK);
    assert_true(!valid[0] && !valid[1] && !valid[2] && valid[3]);
    c3d_raster_close(b);

    /* a grid smaller than the file: what is outside is not seen */
    grid.width_px = 25;
    grid.height_px = 25;
    assert_int_equal(c3d_raster_open_on_grid(second, 1, &grid, &b), C3D_OK);
    assert_int_equal(c3d_raster_read(b, (c3d_window){ 24, 24, 1, 1 }, &band, 1, C3D_U16, &pixel),
                     C3D_OK);
    assert_int_equal(pixel, (int)position(0, 24, 24));
    assert_int_equal(c3d_raster_read(b, (c3d_window){ 25, 24, 1, 1 }, &band, 1, C3D_U16, &pixel),
                     C3D_EINVAL);
    c3d_raster_close(b);
}

static void where_files_overlap_the_last_with_data_wins(void **state)
{
    static const char *const files[] = { "under.tif", "over.tif" };
    const int band = 1;
    uint8_t pixels[20], valid[20];
    c3d_raster *raster;

    (void)state;
    write_test_raster(
        "under.tif",
        &(test_raster){
            .width = 15, .height = 1, .n_bands = 1, .dtype = C3D_U8, .rule = always_9 });
    write_test_raster("over.tif", &(test_raster){ .x = 10,
                                                  .width = 10,
                                                  .height = 1,
                                                  .n_bands = 1,
                                                  .dtype = C3D_U8,
                                                  .rule = nothing_right_of_12 });
    assert_int_equal(c3d_raster_open_mosaic(files, 2, &raster), C3D_OK);
    assert_int_equal(c3d_raster_read(raster, (c3d_window){ 0, 0, 20, 1 }, &band, 1, C3D_U8, pixels),
                     C3D_OK);
    assert_int_equal(
        c3d_raster_read_valid(raster, (c3d_window){ 0, 0, 20, 1 }, &band, 1, true, valid), C3D_OK);
    for (int x = 0; x < 20; x++) {
        assert_int_equal(pixels[x], x < 10 ? 9 : x <= 12 ? 4 : x < 15 ? 9 : 0);
        assert_int_equal(valid[x], x < 15);
    }
    c3d_raster_close(raster);
}

static void files_that_do_not_fit_are_named(void **state)
{
    const test_raster base = {
        .width = 8, .height = 8, .n_bands = 1, .dtype = C3D_U8, .rule = position
    };
    static const struct {
        const char *file, *says;
    } cases[] = { { "odd-crs.tif", "reference system" },
                  { "odd-grid.tif", "pixel size or origin" },
                  { "odd-bands.tif", "2 bands" },
                  { "odd-type.tif", "uint16" } };
    test_raster odd[4] = { base, base, base, base };
    c3d_raster *raster;

    (void)state;
    odd[0].crs = "EPSG:32722";
    memcpy(odd[1].transform, (double[]){ 500003, 10, 0, 9000000, 0, -10 }, sizeof odd[1].transform);
    odd[2].n_bands = 2;
    odd[3].dtype = C3D_U16;
    write_test_raster("base.tif", &base);
    for (int i = 0; i < 4; i++) {
        const char *const files[] = { "base.tif", cases[i].file };
        write_test_raster(cases[i].file, &odd[i]);
        assert_int_equal(c3d_raster_open_mosaic(files, 2, &raster), C3D_EDATA);
        assert_message(cases[i].file);
        assert_message("base.tif");
        assert_message(cases[i].says);
    }
}

static void validity_knows_tags_alpha_and_zeros(void **state)
{
    static const char *const names[] = { "gray", "alpha" };
    const c3d_window all = { 0, 0, 6, 6 };
    const int one = 1;
    uint8_t valid[36];
    c3d_raster *raster;

    (void)state;
    /* a tag whose text is not exactly the float32 stored */
    write_test_raster("huge.tif", &(test_raster){ .width = 6,
                                                  .height = 6,
                                                  .n_bands = 1,
                                                  .dtype = C3D_F32,
                                                  .has_nodata = true,
                                                  .nodata = -3.4e38,
                                                  .rule = mostly_seven });
    assert_int_equal(c3d_raster_open("huge.tif", &raster), C3D_OK);
    assert_int_equal(c3d_raster_read_valid(raster, all, &one, 1, false, valid), C3D_OK);
    for (int i = 0; i < 36; i++) assert_int_equal(valid[i], i != 2 * 6 + 3);
    c3d_raster_close(raster);

    write_test_raster(
        "zeros.tif",
        &(test_raster){
            .width = 6, .height = 6, .n_bands = 1, .dtype = C3D_U8, .rule = zero_in_a_corner });
    assert_int_equal(c3d_raster_open("zeros.tif", &raster), C3D_OK);
    for (int ask = 0; ask < 2; ask++) {
        assert_int_equal(c3d_raster_read_valid(raster, all, &one, 1, ask, valid), C3D_OK);
        for (int i = 0; i < 36; i++) assert_int_equal(valid[i], !(ask && i % 6 < 2 && i / 6 < 2));
    }
    c3d_raster_close(raster);

    write_test_raster("alpha.tif", &(test_raster){ .width = 6,
                                                   .height = 6,
                                                   .n_bands = 2,
                                                   .dtype = C3D_U8,
                                                   .band_names = names,
                                                   .rule = alpha_in_band_2 });
    assert_int_equal(c3d_raster_open("alpha.tif", &raster), C3D_OK);
    assert_int_equal(c3d_raster_get_info(raster)->alpha_band, 2);
    assert_int_equal(c3d_raster_read_valid(raster, all, &one, 1, true, valid), C3D_OK);
    for (int i = 0; i < 36; i++) assert_int_equal(valid[i], i % 6 != 4);
    c3d_raster_close(raster);

    /* a byte file tagged -9999 has no pixel of that value: as if there were no tag */
    write_test_raster("impossible.tif", &(test_raster){ .width = 6,
                                                        .height = 6,
                                                        .n_bands = 1,
                                                        .dtype = C3D_U8,
                                                        .has_nodata = true,
                                                        .nodata = -9999,
                                                        .rule = zero_in_a_corner });
    assert_int_equal(c3d_raster_open("impossible.tif", &raster), C3D_OK);
    assert_false(c3d_raster_get_info(raster)->has_nodata[0]);
    assert_int_equal(c3d_raster_read_valid(raster, all, &one, 1, true, valid), C3D_OK);
    assert_int_equal(valid[0], 0);
    c3d_raster_close(raster);
}

static void a_file_cut_in_half_is_named(void **state)
{
    const int band = 1;
    struct stat size;
    uint16_t *pixels = calloc(400 * 400, sizeof *pixels);
    c3d_raster *raster;
    c3d_status st;

    (void)state;
    write_test_raster(
        "cut.tif",
        &(test_raster){
            .width = 400, .height = 400, .n_bands = 1, .dtype = C3D_U16, .rule = position });
    assert_int_equal(stat("cut.tif", &size), 0);
    assert_int_equal(truncate("cut.tif", size.st_size / 2), 0);
    st = c3d_raster_open("cut.tif", &raster);
    if (st == C3D_OK) {
        st = c3d_raster_read(raster, (c3d_window){ 0, 0, 400, 400 }, &band, 1, C3D_U16, pixels);
        c3d_raster_close(raster);
    }
    free(pixels);
    assert_int_equal(st, C3D_EDATA);
    assert_message("cut.tif");

    assert_int_equal(c3d_raster_open("absent.tif", &raster), C3D_EIO);
    assert_message("absent.tif");
    assert_int_equal(c3d_file_write("text.tif", "not a raster\n", 13), C3D_OK);
    assert_int_equal(c3d_raster_open("text.tif", &raster), C3D_EDATA);
    assert_message("text.tif");
}

static void coordinates_go_there_and_back(void **state)
{
    double x[2] = { -60.1, -60.0 }, y[2] = { -1.7, -1.8 };
    c3d_transformer *there, *back;
    const double t[6] = { 100, 2, 0.5, 50, -0.5, -2 };
    double inverse[6];

    (void)state;
    assert_int_equal(c3d_transformer_create("EPSG:4326", "EPSG:3857", &there), C3D_OK);
    assert_int_equal(c3d_transformer_create("EPSG:3857", "EPSG:4326", &back), C3D_OK);
    assert_false(c3d_transformer_is_identity(there));
    assert_int_equal(c3d_transformer_apply(there, 2, x, y), C3D_OK);
    assert_near(x[0], -60.1 * 111319.49079327358, 1e-3);
    assert_true(y[0] < -189000 && y[0] > -190000);
    assert_int_equal(c3d_transformer_apply(back, 2, x, y), C3D_OK);
    assert_near(x[1], -60.0, 1e-9);
    assert_near(y[0], -1.7, 1e-9);
    c3d_transformer_destroy(there);
    c3d_transformer_destroy(back);
    assert_int_equal(c3d_transformer_create("nonsense", "EPSG:4326", &there), C3D_EDATA);

    assert_true(c3d_crs_is_same("EPSG:3857", "EPSG:3857"));
    assert_false(c3d_crs_is_same("EPSG:3857", "EPSG:4326"));
    assert_true(c3d_crs_metre("EPSG:32721") == 1);
    assert_true(c3d_crs_metre("EPSG:4326") == 0);
    assert_near(c3d_crs_metre("EPSG:2263"), 0.3048006096, 1e-9);
    assert_true(c3d_transform_invert(t, inverse));
    assert_near(inverse[0] + 108.5 * inverse[1] + 42.0 * inverse[2], 52.0 / 15, 1e-9);
}

static void layers_are_written_and_read(void **state)
{
    const c3d_field_desc fields[] = { { "id", C3D_FIELD_INT },
                                      { "share", C3D_FIELD_REAL },
                                      { "name", C3D_FIELD_TEXT } };
    const double square[] = { 0, 0, 10, 0, 10, 10, 0, 10, 0, 0 };
    const c3d_field_value rows[2][3] = { { { .i = 1LL << 40 }, { .r = 0.25 }, { .t = "a" } },
                                         { { .i = -1 }, { .r = NAN }, { .t = NULL } } };
    c3d_vector_writer *writer;
    c3d_vector *vector;
    long long i;
    double r, bounds[4];

    (void)state;
    assert_int_equal(c3d_vector_writer_create("layers.gpkg", &writer), C3D_OK);
    assert_int_equal(c3d_vector_writer_layer(writer, "areas", "EPSG:32721", fields, 3), C3D_OK);
    for (int row = 0; row < 2; row++)
        assert_int_equal(c3d_vector_writer_add(writer, square, 5, rows[row]), C3D_OK);
    assert_int_equal(c3d_vector_writer_layer(writer, "notes", NULL, fields, 1), C3D_OK);
    assert_int_equal(c3d_vector_writer_add(writer, NULL, 0, rows[1]), C3D_OK);
    assert_int_equal(c3d_vector_writer_style(writer, "areas", "plain", "<qgis/>"), C3D_OK);
    assert_false(c3d_path_exists("layers.gpkg")); /* nothing before commit */
    assert_int_equal(c3d_vector_writer_commit(writer), C3D_OK);
    assert_false(c3d_path_exists("layers.gpkg.part.gpkg"));

    assert_int_equal(c3d_vector_open("layers.gpkg", "areas", &vector), C3D_OK);
    assert_int_equal(c3d_vector_n_rows(vector), 2);
    assert_true(c3d_crs_is_same(c3d_vector_crs_wkt(vector), "EPSG:32721"));
    assert_true(c3d_vector_int(vector, 0, c3d_vector_field(vector, "id"), &i));
    assert_true(i == 1LL << 40);
    assert_true(c3d_vector_real(vector, 0, c3d_vector_field(vector, "share"), &r) && r == 0.25);
    assert_string_equal(c3d_vector_text(vector, 0, c3d_vector_field(vector, "name")), "a");
    assert_false(c3d_vector_real(vector, 1, c3d_vector_field(vector, "share"), &r));
    assert_null(c3d_vector_text(vector, 1, c3d_vector_field(vector, "name")));
    assert_int_equal(c3d_vector_field(vector, "absent"), -1);
    assert_true(c3d_vector_bounds(vector, 0, bounds) && bounds[2] == 10);
    c3d_vector_close(vector);
    assert_int_equal(c3d_vector_open("layers.gpkg", "layer_styles", &vector), C3D_OK);
    assert_string_equal(c3d_vector_text(vector, 0, c3d_vector_field(vector, "styleQML")),
                        "<qgis/>");
    c3d_vector_close(vector);
    assert_int_equal(c3d_vector_open("layers.gpkg", "absent", &vector), C3D_EDATA);
    assert_int_equal(c3d_vector_open("absent.gpkg", "areas", &vector), C3D_EIO);
    assert_int_equal(c3d_vector_writer_create("no/such/folder/x.gpkg", &writer), C3D_EIO);
    assert_message("no/such/folder/x.gpkg");
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Beside a file that SQLite cannot take out of its mode. */
static void file_with_a_journal_is_not_replaced(void **state)
{
    static const char *const beside[] = { "held.gpkg-wal", "held.gpkg-journal" };
    c3d_vector_writer *writer;

    (void)state;
    for (size_t i = 0; i < C3D_COUNT(beside); i++) {
        write_text("held.gpkg", "what was there");
        assert_int_equal(c3d_vector_writer_create("held.gpkg", &writer), C3D_OK);
        write_text(beside[i], "of another program");
        assert_int_equal(c3d_vector_writer_commit(writer), C3D_EIO);
        assert_message("held.gpkg: another program has it open");
        assert_false(c3d_path_exists("held.gpkg.part.gpkg"));
        assert_int_equal(c3d_vector_writer_create("held.gpkg", &writer), C3D_EIO);
        assert_true(c3d_path_exists(beside[i]));
        assert_int_equal(remove(beside[i]), 0);
        assert_int_equal(c3d_vector_writer_create("held.gpkg", &writer), C3D_OK);
        assert_int_equal(c3d_vector_writer_commit(writer), C3D_OK);
    }
}

int main(void)
{
    static char folder[] = "raster-XXXXXX";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_reads_as_written),
        cmocka_unit_test(windows_and_bands_outside_are_refused),
        cmocka_unit_test(quads_become_one_mosaic_with_a_gap),
        cmocka_unit_test(months_share_a_given_grid),
        cmocka_unit_test(where_files_overlap_the_last_with_data_wins),
        cmocka_unit_test(files_that_do_not_fit_are_named),
        cmocka_unit_test(validity_knows_tags_alpha_and_zeros),
        cmocka_unit_test(a_file_cut_in_half_is_named),
        cmocka_unit_test(coordinates_go_there_and_back),
        cmocka_unit_test(layers_are_written_and_read),
        cmocka_unit_test(file_with_a_journal_is_not_replaced),
    };

    c3d_raster_start();
    enter_own_folder(folder);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
