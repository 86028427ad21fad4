c3d_test(test_raster LABELS unit LINKS c3d_raster)
