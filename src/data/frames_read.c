#include "frames.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- table settings -------------------------------------------------------------------------- */

/* The n-th value of a key, or NULL. */
static const char *setting(const c3d_vector *settings, const char *key, int n)
{
    const int key_field = c3d_vector_field(settings, "key");
    const int value_field = c3d_vector_field(settings, "value");

    for (size_t row = 0; row < c3d_vector_n_rows(settings); row++) {
        const char *name = c3d_vector_text(settings, row, key_field);
        if (name != NULL && strcmp(name, key) == 0 && n-- == 0)
            return c3d_vector_text(settings, row, value_field);
    }
    return NULL;
}

static int count_setting(const c3d_vector *settings, const char *key)
{
    int n = 0;

    while (setting(settings, key, n) != NULL) n++;
    return n;
}

static c3d_status int_setting(const char *path, const c3d_vector *settings, const char *key, int n,
                              int *out)
{
    const char *text = setting(settings, key, n);
    long long value;

    if (text == NULL || !c3d_parse_int(text, &value) || value < 0 || value > INT32_MAX)
        return C3D_FAIL(C3D_EDATA, "%s: table settings: %s: expected a whole number, got \"%s\"",
                        path, key, text ? text : "");
    *out = (int)value;
    return C3D_OK;
}

static c3d_status read_grid(const char *path, const c3d_vector *settings, c3d_frames *frames)
{
    const char *wkt = setting(settings, "crs_wkt", 0);
    char key[32];

    frames->crs_wkt = c3d_strdup(wkt ? wkt : "");
    for (int i = 0; i < 6; i++) {
        const char *text;

        (void)snprintf(key, sizeof key, "transform_%d", i);
        text = setting(settings, key, 0);
        if (text == NULL || !c3d_parse_real(text, &frames->transform[i]))
            return C3D_FAIL(C3D_EDATA, "%s: table settings: %s: expected a number, got \"%s\"",
                            path, key, text ? text : "");
    }
    C3D_TRY(int_setting(path, settings, "width_px", 0, &frames->width_px));
    C3D_TRY(int_setting(path, settings, "height_px", 0, &frames->height_px));
    if (setting(settings, "block_width_px", 0) != NULL) {
        C3D_TRY(int_setting(path, settings, "block_width_px", 0, &frames->block_px[0]));
        C3D_TRY(int_setting(path, settings, "block_height_px", 0, &frames->block_px[1]));
    }
    return int_setting(path, settings, "frame_size_px", 0, &frames->size_px);
}

static c3d_status read_labelling(const char *path, const c3d_vector *settings, c3d_frames *frames)
{
    const int n_years = count_setting(settings, "label_year");
    const int n_classes = count_setting(settings, "class");
    const char *labels = setting(settings, "labels", 0);
    const char *positive = setting(settings, "positive", 0);

    frames->years = c3d_calloc((size_t)n_years + 1, sizeof *frames->years);
    frames->classes = c3d_calloc((size_t)n_classes + 1, sizeof *frames->classes);
    if (frames->years == NULL || frames->classes == NULL) return C3D_ENOMEM;
    frames->by_class = labels != NULL && strcmp(labels, "by class") == 0;
    for (int k = 0; k < n_years; k++)
        C3D_TRY(int_setting(path, settings, "label_year", k, &frames->years[frames->n_years++]));
    frames->positive = -1;
    for (int c = 0; c < n_classes; c++) {
        frames->classes[frames->n_classes++] = c3d_strdup(setting(settings, "class", c));
        if (positive != NULL && strcmp(frames->classes[c], positive) == 0) frames->positive = c;
    }
    return C3D_OK;
}

c3d_status c3d_frames_read_origin(const char *path, frames_origin *out)
{
    c3d_vector *settings = NULL;
    const char *text;
    c3d_status st = C3D_OK;

    C3D_TRY(c3d_vector_open(path, "settings", &settings));
    text = setting(settings, "settings", 0);
    out->has_settings = text != NULL && sscanf(text, "%" SCNx64, &out->settings) == 1;
    text = setting(settings, "fingerprint", 0);
    if (text == NULL || sscanf(text, "%" SCNx64, &out->fingerprint) != 1)
        st = C3D_FAIL(C3D_EDATA, "%s: table settings: no fingerprint", path);
    c3d_vector_close(settings);
    return st;
}

/* ---- layer frames ---------------------------------------------------------------------------- */

typedef struct reading {
    const char *path;
    const c3d_vector *layer;
    c3d_frames *frames;
    /* columns; source, group, lon, lat, edited may be absent (-1) */
    int frame_id, split, fold, x, y, source, group, lon, lat, edited, made;
    int *labels, *hard,
        *shares;      /* [n_years] twice, [n_years, n_classes]; the last two may be absent */
    bool is_same_crs; /* of layer and grid */
} reading;

static c3d_status find_column(const reading *in, const char *name, int *out)
{
    *out = c3d_vector_field(in->layer, name);
    if (*out >= 0) return C3D_OK;
    return C3D_FAIL(C3D_EDATA, "%s: layer frames has no column %s", in->path, name);
}

static c3d_status find_label_columns(reading *in)
{
    const c3d_frames *frames = in->frames;
    char name[96];

    in->labels = c3d_calloc((size_t)frames->n_years + 1, sizeof *in->labels);
    in->shares = c3d_calloc((size_t)(frames->n_years * frames->n_classes) + 1, sizeof *in->shares);
    in->hard = c3d_calloc((size_t)frames->n_years + 1, sizeof *in->hard);
    if (in->labels == NULL || in->hard == NULL || in->shares == NULL) return C3D_ENOMEM;
    for (int k = 0; k < frames->n_years; k++) {
        (void)snprintf(name, sizeof name, "label_%04d", frames->years[k]);
        C3D_TRY(find_column(in, name, &in->labels[k]));
        (void)snprintf(name, sizeof name, "hard_%04d", frames->years[k]);
        in->hard[k] = c3d_vector_field(in->layer, name);
        for (int c = 0; c < frames->n_classes; c++) {
            (void)snprintf(name, sizeof name, "share_%.60s_%04d", frames->classes[c],
                           frames->years[k]);
            in->shares[k * frames->n_classes + c] = c3d_vector_field(in->layer, name);
        }
    }
    return C3D_OK;
}

static c3d_status find_columns(reading *in)
{
    C3D_TRY(find_column(in, "frame_id", &in->frame_id));
    C3D_TRY(find_column(in, "split", &in->split));
    C3D_TRY(find_column(in, "fold", &in->fold));
    C3D_TRY(find_column(in, "x", &in->x));
    C3D_TRY(find_column(in, "y", &in->y));
    C3D_TRY(find_column(in, "made", &in->made));
    in->edited = c3d_vector_field(in->layer, "edited");
    in->source = c3d_vector_field(in->layer, "source");
    in->group = c3d_vector_field(in->layer, "group");
    in->lon = c3d_vector_field(in->layer, "lon");
    in->lat = c3d_vector_field(in->layer, "lat");
    in->is_same_crs = c3d_crs_is_same(c3d_vector_crs_wkt(in->layer), in->frames->crs_wkt);
    return find_label_columns(in);
}

static c3d_status fail_value(const reading *in, size_t row, int column, const char *expected)
{
    const char *text = c3d_vector_text(in->layer, row, column);

    return C3D_FAIL(C3D_EDATA, "%s: frame %" PRId64 ": %s: expected %s, got \"%s\"", in->path,
                    in->frames->rows[row].frame_id, c3d_vector_field_name(in->layer, column),
                    expected, text ? text : "");
}

/* -1 is "in no fold" there. */
static c3d_status read_fold(const reading *in, size_t row, int *out)
{
    long long value;

    if (!c3d_vector_int(in->layer, row, in->fold, &value) || value < -1 || value > INT32_MAX)
        return fail_value(in, row, in->fold, "a fold's number, or -1");
    *out = (int)value;
    return C3D_OK;
}

static c3d_status read_int(const reading *in, size_t row, int column, int *out)
{
    long long value;

    if (!c3d_vector_int(in->layer, row, column, &value) || value < 0 || value > INT32_MAX)
        return fail_value(in, row, column, "a whole number");
    *out = (int)value;
    return C3D_OK;
}

static c3d_status read_row_labels(const reading *in, size_t row)
{
    c3d_frames *frames = in->frames;

    for (int k = 0; k < frames->n_years; k++) {
        const size_t at = row * (size_t)frames->n_years + (size_t)k;
        const char *text = c3d_vector_text(in->layer, row, in->labels[k]);
        long long number;

        if (text == NULL || !c3d_frame_label_parse(frames, text, &frames->labels[at]))
            return fail_value(in, row, in->labels[k],
                              frames->by_class ? "a class, negative, uncertain or unlabelled"
                                               : "negative, positive, uncertain or unlabelled");
        if (frames->hard != NULL)
            frames->hard[at] = c3d_vector_int(in->layer, row, in->hard[k], &number) && number != 0;
        for (int c = 0; c < frames->n_classes; c++) {
            double *share = &frames->shares[at * (size_t)frames->n_classes + (size_t)c];

            if (!c3d_vector_real(in->layer, row, in->shares[k * frames->n_classes + c], share))
                *share = __builtin_nan("");
        }
    }
    return C3D_OK;
}

/* The columns of imported frames; a file without them has none. */
static c3d_status read_source(const reading *in, size_t row)
{
    c3d_frame *frame = &in->frames->rows[row];
    long long number = 0;

    frame->lon = frame->lat = (double)NAN;
    if (in->source < 0) return C3D_OK;
    C3D_TRY(read_int(in, row, in->source, &frame->source));
    if (c3d_vector_text(in->layer, row, in->group) != NULL &&
        !c3d_vector_int(in->layer, row, in->group, &number))
        return fail_value(in, row, in->group, "a whole number");
    frame->group = number;
    if (!c3d_vector_real(in->layer, row, in->lon, &frame->lon) ||
        !c3d_vector_real(in->layer, row, in->lat, &frame->lat))
        frame->lon = frame->lat = (double)NAN;
    return C3D_OK;
}

static c3d_status check_shape(const reading *in, size_t row)
{
    const c3d_frame *frame = &in->frames->rows[row];
    double bounds[4] = { NAN, NAN, NAN, NAN };
    const bool has_shape = c3d_vector_bounds(in->layer, row, bounds);

    if (!has_shape && frame->source > 0) return C3D_OK;
    if (c3d_frames_has_shape(in->frames, frame, bounds, c3d_vector_area(in->layer, row)))
        return C3D_OK;
    if (!in->is_same_crs)
        return C3D_FAIL(C3D_EDATA,
                        "%s: layer frames is in another reference system than it was made in; save "
                        "edits in that one",
                        in->path);
    return C3D_FAIL(
        C3D_EDATA,
        "%s: frame %" PRId64 ": its square was moved or reshaped (it now reaches from "
        "%.10g, %.10g to %.10g, %.10g); frames stay on the pixels they were made of: put "
        "it back, or delete the frame; for other places make frames with another "
        "data.aoi or data.stride_px",
        in->path, frame->frame_id, bounds[0], bounds[1], bounds[2], bounds[3]);
}

static c3d_status read_row(const reading *in, size_t row)
{
    c3d_frame *frame = &in->frames->rows[row];
    const char *split = c3d_vector_text(in->layer, row, in->split);
    long long number;

    if (!c3d_vector_int(in->layer, row, in->frame_id, &number))
        return C3D_FAIL(C3D_EDATA,
                        "%s: row %zu of layer frames has no frame_id: frames can be edited and "
                        "deleted, not added; delete the row",
                        in->path, row + 1);
    frame->frame_id = number;
    if (split == NULL || !c3d_split_parse(split, &frame->split))
        return fail_value(in, row, in->split, "train, validation, test or none");
    C3D_TRY(read_fold(in, row, &frame->fold));
    C3D_TRY(read_int(in, row, in->x, &frame->x));
    C3D_TRY(read_int(in, row, in->y, &frame->y));
    C3D_TRY(read_source(in, row));
    if (frame->x > in->frames->width_px - in->frames->size_px ||
        frame->y > in->frames->height_px - in->frames->size_px)
        return fail_value(in, row, in->x, "a place inside the grid");
    C3D_TRY(read_row_labels(in, row));
    C3D_TRY(
        c3d_frames_compare(in->path, in->frames, row, c3d_vector_text(in->layer, row, in->made)));
    frame->edited |= c3d_vector_int(in->layer, row, in->edited, &number) && number != 0;
    return check_shape(in, row);
}

static bool has_hard(const c3d_frames *frames, const c3d_vector *layer)
{
    char column[16];

    if (frames->n_years == 0) return false;
    (void)snprintf(column, sizeof column, "hard_%04d", frames->years[0]);
    return c3d_vector_field(layer, column) >= 0;
}

/* Where folds were dealt (more than one), only these can be chosen. Edits are in the order of the
 * rows. */
static c3d_status check_folds(const reading *in)
{
    const c3d_frames *frames = in->frames;
    int most = 0;

    for (size_t i = 0, e = 0; i < frames->n; i++) {
        int made = frames->rows[i].fold;
        for (; e < frames->n_edits && frames->edits[e].frame_id == frames->rows[i].frame_id; e++)
            if (frames->edits[e].what == C3D_EDIT_FOLD) made = frames->edits[e].was;
        if (made > most) most = made;
    }
    for (size_t i = 0; most > 0 && i < frames->n; i++)
        if (frames->rows[i].fold > most) {
            char expected[64];
            (void)snprintf(expected, sizeof expected, "a fold's number from 0 to %d, or -1", most);
            return fail_value(in, i, in->fold, expected);
        }
    return C3D_OK;
}

static c3d_status read_rows(reading *in)
{
    c3d_frames *frames = in->frames;
    const size_t n_labels = frames->n * (size_t)frames->n_years;

    frames->rows = c3d_calloc(frames->n + 1, sizeof *frames->rows);
    frames->labels = c3d_calloc(n_labels + 1, sizeof *frames->labels);
    frames->shares = c3d_calloc(n_labels * (size_t)frames->n_classes + 1, sizeof *frames->shares);
    if (has_hard(frames, in->layer)) frames->hard = c3d_calloc(n_labels + 1, 1);
    if (frames->rows == NULL || frames->labels == NULL || frames->shares == NULL ||
        (has_hard(frames, in->layer) && frames->hard == NULL))
        return C3D_ENOMEM;
    C3D_TRY(find_columns(in));
    for (size_t row = 0; row < frames->n; row++) {
        if (row % 1024 == 0) c3d_phase_tick();
        C3D_TRY(read_row(in, row));
    }
    return check_folds(in);
}

/* Rows that are gone are known by their number when the file was made. */
static c3d_status count_deleted(const char *path, const c3d_vector *settings, c3d_frames *frames)
{
    int n_made;

    C3D_TRY(int_setting(path, settings, "n_frames", 0, &n_made));
    frames->n_deleted = (size_t)n_made > frames->n ? (size_t)n_made - frames->n : 0;
    if (frames->n > 0) return C3D_OK;
    return C3D_FAIL(C3D_EDATA,
                    "%s: no frames: all %d that were made are deleted; move the file away "
                    "to make them again",
                    path, n_made);
}

/* ---- order ----------------------------------------------------------------------------------- */

typedef struct row_place {
    int64_t frame_id;
    size_t row;
} row_place;

static int by_frame_id(const void *a, const void *b)
{
    const row_place *left = a, *right = b;

    return (left->frame_id > right->frame_id) - (left->frame_id < right->frame_id);
}

/* QGIS may have written the rows in another order. */
static c3d_status sort_rows(const char *path, c3d_frames *frames)
{
    const size_t years = (size_t)frames->n_years, shares = years * (size_t)frames->n_classes;
    row_place *order = c3d_calloc(frames->n + 1, sizeof *order);
    c3d_frames sorted = { 0 };
    c3d_status st = C3D_OK;

    sorted.rows = c3d_calloc(frames->n + 1, sizeof *sorted.rows);
    sorted.labels = c3d_calloc(frames->n * years + 1, sizeof *sorted.labels);
    sorted.shares = c3d_calloc(frames->n * shares + 1, sizeof *sorted.shares);
    sorted.hard = c3d_calloc(frames->n * years + 1, 1);
    if (order == NULL || sorted.rows == NULL || sorted.labels == NULL || sorted.shares == NULL ||
        sorted.hard == NULL)
        C3D_TRY_TO(fail, C3D_ENOMEM);
    for (size_t i = 0; i < frames->n; i++) order[i] = (row_place){ frames->rows[i].frame_id, i };
    qsort(order, frames->n, sizeof *order, by_frame_id);
    for (size_t i = 0; i < frames->n; i++) {
        const size_t from = order[i].row;

        if (i > 0 && order[i].frame_id == order[i - 1].frame_id)
            C3D_TRY_TO(fail, C3D_FAIL(C3D_EDATA,
                                      "%s: frame_id %" PRId64 " occurs twice: a frame was "
                                      "copied or split; delete one of the two rows",
                                      path, order[i].frame_id));
        sorted.rows[i] = frames->rows[from];
        memcpy(&sorted.labels[i * years], &frames->labels[from * years],
               years * sizeof *sorted.labels);
        memcpy(&sorted.shares[i * shares], &frames->shares[from * shares],
               shares * sizeof *sorted.shares);
        if (frames->hard != NULL)
            memcpy(&sorted.hard[i * years], &frames->hard[from * years], years);
    }
    free(frames->rows);
    free(frames->labels);
    free(frames->shares);
    if (frames->hard == NULL) {
        free(sorted.hard);
        sorted.hard = NULL;
    }
    free(frames->hard);
    frames->hard = sorted.hard;
    frames->rows = sorted.rows;
    frames->labels = sorted.labels;
    frames->shares = sorted.shares;
    free(order);
    return C3D_OK;
fail:
    free(order);
    free(sorted.rows);
    free(sorted.labels);
    free(sorted.shares);
    free(sorted.hard);
    return st;
}

c3d_status c3d_frames_read(const char *path, c3d_frames *out)
{
    c3d_frames frames = { 0 };
    c3d_vector *settings = NULL, *layer = NULL;
    reading in = { .path = path, .frames = &frames };
    c3d_status st;

    C3D_TRY_TO(done, c3d_vector_open(path, "settings", &settings));
    C3D_TRY_TO(done, read_grid(path, settings, &frames));
    C3D_TRY_TO(done, read_labelling(path, settings, &frames));
    C3D_TRY_TO(done, c3d_vector_open(path, "frames", &layer));
    in.layer = layer;
    frames.n = c3d_vector_n_rows(layer);
    C3D_TRY_TO(done, count_deleted(path, settings, &frames));
    C3D_TRY_TO(done, read_rows(&in));
    C3D_TRY_TO(done, sort_rows(path, &frames));
    *out = frames;
done:
    free(in.labels);
    free(in.hard);
    free(in.shares);
    c3d_vector_close(settings);
    c3d_vector_close(layer);
    if (st != C3D_OK) c3d_frames_free(&frames);
    return st;
}
