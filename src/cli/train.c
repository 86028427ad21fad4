/* c3d-train: trains a network on a dataset, alone or as one of many ranks. */
#include "cli/program.h"

#include "c3d/train.h"

#include <string.h>

static const c3d_option options[] = {
    { .name = "--resume",
      .type = C3D_OPTION_TEXT,
      .value = "auto|never|PATH",
      .standard = "auto",
      .help = "continue from the newest checkpoint of run.dir if there is one (auto), move an old "
              "run away and start anew (never), or continue from a checkpoint (PATH)" },
    { .name = "--plan",
      .type = C3D_OPTION_FLAG,
      .help = "say what the run would need instead of running it: layers, memory, reading, and the "
              "time of an epoch from a short trial; nothing is written, and data.store may be "
              "absent" },
    { .name = "--check",
      .type = C3D_OPTION_FLAG,
      .alone = true,
      .help = "look at where the run would run instead of running it: ranks, cores, devices, "
              "versions, the speed of sums and of reading, free space; warns of what is set up "
              "badly; CONFIG may be left out, then only ranks, devices and sums" },
    { .name = "--debug",
      .type = C3D_OPTION_FLAG,
      .help = "do not train: look at one batch, layer by layer, compare with the reference, check "
              "gradients, learn the batch by heart, and say what is wrong; with --resume PATH the "
              "parameters of a checkpoint; ends with 1 for a wrong result, 5 for a network that "
              "does not learn; writes no files" },
};
static const c3d_command commands[] = {
    { .name = "",
      .summary = "Train a 3D or 2D convolutional network on satellite time series.",
      .operands = "CONFIG",
      .n_operands_min = 1,
      .n_operands_max = 1,
      .options = options,
      .n_options = C3D_COUNT(options),
      .has_config = true },
};
static const c3d_program program = {
    .name = "c3d-train",
    .summary = "mpirun -np N c3d-train CONFIG",
    .commands = commands,
    .n_commands = C3D_COUNT(commands),
    .libraries = C3D_LIBRARIES,
    .running = c3d_train_versions,
};

static c3d_resume resume_of(const char *word)
{
    if (!strcmp(word, "auto")) return C3D_RESUME_AUTO;
    return strcmp(word, "never") ? C3D_RESUME_PATH : C3D_RESUME_NEVER;
}

static c3d_status train(c3d_comm *comm, const c3d_args *args, const c3d_config *config)
{
    const char *resume = c3d_args_text(args, "--resume");
    const bool is_given = c3d_config_is_given(config, "run.log_every_s");
    c3d_run run;

    c3d_progress_set_mode(args->progress,
                          is_given ? config->run.log_every_s : c3d_args_progress_s(args));
    c3d_status st = c3d_run_open(&run, comm, config, resume_of(resume), resume);
    if (st == C3D_OK) st = c3d_run_train(&run);
    if (st != C3D_OK) c3d_comm_give_up(comm);
    c3d_run_close(&run);
    return st;
}

static c3d_status say(void *context, const char *line)
{
    C3D_TRY(c3d_program_print(context, line));
    return c3d_program_print(context, "\n");
}

static c3d_status debug(c3d_comm *comm, const c3d_args *args, const c3d_config *config)
{
    const char *resume = c3d_args_text(args, "--resume");
    const char *checkpoint = resume_of(resume) == C3D_RESUME_PATH ? resume : NULL;
    c3d_findings found;

    C3D_TRY(
        c3d_comm_agree_status(comm, c3d_run_debug(comm, config, checkpoint, say, comm, &found)));
    for (int i = 0; i < found.n; i++)
        if (found.list[i].kind == C3D_FINDING_WRONG || found.list[i].kind == C3D_FINDING_GRADIENT)
            return C3D_FAIL(C3D_EINTERNAL, "%s", found.list[i].what);
    return found.n == 0 ? C3D_OK : C3D_FAIL(C3D_EDIVERGED, "%s", found.list[0].what);
}

static c3d_status print_config(const c3d_comm *comm, const c3d_config *config)
{
    c3d_text yaml = { 0 };

    c3d_config_print(config, &yaml);
    const c3d_status st = c3d_program_print(comm, yaml.text);
    c3d_text_free(&yaml);
    return st;
}

static c3d_config_use use_of(const c3d_args *args)
{
    if (c3d_args_flag(args, "--check")) return C3D_CONFIG_FOR_READING;
    if (c3d_args_flag(args, "--plan")) return C3D_CONFIG_FOR_PLAN;
    return c3d_args_flag(args, "--debug") ? C3D_CONFIG_FOR_DEBUG : C3D_CONFIG_FOR_TRAIN;
}

static c3d_status run(c3d_comm *comm, const c3d_args *args, const c3d_config *config)
{
    const bool plans = c3d_args_flag(args, "--plan"), checks = c3d_args_flag(args, "--check");
    const bool debugs = c3d_args_flag(args, "--debug");

    if (plans + checks + debugs > 1)
        return C3D_FAIL(C3D_ECONFIG, "--plan, --check and --debug: one at a time");
    if (args->print_config) return print_config(comm, config);
    if (plans) return c3d_run_plan(comm, config, stdout);
    if (checks) return c3d_run_check(comm, config, stdout);
    if (debugs) return debug(comm, args, config);
    return train(comm, args, config);
}

int main(int argc, char **argv)
{
    c3d_comm comm;
    c3d_args args;
    c3d_config config = { 0 };
    c3d_status st = c3d_program_start(&program, argc, argv, &comm, &args);

    if (st == C3D_OK && args.answer) {
        st = c3d_program_print(&comm, args.answer);
    } else if (st == C3D_OK) {
        st = c3d_program_config(&comm, &args, use_of(&args), &config);
        if (st == C3D_OK) st = run(&comm, &args, &config);
    }
    c3d_config_free(&config);
    return c3d_program_end(&comm, &args, st);
}
