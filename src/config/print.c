/* The configuration as YAML, and the differences of two. */
#include "config/table.h"

#include <stdlib.h>
#include <string.h>

/* The shortest decimal that reads back as the same double. */
static void put_real(c3d_text *out, double value)
{
    char text[40];

    for (int n_digits = 6; n_digits <= 17; n_digits++) {
        double back;
        (void)snprintf(text, sizeof text, "%.*g", n_digits, value);
        if (c3d_parse_real(text, &back) && !(back < value) && !(back > value)) break;
    }
    c3d_text_add(out, "%s", text);
}

static bool is_plain_text(const char *text)
{
    static const char safe[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+";
    static const char *const special[] = { "null", "true", "false", "yes", "no", "on", "off" };

    for (size_t i = 0; i < C3D_COUNT(special); i++) {
        if (strcmp(text, special[i]) == 0) return false;
    }
    return text[0] && text[0] != '-' && text[strspn(text, safe)] == '\0';
}

static void put_text(c3d_text *out, const char *text)
{
    if (is_plain_text(text)) {
        c3d_text_add(out, "%s", text);
        return;
    }
    c3d_text_add(out, "\"");
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\')
            c3d_text_add(out, "\\%c", *p);
        else if ((unsigned char)*p < 0x20 || *p == 0x7f)
            c3d_text_add(out, "\\x%02x", *p);
        else
            c3d_text_add_bytes(out, p, 1);
    }
    c3d_text_add(out, "\"");
}

static void put_date(c3d_text *out, int32_t date)
{
    c3d_text_add(out, "%04d-%02d", date / 10000, date / 100 % 100);
    if (date % 100) c3d_text_add(out, "-%02d", date % 100);
}

static void put_choice(c3d_text *out, const char *choices, int index)
{
    for (; index > 0; index--) choices += strcspn(choices, "|") + 1;
    c3d_text_add(out, "%.*s", (int)strcspn(choices, "|"), choices);
}

static void put_classes(c3d_text *out, const c3d_config_classes *classes)
{
    c3d_text_add(out, "{");
    for (int i = 0; i < classes->n; i++) {
        const c3d_config_class *item = &classes->items[i];
        c3d_text_add(out, "%s%s: [", i ? ", " : "", item->name);
        for (int j = 0; j < item->n_ranges; j++) {
            c3d_text_add(out, "%s%d", j ? ", " : "", item->ranges[j][0]);
            if (item->ranges[j][1] != item->ranges[j][0]) {
                c3d_text_add(out, "-%d", item->ranges[j][1]);
            }
        }
        for (int j = 0; j < item->n_texts; j++) {
            if (j || item->n_ranges) c3d_text_add(out, ", ");
            put_text(out, item->texts[j]);
        }
        c3d_text_add(out, "]");
    }
    c3d_text_add(out, "}");
}

static void put_texts(c3d_text *out, const c3d_config_texts *texts)
{
    c3d_text_add(out, "[");
    for (int i = 0; i < texts->n; i++) {
        if (i) c3d_text_add(out, ", ");
        put_text(out, texts->items[i]);
    }
    c3d_text_add(out, "]");
}

static void put_reals(c3d_text *out, const c3d_config_reals *reals)
{
    c3d_text_add(out, "[");
    for (int i = 0; i < reals->n; i++) {
        if (i) c3d_text_add(out, ", ");
        put_real(out, reals->items[i]);
    }
    c3d_text_add(out, "]");
}

static void put_span(c3d_text *out, const c3d_config_span *span)
{
    if (span->first == 0) {
        c3d_text_add(out, "\"\"");
        return;
    }
    put_date(out, span->first);
    c3d_text_add(out, "/");
    put_date(out, span->last);
}

void c3d_config_print_value(const c3d_config *config, const key_row *row, c3d_text *out)
{
    const void *value = key_value(config, row);
    int choice;

    switch (row->type) {
    case KEY_INT: c3d_text_add(out, "%d", *(const int *)value); break;
    case KEY_LONG: c3d_text_add(out, "%lld", (long long)*(const int64_t *)value); break;
    case KEY_REAL: put_real(out, *(const double *)value); break;
    case KEY_BOOL: c3d_text_add(out, "%s", *(const bool *)value ? "true" : "false"); break;
    case KEY_CHOICE:
        memcpy(&choice, value, sizeof choice);
        put_choice(out, row->choices, choice);
        break;
    case KEY_TEXT: put_text(out, *(char *const *)value); break;
    case KEY_TEXTS: put_texts(out, value); break;
    case KEY_REALS: put_reals(out, value); break;
    case KEY_SPAN: put_span(out, value); break;
    case KEY_CLASSES: put_classes(out, value); break;
    }
}

void c3d_config_print(const c3d_config *config, c3d_text *out)
{
    const char *before = "";

    for (int i = 0; i < c3d_config_n_keys; i++) {
        const key_row *row = &c3d_config_keys[i];
        size_t common = 0; /* bytes of the path that the line before already opened */
        for (size_t j = 0; before[j] && before[j] == row->key[j]; j++) {
            if (row->key[j] == '.') common = j + 1;
        }
        int depth = 0;
        const char *part = row->key;
        for (const char *dot; (dot = strchr(part, '.')); part = dot + 1, depth++) {
            if (dot < row->key + common) continue;
            c3d_text_add(out, "%*s%.*s:\n", 2 * depth, "", (int)(dot - part), part);
        }
        c3d_text_add(out, "%*s%s: ", 2 * depth, "", part);
        c3d_config_print_value(config, row, out);
        c3d_text_add(out, "\n");
        before = row->key;
    }
}

void c3d_config_diff(const c3d_config *from, const c3d_config *to, c3d_config_changes *out)
{
    *out = (c3d_config_changes){ 0 };
    for (int i = 0; i < c3d_config_n_keys; i++) {
        const key_row *row = &c3d_config_keys[i];
        c3d_text a = { 0 }, b = { 0 };
        c3d_config_print_value(from, row, &a);
        c3d_config_print_value(to, row, &b);
        if (strcmp(a.text, b.text) == 0) {
            c3d_text_free(&a);
            c3d_text_free(&b);
            continue;
        }
        out->items[out->n++] = (c3d_config_change){ .key = row->key,
                                                    .policy = row->policy,
                                                    .warning = row->warning,
                                                    .from = a.text,
                                                    .to = b.text };
    }
}

void c3d_config_changes_free(c3d_config_changes *changes)
{
    for (int i = 0; i < changes->n; i++) {
        free(changes->items[i].from);
        free(changes->items[i].to);
    }
    *changes = (c3d_config_changes){ 0 };
}
