# A SLURM of the test's own where it is installed; skipped elsewhere.
c3d_script_test(slurm_jobs LABELS "slurm;mpi" COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/slurm/jobs.sh)
set_property(TEST slurm_jobs APPEND PROPERTY ENVIRONMENT
  "C3D_TEST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}"
  "C3D_TEST_STORE=${CMAKE_CURRENT_BINARY_DIR}/scratch/train_store")
set_tests_properties(slurm_jobs PROPERTIES FIXTURES_REQUIRED train_store)

c3d_script_test(slurm_no_pmi LABELS mpi COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/slurm/no_pmi.sh)
c3d_script_test(slurm_scripts LABELS unit COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/slurm/scripts.sh)
