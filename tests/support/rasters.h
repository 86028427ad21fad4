/* Small rasters for tests: a grid of 10 m pixels in EPSG:32721 with its origin at (500000,
 * 9000000), files placed on it by pixel offset. */
#ifndef TESTS_RASTERS_H
#define TESTS_RASTERS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cm.h"
#include "support/own_folder.h"

#include "c3d/raster.h"

typedef double (*pixel_rule)(int band, int x, int y); /* x, y in the grid's pixels */

typedef struct test_raster {
    int x, y, width, height, n_bands; /* offset and size on the grid */
    c3d_dtype dtype;
    const char *crs;     /* NULL: EPSG:32721 */
    double transform[6]; /* all 0: by x and y */
    const char *const *band_names;
    bool has_nodata;
    double nodata;
    pixel_rule rule;
} test_raster;

static inline void put_value(void *to, c3d_dtype dtype, size_t i, double value)
{
    if (dtype == C3D_U8) ((uint8_t *)to)[i] = (uint8_t)value;
    if (dtype == C3D_U16) ((uint16_t *)to)[i] = (uint16_t)value;
    if (dtype == C3D_I16) ((int16_t *)to)[i] = (int16_t)value;
    if (dtype == C3D_F32) ((float *)to)[i] = (float)value;
    if (dtype == C3D_F64) ((double *)to)[i] = value;
}

static inline void write_test_raster(const char *path, const test_raster *want)
{
    const size_t n = (size_t)want->width * (size_t)want->height;
    void *pixels = calloc(n * (size_t)want->n_bands, 8);
    c3d_raster_new desc = { .width_px = want->width,
                            .height_px = want->height,
                            .n_bands = want->n_bands,
                            .dtype = want->dtype,
                            .transform = { 500000 + 10.0 * want->x, 10, 0, 9000000 - 10.0 * want->y,
                                           0, -10 },
                            .crs = want->crs ? want->crs : "EPSG:32721",
                            .band_names = want->band_names,
                            .has_nodata = want->has_nodata,
                            .nodata = want->nodata,
                            .block_px = 16 };

    assert_non_null(pixels);
    if (want->transform[1] != 0 || want->transform[2] != 0)
        memcpy(desc.transform, want->transform, sizeof desc.transform);
    for (int b = 0; b < want->n_bands; b++)
        for (int y = 0; y < want->height; y++)
            for (int x = 0; x < want->width; x++)
                put_value(pixels, want->dtype,
                          (size_t)b * n + (size_t)y * (size_t)want->width + (size_t)x,
                          want->rule(b, want->x + x, want->y + y));
    assert_int_equal(c3d_raster_write(path, &desc, pixels), C3D_OK);
    free(pixels);
}

static inline void assert_message(const char *part)
{
    if (!strstr(c3d_error_last()->message, part))
        fail_msg("\"%s\" does not say \"%s\"", c3d_error_last()->message, part);
}

static inline void assert_near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.17g, expected %.17g within %g", value, expected, tolerance);
}

#endif
