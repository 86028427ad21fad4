/* How a rank that cannot go on ends all of them. Private to comm. */
#ifndef C3D_COMM_ENDING_H
#define C3D_COMM_ENDING_H

#include "c3d/comm.h"

/* Prints the error, unless another rank of this host has come first with one, and ends all ranks
 * with its exit code: by MPI_Abort, and this one in any case, also where MPI_Abort does not reach
 * the others or does not return. From any thread. */
_Noreturn void c3d_end_all(const c3d_comm *comm, const c3d_error *error);
/* The same with another exit code. */
_Noreturn void c3d_end_all_with(const c3d_comm *comm, const c3d_error *error, int code);

#endif
