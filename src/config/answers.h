/* What a program prints about itself. */
#ifndef C3D_CONFIG_ANSWERS_H
#define C3D_CONFIG_ANSWERS_H

#include "c3d/args.h"

#define C3D_N_COMMON 8
extern const c3d_option c3d_common_options[C3D_N_COMMON];

/* command: NULL for all of a program with several. */
void c3d_answer_help(const c3d_program *program, const c3d_command *command, c3d_text *out);
void c3d_answer_version(const c3d_program *program, c3d_text *out);
void c3d_answer_cite(c3d_text *out);
void c3d_answer_describe(const c3d_program *program, c3d_text *out);

#endif
