/* Which frames are not independent of each other. */
#include "facts.h"

#include <math.h>
#include <stdlib.h>

#define USUAL_KM 10.0 /* the standard of data.block_km */

/* What tells blocks apart; frames of one grid have kind SQUARE and source 0. */
typedef struct place_key {
    enum { SQUARE, GROUP, PLACE, SOURCE } kind;
    int64_t a, b;
    int64_t frame_id;
    size_t row;
} place_key;

static int by_key(const void *x, const void *y)
{
    const place_key *p = x, *q = y;

    if (p->kind != q->kind) return p->kind < q->kind ? -1 : 1;
    if (p->a != q->a) return p->a < q->a ? -1 : 1;
    if (p->b != q->b) return p->b < q->b ? -1 : 1;
    return (p->frame_id > q->frame_id) - (p->frame_id < q->frame_id);
}

/* Squares of degrees that are equally wide in metres on each row of them. */
static place_key key_of_lon_lat(const c3d_frame *frame, double degrees)
{
    const double row = floor(frame->lat / degrees);
    const double shrink = cos((row + 0.5) * degrees * acos(-1.0) / 180);

    return (place_key){ .kind = PLACE,
                        .a = (int64_t)row,
                        .b = (int64_t)floor(frame->lon * fmax(shrink, 0) / degrees) };
}

static place_key key_of(const c3d_frames *frames, const int side[2], size_t i)
{
    const c3d_frame *frame = &frames->rows[i];
    const int64_t middle = frames->size_px / 2;
    place_key key;

    if (frame->group != 0)
        key = (place_key){ .kind = GROUP, .a = frame->group };
    else if (frame->source == 0)
        key = (place_key){ .kind = SQUARE,
                           .a = (frame->y + middle) / side[1],
                           .b = (frame->x + middle) / side[0] };
    else if (!isnan(frame->lon) && !isnan(frame->lat))
        key = key_of_lon_lat(frame, side[1] * fabs(frames->transform[5]));
    else
        key = (place_key){ .kind = SOURCE, .a = frame->source };
    key.frame_id = frame->frame_id;
    key.row = i;
    return key;
}

static bool find_side(const c3d_frames *frames, int side[2], double *km_out)
{
    double pixel_m[2];

    c3d_frames_pixel_m(frames, pixel_m);
    for (int axis = 0; axis < 2; axis++) {
        side[axis] = frames->block_px[axis];
        if (side[axis] > 0) continue;
        const double px = rint(USUAL_KM * 1000 / pixel_m[axis]);
        side[axis] = px > 1 && px < INT32_MAX / 2 ? (int)px : 1;
    }
    *km_out = side[1] * pixel_m[1] / 1000;
    return frames->block_px[0] > 0;
}

c3d_status c3d_facts_frame_blocks(const c3d_frames *frames, const char *gpkg, int64_t *blocks_out,
                                  double *km_out)
{
    const size_t n = frames->n;
    place_key *keys = c3d_calloc(n + 1, sizeof *keys);
    bool has_squares = false;
    int side[2];

    if (!keys) return C3D_ENOMEM;
    if (!find_side(frames, side, km_out))
        c3d_log_run("%s: does not tell data.block_km: blocks of %g km", gpkg, USUAL_KM);
    for (size_t i = 0; i < n; i++) keys[i] = key_of(frames, side, i);
    qsort(keys, n, sizeof *keys, by_key);
    for (size_t i = 0, first = 0; i < n; i++) {
        const place_key *start = &keys[first];
        if (keys[i].kind != start->kind || keys[i].a != start->a || keys[i].b != start->b)
            first = i;
        blocks_out[keys[i].row] = keys[first].frame_id;
        has_squares = has_squares || keys[i].kind == SQUARE || keys[i].kind == PLACE;
    }
    if (!has_squares) *km_out = 0;
    free(keys);
    return C3D_OK;
}

c3d_status c3d_facts_blocks(const fact_finder *in)
{
    int64_t *blocks = c3d_calloc(in->frames->n + 1, sizeof *blocks);
    c3d_status st = C3D_ENOMEM;

    if (blocks) st = c3d_facts_frame_blocks(in->frames, in->gpkg, blocks, &in->facts->block_km);
    for (size_t i = 0; st == C3D_OK && i < in->list->n; i++)
        if (in->frame[i] != (size_t)-1) in->facts->rows[i].block = blocks[in->frame[i]];
    free(blocks);
    return st;
}
