/* Polygons and points as labels: areas by hand and without any clipping, classes, dates, files. */

#include "support/edge_area.h"
#include "support/rasters.h"

#include "c3d/dataset.h"
#include "data/label_vector.h"

/* Imagery: 100 x 100 px of 10 m from (500000, 9000000) in EPSG:32721; frames of 20 px. Lengths here
 * are in frames: x to the right, y down. */
#define EAST(x)  (500000 + 200.0 * (x))
#define NORTH(y) (9000000 - 200.0 * (y))

static c3d_label_class classes[] = {
    { .name = "garimpo", .n_texts = 1, .texts = { "garimpo" } },
    { .name = "industrial",
      .n_ranges = 1,
      .ranges = { { 101, 130 } },
      .n_texts = 1,
      .texts = { "industrial mine" } },
};
static c3d_label_class any[] = { { .name = "mine", .n_texts = 1, .texts = { "*" } } };

static c3d_dataset_desc settings(const char *labels)
{
    return (c3d_dataset_desc){ .out_dir = "out",
                               .mosaics = "month_{YYYY}-{MM}.tif",
                               .labels = labels,
                               .label_field = "kind",
                               .label_first = 20200100,
                               .label_last = 20201200,
                               .n_classes = 2,
                               .classes = classes,
                               .frame_size_px = 20,
                               .stride_px = 20,
                               .positive_share = 0.3,
                               .negative_share = 0.01,
                               .split = C3D_SPLIT_RANDOM,
                               .split_shares = { 1, 0, 0 } };
}

static double anything(int band, int x, int y)
{
    (void)band, (void)x, (void)y;
    return 1;
}

static int make_months(void **state)
{
    static const char *const names[] = { "month_2020-01.tif", "month_2021-01.tif" };

    (void)state;
    for (size_t i = 0; i < C3D_COUNT(names); i++)
        write_test_raster(
            names[i],
            &(test_raster){
                .width = 100, .height = 100, .n_bands = 1, .dtype = C3D_U8, .rule = anything });
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

/* ---- a layer of polygons --------------------------------------------------------------------- */

/* n points as x, y in frames; written as a closed ring. */
static void add_ring(c3d_vector_writer *writer, int n, const double (*points)[2], const char *kind,
                     const char *date)
{
    double ring[2 * 16];

    for (int i = 0; i <= n; i++) {
        ring[2 * i] = EAST(points[i % n][0]);
        ring[2 * i + 1] = NORTH(points[i % n][1]);
    }
    assert_int_equal(
        c3d_vector_writer_add(writer, ring, n + 1,
                              (const c3d_field_value[]){ { .t = kind }, { .t = date } }),
        C3D_OK);
}

static c3d_vector_writer *start_layer(const char *path)
{
    const c3d_field_desc fields[] = { { "kind", C3D_FIELD_TEXT }, { "date", C3D_FIELD_TEXT } };
    c3d_vector_writer *writer;

    assert_int_equal(c3d_vector_writer_create(path, &writer), C3D_OK);
    assert_int_equal(c3d_vector_writer_layer(writer, "mines", "EPSG:32721", fields, 2), C3D_OK);
    return writer;
}

static void areas_of_polygons_are_exact(void **state)
{
    const c3d_dataset_desc desc = settings("mines.gpkg");
    c3d_vector_writer *writer = start_layer("mines.gpkg");
    c3d_frames frames;

    (void)state;
    /* frame 0: two squares of a quarter each that overlap by a sixteenth */
    add_ring(writer, 4, (const double[][2]){ { 0, 0 }, { .5, 0 }, { .5, .5 }, { 0, .5 } },
             "garimpo", "2020");
    add_ring(writer, 4,
             (const double[][2]){ { .25, .25 }, { .75, .25 }, { .75, .75 }, { .25, .75 } },
             "garimpo", "2020");
    /* frames 1 and 2: a triangle over their common edge, and its code as text */
    add_ring(writer, 3, (const double[][2]){ { 1.5, .1 }, { 2.5, .1 }, { 2, .9 } }, "115", "2020");
    /* frame 3: a bow tie: two triangles that meet in a point */
    add_ring(writer, 4, (const double[][2]){ { 3, 0 }, { 4, 1 }, { 4, 0 }, { 3, 1 } },
             "industrial mine", "2020");
    add_ring(writer, 4, (const double[][2]){ { 0, 4 }, { 5, 4 }, { 5, 9 }, { 0, 9 } }, "farm",
             "2020");
    assert_int_equal(c3d_vector_writer_commit(writer), C3D_OK);
    frames = make(&desc);
    assert_int_equal(frames.n, 25);
    assert_int_equal(frames.years[0], 2020);
    assert_near(frames.shares[0], 0.4375, 1e-11);
    assert_near(frames.shares[1], 0, 0);
    assert_int_equal(frames.labels[0], 1);
    assert_near(frames.shares[3], 0.2, 1e-11);
    assert_near(frames.shares[5], 0.2, 1e-11);
    assert_int_equal(frames.labels[1], C3D_FRAME_UNCERTAIN);
    assert_near(frames.shares[7], 0.5, 1e-11);
    assert_int_equal(frames.labels[3], 2);
    for (size_t i = 4; i < frames.n; i++) assert_int_equal(frames.labels[i], C3D_FRAME_NEGATIVE);
    c3d_frames_free(&frames);
}

/* Of a ring within the unit square from (x, y). */
static double area_within(int n, const double (*points)[2], double x, double y)
{
    long double sum = 0;

    for (int i = 0; i < n; i++) {
        const double *a = points[i], *b = points[(i + 1) % n];

        sum += below_edge(a[0] - x, a[1] - y, b[0] - x, b[1] - y);
    }
    return (double)fabsl(sum);
}

/* A spiral of 60 corners over all frames: cut many times on the way down to a frame. */
static void a_large_polygon_is_cut_right(void **state)
{
    enum { N = 60 };
    c3d_dataset_desc desc = settings("spiral.geojson");
    double points[N][2];
    c3d_text json = { 0 };
    double sum = 0;
    c3d_frames frames;

    (void)state;
    c3d_text_add(&json, "{\"type\":\"FeatureCollection\",\"crs\":{\"type\":\"name\",\"properties\":"
                        "{\"name\":\"EPSG:32721\"}},\"features\":[{\"type\":\"Feature\","
                        "\"properties\":{\"kind\":\"x\"},\"geometry\":{\"type\":\"Polygon\","
                        "\"coordinates\":[[");
    for (int i = 0; i <= N; i++) {
        const double turn = 4.5 * (i % N < N / 2 ? i % N : N - 1 - i % N) / (N / 2.0) * 3.14159;
        const double radius = (i % N < N / 2 ? 2.4 : 1.9) * (turn + 1) / 15.2;

        points[i % N][0] = 2.5 + radius * cos(turn);
        points[i % N][1] = 2.5 + radius * sin(turn);
        c3d_text_add(&json, "%s[%.12f,%.12f]", i ? "," : "", EAST(points[i % N][0]),
                     NORTH(points[i % N][1]));
    }
    c3d_text_add(&json, "]]}}]}");
    assert_int_equal(c3d_file_write("spiral.geojson", json.text, json.length), C3D_OK);
    c3d_text_free(&json);
    desc.classes = any;
    desc.n_classes = 1;
    desc.negative_share = 0.2;
    frames = make(&desc);
    for (size_t i = 0; i < frames.n; i++) {
        const double x = (double)(i % 5), y = (double)(i / 5);

        assert_near(frames.shares[i], area_within(N, (const double(*)[2])points, x, y), 1e-9);
        sum += frames.shares[i];
    }
    assert_true(sum > 2);
    c3d_frames_free(&frames);
}

/* ---- holes, several parts, degrees ----------------------------------------------------------- */

static void write_degrees(const char *path, const char *geometry, const double (*points)[2], int n)
{
    c3d_transformer *to_degrees;
    c3d_text json = { 0 };
    int next = 0;

    assert_int_equal(c3d_transformer_create("EPSG:32721", "EPSG:4326", &to_degrees), C3D_OK);
    c3d_text_add(&json, "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\","
                        "\"properties\":{\"kind\":\"garimpo\"},\"geometry\":");
    for (const char *c = geometry; *c; c++) { /* each '#' is the next point */
        if (*c != '#') {
            c3d_text_add(&json, "%c", *c);
            continue;
        }
        assert_true(next < n);
        double x = EAST(points[next][0]), y = NORTH(points[next][1]);

        assert_int_equal(c3d_transformer_apply(to_degrees, 1, &x, &y), C3D_OK);
        c3d_text_add(&json, "[%.15f,%.15f]", x, y);
        next++;
    }
    c3d_text_add(&json, "}]}");
    assert_int_equal(next, n);
    assert_int_equal(c3d_file_write(path, json.text, json.length), C3D_OK);
    c3d_text_free(&json);
    c3d_transformer_destroy(to_degrees);
}

static void holes_and_parts_count(void **state)
{
    static const double points[][2] = {
        { 0, 0 },   { 1, 0 },   { 1, 1 },   { 0, 1 },   { 0, 0 },   /* all of frame 0 ... */
        { .2, .2 }, { .2, .7 }, { .7, .7 }, { .7, .2 }, { .2, .2 }, /* ... but this */
        { 2, 0 },   { 2.5, 0 }, { 2.5, 1 }, { 2, 1 },   { 2, 0 },   /* half of frame 2 */
    };
    const c3d_dataset_desc desc = settings("parts.geojson");
    c3d_frames frames;

    (void)state;
    write_degrees("parts.geojson",
                  "{\"type\":\"MultiPolygon\",\"coordinates\":[[[#,#,#,#,#],[#,#,#,#,#]],"
                  "[[#,#,#,#,#]]]}",
                  points, 15);
    frames = make(&desc);
    assert_near(frames.shares[0], 0.75, 1e-6);
    assert_near(frames.shares[2], 0, 1e-6);
    assert_near(frames.shares[4], 0.5, 1e-6);
    c3d_frames_free(&frames);
}

static void a_point_makes_its_frame(void **state)
{
    static const double points[][2] = { { .5, .5 }, { 2, 1.5 }, { 2.1, 1.2 } };
    const c3d_dataset_desc desc = settings("points.geojson");
    c3d_frames frames;

    (void)state;
    write_degrees("points.geojson", "{\"type\":\"MultiPoint\",\"coordinates\":[#,#,#]}", points, 3);
    frames = make(&desc);
    for (size_t i = 0; i < frames.n; i++) {
        const bool has_point = i == 0 || i == 7;

        assert_near(frames.shares[2 * i], has_point, 0);
        assert_int_equal(frames.labels[i], has_point ? 1 : C3D_FRAME_NEGATIVE);
    }
    c3d_frames_free(&frames);
    write_degrees("line.geojson", "{\"type\":\"LineString\",\"coordinates\":[#,#,#]}", points, 3);
    assert_int_equal(try_to_make(&(c3d_dataset_desc){ .out_dir = "out",
                                                      .mosaics = desc.mosaics,
                                                      .labels = "line.geojson",
                                                      .label_first = 20200100,
                                                      .label_last = 20201200,
                                                      .n_classes = 1,
                                                      .classes = any,
                                                      .frame_size_px = 20,
                                                      .stride_px = 20,
                                                      .positive_share = 0.3,
                                                      .split = C3D_SPLIT_RANDOM,
                                                      .split_shares = { 1, 0, 0 } },
                                 &frames),
                     C3D_EDATA);
    assert_message("line.geojson: row 1: neither polygon nor point");
}

/* ---- years ----------------------------------------------------------------------------------- */

static void a_field_of_dates_makes_label_years(void **state)
{
    c3d_dataset_desc desc = settings("dated.gpkg");
    c3d_vector_writer *writer = start_layer("dated.gpkg");
    c3d_frames frames;

    (void)state;
    desc.label_first = desc.label_last = 0;
    desc.label_date_field = "date";
    desc.classes = any;
    desc.n_classes = 1;
    desc.label_field = NULL;
    add_ring(writer, 4, (const double[][2]){ { 0, 0 }, { 1, 0 }, { 1, 1 }, { 0, 1 } }, "a",
             "2020-05-03");
    add_ring(writer, 4, (const double[][2]){ { 1, 0 }, { 2, 0 }, { 2, 1 }, { 1, 1 } }, "a", "2021");
    add_ring(writer, 4, (const double[][2]){ { 2, 0 }, { 3, 0 }, { 3, 1 }, { 2, 1 } }, "a", "1999");
    add_ring(writer, 4, (const double[][2]){ { 3, 0 }, { 4, 0 }, { 4, 1 }, { 3, 1 } }, "a", NULL);
    assert_int_equal(c3d_vector_writer_commit(writer), C3D_OK);
    frames = make(&desc);
    assert_int_equal(frames.n_years, 2);
    assert_int_equal(frames.years[0], 2020);
    assert_int_equal(frames.years[1], 2021);
    for (size_t i = 0; i < 2 * frames.n; i++)
        assert_int_equal(frames.labels[i], i == 0 || i == 3 ? 1 : C3D_FRAME_NEGATIVE);
    c3d_frames_free(&frames);
    desc.label_date_field = "datum";
    assert_int_equal(try_to_make(&desc, &frames), C3D_EDATA);
    assert_message("dated.gpkg: no field datum (data.label_date_field); it has kind, date");
}

static void mistakes_are_told(void **state)
{
    c3d_dataset_desc desc = settings("mistakes.gpkg");
    c3d_vector_writer *writer = start_layer("mistakes.gpkg");
    c3d_frames frames;

    (void)state;
    add_ring(writer, 3, (const double[][2]){ { 0, 0 }, { 1, 0 }, { 1, 1 } }, "quarry", "2020");
    assert_int_equal(c3d_vector_writer_commit(writer), C3D_OK);
    assert_int_equal(try_to_make(&desc, &frames), C3D_EDATA);
    assert_message("none of its 1 features is of a class of data.label_classes; kind has quarry");
    desc.label_field = NULL;
    assert_int_equal(try_to_make(&desc, &frames), C3D_ECONFIG);
    assert_message("data.label_field: not given");

    writer = start_layer("elsewhere.gpkg");
    add_ring(writer, 3, (const double[][2]){ { 90, 0 }, { 91, 0 }, { 91, 1 } }, "garimpo", "2020");
    assert_int_equal(c3d_vector_writer_commit(writer), C3D_OK);
    desc = settings("elsewhere.gpkg");
    assert_int_equal(try_to_make(&desc, &frames), C3D_EDATA);
    assert_message("elsewhere.gpkg: does not overlap the imagery");
}

int main(void)
{
    static char folder[] = "label-shapes-XXXXXX";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(areas_of_polygons_are_exact),
        cmocka_unit_test(a_large_polygon_is_cut_right),
        cmocka_unit_test(holes_and_parts_count),
        cmocka_unit_test(a_point_makes_its_frame),
        cmocka_unit_test(a_field_of_dates_makes_label_years),
        cmocka_unit_test(mistakes_are_told),
    };

    c3d_raster_start();
    enter_own_folder(folder);
    return cmocka_run_group_tests(tests, make_months, NULL);
}
