/* data.time, views and months that are hidden, on stores whose gaps were filled as the words of the
 * documentation say. */
#include "c3d/data.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cm.h"
#include "support/naive_scene.h"

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != C3D_OK)                                                                      \
            fail_msg("%s: %s %s", #call, c3d_error_last()->message, c3d_error_last()->context);    \
    } while (0)

/* 4 frames of 5 px, 2 bands, periods of 6 and 5 months; frame 3 is not in the second one. A sample
 * of all 11 months a frame (of 6: frame 3, split none), and one of months 4..8 of frame 1. */
enum { N_FRAMES = 4, PX = 5, N_PIXELS = PX * PX, N_BANDS = 2, N_FIRST = 6, N_MONTHS = 11 };
static const c3d_date months[N_MONTHS] = { 20200900, 20201000, 20201100, 20201200,
                                           20210100, 20210200, 20210300, 20210400,
                                           20210500, 20210600, 20210700 };
static const c3d_sample samples[] = {
    { 10, 1, 20200900, N_MONTHS, 2021, 0, C3D_SPLIT_TRAIN, -1 },
    { 20, 2, 20200900, N_MONTHS, 2021, 1, C3D_SPLIT_TRAIN, -1 },
    { 30, 3, 20200900, N_FIRST, 2020, 1, C3D_SPLIT_NONE, -1 },
    { 40, 4, 20200900, N_MONTHS, 2021, 1, C3D_SPLIT_TRAIN, -1 },
};
enum { N_SAMPLES = C3D_COUNT(samples) };

/* ---- what is in it --------------------------------------------------------------------------- */

static bool is_observed(int64_t frame, int month, int pixel)
{
    const uint64_t index = ((uint64_t)frame * N_MONTHS + (unsigned)month) * N_PIXELS;

    if (frame == 2 && (month == 3 || month == 7)) return false; /* whole months without a file */
    if (frame == 4 && pixel < 3) return month == 2;             /* seen once */
    return draw(index + (unsigned)pixel, 3) != 0;
}

static double observed_value(int64_t frame, int month, int band, int pixel)
{
    const uint64_t index =
        (((uint64_t)frame * N_MONTHS + (unsigned)month) * N_BANDS + (unsigned)band) * N_PIXELS +
        (unsigned)pixel;

    return draw(1000000 + index, 10000);
}

/* What a store holds that was built without the month `hidden` (-1: with all). The second period
 * was filled when the first one was there, not the other way round. */
static unsigned expected(c3d_gaps gaps, int64_t frame, int month, int band, int pixel, int hidden)
{
    const int end = month < N_FIRST ? N_FIRST : N_MONTHS;
    double series[N_MONTHS];
    uint8_t valid[N_MONTHS];

    for (int m = 0; m < end; m++) {
        valid[m] = m != hidden && is_observed(frame, m, pixel);
        series[m] = observed_value(frame, m, band, pixel);
    }
    return (unsigned)naive_fill(series, valid, end, month, gaps, true);
}

static void write_scene(c3d_shard *shard, c3d_gaps gaps, int row, int64_t frame, int begin)
{
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    const int n = shape->n_months;
    uint16_t values[N_FIRST * N_BANDS * N_PIXELS];
    uint8_t bits[N_FIRST * PX];
    float missing[N_FIRST] = { 0 };
    int64_t sum[N_FIRST * N_BANDS] = { 0 }, squares[N_FIRST * N_BANDS] = { 0 };
    const c3d_scene scene = { values, bits, missing, sum, squares };

    memset(bits, 0, sizeof bits);
    for (int m = 0; m < n; m++) {
        for (int i = 0; i < N_PIXELS; i++) {
            const bool seen = is_observed(frame, begin + m, i);
            if (seen) bits[m * PX + i / PX] |= (uint8_t)(0x80 >> i % PX);
            if (!seen) missing[m] += 1.0F / N_PIXELS;
            for (int b = 0; b < N_BANDS; b++) {
                const int64_t v = expected(gaps, frame, begin + m, b, i, -1);
                values[(m * N_BANDS + b) * N_PIXELS + i] = (uint16_t)v;
                sum[m * N_BANDS + b] += seen ? v : 0;
                squares[m * N_BANDS + b] += seen ? v * v : 0;
            }
        }
    }
    OK(c3d_shard_write(shard, row, &scene));
    OK(c3d_shard_mark(shard, row, C3D_SCENE_PRESENT, c3d_scene_checksum(shape, &scene)));
}

static void write_shard(const char *dir, c3d_gaps gaps, int period, c3d_shard_info *info)
{
    static const char *const bands[N_BANDS] = { "red", "nir" };
    const int64_t ids[N_FRAMES] = { 1, 2, 4, 3 };
    const int begin = period == 0 ? 0 : N_FIRST, n = period == 0 ? N_FRAMES : N_FRAMES - 1;
    const c3d_shard_shape shape = { .n_scenes = n,
                                    .n_months = period == 0 ? N_FIRST : N_MONTHS - N_FIRST,
                                    .n_bands = N_BANDS,
                                    .size_px = PX,
                                    .dtype = C3D_U16 };
    char path[C3D_PATH_MAX];
    c3d_shard *shard;

    *info = (c3d_shard_info){ .period = period, .n_scenes = n };
    snprintf(info->file, sizeof info->file, "scenes-%d-00000.h5", months[begin] / 100);
    OK(c3d_path_join(path, dir, info->file));
    OK(c3d_shard_create(path, &shape, ids, months + begin, bands));
    OK(c3d_shard_open(path, true, &shard));
    for (int row = 0; row < n; row++) write_scene(shard, gaps, row, ids[row], begin);
    c3d_shard_close(shard);
}

static void write_info(const char *dir, c3d_gaps gaps, c3d_shard_info *shards)
{
    static const char *const names[] = { "previous", "linear", "zero" };
    c3d_date dates[N_MONTHS];
    c3d_period periods[2] = { { months[0], N_FIRST, dates },
                              { months[N_FIRST], N_MONTHS - N_FIRST, dates + N_FIRST } };
    char text[5][24] = { "red", "nir", "other", "mining", "LOCAL_CS[\"none\"]" };
    const c3d_dataset_info info = { .frame_size_px = PX,
                                    .n_bands = N_BANDS,
                                    .bands = (char *[]){ text[0], text[1] },
                                    .dtype = C3D_U16,
                                    .n_periods = 2,
                                    .periods = periods,
                                    .n_shards = 2,
                                    .shards = shards,
                                    .n_classes = 2,
                                    .classes = (char *[]){ text[2], text[3] },
                                    .crs_wkt = text[4],
                                    .pixel_m = { 5, 5 } };
    char path[C3D_PATH_MAX];
    c3d_json *root = NULL, *settings = c3d_json_object();

    memcpy(dates, months, sizeof months);
    OK(c3d_dataset_info_write(dir, &info));
    OK(c3d_path_join(path, dir, "dataset.json"));
    OK(c3d_json_read(path, &root));
    c3d_json_set(settings, "gaps", c3d_json_string(names[gaps]));
    c3d_json_set(root, "settings", settings);
    OK(c3d_json_write(path, root));
    c3d_json_free(root);
}

static char dirs[3][32]; /* by c3d_gaps */

static c3d_dataset *open_store(c3d_gaps gaps)
{
    c3d_dataset *dataset;

    OK(c3d_dataset_open(dirs[gaps], &dataset));
    return dataset;
}

static int set_up(void **state)
{
    (void)state;
    for (c3d_gaps gaps = C3D_GAPS_PREVIOUS; gaps <= C3D_GAPS_ZERO; gaps++) {
        c3d_sample rows[N_SAMPLES];
        c3d_shard_info shards[2];
        char path[C3D_PATH_MAX];
        snprintf(dirs[gaps], sizeof dirs[gaps], "views-XXXXXX");
        assert_non_null(mkdtemp(dirs[gaps]));
        for (int p = 0; p < 2; p++) write_shard(dirs[gaps], gaps, p, &shards[p]);
        memcpy(rows, samples, sizeof rows);
        OK(c3d_path_join(path, dirs[gaps], "samples.csv"));
        OK(c3d_samples_write(path, &(c3d_samples){ N_SAMPLES, rows }));
        write_info(dirs[gaps], gaps, shards);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        DIR *dir = opendir(dirs[i]);
        assert_non_null(dir);
        for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
            char path[C3D_PATH_MAX];
            if (e->d_name[0] == '.') continue;
            OK(c3d_path_join(path, dirs[i], e->d_name));
            unlink(path);
        }
        closedir(dir);
        rmdir(dirs[i]);
    }
    return 0;
}

/* ---- reading it ------------------------------------------------------------------------------ */

static c3d_list all_of(const c3d_dataset *dataset)
{
    c3d_list list;

    OK(c3d_list_make(dataset, C3D_SPLIT_TRAIN, 0, 1, &list));
    return list;
}

/* Calls check(row of samples.csv, values as the loader has them, [band, month, pixel]) for all. */
static void read_all(const c3d_dataset *dataset, const c3d_loader_desc *like,
                     void (*check)(const c3d_dataset *, uint32_t, const uint16_t *, void *),
                     void *context)
{
    c3d_list list = all_of(dataset);
    c3d_loader_desc desc = *like;
    c3d_loader *loader;
    c3d_batch batch;

    desc.dataset = dataset;
    desc.list = &list;
    desc.global_batch = desc.micro_batch = 2;
    desc.n_ranks = desc.n_readers = 1;
    OK(c3d_loader_create(&desc, &loader));
    OK(c3d_loader_start(loader, 0, 0));
    const size_t n = c3d_shape_sample_count(c3d_loader_shape(loader));
    for (int64_t step = 0; step < c3d_loader_n_steps(loader); step++) {
        OK(c3d_loader_next(loader, &batch));
        for (int row = 0; row < batch.n; row++)
            check(dataset, batch.index[row], (const uint16_t *)batch.values + (size_t)row * n,
                  context);
    }
    c3d_loader_destroy(loader);
    c3d_list_free(&list);
}

/* ---- data.time ------------------------------------------------------------------------------- */

static void check_shown(const c3d_dataset *dataset, uint32_t index, const uint16_t *values,
                        void *context)
{
    const int *shown = context; /* ends with -1 */
    const int64_t frame = c3d_dataset_get_samples(dataset)->rows[index].frame_id;

    for (int b = 0; b < N_BANDS; b++)
        for (const int *m = shown; *m >= 0; m++)
            for (int i = 0; i < N_PIXELS; i++)
                assert_int_equal(*values++, expected(C3D_GAPS_PREVIOUS, frame, *m, b, i, -1));
}

/* Mean over the observed pixels of the months of frames 1, 2 and 4. */
static double naive_mean(const int *shown, int band)
{
    double sum = 0, n = 0;

    for (int64_t frame = 1; frame <= 4; frame += frame == 2 ? 2 : 1)
        for (const int *m = shown; *m >= 0; m++)
            for (int i = 0; i < N_PIXELS; i++) {
                if (!is_observed(frame, *m, i)) continue;
                sum += observed_value(frame, *m, band, i);
                n++;
            }
    return sum / n;
}

static c3d_status agree(void *context, c3d_status status)
{
    (void)context;
    return status;
}

static void check_time(c3d_time_mode mode, int n, const int *shown)
{
    c3d_dataset *dataset = open_store(C3D_GAPS_PREVIOUS);
    const c3d_loader_desc as_it_is = { 0 }, last = { .one_slice = true, .slice = C3D_SLICE_LAST };
    const c3d_sharing alone = { .n_ranks = 1, .agree = agree };
    double mean[N_BANDS], deviation[N_BANDS];
    int at_last[2] = { -1, -1 };

    OK(c3d_dataset_choose_time(dataset, mode, n));
    c3d_list list = all_of(dataset);
    for (size_t i = 0; i < list.n; i++) {
        const c3d_sample *sample = &c3d_dataset_get_samples(dataset)->rows[list.index[i]];
        assert_int_equal(sample->n_months, n);
        assert_int_equal(sample->first_month, months[0]);
    }
    OK(c3d_statistics(dataset, &list, mean, deviation));
    for (int b = 0; b < N_BANDS; b++)
        assert_true(fabs(mean[b] - naive_mean(shown, b)) < 1e-9 * mean[b]);
    read_all(dataset, &as_it_is, check_shown, (void *)(uintptr_t)shown);
    for (const int *m = shown; *m >= 0; m++) at_last[0] = *m;
    read_all(dataset, &last, check_shown, at_last);
    OK(c3d_dataset_stage(dataset, &(c3d_stage_desc){ .list = &list, .dir = dirs[0], .key = "copy" },
                         &alone));
    read_all(dataset, &as_it_is, check_shown, (void *)(uintptr_t)shown);
    c3d_list_free(&list);
    c3d_dataset_close(dataset);
}

static void time_chooses_months(void **state)
{
    (void)state;
    check_time(C3D_TIME_WINDOW, 3, (int[]){ 8, 9, 10, -1 });
    check_time(C3D_TIME_WINDOW, 7, (int[]){ 4, 5, 6, 7, 8, 9, 10, -1 });
    check_time(C3D_TIME_STRIDE, 3, (int[]){ 0, 5, 10, -1 });
    check_time(C3D_TIME_STRIDE, 4, (int[]){ 1, 4, 7, 10, -1 });
    check_time(C3D_TIME_STRIDE, 7, (int[]){ 4, 5, 6, 7, 8, 9, 10, -1 });
    check_time(C3D_TIME_STRIDE, 1, (int[]){ 10, -1 });
}

static void time_needs_months(void **state)
{
    c3d_dataset *dataset = open_store(C3D_GAPS_PREVIOUS);
    const c3d_sample uneven[] = { { 1, 1, 20200900, 4, 0, 0, C3D_SPLIT_TRAIN, -1 },
                                  { 2, 2, 20200900, 5, 0, 0, C3D_SPLIT_TRAIN, -1 } };
    c3d_dataset *view;

    (void)state;
    OK(c3d_dataset_choose_time(dataset, C3D_TIME_ALL, 0));
    assert_int_equal(c3d_dataset_choose_time(dataset, C3D_TIME_WINDOW, 12), C3D_EDATA);
    assert_non_null(strstr(c3d_error_last()->message, "sample 10 has 11 months"));
    OK(c3d_dataset_view(&(c3d_view_desc){ .of = dataset, .n = 2, .samples = uneven }, &view));
    assert_int_equal(c3d_dataset_choose_time(view, C3D_TIME_STRIDE, 2), C3D_EDATA);
    OK(c3d_dataset_choose_time(view, C3D_TIME_WINDOW, 2));
    c3d_dataset_close(view);
    c3d_dataset_close(dataset);
}

/* ---- views ----------------------------------------------------------------------------------- */

static void shares_are_of_what_was_observed(void **state)
{
    const int64_t frames[] = { 3, 2 };
    c3d_dataset *dataset = open_store(C3D_GAPS_LINEAR);
    float shares[2][N_MONTHS];

    (void)state;
    assert_int_equal(c3d_dataset_n_months(c3d_dataset_get_info(dataset)), N_MONTHS);
    OK(c3d_dataset_valid_shares(dataset, frames, 2, shares[0]));
    for (int f = 0; f < 2; f++)
        for (int m = 0; m < N_MONTHS; m++) {
            int n = 0;
            assert_int_equal(c3d_dataset_month(c3d_dataset_get_info(dataset), m), months[m]);
            for (int i = 0; i < N_PIXELS; i++) n += is_observed(frames[f], m, i);
            if (frames[f] == 3 && m >= N_FIRST)
                assert_true(isnan(shares[f][m]));
            else
                assert_true(fabsf(shares[f][m] - (float)n / N_PIXELS) < 1e-6F);
        }
    c3d_dataset_close(dataset);
}

typedef struct hiding {
    c3d_gaps gaps;
    int hidden; /* -1: none */
    int n_changed;
} hiding;

static void check_hidden(const c3d_dataset *dataset, uint32_t index, const uint16_t *values,
                         void *context)
{
    const c3d_sample *sample = &c3d_dataset_get_samples(dataset)->rows[index];
    hiding *of = context;
    int first = 0;

    while (months[first] != sample->first_month) first++;
    for (int b = 0; b < N_BANDS; b++)
        for (int m = first; m < first + sample->n_months; m++)
            for (int i = 0; i < N_PIXELS; i++, values++) {
                const unsigned want = expected(of->gaps, sample->frame_id, m, b, i, of->hidden);
                if (*values != want)
                    fail_msg("gaps %d, without %d: frame %d month %d band %d pixel %d: %d, not %u",
                             of->gaps, of->hidden, (int)sample->frame_id, m, b, i, *values, want);
                of->n_changed +=
                    want != expected(of->gaps, sample->frame_id, m, b, i, -1) && m != of->hidden;
            }
}

/* Every month taken away, of windows within a period and across, equals a store built without. */
static void hidden_month_is_as_if_never_seen(void **state)
{
    const c3d_sample rows[] = { { 1, 1, 20200900, 5, 0, 0, C3D_SPLIT_TRAIN, -1 },
                                { 2, 2, 20201200, 5, 0, 0, C3D_SPLIT_TRAIN, -1 },
                                { 3, 4, 20210200, 5, 0, 0, C3D_SPLIT_TRAIN, -1 },
                                { 4, 3, 20201000, 5, 0, 0, C3D_SPLIT_TRAIN, -1 } };
    const c3d_loader_desc as_it_is = { 0 };
    int n_changed[3] = { 0 };

    (void)state;
    for (c3d_gaps gaps = C3D_GAPS_PREVIOUS; gaps <= C3D_GAPS_ZERO; gaps++) {
        c3d_dataset *dataset = open_store(gaps), *view;
        for (int m = -1; m < N_MONTHS; m++) {
            hiding of = { gaps, m, 0 };
            c3d_date hidden[4];
            for (int i = 0; i < 4; i++) hidden[i] = m < 0 ? 0 : months[m];
            OK(c3d_dataset_view(
                &(c3d_view_desc){ .of = dataset, .n = 4, .samples = rows, .hidden = hidden },
                &view));
            read_all(view, &as_it_is, check_hidden, &of);
            c3d_dataset_close(view);
            n_changed[gaps] += of.n_changed;
        }
        c3d_dataset_close(dataset);
    }
    assert_true(n_changed[C3D_GAPS_PREVIOUS] > 100 && n_changed[C3D_GAPS_LINEAR] > 100);
    assert_int_equal(n_changed[C3D_GAPS_ZERO], 0);
}

typedef struct drawn {
    size_t n;
    uint16_t first[16]; /* value of each sample */
} drawn;

static void note_first(const c3d_dataset *dataset, uint32_t index, const uint16_t *values,
                       void *context)
{
    drawn *into = context;

    (void)dataset;
    (void)index;
    into->first[into->n++] = values[N_PIXELS - 1];
}

/* A sample that a view shows again gets the month that was drawn for it. */
static void view_draws_as_told(void **state)
{
    c3d_dataset *dataset = open_store(C3D_GAPS_PREVIOUS), *view;
    const c3d_sample again[] = { samples[3], samples[0], samples[1], samples[0] };
    const uint32_t as[] = { 3, 0, 1, 0 };
    drawn base = { 0 }, seen = { 0 };

    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        const c3d_loader_desc random = { .one_slice = true,
                                         .slice = C3D_SLICE_RANDOM,
                                         .seed = seed };
        base.n = seen.n = 0;
        read_all(dataset, &random, note_first, &base);
        OK(c3d_dataset_view(
            &(c3d_view_desc){ .of = dataset, .n = 4, .samples = again, .drawn_as = as }, &view));
        read_all(view, &random, note_first, &seen);
        c3d_dataset_close(view);
        assert_int_equal(base.n, 3);
        assert_int_equal(seen.first[0], base.first[2]);
        assert_int_equal(seen.first[1], base.first[0]);
        assert_int_equal(seen.first[2], base.first[1]);
        assert_int_equal(seen.first[3], base.first[0]);
    }
    c3d_dataset_close(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_chooses_months),
        cmocka_unit_test(time_needs_months),
        cmocka_unit_test(shares_are_of_what_was_observed),
        cmocka_unit_test(hidden_month_is_as_if_never_seen),
        cmocka_unit_test(view_draws_as_told),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
