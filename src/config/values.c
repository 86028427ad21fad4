/* One value of the file or of --set into its member, or a mistake. */
#include "config/table.h"

#include <stdlib.h>
#include <string.h>

typedef struct slot {
    reader *r;
    const key_row *row;
    void *to;
    char got[96]; /* the value as a message shows it */
} slot;

static void describe(const node *value, char out[96])
{
    if (value->kind != NODE_SCALAR) {
        (void)snprintf(out, 96, "%s", value->kind == NODE_LIST ? "a list" : "a map");
    } else if (value->is_plain && !value->scalar[0]) {
        (void)snprintf(out, 96, "nothing");
    } else {
        const int n = (int)strlen(value->scalar);
        (void)snprintf(out, 96, "\"%.*s%s\"", n > 80 ? 77 : n, value->scalar, n > 80 ? "..." : "");
    }
}

static bool refuse(slot *s, const node *value, const char *expected)
{
    describe(value, s->got);
    c3d_config_mistake(s->r, value->origin, "%s: expected %s, got %s", s->row->key, expected,
                       s->got);
    return false;
}

static bool is_inside(slot *s, const node *value, double number)
{
    if (number >= s->row->min && number <= s->row->max) return true;
    c3d_config_mistake(s->r, value->origin, "%s: %s is outside [%.10g, %.10g]", s->row->key,
                       value->scalar, s->row->min, s->row->max);
    return false;
}

static bool store_whole(slot *s, const node *value)
{
    long long number;

    if (value->kind != NODE_SCALAR || !c3d_parse_int(value->scalar, &number)) {
        return refuse(s, value, "an integer");
    }
    if (!is_inside(s, value, (double)number)) return false;
    if (s->row->type == KEY_INT)
        *(int *)s->to = (int)number;
    else
        *(int64_t *)s->to = number;
    return true;
}

static bool store_real(slot *s, const node *value)
{
    double number;

    if (value->kind != NODE_SCALAR || !c3d_parse_real(value->scalar, &number)) {
        return refuse(s, value, "a number");
    }
    if (!is_inside(s, value, number)) return false;
    *(double *)s->to = number;
    return true;
}

static bool store_bool(slot *s, const node *value)
{
    const bool is_true = value->kind == NODE_SCALAR && strcmp(value->scalar, "true") == 0;

    if (value->kind != NODE_SCALAR || (!is_true && strcmp(value->scalar, "false") != 0)) {
        return refuse(s, value, "true or false");
    }
    *(bool *)s->to = is_true;
    return true;
}

static bool store_choice(slot *s, const node *value)
{
    const int choice =
        value->kind == NODE_SCALAR ? c3d_config_choice(s->row->choices, value->scalar) : -1;

    if (choice < 0) return refuse(s, value, s->row->choices);
    memcpy(s->to, &choice, sizeof choice);
    return true;
}

/* The lengths of well-formed UTF-8 sequences by first byte; what cannot be printed as YAML is
 * refused here. */
static bool is_utf8(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    while (*p) {
        const int more = *p < 0x80                 ? 0
                         : *p >= 0xc2 && *p < 0xe0 ? 1
                         : *p >= 0xe0 && *p < 0xf0 ? 2
                         : *p >= 0xf0 && *p < 0xf5 ? 3
                                                   : -1;
        if (more < 0) return false;
        p++;
        for (int i = 0; i < more; i++, p++) {
            if ((*p & 0xc0) != 0x80) return false;
        }
    }
    return true;
}

static bool store_text(slot *s, const node *value)
{
    if (value->kind != NODE_SCALAR) return refuse(s, value, "a text");
    if (!is_utf8(value->scalar)) return refuse(s, value, "a text in UTF-8");
    free(*(char **)s->to);
    *(char **)s->to = c3d_strdup(value->scalar);
    return true;
}

static bool store_texts(slot *s, const node *value)
{
    c3d_config_texts *to = s->to;

    if (value->kind != NODE_LIST) return refuse(s, value, "a list such as [a, b]");
    for (int i = 0; i < value->n; i++) {
        const node *item = &value->items[i];
        if (item->kind != NODE_SCALAR || !item->scalar[0] || !is_utf8(item->scalar)) {
            return refuse(s, item, "a text");
        }
    }
    for (int i = 0; i < to->n; i++) free(to->items[i]);
    free(to->items);
    *to = (c3d_config_texts){ .items = c3d_calloc((size_t)value->n + 1, sizeof *to->items) };
    for (int i = 0; to->items && i < value->n; i++) {
        to->items[to->n++] = c3d_strdup(value->items[i].scalar);
    }
    return true;
}

static bool store_reals(slot *s, const node *value)
{
    c3d_config_reals reals = { .n = (int)s->row->min };
    char expected[64];

    (void)snprintf(expected, sizeof expected, "a list of %d numbers", reals.n);
    if (value->kind != NODE_LIST) return refuse(s, value, expected);
    if (value->n != 0 && value->n != reals.n) {
        c3d_config_mistake(s->r, value->origin, "%s: expected %s, got %d", s->row->key, expected,
                           value->n);
        return false;
    }
    for (int i = 0; i < value->n; i++) {
        const node *item = &value->items[i];
        if (item->kind != NODE_SCALAR || !c3d_parse_real(item->scalar, &reals.items[i]) ||
            !(reals.items[i] > -1e300 && reals.items[i] < 1e300)) {
            return refuse(s, item, "a number");
        }
    }
    reals.n = value->n;
    *(c3d_config_reals *)s->to = reals;
    return true;
}

static bool digits(const char **p, int n, int *out)
{
    *out = 0;
    for (int i = 0; i < n; i++, ++*p) {
        if (**p < '0' || **p > '9') return false;
        *out = *out * 10 + (**p - '0');
    }
    return true;
}

/* "YYYY-MM" or "YYYY-MM-DD" */
static bool date(const char **p, int32_t *out)
{
    int year, month, day = 0;

    if (!digits(p, 4, &year) || *(*p)++ != '-' || !digits(p, 2, &month)) return false;
    if (**p == '-') {
        ++*p;
        if (!digits(p, 2, &day) || day < 1 || day > 31) return false;
    }
    if (month < 1 || month > 12) return false;
    *out = year * 10000 + month * 100 + day;
    return true;
}

/* "YYYY" alone is its first or its last month. */
static bool date_of_span(const char **p, bool is_last, int32_t *out)
{
    const char *rest = *p;
    int year;

    if (!digits(&rest, 4, &year) || *rest == '-') return date(p, out);
    *out = year * 10000 + (is_last ? 1200 : 100);
    *p = rest;
    return true;
}

static bool store_span(slot *s, const node *value)
{
    c3d_config_span span = { 0, 0 };
    const char *p = value->scalar;

    if (value->kind != NODE_SCALAR) return refuse(s, value, "START/END");
    if (*p && (!date_of_span(&p, false, &span.first) || *p++ != '/' ||
               !date_of_span(&p, true, &span.last) || *p)) {
        return refuse(s, value, "START/END such as 2020-09/2024-05 or 2020/2024");
    }
    if ((span.last % 100 ? span.last : span.last + 31) < span.first) {
        c3d_config_mistake(s->r, value->origin, "%s: %s ends before it begins", s->row->key,
                           value->scalar);
        return false;
    }
    *(c3d_config_span *)s->to = span;
    return true;
}

/* A value of a vector file's field: it does not begin like a number. */
static bool add_text(slot *s, const node *value, c3d_config_class *to)
{
    if (strlen(value->scalar) >= sizeof to->texts[0])
        return refuse(s, value, "a text of at most 47 bytes");
    if (to->n_texts == C3D_CONFIG_MAX_TEXTS) {
        c3d_config_mistake(s->r, value->origin, "%s: more than %d texts for %s", s->row->key,
                           C3D_CONFIG_MAX_TEXTS, to->name);
        return false;
    }
    (void)snprintf(to->texts[to->n_texts++], sizeof to->texts[0], "%s", value->scalar);
    return true;
}

/* "30", "101-130", or a text */
static bool add_value(slot *s, const node *value, c3d_config_class *to)
{
    const char *dash = value->kind == NODE_SCALAR ? strchr(value->scalar, '-') : NULL;
    char first[16] = "";
    long long from, until;

    if (value->kind != NODE_SCALAR) return refuse(s, value, "a code or a range such as 101-130");
    if (value->scalar[0] != 0 && strchr("0123456789-+.", value->scalar[0]) == NULL)
        return add_text(s, value, to);
    (void)snprintf(first, sizeof first, "%.*s", (int)(dash ? dash - value->scalar : 15),
                   value->scalar);
    if (!c3d_parse_int(first, &from) || !c3d_parse_int(dash ? dash + 1 : first, &until) ||
        from < 0 || until < from || until > 65535) {
        return refuse(s, value, "a code in 0..65535 or a range such as 101-130");
    }
    if (to->n_ranges == C3D_CONFIG_MAX_RANGES) {
        c3d_config_mistake(s->r, value->origin, "%s: more than %d codes and ranges for %s",
                           s->row->key, C3D_CONFIG_MAX_RANGES, to->name);
        return false;
    }
    to->ranges[to->n_ranges][0] = (int)from;
    to->ranges[to->n_ranges++][1] = (int)until;
    return true;
}

static bool is_class_name(const char *name)
{
    const size_t n = strlen(name);
    return n > 0 && n < sizeof(((c3d_config_class *)0)->name) &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == n;
}

static bool read_class(slot *s, const node *name, const node *codes, c3d_config_class *to)
{
    if (name->kind != NODE_SCALAR || !is_class_name(name->scalar)) {
        return refuse(s, name, "a name of at most 31 letters, digits, _ or -");
    }
    (void)snprintf(to->name, sizeof to->name, "%s", name->scalar);
    if (codes->kind == NODE_SCALAR) return add_value(s, codes, to);
    if (codes->kind == NODE_MAP || codes->n == 0) return refuse(s, codes, "a list of codes");
    for (int i = 0; i < codes->n; i++) {
        if (!add_value(s, &codes->items[i], to)) return false;
    }
    return true;
}

static bool store_classes(slot *s, const node *value)
{
    c3d_config_classes classes = { 0 };
    bool is_good = true;

    if (value->kind != NODE_MAP) return refuse(s, value, "a map such as {mining: [30]}");
    classes.items = c3d_calloc((size_t)value->n / 2 + 1, sizeof *classes.items);
    for (int i = 0; classes.items && is_good && i < value->n; i += 2) {
        c3d_config_class *to = &classes.items[classes.n++];
        is_good = read_class(s, &value->items[i], &value->items[i + 1], to);
        for (int j = 0; is_good && j < classes.n - 1; j++) {
            if (strcmp(classes.items[j].name, to->name) != 0) continue;
            c3d_config_mistake(s->r, value->items[i].origin, "%s: %s is given twice", s->row->key,
                               to->name);
            is_good = false;
        }
    }
    c3d_config_classes *to = s->to;
    if (is_good) {
        free(to->items);
        *to = classes;
    } else {
        free(classes.items);
    }
    return is_good;
}

static bool store(slot *s, const node *value)
{
    switch (s->row->type) {
    case KEY_INT:
    case KEY_LONG: return store_whole(s, value);
    case KEY_REAL: return store_real(s, value);
    case KEY_BOOL: return store_bool(s, value);
    case KEY_CHOICE: return store_choice(s, value);
    case KEY_TEXT: return store_text(s, value);
    case KEY_TEXTS: return store_texts(s, value);
    case KEY_REALS: return store_reals(s, value);
    case KEY_SPAN: return store_span(s, value);
    case KEY_CLASSES: return store_classes(s, value);
    }
    return false;
}

void c3d_config_store(reader *r, int index, const node *value)
{
    const key_row *row = &c3d_config_keys[index];
    slot s = { .r = r, .row = row, .to = key_value(r->config, row) };
    const bool is_null = value->kind == NODE_SCALAR && value->is_plain &&
                         value->origin.source == C3D_CONFIG_FROM_FILE &&
                         (!value->scalar[0] || strcmp(value->scalar, "~") == 0 ||
                          strcmp(value->scalar, "null") == 0);

    if (is_null) c3d_config_mistake(r, value->origin, "%s: no value given", row->key);
    if (is_null || !store(&s, value)) r->wrong[index] = true;
    r->config->origins[index] = value->origin;
}
