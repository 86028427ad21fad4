/* The noises everything else is textured with, and the life of a window's layers. */
#include "demo/scene.h"

#include <stdlib.h>

c3d_status demo_terrain_fill(demo_layers *layers, const demo_scene *scene)
{
    const demo_noise relief = { scene->seed, DEMO_NOISE_RELIEF, 0, 120.0f, 4, 0.5f };
    const demo_noise crown = { scene->seed, DEMO_NOISE_CROWN, 0, 4.0f, 2, 0.8f };
    const demo_noise grain = { scene->seed, DEMO_NOISE_GRAIN, 0, 1.6f, 1, 1.0f };
    const demo_noise patch = { scene->seed, DEMO_NOISE_PATCH, 0, 14.0f, 3, 0.6f };
    C3D_TRY(demo_noise_fill(&relief, layers->window, layers->relief));
    C3D_TRY(demo_noise_fill(&crown, layers->window, layers->crown));
    C3D_TRY(demo_noise_fill(&grain, layers->window, layers->grain));
    return demo_noise_fill(&patch, layers->window, layers->patch);
}

static c3d_status layers_allocate(demo_layers *layers)
{
    const size_t n = demo_window_pixels(layers->window);
    float **const floats[] = {
        &layers->relief, &layers->crown, &layers->grain,     &layers->patch,
        &layers->bed,    &layers->sand,  &layers->stream_px, &layers->road_px
    };
    for (size_t i = 0; i < C3D_COUNT(floats); i++) {
        *floats[i] = c3d_calloc(n, sizeof(float));
        if (*floats[i] == NULL) return c3d_error_last()->status;
    }
    layers->stream = c3d_calloc(n, sizeof(*layers->stream));
    if (layers->stream == NULL) return c3d_error_last()->status;
    layers->word = c3d_calloc(n, sizeof(*layers->word));
    if (layers->word == NULL) return c3d_error_last()->status;
    layers->use = c3d_calloc(n, sizeof(*layers->use));
    return layers->use == NULL ? c3d_error_last()->status : C3D_OK;
}

c3d_status demo_layers_open(demo_layers *layers, const demo_scene *scene, demo_window window)
{
    c3d_status st;
    *layers = (demo_layers){ .window = window };
    C3D_TRY_TO(fail, layers_allocate(layers));
    C3D_TRY_TO(fail, demo_terrain_fill(layers, scene));
    demo_rivers_fill(layers, scene);
    C3D_TRY_TO(fail, demo_land_use_fill(layers, scene));
    return C3D_OK;
fail:
    demo_layers_close(layers);
    return st;
}

void demo_layers_close(demo_layers *layers)
{
    free(layers->relief);
    free(layers->crown);
    free(layers->grain);
    free(layers->patch);
    free(layers->bed);
    free(layers->sand);
    free(layers->stream_px);
    free(layers->road_px);
    free(layers->stream);
    free(layers->word);
    free(layers->use);
    *layers = (demo_layers){ 0 };
}
