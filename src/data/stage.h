/* The copy of scenes near the ranks of a node (c3d_dataset_stage). Private to data. */
#ifndef C3D_DATA_STAGE_H
#define C3D_DATA_STAGE_H

#include "dataset_open.h"
#include "shard_layout.h"

/* Months first .. first + n - 1 of a scene; n = 0: nothing of it. */
typedef struct c3d_staged {
    int64_t offset; /* in the file */
    int first, n;
} c3d_staged;

typedef struct c3d_stage_file {
    char path[C3D_PATH_MAX];
    int fd;        /* -1: closed */
    bool is_named; /* this rank made the file, and it still has its name */
} c3d_stage_file;

struct c3d_stage {
    size_t *first_row;  /* [n_shards + 1] of the shard's first scene in scenes */
    c3d_staged *scenes; /* of all rows of all shards */
    uint64_t n_bytes;
    c3d_stage_file file;
};

/* True when these months, of one scene, are in the copy; stage may be NULL. */
bool c3d_stage_holds(const c3d_stage *stage, const c3d_segment *months);
/* Where these months, which it holds, lie in the copy. */
c3d_extent c3d_stage_find(const c3d_dataset *dataset, const c3d_segment *months);

/* A new file DIR/c3d-stage-KEY of n_bytes, none of them allocated. */
C3D_CHECKED c3d_status c3d_stage_file_create(const c3d_stage_desc *desc, uint64_t n_bytes,
                                             c3d_stage_file *out);
/* The same file, made by another rank of the node. */
C3D_CHECKED c3d_status c3d_stage_file_open(const c3d_stage_desc *desc, c3d_stage_file *out);
/* It stays until the last rank has closed it. Does nothing where another rank made it. */
void c3d_stage_file_unname(c3d_stage_file *file);
void c3d_stage_file_close(c3d_stage_file *file);

#endif
