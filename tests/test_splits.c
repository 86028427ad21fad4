/* Splits on a grid of frames without images: regions of a file, label years, the strip between
 * splits and folds. */
#include "support/rasters.h"

#include "c3d/dataset.h"
#include "data/frames.h"
#include "data/samples.h"

enum { SIZE = 8, STRIDE = 5, COLUMNS = 40, ROWS = 30, N = COLUMNS * ROWS };

static char *crs_wkt;
static c3d_frame rows[N];

/* Frames overlap; pixels are 10 m x 20 m. */
static c3d_frames grid(void)
{
    for (int i = 0; i < N; i++)
        rows[i] = (c3d_frame){ .frame_id = i,
                               .x = i % COLUMNS * STRIDE,
                               .y = i / COLUMNS * STRIDE,
                               .split = C3D_SPLIT_NONE };
    return (c3d_frames){ .n = N,
                         .rows = rows,
                         .crs_wkt = crs_wkt,
                         .transform = { 500000, 10, 0, 9000000, 0, -20 },
                         .width_px = COLUMNS * STRIDE + SIZE,
                         .height_px = ROWS * STRIDE + SIZE,
                         .size_px = SIZE };
}

static c3d_dataset_desc settings(c3d_split_mode mode)
{
    return (c3d_dataset_desc){ .frame_size_px = SIZE,
                               .stride_px = STRIDE,
                               .split = mode,
                               .block_km = 0.4,
                               .split_shares = { 0.5, 0.25, 0.25 },
                               .split_file = "regions.gpkg",
                               .samples = C3D_SAMPLES_YEARLY,
                               .seed = 3 };
}

static c3d_status split(const c3d_dataset_desc *desc, c3d_frames *frames)
{
    block_grid blocks;

    *frames = grid();
    C3D_TRY(c3d_frames_blocks(desc, frames, &blocks));
    return c3d_frames_split(desc, &blocks, frames);
}

/* ---- regions of a file -------------------------------------------------------------------------
 */

/* Convex, clockwise in pixels of the grid. */
typedef struct shape {
    const char *split;
    int n;
    double points[6][2];
} shape;

static const shape shapes[] = {
    { "test", 4, { { 21.3, 10.2 }, { 90.7, 22.4 }, { 80.1, 70.9 }, { 12.6, 60.3 } } },
    { "validation", 3, { { 120, 20 }, { 180, 20 }, { 180, 120 } } },
    { "test", 4, { { 20, 100 }, { 60, 100 }, { 60, 140 }, { 20, 140 } } },
};

static void write_shape(c3d_vector_writer *writer, const shape *s, c3d_transformer *to)
{
    double x[7], y[7], ring[14];

    for (int i = 0; i <= s->n; i++) {
        x[i] = 500000 + 10 * s->points[i % s->n][0];
        y[i] = 9000000 - 20 * s->points[i % s->n][1];
    }
    if (to) assert_int_equal(c3d_transformer_apply(to, s->n + 1, x, y), C3D_OK);
    for (int i = 0; i <= s->n; i++) {
        ring[2 * i] = x[i];
        ring[2 * i + 1] = y[i];
    }
    assert_int_equal(
        c3d_vector_writer_add(writer, ring, s->n + 1, &(c3d_field_value){ .t = s->split }), C3D_OK);
}

static void write_shapes(const char *crs, const char *field, const shape *list, size_t n)
{
    const c3d_field_desc fields = { field, C3D_FIELD_TEXT };
    c3d_vector_writer *writer;
    c3d_transformer *to = NULL;

    if (crs) assert_int_equal(c3d_transformer_create(crs_wkt, crs, &to), C3D_OK);
    assert_int_equal(c3d_vector_writer_create("regions.gpkg", &writer), C3D_OK);
    assert_int_equal(c3d_vector_writer_layer(writer, "regions", crs ? crs : crs_wkt, &fields, 1),
                     C3D_OK);
    for (size_t i = 0; i < n; i++) write_shape(writer, &list[i], to);
    assert_int_equal(c3d_vector_writer_commit(writer), C3D_OK);
    c3d_transformer_destroy(to);
}

/* Signed distance of a point from a side's line, positive inside. */
static double inside_of(const shape *s, int side, double x, double y)
{
    const double *a = s->points[side], *b = s->points[(side + 1) % s->n];
    return (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0]);
}

/* 1: the frame lies in the shape; 0: apart; -1: neither. Apart by a separating axis: a side of the
 * shape, or one of the frame. */
static int relate(const shape *s, const c3d_frame *frame)
{
    const double x[2] = { frame->x, frame->x + SIZE }, y[2] = { frame->y, frame->y + SIZE };
    double low[2] = { HUGE_VAL, HUGE_VAL }, high[2] = { -HUGE_VAL, -HUGE_VAL };
    bool is_inside = true;

    for (int side = 0; side < s->n; side++) {
        int n_out = 0, n_in = 0;
        for (int c = 0; c < 4; c++) {
            const double d = inside_of(s, side, x[c % 2], y[c / 2]);
            n_out += d <= 0;
            n_in += d >= 0;
        }
        if (n_out == 4) return 0;
        is_inside = is_inside && n_in == 4;
        for (int axis = 0; axis < 2; axis++) {
            low[axis] = fmin(low[axis], s->points[side][axis]);
            high[axis] = fmax(high[axis], s->points[side][axis]);
        }
    }
    if (is_inside) return 1;
    return x[1] <= low[0] || x[0] >= high[0] || y[1] <= low[1] || y[0] >= high[1] ? 0 : -1;
}

static c3d_split expected_split(const c3d_frame *frame, const shape *list, size_t n)
{
    c3d_split expected = C3D_SPLIT_TRAIN;

    for (size_t i = 0; i < n; i++) {
        const int relation = relate(&list[i], frame);
        if (relation < 0) return C3D_SPLIT_NONE;
        if (relation > 0) assert_true(c3d_split_parse(list[i].split, &expected));
    }
    return expected;
}

static void frames_inside_a_polygon_have_its_split(void **state)
{
    const char *const systems[] = { NULL, "EPSG:4326", "EPSG:3857" };
    c3d_dataset_desc desc = settings(C3D_SPLIT_POLYGONS);
    c3d_frames frames;

    (void)state;
    for (size_t i = 0; i < C3D_COUNT(systems); i++) {
        size_t n[C3D_N_SPLITS + 1] = { 0 };
        write_shapes(systems[i], "split", shapes, C3D_COUNT(shapes));
        assert_int_equal(split(&desc, &frames), C3D_OK);
        for (size_t f = 0; f < N; f++) {
            const c3d_split expected = expected_split(&rows[f], shapes, C3D_COUNT(shapes));
            n[expected]++;
            if (rows[f].split == expected) continue;
            /* sides that run along frames' borders do not survive another CRS to the last bit */
            if (systems[i] && (rows[f].split == C3D_SPLIT_NONE || expected == C3D_SPLIT_NONE))
                continue;
            fail_msg("frame at %d, %d: %s, expected %s", rows[f].x, rows[f].y,
                     c3d_split_name(rows[f].split), c3d_split_name(expected));
        }
        for (int s = 0; s <= C3D_N_SPLITS; s++) assert_true(n[s] > 10);
    }
}

/* With a polygon for training the rest is of no split; none takes frames out; a buffer and folds
 * come on top. */
static void other_rules_of_polygons(void **state)
{
    static const shape list[] = {
        { "train", 4, { { 0, 0 }, { 100, 0 }, { 100, 158 }, { 0, 158 } } },
        { "validation", 4, { { 100, 0 }, { 208, 0 }, { 208, 80 }, { 100, 80 } } },
        { "none", 4, { { 100, 80 }, { 208, 80 }, { 208, 120 }, { 100, 120 } } },
        { "test", 4, { { 100, 120 }, { 208, 120 }, { 208, 158 }, { 100, 158 } } },
    };
    c3d_dataset_desc desc = settings(C3D_SPLIT_POLYGONS);
    c3d_frames frames;
    size_t n_folds[3] = { 0 };

    (void)state;
    write_shapes(NULL, "split", list, C3D_COUNT(list));
    desc.folds = 3;
    assert_int_equal(split(&desc, &frames), C3D_OK);
    for (size_t f = 0; f < N; f++) {
        c3d_split expected = C3D_SPLIT_NONE;
        for (size_t i = 0; i < C3D_COUNT(list); i++)
            if (relate(&list[i], &rows[f]) > 0)
                assert_true(c3d_split_parse(list[i].split, &expected));
        assert_int_equal(rows[f].split, expected);
        n_folds[rows[f].fold]++;
    }
    for (int k = 0; k < 3; k++) assert_in_range(n_folds[k], N / 3 - 80, N / 3 + 80);
    desc.folds = 0;
    desc.buffer_m = 105;
    assert_int_equal(split(&desc, &frames), C3D_OK);
    for (size_t f = 0; f < N; f++)
        if (rows[f].split == C3D_SPLIT_TRAIN) assert_true(rows[f].x + SIZE <= 100 - 1);
}

static void refuse_shapes(const char *crs, const char *field, const shape *list, size_t n,
                          const char *words)
{
    const c3d_dataset_desc desc = settings(C3D_SPLIT_POLYGONS);
    c3d_frames frames;

    write_shapes(crs, field, list, n);
    assert_int_equal(split(&desc, &frames), C3D_EDATA);
    assert_message("regions.gpkg");
    assert_message(words);
}

static void files_that_cannot_be_right_are_refused(void **state)
{
    const shape bow = { "test", 4, { { 10, 10 }, { 90, 90 }, { 90, 10 }, { 10, 90 } } };
    const shape over = { "train", 3, { { 30, 30 }, { 300, 30 }, { 300, 300 } } };
    const shape far = { "test", 3, { { 3000, 30 }, { 3000, 300 }, { 3300, 300 } } };
    const shape small = { "test", 3, { { 30, 30 }, { 34, 30 }, { 30, 34 } } };
    const shape misspelt = { "tset", 3, { { 30, 30 }, { 300, 30 }, { 300, 300 } } };
    const shape both[] = { shapes[0], over };
    c3d_dataset_desc desc = settings(C3D_SPLIT_POLYGONS);
    c3d_frames frames;

    (void)state;
    refuse_shapes(NULL, "split", &bow, 1, "layer regions, feature 1: not a valid polygon");
    refuse_shapes(NULL, "split", both, 2,
                  "feature 2 (train) overlaps layer regions, feature 1 (test)");
    refuse_shapes(NULL, "split", &far, 1, "no frame lies wholly inside a polygon of split test");
    refuse_shapes(NULL, "split", &small, 1, "no frame lies wholly inside a polygon of split test");
    refuse_shapes(NULL, "split", &misspelt, 1, "\"tset\" (field split, or the layer's name)");
    refuse_shapes(NULL, "Split_", &shapes[0], 1, "\"regions\" (field split, or the layer's name)");
    refuse_shapes(NULL, "split", NULL, 0, "no polygon in it");
    desc.split_file = "absent.gpkg";
    assert_int_equal(split(&desc, &frames), C3D_EIO);
    assert_message("absent.gpkg");
    static const char point[] =
        "{\"type\": \"FeatureCollection\", \"name\": \"test\", \"features\": [{\"type\": "
        "\"Feature\", \"properties\": {}, \"geometry\": {\"type\": \"Point\", \"coordinates\": "
        "[-57, -9]}}]}";
    assert_int_equal(c3d_file_write("test.geojson", point, sizeof point - 1), C3D_OK);
    desc.split_file = "test.geojson";
    assert_int_equal(split(&desc, &frames), C3D_EDATA);
    assert_message("layer test, feature 0: it is no polygon");
}

/* ---- the strip between splits, and between folds ------------------------------------------------
 */

static double distance_m(const c3d_frame *a, const c3d_frame *b)
{
    const int dx = abs(a->x - b->x) - SIZE, dy = abs(a->y - b->y) - SIZE;

    return hypot(10.0 * (dx > 0 ? dx : 0), 20.0 * (dy > 0 ? dy : 0));
}

static void check_folds_apart(const c3d_dataset_desc *desc)
{
    static c3d_frame without[N];
    c3d_dataset_desc plain = *desc;
    c3d_frames frames;
    size_t n_kept[4] = { 0 };

    plain.buffer_m = 0;
    assert_int_equal(split(&plain, &frames), C3D_OK);
    memcpy(without, rows, sizeof without);
    assert_int_equal(split(desc, &frames), C3D_OK);
    for (int i = 0; i < N; i++) {
        bool has_reason = false;
        for (int k = 0; k < N; k++) {
            const bool is_near = distance_m(&rows[i], &rows[k]) < desc->buffer_m;
            if (!is_near || rows[k].split == C3D_SPLIT_NONE) continue;
            has_reason |= without[k].fold != without[i].fold;
            if (rows[i].fold >= 0 && rows[k].fold >= 0 && rows[i].split != C3D_SPLIT_NONE)
                assert_int_equal(rows[i].fold, rows[k].fold);
        }
        if (rows[i].fold < 0) {
            assert_true(has_reason);
        } else {
            assert_int_equal(rows[i].fold, without[i].fold);
            n_kept[rows[i].fold]++;
        }
    }
    for (int k = 0; k < desc->folds; k++) assert_true(n_kept[k] > 0);
}

static void a_buffer_keeps_folds_apart(void **state)
{
    const double buffers[] = { 0.5, 30, 100, 161 };

    (void)state;
    for (size_t i = 0; i < C3D_COUNT(buffers); i++) {
        c3d_dataset_desc desc = settings(C3D_SPLIT_BLOCKS);
        desc.folds = 4;
        desc.buffer_m = buffers[i];
        check_folds_apart(&desc);
    }
}

/* ---- groups ------------------------------------------------------------------------------------
 */

static void a_group_is_drawn_together(void **state)
{
    c3d_dataset_desc desc = settings(C3D_SPLIT_RANDOM);
    c3d_frames frames = grid();
    size_t n[C3D_N_SPLITS] = { 0 };

    (void)state;
    desc.folds = 5;
    for (int i = 0; i < N; i++) rows[i].group = i / 7 + 1;
    assert_int_equal(c3d_frames_split(&desc, NULL, &frames), C3D_OK);
    for (int i = 0; i < N; i++) {
        assert_int_equal(rows[i].split, rows[i - i % 7].split);
        assert_int_equal(rows[i].fold, rows[i - i % 7].fold);
        n[rows[i].split]++;
    }
    for (int s = 0; s < C3D_N_SPLITS; s++) assert_true(n[s] > 100);
}

/* ---- years -------------------------------------------------------------------------------------
 */

static void samples_have_the_split_of_their_year(void **state)
{
    const c3d_year_range held[] = { { 2022, 2023, C3D_SPLIT_TEST },
                                    { 2020, 2020, C3D_SPLIT_VALIDATION } };
    const c3d_year_range train = { 2021, 2021, C3D_SPLIT_TRAIN };
    const c3d_year_range all[] = { held[0], held[1], train };
    c3d_dataset_desc desc = settings(C3D_SPLIT_YEARS);
    c3d_frames frames;
    c3d_sample listed[10];
    c3d_samples samples = { 10, listed };

    (void)state;
    desc.n_split_years = 2;
    desc.split_years = held;
    desc.folds = 3;
    assert_int_equal(split(&desc, &frames), C3D_OK);
    for (int i = 0; i < N; i++) assert_int_equal(rows[i].split, C3D_SPLIT_TRAIN);
    for (int i = 0; i < 10; i++)
        listed[i] = (c3d_sample){
            .sample_id = i, .frame_id = i / 5, .label_year = 2019 + i % 5, .split = C3D_SPLIT_TRAIN
        };
    assert_int_equal(c3d_samples_split_by_years(&desc, &samples), C3D_OK);
    assert_int_equal(samples.n, 10);
    for (int i = 0; i < 10; i++) {
        static const c3d_split expected[] = { C3D_SPLIT_TRAIN, C3D_SPLIT_VALIDATION,
                                              C3D_SPLIT_TRAIN, C3D_SPLIT_TEST, C3D_SPLIT_TEST };
        assert_int_equal(listed[i].split, expected[i % 5]);
        assert_int_equal(listed[i].fold, i % 5 % 3);
    }
    /* 2019 is listed for nobody: out, once somebody is listed for training */
    desc.n_split_years = 3;
    desc.split_years = all;
    for (int i = 0; i < 10; i++) listed[i].split = C3D_SPLIT_TRAIN;
    assert_int_equal(c3d_samples_split_by_years(&desc, &samples), C3D_OK);
    assert_int_equal(samples.n, 8);
    assert_int_equal(listed[0].label_year, 2020);
    /* with a split of places both must agree */
    desc.split = C3D_SPLIT_BLOCKS;
    for (size_t i = 0; i < samples.n; i++) {
        listed[i].split = listed[i].frame_id ? C3D_SPLIT_TEST : C3D_SPLIT_TRAIN;
        listed[i].fold = 2;
    }
    assert_int_equal(c3d_samples_split_by_years(&desc, &samples), C3D_OK);
    assert_int_equal(samples.n, 3); /* frame 0 in 2021, frame 1 in 2022 and 2023 */
    assert_int_equal(listed[0].label_year, 2021);
    assert_int_equal(listed[2].label_year, 2023);
    assert_int_equal(listed[2].split, C3D_SPLIT_TEST);
    assert_int_equal(listed[2].fold, 2);
}

int main(void)
{
    static char folder[] = "splits-XXXXXX";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_inside_a_polygon_have_its_split),
        cmocka_unit_test(other_rules_of_polygons),
        cmocka_unit_test(files_that_cannot_be_right_are_refused),
        cmocka_unit_test(a_buffer_keeps_folds_apart),
        cmocka_unit_test(a_group_is_drawn_together),
        cmocka_unit_test(samples_have_the_split_of_their_year),
    };

    c3d_raster_start();
    enter_own_folder(folder);
    crs_wkt = c3d_strdup("EPSG:32721");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
