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
add_library(c3d_cuda_host OBJECT
  cuda_host/device.cpp cuda_host/memory.cpp cuda_host/stream.cpp
  cuda_host/dnn_descriptor.cpp cuda_host/dnn_graph.cpp cuda_host/dnn_run.cpp cuda_host/blaslt.cpp
  cuda_host/nccl.cpp cuda_host/nccl_step.cpp)
c3d_compile_options(c3d_cuda_host)
target_compile_features(c3d_cuda_host PRIVATE cxx_std_17)
target_compile_options(c3d_cuda_host PRIVATE -Wall -Wextra -Wshadow -Wno-psabi -O2)
if(C3D_WERROR)
  target_compile_options(c3d_cuda_host PRIVATE -Werror)
endif()
if(C3D_SANITIZE)
  target_compile_options(c3d_cuda_host PRIVATE
    -fsanitize=${C3D_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
endif()
target_include_directories(c3d_cuda_host SYSTEM PUBLIC ${C3D_CUDA_HEADERS} ${CUDNN_INCLUDE_DIR}
                                                       ${NCCL_INCLUDE_DIR})
target_link_libraries(c3d_cuda_host PUBLIC Threads::Threads rt)
# libraries of a real GPU that c3d_backend names are not loaded
target_link_options(c3d_cuda_host PUBLIC LINKER:--as-needed)

c3d_test(test_cuda_host LABELS unit LINKS c3d_cuda_host c3d_base)
