/* A table of texts for a terminal: columns as wide as their widest cell. */
#ifndef C3D_SCORE_COLUMNS_H
#define C3D_SCORE_COLUMNS_H

#include "c3d/base.h"

/* Cells end with a tab or, the last of a row, with a newline; `indent` blanks before each row. */
void c3d_columns_print(const char *cells, int indent, c3d_text *out);
/* Words of a paragraph in lines of at most `width` characters. */
void c3d_paragraph_wrap(const char *paragraph, size_t width, c3d_text *out);

#endif
