# Files as they should not be.
add_executable(odd_rasters odd_rasters.c)
c3d_compile_options(odd_rasters)
target_link_libraries(odd_rasters PRIVATE c3d_raster)
c3d_script_test(odd_rasters LABELS "data;sanitized" COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/odd_rasters.sh)
set_property(TEST odd_rasters APPEND PROPERTY ENVIRONMENT
  "C3D_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
