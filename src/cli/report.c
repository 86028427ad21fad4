/* c3d-report: runs side by side as one HTML file. */
#include "c3d/report.h"
#include "c3d/args.h"
#include "c3d/raster.h"

static const c3d_option options[] = {
    { .name = "--out",
      .type = C3D_OPTION_TEXT,
      .value = "FILE.html",
      .required = true,
      .help = "the page to write" },
    { .name = "--comparison",
      .type = C3D_OPTION_TEXT,
      .value = "DIR",
      .help = "what c3d-evaluate --compare wrote there" },
    { .name = "--title", .type = C3D_OPTION_TEXT, .value = "TEXT", .help = "heading of the page" },
};
static const c3d_command command[] = {
    { .name = "",
      .summary = "runs side by side: scores with intervals, comparison, curves, pictures, data",
      .operands = "RUN...",
      .n_operands_min = 1,
      .n_operands_max = C3D_REPORT_MAX_RUNS,
      .options = options,
      .n_options = C3D_COUNT(options) },
};
static const c3d_program program = { .name = "c3d-report",
                                     .summary = "one offline HTML file with pictures",
                                     .commands = command,
                                     .n_commands = 1 };

static c3d_status report(const c3d_args *args)
{
    char made_by[64];

    if (args->answer) {
        if (fputs(args->answer, stdout) < 0 || fflush(stdout) != 0)
            return C3D_FAIL(C3D_EIO, "standard output: cannot be written");
        return C3D_OK;
    }
    (void)snprintf(made_by, sizeof made_by, "c3d-report %s", c3d_version());
    const c3d_report_desc desc = { .n_runs = args->n_operands,
                                   .runs = args->operands,
                                   .comparison = c3d_args_text(args, "--comparison"),
                                   .title = c3d_args_text(args, "--title"),
                                   .made_by = made_by };
    const char *out = c3d_args_text(args, "--out");
    c3d_text table = { 0 };

    c3d_raster_start();
    const c3d_status st = c3d_report_write(&desc, out, &table);
    if (st == C3D_OK) {
        c3d_log_run("%s%s: %d run%s", table.text ? table.text : "", out, args->n_operands,
                    args->n_operands == 1 ? "" : "s");
    }
    c3d_text_free(&table);
    return st;
}

int main(int argc, char **argv)
{
    c3d_args args;

    c3d_log_set(program.name, 0, 1);
    c3d_status st = c3d_args_parse(&program, argc, argv, &args);
    if (st == C3D_OK) st = report(&args);
    if (st != C3D_OK) c3d_log_error(c3d_error_last());
    c3d_args_free(&args);
    return c3d_exit_code(st);
}
