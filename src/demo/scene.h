/* The scene model of the artificial archive, private to this module.
 *
 * Lengths are archive pixels, x to the right and y down from the upper left corner; months count
 * from September 2020 = 0. Objects (rivers, roads, mines) are made once for the whole extent; what
 * a pixel needs of them is computed for one window at a time, as a pure function of seed and pixel,
 * so that windows fit together without seams. */
#ifndef C3D_DEMO_SCENE_H
#define C3D_DEMO_SCENE_H

#include "c3d/base.h"

#include <math.h>

#define DEMO_BANDS 4 /* blue, green, red, near infrared */
#define DEMO_PI    3.14159265358979323846
#define DEMO_FAR   1e6f  /* a distance beyond every limit */
#define DEMO_BANK  1.15f /* beds above it are land */

/* ---- small arithmetic ------------------------------------------------------------------------ */

static inline float demo_clamp(float x, float low, float high)
{
    return x < low ? low : (x > high ? high : x);
}
static inline float demo_mix(float a, float b, float share)
{
    return a + (b - a) * share;
}
/* 0 below `from`, 1 above `to`, smooth between; from < to. */
static inline float demo_step(float from, float to, float x)
{
    const float t = demo_clamp((x - from) / (to - from), 0.0f, 1.0f);
    return t * t * (3.0f - 2.0f * t);
}

/* ---- random numbers and noise ---------------------------------------------------------------- */

/* One number for each kind of thing that is drawn at random. */
typedef enum demo_stream {
    DEMO_RIVER = 1,
    DEMO_TRIBUTARY,
    DEMO_ROAD,
    DEMO_PARCEL,
    DEMO_LOT,
    DEMO_TOWN,
    DEMO_SITE,
    DEMO_PIT,
    DEMO_SEASON,
    DEMO_STRIP,
    DEMO_GAP,
    DEMO_QUAD,
    DEMO_SENSOR,
    DEMO_PATTERN,
    DEMO_NOISE_RELIEF,
    DEMO_NOISE_CROWN,
    DEMO_NOISE_GRAIN,
    DEMO_NOISE_PATCH,
    DEMO_NOISE_WARP_X,
    DEMO_NOISE_WARP_Y,
    DEMO_NOISE_CLOUD,
    DEMO_NOISE_HAZE,
    DEMO_NOISE_SEAM,
    DEMO_NOISE_PATTERN,
} demo_stream;

/* Stream of a kind of thing in one month (or of one object). */
uint64_t demo_stream_of(demo_stream kind, int month);
/* Uniform in [low, high). */
double demo_draw(uint64_t seed, demo_stream kind, uint64_t index, double low, double high);
/* Two integers, negative ones too, as one index. */
static inline uint64_t demo_index(int64_t a, int64_t b)
{
    return (uint64_t)(uint32_t)(int32_t)a << 32 | (uint32_t)(int32_t)b;
}

typedef struct demo_window {
    int x, y, width, height;
} demo_window;
static inline size_t demo_window_pixels(demo_window w)
{
    return (size_t)w.width * (size_t)w.height;
}

/* Value noise on a lattice of scale_px, halved with each octave: mean 0, deviation about 1. */
typedef struct demo_noise {
    uint64_t seed;
    demo_stream kind;
    int month; /* 0 where time has no say */
    float scale_px;
    int n_octaves;
    float gain; /* amplitude of an octave over that of the one before */
} demo_noise;
/* Of every pixel centre of the window, [y, x]. */
C3D_CHECKED c3d_status demo_noise_fill(const demo_noise *noise, demo_window window, float *out);

/* ---- the objects of the landscape ------------------------------------------------------------ */

typedef struct demo_point {
    float x, y;
    float half_width; /* of river, stream or road there */
    float bend;       /* -1..1: how sharply it turns there, + towards the right bank */
} demo_point;

/* A line of points about 5 px apart. */
typedef struct demo_line {
    int n, capacity;
    demo_point *points;
    float opened; /* streams: month in which the first mine on it clouds the water */
} demo_line;
C3D_CHECKED c3d_status demo_line_add(demo_line *line, demo_point point);

typedef struct demo_pit {
    float x, y, radius, stretch, cosine, sine;
    float pond;           /* radius of its pond over the pit's; below 0.15 none */
    float pond_x, pond_y; /* where it lies in the pit, in radii */
    float start;          /* month it is dug */
    float active, bare;   /* months with turbid water, months without plants */
    float hue;            /* 0..1, colour of its water */
} demo_pit;

/* A group of pits along a stream. A plot is the mine's double: the same shapes and colours, but
 * bare and wet for some months a year and green for the others. */
typedef struct demo_site {
    bool is_mine;
    int n_pits;
    demo_pit *pits;    /* in the order in which they are dug */
    float box[4];      /* x and y from, x and y to */
    int phase, n_bare; /* plots: first bare month of the year (0 = January), bare months */
    int label_delay;   /* mines: years until the map sees it */
    float start;       /* month of the first pit */
} demo_site;

typedef struct demo_town {
    float x, y, radius;
} demo_town;

typedef struct demo_scene {
    uint64_t seed;
    int extent_px, n_months;
    int n_rivers, n_streams, n_roads, n_sites, n_towns;
    demo_line *rivers, *streams, *roads;
    demo_site *sites;
    demo_town *towns;
    float parcel_angle;
} demo_scene;

C3D_CHECKED c3d_status demo_scene_open(demo_scene *scene, uint64_t seed, int extent_px,
                                       int n_months);
void demo_scene_close(demo_scene *scene);

C3D_CHECKED c3d_status demo_rivers_make(demo_scene *scene); /* rivers and streams */
C3D_CHECKED c3d_status demo_roads_make(demo_scene *scene);  /* roads and towns */
C3D_CHECKED c3d_status demo_sites_make(demo_scene *scene);  /* mines and plots on streams */

/* ---- what a pixel knows ---------------------------------------------------------------------- */

typedef enum demo_use {
    DEMO_FOREST,
    DEMO_PASTURE,
    DEMO_FIELD,
    DEMO_CLEARING, /* forest, then bare, then pasture */
    DEMO_FISH_POND,
    DEMO_TOWN_LOT,
    DEMO_STREET,
    DEMO_ROAD_BED,
} demo_use;

/* Of one window, [y, x] each. */
typedef struct demo_layers {
    demo_window window;
    float *relief, *crown, *grain, *patch; /* noises of four scales, coarse to fine but patch */
    float *bed;                            /* river bed: 0 deepest, 1 bank; above 1 no river */
    float *sand;                           /* 0..1: how sandy the bed is when it falls dry */
    float *stream_px;                      /* distance to the nearest stream */
    float *road_px;                        /* distance to the nearest road's edge, negative on it */
    int32_t *stream;                       /* its number, -1 none near */
    uint32_t *word;                        /* random bits of the pixel's parcel or lot */
    uint8_t *use;                          /* demo_use */
} demo_layers;
C3D_CHECKED c3d_status demo_layers_open(demo_layers *layers, const demo_scene *scene,
                                        demo_window window);
void demo_layers_close(demo_layers *layers);
C3D_CHECKED c3d_status demo_terrain_fill(demo_layers *layers, const demo_scene *scene);
void demo_rivers_fill(demo_layers *layers, const demo_scene *scene);
C3D_CHECKED c3d_status demo_land_use_fill(demo_layers *layers, const demo_scene *scene);

/* ---- time ------------------------------------------------------------------------------------ */

static inline int demo_year(int month)
{
    return 2020 + (8 + month) / 12;
}
static inline int demo_month_of_year(int month)
{
    return (8 + month) % 12;
} /* 0 = January */
float demo_wetness(int month); /* 0 in September, 1 in March */
/* The river's level: beds below it are under water; about 0.5 to 1. */
float demo_river_level(uint64_t seed, int month);
/* Growth of a crop, 0 bare soil to 1 full cover, in a year that begins with n_bare bare months at
 * `phase`; straw_out: how dry it is. */
float demo_crop_growth(int month, int phase, int n_bare, float *straw_out);
/* What a parcel's random bits say. */
int demo_parcel_phase(uint32_t word);
int demo_parcel_n_bare(uint32_t word);
int demo_clearing_month(uint32_t word, int n_months);

/* ---- pixels ---------------------------------------------------------------------------------- */

/* Reflectance x 10000 of the ground of a month, [band, y, x]. */
void demo_render(const demo_scene *scene, const demo_layers *layers, int month, float *ground);
/* Draws the site's pits as they are in that month over the ground. */
void demo_site_render(const demo_site *site, const demo_layers *layers, int month, float *ground);
/* What lies between ground and file: strips with their own gain, haze, clouds and shadows, gain
 * drift, sensor noise, rounding. 0 where the month has no data. */
C3D_CHECKED c3d_status demo_observe(uint64_t seed, int month, demo_window window,
                                    const float *ground, uint16_t *values);
/* Gain drift, sensor noise and rounding only. */
void demo_sense(uint64_t seed, int month, demo_window window, const float *ground,
                uint16_t *values);

/* The covers' reflectances, used wherever they are drawn. tone: noise of deviation 1. */
typedef struct demo_spectrum {
    float band[DEMO_BANDS];
} demo_spectrum;
demo_spectrum demo_forest(float crown, float relief, float wetness);
demo_spectrum demo_grass(float tone, float wetness);
demo_spectrum demo_crop(float tone, float straw);
demo_spectrum demo_soil(float tone, float wetness);
demo_spectrum demo_sand(float tone);
demo_spectrum demo_turbid_water(float hue);
demo_spectrum demo_clear_water(float hue);
demo_spectrum demo_spectrum_mix(demo_spectrum a, demo_spectrum b, float share);
static inline void demo_put(float *ground, size_t n_pixels, size_t i, demo_spectrum s)
{
    for (int b = 0; b < DEMO_BANDS; b++) ground[(size_t)b * n_pixels + i] = s.band[b];
}
static inline demo_spectrum demo_get(const float *ground, size_t n_pixels, size_t i)
{
    demo_spectrum s;
    for (int b = 0; b < DEMO_BANDS; b++) s.band[b] = ground[(size_t)b * n_pixels + i];
    return s;
}

/* ---- labels ---------------------------------------------------------------------------------- */

#define DEMO_FIRST_LABEL_YEAR 2020
#define DEMO_LABEL_YEARS      4
/* Class codes of MapBiomas that occur here. */
enum {
    DEMO_CODE_FOREST = 3,
    DEMO_CODE_PASTURE = 15,
    DEMO_CODE_SAND = 23,
    DEMO_CODE_URBAN = 24,
    DEMO_CODE_MINING = 30,
    DEMO_CODE_AQUACULTURE = 31,
    DEMO_CODE_WATER = 33,
    DEMO_CODE_SOY = 39,
    DEMO_CODE_OTHER_CROPS = 41,
};
/* Marks the site's pixels as the map of that year has them. */
void demo_site_classify(const demo_site *site, const demo_layers *layers, int year, uint8_t *codes);
/* The class of every pixel of the window in a year, [y, x]. */
void demo_classify(const demo_scene *scene, const demo_layers *layers, int year, uint8_t *codes);

/* The yearly rasters of an archive: votes of the pixels of each label pixel. Filled tile by tile
 * over the extent and DEMO_LABEL_MARGIN_PX around it, then written. */
#define DEMO_LABEL_MARGIN_PX 16
typedef struct demo_grid {
    int64_t x,
        y; /* of the extent's upper left pixel on Planet's grid, from its upper left corner */
} demo_grid;
double demo_longitude(double pixel_x); /* degrees, of a column edge of Planet's grid */
double demo_latitude(double pixel_y);
typedef struct demo_map {
    demo_grid grid;
    int64_t column, row; /* of the first label pixel, from 180 W and 90 N */
    int width, height;
    uint8_t *votes; /* [year, row, column, code] */
} demo_map;
C3D_CHECKED c3d_status demo_map_open(demo_map *map, demo_grid grid, int extent_px);
void demo_map_close(demo_map *map);
void demo_map_add(demo_map *map, demo_window window, int year, const uint8_t *codes);
/* The year's codes, [row, column]: the most votes, small mines taken away. */
C3D_CHECKED c3d_status demo_map_resolve(const demo_map *map, int year, uint8_t *codes);
C3D_CHECKED c3d_status demo_map_write(const demo_map *map, const char *directory);

/* ---- test sets ------------------------------------------------------------------------------- */

bool demo_pattern_is_positive(uint64_t seed, int x, int y);
#define DEMO_TURN_MONTHS 16 /* of a test set; once round */
/* time_only: the steps round that the square of a pixel has gone in a month, below
 * DEMO_TURN_MONTHS. */
int demo_pattern_phase(uint64_t seed, int x, int y, int month);
/* time_only: the class shows in time only; else in every month. ground: [band, y, x]. */
C3D_CHECKED c3d_status demo_pattern_render(uint64_t seed, bool time_only, int month,
                                           demo_window window, float *ground);

#endif
