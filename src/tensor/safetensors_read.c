#include "safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const dtype_names[C3D_DTYPES] = {
    [C3D_F32] = "F32", [C3D_F64] = "F64", [C3D_U8] = "U8",   [C3D_I16] = "I16", [C3D_U16] = "U16",
    [C3D_I32] = "I32", [C3D_U32] = "U32", [C3D_I64] = "I64", [C3D_U64] = "U64",
};

const char *c3d_safetensors_dtype_name(c3d_dtype dtype)
{
    return dtype_names[dtype];
}

bool c3d_safetensors_dtype_from_name(const char *name, c3d_dtype *out)
{
    for (int i = 0; i < C3D_DTYPES; i++) {
        if (strcmp(dtype_names[i], name) != 0) continue;
        *out = (c3d_dtype)i;
        return true;
    }
    return false;
}

bool c3d_safetensors_n_bytes(c3d_dtype dtype, int rank, const int64_t *shape, uint64_t *out)
{
    uint64_t n = c3d_dtype_size(dtype);

    for (int i = 0; i < rank; i++)
        if (shape[i] < 0 || __builtin_mul_overflow(n, (uint64_t)shape[i], &n)) return false;
    *out = n;
    return true;
}

struct c3d_tensor_file {
    char *path;
    int fd; /* -1: not open */
    c3d_json *header;
    c3d_tensor_entry *entries; /* [n_entries], ascending begin; names owned */
    size_t n_entries;
    uint64_t buffer_offset, n_buffer; /* bytes */
};

static c3d_status read_header(c3d_tensor_file *file)
{
    unsigned char size_bytes[8];
    uint64_t n_header = 0, n_file;
    struct stat info;
    char *text;
    c3d_status st;

    if (fstat(file->fd, &info) != 0)
        return C3D_FAIL(C3D_EIO, "%s: %s", file->path, strerror(errno));
    n_file = (uint64_t)info.st_size;
    if (n_file < 8)
        return C3D_FAIL(C3D_EDATA, "%s: %" PRIu64 " bytes, too short for a safetensors file",
                        file->path, n_file);
    C3D_TRY(c3d_pread_all(file->fd, file->path, size_bytes, 8, 0));
    for (int i = 0; i < 8; i++) n_header |= (uint64_t)size_bytes[i] << (8 * i);
    if (n_header > SAFETENSORS_HEADER_MAX)
        return C3D_FAIL(C3D_EDATA,
                        "%s: says its header has %" PRIu64
                        " bytes, at most %u are allowed; is it a safetensors file?",
                        file->path, n_header, SAFETENSORS_HEADER_MAX);
    if (n_header > n_file - 8)
        return C3D_FAIL(C3D_EDATA, "%s: truncated: %" PRIu64 " bytes, header alone needs %" PRIu64,
                        file->path, n_file, n_header + 8);
    file->buffer_offset = 8 + n_header;
    file->n_buffer = n_file - file->buffer_offset;
    text = c3d_calloc(n_header + 1, 1);
    if (!text) return C3D_ENOMEM;
    st = c3d_pread_all(file->fd, file->path, text, n_header, 8);
    if (st == C3D_OK && text[0] != '{')
        st = C3D_FAIL(C3D_EDATA, "%s: header is not a JSON object", file->path);
    if (st == C3D_OK) st = c3d_json_parse(text, n_header, file->path, &file->header);
    free(text);
    return st;
}

static c3d_status read_shape(const c3d_tensor_file *file, const c3d_json *json,
                             c3d_tensor_entry *entry)
{
    const c3d_json *axes = c3d_json_get(json, "shape");
    const size_t rank = c3d_json_length(axes);

    if (!axes || rank > C3D_TENSOR_MAX_RANK)
        return C3D_FAIL(C3D_EDATA, "%s: %s: shape is not a list of at most %d axes", file->path,
                        entry->name, C3D_TENSOR_MAX_RANK);
    entry->rank = (int)rank;
    for (size_t i = 0; i < rank; i++) {
        long long axis;
        if (!c3d_json_int_value(c3d_json_at(axes, i), &axis) || axis < 0)
            return C3D_FAIL(C3D_EDATA, "%s: %s: shape[%zu] is not a count", file->path, entry->name,
                            i);
        entry->shape[i] = axis;
    }
    return C3D_OK;
}

static c3d_status read_offsets(const c3d_tensor_file *file, const c3d_json *json,
                               c3d_tensor_entry *entry)
{
    const c3d_json *offsets = c3d_json_get(json, "data_offsets");
    long long begin, end;
    uint64_t n_bytes;

    if (c3d_json_length(offsets) != 2 || !c3d_json_int_value(c3d_json_at(offsets, 0), &begin) ||
        !c3d_json_int_value(c3d_json_at(offsets, 1), &end) || begin < 0 || end < begin)
        return C3D_FAIL(C3D_EDATA, "%s: %s: data_offsets are not [begin, end]", file->path,
                        entry->name);
    if (!c3d_safetensors_n_bytes(entry->dtype, entry->rank, entry->shape, &n_bytes) ||
        n_bytes != (uint64_t)(end - begin))
        return C3D_FAIL(C3D_EDATA, "%s: %s: data_offsets span %lld bytes, shape and dtype do not",
                        file->path, entry->name, end - begin);
    entry->begin = (uint64_t)begin;
    entry->end = (uint64_t)end;
    return C3D_OK;
}

static c3d_status read_entry(const c3d_tensor_file *file, const char *name, c3d_tensor_entry *entry)
{
    const c3d_json *json = c3d_json_get(file->header, name);
    const char *dtype;

    entry->name = c3d_strdup(name);
    if (!c3d_json_get_string(json, "dtype", &dtype))
        return C3D_FAIL(C3D_EDATA, "%s: %s: has no dtype", file->path, name);
    if (!c3d_safetensors_dtype_from_name(dtype, &entry->dtype))
        return C3D_FAIL(C3D_EDATA, "%s: %s: dtype %s is not one this program reads", file->path,
                        name, dtype);
    C3D_TRY(read_shape(file, json, entry));
    return read_offsets(file, json, entry);
}

static c3d_status check_metadata(const c3d_tensor_file *file)
{
    const c3d_json *metadata = c3d_json_get(file->header, SAFETENSORS_METADATA);
    const char *text;

    if (!metadata) return C3D_OK;
    for (const char *key = NULL; (key = c3d_json_next_key(metadata, key)) != NULL;)
        if (!c3d_json_get_string(metadata, key, &text))
            return C3D_FAIL(C3D_EDATA, "%s: metadata \"%s\" is not text", file->path, key);
    return C3D_OK;
}

static int compare_begin(const void *a, const void *b)
{
    const c3d_tensor_entry *x = a, *y = b;

    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static c3d_status check_cover(const c3d_tensor_file *file)
{
    uint64_t at = 0;

    for (size_t i = 0; i < file->n_entries; i++) {
        const c3d_tensor_entry *entry = &file->entries[i];
        if (entry->begin != at)
            return C3D_FAIL(
                C3D_EDATA, "%s: %s: begins at byte %" PRIu64 ", expected %" PRIu64 " (%s)",
                file->path, entry->name, entry->begin, at, entry->begin < at ? "overlap" : "hole");
        at = entry->end;
    }
    if (at > file->n_buffer)
        return C3D_FAIL(C3D_EDATA,
                        "%s: truncated: %" PRIu64 " bytes of tensors, header says %" PRIu64,
                        file->path, file->n_buffer, at);
    if (at < file->n_buffer)
        return C3D_FAIL(C3D_EDATA, "%s: %" PRIu64 " bytes after the last tensor", file->path,
                        file->n_buffer - at);
    return C3D_OK;
}

static c3d_status read_entries(c3d_tensor_file *file)
{
    size_t n = 0;

    for (const char *key = NULL; (key = c3d_json_next_key(file->header, key)) != NULL;) n++;
    file->entries = c3d_calloc(n + 1, sizeof *file->entries);
    if (!file->entries) return C3D_ENOMEM;
    for (const char *key = NULL; (key = c3d_json_next_key(file->header, key)) != NULL;) {
        if (strcmp(key, SAFETENSORS_METADATA) == 0) continue;
        C3D_TRY(read_entry(file, key, &file->entries[file->n_entries++]));
    }
    qsort(file->entries, file->n_entries, sizeof *file->entries, compare_begin);
    return C3D_OK;
}

c3d_status c3d_tensor_file_open(const char *path, c3d_tensor_file **out)
{
    if (c3d_path_is_dir(path))
        return C3D_FAIL(C3D_EDATA, "%s: is a directory, expected a file of tensors", path);
    c3d_tensor_file *file = c3d_calloc(1, sizeof *file);
    c3d_status st;

    if (!file) return C3D_ENOMEM;
    file->path = c3d_strdup(path);
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0) {
        st = C3D_FAIL(C3D_EIO, "%s: %s", path, strerror(errno));
        goto fail;
    }
    C3D_TRY_TO(fail, read_header(file));
    C3D_TRY_TO(fail, check_metadata(file));
    C3D_TRY_TO(fail, read_entries(file));
    C3D_TRY_TO(fail, check_cover(file));
    *out = file;
    return C3D_OK;
fail:
    c3d_tensor_file_close(file);
    return st;
}

void c3d_tensor_file_close(c3d_tensor_file *file)
{
    if (!file) return;
    if (file->fd >= 0) close(file->fd);
    for (size_t i = 0; i < file->n_entries; i++) free(file->entries[i].name);
    free(file->entries);
    c3d_json_free(file->header);
    free(file->path);
    free(file);
}

static c3d_status hash_buffer(c3d_tensor_file *file, c3d_hasher *hasher, uint64_t *out)
{
    const size_t n_chunk = (size_t)1 << 20;
    char *chunk = c3d_aligned(n_chunk);
    c3d_status st = C3D_OK;

    if (!chunk) return C3D_ENOMEM;
    for (uint64_t at = 0; at < file->n_buffer && st == C3D_OK;) {
        const uint64_t rest = file->n_buffer - at;
        const size_t n = rest < n_chunk ? (size_t)rest : n_chunk;
        st = c3d_pread_all(file->fd, file->path, chunk, n, (int64_t)(file->buffer_offset + at));
        if (st == C3D_OK) c3d_hasher_add(hasher, chunk, n);
        at += n;
    }
    free(chunk);
    if (st == C3D_OK) *out = c3d_hasher_value(hasher);
    return st;
}

/* Puts 0 for the digits of a checksum in the header's text; false when they are not there. */
static bool blank(char *header, const char *digits)
{
    char *at = strstr(header, digits);

    if (!at || strlen(digits) != SAFETENSORS_HEX_DIGITS) return false;
    memset(at, '0', SAFETENSORS_HEX_DIGITS);
    return true;
}

static c3d_status check_header(const c3d_tensor_file *file, const char *checksum,
                               const char *expected, char *header)
{
    const size_t n = (size_t)file->buffer_offset - 8;
    char found[SAFETENSORS_HEX_DIGITS + 1] = "";

    C3D_TRY(c3d_pread_all(file->fd, file->path, header, n, 8));
    if (blank(header, checksum) && blank(header, expected))
        (void)snprintf(found, sizeof found, "%016" PRIx64, c3d_hash(header, n));
    if (strcmp(found, expected) == 0) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s: its header was changed: checksum %s, it says %s", file->path,
                    found, expected);
}

/* Files of before have no checksum of the header. */
static c3d_status verify_header(const c3d_tensor_file *file, const char *checksum)
{
    const char *expected = c3d_tensor_file_metadata(file, SAFETENSORS_HEADER_CHECKSUM);
    char *header;

    if (!expected) return C3D_OK;
    header = c3d_calloc((size_t)file->buffer_offset - 8 + 1, 1);
    if (!header) return C3D_ENOMEM;
    const c3d_status st = check_header(file, checksum, expected, header);
    free(header);
    return st;
}

c3d_status c3d_tensor_file_verify(c3d_tensor_file *file)
{
    const char *expected = c3d_tensor_file_metadata(file, SAFETENSORS_CHECKSUM);
    char found[SAFETENSORS_HEX_DIGITS + 1];
    c3d_hasher *hasher;
    uint64_t hash = 0;
    c3d_status st;

    if (!expected) return C3D_FAIL(C3D_EDATA, "%s: no checksum in its metadata", file->path);
    C3D_TRY(verify_header(file, expected));
    hasher = c3d_hasher_create();
    if (!hasher) return C3D_FAIL(C3D_ENOMEM, "%s: no memory for a checksum", file->path);
    st = hash_buffer(file, hasher, &hash);
    c3d_hasher_destroy(hasher);
    if (st != C3D_OK) return st;
    snprintf(found, sizeof found, "%016" PRIx64, hash);
    if (strcmp(found, expected) != 0)
        return C3D_FAIL(C3D_EDATA, "%s: checksum of the tensors is %s, header says %s", file->path,
                        found, expected);
    return C3D_OK;
}

const char *c3d_tensor_file_metadata(const c3d_tensor_file *file, const char *key)
{
    const c3d_json *metadata = c3d_json_get(file->header, SAFETENSORS_METADATA);

    return metadata ? c3d_json_string_value(c3d_json_get(metadata, key)) : NULL;
}

const c3d_tensor_entry *c3d_tensor_file_find(const c3d_tensor_file *file, const char *name)
{
    for (size_t i = 0; i < file->n_entries; i++)
        if (strcmp(file->entries[i].name, name) == 0) return &file->entries[i];
    return NULL;
}

const char *c3d_tensor_file_path(const c3d_tensor_file *file)
{
    return file->path;
}

size_t c3d_tensor_file_count(const c3d_tensor_file *file)
{
    return file->n_entries;
}

const c3d_tensor_entry *c3d_tensor_file_entry(const c3d_tensor_file *file, size_t index)
{
    return index < file->n_entries ? &file->entries[index] : NULL;
}

c3d_status c3d_tensor_file_read(c3d_tensor_file *file, const c3d_tensor_entry *entry, void *to,
                                size_t n_bytes)
{
    if (n_bytes != entry->end - entry->begin)
        return C3D_FAIL(C3D_EDATA, "%s: %s: %" PRIu64 " bytes, expected %zu", file->path,
                        entry->name, entry->end - entry->begin, n_bytes);
    return c3d_pread_all(file->fd, file->path, to, n_bytes,
                         (int64_t)(file->buffer_offset + entry->begin));
}
