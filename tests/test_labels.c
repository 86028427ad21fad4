/* Class shares by area against areas computed by hand, and the label gate. */

#include "support/rasters.h"

#include <sys/stat.h>

#include "c3d/dataset.h"
#include "data/frames.h"

#define TOLERANCE 1e-9
static c3d_label_class legend[2] = { { .name = "mining", .n_ranges = 1, .ranges = { { 30, 30 } } },
                                     { .name = "forest", .n_ranges = 1, .ranges = { { 3, 6 } } } };

static c3d_dataset_desc settings(void)
{
    return (c3d_dataset_desc){ .out_dir = "out",
                               .mosaics = "month_{YYYY}-{MM}.tif",
                               .labels = "label_{YYYY}.tif",
                               .n_classes = 2,
                               .classes = legend,
                               .positive = "mining",
                               .frame_size_px = 20,
                               .stride_px = 20,
                               .positive_share = 0.6,
                               .negative_share = 0.4,
                               .split = C3D_SPLIT_RANDOM,
                               .split_shares = { 1, 0, 0 } };
}

static double anything(int band, int x, int y)
{
    (void)band, (void)x, (void)y;
    return 1;
}

/* 100 x 100 px of 10 m from (500000, 9000000) on. */
static void write_month(const char *name)
{
    write_test_raster(
        name, &(test_raster){
                  .width = 100, .height = 100, .n_bands = 1, .dtype = C3D_U8, .rule = anything });
}

static int make_month(void **state)
{
    (void)state;
    write_month("month_2020-01.tif");
    return 0;
}

static c3d_status try_to_make(const c3d_dataset_desc *desc, c3d_frames *frames)
{
    c3d_archive archive;
    c3d_status st;

    assert_int_equal(c3d_archive_find(desc->mosaics, 0, 0, &archive), C3D_OK);
    st = c3d_frames_make(desc, &archive, frames);
    c3d_archive_free(&archive);
    return st;
}

static c3d_frames make(const c3d_dataset_desc *desc)
{
    c3d_frames frames = { 0 };

    if (try_to_make(desc, &frames) != C3D_OK) fail_msg("%s", c3d_error_last()->message);
    return frames;
}

static void write_label(double x, double y, double step_x, double step_y, int n, pixel_rule rule)
{
    write_test_raster("label_2020.tif", &(test_raster){ .width = n,
                                                        .height = n,
                                                        .n_bands = 1,
                                                        .dtype = C3D_U8,
                                                        .transform = { x, step_x, 0, y, 0, step_y },
                                                        .rule = rule });
}

/* ---- polygons in the unit square --------------------------------------------------------------
 */

static void clipped_polygons_have_known_areas(void **state)
{
    static const struct {
        plane_point points[4];
        double area;
    } cases[] = {
        { { { { 0.2, 0.2 } }, { { 0.7, 0.2 } }, { { 0.7, 0.6 } }, { { 0.2, 0.6 } } }, 0.2 },
        { { { { -1, -1 } }, { { 2, -1 } }, { { 2, 2 } }, { { -1, 2 } } }, 1 },
        { { { { -1, -1 } }, { { -1, 2 } }, { { 2, 2 } }, { { 2, -1 } } }, 1 }, /* clockwise */
        { { { { 0.5, -0.5 } }, { { 1.5, 0.5 } }, { { 0.5, 1.5 } }, { { -0.5, 0.5 } } }, 1 },
        { { { { 0.5, 0 } }, { { 1, 0.5 } }, { { 0.5, 1 } }, { { 0, 0.5 } } }, 0.5 },
        /* |x| + |y| <= 1 about the corner: a quarter of its area 2 */
        { { { { 1, 0 } }, { { 0, 1 } }, { { -1, 0 } }, { { 0, -1 } } }, 0.5 },
        /* bounding boxes meet, polygons do not */
        { { { { 1.5, 0.4 } }, { { 2.0, 2.0 } }, { { 0.4, 1.7 } }, { { 1.2, 1.2 } } }, 0 },
        { { { { -1, 0.25 } }, { { 2, 0.25 } }, { { 2, 0.5 } }, { { -1, 0.5 } } }, 0.25 },
    };

    (void)state;
    for (size_t i = 0; i < C3D_COUNT(cases); i++)
        assert_near(c3d_unit_square_area(4, cases[i].points), cases[i].area, 1e-14);
}

/* ---- shares ---------------------------------------------------------------------------------- */

static double left_of_7(int band, int x, int y)
{
    (void)band, (void)y;
    return x < 7 ? 30 : 3;
}

static double overlap(double a0, double a1, double b0, double b1)
{
    const double low = a0 > b0 ? a0 : b0, high = a1 < b1 ? a1 : b1;

    return high > low ? high - low : 0;
}

/* Same CRS, pixels of 37 m with another origin: mining lies left of x = 500000 - 13 + 7 * 37. */
static void shares_on_an_aligned_grid(void **state)
{
    const c3d_dataset_desc desc = settings();
    const double edge = -13 + 7 * 37.0;
    c3d_frames frames;

    (void)state;
    write_label(500000 - 13, 9000000 + 5, 37, -37, 40, left_of_7);
    frames = make(&desc);
    assert_int_equal(frames.n, 25);
    for (size_t i = 0; i < frames.n; i++) {
        const double x = 10.0 * frames.rows[i].x;
        const double share = overlap(x, x + 200, -1e9, edge) / 200;

        assert_near(frames.shares[2 * i], share, TOLERANCE);
        assert_near(frames.shares[2 * i + 1], 1 - share, TOLERANCE);
        assert_int_equal(frames.labels[i], share >= 0.6   ? C3D_FRAME_POSITIVE
                                           : share <= 0.4 ? C3D_FRAME_NEGATIVE
                                                          : C3D_FRAME_UNCERTAIN);
    }
    c3d_frames_free(&frames);
}

/* Rows that run upwards (north last), as some tools write them. */
static void shares_on_a_grid_upside_down(void **state)
{
    const c3d_dataset_desc desc = settings();
    c3d_frames frames;

    (void)state;
    write_test_raster("label_2020.tif",
                      &(test_raster){ .width = 40,
                                      .height = 40,
                                      .n_bands = 1,
                                      .dtype = C3D_U8,
                                      .transform = { 500000, 37, 0, 9000000 - 40 * 37, 0, 37 },
                                      .rule = left_of_7 });
    frames = make(&desc);
    for (size_t i = 0; i < frames.n; i++) {
        const double x = 10.0 * frames.rows[i].x;
        assert_near(frames.shares[2 * i], overlap(x, x + 200, -1e9, 7 * 37.0) / 200, TOLERANCE);
    }
    c3d_frames_free(&frames);
}

/* Area of the part of the unit square where a x + b y < c, for a, b > 0. */
static double area_below_line(double a, double b, double c)
{
    double area = c > 0 ? c * c : 0; /* triangle, times 2ab */

    if (c > a) area -= (c - a) * (c - a);
    if (c > b) area -= (c - b) * (c - b);
    if (c > a + b) area += (c - a - b) * (c - a - b);
    return area / (2 * a * b);
}

static double left_of_45(int band, int x, int y)
{
    (void)band, (void)y;
    return x < 45 ? 30 : 3;
}

/* Label columns are turned by an angle: mining lies on one side of a slanted line. */
static void shares_on_a_rotated_grid(void **state)
{
    const c3d_dataset_desc desc = settings();
    const double pi = 3.14159265358979323846;

    (void)state;
    for (int degrees = 20; degrees < 80; degrees += 25) {
        const double c = cos(degrees * pi / 180), s = sin(degrees * pi / 180), step = 31;
        /* columns run along (c, -s), rows along (-s, -c); u is the way along columns, from the
         * origin that is 1000 m against both axes from the middle of the imagery */
        const double middle[2] = { 500500, 9000000 - 500 };
        const double x0 = middle[0] - 1410 * c + 1800 * s, y0 = middle[1] + 1410 * s + 1800 * c;
        size_t n_cut = 0;
        c3d_frames frames;

        write_test_raster(
            "label_2020.tif",
            &(test_raster){ .width = 120,
                            .height = 120,
                            .n_bands = 1,
                            .dtype = C3D_U8,
                            .transform = { x0, step * c, -step * s, y0, -step * s, -step * c },
                            .rule = left_of_45 });
        frames = make(&desc);
        for (size_t i = 0; i < frames.n; i++) {
            /* u = (x - x0) c - (y - y0) s < 45 step, in the frame's own unit square */
            const double x = 500000 + 10.0 * frames.rows[i].x - x0;
            const double y = 9000000 - 10.0 * frames.rows[i].y - y0;
            const double share = area_below_line(200 * c, 200 * s, 45 * step - (x * c - y * s));

            assert_near(frames.shares[2 * i], share, TOLERANCE);
            assert_near(frames.shares[2 * i] + frames.shares[2 * i + 1], 1, TOLERANCE);
            n_cut += share > 0.01 && share < 0.99;
        }
        assert_true(n_cut >= 4);
        c3d_frames_free(&frames);
    }
}

/* Imagery in web Mercator, labels in degrees: both grids have straight lines, with known places. */
static double northwest(int band, int x, int y)
{
    (void)band;
    return x < 13 && y < 21 ? 30 : 3;
}

static void shares_across_reference_systems(void **state)
{
    c3d_dataset_desc desc = settings();
    const double radius = 6378137, pi = 3.14159265358979323846, step = 0.0002694945852358564;
    const double lon = -60.15, lat = -1.75;
    const double edge_x = radius * (lon + 13 * step) * pi / 180;
    const double edge_y = radius * log(tan(pi / 4 + (lat - 21 * step) * pi / 360));
    const double left = radius * (lon + 4.4 * step) * pi / 180;
    const double top = radius * log(tan(pi / 4 + (lat - 5.3 * step) * pi / 360));
    size_t n_cut = 0;
    c3d_frames frames;

    (void)state;
    write_test_raster(
        "mercator_2020-01.tif",
        &(test_raster){ .width = 200,
                        .height = 200,
                        .n_bands = 1,
                        .dtype = C3D_U8,
                        .crs = "EPSG:3857",
                        .transform = { left, 4.777314267823516, 0, top, 0, -4.777314267823516 },
                        .rule = anything });
    write_test_raster("degrees_2020.tif",
                      &(test_raster){ .width = 60,
                                      .height = 60,
                                      .n_bands = 1,
                                      .dtype = C3D_U8,
                                      .crs = "EPSG:4326",
                                      .transform = { lon, step, 0, lat, 0, -step },
                                      .rule = northwest });
    desc.mosaics = "mercator_{YYYY}-{MM}.tif";
    desc.labels = "degrees_{YYYY}.tif";
    frames = make(&desc);
    assert_int_equal(frames.n, 100);
    for (size_t i = 0; i < frames.n; i++) {
        const double size = 20 * 4.777314267823516;
        const double x = left + 4.777314267823516 * frames.rows[i].x;
        const double y = top - 4.777314267823516 * frames.rows[i].y;
        const double share =
            overlap(x, x + size, -1e9, edge_x) * overlap(y - size, y, edge_y, 1e9) / (size * size);

        assert_near(frames.shares[2 * i], share, 1e-7); /* 1e-7 of 95 m: a hundredth of a mm */
        assert_near(frames.shares[2 * i] + frames.shares[2 * i + 1], 1, 1e-7);
        n_cut += share > 0.01 && share < 0.99;
    }
    assert_true(n_cut >= 5);
    c3d_frames_free(&frames);
}

/* ---- not observed ---------------------------------------------------------------------------- */

/* Quarters of 20 x 20 px frames: code 0 and 27 among classes. */
static double unseen_codes(int band, int x, int y)
{
    (void)band;
    if (x < 20) return y < 20 ? 0 : 27;  /* all of a frame */
    if (x < 40) return x < 32 ? 0 : 30;  /* 0.6 not observed, 0.4 mining */
    if (x < 60) return x < 48 ? 27 : 30; /* 0.4 not observed, 0.6 mining */
    return y % 40 < 20 ? 30 : 3;
}

static void write_codes(c3d_dtype dtype, bool has_nodata, double nodata)
{
    write_test_raster("label_2020.tif", &(test_raster){ .width = 100,
                                                        .height = 100,
                                                        .n_bands = 1,
                                                        .dtype = dtype,
                                                        .has_nodata = has_nodata,
                                                        .nodata = nodata,
                                                        .rule = unseen_codes });
}

static void codes_0_and_27_are_not_observed_where_nothing_is_tagged(void **state)
{
    const c3d_dataset_desc desc = settings();
    c3d_frames frames;

    (void)state;
    write_codes(C3D_U8, false, 0);
    frames = make(&desc);
    assert_int_equal(frames.labels[0], C3D_FRAME_UNLABELLED);
    assert_true(isnan(frames.shares[0]) && isnan(frames.shares[1]));
    assert_int_equal(frames.labels[5], C3D_FRAME_UNLABELLED); /* second row: 27 */
    assert_int_equal(frames.labels[1], C3D_FRAME_UNLABELLED);
    assert_near(frames.shares[2], 0.4, TOLERANCE);
    assert_int_equal(frames.labels[2], C3D_FRAME_POSITIVE); /* exactly positive_share */
    assert_near(frames.shares[4], 0.6, TOLERANCE);
    c3d_frames_free(&frames);

    /* 16-bit files have no old legend: 27 is a code like others */
    write_codes(C3D_U16, false, 0);
    frames = make(&desc);
    assert_int_equal(frames.labels[0], C3D_FRAME_UNLABELLED);
    assert_int_equal(frames.labels[5], C3D_FRAME_NEGATIVE);
    c3d_frames_free(&frames);

    /* with a tag, 0 is a code too */
    write_codes(C3D_U8, true, 255);
    frames = make(&desc);
    assert_int_equal(frames.labels[0], C3D_FRAME_NEGATIVE);
    assert_true(frames.shares[0] == 0);
    c3d_frames_free(&frames);
    write_codes(C3D_F32, true, -3.4e38);
    frames = make(&desc);
    assert_int_equal(frames.labels[0], C3D_FRAME_NEGATIVE);
    c3d_frames_free(&frames);
}

static double half_outside(int band, int x, int y)
{
    (void)band, (void)y;
    return x < 50 ? 30 : 255;
}

static void nodata_and_the_edge_of_the_raster_are_not_observed(void **state)
{
    c3d_dataset_desc desc = settings();
    c3d_frames frames;

    (void)state;
    desc.stride_px = 4;
    desc.negative_share = 0.55;
    write_test_raster("label_2020.tif", &(test_raster){ .width = 100,
                                                        .height = 75,
                                                        .n_bands = 1,
                                                        .dtype = C3D_U8,
                                                        .has_nodata = true,
                                                        .nodata = 255,
                                                        .rule = half_outside });
    frames = make(&desc);
    for (size_t i = 0; i < frames.n; i++) {
        const c3d_frame *f = &frames.rows[i];
        const double share =
            overlap(f->x, f->x + 20, 0, 50) * overlap(f->y, f->y + 20, 0, 75) / 400;

        if (share > 0)
            assert_near(frames.shares[2 * i], share, TOLERANCE);
        else
            assert_true(isnan(frames.shares[2 * i]));
        assert_int_equal(frames.labels[i], share < 0.5     ? C3D_FRAME_UNLABELLED
                                           : share >= 0.6  ? C3D_FRAME_POSITIVE
                                           : share <= 0.55 ? C3D_FRAME_NEGATIVE
                                                           : C3D_FRAME_UNCERTAIN);
    }
    c3d_frames_free(&frames);
}

/* ---- years ----------------------------------------------------------------------------------- */

static double right_is_mining(int band, int x, int y)
{
    (void)band, (void)y;
    return x < 50 ? 3 : 30;
}

static double left_is_mining(int band, int x, int y)
{
    (void)band, (void)y;
    return x < 50 ? 30 : 3;
}

static void write_year(const char *path, pixel_rule rule)
{
    write_test_raster(
        path,
        &(test_raster){ .width = 100, .height = 100, .n_bands = 1, .dtype = C3D_U8, .rule = rule });
}

static void years_of_the_months_and_the_year_before_are_used(void **state)
{
    c3d_dataset_desc desc = settings();
    c3d_frames frames;

    (void)state;
    write_year("year_2017.tif", left_is_mining);
    write_year("year_2019.tif", left_is_mining);
    write_year("year_2020.tif", right_is_mining);
    write_year("year_2021.tif", left_is_mining);
    desc.labels = "year_{YYYY}.tif";
    frames = make(&desc);
    assert_int_equal(frames.n_years, 2);
    assert_int_equal(frames.years[0], 2019);
    assert_int_equal(frames.years[1], 2020);
    assert_int_equal(frames.labels[0], C3D_FRAME_POSITIVE);
    assert_int_equal(frames.labels[1], C3D_FRAME_NEGATIVE);
    c3d_frames_free(&frames);

    desc.labels = "year_2017.tif";
    assert_int_equal(try_to_make(&desc, &frames), C3D_ECONFIG);
    assert_message("data.label_period");
    desc.label_first = 20191100;
    desc.label_last = 20210300;
    frames = make(&desc);
    assert_int_equal(frames.n_years, 1);
    assert_int_equal(frames.years[0], 2021); /* the year of the end */
    c3d_frames_free(&frames);
    desc.label_first = 20210100;
    assert_int_equal(try_to_make(&desc, &frames), C3D_EDATA);
    assert_message("does not touch the months");
}

/* ---- the gate -------------------------------------------------------------------------------- */

static double always_9(int band, int x, int y)
{
    (void)band, (void)x, (void)y;
    return 9;
}

static double zeros_and_mines(int band, int x, int y)
{
    (void)band, (void)y;
    return x < 50 ? 30 : 0;
}

static double colours(int band, int x, int y)
{
    (void)band;
    return (x + 2 * y) % 200;
}

static double only_few_forest(int band, int x, int y)
{
    (void)band;
    return x < 20 && y < 20 ? 3 : 9;
}

static void assert_refused(const c3d_dataset_desc *desc, const char *says)
{
    c3d_frames frames = { 0 };

    assert_int_equal(try_to_make(desc, &frames), C3D_EDATA);
    assert_message(says);
}

static void labels_of_another_place_are_refused(void **state)
{
    c3d_dataset_desc desc = settings();

    (void)state;
    write_label(600000, 9000000, 30, -30, 50, left_of_7);
    assert_refused(&desc, "label_2020.tif: does not overlap the imagery");
    write_test_raster("degrees_2020.tif",
                      &(test_raster){ .width = 60,
                                      .height = 60,
                                      .n_bands = 1,
                                      .dtype = C3D_U8,
                                      .crs = "EPSG:4326",
                                      .transform = { 10, 0.001, 0, 50, 0, -0.001 },
                                      .rule = left_of_7 });
    desc.labels = "degrees_{YYYY}.tif";
    assert_refused(&desc, "degrees_2020.tif: does not overlap the imagery");
}

static void labels_without_the_classes_are_refused(void **state)
{
    c3d_dataset_desc desc = settings();

    (void)state;
    write_year("label_2020.tif", always_9);
    assert_refused(&desc, "no code of data.label_classes lies under the frames; codes there: 9");
    write_year("label_2020.tif", only_few_forest);
    assert_refused(&desc, "none of whose codes occur");
    assert_message("train 0 of 25 frames");
    write_year("label_2020.tif", zeros_and_mines);
    assert_refused(&desc, "code 0");
    write_year("label_2020.tif", left_is_mining);
    desc.split_shares[0] = 0.5;
    desc.split_shares[2] = 0.5;
    desc.split = C3D_SPLIT_BLOCKS;
    desc.block_km = 1; /* one block */
    assert_refused(&desc, "no frame of split test is positive");
    assert_message("test 0 of 0 frames");
    assert_message("data.block_km");
}

static void years_off_the_months_are_refused(void **state)
{
    c3d_dataset_desc desc = settings();

    (void)state;
    write_year("old_2011.tif", left_is_mining);
    write_year("old_2012.tif", left_is_mining);
    desc.labels = "old_{YYYY}.tif";
    assert_refused(&desc, "label years 2011 to 2012 do not touch the months 2020-01 to 2020-01");
}

static void pictures_are_refused(void **state)
{
    static const char *const names[] = { "red", "green", "blue" };
    c3d_dataset_desc desc = settings();
    c3d_text vrt = { 0 };

    (void)state;
    write_test_raster("picture_2020.tif", &(test_raster){ .width = 100,
                                                          .height = 100,
                                                          .n_bands = 3,
                                                          .dtype = C3D_U8,
                                                          .band_names = names,
                                                          .rule = colours });
    desc.labels = "picture_{YYYY}.tif";
    assert_refused(&desc, "a picture of 3 bands");

    write_year("colours.tif", colours);
    c3d_text_add(&vrt,
                 "<VRTDataset rasterXSize=\"100\" rasterYSize=\"100\"><SRS>EPSG:32721</SRS>"
                 "<GeoTransform>500000, 10, 0, 9000000, 0, -10</GeoTransform>"
                 "<VRTRasterBand dataType=\"Byte\" band=\"1\"><ColorInterp>Palette</ColorInterp>"
                 "<ColorTable><Entry c1=\"0\" c2=\"0\" c3=\"0\" c4=\"255\"/></ColorTable>"
                 "<SimpleSource><SourceFilename relativeToVRT=\"1\">colours.tif</SourceFilename>"
                 "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>");
    assert_int_equal(c3d_file_write("palette_2020.vrt", vrt.text, vrt.length), C3D_OK);
    c3d_text_free(&vrt);
    desc.labels = "palette_{YYYY}.vrt";
    assert_refused(&desc, "a picture with a palette of 200 colours");
}

static void a_code_in_two_classes_is_refused(void **state)
{
    c3d_label_class classes[2] = { legend[0], legend[1] };
    c3d_dataset_desc desc = settings();
    c3d_frames frames;

    (void)state;
    write_year("label_2020.tif", left_is_mining);
    classes[1].ranges[0][1] = 40;
    desc.classes = classes;
    assert_int_equal(try_to_make(&desc, &frames), C3D_ECONFIG);
    assert_message("code 30 is in mining and in forest");
}

static void a_label_raster_cut_in_half_is_named(void **state)
{
    const c3d_dataset_desc desc = settings();
    struct stat size;

    (void)state;
    write_test_raster(
        "label_2020.tif",
        &(test_raster){
            .width = 300, .height = 300, .n_bands = 1, .dtype = C3D_U16, .rule = colours });
    assert_int_equal(stat("label_2020.tif", &size), 0);
    assert_int_equal(truncate("label_2020.tif", size.st_size / 3), 0);
    assert_refused(&desc, "label_2020.tif");
}

int main(void)
{
    static char folder[] = "labels-XXXXXX";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clipped_polygons_have_known_areas),
        cmocka_unit_test(shares_on_an_aligned_grid),
        cmocka_unit_test(shares_on_a_grid_upside_down),
        cmocka_unit_test(shares_on_a_rotated_grid),
        cmocka_unit_test(shares_across_reference_systems),
        cmocka_unit_test(codes_0_and_27_are_not_observed_where_nothing_is_tagged),
        cmocka_unit_test(nodata_and_the_edge_of_the_raster_are_not_observed),
        cmocka_unit_test(years_of_the_months_and_the_year_before_are_used),
        cmocka_unit_test(labels_of_another_place_are_refused),
        cmocka_unit_test(labels_without_the_classes_are_refused),
        cmocka_unit_test(years_off_the_months_are_refused),
        cmocka_unit_test(pictures_are_refused),
        cmocka_unit_test(a_code_in_two_classes_is_refused),
        cmocka_unit_test(a_label_raster_cut_in_half_is_named),
    };

    c3d_raster_start();
    enter_own_folder(folder);
    return cmocka_run_group_tests(tests, make_month, NULL);
}
