/* How every program begins and ends. */
#ifndef C3D_CLI_PROGRAM_H
#define C3D_CLI_PROGRAM_H

#include "c3d/args.h"
#include "c3d/comm.h"

/* Joins the other ranks and reads the command line. COLLECTIVE. When args->answer is set the
 * program has only to print it. A mistake on the command line is everybody's. */
C3D_CHECKED c3d_status c3d_program_start(const c3d_program *program, int argc, char **argv,
                                         c3d_comm *comm, c3d_args *args);
/* Rank 0 reads the configuration file, every rank parses the same bytes; mistakes are printed by
 * rank 0, one a line. Without an operand there are only defaults and --set. COLLECTIVE. */
C3D_CHECKED c3d_status c3d_program_config(c3d_comm *comm, const c3d_args *args, c3d_config_use use,
                                          c3d_config *config);
/* The same from a file named otherwise than by the first operand; path NULL: none. */
C3D_CHECKED c3d_status c3d_program_config_from(c3d_comm *comm, const c3d_args *args,
                                               const char *path, c3d_config_use use,
                                               c3d_config *config);
/* Rank 0 prints a text on standard output; C3D_EIO when it could not. */
C3D_CHECKED c3d_status c3d_program_print(const c3d_comm *comm, const char *text);
/* Leaves in good order with 0, or ends with the exit code of `status` and its message. */
int c3d_program_end(c3d_comm *comm, c3d_args *args, c3d_status status);

#endif
