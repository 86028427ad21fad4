#include "cli/program.h"

#include <stdlib.h>
#include <string.h>

c3d_status c3d_program_start(const c3d_program *program, int argc, char **argv, c3d_comm *comm,
                             c3d_args *args)
{
    c3d_allow_open_files();
    c3d_stop_install(); /* before MPI_Init: an early SIGUSR1 must not kill */
    *args = (c3d_args){ 0 };
    C3D_TRY(c3d_comm_join(comm, program->name));
    return c3d_comm_agree_status(comm, c3d_args_parse(program, argc, argv, args));
}

static c3d_status parse(c3d_comm *comm, const c3d_config_source_text *source, c3d_config *config)
{
    c3d_text mistakes = { 0 };
    const c3d_status st = c3d_config_parse(source, config, &mistakes);

    if (st != C3D_OK) {
        comm->agreed = true; /* the same bytes on every rank */
        if (mistakes.text) c3d_log_mistakes(mistakes.text);
    }
    c3d_text_free(&mistakes);
    return st;
}

c3d_status c3d_program_config(c3d_comm *comm, const c3d_args *args, c3d_config_use use,
                              c3d_config *config)
{
    return c3d_program_config_from(comm, args, args->n_operands > 0 ? args->operands[0] : NULL, use,
                                   config);
}

c3d_status c3d_program_config_from(c3d_comm *comm, const c3d_args *args, const char *path,
                                   c3d_config_use use, c3d_config *config)
{
    char *text = NULL;
    c3d_status st = C3D_OK;

    if (comm->rank == 0 && path) st = c3d_file_read(path, &text, NULL);
    if (comm->rank == 0 && !path) text = c3d_strdup("");
    if (st == C3D_EIO) st = C3D_FAIL(C3D_ECONFIG, "%s", c3d_error_last()->message);
    st = c3d_comm_agree_status(comm, st);
    if (st == C3D_OK) st = c3d_comm_share_text(comm, &text);
    if (st == C3D_OK) {
        const c3d_config_source_text source = {
            .text = text,
            .n_bytes = strlen(text),
            .name = path ? path : "(no configuration)",
            .use = use,
            .n_sets = args->n_sets,
            .sets = args->sets,
        };
        st = parse(comm, &source, config);
        if (st == C3D_OK) c3d_comm_set_timeout(comm, config->distributed.timeout_s);
    }
    free(text);
    return st;
}

c3d_status c3d_program_print(const c3d_comm *comm, const char *text)
{
    if (comm->rank != 0) return C3D_OK;
    if (fputs(text, stdout) < 0 || fflush(stdout) != 0)
        return C3D_FAIL(C3D_EIO, "standard output: cannot be written");
    return C3D_OK;
}

int c3d_program_end(c3d_comm *comm, c3d_args *args, c3d_status status)
{
    const c3d_error error = *c3d_error_last();

    c3d_args_free(args);
    if (status != C3D_OK) c3d_comm_abort(comm, &error);
    c3d_comm_leave(comm);
    return c3d_exit_code(c3d_log_set_file(NULL));
}
