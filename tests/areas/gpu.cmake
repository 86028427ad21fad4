# tests/gpu/run.sh itself, with programs that only say they did it: no GPU is needed.
c3d_script_test(gpu_script LABELS unit COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/gpu_script.sh)
