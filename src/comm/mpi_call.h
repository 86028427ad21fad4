/* How a status of MPI becomes ours: the call as written and MPI's own words. */
#ifndef C3D_COMM_MPI_CALL_H
#define C3D_COMM_MPI_CALL_H

#include "c3d/comm.h"

#include <mpi.h>

c3d_status c3d_mpi_failed(int code, const char *call, const char *file, int line);

#define C3D_MPI(call)                                                                              \
    do {                                                                                           \
        const int c3d_mpi_code = (call);                                                           \
        if (c3d_mpi_code != MPI_SUCCESS)                                                           \
            return c3d_mpi_failed(c3d_mpi_code, #call, __FILE__, __LINE__);                        \
    } while (0)

#endif
