#include "stage.h"

#include "fetch.h"
#include "sharing.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what is copied, and where it lies ------------------------------------------------------- */

static void free_stage(c3d_stage *stage)
{
    if (!stage) return;
    c3d_stage_file_close(&stage->file);
    free(stage->first_row);
    free(stage->scenes);
    free(stage);
}

/* Scenes are copied as one run of months: all from the first to the last that is asked for. */
static void add_months(c3d_staged *scene, int first, int n)
{
    const int end =
        scene->n == 0 || first + n > scene->first + scene->n ? first + n : scene->first + scene->n;

    if (scene->n == 0 || first < scene->first) scene->first = first;
    scene->n = end - scene->first;
}

static void add_sample(c3d_stage *stage, const c3d_dataset *dataset, const c3d_fetch_desc *fetch,
                       uint32_t index)
{
    int first, n;

    c3d_fetch_range(fetch, dataset->samples.rows[index].n_months, &first, &n);
    for (size_t s = dataset->first_segment[index]; n > 0; s++) {
        const c3d_segment *part = &dataset->segments[s];
        const int n_left = part->n - first, n_here = n_left < n ? n_left : n;
        if (n_here > 0) {
            add_months(&stage->scenes[stage->first_row[part->shard] + (size_t)part->row],
                       part->first + first, n_here);
            n -= n_here;
        }
        first = n_here > 0 ? 0 : first - part->n;
    }
}

static size_t month_bytes(const c3d_dataset *dataset)
{
    const c3d_dataset_info *info = &dataset->info;

    return (size_t)info->n_bands * (size_t)info->frame_size_px * (size_t)info->frame_size_px *
           c3d_dtype_size(info->dtype);
}

static c3d_status make_layout(const c3d_dataset *dataset, const c3d_stage_desc *desc,
                              c3d_stage *stage)
{
    const c3d_fetch_desc fetch = { dataset, desc->one_slice, desc->slice };
    const size_t n_shards = (size_t)dataset->info.n_shards;

    stage->file.fd = -1;
    stage->first_row = c3d_calloc(n_shards + 1, sizeof *stage->first_row);
    if (!stage->first_row) return C3D_ENOMEM;
    for (size_t i = 0; i < n_shards; i++)
        stage->first_row[i + 1] = stage->first_row[i] + (size_t)dataset->info.shards[i].n_scenes;
    const size_t n_rows = stage->first_row[n_shards];
    stage->scenes = c3d_calloc(n_rows + 1, sizeof *stage->scenes);
    if (!stage->scenes) return C3D_ENOMEM;
    for (size_t i = 0; i < desc->list->n; i++)
        add_sample(stage, dataset, &fetch, desc->list->index[i]);
    for (size_t i = 0; i < n_rows; i++) {
        stage->scenes[i].offset = (int64_t)stage->n_bytes;
        stage->n_bytes += (uint64_t)stage->scenes[i].n * month_bytes(dataset);
    }
    return C3D_OK;
}

static c3d_status plan(const c3d_dataset *dataset, const c3d_stage_desc *desc, c3d_stage **out)
{
    c3d_stage *stage = c3d_calloc(1, sizeof *stage);

    if (!stage) return C3D_ENOMEM;
    const c3d_status st = make_layout(dataset, desc, stage);
    if (st != C3D_OK) {
        free_stage(stage);
        return st;
    }
    *out = stage;
    return C3D_OK;
}

c3d_status c3d_stage_bytes(const c3d_dataset *dataset, const c3d_stage_desc *desc, uint64_t *out)
{
    c3d_stage *stage;

    C3D_TRY(plan(dataset, desc, &stage));
    *out = stage->n_bytes;
    free_stage(stage);
    return C3D_OK;
}

/* ---- copying --------------------------------------------------------------------------------- */

/* A rank's part of the file: equal numbers of bytes, to within a scene. It is copied in rounds
 * after each of which all ranks agree, so that a failure or a request to stop ends all soon. */
#define ROUNDS 32

typedef struct copier {
    const c3d_dataset *dataset;
    c3d_stage *stage;
    int shard, row;      /* of the next scene */
    c3d_scene scene;     /* values and bits of any */
    uint64_t *checksums; /* of the scenes of one shard */
    int checksums_of;    /* -1: of none yet */
    uint64_t begin, end; /* offsets of this rank's part */
    c3d_progress progress;
} copier;

static c3d_status make_copier(copier *by, const c3d_sharing *sharing)
{
    const c3d_dataset *dataset = by->dataset;
    const uint64_t n_ranks = (uint64_t)c3d_sharing_n_ranks(sharing);
    const uint64_t rank = (uint64_t)c3d_sharing_rank(sharing);
    size_t n_values = 1, n_valid = 1, n_rows = 1;

    for (int i = 0; i < dataset->info.n_shards; i++) {
        const c3d_shard_shape *shape = c3d_shard_get_shape(dataset->shards[i]);
        if (c3d_scene_bytes(shape) > n_values) n_values = c3d_scene_bytes(shape);
        if (c3d_valid_bytes(shape) > n_valid) n_valid = c3d_valid_bytes(shape);
        if ((size_t)shape->n_scenes > n_rows) n_rows = (size_t)shape->n_scenes;
    }
    by->checksums_of = -1;
    by->begin = by->stage->n_bytes / n_ranks * rank;
    by->end = rank + 1 == n_ranks ? by->stage->n_bytes : by->begin + by->stage->n_bytes / n_ranks;
    by->scene = (c3d_scene){ .values = c3d_aligned(n_values), .valid = c3d_aligned(n_valid) };
    by->checksums = c3d_calloc(n_rows, sizeof *by->checksums);
    return by->scene.values && by->scene.valid && by->checksums ? C3D_OK : C3D_ENOMEM;
}

static void free_copier(copier *by)
{
    free(by->scene.values);
    free(by->scene.valid);
    free(by->checksums);
}

static c3d_status check_scene(copier *by)
{
    c3d_shard *shard = by->dataset->shards[by->shard];
    const uint64_t found = c3d_scene_checksum(c3d_shard_get_shape(shard), &by->scene);

    if (by->checksums_of != by->shard) {
        C3D_TRY(c3d_shard_read_checksums(shard, by->checksums));
        by->checksums_of = by->shard;
    }
    const uint64_t expected = by->checksums[by->row];
    if (found == expected) return C3D_OK;
    return C3D_FAIL(C3D_EDATA,
                    "%s: scene %d (frame %" PRId64 "): checksum %016" PRIx64 ", %016" PRIx64
                    " expected: the file has changed since it was written; c3d-dataset verify "
                    "finds all such scenes",
                    c3d_shard_path(shard), by->row, c3d_shard_frame_ids(shard)[by->row], found,
                    expected);
}

static c3d_status copy_scene(copier *by, const c3d_staged *to)
{
    const c3d_stage_file *file = &by->stage->file;
    const size_t n = month_bytes(by->dataset);

    C3D_TRY(c3d_shard_read_scene(by->dataset->shards[by->shard], by->row, &by->scene));
    C3D_TRY(check_scene(by));
    return c3d_pwrite_all(file->fd, file->path, (char *)by->scene.values + (size_t)to->first * n,
                          (size_t)to->n * n, to->offset);
}

/* The scenes that begin before `end` and at or after this rank's part. */
static c3d_status copy_up_to(copier *by, uint64_t end)
{
    for (; by->shard < by->dataset->info.n_shards; by->shard++, by->row = 0) {
        const c3d_staged *scenes = by->stage->scenes + by->stage->first_row[by->shard];
        for (; by->row < by->dataset->info.shards[by->shard].n_scenes; by->row++) {
            const c3d_staged *scene = &scenes[by->row];
            if (scene->n == 0 || (uint64_t)scene->offset < by->begin) continue;
            if ((uint64_t)scene->offset >= end) return C3D_OK;
            if (c3d_stop_requested())
                return C3D_FAIL(C3D_ESTOPPED,
                                "stopped on request while samples were copied to %s; run the same "
                                "command again to go on",
                                by->stage->file.path);
            C3D_TRY(copy_scene(by, scene));
            c3d_progress_update(&by->progress, (double)((uint64_t)scene->offset - by->begin) / 1e6);
        }
    }
    return C3D_OK;
}

static c3d_status copy(copier *by, const c3d_sharing *sharing)
{
    const uint64_t n = by->end - by->begin;
    c3d_status st = C3D_OK;

    c3d_progress_begin(&by->progress, "staging, rank 0's part", (double)n / 1e6, "MB");
    for (uint64_t round = 1; st == C3D_OK && round <= ROUNDS; round++) {
        const uint64_t end = round == ROUNDS ? by->end : by->begin + n / ROUNDS * round;
        st = c3d_sharing_agree(sharing, copy_up_to(by, end));
    }
    c3d_progress_end(&by->progress);
    return st;
}

/* One rank of the node makes the file; when all have opened it, it needs no name any more. */
static c3d_status make_file(const c3d_stage_desc *desc, const c3d_sharing *sharing,
                            c3d_stage *stage)
{
    const bool makes = c3d_sharing_rank(sharing) == 0;
    c3d_status st = C3D_OK;

    if (makes) st = c3d_stage_file_create(desc, stage->n_bytes, &stage->file);
    C3D_TRY(c3d_sharing_agree(sharing, st));
    if (!makes) st = c3d_stage_file_open(desc, &stage->file);
    C3D_TRY(c3d_sharing_agree(sharing, st));
    c3d_stage_file_unname(&stage->file);
    return C3D_OK;
}

static c3d_status fill(const c3d_dataset *dataset, const c3d_stage_desc *desc,
                       const c3d_sharing *sharing, c3d_stage *stage)
{
    copier by = { .dataset = dataset, .stage = stage };
    c3d_status st = make_file(desc, sharing, stage);

    if (st == C3D_OK) st = c3d_sharing_agree(sharing, make_copier(&by, sharing));
    if (st == C3D_OK) st = copy(&by, sharing);
    free_copier(&by);
    return st;
}

c3d_status c3d_dataset_stage(c3d_dataset *dataset, const c3d_stage_desc *desc,
                             const c3d_sharing *sharing)
{
    c3d_stage *stage = NULL;
    c3d_status st = dataset->stage ? C3D_FAIL(C3D_EINVAL, "%s: staged already", dataset->dir)
                                   : plan(dataset, desc, &stage);

    st = c3d_sharing_agree(sharing, st);
    if (st == C3D_OK) {
        C3D_ASSERT(stage);
        st = fill(dataset, desc, sharing, stage);
    }
    if (st != C3D_OK) {
        free_stage(stage);
        return st;
    }
    dataset->stage = stage;
    return C3D_OK;
}

void c3d_dataset_unstage(c3d_dataset *dataset)
{
    free_stage(dataset->stage);
    dataset->stage = NULL;
}

void c3d_stage_drop_cache(c3d_dataset *dataset)
{
    if (!dataset->stage) return;
    (void)fdatasync(dataset->stage->file.fd);
    (void)posix_fadvise(dataset->stage->file.fd, 0, 0, POSIX_FADV_DONTNEED);
}

/* ---- reading --------------------------------------------------------------------------------- */

static const c3d_staged *find(const c3d_stage *stage, const c3d_segment *months)
{
    return &stage->scenes[stage->first_row[months->shard] + (size_t)months->row];
}

bool c3d_stage_holds(const c3d_stage *stage, const c3d_segment *months)
{
    if (!stage) return false;
    const c3d_staged *scene = find(stage, months);
    return months->first >= scene->first && months->first + months->n <= scene->first + scene->n;
}

c3d_extent c3d_stage_find(const c3d_dataset *dataset, const c3d_segment *months)
{
    const c3d_stage_file *file = &dataset->stage->file;
    const c3d_staged *scene = find(dataset->stage, months);
    const size_t n = month_bytes(dataset);

    return (c3d_extent){ file->fd, file->path,
                         scene->offset + (int64_t)n * (months->first - scene->first),
                         (size_t)months->n * n };
}
