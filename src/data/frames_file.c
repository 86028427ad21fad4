#include "frames.h"
#include "import.h"
#include "sources.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIXED_FIELDS = 11, TEXT_MAX = 96 };

/* ---- layer frames ---------------------------------------------------------------------------- */

/* Columns in order: frame_id, split, fold, those of each label year, edited, x, y, source, group,
 * lon, lat (those four if has_sources), made. */
typedef struct column_list {
    int n;
    bool has_sources;
    c3d_field_desc *fields; /* [n]; names own their text */
    c3d_field_value *values;
} column_list;

static void columns_free(column_list *columns)
{
    for (int c = 0; c < columns->n; c++) free((void *)(uintptr_t)columns->fields[c].name);
    free(columns->fields);
    free(columns->values);
}

static void add_column(column_list *columns, c3d_field_type type, const char *name)
{
    columns->fields[columns->n++] = (c3d_field_desc){ c3d_strdup(name), type };
}

static bool has_sources(const c3d_frames *frames)
{
    for (size_t i = 0; i < frames->n; i++)
        if (frames->rows[i].source != 0 || frames->rows[i].group != 0) return true;
    return false;
}

static c3d_status columns_make(const c3d_frames *frames, column_list *out)
{
    const size_t n = FIXED_FIELDS + (size_t)frames->n_years * (size_t)c3d_year_columns_max(frames);

    out->fields = c3d_calloc(n, sizeof *out->fields);
    out->values = c3d_calloc(n, sizeof *out->values);
    if (out->fields == NULL || out->values == NULL) return C3D_ENOMEM;
    add_column(out, C3D_FIELD_INT, "frame_id");
    add_column(out, C3D_FIELD_TEXT, "split");
    add_column(out, C3D_FIELD_INT, "fold");
    for (int k = 0; k < frames->n_years; k++)
        out->n += c3d_year_columns(frames, k, &out->fields[out->n]);
    add_column(out, C3D_FIELD_INT, "edited");
    add_column(out, C3D_FIELD_INT, "x");
    add_column(out, C3D_FIELD_INT, "y");
    if ((out->has_sources = has_sources(frames))) {
        add_column(out, C3D_FIELD_INT, "source");
        add_column(out, C3D_FIELD_INT, "group");
        add_column(out, C3D_FIELD_REAL, "lon");
        add_column(out, C3D_FIELD_REAL, "lat");
    }
    add_column(out, C3D_FIELD_TEXT, "made");
    return C3D_OK;
}

static void fill_values(const c3d_frames *frames, size_t i, const column_list *columns,
                        const char *made)
{
    const c3d_frame *frame = &frames->rows[i];
    c3d_field_value *values = columns->values;
    int v = 0;

    values[v++].i = frame->frame_id;
    values[v++].t = c3d_split_name(frame->split);
    values[v++].i = frame->fold;
    for (int k = 0; k < frames->n_years; k++) v += c3d_year_values(frames, i, k, &values[v]);
    values[v++].i = frame->edited;
    values[v++].i = frame->x;
    values[v++].i = frame->y;
    if (columns->has_sources) {
        values[v++].i = frame->source;
        values[v++].i = frame->group;
        values[v++].r = frame->source ? frame->lon : (double)NAN;
        values[v++].r = frame->source ? frame->lat : (double)NAN;
    }
    values[v++].t = made;
}

/* A frame of an imported file is a square around its centre: the grid is then a nominal one in
 * degrees, whose pixels have the files' size at the equator. False without a place. */
static bool ring_around(const c3d_frames *frames, const c3d_frame *frame, double ring[10])
{
    static const int corners[5][2] = { { -1, 1 }, { -1, -1 }, { 1, -1 }, { 1, 1 }, { -1, 1 } };
    const double half = fabs(frames->transform[5]) * frames->size_px / 2;
    const double shrink = cos(frame->lat * acos(-1.0) / 180);

    if (isnan(frame->lon) || isnan(frame->lat)) return false;
    for (int i = 0; i < 5; i++) {
        ring[2 * i] = frame->lon + corners[i][0] * half / fmax(shrink, 1e-6);
        ring[2 * i + 1] = frame->lat + corners[i][1] * half;
    }
    return true;
}

bool c3d_frames_ring(const c3d_frames *frames, const c3d_frame *frame, double ring[10])
{
    static const int corners[5][2] = { { 0, 0 }, { 0, 1 }, { 1, 1 }, { 1, 0 }, { 0, 0 } };
    const double *t = frames->transform;

    if (frame->source > 0) return ring_around(frames, frame, ring);
    for (int i = 0; i < 5; i++) {
        const double u = frame->x + (double)(corners[i][0] * frames->size_px);
        const double v = frame->y + (double)(corners[i][1] * frames->size_px);

        ring[2 * i] = t[0] + u * t[1] + v * t[2];
        ring[2 * i + 1] = t[3] + u * t[4] + v * t[5];
    }
    return true;
}

c3d_status c3d_frames_write_layer(c3d_vector_writer *writer, const c3d_frames *frames)
{
    column_list columns = { 0 };
    double ring[10];
    bool has_ring;
    char *made = c3d_calloc(c3d_frames_made_max(frames), 1);
    c3d_status st;

    if (made == NULL) return C3D_ENOMEM;
    C3D_TRY_TO(done, columns_make(frames, &columns));
    C3D_TRY_TO(done, c3d_vector_writer_layer(writer, "frames", frames->crs_wkt, columns.fields,
                                             columns.n));
    for (size_t i = 0; i < frames->n; i++) {
        c3d_frames_made(frames, i, made);
        fill_values(frames, i, &columns, made);
        has_ring = c3d_frames_ring(frames, &frames->rows[i], ring);
        C3D_TRY_TO(done, c3d_vector_writer_add(writer, has_ring ? ring : NULL, has_ring ? 5 : 0,
                                               columns.values));
    }
done:
    columns_free(&columns);
    free(made);
    return st;
}

/* ---- layer sources --------------------------------------------------------------------------- */

static c3d_status write_sources_layer(c3d_vector_writer *writer, const char *path,
                                      const c3d_archive *archive, const c3d_archive *labels)
{
    c3d_known_hashes known;
    c3d_status st;

    C3D_TRY(c3d_known_hashes_read(path, &known));
    st = c3d_vector_writer_layer(writer, "sources", NULL, c3d_source_fields, C3D_SOURCE_FIELDS);
    if (st == C3D_OK) st = c3d_sources_write(writer, archive, labels, &known);
    c3d_known_hashes_free(&known);
    return st;
}

/* ---- table settings -------------------------------------------------------------------------- */

static c3d_status write_setting(c3d_vector_writer *writer, const char *key, const char *value)
{
    return c3d_vector_writer_add(writer, NULL, 0,
                                 (const c3d_field_value[]){ { .t = key }, { .t = value } });
}

static c3d_status write_class(c3d_vector_writer *writer, int c, const c3d_label_class *class)
{
    c3d_text text = { 0 };
    c3d_status st;

    for (int r = 0; r < class->n_ranges; r++) {
        c3d_text_add(&text, "%s%d", r ? "," : "", class->ranges[r][0]);
        if (class->ranges[r][1] != class->ranges[r][0])
            c3d_text_add(&text, "-%d", class->ranges[r][1]);
    }
    st = write_setting(writer, "class_codes", text.text ? text.text : "");
    for (int t = 0; st == C3D_OK && t < class->n_texts; t++) {
        text.length = 0;
        c3d_text_add(&text, "%d %s", c, class->texts[t]);
        st = write_setting(writer, "class_text", text.text);
    }
    c3d_text_free(&text);
    return st;
}

/* What makes a class, for whoever draws the labels: codes ("30", "101-130,201"), and values of the
 * field of polygons and points ("0 garimpo": of class 0). */
static c3d_status write_classes(c3d_vector_writer *writer, const c3d_dataset_desc *desc)
{
    for (int c = 0; c < desc->n_classes; c++) C3D_TRY(write_class(writer, c, &desc->classes[c]));
    if (desc->label_field) C3D_TRY(write_setting(writer, "label_field", desc->label_field));
    if (desc->label_date_field)
        C3D_TRY(write_setting(writer, "label_date_field", desc->label_date_field));
    return desc->positive ? write_setting(writer, "positive", desc->positive) : C3D_OK;
}

static c3d_status write_settings(c3d_vector_writer *writer, const c3d_frames *frames,
                                 const c3d_dataset_desc *desc, uint64_t fingerprint)
{
    const c3d_field_desc fields[] = { { "key", C3D_FIELD_TEXT }, { "value", C3D_FIELD_TEXT } };
    char key[32], value[TEXT_MAX];
    int block_px[2];

    C3D_TRY(c3d_vector_writer_layer(writer, "settings", NULL, fields, 2));
    C3D_TRY(write_setting(writer, "crs_wkt", frames->crs_wkt));
    for (int i = 0; i < 6; i++) {
        (void)snprintf(key, sizeof key, "transform_%d", i);
        (void)snprintf(value, sizeof value, "%.17g", frames->transform[i]);
        C3D_TRY(write_setting(writer, key, value));
    }
    (void)snprintf(value, sizeof value, "%d", frames->width_px);
    C3D_TRY(write_setting(writer, "width_px", value));
    (void)snprintf(value, sizeof value, "%d", frames->height_px);
    C3D_TRY(write_setting(writer, "height_px", value));
    (void)snprintf(value, sizeof value, "%d", frames->size_px);
    C3D_TRY(write_setting(writer, "frame_size_px", value));
    c3d_frames_block_px(desc, frames, block_px);
    (void)snprintf(value, sizeof value, "%d", block_px[0]);
    C3D_TRY(write_setting(writer, "block_width_px", value));
    (void)snprintf(value, sizeof value, "%d", block_px[1]);
    C3D_TRY(write_setting(writer, "block_height_px", value));
    (void)snprintf(value, sizeof value, "%zu", frames->n);
    C3D_TRY(write_setting(writer, "n_frames", value));
    (void)snprintf(value, sizeof value, "%016" PRIx64, fingerprint);
    C3D_TRY(write_setting(writer, "fingerprint", value));
    (void)snprintf(value, sizeof value, "%016" PRIx64, c3d_frames_settings(desc));
    C3D_TRY(write_setting(writer, "settings", value));
    C3D_TRY(write_setting(writer, "labels", frames->by_class ? "by class" : "positive"));
    for (int c = 0; c < frames->n_classes; c++)
        C3D_TRY(write_setting(writer, "class", frames->classes[c]));
    for (int k = 0; k < frames->n_years; k++) {
        (void)snprintf(value, sizeof value, "%d", frames->years[k]);
        C3D_TRY(write_setting(writer, "label_year", value));
    }
    return write_classes(writer, desc);
}

/* ---- the file -------------------------------------------------------------------------------- */

static void add_archive(c3d_text *text, const c3d_archive *archive)
{
    for (int m = 0; m < archive->n_months; m++) {
        for (int f = 0; f < archive->months[m].n_files; f++) {
            const char *path = archive->months[m].files[f], *slash = strrchr(path, '/');

            c3d_text_add(text, "%d %s %" PRIu64 "\n", archive->months[m].date,
                         slash ? slash + 1 : path, c3d_source_bytes(path));
        }
    }
}

static void add_classes(c3d_text *text, const char *word, int n, const c3d_label_class *classes)
{
    for (int c = 0; c < n; c++) {
        c3d_text_add(text, "%s %s", word, classes[c].name);
        for (int r = 0; r < classes[c].n_ranges; r++)
            c3d_text_add(text, " %d-%d", classes[c].ranges[r][0], classes[c].ranges[r][1]);
        for (int t = 0; t < classes[c].n_texts; t++)
            c3d_text_add(text, " \"%s\"", classes[c].texts[t]);
        c3d_text_add(text, "\n");
    }
}

static void add_desc(c3d_text *text, const c3d_dataset_desc *desc)
{
    c3d_text_add(text, "frame %d %d aoi %.17g %.17g %.17g %.17g\n", desc->frame_size_px,
                 desc->stride_px, desc->aoi[0], desc->aoi[1], desc->aoi[2], desc->aoi[3]);
    c3d_text_add(text, "split %d %.17g %.17g shares %.17g %.17g %.17g folds %d seed %" PRIu64 "\n",
                 (int)desc->split, desc->block_km, desc->buffer_m, desc->split_shares[0],
                 desc->split_shares[1], desc->split_shares[2], desc->folds, desc->seed);
    c3d_text_add(text, "labels %d %d %.17g %.17g %s\n", desc->label_first, desc->label_last,
                 desc->positive_share, desc->negative_share, desc->positive ? desc->positive : "");
    add_classes(text, "class", desc->n_classes, desc->classes);
    add_classes(text, "hard", desc->n_hard, desc->hard);
    c3d_text_add(text, "fields %s %s distance %.17g\n", desc->label_field ? desc->label_field : "",
                 desc->label_date_field ? desc->label_date_field : "", desc->negative_distance_m);
}

uint64_t c3d_frames_settings(const c3d_dataset_desc *desc)
{
    c3d_text text = { 0 };

    add_desc(&text, desc);
    const uint64_t hash = c3d_hash(text.text, text.length);
    c3d_text_free(&text);
    return hash;
}

/* The imagery's files are not in it: months that arrive later leave the frames as they are. */
c3d_status c3d_frames_fingerprint(const c3d_dataset_desc *desc, const c3d_archive *archive,
                                  uint64_t *out)
{
    c3d_archive labels = { 0 };
    c3d_text text = { 0 };
    uint64_t polygons = 0;
    c3d_status st = C3D_OK;

    if (desc->split == C3D_SPLIT_POLYGONS)
        C3D_TRY(c3d_hash_file(desc->split_file, &polygons, NULL));
    if (desc->labels != NULL) C3D_TRY(c3d_label_archive(desc, archive, &labels));
    add_desc(&text, desc);
    if (polygons) c3d_text_add(&text, "polygons %016" PRIx64 "\n", polygons);
    add_archive(&text, &labels);
    if (desc->list != NULL) st = c3d_import_fingerprint(desc, &text);
    *out = c3d_hash(text.text, text.length);
    c3d_text_free(&text);
    c3d_archive_free(&labels);
    return st;
}

c3d_status c3d_frames_write(const char *path, const c3d_frames *frames,
                            const c3d_dataset_desc *desc, const c3d_archive *archive)
{
    c3d_vector_writer *writer = NULL;
    c3d_archive labels = { 0 };
    uint64_t fingerprint;
    c3d_status st;

    C3D_TRY_TO(done, c3d_frames_fingerprint(desc, archive, &fingerprint));
    if (desc->labels != NULL) C3D_TRY_TO(done, c3d_label_archive(desc, archive, &labels));
    C3D_TRY_TO(done, c3d_vector_writer_create(path, &writer));
    C3D_TRY_TO(done, c3d_frames_write_layer(writer, frames));
    C3D_TRY_TO(done, write_sources_layer(writer, path, archive, &labels));
    C3D_TRY_TO(done, write_settings(writer, frames, desc, fingerprint));
    C3D_TRY_TO(done, c3d_frames_write_styles(writer, frames));
    st = c3d_vector_writer_commit(writer);
    writer = NULL;
done:
    c3d_vector_writer_discard(writer);
    c3d_archive_free(&labels);
    return st;
}
