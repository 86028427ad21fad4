c3d_test(test_raster LABELS unit LINKS c3d_raster)
c3d_test(test_archive LABELS unit LINKS c3d_data)
c3d_test(test_frames LABELS unit LINKS c3d_data)
c3d_test(test_labels LABELS unit LINKS c3d_data)
c3d_test(test_frames_data LABELS data LINKS c3d_data)
# GDAL and SQLite allocate much: the slow stack walk would take ten times as long here.
set_tests_properties(test_raster test_frames test_labels test_frames_data PROPERTIES
  ENVIRONMENT_MODIFICATION "ASAN_OPTIONS=set:fast_unwind_on_malloc=1")
