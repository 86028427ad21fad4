/* scale_layer FROM TO LAYER FACTOR: a checkpoint with LAYER.weight and LAYER.bias times FACTOR. */
#include "c3d/base.h"
#include "c3d/tensor.h"

#include <stdlib.h>
#include <string.h>

static c3d_status copy_metadata(const char *path, c3d_tensor_writer *to)
{
    c3d_json *header = NULL;
    uint64_t n = 0;
    FILE *file = fopen(path, "rb");
    const bool has_size = file && fread(&n, sizeof n, 1, file) == 1;
    char *text = has_size ? c3d_calloc(n + 1, 1) : NULL;
    c3d_status st = text && fread(text, n, 1, file) == 1 ? C3D_OK : C3D_FAIL(C3D_EIO, "%s", path);

    if (st == C3D_OK) st = c3d_json_parse(text, n, path, &header);
    const c3d_json *metadata = c3d_json_get(header, "__metadata__");
    for (const char *key = NULL;
         st == C3D_OK && (key = c3d_json_next_key(metadata, key)) != NULL;) {
        const char *value;
        if (!strstr(key, "checksum") && c3d_json_get_string(metadata, key, &value))
            st = c3d_tensor_writer_metadata(to, key, value);
    }
    c3d_json_free(header);
    free(text);
    if (file) (void)fclose(file);
    return st;
}

static c3d_status copy_tensor(c3d_tensor_file *from, const c3d_tensor_entry *entry,
                              const char *layer, float factor, c3d_tensor_writer *to)
{
    const size_t n_bytes = (size_t)(entry->end - entry->begin), n_name = strlen(layer);
    float *values = c3d_calloc(n_bytes + 1, 1);
    c3d_status st = values ? c3d_tensor_file_read(from, entry, values, n_bytes) : C3D_ENOMEM;

    if (st == C3D_OK && strncmp(entry->name, layer, n_name) == 0 && entry->name[n_name] == '.')
        for (size_t i = 0; i < n_bytes / sizeof *values; i++) values[i] *= factor;
    if (st == C3D_OK) st = c3d_tensor_writer_put(to, values, n_bytes);
    free(values);
    return st;
}

static c3d_status copy(c3d_tensor_file *from, const char *layer, float factor,
                       c3d_tensor_writer *to)
{
    const size_t n = c3d_tensor_file_count(from);

    C3D_TRY(copy_metadata(c3d_tensor_file_path(from), to));
    for (size_t i = 0; i < n; i++) {
        const c3d_tensor_entry *entry = c3d_tensor_file_entry(from, i);
        C3D_TRY(
            c3d_tensor_writer_declare(to, entry->name, entry->dtype, entry->rank, entry->shape));
    }
    for (size_t i = 0; i < n; i++)
        C3D_TRY(copy_tensor(from, c3d_tensor_file_entry(from, i), layer, factor, to));
    return C3D_OK;
}

int main(int argc, char **argv)
{
    c3d_tensor_file *from = NULL;
    c3d_tensor_writer *to = NULL;

    if (argc != 5) return 2;
    c3d_status st = c3d_tensor_file_open(argv[1], &from);
    if (st == C3D_OK) st = c3d_tensor_writer_create(argv[2], &to);
    if (st == C3D_OK) st = copy(from, argv[3], strtof(argv[4], NULL), to);
    if (st == C3D_OK)
        st = c3d_tensor_writer_commit(to);
    else
        c3d_tensor_writer_discard(to);
    c3d_tensor_file_close(from);
    if (st == C3D_OK) return 0;
    fprintf(stderr, "scale_layer: %s\n", c3d_error_last()->message);
    return 1;
}
