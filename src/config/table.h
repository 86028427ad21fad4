/* The table of keys and what the files of this module share. */
#ifndef C3D_CONFIG_TABLE_H
#define C3D_CONFIG_TABLE_H

#include "c3d/config.h"

typedef enum key_type {
    KEY_INT,     /* int */
    KEY_LONG,    /* int64_t */
    KEY_REAL,    /* double */
    KEY_BOOL,    /* bool */
    KEY_CHOICE,  /* an enum of config.h */
    KEY_TEXT,    /* char * */
    KEY_TEXTS,   /* c3d_config_texts */
    KEY_REALS,   /* c3d_config_reals; min is the count */
    KEY_SPAN,    /* c3d_config_span */
    KEY_CLASSES, /* c3d_config_classes */
} key_type;

typedef struct key_row {
    const char *key;
    key_type type;
    size_t offset;
    const char *standard; /* the default, as in a file */
    double min, max;      /* numbers: inclusive */
    const char *choices;  /* "a|b|c" */
    const char *unit;     /* "" when none */
    const char *help;
    c3d_config_policy policy;
    const char *warning; /* of C3D_CONFIG_WARN: what a change means to a run that goes on */
} key_row;

extern const key_row c3d_config_keys[];
extern const int c3d_config_n_keys;

/* Row of a key, or -1. */
int c3d_config_find(const char *key);
/* Place of a word in "a|b|c", or -1. */
int c3d_config_choice(const char *choices, const char *word);
static inline void *key_value(const c3d_config *config, const key_row *row)
{
    return (char *)(uintptr_t)config + row->offset;
}
void c3d_config_print_value(const c3d_config *config, const key_row *row, c3d_text *out);
/* "integer in [1, 4096]", "one of a|b" */
void c3d_config_print_domain(const key_row *row, c3d_text *out);

/* ---- mistakes -------------------------------------------------------------------------------- */

#define MAX_MISTAKES 20
typedef struct mistake {
    c3d_config_origin origin; /* FROM_DEFAULT: the file as a whole */
    char *text;               /* "KEY: what is wrong" */
} mistake;
typedef struct reader {
    c3d_config *config;
    const c3d_config_source_text *source;
    mistake mistakes[MAX_MISTAKES];
    int n_mistakes; /* may exceed the array: counted, not kept */
    bool wrong[C3D_CONFIG_MAX_KEYS];
} reader;
void c3d_config_mistake(reader *r, c3d_config_origin origin, const char *format, ...)
    C3D_PRINTF(3, 4);

/* ---- values ---------------------------------------------------------------------------------- */

/* A value as the file or --set gave it, freed from libyaml: a tree of at most three levels. */
typedef enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP } node_kind;
typedef struct node {
    node_kind kind;
    c3d_config_origin origin;
    bool is_plain; /* scalar without quotes */
    char *scalar;  /* owned; NUL-terminated */
    int n;         /* list: items; map: pairs, keys at even places */
    struct node *items;
} node;
void c3d_config_node_free(node *tree); /* not the top node itself */
/* YAML text -> tree. False: a mistake was listed. An empty text gives an empty map. */
bool c3d_config_node_read(reader *r, const char *text, size_t n_bytes, c3d_config_source source,
                          const char *key, node *out);
/* Stores a value, or lists what is wrong with it. */
void c3d_config_store(reader *r, int row, const node *value);

/* Rules between keys, required keys, keys whose feature does not exist yet. */
void c3d_config_check(reader *r);

#endif
