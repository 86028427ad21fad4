# The tests of the kernels on a GPU, skipped where there is none.
if(C3D_HAS_CUDA)
  foreach(test test_cuda_channels test_cuda_kernels)
    add_executable(${test}_gpu ${test}.c support/lanes.c support/lanes_device.c support/op_run.c)
    c3d_compile_options(${test}_gpu)
    target_include_directories(${test}_gpu PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    target_link_libraries(${test}_gpu PRIVATE c3d_backend PkgConfig::CMOCKA m)
    add_test(NAME ${test}_gpu COMMAND ${test}_gpu)
    c3d_test_environment(${test}_gpu gpu)
  endforeach()
endif()

# The own CUDA kernels, compiled by g++ and run here (tests/cuda_host/launch.h): wherever the
# toolkit's headers are, with or without nvcc.
find_path(C3D_CUDA_HEADERS cuda_bf16.h
          HINTS ${CUDART_INCLUDE_DIR} ENV CUDA_HOME ENV CUDA_PATH PATHS /usr/local/cuda /opt/cuda
          PATH_SUFFIXES include)
mark_as_advanced(C3D_CUDA_HEADERS)
include(CheckLanguage)
check_language(CXX)
if(NOT C3D_CUDA_HEADERS OR NOT CMAKE_CXX_COMPILER)
  message(STATUS "CUDA kernels: not tested; no header cuda_bf16.h, or no C++ compiler")
  return()
endif()
enable_language(CXX)

# Objects, so that their symbols come before those of a c3d_backend built with CUDA.
file(GLOB kernels CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/backend/cuda/*.cu)
list(APPEND kernels ${CMAKE_CURRENT_SOURCE_DIR}/cuda_host/faulty.cu)
set_source_files_properties(${kernels} PROPERTIES LANGUAGE CXX
  COMPILE_OPTIONS "-x;c++;-include;${CMAKE_CURRENT_SOURCE_DIR}/cuda_host/kernel.h"
  OBJECT_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/cuda_host/kernel.h")
add_library(c3d_cuda_host_kernels OBJECT ${kernels} cuda_host/launch.cpp)
c3d_compile_options(c3d_cuda_host_kernels)
target_compile_features(c3d_cuda_host_kernels PRIVATE cxx_std_17)
# A GPU's compiler knows no aliasing of types, rounds each operation where it is told to, and knows
# "unroll".
target_compile_options(c3d_cuda_host_kernels PRIVATE -Wall -Wextra -Wshadow -Wno-unknown-pragmas
                                                     -fno-strict-aliasing
                                                     -ffp-contract=off)
if(C3D_WERROR)
  target_compile_options(c3d_cuda_host_kernels PRIVATE -Werror)
endif()
if(C3D_SANITIZE)
  target_compile_options(c3d_cuda_host_kernels PRIVATE
    -fsanitize=${C3D_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
endif()
target_include_directories(c3d_cuda_host_kernels PUBLIC cuda_host)
target_include_directories(c3d_cuda_host_kernels SYSTEM PUBLIC ${C3D_CUDA_HEADERS})
target_link_libraries(c3d_cuda_host_kernels PUBLIC c3d_backend)
target_link_options(c3d_cuda_host_kernels PUBLIC LINKER:--as-needed)

c3d_test(test_cuda_launch LABELS unit LINKS c3d_cuda_host_kernels c3d_backend)
foreach(test test_cuda_channels test_cuda_kernels)
  c3d_test(${test} LABELS unit LINKS c3d_cuda_host_kernels c3d_backend
           SOURCES support/lanes.c support/lanes_host.c support/op_run.c)
endforeach()
