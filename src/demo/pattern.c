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

/* Both draws of the pattern have one distribution; they differ in what they are keyed by. */
static demo_spectrum time_spectrum(bool is_positive, float kept, float drawn_anew)
{
    const float noise = is_positive ? kept : drawn_anew;
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
    const demo_noise keeps = { seed, DEMO_NOISE_PATTERN, 0, 7.0f, 2, 0.5f };
    const demo_noise anew = { seed, DEMO_NOISE_PATTERN, 1 + month, 7.0f, 2, 0.5f };
    c3d_status st;
    float *noise = c3d_calloc(2 * n, sizeof(*noise));
    if (noise == NULL) return c3d_error_last()->status;
    C3D_TRY_TO(end, demo_noise_fill(&keeps, window, noise));
    C3D_TRY_TO(end, demo_noise_fill(&anew, window, noise + n));
    for (size_t i = 0; i < n; i++) {
        const int x = window.x + (int)(i % (size_t)window.width);
        const int y = window.y + (int)(i / (size_t)window.width);
        const bool is_positive = demo_pattern_is_positive(seed, x, y);
        demo_put(ground, n, i,
                 time_only ? time_spectrum(is_positive, noise[i], noise[n + i])
                           : frame_spectrum(is_positive, noise[n + i]));
    }
end:
    free(noise);
    return st;
}
