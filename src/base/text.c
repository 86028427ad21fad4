#include "c3d/base.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void make_room(c3d_text *text, size_t n)
{
    const size_t needed = text->length + n + 1;

    if (needed <= text->capacity) return;
    size_t capacity = text->capacity ? text->capacity : 256;
    while (capacity < needed) capacity *= 2;
    char *grown = realloc(text->text, capacity);
    C3D_ASSERT(grown != NULL);
    text->text = grown;
    text->capacity = capacity;
}

void c3d_text_add_bytes(c3d_text *text, const char *bytes, size_t n)
{
    make_room(text, n);
    memcpy(text->text + text->length, bytes, n);
    text->length += n;
    text->text[text->length] = '\0';
}

void c3d_text_add(c3d_text *text, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    const int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    C3D_ASSERT(n >= 0);
    make_room(text, (size_t)n);
    va_start(arguments, format);
    (void)vsnprintf(text->text + text->length, (size_t)n + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)n;
}

void c3d_text_add_html(c3d_text *text, const char *plain)
{
    for (; *plain; plain++) {
        switch (*plain) {
        case '<': c3d_text_add(text, "&lt;"); break;
        case '>': c3d_text_add(text, "&gt;"); break;
        case '&': c3d_text_add(text, "&amp;"); break;
        case '"': c3d_text_add(text, "&quot;"); break;
        case '\'': c3d_text_add(text, "&#39;"); break;
        default: c3d_text_add_bytes(text, plain, 1); break;
        }
    }
}

void c3d_text_add_base64(c3d_text *text, const void *bytes, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *from = bytes;

    make_room(text, (n + 2) / 3 * 4);
    char *to = text->text + text->length;
    for (size_t i = 0; i < n; i += 3) {
        const uint32_t word = (uint32_t)from[i] << 16 |
                              (i + 1 < n ? (uint32_t)from[i + 1] << 8 : 0) |
                              (i + 2 < n ? from[i + 2] : 0);
        *to++ = digits[word >> 18];
        *to++ = digits[word >> 12 & 63];
        *to++ = i + 1 < n ? digits[word >> 6 & 63] : '=';
        *to++ = i + 2 < n ? digits[word & 63] : '=';
    }
    *to = '\0';
    text->length = (size_t)(to - text->text);
}

void c3d_text_free(c3d_text *text)
{
    free(text->text);
    *text = (c3d_text){ 0 };
}

char *c3d_strdup(const char *text)
{
    char *copy = strdup(text);

    C3D_ASSERT(copy != NULL);
    return copy;
}

bool c3d_parse_int(const char *text, long long *out)
{
    char *end;

    if (!text[0] || isspace((unsigned char)text[0])) return false;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (errno || *end) return false;
    *out = value;
    return true;
}

bool c3d_parse_real(const char *text, double *out)
{
    char *end;

    if (!text[0] || isspace((unsigned char)text[0])) return false;
    errno = 0;
    const double value = strtod(text, &end);
    if (*end || end == text) return false;
    if (errno == ERANGE && (value > 1 || value < -1)) return false;
    *out = value;
    return true;
}

#define LONGEST_WORD 64

/* Levenshtein distance. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[LONGEST_WORD + 1];
    const size_t n = strlen(a), m = strlen(b);

    if (n > LONGEST_WORD || m > LONGEST_WORD) return LONGEST_WORD;
    for (size_t j = 0; j <= m; j++) row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            const size_t substituted = diagonal + (a[i - 1] != b[j - 1]);
            const size_t deleted = row[j] + 1, inserted = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = substituted < deleted ? substituted : deleted;
            if (inserted < row[j]) row[j] = inserted;
        }
    }
    return row[m];
}

const char *c3d_nearest(const char *word, const char *const *candidates, size_t n)
{
    const char *best = NULL;
    size_t best_distance = 2 + strlen(word) / 4;

    for (size_t i = 0; i < n; i++) {
        const size_t distance = edit_distance(word, candidates[i]);
        if (distance < best_distance) {
            best = candidates[i];
            best_distance = distance;
        }
    }
    return best;
}
