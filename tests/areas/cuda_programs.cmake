# The cuda backend and the nccl communicator, their sources unchanged, on the host: linked to
# stand-ins for CUDA's libraries (tests/cuda_host/device.h) and to the kernels compiled by g++.
# Wherever the headers are, with or without nvcc and the libraries.
find_path(C3D_CUDA_HEADERS cuda_bf16.h
          HINTS ${CUDART_INCLUDE_DIR} ENV CUDA_HOME ENV CUDA_PATH PATHS /usr/local/cuda /opt/cuda
          PATH_SUFFIXES include)
find_path(CUDNN_INCLUDE_DIR cudnn.h HINTS ${C3D_CUDA_HEADERS})
find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${C3D_CUDA_HEADERS})
mark_as_advanced(C3D_CUDA_HEADERS CUDNN_INCLUDE_DIR NCCL_INCLUDE_DIR)
include(CheckLanguage)
check_language(CXX)
if(NOT C3D_CUDA_HEADERS OR NOT CUDNN_INCLUDE_DIR OR NOT NCCL_INCLUDE_DIR OR NOT CMAKE_CXX_COMPILER)
  message(STATUS "CUDA programs: not tested; no headers of CUDA, cuDNN or NCCL, or no C++ compiler")
  return()
endif()
enable_language(CXX)

# Objects, so that their symbols come before those of any library.
function(c3d_cuda_host_objects name)
  add_library(${name} OBJECT ${ARGN})
  c3d_compile_options(${name})
  target_compile_features(${name} PRIVATE cxx_std_17)
  set(cxx -Wall -Wextra -Wshadow -Wno-psabi -O3)
  if(C3D_WERROR)
    list(APPEND cxx -Werror)
  endif()
  if(C3D_SANITIZE)
    list(APPEND cxx -fsanitize=${C3D_SANITIZE} -fno-omit-frame-pointer
                    -fno-sanitize-recover=undefined)
  endif()
  target_compile_options(${name} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${cxx}>")
  target_include_directories(${name} SYSTEM PUBLIC ${C3D_CUDA_HEADERS} ${CUDNN_INCLUDE_DIR}
                                                   ${NCCL_INCLUDE_DIR})
  target_link_libraries(${name} PUBLIC Threads::Threads rt)
  # libraries of a real GPU that c3d_backend names are not loaded
  target_link_options(${name} PUBLIC LINKER:--as-needed)
endfunction()

c3d_cuda_host_objects(c3d_cuda_host
  cuda_host/device.cpp cuda_host/memory.cpp cuda_host/stream.cpp
  cuda_host/dnn_descriptor.cpp cuda_host/dnn_graph.cpp cuda_host/dnn_run.cpp cuda_host/blaslt.cpp
  cuda_host/nccl.cpp cuda_host/nccl_step.cpp)
c3d_test(test_cuda_host LABELS unit LINKS c3d_cuda_host c3d_base)

# ---- what is tested with them ---------------------------------------------------------------------
get_property(cuda_sources GLOBAL PROPERTY C3D_CUDA_SOURCES)
get_property(nccl_sources GLOBAL PROPERTY C3D_NCCL_SOURCES)
list(FILTER cuda_sources INCLUDE REGEX "[.]c$")
c3d_cuda_host_objects(c3d_cuda_host_backend ${cuda_sources})
target_link_libraries(c3d_cuda_host_backend PUBLIC c3d_base c3d_tensor OpenMP::OpenMP_C)
c3d_cuda_host_objects(c3d_cuda_host_comm ${nccl_sources})
target_link_libraries(c3d_cuda_host_comm PUBLIC c3d_base MPI::MPI_C)
set(on_host c3d_cuda_host c3d_cuda_host_backend c3d_cuda_host_kernels)

# c3d_cuda_host_program(NAME SOURCES ... LINKS modules): bin/cuda_host/NAME, with a GPU.
function(c3d_cuda_host_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name}_cuda_host ${ARG_SOURCES})
  c3d_compile_options(${name}_cuda_host)
  target_include_directories(${name}_cuda_host PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name}_cuda_host PRIVATE ${on_host} ${ARG_LINKS})
  set_target_properties(${name}_cuda_host PROPERTIES OUTPUT_NAME ${name}
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/cuda_host)
  if(C3D_SANITIZE)
    target_sources(${name}_cuda_host PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/support/nodlclose.c)
  endif()
endfunction()

# c3d_cuda_host_case(NAME PROGRAM MODE args...): a case of ctest that runs with streams in that order.
function(c3d_cuda_host_case name program mode)
  add_test(NAME cuda_host_${name} COMMAND ${program}_cuda_host ${ARGN})
  c3d_test_environment(cuda_host_${name} "parity;gpu")
  set_property(TEST cuda_host_${name} APPEND PROPERTY ENVIRONMENT "C3D_CUDA_HOST=${mode}")
endfunction()

c3d_cuda_host_program(parity_backend SOURCES parity_backend.c support/op_run.c
                      LINKS c3d_backend PkgConfig::CMOCKA m)
c3d_cuda_host_program(parity_entries SOURCES parity_entries.c support/op_run.c
                      LINKS c3d_backend PkgConfig::CMOCKA m)
c3d_cuda_host_program(test_norm SOURCES test_norm.c LINKS c3d_backend PkgConfig::CMOCKA m)
c3d_cuda_host_program(test_cuda_tune SOURCES test_cuda_tune.c LINKS c3d_backend PkgConfig::CMOCKA m)
c3d_cuda_host_program(golden_test SOURCES golden_test.c LINKS c3d_nn PkgConfig::CMOCKA m)
c3d_cuda_host_program(test_cuda_backend SOURCES test_cuda_backend.c
                      LINKS c3d_backend PkgConfig::CMOCKA m)
get_directory_property(texts DIRECTORY ${CMAKE_SOURCE_DIR}/src/cli COMPILE_DEFINITIONS)
foreach(program c3d-train c3d-evaluate)
  get_target_property(sources ${program} SOURCES) # as they are listed in src/cli
  list(FILTER sources EXCLUDE REGEX "^[/$]")
  list(TRANSFORM sources PREPEND ${CMAKE_SOURCE_DIR}/src/cli/)
  c3d_cuda_host_program(${program} SOURCES ${sources} LINKS c3d_cuda_host_comm c3d_cli c3d_train)
  target_compile_definitions(${program}_cuda_host PRIVATE ${texts})
endforeach()

c3d_cuda_host_case(tune test_cuda_tune lazy)

set(precisions fp32 tf32 bf16 fp16)
if(C3D_SANITIZE) # slow
  set(precisions fp32 bf16)
endif()
foreach(precision ${precisions})
  c3d_cuda_host_case(backend_${precision} parity_backend lazy --precision ${precision} cuda)
  c3d_cuda_host_case(entries_${precision} parity_entries random:1 --precision ${precision} cuda)
  c3d_cuda_host_case(norm_${precision} test_norm reverse cuda ${precision})
  c3d_cuda_host_case(golden_${precision} golden_test random:2 ${CMAKE_CURRENT_SOURCE_DIR}/golden
                     --precision ${precision} cuda)
endforeach()
c3d_cuda_host_case(backend_checked parity_backend lazy --precision bf16 check:cuda)

c3d_script_test(cuda_host_train LABELS "slow;mpi;gpu"
                COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/cuda_host_train.sh)
set_property(TEST cuda_host_train APPEND PROPERTY ENVIRONMENT
  "C3D_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}"
  "C3D_TEST_STORE=${CMAKE_CURRENT_BINARY_DIR}/scratch/train_store")
set_tests_properties(cuda_host_train PROPERTIES FIXTURES_REQUIRED train_store)

c3d_cuda_host_case(promises_lazy test_cuda_backend lazy)
c3d_cuda_host_case(promises_reverse test_cuda_backend reverse bf16)
c3d_cuda_host_case(promises_random test_cuda_backend random:3 fp16)
# without the engines that fuse, or give float32 from 16 bits
c3d_cuda_host_case(promises_unfused test_cuda_backend lazy)
c3d_cuda_host_case(promises_unfused_bf16 test_cuda_backend lazy bf16)
c3d_cuda_host_case(golden_unfused golden_test lazy ${CMAKE_CURRENT_SOURCE_DIR}/golden
                   --precision bf16 cuda)
foreach(name promises_unfused promises_unfused_bf16 golden_unfused)
  set_property(TEST cuda_host_${name} APPEND PROPERTY ENVIRONMENT
    "C3D_CUDA_HOST_CUDNN_REFUSES=forward-epilogue,backward-x-epilogue,backward-w-float")
endforeach()
