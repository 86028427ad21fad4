#include "safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct c3d_tensor_writer {
    char *path;
    FILE *stream; /* NULL until the first byte is written */
    c3d_json *metadata, *tensors;
    c3d_hasher *hasher;
    uint64_t *sizes; /* [capacity] bytes of each declared tensor */
    size_t n_declared, n_put, capacity;
    uint64_t n_bytes;     /* declared so far */
    long checksum_offset; /* of the reserved digits, in the file */
};

static const char no_checksum[] = "0000000000000000";

c3d_status c3d_tensor_writer_create(const char *path, c3d_tensor_writer **out)
{
    c3d_tensor_writer *writer = c3d_calloc(1, sizeof *writer);
    if (!writer) return C3D_ENOMEM;
    writer->path = c3d_strdup(path);
    writer->metadata = c3d_json_object();
    writer->tensors = c3d_json_object();
    writer->hasher = c3d_hasher_create();
    if (!writer->hasher) {
        c3d_tensor_writer_discard(writer);
        return C3D_FAIL(C3D_ENOMEM, "%s: no memory for a checksum", path);
    }
    c3d_json_set(writer->metadata, SAFETENSORS_CHECKSUM, c3d_json_string(no_checksum));
    c3d_json_set(writer->metadata, SAFETENSORS_HEADER_CHECKSUM, c3d_json_string(no_checksum));
    *out = writer;
    return C3D_OK;
}

c3d_status c3d_tensor_writer_metadata(c3d_tensor_writer *writer, const char *key, const char *value)
{
    if (writer->stream)
        return C3D_FAIL(C3D_EINVAL, "%s: metadata \"%s\" comes after the first tensor",
                        writer->path, key);
    if (c3d_json_get(writer->metadata, key))
        return C3D_FAIL(C3D_EINVAL, "%s: metadata \"%s\" given twice", writer->path, key);
    c3d_json_set(writer->metadata, key, c3d_json_string(value));
    return C3D_OK;
}

static c3d_status remember_size(c3d_tensor_writer *writer, uint64_t n_bytes)
{
    if (writer->n_declared == writer->capacity) {
        const size_t capacity = writer->capacity ? 2 * writer->capacity : 64;
        uint64_t *sizes = realloc(writer->sizes, capacity * sizeof *sizes);
        if (!sizes)
            return C3D_FAIL(C3D_ENOMEM, "%s: no memory for %zu tensors", writer->path, capacity);
        writer->sizes = sizes;
        writer->capacity = capacity;
    }
    writer->sizes[writer->n_declared++] = n_bytes;
    writer->n_bytes += n_bytes;
    return C3D_OK;
}

c3d_status c3d_tensor_writer_declare(c3d_tensor_writer *writer, const char *name, c3d_dtype dtype,
                                     int rank, const int64_t *shape)
{
    const uint64_t begin = writer->n_bytes;
    uint64_t n_bytes;
    c3d_json *entry, *axes, *offsets;

    if (writer->stream)
        return C3D_FAIL(C3D_EINVAL, "%s: tensor %s declared after the first bytes", writer->path,
                        name);
    if (strcmp(name, SAFETENSORS_METADATA) == 0 || c3d_json_get(writer->tensors, name))
        return C3D_FAIL(C3D_EINVAL, "%s: tensor %s: the name is taken", writer->path, name);
    if (rank < 0 || rank > C3D_TENSOR_MAX_RANK ||
        !c3d_safetensors_n_bytes(dtype, rank, shape, &n_bytes) || n_bytes > INT64_MAX - begin)
        return C3D_FAIL(C3D_EINVAL, "%s: tensor %s: impossible shape", writer->path, name);
    C3D_TRY(remember_size(writer, n_bytes));
    entry = c3d_json_object();
    axes = c3d_json_array();
    offsets = c3d_json_array();
    for (int i = 0; i < rank; i++) c3d_json_append(axes, c3d_json_int(shape[i]));
    c3d_json_append(offsets, c3d_json_int((long long)begin));
    c3d_json_append(offsets, c3d_json_int((long long)(begin + n_bytes)));
    c3d_json_set(entry, "dtype", c3d_json_string(c3d_safetensors_dtype_name(dtype)));
    c3d_json_set(entry, "shape", axes);
    c3d_json_set(entry, "data_offsets", offsets);
    c3d_json_set(writer->tensors, name, entry);
    return C3D_OK;
}

static c3d_status write_bytes(c3d_tensor_writer *writer, const void *bytes, size_t n_bytes)
{
    if (c3d_file_put(writer->stream, bytes, n_bytes)) return C3D_OK;
    return C3D_FAIL(C3D_EIO, "%s: %zu bytes of %" PRIu64 " not written: %s", writer->path, n_bytes,
                    writer->n_bytes, strerror(errno));
}

/* {"__metadata__":{"checksum":"0...0","header_checksum":"0...0",...},"conv1.weight":{...},...} and
 * blanks. The checksums are the first things in the header: the first and second 16 zeros are their
 * places. */
static void header_text(const c3d_tensor_writer *writer, c3d_text *out)
{
    char *metadata = c3d_json_text(writer->metadata, false);
    char *tensors = c3d_json_text(writer->tensors, false);

    c3d_text_add(out, "{\"%s\":", SAFETENSORS_METADATA);
    c3d_text_add_bytes(out, metadata, strlen(metadata));
    if (writer->n_declared > 0) c3d_text_add(out, ",");
    c3d_text_add_bytes(out, tensors + 1, strlen(tensors) - 1); /* without its "{" */
    while (out->length % 8 != 0) c3d_text_add(out, " ");
    free(metadata);
    free(tensors);
}

/* Writes the header's own checksum into it, and remembers where the other one goes. */
static void place_checksums(c3d_tensor_writer *writer, c3d_text *header)
{
    char digits[SAFETENSORS_HEX_DIGITS + 1];
    char *first = strstr(header->text, no_checksum);
    char *second = strstr(first + SAFETENSORS_HEX_DIGITS, no_checksum);

    (void)snprintf(digits, sizeof digits, "%016" PRIx64, c3d_hash(header->text, header->length));
    memcpy(second, digits, SAFETENSORS_HEX_DIGITS);
    writer->checksum_offset = 8 + (long)(first - header->text);
}

static c3d_status write_header(c3d_tensor_writer *writer)
{
    c3d_text text = { 0 };
    unsigned char size[8];
    c3d_status st = C3D_OK;

    header_text(writer, &text);
    if (text.length > SAFETENSORS_HEADER_MAX) {
        st = C3D_FAIL(C3D_EINVAL, "%s: header of %zu bytes, at most %u are allowed", writer->path,
                      text.length, SAFETENSORS_HEADER_MAX);
        goto done;
    }
    for (int i = 0; i < 8; i++) size[i] = (unsigned char)((uint64_t)text.length >> (8 * i) & 0xff);
    C3D_TRY_TO(done, c3d_file_open_new(writer->path, &writer->stream));
    place_checksums(writer, &text);
    C3D_TRY_TO(done, write_bytes(writer, size, sizeof size));
    C3D_TRY_TO(done, write_bytes(writer, text.text, text.length));
done:
    c3d_text_free(&text);
    return st;
}

c3d_status c3d_tensor_writer_put(c3d_tensor_writer *writer, const void *bytes, size_t n_bytes)
{
    if (writer->n_put == writer->n_declared)
        return C3D_FAIL(C3D_EINVAL, "%s: more tensors than the %zu declared", writer->path,
                        writer->n_declared);
    if (n_bytes != writer->sizes[writer->n_put])
        return C3D_FAIL(C3D_EINVAL, "%s: tensor %zu: %zu bytes, declared %" PRIu64, writer->path,
                        writer->n_put, n_bytes, writer->sizes[writer->n_put]);
    if (!writer->stream) C3D_TRY(write_header(writer));
    C3D_TRY(write_bytes(writer, bytes, n_bytes));
    if (n_bytes > 0) c3d_hasher_add(writer->hasher, bytes, n_bytes);
    writer->n_put++;
    return C3D_OK;
}

static c3d_status write_checksum(c3d_tensor_writer *writer)
{
    char digits[SAFETENSORS_HEX_DIGITS + 1];

    snprintf(digits, sizeof digits, "%016" PRIx64, c3d_hasher_value(writer->hasher));
    if (fseek(writer->stream, writer->checksum_offset, SEEK_SET) != 0)
        return C3D_FAIL(C3D_EIO, "%s: %s", writer->path, strerror(errno));
    return write_bytes(writer, digits, SAFETENSORS_HEX_DIGITS);
}

c3d_status c3d_tensor_writer_commit(c3d_tensor_writer *writer)
{
    FILE *stream;
    c3d_status st = C3D_OK;

    if (writer->n_put != writer->n_declared) {
        st = C3D_FAIL(C3D_EINVAL, "%s: %zu tensors written, %zu declared", writer->path,
                      writer->n_put, writer->n_declared);
        goto done;
    }
    if (!writer->stream) C3D_TRY_TO(done, write_header(writer));
    C3D_TRY_TO(done, write_checksum(writer));
    stream = writer->stream;
    writer->stream = NULL;
    st = c3d_file_commit(writer->path, stream);
done:
    c3d_tensor_writer_discard(writer);
    return st;
}

void c3d_tensor_writer_discard(c3d_tensor_writer *writer)
{
    if (!writer) return;
    if (writer->stream) c3d_file_discard(writer->path, writer->stream);
    c3d_hasher_destroy(writer->hasher);
    c3d_json_free(writer->metadata);
    c3d_json_free(writer->tensors);
    free(writer->sizes);
    free(writer->path);
    free(writer);
}
