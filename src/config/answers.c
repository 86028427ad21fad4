#include "config/answers.h"

#include <stdlib.h>
#include <string.h>

const char *c3d_version(void)
{
    return C3D_VERSION;
}

static void put_option(const c3d_option *option, c3d_text *out)
{
    char left[96];

    (void)snprintf(left, sizeof left, "%s%s%s", option->name, option->value ? " " : "",
                   option->value ? option->value : "");
    c3d_text_add(out, "  %-34s %s", left, option->help);
    if (option->standard) c3d_text_add(out, " (default %s)", option->standard);
    if (option->required) c3d_text_add(out, " (required)");
    c3d_text_add(out, "\n");
}

static void put_usage(const c3d_program *program, const c3d_command *command, c3d_text *out)
{
    c3d_text_add(out, "%s%s%s%s%s [OPTION...]", program->name, command->name[0] ? " " : "",
                 command->name, command->operands[0] ? " " : "", command->operands);
}

static void put_commands(const c3d_program *program, c3d_text *out)
{
    c3d_text_add(out, "\n\ncommands (%s COMMAND --help says more):\n", program->name);
    for (int i = 0; i < program->n_commands; i++) {
        c3d_text usage = { 0 };
        put_usage(program, &program->commands[i], &usage);
        c3d_text_add(out, "  %s\n      %s\n", usage.text, program->commands[i].summary);
        c3d_text_free(&usage);
    }
}

static void put_own_options(const c3d_command *command, c3d_text *out)
{
    c3d_text_add(out, "\n\noptions:\n");
    for (int i = 0; i < command->n_options; i++) put_option(&command->options[i], out);
}

void c3d_answer_help(const c3d_program *program, const c3d_command *command, c3d_text *out)
{
    const bool has_config = command && command->has_config;

    c3d_text_add(out, "%s: %s\n\nusage: ", program->name,
                 command && command->name[0] ? command->summary : program->summary);
    if (command) {
        put_usage(program, command, out);
        put_own_options(command, out);
    } else {
        c3d_text_add(out, "%s COMMAND ...", program->name);
        put_commands(program, out);
        c3d_text_add(out, "\noptions:\n");
    }
    for (int i = 0; i < C3D_N_COMMON; i++) {
        const char *name = c3d_common_options[i].name;
        const bool needs_config = strcmp(name, "--set") == 0 || strcmp(name, "--print-config") == 0;
        if (has_config || !needs_config) put_option(&c3d_common_options[i], out);
    }
    if (has_config) {
        c3d_text_add(out, "\nkeys of the configuration:\n");
        c3d_config_help(out);
    }
    c3d_text_add(out, "\nexit codes: 0 done, 1 internal error, 2 usage or configuration, 3 data or "
                      "files,\n  4 device or MPI, 5 training diverged, 75 stopped on request after "
                      "saving: run it again\n");
}

void c3d_answer_version(const c3d_program *program, c3d_text *out)
{
    c3d_text_add(out, "%s %s\n", program->name, c3d_version());
    if (program->libraries) c3d_text_add(out, "%s\n", program->libraries);
    if (program->running) program->running(out);
}

void c3d_answer_cite(c3d_text *out)
{
    c3d_text_add(
        out,
        "c3d-train %s, with the methods it is built on:\n"
        "  Tran, Bourdev, Fergus, Torresani, Paluri: Learning Spatiotemporal Features with 3D\n"
        "    Convolutional Networks. ICCV 2015. (the network c3d)\n"
        "  Kingma, Ba: Adam: A Method for Stochastic Optimization. ICLR 2015.\n"
        "  He, Zhang, Ren, Sun: Delving Deep into Rectifiers. ICCV 2015. (initial weights)\n"
        "  Salmon, Moraes, Dror, Shaw: Parallel Random Numbers: As Easy as 1, 2, 3. SC 2011.\n"
        "Cite also the imagery and the label maps you used; their licence lines are in the\n"
        "dataset's dataset.json.\n",
        c3d_version());
}

/* ---- --describe json ------------------------------------------------------------------------- */

static c3d_json *describe_option(const c3d_option *option)
{
    static const char *const types[] = { [C3D_OPTION_FLAG] = "flag",
                                         [C3D_OPTION_TEXT] = "text",
                                         [C3D_OPTION_INT] = "integer",
                                         [C3D_OPTION_REAL] = "number",
                                         [C3D_OPTION_CHOICE] = "choice" };
    c3d_json *json = c3d_json_object();

    c3d_json_set(json, "name", c3d_json_string(option->name));
    c3d_json_set(json, "type", c3d_json_string(types[option->type]));
    if (option->value) c3d_json_set(json, "value", c3d_json_string(option->value));
    if (option->standard) c3d_json_set(json, "default", c3d_json_string(option->standard));
    if (option->type == C3D_OPTION_INT || option->type == C3D_OPTION_REAL) {
        c3d_json_set(json, "min", c3d_json_real(option->min));
        c3d_json_set(json, "max", c3d_json_real(option->max));
    }
    c3d_json_set(json, "required", c3d_json_bool(option->required));
    if (option->alone) c3d_json_set(json, "alone", c3d_json_bool(true));
    c3d_json_set(json, "help", c3d_json_string(option->help));
    return json;
}

static c3d_json *describe_command(const c3d_command *command)
{
    c3d_json *json = c3d_json_object(), *options = c3d_json_array();

    c3d_json_set(json, "name", c3d_json_string(command->name));
    c3d_json_set(json, "summary", c3d_json_string(command->summary));
    c3d_json_set(json, "operands", c3d_json_string(command->operands));
    for (int i = 0; i < command->n_options; i++) {
        c3d_json_append(options, describe_option(&command->options[i]));
    }
    c3d_json_set(json, "options", options);
    c3d_json_set(json, "has_config", c3d_json_bool(command->has_config));
    return json;
}

void c3d_answer_describe(const c3d_program *program, c3d_text *out)
{
    c3d_json *json = c3d_json_object(), *commands = c3d_json_array(), *common = c3d_json_array();
    bool has_config = false;

    for (int i = 0; i < program->n_commands; i++) {
        c3d_json_append(commands, describe_command(&program->commands[i]));
        has_config = has_config || program->commands[i].has_config;
    }
    for (int i = 0; i < C3D_N_COMMON; i++) {
        c3d_json_append(common, describe_option(&c3d_common_options[i]));
    }
    c3d_json_set(json, "program", c3d_json_string(program->name));
    c3d_json_set(json, "version", c3d_json_string(c3d_version()));
    c3d_json_set(json, "summary", c3d_json_string(program->summary));
    c3d_json_set(json, "commands", commands);
    c3d_json_set(json, "options", common);
    if (has_config) c3d_json_set(json, "keys", c3d_config_describe());
    char *text = c3d_json_text(json, true);
    c3d_text_add(out, "%s\n", text);
    free(text);
    c3d_json_free(json);
}
