/* What carries the numbers of a device. Private to comm. */
#ifndef C3D_COMM_CHOOSE_H
#define C3D_COMM_CHOOSE_H

#include "c3d/comm.h"

typedef struct c3d_choice {
    bool nccl;
    bool shares_gpu; /* some GPU serves several ranks */
    char why_not[256];
} c3d_choice;

/* NCCL where every rank is built with it and has a GPU of its own; or where ranks share one and the
 * environment of rank 0 has C3D_NCCL_SHARED_GPU=1, which is for tests. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_choose(c3d_comm *comm, const c3d_comm_device *device, c3d_choice *out);

#endif
