#include "cli/compare.h"

#include "c3d/train.h"

#include <math.h>

c3d_status c3d_compare_check_args(const c3d_args *args)
{
    static const char *const of_scoring[] = {
        "--data",      "--fold",    "--max-per-class", "--checkpoint", "--device",
        "--precision", "--history", "--frames",        "--lasting",    "--occlude",
        "--choose",    "--regions", "--strata",
    };

    if (!c3d_args_flag(args, "--compare")) {
        if (args->n_operands == 1) return C3D_OK;
        return C3D_FAIL(C3D_ECONFIG, "%s: a second MODEL; several are for --compare",
                        args->operands[1]);
    }
    for (size_t i = 0; i < C3D_COUNT(of_scoring); i++)
        if (c3d_args_given(args, of_scoring[i]))
            return C3D_FAIL(C3D_ECONFIG,
                            "%s: not with --compare, which reads what c3d-evaluate has scored",
                            of_scoring[i]);
    if (args->n_operands < 2)
        return C3D_FAIL(C3D_ECONFIG, "--compare: %s is compared with nothing; give at least two",
                        args->operands[0]);
    if (!c3d_args_text(args, "--out"))
        return C3D_FAIL(C3D_ECONFIG, "--compare: --out DIR says where comparison.json goes");
    return C3D_OK;
}

static c3d_status print(const c3d_comm *comm, c3d_text *text)
{
    const c3d_status st = c3d_program_print(comm, text->text);

    c3d_text_free(text);
    return st;
}

static c3d_status compare(const c3d_comm *comm, const c3d_compared_runs *runs, const char *dir)
{
    c3d_comparison comparison;
    c3d_text text = { 0 };

    c3d_compare_print_settings(&runs->context, &text);
    c3d_text_add(&text, "\n");
    C3D_TRY(print(comm, &text));
    C3D_TRY(c3d_compare(&runs->desc, &comparison));
    c3d_status st = c3d_compare_write(dir, &comparison, &runs->context);
    if (st == C3D_OK) {
        c3d_compare_print(&comparison, &runs->context, &text);
        st = print(comm, &text);
    }
    c3d_comparison_free(&comparison);
    return st;
}

static c3d_status compare_alone(const c3d_comm *comm, const c3d_args *args)
{
    const c3d_compared_runs_desc desc = {
        .n_networks = args->n_operands,
        .dirs = args->operands,
        .split = c3d_args_text(args, "--split"),
        .threshold =
            c3d_args_given(args, "--threshold") ? c3d_args_real(args, "--threshold") : (double)NAN,
    };
    char dir[C3D_PATH_MAX];
    c3d_compared_runs runs;

    C3D_TRY(c3d_path_join(dir, NULL, c3d_args_text(args, "--out")));
    C3D_TRY(c3d_compared_runs_open(&desc, &runs));
    c3d_status st = c3d_make_dirs(dir);
    if (st == C3D_OK) st = compare(comm, &runs, dir);
    c3d_compared_runs_close(&runs);
    return st;
}

c3d_status c3d_compare_models(c3d_comm *comm, const c3d_args *args)
{
    return c3d_comm_agree_status(comm, comm->rank == 0 ? compare_alone(comm, args) : C3D_OK);
}
