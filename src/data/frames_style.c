/* QGIS styles of layer frames: what a split is, is filled, and what a label is, is drawn as a line
 * inside the frame's edge. One style a label year, the last being the one that a layer opens with.
 * Also what may be typed where: splits and labels from lists, and what no edit can change is
 * locked.
 */
#include "frames.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *fill;
} splits[] = { { "train", "27,120,55,90" },
               { "validation", "224,130,20,110" },
               { "test", "118,42,131,100" },
               { "none", "150,150,150,60" } };
/* Positive, then further classes. */
static const char *const class_lines[] = { "215,25,28,255",   "0,150,210,255", "255,215,0,255",
                                           "255,120,220,255", "120,90,60,255", "0,200,120,255",
                                           "140,140,255,255", "255,140,60,255" };

static const char *line_of(c3d_frame_label label)
{
    if (label == C3D_FRAME_NEGATIVE) return "49,84,180,170";
    if (label == C3D_FRAME_UNCERTAIN) return "255,225,90,255";
    if (label == C3D_FRAME_UNLABELLED) return "120,120,120,255";
    return class_lines[(size_t)(label - 1) % C3D_COUNT(class_lines)];
}

/* Negatives are the many: they stay in the background. */
static double width_of(c3d_frame_label label)
{
    return label > 0 ? 0.8 : label == C3D_FRAME_UNCERTAIN ? 0.6 : 0.26;
}

static void add_label_column(const c3d_frames *frames, int year, c3d_text *out)
{
    c3d_text_add(out, "label_%04d", frames->years[year]);
}

/* ---- renderer -------------------------------------------------------------------------------- */

/* The value as a QGIS string, inside an XML attribute. */
static void add_rule(c3d_text *out, const char *column, const char *value, int symbol)
{
    c3d_text_add(out, "<rule key=\"r%d\" symbol=\"%d\" filter=\"&quot;%s&quot; = &#39;", symbol,
                 symbol, column);
    for (const char *c = value; *c; c++) {
        const char one[2] = { *c, 0 };
        c3d_text_add_html(out, one);
        if (*c == '\'') c3d_text_add_html(out, one);
    }
    c3d_text_add(out, "&#39;\" label=\"");
    c3d_text_add_html(out, value);
    c3d_text_add(out, "\"/>\n");
}

static void add_rules(const c3d_frames *frames, int year, c3d_text *out)
{
    int symbol = 0;

    c3d_text_add(out, "<rules key=\"root\">\n<rule key=\"splits\" label=\"split\">\n");
    for (size_t s = 0; s < C3D_COUNT(splits); s++) add_rule(out, "split", splits[s].name, symbol++);
    c3d_text_add(out, "</rule>\n");
    if (year >= 0) {
        c3d_text column = { 0 };
        add_label_column(frames, year, &column);
        c3d_text_add(out, "<rule key=\"labels\" label=\"%s\">\n", column.text);
        for (int label = c3d_frames_n_labels(frames); label >= C3D_FRAME_UNLABELLED; label--)
            add_rule(out, column.text, c3d_frame_label_name(frames, label), symbol++);
        c3d_text_add(out, "</rule>\n");
        c3d_text_free(&column);
    }
    c3d_text_add(out, "</rules>\n");
}

static void begin_symbol(c3d_text *out, int symbol, const char *layer)
{
    c3d_text_add(out,
                 "<symbol type=\"fill\" name=\"%d\" alpha=\"1\" clip_to_extent=\"1\">\n"
                 "<layer class=\"%s\" enabled=\"1\" locked=\"0\" pass=\"%d\">\n",
                 symbol, layer, symbol < (int)C3D_COUNT(splits) ? 0 : 1);
}

static void add_symbols(const c3d_frames *frames, int year, c3d_text *out)
{
    int symbol = 0;

    c3d_text_add(out, "<symbols>\n");
    for (size_t s = 0; s < C3D_COUNT(splits); s++) {
        begin_symbol(out, symbol++, "SimpleFill");
        c3d_text_add(out,
                     "<prop k=\"color\" v=\"%s\"/>\n<prop k=\"style\" v=\"solid\"/>\n"
                     "<prop k=\"outline_color\" v=\"60,60,60,160\"/>\n"
                     "<prop k=\"outline_style\" v=\"solid\"/>\n"
                     "<prop k=\"outline_width\" v=\"0.1\"/>\n</layer>\n</symbol>\n",
                     splits[s].fill);
    }
    for (int label = c3d_frames_n_labels(frames); year >= 0 && label >= C3D_FRAME_UNLABELLED;
         label--) {
        begin_symbol(out, symbol++, "SimpleLine");
        c3d_text_add(out,
                     "<prop k=\"line_color\" v=\"%s\"/>\n<prop k=\"line_width\" v=\"%g\"/>\n"
                     "<prop k=\"line_style\" v=\"solid\"/>\n<prop k=\"joinstyle\" v=\"miter\"/>\n"
                     "<prop k=\"offset\" v=\"0.45\"/>\n<prop k=\"offset_unit\" v=\"MM\"/>\n"
                     "</layer>\n</symbol>\n",
                     line_of(label), width_of(label));
    }
    c3d_text_add(out, "</symbols>\n");
}

/* ---- forms ----------------------------------------------------------------------------------- */

static void add_choice(c3d_text *out, const char *value)
{
    c3d_text_add(out, "<Option type=\"Map\"><Option type=\"QString\" name=\"");
    c3d_text_add_html(out, value);
    c3d_text_add(out, "\" value=\"");
    c3d_text_add_html(out, value);
    c3d_text_add(out, "\"/></Option>\n");
}

static void begin_choices(c3d_text *out, const char *column)
{
    c3d_text_add(out,
                 "<field name=\"%s\"><editWidget type=\"ValueMap\"><config><Option type=\"Map\">"
                 "<Option type=\"List\" name=\"map\">\n",
                 column);
}

#define END_CHOICES "</Option></Option></config></editWidget></field>\n"

static void add_forms(const c3d_frames *frames, c3d_text *out)
{
    static const char *const locked[] = { "frame_id", "x", "y", "source", "group", "made" };

    c3d_text_add(out, "<fieldConfiguration>\n");
    begin_choices(out, "split");
    for (size_t s = 0; s < C3D_COUNT(splits); s++) add_choice(out, splits[s].name);
    c3d_text_add(out, END_CHOICES);
    for (int k = 0; k < frames->n_years; k++) {
        c3d_text column = { 0 };
        add_label_column(frames, k, &column);
        begin_choices(out, column.text);
        for (int label = c3d_frames_n_labels(frames); label >= C3D_FRAME_UNLABELLED; label--)
            add_choice(out, c3d_frame_label_name(frames, label));
        c3d_text_add(out, END_CHOICES);
        c3d_text_free(&column);
    }
    c3d_text_add(out, "</fieldConfiguration>\n<editable>\n");
    for (size_t i = 0; i < C3D_COUNT(locked); i++)
        c3d_text_add(out, "<field name=\"%s\" editable=\"0\"/>\n", locked[i]);
    c3d_text_add(out, "</editable>\n");
}

/* ---- all styles ------------------------------------------------------------------------------ */

static void add_style(const c3d_frames *frames, int year, c3d_text *out)
{
    c3d_text_add(out, "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
                      "<qgis version=\"3.22\" styleCategories=\"Symbology|Fields|Forms\">\n"
                      "<renderer-v2 type=\"RuleRenderer\" symbollevels=\"1\" enableorderby=\"0\" "
                      "forceraster=\"0\">\n");
    add_rules(frames, year, out);
    add_symbols(frames, year, out);
    c3d_text_add(out, "</renderer-v2>\n");
    add_forms(frames, out);
    c3d_text_add(out, "<layerGeometryType>2</layerGeometryType>\n</qgis>\n");
}

c3d_status c3d_frames_write_styles(c3d_vector_writer *writer, const c3d_frames *frames)
{
    c3d_status st = C3D_OK;

    for (int year = frames->n_years - 1; st == C3D_OK && year >= -1; year--) {
        c3d_text style = { 0 }, name = { 0 };
        if (year < 0 && frames->n_years > 0) break;
        c3d_text_add(&name, "split");
        if (year >= 0) {
            c3d_text_add(&name, " and ");
            add_label_column(frames, year, &name);
        }
        add_style(frames, year, &style);
        st = c3d_vector_writer_style(writer, "frames", name.text, style.text);
        c3d_text_free(&style);
        c3d_text_free(&name);
    }
    return st;
}
