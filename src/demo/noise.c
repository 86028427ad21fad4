#include "demo/scene.h"

#include <stdlib.h>

uint64_t demo_stream_of(demo_stream kind, int month)
{
    return C3D_STREAM(C3D_PURPOSE_DEMO, (uint64_t)(uint32_t)month << 12 | (uint64_t)kind << 4);
}

double demo_draw(uint64_t seed, demo_stream kind, uint64_t index, double low, double high)
{
    return low + (high - low) * c3d_random_unit(seed, demo_stream_of(kind, 0), index);
}

/* Lattice values of one octave around the window. */
typedef struct lattice {
    int x, y, width, height;
    float scale;
    float *values;
} lattice;

static void lattice_fill(lattice *grid, const demo_noise *noise, int octave, demo_window window)
{
    const uint64_t stream = demo_stream_of(noise->kind, noise->month) | (uint64_t)octave;
    grid->scale = noise->scale_px / (float)(1 << octave);
    grid->x = (int)floorf((float)window.x / grid->scale) - 1;
    grid->y = (int)floorf((float)window.y / grid->scale) - 1;
    grid->width = (int)ceilf((float)window.width / grid->scale) + 4;
    grid->height = (int)ceilf((float)window.height / grid->scale) + 4;
    for (int y = 0; y < grid->height; y++) {
        for (int x = 0; x < grid->width; x++) {
            const uint64_t index = demo_index(grid->y + y, grid->x + x);
            const uint64_t bits = c3d_random_u64(noise->seed, stream, index);
            grid->values[y * grid->width + x] = (float)(bits >> 40) * 0x1p-23f - 1.0f;
        }
    }
}

static void lattice_add(const lattice *grid, demo_window window, float amplitude, float *out)
{
    for (int y = 0; y < window.height; y++) {
        const float v = ((float)(window.y + y) + 0.5f) / grid->scale - (float)grid->y;
        const int row = (int)v;
        const float fy = v - (float)row, sy = fy * fy * (3.0f - 2.0f * fy);
        const float *above = grid->values + row * grid->width, *below = above + grid->width;
        for (int x = 0; x < window.width; x++) {
            const float u = ((float)(window.x + x) + 0.5f) / grid->scale - (float)grid->x;
            const int column = (int)u;
            const float fx = u - (float)column, sx = fx * fx * (3.0f - 2.0f * fx);
            const float top = demo_mix(above[column], above[column + 1], sx);
            const float bottom = demo_mix(below[column], below[column + 1], sx);
            out[(size_t)y * (size_t)window.width + (size_t)x] +=
                amplitude * demo_mix(top, bottom, sy);
        }
    }
}

c3d_status demo_noise_fill(const demo_noise *noise, demo_window window, float *out)
{
    const float finest = noise->scale_px / (float)(1 << (noise->n_octaves - 1));
    const size_t columns = (size_t)ceilf((float)window.width / finest) + 4;
    const size_t rows = (size_t)ceilf((float)window.height / finest) + 4;
    lattice grid = { .values = c3d_calloc(columns * rows, sizeof(float)) };
    if (grid.values == NULL) return c3d_error_last()->status;

    /* Uniform values have variance 1/3; smoothstep interpolation keeps 0.55 of it (the mean of
     * (s^2 + (1 - s)^2)^2 over the cell is 0.743^2). */
    float power = 0.0f, amplitude = 1.0f;
    for (int octave = 0; octave < noise->n_octaves; octave++, amplitude *= noise->gain)
        power += amplitude * amplitude;
    amplitude = 1.0f / sqrtf(power * 0.55f / 3.0f);

    for (size_t i = 0; i < demo_window_pixels(window); i++) out[i] = 0.0f;
    for (int octave = 0; octave < noise->n_octaves; octave++, amplitude *= noise->gain) {
        lattice_fill(&grid, noise, octave, window);
        lattice_add(&grid, window, amplitude, out);
    }
    free(grid.values);
    return C3D_OK;
}
