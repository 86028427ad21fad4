/* Regions that frames lie in, and hectares of their classes. */
#include "facts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- regions --------------------------------------------------------------------------------- */

_Static_assert((int)C3D_REGION_NAME_SIZE == (int)C3D_AREA_WORD_SIZE, "a region is an area's word");

typedef struct region_search {
    c3d_areas areas;
    double (*boxes)[4]; /* [areas.n] */
    int *name_of;       /* [areas.n] index of the sorted names */
} region_search;

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static c3d_status name_regions(region_search *in, c3d_list_facts *facts)
{
    const size_t n = in->areas.n;
    char(*names)[C3D_REGION_NAME_SIZE] = c3d_calloc(n + 1, sizeof *names);

    if (!names) return C3D_ENOMEM;
    for (size_t i = 0; i < n; i++) memcpy(names[i], in->areas.rows[i].word, sizeof *names);
    qsort(names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
            memmove(names[facts->n_regions++], names[i], sizeof *names);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < facts->n_regions; k++)
            if (strcmp(in->areas.rows[i].word, names[k]) == 0) in->name_of[i] = k;
    facts->regions = names;
    return C3D_OK;
}

static void find_boxes(region_search *in)
{
    for (size_t i = 0; i < in->areas.n; i++) {
        const c3d_area *area = &in->areas.rows[i];
        double *box = in->boxes[i];
        box[0] = box[1] = INFINITY;
        box[2] = box[3] = -INFINITY;
        for (size_t p = in->areas.ring[area->first_ring];
             p < in->areas.ring[area->first_ring + area->n_rings]; p++)
            for (size_t axis = 0; axis < 2; axis++) {
                box[axis] = fmin(box[axis], in->areas.xy[2 * p + axis]);
                box[2 + axis] = fmax(box[2 + axis], in->areas.xy[2 * p + axis]);
            }
    }
}

/* An odd number of edges to the right of the point. */
static bool is_inside(const region_search *in, size_t i, const double at[2])
{
    const c3d_area *area = &in->areas.rows[i];
    const double *box = in->boxes[i];
    bool is_odd = false;

    if (at[0] < box[0] || at[1] < box[1] || at[0] > box[2] || at[1] > box[3]) return false;
    for (size_t r = area->first_ring; r < area->first_ring + area->n_rings; r++)
        for (size_t p = in->areas.ring[r]; p + 1 < in->areas.ring[r + 1]; p++) {
            const double *a = in->areas.xy + 2 * p, *b = a + 2;
            if ((a[1] > at[1]) == (b[1] > at[1])) continue;
            if (a[0] + (at[1] - a[1]) / (b[1] - a[1]) * (b[0] - a[0]) > at[0]) is_odd = !is_odd;
        }
    return is_odd;
}

static bool find_centre(const c3d_frames *frames, size_t row, double out[2])
{
    double ring[10];

    if (row == (size_t)-1 || !c3d_frames_ring(frames, &frames->rows[row], ring)) return false;
    for (int axis = 0; axis < 2; axis++) out[axis] = (ring[axis] + ring[4 + axis]) / 2;
    return true;
}

static c3d_status search(const fact_finder *in, region_search *search_in)
{
    const size_t n = search_in->areas.n;
    size_t n_found = 0;

    search_in->boxes = c3d_calloc(n + 1, sizeof *search_in->boxes);
    search_in->name_of = c3d_calloc(n + 1, sizeof *search_in->name_of);
    if (!search_in->boxes || !search_in->name_of) return C3D_ENOMEM;
    C3D_TRY(name_regions(search_in, in->facts));
    find_boxes(search_in);
    for (size_t i = 0; i < in->list->n; i++) {
        double at[2];
        if (i % 1024 == 0) c3d_phase_tick();
        if (!find_centre(in->frames, in->frame[i], at)) continue;
        for (size_t a = 0; a < n && in->facts->rows[i].region < 0; a++)
            if (is_inside(search_in, a, at)) in->facts->rows[i].region = search_in->name_of[a];
        n_found += in->facts->rows[i].region >= 0;
    }
    if (n_found < in->list->n)
        c3d_log_run("regions: %zu of %zu samples lie in none", in->list->n - n_found, in->list->n);
    return C3D_OK;
}

c3d_status c3d_facts_regions(const fact_finder *in, const c3d_regions_desc *regions)
{
    region_search of = { 0 };

    C3D_TRY(c3d_areas_read(regions->path, regions->field, in->frames->crs_wkt, &of.areas));
    const c3d_status st = search(in, &of);
    c3d_areas_free(&of.areas);
    free(of.boxes);
    free(of.name_of);
    return st;
}

/* ---- hectares -------------------------------------------------------------------------------- */

/* Square metres of a small ring of four corners in degrees, on the ellipsoid of WGS 84. */
static double ring_area(const double *lon, const double *lat)
{
    const double a = 6378137, e2 = 0.00669437999014, radian = acos(-1.0) / 180;
    const double middle = (lat[0] + lat[1] + lat[2] + lat[3]) / 4 * radian;
    const double w2 = 1 - e2 * sin(middle) * sin(middle);
    const double east = a / sqrt(w2) * cos(middle) * radian;
    const double north = a * (1 - e2) / (w2 * sqrt(w2)) * radian;
    double twice = 0;

    for (int i = 0; i < 4; i++) {
        const int next = (i + 1) % 4;
        twice +=
            (lon[i] - lon[0]) * (lat[next] - lat[0]) - (lon[next] - lon[0]) * (lat[i] - lat[0]);
    }
    return fabs(twice) / 2 * east * north;
}

/* The share of the label's class in the label year, or where that does not give the label the
 * largest of any year; NaN without shares. */
static double class_share(const c3d_frames *frames, size_t row, const c3d_sample *sample)
{
    const int class = frames->by_class ? sample->label - 1 : frames->positive;
    double largest = (double)NAN;

    if (sample->label < 1 || class < 0 || class >= frames->n_classes) return (double)NAN;
    for (int k = 0; k < frames->n_years; k++) {
        const size_t at = row * (size_t)frames->n_years + (size_t)k;
        const double share = frames->shares[at * (size_t)frames->n_classes + (size_t) class];
        if (frames->labels[at] == sample->label && frames->years[k] == sample->label_year)
            return share;
        if (!(share <= largest)) largest = isnan(share) ? largest : share;
    }
    return largest;
}

static c3d_status frame_hectares(const fact_finder *in, c3d_transformer *to_degrees, size_t row,
                                 double *out)
{
    double ring[10], lon[4], lat[4];

    (void)c3d_frames_ring(in->frames, &in->frames->rows[row], ring);
    for (int i = 0; i < 4; i++) {
        lon[i] = ring[2 * i];
        lat[i] = ring[2 * i + 1];
    }
    C3D_TRY(c3d_transformer_apply(to_degrees, 4, lon, lat));
    *out = ring_area(lon, lat) / 10000;
    return C3D_OK;
}

c3d_status c3d_facts_hectares(const fact_finder *in)
{
    c3d_transformer *to_degrees;
    c3d_status st = C3D_OK;

    if (in->frames->n_classes == 0) return C3D_OK;
    C3D_TRY(c3d_transformer_create(in->frames->crs_wkt, "EPSG:4326", &to_degrees));
    for (size_t i = 0; st == C3D_OK && i < in->list->n; i++) {
        const c3d_sample *sample = &in->dataset->samples.rows[in->list->index[i]];
        double hectares = 0;
        if (i % 1024 == 0) c3d_phase_tick();
        if (in->frame[i] == (size_t)-1 || in->frames->rows[in->frame[i]].source > 0) continue;
        const double share = class_share(in->frames, in->frame[i], sample);
        if (isnan(share)) continue;
        st = frame_hectares(in, to_degrees, in->frame[i], &hectares);
        in->facts->rows[i].class_ha = share * hectares;
    }
    c3d_transformer_destroy(to_degrees);
    return st;
}
