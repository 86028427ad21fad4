#include "gdal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CLIP_POINTS = 48 }; /* smaller polygons are not clipped before they meet a window */

/* A polygon, or a point: then geometry is NULL and box the place. In pixels of the grid. */
typedef struct shape {
    OGRGeometryH geometry;
    OGREnvelope box;
    int class;
    bool is_borrowed; /* not this list's to free */
} shape;

typedef struct shape_list {
    shape *items;
    size_t n, capacity;
} shape_list;

struct c3d_shapes {
    int n_classes;
    double inverse[6]; /* CRS to pixels */
    char *crs_wkt;
    shape_list all;
};

static c3d_status list_add(shape_list *list, OGRGeometryH geometry, int class, bool is_borrowed)
{
    if (list->n == list->capacity) {
        const size_t capacity = list->capacity ? 2 * list->capacity : 64;
        shape *items = realloc(list->items, capacity * sizeof *items);

        if (items == NULL) {
            if (!is_borrowed) OGR_G_DestroyGeometry(geometry);
            return C3D_FAIL(C3D_ENOMEM, "%zu polygons", capacity);
        }
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->n] =
        (shape){ .geometry = geometry, .class = class, .is_borrowed = is_borrowed };
    if (geometry != NULL) OGR_G_GetEnvelope(geometry, &list->items[list->n].box);
    list->n++;
    return C3D_OK;
}

static void list_free(shape_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->items[i].geometry != NULL && !list->items[i].is_borrowed)
            OGR_G_DestroyGeometry(list->items[i].geometry);
    free(list->items);
    *list = (shape_list){ 0 };
}

/* ---- from a layer ---------------------------------------------------------------------------- */

typedef struct adding {
    c3d_shapes *shapes;
    c3d_transformer *transformer;
    const char *path;
    size_t row;
    int class;
} adding;

static c3d_status fail_row(const adding *work, const char *what)
{
    return C3D_FAIL(C3D_EDATA, "%s: row %zu: %s", work->path, work->row + 1, what);
}

static c3d_status move_points(const adding *work, int n, double *x, double *y)
{
    const double *t = work->shapes->inverse;

    if (c3d_transformer_apply(work->transformer, n, x, y) != C3D_OK)
        return fail_row(work, "a vertex has no place in the images' reference system");
    for (int i = 0; i < n; i++) {
        const double east = x[i], north = y[i];

        x[i] = t[0] + east * t[1] + north * t[2];
        y[i] = t[3] + east * t[4] + north * t[5];
    }
    return C3D_OK;
}

/* All vertices of a polygon's rings. */
static c3d_status move_polygon(const adding *work, OGRGeometryH polygon)
{
    c3d_status st = C3D_OK;

    for (int r = 0; r < OGR_G_GetGeometryCount(polygon) && st == C3D_OK; r++) {
        const OGRGeometryH ring = OGR_G_GetGeometryRef(polygon, r);
        const int n = OGR_G_GetPointCount(ring), step = (int)sizeof(double);
        double *x = c3d_calloc((size_t)n + 1, sizeof *x), *y = c3d_calloc((size_t)n + 1, sizeof *y);

        st = x != NULL && y != NULL ? C3D_OK : C3D_ENOMEM;
        if (st == C3D_OK) {
            (void)OGR_G_GetPoints(ring, x, step, y, step, NULL, 0);
            st = move_points(work, n, x, y);
        }
        if (st == C3D_OK) OGR_G_SetPoints(ring, n, x, step, y, step, NULL, 0);
        free(x);
        free(y);
    }
    return st;
}

/* The polygons in a mended geometry, each as an item of its own. */
static c3d_status add_parts(const adding *work, OGRGeometryH geometry)
{
    const OGRwkbGeometryType type = wkbFlatten(OGR_G_GetGeometryType(geometry));

    if (type == wkbPolygon)
        return OGR_G_IsEmpty(geometry)
                   ? C3D_OK
                   : list_add(&work->shapes->all, OGR_G_Clone(geometry), work->class, false);
    for (int i = 0; i < OGR_G_GetGeometryCount(geometry); i++)
        C3D_TRY(add_parts(work, OGR_G_GetGeometryRef(geometry, i)));
    return C3D_OK;
}

static c3d_status add_polygon(const adding *work, OGRGeometryH polygon)
{
    OGRGeometryH copy = OGR_G_Clone(polygon), mended = NULL;
    c3d_status st;

    OGR_G_FlattenTo2D(copy);
    st = move_polygon(work, copy);
    if (st == C3D_OK) {
        c3d_gdal_clear();
        mended = OGR_G_IsValid(copy) ? NULL : OGR_G_MakeValid(copy);
        c3d_gdal_clear(); /* what made it invalid */
        st = add_parts(work, mended != NULL ? mended : copy);
    }
    if (mended != NULL) OGR_G_DestroyGeometry(mended);
    OGR_G_DestroyGeometry(copy);
    return st;
}

static c3d_status add_point(const adding *work, OGRGeometryH point)
{
    double x = OGR_G_GetX(point, 0), y = OGR_G_GetY(point, 0);
    shape *item;

    C3D_TRY(move_points(work, 1, &x, &y));
    C3D_TRY(list_add(&work->shapes->all, NULL, work->class, true));
    item = &work->shapes->all.items[work->shapes->all.n - 1];
    item->box = (OGREnvelope){ x, x, y, y };
    return C3D_OK;
}

static c3d_status add_geometry(const adding *work, OGRGeometryH geometry)
{
    if (OGR_G_IsEmpty(geometry)) return C3D_OK;
    switch ((int)wkbFlatten(OGR_G_GetGeometryType(geometry))) {
    case wkbPoint: return add_point(work, geometry);
    case wkbPolygon: return add_polygon(work, geometry);
    case wkbMultiPoint:
    case wkbMultiPolygon:
    case wkbGeometryCollection:
        for (int i = 0; i < OGR_G_GetGeometryCount(geometry); i++)
            C3D_TRY(add_geometry(work, OGR_G_GetGeometryRef(geometry, i)));
        return C3D_OK;
    default: return fail_row(work, "neither polygon nor point, so it covers no area");
    }
}

c3d_status c3d_shapes_create(const c3d_grid *grid, int n_classes, c3d_shapes **out)
{
    c3d_shapes *shapes = c3d_calloc(1, sizeof *shapes);

    if (shapes == NULL) return C3D_ENOMEM;
    shapes->n_classes = n_classes;
    shapes->crs_wkt = c3d_strdup(grid->crs_wkt ? grid->crs_wkt : "");
    if (!c3d_transform_invert(grid->transform, shapes->inverse)) {
        c3d_shapes_destroy(shapes);
        return C3D_FAIL(C3D_EINVAL, "the grid's georeference cannot be inverted");
    }
    *out = shapes;
    return C3D_OK;
}

void c3d_shapes_destroy(c3d_shapes *shapes)
{
    if (shapes == NULL) return;
    list_free(&shapes->all);
    free(shapes->crs_wkt);
    free(shapes);
}

c3d_status c3d_shapes_add(c3d_shapes *shapes, const c3d_vector *layer, const int *class_of_row)
{
    const char *wkt = c3d_vector_crs_wkt(layer);
    adding work = { .shapes = shapes, .path = c3d_vector_path(layer) };
    c3d_status st = C3D_OK;

    if (wkt[0] == 0 && shapes->crs_wkt[0] != 0)
        return C3D_FAIL(C3D_EDATA, "%s: no coordinate reference system", work.path);
    C3D_TRY(c3d_transformer_create(wkt, shapes->crs_wkt, &work.transformer));
    for (; work.row < c3d_vector_n_rows(layer) && st == C3D_OK; work.row++) {
        const OGRGeometryH geometry = c3d_gdal_row_geometry(layer, work.row);
        OGRGeometryH straight;

        work.class = class_of_row[work.row];
        if (work.class < 0 || geometry == NULL) continue;
        C3D_ASSERT(work.class < shapes->n_classes);
        straight = OGR_G_GetLinearGeometry(geometry, 0, NULL); /* curves as chords */
        st = add_geometry(&work, straight);
        OGR_G_DestroyGeometry(straight);
    }
    c3d_transformer_destroy(work.transformer);
    return st;
}

bool c3d_shapes_bounds(const c3d_shapes *shapes, double out[4])
{
    OGREnvelope box;

    if (shapes->all.n == 0) return false;
    box = shapes->all.items[0].box;
    for (size_t i = 1; i < shapes->all.n; i++) {
        const OGREnvelope *other = &shapes->all.items[i].box;

        box.MinX = fmin(box.MinX, other->MinX);
        box.MinY = fmin(box.MinY, other->MinY);
        box.MaxX = fmax(box.MaxX, other->MaxX);
        box.MaxY = fmax(box.MaxY, other->MaxY);
    }
    memcpy(out, (double[]){ box.MinX, box.MinY, box.MaxX, box.MaxY }, 4 * sizeof *out);
    return true;
}

/* ---- windows --------------------------------------------------------------------------------- */

/* A window and where its shares go. */
typedef struct target {
    c3d_window window;
    double *shares;
} target;

static OGREnvelope box_of(const target *targets, size_t n)
{
    OGREnvelope box = { HUGE_VAL, -HUGE_VAL, HUGE_VAL, -HUGE_VAL };

    for (size_t i = 0; i < n; i++) {
        const c3d_window *w = &targets[i].window;

        box.MinX = fmin(box.MinX, w->x);
        box.MinY = fmin(box.MinY, w->y);
        box.MaxX = fmax(box.MaxX, (double)w->x + w->width);
        box.MaxY = fmax(box.MaxY, (double)w->y + w->height);
    }
    return box;
}

static OGRGeometryH rectangle(const OGREnvelope *box)
{
    OGRGeometryH polygon = OGR_G_CreateGeometry(wkbPolygon);
    OGRGeometryH ring = OGR_G_CreateGeometry(wkbLinearRing);

    OGR_G_AddPoint_2D(ring, box->MinX, box->MinY);
    OGR_G_AddPoint_2D(ring, box->MaxX, box->MinY);
    OGR_G_AddPoint_2D(ring, box->MaxX, box->MaxY);
    OGR_G_AddPoint_2D(ring, box->MinX, box->MaxY);
    OGR_G_AddPoint_2D(ring, box->MinX, box->MinY);
    (void)OGR_G_AddGeometryDirectly(polygon, ring);
    return polygon;
}

/* A point belongs to the window right and below it, so that one on an edge counts once. */
static bool touches(const shape *item, const OGREnvelope *box)
{
    if (item->geometry == NULL)
        return item->box.MinX >= box->MinX && item->box.MinX < box->MaxX &&
               item->box.MinY >= box->MinY && item->box.MinY < box->MaxY;
    return item->box.MinX < box->MaxX && item->box.MaxX > box->MinX && item->box.MinY < box->MaxY &&
           item->box.MaxY > box->MinY;
}

static bool is_within(const OGREnvelope *inner, const OGREnvelope *outer)
{
    return inner->MinX >= outer->MinX && inner->MaxX <= outer->MaxX && inner->MinY >= outer->MinY &&
           inner->MaxY <= outer->MaxY;
}

static int count_points(OGRGeometryH geometry)
{
    int n = OGR_G_GetPointCount(geometry);

    for (int i = 0; i < OGR_G_GetGeometryCount(geometry); i++)
        n += count_points(OGR_G_GetGeometryRef(geometry, i));
    return n;
}

static c3d_status intersect(OGRGeometryH a, OGRGeometryH b, OGRGeometryH *out)
{
    c3d_gdal_clear();
    *out = OGR_G_Intersection(a, b);
    if (*out == NULL) return C3D_FAIL(C3D_EDATA, "a polygon could not be cut: %s", c3d_gdal_said());
    return C3D_OK;
}

/* The items that touch the box; large ones cut to it, so that deeper levels have less to do. */
static c3d_status select_items(const shape_list *from, const OGREnvelope *box, shape_list *to)
{
    OGRGeometryH frame = NULL;
    c3d_status st = C3D_OK;

    for (size_t i = 0; i < from->n && st == C3D_OK; i++) {
        const shape *item = &from->items[i];
        OGRGeometryH part;

        if (!touches(item, box)) continue;
        if (item->geometry == NULL || is_within(&item->box, box) ||
            count_points(item->geometry) < CLIP_POINTS) {
            st = list_add(to, item->geometry, item->class, true);
            if (st == C3D_OK) to->items[to->n - 1].box = item->box;
            continue;
        }
        if (frame == NULL) frame = rectangle(box);
        st = intersect(item->geometry, frame, &part);
        if (st == C3D_OK && OGR_G_IsEmpty(part))
            OGR_G_DestroyGeometry(part);
        else if (st == C3D_OK)
            st = list_add(to, part, item->class, false);
    }
    if (frame != NULL) OGR_G_DestroyGeometry(frame);
    return st;
}

/* Adds the part of an item in the window to what its class covers there. */
static c3d_status unite(OGRGeometryH *covered, OGRGeometryH item, OGRGeometryH window)
{
    OGRGeometryH part, both;

    C3D_TRY(intersect(item, window, &part));
    if (*covered == NULL) {
        *covered = part;
        return C3D_OK;
    }
    c3d_gdal_clear();
    both = OGR_G_Union(*covered, part);
    OGR_G_DestroyGeometry(part);
    if (both == NULL)
        return C3D_FAIL(C3D_EDATA, "polygons could not be united: %s", c3d_gdal_said());
    OGR_G_DestroyGeometry(*covered);
    *covered = both;
    return C3D_OK;
}

static c3d_status cover_class(const shape_list *items, int class, const OGREnvelope *box,
                              double *share)
{
    OGRGeometryH window = rectangle(box), covered = NULL;
    c3d_status st = C3D_OK;

    for (size_t i = 0; i < items->n && st == C3D_OK; i++) {
        if (items->items[i].class != class || !touches(&items->items[i], box)) continue;
        if (items->items[i].geometry == NULL)
            *share = 1;
        else
            st = unite(&covered, items->items[i].geometry, window);
    }
    if (st == C3D_OK && covered != NULL)
        *share = fmax(*share, OGR_G_Area(covered) / OGR_G_Area(window));
    if (covered != NULL) OGR_G_DestroyGeometry(covered);
    OGR_G_DestroyGeometry(window);
    return st;
}

static int by_x(const void *a, const void *b)
{
    const c3d_window *left = &((const target *)a)->window, *right = &((const target *)b)->window;

    return (left->x > right->x) - (left->x < right->x);
}

static int by_y(const void *a, const void *b)
{
    const c3d_window *left = &((const target *)a)->window, *right = &((const target *)b)->window;

    return (left->y > right->y) - (left->y < right->y);
}

/* Halves the windows along their longer side until one is left. */
static c3d_status cover(const c3d_shapes *shapes, const shape_list *from, target *targets, size_t n)
{
    const OGREnvelope box = box_of(targets, n);
    shape_list items = { 0 };
    c3d_status st = select_items(from, &box, &items);

    if (st == C3D_OK && items.n > 0 && n == 1) {
        for (int c = 0; c < shapes->n_classes && st == C3D_OK; c++)
            st = cover_class(&items, c, &box, &targets[0].shares[c]);
    } else if (st == C3D_OK && items.n > 0) {
        qsort(targets, n, sizeof *targets, box.MaxX - box.MinX > box.MaxY - box.MinY ? by_x : by_y);
        st = cover(shapes, &items, targets, n / 2);
        if (st == C3D_OK) st = cover(shapes, &items, targets + n / 2, n - n / 2);
    }
    list_free(&items);
    return st;
}

c3d_status c3d_shapes_cover(const c3d_shapes *shapes, size_t n, const c3d_window *windows,
                            double *shares)
{
    target *targets = c3d_calloc(n + 1, sizeof *targets);
    c3d_status st = C3D_OK;

    if (targets == NULL) return C3D_ENOMEM;
    memset(shares, 0, n * (size_t)shapes->n_classes * sizeof *shares);
    for (size_t i = 0; i < n; i++)
        targets[i] = (target){ windows[i], &shares[i * (size_t)shapes->n_classes] };
    if (n > 0) st = cover(shapes, &shapes->all, targets, n);
    free(targets);
    return st;
}

/* ---- borders --------------------------------------------------------------------------------- */

static void draw_ring(OGRGeometryH ring, c3d_window window, c3d_text *out)
{
    for (int i = 0; i < OGR_G_GetPointCount(ring); i++)
        c3d_text_add(out, "%s%.6g %.6g", i ? "L" : "M", OGR_G_GetX(ring, i) - window.x,
                     OGR_G_GetY(ring, i) - window.y);
}

static void draw_geometry(OGRGeometryH geometry, c3d_window window, c3d_text *out)
{
    draw_ring(geometry, window, out);
    for (int i = 0; i < OGR_G_GetGeometryCount(geometry); i++)
        draw_geometry(OGR_G_GetGeometryRef(geometry, i), window, out);
}

/* Edges where polygons are cut lie outside the window. */
c3d_status c3d_shapes_draw(const c3d_shapes *shapes, int class_index, c3d_window window,
                           c3d_text *out)
{
    const OGREnvelope box = { window.x - 2.0, (double)window.x + window.width + 2, window.y - 2.0,
                              (double)window.y + window.height + 2 };
    const double arm = window.width / 24.0;
    shape_list near = { 0 };
    const c3d_status st = select_items(&shapes->all, &box, &near);

    for (size_t i = 0; st == C3D_OK && i < near.n; i++) {
        const shape *item = &near.items[i];
        const double x = item->box.MinX - window.x, y = item->box.MinY - window.y;
        if (item->class != class_index) continue;
        if (item->geometry != NULL)
            draw_geometry(item->geometry, window, out);
        else
            c3d_text_add(out, "M%.6g %.6gL%.6g %.6gM%.6g %.6gL%.6g %.6g", x - arm, y, x + arm, y, x,
                         y - arm, x, y + arm);
    }
    list_free(&near);
    return st;
}
