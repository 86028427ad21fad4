/* The proof that splits are apart: against all pairs, and with leaks planted. */
#include "support/rasters.h"

#include "data/frames.h"
#include "data/leak.h"
#include "data/samples.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- places, against all pairs ------------------------------------------------------------------
 */

enum { MANY = 300 };

static c3d_leak find(const c3d_frames *frames, const c3d_samples *samples)
{
    const leak_input in = { .frames = frames, .samples = samples };
    c3d_leaks leaks;

    assert_int_equal(c3d_leak_find(&in, &leaks), C3D_OK);
    const c3d_leak leak = leaks.rows[0];
    c3d_leaks_free(&leaks);
    return leak;
}

typedef struct expected {
    size_t n_pairs, n_frames;
    double px[N_GAPS];
} expected;

static expected compare_all(const c3d_frame *many, int size_px)
{
    static const int gap_of[3][3] = { { -1, 0, 1 }, { 0, -1, 2 }, { 1, 2, -1 } };
    bool is_leaking[MANY] = { false };
    expected out = { .px = { HUGE_VAL, HUGE_VAL, HUGE_VAL } };

    for (int i = 0; i < MANY; i++)
        for (int j = 0; j < i; j++) {
            const int dx = abs(many[i].x - many[j].x) - size_px;
            const int dy = abs(many[i].y - many[j].y) - size_px;
            const int gap = gap_of[many[i].split][many[j].split];
            if (gap < 0 || many[i].source != many[j].source) continue;
            out.px[gap] = fmin(out.px[gap], hypot(fmax(dx, 0), fmax(dy, 0)));
            if (dx >= 0 || dy >= 0) continue;
            out.n_pairs++;
            is_leaking[i] = is_leaking[j] = true;
        }
    for (int i = 0; i < MANY; i++) out.n_frames += is_leaking[i];
    return out;
}

static void compare_leaks(int size_px, int extent_px, int n_sources, uint64_t seed)
{
    static c3d_frame many[MANY];
    static c3d_sample listed[MANY];
    const c3d_frames all = {
        .n = MANY, .rows = many, .width_px = extent_px, .height_px = extent_px, .size_px = size_px
    };
    const c3d_samples samples = { MANY, listed };

    for (int i = 0; i < MANY; i++) {
        const uint64_t stream = C3D_STREAM(C3D_PURPOSE_TEST, seed), index = 4 * (uint64_t)i;
        const uint64_t room = (uint64_t)(extent_px - size_px + 1);
        many[i] = (c3d_frame){ .frame_id = i,
                               .x = (int)c3d_random_below(3, stream, index, room),
                               .y = (int)c3d_random_below(3, stream, index + 1, room),
                               .split = (c3d_split)c3d_random_below(3, stream, index + 2, 3) };
        many[i].source = (int)c3d_random_below(3, stream, index + 3, (uint64_t)n_sources);
        if (seed == 6 && many[i].split == C3D_SPLIT_TEST) many[i].x = extent_px - size_px;
        if (seed == 6 && many[i].split != C3D_SPLIT_TEST) many[i].x /= 8;
        listed[i] = (c3d_sample){ .sample_id = i, .frame_id = i, .split = many[i].split };
    }
    const expected want = compare_all(many, size_px);
    const c3d_leak leak = find(&all, &samples);
    assert_int_equal(leak.n_pairs, want.n_pairs);
    assert_int_equal(leak.n_frames, want.n_frames);
    for (int g = 0; g < N_GAPS; g++) {
        assert_true(leak.gaps[g].is_known);
        assert_true(leak.gaps[g].px == want.px[g]);
        assert_true(isnan(leak.gaps[g].m)); /* a grid without a CRS */
    }
}

static void places_agree_with_all_pairs(void **state)
{
    (void)state;
    compare_leaks(16, 100, 1, 1);
    compare_leaks(16, 1000, 1, 2);
    compare_leaks(5, 5000, 1, 3);
    compare_leaks(1, 20000, 1, 4);
    compare_leaks(100, 100, 1, 5);
    compare_leaks(4, 100000, 1, 6); /* one split far away */
    compare_leaks(16, 200, 7, 7);   /* in several files */
}

static void one_split_has_no_distance(void **state)
{
    c3d_frame two[] = { { .frame_id = 5 }, { .frame_id = 15 } };
    c3d_sample listed[] = { { .frame_id = 5, .split = C3D_SPLIT_TRAIN },
                            { .frame_id = 15, .split = C3D_SPLIT_TRAIN } };
    const c3d_frames frames = { .n = 2, .rows = two, .size_px = 4 };
    const c3d_samples samples = { 2, listed };
    const c3d_leak leak = find(&frames, &samples);

    (void)state;
    assert_true(!leak.gaps[0].is_known && leak.n_pairs == 0);
}

/* Two frames share files 2 and 3, at other places and months than their first pieces'. */
static void a_frame_may_be_of_several_files(void **state)
{
    c3d_frame two[] = { { .frame_id = 5, .source = 1 }, { .frame_id = 15, .source = 2, .x = 3 } };
    c3d_sample listed[] = { { .frame_id = 5, .split = C3D_SPLIT_TRAIN },
                            { .frame_id = 15, .split = C3D_SPLIT_TEST } };
    leak_piece pieces[] = { { 0, 1, 0, 0, 0 },
                            { 0, 2, 0, 0, 1 },
                            { 0, 3, 9, 9, 2 },
                            { 1, 2, 3, 0, 0 },
                            { 1, 3, 9, 6, 1 } };
    const c3d_frames frames = { .n = 2, .rows = two, .size_px = 4 };
    const c3d_samples samples = { 2, listed };
    const leak_input in = { .frames = &frames, .samples = &samples, .pieces = { 5, pieces } };
    c3d_leaks leaks;

    (void)state;
    assert_int_equal(c3d_leak_find(&in, &leaks), C3D_OK);
    assert_int_equal(leaks.rows[0].n_pairs, 1);
    assert_int_equal(leaks.rows[0].n_frames, 2);
    c3d_leaks_free(&leaks);
    pieces[3].x = 4; /* the edges touch */
    pieces[4].y = 3;
    assert_int_equal(c3d_leak_find(&in, &leaks), C3D_OK);
    assert_int_equal(leaks.rows[0].n_pairs, 0);
    assert_int_equal(leaks.rows[0].gaps[1].frames[1], 15);
    assert_true(leaks.rows[0].gaps[1].px == 0);
    c3d_leaks_free(&leaks);
    assert_int_equal(find(&frames, &samples).n_pairs, 0);
}

/* ---- a dataset ----------------------------------------------------------------------------------
 */

/* Frames overlap their neighbours by 2 px; columns 2 and 4 are of no split, so that 4 px lie
 * between the others. Two whole years. */
enum { SIZE = 8, STRIDE = 6, COLUMNS = 7, ROWS = 5, N = COLUMNS * ROWS, T = 24 };
enum { PIXELS = SIZE * SIZE };
static const c3d_split split_of[COLUMNS] = { 0, 0, 3, 1, 3, 2, 2 };

static c3d_frame rows[N];
static uint16_t values[N][T][PIXELS];
static c3d_frame_label labels[N * 2];

static c3d_dataset_desc settings(void)
{
    return (c3d_dataset_desc){ .out_dir = "set",
                               .positive = "mining",
                               .frame_size_px = SIZE,
                               .stride_px = STRIDE,
                               .max_missing_share = 1,
                               .samples = C3D_SAMPLES_YEARLY,
                               .split_shares = { 1, 0, 0 } };
}

static void draw(void)
{
    for (int i = 0; i < N; i++) {
        rows[i] = (c3d_frame){ .frame_id = i + 1,
                               .x = i % COLUMNS * STRIDE,
                               .y = i / COLUMNS * STRIDE,
                               .split = split_of[i % COLUMNS] };
        labels[2 * i] = C3D_FRAME_NEGATIVE;
        labels[2 * i + 1] = i % 2 ? C3D_FRAME_POSITIVE : C3D_FRAME_NEGATIVE;
        for (int t = 0; t < T; t++)
            for (int p = 0; p < PIXELS; p++)
                values[i][t][p] = (uint16_t)(1000 + 5 * t +
                                             c3d_random_below(1, C3D_STREAM(C3D_PURPOSE_TEST, i),
                                                              (uint64_t)(p * (t / 6 + 1)), 200));
    }
}

/* What is planted in the first scene's sums and shares; checksums are of its pixels and bits. */
static int64_t wrong_sum, wrong_square;
static float wrong_share;

static void write_scene(c3d_shard *shard, int row)
{
    uint8_t valid[T * SIZE];
    float missing[T] = { 0 };
    int64_t sum[T] = { 0 }, sum_squares[T] = { 0 };
    const c3d_scene scene = { values[row], valid, missing, sum, sum_squares };

    memset(valid, 0xFF, sizeof valid);
    for (int t = 0; t < T; t++)
        for (int p = 0; p < PIXELS; p++) {
            sum[t] += values[row][t][p];
            sum_squares[t] += (int64_t)values[row][t][p] * values[row][t][p];
        }
    if (row == 0) {
        sum[T - 1] += wrong_sum;
        sum_squares[T - 1] += wrong_square;
        missing[T - 1] += wrong_share;
    }
    assert_int_equal(c3d_shard_write(shard, row, &scene), C3D_OK);
    assert_int_equal(c3d_shard_mark(shard, row, C3D_SCENE_PRESENT,
                                    c3d_scene_checksum(c3d_shard_get_shape(shard), &scene)),
                     C3D_OK);
}

static void write_shard(void)
{
    const c3d_shard_shape shape = { N, T, 1, SIZE, C3D_U16 };
    const char *const bands[] = { "red" };
    int64_t ids[N];
    c3d_date months[T];
    c3d_shard *shard;

    for (int i = 0; i < N; i++) ids[i] = rows[i].frame_id;
    for (int t = 0; t < T; t++) months[t] = (2020 + t / 12) * 10000 + (t % 12 + 1) * 100;
    (void)remove("set/scenes-202001-00000.h5");
    assert_int_equal(c3d_shard_create("set/scenes-202001-00000.h5", &shape, ids, months, bands),
                     C3D_OK);
    assert_int_equal(c3d_shard_open("set/scenes-202001-00000.h5", true, &shard), C3D_OK);
    for (int i = 0; i < N; i++) write_scene(shard, i);
    c3d_shard_close(shard);
}

/* What rows and values say now, as a dataset. */
static void make(const c3d_dataset_desc *desc)
{
    static int years[] = { 2020, 2021 };
    char crs[] = "EPSG:32721", name[] = "mining", *classes[] = { name };
    double shares[N * 2] = { 0 };
    const c3d_frames frames = { .n = N,
                                .rows = rows,
                                .n_years = 2,
                                .years = years,
                                .n_classes = 1,
                                .classes = classes,
                                .labels = labels,
                                .shares = shares,
                                .crs_wkt = crs,
                                .transform = { 500000, 10, 0, 9000000, 0, -10 },
                                .width_px = COLUMNS * STRIDE + SIZE,
                                .height_px = ROWS * STRIDE + SIZE,
                                .size_px = SIZE };
    const c3d_archive none = { 0 };

    assert_int_equal(c3d_make_dirs("set"), C3D_OK);
    (void)remove("set/" LEAK_PROOF);
    write_shard();
    assert_int_equal(c3d_frames_write("set/frames.gpkg", &frames, desc, &none), C3D_OK);
    if (c3d_dataset_samples(desc, NULL) != C3D_OK) fail_msg("%s", c3d_error_last()->message);
}

/* What c3d-train would be told of a split or fold; "" when nothing. */
static void check_known(int fold, const char *words)
{
    c3d_dataset_info info;
    c3d_text text = { 0 };

    assert_int_equal(c3d_dataset_info_read("set", &info), C3D_OK);
    assert_int_equal(c3d_dataset_known_leaks("set", &info, fold, &text), C3D_OK);
    if (!words[0]) assert_int_equal(text.length, 0);
    if (words[0] && !(text.text && strstr(text.text, words)))
        fail_msg("\"%s\" does not say \"%s\"", text.text ? text.text : "", words);
    c3d_text_free(&text);
    c3d_dataset_info_free(&info);
}

static void check_verify(c3d_status expected_status, const char *words)
{
    c3d_text text = { 0 };
    c3d_json *proof;
    bool is_leaking = false;

    assert_int_equal(c3d_dataset_verify("set", NULL, &text), expected_status);
    if (!strstr(text.text, words)) fail_msg("\"%s\" does not say \"%s\"", text.text, words);
    if (expected_status == C3D_OK) assert_null(strstr(text.text, "LEAK"));
    assert_int_equal(c3d_json_read("set/" LEAK_PROOF, &proof), C3D_OK);
    assert_true(c3d_json_get_bool(proof, "is_leaking", &is_leaking));
    assert_int_equal(is_leaking, expected_status != C3D_OK);
    c3d_json_free(proof);
    c3d_text_free(&text);
}

static void without_a_leak_there_is_no_alarm(void **state)
{
    const c3d_dataset_desc desc = settings();
    c3d_text text = { 0 };

    (void)state;
    draw();
    make(&desc);
    check_known(-1, "");
    check_known(0, "nobody has measured its folds");
    check_verify(C3D_OK, "no two splits share a pixel in any month, a scene or a group");
    check_verify(C3D_OK, "train and validation: nearest are frames 2 and 4, 4.0 px (40 m) apart");
    assert_int_equal(c3d_dataset_verify("set", NULL, &text), C3D_OK);
    assert_null(strstr(text.text, "WARNING"));
    c3d_text_free(&text);
}

static void verify_fails_for_sums(const c3d_dataset_desc *desc)
{
    c3d_text text = { 0 };

    make(desc);
    assert_int_equal(c3d_dataset_verify("set", NULL, &text), C3D_EDATA);
    assert_string_equal(c3d_error_last()->message,
                        "set/scenes-202001-00000.h5: scene 0 (frame 1): its sums or missing shares "
                        "are not those of its pixels; 1 of the 35 scenes that this rank read are "
                        "broken");
    c3d_text_free(&text);
    wrong_sum = wrong_square = 0;
    wrong_share = 0;
}

static void sums_that_are_not_of_the_pixels_are_found(void **state)
{
    const c3d_dataset_desc desc = settings();

    (void)state;
    draw();
    wrong_sum = 1;
    verify_fails_for_sums(&desc);
    wrong_square = -1;
    verify_fails_for_sums(&desc);
    wrong_share = 0.25F;
    verify_fails_for_sums(&desc);
}

static void an_overlap_is_a_leak(void **state)
{
    const c3d_dataset_desc desc = settings();

    (void)state;
    draw();
    rows[2].split = C3D_SPLIT_TEST; /* between train and validation, as one would by hand */
    make(&desc);
    check_known(-1, "5 frames overlap");
    check_verify(C3D_EDATA, "LEAK: 5 frames share source pixels");
}

static void a_scene_twice_is_a_leak(void **state)
{
    const c3d_dataset_desc desc = settings();

    (void)state;
    draw();
    memcpy(values[5], values[0], sizeof values[0]); /* test, train */
    make(&desc);
    check_known(-1, "2 frames have the very scene");
    check_verify(C3D_EDATA, "LEAK: 2 frames have the very scene of a frame of another split, such "
                            "as frame 1 (train) and frame 6 (test)");
    draw();
    memcpy(values[1], values[0], sizeof values[0]); /* both train */
    make(&desc);
    check_known(-1, "");
    check_verify(C3D_OK, "no two splits");
    draw(); /* water everywhere: each month and band of one value */
    for (int i = 0; i < N; i++)
        for (int t = 0; t < T; t++)
            for (int p = 0; p < PIXELS; p++) values[i][t][p] = (uint16_t)(300 + t);
    make(&desc);
    check_known(-1, "");
    check_verify(C3D_OK, "no two splits");
}

static void examples_are_found_whichever_split_comes_first(void **state)
{
    const c3d_dataset_desc desc = settings();
    c3d_frames frames;
    c3d_samples samples;
    c3d_store store;
    c3d_leaks leaks;

    (void)state;
    draw();
    for (int i = 0; i < N; i++) {
        rows[i].split = i == 0 ? C3D_SPLIT_VALIDATION : C3D_SPLIT_TRAIN;
        if (i > 0) memcpy(values[i], values[0], sizeof values[0]);
    }
    make(&desc);
    assert_int_equal(c3d_frames_read("set/frames.gpkg", &frames), C3D_OK);
    assert_int_equal(c3d_samples_read("set/samples.csv", &samples), C3D_OK);
    assert_int_equal(c3d_store_open("set", false, &store), C3D_OK);
    assert_int_equal(
        c3d_leak_find(&(leak_input){ .frames = &frames, .samples = &samples, .store = &store },
                      &leaks),
        C3D_OK);
    assert_int_equal(leaks.rows[0].n_duplicates, N);
    assert_int_equal(leaks.rows[0].duplicates.n, LEAK_EXAMPLES);
    for (int i = 0; i < LEAK_EXAMPLES; i++) {
        const leak_pair *pair = &leaks.rows[0].duplicates.rows[i];

        assert_int_equal(pair->frames[0], 1);
        assert_int_equal(pair->frames[1], i + 2);
        assert_int_equal(pair->splits[0], C3D_SPLIT_VALIDATION);
        assert_int_equal(pair->splits[1], C3D_SPLIT_TRAIN);
    }
    c3d_leaks_free(&leaks);
    c3d_store_close(&store);
    c3d_samples_free(&samples);
    c3d_frames_free(&frames);
}

/* ---- likeness, of scenes made up ----------------------------------------------------------------
 */

enum { CROWD = 4000, SCENES = CROWD + 4 };
static alike_scene described[SCENES];
static c3d_frame places[SCENES];

static void describe_all(void)
{
    for (int i = 0; i < SCENES; i++) {
        alike_scene *scene = &described[i];
        *scene = (alike_scene){ .frame_id = i, .checksum = (uint64_t)i, .contrast = 1 };
        scene->values[0] = 1;
        for (uint64_t w = 0; w < ALIKE_WORDS; w++)
            scene->bits[w] = c3d_random_u64(5, C3D_STREAM(C3D_PURPOSE_TEST, i), w);
        places[i] = (c3d_frame){ .frame_id = i };
    }
}

/* Two scenes with key k in common, the last, and one bit off in each of the other seven. */
static void make_alike(int i, int k)
{
    alike_scene *a = &described[i], *b = &described[i + 1];

    memcpy(b->bits, a->bits, sizeof a->bits);
    for (int other = 0; other < 8; other++)
        if (other != k) b->bits[other / 2] ^= (uint64_t)1 << (other % 2 * 32);
    a->bits[k / 2] |= UINT64_C(0xFFFFFFFF) << (k % 2 * 32);
    b->bits[k / 2] |= UINT64_C(0xFFFFFFFF) << (k % 2 * 32);
}

/* More comparisons than a key may have, of scenes that agree in it by chance. */
static void a_crowded_key_hides_no_other(void **state)
{
    const c3d_frames frames = { .n = SCENES, .rows = places };
    alike_pairs pairs;

    (void)state;
    describe_all();
    for (int i = 0; i < CROWD; i++) described[i].bits[0] &= ~UINT64_C(0xFFFFFFFF);
    memcpy(described[CROWD - 1].bits, described[CROWD - 2].bits, sizeof described[0].bits);
    make_alike(CROWD, 0);
    make_alike(CROWD + 2, 5);
    assert_int_equal(c3d_alike_find(&frames, SCENES, described, &pairs), C3D_OK);
    assert_true(pairs.is_cut);
    assert_int_equal(pairs.n, 3); /* the first is of the crowd, and alike in the other keys too */
    for (size_t i = 0; i < pairs.n; i++) {
        assert_int_equal(pairs.rows[i].frames[0], CROWD - 2 + 2 * i);
        assert_int_equal(pairs.rows[i].frames[1], CROWD - 1 + 2 * i);
    }
    free(pairs.rows);
}

static void pairs_end_at_a_number(void **state)
{
    const c3d_frames frames = { .n = SCENES, .rows = places };
    alike_pairs pairs;

    (void)state;
    describe_all();
    for (int i = 1; i < 500; i++)
        memcpy(described[i].bits, described[0].bits, sizeof described[0].bits);
    assert_int_equal(c3d_alike_find(&frames, 300, described, &pairs), C3D_OK);
    assert_int_equal(pairs.n, 300 * 299 / 2);
    assert_false(pairs.is_cut);
    free(pairs.rows);
    assert_int_equal(c3d_alike_find(&frames, 500, described, &pairs), C3D_OK);
    assert_int_equal(pairs.n, 100000);
    assert_true(pairs.is_cut);
    free(pairs.rows);
}

static void nearly_equal_scenes_are_a_warning(void **state)
{
    const c3d_dataset_desc desc = settings();

    (void)state;
    draw();
    for (int t = 0; t < T; t++)
        for (int p = 0; p < PIXELS; p++)
            values[5][t][p] = (uint16_t)(values[0][t][p] + (p * 7 + t) % 3 - 1);
    make(&desc);
    check_known(-1, "");
    check_verify(C3D_OK, "WARNING: 1 pairs of scenes of different splits are nearly equal, such as "
                         "frame 1 (train) and frame 6 (test), which differ by ");
}

static void a_divided_group_is_a_leak(void **state)
{
    const c3d_dataset_desc desc = settings();

    (void)state;
    draw();
    for (int i = 0; i < N; i++) rows[i].group = i % COLUMNS + 1;
    make(&desc);
    check_verify(C3D_OK, "no two splits");
    rows[1].group = rows[3].group;
    make(&desc);
    check_known(-1, "1 groups are in more than one split");
    check_verify(C3D_EDATA,
                 "LEAK: 1 groups are in more than one split, such as frame 2 (train) and "
                 "frame 4 (validation)");
}

/* The same frames in all splits, at different times. */
static void years_share_frames_but_no_month(void **state)
{
    const c3d_year_range held = { 2021, 2021, C3D_SPLIT_TEST };
    c3d_dataset_desc desc = settings();
    c3d_frames frames;
    c3d_samples samples;
    c3d_store store;

    (void)state;
    draw();
    desc.split = C3D_SPLIT_YEARS;
    desc.n_split_years = 1;
    desc.split_years = &held;
    for (int i = 0; i < N; i++) rows[i].split = C3D_SPLIT_TRAIN;
    make(&desc);
    check_known(-1, "");
    check_verify(C3D_OK, "train and test: the same frames");
    /* a sample that reaches into the other year */
    assert_int_equal(c3d_frames_read("set/frames.gpkg", &frames), C3D_OK);
    assert_int_equal(c3d_samples_read("set/samples.csv", &samples), C3D_OK);
    assert_int_equal(c3d_store_open("set", false, &store), C3D_OK);
    assert_int_equal(samples.rows[0].first_month, 20200100);
    samples.rows[0].n_months = 13;
    c3d_leaks leaks;
    assert_int_equal(
        c3d_leak_find(&(leak_input){ .frames = &frames, .samples = &samples, .store = &store },
                      &leaks),
        C3D_OK);
    assert_int_equal(leaks.rows[0].n_pairs, 4); /* frame 1 with itself and what it overlaps */
    c3d_leaks_free(&leaks);
    c3d_store_close(&store);
    c3d_samples_free(&samples);
    c3d_frames_free(&frames);
}

static void folds_are_proved_too(void **state)
{
    static const int fold_of[COLUMNS] = { 0, 0, -1, 1, -1, 2, 2 };
    const c3d_dataset_desc desc = settings();

    (void)state;
    draw();
    for (int i = 0; i < N; i++) {
        rows[i].split = C3D_SPLIT_TRAIN;
        rows[i].fold = fold_of[i % COLUMNS];
    }
    make(&desc);
    for (int fold = -1; fold < 3; fold++) check_known(fold, "");
    check_verify(C3D_OK, "fold 2: no two splits share a pixel");
    rows[0].fold = 2; /* beside fold 0 */
    make(&desc);
    check_known(-1, "");
    check_known(1, "frames overlap");
    check_verify(C3D_EDATA, "fold 0: LEAK: ");
}

int main(void)
{
    static char folder[] = "leak-XXXXXX";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_agree_with_all_pairs),
        cmocka_unit_test(one_split_has_no_distance),
        cmocka_unit_test(a_frame_may_be_of_several_files),
        cmocka_unit_test(without_a_leak_there_is_no_alarm),
        cmocka_unit_test(sums_that_are_not_of_the_pixels_are_found),
        cmocka_unit_test(an_overlap_is_a_leak),
        cmocka_unit_test(a_scene_twice_is_a_leak),
        cmocka_unit_test(examples_are_found_whichever_split_comes_first),
        cmocka_unit_test(a_crowded_key_hides_no_other),
        cmocka_unit_test(pairs_end_at_a_number),
        cmocka_unit_test(nearly_equal_scenes_are_a_warning),
        cmocka_unit_test(a_divided_group_is_a_leak),
        cmocka_unit_test(years_share_frames_but_no_month),
        cmocka_unit_test(folds_are_proved_too),
    };

    c3d_raster_start();
    enter_own_folder(folder);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
