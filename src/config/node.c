/* libyaml's document as a small tree that remembers where each value stood. Aliases are followed by
 * copying, so depth and count are limited: a file cannot make us loop or run out of memory. */
#include "config/table.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define MAX_DEPTH 6 /* root, section, section, map, list, scalar */
#define MAX_NODES 20000

typedef struct copier {
    yaml_document_t *document;
    c3d_config_source source;
    int n_nodes;
} copier;

void c3d_config_node_free(node *tree)
{
    for (int i = 0; i < tree->n; i++) c3d_config_node_free(&tree->items[i]);
    free(tree->items);
    free(tree->scalar);
    *tree = (node){ 0 };
}

static c3d_config_origin origin_of(const copier *c, const yaml_node_t *from)
{
    if (c->source != C3D_CONFIG_FROM_FILE) return (c3d_config_origin){ .source = c->source };
    return (c3d_config_origin){ .source = C3D_CONFIG_FROM_FILE,
                                .line = (int)from->start_mark.line + 1,
                                .column = (int)from->start_mark.column + 1 };
}

/* False when the limits are passed. */
static bool copy(copier *c, const yaml_node_t *from, int depth, node *to)
{
    const bool is_map = from->type == YAML_MAPPING_NODE;

    if (depth > MAX_DEPTH || ++c->n_nodes > MAX_NODES) return false;
    to->origin = origin_of(c, from);
    if (from->type == YAML_SCALAR_NODE) {
        to->kind = NODE_SCALAR;
        to->is_plain = from->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        to->scalar = c3d_strdup((const char *)from->data.scalar.value);
        return true;
    }
    to->kind = is_map ? NODE_MAP : NODE_LIST;
    const size_t n =
        is_map ? 2 * (size_t)(from->data.mapping.pairs.top - from->data.mapping.pairs.start)
               : (size_t)(from->data.sequence.items.top - from->data.sequence.items.start);
    if (n > MAX_NODES) return false;
    to->items = c3d_calloc(n + 1, sizeof *to->items);
    if (!to->items) return false;
    for (size_t i = 0; i < n; i++) {
        const yaml_node_pair_t *pair = is_map ? &from->data.mapping.pairs.start[i / 2] : NULL;
        const int index = !is_map ? from->data.sequence.items.start[i]
                          : i % 2 ? pair->value
                                  : pair->key;
        to->n++;
        if (!copy(c, yaml_document_get_node(c->document, index), depth + 1, &to->items[i])) {
            return false;
        }
    }
    return true;
}

static void list_syntax(reader *r, const yaml_parser_t *parser, c3d_config_source source,
                        const char *key)
{
    const char *problem = parser->problem ? parser->problem : "not readable";
    c3d_config_origin origin = { .source = source };

    if (source != C3D_CONFIG_FROM_FILE) {
        c3d_config_mistake(r, origin, "%s: YAML: %s", key, problem);
    } else if (parser->error == YAML_READER_ERROR) {
        c3d_config_mistake(r, (c3d_config_origin){ 0 }, "byte %zu: %s", parser->problem_offset,
                           problem);
    } else {
        origin.line = (int)parser->problem_mark.line + 1;
        origin.column = (int)parser->problem_mark.column + 1;
        c3d_config_mistake(r, origin, "YAML: %s", problem);
    }
}

/* A second document in the file would be silently ignored. */
static bool is_last_document(reader *r, yaml_parser_t *parser, c3d_config_source source,
                             const char *key)
{
    yaml_document_t second;
    bool is_last;

    if (!yaml_parser_load(parser, &second)) {
        list_syntax(r, parser, source, key);
        return false;
    }
    const yaml_node_t *root = yaml_document_get_root_node(&second);
    is_last = root == NULL;
    if (root) {
        const copier c = { .document = &second, .source = source };
        c3d_config_mistake(r, origin_of(&c, root), "%s",
                           "a second document; one file, one document");
    }
    yaml_document_delete(&second);
    return is_last;
}

bool c3d_config_node_read(reader *r, const char *text, size_t n_bytes, c3d_config_source source,
                          const char *key, node *out)
{
    yaml_parser_t parser;
    yaml_document_t document;
    bool is_good = false;

    *out = (node){ .kind = NODE_MAP, .origin = { .source = source } };
    if (!yaml_parser_initialize(&parser)) {
        c3d_config_mistake(r, out->origin, "%s", "memory exhausted");
        return false;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, n_bytes);
    if (!yaml_parser_load(&parser, &document)) {
        list_syntax(r, &parser, source, key);
        goto done;
    }
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    copier c = { .document = &document, .source = source };
    is_good = !root || copy(&c, root, 1, out);
    if (!is_good) {
        c3d_config_mistake(r, origin_of(&c, root), "%s", "nested too deeply or too many values");
    }
    const bool is_empty = root == NULL;
    yaml_document_delete(&document);
    if (is_good && !is_empty) is_good = is_last_document(r, &parser, source, key);
done:
    yaml_parser_delete(&parser);
    return is_good;
}
