#include "c3d/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct c3d_hasher {
    XXH3_state_t *state;
};

uint64_t c3d_hash(const void *data, size_t n_bytes)
{
    return XXH3_64bits(data, n_bytes);
}

c3d_hasher *c3d_hasher_create(void)
{
    c3d_hasher *hasher = c3d_calloc(1, sizeof *hasher);

    if (!hasher) return NULL;
    hasher->state = XXH3_createState();
    if (!hasher->state || XXH3_64bits_reset(hasher->state) != XXH_OK) {
        (void)C3D_FAIL(C3D_ENOMEM, "no memory for a checksum");
        c3d_hasher_destroy(hasher);
        return NULL;
    }
    return hasher;
}

void c3d_hasher_add(c3d_hasher *hasher, const void *data, size_t n_bytes)
{
    C3D_ASSERT(XXH3_64bits_update(hasher->state, data, n_bytes) == XXH_OK);
    c3d_phase_tick();
}

uint64_t c3d_hasher_value(const c3d_hasher *hasher)
{
    return XXH3_64bits_digest(hasher->state);
}

void c3d_hasher_destroy(c3d_hasher *hasher)
{
    if (!hasher) return;
    (void)XXH3_freeState(hasher->state);
    free(hasher);
}

#define PIECE_BYTES ((size_t)1 << 18)

c3d_status c3d_hash_file(const char *path, uint64_t *hash_out, uint64_t *n_bytes_out)
{
    c3d_status st = C3D_OK;
    uint64_t n_bytes = 0;
    FILE *stream = fopen(path, "rb");
    if (!stream) return C3D_FAIL(C3D_EIO, "%s: %s", path, strerror(errno));
    c3d_hasher *hasher = c3d_hasher_create();
    char *piece = malloc(PIECE_BYTES);

    if (!hasher || !piece) {
        st = C3D_FAIL(C3D_ENOMEM, "no memory to read %s", path);
        goto done;
    }
    for (size_t n; (n = fread(piece, 1, PIECE_BYTES, stream)) > 0; n_bytes += n)
        c3d_hasher_add(hasher, piece, n);
    if (ferror(stream)) {
        st = C3D_FAIL(C3D_EIO, "%s: %s", path, strerror(errno));
        goto done;
    }
    *hash_out = c3d_hasher_value(hasher);
    if (n_bytes_out) *n_bytes_out = n_bytes;
done:
    free(piece);
    c3d_hasher_destroy(hasher);
    (void)fclose(stream);
    return st;
}
