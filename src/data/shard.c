#include "shard_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- sizes ----------------------------------------------------------------------------------- */

size_t c3d_scene_bytes(const c3d_shard_shape *shape)
{
    return (size_t)shape->n_months * (size_t)shape->n_bands * (size_t)shape->size_px *
           (size_t)shape->size_px * c3d_dtype_size(shape->dtype);
}

size_t c3d_valid_bytes(const c3d_shard_shape *shape)
{
    return (size_t)shape->n_months * (size_t)shape->size_px * (((size_t)shape->size_px + 7) / 8);
}

c3d_dtype c3d_shard_sum_dtype(const c3d_shard_shape *shape)
{
    return c3d_dtype_is_float(shape->dtype) ? C3D_F64 : C3D_I64;
}

size_t c3d_shard_row_bytes(const c3d_shard_shape *shape, c3d_shard_part part)
{
    switch (part) {
    case C3D_PART_SCENES: return c3d_scene_bytes(shape);
    case C3D_PART_VALID: return c3d_valid_bytes(shape);
    case C3D_PART_STATUS: return 1;
    case C3D_PART_FRAME_ID:
    case C3D_PART_CHECKSUM: return 8;
    case C3D_PART_MISSING_SHARE: return (size_t)shape->n_months * sizeof(float);
    case C3D_PART_SUM:
    case C3D_PART_SUM_SQUARES: return (size_t)shape->n_months * (size_t)shape->n_bands * 8;
    case C3D_N_PARTS: break;
    }
    return 0;
}

c3d_status c3d_shard_check_shape(const char *path, const c3d_shard_shape *shape)
{
    const int limit = 1 << 20; /* keeps every product below far from 2^63 */

    if (shape->n_scenes < 1 || shape->n_months < 1 || shape->n_bands < 1 || shape->size_px < 1 ||
        shape->n_scenes > limit || shape->n_months > limit || shape->n_bands > 4096 ||
        shape->size_px > 16384 || (unsigned)shape->dtype >= C3D_DTYPES)
        return C3D_FAIL(C3D_EDATA, "%s: a shard of %d scenes x %d months x %d bands x %d px", path,
                        shape->n_scenes, shape->n_months, shape->n_bands, shape->size_px);
    return C3D_OK;
}

/* ---- open ------------------------------------------------------------------------------------ */

static c3d_status check_length(const c3d_shard *shard)
{
    struct stat facts;

    if (fstat(shard->fd, &facts) != 0)
        return C3D_FAIL(C3D_EIO, "%s: %s", shard->path, strerror(errno));
    for (int part = 0; part < C3D_N_PARTS; part++) {
        const int64_t end =
            shard->offset[part] + (int64_t)shard->row_bytes[part] * shard->shape.n_scenes;
        if (end > facts.st_size)
            return C3D_FAIL(C3D_EDATA, "%s: cut short: %lld bytes, %lld expected", shard->path,
                            (long long)facts.st_size, (long long)end);
    }
    return C3D_OK;
}

static c3d_status open_shard(const char *path, bool writable, bool is_sealed, c3d_shard **out)
{
    c3d_shard *shard = c3d_calloc(1, sizeof *shard);
    c3d_status st;

    if (!shard) return C3D_ENOMEM;
    shard->path = c3d_strdup(path);
    shard->is_writable = writable;
    shard->fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (shard->fd < 0) {
        st = C3D_FAIL(C3D_EIO, "%s: %s", path, strerror(errno));
        goto fail;
    }
    if (is_sealed) C3D_TRY_TO(fail, c3d_shard_check_seal(shard));
    C3D_TRY_TO(fail, c3d_shard_read_layout(shard));
    C3D_TRY_TO(fail, check_length(shard));
    *out = shard;
    return C3D_OK;
fail:
    c3d_shard_close(shard);
    return st;
}

c3d_status c3d_shard_open(const char *path, bool writable, c3d_shard **out)
{
    return open_shard(path, writable, true, out);
}

c3d_status c3d_shard_open_unsealed(const char *path, c3d_shard **out)
{
    return open_shard(path, true, false, out);
}

void c3d_shard_close(c3d_shard *shard)
{
    if (!shard) return;
    if (shard->fd >= 0) close(shard->fd);
    for (int i = 0; shard->bands && i < shard->shape.n_bands; i++) free(shard->bands[i]);
    free(shard->bands);
    free(shard->months);
    free(shard->frame_ids);
    free(shard->path);
    free(shard);
}

const c3d_shard_shape *c3d_shard_get_shape(const c3d_shard *shard)
{
    return &shard->shape;
}

const int64_t *c3d_shard_frame_ids(const c3d_shard *shard)
{
    return shard->frame_ids;
}

const c3d_date *c3d_shard_months(const c3d_shard *shard)
{
    return shard->months;
}

const char *const *c3d_shard_bands(const c3d_shard *shard)
{
    return (const char *const *)shard->bands;
}

const char *c3d_shard_path(const c3d_shard *shard)
{
    return shard->path;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static c3d_status check_row(const c3d_shard *shard, int row)
{
    if (row >= 0 && row < shard->shape.n_scenes) return C3D_OK;
    return C3D_FAIL(C3D_EINVAL, "%s: row %d of %d", shard->path, row, shard->shape.n_scenes);
}

static int64_t row_offset(const c3d_shard *shard, c3d_shard_part part, int row)
{
    return shard->offset[part] + (int64_t)row * (int64_t)shard->row_bytes[part];
}

/* A scene at once is slow where the page cache takes pages of megabytes for it, fresh ones each
 * time, and holds the file's lock while it copies: pieces took a fifth of the system's time. */
#define WRITE_BYTES ((size_t)64 << 10)

static c3d_status write_row(c3d_shard *shard, c3d_shard_part part, int row, const void *from)
{
    const size_t n = shard->row_bytes[part];
    const int64_t offset = row_offset(shard, part, row);

    for (size_t at = 0; at < n; at += WRITE_BYTES)
        C3D_TRY(c3d_pwrite_all(shard->fd, shard->path, (const uint8_t *)from + at,
                               n - at < WRITE_BYTES ? n - at : WRITE_BYTES, offset + (int64_t)at));
    return C3D_OK;
}

static c3d_status read_row(c3d_shard *shard, c3d_shard_part part, int row, void *to)
{
    return c3d_pread_all(shard->fd, shard->path, to, shard->row_bytes[part],
                         row_offset(shard, part, row));
}

c3d_status c3d_shard_write(c3d_shard *shard, int row, const c3d_scene *scene)
{
    C3D_TRY(check_row(shard, row));
    C3D_TRY(write_row(shard, C3D_PART_SCENES, row, scene->values));
    C3D_TRY(write_row(shard, C3D_PART_VALID, row, scene->valid));
    C3D_TRY(write_row(shard, C3D_PART_SUM, row, scene->sum));
    C3D_TRY(write_row(shard, C3D_PART_SUM_SQUARES, row, scene->sum_squares));
    return write_row(shard, C3D_PART_MISSING_SHARE, row, scene->missing_share);
}

c3d_status c3d_shard_write_missing(c3d_shard *shard, int row, const float *missing_share)
{
    C3D_TRY(check_row(shard, row));
    return write_row(shard, C3D_PART_MISSING_SHARE, row, missing_share);
}

c3d_status c3d_shard_mark(c3d_shard *shard, int row, c3d_scene_status status, uint64_t checksum)
{
    const uint8_t byte = (uint8_t)status;

    C3D_TRY(check_row(shard, row));
    C3D_TRY(write_row(shard, C3D_PART_CHECKSUM, row, &checksum));
    return write_row(shard, C3D_PART_STATUS, row, &byte);
}

uint64_t c3d_scene_checksum(const c3d_shard_shape *shape, const c3d_scene *scene)
{
    c3d_hasher *hasher = c3d_hasher_create();
    uint64_t value = 0;

    C3D_ASSERT(hasher);
    c3d_hasher_add(hasher, scene->values, c3d_scene_bytes(shape));
    c3d_hasher_add(hasher, scene->valid, c3d_valid_bytes(shape));
    value = c3d_hasher_value(hasher);
    c3d_hasher_destroy(hasher);
    return value ? value : 1;
}

c3d_status c3d_shard_sync(c3d_shard *shard)
{
    if (fsync(shard->fd) == 0) return C3D_OK;
    return C3D_FAIL(C3D_EIO, "%s: syncing: %s", shard->path, strerror(errno));
}

c3d_status c3d_shard_read_status(c3d_shard *shard, uint8_t *status_out)
{
    const size_t n = (size_t)shard->shape.n_scenes;

    C3D_TRY(c3d_pread_all(shard->fd, shard->path, status_out, n, shard->offset[C3D_PART_STATUS]));
    for (size_t i = 0; i < n; i++)
        if (status_out[i] > C3D_SCENE_DROPPED)
            return C3D_FAIL(C3D_EDATA, "%s: scene %zu has status %d", shard->path, i,
                            status_out[i]);
    return C3D_OK;
}

c3d_status c3d_shard_read_checksums(c3d_shard *shard, uint64_t *out)
{
    return c3d_pread_all(shard->fd, shard->path, out, (size_t)shard->shape.n_scenes * sizeof *out,
                         shard->offset[C3D_PART_CHECKSUM]);
}

c3d_status c3d_shard_read_scene(c3d_shard *shard, int row, c3d_scene *scene)
{
    C3D_TRY(check_row(shard, row));
    C3D_TRY(read_row(shard, C3D_PART_SCENES, row, scene->values));
    C3D_TRY(read_row(shard, C3D_PART_VALID, row, scene->valid));
    return c3d_shard_read_sums(shard, row, scene->sum, scene->sum_squares, scene->missing_share);
}

c3d_status c3d_shard_find_months(const c3d_shard *shard, int row, int first, int n_months,
                                 c3d_extent *out)
{
    const size_t month_bytes = shard->row_bytes[C3D_PART_SCENES] / (size_t)shard->shape.n_months;

    C3D_TRY(check_row(shard, row));
    if (first < 0 || n_months < 1 || n_months > shard->shape.n_months - first)
        return C3D_FAIL(C3D_EINVAL, "%s: months %d to %d of %d", shard->path, first,
                        first + n_months, shard->shape.n_months);
    *out = (c3d_extent){ shard->fd, shard->path,
                         row_offset(shard, C3D_PART_SCENES, row) + (int64_t)month_bytes * first,
                         month_bytes * (size_t)n_months };
    return C3D_OK;
}

c3d_status c3d_shard_read_months(c3d_shard *shard, int row, int first, int n_months, void *to)
{
    c3d_extent at;

    C3D_TRY(c3d_shard_find_months(shard, row, first, n_months, &at));
    return c3d_pread_all(at.fd, at.path, to, at.n_bytes, at.offset);
}

c3d_status c3d_shard_read_valid(c3d_shard *shard, int row, uint8_t *bits_out)
{
    C3D_TRY(check_row(shard, row));
    return read_row(shard, C3D_PART_VALID, row, bits_out);
}

c3d_status c3d_shard_read_sums(c3d_shard *shard, int row, void *sum, void *sum_squares,
                               float *missing_share)
{
    return c3d_shard_read_sums_of(shard, (c3d_rows){ row, 1 }, sum, sum_squares, missing_share);
}

static c3d_status read_rows(c3d_shard *shard, c3d_shard_part part, c3d_rows rows, void *to)
{
    return c3d_pread_all(shard->fd, shard->path, to, (size_t)rows.n * shard->row_bytes[part],
                         row_offset(shard, part, rows.first));
}

c3d_status c3d_shard_read_sums_of(c3d_shard *shard, c3d_rows rows, void *sum, void *sum_squares,
                                  float *missing_share)
{
    C3D_TRY(check_row(shard, rows.first));
    C3D_TRY(check_row(shard, rows.first + rows.n - 1));
    if (sum) C3D_TRY(read_rows(shard, C3D_PART_SUM, rows, sum));
    if (sum_squares) C3D_TRY(read_rows(shard, C3D_PART_SUM_SQUARES, rows, sum_squares));
    if (missing_share) C3D_TRY(read_rows(shard, C3D_PART_MISSING_SHARE, rows, missing_share));
    return C3D_OK;
}
