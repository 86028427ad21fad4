/* Frames: the common grid, positions, splits, buffer, folds, the file and its edits. */

#include "support/rasters.h"

#include "c3d/dataset.h"
#include "data/frames.h"

static double anything(int band, int x, int y)
{
    return 1 + band + (x * 7 + y * 3) % 50;
}

/* Class 30 in squares of 20 px here and there, else 3. */
static double mines(int band, int x, int y)
{
    (void)band;
    return ((x / 20) * 5 + (y / 20) * 3) % 7 == 0 ? 30 : 3;
}

static c3d_label_class legend[2] = { { .name = "mining", .n_ranges = 1, .ranges = { { 30, 30 } } },
                                     { .name = "forest", .n_ranges = 1, .ranges = { { 3, 3 } } } };

static c3d_dataset_desc settings(void)
{
    return (c3d_dataset_desc){ .out_dir = "out",
                               .mosaics = "month_{YYYY}-{MM}.tif",
                               .labels = "label_{YYYY}.tif",
                               .n_classes = 2,
                               .classes = legend,
                               .positive = "mining",
                               .frame_size_px = 10,
                               .stride_px = 5,
                               .positive_share = 0.7,
                               .negative_share = 0.1,
                               .split = C3D_SPLIT_BLOCKS,
                               .block_km = 0.4,
                               .split_shares = { 0.6, 0.2, 0.2 },
                               .folds = 4,
                               .seed = 7 };
}

/* 400 x 300 px; the second month lies further left and down, so that the grid has to grow. */
static int make_archive(void **state)
{
    const test_raster month = {
        .width = 380, .height = 280, .n_bands = 2, .dtype = C3D_U16, .rule = anything
    };
    test_raster other = month;

    (void)state;
    other.x = -20;
    other.y = 20;
    write_test_raster("month_2020-01.tif", &month);
    write_test_raster("month_2020-03.tif", &other);
    write_test_raster("label_2020.tif", &(test_raster){ .x = -40,
                                                        .y = -40,
                                                        .width = 500,
                                                        .height = 400,
                                                        .n_bands = 1,
                                                        .dtype = C3D_U8,
                                                        .rule = mines });
    return 0;
}

static c3d_frames make(const c3d_dataset_desc *desc)
{
    c3d_archive archive;
    c3d_frames frames;

    assert_int_equal(c3d_archive_find(desc->mosaics, 0, 0, &archive), C3D_OK);
    if (c3d_frames_make(desc, &archive, &frames) != C3D_OK)
        fail_msg("%s", c3d_error_last()->message);
    c3d_archive_free(&archive);
    return frames;
}

static c3d_status try_to_make(const c3d_dataset_desc *desc)
{
    c3d_archive archive;
    c3d_frames frames = { 0 };
    c3d_status st;

    assert_int_equal(c3d_archive_find(desc->mosaics, 0, 0, &archive), C3D_OK);
    st = c3d_frames_make(desc, &archive, &frames);
    c3d_archive_free(&archive);
    c3d_frames_free(&frames);
    return st;
}

/* ---- grid and positions ---------------------------------------------------------------------- */

static void the_grid_holds_all_months(void **state)
{
    const c3d_dataset_desc desc = settings();
    c3d_frames frames = make(&desc);

    (void)state;
    assert_int_equal(frames.width_px, 400);
    assert_int_equal(frames.height_px, 300);
    assert_true(frames.transform[0] == 500000 - 200 && frames.transform[3] == 9000000);
    assert_int_equal(frames.n_years, 1);
    assert_int_equal(frames.years[0], 2020);
    c3d_frames_free(&frames);
}

static void frames_lie_inside_blocks_and_aoi(void **state)
{
    c3d_dataset_desc desc = settings();
    c3d_frames frames;
    const double aoi[4] = { 500000, 9000000 - 2000, 500000 + 3000, 9000000 - 100 };

    (void)state;
    desc.labels = NULL;
    desc.stride_px = 7;
    memcpy(desc.aoi, aoi, sizeof aoi);
    frames = make(&desc);
    assert_true(frames.n > 300);
    assert_int_equal(frames.n_years, 0);
    for (size_t i = 0; i < frames.n; i++) {
        const c3d_frame *f = &frames.rows[i];
        const double east = frames.transform[0] + 10 * f->x,
                     north = frames.transform[3] - 10 * f->y;

        assert_true(i == 0 || f->frame_id > frames.rows[i - 1].frame_id);
        assert_true(f->x % 7 == 0 && f->y % 7 == 0);
        assert_int_equal(f->x / 42, (f->x + 9) / 42); /* 40 px are 6 strides: 42 px */
        assert_int_equal(f->y / 42, (f->y + 9) / 42);
        assert_true(east >= aoi[0] && east + 100 <= aoi[2]);
        assert_true(north <= aoi[3] && north - 100 >= aoi[1]);
    }
    c3d_frames_free(&frames);
}

static void no_frame_lies_where_no_month_has_a_file(void **state)
{
    c3d_dataset_desc desc = settings();
    c3d_frames frames;

    (void)state;
    desc.labels = NULL;
    frames = make(&desc);
    for (size_t i = 0; i < frames.n; i++) { /* corners that neither month covers */
        const c3d_frame *f = &frames.rows[i];
        assert_false(f->x + 10 <= 20 && f->y + 10 <= 20);
        assert_false(f->x >= 380 && f->y >= 280);
    }
    c3d_frames_free(&frames);
}

static void months_off_the_grid_are_named(void **state)
{
    c3d_dataset_desc desc = settings();
    const test_raster month = {
        .width = 40, .height = 40, .n_bands = 2, .dtype = C3D_U16, .rule = anything
    };
    test_raster odd = month;

    (void)state;
    desc.labels = NULL;
    desc.mosaics = "odd_{YYYY}-{MM}.tif";
    memcpy(odd.transform, (double[]){ 500004, 10, 0, 9000000, 0, -10 }, sizeof odd.transform);
    write_test_raster("odd_2020-01.tif", &month);
    write_test_raster("odd_2020-02.tif", &odd);
    assert_int_equal(try_to_make(&desc), C3D_EDATA);
    assert_message("odd_2020-01.tif");
    assert_message("odd_2020-02.tif");
    odd = month;
    odd.n_bands = 3;
    write_test_raster("odd_2020-02.tif", &odd);
    assert_int_equal(try_to_make(&desc), C3D_EDATA);
    assert_message("odd_2020-02.tif: no band 1: it has 3");
}

/* ---- splits ---------------------------------------------------------------------------------- */

static void blocks_meet_the_shares(void **state)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        c3d_dataset_desc desc = settings();
        size_t n[3] = { 0 }, folds[4] = { 0 }, positives[3] = { 0 };
        int split_of[10][8];
        c3d_frames frames;

        (void)state;
        desc.seed = seed;
        frames = make(&desc);
        memset(split_of, -1, sizeof split_of);
        for (size_t i = 0; i < frames.n; i++) {
            const c3d_frame *f = &frames.rows[i];
            int *split = &split_of[f->x / 40][f->y / 40];

            assert_true(*split == -1 || *split == (int)f->split);
            *split = (int)f->split;
            assert_true(f->split != C3D_SPLIT_NONE && f->fold >= 0 && f->fold < 4);
            n[f->split]++;
            folds[f->fold]++;
            positives[f->split] += frames.labels[i] == C3D_FRAME_POSITIVE;
        }
        for (int s = 0; s < 3; s++) { /* within one block: 49 frames */
            assert_near((double)n[s], desc.split_shares[s] * (double)frames.n, 49);
            assert_true(positives[s] > 0);
        }
        for (int f = 0; f < 4; f++) assert_near((double)folds[f], (double)frames.n / 4, 49);
        c3d_frames_free(&frames);
    }
}

static void splits_are_a_function_of_the_seed(void **state)
{
    c3d_dataset_desc desc = settings();
    c3d_frames a = make(&desc), b = make(&desc), c;
    size_t n_same = 0;

    (void)state;
    desc.seed = 8;
    c = make(&desc);
    assert_int_equal(a.n, b.n);
    assert_int_equal(a.n, c.n);
    for (size_t i = 0; i < a.n; i++) {
        assert_int_equal(a.rows[i].split, b.rows[i].split);
        assert_int_equal(a.rows[i].fold, b.rows[i].fold);
        n_same += a.rows[i].split == c.rows[i].split;
    }
    assert_true(n_same < a.n);
    c3d_frames_free(&a);
    c3d_frames_free(&b);
    c3d_frames_free(&c);
}

static double distance_m(const c3d_frame *a, const c3d_frame *b)
{
    const int dx = abs(a->x - b->x) - 10, dy = abs(a->y - b->y) - 10;

    return 10 * hypot(dx > 0 ? dx : 0, dy > 0 ? dy : 0);
}

static void a_buffer_keeps_splits_apart(void **state)
{
    const double buffers[] = { 60, 150, 450 };

    (void)state;
    for (size_t t = 0; t < C3D_COUNT(buffers); t++) {
        c3d_dataset_desc desc = settings();
        c3d_frames with, without;
        size_t n_dropped = 0;

        desc.labels = NULL;
        desc.stride_px = 10;
        without = make(&desc);
        desc.buffer_m = buffers[t];
        with = make(&desc);
        assert_int_equal(with.n, without.n);
        for (size_t i = 0; i < with.n; i++) {
            bool has_reason = false;

            for (size_t k = 0; k < with.n; k++) {
                const bool other = with.rows[k].split != C3D_SPLIT_NONE &&
                                   with.rows[k].split != without.rows[i].split;
                const bool near = distance_m(&with.rows[i], &with.rows[k]) < buffers[t];

                has_reason |= other && near;
                if (with.rows[i].split != C3D_SPLIT_NONE) assert_false(other && near);
            }
            if (with.rows[i].split != C3D_SPLIT_NONE) continue;
            n_dropped++;
            assert_true(has_reason); /* none is dropped for nothing */
            assert_int_not_equal(without.rows[i].split, C3D_SPLIT_TEST);
        }
        assert_true(n_dropped > 0);
        c3d_frames_free(&with);
        c3d_frames_free(&without);
    }
}

static void random_splits_draw_each_frame(void **state)
{
    c3d_dataset_desc desc = settings();
    size_t n[3] = { 0 };
    c3d_frames frames;

    (void)state;
    desc.split = C3D_SPLIT_RANDOM;
    desc.split_shares[0] = 0.5;
    desc.split_shares[1] = 0;
    desc.split_shares[2] = 0.5;
    frames = make(&desc);
    for (size_t i = 0; i < frames.n; i++) n[frames.rows[i].split]++;
    assert_int_equal(n[1], 0);
    /* binomial: five standard deviations */
    assert_near((double)n[0], 0.5 * (double)frames.n, 5 * 0.5 * sqrt((double)frames.n));
    assert_int_equal(n[0] + n[2], frames.n);
    c3d_frames_free(&frames);
}

static void settings_that_make_no_sense_are_refused(void **state)
{
    c3d_dataset_desc desc = settings();

    (void)state;
    desc.split = C3D_SPLIT_POLYGONS;
    assert_int_equal(try_to_make(&desc), C3D_ECONFIG);
    assert_message("data.split_file");
    desc.split = C3D_SPLIT_YEARS;
    assert_int_equal(try_to_make(&desc), C3D_ECONFIG);
    assert_message("data.split_years");
    desc = settings();
    desc.split_shares[0] = 0.7;
    assert_int_equal(try_to_make(&desc), C3D_ECONFIG);
    desc = settings();
    desc.block_km = 0.05;
    assert_int_equal(try_to_make(&desc), C3D_ECONFIG);
    assert_message("data.block_km");
    desc = settings();
    desc.positive = "minning";
    assert_int_equal(try_to_make(&desc), C3D_ECONFIG);
    assert_message("minning");
    desc = settings();
    desc.frame_size_px = 500;
    desc.split = C3D_SPLIT_RANDOM;
    assert_int_equal(try_to_make(&desc), C3D_EDATA);
    assert_message("400 x 300");
}

/* A degree of longitude at 60 degrees is half as long as one of latitude. */
static void blocks_of_degrees_are_square_on_the_ground(void **state)
{
    char wkt[] = "EPSG:4326";
    const c3d_frames frames = { .crs_wkt = wkt,
                                .transform = { 10, 1e-4, 0, -59.9, 0, -1e-4 },
                                .width_px = 2000,
                                .height_px = 2000,
                                .size_px = 10 };
    const c3d_dataset_desc desc = settings();
    block_grid blocks;
    double pixel_m[2];

    (void)state;
    c3d_frames_pixel_m(&frames, pixel_m);
    assert_near(pixel_m[1], 11.1195, 1e-4);
    assert_near(pixel_m[0], 11.1195 / 2, 1e-4);
    assert_int_equal(c3d_frames_blocks(&desc, &frames, &blocks), C3D_OK);
    assert_int_equal(blocks.width_px, 70); /* 400 m are 71.9 px; whole strides of 5 */
    assert_int_equal(blocks.height_px, 35);
    assert_int_equal(blocks.n_x, 29);
}

/* ---- the file -------------------------------------------------------------------------------- */

static void assert_same_frames(const c3d_frames *a, const c3d_frames *b)
{
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->n_years, b->n_years);
    assert_int_equal(a->n_classes, b->n_classes);
    assert_int_equal(a->size_px, b->size_px);
    assert_memory_equal(a->transform, b->transform, sizeof a->transform);
    assert_string_equal(a->crs_wkt, b->crs_wkt);
    for (size_t i = 0; i < a->n; i++) {
        assert_true(a->rows[i].frame_id == b->rows[i].frame_id);
        assert_int_equal(a->rows[i].x, b->rows[i].x);
        assert_int_equal(a->rows[i].split, b->rows[i].split);
        assert_int_equal(a->rows[i].fold, b->rows[i].fold);
        assert_false(b->rows[i].edited);
        assert_int_equal(a->labels[i], b->labels[i]);
    }
    assert_memory_equal(a->shares, b->shares,
                        a->n * (size_t)(a->n_years * a->n_classes) * sizeof *a->shares);
}

static void the_file_reads_back_the_same(void **state)
{
    c3d_dataset_desc desc = settings();
    c3d_frames made, read;
    c3d_vector *sources, *style;
    uint64_t hash, n_bytes;
    char text[20];

    (void)state;
    desc.stride_px = 10;
    made = make(&desc);
    assert_int_equal(c3d_dataset_frames(&desc, NULL), C3D_OK);
    assert_int_equal(c3d_frames_read("out/frames.gpkg", &read), C3D_OK);
    assert_same_frames(&made, &read);
    c3d_frames_free(&made);
    c3d_frames_free(&read);

    assert_int_equal(c3d_vector_open("out/frames.gpkg", "sources", &sources), C3D_OK);
    assert_int_equal(c3d_vector_n_rows(sources), 3);
    assert_int_equal(c3d_hash_file("month_2020-01.tif", &hash, &n_bytes), C3D_OK);
    (void)snprintf(text, sizeof text, "%016llx", (unsigned long long)hash);
    assert_string_equal(c3d_vector_text(sources, 0, c3d_vector_field(sources, "hash")), text);
    assert_string_equal(c3d_vector_text(sources, 2, c3d_vector_field(sources, "kind")), "label");
    c3d_vector_close(sources);
    assert_int_equal(c3d_vector_open("out/frames.gpkg", "layer_styles", &style), C3D_OK);
    assert_non_null(
        strstr(c3d_vector_text(style, 0, c3d_vector_field(style, "styleQML")), "label_2020"));
    c3d_vector_close(style);
}

/* Runs SQL on the file, as a person in QGIS would edit it. */
static void edit(const char *sql)
{
    char command[512];

    (void)snprintf(command, sizeof command, "ogrinfo -q out/frames.gpkg -sql \"%s\" >edit.txt 2>&1",
                   sql);
    if (system(command) != 0) fail_msg("%s", command);
}

static c3d_status read_back(c3d_frames *out)
{
    return c3d_frames_read("out/frames.gpkg", out);
}

static void assert_refused(const char *part)
{
    c3d_frames frames;

    assert_int_equal(read_back(&frames), C3D_EDATA);
    assert_message(part);
}

static void start_editing(c3d_frames *before)
{
    c3d_dataset_desc desc = settings();

    desc.stride_px = 10;
    if (system("ogrinfo --version >edit.txt 2>&1") != 0) skip();
    assert_int_equal(c3d_dataset_frames(&desc, NULL), C3D_OK);
    assert_int_equal(read_back(before), C3D_OK);
    assert_int_equal(before->n_edits + before->n_deleted, 0);
}

static void edits_are_honoured(void **state)
{
    c3d_dataset_desc desc = settings();
    c3d_frames before, after;
    size_t n_edited = 0;

    (void)state;
    desc.stride_px = 10;
    start_editing(&before);
    edit("DELETE FROM frames WHERE fid = 1");
    edit("UPDATE frames SET split = 'none' WHERE fid = 2");
    edit("UPDATE frames SET label_2020 = 'uncertain', fold = 2 WHERE fid = 5");
    edit("UPDATE frames SET edited = 1 WHERE fid = 7");
    assert_int_equal(read_back(&after), C3D_OK);
    assert_int_equal(after.n, before.n - 1);
    assert_int_equal(after.n_deleted, 1);
    assert_true(after.rows[0].frame_id == before.rows[1].frame_id);
    assert_int_equal(after.rows[0].split, C3D_SPLIT_NONE);
    assert_int_equal(after.labels[3], C3D_FRAME_UNCERTAIN);
    assert_true(after.rows[0].edited && after.rows[3].edited && after.rows[5].edited);
    for (size_t i = 0; i < after.n; i++) n_edited += after.rows[i].edited;
    assert_int_equal(n_edited, 3);
    assert_int_equal(after.n_edits, before.rows[4].fold == 2 ? 2 : 3);
    assert_true(after.edits[0].frame_id == before.rows[1].frame_id);
    assert_int_equal(after.edits[0].what, C3D_EDIT_SPLIT);
    assert_int_equal(after.edits[0].was, before.rows[1].split);
    assert_int_equal(after.edits[0].is, C3D_SPLIT_NONE);
    assert_int_equal(after.edits[after.n_edits - 1].what, 2020);
    assert_int_equal(after.edits[after.n_edits - 1].was, before.labels[4]);
    c3d_frames_free(&before);
    c3d_frames_free(&after);

    /* the same settings keep the edits, other settings are refused */
    assert_int_equal(c3d_dataset_frames(&desc, NULL), C3D_OK);
    assert_int_equal(read_back(&after), C3D_OK);
    assert_int_equal(after.rows[0].split, C3D_SPLIT_NONE);
    c3d_frames_free(&after);
    desc.positive_share = 0.8;
    assert_int_equal(c3d_dataset_frames(&desc, NULL), C3D_ECONFIG);
    assert_message("3 frames changed, 1 deleted");
    assert_int_equal(unlink("out/frames.gpkg"), 0);
}

/* What another program makes of the layer: other columns first, other rows first, one more. */
static void rows_and_columns_may_be_in_any_order(void **state)
{
    c3d_frames before, after;

    (void)state;
    start_editing(&before);
    if (system(
            "ogr2ogr -f GPKG turned.gpkg out/frames.gpkg -nln frames -sql \"SELECT made, y, "
            "label_2020, 'mine' AS remark, share_mining_2020, frame_id, x, fold, split, geom FROM "
            "frames ORDER BY split, frame_id DESC\" >edit.txt 2>&1 && ogr2ogr -update "
            "turned.gpkg out/frames.gpkg settings sources >>edit.txt 2>&1 && "
            "mv turned.gpkg out/frames.gpkg") != 0)
        fail_msg("ogr2ogr");
    edit("UPDATE frames SET split = 'none' WHERE y = 0");
    assert_int_equal(read_back(&after), C3D_OK);
    assert_int_equal(after.n, before.n);
    for (size_t i = 0; i < after.n; i++) {
        assert_true(after.rows[i].frame_id == before.rows[i].frame_id);
        assert_int_equal(after.rows[i].split,
                         after.rows[i].y == 0 ? C3D_SPLIT_NONE : before.rows[i].split);
        assert_int_equal(after.labels[i], before.labels[i]);
        assert_true(after.shares[2 * i] == before.shares[2 * i]);
    }
    c3d_frames_free(&before);
    c3d_frames_free(&after);
    assert_int_equal(unlink("out/frames.gpkg"), 0);
}

static void what_cannot_be_edited_is_refused(void **state)
{
    c3d_frames before, after;
    char text[256];

    (void)state;
    start_editing(&before);
    edit("UPDATE frames SET split = 'tset' WHERE fid = 3");
    assert_refused("split: expected train, validation, test or none, got \"tset\"");
    edit("UPDATE frames SET split = 'test', fold = 7 WHERE fid = 3");
    (void)snprintf(text, sizeof text,
                   "frame %lld: fold: expected a fold's number from 0 to 3, or -1",
                   (long long)before.rows[2].frame_id);
    assert_refused(text);
    edit("UPDATE frames SET fold = -1 WHERE fid = 3");
    edit("UPDATE frames SET geom = ST_Translate(geom, 30, 0, 0) WHERE fid = 4");
    (void)snprintf(text, sizeof text, "frame %lld: its square was moved or reshaped",
                   (long long)before.rows[3].frame_id);
    assert_refused(text);
    edit("UPDATE frames SET x = x + 3 WHERE fid = 4"); /* place and geometry agree, but are new */
    assert_refused("x, y were changed");
    edit("UPDATE frames SET x = x - 3, geom = ST_Translate(geom, -30, 0, 0) WHERE fid = 4");
    assert_int_equal(read_back(&after), C3D_OK);
    c3d_frames_free(&after);
    edit("UPDATE frames SET geom = ST_ConvexHull(ST_Collect(ST_Centroid(geom), "
         "ST_ExteriorRing(ST_Buffer(geom, -20)))) WHERE fid = 4");
    assert_refused("moved or reshaped");
    edit("UPDATE frames SET geom = (SELECT geom FROM frames WHERE fid = 5) WHERE fid = 4");
    assert_refused("moved or reshaped");
    edit("DELETE FROM frames WHERE fid = 4");
    edit("INSERT INTO frames (geom, split, fold, label_2020, x, y) SELECT geom, split, fold, "
         "label_2020, x, y FROM frames WHERE fid = 6");
    assert_refused("no frame_id: frames can be edited and deleted, not added");
    edit("UPDATE frames SET frame_id = 999999 WHERE frame_id IS NULL");
    assert_refused("frame 999999: c3d-dataset did not make it");
    edit("UPDATE frames SET frame_id = (SELECT frame_id FROM frames WHERE fid = 6), made = (SELECT "
         "made FROM frames WHERE fid = 6) WHERE frame_id = 999999");
    assert_refused("occurs twice");
    edit("DELETE FROM frames");
    assert_refused("no frames: all");
    c3d_frames_free(&before);
    assert_int_equal(unlink("out/frames.gpkg"), 0);
}

static void other_settings_make_unedited_frames_again(void **state)
{
    c3d_dataset_desc desc = settings();
    c3d_frames frames;

    (void)state;
    desc.stride_px = 10;
    assert_int_equal(c3d_dataset_frames(&desc, NULL), C3D_OK);
    desc.folds = 0;
    assert_int_equal(c3d_dataset_frames(&desc, NULL), C3D_OK);
    assert_int_equal(c3d_frames_read("out/frames.gpkg", &frames), C3D_OK);
    for (size_t i = 0; i < frames.n; i++) assert_int_equal(frames.rows[i].fold, 0);
    c3d_frames_free(&frames);
}

static void a_file_that_is_no_frames_file_is_named(void **state)
{
    c3d_frames frames;

    (void)state;
    assert_int_equal(c3d_frames_read("absent.gpkg", &frames), C3D_EIO);
    assert_message("absent.gpkg");
    assert_int_equal(c3d_file_write("text.gpkg", "text", 4), C3D_OK);
    assert_int_equal(c3d_frames_read("text.gpkg", &frames), C3D_EDATA);
    assert_message("text.gpkg");
}

int main(void)
{
    static char folder[] = "frames-XXXXXX";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_grid_holds_all_months),
        cmocka_unit_test(frames_lie_inside_blocks_and_aoi),
        cmocka_unit_test(no_frame_lies_where_no_month_has_a_file),
        cmocka_unit_test(months_off_the_grid_are_named),
        cmocka_unit_test(blocks_meet_the_shares),
        cmocka_unit_test(splits_are_a_function_of_the_seed),
        cmocka_unit_test(a_buffer_keeps_splits_apart),
        cmocka_unit_test(random_splits_draw_each_frame),
        cmocka_unit_test(settings_that_make_no_sense_are_refused),
        cmocka_unit_test(blocks_of_degrees_are_square_on_the_ground),
        cmocka_unit_test(the_file_reads_back_the_same),
        cmocka_unit_test(edits_are_honoured),
        cmocka_unit_test(rows_and_columns_may_be_in_any_order),
        cmocka_unit_test(what_cannot_be_edited_is_refused),
        cmocka_unit_test(other_settings_make_unedited_frames_again),
        cmocka_unit_test(a_file_that_is_no_frames_file_is_named),
    };

    c3d_raster_start();
    enter_own_folder(folder);
    return cmocka_run_group_tests(tests, make_archive, NULL);
}
