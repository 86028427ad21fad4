/* c3d-evaluate --compare. Private to the program. */
#ifndef C3D_CLI_COMPARE_H
#define C3D_CLI_COMPARE_H

#include "cli/program.h"

#define C3D_COMPARE_MAX_NETWORKS 24

/* Whether the operands and options go with --compare, or its absence. C3D_ECONFIG. */
C3D_CHECKED c3d_status c3d_compare_check_args(const c3d_args *args);
/* Rank 0 compares, prints and writes; COLLECTIVE. */
C3D_CHECKED c3d_status c3d_compare_models(c3d_comm *comm, const c3d_args *args);

#endif
