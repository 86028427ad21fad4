/* Roads, towns, and parcels of pasture, fields, clearings and fish ponds along the roads. */
#include "demo/scene.h"

#include <stdlib.h>

#define STEP_PX       5.0
#define MARGIN_PX     80.0
#define ROAD_REACH_PX 12.0f
#define PARCEL_U_PX   66.0f
#define PARCEL_V_PX   46.0f
#define LOT_PX        3.5f
#define STREET_PX     14.0f
#define RESERVE_PX    24.0f /* forest that stays beside streams */

/* ---- roads and towns ------------------------------------------------------------------------- */

static c3d_status main_road_make(demo_scene *scene, demo_line *road, int number, double axis)
{
    const uint64_t base = (uint64_t)number * 16;
    const double phase = demo_draw(scene->seed, DEMO_ROAD, base, 0, 2 * DEMO_PI);
    const double sway = demo_draw(scene->seed, DEMO_ROAD, base + 1, 10, 22);
    const int n_points = (int)((scene->extent_px + 2 * MARGIN_PX) / STEP_PX);
    for (int i = 0; i < n_points; i++) {
        const double x = i * STEP_PX - MARGIN_PX;
        const double y = axis + sway * sin(x / 110.0 + phase) + 0.4 * sway * sin(x / 37.0 - phase);
        C3D_TRY(demo_line_add(road, (demo_point){ (float)x, (float)y, 1.3f, 0 }));
    }
    return C3D_OK;
}

static c3d_status side_road_make(demo_scene *scene, demo_line *road, demo_point from,
                                 uint64_t number)
{
    const double length = demo_draw(scene->seed, DEMO_ROAD, number * 16 + 8, 70, 150);
    const double lean = demo_draw(scene->seed, DEMO_ROAD, number * 16 + 9, -0.25, 0.25);
    const int side = demo_draw(scene->seed, DEMO_ROAD, number * 16 + 10, 0, 1) < 0.5 ? -1 : 1;
    const double heading = side * DEMO_PI / 2 + lean;
    double x = from.x, y = from.y;
    for (int i = 0; i * STEP_PX < length; i++) {
        const double along = i * STEP_PX;
        C3D_TRY(demo_line_add(road, (demo_point){ (float)x, (float)y, 0.8f, 0 }));
        x += STEP_PX * cos(heading + 0.2 * sin(along / 31.0));
        y += STEP_PX * sin(heading + 0.2 * sin(along / 31.0));
    }
    return C3D_OK;
}

static void town_make(demo_scene *scene, const demo_line *road, int number)
{
    const double where = demo_draw(scene->seed, DEMO_TOWN, (uint64_t)number * 4, 0.25, 0.75);
    const demo_point at = road->points[(int)(where * road->n)];
    const double radius = demo_draw(scene->seed, DEMO_TOWN, (uint64_t)number * 4 + 1, 42, 60);
    scene->towns[scene->n_towns++] = (demo_town){ at.x, at.y, (float)radius };
}

/* One main road between two rivers and at either edge, each with side roads; a town on every
 * second one. */
c3d_status demo_roads_make(demo_scene *scene)
{
    const int n_main = scene->n_rivers + 1;
    const int n_side = (int)(scene->extent_px / 105.0) + 1;
    scene->parcel_angle = (float)demo_draw(scene->seed, DEMO_PARCEL, UINT64_MAX, -0.35, 0.35);
    scene->roads = c3d_calloc((size_t)(n_main * (1 + n_side)), sizeof(*scene->roads));
    scene->towns = c3d_calloc((size_t)n_main, sizeof(*scene->towns));
    if (scene->roads == NULL || scene->towns == NULL) return c3d_error_last()->status;
    for (int m = 0; m < n_main; m++) {
        const double space = scene->extent_px / (double)scene->n_rivers;
        double axis = m * space;
        if (m == 0) axis = 0.13 * space;
        if (m == n_main - 1) axis = scene->extent_px - 0.13 * space;
        demo_line *road = &scene->roads[scene->n_roads++];
        C3D_TRY(main_road_make(scene, road, m, axis));
        if (m % 2 == 0) town_make(scene, road, m);
        for (int s = 0; s < n_side; s++) {
            const uint64_t number = (uint64_t)m * 4096 + (uint64_t)s;
            const double x =
                demo_draw(scene->seed, DEMO_ROAD, number * 16 + 11, 10, 95) + 105.0 * s;
            const int k = (int)((x + MARGIN_PX) / STEP_PX);
            if (k >= road->n) continue;
            C3D_TRY(
                side_road_make(scene, &scene->roads[scene->n_roads++], road->points[k], number));
        }
    }
    return C3D_OK;
}

static void road_fill(demo_layers *layers, const demo_line *road)
{
    const demo_window w = layers->window;
    for (int s = 0; s < road->n; s++) { /* points are near enough to stand for the line */
        const demo_point *a = &road->points[s], *b = &road->points[s + 1 < road->n ? s + 1 : s];
        const int x0 = (int)fmaxf(a->x - ROAD_REACH_PX - (float)w.x, 0.0f);
        const int y0 = (int)fmaxf(a->y - ROAD_REACH_PX - (float)w.y, 0.0f);
        const int x1 = (int)fminf(a->x + ROAD_REACH_PX + 1 - (float)w.x, (float)w.width);
        const int y1 = (int)fminf(a->y + ROAD_REACH_PX + 1 - (float)w.y, (float)w.height);
        const float dx = b->x - a->x, dy = b->y - a->y, length2 = dx * dx + dy * dy + 1e-6f;
        for (int y = y0; y < y1; y++) {
            for (int x = x0; x < x1; x++) {
                const float px = (float)(w.x + x) + 0.5f - a->x,
                            py = (float)(w.y + y) + 0.5f - a->y;
                const float share = demo_clamp((px * dx + py * dy) / length2, 0.0f, 1.0f);
                const float ex = px - share * dx, ey = py - share * dy;
                const float distance = sqrtf(ex * ex + ey * ey) - a->half_width;
                float *to = &layers->road_px[(size_t)y * (size_t)w.width + (size_t)x];
                if (distance < *to) *to = distance;
            }
        }
    }
}

/* ---- parcels --------------------------------------------------------------------------------- */

typedef struct parcel {
    uint8_t use;
    uint32_t word;
} parcel;

/* The parcels that the window can touch: columns and rows of the turned grid. */
typedef struct parcel_table {
    int column, row, n_columns, n_rows;
    float cosine, sine;
    parcel *parcels;
} parcel_table;

static float road_distance(const demo_scene *scene, float x, float y)
{
    float nearest = DEMO_FAR;
    for (int r = 0; r < scene->n_roads; r++) {
        for (int i = 0; i < scene->roads[r].n; i += 4) {
            const float dx = scene->roads[r].points[i].x - x, dy = scene->roads[r].points[i].y - y;
            nearest = fminf(nearest, dx * dx + dy * dy);
        }
    }
    return sqrtf(nearest);
}

static parcel parcel_make(const demo_scene *scene, const parcel_table *table, int column, int row)
{
    const uint64_t index = demo_index(column, row);
    uint32_t random[4];
    c3d_random_4x32(scene->seed, demo_stream_of(DEMO_PARCEL, 0), index, random);
    const float u = ((float)column + 0.5f) * PARCEL_U_PX, v = ((float)row + 0.5f) * PARCEL_V_PX;
    const float x = table->cosine * u - table->sine * v, y = table->sine * u + table->cosine * v;
    const float distance = road_distance(scene, x, y);
    const float cleared = 0.92f - 0.85f * demo_step(35.0f, 135.0f, distance);
    const float draw = (float)random[0] * 0x1p-32f, kind = (float)random[1] * 0x1p-32f;
    parcel made = { .use = DEMO_FOREST, .word = random[2] };
    if (draw >= cleared) return made;
    if (kind < 0.40f)
        made.use = DEMO_PASTURE;
    else if (kind < 0.72f)
        made.use = DEMO_FIELD;
    else if (kind < 0.92f)
        made.use = DEMO_CLEARING;
    else
        made.use = DEMO_FISH_POND;
    return made;
}

static c3d_status parcel_table_open(parcel_table *table, const demo_scene *scene, demo_window w)
{
    *table =
        (parcel_table){ .cosine = cosf(scene->parcel_angle), .sine = sinf(scene->parcel_angle) };
    const float slack = 24.0f; /* what the warp can add */
    float low[2] = { DEMO_FAR, DEMO_FAR }, high[2] = { -DEMO_FAR, -DEMO_FAR };
    for (int corner = 0; corner < 4; corner++) {
        const float x = (float)(w.x + (corner % 2) * w.width);
        const int bottom = corner / 2;
        const float y = (float)(w.y + bottom * w.height);
        const float u = table->cosine * x + table->sine * y;
        const float v = table->cosine * y - table->sine * x;
        low[0] = fminf(low[0], u), high[0] = fmaxf(high[0], u);
        low[1] = fminf(low[1], v), high[1] = fmaxf(high[1], v);
    }
    table->column = (int)floorf((low[0] - slack) / PARCEL_U_PX);
    table->row = (int)floorf((low[1] - slack) / PARCEL_V_PX);
    table->n_columns = (int)floorf((high[0] + slack) / PARCEL_U_PX) - table->column + 1;
    table->n_rows = (int)floorf((high[1] + slack) / PARCEL_V_PX) - table->row + 1;
    table->parcels = c3d_calloc((size_t)(table->n_columns * table->n_rows), sizeof(parcel));
    if (table->parcels == NULL) return c3d_error_last()->status;
    for (int row = 0; row < table->n_rows; row++) {
        for (int column = 0; column < table->n_columns; column++) {
            table->parcels[row * table->n_columns + column] =
                parcel_make(scene, table, table->column + column, table->row + row);
        }
    }
    return C3D_OK;
}

/* Fish ponds: two rows of basins with dams between them inside the parcel; u, v in 0..1. */
static bool is_basin(float u, float v)
{
    if (u < 0.2f || u > 0.8f || v < 0.18f || v > 0.82f) return false;
    const float column = (u - 0.2f) / 0.6f * 3.0f, row = (v - 0.18f) / 0.64f * 2.0f;
    return column - floorf(column) > 0.14f && row - floorf(row) > 0.16f;
}

static void parcel_at(demo_layers *layers, size_t i, const parcel_table *table, float x, float y)
{
    const float u = (table->cosine * x + table->sine * y) / PARCEL_U_PX;
    const float v = (table->cosine * y - table->sine * x) / PARCEL_V_PX;
    const int column = (int)floorf(u), row = (int)floorf(v);
    const int at = (row - table->row) * table->n_columns + (column - table->column);
    const parcel *here = &table->parcels[at];
    const float fu = u - (float)column, fv = v - (float)row;
    const float edge =
        fminf(fminf(fu, 1.0f - fu) * PARCEL_U_PX, fminf(fv, 1.0f - fv) * PARCEL_V_PX);
    layers->word[i] = here->word;
    layers->use[i] = here->use;
    if (here->use == DEMO_FISH_POND && !is_basin(fu, fv)) layers->use[i] = DEMO_PASTURE;
    if (edge < 0.9f && (here->word >> 20) % 3 != 0) layers->use[i] = DEMO_FOREST; /* a hedge */
}

static void town_at(demo_layers *layers, size_t i, const demo_scene *scene, float x, float y)
{
    for (int t = 0; t < scene->n_towns; t++) {
        const demo_town *town = &scene->towns[t];
        const float dx = (x - town->x) / 1.3f, dy = y - town->y;
        const float distance = sqrtf(dx * dx + dy * dy) / town->radius;
        if (distance + 0.09f * layers->patch[i] > 1.0f) continue;
        const float c = cosf(scene->parcel_angle), s = sinf(scene->parcel_angle);
        const float u = c * x + s * y, v = c * y - s * x;
        const bool is_street = fmodf(u + 1e4f * STREET_PX, STREET_PX) < 2.0f ||
                               fmodf(v + 1e4f * STREET_PX, STREET_PX) < 2.0f;
        const int64_t column = (int64_t)floorf(u / LOT_PX), row = (int64_t)floorf(v / LOT_PX);
        layers->use[i] = is_street ? DEMO_STREET : DEMO_TOWN_LOT;
        layers->word[i] = (uint32_t)c3d_random_u64(scene->seed, demo_stream_of(DEMO_LOT, 0),
                                                   demo_index(column, row));
    }
}

c3d_status demo_land_use_fill(demo_layers *layers, const demo_scene *scene)
{
    const demo_window w = layers->window;
    const size_t n = demo_window_pixels(w);
    const demo_noise noise_x = { scene->seed, DEMO_NOISE_WARP_X, 0, 40.0f, 3, 0.5f };
    const demo_noise noise_y = { scene->seed, DEMO_NOISE_WARP_Y, 0, 40.0f, 3, 0.5f };
    parcel_table table = { 0 };
    c3d_status st;
    float *warp = c3d_calloc(2 * n, sizeof(*warp));
    if (warp == NULL) return c3d_error_last()->status;
    C3D_TRY_TO(end, demo_noise_fill(&noise_x, w, warp));
    C3D_TRY_TO(end, demo_noise_fill(&noise_y, w, warp + n));
    C3D_TRY_TO(end, parcel_table_open(&table, scene, w));

    for (size_t i = 0; i < n; i++) layers->road_px[i] = ROAD_REACH_PX;
    for (int r = 0; r < scene->n_roads; r++) road_fill(layers, &scene->roads[r]);
    for (size_t i = 0; i < n; i++) {
        const float x = (float)(w.x + (int)(i % (size_t)w.width)) + 0.5f;
        const float y = (float)(w.y + (int)(i / (size_t)w.width)) + 0.5f;
        parcel_at(layers, i, &table, x + demo_clamp(2.2f * warp[i], -8, 8),
                  y + demo_clamp(2.2f * warp[n + i], -8, 8));
        if (layers->stream_px[i] < RESERVE_PX || layers->bed[i] < 1.6f)
            layers->use[i] = DEMO_FOREST;
        town_at(layers, i, scene, x, y);
        if (layers->road_px[i] < 0.5f) layers->use[i] = DEMO_ROAD_BED;
    }
end:
    free(table.parcels);
    free(warp);
    return st;
}

/* ---- what a parcel's random bits say --------------------------------------------------------- */

int demo_parcel_phase(uint32_t word)
{
    return (int)(word % 12);
}

int demo_parcel_n_bare(uint32_t word)
{
    return 3 + (int)(word / 12 % 3);
}

int demo_clearing_month(uint32_t word, int n_months)
{
    return (int)(word / 36 % (uint32_t)(n_months + 12)) - 12;
}

float demo_crop_growth(int month, int phase, int n_bare, float *straw_out)
{
    const int k = (demo_month_of_year(month) - phase + 24) % 12;
    *straw_out = 0.0f;
    if (k < n_bare) return 0.0f;
    const float ripe = ((float)(k - n_bare) + 0.5f) / (float)(12 - n_bare);
    *straw_out = demo_step(0.72f, 1.0f, ripe);
    return demo_step(-0.05f, 0.3f, ripe);
}
