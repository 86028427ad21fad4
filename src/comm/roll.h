/* A question to all ranks that ends in time, whoever is missing. Private to comm. */
#ifndef C3D_COMM_ROLL_H
#define C3D_COMM_ROLL_H

#include "comm/mpi_call.h"

typedef struct c3d_roll {
    int worst;     /* the largest answer, on every rank */
    char who[256]; /* whose it is: "rank 3 (node7), rank 5 (node8)" */
} c3d_roll;

/* Every rank gives its answer to rank 0 and gets the largest. tag: 0..32767, the same on all ranks,
 * and another one each time in a row. After timeout_s C3D_ECOMM names the ranks that have not come;
 * they will find this error when they do. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_roll_call(const c3d_comm *comm, int tag, int answer, double timeout_s,
                                     c3d_roll *out);

#endif
