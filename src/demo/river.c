/* Rivers as sine-generated curves (the heading is a sine of the distance along the river, which is
 * the shape of least bending), tributaries that leave them, and what both do to pixels. */
#include "demo/scene.h"

#include <stdlib.h>

#define STEP_PX          5.0
#define MARGIN_PX        80.0 /* lines go on beyond the extent, so that its edge shows no ends */
#define RIVER_SPACING_PX 760.0
#define RIVER_REACH      2.9f /* in half widths: how far from the middle line the bed is looked at */
#define STREAM_REACH_PX  36.0f

c3d_status demo_line_add(demo_line *line, demo_point point)
{
    if (line->n == line->capacity) {
        const int capacity = line->capacity == 0 ? 64 : 2 * line->capacity;
        demo_point *points = realloc(line->points, (size_t)capacity * sizeof(*points));
        if (points == NULL) return C3D_FAIL(C3D_ENOMEM, "a line of %d points", capacity);
        line->points = points;
        line->capacity = capacity;
    }
    line->points[line->n++] = point;
    return C3D_OK;
}

static double wrapped(double angle)
{
    return remainder(angle, 2.0 * DEMO_PI);
}

static c3d_status river_make(demo_scene *scene, int number)
{
    demo_line *river = &scene->rivers[number];
    const uint64_t base = (uint64_t)number * 16;
    const double axis = scene->extent_px * (number + 0.5) / scene->n_rivers;
    const double wave = demo_draw(scene->seed, DEMO_RIVER, base, 330, 420);
    const double swing = demo_draw(scene->seed, DEMO_RIVER, base + 1, 1.1, 1.35);
    const double start = demo_draw(scene->seed, DEMO_RIVER, base + 2, 0, 2 * DEMO_PI);
    double x = -MARGIN_PX, y = axis, along = 0;

    while (x < scene->extent_px + MARGIN_PX && along < 8.0 * scene->extent_px) {
        const double phase = 2 * DEMO_PI * along / wave + start + 0.8 * sin(along / 173.0);
        const double strength = swing * (0.8 + 0.25 * sin(along / 311.0 + start));
        const double heading = strength * sin(phase) - fmax(-60, fmin(y - axis, 60)) / 160;
        const double bend = cos(phase) * strength / swing;
        const double width = 10.0 + 2.0 * sin(along / 97.0 + start);
        const demo_point point = { (float)x, (float)y, (float)width,
                                   demo_clamp((float)bend, -1.0f, 1.0f) };
        C3D_TRY(demo_line_add(river, point));
        x += STEP_PX * cos(heading);
        y += STEP_PX * sin(heading);
        along += STEP_PX;
    }
    return C3D_OK;
}

static bool is_near(const demo_line *lines, int n_lines, int but, demo_point at, float limit)
{
    for (int l = 0; l < n_lines; l++) {
        if (l == but) continue;
        for (int i = 0; i < lines[l].n; i++) {
            const float dx = lines[l].points[i].x - at.x, dy = lines[l].points[i].y - at.y;
            if (dx * dx + dy * dy < limit * limit) return true;
        }
    }
    return false;
}

/* Where a stream begins and what it may be near to there. */
typedef struct spring {
    demo_point at;
    double heading, length_min;
    int parent; /* the stream it leaves; -1: a river */
    uint64_t number;
} spring;

static bool is_blocked(const demo_scene *scene, const spring *from, demo_point at, double along)
{
    const float low = -(float)MARGIN_PX, high = (float)scene->extent_px + (float)MARGIN_PX;
    const int n_others = scene->n_streams - 1;
    if (at.x < low || at.x > high || at.y < low || at.y > high) return true;
    const bool has_left = along > 75 || from->parent < 0;
    if (is_near(scene->streams, n_others, has_left ? -1 : from->parent, at, 56)) return true;
    return (along > 45 || from->parent >= 0) && is_near(scene->rivers, scene->n_rivers, -1, at, 42);
}

/* Walks away until it is long enough or comes near another water. */
static c3d_status stream_make(demo_scene *scene, const spring *from)
{
    demo_line *stream = &scene->streams[scene->n_streams++];
    const uint64_t base = from->number * 16;
    const double phase = demo_draw(scene->seed, DEMO_TRIBUTARY, base + 2, 0, 2 * DEMO_PI);
    const double longer = demo_draw(scene->seed, DEMO_TRIBUTARY, base + 3, 1.0, 1.5);
    const double length = longer * from->length_min;
    double x = (double)from->at.x, y = (double)from->at.y;

    stream->opened = DEMO_FAR;
    for (int i = 0; i * STEP_PX < length; i++) {
        const double along = i * STEP_PX;
        const double turn = 0.55 * sin(along / 23.0 + phase) + 0.4 * sin(along / 61.0 - phase);
        const double heading = from->heading + fmin(along / 40, 1.0) * turn;
        x += STEP_PX * cos(heading);
        y += STEP_PX * sin(heading);
        const demo_point at = { (float)x, (float)y, (float)(1.5 - 0.6 * along / length), 0 };
        if (is_blocked(scene, from, at, along)) break;
        C3D_TRY(demo_line_add(stream, at));
    }
    if (stream->n < 24) { /* too short to be one */
        free(stream->points);
        *stream = (demo_line){ 0 };
        scene->n_streams--;
    }
    return C3D_OK;
}

static double direction(const demo_line *line, int i)
{
    const demo_point *a = &line->points[i], *b = a + 1;
    return atan2((double)b->y - (double)a->y, (double)b->x - (double)a->x);
}

static c3d_status streams_make(demo_scene *scene, const demo_line *river, int number, int capacity)
{
    int side = number % 2 == 0 ? 1 : -1;
    for (int i = 8; i + 1 < river->n && scene->n_streams < capacity; i += 7, side = -side) {
        const uint64_t index = (uint64_t)number << 16 | (uint64_t)i;
        const double lean = demo_draw(scene->seed, DEMO_TRIBUTARY, index * 16, -0.3, 0.3);
        /* half way between straight off the bank and straight away from the river's axis */
        const double axis = side * DEMO_PI / 2;
        const double away = direction(river, i) + axis;
        const spring from = { river->points[i], axis + 0.5 * wrapped(away - axis) + lean, 300, -1,
                              index };
        C3D_TRY(stream_make(scene, &from));
    }
    return C3D_OK;
}

static c3d_status branches_make(demo_scene *scene, int parent, int capacity)
{
    const demo_line *stream = &scene->streams[parent];
    int side = parent % 2 == 0 ? 1 : -1;
    for (int i = 14; i + 1 < stream->n && scene->n_streams < capacity; i += 6, side = -side) {
        const uint64_t index = (uint64_t)1 << 40 | (uint64_t)parent << 16 | (uint64_t)i;
        const double lean = demo_draw(scene->seed, DEMO_TRIBUTARY, index * 16, 0.7, 1.3);
        const spring from = { stream->points[i], direction(stream, i) + side * lean, 180, parent,
                              index };
        C3D_TRY(stream_make(scene, &from));
    }
    return C3D_OK;
}

c3d_status demo_rivers_make(demo_scene *scene)
{
    const int n_rivers = (int)fmax(1.0, round(scene->extent_px / RIVER_SPACING_PX));
    int capacity = 0;
    scene->rivers = c3d_calloc((size_t)n_rivers, sizeof(*scene->rivers));
    if (scene->rivers == NULL) return c3d_error_last()->status;
    scene->n_rivers = n_rivers;
    for (int i = 0; i < n_rivers; i++) {
        C3D_TRY(river_make(scene, i));
        capacity += scene->rivers[i].n;
    }
    scene->streams = c3d_calloc((size_t)capacity, sizeof(*scene->streams));
    if (scene->streams == NULL) return c3d_error_last()->status;
    for (int i = 0; i < n_rivers; i++) C3D_TRY(streams_make(scene, &scene->rivers[i], i, capacity));
    const int n_first = scene->n_streams;
    for (int i = 0; i < n_first; i++) C3D_TRY(branches_make(scene, i, capacity));
    return C3D_OK;
}

float demo_wetness(int month)
{
    return 0.5f + 0.5f * cosf(2.0f * (float)DEMO_PI * (float)(demo_month_of_year(month) - 2) / 12);
}

float demo_river_level(uint64_t seed, int month)
{
    const uint64_t stream = demo_stream_of(DEMO_SEASON, month);
    const float late = demo_wetness(month - 1); /* the flood comes after the rain */
    return 0.5f + 0.47f * late + 0.05f * (float)(c3d_random_unit(seed, stream, 0) - 0.5);
}

/* ---- pixels ---------------------------------------------------------------------------------- */

/* Of a point: along the segment (0..1) and to its right, in pixels. */
typedef struct place {
    float share, right, distance;
} place;

static place place_on(const demo_point *a, const demo_point *b, float x, float y)
{
    const float dx = b->x - a->x, dy = b->y - a->y, length2 = dx * dx + dy * dy;
    const float share = demo_clamp(((x - a->x) * dx + (y - a->y) * dy) / length2, 0.0f, 1.0f);
    const float ex = x - (a->x + share * dx), ey = y - (a->y + share * dy);
    const float right = (dx * ey - dy * ex) / sqrtf(length2);
    return (place){ share, right, sqrtf(ex * ex + ey * ey) };
}

/* The part of the window within reach of the segment; false when there is none. */
static bool segment_box(const demo_point *a, const demo_point *b, float reach, demo_window window,
                        int box[4])
{
    box[0] = (int)floorf(fminf(a->x, b->x) - reach) - window.x;
    box[1] = (int)floorf(fminf(a->y, b->y) - reach) - window.y;
    box[2] = (int)ceilf(fmaxf(a->x, b->x) + reach) - window.x;
    box[3] = (int)ceilf(fmaxf(a->y, b->y) + reach) - window.y;
    if (box[0] < 0) box[0] = 0;
    if (box[1] < 0) box[1] = 0;
    if (box[2] > window.width) box[2] = window.width;
    if (box[3] > window.height) box[3] = window.height;
    return box[0] < box[2] && box[1] < box[3];
}

/* Inside of a bend the bed rises slowly (a point bar) and reaches further; outside it is steep. */
static void bed_at(demo_layers *layers, size_t i, place at, float half_width, float bend)
{
    const float inner = at.right * bend > 0.0f ? fabsf(bend) : 0.0f;
    const float outer = at.right * bend < 0.0f ? fabsf(bend) : 0.0f;
    const float across = at.distance / (half_width * (1.0f + 1.1f * inner));
    const float power = 3.4f - 2.8f * inner + 1.5f * outer;
    const float rough = 1.0f + 0.05f * layers->patch[i];
    const float bed = across >= 1.0f ? across * rough : powf(across, power) * rough;
    const float island = across < 0.8f ? 0.55f * demo_step(0.8f, 1.7f, layers->patch[i]) : 0.0f;
    if (bed + island >= layers->bed[i]) return;
    layers->bed[i] = bed + island;
    layers->sand[i] = demo_step(0.15f, 0.5f, inner + island + 0.1f * layers->patch[i]);
}

static void river_fill(demo_layers *layers, const demo_line *river)
{
    const demo_window w = layers->window;
    for (int s = 0; s + 1 < river->n; s++) {
        const demo_point *a = &river->points[s], *b = a + 1;
        int box[4];
        if (!segment_box(a, b, RIVER_REACH * a->half_width, w, box)) continue;
        for (int y = box[1]; y < box[3]; y++) {
            for (int x = box[0]; x < box[2]; x++) {
                const float px = (float)(w.x + x) + 0.5f, py = (float)(w.y + y) + 0.5f;
                const place at = place_on(a, b, px, py);
                bed_at(layers, (size_t)y * (size_t)w.width + (size_t)x, at,
                       demo_mix(a->half_width, b->half_width, at.share),
                       demo_mix(a->bend, b->bend, at.share));
            }
        }
    }
}

static void stream_fill(demo_layers *layers, const demo_line *stream, int number)
{
    const demo_window w = layers->window;
    for (int s = 0; s + 1 < stream->n; s++) {
        const demo_point *a = &stream->points[s], *b = a + 1;
        int box[4];
        if (!segment_box(a, b, STREAM_REACH_PX, w, box)) continue;
        for (int y = box[1]; y < box[3]; y++) {
            for (int x = box[0]; x < box[2]; x++) {
                const float px = (float)(w.x + x) + 0.5f, py = (float)(w.y + y) + 0.5f;
                const place at = place_on(a, b, px, py);
                const float distance = at.distance - a->half_width;
                const size_t i = (size_t)y * (size_t)w.width + (size_t)x;
                if (distance >= layers->stream_px[i]) continue;
                layers->stream_px[i] = distance;
                layers->stream[i] = number;
            }
        }
    }
}

void demo_rivers_fill(demo_layers *layers, const demo_scene *scene)
{
    for (size_t i = 0; i < demo_window_pixels(layers->window); i++) {
        layers->bed[i] = DEMO_FAR;
        layers->stream_px[i] = STREAM_REACH_PX;
        layers->stream[i] = -1;
    }
    for (int i = 0; i < scene->n_rivers; i++) river_fill(layers, &scene->rivers[i]);
    for (int i = 0; i < scene->n_streams; i++) stream_fill(layers, &scene->streams[i], i);
}
