#include "score/columns.h"

#include <string.h>

#define MAX_COLUMNS 32

void c3d_columns_print(const char *cells, int indent, c3d_text *out)
{
    size_t widths[MAX_COLUMNS] = { 0 };
    int column = 0;

    for (const char *at = cells; *at; column = at[-1] == '\n' ? 0 : column + 1) {
        const size_t n = strcspn(at, "\t\n");
        C3D_ASSERT(column < MAX_COLUMNS && at[n]);
        if (n > widths[column]) widths[column] = n;
        at += n + 1;
    }
    column = 0;
    for (const char *at = cells; *at; column = at[-1] == '\n' ? 0 : column + 1) {
        const size_t n = strcspn(at, "\t\n");
        if (column == 0) c3d_text_add(out, "%*s", indent, "");
        c3d_text_add_bytes(out, at, n);
        if (at[n] == '\t')
            c3d_text_add(out, "%*s", (int)(widths[column] - n + 2), "");
        else
            c3d_text_add(out, "\n");
        at += n + 1;
    }
}

void c3d_paragraph_wrap(const char *paragraph, size_t width, c3d_text *out)
{
    size_t used = 0;

    while (*paragraph) {
        const size_t n = strcspn(paragraph, " ");
        if (used > 0 && used + 1 + n > width) {
            c3d_text_add(out, "\n");
            used = 0;
        }
        if (used > 0) c3d_text_add(out, " ");
        c3d_text_add_bytes(out, paragraph, n);
        used += n + (used > 0);
        paragraph += n;
        while (*paragraph == ' ') paragraph++;
    }
    c3d_text_add(out, "\n");
}
