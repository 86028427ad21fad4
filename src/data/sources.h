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
/* C3D_EDATA names a file of the archive that is no longer the one of that path in the layer, by
 * size or else by hash where its time of change is another, that is not in the layer, or that is in
 * the layer only. A layer that names none of the files was made elsewhere and says nothing. One
 * rank's work. */
C3D_CHECKED c3d_status c3d_sources_check(const char *gpkg, const c3d_archive *mosaics);
uint64_t c3d_source_bytes(const char *path); /* 0 when absent */
/* Keys sources (one object a file) and licences (their lines, each once) of dataset.json. */
C3D_CHECKED c3d_status c3d_sources_to_json(const char *gpkg, c3d_json *root);
/* What is known of the terms of a file from the archive it lies in (demo.json) or its name; NULL:
 * nothing. */
const char *c3d_licence_of(const char *path);

#endif
