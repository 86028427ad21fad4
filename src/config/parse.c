/* Defaults, then the file, then --set, then the rules; all mistakes are collected on the way. */
#include "config/table.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PATH 160

void c3d_config_mistake(reader *r, c3d_config_origin origin, const char *format, ...)
{
    char text[512];
    va_list arguments;

    if (r->n_mistakes++ >= MAX_MISTAKES) return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    r->mistakes[r->n_mistakes - 1] = (mistake){ .origin = origin, .text = c3d_strdup(text) };
}

/* ---- unknown keys ---------------------------------------------------------------------------- */

static bool is_section(const char *path)
{
    const size_t n = strlen(path);

    for (int i = 0; i < c3d_config_n_keys; i++) {
        const char *key = c3d_config_keys[i].key;
        if (strncmp(key, path, n) == 0 && key[n] == '.') return true;
    }
    return false;
}

/* What stands where `path` stands and looks like it, else a key of the same name elsewhere. */
static bool suggest(const char *path, char out[MAX_PATH])
{
    const char *dot = strrchr(path, '.');
    const size_t n_prefix = dot ? (size_t)(dot - path) + 1 : 0;
    const char *leaf = path + n_prefix, *names[C3D_CONFIG_MAX_KEYS] = { 0 };
    char storage[C3D_CONFIG_MAX_KEYS][64];
    size_t n = 0;

    for (int i = 0; i < c3d_config_n_keys; i++) {
        const char *key = c3d_config_keys[i].key;
        if (strncmp(key, path, n_prefix) != 0) continue;
        (void)snprintf(storage[n], sizeof storage[n], "%.*s", (int)strcspn(key + n_prefix, "."),
                       key + n_prefix);
        names[n] = storage[n];
        n++;
    }
    const char *nearest = c3d_nearest(leaf, names, n);
    if (nearest) {
        (void)snprintf(out, MAX_PATH, "%.*s%s", (int)n_prefix, path, nearest);
        return true;
    }
    for (int i = 0; i < c3d_config_n_keys; i++) {
        const char *last = strrchr(c3d_config_keys[i].key, '.');
        if (strcmp(last + 1, leaf) != 0) continue;
        (void)snprintf(out, MAX_PATH, "%s", c3d_config_keys[i].key);
        return true;
    }
    return false;
}

static void list_unknown(reader *r, c3d_config_origin origin, const char *path)
{
    char near[MAX_PATH];

    if (suggest(path, near)) {
        c3d_config_mistake(r, origin, "%s: unknown key; did you mean %s?", path, near);
    } else {
        c3d_config_mistake(r, origin, "%s: unknown key", path);
    }
}

/* ---- the file -------------------------------------------------------------------------------- */

static void list_twice(reader *r, const node *key, const char *path, int first_line)
{
    c3d_config_mistake(r, key->origin, "%s: given twice, first in line %d", path, first_line);
}

static bool is_given_before(reader *r, const node *map, int pair, const char *path)
{
    for (int i = 0; i < pair; i += 2) {
        const node *other = &map->items[i];
        if (other->kind != NODE_SCALAR || strcmp(other->scalar, map->items[pair].scalar) != 0) {
            continue;
        }
        list_twice(r, &map->items[pair], path, other->origin.line);
        return true;
    }
    return false;
}

static void walk(reader *r, const node *map, const char *prefix);

static void walk_pair(reader *r, const node *key, const node *value, const char *path)
{
    const int row = c3d_config_find(path);

    if (row >= 0) {
        const c3d_config_origin *origin = &r->config->origins[row];
        if (origin->source == C3D_CONFIG_FROM_FILE)
            list_twice(r, key, path, origin->line);
        else
            c3d_config_store(r, row, value);
    } else if (!is_section(path)) {
        list_unknown(r, key->origin, path);
    } else if (value->kind == NODE_MAP) {
        walk(r, value, path);
    } else if (value->kind == NODE_LIST || value->scalar[0]) {
        c3d_config_mistake(r, value->origin, "%s: expected keys below it, got %s", path,
                           value->kind == NODE_LIST ? "a list" : "a value");
    }
}

static void walk(reader *r, const node *map, const char *prefix)
{
    char path[MAX_PATH];

    for (int i = 0; i < map->n; i += 2) {
        const node *key = &map->items[i];
        if (key->kind != NODE_SCALAR) {
            c3d_config_mistake(r, key->origin, "%s%sa key must be a word", prefix,
                               prefix[0] ? ": " : "");
            continue;
        }
        (void)snprintf(path, sizeof path, "%s%s%.100s", prefix, prefix[0] ? "." : "", key->scalar);
        if (!is_given_before(r, map, i, path)) walk_pair(r, key, &map->items[i + 1], path);
    }
}

static void read_file(reader *r)
{
    node root;

    if (c3d_config_node_read(r, r->source->text, r->source->n_bytes, C3D_CONFIG_FROM_FILE, "",
                             &root)) {
        if (root.kind == NODE_MAP)
            walk(r, &root, "");
        else
            c3d_config_mistake(r, root.origin, "%s", "expected keys with values");
    }
    c3d_config_node_free(&root);
}

/* ---- --set ----------------------------------------------------------------------------------- */

static bool is_compound(key_type type)
{
    return type == KEY_TEXTS || type == KEY_REALS || type == KEY_CLASSES;
}

static void read_set(reader *r, const char *set)
{
    const c3d_config_origin origin = { .source = C3D_CONFIG_FROM_SET };
    const char *equals = strchr(set, '=');
    char path[MAX_PATH];
    node value = { .kind = NODE_SCALAR, .origin = origin, .is_plain = true };

    if (!equals || equals == set || equals - set >= MAX_PATH) {
        c3d_config_mistake(r, origin, "\"%.80s\": expected KEY=VALUE", set);
        return;
    }
    (void)snprintf(path, sizeof path, "%.*s", (int)(equals - set), set);
    const int row = c3d_config_find(path);
    if (row < 0) {
        if (is_section(path))
            c3d_config_mistake(r, origin, "%s: a section; set its keys", path);
        else
            list_unknown(r, origin, path);
        return;
    }
    if (r->config->origins[row].source == C3D_CONFIG_FROM_SET) {
        c3d_config_mistake(r, origin, "%s: given twice", path);
        return;
    }
    if (!is_compound(c3d_config_keys[row].type)) {
        value.scalar = c3d_strdup(equals + 1);
    } else if (!c3d_config_node_read(r, equals + 1, strlen(equals + 1), C3D_CONFIG_FROM_SET, path,
                                     &value)) {
        r->wrong[row] = true;
        c3d_config_node_free(&value);
        return;
    }
    c3d_config_store(r, row, &value);
    c3d_config_node_free(&value);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void set_defaults(reader *r)
{
    for (int i = 0; i < c3d_config_n_keys; i++) {
        const key_row *row = &c3d_config_keys[i];
        node value = { 0 };
        if (row->type == KEY_TEXTS || row->type == KEY_REALS || row->type == KEY_CLASSES) {
            (void)c3d_config_node_read(r, row->standard, strlen(row->standard),
                                       C3D_CONFIG_FROM_DEFAULT, row->key, &value);
        } else {
            value = (node){ .kind = NODE_SCALAR, .scalar = c3d_strdup(row->standard) };
        }
        c3d_config_store(r, i, &value);
        c3d_config_node_free(&value);
    }
    C3D_ASSERT(r->n_mistakes == 0);
}

/* Stable by place: the file as a whole, then its lines, then --set. */
static bool is_before(const mistake *a, const mistake *b)
{
    if (a->origin.source != b->origin.source) return a->origin.source < b->origin.source;
    if (a->origin.line != b->origin.line) return a->origin.line < b->origin.line;
    return a->origin.column < b->origin.column;
}

static void print_mistakes(reader *r, c3d_text *out)
{
    const int n = r->n_mistakes < MAX_MISTAKES ? r->n_mistakes : MAX_MISTAKES;

    for (int i = 1; i < n; i++) {
        const mistake moved = r->mistakes[i];
        int j = i;
        for (; j > 0 && is_before(&moved, &r->mistakes[j - 1]); j--) {
            r->mistakes[j] = r->mistakes[j - 1];
        }
        r->mistakes[j] = moved;
    }
    for (int i = 0; i < n; i++) {
        const mistake *m = &r->mistakes[i];
        if (m->origin.source == C3D_CONFIG_FROM_SET) {
            c3d_text_add(out, "--set: %s\n", m->text);
        } else if (m->origin.source == C3D_CONFIG_FROM_FILE) {
            c3d_text_add(out, "%s:%d:%d: %s\n", r->source->name, m->origin.line, m->origin.column,
                         m->text);
        } else {
            c3d_text_add(out, "%s: %s\n", r->source->name, m->text);
        }
    }
    if (r->n_mistakes > n) c3d_text_add(out, "and %d more\n", r->n_mistakes - n);
}

c3d_status c3d_config_parse(const c3d_config_source_text *source, c3d_config *config,
                            c3d_text *mistakes)
{
    reader r = { .config = config, .source = source };

    *config = (c3d_config){ .name = c3d_strdup(source->name) };
    set_defaults(&r);
    read_file(&r);
    for (int i = 0; i < source->n_sets; i++) read_set(&r, source->sets[i]);
    c3d_config_check(&r);
    print_mistakes(&r, mistakes);
    for (int i = 0; i < MAX_MISTAKES; i++) free(r.mistakes[i].text);
    if (r.n_mistakes == 0) return C3D_OK;
    return C3D_FAIL(C3D_ECONFIG, "%s: %d mistake%s", source->name, r.n_mistakes,
                    r.n_mistakes == 1 ? "" : "s");
}

c3d_status c3d_config_load(const char *path, c3d_config_use use, const char *const *sets,
                           int n_sets, c3d_config *config, c3d_text *mistakes)
{
    c3d_config_source_text source = { .name = path, .use = use, .n_sets = n_sets, .sets = sets };
    char *text;

    *config = (c3d_config){ 0 };
    C3D_TRY(c3d_file_read(path, &text, &source.n_bytes));
    source.text = text;
    const c3d_status st = c3d_config_parse(&source, config, mistakes);
    free(text);
    return st;
}

void c3d_config_free(c3d_config *config)
{
    for (int i = 0; i < c3d_config_n_keys; i++) {
        const key_row *row = &c3d_config_keys[i];
        void *value = key_value(config, row);
        if (row->type == KEY_TEXT) free(*(char **)value);
        if (row->type == KEY_CLASSES) free(((c3d_config_classes *)value)->items);
        if (row->type != KEY_TEXTS) continue;
        c3d_config_texts *texts = value;
        for (int j = 0; j < texts->n; j++) free(texts->items[j]);
        free(texts->items);
    }
    free(config->name);
    *config = (c3d_config){ 0 };
}

c3d_status c3d_config_path(const c3d_config *config, const char *path, char out[C3D_PATH_MAX])
{
    return c3d_path_join(out, config->data.root, path);
}
