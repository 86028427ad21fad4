/* The scene store's files: dates, samples.csv, dataset.json, shards. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cm.h"
#include "support/own_folder.h"

#include "c3d/data.h"

static char dir[] = "shard-XXXXXX";

static const char *in_dir(const char *name)
{
    static char path[C3D_PATH_MAX];

    assert_int_equal(c3d_path_join(path, dir, name), C3D_OK);
    return path;
}

static void assert_message(const char *part)
{
    if (!strstr(c3d_error_last()->message, part))
        fail_msg("\"%s\" does not say \"%s\"", c3d_error_last()->message, part);
}

/* ---- dates ----------------------------------------------------------------------------------- */

static void dates_are_parsed_and_printed(void **state)
{
    static const struct {
        const char *text;
        c3d_date date; /* 0: refused */
    } cases[] = {
        { "2020-09", 20200900 },
        { "2013-09-14", 20130914 },
        { "2024-02-29", 20240229 },
        { "2023-02-29", 0 },
        { "1900-02-29", 0 },
        { "2000-02-29", 20000229 },
        { "1985", 19850000 },
        { "0000", 0 },
        { "198", 0 },
        { "19850", 0 },
        { "2020-13", 0 },
        { "2020-00", 0 },
        { "2020-09-00", 0 },
        { "2020-9", 0 },
        { "2020-09-", 0 },
        { "2020-09-1", 0 },
        { "2020-09-011", 0 },
        { "202009", 0 },
        { "", 0 },
        { "2020-09 ", 0 },
        { " 2020-09", 0 },
        { "0000-01", 0 },
    };

    (void)state;
    for (size_t i = 0; i < C3D_COUNT(cases); i++) {
        c3d_date date = 0;
        char text[12];
        const bool is_date = c3d_date_parse(cases[i].text, &date);
        assert_int_equal(is_date ? date : 0, cases[i].date);
        if (is_date) assert_string_equal(c3d_date_text(date, text), cases[i].text);
    }
}

static void splits_have_names(void **state)
{
    c3d_split split;

    (void)state;
    for (int i = 0; i <= C3D_SPLIT_NONE; i++) {
        assert_true(c3d_split_parse(c3d_split_name((c3d_split)i), &split));
        assert_int_equal(split, i);
    }
    assert_false(c3d_split_parse("Train", &split));
}

/* ---- samples.csv ----------------------------------------------------------------------------- */

static void samples_survive_a_round_trip(void **state)
{
    c3d_sample rows[] = {
        { 1, 7, 20200900, 12, 2021, 1, C3D_SPLIT_TRAIN, 0 },
        { 5, 3, 20130914, 23, 0, 0, C3D_SPLIT_TEST, 4 },
        { 5000000000, -2, 20200100, 1, 2020, 0, C3D_SPLIT_VALIDATION, 1 },
    };
    const c3d_samples samples = { C3D_COUNT(rows), rows };
    c3d_samples back;

    (void)state;
    assert_int_equal(c3d_samples_write(in_dir("samples.csv"), &samples), C3D_OK);
    assert_int_equal(c3d_samples_read(in_dir("samples.csv"), &back), C3D_OK);
    assert_int_equal(back.n, samples.n);
    for (size_t i = 0; i < back.n; i++) {
        assert_true(back.rows[i].sample_id == rows[i].sample_id);
        assert_true(back.rows[i].frame_id == rows[i].frame_id);
        assert_int_equal(back.rows[i].first_month, rows[i].first_month);
        assert_int_equal(back.rows[i].n_months, rows[i].n_months);
        assert_int_equal(back.rows[i].label_year, rows[i].label_year);
        assert_int_equal(back.rows[i].label, rows[i].label);
        assert_int_equal(back.rows[i].split, rows[i].split);
        assert_int_equal(back.rows[i].fold, rows[i].fold);
    }
    c3d_samples_free(&back);
}

static void bad_samples_name_the_line(void **state)
{
#define HEAD "sample_id,frame_id,first_month,n_months,label_year,label,split,fold\n"
    static const struct {
        const char *text, *message;
    } cases[] = {
        { HEAD "1,1,2020-09,12,2020,1,train,0\n1,2,2020-09,12,2020,1,train,0\n", ":3: sample_id" },
        { HEAD "1,1,2020-9,12,2020,1,train,0\n", ":2: column first_month" },
        { HEAD "1,1,2020-09,0,2020,1,train,0\n", ":2: column n_months: 0 is outside" },
        { HEAD "1,1,2020-09,12,2020,-1,train,0\n", ":2: column label" },
        { HEAD "1,1,2020-09,12,2020,1,trian,0\n", ":2: column split" },
        { HEAD "1,1,2020-09,x,2020,1,train,0\n", ":2: column n_months" },
        { "sample_id,frame_id\n1,2\n", "no column first_month" },
    };
    c3d_samples samples;

    (void)state;
    for (size_t i = 0; i < C3D_COUNT(cases); i++) {
        const char *path = in_dir("bad.csv");
        assert_int_equal(c3d_file_write(path, cases[i].text, strlen(cases[i].text)), C3D_OK);
        assert_int_equal(c3d_samples_read(path, &samples), C3D_EDATA);
        assert_message(cases[i].message);
    }
}

/* ---- dataset.json ---------------------------------------------------------------------------- */

static void info_survives_a_round_trip(void **state)
{
    char *bands[] = { "blue", "nir \"8\"" }, *classes[] = { "other", "mine" };
    c3d_date months[] = { 20200900, 20201000, 20201100 };
    c3d_period periods[] = { { 20200900, 3, months } };
    c3d_shard_info shards[] = { { "scenes-202009-00000.h5", 0, 7 },
                                { "scenes-202009-00001.h5", 0, 2 } };
    const c3d_dataset_info info = { .frame_size_px = 112,
                                    .n_bands = 2,
                                    .bands = bands,
                                    .dtype = C3D_U16,
                                    .n_periods = 1,
                                    .periods = periods,
                                    .n_shards = 2,
                                    .shards = shards,
                                    .n_classes = 2,
                                    .classes = classes,
                                    .crs_wkt = "EPSG:3857",
                                    .pixel_m = { 4.77, 4.77 },
                                    .hash = 0xfedcba9876543210 };
    c3d_dataset_info back;

    (void)state;
    assert_int_equal(c3d_dataset_info_read(dir, &back), C3D_EIO);
    assert_message("no dataset.json; was c3d-dataset build finished?");
    assert_int_equal(c3d_dataset_info_write(dir, &info), C3D_OK);
    assert_int_equal(c3d_dataset_info_read(dir, &back), C3D_OK);
    assert_int_equal(back.schema, C3D_DATASET_SCHEMA);
    assert_int_equal(back.frame_size_px, 112);
    assert_int_equal(back.n_bands, 2);
    assert_string_equal(back.bands[1], bands[1]);
    assert_int_equal(back.dtype, C3D_U16);
    assert_int_equal(back.n_periods, 1);
    assert_int_equal(back.periods[0].first, 20200900);
    assert_int_equal(back.periods[0].n_months, 3);
    assert_memory_equal(back.periods[0].months, months, sizeof months);
    assert_int_equal(back.n_shards, 2);
    assert_string_equal(back.shards[1].file, shards[1].file);
    assert_int_equal(back.shards[1].n_scenes, 2);
    assert_string_equal(back.classes[1], "mine");
    assert_string_equal(back.crs_wkt, "EPSG:3857");
    assert_true(back.pixel_m[0] == 4.77);
    assert_true(back.hash == info.hash);
    c3d_dataset_info_free(&back);
}

static void newer_and_broken_info_is_refused(void **state)
{
    c3d_dataset_info info;
    char *text;
    size_t n;

    (void)state;
    assert_int_equal(c3d_file_read(in_dir("dataset.json"), &text, &n), C3D_OK);
    char *schema = strstr(text, "\"schema\": 1");
    assert_non_null(schema);
    schema[10] = '9';
    assert_int_equal(c3d_file_write(in_dir("dataset.json"), text, n), C3D_OK);
    assert_int_equal(c3d_dataset_info_read(dir, &info), C3D_EDATA);
    assert_message("schema 9");
    schema[10] = '1';
    char *shards = strstr(text, "scenes-202009-00001.h5");
    assert_non_null(shards);
    shards[0] = '/';
    assert_int_equal(c3d_file_write(in_dir("dataset.json"), text, n), C3D_OK);
    assert_int_equal(c3d_dataset_info_read(dir, &info), C3D_EDATA);
    assert_message("shards.file");
    assert_int_equal(c3d_file_write(in_dir("dataset.json"), text, n / 2), C3D_OK);
    assert_int_equal(c3d_dataset_info_read(dir, &info), C3D_EDATA);
    free(text);
}

/* ---- shards ---------------------------------------------------------------------------------- */

enum { N = 3, T = 4, C = 2, S = 11, VALID = T * S * 2 };
static const c3d_shard_shape shape = { N, T, C, S, C3D_I16 };
static const int64_t frame_ids[N] = { 10, 20, 5000000000 };
static const c3d_date months[T] = { 20200900, 20201000, 20201100, 20201200 };
static const char *const bands[C] = { "red", "nir" };

typedef struct scene {
    int16_t values[T * C * S * S];
    uint8_t valid[VALID];
    float missing[T];
    int64_t sum[T * C], sum_squares[T * C];
} scene;

static c3d_scene view(scene *of)
{
    return (c3d_scene){ of->values, of->valid, of->missing, of->sum, of->sum_squares };
}

static void fill(scene *out, int row)
{
    for (int i = 0; i < T * C * S * S; i++) out->values[i] = (int16_t)(row * 5000 + i);
    for (int i = 0; i < VALID; i++) out->valid[i] = (uint8_t)(row * 31 + i);
    for (int i = 0; i < T; i++) out->missing[i] = (float)(row + i) / 8;
    for (int i = 0; i < T * C; i++) out->sum[i] = -row * 1000 + i;
    for (int i = 0; i < T * C; i++) out->sum_squares[i] = (int64_t)row << 40 | i;
}

static void a_new_shard_is_absent_and_knows_its_shape(void **state)
{
    c3d_shard *shard;
    uint8_t status[N];
    uint64_t checksums[N];

    (void)state;
    assert_int_equal(c3d_shard_create(in_dir("a.h5"), &shape, frame_ids, months, bands), C3D_OK);
    assert_false(c3d_path_exists(in_dir("a.h5.part")));
    assert_int_equal(c3d_shard_open(in_dir("a.h5"), false, &shard), C3D_OK);
    assert_memory_equal(c3d_shard_get_shape(shard), &shape, sizeof shape);
    assert_memory_equal(c3d_shard_frame_ids(shard), frame_ids, sizeof frame_ids);
    assert_memory_equal(c3d_shard_months(shard), months, sizeof months);
    assert_string_equal(c3d_shard_bands(shard)[1], "nir");
    assert_int_equal(c3d_shard_read_status(shard, status), C3D_OK);
    assert_int_equal(c3d_shard_read_checksums(shard, checksums), C3D_OK);
    for (int i = 0; i < N; i++) {
        assert_int_equal(status[i], C3D_SCENE_ABSENT);
        assert_true(checksums[i] == 0);
    }
    c3d_shard_close(shard);
}

static void scenes_come_back_as_written(void **state)
{
    c3d_shard *shard;
    scene in, out;
    uint8_t status[N];
    uint64_t checksums[N];
    int16_t window[2 * C * S * S];

    (void)state;
    assert_int_equal(c3d_shard_open(in_dir("a.h5"), true, &shard), C3D_OK);
    for (int row = N - 1; row >= 0; row -= 2) {
        fill(&in, row);
        const c3d_scene from = view(&in);
        assert_int_equal(c3d_shard_write(shard, row, &from), C3D_OK);
        assert_int_equal(c3d_shard_sync(shard), C3D_OK);
        assert_int_equal(
            c3d_shard_mark(shard, row, C3D_SCENE_PRESENT, c3d_scene_checksum(&shape, &from)),
            C3D_OK);
    }
    assert_int_equal(c3d_shard_write_missing(shard, 1, (float[T]){ 1, 1, 1, .5F }), C3D_OK);
    assert_int_equal(c3d_shard_mark(shard, 1, C3D_SCENE_DROPPED, 0), C3D_OK);
    c3d_shard_close(shard);

    assert_int_equal(c3d_shard_open(in_dir("a.h5"), false, &shard), C3D_OK);
    assert_int_equal(c3d_shard_read_status(shard, status), C3D_OK);
    assert_memory_equal(status, ((uint8_t[N]){ 1, 2, 1 }), N);
    assert_int_equal(c3d_shard_read_checksums(shard, checksums), C3D_OK);
    for (int row = 0; row < N; row += 2) {
        c3d_scene to = view(&out);
        fill(&in, row);
        memset(&out, 0xee, sizeof out);
        assert_int_equal(c3d_shard_read_scene(shard, row, &to), C3D_OK);
        assert_memory_equal(out.values, in.values, sizeof in.values);
        assert_memory_equal(out.valid, in.valid, sizeof in.valid);
        assert_memory_equal(out.missing, in.missing, sizeof in.missing);
        assert_memory_equal(out.sum, in.sum, sizeof in.sum);
        assert_memory_equal(out.sum_squares, in.sum_squares, sizeof in.sum_squares);
        assert_true(checksums[row] == c3d_scene_checksum(&shape, &to));
        assert_int_equal(c3d_shard_read_months(shard, row, 1, 2, window), C3D_OK);
        assert_memory_equal(window, in.values + C * S * S, sizeof window);
    }
    assert_int_equal(c3d_shard_read_months(shard, 0, 3, 2, window), C3D_EINVAL);
    assert_int_equal(c3d_shard_read_months(shard, N, 0, 1, window), C3D_EINVAL);
    c3d_shard_close(shard);
}

static void the_checksum_sees_every_byte(void **state)
{
    scene in;
    const c3d_scene from = view(&in);

    (void)state;
    fill(&in, 1);
    const uint64_t whole = c3d_scene_checksum(&shape, &from);
    assert_true(whole != 0);
    in.values[T * C * S * S - 1] ^= 1;
    assert_true(c3d_scene_checksum(&shape, &from) != whole);
    in.values[T * C * S * S - 1] ^= 1;
    in.valid[VALID - 1] ^= 1;
    assert_true(c3d_scene_checksum(&shape, &from) != whole);
}

/* The same content is the same file, whenever it is made. */
static void shards_are_reproducible(void **state)
{
    uint64_t hash[2], n_bytes[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(c3d_shard_create(in_dir("b.h5"), &shape, frame_ids, months, bands),
                         C3D_OK);
        assert_int_equal(c3d_hash_file(in_dir("b.h5"), &hash[i], &n_bytes[i]), C3D_OK);
        if (i == 0) sleep(1); /* HDF5 would store seconds */
    }
    assert_true(hash[0] == hash[1] && n_bytes[0] == n_bytes[1]);
}

static void large_parts_are_aligned_and_sparse(void **state)
{
    const c3d_shard_shape large = { 4, 3, 2, 64, C3D_F32 };
    const int64_t ids[4] = { 1, 2, 3, 4 };
    c3d_shard *shard;
    char *bytes;
    size_t n;
    float *values = c3d_calloc(1, c3d_scene_bytes(&large));

    (void)state;
    assert_non_null(values);
    assert_int_equal(c3d_shard_create(in_dir("c.h5"), &large, ids, months, bands), C3D_OK);
    assert_int_equal(c3d_shard_open(in_dir("c.h5"), true, &shard), C3D_OK);
    for (size_t i = 0; i < c3d_scene_bytes(&large) / 4; i++) values[i] = 12345.5F;
    uint8_t valid[3 * 64 * 8];
    float missing[3] = { 0 };
    double sums[6] = { 0 };
    memset(valid, 0xff, sizeof valid);
    assert_int_equal(c3d_shard_write(shard, 0, &(c3d_scene){ values, valid, missing, sums, sums }),
                     C3D_OK);
    c3d_shard_close(shard);
    assert_int_equal(c3d_file_read(in_dir("c.h5"), &bytes, &n), C3D_OK);
    const float *first = memmem(bytes, n, values, c3d_scene_bytes(&large));
    assert_non_null(first);
    assert_int_equal(((const char *)first - bytes) % 4096, 0);
    free(bytes);
    free(values);
}

static void broken_shards_are_refused(void **state)
{
    c3d_shard *shard;
    char *bytes;
    size_t n;

    (void)state;
    assert_int_equal(c3d_shard_open(in_dir("absent.h5"), false, &shard), C3D_EIO);
    assert_message("absent.h5: No such file");
    assert_int_equal(c3d_file_read(in_dir("a.h5"), &bytes, &n), C3D_OK);
    assert_int_equal(c3d_file_write(in_dir("short.h5"), bytes, n - 100), C3D_OK);
    assert_int_equal(c3d_shard_open(in_dir("short.h5"), false, &shard), C3D_EDATA);
    assert_message("short.h5: cut short");
    assert_int_equal(c3d_file_write(in_dir("text.h5"), "hello", 5), C3D_OK);
    assert_int_equal(c3d_shard_open(in_dir("text.h5"), false, &shard), C3D_EDATA);
    assert_message("text.h5: not a shard");
    /* A name inside the file that is not ours. */
    char *name = memmem(bytes, n, "checksum", 8);
    assert_non_null(name);
    name[0] = 'C';
    assert_int_equal(c3d_file_write(in_dir("renamed.h5"), bytes, n), C3D_OK);
    assert_int_equal(c3d_shard_open(in_dir("renamed.h5"), false, &shard), C3D_EDATA);
    assert_message("renamed.h5: damaged");
    name[0] = 'c';
    bytes[40] ^= 1;
    assert_int_equal(c3d_file_write(in_dir("seal.h5"), bytes, n), C3D_OK);
    assert_int_equal(c3d_shard_open(in_dir("seal.h5"), false, &shard), C3D_EDATA);
    assert_message("seal.h5: not a shard");
    free(bytes);
}

/* Without the seal it is a file as older versions made them. */
static void shards_without_a_seal_are_read(void **state)
{
    enum { SEAL_BYTES = 4096 };
    c3d_shard *shard;
    scene in, out;
    char *bytes;
    size_t n;

    (void)state;
    assert_int_equal(c3d_file_read(in_dir("a.h5"), &bytes, &n), C3D_OK);
    assert_int_equal(c3d_file_write(in_dir("old.h5"), bytes + SEAL_BYTES, n - SEAL_BYTES), C3D_OK);
    assert_int_equal(c3d_shard_open(in_dir("old.h5"), false, &shard), C3D_OK);
    c3d_scene to = view(&out);
    fill(&in, 0);
    assert_int_equal(c3d_shard_read_scene(shard, 0, &to), C3D_OK);
    assert_memory_equal(out.values, in.values, sizeof in.values);
    assert_memory_equal(c3d_shard_frame_ids(shard), frame_ids, sizeof frame_ids);
    c3d_shard_close(shard);
    /* Its names are all that tells what is missing. */
    char *name = memmem(bytes, n, "checksum", 8);
    assert_non_null(name);
    name[0] = 'C';
    assert_int_equal(c3d_file_write(in_dir("old.h5"), bytes + SEAL_BYTES, n - SEAL_BYTES), C3D_OK);
    assert_true(c3d_shard_open(in_dir("old.h5"), false, &shard) != C3D_OK);
    free(bytes);
}

static void creating_fails_with_the_path(void **state)
{
    const c3d_shard_shape empty = { 0, 1, 1, 8, C3D_U8 };

    (void)state;
    assert_int_equal(c3d_shard_create(in_dir("x.h5"), &empty, frame_ids, months, bands), C3D_EDATA);
    assert_int_equal(c3d_shard_create(in_dir("none/x.h5"), &shape, frame_ids, months, bands),
                     C3D_EIO);
    assert_message("none/x.h5");
}

static int make_dir(void **state)
{
    (void)state;
    make_own_folder(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_parsed_and_printed),
        cmocka_unit_test(splits_have_names),
        cmocka_unit_test(samples_survive_a_round_trip),
        cmocka_unit_test(bad_samples_name_the_line),
        cmocka_unit_test(info_survives_a_round_trip),
        cmocka_unit_test(newer_and_broken_info_is_refused),
        cmocka_unit_test(a_new_shard_is_absent_and_knows_its_shape),
        cmocka_unit_test(scenes_come_back_as_written),
        cmocka_unit_test(the_checksum_sees_every_byte),
        cmocka_unit_test(shards_are_reproducible),
        cmocka_unit_test(large_parts_are_aligned_and_sparse),
        cmocka_unit_test(broken_shards_are_refused),
        cmocka_unit_test(shards_without_a_seal_are_read),
        cmocka_unit_test(creating_fails_with_the_path),
    };

    return cmocka_run_group_tests(tests, make_dir, NULL);
}
