/* Reading clips from a store, for bench/run.sh loader: the loader against a loop of pread over a
 * flat file that holds the same scenes and nothing else.
 *
 *   bench_loader flat DIR FILE                  the store's scenes one after the other
 *   bench_loader run DIR FILE READERS ROUNDS    turns of a second each
 *
 * Both read the store's samples in random order with READERS threads into as many buffers of
 * MICRO_BATCH clips. The loop leaves them as stored, [month, band, y, x]; the loader gives what a
 * network takes, [band, month, y, x], with labels and keys. */
#include "c3d/data.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MICRO_BATCH 16
#define DEPTH       8
#define TURN_S      1.0
#define MAX_READERS 64
#define MAX_ROUNDS  100

/* Clips and processor time a turn gave. */
typedef struct speed {
    double clips_per_s, cpu_ms; /* of a clip, all threads */
} speed;

static double cpu_s(void)
{
    struct timespec now = { 0 };

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static speed speed_of(int64_t n_clips, double start_s, double start_cpu_s)
{
    return (speed){ (double)n_clips / (c3d_now_s() - start_s),
                    (cpu_s() - start_cpu_s) / (double)n_clips * 1e3 };
}

/* ---- the flat file --------------------------------------------------------------------------- */

static c3d_status append_shard(const char *dir, const c3d_shard_info *info, FILE *to)
{
    char path[C3D_PATH_MAX];
    c3d_shard *shard;

    C3D_TRY(c3d_path_join(path, dir, info->file));
    C3D_TRY(c3d_shard_open(path, false, &shard));
    const c3d_shard_shape *shape = c3d_shard_get_shape(shard);
    const size_t n_bytes = c3d_scene_bytes(shape);
    void *scene = c3d_calloc(n_bytes, 1);
    c3d_status st = scene ? C3D_OK : C3D_ENOMEM;
    for (int row = 0; row < shape->n_scenes && st == C3D_OK; row++) {
        st = c3d_shard_read_months(shard, row, 0, shape->n_months, scene);
        if (st == C3D_OK && fwrite(scene, n_bytes, 1, to) != 1)
            st = C3D_FAIL(C3D_EIO, "the flat file could not be written");
    }
    free(scene);
    c3d_shard_close(shard);
    return st;
}

static c3d_status make_flat(const char *dir, const char *path)
{
    c3d_dataset_info info;
    FILE *to;

    C3D_TRY(c3d_dataset_info_read(dir, &info));
    c3d_status st = c3d_file_open_new(path, &to);
    for (int i = 0; i < info.n_shards && st == C3D_OK; i++)
        st = append_shard(dir, &info.shards[i], to);
    if (st == C3D_OK) st = c3d_file_commit(path, to);
    c3d_dataset_info_free(&info);
    return st;
}

/* ---- the loop over it ------------------------------------------------------------------------ */

typedef struct loop {
    int fd, n_readers;
    const c3d_samples *samples; /* frame_id is the scene's number in the file */
    const c3d_period *period;
    size_t month_bytes;
    double until_s;
} loop;

typedef struct reader {
    const loop *of;
    pthread_t thread;
    uint64_t state; /* of its random numbers */
    char *buffers;  /* [DEPTH / n_readers, MICRO_BATCH, clip] */
    int n_slots;
    int64_t n_clips;
    bool has_failed;
} reader;

static int month_of(const c3d_period *period, c3d_date date)
{
    int i = 0;

    while (i < period->n_months - 1 && period->months[i] != date) i++;
    return i;
}

static void *read_clips(void *argument)
{
    reader *me = argument;
    const loop *of = me->of;

    while (!me->has_failed && c3d_now_s() < of->until_s) {
        me->state = me->state * 6364136223846793005U + 1442695040888963407U;
        const c3d_sample *sample = &of->samples->rows[(me->state >> 33) % of->samples->n];
        const size_t n_bytes = (size_t)sample->n_months * of->month_bytes;
        const int64_t first =
            sample->frame_id * of->period->n_months + month_of(of->period, sample->first_month);
        const int64_t slot = me->n_clips++ % ((int64_t)me->n_slots * MICRO_BATCH);
        me->has_failed = pread(of->fd, me->buffers + (size_t)slot * n_bytes, n_bytes,
                               first * (int64_t)of->month_bytes) != (ssize_t)n_bytes;
    }
    return NULL;
}

static c3d_status run_loop(loop *of, reader *readers, speed *out)
{
    const double start_s = c3d_now_s(), start_cpu_s = cpu_s();
    int64_t n_clips = 0;
    int n_started = 0;

    of->until_s = start_s + TURN_S;
    for (; n_started < of->n_readers; n_started++) {
        readers[n_started].n_clips = 0;
        if (pthread_create(&readers[n_started].thread, NULL, read_clips, &readers[n_started]) != 0)
            break;
    }
    bool has_failed = n_started < of->n_readers;
    for (int i = 0; i < n_started; i++) {
        pthread_join(readers[i].thread, NULL);
        n_clips += readers[i].n_clips;
        has_failed = has_failed || readers[i].has_failed;
    }
    if (has_failed) return C3D_FAIL(C3D_EIO, "the flat file could not be read");
    *out = speed_of(n_clips, start_s, start_cpu_s);
    return C3D_OK;
}

/* ---- the loader ------------------------------------------------------------------------------ */

/* Epochs one after the other until the turn is over. */
static c3d_status run_loader(c3d_loader *loader, int64_t *epoch, speed *out)
{
    const double start_s = c3d_now_s(), start_cpu_s = cpu_s();
    const int64_t n_steps = c3d_loader_n_steps(loader);
    int64_t n_clips = 0;
    c3d_batch batch;

    while (c3d_now_s() < start_s + TURN_S) {
        C3D_TRY(c3d_loader_start(loader, (*epoch)++, 0));
        for (int64_t step = 0; step < n_steps && c3d_now_s() < start_s + TURN_S; step++) {
            C3D_TRY(c3d_loader_next(loader, &batch));
            n_clips += batch.n;
        }
    }
    *out = speed_of(n_clips, start_s, start_cpu_s);
    return C3D_OK;
}

/* ---- turns ----------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return values[n / 2];
}

static void print_speeds(const char *name, const speed *turns, int n, double clip_mb)
{
    double speeds[MAX_ROUNDS], cpu_ms[MAX_ROUNDS];

    for (int i = 0; i < n; i++) {
        speeds[i] = turns[i].clips_per_s;
        cpu_ms[i] = turns[i].cpu_ms;
    }
    const double middle = median(speeds, n);
    printf("%-12s %10.0f %7.2f %8.0f %17.3f\n", name, middle, middle * clip_mb / 1e3, speeds[n - 1],
           median(cpu_ms, n));
}

/* The first turn of each is not counted: files into memory, buffers touched. */
static c3d_status take_turns(c3d_loader *loader, loop *of, reader *readers, int n_rounds)
{
    const c3d_shape x = c3d_loader_shape(loader);
    const double clip_mb = (double)c3d_shape_sample_count(x) * sizeof(uint16_t) / 1e6;
    speed ours[MAX_ROUNDS], plain[MAX_ROUNDS], warm;
    double ratios[MAX_ROUNDS];
    int64_t epoch = 0;

    C3D_TRY(run_loop(of, readers, &warm));
    C3D_TRY(run_loader(loader, &epoch, &warm));
    for (int i = 0; i < n_rounds; i++) {
        C3D_TRY(run_loop(of, readers, &plain[i]));
        C3D_TRY(run_loader(loader, &epoch, &ours[i]));
        ratios[i] = plain[i].clips_per_s / ours[i].clips_per_s;
    }
    printf("%d clips of %d months x %d bands x %d x %d px (%.2f MB), %d readers, %d rounds\n",
           (int)of->samples->n, x.d, x.c, x.h, x.w, clip_mb, of->n_readers, n_rounds);
    printf("                clips/s    GB/s     best   CPU ms a clip\n");
    print_speeds("loader", ours, n_rounds, clip_mb);
    print_speeds("flat, pread", plain, n_rounds, clip_mb);
    printf("loader ratio=%.3f\n", median(ratios, n_rounds));
    return C3D_OK;
}

static c3d_status open_readers(const loop *of, size_t clip_bytes, reader *readers)
{
    for (int i = 0; i < of->n_readers; i++) {
        const int n_slots = DEPTH / of->n_readers > 0 ? DEPTH / of->n_readers : 1;
        readers[i] = (reader){ .of = of, .state = (uint64_t)i + 1, .n_slots = n_slots };
        readers[i].buffers = c3d_aligned((size_t)n_slots * MICRO_BATCH * clip_bytes);
        if (!readers[i].buffers) return C3D_ENOMEM;
    }
    return C3D_OK;
}

static c3d_status run(const c3d_dataset *dataset, const char *flat, int n_readers, int n_rounds)
{
    const c3d_dataset_info *info = c3d_dataset_get_info(dataset);
    const size_t plane = (size_t)info->frame_size_px * (size_t)info->frame_size_px;
    loop of = { .fd = open(flat, O_RDONLY | O_CLOEXEC),
                .n_readers = n_readers,
                .samples = c3d_dataset_get_samples(dataset),
                .period = &info->periods[0],
                .month_bytes = plane * (size_t)info->n_bands * c3d_dtype_size(info->dtype) };
    reader readers[MAX_READERS] = { 0 };
    c3d_loader *loader = NULL;
    c3d_list list = { 0 };
    c3d_status st = C3D_OK;

    if (of.fd < 0) st = C3D_FAIL(C3D_EIO, "%s: cannot be opened", flat);
    if (st == C3D_OK) st = c3d_list_make(dataset, C3D_SPLIT_TRAIN, 0, 1, &list);
    if (st == C3D_OK)
        st = c3d_loader_create(&(c3d_loader_desc){ .dataset = dataset,
                                                   .list = &list,
                                                   .shuffle = true,
                                                   .seed = 1,
                                                   .global_batch = MICRO_BATCH,
                                                   .micro_batch = MICRO_BATCH,
                                                   .n_ranks = 1,
                                                   .n_readers = n_readers,
                                                   .depth = DEPTH },
                               &loader);
    if (st == C3D_OK)
        st = open_readers(&of, (size_t)c3d_loader_shape(loader).d * of.month_bytes, readers);
    if (st == C3D_OK) st = take_turns(loader, &of, readers, n_rounds);
    for (int i = 0; i < n_readers; i++) free(readers[i].buffers);
    c3d_loader_destroy(loader);
    c3d_list_free(&list);
    if (of.fd >= 0) close(of.fd);
    return st;
}

static c3d_status open_and_run(char **words)
{
    const int n_readers = atoi(words[2]), n_rounds = atoi(words[3]);
    c3d_dataset *dataset;

    if (n_readers < 1 || n_readers > MAX_READERS || n_rounds < 1 || n_rounds > MAX_ROUNDS)
        return C3D_FAIL(C3D_EINVAL, "%s readers, %s rounds", words[2], words[3]);
    C3D_TRY(c3d_dataset_open(words[0], &dataset));
    const c3d_status st = run(dataset, words[1], n_readers, n_rounds);
    c3d_dataset_close(dataset);
    return st;
}

int main(int argc, char **argv)
{
    c3d_status st = C3D_EINVAL;

    if (argc == 4 && !strcmp(argv[1], "flat")) {
        st = make_flat(argv[2], argv[3]);
    } else if (argc == 6 && !strcmp(argv[1], "run")) {
        st = open_and_run(argv + 2);
    } else {
        (void)fprintf(stderr, "usage: bench_loader flat DIR FILE\n"
                              "       bench_loader run DIR FILE READERS ROUNDS\n");
        return 2;
    }
    if (st != C3D_OK) (void)fprintf(stderr, "bench_loader: %s\n", c3d_error_last()->message);
    return st == C3D_OK ? 0 : 1;
}
