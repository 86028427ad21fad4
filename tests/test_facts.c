/* What samples are of: blocks, regions, hectares, and how many frames a list was drawn from. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/cm.h"

#include "data/facts.h"
#include "train/evaluation.h"

enum { N = 6 };

typedef struct world {
    c3d_frames frames;
    c3d_frame rows[N];
    c3d_frame_label labels[N];
    double shares[N];
    int years[1];
    char *classes[1];
    c3d_sample samples[N];
    struct c3d_dataset dataset;
    uint32_t index[N];
    size_t frame[N];
    c3d_list list;
    c3d_sample_facts facts[N];
    int64_t population[2];
    c3d_list_facts found;
    fact_finder finder;
} world;

/* Six frames of 10 px of 1 m near the equator, one a sample, in the year 2021. */
static void make(world *w)
{
    static char wkt[] = "EPSG:32721", class[] = "mining";

    memset(w, 0, sizeof *w);
    w->years[0] = 2021;
    w->classes[0] = class;
    for (int i = 0; i < N; i++) {
        w->rows[i] = (c3d_frame){ .frame_id = 10 + i, .lon = (double)NAN, .lat = (double)NAN };
        w->samples[i] = (c3d_sample){ .frame_id = 10 + i, .label_year = 2021, .fold = -1 };
        w->index[i] = (uint32_t)i;
        w->frame[i] = (size_t)i;
        w->facts[i].region = -1;
        w->facts[i].class_ha = (double)NAN;
    }
    w->frames = (c3d_frames){ .n = N,
                              .rows = w->rows,
                              .n_years = 1,
                              .years = w->years,
                              .n_classes = 1,
                              .classes = w->classes,
                              .labels = w->labels,
                              .shares = w->shares,
                              .crs_wkt = wkt,
                              .transform = { 500000, 1, 0, 10000000, 0, -1 },
                              .width_px = 1000,
                              .height_px = 1000,
                              .size_px = 10,
                              .block_px = { 50, 50 } };
    w->dataset.samples = (c3d_samples){ N, w->samples };
    w->dataset.fold = -1;
    w->list = (c3d_list){ .n = N, .index = w->index };
    w->found =
        (c3d_list_facts){ .n = N, .rows = w->facts, .n_labels = 2, .population = w->population };
    w->finder = (fact_finder){ .dataset = &w->dataset,
                               .list = &w->list,
                               .frames = &w->frames,
                               .gpkg = "frames.gpkg",
                               .frame = w->frame,
                               .facts = &w->found };
}

static void blocks_are(const world *w, const int64_t expected[N])
{
    for (int i = 0; i < N; i++) assert_int_equal(w->facts[i].block, expected[i]);
}

/* By the frame's centre: frame 12 begins in the square of frame 10 and lies mostly in the next. */
static void squares_of_a_grid(void **state)
{
    static const int places[N][2] = { { 0, 0 },  { 35, 35 }, { 46, 0 },
                                      { 60, 0 }, { 0, 60 },  { 99, 60 } };
    world w;

    (void)state;
    make(&w);
    for (int i = 0; i < N; i++) {
        w.rows[i].x = places[i][0];
        w.rows[i].y = places[i][1];
    }
    assert_int_equal(c3d_facts_blocks(&w.finder), C3D_OK);
    blocks_are(&w, (const int64_t[]){ 10, 10, 12, 12, 14, 15 });
    assert_true(fabs(w.found.block_km - 0.05) < 1e-9);
    w.frames.block_px[0] = w.frames.block_px[1] = 0; /* an older file: 10 km */
    assert_int_equal(c3d_facts_blocks(&w.finder), C3D_OK);
    blocks_are(&w, (const int64_t[]){ 10, 10, 10, 10, 10, 10 });
}

/* Groups before places before files; degrees are as wide in metres everywhere. */
static void blocks_of_a_list(void **state)
{
    static char wgs84[] = "EPSG:4326";
    world w;

    (void)state;
    make(&w);
    w.frames.crs_wkt = wgs84;
    w.frames.transform[0] = w.frames.transform[3] = 0;
    w.frames.transform[1] = 0.001;
    w.frames.transform[5] = -0.001; /* squares of 0.05 degrees at the equator */
    for (int i = 0; i < N; i++) w.rows[i].source = i < 4 ? i + 1 : 5;
    w.rows[0].group = w.rows[1].group = 7;
    w.rows[1].lon = w.rows[2].lon = w.rows[3].lon = -60.01;
    w.rows[1].lat = w.rows[2].lat = w.rows[3].lat = -60.01;
    w.rows[3].lon += 0.06; /* half as wide there */
    assert_int_equal(c3d_facts_blocks(&w.finder), C3D_OK);
    blocks_are(&w, (const int64_t[]){ 10, 10, 12, 12, 14, 14 });
    w.rows[3].lon += 0.1;
    assert_int_equal(c3d_facts_blocks(&w.finder), C3D_OK);
    blocks_are(&w, (const int64_t[]){ 10, 10, 12, 13, 14, 14 });
    for (int i = 0; i < N; i++) w.rows[i].group = 0, w.rows[i].lon = (double)NAN;
    assert_int_equal(c3d_facts_blocks(&w.finder), C3D_OK);
    blocks_are(&w, (const int64_t[]){ 10, 11, 12, 13, 14, 14 });
    assert_true(w.found.block_km == 0);
}

static void regions_by_centre(void **state)
{
    static const char json[] =
        "{\"type\":\"FeatureCollection\",\"crs\":{\"type\":\"name\",\"properties\":{\"name\":"
        "\"urn:ogc:def:crs:EPSG::32721\"}},\"features\":["
        "{\"type\":\"Feature\",\"properties\":{\"name\":\"west\"},\"geometry\":{\"type\":"
        "\"Polygon\",\"coordinates\":[[[500000,9999900],[500050,9999900],[500050,10000000],"
        "[500000,10000000],[500000,9999900]]]}},"
        "{\"type\":\"Feature\",\"properties\":{\"name\":\"east\"},\"geometry\":{\"type\":"
        "\"Polygon\",\"coordinates\":[[[500050,9999900],[500100,9999900],[500100,10000000],"
        "[500050,10000000],[500050,9999900]]]}}]}";
    const c3d_regions_desc regions = { "regions.geojson", "name" };
    world w;

    (void)state;
    make(&w);
    for (int i = 0; i < N; i++) w.rows[i].x = 22 * i; /* centres 5, 27, 49, 71, 93, 115 */
    assert_int_equal(c3d_file_write(regions.path, json, strlen(json)), C3D_OK);
    assert_int_equal(c3d_facts_regions(&w.finder, &regions), C3D_OK);
    assert_int_equal(w.found.n_regions, 2);
    assert_string_equal(w.found.regions[0], "east");
    assert_string_equal(w.found.regions[1], "west");
    for (int i = 0; i < N; i++) assert_int_equal(w.facts[i].region, i < 3 ? 1 : i < 5 ? 0 : -1);
    free(w.found.regions);
    assert_int_equal(remove(regions.path), 0);
}

static c3d_status read_regions(const char *name, c3d_areas *out)
{
    c3d_text json = { 0 };

    c3d_text_add(&json, "{\"type\":\"FeatureCollection\",\"features\":[");
    for (int i = 0; i < 2; i++)
        c3d_text_add(&json,
                     "%s{\"type\":\"Feature\",\"properties\":{\"name\":\"%s%d\"},\"geometry\":"
                     "{\"type\":\"Polygon\",\"coordinates\":[[[%d,0],[%d,0],[%d,1],[%d,0]]]}}",
                     i > 0 ? "," : "", name, i, i, i + 1, i + 1, i);
    c3d_text_add(&json, "]}");
    assert_int_equal(c3d_file_write("long.geojson", json.text, json.length), C3D_OK);
    c3d_text_free(&json);
    const c3d_status st = c3d_areas_read("long.geojson", "name", "EPSG:4326", out);
    assert_int_equal(remove("long.geojson"), 0);
    return st;
}

/* Alike for 253 bytes, which end within a character where 31 do. */
static void names_are_whole(void **state)
{
    char name[300] = "";
    c3d_areas areas;

    (void)state;
    while (strlen(name) < 252) strcat(name, "\u00e9\u00e9");
    name[252] = '\0';
    strcat(name, "xx");
    assert_int_equal(read_regions(name, &areas), C3D_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(strlen(areas.rows[i].word), 255);
        assert_memory_equal(areas.rows[i].word, name, 254);
        assert_int_equal(areas.rows[i].word[254], '0' + (int)i);
    }
    c3d_areas_free(&areas);
    strcat(name, "x");
    assert_int_equal(read_regions(name, &areas), C3D_EDATA);
    const char *message = c3d_error_last()->message;
    assert_non_null(strstr(message, "long.geojson"));
    assert_non_null(strstr(message, "feature 0"));
    assert_non_null(strstr(message, "256 bytes"));
    assert_non_null(strstr(message, "\u00e9\u00e9"));
}

/* Other ranks wait for rank 0, which must be seen to get on. */
static void long_lists_tick(void **state)
{
    const size_t n = 5000;
    world w;

    (void)state;
    make(&w);
    uint32_t *index = c3d_calloc(n, sizeof *index);
    size_t *frame = c3d_calloc(n, sizeof *frame);
    assert_non_null(index);
    assert_non_null(frame);
    c3d_sample_facts *facts = c3d_calloc(n, sizeof *facts);
    assert_non_null(facts);
    w.list = (c3d_list){ .n = n, .index = index };
    w.finder.frame = frame;
    w.found.rows = facts;
    w.found.n = n;
    const uint64_t before = c3d_phase_get().n_ticks;
    assert_int_equal(c3d_facts_hectares(&w.finder), C3D_OK);
    assert_true(c3d_phase_get().n_ticks >= before + 4);
    free(index);
    free(frame);
    free(facts);
}

/* At the central meridian of a UTM zone a metre is 1 / 0.9996 on the ground. */
static void hectares_on_the_ground(void **state)
{
    world w;

    (void)state;
    make(&w);
    w.labels[0] = w.labels[1] = 1;
    w.samples[0].label = w.samples[1].label = 1;
    w.shares[0] = 0.25;
    w.shares[1] = (double)NAN;
    w.shares[2] = 0.5; /* of a negative */
    assert_int_equal(c3d_facts_hectares(&w.finder), C3D_OK);
    assert_true(fabs(w.facts[0].class_ha / (0.25 * 0.01 / (0.9996 * 0.9996)) - 1) < 1e-5);
    assert_true(isnan(w.facts[1].class_ha) && isnan(w.facts[2].class_ha));
}

/* Of frames of the list's splits and years, whether they are in the list or not. */
static void population_of_labels(void **state)
{
    world w;

    (void)state;
    make(&w);
    for (int i = 0; i < N; i++) w.rows[i].split = i < 5 ? C3D_SPLIT_TEST : C3D_SPLIT_TRAIN;
    w.labels[0] = 1;
    w.labels[3] = C3D_FRAME_UNCERTAIN;
    w.list.n = 2; /* frames 10 and 11 */
    assert_int_equal(c3d_facts_population(&w.finder), C3D_OK);
    assert_int_equal(w.population[1], 1);
    assert_int_equal(w.population[0], 3);
}

/* Alike for their first 30 bytes, the last of which is half a character. */
static void classes_by_their_whole_names(void **state)
{
    static char other[] = "other", first[] = "minas a c\u00e9u aberto com barra\u00e7\u00e3o 1",
                second[] = "minas a c\u00e9u aberto com barra\u00e7\u00e3o 2";
    static const float scores[] = { 0.8f, 0.1f, 0.1f, 0.1f, 0.8f, 0.1f, 0.1f, 0.1f, 0.8f };
    static const int labels[] = { 0, 1, 2 };
    char *classes[] = { other, first, second };
    char names[3][64] = { "other", "first", "second" };
    double weights[] = { 5, 3, 2 };
    int of[] = { 0, 1, 2 };
    const c3d_evaluation_strata strata = { .n = 3, .names = names, .weights = weights, .of = of };
    struct c3d_dataset dataset = { .info = { .n_classes = 3, .classes = classes } };
    const c3d_evaluation_files files = { .dataset = &dataset, .strata = &strata };
    c3d_evaluation ev = { .n = 3, .n_outputs = 3 };
    c3d_json *json = c3d_json_object();

    (void)state;
    ev.scores = c3d_calloc(C3D_COUNT(scores), sizeof *ev.scores);
    ev.labels = c3d_calloc(C3D_COUNT(labels), sizeof *ev.labels);
    assert_true(ev.scores && ev.labels);
    memcpy(ev.scores, scores, sizeof scores);
    memcpy(ev.labels, labels, sizeof labels);
    assert_int_equal(c3d_weighted_to_json(&files, &ev, json), C3D_OK);
    const c3d_json *weighted = c3d_json_get(json, "area_weighted");
    for (int k = 0; k < 3; k++) {
        char key[80];
        double value;
        (void)snprintf(key, sizeof key, "area_share %s", classes[k]);
        assert_true(c3d_json_get_real(c3d_json_get(weighted, key), "value", &value));
        assert_true(fabs(value - weights[k] / 10) < 1e-12);
    }
    c3d_json_free(json);
    c3d_evaluation_free(&ev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(squares_of_a_grid),    cmocka_unit_test(blocks_of_a_list),
        cmocka_unit_test(regions_by_centre),    cmocka_unit_test(hectares_on_the_ground),
        cmocka_unit_test(population_of_labels), cmocka_unit_test(names_are_whole),
        cmocka_unit_test(long_lists_tick),      cmocka_unit_test(classes_by_their_whole_names),
    };

    c3d_raster_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
