#include "c3d/args.h"
#include "config/answers.h"
#include "config/table.h"

#include <stdlib.h>
#include <string.h>

const c3d_option c3d_common_options[] = {
    { .name = "--help", .type = C3D_OPTION_FLAG, .help = "print this" },
    { .name = "--version",
      .type = C3D_OPTION_FLAG,
      .help = "print the version and what was compiled in" },
    { .name = "--cite", .type = C3D_OPTION_FLAG, .help = "print what to cite" },
    { .name = "--describe",
      .type = C3D_OPTION_CHOICE,
      .value = "json",
      .help = "print options and keys for front ends" },
    { .name = "--log-format",
      .type = C3D_OPTION_CHOICE,
      .value = "text|json",
      .standard = "text",
      .help = "form of the log's lines" },
    { .name = "--progress",
      .type = C3D_OPTION_CHOICE,
      .value = "auto|always|never|json",
      .standard = "auto",
      .help = "a bar on a terminal and plain lines elsewhere (auto), a bar, nothing, or a JSON "
              "object a line on standard error" },
    { .name = "--set",
      .type = C3D_OPTION_TEXT,
      .value = "KEY=VALUE",
      .help = "a key of the configuration; may be repeated" },
    { .name = "--print-config",
      .type = C3D_OPTION_FLAG,
      .help = "print the effective configuration and end" },
};
enum { HELP, VERSION, CITE, DESCRIBE, LOG_FORMAT, PROGRESS, SET, PRINT_CONFIG };
_Static_assert(C3D_COUNT(c3d_common_options) == C3D_N_COMMON, "names and rows of common options");

typedef struct scanner {
    c3d_args *args;
    int argc, next;
    char **argv;
    const char *common[C3D_N_COMMON];
} scanner;

static bool is_allowed_common(const c3d_args *args, size_t i)
{
    return (args->command && args->command->has_config) || (i != SET && i != PRINT_CONFIG);
}

static const c3d_option *find_option(const c3d_args *args, const char *name, const char ***slot,
                                     scanner *s)
{
    const c3d_command *command = args->command;

    for (int i = 0; command && i < command->n_options; i++) {
        if (strcmp(command->options[i].name, name) != 0) continue;
        *slot = &s->args->values[i];
        return &command->options[i];
    }
    for (size_t i = 0; i < C3D_N_COMMON; i++) {
        if (!is_allowed_common(args, i) || strcmp(c3d_common_options[i].name, name) != 0) continue;
        *slot = &s->common[i];
        return &c3d_common_options[i];
    }
    return NULL;
}

static c3d_status unknown_option(const c3d_args *args, const char *name)
{
    const char *names[C3D_MAX_OPTIONS + C3D_N_COMMON];
    size_t n = 0;

    for (int i = 0; args->command && i < args->command->n_options; i++) {
        names[n++] = args->command->options[i].name;
    }
    for (size_t i = 0; i < C3D_N_COMMON; i++) {
        if (is_allowed_common(args, i)) names[n++] = c3d_common_options[i].name;
    }
    const char *near = c3d_nearest(name, names, n);
    return C3D_FAIL(C3D_ECONFIG, "%s: unknown option%s%s%s", name, near ? "; did you mean " : "",
                    near ? near : "", near ? "?" : "; see --help");
}

static c3d_status check_value(const c3d_option *option, const char *value)
{
    long long whole = 0;
    double real = 0;

    if (option->type == C3D_OPTION_CHOICE && c3d_config_choice(option->value, value) < 0) {
        return C3D_FAIL(C3D_ECONFIG, "%s: expected %s, got \"%s\"", option->name, option->value,
                        value);
    }
    if (option->type == C3D_OPTION_INT) {
        if (!c3d_parse_int(value, &whole)) {
            return C3D_FAIL(C3D_ECONFIG, "%s: expected an integer, got \"%s\"", option->name,
                            value);
        }
        real = (double)whole;
    } else if (option->type == C3D_OPTION_REAL) {
        if (!c3d_parse_real(value, &real)) {
            return C3D_FAIL(C3D_ECONFIG, "%s: expected a number, got \"%s\"", option->name, value);
        }
    } else {
        return C3D_OK;
    }
    if (real >= option->min && real <= option->max) return C3D_OK;
    return C3D_FAIL(C3D_ECONFIG, "%s: %s is outside [%.10g, %.10g]", option->name, value,
                    option->min, option->max);
}

static c3d_status read_option(scanner *s, const char *word)
{
    const char *equals = strchr(word, '='), **slot = NULL;
    char name[64];

    (void)snprintf(name, sizeof name, "%.*s", (int)(equals ? equals - word : 63), word);
    const c3d_option *option = find_option(s->args, name, &slot, s);
    if (!option) return unknown_option(s->args, name);
    if (option->type == C3D_OPTION_FLAG) {
        if (equals) return C3D_FAIL(C3D_ECONFIG, "%s: takes no value", name);
        *slot = "";
        return C3D_OK;
    }
    if (!equals && s->next == s->argc) {
        return C3D_FAIL(C3D_ECONFIG, "%s: expected %s after it", name, option->value);
    }
    const char *value = equals ? equals + 1 : s->argv[s->next++];
    C3D_TRY(check_value(option, value));
    if (option == &c3d_common_options[SET]) {
        s->args->sets[s->args->n_sets++] = value;
        return C3D_OK;
    }
    if (*slot) return C3D_FAIL(C3D_ECONFIG, "%s: given twice", name);
    *slot = value;
    return C3D_OK;
}

static c3d_status choose_command(scanner *s, const char *word)
{
    const c3d_program *program = s->args->program;
    const char *names[32];
    size_t n = 0;

    for (int i = 0; i < program->n_commands && n < C3D_COUNT(names); i++) {
        names[n++] = program->commands[i].name;
        if (strcmp(program->commands[i].name, word) != 0) continue;
        s->args->command = &program->commands[i];
        return C3D_OK;
    }
    const char *near = c3d_nearest(word, names, n);
    return C3D_FAIL(C3D_ECONFIG, "%s: unknown command%s%s%s", word, near ? "; did you mean " : "",
                    near ? near : "", near ? "?" : "; see --help");
}

static c3d_status scan(scanner *s)
{
    bool has_ended = false; /* "--" was seen */

    while (s->next < s->argc) {
        const char *word = s->argv[s->next++];
        if (!has_ended && strcmp(word, "--") == 0) {
            has_ended = true;
        } else if (!has_ended && word[0] == '-' && word[1]) {
            C3D_TRY(read_option(s, strcmp(word, "-h") == 0 ? "--help" : word));
        } else if (!s->args->command) {
            C3D_TRY(choose_command(s, word));
        } else {
            s->args->operands[s->args->n_operands++] = word;
        }
    }
    return C3D_OK;
}

static c3d_status check_complete(const c3d_args *args)
{
    const c3d_command *command = args->command;
    bool is_alone = false;

    if (!command) return C3D_FAIL(C3D_ECONFIG, "which command? see %s --help", args->program->name);
    for (int i = 0; i < command->n_options; i++) {
        if (command->options[i].required && !args->values[i]) {
            return C3D_FAIL(C3D_ECONFIG, "%s: required, not given", command->options[i].name);
        }
        is_alone = is_alone || (command->options[i].alone && args->values[i]);
    }
    if (args->n_operands < command->n_operands_min && !(is_alone && args->n_operands == 0)) {
        return C3D_FAIL(C3D_ECONFIG, "expected %s, got %s; see --help", command->operands,
                        args->n_operands ? "fewer" : "nothing");
    }
    if (args->n_operands > command->n_operands_max) {
        return C3D_FAIL(C3D_ECONFIG, "%s: unexpected; expected %s",
                        args->operands[command->n_operands_max],
                        command->n_operands_max ? command->operands : "options only");
    }
    return C3D_OK;
}

static int common_choice(const scanner *s, int option)
{
    return c3d_config_choice(c3d_common_options[option].value, s->common[option]);
}

double c3d_args_progress_s(const c3d_args *args)
{
    return args->progress == C3D_PROGRESS_JSON ? 1 : 10;
}

static c3d_status interpret(scanner *s)
{
    c3d_args *args = s->args;
    c3d_text answer = { 0 };

    if (s->common[HELP])
        c3d_answer_help(args->program, args->command, &answer);
    else if (s->common[VERSION])
        c3d_answer_version(args->program, &answer);
    else if (s->common[CITE])
        c3d_answer_cite(&answer);
    else if (s->common[DESCRIBE])
        c3d_answer_describe(args->program, &answer);
    args->answer = answer.text; /* taken */
    if (args->answer) return C3D_OK;

    args->print_config = s->common[PRINT_CONFIG] != NULL;
    if (s->common[PROGRESS]) {
        args->progress = (c3d_progress_mode)common_choice(s, PROGRESS);
        c3d_progress_set_mode(args->progress, c3d_args_progress_s(args));
    }
    return check_complete(args);
}

c3d_status c3d_args_parse(const c3d_program *program, int argc, char **argv, c3d_args *out)
{
    scanner s = { .args = out, .argc = argc, .next = 1, .argv = argv };

    *out = (c3d_args){ .program = program };
    if (program->n_commands == 1 && !program->commands[0].name[0]) {
        out->command = &program->commands[0];
    }
    out->operands = c3d_calloc((size_t)argc + 1, sizeof *out->operands);
    out->sets = c3d_calloc((size_t)argc + 1, sizeof *out->sets);
    if (!out->operands || !out->sets) return C3D_ENOMEM;
    const c3d_status st = scan(&s);
    if (s.common[LOG_FORMAT]) { /* also for what is wrong with the rest */
        out->log_format = (c3d_log_format)common_choice(&s, LOG_FORMAT);
        c3d_log_set_format(out->log_format);
    }
    return st == C3D_OK ? interpret(&s) : st;
}

void c3d_args_free(c3d_args *args)
{
    free(args->operands);
    free(args->sets);
    free(args->answer);
    *args = (c3d_args){ 0 };
}

/* ---- asking ---------------------------------------------------------------------------------- */

static const c3d_option *option_of(const c3d_args *args, const char *name, const char **value)
{
    for (int i = 0; i < args->command->n_options; i++) {
        const c3d_option *option = &args->command->options[i];
        if (strcmp(option->name, name) != 0) continue;
        *value = args->values[i] ? args->values[i] : option->standard;
        return option;
    }
    c3d_assert_failed(name, __FILE__, __LINE__);
}

const char *c3d_args_text(const c3d_args *args, const char *name)
{
    const char *value;
    const c3d_option_type type = option_of(args, name, &value)->type;

    C3D_ASSERT(type == C3D_OPTION_TEXT || type == C3D_OPTION_CHOICE);
    return value;
}

bool c3d_args_flag(const c3d_args *args, const char *name)
{
    const char *value;

    C3D_ASSERT(option_of(args, name, &value)->type == C3D_OPTION_FLAG);
    return value != NULL;
}

long long c3d_args_int(const c3d_args *args, const char *name)
{
    const char *value;
    long long number = 0;

    C3D_ASSERT(option_of(args, name, &value)->type == C3D_OPTION_INT);
    C3D_ASSERT(value && c3d_parse_int(value, &number));
    return number;
}

double c3d_args_real(const c3d_args *args, const char *name)
{
    const char *value;
    double number = 0;

    C3D_ASSERT(option_of(args, name, &value)->type == C3D_OPTION_REAL);
    C3D_ASSERT(value && c3d_parse_real(value, &number));
    return number;
}

bool c3d_args_given(const c3d_args *args, const char *name)
{
    for (int i = 0; i < args->command->n_options; i++) {
        if (strcmp(args->command->options[i].name, name) == 0) return args->values[i] != NULL;
    }
    c3d_assert_failed(name, __FILE__, __LINE__);
}
