c3d_test(test_raster LABELS unit LINKS c3d_raster)
c3d_test(test_archive LABELS unit LINKS c3d_data)
c3d_test(test_frames LABELS unit LINKS c3d_data)
c3d_test(test_labels LABELS unit LINKS c3d_data)
