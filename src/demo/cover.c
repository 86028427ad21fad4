/* Reflectances x 10000 of what covers the ground: blue, green, red, near infrared. Soil, sand and
 * spoil differ less among each other than each does from place to place: a month must not tell. */
#include "demo/scene.h"

demo_spectrum demo_spectrum_mix(demo_spectrum a, demo_spectrum b, float share)
{
    for (int i = 0; i < DEMO_BANDS; i++) a.band[i] = demo_mix(a.band[i], b.band[i], share);
    return a;
}

static demo_spectrum scaled(demo_spectrum s, float factor)
{
    for (int i = 0; i < DEMO_BANDS; i++) s.band[i] *= factor;
    return s;
}

demo_spectrum demo_forest(float crown, float relief, float wetness)
{
    const demo_spectrum dry = { { 270, 470, 340, 2950 } }, wet = { { 240, 460, 290, 3350 } };
    const float light = 1.0f + 0.10f * crown + 0.04f * relief;
    return scaled(demo_spectrum_mix(dry, wet, wetness), demo_clamp(light, 0.6f, 1.4f));
}

demo_spectrum demo_grass(float tone, float wetness)
{
    const demo_spectrum dry = { { 640, 950, 1230, 2450 } }, wet = { { 440, 820, 640, 3300 } };
    return scaled(demo_spectrum_mix(dry, wet, wetness),
                  demo_clamp(1.0f + 0.06f * tone, 0.7f, 1.3f));
}

demo_spectrum demo_crop(float tone, float straw)
{
    const demo_spectrum green = { { 330, 720, 420, 4100 } }, ripe = { { 750, 1200, 1500, 2700 } };
    return scaled(demo_spectrum_mix(green, ripe, straw),
                  demo_clamp(1.0f + 0.05f * tone, 0.8f, 1.2f));
}

demo_spectrum demo_soil(float tone, float wetness)
{
    const demo_spectrum red = { { 850, 1250, 1850, 2600 } }, pale = { { 1350, 1850, 2300, 2950 } };
    const float share = demo_clamp(0.4f + 0.3f * tone, 0.0f, 1.0f);
    return scaled(demo_spectrum_mix(red, pale, share),
                  (1.0f + 0.05f * tone) * (1.0f - 0.2f * wetness));
}

demo_spectrum demo_sand(float tone)
{
    const demo_spectrum sand = { { 1300, 1780, 2220, 2850 } };
    return scaled(sand, demo_clamp(1.0f + 0.10f * tone, 0.6f, 1.35f));
}

demo_spectrum demo_turbid_water(float hue)
{
    const demo_spectrum brown = { { 700, 1100, 1300, 700 } }, milky = { { 1150, 1650, 1550, 850 } };
    return demo_spectrum_mix(brown, milky, hue);
}

demo_spectrum demo_clear_water(float hue)
{
    const demo_spectrum dark = { { 380, 420, 300, 190 } }, green = { { 400, 700, 430, 420 } };
    return demo_spectrum_mix(dark, green, hue);
}
