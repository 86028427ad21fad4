# What needs CUDA's libraries, but no GPU.
if(C3D_HAS_CUDA)
  c3d_test(test_cuda_plans LABELS gpu LINKS c3d_nn ARGS ${CMAKE_CURRENT_SOURCE_DIR}/cuda)
  c3d_test(test_cuda_engines LABELS gpu LINKS c3d_backend ARGS ${CMAKE_CURRENT_SOURCE_DIR}/cuda)
endif()

# Without a GPU, in every build.
c3d_script_test(cuda_missing LABELS mpi COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/cuda_missing.sh)
set_property(TEST cuda_missing APPEND PROPERTY ENVIRONMENT
  "C3D_HAS_CUDA=${C3D_HAS_CUDA}"
  "C3D_TEST_STORE=${CMAKE_CURRENT_BINARY_DIR}/scratch/train_store")
set_tests_properties(cuda_missing PROPERTIES FIXTURES_REQUIRED train_store)
