# tests/gpu/run.sh itself, with programs that only say they did it: no GPU is needed.
c3d_script_test(gpu_script LABELS unit slow COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/gpu_script.sh)

# Asked on a GPU by tests/gpu/run.sh questions; built wherever it can be.
if(C3D_HAS_CUDA)
  add_executable(gpu_questions gpu/questions.c)
  c3d_compile_options(gpu_questions)
  target_link_libraries(gpu_questions PRIVATE c3d_nn c3d_cuda m)
endif()

# What the stages run, with the stand-ins of tests/cuda_host where these can be built.
if(TARGET c3d_cuda_host_backend)
  c3d_cuda_host_program(test_model SOURCES test_model.c LINKS c3d_nn PkgConfig::CMOCKA m)
  c3d_cuda_host_program(test_optimizer SOURCES test_optimizer.c LINKS c3d_train PkgConfig::CMOCKA m)
  c3d_cuda_host_program(gpu_questions SOURCES gpu/questions.c LINKS c3d_nn m)
  c3d_cuda_host_case(model test_model random:3 cuda bf16)
  c3d_cuda_host_case(optimizer test_optimizer lazy ${CMAKE_CURRENT_SOURCE_DIR}/golden/optimizer.safetensors cuda)
  foreach(question gradients bias tf32)
    c3d_cuda_host_case(question_${question} gpu_questions lazy ${question} tiny)
  endforeach()
endif()
