/* The label areas over a picture: which class has which colour, all classes of a frame. */
#include "preview.h"

#include <stdlib.h>
#include <string.h>

const char *c3d_outline_colour(int class_index, int positive)
{
    /* told apart on forest, soil and water by most eyes */
    static const char *const colours[] = { "#ff3df2", "#00e5ff", "#ffe94a", "#ff8a1f",
                                           "#ffffff", "#7dff5a", "#b39bff", "#ff6b6b" };
    int place = class_index + 1;

    if (class_index == positive) place = 0;
    if (positive >= 0 && class_index > positive) place = class_index;
    if (positive < 0) place = class_index;
    return colours[(size_t)place % C3D_COUNT(colours)];
}

c3d_status c3d_outlines_positive(const char *gpkg, const c3d_frames *frames, int *out)
{
    c3d_vector *settings;

    *out = -1;
    C3D_TRY(c3d_vector_open(gpkg, "settings", &settings));
    const int key = c3d_vector_field(settings, "key"), value = c3d_vector_field(settings, "value");
    for (size_t row = 0; row < c3d_vector_n_rows(settings); row++) {
        const char *name = c3d_vector_text(settings, row, key);
        const char *text = c3d_vector_text(settings, row, value);
        if (!name || !text || strcmp(name, "positive") != 0) continue;
        for (int c = 0; c < frames->n_classes; c++)
            if (strcmp(frames->classes[c], text) == 0) *out = c;
    }
    c3d_vector_close(settings);
    return C3D_OK;
}

c3d_status c3d_outlines_draw_all(c3d_outlines *outlines, const c3d_frames *frames,
                                 const c3d_frame *frame, int year_index, const char *id,
                                 c3d_text *out)
{
    c3d_text path = { 0 };
    c3d_status st = C3D_OK;

    c3d_text_add(out, "<g id=%s>", id);
    for (int c = frames->n_classes - 1; st == C3D_OK && c >= 0; c--) {
        path.length = 0;
        st = c3d_outlines_draw(outlines, frame, year_index, c, &path);
        if (st == C3D_OK && path.length > 0)
            c3d_text_add(out,
                         "<path id=%s-%d d=\"%s\"/><use href=\"#%s-%d\" class=\"c%d halo\"/>"
                         "<use href=\"#%s-%d\" class=\"c%d line\"/>",
                         id, c, path.text, id, c, c, id, c, c);
    }
    c3d_text_add(out, "</g>");
    c3d_text_free(&path);
    return st;
}
