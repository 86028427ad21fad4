/* The page of a preview, piece by piece. */
#include "preview_page.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *key, *text;
} reasons[N_PREVIEW_REASONS] = {
    [PREVIEW_DRAWN] = { "drawn", "drawn at random" },
    [PREVIEW_CHANGED] = { "changed", "label changes between years" },
    [PREVIEW_UNCERTAIN] = { "uncertain", "uncertain label" },
    [PREVIEW_HARD] = { "hard", "hard negative" },
    [PREVIEW_EDITED] = { "edited", "edited by hand" },
    [PREVIEW_MISSING] = { "missing", "most missing" },
};

/* ---- head ------------------------------------------------------------------------------------ */

static void add_stretch(const preview *of, c3d_text *out)
{
    c3d_text_add(out, "<p class=soft>");
    c3d_preview_key(&of->store, &of->stretch, of->factor, out);
    c3d_text_add(out, "</p>\n");
}

static void add_notes(const preview *of, c3d_text *out)
{
    const char *line = of->notes.text;

    while (line && *line) {
        const char *end = strchr(line, '\n');
        const size_t n = end ? (size_t)(end - line) : strlen(line);
        char text[1024];
        (void)snprintf(text, sizeof text, "%.*s", (int)n, line);
        c3d_text_add(out, "<p class=note>");
        c3d_text_add_html(out, text);
        c3d_text_add(out, "</p>\n");
        line = end ? end + 1 : NULL;
    }
}

static void add_facts(const preview *of, c3d_text *out)
{
    const c3d_shard_shape *shape = c3d_shard_get_shape(of->store.shards[0]);
    const int n_months = of->store.n_months;
    char first[12], last[12];

    c3d_text_add(out, "<p>%zu of %zu frames of %d &times; %d px", of->choice.n, of->frames.n,
                 shape->size_px, shape->size_px);
    if (of->has_info && of->info.pixel_m[0] > 0)
        c3d_text_add(out, " (%.0f m)", of->info.pixel_m[0] * shape->size_px);
    if (n_months > 1)
        c3d_text_add(out, ", %d dates from %s to %s", n_months, c3d_date_text(of->months[0], first),
                     c3d_date_text(of->months[n_months - 1], last));
    c3d_text_add(out, ": up to %d drawn of every label in every split, ", of->desc->n);
    c3d_text_add(
        out,
        "of the %zu whose label changes between years, the %zu with an uncertain label, the %zu "
        "hard negatives, the "
        "%zu edited by hand, and those where most is missing. Look for labels that do not "
        "fit what is to be seen, clouds that were not masked, and dates that do "
        "not lie on each other.</p>\n",
        of->choice.n_found[PREVIEW_CHANGED], of->choice.n_found[PREVIEW_UNCERTAIN],
        of->choice.n_found[PREVIEW_HARD], of->choice.n_found[PREVIEW_EDITED]);
}

static void add_select(c3d_text *out, const char *name, const char *title)
{
    c3d_text_add(out, "<label>%s <select name=%s><option value=\"\">all</option>", title, name);
}

static void add_filters(const preview *of, c3d_text *out)
{
    unsigned found = 0;

    c3d_text_add(out, "<div class=bar><div><span id=count></span>\n");
    add_select(out, "split", "split");
    for (int s = 0; s <= (int)C3D_SPLIT_NONE; s++)
        c3d_text_add(out, "<option>%s</option>", c3d_split_name((c3d_split)s));
    c3d_text_add(out, "</select></label>\n");
    add_select(out, "label", "label");
    for (int l = c3d_frames_n_labels(&of->frames); l >= C3D_FRAME_UNLABELLED; l--) {
        c3d_text_add(out, "<option value=%d>", l);
        c3d_text_add_html(out, c3d_frame_label_name(&of->frames, l));
        c3d_text_add(out, "</option>");
    }
    c3d_text_add(out, "</select></label>\n");
    add_select(out, "why", "why shown");
    for (size_t i = 0; i < of->choice.n; i++) found |= of->choice.scenes[i].reasons;
    for (int r = 0; r < (int)N_PREVIEW_REASONS; r++)
        if (found >> r & 1)
            c3d_text_add(out, "<option value=%s>%s</option>", reasons[r].key, reasons[r].text);
    c3d_text_add(out, "</select></label>\n");
    for (int c = 0; c < of->frames.n_classes; c++) {
        c3d_text_add(out,
                     "<label><input type=checkbox data-class=%d checked> <span class=swatch "
                     "style=\"border-color:%s\"></span>",
                     c, c3d_outline_colour(c, of->positive));
        c3d_text_add_html(out, of->frames.classes[c]);
        c3d_text_add(out, "</label>\n");
    }
    c3d_text_add(out,
                 "<label>size <input id=zoom type=range min=1 max=4 step=.25 value=1></label>\n"
                 "<button id=marked></button></div></div>\n");
}

void c3d_preview_page_begin(const preview *of, c3d_text *out)
{
    c3d_text_add(out, "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
                      "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
                      "<meta name=color-scheme content=\"light dark\">\n<title>Scenes of ");
    c3d_text_add_html(out, of->desc->dir);
    c3d_text_add(out, "</title>\n<style>\n%s%s", c3d_pictures_style, c3d_preview_style);
    for (int c = 0; c < of->frames.n_classes; c++)
        c3d_text_add(out, ".c%d.line{stroke:%s}body.no%d .c%d{display:none}\n", c,
                     c3d_outline_colour(c, of->positive), c, c);
    c3d_text_add(out, "</style>\n</head>\n<body>\n<div class=top><h1>Scenes of ");
    c3d_text_add_html(out, of->desc->dir);
    c3d_text_add(out, "</h1>\n");
    add_facts(of, out);
    add_stretch(of, out);
    add_notes(of, out);
    c3d_text_add(out, "</div>\n");
    add_filters(of, out);
    c3d_text_add(out, "<main%s>\n", of->store.n_months == 1 ? " class=single" : "");
}

/* ---- a scene --------------------------------------------------------------------------------- */

static size_t count_samples(const preview *of, int64_t frame_id)
{
    size_t n = 0;

    for (size_t i = 0; i < of->samples.n; i++) n += of->samples.rows[i].frame_id == frame_id;
    return n;
}

/* Longitude and latitude of the frame's middle; false when not known. */
static bool find_place(const preview *of, const c3d_frame *frame, double *x, double *y)
{
    const double *t = of->frames.transform, half = of->frames.size_px / 2.0;
    const double u = frame->x + half, v = frame->y + half;

    *x = frame->lon;
    *y = frame->lat;
    if (frame->source > 0) return isfinite(*x) && isfinite(*y);
    *x = t[0] + u * t[1] + v * t[2];
    *y = t[3] + u * t[4] + v * t[5];
    return of->to_degrees && c3d_transformer_apply(of->to_degrees, 1, x, y) == C3D_OK;
}

static void add_place(const preview *of, const c3d_frame *frame, c3d_text *out)
{
    double x, y;

    if (!find_place(of, frame, &x, &y)) return;
    c3d_text_add(out,
                 "<span class=place><span class=soft>lat, lon</span> <code>%.6f, %.6f</code>"
                 "<button data-copy=\"%.6f, %.6f\">copy</button><button data-copy=\""
                 "https://www.openstreetmap.org/?mlat=%.5f&amp;mlon=%.5f#map=15/%.5f/%.5f\">"
                 "copy map link</button></span>\n",
                 y, x, y, x, y, x, y, x);
}

static void add_label(const preview *of, c3d_frame_label label, c3d_text *out)
{
    const char *kind = label > 0                      ? "positive"
                       : label == C3D_FRAME_NEGATIVE  ? "negative"
                       : label == C3D_FRAME_UNCERTAIN ? "uncertain"
                                                      : "unlabelled";

    c3d_text_add(out, "<span class=\"tag %s\">", kind);
    c3d_text_add_html(out, c3d_frame_label_name(&of->frames, label));
    c3d_text_add(out, "</span>");
}

static void add_header(const preview *of, const preview_scene *scene, c3d_text *out)
{
    const c3d_frame *frame = &of->frames.rows[scene->frame];
    const char *split = c3d_split_name(frame->split);
    const size_t n_samples = count_samples(of, frame->frame_id);

    c3d_text_add(out, "<article data-id=%" PRId64 " data-split=%s data-label=%d data-why=\"",
                 frame->frame_id, split, scene->label);
    for (int r = 0; r < (int)N_PREVIEW_REASONS; r++)
        if (scene->reasons >> r & 1) c3d_text_add(out, "%s ", reasons[r].key);
    c3d_text_add(out,
                 "\">\n<header><h2><label><input type=checkbox title=mark> frame %" PRId64
                 "</label></h2><span class=\"tag %s\">%s</span>",
                 frame->frame_id, split, split);
    add_label(of, scene->label, out);
    for (int r = (int)PREVIEW_CHANGED; r < (int)N_PREVIEW_REASONS; r++)
        if (scene->reasons >> r & 1)
            c3d_text_add(out, "<span class=tag>%s</span>", reasons[r].text);
    c3d_text_add(out, "<span class=soft>");
    if (of->samples.n > 0)
        c3d_text_add(out, "%zu sample%s, ", n_samples, n_samples == 1 ? "" : "s");
    c3d_text_add(out, "%.1f %% missing</span>", 100 * scene->missing);
    add_place(of, frame, out);
    c3d_text_add(out, "</header>\n");
}

/* The label areas of a label year, once; each month of it refers to them. */
static c3d_status add_areas(const preview *of, size_t number, int label, c3d_text *out)
{
    const c3d_frame *frame = &of->frames.rows[of->choice.scenes[number].frame];
    char id[48];

    (void)snprintf(id, sizeof id, "g%zu-%d", number, label);
    return c3d_outlines_draw_all(of->outlines, &of->frames, frame, label, id, out);
}

static bool is_drawn_before(const preview *of, int line)
{
    for (int i = 0; i < line; i++)
        if (of->years[i].label == of->years[line].label) return true;
    return false;
}

static c3d_status add_all_areas(const preview *of, size_t number, c3d_text *out)
{
    c3d_text_add(out, "<svg class=defs><defs>");
    for (int i = 0; i < of->n_years; i++) {
        const int label = of->years[i].label;
        if (label >= 0 && c3d_outlines_has_year(of->outlines, label) && !is_drawn_before(of, i))
            C3D_TRY(add_areas(of, number, label, out));
    }
    c3d_text_add(out, "</defs></svg>\n");
    return C3D_OK;
}

static void add_shares(const preview *of, size_t frame, int label, c3d_text *out)
{
    const c3d_frames *frames = &of->frames;
    const size_t row = frame * (size_t)frames->n_years + (size_t)label;

    add_label(of, frames->labels[row], out);
    for (int c = 0; c < frames->n_classes; c++) {
        const double share = frames->shares[row * (size_t)frames->n_classes + (size_t)c];
        c3d_text_add(out, "<br>");
        c3d_text_add_html(out, frames->classes[c]);
        if (isfinite(share))
            c3d_text_add(out, " %.1f&nbsp;%%", 100 * share);
        else
            c3d_text_add(out, " not observed");
    }
}

/* Images of a list without dates stand in the year 1, their labels in the year 0. */
static bool has_dates(const preview *of)
{
    return of->months[of->store.n_months - 1] / 10000 > 1;
}

static void add_side(const preview *of, size_t frame, const preview_year *year, c3d_text *out)
{
    const c3d_frames *frames = &of->frames;

    c3d_text_add(out, "<div class=side>");
    if (has_dates(of)) c3d_text_add(out, "<b>%d</b>", year->year);
    if (year->label >= 0) {
        add_shares(of, frame, year->label, out);
        if (has_dates(of) && frames->years[year->label] != year->year)
            c3d_text_add(out, "<br><span class=soft>label of %d</span>",
                         frames->years[year->label]);
    } else if (frames->n_years > 0) {
        c3d_text_add(out, "<br><span class=soft>no label of this year</span>");
    }
    c3d_text_add(out, "</div>\n");
}

static c3d_status add_month(const preview *of, size_t number, const preview_pixels *pixels,
                            const preview_year *year, int month, c3d_text *out)
{
    const c3d_date date = of->months[month];
    const bool has_areas = year->label >= 0 && c3d_outlines_has_year(of->outlines, year->label);
    char text[12], style[32] = "", areas[48] = "";

    if (of->is_monthly) (void)snprintf(style, sizeof style, "grid-column:%d", date / 100 % 100);
    if (has_areas) (void)snprintf(areas, sizeof areas, "g%zu-%d", number, year->label);
    return c3d_preview_month(
        &(preview_month){ .pixels = pixels,
                          .month = month,
                          .stretch = &of->stretch,
                          .factor = of->factor,
                          .style = style,
                          .areas = areas,
                          .caption = has_dates(of) ? c3d_date_text(date, text) : "" },
        out);
}

static c3d_status add_years(const preview *of, size_t number, const preview_pixels *pixels,
                            c3d_text *out)
{
    for (int i = 0; i < of->n_years; i++) {
        const preview_year *year = &of->years[i];
        c3d_text_add(out, "<div class=year>");
        add_side(of, of->choice.scenes[number].frame, year, out);
        c3d_text_add(out, "<div class=scroll><div class=\"months%s\">\n",
                     of->is_monthly ? "" : " any");
        for (int m = year->first; m < year->first + year->n; m++)
            C3D_TRY(add_month(of, number, pixels, year, m, out));
        c3d_text_add(out, "</div></div></div>\n");
    }
    return C3D_OK;
}

c3d_status c3d_preview_page_scene(const preview *of, size_t number, c3d_text *out)
{
    const preview_scene *scene = &of->choice.scenes[number];
    preview_pixels pixels;
    c3d_status st;

    C3D_TRY(c3d_preview_read(&of->store, of->frames.rows[scene->frame].frame_id, &pixels));
    add_header(of, scene, out);
    st = add_all_areas(of, number, out);
    if (st == C3D_OK) st = add_years(of, number, &pixels, out);
    c3d_text_add(out, "</article>\n");
    c3d_preview_pixels_free(&pixels);
    return st;
}

/* ---- foot ------------------------------------------------------------------------------------ */

void c3d_preview_page_end(const preview *of, c3d_text *out)
{
    const c3d_json *licences = of->has_info ? c3d_json_get(of->info.json, "licences") : NULL;

    c3d_text_add(out, "</main>\n<footer>\n");
    if (of->n_left_out > 0)
        c3d_text_add(
            out, "<p class=note>The last %zu scenes did not fit into %d MB; raise --max-mb.</p>\n",
            of->n_left_out, of->desc->max_mb);
    for (size_t i = 0; i < c3d_json_length(licences); i++) {
        const char *line = c3d_json_string_value(c3d_json_at(licences, i));
        if (!line) continue;
        c3d_text_add(out, "<p>");
        c3d_text_add_html(out, line);
        c3d_text_add(out, "</p>\n");
    }
    c3d_text_add(out, "<p>Made by ");
    c3d_text_add_html(out, of->desc->made_by);
    c3d_text_add(out,
                 "; needs no network.</p>\n</footer>\n<script>\n%s</script>\n</body>\n</html>\n",
                 c3d_preview_script);
}
