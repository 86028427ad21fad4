/* Scenes from lists: tables, folders, stacks of dates; labels, splits, places, and mistakes. */

#include "support/rasters.h"

#include "c3d/dataset.h"
#include "data/frames.h"

#include <unistd.h>

static c3d_frames imported(c3d_frame rows[3], c3d_frame_label labels[3], int years[1])
{
    static char wkt[] = "EPSG:4326";
    const c3d_frames frames = {
        .n = 3,
        .rows = rows,
        .n_years = 1,
        .years = years,
        .labels = labels,
        .crs_wkt = wkt,
        .transform = { 0, 9e-5, 0, 0, 0, -9e-5 },
        .width_px = 100,
        .height_px = 100,
        .size_px = 48,
    };

    return frames;
}

static void files_groups_and_places_are_kept(void **state)
{
    const double nan = (double)NAN;
    const c3d_dataset_desc desc = { .out_dir = "." };
    const c3d_archive none = { 0 };
    c3d_frame rows[] = {
        { .frame_id = 0, .x = 4, .y = 48, .source = 2, .lon = -60, .lat = -12 },
        { .frame_id = 1, .x = 4, .y = 48, .source = 7, .lon = nan, .lat = nan },
        { .frame_id = 2, .group = -5000000000, .source = 1, .lon = 1, .lat = nan }
    };
    c3d_frame_label labels[] = { C3D_FRAME_POSITIVE, C3D_FRAME_NEGATIVE, C3D_FRAME_NEGATIVE };
    int years[] = { 0 };
    const c3d_frames frames = imported(rows, labels, years);
    c3d_frames read;
    c3d_vector *layer;
    double box[4];

    (void)state;
    assert_int_equal(c3d_frames_write("frames.gpkg", &frames, &desc, &none), C3D_OK);
    assert_int_equal(c3d_frames_read("frames.gpkg", &read), C3D_OK);
    assert_int_equal(read.n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(read.rows[i].source, rows[i].source);
        assert_true(read.rows[i].group == rows[i].group);
        assert_false(read.rows[i].edited);
    }
    assert_true(read.rows[0].lon == -60 && read.rows[0].lat == -12);
    assert_true(isnan(read.rows[1].lon) && isnan(read.rows[2].lon) && isnan(read.rows[2].lat));
    c3d_frames_free(&read);

    assert_int_equal(c3d_vector_open("frames.gpkg", "frames", &layer), C3D_OK);
    assert_true(c3d_vector_bounds(layer, 0, box));
    assert_true(fabs(box[3] - box[1] - (48 * 9e-5)) < 1e-9);
    assert_true(fabs((box[2] - box[0]) * cos(12 * acos(-1.0) / 180) - (48 * 9e-5)) < 1e-9);
    assert_true(fabs((box[0] + box[2]) / 2 - (-60)) < 1e-9);
    assert_false(c3d_vector_bounds(layer, 1, box));
    assert_false(c3d_vector_bounds(layer, 2, box));
    c3d_vector_close(layer);
}

/* ---- datasets of lists ----------------------------------------------------------------------- */

/* File f, band b: known pixels, none 0. */
static int file_number;
static int pixel(int file, int band, int x, int y)
{
    return 1 + (file * 37 + band * 91 + x * 3 + y * 7) % 250;
}
static double known(int band, int x, int y)
{
    return pixel(file_number, band, x, y);
}

static void write_file(const char *path, int number, int width, int height, int n_bands)
{
    file_number = number;
    write_test_raster(
        path,
        &(test_raster){
            .width = width, .height = height, .n_bands = n_bands, .dtype = C3D_U8, .rule = known });
}

static void write_text(const char *path, const char *text)
{
    assert_int_equal(c3d_file_write(path, text, strlen(text)), C3D_OK);
}

static c3d_dataset_desc settings(const c3d_list_desc *list, const char *out_dir)
{
    return (c3d_dataset_desc){ .list = list,
                               .out_dir = out_dir,
                               .max_missing_share = 0.9,
                               .split_shares = { 0.6, 0.2, 0.2 },
                               .seed = 5 };
}

static void assert_imported(const c3d_dataset_desc *desc)
{
    if (c3d_dataset_import(desc, NULL) != C3D_OK) fail_msg("%s", c3d_error_last()->message);
}

typedef struct result {
    c3d_frames frames;
    c3d_samples samples;
    c3d_dataset_info info;
    c3d_shard *shard;
    c3d_shard_shape shape;
    c3d_scene scene;
} result;

static result read_result(const char *dir)
{
    char path[C3D_PATH_MAX];
    result of = { 0 };

    assert_int_equal(c3d_path_join(path, dir, "frames.gpkg"), C3D_OK);
    assert_int_equal(c3d_frames_read(path, &of.frames), C3D_OK);
    assert_int_equal(c3d_path_join(path, dir, "samples.csv"), C3D_OK);
    assert_int_equal(c3d_samples_read(path, &of.samples), C3D_OK);
    assert_int_equal(c3d_dataset_info_read(dir, &of.info), C3D_OK);
    assert_int_equal(c3d_path_join(path, dir, of.info.shards[0].file), C3D_OK);
    assert_int_equal(c3d_shard_open(path, true, &of.shard), C3D_OK);
    of.shape = *c3d_shard_get_shape(of.shard);
    of.scene = (c3d_scene){ .values = c3d_calloc(1, c3d_scene_bytes(&of.shape)),
                            .valid = c3d_calloc(1, c3d_valid_bytes(&of.shape)),
                            .missing_share = c3d_calloc(64, sizeof(float)),
                            .sum = c3d_calloc(1024, 8),
                            .sum_squares = c3d_calloc(1024, 8) };
    return of;
}

static void free_result(result *of)
{
    free(of->scene.values);
    free(of->scene.valid);
    free(of->scene.missing_share);
    free(of->scene.sum);
    free(of->scene.sum_squares);
    c3d_shard_close(of->shard);
    c3d_dataset_info_free(&of->info);
    c3d_samples_free(&of->samples);
    c3d_frames_free(&of->frames);
}

/* A scene's month is file `file`'s bands from `band` on, from (x, y) on. */
static void assert_pixels(result *of, int row, int month, int file, int band, int x, int y)
{
    const int size = of->shape.size_px;
    const uint8_t *values;

    assert_int_equal(c3d_shard_read_scene(of->shard, row, &of->scene), C3D_OK);
    values = (const uint8_t *)of->scene.values + month * of->shape.n_bands * size * size;
    for (int b = 0; b < of->shape.n_bands; b++)
        for (int v = 0; v < size; v++)
            for (int u = 0; u < size; u++)
                if (values[(b * size + v) * size + u] != pixel(file, band + b, x + u, y + v))
                    fail_msg("scene %d month %d band %d at %d, %d: %d, expected %d", row, month, b,
                             u, v, values[(b * size + v) * size + u],
                             pixel(file, band + b, x + u, y + v));
}

static void a_table_is_read_as_people_write_it(void **state)
{
    const c3d_list_desc list = { .path = "lists/table.csv" };
    c3d_dataset_desc desc = settings(&list, "table");
    result of;

    (void)state;
    assert_int_equal(c3d_make_dirs("lists"), C3D_OK);
    write_file("lists/b.tif", 1, 40, 30, 2);
    write_file("lists/a; one.tif", 2, 16, 16, 2);
    /* BOM, CRLF, semicolons, quotes, other case and order, an empty line, blanks, a whole file */
    write_text("lists/table.csv", "\xef\xbb\xbfLabel;PATH;X_Off;y_off;x_size;Y_SIZE;note;Split\r\n"
                                  "mine;b.tif;20;10;16;16;\"a\nb\";train\r\n"
                                  "forest;\"a; one.tif\";;;;;\"say \"\"x\"\"\";val\r\n"
                                  "\r\n"
                                  " mine ; b.tif ;0;0;16;16;;TEST\r\n"
                                  ";b.tif;24;14;16;16;;none\r\n");
    desc.positive = "mine";
    assert_imported(&desc);
    of = read_result("table");
    assert_int_equal(of.frames.n, 4);
    assert_int_equal(of.shape.size_px, 16);
    assert_pixels(&of, 0, 0, 1, 0, 20, 10);
    assert_pixels(&of, 1, 0, 2, 0, 0, 0);
    assert_pixels(&of, 2, 0, 1, 0, 0, 0);
    assert_pixels(&of, 3, 0, 1, 0, 24, 14);
    assert_int_equal(of.frames.rows[0].source, 1);
    assert_int_equal(of.frames.rows[1].source, 2);
    assert_int_equal(of.frames.rows[3].source, 1);
    assert_int_equal(of.frames.rows[1].split, C3D_SPLIT_VALIDATION);
    assert_int_equal(of.frames.rows[2].split, C3D_SPLIT_TEST);
    assert_int_equal(of.frames.labels[3], C3D_FRAME_UNLABELLED);
    assert_near(of.frames.rows[0].lat, -9.05, 0.1); /* the files know where they are */
    assert_near(of.info.pixel_m[0], 10, 1e-6);
    assert_int_equal(of.samples.n, 3);
    assert_int_equal(of.samples.rows[0].label, 1);
    assert_int_equal(of.samples.rows[1].label, 0);
    assert_string_equal(of.info.classes[1], "mine");
    free_result(&of);
}

static void columns_have_the_names_they_are_given(void **state)
{
    static const char *const window[] = { "row", "col", "chip_px" };
    static const char *const groups[] = { "gallery" };
    const c3d_list_desc list = { .path = "manifest.tsv",
                                 .folder = "lists",
                                 .path_column = "gallery",
                                 .label_column = "class",
                                 .n_window = 3,
                                 .window = window,
                                 .n_groups = 1,
                                 .groups = groups,
                                 .group_match = "^(.)",
                                 .crop = true };
    c3d_dataset_desc desc = settings(&list, "cells");
    result of;

    (void)state;
    write_text("manifest.tsv", "gallery\trow\tcol\tchip_px\tclass\tlon\tlat\n"
                               "b.tif\t1\t2\t12\t0\t-60.5\t-3\n"
                               "b.tif\t0\t1\t12\t1\t\t\n");
    desc.frame_size_px = 10; /* the middle of the cells */
    assert_imported(&desc);
    of = read_result("cells");
    assert_pixels(&of, 0, 0, 1, 0, 25, 13);
    assert_pixels(&of, 1, 0, 1, 0, 13, 1);
    assert_near(of.frames.rows[0].lon, -60.5, 0);
    assert_true(of.frames.rows[0].group > 0);
    assert_true(of.frames.rows[0].group == of.frames.rows[1].group);
    assert_int_equal(of.frames.labels[0], C3D_FRAME_NEGATIVE);
    assert_int_equal(of.frames.labels[1], C3D_FRAME_POSITIVE);
    free_result(&of);
}

static void rows_of_one_scene_are_its_dates(void **state)
{
    const c3d_list_desc list = { .path = "dates.csv" };
    c3d_dataset_desc desc = settings(&list, "dates");
    result of;

    (void)state;
    write_file("d1.tif", 3, 20, 20, 1);
    write_file("d2.tif", 4, 20, 20, 1);
    write_file("d3.tif", 5, 20, 20, 1);
    write_text("dates.csv", "scene,path,x_off,y_off,x_size,y_size,date,label\n"
                            "east,d3.tif,10,0,10,10,2021-02,1\n"
                            "west,d1.tif,0,0,10,10,2020-01,0\n"
                            "east,d1.tif,10,0,10,10,202001,0\n"
                            "west,d2.tif,0,0,10,10,2020/12,0\n"
                            "east,d2.tif,10,0,10,10,2020-12,0\n");
    desc.samples = C3D_SAMPLES_SERIES;
    assert_imported(&desc);
    of = read_result("dates");
    assert_int_equal(of.shape.n_months, 3);
    assert_int_equal(c3d_shard_months(of.shard)[1], 20201200);
    for (int month = 0; month < 3; month++) assert_pixels(&of, 0, month, 3 + month, 0, 10, 0);
    for (int month = 0; month < 3; month++) /* west lacks the last one: as the one before */
        assert_pixels(&of, 1, month, month < 2 ? 3 + month : 4, 0, 0, 0);
    assert_true(of.scene.missing_share[2] > 0.99F);
    assert_int_equal(of.frames.n_years, 2);
    assert_int_equal(of.frames.labels[0], C3D_FRAME_NEGATIVE); /* east in 2020 */
    assert_int_equal(of.frames.labels[1], C3D_FRAME_POSITIVE);
    assert_int_equal(of.frames.labels[3], C3D_FRAME_UNLABELLED); /* west in 2021 */
    free_result(&of);
}

static void scenes_of_different_dates_are_numbered(void **state)
{
    const c3d_list_desc list = { .path = "own.csv" };
    c3d_dataset_desc desc = settings(&list, "own");
    result of;

    (void)state;
    write_text("own.csv", "path,date,label\nd1.tif,2019-05-01,no\nd2.tif,2021-07-09,yes\n");
    assert_imported(&desc);
    of = read_result("own");
    assert_int_equal(of.shape.n_months, 1);
    assert_int_equal(c3d_shard_months(of.shard)[0], 10100);
    assert_int_equal(of.frames.labels[1], C3D_FRAME_POSITIVE);
    assert_pixels(&of, 1, 0, 4, 0, 0, 0);
    free_result(&of);
}

/* ---- stacks ---------------------------------------------------------------------------------- */

/* Three dates of two bands, however the file has them. */
static void assert_stack(c3d_stack stack, const char *dir, const int order[6])
{
    static const char *const dates[] = { "2020-09", "2020-10", "2020-12" };
    const bool by_name = stack == C3D_STACK_BY_NAME;
    const c3d_list_desc list = {
        .path = "stack.csv", .stack = stack, .n_stack_dates = by_name ? 0 : 3, .stack_dates = dates
    };
    c3d_dataset_desc desc = settings(&list, dir);
    result of;

    assert_imported(&desc);
    of = read_result(dir);
    assert_int_equal(of.shape.n_months, 3);
    assert_int_equal(of.shape.n_bands, 2);
    assert_int_equal(c3d_shard_months(of.shard)[2], 20201200);
    assert_int_equal(c3d_shard_read_scene(of.shard, 0, &of.scene), C3D_OK);
    for (int i = 0; i < 6; i++)
        assert_int_equal(((const uint8_t *)of.scene.values)[i * 100], pixel(6, order[i], 0, 0));
    if (by_name) assert_string_equal(of.info.bands[0], "NDVI");
    free_result(&of);
}

static void bands_may_be_dates(void **state)
{
    static const char *const names[] = { "2020-12 red",  "NDVI_202009", "2020-09-red",
                                         "2020-10_NDVI", "2020-10 red", "NDVI 2020-12" };

    (void)state;
    file_number = 6;
    write_test_raster("stack.tif", &(test_raster){ .width = 10,
                                                   .height = 10,
                                                   .n_bands = 6,
                                                   .dtype = C3D_U8,
                                                   .band_names = names,
                                                   .rule = known });
    write_text("stack.csv", "path,label\nstack.tif,1\n");
    assert_stack(C3D_STACK_BY_DATE, "by-date", (const int[]){ 0, 1, 2, 3, 4, 5 });
    assert_stack(C3D_STACK_BY_BAND, "by-band", (const int[]){ 0, 3, 1, 4, 2, 5 });
    assert_stack(C3D_STACK_BY_NAME, "by-name", (const int[]){ 1, 2, 3, 4, 5, 0 });
}

/* ---- folders, classes ------------------------------------------------------------------------ */

static void a_folder_has_a_folder_a_class(void **state)
{
    const c3d_list_desc list = { .path = "tree", .group_match = "site[0-9]+" };
    c3d_dataset_desc desc = settings(&list, "of-tree");
    result of;

    (void)state;
    assert_int_equal(c3d_make_dirs("tree/water/deep"), C3D_OK);
    assert_int_equal(c3d_make_dirs("tree/mine"), C3D_OK);
    assert_int_equal(c3d_make_dirs("tree/forest"), C3D_OK);
    write_file("tree/mine/site1.tif", 7, 8, 8, 1);
    write_file("tree/water/deep/site1.tif", 8, 8, 8, 1);
    write_file("tree/forest/site2.tif", 9, 8, 8, 1);
    write_text("tree/forest/README.txt", "no image");
    assert_imported(&desc);
    of = read_result("of-tree");
    assert_int_equal(of.frames.n, 3);
    assert_int_equal(of.info.n_classes, 4); /* other, forest, mine, water */
    assert_string_equal(of.info.classes[2], "mine");
    for (int i = 0; i < 3; i++) assert_int_equal(of.frames.labels[i], i + 1);
    assert_pixels(&of, 0, 0, 9, 0, 0, 0);
    assert_pixels(&of, 2, 0, 8, 0, 0, 0);
    assert_true(of.frames.rows[1].group == of.frames.rows[2].group);
    assert_true(of.frames.rows[0].group != of.frames.rows[2].group);
    assert_int_equal(of.frames.rows[1].split, of.frames.rows[2].split);
    free_result(&of);
    desc.positive = "mines";
    desc.out_dir = "wrong";
    assert_int_equal(c3d_dataset_import(&desc, NULL), C3D_ECONFIG);
    assert_message("forest, mine, water");
}

/* ---- splits ---------------------------------------------------------------------------------- */

/* Groups of one class each, as galleries are: 10 of one class, 6 of the other; in pairs of groups
 * two scenes are of one place. */
static void write_groups(void)
{
    c3d_text text = { 0 };

    c3d_text_add(&text, "path,x_off,y_off,x_size,y_size,label,group,place\n");
    for (int group = 0; group < 16; group++)
        for (int i = 0; i < 3 + group % 4; i++)
            c3d_text_add(&text, "lists/b.tif,%d,%d,1,1,%d,g%02d,%s\n", group * 2, i * 2,
                         group >= 10, group, i < 2 && group % 8 == 1 ? i ? "east" : "west" : "");
    write_text("groups.csv", text.text);
    c3d_text_free(&text);
}

static void groups_stay_whole_and_folds_mix(void **state)
{
    static const char *const columns[] = { "group", "place" };
    const c3d_list_desc list = { .path = "groups.csv", .n_groups = 1, .groups = columns };
    c3d_list_desc both = list;
    c3d_dataset_desc desc = settings(&list, "folds");
    size_t n[5][2] = { { 0 } };
    result of;

    (void)state;
    write_groups();
    desc.folds = 5;
    assert_imported(&desc);
    of = read_result("folds");
    for (size_t i = 0; i < of.frames.n; i++) {
        const c3d_frame *frame = &of.frames.rows[i];
        n[frame->fold][of.frames.labels[i]]++;
        assert_int_equal(frame->split, frame->fold == 0   ? C3D_SPLIT_TEST
                                       : frame->fold == 1 ? C3D_SPLIT_VALIDATION
                                                          : C3D_SPLIT_TRAIN);
        for (size_t k = 0; k < i; k++)
            if (of.frames.rows[k].group == frame->group)
                assert_int_equal(of.frames.rows[k].fold, frame->fold);
            else
                assert_int_not_equal(of.frames.rows[k].x, frame->x);
    }
    for (int fold = 0; fold < 5; fold++) assert_true(n[fold][0] > 5 && n[fold][1] > 2);
    free_result(&of);

    both.n_groups = 2;
    desc.list = &both;
    desc.out_dir = "both";
    assert_imported(&desc);
    of = read_result("both");
    size_t n_out = 0;
    for (size_t i = 0; i < of.frames.n; i++) {
        n_out += of.frames.rows[i].split == C3D_SPLIT_NONE;
        for (size_t k = 0; k < i; k++)
            if (of.frames.rows[i].split != C3D_SPLIT_NONE &&
                of.frames.rows[k].split != C3D_SPLIT_NONE &&
                of.frames.rows[k].group == of.frames.rows[i].group)
                assert_int_equal(of.frames.rows[k].fold, of.frames.rows[i].fold);
    }
    assert_true(n_out > 0 && n_out < of.frames.n / 2);
    free_result(&of);
}

/* A scene of two files, and one in the second of them, which it has by another name. */
static void check_shared_file(const char *dir, int x, c3d_status expected, const char *words)
{
    const c3d_list_desc list = { .path = "shared.csv" };
    c3d_dataset_desc desc = settings(&list, dir);
    c3d_text csv = { 0 }, text = { 0 };

    c3d_text_add(&csv,
                 "scene,path,x_off,y_off,x_size,y_size,date,label,split\n"
                 "a,d1.tif,0,0,8,8,2020-01,0,train\n"
                 "a,d2.tif,0,0,8,8,2020-02,0,train\n"
                 "b,link.tif,%d,0,8,8,2020-02,1,test\n",
                 x);
    write_text("shared.csv", csv.text);
    c3d_text_free(&csv);
    desc.samples = C3D_SAMPLES_SERIES;
    assert_imported(&desc);
    assert_int_equal(c3d_dataset_verify(dir, NULL, &text), expected);
    if (!strstr(text.text, words)) fail_msg("\"%s\" does not say \"%s\"", text.text, words);
    c3d_text_free(&text);
}

static void pixels_of_any_file_of_a_scene_may_leak(void **state)
{
    (void)state;
    assert_int_equal(symlink("d2.tif", "link.tif"), 0);
    check_shared_file("overlap", 4, C3D_EDATA,
                      "LEAK: 2 frames share source pixels with one of another split, such as "
                      "frame 0 (train) and frame 1 (test)");
    check_shared_file("apart", 9, C3D_OK, "nearest are frames 0 and 1, 1.0 px");
}

/* ---- mistakes -------------------------------------------------------------------------------- */

static char *log_text(void)
{
    char *text;

    assert_int_equal(c3d_file_read("log.txt", &text, NULL), C3D_OK);
    return text;
}

static void mistakes_are_told_all_at_once(void **state)
{
    static const char *const lines[] = {
        "bad.csv:3: lists/absent.tif: no such file",
        "bad.csv:4: window 35, 0 of 10 x 10 px is outside the 40 x 30 px",
        "bad.csv:5: x_off: expected a whole number from 0 on, got \"left\"",
        "bad.csv:8: split: expected train, validation, test or none, got \"maybe\"",
        "bad.csv:9: 12 x 12 px, expected 10 x 10 (data.frame_size_px)",
        "bad.csv:10: 1 bands of uint8, the first file has 2 of uint8",
        "bad.csv:12: lists/moon.tif: no way from \"",
        "bad.csv:11: date: expected a date such as 2020-09 or 2020-09-14, got \"May\"",
    };
    const c3d_list_desc list = { .path = "bad.csv", .folder = "lists" };
    const c3d_dataset_desc desc = settings(&list, "bad");
    char *log;

    (void)state;
    write_test_raster("lists/moon.tif", &(test_raster){ .width = 20,
                                                        .height = 10,
                                                        .n_bands = 2,
                                                        .dtype = C3D_U8,
                                                        .crs = "+proj=longlat +R=1737400 +no_defs",
                                                        .transform = { 10, 0.1, 0, 5, 0, -0.1 },
                                                        .rule = known });
    write_text("bad.csv", "path,x_off,y_off,x_size,y_size,label,split,date\n"
                          "b.tif,0,0,10,10,1,train,\n"
                          "absent.tif,0,0,10,10,1,train,\n"
                          "b.tif,35,0,10,10,1,train,\n"
                          "b.tif,left,0,10,10,1,train,\n"
                          "b.tif,10,0,10,10,\"0\n\",test,\n"
                          "b.tif,0,10,10,10,1,maybe,\n"
                          "b.tif,0,10,12,12,1,train,\n"
                          "../d1.tif,0,0,10,10,1,train,\n"
                          "b.tif,20,0,10,10,1,train,May\n"
                          "moon.tif,0,0,10,10,1,train,\n"
                          "moon.tif,10,0,10,10,1,train,\n");
    assert_int_equal(c3d_log_set_file("log.txt"), C3D_OK);
    assert_int_equal(c3d_dataset_import(&desc, NULL), C3D_EDATA);
    assert_message("bad.csv: 8 mistakes");
    assert_int_equal(c3d_log_set_file(NULL), C3D_OK);
    log = log_text();
    for (size_t i = 0; i < C3D_COUNT(lines); i++)
        if (!strstr(log, lines[i])) fail_msg("not told: %s", lines[i]);
    free(log);
    assert_false(c3d_path_exists("bad/frames.gpkg"));
    assert_false(c3d_path_exists("bad/import.csv"));
}

static void a_column_that_is_not_there_is_told(void **state)
{
    const c3d_list_desc list = { .path = "dates.csv", .label_column = "labels" };
    const c3d_dataset_desc desc = settings(&list, "no-column");

    (void)state;
    assert_int_equal(c3d_dataset_import(&desc, NULL), C3D_EDATA);
    assert_message("no column labels; did you mean label?");
}

/* ---- going on -------------------------------------------------------------------------------- */

static uint64_t hash_of(const char *path)
{
    uint64_t hash;

    assert_int_equal(c3d_hash_file(path, &hash, NULL), C3D_OK);
    return hash;
}

/* As large as the old one. */
static void a_replaced_file_is_noticed(void **state)
{
    static const char *const columns[] = { "group" };
    const c3d_list_desc list = { .path = "groups.csv", .n_groups = 1, .groups = columns };
    c3d_dataset_desc desc = settings(&list, "folds");
    char *bytes;
    size_t n;

    (void)state;
    desc.folds = 5;
    assert_int_equal(c3d_file_read("lists/b.tif", &bytes, &n), C3D_OK);
    bytes[n - 1] ^= 1;
    assert_int_equal(c3d_file_write("lists/b.tif", bytes, n), C3D_OK);
    assert_int_equal(c3d_dataset_import(&desc, NULL), C3D_EDATA);
    assert_message("b.tif: was replaced");
    bytes[n - 1] ^= 1;
    assert_int_equal(c3d_file_write("lists/b.tif", bytes, n), C3D_OK);
    assert_imported(&desc); /* copied back: another time, the same content */
    free(bytes);
}

/* As after a kill: some scenes are absent, one of them half written, and there is no dataset. */
static void what_is_there_is_not_done_again(void **state)
{
    static const char shard[] = "folds/scenes-000101-00000.h5";
    static const char *const columns[] = { "group" };
    const c3d_list_desc list = { .path = "groups.csv", .n_groups = 1, .groups = columns };
    c3d_dataset_desc desc = settings(&list, "folds");
    const uint64_t before = hash_of(shard), samples = hash_of("folds/samples.csv");
    result of;

    (void)state;
    of = read_result("folds");
    assert_int_equal(c3d_shard_read_scene(of.shard, 3, &of.scene), C3D_OK);
    memset(of.scene.values, 99, c3d_scene_bytes(&of.shape));
    assert_int_equal(c3d_shard_write(of.shard, 3, &of.scene), C3D_OK);
    assert_int_equal(c3d_shard_mark(of.shard, 3, C3D_SCENE_ABSENT, 0), C3D_OK);
    assert_int_equal(c3d_shard_mark(of.shard, 11, C3D_SCENE_ABSENT, 0), C3D_OK);
    free_result(&of);
    assert_true(hash_of(shard) != before);
    assert_int_equal(remove("folds/dataset.json"), 0);
    desc.folds = 5;
    assert_imported(&desc);
    assert_true(hash_of(shard) == before);
    assert_true(hash_of("folds/samples.csv") == samples);

    /* Other rows under the same frames' numbers would be other pixels: refused. */
    write_text("groups.csv", "path,group,label,x_off,y_off,x_size,y_size\n"
                             "lists/b.tif,a,1,2,0,1,1\nlists/b.tif,b,0,0,0,1,1\n");
    assert_int_equal(c3d_dataset_import(&desc, NULL), C3D_ECONFIG);
    assert_message("import into another directory");
    assert_true(hash_of(shard) == before);
}

int main(void)
{
    static char folder[] = "import-XXXXXX";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_groups_and_places_are_kept),
        cmocka_unit_test(a_table_is_read_as_people_write_it),
        cmocka_unit_test(columns_have_the_names_they_are_given),
        cmocka_unit_test(rows_of_one_scene_are_its_dates),
        cmocka_unit_test(scenes_of_different_dates_are_numbered),
        cmocka_unit_test(bands_may_be_dates),
        cmocka_unit_test(a_folder_has_a_folder_a_class),
        cmocka_unit_test(groups_stay_whole_and_folds_mix),
        cmocka_unit_test(pixels_of_any_file_of_a_scene_may_leak),
        cmocka_unit_test(mistakes_are_told_all_at_once),
        cmocka_unit_test(a_column_that_is_not_there_is_told),
        cmocka_unit_test(a_replaced_file_is_noticed),
        cmocka_unit_test(what_is_there_is_not_done_again),
    };

    c3d_raster_start();
    enter_own_folder(folder);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
