/* The two test sets: squares of two classes whose difference is known by construction. */
#include "demo/scene.h"

#include <stdlib.h>

#define SQUARE_PX 64

/* Two of each group of 2 x 2 squares are positive: one of the six ways, drawn by the group. */
bool demo_pattern_is_positive(uint64_t seed, int x, int y)
{
    static const uint8_t ways[6] = { 0x3, 0x5, 0x6, 0x9, 0xa, 0xc };
    const int column = (int)floor((double)x / SQUARE_PX), row = (int)floor((double)y / SQUARE_PX);
    const int64_t group_x = (int64_t)floor(column / 2.0), group_y = (int64_t)floor(row / 2.0);
    const uint64_t way =
        c3d_random_below(seed, demo_stream_of(DEMO_PATTERN, 0), demo_index(group_x, group_y), 6);
    const int square = (int)(column - 2 * group_x + 2 * (row - 2 * group_y));
    return (ways[way] >> square & 1) != 0;
}

/* All steps are odd, so that 16 months show all phases. A square that begins anywhere shows any
 * phase in any month alike often, whichever its steps are. */
int demo_pattern_phase(uint64_t seed, int x, int y, int month)
{
    static const int leaps[4] = { 5, 7, 9, 11 };
    const int column = (int)floor((double)x / SQUARE_PX), row = (int)floor((double)y / SQUARE_PX);
    const uint64_t square = demo_index(column, row);
    const int first = (int)c3d_random_below(seed, demo_stream_of(DEMO_PATTERN, 1), square, 16);
    const int way = (int)c3d_random_below(seed, demo_stream_of(DEMO_PATTERN, 2), square, 4);
    const int step = demo_pattern_is_positive(seed, x, y) ? 1 : leaps[way];

    return (first + step * month) % DEMO_TURN_MONTHS;
}

static demo_spectrum time_spectrum(int phase, float first, float second)
{
    const double angle = 2 * DEMO_PI * phase / DEMO_TURN_MONTHS;
    const float noise = (float)cos(angle) * first + (float)sin(angle) * second;
    return demo_spectrum_mix(demo_forest(0, 0, 0.5f), demo_soil(0, 0),
                             demo_step(-0.4f, 0.4f, noise));
}

static demo_spectrum frame_spectrum(bool is_positive, float noise)
{
    const float share = demo_step(-0.3f, 0.3f, noise);
    if (is_positive) return demo_spectrum_mix(demo_soil(0, 0), demo_turbid_water(0.5f), share);
    return demo_spectrum_mix(demo_forest(0, 0, 0.5f), demo_grass(0, 0.5f), share);
}

c3d_status demo_pattern_render(uint64_t seed, bool time_only, int month, demo_window window,
                               float *ground)
{
    const size_t n = demo_window_pixels(window);
    const demo_noise first = { seed, DEMO_NOISE_PATTERN, 0, 7.0f, 2, 0.5f };
    const demo_noise second = {
        seed, DEMO_NOISE_PATTERN, 1 + (time_only ? 0 : month), 7.0f, 2, 0.5f
    };
    c3d_status st;
    float *noise = c3d_calloc(2 * n, sizeof(*noise));
    if (noise == NULL) return c3d_error_last()->status;
    C3D_TRY_TO(end, demo_noise_fill(&first, window, noise));
    C3D_TRY_TO(end, demo_noise_fill(&second, window, noise + n));
    for (size_t i = 0; i < n; i++) {
        const int x = window.x + (int)(i % (size_t)window.width);
        const int y = window.y + (int)(i / (size_t)window.width);
        demo_put(ground, n, i,
                 time_only
                     ? time_spectrum(demo_pattern_phase(seed, x, y, month), noise[i], noise[n + i])
                     : frame_spectrum(demo_pattern_is_positive(seed, x, y), noise[n + i]));
    }
end:
    free(noise);
    return st;
}
