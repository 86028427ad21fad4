/* tensor: shapes, element types, and files of tensors.
 *
 * Axes are always [N, C, D, H, W]: samples, channels (bands), time (months), rows, columns. A 2D
 * network has D = 1. K is the number of filters of a layer; kd, kh, kw its kernel. */
#ifndef C3D_TENSOR_H
#define C3D_TENSOR_H

#include "c3d/base.h"

typedef enum c3d_dtype {
    C3D_F32,
    C3D_F64,
    C3D_U8,
    C3D_I16,
    C3D_U16,
    C3D_I32,
    C3D_U32,
    C3D_I64,
    C3D_U64,
    C3D_DTYPES
} c3d_dtype;
size_t c3d_dtype_size(c3d_dtype dtype);
const char *c3d_dtype_name(c3d_dtype dtype); /* "float32", "uint16", ... */
bool c3d_dtype_from_name(const char *name, c3d_dtype *out);
bool c3d_dtype_is_float(c3d_dtype dtype);
/* Element i of an array of dtype as double (64-bit integers beyond 2^53 are rounded). */
double c3d_dtype_get(const void *array, c3d_dtype dtype, size_t i);

typedef struct c3d_shape {
    int n, c, d, h, w;
} c3d_shape;
size_t c3d_shape_count(c3d_shape shape);        /* elements, n included */
size_t c3d_shape_sample_count(c3d_shape shape); /* elements of one sample: c d h w */
bool c3d_shape_is_equal(c3d_shape a, c3d_shape b);
/* "[8, 64, 16, 112, 112]"; returns out. */
const char *c3d_shape_text(c3d_shape shape, char out[64]);

/* ---- safetensors ------------------------------------------------------------------------------
 */

/* The format: 8 bytes little-endian header size, JSON header {name: {dtype, shape, data_offsets}},
 * "__metadata__" a string-to-string map, then the buffer, offsets contiguous and covering it; the
 * header is padded with spaces to a multiple of 8 and at most 100,000,000 bytes. */
#define C3D_TENSOR_MAX_RANK 5
typedef struct c3d_tensor_entry {
    char *name; /* owned by the file object */
    c3d_dtype dtype;
    int rank;
    int64_t shape[C3D_TENSOR_MAX_RANK];
    uint64_t begin, end; /* byte range in the buffer */
} c3d_tensor_entry;

/* Writing: declare all tensors, then give their bytes in the order of declaration. */
typedef struct c3d_tensor_writer c3d_tensor_writer;
C3D_CHECKED c3d_status c3d_tensor_writer_create(const char *path, c3d_tensor_writer **out);
C3D_CHECKED c3d_status c3d_tensor_writer_metadata(c3d_tensor_writer *writer, const char *key,
                                                  const char *value);
C3D_CHECKED c3d_status c3d_tensor_writer_declare(c3d_tensor_writer *writer, const char *name,
                                                 c3d_dtype dtype, int rank, const int64_t *shape);
/* The next tensor's bytes, all of them. The XXH3 of the whole buffer goes into the metadata key
 * "checksum" (16 hexadecimal digits); its place is reserved in the header. That of the header
 * itself is in "header_checksum". */
C3D_CHECKED c3d_status c3d_tensor_writer_put(c3d_tensor_writer *writer, const void *bytes,
                                             size_t n_bytes);
/* Syncs and renames into place: until then the old file stays. Ends the writer, also on failure. */
C3D_CHECKED c3d_status c3d_tensor_writer_commit(c3d_tensor_writer *writer);
void c3d_tensor_writer_discard(c3d_tensor_writer *writer); /* NULL is fine */

/* Reading. Open checks the header (truncation, holes, overlaps, duplicate names, offsets against
 * shape and dtype: C3D_EDATA) but not the bytes. */
typedef struct c3d_tensor_file c3d_tensor_file;
C3D_CHECKED c3d_status c3d_tensor_file_open(const char *path, c3d_tensor_file **out);
void c3d_tensor_file_close(c3d_tensor_file *file); /* NULL is fine */
/* Recomputes the checksums of header and tensors; C3D_EDATA when one differs or, of the tensors, is
 * absent. */
C3D_CHECKED c3d_status c3d_tensor_file_verify(c3d_tensor_file *file);
const char *c3d_tensor_file_metadata(const c3d_tensor_file *file, const char *key); /* NULL: none */
const c3d_tensor_entry *c3d_tensor_file_find(const c3d_tensor_file *file, const char *name);
const char *c3d_tensor_file_path(const c3d_tensor_file *file);
size_t c3d_tensor_file_count(const c3d_tensor_file *file);
const c3d_tensor_entry *c3d_tensor_file_entry(const c3d_tensor_file *file, size_t index);
/* The whole tensor into `to` (n_bytes must be its size: C3D_EDATA otherwise). */
C3D_CHECKED c3d_status c3d_tensor_file_read(c3d_tensor_file *file, const c3d_tensor_entry *entry,
                                            void *to, size_t n_bytes);

#endif
