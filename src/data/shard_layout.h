/* Where the parts of a shard lie: shared by the file that makes and opens shards with HDF5 and the
 * one that reads and writes them without it. Private to data. */
#ifndef C3D_DATA_SHARD_LAYOUT_H
#define C3D_DATA_SHARD_LAYOUT_H

#include "c3d/data.h"

typedef enum c3d_shard_part {
    C3D_PART_SCENES,
    C3D_PART_VALID,
    C3D_PART_FRAME_ID,
    C3D_PART_STATUS,
    C3D_PART_CHECKSUM,
    C3D_PART_MISSING_SHARE,
    C3D_PART_SUM,
    C3D_PART_SUM_SQUARES,
    C3D_N_PARTS
} c3d_shard_part;

struct c3d_shard {
    char *path;
    int fd;
    bool is_writable;
    c3d_shard_shape shape;
    int64_t *frame_ids;            /* [n_scenes] */
    c3d_date *months;              /* [n_months] */
    char **bands;                  /* [n_bands] */
    int64_t offset[C3D_N_PARTS];   /* of the part's first byte in the file */
    size_t row_bytes[C3D_N_PARTS]; /* of one scene */
};

/* A run of bytes of an open file. */
typedef struct c3d_extent {
    int fd;
    const char *path; /* borrowed from what was asked */
    int64_t offset;
    size_t n_bytes;
} c3d_extent;

/* Bytes a scene has in a part. */
size_t c3d_shard_row_bytes(const c3d_shard_shape *shape, c3d_shard_part part);
/* /sum and /sum_squares: int64 for integers, float64 for floats. */
c3d_dtype c3d_shard_sum_dtype(const c3d_shard_shape *shape);
C3D_CHECKED c3d_status c3d_shard_check_shape(const char *path, const c3d_shard_shape *shape);
/* Reads shape, months, bands, frame ids and offsets with HDF5 into a zeroed shard with its path. */
C3D_CHECKED c3d_status c3d_shard_read_layout(c3d_shard *shard);
/* Where a contiguous run of months of one scene's values lies. C3D_EINVAL outside the shard. */
C3D_CHECKED c3d_status c3d_shard_find_months(const c3d_shard *shard, int row, int first,
                                             int n_months, c3d_extent *out);

/* The seal, in the file's first bytes (shard_seal.c). Made when the file is, by one whose layout
 * was read; C3D_EDATA when the file's structure is not what it was then. A file of an older version
 * has none. */
#define C3D_SHARD_SEAL_BYTES 4096
/* A file that was just made, writable. */
C3D_CHECKED c3d_status c3d_shard_open_unsealed(const char *path, c3d_shard **out);
C3D_CHECKED c3d_status c3d_shard_seal(c3d_shard *shard);
C3D_CHECKED c3d_status c3d_shard_check_seal(const c3d_shard *shard);

#endif
