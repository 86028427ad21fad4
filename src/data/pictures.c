/* Strips of scenes for pages of other modules. */
#include "frames.h"
#include "preview.h"

#include <stdlib.h>
#include <string.h>

struct c3d_pictures {
    char id[16];
    c3d_frames frames;
    c3d_store store;
    c3d_outlines *outlines;
    preview_stretch stretch;
    c3d_date *months; /* of all periods */
    int factor, positive;
    int n_strips; /* so far, for the ids of their label areas */
};

static c3d_status open_files(c3d_pictures *self, const c3d_pictures_desc *desc, c3d_text *notes)
{
    char path[C3D_PATH_MAX];

    C3D_TRY(c3d_path_join(path, desc->dir, "frames.gpkg"));
    if (!c3d_path_exists(path))
        return C3D_FAIL(C3D_EIO, "%s: no frames.gpkg, so no pictures", desc->dir);
    C3D_TRY(c3d_frames_read(path, &self->frames));
    C3D_TRY(c3d_store_open(desc->dir, false, &self->store));
    if (self->store.n_shards == 0)
        return C3D_FAIL(C3D_EDATA, "%s: no scenes, so no pictures", desc->dir);
    self->months = c3d_calloc((size_t)self->store.n_months, sizeof *self->months);
    if (!self->months) return C3D_ENOMEM;
    c3d_store_months(&self->store, self->months);
    C3D_TRY(c3d_outlines_open(path, &self->frames, &self->outlines, notes));
    return c3d_outlines_positive(path, &self->frames, &self->positive);
}

c3d_status c3d_pictures_open(const c3d_pictures_desc *desc, c3d_pictures **out, c3d_text *notes)
{
    c3d_pictures *self = c3d_calloc(1, sizeof *self);
    const preview_list scenes = { desc->n, desc->frame_ids };
    c3d_status st = C3D_ENOMEM;

    if (!self) return st;
    (void)snprintf(self->id, sizeof self->id, "%s", desc->id);
    st = open_files(self, desc, notes);
    if (st == C3D_OK) st = c3d_preview_stretch(&self->store, &scenes, NULL, &self->stretch);
    if (st != C3D_OK) {
        c3d_pictures_close(self);
        return st;
    }
    self->factor = c3d_preview_factor(&self->store, desc->n, desc->max_bytes);
    *out = self;
    return C3D_OK;
}

void c3d_pictures_close(c3d_pictures *self)
{
    if (!self) return;
    c3d_outlines_close(self->outlines);
    c3d_store_close(&self->store);
    c3d_frames_free(&self->frames);
    free(self->months);
    free(self);
}

void c3d_pictures_key(const c3d_pictures *self, c3d_text *out)
{
    c3d_preview_key(&self->store, &self->stretch, self->factor, out);
    for (int c = 0; c < self->frames.n_classes; c++) {
        c3d_text_add(out, " <span class=swatch style=\"border-color:%s\"></span>",
                     c3d_outline_colour(c, self->positive));
        c3d_text_add_html(out, self->frames.classes[c]);
        c3d_text_add(out, " in the labels%s", c + 1 < self->frames.n_classes ? ";" : ".");
    }
}

void c3d_pictures_colours(const c3d_pictures *self, c3d_text *out)
{
    for (int c = 0; c < self->frames.n_classes; c++)
        c3d_text_add(out, ".c%d.line{stroke:%s}\n", c, c3d_outline_colour(c, self->positive));
}

/* The label year asked for, else the last with labels to draw; -1: none. */
static int year_to_draw(const c3d_pictures *self, int wanted)
{
    int last = -1;

    for (int k = 0; k < self->frames.n_years; k++) {
        if (!c3d_outlines_has_year(self->outlines, k)) continue;
        if (self->frames.years[k] == wanted) return k;
        last = k;
    }
    return wanted == 0 || self->frames.n_years == 1 ? last : -1;
}

/* Dates of a list without them stand in the year 1. */
static const char *caption_of(c3d_date date, char text[12])
{
    return date / 10000 > 1 ? c3d_date_text(date, text) : "";
}

static c3d_status add_months(const c3d_pictures *self, const c3d_picture_strip *strip,
                             const char *areas, c3d_text *out)
{
    preview_pixels pixels;
    int n_shown = 0;
    c3d_status st = C3D_OK;

    C3D_TRY(c3d_preview_read(&self->store, strip->frame_id, &pixels));
    c3d_text_add(out, "<div class=months>\n");
    for (int m = 0; st == C3D_OK && m < self->store.n_months; m++) {
        const bool is_in = self->months[m] >= strip->first && n_shown < strip->n_months;
        char text[12];
        n_shown += is_in;
        st = c3d_preview_month(
            &(preview_month){ .pixels = &pixels,
                              .month = m,
                              .stretch = &self->stretch,
                              .factor = self->factor,
                              .style = is_in || strip->first == 0 ? "" : "--shown:.5",
                              .areas = areas,
                              .caption = caption_of(self->months[m], text) },
            out);
    }
    c3d_text_add(out, "</div>\n");
    c3d_preview_pixels_free(&pixels);
    return st;
}

c3d_status c3d_pictures_add(c3d_pictures *self, const c3d_picture_strip *strip, c3d_text *out)
{
    const size_t row = c3d_frames_find(&self->frames, strip->frame_id);
    const int year = year_to_draw(self, strip->label_year);
    char areas[48] = "";

    if (row == (size_t)-1)
        return C3D_FAIL(C3D_EDATA, "frame %lld is not in frames.gpkg", (long long)strip->frame_id);
    if (year >= 0) {
        (void)snprintf(areas, sizeof areas, "%s%d", self->id, self->n_strips++);
        c3d_text_add(out, "<svg class=defs aria-hidden=true><defs>");
        C3D_TRY(c3d_outlines_draw_all(self->outlines, &self->frames, &self->frames.rows[row], year,
                                      areas, out));
        c3d_text_add(out, "</defs></svg>\n");
    }
    return add_months(self, strip, areas, out);
}
