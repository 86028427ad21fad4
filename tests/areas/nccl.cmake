# The communicator "nccl" on the host: its sources unchanged, NCCL and CUDA those of
# tests/cuda_host, ranks on GPUs of their own, in several orders of what CUDA leaves open.
if(NOT TARGET c3d_cuda_host)
  return()
endif()
get_property(sources GLOBAL PROPERTY C3D_NCCL_SOURCES)
add_library(c3d_nccl_host OBJECT ${sources}) # comes before what c3d_comm has of it
c3d_compile_options(c3d_nccl_host)
target_link_libraries(c3d_nccl_host PUBLIC c3d_cuda_host c3d_comm)
c3d_test(test_nccl LABELS unit LINKS c3d_nccl_host c3d_cuda_host)
foreach(run 2:lazy 3:reverse 4:random:1)
  string(REGEX MATCH "^[0-9]" n ${run})
  add_test(NAME test_nccl_${n} COMMAND ${MPIEXEC_EXECUTABLE} -n ${n} $<TARGET_FILE:test_nccl>)
  c3d_test_environment(test_nccl_${n} mpi)
  string(SUBSTRING ${run} 2 -1 order)
  set_property(TEST test_nccl_${n} APPEND PROPERTY ENVIRONMENT C3D_CUDA_HOST=${order})
  set_tests_properties(test_nccl_${n} PROPERTIES TIMEOUT 120)
endforeach()

c3d_script_test(train_nccl LABELS "slow;mpi" COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/train_nccl.sh)
set_property(TEST train_nccl APPEND PROPERTY ENVIRONMENT
  "C3D_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}"
  "C3D_TEST_STORE=${CMAKE_CURRENT_BINARY_DIR}/scratch/train_store")
set_tests_properties(train_nccl PROPERTIES FIXTURES_REQUIRED train_store)
