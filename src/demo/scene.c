#include "demo/scene.h"

#include <stdlib.h>

c3d_status demo_scene_open(demo_scene *scene, uint64_t seed, int extent_px, int n_months)
{
    c3d_status st;
    *scene = (demo_scene){ .seed = seed, .extent_px = extent_px, .n_months = n_months };
    C3D_TRY_TO(fail, demo_rivers_make(scene));
    C3D_TRY_TO(fail, demo_roads_make(scene));
    C3D_TRY_TO(fail, demo_sites_make(scene));
    return C3D_OK;
fail:
    demo_scene_close(scene);
    return st;
}

static void lines_free(demo_line *lines, int n)
{
    for (int i = 0; i < n; i++) free(lines[i].points);
    free(lines);
}

void demo_scene_close(demo_scene *scene)
{
    lines_free(scene->rivers, scene->n_rivers);
    lines_free(scene->streams, scene->n_streams);
    lines_free(scene->roads, scene->n_roads);
    for (int i = 0; i < scene->n_sites; i++) free(scene->sites[i].pits);
    free(scene->sites);
    free(scene->towns);
    *scene = (demo_scene){ 0 };
}
