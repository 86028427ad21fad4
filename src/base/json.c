#include "c3d/base.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

c3d_status c3d_json_parse(const char *text, size_t n, const char *name, c3d_json **out)
{
    json_error_t error;
    json_t *json = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);

    if (!json)
        return C3D_FAIL(C3D_EDATA, "%s:%d:%d: JSON: %s", name, error.line, error.column,
                        error.text);
    *out = json;
    return C3D_OK;
}

c3d_status c3d_json_read(const char *path, c3d_json **out)
{
    char *text;
    size_t n;

    C3D_TRY(c3d_file_read(path, &text, &n));
    const c3d_status st = c3d_json_parse(text, n, path, out);
    free(text);
    return st;
}

char *c3d_json_text(const c3d_json *json, bool indented)
{
    char *text = json_dumps(json, (indented ? JSON_INDENT(2) : 0) | JSON_ENCODE_ANY |
                                      JSON_REAL_PRECISION(17));

    C3D_ASSERT(text != NULL);
    return text;
}

char *c3d_json_line(const c3d_json *json)
{
    char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));

    C3D_ASSERT(text != NULL);
    return text;
}

c3d_status c3d_json_write(const char *path, const c3d_json *json)
{
    c3d_text line = { 0 };
    char *text = c3d_json_text(json, true);

    c3d_text_add(&line, "%s\n", text);
    free(text);
    const c3d_status st = c3d_file_write(path, line.text, line.length);
    c3d_text_free(&line);
    return st;
}

void c3d_json_free(c3d_json *json)
{
    json_decref(json);
}

static json_t *checked(json_t *json)
{
    C3D_ASSERT(json != NULL);
    return json;
}

c3d_json *c3d_json_object(void)
{
    return checked(json_object());
}
c3d_json *c3d_json_array(void)
{
    return checked(json_array());
}
c3d_json *c3d_json_int(long long value)
{
    return checked(json_integer(value));
}
c3d_json *c3d_json_bool(bool value)
{
    return json_boolean(value);
}
c3d_json *c3d_json_real(double value)
{
    return isfinite(value) ? checked(json_real(value)) : json_null();
}

/* Text that is not UTF-8 (a file name, say) loses its odd bytes rather than the document. */
static void make_plain(char *text)
{
    for (char *p = text; *p; p++)
        if ((unsigned char)*p >= 128) *p = '?';
}

c3d_json *c3d_json_string(const char *value)
{
    json_t *json = value ? json_string(value) : json_null();

    if (json) return json;
    char *plain = c3d_strdup(value);
    make_plain(plain);
    json = checked(json_string(plain));
    free(plain);
    return json;
}

c3d_json *c3d_json_copy(const c3d_json *json)
{
    c3d_json *copy = json_deep_copy(json);

    C3D_ASSERT(copy);
    return copy;
}

void c3d_json_set(c3d_json *object, const char *key, c3d_json *value)
{
    json_t *name = json_string(key);
    c3d_text plain = { 0 };

    if (!name) {
        c3d_text_add(&plain, "%s", key);
        make_plain(plain.text);
        while (json_object_get(object, plain.text)) /* two of them stay two */
            c3d_text_add(&plain, "?");
    }
    json_decref(name);
    C3D_ASSERT(json_object_set_new(object, plain.text ? plain.text : key, value) == 0);
    c3d_text_free(&plain);
}

void c3d_json_append(c3d_json *array, c3d_json *value)
{
    C3D_ASSERT(json_array_append_new(array, value) == 0);
}

const c3d_json *c3d_json_get(const c3d_json *object, const char *key)
{
    return json_object_get(object, key);
}

const c3d_json *c3d_json_at(const c3d_json *array, size_t index)
{
    return json_array_get(array, index);
}

size_t c3d_json_length(const c3d_json *array)
{
    return json_array_size(array);
}

const char *c3d_json_next_key(const c3d_json *object, const char *key)
{
    json_t *o = json_incref((json_t *)(uintptr_t)object); /* the iterator wants no const */
    void *at = key ? json_object_iter_next(o, json_object_iter_at(o, key)) : json_object_iter(o);
    const char *next = at ? json_object_iter_key(at) : NULL;

    json_decref(o);
    return next;
}

const char *c3d_json_string_value(const c3d_json *json)
{
    return json_string_value(json);
}

bool c3d_json_int_value(const c3d_json *json, long long *out)
{
    if (!json_is_integer(json)) return false;
    *out = json_integer_value(json);
    return true;
}

bool c3d_json_real_value(const c3d_json *json, double *out)
{
    if (!json_is_number(json)) return false;
    *out = json_number_value(json);
    return true;
}

bool c3d_json_get_string(const c3d_json *object, const char *key, const char **out)
{
    const char *value = json_string_value(json_object_get(object, key));

    if (!value) return false;
    *out = value;
    return true;
}

bool c3d_json_get_int(const c3d_json *object, const char *key, long long *out)
{
    return c3d_json_int_value(json_object_get(object, key), out);
}

bool c3d_json_get_real(const c3d_json *object, const char *key, double *out)
{
    return c3d_json_real_value(json_object_get(object, key), out);
}

bool c3d_json_get_bool(const c3d_json *object, const char *key, bool *out)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_boolean(value)) return false;
    *out = json_is_true(value);
    return true;
}
