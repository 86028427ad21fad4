/* Statistics of a store whose sums are more than are read at once. */
#include "c3d/data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cm.h"

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != C3D_OK) fail_msg("%s: %s", #call, c3d_error_last()->message);                \
    } while (0)

/* Frames of one pixel: 4.6 MB of sums, two shards; samples of 10 of the 32 months. */
enum { N_FRAMES = 6000, N_MONTHS = 32, N_BANDS = 3, N_SHARDS = 2, N_SHOWN = 10 };
#define N_ROWS (N_FRAMES / N_SHARDS)

static int first_of(int frame)
{
    return frame * 7 % (N_MONTHS - N_SHOWN + 1);
}

static bool is_sample(int frame)
{
    return frame % 3 != 1 && (frame < 200 || frame > 2900); /* a long run of rows without any */
}

static uint16_t value_of(int frame, int month, int band)
{
    return (uint16_t)(frame * 31 + month * 1009 + band * 20011);
}

static bool is_valid(int frame, int month)
{
    return (frame + month) % 5 != 0;
}

static void write_scene(c3d_shard *shard, int row, int frame)
{
    uint16_t values[N_MONTHS * N_BANDS];
    uint8_t valid[N_MONTHS];
    float missing[N_MONTHS];
    int64_t sum[N_MONTHS * N_BANDS], squares[N_MONTHS * N_BANDS];
    const c3d_scene scene = { values, valid, missing, sum, squares };

    for (int month = 0; month < N_MONTHS; month++) {
        valid[month] = is_valid(frame, month) ? 0x80 : 0;
        missing[month] = is_valid(frame, month) ? 0 : 1;
        for (int band = 0; band < N_BANDS; band++) {
            const int at = month * N_BANDS + band;
            const int64_t value = value_of(frame, month, band);
            values[at] = (uint16_t)value;
            sum[at] = is_valid(frame, month) ? value : 0;
            squares[at] = is_valid(frame, month) ? value * value : 0;
        }
    }
    OK(c3d_shard_write(shard, row, &scene));
    OK(c3d_shard_mark(shard, row, C3D_SCENE_PRESENT,
                      c3d_scene_checksum(c3d_shard_get_shape(shard), &scene)));
}

static void write_store(const c3d_date *months)
{
    static const char *const bands[N_BANDS] = { "a", "b", "c" };
    char *names[N_BANDS] = { "a", "b", "c" }, *classes[2] = { "other", "mining" };
    c3d_period period = { months[0], N_MONTHS, (c3d_date *)(uintptr_t)months };
    c3d_shard_info shards[N_SHARDS] = { 0 };
    int64_t ids[N_ROWS];

    for (int i = 0; i < N_SHARDS; i++) {
        const c3d_shard_shape shape = { N_ROWS, N_MONTHS, N_BANDS, 1, C3D_U16 };
        c3d_shard *shard;
        snprintf(shards[i].file, sizeof shards[i].file, "scenes-202001-%05d.h5", i);
        shards[i].n_scenes = N_ROWS;
        for (int row = 0; row < N_ROWS; row++) ids[row] = i * N_ROWS + row;
        OK(c3d_shard_create(shards[i].file, &shape, ids, months, bands));
        OK(c3d_shard_open(shards[i].file, true, &shard));
        for (int row = 0; row < N_ROWS; row++) write_scene(shard, row, i * N_ROWS + row);
        c3d_shard_close(shard);
    }
    OK(c3d_dataset_info_write(".", &(c3d_dataset_info){ .frame_size_px = 1,
                                                        .n_bands = N_BANDS,
                                                        .bands = names,
                                                        .dtype = C3D_U16,
                                                        .n_periods = 1,
                                                        .periods = &period,
                                                        .n_shards = N_SHARDS,
                                                        .shards = shards,
                                                        .n_classes = 2,
                                                        .classes = classes,
                                                        .crs_wkt = "",
                                                        .pixel_m = { 5, 5 },
                                                        .hash = 1 }));
}

static void write_samples(const c3d_date *months)
{
    c3d_samples samples = { .rows = c3d_calloc(N_FRAMES, sizeof(c3d_sample)) };

    for (int frame = 0; frame < N_FRAMES; frame++) {
        if (!is_sample(frame)) continue;
        samples.rows[samples.n++] = (c3d_sample){ .sample_id = frame,
                                                  .frame_id = frame,
                                                  .first_month = months[first_of(frame)],
                                                  .n_months = N_SHOWN };
    }
    OK(c3d_samples_write("samples.csv", &samples));
    c3d_samples_free(&samples);
}

static void sums_are_those_of_the_samples_months(void **state)
{
    c3d_dataset *dataset;
    c3d_list list;
    double mean[N_BANDS], deviation[N_BANDS];
    (void)state;

    OK(c3d_dataset_open(".", &dataset));
    OK(c3d_list_make(dataset, C3D_SPLIT_TRAIN, 0, 1, &list));
    OK(c3d_statistics(dataset, &list, mean, deviation));
    for (int band = 0; band < N_BANDS; band++) {
        long double n = 0, sum = 0, squares = 0;
        for (int frame = 0; frame < N_FRAMES; frame++) {
            for (int month = 0; month < N_MONTHS; month++) {
                const long double value = value_of(frame, month, band);
                const int at = month - first_of(frame);
                if (!is_sample(frame) || at < 0 || at >= N_SHOWN || !is_valid(frame, month))
                    continue;
                n += 1;
                sum += value;
                squares += value * value;
            }
        }
        assert_true(n > 10000);
        assert_true(fabs(mean[band] - (double)(sum / n)) < 1e-9 * mean[band]);
        const double expected = (double)sqrtl(squares / n - sum / n * (sum / n));
        assert_true(fabs(deviation[band] - expected) < 1e-9 * expected);
    }
    c3d_list_free(&list);
    c3d_dataset_close(dataset);
}

static int store_open(void **state)
{
    static char folder[] = "statistics-XXXXXX";
    c3d_date months[N_MONTHS];

    if (mkdtemp(folder) == NULL || chdir(folder) != 0) return -1;
    for (int i = 0; i < N_MONTHS; i++) months[i] = (2020 + i / 12) * 10000 + (1 + i % 12) * 100;
    write_store(months);
    write_samples(months);
    *state = folder;
    return 0;
}

static int store_close(void **state)
{
    static const char *const files[] = { "scenes-202001-00000.h5", "scenes-202001-00001.h5",
                                         "samples.csv", "dataset.json" };

    for (size_t i = 0; i < C3D_COUNT(files); i++) (void)unlink(files[i]);
    if (chdir("..") != 0) return -1;
    (void)rmdir(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(sums_are_those_of_the_samples_months) };

    return cmocka_run_group_tests(tests, store_open, store_close);
}
