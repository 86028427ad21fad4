/* Sites along the streams: mines, which grow pit by pit, move and are left, and plots, which look
 * the same in a month and live by the year. */
#include "demo/scene.h"

#include <stdlib.h>

#define SITE_LENGTH_PX 110.0 /* along the stream */
#define SITE_GAP_PX    30.0
#define FIRST_PX       45.0 /* from the river */
#define STEP_PX        5.0  /* between points of a line */

static double site_draw(const demo_scene *scene, int site, int what, double low, double high)
{
    return demo_draw(scene->seed, DEMO_SITE, demo_index(site, what), low, high);
}

static double pit_draw(const demo_scene *scene, int site, int pit, int what, double low,
                       double high)
{
    const uint64_t index = (uint64_t)site << 24 | (uint64_t)pit << 8 | (uint64_t)what;
    return demo_draw(scene->seed, DEMO_PIT, index, low, high);
}

/* Pit number `pit` of `n`, beside the stream where the front of the site has come to. */
static demo_pit pit_make(const demo_scene *scene, const demo_line *stream, int site, int pit,
                         double share_along, int first_point)
{
    const double along =
        SITE_LENGTH_PX / STEP_PX * share_along + pit_draw(scene, site, pit, 0, -2, 2);
    int k = first_point + (int)along;
    if (k < 1) k = 1;
    if (k > stream->n - 2) k = stream->n - 2;
    const demo_point *a = &stream->points[k - 1], *at = &stream->points[k], *b = at + 1;
    const float dx = b->x - a->x, dy = b->y - a->y, length = sqrtf(dx * dx + dy * dy);
    const double side = pit_draw(scene, site, pit, 1, -1, 1);
    const float angle = (float)pit_draw(scene, site, pit, 4, 0, DEMO_PI);
    const float off = (float)(side * (6.0 + 19.0 * fabs(side)));
    return (demo_pit){
        .x = at->x - off * dy / length,
        .y = at->y + off * dx / length,
        .radius = (float)pit_draw(scene, site, pit, 2, 6.0, 14.0),
        .stretch = (float)pit_draw(scene, site, pit, 3, 0.65, 1.55),
        .cosine = cosf(angle),
        .sine = sinf(angle),
        .pond = (float)fmax(0, pit_draw(scene, site, pit, 5, -0.2, 0.62)),
        .pond_x = (float)pit_draw(scene, site, pit, 10, -0.35, 0.35),
        .pond_y = (float)pit_draw(scene, site, pit, 11, -0.35, 0.35),
        .active = (float)pit_draw(scene, site, pit, 6, 4, 10),
        .bare = (float)pit_draw(scene, site, pit, 7, 20, 40),
        .hue = (float)pit_draw(scene, site, pit, 8, 0, 1),
    };
}

static void site_box(demo_site *site)
{
    site->box[0] = site->box[1] = DEMO_FAR;
    site->box[2] = site->box[3] = -DEMO_FAR;
    for (int i = 0; i < site->n_pits; i++) {
        const demo_pit *pit = &site->pits[i];
        const float reach = 2.0f * pit->radius;
        site->box[0] = fminf(site->box[0], pit->x - reach);
        site->box[1] = fminf(site->box[1], pit->y - reach);
        site->box[2] = fmaxf(site->box[2], pit->x + reach);
        site->box[3] = fmaxf(site->box[3], pit->y + reach);
    }
}

static c3d_status site_make(demo_scene *scene, const demo_line *stream, int first_point)
{
    const int number = scene->n_sites;
    demo_site *site = &scene->sites[number];
    const int n_pits = (int)site_draw(scene, number, 0, 44, 70);
    /* every third one is a plot, from a start drawn by the seed: near ones are of both kinds */
    const int offset = (int)demo_draw(scene->seed, DEMO_SITE, UINT64_MAX, 0, 3);
    site->is_mine = (number + offset) % 3 != 1;
    site->pits = c3d_calloc((size_t)n_pits, sizeof(*site->pits));
    if (site->pits == NULL) return c3d_error_last()->status;
    site->n_pits = n_pits;
    site->start = (float)site_draw(scene, number, 1, -24, 32);
    site->label_delay = site_draw(scene, number, 2, 0, 1) < 0.5 ? 1 : 0;
    site->phase = (int)site_draw(scene, number, 3, 0, 12);
    site->n_bare = (int)site_draw(scene, number, 4, 4, 7);
    if (!site->is_mine) site->start = -60.0f;

    const double every = site_draw(scene, number, 5, 10, 22) / n_pits;
    const bool upstream = site_draw(scene, number, 6, 0, 1) < 0.7;
    for (int p = 0; p < n_pits; p++) {
        double share = (p + 0.5) / n_pits;
        /* the front moves, but some pits are dug behind it */
        share = 0.65 * share + 0.35 * pit_draw(scene, number, p, 9, 0, 1);
        if (!upstream) share = 1.0 - share;
        site->pits[p] = pit_make(scene, stream, number, p, share, first_point);
        site->pits[p].start = site->start + (float)(p * every);
    }
    site_box(site);
    scene->n_sites++;
    return C3D_OK;
}

static bool is_in_town(const demo_scene *scene, const demo_point *at)
{
    for (int t = 0; t < scene->n_towns; t++) {
        const float dx = scene->towns[t].x - at->x, dy = scene->towns[t].y - at->y;
        if (sqrtf(dx * dx + dy * dy) < 2.0f * scene->towns[t].radius) return true;
    }
    return false;
}

c3d_status demo_sites_make(demo_scene *scene)
{
    const int length = (int)(SITE_LENGTH_PX / STEP_PX), gap = (int)(SITE_GAP_PX / STEP_PX);
    int capacity = 1;
    for (int i = 0; i < scene->n_streams; i++) capacity += scene->streams[i].n / (length + gap) + 1;
    scene->sites = c3d_calloc((size_t)capacity, sizeof(*scene->sites));
    if (scene->sites == NULL) return c3d_error_last()->status;
    for (int i = 0; i < scene->n_streams; i++) {
        demo_line *stream = &scene->streams[i];
        for (int k = (int)(FIRST_PX / STEP_PX); k + length < stream->n; k += length + gap) {
            if (is_in_town(scene, &stream->points[k + length / 2])) continue;
            C3D_TRY(site_make(scene, stream, k));
            const demo_site *site = &scene->sites[scene->n_sites - 1];
            if (site->is_mine) stream->opened = fminf(stream->opened, site->start);
        }
    }
    return C3D_OK;
}

/* ---- pixels ---------------------------------------------------------------------------------- */

/* How far a pixel is from the pit's middle: 1 at its ragged edge; *pond_out: the same for its pond,
 * which lies off the middle and has an outline of its own. */
static float pit_distance(const demo_pit *pit, const demo_layers *layers, size_t i, float *pond_out)
{
    const demo_window w = layers->window;
    const float dx = (float)(w.x + (int)(i % (size_t)w.width)) + 0.5f - pit->x;
    const float dy = (float)(w.y + (int)(i / (size_t)w.width)) + 0.5f - pit->y;
    const float u = (pit->cosine * dx + pit->sine * dy) / (pit->radius * pit->stretch);
    const float v = (pit->cosine * dy - pit->sine * dx) / (pit->radius / pit->stretch);
    const float rough = 0.17f * layers->patch[i] + 0.06f * layers->crown[i];
    const float pu = u - pit->pond_x, pv = v - pit->pond_y;
    *pond_out = pit->pond < 0.15f ? DEMO_FAR : (sqrtf(pu * pu + pv * pv) - rough) / pit->pond;
    return sqrtf(u * u + v * v) + rough;
}

/* What a pit is in a month. */
typedef struct pit_state {
    float green;  /* 0 bare .. 1 covered by plants */
    float flood;  /* 0 dry .. 1 pond of full size */
    float turbid; /* 1 stirred .. 0 settled */
    float straw;  /* dryness of the plants of a plot */
    bool is_crop;
} pit_state;

static bool mine_state(const demo_pit *pit, int month, pit_state *state)
{
    const float age = (float)month - pit->start;
    if (age < 0.0f) return false;
    state->is_crop = false;
    state->straw = 0.0f;
    state->green = 0.95f * demo_step(pit->bare, pit->bare + 26.0f, age);
    state->flood = demo_step(0.2f, 1.4f, age) * (1.0f - 0.5f * demo_step(pit->bare, 60.0f, age));
    state->turbid = 1.0f - demo_step(pit->active, pit->active + 9.0f, age);
    return true;
}

static bool plot_state(const demo_site *site, const demo_pit *pit, int month, pit_state *state)
{
    /* pits of a plot are a month apart from each other at most */
    const int shift = pit->hue > 0.7f ? 1 : 0;
    state->is_crop = true;
    state->green = demo_crop_growth(month, site->phase + shift, site->n_bare, &state->straw);
    state->flood = state->green < 0.15f ? 1.0f : 0.0f;
    state->turbid = 1.0f;
    return true;
}

static demo_spectrum pit_spectrum(const pit_state *state, const demo_layers *layers, size_t i,
                                  float wetness)
{
    const float tone = 0.7f * layers->grain[i] + 0.6f * layers->patch[i];
    const demo_spectrum soil = demo_soil(tone, 0.3f * wetness);
    const demo_spectrum plants = state->is_crop ? demo_crop(layers->patch[i], state->straw)
                                                : demo_forest(layers->crown[i], 0.5f, wetness);
    return demo_spectrum_mix(soil, plants, demo_clamp(state->green, 0.0f, 1.0f));
}

/* The part of the window a pit can reach: x and y from, x and y to. */
static void pit_box(const demo_pit *pit, demo_window w, int box[4])
{
    const float reach = 1.7f * pit->radius * fmaxf(pit->stretch, 1.0f / pit->stretch);
    box[0] = (int)fmaxf(floorf(pit->x - reach) - (float)w.x, 0.0f);
    box[1] = (int)fmaxf(floorf(pit->y - reach) - (float)w.y, 0.0f);
    box[2] = (int)fminf(ceilf(pit->x + reach) - (float)w.x, (float)w.width);
    box[3] = (int)fminf(ceilf(pit->y + reach) - (float)w.y, (float)w.height);
}

static void pit_render(const demo_pit *pit, const pit_state *state, const demo_layers *layers,
                       float wetness, float *ground)
{
    const demo_window w = layers->window;
    const size_t n = demo_window_pixels(w);
    const demo_spectrum turbid = demo_turbid_water(pit->hue), clear = demo_clear_water(pit->hue);
    const demo_spectrum water = demo_spectrum_mix(clear, turbid, state->turbid);
    int box[4];

    pit_box(pit, w, box);
    for (int y = box[1]; y < box[3]; y++) {
        for (int x = box[0]; x < box[2]; x++) {
            const size_t i = (size_t)y * (size_t)w.width + (size_t)x;
            float pond;
            const float d = pit_distance(pit, layers, i, &pond);
            if (d >= 1.0f || layers->bed[i] < DEMO_BANK) continue; /* the river stays the river */
            demo_spectrum s = pit_spectrum(state, layers, i, wetness);
            s = demo_spectrum_mix(demo_get(ground, n, i), s, 1.0f - demo_step(0.85f, 1.0f, d));
            const float wet = state->flood * (1.0f - demo_step(0.9f, 1.1f, pond));
            demo_put(ground, n, i, demo_spectrum_mix(s, water, wet));
        }
    }
}

static bool is_beside(const demo_site *site, demo_window w)
{
    return site->box[0] > (float)(w.x + w.width) || site->box[2] < (float)w.x ||
           site->box[1] > (float)(w.y + w.height) || site->box[3] < (float)w.y;
}

void demo_site_render(const demo_site *site, const demo_layers *layers, int month, float *ground)
{
    const float wetness = demo_wetness(month);
    if (is_beside(site, layers->window)) return;
    for (int p = 0; p < site->n_pits; p++) {
        const demo_pit *pit = &site->pits[p];
        pit_state state;
        const bool is_there =
            site->is_mine ? mine_state(pit, month, &state) : plot_state(site, pit, month, &state);
        if (is_there) pit_render(pit, &state, layers, wetness, ground);
    }
}

/* ---- labels ---------------------------------------------------------------------------------- */

/* The map shows what was dug by the third quarter of the year and is not overgrown by its middle;
 * the site's first year may be missing from it. */
static bool is_mapped(const demo_site *site, const demo_pit *pit, int year)
{
    const int january = (year - 2020) * 12 - 8;
    if (!site->is_mine) return pit->start < (float)january;
    const int first = demo_year((int)floorf(site->start) + 24) - 2; /* months before 0 count too */
    if (year < first + site->label_delay) return false;
    if (pit->start > (float)(january + 8)) return false;
    return (float)(january + 6) - pit->start < pit->bare + 12.0f;
}

void demo_site_classify(const demo_site *site, const demo_layers *layers, int year, uint8_t *codes)
{
    const demo_window w = layers->window;
    const uint8_t code = site->is_mine ? DEMO_CODE_MINING : DEMO_CODE_OTHER_CROPS;
    if (is_beside(site, w)) return;
    for (int p = 0; p < site->n_pits; p++) {
        const demo_pit *pit = &site->pits[p];
        int box[4];
        if (!is_mapped(site, pit, year)) continue;
        pit_box(pit, w, box);
        for (int y = box[1]; y < box[3]; y++) {
            for (int x = box[0]; x < box[2]; x++) {
                const size_t i = (size_t)y * (size_t)w.width + (size_t)x;
                float pond;
                const float d = pit_distance(pit, layers, i, &pond);
                if (d < 0.95f && layers->bed[i] >= DEMO_BANK) codes[i] = code;
            }
        }
    }
}
