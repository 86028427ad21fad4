/* From the ground to the file: a month is put together from strips of several acquisitions, each
 * with its own gain, haze and clouds; the sensor drifts and is noisy. */
#include "demo/scene.h"

#include <stdlib.h>

#define SHADOW_DX                                                                                  \
    17 /* the sun stands in the north-east: a shadow's cloud is up and right of it                 \
        */
#define SHADOW_DY  (-13)
#define SHADOW_PAD 17

typedef struct demo_strip {
    int number;
    float gain[DEMO_BANDS];
    float haze;        /* 0..1 */
    float cloud_level; /* cloud noise above it is cloud */
    bool is_missing;
} demo_strip;

/* How the strips of a month lie. */
typedef struct strip_plan {
    float cosine, sine, width_px, offset;
} strip_plan;

/* Deviations from the mean that a share of a normal distribution lies above (Hastings' rational
 * approximation, Abramowitz and Stegun 26.2.23). */
static float normal_above(float share)
{
    const float t = sqrtf(-2.0f * logf(share));
    return t - (2.515517f + t * (0.802853f + t * 0.010328f)) /
                   (1.0f + t * (1.432788f + t * (0.189269f + t * 0.001308f)));
}

static float month_draw(uint64_t seed, demo_stream kind, int month, uint64_t index, float low,
                        float high)
{
    return low + (high - low) * (float)c3d_random_unit(seed, demo_stream_of(kind, month), index);
}

static demo_strip strip_make(uint64_t seed, int month, int number)
{
    const uint64_t base = (uint64_t)(uint32_t)(number + 1024) * 16;
    const float wet = demo_wetness(month), smoke = demo_step(0.75f, 1.0f, 1.0f - wet);
    demo_strip s = { .number = number };
    const float common = month_draw(seed, DEMO_STRIP, month, base, -0.05f, 0.05f);
    for (int b = 0; b < DEMO_BANDS; b++)
        s.gain[b] = 1.0f + common +
                    month_draw(seed, DEMO_STRIP, month, base + 1 + (uint64_t)b, -0.02f, 0.02f);
    const float dim = month_draw(seed, DEMO_STRIP, month, base + 6, 0, 1);
    s.haze = (0.06f + 0.09f * smoke) * dim * dim;
    const float whole_month = month_draw(seed, DEMO_SEASON, month, 1, 0.2f, 1.8f);
    const float cloudy = month_draw(seed, DEMO_STRIP, month, base + 7, 0.2f, 1.8f);
    const float share = (0.008f + 0.11f * wet * wet) * whole_month * cloudy;
    s.cloud_level = normal_above(demo_clamp(share, 0.001f, 0.45f));
    s.is_missing = month_draw(seed, DEMO_STRIP, month, base + 8, 0, 1) < 0.02f * wet;
    return s;
}

static strip_plan strip_plan_make(uint64_t seed, int month)
{
    const float angle = month_draw(seed, DEMO_STRIP, month, 0, 0.15f, 0.3f);
    return (strip_plan){ cosf(angle), sinf(angle), month_draw(seed, DEMO_STRIP, month, 1, 260, 420),
                         month_draw(seed, DEMO_STRIP, month, 2, 0, 400) };
}

static float cloud_cover(float noise, const demo_strip *s)
{
    return demo_step(s->cloud_level - 0.35f, s->cloud_level + 0.5f, noise);
}

/* Gain drift of the month, 1 at the mean. */
static void drift_make(uint64_t seed, int month, float drift[DEMO_BANDS])
{
    for (int b = 0; b < DEMO_BANDS; b++) {
        const float slow = sinf((float)month * 0.21f + 1.3f * (float)b);
        drift[b] = 1.0f + 0.02f * slow +
                   month_draw(seed, DEMO_SENSOR, month, UINT64_MAX - (uint64_t)b, -0.01f, 0.01f);
    }
}

/* Sums of two 16-bit uniform numbers: triangular, deviation 0.408. */
static void noise_at(uint64_t seed, uint64_t stream, uint64_t index, float out[DEMO_BANDS])
{
    uint32_t bits[4];
    c3d_random_4x32(seed, stream, index, bits);
    for (int b = 0; b < DEMO_BANDS; b++) {
        const float sum = (float)(bits[b] & 0xffff) + (float)(bits[b] >> 16);
        out[b] = (sum / 65536.0f - 1.0f) / 0.408f;
    }
}

void demo_sense(uint64_t seed, int month, demo_window window, const float *ground, uint16_t *values)
{
    const size_t n = demo_window_pixels(window);
    const uint64_t stream = demo_stream_of(DEMO_SENSOR, month);
    float drift[DEMO_BANDS], noise[DEMO_BANDS];
    drift_make(seed, month, drift);
    for (size_t i = 0; i < n; i++) {
        const int x = window.x + (int)(i % (size_t)window.width);
        const int y = window.y + (int)(i / (size_t)window.width);
        noise_at(seed, stream, demo_index(y, x), noise);
        for (int b = 0; b < DEMO_BANDS; b++) {
            const float seen = ground[(size_t)b * n + i] * drift[b];
            const float value = seen + (9.0f + 0.012f * seen) * noise[b];
            values[(size_t)b * n + i] = (uint16_t)(demo_clamp(value, 1.0f, 10000.0f) + 0.5f);
        }
    }
}

/* Noises of one window and month; cloud has SHADOW_PAD more on each side. */
typedef struct air_noise {
    float *seam, *haze, *cloud;
    demo_window padded;
} air_noise;

static void air_close(air_noise *air)
{
    free(air->seam);
    free(air->haze);
    free(air->cloud);
}

static c3d_status air_open(air_noise *air, uint64_t seed, int month, demo_window w)
{
    const demo_noise seam = { seed, DEMO_NOISE_SEAM, month, 70.0f, 3, 0.5f };
    const demo_noise haze = { seed, DEMO_NOISE_HAZE, month, 260.0f, 3, 0.5f };
    const demo_noise cloud = { seed, DEMO_NOISE_CLOUD, month, 75.0f, 5, 0.55f };
    c3d_status st = C3D_ENOMEM;
    air->padded = (demo_window){ w.x - SHADOW_PAD, w.y - SHADOW_PAD, w.width + 2 * SHADOW_PAD,
                                 w.height + 2 * SHADOW_PAD };
    air->seam = c3d_calloc(demo_window_pixels(w), sizeof(float));
    air->haze = c3d_calloc(demo_window_pixels(w), sizeof(float));
    air->cloud = c3d_calloc(demo_window_pixels(air->padded), sizeof(float));
    if (air->seam == NULL || air->haze == NULL || air->cloud == NULL) goto fail;
    C3D_TRY_TO(fail, demo_noise_fill(&seam, w, air->seam));
    C3D_TRY_TO(fail, demo_noise_fill(&haze, w, air->haze));
    C3D_TRY_TO(fail, demo_noise_fill(&cloud, air->padded, air->cloud));
    return C3D_OK;
fail:
    air_close(air);
    return st;
}

/* Shadow, haze, cloud and the strip's gain over one pixel. */
static void look_through(const air_noise *air, demo_window w, size_t i, const demo_strip *s,
                         float *band)
{
    static const float haze_light[DEMO_BANDS] = { 2300, 2000, 1800, 1700 };
    static const float cloud_light[DEMO_BANDS] = { 7300, 7100, 7000, 7200 };
    const int x = (int)(i % (size_t)w.width) + SHADOW_PAD;
    const int y = (int)(i / (size_t)w.width) + SHADOW_PAD;
    const float above = air->cloud[y * air->padded.width + x];
    const float sunward = air->cloud[(y + SHADOW_DY) * air->padded.width + x + SHADOW_DX];
    const float cover = cloud_cover(above, s);
    const float shadow = 0.6f * cloud_cover(sunward, s);
    const float haze = demo_clamp(s->haze * (1.0f + 0.6f * air->haze[i]), 0.0f, 0.6f);
    const float shine = 1.0f + 0.12f * demo_clamp(above - s->cloud_level, -1.0f, 1.5f);
    for (int b = 0; b < DEMO_BANDS; b++) {
        float value = band[b] * (1.0f - shadow);
        value = demo_mix(value, haze_light[b], haze);
        value = demo_mix(value, cloud_light[b] * shine, 0.97f * cover);
        band[b] = value * s->gain[b];
    }
}

c3d_status demo_observe(uint64_t seed, int month, demo_window window, const float *ground,
                        uint16_t *values)
{
    const size_t n = demo_window_pixels(window);
    const strip_plan plan = strip_plan_make(seed, month);
    air_noise air = { 0 };
    demo_strip strip = strip_make(seed, month, 0);
    float *seen = c3d_calloc(DEMO_BANDS * n, sizeof(*seen));
    if (seen == NULL) return c3d_error_last()->status;
    const c3d_status st = air_open(&air, seed, month, window);
    if (st != C3D_OK) {
        free(seen);
        return st;
    }
    for (size_t i = 0; i < n; i++) {
        const float x = (float)(window.x + (int)(i % (size_t)window.width));
        const float y = (float)(window.y + (int)(i / (size_t)window.width));
        const float across = plan.cosine * x + plan.sine * y + plan.offset + 3.0f * air.seam[i];
        const int number = (int)floorf(across / plan.width_px);
        float band[DEMO_BANDS];
        if (number != strip.number) strip = strip_make(seed, month, number);
        for (int b = 0; b < DEMO_BANDS; b++) band[b] = ground[(size_t)b * n + i];
        look_through(&air, window, i, &strip, band);
        for (int b = 0; b < DEMO_BANDS; b++)
            seen[(size_t)b * n + i] = strip.is_missing ? -1.0f : band[b];
    }
    demo_sense(seed, month, window, seen, values);
    for (size_t i = 0; i < DEMO_BANDS * n; i++)
        if (seen[i] < 0.0f) values[i] = 0;
    air_close(&air);
    free(seen);
    return C3D_OK;
}
