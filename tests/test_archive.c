/* Files of a pattern, by month. */

#include <sys/stat.h>

#include "support/rasters.h"

#include "c3d/dataset.h"

static void touch(const char *path)
{
    char folder[256];
    char *slash;

    (void)snprintf(folder, sizeof folder, "%s", path);
    slash = strrchr(folder, '/');
    if (slash != NULL) {
        *slash = 0;
        assert_int_equal(c3d_make_dirs(folder), C3D_OK);
    }
    assert_int_equal(c3d_file_write(path, "x", 1), C3D_OK);
}

static int make_files(void **state)
{
    static const char *const files[] = {
        "flat/S2_2020-11-01.tif",
        "flat/S2_2020-12-01.tif",
        "flat/S2_2021-02-01.tif",
        "flat/S2_2021-02-17.tif",
        "flat/S2_2021-13-01.tif",
        "flat/S2_2021-02-01.tif.aux.xml",
        "flat/.S2_2021-03-01.tif",
        "flat/LABEL.tif",
        "planet/planet_medres_normalized_analytic_2020-11_mosaic/7-12_quad.tif",
        "planet/planet_medres_normalized_analytic_2020-11_mosaic/6-12_quad.tif",
        "planet/planet_medres_normalized_analytic_2021-02_mosaic/6-12_quad.tif",
        "planet/planet_medres_normalized_analytic_2021-01_mosaic/readme.txt",
        "planet/planet_medres_normalized_analytic_2016-12_2017-05_mosaic/6-12_quad.tif",
        "labels/brasil_coverage_2020.tif",
        "labels/brasil_coverage_2021.tif",
        "twice/2020/2020-05.tif",
        "twice/2020/2021-05.tif",
    };

    (void)state;
    for (size_t i = 0; i < C3D_COUNT(files); i++) touch(files[i]);
    return 0;
}

static void dates_with_days_are_steps(void **state)
{
    c3d_archive archive;

    (void)state;
    assert_int_equal(c3d_archive_find("flat/S2_{YYYY}-{MM}-{DD}.tif", 0, 0, &archive), C3D_OK);
    assert_int_equal(archive.n_months, 4);
    assert_int_equal(archive.months[0].date, 20201101);
    assert_int_equal(archive.months[3].date, 20210217);
    assert_int_equal(archive.months[3].n_files, 1);
    assert_string_equal(archive.months[3].files[0], "flat/S2_2021-02-17.tif");
    c3d_archive_free(&archive);
    assert_int_equal(archive.n_months, 0);
}

static void limits_cut_by_month(void **state)
{
    c3d_archive archive;

    (void)state;
    assert_int_equal(c3d_archive_find("flat/S2_{YYYY}-{MM}-{DD}.tif", 20201200, 20210200, &archive),
                     C3D_OK);
    assert_int_equal(archive.n_months, 3);
    c3d_archive_free(&archive);
    assert_int_equal(c3d_archive_find("flat/S2_{YYYY}-{MM}-{DD}.tif", 20201200, 20210201, &archive),
                     C3D_OK);
    assert_int_equal(archive.n_months, 2);
    c3d_archive_free(&archive);
    assert_int_equal(c3d_archive_find("flat/S2_{YYYY}-{MM}-{DD}.tif", 20220100, 0, &archive),
                     C3D_EDATA);
    assert_message("4 files match, none is from 2022-01");
}

static void folders_of_quads_list_absent_months(void **state)
{
    c3d_archive archive;

    (void)state;
    assert_int_equal(
        c3d_archive_find("planet/planet_medres_normalized_analytic_{YYYY}-{MM}_mosaic/*_quad.tif",
                         0, 0, &archive),
        C3D_OK);
    assert_int_equal(archive.n_months, 4);
    assert_int_equal(archive.months[0].date, 20201100);
    assert_int_equal(archive.months[0].n_files, 2);
    assert_string_equal(strrchr(archive.months[0].files[0], '/'), "/6-12_quad.tif");
    assert_int_equal(archive.months[1].date, 20201200);
    assert_int_equal(archive.months[1].n_files, 0);
    assert_int_equal(archive.months[2].date, 20210100);
    assert_int_equal(archive.months[2].n_files, 0);
    assert_int_equal(archive.months[3].n_files, 1);
    c3d_archive_free(&archive);
}

static void years_and_single_files(void **state)
{
    c3d_archive archive;

    (void)state;
    assert_int_equal(c3d_archive_find("labels/*_{YYYY}.tif", 0, 0, &archive), C3D_OK);
    assert_int_equal(archive.n_months, 2);
    assert_int_equal(archive.months[1].date, 20210000);
    c3d_archive_free(&archive);
    assert_int_equal(c3d_archive_find("flat/LABEL.tif", 0, 0, &archive), C3D_OK);
    assert_int_equal(archive.n_months, 1);
    assert_int_equal(archive.months[0].date, 0);
    c3d_archive_free(&archive);
    assert_int_equal(c3d_archive_find("twice/{YYYY}/{YYYY}-{MM}.tif", 0, 0, &archive), C3D_OK);
    assert_int_equal(archive.n_months, 1);
    assert_int_equal(archive.months[0].date, 20200500);
    c3d_archive_free(&archive);
}

static void absolute_patterns_give_absolute_paths(void **state)
{
    char here[1024], pattern[1200];
    c3d_archive archive;

    (void)state;
    assert_non_null(getcwd(here, sizeof here));
    (void)snprintf(pattern, sizeof pattern, "%s/labels/brasil_coverage_{YYYY}.tif", here);
    assert_int_equal(c3d_archive_find(pattern, 0, 0, &archive), C3D_OK);
    assert_int_equal(strncmp(archive.months[0].files[0], here, strlen(here)), 0);
    assert_true(c3d_path_exists(archive.months[0].files[0]));
    c3d_archive_free(&archive);
}

static void a_miss_says_where(void **state)
{
    c3d_archive archive;

    (void)state;
    assert_int_equal(c3d_archive_find("flat/S3_{YYYY}-{MM}.tif", 0, 0, &archive), C3D_EDATA);
    assert_message("\"S3_{YYYY}-{MM}.tif\" in \"flat\"");
    assert_message("LABEL.tif");
    assert_int_equal(c3d_archive_find("absent/S3_{YYYY}-{MM}.tif", 0, 0, &archive), C3D_EDATA);
    assert_message("\"absent\" in \".\"");
    assert_int_equal(c3d_archive_find("planet/planet_medres_normalized_analytic_{YYYY}-{MM}_mosaic/"
                                      "*_quad.tiff",
                                      0, 0, &archive),
                     C3D_EDATA);
    assert_message("\"*_quad.tiff\" in \"planet/planet_medres");
    assert_int_equal(c3d_archive_find("flat/S2_{YYYY}-{mm}.tif", 0, 0, &archive), C3D_ECONFIG);
    assert_message("{mm}");
    assert_int_equal(c3d_archive_find("flat/S2_{MM}.tif", 0, 0, &archive), C3D_ECONFIG);
}

int main(void)
{
    static char folder[] = "archive-XXXXXX";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_with_days_are_steps),
        cmocka_unit_test(limits_cut_by_month),
        cmocka_unit_test(folders_of_quads_list_absent_months),
        cmocka_unit_test(years_and_single_files),
        cmocka_unit_test(absolute_patterns_give_absolute_paths),
        cmocka_unit_test(a_miss_says_where),
    };

    enter_own_folder(folder);
    return cmocka_run_group_tests(tests, make_files, NULL);
}
