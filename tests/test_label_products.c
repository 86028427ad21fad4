/* Label rasters that are known by name, grids that differ, and rasters that lie elsewhere. */

#include "support/rasters.h"

#include <sys/stat.h>

#include "c3d/dataset.h"
#include "data/label_product.h"

#define STEP 0.0002694945852358564 /* degrees */
static c3d_label_class legend[1] = {
    { .name = "mining", .n_ranges = 1, .ranges = { { 30, 30 } } }
};

/* Imagery: 200 x 200 px of 4.78 m in web Mercator, its corner 4.4 columns and 60.3 rows from that
 * of the longer map. */
static const double lon = -60.15, lat = -1.75;
static double mosaic_t[6];

static double anything(int band, int x, int y)
{
    (void)band, (void)x, (void)y;
    return 1;
}

static int make_month(void **state)
{
    const double radius = 6378137, pi = 3.14159265358979323846;

    (void)state;
    mosaic_t[0] = radius * (lon + 4.4 * STEP) * pi / 180;
    mosaic_t[1] = 4.777314267823516;
    mosaic_t[3] = radius * log(tan(pi / 4 + (lat - 60.3 * STEP) * pi / 360));
    mosaic_t[5] = -4.777314267823516;
    test_raster month = { .width = 200,
                          .height = 200,
                          .n_bands = 1,
                          .dtype = C3D_U8,
                          .crs = "EPSG:3857",
                          .rule = anything };
    memcpy(month.transform, mosaic_t, sizeof mosaic_t);
    write_test_raster("month_2020-01.tif", &month);
    return 0;
}

static c3d_dataset_desc settings(const char *labels)
{
    return (c3d_dataset_desc){ .out_dir = "out",
                               .mosaics = "month_{YYYY}-{MM}.tif",
                               .labels = labels,
                               .n_classes = 1,
                               .classes = legend,
                               .positive = "mining",
                               .frame_size_px = 16,
                               .stride_px = 12,
                               .positive_share = 0.4,
                               .negative_share = 0.2,
                               .split = C3D_SPLIT_RANDOM,
                               .split_shares = { 1, 0, 0 } };
}

static c3d_status try_to_make(const char *labels, c3d_frames *frames)
{
    const c3d_dataset_desc desc = settings(labels);
    c3d_archive archive;
    c3d_status st;

    assert_int_equal(c3d_archive_find(desc.mosaics, 0, 0, &archive), C3D_OK);
    st = c3d_frames_make(&desc, &archive, frames);
    c3d_archive_free(&archive);
    return st;
}

static c3d_frames make(const char *labels)
{
    c3d_frames frames = { 0 };

    if (try_to_make(labels, &frames) != C3D_OK) fail_msg("%s", c3d_error_last()->message);
    return frames;
}

/* ---- names ----------------------------------------------------------------------------------- */

static void products_are_known_by_name(void **state)
{
    static const struct {
        const char *path, *name;
    } cases[] = {
        { "/a/brasil_coverage_2020.tif", "MapBiomas Brazil, collection 7.1, 8 or 9, 30 m" },
        { "brazil_coverage_2020.tif", "MapBiomas Brazil, collection 10, 30 m" },
        { "brazil_coverage-col11_2020.tif", "MapBiomas Brazil, collection 11, 30 m" },
        { "x/brazil_lulc_10m_2023.tif", "MapBiomas Brazil, 10 m" },
        { "mapbiomas_collection90_mined_substance_v1-2020.tif",
          "mined substances of MapBiomas Brazil" },
        { "MapBiomas_8_2019.tif", "MapBiomas, of a collection that the name does not tell" },
    };

    (void)state;
    for (size_t i = 0; i < C3D_COUNT(cases); i++) {
        const label_product *product = c3d_label_product_find(cases[i].path);

        assert_non_null(product);
        assert_string_equal(product->name, cases[i].name);
    }
    assert_null(c3d_label_product_find("mapbiomas/label_2020.tif"));
}

static double a_map(int band, int x, int y)
{
    (void)band;
    if (x == 20 && y > 60) return y % 2 == 0 ? 0 : 27;
    return (x / 3 + y / 4) % 3 == 0 ? 30 : 3;
}

/* The map from its row `first` on. */
static void write_map(const char *path, int first, c3d_dtype dtype, pixel_rule rule)
{
    write_test_raster(path,
                      &(test_raster){ .y = first,
                                      .width = 60,
                                      .height = 120 - first,
                                      .n_bands = 1,
                                      .dtype = dtype,
                                      .crs = "EPSG:4326",
                                      .has_nodata = dtype == C3D_F32,
                                      .nodata = -3.4e38,
                                      .transform = { lon, STEP, 0, lat - first * STEP, 0, -STEP },
                                      .rule = rule });
}

static void a_directory_is_searched(void **state)
{
    char pattern[C3D_PATH_MAX];

    (void)state;
    assert_int_equal(mkdir("maps", 0777), 0);
    assert_int_equal(c3d_label_pattern("maps", pattern), C3D_EDATA);
    assert_message("brazil_lulc_10m_{YYYY}.tif");
    write_map("maps/brazil_coverage_2020.tif", 0, C3D_U8, a_map);
    assert_int_equal(c3d_label_pattern("maps", pattern), C3D_OK);
    assert_string_equal(pattern, "maps/brazil_coverage_{YYYY}.tif");
    c3d_frames frames = make("maps");
    assert_int_equal(frames.years[0], 2020);
    c3d_frames_free(&frames);
    write_map("maps/brasil_coverage_2019.tif", 0, C3D_U8, a_map);
    assert_int_equal(c3d_label_pattern("maps", pattern), C3D_ECONFIG);
    assert_message("several products");
}

/* ---- grids ----------------------------------------------------------------------------------- */

/* Collection 11 starts 47 rows south of collection 10: the same map gives the same labels. */
static void maps_47_rows_apart_give_equal_labels(void **state)
{
    c3d_frames whole, cut;
    size_t n_uncertain = 0;

    (void)state;
    write_map("brazil_coverage_2020.tif", 0, C3D_U8, a_map);
    write_map("brazil_coverage-col11_2020.tif", 47, C3D_U8, a_map);
    whole = make("brazil_coverage_{YYYY}.tif");
    cut = make("brazil_coverage-col11_{YYYY}.tif");
    assert_int_equal(whole.n, 256);
    assert_int_equal(cut.n, whole.n);
    for (size_t i = 0; i < whole.n; i++) {
        assert_int_equal(whole.rows[i].frame_id, cut.rows[i].frame_id);
        assert_int_equal(whole.labels[i], cut.labels[i]);
        assert_near(whole.shares[i], cut.shares[i], 1e-9);
        n_uncertain += whole.labels[i] == C3D_FRAME_UNCERTAIN;
    }
    assert_true(n_uncertain > 10); /* shares between the thresholds, not only 0 and 1 */
    c3d_frames_free(&whole);
    c3d_frames_free(&cut);
}

/* Two years on two grids, in one dataset. */
static void each_year_is_read_on_its_own_grid(void **state)
{
    c3d_frames frames;

    (void)state;
    write_map("own_brazil_coverage_2019.tif", 47, C3D_U8, a_map);
    write_map("own_brazil_coverage_2020.tif", 0, C3D_U8, a_map);
    frames = make("own_brazil_coverage_{YYYY}.tif");
    assert_int_equal(frames.n_years, 2);
    for (size_t i = 0; i < frames.n; i++) {
        assert_int_equal(frames.labels[2 * i], frames.labels[2 * i + 1]);
        assert_near(frames.shares[2 * i], frames.shares[2 * i + 1], 1e-9);
    }
    c3d_frames_free(&frames);
}

/* ---- codes ----------------------------------------------------------------------------------- */

static double mostly_unseen(int band, int x, int y)
{
    (void)band, (void)x;
    if (y < 75) return 0;
    return y < 80 ? 27 : x < 20 ? 30 : 3;
}

static void mapbiomas_does_not_see_0_and_27(void **state)
{
    static const c3d_dtype types[] = { C3D_U8, C3D_U16, C3D_F32 };

    (void)state;
    for (size_t t = 0; t < C3D_COUNT(types); t++) {
        c3d_frames frames;

        write_map("MapBiomas_8_2020.tif", 0, types[t], mostly_unseen);
        frames = make("MapBiomas_8_{YYYY}.tif");
        assert_int_equal(frames.labels[0], C3D_FRAME_UNLABELLED); /* rows from 60 on */
        assert_true(isnan(frames.shares[0]));
        assert_int_not_equal(frames.labels[frames.n - 1], C3D_FRAME_UNLABELLED);
        c3d_frames_free(&frames);
    }
    write_map("mined_substance_2020.tif", 0, C3D_U16, mostly_unseen);
    assert_int_equal(try_to_make("mined_substance_{YYYY}.tif", &(c3d_frames){ 0 }), C3D_EDATA);
    assert_message("codes that its legend does not know: 3, 27, 30");
}

static double substances(int band, int x, int y)
{
    (void)band;
    return x < 15 ? 215 : y < 80 ? 0 : 115;
}

static void code_0_of_mined_substances_is_no_mine(void **state)
{
    c3d_frames frames;

    (void)state;
    legend[0].ranges[0][0] = 201;
    legend[0].ranges[0][1] = 226;
    write_map("mined_substance_2020.tif", 0, C3D_U16, substances);
    frames = make("mined_substance_{YYYY}.tif");
    assert_int_equal(frames.labels[0], C3D_FRAME_POSITIVE);
    assert_int_equal(frames.labels[15], C3D_FRAME_NEGATIVE);
    assert_near(frames.shares[15], 0, 0);
    c3d_frames_free(&frames);
    legend[0].ranges[0][0] = legend[0].ranges[0][1] = 30;
}

static void products_are_not_mixed_within_a_year(void **state)
{
    (void)state;
    write_map("mix-brazil_coverage_2020.tif", 0, C3D_U8, a_map);
    write_map("mix-mapbiomas_2020.tif", 0, C3D_U8, a_map);
    assert_int_equal(try_to_make("mix-*_{YYYY}.tif", &(c3d_frames){ 0 }), C3D_EDATA);
    assert_message("not of the same product");
}

/* ---- elsewhere ------------------------------------------------------------------------------- */

static void expect_hint(const char *crs, const double t[6], const char *says)
{
    test_raster map = {
        .width = 60, .height = 120, .n_bands = 1, .dtype = C3D_U8, .crs = crs, .rule = a_map
    };

    memcpy(map.transform, t, sizeof map.transform);
    write_test_raster("wrong_2020.tif", &map);
    assert_int_equal(try_to_make("wrong_{YYYY}.tif", &(c3d_frames){ 0 }), C3D_EDATA);
    assert_message("wrong_2020.tif: ");
    assert_message(says);
}

static void the_mistake_in_a_place_is_named(void **state)
{
    /* 30 m pixels of UTM zone 20 about the imagery, its northing without the south's 1e7 */
    double x = mosaic_t[0] - 300, y = mosaic_t[3] + 300;
    c3d_transformer *to_utm;

    (void)state;
    assert_int_equal(c3d_transformer_create("EPSG:3857", "EPSG:32720", &to_utm), C3D_OK);
    assert_int_equal(c3d_transformer_apply(to_utm, 1, &x, &y), C3D_OK);
    c3d_transformer_destroy(to_utm);
    expect_hint("EPSG:32720", (double[]){ x, 30, 0, y - 1e7, 0, -30 }, "the other hemisphere's");
    expect_hint("EPSG:4326", (double[]){ lat, 0, -STEP, lon, STEP, 0 }, "swapped");
    expect_hint("EPSG:32720", (double[]){ lon, STEP, 0, lat, 0, -STEP }, "degrees (EPSG:4326)");
    expect_hint("EPSG:32720", (double[]){ mosaic_t[0], 30, 0, mosaic_t[3], 0, -30 },
                "the imagery's CRS");
}

int main(void)
{
    static char folder[] = "label-products-XXXXXX";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_known_by_name),
        cmocka_unit_test(a_directory_is_searched),
        cmocka_unit_test(maps_47_rows_apart_give_equal_labels),
        cmocka_unit_test(each_year_is_read_on_its_own_grid),
        cmocka_unit_test(mapbiomas_does_not_see_0_and_27),
        cmocka_unit_test(code_0_of_mined_substances_is_no_mine),
        cmocka_unit_test(products_are_not_mixed_within_a_year),
        cmocka_unit_test(the_mistake_in_a_place_is_named),
    };

    c3d_raster_start();
    enter_own_folder(folder);
    return cmocka_run_group_tests(tests, make_month, NULL);
}
