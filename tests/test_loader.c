/* Reading a scene store: samples found in shards and periods, statistics, and the loader's order
 * for any number of ranks and readers. */
#include "c3d/data.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "support/cm.h"

#define OK(call)                                                                                   \
    do {                                                                                           \
        if ((call) != C3D_OK)                                                                      \
            fail_msg("%s: %s %s", #call, c3d_error_last()->message, c3d_error_last()->context);    \
    } while (0)

/* ---- a store --------------------------------------------------------------------------------- */

/* 37 frames of 6 px, 3 bands, two periods of 5 and 3 months, each in two shards. Frame 20 was
 * dropped. Band 2 is constant. Every frame has a sample of months 1..6, which cross the end of the
 * first period, and every third a second one of months 2..7. */
enum { N_FRAMES = 37, DROPPED = 20, PX = 6, N_BANDS = 3, N_MONTHS = 8, N_SHOWN = 6, N_FIRST = 5 };
#define N_PIXELS (PX * PX)

static const c3d_date months[N_MONTHS] = { 20200900, 20201000, 20201100, 20201200,
                                           20210100, 20210200, 20210300, 20210400 };

static int64_t frame_id_of(int frame)
{
    return 1000 - 7 * frame;
}

static unsigned value_of(int64_t frame_id, int month, int band, int pixel)
{
    const uint64_t index =
        (((uint64_t)frame_id * N_MONTHS + (unsigned)month) * N_BANDS + (unsigned)band) * N_PIXELS +
        (unsigned)pixel;

    if (band == 2) return 7;
    return (unsigned)(c3d_random_u64(9, C3D_STREAM(C3D_PURPOSE_TEST, 1), index) & 0xffff);
}

static bool is_valid(int64_t frame_id, int month, int pixel)
{
    const uint64_t index =
        ((uint64_t)frame_id * N_MONTHS + (unsigned)month) * N_PIXELS + (unsigned)pixel;

    return c3d_random_unit(9, C3D_STREAM(C3D_PURPOSE_TEST, 2), index) < 0.8;
}

/* As float: with parts that do not fit, so that a naive sum would round. */
static float real_of(int64_t frame_id, int month, int band, int pixel)
{
    return (float)value_of(frame_id, month, band, pixel) / 3.0F;
}

#define N_FOLDS 4

typedef struct store {
    char dir[32];
    c3d_dtype dtype;
} store;

static void fill_month(c3d_dtype dtype, int64_t frame_id, int month, int at, c3d_scene *scene)
{
    int n_valid = 0;

    for (int pixel = 0; pixel < N_PIXELS; pixel++) {
        const int y = pixel / PX, x = pixel % PX;
        const bool valid = is_valid(frame_id, month, pixel);
        n_valid += valid;
        if (valid) scene->valid[at * PX + y] |= (uint8_t)(0x80 >> x);
        for (int band = 0; band < N_BANDS; band++) {
            const size_t i = (size_t)((at * N_BANDS + band) * N_PIXELS + pixel);
            const int s = at * N_BANDS + band;
            const int64_t v = value_of(frame_id, month, band, pixel);
            const double r = (double)real_of(frame_id, month, band, pixel);
            if (dtype == C3D_U16) {
                ((uint16_t *)scene->values)[i] = (uint16_t)v;
                ((int64_t *)scene->sum)[s] += valid ? v : 0;
                ((int64_t *)scene->sum_squares)[s] += valid ? v * v : 0;
            } else {
                ((float *)scene->values)[i] = (float)r;
                ((double *)scene->sum)[s] += valid ? r : 0;
                ((double *)scene->sum_squares)[s] += valid ? r * r : 0;
            }
        }
    }
    scene->missing_share[at] = (float)(N_PIXELS - n_valid) / (float)N_PIXELS;
}

static void write_scene(c3d_shard *shard, int row, int64_t frame_id, int first_month)
{
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    const size_t n = (size_t)shape->n_months;
    c3d_scene scene = { c3d_calloc(c3d_scene_bytes(shape), 1),
                        c3d_calloc(c3d_valid_bytes(shape), 1), c3d_calloc(n, sizeof(float)),
                        c3d_calloc(n * N_BANDS, 8), c3d_calloc(n * N_BANDS, 8) };

    for (int at = 0; at < shape->n_months; at++)
        fill_month(shape->dtype, frame_id, first_month + at, at, &scene);
    OK(c3d_shard_write(shard, row, &scene));
    OK(c3d_shard_mark(shard, row, C3D_SCENE_PRESENT, c3d_scene_checksum(shape, &scene)));
    free(scene.values);
    free(scene.valid);
    free(scene.missing_share);
    free(scene.sum);
    free(scene.sum_squares);
}

static const int shard_begin[3] = { 0, 21, N_FRAMES };
static const char *const bands[N_BANDS] = { "ndvi", "evi", "constant" };

static void make_shard(const store *s, int period, int part, c3d_shard_info *info)
{
    const int first_month = period == 0 ? 0 : N_FIRST;
    const int n = shard_begin[part + 1] - shard_begin[part];
    const c3d_shard_shape shape = { .n_scenes = n,
                                    .n_months = period == 0 ? N_FIRST : N_MONTHS - N_FIRST,
                                    .n_bands = N_BANDS,
                                    .size_px = PX,
                                    .dtype = s->dtype };
    int64_t ids[N_FRAMES];
    char path[C3D_PATH_MAX];
    c3d_shard *shard;

    *info = (c3d_shard_info){ .period = period, .n_scenes = n };
    snprintf(info->file, sizeof info->file, "scenes-%d-%05d.h5", months[first_month] / 100, part);
    OK(c3d_path_join(path, s->dir, info->file));
    for (int row = 0; row < n; row++) ids[row] = frame_id_of(shard_begin[part] + row);
    OK(c3d_shard_create(path, &shape, ids, months + first_month, bands));
    OK(c3d_shard_open(path, true, &shard));
    for (int row = 0; row < n; row++) {
        if (shard_begin[part] + row == DROPPED)
            OK(c3d_shard_mark(shard, row, C3D_SCENE_DROPPED, 0));
        else
            write_scene(shard, row, ids[row], first_month);
    }
    c3d_shard_close(shard);
}

static c3d_split split_of(int frame)
{
    if (frame % 9 == 4) return C3D_SPLIT_TEST;
    return frame % 9 == 7 ? C3D_SPLIT_VALIDATION : C3D_SPLIT_TRAIN;
}

static void write_samples(const char *dir, const c3d_sample *rows, size_t n)
{
    char path[C3D_PATH_MAX];
    c3d_sample copy[2 * N_FRAMES];

    memcpy(copy, rows, n * sizeof *rows);
    OK(c3d_path_join(path, dir, "samples.csv"));
    OK(c3d_samples_write(path, &(c3d_samples){ n, copy }));
}

static size_t list_samples(c3d_sample *rows)
{
    size_t n = 0;

    for (int frame = 0; frame < N_FRAMES; frame++) {
        if (frame == DROPPED) continue;
        for (int nth = 0; nth < (frame % 3 == 0 ? 2 : 1); nth++) {
            rows[n] = (c3d_sample){ .sample_id = 5000 + (int64_t)n * 3,
                                    .frame_id = frame_id_of(frame),
                                    .first_month = months[1 + nth],
                                    .n_months = N_SHOWN,
                                    .label = frame % 2,
                                    .split = split_of(frame),
                                    .fold = frame % N_FOLDS };
            n++;
        }
    }
    return n;
}

static store make_store(c3d_dtype dtype)
{
    store s = { .dir = "loader-XXXXXX", .dtype = dtype };
    c3d_sample rows[2 * N_FRAMES];
    c3d_date dates[N_MONTHS];
    c3d_period periods[2] = { { months[0], N_FIRST, dates },
                              { months[N_FIRST], N_MONTHS - N_FIRST, dates + N_FIRST } };
    c3d_shard_info shards[4];
    char names[5][16] = { "ndvi", "evi", "constant", "other", "mining" };
    char crs[] = "LOCAL_CS[\"none\"]";
    const c3d_dataset_info info = {
        .frame_size_px = PX,
        .n_bands = N_BANDS,
        .bands = (char *[]){ names[0], names[1], names[2] },
        .dtype = dtype,
        .n_periods = 2,
        .periods = periods,
        .n_shards = 4,
        .shards = shards,
        .n_classes = 2,
        .classes = (char *[]){ names[3], names[4] },
        .crs_wkt = crs,
        .pixel_m = { 5, 5 },
    };

    assert_non_null(mkdtemp(s.dir));
    memcpy(dates, months, sizeof months);
    for (int i = 0; i < 4; i++) make_shard(&s, i / 2, i % 2, &shards[i]);
    write_samples(s.dir, rows, list_samples(rows));
    OK(c3d_dataset_info_write(s.dir, &info));
    return s;
}

static void remove_store(const store *s)
{
    DIR *dir = opendir(s->dir);

    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[C3D_PATH_MAX];
        if (e->d_name[0] == '.') continue;
        OK(c3d_path_join(path, s->dir, e->d_name));
        unlink(path);
    }
    closedir(dir);
    rmdir(s->dir);
}

static store shared; /* read-only for the tests */
static c3d_dataset *dataset;
static c3d_list train;

static int set_up(void **state)
{
    (void)state;
    shared = make_store(C3D_U16);
    OK(c3d_dataset_open(shared.dir, &dataset));
    OK(c3d_list_make(dataset, C3D_SPLIT_TRAIN, 0, 1, &train));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    c3d_list_free(&train);
    c3d_dataset_close(dataset);
    remove_store(&shared);
    return 0;
}

/* ---- reading it ------------------------------------------------------------------------------ */

static c3d_loader_desc desc_of(void)
{
    return (c3d_loader_desc){ .dataset = dataset,
                              .list = &train,
                              .shuffle = true,
                              .augment_symmetry = true,
                              .seed = 4,
                              .global_batch = 12,
                              .micro_batch = 4,
                              .n_ranks = 1,
                              .n_readers = 2,
                              .depth = 3 };
}

/* What an epoch delivered, by position in the epoch's order. */
typedef struct epoch {
    size_t n;
    uint32_t index[2 * N_FRAMES];
    uint64_t row_keys[2 * N_FRAMES];
    uint8_t symmetry[2 * N_FRAMES];
    int n_times[2 * N_FRAMES];
} epoch;

static void check_values(const c3d_batch *batch)
{
    const uint16_t *values = batch->values;

    for (int row = 0; row < batch->n; row++) {
        const c3d_sample *sample = &c3d_dataset_get_samples(dataset)->rows[batch->index[row]];
        const int first = sample->first_month == months[1] ? 1 : 2;
        assert_int_equal(batch->labels[row], sample->label);
        for (int band = 0; band < N_BANDS; band++)
            for (int month = 0; month < N_SHOWN; month++)
                for (int pixel = 0; pixel < N_PIXELS; pixel++)
                    if (*values++ != value_of(sample->frame_id, first + month, band, pixel))
                        fail_msg("frame %d band %d month %d pixel %d", (int)sample->frame_id, band,
                                 month, pixel);
    }
}

/* Runs one rank's part of an epoch and files it in `into`. */
static void collect(const c3d_loader_desc *desc, int64_t number, int64_t first_step, epoch *into)
{
    c3d_loader *loader;
    c3d_batch batch;

    OK(c3d_loader_create(desc, &loader));
    OK(c3d_loader_start(loader, number, first_step));
    for (int64_t step = first_step; step < c3d_loader_n_steps(loader); step++) {
        const int n_micro = c3d_loader_n_micro(loader, step);
        for (int nth = 0; nth < n_micro; nth++) {
            OK(c3d_loader_next(loader, &batch));
            const size_t at =
                (size_t)(step * desc->global_batch) +
                (size_t)c3d_loader_micro(loader, step, nth) * (size_t)desc->micro_batch;
            assert_true(desc->deal == C3D_DEAL_BLOCKS ||
                        c3d_loader_micro(loader, step, nth) == desc->rank + nth * desc->n_ranks);
            assert_int_equal(batch.step, step);
            assert_int_equal(batch.last_of_step, nth == n_micro - 1);
            assert_true(batch.n > 0 && batch.n <= desc->micro_batch);
            assert_int_equal(batch.n_global,
                             step < c3d_loader_n_steps(loader) - 1
                                 ? (size_t)desc->global_batch
                                 : desc->list->n - (size_t)(step * desc->global_batch));
            if (!desc->one_slice) check_values(&batch);
            for (int row = 0; row < batch.n; row++) {
                into->index[at + (size_t)row] = batch.index[row];
                into->row_keys[at + (size_t)row] = batch.row_keys[row];
                if (batch.symmetry) into->symmetry[at + (size_t)row] = batch.symmetry[row];
                into->n_times[at + (size_t)row]++;
                into->n++;
                assert_int_equal(c3d_loader_order(loader, number, at + (size_t)row),
                                 batch.index[row]);
            }
        }
    }
    assert_int_equal(c3d_loader_next(loader, &batch), C3D_EINVAL);
    assert_true(c3d_loader_waited_s(loader) >= 0);
    c3d_loader_destroy(loader);
}

static void test_class_weights(void **state)
{
    float weights[3], sum = 0;
    c3d_loader_desc desc = desc_of();
    c3d_loader *loader;
    c3d_batch batch;
    int n_classes[2] = { 0, 0 };

    (void)state;
    for (size_t i = 0; i < train.n; i++)
        n_classes[c3d_dataset_get_samples(dataset)->rows[train.index[i]].label]++;
    assert_true(n_classes[0] != n_classes[1]);
    OK(c3d_class_weights(dataset, &train, 3, weights));
    for (int k = 0; k < 2; k++) /* n / (K n_c): K is 2, no sample is of the third class */
        assert_true(weights[k] == (float)((double)train.n / (2.0 * n_classes[k])));
    assert_true(weights[2] == 0);
    desc.class_weights = weights;
    desc.global_batch = (int)train.n;
    OK(c3d_loader_create(&desc, &loader));
    OK(c3d_loader_start(loader, 0, 0));
    for (int left = c3d_loader_n_micro(loader, 0); left > 0; left--) {
        OK(c3d_loader_next(loader, &batch));
        for (int row = 0; row < batch.n; row++) {
            assert_true(batch.weights[row] == weights[batch.labels[row]]);
            sum += batch.weights[row];
        }
    }
    assert_true(fabs((double)sum / (double)train.n - 1) < 1e-5);
    c3d_loader_destroy(loader);
    desc.class_weights = NULL;
    OK(c3d_loader_create(&desc, &loader));
    OK(c3d_loader_start(loader, 0, 0));
    OK(c3d_loader_next(loader, &batch));
    assert_null(batch.weights);
    c3d_loader_destroy(loader);
}

/* Gain, offset and months of an epoch by position, from any number of ranks. */
typedef struct changes {
    float gain[2 * N_FRAMES][N_BANDS], offset[2 * N_FRAMES][N_BANDS];
    int16_t month_from[2 * N_FRAMES][N_SHOWN];
} changes;

static void collect_changes(c3d_loader_desc desc, int64_t number, int64_t first_step, changes *into)
{
    c3d_loader *loader;
    c3d_batch batch;

    OK(c3d_loader_create(&desc, &loader));
    OK(c3d_loader_start(loader, number, first_step));
    for (int64_t step = first_step; step < c3d_loader_n_steps(loader); step++)
        for (int nth = 0; nth < c3d_loader_n_micro(loader, step); nth++) {
            const size_t at = (size_t)(step * desc.global_batch +
                                       (desc.rank + nth * desc.n_ranks) * desc.micro_batch);
            OK(c3d_loader_next(loader, &batch));
            for (int row = 0; row < batch.n; row++) {
                const c3d_batch one = c3d_batch_row(loader, &batch, row);
                memcpy(into->gain[at + (size_t)row], one.gain, sizeof into->gain[0]);
                memcpy(into->offset[at + (size_t)row], one.offset, sizeof into->offset[0]);
                memcpy(into->month_from[at + (size_t)row], one.month_from,
                       sizeof into->month_from[0]);
            }
        }
    c3d_loader_destroy(loader);
}

static void test_augmented(void **state)
{
    c3d_loader_desc desc = desc_of();
    c3d_loader *loader;
    c3d_batch batch;
    static changes one, two, later;

    (void)state;
    desc.balanced = true;
    desc.jitter = 0.5;
    desc.month_dropout = 0.5;
    collect_changes(desc, 3, 0, &one);
    collect_changes(desc, 3, 2, &later); /* from the middle */
    desc.n_ranks = 2;
    for (desc.rank = 0; desc.rank < 2; desc.rank++) collect_changes(desc, 3, 0, &two);
    assert_memory_equal(&one, &two, sizeof one);
    assert_memory_equal(one.gain[24], later.gain[24], sizeof one.gain - 24 * sizeof one.gain[0]);
    assert_memory_equal(one.month_from[24], later.month_from[24],
                        sizeof one.month_from - 24 * sizeof one.month_from[0]);
    for (size_t i = 1; i < train.n; i++)
        for (size_t j = 0; j < i; j++) /* each showing has its own */
            assert_memory_not_equal(one.gain[i], one.gain[j], sizeof one.gain[0]);
    desc = desc_of(); /* nothing unless asked for */
    OK(c3d_loader_create(&desc, &loader));
    OK(c3d_loader_start(loader, 0, 0));
    OK(c3d_loader_next(loader, &batch));
    assert_true(!batch.gain && !batch.offset && !batch.month_from);
    c3d_loader_destroy(loader);
    desc.month_dropout = 0.5;
    desc.one_slice = true;
    assert_int_equal(c3d_loader_create(&desc, &loader), C3D_EINVAL);
    desc.month_dropout = 0;
    desc.months_shuffled = true;
    assert_int_equal(c3d_loader_create(&desc, &loader), C3D_EINVAL);
    desc.months_shuffled = false;
    desc.jitter = -1;
    assert_int_equal(c3d_loader_create(&desc, &loader), C3D_EINVAL);
}

/* Months in another order, the same from 1, 2 and 3 ranks and from the middle of an epoch, another
 * one for each sample and epoch, and all that month_dropout left. */
static void test_shuffled_months(void **state)
{
    static changes one, other, dropped;
    c3d_loader_desc desc = desc_of();
    size_t n_same = 0;

    (void)state;
    desc.jitter = 0.5;
    desc.months_shuffled = true;
    collect_changes(desc, 3, 0, &one);
    for (desc.n_ranks = 2; desc.n_ranks <= 3; desc.n_ranks++) {
        memset(&other, 0, sizeof other);
        for (desc.rank = 0; desc.rank < desc.n_ranks; desc.rank++)
            collect_changes(desc, 3, 0, &other);
        assert_memory_equal(&one, &other, sizeof one);
    }
    desc.rank = 0, desc.n_ranks = 1;
    collect_changes(desc, 3, 2, &other);
    assert_memory_equal(one.month_from[24], other.month_from[24],
                        sizeof one.month_from - 24 * sizeof one.month_from[0]);
    for (size_t i = 0; i < train.n; i++) {
        unsigned seen = 0;
        for (int m = 0; m < N_SHOWN; m++) seen |= 1U << one.month_from[i][m];
        assert_int_equal(seen, (1U << N_SHOWN) - 1);
        for (size_t j = 0; j < i; j++)
            n_same += memcmp(one.month_from[i], one.month_from[j], sizeof one.month_from[0]) == 0;
    }
    assert_true(n_same < train.n); /* of n (n - 1) / 2 pairs one in 6! is expected */
    desc.shuffle = false;          /* the same sample at each position */
    collect_changes(desc, 3, 0, &one);
    collect_changes(desc, 4, 0, &other);
    for (size_t i = n_same = 0; i < train.n; i++)
        n_same += memcmp(one.month_from[i], other.month_from[i], sizeof one.month_from[0]) == 0;
    assert_true(n_same < 4);
    desc.month_dropout = 0.5;
    collect_changes(desc, 3, 0, &dropped);
    desc.months_shuffled = false;
    collect_changes(desc, 3, 0, &other);
    for (size_t i = 0; i < train.n; i++)
        for (int m = 0; m < N_SHOWN; m++) /* what dropping puts there, then moved */
            assert_int_equal(dropped.month_from[i][m], other.month_from[i][one.month_from[i][m]]);
}

static epoch collected(c3d_loader_desc desc, int n_ranks, int64_t number)
{
    epoch e = { 0 };

    desc.n_ranks = n_ranks;
    for (desc.rank = 0; desc.rank < n_ranks; desc.rank++) collect(&desc, number, 0, &e);
    return e;
}

static void expect_each_once(const epoch *e)
{
    bool seen[2 * N_FRAMES] = { false };

    assert_int_equal(e->n, train.n);
    for (size_t i = 0; i < e->n; i++) {
        assert_int_equal(e->n_times[i], 1);
        assert_false(seen[e->index[i]]);
        seen[e->index[i]] = true;
    }
    for (size_t i = 0; i < train.n; i++) assert_true(seen[train.index[i]]);
}

static void test_ranks(void **state)
{
    const epoch one = collected(desc_of(), 1, 5);

    (void)state;
    assert_int_equal(train.n % 12,
                     5); /* the last global batch is short, its last micro-batch too */
    expect_each_once(&one);
    for (int n_ranks = 2; n_ranks <= 5; n_ranks++) { /* more than micro-batches, too */
        const epoch e = collected(desc_of(), n_ranks, 5);
        assert_memory_equal(&e, &one, sizeof e);
    }
}

/* Neighbours together: the same micro-batches, each of one rank alone, with blocks that are halves
 * of those of half as many ranks. */
static void test_blocks(void **state)
{
    const epoch one = collected(desc_of(), 1, 5);
    c3d_loader_desc desc = desc_of();
    c3d_loader *loader;

    (void)state;
    desc.deal = C3D_DEAL_BLOCKS;
    for (int n_ranks = 1; n_ranks <= 8; n_ranks *= 2) {
        const epoch e = collected(desc, n_ranks, 5);
        assert_memory_equal(&e, &one, sizeof e);
    }
    for (int n = 0; n < 40; n++)
        for (int n_ranks = 2, end = 0; n_ranks <= 16; n_ranks *= 2, end = 0)
            for (int r = 0; r < n_ranks; r++) {
                const c3d_block mine = c3d_deal_block(n, r, n_ranks);
                const c3d_block both = c3d_deal_block(n, r / 2, n_ranks / 2);
                assert_int_equal(mine.begin, end);
                assert_int_equal(mine.n, (both.n + (r % 2 == 0)) / 2);
                assert_in_range(mine.n, n / n_ranks, (n + n_ranks - 1) / n_ranks);
                end += mine.n;
                assert_true(r < n_ranks - 1 || end == n);
            }
    for (int n_groups = 1; n_groups <= 6; n_groups++)
        for (int n = 1, group = 0; n < 20; n++, group = 0)
            for (int place = 0; place < n; place++) {
                const int i = c3d_deal_place(n, n_groups, place);
                assert_true(i >= 0 && i < n && i % n_groups >= group);
                if (place > 0 && i % n_groups == group && i >= n_groups)
                    assert_int_equal(i, c3d_deal_place(n, n_groups, place - 1) + n_groups);
                group = i % n_groups;
            }
    desc.n_ranks = 3;
    assert_int_equal(c3d_loader_create(&desc, &loader), C3D_EINVAL);
}

static void test_order(void **state)
{
    c3d_loader_desc other_seed = desc_of(), as_listed = desc_of();
    other_seed.seed = 6;
    as_listed.shuffle = false;
    const epoch first = collected(desc_of(), 1, 0), again = collected(desc_of(), 1, 0);
    const epoch next = collected(desc_of(), 1, 1), seed = collected(other_seed, 1, 0);
    const epoch plain = collected(as_listed, 2, 3);
    bool codes[8] = { false };
    size_t n_same_symmetry = 0;

    (void)state;
    assert_memory_equal(&first, &again, sizeof first);
    assert_memory_not_equal(first.index, next.index, sizeof first.index);
    assert_memory_not_equal(first.index, seed.index, sizeof first.index);
    expect_each_once(&next);
    expect_each_once(&seed);
    assert_memory_equal(plain.index, train.index, train.n * sizeof *train.index);
    for (size_t i = 0; i < first.n; i++) {
        codes[first.symmetry[i]] = true;
        for (size_t j = 0; j < next.n; j++)
            if (next.index[j] == first.index[i]) {
                n_same_symmetry += next.symmetry[j] == first.symmetry[i];
                assert_true(next.row_keys[j] != first.row_keys[i]);
            }
    }
    for (int code = 0; code < 8; code++) assert_true(codes[code]);
    assert_true(n_same_symmetry < first.n / 2);
}

static void test_middle_of_epoch(void **state)
{
    const epoch whole = collected(desc_of(), 1, 2);

    (void)state;
    for (int n_ranks = 1; n_ranks <= 3; n_ranks++)
        for (int64_t step = 0; step <= 4; step++) {
            c3d_loader_desc desc = desc_of();
            epoch tail = { 0 };
            const size_t begin = step == 4 ? train.n : (size_t)step * 12;
            desc.n_ranks = n_ranks;
            for (desc.rank = 0; desc.rank < n_ranks; desc.rank++) collect(&desc, 2, step, &tail);
            assert_int_equal(tail.n, train.n - begin);
            assert_memory_equal(tail.index + begin, whole.index + begin,
                                tail.n * sizeof *tail.index);
            for (size_t i = 0; i < begin; i++) assert_int_equal(tail.n_times[i], 0);
        }
}

static void test_readers(void **state)
{
    const epoch expected = collected(desc_of(), 1, 0);

    (void)state;
    for (int n_readers = 0; n_readers <= 4; n_readers++)
        for (int depth = 0; depth <= 5; depth++) {
            c3d_loader_desc desc = desc_of();
            desc.n_readers = n_readers;
            desc.depth = depth;
            const epoch found = collected(desc, 1, 0);
            assert_memory_equal(&found, &expected, sizeof found);
        }
}

/* With readers that run as far ahead as they may, batches given earlier keep their values. */
static void test_held(void **state)
{
    enum { HELD = 2 };
    c3d_loader_desc desc = desc_of();
    c3d_batch batches[HELD + 1];
    c3d_loader *loader;
    size_t n_bytes;
    int n = 0;

    (void)state;
    desc.n_held = HELD;
    OK(c3d_loader_create(&desc, &loader));
    while (c3d_loader_buffer(loader, n, &n_bytes)) n++;
    assert_int_equal(n, HELD + 2); /* depth 3 has no room for one to be filled */
    OK(c3d_loader_start(loader, 0, 0));
    for (int i = 0; i < c3d_loader_n_micro(loader, 0) * c3d_loader_n_steps(loader); i++) {
        if (c3d_loader_next(loader, &batches[i % (HELD + 1)]) != C3D_OK) break;
        (void)usleep(2000);
        for (int k = 0; k <= HELD && k <= i; k++) check_values(&batches[k]);
    }
    c3d_loader_destroy(loader);
}

/* 25 and 12 samples: the rare class comes round again in an epoch, under another key. */
static void test_balanced(void **state)
{
    c3d_loader_desc desc = desc_of();
    int n_classes[2] = { 0, 0 };
    size_t n_repeats = 0, n_other_symmetry = 0;

    (void)state;
    desc.balanced = true;
    const epoch one = collected(desc, 1, 5);
    assert_int_equal(one.n, train.n);
    for (size_t i = 0; i < one.n; i++) {
        assert_int_equal(one.n_times[i], 1);
        n_classes[c3d_dataset_get_samples(dataset)->rows[one.index[i]].label]++;
        for (size_t j = 0; j < i; j++) {
            assert_true(one.row_keys[i] != one.row_keys[j]);
            n_repeats += one.index[i] == one.index[j];
            n_other_symmetry += one.index[i] == one.index[j] && one.symmetry[i] != one.symmetry[j];
        }
    }
    assert_true(abs(n_classes[0] - n_classes[1]) <= 1);
    assert_true(n_repeats > 1 && n_other_symmetry > n_repeats / 2);
    for (int n_ranks = 2; n_ranks <= 5; n_ranks++) {
        const epoch e = collected(desc, n_ranks, 5);
        assert_memory_equal(&e, &one, sizeof e);
    }
    desc.shuffle = false;
    c3d_loader *loader;
    assert_int_equal(c3d_loader_create(&desc, &loader), C3D_EINVAL);
}

/* Starting anew while readers are at work, and ending in the middle. */
static void test_restart(void **state)
{
    c3d_loader_desc desc = desc_of();
    c3d_loader *loader;
    c3d_batch batch;

    (void)state;
    desc.micro_batch = 1;
    desc.n_readers = 4;
    OK(c3d_loader_create(&desc, &loader));
    assert_int_equal(c3d_loader_next(loader, &batch), C3D_EINVAL); /* not started */
    for (int64_t number = 0; number < 200; number++) {
        const int64_t first_step = number % 4;
        OK(c3d_loader_start(loader, number, first_step));
        for (int i = 0; i < number % 7 && i < (first_step == 3 ? 2 : 12); i++) {
            OK(c3d_loader_next(loader, &batch));
            assert_int_equal(batch.step, first_step);
            assert_int_equal(batch.index[0],
                             c3d_loader_order(loader, number, (uint64_t)(first_step * 12 + i)));
        }
    }
    assert_int_equal(c3d_loader_start(loader, 0, 5), C3D_EINVAL);
    assert_int_equal(c3d_loader_start(loader, -1, 0), C3D_EINVAL);
    c3d_loader_destroy(loader);
    c3d_loader_destroy(NULL);
}

/* ---- one slice ------------------------------------------------------------------------------- */

static int compare_unsigned(const void *a, const void *b)
{
    const unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

    return (x > y) - (x < y);
}

/* Months, within the sample, whose values are all of the row's. */
static int matching_month(const uint16_t *row, const c3d_sample *sample)
{
    const int first = sample->first_month == months[1] ? 1 : 2;

    for (int month = 0; month < N_SHOWN; month++) {
        bool same = true;
        for (int i = 0; i < N_BANDS * N_PIXELS && same; i++)
            same = row[i] == value_of(sample->frame_id, first + month, i / N_PIXELS, i % N_PIXELS);
        if (same) return month;
    }
    return -1;
}

static bool is_median(const uint16_t *row, const c3d_sample *sample)
{
    const int first = sample->first_month == months[1] ? 1 : 2;

    for (int i = 0; i < N_BANDS * N_PIXELS; i++) {
        unsigned column[N_SHOWN];
        for (int month = 0; month < N_SHOWN; month++)
            column[month] = value_of(sample->frame_id, first + month, i / N_PIXELS, i % N_PIXELS);
        qsort(column, N_SHOWN, sizeof *column, compare_unsigned);
        if (row[i] != column[N_SHOWN / 2 - 1]) return false;
    }
    return true;
}

/* Bit m of the result: month m was shown. */
static unsigned shown_months(c3d_slice slice, int64_t number)
{
    c3d_loader_desc desc = desc_of();
    c3d_loader *loader;
    c3d_batch batch;
    unsigned shown = 0;

    desc.one_slice = true;
    desc.slice = slice;
    desc.global_batch = (int)train.n;
    OK(c3d_loader_create(&desc, &loader));
    assert_int_equal(c3d_loader_shape(loader).d, 1);
    assert_int_equal(c3d_loader_shape(loader).c, N_BANDS);
    OK(c3d_loader_start(loader, number, 0));
    for (int left = c3d_loader_n_micro(loader, 0); left > 0; left--) {
        OK(c3d_loader_next(loader, &batch));
        for (int row = 0; row < batch.n; row++) {
            const c3d_sample *sample = &c3d_dataset_get_samples(dataset)->rows[batch.index[row]];
            const uint16_t *values =
                (const uint16_t *)batch.values + (size_t)row * N_BANDS * N_PIXELS;
            const int month = matching_month(values, sample);
            if (slice == C3D_SLICE_MEDIAN)
                assert_true(is_median(values, sample));
            else
                assert_in_range(month, 0, N_SHOWN - 1);
            if (month >= 0) shown |= 1U << month;
        }
    }
    c3d_loader_destroy(loader);
    return shown;
}

static void test_slices(void **state)
{
    (void)state;
    assert_int_equal(shown_months(C3D_SLICE_FIRST, 0), 1U << 0);
    assert_int_equal(shown_months(C3D_SLICE_MIDDLE, 0), 1U << 3); /* 4th of the first period */
    assert_int_equal(shown_months(C3D_SLICE_LAST, 0), 1U << 5);   /* in the second period */
    assert_int_equal(shown_months(C3D_SLICE_MEDIAN, 0), 0);
    assert_int_equal(shown_months(C3D_SLICE_RANDOM, 0), (1U << N_SHOWN) - 1); /* 36 draws of 6 */
    for (int64_t number = 0; number < 2 * (int64_t)N_SHOWN; number++)
        assert_int_equal(shown_months(C3D_SLICE_EVERY, number), 1U << number % N_SHOWN);
}

static void test_shape(void **state)
{
    const c3d_loader_desc desc = desc_of();
    c3d_loader *loader;

    (void)state;
    OK(c3d_loader_create(&desc, &loader));
    assert_true(
        c3d_shape_is_equal(c3d_loader_shape(loader), (c3d_shape){ 4, N_BANDS, N_SHOWN, PX, PX }));
    assert_int_equal(c3d_loader_n_steps(loader), 4);
    assert_int_equal(c3d_loader_n_micro(loader, 0), 3);
    assert_int_equal(c3d_loader_n_micro(loader, 3), 2);
    assert_int_equal(c3d_loader_n_micro(loader, 4), 0);
    c3d_loader_destroy(loader);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void test_lists(void **state)
{
    const c3d_samples *samples = c3d_dataset_get_samples(dataset);
    c3d_list drawn, again, other, none;
    int n_classes[2] = { 0, 0 };

    (void)state;
    for (size_t i = 0; i < train.n; i++) {
        assert_int_equal(samples->rows[train.index[i]].split, C3D_SPLIT_TRAIN);
        assert_true(i == 0 || train.index[i] > train.index[i - 1]);
    }
    OK(c3d_list_make(dataset, C3D_SPLIT_TRAIN, 5, 1, &drawn));
    OK(c3d_list_make(dataset, C3D_SPLIT_TRAIN, 5, 1, &again));
    OK(c3d_list_make(dataset, C3D_SPLIT_TRAIN, 5, 2, &other));
    assert_int_equal(drawn.n, 10);
    for (size_t i = 0; i < drawn.n; i++) {
        n_classes[samples->rows[drawn.index[i]].label]++;
        assert_true(i == 0 || drawn.index[i] > drawn.index[i - 1]);
    }
    assert_int_equal(n_classes[0], 5);
    assert_int_equal(n_classes[1], 5);
    assert_memory_equal(drawn.index, again.index, drawn.n * sizeof *drawn.index);
    assert_memory_not_equal(drawn.index, other.index, drawn.n * sizeof *drawn.index);
    assert_true(drawn.hash == again.hash && drawn.hash != other.hash && drawn.hash != train.hash);
    OK(c3d_list_make(dataset, C3D_SPLIT_NONE, 0, 1, &none));
    assert_int_equal(none.n, 0);
    c3d_list_free(&none);
    c3d_list_free(&drawn);
    c3d_list_free(&again);
    c3d_list_free(&other);
}

/* ---- statistics ------------------------------------------------------------------------------ */

__extension__ typedef __int128 int128;

/* Each frame and month of the train samples once, pixel by pixel. */
static void naive(int band, int128 *n, int128 *sum, int128 *sum_squares)
{
    *n = *sum = *sum_squares = 0;
    for (int frame = 0; frame < N_FRAMES; frame++) {
        const int64_t id = frame_id_of(frame);
        if (frame == DROPPED || split_of(frame) != C3D_SPLIT_TRAIN) continue;
        for (int month = 1; month < (frame % 3 == 0 ? 8 : 7); month++)
            for (int pixel = 0; pixel < N_PIXELS; pixel++) {
                const int128 v = value_of(id, month, band, pixel);
                if (!is_valid(id, month, pixel)) continue;
                *n += 1;
                *sum += v;
                *sum_squares += v * v;
            }
    }
}

static void test_statistics(void **state)
{
    double mean[N_BANDS], deviation[N_BANDS], mean_2[N_BANDS], deviation_2[N_BANDS];
    c3d_list turned = { train.n, c3d_calloc(train.n, sizeof *turned.index), 0 };

    (void)state;
    OK(c3d_statistics(dataset, &train, mean, deviation));
    for (int band = 0; band < N_BANDS; band++) {
        int128 n, sum, sum_squares;
        naive(band, &n, &sum, &sum_squares);
        const double variance = (double)(n * sum_squares - sum * sum) / ((double)n * (double)n);
        assert_true(mean[band] == (double)sum / (double)n);
        assert_true(deviation[band] == (band == 2 ? 1 : sqrt(variance)));
    }
    for (size_t i = 0; i < train.n; i++) turned.index[i] = train.index[train.n - 1 - i];
    OK(c3d_statistics(dataset, &turned, mean_2, deviation_2));
    assert_memory_equal(mean, mean_2, sizeof mean);
    assert_memory_equal(deviation, deviation_2, sizeof deviation);
    turned.n = 1;
    OK(c3d_statistics(dataset, &turned, mean_2, deviation_2));
    assert_true(mean[0] != mean_2[0]);
    c3d_list_free(&turned);
}

/* A fold takes the place of the column split; what is normalised by are its training samples. */
static void test_folds(void **state)
{
    double mean[N_BANDS], deviation[N_BANDS], mean_2[N_BANDS], deviation_2[N_BANDS];
    c3d_list expected = { 0, c3d_calloc(2 * N_FRAMES, sizeof *expected.index), 0 };
    const c3d_samples *before = c3d_dataset_get_samples(dataset);
    c3d_dataset *own;
    c3d_list lists[C3D_N_SPLITS];

    (void)state;
    OK(c3d_dataset_open(shared.dir, &own));
    assert_int_equal(c3d_dataset_get_fold(own), -1);
    OK(c3d_dataset_choose_fold(own, -1, 0));
    assert_int_equal(c3d_dataset_get_fold(own), -1);
    OK(c3d_dataset_choose_fold(own, N_FOLDS - 1, 0));
    assert_int_equal(c3d_dataset_get_fold(own), N_FOLDS - 1);
    for (size_t i = 0; i < before->n; i++) {
        const c3d_sample *was = &before->rows[i];
        c3d_split split = C3D_SPLIT_TRAIN;
        if (was->fold == N_FOLDS - 1) split = C3D_SPLIT_TEST;
        if (was->fold == 0) split = C3D_SPLIT_VALIDATION;
        if (was->split == C3D_SPLIT_NONE) split = C3D_SPLIT_NONE;
        assert_int_equal(c3d_dataset_get_samples(own)->rows[i].split, split);
        if (split == C3D_SPLIT_TRAIN) expected.index[expected.n++] = (uint32_t)i;
    }
    for (int s = 0; s < C3D_N_SPLITS; s++) OK(c3d_list_make(own, (c3d_split)s, 0, 1, &lists[s]));
    assert_int_equal(lists[C3D_SPLIT_TRAIN].n, expected.n);
    assert_memory_equal(lists[0].index, expected.index, expected.n * sizeof *expected.index);
    assert_true(lists[C3D_SPLIT_TRAIN].hash != train.hash);
    OK(c3d_statistics(own, &lists[C3D_SPLIT_TRAIN], mean, deviation));
    OK(c3d_statistics(dataset, &expected, mean_2, deviation_2));
    assert_memory_equal(mean, mean_2, sizeof mean);
    assert_memory_equal(deviation, deviation_2, sizeof deviation);
    for (int s = 0; s < C3D_N_SPLITS; s++) c3d_list_free(&lists[s]);
    c3d_list_free(&expected);
    c3d_dataset_close(own);
}

/* The naive sums in long double carry 64 bits: they and ours differ by a few units of 2^-53 of the
 * mean, and of the mean square in the variance. */
static void test_real_statistics(void **state)
{
    const store s = make_store(C3D_F32);
    double mean[N_BANDS], deviation[N_BANDS], mean_2[N_BANDS], deviation_2[N_BANDS];
    c3d_dataset *real;
    c3d_list list;

    (void)state;
    OK(c3d_dataset_open(s.dir, &real));
    OK(c3d_list_make(real, C3D_SPLIT_TRAIN, 0, 1, &list));
    OK(c3d_statistics(real, &list, mean, deviation));
    for (int band = 0; band < 2; band++) {
        long double n = 0, sum = 0, sum_squares = 0;
        for (int frame = 0; frame < N_FRAMES; frame++) {
            const int64_t id = frame_id_of(frame);
            if (frame == DROPPED || split_of(frame) != C3D_SPLIT_TRAIN) continue;
            for (int month = 1; month < (frame % 3 == 0 ? 8 : 7); month++)
                for (int pixel = 0; pixel < N_PIXELS; pixel++) {
                    const long double v = (long double)real_of(id, month, band, pixel);
                    if (!is_valid(id, month, pixel)) continue;
                    n += 1;
                    sum += v;
                    sum_squares += v * v;
                }
        }
        const double expected = (double)(sum / n), square = (double)(sum_squares / n);
        const double variance = (double)((sum_squares - sum * sum / n) / n);
        const double unit = 0x1p-53;
        assert_true(fabs(mean[band] - expected) <= 8 * unit * expected);
        assert_true(fabs(deviation[band] * deviation[band] - variance) <= 16 * unit * square);
    }
    for (size_t i = 0; i < list.n / 2; i++) {
        const uint32_t kept = list.index[i];
        list.index[i] = list.index[list.n - 1 - i];
        list.index[list.n - 1 - i] = kept;
    }
    OK(c3d_statistics(real, &list, mean_2, deviation_2));
    assert_memory_equal(mean, mean_2, sizeof mean);
    assert_memory_equal(deviation, deviation_2, sizeof deviation);
    c3d_list_free(&list);
    c3d_dataset_close(real);
    remove_store(&s);
}

/* ---- groups ---------------------------------------------------------------------------------- */

static c3d_loader_desc grouped(int n_groups)
{
    c3d_loader_desc desc = desc_of();

    desc.micro_batch = 2;
    desc.n_groups = n_groups;
    return desc;
}

static bool is_listed(const c3d_list *list, uint32_t index)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->index[i] == index) return true;
    return false;
}

/* Micro-batch i of every epoch is of group i mod G; the groups are the list, cut by place. */
static void check_groups(const epoch *e, int n_groups)
{
    const c3d_loader_desc desc = grouped(n_groups);
    const int64_t *id = NULL;
    size_t n = 0, least = SIZE_MAX, most = 0;

    for (int g = 0; g < n_groups; g++) {
        bool is_wanted[6] = { false };
        c3d_list list;
        is_wanted[g] = true;
        OK(c3d_list_of_groups(&desc, is_wanted, &list));
        for (size_t i = 0; i < e->n; i++)
            assert_int_equal(is_listed(&list, e->index[i]), (int)(i / 2) % n_groups == g);
        for (size_t i = 0; i < list.n; i++) { /* frames are stored by descending number */
            const int64_t *next = &c3d_dataset_get_samples(dataset)->rows[list.index[i]].frame_id;
            assert_true(!id || *next <= *id);
            id = next;
        }
        n += list.n;
        if (list.n < least) least = list.n;
        if (list.n > most) most = list.n;
        c3d_list_free(&list);
    }
    assert_int_equal(n, train.n);
    assert_true(most - least <= 2);
}

static void test_groups(void **state)
{
    const epoch plain = collected(desc_of(), 1, 5);

    (void)state;
    for (int n_groups = 1; n_groups <= 6; n_groups++) {
        if (6 % n_groups != 0) continue;
        const epoch one = collected(grouped(n_groups), 1, 5);
        const epoch next = collected(grouped(n_groups), 1, 6);
        c3d_loader_desc in_blocks = grouped(n_groups);
        in_blocks.deal = C3D_DEAL_BLOCKS;
        const epoch blocks = collected(in_blocks, 4, 5);
        assert_memory_equal(&blocks, &one, sizeof blocks);
        expect_each_once(&one);
        expect_each_once(&next);
        check_groups(&one, n_groups);
        check_groups(&next, n_groups);
        assert_int_equal(memcmp(one.index, plain.index, sizeof one.index) == 0, n_groups == 1);
        assert_memory_not_equal(one.index, next.index, sizeof one.index);
        for (int n_ranks = 2; n_ranks <= 7; n_ranks++) {
            const epoch e = collected(grouped(n_groups), n_ranks, 5);
            assert_memory_equal(&e, &one, sizeof e);
        }
    }
}

/* Fewer micro-batches than groups; a list that ends anywhere in a micro-batch. */
static void test_groups_of_few(void **state)
{
    const c3d_list whole = train;

    (void)state;
    for (train.n = 1; train.n < whole.n; train.n++) {
        const epoch e = collected(grouped(6), 2, 1);
        expect_each_once(&e);
    }
    train = whole;
}

static void test_groups_refused(void **state)
{
    c3d_loader_desc desc = grouped(4);
    c3d_loader *loader;

    (void)state;
    assert_int_equal(c3d_loader_create(&desc, &loader), C3D_EINVAL); /* 4 x 2 and 12 */
    desc = grouped(3);
    desc.balanced = true;
    assert_int_equal(c3d_loader_create(&desc, &loader), C3D_EINVAL);
    desc = grouped(3);
    desc.shuffle = false;
    assert_int_equal(c3d_loader_create(&desc, &loader), C3D_EINVAL);
}

/* ---- what can be wrong ----------------------------------------------------------------------- */

static void expect_words(const char *words)
{
    const c3d_error *error = c3d_error_last();

    if (!strstr(error->message, words) && !strstr(error->context, words))
        fail_msg("expected \"%s\" in \"%s\" %s", words, error->message, error->context);
}

static void refuse_fold(int n, int fold, int n_folds, const char *words)
{
    c3d_sample rows[8] = { 0 };
    c3d_samples samples = { 8, rows };

    for (int i = 0; i < 8; i++) rows[i].fold = i % n;
    assert_int_equal(c3d_samples_choose_fold(&samples, fold, n_folds), C3D_EDATA);
    expect_words(words);
}

static void test_refused_folds(void **state)
{
    (void)state;
    refuse_fold(1, 0, 0, "no folds");
    refuse_fold(2, 0, 0, "needs 3 or more");
    refuse_fold(4, 4, 0, "there are 4 folds");
    refuse_fold(4, 0, 3, "have 4 folds, data.folds is 3");
    refuse_fold(4, 3, 6, "no sample is left for split validation");
    refuse_fold(4, 5, 6, "no sample is left for split test");
}

static void cut(const store *s, const char *file, off_t keep)
{
    char path[C3D_PATH_MAX];

    OK(c3d_path_join(path, s->dir, file));
    assert_int_equal(truncate(path, keep), 0);
}

/* The second shard of the first period shrinks under the open dataset: samples of the first one
 * still come, then the error with the sample's name, every time. */
static void test_unreadable_sample(void **state)
{
    const store s = make_store(C3D_U16);
    c3d_loader_desc desc = desc_of();
    c3d_dataset *own;
    c3d_list list;
    c3d_loader *loader;
    c3d_batch batch;
    size_t n_good = 0;
    char name[64];

    (void)state;
    OK(c3d_dataset_open(s.dir, &own));
    OK(c3d_list_make(own, C3D_SPLIT_TRAIN, 0, 1, &list));
    while (c3d_dataset_get_samples(own)->rows[list.index[n_good]].frame_id > frame_id_of(DROPPED))
        n_good++;
    cut(&s, "scenes-202009-00001.h5", 4096);
    desc.dataset = own, desc.list = &list, desc.shuffle = false;
    desc.micro_batch = 1, desc.n_readers = 4, desc.depth = 8;
    OK(c3d_loader_create(&desc, &loader));
    for (int turn = 0; turn < 2; turn++) {
        OK(c3d_loader_start(loader, 0, 0));
        for (size_t i = 0; i < n_good; i++) OK(c3d_loader_next(loader, &batch));
        snprintf(name, sizeof name, "sample %lld",
                 (long long)c3d_dataset_get_samples(own)->rows[list.index[n_good]].sample_id);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(c3d_loader_next(loader, &batch), C3D_EIO);
            expect_words(name);
            expect_words("scenes-202009-00001.h5");
            expect_words("reading scene ");
        }
    }
    c3d_loader_destroy(loader);
    c3d_list_free(&list);
    c3d_dataset_close(own);
    assert_int_not_equal(c3d_dataset_open(s.dir, &own), C3D_OK);
    expect_words("scenes-202009-00001.h5");
    remove_store(&s);
}

static void refuse_sample(const store *s, c3d_sample sample, const char *words)
{
    c3d_dataset *own;

    write_samples(s->dir, &sample, 1);
    assert_int_equal(c3d_dataset_open(s->dir, &own), C3D_EDATA);
    expect_words("sample 77");
    expect_words(words);
}

static void test_bad_samples(void **state)
{
    const store s = make_store(C3D_U16);
    const c3d_sample good = { .sample_id = 77,
                              .frame_id = frame_id_of(3),
                              .first_month = months[3],
                              .n_months = 5,
                              .label = 1 };
    c3d_sample sample;
    c3d_dataset *own;

    (void)state;
    sample = good, sample.frame_id = 3, refuse_sample(&s, sample, "absent");
    sample = good, sample.frame_id = frame_id_of(DROPPED), refuse_sample(&s, sample, "dropped");
    sample = good, sample.first_month = 20190100, refuse_sample(&s, sample, "first month");
    sample = good, sample.n_months = 6, refuse_sample(&s, sample, "beyond");
    write_samples(s.dir, &good, 1);
    OK(c3d_dataset_open(s.dir, &own));
    c3d_dataset_close(own);
    sample = good, sample.label = C3D_MAX_CLASSES, write_samples(s.dir, &sample, 1);
    assert_int_equal(c3d_dataset_open(s.dir, &own), C3D_EDATA);
    expect_words("samples.csv:2: column label: 1000 is outside [0, 999]");
    cut(&s, "dataset.json", 0);
    assert_int_equal(c3d_dataset_open(s.dir, &own), C3D_EDATA);
    remove_store(&s);
    assert_int_equal(c3d_dataset_open(s.dir, &own), C3D_EIO);
}

/* samples.csv may know more classes than dataset.json has names. */
static void test_more_classes(void **state)
{
    const store s = make_store(C3D_U16);
    c3d_sample rows[2 * N_FRAMES];
    const size_t n = list_samples(rows);
    size_t n_of[3] = { 0 };
    char name[24];
    c3d_dataset *own;
    c3d_list list;

    (void)state;
    for (size_t i = 0; i < n; i++) rows[i].label = (int)(i / 2 % 3); /* pairs share a frame */
    write_samples(s.dir, rows, n);
    OK(c3d_dataset_open(s.dir, &own));
    assert_string_equal(c3d_dataset_class_name(c3d_dataset_get_info(own), 2, name), "class 2");
    assert_string_equal(c3d_dataset_class_name(c3d_dataset_get_info(own), 0, name),
                        c3d_dataset_get_info(own)->classes[0]);
    OK(c3d_list_make(own, C3D_SPLIT_TRAIN, 2, 1, &list));
    for (size_t i = 0; i < list.n; i++)
        n_of[c3d_dataset_get_samples(own)->rows[list.index[i]].label]++;
    for (int k = 0; k < 3; k++) assert_int_equal(n_of[k], 2);
    c3d_list_free(&list);
    c3d_dataset_close(own);
    remove_store(&s);
}

static void test_lengths_differ(void **state)
{
    const store s = make_store(C3D_U16);
    c3d_loader_desc desc = desc_of();
    c3d_sample rows[2 * N_FRAMES];
    const size_t n = list_samples(rows);
    c3d_dataset *own;
    c3d_list list;
    c3d_loader *loader;
    c3d_batch batch;

    (void)state;
    rows[2].n_months = 3; /* 5006 */
    write_samples(s.dir, rows, n);
    OK(c3d_dataset_open(s.dir, &own));
    OK(c3d_list_make(own, C3D_SPLIT_TRAIN, 0, 1, &list));
    desc.dataset = own, desc.list = &list;
    assert_int_equal(c3d_loader_create(&desc, &loader), C3D_EDATA);
    expect_words("sample 5000 has 6 months");
    expect_words("sample 5006 has 3");
    desc.one_slice = true;
    desc.slice = C3D_SLICE_MEDIAN;
    OK(c3d_loader_create(&desc, &loader));
    OK(c3d_loader_start(loader, 0, 0));
    OK(c3d_loader_next(loader, &batch));
    c3d_loader_destroy(loader);
    desc.micro_batch = 0;
    assert_int_equal(c3d_loader_create(&desc, &loader), C3D_EINVAL);
    desc.micro_batch = 4, desc.rank = 1;
    assert_int_equal(c3d_loader_create(&desc, &loader), C3D_EINVAL);
    c3d_list_free(&list);
    c3d_dataset_close(own);
    remove_store(&s);
}

/* ---- staging --------------------------------------------------------------------------------- */

static c3d_stage_desc stage_of(const store *s, const c3d_list *list)
{
    return (c3d_stage_desc){ .list = list, .dir = s->dir, .key = "test" };
}

/* No scene can be read from the store any more. */
static void cut_all(const store *s)
{
    static const char *const files[4] = { "scenes-202009-00000.h5", "scenes-202009-00001.h5",
                                          "scenes-202102-00000.h5", "scenes-202102-00001.h5" };

    for (int i = 0; i < 4; i++) cut(s, files[i], 4096);
}

static void expect_no_copy(const store *s)
{
    char path[C3D_PATH_MAX];

    OK(c3d_path_join(path, s->dir, "c3d-stage-test"));
    assert_false(c3d_path_exists(path));
}

/* Reads the samples of a list; the status of the first that cannot be read. */
static c3d_status read_list(c3d_loader_desc desc, const c3d_dataset *own, const c3d_list *list)
{
    c3d_loader *loader;
    c3d_batch batch;
    c3d_status st = C3D_OK;

    desc.dataset = own, desc.list = list, desc.micro_batch = 1;
    desc.global_batch = (int)list->n;
    OK(c3d_loader_create(&desc, &loader));
    OK(c3d_loader_start(loader, 0, 0));
    for (size_t i = 0; i < list->n && st == C3D_OK; i++) {
        st = c3d_loader_next(loader, &batch);
        if (st != C3D_OK) break;
        const c3d_sample *sample = &c3d_dataset_get_samples(own)->rows[batch.index[0]];
        if (desc.one_slice && desc.slice == C3D_SLICE_MEDIAN)
            assert_true(is_median(batch.values, sample));
        else if (desc.one_slice)
            assert_in_range(matching_month(batch.values, sample), 0, N_SHOWN - 1);
        else
            check_values(&batch);
    }
    c3d_loader_destroy(loader);
    return st;
}

/* What was staged is read from the copy, whatever becomes of the store; the rest is not. */
static void check_staged(bool one_slice, c3d_slice slice, uint64_t *n_bytes)
{
    const store s = make_store(C3D_U16);
    c3d_stage_desc stage = stage_of(&s, NULL);
    c3d_loader_desc desc = desc_of();
    c3d_dataset *own;
    c3d_list list, others;

    OK(c3d_dataset_open(s.dir, &own));
    OK(c3d_list_make(own, C3D_SPLIT_TRAIN, 0, 1, &list));
    OK(c3d_list_make(own, C3D_SPLIT_TEST, 0, 1, &others));
    desc.one_slice = stage.one_slice = one_slice;
    desc.slice = stage.slice = slice;
    stage.list = &list;
    OK(c3d_stage_bytes(own, &stage, n_bytes));
    OK(c3d_dataset_stage(own, &stage, NULL));
    expect_no_copy(&s);
    assert_int_equal(c3d_dataset_stage(own, &stage, NULL), C3D_EINVAL);
    OK(read_list(desc, own, &others));
    cut_all(&s);
    OK(read_list(desc, own, &list));
    assert_int_equal(read_list(desc, own, &others), C3D_EIO);
    c3d_stage_drop_cache(own);
    OK(read_list(desc, own, &list));
    c3d_dataset_unstage(own);
    assert_int_equal(read_list(desc, own, &list), C3D_EIO);
    c3d_list_free(&list);
    c3d_list_free(&others);
    c3d_dataset_close(own);
    remove_store(&s);
}

static void test_staged(void **state)
{
    const uint64_t month = (uint64_t)N_BANDS * N_PIXELS * sizeof(uint16_t);
    uint64_t n, all;
    size_t n_frames = 0, n_twice = 0;

    (void)state;
    for (int frame = 0; frame < N_FRAMES; frame++) {
        if (frame == DROPPED || split_of(frame) != C3D_SPLIT_TRAIN) continue;
        n_frames++;
        n_twice += frame % 3 == 0; /* months 1..6 and 2..7, the others 1..6 */
    }
    check_staged(false, C3D_SLICE_FIRST, &all);
    assert_int_equal(all, month * (n_frames * 6 + n_twice));
    check_staged(true, C3D_SLICE_FIRST, &n);
    assert_int_equal(n, month * (n_frames + n_twice));
    check_staged(true, C3D_SLICE_MIDDLE, &n);
    check_staged(true, C3D_SLICE_LAST, &n);
    check_staged(true, C3D_SLICE_RANDOM, &n);
    assert_int_equal(n, all);
    check_staged(true, C3D_SLICE_MEDIAN, &n);
}

typedef struct node {
    pthread_barrier_t *meeting;
    int *n_failed; /* of this meeting */
    c3d_sharing sharing;
    const store *s;
    c3d_status st;
} node;

static c3d_status agree_node(void *context, c3d_status st)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    node *me = context;

    pthread_mutex_lock(&lock);
    *me->n_failed += st != C3D_OK;
    pthread_mutex_unlock(&lock);
    pthread_barrier_wait(me->meeting);
    const bool has_failed = *me->n_failed > 0;
    pthread_barrier_wait(me->meeting);
    return st == C3D_OK && has_failed ? C3D_FAIL(C3D_ECOMM, "another rank") : st;
}

/* A rank with its own open dataset, as a process has; reads all that the others copied. */
static void *run_rank(void *argument)
{
    node *me = argument;
    c3d_stage_desc stage = stage_of(me->s, &train);
    c3d_dataset *own;

    OK(c3d_dataset_open(me->s->dir, &own));
    me->st = c3d_dataset_stage(own, &stage, &me->sharing);
    pthread_barrier_wait(me->meeting);
    if (me->st == C3D_OK && me->sharing.rank == 0) cut_all(me->s);
    pthread_barrier_wait(me->meeting);
    if (me->st == C3D_OK) me->st = read_list(desc_of(), own, &train);
    c3d_dataset_close(own);
    return NULL;
}

static void stage_by_ranks(const store *s, int n_ranks, c3d_status *st)
{
    pthread_barrier_t meeting;
    pthread_t threads[3];
    node nodes[3];
    int n_failed = 0;

    pthread_barrier_init(&meeting, NULL, (unsigned)n_ranks);
    for (int r = 0; r < n_ranks; r++) {
        nodes[r] = (node){
            .meeting = &meeting,
            .n_failed = &n_failed,
            .sharing = { .rank = r, .n_ranks = n_ranks, .agree = agree_node, .context = &nodes[r] },
            .s = s
        };
        assert_int_equal(pthread_create(&threads[r], NULL, run_rank, &nodes[r]), 0);
    }
    for (int r = 0; r < n_ranks; r++) {
        pthread_join(threads[r], NULL);
        st[r] = nodes[r].st;
    }
    pthread_barrier_destroy(&meeting);
    expect_no_copy(s);
}

static void test_staged_by_ranks(void **state)
{
    c3d_status st[3];

    (void)state;
    for (int n_ranks = 2; n_ranks <= 3; n_ranks++) {
        const store s = make_store(C3D_U16);
        stage_by_ranks(&s, n_ranks, st);
        for (int r = 0; r < n_ranks; r++) assert_int_equal(st[r], C3D_OK);
        remove_store(&s);
    }
}

/* Of frame 30, in the second shard of the first period: of the values, or of the bits. */
static void flip(const store *s, bool in_values)
{
    const int row = 30 - shard_begin[1];
    char path[C3D_PATH_MAX];
    c3d_shard *shard;

    OK(c3d_path_join(path, s->dir, "scenes-202009-00001.h5"));
    OK(c3d_shard_open(path, true, &shard));
    c3d_scene scene = { c3d_calloc(c3d_scene_bytes(c3d_shard_get_shape(shard)), 1),
                        c3d_calloc(c3d_valid_bytes(c3d_shard_get_shape(shard)), 1),
                        c3d_calloc(N_FIRST, sizeof(float)), c3d_calloc(N_FIRST * N_BANDS, 8),
                        c3d_calloc(N_FIRST * N_BANDS, 8) };
    OK(c3d_shard_read_scene(shard, row, &scene));
    if (in_values)
        ((uint8_t *)scene.values)[77] ^= 16;
    else
        scene.valid[3] ^= 128;
    OK(c3d_shard_write(shard, row, &scene));
    c3d_shard_close(shard);
    free(scene.values);
    free(scene.valid);
    free(scene.missing_share);
    free(scene.sum);
    free(scene.sum_squares);
}

static void test_flipped_bit(void **state)
{
    (void)state;
    for (int in_values = 0; in_values < 2; in_values++) {
        const store s = make_store(C3D_U16);
        const c3d_stage_desc stage = stage_of(&s, &train);
        c3d_status st[3];
        c3d_dataset *own;
        int n_told = 0;

        OK(c3d_dataset_open(s.dir, &own));
        flip(&s, in_values == 1);
        assert_int_equal(c3d_dataset_stage(own, &stage, NULL), C3D_EDATA);
        expect_words("scenes-202009-00001.h5: scene 9 (frame 790): checksum");
        expect_no_copy(&s);
        c3d_dataset_close(own);
        stage_by_ranks(&s, 3, st); /* whoever finds it, all give up */
        for (int r = 0; r < 3; r++) {
            assert_int_not_equal(st[r], C3D_OK);
            n_told += st[r] == C3D_EDATA;
        }
        assert_int_equal(n_told, 1);
        remove_store(&s);
    }
}

static void touch(const store *s, const char *name, int *fd_out)
{
    char path[C3D_PATH_MAX];

    OK(c3d_path_join(path, s->dir, name));
    *fd_out = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(*fd_out >= 0);
}

static bool is_there(const store *s, const char *name)
{
    char path[C3D_PATH_MAX];

    OK(c3d_path_join(path, s->dir, name));
    return c3d_path_exists(path);
}

/* What nobody holds is a killed program's; what another one is making, and other files, stay. */
static void test_left_over(void **state)
{
    const store s = make_store(C3D_U16);
    int left, held, other;

    (void)state;
    touch(&s, "c3d-stage-0123-0", &left);
    touch(&s, "c3d-stage-4567-0", &held);
    touch(&s, "c3d-other", &other);
    close(left);
    assert_int_equal(flock(held, LOCK_EX), 0);
    c3d_stage_clean(s.dir);
    assert_false(is_there(&s, "c3d-stage-0123-0"));
    assert_true(is_there(&s, "c3d-stage-4567-0"));
    assert_true(is_there(&s, "c3d-other"));
    close(held);
    c3d_stage_clean(s.dir);
    assert_false(is_there(&s, "c3d-stage-4567-0"));
    c3d_stage_clean("no such directory");
    close(other);
    remove_store(&s);
}

/* An unusable directory, and a request to stop. */
static void test_not_staged(void **state)
{
    const store s = make_store(C3D_U16);
    c3d_stage_desc stage = stage_of(&s, &train);
    c3d_dataset *own;

    (void)state;
    OK(c3d_dataset_open(s.dir, &own));
    stage.dir = "no such directory";
    assert_int_equal(c3d_dataset_stage(own, &stage, NULL), C3D_EIO);
    expect_words("no such directory/c3d-stage-test: cannot be made");
    stage.dir = s.dir;
    c3d_stop_request();
    assert_int_equal(c3d_dataset_stage(own, &stage, NULL), C3D_ESTOPPED);
    expect_no_copy(&s);
    c3d_dataset_close(own);
    remove_store(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_middle_of_epoch),
        cmocka_unit_test(test_readers),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_class_weights),
        cmocka_unit_test(test_augmented),
        cmocka_unit_test(test_balanced),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_shuffled_months),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_folds),
        cmocka_unit_test(test_refused_folds),
        cmocka_unit_test(test_real_statistics),
        cmocka_unit_test(test_unreadable_sample),
        cmocka_unit_test(test_bad_samples),
        cmocka_unit_test(test_more_classes),
        cmocka_unit_test(test_lengths_differ),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_groups_of_few),
        cmocka_unit_test(test_groups_refused),
        cmocka_unit_test(test_staged),
        cmocka_unit_test(test_staged_by_ranks),
        cmocka_unit_test(test_flipped_bit),
        cmocka_unit_test(test_left_over),
        cmocka_unit_test(test_not_staged), /* last: it asks this process to stop */
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
