/* The seal of a shard: the first bytes of the file, which HDF5 leaves to its user, say where the
 * file's structure lies (all but what is filled later) and have its hash. HDF5 1.10 crashes on some
 * structures that were damaged, so they are compared before it is asked. The seal begins with the
 * words by which GDAL knows that the signature of HDF5 comes later. */
#include "shard_layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEAL_WORDS      "<HDF_UserBlock>c3d-train shard\n"
#define HDF5_SIGNATURE  "\211HDF\r\n\032\n"
#define STRUCTURE_BYTES ((int64_t)1 << 28) /* far more than any shard of ours has */

enum { RANGES_MAX = 16 };

typedef struct seal_range {
    int64_t offset, n_bytes;
} seal_range;

/* As in the file, little-endian. */
typedef struct seal {
    char words[32];
    int64_t n_ranges;
    seal_range ranges[RANGES_MAX];
    uint64_t hash; /* of the ranges' bytes */
    uint64_t self; /* of all above */
} seal;
_Static_assert(sizeof(seal) <= C3D_SHARD_SEAL_BYTES, "a seal fits its place");

static uint64_t hash_self(const seal *of)
{
    return c3d_hash(of, offsetof(seal, self));
}

static c3d_status hash_ranges(const char *path, int fd, const seal *of, uint64_t *out)
{
    c3d_hasher *hasher = c3d_hasher_create();
    c3d_status st = hasher ? C3D_OK : C3D_ENOMEM;

    for (int i = 0; st == C3D_OK && i < of->n_ranges; i++) {
        const seal_range *range = &of->ranges[i];
        char *bytes = c3d_calloc(1, (size_t)range->n_bytes + 1);
        if (!bytes)
            st = C3D_ENOMEM;
        else if (pread(fd, bytes, (size_t)range->n_bytes, range->offset) != range->n_bytes)
            st = C3D_FAIL(C3D_EDATA, "%s: cut short: no %lld bytes at %lld", path,
                          (long long)range->n_bytes, (long long)range->offset);
        else
            c3d_hasher_add(hasher, bytes, (size_t)range->n_bytes);
        free(bytes);
    }
    if (st == C3D_OK) *out = c3d_hasher_value(hasher);
    c3d_hasher_destroy(hasher);
    return st;
}

static int by_offset(const void *a, const void *b)
{
    const seal_range *left = a, *right = b;

    return (left->offset > right->offset) - (left->offset < right->offset);
}

/* What lies between the parts that are filled later. */
static c3d_status find_structure(const c3d_shard *shard, int64_t n_bytes, seal *out)
{
    seal_range parts[C3D_N_PARTS + 1];
    int64_t from = C3D_SHARD_SEAL_BYTES, n_all = 0;
    int n = 0;

    for (int part = 0; part < C3D_N_PARTS; part++)
        if (part != C3D_PART_FRAME_ID)
            parts[n++] = (seal_range){ shard->offset[part],
                                       (int64_t)shard->row_bytes[part] * shard->shape.n_scenes };
    parts[n++] = (seal_range){ n_bytes, 0 };
    qsort(parts, (size_t)n, sizeof *parts, by_offset);
    for (int i = 0; i < n; i++) {
        if (parts[i].offset > from) {
            out->ranges[out->n_ranges++] = (seal_range){ from, parts[i].offset - from };
            n_all += parts[i].offset - from;
        }
        from = parts[i].offset + parts[i].n_bytes;
    }
    if (n_all <= STRUCTURE_BYTES) return C3D_OK;
    return C3D_FAIL(C3D_EINTERNAL, "%s: a structure of %lld bytes", shard->path, (long long)n_all);
}

c3d_status c3d_shard_seal(c3d_shard *shard)
{
    seal made = { .words = SEAL_WORDS };
    struct stat facts;

    if (fstat(shard->fd, &facts) != 0)
        return C3D_FAIL(C3D_EIO, "%s: %s", shard->path, strerror(errno));
    C3D_TRY(find_structure(shard, facts.st_size, &made));
    C3D_TRY(hash_ranges(shard->path, shard->fd, &made, &made.hash));
    made.self = hash_self(&made);
    if (pwrite(shard->fd, &made, sizeof made, 0) == (ssize_t)sizeof made) return C3D_OK;
    return C3D_FAIL(C3D_EIO, "%s: writing %zu bytes: %s", shard->path, sizeof made,
                    strerror(errno));
}

static bool is_whole(const seal *of)
{
    int64_t n_all = 0;

    if (memcmp(of->words, SEAL_WORDS, sizeof of->words) != 0 || hash_self(of) != of->self)
        return false;
    if (of->n_ranges < 1 || of->n_ranges > RANGES_MAX) return false;
    for (int i = 0; i < of->n_ranges; i++) {
        if (of->ranges[i].offset < 0 || of->ranges[i].n_bytes < 0) return false;
        if (of->ranges[i].n_bytes > STRUCTURE_BYTES - n_all) return false;
        n_all += of->ranges[i].n_bytes;
    }
    return true;
}

c3d_status c3d_shard_check_seal(const c3d_shard *shard)
{
    seal found = { 0 };
    uint64_t hash = 0;
    const ssize_t n = pread(shard->fd, &found, sizeof found, 0);

    if (n < 0) return C3D_FAIL(C3D_EIO, "%s: %s", shard->path, strerror(errno));
    if (memcmp(&found, HDF5_SIGNATURE, 8) == 0) return C3D_OK; /* made before there were seals */
    if (n < (ssize_t)sizeof found || !is_whole(&found))
        return C3D_FAIL(C3D_EDATA, "%s: not a shard of scenes, or its first %zu bytes are damaged",
                        shard->path, sizeof found);
    C3D_TRY(hash_ranges(shard->path, shard->fd, &found, &hash));
    if (hash == found.hash) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s: damaged: the structure of the file is not as it was made",
                    shard->path);
}
