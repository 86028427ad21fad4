/* One operation of a network on one backend, from canonical arrays to canonical arrays. */
#ifndef C3D_TESTS_OP_RUN_H
#define C3D_TESTS_OP_RUN_H

#include "c3d/backend.h"

typedef struct op_case {
    const char *name;
    c3d_op_desc op;
    c3d_shape x;
    int n_samples; /* rows in use; 0: all */
    bool accumulate;
} op_case;

typedef enum op_array { OP_X, OP_W, OP_B, OP_DY, OP_Y, OP_DX, OP_DW, OP_DB, OP_ARRAYS } op_array;
extern const char *const op_array_names[OP_ARRAYS];

typedef struct op_arrays {
    float *data[OP_ARRAYS]; /* X, W, B, DY are read; DW, DB are read when gradients accumulate */
    size_t n[OP_ARRAYS];    /* elements; rows beyond n_samples included */
} op_arrays;

/* Allocates zeroed arrays of the case's sizes; fails the test when the case is not valid. */
void op_arrays_create(op_arrays *arrays, const op_case *c);
void op_arrays_free(op_arrays *arrays);

/* Forward, and with op.training backward. Rows of dy beyond n_samples are taken as zero. */
C3D_CHECKED c3d_status op_run(c3d_backend *backend, const op_case *c, op_arrays *arrays);

int op_n_samples(const op_case *c);
/* Elements of the rows in use of x (or dx), or of y (or dy). */
size_t op_used(const op_case *c, op_array which);

#endif
