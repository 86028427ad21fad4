/* Labels of several classes: which one a frame gets, their names in files, the gate. */

#include "support/rasters.h"

#include "c3d/dataset.h"
#include "data/frames.h"
#include "data/labels.h"

static c3d_label_class mined[] = {
    { .name = "industrial", .n_ranges = 1, .ranges = { { 101, 130 } } },
    { .name = "garimpo", .n_ranges = 1, .ranges = { { 201, 226 } } },
    { .name = "other", .n_ranges = 1, .ranges = { { 301, 301 } } },
};

static c3d_dataset_desc settings(void)
{
    return (c3d_dataset_desc){ .out_dir = "out",
                               .mosaics = "month_{YYYY}-{MM}.tif",
                               .labels = "mined_{YYYY}.tif",
                               .n_classes = 3,
                               .classes = mined,
                               .frame_size_px = 20,
                               .stride_px = 20,
                               .positive_share = 0.3,
                               .negative_share = 0.2,
                               .split = C3D_SPLIT_RANDOM,
                               .split_shares = { 1, 0, 0 } };
}

static double anything(int band, int x, int y)
{
    (void)band, (void)x, (void)y;
    return 1;
}

/* Rows of frames (20 px): what share of a frame's columns has which code. */
static double substances(int band, int x, int y)
{
    static const struct {
        int until, code;
    } rows[5][3] = {
        { { 6, 115 }, { 14, 215 }, { 20, 9 } },   /* 0.3, 0.4: garimpo */
        { { 8, 130 }, { 16, 101 }, { 20, 226 } }, /* 0.8 in two codes: industrial */
        { { 6, 301 }, { 12, 201 }, { 20, 9 } },   /* 0.3 each: the first class, garimpo */
        { { 5, 115 }, { 10, 301 }, { 20, 9 } },   /* 0.25 each: uncertain */
        { { 2, 115 }, { 4, 215 }, { 20, 9 } },    /* 0.1 and 0.1 together: negative */
    };
    int i = 0;

    (void)band;
    while (x % 20 >= rows[y / 20][i].until) i++;
    return rows[y / 20][i].code;
}

static double no_industry(int band, int x, int y)
{
    const double code = substances(band, x, y);

    return code >= 101 && code <= 130 ? 9 : code;
}

static void write_labels(pixel_rule rule)
{
    write_test_raster(
        "mined_2020.tif",
        &(test_raster){
            .width = 100, .height = 100, .n_bands = 1, .dtype = C3D_U16, .rule = rule });
}

static int make_month(void **state)
{
    (void)state;
    write_test_raster(
        "month_2020-01.tif",
        &(test_raster){
            .width = 100, .height = 100, .n_bands = 1, .dtype = C3D_U8, .rule = anything });
    return 0;
}

static c3d_status try_to_make(const c3d_dataset_desc *desc, c3d_archive *archive,
                              c3d_frames *frames)
{
    assert_int_equal(c3d_archive_find(desc->mosaics, 0, 0, archive), C3D_OK);
    return c3d_frames_make(desc, archive, frames);
}

static void the_largest_class_labels_a_frame(void **state)
{
    static const c3d_frame_label expected[5] = { 2, 1, 2, C3D_FRAME_UNCERTAIN, C3D_FRAME_NEGATIVE };
    const c3d_dataset_desc desc = settings();
    c3d_archive archive;
    c3d_frames frames = { 0 };

    (void)state;
    write_labels(substances);
    assert_int_equal(try_to_make(&desc, &archive, &frames), C3D_OK);
    assert_int_equal(frames.n, 25);
    assert_true(frames.by_class);
    assert_int_equal(c3d_frames_n_labels(&frames), 3);
    for (size_t i = 0; i < frames.n; i++) assert_int_equal(frames.labels[i], expected[i / 5]);
    assert_near(frames.shares[0], 0.3, 1e-12);
    assert_near(frames.shares[1], 0.4, 1e-12);
    c3d_frames_free(&frames);
    c3d_archive_free(&archive);
}

static void classes_go_through_the_file(void **state)
{
    const c3d_dataset_desc desc = settings();
    c3d_frame_label label;
    c3d_archive archive;
    c3d_frames frames = { 0 }, again = { 0 };

    (void)state;
    write_labels(substances);
    assert_int_equal(try_to_make(&desc, &archive, &frames), C3D_OK);
    assert_string_equal(c3d_frame_label_name(&frames, 1), "industrial");
    assert_string_equal(c3d_frame_label_name(&frames, 3), "other");
    assert_string_equal(c3d_frame_label_name(&frames, C3D_FRAME_UNCERTAIN), "uncertain");
    assert_false(c3d_frame_label_parse(&frames, "positive", &label));
    assert_int_equal(c3d_frames_write("frames.gpkg", &frames, &desc, &archive), C3D_OK);
    assert_int_equal(c3d_frames_read("frames.gpkg", &again), C3D_OK);
    assert_true(again.by_class);
    assert_memory_equal(again.labels, frames.labels, frames.n * sizeof *frames.labels);
    for (size_t i = 0; i < again.n; i++) assert_false(again.rows[i].edited);
    c3d_frames_free(&frames);
    c3d_frames_free(&again);
    c3d_archive_free(&archive);
}

/* Frames of 200 m in columns: a mine, forest, forest with sand, forest, forest. */
static double a_row(int band, int x, int y)
{
    (void)band, (void)y;
    if (x < 20) return 215;
    return x >= 40 && x < 50 ? 23 : 3;
}

static double a_row_before(int band, int x, int y)
{
    return x < 60 ? 3 : a_row(band, x, y);
}

static void write_year(const char *path, pixel_rule rule)
{
    write_test_raster(
        path, &(test_raster){
                  .width = 100, .height = 100, .n_bands = 1, .dtype = C3D_U16, .rule = rule });
}

static void a_change_through_uncertain_years_is_one(void **state)
{
    int years[] = { 2018, 2019, 2021 };
    c3d_frame_label labels[] = { C3D_FRAME_NEGATIVE,   C3D_FRAME_UNCERTAIN, C3D_FRAME_POSITIVE,
                                 C3D_FRAME_UNLABELLED, C3D_FRAME_POSITIVE,  C3D_FRAME_POSITIVE };
    const c3d_frames frames = { .n = 2, .n_years = 3, .years = years, .labels = labels };

    (void)state;
    assert_false(c3d_label_changes(&frames, 0, 0));
    assert_false(c3d_label_changes(&frames, 0, 1));
    assert_true(c3d_label_changes(&frames, 0, 2));
    for (int k = 0; k < 3; k++) assert_false(c3d_label_changes(&frames, 1, k));
}

static void hard_negatives_and_changes_are_flagged(void **state)
{
    static const c3d_label_class sand[] = {
        { .name = "sand", .n_ranges = 1, .ranges = { { 23, 23 } } }
    };
    c3d_dataset_desc desc = settings();
    c3d_archive archive;
    c3d_frames frames = { 0 }, again = { 0 };
    c3d_vector *layer;
    long long value;

    (void)state;
    write_year("row_2019.tif", a_row_before);
    write_year("row_2020.tif", a_row);
    desc.labels = "row_{YYYY}.tif";
    desc.n_hard = 1;
    desc.hard = sand;
    assert_int_equal(try_to_make(&desc, &archive, &frames), C3D_OK);
    assert_int_equal(c3d_frames_write("flags.gpkg", &frames, &desc, &archive), C3D_OK);
    assert_int_equal(c3d_frames_read("flags.gpkg", &again), C3D_OK);
    assert_int_equal(c3d_vector_open("flags.gpkg", "frames", &layer), C3D_OK);
    for (size_t i = 0; i < frames.n; i++) {
        assert_int_equal(again.hard[2 * i], 0);
        assert_int_equal(again.hard[2 * i + 1], i % 5 == 2);
        assert_int_equal(again.labels[2 * i], C3D_FRAME_NEGATIVE);
        assert_int_equal(again.labels[2 * i + 1], i % 5 == 0 ? 2 : C3D_FRAME_NEGATIVE);
        assert_true(c3d_vector_int(layer, i, c3d_vector_field(layer, "change_2020"), &value));
        assert_int_equal(value, i % 5 == 0);
    }
    assert_int_equal(c3d_vector_field(layer, "change_2019"), -1);
    c3d_vector_close(layer);
    c3d_frames_free(&frames);
    c3d_frames_free(&again);
    c3d_archive_free(&archive);
}

/* Gaps between a frame of column 0 and those of columns 1 to 4: 0, 200, 400, 600 m. */
static void negatives_keep_their_distance(void **state)
{
    static const struct {
        double metres;
        int n_uncertain; /* columns from 1 on */
    } cases[] = { { 0, 0 }, { 1, 1 }, { 200, 1 }, { 201, 2 }, { 399, 2 }, { 401, 3 } };
    c3d_dataset_desc desc = settings();

    (void)state;
    write_year("row_2019.tif", a_row_before);
    write_year("row_2020.tif", a_row);
    desc.labels = "row_{YYYY}.tif";
    for (size_t t = 0; t < C3D_COUNT(cases); t++) {
        c3d_archive archive;
        c3d_frames frames = { 0 };

        desc.negative_distance_m = cases[t].metres;
        assert_int_equal(try_to_make(&desc, &archive, &frames), C3D_OK);
        for (size_t i = 0; i < frames.n; i++) {
            const int column = (int)(i % 5);
            const bool is_near = column > 0 && column <= cases[t].n_uncertain;

            assert_int_equal(frames.labels[2 * i], C3D_FRAME_NEGATIVE); /* no mine that year */
            assert_int_equal(frames.labels[2 * i + 1], column == 0 ? 2
                                                       : is_near   ? C3D_FRAME_UNCERTAIN
                                                                   : C3D_FRAME_NEGATIVE);
        }
        c3d_frames_free(&frames);
        c3d_archive_free(&archive);
    }
}

static void reserved_names_and_absent_classes_are_refused(void **state)
{
    c3d_label_class classes[] = { mined[0], mined[1] };
    c3d_dataset_desc desc = settings();
    c3d_archive archive;
    c3d_frames frames = { 0 };

    (void)state;
    desc.classes = classes;
    desc.n_classes = 2;
    (void)snprintf(classes[1].name, sizeof classes[1].name, "uncertain");
    assert_int_equal(try_to_make(&desc, &archive, &frames), C3D_ECONFIG);
    assert_message("a class cannot be called uncertain");
    c3d_archive_free(&archive);

    desc.n_classes = 1;
    write_labels(no_industry);
    assert_int_equal(try_to_make(&desc, &archive, &frames), C3D_EDATA);
    assert_message("no code of data.label_classes lies under the frames");
    c3d_archive_free(&archive);
}

int main(void)
{
    static char folder[] = "label-classes-XXXXXX";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_class_labels_a_frame),
        cmocka_unit_test(classes_go_through_the_file),
        cmocka_unit_test(a_change_through_uncertain_years_is_one),
        cmocka_unit_test(hard_negatives_and_changes_are_flagged),
        cmocka_unit_test(negatives_keep_their_distance),
        cmocka_unit_test(reserved_names_and_absent_classes_are_refused),
    };

    c3d_raster_start();
    enter_own_folder(folder);
    return cmocka_run_group_tests(tests, make_month, NULL);
}
