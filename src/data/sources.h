/* The files a dataset is made of: layer sources of frames.gpkg, and what dataset.json says of them.
 * Private to data. */
#ifndef C3D_DATA_SOURCES_H
#define C3D_DATA_SOURCES_H

#include "c3d/dataset.h"

/* Layer sources: path, kind (mosaic or label), date, bytes, hash (XXH3 of the file), modified,
 * licence. */
enum { C3D_SOURCE_FIELDS = 7 };
extern const c3d_field_desc c3d_source_fields[C3D_SOURCE_FIELDS];

/* Hashes known from an earlier frames.gpkg. */
typedef struct c3d_known_hash {
    const char *path; /* of the layer */
    uint64_t n_bytes, hash;
    const char *modified;
    bool is_mosaic;
    long long row_id; /* in the layer's file */
} c3d_known_hash;
typedef struct c3d_known_hashes {
    c3d_vector *layer;
    size_t n;
    c3d_known_hash *rows; /* by path */
} c3d_known_hashes;
/* None when the file is absent or has no such layer. */
C3D_CHECKED c3d_status c3d_known_hashes_read(const char *gpkg, c3d_known_hashes *out);
void c3d_known_hashes_free(c3d_known_hashes *known);

/* Writes a row for each file into the layer that the writer is at, with progress. A file is read
 * only when path, size and time of change are not those of `known` (NULL: none). */
C3D_CHECKED c3d_status c3d_sources_write(c3d_vector_writer *writer, const c3d_archive *mosaics,
                                         const c3d_archive *labels, const c3d_known_hashes *known);
/* Appends the files to the layer of a file that is changed in place; one of an older version has no
 * modified and licence. */
C3D_CHECKED c3d_status c3d_sources_add(c3d_vector_writer *writer, const c3d_archive *mosaics,
                                       const c3d_archive *labels);
/* A file of the archive that is no longer the one of its path in the layer, by size or else by hash
 * where its time of change is another. */
typedef struct c3d_replaced {
    int month, file;  /* of the archive */
    long long row_id; /* of the layer */
    uint64_t n_bytes_then;
} c3d_replaced;
typedef struct c3d_replaced_files {
    size_t n;
    c3d_replaced *files;
} c3d_replaced_files;
/* C3D_EDATA names a file that is in the archive or in the layer only. A layer that names none of
 * the files was made elsewhere and says nothing. One rank's work, as the two that follow. */
C3D_CHECKED c3d_status c3d_sources_compare(const char *gpkg, const c3d_archive *mosaics,
                                           c3d_replaced_files *out);
void c3d_replaced_files_free(c3d_replaced_files *replaced);
/* C3D_EDATA for a replaced file too. */
C3D_CHECKED c3d_status c3d_sources_check(const char *gpkg, const c3d_archive *mosaics);
/* Writes into the layer what the files are now. */
C3D_CHECKED c3d_status c3d_sources_renew(const char *gpkg, const c3d_archive *mosaics,
                                         const c3d_replaced_files *replaced);
/* Hash and size of a file as it is, and its time of change from before it was read: one that
 * changes meanwhile is read again later. modified: "" when the file cannot be looked at. */
C3D_CHECKED c3d_status c3d_source_hash(const char *path, char modified[40], uint64_t *hash_out,
                                       uint64_t *n_bytes_out);
uint64_t c3d_source_bytes(const char *path); /* 0 when absent */
/* Keys sources (one object a file) and licences (their lines, each once) of dataset.json. */
C3D_CHECKED c3d_status c3d_sources_to_json(const char *gpkg, c3d_json *root);
/* What is known of the terms of a file from the archive it lies in (demo.json) or its name; NULL:
 * nothing. */
const char *c3d_licence_of(const char *path);

#endif
