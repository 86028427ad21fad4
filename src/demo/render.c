/* The ground of a month: covers by land use and season, then the sites over them. */
#include "demo/scene.h"

/* What is the same for all pixels of a month. */
typedef struct season {
    int month, n_months;
    float wetness, level;
    demo_spectrum river; /* its water */
} season;

static float bits_share(uint32_t word, int shift)
{
    return (float)(word >> shift & 255) / 255.0f;
}

static demo_spectrum pasture(const demo_layers *layers, size_t i, const season *now)
{
    const float tone = layers->patch[i] + 0.5f * layers->grain[i];
    const demo_spectrum grass =
        demo_grass(tone, demo_clamp(now->wetness + 0.15f * layers->relief[i], 0.0f, 1.0f));
    const demo_spectrum tree = demo_forest(layers->crown[i], 0, now->wetness);
    return demo_spectrum_mix(grass, tree, demo_step(1.9f, 2.3f, layers->crown[i]));
}

static demo_spectrum bare(const demo_layers *layers, size_t i, const season *now)
{
    const float tone = bits_share(layers->word[i], 8) * 2.4f - 1.2f;
    return demo_soil(tone + 0.5f * layers->grain[i] + 0.3f * layers->patch[i], 0.4f * now->wetness);
}

static demo_spectrum field(const demo_layers *layers, size_t i, const season *now)
{
    const uint32_t word = layers->word[i];
    float straw;
    const float growth =
        demo_crop_growth(now->month, demo_parcel_phase(word), demo_parcel_n_bare(word), &straw);
    return demo_spectrum_mix(bare(layers, i, now), demo_crop(layers->patch[i], straw), growth);
}

/* Felled and burnt, bare for some months, then grass. */
static demo_spectrum clearing(const demo_layers *layers, size_t i, const season *now)
{
    const uint32_t word = layers->word[i];
    const int age = now->month - demo_clearing_month(word, now->n_months);
    const demo_spectrum burnt = { { 420, 520, 620, 1000 } };
    if (age < 0) return demo_forest(layers->crown[i], layers->relief[i], now->wetness);
    const demo_spectrum soil = demo_spectrum_mix(
        bare(layers, i, now), burnt, demo_step(0.2f, 1.0f, layers->patch[i]) * (age < 3 ? 1 : 0));
    const float n_bare = 3.0f + 4.0f * bits_share(word, 24);
    return demo_spectrum_mix(soil, pasture(layers, i, now),
                             demo_step(n_bare, n_bare + 3.0f, (float)age));
}

/* Mostly settled water; each year some are stirred, or drained for two months. */
static demo_spectrum fish_pond(const demo_layers *layers, size_t i, const season *now)
{
    const uint32_t word = layers->word[i];
    const int k = (demo_month_of_year(now->month) - demo_parcel_phase(word) + 12) % 12;
    const float hue = bits_share(word, 12);
    if (k < 2) return bare(layers, i, now);
    return demo_spectrum_mix(demo_clear_water(hue), demo_turbid_water(hue), k < 5 ? 0.9f : 0.25f);
}

static demo_spectrum town_lot(const demo_layers *layers, size_t i, const season *now)
{
    const uint32_t word = layers->word[i];
    const demo_spectrum tile = { { 950, 1150, 1750, 2100 } }, zinc = { { 2200, 2350, 2450, 2700 } };
    const float kind = bits_share(word, 0);
    if (kind < 0.28f) return pasture(layers, i, now);
    if (kind < 0.42f) return demo_forest(layers->crown[i], 0, now->wetness);
    return demo_spectrum_mix(tile, zinc, bits_share(word, 8));
}

static demo_spectrum land(const demo_layers *layers, size_t i, const season *now)
{
    const demo_spectrum street = { { 1050, 1200, 1350, 1700 } };
    switch ((demo_use)layers->use[i]) {
    case DEMO_FOREST: return demo_forest(layers->crown[i], layers->relief[i], now->wetness);
    case DEMO_PASTURE: return pasture(layers, i, now);
    case DEMO_FIELD: return field(layers, i, now);
    case DEMO_CLEARING: return clearing(layers, i, now);
    case DEMO_FISH_POND: return fish_pond(layers, i, now);
    case DEMO_TOWN_LOT: return town_lot(layers, i, now);
    case DEMO_STREET: return street;
    case DEMO_ROAD_BED: return demo_soil(-0.6f + 0.2f * layers->grain[i], 0.5f * now->wetness);
    }
    return street;
}

/* The stream is narrower than a pixel's neighbourhood and half hidden by the trees; below the
 * first mine its water is stirred. */
static demo_spectrum with_stream(const demo_scene *scene, const demo_layers *layers, size_t i,
                                 const season *now, demo_spectrum s)
{
    const float share = 0.75f * (1.0f - demo_step(-0.6f, 1.2f, layers->stream_px[i]));
    if (share <= 0.0f) return s;
    const float opened = scene->streams[layers->stream[i]].opened;
    const float turbid = (float)now->month >= opened ? 0.8f : 0.35f * now->wetness;
    const demo_spectrum water =
        demo_spectrum_mix(demo_clear_water(0.3f), demo_turbid_water(0.4f), turbid);
    return demo_spectrum_mix(s, water, share);
}

/* A river bed is under water below the level, sand or mud with grass above it. */
static demo_spectrum river_bed(const demo_layers *layers, size_t i, const season *now,
                               demo_spectrum bank)
{
    const float bed = layers->bed[i];
    const demo_spectrum mud = { { 620, 880, 1050, 1700 } };
    const demo_spectrum dry = demo_spectrum_mix(
        mud, demo_sand(0.7f * layers->grain[i] + 0.4f * layers->patch[i]), layers->sand[i]);
    const float land_share = demo_step(1.02f, DEMO_BANK, bed);
    const float wet_share = 1.0f - demo_step(now->level - 0.06f, now->level + 0.03f, bed);
    return demo_spectrum_mix(demo_spectrum_mix(dry, now->river, wet_share), bank, land_share);
}

void demo_render(const demo_scene *scene, const demo_layers *layers, int month, float *ground)
{
    const size_t n = demo_window_pixels(layers->window);
    season now = { .month = month, .n_months = scene->n_months };
    now.wetness = demo_wetness(month);
    now.level = demo_river_level(scene->seed, month);
    now.river = demo_spectrum_mix(demo_clear_water(0.5f), demo_turbid_water(0.2f),
                                  0.15f + 0.6f * demo_wetness(month - 1));
    for (size_t i = 0; i < n; i++) {
        demo_spectrum s = land(layers, i, &now);
        if (layers->use[i] != DEMO_ROAD_BED) {
            s = with_stream(scene, layers, i, &now, s);
            if (layers->bed[i] < DEMO_BANK) s = river_bed(layers, i, &now, s);
        }
        demo_put(ground, n, i, s);
    }
    for (int k = 0; k < scene->n_sites; k++)
        demo_site_render(&scene->sites[k], layers, month, ground);
}
