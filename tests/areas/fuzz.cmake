# Readers against any bytes. In the preset fuzz (clang) the targets are driven by libFuzzer:
# tests/soak.sh fuzz; elsewhere they read seeds again, whole and cut off, and what once broke them.
foreach(target yaml csv list gpkg json shard)
  add_executable(fuzz_${target} fuzz/${target}.c fuzz/target.c)
  c3d_compile_options(fuzz_${target})
  target_include_directories(fuzz_${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}
                                                    ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(fuzz_${target} PRIVATE c3d_data c3d_config)
  if(C3D_FUZZ)
    target_link_options(fuzz_${target} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(fuzz_${target} PRIVATE fuzz/replay.c)
  endif()
endforeach()
if(NOT C3D_FUZZ)
  c3d_script_test(fuzz_replay LABELS "unit;sanitized" COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/fuzz_replay.sh)
  set_property(TEST fuzz_replay APPEND PROPERTY ENVIRONMENT
    "C3D_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
endif()
