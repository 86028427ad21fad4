/* Where the label areas lie in a frame: borders of the label pixels of a class, each corner taken
 * from the labels' reference system into the frame's pixels. */
#include "label_vector.h"
#include "preview.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { EDGE_POINTS = 8 };

typedef struct label_year {
    int n_files;
    char **files;
    c3d_shapes *shapes; /* of polygons and points; NULL until needed, like what follows */
    c3d_raster *raster;
    c3d_transformer *to_label, *to_frames;
    double inverse[6]; /* label CRS to label pixels */
} label_year;

struct c3d_outlines {
    const c3d_frames *frames;
    double frames_inverse[6];
    label_year *years;        /* [frames->n_years] */
    c3d_dataset_desc desc;    /* as far as it says what labels are */
    c3d_label_class *classes; /* [n_classes + 1] */
    char field[64], date_field[64];
    uint8_t *is_inside; /* of the window in hand */
    double *codes, *x, *y;
    size_t capacity;
};

/* ---- what frames.gpkg says ------------------------------------------------------------------- */

/* "30" or "101-130,201", or nothing. */
static bool take_codes(const char *text, c3d_label_class *out)
{
    while (*text) {
        int from, to, n = 0;
        if (out->n_ranges == (int)C3D_COUNT(out->ranges)) return false;
        if (sscanf(text, "%d-%d%n", &from, &to, &n) != 2) {
            n = 0;
            if (sscanf(text, "%d%n", &from, &n) != 1) return false;
            to = from;
        }
        out->ranges[out->n_ranges][0] = from;
        out->ranges[out->n_ranges++][1] = to;
        text += n;
        if (*text == ',') text++;
    }
    return true;
}

/* "0 garimpo": a value of data.label_field that makes class 0. */
static void take_text(const char *text, int n_classes, c3d_label_class *classes)
{
    int c, n = 0;

    if (sscanf(text, "%d %n", &c, &n) != 1 || c < 0 || c >= n_classes) return;
    c3d_label_class *class = &classes[c];
    if (class->n_texts == (int)C3D_COUNT(class->texts)) return;
    (void)snprintf(class->texts[class->n_texts++], sizeof class->texts[0], "%s", text + n);
}

static c3d_status read_classes(const char *gpkg, c3d_outlines *self, c3d_text *notes)
{
    const int n_classes = self->frames->n_classes;
    c3d_vector *settings;
    int c = 0;

    C3D_TRY(c3d_vector_open(gpkg, "settings", &settings));
    const int key = c3d_vector_field(settings, "key"), value = c3d_vector_field(settings, "value");
    for (size_t row = 0; row < c3d_vector_n_rows(settings); row++) {
        const char *name = c3d_vector_text(settings, row, key);
        const char *text = c3d_vector_text(settings, row, value);
        if (!name || !text) continue;
        if (strcmp(name, "class_codes") == 0 && c < n_classes &&
            take_codes(text, &self->classes[c]))
            c++;
        if (strcmp(name, "class_text") == 0) take_text(text, n_classes, self->classes);
        if (strcmp(name, "label_field") == 0)
            (void)snprintf(self->field, sizeof self->field, "%s", text);
        if (strcmp(name, "label_date_field") == 0)
            (void)snprintf(self->date_field, sizeof self->date_field, "%s", text);
    }
    c3d_vector_close(settings);
    if (c < n_classes && self->frames->n_years > 0)
        c3d_text_add(notes, "frames.gpkg does not say which label codes make the classes: no label "
                            "areas are drawn.\n");
    self->desc = (c3d_dataset_desc){ .n_classes = n_classes,
                                     .classes = self->classes,
                                     .label_field = self->field,
                                     .label_date_field = self->date_field };
    return C3D_OK;
}

static int year_index(const c3d_frames *frames, const char *date)
{
    for (int k = 0; date && k < frames->n_years; k++)
        if (strtol(date, NULL, 10) == frames->years[k]) return k;
    return -1;
}

static void add_file(label_year *year, const char *path)
{
    char **grown = realloc(year->files, ((size_t)year->n_files + 1) * sizeof *grown);

    C3D_ASSERT(grown != NULL);
    year->files = grown;
    year->files[year->n_files++] = c3d_strdup(path);
}

static c3d_status read_sources(const char *gpkg, c3d_outlines *self, c3d_text *notes)
{
    c3d_vector *sources;
    int n_gone = 0;

    C3D_TRY(c3d_vector_open(gpkg, "sources", &sources));
    const int path_field = c3d_vector_field(sources, "path");
    const int kind_field = c3d_vector_field(sources, "kind");
    const int date_field = c3d_vector_field(sources, "date");
    for (size_t row = 0; row < c3d_vector_n_rows(sources); row++) {
        const char *path = c3d_vector_text(sources, row, path_field);
        const char *kind = c3d_vector_text(sources, row, kind_field);
        const int k = year_index(self->frames, c3d_vector_text(sources, row, date_field));
        if (!path || !kind || strcmp(kind, "label") != 0 || k < 0) continue;
        if (c3d_path_exists(path))
            add_file(&self->years[k], path);
        else if (n_gone++ == 0)
            c3d_text_add(notes, "%s: no longer there", path);
    }
    c3d_vector_close(sources);
    if (n_gone > 1) c3d_text_add(notes, ", like %d other label files", n_gone - 1);
    if (n_gone > 0)
        c3d_text_add(notes, ": the areas of those label years are not drawn, only their shares are "
                            "told.\n");
    return C3D_OK;
}

c3d_status c3d_outlines_open(const char *gpkg, const c3d_frames *frames, c3d_outlines **out,
                             c3d_text *notes)
{
    c3d_outlines *self = c3d_calloc(1, sizeof *self);
    c3d_status st = C3D_ENOMEM;

    if (!self) return C3D_ENOMEM;
    self->frames = frames;
    self->years = c3d_calloc((size_t)frames->n_years + 1, sizeof *self->years);
    self->classes = c3d_calloc((size_t)frames->n_classes + 1, sizeof *self->classes);
    if (self->years && self->classes) st = read_classes(gpkg, self, notes);
    if (st == C3D_OK) st = read_sources(gpkg, self, notes);
    if (st == C3D_OK && frames->n_years > 0 &&
        !c3d_transform_invert(frames->transform, self->frames_inverse))
        st = C3D_FAIL(C3D_EDATA, "%s: the transform in table settings cannot be inverted", gpkg);
    if (st == C3D_OK)
        *out = self;
    else
        c3d_outlines_close(self);
    return st;
}

void c3d_outlines_close(c3d_outlines *self)
{
    if (!self) return;
    for (int k = 0; self->years && k < self->frames->n_years; k++) {
        label_year *year = &self->years[k];
        for (int f = 0; f < year->n_files; f++) free(year->files[f]);
        free(year->files);
        c3d_shapes_destroy(year->shapes);
        c3d_raster_close(year->raster);
        c3d_transformer_destroy(year->to_label);
        c3d_transformer_destroy(year->to_frames);
    }
    free(self->years);
    free(self->classes);
    free(self->is_inside);
    free(self->codes);
    free(self->x);
    free(self->y);
    free(self);
}

bool c3d_outlines_has_year(const c3d_outlines *self, int k)
{
    return self->years[k].n_files > 0;
}

/* ---- a window of label pixels ---------------------------------------------------------------- */

static void apply(const double t[6], double *x, double *y)
{
    const double u = *x, v = *y;

    *x = t[0] + u * t[1] + v * t[2];
    *y = t[3] + u * t[4] + v * t[5];
}

static c3d_status open_year(c3d_outlines *self, int k, label_year *year)
{
    const c3d_archive_month files = { .date = self->frames->years[k] * 10000,
                                      .n_files = year->n_files,
                                      .files = year->files };

    if (year->raster || year->shapes) return C3D_OK;
    if (c3d_label_is_vector(year->files[0]))
        return c3d_label_vector_open(&self->desc, self->frames, &files, &year->shapes);
    C3D_TRY(c3d_raster_open_mosaic((const char *const *)year->files, year->n_files, &year->raster));
    const c3d_raster_info *info = c3d_raster_get_info(year->raster);
    if (!c3d_transform_invert(info->transform, year->inverse))
        return C3D_FAIL(C3D_EDATA, "%s: its georeference cannot be inverted", year->files[0]);
    C3D_TRY(c3d_transformer_create(self->frames->crs_wkt, info->crs_wkt, &year->to_label));
    return c3d_transformer_create(info->crs_wkt, self->frames->crs_wkt, &year->to_frames);
}

/* The label pixels that touch the frame and one more around them, those of the raster only. */
static c3d_status find_window(const c3d_outlines *self, const c3d_frame *frame, label_year *year,
                              c3d_window *out)
{
    const c3d_raster_info *info = c3d_raster_get_info(year->raster);
    const int n = 4 * EDGE_POINTS;
    double x[4 * EDGE_POINTS], y[4 * EDGE_POINTS];
    double low[2] = { INFINITY, INFINITY }, high[2] = { -INFINITY, -INFINITY };

    for (int i = 0; i < n; i++) { /* along the four edges, corners included */
        const double t = (double)(i / 4) / (EDGE_POINTS - 1), side = i % 2;
        x[i] = frame->x + self->frames->size_px * (i % 4 < 2 ? t : side);
        y[i] = frame->y + self->frames->size_px * (i % 4 < 2 ? side : t);
        apply(self->frames->transform, &x[i], &y[i]);
    }
    C3D_TRY(c3d_transformer_apply(year->to_label, n, x, y));
    for (int i = 0; i < n; i++) {
        apply(year->inverse, &x[i], &y[i]);
        low[0] = fmin(low[0], x[i]);
        low[1] = fmin(low[1], y[i]);
        high[0] = fmax(high[0], x[i]);
        high[1] = fmax(high[1], y[i]);
    }
    const double left = fmax(floor(low[0]) - 1, 0), top = fmax(floor(low[1]) - 1, 0);
    const double right = fmin(ceil(high[0]) + 1, info->width_px);
    const double bottom = fmin(ceil(high[1]) + 1, info->height_px);
    *out = (c3d_window){ 0 };
    if (right > left && bottom > top)
        *out = (c3d_window){ (int)left, (int)top, (int)(right - left), (int)(bottom - top) };
    return C3D_OK;
}

static c3d_status reserve(c3d_outlines *self, c3d_window window)
{
    const size_t n = ((size_t)window.width + 1) * ((size_t)window.height + 1);

    if (n <= self->capacity) return C3D_OK;
    free(self->is_inside);
    free(self->codes);
    free(self->x);
    free(self->y);
    self->capacity = 0;
    self->is_inside = c3d_calloc(n, 1);
    self->codes = c3d_calloc(n, sizeof *self->codes);
    self->x = c3d_calloc(n, sizeof *self->x);
    self->y = c3d_calloc(n, sizeof *self->y);
    if (!self->is_inside || !self->codes || !self->x || !self->y) return C3D_ENOMEM;
    self->capacity = n;
    return C3D_OK;
}

static c3d_status read_window(c3d_outlines *self, label_year *year, c3d_window w, int class_index)
{
    const c3d_label_class *class = &self->classes[class_index];
    const int n = w.width * w.height, band = 1;

    C3D_TRY(c3d_raster_read(year->raster, w, &band, 1, C3D_F64, self->codes));
    C3D_TRY(c3d_raster_read_valid(year->raster, w, &band, 1, false, self->is_inside));
    for (int i = 0; i < n; i++) {
        bool is_of_class = false;
        for (int r = 0; r < class->n_ranges && !is_of_class; r++)
            is_of_class = self->codes[i] >= class->ranges[r][0] &&
                          self->codes[i] <= class->ranges[r][1] &&
                          self->codes[i] == rint(self->codes[i]);
        self->is_inside[i] &= is_of_class;
    }
    return C3D_OK;
}

/* Corners of the window's pixels in pixels of the frame. */
static c3d_status place_corners(c3d_outlines *self, const c3d_frame *frame, label_year *year,
                                c3d_window w)
{
    const double *t = c3d_raster_get_info(year->raster)->transform;
    const int columns = w.width + 1, n = columns * (w.height + 1);

    for (int i = 0; i < n; i++) {
        self->x[i] = w.x + i % columns;
        self->y[i] = w.y + i / columns;
        apply(t, &self->x[i], &self->y[i]);
    }
    C3D_TRY(c3d_transformer_apply(year->to_frames, n, self->x, self->y));
    for (int i = 0; i < n; i++) {
        apply(self->frames_inverse, &self->x[i], &self->y[i]);
        self->x[i] -= frame->x;
        self->y[i] -= frame->y;
    }
    return C3D_OK;
}

/* ---- the border ------------------------------------------------------------------------------ */

static bool inside(const c3d_outlines *self, c3d_window w, int column, int row)
{
    return column >= 0 && row >= 0 && column < w.width && row < w.height &&
           self->is_inside[row * w.width + column];
}

/* Hundredths of a pixel are finer than any screen. */
static double rounded(double value)
{
    return rint(100 * value) / 100 + 0.0;
}

/* From corner to corner: within a frame a line of label pixels is straight to far less than one. */
static void add_line(const c3d_outlines *self, int from, int to, c3d_text *out)
{
    c3d_text_add(out, "M%g %gL%g %g", rounded(self->x[from]), rounded(self->y[from]),
                 rounded(self->x[to]), rounded(self->y[to]));
}

/* Lines between a pixel of the class and one of none, run by run along rows, then along columns. */
static void add_border(const c3d_outlines *self, c3d_window w, c3d_text *out)
{
    const int columns = w.width + 1;

    for (int row = 0; row <= w.height; row++) {
        for (int i = 0; i < w.width; i++) {
            const int start = i;
            while (i < w.width && inside(self, w, i, row - 1) != inside(self, w, i, row)) i++;
            if (i > start) add_line(self, row * columns + start, row * columns + i, out);
        }
    }
    for (int column = 0; column <= w.width; column++) {
        for (int j = 0; j < w.height; j++) {
            const int start = j;
            while (j < w.height && inside(self, w, column - 1, j) != inside(self, w, column, j))
                j++;
            if (j > start) add_line(self, start * columns + column, j * columns + column, out);
        }
    }
}

c3d_status c3d_outlines_draw(c3d_outlines *self, const c3d_frame *frame, int k, int class_index,
                             c3d_text *out)
{
    label_year *year = &self->years[k];
    c3d_window window;

    if (year->n_files == 0 || frame->source > 0) return C3D_OK;
    C3D_TRY(open_year(self, k, year));
    if (year->shapes)
        return c3d_shapes_draw(
            year->shapes, class_index,
            (c3d_window){ frame->x, frame->y, self->frames->size_px, self->frames->size_px }, out);
    C3D_TRY(find_window(self, frame, year, &window));
    if (window.width == 0) return C3D_OK;
    C3D_TRY(reserve(self, window));
    C3D_TRY(read_window(self, year, window, class_index));
    C3D_TRY(place_corners(self, frame, year, window));
    add_border(self, window, out);
    return C3D_OK;
}
