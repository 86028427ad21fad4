/* Hold-out regions: polygons of a vector file. Their edges are sorted into bands of rows as high as
 * a frame, so that a frame looks at few of them. */
#include "frames.h"

#include <math.h>
#include <stdlib.h>

typedef struct edge {
    double x[2], y[2]; /* pixels of the frames' grid */
    uint32_t area;
} edge;

typedef struct region {
    const char *path;
    int size_px, n_bands;
    double inverse[6];
    c3d_areas areas;
    c3d_split *splits; /* [areas.n] */
    size_t *first;     /* [n_bands + 1] into of_band */
    edge *of_band;     /* an edge stands in every band it reaches into */
    uint8_t *is_odd;   /* [areas.n] zero between frames */
} region;

/* ---- edges by band --------------------------------------------------------------------------- */

static void free_region(region *of)
{
    c3d_areas_free(&of->areas);
    free(of->splits);
    free(of->first);
    free(of->of_band);
    free(of->is_odd);
}

static int band_of(const region *in, double y)
{
    const double band = floor(y / in->size_px);

    if (!(band > 0)) return 0;
    return band < in->n_bands ? (int)band : in->n_bands - 1;
}

static edge edge_of(const region *in, uint32_t area, size_t point)
{
    edge out = { .area = area };

    for (size_t end = 0; end < 2; end++) {
        const double *at = in->areas.xy + 2 * (point + end);
        out.x[end] = in->inverse[0] + at[0] * in->inverse[1] + at[1] * in->inverse[2];
        out.y[end] = in->inverse[3] + at[0] * in->inverse[4] + at[1] * in->inverse[5];
    }
    return out;
}

/* Counts the edges of each band, or puts them there. */
static void visit_edges(region *in, size_t *next)
{
    for (size_t a = 0; a < in->areas.n; a++) {
        const c3d_area *area = &in->areas.rows[a];
        for (size_t r = area->first_ring; r < area->first_ring + area->n_rings; r++)
            for (size_t p = in->areas.ring[r]; p + 1 < in->areas.ring[r + 1]; p++) {
                const edge line = edge_of(in, (uint32_t)a, p);
                const int last = band_of(in, fmax(line.y[0], line.y[1]));
                for (int b = band_of(in, fmin(line.y[0], line.y[1])); b <= last; b++) {
                    if (in->of_band) in->of_band[next[b]] = line;
                    next[b]++;
                }
            }
    }
}

static c3d_status sort_edges(region *in)
{
    size_t *next = c3d_calloc((size_t)in->n_bands + 1, sizeof *next);

    in->first = c3d_calloc((size_t)in->n_bands + 1, sizeof *in->first);
    if (!next || !in->first) {
        free(next);
        return C3D_ENOMEM;
    }
    visit_edges(in, next);
    for (int b = 0; b < in->n_bands; b++) {
        in->first[b + 1] = in->first[b] + next[b];
        next[b] = in->first[b];
    }
    in->of_band = c3d_calloc(in->first[in->n_bands] + 1, sizeof *in->of_band);
    if (in->of_band) visit_edges(in, next);
    free(next);
    return in->of_band ? C3D_OK : C3D_ENOMEM;
}

static c3d_status read_region(const c3d_dataset_desc *desc, const c3d_frames *frames, region *out)
{
    out->path = desc->split_file;
    out->size_px = frames->size_px;
    out->n_bands = (frames->height_px - 1) / frames->size_px + 1;
    if (!c3d_transform_invert(frames->transform, out->inverse))
        return C3D_FAIL(C3D_EDATA, "the georeference of the images cannot be inverted");
    C3D_TRY(c3d_areas_read(desc->split_file, "split", frames->crs_wkt, &out->areas));
    out->splits = c3d_calloc(out->areas.n, sizeof *out->splits);
    out->is_odd = c3d_calloc(out->areas.n, sizeof *out->is_odd);
    if (!out->splits || !out->is_odd) return C3D_ENOMEM;
    for (size_t i = 0; i < out->areas.n; i++)
        if (!c3d_split_parse(out->areas.rows[i].word, &out->splits[i]))
            return C3D_FAIL(C3D_EDATA,
                            "%s: %s: \"%s\" (field split, or the layer's name): expected train, "
                            "validation, test or none",
                            out->path, out->areas.rows[i].place, out->areas.rows[i].word);
    return sort_edges(out);
}

/* ---- a frame --------------------------------------------------------------------------------- */

/* Whether the edge goes through the inside of the frame: cut to its rows, and then its columns,
 * something is left. Along a border is outside. */
static bool does_cross(const edge *line, const c3d_frame *frame, int size)
{
    const double low[2] = { frame->x, frame->y };
    const double *ends[2] = { line->x, line->y };
    double from = 0, to = 1;

    if (fmax(line->x[0], line->x[1]) <= low[0] || fmin(line->x[0], line->x[1]) >= low[0] + size)
        return false; /* most of a band */
    for (int axis = 0; axis < 2; axis++) {
        const double start = ends[axis][0] - low[axis], step = ends[axis][1] - ends[axis][0];
        if (step == 0) { /* NOLINT: parallel to the sides */
            if (start <= 0 || start >= size) return false;
            continue;
        }
        const double a = -start / step, b = (size - start) / step;
        from = fmax(from, fmin(a, b));
        to = fmin(to, fmax(a, b));
    }
    return from < to;
}

/* Whether the ray from a point to larger x meets the edge. */
static bool does_ray_meet(const edge *line, double x, double y)
{
    if ((line->y[0] > y) == (line->y[1] > y)) return false;
    const double at = (y - line->y[0]) / (line->y[1] - line->y[0]);
    return line->x[0] + at * (line->x[1] - line->x[0]) > x;
}

static bool is_crossed(const region *in, const c3d_frame *frame)
{
    const int last = band_of(in, (double)frame->y + in->size_px - 0.5);

    for (int b = band_of(in, frame->y); b <= last; b++)
        for (size_t i = in->first[b]; i < in->first[b + 1]; i++)
            if (does_cross(&in->of_band[i], frame, in->size_px)) return true;
    return false;
}

/* Of a frame that no edge crosses: its middle says it all. */
static c3d_status find_area(region *in, const c3d_frame *frame, c3d_split outside, c3d_split *out)
{
    const double x = frame->x + in->size_px / 2.0, y = frame->y + in->size_px / 2.0;
    const int band = band_of(in, y);
    uint32_t found = UINT32_MAX;
    c3d_status st = C3D_OK;

    for (size_t i = in->first[band]; i < in->first[band + 1]; i++) {
        const edge *line = &in->of_band[i];
        if (does_ray_meet(line, x, y)) in->is_odd[line->area] ^= 1;
    }
    *out = outside;
    for (size_t i = in->first[band]; i < in->first[band + 1]; i++) {
        const uint32_t area = in->of_band[i].area;
        if (!in->is_odd[area]) continue;
        in->is_odd[area] = 0;
        if (found != UINT32_MAX && in->splits[found] != in->splits[area])
            st = C3D_FAIL(C3D_EDATA, "%s: frame %lld is in %s (%s) and in %s (%s)", in->path,
                          (long long)frame->frame_id, in->areas.rows[found].place,
                          in->areas.rows[found].word, in->areas.rows[area].place,
                          in->areas.rows[area].word);
        found = area;
        *out = in->splits[area];
    }
    return st;
}

/* ---- all frames ------------------------------------------------------------------------------ */

static c3d_status check_counts(const region *in, const c3d_frames *frames,
                               const size_t n[C3D_N_SPLITS + 1], size_t n_crossed)
{
    for (size_t i = 0; i < in->areas.n; i++)
        if (in->splits[i] < C3D_N_SPLITS && n[in->splits[i]] == 0)
            return C3D_FAIL(
                C3D_EDATA,
                "%s: no frame lies wholly inside a polygon of split %s, such as %s (%zu "
                "of %zu frames are crossed by a border); is it the same region?",
                in->path, in->areas.rows[i].word, in->areas.rows[i].place, n_crossed, frames->n);
    c3d_log_run("%s: %zu polygons; %zu frames that a border crosses are in no split", in->path,
                in->areas.n, n_crossed);
    return C3D_OK;
}

static c3d_status split_frames(region *in, c3d_frames *frames)
{
    c3d_split outside = C3D_SPLIT_TRAIN;
    size_t n[C3D_N_SPLITS + 1] = { 0 }, n_crossed = 0;

    for (size_t i = 0; i < in->areas.n; i++)
        if (in->splits[i] == C3D_SPLIT_TRAIN) outside = C3D_SPLIT_NONE;
    for (size_t i = 0; i < frames->n; i++) {
        c3d_frame *frame = &frames->rows[i];
        frame->split = C3D_SPLIT_NONE;
        if (is_crossed(in, frame))
            n_crossed++;
        else
            C3D_TRY(find_area(in, frame, outside, &frame->split));
        n[frame->split]++;
    }
    return check_counts(in, frames, n, n_crossed);
}

c3d_status c3d_frames_split_by_polygons(const c3d_dataset_desc *desc, c3d_frames *frames)
{
    region of = { 0 };
    c3d_status st = read_region(desc, frames, &of);

    if (st == C3D_OK) st = split_frames(&of, frames);
    free_region(&of);
    return st;
}
