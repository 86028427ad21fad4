/* odd_rasters DIR FILE...: opens and reads each raster as the programs do, and writes what came of
 * it: a line "read", "window" (of one too large to be read whole) or "refused" with size, type,
 * nodata, transform or the message, and the pixels of read ones as DIR/NUMBER.bin. One process for
 * all, so that what one file breaks shows in the next. */
#include "c3d/raster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { WHOLE_BYTES_MAX = 256 << 20, CORNER_PX = 64 };

static c3d_window corner(const c3d_raster_info *info)
{
    const int width = info->width_px < CORNER_PX ? info->width_px : CORNER_PX;
    const int height = info->height_px < CORNER_PX ? info->height_px : CORNER_PX;

    return (c3d_window){ 0, 0, width, height };
}

static c3d_status read_pixels(c3d_raster *raster, c3d_window window, void **out, size_t *n_out)
{
    const c3d_raster_info *info = c3d_raster_get_info(raster);
    const size_t n_pixels = (size_t)window.width * (size_t)window.height;
    const size_t n_bytes = n_pixels * (size_t)info->n_bands * c3d_dtype_size(info->dtype);
    void *values = c3d_calloc(1, n_bytes + 1);
    uint8_t *valid = c3d_calloc(1, n_pixels + 1);
    int bands[C3D_MAX_BANDS];
    c3d_status st = values && valid ? C3D_OK : C3D_ENOMEM;

    for (int i = 0; i < info->n_bands; i++) bands[i] = i + 1;
    const c3d_pixels_wanted what = { window, bands, info->n_bands, info->dtype, true };
    if (st == C3D_OK) st = c3d_raster_read_both(raster, &what, values, valid);
    if (st == C3D_OK)
        st = c3d_raster_read(raster, window, bands, info->n_bands, info->dtype, values);
    free(valid);
    *out = values;
    *n_out = n_bytes;
    return st;
}

static void print_info(const char *what, const c3d_raster_info *info)
{
    char nodata[40] = "None";

    if (info->has_nodata[0]) (void)snprintf(nodata, sizeof nodata, "%.17g", info->nodata[0]);
    printf("%s\t%d\t%d\t%d\t%s\t%s\t", what, info->width_px, info->height_px, info->n_bands,
           c3d_dtype_name(info->dtype), nodata);
    for (int i = 0; i < 6; i++) printf("%s%.17g", i ? "," : "", info->transform[i]);
    printf("\n");
}

static void try_file(const char *dir, int number, const char *path)
{
    char name[C3D_PATH_MAX];
    c3d_raster *raster = NULL;
    void *values = NULL;
    size_t n_bytes = 0;
    c3d_status st = c3d_raster_open(path, &raster);

    if (st == C3D_OK) {
        const c3d_raster_info *info = c3d_raster_get_info(raster);
        const double wanted = (double)info->width_px * info->height_px * info->n_bands *
                              (double)c3d_dtype_size(info->dtype);
        const bool is_whole = wanted <= WHOLE_BYTES_MAX;
        const c3d_window whole = { 0, 0, info->width_px, info->height_px };
        st = read_pixels(raster, is_whole ? whole : corner(info), &values, &n_bytes);
        if (st == C3D_OK) print_info(is_whole ? "read" : "window", info);
    }
    (void)snprintf(name, sizeof name, "%s/%d.bin", dir, number);
    if (st == C3D_OK) st = c3d_file_write(name, values, n_bytes);
    if (st != C3D_OK) printf("refused\t%s\n", c3d_error_last()->message);
    free(values);
    c3d_raster_close(raster);
}

int main(int argc, char **argv)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    c3d_raster_start();
    for (int i = 2; i < argc; i++) try_file(argv[1], i - 2, argv[i]);
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        printf("peak\t%ld\n", usage.ru_maxrss / 1024); /* MiB */
    return 0;
}
