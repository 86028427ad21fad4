/* Which samples frames give, and what becomes of every frame. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"
#include "support/own_folder.h"

#include "data/census.h"
#include "data/samples.h"

static char work[] = "samples-XXXXXX";

/* ---- a small store -----------------------------------------------------------------------------
 */

/* 2019-11 to 2022-02: two months of 2019, all of 2020 and 2021, two of 2022. */
enum { N = 8, T = 28, N_YEARS = 4, SIZE = 4 };
static c3d_date months[T];
static c3d_frame rows[N];
static c3d_frame_label labels[N * N_YEARS];
static int years[N_YEARS] = { 2019, 2020, 2021, 2022 };
static c3d_frames frames = { .n = N,
                             .rows = rows,
                             .n_years = N_YEARS,
                             .years = years,
                             .labels = labels,
                             .width_px = 100,
                             .height_px = 100,
                             .size_px = SIZE };
static c3d_store store;

#define NEG  C3D_FRAME_NEGATIVE
#define POS  C3D_FRAME_POSITIVE
#define UNC  C3D_FRAME_UNCERTAIN
#define NONE C3D_FRAME_UNLABELLED

static void write_scene(c3d_shard *shard, int row, c3d_scene_status status)
{
    int16_t values[T * SIZE * SIZE] = { 0 };
    uint8_t valid[T * SIZE] = { 0 };
    float missing[T] = { 0 };
    int64_t sums[T] = { 0 };

    missing[5] = row == 0 ? 1 : 0; /* 2020-04 */
    for (int t = 0; t < T && status == C3D_SCENE_DROPPED; t++) missing[t] = row == 6 ? 1 : .9F;
    const c3d_scene scene = { values, valid, missing, sums, sums };
    if (status == C3D_SCENE_PRESENT)
        assert_int_equal(c3d_shard_write(shard, row, &scene), C3D_OK);
    else
        assert_int_equal(c3d_shard_write_missing(shard, row, missing), C3D_OK);
    assert_int_equal(c3d_shard_mark(shard, row, status, status == C3D_SCENE_PRESENT), C3D_OK);
}

static int make_store(void **state)
{
    const c3d_shard_shape shape = { N, T, 1, SIZE, C3D_I16 };
    const char *const bands[] = { "ndvi" };
    int64_t ids[N];
    char path[C3D_PATH_MAX];
    c3d_shard *shard;

    (void)state;
    make_own_folder(work);
    for (int t = 0; t < T; t++)
        months[t] = (2019 + (t + 10) / 12) * 10000 + ((t + 10) % 12 + 1) * 100;
    for (int i = 0; i < N; i++) {
        ids[i] = 10 * i + 5;
        rows[i] = (c3d_frame){ .frame_id = ids[i], .x = 10 * i, .y = 0, .split = i % 3, .fold = i };
    }
    rows[5].split = C3D_SPLIT_NONE;
    assert_int_equal(c3d_path_join(path, work, "scenes-201911-00000.h5"), C3D_OK);
    assert_int_equal(c3d_shard_create(path, &shape, ids, months, bands), C3D_OK);
    assert_int_equal(c3d_shard_open(path, true, &shard), C3D_OK);
    for (int i = 0; i < 6; i++) write_scene(shard, i, C3D_SCENE_PRESENT);
    write_scene(shard, 6, C3D_SCENE_DROPPED);
    write_scene(shard, 7, C3D_SCENE_DROPPED);
    c3d_shard_close(shard);
    return c3d_store_open(work, false, &store) == C3D_OK ? 0 : -1;
}

static int close_store(void **state)
{
    (void)state;
    c3d_store_close(&store);
    return 0;
}

static void set_labels(int frame, c3d_frame_label y2019, c3d_frame_label y2020,
                       c3d_frame_label y2021, c3d_frame_label y2022)
{
    c3d_frame_label *to = labels + (ptrdiff_t)frame * N_YEARS;

    to[0] = y2019;
    to[1] = y2020;
    to[2] = y2021;
    to[3] = y2022;
}

/* Frame 5 is in no split, 6 and 7 are dropped. */
static void reset_labels(void)
{
    set_labels(0, NEG, NEG, POS, POS);
    set_labels(1, NEG, NEG, NEG, NEG);
    set_labels(2, NEG, UNC, POS, NEG);
    set_labels(3, NEG, UNC, NEG, NEG);
    set_labels(4, POS, POS, POS, NONE);
    set_labels(5, POS, POS, POS, POS);
    set_labels(6, POS, POS, POS, POS);
    set_labels(7, NEG, NEG, NEG, NEG);
}

static c3d_samples make(const c3d_dataset_desc *desc)
{
    c3d_samples samples;

    reset_labels();
    assert_int_equal(c3d_samples_make(desc, &frames, &store, &samples), C3D_OK);
    for (size_t i = 1; i < samples.n; i++)
        assert_true(samples.rows[i].sample_id > samples.rows[i - 1].sample_id);
    return samples;
}

/* expected: labels by frame of 0 to 4, 'x' for none. */
static void check_series(c3d_series_label rule, const char *expected)
{
    const c3d_dataset_desc desc = { .samples = C3D_SAMPLES_SERIES, .series_label = rule };
    c3d_samples samples;
    size_t n = 0;

    assert_int_equal(c3d_samples_make(&desc, &frames, &store, &samples), C3D_OK);

    for (int i = 0; i < 5; i++) {
        if (expected[i] == 'x') continue;
        assert_true(n < samples.n);
        const c3d_sample *sample = &samples.rows[n++];
        assert_int_equal(sample->frame_id, 10 * i + 5);
        assert_int_equal(sample->label, expected[i] - '0');
        assert_int_equal(sample->first_month, 20191100);
        assert_int_equal(sample->n_months, T);
        assert_int_equal(sample->split, i % 3);
        assert_int_equal(sample->fold, i);
    }
    assert_int_equal(samples.n, n);
    c3d_samples_free(&samples);
}

static void a_series_is_labelled_over_all_years(void **state)
{
    (void)state;
    reset_labels();
    check_series(C3D_SERIES_ANY, "101x1");
    check_series(C3D_SERIES_LAST, "1000x");
    check_series(C3D_SERIES_ALL, "0000x");
}

/* Classes 1 and 2, and 3 = years of several classes. */
static void a_series_of_several_classes_is_labelled_over_all_years(void **state)
{
    (void)state;
    set_labels(0, 1, 2, 2, 2);
    set_labels(1, 2, NEG, 1, NONE);
    set_labels(2, 2, 2, 2, 2);
    set_labels(3, 1, UNC, 1, 1);
    set_labels(4, 3, UNC, NEG, UNC);
    check_series(C3D_SERIES_ANY, "21213");
    check_series(C3D_SERIES_LAST, "2x21x");
    check_series(C3D_SERIES_ALL, "x02x0");
    reset_labels();
}

/* Of the training split (frames 0 and 3; 1 and 4 are validation) frame 3 is an easy negative. */
static void other_negatives_are_left_out_for_hard_ones(void **state)
{
    uint8_t hard[N * N_YEARS] = { 0 };
    c3d_dataset_desc desc = { .samples = C3D_SAMPLES_YEARLY, .hard_share = 0.5, .seed = 4 };
    c3d_samples samples;
    c3d_census census;
    size_t n_left = 0;

    (void)state;
    for (int i = 0; i < 4; i++) set_labels(i, NEG, NEG, NEG, NEG);
    hard[0 * N_YEARS + 1] = 1; /* frame 0 in 2020 */
    frames.hard = hard;
    assert_int_equal(c3d_samples_make(&desc, &frames, &store, &samples), C3D_OK);
    assert_int_equal(c3d_census_take(&frames, &store, &samples, &census), C3D_OK);
    for (size_t i = 0; i < samples.n; i++) {
        const c3d_sample *sample = &samples.rows[i];
        const bool is_train = sample->frame_id == 5 || sample->frame_id == 35;

        n_left += sample->split == C3D_SPLIT_NONE;
        if (sample->split == C3D_SPLIT_NONE) assert_true(is_train);
        if (sample->frame_id == 5 && sample->label_year == 2020)
            assert_int_equal(sample->split, C3D_SPLIT_TRAIN);
    }
    assert_int_equal(n_left, 2); /* of four training samples one is hard, and one other stays */
    assert_int_equal(census.samples[C3D_SPLIT_TRAIN][0], 2);
    assert_int_equal(census.hard[C3D_SPLIT_TRAIN], 1);
    c3d_census_free(&census);
    c3d_samples_free(&samples);

    desc.hard_share = 1;
    desc.samples = C3D_SAMPLES_SERIES;
    assert_int_equal(c3d_samples_make(&desc, &frames, &store, &samples), C3D_OK);
    assert_int_equal(c3d_census_take(&frames, &store, &samples, &census), C3D_OK);
    assert_int_equal(samples.rows[0].split, C3D_SPLIT_TRAIN);
    assert_int_equal(samples.rows[3].split, C3D_SPLIT_NONE);
    assert_int_equal(census.fates[C3D_FATE_LEFT_OUT], 1);
    c3d_census_free(&census);
    c3d_samples_free(&samples);
    frames.hard = NULL;
    reset_labels();
}

/* 2020 trains, 2021 is for testing: only 2020 is thinned, and what is left out stays in the list.
 */
static void years_for_testing_are_not_thinned(void **state)
{
    const c3d_year_range held[] = { { 2020, 2020, C3D_SPLIT_TRAIN },
                                    { 2021, 2021, C3D_SPLIT_TEST } };
    const c3d_dataset_desc desc = { .samples = C3D_SAMPLES_YEARLY,
                                    .hard_share = 0.5,
                                    .seed = 4,
                                    .split = C3D_SPLIT_YEARS,
                                    .n_split_years = 2,
                                    .split_years = held };
    uint8_t hard[N * N_YEARS] = { 0 };
    size_t n[C3D_N_SPLITS + 1] = { 0 };
    c3d_samples samples;

    (void)state;
    for (int i = 0; i < N; i++) {
        set_labels(i, NEG, NEG, NEG, NEG);
        rows[i].split = i == 5 ? C3D_SPLIT_NONE : C3D_SPLIT_TRAIN;
    }
    hard[0 * N_YEARS + 1] = 1; /* frame 0 in 2020 */
    frames.hard = hard;
    assert_int_equal(c3d_samples_make(&desc, &frames, &store, &samples), C3D_OK);
    for (size_t i = 0; i < samples.n; i++) {
        const c3d_sample *sample = &samples.rows[i];

        n[sample->split]++;
        if (sample->split == C3D_SPLIT_NONE) assert_int_equal(sample->label_year, 2020);
    }
    assert_int_equal(n[C3D_SPLIT_TRAIN], 2); /* the hard one and one other of five */
    assert_int_equal(n[C3D_SPLIT_NONE], 3);
    assert_int_equal(n[C3D_SPLIT_TEST], 5);
    c3d_samples_free(&samples);
    frames.hard = NULL;
    for (int i = 0; i < N; i++) rows[i].split = i == 5 ? C3D_SPLIT_NONE : i % 3;
    reset_labels();
}

static void check_yearly(c3d_label_year_rule rule, const char *first, const char *second)
{
    const c3d_dataset_desc desc = { .samples = C3D_SAMPLES_YEARLY, .label_year = rule };
    c3d_samples samples = make(&desc);
    size_t n = 0;

    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 2; k++) {
            const char want = k == 0 ? first[i] : second[i];
            const int year = 2020 + k;
            if (want == 'x') continue;
            assert_true(n < samples.n);
            const c3d_sample *sample = &samples.rows[n++];
            assert_int_equal(sample->frame_id, 10 * i + 5);
            assert_int_equal(sample->first_month, year * 10000 + 100);
            assert_int_equal(sample->n_months, 12);
            assert_int_equal(sample->label_year, rule == C3D_YEAR_PREVIOUS ? year - 1 : year);
            assert_int_equal(sample->label, want - '0');
        }
    assert_int_equal(samples.n, n);
    c3d_samples_free(&samples);
}

/* 2019 and 2022 have two months only. */
static void a_year_is_a_sample_if_it_is_whole(void **state)
{
    (void)state;
    check_yearly(C3D_YEAR_SAME, "00xx1", "10101");
    check_yearly(C3D_YEAR_PREVIOUS, "00001", "00xx1");
    check_yearly(C3D_YEAR_BOTH_AGREE, "00xx1", "x0xx1");
}

static void a_label_period_is_one_sample(void **state)
{
    const c3d_dataset_desc desc = { .samples = C3D_SAMPLES_YEARLY,
                                    .label_first = 20200300,
                                    .label_last = 20200800 };
    c3d_samples samples = make(&desc);

    (void)state;
    assert_int_equal(samples.n, 5); /* by the first label raster */
    assert_int_equal(samples.rows[4].label, 1);
    assert_int_equal(samples.rows[0].first_month, 20200300);
    assert_int_equal(samples.rows[0].n_months, 6);
    c3d_samples_free(&samples);
}

static void months_without_an_observation_are_no_samples(void **state)
{
    const c3d_dataset_desc desc = { .samples = C3D_SAMPLES_MONTHLY, .max_missing_share = 1 };
    c3d_samples samples = make(&desc);
    size_t n[5] = { 0 };

    (void)state;
    for (size_t i = 0; i < samples.n; i++) {
        const c3d_sample *sample = &samples.rows[i];
        const int frame = (int)(sample->frame_id / 10), year = sample->first_month / 10000;
        assert_int_equal(sample->n_months, 1);
        assert_int_equal(sample->label_year, year);
        assert_int_equal(sample->label,
                         labels[frame * N_YEARS + year - 2019] == C3D_FRAME_POSITIVE);
        assert_false(frame == 0 && sample->first_month == 20200400);
        n[frame]++;
    }
    assert_memory_equal(n, ((size_t[5]){ T - 1, T, T - 12, T - 12, T - 2 }), sizeof n);
    c3d_samples_free(&samples);
}

static void every_frame_is_counted_once(void **state)
{
    const c3d_dataset_desc desc = { .samples = C3D_SAMPLES_SERIES, .series_label = C3D_SERIES_ANY };
    c3d_samples samples = make(&desc);
    c3d_census census;
    size_t sum = 0;

    (void)state;
    assert_int_equal(c3d_census_take(&frames, &store, &samples, &census), C3D_OK);
    for (int i = 0; i < C3D_N_FATES; i++) sum += census.fates[i];
    assert_int_equal(sum, N);
    assert_int_equal(census.fates[C3D_FATE_USED], 4);
    assert_int_equal(census.fates[C3D_FATE_UNCERTAIN], 1);
    assert_int_equal(census.fates[C3D_FATE_NO_SPLIT], 1);
    assert_int_equal(census.fates[C3D_FATE_EMPTY], 1);
    assert_int_equal(census.fates[C3D_FATE_MISSING], 1);
    assert_int_equal(census.samples[C3D_SPLIT_TRAIN][1], 1);
    assert_int_equal(census.samples[C3D_SPLIT_VALIDATION][0], 1);
    assert_int_equal(census.samples[C3D_SPLIT_VALIDATION][1], 1);
    assert_int_equal(census.samples[C3D_SPLIT_TEST][1], 1);
    assert_true(fabs(census.missing_share[5] - 1. / 6) < 1e-12);
    c3d_census_free(&census);
    c3d_samples_free(&samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_series_is_labelled_over_all_years),
        cmocka_unit_test(a_series_of_several_classes_is_labelled_over_all_years),
        cmocka_unit_test(other_negatives_are_left_out_for_hard_ones),
        cmocka_unit_test(years_for_testing_are_not_thinned),
        cmocka_unit_test(a_year_is_a_sample_if_it_is_whole),
        cmocka_unit_test(a_label_period_is_one_sample),
        cmocka_unit_test(months_without_an_observation_are_no_samples),
        cmocka_unit_test(every_frame_is_counted_once),
    };

    return cmocka_run_group_tests(tests, make_store, close_store);
}
