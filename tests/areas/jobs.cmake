c3d_script_test(jobs_scripts LABELS "unit;slow" COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/jobs_scripts.sh)
