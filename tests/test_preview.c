/* The preview page: which scenes, their pixels, and label borders against another way to find them.
 */

#include "support/rasters.h"

#include "c3d/dataset.h"
#include "data/preview.h"

/* Two months of 10 m pixels; in the second the left 6 columns are not observed. Values tell the
 * band and place. */
enum { WIDTH = 60, HEIGHT = 40, SIZE = 20 };

static double first_month(int band, int x, int y)
{
    return 1000 + 100 * band + 10 * (x % SIZE) + (y % SIZE);
}

static double second_month(int band, int x, int y)
{
    return x % SIZE < 6 ? 0 : first_month(band, x, y);
}

/* Class 30 in patches of about 8 x 6 label pixels, else 3. Label pixels are 0.00025 degrees on a
 * grid of their own, which in the frames' CRS is turned and stretched. */
#define LABEL_STEP 0.00025
static double label_origin[2];

static bool is_mine(int x, int y)
{
    return (x / 8 + 2 * (y / 6)) % 3 == 0;
}

static double label_code(int band, int x, int y)
{
    (void)band;
    return is_mine(x, y) ? 30 : 3;
}

static const char *const band_names[3] = { "blue", "green", "red" };
static c3d_label_class legend[1] = {
    { .name = "mining", .n_ranges = 1, .ranges = { { 30, 30 } } }
};
static c3d_transformer *to_degrees;

static c3d_dataset_desc settings(void)
{
    return (c3d_dataset_desc){ .out_dir = "set",
                               .mosaics = "month_{YYYY}-{MM}.tif",
                               .labels = "label_{YYYY}.tif",
                               .n_classes = 1,
                               .classes = legend,
                               .positive = "mining",
                               .frame_size_px = SIZE,
                               .stride_px = SIZE,
                               .positive_share = 0.35,
                               .negative_share = 0.3,
                               .samples = C3D_SAMPLES_SERIES,
                               .max_missing_share = 0.9,
                               .split = C3D_SPLIT_BLOCKS,
                               .block_km = 0.2,
                               .split_shares = { 0.34, 0.33, 0.33 },
                               .seed = 1 };
}

static void write_archive(void)
{
    test_raster month = { .width = WIDTH,
                          .height = HEIGHT,
                          .n_bands = 3,
                          .dtype = C3D_U16,
                          .band_names = band_names,
                          .has_nodata = true,
                          .rule = first_month };
    double x = 500000, y = 9000000;

    write_test_raster("month_2020-02.tif", &month);
    month.rule = second_month;
    write_test_raster("month_2020-03.tif", &month);
    assert_int_equal(c3d_transformer_apply(to_degrees, 1, &x, &y), C3D_OK);
    label_origin[0] = x - 4.3 * LABEL_STEP;
    label_origin[1] = y + 4.7 * LABEL_STEP;
    write_test_raster("label_2020.tif",
                      &(test_raster){ .width = 40,
                                      .height = 30,
                                      .n_bands = 1,
                                      .dtype = C3D_U8,
                                      .crs = "EPSG:4326",
                                      .transform = { label_origin[0], LABEL_STEP, 0,
                                                     label_origin[1], 0, -LABEL_STEP },
                                      .rule = label_code });
}

static int build(void **state)
{
    const c3d_dataset_desc desc = settings();

    (void)state;
    assert_int_equal(c3d_transformer_create("EPSG:32721", "EPSG:4326", &to_degrees), C3D_OK);
    write_archive();
    if (c3d_dataset_frames(&desc, NULL) != C3D_OK || c3d_dataset_clip(&desc, NULL) != C3D_OK ||
        c3d_dataset_samples(&desc, NULL) != C3D_OK)
        fail_msg("%s", c3d_error_last()->message);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    c3d_transformer_destroy(to_degrees);
    return 0;
}

static char *page_of(const char *dir, c3d_preview_desc desc)
{
    c3d_text said = { 0 };
    char *page;

    desc.dir = dir;
    desc.path = "page.html";
    desc.made_by = "a test";
    if (desc.n == 0) desc.n = 6;
    if (desc.max_mb == 0) desc.max_mb = 20;
    if (c3d_dataset_preview(&desc, &said) != C3D_OK) fail_msg("%s", c3d_error_last()->message);
    c3d_text_free(&said);
    assert_int_equal(c3d_file_read("page.html", &page, NULL), C3D_OK);
    return page;
}

static char *make_page(c3d_preview_desc desc)
{
    return page_of("set", desc);
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;

    for (const char *p = text; (p = strstr(p, part)) != NULL; p += strlen(part)) n++;
    return n;
}

/* ---- pictures -------------------------------------------------------------------------------- */

static size_t decode_base64(const char *from, uint8_t *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t word = 0;
    size_t n = 0;

    for (int bits = 0; *from && strchr(digits, *from); from++) {
        word = word << 6 | (uint32_t)(strchr(digits, *from) - digits);
        bits += 6;
        if (bits >= 8) to[n++] = (uint8_t)(word >> (bits -= 8));
    }
    return n;
}

/* The picture at `uri`: [band, y, x] bytes, alpha 255 added where it has none. */
static void read_picture(const char *uri, uint8_t pixels[4][SIZE][SIZE])
{
    static const int bands[4] = { 1, 2, 3, 4 };
    static uint8_t bytes[1 << 16];
    const size_t n = decode_base64(uri, bytes);
    c3d_raster *raster;

    assert_int_equal(c3d_file_write("picture.png", bytes, n), C3D_OK);
    if (c3d_raster_open("picture.png", &raster) != C3D_OK)
        fail_msg("%s", c3d_error_last()->message);
    const c3d_raster_info *info = c3d_raster_get_info(raster);
    assert_int_equal(info->width_px, SIZE);
    assert_int_equal(info->height_px, SIZE);
    memset(pixels, 255, sizeof(uint8_t[4][SIZE][SIZE]));
    assert_int_equal(c3d_raster_read(raster, (c3d_window){ 0, 0, SIZE, SIZE }, bands, info->n_bands,
                                     C3D_U8, pixels),
                     C3D_OK);
    c3d_raster_close(raster);
}

/* Red, the third band, is brighter to the right and below, as the values are; the unobserved
 * columns of the second month are transparent, and nothing else is. */
static void pictures_show_the_pixels(void **state)
{
    static const char start[] = "src=\"data:image/png;base64,";
    char *page = make_page((c3d_preview_desc){ 0 });
    const char *uri = page;
    int n = 0;

    (void)state;
    for (; (uri = strstr(uri, start)) != NULL; n++) {
        uint8_t pixels[4][SIZE][SIZE];
        uri += strlen(start);
        read_picture(uri, pixels);
        for (int y = 0; y < SIZE; y++) {
            for (int x = 0; x < SIZE; x++) {
                const bool is_missing = n % 2 == 1 && x < 6;
                assert_int_equal(pixels[3][y][x], is_missing ? 0 : 255);
                if (is_missing) continue;
                if (x < SIZE - 1) assert_true(pixels[0][y][x + 1] >= pixels[0][y][x]);
                assert_true(pixels[2][y][x] <= pixels[0][y][x]); /* blue's values are lower */
            }
        }
        assert_true(pixels[0][SIZE - 1][SIZE - 1] > pixels[0][0][6] + 100);
    }
    assert_int_equal(n, 2 * 6);
    assert_int_equal(count(page, "<article"), 6);
    assert_int_equal(count(page, ">2020-02</figcaption>"), 6);
    assert_int_equal(count(page, ">2020-03, 30&nbsp;%</figcaption>"), 6);
    assert_int_equal(count(page, "http"), 6); /* the map links to copy */
    free(page);
}

static void asked_for_bands_are_told(void **state)
{
    char *page = make_page((c3d_preview_desc){ .bands = "blue, 3,green" });
    c3d_text said = { 0 };

    (void)state;
    assert_non_null(strstr(page, "red from blue"));
    assert_non_null(strstr(page, "green from red"));
    free(page);
    assert_int_equal(c3d_dataset_preview(&(c3d_preview_desc){ .dir = "set",
                                                              .path = "page.html",
                                                              .bands = "swir",
                                                              .made_by = "",
                                                              .n = 1,
                                                              .max_mb = 1 },
                                         &said),
                     C3D_ECONFIG);
    assert_message("no band \"swir\"");
    c3d_text_free(&said);
}

/* ---- label borders --------------------------------------------------------------------------- */

/* Whether a point of the frame, in its pixels, lies on a mine: from there to the label pixel, the
 * other way round than the page does it. near is how far the next label pixel is, in its own. */
static bool on_mine(const c3d_frame *frame, double u, double v, double *near)
{
    double x = 500000 + 10 * (frame->x + u), y = 9000000 - 10 * (frame->y + v);

    assert_int_equal(c3d_transformer_apply(to_degrees, 1, &x, &y), C3D_OK);
    const double column = (x - label_origin[0]) / LABEL_STEP;
    const double row = (label_origin[1] - y) / LABEL_STEP;
    *near = fmin(fabs(column - rint(column)), fabs(row - rint(row)));
    return is_mine((int)column, (int)row);
}

typedef struct line {
    double x0, y0, x1, y1;
} line;

static int parse_path(const char *d, line lines[1000])
{
    int n = 0, length;

    while (*d) {
        line *l = &lines[n++];
        assert_true(n < 1000);
        assert_int_equal(sscanf(d, "M%lf %lfL%lf %lf%n", &l->x0, &l->y0, &l->x1, &l->y1, &length),
                         4);
        d += length;
    }
    return n;
}

static double distance_to(const line *l, double x, double y)
{
    const double dx = l->x1 - l->x0, dy = l->y1 - l->y0;
    const double t = ((x - l->x0) * dx + (y - l->y0) * dy) / (dx * dx + dy * dy);
    const double at = fmin(fmax(t, 0), 1);

    return hypot(x - l->x0 - at * dx, y - l->y0 - at * dy);
}

/* On one side of every line there is a mine, on the other none. */
static int check_lines(const c3d_frame *frame, const line *lines, int n)
{
    const double aside = 0.1;
    int n_checked = 0;

    for (int i = 0; i < n; i++) {
        const line *l = &lines[i];
        const double length = hypot(l->x1 - l->x0, l->y1 - l->y0);
        const double nx = -(l->y1 - l->y0) / length, ny = (l->x1 - l->x0) / length;
        for (double t = 0.3; t < length - 0.3; t += 0.25) {
            const double x = l->x0 + t * (l->x1 - l->x0) / length;
            const double y = l->y0 + t * (l->y1 - l->y0) / length;
            double near[2];
            if (x < 0 || y < 0 || x > SIZE || y > SIZE) continue;
            const bool left = on_mine(frame, x + aside * nx, y + aside * ny, &near[0]);
            const bool right = on_mine(frame, x - aside * nx, y - aside * ny, &near[1]);
            if (left == right)
                fail_msg("frame %d: no border at %g, %g", (int)frame->frame_id, x, y);
            n_checked++;
        }
    }
    return n_checked;
}

/* Where one point is on a mine and its neighbour is not, there is a line between them. */
static int check_changes(const c3d_frame *frame, const line *lines, int n)
{
    const double step = 0.5;
    int n_checked = 0;

    for (double y = step; y < SIZE; y += step) {
        for (double x = step; x < SIZE; x += step) {
            double near, distance = INFINITY;
            const bool here = on_mine(frame, x, y, &near);
            if (here == on_mine(frame, x + step, y, &near)) continue;
            for (int i = 0; i < n; i++)
                distance = fmin(distance, distance_to(&lines[i], x + step / 2, y));
            if (distance > step / 2 + 0.05)
                fail_msg("frame %d: no line at %g, %g", (int)frame->frame_id, x, y);
            n_checked++;
        }
    }
    return n_checked;
}

static void borders_are_where_the_labels_are(void **state)
{
    static line lines[1000];
    c3d_frames frames;
    c3d_outlines *outlines;
    c3d_text notes = { 0 };
    char *page = make_page((c3d_preview_desc){ 0 });
    int n_lines = 0, n_changes = 0;

    (void)state;
    assert_int_equal(c3d_frames_read("set/frames.gpkg", &frames), C3D_OK);
    assert_int_equal(c3d_outlines_open("set/frames.gpkg", &frames, &outlines, &notes), C3D_OK);
    assert_int_equal(notes.length, 0);
    assert_int_equal(frames.n, 6);
    for (size_t i = 0; i < frames.n; i++) {
        c3d_text path = { 0 };
        assert_int_equal(c3d_outlines_draw(outlines, &frames.rows[i], 0, 0, &path), C3D_OK);
        const int n = parse_path(path.text, lines);
        n_lines += check_lines(&frames.rows[i], lines, n);
        n_changes += check_changes(&frames.rows[i], lines, n);
        assert_non_null(strstr(page, path.text)); /* and it stands in the page */
        c3d_text_free(&path);
    }
    assert_true(n_lines > 200 && n_changes > 100);
    c3d_outlines_close(outlines);
    c3d_frames_free(&frames);
    c3d_text_free(&notes);
    free(page);
}

/* Polygons of 14 x 16 px, 3 right and 2 below the corner of every second frame. */
static void write_polygons(void)
{
    c3d_text json = { 0 };

    c3d_text_add(&json,
                 "{\"type\":\"FeatureCollection\",\"crs\":{\"type\":\"name\",\"properties\":{"
                 "\"name\":\"urn:ogc:def:crs:EPSG::32721\"}},\"features\":[");
    for (int i = 0; i < 6; i += 2) {
        const int x = 500000 + 10 * (i % 3 * SIZE + 3), y = 9000000 - 10 * (i / 3 * SIZE + 2);
        c3d_text_add(&json,
                     "%s{\"type\":\"Feature\",\"properties\":{},\"geometry\":{\"type\":\"Polygon\","
                     "\"coordinates\":[[[%d,%d],[%d,%d],[%d,%d],[%d,%d],[%d,%d]]]}}",
                     i ? "," : "", x, y, x + 140, y, x + 140, y - 160, x, y - 160, x, y);
    }
    c3d_text_add(&json, "]}");
    assert_int_equal(c3d_file_write("mines.geojson", json.text, json.length), C3D_OK);
    c3d_text_free(&json);
}

static void polygons_are_drawn_where_they_are(void **state)
{
    static const char expected[] = "M3 2L17 2L17 18L3 18L3 2";
    c3d_dataset_desc desc = settings();
    c3d_frames frames;
    c3d_outlines *outlines;
    c3d_text notes = { 0 }, path = { 0 };
    char *page;

    (void)state;
    write_polygons();
    desc.out_dir = "shapes";
    desc.labels = "mines.geojson";
    desc.label_first = 20200100;
    desc.label_last = 20201200;
    if (c3d_dataset_frames(&desc, NULL) != C3D_OK) fail_msg("%s", c3d_error_last()->message);
    assert_int_equal(c3d_frames_read("shapes/frames.gpkg", &frames), C3D_OK);
    assert_int_equal(c3d_outlines_open("shapes/frames.gpkg", &frames, &outlines, &notes), C3D_OK);
    assert_true(c3d_outlines_has_year(outlines, 0));
    for (size_t i = 0; i < frames.n; i++) {
        path.length = 0;
        assert_int_equal(c3d_outlines_draw(outlines, &frames.rows[i], 0, 0, &path), C3D_OK);
        if (i % 2 == 0)
            assert_string_equal(path.text, expected);
        else
            assert_int_equal(path.length, 0);
    }
    c3d_outlines_close(outlines);
    c3d_frames_free(&frames);
    c3d_text_free(&notes);
    c3d_text_free(&path);
    assert_int_equal(c3d_dataset_clip(&desc, NULL), C3D_OK);
    page = page_of("shapes", (c3d_preview_desc){ 0 });
    assert_int_equal(count(page, expected), 3);
    free(page);
}

static void labels_that_are_gone_are_told(void **state)
{
    (void)state;
    assert_int_equal(rename("label_2020.tif", "elsewhere.tif"), 0);
    char *page = make_page((c3d_preview_desc){ 0 });
    assert_int_equal(rename("elsewhere.tif", "label_2020.tif"), 0);
    assert_non_null(strstr(page, "label_2020.tif: no longer there"));
    assert_null(strstr(page, "<path"));
    assert_non_null(strstr(page, "mining "));
    assert_int_equal(count(page, "<article"), 6);
    free(page);
}

/* ---- which scenes, and how large ------------------------------------------------------------- */

/* 15 frames without labels: with n = 1 one of each split. */
static void the_choice_is_a_function_of_the_seed(void **state)
{
    c3d_dataset_desc desc = settings();
    char *first, *second;
    bool differs = false;

    (void)state;
    desc.out_dir = "many";
    desc.labels = NULL;
    desc.stride_px = SIZE / 2;
    desc.split = C3D_SPLIT_RANDOM;
    assert_int_equal(c3d_dataset_frames(&desc, NULL), C3D_OK);
    assert_int_equal(c3d_dataset_clip(&desc, NULL), C3D_OK);
    first = page_of("many", (c3d_preview_desc){ .n = 1, .seed = 5 });
    second = page_of("many", (c3d_preview_desc){ .n = 1, .seed = 5 });
    assert_string_equal(first, second);
    assert_true(count(first, "<article") >= 3 && count(first, "<article") <= 4);
    for (uint64_t seed = 6; seed < 10 && !differs; seed++) {
        free(second);
        second = page_of("many", (c3d_preview_desc){ .n = 1, .seed = seed });
        differs = strcmp(first, second) != 0;
    }
    assert_true(differs);
    free(first);
    free(second);
}

static void a_store_without_scenes_is_told(void **state)
{
    c3d_dataset_desc desc = settings();
    c3d_text said = { 0 };

    (void)state;
    desc.out_dir = "bare";
    assert_int_equal(c3d_dataset_frames(&desc, NULL), C3D_OK);
    assert_int_equal(
        c3d_dataset_preview(
            &(c3d_preview_desc){ .dir = "bare", .made_by = "", .n = 1, .max_mb = 1 }, &said),
        C3D_EDATA);
    assert_message("run c3d-dataset clip");
    c3d_text_free(&said);
}

int main(void)
{
    static char folder[] = "preview-XXXXXX";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_show_the_pixels),
        cmocka_unit_test(asked_for_bands_are_told),
        cmocka_unit_test(borders_are_where_the_labels_are),
        cmocka_unit_test(polygons_are_drawn_where_they_are),
        cmocka_unit_test(labels_that_are_gone_are_told),
        cmocka_unit_test(the_choice_is_a_function_of_the_seed),
        cmocka_unit_test(a_store_without_scenes_is_told),
    };

    c3d_raster_start();
    enter_own_folder(folder);
    return cmocka_run_group_tests(tests, build, tear_down);
}
