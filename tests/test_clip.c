/* Clipping against a naive one that knows the archive's arrays; what interruptions leave. */

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/cm.h"
#include "support/own_folder.h"

#include "c3d/dataset.h"
#include "data/store.h"
#include "support/naive_scene.h"

static char work[] = "clip-XXXXXX";

static void assert_message(const char *part)
{
    if (!strstr(c3d_error_last()->message, part))
        fail_msg("\"%s\" does not say \"%s\"", c3d_error_last()->message, part);
}

/* ---- an archive --------------------------------------------------------------------------------
 */

/* Five months of two quads side by side; the third month has no file and the fourth lacks its
 * second quad. 65535 is nodata. */
enum { T = 5, C = 3, QUAD_W = 24, H = 40, W = 2 * QUAD_W, SIZE = 11, STRIDE = 6 };
#define NODATA 65535
static const c3d_date dates[T] = { 20200900, 20201000, 20201100, 20201200, 20210100 };
static uint16_t archive[T][C][H][W];
static const char *const band_names[C] = { "blue", "red", "nir" };

static bool has_quad(int month, int quad)
{
    return month != 2 && !(month == 3 && quad == 1);
}

static bool is_observed(int month, const int *bands, int n_bands, int y, int x)
{
    bool is_valid = has_quad(month, x / QUAD_W);

    for (int i = 0; i < n_bands; i++) is_valid &= archive[month][bands[i]][y][x] != NODATA;
    return is_valid;
}

static const char *in_work(const char *name)
{
    static char paths[64][C3D_PATH_MAX];
    static int next;
    char *path = paths[next++ % 64];

    assert_int_equal(c3d_path_join(path, work, name), C3D_OK);
    return path;
}

static void write_quad(int month, int quad)
{
    static uint16_t pixels[C * H * QUAD_W];
    char name[64];
    c3d_raster_new desc = { .width_px = QUAD_W,
                            .height_px = H,
                            .n_bands = C,
                            .dtype = C3D_U16,
                            .transform = { 1000 + 10.0 * QUAD_W * quad, 10, 0, 5000, 0, -10 },
                            .crs = "EPSG:32721",
                            .band_names = band_names,
                            .has_nodata = true,
                            .nodata = NODATA,
                            .block_px = 16 };

    for (int c = 0; c < C; c++)
        for (int y = 0; y < H; y++)
            memcpy(pixels + (c * H + y) * QUAD_W, &archive[month][c][y][quad * QUAD_W],
                   QUAD_W * sizeof *pixels);
    snprintf(name, sizeof name, "m-%04d-%02d/q%d.tif", dates[month] / 10000,
             dates[month] / 100 % 100, quad);
    const char *path = in_work(name);
    char dir[C3D_PATH_MAX];
    memcpy(dir, path, strlen(path) + 1);
    *strrchr(dir, '/') = '\0';
    assert_int_equal(c3d_make_dirs(dir), C3D_OK);
    assert_int_equal(c3d_raster_write(path, &desc, pixels), C3D_OK);
}

static void write_archive(void)
{
    uint64_t i = 100000;

    for (int t = 0; t < T; t++)
        for (int c = 0; c < C; c++)
            for (int y = 0; y < H; y++)
                for (int x = 0; x < W; x++, i++)
                    archive[t][c][y][x] = draw(i, 12) == 0 || (t < 4 && x < 14 && y < 14)
                                              ? NODATA
                                              : (uint16_t)draw(i + 1, 60000);
    /* A corner that is never observed. */
    for (int t = 0; t < T; t++)
        for (int y = H - SIZE; y < H; y++)
            for (int x = W - SIZE; x < W; x++) archive[t][0][y][x] = NODATA;
    for (int t = 0; t < T; t++)
        for (int quad = 0; quad < 2; quad++)
            if (has_quad(t, quad)) write_quad(t, quad);
}

/* All frames of the grid and one in the never observed corner. */
static void write_frames(const char *dir, const c3d_dataset_desc *desc)
{
    static c3d_frame rows[200];
    static c3d_frame_label labels[200];
    static double shares[200];
    char class_name[] = "mine", crs[] = "EPSG:32721", *classes[] = { class_name };
    int years[] = { 2020 };
    c3d_frames frames = { .rows = rows,
                          .n_years = 1,
                          .years = years,
                          .n_classes = 1,
                          .classes = classes,
                          .labels = labels,
                          .shares = shares,
                          .crs_wkt = crs,
                          .transform = { 1000, 10, 0, 5000, 0, -10 },
                          .width_px = W,
                          .height_px = H,
                          .size_px = SIZE };
    char path[C3D_PATH_MAX];
    c3d_archive files;

    assert_int_equal(c3d_archive_find(desc->mosaics, 0, 0, &files), C3D_OK);
    for (int y = 0; y + SIZE <= H; y += STRIDE)
        for (int x = 0; x + SIZE <= W; x += STRIDE, frames.n++)
            rows[frames.n] = (c3d_frame){
                .frame_id = (int64_t)(3 * frames.n + 1), .x = x, .y = y, .split = frames.n % 3
            };
    rows[frames.n++] =
        (c3d_frame){ .frame_id = 9999, .x = W - SIZE, .y = H - SIZE, .split = C3D_SPLIT_TEST };
    for (size_t i = 0; i < frames.n; i++) {
        labels[i] = C3D_FRAME_UNLABELLED + (int)(i % 4);
        shares[i] = (double)(i % 4) / 4;
    }
    assert_int_equal(c3d_make_dirs(dir), C3D_OK);
    assert_int_equal(c3d_path_join(path, dir, "frames.gpkg"), C3D_OK);
    assert_int_equal(c3d_frames_write(path, &frames, desc, &files), C3D_OK);
    c3d_archive_free(&files);
}

static c3d_dataset_desc make_desc(const char *dir)
{
    static char pattern[C3D_PATH_MAX];

    assert_int_equal(c3d_path_join(pattern, work, "m-{YYYY}-{MM}/q*.tif"), C3D_OK);
    return (c3d_dataset_desc){ .out_dir = dir,
                               .mosaics = pattern,
                               .frame_size_px = SIZE,
                               .stride_px = STRIDE,
                               .max_missing_share = .6,
                               .positive = "mine",
                               .scenes_per_shard = 10,
                               .memory_bytes = 1 };
}

/* ---- clipping against the arrays ---------------------------------------------------------------
 */

/* Months first .. end - 1 are a period; is_kept: whether a month's scene is there to be looked
 * back at. */
typedef struct stretch {
    int period, first, end;
    bool is_kept[T];
} stretch;

/* Months missing so far, of all periods up to this one. */
static bool is_too_empty(const c3d_frame *frame, const int *bands, int n_bands, int end,
                         double most)
{
    size_t n_missing = 0;

    for (int t = 0; t < end; t++)
        for (int i = 0; i < SIZE * SIZE; i++)
            n_missing += !is_observed(t, bands, n_bands, frame->y + i / SIZE, frame->x + i % SIZE);
    return n_missing == (size_t)end * SIZE * SIZE || (double)n_missing > most * (end * SIZE * SIZE);
}

static void check_period(c3d_store *store, const c3d_frame *frame, const int *bands, int n_bands,
                         const c3d_dataset_desc *desc, stretch *of)
{
    const c3d_store_row *row = c3d_store_find(store, frame->frame_id, of->period);
    const int n_months = of->end - of->first;
    uint16_t values[T * C * SIZE * SIZE];
    uint8_t bits[T * SIZE * ((SIZE + 7) / 8)];
    float missing[T];
    int64_t sum[T * C], squares[T * C];
    c3d_scene scene = { values, bits, missing, sum, squares };

    assert_non_null(row);
    c3d_shard *shard = store->shards[row->shard];
    const bool is_dropped = is_too_empty(frame, bands, n_bands, of->end, desc->max_missing_share);
    for (int t = of->first; t < of->end; t++) of->is_kept[t] = !is_dropped;
    assert_int_equal(c3d_store_status(store, row),
                     is_dropped ? C3D_SCENE_DROPPED : C3D_SCENE_PRESENT);
    if (is_dropped) return;
    assert_int_equal(c3d_shard_read_scene(shard, row->row, &scene), C3D_OK);
    for (int at = 0; at < n_months; at++) {
        const int t = of->first + at;
        int n = 0;
        for (int b = 0; b < n_bands; b++) {
            int64_t want_sum = 0, want_squares = 0;
            n = 0;
            for (int i = 0; i < SIZE * SIZE; i++) {
                const int y = i / SIZE, x = i % SIZE;
                double series[T];
                uint8_t valid[T];
                for (int m = 0; m < of->end; m++) {
                    valid[m] = of->is_kept[m] &&
                               is_observed(m, bands, n_bands, frame->y + y, frame->x + x);
                    series[m] = archive[m][bands[b]][frame->y + y][frame->x + x];
                }
                const int bit = bits[(at * SIZE + y) * ((SIZE + 7) / 8) + x / 8] >> (7 - x % 8) & 1;
                assert_int_equal(bit, valid[t]);
                assert_int_equal(values[((at * n_bands + b) * SIZE + y) * SIZE + x],
                                 naive_fill(series, valid, of->end, t, desc->gaps, true));
                n += valid[t];
                if (valid[t]) want_sum += (int64_t)series[t];
                if (valid[t]) want_squares += (int64_t)series[t] * (int64_t)series[t];
            }
            assert_true(sum[at * n_bands + b] == want_sum);
            assert_true(squares[at * n_bands + b] == want_squares);
        }
        assert_true(missing[at] == (float)((SIZE * SIZE - n) / (double)(SIZE * SIZE)));
    }
}

static void check_scene(c3d_store *store, const c3d_frame *frame, const int *bands, int n_bands,
                        const c3d_dataset_desc *desc, size_t counts[3])
{
    stretch of = { 0 };

    for (; of.period < store->n_periods; of.period++, of.first = of.end) {
        of.end = of.first + store->periods[of.period].n_months;
        check_period(store, frame, bands, n_bands, desc, &of);
        counts[c3d_store_scene_status(store, frame->frame_id, of.period)]++;
    }
    assert_int_equal(of.end, T);
}

static void check_dataset(const c3d_dataset_desc *desc, const int *bands, int n_bands)
{
    char path[C3D_PATH_MAX];
    c3d_frames frames;
    c3d_store store;
    c3d_text text = { 0 };
    size_t counts[3] = { 0 };

    assert_int_equal(c3d_path_join(path, desc->out_dir, "frames.gpkg"), C3D_OK);
    assert_int_equal(c3d_frames_read(path, &frames), C3D_OK);
    assert_int_equal(c3d_store_open(desc->out_dir, false, &store), C3D_OK);
    const int n_periods = desc->n_periods + 1;
    assert_int_equal(store.n_periods, n_periods);
    assert_int_equal(store.n_rows, frames.n * (size_t)n_periods);
    assert_int_equal(store.n_shards, n_periods * (((int)frames.n + 9) / 10));
    assert_string_equal(store.files[1], "scenes-202009-00001.h5");
    assert_int_equal(c3d_shard_get_shape(store.shards[0])->n_bands, n_bands);
    for (int i = 0; i < n_bands; i++)
        assert_string_equal(c3d_shard_bands(store.shards[0])[i], band_names[bands[i]]);
    for (size_t i = 0; i < frames.n; i++)
        check_scene(&store, &frames.rows[i], bands, n_bands, desc, counts);
    assert_int_equal(counts[C3D_SCENE_ABSENT], 0);
    assert_true(counts[C3D_SCENE_PRESENT] > 10 && counts[C3D_SCENE_DROPPED] >= 2);
    c3d_store_close(&store);
    c3d_frames_free(&frames);
    assert_int_equal(c3d_dataset_verify(desc->out_dir, NULL, &text), C3D_EIO);
    assert_message("no dataset.json");
    c3d_text_free(&text);
}

static void clipping_agrees_with_the_arrays(void **state)
{
    static const int all[] = { 0, 1, 2 }, chosen[] = { 2, 0 };
    static const char *const by_name[] = { "NIR", "1" };

    (void)state;
    for (int gaps = 0; gaps <= C3D_GAPS_ZERO; gaps++) {
        char dir[C3D_PATH_MAX], name[32];
        snprintf(name, sizeof name, "all-%d", gaps);
        assert_int_equal(c3d_path_join(dir, work, name), C3D_OK);
        c3d_dataset_desc desc = make_desc(dir);
        desc.gaps = (c3d_gaps)gaps;
        write_frames(dir, &desc);
        assert_int_equal(c3d_dataset_clip(&desc, NULL), C3D_OK);
        check_dataset(&desc, all, C);
        assert_int_equal(c3d_dataset_clip(&desc, NULL), C3D_OK); /* nothing to do */
        desc.gaps = (c3d_gaps)((gaps + 1) % 3);
        assert_int_equal(c3d_dataset_clip(&desc, NULL), C3D_ECONFIG);
        assert_message("clip.json: scenes were clipped with gaps");
    }
    c3d_dataset_desc desc = make_desc(in_work("chosen"));
    desc.n_bands = 2;
    desc.bands = by_name;
    write_frames(desc.out_dir, &desc);
    assert_int_equal(c3d_dataset_clip(&desc, NULL), C3D_OK);
    check_dataset(&desc, chosen, 2);
    desc.n_bands = 1;
    assert_int_equal(c3d_dataset_clip(&desc, NULL), C3D_ECONFIG);
    assert_message("another directory");
    desc.bands = (const char *const[]){ "swir" };
    assert_int_equal(c3d_dataset_clip(&desc, NULL), C3D_EDATA);
    assert_message("no band swir: it has 3 (blue, red, nir)");
}

/* Each period by itself, with gaps filled from the ones before; a boundary may be a month without
 * a file, but not the first of a period that has none. */
static void periods_are_clipped_one_by_one(void **state)
{
    static const int all[] = { 0, 1, 2 };
    static const c3d_date starts[] = { 20201100, 20210100 }, empty[] = { 20201100, 20201200 };

    (void)state;
    for (int gaps = 0; gaps <= C3D_GAPS_ZERO; gaps++) {
        char dir[C3D_PATH_MAX], name[32];
        snprintf(name, sizeof name, "periods-%d", gaps);
        assert_int_equal(c3d_path_join(dir, work, name), C3D_OK);
        c3d_dataset_desc desc = make_desc(dir);
        desc.gaps = (c3d_gaps)gaps;
        desc.n_periods = 2;
        desc.periods = starts;
        write_frames(dir, &desc);
        assert_int_equal(c3d_dataset_clip(&desc, NULL), C3D_OK);
        check_dataset(&desc, all, C);
        const c3d_date *given = desc.periods;
        desc.n_periods = 1; /* the directory's later ones are taken as they are */
        assert_int_equal(c3d_dataset_clip(&desc, NULL), C3D_OK);
        desc.n_periods = 2;
        desc.periods = (const c3d_date[]){ 20201000, 20210100 };
        assert_int_equal(c3d_dataset_clip(&desc, NULL), C3D_ECONFIG);
        assert_message("has the 2 months 2020-09 to 2020-10, the archive now has 1");
        desc.periods = given;
    }
    c3d_dataset_desc desc = make_desc(in_work("periods-empty"));
    desc.n_periods = 2;
    desc.periods = empty;
    write_frames(desc.out_dir, &desc);
    assert_int_equal(c3d_dataset_clip(&desc, NULL), C3D_ECONFIG);
    assert_message("no period can begin with 2020-12");
}

/* ---- interruptions -----------------------------------------------------------------------------
 */

typedef struct meddler {
    int n_calls, at; /* agreements so far; when it meddles */
    void (*act)(void);
} meddler;

/* An agreement is where all ranks wait: a good place for something to go wrong. */
static c3d_status meddle(void *context, c3d_status status)
{
    meddler *with = context;

    if (++with->n_calls == with->at) with->act();
    return status;
}

static size_t count_absent(const char *dir)
{
    c3d_store store;
    size_t n = 0;

    assert_int_equal(c3d_store_open(dir, false, &store), C3D_OK);
    for (size_t i = 0; i < store.n_rows; i++)
        n += c3d_store_status(&store, &store.rows[i]) == C3D_SCENE_ABSENT;
    c3d_store_close(&store);
    return n;
}

static void assert_same_shards(const char *a, const char *b)
{
    c3d_store store;

    assert_int_equal(c3d_store_open(a, false, &store), C3D_OK);
    for (int i = 0; i < store.n_shards; i++) {
        char path[C3D_PATH_MAX];
        uint64_t hash[2], n;
        assert_int_equal(c3d_hash_file(c3d_shard_path(store.shards[i]), &hash[0], &n), C3D_OK);
        assert_int_equal(c3d_path_join(path, b, store.files[i]), C3D_OK);
        assert_int_equal(c3d_hash_file(path, &hash[1], &n), C3D_OK);
        assert_true(hash[0] == hash[1]);
    }
    c3d_store_close(&store);
}

static rlim_t limit;

static void limit_files(void)
{
    const struct rlimit now = { limit, RLIM_INFINITY };

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
}

/* A write that is refused ends the run with the path; what is there stays, and the next call makes
 * the rest: in the end the files are those of an undisturbed run. */
static void a_refused_write_loses_nothing(void **state)
{
    const struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
    meddler with = { .at = 8, .act = limit_files };
    const c3d_sharing sharing = { .n_ranks = 1, .agree = meddle, .context = &with };
    c3d_dataset_desc desc = make_desc(in_work("limited"));
    struct sigaction ignore = { .sa_handler = SIG_IGN }, old;

    (void)state;
    limit = 9000; /* bytes: the first scenes of a shard fit */
    write_frames(desc.out_dir, &desc);
    assert_int_equal(sigaction(SIGXFSZ, &ignore, &old), 0);
    const c3d_status st = c3d_dataset_clip(&desc, &sharing);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_int_equal(sigaction(SIGXFSZ, &old, NULL), 0);
    assert_int_equal(st, C3D_EIO);
    assert_message("scenes-202009-");
    assert_message("bytes");
    const size_t n = count_absent(desc.out_dir);
    assert_true(n > 0 && n < 40);
    assert_int_equal(c3d_dataset_clip(&desc, NULL), C3D_OK);
    assert_int_equal(count_absent(desc.out_dir), 0);
    assert_same_shards(in_work("all-0"), desc.out_dir);
}

static void fill_disk(void)
{
    char block[4096] = { 1 };
    FILE *stream = fopen(in_work("disk/filler"), "wb");

    assert_non_null(stream);
    setvbuf(stream, NULL, _IONBF, 0);
    while (fwrite(block, sizeof block, 1, stream) == 1) continue;
    fclose(stream);
}

static void a_full_disk_loses_nothing(void **state)
{
    meddler with = { .at = 8, .act = fill_disk };
    const c3d_sharing sharing = { .n_ranks = 1, .agree = meddle, .context = &with };
    c3d_dataset_desc desc = make_desc(in_work("disk/set"));

    (void)state;
    assert_int_equal(c3d_make_dirs(in_work("disk")), C3D_OK);
    if (mount("tmpfs", in_work("disk"), "tmpfs", 0, "size=2m") != 0) {
        print_message("no tmpfs: %s\n", strerror(errno));
        skip();
    }
    write_frames(desc.out_dir, &desc);
    const c3d_status st = c3d_dataset_clip(&desc, &sharing);
    const bool is_told = strstr(c3d_error_last()->message, "No space left") &&
                         strstr(c3d_error_last()->message, "bytes") &&
                         strstr(c3d_error_last()->message, "scenes-202009-");
    const size_t n = count_absent(desc.out_dir);
    remove(in_work("disk/filler"));
    const c3d_status second = c3d_dataset_clip(&desc, NULL);
    const size_t n_second = count_absent(desc.out_dir);
    assert_same_shards(in_work("all-0"), desc.out_dir);
    umount(in_work("disk"));
    assert_int_equal(st, C3D_EIO);
    assert_true(is_told);
    assert_true(n > 0);
    assert_int_equal(second, C3D_OK);
    assert_int_equal(n_second, 0);
}

static void too_little_space_is_said_before(void **state)
{
    c3d_dataset_desc desc = make_desc(in_work("disk/set"));

    (void)state;
    if (mount("tmpfs", in_work("disk"), "tmpfs", 0, "size=200k") != 0) {
        print_message("no tmpfs: %s\n", strerror(errno));
        skip();
    }
    write_frames(desc.out_dir, &desc);
    const c3d_status st = c3d_dataset_clip(&desc, NULL);
    umount(in_work("disk"));
    assert_int_equal(st, C3D_EIO);
    assert_message("bytes are needed for");
    assert_message("are free");
}

/* Last: a request to stop cannot be taken back. */
static void a_stop_is_kept_and_continued(void **state)
{
    meddler with = { .at = 8, .act = c3d_stop_request };
    const c3d_sharing sharing = { .n_ranks = 1, .agree = meddle, .context = &with };
    c3d_dataset_desc desc = make_desc(in_work("stopped"));

    (void)state;
    write_frames(desc.out_dir, &desc);
    assert_int_equal(c3d_dataset_clip(&desc, &sharing), C3D_ESTOPPED);
    assert_message("scenes are clipped; run the same command again");
    const size_t n = count_absent(desc.out_dir);
    assert_true(n > 0 && n < 40);
}

static int prepare(void **state)
{
    (void)state;
    make_own_folder(work);
    c3d_raster_start();
    write_archive();
    return 0;
}

/* A failed test may leave its file system behind. */
static int unmount(void **state)
{
    (void)state;
    while (umount(in_work("disk")) == 0) continue;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clipping_agrees_with_the_arrays),
        cmocka_unit_test(periods_are_clipped_one_by_one),
        cmocka_unit_test(a_refused_write_loses_nothing),
        cmocka_unit_test(a_full_disk_loses_nothing),
        cmocka_unit_test(too_little_space_is_said_before),
        cmocka_unit_test(a_stop_is_kept_and_continued),
    };

    return cmocka_run_group_tests(tests, prepare, unmount);
}
