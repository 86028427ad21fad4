/* Real MapBiomas labels (1,100 pixels of class 30 by year) under frames of our own: shares against
 * the areas of all pixels' polygons within each frame, computed here without any clipping. */

#include "support/edge_area.h"
#include "support/rasters.h"

#include "c3d/dataset.h"

enum { N_YEARS = 4, WIDTH = 210, HEIGHT = 640 }; /* of the part with mines, in label pixels */

static c3d_label_class legend[2] = { { .name = "mining", .n_ranges = 1, .ranges = { { 30, 30 } } },
                                     { .name = "forest", .n_ranges = 1, .ranges = { { 3, 3 } } } };
static char folder_of_data[C3D_PATH_MAX], labels[C3D_PATH_MAX];
static const int first_column = 905, first_row = 1765;
static double place[6]; /* the label rasters' transform */
static long double corner_x[HEIGHT + 1][WIDTH + 1], corner_y[HEIGHT + 1][WIDTH + 1];
static long double row_low[HEIGHT + 1], row_high[HEIGHT + 1]; /* of the corners' y */
static float codes[N_YEARS][HEIGHT][WIDTH];

static double anything(int band, int x, int y)
{
    (void)band, (void)x, (void)y;
    return 1;
}

/* Area of label pixel (row, column) within the square from (x, y), of side `size`, over size^2. */
static long double area_within(int row, int column, long double x, long double y, long double size)
{
    static const int order[5][2] = { { 0, 0 }, { 0, 1 }, { 1, 1 }, { 1, 0 }, { 0, 0 } };
    long double px[5], py[5], sum = 0;
    bool is_apart[4] = { true, true, true, true };

    for (int c = 0; c < 5; c++) {
        px[c] = (corner_x[row + order[c][0]][column + order[c][1]] - x) / size;
        py[c] = (corner_y[row + order[c][0]][column + order[c][1]] - y) / size;
        is_apart[0] = is_apart[0] && px[c] <= 0;
        is_apart[1] = is_apart[1] && px[c] >= 1;
        is_apart[2] = is_apart[2] && py[c] <= 0;
        is_apart[3] = is_apart[3] && py[c] >= 1;
    }
    if (is_apart[0] || is_apart[1] || is_apart[2] || is_apart[3]) return 0;
    for (int c = 0; c < 4; c++) sum += below_edge(px[c], py[c], px[c + 1], py[c + 1]);
    return fabsl(sum);
}

static void read_labels(void)
{
    for (int k = 0; k < N_YEARS; k++) {
        const c3d_window window = { first_column, first_row, WIDTH, HEIGHT };
        const int band = 1;
        char path[C3D_PATH_MAX];
        c3d_raster *raster;

        (void)snprintf(path, sizeof path, "%.3000s/MapBiomas_8_%d.tif", folder_of_data, 2019 + k);
        assert_int_equal(c3d_raster_open(path, &raster), C3D_OK);
        memcpy(place, c3d_raster_get_info(raster)->transform, sizeof place);
        assert_int_equal(c3d_raster_read(raster, window, &band, 1, C3D_F32, codes[k]), C3D_OK);
        c3d_raster_close(raster);
    }
}

/* In web Mercator by its formula, in other systems by PROJ. */
static void place_corners(const char *crs)
{
    const long double pi = 3.14159265358979323846264L, radius = 6378137;
    c3d_transformer *transformer;

    assert_int_equal(c3d_transformer_create("EPSG:4326", crs, &transformer), C3D_OK);
    for (int r = 0; r <= HEIGHT; r++) {
        row_low[r] = HUGE_VALL;
        row_high[r] = -HUGE_VALL;
        for (int c = 0; c <= WIDTH; c++) {
            double x = place[0] + (first_column + c) * place[1];
            double y = place[3] + (first_row + r) * place[5];

            if (strcmp(crs, "EPSG:3857") == 0) {
                corner_x[r][c] = radius * (long double)x * pi / 180;
                corner_y[r][c] = radius * logl(tanl(pi / 4 + (long double)y * pi / 360));
            } else {
                assert_int_equal(c3d_transformer_apply(transformer, 1, &x, &y), C3D_OK);
                corner_x[r][c] = (long double)x;
                corner_y[r][c] = (long double)y;
            }
            row_low[r] = fminl(row_low[r], corner_y[r][c]);
            row_high[r] = fmaxl(row_high[r], corner_y[r][c]);
        }
    }
    c3d_transformer_destroy(transformer);
}

/* Shares of class 30, class 3 and of what is observed, in frame f and each year. */
static void brute_force(const c3d_frames *frames, size_t f, double out[N_YEARS][3])
{
    const double *t = frames->transform;
    const long double size = (long double)frames->size_px * (long double)t[1];
    const long double x = (long double)t[0] + frames->rows[f].x * (long double)t[1];
    const long double y =
        (long double)t[3] + (frames->rows[f].y + frames->size_px) * (long double)t[5];
    long double sums[N_YEARS][3] = { { 0 } };

    for (int r = 0; r < HEIGHT; r++) {
        if (row_high[r] <= y || row_low[r + 1] >= y + size) continue; /* rows run south */
        for (int c = 0; c < WIDTH; c++) {
            const long double area = area_within(r, c, x, y, size);

            for (int k = 0; k < N_YEARS && area > 0; k++) {
                const float code = codes[k][r][c];

                sums[k][0] += code == 30 ? area : 0;
                sums[k][1] += code == 3 ? area : 0;
                sums[k][2] += code > 0 ? area : 0; /* 0 and nodata are not observed */
            }
        }
    }
    for (int k = 0; k < N_YEARS; k++)
        for (int i = 0; i < 3; i++) out[k][i] = (double)sums[k][i];
}

static void compare(const c3d_frames *frames)
{
    double worst = 0, most = 0;
    size_t n_unseen = 0, n_mines = 0;

    for (size_t f = 0; f < frames->n; f++) {
        double expected[N_YEARS][3];

        brute_force(frames, f, expected);
        for (int k = 0; k < N_YEARS; k++) {
            const double *shares = &frames->shares[(f * N_YEARS + (size_t)k) * 2];

            if (expected[k][2] == 0) {
                assert_true(isnan(shares[0]) && isnan(shares[1]));
                n_unseen++;
                continue;
            }
            for (int i = 0; i < 2; i++) {
                assert_near(shares[i], expected[k][i], 1e-6);
                worst = fmax(worst, fabs(shares[i] - expected[k][i]));
            }
            n_mines += shares[0] > 0;
            most = fmax(most, shares[0]);
        }
    }
    assert_true(most > 0.5 && n_mines >= 20 && n_unseen < 3 * frames->n);
    print_message("%zu frames, %d years, %zu times with mines: largest difference %.2g\n",
                  frames->n, N_YEARS, n_mines, worst);
}

/* Imagery of our own, over the mines: from pixel (60, 60) of the part, within it. */
static void check_shares(const char *crs, double pixel_m, int size_px)
{
    const c3d_dataset_desc desc = { .out_dir = "out",
                                    .mosaics = "month_{YYYY}-{MM}.tif",
                                    .labels = labels,
                                    .n_classes = 2,
                                    .classes = legend,
                                    .positive = "mining",
                                    .frame_size_px = size_px,
                                    .stride_px = 53,
                                    .positive_share = 0.1,
                                    .negative_share = 0.001,
                                    .split = C3D_SPLIT_RANDOM,
                                    .split_shares = { 1, 0, 0 } };
    double x, y;
    c3d_transformer *transformer;
    c3d_archive archive;
    c3d_frames frames = { 0 };

    read_labels();
    place_corners(crs);
    x = place[0] + (first_column + 10.3) * place[1];
    y = place[3] + (first_row + 10.7) * place[5];
    assert_int_equal(c3d_transformer_create("EPSG:4326", crs, &transformer), C3D_OK);
    assert_int_equal(c3d_transformer_apply(transformer, 1, &x, &y), C3D_OK);
    c3d_transformer_destroy(transformer);
    for (int year = 2020; year <= 2022; year++) {
        char name[32];

        (void)snprintf(name, sizeof name, "month_%d-01.tif", year);
        write_test_raster(name, &(test_raster){ .width = (int)(5400 / pixel_m),
                                                .height = (int)(18000 / pixel_m),
                                                .n_bands = 1,
                                                .dtype = C3D_U8,
                                                .crs = crs,
                                                .transform = { x, pixel_m, 0, y, 0, -pixel_m },
                                                .rule = anything });
    }
    assert_int_equal(c3d_archive_find(desc.mosaics, 0, 0, &archive), C3D_OK);
    if (c3d_frames_make(&desc, &archive, &frames) != C3D_OK)
        fail_msg("%s", c3d_error_last()->message);
    assert_int_equal(frames.n_years, N_YEARS);
    assert_true(frames.n > 80);
    compare(&frames);
    c3d_frames_free(&frames);
    c3d_archive_free(&archive);
}

static void shares_of_frames_in_web_mercator(void **state)
{
    (void)state;
    check_shares("EPSG:3857", 9.554628535647032, 21);
}

static void shares_of_frames_in_utm(void **state)
{
    (void)state;
    check_shares("EPSG:32720", 10, 24);
}

int main(void)
{
    static char folder[] = "label-areas-XXXXXX";
    const char *shared = getenv("C3D_SHARED_DATA");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_of_frames_in_web_mercator),
        cmocka_unit_test(shares_of_frames_in_utm),
    };

    (void)snprintf(folder_of_data, sizeof folder_of_data, "%.3000s/mapbiomas_maroaga",
                   shared ? shared : "");
    (void)snprintf(labels, sizeof labels, "%.3000s/MapBiomas_8_{YYYY}.tif", folder_of_data);
    if (shared == NULL || !c3d_path_exists(folder_of_data)) {
        print_message("no real labels at %s: skipped\n", folder_of_data);
        return 77;
    }
    c3d_raster_start();
    enter_own_folder(folder);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
