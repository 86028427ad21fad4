/* The text of a preview's page. Private to data. */
#ifndef C3D_DATA_PREVIEW_PAGE_H
#define C3D_DATA_PREVIEW_PAGE_H

#include "preview.h"

/* Months of one calendar year, a line of the page. */
typedef struct preview_year {
    int year, first, n; /* months of the period */
    int label;          /* index of the label year that is told for it; -1: none */
} preview_year;

typedef struct preview {
    const c3d_preview_desc *desc;
    c3d_frames frames;
    c3d_store store;
    c3d_samples samples;
    c3d_dataset_info info;
    bool has_info;
    preview_choice choice;
    preview_stretch stretch;
    c3d_outlines *outlines;
    c3d_transformer *to_degrees; /* NULL: no place is known */
    c3d_date *months;            /* of all periods */
    int n_years;
    preview_year *years;
    bool is_monthly; /* at most one image a calendar month: a column each */
    int factor;      /* pixels of a scene to one of a picture, along each side */
    int positive;    /* index of the class; -1: none */
    size_t n_left_out;
    c3d_text notes; /* lines */
} preview;

void c3d_preview_page_begin(const preview *of, c3d_text *out);
C3D_CHECKED c3d_status c3d_preview_page_scene(const preview *of, size_t number, c3d_text *out);
void c3d_preview_page_end(const preview *of, c3d_text *out);

extern const char c3d_preview_style[], c3d_preview_script[];

#endif
