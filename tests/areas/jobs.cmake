c3d_script_test(jobs_scripts LABELS "unit;slow" COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/jobs_scripts.sh)
c3d_script_test(jobs_run LABELS "mpi;slow" COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/jobs_run.sh)
set_property(TEST jobs_run APPEND PROPERTY ENVIRONMENT
  "C3D_TEST_STORE=${CMAKE_CURRENT_BINARY_DIR}/scratch/train_store")
set_tests_properties(jobs_run PROPERTIES FIXTURES_REQUIRED train_store)
