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
        "bands/S_B1_2020-11-01.tif",
        "bands/S_B_2_2020-11-01.tif",
        "bands/S_B1_2020-11-17.tif",
        "folders/nir/2020-11.tif",
        "folders/red/2020-11.tif",
        "half/m_2015-12_2016-05.tif",
        "half/m_2016-07_2016-12.tif",
        "global/global_monthly_2021_05_mosaic/6-12_quad.tif",
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

static void bands_have_files_of_their_own(void **state)
{
    c3d_archive archive;

    (void)state;
    assert_int_equal(c3d_archive_find("bands/S_{BAND}_{YYYY}-{MM}-{DD}.tif", 0, 0, &archive),
                     C3D_OK);
    assert_int_equal(archive.n_months, 2);
    assert_int_equal(archive.months[0].n_files, 2);
    assert_string_equal(archive.months[0].bands[0], "B1");
    assert_string_equal(archive.months[0].bands[1], "B_2");
    assert_string_equal(archive.months[0].files[1], "bands/S_B_2_2020-11-01.tif");
    assert_string_equal(archive.months[1].bands[0], "B1");
    c3d_archive_free(&archive);
    assert_int_equal(c3d_archive_find("folders/{BAND}/{YYYY}-{MM}.tif", 0, 0, &archive), C3D_OK);
    assert_int_equal(archive.n_months, 1);
    assert_string_equal(archive.months[0].bands[1], "red");
    c3d_archive_free(&archive);
}

/* A mosaic of several months stands at its first; those it covers are not missing. */
static void mosaics_of_several_months(void **state)
{
    c3d_archive archive;

    (void)state;
    assert_int_equal(c3d_archive_find("half/m_{YYYY}-{MM}_{YYYY2}-{MM2}.tif", 0, 0, &archive),
                     C3D_OK);
    assert_int_equal(archive.n_months, 3);
    assert_int_equal(archive.months[0].date, 20151200);
    assert_int_equal(archive.months[1].date, 20160600);
    assert_int_equal(archive.months[1].n_files, 0);
    assert_int_equal(archive.months[2].date, 20160700);
    c3d_archive_free(&archive);
    assert_int_equal(c3d_archive_find("half/m_{YYYY}-{MM}_{YYYY2}-{MM}.tif", 0, 0, &archive),
                     C3D_ECONFIG);
    assert_message("{YYYY2} and {MM2} go together");
}

/* A folder as Planet delivers it needs no pattern; two series in it need a choice. */
static void planets_folders_are_known(void **state)
{
    c3d_archive archive;

    (void)state;
    assert_int_equal(c3d_archive_find("planet", 20161200, 20170600, &archive), C3D_OK);
    assert_int_equal(archive.n_months, 1);
    assert_int_equal(archive.months[0].date, 20161200);
    c3d_archive_free(&archive);
    assert_int_equal(c3d_archive_find("planet/", 20201100, 20210200, &archive), C3D_OK);
    assert_int_equal(archive.n_months, 4);
    assert_int_equal(archive.months[0].n_files, 2);
    assert_int_equal(archive.months[2].n_files, 0);
    c3d_archive_free(&archive);
    assert_int_equal(c3d_archive_find("global", 0, 0, &archive), C3D_OK);
    assert_int_equal(archive.months[0].date, 20210500);
    c3d_archive_free(&archive);
    touch("both/planet_medres_visual_2021-05_mosaic/1-1_quad.tif");
    touch("both/planet_medres_normalized_analytic_2021-05_mosaic/1-1_quad.tif");
    assert_int_equal(c3d_archive_find("both", 0, 0, &archive), C3D_ECONFIG);
    assert_message("data.mosaics: \"both/planet_medres_visual_{YYYY}-{MM}_mosaic/*.tif\"");
    assert_int_equal(c3d_archive_find("flat", 0, 0, &archive), C3D_EDATA);
    assert_message("Planet's names");
}

int main(void)
{
    static char folder[] = "archive-XXXXXX";
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bands_have_files_of_their_own),
        cmocka_unit_test(mosaics_of_several_months),
        cmocka_unit_test(planets_folders_are_known),
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
