# tests/gpu/run.sh itself, with programs that only say they did it: no GPU is needed.
c3d_script_test(gpu_script LABELS unit slow COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/gpu_script.sh)

# Asked on a GPU by tests/gpu/run.sh questions; built wherever it can be.
if(C3D_HAS_CUDA)
  add_executable(gpu_questions gpu/questions.c)
  c3d_compile_options(gpu_questions)
  target_link_libraries(gpu_questions PRIVATE c3d_nn c3d_cuda m)
endif()
