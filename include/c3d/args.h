/* args: the command line of every program, from one row an option. Part of module config.
 *
 * A program says what it takes in a c3d_program; options that all programs have (--help, --version,
 * --set, --print-config, --log-format, --progress, --describe, --cite) are added here. Options may
 * stand anywhere, as --name VALUE or --name=VALUE; "--" ends them. Nothing here prints or exits. */
#ifndef C3D_ARGS_H
#define C3D_ARGS_H

#include "c3d/config.h"

typedef enum c3d_option_type {
    C3D_OPTION_FLAG,
    C3D_OPTION_TEXT,
    C3D_OPTION_INT,
    C3D_OPTION_REAL,
    C3D_OPTION_CHOICE
} c3d_option_type;

typedef struct c3d_option {
    const char *name; /* "--resume" */
    c3d_option_type type;
    const char *value;    /* what help calls the value: "auto|never|PATH"; CHOICE: the choices */
    const char *standard; /* default, as it would be typed; NULL: none */
    double min, max;      /* INT, REAL: inclusive */
    bool required;
    bool alone; /* with it the command may do without operands */
    const char *help;
} c3d_option;

typedef struct c3d_command {
    const char *name; /* "" for a program without subcommands */
    const char *summary;
    const char *operands; /* "CONFIG", "RUN..." for help; "" for none */
    int n_operands_min, n_operands_max;
    const c3d_option *options; /* [n_options], static */
    int n_options;
    bool has_config; /* takes --set and --print-config, and help lists the keys */
} c3d_command;

typedef struct c3d_program {
    const char *name; /* "c3d-train" */
    const char *summary;
    const c3d_command *commands; /* [n_commands], static */
    int n_commands;
    const char *libraries;          /* lines for --version: what was compiled in; NULL: none */
    void (*running)(c3d_text *out); /* adds lines on libraries found at run time; or NULL */
} c3d_program;

#define C3D_MAX_OPTIONS 32
typedef struct c3d_args {
    const c3d_program *program;
    const c3d_command *command; /* NULL only when `answer` is set */
    int n_operands;
    const char **operands; /* [n_operands], owned array of argv's texts */
    int n_sets;
    const char **sets; /* [n_sets] for c3d_config_parse; likewise */
    bool print_config;
    c3d_log_format log_format;
    c3d_progress_mode progress;
    const char *values[C3D_MAX_OPTIONS]; /* by row of command->options; NULL: not given */
    /* --help, --version, --describe, --cite: print this on standard output and end with 0. NULL
     * otherwise. */
    char *answer;
} c3d_args;

/* C3D_ECONFIG with one line: "--reusme: unknown option; did you mean --resume?". Pointers into argv
 * are kept. c3d_args_free, also after a failure. Sets the log's format and the mode of progress. */
C3D_CHECKED c3d_status c3d_args_parse(const c3d_program *program, int argc, char **argv,
                                      c3d_args *out);
void c3d_args_free(c3d_args *args);
/* Seconds between lines of progress where nothing else is configured: fewer for programs. */
double c3d_args_progress_s(const c3d_args *args);

/* Value of an option of this command, as given or its default; NULL when neither. Asking for an
 * option that has no row, or for another type, is our own mistake and aborts. */
const char *c3d_args_text(const c3d_args *args, const char *name); /* TEXT, CHOICE */
bool c3d_args_flag(const c3d_args *args, const char *name);
long long c3d_args_int(const c3d_args *args, const char *name); /* needs a default or required */
double c3d_args_real(const c3d_args *args, const char *name);   /* likewise */
bool c3d_args_given(const c3d_args *args, const char *name);

const char *c3d_version(void); /* "0.1.0" */

#endif
