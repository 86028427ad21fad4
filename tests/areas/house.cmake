c3d_test(test_config LABELS unit LINKS c3d_config)
c3d_script_test(layers LABELS unit COMMAND ${CMAKE_SOURCE_DIR}/tests/layers.sh)
c3d_script_test(layers_selftest LABELS unit COMMAND ${CMAKE_SOURCE_DIR}/tests/layers_selftest.sh)
c3d_script_test(style LABELS style COMMAND ${CMAKE_SOURCE_DIR}/tests/style.sh)
