# What needs CUDA's libraries, but no GPU.
if(C3D_HAS_CUDA)
  c3d_test(test_cuda_plans LABELS gpu LINKS c3d_nn ARGS ${CMAKE_CURRENT_SOURCE_DIR}/cuda)
endif()
