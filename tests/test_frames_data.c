/* Frames over real rasters: the MODIS series of Sinop with its class map, and MapBiomas labels in
 * degrees under a metric grid. Skipped where ../shared/data is absent. */

#include "support/rasters.h"

#include "c3d/dataset.h"

static char data_dir[C3D_PATH_MAX];

static char *in_data(char out[C3D_PATH_MAX], const char *name)
{
    assert_int_equal(c3d_path_join(out, data_dir, name), C3D_OK);
    return out;
}

static c3d_frames make(const c3d_dataset_desc *desc)
{
    c3d_archive archive;
    c3d_frames frames = { 0 };

    assert_int_equal(c3d_archive_find(desc->mosaics, 0, 0, &archive), C3D_OK);
    if (c3d_frames_make(desc, &archive, &frames) != C3D_OK)
        fail_msg("%s", c3d_error_last()->message);
    c3d_archive_free(&archive);
    return frames;
}

/* The settings of configs/dataset-sinop.yaml. */
static c3d_dataset_desc sinop_settings(char *mosaics, char *labels)
{
    static const c3d_label_class classes[] = {
        { .name = "forest", .n_ranges = 1, .ranges = { { 2, 2 } } },
        { .name = "other", .n_ranges = 2, .ranges = { { 1, 1 }, { 3, 4 } } },
    };

    return (c3d_dataset_desc){
        .out_dir = "sinop",
        .mosaics = in_data(mosaics, "sits_sinop_modis/geotiff/MODIS_Sinop_{YYYY}-{MM}-{DD}.tif"),
        .labels = in_data(labels, "sits_sinop_modis/label/c5e295_class_2013-09-14_2014-08-29.tif"),
        .label_first = 20130914,
        .label_last = 20140829,
        .n_classes = 2,
        .classes = classes,
        .positive = "forest",
        .frame_size_px = 16,
        .stride_px = 4,
        .positive_share = 0.7,
        .negative_share = 0.3,
        .split = C3D_SPLIT_BLOCKS,
        .block_km = 11.12,
        .split_shares = { 0.55, 0.15, 0.3 },
        .seed = 1,
    };
}

/* Shares counted pixel by pixel, which on the same grid is exact. */
static void check_by_counting(const c3d_frames *frames, const char *label_path)
{
    const int band = 1;
    c3d_raster *labels;
    uint8_t codes[16 * 16];

    assert_int_equal(c3d_raster_open(label_path, &labels), C3D_OK);
    for (size_t i = 0; i < frames->n; i++) {
        const c3d_window window = { frames->rows[i].x, frames->rows[i].y, 16, 16 };
        int n_forest = 0, n_other = 0;

        assert_int_equal(c3d_raster_read(labels, window, &band, 1, C3D_U8, codes), C3D_OK);
        for (int p = 0; p < 256; p++) {
            n_forest += codes[p] == 2;
            n_other += codes[p] == 1 || codes[p] == 3 || codes[p] == 4;
        }
        assert_near(frames->shares[2 * i], n_forest / 256.0, 1e-12);
        assert_near(frames->shares[2 * i + 1], n_other / 256.0, 1e-12);
    }
    c3d_raster_close(labels);
}

static void sinop_has_enough_test_frames(void **state)
{
    char mosaics[C3D_PATH_MAX], labels[C3D_PATH_MAX];
    const c3d_dataset_desc desc = sinop_settings(mosaics, labels);
    size_t n_all[C3D_N_SPLITS][4] = { { 0 } }, *n[C3D_N_SPLITS];
    c3d_frames frames;

    (void)state;
    for (int s = 0; s < C3D_N_SPLITS; s++) n[s] = n_all[s] - C3D_FRAME_UNLABELLED;
    frames = make(&desc);
    assert_int_equal(frames.n_years, 1);
    assert_int_equal(frames.years[0], 2014);
    assert_int_equal(frames.width_px, 254);
    check_by_counting(&frames, labels);
    for (size_t i = 0; i < frames.n; i++) {
        assert_int_equal(frames.rows[i].x / 48, (frames.rows[i].x + 15) / 48);
        n[frames.rows[i].split][frames.labels[i]]++;
    }
    for (int s = 0; s < C3D_N_SPLITS; s++)
        print_message("%s: %zu positive, %zu negative, %zu uncertain, %zu unlabelled\n",
                      c3d_split_name((c3d_split)s), n[s][C3D_FRAME_POSITIVE],
                      n[s][C3D_FRAME_NEGATIVE], n[s][C3D_FRAME_UNCERTAIN],
                      n[s][C3D_FRAME_UNLABELLED]);
    assert_true(n[C3D_SPLIT_TEST][C3D_FRAME_POSITIVE] + n[C3D_SPLIT_TEST][C3D_FRAME_NEGATIVE] >=
                200);
    assert_true(n[C3D_SPLIT_TEST][C3D_FRAME_POSITIVE] >= 20);
    assert_true(n[C3D_SPLIT_TEST][C3D_FRAME_NEGATIVE] >= 20);
    c3d_frames_free(&frames);
}

static double ones(int band, int x, int y)
{
    (void)band, (void)x, (void)y;
    return 1;
}

/* Share of class 30 by a grid of points, each looked up in the raster on its own. */
static double share_by_points(c3d_raster *labels, c3d_transformer *to_degrees,
                              const c3d_frames *frames, size_t i)
{
    enum { POINTS = 120 };
    const c3d_raster_info *info = c3d_raster_get_info(labels);
    const c3d_window all = { 800, 1600, 500, 500 }; /* holds every frame below */
    static float *codes;
    const int band = 1;
    double inverse[6];
    int n = 0;

    if (codes == NULL) {
        codes = calloc(500 * 500, sizeof *codes);
        assert_non_null(codes);
        assert_int_equal(c3d_raster_read(labels, all, &band, 1, C3D_F32, codes), C3D_OK);
    }
    assert_true(c3d_transform_invert(info->transform, inverse));
    for (int py = 0; py < POINTS; py++) {
        double x[POINTS], y[POINTS];

        for (int px = 0; px < POINTS; px++) {
            const double u = frames->rows[i].x + (px + 0.5) * frames->size_px / POINTS;
            const double v = frames->rows[i].y + (py + 0.5) * frames->size_px / POINTS;
            x[px] = frames->transform[0] + u * frames->transform[1];
            y[px] = frames->transform[3] + v * frames->transform[5];
        }
        assert_int_equal(c3d_transformer_apply(to_degrees, POINTS, x, y), C3D_OK);
        for (int px = 0; px < POINTS; px++) {
            const int column = (int)floor(inverse[0] + x[px] * inverse[1]) - all.x;
            const int row = (int)floor(inverse[3] + y[px] * inverse[5]) - all.y;
            assert_true(column >= 0 && column < 500 && row >= 0 && row < 500);
            n += codes[row * 500 + column] == 30;
        }
    }
    return n / (double)(POINTS * POINTS);
}

/* UTM 20 S, 5 m pixels, over the mines of the MapBiomas rasters (degrees, float, huge nodata). */
static void mapbiomas_in_degrees_under_a_metric_grid(void **state)
{
    static const c3d_label_class classes[] = {
        { .name = "mining", .n_ranges = 1, .ranges = { { 30, 30 } } },
        { .name = "forest", .n_ranges = 1, .ranges = { { 3, 6 } } },
        { .name = "rest", .n_ranges = 3, .ranges = { { 0, 2 }, { 7, 29 }, { 31, 62 } } },
    };
    char labels[C3D_PATH_MAX], file[C3D_PATH_MAX];
    c3d_dataset_desc desc = { .out_dir = "maroaga",
                              .mosaics = "utm_{YYYY}-{MM}.tif",
                              .n_classes = 3,
                              .classes = classes,
                              .positive = "mining",
                              .frame_size_px = 100,
                              .stride_px = 100,
                              .positive_share = 0.3,
                              .negative_share = 0.05,
                              .split = C3D_SPLIT_RANDOM,
                              .split_shares = { 1, 0, 0 } };
    double x = -60.165, y = -1.665;
    size_t n_mining = 0, n_whole = 0;
    c3d_transformer *to_utm, *to_degrees;
    c3d_raster *raster;
    c3d_frames frames;

    (void)state;
    desc.labels = in_data(labels, "mapbiomas_maroaga/MapBiomas_8_{YYYY}.tif");
    assert_int_equal(c3d_transformer_create("EPSG:4326", "EPSG:32720", &to_utm), C3D_OK);
    assert_int_equal(c3d_transformer_create("EPSG:32720", "EPSG:4326", &to_degrees), C3D_OK);
    assert_int_equal(c3d_transformer_apply(to_utm, 1, &x, &y), C3D_OK);
    write_test_raster("utm_2021-06.tif", &(test_raster){ .width = 1300,
                                                         .height = 2500,
                                                         .n_bands = 1,
                                                         .dtype = C3D_U8,
                                                         .crs = "EPSG:32720",
                                                         .transform = { x, 5, 0, y, 0, -5 },
                                                         .rule = ones });
    frames = make(&desc);
    assert_int_equal(frames.n, 13 * 25);
    assert_int_equal(frames.n_years, 2); /* 2020 and 2021 */
    assert_int_equal(
        c3d_raster_open(in_data(file, "mapbiomas_maroaga/MapBiomas_8_2021.tif"), &raster), C3D_OK);
    for (size_t i = 0; i < frames.n; i++) {
        const double *shares = &frames.shares[(i * 2 + 1) * 3];
        const double sum = shares[0] + shares[1] + shares[2];

        if (isnan(sum)) continue;
        assert_true(sum <= 1 + 1e-9);
        n_whole += sum > 1 - 1e-9;
        if (!(shares[0] > 0.02)) continue;
        n_mining++;
        /* the points miss by at most about the perimeter of what they count */
        assert_near(share_by_points(raster, to_degrees, &frames, i), shares[0], 0.01);
    }
    print_message("%zu frames, %zu wholly observed, %zu with mines\n", frames.n, n_whole, n_mining);
    assert_true(n_whole > 100 && n_mining > 5);
    c3d_raster_close(raster);
    c3d_transformer_destroy(to_utm);
    c3d_transformer_destroy(to_degrees);
    c3d_frames_free(&frames);
}

int main(void)
{
    static char folder[] = "frames-data-XXXXXX";
    const char *shared = getenv("C3D_SHARED_DATA");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sinop_has_enough_test_frames),
        cmocka_unit_test(mapbiomas_in_degrees_under_a_metric_grid),
    };

    if (shared == NULL || realpath(shared, data_dir) == NULL) {
        printf("skipped: no ../shared/data here\n");
        return 77;
    }
    c3d_raster_start();
    enter_own_folder(folder);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
