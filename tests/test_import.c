/* Scenes from lists: what frames.gpkg keeps of their files, groups and places. */

#include "support/rasters.h"

#include "c3d/dataset.h"
#include "data/frames.h"

static c3d_frames imported(c3d_frame rows[3], c3d_frame_label labels[3], int years[1])
{
    static char wkt[] = "EPSG:4326";
    const c3d_frames frames = {
        .n = 3,
        .rows = rows,
        .n_years = 1,
        .years = years,
        .labels = labels,
        .crs_wkt = wkt,
        .transform = { 0, 9e-5, 0, 0, 0, -9e-5 },
        .width_px = 100,
        .height_px = 100,
        .size_px = 48,
    };

    return frames;
}

static void files_groups_and_places_are_kept(void **state)
{
    const double nan = (double)NAN;
    const c3d_dataset_desc desc = { .out_dir = "." };
    const c3d_archive none = { 0 };
    c3d_frame rows[] = {
        { .frame_id = 0, .x = 4, .y = 48, .source = 2, .lon = -60, .lat = -12 },
        { .frame_id = 1, .x = 4, .y = 48, .source = 7, .lon = nan, .lat = nan },
        { .frame_id = 2, .group = -5000000000, .source = 1, .lon = 1, .lat = nan }
    };
    c3d_frame_label labels[] = { C3D_FRAME_POSITIVE, C3D_FRAME_NEGATIVE, C3D_FRAME_NEGATIVE };
    int years[] = { 0 };
    const c3d_frames frames = imported(rows, labels, years);
    c3d_frames read;
    c3d_vector *layer;
    double box[4];

    (void)state;
    assert_int_equal(c3d_frames_write("frames.gpkg", &frames, &desc, &none), C3D_OK);
    assert_int_equal(c3d_frames_read("frames.gpkg", &read), C3D_OK);
    assert_int_equal(read.n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(read.rows[i].source, rows[i].source);
        assert_true(read.rows[i].group == rows[i].group);
        assert_false(read.rows[i].edited);
    }
    assert_true(read.rows[0].lon == -60 && read.rows[0].lat == -12);
    assert_true(isnan(read.rows[1].lon) && isnan(read.rows[2].lon) && isnan(read.rows[2].lat));
    c3d_frames_free(&read);

    assert_int_equal(c3d_vector_open("frames.gpkg", "frames", &layer), C3D_OK);
    assert_true(c3d_vector_bounds(layer, 0, box));
    assert_true(fabs(box[3] - box[1] - (48 * 9e-5)) < 1e-9);
    assert_true(fabs((box[2] - box[0]) * cos(12 * acos(-1.0) / 180) - (48 * 9e-5)) < 1e-9);
    assert_true(fabs((box[0] + box[2]) / 2 - (-60)) < 1e-9);
    assert_false(c3d_vector_bounds(layer, 1, box));
    assert_false(c3d_vector_bounds(layer, 2, box));
    c3d_vector_close(layer);
}

int main(void)
{
    static char folder[] = "import-XXXXXX";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_groups_and_places_are_kept),
    };

    c3d_raster_start();
    enter_own_folder(folder);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
